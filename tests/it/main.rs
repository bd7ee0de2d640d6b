//! What nextlead does, through its door: one module a capability.
#![expect(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

mod backup;
mod cli;
mod crash;
mod demo;
mod import;
mod intake;
mod oracle;
mod process;
mod pull;
mod safety;
mod small_disk;
mod softphone;
mod stop;
mod support;
mod touch;

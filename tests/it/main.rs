//! What nextlead does, through its door: one module a capability.
#![expect(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

mod access;
mod attack;
mod backup;
mod cli;
mod command_line;
mod crash;
mod demo;
mod erase;
mod export;
mod hostile;
mod import;
mod intake;
mod jwt;
mod oracle;
mod process;
mod pty;
mod pull;
mod safety;
mod service;
mod small_disk;
mod softphone;
mod stop;
mod support;
mod suppress;
mod touch;
mod upgrade;
mod work;

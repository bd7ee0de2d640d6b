//! What nextlead does, through its door: one module a capability.
#![expect(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

mod intake;
mod oracle;
mod pull;
mod safety;
mod stop;
mod support;
mod touch;

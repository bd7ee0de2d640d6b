//! What nextlead does, through its door: one module a capability.
#![expect(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

mod demo;
mod intake;
mod pull;
mod support;
mod touch;

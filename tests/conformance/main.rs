//! What every engine of a contract promises: one suite a contract, run on each implementation.
#![expect(clippy::unwrap_used, reason = "a check that fails panics")]

#[path = "../liar.rs"]
mod liar;
mod queue;
#[path = "../servers.rs"]
mod servers;
mod store;

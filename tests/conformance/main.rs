//! What every engine of a contract promises, checked once and run against each of them.

#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

mod queue;

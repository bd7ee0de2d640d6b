//! nextlead: a backend for inside sales.

pub mod clock;
pub mod domain;
pub mod queue;
pub mod rules;
pub mod store;

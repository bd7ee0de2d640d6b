//! nextlead: a backend for inside sales.

pub mod api;
pub mod clock;
pub mod domain;
pub mod queue;
pub mod store;

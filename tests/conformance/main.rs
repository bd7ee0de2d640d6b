//! What every implementation of a contract promises, checked on each of them.

mod store;

//! What PostgreSQL alone must show: its tables are those of SQLite, its sessions are safe or refused,
//! and whatever becomes of a connection, answers tell the truth.

mod lost;
mod nodes;
mod proxy;
mod schema;
mod sessions;
mod takeovers;
mod vacuum;

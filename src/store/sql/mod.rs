//! The store in SQL: all that is the same for SQLite and PostgreSQL, written once over a connection to
//! either. What differs stands in `store::sqlite` and `store::postgres`: how a file or a server is
//! opened, how a transaction begins and what the outcome of its commit is, and who reads by which
//! connection. Statements that differ are pairs of files of one name.

mod access;
mod audit;
mod batch;
mod connection;
mod duty;
mod erasure;
mod export;
mod failure;
mod forget;
mod load;
mod migrate;
mod numbers;
mod own_leads;
mod parts;
mod quality;
mod read;
mod readers;
mod report;
mod roster;
mod rows;
mod running;
mod session;
mod sight;
pub(super) mod statements;
mod store;
mod write;
mod write_books;
mod write_calls;
mod write_facts;
mod write_leases;
mod write_skips;
mod write_transfers;
mod writer;

pub(super) use audit::audit;
pub(super) use connection::Connection;
pub(super) use erasure::seal;
pub(super) use failure::{failure, is_connection_lost, refusal_code, unavailable};
pub(super) use load::{json, unhex};
pub(super) use migrate::migrate;
pub(super) use read::last_instant;
pub(super) use readers::{Readers, Reading, Taken};
pub(super) use running::SqlStore;
pub(super) use session::Session;
pub(super) use writer::{Begun, Commit, CommitNews, Follower, Lost, Writing};

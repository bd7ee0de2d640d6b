//! How a PostgreSQL store is opened.

use std::fmt;
use std::time::Duration;

/// How a PostgreSQL store is opened.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://user@host:port/database`, with `?sslmode=verify-full` for a server that is not on
    /// this machine. A direct connection: one that a pool lends from statement to statement will not do.
    pub url: String,
    /// The user's password, unless the address, `PGPASSWORD` or a password file has it.
    pub password: Option<String>,
    /// How many connections read what somebody waits for.
    pub reader_count: usize,
    /// How many connections read reports.
    pub report_count: usize,
    /// How long a change or a read may take that somebody waits for.
    pub statement_timeout: Duration,
    /// How long a report may take.
    pub report_timeout: Duration,
    /// How long a change waits for those of other nodes.
    pub lock_timeout: Duration,
    /// After this time the server gives up a node that vanished within a transaction.
    pub vanished_timeout: Duration,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// Whose clock says when a change happens.
    pub clocking: Clocking,
    /// Whether other nodes may use the database, too.
    pub sharing: Sharing,
}

/// Whose clock says when a change happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocking {
    /// The database's, read within each transaction; never behind the last instant of the ledger. Nodes
    /// whose clocks differ agree on it.
    Database,
    /// The caller's, as it says: for tests that move the time by hand.
    Caller,
}

/// Whether other nodes may use the database, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// No other node: its queue index is in its own memory, and knows nothing of what others change.
    Alone,
    /// Any number of nodes that share their queue index, and tell each other their news.
    Shared,
}

impl PostgresOptions {
    /// The options of a node that runs alone.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            reader_count: 6,
            report_count: 2,
            statement_timeout: Duration::from_secs(8),
            report_timeout: Duration::from_secs(1_800),
            lock_timeout: Duration::from_secs(7),
            vanished_timeout: Duration::from_secs(8),
            connect_timeout: Duration::from_secs(3),
            clocking: Clocking::Database,
            sharing: Sharing::Alone,
        }
    }
}

impl fmt::Debug for PostgresOptions {
    /// Leaves the address and the password out.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresOptions")
            .field("reader_count", &self.reader_count)
            .field("clocking", &self.clocking)
            .field("sharing", &self.sharing)
            .finish_non_exhaustive()
    }
}

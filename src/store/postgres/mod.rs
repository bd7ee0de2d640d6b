//! The store in a PostgreSQL database, 15 or later, for one node or for many.
//!
//! Each node has one session that writes ([`writing`]) and takes turns with those of the other nodes, a
//! few that read ([`readers`]), and one that hears the others' news ([`news`]). What a change means is
//! decided in `store::books`, and put into statements in `store::sql`. Only a primary may decide, and
//! only with commits that are on disk when they are answered: every session looks ([`sessions`]).

mod lineage;
mod news;
mod options;
mod readers;
mod scrub;
mod sessions;
#[cfg(test)]
mod tests;
mod writing;

use super::error::StoreError;
use super::sql::{SqlStore, failure, migrate, unavailable};
use crate::clock::Stopwatch;
use readers::PostgresReaders;
use sessions::{Purpose, Sessions};
use writing::{MIGRATION_LOCK, PostgresWriting};

pub use options::{Clocking, PostgresOptions, Sharing};

/// The truth in one PostgreSQL database.
pub type PostgresStore = SqlStore<PostgresReaders>;

impl PostgresStore {
    /// Opens the database, and brings its tables up to date.
    ///
    /// [`StoreError::Unfit`] if it is a standby, too old, or set so that a crash loses what was
    /// answered; [`StoreError::InUse`] if another node has it for itself, or this one wants it so and
    /// others are there.
    pub async fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        let sessions = Sessions::new(options)?;
        let node = node_id()?;
        let mut writing = PostgresWriting::join_nodes(sessions.clone(), node.clone()).await?;
        // Not before: a node that is refused must not change the tables under the one that runs.
        bring_up_to_date(&sessions).await?;
        writing.start().await?;
        let readers = PostgresReaders::new(sessions.clone());
        let (follower, hearing) = news::hear(&sessions, &node);
        Self::start(writing, readers, follower, hearing)
    }

    /// What time it is for the database, in milliseconds since 1970, UTC, never before the last commit of
    /// any node, and a watch that was started when it was asked: the wait for a session does not count.
    pub async fn database_now(&self) -> Result<(i64, Stopwatch), StoreError> {
        self.readers.now().await
    }
}

async fn bring_up_to_date(sessions: &Sessions) -> Result<(), StoreError> {
    let mut session = sessions.open(Purpose::Migrate).await?;
    // Of nodes that start together one works and the others wait, as long as that takes. For tables no
    // one waits long: whoever waits for one keeps all from it who come later.
    session.run(|to| sqlx::raw_sql("SET lock_timeout = 0").execute(to)).await.map_err(failure)?;
    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATION_LOCK);
    session.run(|to| lock.execute(to)).await.map_err(failure)?;
    session.run(|to| sqlx::raw_sql("RESET lock_timeout").execute(to)).await.map_err(failure)?;
    let migrations = sqlx::migrate!("migrations/postgres");
    let done = migrate(&migrations, session.connection()).await;
    let _ = session.end().await.map_err(failure);
    done
}

/// A name that no other node has, and that is safe in a statement.
fn node_id() -> Result<String, StoreError> {
    let mut bits = [0; 8];
    getrandom::fill(&mut bits).map_err(unavailable)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bits)))
}

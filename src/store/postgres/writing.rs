//! How the database is written to. Nodes take turns: each transaction begins by waiting for the one
//! lock, so what it loads is what it writes over, as in a file that one process has for itself.
//!
//! A commit whose outcome is unknown is looked up, not guessed: every transaction writes its number
//! beside the node's name, so once the lock shows that it is over, the number tells whether it stayed.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::books::Seal;
use super::super::error::StoreError;
use super::super::sql::{
    Begun, Commit, CommitNews, Connection, Lost, Session, Writing, failure, is_connection_lost,
    last_instant, refusal_code, unavailable, unhex,
};
use super::news;
use super::options::{Clocking, Sharing};
use super::scrub::{self, Scrubber};
use super::sessions::{Purpose, Sessions, check_durability};
use crate::clock::{Instants, Stopwatch, Told};
use crate::failpoint;

/// The advisory lock that every writing transaction holds: "nextlead" in ASCII.
const WRITER_LOCK: i64 = 0x6e65_7874_6c65_6164;
/// The advisory lock of the nodes that use the database: shared, or by one alone.
const NODE_LOCK: i64 = WRITER_LOCK + 1;
/// The advisory lock of the node that brings the tables up to date.
pub(super) const MIGRATION_LOCK: i64 = WRITER_LOCK + 2;
/// How long a change waits for a lost connection to come back before nobody can tell what was stored.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);
/// How far the server's clock may be off, from one reading to the next or from what was told, before
/// that is said.
const CLOCK_ERROR_MAX_MS: i64 = 3_600_000;
/// How many handovers go into one commit: all other nodes wait for it.
const HANDOVER_COUNT_MAX: usize = 2_000;
/// How long the server is left alone after it could not be reached: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Begins a transaction; answers in text.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
    SELECT pg_advisory_xact_lock(7954896758249972068); \
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint::text, \
    (SELECT coalesce(max(seen_at_ms), 0) FROM node)::text, current_setting('synchronous_commit'), \
    pg_is_in_recovery()::text, (SELECT encode(value, 'hex') FROM secret WHERE name = 'erasure')";

/// The server was out of reach a moment ago.
#[derive(Debug, thiserror::Error)]
#[error("the database server is out of reach")]
struct OutOfReach;

pub(super) struct PostgresWriting {
    scrubber: Scrubber,
    sessions: Sessions,
    node: String,
    /// The session, while there is one.
    connection: Option<Connection>,
    /// The number of the last commit that is known to be stored.
    last_commit: i64,
    /// The number of the commit whose outcome is unknown.
    doubt: Option<i64>,
    /// What became of it, until that is told.
    settled: Option<bool>,
    /// What was committed by other nodes when this one last had the lock; only alone.
    others: (i64, i64),
    /// What this node knows may not be how things are, and that is not told yet.
    is_estranged: bool,
    /// By the server's clock at each begin; never behind what the ledger knew at the start, nor behind
    /// any node's last commit.
    instants: Instants,
    /// The last of them.
    now: i64,
    /// It was told that time is far ahead of the server's clock.
    is_ahead: bool,
    /// Since when the server is left alone, and for how long.
    pause: Option<(Stopwatch, Duration)>,
}

impl PostgresWriting {
    /// Takes the database for this node: [`StoreError::InUse`] if another one has it for itself.
    pub(super) async fn join_nodes(sessions: Sessions, node: String) -> Result<Self, StoreError> {
        let mut writing = Self {
            scrubber: Scrubber::new(sessions.clone()),
            sessions,
            node,
            connection: None,
            last_commit: 0,
            doubt: None,
            settled: None,
            others: (0, 0),
            is_estranged: false,
            instants: Instants::start(0),
            now: 0,
            is_ahead: false,
            pause: None,
        };
        let session = writing.join().await?;
        writing.connection = Some(Connection::Postgres(session));
        Ok(writing)
    }

    /// Called once before the first transaction, when the tables are up to date.
    pub(super) async fn start(&mut self) -> Result<(), StoreError> {
        let connection = self.connection();
        let last = last_instant(connection).await?;
        let forgotten = "DELETE FROM node WHERE seen_at_ms < \
            (extract(epoch FROM clock_timestamp()) - 90 * 86400) * 1000";
        connection.command(forgotten).await?;
        let session = self.connection.as_mut().expect("it has just answered").session();
        // Not before: bringing the tables up to date takes as long as it takes.
        self.sessions.keep_alive(session).await?;
        self.scrubber.start(session).await?;
        self.others = others(session, &self.node).await?;
        self.instants = Instants::start(last);
        Ok(())
    }

    /// Opens a session that is entered as one of the nodes that use the database.
    async fn join(&self) -> Result<Session, StoreError> {
        let mut session = self.sessions.open(Purpose::Write).await?;
        let statement = match self.sessions.options().sharing {
            Sharing::Alone => "SELECT pg_advisory_lock($1)",
            Sharing::Shared => "SELECT pg_advisory_lock_shared($1)",
        };
        // A node that went down a moment ago may not be quite gone.
        session
            .run(|to| sqlx::raw_sql("SET lock_timeout = '3s'").execute(to))
            .await
            .map_err(failure)?;
        let locked = session.run(|to| sqlx::query(statement).bind(NODE_LOCK).execute(to)).await;
        locked.map_err(failure).map_err(|error| match refusal_code(&error).as_deref() {
            // lock_not_available.
            Some("55P03") => StoreError::InUse { path: self.sessions.place() },
            _ => error,
        })?;
        session.run(|to| sqlx::raw_sql("RESET lock_timeout").execute(to)).await.map_err(failure)?;
        Ok(session)
    }

    /// Makes sure that there is a session, and that nothing is in doubt.
    async fn connect(&mut self) -> Result<(), StoreError> {
        let is_left = |known: &mut Connection| self.sessions.is_left(known.session());
        if !self.connection.as_mut().is_none_or(is_left) {
            return Ok(());
        }
        self.connection = None;
        if let Some((since, pause)) = &self.pause
            && since.elapsed() < *pause
        {
            return Err(unavailable(OutOfReach));
        }
        let joined = match self.join().await {
            Ok(session) => self.settle(session).await,
            Err(error) => Err(error),
        };
        match joined {
            Ok(session) => {
                self.pause = None;
                self.connection = Some(Connection::Postgres(session));
                Ok(())
            }
            Err(error) => {
                let (least, most) = PAUSE;
                let pause = self.pause.as_ref().map_or(least, |(_, pause)| (*pause * 2).min(most));
                self.pause = Some((Stopwatch::start(), pause));
                tracing::warn!(error = &error as &dyn std::error::Error, "could not write");
                Err(error)
            }
        }
    }

    /// Learns what became of the commit that is in doubt: once the lock is had, it is over. Also notices
    /// if commits are gone that were answered, as when a standby took over that lagged behind, and if
    /// another node was there while this one, which takes itself to be alone, had lost its lock.
    async fn settle(&mut self, mut session: Session) -> Result<Session, StoreError> {
        self.sessions.keep_alive(&mut session).await?;
        failpoint::reach("postgres.before-settle");
        session.run(|to| sqlx::raw_sql(BEGIN).execute(to)).await.map_err(failure)?;
        let mark = sqlx::query("SELECT last_commit FROM node WHERE node_id = $1").bind(&self.node);
        let row = session.run(|to| mark.fetch_optional(to)).await.map_err(failure)?;
        let mark: Option<i64> = row.map(|row| row.try_get(0)).transpose().map_err(failure)?;
        let mark = mark.unwrap_or(0);
        let others = others(&mut session, &self.node).await?;
        session.run(|to| sqlx::raw_sql("ROLLBACK").execute(to)).await.map_err(failure)?;
        if mark < self.last_commit {
            let lost_count = self.last_commit - mark;
            tracing::error!(lost_count, "the database server has lost commits that were answered");
            self.is_estranged = true;
        }
        self.last_commit = mark;
        if self.sessions.options().sharing == Sharing::Alone && others != self.others {
            tracing::error!("another node wrote to the store while this one had lost it");
            self.is_estranged = true;
            self.others = others;
        }
        if let Some(number) = self.doubt.take() {
            let is_stored = mark == number;
            self.settled = Some(is_stored);
            tracing::info!(is_stored, "learnt what became of a commit whose answer was lost");
        }
        failpoint::reach("postgres.after-settle");
        Ok(session)
    }

    /// Waits a moment for the server to say what became of a commit.
    async fn settle_soon(&mut self, number: i64) -> Commit {
        self.doubt = Some(number);
        let settling = async {
            while self.connect().await.is_err() {
                let (_, pause) = self.pause.unwrap_or((Stopwatch::start(), PAUSE.0));
                tokio::time::sleep(pause).await;
            }
        };
        let _ = tokio::time::timeout(SETTLE_TIMEOUT, settling).await;
        match self.settled.take() {
            Some(true) => Commit::Stored,
            Some(false) => {
                let lost = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                Commit::Failed(unavailable(sqlx::Error::Io(lost)))
            }
            None => Commit::Unknown,
        }
    }

    /// Reads what a transaction began with.
    fn begun(&mut self, row: &PgRow) -> Result<Begun, StoreError> {
        let text = |place: usize| row.try_get::<&str, _>(place).map_err(failure);
        let number = |place| text(place)?.parse::<i64>().map_err(unavailable);
        check_durability(text(2)?)?;
        if text(3)? != "false" {
            let problem = "it became a standby: only a primary may decide".to_owned();
            return Err(StoreError::Unfit { problem });
        }
        let told = self.instants.next(number(0)?, number(1)?);
        self.now = told.at;
        self.look_at_clock(&told);
        let key = row.try_get::<Option<&str>, _>(4).map_err(failure)?;
        let seal = key.and_then(unhex).map(|key| Arc::new(Seal::new(&key)));
        let now = match self.sessions.options().clocking {
            Clocking::Database => Some(self.now),
            Clocking::Caller => None,
        };
        let is_estranged = std::mem::take(&mut self.is_estranged);
        let ahead_ms = told.ahead_ms;
        Ok(Begun { now, seal, settled: self.settled.take(), is_estranged, ahead_ms })
    }

    /// A clock that is far off is somebody's to set right: no node can know which time is true.
    fn look_at_clock(&mut self, told: &Told) {
        if told.leapt_ms > CLOCK_ERROR_MAX_MS {
            let leapt_s = told.leapt_ms / 1_000;
            tracing::error!(leapt_s, "the database server's clock leapt ahead, and ended leases");
        }
        let is_ahead = told.ahead_ms > CLOCK_ERROR_MAX_MS;
        if is_ahead && !self.is_ahead {
            let ahead_s = told.ahead_ms / 1_000;
            tracing::error!(ahead_s, "the database server's clock is far behind the last change");
        }
        self.is_ahead = is_ahead;
    }

    fn session(&mut self) -> &mut Session {
        self.connection().session()
    }
}

impl Writing for PostgresWriting {
    async fn begin(&mut self) -> Result<Begun, StoreError> {
        self.connect().await?;
        let rows = self.session().run(|to| sqlx::raw_sql(BEGIN).fetch_all(to)).await;
        let begun = match rows.map_err(failure) {
            Ok(rows) => match rows.last() {
                Some(row) => self.begun(row),
                None => Err(unavailable(sqlx::Error::RowNotFound)),
            },
            Err(error) => Err(error),
        };
        if begun.is_err() {
            // Nothing was begun that could be lost.
            let _ = self.roll_back().await;
        }
        if matches!(begun, Err(StoreError::Unfit { .. })) {
            // It need not stay so, and the next session may be another server's.
            self.connection = None;
        }
        begun
    }

    fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a transaction was begun")
    }

    async fn commit(&mut self, news: &CommitNews) -> Commit {
        let number = self.last_commit + 1;
        let now = self.now;
        let told = match self.sessions.options().sharing {
            Sharing::Alone => String::new(),
            Sharing::Shared => news::notify(&self.node, news),
        };
        let counted = if news.has_erased { scrub::COUNT } else { "" };
        if news.has_erased {
            self.scrubber.erases();
        }
        // The node's name is of our making, and all else are numbers.
        let text = format!(
            "INSERT INTO node (node_id, last_commit, seen_at_ms) VALUES ('{}', {number}, {now}) \
             ON CONFLICT (node_id) DO UPDATE SET last_commit = excluded.last_commit, \
             seen_at_ms = excluded.seen_at_ms; {counted} {told} COMMIT",
            self.node
        );
        let session = self.session();
        let done = session.run(|to| sqlx::raw_sql(AssertSqlSafe(text)).execute(to)).await;
        let is_lost = session.is_over();
        match done.map_err(failure) {
            Ok(_) => {
                self.last_commit = number;
                Commit::Stored
            }
            // The server says no, so nothing was stored.
            Err(error) if !is_lost => {
                let _ = self.roll_back().await;
                Commit::Failed(error)
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "lost a commit's answer");
                self.connection = None;
                self.settle_soon(number).await
            }
        }
    }

    /// Whatever becomes of it, nothing of the transaction is stored.
    async fn roll_back(&mut self) -> Result<(), Lost> {
        let Some(Connection::Postgres(session)) = &mut self.connection else { return Ok(()) };
        if session.is_over()
            || session.run(|to| sqlx::raw_sql("ROLLBACK").execute(to)).await.is_err()
        {
            self.connection = None;
        }
        Ok(())
    }

    fn is_passing(&self, error: &StoreError) -> bool {
        // serialization_failure, deadlock_detected.
        matches!(refusal_code(error).as_deref(), Some("40001" | "40P01"))
            || is_connection_lost(error)
    }

    fn is_of_server(&self, error: &StoreError, change_count: usize) -> bool {
        match error {
            StoreError::Unfit { .. } | StoreError::InUse { .. } | StoreError::Full => true,
            StoreError::Unavailable(_) => match refusal_code(error).as_deref() {
                // lock_not_available.
                Some("55P03") => true,
                // query_canceled: a batch may have been too much at once.
                Some("57014") => change_count == 1,
                // Out of memory, of connections, of room.
                Some(code) if code.starts_with("53") => true,
                Some(_) => is_connection_lost(error),
                // No server said so: it is out of reach, or gave no answer in time.
                None => true,
            },
            _ => false,
        }
    }

    fn row_count_max(&self) -> usize {
        HANDOVER_COUNT_MAX
    }

    fn beat_every(&self) -> Duration {
        self.sessions.options().vanished_timeout / 2
    }

    /// Shows the server that this node is there, and notices if the server is not.
    async fn beat(&mut self) {
        if let Some(connection) = &mut self.connection
            && connection.command("SELECT 1").await.is_err()
        {
            self.connection = None;
        }
        self.scrubber.committed();
    }

    fn is_low(&mut self) -> bool {
        false
    }

    fn committed(&mut self, _seal: Option<Arc<Seal>>, _has_erased: bool) {}

    async fn tidy_up(&mut self) {
        self.scrubber.committed();
    }

    fn goes_on(&self) -> bool {
        true
    }

    async fn finish(self) {
        self.scrubber.stop();
        if let Some(connection) = self.connection {
            connection.end().await;
        }
    }
}

/// How many other nodes there are, and how often they committed: both change whenever one of them does.
async fn others(session: &mut Session, node: &str) -> Result<(i64, i64), StoreError> {
    let others =
        "SELECT count(*), coalesce(sum(last_commit), 0)::bigint FROM node WHERE node_id <> $1";
    let row = session.run(|to| sqlx::query(others).bind(node).fetch_one(to)).await;
    let row = row.map_err(failure)?;
    Ok((row.try_get(0).map_err(failure)?, row.try_get(1).map_err(failure)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_begin_names_the_lock() {
        assert!(BEGIN.contains(&format!("pg_advisory_xact_lock({WRITER_LOCK})")));
    }
}

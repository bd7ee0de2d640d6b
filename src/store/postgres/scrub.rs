//! After an erasure the server still has the old versions of the rows, until a vacuum that nothing older
//! is in the way of: whoever began to read before the erasure, a report or a dump, may still see them.
//! That vacuum is done soon and beside the writer, and is due until it was done, over restarts too: the
//! store counts its erasures, and how many of them it vacuumed after. What it cannot do is write over
//! what lies free in the server's files, in its log and in its backups, nor learn of what standbys still
//! read: those are the server's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::Row as _;
use tokio::task::JoinHandle;

use super::super::error::StoreError;
use super::super::sql::{Connection, Session, failure};
use super::sessions::{Purpose, Sessions};
use crate::clock::Stopwatch;

/// At most so often: a large table takes its time.
const PAUSE: Duration = Duration::from_secs(60);
/// How often it is looked whether what reads old rows has ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Everything that an erasure writes over or drops.
const VACUUM: &str =
    "VACUUM lead, lead_number, handover, touch, pass, suppression, held_number, lease, dial";
/// Counts an erasure, in its own transaction.
pub(super) const COUNT: &str = "INSERT INTO change_count (name, number) VALUES ('erasures', 1) \
    ON CONFLICT (name) DO UPDATE SET number = change_count.number + 1;";
/// How many erasures there were, and how many of them were vacuumed after.
const COUNTS: &str = "SELECT coalesce(max(number) FILTER (WHERE name = 'erasures'), 0), \
    coalesce(max(number) FILTER (WHERE name = 'vacuumed_erasures'), 0) FROM change_count";
const NOTE: &str = "INSERT INTO change_count (name, number) VALUES ('vacuumed_erasures', $1) \
    ON CONFLICT (name) DO UPDATE SET number = greatest(change_count.number, excluded.number)";
/// The transactions that are open now, those that only read too, of whichever user and database: each
/// of them holds a lock on its own name.
const OPEN: &str = "SELECT DISTINCT virtualtransaction FROM pg_locks \
    WHERE locktype = 'virtualxid' AND pid <> pg_backend_pid()";

/// Vacuums after erasures.
#[derive(Debug)]
pub(super) struct Scrubber {
    sessions: Sessions,
    is_due: Arc<AtomicBool>,
    since: Option<Stopwatch>,
    running: Option<JoinHandle<()>>,
}

impl Scrubber {
    pub(super) fn new(sessions: Sessions) -> Self {
        Self { sessions, is_due: Arc::default(), since: None, running: None }
    }

    /// Called once at the start: it may be due since an earlier run.
    pub(super) async fn start(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let (erasures, vacuumed) = counts(session).await?;
        self.is_due.store(vacuumed < erasures, Ordering::Relaxed);
        Ok(())
    }

    /// Called before the commit of an erasure, whatever becomes of it.
    pub(super) fn erases(&self) {
        self.is_due.store(true, Ordering::Relaxed);
    }

    /// Called after commits, a sweep's at the latest: begins if there is something to do.
    pub(super) fn committed(&mut self) {
        let is_running = self.running.as_ref().is_some_and(|task| !task.is_finished());
        let is_paused = self.since.is_some_and(|since| since.elapsed() < PAUSE);
        if is_running || is_paused || !self.is_due.swap(false, Ordering::Relaxed) {
            return;
        }
        self.since = Some(Stopwatch::start());
        let (sessions, is_due) = (self.sessions.clone(), self.is_due.clone());
        self.running = Some(tokio::spawn(async move {
            if let Err(error) = scrub(&sessions).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "could not vacuum after an erasure; tries again");
                is_due.store(true, Ordering::Relaxed);
            }
        }));
    }

    /// Ends with the writer: what is not done is due at the next start.
    pub(super) fn stop(self) {
        if let Some(task) = self.running {
            task.abort();
        }
    }
}

async fn counts(session: &mut Session) -> Result<(i64, i64), StoreError> {
    let row = session.run(|to| sqlx::query(COUNTS).fetch_one(to)).await.map_err(failure)?;
    Ok((row.try_get(0).map_err(failure)?, row.try_get(1).map_err(failure)?))
}

/// Vacuums until nothing is left of what was erased before this began.
async fn scrub(sessions: &Sessions) -> Result<(), StoreError> {
    let mut connection = Connection::Postgres(sessions.open(Purpose::Migrate).await?);
    let (erasures, vacuumed) = counts(connection.session()).await?;
    if vacuumed < erasures {
        // What begins from here on sees no erased row.
        let mut older = open(connection.session()).await?;
        connection.command(VACUUM).await?;
        if !older.is_empty() {
            while !older.is_empty() {
                tokio::time::sleep(LOOK_EVERY).await;
                let still = open(connection.session()).await?;
                older.retain(|one| still.contains(one));
            }
            connection.command(VACUUM).await?;
        }
        let note = sqlx::query(NOTE).bind(erasures);
        connection.session().run(|to| note.execute(to)).await.map_err(failure)?;
        tracing::debug!(erasures, "vacuumed what was erased");
    }
    connection.end().await;
    Ok(())
}

async fn open(session: &mut Session) -> Result<Vec<String>, StoreError> {
    let open = session.run(|to| sqlx::query_scalar(OPEN).fetch_all(to)).await;
    open.map_err(failure)
}

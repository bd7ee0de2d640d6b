//! Checkpoints: carry the write-ahead log into the file, on a connection of their own, so that no
//! commit waits for one. Only when the log has grown far does the writer wait, as a log that is
//! written without a pause is never wholly carried over and would grow for ever.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::task::JoinHandle;

use super::super::sql::Connection;
use crate::failpoint;

/// From which growth of the log on a checkpoint runs beside the writer, in bytes.
const STEP_BYTES: u64 = 8 << 20;
/// From which size on the writer waits until the log begins anew, in bytes.
const WAIT_BYTES: u64 = 128 << 20;
/// How long after somebody stood in the way of emptying the log it is tried again.
const SCRUB_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Checkpointer {
    wal: PathBuf,
    /// Where the connection is: here, or with the checkpoint that runs.
    idle: Option<SqliteConnection>,
    running: Option<Running>,
    carried_bytes: u64,
    wait_bytes: u64,
    /// Something was erased, and the log still tells what it was.
    is_scrub_due: bool,
    /// Runs after a try that failed, so that the writer is not kept out over and over.
    pause: Option<JoinHandle<()>>,
}

/// A checkpoint beside the writer: its connection, and whether it failed to empty the log.
type Running = JoinHandle<(SqliteConnection, bool)>;

impl Checkpointer {
    pub(super) fn new(connection: SqliteConnection, wal: PathBuf) -> Self {
        Self {
            wal,
            idle: Some(connection),
            running: None,
            carried_bytes: 0,
            wait_bytes: WAIT_BYTES,
            // An erasure before the last crash may still be in the log.
            is_scrub_due: true,
            pause: None,
        }
    }

    fn log_bytes(&self) -> u64 {
        std::fs::metadata(&self.wal).map_or(0, |metadata| metadata.len())
    }

    /// Called after the commit of an erasure: the log is emptied beside the writer as soon as nobody
    /// reads in it any more. Each later commit, a sweep's at the latest, tries again.
    pub(super) fn erased(&mut self) {
        self.is_scrub_due = true;
    }

    /// Called after commits: starts a checkpoint if one is due. Waits only if the log is very long.
    pub(super) async fn committed(&mut self) {
        let bytes = self.log_bytes();
        if bytes >= self.wait_bytes {
            self.restart().await;
            return;
        }
        let is_over = self.running.as_ref().is_some_and(JoinHandle::is_finished);
        if is_over {
            self.rejoin().await;
        }
        if bytes < self.carried_bytes {
            self.carried_bytes = 0;
        }
        if self.is_scrub_due {
            self.scrub();
        }
        if bytes - self.carried_bytes < STEP_BYTES {
            return;
        }
        let Some(mut connection) = self.idle.take() else { return };
        self.carried_bytes = bytes;
        self.running = Some(tokio::spawn(async move {
            checkpoint(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await;
            (connection, false)
        }));
    }

    /// Carries the log over beside the writer, then cuts it. The second step keeps the writer out, but
    /// has next to nothing left to carry.
    fn scrub(&mut self) {
        let is_paused = self.pause.as_ref().is_some_and(|pause| !pause.is_finished());
        let Some(mut connection) = self.idle.take_if(|_| !is_paused) else { return };
        // Whatever is erased while this runs needs another round.
        self.is_scrub_due = false;
        self.running = Some(tokio::spawn(async move {
            checkpoint(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await;
            let is_empty = checkpoint(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
            (connection, !is_empty)
        }));
    }

    async fn rejoin(&mut self) {
        let Some(running) = self.running.take() else { return };
        let Ok((connection, has_failed)) = running.await else { return };
        self.idle = Some(connection);
        if has_failed {
            self.is_scrub_due = true;
            self.pause = Some(tokio::spawn(tokio::time::sleep(SCRUB_PAUSE)));
        }
    }

    /// Empties the log while the writer waits. A reader with an old snapshot (an audit, say) can
    /// stand in the way; then the log may grow by another step before the next try.
    async fn restart(&mut self) {
        self.rejoin().await;
        let Some(connection) = &mut self.idle else { return };
        checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
        let bytes = self.log_bytes();
        self.carried_bytes = bytes;
        self.wait_bytes = if bytes < WAIT_BYTES { WAIT_BYTES } else { bytes + STEP_BYTES };
    }

    /// Carries everything over, at the end.
    pub(super) async fn finish(mut self) {
        self.rejoin().await;
        if let Some(mut connection) = self.idle {
            checkpoint(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
            Connection::Sqlite(connection).end().await;
        }
    }
}

/// Runs a checkpoint; says whether nobody stood in its way.
async fn checkpoint(connection: &mut SqliteConnection, statement: &'static str) -> bool {
    failpoint::reach("sqlite.before-checkpoint");
    // The first column says whether somebody did.
    let done = sqlx::query_scalar::<_, i64>(statement).fetch_one(connection).await;
    failpoint::reach("sqlite.after-checkpoint");
    match done {
        Ok(is_busy) => is_busy == 0,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not run a checkpoint");
            false
        }
    }
}

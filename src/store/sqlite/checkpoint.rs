//! Checkpoints: carry the write-ahead log into the file, on a connection of their own, so that no
//! commit waits for one. Only when the log has grown far does the writer wait, as a log that is
//! written without a pause is never wholly carried over and would grow for ever.

use std::path::PathBuf;

use sqlx::SqliteConnection;
use tokio::task::JoinHandle;

use super::open::end;

/// From which growth of the log on a checkpoint runs beside the writer, in bytes.
const STEP_BYTES: u64 = 8 << 20;
/// From which size on the writer waits until the log begins anew, in bytes.
const WAIT_BYTES: u64 = 128 << 20;

pub(super) struct Checkpointer {
    wal: PathBuf,
    /// Where the connection is: here, or with the checkpoint that runs.
    idle: Option<SqliteConnection>,
    running: Option<JoinHandle<SqliteConnection>>,
    carried_bytes: u64,
    wait_bytes: u64,
}

impl Checkpointer {
    pub(super) fn new(connection: SqliteConnection, wal: PathBuf) -> Self {
        Self {
            wal,
            idle: Some(connection),
            running: None,
            carried_bytes: 0,
            wait_bytes: WAIT_BYTES,
        }
    }

    fn log_bytes(&self) -> u64 {
        std::fs::metadata(&self.wal).map_or(0, |metadata| metadata.len())
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
        if bytes - self.carried_bytes < STEP_BYTES {
            return;
        }
        let Some(mut connection) = self.idle.take() else { return };
        self.carried_bytes = bytes;
        self.running = Some(tokio::spawn(async move {
            checkpoint(&mut connection, "PRAGMA wal_checkpoint(PASSIVE)").await;
            connection
        }));
    }

    async fn rejoin(&mut self) {
        if let Some(running) = self.running.take() {
            self.idle = running.await.ok();
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
            end(connection).await;
        }
    }
}

async fn checkpoint(connection: &mut SqliteConnection, statement: &'static str) {
    if let Err(error) = sqlx::query(statement).execute(connection).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "could not run a checkpoint");
    }
}

//! After an erasure the server still has the old versions of the rows, until they are vacuumed. That is
//! done soon and beside the writer. What it cannot do is write over what lies free in the server's files,
//! in its log and in its backups: those are the server's, and end with them.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::super::error::StoreError;
use super::super::sql::Connection;
use super::sessions::{Purpose, Sessions};
use crate::clock::Stopwatch;

/// At most so often: a large table takes its time.
const PAUSE: Duration = Duration::from_secs(60);
/// Everything that an erasure writes over or drops.
const VACUUM: &str = "VACUUM lead, lead_number, handover, touch, pass, suppression, held_number";

/// Vacuums after erasures.
#[derive(Debug)]
pub(super) struct Scrubber {
    sessions: Sessions,
    is_due: bool,
    since: Option<Stopwatch>,
    running: Option<JoinHandle<()>>,
}

impl Scrubber {
    pub(super) fn new(sessions: Sessions) -> Self {
        Self { sessions, is_due: false, since: None, running: None }
    }

    /// Called after the commit of an erasure.
    pub(super) fn erased(&mut self) {
        self.is_due = true;
    }

    /// Called after commits, a sweep's at the latest: begins if there is something to do.
    pub(super) fn committed(&mut self) {
        let is_running = self.running.as_ref().is_some_and(|task| !task.is_finished());
        let is_paused = self.since.is_some_and(|since| since.elapsed() < PAUSE);
        if !self.is_due || is_running || is_paused {
            return;
        }
        self.is_due = false;
        self.since = Some(Stopwatch::start());
        let sessions = self.sessions.clone();
        self.running = Some(tokio::spawn(async move {
            if let Err(error) = vacuum(&sessions).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "could not vacuum after an erasure; the server will in time");
            }
        }));
    }

    /// Ends with the writer: what is not done the server does in time.
    pub(super) fn stop(self) {
        if let Some(task) = self.running {
            task.abort();
        }
    }
}

async fn vacuum(sessions: &Sessions) -> Result<(), StoreError> {
    let mut connection = Connection::Postgres(sessions.open(Purpose::Migrate).await?);
    let done = connection.command(VACUUM).await;
    connection.end().await;
    done
}

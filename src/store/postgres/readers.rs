//! The sessions by which the database is read: some for what somebody waits for, some for reports.
//!
//! Not a pool of the crate's: a session that is dropped while something runs on it, as when a client
//! hangs up, is closed and never lent again, so nobody reads on in what another one began.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::super::backup::Backup;
use super::super::error::{Denied, StoreError};
use super::super::sql::statements as sql;
use super::super::sql::{
    Connection, Readers, Reading, Session, Taken, is_connection_lost, unavailable,
};
use super::sessions::{Purpose, Sessions};
use crate::clock::Stopwatch;

/// How long a read waits for a session when all are in use.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// The sessions by which a database is read.
pub struct PostgresReaders {
    sessions: Sessions,
    calls: Shelf,
    reports: Shelf,
    is_closed: AtomicBool,
}

/// Sessions that lie idle, and how many there may be.
struct Shelf {
    purpose: Purpose,
    idle: Mutex<Vec<Session>>,
    turns: Arc<Semaphore>,
    count: u32,
}

impl Shelf {
    fn new(purpose: Purpose, count: usize) -> Self {
        let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let turns = Arc::new(Semaphore::new(count as usize));
        Self { purpose, idle: Mutex::new(Vec::new()), turns, count }
    }

    fn pop(&self) -> Option<Session> {
        self.idle.lock().expect("nobody panics with the shelf").pop()
    }

    fn push(&self, session: Session) {
        self.idle.lock().expect("nobody panics with the shelf").push(session);
    }

    /// Waits until nobody reads any more, then ends what lies idle.
    async fn close(&self) {
        let all = self.turns.acquire_many(self.count).await;
        self.turns.close();
        drop(all);
        while let Some(session) = self.pop() {
            Connection::Postgres(session).end().await;
        }
    }
}

impl PostgresReaders {
    pub(super) fn new(sessions: Sessions) -> Self {
        let options = sessions.options();
        let calls = Shelf::new(Purpose::Read, options.reader_count);
        let reports = Shelf::new(Purpose::Report, options.report_count);
        Self { sessions, calls, reports, is_closed: AtomicBool::new(false) }
    }

    /// What time it is for the database, and since when it was asked.
    pub(super) async fn now(&self) -> Result<(i64, Stopwatch), StoreError> {
        let mut taken = self.take(Reading::Call).await?;
        let asked = Stopwatch::start();
        let query = sql::DATABASE_NOW.query();
        let now = query.one(&mut taken.connection).await?.integer(0)?;
        self.put_back(Reading::Call, taken);
        Ok((now, asked))
    }

    fn shelf(&self, reading: Reading) -> &Shelf {
        match reading {
            Reading::Call => &self.calls,
            Reading::Report => &self.reports,
        }
    }
}

impl Readers for PostgresReaders {
    async fn take(&self, reading: Reading) -> Result<Taken, StoreError> {
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(StoreError::Stopped);
        }
        let shelf = self.shelf(reading);
        let waiting = shelf.turns.clone().acquire_owned();
        let turn = match reading {
            Reading::Call => {
                tokio::time::timeout(TURN_TIMEOUT, waiting).await.map_err(unavailable)?
            }
            // One report waits for another as long as that takes.
            Reading::Report => waiting.await,
        };
        let turn = turn.map_err(|_| StoreError::Stopped)?;
        // What lies there since before another server took over reads the past.
        let idle = std::iter::from_fn(|| shelf.pop()).find(|idle| !self.sessions.is_left(idle));
        let session = match idle {
            Some(session) => session,
            None => self.sessions.open(shelf.purpose).await?,
        };
        Ok(Taken { connection: Connection::Postgres(session), _turn: Some(turn) })
    }

    fn put_back(&self, reading: Reading, taken: Taken) {
        let Taken { connection: Connection::Postgres(session), _turn } = taken else { return };
        if !session.is_over() {
            self.shelf(reading).push(session);
        }
    }

    fn is_passing(&self, error: &StoreError) -> bool {
        is_connection_lost(error)
    }

    async fn back_up(&self) -> Result<Backup, StoreError> {
        Err(Denied::BackupElsewhere.into())
    }

    async fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.calls.close().await;
        self.reports.close().await;
    }
}

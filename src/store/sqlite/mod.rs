//! The store in one SQLite file, for one process: the way nextlead runs unless told otherwise.
//!
//! One thread writes ([`writing`]), a few connections read, and one carries the write-ahead log over.
//! What a change means is decided in `store::books`, and put into statements in `store::sql`.

mod backup;
mod checkpoint;
mod open;
mod restore;
mod space;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod upgrade;
mod writing;

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::SqlitePool;
use tokio::sync::Semaphore;

use super::backup::{Backup, Restore, RestoreError, Restored};
use super::error::StoreError;
use super::sql::{Connection, Follower, Readers, Reading, SqlStore, Taken, failure};
use backup::Copier;
use checkpoint::{Checkpointer, Sizes};
use space::Space;
use writing::SqliteWriting;

/// How many reports read at a time: pulls need a connection, too.
const REPORT_COUNT_MAX: usize = 2;
const _: () = assert!(REPORT_COUNT_MAX < open::READER_COUNT as usize);

/// How much of the disk is kept for what cannot wait, unless another reserve is named.
pub const DISK_RESERVE_BYTES: u64 = 256 << 20;

/// The truth in one SQLite file.
pub type SqliteStore = SqlStore<SqliteReaders>;

/// The connections by which a file is read.
pub struct SqliteReaders {
    pool: SqlitePool,
    reports: Arc<Semaphore>,
    copier: Copier,
}

impl SqliteStore {
    /// Opens the file, making it (readable by its owner alone) if it is missing, and brings its
    /// tables up to date.
    ///
    /// Fails with [`StoreError::InUse`] if another store has it open, in this process or another.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, DISK_RESERVE_BYTES).await
    }

    /// Opens the file with another reserve of its disk: while less than `disk_reserve_bytes` are free,
    /// leads are not taken in ([`StoreError::Low`]).
    pub async fn open_with(path: &Path, disk_reserve_bytes: u64) -> Result<Self, StoreError> {
        let opened = open::open(path).await?;
        Self::over(opened, path, disk_reserve_bytes)
    }

    /// Puts a backup in a store's place, while no node has either of them open.
    ///
    /// The backup is checked first: every page, every reference, and the books. Lease tokens are
    /// changed, and new leads get ids above all that were ever given out. A store that is replaced is
    /// kept beside, with `.replaced` added to its name. Whatever fails, the old store stays.
    pub async fn restore(order: &Restore) -> Result<Restored, RestoreError> {
        restore::restore(order).await
    }

    /// Starts the writer over an open file.
    fn over(opened: open::Opened, path: &Path, reserve_bytes: u64) -> Result<Self, StoreError> {
        let mut space = Space::of(path, reserve_bytes);
        if !space.is_low() {
            space::lay_ballast(path);
        }
        let (page_bytes, sizes) = (opened.page_bytes, Sizes::default());
        let checkpointer = Checkpointer::new(opened.checkpointer, opened.wal, page_bytes, sizes);
        let writing = SqliteWriting::new(opened.writer, opened.seal, checkpointer, space);
        let readers = SqliteReaders {
            pool: opened.readers,
            reports: Arc::new(Semaphore::new(REPORT_COUNT_MAX)),
            copier: Copier::of(path, reserve_bytes),
        };
        // The file is free first, then it is told that the writer has ended.
        Self::start(writing, readers, Follower::default(), opened.lock)
    }
}

impl Readers for SqliteReaders {
    async fn take(&self, reading: Reading) -> Result<Taken, StoreError> {
        // Reports can take long, and have a part of the connections between them.
        let turn = match reading {
            Reading::Call => None,
            Reading::Report => {
                let turn = self.reports.clone().acquire_owned().await;
                Some(turn.expect("it is never closed"))
            }
        };
        if self.pool.is_closed() {
            return Err(StoreError::Stopped);
        }
        let connection = self.pool.acquire().await.map_err(failure)?;
        Ok(Taken { connection: Connection::SqlitePooled(connection), _turn: turn })
    }

    fn put_back(&self, _reading: Reading, taken: Taken) {
        drop(taken);
    }

    fn is_passing(&self, _error: &StoreError) -> bool {
        false
    }

    async fn back_up(&self) -> Result<Backup, StoreError> {
        if self.pool.is_closed() {
            return Err(StoreError::Stopped);
        }
        self.copier.back_up().await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

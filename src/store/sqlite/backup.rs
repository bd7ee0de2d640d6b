//! Backups of the running store: SQLite writes a compact copy out of one snapshot, on a connection of
//! its own, while the writer goes on. The log is not emptied meanwhile; it is right after.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Semaphore;

use super::super::backup::Backup;
use super::super::error::{Denied, StoreError};
use super::super::sql::{Connection, failure, last_instant, unavailable};
use super::open::{beside, new_private_file};
use super::space;

/// How long the copy waits for a lock that SQLite holds for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Takes backups, one at a time.
pub(super) struct Copier {
    store: PathBuf,
    reserve_bytes: u64,
    turn: Arc<Semaphore>,
}

/// The copy while it has a name.
struct Staging(PathBuf);

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Where a copy is written. Whatever lies there when a store is opened was left by a crash.
pub(super) fn staging(store: &Path) -> PathBuf {
    beside(store, ".backup")
}

impl Copier {
    pub(super) fn of(store: &Path, reserve_bytes: u64) -> Self {
        Self { store: store.to_owned(), reserve_bytes, turn: Arc::new(Semaphore::new(1)) }
    }

    pub(super) async fn back_up(&self) -> Result<Backup, StoreError> {
        let turn = self.turn.clone().try_acquire_owned();
        let turn = turn.map_err(|_| StoreError::Denied(Denied::BackupRunning))?;
        let mut connection = alone(&self.store).await?;
        self.check_room(&mut connection).await?;
        let staging = Staging(staging(&self.store));
        // Made here, as SQLite would let others read it.
        let file = new_private_file(&staging.0).map_err(unavailable)?;
        let copied = copy(&mut connection, &staging.0).await;
        // The snapshot goes first of all: as long as it is open the log cannot be emptied.
        let closed = connection.close().await;
        copied?;
        closed.map_err(failure)?;
        let last_instant = last_instant_of(&staging.0).await?;
        let bytes = file.metadata().map_err(unavailable)?.len();
        let file = File::open(&staging.0).map_err(unavailable)?;
        Ok(Backup { file, bytes, last_instant, _turn: turn })
    }

    /// The copy must leave the reserve alone.
    async fn check_room(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let mut sizes = [0_i64; 3];
        let pragmas = ["PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA page_size"];
        for (size, pragma) in sizes.iter_mut().zip(pragmas) {
            let query = sqlx::query_scalar(pragma);
            *size = query.fetch_one(&mut *connection).await.map_err(failure)?;
        }
        let [page_count, free_count, page_bytes] = sizes;
        let needed_bytes = ((page_count - free_count) * page_bytes).unsigned_abs();
        let free_bytes = space::free_bytes(&self.store).map_err(unavailable)?;
        if free_bytes < needed_bytes.saturating_add(self.reserve_bytes) {
            return Err(StoreError::NoRoom { needed_bytes, free_bytes });
        }
        Ok(())
    }
}

/// A connection that reads `path` and changes nothing in it.
async fn alone(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let options = options.busy_timeout(BUSY_TIMEOUT).disable_statement_logging();
    options.connect().await.map_err(failure)
}

async fn copy(connection: &mut SqliteConnection, into: &Path) -> Result<(), StoreError> {
    let Some(into) = into.to_str() else {
        let problem = std::io::Error::other("the store's path is not UTF-8");
        return Err(unavailable(problem));
    };
    sqlx::query("VACUUM INTO $1").bind(into).execute(connection).await.map_err(failure)?;
    Ok(())
}

async fn last_instant_of(copy: &Path) -> Result<i64, StoreError> {
    let mut connection = Connection::Sqlite(alone(copy).await?);
    let last = last_instant(&mut connection).await?;
    connection.end().await;
    Ok(last)
}

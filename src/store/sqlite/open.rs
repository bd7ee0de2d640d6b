//! Opening the file: who may read it, one process at a time, settings, migrations.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use super::super::books::Seal;
use super::super::error::StoreError;
use super::super::sql::{self, Connection, failure, unavailable};
use super::{backup, restore, space};

/// Older ones may lose the end of the write-ahead log when a checkpoint and a writer meet.
const VERSION_MIN: (u32, u32, u32) = (3, 51, 3);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many connections read.
pub(super) const READER_COUNT: u32 = 4;
/// In KiB, negative as SQLite wants it: the writer's pages, and each reader's.
pub(super) const WRITER_CACHE: &str = "-131072";
const READER_CACHE: &str = "-16384";
/// How many statements a connection keeps prepared: all that we have.
const STATEMENT_COUNT_MAX: usize = 128;

/// An open file.
pub(super) struct Opened {
    pub(super) writer: SqliteConnection,
    pub(super) checkpointer: SqliteConnection,
    /// What erased things are recognised by, if anything was ever erased.
    pub(super) seal: Option<Arc<Seal>>,
    pub(super) readers: SqlitePool,
    /// Locked as long as it is open.
    pub(super) lock: Arc<Lock>,
    /// The write-ahead log beside the file.
    pub(super) wal: PathBuf,
    pub(super) page_bytes: u32,
}

/// Opens the file, making it if it is missing, and brings it up to date.
pub(super) async fn open(path: &Path) -> Result<Opened, StoreError> {
    let lock = Arc::new(lock(path)?);
    restore::finish(path).map_err(unavailable)?;
    restore::tidy_up(path);
    let _ = fs::remove_file(backup::staging(path));
    own_file(path).map_err(unavailable)?;
    match open_owned(path, &lock).await {
        Err(StoreError::Full | StoreError::Unavailable(_)) if space::throw_ballast(path) => {
            tracing::warn!("the store's disk is full: opened it in the room of its ballast");
            open_owned(path, &lock).await
        }
        opened => opened,
    }
}

async fn open_owned(path: &Path, lock: &Arc<Lock>) -> Result<Opened, StoreError> {
    let lock = lock.clone();
    let mut writer = options(path, WRITER_CACHE).connect().await.map_err(failure)?;
    check_version(&mut writer).await?;
    migrate(&mut writer).await?;
    let page_bytes = sqlx::query_scalar("PRAGMA page_size");
    let page_bytes = page_bytes.fetch_one(&mut writer).await.map_err(failure)?;
    let (writer, seal) = seal(writer).await?;
    let checkpointer = options(path, READER_CACHE).busy_timeout(Duration::from_millis(200));
    let checkpointer = checkpointer.connect().await.map_err(failure)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READER_COUNT)
        .connect_with(options(path, READER_CACHE).pragma("query_only", "ON"))
        .await
        .map_err(failure)?;
    Ok(Opened { writer, checkpointer, seal, readers, lock, wal: beside(path, "-wal"), page_bytes })
}

async fn seal(
    writer: SqliteConnection,
) -> Result<(SqliteConnection, Option<Arc<Seal>>), StoreError> {
    let mut connection = Connection::Sqlite(writer);
    let seal = sql::seal(&mut connection).await?;
    Ok((connection.into_sqlite(), seal))
}

/// Brings the tables up to date, one transaction a migration.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    sql::migrate(&sqlx::migrate!("migrations/sqlite"), connection).await
}

pub(super) fn options(path: &Path, cache: &'static str) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENT_COUNT_MAX)
        // What is deleted or written over is made unreadable in the same step, or an erasure would
        // leave the person in the file's free space.
        .pragma("secure_delete", "ON")
        .pragma("cache_size", cache)
        .pragma("temp_store", "MEMORY")
        // Checkpoints run on a connection of their own, away from the commits.
        .pragma("wal_autocheckpoint", "0")
        .disable_statement_logging()
}

/// Leads are personal data: nobody but the node's own user reads the file.
fn own_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private(&mut options);
    options.open(path).map(drop)
}

/// Makes a file that nobody but the node's own user may read; it must not be there.
pub(super) fn new_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    private(&mut options);
    options.open(path)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_: &mut OpenOptions) {}

/// A file that is this process's own until this ends.
///
/// It is given back by word and not by closing: a program that another thread starts just then has
/// a copy of the descriptor for a moment, and the lock would last as long as the copy.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes the file for this process. The lock is a file of its own, as SQLite's own locks on the
/// database would keep our readers out, too; the system drops it with the process.
pub(super) fn lock(path: &Path) -> Result<Lock, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private(&mut options);
    let file = options.open(beside(path, ".lock")).map_err(unavailable)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::InUse { path: path.display().to_string() })
        }
        Err(TryLockError::Error(problem)) => Err(unavailable(problem)),
    }
}

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

async fn check_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await
        .map_err(failure)?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < VERSION_MIN {
        let problem = format!("SQLite {version} is too old: 3.51.3 is the least");
        return Err(unavailable(io::Error::other(problem)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_program_that_is_just_being_started_does_not_keep_the_file_in_use() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("nextlead.db");
        let held = lock(&path).unwrap();
        let copy_of_a_child = held.0.try_clone().unwrap();
        assert!(matches!(lock(&path).err(), Some(StoreError::InUse { .. })));

        drop(held);

        assert!(lock(&path).is_ok());
        drop(copy_of_a_child);
    }
}

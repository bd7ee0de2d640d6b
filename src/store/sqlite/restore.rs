//! Puts a backup in a store's place, with no node running. A copy is made ready beside the store:
//! checked, brought up to date, and made into a store that nothing held by a client fits. Only then
//! is it moved into place; a crash before leaves the old store, one after is made good at the next
//! start.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions as _, SqliteConnection};

use super::super::backup::{OldTokens, Restore, RestoreError, Restored};
use super::super::error::StoreError;
use super::super::sql::{Connection, audit, json, last_instant, statements as sql};
use super::open::{self, beside, new_private_file};
use super::space;
use crate::domain::{LeadId, LeaseToken};

/// How every SQLite file begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The least by which ids go on above the backup's, should the clock be of no help.
const LEAD_STEP: i64 = 1_000_000_000;
/// What may lie beside a database file.
const LOGS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A copy that is made ready; gone with this, unless it was moved into place.
struct Candidate(PathBuf);

impl Drop for Candidate {
    fn drop(&mut self) {
        remove_database(&self.0);
    }
}

fn remove_database(path: &Path) {
    let _ = fs::remove_file(path);
    for log in LOGS {
        let _ = fs::remove_file(beside(path, log));
    }
}

/// Where a copy is made ready.
fn candidate(store: &Path) -> PathBuf {
    beside(store, ".restoring")
}

/// Where a copy lies that is ready and must come into place, whatever happens.
fn ready(store: &Path) -> PathBuf {
    beside(store, ".restored")
}

/// Where the store that was replaced is kept.
fn kept(store: &Path) -> PathBuf {
    beside(store, ".replaced")
}

fn cannot(what: impl Into<String>) -> impl FnOnce(io::Error) -> RestoreError {
    let what = what.into();
    |source| RestoreError::File { what, source }
}

/// Restores.
pub(super) async fn restore(order: &Restore) -> Result<Restored, RestoreError> {
    let _lock = open::lock(&order.store)?;
    finish(&order.store).map_err(cannot("put the store of an earlier restore in place"))?;
    if order.store.exists() && !order.replaces {
        return Err(RestoreError::Exists(order.store.clone()));
    }
    let kept = kept(&order.store);
    if kept.exists() || beside(&kept, "-wal").exists() {
        return Err(RestoreError::KeptBefore(kept));
    }
    check_source(order)?;
    let candidate = Candidate(candidate(&order.store));
    remove_database(&candidate.0);
    copy(&order.backup, &candidate.0)?;
    let mut restored = prepare(&candidate.0, order).await?;
    let synced = File::open(&candidate.0).and_then(|file| file.sync_all());
    synced.map_err(cannot("write the restored store to disk"))?;
    let had_store = order.store.exists();
    let moved = fs::rename(&candidate.0, ready(&order.store));
    moved.and_then(|()| sync_folder(&order.store)).map_err(cannot("rename the restored store"))?;
    finish(&order.store).map_err(cannot("put the restored store in place; start again to try"))?;
    restored.kept = had_store.then_some(kept);
    Ok(restored)
}

/// Moves a copy that is ready into the store's place; what is there goes aside first. Does nothing
/// if there is none. Goes on where it was interrupted.
pub(super) fn finish(store: &Path) -> io::Result<()> {
    let ready = ready(store);
    if !ready.exists() {
        return Ok(());
    }
    let kept = kept(store);
    for log in ["-wal", "-journal", ""] {
        match fs::rename(beside(store, log), beside(&kept, log)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // An index of the log; SQLite makes it anew.
    let _ = fs::remove_file(beside(store, "-shm"));
    sync_folder(store)?;
    fs::rename(ready, store)?;
    sync_folder(store)?;
    tracing::warn!("the restored store is in place; the one before is in {}", kept.display());
    Ok(())
}

/// Removes what a restore left that died before it came to anything.
pub(super) fn tidy_up(store: &Path) {
    remove_database(&candidate(store));
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// The backup is a file of ours that nobody writes to, and there is room for it.
fn check_source(order: &Restore) -> Result<(), RestoreError> {
    let backup = &order.backup;
    let unreadable = || cannot(format!("read {}", backup.display()));
    let mut file = File::open(backup).map_err(unreadable())?;
    let bytes = file.metadata().map_err(unreadable())?.len();
    let mut head = [0; 16];
    if file.read_exact(&mut head).is_err() || &head != MAGIC {
        return Err(RestoreError::NoBackup(backup.clone()));
    }
    if beside(backup, ".lock").exists() && !is_same(backup, &order.store) {
        drop(open::lock(backup)?);
    }
    let free_bytes = space::free_bytes(&order.store).map_err(cannot("ask for the free space"))?;
    // What is changed in the copy goes through a log of its own.
    let needed_bytes = bytes + bytes / 8;
    if free_bytes < needed_bytes {
        return Err(StoreError::NoRoom { needed_bytes, free_bytes }.into());
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Copies a backup, and the log beside it if it is a store that was put away by hand.
fn copy(backup: &Path, into: &Path) -> Result<(), RestoreError> {
    for log in ["", "-wal"] {
        let from = beside(backup, log);
        if !log.is_empty() && !from.exists() {
            continue;
        }
        let copied = File::open(&from).and_then(|mut from| {
            let mut into = new_private_file(&beside(into, log))?;
            io::copy(&mut from, &mut into)
        });
        copied.map_err(cannot(format!("copy {}", from.display())))?;
    }
    Ok(())
}

/// Checks the copy and makes it ready.
async fn prepare(path: &Path, order: &Restore) -> Result<Restored, RestoreError> {
    let connection = open::options(path, open::WRITER_CACHE).connect().await;
    let mut connection = connection.map_err(|error| damaged(&error))?;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('_sqlx_migrations', 'ledger')";
    let tables: i64 = sqlx::query_scalar(tables)
        .fetch_one(&mut connection)
        .await
        .map_err(|error| damaged(&error))?;
    if tables != 2 {
        return Err(RestoreError::NoBackup(order.backup.clone()));
    }
    check_pages(&mut connection).await?;
    open::migrate(&mut connection).await?;
    let mut connection = Connection::Sqlite(connection);
    let audit = audit(&mut connection).await?;
    if audit.imbalance != 0 {
        let first = audit.faults.first().map(|fault| format!("{}: {}", fault.what, fault.problem));
        let (imbalance, first) = (audit.imbalance, first.unwrap_or_default());
        return Err(RestoreError::Imbalanced { imbalance, first });
    }
    let restored = estrange(&mut connection, order).await?;
    connection.command("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    connection.end().await;
    let (lead_count, touch_count) = (audit.leads, audit.touches);
    Ok(Restored { lead_count, touch_count, ..restored })
}

fn damaged(error: &sqlx::Error) -> RestoreError {
    RestoreError::Damaged(error.to_string())
}

/// Every page, every index and every reference.
async fn check_pages(connection: &mut SqliteConnection) -> Result<(), RestoreError> {
    let faults: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(5)")
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| damaged(&error))?;
    if faults != ["ok"] {
        return Err(RestoreError::Damaged(faults.join("; ")));
    }
    let strays = "SELECT count(*) FROM pragma_foreign_key_check";
    let strays: i64 =
        sqlx::query_scalar(strays).fetch_one(connection).await.map_err(|error| damaged(&error))?;
    match strays {
        0 => Ok(()),
        _ => Err(RestoreError::Damaged(format!("{strays} references lead nowhere"))),
    }
}

/// Makes the copy a store that nothing fits which a client got from another one.
async fn estrange(change: &mut Connection, order: &Restore) -> Result<Restored, RestoreError> {
    change.command("BEGIN IMMEDIATE").await?;
    let lease_count = renew_lease_tokens(change).await?;
    let revoked_count = match order.tokens {
        OldTokens::Keep => 0,
        OldTokens::Revoke => revoke_tokens(change, order.now).await?,
    };
    let last_instant = last_instant(change).await?;
    let lead_floor = lead_floor(change, order.now).await?;
    let query = sql::ADD_RESTORE.bind(lead_floor).bind(order.now).bind(last_instant);
    query.execute(change).await?;
    change.command("COMMIT").await?;
    Ok(Restored {
        last_instant,
        // The audit has counted them.
        lead_count: 0,
        touch_count: 0,
        lease_count,
        revoked_count,
        lead_floor,
        kept: None,
    })
}

/// Answers that are stored for replays still name the old tokens, and find that those are lost.
async fn renew_lease_tokens(connection: &mut Connection) -> Result<u64, StoreError> {
    let mut fresh: Vec<(LeadId, String)> = Vec::new();
    for row in sql::LEASED_LEADS.query().all(connection).await? {
        fresh.push((LeadId(row.integer(0)?), random_token().to_text()));
    }
    sql::CHANGE_LEASE_TOKENS.bind(json(&fresh)).execute(connection).await
}

/// Makes every access token open nothing. A backup from before there were any has none.
async fn revoke_tokens(connection: &mut Connection, now: i64) -> Result<u64, StoreError> {
    sql::REVOKE_ALL_TOKENS.bind(now).bind("restore").execute(connection).await
}

fn random_token() -> LeaseToken {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).expect("the operating system gives random bits");
    LeaseToken(bits)
}

/// Above every id that was given out since the backup was taken, here or in another restore of it:
/// ids go on at the microseconds since 1970, as nobody hands a million leads over a second.
async fn lead_floor(connection: &mut Connection, now: i64) -> Result<i64, StoreError> {
    let given = sql::LAST_ID.query().one(connection).await?.integer(0)?;
    Ok(now.saturating_mul(1_000).max(given.saturating_add(LEAD_STEP)))
}

//! Stores of earlier and of later releases: the first are brought up to date, wherever that was cut
//! short before; the others are refused by name.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::super::super::backup::{OldTokens, Restore, RestoreError};
use super::super::super::error::StoreError;
use super::super::super::{SqliteStore, Store};
use super::super::open;
use super::{START, folder};
use crate::domain::LeadId;

/// Puts the store of release 0.1.0 there; `tests/data/stores/README.md` says what is in it.
fn put_first_release(path: &Path) {
    let packed = include_bytes!("../../../../tests/data/stores/0.1.0.db.gz");
    let mut bytes = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    fs::write(path, bytes).unwrap();
}

async fn check(path: &Path) {
    let store = SqliteStore::open(path).await.unwrap();
    let audit = store.audit().await.unwrap();
    assert_eq!((audit.imbalance, audit.leads, audit.touches), (0, 120, 18), "{:?}", audit.faults);
    let lead = store.lead(LeadId(1)).await.unwrap().unwrap().lead;
    assert_eq!(lead.facts.name.as_deref(), Some("Lead 0"));
    assert_eq!(store.roster().await.unwrap().reps.len(), 3);
    store.close().await;
}

async fn connect(path: &Path) -> SqliteConnection {
    // One page of cache: what a transaction writes goes into the log before it is committed.
    open::options(path, "1").pragma("cache_spill", "1").connect().await.unwrap()
}

#[tokio::test]
async fn a_store_of_the_first_release_opens() {
    let (_folder, path) = folder();
    put_first_release(&path);
    check(&path).await;
    // Once it is up to date there is nothing to do.
    check(&path).await;
}

/// Brings a store of the first release up to a migration, that one left out.
async fn put_release_before(path: &Path, version: i64) {
    put_first_release(path);
    let all = sqlx::migrate!("migrations/sqlite");
    let known = all.iter().filter(|one| one.version < version).cloned().collect();
    let mut connection = connect(path).await;
    Migrator::with_migrations(known).run(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_store_opens_after_a_crash_at_any_statement_of_any_migration() {
    let (folder, path) = folder();
    put_first_release(&path);
    let mut crash_count = 0;
    for migration in sqlx::migrate!("migrations/sqlite").iter().skip(1) {
        let statements: Vec<&str> = migration.sql.as_str().split_inclusive(";\n").collect();
        put_release_before(&path, migration.version).await;
        for count in 0..=statements.len() {
            let mut connection = connect(&path).await;
            connection.execute("BEGIN").await.unwrap();
            for statement in &statements[..count] {
                let done = connection.execute(AssertSqlSafe((*statement).to_owned())).await;
                done.unwrap_or_else(|problem| panic!("{statement}: {problem}"));
            }
            // What a process that dies here leaves: the file and its log as they are now.
            let crashed = folder.path().join("crashed.db");
            for log in ["", "-wal"] {
                fs::copy(open::beside(&path, log), open::beside(&crashed, log)).unwrap();
            }
            connection.execute("ROLLBACK").await.unwrap();
            connection.close().await.unwrap();
            check(&crashed).await;
            crash_count += 1;
        }
    }
    assert!(crash_count > 1);
}

#[tokio::test]
async fn a_store_of_a_later_release_is_refused_by_name() {
    let (_folder, path) = folder();
    SqliteStore::open(&path).await.unwrap().close().await;
    let mut connection = connect(&path).await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
        execution_time) VALUES (9999, 'later', 1, x'00', 1)";
    connection.execute(later).await.unwrap();
    connection.close().await.unwrap();

    let refused = SqliteStore::open(&path).await.err().unwrap();
    assert!(matches!(refused, StoreError::Newer { migration: 9999 }), "{refused:?}");
    assert!(refused.to_string().contains("a later release"));
    let order = Restore {
        store: path.with_file_name("other.db"),
        backup: path,
        replaces: false,
        tokens: OldTokens::Keep,
        now: START,
    };
    let refused = SqliteStore::restore(&order).await;
    assert!(matches!(refused, Err(RestoreError::Store(StoreError::Newer { .. }))));
    assert!(!order.store.exists());
}

#[tokio::test]
async fn a_store_of_the_first_release_can_be_restored() {
    let (_folder, path) = folder();
    let old = path.with_file_name("old");
    put_first_release(&old);
    let order = Restore {
        backup: old,
        store: path.clone(),
        replaces: false,
        tokens: OldTokens::Revoke,
        now: START,
    };
    let told = SqliteStore::restore(&order).await.unwrap();
    assert_eq!((told.lead_count, told.touch_count, told.lease_count), (120, 18, 2));
    check(&path).await;
}

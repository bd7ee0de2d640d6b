//! What a server must be, and what it must let a session be: else the store does not open.

use std::time::Duration;

use nextlead::store::{Denied, PostgresOptions, PostgresStore, Sharing, Store, StoreError};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::super::postgres_options;
use crate::servers::Postgres;

async fn run(url: &str, statement: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn database_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn a_commit_that_a_crash_may_lose_is_refused_whoever_wished_for_it() {
    let server = Postgres::shared();
    for (weak, is_refused) in [
        ("off", true),
        ("local", true),
        ("remote_write", true),
        ("remote_apply", false),
        ("on", false),
    ] {
        let url = server.database();
        let database = database_of(&url);
        run(&url, format!("ALTER DATABASE {database} SET synchronous_commit = {weak}")).await;

        let opened = PostgresStore::open(&postgres_options(url)).await;

        match opened {
            Err(StoreError::Unfit { problem }) => {
                assert!(is_refused && problem.contains(weak), "{weak}: {problem}");
            }
            Err(error) => panic!("{weak}: {error}"),
            Ok(store) => {
                assert!(!is_refused, "{weak}");
                store.close().await;
            }
        }
    }
    // A role's wish counts, too.
    let url = server.database();
    let role = format!("rep_of_{}", database_of(&url));
    run(&url, format!("CREATE ROLE {role} SUPERUSER LOGIN")).await;
    run(&url, format!("ALTER ROLE {role} SET synchronous_commit = off")).await;
    let options = postgres_options(url.replace("nextlead@", &format!("{role}@")));
    let opened = PostgresStore::open(&options).await;
    assert!(matches!(opened, Err(StoreError::Unfit { .. })));
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let url = Postgres::shared().database();
    let name = format!("{}_latin", database_of(&url));
    run(&url, format!("CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0")).await;
    let url = url.replace(&format!("/{}", database_of(&url)), &format!("/{name}"));

    let opened = PostgresStore::open(&postgres_options(url)).await;

    assert!(matches!(opened, Err(StoreError::Unfit { problem }) if problem.contains("LATIN1")));
}

#[tokio::test]
async fn a_standby_is_refused() {
    let primary = Postgres::start_with(&["fsync=off", "wal_level=replica"]);
    let standby = primary.standby();

    let opened = PostgresStore::open(&postgres_options(standby.url("postgres"))).await;

    assert!(matches!(opened, Err(StoreError::Unfit { problem }) if problem.contains("standby")));
}

#[tokio::test]
async fn every_session_ends_what_takes_too_long() {
    let url = Postgres::shared().database();
    let store = PostgresStore::open(&postgres_options(url.clone())).await.unwrap();
    store.last_instant().await.unwrap();
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    let sessions: Vec<i64> = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE application_name = 'nextlead' AND datname = current_database()",
    )
    .fetch_all(&mut stranger)
    .await
    .unwrap();
    // The writer's and a reader's.
    assert_eq!(sessions, [2]);
    store.close().await;
    let options =
        PostgresOptions { lock_timeout: Duration::from_millis(200), ..postgres_options(url) };
    let impatient = PostgresStore::open(&options).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE book IN ACCESS EXCLUSIVE MODE")
        .execute(&mut stranger)
        .await
        .unwrap();

    let read = impatient.last_instant().await;

    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut stranger).await.unwrap();
    assert_eq!(impatient.last_instant().await.unwrap(), 0);
}

#[tokio::test]
async fn a_node_that_is_refused_leaves_the_tables_as_they_are() {
    let url = Postgres::shared().database();
    let running = PostgresStore::open(&postgres_options(url.clone())).await.unwrap();
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    // As if the second node were of a later release, with one more migration to run.
    let forget = "DELETE FROM _sqlx_migrations \
        WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    assert_eq!(sqlx::query(forget).execute(&mut stranger).await.unwrap().rows_affected(), 1);
    let count = "SELECT count(*) FROM _sqlx_migrations";
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut stranger).await.unwrap();

    let refused = PostgresStore::open(&postgres_options(url)).await;

    assert!(matches!(refused, Err(StoreError::InUse { .. })), "it did not migrate");
    let after: i64 = sqlx::query_scalar(count).fetch_one(&mut stranger).await.unwrap();
    assert_eq!(after, before);
    running.close().await;
}

#[tokio::test]
async fn nodes_that_start_together_wait_for_the_one_that_migrates() {
    let url = Postgres::shared().database();
    let options = PostgresOptions {
        sharing: Sharing::Shared,
        lock_timeout: Duration::from_millis(50),
        ..postgres_options(url.clone())
    };
    PostgresStore::open(&options).await.unwrap().close().await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    let lock = format!("SELECT pg_advisory_lock({})", 0x6e65_7874_6c65_6164_i64 + 2);
    sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut stranger).await.unwrap();
    let second = tokio::spawn(async move { PostgresStore::open(&options).await });
    // It has waited longer than a change may.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND \
        datname = current_database() AND query_start < clock_timestamp() - interval '150 ms'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut stranger).await.unwrap() == 0 {
        assert!(!second.is_finished(), "it waits");
    }

    stranger.close().await.unwrap();

    second.await.unwrap().unwrap().close().await;
}

#[tokio::test]
async fn a_node_alone_keeps_others_out_and_nodes_together_do_not() {
    let url = Postgres::shared().database();
    let alone = postgres_options(url.clone());
    let together = PostgresOptions { sharing: Sharing::Shared, ..alone.clone() };
    let first = PostgresStore::open(&alone).await.unwrap();
    for other in [&alone, &together] {
        let refused = PostgresStore::open(other).await;
        assert!(matches!(refused, Err(StoreError::InUse { path }) if !path.contains("nextlead@")));
    }
    first.close().await;
    let one = PostgresStore::open(&together).await.unwrap();
    let two = PostgresStore::open(&together).await.unwrap();
    assert!(matches!(PostgresStore::open(&alone).await, Err(StoreError::InUse { .. })));
    one.close().await;
    two.close().await;
    PostgresStore::open(&alone).await.unwrap();
}

#[tokio::test]
async fn a_backup_is_the_servers_business_and_a_secret_stays_one() {
    let url = Postgres::shared().database();
    let mut options = postgres_options(url);
    options.password = Some("hunter2".to_owned());
    assert!(!format!("{options:?}").contains("hunter2"));
    let store = PostgresStore::open(&options).await.unwrap();

    let refused = store.back_up().await;

    assert!(matches!(refused, Err(StoreError::Denied(Denied::BackupElsewhere))));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_soon() {
    let port = crate::servers::free_port();
    let options = postgres_options(format!("postgres://a:b@127.0.0.1:{port}/c"));
    let opened = PostgresStore::open(&options).await;
    assert!(matches!(opened, Err(StoreError::Unavailable(_))));
}

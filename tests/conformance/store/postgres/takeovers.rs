//! Others that take over: another server of the same database, and another node of the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nextlead::domain::LeadId;
use nextlead::store::{
    CommitSink, HandOver, LeadRecord, News, PostgresOptions, PostgresStore, Store, StoreError,
};
use sqlx::{Connection as _, PgConnection};

use super::super::desk::{Desk, START};
use super::super::postgres_options;
use super::lost::end_sessions;
use super::proxy::{Cut, Proxy};
use crate::servers::Postgres;

async fn try_lead(desk: &Desk) -> Result<LeadId, StoreError> {
    let rows = vec![desk.somebody()];
    let change = HandOver { rows, actor: "crm".into(), now: START, request: None };
    desk.store.hand_over(change).await.map(|answers| answers[0].lead())
}

#[tokio::test]
async fn a_server_that_another_took_over_from_is_read_and_written_no_more() {
    let old = Postgres::start_with(&["fsync=off", "wal_level=replica"]);
    let proxy = Proxy::before(old.port()).await;
    let options = postgres_options(proxy.url(&old.url("postgres")));
    let desk = Desk::over(PostgresStore::open(&options).await.unwrap()).await;
    let first = desk.lead().await;
    // A session to read by lies there from here on.
    assert_eq!(desk.record(first).await.lead.id, first);
    let new = old.standby();
    let mut to_old = PgConnection::connect(&old.url("postgres")).await.unwrap();
    let mut to_new = PgConnection::connect(&new.url("postgres")).await.unwrap();
    sqlx::query("SELECT pg_promote()").execute(&mut to_new).await.unwrap();
    proxy.turn_to(new.port());
    end_sessions(&mut to_old, "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')")
        .await;

    let second = desk.lead().await;

    // Not by the session that still reads from the old server.
    assert_eq!(desk.record(second).await.lead.id, second);
    proxy.turn_to(old.port());
    end_sessions(&mut to_new, "true").await;
    let refused = try_lead(&desk).await;
    let is_told = |problem: &str| problem.contains("timeline");
    assert!(
        matches!(&refused, Err(StoreError::Unfit { problem }) if is_told(problem)),
        "{refused:?}"
    );
    let refused = desk.store.lead(second).await.map(|_| ());
    assert!(
        matches!(&refused, Err(StoreError::Unfit { problem }) if is_told(problem)),
        "{refused:?}"
    );
    let count = "SELECT count(*) FROM lead";
    let count: i64 = sqlx::query_scalar(count).fetch_one(&mut to_old).await.unwrap();
    assert_eq!(count, 1, "nothing more was stored there");
    proxy.turn_to(new.port());
    while let Err(error) = try_lead(&desk).await {
        // The server is left alone for a moment after it could not be used.
        let is_passing = matches!(error, StoreError::Unfit { .. } | StoreError::Unavailable(_));
        assert!(is_passing, "{error:?}");
        tokio::task::yield_now().await;
    }
    desk.audit().await;
}

/// What a node is told that was not alone.
#[derive(Default)]
struct Told {
    settings: AtomicBool,
    everything: AtomicBool,
    is_told: tokio::sync::Notify,
}

#[async_trait]
impl CommitSink for Told {
    async fn committed(&self, _: &[LeadRecord]) {}

    async fn settings_changed(&self) {
        self.settings.store(true, Ordering::SeqCst);
    }

    async fn others_committed(&self, news: &News) {
        self.everything.store(news.is_incomplete, Ordering::SeqCst);
        self.is_told.notify_one();
    }
}

#[tokio::test]
async fn a_node_that_was_not_alone_after_all_is_told_to_look_at_everything() {
    let options = postgres_options(Postgres::shared().database());
    let desk = Desk::over(PostgresStore::open(&options).await.unwrap()).await;
    let told = Arc::new(Told::default());
    desk.store.follow(told.clone());
    let mut stranger = PgConnection::connect(&options.url).await.unwrap();
    // It loses the store for a moment, and nobody comes.
    desk.lead().await;
    end_sessions(&mut stranger, "true").await;
    desk.lead().await;
    // Another node comes, and changes nothing.
    end_sessions(&mut stranger, "true").await;
    PostgresStore::open(&options).await.unwrap().close().await;
    desk.lead().await;
    assert!(!told.settings.load(Ordering::SeqCst) && !told.everything.load(Ordering::SeqCst));

    end_sessions(&mut stranger, "true").await;
    let other = PostgresStore::open(&options).await.unwrap();
    other.put_queue(&desk.queue.id, &desk.queue.settings).await.unwrap();
    other.close().await;
    desk.lead().await;

    told.is_told.notified().await;
    assert!(told.settings.load(Ordering::SeqCst) && told.everything.load(Ordering::SeqCst));
    desk.audit().await;
}

#[tokio::test]
async fn a_node_behind_something_that_hangs_lets_go_of_the_store() {
    let server = Postgres::shared();
    let proxy = Proxy::before(server.port()).await;
    let url = server.database();
    let options = PostgresOptions {
        vanished_timeout: Duration::from_millis(500),
        ..postgres_options(proxy.url(&url))
    };
    let desk = Desk::over(PostgresStore::open(&options).await.unwrap()).await;
    desk.lead().await;
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    // As long as it can be heard it keeps the store, though nobody wants anything of it.
    sqlx::query("SELECT pg_sleep(2)").execute(&mut stranger).await.unwrap();
    let refused = PostgresStore::open(&postgres_options(url.clone())).await;
    assert!(matches!(refused, Err(StoreError::InUse { .. })));

    proxy.cut(Cut::Silence);

    PostgresStore::open(&postgres_options(url)).await.unwrap().close().await;
}

//! Others that take over: another node of the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use nextlead::store::{CommitSink, LeadRecord, News, PostgresStore, Store as _};
use sqlx::{Connection as _, PgConnection};

use super::super::desk::Desk;
use super::super::postgres_options;
use super::lost::end_sessions;
use crate::servers::Postgres;

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

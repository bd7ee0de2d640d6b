//! After an erasure nothing of it is left in the tables, also if somebody still read when it happened,
//! and if the node ended before that was over.

use nextlead::domain::LeadId;
use nextlead::store::{Erase, PostgresStore, Store as _};
use sqlx::{Connection as _, PgConnection};

use super::super::desk::{Desk, START};
use super::super::postgres_options;
use crate::servers::Postgres;

async fn erase(desk: &Desk, lead: LeadId) {
    let erase = Erase { lead, actor: "crm".into(), now: START, request: None };
    desk.store.erase(erase).await.unwrap();
}

/// Somebody who reads, and goes on seeing what there was as they began.
async fn reader(url: &str) -> PgConnection {
    let mut reader = PgConnection::connect(url).await.unwrap();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT count(*) FROM lead";
    sqlx::raw_sql(begin).execute(&mut reader).await.unwrap();
    reader
}

/// How many versions of leads lie in their table.
async fn version_count(stranger: &mut PgConnection) -> i64 {
    let count = "SELECT count(*) FROM heap_page_items(get_raw_page('lead', 0)) WHERE lp_flags = 1";
    sqlx::query_scalar(count).fetch_one(stranger).await.unwrap()
}

/// Somebody who looks at what lies in tables.
async fn inspector(url: &str) -> PgConnection {
    let mut inspector = PgConnection::connect(url).await.unwrap();
    let extension = "CREATE EXTENSION IF NOT EXISTS pageinspect";
    sqlx::query(extension).execute(&mut inspector).await.unwrap();
    inspector
}

/// How many vacuums have ended.
async fn vacuum_count(stranger: &mut PgConnection) -> i64 {
    let count = "SELECT pg_stat_get_vacuum_count('lead'::regclass)";
    sqlx::query_scalar(count).fetch_one(stranger).await.unwrap()
}

#[tokio::test]
async fn what_was_erased_goes_when_nobody_reads_any_more_who_may_see_it() {
    let url = Postgres::shared().database();
    let desk = Desk::over(PostgresStore::open(&postgres_options(url.clone())).await.unwrap()).await;
    let lead = desk.lead().await;
    let reader = reader(&url).await;
    let mut stranger = inspector(&url).await;

    erase(&desk, lead).await;

    while vacuum_count(&mut stranger).await == 0 {}
    assert!(version_count(&mut stranger).await > 1, "the reader may still see it");
    reader.close().await.unwrap();
    while vacuum_count(&mut stranger).await < 2 {}
    assert_eq!(version_count(&mut stranger).await, 1);
    desk.audit().await;
}

#[tokio::test]
async fn what_a_node_left_to_be_vacuumed_is_done_after_its_next_start() {
    let url = Postgres::shared().database();
    let desk = Desk::over(PostgresStore::open(&postgres_options(url.clone())).await.unwrap()).await;
    let lead = desk.lead().await;
    let reader = reader(&url).await;
    let mut stranger = inspector(&url).await;
    erase(&desk, lead).await;
    while vacuum_count(&mut stranger).await == 0 {}
    desk.store.close().await;
    reader.close().await.unwrap();
    assert!(version_count(&mut stranger).await > 1);

    let again = PostgresStore::open(&postgres_options(url)).await.unwrap();
    again.put_queue(&desk.queue.id, &desk.queue.settings).await.unwrap();

    while vacuum_count(&mut stranger).await < 2 {}
    assert_eq!(version_count(&mut stranger).await, 1);
}

//! Several nodes over one database: they take turns, hear each other, and never hold one thing twice.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use nextlead::store::{
    Clocking, CommitSink, HandOver, LeadRecord, LeaseOutcome, News, PostgresOptions, PostgresStore,
    Sharing, Store,
};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc;

use super::super::desk::{Desk, START};
use super::super::postgres_options;
use crate::servers::Postgres;

fn together() -> PostgresOptions {
    let options = postgres_options(Postgres::shared().database());
    PostgresOptions { sharing: Sharing::Shared, ..options }
}

#[tokio::test]
async fn nodes_that_want_the_same_leads_at_once_share_them_out() {
    const ROUNDS: usize = 12;
    let options = together();
    let desk = Desk::over(PostgresStore::open(&options).await.unwrap()).await;
    let others: Vec<Arc<dyn Store>> = vec![
        desk.store.clone(),
        Arc::new(PostgresStore::open(&options).await.unwrap()),
        Arc::new(PostgresStore::open(&options).await.unwrap()),
    ];
    let leads = desk.leads(ROUNDS * 4).await;
    let mut held = HashSet::new();
    for (round, wanted) in leads.chunks(4).enumerate() {
        let now = START + round as i64;
        let mut pulls = tokio::task::JoinSet::new();
        for (place, store) in others.iter().enumerate() {
            for rep in 0..4 {
                // Reps ask through every node at once, and all want the same leads.
                let grant = desk.grant(rep + 4 * (place % 2), wanted, now);
                let store = store.clone();
                pulls.spawn(async move { (grant.rep, store.lease(grant).await.unwrap()) });
            }
        }
        let mut leases = Vec::new();
        for (rep, outcome) in pulls.join_all().await {
            if let LeaseOutcome::Granted { granted, .. } = outcome {
                assert_eq!(granted.lease.rep, rep);
                assert!(held.insert(granted.lease.lead), "a lead was leased twice");
                leases.push(granted.lease);
            }
        }
        assert_eq!(leases.len(), 4, "four leads for eight reps");
        for lease in leases {
            others[round % 3].release(desk.release(&lease, now)).await.unwrap();
        }
    }
    for store in &others {
        let audit = store.audit().await.unwrap();
        assert_eq!((audit.imbalance, audit.leads as usize), (0, leads.len()));
    }
    desk.audit().await;
}

struct Ear(mpsc::UnboundedSender<Option<News>>);

#[async_trait]
impl CommitSink for Ear {
    async fn committed(&self, _: &[LeadRecord]) {}

    async fn settings_changed(&self) {
        self.0.send(None).unwrap();
    }

    async fn others_committed(&self, news: &News) {
        self.0.send(Some(news.clone())).unwrap();
    }
}

#[tokio::test]
async fn a_node_hears_what_others_commit_and_not_itself() {
    let options = together();
    let here = PostgresStore::open(&options).await.unwrap();
    let (ear, mut heard) = mpsc::unbounded_channel();
    here.follow(Arc::new(Ear(ear)));
    let desk = Desk::over(PostgresStore::open(&options).await.unwrap()).await;
    // Until it listens it may have missed something, and is told so; from there on it hears.
    while heard.recv().await.unwrap().is_none_or(|news| news.is_incomplete) {
        desk.lead().await;
    }
    let lead = desk.lead().await;
    let lease = desk.lease(0, lead, START).await;
    desk.store.release(desk.release(&lease, START)).await.unwrap();

    let mut passes = Vec::new();
    while passes.is_empty() {
        let news = heard.recv().await.unwrap().expect("no settings changed");
        assert!(!news.is_incomplete && news.ready == [desk.queue.key], "{news:?}");
        passes = news.passes;
    }
    assert_eq!((passes[0].rep, passes[0].lead), (lease.rep, lead));

    let number = here.settings_number().await.unwrap();
    let settings = desk.queue.settings.clone();
    here.put_queue(&desk.queue.id, &settings).await.unwrap();
    desk.store.put_queue(&desk.queue.id, &settings).await.unwrap();

    assert_eq!(heard.recv().await.unwrap(), None);
    assert_eq!(here.settings_number().await.unwrap(), number + 2);
    // Had it heard itself, that would have come first.
    desk.lead().await;
    assert!(heard.recv().await.unwrap().is_some());
}

#[tokio::test]
async fn the_database_s_clock_decides_when_a_change_happens() {
    let options = PostgresOptions { clocking: Clocking::Database, ..together() };
    let store = PostgresStore::open(&options).await.unwrap();
    let (before, _) = store.database_now().await.unwrap();
    let desk = Desk::over(store).await;

    // The desk says that it is the year 2023.
    let lead = desk.lead().await;

    let record = desk.record(lead).await;
    assert!(record.state.changed_at >= before, "{}", record.state.changed_at);
    let first = desk.store.ledger(lead, 0, 1).await.unwrap();
    assert_eq!(first[0].at, record.state.changed_at);
    // Another node whose clock goes wrong cannot write history again.
    let other = Arc::new(PostgresStore::open(&options).await.unwrap());
    let granted = other.lease(desk.grant(0, &[lead], START - 1_000_000)).await.unwrap();
    assert!(matches!(granted, LeaseOutcome::Granted { .. }));
    assert!(desk.record(lead).await.state.changed_at >= record.state.changed_at);
}

#[tokio::test]
async fn time_goes_on_while_the_database_s_clock_is_behind_what_was_told() {
    const AHEAD_MS: i64 = 7_200_000;
    let options = PostgresOptions { clocking: Clocking::Database, ..together() };
    let store = PostgresStore::open(&options).await.unwrap();
    let (before, _) = store.database_now().await.unwrap();
    let desk = Desk::over(store).await;
    let lead = desk.lead().await;
    let mut stranger = PgConnection::connect(&options.url).await.unwrap();
    // As if the clock had been two hours ahead when another node committed, and was set right since.
    let ahead = "INSERT INTO node (node_id, last_commit, seen_at_ms) VALUES ('ahead', 1, $1)";
    sqlx::query(ahead).bind(before + AHEAD_MS).execute(&mut stranger).await.unwrap();

    let lease = desk.lease(0, lead, START).await;
    let leased_at = desk.record(lead).await.state.changed_at;
    sqlx::query("SELECT pg_sleep(0.1)").execute(&mut stranger).await.unwrap();
    desk.store.release(desk.release(&lease, START)).await.unwrap();

    let released_at = desk.record(lead).await.state.changed_at;
    assert!(leased_at >= before + AHEAD_MS, "{leased_at}");
    let passed_ms = released_at - leased_at;
    assert!((99..60_000).contains(&passed_ms), "{passed_ms} ms went by");
    // A node that comes now knows what time it is.
    let other = PostgresStore::open(&options).await.unwrap();
    assert!(other.database_now().await.unwrap().0 >= released_at);
    desk.audit().await;
}

#[tokio::test]
async fn others_get_in_between_the_parts_of_an_import() {
    let options = together();
    let desk = Desk::over(PostgresStore::open(&options).await.unwrap()).await;
    let mut stranger = PgConnection::connect(&options.url).await.unwrap();
    let commits = "SELECT sum(last_commit)::bigint FROM node";
    let count = async |by: &mut PgConnection| -> i64 {
        sqlx::query_scalar(commits).fetch_one(by).await.unwrap()
    };
    let before = count(&mut stranger).await;
    let rows: Vec<_> = (0..4_500).map(|_| desk.somebody()).collect();
    let keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
    let change = HandOver { rows, actor: "crm".into(), now: START, request: None };

    let answers = desk.store.hand_over(change).await.unwrap();

    assert_eq!(count(&mut stranger).await - before, 3);
    assert_eq!(answers.len(), keys.len());
    for place in [0, 1_999, 2_000, 4_499] {
        let lead = desk.store.lead_by_key(&keys[place]).await.unwrap();
        assert_eq!(lead, Some(answers[place].lead()), "the answers are in order");
    }
    desk.audit().await;
}

#[tokio::test]
async fn a_node_that_leaves_is_no_longer_named() {
    let options = together();
    let one = PostgresStore::open(&options).await.unwrap();
    let alone = one.nodes().await.unwrap();
    let other = PostgresStore::open(&options).await.unwrap();
    let both = one.nodes().await.unwrap();
    assert_eq!((alone.len(), both.len()), (1, 2));
    assert!(alone.is_subset(&both));
    assert_eq!(other.nodes().await.unwrap(), both);
    // Nodes of other databases are none of theirs.
    let elsewhere = PostgresStore::open(&together()).await.unwrap();
    assert_eq!(elsewhere.nodes().await.unwrap().len(), 1);
    other.close().await;
    while one.nodes().await.unwrap() != alone {
        tokio::task::yield_now().await;
    }
}

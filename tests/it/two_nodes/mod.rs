//! Two nodes on one PostgreSQL and one Redis: what they promise together, and how soon the one knows
//! what the other did. Only with `NEXTLEAD_TEST_ON=postgres+redis`; elsewhere each test says that it
//! was skipped.

mod clocks;
mod duties;
mod kept;
mod leads;
mod lost;
mod processes;
mod ranking;
mod settings;
mod slow;
mod without_redis;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nextlead::api::front::Limits;
use nextlead::api::proto;
use nextlead::clock::ManualClock;
use nextlead::node::{Options, StoreClock, Sweeping};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::ground::{Ground, On};
use crate::process::clock;
use crate::support::{NOON, TestNode};

/// Where there is nothing to try, says so.
fn ground(test: &str) -> Option<Ground> {
    let on = On::from_environment();
    if on != On::PostgresAndRedis {
        eprintln!("skipped on {on:?}, as nodes share a store and an index: {test}");
        return None;
    }
    Some(Ground::new(on))
}

/// A node on shared ground. With a clock of the store's, what it says itself decides nothing.
async fn node_on(ground: &Ground, clock: ManualClock, store_clock: StoreClock) -> TestNode {
    let folder = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        clock: Some(Arc::new(clock.clone())),
        sweeping: Sweeping::ByHand,
        metrics_listener: Some(metrics_listener),
        store: ground.store.parse().unwrap(),
        store_clock,
        queue: ground.queue.as_ref().unwrap().parse().unwrap(),
        queue_prefix: ground.prefix.clone(),
        admin_token_file: Some(folder.path().join("admin-token")),
        limits: Limits { guess_count_max: u32::MAX, guess_row_max: u32::MAX, ..Limits::default() },
        ..Options::new("unused".into(), listener)
    };
    TestNode::over(folder, clock, options).await
}

/// Two nodes with one clock, and queue `sales`, campaign `spring` and rep `ann` on both.
async fn pair(ground: &Ground) -> (TestNode, TestNode) {
    let clock = ManualClock::at(NOON);
    let mut one = node_on(ground, clock.clone(), StoreClock::Node).await;
    let mut other = node_on(ground, clock, StoreClock::Node).await;
    one.put_queue("sales", "always").await;
    one.put_campaign("spring", "sales", None).await;
    one.put_rep("ann", "sales", &[]).await;
    knows_rep(&mut other, "ann").await;
    (one, other)
}

/// Waits until a node knows a rep that the other one made.
async fn knows_rep(node: &mut TestNode, rep: &str) -> Duration {
    within(Duration::from_secs(1), async || {
        let reps = node.queues.list_reps(proto::ListRepsRequest::default()).await.unwrap();
        reps.into_inner().reps.iter().any(|one| one.rep_id == rep)
    })
    .await
}

/// Waits until something is so; panics if it takes longer. Answers how long it took.
pub(crate) async fn within(limit: Duration, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began: Instant = clock();
    while !is_so().await {
        assert!(began.elapsed() <= limit, "it was not so within {limit:?}");
        tokio::task::yield_now().await;
    }
    began.elapsed()
}

fn id_of(served: &proto::ServedLead) -> String {
    served.lead.as_ref().unwrap().lead_id.clone()
}

/// The events of a lead.
async fn story(node: &mut TestNode, lead: &str) -> Vec<proto::LeadEvent> {
    let lead = Some(crate::support::by_id(lead));
    let request = proto::TraceLeadRequest { lead, ..Default::default() };
    node.queues.trace_lead(request).await.unwrap().into_inner().events
}

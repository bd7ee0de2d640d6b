//! What the index was told and lost again, or was never told, comes back within a few sweeps, however
//! many leads there are.

use std::path::Path;
use std::time::Duration;

use nextlead::api::proto::{self, next_lead_response::Answer};
use nextlead::clock::{Clock as _, ManualClock, SystemClock};
use nextlead::node::StoreClock;
use tempfile::TempDir;

use super::{ground, id_of, knows_rep, node_on, within};
use crate::ground::Ground;
use crate::process::{BINARY, Process, clock, command};
use crate::servers::Redis;
use crate::support::{TestNode, by_id, lead};
use crate::toxic::{Mood, Protocol, Proxy};

/// How many leads stand in line before the one that is lost.
const LEAD_COUNT: u32 = 10_000;
/// How many sweeps may pass until it is back: at four a second, a second.
const SWEEP_COUNT_MAX: usize = 4;

/// Fills the line with leads, each with a number of its own.
async fn fill(node: &mut TestNode) {
    let numbered = |nth: u32| proto::Lead {
        numbers: vec![proto::LeadNumber {
            number: format!("+1212{:07}", 2_000_000 + nth),
            ..Default::default()
        }],
        skills: vec!["plain".into()],
        ..lead(nth)
    };
    for first in (0..LEAD_COUNT).step_by(1_000) {
        let rows = (first..first + 1_000).zip(1..);
        let rows = rows
            .map(|(nth, row_number)| proto::ImportRow { row_number, lead: Some(numbered(nth)) });
        let batch = proto::ImportLeadsRequest { rows: rows.collect(), ..Default::default() };
        let answers = node.intake.import_leads(tokio_stream::once(batch)).await.unwrap();
        assert!(answers.into_inner().message().await.unwrap().is_some());
    }
}

/// A lead that `zoe` may take, as she may take no other.
fn special(nth: u32) -> proto::Lead {
    proto::Lead { skills: vec!["tax".into()], ..lead(nth) }
}

fn right_clock() -> ManualClock {
    ManualClock::at(SystemClock::start(0).now())
}

/// A node that goes by the store's clock and has swept all there is.
async fn node_with_many(ground: &Ground) -> TestNode {
    let mut node = node_on(ground, right_clock(), StoreClock::Database).await;
    node.put_queue("sales", "always").await;
    node.put_campaign("spring", "sales", None).await;
    node.put_rep("zoe", "sales", &["tax"]).await;
    fill(&mut node).await;
    settle(&node).await;
    node
}

async fn settle(node: &TestNode) {
    while node.node.dialer().sweep(1_000).await.unwrap().is_unfinished() {}
    assert!(node.node.dialer().is_sweeping());
}

/// Sweeps until `zoe` gets a lead. Answers it.
async fn served_within_sweeps(node: &mut TestNode) -> String {
    let begun = clock();
    for count in 0..=SWEEP_COUNT_MAX {
        if let Answer::Served(served) = node.pull("zoe").await {
            eprintln!("served after {count} sweeps, {:?}", begun.elapsed());
            return id_of(&served);
        }
        node.node.dialer().sweep(1_000).await.unwrap();
    }
    panic!("the lead is not in line after {SWEEP_COUNT_MAX} sweeps");
}

#[tokio::test]
async fn a_lead_whose_node_was_killed_before_its_index_was_told_is_served_by_the_other_soon() {
    let Some(ground) = ground("a lead that no index was told of") else { return };
    if !cfg!(debug_assertions) {
        return eprintln!("NOT RUN: a build without debug assertions has no failpoints");
    }
    let mut one = node_with_many(&ground).await;
    let folder = TempDir::new().unwrap();
    let mut serve = command(Path::new(BINARY), folder.path());
    serve.args(["serve", "--json", "--listen", "127.0.0.1:0"]);
    serve.args(["--admin-token-file", "nextlead.db.admin-token"]);
    serve.env("NEXTLEAD_STORE", &ground.store).env("NEXTLEAD_QUEUE", ground.queue.unwrap());
    serve.env("NEXTLEAD_QUEUE_PREFIX", &ground.prefix);
    serve.env("NEXTLEAD_FAILPOINT", "index.before-apply:1");
    let mut other = Process::begin(serve, folder.path(), folder.path().join("serve.log"));
    let row = "external_id,phone,time_zone,skills\nlost,+12125550123,UTC,tax\n";
    std::fs::write(folder.path().join("leads.csv"), row).unwrap();
    let import = ["import", "leads.csv", "--campaign", "spring", "--source-system", "crm"];
    let mut importing = other.command(&import).spawn().unwrap();
    within(Duration::from_secs(20), async || !other.is_alive()).await;
    importing.kill().unwrap();
    importing.wait().unwrap();

    served_within_sweeps(&mut one).await;

    one.audit().await;
}

#[tokio::test]
async fn a_lead_given_back_to_a_node_that_is_gone_before_it_told_so_is_served_soon() {
    let Some(ground) = ground("a release that no index was told of") else { return };
    let mut one = node_on(&ground, right_clock(), StoreClock::Database).await;
    one.put_queue("sales", "always").await;
    one.put_campaign("spring", "sales", None).await;
    one.put_rep("zoe", "sales", &["tax"]).await;
    one.put_rep("yan", "sales", &["tax"]).await;
    let early = one.hand_over(special(90_000)).await;
    fill(&mut one).await;
    let address = ground.queue.clone().unwrap();
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(Protocol::Opaque, port);
    let behind =
        Ground { queue: Some(format!("redis://127.0.0.1:{}", proxy.port())), ..ground.clone() };
    let mut other = node_on(&behind, right_clock(), StoreClock::Database).await;
    knows_rep(&mut other, "yan").await;
    let served = other.pull_lead("yan").await;
    assert_eq!(id_of(&served), early);
    settle(&one).await;

    proxy.set(Mood::Silent);
    let release = proto::ReleaseLeaseRequest {
        rep_id: "yan".into(),
        lead: Some(by_id(&early)),
        lease_token: served.lease_token.clone(),
        reason: proto::ReleaseReason::Skipped.into(),
        skip_reason: proto::SkipReason::NoTime.into(),
        ..Default::default()
    };
    other.reps.release_lease(release).await.unwrap();
    drop(other);

    assert_eq!(served_within_sweeps(&mut one).await, early);
    one.audit().await;
}

#[tokio::test]
async fn what_a_redis_lost_that_came_back_as_it_was_before_is_told_again_at_once() {
    let Some(mut ground) = ground("an old copy of Redis") else { return };
    let kept = TempDir::new().unwrap();
    let folder = kept.path().display().to_string();
    let mut redis = Redis::start_with(&["--save", "", "--appendonly", "no", "--dir", &folder]);
    ground.queue = Some(redis.url());
    let mut one = node_with_many(&ground).await;
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("SAVE").exec_async(&mut connection).await.unwrap();
    let lost = one.hand_over(special(90_000)).await;
    // It was looked at, and was right.
    settle(&one).await;

    redis.kill();
    redis.start_again();

    let rep_id = "zoe".to_owned();
    let request = proto::NextLeadRequest { rep_id, ..Default::default() };
    within(Duration::from_secs(10), async || one.reps.next_lead(request.clone()).await.is_ok())
        .await;
    assert_eq!(served_within_sweeps(&mut one).await, lost);
    one.audit().await;
}

#[tokio::test]
async fn what_another_node_is_about_to_tell_the_index_is_no_drift() {
    let Some(ground) = ground("commits under way") else { return };
    let (mut one, mut other) = super::pair(&ground).await;
    for nth in 0..60 {
        one.hand_over(lead(nth)).await;
    }
    settle(&one).await;
    let before = one.node.dialer().metrics().drift_count();
    let dialer = one.node.dialer().clone();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let sweeping = async {
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            dialer.sweep(1_000).await.unwrap();
        }
    };
    let working = async {
        for _ in 0..60 {
            let served = other.pull_lead("ann").await;
            other.touch("ann", &served, proto::Disposition::NoAnswer).await;
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    tokio::join!(sweeping, working);
    assert_eq!(one.node.dialer().metrics().drift_count() - before, 0);
}

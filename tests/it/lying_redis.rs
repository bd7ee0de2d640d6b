//! A node whose Redis lies: reps go on working over gRPC, and no lie becomes a lost lead, a lead in two
//! hands, or a touch that fails.
//!
//! `NEXTLEAD_LIES` says how many lies are told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use nextlead::api::proto;
use nextlead::clock::ManualClock;
use nextlead::node::{Options, StoreClock, Sweeping};
use proto::next_lead_response::Answer;
use proto::rep_service_client::RepServiceClient;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::Code;

use super::liar::Liar;
use super::servers::{Postgres, Redis};
use super::support::{HOUR_MS, NOON, Signed, TestNode, by_id, lead, reason, time};

/// How many lies are told; `NEXTLEAD_LIES` asks for others.
const LIE_COUNT: u64 = 2_000;
/// In how many calls of a thousand.
const LIES_PER_MILLE: u64 = 150;
const REP_COUNT: usize = 6;

fn lies_wanted() -> u64 {
    std::env::var("NEXTLEAD_LIES").map_or(LIE_COUNT, |count| count.parse().unwrap())
}

/// What the reps have in their hands, as they know it, and what became of their calls.
#[derive(Default)]
struct Floor {
    held: Mutex<BTreeMap<String, String>>,
    touch_count: AtomicU64,
    put_off_count: AtomicU64,
    nothing_count: AtomicU64,
    is_over: AtomicBool,
}

impl Floor {
    /// Notes that a rep was served a lead, which nobody else may have.
    fn take(&self, rep: &str, lead_id: &str) {
        let mut held = self.held.lock().unwrap();
        let holder = held.insert(lead_id.to_owned(), rep.to_owned());
        assert!(holder.as_deref().is_none_or(|holder| holder == rep), "two have lead {lead_id}");
    }

    /// Notes that a rep is about to let a lead go.
    fn leave(&self, lead_id: &str) {
        self.held.lock().unwrap().remove(lead_id);
    }
}

/// Pulls and touches until it is over.
async fn work(
    floor: Arc<Floor>,
    mut reps: RepServiceClient<Signed>,
    clock: ManualClock,
    rep: String,
) {
    for touch in 0.. {
        if floor.is_over.load(Ordering::Relaxed) {
            break;
        }
        let pull = proto::NextLeadRequest { rep_id: rep.clone(), ..Default::default() };
        let served = match reps.next_lead(pull).await.map(|answer| answer.into_inner().answer) {
            Ok(Some(Answer::Served(served))) => served,
            Ok(_) => {
                floor.nothing_count.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                continue;
            }
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                assert!(reason(&status).starts_with("INDEX_"), "{status:?}");
                floor.put_off_count.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                continue;
            }
        };
        let lead = served.lead.unwrap();
        floor.take(&rep, &lead.lead_id);
        let now = nextlead::clock::Clock::now(&clock);
        let request = proto::RecordTouchRequest {
            rep_id: rep.clone(),
            lead: Some(by_id(&lead.lead_id)),
            touch_id: format!("{rep}-{touch}"),
            lease_token: served.lease_token,
            channel: proto::Channel::Call.into(),
            direction: proto::Direction::Outbound.into(),
            number: lead.numbers[0].number.clone(),
            start_time: Some(time(now)),
            end_time: Some(time(now)),
            disposition: proto::Disposition::NoAnswer.into(),
            ..Default::default()
        };
        floor.leave(&lead.lead_id);
        let recorded = reps.record_touch(request).await;
        let recorded = recorded.expect("a touch never waits for the index").into_inner();
        assert!(!recorded.late, "its lease stood");
        floor.touch_count.fetch_add(1, Ordering::Relaxed);
    }
}

async fn node_before(liar: &Liar) -> TestNode {
    let folder = TempDir::new().unwrap();
    let clock = ManualClock::at(NOON);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        clock: Some(Arc::new(clock.clone())),
        store_clock: StoreClock::Node,
        sweeping: Sweeping::ByHand,
        store: Postgres::shared().database().parse().unwrap(),
        queue: liar.url().parse().unwrap(),
        admin_token_file: Some(folder.path().join("admin-token")),
        ..Options::new(folder.path().join("nextlead.db"), listener)
    };
    let mut node = TestNode::over(folder, clock, options).await;
    node.put_queue("sales", "always").await;
    node.put_campaign("spring", "sales", None).await;
    node
}

/// Sweeps though the index may fail.
async fn sweep(node: &TestNode) {
    // What it cannot do now it does the next time.
    let _ = node.node.dialer().sweep(1_000).await;
}

/// Serves all that is left, once the truth is told. A lead whose answer was a lie is in flight until
/// its deadline, and one that the index lost is put in line by the sweeps.
async fn serve_the_rest(node: &mut TestNode, touched: &mut u64) {
    node.put_rep("zoe", "sales", &[]).await;
    let mut quiet_count = 0;
    for _ in 0..2_000 {
        let pull = proto::NextLeadRequest { rep_id: "zoe".into(), ..Default::default() };
        match node.reps.next_lead(pull).await.map(|answer| answer.into_inner().answer) {
            Ok(Some(Answer::Served(served))) => {
                node.touch("zoe", &served, proto::Disposition::NoAnswer).await;
                *touched += 1;
                quiet_count = 0;
            }
            answer => {
                quiet_count += u32::from(answer.is_ok());
                if quiet_count > 20 {
                    return;
                }
                node.clock.advance(10_000);
                sweep(node).await;
            }
        }
    }
    panic!("there is no end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lying_redis_loses_no_lead_and_gives_none_to_two() {
    let redis = Redis::start();
    let liar = Liar::start(&redis.url(), 99);
    let mut node = node_before(&liar).await;
    let floor = Arc::new(Floor::default());
    let mut tasks = Vec::new();
    for rep in (0..REP_COUNT).map(|number| format!("rep-{number}")) {
        node.put_rep(&rep, "sales", &[]).await;
        let (reps, clock) = (node.reps.clone(), node.clock.clone());
        tasks.push(tokio::spawn(work(Arc::clone(&floor), reps, clock, rep)));
    }
    liar.lie(LIES_PER_MILLE);
    let mut leads = Vec::new();
    while liar.lie_count() < lies_wanted() && tasks.iter().all(|task| !task.is_finished()) {
        for _ in 0..20 {
            leads.push(node.hand_over(lead(leads.len() as u32)).await);
        }
        node.clock.advance(100);
        sweep(&node).await;
    }
    floor.is_over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }

    liar.lie(0);
    let mut touched = floor.touch_count.load(Ordering::Relaxed);
    serve_the_rest(&mut node, &mut touched).await;
    assert_eq!(touched, leads.len() as u64, "each lead was touched once");
    for lead_id in &leads {
        assert_eq!(node.standing(lead_id).await, "waiting", "lead {lead_id}");
    }
    node.pass_time(48 * HOUR_MS).await;
    assert_eq!(node.audit().await.imbalance, 0);
    let (put_off, nothing) = (&floor.put_off_count, &floor.nothing_count);
    eprintln!("{:?}: {touched} touches, {put_off:?} put off, {nothing:?} nothing", liar.told());
}

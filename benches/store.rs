//! How many cycles of lease and touch a second does group commit carry at 1, 16, 64 and 256
//! callers, and what does a batch of 20,000 handovers cost? On a file in the temporary folder, so
//! every commit is a sync of the disk behind it.
//!
//! `cargo bench --bench store`, with `-- --long` for more rounds. Prints medians.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nextlead::domain::{
    Campaign, CampaignId, CampaignSettings, Channel, Direction, Disposition, Facts, HandoverKey,
    LeadId, LeadNumber, LeaseToken, Number, Policy, QueueId, QueueSettings, RepKey, Route,
    ServeOrder, Touch, TouchId, WeeklyHours,
};
use nextlead::store::{
    Candidate, Grant, HandOver, Handover, LeaseOutcome, RecordTouch, SqliteStore, Store,
};

const START: i64 = 1_700_000_000_000;
const BATCH_ROW_COUNT: u64 = 20_000;

fn main() {
    let is_long = std::env::args().any(|argument| argument == "--long");
    let (batch_count, round_count, cycle_count) =
        if is_long { (50, 9, 8_000) } else { (5, 3, 2_000) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run(batch_count, round_count, cycle_count));
}

#[expect(clippy::disallowed_methods, reason = "measures")]
fn start() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "a report")]
fn report(line: &str) {
    println!("{line}");
}

async fn run(batch_count: u64, round_count: usize, cycle_count: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("bench.db")).await.expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    let campaign = roster(&*store).await;
    let mut times = Vec::new();
    for batch in 0..batch_count {
        let rows =
            (0..BATCH_ROW_COUNT).map(|one| handover(&campaign, batch * BATCH_ROW_COUNT + one));
        let change =
            HandOver { rows: rows.collect(), actor: "crm".into(), now: START, request: None };
        let began = start();
        store.hand_over(change).await.expect("handovers");
        times.push(began.elapsed());
    }
    let batch = median(&mut times);
    let rate = BATCH_ROW_COUNT as f64 / batch.as_secs_f64();
    report(&format!("hand over {BATCH_ROW_COUNT} in one batch: {batch:.1?} ({rate:.0} a second)"));

    let began = start();
    let mut after = LeadId(0);
    let mut lead_count = 0;
    loop {
        let page = store.open_leads(campaign.queue, after, 5_000).await.expect("a page");
        let Some(last) = page.last() else { break };
        (after, lead_count) = (last.lead.id, lead_count + page.len());
    }
    report(&format!("read {lead_count} open leads: {:.1?}", began.elapsed()));

    report("callers   touch + next lease, a second (median, min .. max)");
    let line = Arc::new(AtomicU64::new(0));
    for callers in [1, 16, 64, 256] {
        let mut rates = Vec::new();
        for _ in 0..round_count {
            let count = if callers == 1 { cycle_count / 4 } else { cycle_count };
            rates.push(cycles(&store, callers, count, &line).await);
        }
        rates.sort_by(f64::total_cmp);
        let (least, most) = (rates[0], rates[rates.len() - 1]);
        let middle = rates[rates.len() / 2];
        report(&format!("{callers:7}   {middle:.0} ({least:.0} .. {most:.0})"));
    }
    let audit = store.audit().await.expect("an audit");
    report(&format!("audit: {} events, imbalance {}", audit.events, audit.imbalance));
    store.close().await;
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn roster(store: &dyn Store) -> Campaign {
    let settings = QueueSettings {
        zone: "Europe/Berlin".into(),
        hours: WeeklyHours::always(),
        law: Default::default(),
        caps: Vec::new(),
        lease_ms: 600_000,
        lease_total_ms: 600_000,
        grace_ms: 30_000,
        skips_per_hour_max: None,
        own: Default::default(),
        quality: Default::default(),
    };
    let id = QueueId::new("sales").expect("an id");
    let queue = store.put_queue(&id, &settings).await.expect("a queue");
    let settings = CampaignSettings {
        skills: Default::default(),
        ends_at: None,
        route_at_end: Route::Lost,
        default_country: None,
    };
    let id = CampaignId::new("march").expect("an id");
    store.put_campaign(&id, queue.key, &settings).await.expect("a campaign")
}

fn handover(campaign: &Campaign, index: u64) -> Handover {
    let number = Number::from_e164(&format!("+1{:010}", 2_000_000_000 + index)).expect("a number");
    let facts = Facts {
        name: Some(format!("Person {index}")),
        company: Some(format!("Company {}", index % 977)),
        email: Some(format!("person{index}@company{}.example", index % 977)),
        numbers: vec![LeadNumber { number, stopped: None }],
        zone: Some("Europe/Berlin".into()),
        source: ["web", "fair", "webinar"][(index % 3) as usize].into(),
        attributes: [("employees".to_owned(), nextlead::domain::Value::Int(index as i64 % 500))]
            .into(),
        ..Facts::default()
    };
    Handover {
        key: HandoverKey {
            source_system: "crm".into(),
            external_id: format!("crm-{index}"),
            campaign: campaign.id.clone(),
        },
        campaign: campaign.key,
        queue: campaign.queue,
        handed_over_at: START,
        first_touch_due_at: Some(START + 4 * 3_600_000),
        owner: None,
        facts,
    }
}

/// Runs so many cycles over so many callers, each with their own rep; says how many a second.
async fn cycles(
    store: &Arc<dyn Store>,
    callers: u64,
    cycle_count: u64,
    line: &Arc<AtomicU64>,
) -> f64 {
    let began = start();
    let tasks: Vec<_> = (0..callers)
        .map(|rep| tokio::spawn(work(store.clone(), rep, cycle_count / callers, line.clone())))
        .collect();
    for task in tasks {
        task.await.expect("a caller");
    }
    (cycle_count / callers * callers) as f64 / began.elapsed().as_secs_f64()
}

fn grant(rep: u64, lead: u64) -> Grant {
    let mut token = [0; 16];
    token[..8].copy_from_slice(&lead.to_be_bytes());
    Grant {
        rep: RepKey(rep as i64 + 1),
        actor: format!("rep-{rep}"),
        candidates: vec![Candidate {
            lead: LeadId(lead as i64),
            order: ServeOrder::Ordinary,
            points: 40,
            detail: [("points".to_owned(), "40".to_owned())].into(),
        }],
        fit: None,
        caps: None,
        holds_back: false,
        token: LeaseToken(token),
        lease_ms: 600_000,
        lease_total_ms: 600_000,
        grace_ms: 30_000,
        rule_version: 1,
        now: START,
        request: None,
    }
}

/// One rep: touches what they have and gets the next with it.
async fn work(store: Arc<dyn Store>, rep: u64, cycle_count: u64, line: Arc<AtomicU64>) {
    let policy = Arc::new(Policy::default());
    let queue = Arc::new(store.roster().await.expect("a roster").queues.remove(0));
    let next = || line.fetch_add(1, Ordering::Relaxed) + 1;
    let outcome = store.lease(grant(rep, next())).await.expect("an answer");
    let mut lease = granted(outcome);
    for _ in 0..cycle_count {
        let touch = Touch {
            id: TouchId::new(&format!("touch-{}", lease.lead)).expect("an id"),
            lead: lease.lead,
            rep: Some(lease.rep),
            lease: Some(lease.token),
            channel: Channel::Call,
            direction: Direction::Outbound,
            number: None,
            started_at: START,
            ended_at: START,
            disposition: Disposition::NoAnswer,
            callback_at: None,
            notes: "Left a word with the front desk.".into(),
        };
        let change = RecordTouch {
            touch,
            caller: format!("rep-{rep}"),
            body_hash: [1; 32],
            actor: format!("rep-{rep}"),
            is_by_system: false,
            only_in: None,
            quality: Default::default(),
            policy: policy.clone(),
            rule_version: 0,
            queue: queue.clone(),
            others: Vec::new(),
            now: START,
            then: Some(grant(rep, next())),
        };
        let recorded = store.record_touch(change).await.expect("a touch");
        lease = granted(recorded.next.expect("a next lead"));
    }
    let change = nextlead::store::Release {
        lead: lease.lead,
        rep: lease.rep,
        actor: "bench".into(),
        token: lease.token,
        cause: nextlead::store::ReleaseCause::RepError,
        now: START,
        request: None,
    };
    store.release(change).await.expect("a release");
}

fn granted(outcome: LeaseOutcome) -> nextlead::domain::Lease {
    match outcome {
        LeaseOutcome::Granted { granted, .. } => granted.lease,
        other => panic!("no lease: {other:?}"),
    }
}

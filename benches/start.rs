//! How long does a node take until it is ready, with a million leads in its store? And how fast do
//! handovers come into the store on the way there?
//!
//! `cargo bench --bench start -- 1000000`; 100,000 leads without a number, 10,000 with `--quick`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use nextlead::clock::{Clock, ManualClock};
use nextlead::dialer::{Among, Dialer, NewLead, random_tokens};
use nextlead::domain::{
    CampaignId, CampaignSettings, Facts, HandoverKey, LeadNumber, Number, QueueId, QueueSettings,
    Route, Value,
};
use nextlead::queue::MemoryQueue;
use nextlead::store::{SqliteStore, Store};

const NOW: i64 = 1_795_435_200_000;
const BATCH_SIZE: usize = 20_000;
const ZONES: [&str; 4] =
    ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"];

fn lead(nth: usize, campaign: &CampaignId) -> NewLead {
    let number = Number::from_e164(&format!("+1{:010}", 2_000_000_000 + nth)).expect("a number");
    let attributes = BTreeMap::from([
        ("employees".to_owned(), Value::Int((nth % 500) as i64)),
        ("industry".to_owned(), Value::Text(format!("industry-{}", nth % 20))),
    ]);
    let facts = Facts {
        name: Some(format!("Lead {nth}")),
        email: Some(format!("lead-{nth}@example.com")),
        numbers: vec![LeadNumber { number, stopped: None }],
        zone: Some(ZONES[nth % ZONES.len()].to_owned()),
        source: format!("source-{}", nth % 5),
        score: Some((nth % 100) as f64),
        attributes,
        ..Facts::default()
    };
    let key = HandoverKey {
        source_system: "crm".to_owned(),
        external_id: nth.to_string(),
        campaign: campaign.clone(),
    };
    NewLead { key, handed_over_at: Some(NOW - (nth as i64 % 86_400_000)), facts, owner: None }
}

async fn open(path: &Path) -> (Dialer, Arc<dyn Store>) {
    let store = SqliteStore::open(path).await.expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    let queue = Arc::new(MemoryQueue::new());
    let dialer = Dialer::start(store.clone(), queue, clock, random_tokens(), Among::Alone).await;
    (dialer.expect("a dialer"), store)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn clock() -> Instant {
    Instant::now()
}

async fn measure(lead_count: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nextlead.db");
    let (dialer, store) = open(&path).await;
    let queue = QueueId::new("sales").expect("an id");
    let campaign = CampaignId::new("spring").expect("an id");
    let settings = QueueSettings {
        zone: "America/New_York".to_owned(),
        hours: "mon-sat 09:00-20:00".parse().expect("hours"),
        law: Default::default(),
        caps: Vec::new(),
        lease_ms: 600_000,
        lease_total_ms: 7_200_000,
        grace_ms: 30_000,
        skips_per_hour_max: None,
        own: Default::default(),
        quality: Default::default(),
    };
    dialer.put_queue(queue.clone(), settings).await.expect("a queue");
    let settings = CampaignSettings {
        skills: Default::default(),
        ends_at: None,
        route_at_end: Route::Nurture { until: None },
        default_country: None,
    };
    dialer.put_campaign(campaign.clone(), queue, settings).await.expect("a campaign");
    let begun = clock();
    for first in (0..lead_count).step_by(BATCH_SIZE) {
        let rows = first..(first + BATCH_SIZE).min(lead_count);
        let rows = rows.map(|nth| lead(nth, &campaign)).collect();
        dialer.hand_over_all(rows, "bench").await.expect("a batch");
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{lead_count} handovers in {seconds:.2} s: {:.0} a second",
        lead_count as f64 / seconds
    );
    store.close().await;
    drop((dialer, store));
    for _ in 0..3 {
        let begun = clock();
        let (dialer, store) = open(&path).await;
        println!("ready with {lead_count} leads in {:.2} s", begun.elapsed().as_secs_f64());
        store.close().await;
        drop(dialer);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.iter().find_map(|argument| argument.parse().ok());
    let is_quick = arguments.iter().any(|argument| argument == "--quick" || argument == "--test");
    let lead_count = wanted.unwrap_or(if is_quick { 10_000 } else { 100_000 });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(measure(lead_count));
}

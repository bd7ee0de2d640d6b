//! The leads and settings that the benchmarks of a whole node share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use nextlead::clock::{Clock, ManualClock};
use nextlead::dialer::{Among, Dialer, NewLead, random_tokens};
use nextlead::domain::{
    CallingLaw, CampaignId, CampaignSettings, Facts, HandoverKey, LeadNumber, Number, QueueId,
    QueueSettings, Route, Value,
};
use nextlead::queue::MemoryQueue;
use nextlead::store::{SqliteStore, Store};

/// A Monday, 2026-11-23, noon UTC.
pub(crate) const NOW: i64 = 1_795_435_200_000;
const BATCH_SIZE: usize = 20_000;
const ZONES: [&str; 4] =
    ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"];

/// The queue of all leads.
pub(crate) fn queue_id() -> QueueId {
    QueueId::new("sales").expect("an id")
}

/// A lead that states its zone, and whose number tells nothing.
pub(crate) fn lead(nth: usize, campaign: &CampaignId) -> NewLead {
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

/// What a queue is set to unless a benchmark says otherwise.
pub(crate) fn queue_settings() -> QueueSettings {
    QueueSettings {
        zone: "America/New_York".to_owned(),
        hours: "mon-sat 09:00-20:00".parse().expect("hours"),
        law: CallingLaw::default(),
        caps: Vec::new(),
        lease_ms: 600_000,
        lease_total_ms: 7_200_000,
        grace_ms: 30_000,
        skips_per_hour_max: None,
        own: Default::default(),
        quality: Default::default(),
    }
}

/// What a campaign is set to.
pub(crate) fn campaign_settings(skills: &[String]) -> CampaignSettings {
    CampaignSettings {
        skills: skills.iter().cloned().collect(),
        ends_at: None,
        route_at_end: Route::Nurture { until: None },
        default_country: None,
    }
}

/// A dialer over the store in a file, with its index in memory and a clock of the benchmark's.
pub(crate) async fn open(path: &Path, clock: &ManualClock) -> (Dialer, Arc<dyn Store>) {
    let store = SqliteStore::open(path).await.expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let queue = Arc::new(MemoryQueue::new());
    let dialer = Dialer::start(store.clone(), queue, clock, random_tokens(), Among::Alone).await;
    (dialer.expect("a dialer"), store)
}

/// Hands so many leads over, in batches.
pub(crate) async fn hand_over(dialer: &Dialer, lead_count: usize, lead: impl Fn(usize) -> NewLead) {
    for first in (0..lead_count).step_by(BATCH_SIZE) {
        let rows = first..(first + BATCH_SIZE).min(lead_count);
        let taken = dialer.hand_over_all(rows.map(&lead).collect(), "bench").await;
        let refused = taken.expect("a batch").iter().filter(|row| row.is_err()).count();
        assert_eq!(refused, 0, "the benchmark's own leads are refused");
    }
}

/// The instant, to measure with.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

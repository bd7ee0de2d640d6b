//! The leads, lanes and reps that the benchmarks of the index share, and the times of their steps.
//!
//! All leads are untouched and a tenth of them lose value, so every lead takes all the room it can.
//! 1,000 lanes, of which 200 are open to a rep. Where leads are kept, that is a twentieth of them, for one
//! of the reps, half of them until an instant; and each rep passes on three leads.
#![expect(clippy::print_stdout, reason = "a benchmark's output is its result")]

use std::collections::BTreeSet;
use std::sync::Arc;

use hdrhistogram::Histogram;

use nextlead::domain::{FirstTouchRank, LeadId, QueueKey, RepKey, Tier, Worth, WorthStep};
use nextlead::queue::{Ask, Basis, Entry, Keeper, Lane, OpenHours, Update};

pub(crate) const QUEUE: QueueKey = QueueKey(1);
const SKILL_COUNT: usize = 25;
const HOURS_COUNT: usize = 40;
const OPEN_SKILL_COUNT: usize = 10;
const OPEN_HOURS_COUNT: usize = 20;
const REP_COUNT: usize = 1_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// The histograms of the steps of a pull, in nanoseconds.
pub(crate) struct Times([(&'static str, Histogram<u64>); 4]);

impl Times {
    pub(crate) fn new() -> Self {
        Self(["propose", "served", "put", "all"].map(|step| {
            (step, Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are fixed"))
        }))
    }

    pub(crate) fn record(&mut self, times_ns: [u64; 4]) {
        for ((_, histogram), time_ns) in self.0.iter_mut().zip(times_ns) {
            histogram.saturating_record(time_ns);
        }
    }

    pub(crate) fn print(&self, lead_count: i64) {
        for (step, times) in &self.0 {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|at| times.value_at_quantile(at));
            println!("{lead_count:>11}  {step:<8} {p50:>9} {p99:>9} {p999:>9}");
        }
    }
}

/// The lanes, and who asks.
pub(crate) struct World {
    lanes: Vec<Lane>,
    keeps: bool,
    skills: Arc<BTreeSet<String>>,
    hours: Arc<OpenHours>,
}

impl World {
    /// With leads kept for one rep, or without.
    pub(crate) fn new(keeps: bool) -> Self {
        let hours: Vec<Arc<str>> =
            (0..HOURS_COUNT).map(|hours| format!("Zone/{hours}").into()).collect();
        let skill = |number: usize| format!("skill-{number}");
        let lane = |number: usize| Lane {
            skills: Arc::new(BTreeSet::from([skill(number / HOURS_COUNT)])),
            hours: Some(Arc::clone(&hours[number % HOURS_COUNT])),
        };
        let open = hours.iter().take(OPEN_HOURS_COUNT).cloned().collect();
        Self {
            lanes: (0..SKILL_COUNT * HOURS_COUNT).map(lane).collect(),
            keeps,
            skills: Arc::new((0..OPEN_SKILL_COUNT).map(skill).collect()),
            hours: Arc::new(OpenHours { number: 1, open }),
        }
    }

    /// A lead of this id, in a lane and with a worth that follow from the id.
    pub(crate) fn put(&self, lead: i64, version: i64, ready_since: i64) -> Update {
        let mixed = mix(lead as u64);
        let head_start_ms = (mixed % 1_000) as i64 * 60_000;
        let worth = if mixed.is_multiple_of(10) {
            let after = WorthStep { head_start_ms, until: None };
            let until = Some(ready_since.saturating_add(lead % 48 * HOUR_MS));
            Worth { head_start_ms: head_start_ms + HOUR_MS, until, later: vec![after] }
        } else {
            Worth::steady(head_start_ms)
        };
        let first_touch = FirstTouchRank {
            times_released: 0,
            due_at: ready_since + (mixed >> 32) as i64 % (4 * HOUR_MS),
            lead: LeadId(lead),
        };
        Update::Put(Box::new(Entry {
            lead: LeadId(lead),
            queue: QUEUE,
            version,
            basis: Basis::default(),
            tier: Tier::Ordinary,
            ready_since,
            due_at: None,
            worth,
            lane: self.lanes[(mixed >> 16) as usize % self.lanes.len()].clone(),
            keeper: self.keeper(mixed, ready_since),
            first_touch: Some(first_touch),
        }))
    }

    fn keeper(&self, mixed: u64, ready_since: i64) -> Option<Keeper> {
        let is_kept = self.keeps && (mixed >> 8).is_multiple_of(20);
        let rep = RepKey((mixed >> 40) as i64 % REP_COUNT as i64);
        let until = (mixed >> 60).is_multiple_of(2).then(|| ready_since + 24 * HOUR_MS);
        is_kept.then_some(Keeper { rep, until })
    }

    pub(crate) fn ask(&self, pull: usize, pull_count: usize) -> Ask {
        Ask {
            queue: QUEUE,
            rep: RepKey((pull % REP_COUNT) as i64),
            skills: Arc::clone(&self.skills),
            hours: Arc::clone(&self.hours),
            reserve_after: 4,
            passed: if self.keeps { passed(pull) } else { Vec::new() },
            count: 1,
            now: instant_of(pull, pull_count),
        }
    }
}

/// What the rep of a pull gave back: leads of lower ids, as those come first.
fn passed(pull: usize) -> Vec<LeadId> {
    (0..3).map(|nth| LeadId((mix((pull + nth) as u64) % 1_000) as i64 + 1)).collect()
}

/// The pulls are those of two days, whatever the size.
pub(crate) fn instant_of(pull: usize, pull_count: usize) -> i64 {
    pull as i64 * 48 * HOUR_MS / pull_count as i64
}

/// Spreads a number over all bits, always in the same way (the finaliser of SplitMix64).
fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

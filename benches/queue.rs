//! What does selecting the next lead cost with 1,000 lanes of which 200 are open to the rep, at
//! 100,000, a million and ten million leads; and how many bytes does a lead in line take?
//!
//! Each step is timed by itself, because the budget is a p99 and not a mean. All leads are
//! untouched and a tenth of them lose value, so every lead takes all the room it can. Sizes are
//! arguments (`cargo bench --bench queue -- 10000000`); `--quick` is one small size, for life signs.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its result")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use hdrhistogram::Histogram;

use nextlead::domain::{FirstTouchRank, LeadId, QueueKey, RepKey, Tier, Worth, WorthStep};
use nextlead::queue::{Ask, Entry, Lane, LeadQueue, MemoryQueue, OpenHours, Update};

const QUEUE: QueueKey = QueueKey(1);
const SKILL_COUNT: usize = 25;
const HOURS_COUNT: usize = 40;
const OPEN_SKILL_COUNT: usize = 10;
const OPEN_HOURS_COUNT: usize = 20;
const REP_COUNT: usize = 1_000;
const PULL_COUNT: usize = 200_000;
/// After how many pulls a node sweeps: some milliseconds' worth at the rate that it can serve.
const PULLS_PER_SWEEP: usize = 100;
const SWEEP_LIMIT: usize = 1_000;
const BATCH: i64 = 10_000;
const HOUR_MS: i64 = 3_600_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut sizes: Vec<i64> = arguments.iter().filter_map(|size| size.parse().ok()).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if sizes.is_empty() {
        // `cargo test` runs benchmarks too, without this flag.
        let is_quick = has("--quick") || !has("--bench");
        sizes = if is_quick { vec![100_000] } else { vec![100_000, 1_000_000] };
    }
    println!("{:>11}  {:<8} {:>9} {:>9} {:>9}  ns", "leads", "step", "p50", "p99", "p99.9");
    sizes.into_iter().for_each(measure);
}

fn measure(lead_count: i64) {
    let world = World::new();
    let resident_before = resident_bytes();
    let queue = MemoryQueue::new();
    ready(queue.begin(QUEUE, 0));
    let began = Instant::now();
    for first in (0..lead_count).step_by(BATCH as usize) {
        let batch = first..(first + BATCH).min(lead_count);
        apply(&queue, batch.map(|lead| world.put(lead + 1, 1, 0)).collect());
    }
    let built_in = began.elapsed();
    let bytes_per_lead = (resident_bytes() - resident_before) as f64 / lead_count as f64;

    let mut times = Times::new();
    for pull in 0..PULL_COUNT {
        if pull % PULLS_PER_SWEEP == 0 {
            sweep(&queue, instant_of(pull));
        }
        pull_and_replace(&queue, &world, pull, &mut times);
    }
    times.print(lead_count);
    let built_in_s = built_in.as_secs_f64();
    println!("{lead_count:>11}  {bytes_per_lead:.0} bytes a lead, built in {built_in_s:.1} s");
}

/// One pull as the dialer makes it: propose, served, and the touched lead put in line again.
fn pull_and_replace(queue: &MemoryQueue, world: &World, pull: usize, times: &mut Times) {
    let ask = world.ask(pull);
    let began = Instant::now();
    let proposal = ready(queue.propose(&ask));
    let proposed = Instant::now();
    let candidate = proposal.candidates[0];
    ready(queue.served(QUEUE, ask.rep, candidate.lead, candidate.order, ask.reserve_after));
    let served = Instant::now();
    let again = vec![world.put(candidate.lead.0, candidate.version + 1, ask.now)];
    let replacing = Instant::now();
    apply(queue, again);
    let replaced = Instant::now();

    let ns = |from: Instant, to: Instant| to.duration_since(from).as_nanos() as u64;
    let (select, serve, put) = (ns(began, proposed), ns(proposed, served), ns(replacing, replaced));
    times.record([select, serve, put, select + serve + put]);
}

/// The histograms of the steps of a pull, in nanoseconds.
struct Times([(&'static str, Histogram<u64>); 4]);

impl Times {
    fn new() -> Self {
        Self(["propose", "served", "put", "all"].map(|step| {
            (step, Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are fixed"))
        }))
    }

    fn record(&mut self, times_ns: [u64; 4]) {
        for ((_, histogram), time_ns) in self.0.iter_mut().zip(times_ns) {
            histogram.saturating_record(time_ns);
        }
    }

    fn print(&self, lead_count: i64) {
        for (step, times) in &self.0 {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|at| times.value_at_quantile(at));
            println!("{lead_count:>11}  {step:<8} {p50:>9} {p99:>9} {p999:>9}");
        }
    }
}

/// The lanes, and who asks.
struct World {
    lanes: Vec<Lane>,
    skills: Arc<BTreeSet<String>>,
    hours: Arc<OpenHours>,
}

impl World {
    fn new() -> Self {
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
            skills: Arc::new((0..OPEN_SKILL_COUNT).map(skill).collect()),
            hours: Arc::new(OpenHours { number: 1, open }),
        }
    }

    /// A lead of this id, in a lane and with a worth that follow from the id.
    fn put(&self, lead: i64, version: i64, ready_since: i64) -> Update {
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
            rule_version: 0,
            tier: Tier::Ordinary,
            ready_since,
            due_at: None,
            worth,
            lane: self.lanes[(mixed >> 16) as usize % self.lanes.len()].clone(),
            first_touch: Some(first_touch),
        }))
    }

    fn ask(&self, pull: usize) -> Ask {
        Ask {
            queue: QUEUE,
            rep: RepKey((pull % REP_COUNT) as i64),
            skills: Arc::clone(&self.skills),
            hours: Arc::clone(&self.hours),
            reserve_after: 4,
            passed: Vec::new(),
            count: 1,
            now: instant_of(pull),
        }
    }
}

/// The pulls are those of two days, whatever the size.
fn instant_of(pull: usize) -> i64 {
    pull as i64 * 48 * HOUR_MS / PULL_COUNT as i64
}

/// Ranks again what lost value, as a node does between pulls; its slices are not timed.
fn sweep(queue: &MemoryQueue, now: i64) {
    while ready(queue.promote(now, SWEEP_LIMIT)) == SWEEP_LIMIT {}
}

fn apply(queue: &MemoryQueue, updates: Vec<Update>) {
    ready(queue.apply(updates));
}

/// The answer of a call of the engine, which never waits for anything.
fn ready<T, E: std::fmt::Debug>(call: impl Future<Output = Result<T, E>>) -> T {
    call.now_or_never().expect("memory answers at once").expect("memory answers")
}

/// Spreads a number over all bits, always in the same way (the finaliser of SplitMix64).
fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What this process holds in memory; 0 where the system does not say.
fn resident_bytes() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok()).unwrap_or_default() * 4_096
}

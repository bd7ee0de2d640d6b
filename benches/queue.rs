//! What does selecting the next lead cost with 1,000 lanes of which 200 are open to the rep, at
//! 100,000, a million and ten million leads; and how many bytes does a lead in line take? Once with leads
//! that are anybody's, once with a twentieth kept for one rep each (owners, own callbacks) and with leads
//! that the rep is not to be offered.
//!
//! Each step is timed by itself, because the budget is a p99 and not a mean. All leads are
//! untouched and a tenth of them lose value, so every lead takes all the room it can. Sizes are
//! arguments (`cargo bench --bench queue -- 10000000`); `--quick` is one small size, for life signs.

#![expect(clippy::print_stdout, reason = "a benchmark's output is its result")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::time::Instant;

use futures_util::FutureExt;
use nextlead::queue::{Basis, LeadQueue, MemoryQueue, Update};

mod queue_world;

use queue_world::{QUEUE, Times, World, instant_of};

const PULL_COUNT: usize = 200_000;
/// After how many pulls a node sweeps: some milliseconds' worth at the rate that it can serve.
const PULLS_PER_SWEEP: usize = 100;
const SWEEP_LIMIT: usize = 1_000;
const BATCH: i64 = 10_000;

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
    for size in sizes {
        println!("{size:>11}  anybody's");
        measure(size, &World::new(false));
        println!("{size:>11}  a twentieth kept for one rep each, three passed on");
        measure(size, &World::new(true));
    }
}

fn measure(lead_count: i64, world: &World) {
    let resident_before = resident_bytes();
    let queue = MemoryQueue::new();
    ready(queue.begin(QUEUE, Basis::default()));
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
            sweep(&queue, instant_of(pull, PULL_COUNT));
        }
        pull_and_replace(&queue, world, pull, &mut times);
    }
    times.print(lead_count);
    let built_in_s = built_in.as_secs_f64();
    println!("{lead_count:>11}  {bytes_per_lead:.0} bytes a lead, built in {built_in_s:.1} s");
}

/// One pull as the dialer makes it: propose, served, and the touched lead put in line again.
fn pull_and_replace(queue: &MemoryQueue, world: &World, pull: usize, times: &mut Times) {
    let ask = world.ask(pull, PULL_COUNT);
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

/// What this process holds in memory; 0 where the system does not say.
fn resident_bytes() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok()).unwrap_or_default() * 4_096
}

//! What does the index cost in Redis: to build it, to pull from it alone and from many connections'
//! worth of tasks, in bytes a lead, and in calls a pull?
//!
//! The same leads, lanes and reps as in `queue.rs`, on a server of its own that keeps nothing on disk.
//! Sizes are arguments (`cargo bench --bench redis_queue -- 1000000`).

#![expect(clippy::print_stdout, reason = "a benchmark's output is its result")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at what it cannot do")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nextlead::queue::{Basis, LeadQueue, RedisOptions, RedisQueue};

mod queue_world;
#[path = "../tests/servers.rs"]
mod servers;

use queue_world::{QUEUE, Times, World, instant_of};
use servers::Redis;

const PULL_COUNT: usize = 20_000;
/// After how many pulls a node sweeps.
const PULLS_PER_SWEEP: usize = 100;
const SWEEP_LIMIT: usize = 1_000;
/// How many leads a node reads of its store at a time.
const PAGE_SIZE: i64 = 5_000;
/// How many pages are on their way at once: the older half of the leads and the younger.
const PAGES_UNDER_WAY: i64 = 2;
/// How many reps pull at once.
const TASK_COUNT: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut sizes: Vec<i64> = arguments.iter().filter_map(|size| size.parse().ok()).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if sizes.is_empty() {
        let is_quick = has("--quick") || !has("--bench");
        sizes = if is_quick { vec![20_000] } else { vec![100_000, 1_000_000] };
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("{:>11}  {:<8} {:>9} {:>9} {:>9}  ns", "leads", "step", "p50", "p99", "p99.9");
    sizes.into_iter().for_each(|size| runtime.block_on(measure(size)));
}

async fn measure(lead_count: i64) {
    let redis = Redis::start();
    let options = RedisOptions { timeout: Duration::from_secs(10), ..RedisOptions::default() };
    let queue = Arc::new(RedisQueue::open(&redis.url(), options).await.unwrap());
    let world = Arc::new(World::new(false));
    let used_before = info(&redis, "memory", "used_memory:");

    let began = Instant::now();
    let grows = queue.stage(QUEUE, Basis { rule_version: 1, lane_version: 0 }).await.unwrap();
    let halves = (0..PAGES_UNDER_WAY).map(|half| {
        let (queue, world) = (Arc::clone(&queue), Arc::clone(&world));
        let share = lead_count / PAGES_UNDER_WAY;
        async move {
            for first in (half * share..(half + 1) * share).step_by(PAGE_SIZE as usize) {
                let page = first..(first + PAGE_SIZE).min((half + 1) * share);
                let updates = page.map(|lead| world.put(lead + 1, 1, 0)).collect();
                queue.apply_staged(QUEUE, grows, updates).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(halves).await;
    queue.swap(QUEUE, grows, 0).await.unwrap();
    let built_in = began.elapsed();
    let build_s = work_of(&redis)[1];
    let bytes = (info(&redis, "memory", "used_memory:") - used_before) / lead_count as f64;
    let first = Instant::now();
    let ask = world.ask(0, PULL_COUNT);
    let proposal = queue.propose(&ask).await.unwrap();
    let arranged_in = first.elapsed();
    queue.put_back(QUEUE, &[proposal.candidates[0].lead]).await.unwrap();

    let mut times = Times::new();
    for pull in 0..PULL_COUNT {
        if pull % PULLS_PER_SWEEP == 0 {
            sweep(&queue, instant_of(pull, PULL_COUNT)).await;
        }
        cycle(&queue, &world, pull, &mut times).await;
    }
    let [calls_before, busy_before] = work_of(&redis);
    let rate = pull_together(&queue, &world).await;
    let [calls, busy_s] = work_of(&redis);
    let calls = (calls - calls_before) / PULL_COUNT as f64;
    let busy_us = (busy_s - busy_before) * 1e6 / PULL_COUNT as f64;
    times.print(lead_count);
    let (built_s, arranged_ms) = (built_in.as_secs_f64(), arranged_in.as_secs_f64() * 1e3);
    println!("{lead_count:>11}  {bytes:.0} bytes a lead, built in {built_s:.1} s");
    println!("{lead_count:>11}  the server worked {build_s:.1} s for it");
    println!("{lead_count:>11}  first pull {arranged_ms:.1} ms");
    println!("{lead_count:>11}  {calls:.2} scripts a cycle, {busy_us:.0} us of the server");
    println!("{lead_count:>11}  {rate:.0} cycles a second of {TASK_COUNT} tasks");
}

/// One pull as the dialer makes it: propose, served, and the touched lead put in line again.
async fn cycle(queue: &RedisQueue, world: &World, pull: usize, times: &mut Times) {
    let ask = world.ask(pull, PULL_COUNT);
    let began = Instant::now();
    let proposal = queue.propose(&ask).await.unwrap();
    let proposed = Instant::now();
    let candidate = proposal.candidates[0];
    let (lead, order) = (candidate.lead, candidate.order);
    queue.served(QUEUE, ask.rep, lead, order, ask.reserve_after).await.unwrap();
    let served = Instant::now();
    let again = vec![world.put(lead.0, candidate.version + 1, ask.now)];
    let replacing = Instant::now();
    queue.apply(again).await.unwrap();
    let replaced = Instant::now();

    let ns = |from: Instant, to: Instant| to.duration_since(from).as_nanos() as u64;
    let (select, serve, put) = (ns(began, proposed), ns(proposed, served), ns(replacing, replaced));
    times.record([select, serve, put, select + serve + put]);
}

/// Many reps at once. Answers how many cycles a second they make.
async fn pull_together(queue: &Arc<RedisQueue>, world: &Arc<World>) -> f64 {
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let tasks: Vec<_> = (0..TASK_COUNT)
        .map(|_| {
            let (queue, world, next) = (Arc::clone(queue), Arc::clone(world), Arc::clone(&next));
            tokio::spawn(async move {
                let mut times = Times::new();
                loop {
                    let pull = next.fetch_add(1, Ordering::Relaxed);
                    if pull >= PULL_COUNT {
                        break;
                    }
                    // The instant of the last pull: time has passed already.
                    cycle(&queue, &world, PULL_COUNT + pull % 100, &mut times).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    PULL_COUNT as f64 / began.elapsed().as_secs_f64()
}

/// Ranks again what lost value, as a node does between pulls; its slices are not timed.
async fn sweep(queue: &RedisQueue, now: i64) {
    while queue.promote(now, SWEEP_LIMIT).await.unwrap() == SWEEP_LIMIT {}
}

/// How many scripts the server ran, and how many seconds of a processor it has used.
fn work_of(redis: &Redis) -> [f64; 2] {
    let told = told(redis, "commandstats");
    let line = told.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    let calls = line.and_then(|line| line.split(',').next()).unwrap_or("0").parse().unwrap();
    [calls, info(redis, "cpu", "used_cpu_user:") + info(redis, "cpu", "used_cpu_sys:")]
}

fn told(redis: &Redis, section: &str) -> String {
    let mut connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    redis::cmd("INFO").arg(section).query(&mut connection).unwrap()
}

/// A number that the server tells of itself.
fn info(redis: &Redis, section: &str, name: &str) -> f64 {
    let told = told(redis, section);
    let value = told.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
    value.split(',').next().unwrap().trim().parse().unwrap()
}

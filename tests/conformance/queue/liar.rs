//! A Redis that lies makes the index err, and nothing worse: no panic, no endless wait, no memory
//! without bound; and once it tells the truth again, what the index says is right again.

use std::collections::BTreeSet;
use std::time::Duration;

use nextlead::domain::{LeadId, RepKey, ServeOrder};
use nextlead::queue::{Ask, Entry, LeadQueue, QueueError, RedisOptions, RedisQueue, Swap};

use super::support::{
    QUEUE, RESERVE_AFTER, RULES, ask, by, drain, puts, remove, untouched, waiting,
};
use crate::liar::Liar;
use crate::servers::Redis;

/// How many lies are told; `NEXTLEAD_LIES` asks for others.
const LIE_COUNT: u64 = 2_000;
/// How long one call may take: a few timeouts, on a machine that is busy.
const CALL_MAX: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_millis(100);
const LEAD_COUNT: i64 = 40;
/// What the process may grow by meanwhile: a huge answer is cut off at 64 MiB, and copied once.
const GROWTH_MAX: i64 = 512 << 20;

fn lies_wanted() -> u64 {
    std::env::var("NEXTLEAD_LIES").map_or(LIE_COUNT, |count| count.parse().unwrap())
}

fn resident_bytes() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<i64>().unwrap() * 4_096
}

/// Does one thing with the index, whatever comes of it.
async fn one(queue: &RedisQueue, step: i64) -> Result<(), QueueError> {
    let lead = step % LEAD_COUNT + 1;
    let asked = Ask { rep: RepKey(step % 3), count: 1 + (step % 4) as usize, ..ask(step) };
    let entry = Entry { version: step, ..untouched(lead, 0, step) };
    match step % 17 {
        0..4 => {
            let proposal = queue.propose(&asked).await?;
            assert!(proposal.candidates.len() <= asked.count, "no more than were asked for");
        }
        4..7 => drop(queue.apply(puts([entry, waiting(lead % 7 + 1, step + 30)])).await?),
        7 => drop(queue.apply(vec![remove(lead, step)]).await?),
        8 => {
            let order = [ServeOrder::Callback, ServeOrder::FirstTouch, ServeOrder::Ordinary];
            let order = order[(step % 3) as usize];
            queue.served(QUEUE, asked.rep, LeadId(lead), order, RESERVE_AFTER).await?;
        }
        9 => queue.put_back(QUEUE, &[LeadId(lead), LeadId(3)]).await?,
        10 => assert!(queue.promote(step, 10).await? <= 10),
        11 => drop((queue.counts(&asked).await?, queue.census(QUEUE).await?)),
        12 => assert!(queue.peek(QUEUE, step, 7).await?.places.len() <= 7),
        13 => drop((queue.place_of(QUEUE, LeadId(lead), step).await?, queue.hours(QUEUE).await?)),
        14 => drop((queue.known(QUEUE, 0, 10).await?, queue.next_due_at(QUEUE).await?)),
        15 => {
            queue.begin(QUEUE, by(RULES)).await?;
            queue.is_built(QUEUE).await?;
        }
        _ => {
            let grows = queue.stage(QUEUE, by(step)).await?;
            queue.apply_staged(QUEUE, grows, puts([entry])).await?;
            queue.swap(QUEUE, grows, 0).await?;
        }
    }
    Ok(())
}

/// Builds the index from scratch, as a node does when it has reason to, until it is told the truth.
async fn build(queue: &RedisQueue, leads: impl Iterator<Item = i64> + Clone) {
    for _ in 0..1_000 {
        let built = async {
            let grows = queue.stage(QUEUE, by(RULES)).await?;
            let entries =
                leads.clone().map(|lead| Entry { version: 1, ..untouched(lead, 0, lead) });
            queue.apply_staged(QUEUE, grows, puts(entries)).await?;
            let swapped = queue.swap(QUEUE, grows, 0).await?;
            assert_eq!(swapped, Swap::Done);
            Ok::<_, QueueError>(())
        };
        if built.await.is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it was never built");
}

#[tokio::test]
async fn a_lying_redis_costs_time_and_nothing_else() {
    let redis = Redis::start();
    let liar = Liar::start(&redis.url(), 4_711);
    let options = RedisOptions { prefix: "liar".to_owned(), timeout: TIMEOUT };
    let queue = RedisQueue::open(&liar.url(), options).await.unwrap();
    queue.begin(QUEUE, by(RULES)).await.unwrap();
    let before = resident_bytes();
    liar.lie(500);
    let (mut step, mut error_count) = (0, 0_u64);
    while liar.lie_count() < lies_wanted() {
        step += 1;
        let done = tokio::time::timeout(CALL_MAX, one(&queue, step)).await;
        let done = done.unwrap_or_else(|_| panic!("step {step} never ended"));
        error_count += u64::from(done.is_err());
        if queue.measures().is_out_of_reach() {
            tokio::task::yield_now().await;
        }
    }
    let growth = resident_bytes() - before;
    assert!(growth < GROWTH_MAX, "{growth} bytes");
    assert!(error_count > 100 && queue.measures().nonsense_count() > 100);

    liar.lie(0);
    while queue.measures().is_out_of_reach() {
        tokio::task::yield_now().await;
    }
    build(&queue, 100..130).await;
    let mut left: Vec<i64> = drain(&queue, &ask(0)).await;
    // What was in flight when the index was built anew flies on until its deadline.
    queue.promote(i64::MAX, 1_000).await.unwrap();
    left.extend(drain(&queue, &ask(i64::MAX / 4)).await);
    let left: BTreeSet<i64> = left.into_iter().filter(|lead| *lead >= 100).collect();
    assert_eq!(left, (100..130).collect());
    eprintln!("{:?} in {step} calls, {error_count} errors", liar.told());
}

//! A Redis that loses keys: it was told to make room and chose some, or somebody deleted them. What is
//! lost does not come back by itself, so the index says that it is not built, and is built again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use nextlead::domain::{RepKey, Worth};
use nextlead::queue::{
    Ask, Entry, FLIGHT_MS_MAX, Keeper, LANE_COUNT_MAX, LeadQueue, OpenHours, QueueError,
    RedisOptions, RedisQueue, Swap,
};

use super::support::{
    CLOSED, OPEN, QUEUE, RULES, ask, begin, by, candidates, drain, ending, entry, lane, names, put,
    puts, untouched,
};
use crate::servers::Redis;

const LEAD_COUNT: i64 = 30;
/// How often nodes look at an index until they must have noticed: of many lanes, not every look is at
/// all, and a look is at few leads of each.
const LOOK_COUNT_MAX: usize = 80;

async fn open(url: &str, prefix: &str) -> RedisQueue {
    let options = RedisOptions { prefix: prefix.to_owned(), timeout: Duration::from_secs(30) };
    RedisQueue::open(url, options).await.unwrap()
}

/// Tells the server something.
fn tell<T: redis::FromRedisValue>(url: &str, words: &[&str]) -> T {
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query(&mut connection).unwrap()
}

/// The one key whose name ends so.
fn key(url: &str, end: &str) -> String {
    let keys: Vec<String> = tell(url, &["KEYS", &format!("*:{end}")]);
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys[0].clone()
}

#[tokio::test]
async fn lanes_that_cannot_be_learned_end_a_pull() {
    let redis = Redis::start();
    let queue = begin(open(&redis.url(), "unlearnt").await).await;
    let solar = |lead| Entry { lane: lane(&["solar"], Some(OPEN)), ..untouched(lead, 0, lead) };
    put(&queue, [untouched(1, 0, 1), solar(2)]).await;
    let asked = Ask { skills: names(&["solar"]), count: 2, ..ask(0) };
    assert_eq!(candidates(&queue, &asked).await.len(), 2, "it knows both lanes");
    tell::<()>(&redis.url(), &["HDEL", &key(&redis.url(), "lanes"), "1"]);
    let answer = queue.propose(&asked).await;
    assert!(matches!(answer, Err(QueueError::NotBuilt(QUEUE))), "{answer:?}");
}

/// Leads of every kind: untouched ones, some whose head start ends, some that wait, some that are kept for
/// one of two reps, in several lanes.
fn leads() -> impl Iterator<Item = Entry> {
    let skills = |lead: i64| if lead % 3 == 0 { &["solar"][..] } else { &[] };
    (1..=LEAD_COUNT).map(move |lead| {
        let due_at = (lead % 5 == 0).then_some(1_000 + lead);
        let worth = if lead % 4 == 0 { ending(90, 2_000, 5) } else { Worth::steady(0) };
        let hours = if lead % 7 == 0 { CLOSED } else { OPEN };
        let lane = lane(skills(lead), Some(hours));
        let until = (lead % 4 < 2).then_some(3_000);
        let keeper = (lead % 3 == 1).then_some(Keeper { rep: RepKey(1 + lead % 2), until });
        Entry { due_at, worth, lane, keeper, ..untouched(lead, 0, lead) }
    })
}

/// Builds the index again, as a node does that finds it is not built.
async fn build(queue: &RedisQueue, leads: impl Iterator<Item = Entry>) {
    let generation = queue.stage(QUEUE, by(RULES)).await.unwrap();
    queue.apply_staged(QUEUE, generation, puts(leads)).await.unwrap();
    assert_eq!(queue.swap(QUEUE, generation, 0).await.unwrap(), Swap::Done);
}

/// A pull at an instant at which everything is ready, by a rep who can do everything.
fn whole(now: i64) -> Ask {
    let open = BTreeSet::from([OPEN.into(), CLOSED.into()]);
    Ask { skills: names(&["solar"]), hours: Arc::new(OpenHours { number: 2, open }), ..ask(now) }
}

/// Looks at the index as nodes do again and again, until one of them notices.
async fn is_missed(queue: &RedisQueue) -> bool {
    for _ in 0..LOOK_COUNT_MAX {
        if queue.is_built(QUEUE).await.unwrap().is_none() {
            return true;
        }
    }
    false
}

/// Takes one key after another away, from an index of its own each, and does not give it back.
async fn lose_each_key(prefix: &str, has_pulls_between: bool) {
    let redis = Redis::start();
    let url = redis.url();
    for nth in 0.. {
        tell::<()>(&url, &["FLUSHALL"]);
        let queue = begin(open(&url, &format!("{prefix}{nth}")).await).await;
        put(&queue, leads()).await;
        assert_eq!(candidates(&queue, &Ask { count: 2, ..ask(0) }).await.len(), 2);
        assert!(!is_missed(&queue).await, "nothing is missing yet");
        let mut keys: Vec<String> = tell(&url, &["KEYS", "*"]);
        keys.sort();
        let Some(key) = keys.get(nth) else { break };
        tell::<()>(&url, &["DEL", key]);
        for step in 0..if has_pulls_between { 40 } else { 0 } {
            // It may err, or offer what it still has: it ends, and does not panic.
            let _ = queue.propose(&Ask { count: 5, ..ask(step) }).await;
            let _ = queue.promote(step * 100, 10).await;
        }
        if is_missed(&queue).await {
            let answer = queue.propose(&whole(0)).await;
            assert!(matches!(answer, Err(QueueError::NotBuilt(QUEUE))), "{key}: {answer:?}");
            build(&queue, leads()).await;
            assert!(!is_missed(&queue).await, "{key}: it is whole again");
        } else {
            // The heads of a lane come back with its next change.
            assert!(has_pulls_between, "nobody misses {key}");
        }
        queue.promote(i64::MAX, 1_000).await.unwrap();
        let all = whole(FLIGHT_MS_MAX * 2);
        let mut served = drain(&queue, &all).await;
        served.extend(drain(&queue, &Ask { rep: RepKey(2), ..all }).await);
        served.sort_unstable();
        assert_eq!(served, (1..=LEAD_COUNT).collect::<Vec<_>>(), "{key}");
        assert!(nth < 100);
    }
}

#[tokio::test]
async fn whatever_key_is_lost_the_index_is_built_again() {
    lose_each_key("lost", false).await;
}

#[tokio::test]
async fn whatever_key_is_lost_under_pulls_the_index_is_built_again() {
    lose_each_key("pulled", true).await;
}

#[tokio::test]
async fn what_leads_of_coarse_lanes_need_is_missed_too() {
    let redis = Redis::start();
    let last = i64::try_from(LANE_COUNT_MAX).unwrap();
    let own = |lead| Entry { lane: lane(&[&format!("skill-{lead}")], Some(OPEN)), ..entry(lead) };
    for end in ["needs", "mixed"] {
        tell::<()>(&redis.url(), &["FLUSHALL"]);
        let queue = begin(open(&redis.url(), end).await).await;
        put(&queue, (1..=last + 9).map(own)).await;
        assert!(!is_missed(&queue).await, "nothing is missing yet");
        tell::<()>(&redis.url(), &["DEL", &key(&redis.url(), end)]);
        assert!(is_missed(&queue).await, "nobody misses {end}");
        assert_eq!(queue.measures().loss_count(), 1);
    }
}

#[tokio::test]
async fn a_server_that_may_evict_is_told_of() {
    let redis = Redis::start();
    let queue = open(&redis.url(), "kept").await;
    assert!(!queue.measures().may_evict());
    tell::<()>(&redis.url(), &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let queue = open(&redis.url(), "evicted").await;
    while !queue.measures().may_evict() {
        tokio::task::yield_now().await;
    }
}

//! What only a shared index can do: be used by two nodes, be wiped, go away and come back, and stand on
//! several masters.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nextlead::domain::{QueueKey, ServeOrder};
use nextlead::queue::{
    Ask, Entry, FLIGHT_MS_MAX, LeadQueue, QueueError, RedisOptions, RedisQueue, Swap,
};

use super::open_at;
use super::support::{
    CLOSED, OPEN, QUEUE, REP, RESERVE_AFTER, RULES, ask, begin, by, candidates, drain, entry, ids,
    lane, names, pull, put, put_back, puts, remove, untouched, waiting,
};
use crate::servers::{Redis, RedisCluster};

/// How many queues are spread over a cluster.
const QUEUES: i64 = 12;

/// A second node on the index of the first.
async fn open_again(url: &str, prefix: &str) -> RedisQueue {
    let options = RedisOptions { prefix: prefix.to_owned(), timeout: Duration::from_secs(30) };
    RedisQueue::open(url, options).await.unwrap()
}

/// The names of all keys of a server.
fn keys(url: &str) -> BTreeSet<String> {
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    redis::cmd("KEYS").arg("*").query(&mut connection).unwrap()
}

/// Tells a server something.
fn tell(url: &str, words: &[&str]) {
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query::<()>(&mut connection).unwrap();
}

fn flush(url: &str) {
    tell(url, &["FLUSHALL"]);
}

#[tokio::test]
async fn two_nodes_share_one_order() {
    let redis = Redis::start();
    let one = begin(open_again(&redis.url(), "shared").await).await;
    let other = open_again(&redis.url(), "shared").await;
    put(&one, (1..=4).map(entry)).await;
    assert_eq!(pull(&other, &ask(0)).await, Some(1));
    assert_eq!(pull(&one, &ask(0)).await, Some(2));
    other.served(QUEUE, REP, ids(&[1])[0], ServeOrder::Ordinary, RESERVE_AFTER).await.unwrap();
    // The node that pulled it died; the other one puts it back.
    assert_eq!(other.promote(FLIGHT_MS_MAX, 10).await.unwrap(), 1);
    assert_eq!(drain(&other, &ask(FLIGHT_MS_MAX)).await, [2, 3, 4]);

    // A lane, and hours, that only one of them has met.
    put_back(&one, &[2, 3, 4]).await;
    let far = Entry { ready_since: -9, lane: lane(&["solar"], Some(CLOSED)), ..entry(9) };
    put(&one, [far]).await;
    let mut asked = Ask { skills: names(&["solar"]), ..ask(0) };
    assert_eq!(pull(&other, &asked).await, Some(2), "it does not know that these hours are open");
    let hours: BTreeSet<_> = other.hours(QUEUE).await.unwrap().into_iter().collect();
    assert_eq!(hours, BTreeSet::from([OPEN.into(), CLOSED.into()]), "and learns of them");
    asked.hours = nextlead::queue::OpenHours { number: 2, open: hours }.into();
    assert_eq!(pull(&other, &asked).await, Some(9));

    // A line that one of them put in use.
    let grows = one.stage(QUEUE, by(RULES + 1)).await.unwrap();
    one.apply_staged(QUEUE, grows, puts([Entry { version: 7, ..entry(30) }])).await.unwrap();
    other.apply(vec![remove(31, 4)]).await.unwrap();
    assert_eq!(one.swap(QUEUE, grows, 0).await.unwrap(), Swap::Behind(ids(&[31])));
    one.apply_staged(QUEUE, grows, vec![remove(31, 4)]).await.unwrap();
    assert_eq!(one.swap(QUEUE, grows, 0).await.unwrap(), Swap::Done);
    assert_eq!(drain(&other, &ask(0)).await, [30]);
    assert_eq!(other.is_built(QUEUE).await.unwrap(), Some(by(RULES + 1)));
}

#[tokio::test]
async fn a_wiped_index_says_so_and_is_built_again() {
    let redis = Redis::start();
    let queue = begin(open_again(&redis.url(), "wiped").await).await;
    put(&queue, (1..=3).map(entry)).await;
    assert_eq!(pull(&queue, &ask(0)).await, Some(1));
    flush(&redis.url());
    assert_eq!(queue.is_built(QUEUE).await.unwrap(), None);
    for answer in [
        queue.propose(&ask(0)).await.map(drop),
        queue.apply(puts([entry(5)])).await.map(drop),
        queue.counts(&ask(0)).await.map(drop),
        queue.put_back(QUEUE, &ids(&[1])).await,
        queue.hours(QUEUE).await.map(drop),
    ] {
        assert!(matches!(answer, Err(QueueError::NotBuilt(QUEUE))), "{answer:?}");
    }
    assert_eq!(queue.promote(i64::MAX, 10).await.unwrap(), 0);
    queue.begin(QUEUE, by(RULES)).await.unwrap();
    put(&queue, (1..=2).map(untouched_again)).await;
    assert_eq!(drain(&queue, &ask(0)).await, [1, 2]);
}

fn untouched_again(lead: i64) -> Entry {
    Entry { version: 2, ..untouched(lead, 0, lead) }
}

/// A pull that asks until the server is found again.
async fn pull_when_found(queue: &RedisQueue) -> Result<Option<i64>, QueueError> {
    loop {
        match queue.propose(&ask(0)).await {
            Err(QueueError::Unavailable(_)) => tokio::task::yield_now().await,
            answer => return answer.map(|proposal| proposal.candidates.first().map(|c| c.lead.0)),
        }
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it is about real time")]
async fn a_server_that_went_away_is_missed_at_once_and_found_again() {
    let mut redis = Redis::start();
    let queue = begin(open_again(&redis.url(), "gone").await).await;
    put(&queue, [entry(1)]).await;
    redis.kill();
    assert!(matches!(queue.propose(&ask(0)).await, Err(QueueError::Unavailable(_))));
    assert!(queue.measures().is_out_of_reach());
    let began = Instant::now();
    for _ in 0..1_000 {
        assert!(matches!(queue.propose(&ask(0)).await, Err(QueueError::Unavailable(_))));
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "nobody waits for it: {took:?}");
    redis.start_again();
    let answer = pull_when_found(&queue).await;
    assert!(matches!(answer, Err(QueueError::NotBuilt(QUEUE))), "{answer:?}");
    queue.begin(QUEUE, by(RULES)).await.unwrap();
    put(&queue, [entry(1)]).await;
    assert_eq!(pull_when_found(&queue).await.unwrap(), Some(1));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it is about real time")]
async fn a_server_that_hangs_is_given_up_in_time() {
    let redis = Redis::start();
    let options = RedisOptions { prefix: "hangs".to_owned(), timeout: Duration::from_millis(200) };
    let queue = begin(RedisQueue::open(&redis.url(), options).await.unwrap()).await;
    put(&queue, [entry(1)]).await;
    redis.signal("STOP");
    let began = Instant::now();
    assert!(matches!(queue.propose(&ask(0)).await, Err(QueueError::Unavailable(_))));
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "one timeout, on a machine that is busy: {took:?}");
    redis.signal("CONT");
    // Its pull may have been done, or not: the lead is there, in line or in flight.
    pull_when_found(&queue).await.unwrap();
    queue.promote(FLIGHT_MS_MAX, 10).await.unwrap();
    assert_eq!(drain(&queue, &ask(FLIGHT_MS_MAX)).await, [1]);
}

/// A master that was replaced by another goes on as its replica: it answers, and takes no writes.
#[tokio::test]
async fn a_server_that_takes_no_writes_is_given_up_until_it_does() {
    let redis = Redis::start();
    let queue = begin(open_again(&redis.url(), "replaced").await).await;
    put(&queue, [entry(1)]).await;
    let nowhere = crate::servers::free_port().to_string();
    tell(&redis.url(), &["REPLICAOF", "127.0.0.1", &nowhere]);
    assert!(matches!(queue.propose(&ask(0)).await, Err(QueueError::Unavailable(_))));
    assert!(queue.measures().is_out_of_reach());
    let late = open_again(&redis.url(), "replaced").await;
    assert!(late.measures().is_out_of_reach(), "a node that starts now looks for it, too");
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
        assert!(queue.measures().is_out_of_reach(), "it answers, but that is not enough");
    }
    tell(&redis.url(), &["REPLICAOF", "NO", "ONE"]);
    assert_eq!(pull_when_found(&queue).await.unwrap(), Some(1));
    assert_eq!(pull_when_found(&late).await.unwrap(), None, "the one lead is in flight");
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_found_when_it_comes() {
    let mut redis = Redis::start();
    redis.kill();
    let queue = open_again(&redis.url(), "later").await;
    assert!(matches!(queue.is_built(QUEUE).await, Err(QueueError::Unavailable(_))));
    redis.start_again();
    assert!(matches!(pull_when_found(&queue).await, Err(QueueError::NotBuilt(QUEUE))));
}

#[tokio::test]
async fn nothing_is_left_of_a_line_that_is_no_longer_used() {
    let redis = Redis::start();
    let queue = begin(open_again(&redis.url(), "left").await).await;
    let lanes = |lead: i64| {
        let skill = format!("skill-{}", lead % 600);
        Entry { lane: lane(&[&skill], Some(OPEN)), ..untouched(lead, 0, lead) }
    };
    put(&queue, (1..=1_200).map(lanes)).await;
    let skills = names(&["skill-1", "skill-2"]);
    candidates(&queue, &Ask { skills: skills.clone(), ..ask(0) }).await;
    for rules in 2..4 {
        let grows = queue.stage(QUEUE, by(rules)).await.unwrap();
        queue.apply_staged(QUEUE, grows, puts((1..=900).map(lanes))).await.unwrap();
        let grows = queue.stage(QUEUE, by(rules)).await.unwrap();
        queue.apply_staged(QUEUE, grows, puts([entry(1)])).await.unwrap();
        assert_eq!(queue.swap(QUEUE, grows, 0).await.unwrap(), Swap::Done);
    }
    let left = keys(&redis.url());
    let generations: BTreeSet<&str> = left
        .iter()
        .filter_map(|key| key.split(':').nth(2))
        .filter(|part| part.len() == 16)
        .collect();
    assert!(generations.len() <= 1 && left.len() < 20, "{left:?}");
}

#[tokio::test]
async fn queues_spread_over_the_masters_of_a_cluster() {
    let mut cluster = RedisCluster::start();
    let queue = open_at(&cluster.urls()).await;
    for number in 1..=12 {
        queue.begin(QueueKey(number), by(RULES)).await.unwrap();
        let entries = (1..=3).map(|lead| Entry { queue: QueueKey(number), ..entry(lead) });
        queue.apply(puts(entries)).await.unwrap();
    }
    for number in 1..=12 {
        assert_eq!(drain(&queue, &Ask { queue: QueueKey(number), ..ask(0) }).await, [1, 2, 3]);
    }
    let counts: Vec<usize> =
        cluster.masters().iter().map(|master| keys(&master.url()).len()).collect();
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");

    // One of its addresses will do, if it says what it is of.
    let one = cluster.urls().split(',').next().unwrap().replace("redis://", "redis-cluster://");
    let queue = open_at(&one).await;
    for number in 1..=12 {
        queue.begin(QueueKey(number), by(RULES)).await.unwrap();
        let put = puts([Entry { queue: QueueKey(number), ..entry(7) }]);
        queue.apply(put).await.unwrap();
        assert_eq!(drain(&queue, &Ask { queue: QueueKey(number), ..ask(0) }).await, [7]);
    }
}

#[tokio::test]
async fn a_master_that_hangs_or_dies_stops_its_own_queues_alone() {
    let mut cluster = RedisCluster::start();
    let options = RedisOptions { prefix: "parts".to_owned(), timeout: Duration::from_secs(1) };
    let queue = RedisQueue::open(&cluster.urls(), options).await.unwrap();
    let asked = |number| Ask { queue: QueueKey(number), ..ask(0) };
    for number in 1..=QUEUES {
        queue.begin(QueueKey(number), by(RULES)).await.unwrap();
        let entries = [entry(1), waiting(2, 50)];
        let entries = entries.map(|entry| Entry { queue: QueueKey(number), ..entry });
        queue.apply(puts(entries)).await.unwrap();
        assert_eq!(pull(&queue, &asked(number)).await, Some(1));
    }
    cluster.masters()[0].signal("STOP");
    let lost = lost_queues(&queue).await;
    assert!(!lost.is_empty() && lost.len() < QUEUES as usize, "{lost:?}");
    assert!(queue.promote(50, 1_000).await.is_err(), "some were not promoted");
    for number in (1..=QUEUES).filter(|number| !lost.contains(number)) {
        let left = drain(&queue, &asked(number)).await;
        assert_eq!(left, [2], "queue {number} goes on, and was promoted");
    }
    cluster.masters()[0].signal("CONT");
    for number in &lost {
        while queue.propose(&asked(*number)).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    assert!(!queue.measures().is_out_of_reach());
    cluster.masters()[0].kill();
    assert_eq!(lost_queues(&queue).await, lost);
}

/// The queues that do not answer, while others do.
async fn lost_queues(queue: &RedisQueue) -> Vec<i64> {
    let mut lost = Vec::new();
    for number in 1..=QUEUES {
        if queue.is_built(QueueKey(number)).await.is_err() {
            lost.push(number);
        }
    }
    lost
}

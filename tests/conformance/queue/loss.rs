//! A Redis that loses keys: it was told to make room and chose some, or somebody deleted them. What is
//! lost does not come back by itself, so the index says that it is not built, and is built again.

use std::time::Duration;

use nextlead::queue::{Ask, Entry, LeadQueue, QueueError, RedisOptions, RedisQueue};

use super::support::{OPEN, QUEUE, ask, begin, candidates, lane, names, put, untouched};
use crate::servers::Redis;

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

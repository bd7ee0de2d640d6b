//! What a queue needs before it is served: an index, begun or built.

use std::collections::BTreeSet;
use std::fmt::Debug;

use nextlead::domain::{LeadId, QueueKey, ServeOrder};
use nextlead::queue::{Applied, Ask, Entry, Generation, LeadQueue, QueueError, Swap};

use super::support::{
    QUEUE, REP, RESERVE_AFTER, RULES, ask, by, drain, entry, pull, put, puts, remove, waiting,
};

/// A queue that nobody has begun.
const OTHER: QueueKey = QueueKey(77);

fn of_other(entry: Entry) -> Entry {
    Entry { queue: OTHER, ..entry }
}

fn not_built<T: Debug>(answer: Result<T, QueueError>) {
    assert!(matches!(answer, Err(QueueError::NotBuilt(OTHER))), "{answer:?}");
}

fn overtaken<T: Debug>(answer: Result<T, QueueError>) {
    assert!(matches!(answer, Err(QueueError::Overtaken(OTHER))), "{answer:?}");
}

pub(super) async fn before_a_queue_is_built_everything_says_so(queue: impl LeadQueue) {
    let asked = Ask { queue: OTHER, ..ask(5) };
    let lead = LeadId(1);
    assert_eq!(queue.is_built(OTHER).await.unwrap(), None);
    not_built(queue.apply(puts([of_other(entry(1))])).await);
    not_built(queue.propose(&asked).await);
    not_built(queue.served(OTHER, REP, lead, ServeOrder::Ordinary, RESERVE_AFTER).await);
    not_built(queue.put_back(OTHER, &[lead]).await);
    not_built(queue.next_due_at(OTHER).await);
    not_built(queue.counts(&asked).await);
    not_built(queue.census(OTHER).await);
    not_built(queue.hours(OTHER).await);
    not_built(queue.peek(OTHER, 5, 9).await);
    not_built(queue.place_of(OTHER, lead, 5).await);
    not_built(queue.known(OTHER, 0, 10).await);
    let nothing = Generation(3);
    overtaken(queue.swap(OTHER, nothing, 0).await);
    overtaken(queue.apply_staged(OTHER, nothing, puts([of_other(entry(1))])).await);
    overtaken(queue.apply_staged(OTHER, nothing, Vec::new()).await);
    assert_eq!(queue.staged(OTHER).await.unwrap(), None);
    queue.unstage(OTHER, nothing).await.unwrap();
    assert_eq!(queue.promote(5, 10).await.unwrap(), 0);
    assert_eq!(queue.is_built(OTHER).await.unwrap(), None, "to ask begins nothing");
}

pub(super) async fn a_queue_that_has_an_index_keeps_it_when_it_is_begun_again(
    queue: impl LeadQueue,
) {
    put(&queue, [entry(1)]).await;
    queue.begin(QUEUE, by(RULES + 8)).await.unwrap();
    assert_eq!(queue.is_built(QUEUE).await.unwrap(), Some(by(RULES)));
    assert_eq!(drain(&queue, &ask(0)).await, [1]);
}

pub(super) async fn a_swap_builds_a_queue_that_had_no_index(queue: impl LeadQueue) {
    let grows = queue.stage(OTHER, by(5)).await.unwrap();
    queue
        .apply_staged(OTHER, grows, puts([1, 2, 3].map(|lead| of_other(entry(lead)))))
        .await
        .unwrap();
    let asked = Ask { queue: OTHER, ..ask(0) };
    not_built(queue.propose(&asked).await);
    // Another node's commits find no index, and are not forgotten by the one that grows.
    let newer = of_other(Entry { version: 2, ..waiting(2, 90) });
    not_built(queue.apply(puts([newer.clone()])).await);
    assert_eq!(queue.swap(OTHER, grows, 0).await.unwrap(), Swap::Behind(vec![LeadId(2)]));
    not_built(queue.propose(&asked).await);
    queue.apply_staged(OTHER, grows, puts([newer])).await.unwrap();
    assert_eq!(queue.swap(OTHER, grows, 0).await.unwrap(), Swap::Done);
    assert_eq!(queue.is_built(OTHER).await.unwrap(), Some(by(5)));
    assert_eq!(queue.propose(&asked).await.unwrap().basis, by(5));
    assert_eq!(drain(&queue, &asked).await, [3]);
    assert_eq!(queue.next_due_at(OTHER).await.unwrap(), Some(90));
}

pub(super) async fn changes_of_a_queue_that_is_not_built_hold_up_no_other(queue: impl LeadQueue) {
    let mixed = puts([entry(1), of_other(entry(2)), entry(3)]);
    not_built(queue.apply(mixed).await);
    assert_eq!(drain(&queue, &ask(0)).await, [1, 3]);
}

pub(super) async fn what_an_index_holds_is_listed_whole_or_not_at_all(queue: impl LeadQueue) {
    let version = |lead: i64| Entry { version: lead % 5 + 1, ..entry(lead) };
    put(&queue, (1..=700).map(version).chain((701..=750).map(|lead| waiting(lead, 50)))).await;
    assert_eq!(pull(&queue, &ask(0)).await, Some(1), "what is in flight is held, too");
    let taken_out = queue.apply(vec![remove(2, 9)]).await.unwrap();
    assert_eq!(taken_out, Applied { changed_count: 1, overtaken: Vec::new() });
    let (mut leads, mut from) = (BTreeSet::new(), Some(0));
    for _ in 0..1_000 {
        let Some(place) = from else { break };
        let slice = queue.known(QUEUE, place, 100).await.unwrap();
        leads.extend(slice.leads);
        from = slice.next;
    }
    assert_eq!(from, None, "it comes to an end");
    let all = (1..=750).filter(|lead| *lead != 2);
    let version = |lead: i64| if lead <= 700 { lead % 5 + 1 } else { 1 };
    let all: BTreeSet<_> = all.map(|lead| (LeadId(lead), version(lead))).collect();
    assert!(leads.is_empty() || leads == all, "{} of {}", leads.len(), all.len());
}

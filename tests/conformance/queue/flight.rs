//! What was proposed is in flight, and no way out forgets it.

use nextlead::domain::{LeadId, ServeOrder};
use nextlead::queue::{Ask, Entry, FLIGHT_MS_MAX, LeadQueue};

use super::support::{
    QUEUE, REP, RESERVE_AFTER, ask, candidates, drain, ending, entry, pull, put, put_back, remove,
    serve, untouched, waiting,
};

pub(super) async fn a_lead_in_flight_is_not_offered_again(queue: impl LeadQueue) {
    put(&queue, [entry(1)]).await;
    assert_eq!(pull(&queue, &ask(0)).await, Some(1));
    assert_eq!(pull(&queue, &ask(0)).await, None);
    assert_eq!(queue.counts(&ask(0)).await.unwrap().in_flight, 1);
}

pub(super) async fn a_served_lead_does_not_come_back(queue: impl LeadQueue) {
    put(&queue, [entry(1)]).await;
    assert_eq!(serve(&queue, &ask(0)).await, Some((1, ServeOrder::Ordinary)));
    put_back(&queue, &[1]).await;
    let late = FLIGHT_MS_MAX * 2;
    assert_eq!(queue.promote(late, 10).await.unwrap(), 0);
    assert_eq!(pull(&queue, &ask(late)).await, None);
    assert_eq!(queue.counts(&ask(0)).await.unwrap().in_flight, 0);
}

pub(super) async fn what_is_put_back_stands_where_it_was(queue: impl LeadQueue) {
    let worth = ending(50, 1_000, 5);
    let first = Entry { worth, ready_since: 10, ..untouched(1, 2, 30) };
    put(&queue, [first, Entry { ready_since: 20, ..untouched(2, 1, 40) }, entry(3)]).await;
    let asked = Ask { count: 3, ..ask(100) };
    let before = candidates(&queue, &asked).await;
    put_back(&queue, &[3, 1, 2]).await;
    assert_eq!(candidates(&queue, &asked).await, before);
    put_back(&queue, &[1, 1, 9]).await;
    assert_eq!(drain(&queue, &asked).await, [1], "once, and nobody unknown");
}

pub(super) async fn what_was_removed_in_flight_is_not_put_back(queue: impl LeadQueue) {
    put(&queue, [entry(1)]).await;
    assert_eq!(pull(&queue, &ask(0)).await, Some(1));
    queue.apply(vec![remove(1, 2)]).await.unwrap();
    put_back(&queue, &[1]).await;
    assert_eq!(pull(&queue, &ask(0)).await, None);
}

pub(super) async fn a_dead_flight_ends_at_its_deadline_and_not_before(queue: impl LeadQueue) {
    put(&queue, [entry(1)]).await;
    assert_eq!(pull(&queue, &ask(100)).await, Some(1));
    let deadline = 100 + FLIGHT_MS_MAX;
    assert_eq!(queue.promote(deadline - 1, 10).await.unwrap(), 0);
    assert_eq!(pull(&queue, &ask(deadline - 1)).await, None);
    assert_eq!(queue.promote(deadline, 10).await.unwrap(), 1);
    assert_eq!(pull(&queue, &ask(deadline)).await, Some(1));
    assert_eq!(queue.promote(deadline + 1, 10).await.unwrap(), 0, "it flies anew");
}

pub(super) async fn nothing_is_forgotten_whatever_becomes_of_a_flight(queue: impl LeadQueue) {
    put(&queue, (1..=30).map(|lead| untouched(lead, 0, lead))).await;
    let taken = candidates(&queue, &Ask { count: 20, ..ask(0) }).await;
    for (number, candidate) in taken.iter().enumerate() {
        let lead = candidate.lead;
        match number % 4 {
            0 => queue.served(QUEUE, REP, lead, candidate.order, RESERVE_AFTER).await.unwrap(),
            1 => queue.put_back(QUEUE, &[lead]).await.unwrap(),
            2 => put(&queue, [Entry { version: 2, ..entry(lead.0) }]).await,
            _ => {}
        }
    }
    assert_eq!(queue.promote(FLIGHT_MS_MAX, 100).await.unwrap(), 5);
    let mut left = drain(&queue, &ask(FLIGHT_MS_MAX)).await;
    left.sort_unstable();
    let served: Vec<i64> = taken.iter().step_by(4).map(|candidate| candidate.lead.0).collect();
    let expected: Vec<i64> = (1..=30).filter(|lead| !served.contains(lead)).collect();
    assert_eq!(left, expected);
}

pub(super) async fn promote_never_does_more_than_its_limit(queue: impl LeadQueue) {
    let valuable = |lead| Entry { worth: ending(9, 50, 0), ..entry(lead) };
    put(&queue, (1..=5).map(entry).chain((6..=10).map(valuable))).await;
    let taken = candidates(&queue, &Ask { count: 8, ..ask(0) }).await;
    assert_eq!(taken.len(), 8);
    put(&queue, (11..=15).map(|lead| waiting(lead, 60))).await;
    let now = FLIGHT_MS_MAX;
    assert_eq!(queue.promote(now, 0).await.unwrap(), 0);
    let mut done = Vec::new();
    while done.last() != Some(&0) {
        assert!(done.len() < 100, "it comes to an end");
        done.push(queue.promote(now, 4).await.unwrap());
    }
    assert!(done.iter().all(|count| *count <= 4), "{done:?}");
    assert!(done.iter().sum::<usize>() >= 13, "eight landed and five fell due: {done:?}");
    assert_eq!(queue.counts(&ask(now)).await.unwrap().open, 15);
    assert_eq!(queue.place_of(QUEUE, LeadId(15), now).await.unwrap(), Some((14, 15)));
}

//! Which changes count.

use nextlead::domain::{LeadId, Worth};
use nextlead::queue::{Entry, LeadQueue};

use super::support::{QUEUE, ask, candidates, drain, entry, pull, put, put_back, remove, waiting};

fn since(lead: i64, version: i64, ready_since: i64) -> Entry {
    Entry { version, ready_since, ..entry(lead) }
}

pub(super) async fn a_newer_put_moves_and_does_not_copy(queue: impl LeadQueue) {
    put(&queue, [since(1, 1, 10), since(2, 1, 20), since(1, 2, 30)]).await;
    let first = candidates(&queue, &ask(100)).await;
    assert_eq!(first.iter().map(|c| (c.lead.0, c.version)).collect::<Vec<_>>(), [(2, 1)]);
    let second = candidates(&queue, &ask(100)).await;
    assert_eq!(second.iter().map(|c| (c.lead.0, c.version)).collect::<Vec<_>>(), [(1, 2)]);
    assert_eq!(pull(&queue, &ask(100)).await, None);
}

pub(super) async fn an_older_put_is_ignored_in_line_and_in_flight(queue: impl LeadQueue) {
    put(&queue, [since(1, 5, 30), since(2, 1, 20), since(1, 4, 10)]).await;
    assert_eq!(drain(&queue, &ask(100)).await, [2, 1]);
    put(&queue, [since(1, 4, 10)]).await;
    assert_eq!(pull(&queue, &ask(100)).await, None);
    put_back(&queue, &[1, 2]).await;
    assert_eq!(drain(&queue, &ask(100)).await, [2, 1]);
}

pub(super) async fn a_put_of_the_same_version_changes_nothing(queue: impl LeadQueue) {
    put(&queue, [since(1, 1, 10), since(2, 1, 20), since(1, 1, 30)]).await;
    assert_eq!(pull(&queue, &ask(100)).await, Some(1));
    put(&queue, [since(1, 1, 30)]).await;
    assert_eq!(drain(&queue, &ask(100)).await, [2], "the first is still in flight");
    put_back(&queue, &[1, 2]).await;
    assert_eq!(drain(&queue, &ask(100)).await, [1, 2]);
}

pub(super) async fn a_newer_put_ends_a_flight(queue: impl LeadQueue) {
    put(&queue, [since(1, 1, 10)]).await;
    assert_eq!(pull(&queue, &ask(100)).await, Some(1));
    let worth = Worth::steady(7);
    put(&queue, [Entry { worth, ..since(1, 2, 30) }]).await;
    put_back(&queue, &[1]).await;
    let again = candidates(&queue, &ask(100)).await;
    assert_eq!(again.iter().map(|c| (c.version, c.head_start_ms)).collect::<Vec<_>>(), [(2, 7)]);
    assert_eq!(pull(&queue, &ask(100)).await, None);
}

pub(super) async fn a_put_that_waits_takes_the_lead_out_of_line(queue: impl LeadQueue) {
    put(&queue, [entry(1), Entry { version: 2, ..waiting(1, 50) }]).await;
    assert_eq!(pull(&queue, &ask(49)).await, None);
    put(&queue, [since(1, 3, 20)]).await;
    assert_eq!(queue.next_due_at(QUEUE).await.unwrap(), None);
    assert_eq!(drain(&queue, &ask(49)).await, [1]);
}

pub(super) async fn a_removed_lead_is_gone(queue: impl LeadQueue) {
    put(&queue, [since(1, 1, 0), since(2, 1, 0), waiting(3, 50), since(4, 3, 0)]).await;
    queue.apply(vec![remove(1, 1), remove(3, 2), remove(4, 9), remove(5, 1)]).await.unwrap();
    assert_eq!(drain(&queue, &ask(100)).await, [2]);
    assert_eq!(queue.place_of(QUEUE, LeadId(3), 100).await.unwrap(), None);
}

pub(super) async fn a_remove_of_an_older_version_is_ignored(queue: impl LeadQueue) {
    put(&queue, [since(1, 2, 0)]).await;
    queue.apply(vec![remove(1, 1)]).await.unwrap();
    assert_eq!(pull(&queue, &ask(0)).await, Some(1));
    queue.apply(vec![remove(1, 1)]).await.unwrap();
    put_back(&queue, &[1]).await;
    assert_eq!(pull(&queue, &ask(0)).await, Some(1));
}

//! Which changes count.

use nextlead::domain::{LeadId, QueueKey, Worth};
use nextlead::queue::{Basis, Entry, LeadQueue, QueueError, Swap};

use super::support::{
    OPEN, QUEUE, RULES, ask, by, candidates, drain, entry, lane, pull, put, put_back, puts, remove,
    waiting,
};

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

pub(super) async fn a_change_is_counted_if_it_changed_anything(queue: impl LeadQueue) {
    let mut counts = Vec::new();
    for updates in [
        puts([since(1, 2, 0), since(2, 1, 0), since(1, 1, 9)]),
        puts([since(1, 2, 5)]),
        vec![remove(1, 1), remove(2, 1), remove(2, 1), remove(3, 9)],
    ] {
        counts.push(queue.apply(updates).await.unwrap().changed_count);
    }
    assert_eq!(counts, [2, 0, 1]);
}

pub(super) async fn a_put_by_newer_rules_moves_and_leaves_its_flight_alone(queue: impl LeadQueue) {
    let worth = |lead, head_start_ms, rule_version| {
        let worth = Worth::steady(head_start_ms);
        Entry { worth, basis: by(rule_version), ..since(lead, 3, 100) }
    };
    put(&queue, [worth(1, 10, 1), worth(2, 20, 1), worth(1, 30, 2), worth(2, 90, 1)]).await;
    let first = candidates(&queue, &ask(100)).await;
    assert_eq!(first.iter().map(|c| (c.lead.0, c.head_start_ms)).collect::<Vec<_>>(), [(1, 30)]);
    put(&queue, [worth(1, 5, 3), worth(1, 99, 2)]).await;
    assert_eq!(queue.counts(&ask(100)).await.unwrap().in_flight, 1, "whoever has it may get it");
    put_back(&queue, &[1]).await;
    assert_eq!(drain(&queue, &ask(100)).await, [2, 1], "it came back as the newer rules rank it");
    queue.apply(vec![remove(1, 3)]).await.unwrap();
    put(&queue, [worth(1, 5, 1)]).await;
    assert_eq!(drain(&queue, &ask(100)).await, [1], "nothing is remembered of what left");
}

pub(super) async fn a_put_by_older_rules_counts_and_is_told(queue: impl LeadQueue) {
    let grows = queue.stage(QUEUE, by(4)).await.unwrap();
    assert_eq!(queue.swap(QUEUE, grows, 0).await.unwrap(), Swap::Done);
    let ranked = |lead, rule_version| Entry { basis: by(rule_version), ..since(lead, 1, lead) };
    let fresh = queue.apply(puts([ranked(1, 4), ranked(2, 5)])).await.unwrap();
    assert_eq!((fresh.changed_count, fresh.overtaken), (2, vec![]));
    let late = queue.apply(puts([ranked(3, 3), ranked(4, 3), ranked(1, 3)])).await.unwrap();
    assert_eq!((late.changed_count, late.overtaken), (2, vec![QUEUE]));
    assert_eq!(drain(&queue, &ask(100)).await, [1, 2, 3, 4]);
    let known = queue.apply(puts([ranked(3, 3)])).await.unwrap();
    assert_eq!((known.changed_count, known.overtaken), (0, vec![]));
    assert_eq!(queue.propose(&ask(100)).await.unwrap().basis, by(4));
}

pub(super) async fn a_put_into_newer_lanes_moves_and_an_older_one_is_told(queue: impl LeadQueue) {
    let in_lanes = |lane_version| Basis { lane_version, ..by(RULES) };
    let grows = queue.stage(QUEUE, in_lanes(2)).await.unwrap();
    queue.apply_staged(QUEUE, grows, Vec::new()).await.unwrap();
    assert_eq!(queue.swap(QUEUE, grows, 0).await.unwrap(), Swap::Done);
    assert_eq!(queue.is_built(QUEUE).await.unwrap(), Some(in_lanes(2)));
    let solar = |lead, basis| Entry { basis, lane: lane(&["solar"], Some(OPEN)), ..entry(lead) };
    let plain = |lead, basis| Entry { basis, ..entry(lead) };
    let fresh = queue.apply(puts([solar(1, in_lanes(2)), plain(2, in_lanes(2))])).await.unwrap();
    assert_eq!((fresh.changed_count, fresh.overtaken), (2, vec![]));
    // Both change lanes under the same rules; the first does not go back.
    let moved = [plain(1, in_lanes(3)), solar(2, in_lanes(3)), solar(1, in_lanes(2))];
    assert_eq!(queue.apply(puts(moved)).await.unwrap().changed_count, 2);
    assert_eq!(drain(&queue, &ask(0)).await, [1]);
    // Newer rules count, whatever the lanes; older ones are told whatever the lanes.
    let by_rules = |rule_version, lane_version| Basis { rule_version, lane_version };
    let late = queue.apply(puts([plain(3, in_lanes(1)), plain(2, by_rules(RULES + 1, 1))])).await;
    let late = late.unwrap();
    assert_eq!((late.changed_count, late.overtaken), (2, vec![QUEUE]));
    let older = queue.apply(puts([plain(4, by_rules(RULES - 1, 9))])).await.unwrap();
    assert_eq!((older.changed_count, older.overtaken), (1, vec![QUEUE]));
    assert_eq!(drain(&queue, &ask(0)).await, [2, 3, 4]);
    assert_eq!(queue.propose(&ask(0)).await.unwrap().basis, in_lanes(2));
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

pub(super) async fn a_look_names_what_would_change_and_changes_nothing(queue: impl LeadQueue) {
    put(&queue, [since(1, 2, 1), since(2, 2, 2), since(3, 2, 3), waiting(4, 900)]).await;
    assert_eq!(pull(&queue, &ask(100)).await, Some(1), "one is in flight");
    let newer_rules = Entry { basis: by(9), ..since(2, 2, 2) };
    let mut updates = puts([since(1, 2, 1), newer_rules, since(3, 1, 3), since(5, 1, 5)]);
    updates.push(remove(4, 0));
    assert_eq!(queue.differing(QUEUE, &updates).await.unwrap(), [LeadId(2), LeadId(5)]);
    let updates = [remove(1, 2), remove(2, 3), remove(3, 1), remove(6, 1)];
    assert_eq!(queue.differing(QUEUE, &updates).await.unwrap(), [LeadId(1), LeadId(2)]);
    assert_eq!(queue.differing(QUEUE, &[]).await.unwrap(), []);
    assert!(matches!(
        queue.differing(QueueKey(77), &updates).await,
        Err(QueueError::NotBuilt(QueueKey(77)))
    ));
    assert_eq!(drain(&queue, &ask(100)).await, [2, 3]);
    assert_eq!(queue.counts(&ask(100)).await.unwrap().waiting, 1);
}

//! A second line grows beside the one in use, and takes its place at one instant.

use std::fmt::Debug;

use nextlead::domain::{ServeOrder, Worth};
use nextlead::queue::{Ask, Entry, FLIGHT_MS_MAX, Generation, LeadQueue, QueueError, Swap};

use super::support::{
    QUEUE, REP, RESERVE_AFTER, RULES, ask, by, candidates, drain, entry, ids, pull, put, put_back,
    puts, remove, untouched, waiting,
};

async fn stage(queue: &impl LeadQueue, entries: impl IntoIterator<Item = Entry>) -> Generation {
    let generation = queue.stage(QUEUE, by(RULES + 1)).await.unwrap();
    queue.apply_staged(QUEUE, generation, puts(entries)).await.unwrap();
    generation
}

async fn swap(queue: &impl LeadQueue, generation: Generation) {
    assert_eq!(queue.swap(QUEUE, generation, 0).await.unwrap(), Swap::Done);
}

fn overtaken<T: Debug>(answer: Result<T, QueueError>) {
    assert!(matches!(answer, Err(QueueError::Overtaken(QUEUE))), "{answer:?}");
}

/// A lead with a head start of its own.
fn worth(lead: i64, head_start_ms: i64) -> Entry {
    Entry { worth: Worth::steady(head_start_ms), ..entry(lead) }
}

pub(super) async fn pulls_go_on_under_the_old_line_until_the_swap(queue: impl LeadQueue) {
    put(&queue, (1..=4).map(|lead| worth(lead, -lead))).await;
    let grows = stage(&queue, (2..=4).map(|lead| worth(lead, lead))).await;
    assert_eq!(pull(&queue, &ask(0)).await, Some(1));
    queue.served(QUEUE, REP, ids(&[1])[0], ServeOrder::Ordinary, RESERVE_AFTER).await.unwrap();
    assert_eq!(pull(&queue, &ask(0)).await, Some(2));
    put_back(&queue, &[2]).await;
    swap(&queue, grows).await;
    assert_eq!(drain(&queue, &ask(0)).await, [4, 3, 2]);
}

pub(super) async fn what_is_in_flight_stays_so_and_returns_as_the_new_line_ranks_it(
    queue: impl LeadQueue,
) {
    put(&queue, (1..=5).map(|lead| worth(lead, -lead))).await;
    let taken = candidates(&queue, &Ask { count: 3, ..ask(0) }).await;
    assert_eq!(taken.len(), 3);
    // The third is missed by the new line; the second has a newer version in use by then.
    put(&queue, [Entry { version: 2, ..worth(2, -9) }]).await;
    assert_eq!(pull(&queue, &Ask { passed: ids(&[4, 5]), ..ask(0) }).await, Some(2));
    let grows = stage(&queue, [1, 2, 4, 5].map(|lead| worth(lead, lead))).await;
    swap(&queue, grows).await;
    assert_eq!(drain(&queue, &ask(0)).await, [5, 4], "three are in flight");
    assert_eq!(queue.counts(&ask(0)).await.unwrap().in_flight, 5);
    put_back(&queue, &[1, 2, 3, 4, 5]).await;
    let all = candidates(&queue, &Ask { count: 9, ..ask(0) }).await;
    let seen: Vec<_> = all.iter().map(|c| (c.lead.0, c.version, c.head_start_ms)).collect();
    assert_eq!(seen, [(5, 1, 5), (4, 1, 4), (1, 1, 1), (3, 1, -3), (2, 2, -9)]);
    assert_eq!(queue.promote(FLIGHT_MS_MAX, 10).await.unwrap(), 5, "deadlines outlive a swap");
}

pub(super) async fn a_removal_that_overtakes_the_page_it_is_about_holds(queue: impl LeadQueue) {
    let grows = stage(&queue, []).await;
    // The lead was leased after its page was read and before the page came.
    queue.apply_staged(QUEUE, grows, vec![remove(1, 2), remove(3, 2)]).await.unwrap();
    let again = Entry { version: 3, ..entry(3) };
    queue.apply_staged(QUEUE, grows, puts([entry(1), entry(2), entry(3), again])).await.unwrap();
    swap(&queue, grows).await;
    assert_eq!(drain(&queue, &ask(0)).await, [2, 3]);
}

pub(super) async fn debts_outlive_a_swap(queue: impl LeadQueue) {
    queue.served(QUEUE, REP, ids(&[9])[0], ServeOrder::FirstTouch, RESERVE_AFTER).await.unwrap();
    let grows = stage(&queue, [untouched(1, 0, 10), worth(2, 10)]).await;
    swap(&queue, grows).await;
    assert_eq!(pull(&queue, &ask(0)).await, Some(2), "the rep owes nothing yet");
}

pub(super) async fn a_lead_that_changed_beside_the_stage_holds_up_the_swap(queue: impl LeadQueue) {
    put(&queue, (1..=6).map(entry)).await;
    let grows = stage(&queue, (1..=6).map(entry)).await;
    let newer = |lead, version| Entry { version, ..entry(lead) };
    // Both are told of the first, the second index alone of the second; the third changed nothing.
    put(&queue, [newer(1, 2), newer(3, 1)]).await;
    queue.apply_staged(QUEUE, grows, puts([newer(1, 2), newer(2, 2)])).await.unwrap();
    put(&queue, [newer(4, 2), newer(4, 3), newer(5, 2)]).await;
    queue.apply(vec![remove(6, 2), remove(7, 2)]).await.unwrap();
    queue.apply_staged(QUEUE, grows, puts([newer(4, 2), newer(5, 3)])).await.unwrap();
    let Swap::Behind(mut leads) = queue.swap(QUEUE, grows, 0).await.unwrap() else {
        panic!("it is behind")
    };
    leads.sort_unstable();
    assert_eq!(leads, ids(&[4, 6, 7]));
    assert_eq!(queue.is_built(QUEUE).await.unwrap(), Some(by(RULES)), "nothing is changed yet");
    queue.apply_staged(QUEUE, grows, puts([newer(4, 3)])).await.unwrap();
    queue.apply_staged(QUEUE, grows, vec![remove(6, 2), remove(7, 2)]).await.unwrap();
    swap(&queue, grows).await;
    assert_eq!(queue.is_built(QUEUE).await.unwrap(), Some(by(RULES + 1)));
    assert_eq!(drain(&queue, &ask(0)).await, [1, 2, 3, 4, 5]);
}

pub(super) async fn few_leads_that_changed_beside_the_stage_are_carried_over(
    queue: impl LeadQueue,
) {
    let newer = |lead| Entry { version: 2, ..worth(lead, -lead) };
    put(&queue, (1..=6).map(entry)).await;
    let taken = candidates(&queue, &Ask { count: 2, ..ask(0) }).await;
    assert_eq!(taken.len(), 2, "leads 1 and 2 are in flight");
    let grows = stage(&queue, (1..=6).map(|lead| worth(lead, lead))).await;
    // One in flight, one in line and one that waits by now change; one leaves, and one comes.
    put(&queue, [newer(2), newer(3), Entry { version: 2, ..waiting(4, 50) }, newer(7)]).await;
    queue.apply(vec![remove(5, 2)]).await.unwrap();
    assert_eq!(pull(&queue, &Ask { passed: ids(&[3, 6]), ..ask(0) }).await, Some(2));
    let behind = queue.swap(QUEUE, grows, 4).await.unwrap();
    assert!(matches!(&behind, Swap::Behind(leads) if leads.len() == 5), "{behind:?}");
    assert_eq!(queue.is_built(QUEUE).await.unwrap(), Some(by(RULES)), "nothing is changed yet");
    let Swap::Carried(mut leads) = queue.swap(QUEUE, grows, 5).await.unwrap() else {
        panic!("it is not too far behind")
    };
    leads.sort_unstable();
    assert_eq!(leads, ids(&[2, 3, 4, 5, 7]));
    assert_eq!(queue.is_built(QUEUE).await.unwrap(), Some(by(RULES + 1)));
    assert_eq!(queue.swap(QUEUE, grows, 0).await.unwrap(), Swap::Done, "it is in use");
    put_back(&queue, &[1, 2]).await;
    let all = candidates(&queue, &Ask { count: 9, ..ask(50) }).await;
    let mut seen: Vec<_> = all.iter().map(|c| (c.lead.0, c.version, c.head_start_ms)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [(1, 1, 1), (2, 2, -2), (3, 2, -3), (4, 2, 0), (6, 1, 6), (7, 2, -7)]);
    // Sent again, they are as the new basis ranks them.
    let anew = Entry { basis: by(RULES + 1), version: 2, ..worth(3, 9) };
    assert_eq!(queue.apply(puts([anew])).await.unwrap().changed_count, 1);
}

pub(super) async fn a_new_stage_drops_the_one_before(queue: impl LeadQueue) {
    put(&queue, [entry(1)]).await;
    let dropped = stage(&queue, [entry(2)]).await;
    let grows = stage(&queue, [entry(3)]).await;
    // Whoever fills the one before neither adds to another's, nor puts it in use half filled.
    assert_eq!(queue.staged(QUEUE).await.unwrap(), Some(grows));
    overtaken(queue.apply_staged(QUEUE, dropped, puts([entry(4)])).await);
    overtaken(queue.apply_staged(QUEUE, dropped, Vec::new()).await);
    overtaken(queue.swap(QUEUE, dropped, 0).await);
    queue.unstage(QUEUE, dropped).await.unwrap();
    assert_eq!(pull(&queue, &ask(0)).await, Some(1));
    queue.served(QUEUE, REP, ids(&[1])[0], ServeOrder::Ordinary, RESERVE_AFTER).await.unwrap();
    swap(&queue, grows).await;
    assert_eq!(drain(&queue, &ask(0)).await, [3]);
}

pub(super) async fn a_stage_that_ended_is_told_nothing_more(queue: impl LeadQueue) {
    put(&queue, [entry(1)]).await;
    let first = stage(&queue, [entry(1), entry(3)]).await;
    swap(&queue, first).await;
    swap(&queue, first).await;
    overtaken(queue.apply_staged(QUEUE, first, puts([entry(4)])).await);
    assert_eq!(queue.staged(QUEUE).await.unwrap(), None);
    let given_up = stage(&queue, [entry(5)]).await;
    queue.unstage(QUEUE, given_up).await.unwrap();
    queue.unstage(QUEUE, given_up).await.unwrap();
    overtaken(queue.apply_staged(QUEUE, given_up, puts([entry(6)])).await);
    overtaken(queue.swap(QUEUE, given_up, 0).await);
    put(&queue, [entry(7)]).await;
    let second = stage(&queue, [entry(1), entry(3)]).await;
    swap(&queue, second).await;
    overtaken(queue.swap(QUEUE, first, 0).await);
    assert_eq!(drain(&queue, &ask(0)).await, [1, 3]);
}

pub(super) async fn a_staged_line_obeys_the_same_versions(queue: impl LeadQueue) {
    let version = |lead, version, head_start_ms| Entry { version, ..worth(lead, head_start_ms) };
    put(&queue, [version(1, 9, 0)]).await;
    stage(&queue, [version(1, 2, 10), version(1, 1, 90), version(1, 2, 90)]).await;
    let grows = stage(&queue, [version(1, 2, 10), version(1, 1, 90), version(1, 2, 90)]).await;
    let rest = [version(2, 1, 5), version(3, 2, 7), version(4, 1, 1), version(4, 2, 20)];
    queue.apply_staged(QUEUE, grows, puts(rest)).await.unwrap();
    let waits = Entry { version: 1, ..waiting(5, 50) };
    queue.apply_staged(QUEUE, grows, puts([waits])).await.unwrap();
    queue.apply_staged(QUEUE, grows, vec![remove(2, 1), remove(3, 1)]).await.unwrap();
    swap(&queue, grows).await;
    let all = candidates(&queue, &Ask { count: 9, ..ask(0) }).await;
    let seen: Vec<_> = all.iter().map(|c| (c.lead.0, c.version, c.head_start_ms)).collect();
    assert_eq!(seen, [(4, 2, 20), (1, 2, 10), (3, 2, 7)]);
    assert_eq!(pull(&queue, &ask(50)).await, Some(5));
}

pub(super) async fn what_was_served_before_a_swap_needs_no_new_line(queue: impl LeadQueue) {
    put(&queue, [entry(1), entry(2)]).await;
    assert_eq!(pull(&queue, &ask(0)).await, Some(1));
    let grows = stage(&queue, [entry(1), entry(2)]).await;
    // The lease is committed: both lines are told, as of every change.
    queue.apply_staged(QUEUE, grows, vec![remove(1, 2)]).await.unwrap();
    queue.apply(vec![remove(1, 2)]).await.unwrap();
    queue.served(QUEUE, REP, ids(&[1])[0], ServeOrder::Ordinary, RESERVE_AFTER).await.unwrap();
    swap(&queue, grows).await;
    assert_eq!(drain(&queue, &ask(0)).await, [2]);
}

//! What time alone changes: leads fall due, and value ends.

use nextlead::domain::{ServeOrder, Worth, WorthStep};
use nextlead::queue::{Ask, Entry, LeadQueue};

use super::support::{
    QUEUE, ask, callback, candidates, drain, ending, entry, pull, put, put_back, untouched, waiting,
};

/// More than any engine does in one call.
const FLOOD: i64 = 5_000;

pub(super) async fn a_waiting_lead_is_ready_at_its_instant_and_not_before(queue: impl LeadQueue) {
    let first_touch = untouched(1, 0, 90).first_touch;
    put(&queue, [Entry { first_touch, ..waiting(1, 50) }]).await;
    put(&queue, [Entry { tier: callback(2).tier, ..waiting(2, 60) }]).await;
    assert_eq!(pull(&queue, &ask(49)).await, None);
    let due = candidates(&queue, &ask(50)).await[0];
    assert_eq!((due.lead.0, due.order), (1, ServeOrder::FirstTouch));
    assert_eq!((due.rank.virtual_since, due.first_touch_due_at), (50, Some(90)));
    assert_eq!(pull(&queue, &ask(59)).await, None);
    assert_eq!(candidates(&queue, &ask(60)).await[0].order, ServeOrder::Callback);
}

pub(super) async fn promote_makes_due_leads_ready_in_slices(queue: impl LeadQueue) {
    put(&queue, (1..=10).map(|lead| waiting(lead, 100 - lead))).await;
    assert_eq!(queue.promote(89, 100).await.unwrap(), 0);
    assert_eq!(queue.promote(93, 3).await.unwrap(), 3);
    assert_eq!(queue.next_due_at(QUEUE).await.unwrap(), Some(93), "the first went first");
    assert_eq!(queue.promote(93, 3).await.unwrap(), 1);
    assert_eq!(queue.promote(93, 3).await.unwrap(), 0);
    assert_eq!(drain(&queue, &ask(93)).await, [10, 9, 8, 7]);
}

pub(super) async fn a_worth_that_ended_is_never_served_as_if_it_had_not(queue: impl LeadQueue) {
    let step = |head_start_ms, until| WorthStep { head_start_ms, until };
    let later = vec![step(60, Some(200)), step(10, None)];
    let worth = Worth { head_start_ms: 90, until: Some(100), later };
    let steady = |lead, head_start_ms| Entry { worth: Worth::steady(head_start_ms), ..entry(lead) };
    put(&queue, [Entry { worth, ..entry(1) }, steady(2, 70), steady(3, 50)]).await;
    for (now, order) in [(99, [1, 2, 3]), (100, [2, 1, 3]), (199, [2, 1, 3]), (200, [2, 3, 1])] {
        let all = candidates(&queue, &Ask { count: 3, ..ask(now) }).await;
        assert_eq!(all.iter().map(|c| c.lead.0).collect::<Vec<_>>(), order, "at {now}");
        let first = all.iter().find(|candidate| candidate.lead.0 == 1).unwrap();
        let worth = if now < 100 {
            90
        } else if now < 200 {
            60
        } else {
            10
        };
        assert_eq!((first.head_start_ms, first.rank.virtual_since), (worth, -worth), "at {now}");
        put_back(&queue, &[1, 2, 3]).await;
    }
}

pub(super) async fn a_worth_that_ended_while_waiting_does_not_count(queue: impl LeadQueue) {
    let worth = ending(1_000, 40, 0);
    put(&queue, [Entry { worth: worth.clone(), ..waiting(1, 50) }, entry(2)]).await;
    put(&queue, [Entry { worth, ..untouched(3, 0, 90) }]).await;
    let all = candidates(&queue, &Ask { count: 3, ..ask(50) }).await;
    let seen: Vec<_> = all.iter().map(|c| (c.lead.0, c.order, c.head_start_ms)).collect();
    let ordinary = ServeOrder::Ordinary;
    assert_eq!(seen, [(3, ServeOrder::FirstTouch, 0), (2, ordinary, 0), (1, ordinary, 0)]);
}

/// Asks until the answer is finished. Answers how often, and what was offered on the way.
async fn insist(queue: &impl LeadQueue, ask: &Ask) -> (usize, Vec<i64>) {
    let mut leads = Vec::new();
    for call in 1..=FLOOD as usize {
        let left = Ask { count: ask.count - leads.len(), ..ask.clone() };
        let proposal = queue.propose(&left).await.unwrap();
        leads.extend(proposal.candidates.iter().map(|candidate| candidate.lead.0));
        if !proposal.is_unfinished {
            return (call, leads);
        }
    }
    panic!("it never finished");
}

pub(super) async fn a_flood_that_fell_due_is_served_in_bounded_slices(queue: impl LeadQueue) {
    let better = |lead| Entry { worth: Worth::steady(lead), ..waiting(lead, 10) };
    put(&queue, (1..=FLOOD).map(better).chain([entry(FLOOD + 1)])).await;
    let (calls, leads) = insist(&queue, &Ask { count: 2, ..ask(10) }).await;
    assert!(calls > 1, "so many are not woken in one call");
    assert_eq!(leads, [FLOOD, FLOOD - 1], "the best is the last that a careless engine would see");
}

pub(super) async fn many_worths_that_end_together_are_ranked_in_slices(queue: impl LeadQueue) {
    let fades = |lead| Entry { worth: ending(1_000_000 - lead, 10, lead), ..entry(lead) };
    put(&queue, (1..=FLOOD).map(fades)).await;
    put(&queue, [Entry { worth: Worth::steady(FLOOD - 1), ..entry(FLOOD + 1) }]).await;
    let (calls, leads) = insist(&queue, &Ask { count: 3, ..ask(10) }).await;
    assert!(calls > 1, "so many are not ranked in one call");
    assert_eq!(leads, [FLOOD, FLOOD - 1, FLOOD + 1]);
}

//! Who is served next, and to whom a lane is open.

use std::collections::BTreeSet;
use std::sync::Arc;

use nextlead::domain::{QueueKey, Rank, ServeOrder, Tier, Worth};
use nextlead::queue::{Ask, Entry, LANE_COUNT_MAX, LeadQueue, OpenHours};

use super::support::{
    CLOSED, OPEN, RULES, ask, by, callback, candidates, drain, entry, ids, lane, names, pull, put,
    put_back, untouched,
};

pub(super) async fn the_longest_wait_goes_first_and_a_tie_ends_at_the_id(queue: impl LeadQueue) {
    let since = |lead, ready_since| Entry { ready_since, ..entry(lead) };
    put(&queue, [since(1, 30), since(3, 10), since(2, 10), since(4, 20)]).await;
    assert_eq!(drain(&queue, &ask(100)).await, [2, 3, 4, 1]);
}

pub(super) async fn a_head_start_counts_as_waiting(queue: impl LeadQueue) {
    let worth = |lead, ready_since, points| {
        let worth = Worth::steady(points);
        Entry { ready_since, worth, ..entry(lead) }
    };
    put(&queue, [worth(1, 10, 0), worth(2, 50, 41), worth(3, 50, 39), worth(4, 0, -20)]).await;
    let all = candidates(&queue, &Ask { count: 4, ..ask(100) }).await;
    let seen: Vec<_> = all.iter().map(|c| (c.lead.0, c.head_start_ms, c.rank)).collect();
    let rank = |virtual_since, lead| {
        let lead = ids(&[lead])[0];
        Rank { tier: Tier::Ordinary, virtual_since, lead }
    };
    assert_eq!(
        seen,
        [(2, 41, rank(9, 2)), (1, 0, rank(10, 1)), (3, 39, rank(11, 3)), (4, -20, rank(20, 4))]
    );
    assert!(all.iter().all(|candidate| candidate.order == ServeOrder::Ordinary));
}

pub(super) async fn a_callback_goes_before_any_rank(queue: impl LeadQueue) {
    let late = Entry { ready_since: 90, ..callback(2) };
    let best = Entry { worth: Worth::steady(1_000_000), ..entry(1) };
    put(&queue, [best, late, callback(3)]).await;
    let orders = candidates(&queue, &Ask { count: 3, ..ask(100) }).await;
    let orders: Vec<_> =
        orders.iter().map(|candidate| (candidate.lead.0, candidate.order)).collect();
    let callback = ServeOrder::Callback;
    assert_eq!(orders, [(3, callback), (2, callback), (1, ServeOrder::Ordinary)]);
}

pub(super) async fn a_lead_needs_every_skill_of_its_lane(queue: impl LeadQueue) {
    let needs = |lead, skills: &[&str]| Entry { lane: lane(skills, Some(OPEN)), ..entry(lead) };
    put(&queue, [needs(1, &["french", "solar"]), needs(2, &["solar"]), needs(3, &[])]).await;
    let can = |skills: &[&str]| Ask { skills: names(skills), ..ask(0) };
    assert_eq!(drain(&queue, &can(&["french"])).await, [3]);
    assert_eq!(drain(&queue, &can(&["solar", "welsh"])).await, [2]);
    assert_eq!(drain(&queue, &can(&["solar", "french"])).await, [1]);
}

pub(super) async fn closed_hours_close_a_lane(queue: impl LeadQueue) {
    put(&queue, [Entry { lane: lane(&[], Some(CLOSED)), ..entry(1) }, entry(2)]).await;
    assert_eq!(drain(&queue, &ask(0)).await, [2]);
    let open = BTreeSet::from([CLOSED.into()]);
    let later = Ask { hours: Arc::new(OpenHours { number: 2, open }), ..ask(1) };
    assert_eq!(drain(&queue, &later).await, [1]);
}

pub(super) async fn a_lead_without_hours_is_never_served(queue: impl LeadQueue) {
    let nowhere = lane(&[], None);
    let touched = Entry { lane: nowhere.clone(), ..entry(1) };
    let called = Entry { lane: nowhere.clone(), ..callback(2) };
    put(&queue, [touched, called, Entry { lane: nowhere, ..untouched(3, 0, 10) }]).await;
    assert_eq!(pull(&queue, &ask(100)).await, None);
}

pub(super) async fn a_lane_that_comes_later_is_open_too(queue: impl LeadQueue) {
    put(&queue, [entry(1)]).await;
    let asked = Ask { skills: names(&["solar"]), ..ask(0) };
    assert_eq!(pull(&queue, &asked).await, Some(1));
    put(&queue, [Entry { lane: lane(&["solar"], Some(OPEN)), ..entry(2) }]).await;
    assert_eq!(pull(&queue, &asked).await, Some(2));
}

pub(super) async fn passed_leads_are_skipped_and_not_lost(queue: impl LeadQueue) {
    let earlier = |lead, ready_since| Entry { ready_since, ..untouched(lead, 0, ready_since) };
    put(&queue, [earlier(1, 1), callback(2), earlier(3, 3), earlier(4, 4)]).await;
    let picky = Ask { passed: ids(&[1, 2, 3]), count: 9, ..ask(100) };
    let offered = candidates(&queue, &picky).await;
    assert_eq!(offered.iter().map(|candidate| candidate.lead.0).collect::<Vec<_>>(), [4]);
    let other = candidates(&queue, &Ask { count: 9, ..ask(100) }).await;
    let other: Vec<_> = other.iter().map(|candidate| (candidate.lead.0, candidate.order)).collect();
    let first_touch = ServeOrder::FirstTouch;
    assert_eq!(other, [(2, ServeOrder::Callback), (1, first_touch), (3, first_touch)]);
}

pub(super) async fn several_candidates_are_those_of_as_many_pulls(queue: impl LeadQueue) {
    let leads = |lead: i64| match lead {
        1 | 2 => callback(lead),
        3..=5 => Entry { ready_since: 100 - lead, ..untouched(lead, 0, 10 - lead) },
        _ => Entry { ready_since: lead, ..entry(lead) },
    };
    put(&queue, (1..=8).map(leads)).await;
    let at_once = candidates(&queue, &Ask { count: 8, ..ask(200) }).await;
    let all: Vec<i64> = at_once.iter().map(|candidate| candidate.lead.0).collect();
    put_back(&queue, &all).await;
    for expected in at_once {
        assert_eq!(candidates(&queue, &ask(200)).await, [expected]);
    }
}

pub(super) async fn queues_do_not_mix(queue: impl LeadQueue) {
    let other = QueueKey(2);
    queue.begin(other, by(RULES)).await.unwrap();
    put(&queue, [Entry { queue: other, ..entry(1) }, entry(2)]).await;
    assert_eq!(drain(&queue, &ask(0)).await, [2]);
    assert_eq!(drain(&queue, &Ask { queue: other, ..ask(0) }).await, [1]);
}

/// More lanes than there may be, so that the last leads share one; 20 of them are another rep's.
pub(super) async fn beyond_the_last_lane_skills_are_still_checked(queue: impl LeadQueue) {
    let last = LANE_COUNT_MAX as i64 + 40;
    let own_skill = |lead: i64| Entry {
        ready_since: lead,
        lane: lane(&[&format!("skill-{lead}")], Some(OPEN)),
        ..entry(lead)
    };
    put(&queue, (1..=last).map(own_skill)).await;
    let can = |lead: i64| Ask { skills: names(&[&format!("skill-{lead}")]), ..ask(last) };
    assert_eq!(drain(&queue, &can(last - 20)).await, [last - 20]);
    assert_eq!(drain(&queue, &can(last)).await, [last]);
    assert_eq!(drain(&queue, &can(7)).await, [7], "the others have lanes of their own");
    put_back(&queue, &[last]).await;
    assert_eq!(drain(&queue, &can(last)).await, [last], "its own skill is not forgotten");
    assert_eq!(drain(&queue, &can(last - 1)).await, [last - 1], "what was set aside is back");
    assert_eq!(pull(&queue, &ask(last)).await, None);
}

/// As many sets of hours as a node sees in years, so that what is derived from them has to give way.
pub(super) async fn sets_of_hours_are_told_apart_however_many_there_were(queue: impl LeadQueue) {
    put(&queue, [entry(1), Entry { lane: lane(&[], Some(CLOSED)), ..entry(2) }]).await;
    for number in 0..3_000 {
        let (hours, lead) = if number % 3 == 0 { (CLOSED, 2) } else { (OPEN, 1) };
        let open = BTreeSet::from([hours.into()]);
        let asked = Ask { hours: Arc::new(OpenHours { number, open }), count: 9, ..ask(0) };
        let offered = candidates(&queue, &asked).await;
        let offered: Vec<_> = offered.iter().map(|candidate| candidate.lead.0).collect();
        assert_eq!(offered, [lead]);
        put_back(&queue, &[lead]).await;
    }
}

//! Leads that are kept for one rep, for a time or for good: nobody else is offered them, and nobody
//! waits for them longer than that.

use std::collections::BTreeSet;
use std::sync::Arc;

use nextlead::domain::{LeadId, RepKey, ServeOrder, Worth};
use nextlead::queue::{Ask, Counts, Entry, Keeper, LANE_COUNT_MAX, LeadQueue, OpenHours, Swap};

use super::support::{
    CLOSED, OPEN, QUEUE, REP, RESERVE_AFTER, RULES, ask, by, callback, candidates, drain, ending,
    entry, ids, lane, names, pull, put, put_back, puts, remove, serve, untouched, waiting,
};

const OTHER: RepKey = RepKey(2);
/// Hours of which far more leads are kept than any pull could go through.
const FLOOD: i64 = 5_000;

/// Kept for a rep, for good.
fn kept(rep: RepKey, entry: Entry) -> Entry {
    Entry { keeper: Some(Keeper { rep, until: None }), ..entry }
}

/// Kept for a rep until an instant.
fn kept_until(rep: RepKey, until: i64, entry: Entry) -> Entry {
    Entry { keeper: Some(Keeper { rep, until: Some(until) }), ..entry }
}

fn since(ready_since: i64, entry: Entry) -> Entry {
    Entry { ready_since, ..entry }
}

/// A pull of another rep.
fn other(now: i64) -> Ask {
    Ask { rep: OTHER, ..ask(now) }
}

async fn orders(queue: &impl LeadQueue, ask: &Ask) -> Vec<(i64, ServeOrder)> {
    let all = candidates(queue, &Ask { count: 99, ..ask.clone() }).await;
    let orders = all.iter().map(|candidate| (candidate.lead.0, candidate.order)).collect();
    queue.put_back(QUEUE, &all.iter().map(|c| c.lead).collect::<Vec<_>>()).await.unwrap();
    orders
}

pub(super) async fn a_kept_lead_is_offered_to_its_rep_alone(queue: impl LeadQueue) {
    put(&queue, [kept(REP, entry(1)), kept(OTHER, entry(2)), kept(RepKey(3), callback(3))]).await;
    assert_eq!(drain(&queue, &other(50)).await, [2]);
    assert_eq!(drain(&queue, &ask(i64::MAX / 4)).await, [1], "and does not get free by itself");
}

pub(super) async fn own_callbacks_go_before_those_of_anyone(queue: impl LeadQueue) {
    let best = Entry { worth: Worth::steady(1_000), ..untouched(1, 0, 1) };
    put(&queue, [best, since(5, callback(2)), since(9, kept(REP, callback(3)))]).await;
    put(&queue, [since(8, kept(REP, callback(4))), kept(OTHER, callback(5))]).await;
    let (promised, ordinary) = (ServeOrder::Callback, ServeOrder::FirstTouch);
    let own_first = [(4, promised), (3, promised), (2, promised), (1, ordinary)];
    assert_eq!(orders(&queue, &ask(100)).await, own_first);
    assert_eq!(orders(&queue, &other(100)).await, [(5, promised), (2, promised), (1, ordinary)]);
    assert_eq!(orders(&queue, &Ask { rep: RepKey(3), ..ask(100) }).await.len(), 2);
}

pub(super) async fn own_leads_and_others_are_one_order_by_rank(queue: impl LeadQueue) {
    put(&queue, (1..=6).map(|lead| since(lead, entry(lead)))).await;
    let own = [kept(REP, since(3, entry(13))), kept(OTHER, since(0, entry(10)))];
    let ahead = Entry { worth: Worth::steady(4), ..kept(REP, since(5, entry(15))) };
    put(&queue, own.into_iter().chain([ahead])).await;
    assert_eq!(drain(&queue, &ask(9)).await, [1, 15, 2, 3, 13, 4, 5, 6]);
    assert_eq!(drain(&queue, &other(9)).await, [10]);
}

pub(super) async fn the_reserve_is_over_own_leads_and_others(queue: impl LeadQueue) {
    put(&queue, [untouched(1, 0, 30), kept(REP, untouched(2, 0, 20)), untouched(3, 0, 10)]).await;
    put(&queue, [kept(OTHER, untouched(4, 0, 5)), kept(REP, since(-9, entry(5)))]).await;
    assert_eq!(serve(&queue, &ask(0)).await, Some((3, ServeOrder::FirstTouch)));
    for expected in [5, 1, 2] {
        // The debt is paid: three ordinary pulls until it falls due again.
        assert_eq!(serve(&queue, &ask(0)).await, Some((expected, ServeOrder::Ordinary)));
    }
    put(&queue, [untouched(6, 0, 30), kept(REP, untouched(7, 0, 20)), entry(8)]).await;
    assert_eq!(serve(&queue, &ask(0)).await, Some((7, ServeOrder::FirstTouch)), "own ones too");
    assert_eq!(RESERVE_AFTER, 3);
}

pub(super) async fn own_leads_need_skills_and_open_hours_all_the_same(queue: impl LeadQueue) {
    let placed = |lead, skills: &[&str], hours| {
        kept(REP, Entry { lane: lane(skills, hours), ..entry(lead) })
    };
    put(&queue, [placed(1, &["solar"], Some(OPEN)), placed(2, &[], Some(CLOSED))]).await;
    put(&queue, [placed(3, &[], None), since(5, placed(4, &[], Some(OPEN)))]).await;
    let counts = queue.counts(&ask(9)).await.unwrap();
    let expected = Counts { open: 1, closed: 1, unskilled: 1, unroutable: 1, ..Counts::default() };
    assert_eq!(counts, expected);
    assert_eq!(drain(&queue, &ask(9)).await, [4]);
    assert_eq!(drain(&queue, &Ask { skills: names(&["solar"]), ..ask(9) }).await, [1]);
    let open = BTreeSet::from([CLOSED.into()]);
    let later = Ask { hours: Arc::new(OpenHours { number: 2, open }), ..ask(9) };
    assert_eq!(drain(&queue, &later).await, [2], "hours that open later open own lanes too");
    assert_eq!(queue.hours(QUEUE).await.unwrap().len(), 2, "hours of own lanes have to be known");
}

pub(super) async fn what_is_kept_until_an_instant_is_anyones_from_then_on(queue: impl LeadQueue) {
    put(&queue, [kept_until(REP, 50, since(7, untouched(1, 0, 90))), since(8, entry(2))]).await;
    assert_eq!(queue.next_due_at(QUEUE).await.unwrap(), Some(50));
    assert_eq!(queue.counts(&other(49)).await.unwrap().kept, 1);
    assert_eq!(orders(&queue, &other(49)).await, [(2, ServeOrder::Ordinary)]);
    assert_eq!(queue.promote(49, 9).await.unwrap(), 0);
    let free = candidates(&queue, &other(50)).await[0];
    assert_eq!((free.lead.0, free.order, free.rank.virtual_since), (1, ServeOrder::FirstTouch, 7));
    put_back(&queue, &[1]).await;
    assert_eq!(queue.next_due_at(QUEUE).await.unwrap(), None);
    let counts = queue.counts(&other(50)).await.unwrap();
    assert_eq!((counts.open, counts.kept), (2, 0));
    assert_eq!(drain(&queue, &ask(50)).await, [1, 2], "its keeper may take it still");
}

pub(super) async fn promote_frees_what_was_kept_in_slices(queue: impl LeadQueue) {
    put(&queue, (1..=6).map(|lead| kept_until(REP, 60 - lead, entry(lead)))).await;
    assert_eq!(queue.promote(56, 2).await.unwrap(), 2);
    assert_eq!(queue.next_due_at(QUEUE).await.unwrap(), Some(56));
    assert_eq!(queue.promote(56, 2).await.unwrap(), 1);
    assert_eq!(queue.promote(56, 2).await.unwrap(), 0);
    assert_eq!(drain(&queue, &other(56)).await, [4, 5, 6]);
}

pub(super) async fn many_that_get_free_at_once_do_so_in_bounded_slices(queue: impl LeadQueue) {
    let better = |lead| {
        let worth = Worth::steady(lead);
        kept_until(REP, 10, Entry { worth, ..entry(lead) })
    };
    put(&queue, (1..=FLOOD).map(better)).await;
    let (mut calls, mut leads) = (0, Vec::new());
    while leads.is_empty() {
        calls += 1;
        assert!(calls < 100, "it never finishes");
        let proposal = queue.propose(&other(10)).await.unwrap();
        assert!(proposal.is_unfinished || !proposal.candidates.is_empty(), "it is never too late");
        leads.extend(proposal.candidates.iter().map(|candidate| candidate.lead.0));
    }
    assert!(calls > 1, "so many do not move in one call");
    assert_eq!(leads, [FLOOD], "the best is the last that a careless engine would see");
}

pub(super) async fn a_kept_lead_that_waits_is_ready_for_its_rep_first(queue: impl LeadQueue) {
    let promised = |lead, due_at| Entry { tier: callback(lead).tier, ..waiting(lead, due_at) };
    put(&queue, [kept_until(REP, 60, promised(1, 50)), kept(REP, waiting(2, 50))]).await;
    put(&queue, [kept_until(REP, 30, promised(3, 50)), kept_until(OTHER, 50, waiting(4, 50))])
        .await;
    assert_eq!(queue.next_due_at(QUEUE).await.unwrap(), Some(50), "not the end of what waits");
    assert_eq!(pull(&queue, &ask(49)).await, None);
    let (callback, ordinary) = (ServeOrder::Callback, ServeOrder::Ordinary);
    assert_eq!(orders(&queue, &other(50)).await, [(3, callback), (4, ordinary)]);
    let mine = [(1, callback), (3, callback), (2, ordinary), (4, ordinary)];
    assert_eq!(orders(&queue, &ask(50)).await, mine);
    assert_eq!(queue.next_due_at(QUEUE).await.unwrap(), Some(60));
    let late = [(1, callback), (3, callback), (4, ordinary)];
    assert_eq!(orders(&queue, &other(60)).await, late, "after the grace it is anyone's");
}

pub(super) async fn what_is_put_back_is_kept_as_before(queue: impl LeadQueue) {
    let first = Entry { worth: ending(50, 1_000, 5), ..kept_until(REP, 80, untouched(1, 0, 30)) };
    put(&queue, [first, kept(REP, entry(2)), kept(REP, callback(3))]).await;
    let asked = Ask { count: 3, ..ask(20) };
    let before = candidates(&queue, &asked).await;
    assert_eq!(before.len(), 3);
    assert_eq!(queue.counts(&other(20)).await.unwrap().in_flight, 3);
    put_back(&queue, &[2, 3, 1]).await;
    assert_eq!(queue.counts(&other(20)).await.unwrap().kept, 3);
    assert_eq!(pull(&queue, &other(79)).await, None);
    assert_eq!(candidates(&queue, &asked).await, before);
    // One is put back after it was kept for long enough, the others after their flight has ended.
    put_back(&queue, &[1]).await;
    assert_eq!(pull(&queue, &other(80)).await, Some(1));
    queue.promote(1_000_000, 99).await.unwrap();
    assert_eq!(drain(&queue, &other(1_000_000)).await, [1]);
    assert_eq!(drain(&queue, &ask(1_000_000)).await, [3, 2]);
}

pub(super) async fn own_leads_that_were_passed_are_skipped_and_not_lost(queue: impl LeadQueue) {
    put(&queue, [kept(REP, callback(1)), kept(REP, untouched(2, 0, 9)), entry(3)]).await;
    assert_eq!(drain(&queue, &Ask { passed: ids(&[1, 2]), ..ask(0) }).await, [3]);
    assert_eq!(pull(&queue, &other(0)).await, None, "nor are they anyone's for that");
    assert_eq!(drain(&queue, &ask(0)).await, [1, 2]);
}

pub(super) async fn a_newer_entry_changes_for_whom_a_lead_is_kept(queue: impl LeadQueue) {
    put(&queue, [kept(REP, entry(1)), kept(REP, entry(2)), entry(3), kept(REP, entry(4))]).await;
    let newer = |entry| Entry { version: 2, ..entry };
    let moved = [newer(entry(1)), newer(kept(OTHER, entry(2))), newer(kept(REP, entry(3)))];
    assert_eq!(queue.differing(QUEUE, &puts(moved.clone())).await.unwrap().len(), 3);
    put(&queue, moved).await;
    assert!(queue.differing(QUEUE, &puts([kept(REP, entry(4))])).await.unwrap().is_empty());
    queue.apply(vec![remove(4, 2)]).await.unwrap();
    assert_eq!(drain(&queue, &other(0)).await, [1, 2]);
    assert_eq!(drain(&queue, &ask(0)).await, [3]);
    assert_eq!(queue.counts(&ask(0)).await.unwrap(), Counts { in_flight: 3, ..Counts::default() });
}

pub(super) async fn changes_at_once_may_fill_a_list_and_empty_it(queue: impl LeadQueue) {
    put(&queue, [kept(REP, entry(1))]).await;
    assert_eq!(orders(&queue, &ask(0)).await, [(1, ServeOrder::Ordinary)]);
    put(&queue, [kept(REP, entry(2)), Entry { version: 2, ..entry(1) }]).await;
    let counts = queue.counts(&ask(0)).await.unwrap();
    assert_eq!(counts, Counts { open: 2, ..Counts::default() });
    assert_eq!(drain(&queue, &ask(0)).await, [1, 2]);
}

pub(super) async fn a_swap_loses_nothing_that_is_kept(queue: impl LeadQueue) {
    let newer = |entry| Entry { basis: by(RULES + 1), ..entry };
    let all = || {
        let ready = (1..=6).map(|lead| kept(REP, since(lead, entry(lead))));
        ready.chain([kept_until(REP, 80, entry(7)), kept(OTHER, waiting(8, 50)), entry(9)])
    };
    put(&queue, all()).await;
    assert_eq!(pull(&queue, &ask(40)).await, Some(7), "it is in flight meanwhile");
    let grows = queue.stage(QUEUE, by(RULES + 1)).await.unwrap();
    queue.apply_staged(QUEUE, grows, puts(all().map(newer))).await.unwrap();
    // One changes beside the new line and is carried over.
    put(&queue, [Entry { version: 2, ..kept(OTHER, entry(6)) }]).await;
    let Swap::Carried(carried) = queue.swap(QUEUE, grows, 9).await.unwrap() else {
        panic!("it missed one lead")
    };
    assert_eq!(carried, ids(&[6]));
    put_back(&queue, &[7]).await;
    assert_eq!(drain(&queue, &other(79)).await, [6, 9, 8]);
    assert_eq!(drain(&queue, &ask(79)).await, [7, 1, 2, 3, 4, 5]);
    put_back(&queue, &[7]).await;
    assert_eq!(drain(&queue, &other(80)).await, [7]);
}

pub(super) async fn people_see_what_is_kept_and_for_whom(queue: impl LeadQueue) {
    let solar = || lane(&["solar"], Some(OPEN));
    put(&queue, [since(1, entry(1)), since(2, kept(REP, entry(2))), since(3, entry(3))]).await;
    put(&queue, [since(4, kept_until(OTHER, 50, entry(4))), since(9, callback(5))]).await;
    put(&queue, [Entry { lane: solar(), ..kept(OTHER, entry(6)) }, kept(REP, waiting(7, 90))])
        .await;
    put(&queue, [since(10, kept(REP, callback(8)))]).await;
    let seen = async |now| {
        let snapshot = queue.peek(QUEUE, now, 99).await.unwrap();
        assert_eq!(snapshot.ready_count, snapshot.places.len());
        snapshot.places.iter().map(|p| (p.lead.0, p.keeper.map(|rep| rep.0))).collect::<Vec<_>>()
    };
    let (mine, theirs) = (Some(REP.0), Some(OTHER.0));
    let before = [(5, None), (8, mine), (6, theirs), (1, None), (2, mine), (3, None), (4, theirs)];
    assert_eq!(seen(49).await, before);
    assert_eq!(seen(50).await.last(), Some(&(4, None)));
    let place = async |lead, now| queue.place_of(QUEUE, LeadId(lead), now).await.unwrap();
    assert_eq!(place(3, 49).await, Some((2, 3)), "among those that are kept for nobody");
    assert_eq!(place(2, 49).await, Some((3, 5)), "among those and its keeper's own");
    assert_eq!(place(8, 49).await, Some((0, 5)), "own callbacks go first");
    assert_eq!(place(5, 49).await, Some((0, 3)));
    assert_eq!(place(4, 49).await, Some((4, 5)));
    assert_eq!(place(4, 50).await, Some((3, 4)), "it is kept no more");
    assert_eq!(place(7, 89).await, None);
    assert_eq!(place(7, 90).await, Some((6, 7)), "it waited the shortest");
}

pub(super) async fn what_is_kept_is_counted_apart(queue: impl LeadQueue) {
    let solar = || lane(&["solar"], Some(OPEN));
    put(&queue, [entry(1), kept(REP, entry(2)), kept(REP, callback(3)), kept(OTHER, entry(4))])
        .await;
    put(&queue, [Entry { lane: solar(), ..kept(OTHER, entry(5)) }, kept(OTHER, waiting(6, 9))])
        .await;
    put(&queue, [Entry { lane: lane(&[], None), ..kept(OTHER, entry(7)) }]).await;
    let nothing = Counts { waiting: 1, next_due_at: Some(9), ..Counts::default() };
    let mine = Counts { open: 3, kept: 3, ..nothing };
    assert_eq!(queue.counts(&ask(0)).await.unwrap(), mine);
    let theirs = Counts { open: 2, unskilled: 1, unroutable: 1, kept: 2, ..nothing };
    assert_eq!(queue.counts(&other(0)).await.unwrap(), theirs);
    let nobody = Ask { rep: RepKey(3), ..ask(0) };
    assert_eq!(queue.counts(&nobody).await.unwrap(), Counts { open: 1, kept: 5, ..nothing });
    let census = queue.census(QUEUE).await.unwrap();
    assert_eq!(census.lanes, [(entry(1).lane, 1)]);
    let kept_in = |rep, wanted| {
        let kept = census.kept.iter().filter(|(keeper, lane, _)| (*keeper, lane) == (rep, &wanted));
        kept.map(|(_, _, count)| count).sum::<usize>()
    };
    assert_eq!(kept_in(REP, entry(2).lane), 2);
    let others = [kept_in(OTHER, entry(4).lane), kept_in(OTHER, solar())];
    assert_eq!((others, kept_in(OTHER, lane(&[], None))), ([1, 1], 1));
    assert_eq!(census.kept.iter().map(|(_, _, count)| count).sum::<usize>(), 5);
}

/// As many as a rep may own whose hours are closed, and the one that is open is the last by rank.
pub(super) async fn own_leads_whose_hours_are_closed_hold_nothing_up(queue: impl LeadQueue) {
    let closed = |lead| {
        let lane = lane(&[], Some(CLOSED));
        kept(REP, Entry { lane, worth: Worth::steady(lead), ..untouched(lead, 0, lead) })
    };
    put(&queue, (1..=FLOOD).map(closed)).await;
    put(&queue, [kept(REP, entry(FLOOD + 1))]).await;
    let proposal = queue.propose(&ask(0)).await.unwrap();
    assert!(!proposal.is_unfinished);
    assert_eq!(proposal.leads(), ids(&[FLOOD + 1]));
    assert_eq!(queue.counts(&ask(0)).await.unwrap().closed, usize::try_from(FLOOD).unwrap());
}

/// More lanes than there may be, so that own leads may have to share one with any skills.
pub(super) async fn beyond_the_last_lane_own_leads_need_their_skills_still(queue: impl LeadQueue) {
    let last = LANE_COUNT_MAX as i64;
    let needs = |lead: i64, skill: &str| Entry {
        ready_since: lead,
        lane: lane(&[skill], Some(OPEN)),
        ..entry(lead)
    };
    put(&queue, (1..=last).map(|lead| needs(lead, &format!("skill-{lead}")))).await;
    put(
        &queue,
        [(1, "solar"), (2, "welsh"), (3, "solar")]
            .map(|(lead, skill)| kept(REP, needs(last + lead, skill))),
    )
    .await;
    put(&queue, [kept_until(OTHER, 5, needs(last + 4, "solar"))]).await;
    let solar = |rep, now| Ask { rep, skills: names(&["solar"]), ..ask(now) };
    let counts = queue.counts(&solar(REP, 0)).await.unwrap();
    assert_eq!((counts.open, counts.unskilled, counts.kept), (2, LANE_COUNT_MAX + 1, 1));
    assert_eq!(drain(&queue, &solar(REP, 4)).await, [last + 1, last + 3]);
    put_back(&queue, &[last + 1, last + 3]).await;
    assert_eq!(drain(&queue, &solar(RepKey(3), 5)).await, [last + 4], "it is anyone's by now");
    let counts = queue.counts(&solar(OTHER, 5)).await.unwrap();
    assert_eq!((counts.open, counts.unskilled, counts.kept), (0, LANE_COUNT_MAX, 3));
    assert_eq!(drain(&queue, &Ask { skills: names(&["welsh"]), ..ask(5) }).await, [last + 2]);
}

//! What people read of a queue.

use std::collections::BTreeSet;
use std::sync::Arc;

use nextlead::domain::{LeadId, QueueKey, Worth};
use nextlead::queue::{
    Ask, Census, Counts, Entry, LANE_COUNT_MAX, LeadQueue, OpenHours, Proposal, Snapshot,
};

use super::support::{
    CLOSED, OPEN, QUEUE, ask, by, callback, candidates, ending, entry, lane, names, pull, put,
    untouched, waiting,
};

fn in_lane(lead: i64, skills: &[&str], hours: Option<&str>) -> Entry {
    Entry { lane: lane(skills, hours), ..entry(lead) }
}

pub(super) async fn an_empty_queue_answers_like_one(queue: impl LeadQueue) {
    let nowhere = QueueKey(77);
    queue.begin(nowhere, by(4)).await.unwrap();
    let asked = Ask { queue: nowhere, ..ask(5) };
    assert_eq!(
        queue.propose(&asked).await.unwrap(),
        Proposal { basis: by(4), ..Proposal::default() }
    );
    assert_eq!(queue.counts(&asked).await.unwrap(), Counts::default());
    assert_eq!(queue.census(nowhere).await.unwrap(), Census::default());
    assert_eq!(queue.next_due_at(nowhere).await.unwrap(), None);
    assert!(queue.hours(nowhere).await.unwrap().is_empty());
    assert_eq!(queue.place_of(nowhere, LeadId(1), 5).await.unwrap(), None);
    let nothing = Snapshot { taken_at: 5, ..Snapshot::default() };
    assert_eq!(queue.peek(nowhere, 5, 9).await.unwrap(), nothing);
    queue.put_back(nowhere, &[LeadId(1)]).await.unwrap();
}

pub(super) async fn counts_say_where_the_leads_are(queue: impl LeadQueue) {
    put(&queue, [entry(1), callback(2), entry(3), in_lane(4, &["solar"], Some(OPEN))]).await;
    put(&queue, [in_lane(5, &["solar"], Some(CLOSED)), in_lane(6, &[], Some(CLOSED))]).await;
    put(&queue, (7..=9).map(|lead| in_lane(lead, &["solar"], None))).await;
    put(&queue, [waiting(10, 90), waiting(11, 80), waiting(12, 20)]).await;
    assert_eq!(pull(&queue, &ask(0)).await, Some(2));
    let counts = queue.counts(&ask(20)).await.unwrap();
    let expected = Counts {
        open: 3,
        closed: 1,
        unskilled: 2,
        unroutable: 3,
        kept: 0,
        waiting: 2,
        next_due_at: Some(80),
        in_flight: 1,
    };
    assert_eq!(counts, expected);
    let skilled = Ask { skills: names(&["solar"]), ..ask(20) };
    let counts = queue.counts(&skilled).await.unwrap();
    assert_eq!(counts, Counts { open: 4, closed: 2, unskilled: 0, ..expected });
}

pub(super) async fn a_census_counts_each_lane_for_whoever_looks(queue: impl LeadQueue) {
    put(&queue, [entry(1), callback(2), entry(3), in_lane(4, &["solar"], Some(OPEN))]).await;
    put(&queue, (7..=9).map(|lead| in_lane(lead, &["solar"], None))).await;
    put(&queue, [waiting(10, 90), waiting(11, 80)]).await;
    assert_eq!(pull(&queue, &ask(0)).await, Some(2));
    let census = queue.census(QUEUE).await.unwrap();
    assert_eq!((census.waiting, census.in_flight), (2, 1));
    let count = |wanted| {
        let lanes = census.lanes.iter().filter(|(lane, _)| *lane == wanted);
        lanes.map(|(_, count)| count).sum::<usize>()
    };
    assert_eq!(count(entry(1).lane), 2);
    assert_eq!(count(lane(&["solar"], Some(OPEN))), 1);
    assert_eq!(count(lane(&["solar"], None)), 3);
    assert!(census.lanes.iter().all(|(_, count)| *count > 0), "{census:?}");
}

pub(super) async fn counts_look_into_coarse_lanes(queue: impl LeadQueue) {
    let last = LANE_COUNT_MAX as i64;
    let own = |lead: i64| in_lane(lead, &[&format!("skill-{lead}")], Some(OPEN));
    put(&queue, (1..=last).map(own)).await;
    let solar = |lead| in_lane(lead, &["solar"], Some(OPEN));
    put(&queue, [solar(last + 1), solar(last + 2), in_lane(last + 3, &["welsh"], Some(OPEN))])
        .await;
    let asked = Ask { skills: names(&["solar", "skill-7"]), ..ask(0) };
    let counts = queue.counts(&asked).await.unwrap();
    assert_eq!((counts.open, counts.unskilled), (3, LANE_COUNT_MAX));
}

pub(super) async fn hours_are_those_of_the_lanes(queue: impl LeadQueue) {
    put(&queue, [entry(1), in_lane(2, &["solar"], Some(OPEN)), in_lane(3, &[], Some(CLOSED))])
        .await;
    put(&queue, [in_lane(4, &[], None), waiting(5, 90), callback(6)]).await;
    let hours: BTreeSet<Arc<str>> = queue.hours(QUEUE).await.unwrap().into_iter().collect();
    assert_eq!(hours, BTreeSet::from([OPEN.into(), CLOSED.into()]));
    assert_eq!(queue.hours(QUEUE).await.unwrap().len(), 2, "each of them once");
}

pub(super) async fn peek_is_in_the_order_of_service(queue: impl LeadQueue) {
    let worth = |lead: i64| Entry { worth: Worth::steady(lead * 7 % 13), ..entry(lead) };
    put(&queue, (1..=20).map(worth)).await;
    put(&queue, [callback(30), waiting(31, 50), in_lane(32, &["solar"], None)]).await;
    let flying = pull(&queue, &ask(0)).await;
    assert_eq!(flying, Some(30));
    let seen = queue.peek(QUEUE, 49, 8).await.unwrap();
    assert_eq!((seen.taken_at, seen.ready_count, seen.places.len()), (49, 21, 8));
    let all = queue.peek(QUEUE, 49, 100).await.unwrap().places;
    assert_eq!(all[..8], seen.places);
    assert!(all.is_sorted_by_key(|place| place.rank));
    let hours = Arc::new(OpenHours { number: 9, open: BTreeSet::from([OPEN.into()]) });
    let served = candidates(&queue, &Ask { hours, count: 100, ..ask(49) }).await;
    let served: Vec<_> = served.iter().map(|candidate| candidate.lead).collect();
    let routable = all.iter().map(|place| place.lead).filter(|lead| lead.0 != 32);
    assert_eq!(routable.collect::<Vec<_>>(), served);
}

pub(super) async fn peek_sees_what_time_changed(queue: impl LeadQueue) {
    let fades = Entry { worth: ending(90, 50, 5), ..untouched(1, 0, 777) };
    let first_touch = untouched(3, 1, 888).first_touch;
    put(&queue, [fades, entry(2), Entry { first_touch, ..waiting(3, 50) }]).await;
    let before = queue.peek(QUEUE, 49, 10).await.unwrap();
    let seen = |snapshot: &Snapshot| {
        let places = snapshot.places.iter();
        let seen = places.map(|p| (p.lead.0, p.head_start_ms, p.first_touch_due_at));
        seen.collect::<Vec<_>>()
    };
    assert_eq!((before.ready_count, seen(&before)), (2, vec![(1, 90, Some(777)), (2, 0, None)]));
    let after = queue.peek(QUEUE, 50, 10).await.unwrap();
    let (first, second, third) = ((1, 5, Some(777)), (2, 0, None), (3, 0, Some(888)));
    assert_eq!((after.ready_count, seen(&after)), (3, vec![first, second, third]));
    assert_eq!(after.places[0].rank.virtual_since, -5);
    assert_eq!(queue.peek(QUEUE, 50, 0).await.unwrap().ready_count, 3);
}

pub(super) async fn place_of_counts_those_before(queue: impl LeadQueue) {
    let since = |lead: i64| Entry { ready_since: 100 - lead, ..entry(lead) };
    put(&queue, (1..=9).map(since).chain([waiting(10, 200), callback(11)])).await;
    let place = async |lead, now| queue.place_of(QUEUE, LeadId(lead), now).await.unwrap();
    assert_eq!(place(11, 150).await, Some((0, 10)));
    assert_eq!(place(9, 150).await, Some((1, 10)));
    assert_eq!(place(1, 150).await, Some((9, 10)));
    assert_eq!(place(10, 199).await, None, "it waits");
    assert_eq!(place(10, 200).await, Some((10, 11)));
    assert_eq!(place(12, 150).await, None, "nobody knows it");
    assert_eq!(pull(&queue, &ask(150)).await, Some(11));
    assert_eq!(place(11, 150).await, None, "it is in flight");
    put(&queue, [Entry { version: 2, worth: ending(50, 160, 0), ..since(1) }]).await;
    assert_eq!(place(1, 159).await, Some((0, 9)));
    assert_eq!(place(1, 160).await, Some((8, 9)));
}

pub(super) async fn the_next_due_instant_is_the_first(queue: impl LeadQueue) {
    put(&queue, [waiting(1, 90), waiting(2, 50), entry(3), waiting(4, 70)]).await;
    assert_eq!(queue.next_due_at(QUEUE).await.unwrap(), Some(50));
    put(&queue, [Entry { version: 2, ..waiting(2, 80) }]).await;
    assert_eq!(queue.next_due_at(QUEUE).await.unwrap(), Some(70));
    assert_eq!(queue.promote(85, 9).await.unwrap(), 2);
    assert_eq!(queue.next_due_at(QUEUE).await.unwrap(), Some(90));
}

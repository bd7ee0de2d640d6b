//! The reserve: pulls kept for the untouched, and the debt that says when.

use nextlead::domain::{RepKey, ServeOrder, Worth};
use nextlead::queue::{Ask, Entry, LeadQueue};

use super::support::{
    CLOSED, OPEN, QUEUE, RESERVE_AFTER, ask, callback, candidates, entry, lane, put, put_back,
    serve, untouched,
};

const CALLBACK: ServeOrder = ServeOrder::Callback;
const FIRST_TOUCH: ServeOrder = ServeOrder::FirstTouch;
const ORDINARY: ServeOrder = ServeOrder::Ordinary;

/// Touched leads 1 to 99, each worth more than any untouched one.
async fn put_valuable(queue: &impl LeadQueue) {
    let worth = Worth::steady(1_000_000);
    put(queue, (1..=99).map(|lead| Entry { worth: worth.clone(), ..entry(lead) })).await;
}

async fn orders(queue: &impl LeadQueue, ask: &Ask, count: usize) -> Vec<ServeOrder> {
    let mut orders = Vec::new();
    for _ in 0..count {
        orders.extend(serve(queue, ask).await.map(|(_, order)| order));
    }
    orders
}

pub(super) async fn a_missing_debt_serves_the_untouched_first(queue: impl LeadQueue) {
    put_valuable(&queue).await;
    put(&queue, [untouched(100, 0, 50)]).await;
    let first = candidates(&queue, &ask(0)).await[0];
    assert_eq!((first.lead.0, first.order), (100, FIRST_TOUCH));
    assert_eq!(first.first_touch_due_at, Some(50));
}

pub(super) async fn ordinary_pulls_raise_the_debt_to_the_reserve(queue: impl LeadQueue) {
    put_valuable(&queue).await;
    put(&queue, (100..110).map(|lead| untouched(lead, 0, lead))).await;
    let served = orders(&queue, &ask(0), 9).await;
    let round = [FIRST_TOUCH, ORDINARY, ORDINARY, ORDINARY];
    assert_eq!(served, [&round[..], &round[..], &round[..1]].concat());
}

pub(super) async fn the_debt_is_capped_at_twice_the_reserve(queue: impl LeadQueue) {
    put_valuable(&queue).await;
    assert_eq!(orders(&queue, &ask(0), 20).await, [ORDINARY; 20]);
    put(&queue, (100..110).map(|lead| untouched(lead, 0, lead))).await;
    let served = orders(&queue, &ask(0), 4).await;
    assert_eq!(RESERVE_AFTER, 3, "twice of it is two serves from the reserve");
    assert_eq!(served, [FIRST_TOUCH, FIRST_TOUCH, ORDINARY, ORDINARY]);
}

pub(super) async fn a_callback_leaves_the_debt_alone(queue: impl LeadQueue) {
    put_valuable(&queue).await;
    put(&queue, (100..110).map(|lead| untouched(lead, 0, lead))).await;
    assert_eq!(orders(&queue, &ask(0), 3).await, [FIRST_TOUCH, ORDINARY, ORDINARY]);
    put(&queue, (200..205).map(callback)).await;
    assert_eq!(orders(&queue, &ask(0), 5).await, [CALLBACK; 5]);
    assert_eq!(orders(&queue, &ask(0), 2).await, [ORDINARY, FIRST_TOUCH]);
}

pub(super) async fn the_debt_is_the_reps_own(queue: impl LeadQueue) {
    put_valuable(&queue).await;
    put(&queue, (100..110).map(|lead| untouched(lead, 0, lead))).await;
    let other = Ask { rep: RepKey(2), ..ask(0) };
    assert_eq!(orders(&queue, &ask(0), 2).await, [FIRST_TOUCH, ORDINARY]);
    assert_eq!(orders(&queue, &other, 2).await, [FIRST_TOUCH, ORDINARY]);
}

pub(super) async fn the_debt_stays_while_candidates_are_only_proposed(queue: impl LeadQueue) {
    put_valuable(&queue).await;
    put(&queue, (100..103).map(|lead| untouched(lead, 0, lead))).await;
    let all = candidates(&queue, &Ask { count: 5, ..ask(0) }).await;
    let seen: Vec<_> = all.iter().map(|candidate| (candidate.lead.0, candidate.order)).collect();
    let reserve = [(100, FIRST_TOUCH), (101, FIRST_TOUCH), (102, FIRST_TOUCH)];
    assert_eq!(seen, [&reserve[..], &[(1, ORDINARY), (2, ORDINARY)]].concat());
    let leads: Vec<_> = all.iter().map(|candidate| candidate.lead).collect();
    queue.put_back(QUEUE, &leads).await.unwrap();
    assert_eq!(orders(&queue, &ask(0), 2).await, [FIRST_TOUCH, ORDINARY]);
}

pub(super) async fn the_reserve_keeps_its_order(queue: impl LeadQueue) {
    let worth = Worth::steady(500);
    let dear = Entry { worth, ..untouched(3, 0, 90) };
    put(&queue, [untouched(1, 1, 10), untouched(5, 0, 20), untouched(4, 0, 20), dear]).await;
    let all = candidates(&queue, &Ask { count: 4, ..ask(0) }).await;
    assert_eq!(all.iter().map(|candidate| candidate.lead.0).collect::<Vec<_>>(), [4, 5, 3, 1]);
    assert!(all.iter().all(|candidate| candidate.order == FIRST_TOUCH));
    put_back(&queue, &[1, 3, 4, 5]).await;
    let always_ordinary = Ask { reserve_after: 1_000, ..ask(0) };
    queue.served(QUEUE, ask(0).rep, all[0].lead, FIRST_TOUCH, RESERVE_AFTER).await.unwrap();
    let first = candidates(&queue, &always_ordinary).await[0];
    assert_eq!((first.lead.0, first.order), (3, ORDINARY), "by rank it is the first");
}

pub(super) async fn the_reserve_stays_within_open_lanes(queue: impl LeadQueue) {
    let unskilled = Entry { lane: lane(&["solar"], Some(OPEN)), ..untouched(1, 0, 10) };
    let closed = Entry { lane: lane(&[], Some(CLOSED)), ..untouched(2, 0, 20) };
    put(&queue, [unskilled, closed, untouched(3, 0, 30), entry(4)]).await;
    assert_eq!(serve(&queue, &ask(0)).await, Some((3, FIRST_TOUCH)));
    assert_eq!(serve(&queue, &ask(0)).await, Some((4, ORDINARY)));
    assert_eq!(serve(&queue, &ask(0)).await, None);
}

pub(super) async fn callbacks_go_before_the_reserve(queue: impl LeadQueue) {
    let promised = Entry { tier: callback(1).tier, ..untouched(3, 0, 5) };
    put(&queue, [untouched(1, 0, 10), callback(2), promised]).await;
    assert_eq!(serve(&queue, &ask(0)).await, Some((2, CALLBACK)));
    assert_eq!(serve(&queue, &ask(0)).await, Some((3, CALLBACK)));
    assert_eq!(serve(&queue, &ask(0)).await, Some((1, FIRST_TOUCH)));
}

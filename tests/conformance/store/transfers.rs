//! Leads that go to another queue: by a manager's word, or at the end of a policy.

use std::sync::Arc;

use nextlead::domain::{
    AfterRoute, AfterRule, Callback, CloseReason, Delay, Disposition, EventKind, LeadId, Policy,
    Queue, Route, Stage, Standing, Tier, WaitReason,
};
use nextlead::store::{
    Book, BookFilter, Denied, Erase, ExportFilter, HandedOver, Handover, LeadRecord, RecordTouch,
    StoreError, Transfer, Transferred,
};

use super::desk::{Desk, GRACE_MS, LEASE_MS, MINUTE_MS, START};

fn transfer(desk: &Desk, lead: LeadId, to: &Queue, now: i64) -> Transfer {
    Transfer {
        lead,
        to: Arc::new(to.clone()),
        queues: vec![Arc::new(desk.queue.clone()), Arc::new(desk.other.clone())],
        reason: Some("too_large".into()),
        actor: "manager".into(),
        now,
        request: None,
    }
}

async fn moved(desk: &Desk, lead: LeadId, to: &Queue, now: i64) -> Transferred {
    desk.store.transfer(transfer(desk, lead, to, now)).await.expect("a lead is transferred")
}

async fn refused(desk: &Desk, lead: LeadId, now: i64) -> Denied {
    match desk.store.transfer(transfer(desk, lead, &desk.other, now)).await {
        Err(StoreError::Denied(why)) => why,
        other => panic!("it was not refused: {other:?}"),
    }
}

/// The sum of a queue's books.
async fn book(desk: &Desk, queue: &Queue) -> Book {
    let filter = BookFilter { queue: Some(queue.key), campaign: None };
    let mut sum = Book::default();
    for book in desk.store.books(&filter, START).await.expect("a read") {
        assert_eq!(book.imbalance(), 0, "{book:?}");
        sum.handed_over += book.handed_over;
        sum.ready += book.ready;
        sum.waiting += book.waiting;
        sum.touched += book.touched;
        sum.touches += book.touches;
        sum.transferred_in += book.transferred_in;
        sum.transferred_out += book.transferred_out;
    }
    sum
}

async fn open_in(desk: &Desk, queue: &Queue) -> Vec<LeadId> {
    let open = desk.store.open_leads(queue.key, LeadId(0), 100).await.expect("a read");
    open.iter().map(|record| record.lead.id).collect()
}

/// A policy that tries once more and then hands on.
fn handing_on(to: &Queue) -> Arc<Policy> {
    let rule = AfterRule {
        dispositions: vec![Disposition::NoAnswer],
        stages: vec![Stage { retry_in: vec![Delay::For(MINUTE_MS)], ..Stage::default() }],
        attempts_min: 0,
        attempts_max: Some(2),
        then: AfterRoute::Queue(to.id.clone()),
        reason: None,
    };
    Arc::new(Policy { after: vec![rule] })
}

/// A touch in a queue under a policy.
async fn touched(desk: &Desk, lead: LeadId, (of, to): (&Queue, &Queue), now: i64) -> LeadRecord {
    let lease = desk.lease(1, lead, now).await;
    let change = RecordTouch {
        policy: handing_on(to),
        queue: Arc::new(of.clone()),
        others: vec![Arc::new(to.clone())],
        ..desk.call_under(&lease, Disposition::NoAnswer, now).await
    };
    desk.record_touch(change).await.record
}

pub(super) async fn a_transfer_moves_a_lead_with_its_book_and_its_history(desk: &Desk) {
    let lead = desk.lead().await;
    let stays = desk.lead().await;
    desk.work(0, lead, Disposition::NoAnswer, START + 1).await;
    let lease = desk.lease(2, lead, START + 60 * MINUTE_MS + 1).await;
    let mut promise =
        desk.call_under(&lease, Disposition::CallbackOwn, START + 61 * MINUTE_MS).await;
    let at = START + 120 * MINUTE_MS;
    promise.touch.callback_at = Some(at);
    let before = desk.record_touch(promise).await.record.state;

    let done = moved(desk, lead, &desk.other, START + 62 * MINUTE_MS).await;
    assert_eq!((done.was_so, done.from), (false, desk.queue.key));
    let state = desk.record(lead).await.state;
    assert_eq!((state.queue, state.campaign), (desk.other.key, desk.campaign.key));
    assert_eq!(state.standing, Standing::Waiting { until: at, why: WaitReason::Callback });
    assert_eq!(state.callback, Some(Callback { at, to: Some(desk.reps[2]) }));
    assert_eq!(state.tier, Tier::Callback);
    assert_eq!((state.attempts, state.entered_at), (0, Some(START + 62 * MINUTE_MS)));
    assert_eq!(state.ready_since, before.ready_since, "its place in line is no news");
    let promise = |state: &nextlead::domain::LeadState| {
        (state.handed_over_at, state.first_touch_due_at, state.first_touched_at)
    };
    assert_eq!(promise(&state), promise(&before));
    assert_eq!(desk.record(lead).await.lead.queue, desk.other.key);
    let events = desk.store.ledger(lead, 0, 100).await.expect("a read");
    let last = events.last().expect("an event");
    assert_eq!((last.kind, last.actor.as_str()), (EventKind::Transferred, "manager"));
    let detail = ["from", "to", "reason"].map(|name| last.detail[name].as_str());
    assert_eq!(detail, ["sales", "service", "too_large"]);

    // The lead and its first touch went over; who called it, called it there.
    let (left, came) = (book(desk, &desk.queue).await, book(desk, &desk.other).await);
    assert_eq!((left.handed_over, left.transferred_out, left.ready, left.waiting), (2, 1, 1, 0));
    assert_eq!((came.handed_over, came.transferred_in, came.ready, came.waiting), (0, 1, 0, 1));
    assert_eq!((left.touched, left.touches, came.touched, came.touches), (0, 2, 1, 0));
    assert_eq!(open_in(desk, &desk.queue).await, [stays]);
    assert_eq!(open_in(desk, &desk.other).await, [lead]);
    desk.audit().await;

    // There and back again; each touch is counted, and exported, where it was made.
    desk.work(0, lead, Disposition::NoAnswer, at).await;
    moved(desk, lead, &desk.queue, at + 1).await;
    let (left, came) = (book(desk, &desk.queue).await, book(desk, &desk.other).await);
    assert_eq!((left.transferred_in, left.transferred_out, left.touches), (1, 1, 2));
    assert_eq!((came.transferred_in, came.transferred_out, came.touches), (1, 1, 1));
    let last = desk.store.last_touch().await.expect("a read");
    for (queue, count) in [(&desk.queue, 2), (&desk.other, 1)] {
        let filter = ExportFilter { queue: Some(queue.key), ..ExportFilter::default() };
        let touches = desk.store.touches_between(&filter, 0, last).await.expect("a read");
        assert_eq!(touches.len(), count);
        assert!(touches.iter().all(|touch| touch.queue == queue.key));
    }
    assert_eq!(desk.record(lead).await.state.transfers, 0, "no policy said so");
}

pub(super) async fn a_lead_is_found_again_in_its_queue_alone(desk: &Desk) {
    let row = desk.somebody();
    let lead = desk.one(row.clone()).await.lead();
    moved(desk, lead, &desk.other, START + 1).await;

    // Sent again it is the same lead, where it is now.
    let mut facts = row.facts.clone();
    facts.stage = Some("hot".into());
    let again = desk.one(Handover { facts, ..row.clone() }).await;
    assert_eq!(again, HandedOver::Updated { lead });
    let record = desk.record(lead).await;
    assert_eq!(
        (record.state.queue, record.lead.facts.stage.as_deref()),
        (desk.other.key, Some("hot"))
    );

    // The same person is known in the queue that has the lead, and in that one alone.
    let there = desk.one(desk.of(&desk.elsewhere, row.facts.clone())).await;
    assert_eq!(there, HandedOver::Merged { into: lead });
    let here = desk.one(desk.with(row.facts.clone())).await;
    assert!(matches!(here, HandedOver::Opened { predecessor: None, .. }), "{here:?}");
}

pub(super) async fn what_cannot_be_transferred_is_refused_and_nothing_moves(desk: &Desk) {
    let [held, closed, erased] = desk.leads(3).await[..] else { panic!("three leads") };
    let lease = desk.lease(3, held, START).await;
    let until = START + LEASE_MS + GRACE_MS;
    let leased = Denied::LeadLeased { rep: lease.rep, until };
    assert_eq!(refused(desk, held, START + 1).await, leased);
    assert_eq!(refused(desk, held, START + LEASE_MS + 1).await, leased, "the grace runs");
    desk.work(4, closed, Disposition::NotInterested, START).await;
    assert_eq!(refused(desk, closed, START + 1).await, Denied::LeadClosed);
    let erase = Erase { lead: erased, actor: "dpo".into(), now: START, request: None };
    desk.store.erase(erase).await.expect("an erasure");
    assert_eq!(refused(desk, erased, START + 1).await, Denied::LeadErased);
    assert_eq!(refused(desk, LeadId(77), START + 1).await, Denied::UnknownLead(LeadId(77)));
    assert_eq!(book(desk, &desk.other).await, Book::default());

    // A lease that nobody swept yet is over all the same.
    let done = moved(desk, held, &desk.other, until).await;
    assert_eq!(done.record.state.standing, Standing::Ready);
    assert_eq!(desk.story(held).await, ["opened", "leased", "expired", "transferred"]);
}

pub(super) async fn a_transfer_is_asked_for_once(desk: &Desk) {
    let lead = desk.lead().await;
    let change =
        Transfer { request: desk.request("t-1", 1), ..transfer(desk, lead, &desk.other, START) };
    let first = desk.store.transfer(change.clone()).await.expect("a transfer");
    assert_eq!((first.was_so, first.from), (false, desk.queue.key));
    let again = desk.store.transfer(change.clone()).await.expect("a replay");
    assert_eq!((again.was_so, again.from), (false, desk.queue.key));
    let other = Transfer { request: desk.request("t-1", 2), ..change.clone() };
    let reused = desk.store.transfer(other).await;
    assert!(matches!(reused, Err(StoreError::Denied(Denied::RequestReused))), "{reused:?}");
    let known = Transfer { request: None, ..change };
    let known = desk.store.transfer(known).await.expect("an answer");
    assert_eq!((known.was_so, known.from), (true, desk.other.key));
    assert_eq!(desk.story(lead).await, ["opened", "transferred"]);
}

pub(super) async fn a_policy_hands_a_lead_on_in_the_touch_s_commit(desk: &Desk) {
    let lead = desk.lead().await;
    let (here, there) = (&desk.queue, &desk.other);
    let record = touched(desk, lead, (here, there), START).await;
    assert_eq!(record.state.queue, here.key);
    let record = touched(desk, lead, (here, there), START + MINUTE_MS).await;
    let state = record.state;
    assert_eq!((state.queue, state.standing), (there.key, Standing::Ready));
    assert_eq!((state.attempts, state.transfers), (0, 1), "its chain begins anew");
    assert_eq!((state.entered_at, state.ready_since), (Some(START + MINUTE_MS), START + MINUTE_MS));
    let events = desk.store.ledger(lead, 0, 100).await.expect("a read");
    let [.., touch, last] = events.as_slice() else { panic!("two events") };
    assert_eq!((touch.kind, touch.detail["after"].as_str()), (EventKind::Touched, "1"));
    assert_eq!((last.kind, last.actor.as_str()), (EventKind::Transferred, "nextlead"));
    assert_eq!((last.detail["from"].as_str(), last.detail["to"].as_str()), ("sales", "service"));
    let (left, came) = (book(desk, here).await, book(desk, there).await);
    assert_eq!((left.ready + left.waiting, left.touches, left.transferred_out), (0, 2, 1));
    assert_eq!((came.ready, came.touches, came.transferred_in), (1, 0, 1));

    // The days of a stage count from its coming, too: two attempts are due here again.
    let record = touched(desk, lead, (there, here), START + 2 * MINUTE_MS).await;
    assert_eq!((record.state.queue, record.state.attempts), (there.key, 1));
    assert_eq!(book(desk, there).await.touches, 1);
}

pub(super) async fn policies_hand_a_lead_on_so_often_and_no_more(desk: &Desk) {
    let lead = desk.lead().await;
    let queues = [&desk.queue, &desk.other];
    let mut now = START;
    for nth in 0..nextlead::domain::TRANSFER_COUNT_MAX as usize {
        for _ in 0..2 {
            let (of, to) = (queues[nth % 2], queues[(nth + 1) % 2]);
            assert_eq!(desk.record(lead).await.state.queue, of.key);
            touched(desk, lead, (of, to), now).await;
            now += MINUTE_MS;
        }
    }
    let (of, to) = (queues[1], queues[0]);
    touched(desk, lead, (of, to), now).await;
    let record = touched(desk, lead, (of, to), now + MINUTE_MS).await;
    let (why, route) = (CloseReason::TransfersExhausted, Route::Nurture { until: None });
    assert_eq!(record.state.standing, Standing::Closed { why, route });
    assert_eq!(record.state.queue, of.key);
}

/// What may happen to a lead next.
fn chance(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

pub(super) async fn whatever_happens_both_books_add_up(desk: &Desk) {
    let mut leads = desk.leads(6).await;
    let queues = [desk.queue.clone(), desk.other.clone()];
    let (mut seed, mut now) = (7, START);
    for round in 0..150 {
        now += MINUTE_MS * i64::try_from(chance(&mut seed, 90)).expect("a small number");
        let lead = leads[chance(&mut seed, leads.len() as u64) as usize];
        let record = desk.record(lead).await;
        let is_at = usize::from(record.state.queue != queues[0].key);
        let (of, to) = (&queues[is_at], &queues[1 - is_at]);
        match chance(&mut seed, 7) {
            0 => leads.push(desk.lead().await),
            1 => {
                let row = desk.with(record.lead.facts.clone());
                leads.push(desk.one(row).await.lead());
            }
            2 | 3 => drop(desk.store.transfer(transfer(desk, lead, to, now)).await),
            4 => drop(desk.store.sweep(now, 10, None).await.expect("a sweep")),
            5 => {
                let call = desk.call(lead, Disposition::Busy, now).await;
                desk.record_touch(RecordTouch { is_by_system: true, ..call }).await;
            }
            _ => {
                let rep = 8 + round % 24;
                let outcome = desk.pull(rep, &[lead], now).await;
                if let nextlead::store::LeaseOutcome::Granted { granted, .. } = outcome {
                    let how =
                        [Disposition::NoAnswer, Disposition::Busy, Disposition::NotInterested];
                    let how = how[chance(&mut seed, 3) as usize];
                    let change = RecordTouch {
                        policy: handing_on(to),
                        queue: Arc::new(of.clone()),
                        others: vec![Arc::new(to.clone())],
                        ..desk.call_under(&granted.lease, how, now).await
                    };
                    desk.record_touch(change).await;
                }
            }
        }
        if round % 25 == 24 {
            desk.audit().await;
        }
    }
    let (one, other) = (book(desk, &queues[0]).await, book(desk, &queues[1]).await);
    assert_eq!(one.transferred_out, other.transferred_in);
    assert_eq!(one.transferred_in, other.transferred_out);
    assert!(one.transferred_in > 5 && one.transferred_out > 5, "{one:?}");
}

//! Touches: always recorded, and under a lease that holds they move the lead.

use std::sync::Arc;

use nextlead::domain::{
    Direction, Disposition, Facts, LeadId, LeadNumber, Policy, Route, Standing, Tier, WaitReason,
};
use nextlead::store::{BookFilter, Denied, LeaseOutcome, RecordTouch, StoreError};

use super::desk::{Desk, MINUTE_MS, PROMISE_MS, START, granted, held, number};

fn closed(standing: &Standing) -> Option<Route> {
    match standing {
        Standing::Closed { route, .. } => Some(*route),
        _ => None,
    }
}

pub(super) async fn a_touch_under_its_lease_moves_the_lead(desk: &Desk) {
    let lead = desk.lead().await;
    let lease = desk.lease(0, lead, START).await;
    let change = desk.call_under(&lease, Disposition::NoAnswer, START + 5).await;

    let recorded = desk.record_touch(change.clone()).await;

    assert!(!recorded.late && !recorded.is_replay && recorded.next.is_none());
    let until = START + 5 + 60 * MINUTE_MS;
    let waiting = Standing::Waiting { until, why: WaitReason::Retry };
    assert_eq!((recorded.record.state.standing, recorded.record.state.attempts), (waiting, 1));
    assert_eq!(recorded.record, desk.record(lead).await);
    assert_eq!(recorded.record.lease, None);
    let touches = desk.store.touches(lead, 10).await.expect("a read");
    assert_eq!(touches.len(), 1);
    assert_eq!((&touches[0].touch, touches[0].late), (&change.touch, false));
    assert_eq!(touches[0].recorded_at, START + 5);
    // The rep and the number are free again.
    let other = desk.lead().await;
    let lease = desk.lease(0, other, START + 6).await;

    let mut change = desk.call_under(&lease, Disposition::CallbackAny, START + 7).await;
    change.touch.callback_at = Some(START + 1_000);
    let state = desk.record_touch(change).await.record.state;
    let callback = Standing::Waiting { until: START + 1_000, why: WaitReason::Callback };
    assert_eq!((state.standing, state.tier), (callback, Tier::Callback));
    assert_eq!(desk.story(other).await, ["opened", "leased", "touched"]);
}

pub(super) async fn a_touch_is_recorded_once(desk: &Desk) {
    let lead = desk.lead().await;
    let lease = desk.lease(0, lead, START).await;
    let change = desk.call_under(&lease, Disposition::NoAnswer, START + 5).await;
    let first = desk.record_touch(change.clone()).await;
    let again = desk.record_touch(change.clone()).await;
    assert!(again.is_replay && !again.late && !again.is_next_lost);
    assert_eq!(again.record, first.record);
    assert_eq!(desk.store.touches(lead, 10).await.expect("a read").len(), 1);

    let mut other = change.clone();
    other.body_hash = [2; 32];
    let error = desk.store.record_touch(other).await.expect_err("another body");
    assert!(matches!(error, StoreError::Denied(Denied::RequestReused)), "{error}");
    // Another caller's ids have nothing to do with these.
    let mut other = change;
    other.caller = "dialler".into();
    assert!(desk.record_touch(other).await.late);
    assert_eq!(desk.store.touches(lead, 10).await.expect("a read").len(), 2);
}

pub(super) async fn a_touch_within_the_grace_is_in_time_and_a_later_one_is_late(desk: &Desk) {
    let leads = desk.leads(2).await;
    let lease = desk.lease(0, leads[0], START).await;
    let change = desk.call_under(&lease, Disposition::Sale, lease.held_until - 1).await;
    let in_time = desk.record_touch(change).await;
    assert!(!in_time.late);
    assert_eq!(closed(&in_time.record.state.standing), Some(Route::Won));

    let lease = desk.lease(0, leads[1], START).await;
    let change = desk.call_under(&lease, Disposition::Sale, lease.held_until).await;
    let late = desk.record_touch(change).await;
    assert!(late.late);
    assert_eq!((late.record.state.standing, late.record.state.attempts), (Standing::Leased, 1));
    assert_eq!(desk.story(leads[1]).await, ["opened", "leased", "noted"]);
    assert!(desk.store.touches(leads[1], 1).await.expect("a read")[0].late);

    // Somebody else's token is no lease, either.
    let other = desk.lead().await;
    let lease = desk.lease(1, other, START).await;
    let mut change = desk.call_under(&lease, Disposition::Sale, START + 1).await;
    change.touch.rep = Some(desk.reps[2]);
    assert!(desk.record_touch(change).await.late);
    assert_eq!(desk.standing(other).await, Standing::Leased);
}

pub(super) async fn a_first_touch_is_kept_by_a_lease_or_a_system_alone(desk: &Desk) {
    let leads = desk.leads(4).await;
    let at = START + 10;
    // A rep without a lease.
    let change = desk.call(leads[0], Disposition::NoAnswer, at).await;
    assert_eq!(desk.record_touch(change).await.record.state.first_touched_at, None);
    // A system, inbound and outbound.
    let mut change = desk.call(leads[1], Disposition::NoAnswer, at).await;
    (change.is_by_system, change.touch.rep, change.touch.direction) =
        (true, None, Direction::Inbound);
    let state = desk.record_touch(change).await.record.state;
    assert_eq!((state.first_touched_at, state.attempts), (None, 0));
    let mut change = desk.call(leads[1], Disposition::NoAnswer, at).await;
    (change.is_by_system, change.touch.rep) = (true, None);
    let recorded = desk.record_touch(change).await;
    assert!(!recorded.late);
    assert_eq!(recorded.record.state.first_touched_at, Some(at));
    assert_eq!(recorded.record.state.standing, Standing::Ready);
    // A rep with a lease: in time, and too late.
    let state = desk.work(0, leads[2], Disposition::NoAnswer, START + PROMISE_MS).await.state;
    assert_eq!(state.first_touched_at, Some(START + PROMISE_MS));
    desk.work(0, leads[3], Disposition::NoAnswer, START + PROMISE_MS + 1).await;

    let books = desk.store.books(&BookFilter::default(), at).await.expect("a report");
    let book = &books[0];
    assert_eq!((book.touched, book.touched_in_time, book.touches), (3, 2, 5));
    assert_eq!(book.first_touch_ms_sum, 10 + PROMISE_MS + PROMISE_MS + 1);
}

pub(super) async fn a_stopped_number_is_not_held_and_the_last_one_closes(desk: &Desk) {
    let one = |index| LeadNumber { number: number(index), stopped: None };
    let numbers = vec![one(1), one(2)];
    let facts = Facts { numbers, source: "web".into(), ..Facts::default() };
    let lead = desk.one(desk.with(facts)).await.lead();

    let record = desk.work(0, lead, Disposition::Disconnected, START).await;

    let numbers = &record.lead.facts.numbers;
    assert_eq!(numbers[0].stopped, Some(Disposition::Disconnected));
    assert_eq!(numbers[1].stopped, None);
    let due_at = record.state.standing.due_at().expect("it waits for the other number");
    let lease = desk.lease(0, lead, due_at).await;
    // The stopped number is in nobody's hands.
    let facts = Facts { numbers: vec![one(1)], source: "web".into(), ..Facts::default() };
    let other = desk.one(desk.of(&desk.elsewhere, facts)).await.lead();
    desk.lease(1, other, due_at).await;
    let mut change = desk.call_under(&lease, Disposition::Fax, due_at).await;
    change.touch.number = Some(number(2));
    let standing = desk.record_touch(change).await.record.state.standing;
    assert_eq!(closed(&standing), Some(Route::Unreachable));
}

pub(super) async fn never_again_closes_the_leads_of_every_queue(desk: &Desk) {
    let facts = |name: &str, email: Option<&str>, numbers: &[u64]| Facts {
        name: Some(name.into()),
        email: email.map(Into::into),
        numbers: numbers
            .iter()
            .map(|one| LeadNumber { number: number(*one), stopped: None })
            .collect(),
        source: "web".into(),
        ..Facts::default()
    };
    let ann = desk.with(facts("Ann", Some("a@x.example"), &[1, 2]));
    let by_number = desk.of(&desk.elsewhere, facts("Bob", None, &[2]));
    let by_email = desk.of(&desk.elsewhere, facts("Cid", Some("A@x.example"), &[5]));
    let stranger = desk.of(&desk.elsewhere, facts("Dan", None, &[6]));
    let answers = desk.hand_over(vec![ann, by_number, by_email, stranger]).await;
    let leads: Vec<LeadId> = answers.iter().map(|answer| answer.lead()).collect();
    let others = desk.lease(5, leads[2], START).await;
    let lease = desk.lease(0, leads[0], START).await;

    let change = desk.call_under(&lease, Disposition::DoNotCall, START + 5).await;
    let recorded = desk.record_touch(change.clone()).await;

    assert_eq!(recorded.suppressed_count, 2);
    for lead in &leads[..3] {
        let standing = desk.standing(*lead).await;
        assert_eq!(closed(&standing), Some(Route::Suppressed), "lead {lead}: {standing:?}");
    }
    assert_eq!(desk.standing(leads[3]).await, Standing::Ready);
    // The lease of the rep who had one of them is over.
    assert_eq!(desk.story(leads[2]).await, ["opened", "leased", "released", "closed"]);
    let change_of_other = desk.call_under(&others, Disposition::Sale, START + 6).await;
    assert!(desk.record_touch(change_of_other).await.late);
    let again = desk.record_touch(change).await;
    assert_eq!((again.is_replay, again.suppressed_count), (true, 2));
    let later = desk.one(desk.with(facts("Eve", None, &[1]))).await;
    assert_eq!(closed(&desk.standing(later.lead()).await), Some(Route::Suppressed));
}

pub(super) async fn never_again_counts_when_it_comes_late(desk: &Desk) {
    let leads = desk.leads(2).await;
    // Without a lease, while another rep has it.
    let lease = desk.lease(1, leads[0], START).await;
    let change = desk.call(leads[0], Disposition::DoNotCall, START + 1).await;
    let recorded = desk.record_touch(change).await;
    assert!(!recorded.late);
    assert_eq!(closed(&recorded.record.state.standing), Some(Route::Suppressed));
    let release = desk.store.release(desk.release(&lease, START + 2)).await;
    assert!(matches!(release, Err(StoreError::Denied(Denied::LeaseLost))));
    // Under a lease that is over.
    let lease = desk.lease(1, leads[1], START).await;
    let change = desk.call_under(&lease, Disposition::DoNotCall, lease.held_until).await;
    let recorded = desk.record_touch(change).await;
    assert!(recorded.late);
    assert_eq!(closed(&recorded.record.state.standing), Some(Route::Suppressed));
}

pub(super) async fn a_touch_brings_the_next_lead(desk: &Desk) {
    let leads = desk.leads(3).await;
    desk.lease(1, leads[1], START).await;
    let lease = desk.lease(0, leads[0], START).await;
    let mut change = desk.call_under(&lease, Disposition::NoAnswer, START + 5).await;
    change.policy = Arc::new(Policy::default());
    change.then = Some(desk.grant(0, &leads[1..], START + 5));

    let next = granted(desk.record_touch(change.clone()).await.next.expect("an answer")).lease;

    assert_eq!((next.lead, next.rep), (leads[2], desk.reps[0]));
    let again = desk.record_touch(change.clone()).await;
    assert_eq!(held(again.next.expect("it stands")).lease, next);
    desk.store.release(desk.release(&next, START + 6)).await.expect("a release");
    let again = desk.record_touch(change).await;
    assert!(again.is_replay && again.is_next_lost && again.next.is_none());

    // If none holds the touch stands all the same.
    let lease = desk.lease(0, leads[2], START + 7).await;
    let mut change = desk.call_under(&lease, Disposition::NoAnswer, START + 8).await;
    change.then = Some(desk.grant(0, &leads[..2], START + 8));
    let recorded = desk.record_touch(change).await;
    assert!(matches!(recorded.next, Some(LeaseOutcome::NoneHeld { turned }) if turned.len() == 2));
    assert_eq!(recorded.record.state.attempts, 1);
}

pub(super) async fn an_unknown_lead_cannot_be_touched(desk: &Desk) {
    let unknown = LeadId(77);
    let change = desk.call(unknown, Disposition::NoAnswer, START).await;
    let error = desk.store.record_touch(change).await.expect_err("nobody");
    assert!(matches!(error, StoreError::Denied(Denied::UnknownLead(lead)) if lead == unknown));
}

pub(super) async fn who_may_see_one_queue_touches_no_lead_of_another(desk: &Desk) {
    let facts = Facts { numbers: desk.somebody().facts.numbers, ..Facts::default() };
    let theirs = desk.one(desk.of(&desk.elsewhere, facts)).await.lead();
    let own = Some(desk.queue.key);
    let bounded = |change| RecordTouch { only_in: own, ..change };
    let unleased = bounded(desk.call(theirs, Disposition::DoNotCall, START).await);
    let made_up = desk.grant(0, &[], START).token;
    let mut under_lease = bounded(desk.call(theirs, Disposition::DoNotCall, START).await);
    under_lease.touch.lease = Some(made_up);
    for change in [unleased, under_lease] {
        let error = desk.store.record_touch(change).await.expect_err("it is not there");
        assert!(matches!(error, StoreError::Denied(Denied::UnknownLead(lead)) if lead == theirs));
    }
    assert_eq!(desk.story(theirs).await, ["opened"]);

    // A lease that holds is a right to the lead, wherever it is.
    let lease = desk.lease(0, theirs, START).await;
    let change = bounded(desk.call_under(&lease, Disposition::NoAnswer, START).await);
    assert!(!desk.record_touch(change).await.late);
    let lead = desk.lead().await;
    desk.record_touch(bounded(desk.call(lead, Disposition::NoAnswer, START).await)).await;
}

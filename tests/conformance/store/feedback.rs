//! Feedback: asked for with a touch, owed until it is given, given once, and counted.

use nextlead::domain::{Disposition, Lease, Quality, QualityMode, TouchId};
use nextlead::store::{
    Denied, Erase, Grant, LeaseOutcome, OwedBy, QualityCount, QualityOfTouch, QualityPeriod, Rate,
    RecordTouch, StoreError,
};

use super::desk::{Desk, START, granted};

fn quality(rating: u8) -> Quality {
    Quality { rating, reason: "other".into() }
}

/// A touch of which the queue asks so much, with what the rep said.
async fn touch(
    desk: &Desk,
    lease: &Lease,
    mode: QualityMode,
    given: Option<u8>,
    now: i64,
) -> RecordTouch {
    let change = desk.call_under(lease, Disposition::NotInterested, now).await;
    let given = given.map(quality);
    RecordTouch { quality: QualityOfTouch { mode, given, is_reason_unknown: false }, ..change }
}

fn rate(desk: &Desk, touch: &TouchId, rating: u8, now: i64) -> Rate {
    let (rep, caller) = (desk.reps[0], "softphone".to_owned());
    Rate { rep, touch: touch.clone(), caller, quality: quality(rating), now }
}

fn denied<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> Denied {
    match answer {
        Err(StoreError::Denied(denied)) => denied,
        other => panic!("expected a refusal: {other:?}"),
    }
}

/// The touches that are owed.
async fn owed(desk: &Desk, owed_by: OwedBy) -> Vec<String> {
    let owed = desk.store.owed(owed_by, 10).await.expect("a read");
    owed.iter().map(|one| one.touch.to_string()).collect()
}

async fn counts(desk: &Desk) -> Vec<QualityCount> {
    let period = QualityPeriod { queue: desk.queue.key, from: START, until: START + 100 };
    desk.store.quality_counts(&period).await.expect("a report")
}

pub(super) async fn who_owes_feedback_gets_no_lead_until_it_is_given(desk: &Desk) {
    let [ann, everybody] = [OwedBy::Rep(desk.reps[0]), OwedBy::Queue(desk.queue.key)];
    let lead = desk.lead().await;
    let lease = desk.lease(0, lead, START).await;
    let next = desk.lead().await;
    let held_back = |now| Grant { holds_back: true, ..desk.grant(0, &[next], now) };
    let mut change = touch(desk, &lease, QualityMode::Required, None, START + 1).await;
    change.then = Some(held_back(START + 1));
    let id = change.touch.id.clone();

    let recorded = desk.record_touch(change.clone()).await;
    let again = desk.record_touch(change.clone()).await;

    assert_eq!(recorded.next, Some(LeaseOutcome::Owes), "in the touch's own commit");
    assert!(recorded.is_quality_owed && again.is_quality_owed && again.is_replay);
    assert!(!desk.standing(lead).await.is_open(), "the touch is recorded all the same");
    let pulled = desk.store.lease(held_back(START + 2)).await.expect("an answer");
    assert_eq!(pulled, LeaseOutcome::Owes);
    assert_eq!(owed(desk, ann).await, [id.to_string()]);
    assert_eq!(owed(desk, everybody).await, [id.to_string()]);
    // A queue that does not require it gives the lead.
    granted(desk.pull(0, &[next], START + 2).await);
    let lease = desk.store.lease_of(desk.reps[0]).await.expect("a read").expect("a lease");
    desk.store.release(desk.release(&lease, START + 3)).await.expect("it holds");

    desk.store.rate(rate(desk, &id, 2, START + 4)).await.expect("it is owed");
    desk.store.rate(rate(desk, &id, 2, START + 5)).await.expect("the same again");
    let other = desk.store.rate(rate(desk, &id, 3, START + 5)).await;

    assert_eq!(denied(other), Denied::AlreadyRated);
    assert!(owed(desk, ann).await.is_empty() && owed(desk, everybody).await.is_empty());
    let again = desk.record_touch(change).await;
    assert!(again.is_replay && !again.is_quality_owed, "it was given since");
    granted(desk.store.lease(held_back(START + 6)).await.expect("an answer"));
}

pub(super) async fn feedback_is_given_with_a_touch_or_by_its_rep(desk: &Desk) {
    let lease = desk.lease(0, desk.lead().await, START).await;
    let change = touch(desk, &lease, QualityMode::Required, Some(4), START).await;
    let recorded = desk.record_touch(change.clone()).await;
    assert!(!recorded.is_quality_owed);
    assert_eq!(owed(desk, OwedBy::Rep(desk.reps[0])).await, [""; 0]);
    let id = change.touch.id;
    let theirs = Rate { rep: desk.reps[1], ..rate(desk, &id, 4, START) };
    assert_eq!(denied(desk.store.rate(theirs).await), Denied::UnknownTouch);
    let unheard = TouchId::new("unheard").expect("an id");
    let unheard = desk.store.rate(rate(desk, &unheard, 4, START)).await;
    assert_eq!(denied(unheard), Denied::UnknownTouch);
    // A reason that the queue does not offer is refused with the touch, unless that is known by now.
    let lease = desk.lease(0, desk.lead().await, START + 1).await;
    let mut change = touch(desk, &lease, QualityMode::Asked, Some(1), START + 1).await;
    change.quality.is_reason_unknown = true;
    let refused = desk.store.record_touch(change.clone()).await;
    assert_eq!(denied(refused), Denied::UnknownReason);
    change.quality.is_reason_unknown = false;
    desk.record_touch(change.clone()).await;
    change.quality.is_reason_unknown = true;
    assert!(desk.record_touch(change).await.is_replay);
}

pub(super) async fn feedback_is_counted_and_outlives_an_erasure(desk: &Desk) {
    let said = [
        (QualityMode::Asked, None),
        (QualityMode::Asked, Some(5)),
        (QualityMode::Asked, Some(5)),
        (QualityMode::Off, Some(1)),
        (QualityMode::Off, None),
    ];
    for (nth, (mode, given)) in (0..).zip(said) {
        let lead = desk.lead().await;
        let lease = desk.lease(0, lead, START + nth).await;
        desk.record_touch(touch(desk, &lease, mode, given, START + nth).await).await;
        let erase = Erase { lead, actor: "crm".into(), now: START + nth, request: None };
        desk.store.erase(erase).await.expect("it is erased");
    }

    let counts = counts(desk).await;

    let mut rows: Vec<_> = counts
        .iter()
        .map(|one| (one.is_asked, one.given.as_ref().map(|said| said.rating), one.count))
        .collect();
    rows.sort_unstable();
    assert_eq!(rows, [(false, Some(1), 1), (true, None, 1), (true, Some(5), 2)]);
    assert!(counts.iter().all(|one| one.source == "web" && one.campaign == desk.campaign.key));
    assert_eq!(owed(desk, OwedBy::Rep(desk.reps[0])).await, [""; 0], "asked, not required");
    assert_eq!(owed(desk, OwedBy::Queue(desk.queue.key)).await.len(), 1);
}

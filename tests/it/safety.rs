//! What must hold whatever happens in between: facts that change under a lease, clocks that run
//! ahead, reps who leave, calls that are sent again.

use nextlead::api::proto;
use proto::Disposition;
use tonic::Code;

use crate::support::{HOUR_MS, MINUTE_MS, NOON, TestNode, by_id, lead, lead_of, reason, time};

fn id_of(served: &proto::ServedLead) -> String {
    served.lead.as_ref().unwrap().lead_id.clone()
}

/// Lead `nth` with its own number and those of `others`.
fn with_numbers_of(nth: u32, others: &[u32]) -> proto::Lead {
    let mut lead = lead(nth);
    lead.numbers.extend(others.iter().flat_map(|other| crate::support::lead(*other).numbers));
    lead
}

async fn suppress(node: &mut TestNode, nth: u32) {
    use proto::suppress_contact_request::Contact;
    let request = proto::SuppressContactRequest {
        contact: Some(Contact::Number(lead(nth).numbers[0].number.clone())),
        source: "a letter".into(),
        ..Default::default()
    };
    node.intake.suppress_contact(request).await.unwrap();
}

#[tokio::test]
async fn a_suppressed_number_that_comes_by_an_update_closes_the_lead_at_once() {
    let mut node = TestNode::start().await;
    suppress(&mut node, 9).await;
    let held = node.hand_over(lead(1)).await;
    let idle = node.hand_over(lead(2)).await;
    let served = node.pull_lead("ann").await;
    assert_eq!(id_of(&served), held);

    node.hand_over(with_numbers_of(1, &[9])).await;
    node.hand_over(with_numbers_of(2, &[9])).await;

    assert_eq!(node.standing(&held).await, "closed", "out of the rep's hands");
    assert_eq!(node.standing(&idle).await, "closed");
    assert!(node.touch("ann", &served, Disposition::NoAnswer).await.late);
    node.audit().await;
}

#[tokio::test]
async fn a_suppressed_number_that_comes_by_a_merge_closes_the_lead_at_once() {
    let mut node = TestNode::start().await;
    suppress(&mut node, 9).await;
    let only = node.hand_over(lead(1)).await;
    let same_person = proto::Lead { name: "Lead 1".into(), ..with_numbers_of(9, &[1]) };

    assert_eq!(node.hand_over(same_person).await, only, "merged");

    assert_eq!(node.standing(&only).await, "closed");
    node.audit().await;
}

#[tokio::test]
async fn a_number_that_joins_a_leased_lead_is_in_that_rep_s_hands_too() {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    node.hand_over(lead(1)).await;
    let other = node.hand_over(lead(9)).await;
    let served = node.pull_lead("ann").await;
    node.hand_over(with_numbers_of(1, &[9])).await;

    assert_eq!(node.pull_nothing("bob").await.turned_count, 1, "ann has that number now");

    node.touch("ann", &served, Disposition::Sale).await;
    assert_eq!(id_of(&node.pull_lead("bob").await), other);
    node.audit().await;
}

#[tokio::test]
async fn a_number_in_other_hands_that_joins_a_leased_lead_ends_the_lease() {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    let joined = node.hand_over(lead(1)).await;
    node.hand_over(lead(9)).await;
    let served = node.pull_lead("ann").await;
    let theirs = node.pull_lead("bob").await;
    node.hand_over(with_numbers_of(1, &[9])).await;

    assert_eq!(node.standing(&joined).await, "ready");
    node.pull_nothing("ann").await;
    assert!(node.touch("ann", &served, Disposition::NoAnswer).await.late);
    node.touch("bob", &theirs, Disposition::Sale).await;
    assert_eq!(id_of(&node.pull_lead("bob").await), joined, "nobody has the number any more");
    node.audit().await;
}

#[tokio::test]
async fn a_touch_is_recorded_however_wrong_the_softphone_s_clock_is() {
    let mut node = TestNode::start().await;
    for nth in 1..=3 {
        node.hand_over(lead(nth)).await;
    }
    let served = node.pull_lead("ann").await;
    let mut ahead = node.touch_of("ann", &served, Disposition::NoAnswer);
    ahead.start_time = Some(time(NOON + 48 * HOUR_MS));
    ahead.end_time = Some(time(NOON + 48 * HOUR_MS + MINUTE_MS));
    let answer = node.reps.record_touch(ahead).await.unwrap().into_inner();
    assert!(!answer.late);
    let first_touched = answer.state.unwrap().first_touched_time;
    assert_eq!(first_touched, Some(time(NOON)), "handed over at that instant, not touched before");

    for clock in [NOON + 48 * HOUR_MS, 0] {
        let served = node.pull_lead("ann").await;
        let mut touch = node.touch_of("ann", &served, Disposition::CallbackAny);
        (touch.start_time, touch.end_time) = (Some(time(clock)), Some(time(clock)));
        touch.callback_time = Some(time(NOON + HOUR_MS));
        node.reps.record_touch(touch).await.unwrap();
    }
    assert_eq!(node.audit().await.touch_count, 3);
}

#[tokio::test]
async fn the_touch_of_a_rep_who_may_no_longer_pull_is_recorded() {
    let mut node = TestNode::start().await;
    node.hand_over(lead(1)).await;
    node.hand_over(lead(2)).await;
    let served = node.pull_lead("ann").await;
    let rep = proto::Rep {
        rep_id: "ann".into(),
        queue_id: "sales".into(),
        active: Some(false),
        ..Default::default()
    };
    let request = proto::UpsertRepRequest { rep: Some(rep), ..Default::default() };
    node.queues.upsert_rep(request).await.unwrap();

    let mut touch = node.touch_of("ann", &served, Disposition::NoAnswer);
    touch.then_next = true;
    let answer = node.reps.record_touch(touch).await.unwrap().into_inner();

    assert!(answer.late, "the lead was given back");
    assert!(matches!(answer.next, Some(proto::record_touch_response::Next::NextNothing(_))));
    assert_eq!(node.audit().await.touch_count, 1);
}

#[tokio::test]
async fn a_lead_whose_every_number_was_stopped_is_not_served() {
    let mut node = TestNode::start().await;
    let only = node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    let mut wrong = node.touch_of("ann", &served, Disposition::WrongNumber);
    wrong.lease_token = String::new();
    node.reps.record_touch(wrong).await.unwrap();

    assert_eq!(node.pull_nothing("ann").await.unroutable_count, 1, "nor to who holds it");
    node.put_rep("bob", "sales", &[]).await;
    assert_eq!(node.pull_nothing("bob").await.unroutable_count, 1);

    node.hand_over(with_numbers_of(1, &[2])).await;
    assert_eq!(id_of(&node.pull_lead("bob").await), only, "another number makes it callable");
    node.audit().await;
}

#[tokio::test]
async fn a_touch_that_is_sent_again_takes_no_second_lead() {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    let shared = lead(2).numbers;
    node.hand_over(lead(1)).await;
    let one = proto::Lead { numbers: shared.clone(), name: "Bob Jones".into(), ..lead(2) };
    node.hand_over(one).await;
    let other = proto::Lead { numbers: shared, name: "Eve Moore".into(), ..lead(3) };
    node.hand_over(other).await;
    for nth in 4..=5 {
        node.hand_over(lead(nth)).await;
    }
    let served = node.pull_lead("ann").await;
    node.pull_lead("bob").await;

    // The lead that is proposed with the touch has a number in bob's hands: another pull follows.
    let mut touch = node.touch_of("ann", &served, Disposition::Sale);
    touch.then_next = true;
    let answer = node.reps.record_touch(touch.clone()).await.unwrap().into_inner();
    let Some(proto::record_touch_response::Next::NextServed(next)) = answer.next else {
        panic!("no next lead")
    };
    node.touch("ann", &next, Disposition::Sale).await;

    let again = node.reps.record_touch(touch).await.unwrap().into_inner();

    assert!(matches!(again.next, Some(proto::record_touch_response::Next::NextLost(_))));
    node.audit().await;
}

#[tokio::test]
async fn a_pull_that_goes_on_after_a_forbidden_lead_is_known_by_its_id() {
    let mut node = TestNode::start().await;
    node.put_queue("sales", "mon-fri 09:00-18:00").await;
    let here = node.hand_over(lead(1)).await;
    let west = proto::Lead { time_zone: "America/New_York".into(), ..lead(2) };
    let west = node.hand_over(west).await;
    node.pass_time(6 * HOUR_MS - MINUTE_MS).await;
    let held = node.pull_lead("ann").await;
    assert_eq!(id_of(&held), here);
    node.pass_time(MINUTE_MS).await;

    let request = proto::NextLeadRequest {
        rep_id: "ann".into(),
        request_id: "r-1".into(),
        ..Default::default()
    };
    let answer = node.reps.next_lead(request.clone()).await.unwrap().into_inner().answer;
    let Some(proto::next_lead_response::Answer::Served(next)) = answer else {
        panic!("nothing was served")
    };
    assert_eq!(id_of(&next), west, "at six in the evening the first may not be called any more");
    node.touch("ann", &next, Disposition::Sale).await;

    let lost = node.reps.next_lead(request).await.unwrap_err();
    assert_eq!((lost.code(), reason(&lost).as_str()), (Code::FailedPrecondition, "LEASE_LOST"));
    node.audit().await;
}

#[tokio::test]
async fn a_rep_who_changes_queue_gives_back_what_they_hold() {
    let mut node = TestNode::start().await;
    node.put_queue("service", "always").await;
    node.put_campaign("winback", "service", None).await;
    let here = node.hand_over(lead(1)).await;
    let there = node.hand_over(lead_of("winback", 2)).await;
    let served = node.pull_lead("ann").await;
    assert_eq!(id_of(&served), here);

    node.put_rep("ann", "service", &[]).await;

    assert_eq!(node.standing(&here).await, "ready");
    assert_eq!(id_of(&node.pull_lead("ann").await), there);
    let release = proto::ReleaseLeaseRequest {
        rep_id: "ann".into(),
        lead: Some(by_id(&here)),
        lease_token: served.lease_token,
        reason: proto::ReleaseReason::Skipped.into(),
        skip_reason: proto::SkipReason::NoTime.into(),
        ..Default::default()
    };
    let lost = node.reps.release_lease(release).await.unwrap_err();
    assert_eq!(reason(&lost), "LEASE_LOST");
    node.audit().await;
}

#[tokio::test]
async fn a_stopped_number_stays_stopped_though_marketing_forgets_it_for_a_while() {
    let mut node = TestNode::start().await;
    let only = node.hand_over(with_numbers_of(1, &[2])).await;
    let served = node.pull_lead("ann").await;
    node.touch("ann", &served, Disposition::WrongNumber).await;

    node.hand_over(proto::Lead { numbers: lead(2).numbers, ..lead(1) }).await;
    node.hand_over(with_numbers_of(1, &[2])).await;

    let lead = node.explain(&only).await.lead.unwrap();
    let stopped: Vec<bool> = lead.numbers.iter().map(|one| one.stopped_by != 0).collect();
    assert_eq!(stopped, [true, false]);
}

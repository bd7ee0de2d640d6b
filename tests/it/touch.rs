//! Touches: what a disposition leads to, and that none is ever lost.

use nextlead::api::proto;
use proto::Disposition;
use tonic::Code;

use crate::support::{
    DAY_MS, HOUR_MS, MINUTE_MS, NOON, TestNode, by_id, lead, lead_of, reason, time,
};

const POLICY: &str = "[[after]]\ndispositions = [\"no_answer\", \"busy\"]\nretry_in = [\"1h\", \"4h\"]\n\
                      attempts_max = 3\nthen = { nurture = \"30d\" }\n\
                      [[after]]\ndispositions = [\"voicemail\", \"congestion\", \"dead_air\", \
                      \"dropped_before_rep\", \"gatekeeper\", \"wrong_time\", \"language\", \
                      \"needs_specialist\"]\nretry_in = [\"1d\"]\nattempts_max = 8\n\
                      then = \"unreachable\"\n\
                      [[after]]\ndispositions = [\"not_interested\", \"not_qualified\"]\nthen = \"lost\"\n";

#[tokio::test]
async fn a_lead_is_tried_as_often_as_the_policy_says_and_then_rests() {
    let mut node = TestNode::start().await;
    node.publish(POLICY).await;
    let only = node.hand_over(lead(1)).await;

    for delay_ms in [HOUR_MS, 4 * HOUR_MS] {
        let served = node.pull_lead("ann").await;
        node.touch("ann", &served, Disposition::NoAnswer).await;
        assert_eq!(node.standing(&only).await, "waiting");
        node.pass_time(delay_ms - 1).await;
        node.pull_nothing("ann").await;
        node.pass_time(1).await;
    }
    let served = node.pull_lead("ann").await;
    assert_eq!(served.story.len(), 2, "the rep sees what was tried");
    node.touch("ann", &served, Disposition::Busy).await;
    assert_eq!(node.standing(&only).await, "closed");
    node.audit().await;

    node.pass_time(30 * DAY_MS - 1).await;
    assert_eq!(node.standing(&only).await, "closed");
    node.pass_time(1).await;
    assert_eq!(node.standing(&only).await, "ready", "nurture with a date ends");
    node.audit().await;
}

#[tokio::test]
async fn a_callback_comes_at_its_instant_and_before_everything_else() {
    let mut node = TestNode::start().await;
    node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    let promised = served.lead.as_ref().unwrap().lead_id.clone();
    let mut touch = node.touch_of("ann", &served, Disposition::CallbackAny);
    touch.callback_time = Some(time(NOON + 2 * HOUR_MS));
    node.reps.record_touch(touch).await.unwrap();
    node.publish("[[value]]\nname = \"all\"\npoints = 100000\n").await;
    node.hand_over(lead(2)).await;

    node.pass_time(2 * HOUR_MS - 1).await;
    node.put_rep("bob", "sales", &[]).await;
    let other = node.pull_lead("bob").await;
    assert_ne!(other.lead.unwrap().lead_id, promised, "never before its time");
    node.pass_time(1).await;
    node.hand_over(lead(3)).await;
    let due = node.pull_lead("ann").await;
    assert_eq!(due.lead.unwrap().lead_id, promised);
    assert_eq!(due.why.unwrap().order, i32::from(proto::ServeOrder::Callback));
}

#[tokio::test]
async fn a_touch_and_the_next_lead_are_one_call() {
    let mut node = TestNode::start().await;
    node.hand_over(lead(1)).await;
    let second = node.hand_over(lead(2)).await;
    let served = node.pull_lead("ann").await;
    let mut touch = node.touch_of("ann", &served, Disposition::NoAnswer);
    touch.then_next = true;

    let answer = node.reps.record_touch(touch.clone()).await.unwrap().into_inner();
    let Some(proto::record_touch_response::Next::NextServed(next)) = answer.next else {
        panic!("no next lead")
    };
    assert_eq!(next.lead.as_ref().unwrap().lead_id, second);

    let again = node.reps.record_touch(touch.clone()).await.unwrap().into_inner();
    assert!(again.replayed);
    let Some(proto::record_touch_response::Next::NextServed(same)) = again.next else {
        panic!("the replay lost the next lead")
    };
    assert_eq!(same.lease_token, next.lease_token);

    let mut last = node.touch_of("ann", &next, Disposition::NoAnswer);
    last.then_next = true;
    let answer = node.reps.record_touch(last).await.unwrap().into_inner();
    assert!(matches!(answer.next, Some(proto::record_touch_response::Next::NextNothing(_))));
    let replay = node.reps.record_touch(touch).await.unwrap().into_inner();
    assert!(matches!(replay.next, Some(proto::record_touch_response::Next::NextLost(_))));
    node.audit().await;
}

#[tokio::test]
async fn a_late_touch_is_recorded_and_moves_nothing() {
    let mut node = TestNode::start().await;
    let only = node.hand_over(lead(1)).await;
    node.put_rep("bob", "sales", &[]).await;
    let lost = node.pull_lead("ann").await;
    let in_grace = node.touch_of("ann", &lost, Disposition::Sale);
    node.pass_time(11 * MINUTE_MS).await;
    let held = node.pull_lead("bob").await;

    let answer = node.reps.record_touch(in_grace).await.unwrap().into_inner();
    assert!(answer.late);
    assert_eq!(node.standing(&only).await, "leased", "it is bob's now");
    let answer = node.touch("bob", &held, Disposition::NotInterested).await;
    assert!(!answer.late);
    assert_eq!(node.standing(&only).await, "closed");
    assert_eq!(node.audit().await.touch_count, 2);
}

#[tokio::test]
async fn a_touch_within_the_grace_is_in_time_and_a_renewal_is_not() {
    let mut node = TestNode::start().await;
    node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    node.pass_time(10 * MINUTE_MS + 1_000).await;

    let renew = proto::RenewLeaseRequest {
        rep_id: "ann".into(),
        lead: Some(by_id(&served.lead.as_ref().unwrap().lead_id)),
        lease_token: served.lease_token.clone(),
        ..Default::default()
    };
    let refused = node.reps.renew_lease(renew).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "LEASE_LOST")
    );
    assert!(!node.touch("ann", &served, Disposition::NoAnswer).await.late);
}

#[tokio::test]
async fn a_renewed_lease_lasts_from_then_on_up_to_its_total() {
    let mut node = TestNode::start().await;
    node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    let renew = proto::RenewLeaseRequest {
        rep_id: "ann".into(),
        lead: Some(by_id(&served.lead.as_ref().unwrap().lead_id)),
        lease_token: served.lease_token.clone(),
        ..Default::default()
    };
    for _ in 0..13 {
        node.pass_time(9 * MINUTE_MS).await;
        node.reps.renew_lease(renew.clone()).await.unwrap();
    }
    // 117 minutes of 120 are over.
    let last = node.reps.renew_lease(renew).await.unwrap().into_inner();
    assert_eq!(last.remaining_duration.unwrap().seconds, 180);
    assert_eq!(last.renewable_duration.unwrap().seconds, 180);
}

#[tokio::test]
async fn do_not_call_holds_at_once_in_every_queue() {
    let mut node = TestNode::start().await;
    node.put_queue("service", "always").await;
    node.put_campaign("winback", "service", None).await;
    let same_number = proto::Lead { numbers: lead(1).numbers, ..lead_of("winback", 50) };
    let elsewhere = node.hand_over(same_number).await;
    let here = node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;

    let answer = node.touch("ann", &served, Disposition::DoNotCall).await;

    assert_eq!(answer.suppressed_count, 1);
    assert_eq!(node.standing(&here).await, "closed");
    assert_eq!(node.standing(&elsewhere).await, "closed");
    let again = proto::Lead { numbers: lead(1).numbers, ..lead_of("winback", 51) };
    let later = node.hand_over(again).await;
    assert_eq!(node.standing(&later).await, "closed", "so is whoever comes with that number");
    node.audit().await;
}

#[tokio::test]
async fn a_touch_without_a_lease_is_noted_and_keeps_no_promise() {
    let mut node = TestNode::start().await;
    let only = node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    let mut unleased = node.touch_of("ann", &served, Disposition::NoAnswer);
    unleased.lease_token = String::new();
    let answer = node.reps.record_touch(unleased).await.unwrap().into_inner();
    assert!(!answer.late);
    let state = answer.state.unwrap();
    assert_eq!((state.attempt_count, state.first_touched_time), (1, None));
    assert_eq!(node.standing(&only).await, "leased");

    node.put_queue("service", "always").await;
    node.put_rep("sue", "service", &[]).await;
    let mut foreign = node.touch_of("sue", &served, Disposition::NoAnswer);
    foreign.lease_token = String::new();
    let refused = node.reps.record_touch(foreign).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::PermissionDenied, "OTHER_QUEUE")
    );
    node.audit().await;
}

#[tokio::test]
async fn a_wrong_number_stops_that_number_alone() {
    let mut node = TestNode::start().await;
    let numbers = [lead(1).numbers, lead(2).numbers].concat();
    let only = node.hand_over(proto::Lead { numbers, ..lead(1) }).await;
    let served = node.pull_lead("ann").await;
    node.touch("ann", &served, Disposition::WrongNumber).await;
    assert_eq!(node.standing(&only).await, "waiting");
    node.pass_time(2 * HOUR_MS).await;

    let served = node.pull_lead("ann").await;
    let lead = served.lead.clone().unwrap();
    assert_eq!(lead.numbers[0].stopped_by, i32::from(Disposition::WrongNumber));
    assert_eq!(lead.numbers[1].stopped_by, 0);
    let mut touch = node.touch_of("ann", &served, Disposition::Disconnected);
    touch.number = lead.numbers[1].number.clone();
    node.reps.record_touch(touch).await.unwrap();
    assert_eq!(node.standing(&only).await, "closed", "no number is left");
    node.audit().await;
}

#[tokio::test]
async fn a_campaign_that_ends_closes_what_is_open_and_leased_leads_when_they_come_back() {
    let mut node = TestNode::start().await;
    let (one, other) = (node.hand_over(lead(1)).await, node.hand_over(lead(2)).await);
    let served = node.pull_lead("ann").await;
    node.put_campaign("spring", "sales", Some(NOON + MINUTE_MS)).await;

    node.pass_time(MINUTE_MS - 1).await;
    assert_eq!(node.standing(&other).await, "ready");
    node.clock.advance(1);
    node.put_rep("bob", "sales", &[]).await;
    node.pull_nothing("bob").await;
    node.pass_time(0).await;
    assert_eq!(node.standing(&other).await, "closed");
    assert_eq!(node.standing(&one).await, "leased");
    node.touch("ann", &served, Disposition::NoAnswer).await;
    node.pass_time(0).await;
    assert_eq!(node.standing(&one).await, "closed");
    node.audit().await;
}

//! What leads do by themselves, from the door to the next pull.

use nextlead::api::proto;
use tonic::Code;

use crate::support::{MINUTE_MS, NOON, TestNode, by_id, fields, lead, reason, time};
use proto::Disposition;
use proto::next_lead_response::Answer;

fn engagement(lead_id: &str, id: &str, wakes: bool) -> proto::RecordEngagementRequest {
    proto::RecordEngagementRequest {
        lead: Some(by_id(lead_id)),
        source_system: "web".into(),
        engagement_id: id.into(),
        kind: "visited".into(),
        engaged_time: None,
        wakes,
    }
}

impl TestNode {
    async fn engage(
        &mut self,
        request: proto::RecordEngagementRequest,
    ) -> proto::RecordEngagementResponse {
        self.intake.record_engagement(request).await.expect("an engagement").into_inner()
    }
}

#[tokio::test]
async fn engagements_are_ranked_by_at_once() {
    let mut node = TestNode::start().await;
    node.publish("[[value]]\nname = \"interest\"\npoints = 'lead.engagements * 60'\n").await;
    let first = node.hand_over(lead(1)).await;
    node.pass_time(10 * MINUTE_MS).await;
    let second = node.hand_over(lead(2)).await;
    node.engage(engagement(&second, "v-1", false)).await;

    let peek = proto::PeekQueueRequest { queue_id: "sales".into(), place_count: 5 };
    let peek = node.queues.peek_queue(peek).await.expect("a peek").into_inner();
    let order: Vec<_> = peek.places.iter().map(|place| place.lead_id.as_str()).collect();
    assert_eq!(order, [second.as_str(), first.as_str()]);
    // The first pull is the reserve's, for the lead whose deadline is nearest.
    assert_eq!(node.pull_lead("ann").await.lead.expect("a lead").lead_id, first);
    node.put_rep("bob", "sales", &[]).await;
    let served = node.pull_lead("bob").await;
    let of = served.lead.expect("a lead");
    assert_eq!((of.lead_id.as_str(), of.recorded_engagements), (second.as_str(), 1));
    let seen = &served.engagements[0];
    assert_eq!((seen.kind.as_str(), seen.wakes, seen.woken), ("visited", false, false));
    assert_eq!(seen.engaged_time, Some(time(NOON + 10 * MINUTE_MS)));
    let explained = node.explain(&second).await;
    assert_eq!(explained.engagements.len(), 1);
    assert_eq!(explained.explanation.expect("points").points, 60);
    assert_eq!(node.explain(&first).await.engagements, []);
    node.audit().await;
}

#[tokio::test]
async fn a_new_interest_reaches_a_rep_who_waits() {
    let mut node = TestNode::start().await;
    let nurture = r#"
[[after]]
dispositions = ["not_interested", "not_qualified"]
then = { nurture = "90d" }
[[after]]
dispositions = [
    "no_answer", "busy", "voicemail", "congestion", "dead_air", "dropped_before_rep", "gatekeeper",
    "wrong_time", "language", "needs_specialist"]
retry_in = ["1h"]
attempts_max = 8
then = "lost"
"#;
    node.publish(nurture).await;
    let lead_id = node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    node.touch("ann", &served, Disposition::NotInterested).await;
    assert_eq!(node.standing(&lead_id).await, "closed");
    node.pull_nothing("ann").await;

    let mut reps = node.reps.clone();
    let request = proto::NextLeadRequest {
        rep_id: "ann".into(),
        wait_duration: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..Default::default()
    };
    let waiting = tokio::spawn(async move { reps.next_lead(request).await });
    node.pass_time(MINUTE_MS).await;
    let answer = node.engage(engagement(&lead_id, "v-1", true)).await;

    assert!(answer.woken && !answer.recorded_before);
    let pulled = waiting.await.expect("no panic").expect("an answer").into_inner();
    let Some(Answer::Served(served)) = pulled.answer else { panic!("nothing was served") };
    assert_eq!(served.lead.expect("a lead").lead_id, lead_id);
    assert_eq!((served.story.len(), served.engagements.len()), (1, 1));
    let state = served.state.expect("a state");
    assert_eq!(state.attempt_count, 0);
    let again = node.engage(engagement(&lead_id, "v-1", true)).await;
    assert!(again.recorded_before && again.woken);
    node.audit().await;
}

#[tokio::test]
async fn what_a_campaign_earned_is_told_with_its_coverage() {
    let mut node = TestNode::start().await;
    let lead_id = node.hand_over(lead(1)).await;
    let request = proto::RecordOutcomeRequest {
        lead: Some(by_id(&lead_id)),
        source_system: "crm".into(),
        outcome_id: "deal-1".into(),
        result: proto::OutcomeResult::Won.into(),
        amount_minor: 120_050,
        currency: "EUR".into(),
        decided_time: Some(time(NOON)),
    };
    let answer = node.intake.record_outcome(request.clone()).await.expect("one").into_inner();
    assert!(answer.closed && !answer.recorded_before);
    let again = node.intake.record_outcome(request.clone()).await.expect("one").into_inner();
    assert!(again.recorded_before);
    node.pull_nothing("ann").await;

    let coverage = node.coverage.get_coverage(proto::GetCoverageRequest::default()).await;
    let books = coverage.expect("a report").into_inner().books;
    let total = &books[0].outcomes[0];
    assert_eq!((total.result(), total.outcome_count), (proto::OutcomeResult::Won, 1));
    assert_eq!((total.currency.as_str(), total.amount_minor), ("EUR", 120_050));
    let bad = proto::RecordOutcomeRequest {
        result: 0,
        amount_minor: -1,
        currency: "euro".into(),
        ..request
    };
    let refused = node.intake.record_outcome(bad).await.expect_err("a bad request");
    assert_eq!(fields(&refused), ["result", "amount_minor", "currency"]);
    assert_eq!(node.audit().await.imbalance, 0);
}

#[tokio::test]
async fn what_makes_no_engagement_is_said_field_by_field() {
    let mut node = TestNode::start().await;
    let lead_id = node.hand_over(lead(1)).await;
    let bad = proto::RecordEngagementRequest {
        lead: None,
        kind: "ann@x.example".into(),
        engagement_id: String::new(),
        engaged_time: Some(time(NOON + 60_000)),
        ..engagement("", "", true)
    };
    let refused = node.intake.record_engagement(bad).await.expect_err("a bad request");
    assert_eq!(reason(&refused), "FIELD_INVALID");
    assert_eq!(fields(&refused), ["lead", "engagement_id", "kind", "engaged_time"]);
    let unknown = node.intake.record_engagement(engagement("99", "v", true)).await;
    assert_eq!(unknown.expect_err("nobody").code(), Code::NotFound);
    node.engage(engagement(&lead_id, "v-1", false)).await;
    let other = node.intake.record_engagement(engagement(&lead_id, "v-1", true)).await;
    assert_eq!(reason(&other.expect_err("another body")), "REQUEST_REUSED");
    let erase = proto::EraseLeadRequest { lead: Some(by_id(&lead_id)), ..Default::default() };
    node.intake.erase_lead(erase).await.expect("an erasure");
    let erased = node.intake.record_engagement(engagement(&lead_id, "v-2", true)).await;
    assert_eq!(reason(&erased.expect_err("nobody is left")), "ERASED");
}

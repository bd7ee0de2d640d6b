//! A rep's own token: who they are need not be said, and leads of other queues are not there.

use nextlead::api::proto;
use proto::rep_service_client::RepServiceClient;
use proto::{Disposition, Role};
use tonic::{Code, Status};

use super::calls::Answer;
use crate::support::{Signed, TestNode, by_id, lead, lead_of, reason};

/// A node with queues `sales` (rep `ann`) and `service` (rep `bob`), and the door of ann's own token.
async fn start() -> (TestNode, RepServiceClient<Signed>) {
    let mut node = TestNode::start().await;
    node.put_queue("service", "always").await;
    node.put_campaign("help", "service", None).await;
    node.put_rep("bob", "service", &[]).await;
    let (_, text) = node.make_token(Role::Rep, "ann").await;
    let ann = RepServiceClient::new(node.signed_by(&text));
    (node, ann)
}

async fn pull(ann: &mut RepServiceClient<Signed>) -> proto::ServedLead {
    let pulled = ann.next_lead(proto::NextLeadRequest::default()).await.unwrap().into_inner();
    match pulled.answer.unwrap() {
        proto::next_lead_response::Answer::Served(served) => served,
        proto::next_lead_response::Answer::Nothing(nothing) => panic!("{nothing:?}"),
    }
}

fn by_key(campaign: &str, external_id: &str) -> proto::LeadRef {
    let key = proto::HandoverKey {
        source_system: "crm".into(),
        external_id: external_id.into(),
        campaign_id: campaign.into(),
    };
    proto::LeadRef { name: Some(proto::lead_ref::Name::HandoverKey(key)) }
}

/// Asks for a lead in each of the ways in which a rep can name one.
async fn ask(
    node: &mut TestNode,
    ann: &mut RepServiceClient<Signed>,
    lead: &proto::LeadRef,
) -> Vec<Status> {
    let token = "00112233445566778899aabbccddeeff".to_owned();
    let renewal = proto::RenewLeaseRequest {
        lead: Some(lead.clone()),
        lease_token: token.clone(),
        ..Default::default()
    };
    let release = proto::ReleaseLeaseRequest {
        lead: Some(lead.clone()),
        lease_token: token.clone(),
        reason: proto::ReleaseReason::Skipped.into(),
        skip_reason: proto::SkipReason::NoTime.into(),
        ..Default::default()
    };
    let served = proto::ServedLead {
        lead: Some(crate::support::lead(1)),
        lease_token: token,
        ..Default::default()
    };
    let touch = node.touch_of("", &served, Disposition::DoNotCall);
    let under_lease = proto::RecordTouchRequest { lead: Some(lead.clone()), ..touch };
    let unleased = proto::RecordTouchRequest {
        lease_token: String::new(),
        touch_id: "unleased".into(),
        ..under_lease.clone()
    };
    let and_next = proto::RecordTouchRequest {
        then_next: true,
        touch_id: "next".into(),
        ..under_lease.clone()
    };
    let mut answers = vec![
        ann.renew_lease(renewal).await.map(drop).unwrap_err(),
        ann.release_lease(release).await.map(drop).unwrap_err(),
    ];
    for touch in [under_lease, unleased, and_next] {
        answers.push(ann.record_touch(touch).await.map(drop).unwrap_err());
    }
    answers
}

#[tokio::test]
async fn a_lead_of_another_queue_is_as_one_that_never_was() {
    let (mut node, mut ann) = start().await;
    let others = node.hand_over(lead_of("help", 7)).await;
    let before = node.explain(&others).await.state;

    for (there, not_there) in
        [(by_id(&others), by_id("999999")), (by_key("help", "7"), by_key("help", "8"))]
    {
        let theirs = ask(&mut node, &mut ann, &there).await;
        let nobodys = ask(&mut node, &mut ann, &not_there).await;
        for (one, other) in theirs.iter().zip(&nobodys) {
            assert_eq!((one.code(), reason(one)), (Code::NotFound, "LEAD_NOT_FOUND".into()));
            assert_eq!(Answer::of(one), Answer::of(other));
        }
        assert_eq!((theirs.len(), nobodys.len()), (5, 5));
    }
    assert_eq!(node.explain(&others).await.state, before, "nothing was touched");
    assert_eq!(node.audit().await.touch_count, 0);
}

#[tokio::test]
async fn a_lead_of_the_own_queue_tells_a_lost_lease_and_takes_a_touch() {
    let (mut node, mut ann) = start().await;
    let own = node.hand_over(lead(1)).await;
    let renewal = proto::RenewLeaseRequest {
        lead: Some(by_id(&own)),
        lease_token: "00112233445566778899aabbccddeeff".into(),
        ..Default::default()
    };
    let status = ann.renew_lease(renewal).await.unwrap_err();
    assert_eq!(reason(&status), "LEASE_LOST");

    let served = pull(&mut ann).await;
    let touch = node.touch_of("", &served, Disposition::NoAnswer);
    let recorded = ann.record_touch(touch).await.unwrap().into_inner();
    assert!(!recorded.late);
    let unleased = proto::ServedLead { lease_token: String::new(), ..served };
    let touch = node.touch_of("ann", &unleased, Disposition::NoAnswer);
    ann.record_touch(touch).await.unwrap();
    assert_eq!(node.audit().await.touch_count, 2);
}

#[tokio::test]
async fn what_was_in_a_rep_s_hands_is_recorded_whatever_became_of_the_rep() {
    let (mut node, mut ann) = start().await;
    node.hand_over(lead(1)).await;
    let served = pull(&mut ann).await;
    // In the middle of the call the rep moves to another queue, and is laid off a moment later.
    node.put_rep("ann", "service", &[]).await;
    let touch = node.touch_of("", &served, Disposition::NoAnswer);
    let recorded = ann.record_touch(touch).await.unwrap().into_inner();
    assert!(recorded.late, "the lease was taken back with the move");

    let rep = proto::Rep { rep_id: "ann".into(), queue_id: "service".into(), ..Default::default() };
    let rep = Some(proto::Rep { active: Some(false), ..rep });
    node.queues.upsert_rep(proto::UpsertRepRequest { rep, ..Default::default() }).await.unwrap();
    let touch = node.touch_of("", &served, Disposition::Voicemail);
    assert!(ann.record_touch(touch).await.unwrap().into_inner().late);
    assert_eq!(node.audit().await.touch_count, 2);
}

#[tokio::test]
async fn the_token_of_a_rep_who_is_not_active_opens_nothing() {
    let (mut node, mut ann) = start().await;
    let own = node.hand_over(lead(1)).await;
    let rep = proto::Rep { rep_id: "ann".into(), queue_id: "sales".into(), ..Default::default() };
    let rep = Some(proto::Rep { active: Some(false), ..rep });
    node.queues.upsert_rep(proto::UpsertRepRequest { rep, ..Default::default() }).await.unwrap();

    let pulled = ann.next_lead(proto::NextLeadRequest::default()).await.unwrap_err();
    let mut answers = vec![pulled];
    for name in [by_id(&own), by_id("999999")] {
        answers.extend(ask(&mut node, &mut ann, &name).await);
    }
    for status in &answers {
        assert_eq!(Answer::of(status), Answer::of(&answers[0]));
        assert_eq!(reason(status), "REP_INACTIVE");
    }
    assert_eq!(answers.len(), 11);
    assert_eq!(node.audit().await.touch_count, 0);
}

#[tokio::test]
async fn a_rep_s_requests_and_leases_outlive_the_token() {
    let (mut node, mut ann) = start().await;
    node.hand_over(lead(1)).await;
    node.hand_over(lead(2)).await;
    let request = proto::NextLeadRequest { request_id: "r-1".into(), ..Default::default() };
    let first = ann.next_lead(request.clone()).await.unwrap().into_inner();

    let (_, text) = node.make_token(Role::Rep, "ann").await;
    let mut again = RepServiceClient::new(node.signed_by(&text));
    let second = again.next_lead(request).await.unwrap().into_inner();

    let lease = |answer: &proto::NextLeadResponse| match answer.answer.clone().unwrap() {
        proto::next_lead_response::Answer::Served(served) => served.lease_token,
        proto::next_lead_response::Answer::Nothing(nothing) => panic!("{nothing:?}"),
    };
    assert_eq!(lease(&first), lease(&second));
}

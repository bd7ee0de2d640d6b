//! Feedback on quality through the door: asked, owed, given, and reported to who may know.

use nextlead::api::proto;
use nextlead::clock::ManualClock;
use proto::{Disposition, QualityMode};
use tempfile::TempDir;
use tonic::Code;

use super::support::{HOUR_MS, NOON, TestNode, fields, lead, reason, time};

async fn start(mode: QualityMode) -> TestNode {
    let mut node = TestNode::start_bare(TempDir::new().unwrap(), ManualClock::at(NOON)).await;
    let queue = proto::Queue {
        queue_id: "sales".into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        calling_law: proto::CallingLaw::Exempt.into(),
        quality_mode: mode.into(),
        quality_reasons: vec!["hot".into(), "cold".into()],
        ..Default::default()
    };
    let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    node.queues.upsert_queue(request).await.unwrap();
    node.put_campaign("spring", "sales", None).await;
    node.put_rep("ann", "sales", &[]).await;
    for nth in 1..=4 {
        node.hand_over(lead(nth)).await;
    }
    node
}

fn quality(rating: i32, reason: &str) -> Option<proto::Quality> {
    Some(proto::Quality { rating, reason: reason.into() })
}

async fn report(node: &mut TestNode) -> proto::GetQualityResponse {
    let until_time = Some(time(NOON + HOUR_MS));
    let queue_id = "sales".into();
    let request = proto::GetQualityRequest { queue_id, until_time, ..Default::default() };
    node.coverage.get_quality(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_queue_that_requires_feedback_holds_the_next_lead_back_until_it_has_it() {
    let mut node = start(QualityMode::Required).await;
    let served = node.pull_lead("ann").await;
    let ask = served.quality_ask.clone().unwrap();
    assert_eq!(
        (ask.mode(), ask.reasons.as_slice()),
        (QualityMode::Required, &["hot".to_owned(), "cold".into()][..])
    );
    assert!(ask.dispositions().any(|one| one == Disposition::Sale));
    let mut touch = node.touch_of("ann", &served, Disposition::NotInterested);
    touch.then_next = true;

    let answer = node.reps.record_touch(touch.clone()).await.unwrap().into_inner();

    assert!(answer.quality_owed);
    let Some(proto::record_touch_response::Next::NextNothing(nothing)) = answer.next else {
        panic!("a lead was served");
    };
    assert_eq!(nothing.quality_owed.len(), 1);
    let mut node = node.restart().await;
    let wait = prost_types::Duration { seconds: 60, nanos: 0 };
    let pull = proto::NextLeadRequest {
        rep_id: "ann".into(),
        wait_duration: Some(wait),
        ..Default::default()
    };
    let pulled = node.reps.next_lead(pull).await.unwrap().into_inner().answer.unwrap();
    let proto::next_lead_response::Answer::Nothing(nothing) = pulled else { panic!("a lead") };
    let owed = &nothing.quality_owed[0];
    assert_eq!(
        (owed.touch_id.as_str(), owed.since_time),
        (touch.touch_id.as_str(), Some(time(NOON)))
    );
    assert_eq!(owed.lead_id, served.lead.unwrap().lead_id);
    assert_eq!(report(&mut node).await.owed[0].rep_id, "ann");

    let rate = |rating, reason| proto::RateLeadRequest {
        rep_id: "ann".into(),
        touch_id: touch.touch_id.clone(),
        quality: quality(rating, reason),
    };
    for (request, field) in [
        (rate(6, "hot"), "quality.rating"),
        (rate(0, "hot"), "quality.rating"),
        (rate(1, "good_fit"), "quality.reason"),
        (proto::RateLeadRequest { quality: None, ..rate(1, "hot") }, "quality"),
    ] {
        assert_eq!(fields(&node.reps.rate_lead(request).await.unwrap_err()), [field]);
    }
    let unheard = proto::RateLeadRequest { touch_id: "unheard".into(), ..rate(1, "cold") };
    let refused = node.reps.rate_lead(unheard).await.unwrap_err();
    assert_eq!(reason(&refused), "TOUCH_NOT_FOUND");
    node.reps.rate_lead(rate(1, "cold")).await.unwrap();
    node.reps.rate_lead(rate(1, "cold")).await.unwrap();
    let refused = node.reps.rate_lead(rate(2, "cold")).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "ALREADY_RATED")
    );
    node.pull_lead("ann").await;
    node.audit().await;
}

#[tokio::test]
async fn the_token_of_a_rep_who_left_says_nothing_of_leads_and_lists_none() {
    let mut node = start(QualityMode::Asked).await;
    let served = node.pull_lead("ann").await;
    let touch = node.touch_of("ann", &served, Disposition::NotInterested);
    node.reps.record_touch(touch.clone()).await.unwrap();
    let token = proto::CreateTokenRequest {
        name: "phone".into(),
        role: proto::Role::Rep.into(),
        rep_id: "ann".into(),
        ..Default::default()
    };
    let token = node.admin.create_token(token).await.unwrap().into_inner().token_text;
    let mut ann = proto::rep_service_client::RepServiceClient::new(node.signed_by(&token));
    let gone = proto::Rep {
        rep_id: "ann".into(),
        queue_id: "sales".into(),
        active: Some(false),
        ..Default::default()
    };
    let request = proto::UpsertRepRequest { rep: Some(gone), ..Default::default() };
    node.queues.upsert_rep(request).await.unwrap();

    let rate = proto::RateLeadRequest {
        touch_id: touch.touch_id,
        quality: quality(1, "cold"),
        ..Default::default()
    };
    let refused = ann.rate_lead(rate.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "REP_INACTIVE");
    let list = proto::ListCallbacksRequest::default();
    assert_eq!(reason(&ann.list_callbacks(list).await.unwrap_err()), "REP_INACTIVE");
    // A system may still say what they said.
    node.reps.rate_lead(proto::RateLeadRequest { rep_id: "ann".into(), ..rate }).await.unwrap();
}

#[tokio::test]
async fn marketing_sees_what_its_leads_are_worth_and_not_which_rep_said_so() {
    let mut node = start(QualityMode::Asked).await;
    for (disposition, said) in [
        (Disposition::Sale, quality(5, "hot")),
        (Disposition::NotInterested, quality(2, "cold")),
        (Disposition::NotQualified, None),
        (Disposition::NoAnswer, None),
    ] {
        let served = node.pull_lead("ann").await;
        let mut touch = node.touch_of("ann", &served, disposition);
        touch.quality = said;
        node.reps.record_touch(touch).await.unwrap();
    }

    let full = report(&mut node).await;

    let sums = full.sources[0].sums.clone().unwrap();
    assert_eq!(
        (full.sources[0].campaign_id.as_str(), full.sources[0].source.as_str()),
        ("spring", "web")
    );
    assert_eq!(
        (sums.asked_count, sums.answered_count),
        (3, 2),
        "nobody was reached the fourth time"
    );
    assert_eq!((sums.rating_count, sums.rating_sum), (2, 7));
    assert_eq!(sums.reasons["hot"], 1);
    assert_eq!((full.reps.len(), full.owed.len()), (1, 1));
    assert!(!full.owed[0].required);
    let token = proto::CreateTokenRequest {
        name: "reports".into(),
        role: proto::Role::Marketing.into(),
        ..Default::default()
    };
    let token = node.admin.create_token(token).await.unwrap().into_inner().token_text;
    let signed = node.signed_by(&token);
    let mut coverage = proto::coverage_service_client::CoverageServiceClient::new(signed);
    let until_time = Some(time(NOON + HOUR_MS));
    let request =
        proto::GetQualityRequest { queue_id: "sales".into(), until_time, ..Default::default() };
    let seen = coverage.get_quality(request).await.unwrap().into_inner();
    assert_eq!(seen.sources, full.sources);
    assert!(seen.reps.is_empty() && seen.owed.is_empty());
}

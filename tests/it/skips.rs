//! Skips through the door: a reason, a limit an hour, and the report on who skips what.

use nextlead::api::proto;
use nextlead::clock::ManualClock;
use proto::{ReleaseReason, SkipReason};
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::support::{HOUR_MS, MINUTE_MS, NOON, TestNode, by_id, fields, lead, reason, time};

/// A node whose reps may skip so many leads an hour, with eight leads that are worth 20 points.
async fn start(skips_per_hour_max: Option<i32>) -> TestNode {
    let mut node = TestNode::start_bare(TempDir::new().unwrap(), ManualClock::at(NOON)).await;
    let queue = proto::Queue {
        queue_id: "sales".into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        calling_law: proto::CallingLaw::Exempt.into(),
        skips_per_hour_max,
        ..Default::default()
    };
    let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    node.queues.upsert_queue(request).await.unwrap();
    node.put_campaign("spring", "sales", None).await;
    node.put_rep("ann", "sales", &[]).await;
    node.publish("[[value]]\nname = \"all\"\npoints = 20\n").await;
    for nth in 1..=8 {
        node.hand_over(lead(nth)).await;
    }
    node
}

fn skip_of(served: &proto::ServedLead, skip_reason: SkipReason) -> proto::ReleaseLeaseRequest {
    proto::ReleaseLeaseRequest {
        rep_id: "ann".into(),
        lead: Some(by_id(&served.lead.as_ref().unwrap().lead_id)),
        lease_token: served.lease_token.clone(),
        reason: ReleaseReason::Skipped.into(),
        skip_reason: skip_reason.into(),
        ..Default::default()
    }
}

async fn release(node: &mut TestNode, request: proto::ReleaseLeaseRequest) -> Result<(), Status> {
    node.reps.release_lease(request).await.map(drop)
}

async fn skips(node: &mut TestNode) -> proto::GetSkipsResponse {
    let request = proto::GetSkipsRequest { queue_id: "sales".into(), ..Default::default() };
    node.coverage.get_skips(request).await.unwrap().into_inner()
}

async fn seen_by_marketing(node: &mut TestNode) -> Vec<proto::ServeCounts> {
    let token = proto::CreateTokenRequest {
        name: "reports".into(),
        role: proto::Role::Marketing.into(),
        ..Default::default()
    };
    let token = node.admin.create_token(token).await.unwrap().into_inner().token_text;
    let signed = node.signed_by(&token);
    let mut coverage = proto::coverage_service_client::CoverageServiceClient::new(signed);
    let request = proto::GetSkipsRequest { queue_id: "sales".into(), ..Default::default() };
    coverage.get_skips(request).await.unwrap().into_inner().rows
}

#[tokio::test]
async fn a_skip_without_a_reason_is_refused_by_the_names_of_all() {
    let mut node = start(None).await;
    let served = node.pull_lead("ann").await;

    let refused = release(&mut node, skip_of(&served, SkipReason::Unspecified)).await.unwrap_err();

    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::InvalidArgument, "FIELD_INVALID")
    );
    assert_eq!(fields(&refused), ["skip_reason"]);
    let problem = &refused.get_details_bad_request().unwrap().field_violations[0].description;
    for code in (1..=6).map(|code| SkipReason::try_from(code).unwrap().as_str_name()) {
        assert!(problem.contains(code), "{problem}");
    }
    let mistake = proto::ReleaseLeaseRequest {
        reason: ReleaseReason::RepError.into(),
        ..skip_of(&served, SkipReason::Other)
    };
    assert_eq!(fields(&release(&mut node, mistake.clone()).await.unwrap_err()), ["skip_reason"]);
    let mistake = proto::ReleaseLeaseRequest { skip_reason: 0, ..mistake };
    release(&mut node, mistake).await.unwrap();
}

#[tokio::test]
async fn who_skipped_enough_calls_the_lead_or_waits_whatever_restarts_meanwhile() {
    let mut node = start(Some(2)).await;
    for _ in 0..2 {
        let served = node.pull_lead("ann").await;
        release(&mut node, skip_of(&served, SkipReason::TooHard)).await.unwrap();
        node.pass_time(MINUTE_MS).await;
    }
    let served = node.pull_lead("ann").await;
    let third = skip_of(&served, SkipReason::NoTime);

    let refused = release(&mut node, third.clone()).await.unwrap_err();

    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "SKIP_LIMIT")
    );
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.metadata["next_skip_time"], "2026-11-23T13:00:00Z");
    assert!(node.pull_lead("ann").await.held_before, "the lead stays the rep's");
    let mut node = node.restart().await;
    assert_eq!(reason(&release(&mut node, third).await.unwrap_err()), "SKIP_LIMIT");
    node.touch("ann", &served, proto::Disposition::NoAnswer).await;
    let served = node.pull_lead("ann").await;
    node.clock.advance(MINUTE_MS);
    let lost = proto::ReleaseLeaseRequest {
        reason: ReleaseReason::ClientLost.into(),
        skip_reason: 0,
        ..skip_of(&served, SkipReason::Other)
    };
    release(&mut node, lost).await.unwrap();

    // An hour after the first skip there is room for one.
    node.pass_time(HOUR_MS - 3 * MINUTE_MS).await;
    let served = node.pull_lead("ann").await;
    release(&mut node, skip_of(&served, SkipReason::KnowsMe)).await.unwrap();
    node.audit().await;
}

#[tokio::test]
async fn to_let_leads_run_out_is_no_way_around_and_a_raised_limit_holds_at_once() {
    let mut node = start(Some(1)).await;
    node.pull_lead("ann").await;
    node.pass_time(10 * MINUTE_MS + 30_000).await;
    let served = node.pull_lead("ann").await;

    let refused = release(&mut node, skip_of(&served, SkipReason::BadData)).await.unwrap_err();

    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.metadata["next_skip_time"], "2026-11-23T13:10:00Z", "an hour after its end");
    let queue = node.queues.list_queues(proto::ListQueuesRequest::default()).await;
    let mut queue = queue.unwrap().into_inner().queues.remove(0);
    assert_eq!(queue.skips_per_hour_max, Some(1));
    queue.skips_per_hour_max = Some(2);
    let raise = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    node.queues.upsert_queue(raise).await.unwrap();
    release(&mut node, skip_of(&served, SkipReason::BadData)).await.unwrap();
}

#[tokio::test]
async fn the_report_tells_who_skips_leads_of_which_worth() {
    let mut node = start(None).await;
    let served = node.pull_lead("ann").await;
    node.touch("ann", &served, proto::Disposition::NoAnswer).await;
    for why in [SkipReason::TooHard, SkipReason::TooHard, SkipReason::BadData] {
        let served = node.pull_lead("ann").await;
        release(&mut node, skip_of(&served, why)).await.unwrap();
    }
    node.pull_lead("ann").await;
    node.pass_time(10 * MINUTE_MS + 30_000).await;

    let report = skips(&mut node).await;

    let hour = NOON + HOUR_MS;
    assert_eq!(report.until_time, Some(time(hour)), "carried on to the full hour");
    assert_eq!(report.from_time, Some(time(NOON - 7 * 24 * HOUR_MS)));
    let [row] = &report.rows[..] else { panic!("{report:?}") };
    assert_eq!((row.rep_id.as_str(), row.points_min), ("ann", 10));
    assert_eq!((row.served_count, row.skipped_count, row.expired_count), (5, 3, 1));
    let skips: Vec<_> = row.skips.iter().map(|one| (one.reason(), one.count)).collect();
    assert_eq!(skips, [(SkipReason::BadData, 1), (SkipReason::TooHard, 2)]);
    let named = proto::ServeCounts { rep_id: String::new(), ..row.clone() };
    assert_eq!(
        seen_by_marketing(&mut node).await,
        [named],
        "who it was is their manager's to know"
    );
    let before = proto::GetSkipsRequest {
        queue_id: "sales".into(),
        until_time: Some(time(NOON)),
        ..Default::default()
    };
    assert!(node.coverage.get_skips(before).await.unwrap().into_inner().rows.is_empty());
    let unknown = proto::GetSkipsRequest { queue_id: "nowhere".into(), ..Default::default() };
    let refused = node.coverage.get_skips(unknown).await.unwrap_err();
    assert_eq!(reason(&refused), "QUEUE_NOT_FOUND");
}

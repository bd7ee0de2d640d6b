//! A good request for every method: what is broken of it is the only thing that is wrong with it.

use std::collections::BTreeMap;

use nextlead::api::proto;
use prost::Message;
use proto::suppress_contact_request::Contact;
use proto::suppression_row::Contact as RowContact;

use crate::support::{NOON, TestNode, by_id, lead, time};

/// A request id that was used before, with another body.
pub(super) const USED: &str = "used-before";
/// A touch that waits for feedback.
const RATED: &str = "touch-to-rate";
/// Methods whose request ids are remembered.
pub(super) const REUSED: &[&str] = &[
    "UpsertLead",
    "SuppressContact",
    "PublishRules",
    "CreateToken",
    "EraseLead",
    "AssignLead",
    "TransferLead",
];

const RULES: &str = "queue = \"sales\"\n[[value]]\nname = \"all\"\npoints = 1\n";

/// Sets a node up, and gives a request for each method that would be taken.
pub(super) async fn requests(node: &mut TestNode) -> BTreeMap<&'static str, Vec<u8>> {
    let ids = [node.hand_over(lead(1)).await, node.hand_over(lead(2)).await];
    node.publish("").await;
    let used = proto::UpsertLeadRequest { lead: Some(lead(3)), request_id: USED.into() };
    let other = node.intake.upsert_lead(used).await.unwrap().into_inner();
    let other = other.result.unwrap().lead_id;
    let served = node.pull_lead("ann").await;
    let held = served.lead.clone().unwrap().lead_id;
    let idle = ids.iter().find(|id| **id != held).unwrap();
    touch_to_rate(node, idle).await;
    let mut all = BTreeMap::new();
    of_reps(&mut all, &held, &served.lease_token, idle);
    of_intake(&mut all, &other);
    of_managers(&mut all, idle);
    let token = proto::CreateTokenRequest {
        name: "reports".into(),
        role: proto::Role::Marketing.into(),
        ..Default::default()
    };
    let made = node.admin.create_token(token).await.unwrap().into_inner();
    of_admins(&mut all, made.token.unwrap().token_id);
    all
}

/// Records a touch that the queue asks for feedback on.
async fn touch_to_rate(node: &mut TestNode, lead_id: &str) {
    let queues = node.queues.list_queues(proto::ListQueuesRequest::default()).await.unwrap();
    let mut queue = queues.into_inner().queues.remove(0);
    queue.quality_mode = proto::QualityMode::Asked.into();
    let change = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    node.queues.upsert_queue(change).await.unwrap();
    let touch = proto::RecordTouchRequest {
        rep_id: "ann".into(),
        lead: Some(by_id(lead_id)),
        touch_id: RATED.into(),
        channel: proto::Channel::Email.into(),
        direction: proto::Direction::Inbound.into(),
        start_time: Some(time(NOON)),
        end_time: Some(time(NOON)),
        disposition: proto::Disposition::NotInterested.into(),
        ..Default::default()
    };
    assert!(node.reps.record_touch(touch).await.unwrap().into_inner().quality_owed);
}

fn put(all: &mut BTreeMap<&'static str, Vec<u8>>, method: &'static str, message: impl Message) {
    all.insert(method, message.encode_to_vec());
}

fn of_reps(all: &mut BTreeMap<&'static str, Vec<u8>>, held: &str, token: &str, idle: &str) {
    let rep_id = || "ann".to_owned();
    put(all, "NextLead", proto::NextLeadRequest { rep_id: rep_id(), ..Default::default() });
    let renewal = proto::RenewLeaseRequest {
        rep_id: rep_id(),
        lead: Some(by_id(held)),
        lease_token: token.into(),
        ..Default::default()
    };
    put(all, "RenewLease", renewal);
    let release = proto::ReleaseLeaseRequest {
        rep_id: rep_id(),
        lead: Some(by_id(held)),
        lease_token: token.into(),
        reason: proto::ReleaseReason::Skipped.into(),
        skip_reason: proto::SkipReason::NoTime.into(),
        ..Default::default()
    };
    put(all, "ReleaseLease", release);
    let number = if idle == "1" { lead(1) } else { lead(2) }.numbers[0].number.clone();
    let touch = proto::RecordTouchRequest {
        rep_id: rep_id(),
        lead: Some(by_id(idle)),
        touch_id: "touch-of-nobody".into(),
        channel: proto::Channel::Call.into(),
        direction: proto::Direction::Outbound.into(),
        number,
        start_time: Some(time(NOON)),
        end_time: Some(time(NOON)),
        disposition: proto::Disposition::NoAnswer.into(),
        ..Default::default()
    };
    put(all, "RecordTouch", touch);
    let callbacks = proto::ListCallbacksRequest { rep_id: rep_id(), ..Default::default() };
    put(all, "ListCallbacks", callbacks);
    let quality = proto::Quality { rating: 3, reason: "other".into() };
    let rating =
        proto::RateLeadRequest { rep_id: rep_id(), touch_id: RATED.into(), quality: Some(quality) };
    put(all, "RateLead", rating);
}

fn of_intake(all: &mut BTreeMap<&'static str, Vec<u8>>, other: &str) {
    let campaign = proto::Campaign {
        campaign_id: "autumn".into(),
        queue_id: "sales".into(),
        ..Default::default()
    };
    let campaign = proto::UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
    put(all, "UpsertCampaign", campaign);
    let resume = proto::PauseCampaignRequest { campaign_id: "autumn".into(), resume: true };
    put(all, "PauseCampaign", resume);
    put(all, "ListCampaigns", proto::ListCampaignsRequest::default());
    let new = proto::Lead { score: Some(1.0), ..lead(9) };
    let handover = proto::UpsertLeadRequest { lead: Some(new.clone()), ..Default::default() };
    put(all, "UpsertLead", handover);
    let row = proto::ImportRow { row_number: 1, lead: Some(new) };
    put(
        all,
        "ImportLeads",
        proto::ImportLeadsRequest { batch_number: 1, rows: vec![row], validate_only: false },
    );
    let engagement = proto::RecordEngagementRequest {
        lead: Some(by_id(other)),
        source_system: "web".into(),
        engagement_id: "visit-1".into(),
        kind: "visited".into(),
        wakes: true,
        ..Default::default()
    };
    put(all, "RecordEngagement", engagement);
    let outcome = proto::RecordOutcomeRequest {
        lead: Some(by_id(other)),
        source_system: "crm".into(),
        outcome_id: "deal-1".into(),
        result: proto::OutcomeResult::Won.into(),
        amount_minor: 120_000,
        currency: "EUR".into(),
        decided_time: None,
    };
    put(all, "RecordOutcome", outcome);
    let suppression = proto::SuppressContactRequest {
        contact: Some(Contact::Number("+12025550177".into())),
        source: "a letter".into(),
        ..Default::default()
    };
    put(all, "SuppressContact", suppression);
    let wish = RowContact::Number("+12025550178".into());
    let register = proto::ImportSuppressionsRequest {
        batch_number: 1,
        rows: vec![proto::SuppressionRow { row_number: 1, contact: Some(wish) }],
        source: "a register".into(),
        country: String::new(),
        ..Default::default()
    };
    put(all, "ImportSuppressions", register);
    put(all, "ListSuppressions", proto::ListSuppressionsRequest::default());
    let erasure = proto::EraseLeadRequest { lead: Some(by_id(other)), ..Default::default() };
    put(all, "EraseLead", erasure);
}

fn of_managers(all: &mut BTreeMap<&'static str, Vec<u8>>, idle: &str) {
    put(all, "CheckRules", proto::CheckRulesRequest { text: RULES.into() });
    let publish = proto::PublishRulesRequest {
        queue_id: "sales".into(),
        text: RULES.into(),
        reason: "a test".into(),
        ..Default::default()
    };
    put(all, "PublishRules", publish);
    let queue_id = || "sales".to_owned();
    let versions = proto::ListRuleVersionsRequest { queue_id: queue_id(), ..Default::default() };
    put(all, "ListRuleVersions", versions);
    let queue = proto::Queue {
        queue_id: "service".into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        calling_law: proto::CallingLaw::Exempt.into(),
        ..Default::default()
    };
    let queue = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    put(all, "UpsertQueue", queue);
    put(all, "ListQueues", proto::ListQueuesRequest::default());
    let rep = proto::Rep { rep_id: "bob".into(), queue_id: queue_id(), ..Default::default() };
    put(all, "UpsertRep", proto::UpsertRepRequest { rep: Some(rep), ..Default::default() });
    put(all, "ListReps", proto::ListRepsRequest::default());
    let assign = proto::AssignLeadRequest {
        lead: Some(by_id(idle)),
        owner_rep_id: "ann".into(),
        ..Default::default()
    };
    put(all, "AssignLead", assign);
    let transfer = proto::TransferLeadRequest {
        lead: Some(by_id(idle)),
        queue_id: queue_id(),
        ..Default::default()
    };
    put(all, "TransferLead", transfer);
    put(all, "PeekQueue", proto::PeekQueueRequest { queue_id: queue_id(), place_count: 5 });
    let explain = proto::ExplainLeadRequest { lead: Some(by_id(idle)), rep_id: "ann".into() };
    put(all, "ExplainLead", explain);
    let trace = proto::TraceLeadRequest { lead: Some(by_id(idle)), ..Default::default() };
    put(all, "TraceLead", trace);
    put(all, "GetCoverage", proto::GetCoverageRequest::default());
    put(all, "ListUncontacted", proto::ListUncontactedRequest::default());
    put(all, "ListUnroutable", proto::ListUnroutableRequest::default());
    let skips = proto::GetSkipsRequest { queue_id: queue_id(), ..Default::default() };
    put(all, "GetSkips", skips);
    let quality = proto::GetQualityRequest { queue_id: queue_id(), ..Default::default() };
    put(all, "GetQuality", quality);
    put(all, "ExportLeads", proto::ExportLeadsRequest::default());
    put(all, "ExportTouches", proto::ExportTouchesRequest::default());
    put(all, "AuditLedger", proto::AuditLedgerRequest::default());
}

fn of_admins(all: &mut BTreeMap<&'static str, Vec<u8>>, token_id: String) {
    let token = proto::CreateTokenRequest {
        name: "softphone".into(),
        role: proto::Role::Rep.into(),
        rep_id: "ann".into(),
        ..Default::default()
    };
    put(all, "CreateToken", token);
    put(all, "RevokeToken", proto::RevokeTokenRequest { token_id, ..Default::default() });
    put(all, "ListTokens", proto::ListTokensRequest::default());
    put(all, "Backup", proto::BackupRequest::default());
}

//! Why a lead may be called: kept with its lease for ever, and judged again when the lease is renewed.

use std::collections::BTreeMap;

use nextlead::api::proto;
use nextlead::clock::ManualClock;
use proptest::prelude::*;
use proto::{Disposition, LeadEventKind};
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::support::{HOUR_MS, MINUTE_MS, NOON, TestNode, by_id, lead, reason};

const HOUR_S: i64 = 3_600;
const MIAMI: &str = "+13055550101";

/// A node whose leads are leased for an hour, by the law; it is noon in UTC, seven in New York.
async fn start() -> TestNode {
    let mut node = TestNode::start_bare(TempDir::new().unwrap(), ManualClock::at(NOON)).await;
    put_queue(&mut node, proto::CallingLaw::Applies).await;
    node.put_campaign("spring", "sales", None).await;
    node.put_rep("ann", "sales", &[]).await;
    node
}

async fn put_queue(node: &mut TestNode, law: proto::CallingLaw) {
    let duration = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let queue = proto::Queue {
        queue_id: "sales".into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        calling_law: law.into(),
        lease_duration: duration(HOUR_S),
        lease_total_duration: duration(24 * HOUR_S),
        ..Default::default()
    };
    let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    node.queues.upsert_queue(request).await.unwrap();
}

fn lead_at(number: &str) -> proto::Lead {
    let number = proto::LeadNumber { number: number.into(), ..Default::default() };
    proto::Lead { numbers: vec![number], time_zone: String::new(), ..lead(1) }
}

fn renewal(served: &proto::ServedLead) -> proto::RenewLeaseRequest {
    proto::RenewLeaseRequest {
        rep_id: "ann".into(),
        lead: Some(by_id(&served.lead.as_ref().unwrap().lead_id)),
        lease_token: served.lease_token.clone(),
        ..Default::default()
    }
}

async fn renew(node: &mut TestNode, served: &proto::ServedLead) -> Result<i64, Status> {
    let answer = node.reps.renew_lease(renewal(served)).await?.into_inner();
    Ok(answer.remaining_duration.unwrap().seconds)
}

async fn trace(node: &mut TestNode, lead_id: &str) -> Vec<proto::LeadEvent> {
    let request = proto::TraceLeadRequest { lead: Some(by_id(lead_id)), ..Default::default() };
    node.queues.trace_lead(request).await.unwrap().into_inner().events
}

/// What the last lease keeps of why it was given.
async fn verdict(node: &mut TestNode, lead_id: &str) -> BTreeMap<String, String> {
    let events = trace(node, lead_id).await;
    let leased = |event: &&proto::LeadEvent| event.kind() == LeadEventKind::Leased;
    let leased = events.iter().rev().find(leased).expect("a lease");
    leased.details.clone().into_iter().collect()
}

fn told(status: &Status) -> BTreeMap<String, String> {
    status.get_details_error_info().unwrap().metadata.into_iter().collect()
}

#[tokio::test]
async fn the_ledger_keeps_why_a_lead_could_be_called_and_until_when() {
    let mut node = start().await;
    let only = node.hand_over(lead_at(MIAMI)).await;
    node.pass_time(2 * HOUR_MS).await;
    node.pull_lead("ann").await;

    let kept = verdict(&mut node, &only).await;

    assert_eq!(kept["zones"], "America/New_York");
    assert_eq!(kept["zones_by"], "number");
    assert_eq!(kept["law"], "US&US-FL");
    assert_eq!(kept["law_cited"], "47 CFR 64.1200(c)(1); 16 CFR 310.4(c); Fla. Stat. 501.616(6)");
    assert_eq!(kept["hours"], "always");
    assert_eq!(kept["callable_until"], "2026-11-24T01:00:00Z", "eight in the evening in Miami");
    assert!(kept.values().all(|text| !text.contains("5550101")), "no personal data: {kept:?}");

    // What was true then stays, whatever the queue is by now.
    put_queue(&mut node, proto::CallingLaw::Exempt).await;
    assert_eq!(verdict(&mut node, &only).await, kept);
}

#[tokio::test]
async fn the_next_lead_that_comes_with_a_touch_has_its_verdict_too_and_an_exempt_one_says_so() {
    let mut node = start().await;
    put_queue(&mut node, proto::CallingLaw::Exempt).await;
    node.hand_over(lead(2)).await;
    let next = node.hand_over(lead(3)).await;
    let served = node.pull_lead("ann").await;
    let touch = node.touch_of("ann", &served, Disposition::NotInterested);
    let touch = proto::RecordTouchRequest { then_next: true, ..touch };
    node.reps.record_touch(touch).await.unwrap();

    let kept = verdict(&mut node, &next).await;

    assert_eq!((kept["law"].as_str(), kept["zones"].as_str()), ("exempt", "UTC"));
    assert_eq!(kept["zones_by"], "stated");
    assert!(!kept.contains_key("callable_until"), "nothing ends it: {kept:?}");
    assert!(!kept.contains_key("law_cited"));
}

#[tokio::test]
async fn a_lead_for_which_it_became_night_is_not_renewed_but_goes_back_in_line() {
    let mut node = start().await;
    let only = node.hand_over(lead_at(MIAMI)).await;
    node.pass_time(13 * HOUR_MS - 30 * MINUTE_MS).await;
    let served = node.pull_lead("ann").await;
    node.pass_time(30 * MINUTE_MS - 1).await;
    assert_eq!(renew(&mut node, &served).await.unwrap(), HOUR_S, "up to the law's own end");
    node.pass_time(1).await;

    let request_id = "late".to_owned();
    let request = proto::RenewLeaseRequest { request_id, ..renewal(&served) };
    let refused = node.reps.renew_lease(request.clone()).await.unwrap_err();

    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(&refused), "LEAD_FORBIDDEN");
    let facts = told(&refused);
    assert_eq!(facts["cause"], "outside_hours");
    assert_eq!(facts["next_legal_time"], "2026-11-24T13:00:00Z");
    assert_eq!(
        (facts["time_zone"].as_str(), facts["jurisdiction"].as_str()),
        ("America/New_York", "US-FL")
    );
    assert_eq!(facts["citation"], "Fla. Stat. 501.616(6)");
    assert!(refused.message().contains("the lease is over"), "{}", refused.message());
    assert_eq!(node.standing(&only).await, "ready");
    let events = trace(&mut node, &only).await;
    let last = events.last().unwrap();
    assert_eq!(
        (last.kind(), last.details["reason"].as_str()),
        (LeadEventKind::Released, "forbidden")
    );
    let again = node.reps.renew_lease(request).await.unwrap_err();
    assert_eq!((reason(&again), told(&again)), ("LEAD_FORBIDDEN".into(), facts));
    assert_eq!(reason(&renew(&mut node, &served).await.unwrap_err()), "LEASE_LOST");
    node.pull_nothing("ann").await;
    node.audit().await;
}

#[tokio::test]
async fn a_conversation_that_began_in_time_goes_on() {
    let mut node = start().await;
    let only = node.hand_over(lead_at(MIAMI)).await;
    node.pass_time(13 * HOUR_MS - 30 * MINUTE_MS).await;
    let served = node.pull_lead("ann").await;
    node.pass_time(50 * MINUTE_MS).await;

    let talking = proto::RenewLeaseRequest { in_call: true, ..renewal(&served) };
    let renewed = node.reps.renew_lease(talking).await.unwrap().into_inner();
    assert_eq!(renewed.remaining_duration.unwrap().seconds, HOUR_S);
    assert_eq!(node.standing(&only).await, "leased");
    assert_eq!(reason(&renew(&mut node, &served).await.unwrap_err()), "LEAD_FORBIDDEN");
    node.audit().await;
}

#[tokio::test]
async fn a_lead_whose_last_number_was_stopped_meanwhile_is_not_renewed() {
    let mut node = start().await;
    put_queue(&mut node, proto::CallingLaw::Exempt).await;
    node.hand_over(lead_at(MIAMI)).await;
    let served = node.pull_lead("ann").await;
    let stop = proto::RecordTouchRequest {
        lease_token: String::new(),
        ..node.touch_of("ann", &served, Disposition::Disconnected)
    };
    node.reps.record_touch(stop).await.unwrap();
    let refused = renew(&mut node, &served).await.unwrap_err();
    assert_eq!(
        (reason(&refused), told(&refused)["cause"].as_str()),
        ("LEAD_FORBIDDEN".into(), "no_number")
    );
}

#[tokio::test]
async fn a_lead_that_marketing_says_lives_elsewhere_is_judged_by_the_hours_there() {
    let mut node = start().await;
    let only = node.hand_over(lead_at(MIAMI)).await;
    node.pass_time(2 * HOUR_MS).await;
    let served = node.pull_lead("ann").await;
    renew(&mut node, &served).await.unwrap();
    let moved = proto::Lead { time_zone: "Pacific/Honolulu".into(), ..lead_at(MIAMI) };
    assert_eq!(node.hand_over(moved).await, only);

    let refused = renew(&mut node, &served).await.unwrap_err();

    assert_eq!(told(&refused)["time_zone"], "Pacific/Honolulu", "it is four in the morning there");
    assert_eq!(node.standing(&only).await, "ready");
}

/// A rep renews at odd instants for days, now talking and now not: beside a reckoning by hand. Florida
/// keeps UTC-5 all these days, and its law allows calls from eight to eight.
async fn check_renewals(steps: &[(i64, bool)]) {
    let mut node = start().await;
    let only = node.hand_over(lead_at(MIAMI)).await;
    node.pass_time(2 * HOUR_MS).await;
    let mut now_ms = 2 * HOUR_MS;
    let mut served = node.pull_lead("ann").await;
    for (minutes, in_call) in steps {
        node.pass_time(minutes * MINUTE_MS).await;
        now_ms += minutes * MINUTE_MS;
        let wall_ms = (now_ms + 7 * HOUR_MS) % (24 * HOUR_MS);
        let is_day = (8 * HOUR_MS..20 * HOUR_MS).contains(&wall_ms);

        let request = proto::RenewLeaseRequest { in_call: *in_call, ..renewal(&served) };
        let answer = node.reps.renew_lease(request).await;

        assert_eq!(answer.is_ok(), is_day || *in_call, "{wall_ms} {in_call} {answer:?}");
        if let Err(refused) = answer {
            let to_morning_ms = (32 * HOUR_MS - wall_ms) % (24 * HOUR_MS);
            let morning = NOON + now_ms + to_morning_ms;
            assert_eq!(told(&refused)["next_legal_time"], nextlead::domain::instant_text(morning));
            assert_eq!(node.standing(&only).await, "ready");
            node.pass_time(to_morning_ms).await;
            now_ms += to_morning_ms;
            served = node.pull_lead("ann").await;
        }
    }
    node.audit().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_lease_is_renewed_by_day_or_in_a_call_and_else_ends(
        steps in proptest::collection::vec((1..60_i64, proptest::bool::weighted(0.4)), 20..36),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(check_renewals(&steps));
    }
}

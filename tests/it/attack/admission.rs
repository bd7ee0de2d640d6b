//! A node with too much to do says so early, and still takes what would be lost otherwise.

use std::time::Duration;

use nextlead::api::front::{Limit, Limits};
use nextlead::api::proto;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use super::target::Target;
use crate::support::reason;

fn pull(wait_seconds: i64) -> proto::NextLeadRequest {
    let wait = prost_types::Duration { seconds: wait_seconds, nanos: 0 };
    proto::NextLeadRequest { rep_id: "ann".into(), wait_duration: Some(wait), ..Default::default() }
}

fn is_told_when(status: &Status, why: &str) {
    assert_eq!((status.code(), reason(status).as_str()), (Code::ResourceExhausted, why));
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
}

#[tokio::test]
async fn an_overloaded_node_refuses_pulls_and_takes_touches() {
    let limits = Limits { call_count_max: 4, call_count_reserved: 2, ..Limits::default() };
    let target = Target::start(limits).await;
    let (reps, intake) = (target.client.reps(), target.client.intake());
    let mut held = Vec::new();
    for _ in 0..2 {
        let (batches, stream) = tokio::sync::mpsc::channel::<proto::ImportLeadsRequest>(1);
        let answers = intake.clone().import_leads(ReceiverStream::new(stream)).await.unwrap();
        held.push((batches, answers));
    }

    let status = reps.clone().next_lead(pull(0)).await.unwrap_err();
    is_told_when(&status, "OVERLOADED");
    let status = reps.clone().record_touch(proto::RecordTouchRequest::default()).await.unwrap_err();
    assert_eq!(reason(&status), "FIELD_INVALID", "it was looked at");
    let release = proto::ReleaseLeaseRequest::default();
    assert_eq!(reason(&reps.clone().release_lease(release).await.unwrap_err()), "FIELD_INVALID");
    let renew = proto::RenewLeaseRequest::default();
    assert_eq!(reason(&reps.clone().renew_lease(renew).await.unwrap_err()), "FIELD_INVALID");
    let url = format!("http://{}", target.address);
    let mut health =
        HealthClient::new(Endpoint::from_shared(url).unwrap().connect().await.unwrap());
    health.check(HealthCheckRequest::default()).await.unwrap();

    drop((held, health));
    let calm = async {
        while target.tally.call_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), calm).await.expect("the seats are given back");
    reps.clone().next_lead(pull(0)).await.unwrap();
    assert_eq!(target.tally.met_count(Limit::Calls), 1);
    target.end().await;
}

#[tokio::test]
async fn a_pull_that_waits_takes_no_place_from_those_who_work() {
    let limits = Limits {
        call_count_max: 2,
        call_count_reserved: 0,
        wait_count_max: 3,
        ..Limits::default()
    };
    let target = Target::start(limits).await;
    let mut waiting = Vec::new();
    for wait_count in 1..=3 {
        let mut reps = target.client.reps();
        waiting.push(tokio::spawn(async move { reps.next_lead(pull(60)).await }));
        let parked = async {
            while target.tally.wait_count() < wait_count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), parked).await.expect("it waits");
    }
    assert_eq!(target.tally.call_count(), 0);
    let status = target.client.reps().next_lead(pull(60)).await.unwrap_err();
    is_told_when(&status, "WAITS_FULL");

    // The lead wakes who waits. They are all of one rep, and get the same.
    let lead = Some(crate::support::lead(1));
    let request = proto::UpsertLeadRequest { lead, ..Default::default() };
    target.client.intake().upsert_lead(request).await.unwrap();
    for waiting in waiting {
        let answer = waiting.await.unwrap().unwrap().into_inner().answer.unwrap();
        assert!(matches!(answer, proto::next_lead_response::Answer::Served(_)));
    }
    assert_eq!(target.tally.wait_count(), 0);
    target.end().await;
}

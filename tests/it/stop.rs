//! A node that stops: it says so, and waits for nobody who only waits.

use std::time::Duration;

use nextlead::api::proto;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{TestNode, lead};

#[tokio::test]
async fn a_node_stops_soon_though_a_pull_waits_and_streams_stay_open() {
    let mut node = TestNode::start().await;
    let url = format!("http://{}", node.node.address);
    let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let watched = health.watch(HealthCheckRequest::default()).await.unwrap();
    let mut watched = watched.into_inner();
    let first = watched.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let mut reps = node.reps.clone();
    let request = proto::NextLeadRequest {
        rep_id: "ann".into(),
        wait_duration: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..Default::default()
    };
    let waiting = tokio::spawn(async move { reps.next_lead(request).await });
    let (batches, stream) = tokio::sync::mpsc::channel::<proto::ImportLeadsRequest>(1);
    let _answers = node.intake.import_leads(ReceiverStream::new(stream)).await.unwrap();
    // The pull was sent before this one on the same connection.
    node.put_queue("service", "always").await;
    node.put_campaign("winback", "service", None).await;
    node.hand_over(crate::support::lead_of("winback", 1)).await;

    let TestNode { node: running, folder, clock, .. } = node;
    let stopping = tokio::time::timeout(Duration::from_secs(20), running.stop());
    stopping.await.expect("a node stops in time").unwrap();

    assert!(waiting.await.unwrap().is_ok(), "who waited is told that there is nothing");
    let last = watched.message().await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    drop(batches);
    let mut node = TestNode::start_bare(folder, clock).await;
    node.hand_over(lead(2)).await;
    node.audit().await;
}

//! A node that stops: it says so, and waits for nobody who only waits.

use std::sync::Arc;
use std::time::Duration;

use nextlead::api::proto;
use nextlead::clock::ManualClock;
use nextlead::dialer::{Among, Dialer, random_tokens};
use nextlead::queue::MemoryQueue;
use nextlead::store::{SqliteStore, Store};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{NOON, TestNode, lead};

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

#[tokio::test]
async fn a_dialer_that_is_dropped_lets_its_store_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("nextlead.db")).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let clock = Arc::new(ManualClock::at(NOON));
    let queue = Arc::new(MemoryQueue::new());
    let tokens = random_tokens();
    let dialer = Dialer::start(store.clone(), queue, clock, tokens, Among::Alone).await.unwrap();
    let held = Arc::downgrade(&store);
    drop((dialer, store));
    assert!(held.upgrade().is_none(), "who follows the store must not hold it");
}

/// Whoever ends the runtime under a node without stopping it must not wait for a ranking that waits for
/// the runtime.
#[test]
fn a_runtime_that_ends_under_a_ranking_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let node = runtime.block_on(async {
        let mut node = TestNode::start().await;
        node.hand_over(lead(1)).await;
        let publish = proto::PublishRulesRequest {
            queue_id: "sales".into(),
            text: "queue = \"sales\"\n".into(),
            reason: "first in, first out".into(),
            ..Default::default()
        };
        node.rules.publish_rules(publish).await.unwrap();
        node
    });
    // The ranking goes on in a thread of its own, and asks for pages that nobody reads any more.
    drop(runtime);
    drop(node);
}

//! Stopped in order under load, over and over, as a service manager does it: what runs finishes or
//! is not acknowledged, the node ends well and in time, and nothing that was acknowledged is lost.
//!
//! `NEXTLEAD_STOPS` says how often.

use std::time::Duration;

use super::from_environment;
use super::ground::{Ground, On};
use super::nodes::Nodes;
use super::{FAMILY_COUNT_EACH, FAMILY_COUNT_MIN, KILL_WITHIN, LIFE_MS, Rig, client_of};
use crate::process::clock;

/// How long a node may take to end: five seconds for calls that stay open, and its last checkpoint.
const STOP_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_however_often_the_node_is_stopped() {
    let stop_count = from_environment("NEXTLEAD_STOPS", 5);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 2);
    let within = KILL_WITHIN * (u32::try_from(stop_count).unwrap() + 3);
    let run = async {
        let family_count = FAMILY_COUNT_MIN + stop_count * FAMILY_COUNT_EACH;
        let ground = || Ground::new(On::from_environment());
        let mut rig = Rig::begin(ground, 1, family_count, seed).await;
        for _ in 0..stop_count {
            rig.let_run(LIFE_MS).await;
            let took = rig.nodes.stop(0).await;
            assert!(took < KILL_WITHIN, "a stop took {took:?}");
            let stopped = clock();
            rig.nodes.start(0).await;
            rig.recover(stopped).await;
        }
        rig.end("node stopped", stop_count).await
    };
    tokio::time::timeout(within, run).await.expect("the run hangs");
}

#[tokio::test]
async fn a_second_signal_ends_a_node_at_once_though_a_call_stays_open() {
    let mut nodes = tokio::task::spawn_blocking(Nodes::begin).await.unwrap();
    let client = client_of(&nodes).await;
    // An import that its client never ends keeps a node from stopping for five seconds.
    let (_batches, stream) = tokio::sync::mpsc::channel(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
    let _answers = client.intake().import_leads(stream).await.unwrap();
    let node = nodes.places[0].node.take().unwrap();
    let ended = tokio::task::spawn_blocking(move || {
        let begun = clock();
        node.signal("-TERM");
        node.await_log("a second signal ends the node at once");
        node.signal("-TERM");
        (node.wait(), begun.elapsed())
    });
    let (code, took) = ended.await.unwrap();
    assert_eq!(code, Some(1));
    assert!(took < Duration::from_secs(4), "{took:?}");
    nodes.start(0).await;
    assert!(nodes.stop(0).await < STOP_WITHIN);
}

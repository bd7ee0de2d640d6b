//! A worker stops past the end of their lease, another one is given the lead, the first one wakes up and
//! finishes: whose work counts? Asked of nextlead and, in the same run, of the two queues on PostgreSQL
//! that a Node user would take.
//!
//! What nextlead answers is asserted. What the peers answer is printed (`--nocapture` shows it): both
//! promise at-least-once delivery and no more, and a later version may do better.

use std::path::{Path, PathBuf};
use std::process::Command;

use nextlead::api::proto;
use serde_json::{Value, json};

use crate::servers::Postgres;
use crate::support::{MINUTE_MS, TestNode, by_id, lead, reason};

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// The scenario against a node: what became of both, in the words of the peers' script.
async fn nextlead() -> Value {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    let lead_id = node.hand_over(lead(1)).await;
    let by_ann = node.pull_lead("ann").await;
    // Longer than her lease and the grace after it.
    node.pass_time(11 * MINUTE_MS).await;
    let by_bob = node.pull_lead("bob").await;

    let stale = node.touch("ann", &by_ann, proto::Disposition::Sale).await;
    assert!(stale.late, "it is told that it came late");
    assert_eq!(node.standing(&lead_id).await, "leased", "bob's call goes on");
    let renewal = proto::RenewLeaseRequest {
        rep_id: "ann".into(),
        lead: Some(by_id(&lead_id)),
        lease_token: by_ann.lease_token.clone(),
        ..Default::default()
    };
    let refused = node.reps.renew_lease(renewal).await.unwrap_err();
    assert_eq!(reason(&refused), "LEASE_LOST");

    let rightful = node.touch("bob", &by_bob, proto::Disposition::NotInterested).await;
    assert!(!rightful.late);
    assert_eq!(node.standing(&lead_id).await, "closed");
    let report = node.audit().await;
    assert_eq!(report.touch_count, 2, "both calls took place, so both are in the books");
    json!({
        "peer": "nextlead",
        "version": env!("CARGO_PKG_VERSION"),
        "given_to_both": by_ann.lead.unwrap().lead_id == by_bob.lead.unwrap().lead_id,
        "stale_finish_closed_it": !stale.late,
        "rightful_finish_counted": !rightful.late,
    })
}

/// The same scenario against a queue for Node, on a database of its own.
fn peer(name: &str) -> Value {
    let modules = std::env::var_os("NEXTLEAD_TEST_NODE")
        .map_or_else(|| Path::new(PROJECT).join("target/node/node_modules"), PathBuf::from);
    let package = modules.join(name);
    assert!(package.exists(), "{} is not there: tests/run installs it", package.display());
    let url = Postgres::shared().database();
    let output = Command::new("node")
        .env("NODE_PATH", modules)
        .args(["tests/peers/stale_worker.cjs", name, &url])
        .current_dir(PROJECT)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_stale_worker_does_not_close_another_s_run() {
    let own = nextlead().await;
    assert_eq!(own["given_to_both"], true, "or the scenario did not take place: {own}");
    assert_eq!(own["stale_finish_closed_it"], false, "{own}");
    assert_eq!(own["rightful_finish_counted"], true, "{own}");
}

#[tokio::test]
async fn the_same_is_asked_of_the_peers_in_one_run() {
    let peers = ["pg-boss", "graphile-worker"].map(peer);
    let found = [nextlead().await].into_iter().chain(peers);
    eprintln!("| | version | stale finish closed the other's run | rightful finish counted |");
    eprintln!("| --- | --- | --- | --- |");
    for one in found {
        assert_eq!(one["given_to_both"], true, "or the scenario did not take place: {one}");
        let text = |name: &str| one[name].as_str().unwrap().to_owned();
        let yes = |name: &str| if one[name].as_bool().unwrap() { "yes" } else { "no" };
        let (closed, counted) = (yes("stale_finish_closed_it"), yes("rightful_finish_counted"));
        eprintln!("| {} | {} | {closed} | {counted} |", text("peer"), text("version"));
    }
}

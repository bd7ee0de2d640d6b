//! A node that keeps its index to itself, and finds that another one had its store meanwhile. Only with
//! `NEXTLEAD_TEST_ON=postgres`: a file has one node, and nodes that share an index expect each other.

use std::sync::Arc;
use std::time::Duration;

use nextlead::api::proto::{self, Disposition};
use nextlead::clock::ManualClock;
use nextlead::node::{Options, StoreClock, Sweeping};
use proto::next_lead_response::Answer;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::ground::{Ground, On};
use crate::process::clock;
use crate::support::{MINUTE_MS, NOON, TestNode, lead, lead_of};

/// How soon it must know what the other node did, on a machine that others use.
const WITHIN: Duration = Duration::from_secs(20);

async fn node_on(ground: &Ground) -> TestNode {
    let (folder, clock) = (TempDir::new().unwrap(), ManualClock::at(NOON));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        clock: Some(Arc::new(clock.clone())),
        sweeping: Sweeping::ByHand,
        store: ground.store.parse().unwrap(),
        store_clock: StoreClock::Node,
        admin_token_file: Some(folder.path().join("admin-token")),
        ..Options::new("unused".into(), listener)
    };
    TestNode::over(folder, clock, options).await
}

fn id_of(served: &proto::ServedLead) -> &str {
    &served.lead.as_ref().unwrap().lead_id
}

/// Sweeps until something is so.
async fn until(node: &mut TestNode, mut is_so: impl AsyncFnMut(&mut TestNode) -> bool) {
    let began = clock();
    while !is_so(node).await {
        assert!(began.elapsed() < WITHIN, "it does not know what the other node did");
        node.pass_time(0).await;
    }
}

#[tokio::test]
async fn a_node_that_was_not_alone_goes_by_what_another_did_meanwhile() {
    let on = On::from_environment();
    if on != On::Postgres {
        return eprintln!("skipped on {on:?}: a node that loses its store to another one");
    }
    let ground = Ground::new(on);
    let mut one = node_on(&ground).await;
    one.put_queue("sales", "always").await;
    one.put_campaign("spring", "sales", None).await;
    one.put_rep("ann", "sales", &[]).await;
    let first = one.hand_over(lead(0)).await;
    one.pass_time(MINUTE_MS).await;
    let second = one.hand_over(lead(1)).await;
    // It loses the store, and before it wants anything of it another node has it.
    let mut stranger = PgConnection::connect(&ground.store).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'nextlead' AND datname = current_database()";
    sqlx::query(end).execute(&mut stranger).await.unwrap();
    let mut other = node_on(&ground).await;
    let served = other.pull_lead("ann").await;
    assert_eq!(id_of(&served), first);
    other.touch("ann", &served, Disposition::NotInterested).await;
    other.put_rep("bob", "sales", &[]).await;
    other.put_queue("service", "always").await;
    other.put_campaign("summer", "service", None).await;
    other.put_rep("cem", "service", &[]).await;
    let elsewhere = other.hand_over(lead_of("summer", 2)).await;
    let demo = other.hand_over(proto::Lead { source: "demo".into(), ..lead(3) }).await;
    other
        .publish(
            "point_is = \"1m\"\n[first_touch]\nreserve_after = 1000\n[[value]]\nname = \"demo\"\n\
             when = 'lead.source == \"demo\"'\npoints = 30\n",
        )
        .await;
    other.node.stop().await.unwrap();

    until(&mut one, async |one| {
        let request = proto::ListQueuesRequest::default();
        let queues = one.queues.list_queues(request).await.unwrap().into_inner().queues;
        queues.iter().any(|queue| queue.queue_id == "sales" && queue.rule_version == 1)
    })
    .await;

    assert_eq!(id_of(&one.pull_lead("bob").await), demo);
    assert_eq!(id_of(&one.pull_lead("ann").await), second);
    until(&mut one, async |one| match one.pull("cem").await {
        Answer::Served(served) => id_of(&served) == elsewhere,
        Answer::Nothing(_) => false,
    })
    .await;
}

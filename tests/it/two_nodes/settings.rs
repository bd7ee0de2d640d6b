//! What a manager sets on one node is so on the other within a second, and no serve mixes two versions.

use std::time::Duration;

use nextlead::api::proto::{self, Disposition, Role};
use proto::queue_service_client::QueueServiceClient;

use super::{ground, id_of, knows_rep, pair, story, within};
use crate::support::{TestNode, lead, reason};

const SECOND: Duration = Duration::from_secs(1);

async fn version_in_force(node: &mut TestNode) -> i64 {
    let listed = node.queues.list_queues(proto::ListQueuesRequest::default()).await.unwrap();
    listed.into_inner().queues[0].rule_version
}

#[tokio::test]
async fn rules_published_on_one_node_are_in_force_on_the_other_within_a_second() {
    let Some(ground) = ground("rules over two nodes") else { return };
    let (mut one, mut other) = pair(&ground).await;
    for nth in 0..50 {
        one.hand_over(lead(nth)).await;
    }
    let mut times = Vec::new();
    for version in 1..=6 {
        let (publisher, hearer) = match version % 2 {
            0 => (&mut one, &mut other),
            _ => (&mut other, &mut one),
        };
        let published = publisher.publish("point_is = \"1m\"\n").await;
        assert_eq!(published, version);
        assert_eq!(version_in_force(publisher).await, version);
        let took = within(SECOND, async || version_in_force(hearer).await == version).await;
        times.push(took);
    }
    eprintln!("rules were in force on the other node after {times:?}");
    let versions = proto::ListRuleVersionsRequest {
        queue_id: "sales".into(),
        ..proto::ListRuleVersionsRequest::default()
    };
    let listed = other.rules.list_rule_versions(versions).await.unwrap().into_inner();
    assert_eq!(listed.rule_versions.len(), 6);
    assert!(listed.rule_versions.iter().all(|version| version.in_force_time.is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_queue_has_an_index_whoever_reads_the_settings_meanwhile() {
    let Some(ground) = ground("new queues while settings are read") else { return };
    let (mut one, _other) = pair(&ground).await;
    let mut sweeping = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let dialer = one.node.dialer().clone();
        sweeping.spawn(async move {
            loop {
                dialer.sweep(1).await.unwrap();
            }
        });
    }
    for nth in 0..60 {
        let (queue, rep) = (format!("queue-{nth}"), format!("rep-{nth}"));
        one.put_queue(&queue, "always").await;
        one.put_rep(&rep, &queue, &[]).await;
        one.pull_nothing(&rep).await;
    }
}

#[tokio::test]
async fn no_serve_mixes_two_versions_of_the_rules() {
    let Some(ground) = ground("one version a serve") else { return };
    let (mut one, mut other) = pair(&ground).await;
    for nth in 0..60 {
        one.hand_over(lead(nth)).await;
    }
    // Version n gives n points to everybody.
    let rules = |version: i64| {
        format!("point_is = \"1m\"\n[[value]]\nname = \"all\"\npoints = '{version}'\n")
    };
    let mut publisher = one.rules.clone();
    let publishing = tokio::spawn(async move {
        for version in 1..=12 {
            let request = proto::PublishRulesRequest {
                queue_id: "sales".into(),
                text: format!("queue = \"sales\"\n{}", rules(version)),
                reason: "a test".into(),
                wait: true,
                ..Default::default()
            };
            publisher.publish_rules(request).await.unwrap();
        }
    });
    let mut served_count = 0;
    let mut versions = Vec::new();
    while !publishing.is_finished() || served_count < 20 {
        let node = if served_count % 2 == 0 { &mut other } else { &mut one };
        let served = node.pull_lead("ann").await;
        let why = served.why.clone().unwrap();
        let version = why.rule_version;
        versions.push(version);
        assert_eq!(why.explanation.unwrap().points, version, "explained by its own version");
        let events = story(node, &id_of(&served)).await;
        let leased = events.last().unwrap();
        assert_eq!(leased.rule_version, version);
        let ranked_ms: i64 = leased.details["head_start_ms"].parse().unwrap();
        assert_eq!(ranked_ms, version * 60_000, "ranked by its own version");
        node.touch("ann", &served, Disposition::WrongNumber).await;
        served_count += 1;
        if served_count >= 58 {
            break;
        }
    }
    publishing.await.unwrap();
    assert!(versions.is_sorted(), "no node goes back: {versions:?}");
    eprintln!("served by versions {versions:?}");
    one.audit().await;
}

#[tokio::test]
async fn queues_campaigns_and_reps_of_one_node_are_the_other_s_within_a_second() {
    let Some(ground) = ground("the roster over two nodes") else { return };
    let (mut one, mut other) = pair(&ground).await;
    let took = knows_rep_made_on(&mut one, &mut other, "bob").await;
    eprintln!("a rep was known on the other node after {took:?}");

    // A lead of a campaign that this node has not heard of is served all the same.
    one.put_campaign("autumn", "sales", None).await;
    let fresh = one.hand_over(crate::support::lead_of("autumn", 1)).await;
    assert_eq!(id_of(&other.pull_lead("bob").await), fresh);

    // Hours that are closed on one node are closed on the other.
    one.hand_over(lead(2)).await;
    one.put_queue("sales", "sat 10:00-11:00").await;
    within(SECOND, async || {
        let listed = other.queues.list_queues(proto::ListQueuesRequest::default()).await.unwrap();
        listed.into_inner().queues[0].hours.starts_with("sat")
    })
    .await;
    assert_eq!(other.pull_nothing("ann").await.closed_count, 1);
}

async fn knows_rep_made_on(one: &mut TestNode, other: &mut TestNode, rep: &str) -> Duration {
    one.put_rep(rep, "sales", &[]).await;
    knows_rep(other, rep).await
}

#[tokio::test]
async fn a_token_opens_the_other_node_within_a_second_and_no_longer_once_it_is_revoked() {
    let Some(ground) = ground("tokens over two nodes") else { return };
    let (mut one, other) = pair(&ground).await;
    let request = proto::CreateTokenRequest {
        name: "crm".into(),
        role: Role::Manager.into(),
        ..Default::default()
    };
    let made = one.admin.create_token(request).await.unwrap().into_inner();
    let mut queues = QueueServiceClient::new(other.signed_by(&made.token_text));
    let opened = within(SECOND, async || {
        queues.list_queues(proto::ListQueuesRequest::default()).await.is_ok()
    })
    .await;

    let token_id = made.token.unwrap().token_id;
    let request = proto::RevokeTokenRequest { token_id, ..Default::default() };
    one.admin.revoke_token(request).await.unwrap();
    let shut = within(SECOND, async || {
        let refused = queues.list_queues(proto::ListQueuesRequest::default()).await;
        refused.is_err_and(|status| reason(&status) == "TOKEN_INVALID")
    })
    .await;
    eprintln!("a token opened the other node after {opened:?}, and was shut after {shut:?}");
}

#[tokio::test]
async fn what_no_news_told_is_read_with_the_next_sweep() {
    let Some(ground) = ground("missed news") else { return };
    let (mut one, mut other) = pair(&ground).await;
    one.put_rep("bob", "sales", &[]).await;
    // Whether or not the news came: the number of the settings tells.
    other.node.dialer().sweep(1).await.unwrap();
    other.pull_nothing("bob").await;
}

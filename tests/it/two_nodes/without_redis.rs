//! Redis killed, started again empty, and flushed while two nodes serve: pulls are told to come again,
//! all else goes on, and nothing is lost.

use std::time::Duration;

use nextlead::api::proto::{self, Disposition, next_lead_response::Answer};
use proto::record_touch_response::Next;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{ground, id_of, pair, within};
use crate::metrics::scrape;
use crate::servers::Redis;
use crate::support::{TestNode, by_id, lead, reason};

/// How long Redis and both nodes may take to find each other again, and to build the index.
const BACK_WITHIN: Duration = Duration::from_secs(20);

async fn pull(node: &TestNode, rep_id: &str) -> Result<Answer, tonic::Status> {
    let request = proto::NextLeadRequest { rep_id: rep_id.into(), ..Default::default() };
    let answer = node.reps.clone().next_lead(request).await?;
    Ok(answer.into_inner().answer.unwrap())
}

/// Sweeps both nodes until this one serves again.
async fn serves_again(one: &TestNode, other: &TestNode, rep: &str) -> proto::ServedLead {
    let mut served = None;
    let took = within(BACK_WITHIN, async || {
        one.node.dialer().sweep(100).await.unwrap();
        other.node.dialer().sweep(100).await.unwrap();
        served = match pull(one, rep).await {
            Ok(Answer::Served(served)) => Some(served),
            Ok(Answer::Nothing(_)) => None,
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                None
            }
        };
        served.is_some()
    })
    .await;
    eprintln!("served again after {took:?}");
    served.unwrap()
}

#[tokio::test]
async fn without_redis_pulls_are_told_to_come_again_and_all_else_goes_on() {
    let Some(mut ground) = ground("two nodes without Redis") else { return };
    let mut redis = Redis::start();
    ground.queue = Some(redis.url());
    let (mut one, mut other) = pair(&ground).await;
    for (nth, rep) in ["bob", "cid", "dan"].into_iter().enumerate() {
        one.put_rep(rep, "sales", &[]).await;
        one.hand_over(lead(u32::try_from(nth).unwrap())).await;
    }
    super::knows_rep(&mut other, "dan").await;
    let ann = one.pull_lead("ann").await;
    let bob = other.pull_lead("bob").await;
    let cid = one.pull_lead("cid").await;

    let index = [("queue", "sales")];
    assert!(scrape(&one).await.sum("nextlead_index_leads", &index) >= 0.0);

    redis.kill();

    for node in [&one, &other] {
        let refused = pull(node, "dan").await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        assert_eq!(reason(&refused), "INDEX_UNAVAILABLE");
        let delay = refused.get_details_retry_info().and_then(|info| info.retry_delay);
        assert!(delay.is_some_and(|delay| delay > Duration::ZERO));
    }
    // A rep who holds a lead gets it again: that needs no index.
    assert_eq!(id_of(&one.pull_lead("ann").await), id_of(&ann));
    let renewal = proto::RenewLeaseRequest {
        rep_id: "bob".into(),
        lead: Some(by_id(&id_of(&bob))),
        lease_token: bob.lease_token.clone(),
        ..Default::default()
    };
    one.reps.renew_lease(renewal).await.unwrap();
    let release = proto::ReleaseLeaseRequest {
        rep_id: "cid".into(),
        lead: Some(by_id(&id_of(&cid))),
        lease_token: cid.lease_token.clone(),
        reason: proto::ReleaseReason::RepError.into(),
        ..Default::default()
    };
    other.reps.release_lease(release).await.unwrap();
    let mut touch = one.touch_of("ann", &ann, Disposition::WrongNumber);
    touch.then_next = true;
    let recorded = one.reps.record_touch(touch).await.unwrap().into_inner();
    assert!(!recorded.late);
    let Some(Next::NextNothing(nothing)) = recorded.next else { panic!("{:?}", recorded.next) };
    assert!(nothing.should_retry, "the rep pulls again");
    let fresh = other.hand_over(lead(10)).await;
    one.put_queue("service", "always").await;
    assert_eq!(one.explain(&fresh).await.place, None);
    one.node.dialer().sweep(10).await.unwrap();
    one.node.look().await;
    // What nobody knows is not shown as if it were still so.
    assert!(!scrape(&one).await.has("nextlead_index_leads"));
    other.audit().await;

    redis.start_again();

    let served = serves_again(&one, &other, "dan").await;
    // What was released, and what came meanwhile, is in line again on both.
    let next = serves_again(&other, &one, "ann").await;
    let mut leads = [id_of(&served), id_of(&next)];
    leads.sort();
    let mut wanted = [fresh, id_of(&cid)];
    wanted.sort();
    assert_eq!(leads, wanted);
    assert_eq!(id_of(&other.pull_lead("bob").await), id_of(&bob));
    one.audit().await;
}

#[tokio::test]
async fn a_flushed_redis_is_built_again_while_both_nodes_serve() {
    let Some(mut ground) = ground("a flushed Redis") else { return };
    let redis = Redis::start();
    ground.queue = Some(redis.url());
    let (mut one, mut other) = pair(&ground).await;
    one.publish("point_is = \"1m\"\n[[value]]\nname = \"all\"\npoints = '5'\n").await;
    for nth in 0..40 {
        one.hand_over(lead(nth)).await;
    }
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..4 {
        let (node, another) =
            if round % 2 == 0 { (&mut one, &mut other) } else { (&mut other, &mut one) };
        let port = redis.port().to_string();
        let flushed = std::process::Command::new("redis-cli")
            .args(["-p", &port, "flushall"])
            .output()
            .unwrap();
        assert!(flushed.status.success());
        // Handed over into nothing: nobody has an index to put it in.
        node.hand_over(lead(100 + round)).await;

        let served = serves_again(node, another, "ann").await;
        assert!(seen.insert(id_of(&served)), "a lead comes twice");
        assert_eq!(served.why.clone().unwrap().rule_version, 1);
        node.touch("ann", &served, Disposition::WrongNumber).await;
    }
    for _ in 0..40 {
        let served = other.pull_lead("ann").await;
        assert!(seen.insert(id_of(&served)), "a lead comes twice");
        other.touch("ann", &served, Disposition::WrongNumber).await;
    }
    other.pull_nothing("ann").await;
    assert_eq!(seen.len(), 44);
    one.audit().await;
}

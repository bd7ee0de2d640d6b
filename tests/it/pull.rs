//! Pulls: which lead, to whom, and why none.

use std::time::Duration;

use nextlead::api::proto;
use proto::Disposition;
use tonic::Code;

use crate::support::{HOUR_MS, MINUTE_MS, TestNode, by_id, lead, lead_of, reason, time};

fn id_of(served: &proto::ServedLead) -> String {
    served.lead.as_ref().unwrap().lead_id.clone()
}

#[tokio::test]
async fn without_rules_who_came_first_is_served_first() {
    let mut node = TestNode::start().await;
    let first = node.hand_over(lead(1)).await;
    let second = node.hand_over(lead(2)).await;
    node.put_rep("bob", "sales", &[]).await;

    assert_eq!(id_of(&node.pull_lead("ann").await), first);
    assert_eq!(id_of(&node.pull_lead("bob").await), second);
    node.audit().await;
}

#[tokio::test]
async fn a_point_is_a_head_start() {
    let mut node = TestNode::start().await;
    node.publish(
        "point_is = \"1m\"\n[first_touch]\nreserve_after = 1000\n[[value]]\nname = \"demo\"\n\
         when = 'lead.source == \"demo\"'\npoints = 30\n",
    )
    .await;
    let plain = node.hand_over(lead(1)).await;
    node.pass_time(29 * MINUTE_MS).await;
    let demo = node.hand_over(proto::Lead { source: "demo".into(), ..lead(2) }).await;
    node.pass_time(2 * MINUTE_MS).await;
    let late_demo = node.hand_over(proto::Lead { source: "demo".into(), ..lead(3) }).await;

    let mut order = Vec::new();
    for rep in ["r1", "r2", "r3", "r4"] {
        node.put_rep(rep, "sales", &[]).await;
        if rep == "r1" {
            // A rep's first pull is the reserve's: the nearest deadline.
            assert_eq!(id_of(&node.pull_lead(rep).await), plain);
            let token = node.pull_lead(rep).await.lease_token;
            release(&mut node, rep, &plain, &token).await;
            continue;
        }
        order.push(id_of(&node.pull_lead(rep).await));
    }
    // Released once, the plain lead is last in the order of first touches; the rest is as it was.
    assert_eq!(order.len(), 3);
    assert!(order.contains(&demo) && order.contains(&late_demo) && order.contains(&plain));
    node.audit().await;
}

async fn release(node: &mut TestNode, rep: &str, lead_id: &str, token: &str) {
    let request = proto::ReleaseLeaseRequest {
        rep_id: rep.into(),
        lead: Some(by_id(lead_id)),
        lease_token: token.into(),
        reason: proto::ReleaseReason::Skipped.into(),
        skip_reason: proto::SkipReason::NoTime.into(),
        ..Default::default()
    };
    node.reps.release_lease(request).await.unwrap();
}

#[tokio::test]
async fn who_holds_a_lead_gets_it_again_with_what_remains() {
    let mut node = TestNode::start().await;
    node.hand_over(lead(1)).await;
    node.hand_over(lead(2)).await;

    let first = node.pull_lead("ann").await;
    node.pass_time(MINUTE_MS).await;
    let again = node.pull_lead("ann").await;

    assert_eq!(id_of(&again), id_of(&first));
    assert_eq!(again.lease_token, first.lease_token);
    assert!(again.held_before && !first.held_before);
    let seconds = |served: &proto::ServedLead| served.remaining_duration.unwrap().seconds;
    assert_eq!(seconds(&again), seconds(&first) - 60);
}

#[tokio::test]
async fn a_pull_that_is_sent_again_after_its_lease_is_lost() {
    let mut node = TestNode::start().await;
    node.hand_over(lead(1)).await;
    node.hand_over(lead(2)).await;
    let request = proto::NextLeadRequest {
        rep_id: "ann".into(),
        request_id: "r-1".into(),
        ..Default::default()
    };

    let first = node.reps.next_lead(request.clone()).await.unwrap().into_inner();
    let again = node.reps.next_lead(request.clone()).await.unwrap().into_inner();
    let token = |answer: &proto::NextLeadResponse| match answer.answer.as_ref().unwrap() {
        proto::next_lead_response::Answer::Served(served) => served.lease_token.clone(),
        proto::next_lead_response::Answer::Nothing(_) => panic!("nothing was served"),
    };
    assert_eq!(token(&first), token(&again));

    node.pass_time(HOUR_MS).await;
    let lost = node.reps.next_lead(request).await.unwrap_err();
    assert_eq!((lost.code(), reason(&lost).as_str()), (Code::FailedPrecondition, "LEASE_LOST"));

    let other = proto::NextLeadRequest {
        rep_id: "ann".into(),
        request_id: "r-1".into(),
        wait_duration: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
    };
    let reused = node.reps.next_lead(other).await.unwrap_err();
    assert_eq!(
        (reused.code(), reason(&reused).as_str()),
        (Code::InvalidArgument, "REQUEST_REUSED")
    );
}

#[tokio::test]
async fn an_empty_pull_says_why_in_numbers() {
    let mut node = TestNode::start().await;
    node.put_queue("sales", "mon-fri 09:00-18:00").await;
    node.hand_over(proto::Lead { time_zone: "Asia/Tokyo".into(), ..lead(1) }).await;
    node.hand_over(proto::Lead { time_zone: String::new(), ..lead(2) }).await;
    node.hand_over(proto::Lead { skills: vec!["dutch".into()], ..lead(3) }).await;

    let nothing = node.pull_nothing("ann").await;

    assert_eq!(nothing.closed_count, 1, "nine in the evening in Tokyo");
    assert_eq!(nothing.unroutable_count, 1, "nobody knows where it lives");
    assert_eq!(nothing.unskilled_count, 1);
    // Tokyo opens at nine on Tuesday, which is midnight in UTC.
    assert_eq!(nothing.next_opening_time, Some(time(crate::support::NOON + 12 * HOUR_MS)));
    node.pass_time(12 * HOUR_MS).await;
    let served = node.pull_lead("ann").await;
    assert_eq!(served.lead.unwrap().time_zone, "Asia/Tokyo");
}

#[tokio::test]
async fn a_rep_takes_only_what_they_have_the_skills_for() {
    let mut node = TestNode::start().await;
    let dutch = node.hand_over(proto::Lead { skills: vec!["dutch".into()], ..lead(1) }).await;
    let plain = node.hand_over(lead(2)).await;
    node.put_rep("bob", "sales", &["dutch"]).await;

    assert_eq!(id_of(&node.pull_lead("ann").await), plain);
    assert_eq!(id_of(&node.pull_lead("bob").await), dutch);
}

#[tokio::test]
async fn a_number_is_in_one_rep_s_hands_only() {
    let mut node = TestNode::start().await;
    let number = lead(1).numbers;
    let one = proto::Lead { numbers: number.clone(), name: "Ann Smith".into(), ..lead(1) };
    let other = proto::Lead { numbers: number, name: "Bob Jones".into(), ..lead(2) };
    let (one, other) = (node.hand_over(one).await, node.hand_over(other).await);
    assert_ne!(one, other, "names that contradict are two people on one number");
    node.put_rep("bob", "sales", &[]).await;

    let held = node.pull_lead("ann").await;
    let nothing = node.pull_nothing("bob").await;
    assert_eq!(nothing.turned_count, 1, "the other lead has the same number");

    node.touch("ann", &held, Disposition::NotInterested).await;
    assert_eq!(id_of(&node.pull_lead("bob").await), other);
    node.audit().await;
}

#[tokio::test]
async fn what_a_rep_passed_on_is_not_offered_to_them_for_a_while() {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    let only = node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    release(&mut node, "ann", &only, &served.lease_token).await;

    node.pull_nothing("ann").await;
    node = node.restart().await;
    node.pull_nothing("ann").await;
    node.pass_time(15 * MINUTE_MS).await;
    assert_eq!(id_of(&node.pull_lead("ann").await), only);
    node.audit().await;
}

#[tokio::test]
async fn what_nobody_else_can_take_comes_again_when_nothing_else_is_left() {
    let mut node = TestNode::start().await;
    node.put_rep("ann", "sales", &["dutch"]).await;
    node.put_rep("bob", "sales", &[]).await;
    node.put_queue("service", "always").await;
    node.put_rep("cid", "service", &["dutch"]).await;
    let only = node.hand_over(proto::Lead { skills: vec!["dutch".into()], ..lead(1) }).await;
    let served = node.pull_lead("ann").await;
    node.pass_time(1).await;
    let other = node.hand_over(lead(2)).await;
    release(&mut node, "ann", &only, &served.lease_token).await;

    let served = node.pull_lead("ann").await;
    assert_eq!(id_of(&served), other, "something else is left");
    release(&mut node, "ann", &other, &served.lease_token).await;
    let served = node.pull_lead("ann").await;
    assert_eq!(id_of(&served), only, "bob can take the other one, and nobody this one");
    release(&mut node, "ann", &only, &served.lease_token).await;

    // Somebody who could is there from here on, and until they have passed it, too.
    node.put_rep("dan", "sales", &["dutch"]).await;
    node.pull_nothing("ann").await;
    let served = node.pull_lead("bob").await;
    assert_eq!(id_of(&served), other);
    let served = node.pull_lead("dan").await;
    assert_eq!(id_of(&served), only);
    release(&mut node, "dan", &only, &served.lease_token).await;
    assert_eq!(id_of(&node.pull_lead("ann").await), only);
    node.audit().await;
}

/// Waits for a lead in the background.
fn park(
    node: &TestNode,
    rep: String,
) -> tokio::task::JoinHandle<proto::next_lead_response::Answer> {
    let mut reps = node.reps.clone();
    let request = proto::NextLeadRequest {
        rep_id: rep,
        wait_duration: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..Default::default()
    };
    tokio::spawn(async move { reps.next_lead(request).await.unwrap().into_inner().answer.unwrap() })
}

#[tokio::test]
async fn a_fresh_lead_goes_to_the_longest_idle_of_those_who_wait_and_may_take_it() {
    let mut node = TestNode::start().await;
    let reps: Vec<String> = (0..6).map(|nth| format!("rep-{nth}")).collect();
    for (nth, rep) in reps.iter().enumerate() {
        // The first one lacks the skill: it is no use that they have waited longest.
        node.put_rep(rep, "sales", if nth == 0 { &[] } else { &["dutch"] }).await;
        node.pull_nothing(rep).await;
        node.clock.advance(1_000);
    }
    // Who came last sits down first.
    let mut waiting = Vec::new();
    for rep in reps.iter().rev() {
        waiting.insert(0, park(&node, rep.clone()));
        let count = i64::try_from(waiting.len()).unwrap();
        let sits = async {
            while node.node.dialer().metrics().waiting_count() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), sits).await.unwrap();
    }
    for nth in 1..reps.len() {
        let lead = proto::Lead { skills: vec!["dutch".into()], ..lead(nth as u32) };
        let fresh = node.hand_over(lead).await;
        let first = &mut waiting[nth];
        let answer = tokio::time::timeout(Duration::from_secs(20), first).await.unwrap().unwrap();
        let proto::next_lead_response::Answer::Served(served) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(id_of(&served), fresh, "to {}", reps[nth]);
    }
    assert!(!waiting[0].is_finished());
    waiting[0].abort();
}

#[tokio::test]
async fn a_lease_that_runs_out_gives_the_lead_to_others_after_its_grace() {
    let mut node = TestNode::start().await;
    let only = node.hand_over(lead(1)).await;
    node.put_rep("bob", "sales", &[]).await;
    node.pull_lead("ann").await;

    node.pass_time(10 * MINUTE_MS).await;
    node.pull_nothing("bob").await;
    node.pass_time(30_000).await;
    assert_eq!(id_of(&node.pull_lead("bob").await), only);
    node.audit().await;
}

#[tokio::test]
async fn a_waiting_pull_gets_the_lead_that_appears() {
    let mut node = TestNode::start().await;
    let mut reps = node.reps.clone();
    let request = proto::NextLeadRequest {
        rep_id: "ann".into(),
        wait_duration: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
        ..Default::default()
    };
    let waiting = tokio::spawn(async move { reps.next_lead(request).await.unwrap().into_inner() });
    // The pull is on its way or parked; either way the handover must reach it.
    let fresh = node.hand_over(lead(1)).await;

    let answer = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
    let proto::next_lead_response::Answer::Served(served) = answer.answer.unwrap() else {
        panic!("the lead did not reach the waiting rep")
    };
    assert_eq!(id_of(&served), fresh);
}

#[tokio::test]
async fn the_untouched_are_served_in_their_turn_however_many_better_ones_come() {
    let mut node = TestNode::start().await;
    node.publish(
        "point_is = \"1d\"\n[first_touch]\nwithin = \"4h\"\nreserve_after = 3\n[[value]]\n\
         name = \"demo\"\nwhen = 'lead.source == \"demo\"'\npoints = 1000\n",
    )
    .await;
    let old = node.hand_over(lead(1)).await;
    node.pass_time(MINUTE_MS).await;
    for nth in 2..12 {
        node.hand_over(proto::Lead { source: "demo".into(), ..lead(nth) }).await;
    }
    let mut pulls = 0;
    loop {
        let served = node.pull_lead("ann").await;
        pulls += 1;
        if id_of(&served) == old {
            break;
        }
        node.touch("ann", &served, Disposition::NotInterested).await;
    }
    assert_eq!(
        pulls, 1,
        "a rep begins with a full debt, and the oldest deadline is the plain lead's"
    );
    node.audit().await;
}

#[tokio::test]
async fn a_restart_builds_the_same_queue() {
    let mut node = TestNode::start().await;
    node.publish("[[value]]\nname = \"score\"\npoints = 'lead.score'\n").await;
    for nth in 1..30 {
        let score = Some(f64::from(nth * 7 % 10));
        node.hand_over(proto::Lead { score, ..lead(nth) }).await;
    }
    let places = |peek: proto::PeekQueueResponse| {
        peek.places.into_iter().map(|place| (place.lead_id, place.points)).collect::<Vec<_>>()
    };
    let request = proto::PeekQueueRequest { queue_id: "sales".into(), place_count: 100 };
    let before = places(node.queues.peek_queue(request.clone()).await.unwrap().into_inner());

    node = node.restart().await;

    let after = places(node.queues.peek_queue(request).await.unwrap().into_inner());
    assert_eq!(before.len(), 29);
    assert_eq!(before, after);
    node.audit().await;
}

#[tokio::test]
async fn a_rep_of_another_queue_gets_nothing_of_this_one() {
    let mut node = TestNode::start().await;
    node.put_queue("service", "always").await;
    node.put_campaign("winback", "service", None).await;
    node.put_rep("sue", "service", &[]).await;
    node.hand_over(lead(1)).await;
    let theirs = node.hand_over(lead_of("winback", 2)).await;

    assert_eq!(id_of(&node.pull_lead("sue").await), theirs);
    let unknown = proto::NextLeadRequest { rep_id: "nobody".into(), ..Default::default() };
    let refused = node.reps.next_lead(unknown).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::NotFound, "REP_NOT_FOUND"));
}

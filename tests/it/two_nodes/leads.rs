//! Leads are in one hand, and come in one order, whichever node gives them out.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use nextlead::api::proto::{self, Disposition, next_lead_response::Answer};
use proto::record_touch_response::Next;

use super::{ground, id_of, knows_rep, pair, story};
use crate::process::clock;
use crate::support::{HOUR_MS, TestNode, lead};

const REP_COUNT: usize = 24;

async fn reps(one: &mut TestNode, other: &mut TestNode) -> Vec<String> {
    let names: Vec<String> = (0..REP_COUNT).map(|nth| format!("rep{nth}")).collect();
    for name in &names {
        one.put_rep(name, "sales", &[]).await;
    }
    knows_rep(other, names.last().unwrap()).await;
    names
}

/// Every rep pulls at once, every other one from the other node. What each got.
async fn pull_at_once(
    one: &TestNode,
    other: &TestNode,
    names: &[String],
) -> Vec<Option<proto::ServedLead>> {
    join_all(names.iter().enumerate().map(|(nth, name)| {
        let node = if nth % 2 == 0 { one } else { other };
        let (mut reps, rep_id) = (node.reps.clone(), name.clone());
        async move {
            let request = proto::NextLeadRequest { rep_id, ..Default::default() };
            match reps.next_lead(request).await.unwrap().into_inner().answer.unwrap() {
                Answer::Served(served) => Some(served),
                Answer::Nothing(_) => None,
            }
        }
    }))
    .await
}

#[tokio::test]
async fn many_reps_of_two_nodes_race_for_few_leads_and_no_lead_has_two_of_them() {
    let Some(ground) = ground("exclusivity over two nodes") else { return };
    let (mut one, mut other) = pair(&ground).await;
    let names = reps(&mut one, &mut other).await;
    const LEAD_COUNT: u32 = 10;
    for nth in 0..LEAD_COUNT {
        let node = if nth % 2 == 0 { &mut one } else { &mut other };
        node.hand_over(lead(nth)).await;
    }
    let (mut touched, mut recorded_count) = (BTreeSet::new(), 0);
    for _ in 0..4 {
        let got = pull_at_once(&one, &other, &names).await;
        let leads: Vec<String> = got.iter().flatten().map(id_of).collect();
        let distinct: BTreeSet<&String> = leads.iter().collect();
        assert_eq!(leads.len(), distinct.len(), "a lead is in two hands");
        assert_eq!(leads.len(), LEAD_COUNT as usize, "whatever can be served is served");
        // A rep's next call may come to the other node.
        for (nth, served) in got.iter().enumerate() {
            let Some(served) = served else { continue };
            let node = if nth % 2 == 0 { &mut other } else { &mut one };
            let recorded = node.touch(&names[nth], served, Disposition::NoAnswer).await;
            assert!(!recorded.late && !recorded.replayed);
            recorded_count += 1;
            touched.insert(id_of(served));
        }
        one.pass_time(24 * HOUR_MS).await;
        other.pass_time(0).await;
    }
    assert_eq!(touched.len(), LEAD_COUNT as usize);
    assert_eq!(other.audit().await.touch_count, recorded_count);
    assert_eq!(one.audit().await.touch_count, recorded_count);
}

#[tokio::test]
async fn both_nodes_serve_the_one_order_of_the_rules() {
    let Some(ground) = ground("one order over two nodes") else { return };
    let (mut one, mut other) = pair(&ground).await;
    let rules = "point_is = \"1m\"\n[first_touch]\nwithin = \"4h\"\nreserve_after = 1000\n\
                 [[value]]\nname = \"score\"\npoints = 'lead.score'\n";
    one.publish(rules).await;
    // A rep without a debt begins with the reserve; from then on the rules decide.
    one.hand_over(lead(99)).await;
    let first = one.pull_lead("ann").await;
    one.touch("ann", &first, Disposition::WrongNumber).await;
    let mut expected = Vec::new();
    for nth in 0..20_u32 {
        let score = f64::from(nth * 7 % 20);
        let handed_over = proto::Lead { score: Some(score), ..lead(nth) };
        let node = if nth % 3 == 0 { &mut other } else { &mut one };
        expected.push((score, node.hand_over(handed_over).await));
    }
    expected.sort_by(|left, right| right.0.total_cmp(&left.0));

    for (nth, (score, wanted)) in expected.iter().enumerate() {
        let node = if nth % 2 == 0 { &mut one } else { &mut other };
        let served = node.pull_lead("ann").await;
        assert_eq!(id_of(&served), *wanted, "the lead with score {score} is next");
        assert_eq!(served.why.as_ref().unwrap().rule_version, 1);
        node.touch("ann", &served, Disposition::WrongNumber).await;
    }
    one.pull_nothing("ann").await;
}

#[tokio::test]
async fn a_lead_given_back_on_one_node_is_not_offered_to_the_rep_on_the_other() {
    let Some(ground) = ground("passes over two nodes") else { return };
    let (mut one, mut other) = pair(&ground).await;
    // Somebody else could take it.
    one.put_rep("bob", "sales", &[]).await;
    knows_rep(&mut other, "bob").await;
    one.hand_over(lead(1)).await;
    let served = one.pull_lead("ann").await;
    let release = proto::ReleaseLeaseRequest {
        rep_id: "ann".into(),
        lead: Some(crate::support::by_id(&id_of(&served))),
        lease_token: served.lease_token.clone(),
        reason: proto::ReleaseReason::Skipped.into(),
        skip_reason: proto::SkipReason::NoTime.into(),
        ..Default::default()
    };
    one.reps.release_lease(release).await.unwrap();

    // News take a moment; whoever asks first is the exception.
    other.node.dialer().sweep(1).await.unwrap();
    let took = super::within(Duration::from_secs(1), async || {
        let counts = other.pull("ann").await;
        let Answer::Served(served) = counts else { return true };
        // The news was late: the lead goes back for the next look.
        let release = proto::ReleaseLeaseRequest {
            rep_id: "ann".into(),
            lead: Some(crate::support::by_id(&id_of(&served))),
            lease_token: served.lease_token.clone(),
            reason: proto::ReleaseReason::Skipped.into(),
            skip_reason: proto::SkipReason::NoTime.into(),
            ..Default::default()
        };
        other.reps.release_lease(release).await.unwrap();
        false
    })
    .await;
    eprintln!("a pass was known on the other node after {took:?}");
    assert_eq!(id_of(&other.pull_lead("bob").await), id_of(&served));
}

#[tokio::test]
async fn a_pull_that_waits_on_one_node_gets_the_lead_that_the_other_takes_in() {
    let Some(ground) = ground("waiting pulls over two nodes") else { return };
    let (mut one, mut other) = pair(&ground).await;
    // What a deployment has done long ago: a first handover.
    one.hand_over(lead(1)).await;
    let first = one.pull_lead("ann").await;
    one.touch("ann", &first, Disposition::WrongNumber).await;
    let mut times = Vec::new();
    for nth in 2..12 {
        let mut reps = other.reps.clone();
        let wait_duration = Some(prost_types::Duration { seconds: 20, nanos: 0 });
        let rep_id = "ann".to_owned();
        let request = proto::NextLeadRequest { rep_id, wait_duration, ..Default::default() };
        let mut waiting = tokio::spawn(async move { reps.next_lead(request).await });
        let metrics = other.node.dialer().metrics();
        super::within(Duration::from_secs(5), async || metrics.waiting_count() > 0).await;

        let handed_over = one.hand_over(lead(nth)).await;
        let committed = clock();
        let answer = loop {
            // A Redis that is slow to answer misses a commit, which the next sweeps bring.
            match tokio::time::timeout(Duration::from_millis(250), &mut waiting).await {
                Ok(answer) => break answer.unwrap().unwrap().into_inner().answer.unwrap(),
                Err(_) => {
                    for node in [&one, &other] {
                        node.node.dialer().sweep(10).await.unwrap();
                    }
                }
            }
        };
        times.push(committed.elapsed());

        let Answer::Served(served) = answer else { panic!("{answer:?}") };
        assert_eq!(id_of(&served), handed_over);
        other.touch("ann", &served, Disposition::WrongNumber).await;
    }
    times.sort_unstable();
    eprintln!("woken on the other node after {times:?}");
    assert!(times[times.len() / 2] < Duration::from_millis(250), "{times:?}");
    assert!(*times.last().unwrap() < Duration::from_secs(2), "{times:?}");
}

#[tokio::test]
async fn a_touch_on_one_node_and_the_next_lead_come_in_one_call_whoever_gave_the_first() {
    let Some(ground) = ground("touch and next over two nodes") else { return };
    let (mut one, mut other) = pair(&ground).await;
    for nth in 0..6 {
        one.hand_over(lead(nth)).await;
    }
    let mut served = one.pull_lead("ann").await;
    let mut seen = BTreeSet::from([id_of(&served)]);
    for nth in 0..5 {
        let node = if nth % 2 == 0 { &mut other } else { &mut one };
        let mut touch = node.touch_of("ann", &served, Disposition::WrongNumber);
        touch.touch_id = format!("touch-of-call-{nth}");
        touch.then_next = true;
        let recorded = node.reps.record_touch(touch).await.unwrap().into_inner();
        let Some(Next::NextServed(next)) = recorded.next else { panic!("{recorded:?}") };
        assert!(seen.insert(id_of(&next)), "a lead comes twice");
        served = next;
    }
    let kinds: Vec<_> =
        story(&mut one, &id_of(&served)).await.iter().map(proto::LeadEvent::kind).collect();
    assert_eq!(kinds, [proto::LeadEventKind::Opened, proto::LeadEventKind::Leased]);
    other.audit().await;
}

//! Whom a lead is kept for, and whether its campaign is paused: said to one node, it holds on the other
//! from the next pull on, and whoever waits there hears of what becomes free.

use std::time::Duration;

use nextlead::api::proto::{self, Disposition, next_lead_response::Answer};

use super::{ground, id_of, knows_rep, pair, within};
use crate::ground::Ground;
use crate::process::clock;
use crate::support::{HOUR_MS, NOON, TestNode, by_id, lead, lead_of, time};

/// As long as a pull waits at most: whoever nobody wakes looks once more at its end.
const WAIT_SECONDS: i64 = 60;

/// Two nodes that know Ann and Bob.
async fn two(ground: &Ground) -> (TestNode, TestNode) {
    let (mut one, mut other) = pair(ground).await;
    one.put_rep("bob", "sales", &[]).await;
    knows_rep(&mut other, "bob").await;
    (one, other)
}

fn owned(nth: u32) -> proto::Lead {
    proto::Lead { owner_rep_id: "ann".into(), ..lead(nth) }
}

async fn assign(node: &mut TestNode, lead_id: &str, owner: &str) {
    let request = proto::AssignLeadRequest {
        lead: Some(by_id(lead_id)),
        owner_rep_id: owner.into(),
        ..Default::default()
    };
    node.queues.assign_lead(request).await.unwrap();
}

async fn pause(node: &mut TestNode, resume: bool) {
    let request = proto::PauseCampaignRequest { campaign_id: "fair".into(), resume };
    node.intake.pause_campaign(request).await.unwrap();
}

/// What Bob gets who waits on a node while something is done on another one. Nobody sweeps, and as this
/// node took the leads in itself, it does not still look for them.
async fn waits(node: &TestNode, done: impl Future<Output = ()>) -> String {
    let mut reps = node.reps.clone();
    let wait_duration = Some(prost_types::Duration { seconds: WAIT_SECONDS, nanos: 0 });
    let request =
        proto::NextLeadRequest { rep_id: "bob".into(), wait_duration, ..Default::default() };
    let waiting = tokio::spawn(async move { reps.next_lead(request).await });
    let metrics = node.node.dialer().metrics();
    within(Duration::from_secs(5), async || metrics.waiting_count() > 0).await;
    let begun = clock();
    done.await;
    let answer = waiting.await.unwrap().unwrap().into_inner().answer.unwrap();
    let took = begun.elapsed();
    let Answer::Served(served) = answer else { panic!("{answer:?}") };
    assert!(took < Duration::from_secs(40), "nobody woke who waited: {took:?}");
    id_of(&served)
}

#[tokio::test]
async fn a_lead_taken_from_its_owner_on_one_node_wakes_who_waits_on_the_other() {
    let Some(ground) = ground("owners over two nodes") else { return };
    let (mut one, mut other) = two(&ground).await;
    let id = other.hand_over(owned(1)).await;
    assert_eq!(other.pull_nothing("bob").await.kept_count, 1);
    let got = waits(&other, assign(&mut one, &id, "")).await;
    assert_eq!(got, id);
    other.audit().await;
}

#[tokio::test]
async fn the_leads_of_who_leaves_on_one_node_wake_who_waits_on_the_other() {
    let Some(ground) = ground("a rep who leaves over two nodes") else { return };
    let (one, mut other) = two(&ground).await;
    let id = other.hand_over(owned(1)).await;
    assert_eq!(other.pull_nothing("bob").await.kept_count, 1);
    let gone = proto::Rep {
        rep_id: "ann".into(),
        queue_id: "sales".into(),
        active: Some(false),
        ..Default::default()
    };
    let request = proto::UpsertRepRequest { rep: Some(gone), ..Default::default() };
    let mut queues = one.queues.clone();
    let got = waits(&other, async { drop(queues.upsert_rep(request).await.unwrap()) }).await;
    assert_eq!(got, id);
    other.audit().await;
}

#[tokio::test]
async fn a_campaign_paused_on_one_node_is_served_by_neither_until_one_resumes_it() {
    let Some(ground) = ground("pauses over two nodes") else { return };
    let (mut one, mut other) = two(&ground).await;
    other.put_campaign("fair", "sales", None).await;
    let mut fair = Vec::new();
    for nth in 1..=3 {
        fair.push(other.hand_over(lead_of("fair", nth)).await);
    }
    let spring = other.hand_over(lead(9)).await;
    pause(&mut one, false).await;
    // From the answer on, whatever the other node knows by now.
    let served = other.pull_lead("bob").await;
    assert_eq!(id_of(&served), spring);
    other.touch("bob", &served, Disposition::WrongNumber).await;
    other.pull_nothing("ann").await;
    // A handover of the other node's is taken in and kept back, too.
    fair.push(other.hand_over(lead_of("fair", 4)).await);
    one.pull_nothing("ann").await;

    let got = waits(&other, pause(&mut one, true)).await;
    assert_eq!(got, fair[0]);
    one.audit().await;
}

#[tokio::test]
async fn a_callback_promised_on_one_node_is_kept_on_the_other() {
    let Some(ground) = ground("promises over two nodes") else { return };
    let (mut one, mut other) = two(&ground).await;
    let id = one.hand_over(lead(1)).await;
    let served = one.pull_lead("ann").await;
    let touch = proto::RecordTouchRequest {
        callback_time: Some(time(NOON + HOUR_MS)),
        ..one.touch_of("ann", &served, Disposition::CallbackOwn)
    };
    one.reps.record_touch(touch).await.unwrap();
    // The clock is both nodes'.
    one.pass_time(HOUR_MS - 1).await;
    other.pull_nothing("ann").await;
    one.pass_time(1).await;
    assert_eq!(other.pull_nothing("bob").await.kept_count, 1);
    let served = other.pull_lead("ann").await;
    assert_eq!(id_of(&served), id);
    assert_eq!(served.why.unwrap().order(), proto::ServeOrder::Callback);
    other.audit().await;
}

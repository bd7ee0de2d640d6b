//! What a node reads of the store, or tells an index that hangs, holds no commit's answer up.

use std::sync::Arc;
use std::time::Duration;

use nextlead::api::front::Limits;
use nextlead::api::proto::{self, Disposition, next_lead_response::Answer};
use nextlead::clock::ManualClock;
use nextlead::node::{Options, StoreClock, Sweeping};
use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::{ground, id_of, knows_rep, node_on, story, within};
use crate::exposition::Exposition;
use crate::ground::Ground;
use crate::metrics::scrape;
use crate::process::clock;
use crate::support::{NOON, TestNode, lead};
use crate::toxic::{Mood, Protocol, Proxy};

/// How long these nodes wait for an answer of Redis, so that what waits for it is told from what does
/// not.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);

/// A proxy before the Redis of a ground, and a node that reaches it by that way.
async fn behind_proxy(ground: &Ground) -> (Proxy, TestNode) {
    let port = ground.queue.as_ref().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(Protocol::Opaque, port);
    let folder = TempDir::new().unwrap();
    let clock = ManualClock::at(NOON);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        clock: Some(Arc::new(clock.clone())),
        sweeping: Sweeping::ByHand,
        store: ground.store.parse().unwrap(),
        store_clock: StoreClock::Node,
        queue: format!("redis://127.0.0.1:{}", proxy.port()).parse().unwrap(),
        queue_prefix: ground.prefix.clone(),
        queue_timeout: ANSWER_WITHIN,
        admin_token_file: Some(folder.path().join("admin-token")),
        limits: Limits { guess_count_max: u32::MAX, guess_row_max: u32::MAX, ..Limits::default() },
        ..Options::new("unused".into(), listener)
    };
    let mut node = TestNode::over(folder, clock, options).await;
    node.put_queue("sales", "always").await;
    node.put_campaign("spring", "sales", None).await;
    node.put_rep("ann", "sales", &[]).await;
    (proxy, node)
}

#[tokio::test]
async fn a_commit_does_not_wait_for_a_redis_that_hangs_as_long_as_a_pull_does() {
    let Some(ground) = ground("a Redis that hangs") else { return };
    let (proxy, mut one) = behind_proxy(&ground).await;
    let mut other = node_on(&ground, ManualClock::at(NOON), StoreClock::Node).await;
    knows_rep(&mut other, "ann").await;
    one.hand_over(lead(1)).await;
    let served = one.pull_lead("ann").await;

    proxy.set(Mood::Silent);
    let begun = clock();
    one.hand_over(lead(2)).await;
    let took = begun.elapsed();
    eprintln!("a handover was answered after {took:?}");
    assert!(took < ANSWER_WITHIN / 2, "{took:?}");

    // Nor does a touch with which the next lead is asked for: it is stored before that is given up.
    let mut touch = one.touch_of("ann", &served, Disposition::WrongNumber);
    touch.then_next = true;
    let mut reps = one.reps.clone();
    let begun = clock();
    let touching = tokio::spawn(async move { reps.record_touch(touch).await });
    within(ANSWER_WITHIN / 2, async || {
        let events = story(&mut other, &id_of(&served)).await;
        events.iter().any(|event| event.kind() == proto::LeadEventKind::Touched)
    })
    .await;
    eprintln!("a touch was stored after {:?}", begun.elapsed());
    touching.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_read_that_hangs_holds_up_no_commit_and_what_it_was_for_is_not_forgotten() {
    let Some(ground) = ground("a read that hangs") else { return };
    let (proxy, mut one) = behind_proxy(&ground).await;
    one.hand_over(lead(1)).await;
    let held = one.pull_lead("ann").await;
    // A handover that the index misses.
    proxy.set(Mood::Silent);
    let missed = one.hand_over(lead(2)).await;
    proxy.set(Mood::Fair);
    proxy.cut_all();
    let request = proto::NextLeadRequest { rep_id: "ann".into(), ..Default::default() };
    one.put_rep("bob", "sales", &[]).await;
    let asked = proto::NextLeadRequest { rep_id: "bob".into(), ..request };
    within(ANSWER_WITHIN * 2, async || one.reps.next_lead(asked.clone()).await.is_ok()).await;

    // What stands in line is read with its leases, and a handover looks at none.
    let mut locking = sqlx::PgConnection::connect(&ground.store).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE lease IN ACCESS EXCLUSIVE MODE")
        .execute(&mut locking)
        .await
        .unwrap();
    let dialer = one.node.dialer().clone();
    let sweeping = tokio::spawn(async move { dialer.sweep(100).await });
    within(Duration::from_secs(5), async || is_waited_for(&mut locking).await).await;
    let begun = clock();
    one.hand_over(lead(3)).await;
    let took = begun.elapsed();
    eprintln!("a handover beside a read that hangs was answered after {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!sweeping.is_finished(), "the read hangs");
    // Until the server gives up.
    drop(sweeping.await.unwrap());
    sqlx::raw_sql("ROLLBACK").execute(&mut locking).await.unwrap();

    while one.node.dialer().sweep(100).await.unwrap().is_unfinished() {}
    let mut got = vec![id_of(&one.pull_lead("bob").await)];
    one.put_rep("cid", "sales", &[]).await;
    got.push(id_of(&one.pull_lead("cid").await));
    assert!(got.contains(&missed), "what the index missed is sent again, however often that fails");
    assert_ne!(got[0], id_of(&held));
    one.audit().await;
}

#[tokio::test]
async fn news_that_outrun_a_slow_index_wake_who_waits_when_the_index_has_the_lead() {
    let Some(ground) = ground("news that outrun the index") else { return };
    let (proxy, mut one) = behind_proxy(&ground).await;
    let mut other = node_on(&ground, ManualClock::at(NOON), StoreClock::Node).await;
    knows_rep(&mut other, "ann").await;
    one.hand_over(lead(1)).await;
    let first = one.pull_lead("ann").await;
    one.touch("ann", &first, Disposition::WrongNumber).await;

    let mut reps = other.reps.clone();
    let wait_duration = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let request =
        proto::NextLeadRequest { rep_id: "ann".into(), wait_duration, ..Default::default() };
    let waiting = tokio::spawn(async move { reps.next_lead(request).await });
    let metrics = other.node.dialer().metrics();
    within(Duration::from_secs(5), async || metrics.waiting_count() > 0).await;
    // The other node hears of the commit at once; the index hears of it so much later. Nobody sweeps.
    proxy.set(Mood::Late(Duration::from_millis(250)));
    let begun = clock();
    let handed_over = one.hand_over(lead(2)).await;
    let answer = waiting.await.unwrap().unwrap().into_inner().answer.unwrap();
    let took = begun.elapsed();
    eprintln!("woken {took:?} after the handover was sent");
    let Answer::Served(served) = answer else { panic!("{answer:?}") };
    assert_eq!(id_of(&served), handed_over);
    // Whoever nobody wakes looks once more when their minute is over.
    assert!(took < Duration::from_secs(40), "{took:?}");
    proxy.set(Mood::Fair);
}

/// Whether somebody waits for the lock that this connection has.
async fn is_waited_for(locking: &mut sqlx::PgConnection) -> bool {
    let query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'lease'::regclass";
    sqlx::query_scalar::<_, i64>(query).fetch_one(locking).await.unwrap() > 0
}

#[tokio::test]
async fn what_stands_in_line_is_counted_twice_for_a_pull_that_waits_however_often_it_is_woken() {
    let Some(ground) = ground("pulls that wait") else { return };
    const PULL_COUNT: usize = 40;
    let mut one = node_on(&ground, ManualClock::at(NOON), StoreClock::Node).await;
    one.put_queue("sales", "always").await;
    one.put_campaign("spring", "sales", None).await;
    for nth in 0..PULL_COUNT {
        one.put_rep(&format!("rep{nth}"), "sales", &[]).await;
    }
    let waits: Vec<_> = (0..PULL_COUNT)
        .map(|nth| {
            let (mut reps, rep_id) = (one.reps.clone(), format!("rep{nth}"));
            let wait_duration = Some(prost_types::Duration { seconds: 4, nanos: 0 });
            let request = proto::NextLeadRequest { rep_id, wait_duration, ..Default::default() };
            tokio::spawn(async move { reps.next_lead(request).await.unwrap().into_inner() })
        })
        .collect();
    let metrics = one.node.dialer().metrics();
    let waiting = i64::try_from(PULL_COUNT).unwrap();
    within(Duration::from_secs(3), async || metrics.waiting_count() == waiting).await;
    // Each of these wakes all of them, and none of them may take it.
    for nth in 0..10 {
        one.hand_over(proto::Lead { skills: vec!["tax".into()], ..lead(nth) }).await;
    }
    for wait in waits {
        let answer = wait.await.unwrap().answer.unwrap();
        let Answer::Nothing(nothing) = answer else { panic!("{answer:?}") };
        assert_eq!(nothing.unskilled_count, 10, "{nothing:?}");
    }
    let counts = |shown: &Exposition, script| {
        shown.sum("nextlead_redis_script_duration_seconds_count", &[("script", script)])
    };
    let shown = scrape(&one).await;
    let (sizes, proposals) = (counts(&shown, "sizes"), counts(&shown, "propose"));
    eprintln!("{proposals} looks, {sizes} of them with counts");
    // Before each waits, and when its wait is over; one is the scrape's own.
    assert!(sizes <= 2.0 * PULL_COUNT as f64 + 1.0, "{sizes}");
    assert!(proposals >= 4.0 * PULL_COUNT as f64, "{proposals}");
}

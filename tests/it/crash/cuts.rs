//! Connections to PostgreSQL that are cut in the moment of a commit, or silent, or slow: never is
//! something said to have failed that is stored, nor the other way round.
//!
//! `NEXTLEAD_CRASH_CUTS` says how many connections are cut during a commit.

use std::time::{Duration, Instant};

use super::database::on_postgres;
use super::ground::{Ground, On};
use super::{FAMILY_COUNT_EACH, FAMILY_COUNT_MIN, KILL_WITHIN, Rig, from_environment};
use crate::process::clock;
use crate::toxic::{Cut, Mood, Protocol, Proxy};

/// How long a node works between two cuts, in milliseconds.
const WORK_MS: std::ops::Range<u64> = 5..60;
/// A commit that is to be cut comes within this, under load.
const COMMIT_WITHIN: Duration = Duration::from_secs(30);
/// A node notices this soon that its connection lies dead, and the server that a session does.
const DEAD_MAX: Duration = Duration::from_secs(12);
/// Changes must go through again this soon after a cut.
const RECOVERY_MAX: Duration = Duration::from_secs(5);

/// A node whose connections to PostgreSQL pass through a proxy.
pub(super) async fn begin(on: On, family_count: u64, seed: u64) -> (Rig, Proxy) {
    let (sender, proxy) = tokio::sync::oneshot::channel();
    let ground = move || {
        let mut ground = Ground::with_own_postgres(on);
        let upstream = ground.postgres.as_ref().expect("it is this test's own").port();
        let proxy = Proxy::start(Protocol::Postgres, upstream);
        ground.reach_store_at(proxy.port());
        assert!(sender.send(proxy).is_ok(), "somebody waits for it");
        ground
    };
    let rig = Rig::begin(ground, 1, family_count, seed).await;
    (rig, proxy.await.unwrap())
}

#[tokio::test]
async fn a_connection_cut_during_a_commit_never_makes_a_wrong_answer() {
    let Some(on) = on_postgres("cuts during COMMIT") else { return };
    let count = from_environment("NEXTLEAD_CRASH_CUTS", 30);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 8);
    let within = KILL_WITHIN + Duration::from_secs(5) * u32::try_from(count).unwrap();
    let run = async {
        let family_count = FAMILY_COUNT_MIN + count * FAMILY_COUNT_EACH / 4;
        let (mut rig, proxy) = begin(on, family_count, seed).await;
        for nth in 0..count {
            rig.let_run(WORK_MS).await;
            let cut = match nth % 3 {
                0 => Cut::BeforeForwarding,
                1 => Cut::AfterForwarding,
                _ => Cut::BeforeReply,
            };
            let sprung = tokio::time::timeout(COMMIT_WITHIN, proxy.cut(cut)).await;
            sprung.expect("nothing is committed any more");
            recover_within(&mut rig, clock(), RECOVERY_MAX).await;
        }
        rig.end("connection cut during COMMIT", count).await;
    };
    tokio::time::timeout(within, run).await.expect("the run hangs");
}

async fn recover_within(rig: &mut Rig, since: Instant, within: Duration) {
    rig.recover(since).await;
    let took = *rig.recoveries.last().expect("it has recovered");
    assert!(took <= within, "it took {took:?} until a change went through:\n{}", {
        rig.nodes.node(0).logged()
    });
    let node = rig.nodes.node(0);
    assert!(node.is_alive(), "the node ended:\n{}", node.logged());
}

#[tokio::test]
async fn a_node_whose_connections_lie_dead_frees_the_store_and_goes_on() {
    let Some(on) = on_postgres("silent connections") else { return };
    let count = from_environment("NEXTLEAD_CRASH_SILENCES", 2);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 9);
    let run = async {
        let (mut rig, proxy) = begin(on, FAMILY_COUNT_MIN, seed).await;
        for _ in 0..count {
            rig.let_run(WORK_MS).await;
            proxy.set(Mood::Silent);
            rig.let_run(100..1_000).await;
            proxy.set(Mood::Fair);
            // What was sent into the silence stays lost, and the server has been told of nothing.
            recover_within(&mut rig, clock(), DEAD_MAX).await;
        }
        rig.end("connections silent", count).await;
    };
    let within = KILL_WITHIN * (u32::try_from(count).unwrap() + 3);
    tokio::time::timeout(within, run).await.expect("the run hangs");
}

#[tokio::test]
async fn a_slow_or_refusing_database_makes_no_wrong_answer() {
    let Some(on) = on_postgres("slow connections") else { return };
    let count = from_environment("NEXTLEAD_CRASH_SILENCES", 3);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 10);
    let run = async {
        let (mut rig, proxy) = begin(on, FAMILY_COUNT_MIN, seed).await;
        for _ in 0..count {
            proxy.set(Mood::Late(Duration::from_millis(20)));
            rig.let_run(500..1_000).await;
            proxy.set(Mood::Refusing);
            proxy.cut_all();
            rig.let_run(100..500).await;
            proxy.set(Mood::Fair);
            recover_within(&mut rig, clock(), RECOVERY_MAX).await;
        }
        rig.end("connections slow, then refused", count).await;
    };
    let within = KILL_WITHIN * (u32::try_from(count).unwrap() + 3);
    tokio::time::timeout(within, run).await.expect("the run hangs");
}

/// The control: a server that says that it has committed, and has not, is what a node is like that
/// answers before its commit.
#[tokio::test]
async fn commits_that_were_never_made_are_found_out() {
    let Some(on) = on_postgres("commits that were never made") else { return };
    let (mut rig, proxy) = begin(on, FAMILY_COUNT_MIN, 11).await;
    rig.let_run(300..400).await;
    proxy.set(Mood::Lying);
    proxy.cut_all();
    rig.let_run(1_500..2_000).await;
    proxy.set(Mood::Fair);
    proxy.cut_all();
    let found = rig.compare("commits that were never made", 1).await;
    assert!(!found.is_empty(), "nothing was found");
}

//! Two nodes on one PostgreSQL and one Redis, the one or the other killed or paused at any instant,
//! with clients that move between them.
//!
//! `NEXTLEAD_CRASH_KILLS` and `NEXTLEAD_CRASH_PAUSES` say how often.

use std::time::Duration;

use super::ground::{Ground, On};
use super::points::has_points;
use super::{FAMILY_COUNT_EACH, FAMILY_COUNT_MIN, KILL_WITHIN, LIFE_MS, Rig, from_environment};
use crate::process::clock;

/// A node that stands still in a transaction keeps the other one from writing for ten seconds at most;
/// clients may notice a little later.
const LOCKED_MAX: Duration = Duration::from_secs(13);
/// Where a node is paused: with the store locked, with a commit that nobody knows of yet, with a lead
/// in its hands, and between two steps of a sweep.
const PAUSES: [&str; 4] =
    ["store.before-commit", "store.after-commit", "pull.after-lease", "sweep.after-store"];

fn is_pair(what: &str) -> bool {
    let is_pair = On::from_environment() == On::PostgresAndRedis;
    if !is_pair {
        eprintln!("{what}: one node alone here; NEXTLEAD_TEST_ON=postgres+redis has two");
    }
    is_pair
}

#[tokio::test]
async fn two_nodes_lose_nothing_however_often_one_of_them_is_killed() {
    if !is_pair("two nodes") {
        return;
    }
    let kill_count = from_environment("NEXTLEAD_CRASH_KILLS", 6);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 13);
    let run = async {
        let family_count = FAMILY_COUNT_MIN + kill_count * FAMILY_COUNT_EACH;
        let ground = || Ground::new(On::PostgresAndRedis);
        let mut rig = Rig::begin(ground, 2, family_count, seed).await;
        for _ in 0..kill_count {
            rig.let_run(LIFE_MS).await;
            let nth = usize::try_from(rig.random.below(2)).unwrap();
            rig.nodes.kill(nth).await;
            // The other one goes on alone.
            rig.recover(clock()).await;
            rig.nodes.start(nth).await;
        }
        rig.end("one of two nodes killed", kill_count).await;
    };
    let within = KILL_WITHIN * (u32::try_from(kill_count).unwrap() + 3);
    tokio::time::timeout(within, run).await.expect("the run hangs");
}

#[tokio::test]
async fn a_node_that_stands_still_keeps_nobody_and_changes_nothing_when_it_goes_on() {
    if !is_pair("a paused node") || !has_points() {
        return;
    }
    let count = from_environment("NEXTLEAD_CRASH_PAUSES", PAUSES.len() as u64);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 14);
    let run = async {
        let family_count = FAMILY_COUNT_MIN + count * FAMILY_COUNT_EACH;
        let ground = || Ground::new(On::PostgresAndRedis);
        let mut rig = Rig::begin(ground, 2, family_count, seed).await;
        for nth in 0..count {
            let name = PAUSES[usize::try_from(nth).unwrap() % PAUSES.len()];
            let place = usize::try_from(rig.random.below(2)).unwrap();
            rig.nodes.kill(place).await;
            let visit = 5 + rig.random.below(20);
            // One node at a time sweeps: the other one while it lives.
            let is_of_one = name.starts_with("sweep.");
            if is_of_one {
                rig.nodes.kill(1 - place).await;
            }
            rig.nodes.start_armed(place, Some(&format!("{name}:{visit}:stop"))).await;
            rig.nodes.await_pause(place).await;
            if is_of_one {
                rig.nodes.start(1 - place).await;
            }
            rig.recover(clock()).await;
            let took = *rig.recoveries.last().expect("it has recovered");
            assert!(took <= LOCKED_MAX, "{name}: the other node waited for {took:?}");
            rig.let_run(LIFE_MS).await;
            rig.nodes.node(place).signal("-CONT");
            rig.let_run(LIFE_MS).await;
            let node = rig.nodes.node(place);
            assert!(node.is_alive(), "{name}: the node ended:\n{}", node.logged());
        }
        rig.end("one of two nodes paused", count).await;
    };
    let within = KILL_WITHIN * (u32::try_from(count).unwrap() + 3);
    tokio::time::timeout(within, run).await.expect("the run hangs");
}

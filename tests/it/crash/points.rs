//! A node that dies at every point that has a name, at the first visit and at a later one, under load.
//! Each must be visited: a point that no node comes by fails the test.
//!
//! `NEXTLEAD_CRASH_POINTS` says how many later visits are tried of each.

use std::time::Duration;

use nextlead::failpoint;

use super::ground::{Ground, On};
use super::tally::{self, Row};
use super::{FAMILY_COUNT_MIN, Rig, cuts, from_environment};
use crate::process::Process;
use crate::toxic::{Cut, Proxy};

/// Points that a node passes once a migration, before it serves anybody.
const MIGRATION: [&str; 2] = ["store.before-migration", "store.after-migration"];
/// Points that a node passes a few times a second, or a few times at all: up to which visit.
const RARE: [(&str, u64); 7] = [
    ("duty.after-take", 6),
    ("postgres.after-settle", 3),
    ("postgres.before-settle", 3),
    ("sqlite.before-checkpoint", 3),
    ("sqlite.after-checkpoint", 3),
    ("sweep.after-store", 6),
    ("sweep.after-promote", 6),
];
/// Families that are there at the beginning: work enough for all visits.
const FAMILY_COUNT: u64 = 4 * FAMILY_COUNT_MIN;
/// Up to which visit all others are tried.
const VISIT_COUNT_MAX: u64 = 60;
/// No visit takes longer, unless something hangs.
const VISIT_WITHIN: Duration = Duration::from_secs(70);

#[tokio::test]
async fn nothing_is_lost_whichever_named_point_a_node_dies_at() {
    if !has_points() {
        return;
    }
    let later_count = from_environment("NEXTLEAD_CRASH_POINTS", 1);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 4);
    let on = On::from_environment();
    let names: Vec<&str> = failpoint::NAMES
        .iter()
        .copied()
        .filter(|name| on.has_point(name) && !MIGRATION.contains(name))
        .collect();
    let (mut rig, proxy) = match on {
        On::Sqlite => (Rig::begin(move || Ground::new(on), 1, FAMILY_COUNT, seed).await, None),
        _ => {
            let (rig, proxy) = cuts::begin(on, FAMILY_COUNT, seed).await;
            (rig, Some(proxy))
        }
    };
    rig.nodes.kill(0).await;
    let mut visit_count = 0;
    for later in 0..=later_count {
        for name in &names {
            let visit = match later {
                0 => 1,
                _ => 2 + rig.random.below(visit_max(name) - 1),
            };
            let point = format!("{name}:{visit}");
            let visited = tokio::time::timeout(VISIT_WITHIN, async {
                rig.nodes.start_armed(0, Some(&point)).await;
                match proxy.as_ref().filter(|_| name.ends_with("-settle")) {
                    None => rig.nodes.await_death(0).await,
                    // There must be something to settle.
                    Some(proxy) => tokio::select! {
                        death = rig.nodes.await_death(0) => death,
                        () = cut_for_ever(proxy) => unreachable!("it ends with the node"),
                    },
                }
            });
            let visited = visited.await.unwrap_or_else(|_| panic!("{point}: the node hangs"));
            visited.unwrap_or_else(|what| panic!("{point}: {what}"));
            visit_count += 1;
        }
    }
    rig.nodes.start(0).await;
    rig.end("node killed at a named point", visit_count).await;
}

/// Takes the answers of commits away, one by one.
async fn cut_for_ever(proxy: &Proxy) {
    loop {
        proxy.cut(Cut::BeforeReply).await;
    }
}

/// Whether this build has points to die at.
pub(super) fn has_points() -> bool {
    let has_points = cfg!(debug_assertions);
    if !has_points {
        eprintln!("NOT RUN: a build without debug assertions has no failpoints");
    }
    has_points
}

fn visit_max(name: &str) -> u64 {
    RARE.iter().find(|(rare, _)| *rare == name).map_or(VISIT_COUNT_MAX, |(_, max)| *max)
}

/// A node that is started on an empty store dies at each migration, and goes on from there.
#[test]
fn a_store_opens_after_its_node_died_before_and_after_each_migration() {
    if !has_points() {
        return;
    }
    let on = On::from_environment();
    let folder = match on {
        On::Sqlite => "migrations/sqlite",
        _ => "migrations/postgres",
    };
    let migration_count = std::fs::read_dir(folder).unwrap().count();
    let mut death_count = 0;
    for point in MIGRATION {
        let ground = Ground::new(on);
        let folder = tempfile::TempDir::new().unwrap();
        let start = |failpoint: Option<String>| {
            let mut command = crate::process::command(
                std::path::Path::new(crate::process::BINARY),
                folder.path(),
            );
            command.envs(ground.variables()).envs(failpoint.map(|one| ("NEXTLEAD_FAILPOINT", one)));
            command.args(["serve", "--json", "--listen", "127.0.0.1:0"]);
            Process::try_begin(command, folder.path(), folder.path().join("serve.log"))
        };
        // Each run does one migration more, and dies after it or before the next one.
        let dies_after = point == MIGRATION[1];
        for nth in 0..migration_count {
            let visit = if dies_after || nth == 0 { 1 } else { 2 };
            let (node, is_ready) = start(Some(format!("{point}:{visit}")));
            assert!(!is_ready, "{point}, {nth}: it came up");
            let logged = node.logged();
            assert!(logged.contains(&format!("failpoint {point}: Kill")), "{point}: {logged}");
            death_count += 1;
        }
        let (node, is_ready) = start(None);
        assert!(is_ready, "{point}: {}", node.logged());
        node.set_up();
        node.audit();
    }
    let (kind, recoveries) = ("node killed at a migration".to_owned(), Vec::new());
    let (seed, violation_count) = (0, 0);
    tally::add(Row { kind, on: on.name(), seed, count: death_count, violation_count, recoveries });
}

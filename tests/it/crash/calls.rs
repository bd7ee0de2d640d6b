//! A node that dies at its n-th write to the disk, cut of a file or sync, wherever that falls: while it
//! opens the store, within a transaction, within a checkpoint. `strace` kills it as the call begins.
//!
//! `NEXTLEAD_CRASH_CALLS` says how often.

use std::process::Command;
use std::time::Duration;

use super::ground::{Ground, On};
use super::{FAMILY_COUNT_EACH, FAMILY_COUNT_MIN, Rig, from_environment};

const CALLS: &str = "pwrite64,fdatasync,fsync,ftruncate";
/// The calls of a start are tried in turn, and others up to this one. Each thread counts its own, by name.
const NTH_MAX: u64 = 1_000;
/// No death takes longer, unless something hangs.
const DEATH_WITHIN: Duration = Duration::from_secs(70);

#[tokio::test]
async fn nothing_is_lost_whichever_write_or_sync_a_node_dies_at() {
    if On::from_environment() != On::Sqlite {
        eprintln!("deaths at a write: the node writes on SQLite alone");
        return;
    }
    let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        eprintln!("NOT RUN: strace is missing (apt-get install strace), or may not trace here");
        return;
    }
    let death_count = from_environment("NEXTLEAD_CRASH_CALLS", 12);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 15);
    let family_count = FAMILY_COUNT_MIN + death_count * FAMILY_COUNT_EACH / 2;
    let mut rig = Rig::begin(|| Ground::new(On::Sqlite), 1, family_count, seed).await;
    rig.nodes.kill(0).await;
    for death in 0..death_count {
        let nth = if death % 2 == 0 { 1 + death / 2 } else { 1 + rig.random.below(NTH_MAX) };
        let inject = format!("inject={CALLS}:signal=KILL:when={nth}");
        let trace = format!("trace={CALLS}");
        // The tracer is the node's child, so that the node is ours.
        let words = ["strace", "-D", "-f", "-o", "/dev/null", "-e", &trace];
        rig.nodes.put_before(&[&words[..], &["-e", &inject]].concat());
        let died = tokio::time::timeout(DEATH_WITHIN, async {
            rig.nodes.start_armed(0, None).await;
            rig.nodes.await_death(0).await
        });
        let died = died.await.unwrap_or_else(|_| panic!("{nth}: the node hangs"));
        died.unwrap_or_else(|what| panic!("{nth}: {what}"));
    }
    rig.nodes.put_before(&[]);
    rig.nodes.start(0).await;
    rig.end("node killed at a write or sync", death_count).await;
}

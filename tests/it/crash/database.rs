//! PostgreSQL killed and started again under load, and the node's sessions in it ended: what was
//! acknowledged stays, what nobody knows is answered rightly when it is sent again, and the node goes
//! on by itself.
//!
//! `NEXTLEAD_CRASH_DATABASE` says how often of each kind.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::task::spawn_blocking;

use super::ground::{Ground, On};
use super::{FAMILY_COUNT_EACH, FAMILY_COUNT_MIN, KILL_WITHIN, LIFE_MS, Rig, from_environment};
use crate::process::clock;

/// Changes must go through again this soon after the server takes connections.
const RECOVERY_MAX: Duration = Duration::from_secs(5);

/// The combination, if it has a PostgreSQL.
pub(super) fn on_postgres(what: &str) -> Option<On> {
    let on = On::from_environment();
    if on == On::Sqlite {
        eprintln!("{what}: nothing to try on SQLite; NEXTLEAD_TEST_ON=postgres has it");
        return None;
    }
    Some(on)
}

async fn run(on: On, kind: &str, count: u64, seed: u64, fault: impl AsyncFn(&mut Rig)) {
    let within = KILL_WITHIN * (u32::try_from(count).unwrap() + 3);
    let run = async {
        let family_count = FAMILY_COUNT_MIN + count * FAMILY_COUNT_EACH;
        let ground = move || Ground::with_own_postgres(on);
        let mut rig = Rig::begin(ground, 1, family_count, seed).await;
        for _ in 0..count {
            rig.let_run(LIFE_MS).await;
            fault(&mut rig).await;
            let over = clock();
            rig.recover(over).await;
            let node = rig.nodes.node(0);
            assert!(node.is_alive(), "the node ended:\n{}", node.logged());
        }
        let slowest = rig.recoveries.iter().max().copied().unwrap_or_default();
        rig.end(kind, count).await;
        assert!(slowest <= RECOVERY_MAX, "{kind}: it took {slowest:?} until it went on");
    };
    tokio::time::timeout(within, run).await.expect("the run hangs");
}

/// Ends the server by a signal, and starts it again at once.
async fn restart(rig: &mut Rig, signal: &'static str) {
    let mut postgres = rig.nodes.ground.postgres.take().expect("it is this test's own");
    let restart = spawn_blocking(move || {
        postgres.signal(signal);
        postgres.start_again();
        postgres
    });
    rig.nodes.ground.postgres = Some(restart.await.unwrap());
}

#[tokio::test]
async fn nothing_is_lost_when_postgres_is_killed_under_load() {
    let Some(on) = on_postgres("PostgreSQL killed") else { return };
    let count = from_environment("NEXTLEAD_CRASH_DATABASE", 3);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 6);
    for (kind, signal) in [("PostgreSQL ended at once", "QUIT"), ("postmaster killed", "KILL")] {
        run(on, kind, count, seed, async |rig| restart(rig, signal).await).await;
    }
}

#[tokio::test]
async fn nothing_is_lost_when_the_sessions_of_a_node_are_ended() {
    let Some(on) = on_postgres("sessions ended") else { return };
    let count = from_environment("NEXTLEAD_CRASH_DATABASE", 10);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 7);
    let end_sessions = async |rig: &mut Rig| {
        let url = rig.nodes.ground.own_store();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE pid <> pg_backend_pid() AND datname = current_database()";
        let count: i64 = sqlx::query_scalar(end).fetch_one(&mut connection).await.unwrap();
        assert!(count > 0, "the node has no session");
        connection.close().await.unwrap();
    };
    run(on, "sessions ended", count, seed, end_sessions).await;
}

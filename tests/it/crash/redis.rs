//! Redis out of reach, silent, slow, cut, wiped and killed under load: no touch fails for it, pulls are
//! put off with a time to come again, and everything goes on when it is back.
//!
//! `NEXTLEAD_CRASH_REDIS` says how often of each kind.

use std::time::Duration;

use super::ground::{Ground, On};
use super::history::History;
use super::{FAMILY_COUNT_EACH, FAMILY_COUNT_MIN, KILL_WITHIN, Rig, from_environment};
use crate::process::clock;
use crate::toxic::{Cut, Mood, Protocol, Proxy};

/// How long each trouble lasts, in milliseconds.
const TROUBLE_MS: std::ops::Range<u64> = 100..1_500;
/// A request that is to be cut comes within this, under load.
const REQUEST_WITHIN: Duration = Duration::from_secs(30);
/// Leads must be served again this soon after Redis is back.
const SERVED_WITHIN: Duration = Duration::from_secs(10);

fn on_redis(what: &str) -> bool {
    let has_redis = On::from_environment() == On::PostgresAndRedis;
    if !has_redis {
        eprintln!("{what}: nothing to try without Redis; NEXTLEAD_TEST_ON=postgres+redis has it");
    }
    has_redis
}

/// What keeps the node from its index for a while.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Cut(Cut),
    Silence,
    Lateness,
    Refusal,
    Wipe,
    Kill,
}

const TROUBLES: [Trouble; 8] = [
    Trouble::Cut(Cut::BeforeForwarding),
    Trouble::Cut(Cut::AfterForwarding),
    Trouble::Cut(Cut::BeforeReply),
    Trouble::Silence,
    Trouble::Lateness,
    Trouble::Refusal,
    Trouble::Wipe,
    Trouble::Kill,
];

async fn begin(family_count: u64, seed: u64) -> (Rig, Proxy) {
    let (sender, proxy) = tokio::sync::oneshot::channel();
    let ground = move || {
        let mut ground = Ground::new(On::PostgresAndRedis);
        let upstream = ground.redis.as_ref().expect("there is one").port();
        let proxy = Proxy::start(Protocol::Opaque, upstream);
        ground.reach_queue_at(proxy.port());
        assert!(sender.send(proxy).is_ok(), "somebody waits for it");
        ground
    };
    let rig = Rig::begin(ground, 1, family_count, seed).await;
    (rig, proxy.await.unwrap())
}

async fn trouble(rig: &mut Rig, proxy: &Proxy, trouble: Trouble) {
    match trouble {
        Trouble::Cut(cut) => {
            let sprung = tokio::time::timeout(REQUEST_WITHIN, proxy.cut(cut)).await;
            sprung.expect("nothing is asked of Redis any more");
        }
        Trouble::Silence => proxy.set(Mood::Silent),
        Trouble::Lateness => proxy.set(Mood::Late(Duration::from_millis(100))),
        Trouble::Refusal => {
            proxy.set(Mood::Refusing);
            proxy.cut_all();
        }
        Trouble::Wipe => wipe(rig).await,
        Trouble::Kill => {
            let mut redis = rig.nodes.ground.redis.take().expect("there is one");
            let restarted = tokio::task::spawn_blocking(move || {
                redis.kill();
                redis.start_again();
                redis
            });
            rig.nodes.ground.redis = Some(restarted.await.unwrap());
        }
    }
    // Meanwhile changes go on: a touch needs no index.
    rig.recover(clock()).await;
    rig.let_run(TROUBLE_MS).await;
    proxy.set(Mood::Fair);
}

async fn wipe(rig: &Rig) {
    let url = rig.nodes.ground.redis.as_ref().expect("there is one").url();
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
}

#[tokio::test]
async fn no_touch_fails_for_the_index_and_pulls_come_again() {
    if !on_redis("Redis in trouble") {
        return;
    }
    let count = from_environment("NEXTLEAD_CRASH_REDIS", 1);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 12);
    let trouble_count = count * TROUBLES.len() as u64;
    let run = async {
        let family_count = FAMILY_COUNT_MIN + trouble_count * FAMILY_COUNT_EACH;
        let (mut rig, proxy) = begin(family_count, seed).await;
        for nth in 0..trouble_count {
            let kind = TROUBLES[usize::try_from(nth).unwrap() % TROUBLES.len()];
            trouble(&mut rig, &proxy, kind).await;
            let served = tokio::time::timeout(SERVED_WITHIN, rig.shared.await_serve()).await;
            served.unwrap_or_else(|_| panic!("no lead is served after {kind:?}"));
        }
        let history = rig.end("Redis cut, silent, late, refusing, wiped, killed", trouble_count);
        check_put_off(&history.await);
    };
    let within = KILL_WITHIN * (u32::try_from(trouble_count).unwrap() + 3);
    tokio::time::timeout(within, run).await.expect("the run hangs");
}

/// Only pulls were put off, and each was told when to come again.
fn check_put_off(history: &History) {
    for one in &history.put_off {
        assert!(one.what == "pull" && one.come_again, "{one:?}");
    }
}

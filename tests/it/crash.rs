//! Nodes that die at any instant under load, over and over: they serve 32 reps, marketing and a flow
//! of suppressions. What they had acknowledged is compared, at the end, with what they hold.
//!
//! `NEXTLEAD_TEST_ON` says on which of the three combinations (`sqlite`, `postgres`,
//! `postgres+redis`), `NEXTLEAD_CRASH_KILLS` how often a node is killed, `NEXTLEAD_CRASH_SEED` when,
//! `NEXTLEAD_CRASH_BINARY` which binary runs. Without them it is killed a few times, in a few seconds.

mod calls;
mod check;
mod clients;
mod controls;
mod cuts;
mod database;
mod families;
mod full;
mod ground;
mod history;
mod line;
mod nodes;
mod pair;
mod points;
mod redis;
mod stops;
mod tally;
mod toxic_works;
mod truth;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nextlead::api::client::{Client, connect};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use crate::process::clock;
use check::{Truth, violations};
use ground::Ground;
pub(crate) use ground::On;
use history::{History, Order};
use line::{Line, Random, Shared};
use nodes::Nodes;
use tally::Row;

const REP_COUNT: u64 = 32;
const INTAKE_COUNT: u64 = 3;
/// Families that are there at the beginning, and more of them for each kill.
const FAMILY_COUNT_MIN: u64 = 500;
const FAMILY_COUNT_EACH: u64 = 50;
/// Fewer serves are no load.
const SERVE_COUNT_MIN: u64 = 50;
/// How long a node lives, in milliseconds from when it is ready.
const LIFE_MS: std::ops::Range<u64> = 50..400;
/// No run takes longer for each kill, unless something hangs.
const KILL_WITHIN: Duration = Duration::from_secs(20);
/// Changes must go through again this soon after what was in their way has gone.
const RECOVERY_WITHIN: Duration = Duration::from_secs(30);

const RULES: &str = r#"queue = "sales"
[[value]]
name = "score"
points = 10
[[after]]
dispositions = [
    "no_answer", "busy", "voicemail", "congestion", "dead_air", "dropped_before_rep", "gatekeeper",
    "wrong_time", "language", "needs_specialist",
]
retry_in = ["1s"]
attempts_max = 3
then = "lost"
[[after]]
dispositions = ["not_interested", "not_qualified"]
then = "lost"
"#;

fn from_environment(name: &str, default: u64) -> u64 {
    let text = std::env::var(name);
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn set_to_work(shared: &Shared, seed: u64) -> JoinSet<History> {
    let line = |nth: u64| Line::new(shared.clone(), seed.wrapping_mul(1_000) + nth);
    let mut crew = JoinSet::new();
    for nth in 0..REP_COUNT {
        crew.spawn(clients::rep(format!("rep{nth}"), line(nth)));
    }
    for nth in 0..INTAKE_COUNT {
        crew.spawn(clients::intake(nth, line(REP_COUNT + nth)));
    }
    crew.spawn(clients::suppressor(line(REP_COUNT + INTAKE_COUNT)));
    crew
}

fn share(nodes: &Nodes) -> Shared {
    Shared {
        nodes: nodes.starts.subscribe(),
        order: Order::default(),
        is_over: Arc::default(),
        family_counts: (0..=INTAKE_COUNT).map(|_| 0.into()).collect(),
        fault_count: Arc::default(),
        survived_count: Arc::new(watch::Sender::new(0)),
        served_count: Arc::new(watch::Sender::new(0)),
    }
}

/// Lets the clients end what they are at, and takes over what they know.
async fn finish(shared: &Shared, crew: JoinSet<History>, history: &mut History) {
    shared.is_over.store(true, Ordering::SeqCst);
    crew.join_all().await.into_iter().for_each(|one| history.add(one));
}

/// A client of the first node.
async fn client_of(nodes: &Nodes) -> Client {
    let running = nodes.starts.borrow()[0].clone();
    connect(&format!("http://{}", running.address), &running.token).await.unwrap()
}

/// Nodes under load, and what their clients know.
struct Rig {
    nodes: Nodes,
    shared: Shared,
    crew: JoinSet<History>,
    history: History,
    random: Random,
    seed: u64,
    /// How long it took, each time, until a change was acknowledged again.
    recoveries: Vec<Duration>,
}

impl Rig {
    /// Starts so many nodes, and sets everybody to work.
    async fn begin(
        ground: impl FnOnce() -> Ground + Send + 'static,
        node_count: usize,
        family_count: u64,
        seed: u64,
    ) -> Self {
        let begin = move || Nodes::begin_on(ground(), node_count);
        let nodes = spawn_blocking(begin).await.unwrap();
        let shared = share(&nodes);
        let line = Line::new(shared.clone(), seed);
        let history = clients::stock(INTAKE_COUNT, family_count, line).await;
        let crew = set_to_work(&shared, seed);
        // However slow the machine is, what follows happens under load.
        shared.await_serves(SERVE_COUNT_MIN).await;
        let recoveries = Vec::new();
        Self { nodes, shared, crew, history, random: Random(seed), seed, recoveries }
    }

    /// Lets the load run for a while that chance names.
    async fn let_run(&mut self, ms: std::ops::Range<u64>) {
        let ms = ms.start + self.random.below(ms.end - ms.start);
        // No wait for something: the length of a life is what is varied here.
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    /// Waits until a change is acknowledged that was asked for from now on; it counts from `since`.
    async fn recover(&mut self, since: Instant) {
        let fault = self.shared.fault_count.fetch_add(1, Ordering::SeqCst) + 1;
        let mut survived = self.shared.survived_count.subscribe();
        let survived = survived.wait_for(|survived| *survived >= fault);
        let survived = tokio::time::timeout(RECOVERY_WITHIN, survived).await;
        survived.expect("nothing is acknowledged any more").expect("the clients are there");
        self.recoveries.push(since.elapsed());
    }

    /// Ends the load and compares; prints what was tried, and adds it to the table.
    async fn end(mut self, kind: &str, count: u64) -> History {
        let found = self.compare(kind, count).await;
        tally::add(Row {
            kind: kind.to_owned(),
            on: self.nodes.ground.on.name(),
            seed: self.seed,
            count,
            violation_count: found.len(),
            recoveries: self.recoveries,
        });
        assert_eq!(found, Vec::<String>::new());
        let served = self.history.holds.len();
        let is_load = served as u64 >= SERVE_COUNT_MIN && !self.history.suppressions.is_empty();
        assert!(is_load, "{served} serves are no load");
        self.history
    }

    /// Ends the load, and says what does not fit.
    async fn compare(&mut self, kind: &str, count: u64) -> Vec<String> {
        let crew = std::mem::take(&mut self.crew);
        finish(&self.shared, crew, &mut self.history).await;
        self.nodes.leave_one().await;
        let truth = truth::read(&client_of(&self.nodes).await, &self.history).await;
        let found = violations(&self.history, &truth);
        eprintln!("{}", summary(kind, count, self.seed, &self.history, &truth, found.len()));
        found
    }
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_however_often_the_node_is_killed() {
    let kill_count = from_environment("NEXTLEAD_CRASH_KILLS", 5);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 1);
    let within = KILL_WITHIN * (u32::try_from(kill_count).unwrap() + 3);
    let run = async {
        let family_count = FAMILY_COUNT_MIN + kill_count * FAMILY_COUNT_EACH;
        let ground = || Ground::new(On::from_environment());
        let mut rig = Rig::begin(ground, 1, family_count, seed).await;
        for _ in 0..kill_count {
            rig.let_run(LIFE_MS).await;
            rig.nodes.kill(0).await;
            let killed = clock();
            rig.nodes.start(0).await;
            rig.recover(killed).await;
        }
        rig.end("node killed at random", kill_count).await
    };
    tokio::time::timeout(within, run).await.expect("the run hangs");
}

/// What was tried, in a line: a zero is worth as much as the number of trials behind it.
fn summary(
    what: &str,
    count: u64,
    seed: u64,
    history: &History,
    truth: &Truth,
    violation_count: usize,
) -> String {
    let touches = history.touches.iter().filter(|sent| sent.span.answered.is_some()).count();
    let handovers = history.handovers.iter().filter(|sent| sent.span.answered.is_some());
    let leads: BTreeSet<_> = handovers.map(|sent| &sent.external_id).collect();
    let stops = history.suppressions.iter().filter(|sent| sent.span.answered.is_some()).count();
    let unanswered = truth.handovers.len() - leads.len().min(truth.handovers.len());
    format!(
        "crash: seed {seed}, {what}: {count}, under {REP_COUNT} reps; acknowledged: {} serves, \
         {touches} touches, {} handovers, {stops} suppressions; {unanswered} handovers came through \
         unanswered; put off: {:?}; {violation_count} violations",
        history.holds.len(),
        leads.len(),
        history.put_off_counts(),
    )
}

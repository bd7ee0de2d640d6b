//! `kill -9` under load, over and over: a node in a process of its own serves 32 reps, marketing and
//! a flow of suppressions, and dies at any instant. What it had acknowledged is compared, at the end,
//! with what it holds.
//!
//! `NEXTLEAD_CRASH_KILLS` says how often it is killed, `NEXTLEAD_CRASH_SEED` when,
//! `NEXTLEAD_CRASH_BINARY` which binary runs. Without them it is killed a few times, in a few seconds.

mod check;
mod clients;
mod families;
mod full;
mod history;
mod stops;
mod truth;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use nextlead::api::client::connect;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use crate::process::{BINARY, Process, clock};
use check::{Truth, violations};
use clients::{Line, Random, Running, Shared};
use history::{History, Order};

const REP_COUNT: u64 = 32;
const INTAKE_COUNT: u64 = 3;
/// Families that are there at the beginning, and more of them for each kill.
const FAMILY_COUNT_MIN: u64 = 500;
const FAMILY_COUNT_EACH: u64 = 50;
/// How long a node lives, in milliseconds from when it is ready.
const LIFE_MS: std::ops::Range<u64> = 50..400;
/// No run takes longer for each kill, unless something hangs.
const KILL_WITHIN: Duration = Duration::from_secs(20);

const RULES: &str = r#"queue = "sales"
[[value]]
name = "score"
points = 10
[[after]]
dispositions = ["no_answer"]
retry_in = ["1s"]
attempts_max = 3
then = "lost"
"#;

fn from_environment(name: &str, default: u64) -> u64 {
    let text = std::env::var(name);
    text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// How a node ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Kill,
    Stop,
}

/// What starts a node.
#[derive(Clone)]
struct Launcher {
    folder: PathBuf,
    /// What goes before the binary.
    before: Vec<String>,
    binary: PathBuf,
    /// What goes after the arguments of every node.
    after: Vec<String>,
}

impl Launcher {
    fn launch(&self, address: &str) -> Process {
        let mut words = self.before.iter().map(AsRef::as_ref).chain([self.binary.as_os_str()]);
        let first = Path::new(words.next().expect("a binary at the least"));
        let mut command = crate::process::command(first, &self.folder);
        command.args(words).args(["serve", "--json", "--listen", address]).args(&self.after);
        Process::begin(command, &self.folder, self.folder.join("serve.log"))
    }
}

/// The nodes, one after the other at one address, over one file.
struct Nodes {
    _owned: TempDir,
    launcher: Launcher,
    address: String,
    starts: watch::Sender<Running>,
    node: Option<Process>,
}

impl Nodes {
    /// Starts the first one, and sets up whom it serves.
    fn begin() -> Self {
        let owned = TempDir::new().unwrap();
        let folder = owned.path().to_owned();
        Self::begin_in(owned, folder, Vec::new(), &[])
    }

    /// Starts the first one in a folder, with words before it and more arguments.
    fn begin_in(owned: TempDir, folder: PathBuf, before: Vec<String>, arguments: &[&str]) -> Self {
        let binary = std::env::var("NEXTLEAD_CRASH_BINARY").unwrap_or_else(|_| BINARY.to_owned());
        let binary = std::path::absolute(binary).unwrap();
        let address = free_address();
        let after = arguments.iter().map(ToString::to_string).collect();
        let launcher = Launcher { folder: folder.clone(), before, binary, after };
        let node = launcher.launch(&address);
        node.set_up();
        let long = ["--lease", "1h", "--lease-total", "4h"];
        let queue = ["queue", "set", "sales", "--zone", "UTC", "--hours", "always"];
        node.ok(&[&queue[..], &long[..]].concat());
        for nth in 0..REP_COUNT {
            node.ok(&["rep", "set", &format!("rep{nth}"), "--queue", "sales"]);
        }
        std::fs::write(folder.join("rules.toml"), RULES).unwrap();
        node.ok(&["rules", "publish", "rules.toml", "--reason", "crash", "--wait"]);
        let running = Running { start: 1, address: address.clone(), token: node.token() };
        let starts = watch::Sender::new(running);
        Self { _owned: owned, launcher, address, starts, node: Some(node) }
    }

    /// Kills the node and starts another one on its file.
    async fn kill(&mut self) {
        let mut node = self.node.take().expect("a node runs between two kills");
        spawn_blocking(move || node.kill()).await.unwrap();
        self.start().await;
    }

    /// Stops the node, which must end well; how long that took.
    async fn stop(&mut self) -> Duration {
        let node = self.node.take().expect("a node runs between two stops");
        let begun = clock();
        let is_well = spawn_blocking(move || node.terminate()).await.unwrap();
        assert!(is_well, "a node that is told to stop ends well");
        begun.elapsed()
    }

    /// Starts another one on the file.
    async fn start(&mut self) {
        let (launcher, address) = (self.launcher.clone(), self.address.clone());
        let started = spawn_blocking(move || launcher.launch(&address));
        self.node = Some(started.await.unwrap());
        self.starts.send_modify(|running| running.start += 1);
    }
}

/// A free port that the system gives to nobody who asks for any: it is used again and again, with
/// gaps in which nobody else may take it.
fn free_address() -> String {
    static TAKEN_COUNT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    // Each test of this process begins elsewhere, as they run side by side.
    let first = first + 100 * TAKEN_COUNT.fetch_add(1, Ordering::SeqCst);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = (first..32_000).find(is_free).expect("one of two thousand ports is free");
    format!("127.0.0.1:{port}")
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
        node: nodes.starts.subscribe(),
        order: Order::default(),
        is_over: Arc::default(),
        family_counts: (0..=INTAKE_COUNT).map(|_| 0.into()).collect(),
    }
}

/// Lets the clients end what they are at, and takes over what they know.
async fn finish(shared: &Shared, crew: JoinSet<History>, history: &mut History) {
    shared.is_over.store(true, Ordering::SeqCst);
    crew.join_all().await.into_iter().for_each(|one| history.add(one));
}

/// Runs everything, and gives what the clients know and what the node holds.
async fn run(kill_count: u64, seed: u64, ending: Ending) -> (History, Truth) {
    let mut nodes = spawn_blocking(Nodes::begin).await.unwrap();
    let shared = share(&nodes);
    let family_count = FAMILY_COUNT_MIN + kill_count * FAMILY_COUNT_EACH;
    let mut history =
        clients::stock(INTAKE_COUNT, family_count, Line::new(shared.clone(), seed)).await;
    let crew = set_to_work(&shared, seed);
    let mut random = Random(seed);
    for _ in 0..kill_count {
        let life_ms = LIFE_MS.start + random.below(LIFE_MS.end - LIFE_MS.start);
        // No wait for something: the length of a life is what is varied here.
        tokio::time::sleep(Duration::from_millis(life_ms)).await;
        match ending {
            Ending::Kill => nodes.kill().await,
            Ending::Stop => {
                let took = nodes.stop().await;
                assert!(took < KILL_WITHIN, "a stop took {took:?}");
                nodes.start().await;
            }
        }
    }
    finish(&shared, crew, &mut history).await;
    // What the last node had in memory alone must not be what is compared.
    nodes.kill().await;
    let running = nodes.starts.borrow().clone();
    let client = connect(&format!("http://{}", running.address), &running.token).await.unwrap();
    let truth = truth::read(&client, &history).await;
    (history, truth)
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_however_often_the_node_is_killed() {
    let kill_count = from_environment("NEXTLEAD_CRASH_KILLS", 5);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 1);
    let within = KILL_WITHIN * (u32::try_from(kill_count).unwrap() + 3);
    let run = tokio::time::timeout(within, run(kill_count, seed, Ending::Kill));
    let (history, truth) = run.await.expect("the run hangs");

    let found = violations(&history, &truth);
    eprintln!("{}", summary("kills", kill_count, seed, &history, &truth, found.len()));
    assert_eq!(found, Vec::<String>::new());
    let served = history.holds.len();
    assert!(served > 50 && !history.suppressions.is_empty(), "{served} serves are no load");
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
        "crash: seed {seed}, {count} {what} under {REP_COUNT} reps; acknowledged: {} serves, {touches} \
         touches, {} handovers, {stops} suppressions; {unanswered} handovers came through \
         unanswered; {violation_count} violations",
        history.holds.len(),
        leads.len(),
    )
}

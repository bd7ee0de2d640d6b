//! The nodes of a run: processes that are killed and started again at their addresses, on one ground.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::ground::{Ground, On};
use super::line::Running;
use super::{REP_COUNT, RULES};
use crate::process::{BINARY, Process, clock};

/// A node that is to die by itself does so within this, under load.
const DEATH_WITHIN: Duration = Duration::from_secs(60);

/// What starts a node.
#[derive(Clone)]
pub(super) struct Launcher {
    folder: PathBuf,
    /// What goes before the binary.
    before: Vec<String>,
    binary: PathBuf,
    /// What goes after the arguments of every node.
    after: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Launcher {
    fn new(folder: &Path, before: Vec<String>, arguments: &[&str], ground: &Ground) -> Self {
        let binary = std::env::var("NEXTLEAD_CRASH_BINARY").unwrap_or_else(|_| BINARY.to_owned());
        let binary = std::path::absolute(binary).unwrap();
        let after = arguments.iter().map(ToString::to_string).collect();
        Self { folder: folder.to_owned(), before, binary, after, variables: ground.variables() }
    }

    pub(super) fn launch(&self, address: &str) -> Process {
        let (node, is_ready) = self.try_launch(address, None);
        assert!(is_ready, "the node did not start:\n{}", node.logged());
        node
    }

    /// Starts a node with a failpoint, maybe; says whether it came as far as to be ready.
    fn try_launch(&self, address: &str, failpoint: Option<&str>) -> (Process, bool) {
        let mut words = self.before.iter().map(AsRef::as_ref).chain([self.binary.as_os_str()]);
        let first = Path::new(words.next().expect("a binary at the least"));
        let mut command = crate::process::command(first, &self.folder);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.envs(failpoint.map(|point| ("NEXTLEAD_FAILPOINT", point)));
        command.args(words).args(["serve", "--json", "--listen", address]).args(&self.after);
        // Two nodes in one folder have a log each.
        let port = address.rsplit_once(':').expect("an address has a port").1;
        let log = self.folder.join(format!("serve-{port}.log"));
        Process::try_begin(command, &self.folder, log)
    }
}

/// One node: the process that runs now, at an address that stays.
pub(super) struct Place {
    address: String,
    pub(super) node: Option<Process>,
}

/// The nodes, each one after the other at its address, over one ground.
pub(super) struct Nodes {
    _owned: TempDir,
    pub(super) ground: Ground,
    pub(super) folder: PathBuf,
    launcher: Launcher,
    pub(super) places: Vec<Place>,
    pub(super) starts: watch::Sender<Vec<Running>>,
}

impl Nodes {
    /// Starts the first one on the combination that the environment names, and sets up whom it serves.
    pub(super) fn begin() -> Self {
        Self::begin_on(Ground::new(On::from_environment()), 1)
    }

    /// Starts so many nodes on a ground.
    pub(super) fn begin_on(ground: Ground, count: usize) -> Self {
        let owned = TempDir::new().unwrap();
        let folder = owned.path().to_owned();
        let mut nodes = Self::begin_in(owned, folder, Vec::new(), &[], ground);
        for _ in 1..count {
            let address = free_address();
            let node = nodes.launcher.launch(&address);
            let running = Running { start: 1, address: address.clone(), token: node.token() };
            nodes.places.push(Place { address, node: Some(node) });
            nodes.starts.send_modify(|starts| starts.push(running));
        }
        nodes
    }

    /// Starts the first one in a folder, with words before it and more arguments.
    pub(super) fn begin_in(
        owned: TempDir,
        folder: PathBuf,
        before: Vec<String>,
        arguments: &[&str],
        ground: Ground,
    ) -> Self {
        let address = free_address();
        let launcher = Launcher::new(&folder, before, arguments, &ground);
        let node = launcher.launch(&address);
        node.set_up();
        let long = ["--lease", "1h", "--lease-total", "4h"];
        let queue =
            ["queue", "set", "sales", "--zone", "UTC", "--hours", "always", "--law", "exempt"];
        node.ok(&[&queue[..], &long[..]].concat());
        for nth in 0..REP_COUNT {
            node.ok(&["rep", "set", &format!("rep{nth}"), "--queue", "sales"]);
        }
        std::fs::write(folder.join("rules.toml"), RULES).unwrap();
        node.ok(&["rules", "publish", "rules.toml", "--reason", "crash", "--wait"]);
        let running = Running { start: 1, address: address.clone(), token: node.token() };
        let starts = watch::Sender::new(vec![running]);
        let places = vec![Place { address, node: Some(node) }];
        Self { _owned: owned, ground, folder, launcher, places, starts }
    }

    /// Has the nodes that are started from now on run by a command.
    pub(super) fn put_before(&mut self, words: &[&str]) {
        self.launcher.before = words.iter().map(ToString::to_string).collect();
    }

    /// The process that runs at a place.
    pub(super) fn node(&mut self, nth: usize) -> &mut Process {
        self.places[nth].node.as_mut().expect("a node runs there")
    }

    /// Kills a node. It is not started again.
    pub(super) async fn kill(&mut self, nth: usize) {
        let mut node = self.places[nth].node.take().expect("a node runs between two kills");
        spawn_blocking(move || node.kill()).await.unwrap();
    }

    /// Stops a node, which must end well; how long that took.
    pub(super) async fn stop(&mut self, nth: usize) -> Duration {
        let node = self.places[nth].node.take().expect("a node runs between two stops");
        let begun = clock();
        let is_well = spawn_blocking(move || node.terminate()).await.unwrap();
        assert!(is_well, "a node that is told to stop ends well");
        begun.elapsed()
    }

    /// Starts another one at a place.
    pub(super) async fn start(&mut self, nth: usize) {
        let is_ready = self.start_armed(nth, None).await;
        assert!(is_ready, "the node did not start:\n{}", self.node(nth).logged());
    }

    /// Starts another one that is to die at a failpoint; says whether it came as far as to be ready.
    pub(super) async fn start_armed(&mut self, nth: usize, failpoint: Option<&str>) -> bool {
        let (launcher, address) = (self.launcher.clone(), self.places[nth].address.clone());
        let failpoint = failpoint.map(str::to_owned);
        let started = spawn_blocking(move || launcher.try_launch(&address, failpoint.as_deref()));
        let (node, is_ready) = started.await.unwrap();
        self.places[nth].node = Some(node);
        if is_ready {
            self.starts.send_modify(|starts| starts[nth].start += 1);
        }
        is_ready
    }

    /// Waits until a node was killed by its own hand. `Err`: what happened instead.
    pub(super) async fn await_death(&mut self, nth: usize) -> Result<(), String> {
        let mut node = self.places[nth].node.take().expect("a node runs there");
        let begun = clock();
        let mut turns = tokio::time::interval(Duration::from_millis(5));
        while node.is_alive() {
            turns.tick().await;
            if begun.elapsed() > DEATH_WITHIN {
                return Err(format!("it lives on:\n{}", node.logged()));
            }
        }
        let logged = node.logged();
        let status = spawn_blocking(move || node.wait_status()).await.unwrap();
        match status.signal() {
            // SIGKILL; nothing else here sends it.
            Some(9) => Ok(()),
            _ => Err(format!("it ended with {status}:\n{logged}")),
        }
    }

    /// Waits until a node stands still by its own hand.
    pub(super) async fn await_pause(&mut self, nth: usize) {
        let begun = clock();
        let id = self.node(nth).id();
        let mut turns = tokio::time::interval(Duration::from_millis(5));
        loop {
            turns.tick().await;
            let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
            let state = state.rsplit_once(") ").expect("a name in brackets comes first").1;
            if state.starts_with('T') {
                return;
            }
            let waited = begun.elapsed();
            assert!(waited < DEATH_WITHIN, "it goes on:\n{}", self.node(nth).logged());
        }
    }

    /// Kills all of them, and starts the first one anew: what a node had in memory alone must not be
    /// what is compared.
    pub(super) async fn leave_one(&mut self) {
        for nth in 0..self.places.len() {
            if self.places[nth].node.is_some() {
                self.kill(nth).await;
            }
        }
        self.start(0).await;
    }
}

/// A free port that the system gives to nobody who asks for any: it is used again and again, with
/// gaps in which nobody else may take it.
pub(super) fn free_address() -> String {
    static TAKEN_COUNT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 5_000).unwrap();
    // Each test of this process begins elsewhere, as they run side by side.
    let first = first + 100 * TAKEN_COUNT.fetch_add(1, Ordering::SeqCst);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = (first..32_000).find(is_free).expect("one of thousands of ports is free");
    format!("127.0.0.1:{port}")
}

//! The demo's node: the real one, on a thread of its own, with a store in a folder that is thrown away.
//!
//! A runtime of its own on one thread, as `serve` has, so that the reps' side and the server's side
//! share nothing but the network and the clock.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::cli::scratch::Scratch;
use crate::clock::ManualClock;
use crate::node::{Node, Options, Sweeping};

/// How much of each kind one sweep does.
const SWEEP_LIMIT: usize = 5_000;

/// Asks for a full sweep, and is told how it went.
type Sweep = oneshot::Sender<anyhow::Result<()>>;

/// A node on a thread of its own.
pub(super) struct NodeThread {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Its admin token.
    pub(super) token: String,
    sweeps: mpsc::Sender<Sweep>,
    thread: JoinHandle<anyhow::Result<()>>,
    _folder: Scratch,
}

impl NodeThread {
    /// Starts a node on a free port, and waits until it serves.
    pub(super) async fn start(clock: ManualClock) -> anyhow::Result<Self> {
        let folder = Scratch::make("demo")?;
        let store = folder.path().join("demo.db");
        let (sweeps, to_do) = mpsc::channel(1);
        let (ready, is_ready) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("demo-node".to_owned())
            .spawn(move || runtime.block_on(run(store, clock, ready, to_do)))?;
        match is_ready.await {
            Ok((address, token)) => Ok(Self { address, token, sweeps, thread, _folder: folder }),
            Err(_) => {
                ended(thread).await.context("the node could not start")?;
                bail!("the node ended before it served")
            }
        }
    }

    /// Does all that is due by the clock.
    pub(super) async fn sweep(&self) -> anyhow::Result<()> {
        let (done, is_done) = oneshot::channel();
        self.sweeps.send(done).await.context("the node has stopped")?;
        is_done.await.context("the node has stopped")?
    }

    /// Stops it, and throws its store away.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        drop(self.sweeps);
        ended(self.thread).await
    }
}

/// Waits for the thread beside the runtime: the node ends when its connections have, and their other
/// ends live on this runtime.
async fn ended(thread: JoinHandle<anyhow::Result<()>>) -> anyhow::Result<()> {
    let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

async fn run(
    store: PathBuf,
    clock: ManualClock,
    ready: oneshot::Sender<(SocketAddr, String)>,
    mut to_do: mpsc::Receiver<Sweep>,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let clock = Some(Arc::new(clock) as _);
    let node =
        Node::start(Options { clock, sweeping: Sweeping::ByHand, ..Options::new(store, listener) })
            .await?;
    let token = read_token(&node.token_file)?;
    let _ = ready.send((node.address, token));
    while let Some(done) = to_do.recv().await {
        let _ = done.send(sweep_all(&node).await);
    }
    node.stop().await
}

async fn sweep_all(node: &Node) -> anyhow::Result<()> {
    while node.dialer().sweep(SWEEP_LIMIT).await?.is_unfinished() {}
    Ok(())
}

fn read_token(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file).context("could not read the node's token")?;
    Ok(text.trim().to_owned())
}

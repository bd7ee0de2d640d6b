//! One running node: opens the store, wires the parts, serves, sweeps, looks after them, and stops in
//! order.

mod caretaker;
mod exhibit;
mod front;
mod places;
mod process;
mod watching;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::front::{FrontOptions, Limits, Tally, Transport};
use crate::api::{self, Services};
use crate::auth::{Access, JwtSettings, JwtVerifier};
use crate::clock::{Clock, Stopwatch};
use crate::config::{QueuePlace, StorePlace};
use crate::coverage::Coverage;
use crate::dialer::{Dialer, DialerError, Rest, random_tokens};
use crate::queue::RedisOptions;
use crate::store::{DISK_RESERVE_BYTES, Store, StoreError};
use crate::telemetry::TraceMetrics;

use caretaker::Swept;
use exhibit::Parts;
use places::{Opened, open, open_token};
use watching::Watching;

pub use places::StoreClock;

/// How often a node looks for what time changed.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// How much of each kind one sweep does at most.
const SWEEP_LIMIT: usize = 1_000;

/// When tokens that could not be read are read again.
const RELOAD_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What the keys of a shared index begin with.
pub const QUEUE_PREFIX_DEFAULT: &str = "nextlead";

/// Who sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweeping {
    /// The node, by a timer.
    ByTimer,
    /// Whoever holds the node, by hand: tests and the demo, whose clocks are moved by hand too.
    ByHand,
}

/// What a node is made of.
pub struct Options {
    /// The store; a file is made if it is not there.
    pub store: StorePlace,
    /// The password for the store's database, unless its address has it.
    pub store_password: Option<String>,
    /// Whose clock says when a change happens, if the store is a database.
    pub store_clock: StoreClock,
    /// The index of the queues.
    pub queue: QueuePlace,
    /// The password for the index, unless its address has it.
    pub queue_password: Option<String>,
    /// What the keys of a shared index begin with: installations that share a Redis have their own.
    pub queue_prefix: String,
    /// How long a shared index is waited for before it counts as lost.
    pub queue_timeout: Duration,
    /// The file that holds the admin token, or is to; `None`: beside the store's file, or in the
    /// working directory.
    pub admin_token_file: Option<PathBuf>,
    /// Where to listen. The caller brings it, so that a test can bind port 0 and know the port.
    pub listener: TcpListener,
    /// The clock; `None`: that of the store's database, or the machine's, anchored behind the last
    /// instant that the books know.
    pub clock: Option<Arc<dyn Clock>>,
    /// Who sweeps.
    pub sweeping: Sweeping,
    /// How connections are kept from being read on their way.
    pub tls: Transport,
    /// What clients may use up.
    pub limits: Limits,
    /// Where to show metrics and health over plain HTTP; `None`: nowhere. Open from the first moment,
    /// so that a long start can be watched.
    pub metrics_listener: Option<TcpListener>,
    /// What is counted of traces, if somebody collects them.
    pub trace_metrics: Option<TraceMetrics>,
    /// What is kept free on the store's disk for what cannot wait.
    pub disk_reserve_bytes: u64,
    /// The identity provider whose tokens are taken beside the node's own; `None`: none.
    pub jwt: Option<JwtSettings>,
}

impl Options {
    /// A node over a file, that has its index to itself, goes by the machine's clock and sweeps by
    /// itself.
    pub fn new(file: PathBuf, listener: TcpListener) -> Self {
        Self {
            store: StorePlace::File(file),
            store_password: None,
            store_clock: StoreClock::Database,
            queue: QueuePlace::Memory,
            queue_password: None,
            queue_prefix: QUEUE_PREFIX_DEFAULT.to_owned(),
            queue_timeout: RedisOptions::TIMEOUT_DEFAULT,
            admin_token_file: None,
            listener,
            clock: None,
            sweeping: Sweeping::ByTimer,
            tls: Transport::Loopback,
            limits: Limits::default(),
            metrics_listener: None,
            trace_metrics: None,
            disk_reserve_bytes: DISK_RESERVE_BYTES,
            jwt: None,
        }
    }
}

/// A running node.
pub struct Node {
    /// Where it listens.
    pub address: SocketAddr,
    /// The file that holds the admin token.
    pub token_file: PathBuf,
    /// The admin token was made by this start.
    pub is_token_new: bool,
    /// What its front counts.
    pub tally: Arc<Tally>,
    /// Where metrics and health are shown.
    pub metrics_address: Option<SocketAddr>,
    dialer: Dialer,
    watching: Watching,
    access: Arc<Access>,
    store: Arc<dyn Store>,
    stop: watch::Sender<bool>,
    pulse: watch::Receiver<u64>,
    serving: JoinHandle<anyhow::Result<()>>,
    sweeping: JoinHandle<Result<(), DialerError>>,
}

impl Node {
    /// Starts a node on the current runtime. It is ready when this returns.
    pub async fn start(mut options: Options) -> anyhow::Result<Self> {
        let address = address_of(&options)?;
        let sweeping = options.sweeping;
        let metrics_listener = options.metrics_listener.take();
        let mut watching = Watching::begin(&options.store, metrics_listener, sweeping)?;
        let opened = open(&options).await?;
        let Opened { store, store_metrics, file, queue, redis, among, clock } = opened;
        let token = open_token(&options)?;
        let (token_file, is_token_new) = (token.file().to_owned(), token.is_new());
        let tally = Arc::new(Tally::default());
        let starting = Dialer::start(store.clone(), queue, clock.clone(), random_tokens(), among);
        let dialer = starting.await?;
        let (transport, limits) = (options.tls, options.limits);
        let front = FrontOptions { transport, limits, tally: tally.clone() };
        let coverage = Coverage::new(store.clone(), clock.clone());
        let (stop, stopping) = watch::channel(false);
        let jwt = start_jwt(options.jwt, clock.clone(), stopping.clone()).await?;
        let access = Access::start(token, store.clone(), dialer.now()).await?.with_jwt(jwt.clone());
        let access = Arc::new(access);
        let parts = Parts {
            store: store.clone(),
            store_metrics,
            dialer: dialer.clone(),
            coverage: coverage.clone(),
            tally: tally.clone(),
            jwt,
            redis,
            disk_reserve_bytes: options.disk_reserve_bytes,
            clock,
        };
        let swept = watching.add(parts, file, options.trace_metrics).await;
        tokio::spawn(follow_tokens(dialer.clone(), access.clone(), stop.subscribe()));
        let services = Services {
            dialer: dialer.clone(),
            coverage,
            access: access.clone(),
            health: watching.health.clone(),
            metrics: watching.calls.clone(),
        };
        let serving = api::serve(options.listener, services, front, stopped(stopping));
        let serving = StopsNode(stop.clone()).spawn(async { Ok(serving.await?) });
        let (beat, pulse) = watch::channel(0);
        let (by, who) = (dialer.clone(), access.clone());
        let sweeping = sweep(by, who, sweeping, swept, beat, stop.subscribe());
        let sweeping = StopsNode(stop.clone()).spawn(sweeping);
        tracing::info!(%address, metrics_address = ?watching.address, "serving on {address}");
        Ok(Self {
            address,
            token_file,
            is_token_new,
            tally,
            metrics_address: watching.address,
            watching,
            dialer,
            access,
            store,
            stop,
            pulse,
            serving,
            sweeping,
        })
    }

    /// Looks at every part of the node once, and notes what is up and what is down. A node that sweeps
    /// by itself does so every second.
    pub async fn look(&self) {
        self.watching.look().await;
    }

    /// The node's use cases, for whoever sweeps by hand.
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Changes after each sweep, whether it found the store well or not: a node whose pulse stands
    /// still hangs.
    pub fn pulse(&self) -> watch::Receiver<u64> {
        self.pulse.clone()
    }

    /// Who gets in, for whoever sweeps by hand.
    pub fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Runs until `shutdown` ends or the store stops, then stops in order.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut stopping = self.stop.subscribe();
        tokio::select! {
            () = shutdown => {}
            _ = stopping.wait_for(|is_stopping| *is_stopping) => {}
        }
        self.stop().await
    }

    /// Stops: no new calls, running ones end, the sweep ends, the store closes.
    pub async fn stop(self) -> anyhow::Result<()> {
        tracing::info!("stopping");
        self.watching.end();
        self.stop.send_replace(true);
        let served = self.serving.await.context("the server panicked");
        let swept = self.sweeping.await.context("the sweep panicked");
        if let Err(error) = self.access.note_uses().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "could not write down when tokens were last used");
        }
        self.dialer.leave().await;
        self.store.close().await;
        served??;
        swept?.context("the node stopped, since its store did; start it again to recover")?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Where a node is to listen; refused if it would be read on its way.
fn address_of(options: &Options) -> anyhow::Result<SocketAddr> {
    let address = options.listener.local_addr().context("could not read the address")?;
    if options.tls == Transport::Loopback && !address.ip().is_loopback() {
        bail!(
            "{address} is not a loopback address: without TLS a node serves this machine only; \
             give it a certificate, or say that a proxy before it terminates TLS"
        );
    }
    Ok(address)
}

/// Reads the tokens again whenever another node may have made or revoked one.
async fn follow_tokens(dialer: Dialer, access: Arc<Access>, stopping: watch::Receiver<bool>) {
    let mut settings = dialer.settings_number();
    let following = async {
        while settings.changed().await.is_ok() {
            // Until it succeeds: the number has moved on, and a revoked token must not stay valid.
            while let Err(error) = access.reload(dialer.now()).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not read the tokens again; trying soon"
                );
                tokio::time::sleep(RELOAD_AGAIN_AFTER).await;
            }
        }
    };
    tokio::select! {
        () = following => {}
        () = stopped(stopping) => {}
    }
}

/// Stops the node when it goes: no part of a node runs on without the others, also after a panic.
struct StopsNode(watch::Sender<bool>);

impl StopsNode {
    /// Runs a part of the node, which stops when the part ends, however it does.
    fn spawn<T: Send + 'static>(
        self,
        part: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        tokio::spawn(async move {
            let _ending = self;
            part.await
        })
    }
}

impl Drop for StopsNode {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the node is gone, which is a stop as well.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

/// Gets the keys of the identity provider, and keeps them fresh until the node stops. One that does not
/// answer keeps no node from starting: it is asked again, and its tokens are refused until then.
async fn start_jwt(
    settings: Option<JwtSettings>,
    clock: Arc<dyn Clock>,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<Option<Arc<JwtVerifier>>> {
    let Some(settings) = settings else {
        return Ok(None);
    };
    let jwt = JwtVerifier::new(settings).context("could not set up the identity provider")?;
    let jwt = Arc::new(jwt);
    // It logs what failed itself.
    let _ = jwt.refresh(clock.now()).await;
    let keeping = jwt.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = keeping.keep_fresh(&*clock) => {}
            () = stopped(stopping) => {}
        }
    });
    Ok(Some(jwt))
}

/// Sweeps until the node stops, or its store has.
async fn sweep(
    dialer: Dialer,
    access: Arc<Access>,
    sweeping: Sweeping,
    swept: Swept,
    beat: watch::Sender<u64>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), DialerError> {
    if sweeping == Sweeping::ByHand {
        stopped(stopping).await;
        return Ok(());
    }
    let mut timer = tokio::time::interval(SWEEP_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|is_stopping| *is_stopping) => return Ok(()),
            _ = timer.tick() => {}
        }
        if let Err(error) = access.sweep(dialer.now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a sweep of tokens failed");
        }
        let watch = Stopwatch::start();
        let pass = dialer.sweep(SWEEP_LIMIT).await;
        beat.send_modify(|count| *count += 1);
        match pass {
            Ok(rest) => {
                swept.note();
                match rest {
                    Rest::Nothing => {}
                    // Half of the time is for calls: a million leads are compared for minutes.
                    Rest::Comparing => timer.reset_after(watch.elapsed().min(SWEEP_EVERY)),
                    Rest::Due => timer.reset_immediately(),
                }
            }
            Err(error @ DialerError::Store(StoreError::Stopped)) => return Err(error),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a sweep failed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_whose_store_has_stopped_ends_with_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = Options::new(folder.path().join("nextlead.db"), listener);
        let node = Node::start(options).await.unwrap();
        // So it is after a commit whose outcome is unknown.
        node.store.close().await;

        let run = node.run_until(std::future::pending());
        let ended = tokio::time::timeout(Duration::from_secs(20), run).await.expect("it ends");

        assert!(ended.unwrap_err().to_string().contains("start it again"));
    }
}

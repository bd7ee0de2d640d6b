//! What lets people and programs watch over a node: the board of its parts, the metrics, the door that
//! shows both, and the tasks that keep them true. They end with the node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::api::{self, CallMetrics, Watch};
use crate::clock::{Clock as _, SystemClock};
use crate::config::StorePlace;
use crate::coverage::Coverage;
use crate::health::Health;
use crate::telemetry::TraceMetrics;

use super::Sweeping;
use super::caretaker::{self, Caretaker, Swept};
use super::exhibit::{Exhibit, Parts};

/// How often a node counts its books again.
const RECOUNT_EVERY: Duration = Duration::from_secs(15 * 60);
/// How long books that were read for the metrics stay fresh.
const BOOKS_FRESH_FOR: Duration = Duration::from_secs(2);

/// What lets people and programs watch over a node.
pub(super) struct Watching {
    pub(super) health: Health,
    /// What is counted of calls.
    pub(super) calls: CallMetrics,
    /// Where it is shown.
    pub(super) address: Option<SocketAddr>,
    exhibit: Arc<Exhibit>,
    sweeping: Sweeping,
    caretaker: Option<Arc<Caretaker>>,
    tasks: JoinSet<()>,
}

impl Watching {
    /// Begins to show what there is, before the store is open.
    pub(super) fn begin(
        store: &StorePlace,
        listener: Option<TcpListener>,
        sweeping: Sweeping,
    ) -> anyhow::Result<Self> {
        let health = Health::default();
        // The node's own clock is anchored behind its books, which are not open yet.
        caretaker::begin(&health, SystemClock::start(0).now());
        let fresh_for = match sweeping {
            Sweeping::ByTimer => BOOKS_FRESH_FOR,
            Sweeping::ByHand => Duration::ZERO,
        };
        let file = match store {
            StorePlace::File(file) => Some(file.clone()),
            StorePlace::Postgres(_) => None,
        };
        let exhibit = Arc::new(Exhibit::new(file, health.clone(), fresh_for));
        let mut tasks = JoinSet::new();
        let mut address = None;
        if let Some(listener) = listener {
            address = Some(listener.local_addr().context("could not read the metrics address")?);
            let shown = exhibit.clone();
            let exposition: api::Exposition = Arc::new(move || shown.clone().text().boxed());
            let shown = Watch { health: health.clone(), exposition };
            tasks.spawn(api::watch(listener, shown, std::future::pending()));
        }
        let (calls, caretaker) = (CallMetrics::default(), None);
        Ok(Self { health, calls, address, exhibit, sweeping, caretaker, tasks })
    }

    /// Looks after the parts of a node from here on. Gives what the sweep notes its passes in.
    pub(super) async fn add(
        &mut self,
        parts: Parts,
        file: Option<PathBuf>,
        traces: Option<TraceMetrics>,
    ) -> Swept {
        let swept = Swept::now();
        let is_by_timer = self.sweeping == Sweeping::ByTimer;
        let caretaker = Arc::new(Caretaker {
            disk_reserve_bytes: parts.disk_reserve_bytes,
            health: self.health.clone(),
            store: parts.store.clone(),
            store_metrics: parts.store_metrics.clone(),
            dialer: parts.dialer.clone(),
            jwt: parts.jwt.clone(),
            clock: parts.clock.clone(),
            file,
            is_index_shared: parts.redis.is_some(),
            swept: is_by_timer.then_some(swept.clone()),
        });
        caretaker.look().await;
        if is_by_timer {
            self.tasks.spawn(caretaker.clone().run());
            self.tasks.spawn(recount_now_and_then(parts.coverage.clone()));
        }
        self.caretaker = Some(caretaker);
        self.exhibit.add(parts, &self.calls, traces.as_ref());
        swept
    }

    /// Looks at every part once.
    pub(super) async fn look(&self) {
        if let Some(caretaker) = &self.caretaker {
            caretaker.look().await;
        }
    }

    /// Notes that the node is about to stop.
    pub(super) fn end(&self) {
        if let Some(caretaker) = &self.caretaker {
            self.health.set("node", Some("it is stopping"), caretaker.clock.now());
        }
    }
}

async fn recount_now_and_then(coverage: Coverage) {
    let mut timer = tokio::time::interval(RECOUNT_EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first tick comes at once, and a node that starts has other things to do.
    timer.tick().await;
    loop {
        timer.tick().await;
        if let Err(error) = coverage.recount().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "could not count the books again");
        }
    }
}

//! Looks after the parts of a node, and notes on its board what is up and what is down.
//!
//! The board's lines are `store`, `index`, `rules` and `sweep`; `disk`, where the store is a file;
//! `redis`, where the index is there; and `keys`, where tokens of an identity provider are taken.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::auth::JwtVerifier;
use crate::clock::{Clock, Stopwatch};
use crate::dialer::{Dialer, IndexState};
use crate::health::Health;
use crate::store::{Store, StoreMetrics, WriterState};

use super::process;

/// How often a node looks after its parts.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the store may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long the sweep may go without a pass that went well.
const SWEEP_WITHIN: Duration = Duration::from_secs(10);

/// When the sweep last went well.
#[derive(Clone)]
pub(super) struct Swept(Arc<Mutex<Stopwatch>>);

impl Swept {
    pub(super) fn now() -> Self {
        Self(Arc::new(Mutex::new(Stopwatch::start())))
    }

    pub(super) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Stopwatch::start();
    }

    fn is_overdue(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > SWEEP_WITHIN
    }
}

/// Notes what is known before the store is open.
pub(super) fn begin(health: &Health, now: i64) {
    health.set("store", Some("it is being opened"), now);
    health.set("index", Some("it is being built from the store"), now);
}

/// Looks after the parts of a node.
pub(super) struct Caretaker {
    pub(super) health: Health,
    pub(super) store: Arc<dyn Store>,
    pub(super) store_metrics: StoreMetrics,
    pub(super) dialer: Dialer,
    pub(super) jwt: Option<Arc<JwtVerifier>>,
    pub(super) clock: Arc<dyn Clock>,
    /// The store's file, if it is one.
    pub(super) file: Option<PathBuf>,
    /// The index is in Redis.
    pub(super) is_index_shared: bool,
    /// What is kept free on the store's disk; below it, leads are not taken in.
    pub(super) disk_reserve_bytes: u64,
    /// `None`: somebody sweeps by hand.
    pub(super) swept: Option<Swept>,
}

impl Caretaker {
    /// Looks at every part once.
    pub(super) async fn look(&self) {
        let store = self.store_problem().await;
        let rules = self.dialer.metrics().is_unranked();
        let sweep = self.swept.as_ref().is_some_and(Swept::is_overdue);
        let note = |part, problem| self.health.set(part, problem, self.clock.now());
        note("store", store);
        note("index", None);
        if self.is_index_shared {
            note("redis", self.redis_problem());
        }
        note("rules", rules.then_some("a queue could not be ranked by its newest rules"));
        note("sweep", sweep.then_some("no pass of the sweep went well for ten seconds"));
        if let Some(file) = &self.file {
            note("disk", self.disk_problem(file));
        }
        if let Some(jwt) = &self.jwt {
            let is_usable = jwt.health(self.clock.now()).is_usable;
            note(
                "keys",
                (!is_usable).then_some("there are no usable keys of the identity provider"),
            );
        }
    }

    /// Looks again and again.
    pub(super) async fn run(self: Arc<Self>) {
        let mut timer = tokio::time::interval(LOOK_EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            self.look().await;
        }
    }

    async fn store_problem(&self) -> Option<&'static str> {
        if self.store_metrics.writer_state() == WriterState::Stopped {
            return Some("its writer has stopped; the node must be started again");
        }
        // A file's is told of with its disk.
        if self.file.is_none() && self.store_metrics.writer_state() == WriterState::Full {
            return Some(
                "its server had no room at the last commit: changes are refused, reads go on",
            );
        }
        match tokio::time::timeout(ANSWER_WITHIN, self.store.last_instant()).await {
            Ok(Ok(_)) => None,
            Ok(Err(_)) => Some("it cannot be read"),
            Err(_) => Some("it does not answer"),
        }
    }

    fn redis_problem(&self) -> Option<&'static str> {
        match self.dialer.metrics().index() {
            IndexState::Up => None,
            IndexState::NotBuilt => Some("it is being built from the store: nobody can pull yet"),
            IndexState::OutOfReach => Some("it does not answer: nobody can pull, all else goes on"),
        }
    }

    fn disk_problem(&self, file: &Path) -> Option<&'static str> {
        if self.store_metrics.writer_state() == WriterState::Full {
            return Some("it was full at the last commit: changes are refused, reads go on");
        }
        let free = process::disk_free_bytes(file)?;
        // As the store's writer asks.
        let is_low = free < self.disk_reserve_bytes.max(1);
        is_low.then_some(
            "less than the disk reserve is free: leads are not taken in, all else goes on",
        )
    }
}

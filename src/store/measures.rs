//! What the store counts of itself. Counted after the commit and from what was committed, so that
//! the counts of a run are those of the books.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::domain::{Disposition, EventKind};
use crate::metrics::{Gauge, Latency, Registry, Size, Tally, Unit};

use super::StoreError;
use super::books::Slate;

/// How the writer of a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterState {
    /// The last commit went through.
    Writing,
    /// The disk was full at the last commit.
    Full,
    /// It stopped, and writes no more.
    Stopped,
}

/// What became of a handover that was counted.
const HANDOVERS: [&str; 3] = ["opened", "merged", "updated"];
/// Why a transaction was taken back.
const FAILURES: [&str; 3] = ["full", "unavailable", "unknown"];

/// What the store counts of itself. Clones share everything.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    pub(super) commit: Latency,
    pub(super) transaction: Latency,
    pub(super) changes: Size,
    pub(super) leads: Size,
    pub(super) waiting: Gauge,
    /// In seconds.
    pub(super) ahead: Gauge,
    events: Tally,
    touches: Tally,
    handovers: Tally,
    failures: Tally,
    state: Arc<AtomicU8>,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self {
            commit: Latency::default(),
            transaction: Latency::default(),
            changes: Size::default(),
            leads: Size::default(),
            waiting: Gauge::default(),
            ahead: Gauge::default(),
            events: Tally::new("kind", EventKind::ALL.iter().map(|kind| kind.code())),
            touches: Tally::new("disposition", Disposition::ALL.iter().map(|one| one.code())),
            handovers: Tally::new("outcome", HANDOVERS),
            failures: Tally::new("why", FAILURES),
            state: Arc::default(),
        }
    }
}

impl StoreMetrics {
    /// Puts everything into a registry.
    pub fn register(&self, registry: &mut Registry) {
        self.commit.register(
            registry,
            "commit_duration",
            "How long the commit of a batch took: the sync of the disk",
        );
        self.transaction.register(
            registry,
            "transaction_duration",
            "How long a batch took from its begin to its end, its commit included",
        );
        self.changes.register(registry, "commit_changes", "How many changes shared a commit");
        self.leads.register(registry, "commit_leads", "How many leads a commit changed");
        let help = "Changes that wait for the writer or are in its transaction";
        registry.register("writer_queue_changes", help, self.waiting.clone());
        let help = "How far the time of changes is ahead of the database server's clock, as after that \
                    clock was set back: zero unless somebody has to set it right";
        let ahead = self.ahead.clone();
        registry.register_with_unit("store_clock_ahead", help, Unit::Seconds, ahead);
        self.events.register(registry, "ledger_events", "Ledger events that were committed");
        self.touches.register(registry, "touches", "Touches that were committed");
        self.handovers.register(registry, "handovers", "Handovers that were committed");
        self.failures.register(registry, "store_failures", "Transactions that failed");
    }

    /// How the writer is.
    pub fn writer_state(&self) -> WriterState {
        match self.state.load(Ordering::Relaxed) {
            0 => WriterState::Writing,
            1 => WriterState::Full,
            _ => WriterState::Stopped,
        }
    }

    pub(super) fn set_state(&self, state: WriterState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Notes what a commit stored.
    pub(super) fn committed(&self, moved: &Moved, change_count: usize) {
        self.changes.observe(change_count);
        self.leads.observe(moved.lead_count);
        let parts = [
            (&self.events, moved.events.as_slice()),
            (&self.touches, &moved.touches),
            (&self.handovers, &moved.handovers),
        ];
        for (tally, counts) in parts {
            counts.iter().enumerate().for_each(|(place, count)| tally.add(place, *count));
        }
        self.set_state(WriterState::Writing);
    }

    /// Notes that a transaction was taken back, or that nobody knows what became of it.
    pub(super) fn failed(&self, error: &StoreError) {
        let place = match error {
            StoreError::Denied(_) | StoreError::Low => return,
            StoreError::Full => {
                self.set_state(WriterState::Full);
                0
            }
            StoreError::Unknown => 2,
            StoreError::Unavailable(_)
            | StoreError::Stopped
            | StoreError::InUse { .. }
            | StoreError::NoRoom { .. }
            | StoreError::Unfit { .. }
            | StoreError::Newer { .. }
            | StoreError::Corrupt { .. } => 1,
        };
        self.failures.add(place, 1);
    }
}

/// What a batch moved, by kind.
#[derive(Debug, Default)]
pub(super) struct Moved {
    lead_count: usize,
    events: [u64; EventKind::ALL.len()],
    touches: [u64; Disposition::ALL.len()],
    handovers: [u64; HANDOVERS.len()],
}

impl Moved {
    pub(super) fn of(slate: &Slate) -> Self {
        let mut moved = Self { lead_count: slate.changed().count(), ..Self::default() };
        for new in &slate.events {
            moved.events[new.event.kind as usize] += 1;
        }
        for new in &slate.new_touches {
            moved.touches[new.touch.disposition as usize] += 1;
        }
        for row in slate.handovers.values() {
            match (row.is_new, row.is_changed, row.is_merged) {
                (true, _, false) => moved.handovers[0] += 1,
                (true, _, true) => moved.handovers[1] += 1,
                (false, true, _) => moved.handovers[2] += 1,
                (false, false, _) => {}
            }
        }
        moved
    }
}

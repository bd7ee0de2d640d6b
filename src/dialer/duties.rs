//! What only one node at a time does: the store says who. A node alone does everything, and asks
//! nobody.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::domain::QueueKey;
use crate::store::{Duty, Store, StoreError, TakeDuty};

/// Whether other nodes work on the same store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Among {
    /// There is no other: the index is in this process.
    Alone,
    /// There may be others: the index is shared.
    Nodes {
        /// What tells this node from every other, and from itself before it was started again.
        node: String,
    },
}

impl Among {
    /// One of several nodes, with an id that no other has.
    pub fn nodes() -> Self {
        let mut bits = [0; 8];
        getrandom::fill(&mut bits).expect("the operating system gives random bits");
        Self::Nodes { node: format!("{:016x}", u64::from_be_bytes(bits)) }
    }
}

/// For how long a duty is taken: so long at most nobody does it after its node died.
const HOLD_MS: i64 = 4_000;
/// How often it is taken again meanwhile.
const RENEW_EVERY_MS: i64 = 1_000;

/// For how long nobody asks again for a duty that another node has: from the first refusal, twice as
/// long after each further one, up to a limit. To ask is a write.
const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The duty of sweeping, promoting and mending.
pub(super) const SWEEP: &str = "sweep";

/// The duty of ranking a queue.
pub(super) fn ranking(queue: QueueKey) -> String {
    format!("rank {}", queue.0)
}

/// The right to do what a duty is about.
#[derive(Clone, Debug)]
pub(super) enum Hold {
    /// There is nobody else.
    Alone,
    /// It is this node's for now.
    Held(Duty),
}

impl Hold {
    /// What fences the changes that follow from it.
    pub(super) fn duty(&self) -> Option<&Duty> {
        match self {
            Self::Alone => None,
            Self::Held(duty) => Some(duty),
        }
    }
}

/// The duties that this node holds.
#[derive(Debug)]
pub(super) struct Duties {
    among: Among,
    held: Mutex<HashMap<String, (Duty, i64)>>,
    /// How many runs of this node go by a duty: the last of them gives it up. Held while one begins or
    /// ends, so that none gives up what another has just taken.
    runs: tokio::sync::Mutex<HashMap<String, Runs>>,
}

/// The runs that go by a duty.
#[derive(Debug, Default)]
struct Runs {
    count: usize,
    /// Another node had it when it was asked for, and for how long it is not asked for again.
    refused: Option<(Stopwatch, Duration)>,
}

impl Runs {
    /// Whether it is to be left alone for now.
    fn is_waiting(&self) -> bool {
        self.refused.as_ref().is_some_and(|(since, wait)| since.elapsed() < *wait)
    }

    fn refuse(&mut self) {
        let wait = self.refused.as_ref().map_or(WAIT_MIN, |(_, wait)| (*wait * 2).min(WAIT_MAX));
        self.refused = Some((Stopwatch::start(), wait));
    }
}

impl Duties {
    pub(super) fn new(among: Among) -> Self {
        Self { among, held: Mutex::default(), runs: tokio::sync::Mutex::default() }
    }

    pub(super) fn is_alone(&self) -> bool {
        self.among == Among::Alone
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, (Duty, i64)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a duty, or carries it on; `None`: another node has it.
    pub(super) async fn take(
        &self,
        store: &dyn Store,
        name: &str,
        now: i64,
    ) -> Result<Option<Hold>, StoreError> {
        let Among::Nodes { node } = &self.among else { return Ok(Some(Hold::Alone)) };
        if let Some((duty, taken_at)) = self.held().get(name)
            && (0..RENEW_EVERY_MS).contains(&(now - taken_at))
        {
            return Ok(Some(Hold::Held(duty.clone())));
        }
        let take = TakeDuty { name: name.to_owned(), node: node.clone(), now, for_ms: HOLD_MS };
        let taken = store.take_duty(&take).await?;
        let before = match &taken {
            Some(duty) => self.held().insert(name.to_owned(), (duty.clone(), now)),
            None => self.held().remove(name),
        };
        if before.is_some() != taken.is_some() {
            tracing::info!(duty = name, is_held = taken.is_some(), "a duty changed hands");
        }
        Ok(taken.map(Hold::Held))
    }

    /// Takes a duty for a run, which is to end with [`Duties::end_run`]; `None`: another node has it, or
    /// had it a moment ago.
    pub(super) async fn begin_run(
        &self,
        store: &dyn Store,
        name: &str,
        now: i64,
    ) -> Result<Option<Hold>, StoreError> {
        let mut all = self.runs.lock().await;
        let runs = all.entry(name.to_owned()).or_default();
        if runs.is_waiting() {
            return Ok(None);
        }
        let hold = self.take(store, name, now).await?;
        match hold {
            Some(_) => *runs = Runs { count: runs.count + 1, refused: None },
            None => runs.refuse(),
        }
        Ok(hold)
    }

    /// Whether a run of this node goes by a duty, or is about to.
    pub(super) fn has_run(&self, name: &str) -> bool {
        match self.runs.try_lock() {
            Ok(all) => all.get(name).is_some_and(|runs| runs.count > 0),
            // Some run begins or ends.
            Err(_) => true,
        }
    }

    /// Ends a run. The last of a duty gives it up.
    pub(super) async fn end_run(&self, store: &dyn Store, name: &str) {
        let mut all = self.runs.lock().await;
        let Some(runs) = all.get_mut(name) else { return };
        runs.count = runs.count.saturating_sub(1);
        if runs.count == 0 {
            self.give_up(store, name).await;
        }
    }

    /// Whether this node has a duty, as far as it knows.
    pub(super) fn is_held(&self, name: &str) -> bool {
        self.is_alone() || self.held().contains_key(name)
    }

    /// Notes that another node has taken a duty over.
    pub(super) fn lose(&self, name: &str) {
        self.held().remove(name);
    }

    /// Gives a duty up.
    pub(super) async fn give_up(&self, store: &dyn Store, name: &str) {
        let held = self.held().remove(name);
        let Some((duty, _)) = held else { return };
        if let Err(error) = store.give_duty_up(&duty).await {
            // Another takes it over when it is over.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, duty = name, "could not give a duty up");
        }
    }

    /// Gives everything up, as the node stops.
    pub(super) async fn give_all_up(&self, store: &dyn Store) {
        let names: Vec<String> = self.held().keys().cloned().collect();
        for name in names {
            self.give_up(store, &name).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duty_that_another_node_has_is_asked_for_more_and_more_rarely() {
        let mut runs = Runs::default();
        assert!(!runs.is_waiting());
        let waits = [(); 6].map(|()| {
            runs.refuse();
            assert!(runs.is_waiting());
            runs.refused.as_ref().map_or(0, |(_, wait)| wait.as_millis())
        });
        assert_eq!(waits, [100, 200, 400, 800, 1_000, 1_000]);
    }
}

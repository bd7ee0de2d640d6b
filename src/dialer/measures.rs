//! What the dialer counts of itself, and what stands in each queue right now.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Queue, QueueId, QueueKey, ServeOrder};
use crate::metrics::{Counter, Gauge, Latency, Registry, Tally};

use super::follower::is_paused;
use super::{Dialer, DialerError, Pulled, Unroutable};

/// How the index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexState {
    /// It is there, and built.
    #[default]
    Up,
    /// It has to be built from the store, or is being built.
    NotBuilt,
    /// It does not answer.
    OutOfReach,
}

/// What a pull ended with.
const PULLS: [&str; 5] = ["callback", "first_touch", "ordinary", "again", "nothing"];

/// What the dialer counts of itself. Clones share everything.
#[derive(Clone, Debug)]
pub struct DialerMetrics {
    pub(super) pull: Latency,
    pub(super) selection: Latency,
    pub(super) answer: Latency,
    /// Pulls that wait for a lead to appear.
    pub(super) waiting: Gauge,
    pub(super) turned: Counter,
    pub(super) index_misses: Counter,
    /// Leads that the index had otherwise than the store.
    pub(super) index_drift: Counter,
    index: Arc<Mutex<IndexState>>,
    pulls: Tally,
    ranking_failures: Counter,
    /// The queues whose last ranking failed.
    unranked: Arc<Mutex<BTreeSet<QueueKey>>>,
}

impl Default for DialerMetrics {
    fn default() -> Self {
        Self {
            pull: Latency::default(),
            selection: Latency::default(),
            answer: Latency::default(),
            waiting: Gauge::default(),
            turned: Counter::default(),
            index_misses: Counter::default(),
            index_drift: Counter::default(),
            index: Arc::default(),
            pulls: Tally::new("outcome", PULLS),
            ranking_failures: Counter::default(),
            unranked: Arc::default(),
        }
    }
}

impl DialerMetrics {
    /// Puts everything into a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How long a pull took, without its wait for a lead to appear";
        self.pull.register(registry, "pull_duration", help);
        let help = "How long the index took to propose a lead";
        self.selection.register(registry, "selection_duration", help);
        let help = "How long it took to put a served lead together: its story, and why this one";
        self.answer.register(registry, "answer_duration", help);
        self.pulls.register(registry, "pulls", "Pulls by what they ended with");
        let help = "Pulls that wait for a lead to appear";
        registry.register("waiting_pulls", help, self.waiting.clone());
        let help = "Candidates of the index that the store turned down";
        registry.register("turned_down_candidates", help, self.turned.clone());
        let help = "Commits that the index missed; the sweep mends it";
        registry.register("index_misses", help, self.index_misses.clone());
        let help = "Leads that the index had otherwise than the store; the sweep mended them";
        registry.register("index_drift", help, self.index_drift.clone());
        let help = "Rankings of a queue that failed";
        registry.register("ranking_failures", help, self.ranking_failures.clone());
    }

    /// Whether some queue's last ranking failed, so that its newest rules are not in force.
    pub fn is_unranked(&self) -> bool {
        !self.unranked.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How many pulls wait for a lead to appear.
    pub fn waiting_count(&self) -> i64 {
        self.waiting.get()
    }

    /// How many leads the index had otherwise than the store.
    pub fn drift_count(&self) -> u64 {
        self.index_drift.get()
    }

    /// How the index is, as far as this node knows.
    pub fn index(&self) -> IndexState {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how the index is. Answers how it was.
    pub(super) fn index_state(&self, state: IndexState) -> IndexState {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut index, state)
    }

    /// Notes how the ranking of a queue ended.
    pub(super) fn ranked(&self, queue: QueueKey, is_done: bool) {
        let mut unranked = self.unranked.lock().unwrap_or_else(PoisonError::into_inner);
        if is_done {
            unranked.remove(&queue);
        } else {
            self.ranking_failures.inc();
            unranked.insert(queue);
        }
    }

    /// Notes what a pull ended with.
    pub(super) fn pulled(&self, pulled: &Pulled) {
        let place = match pulled {
            Pulled::Nothing(_) => 4,
            Pulled::Served(served) if served.was_held => 3,
            Pulled::Served(served) => match served.why.order {
                ServeOrder::Callback => 0,
                ServeOrder::FirstTouch => 1,
                ServeOrder::Ordinary => 2,
            },
        };
        self.pulls.add(place, 1);
    }
}

/// What stands in a queue's index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueCensus {
    /// The queue.
    pub queue: QueueId,
    /// Its key in the store.
    pub key: QueueKey,
    /// Ready in line, and somebody can take it when its hours are open: those kept for a rep as well.
    pub servable: usize,
    /// Ready in line, and nobody can take it as things stand: by [`Unroutable::ALL`].
    pub unroutable: [usize; Unroutable::ALL.len()],
    /// Ready in line, and its campaign is paused.
    pub paused: usize,
    /// Waiting for an instant.
    pub waiting: usize,
    /// Proposed to a pull whose commit is not known yet.
    pub in_flight: usize,
}

impl Dialer {
    /// The queues, each with its key in the store.
    pub fn queue_keys(&self) -> Vec<(QueueId, QueueKey)> {
        self.roster().queues().iter().map(|queue| (queue.id.clone(), queue.key)).collect()
    }

    /// What it counts of itself.
    pub fn metrics(&self) -> DialerMetrics {
        self.parts.metrics.clone()
    }

    /// Counts what stands in each queue's index, in time proportional to lanes and reps.
    ///
    /// Beyond the most lanes that a queue may have, leads share coarser ones whose skills are not
    /// told apart: those are counted as if anybody could take them.
    pub async fn census(&self) -> Result<Vec<QueueCensus>, DialerError> {
        let mut queues = Vec::new();
        for queue in self.roster().queues() {
            queues.push(self.census_of(&queue).await?);
        }
        Ok(queues)
    }

    async fn census_of(&self, queue: &Queue) -> Result<QueueCensus, DialerError> {
        let now = self.now();
        let skills = self.skills_in(queue.key, now);
        let found = self.queue_index().census(queue.key).await?;
        let mut census = QueueCensus {
            queue: queue.id.clone(),
            key: queue.key,
            servable: 0,
            unroutable: Default::default(),
            paused: 0,
            waiting: found.waiting,
            in_flight: found.in_flight,
        };
        let anyones = found.lanes.into_iter().map(|(lane, count)| (None, lane, count));
        let kept = found.kept.into_iter().map(|(rep, lane, count)| (Some(rep), lane, count));
        for (keeper, lane, count) in anyones.chain(kept) {
            if is_paused(&lane) {
                census.paused += count;
                continue;
            }
            let keeper = keeper.and_then(|rep| self.roster().rep_by_key(rep));
            // Of one who left it is anyone's as soon as it is put anew.
            let keeper =
                keeper.filter(|one| one.rep.queue == queue.key && one.rep.is_active_at(now));
            let why = match &lane.hours {
                None => Some(Unroutable::NoHours),
                Some(hours) if self.parts.hours.never_opens(queue, hours, now) => {
                    Some(Unroutable::NeverOpen)
                }
                Some(_) if !skills.iter().any(|has| lane.skills.is_subset(has)) => {
                    Some(Unroutable::NoRep)
                }
                Some(_) if keeper.is_some_and(|one| !lane.skills.is_subset(&one.skills)) => {
                    Some(Unroutable::Kept)
                }
                Some(_) => None,
            };
            match why {
                Some(why) => census.unroutable[why as usize] += count,
                None => census.servable += count,
            }
        }
        Ok(census)
    }
}

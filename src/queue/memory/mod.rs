//! The index in this process, on the `priority-queue` crate.
//!
//! One lock a queue, held for microseconds and never across an await. A queue has an [`index`], which
//! has a `line` in use, which has `lanes`; a pull compares the heads of the lanes open to the rep.

mod index;
mod lanes;
mod line;
mod own;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use async_trait::async_trait;

use crate::domain::{LeadId, QueueKey, RepKey, ServeOrder};
use crate::queue::{
    Applied, Ask, Basis, Census, Counts, Generation, KnownSlice, LeadQueue, Proposal, QueueError,
    Snapshot, Swap, Update,
};

use index::{QueueIndex, queue_of, subject};

/// The index of each queue, in this process alone.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    queues: RwLock<HashMap<QueueKey, Arc<Mutex<QueueIndex>>>>,
}

impl MemoryQueue {
    /// An index with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The index of a queue, if anything was ever said about it.
    fn known(&self, queue: QueueKey) -> Option<Arc<Mutex<QueueIndex>>> {
        self.queues.read().expect(NO_PANIC).get(&queue).cloned()
    }

    /// The index of a queue, which is begun if there is none.
    fn open(&self, queue: QueueKey) -> Arc<Mutex<QueueIndex>> {
        let known = self.known(queue);
        known.unwrap_or_else(|| {
            Arc::clone(self.queues.write().expect(NO_PANIC).entry(queue).or_default())
        })
    }

    /// Reads or changes the index of a queue that has one.
    fn with<T>(
        &self,
        queue: QueueKey,
        act: impl FnOnce(&mut QueueIndex) -> T,
    ) -> Result<T, QueueError> {
        let index = self.known(queue).ok_or(QueueError::NotBuilt(queue))?;
        let mut index = lock(&index);
        if index.is_built { Ok(act(&mut index)) } else { Err(QueueError::NotBuilt(queue)) }
    }
}

/// Changes in a row, most of them of one queue.
struct Indices<'q> {
    queues: &'q MemoryQueue,
    last: Option<(QueueKey, Option<Arc<Mutex<QueueIndex>>>)>,
}

impl Indices<'_> {
    /// The index of a queue, locked for one change: a pull waits for that, not for a batch.
    fn of(&mut self, queue: QueueKey) -> Option<MutexGuard<'_, QueueIndex>> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != queue) {
            self.last = Some((queue, self.queues.known(queue)));
        }
        self.last.as_ref()?.1.as_deref().map(lock)
    }
}

/// Why a lock is never poisoned.
const NO_PANIC: &str = "nothing panics while it holds the lock";

fn lock(index: &Mutex<QueueIndex>) -> MutexGuard<'_, QueueIndex> {
    index.lock().expect(NO_PANIC)
}

#[async_trait]
impl LeadQueue for MemoryQueue {
    async fn begin(&self, queue: QueueKey, basis: Basis) -> Result<(), QueueError> {
        lock(&self.open(queue)).begin(basis);
        Ok(())
    }

    async fn is_built(&self, queue: QueueKey) -> Result<Option<Basis>, QueueError> {
        Ok(self.with(queue, |index| index.line.basis).ok())
    }

    async fn apply(&self, updates: Vec<Update>) -> Result<Applied, QueueError> {
        let mut indices = Indices { queues: self, last: None };
        let (mut applied, mut not_built) = (Applied::default(), None);
        for update in updates {
            let queue = queue_of(&update);
            let Some(mut index) = indices.of(queue) else {
                not_built.get_or_insert(queue);
                continue;
            };
            if !index.is_built {
                not_built.get_or_insert(queue);
                index.miss(&update);
                continue;
            }
            let in_use = index.line.basis;
            let is_older = matches!(&update, Update::Put(entry) if entry.basis < in_use);
            let is_change = index.apply(update);
            applied.changed_count += usize::from(is_change);
            if is_change && is_older && !applied.overtaken.contains(&queue) {
                applied.overtaken.push(queue);
            }
        }
        not_built.map_or(Ok(applied), |queue| Err(QueueError::NotBuilt(queue)))
    }

    async fn differing(
        &self,
        queue: QueueKey,
        updates: &[Update],
    ) -> Result<Vec<LeadId>, QueueError> {
        self.with(queue, |index| {
            let differing = updates.iter().filter(|update| index.would_change(update));
            differing.map(|update| subject(update).0).collect()
        })
    }

    async fn propose(&self, ask: &Ask) -> Result<Proposal, QueueError> {
        self.with(ask.queue, |index| index.propose(ask))
    }

    async fn served(
        &self,
        queue: QueueKey,
        rep: RepKey,
        lead: LeadId,
        order: ServeOrder,
        reserve_after: u32,
    ) -> Result<(), QueueError> {
        self.with(queue, |index| index.served(rep, lead, order, reserve_after))
    }

    async fn put_back(&self, queue: QueueKey, leads: &[LeadId]) -> Result<(), QueueError> {
        self.with(queue, |index| leads.iter().for_each(|lead| index.put_back(*lead)))
    }

    async fn promote(&self, now: i64, limit: usize) -> Result<usize, QueueError> {
        let queues: Vec<_> = self.queues.read().expect(NO_PANIC).values().cloned().collect();
        let mut done = 0;
        for index in queues {
            done += lock(&index).promote(now, limit - done);
        }
        Ok(done)
    }

    async fn next_due_at(&self, queue: QueueKey) -> Result<Option<i64>, QueueError> {
        self.with(queue, |index| index.line.next_due_at())
    }

    async fn counts(&self, ask: &Ask) -> Result<Counts, QueueError> {
        self.with(ask.queue, |index| index.counts(ask))
    }

    async fn census(&self, queue: QueueKey) -> Result<Census, QueueError> {
        self.with(queue, |index| index.census())
    }

    async fn hours(&self, queue: QueueKey) -> Result<Vec<Arc<str>>, QueueError> {
        self.with(queue, |index| index.line.lanes.hours().iter().cloned().collect())
    }

    async fn peek(&self, queue: QueueKey, now: i64, limit: usize) -> Result<Snapshot, QueueError> {
        self.with(queue, |index| index.line.peek(now, limit))
    }

    async fn place_of(
        &self,
        queue: QueueKey,
        lead: LeadId,
        now: i64,
    ) -> Result<Option<(usize, usize)>, QueueError> {
        self.with(queue, |index| index.line.place_of(lead, now))
    }

    async fn known(
        &self,
        queue: QueueKey,
        _from: u64,
        _limit: usize,
    ) -> Result<KnownSlice, QueueError> {
        self.with(queue, |_| KnownSlice::default())
    }

    async fn stage(&self, queue: QueueKey, basis: Basis) -> Result<Generation, QueueError> {
        let (generation, dropped) = lock(&self.open(queue)).stage(basis);
        drop(dropped);
        Ok(generation)
    }

    async fn staged(&self, queue: QueueKey) -> Result<Option<Generation>, QueueError> {
        Ok(self.known(queue).and_then(|index| lock(&index).staged()))
    }

    async fn apply_staged(
        &self,
        queue: QueueKey,
        generation: Generation,
        updates: Vec<Update>,
    ) -> Result<(), QueueError> {
        let index = self.known(queue).ok_or(QueueError::Overtaken(queue))?;
        if !lock(&index).is_staged(generation) {
            return Err(QueueError::Overtaken(queue));
        }
        for update in updates {
            // A pull waits for one change, not for a batch.
            if !lock(&index).apply_staged(generation, update) {
                return Err(QueueError::Overtaken(queue));
            }
        }
        Ok(())
    }

    async fn unstage(&self, queue: QueueKey, generation: Generation) -> Result<(), QueueError> {
        let dropped = self.known(queue).and_then(|index| lock(&index).unstage(generation));
        drop(dropped);
        Ok(())
    }

    async fn swap(
        &self,
        queue: QueueKey,
        generation: Generation,
        carried_max: usize,
    ) -> Result<Swap, QueueError> {
        let index = self.known(queue).ok_or(QueueError::Overtaken(queue))?;
        let swapped = {
            let mut index = lock(&index);
            if index.is_in_use(generation) {
                return Ok(Swap::Done);
            }
            if !index.is_staged(generation) {
                return Err(QueueError::Overtaken(queue));
            }
            index.swap(carried_max)
        };
        // The old line is dropped with its millions of leads when the lock is free again.
        Ok(match swapped {
            Err(behind) => Swap::Behind(behind),
            Ok((_, carried)) if carried.is_empty() => Swap::Done,
            Ok((_, carried)) => Swap::Carried(carried),
        })
    }
}

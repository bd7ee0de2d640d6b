//! The index in this process, on the `priority-queue` crate.
//!
//! One lock a queue, held for microseconds and never across an await. A queue has an [`index`], which
//! has a `line` in use, which has `lanes`; a pull compares the heads of the lanes open to the rep.

mod index;
mod lanes;
mod line;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use async_trait::async_trait;

use crate::domain::{LeadId, QueueKey, RepKey, ServeOrder};
use crate::queue::{Ask, Census, Counts, LeadQueue, Proposal, QueueError, Snapshot, Update};

use index::{QueueIndex, queue_of};

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

    /// Reads a queue, or says of an unknown one what an empty one would.
    fn read<T: Default>(&self, queue: QueueKey, read: impl FnOnce(&mut QueueIndex) -> T) -> T {
        self.known(queue).map(|index| read(&mut lock(&index))).unwrap_or_default()
    }

    /// Makes changes one by one: a pull waits for one of them, not for a batch.
    fn change_each(&self, updates: Vec<Update>, change: impl Fn(&mut QueueIndex, Update)) {
        let mut last: Option<(QueueKey, Arc<Mutex<QueueIndex>>)> = None;
        for update in updates {
            let queue = queue_of(&update);
            let index = match last.take() {
                Some((key, index)) if key == queue => index,
                _ => self.open(queue),
            };
            change(&mut lock(&index), update);
            last = Some((queue, index));
        }
    }
}

/// Why a lock is never poisoned.
const NO_PANIC: &str = "nothing panics while it holds the lock";

fn lock(index: &Mutex<QueueIndex>) -> MutexGuard<'_, QueueIndex> {
    index.lock().expect(NO_PANIC)
}

#[async_trait]
impl LeadQueue for MemoryQueue {
    async fn apply(&self, updates: Vec<Update>) -> Result<(), QueueError> {
        self.change_each(updates, QueueIndex::apply);
        Ok(())
    }

    async fn propose(&self, ask: &Ask) -> Result<Proposal, QueueError> {
        Ok(self.read(ask.queue, |index| index.propose(ask)))
    }

    async fn served(
        &self,
        queue: QueueKey,
        rep: RepKey,
        lead: LeadId,
        order: ServeOrder,
        reserve_after: u32,
    ) -> Result<(), QueueError> {
        lock(&self.open(queue)).served(rep, lead, order, reserve_after);
        Ok(())
    }

    async fn put_back(&self, queue: QueueKey, leads: &[LeadId]) -> Result<(), QueueError> {
        self.read(queue, |index| leads.iter().for_each(|lead| index.put_back(*lead)));
        Ok(())
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
        Ok(self.read(queue, |index| index.line.next_due_at()))
    }

    async fn counts(&self, ask: &Ask) -> Result<Counts, QueueError> {
        Ok(self.read(ask.queue, |index| index.counts(ask)))
    }

    async fn census(&self, queue: QueueKey) -> Result<Census, QueueError> {
        Ok(self.read(queue, |index| index.census()))
    }

    async fn hours(&self, queue: QueueKey) -> Result<Vec<Arc<str>>, QueueError> {
        Ok(self.read(queue, |index| index.line.lanes.hours().iter().cloned().collect()))
    }

    async fn peek(&self, queue: QueueKey, now: i64, limit: usize) -> Result<Snapshot, QueueError> {
        let nothing = Snapshot { taken_at: now, ..Snapshot::default() };
        Ok(self.known(queue).map_or(nothing, |index| lock(&index).line.peek(now, limit)))
    }

    async fn place_of(
        &self,
        queue: QueueKey,
        lead: LeadId,
        now: i64,
    ) -> Result<Option<(usize, usize)>, QueueError> {
        Ok(self.read(queue, |index| index.line.place_of(lead, now)))
    }

    async fn stage(&self, queue: QueueKey) -> Result<(), QueueError> {
        let dropped = lock(&self.open(queue)).stage();
        drop(dropped);
        Ok(())
    }

    async fn apply_staged(&self, updates: Vec<Update>) -> Result<(), QueueError> {
        self.change_each(updates, QueueIndex::apply_staged);
        Ok(())
    }

    async fn swap(&self, queue: QueueKey) -> Result<(), QueueError> {
        // The old line is dropped with its millions of leads when the lock is free again.
        let old = self.read(queue, QueueIndex::swap);
        drop(old);
        Ok(())
    }
}

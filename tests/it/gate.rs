//! An index behind a gate: a test holds up or refuses what goes through, and counts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nextlead::domain::{LeadId, QueueKey, RepKey, ServeOrder};
use nextlead::queue::{
    Applied, Ask, Basis, Census, Counts, Generation, KnownSlice, LeadQueue, Proposal, QueueError,
    Snapshot, Swap, Update,
};
use tokio::sync::watch;

/// An index that does what the one behind it does, unless it is told otherwise.
pub(crate) struct Gate {
    behind: Arc<dyn LeadQueue>,
    /// How many second indexes were begun.
    pub(crate) staged_count: AtomicUsize,
    /// How many of the next are not put in use.
    pub(crate) refused_count: AtomicUsize,
    /// Whether what fills second indexes is held up, and whether something is.
    pub(crate) is_shut: watch::Sender<bool>,
    pub(crate) is_reached: watch::Sender<bool>,
    /// Other nodes commit so fast that a second index is always behind by so many leads.
    pub(crate) behind_count: AtomicUsize,
}

impl Gate {
    pub(crate) fn before(behind: Arc<dyn LeadQueue>) -> Arc<Self> {
        Arc::new(Self {
            behind,
            staged_count: AtomicUsize::new(0),
            refused_count: AtomicUsize::new(0),
            is_shut: watch::Sender::new(false),
            is_reached: watch::Sender::new(false),
            behind_count: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl LeadQueue for Gate {
    async fn begin(&self, queue: QueueKey, basis: Basis) -> Result<(), QueueError> {
        self.behind.begin(queue, basis).await
    }

    async fn is_built(&self, queue: QueueKey) -> Result<Option<Basis>, QueueError> {
        self.behind.is_built(queue).await
    }

    async fn apply(&self, updates: Vec<Update>) -> Result<Applied, QueueError> {
        self.behind.apply(updates).await
    }

    async fn differing(
        &self,
        queue: QueueKey,
        updates: &[Update],
    ) -> Result<Vec<LeadId>, QueueError> {
        self.behind.differing(queue, updates).await
    }

    fn patience(&self) -> Option<Duration> {
        self.behind.patience()
    }

    fn reached_count(&self) -> u64 {
        self.behind.reached_count()
    }

    async fn propose(&self, ask: &Ask) -> Result<Proposal, QueueError> {
        self.behind.propose(ask).await
    }

    async fn served(
        &self,
        queue: QueueKey,
        rep: RepKey,
        lead: LeadId,
        order: ServeOrder,
        reserve_after: u32,
    ) -> Result<(), QueueError> {
        self.behind.served(queue, rep, lead, order, reserve_after).await
    }

    async fn put_back(&self, queue: QueueKey, leads: &[LeadId]) -> Result<(), QueueError> {
        self.behind.put_back(queue, leads).await
    }

    async fn promote(&self, now: i64, limit: usize) -> Result<usize, QueueError> {
        self.behind.promote(now, limit).await
    }

    async fn next_due_at(&self, queue: QueueKey) -> Result<Option<i64>, QueueError> {
        self.behind.next_due_at(queue).await
    }

    async fn counts(&self, ask: &Ask) -> Result<Counts, QueueError> {
        self.behind.counts(ask).await
    }

    async fn census(&self, queue: QueueKey) -> Result<Census, QueueError> {
        self.behind.census(queue).await
    }

    async fn hours(&self, queue: QueueKey) -> Result<Vec<Arc<str>>, QueueError> {
        self.behind.hours(queue).await
    }

    async fn peek(&self, queue: QueueKey, now: i64, limit: usize) -> Result<Snapshot, QueueError> {
        self.behind.peek(queue, now, limit).await
    }

    async fn place_of(
        &self,
        queue: QueueKey,
        lead: LeadId,
        now: i64,
    ) -> Result<Option<(usize, usize)>, QueueError> {
        self.behind.place_of(queue, lead, now).await
    }

    async fn known(
        &self,
        queue: QueueKey,
        from: u64,
        limit: usize,
    ) -> Result<KnownSlice, QueueError> {
        self.behind.known(queue, from, limit).await
    }

    async fn stage(&self, queue: QueueKey, basis: Basis) -> Result<Generation, QueueError> {
        self.staged_count.fetch_add(1, Ordering::SeqCst);
        self.behind.stage(queue, basis).await
    }

    async fn staged(&self, queue: QueueKey) -> Result<Option<Generation>, QueueError> {
        self.behind.staged(queue).await
    }

    async fn apply_staged(
        &self,
        queue: QueueKey,
        generation: Generation,
        updates: Vec<Update>,
    ) -> Result<(), QueueError> {
        let mut shut = self.is_shut.subscribe();
        if *shut.borrow() {
            self.is_reached.send_replace(true);
        }
        shut.wait_for(|is_shut| !is_shut).await.unwrap();
        self.behind.apply_staged(queue, generation, updates).await
    }

    async fn unstage(&self, queue: QueueKey, generation: Generation) -> Result<(), QueueError> {
        self.behind.unstage(queue, generation).await
    }

    async fn swap(
        &self,
        queue: QueueKey,
        generation: Generation,
        carried_max: usize,
    ) -> Result<Swap, QueueError> {
        let less = |left: usize| left.checked_sub(1);
        if self.refused_count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            return Err(QueueError::Unavailable("the test refuses it".into()));
        }
        if carried_max < self.behind_count.load(Ordering::SeqCst) {
            return Ok(Swap::Behind(Vec::new()));
        }
        self.behind.swap(queue, generation, carried_max).await
    }
}

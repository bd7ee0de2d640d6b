//! How long commits wait for the index. It is a hint, and they are not: what it does not take in soon
//! goes on without anybody who waits for it, and is sent once more by the sweep.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::domain::QueueKey;
use crate::queue::{Applied, Ask, Generation, Proposal, QueueError, Update};
use crate::store::{LeadRecord, StoreError};

use super::follower::Follower;
use super::pull::Turn;
use super::rulebook::Versioned;
use super::{Dialer, DialerError};

/// How many changes an index takes in at a time, as far as patience goes: many may take longer.
const CHANGE_COUNT: usize = 250;

/// It took longer than a commit waits.
#[derive(Debug, thiserror::Error)]
#[error("it took longer than a commit waits for it")]
pub(super) struct TooLate;

impl From<TooLate> for QueueError {
    fn from(late: TooLate) -> Self {
        Self::Unavailable(Box::new(late))
    }
}

/// What the index is still being told, and nobody waits for any more. What comes after it is told
/// after it.
#[derive(Debug, Default)]
pub(super) struct Late(Mutex<Option<JoinHandle<()>>>);

impl Late {
    fn take(&self) -> Option<JoinHandle<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, task: JoinHandle<()>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Waits for some work, after what came too late before it, and no longer than patience goes. The
    /// work ends, whoever waits for it.
    async fn wait<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T, QueueError>> + Send + 'static,
    ) -> Result<T, QueueError> {
        if let Some(mut before) = self.take()
            && timeout(patience, &mut before).await.is_err()
        {
            self.put(before);
            return Err(TooLate.into());
        }
        let mut work = Box::pin(work);
        match timeout(patience, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                self.put(tokio::spawn(async move { drop(work.await) }));
                Err(TooLate.into())
            }
        }
    }
}

impl Dialer {
    /// Proposes what is leased with a touch, which is not held up for it: what comes later goes back.
    pub(super) async fn propose_soon(
        &self,
        turn: Turn,
    ) -> Result<(Turn, Ask, Proposal), DialerError> {
        let Some(patience) = self.queue_index().patience() else { return self.propose(turn).await };
        let dialer = self.clone();
        let mut proposing = Box::pin(async move { dialer.propose(turn).await });
        if let Ok(proposed) = timeout(patience, &mut proposing).await {
            return proposed;
        }
        let dialer = self.clone();
        tokio::spawn(async move {
            if let Ok((_, ask, proposal)) = proposing.await {
                dialer.put_back(ask.queue, &proposal.leads()).await;
            }
        });
        Err(QueueError::from(TooLate).into())
    }
}

impl Follower {
    /// Tells the index in use, for whoever has the turn.
    pub(super) async fn tell(&self, updates: Vec<Update>) -> Result<Applied, QueueError> {
        let Some(patience) = self.patience_for(&updates) else {
            return self.queue.apply(updates).await;
        };
        let queue = self.queue.clone();
        self.late.wait(patience, async move { queue.apply(updates).await }).await
    }

    /// Tells an index on its way, for whoever has the turn.
    pub(super) async fn tell_staged(
        &self,
        queue: QueueKey,
        generation: Generation,
        updates: Vec<Update>,
    ) -> Result<(), QueueError> {
        let Some(patience) = self.patience_for(&updates) else {
            return self.queue.apply_staged(queue, generation, updates).await;
        };
        let index = self.queue.clone();
        let told = async move { index.apply_staged(queue, generation, updates).await };
        self.late.wait(patience, told).await
    }

    fn patience_for(&self, updates: &[Update]) -> Option<Duration> {
        let rounds = u32::try_from(updates.len() / CHANGE_COUNT).unwrap_or(u32::MAX);
        Some(self.queue.patience()?.saturating_mul(rounds.saturating_add(1)))
    }

    /// Makes sure that the campaigns of these leads are in the roster, unless that takes long: whoever
    /// has the turn waits for no read.
    pub(super) async fn know_soon(&self, records: &[LeadRecord]) -> Result<(), StoreError> {
        let Some(patience) = self.queue.patience() else { return self.know(records).await };
        let known = timeout(patience, self.know(records)).await;
        known.unwrap_or_else(|_| Err(StoreError::Unavailable(Box::new(TooLate))))
    }

    /// The rules by which the index in use is ranked, unless it takes long to learn them.
    pub(super) async fn learn_soon(&self, queue: QueueKey) -> Result<Versioned, DialerError> {
        let Some(patience) = self.queue.patience() else { return self.learn_in_use(queue).await };
        let learnt = timeout(patience, self.learn_in_use(queue)).await;
        learnt.unwrap_or_else(|_| Err(QueueError::from(TooLate).into()))
    }
}

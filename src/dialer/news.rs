//! What the store tells: this node's commits, in order and before they are answered, and what other
//! nodes did, soon after.

use std::collections::btree_map::Entry;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::QueueKey;
use crate::store::{CommitSink, LeadRecord, News};

use super::{Dialer, DialerError, Parts};

/// When those who wait look again after another node's commit: its news may come before its index was
/// told, and long before where the way to the index is slow.
const LOOK_AGAIN_AFTER: [Duration; 4] = [
    Duration::from_millis(4),
    Duration::from_millis(40),
    Duration::from_millis(400),
    Duration::from_millis(1_500),
];

/// Who is told by the store. It keeps neither the dialer nor the follower alive, which hold the store:
/// a store that is dropped ends.
pub(super) struct Listener {
    parts: Weak<Parts>,
}

impl Listener {
    pub(super) fn of(dialer: &Dialer) -> Self {
        Self { parts: Arc::downgrade(&dialer.parts) }
    }

    fn dialer(&self) -> Option<Dialer> {
        self.parts.upgrade().map(|parts| Dialer { parts })
    }
}

#[async_trait]
impl CommitSink for Listener {
    async fn committed(&self, records: &[LeadRecord]) {
        let Some(dialer) = self.dialer() else { return };
        dialer.parts.follower.take_in(records).await;
    }

    async fn settings_changed(&self) {
        let Some(dialer) = self.dialer() else { return };
        if let Err(error) = dialer.catch_up_with_settings().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "could not read what another node changed; the sweep tries again"
            );
        }
        // What follows from it, the other node tells the index after its commit: leads that are kept for
        // nobody any more, or served again.
        dialer.roster().queues().iter().for_each(|queue| dialer.ring_soon(queue.key));
    }

    async fn others_committed(&self, news: &News) {
        let Some(dialer) = self.dialer() else { return };
        dialer.parts.follower.passes.note(&news.passes);
        if news.is_incomplete {
            if let Err(error) = dialer.catch_up_with_everything().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "could not read what other nodes did");
            }
            return;
        }
        for queue in &news.ready {
            dialer.ring_soon(*queue);
        }
    }
}

impl Dialer {
    /// Tells those who wait for a lead of the queue to look, now and again in a moment: who begins to wait
    /// meanwhile may have looked too early, too.
    fn ring_soon(&self, queue: QueueKey) {
        self.parts.follower.ring(queue);
        for after in LOOK_AGAIN_AFTER {
            let Ok(mut ringing) = self.parts.ringing.lock() else { return };
            match ringing.entry((queue, after)) {
                // That look may come too early for these news: one more follows it.
                Entry::Occupied(mut is_wanted_again) => drop(is_wanted_again.insert(true)),
                Entry::Vacant(vacant) => {
                    vacant.insert(false);
                    tokio::spawn(ring_after(Arc::downgrade(&self.parts), queue, after));
                }
            }
        }
    }

    /// Reads what another node may have changed of settings, if it did, and what follows from it.
    async fn catch_up_with_settings(&self) -> Result<(), DialerError> {
        if self.read_settings().await? {
            self.tend_index().await;
        }
        Ok(())
    }

    async fn catch_up_with_everything(&self) -> Result<(), DialerError> {
        if self.parts.duties.is_alone() {
            // The sweep does it, until it succeeds.
            self.parts.follower.missed.lose_track();
            return Ok(());
        }
        let passes = self.parts.store.passes(self.now()).await?;
        self.parts.follower.passes.note(&passes);
        self.catch_up_with_settings().await?;
        self.ring_all();
        Ok(())
    }
}

/// Rings after a while, and once more if news came meanwhile. Keeps nothing alive.
async fn ring_after(parts: Weak<Parts>, queue: QueueKey, after: Duration) {
    loop {
        tokio::time::sleep(after).await;
        let Some(parts) = parts.upgrade() else { return };
        parts.follower.ring(queue);
        let Ok(mut ringing) = parts.ringing.lock() else { return };
        match ringing.get_mut(&(queue, after)) {
            Some(is_wanted_again) if *is_wanted_again => *is_wanted_again = false,
            _ => {
                ringing.remove(&(queue, after));
                return;
            }
        }
    }
}

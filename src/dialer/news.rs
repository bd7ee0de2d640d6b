//! What the store tells: this node's commits, in order and before they are answered, and what other
//! nodes did, soon after.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::QueueKey;
use crate::store::{CommitSink, LeadRecord, News};

use super::{Dialer, DialerError, Parts};

/// When those who wait look again after another node's commit: its news may come before its index was
/// told.
const LOOK_AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(4), Duration::from_millis(40)];

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
    /// Tells those who wait for a lead of the queue to look, now and again in a moment.
    fn ring_soon(&self, queue: QueueKey) {
        let follower = self.parts.follower.clone();
        if !follower.seats.has_waiting(queue) {
            return;
        }
        follower.ring(queue);
        if !self.parts.ringing.lock().is_ok_and(|mut ringing| ringing.insert(queue)) {
            return;
        }
        let parts = self.parts.clone();
        tokio::spawn(async move {
            for after in LOOK_AGAIN_AFTER {
                tokio::time::sleep(after).await;
                follower.ring(queue);
            }
            if let Ok(mut ringing) = parts.ringing.lock() {
                ringing.remove(&queue);
            }
        });
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

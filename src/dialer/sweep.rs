//! What time changes, in bounded passes: leases that end, waits that are over, campaigns that end,
//! leads that the index lost sight of. Among several nodes the one that has the duty does it.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::failpoint;
use crate::store::{Denied, StoreError};

use super::duties::{Hold, SWEEP};
use super::{Dialer, DialerError};

/// How often whoever waits looks again without a cause: hours open with time alone, and a lead that
/// another pull put back rings for nobody, lest two that are turned down wake each other for ever.
const RING_EVERY_MS: i64 = 1_000;

/// When the sweep last told everybody who waits to look again, or did what else is done so rarely.
#[derive(Default)]
pub(super) struct Rung(AtomicI64);

impl Rung {
    /// Whether it is time to do so again; if so, it counts as done.
    fn is_over(&self, now: i64) -> bool {
        let is_over = now - self.0.load(Ordering::Relaxed) >= RING_EVERY_MS;
        if is_over {
            self.0.store(now, Ordering::Relaxed);
        }
        is_over
    }
}

/// What a pass leaves for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing, until time changes something.
    Nothing,
    /// Leads that the index may have lost are still looked for: calls come first.
    Comparing,
    /// More is due already.
    Due,
}

impl Rest {
    /// Whether another pass would find work at once.
    pub fn is_unfinished(self) -> bool {
        self != Self::Nothing
    }
}

impl Dialer {
    /// One bounded pass over what time changes: at most `limit` leads of each kind. Returns what is
    /// left. An index that is out of reach fails no pass.
    pub async fn sweep(&self, limit: usize) -> Result<Rest, DialerError> {
        let dialer = self.clone();
        Self::apart(async move {
            let now = dialer.now();
            dialer.parts.follower.passes.forget(now);
            let has_missed;
            if dialer.parts.duties.is_alone() {
                if dialer.parts.follower.missed.take_is_lost() {
                    dialer.read_all_again().await?;
                }
                dialer.tend_lanes().await;
                has_missed = dialer.resend_missed().await;
            } else {
                dialer.read_settings().await?;
                has_missed = dialer.tend_index().await;
            }
            let has_own = dialer.tend_own_leads(now, limit).await?;
            let store = dialer.parts.store.as_ref();
            let rest = match dialer.parts.duties.take(store, SWEEP, now).await? {
                Some(hold) => dialer.sweep_by(&hold, now, limit).await?,
                None => Rest::Nothing,
            };
            if dialer.parts.rung.is_over(now) {
                dialer.ring_all();
            }
            Ok(if has_missed || has_own { Rest::Due } else { rest })
        })
        .await
    }

    async fn sweep_by(&self, hold: &Hold, now: i64, limit: usize) -> Result<Rest, DialerError> {
        failpoint::reach("duty.after-take");
        let swept = match self.parts.store.sweep(now, limit, hold.duty()).await {
            Err(StoreError::Denied(Denied::DutyLost)) => {
                self.parts.duties.lose(SWEEP);
                return Ok(Rest::Nothing);
            }
            swept => swept?,
        };
        failpoint::reach("sweep.after-store");
        self.parts.follower.passes.note(&swept.expired);
        let promoted_count = match self.queue_index().promote(now, limit).await {
            Ok(count) => count,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "promoted nothing");
                0
            }
        };
        failpoint::reach("sweep.after-promote");
        if promoted_count > 0 {
            self.ring_all();
        }
        let is_unmended = self.mend(hold).await?;
        if !self.parts.duties.is_alone() && self.parts.looked.is_over(now) {
            self.drop_orphans().await?;
        }
        Ok(match swept.is_unfinished || promoted_count >= limit {
            true => Rest::Due,
            false if is_unmended => Rest::Comparing,
            false => Rest::Nothing,
        })
    }

    /// Tells everybody who waits to look again.
    pub(super) fn ring_all(&self) {
        let queues = self.roster().queues();
        queues.iter().for_each(|queue| self.parts.follower.ring(queue.key));
    }
}

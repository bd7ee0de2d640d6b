//! What time changes, in bounded passes: leases that end, waits that are over, campaigns that end,
//! leads that the index lost sight of.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::{LeadId, RepKey};
use crate::failpoint;
use crate::store::Pass;

use super::{Dialer, DialerError};

/// How many leads of each queue one sweep compares with the index.
const MENDED_COUNT: usize = 200;

/// How often whoever waits looks again without a cause: hours open with time alone, and a lead that
/// another pull put back rings for nobody, lest two that are turned down wake each other for ever.
const RING_EVERY_MS: i64 = 1_000;

/// When the sweep last told everybody who waits to look again.
#[derive(Default)]
pub(super) struct Rung(AtomicI64);

impl Rung {
    /// Whether it is time to ring again; if so, it counts as rung.
    fn is_over(&self, now: i64) -> bool {
        let is_over = now - self.0.load(Ordering::Relaxed) >= RING_EVERY_MS;
        if is_over {
            self.0.store(now, Ordering::Relaxed);
        }
        is_over
    }
}

impl Dialer {
    /// One bounded pass over what time changes: at most `limit` leads of each kind. Returns whether
    /// another pass would find work at once.
    pub async fn sweep(&self, limit: usize) -> Result<bool, DialerError> {
        let dialer = self.clone();
        Self::apart(async move {
            let now = dialer.now();
            let swept = dialer.parts.store.sweep(now, limit, None).await?;
            failpoint::reach("sweep.after-store");
            dialer.note_passes(swept.expired);
            dialer.forget_passes(now);
            let promoted_count = dialer.queue_index().promote(now, limit).await?;
            failpoint::reach("sweep.after-promote");
            dialer.mend().await?;
            if promoted_count > 0 || dialer.parts.rung.is_over(now) {
                let queues = dialer.roster().queues();
                queues.iter().for_each(|queue| dialer.parts.follower.ring(queue.key));
            }
            Ok(swept.is_unfinished || promoted_count >= limit)
        })
        .await
    }

    /// Puts a slice of each queue's open leads in line again, should the index have lost one: what it
    /// knows already changes nothing.
    async fn mend(&self) -> Result<(), DialerError> {
        for queue in self.roster().queues() {
            let after = {
                let mended = self.parts.mended.lock().unwrap_or_else(PoisonError::into_inner);
                mended.get(&queue.key).copied().unwrap_or(LeadId(0))
            };
            let follower = &self.parts.follower;
            // Nothing may commit between the reading and the taking in: an old place would come back.
            let _turn = follower.turn.lock().await;
            let records = self.parts.store.open_leads(queue.key, after, MENDED_COUNT).await?;
            let rules = follower.rulebook.in_force(queue.key);
            let now = self.now();
            let update = |record| follower.update_for(record, &rules, now);
            follower.queue.apply(records.iter().map(update).collect()).await?;
            let next = match records.last() {
                Some(last) if records.len() == MENDED_COUNT => last.lead.id,
                _ => LeadId(0),
            };
            let mut mended = self.parts.mended.lock().unwrap_or_else(PoisonError::into_inner);
            mended.insert(queue.key, next);
        }
        Ok(())
    }

    pub(super) fn note_passes(&self, new: Vec<Pass>) {
        let mut passes = self.parts.passes.lock().unwrap_or_else(PoisonError::into_inner);
        for pass in new {
            passes.entry(pass.rep).or_default().push(pass);
        }
    }

    fn forget_passes(&self, now: i64) {
        let mut passes = self.parts.passes.lock().unwrap_or_else(PoisonError::into_inner);
        passes.retain(|_, of_rep| {
            of_rep.retain(|pass| now < pass.until);
            !of_rep.is_empty()
        });
    }

    /// The leads that a rep is not to be offered now.
    pub(super) fn passed_by(&self, rep: RepKey, now: i64) -> Vec<LeadId> {
        let passes = self.parts.passes.lock().unwrap_or_else(PoisonError::into_inner);
        let of_rep = passes.get(&rep).map(Vec::as_slice).unwrap_or_default();
        of_rep.iter().filter(|pass| now < pass.until).map(|pass| pass.lead).collect()
    }
}

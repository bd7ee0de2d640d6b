//! What is counted of serves, and against reps who skip.
//!
//! A lease that ran out untouched is a skip, too, or waiting would be the way around the limit. It
//! counts from the end of the lease, whoever notices it and when.

use super::Slate;
use crate::domain::{
    Lease, LeaseToken, QueueKey, RepKey, SKIP_WINDOW_MS, ServeTally, ValueBand, may_skip,
};
use crate::store::error::Denied;

const HOUR_MS: i64 = 3_600_000;

/// What one counter counts: serves of a queue that began in an hour, by rep, worth and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServeKey {
    pub(crate) queue: QueueKey,
    /// The hour of the serve, in hours since 1970 UTC.
    pub(crate) hour: i64,
    pub(crate) rep: RepKey,
    pub(crate) band: ValueBand,
    pub(crate) tally: ServeTally,
}

/// What may count against a rep: a skip, or a lease that ended in nobody's sight yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SkipRow {
    /// When it was skipped.
    pub(crate) at: i64,
    /// From when on that is certain: a touch within the grace is in time.
    pub(crate) counts_from: i64,
}

/// A skip to store.
#[derive(Clone, Debug)]
pub(crate) struct NewSkip {
    pub(crate) token: LeaseToken,
    pub(crate) rep: RepKey,
    pub(crate) at: i64,
}

impl Slate {
    /// Counts a serve, in the hour in which it began: so what became of serves never exceeds them.
    pub(super) fn tally(&mut self, lease: &Lease, tally: ServeTally) {
        let key = ServeKey {
            queue: lease.queue,
            hour: lease.granted_at.div_euclid(HOUR_MS),
            rep: lease.rep,
            band: ValueBand::of(lease.points),
            tally,
        };
        *self.serve_deltas.entry(key).or_default() += 1;
    }

    /// Notes that a lease ran out, and its grace too.
    pub(super) fn expired(&mut self, lease: &Lease, now: i64) {
        self.tally(lease, ServeTally::Expired);
        // One that was noticed after an hour limits nobody any more.
        if lease.expires_at.saturating_add(SKIP_WINDOW_MS) > now {
            self.skip(lease, lease.expires_at);
        }
    }

    /// Notes a skip.
    pub(super) fn skip(&mut self, lease: &Lease, at: i64) {
        let row = SkipRow { at, counts_from: at };
        self.skips.entry(lease.rep).or_default().insert(lease.token, row);
        self.new_skips.push(NewSkip { token: lease.token, rep: lease.rep, at });
    }

    /// Refuses one skip too many.
    pub(super) fn check_skips(&self, rep: RepKey, count_max: u32, now: i64) -> Result<(), Denied> {
        let rows = self.skips.get(&rep).into_iter().flat_map(|rows| rows.values());
        let counted = rows.filter(|row| row.counts_from <= now).map(|row| row.at);
        may_skip(counted, count_max, now).map_err(|next_at| Denied::SkipLimit { next_at })
    }
}

//! Leads whose last commits the index was not told of, as it was out of reach: they are sent again as
//! soon as it is back.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::LeadId;
use crate::store::LeadRecord;

/// How many leads are remembered; beyond them, the whole index is built again.
const COUNT_MAX: usize = 100_000;

/// Leads that the index was not told of.
#[derive(Debug, Default)]
pub(super) struct Missed(Mutex<Leads>);

#[derive(Debug, Default)]
struct Leads {
    leads: BTreeSet<LeadId>,
    is_full: bool,
}

impl Missed {
    fn lock(&self) -> MutexGuard<'_, Leads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes leads. Answers whether they are the first.
    pub(super) fn add(&self, records: &[LeadRecord]) -> bool {
        let mut missed = self.lock();
        let was_empty = missed.leads.is_empty() && !missed.is_full;
        if missed.is_full || missed.leads.len() + records.len() > COUNT_MAX {
            missed.is_full = true;
            missed.leads.clear();
        } else {
            missed.leads.extend(records.iter().map(|record| record.lead.id));
        }
        was_empty
    }

    /// Takes some of them out, to be sent again.
    pub(super) fn take(&self, limit: usize) -> Vec<LeadId> {
        let mut missed = self.lock();
        let some: Vec<LeadId> = missed.leads.iter().take(limit).copied().collect();
        missed.leads.retain(|lead| some.last().is_some_and(|last| lead > last));
        some
    }

    /// Notes that whatever the index holds may be wrong.
    pub(super) fn lose_track(&self) {
        let mut missed = self.lock();
        missed.is_full = true;
        missed.leads.clear();
    }

    /// Whether there were more than can be remembered. Asking forgets it: who asks builds the index.
    pub(super) fn take_is_full(&self) -> bool {
        std::mem::take(&mut self.lock().is_full)
    }
}

//! What passed by while somebody read: a record that was read before a commit must not come into the
//! index after it. The read itself holds nobody up.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::domain::LeadId;
use crate::store::LeadRecord;

/// How many leads a reading remembers; beyond them, all that it read counts as old.
const COUNT_MAX: usize = 100_000;

/// The readings that go on.
#[derive(Debug, Default)]
pub(super) struct Passing(Mutex<Vec<Weak<Reading>>>);

/// One reading of the store, from before its first row until what it found was taken in.
#[derive(Debug, Default)]
pub(super) struct Reading(Mutex<Passed>);

#[derive(Debug, Default)]
struct Passed {
    leads: HashSet<LeadId>,
    is_full: bool,
}

impl Passing {
    /// Begins a reading; it ends when it is dropped.
    pub(super) fn begin(&self) -> Arc<Reading> {
        let reading = Arc::default();
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.push(Arc::downgrade(&reading));
        reading
    }

    /// Notes that a commit of these leads passes by.
    pub(super) fn note(&self, records: &[LeadRecord]) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.retain(|reading| {
            let reading = reading.upgrade();
            if let Some(reading) = &reading {
                reading.note(records);
            }
            reading.is_some()
        });
    }
}

impl Reading {
    fn note(&self, records: &[LeadRecord]) {
        let mut passed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if passed.leads.len() + records.len() > COUNT_MAX {
            passed.is_full = true;
        } else {
            passed.leads.extend(records.iter().map(|record| record.lead.id));
        }
    }

    /// Whether what was read of a lead is still the last of it, as far as this node knows: no commit of
    /// its own told of it since.
    pub(super) fn is_last_of(&self, lead: LeadId) -> bool {
        let passed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !passed.is_full && !passed.leads.contains(&lead)
    }
}

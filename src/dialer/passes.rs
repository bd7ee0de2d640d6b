//! What reps are not to be offered for a while: leads that they gave back or let expire.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{LeadId, RepKey};
use crate::store::Pass;

/// Until when each rep is not to be offered which lead.
#[derive(Debug, Default)]
pub(super) struct Passes(Mutex<HashMap<RepKey, HashMap<LeadId, i64>>>);

impl Passes {
    fn lock(&self) -> MutexGuard<'_, HashMap<RepKey, HashMap<LeadId, i64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes passes; of two of one lead, the one that lasts longer counts.
    pub(super) fn note(&self, new: &[Pass]) {
        if new.is_empty() {
            return;
        }
        let mut passes = self.lock();
        for pass in new {
            let until = passes.entry(pass.rep).or_default().entry(pass.lead).or_insert(pass.until);
            *until = pass.until.max(*until);
        }
    }

    /// Forgets what is over.
    pub(super) fn forget(&self, now: i64) {
        self.lock().retain(|_, of_rep| {
            of_rep.retain(|_, until| now < *until);
            !of_rep.is_empty()
        });
    }

    /// Until when a rep is not to be offered a lead.
    pub(super) fn until(&self, rep: RepKey, lead: LeadId, now: i64) -> Option<i64> {
        let until = self.lock().get(&rep)?.get(&lead).copied();
        until.filter(|until| now < *until)
    }

    /// The leads that a rep is not to be offered now.
    pub(super) fn by(&self, rep: RepKey, now: i64) -> Vec<LeadId> {
        let passes = self.lock();
        let of_rep = passes.get(&rep).into_iter().flatten();
        of_rep.filter(|(_, until)| now < **until).map(|(lead, _)| *lead).collect()
    }
}

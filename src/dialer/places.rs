//! The names of the hours at which leads may be called: one shared text a place, as a million leads are
//! in a few hundred of them.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;

use crate::domain::{Facts, Whereabouts, ZoneEvidence};

/// How many kinds of evidence are kept, so that leads with many numbers do not fill the memory.
const KEY_COUNT_MAX: usize = 50_000;

#[derive(Default)]
pub(super) struct Places(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_evidence: HashMap<String, Option<(Arc<str>, ZoneEvidence)>>,
    names: HashMap<String, Arc<str>>,
}

impl Places {
    /// The name of the hours of a lead; `None`: it may never be called, as no number may be dialled, or
    /// nobody can say where it is.
    pub(super) fn hours_of(&self, facts: &Facts) -> Option<Arc<str>> {
        self.found(facts).map(|(name, _)| name)
    }

    /// The same, with what tells where the lead is.
    pub(super) fn found(&self, facts: &Facts) -> Option<(Arc<str>, ZoneEvidence)> {
        facts.callable_numbers().next()?;
        let key = Whereabouts::key(facts);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.by_evidence.get(&key) {
            return found.clone();
        }
        let found = Whereabouts::of(facts).map(|found| {
            let name = found.place.to_string();
            let name = known.names.entry(name.clone()).or_insert_with(|| name.into()).clone();
            (name, found.evidence)
        });
        if known.by_evidence.len() >= KEY_COUNT_MAX {
            known.by_evidence.clear();
        }
        known.by_evidence.insert(key, found.clone());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Disposition, LeadNumber, Number};

    fn facts(number: &str) -> Facts {
        let number = Number::from_e164(number).expect("a number");
        Facts { numbers: vec![LeadNumber { number, stopped: None }], ..Facts::default() }
    }

    #[test]
    fn leads_of_one_place_share_one_name() {
        let places = Places::default();
        let one = places.hours_of(&facts("+12125550100")).expect("a name");
        let other = places.hours_of(&facts("+17165550100")).expect("a name");
        assert!(Arc::ptr_eq(&one, &other), "both are New York's");
        assert_eq!(&*one, "America/New_York US");
        assert_eq!(places.hours_of(&facts("+18005550100")), None);
    }

    #[test]
    fn without_a_number_to_dial_there_are_no_hours() {
        let mut lead = facts("+12125550100");
        lead.numbers[0].stopped = Some(Disposition::WrongNumber);
        assert_eq!(Places::default().hours_of(&lead), None);
    }
}

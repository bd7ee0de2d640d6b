//! Whom a handover is about: which leads of its queue are the same person, as far as one can tell.

use std::collections::BTreeSet;

use super::Slate;
use crate::domain::{Facts, LeadId, QueueKey, names_agree};

/// A number that more leads of a queue carry than this is a switchboard or a mistake: it never
/// merges anybody.
pub(crate) const SHARED_COUNT_MAX: usize = 3;
/// How many leads with one e-mail address are looked at, the newest first.
pub(crate) const EMAIL_MATCH_COUNT_MAX: usize = 8;

/// The leads that match a handover.
#[derive(Debug, Default)]
pub(super) struct Matches {
    pub(super) open: BTreeSet<LeadId>,
    /// The newest of the closed ones.
    pub(super) closed: Option<LeadId>,
}

/// Finds the leads of a queue with an equal e-mail address, or with an equal number and a name that
/// does not contradict.
pub(super) fn matches(slate: &Slate, queue: QueueKey, facts: &Facts) -> Matches {
    let mut found = Matches::default();
    if let Some(email) = facts.email_folded() {
        for lead in slate.by_email.get(&(queue, email)).into_iter().flatten() {
            found.add(slate, *lead);
        }
    }
    for one in &facts.numbers {
        let carriers = slate.by_number.get(&(queue, one.number.clone()));
        let Some(carriers) = carriers.filter(|leads| leads.len() <= SHARED_COUNT_MAX) else {
            continue;
        };
        for lead in carriers {
            let name = slate.known(*lead).lead.facts.name.as_deref();
            if names_agree(name, facts.name.as_deref()) {
                found.add(slate, *lead);
            }
        }
    }
    found
}

impl Matches {
    fn add(&mut self, slate: &Slate, lead: LeadId) {
        if slate.known(lead).state.standing.is_open() {
            self.open.insert(lead);
        } else {
            self.closed = self.closed.max(Some(lead));
        }
    }
}

/// Makes a lead known by its numbers and its e-mail address to the rows that come after it.
pub(super) fn enlist(slate: &mut Slate, queue: QueueKey, lead: LeadId, facts: &Facts) {
    for one in &facts.numbers {
        let carriers = slate.by_number.entry((queue, one.number.clone())).or_default();
        if !carriers.contains(&lead) {
            carriers.push(lead);
        }
    }
    if let Some(email) = facts.email_folded() {
        let carriers = slate.by_email.entry((queue, email)).or_default();
        if !carriers.contains(&lead) {
            carriers.push(lead);
        }
    }
}

/// Forgets what a lead was known by.
pub(super) fn strike(slate: &mut Slate, queue: QueueKey, lead: LeadId, facts: &Facts) {
    for one in &facts.numbers {
        if let Some(carriers) = slate.by_number.get_mut(&(queue, one.number.clone())) {
            carriers.retain(|carrier| *carrier != lead);
        }
    }
    let carriers = facts.email_folded().and_then(|email| slate.by_email.get_mut(&(queue, email)));
    if let Some(carriers) = carriers {
        carriers.retain(|carrier| *carrier != lead);
    }
}

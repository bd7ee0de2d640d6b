//! Erasure: everything personal about a lead goes, and the books stay as they are.
//!
//! What must outlive it is kept as a keyed hash: the suppressions of the lead's numbers and address,
//! so that whoever said never is not called after they come in again, and the keys of its handovers,
//! so that a nightly synchronisation does not bring the person back.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::grant::replayed;
use super::matching::strike;
use super::{HandoverOnce, SealedSuppression, Slate, StoredAnswer};
use crate::domain::moves::Command;
use crate::domain::{Facts, Lead, LeadId, Number, ServeTally, Standing};
use crate::store::changes::{Erase, Erased};
use crate::store::error::Denied;

/// How many other leads with the same number or address an erasure names.
pub(crate) const OTHER_COUNT_MAX: usize = 100;

/// What is loaded about a lead that is to be erased, beside the lead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Erasable {
    /// Numbers that were dialled; it may have lost them since.
    pub(crate) dialled: Vec<Number>,
    /// The handovers that opened it or were merged into it.
    pub(crate) handovers: Vec<HandoverOnce>,
    /// Other leads with one of its numbers, or its address.
    pub(crate) others: Vec<LeadId>,
}

/// Decides an erasure.
pub(super) fn erase(slate: &mut Slate, change: &Erase) -> Result<Erased, Denied> {
    if let Some(answer) = replayed(slate, change.request.as_ref())? {
        return match answer {
            StoredAnswer::Erased { was_erased, others } => Ok(Erased { was_erased, others }),
            _ => Err(Denied::RequestReused),
        };
    }
    let row = slate.row(change.lead).ok_or(Denied::UnknownLead(change.lead))?;
    let was_erased = row.state.standing == Standing::Erased;
    let erasable = slate.erasable.remove(&change.lead).unwrap_or_default();
    if !was_erased {
        seal_what_outlives(slate, change.lead, &erasable);
        forget(slate, change);
        slate.erased_leads.push(change.lead);
        slate.erased_handovers.extend(erasable.handovers);
    }
    let answer = StoredAnswer::Erased { was_erased, others: erasable.others.clone() };
    slate.answer(change.request.as_ref(), answer, change.now);
    Ok(Erased { was_erased, others: erasable.others })
}

/// Turns the suppressions and the dials of all that the lead was ever known by into hashes.
fn seal_what_outlives(slate: &mut Slate, lead: LeadId, erasable: &Erasable) {
    let facts = &slate.known(lead).lead.facts;
    let carried = facts.numbers.iter().map(|one| &one.number);
    let numbers: BTreeSet<Number> = carried.chain(&erasable.dialled).cloned().collect();
    let email = facts.email_folded();
    let seal = slate.seal.clone().expect("an erasure comes with its key");
    let dialled = numbers.iter().map(|one| (one.as_str().to_owned(), seal.number(one)));
    slate.sealed_dials.extend(dialled);
    for number in numbers.iter().filter(|one| slate.suppressed_numbers.contains_key(*one)) {
        let (value, hash) = (number.as_str().to_owned(), seal.number(number));
        slate.sealed_suppressions.push(SealedSuppression { kind: "number", value, hash });
    }
    if let Some(value) = email.filter(|email| slate.suppressed_emails.contains_key(email)) {
        let hash = seal.email(&value);
        slate.sealed_suppressions.push(SealedSuppression { kind: "email", value, hash });
    }
}

/// Ends the lease, if there is one, and leaves of the lead what the books need.
fn forget(slate: &mut Slate, change: &Erase) {
    let lead = change.lead;
    let lease = slate.known(lead).lease.is_some().then(|| {
        slate.doubt(lead);
        slate.take_back(lead)
    });
    lease.iter().for_each(|lease| slate.tally(lease, ServeTally::Forbidden));
    let told = slate.step(lead, Command::Erase, change.now, |event| {
        let event = event.by(&change.actor);
        lease.iter().fold(event, |event, lease| event.with("rep", lease.rep.0))
    });
    told.expect("whatever is not erased can be");
    let row = slate.known(lead);
    let (before, source) = (row.lead.clone(), row.source.to_string());
    strike(slate, before.queue, lead, &before.facts);
    let left = Lead {
        source_system: String::new(),
        external_id: String::new(),
        predecessor: None,
        facts: Facts { source, ..Facts::default() },
        ..(*before).clone()
    };
    slate.set_lead(lead, Arc::new(left));
}

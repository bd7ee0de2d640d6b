//! Outcomes: recorded once, counted in the lead's book, and the lead closes with them if it may.

use super::text::hex;
use super::{BookKey, Slate};
use crate::domain::moves::Command;
use crate::domain::{LeadId, Outcome, OutcomeResult, Standing};
use crate::store::error::Denied;
use crate::store::outcomes::{OutcomeRecorded, RecordOutcome};

/// An outcome that was recorded before, as far as its replay goes.
#[derive(Clone, Debug)]
pub(crate) struct OutcomeRow {
    pub(crate) lead: LeadId,
    pub(crate) body_hash: String,
    pub(crate) closed: bool,
}

/// An outcome to store.
#[derive(Clone, Debug)]
pub(crate) struct NewOutcome {
    pub(crate) outcome: Outcome,
    pub(crate) recorded_at: i64,
    pub(crate) row: OutcomeRow,
    /// The book that counts it, for good.
    pub(crate) book: BookKey,
}

/// Names the sum that outcomes of a book are counted in: with the result and the currency's code.
pub(crate) type OutcomeSum = (BookKey, OutcomeResult, &'static str);

/// Decides an outcome.
pub(super) fn conclude(
    slate: &mut Slate,
    change: &RecordOutcome,
) -> Result<OutcomeRecorded, Denied> {
    let outcome = &change.outcome;
    let name = (outcome.source_system.clone(), outcome.id.as_str().to_owned());
    let body_hash = hex(&change.body_hash);
    if let Some(row) = slate.outcomes.get(&name) {
        if row.body_hash != body_hash {
            return Err(Denied::RequestReused);
        }
        let state = slate.known(row.lead).state.clone();
        return Ok(OutcomeRecorded { state, closed: row.closed, is_replay: true });
    }
    let lead = outcome.lead;
    let row = slate.row(lead).ok_or(Denied::UnknownLead(lead))?;
    if row.state.standing == Standing::Erased {
        return Err(Denied::LeadErased);
    }
    let (before, is_parked) = (row.state.standing, row.is_parked);
    let book = row.book_key();
    let command = Command::Conclude { route: outcome.result.route() };
    let told = slate.step(lead, command, change.now, |event| {
        let event = event.by(&change.actor).with("result", outcome.result.code());
        match outcome.amount {
            Some((amount_minor, currency)) => {
                event.with("amount_minor", amount_minor).with("currency", currency.code())
            }
            None => event,
        }
    });
    told.expect("an outcome goes with every standing but an erased one");
    let closed = slate.known(lead).state.standing != before;
    if is_parked && !closed {
        slate.park(lead);
    }
    let (amount_minor, currency) = outcome.amount.map_or((0, ""), |(sum, one)| (sum, one.code()));
    let sum = slate.outcome_sums.entry((book.clone(), outcome.result, currency)).or_default();
    *sum = (sum.0 + 1, sum.1 + amount_minor);
    let row = OutcomeRow { lead, body_hash, closed };
    slate.outcomes.insert(name, row.clone());
    let new = NewOutcome { outcome: outcome.clone(), recorded_at: change.now, row, book };
    slate.new_outcomes.push(new);
    let state = slate.known(lead).state.clone();
    Ok(OutcomeRecorded { state, closed, is_replay: false })
}

//! What became of leads, as messages and as values.

use crate::dialer::NewOutcome;
use crate::domain::{AMOUNT_MINOR_MAX, Currency, OutcomeId};
use crate::store::{OutcomeRecorded, OutcomeTotal};

use super::super::proto;
use super::fields::body_hash;
use super::leads::SKEW_MS_MAX;
use super::{Fields, states};

/// Reads an outcome but for whose it is.
pub(in crate::api) fn new_outcome(
    fields: &mut Fields,
    message: &proto::RecordOutcomeRequest,
    now: i64,
) -> Option<NewOutcome> {
    let source_system = fields.word("source_system", &message.source_system);
    let id = fields.id("outcome_id", &message.outcome_id, OutcomeId::new);
    let result = fields.code::<proto::OutcomeResult>("result", message.result);
    let amount = amount(fields, message);
    let field = "decided_time";
    let decided_at = fields.instant(field, message.decided_time.as_ref());
    let decided_at = decided_at.and_then(|at| fields.past(field, at, now, SKEW_MS_MAX));
    Some(NewOutcome {
        source_system: source_system?,
        id: id?,
        result: result?,
        amount,
        decided_at,
        body_hash: body_hash("RecordOutcome", message),
    })
}

fn amount(fields: &mut Fields, message: &proto::RecordOutcomeRequest) -> Option<(i64, Currency)> {
    let sum = message.amount_minor;
    if !(0..=AMOUNT_MINOR_MAX).contains(&sum) {
        fields.problem("amount_minor", format!("must be from 0 to {AMOUNT_MINOR_MAX}"));
    }
    if message.currency.is_empty() {
        if sum != 0 {
            fields.problem("currency", "must be given with an amount");
        }
        return None;
    }
    let currency = Currency::from_code(&message.currency);
    if currency.is_none() {
        fields.problem("currency", "must be an ISO 4217 code that is in use, such as EUR");
    }
    Some((sum, currency?))
}

/// The answer to an outcome.
pub(in crate::api) fn concluded(recorded: &OutcomeRecorded) -> proto::RecordOutcomeResponse {
    proto::RecordOutcomeResponse {
        lead_id: recorded.state.lead.to_string(),
        state: Some(states::state(&recorded.state)),
        closed: recorded.closed,
        recorded_before: recorded.is_replay,
    }
}

/// What some leads became.
pub(super) fn total(total: OutcomeTotal) -> proto::OutcomeTotal {
    proto::OutcomeTotal {
        result: proto::OutcomeResult::from(total.result).into(),
        currency: total.currency,
        outcome_count: total.count,
        amount_minor: total.amount_minor,
    }
}

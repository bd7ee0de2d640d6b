//! Outcomes: what became of leads in the CRM.

use crate::domain::{Currency, LeadId, Outcome, OutcomeId, OutcomeResult};
use crate::store::{OutcomeRecorded, RecordOutcome};

use super::{Dialer, DialerError};

/// What became of a lead, as a system tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOutcome {
    /// The system that knows of it.
    pub source_system: String,
    /// That system's id of it.
    pub id: OutcomeId,
    /// How the deal ended.
    pub result: OutcomeResult,
    /// What it was worth, in minor units, and their currency.
    pub amount: Option<(i64, Currency)>,
    /// When it was decided, not in the future; `None`: now.
    pub decided_at: Option<i64>,
    /// SHA-256 over the request's body.
    pub body_hash: [u8; 32],
}

impl Dialer {
    /// Records what became of a lead, and counts it for its campaign; the lead closes with it if it is
    /// open and in nobody's hands. Of an erased lead nothing is recorded: it is
    /// [`DialerError::Erased`].
    pub async fn record_outcome(
        &self,
        lead: LeadId,
        new: NewOutcome,
        actor: &str,
    ) -> Result<OutcomeRecorded, DialerError> {
        let now = self.now();
        let change = RecordOutcome {
            outcome: Outcome {
                source_system: new.source_system,
                id: new.id,
                lead,
                result: new.result,
                amount: new.amount,
                decided_at: new.decided_at.map_or(now, |at| at.min(now)),
            },
            body_hash: new.body_hash,
            actor: actor.to_owned(),
            now,
        };
        let dialer = self.clone();
        Ok(Self::apart(async move { dialer.parts.store.record_outcome(change).await }).await?)
    }
}

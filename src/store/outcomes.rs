//! What the store is asked about outcomes, and what it answers.

use crate::domain::{LeadState, Outcome, OutcomeResult};

/// Records an outcome. Its source system and id name it for ever: recorded again it changes nothing.
#[derive(Clone, Debug)]
pub struct RecordOutcome {
    /// The fact; not after `now`.
    pub outcome: Outcome,
    /// SHA-256 over the request's body.
    pub body_hash: [u8; 32],
    /// Who records it, for the ledger.
    pub actor: String,
    /// When.
    pub now: i64,
}

/// The answer to a [`RecordOutcome`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeRecorded {
    /// The lead as it stands now.
    pub state: LeadState,
    /// It closed the lead.
    pub closed: bool,
    /// It was recorded before.
    pub is_replay: bool,
}

/// The outcomes of one book with one result and currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeTotal {
    /// How they ended.
    pub result: OutcomeResult,
    /// The code of the currency; empty: of these no amount was told.
    pub currency: String,
    /// How many.
    pub count: i64,
    /// The sum of their amounts, in minor units.
    pub amount_minor: i64,
}

//! Why a lead is worth what it is: a line for every value, which add up to what `evaluate` says.

use super::evaluate::{Note, Outcome, ValueRule};
use super::field::Schema;

/// What a lead is worth, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The sum of the lines' points, kept within what keeps ranks exact.
    pub points: i64,
    /// The points as a head start, in milliseconds.
    pub head_start_ms: i64,
    /// Until when they hold; `None`: until the lead or the rules change.
    pub until: Option<i64>,
    /// One for each value, in the order of the document.
    pub lines: Vec<ExplanationLine>,
}

/// What one value adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplanationLine {
    /// The value's name.
    pub name: String,
    /// The points that it adds.
    pub points: i64,
    /// Until when it adds them; `None`: until the lead or the rules change.
    pub until: Option<i64>,
    /// Why.
    pub note: LineNote,
}

/// Why a value adds what it adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineNote {
    /// Its condition holds, or it has none.
    Matched,
    /// Its condition does not hold.
    NotMatched,
    /// It was for the first time after the handover, and that is over.
    Ended,
    /// Its condition or its formula has no result for this lead, for this reason: it adds nothing.
    Failed(String),
}

impl ExplanationLine {
    pub(super) fn new(value: &ValueRule, outcome: Outcome, schema: &Schema) -> Self {
        let note = match outcome.note {
            Note::Matched => LineNote::Matched,
            Note::NotMatched => LineNote::NotMatched,
            Note::Ended => LineNote::Ended,
            Note::Failed(fault) => LineNote::Failed(fault.reason(schema)),
        };
        let Outcome { points, until, .. } = outcome;
        Self { name: value.name.clone(), points, until, note }
    }
}

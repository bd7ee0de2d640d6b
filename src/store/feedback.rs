//! Feedback on quality, as the store is told of it.

use crate::domain::{Quality, QualityMode, RepKey, TouchId};

/// Feedback as far as it comes with a touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QualityOfTouch {
    /// How the queue asks for it after this touch.
    pub mode: QualityMode,
    /// What the rep said.
    pub given: Option<Quality>,
    /// The queue does not offer the reason that was given: a touch that is new is refused as
    /// [`Denied::UnknownReason`](super::Denied::UnknownReason).
    pub is_reason_unknown: bool,
}

impl QualityOfTouch {
    /// Whether feedback is asked for that was not given.
    pub(super) fn is_owed(&self) -> bool {
        self.mode != QualityMode::Off && self.given.is_none()
    }
}

/// Gives feedback on a touch that was recorded before.
#[derive(Clone, Debug)]
pub struct Rate {
    /// The rep who made the touch.
    pub rep: RepKey,
    /// The touch.
    pub touch: TouchId,
    /// Who says so: of touches by one id, the one that this caller recorded is meant.
    pub caller: String,
    /// What.
    pub quality: Quality,
    /// When.
    pub now: i64,
}

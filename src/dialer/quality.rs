//! Feedback on quality: asked for with a touch, given then or later, and owed until it is.

use crate::domain::{LeadId, Quality, QueueKey, RepId, TouchId};
use crate::store::{self, Denied, OwedBy, QualityOfTouch, StoreError};

use super::pull::Turn;
use super::{Dialer, DialerError, NewTouch, Nothing, Pulled};

/// How many touches an empty pull names that feedback is owed on.
const OWED_COUNT_MAX: usize = 20;

/// Feedback on a touch that was recorded before.
#[derive(Clone, Debug)]
pub struct RateLead {
    /// Who made the touch.
    pub rep: RepId,
    /// They ask themselves, by their own token.
    pub is_own: bool,
    /// The touch, by its client's id.
    pub touch: TouchId,
    /// Who says so.
    pub caller: String,
    /// What.
    pub quality: Quality,
}

/// Feedback that a rep owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedQuality {
    /// The lead.
    pub lead: LeadId,
    /// The touch.
    pub touch: TouchId,
    /// Since when.
    pub touched_at: i64,
}

impl Dialer {
    /// Gives feedback on a touch of the rep's that was asked for it. It is given once: the same again
    /// changes nothing, and something else is refused.
    pub async fn rate_lead(&self, rate: RateLead) -> Result<(), DialerError> {
        let rep = self.roster().rep(&rate.rep)?;
        let reasons = self.reasons_of(rep.rep.queue);
        if !reasons.contains(&rate.quality.reason) {
            return Err(unknown_reason(&reasons));
        }
        let change = store::Rate {
            rep: rep.rep.key,
            touch: rate.touch,
            caller: rate.caller,
            quality: rate.quality,
            now: self.now(),
        };
        let dialer = self.clone();
        Self::apart(async move { Ok(dialer.parts.store.rate(change).await?) }).await
    }

    fn reasons_of(&self, queue: QueueKey) -> Vec<String> {
        let queue = self.roster().queue_by_key(queue);
        let settings = queue.map(|queue| queue.settings.quality.clone()).unwrap_or_default();
        settings.reasons().into_iter().map(str::to_owned).collect()
    }

    /// What a lead's queue asks about a touch, and whether it knows the reason that was given.
    pub(super) fn quality_of(&self, queue: QueueKey, new: &NewTouch) -> QualityOfTouch {
        let found = self.roster().queue_by_key(queue);
        let mode = found.filter(|_| new.rep.is_some());
        let mode = mode.map(|queue| queue.settings.quality.mode_after(new.disposition));
        let given = new.quality.clone();
        let reasons = self.reasons_of(queue);
        let is_unknown = |quality: &Quality| !reasons.contains(&quality.reason);
        let is_reason_unknown = given.as_ref().is_some_and(is_unknown);
        QualityOfTouch { mode: mode.unwrap_or_default(), given, is_reason_unknown }
    }

    /// Names the reasons that a queue offers to whoever gave another one.
    pub(super) fn name_reasons(&self, queue: QueueKey, error: DialerError) -> DialerError {
        match error {
            DialerError::Store(StoreError::Denied(Denied::UnknownReason)) => {
                unknown_reason(&self.reasons_of(queue))
            }
            other => other,
        }
    }

    /// Whether this turn gets nothing as long as feedback is owed.
    pub(super) fn holds_back(turn: &Turn) -> bool {
        turn.queue.holds_back()
    }

    /// What is answered to a rep who has to give feedback first.
    pub(super) async fn owing(&self, turn: &Turn) -> Result<Option<Pulled>, DialerError> {
        if !Self::holds_back(turn) {
            return Ok(None);
        }
        let owed = self.parts.store.owed(OwedBy::Rep(turn.rep.rep.key), OWED_COUNT_MAX).await?;
        let view = |one: store::Owed| OwedQuality {
            lead: one.lead,
            touch: one.touch,
            touched_at: one.touched_at,
        };
        let owed: Vec<OwedQuality> = owed.into_iter().map(view).collect();
        let nothing = Nothing { owed, ..Nothing::default() };
        Ok((!nothing.owed.is_empty()).then_some(Pulled::Nothing(nothing)))
    }
}

fn unknown_reason(reasons: &[String]) -> DialerError {
    DialerError::invalid("quality.reason", format!("must be one of {}", reasons.join(", ")))
}

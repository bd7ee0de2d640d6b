//! Feedback: asked for with a touch, given with it or later, and owed until then.

use super::Slate;
use crate::domain::{CampaignKey, LeadId, Quality, QualityMode, QueueKey, RepKey, TouchId};
use crate::store::changes::RecordTouch;
use crate::store::error::Denied;
use crate::store::feedback::Rate;

/// What tells the feedback on one touch from any other: the touch's id, and who recorded it.
pub(crate) type FeedbackName = (String, String);

/// Feedback that a touch was asked for, or came with.
#[derive(Clone, Debug)]
pub(crate) struct NewFeedback {
    pub(crate) name: FeedbackName,
    pub(crate) lead: LeadId,
    pub(crate) rep: RepKey,
    pub(crate) queue: QueueKey,
    pub(crate) campaign: CampaignKey,
    pub(crate) source: std::sync::Arc<str>,
    pub(crate) touched_at: i64,
    pub(crate) mode: QualityMode,
    pub(crate) given: Option<Quality>,
}

/// Feedback that is given after its touch.
#[derive(Clone, Debug)]
pub(crate) struct LateFeedback {
    pub(crate) name: FeedbackName,
    pub(crate) quality: Quality,
    pub(crate) at: i64,
}

/// Notes what a touch of a queue's lead asks for, and what was given with it.
pub(super) fn note(slate: &mut Slate, change: &RecordTouch, queue: QueueKey) {
    let touch = &change.touch;
    let (mode, given) = (change.quality.mode, change.quality.given.clone());
    let Some(rep) = touch.rep.filter(|_| mode != QualityMode::Off || given.is_some()) else {
        return;
    };
    let name = (touch.id.as_str().to_owned(), change.caller.clone());
    if mode == QualityMode::Required && given.is_none() {
        slate.owed.entry(rep).or_default().insert(name.clone());
    }
    let row = slate.known(touch.lead);
    let feedback = NewFeedback {
        name,
        lead: touch.lead,
        rep,
        queue,
        campaign: row.state.campaign,
        source: row.source.clone(),
        touched_at: change.now,
        mode,
        given,
    };
    slate.new_feedback.push(feedback);
}

/// Decides feedback that comes later: it is given once.
pub(super) fn rate(slate: &mut Slate, change: &Rate) -> Result<(), Denied> {
    let asked = slate.feedback.get_mut(&(change.rep, change.touch.clone()));
    let rows = asked.ok_or(Denied::UnknownTouch)?;
    // Of several callers' touches by one name the caller's own is meant, else one that is owed.
    let place = rows.iter().position(|(name, _)| name.1 == change.caller);
    let place = place.or_else(|| rows.iter().position(|(_, given)| given.is_none()));
    let (name, given) = rows.get_mut(place.unwrap_or(0)).ok_or(Denied::UnknownTouch)?;
    match given {
        Some(given) if *given == change.quality => Ok(()),
        Some(_) => Err(Denied::AlreadyRated),
        None => {
            *given = Some(change.quality.clone());
            let (name, quality) = (name.clone(), change.quality.clone());
            if let Some(owed) = slate.owed.get_mut(&change.rep) {
                owed.remove(&name);
            }
            if let Some(touch) = slate.touches.get_mut(&(name.1.clone(), name.0.clone())) {
                touch.is_quality_owed = false;
            }
            slate.late_feedback.push(LateFeedback { name, quality, at: change.now });
            Ok(())
        }
    }
}

impl Slate {
    /// Whether a rep owes feedback without which they get no lead.
    pub(super) fn owes(&self, rep: RepKey) -> bool {
        self.owed.get(&rep).is_some_and(|owed| !owed.is_empty())
    }
}

/// What is loaded of the feedback on touches by a rep and an id.
pub(crate) type FeedbackRows = Vec<(FeedbackName, Option<Quality>)>;
/// How that is asked for.
pub(crate) type FeedbackKey = (RepKey, TouchId);

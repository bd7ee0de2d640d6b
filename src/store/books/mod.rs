//! Deciding what a change does to the books: pure, and the same for every database.
//!
//! A batch of changes is loaded into a [`Slate`], decided one after the other against it, and what
//! the slate then differs in is written back in one transaction. A later change of the batch sees
//! what an earlier one did, so a batch is worth exactly what its changes are worth one by one. A
//! refusal is found before anything on the slate is moved, so it touches nothing.

mod answer;
mod assign;
mod book;
mod dials;
mod engage;
mod erase;
mod grant;
mod handover;
mod hindrance;
mod lease;
mod matching;
mod outcome;
mod quality;
mod seal;
mod skip;
mod slate;
mod suppress;
mod sweep;
mod text;
mod touch;
mod transfer;

use super::changes::{
    Assign, Assigned, EndedLease, Erase, Erased, Grant, HandOver, HandedOver, LeaseOutcome,
    RecordTouch, Release, Renew, RenewOutcome, RequestKey, Suppress, SuppressAll, Suppressed,
    SuppressedAll, Swept, TouchRecorded,
};
use super::duty::Duty;
use super::engagements::{EngagementRecorded, RecordEngagement};
use super::error::Denied;
use super::feedback::Rate;
use super::outcomes::{OutcomeRecorded, RecordOutcome};
use super::transfers::{Transfer, Transferred};

pub(super) use answer::StoredAnswer;
pub(super) use book::{BookDelta, BookKey, route_index};
pub(super) use dials::{Dial, NewDial};
pub(super) use engage::{EngagementRow, NewEngagement};
pub(super) use erase::{Erasable, OTHER_COUNT_MAX};
pub use hindrance::{CapReached, Hindrance};
pub(super) use hindrance::{all as hindrances, cap_on, dialable};
pub(super) use matching::{EMAIL_MATCH_COUNT_MAX, SHARED_COUNT_MAX};
pub(super) use outcome::{NewOutcome, OutcomeRow};
pub(super) use quality::{LateFeedback, NewFeedback};
pub(super) use seal::Seal;
pub(super) use skip::{NewSkip, ServeKey, SkipRow};
pub(super) use slate::{
    HandoverOnce, HandoverRow, LeadRow, NewEvent, NewTouch, RequestRow, SealedSuppression, Slate,
    SuppressionRow, TouchRow, Tracked,
};
pub(super) use sweep::Found;
pub(super) use text::{hex, route_from_text, route_to_text, standing_from_text, standing_to_text};
pub(super) use transfer::NewTransfer;

/// How long the answers to requests are kept.
pub(super) const REQUEST_KEPT_MS: i64 = 48 * 3_600_000;
/// How long dials are kept: the longest window of a cap.
pub(super) const DIAL_KEPT_MS: i64 = crate::domain::CAP_WINDOW_MS_MAX;

/// The actor of what time does.
const NEXTLEAD: &str = "nextlead";

/// A change of leads.
#[derive(Debug)]
pub(super) enum Change {
    HandOver(HandOver),
    Lease(Grant),
    Renew(Renew),
    Release(Release),
    Touch(Box<RecordTouch>),
    Engage(Box<RecordEngagement>),
    Conclude(Box<RecordOutcome>),
    Rate(Rate),
    Suppress(Suppress),
    SuppressAll(SuppressAll),
    Erase(Erase),
    Assign(Assign),
    Transfer(Box<Transfer>),
    Sweep { now: i64, limit: usize, duty: Option<Duty> },
}

impl Change {
    /// Moves it to another instant.
    pub(super) fn set_now(&mut self, at: i64) {
        match self {
            Self::HandOver(change) => {
                change.now = at;
                for row in &mut change.rows {
                    // Nobody hands over in the future.
                    row.handed_over_at = row.handed_over_at.min(at);
                }
            }
            Self::Lease(change) => change.now = at,
            Self::Renew(change) => change.now = at,
            Self::Release(change) => change.now = at,
            Self::Touch(change) => {
                change.now = at;
                if let Some(then) = &mut change.then {
                    then.now = at;
                }
            }
            Self::Engage(change) => {
                change.now = at;
                // Nobody engages in the future.
                change.engagement.engaged_at = change.engagement.engaged_at.min(at);
            }
            Self::Conclude(change) => {
                change.now = at;
                change.outcome.decided_at = change.outcome.decided_at.min(at);
            }
            Self::Rate(change) => change.now = at,
            Self::Suppress(change) => change.now = at,
            Self::SuppressAll(change) => change.now = at,
            Self::Erase(change) => change.now = at,
            Self::Assign(change) => change.now = at,
            Self::Transfer(change) => change.now = at,
            Self::Sweep { now, .. } => *now = at,
        }
    }

    /// The request that it came with; the own id of a touch, engagement or outcome is kept with it.
    pub(super) fn request(&self) -> Option<&RequestKey> {
        match self {
            Self::HandOver(change) => change.request.as_ref(),
            Self::Lease(change) => change.request.as_ref(),
            Self::Renew(change) => change.request.as_ref(),
            Self::Release(change) => change.request.as_ref(),
            Self::Suppress(change) => change.request.as_ref(),
            Self::Erase(change) => change.request.as_ref(),
            Self::Assign(change) => change.request.as_ref(),
            Self::Transfer(change) => change.request.as_ref(),
            Self::Touch(_)
            | Self::Engage(_)
            | Self::Conclude(_)
            | Self::Rate(_)
            | Self::SuppressAll(_)
            | Self::Sweep { .. } => None,
        }
    }
}

/// What a change is answered with.
#[derive(Debug)]
pub(super) enum Answer {
    HandOver(Vec<HandedOver>),
    Lease(LeaseOutcome),
    Renew(Box<RenewOutcome>),
    Release(EndedLease),
    Touch(Box<TouchRecorded>),
    Engage(EngagementRecorded),
    Conclude(OutcomeRecorded),
    Rate,
    Suppress(Suppressed),
    SuppressAll(SuppressedAll),
    Erase(Erased),
    Assign(Box<Assigned>),
    Transfer(Box<Transferred>),
    Sweep(Swept),
}

/// What the sweep would have done by an instant about leases that nobody carries on: they end.
pub(super) fn end_leases(slate: &mut Slate, at: i64) {
    let is_over =
        |tracked: &&Tracked| tracked.now.lease.as_ref().is_some_and(|lease| !lease.holds_at(at));
    let over: Vec<_> = slate.leads.values().filter(is_over).map(|one| one.now.lead.id).collect();
    for lead in over {
        grant::expire(slate, lead, at);
    }
}

/// Decides one change against the slate, and moves the slate.
pub(super) fn decide(slate: &mut Slate, change: &Change) -> Result<Answer, Denied> {
    match change {
        Change::HandOver(change) => handover::hand_over(slate, change).map(Answer::HandOver),
        Change::Lease(change) => grant::lease(slate, change).map(Answer::Lease),
        Change::Renew(change) => {
            lease::renew(slate, change).map(|outcome| Answer::Renew(Box::new(outcome)))
        }
        Change::Release(change) => lease::release(slate, change).map(Answer::Release),
        Change::Touch(change) => {
            touch::record(slate, change).map(|recorded| Answer::Touch(Box::new(recorded)))
        }
        Change::Engage(change) => engage::engage(slate, change).map(Answer::Engage),
        Change::Conclude(change) => outcome::conclude(slate, change).map(Answer::Conclude),
        Change::Rate(change) => quality::rate(slate, change).map(|()| Answer::Rate),
        Change::Suppress(change) => suppress::suppress(slate, change).map(Answer::Suppress),
        Change::SuppressAll(change) => {
            Ok(Answer::SuppressAll(suppress::suppress_all(slate, change)))
        }
        Change::Erase(change) => erase::erase(slate, change).map(Answer::Erase),
        Change::Assign(change) => assign::assign(slate, change).map(Box::new).map(Answer::Assign),
        Change::Transfer(change) => {
            transfer::transfer(slate, change).map(Box::new).map(Answer::Transfer)
        }
        Change::Sweep { .. } if slate.is_duty_lost => Err(Denied::DutyLost),
        Change::Sweep { now, .. } => Ok(Answer::Sweep(sweep::sweep(slate, *now))),
    }
}

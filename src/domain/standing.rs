//! Where a lead stands, and what becomes of it. What moves it is in `moves`.

use serde::{Deserialize, Serialize};

use super::cadence::Cadence;
use super::codes::codes;
use super::disposition::Disposition;
use super::id::{CampaignKey, LeadId, QueueKey, RepKey};

codes! {
    /// What a waiting lead waits for.
    WaitReason {
        /// The next attempt.
        Retry = "retry",
        /// An instant that was promised to the lead.
        Callback = "callback",
        /// Each number that may be dialled is at a cap; the first may be dialled again then.
        Cap = "cap",
    }
}

/// Where a lead is: exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standing {
    /// May be served.
    Ready,
    /// May be served from an instant on.
    Waiting {
        /// That instant.
        until: i64,
        /// For what.
        why: WaitReason,
    },
    /// In a rep's hands.
    Leased,
    /// Done with, for now or for good.
    Closed {
        /// Why.
        why: CloseReason,
        /// What becomes of it.
        route: Route,
    },
    /// Nothing personal is left of it; only the books know it still. For good.
    Erased,
}

impl Standing {
    /// The word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting { .. } => "waiting",
            Self::Leased => "leased",
            Self::Closed { .. } => "closed",
            Self::Erased => "erased",
        }
    }

    /// Whether anything is still to be done with the lead.
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Closed { .. } | Self::Erased)
    }

    /// The instant at which time alone moves it: the end of a wait, or of a nurture with a date.
    pub fn due_at(&self) -> Option<i64> {
        match *self {
            Self::Waiting { until, .. } => Some(until),
            Self::Closed { route: Route::Nurture { until }, .. } => until,
            _ => None,
        }
    }
}

/// What becomes of a lead that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum Route {
    /// On to sales.
    Won,
    /// Nothing will come of it.
    Lost,
    /// Back to marketing; ready again at the date, if there is one.
    Nurture {
        /// That date.
        until: Option<i64>,
    },
    /// Never to be contacted again.
    Suppressed,
    /// Nobody can be reached there.
    Unreachable,
    /// Taken up again as another lead.
    Superseded,
}

impl Route {
    /// Every word for a route, in the order in which reports show them.
    pub const CODES: &[&str] =
        &["won", "lost", "nurture", "suppressed", "unreachable", "superseded"];

    /// The word for it: one of [`Route::CODES`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Nurture { .. } => "nurture",
            Self::Suppressed => "suppressed",
            Self::Unreachable => "unreachable",
            Self::Superseded => "superseded",
        }
    }
}

/// Why a lead was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// A touch ended so.
    Disposition(Disposition),
    /// The policy's attempts were used up.
    AttemptsExhausted,
    /// Its campaign ended.
    CampaignEnded,
    /// Its number or its person said never.
    Suppressed,
    /// A new handover took it up again.
    Superseded,
    /// The CRM told what became of it.
    Outcome,
    /// Policies handed it from queue to queue as often as they may.
    TransfersExhausted,
}

impl CloseReason {
    /// The word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disposition(disposition) => disposition.code(),
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::CampaignEnded => "campaign_ended",
            Self::Suppressed => "suppressed",
            Self::Superseded => "superseded",
            Self::Outcome => "outcome",
            Self::TransfersExhausted => "transfers_exhausted",
        }
    }
}

/// The few fixed tiers of every queue, served lowest first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Tier {
    /// A promised callback.
    Callback = 0,
    /// Everything else.
    #[default]
    Ordinary = 1,
}

/// A promise to call again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The instant that was promised.
    pub at: i64,
    /// The rep who promised to call in person; `None`: anyone calls.
    pub to: Option<RepKey>,
}

/// Everything about a lead that moves while it is worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadState {
    /// The lead.
    pub lead: LeadId,
    /// Its queue.
    pub queue: QueueKey,
    /// Its campaign.
    pub campaign: CampaignKey,
    /// Where it stands.
    pub standing: Standing,
    /// The tier in which it is served, or will be when its wait ends.
    pub tier: Tier,
    /// How many ledger events it has: the number of the last one, and the version of this state.
    pub seq: i64,
    /// When it last changed.
    pub changed_at: i64,
    /// When it last became ready: by handover, by a wait falling due, by its return from nurture.
    pub ready_since: i64,
    /// When marketing handed it over.
    pub handed_over_at: i64,
    /// Outbound attempts since it was handed over, came into its queue or last came back from nurture.
    pub attempts: i32,
    /// How these attempts were spread over the parts of the day, and the stages of the policy.
    pub cadence: Cadence,
    /// How the last touch ended.
    pub last_disposition: Option<Disposition>,
    /// Until when the first touch was promised; `None`: nothing was promised.
    pub first_touch_due_at: Option<i64>,
    /// When the first touch was made.
    pub first_touched_at: Option<i64>,
    /// How often it went back into the queue out of a rep's hands, still untouched.
    pub times_released: i32,
    /// The promise to call again, from the touch that made it until the next one; goes with
    /// [`Tier::Callback`].
    pub callback: Option<Callback>,
    /// The rep to whom it belongs. It is kept for them while they work its queue.
    pub owner: Option<RepKey>,
    /// When it came into its queue from another one; `None`: its handover brought it there.
    pub entered_at: Option<i64>,
    /// How often policies have handed it to another queue since it was handed over or last came back from
    /// nurture.
    pub transfers: i32,
}

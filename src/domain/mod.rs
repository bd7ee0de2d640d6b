//! The words of the business, as pure values and decisions: no I/O, no clock, no chance.
//!
//! A [`Lead`] belongs to a [`Campaign`], which feeds one [`Queue`]; [`Rep`]s pull from it. Where a
//! lead is, is its [`Standing`], moved by [`moves::step`] alone; each move is an [`Event`]. How a
//! [`Touch`] ended is its [`Disposition`], what follows the [`Policy`] decides. Where a ready lead
//! stands in its queue is its [`Rank`].

mod access;
mod atlas;
mod cadence;
mod calling;
mod cap;
mod codes;
mod daypart;
mod deadline;
mod disposition;
mod engagement;
mod holiday;
mod id;
mod keeper;
mod law;
mod lead;
mod lease;
mod ledger;
mod local_time;
pub mod moves;
mod number;
mod outcome;
mod place;
mod policy;
mod postcode;
mod quality;
mod queue;
mod rank;
mod skip;
mod standing;
mod touch;
mod window;
mod work_time;

pub use access::{AccessToken, REP_ID_RESERVED, Role};
pub use cadence::Cadence;
pub use calling::{
    Bar, BarredBy, CLOSING_MARGIN_MS_DEFAULT, CLOSING_MARGIN_MS_MAX, CallingHours, CallingLaw,
    Verdict, instant_text,
};
pub use cap::{
    AtCap, CAP_COUNT_MAX, CAP_DIAL_COUNT_MAX, CAP_WINDOW_MS_MAX, CAP_WINDOW_MS_MIN, Cap,
    CapInForce, CapRule, at_cap, cap_window_ms_max, caps_in_force,
};
pub use daypart::{Daypart, LeadClock};
pub use deadline::{PromiseClock, first_touch_due_at};
pub use disposition::Disposition;
pub use engagement::{Engagement, RecordedEngagement, is_engagement_kind};
pub use id::{
    CampaignId, CampaignKey, EngagementId, ID_LENGTH_MAX, IdProblem, LeadId, LeaseToken, OutcomeId,
    QueueId, QueueKey, RepId, RepKey, RequestId, TokenId, TouchId, check_id,
};
pub use keeper::{Kept, kept_for};
pub use law::{Law, Rule};
pub use lead::{
    ATTRIBUTE_COUNT_MAX, Facts, HandoverKey, Lead, LeadNumber, NUMBER_COUNT_MAX, TEXT_LENGTH_MAX,
    Value, fold_email, names_agree,
};
pub use lease::{Lease, ReleaseReason, ServeOrder};
pub use ledger::{Event, EventKind, LedgerFault, Link, fold};
pub use local_time::{LocalTime, LocalTimeProblem};
pub use moves::Refusal;
pub use number::{Number, NumberProblem, is_number_country};
pub use outcome::{AMOUNT_MINOR_MAX, Currency, Outcome, OutcomeResult};
pub use place::{Place, Whereabouts, ZoneEvidence};
pub use policy::{
    AfterRoute, AfterRule, DecidedBy, Decision, Delay, NextStep, Occasion, Policy, Stage,
    TRANSFER_COUNT_MAX,
};
pub use quality::{
    QUALITY_REASON_COUNT_MAX, QUALITY_REASONS_DEFAULT, Quality, QualityMode, QualitySettings,
    RATING_MAX,
};
pub use queue::{
    Campaign, CampaignSettings, GRACE_MS_DEFAULT, LEASE_MS_DEFAULT, LEASE_TOTAL_MS_DEFAULT,
    OwnLeads, PASS_MS, Queue, QueueSettings, Rep, RuleVersion,
};
pub use rank::{FirstTouchRank, HEAD_START_MS_MAX, Rank, Worth, WorthStep, head_start_ms};
pub use skip::{SKIP_WINDOW_MS, ServeTally, SkipReason, ValueBand, may_skip};
pub use standing::{Callback, CloseReason, LeadState, Route, Standing, Tier, WaitReason};
pub use touch::{Channel, Direction, RecordedTouch, Touch};
pub use window::{HoursProblem, WeeklyHours, is_zone};
pub use work_time::{ABSENCE_COUNT_MAX, Absence, WorkTime};

//! The words of the business, as pure values and decisions: no I/O, no clock, no chance.
//!
//! A [`Lead`] belongs to a [`Campaign`], which feeds one [`Queue`]; [`Rep`]s pull from it. Where a
//! lead is, is its [`Standing`], moved by [`moves::step`] alone; each move is an [`Event`]. How a
//! [`Touch`] ended is its [`Disposition`], what follows the [`Policy`] decides. Where a ready lead
//! stands in its queue is its [`Rank`].

mod access;
mod atlas;
mod calling;
mod codes;
mod deadline;
mod disposition;
mod holiday;
mod id;
mod law;
mod lead;
mod lease;
mod ledger;
pub mod moves;
mod number;
mod place;
mod policy;
mod quality;
mod queue;
mod rank;
mod skip;
mod standing;
mod touch;
mod window;

pub use access::{AccessToken, REP_ID_RESERVED, Role};
pub use calling::{
    Bar, BarredBy, CLOSING_MARGIN_MS_DEFAULT, CLOSING_MARGIN_MS_MAX, CallingHours, CallingLaw,
    Verdict, instant_text,
};
pub use deadline::{PromiseClock, first_touch_due_at};
pub use disposition::Disposition;
pub use id::{
    CampaignId, CampaignKey, ID_LENGTH_MAX, IdProblem, LeadId, LeaseToken, QueueId, QueueKey,
    RepId, RepKey, RequestId, TokenId, TouchId, check_id,
};
pub use law::{Law, Rule};
pub use lead::{
    ATTRIBUTE_COUNT_MAX, Facts, HandoverKey, Lead, LeadNumber, NUMBER_COUNT_MAX, TEXT_LENGTH_MAX,
    Value, fold_email, names_agree,
};
pub use lease::{Lease, ReleaseReason, ServeOrder};
pub use ledger::{Event, EventKind, LedgerFault, Link, fold};
pub use moves::Refusal;
pub use number::{Number, NumberProblem, is_number_country};
pub use place::{Place, Whereabouts, ZoneEvidence};
pub use policy::{AfterRoute, AfterRule, NextStep, Policy};
pub use quality::{
    QUALITY_REASON_COUNT_MAX, QUALITY_REASONS_DEFAULT, Quality, QualityMode, QualitySettings,
    RATING_MAX,
};
pub use queue::{
    Campaign, CampaignSettings, GRACE_MS_DEFAULT, LEASE_MS_DEFAULT, LEASE_TOTAL_MS_DEFAULT,
    PASS_MS, Queue, QueueSettings, Rep, RuleVersion,
};
pub use rank::{FirstTouchRank, HEAD_START_MS_MAX, Rank, Worth, WorthStep, head_start_ms};
pub use skip::{SKIP_WINDOW_MS, ServeTally, SkipReason, ValueBand, may_skip};
pub use standing::{CloseReason, LeadState, Route, Standing, Tier, WaitReason};
pub use touch::{Channel, Direction, RecordedTouch, Touch};
pub use window::{HoursProblem, WeeklyHours, is_zone};

//! Messages to values and back, and nothing else.
//!
//! What comes in is checked here and nowhere below: all bad fields of a request are found before it is
//! answered, each with its path and what was expected. The value that stood there is never repeated,
//! as it may be personal.

mod admin;
mod callbacks;
mod codes;
mod engagements;
mod exports;
mod fields;
mod leads;
mod masked;
mod obstacles;
mod outcomes;
mod page;
mod quality;
mod queues;
mod reports;
mod reps;
mod roster;
mod rules;
mod skips;
mod states;
mod suppressions;

pub(super) use admin::{made_token, make_token, token};
pub(super) use callbacks::{CallbackList, callbacks, callbacks_of};
pub(super) use engagements::{engaged, new_engagement};
pub(super) use exports::{export_scope, exported_leads, exported_touches};
pub(super) use fields::Fields;
pub(super) use leads::{
    LeadName, handed_over, lead_name, new_lead, rejection, row_accepted, row_result,
};
pub(super) use masked::masked_if_number;
pub(super) use obstacles::{unroutable, unroutable_after, unroutable_token};
pub(super) use outcomes::{concluded, new_outcome};
pub(super) use page::{Page, by_id};
pub(super) use quality::{quality_report, rate};
pub(super) use queues::{
    campaign, campaign_settings, explanation_of_lead, peek, queue, queue_settings, trace,
};
pub(super) use reports::{audit, coverage, uncontacted, uncontacted_after, uncontacted_token};
pub(super) use reps::{new_touch, pull, pulled, recorded, release, renewal, renewed};
pub(super) use roster::{rep, rep_settings};
pub(super) use rules::{checked, mistakes, publish, version};
pub(super) use skips::{period, skips};
pub(super) use states::state;
pub(super) use suppressions::{
    Unwanted, suppressed, suppressed_until, suppression, suppression_kind, suppression_of,
    suppressions_after,
};

use prost_types::{Duration, Timestamp};

/// An instant as a message carries it.
pub(super) fn time(at: i64) -> Timestamp {
    let nanos = i32::try_from(at.rem_euclid(1_000)).expect("below a thousand") * 1_000_000;
    Timestamp { seconds: at.div_euclid(1_000), nanos }
}

/// A duration as a message carries it.
pub(super) fn duration(ms: i64) -> Duration {
    let nanos = i32::try_from(ms % 1_000).expect("below a thousand") * 1_000_000;
    Duration { seconds: ms / 1_000, nanos }
}

/// A count as a message carries it.
pub(super) fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

//! A lane: what its leads share, and how it looks to a rep.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::OpenHours;

/// What leads of one lane share: who may take them, and when.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// The skills that a rep needs.
    pub skills: Arc<BTreeSet<String>>,
    /// The hours that must be open: the name of the place that the lead may be in, with its zones and
    /// its law. `None`: nobody can say when it may be called, or no number is left to dial, so never;
    /// such a lead is *unroutable*.
    pub hours: Option<Arc<str>>,
}

/// How a lane looks to a rep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Openness {
    Open,
    Closed,
    Unskilled,
    Unroutable,
}

/// How a lead that needs `skills` at `hours` looks to a rep who has `has`.
pub(super) fn openness(lane: &Lane, has: &BTreeSet<String>, open: &OpenHours) -> Openness {
    match &lane.hours {
        None => Openness::Unroutable,
        Some(_) if !lane.skills.is_subset(has) => Openness::Unskilled,
        Some(hours) if !open.open.contains(hours) => Openness::Closed,
        Some(_) => Openness::Open,
    }
}

//! Rank: where a ready lead stands in its queue. A point is a head start.
//!
//! `rank = (tier, ready_since - points × point_is, lead id)`, the smallest is served first. Integers
//! only, so every engine and the oracle give the same order; the order of two waiting leads never
//! changes as time passes, so nothing is ever sorted again.

use super::id::LeadId;
use super::standing::Tier;

/// The largest head start, in milliseconds: with it, every rank is exact in a double, as Redis keeps it.
pub const HEAD_START_MS_MAX: i64 = 1 << 52;

/// What a lead is worth now, and what it will be worth later, as head starts in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worth {
    /// The head start that holds now: points × what a point is.
    pub head_start_ms: i64,
    /// Until when it holds; `None`: until the lead or the rules change.
    pub until: Option<i64>,
    /// What holds from then on, in the order of time; the last has no end. Each is smaller than the
    /// one before it: value for a limited time only ever ends.
    pub later: Vec<WorthStep>,
}

/// A part of a [`Worth`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorthStep {
    /// The head start that holds then.
    pub head_start_ms: i64,
    /// Until when; `None`: for good.
    pub until: Option<i64>,
}

impl Worth {
    /// A worth that holds until something changes.
    pub fn steady(head_start_ms: i64) -> Self {
        Self { head_start_ms, until: None, later: Vec::new() }
    }

    /// What holds at `now`: itself, or what is left of it.
    #[must_use]
    pub fn at(&self, now: i64) -> Self {
        let mut worth = self.clone();
        while worth.until.is_some_and(|until| until <= now) && !worth.later.is_empty() {
            let step = worth.later.remove(0);
            (worth.head_start_ms, worth.until) = (step.head_start_ms, step.until);
        }
        worth
    }
}

/// The head start of `points`, kept within [`HEAD_START_MS_MAX`].
pub fn head_start_ms(points: i64, point_is_ms: i64) -> i64 {
    points.saturating_mul(point_is_ms).clamp(-HEAD_START_MS_MAX, HEAD_START_MS_MAX)
}

/// Where a lead stands in its queue. The smallest is served first; no two are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// Its tier.
    pub tier: Tier,
    /// The instant since which it has waited, head start included.
    pub virtual_since: i64,
    /// The lead, as the last tie-break.
    pub lead: LeadId,
}

impl Rank {
    /// The rank of a lead.
    pub fn new(tier: Tier, ready_since: i64, head_start_ms: i64, lead: LeadId) -> Self {
        Self { tier, virtual_since: ready_since.saturating_sub(head_start_ms), lead }
    }
}

/// Where an untouched lead stands in the order of first touches. The smallest is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FirstTouchRank {
    /// How often it was released untouched: what nobody wants does not block the others.
    pub times_released: i32,
    /// Until when its first touch was promised.
    pub due_at: i64,
    /// The lead, as the last tie-break.
    pub lead: LeadId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_points_of_a_minute_are_forty_minutes_of_waiting() {
        let worth = head_start_ms(40, 60_000);
        let late = Rank::new(Tier::Ordinary, 40 * 60_000, worth, LeadId(2));
        let early = Rank::new(Tier::Ordinary, 0, 0, LeadId(1));
        assert_eq!(late.virtual_since, early.virtual_since);
        assert!(early < late, "a tie ends at the id");
    }

    #[test]
    fn a_callback_goes_before_any_points() {
        let callback = Rank::new(Tier::Callback, i64::MAX, 0, LeadId(9));
        let best = Rank::new(Tier::Ordinary, 0, HEAD_START_MS_MAX, LeadId(1));
        assert!(callback < best);
    }

    #[test]
    fn points_saturate_instead_of_wrapping() {
        assert_eq!(head_start_ms(i64::MAX, 60_000), HEAD_START_MS_MAX);
        assert_eq!(head_start_ms(i64::MIN, 60_000), -HEAD_START_MS_MAX);
    }

    #[test]
    fn a_worth_steps_down_through_all_that_has_ended() {
        let step = |head_start_ms, until| WorthStep { head_start_ms, until };
        let later = vec![step(20, Some(200)), step(10, None)];
        let worth = Worth { head_start_ms: 30, until: Some(100), later };
        assert_eq!(worth.at(99).head_start_ms, 30);
        assert_eq!(worth.at(100).head_start_ms, 20);
        assert_eq!(worth.at(900), Worth::steady(10));
    }
}

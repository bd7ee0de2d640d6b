//! What one value of a rule set adds to a lead, and how the values of a lead become its worth.
//!
//! `evaluate` and `explain` see the same outcomes in the same order and add them up in the same
//! [`Totals`]: that they agree is how they are built, not something to keep in mind.

use super::field::{Fault, Row};
use super::program::{Double, Flag, Int};
use crate::domain::{Worth, WorthStep, head_start_ms};

/// A value that managers gave to some leads.
#[derive(Debug)]
pub(super) struct ValueRule {
    pub(super) name: String,
    /// `None`: every lead.
    pub(super) when: Option<Flag>,
    pub(super) points: Points,
    /// How long after the handover it holds; `None`: always.
    pub(super) for_the_first_ms: Option<i64>,
}

/// How many points a value is.
#[derive(Debug)]
pub(super) enum Points {
    Literal(i64),
    Int(Int),
    Double(Double),
}

/// What one value adds to one lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) points: i64,
    /// Until when; `None`: until the lead or the rules change.
    pub(super) until: Option<i64>,
    pub(super) note: Note,
}

/// Why it adds that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Matched,
    NotMatched,
    Ended,
    Failed(Fault),
}

impl ValueRule {
    /// The outcome for a lead at `now`; points are kept within ±`points_max`.
    pub(super) fn outcome(&self, row: Row<'_>, now: i64, points_max: i64) -> Outcome {
        let nothing = |note| Outcome { points: 0, until: None, note };
        let until = self.for_the_first_ms.map(|ms| row.subject.handed_over_at.saturating_add(ms));
        if until.is_some_and(|until| until <= now) {
            return nothing(Note::Ended);
        }
        match self.when.as_ref().map_or(Ok(true), |when| when.evaluate(row)) {
            Ok(true) => {}
            Ok(false) => return nothing(Note::NotMatched),
            Err(fault) => return nothing(Note::Failed(fault)),
        }
        let points = match &self.points {
            Points::Literal(points) => Ok(*points),
            Points::Int(int) => int.evaluate(row),
            // `as` saturates, and no double here is NaN.
            Points::Double(double) => double.evaluate(row).map(|one| one.round_ties_even() as i64),
        };
        let points = match points {
            Ok(points) => points.clamp(-points_max, points_max),
            Err(fault) => return nothing(Note::Failed(fault)),
        };
        match until {
            // What ends must only demote then.
            Some(_) if points <= 0 => nothing(Note::Matched),
            _ => Outcome { points, until, note: Note::Matched },
        }
    }
}

/// The sums of a lead's values.
///
/// No sum overflows: 200 values of 2^52 points stay below 2^60.
#[derive(Debug, Default)]
pub(super) struct Totals {
    lasting: i64,
    /// End and points of each value that ends. Most leads have none, and then nothing is allocated.
    timed: Vec<(i64, i64)>,
    pub(super) failure_count: u64,
}

impl Totals {
    pub(super) fn add(&mut self, outcome: Outcome) {
        match outcome.until {
            Some(until) => self.timed.push((until, outcome.points)),
            None => self.lasting += outcome.points,
        }
        self.failure_count += u64::from(matches!(outcome.note, Note::Failed(_)));
    }

    /// All points that hold now.
    pub(super) fn points(&self, points_max: i64) -> i64 {
        let timed: i64 = self.timed.iter().map(|(_, points)| points).sum();
        (self.lasting + timed).clamp(-points_max, points_max)
    }

    /// The worth: a step for every end that takes something away.
    pub(super) fn worth(mut self, points_max: i64, point_is_ms: i64) -> Worth {
        let head_start = |points| head_start_ms(points, point_is_ms);
        let mut worth = Worth::steady(head_start(self.points(points_max)));
        self.timed.sort_unstable();
        let mut points: i64 =
            self.lasting + self.timed.iter().map(|(_, points)| points).sum::<i64>();
        let mut left = self.timed.as_slice();
        while let Some((until, _)) = left.first().copied() {
            let ending = left.iter().take_while(|(end, _)| *end == until).count();
            points -= left[..ending].iter().map(|(_, points)| points).sum::<i64>();
            left = &left[ending..];
            let next_ms = head_start(points.clamp(-points_max, points_max));
            let (current_ms, end) = match worth.later.last_mut() {
                Some(step) => (step.head_start_ms, &mut step.until),
                None => (worth.head_start_ms, &mut worth.until),
            };
            // Above the largest sum an end may take nothing away: no step then.
            if next_ms < current_ms {
                *end = Some(until);
                worth.later.push(WorthStep { head_start_ms: next_ms, until: None });
            }
        }
        worth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(lasting: i64, timed: &[(i64, i64)]) -> Totals {
        Totals { lasting, timed: timed.to_vec(), failure_count: 0 }
    }

    #[test]
    fn values_that_end_together_end_in_one_step() {
        let worth = totals(5, &[(200, 10), (100, 20), (200, 1)]).worth(1_000, 1);
        assert_eq!((worth.head_start_ms, worth.until), (36, Some(100)));
        let later = worth.later.iter().map(|step| (step.head_start_ms, step.until));
        assert_eq!(later.collect::<Vec<_>>(), [(16, Some(200)), (5, None)]);
    }

    #[test]
    fn an_end_above_the_largest_sum_is_no_step() {
        let worth = totals(90, &[(100, 50), (200, 30)]).worth(100, 1);
        assert_eq!((worth.head_start_ms, worth.until), (100, Some(200)));
        assert_eq!(worth.later, [WorthStep { head_start_ms: 90, until: None }]);
    }

    #[test]
    fn two_hundred_of_the_largest_values_do_not_overflow() {
        let points_max = crate::domain::HEAD_START_MS_MAX;
        let mut sums = totals(0, &[]);
        for nth in 0..200 {
            let until = (nth % 2 == 0).then_some(nth);
            sums.add(Outcome { points: points_max, until, note: Note::Matched });
        }
        assert_eq!(sums.points(points_max), points_max);
        assert_eq!(sums.worth(points_max, 1).head_start_ms, points_max);
    }
}

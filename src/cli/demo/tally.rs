//! What the softphones of a month saw, counted: by themselves, not out of the server's books.

use crate::domain::Disposition;

use super::floor::Attempt;
use super::leads::Month;

/// A month, seen by its softphones.
#[derive(Clone, Debug)]
pub(super) struct MonthTally {
    attempt_count: usize,
    handed_over_count: usize,
    /// Whether each call was a sale, in the order in which they were recorded.
    sales: Vec<bool>,
    /// When each lead was first called.
    first_touches: Vec<Option<i64>>,
}

impl MonthTally {
    /// A month in which nobody has called yet.
    pub(super) fn new(month: &Month) -> Self {
        Self {
            attempt_count: month.attempts(),
            handed_over_count: month.leads.len(),
            sales: Vec::with_capacity(month.call_count_max()),
            first_touches: vec![None; month.leads.len()],
        }
    }

    /// Takes in a call that was recorded.
    pub(super) fn record(&mut self, attempt: &Attempt) {
        self.sales.push(attempt.disposition == Disposition::Sale);
        self.first_touches[attempt.lead].get_or_insert(attempt.started_at);
    }

    /// How many leads were handed over.
    pub(super) fn lead_count(&self) -> usize {
        self.handed_over_count
    }

    /// How many calls were made.
    pub(super) fn touch_count(&self) -> usize {
        self.sales.len()
    }

    /// How many calls were sales.
    pub(super) fn conversion_count(&self) -> usize {
        count(&self.sales)
    }

    /// How many sales were found in the first calls: so many percent of what all leads take.
    pub(super) fn conversions_at(&self, percent: usize) -> usize {
        let call_count = self.attempt_count * percent / 100;
        count(&self.sales[..call_count.min(self.sales.len())])
    }

    /// How many leads were never called.
    pub(super) fn never_contacted(&self) -> usize {
        self.first_touches.iter().filter(|touched_at| touched_at.is_none()).count()
    }

    /// How long the leads that were called had waited for their first call, in milliseconds, shortest
    /// first.
    pub(super) fn first_touch_waits_ms(&self, handed_over_at: i64) -> Vec<i64> {
        let called = self.first_touches.iter().flatten();
        let mut waits: Vec<i64> = called.map(|touched_at| touched_at - handed_over_at).collect();
        waits.sort_unstable();
        waits
    }
}

fn count(sales: &[bool]) -> usize {
    sales.iter().filter(|is_sale| **is_sale).count()
}

/// The value below which `percent` of sorted values lie, by nearest rank; `None`: there are none.
pub(super) fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        let waits = [1, 2, 3, 4];
        assert_eq!(percentile(&waits, 0), Some(1));
        assert_eq!(percentile(&waits, 50), Some(2));
        assert_eq!(percentile(&waits, 51), Some(3));
        assert_eq!(percentile(&waits, 100), Some(4));
        assert_eq!(percentile::<i64>(&[], 50), None);
    }
}

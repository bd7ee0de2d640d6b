//! What came of the demo, and whether it kept what is promised.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::api::proto::{AuditLedgerResponse, Book, Route};

use super::tally::MonthTally;

/// One month under both orders.
pub(super) struct MonthOutcome {
    /// `2008-05`.
    pub(super) name: String,
    /// How many leads its calls cannot reach, whatever the order.
    pub(super) shortfall: usize,
    /// When its leads were handed over to the node.
    pub(super) handed_over_at: i64,
    /// By the rules, through the node.
    pub(super) by_rules: MonthTally,
    /// First in, first out.
    pub(super) fifo: MonthTally,
    /// The node's own books when its campaign had ended.
    pub(super) book: Book,
}

impl MonthOutcome {
    /// How many of its leads were closed with a route, by the node's books.
    pub(super) fn closed_count(&self, route: Route) -> i64 {
        let counts = self.book.closed.iter().filter(|count| count.route() == route);
        counts.map(|count| count.count).sum()
    }

    /// What the softphones saw and the node's books say otherwise.
    fn contradictions(&self) -> Vec<String> {
        let tally = &self.by_rules;
        let contacted = tally.lead_count() - tally.never_contacted();
        let pairs = [
            ("leads handed over", tally.lead_count(), self.book.handed_over_count),
            ("leads touched", contacted, self.book.touched_count),
            ("touches", tally.touch_count(), self.book.touch_count),
            ("sales", tally.conversion_count(), self.closed_count(Route::Won)),
        ];
        let differ = |(_, seen, booked): &(_, usize, i64)| i64::try_from(*seen) != Ok(*booked);
        pairs
            .into_iter()
            .filter(differ)
            .map(|(what, seen, booked)| {
                format!("{}: the softphones saw {seen} {what}, the books say {booked}", self.name)
            })
            .collect()
    }
}

/// All months, and what was measured on the way.
pub(super) struct Outcome {
    /// The months, in the order of time.
    pub(super) months: Vec<MonthOutcome>,
    /// The node's books, counted again out of its ledger.
    pub(super) audit: AuditLedgerResponse,
    /// How often a rep got a lead or a number that another rep had.
    pub(super) held_twice: u64,
    /// How long pulls took that brought a lead, in microseconds.
    pub(super) pulls_us: Histogram<u64>,
    /// How long the node was at work with calls, without handovers and reports.
    pub(super) worked: Duration,
    /// How long the demo took.
    pub(super) wall: Duration,
}

impl Outcome {
    /// A count by the rules, summed over the months.
    pub(super) fn by_rules(&self, count: impl Fn(&MonthTally) -> usize) -> usize {
        self.months.iter().map(|month| count(&month.by_rules)).sum()
    }

    /// A count first in, first out, summed over the months.
    pub(super) fn fifo(&self, count: impl Fn(&MonthTally) -> usize) -> usize {
        self.months.iter().map(|month| count(&month.fifo)).sum()
    }

    /// Touches, each with the next pull, in a second of work.
    pub(super) fn cycles_per_s(&self) -> f64 {
        let touches = u32::try_from(self.by_rules(MonthTally::touch_count)).unwrap_or(u32::MAX);
        f64::from(touches) / self.worked.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// What was promised and not kept. Empty: all was.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.held_twice != 0 {
            problems.push(format!("{} leads or numbers were in two hands", self.held_twice));
        }
        if self.audit.imbalance != 0 {
            problems.push(format!("the books are out of balance by {}", self.audit.imbalance));
        }
        for month in &self.months {
            let never = month.by_rules.never_contacted();
            if never != month.shortfall {
                let must = month.shortfall;
                problems.push(format!(
                    "{}: {never} leads were never called, {must} must be",
                    month.name
                ));
            }
            problems.extend(month.contradictions());
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::Disposition;

    use super::super::floor::Attempt;
    use super::super::leads::{DemoLead, Fate, Month};
    use super::*;

    /// A month of two leads, of which one was called and bought.
    fn outcome(shortfall: usize, book: Book) -> Outcome {
        let fate = Fate { attempts: 1, last_call_ms: 1_000, converts: true };
        let lead = |row| DemoLead { row, facts: crate::domain::Facts::default(), fate };
        let month = Month { name: "2008-05".into(), starts_at: 0, leads: vec![lead(1), lead(2)] };
        let mut by_rules = MonthTally::new(&month);
        let disposition = Disposition::Sale;
        by_rules.record(&Attempt { lead: 1, started_at: 0, ended_at: 1_000, disposition });
        let fifo = by_rules.clone();
        let name = month.name;
        Outcome {
            months: vec![MonthOutcome { name, shortfall, handed_over_at: 0, by_rules, fifo, book }],
            audit: AuditLedgerResponse::default(),
            held_twice: 0,
            pulls_us: Histogram::new(3).unwrap(),
            worked: Duration::from_millis(500),
            wall: Duration::from_secs(1),
        }
    }

    fn book() -> Book {
        let won = crate::api::proto::RouteCount { route: Route::Won.into(), count: 1 };
        let closed = vec![won];
        Book { handed_over_count: 2, touched_count: 1, touch_count: 1, closed, ..Book::default() }
    }

    #[test]
    fn a_run_that_kept_every_promise_has_no_problems() {
        let outcome = outcome(1, book());
        assert_eq!(outcome.problems(), Vec::<String>::new());
        assert!((outcome.cycles_per_s() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn every_promise_that_was_not_kept_is_named() {
        let mut broken = outcome(0, Book { touched_count: 2, ..book() });
        broken.held_twice = 3;
        broken.audit.imbalance = 4;
        assert_eq!(
            broken.problems(),
            [
                "3 leads or numbers were in two hands",
                "the books are out of balance by 4",
                "2008-05: 1 leads were never called, 0 must be",
                "2008-05: the softphones saw 1 leads touched, the books say 2",
            ]
        );
    }

    #[test]
    fn a_sale_that_the_books_miss_is_named() {
        let missed = outcome(1, Book { closed: Vec::new(), ..book() });
        assert_eq!(missed.problems(), ["2008-05: the softphones saw 1 sales, the books say 0"]);
    }
}

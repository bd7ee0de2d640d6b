//! Value rules: a document in, and for each lead what it is worth and why.
//!
//! A manager writes TOML with conditions and formulas in CEL over the fields of a lead
//! (`document`). They are parsed with the `cel` crate, checked against the fields' types and
//! compiled to trees of one type each (`expression`, `compile`, `program`): millions of leads are
//! ranked again when rules change, and an interpreter of values without types takes thirty times as
//! long. Nothing here reads a clock, does I/O or logs.
//!
//! Where the meaning differs from that of the `cel` crate, which is the oracle of our tests:
//!
//! - a field without a value is null for `has(lead.x)`, `== null` and `!= null`, and an error for
//!   everything else; there is no other null;
//! - an int beside a double becomes a double, in arithmetic, comparisons, `in`, `?:`, `min`, `max`;
//! - a double that is divided by zero or grows beyond the finite numbers is an error: there is no
//!   infinity and no NaN;
//! - names and types are checked once, when the document is compiled; `in` takes literals only;
//! - texts are not joined, and there are no lists, maps, loops, regular expressions, durations,
//!   instants, bytes and unsigned numbers.

mod bounds;
mod call;
mod compile;
mod document;
mod duration;
mod evaluate;
mod explain;
mod expression;
mod field;
#[cfg(test)]
mod meaning;
mod mistake;
mod policy;
mod program;
#[cfg(test)]
mod properties;
mod toml_reader;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use explain::{Explanation, ExplanationLine, LineNote};
pub use mistake::{Mistake, Mistakes};
pub(crate) use mistake::{Report, hint};
pub use policy::PolicyLine;
pub(crate) use toml_reader::{Entry, Table, expected, int, list, table, text};

use evaluate::{Outcome, Totals, ValueRule};
use field::{Row, Schema};

use crate::domain::{Disposition, Facts, HEAD_START_MS_MAX, Policy, PromiseClock, Worth};

/// The longest document, in bytes.
pub const DOCUMENT_LENGTH_MAX: usize = 64 * 1_024;
/// The most values in a document.
pub const VALUE_COUNT_MAX: usize = 200;
/// The most fields that a document declares.
pub const FIELD_COUNT_MAX: usize = 200;
/// The longest condition or formula, in bytes.
pub const EXPRESSION_LENGTH_MAX: usize = 4 * 1_024;
/// The most names, literals and operators in a condition or formula.
pub const EXPRESSION_PART_COUNT_MAX: usize = 500;

/// What the rules may look at: a lead, as it stands.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What marketing says about it.
    pub facts: &'a Facts,
    /// The system that handed it over.
    pub source_system: &'a str,
    /// The campaign's id.
    pub campaign: &'a str,
    /// How many attempts there were to reach it.
    pub attempts: i32,
    /// How the last one ended.
    pub last_disposition: Option<Disposition>,
    /// When it was handed over: what holds for the first minutes is counted from here.
    pub handed_over_at: i64,
    /// The id of the rep who owns it.
    pub owner: Option<&'a str>,
}

/// A queue's promise to touch each lead for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstTouch {
    /// Within how long, in milliseconds.
    pub within_ms: i64,
    /// After how many ordinary pulls a rep gets an untouched lead.
    pub reserve_after: u32,
    /// By which clock.
    pub clock: PromiseClock,
}

impl Default for FirstTouch {
    fn default() -> Self {
        let within_ms = 24 * 3_600_000;
        Self { within_ms, reserve_after: 4, clock: PromiseClock::OpenHours }
    }
}

/// What is asked of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// It is new: all that is asked today.
    New {
        /// When it is published; `None`: dates are not looked at.
        now: Option<i64>,
    },
    /// It was published before, and is in force whatever is asked of new ones.
    Stored,
}

impl Reading {
    fn is_new(self) -> bool {
        matches!(self, Self::New { .. })
    }
}

/// What a point is worth in waiting time unless the document says otherwise.
const POINT_IS_MS_DEFAULT: i64 = 60_000;

/// A queue's rules, checked and compiled. Never changes; only counts its failures.
#[derive(Debug)]
pub struct RuleSet {
    queue: String,
    point_is_ms: i64,
    first_touch: FirstTouch,
    schema: Schema,
    values: Vec<ValueRule>,
    policy: Arc<Policy>,
    warnings: Vec<String>,
    failure_count: AtomicU64,
}

impl RuleSet {
    /// The rules of a queue that has published none: every lead is worth nothing, and what
    /// dispositions lead to is what is built in.
    pub fn none(queue: &str) -> Self {
        Self {
            queue: queue.to_owned(),
            point_is_ms: POINT_IS_MS_DEFAULT,
            first_touch: FirstTouch::default(),
            schema: Schema::default(),
            values: Vec::new(),
            policy: Arc::new(Policy::default()),
            warnings: Vec::new(),
            failure_count: AtomicU64::new(0),
        }
    }

    /// Reads, checks and compiles a document, whatever dates it names.
    ///
    /// Takes milliseconds for a large one: not for a thread that answers calls.
    ///
    /// # Errors
    ///
    /// All mistakes at once, by place; of a text that is no TOML those of its syntax alone.
    pub fn compile(text: &str) -> Result<Self, Mistakes> {
        document::read(text, Reading::New { now: None }, None)
    }

    /// Reads a document that is to be published at `now`: a date in it that has passed is a mistake, too,
    /// and so is a queue that is none of `queues` (`None`: nobody knows them).
    ///
    /// # Errors
    ///
    /// As [`RuleSet::compile`].
    pub fn compile_at(text: &str, now: i64, queues: Option<&[&str]>) -> Result<Self, Mistakes> {
        document::read(text, Reading::New { now: Some(now) }, queues)
    }

    /// Reads a document that was published before, perhaps by a release that asked less of it: what it left
    /// open then keeps what it meant then.
    ///
    /// # Errors
    ///
    /// As [`RuleSet::compile`], for what no release ever published.
    pub fn compile_stored(text: &str) -> Result<Self, Mistakes> {
        document::read(text, Reading::Stored, None)
    }

    /// The id of the queue that they are for.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// What a point is worth in waiting time, in milliseconds; positive.
    pub fn point_is_ms(&self) -> i64 {
        self.point_is_ms
    }

    /// The promise of a first touch.
    pub fn first_touch(&self) -> &FirstTouch {
        &self.first_touch
    }

    /// What dispositions lead to.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// What follows each disposition, in words.
    pub fn policy_lines(&self) -> Vec<PolicyLine> {
        policy::outline(&self.policy)
    }

    /// How many conditions and formulas failed since these rules were compiled, over all leads that
    /// were evaluated; explaining counts nothing.
    pub fn failure_count(&self) -> u64 {
        self.failure_count.load(Ordering::Relaxed)
    }

    /// What a lead is worth at `now`, and what later, as head starts.
    pub fn evaluate(&self, subject: &Subject<'_>, now: i64) -> Worth {
        let totals = self.walk(subject, now, |_, _| {});
        if totals.failure_count > 0 {
            self.failure_count.fetch_add(totals.failure_count, Ordering::Relaxed);
        }
        totals.worth(self.points_max(), self.point_is_ms)
    }

    /// The same walk, with a line for every value.
    pub fn explain(&self, subject: &Subject<'_>, now: i64) -> Explanation {
        let mut lines = Vec::with_capacity(self.values.len());
        let totals = self.walk(subject, now, |value, outcome| {
            lines.push(ExplanationLine::new(value, outcome, &self.schema));
        });
        let points = totals.points(self.points_max());
        let worth = totals.worth(self.points_max(), self.point_is_ms);
        Explanation { points, head_start_ms: worth.head_start_ms, until: worth.until, lines }
    }

    /// What the manager should know about these rules although they are in order.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    /// By how much waiting time two leads can swap at most: the largest difference in points that
    /// the values can make, as a head start. `None`: a formula has no bound.
    pub fn largest_head_start_ms(&self) -> Option<i64> {
        let spread = bounds::spread(&self.values, self.points_max())?;
        Some(spread.saturating_mul(self.point_is_ms))
    }

    /// The largest sum of points: with it every rank is exact in a double.
    fn points_max(&self) -> i64 {
        HEAD_START_MS_MAX / self.point_is_ms
    }

    /// Goes through the values in the order of the document, and adds up.
    fn walk<'r>(
        &'r self,
        subject: &Subject<'_>,
        now: i64,
        mut visit: impl FnMut(&'r ValueRule, Outcome),
    ) -> Totals {
        let row = Row { subject, schema: &self.schema };
        let points_max = self.points_max();
        let mut totals = Totals::default();
        for value in &self.values {
            let outcome = value.outcome(row, now, points_max);
            totals.add(outcome);
            visit(value, outcome);
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(facts: &Facts) -> Subject<'_> {
        Subject {
            facts,
            source_system: "crm",
            campaign: "fair",
            attempts: 0,
            last_disposition: None,
            handed_over_at: 1_000,
            owner: None,
        }
    }

    #[test]
    fn a_queue_without_rules_gives_every_lead_nothing() {
        let rules = RuleSet::none("q");
        assert_eq!(rules.queue(), "q");
        assert_eq!(rules.evaluate(&lead(&Facts::default()), 5), Worth::steady(0));
        assert_eq!(rules.explain(&lead(&Facts::default()), 5).lines, []);
        assert_eq!(rules.largest_head_start_ms(), Some(0));
    }

    #[test]
    fn a_value_for_the_first_minutes_ends_to_the_millisecond() {
        let document = "queue = 'q'\n[[value]]\nname = 'fresh'\nfor_the_first = '5m'\npoints = 3\n\
                        [[value]]\nname = 'all'\npoints = 1\n";
        let rules = RuleSet::compile(document).unwrap();
        let facts = Facts::default();
        let explain = |now| rules.explain(&lead(&facts), now);

        let before = explain(300_999);
        assert_eq!((before.points, before.head_start_ms), (4, 240_000));
        assert_eq!(before.until, Some(301_000));
        assert_eq!(before.lines[0].note, LineNote::Matched);

        let after = explain(301_000);
        assert_eq!((after.points, after.until), (1, None));
        assert_eq!(after.lines[0].note, LineNote::Ended);
        assert_eq!(after.lines[1].points, 1);
    }

    #[test]
    fn a_formula_for_a_limited_time_never_takes_away() {
        let document = "queue = 'q'\n[[value]]\nname = 'v'\nfor_the_first = '5m'\n\
                        points = 'lead.engagements - 2'\n";
        let rules = RuleSet::compile(document).unwrap();
        let worth = |engagements| {
            let facts = Facts { engagements, ..Facts::default() };
            rules.evaluate(&lead(&facts), 1_000)
        };
        assert_eq!(worth(0), Worth::steady(0));
        assert_eq!(worth(2), Worth::steady(0));
        assert_eq!((worth(3).head_start_ms, worth(3).until), (60_000, Some(301_000)));
    }

    #[test]
    fn failures_are_counted_when_leads_are_evaluated() {
        let document = "queue = 'q'\n[[value]]\nname = 'a'\npoints = 'lead.score'\n\
                        [[value]]\nname = 'b'\nwhen = 'lead.stage == \"hot\"'\npoints = 1\n";
        let rules = RuleSet::compile(document).unwrap();
        let facts = Facts::default();
        assert_eq!(rules.evaluate(&lead(&facts), 0), Worth::steady(0));
        rules.explain(&lead(&facts), 0);
        assert_eq!(rules.failure_count(), 2);
        let known = Facts { score: Some(2.0), stage: Some("hot".into()), ..Facts::default() };
        assert_eq!(rules.evaluate(&lead(&known), 0), Worth::steady(3 * 60_000));
        assert_eq!(rules.failure_count(), 2);
    }

    #[test]
    fn rules_are_shared_between_threads() {
        fn check<T: Send + Sync>() {}
        check::<RuleSet>();
    }
}

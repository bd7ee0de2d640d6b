//! How many points a rule set can make at most and at least, as far as its text tells.
//!
//! Intervals over the compiled formulas: a field has no bounds (counts start at 0), `min` and `max`
//! give them. A formula that fails adds 0, so 0 is always inside. The ends are doubles and rounded
//! like the formulas themselves; as rounding keeps order, a bound may be wider than the truth, and
//! never narrower among the sums that are kept exact.

use super::evaluate::{Points, ValueRule};
use super::field::Column;
use super::program::{Arithmetic, Double, Extreme, Int};

/// From the smallest to the largest value; infinite where there is no bound.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval {
    low: f64,
    high: f64,
}

const ALL: Interval = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
const COUNT: Interval = Interval { low: 0.0, high: f64::INFINITY };

/// The largest difference in points between two leads; `None`: no bound.
pub(super) fn spread(values: &[ValueRule], points_max: i64) -> Option<i64> {
    let mut total = Interval { low: 0.0, high: 0.0 };
    for value in values {
        let bounds = of_value(value);
        if !bounds.low.is_finite() || !bounds.high.is_finite() {
            return None;
        }
        let limit = points_max as f64;
        total.low += bounds.low.clamp(-limit, limit);
        total.high += bounds.high.clamp(-limit, limit);
    }
    let limit = points_max as f64;
    let (low, high) = (total.low.clamp(-limit, limit), total.high.clamp(-limit, limit));
    Some((high - low).ceil() as i64)
}

/// Whether a value can make any number of points.
pub(super) fn is_unbounded(value: &ValueRule) -> bool {
    let bounds = of_value(value);
    !bounds.low.is_finite() || !bounds.high.is_finite()
}

fn of_value(value: &ValueRule) -> Interval {
    let bounds = match &value.points {
        Points::Literal(points) if value.when.is_none() && value.for_the_first_ms.is_none() => {
            return point(*points as f64);
        }
        Points::Literal(points) => point(*points as f64),
        Points::Int(int) => of_int(int),
        Points::Double(double) => {
            let bounds = of_double(double);
            Interval { low: bounds.low.round_ties_even(), high: bounds.high.round_ties_even() }
        }
    };
    let low = if value.for_the_first_ms.is_some() { 0.0 } else { bounds.low.min(0.0) };
    Interval { low, high: bounds.high.max(0.0) }
}

fn of_int(int: &Int) -> Interval {
    match int {
        Int::Literal(int) => point(*int as f64),
        Int::Field(Column::Attempts | Column::Engagements) | Int::Size(_) => COUNT,
        Int::Field(_) => ALL,
        Int::Negate(int) => negate(of_int(int)),
        Int::Arithmetic(arithmetic, pair) => match arithmetic {
            Arithmetic::Divide => divide_whole(of_int(&pair.0), of_int(&pair.1)),
            Arithmetic::Remainder => remainder(of_int(&pair.0), of_int(&pair.1)),
            _ => combine(*arithmetic, of_int(&pair.0), of_int(&pair.1)),
        },
        Int::Extreme(extreme, ints) => extremes(*extreme, ints.iter().map(of_int)),
        Int::If(parts) => either(of_int(&parts.1), of_int(&parts.2)),
        Int::Truncate(double) => of_double(double).truncated(),
    }
}

fn of_double(double: &Double) -> Interval {
    match double {
        Double::Literal(double) => point(*double),
        Double::Field(_) => ALL,
        Double::Promote(int) => of_int(int),
        Double::Negate(double) => negate(of_double(double)),
        Double::Arithmetic(arithmetic, pair) => match arithmetic {
            Arithmetic::Divide => divide(of_double(&pair.0), of_double(&pair.1)),
            _ => combine(*arithmetic, of_double(&pair.0), of_double(&pair.1)),
        },
        Double::Extreme(extreme, doubles) => extremes(*extreme, doubles.iter().map(of_double)),
        Double::If(parts) => either(of_double(&parts.1), of_double(&parts.2)),
    }
}

impl Interval {
    /// Division of whole numbers cuts off towards zero.
    fn truncated(self) -> Self {
        Self { low: self.low.trunc(), high: self.high.trunc() }
    }
}

fn point(at: f64) -> Interval {
    Interval { low: at, high: at }
}

fn negate(one: Interval) -> Interval {
    Interval { low: -one.high, high: -one.low }
}

fn either(one: Interval, other: Interval) -> Interval {
    Interval { low: one.low.min(other.low), high: one.high.max(other.high) }
}

fn combine(arithmetic: Arithmetic, one: Interval, other: Interval) -> Interval {
    match arithmetic {
        Arithmetic::Add => Interval { low: one.low + other.low, high: one.high + other.high },
        Arithmetic::Subtract => Interval { low: one.low - other.high, high: one.high - other.low },
        Arithmetic::Multiply => corners(one, other, |left, right| {
            // Nothing of something without bound is nothing.
            if left == 0.0 || right == 0.0 { 0.0 } else { left * right }
        }),
        Arithmetic::Divide | Arithmetic::Remainder => ALL,
    }
}

/// A whole divisor is never nearer to zero than 1: the result is no larger than what is divided.
fn divide_whole(one: Interval, other: Interval) -> Interval {
    if other.low <= 0.0 && other.high >= 0.0 {
        let largest = one.low.abs().max(one.high.abs());
        return Interval { low: -largest, high: largest };
    }
    divide(one, other).truncated()
}

/// With a divisor that may come near zero there is no bound.
fn divide(one: Interval, other: Interval) -> Interval {
    if other.low <= 0.0 && other.high >= 0.0 {
        return ALL;
    }
    corners(one, other, |left, right| if right.is_infinite() { 0.0 } else { left / right })
}

fn remainder(one: Interval, other: Interval) -> Interval {
    let largest = other.low.abs().max(other.high.abs());
    Interval {
        low: if one.low < 0.0 { one.low.max(-largest) } else { 0.0 },
        high: if one.high > 0.0 { one.high.min(largest) } else { 0.0 },
    }
}

fn corners(one: Interval, other: Interval, apply: impl Fn(f64, f64) -> f64) -> Interval {
    let all = [
        apply(one.low, other.low),
        apply(one.low, other.high),
        apply(one.high, other.low),
        apply(one.high, other.high),
    ];
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    Interval { low, high: all.iter().copied().fold(f64::NEG_INFINITY, f64::max) }
}

fn extremes(extreme: Extreme, parts: impl Iterator<Item = Interval>) -> Interval {
    let pick = |left: f64, right: f64| match extreme {
        Extreme::Min => left.min(right),
        Extreme::Max => left.max(right),
    };
    parts
        .reduce(|one, other| Interval {
            low: pick(one.low, other.low),
            high: pick(one.high, other.high),
        })
        .unwrap_or(ALL)
}

#[cfg(test)]
mod tests {
    use crate::rules::RuleSet;

    fn spread(formula: &str) -> Option<i64> {
        let head =
            "queue = 'q'\npoint_is = '1s'\n[fields]\nemployees = 'int'\nrevenue = 'double'\n";
        let document = format!("{head}[[value]]\nname = 'v'\npoints = '{formula}'\n");
        let rules = RuleSet::compile(&document).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        rules.largest_head_start_ms().map(|head_start_ms| head_start_ms / 1_000)
    }

    #[test]
    fn a_formula_has_a_bound_where_its_text_gives_one() {
        const COUNT: &str = "min(lead.attempts, 7)";
        const SIGNED: &str = "max(-3, min(lead.employees, 5))";
        for (formula, expected) in [
            ("lead.attempts".to_owned(), None),
            ("min(lead.employees, 300)".to_owned(), None),
            (COUNT.to_owned(), Some(7)),
            (SIGNED.to_owned(), Some(8)),
            (format!("{COUNT} + {SIGNED}"), Some(15)),
            (format!("{COUNT} - {SIGNED}"), Some(15)),
            (format!("10 - {COUNT}"), Some(10)),
            (format!("{SIGNED} * {SIGNED}"), Some(40)),
            (format!("-{SIGNED} * 2"), Some(16)),
            (format!("{SIGNED} / 2"), Some(3)),
            (format!("{SIGNED} / lead.employees"), Some(10)),
            ("7.0 / max(lead.revenue, 2.0)".to_owned(), Some(4)),
            ("7.0 / lead.revenue".to_owned(), None),
            ("lead.employees % 10".to_owned(), Some(20)),
            ("lead.attempts % 10".to_owned(), Some(10)),
            (format!("lead.attempts > 1 ? {COUNT} : -9"), Some(16)),
            ("int(min(max(lead.revenue, 0.0), 2.9))".to_owned(), Some(2)),
            ("max(0.0, min(lead.revenue * 2, 2.5))".to_owned(), Some(2)),
        ] {
            assert_eq!(spread(&formula), expected, "{formula}");
        }
    }
}

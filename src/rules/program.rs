//! Expressions as they are evaluated: trees of one type each, so that no type is checked per lead.
//!
//! Nothing here allocates. Every double is finite: an operation that leaves the finite numbers
//! fails instead, as a NaN among points would make ranks that no two engines order alike. Depth is
//! bounded by the number of an expression's parts, which is checked before it is parsed.

use std::cmp::Ordering;

use super::field::{Column, Fault, Row};

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// What is done with two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    /// Whole numbers only.
    Remainder,
}

/// What is asked about two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

/// The smallest or the largest of some numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extreme {
    Min,
    Max,
}

/// A condition.
#[derive(Clone, Debug)]
pub(super) enum Flag {
    Literal(bool),
    Field(Column),
    Has(Column),
    Not(Box<Flag>),
    And(Box<(Flag, Flag)>),
    Or(Box<(Flag, Flag)>),
    If(Box<(Flag, Flag, Flag)>),
    Same(Box<(Flag, Flag)>),
    Ints(Comparison, Box<(Int, Int)>),
    Doubles(Comparison, Box<(Double, Double)>),
    Texts(Comparison, Box<(Text, Text)>),
    IntIn(Box<Int>, Box<[i64]>),
    DoubleIn(Box<Double>, Box<[f64]>),
    TextIn(Box<Text>, Box<[Box<str>]>),
    TextTest(TextTest, Box<(Text, Text)>),
}

/// A whole number.
#[derive(Clone, Debug)]
pub(super) enum Int {
    Literal(i64),
    Field(Column),
    Negate(Box<Int>),
    Arithmetic(Arithmetic, Box<(Int, Int)>),
    Extreme(Extreme, Box<[Int]>),
    If(Box<(Flag, Int, Int)>),
    Size(Box<Text>),
    Truncate(Box<Double>),
}

/// Any number.
#[derive(Clone, Debug)]
pub(super) enum Double {
    Literal(f64),
    Field(Column),
    Promote(Box<Int>),
    Negate(Box<Double>),
    Arithmetic(Arithmetic, Box<(Double, Double)>),
    Extreme(Extreme, Box<[Double]>),
    If(Box<(Flag, Double, Double)>),
}

/// A text.
#[derive(Clone, Debug)]
pub(super) enum Text {
    Literal(Box<str>),
    Field(Column),
    If(Box<(Flag, Text, Text)>),
}

impl Flag {
    pub(super) fn evaluate(&self, row: Row<'_>) -> Result<bool, Fault> {
        match self {
            Self::Literal(flag) => Ok(*flag),
            Self::Field(column) => row.flag(*column),
            Self::Has(column) => Ok(row.has(*column)),
            Self::Not(flag) => flag.evaluate(row).map(|flag| !flag),
            Self::And(pair) => decided(&pair.0, &pair.1, false, row),
            Self::Or(pair) => decided(&pair.0, &pair.1, true, row),
            Self::If(parts) => {
                if parts.0.evaluate(row)? {
                    parts.1.evaluate(row)
                } else {
                    parts.2.evaluate(row)
                }
            }
            Self::Same(pair) => Ok(pair.0.evaluate(row)? == pair.1.evaluate(row)?),
            Self::Ints(comparison, pair) => {
                Ok(comparison.holds(pair.0.evaluate(row)?.cmp(&pair.1.evaluate(row)?)))
            }
            Self::Doubles(comparison, pair) => {
                let (left, right) = (pair.0.evaluate(row)?, pair.1.evaluate(row)?);
                let ordering = left.partial_cmp(&right).expect("every double is finite");
                Ok(comparison.holds(ordering))
            }
            Self::Texts(comparison, pair) => {
                Ok(comparison.holds(pair.0.evaluate(row)?.cmp(pair.1.evaluate(row)?)))
            }
            Self::IntIn(int, list) => int.evaluate(row).map(|int| list.contains(&int)),
            Self::DoubleIn(double, list) => {
                double.evaluate(row).map(|double| list.contains(&double))
            }
            Self::TextIn(text, list) => {
                text.evaluate(row).map(|text| list.iter().any(|one| **one == *text))
            }
            Self::TextTest(test, pair) => {
                let (text, part) = (pair.0.evaluate(row)?, pair.1.evaluate(row)?);
                Ok(match test {
                    TextTest::StartsWith => text.starts_with(part),
                    TextTest::EndsWith => text.ends_with(part),
                    TextTest::Contains => text.contains(part),
                })
            }
        }
    }
}

/// `&&` and `||` as CEL has them: a side that decides alone does so even if the other fails.
fn decided(left: &Flag, right: &Flag, decisive: bool, row: Row<'_>) -> Result<bool, Fault> {
    let left = left.evaluate(row);
    if left == Ok(decisive) {
        return left;
    }
    match right.evaluate(row) {
        Ok(flag) if flag == decisive => Ok(flag),
        right => left.and(right),
    }
}

impl Int {
    pub(super) fn evaluate(&self, row: Row<'_>) -> Result<i64, Fault> {
        match self {
            Self::Literal(int) => Ok(*int),
            Self::Field(column) => row.int(*column),
            Self::Negate(int) => int.evaluate(row)?.checked_neg().ok_or(Fault::Overflow),
            Self::Arithmetic(arithmetic, pair) => {
                let (left, right) = (pair.0.evaluate(row)?, pair.1.evaluate(row)?);
                let result = match arithmetic {
                    Arithmetic::Add => left.checked_add(right),
                    Arithmetic::Subtract => left.checked_sub(right),
                    Arithmetic::Multiply => left.checked_mul(right),
                    _ if right == 0 => return Err(Fault::DivisionByZero),
                    Arithmetic::Divide => left.checked_div(right),
                    Arithmetic::Remainder => left.checked_rem(right),
                };
                result.ok_or(Fault::Overflow)
            }
            Self::Extreme(extreme, ints) => {
                let mut best = ints[0].evaluate(row)?;
                for int in &ints[1..] {
                    let int = int.evaluate(row)?;
                    best = match extreme {
                        Extreme::Min => best.min(int),
                        Extreme::Max => best.max(int),
                    };
                }
                Ok(best)
            }
            Self::If(parts) => {
                if parts.0.evaluate(row)? {
                    parts.1.evaluate(row)
                } else {
                    parts.2.evaluate(row)
                }
            }
            Self::Size(text) => {
                let count = text.evaluate(row)?.chars().count();
                i64::try_from(count).map_err(|_| Fault::Overflow)
            }
            Self::Truncate(double) => truncate(double.evaluate(row)?),
        }
    }
}

/// The whole part of a number, if it lies between the smallest and the largest int, as CEL has it.
fn truncate(double: f64) -> Result<i64, Fault> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if double > -BEYOND && double < BEYOND { Ok(double as i64) } else { Err(Fault::Overflow) }
}

impl Double {
    pub(super) fn evaluate(&self, row: Row<'_>) -> Result<f64, Fault> {
        match self {
            Self::Literal(double) => Ok(*double),
            Self::Field(column) => row.double(*column),
            Self::Promote(int) => int.evaluate(row).map(|int| int as f64),
            Self::Negate(double) => double.evaluate(row).map(|double| -double),
            Self::Arithmetic(arithmetic, pair) => {
                let (left, right) = (pair.0.evaluate(row)?, pair.1.evaluate(row)?);
                let result = match arithmetic {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    _ if right == 0.0 => return Err(Fault::DivisionByZero),
                    Arithmetic::Divide => left / right,
                    Arithmetic::Remainder => left % right,
                };
                if result.is_finite() { Ok(result) } else { Err(Fault::Overflow) }
            }
            Self::Extreme(extreme, doubles) => {
                let mut best = doubles[0].evaluate(row)?;
                for double in &doubles[1..] {
                    let double = double.evaluate(row)?;
                    best = match extreme {
                        Extreme::Min => best.min(double),
                        Extreme::Max => best.max(double),
                    };
                }
                Ok(best)
            }
            Self::If(parts) => {
                if parts.0.evaluate(row)? {
                    parts.1.evaluate(row)
                } else {
                    parts.2.evaluate(row)
                }
            }
        }
    }
}

impl Text {
    pub(super) fn evaluate<'a>(&'a self, row: Row<'a>) -> Result<&'a str, Fault> {
        match self {
            Self::Literal(text) => Ok(text),
            Self::Field(column) => row.text(*column),
            Self::If(parts) => {
                if parts.0.evaluate(row)? {
                    parts.1.evaluate(row)
                } else {
                    parts.2.evaluate(row)
                }
            }
        }
    }
}

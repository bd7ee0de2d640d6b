//! The part of a document that says what a disposition leads to: `[[after]]`.
//!
//! A document that says so for one disposition says so for all: what management did not decide is a
//! mistake, and so is a chain of attempts that ends nowhere. A queue without any `[[after]]` goes by the
//! rules that are built in.

mod complete;
mod outline;
mod stage;
#[cfg(test)]
mod tests;
mod then;

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeTable;

use super::Reading;
use super::mistake::{Report, hint};
use super::toml_reader::{Entry, Quoted, Table, list, text};
use crate::domain::{AfterRule, Disposition, Policy};

pub use outline::PolicyLine;
pub(super) use outline::outline;

const KEYS: [&str; 6] =
    ["dispositions", "retry_in", "stage", "attempts_min", "attempts_max", "then"];
/// The most attempts that a rule can name.
const ATTEMPTS_MAX: i64 = 1_000;

/// What was read of the rules so far.
#[derive(Default)]
struct Named {
    /// In which line each disposition stands first.
    lines: BTreeMap<Disposition, u32>,
    /// A name was not understood: who knows which one it meant.
    is_in_doubt: bool,
}

/// Reads all `[[after]]` of a document.
pub(super) fn read(document: &Table<'_, '_>, reading: Reading, report: &mut Report<'_>) -> Policy {
    let mut named = Named::default();
    let tables = document.tables("after", report);
    let first = tables.first().map(|(_, span)| span.clone());
    let tables = tables.into_iter();
    let after = tables
        .filter_map(|(table, span)| after_rule(table, span, reading, &mut named, report))
        .collect();
    let mut policy = Policy { after };
    match (first, reading) {
        (None, _) => {}
        (Some(first), Reading::New { .. }) if !named.is_in_doubt => {
            complete::report_missing(&named.lines, first, report);
        }
        (Some(_), Reading::New { .. }) => {}
        (Some(_), Reading::Stored) => complete::fill_in(&named.lines, &mut policy),
    }
    policy
}

/// Reads one; `None` after a mistake in it.
fn after_rule(
    entries: &DeTable<'_>,
    span: Range<usize>,
    reading: Reading,
    named: &mut Named,
    report: &mut Report<'_>,
) -> Option<AfterRule> {
    let table = Table::new(entries, "[[after]]", span.clone(), &KEYS, report);
    let dispositions = dispositions(table.require("dispositions", report), named, report);
    let attempts = |key, report: &mut Report<'_>| {
        let count = table.int_within(key, 1..=ATTEMPTS_MAX, report)?;
        i32::try_from(count).ok()
    };
    let attempts_min = attempts("attempts_min", report);
    let attempts_max = attempts("attempts_max", report);
    let stages = stage::read(&table, attempts_max, reading, report);
    if reading.is_new() {
        check_end(&table, &span, attempts_min, attempts_max, report);
    }
    let (then, reason) =
        table.require("then", report).and_then(|entry| then::read(entry, reading, report))?;
    let attempts_min = attempts_min.unwrap_or(0);
    Some(AfterRule { dispositions, stages, attempts_min, attempts_max, then, reason })
}

/// Reports attempts that end nowhere, and counts of them that contradict each other.
fn check_end(
    table: &Table<'_, '_>,
    span: &Range<usize>,
    attempts_min: Option<i32>,
    attempts_max: Option<i32>,
    report: &mut Report<'_>,
) {
    let retries = table.get("retry_in").is_some() || table.get("stage").is_some();
    if retries && table.get("attempts_max").is_none() {
        let problem = "[[after]] needs `attempts_max`: without it the attempts end nowhere, and \
                       `then` is never reached; `attempts_max = 8`, say";
        report.add(span.clone(), problem);
    }
    let Some(entry) = table.get("attempts_min") else { return };
    if !retries {
        let problem = "`attempts_min` goes with `retry_in`: without a next attempt the first such \
                       touch closes the lead";
        report.add(entry.span(), problem);
    }
    if let (Some(min), Some(max)) = (attempts_min, attempts_max)
        && min > max
    {
        let problem = format!("`attempts_min` is more than `attempts_max`, {min} of {max}");
        report.add(entry.span(), problem);
    }
}

fn dispositions(
    entry: Option<&Entry<'_>>,
    named: &mut Named,
    report: &mut Report<'_>,
) -> Vec<Disposition> {
    let Some(entry) = entry else { return Vec::new() };
    let elements = list(entry, report);
    if elements.is_empty() && entry.get_ref().is_array() {
        report.add(entry.span(), "[[after]] needs a disposition at least");
    }
    let codes: Vec<_> = elements.iter().filter_map(|element| text(element, report)).collect();
    codes.into_iter().filter_map(|code| disposition(&code, named, report)).collect()
}

fn disposition(
    code: &Quoted<'_>,
    named: &mut Named,
    report: &mut Report<'_>,
) -> Option<Disposition> {
    let Some(disposition) = Disposition::from_code(code.text) else {
        let codes = Disposition::ALL.iter().map(|one| one.code());
        let hint = hint(code.text, codes);
        report.add(code.span.clone(), format!("no disposition `{}`{hint}", code.text));
        named.is_in_doubt = true;
        return None;
    };
    if let Some(outcome) = fixed_outcome(disposition) {
        let problem = format!("what follows `{}` is fixed: {outcome}", code.text);
        report.add(code.span.clone(), problem);
        return None;
    }
    let line = report.line_of(code.span.start);
    if let Some(first_line) = named.lines.insert(disposition, line) {
        named.lines.insert(disposition, first_line);
        let problem = format!("`{}` stands in line {first_line} already", code.text);
        report.add(code.span.clone(), problem);
        return None;
    }
    Some(disposition)
}

/// What follows a disposition whatever a document says.
fn fixed_outcome(disposition: Disposition) -> Option<&'static str> {
    match disposition {
        Disposition::DoNotCall => Some("the lead and its number are suppressed at once"),
        Disposition::CallbackAny | Disposition::CallbackOwn => {
            Some("the lead is called at the time that was agreed")
        }
        Disposition::Qualified | Disposition::Appointment | Disposition::Sale => {
            Some("the lead is won")
        }
        _ => None,
    }
}

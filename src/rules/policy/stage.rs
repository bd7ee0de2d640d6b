//! When the next attempt comes: `retry_in`, in one stage or in several.

use std::ops::Range;

use toml::de::DeTable;

use super::super::Reading;
use super::super::mistake::{Report, hint};
use super::super::toml_reader::{Entry, Table, duration_ms, list};
use super::ATTEMPTS_MAX;
use crate::domain::{Delay, Stage};

const KEYS: [&str; 3] = ["for_the_first", "attempts", "retry_in"];
const NEXT_DAYPART: &str = "next_daypart";
/// The most delays in one list.
const RETRY_COUNT_MAX: usize = 100;
/// The most stages in one rule.
const STAGE_COUNT_MAX: usize = 20;

/// A stage with where it stands.
struct Placed {
    stage: Stage,
    span: Range<usize>,
}

/// Reads the stages of a rule; none: the first touch closes the lead.
pub(super) fn read(
    rule: &Table<'_, '_>,
    attempts_max: Option<i32>,
    reading: Reading,
    report: &mut Report<'_>,
) -> Vec<Stage> {
    let tables = rule.tables("stage", report);
    if let Some(entry) = rule.get("retry_in") {
        if !tables.is_empty() {
            let problem = "`retry_in` stands in each [[after.stage]] of a rule that has stages";
            report.add(entry.span(), problem);
        }
        let retry_in = delays(entry, reading, report);
        return match retry_in.is_empty() {
            true => Vec::new(),
            false => vec![Stage { retry_in, ..Stage::default() }],
        };
    }
    if let Some((_, span)) = tables.get(STAGE_COUNT_MAX) {
        let problem = format!("a rule has at most {STAGE_COUNT_MAX} stages");
        report.add(span.clone(), problem);
        return Vec::new();
    }
    let stages: Vec<Placed> =
        tables.into_iter().map(|(table, span)| stage(table, span, reading, report)).collect();
    check_reached(&stages, attempts_max, report);
    stages.into_iter().map(|placed| placed.stage).collect()
}

fn stage(
    entries: &DeTable<'_>,
    span: Range<usize>,
    reading: Reading,
    report: &mut Report<'_>,
) -> Placed {
    let table = Table::new(entries, "[[after.stage]]", span.clone(), &KEYS, report);
    let for_the_first_ms = table.duration_ms("for_the_first", report);
    let attempts = table.int_within("attempts", 1..=ATTEMPTS_MAX, report);
    let attempts = attempts.and_then(|count| i32::try_from(count).ok());
    let entry = table.require("retry_in", report);
    let retry_in = entry.map_or_else(Vec::new, |entry| delays(entry, reading, report));
    Placed { stage: Stage { for_the_first_ms, attempts, retry_in }, span }
}

/// Reports every stage in which no lead ever is: those before it do not end, or end too late.
fn check_reached(stages: &[Placed], attempts_max: Option<i32>, report: &mut Report<'_>) {
    for (nth, placed) in stages.iter().enumerate() {
        // Whatever is over at all is over at the last moment of this stage.
        let age_ms = placed.stage.for_the_first_ms.map_or(i64::MAX, |for_ms| for_ms - 1);
        let ends = [placed.stage.attempts, attempts_max].into_iter().flatten().min();
        let attempts = ends.map_or(i32::MAX, |count| count - 1);
        let before = &stages[..nth];
        let blocking = before.iter().position(|one| !one.stage.is_over(age_ms, attempts));
        let problem = match blocking {
            Some(first) if is_endless(&before[first].stage) => format!(
                "this stage is never reached: stage {} has no end; give it `for_the_first` or \
                 `attempts`",
                first + 1
            ),
            Some(first) => format!(
                "this stage is never reached: it is over before stage {} is; days count from the \
                 handover, attempts are all there were",
                first + 1
            ),
            None if attempts < 1 => {
                "this stage is never reached: after the first attempt it is over".to_owned()
            }
            None => continue,
        };
        report.add(placed.span.clone(), problem);
    }
}

fn is_endless(stage: &Stage) -> bool {
    stage.for_the_first_ms.is_none() && stage.attempts.is_none()
}

fn delays(entry: &Entry<'_>, reading: Reading, report: &mut Report<'_>) -> Vec<Delay> {
    let elements = list(entry, report);
    if elements.len() > RETRY_COUNT_MAX {
        let problem = format!("`retry_in` has at most {RETRY_COUNT_MAX} delays");
        report.add(entry.span(), problem);
    }
    if elements.is_empty() && entry.get_ref().is_array() && reading.is_new() {
        let problem = "`retry_in` is empty; leave it out to close the lead at once";
        report.add(entry.span(), problem);
    }
    elements.iter().filter_map(|element| delay(element, report)).collect()
}

fn delay(element: &Entry<'_>, report: &mut Report<'_>) -> Option<Delay> {
    match element.get_ref().as_str() {
        Some(NEXT_DAYPART) => Some(Delay::NextDaypart),
        Some(name) if name.contains("daypart") || !hint(name, [NEXT_DAYPART]).is_empty() => {
            let problem = format!("no delay `{name}`; did you mean `{NEXT_DAYPART}`?");
            report.add(element.span(), problem);
            None
        }
        _ => duration_ms(element, report).map(Delay::For),
    }
}

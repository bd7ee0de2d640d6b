//! Where a lead goes that is given up: `then`.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};

use super::super::Reading;
use super::super::mistake::{Report, hint};
use super::super::toml_reader::{Entry, Table, duration_ms, expected, text};
use crate::domain::{AfterRoute, AfterRule, QueueId};

const ROUTES: [&str; 2] = ["lost", "unreachable"];
const KEYS: [&str; 5] = ["nurture", "nurture_until", "lost", "unreachable", "queue"];
const THEN: &str = "`then` is \"lost\", \"unreachable\", { lost = \"no_budget\" }, \
                    { nurture = \"90d\" }, { nurture_until = \"2027-01-15\" }, { nurture = \
                    \"until_engagement\" } or { queue = \"second-line\" }: every chain ends in a \
                    route";
const UNTIL_ENGAGEMENT: &str = "until_engagement";

/// Reads a route, and the reason that may come with it.
pub(super) fn read(
    entry: &Entry<'_>,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<(AfterRoute, Option<String>)> {
    match entry.get_ref() {
        DeValue::String(name) => match &**name {
            "lost" => Some((AfterRoute::Lost, None)),
            "unreachable" => Some((AfterRoute::Unreachable, None)),
            other => {
                let hint = hint(other, ROUTES);
                let problem = match hint.is_empty() {
                    true => THEN.to_owned(),
                    false => format!("no route `{other}`{hint}"),
                };
                report.add(entry.span(), problem);
                None
            }
        },
        DeValue::Table(entries) => of_table(entries, entry, reading, report),
        other => {
            report.add(entry.span(), format!("{}; {THEN}", expected("a route", other)));
            None
        }
    }
}

fn of_table(
    entries: &DeTable<'_>,
    entry: &Entry<'_>,
    reading: Reading,
    report: &mut Report<'_>,
) -> Option<(AfterRoute, Option<String>)> {
    let table = Table::new(entries, "`then`", entry.span(), &KEYS, report);
    let mut found = KEYS.into_iter().filter_map(|key| Some((key, table.get(key)?)));
    let Some((key, value)) = found.next() else {
        report.add(entry.span(), THEN);
        return None;
    };
    if let Some((other, second)) = found.next() {
        let problem = format!("`then` is one route, not both `{key}` and `{other}`");
        report.add(second.span(), problem);
    }
    match key {
        "nurture" => nurture(value, report).map(|route| (route, None)),
        "nurture_until" => date(value, reading, report).map(|route| (route, None)),
        "lost" => reason(value, report).map(|reason| (AfterRoute::Lost, Some(reason))),
        "queue" => queue(value, report).map(|route| (route, None)),
        _ => reason(value, report).map(|reason| (AfterRoute::Unreachable, Some(reason))),
    }
}

fn nurture(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<AfterRoute> {
    match entry.get_ref().as_str() {
        Some(UNTIL_ENGAGEMENT) => Some(AfterRoute::Nurture(None)),
        Some(other) if !hint(other, [UNTIL_ENGAGEMENT]).is_empty() => {
            let problem = format!("no `{other}`{}", hint(other, [UNTIL_ENGAGEMENT]));
            report.add(entry.span(), problem);
            None
        }
        _ => duration_ms(entry, report).map(|delay_ms| AfterRoute::Nurture(Some(delay_ms))),
    }
}

/// Reads the queue that goes on; whether there is one is looked up when all was read.
fn queue(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<AfterRoute> {
    let written = text(entry, report)?;
    match QueueId::new(written.text) {
        Ok(queue) => {
            report.name_queue(written.span, written.text);
            Some(AfterRoute::Queue(queue))
        }
        Err(problem) => {
            report.add(written.span, format!("a queue's id {problem}"));
            None
        }
    }
}

/// Reads a date; that of a new document must lie ahead, by UTC's calendar.
fn date(entry: &Entry<'_>, reading: Reading, report: &mut Report<'_>) -> Option<AfterRoute> {
    let written = text(entry, report)?;
    let parts = written.text.split('-').map(str::len);
    let date = written.text.parse::<Date>().ok().filter(|_| parts.eq([4, 2, 2]));
    let Some(date) = date else {
        let problem = "`nurture_until` is a date like \"2027-01-15\"";
        report.add(written.span, problem);
        return None;
    };
    if let Reading::New { now: Some(now) } = reading
        && let Ok(now) = Timestamp::from_millisecond(now)
        && date <= TimeZone::UTC.to_datetime(now).date()
    {
        let problem = format!("{date} does not lie ahead: leads would come back at once");
        report.add(written.span, problem);
    }
    Some(AfterRoute::NurtureUntil(date))
}

fn reason(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<String> {
    let written = text(entry, report)?;
    let is_word = |one: char| one.is_ascii_alphanumeric() || one == '_' || one == '-';
    let length_max = AfterRule::REASON_LENGTH_MAX;
    let is_code = (1..=length_max).contains(&written.text.len());
    if !is_code || !written.text.chars().all(is_word) {
        let problem =
            format!("a reason is a word of 1 to {length_max} letters a to z, digits, `_` and `-`");
        report.add(written.span, problem);
        return None;
    }
    Some(written.text.to_owned())
}

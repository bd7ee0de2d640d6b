//! The demo's leads: 41,159 real sales calls of a bank, cut into the months in which they were made.
//!
//! What a lead was *before* it was called goes to the server. How many attempts it took, how long the
//! last one lasted and how it ended stay in [`Fate`], which only the simulated softphones read: a rule
//! that saw them would have seen the future. `day` stays behind too, as it is the day of the last
//! attempt. Rows keep the order of the file, which is the order of first in, first out.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, ensure};

use super::numbers::NumberPlan;

use crate::domain::{Facts, LeadNumber, Number, Value};

/// The real calls; source and licence stand in the README beside the file.
const CALLS: &[u8] = include_bytes!("../../../tests/data/bank-marketing/bank-marketing.csv.gz");
/// The year of the first rows; the file names months only.
const FIRST_YEAR: i16 = 2008;
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// Where the leads come from, in the words of the books.
pub(super) const SOURCE: &str = "bank-marketing";

/// How a lead will turn out. Hidden from the server until it has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// How many attempts it takes until it is reached; at least 1.
    pub(super) attempts: i64,
    /// How long the last of them lasts, in milliseconds.
    pub(super) last_call_ms: i64,
    /// Whether it is sold then.
    pub(super) converts: bool,
}

/// A lead of the demo.
#[derive(Clone, Debug)]
pub(super) struct DemoLead {
    /// Its line in the file, from 1; the header is not counted.
    pub(super) row: usize,
    /// What marketing says about it.
    pub(super) facts: Facts,
    /// What nobody knows yet.
    pub(super) fate: Fate,
}

/// The leads of one month: one campaign.
#[derive(Clone, Debug)]
pub(super) struct Month {
    /// `2008-05`, also the campaign's id.
    pub(super) name: String,
    /// Its first instant, UTC.
    pub(super) starts_at: i64,
    /// Its leads, in the order of the file.
    pub(super) leads: Vec<DemoLead>,
}

impl Month {
    /// How many attempts all its leads take together.
    pub(super) fn attempts(&self) -> usize {
        let attempts: i64 = self.leads.iter().map(|lead| lead.fate.attempts).sum();
        usize::try_from(attempts).expect("attempts are positive")
    }

    /// How many calls are made before its campaign ends: six tenths of its attempts.
    pub(super) fn call_count_max(&self) -> usize {
        self.attempts() * 6 / 10
    }

    /// How many of its leads cannot be called even once, whatever the order: its calls fall short.
    pub(super) fn shortfall(&self) -> usize {
        self.leads.len().saturating_sub(self.call_count_max())
    }
}

/// Reads the months, in the order of time.
pub(super) fn load_months() -> anyhow::Result<Vec<Month>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(CALLS)
        .read_to_string(&mut text)
        .context("could not unpack the calls")?;
    read_months(&text)
}

fn read_months(text: &str) -> anyhow::Result<Vec<Month>> {
    let plan = NumberPlan::load()?;
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
    let mut months: Vec<Month> = Vec::new();
    // Year and month of the row before; a month that comes before it lies in the next year.
    let mut last: Option<(i16, usize)> = None;
    for (index, row) in reader.deserialize::<Row>().enumerate() {
        let row = row.context("could not read a row of the calls")?;
        let month = MONTHS.iter().position(|name| *name == row.month);
        let month = month.with_context(|| format!("`{}` is no month", row.month))?;
        let year = match last {
            None => FIRST_YEAR,
            Some((year, before)) => year + i16::from(month < before),
        };
        if last != Some((year, month)) {
            months.push(empty_month(year, month)?);
            last = Some((year, month));
        }
        let leads = &mut months.last_mut().expect("one was pushed").leads;
        leads.push(lead(row, index, &plan)?);
    }
    Ok(months)
}

fn empty_month(year: i16, month: usize) -> anyhow::Result<Month> {
    let number = i8::try_from(month + 1).expect("twelve months");
    let first = jiff::civil::Date::new(year, number, 1)?.to_zoned(jiff::tz::TimeZone::UTC)?;
    let name = format!("{year}-{number:02}");
    Ok(Month { name, starts_at: first.timestamp().as_millisecond(), leads: Vec::new() })
}

/// A row of the file. `day` is left out on purpose.
#[derive(serde::Deserialize)]
struct Row {
    age: i64,
    job: String,
    marital: String,
    education: String,
    default: String,
    balance: i64,
    housing: String,
    loan: String,
    contact: String,
    month: String,
    duration: i64,
    campaign: i64,
    pdays: i64,
    previous: i64,
    poutcome: String,
    y: String,
}

fn lead(row: Row, index: usize, plan: &NumberPlan) -> anyhow::Result<DemoLead> {
    ensure!(row.campaign >= 1, "row {} was never called", index + 1);
    let fate =
        Fate { attempts: row.campaign, last_call_ms: row.duration * 1_000, converts: yes(&row.y)? };
    let (number, zone) = plan.nth(index).context("no made-up number is left")?;
    let facts = Facts {
        numbers: vec![LeadNumber { number: made_up(&number)?, stopped: None }],
        zone: Some(zone.to_owned()),
        source: SOURCE.to_owned(),
        attributes: attributes(row)?,
        ..Facts::default()
    };
    Ok(DemoLead { row: index + 1, facts, fate })
}

fn made_up(number: &str) -> anyhow::Result<Number> {
    Number::from_e164(number).context("could not make up a number")
}

/// What was known about a lead before anybody called: the only columns that leave this file.
fn attributes(row: Row) -> anyhow::Result<BTreeMap<String, Value>> {
    let known = [
        ("age", Value::Int(row.age)),
        ("job", Value::Text(row.job)),
        ("marital", Value::Text(row.marital)),
        ("education", Value::Text(row.education)),
        ("in_default", Value::Bool(yes(&row.default)?)),
        ("balance", Value::Int(row.balance)),
        ("housing", Value::Bool(yes(&row.housing)?)),
        ("loan", Value::Bool(yes(&row.loan)?)),
        ("contact", Value::Text(row.contact)),
        ("pdays", Value::Int(row.pdays)),
        ("previous", Value::Int(row.previous)),
        ("poutcome", Value::Text(row.poutcome)),
    ];
    Ok(known.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn yes(text: &str) -> anyhow::Result<bool> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => anyhow::bail!("`{text}` is neither yes nor no"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_file_is_the_one_that_its_readme_describes() {
        let months = load_months().unwrap();
        let leads: Vec<_> = months.iter().flat_map(|month| &month.leads).collect();
        assert_eq!(leads.len(), 41_159);
        assert_eq!(leads.iter().filter(|lead| lead.fate.converts).count(), 4_706);
        assert_eq!(months.iter().map(Month::attempts).sum::<usize>(), 116_300);
        assert_eq!(leads.iter().map(|lead| lead.fate.attempts).max(), Some(63));
    }

    #[test]
    fn a_month_that_comes_before_the_last_one_lies_in_the_next_year() {
        let months = load_months().unwrap();
        let names: Vec<_> = months.iter().map(|month| month.name.as_str()).collect();
        assert_eq!(names.len(), 26);
        assert_eq!(
            names[..7],
            ["2008-05", "2008-06", "2008-07", "2008-08", "2008-10", "2008-11", "2008-12"]
        );
        assert_eq!((names[7], names[25]), ("2009-03", "2010-11"));
        assert!(months.is_sorted_by_key(|month| month.starts_at));
        assert_eq!(months[0].starts_at, 1_209_600_000_000, "2008-05-01T00:00Z");
    }

    #[test]
    fn the_calls_of_four_short_months_fall_75_short() {
        let months = load_months().unwrap();
        let short: Vec<_> = months
            .iter()
            .filter(|month| month.shortfall() > 0)
            .map(|month| (month.name.as_str(), month.shortfall()))
            .collect();
        assert_eq!(short, [("2008-10", 32), ("2008-12", 6), ("2009-10", 35), ("2010-11", 2)]);
    }

    #[test]
    fn no_lead_carries_a_column_that_tells_how_it_turned_out() {
        for month in load_months().unwrap() {
            for lead in month.leads {
                assert_eq!(lead.facts.attributes.len(), 12);
                for hidden in ["campaign", "duration", "y", "day"] {
                    assert!(!lead.facts.attributes.contains_key(hidden), "{hidden}");
                }
            }
        }
    }

    #[test]
    fn every_lead_has_a_number_of_its_own_out_of_those_kept_for_fiction() {
        let mut numbers = HashSet::new();
        for lead in load_months().unwrap().into_iter().flat_map(|month| month.leads) {
            let number = lead.facts.numbers[0].number.as_str().to_owned();
            assert!(number.len() == 12 && &number[5..10] == "55501", "fiction");
            assert!(crate::domain::is_zone(lead.facts.zone.as_deref().unwrap()));
            assert!(numbers.insert(number), "one a lead");
        }
    }
}

//! The law of calling hours, as dated data with its citations: `data/calling-hours`.
//!
//! A rule binds on the days from `valid_from` to `valid_to`; rules that are over stay, so that a call of
//! last year is judged by last year's law. Where several bind, the strictest wins: a minute is legal
//! only if every one of them allows it.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Weekday};

use super::holiday::Holiday;
use super::window::{minute, minute_of};

const RULES: &str = include_str!("data/calling-hours/rules.csv");
const HOLIDAYS: &str = include_str!("data/calling-hours/holidays.csv");

static SHIPPED: LazyLock<Law> = LazyLock::new(|| {
    Law::read(RULES, HOLIDAYS).expect("a test reads the same tables without a mistake")
});

/// What the law says about calling hours, in the places of which it is known.
#[derive(Clone, Debug)]
pub struct Law {
    rules: Vec<Rule>,
    holidays: Vec<(Holiday, Vec<String>)>,
}

/// One rule of one place.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Whose: `US`, or `US-FL` beside it.
    pub jurisdiction: String,
    /// The provision.
    pub citation: String,
    /// Names this rule for ever, in the ledger: its jurisdiction, and with `@` the day from which it
    /// binds, if it does not bind since ever.
    pub id: String,
    valid_from: Option<Date>,
    valid_to: Option<Date>,
    mon_fri: Option<Window>,
    sat: Option<Window>,
    sun: Option<Window>,
    allows_holidays: bool,
}

/// From a minute of the day up to, and without, another.
pub(super) type Window = (u16, u16);

impl Law {
    /// The law that comes with the program.
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Reads rules and holidays in the form of `data/calling-hours`, or says all that is wrong.
    pub fn read(rules: &str, holidays: &str) -> Result<Self, Vec<String>> {
        let (mut law, mut mistakes) =
            (Self { rules: Vec::new(), holidays: Vec::new() }, Vec::new());
        for (number, line) in (2..).zip(rules.lines().skip(1)) {
            match Rule::read(line) {
                Ok(rule) if law.rules.iter().any(|other| other.id == rule.id) => {
                    mistakes.push(format!("rules, line {number}: another rule is {} too", rule.id));
                }
                Ok(rule) => law.rules.push(rule),
                Err(problem) => mistakes.push(format!("rules, line {number}: {problem}")),
            }
        }
        for (number, line) in (2..).zip(holidays.lines().skip(1)) {
            let row = match line.split(',').collect::<Vec<_>>()[..] {
                [_, day, whose] => Holiday::read(day).map(|day| (day, whose)),
                _ => None,
            };
            let Some((day, whose)) = row else {
                mistakes.push(format!("holidays, line {number}: no day of the year"));
                continue;
            };
            let whose: Vec<String> = whose.split('&').map(str::to_owned).collect();
            for one in whose.iter().filter(|one| !law.has_rules(one)) {
                mistakes.push(format!("holidays, line {number}: {one} has no rule"));
            }
            law.holidays.push((day, whose));
        }
        for rule in law.rules.iter().filter(|rule| !rule.allows_holidays) {
            if !law.holidays.iter().any(|(_, whose)| whose.contains(&rule.jurisdiction)) {
                mistakes.push(format!("{} has no holidays", rule.jurisdiction));
            }
        }
        if mistakes.is_empty() { Ok(law) } else { Err(mistakes) }
    }

    /// Whether a place has rules of its own, of whatever date.
    pub fn has_rules(&self, jurisdiction: &str) -> bool {
        self.rules.iter().any(|rule| rule.jurisdiction == jurisdiction)
    }

    /// The rules that bind in a place: its own, and its country's.
    pub(super) fn rules_of<'a, 'b>(
        &'a self,
        jurisdiction: &'b str,
    ) -> impl Iterator<Item = &'a Rule> + use<'a, 'b> {
        let country = jurisdiction.split('-').next().unwrap_or(jurisdiction);
        let is_of = move |rule: &&'a Rule| {
            rule.jurisdiction == jurisdiction || rule.jurisdiction == country
        };
        self.rules.iter().filter(is_of)
    }

    /// What the rules cite that a text names, joined by `&`; a name that is not known is left out.
    pub fn citations(&self, ids: &str) -> String {
        let rule = |id| self.rules.iter().find(|rule| rule.id == id);
        let citations: Vec<&str> =
            ids.split('&').filter_map(rule).map(|rule| rule.citation.as_str()).collect();
        citations.join("; ")
    }

    /// Whether a rule forbids a call while a clock on a wall shows this.
    pub(super) fn forbids(&self, rule: &Rule, local: DateTime) -> bool {
        let date = local.date();
        if !rule.binds_on(date) {
            return false;
        }
        let minute = minute_of(local);
        let is_in = |(opens, closes): Window| (opens..closes).contains(&minute);
        !rule.window_on(date).is_some_and(is_in) || self.is_barred_holiday(rule, date)
    }

    /// Whether a date is a holiday on which a rule allows no calls.
    pub(super) fn is_barred_holiday(&self, rule: &Rule, date: Date) -> bool {
        let is_its = |(day, whose): &(Holiday, Vec<String>)| {
            whose.contains(&rule.jurisdiction) && day.is_on(date)
        };
        !rule.allows_holidays && self.holidays.iter().any(is_its)
    }
}

impl Rule {
    fn read(line: &str) -> Result<Self, String> {
        let columns: Vec<&str> = line.split(',').collect();
        let [jurisdiction, from, to, mon_fri, sat, sun, holidays, citation, _, _, _] = columns[..]
        else {
            return Err(format!("{} columns in place of 11", columns.len()));
        };
        let date = |text: &str| match text {
            "" => Ok(None),
            text => text.parse::<Date>().map(Some).map_err(|_| format!("{text} is no date")),
        };
        let allows_holidays = match holidays {
            "allowed" => true,
            "none" => false,
            other => return Err(format!("{other:?} is neither allowed nor none")),
        };
        if jurisdiction.is_empty() || citation.is_empty() {
            return Err("a rule has a jurisdiction and a citation".to_owned());
        }
        let id = match from {
            "" => jurisdiction.to_owned(),
            from => format!("{jurisdiction}@{from}"),
        };
        let rule = Self {
            jurisdiction: jurisdiction.to_owned(),
            id,
            citation: citation.to_owned(),
            valid_from: date(from)?,
            valid_to: date(to)?,
            mon_fri: window(mon_fri)?,
            sat: window(sat)?,
            sun: window(sun)?,
            allows_holidays,
        };
        match (rule.valid_from, rule.valid_to) {
            (Some(from), Some(to)) if to < from => Err("it ends before it begins".to_owned()),
            _ => Ok(rule),
        }
    }

    /// Whether it is law on a date.
    pub(super) fn binds_on(&self, date: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= date) && self.valid_to.is_none_or(|to| date <= to)
    }

    /// Its window on a date that is no holiday; `None`: no calls all day.
    pub(super) fn window_on(&self, date: Date) -> Option<Window> {
        match date.weekday() {
            Weekday::Saturday => self.sat,
            Weekday::Sunday => self.sun,
            _ => self.mon_fri,
        }
    }
}

/// Reads `08:00-21:00` or `none`.
fn window(text: &str) -> Result<Option<Window>, String> {
    if text == "none" {
        return Ok(None);
    }
    let ends = text.split_once('-').and_then(|(from, to)| minute(from).zip(minute(to)));
    match ends.filter(|(opens, closes)| opens < closes) {
        Some(window) => Ok(Some(window)),
        None => Err(format!("{text:?} is no window")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_legal(jurisdiction: &str, local: &str) -> bool {
        let local: DateTime = local.parse().expect("a local time");
        let law = Law::shipped();
        !law.rules_of(jurisdiction).any(|rule| law.forbids(rule, local))
    }

    #[test]
    fn the_shipped_tables_have_no_mistake() {
        let law = Law::read(RULES, HOLIDAYS).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        assert_eq!(law.rules.len(), 24);
        assert!(law.has_rules("US") && law.has_rules("CA") && !law.has_rules("US-NY"));
    }

    /// Offering looks at now and at a margin later, so nothing may lie between.
    #[test]
    fn no_shipped_window_nor_the_night_after_it_is_shorter_than_an_hour() {
        for rule in &Law::shipped().rules {
            for (opens, closes) in [rule.mon_fri, rule.sat, rule.sun].into_iter().flatten() {
                assert!(closes - opens >= 60, "{rule:?}");
                assert!(opens + 24 * 60 - closes >= 60, "{rule:?}");
            }
        }
    }

    #[test]
    fn a_state_s_rule_stands_beside_the_federal_one() {
        // 2026-11-23 is a Monday.
        for (place, local, expected) in [
            ("US-NY", "2026-11-23T20:59", true),
            ("US-NY", "2026-11-23T21:00", false),
            ("US-FL", "2026-11-23T19:59", true),
            ("US-FL", "2026-11-23T20:00", false),
            ("US-KY", "2026-11-23T09:59", false),
            ("US-KY", "2026-11-23T10:00", true),
            ("US-TX", "2026-11-22T11:59", false),
            ("US-TX", "2026-11-22T12:00", true),
            ("US-AL", "2026-11-22T12:00", false),
            ("US-IN", "2026-11-23T08:59", false),
            ("US-IN", "2026-11-23T09:00", true),
            ("US-UT", "2026-11-23T20:00", false),
            ("US-RI", "2026-11-21T16:59", true),
            ("US-RI", "2026-11-21T17:00", false),
            ("CA", "2026-11-21T18:00", false),
            ("CA", "2026-11-23T21:29", true),
            ("DE", "2026-11-23T03:00", true),
        ] {
            assert_eq!(is_legal(place, local), expected, "{place} {local}");
        }
    }

    #[test]
    fn a_rule_binds_from_its_first_day_on_and_what_came_before_stays_known() {
        assert!(is_legal("US-OR", "2025-12-31T20:30"), "the federal rule alone");
        assert!(!is_legal("US-OR", "2026-01-02T20:30"));
        let head = RULES.lines().next().expect("a header");
        let rows = "US-XX,,2026-06-30,10:00-12:00,none,none,allowed,old,,,\n\
                    US-XX,2026-07-01,,10:00-18:00,none,none,allowed,new,,,";
        let law = Law::read(&format!("{head}\n{rows}"), "").expect("a law");
        let citation = |local: &str| {
            let local = local.parse().expect("a local time");
            let rule = law.rules_of("US-XX").find(|rule| law.forbids(rule, local));
            rule.map(|rule| rule.citation.as_str())
        };
        assert_eq!(citation("2026-06-30T13:00"), Some("old"));
        assert_eq!(citation("2026-07-01T13:00"), None);
        assert_eq!(citation("2026-07-01T19:00"), Some("new"));
    }

    #[test]
    fn a_holiday_is_barred_where_the_law_says_so() {
        assert!(!is_legal("US-LA", "2027-02-09T12:00"), "Mardi Gras");
        assert!(is_legal("US-MS", "2027-02-09T12:00"));
        assert!(!is_legal("US-UT", "2026-11-26T12:00"), "Thanksgiving");
        assert!(is_legal("US-NY", "2026-11-26T12:00"));
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let rules = "header\nUS,,,08:00-21:00,none,none,maybe,x,,,\nUS,,,21:00-08:00,none,none,none,x,,,\n\
                     US,2026-13-01,,none,none,none,none,x,,,\nUS,none\n\
                     US-XX,,,none,none,none,none,x,,,";
        let mistakes =
            Law::read(rules, "header\nfoo,31-31,US\nbar,01-01,US\n").expect_err("mistakes");
        assert_eq!(mistakes.len(), 7, "{mistakes:#?}");
        let twice = "header\nUS,,,none,none,none,allowed,x,,,\nUS,,,none,none,none,allowed,y,,,";
        let mistakes = Law::read(twice, "").expect_err("which of them does the ledger mean?");
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    }
}

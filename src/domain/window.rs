//! Calling hours: when a lead may be called, read in the zone that it lives in.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];
const MINUTES_A_DAY: u16 = 24 * 60;
/// How far ahead an opening is looked for: hours repeat every week, and no zone skips two days.
const DAYS_AHEAD: i32 = 9;
/// How many openings open time is counted over: years of any hours that people work.
const OPENING_COUNT_MAX: usize = 1_000;
/// How far ahead it is looked for first, as most hours change within a day; edges are known to be
/// complete for a day less than they are looked for.
const DAYS_AHEAD_FIRST: i32 = 3;
const DAY_MS: i64 = 24 * 3_600_000;

/// Hours that repeat every week, in minutes of the local day; Monday first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WeeklyHours {
    days: [Vec<Interval>; 7],
}

/// From a minute of the day up to, and without, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Interval {
    opens: u16,
    closes: u16,
}

/// Why a text describes no hours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; expected something like \"mon-fri 09:00-18:00, sat 10:00-14:00\"")]
pub struct HoursProblem(String);

/// Whether `name` is an IANA time zone that we know.
pub fn is_zone(name: &str) -> bool {
    zone(name).is_some()
}

/// The zone behind an IANA name. `"Local"`-like names that depend on a machine are none.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// The minute of the day that a clock shows.
pub(super) fn minute_of(local: DateTime) -> u16 {
    u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs())
}

/// The instants at which a clock shows a minute of a date: two when it is put back, and in the hour that
/// it skips the two at which it would have shown it.
pub(super) fn edges_at(zone: &TimeZone, date: Date, minute: u16) -> impl Iterator<Item = i64> {
    let local = date.at(0, 0, 0, 0).checked_add(i64::from(minute).minutes());
    let both = local.ok().map(|local| {
        let either = zone.to_ambiguous_timestamp(local);
        [either.earlier(), either.later()]
    });
    both.into_iter().flatten().flatten().map(Timestamp::as_millisecond)
}

impl WeeklyHours {
    /// Open at every instant.
    pub fn always() -> Self {
        let day = || vec![Interval { opens: 0, closes: MINUTES_A_DAY }];
        Self { days: std::array::from_fn(|_| day()) }
    }

    /// Whether a clock on a wall in `zone_name` shows an open minute at `now`.
    ///
    /// An unknown zone is never open: when in doubt, no call.
    pub fn is_open(&self, zone_name: &str, now: i64) -> bool {
        zone(zone_name).is_some_and(|zone| self.is_open_in(&zone, now))
    }

    fn is_open_in(&self, zone: &TimeZone, now: i64) -> bool {
        let Ok(now) = Timestamp::from_millisecond(now) else { return false };
        self.contains(zone.to_datetime(now))
    }

    /// Whether it is open while a clock shows this.
    pub(super) fn contains(&self, local: DateTime) -> bool {
        let minute = minute_of(local);
        self.on(local.date()).iter().any(|one| (one.opens..one.closes).contains(&minute))
    }

    /// The minutes of a date at which it opens or closes.
    pub(super) fn edges_on(&self, date: Date) -> impl Iterator<Item = u16> {
        self.on(date).iter().flat_map(|one| [one.opens, one.closes])
    }

    /// The next instant after `now` at which the answer of [`WeeklyHours::is_open`] may change, or
    /// `None` if it never does (hours that never open or never close, or an unknown zone).
    pub fn next_change(&self, zone_name: &str, now: i64) -> Option<i64> {
        let zone = zone(zone_name)?;
        let is_open = self.is_open_in(&zone, now);
        let change = |days_ahead| {
            let mut edges = self.edges(&zone, now, days_ahead)?;
            edges.sort_unstable();
            let mut edges = edges.into_iter().filter(|edge| *edge > now);
            edges.find(|edge| self.is_open_in(&zone, *edge) != is_open)
        };
        let surely_before = now.saturating_add(i64::from(DAYS_AHEAD_FIRST - 2) * DAY_MS);
        let soon = change(DAYS_AHEAD_FIRST).filter(|edge| *edge < surely_before);
        soon.or_else(|| change(DAYS_AHEAD))
    }

    /// The next instant from `now` on at which it is open; `None`: never.
    pub fn next_opening(&self, zone_name: &str, now: i64) -> Option<i64> {
        if self.is_open(zone_name, now) { Some(now) } else { self.next_change(zone_name, now) }
    }

    /// The instant at which `open_ms` of open time have passed since `from`; `None`: never, or after
    /// more than 1,000 openings.
    pub fn after_open_time(&self, zone_name: &str, from: i64, open_ms: i64) -> Option<i64> {
        let mut left_ms = open_ms;
        let mut at = self.next_opening(zone_name, from)?;
        for _ in 0..OPENING_COUNT_MAX {
            let Some(closes) = self.next_change(zone_name, at) else {
                return at.checked_add(left_ms);
            };
            if closes - at >= left_ms {
                return Some(at + left_ms);
            }
            left_ms -= closes - at;
            at = self.next_opening(zone_name, closes)?;
        }
        None
    }

    fn on(&self, date: Date) -> &[Interval] {
        &self.days[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())]
    }

    /// The instants around `now` at which hours open or close, and at which the zone's own clock jumps.
    fn edges(&self, zone: &TimeZone, now: i64, days_ahead: i32) -> Option<Vec<i64>> {
        let now = Timestamp::from_millisecond(now).ok()?;
        let today = zone.to_datetime(now).date();
        let mut edges = Vec::new();
        for day in -1..days_ahead {
            let date = today.checked_add(day.days()).ok()?;
            for minute in self.edges_on(date) {
                edges.extend(edges_at(zone, date, minute));
            }
        }
        let horizon = now.checked_add((i64::from(days_ahead) * 24).hours()).ok()?;
        let jumps = zone.following(now).map(|jump| jump.timestamp());
        edges.extend(jumps.take_while(|at| *at <= horizon).map(Timestamp::as_millisecond));
        Some(edges)
    }
}

impl FromStr for WeeklyHours {
    type Err = HoursProblem;

    /// Reads `"mon-fri 09:00-18:00, sat 10:00-14:00"`, or `"always"`.
    fn from_str(text: &str) -> Result<Self, HoursProblem> {
        if text.trim().eq_ignore_ascii_case("always") {
            return Ok(Self::always());
        }
        let mut hours = Self::default();
        for part in text.split(',').map(str::trim) {
            let problem = |what: &str| HoursProblem(format!("{what} in {part:?}"));
            let (days, times) = part.split_once(' ').ok_or_else(|| problem("no time"))?;
            let (opens, closes) = times.split_once('-').ok_or_else(|| problem("no end"))?;
            let opens = minute(opens).ok_or_else(|| problem("no time of day"))?;
            let closes = minute(closes).ok_or_else(|| problem("no time of day"))?;
            if opens >= closes {
                return Err(problem("hours that end before they begin"));
            }
            for day in days_of(days).ok_or_else(|| problem("no day of the week"))? {
                hours.days[day].push(Interval { opens, closes });
            }
        }
        hours.days.iter_mut().for_each(merge);
        Ok(hours)
    }
}

pub(super) fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let is_short = hour.len() <= 2 && minute.len() == 2;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = hour * 60 + minute;
    (is_short && minute < 60 && at <= MINUTES_A_DAY).then_some(at)
}

fn days_of(text: &str) -> Option<Vec<usize>> {
    let position = |name: &str| DAYS.iter().position(|(day, _)| day.eq_ignore_ascii_case(name));
    let Some((first, last)) = text.split_once('-') else {
        return Some(vec![position(text)?]);
    };
    let (first, last) = (position(first)?, position(last)?);
    Some((0..7).map(|nth| (first + nth) % 7).take((last + 7 - first) % 7 + 1).collect())
}

fn merge(day: &mut Vec<Interval>) {
    day.sort_unstable();
    day.dedup_by(|next, before| {
        let touches = next.opens <= before.closes;
        if touches {
            before.closes = before.closes.max(next.closes);
        }
        touches
    });
}

impl fmt::Display for WeeklyHours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::always() {
            return formatter.write_str("always");
        }
        let clock = |at: u16| format!("{:02}:{:02}", at / 60, at % 60);
        let mut parts = Vec::new();
        let mut first = 0;
        while first < 7 {
            let same = |day: &usize| self.days[*day] == self.days[first];
            let last = (first..7).take_while(same).last().unwrap_or(first);
            let days = if first == last {
                DAYS[first].0.to_owned()
            } else {
                format!("{}-{}", DAYS[first].0, DAYS[last].0)
            };
            for one in &self.days[first] {
                parts.push(format!("{days} {}-{}", clock(one.opens), clock(one.closes)));
            }
            first = last + 1;
        }
        formatter.write_str(&parts.join(", "))
    }
}

impl TryFrom<String> for WeeklyHours {
    type Error = HoursProblem;

    fn try_from(text: String) -> Result<Self, HoursProblem> {
        if text.is_empty() { Ok(Self::default()) } else { text.parse() }
    }
}

impl From<WeeklyHours> for String {
    fn from(hours: WeeklyHours) -> Self {
        hours.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("an instant").as_millisecond()
    }

    fn hours(text: &str) -> WeeklyHours {
        text.parse().expect("hours")
    }

    #[test]
    fn a_lead_is_called_by_the_clock_on_its_own_wall() {
        let hours = hours("mon-fri 09:00-18:00");
        let noon_in_london = at("2026-11-23T12:00:00Z");
        assert!(hours.is_open("Europe/London", noon_in_london));
        assert!(!hours.is_open("America/Los_Angeles", noon_in_london));
        assert!(!hours.is_open("Mars/Olympus", noon_in_london));
        assert!(!hours.is_open("Europe/London", at("2026-11-22T12:00:00Z")), "a Sunday");
    }

    #[test]
    fn the_minute_of_closing_is_closed() {
        let hours = hours("mon 09:00-18:00");
        assert!(hours.is_open("UTC", at("2026-11-23T17:59:59.999Z")));
        assert!(!hours.is_open("UTC", at("2026-11-23T18:00:00Z")));
        assert!(!hours.is_open("UTC", at("2026-11-23T08:59:59.999Z")));
    }

    #[test]
    fn both_changes_of_the_clock_keep_the_wall_s_time() {
        let hours = hours("mon-sun 08:00-21:00");
        // New York: 2026-03-08 springs forward, 2026-11-01 falls back.
        for (before, opens) in [
            ("2026-03-08T04:00:00Z", "2026-03-08T12:00:00Z"),
            ("2026-11-01T04:00:00Z", "2026-11-01T13:00:00Z"),
        ] {
            assert_eq!(hours.next_opening("America/New_York", at(before)), Some(at(opens)));
        }
    }

    #[test]
    fn hours_inside_the_gap_do_not_open_and_the_day_after_they_do() {
        let hours = hours("mon-sun 02:10-02:50");
        let opening = hours.next_opening("America/New_York", at("2026-03-08T05:00:00Z"));
        assert_eq!(opening, Some(at("2026-03-09T06:10:00Z")));
    }

    #[test]
    fn an_hour_that_comes_twice_closes_twice() {
        let hours = hours("sun 00:00-01:30");
        let second_time = at("2026-11-01T06:10:00Z");
        assert!(hours.is_open("America/New_York", second_time));
        let closes = hours.next_change("America/New_York", second_time);
        assert_eq!(closes, Some(at("2026-11-01T06:30:00Z")));
    }

    #[test]
    fn open_time_passes_only_while_it_is_open() {
        let hours = hours("mon-fri 09:00-18:00");
        let friday_at_six = at("2026-11-20T17:00:00Z");
        let due = hours.after_open_time("UTC", friday_at_six, 4 * 3_600_000);
        assert_eq!(due, Some(at("2026-11-23T12:00:00Z")));
        assert_eq!(WeeklyHours::default().after_open_time("UTC", 0, 1), None);
        assert_eq!(WeeklyHours::always().after_open_time("UTC", 5, 10), Some(15));
    }

    #[test]
    fn hours_read_back_as_they_are_written() {
        for text in ["mon-fri 09:00-18:00, sat 10:00-14:00", "always", "sun 00:00-24:00"] {
            assert_eq!(hours(text).to_string(), text);
        }
        assert_eq!(
            hours("sat-mon 9:00-10:00, mon 10:00-12:00").to_string(),
            "mon 09:00-12:00, sat-sun 09:00-10:00"
        );
    }

    #[test]
    fn what_is_no_hours_is_refused_with_its_part() {
        for text in [
            "",
            "mon",
            "mon 09:00",
            "foo 09:00-10:00",
            "mon 10:00-09:00",
            "mon 09:60-10:00",
            "mon 09:00-24:01",
        ] {
            let problem = text.parse::<WeeklyHours>().expect_err(text).to_string();
            assert!(problem.contains("expected something like"), "{problem}");
        }
    }
}

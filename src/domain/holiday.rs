//! Holidays on which the law of some places forbids calls: days that are reckoned for each year.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// A day of every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holiday {
    /// A date. On a weekend the nearest weekday is kept as well.
    Fixed { month: i8, day: i8 },
    /// The nth weekday of a month (-1: the last), and so many days after it.
    Nth { nth: i8, weekday: Weekday, month: i8, days_after: i32 },
    /// So many days after Easter Sunday.
    Easter { days_after: i32 },
}

impl Holiday {
    /// Reads `07-04`, `3 mon 01`, `-1 mon 05`, `1 mon 11 +1` or `easter-2`.
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Some(days_after) = text.strip_prefix("easter") {
            return Some(Self::Easter { days_after: days_after.parse().ok()? });
        }
        let parts: Vec<&str> = text.split(' ').collect();
        match parts[..] {
            [date] => {
                let (month, day) = date.split_once('-')?;
                let (month, day) = (month.parse().ok()?, day.parse().ok()?);
                // A leap year has every day.
                Date::new(2024, month, day).ok().map(|_| Self::Fixed { month, day })
            }
            [nth, weekday, month, ref after @ ..] if after.len() <= 1 => {
                let nth = nth.parse().ok().filter(|nth| [1, 2, 3, 4, -1].contains(nth))?;
                let weekday = WEEKDAYS.iter().find(|(name, _)| *name == weekday)?.1;
                let month = month.parse().ok().filter(|month| (1..=12).contains(month))?;
                let days_after = after.first().map_or(Some(0), |days| days.parse().ok())?;
                Some(Self::Nth { nth, weekday, month, days_after })
            }
            _ => None,
        }
    }

    /// Whether it is kept on a date.
    pub(super) fn is_on(self, date: Date) -> bool {
        match self {
            Self::Fixed { month, day } => {
                let is_day = |date: Date| date.month() == month && date.day() == day;
                let beside = match date.weekday() {
                    Weekday::Friday => date.tomorrow().ok(),
                    Weekday::Monday => date.yesterday().ok(),
                    _ => None,
                };
                is_day(date) || beside.is_some_and(is_day)
            }
            Self::Nth { nth, weekday, month, days_after } => {
                let Ok(day) = date.checked_sub(days_after.days()) else { return false };
                day.month() == month && day.nth_weekday_of_month(nth, weekday).ok() == Some(day)
            }
            Self::Easter { days_after } => {
                let day = date.checked_sub(days_after.days());
                day.is_ok_and(|day| easter(day.year()) == Some(day))
            }
        }
    }
}

/// Easter Sunday in the Gregorian calendar (the anonymous algorithm of 1876).
fn easter(year: i16) -> Option<Date> {
    let year = i32::from(year);
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
    let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let days = h + l - 7 * m + 114;
    let date = |number: i32| i8::try_from(number).ok();
    Date::new(i16::try_from(year).ok()?, date(days / 31)?, date(days % 31 + 1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days_of(text: &str, year: i16) -> Vec<String> {
        let holiday = Holiday::read(text).expect(text);
        let first = Date::new(year, 1, 1).expect("a date");
        let days = first.series(1.day()).take_while(|date| date.year() == year);
        days.filter(|date| holiday.is_on(*date)).map(|date| date.to_string()).collect()
    }

    #[test]
    fn days_fall_where_the_calendar_has_them() {
        assert_eq!(days_of("3 mon 01", 2027), ["2027-01-18"]);
        assert_eq!(days_of("-1 mon 05", 2027), ["2027-05-31"]);
        assert_eq!(days_of("4 thu 11 +1", 2026), ["2026-11-27"]);
        assert_eq!(days_of("1 mon 11 +1", 2026), ["2026-11-03"]);
        assert_eq!(days_of("easter-47", 2027), ["2027-02-09"], "Mardi Gras");
        assert_eq!(days_of("easter-2", 2026), ["2026-04-03"], "Good Friday");
        assert_eq!(days_of("easter+0", 2024), ["2024-03-31"]);
    }

    #[test]
    fn a_date_on_a_weekend_keeps_the_nearest_weekday_too() {
        assert_eq!(days_of("07-04", 2026), ["2026-07-03", "2026-07-04"], "a Saturday");
        assert_eq!(days_of("07-04", 2027), ["2027-07-04", "2027-07-05"], "a Sunday");
        assert_eq!(
            days_of("01-01", 2027),
            ["2027-01-01", "2027-12-31"],
            "2028 begins on a Saturday"
        );
    }

    #[test]
    fn what_is_no_day_is_not_read() {
        for text in
            ["", "13-01", "02-30", "5 mon 01", "1 foo 01", "1 mon 13", "easter", "1 mon 01 x"]
        {
            assert_eq!(Holiday::read(text), None, "{text}");
        }
    }
}

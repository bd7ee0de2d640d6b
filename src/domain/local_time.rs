//! A date and time as a clock on a wall shows it, before it is known on which wall: what a lead says when
//! it asks to be called "on Tuesday at half past two".

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;

use super::window::zone;

/// A date and time on a wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime(DateTime);

/// Why a date and time is no instant of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalTimeProblem {
    /// Nobody knows the zone.
    UnknownZone,
    /// The clock is put forward over it: no clock there ever shows it.
    Skipped,
    /// It lies beyond all instants.
    OutOfRange,
}

impl LocalTime {
    /// The instant at which a clock in the zone shows it: the first one of the hour that comes twice when
    /// the clock is put back, and none of the hour that is skipped when it is put forward.
    pub fn instant_in(self, zone_name: &str) -> Result<i64, LocalTimeProblem> {
        let zone = zone(zone_name).ok_or(LocalTimeProblem::UnknownZone)?;
        let either = zone.to_ambiguous_timestamp(self.0);
        if matches!(either.offset(), AmbiguousOffset::Gap { .. }) {
            return Err(LocalTimeProblem::Skipped);
        }
        let at = either.earlier().map_err(|_| LocalTimeProblem::OutOfRange)?;
        Ok(at.as_millisecond())
    }
}

impl FromStr for LocalTime {
    type Err = ();

    /// Reads `2026-03-02T14:30` or `2026-03-02 14:30`, with seconds or without. An offset or a zone is no
    /// part of it: what has one is refused, as it says something else than a clock on a wall.
    fn from_str(text: &str) -> Result<Self, ()> {
        let has_shape = text.len() >= 16
            && text.bytes().enumerate().all(|(nth, byte)| match nth {
                4 | 7 => byte == b'-',
                10 => byte == b'T' || byte == b' ',
                13 | 16 => byte == b':',
                _ => byte.is_ascii_digit(),
            });
        let read = text.parse::<DateTime>().ok().filter(|_| has_shape);
        read.filter(|local| (1970..9999).contains(&local.year())).map(Self).ok_or(())
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, zone: &str) -> Result<String, LocalTimeProblem> {
        let instant = text.parse::<LocalTime>().unwrap().instant_in(zone)?;
        Ok(jiff::Timestamp::from_millisecond(instant).unwrap().to_string())
    }

    #[test]
    fn it_is_read_on_the_clock_of_the_zone_and_not_on_the_server_s() {
        assert_eq!(at("2026-03-02T14:30", "UTC"), Ok("2026-03-02T14:30:00Z".into()));
        assert_eq!(at("2026-03-02 14:30", "Asia/Tokyo"), Ok("2026-03-02T05:30:00Z".into()));
        assert_eq!(
            at("2026-03-02T14:30:15", "America/New_York"),
            Ok("2026-03-02T19:30:15Z".into())
        );
        assert_eq!(at("2026-03-02T14:30", "Here/There"), Err(LocalTimeProblem::UnknownZone));
    }

    #[test]
    fn an_hour_that_is_skipped_is_none_and_one_that_comes_twice_is_the_first() {
        assert_eq!(at("2026-03-29T01:59", "Europe/Berlin"), Ok("2026-03-29T00:59:00Z".into()));
        assert_eq!(at("2026-03-29T02:30", "Europe/Berlin"), Err(LocalTimeProblem::Skipped));
        assert_eq!(at("2026-03-29T03:00", "Europe/Berlin"), Ok("2026-03-29T01:00:00Z".into()));
        assert_eq!(at("2026-10-25T02:30", "Europe/Berlin"), Ok("2026-10-25T00:30:00Z".into()));
        assert_eq!(at("2026-10-25T03:00", "Europe/Berlin"), Ok("2026-10-25T02:00:00Z".into()));
    }

    #[test]
    fn only_what_a_clock_on_a_wall_shows_is_read() {
        for text in ["2026-03-02T14:30Z", "2026-03-02T14:30+01:00", "2026-03-02", "14:30", "soon"] {
            assert!(text.parse::<LocalTime>().is_err(), "{text}");
        }
        for text in
            ["2026-02-30T14:30", "2026-03-02T25:00", "1969-03-02T14:30", "2026-03-02T14:30:"]
        {
            assert!(text.parse::<LocalTime>().is_err(), "{text}");
        }
    }
}

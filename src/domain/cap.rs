//! How often a number may be dialled: so many times in a rolling window, as the queue sets it and as the
//! law of every place where its lead may be has it. The lowest limit wins.
//!
//! A dial counts from its instant up to, and without, the instant one window later. So how long a number
//! has to rest follows from its dials alone, and no counter is ever set back.

use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::calling::CallingLaw;

/// The most caps that one queue has.
pub const CAP_COUNT_MAX: usize = 8;
/// The shortest window of a cap.
pub const CAP_WINDOW_MS_MIN: i64 = 60_000;
/// The longest window of a cap: for as long dials are kept.
pub const CAP_WINDOW_MS_MAX: i64 = 90 * 24 * HOUR_MS;
/// The most dials that a cap allows in its window.
pub const CAP_DIAL_COUNT_MAX: u32 = 1_000;

const HOUR_MS: i64 = 3_600_000;
/// By how much the first clock on Earth is ahead of UTC, and the last one behind.
const CLOCK_AHEAD_MS_MAX: i64 = 14 * HOUR_MS;
const CLOCK_BEHIND_MS_MAX: i64 = 12 * HOUR_MS;

const LAW: &str = include_str!("data/calling-hours/caps.csv");

static SHIPPED: LazyLock<Vec<LawCap>> =
    LazyLock::new(|| read(LAW).expect("a test reads the same table without a mistake"));

/// So many dials of one number in a window that rolls along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// So many; at least 1.
    pub dial_count_max: u32,
    /// How far back dials count.
    pub window_ms: i64,
}

/// A cap that binds, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapInForce {
    /// The cap.
    pub cap: Cap,
    /// Whose it is.
    pub rule: CapRule,
}

/// Who sets a cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CapRule {
    /// The queue's settings.
    Queue,
    /// The law of a place where the lead may be.
    Law {
        /// Whose: `US-FL`.
        jurisdiction: String,
        /// The provision.
        citation: String,
    },
}

/// `queue`, or `US-FL, Fla. Stat. 501.616(6)(b)`.
impl std::fmt::Display for CapRule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Queue => formatter.write_str("queue"),
            Self::Law { jurisdiction, citation } => write!(formatter, "{jurisdiction}, {citation}"),
        }
    }
}

/// A number that is at a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtCap<'a> {
    /// The first instant at which it may be dialled again, if it rests until then.
    pub until: i64,
    /// The cap that keeps it waiting longest.
    pub by: &'a CapInForce,
    /// How many of its dials lie in that cap's window.
    pub dial_count: usize,
}

/// The caps that bind a queue's calls to a place at an instant: the queue's own, and where the law covers
/// them those of every place where the lead may be, as [`Place::jurisdictions`](super::Place::jurisdictions) names them.
pub fn caps_in_force<'a>(
    own: &[Cap],
    law: CallingLaw,
    jurisdictions: impl Iterator<Item = &'a str> + Clone,
    at: i64,
) -> Vec<CapInForce> {
    let own = own.iter().map(|cap| CapInForce { cap: *cap, rule: CapRule::Queue });
    let of_law: &[LawCap] = match law {
        CallingLaw::Applies { .. } => &SHIPPED,
        CallingLaw::Exempt => &[],
    };
    let is_there = |one: &LawCap| jurisdictions.clone().any(|place| place == one.jurisdiction);
    let of_law = of_law.iter().filter(|one| one.binds_at(at) && is_there(one));
    let of_law = of_law.map(LawCap::in_force);
    own.chain(of_law).collect()
}

/// How far back dials count for a queue's calls at most; `None`: nothing caps them, wherever they go.
pub fn cap_window_ms_max(own: &[Cap], law: CallingLaw) -> Option<i64> {
    let of_law: &[LawCap] = match law {
        CallingLaw::Applies { .. } => &SHIPPED,
        CallingLaw::Exempt => &[],
    };
    let windows = own.iter().map(|cap| cap.window_ms);
    windows.chain(of_law.iter().map(|one| one.cap.window_ms)).max()
}

/// Whether a number may not be dialled at an instant; `None`: it may. Its dials come in any order.
pub fn at_cap<'a>(caps: &'a [CapInForce], dials: &[i64], now: i64) -> Option<AtCap<'a>> {
    let at_one = |by: &'a CapInForce| {
        let leaves_at = |dialled_at: &i64| dialled_at.saturating_add(by.cap.window_ms);
        let mut leaving: Vec<i64> = dials.iter().map(leaves_at).filter(|at| *at > now).collect();
        let dial_count = leaving.len();
        let too_many = dial_count.checked_sub(by.cap.dial_count_max as usize)?;
        // As many have to leave as there are too many, and one more for the next.
        let (_, until, _) = leaving.select_nth_unstable(too_many);
        Some(AtCap { until: *until, by, dial_count })
    };
    caps.iter().filter_map(at_one).max_by_key(|one| one.until)
}

/// A cap of the law, and since when.
#[derive(Clone, Debug)]
struct LawCap {
    jurisdiction: String,
    citation: String,
    cap: Cap,
    /// From this instant on, and up to that one.
    from: i64,
    to: i64,
}

impl LawCap {
    fn binds_at(&self, at: i64) -> bool {
        (self.from..self.to).contains(&at)
    }

    fn in_force(&self) -> CapInForce {
        let (jurisdiction, citation) = (self.jurisdiction.clone(), self.citation.clone());
        CapInForce { cap: self.cap, rule: CapRule::Law { jurisdiction, citation } }
    }

    fn read(line: &str) -> Result<Self, String> {
        let columns: Vec<&str> = line.split(',').collect();
        let [jurisdiction, from, to, count, hours, citation, _, _, _] = columns[..] else {
            return Err(format!("{} columns in place of 9", columns.len()));
        };
        let midnight = |text: &str| {
            let date: Date = text.parse().map_err(|_| format!("{text:?} is no date"))?;
            let start = date.to_zoned(TimeZone::UTC).map_err(|problem| problem.to_string())?;
            Ok::<_, String>(start.timestamp().as_millisecond())
        };
        let from = match from {
            "" => i64::MIN,
            date => midnight(date)? - CLOCK_AHEAD_MS_MAX,
        };
        let to = match to {
            "" => i64::MAX,
            date => midnight(date)? + 24 * HOUR_MS + CLOCK_BEHIND_MS_MAX,
        };
        let dial_count_max = count.parse().map_err(|_| format!("{count:?} is no number"))?;
        let hours: i64 = hours.parse().map_err(|_| format!("{hours:?} is no number"))?;
        let cap = Cap { dial_count_max, window_ms: hours.saturating_mul(HOUR_MS) };
        let is_possible = (CAP_WINDOW_MS_MIN..=CAP_WINDOW_MS_MAX).contains(&cap.window_ms);
        if jurisdiction.is_empty() || citation.is_empty() || dial_count_max == 0 || !is_possible {
            return Err("a cap has a jurisdiction, a citation, a count and a window".to_owned());
        }
        let (jurisdiction, citation) = (jurisdiction.to_owned(), citation.to_owned());
        Ok(Self { jurisdiction, citation, cap, from, to })
    }
}

fn read(table: &str) -> Result<Vec<LawCap>, Vec<String>> {
    let rows = (2..).zip(table.lines().skip(1));
    let read = rows.map(|(number, line)| {
        LawCap::read(line).map_err(|problem| format!("caps, line {number}: {problem}"))
    });
    let (good, bad): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    match bad.is_empty() {
        true => Ok(good.into_iter().filter_map(Result::ok).collect()),
        false => Err(bad.into_iter().filter_map(Result::err).collect()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Law, Place};

    fn caps(caps: &[(u32, i64)]) -> Vec<CapInForce> {
        let cap = |(dial_count_max, window_ms): &(u32, i64)| CapInForce {
            cap: Cap { dial_count_max: *dial_count_max, window_ms: *window_ms },
            rule: CapRule::Queue,
        };
        caps.iter().map(cap).collect()
    }

    fn instant(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
    }

    #[test]
    fn the_last_allowed_dial_is_allowed_and_the_next_waits_for_the_first_to_leave() {
        let caps = caps(&[(3, 100)]);
        assert_eq!(at_cap(&caps, &[10, 20], 30), None);
        let full = at_cap(&caps, &[20, 10, 30], 30).expect("three are enough");
        assert_eq!((full.until, full.dial_count), (110, 3));
        assert!(at_cap(&caps, &[10, 20, 30], 109).is_some());
        assert_eq!(at_cap(&caps, &[10, 20, 30], 110), None);
        // Unleased touches may have gone beyond it.
        assert_eq!(at_cap(&caps, &[10, 20, 30, 31, 32], 32).map(|one| one.until), Some(130));
    }

    #[test]
    fn of_two_windows_the_one_that_lasts_longer_is_told() {
        let caps = caps(&[(1, 100), (3, 1_000)]);
        let short = at_cap(&caps, &[0, 500], 550).expect("one in the short window");
        assert_eq!((short.until, short.by.cap.window_ms), (600, 100));
        let long = at_cap(&caps, &[0, 300, 500], 550).expect("both");
        assert_eq!((long.until, long.by.cap.window_ms, long.dial_count), (1_000, 1_000, 3));
    }

    #[test]
    fn the_shipped_caps_have_no_mistake_and_are_of_places_that_the_law_knows() {
        let caps = read(LAW).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        assert_eq!(caps.len(), 4);
        assert!(caps.iter().all(|one| Law::shipped().has_rules(&one.jurisdiction)));
        let mistakes =
            read("head\nUS,,,3,24\nUS,2026-13-01,,3,24,x,,,\nUS,,,0,24,x,,,\nUS,,,3,9999,x,,,");
        assert_eq!(mistakes.expect_err("mistakes").len(), 4);
    }

    #[test]
    fn the_law_caps_where_the_lead_may_be_from_its_date_on() {
        let law = CallingLaw::default();
        let of = |place: &str, law, at: &str| -> Vec<String> {
            let place = Place::from_name(place);
            let places = place.jurisdictions().iter().map(String::as_str);
            let caps = caps_in_force(&[], law, places, instant(at));
            caps.iter().map(|one| one.rule.to_string()).collect()
        };
        let florida = ["US-FL, Fla. Stat. 501.616(6)(b)"];
        assert_eq!(of("America/New_York US-FL", law, "2026-11-22T12:00:00Z"), florida);
        let either = of("America/New_York US-FL&US-MD", law, "2026-11-22T12:00:00Z");
        assert_eq!(either.len(), 2);
        assert!(of("America/New_York US", law, "2026-11-22T12:00:00Z").is_empty());
        let exempt = CallingLaw::Exempt;
        assert!(of("America/New_York US-FL", exempt, "2026-11-22T12:00:00Z").is_empty());
        assert!(of("America/Los_Angeles US-OR", law, "2025-12-30T12:00:00Z").is_empty());
        assert_eq!(of("America/Los_Angeles US-OR", law, "2026-01-01T08:00:00Z").len(), 1);
        assert_eq!(cap_window_ms_max(&[], law), Some(24 * HOUR_MS));
        assert_eq!(cap_window_ms_max(&[], exempt), None);
        let own = [Cap { dial_count_max: 10, window_ms: 720 * HOUR_MS }];
        assert_eq!(cap_window_ms_max(&own, law), Some(720 * HOUR_MS));
    }

    /// Written for clarity: counts anew at an instant.
    fn is_full(caps: &[CapInForce], dials: &[i64], at: i64) -> bool {
        caps.iter().any(|one| {
            let counts = |dial: &&i64| **dial > at - one.cap.window_ms;
            dials.iter().filter(counts).count() >= one.cap.dial_count_max as usize
        })
    }

    proptest! {
        #[test]
        fn a_number_may_be_dialled_again_at_the_instant_told_and_no_earlier(
            limits in prop::collection::vec((1_u32..5, 1_i64..60), 0..4),
            mut dials in prop::collection::vec(0_i64..100, 0..12),
            now in 0_i64..120,
        ) {
            let caps = caps(&limits);
            let found = at_cap(&caps, &dials, now);
            prop_assert_eq!(found.is_some(), is_full(&caps, &dials, now));
            if let Some(found) = found {
                prop_assert!(found.until > now);
                prop_assert!((now..found.until).all(|at| is_full(&caps, &dials, at)));
                prop_assert!(!is_full(&caps, &dials, found.until));
            } else {
                // A dial that is let through never makes one too many.
                dials.push(now);
                let within = |one: &CapInForce| {
                    let counts = |dial: &&i64| **dial > now - one.cap.window_ms;
                    dials.iter().filter(counts).count() <= one.cap.dial_count_max as usize
                };
                prop_assert!(caps.iter().all(within));
            }
        }
    }
}

//! When a rep works: weekly hours on their own clock, absences, and a last day. Whoever keeps a lead for
//! one rep asks here whether that rep is there, and when they are back.

use serde::{Deserialize, Serialize};

use super::window::WeeklyHours;

/// How many absences of a rep are known at a time.
pub const ABSENCE_COUNT_MAX: usize = 100;
/// Over how many changes between work and rest it is looked ahead.
const CHANGE_COUNT_MAX: usize = 64;

/// A time when a rep is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Absence {
    /// Its beginning.
    pub from: i64,
    /// The instant at which they are back.
    pub to: i64,
}

impl Absence {
    /// Whether it lasts at `now`.
    pub fn covers(&self, now: i64) -> bool {
        (self.from..self.to).contains(&now)
    }
}

/// When a rep works. The default: always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkTime {
    /// Their hours, and the IANA name of the zone in which they are read; `None`: every hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<(WeeklyHours, String)>,
    /// When they are away, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absences: Vec<Absence>,
    /// From when on they work here no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<i64>,
}

impl WorkTime {
    /// Whether they work here no more.
    pub fn has_ended(&self, now: i64) -> bool {
        self.ends_at.is_some_and(|ends_at| ends_at <= now)
    }

    /// The absence that lasts at `now`.
    pub fn absence_at(&self, now: i64) -> Option<Absence> {
        self.absences.iter().copied().find(|absence| absence.covers(now))
    }

    /// Whether they are at work: inside their hours, not absent, and not gone.
    pub fn is_at_work(&self, now: i64) -> bool {
        let is_open = self.hours.as_ref().is_none_or(|(hours, zone)| hours.is_open(zone, now));
        is_open && self.absence_at(now).is_none() && !self.has_ended(now)
    }

    /// The next instant from `now` on at which they are at work; `None`: there is none that is known.
    pub fn back_at(&self, now: i64) -> Option<i64> {
        let mut at = now;
        for _ in 0..CHANGE_COUNT_MAX {
            if self.has_ended(at) {
                return None;
            }
            let next = match self.absence_at(at) {
                Some(absence) => absence.to,
                None => self
                    .hours
                    .as_ref()
                    .map_or(Some(at), |(hours, zone)| hours.next_opening(zone, at))?,
            };
            if next == at {
                return Some(at);
            }
            at = next;
        }
        None
    }

    /// The next instant after `now`, at which they are at work, when they are not; `None`: none is known.
    fn away_at(&self, now: i64) -> Option<i64> {
        let closes = self.hours.as_ref().and_then(|(hours, zone)| hours.next_change(zone, now));
        let absent = self.absences.iter().map(|absence| absence.from).find(|from| *from > now);
        [closes, absent, self.ends_at].into_iter().flatten().min()
    }

    /// The last instant up to `by` until which they are at work, from `now` on; `None`: they are not at
    /// work between the two. Of work that goes on at `by`, that is `by`.
    pub fn at_work_until(&self, now: i64, by: i64) -> Option<i64> {
        let (mut at, mut last) = (now, None);
        for _ in 0..CHANGE_COUNT_MAX {
            let Some(begins) = self.back_at(at).filter(|begins| *begins < by) else { break };
            let ends = self.away_at(begins).unwrap_or(by).min(by);
            last = Some(ends);
            if ends == by {
                break;
            }
            at = ends;
        }
        last
    }

    /// The next instant after `now` at which an absence begins or ends, or all of it.
    pub fn next_date(&self, now: i64) -> Option<i64> {
        let dates = self.absences.iter().flat_map(|absence| [absence.from, absence.to]);
        dates.chain(self.ends_at).filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 24 * HOUR_MS;
    /// A Monday's midnight in UTC.
    const MONDAY: i64 = 1_740_960_000_000;

    fn nine_to_five(zone: &str) -> WorkTime {
        let hours = Some(("mon-fri 09:00-17:00".parse().unwrap(), zone.to_owned()));
        WorkTime { hours, ..WorkTime::default() }
    }

    #[test]
    fn who_has_no_hours_is_always_there_until_they_leave() {
        let always = WorkTime::default();
        assert!(always.is_at_work(MONDAY) && always.back_at(MONDAY) == Some(MONDAY));
        assert_eq!(always.at_work_until(MONDAY, MONDAY + DAY_MS), Some(MONDAY + DAY_MS));
        let leaves = WorkTime { ends_at: Some(MONDAY + HOUR_MS), ..always };
        assert!(leaves.is_at_work(MONDAY) && !leaves.is_at_work(MONDAY + HOUR_MS));
        assert_eq!(leaves.back_at(MONDAY + HOUR_MS), None);
        assert_eq!(leaves.at_work_until(MONDAY, MONDAY + DAY_MS), Some(MONDAY + HOUR_MS));
        assert_eq!(leaves.next_date(MONDAY), Some(MONDAY + HOUR_MS));
    }

    #[test]
    fn hours_are_read_on_the_rep_s_own_clock() {
        let berlin = nine_to_five("Europe/Berlin");
        assert!(berlin.is_at_work(MONDAY + 8 * HOUR_MS), "nine in Berlin");
        assert!(!berlin.is_at_work(MONDAY + 16 * HOUR_MS), "five in Berlin");
        assert_eq!(berlin.back_at(MONDAY + 16 * HOUR_MS), Some(MONDAY + DAY_MS + 8 * HOUR_MS));
    }

    #[test]
    fn an_absence_ends_inside_of_hours_or_waits_for_them() {
        let mut rep = nine_to_five("UTC");
        let back = MONDAY + DAY_MS + 12 * HOUR_MS;
        rep.absences = vec![Absence { from: MONDAY + 10 * HOUR_MS, to: back }];
        assert!(rep.is_at_work(MONDAY + 9 * HOUR_MS) && !rep.is_at_work(MONDAY + 10 * HOUR_MS));
        assert_eq!(rep.back_at(MONDAY + 10 * HOUR_MS), Some(back));
        rep.absences[0].to = MONDAY + DAY_MS + 20 * HOUR_MS;
        let wednesday = MONDAY + 2 * DAY_MS + 9 * HOUR_MS;
        assert_eq!(rep.back_at(MONDAY + 10 * HOUR_MS), Some(wednesday));
    }

    #[test]
    fn the_last_work_before_an_instant_is_found_whether_it_goes_on_or_not() {
        let rep = nine_to_five("UTC");
        let noon = MONDAY + 12 * HOUR_MS;
        assert_eq!(rep.at_work_until(noon, noon + HOUR_MS), Some(noon + HOUR_MS));
        assert_eq!(rep.at_work_until(noon, MONDAY + 22 * HOUR_MS), Some(MONDAY + 17 * HOUR_MS));
        assert_eq!(rep.at_work_until(MONDAY + 18 * HOUR_MS, MONDAY + 22 * HOUR_MS), None);
        let friday_five = MONDAY + 4 * DAY_MS + 17 * HOUR_MS;
        assert_eq!(rep.at_work_until(noon, MONDAY + 6 * DAY_MS), Some(friday_five));
    }
}

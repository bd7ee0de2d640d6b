//! Parts of the day on a lead's own clock: attempts are spread over them, as who is out in the morning
//! may be in at noon.
//!
//! A lead that may be in several zones lives by the clock in their middle: whoever guesses wrong is then
//! wrong by the least. An instant that lies in the part on all of their clocks is taken first.

#[cfg(test)]
mod oracle;

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::calling::CallingHours;
use super::codes::codes;
use super::lead::Facts;
use super::place::Whereabouts;
use super::queue::Queue;
use super::window::{edges_at, minute_of, zone};

codes! {
    /// A part of the day, by the clock on the lead's own wall.
    Daypart {
        /// From 8 to 11.
        Morning = "morning",
        /// From 11 to 14.
        Noon = "noon",
        /// From 14 to 17.
        Afternoon = "afternoon",
        /// From 17 to 21.
        Evening = "evening",
    }
}

/// How far ahead a part of the day is looked for: a week, so that hours which open on one day of it are
/// found, and a day more for a date that a zone skips.
const DAYS_AHEAD: i32 = 8;
/// In what steps the callable beginning of a part is looked for.
const STEP_MS: i64 = 30 * 60_000;

impl Daypart {
    /// The minutes of the day that it has.
    pub fn minutes(self) -> Range<u16> {
        let hours = match self {
            Self::Morning => 8..11,
            Self::Noon => 11..14,
            Self::Afternoon => 14..17,
            Self::Evening => 17..21,
        };
        hours.start * 60..hours.end * 60
    }

    fn at_minute(minute: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.minutes().contains(&minute))
    }
}

/// The clocks that a lead may live by.
#[derive(Clone, Debug)]
pub struct LeadClock {
    zones: Vec<TimeZone>,
}

impl LeadClock {
    /// The clocks of the zones that a lead may be in; the queue's own if nobody can say.
    pub fn of(facts: &Facts, queue: &Queue) -> Self {
        let found = Whereabouts::zones(facts);
        let mut zones: Vec<TimeZone> = found.iter().filter_map(|name| zone(name)).collect();
        if zones.is_empty() {
            zones.push(zone(&queue.settings.zone).unwrap_or(TimeZone::UTC));
        }
        Self { zones }
    }

    /// The part of the day at an instant; `None`: night.
    pub fn daypart_at(&self, at: i64) -> Option<Daypart> {
        daypart_in(self.middle(at), at)
    }

    /// The clock in the middle of all, at an instant; of two the one that is behind.
    fn middle(&self, at: i64) -> &TimeZone {
        if let [only] = self.zones.as_slice() {
            return only;
        }
        let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut zones: Vec<&TimeZone> = self.zones.iter().collect();
        zones.sort_by_key(|zone| zone.to_offset(at).seconds());
        zones[(zones.len() - 1) / 2]
    }

    /// The part of the day to try next, and when: of the parts that begin after `now` one that was tried
    /// least often; of several the soonest. Parts in which the lead may not be called are left out; if it
    /// may never be, it is the soonest, and the law says no again when the lead is pulled. `None`: no
    /// clock shows such an instant.
    pub fn next_daypart(
        &self,
        tried: [u8; 4],
        may_call: impl Fn(i64) -> bool,
        now: i64,
    ) -> Option<(Daypart, i64)> {
        let counts = BTreeSet::from(tried);
        for is_callable in [true, false] {
            for count in counts.iter().copied() {
                let least = Daypart::ALL.iter().zip(tried).filter(|(_, tried)| *tried == count);
                let begins = least.filter_map(|(part, _)| {
                    let may_call = |at| !is_callable || may_call(at);
                    Some((self.beginning(*part, &may_call, now)?, *part))
                });
                if let Some((at, part)) = begins.min() {
                    return Some((part, at));
                }
            }
        }
        None
    }

    /// The first callable instant of a part that begins after `now`: on all clocks, else on the middle one.
    fn beginning(&self, part: Daypart, may_call: &dyn Fn(i64) -> bool, now: i64) -> Option<i64> {
        let middle = self.middle(now);
        let is_on_all = |at| self.zones.iter().all(|zone| daypart_in(zone, at) == Some(part));
        let on_all = match self.zones.len() {
            1 => None,
            _ => beginning_in(middle, part, &|at| is_on_all(at) && may_call(at), now),
        };
        on_all.or_else(|| beginning_in(middle, part, may_call, now))
    }
}

/// Whether a lead with these facts may be offered at an instant in a queue. One of which nobody knows where
/// it is may not be.
pub(super) fn may_call(facts: &Facts, queue: &Queue) -> impl Fn(i64) -> bool {
    let place = Whereabouts::of(facts).map(|found| found.place);
    move |at| {
        let hours = CallingHours::offering(&queue.settings.hours, queue.settings.law);
        place.as_ref().is_some_and(|place| hours.is_open(place, at))
    }
}

fn daypart_in(zone: &TimeZone, at: i64) -> Option<Daypart> {
    let at = Timestamp::from_millisecond(at).ok()?;
    Daypart::at_minute(minute_of(zone.to_datetime(at)))
}

/// The first instant of a part that begins after `now` which suits, day by day.
fn beginning_in(
    zone: &TimeZone,
    part: Daypart,
    suits: &dyn Fn(i64) -> bool,
    now: i64,
) -> Option<i64> {
    let today = zone.to_datetime(Timestamp::from_millisecond(now).ok()?).date();
    let dates = (-1..=DAYS_AHEAD).filter_map(|days| today.checked_add(days.days()).ok());
    dates.flat_map(|date| beginnings_on(zone, part, date)).find_map(|begins| {
        let mut steps = (0..).map(|step| begins + step * STEP_MS);
        let is_later = begins > now;
        let is_in = |at: &i64| daypart_in(zone, *at) == Some(part);
        steps.by_ref().take_while(is_in).find(|at| is_later && suits(*at))
    })
}

/// When a part begins on a date: at its first minute, or in the middle of it if the clock jumps there.
fn beginnings_on(zone: &TimeZone, part: Daypart, date: Date) -> Option<i64> {
    let minutes = part.minutes();
    let edge = edges_at(zone, date, minutes.start).min()?;
    // A clock that is put on over the edge shows the part from its jump on.
    let at = Timestamp::from_millisecond(edge - 1).ok()?;
    let jumps = zone.following(at).take(1).map(|jump| jump.timestamp().as_millisecond());
    let length_ms = i64::from(minutes.end - minutes.start) * 60_000;
    let jumps = jumps.filter(|jump| *jump < edge + length_ms);
    std::iter::once(edge).chain(jumps).find(|at| daypart_in(zone, *at) == Some(part))
}

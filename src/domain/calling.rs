//! When a lead may be called: the law of every place it may be in, in every zone it may be in, and the
//! queue's own hours on top. When in doubt, no call.

#[cfg(test)]
mod oracle;

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::atlas::Atlas;
use super::law::{Law, Rule};
use super::place::Place;
use super::window::{WeeklyHours, edges_at, zone};

/// How long before the law's closing a lead is no longer offered, unless the queue says otherwise: time
/// to read who it is, to dial and to let it ring.
pub const CLOSING_MARGIN_MS_DEFAULT: i64 = 5 * 60_000;
/// The longest such margin.
pub const CLOSING_MARGIN_MS_MAX: i64 = 60 * 60_000;
/// How far ahead the next legal instant is looked for: more days than any holidays keep closed.
const DAYS_AHEAD: i32 = 40;
/// How far ahead it is looked for first, as most places open within a day or two.
const DAYS_AHEAD_FIRST: i32 = 4;
const DAY_MS: i64 = 24 * 3_600_000;

/// Whether the law of calling hours covers the calls of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallingLaw {
    /// It does, and leads are no longer offered this long before it closes.
    Applies {
        /// At most [`CLOSING_MARGIN_MS_MAX`].
        margin_ms: i64,
    },
    /// The company has established that it does not: the queue's own hours alone decide.
    Exempt,
}

impl Default for CallingLaw {
    fn default() -> Self {
        Self::Applies { margin_ms: CLOSING_MARGIN_MS_DEFAULT }
    }
}

/// The hours at which a queue's leads may be called.
#[derive(Clone, Copy, Debug)]
pub struct CallingHours<'a> {
    own: &'a WeeklyHours,
    law: Option<&'a Law>,
    margin_ms: i64,
}

/// What keeps a lead from being called at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The zone on whose clock it is wrong.
    pub zone: String,
    /// What makes it wrong.
    pub by: BarredBy,
}

/// What forbids a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BarredBy {
    /// The queue's own hours.
    QueueHours,
    /// The law.
    Law {
        /// Whose: `US-FL`.
        jurisdiction: String,
        /// The provision.
        citation: String,
    },
    /// Nobody knows the zone's clock.
    UnknownZone,
}

/// `America/New_York: US-FL, Fla. Stat. 501.616(6)`.
impl fmt::Display for Bar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = &self.zone;
        match &self.by {
            BarredBy::QueueHours => write!(formatter, "{zone}: the queue's hours"),
            BarredBy::Law { jurisdiction, citation } => {
                write!(formatter, "{zone}: {jurisdiction}, {citation}")
            }
            BarredBy::UnknownZone => write!(formatter, "{zone}: no such zone"),
        }
    }
}

/// An instant as people read it: RFC 3339, in UTC.
pub fn instant_text(at: i64) -> String {
    Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// Whether a lead may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allowed {
        /// Until this instant; `None`: always.
        until: Option<i64>,
    },
    /// Not before an instant.
    NotUntil {
        /// The next instant at which it may.
        at: i64,
        /// What forbids it now.
        bar: Bar,
    },
    /// At no instant of the next 40 days.
    Never {
        /// What forbids it now.
        bar: Bar,
    },
}

impl<'a> CallingHours<'a> {
    /// The hours at which leads are offered: they end a margin before the law's.
    pub fn offering(own: &'a WeeklyHours, law: CallingLaw) -> Self {
        match law {
            CallingLaw::Applies { margin_ms } => Self { own, law: Some(Law::shipped()), margin_ms },
            CallingLaw::Exempt => Self { own, law: None, margin_ms: 0 },
        }
    }

    /// The hours at which a lead that a rep has already may be dialled: up to the law's end.
    pub fn dialling(own: &'a WeeklyHours, law: CallingLaw) -> Self {
        Self { margin_ms: 0, ..Self::offering(own, law) }
    }

    /// Whether a lead of a place may be called at an instant.
    pub fn is_open(&self, place: &Place, at: i64) -> bool {
        Clocks::of(place).is_ok_and(|clocks| self.is_open_by(&clocks, at))
    }

    /// The same, with what forbids it, and until when.
    pub fn verdict(&self, place: &Place, at: i64) -> Verdict {
        let clocks = match Clocks::of(place) {
            Ok(clocks) => clocks,
            Err(zone) => {
                return Verdict::Never { bar: Bar { zone, by: BarredBy::UnknownZone } };
            }
        };
        let change = self.next_change(&clocks, at);
        match (self.bar(&clocks, at), change) {
            (None, until) => Verdict::Allowed { until },
            (Some(bar), Some(at)) => Verdict::NotUntil { at, bar },
            (Some(bar), None) => Verdict::Never { bar },
        }
    }

    /// The next instant from `at` on at which a lead of a place may be called; `None`: none in 40 days.
    pub fn next_open(&self, place: &Place, at: i64) -> Option<i64> {
        match self.verdict(place, at) {
            Verdict::Allowed { .. } => Some(at),
            Verdict::NotUntil { at, .. } => Some(at),
            Verdict::Never { .. } => None,
        }
    }

    /// The rules of the law that bind where a lead of a place may be, at an instant: their ids, sorted,
    /// each once. None for a queue that is exempt.
    pub fn rule_ids(&self, place: &Place, at: i64) -> Vec<&'a str> {
        let (Some(law), Ok(clocks)) = (self.law, Clocks::of(place)) else { return Vec::new() };
        let mut ids = Vec::new();
        for Clock { zone, jurisdictions, .. } in &clocks.0 {
            let Some(date) = local(zone, at).map(DateTime::date) else { continue };
            let known = jurisdictions.iter().flat_map(|one| law.rules_of(one));
            let rules = known.filter(|rule| rule.binds_on(date));
            ids.extend(rules.map(|rule| rule.id.as_str()));
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn is_open_by(&self, clocks: &Clocks<'_>, at: i64) -> bool {
        self.bar(clocks, at).is_none()
    }

    /// What forbids a call at an instant. The law has to allow it now and at the end of the margin: its
    /// windows, and what lies between them, are longer than any margin.
    fn bar(&self, clocks: &Clocks<'_>, at: i64) -> Option<Bar> {
        for Clock { name, zone, jurisdictions } in &clocks.0 {
            let bar = |by| Some(Bar { zone: (*name).to_owned(), by });
            let Some(local) = local(zone, at) else { return bar(BarredBy::UnknownZone) };
            if !self.own.contains(local) {
                return bar(BarredBy::QueueHours);
            }
            let Some(law) = self.law else { continue };
            let after = local_after(zone, at, self.margin_ms, local);
            let forbids = |rule: &&Rule| {
                law.forbids(rule, local) || after.is_some_and(|after| law.forbids(rule, after))
            };
            let rules = jurisdictions.iter().flat_map(|one| law.rules_of(one));
            // A state's rule says more than its country's.
            if let Some(rule) = rules.filter(forbids).max_by_key(|rule| rule.jurisdiction.len()) {
                return bar(BarredBy::Law {
                    jurisdiction: rule.jurisdiction.clone(),
                    citation: rule.citation.clone(),
                });
            }
        }
        None
    }

    /// The next instant after `at` at which the answer changes.
    fn next_change(&self, clocks: &Clocks<'_>, at: i64) -> Option<i64> {
        let is_open = self.is_open_by(clocks, at);
        let change = |days_ahead| {
            let mut edges = self.edges(clocks, at, days_ahead);
            edges.retain(|edge| *edge > at);
            edges.sort_unstable();
            edges.dedup();
            edges.into_iter().find(|edge| self.is_open_by(clocks, *edge) != is_open)
        };
        // Edges are complete for two days less than they are looked for.
        let surely_before = at.saturating_add(i64::from(DAYS_AHEAD_FIRST - 2) * DAY_MS);
        let soon = change(DAYS_AHEAD_FIRST).filter(|edge| *edge < surely_before);
        soon.or_else(|| change(DAYS_AHEAD))
    }

    /// The instants around `at` at which the answer may change in some zone.
    fn edges(&self, clocks: &Clocks<'_>, at: i64, days_ahead: i32) -> Vec<i64> {
        let mut edges = Vec::new();
        for Clock { zone, jurisdictions, .. } in &clocks.0 {
            let Some(today) = local(zone, at).map(DateTime::date) else { continue };
            for date in (-1..days_ahead).filter_map(|day| today.checked_add(day.days()).ok()) {
                for minute in self.minutes(jurisdictions, date) {
                    edges.extend(edges_at(zone, date, minute));
                }
            }
            let Ok(now) = Timestamp::from_millisecond(at) else { continue };
            let horizon = at.saturating_add(i64::from(days_ahead) * DAY_MS);
            let jumps = zone.following(now).map(|jump| jump.timestamp().as_millisecond());
            edges.extend(jumps.take_while(|jump| *jump <= horizon));
        }
        let before = |edge: &i64| edge - self.margin_ms;
        let shifted: Vec<i64> = edges.iter().map(before).collect();
        edges.extend(shifted);
        edges
    }

    /// The minutes of a local day at which something opens or closes.
    fn minutes(&self, jurisdictions: &[&str], date: Date) -> Vec<u16> {
        let mut minutes: Vec<u16> = self.own.edges_on(date).collect();
        // A rule, or a holiday, begins and ends at midnight.
        minutes.push(0);
        if let Some(law) = self.law {
            let rules = jurisdictions.iter().flat_map(|one| law.rules_of(one));
            let windows = rules.filter_map(|rule| rule.window_on(date));
            minutes.extend(windows.flat_map(|(opens, closes)| [opens, closes]));
        }
        minutes.sort_unstable();
        minutes.dedup();
        minutes
    }
}

/// The clocks of a place.
struct Clocks<'a>(Vec<Clock<'a>>);

/// A zone with whose law may count where it is kept.
struct Clock<'a> {
    name: &'a str,
    zone: TimeZone,
    jurisdictions: Vec<&'a str>,
}

impl<'a> Clocks<'a> {
    /// Or the zone that nobody knows.
    fn of(place: &'a Place) -> Result<Self, String> {
        let mut clocks = Vec::with_capacity(place.zones().len());
        for name in place.zones() {
            let zone = zone(name).ok_or_else(|| name.clone())?;
            let jurisdictions = Atlas::shipped().places_of_zone(name, place.jurisdictions());
            clocks.push(Clock { name, zone, jurisdictions });
        }
        if clocks.is_empty() { Err(String::new()) } else { Ok(Self(clocks)) }
    }
}

fn local(zone: &TimeZone, at: i64) -> Option<DateTime> {
    Timestamp::from_millisecond(at).ok().map(|at| zone.to_datetime(at))
}

/// What the clock shows a while later, if there is a while.
fn local_after(zone: &TimeZone, at: i64, margin_ms: i64, now: DateTime) -> Option<DateTime> {
    match margin_ms {
        0 => None,
        // Beyond the end of time it shows what it shows now.
        margin_ms => Some(local(zone, at.saturating_add(margin_ms)).unwrap_or(now)),
    }
}

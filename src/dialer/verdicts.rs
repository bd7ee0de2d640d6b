//! Why a lead may be called now, and until when: reckoned once for all leads of a place, kept until it
//! changes, and written into the ledger with each lease.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{
    CallingLaw, Facts, Place, Queue, QueueKey, Verdict, WeeklyHours, ZoneEvidence, instant_text,
};

use super::hours::dialling;

/// How long a verdict is kept at most: one that nothing changes has no end of its own.
const KEPT_MS_MAX: i64 = 24 * 3_600_000;

/// What the law and the queue's own hours say, for each place.
#[derive(Default)]
pub(super) struct Verdicts(Mutex<HashMap<QueueKey, OfQueue>>);

#[derive(Default)]
struct OfQueue {
    hours: WeeklyHours,
    law: Option<CallingLaw>,
    by_place: HashMap<Arc<str>, Arc<Reason>>,
}

/// Why the leads of a place may be called.
#[derive(Debug, PartialEq, Eq)]
struct Reason {
    since: i64,
    /// Until when; `None`: nothing ends it.
    until: Option<i64>,
    /// What goes into the ledger, but for what tells the place.
    detail: BTreeMap<String, String>,
}

impl Reason {
    fn holds_at(&self, now: i64) -> bool {
        let until = self.until.unwrap_or(i64::MAX);
        (self.since..until.min(self.since.saturating_add(KEPT_MS_MAX))).contains(&now)
    }

    fn reckon(queue: &Queue, name: &str, now: i64) -> Option<Self> {
        let (place, hours) = (Place::from_name(name), dialling(queue));
        let Verdict::Allowed { until } = hours.verdict(&place, now) else { return None };
        let mut detail = BTreeMap::new();
        let mut add = |name: &str, text: String| drop(detail.insert(name.to_owned(), text));
        add("zones", place.zones().join("&"));
        add("hours", queue.settings.hours.to_string());
        let rules = hours.rule_ids(&place, now).join("&");
        match (queue.settings.law, rules.as_str()) {
            (CallingLaw::Exempt, _) => add("law", "exempt".to_owned()),
            (CallingLaw::Applies { .. }, "") => add("law", "none".to_owned()),
            (CallingLaw::Applies { .. }, _) => add("law", rules),
        }
        if let Some(until) = until {
            add("callable_until", instant_text(until));
        }
        Some(Self { since: now, until, detail })
    }
}

impl Verdicts {
    /// What the ledger keeps of why a lead of a place may be dialled at an instant: the zones and how they
    /// are known, the ids of the rules that bind there (`exempt`: the queue is, `none`: none is known), the
    /// queue's own hours, and until when all of them allow it. `None`: it may not be dialled.
    pub(super) fn allowed(
        &self,
        queue: &Queue,
        (name, evidence): &(Arc<str>, ZoneEvidence),
        now: i64,
    ) -> Option<BTreeMap<String, String>> {
        let reason = self.reason(queue, name, now)?;
        let mut detail = reason.detail.clone();
        detail.insert("zones_by".to_owned(), evidence.code().to_owned());
        Some(detail)
    }

    fn reason(&self, queue: &Queue, name: &Arc<str>, now: i64) -> Option<Arc<Reason>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(queue.key).or_default();
        let settings = &queue.settings;
        if known.law != Some(settings.law) || known.hours != settings.hours {
            let (hours, law) = (settings.hours.clone(), Some(settings.law));
            *known = OfQueue { hours, law, by_place: HashMap::new() };
        }
        if let Some(reason) = known.by_place.get(name).filter(|reason| reason.holds_at(now)) {
            return Some(reason.clone());
        }
        let reason = Arc::new(Reason::reckon(queue, name, now)?);
        // Places whose hours are over make room: a queue has a few hundred at most at a time.
        known.by_place.retain(|_, reason| reason.holds_at(now));
        known.by_place.insert(name.clone(), reason.clone());
        Some(reason)
    }
}

/// Why a lead that a rep has may not be dialled any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// It, or a number of it, is not to be called again.
    Suppressed,
    /// None of its numbers is left.
    NoNumber,
    /// It is outside of calling hours where it may be.
    OutsideHours {
        /// The next instant at which it may be called; `None`: there is none in 40 days.
        next_at: Option<i64>,
        /// What forbids it now; `None`: nobody can say where it lives.
        bar: Option<crate::domain::Bar>,
    },
}

/// Whether a lead has a number that may be dialled.
pub(super) fn has_number(facts: &Facts) -> bool {
    facts.callable_numbers().next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{QueueId, QueueSettings};

    const HOUR_MS: i64 = 3_600_000;

    fn queue(hours: &str, law: CallingLaw) -> Queue {
        let hours = hours.parse().expect("hours");
        let settings = QueueSettings {
            zone: "UTC".into(),
            hours,
            law,
            lease_ms: 1,
            lease_total_ms: 1,
            caps: Vec::new(),
            grace_ms: 1,
            skips_per_hour_max: None,
            own: Default::default(),
            quality: Default::default(),
        };
        Queue { key: QueueKey(1), id: QueueId::new("q").expect("an id"), settings }
    }

    fn told(queue: &Queue, verdicts: &Verdicts, place: &str, hour: i64) -> Option<String> {
        let place = (Arc::from(place), ZoneEvidence::Number);
        let detail = verdicts.allowed(queue, &place, hour * HOUR_MS)?;
        let words: Vec<_> = detail.iter().map(|(name, text)| format!("{name}={text}")).collect();
        Some(words.join(" "))
    }

    #[test]
    fn a_verdict_says_by_what_a_lead_may_be_called_and_until_when() {
        let (verdicts, law) = (Verdicts::default(), CallingLaw::default());
        let day = queue("mon-sun 09:00-22:00", law);
        // 1970-01-01, on a clock that shows UTC.
        let florida = "callable_until=1970-01-01T20:00:00Z hours=mon-sun 09:00-22:00 law=US&US-FL \
                       zones=UTC zones_by=number";
        assert_eq!(told(&day, &verdicts, "UTC US-FL", 9).as_deref(), Some(florida));
        assert_eq!(told(&day, &verdicts, "UTC US-FL", 19).as_deref(), Some(florida), "once a day");
        assert_eq!(told(&day, &verdicts, "UTC US-FL", 20), None);
        let next = told(&day, &verdicts, "UTC US-FL", 34).expect("the day after");
        assert!(next.contains("callable_until=1970-01-02T20:00:00Z"), "{next}");
    }

    #[test]
    fn new_hours_of_a_queue_count_at_once() {
        let verdicts = Verdicts::default();
        let place = "America/New_York US";
        assert!(told(&queue("always", CallingLaw::default()), &verdicts, place, 15).is_some());
        let afternoon = queue("mon-sun 12:00-17:00", CallingLaw::default());
        assert_eq!(told(&afternoon, &verdicts, place, 15), None);
        let exempt = told(&queue("always", CallingLaw::Exempt), &verdicts, place, 3);
        let expected = "hours=always law=exempt zones=America/New_York zones_by=number";
        assert_eq!(exempt.as_deref(), Some(expected), "nothing ends it");
        let unknown = told(&queue("always", CallingLaw::default()), &verdicts, "Asia/Tokyo", 3);
        assert!(unknown.expect("no law forbids it").contains("law=none"));
    }
}

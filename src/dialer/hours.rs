//! Which calling hours of a queue are open, once a minute and whenever something new appears.
//!
//! The law's hours and the queue's own begin and end at whole minutes and zones jump at whole minutes,
//! so the set that is open holds for a minute; pulls of that minute share it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{CallingHours, CallingLaw, Place, Queue, QueueKey, Verdict, WeeklyHours};
use crate::queue::OpenHours;

use super::Opening;

const MINUTE_MS: i64 = 60_000;

#[derive(Default)]
pub(super) struct HoursBoard(Mutex<Board>);

#[derive(Default)]
struct Board {
    queues: HashMap<QueueKey, Posted>,
    never: HashMap<QueueKey, NeverOpen>,
    number: u64,
}

struct Posted {
    minute: i64,
    hours: WeeklyHours,
    law: CallingLaw,
    names: Vec<Arc<str>>,
    open: Arc<OpenHours>,
    /// Reckoned when the first rep of the minute gets nothing.
    next_opening: Option<Option<Opening>>,
}

/// Which hours never open, as far as anybody looked: reckoned once an hour, as it takes a look at 40 days.
struct NeverOpen {
    hour: i64,
    hours: WeeklyHours,
    law: CallingLaw,
    by_name: HashMap<Arc<str>, bool>,
}

impl Posted {
    fn is_of(&self, queue: &Queue, names: &[Arc<str>], now: i64) -> bool {
        self.minute == now.div_euclid(MINUTE_MS)
            && self.names == names
            && self.hours == queue.settings.hours
            && self.law == queue.settings.law
    }
}

/// The hours at which a queue's leads are offered.
pub(super) fn offering(queue: &Queue) -> CallingHours<'_> {
    CallingHours::offering(&queue.settings.hours, queue.settings.law)
}

/// The hours at which a queue's leads that are offered already may be dialled.
pub(super) fn dialling(queue: &Queue) -> CallingHours<'_> {
    CallingHours::dialling(&queue.settings.hours, queue.settings.law)
}

impl HoursBoard {
    /// The hours among `names` that are open at `now`. The same set keeps its number.
    pub(super) fn open(&self, queue: &Queue, names: Vec<Arc<str>>, now: i64) -> Arc<OpenHours> {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let posted = board.queues.get(&queue.key);
        if let Some(posted) = posted.filter(|posted| posted.is_of(queue, &names, now)) {
            return posted.open.clone();
        }
        let hours = offering(queue);
        let is_open = |name: &&Arc<str>| hours.is_open(&Place::from_name(name), now);
        let open: BTreeSet<Arc<str>> = names.iter().filter(is_open).cloned().collect();
        let same = board.queues.get(&queue.key).filter(|posted| posted.open.open == open);
        let open = match same {
            Some(posted) => posted.open.clone(),
            None => {
                board.number += 1;
                Arc::new(OpenHours { number: board.number, open })
            }
        };
        let posted = Posted {
            minute: now.div_euclid(MINUTE_MS),
            hours: queue.settings.hours.clone(),
            law: queue.settings.law,
            names,
            open: open.clone(),
            next_opening: None,
        };
        board.queues.insert(queue.key, posted);
        open
    }

    /// Whether hours of this name do not open within 40 days.
    pub(super) fn never_opens(&self, queue: &Queue, name: &Arc<str>, now: i64) -> bool {
        let (hour, settings) = (now.div_euclid(60 * MINUTE_MS), &queue.settings);
        {
            let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let is_of = |one: &NeverOpen| {
                one.hour == hour && one.hours == settings.hours && one.law == settings.law
            };
            match board.never.get(&queue.key).filter(|one| is_of(one)) {
                Some(known) => {
                    if let Some(never) = known.by_name.get(name) {
                        return *never;
                    }
                }
                None => {
                    let (hours, law) = (settings.hours.clone(), settings.law);
                    let fresh = NeverOpen { hour, hours, law, by_name: HashMap::new() };
                    board.never.insert(queue.key, fresh);
                }
            }
        }
        let verdict = offering(queue).verdict(&Place::from_name(name), now);
        let never = matches!(verdict, Verdict::Never { .. });
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = board.never.get_mut(&queue.key) {
            known.by_name.insert(name.clone(), never);
        }
        never
    }

    /// When the first of the closed hours among `names` opens; `None`: none does.
    pub(super) fn next_opening(
        &self,
        queue: &Queue,
        names: &[Arc<str>],
        now: i64,
    ) -> Option<Opening> {
        let known = {
            let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let posted = board.queues.get(&queue.key);
            let posted = posted.filter(|posted| posted.is_of(queue, names, now));
            posted.and_then(|posted| posted.next_opening.clone())
        };
        if let Some(opening) = known {
            return opening;
        }
        let hours = offering(queue);
        let openings =
            names.iter().filter_map(|name| match hours.verdict(&Place::from_name(name), now) {
                Verdict::NotUntil { at, bar } => Some(Opening { at, bar }),
                Verdict::Allowed { .. } | Verdict::Never { .. } => None,
            });
        let opening = openings.min_by_key(|opening| opening.at);
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let posted = board.queues.get_mut(&queue.key);
        if let Some(posted) = posted.filter(|posted| posted.is_of(queue, names, now)) {
            posted.next_opening = Some(opening.clone());
        }
        opening
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BarredBy, QueueId, QueueSettings};

    fn queue(hours: &str) -> Queue {
        let hours = hours.parse().expect("hours");
        let (zone, law) = ("UTC".into(), CallingLaw::default());
        let settings = QueueSettings {
            zone,
            hours,
            law,
            caps: Vec::new(),
            lease_ms: 1,
            lease_total_ms: 1,
            grace_ms: 1,
            skips_per_hour_max: None,
            own: Default::default(),
            quality: Default::default(),
        };
        Queue { key: QueueKey(1), id: QueueId::new("q").expect("an id"), settings }
    }

    fn at(hour: i64) -> i64 {
        hour * 60 * MINUTE_MS
    }

    #[test]
    fn the_same_set_keeps_its_number_and_another_gets_its_own() {
        let board = HoursBoard::default();
        let names = || vec![Arc::from("UTC"), Arc::from("Asia/Tokyo")];
        let day = queue("mon-sun 09:00-17:00");

        let morning = board.open(&day, names(), at(10));
        assert_eq!(morning.open.len(), 1, "Tokyo's day is over at 19:00");
        assert_eq!(board.open(&day, names(), at(11)).number, morning.number);
        let night = board.open(&day, names(), at(20));
        assert!(night.open.is_empty() && night.number != morning.number);
        let longer = board.open(&queue("always"), names(), at(20));
        assert_eq!(longer.open.len(), 2, "new hours of the queue count at once");
    }

    #[test]
    fn what_opens_next_comes_with_what_closes_it() {
        let board = HoursBoard::default();
        let names = || vec![Arc::from("UTC"), Arc::from("UTC US-KY")];
        let next = |queue: &Queue, now| {
            board.open(queue, names(), now);
            // Asked twice, as the second answer is kept from the first.
            let first = board.next_opening(queue, &names(), now);
            assert_eq!(board.next_opening(queue, &names(), now), first);
            first.map(|opening| (opening.at, opening.bar.by))
        };
        // 1970-01-01 is a Thursday.
        let day = queue("mon-sun 09:00-17:00");
        assert_eq!(next(&day, at(20)), Some((at(33), BarredBy::QueueHours)));
        let (opens, by) = next(&day, at(33)).expect("Kentucky's hours open");
        assert_eq!(opens, at(34));
        assert!(matches!(by, BarredBy::Law { jurisdiction, .. } if jurisdiction == "US-KY"));
        assert_eq!(next(&day, at(35)), None, "all is open");
    }

    #[test]
    fn an_exempt_queue_goes_by_its_own_hours_at_once() {
        let board = HoursBoard::default();
        let names = || vec![Arc::from("UTC US")];
        let mut all_day = queue("always");
        assert!(board.open(&all_day, names(), at(3)).open.is_empty());
        all_day.settings.law = CallingLaw::Exempt;
        assert_eq!(board.open(&all_day, names(), at(3)).open.len(), 1);
    }
}

//! Which calling hours of a queue are open, once a minute and whenever something new appears.
//!
//! Hours begin and end at whole minutes and zones jump at whole minutes, so the set that is open
//! holds for a minute; pulls of that minute share it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Queue, QueueKey, WeeklyHours};
use crate::queue::OpenHours;

const MINUTE_MS: i64 = 60_000;

#[derive(Default)]
pub(super) struct HoursBoard(Mutex<Board>);

#[derive(Default)]
struct Board {
    queues: HashMap<QueueKey, Posted>,
    number: u64,
}

struct Posted {
    minute: i64,
    hours: WeeklyHours,
    names: Vec<Arc<str>>,
    open: Arc<OpenHours>,
}

impl HoursBoard {
    /// The hours among `names` that are open at `now`. The same set keeps its number.
    pub(super) fn open(&self, queue: &Queue, names: Vec<Arc<str>>, now: i64) -> Arc<OpenHours> {
        let minute = now.div_euclid(MINUTE_MS);
        let hours = &queue.settings.hours;
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(posted) = board.queues.get(&queue.key)
            && posted.minute == minute
            && posted.names == names
            && posted.hours == *hours
        {
            return posted.open.clone();
        }
        let is_open = |name: &&Arc<str>| hours.is_open(name, now);
        let open: BTreeSet<Arc<str>> = names.iter().filter(is_open).cloned().collect();
        let same = board.queues.get(&queue.key).filter(|posted| posted.open.open == open);
        let open = match same {
            Some(posted) => posted.open.clone(),
            None => {
                board.number += 1;
                Arc::new(OpenHours { number: board.number, open })
            }
        };
        let posted = Posted { minute, hours: hours.clone(), names, open: open.clone() };
        board.queues.insert(queue.key, posted);
        open
    }
}

/// When the first of the closed hours among `names` opens; `None`: none does.
pub(super) fn next_opening(hours: &WeeklyHours, names: &[Arc<str>], now: i64) -> Option<i64> {
    let closed = names.iter().filter(|name| !hours.is_open(name, now));
    closed.filter_map(|name| hours.next_opening(name, now)).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{QueueId, QueueSettings};

    fn queue(hours: &str) -> Queue {
        let hours = hours.parse().expect("hours");
        let zone = "UTC".into();
        let settings = QueueSettings { zone, hours, lease_ms: 1, lease_total_ms: 1, grace_ms: 1 };
        Queue { key: QueueKey(1), id: QueueId::new("q").expect("an id"), settings }
    }

    #[test]
    fn the_same_set_keeps_its_number_and_another_gets_its_own() {
        let board = HoursBoard::default();
        let names = || vec![Arc::from("UTC"), Arc::from("Asia/Tokyo")];
        let day = queue("mon-sun 09:00-17:00");
        let at = |hour: i64| hour * 60 * MINUTE_MS;

        let morning = board.open(&day, names(), at(10));
        assert_eq!(morning.open.len(), 1, "Tokyo's day is over at 19:00");
        assert_eq!(board.open(&day, names(), at(11)).number, morning.number);
        let night = board.open(&day, names(), at(20));
        assert!(night.open.is_empty() && night.number != morning.number);
        assert_eq!(next_opening(&day.settings.hours, &names(), at(20)), Some(at(24)));
        let longer = board.open(&queue("always"), names(), at(20));
        assert_eq!(longer.open.len(), 2, "new hours of the queue count at once");
    }
}

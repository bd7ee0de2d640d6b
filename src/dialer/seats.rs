//! Who waits for a lead, each in a seat. Whenever a lead may have appeared, those who wait look one after
//! the other, the longest idle first: the fresh lead goes to the one of them who may take it and has been
//! without a lead the longest, not to who came last.
//!
//! A look lasts until it is known what the index proposes. To look is little work where the index is in
//! memory, so one looks at a time; to a shared one the questions travel, so many are on their way at once
//! and arrive in order.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::domain::{QueueKey, RepKey};

/// How many look at a time where questions travel: hundreds that are woken by one lead would hold up
/// whoever else asks the index.
pub(super) const LOOK_COUNT_MAX: usize = 32;
/// Who has not asked for a lead for this long was not idle but elsewhere.
const IDLE_GAP_MS: i64 = 2 * 60_000;

/// The seats of all queues, and since when reps have been idle.
#[derive(Debug, Default)]
pub(super) struct Seats {
    rows: Arc<Mutex<HashMap<QueueKey, Row>>>,
    /// Since when, and when they asked last.
    idle: Mutex<HashMap<RepKey, (i64, i64)>>,
}

#[derive(Debug, Default)]
struct Row {
    /// How often it rang.
    rings: u64,
    /// The ring for which they look now, each once.
    pass: u64,
    looking: usize,
    last_ticket: u64,
    seats: BTreeMap<(i64, u64), Seat>,
}

#[derive(Debug)]
struct Seat {
    /// How often it had rung when they looked last.
    seen: u64,
    look_count_max: usize,
    call: oneshot::Sender<Look>,
}

type Rows = Mutex<HashMap<QueueKey, Row>>;

fn lock(rows: &Rows) -> MutexGuard<'_, HashMap<QueueKey, Row>> {
    rows.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls those whose turn it is. A ring counts for a new pass only when the one before is through, lest
/// those at its end never look.
fn call(rows: &Arc<Rows>, queue: QueueKey, row: &mut Row) {
    loop {
        let next = row.seats.iter().find(|(_, seat)| seat.seen < row.pass);
        let Some((place, look_count_max)) = next.map(|(place, seat)| (*place, seat.look_count_max))
        else {
            if row.pass == row.rings {
                return;
            }
            row.pass = row.rings;
            continue;
        };
        if row.looking >= look_count_max {
            return;
        }
        let seat = row.seats.remove(&place).expect("it was found just now");
        row.looking += 1;
        let look = Look { rows: rows.clone(), queue, is_over: false };
        if let Err(mut look) = seat.call.send(look) {
            // Nobody sits there any more; the row is locked, so the look cannot end by itself.
            look.is_over = true;
            row.looking -= 1;
        }
    }
}

/// The turn to look. When it is dropped, the next one looks.
#[derive(Debug)]
pub(super) struct Look {
    rows: Arc<Rows>,
    queue: QueueKey,
    is_over: bool,
}

impl Drop for Look {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut rows = lock(&self.rows);
        if let Some(row) = rows.get_mut(&self.queue) {
            row.looking -= 1;
            call(&self.rows, self.queue, row);
        }
    }
}

/// Somebody who pulls, and may wait.
#[derive(Debug)]
pub(super) struct Listening {
    rows: Arc<Rows>,
    queue: QueueKey,
}

/// A seat that is taken.
#[derive(Debug)]
pub(super) struct Seated<'a> {
    listening: &'a Listening,
    place: (i64, u64),
    called: oneshot::Receiver<Look>,
}

impl Seats {
    /// Begins to listen to the bell of a queue.
    pub(super) fn listen(&self, queue: QueueKey) -> Listening {
        lock(&self.rows).entry(queue).or_default();
        Listening { rows: self.rows.clone(), queue }
    }

    /// Tells everybody who waits for a lead of the queue to look again.
    pub(super) fn ring(&self, queue: QueueKey) {
        let mut rows = lock(&self.rows);
        if let Some(row) = rows.get_mut(&queue) {
            row.rings += 1;
            call(&self.rows, queue, row);
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<RepKey, (i64, i64)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a rep asks for a lead. Answers since when they have been idle: since they first asked
    /// after their last lead.
    pub(super) fn asked(&self, rep: RepKey, now: i64) -> i64 {
        let mut idle = self.idle();
        let (since, last) = idle.entry(rep).or_insert((now, now));
        if now - *last > IDLE_GAP_MS {
            *since = now;
        }
        *last = now;
        *since
    }

    /// Notes that a rep got a lead.
    pub(super) fn served(&self, rep: RepKey) {
        self.idle().remove(&rep);
    }
}

impl Listening {
    /// How often it rang, to be asked before looking.
    pub(super) fn rings(&self) -> u64 {
        lock(&self.rows).get(&self.queue).map_or(0, |row| row.rings)
    }

    /// Takes a seat until it rings more often than `seen`.
    pub(super) fn sit(&self, idle_since: i64, seen: u64, look_count_max: usize) -> Seated<'_> {
        let (call_sender, called) = oneshot::channel();
        let mut rows = lock(&self.rows);
        let row = rows.get_mut(&self.queue).expect("who listens has a row");
        row.last_ticket += 1;
        let place = (idle_since, row.last_ticket);
        row.seats.insert(place, Seat { seen, look_count_max, call: call_sender });
        call(&self.rows, self.queue, row);
        Seated { listening: self, place, called }
    }
}

impl Seated<'_> {
    /// Waits for the turn to look.
    pub(super) async fn called(&mut self) -> Option<Look> {
        (&mut self.called).await.ok()
    }
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        let mut rows = lock(&self.listening.rows);
        if let Some(row) = rows.get_mut(&self.listening.queue) {
            row.seats.remove(&self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALES: QueueKey = QueueKey(1);

    fn is_called(seated: &mut Seated<'_>) -> Option<Look> {
        seated.called.try_recv().ok()
    }

    #[test]
    fn the_longest_idle_looks_first_and_the_next_one_after_them() {
        let seats = Seats::default();
        let listening = seats.listen(SALES);
        let mut later = listening.sit(20, 0, 1);
        let mut first = listening.sit(10, 0, 1);
        assert!(is_called(&mut first).is_none() && is_called(&mut later).is_none());
        seats.ring(SALES);
        assert!(is_called(&mut later).is_none(), "one looks at a time");
        let look = is_called(&mut first).expect("the longest idle looks");
        drop(look);
        assert!(is_called(&mut later).is_some());
    }

    #[test]
    fn a_ring_between_a_look_and_the_seat_is_heard() {
        let seats = Seats::default();
        let listening = seats.listen(SALES);
        let seen = listening.rings();
        seats.ring(SALES);
        assert!(is_called(&mut listening.sit(10, seen, 1)).is_some());
        let mut heard = listening.sit(10, listening.rings(), 1);
        assert!(is_called(&mut heard).is_none(), "who has looked since waits");
    }

    #[test]
    fn who_leaves_with_the_turn_in_hand_gives_it_to_the_next() {
        let seats = Seats::default();
        let listening = seats.listen(SALES);
        let mut later = listening.sit(20, 0, 1);
        let first = listening.sit(10, 0, 1);
        seats.ring(SALES);
        drop(first);
        assert!(is_called(&mut later).is_some());
    }

    #[test]
    fn a_bell_that_never_rests_keeps_nobody_from_looking() {
        let seats = Seats::default();
        let listening = seats.listen(SALES);
        let mut last = listening.sit(99, 0, 1);
        for _ in 0..3 {
            let seen = listening.rings();
            let mut first = listening.sit(10, seen, 1);
            seats.ring(SALES);
            drop(is_called(&mut first));
            drop(first);
        }
        assert!(is_called(&mut last).is_some());
    }

    #[test]
    fn idle_is_who_asks_in_vain_and_comes_back_soon() {
        let (seats, ann) = (Seats::default(), RepKey(1));
        assert_eq!(seats.asked(ann, 1_000), 1_000);
        assert_eq!(seats.asked(ann, 60_000), 1_000);
        let tomorrow = 86_400_000;
        assert_eq!(seats.asked(ann, tomorrow), tomorrow, "a night is no wait");
        seats.served(ann);
        assert_eq!(seats.asked(ann, tomorrow + 5), tomorrow + 5);
    }
}

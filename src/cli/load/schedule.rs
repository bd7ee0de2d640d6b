//! When the calls of an open loop are meant to begin, whatever the node does.
//!
//! Reps who call independently of each other make a Poisson process: gaps are exponential. A rep whose
//! call is answered late is late for the next one as well, and both are measured from when they were
//! meant to begin. So a node that stands still for a second is charged with every call of that second
//! and not with the one that happened to be under way: coordinated omission is not possible.

use std::time::Duration;

use tokio::sync::mpsc;

use super::random::Random;
use crate::clock::Stopwatch;

/// One call that is meant to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Who calls.
    pub(super) rep: usize,
    /// When, counted from the start of the run.
    pub(super) at: Duration,
}

/// The calls of an open loop, in the order of time, without end.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    random: Random,
    rate: f64,
    at_s: f64,
    /// The reps in the order in which they call; each calls once a turn.
    turn: Vec<usize>,
    next: usize,
}

impl Schedule {
    /// `rate` calls a second, above 0, spread over so many reps, at least one.
    pub(super) fn new(seed: u64, rate: f64, rep_count: usize) -> Self {
        let mut random = Random::new(seed, u64::MAX);
        let mut turn: Vec<usize> = (0..rep_count).collect();
        for place in (1..turn.len()).rev() {
            let other = random.below(u64::try_from(place + 1).expect("reps are counted"));
            turn.swap(place, usize::try_from(other).expect("a place"));
        }
        Self { random, rate, at_s: 0.0, turn, next: 0 }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.at_s += -self.random.part().ln() / self.rate;
        let rep = self.turn[self.next];
        self.next = (self.next + 1) % self.turn.len();
        Some(Arrival { rep, at: Duration::from_secs_f64(self.at_s) })
    }
}

/// Tells of each call that is meant to begin before `until`, when it is time: on a thread of its own,
/// as a runtime's timers are good to a millisecond only, which is what a call takes.
pub(super) fn pace(
    schedule: Schedule,
    until: Duration,
    clock: Stopwatch,
) -> mpsc::UnboundedReceiver<Arrival> {
    let (sender, arrivals) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for arrival in schedule.take_while(|arrival| arrival.at < until) {
            let early = arrival.at.saturating_sub(clock.elapsed());
            if !early.is_zero() {
                std::thread::sleep(early);
            }
            // Nobody listens any more: the run was given up.
            if sender.send(arrival).is_err() {
                return;
            }
        }
    });
    arrivals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_at_the_rate_and_as_irregularly_as_people() {
        let arrivals: Vec<Arrival> = Schedule::new(3, 500.0, 40).take(50_000).collect();
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
        let last = arrivals.last().unwrap().at.as_secs_f64();
        assert!((97.0..103.0).contains(&last), "50,000 at 500 a second: {last}");
        let gaps = arrivals.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64());
        let short = gaps.filter(|gap| *gap < 0.002).count();
        assert!((31_000..32_200).contains(&short), "1 - 1/e are shorter than the mean: {short}");
    }

    #[test]
    fn each_rep_calls_once_a_turn() {
        let reps: Vec<usize> = Schedule::new(3, 1.0, 40).take(80).map(|one| one.rep).collect();
        assert_eq!(reps[..40], reps[40..]);
        assert_ne!(reps[..40], (0..40).collect::<Vec<_>>(), "not in the order of their names");
        let mut sorted = reps[..40].to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule() {
        let of = |seed| Schedule::new(seed, 89.0, 10_000).take(100).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[tokio::test]
    async fn calls_are_told_of_when_they_are_due_and_no_longer_than_asked_for() {
        let clock = Stopwatch::start();
        let until = Duration::from_millis(50);
        let mut arrivals = pace(Schedule::new(1, 1_000.0, 4), until, clock);
        let mut count = 0;
        while let Some(arrival) = arrivals.recv().await {
            assert!(clock.elapsed() >= arrival.at && arrival.at < until);
            count += 1;
        }
        let meant = Schedule::new(1, 1_000.0, 4).take_while(|one| one.at < until).count();
        assert_eq!(count, meant);
    }
}

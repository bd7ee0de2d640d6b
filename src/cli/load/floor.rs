//! The floor: what all reps of a run share. When it began, what is measured of it, what was seen.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::history::History;
use super::latency::Times;
use crate::clock::{Stopwatch, SystemClock};

/// What is measured, counted from the start of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// From when: what is before warms up.
    pub(super) from: Duration,
    /// Until when: nothing begins after it.
    pub(super) to: Duration,
}

impl Window {
    /// Whether it is measured what was meant to begin then.
    pub(super) fn holds(self, at: Duration) -> bool {
        (self.from..self.to).contains(&at)
    }

    /// How long it is, in seconds.
    pub(super) fn seconds(self) -> f64 {
        (self.to - self.from).as_secs_f64()
    }
}

/// What was measured.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    /// From when a cycle was meant to begin, to its answer.
    pub(super) response: Times,
    /// From when its request left, to its answer.
    pub(super) service: Times,
    /// From when a cycle was meant to begin, to when its request left: the rep was still busy, or this
    /// command has too little of the machine.
    pub(super) start_delay: Times,
}

/// What was counted over the whole run.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Answers that no lead may be served.
    pub(super) empty: Cell<u64>,
    /// Calls without an answer, or with one that says to try again. Each was made again.
    pub(super) errors: Cell<u64>,
    /// Touches whose lease was over, which no lease of this run should be.
    pub(super) late: Cell<u64>,
}

/// What all reps of a run share.
pub(super) struct Floor {
    /// Names this run in the ids of its touches.
    pub(super) run: String,
    /// What is measured.
    pub(super) window: Window,
    /// What the reps saw.
    pub(super) history: RefCell<History>,
    /// What was measured.
    pub(super) measures: RefCell<Measures>,
    /// What was counted.
    pub(super) counts: Counts,
    /// When touches were made.
    pub(super) clock: SystemClock,
    watch: Stopwatch,
}

impl Floor {
    /// A floor whose run begins now.
    pub(super) fn open(run: String, window: Window, history: History) -> Self {
        let times = Times::new();
        Self {
            run,
            window,
            history: RefCell::new(history),
            measures: RefCell::new(Measures {
                response: times.clone(),
                service: times.clone(),
                start_delay: times,
            }),
            counts: Counts::default(),
            clock: SystemClock::start(0),
            watch: Stopwatch::start(),
        }
    }

    /// How long the run has lasted.
    pub(super) fn elapsed(&self) -> Duration {
        self.watch.elapsed()
    }

    /// What the run is measured by.
    pub(super) fn watch(&self) -> Stopwatch {
        self.watch
    }

    /// Whether no further cycle begins.
    pub(super) fn is_over(&self) -> bool {
        self.elapsed() >= self.window.to
    }

    /// A cycle is done that was meant to begin at `meant_at` and whose request left at `sent_at`.
    pub(super) fn done(&self, meant_at: Duration, sent_at: Duration) {
        if !self.window.holds(meant_at) {
            return;
        }
        let now = self.elapsed();
        let mut measures = self.measures.borrow_mut();
        measures.response.record(now.saturating_sub(meant_at));
        measures.service.record(now.saturating_sub(sent_at));
        measures.start_delay.record(sent_at.saturating_sub(meant_at));
    }
}

/// Counts one more.
pub(super) fn one_more(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cycles_that_were_meant_to_begin_in_the_window_are_measured() {
        let window = Window { from: Duration::ZERO, to: Duration::from_secs(1_000) };
        let floor = Floor::open("r".to_owned(), window, History::default());
        floor.done(Duration::ZERO, Duration::ZERO);
        floor.done(Duration::from_secs(1_000), Duration::from_secs(1_001));
        assert_eq!(floor.measures.borrow().response.count(), 1);
        assert!((window.seconds() - 1_000.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_response_counts_from_when_it_was_meant_to_begin() {
        let window = Window { from: Duration::ZERO, to: Duration::from_secs(1_000) };
        let floor = Floor::open("r".to_owned(), window, History::default());
        let (meant_at, sent_at) = (Duration::ZERO, floor.elapsed());
        floor.done(meant_at, sent_at);
        let measures = floor.measures.borrow();
        assert!(measures.response.longest() >= measures.service.longest());
        assert!(measures.response.longest() >= measures.start_delay.longest());
    }
}

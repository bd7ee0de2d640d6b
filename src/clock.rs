//! The one place where time comes from.
//!
//! Everything else takes `now` as an argument, in whole milliseconds UTC, so a test or the demo can
//! move it by hand. A lease is judged by this clock alone: it is anchored to wall time once, at
//! start, and then follows the machine's monotonic clock, so that a clock set back by an operator
//! neither shortens nor stretches a lease that somebody holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The current time in milliseconds since 1970, UTC. Never goes back.
    fn now(&self) -> i64;
}

/// The machine's clock: wall time at the start, monotonic from there.
#[derive(Clone, Debug)]
pub struct SystemClock {
    started: Instant,
    started_at: i64,
}

impl SystemClock {
    /// Anchors a clock at this instant, but never before `not_before`: the last instant that the
    /// books know, so that a machine whose clock was set back does not write history again.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn start(not_before: i64) -> Self {
        Self {
            started: Instant::now(),
            started_at: jiff::Timestamp::now().as_millisecond().max(not_before),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        let elapsed_ms = self.started.elapsed().as_millis();
        self.started_at.saturating_add(i64::try_from(elapsed_ms).unwrap_or(i64::MAX))
    }
}

/// An answer that took longer does not set a server's clock: half of it is how wrong it may be.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(200);

/// The clock of a server that many nodes have in common, as far as this process knows it: between the
/// times that it is read, the machine's monotonic clock goes on. Clones share one time. The machine's
/// own wall time, which may be wrong, counts for nothing.
#[derive(Clone, Debug)]
pub struct ServerClock(Arc<ServerTime>);

#[derive(Debug)]
struct ServerTime {
    started: Instant,
    /// The server's time at the start.
    started_at: AtomicI64,
    /// The last instant that was told.
    last: AtomicI64,
}

impl ServerClock {
    /// A clock of a server that said `now` when it was `asked`.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn start(now: i64, asked: Stopwatch) -> Self {
        let time = ServerTime {
            started: Instant::now(),
            started_at: AtomicI64::new(now),
            last: AtomicI64::new(now),
        };
        let clock = Self(Arc::new(time));
        clock.sync(now, asked);
        clock
    }

    /// Goes by what the server said when it was `asked`. A server that goes behind what was told
    /// makes the clock stand until it has caught up. An answer that was long under way, or lay about
    /// while this process was stopped, says too little about now, and is left aside.
    pub fn sync(&self, now: i64, asked: Stopwatch) {
        if asked.elapsed() > ROUND_TRIP_MAX {
            return;
        }
        // It read its clock after it was asked and before it answered: in the middle, say.
        let since_ms = i64::try_from(asked.elapsed().as_millis() / 2).unwrap_or(i64::MAX);
        let started_at = now.saturating_add(since_ms).saturating_sub(self.elapsed_ms());
        self.0.started_at.store(started_at, Ordering::Relaxed);
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

impl Clock for ServerClock {
    fn now(&self) -> i64 {
        let started_at = self.0.started_at.load(Ordering::Relaxed);
        let now = started_at.saturating_add(self.elapsed_ms());
        self.0.last.fetch_max(now, Ordering::Relaxed).max(now)
    }
}

/// Measures how long something takes: for telemetry and deadlines, never for what is decided.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    #[expect(clippy::disallowed_methods, reason = "measures, and decides nothing")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago it was started.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that moves only when told to. Clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `at`.
    pub fn at(at: i64) -> Self {
        Self(Arc::new(AtomicI64::new(at)))
    }

    /// Moves the clock forward.
    pub fn advance(&self, ms: i64) {
        assert!(ms >= 0, "a clock does not go back");
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// Moves the clock to `at`, which may not lie in its past.
    pub fn set(&self, at: i64) {
        let before = self.0.swap(at, Ordering::SeqCst);
        assert!(before <= at, "a clock does not go back");
    }
}

impl Clock for ManualClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_clock_never_stands_before_the_books() {
        let far = 4_000_000_000_000;
        assert!(SystemClock::start(far).now() >= far);
        assert!(SystemClock::start(0).now() > 1_700_000_000_000);
    }

    #[test]
    fn a_server_s_clock_follows_the_server_and_never_goes_back() {
        let clock = ServerClock::start(1_000_000, Stopwatch::start());
        let first = clock.now();
        assert!((1_000_000..1_010_000).contains(&first));
        clock.sync(2_000_000, Stopwatch::start());
        let later = clock.clone().now();
        assert!(later >= 2_000_000);
        clock.sync(1_500_000, Stopwatch::start());
        assert!(clock.now() >= later);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a watch that was started a while ago")]
    fn an_answer_that_was_long_under_way_sets_no_clock() {
        let Some(long_ago) = Instant::now().checked_sub(2 * ROUND_TRIP_MAX) else { return };
        let clock = ServerClock::start(1_000_000, Stopwatch::start());
        clock.sync(9_000_000, Stopwatch(long_ago));
        assert!(clock.now() < 2_000_000);
    }

    #[test]
    fn clones_of_a_manual_clock_share_one_time() {
        let clock = ManualClock::at(5);
        clock.clone().advance(10);
        assert_eq!(clock.now(), 15);
    }
}

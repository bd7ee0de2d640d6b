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
/// Time that lies ahead of the server's clock, as after it was set back, goes on slower by this part
/// until the clock has caught up: a lease of ten minutes lasts six seconds longer.
const SLOWER_BY: i64 = 100;

/// The clock of a server that many nodes have in common, as far as this process knows it: between the
/// times that it is read, the machine's monotonic clock goes on. Clones share one time. The machine's
/// own wall time, which may be wrong, counts for nothing.
#[derive(Clone, Debug)]
pub struct ServerClock(Arc<ServerTime>);

#[derive(Debug)]
struct ServerTime {
    started: Instant,
    /// The server's time at the start, in microseconds.
    started_at_us: AtomicI64,
    /// How long after the start the server's clock was read last, in microseconds.
    read_us: AtomicI64,
    /// The last instant that was told.
    last: AtomicI64,
}

impl ServerClock {
    /// A clock of a server that said `now` when it was `asked`.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn start(now: i64, asked: Stopwatch) -> Self {
        let time = ServerTime {
            started: Instant::now(),
            started_at_us: AtomicI64::new(now.saturating_mul(1_000)),
            read_us: AtomicI64::new(0),
            last: AtomicI64::new(now),
        };
        let clock = Self(Arc::new(time));
        clock.sync(now, asked);
        clock
    }

    /// Goes by what the server said when it was `asked`. If that lies behind what was told, the clock
    /// goes on, a little slower, until the server has caught up. An answer that was long under way, or
    /// lay about while this process was stopped, says too little about now, and is left aside.
    pub fn sync(&self, now: i64, asked: Stopwatch) {
        let round_trip = asked.elapsed();
        if round_trip > ROUND_TRIP_MAX {
            return;
        }
        // It read its clock after it was asked and before it answered: in the middle, say.
        self.sync_at(now.saturating_mul(1_000).saturating_add(micros(round_trip) / 2));
    }

    fn sync_at(&self, now_us: i64) {
        let elapsed_us = micros(self.0.started.elapsed());
        let since_us = elapsed_us - self.0.read_us.swap(elapsed_us, Ordering::Relaxed);
        let least = self.0.started_at_us.load(Ordering::Relaxed) - since_us / SLOWER_BY;
        let started_at_us = now_us.saturating_sub(elapsed_us).max(least);
        self.0.started_at_us.store(started_at_us, Ordering::Relaxed);
    }
}

impl Clock for ServerClock {
    fn now(&self) -> i64 {
        let started_at_us = self.0.started_at_us.load(Ordering::Relaxed);
        let now = started_at_us.saturating_add(micros(self.0.started.elapsed())) / 1_000;
        self.0.last.fetch_max(now, Ordering::Relaxed).max(now)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// The instants of changes that follow each other, by a server's clock that is read for each. They
/// never go back: while that clock is behind what was told already, time goes on by the machine's
/// monotonic clock, a little slower, so that nothing that waits for a time waits until the clock has
/// caught up.
#[derive(Debug)]
pub struct Instants {
    told: i64,
    /// An instant that was told, and since when; `None` before the first.
    from: Option<(i64, Stopwatch)>,
}

/// An instant, and how the server's clock stood to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The instant, in milliseconds UTC.
    pub at: i64,
    /// How far ahead of the server's clock it is.
    pub ahead_ms: i64,
    /// How far the server's clock went beyond the time that passed since it was read before.
    pub leapt_ms: i64,
}

impl Instants {
    /// Instants none of which lies before `not_before`.
    pub fn start(not_before: i64) -> Self {
        Self { told: not_before, from: None }
    }

    /// The next instant, when the server's clock says `server_now`, and `known` was told by others.
    pub fn next(&mut self, server_now: i64, known: i64) -> Told {
        let elapsed = self.from.map_or(Duration::ZERO, |(_, since)| since.elapsed());
        self.next_after(server_now, known, elapsed)
    }

    /// The same, so long after the instant that this one is reckoned from.
    fn next_after(&mut self, server_now: i64, known: i64, elapsed: Duration) -> Told {
        let elapsed_us = micros(elapsed);
        let leapt_ms = self.from.map_or(0, |(from, _)| server_now - from - elapsed_us / 1_000);
        if server_now >= self.told.max(known) {
            self.told = server_now;
            self.from = Some((server_now, Stopwatch::start()));
        } else {
            let slower_ms = (elapsed_us - elapsed_us / SLOWER_BY) / 1_000;
            let going_on = self.from.map_or(self.told, |(from, _)| from.saturating_add(slower_ms));
            if known > going_on || self.from.is_none() {
                self.from = Some((known.max(going_on), Stopwatch::start()));
            }
            self.told = self.told.max(going_on).max(known);
        }
        Told { at: self.told, ahead_ms: self.told - server_now, leapt_ms: leapt_ms.max(0) }
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
    fn a_server_that_was_set_back_does_not_stop_the_clock() {
        let clock = ServerClock::start(9_000_000, Stopwatch::start());
        for _ in 0..5 {
            clock.sync(1_000_000, Stopwatch::start());
            let before = clock.now();
            let watch = Stopwatch::start();
            while watch.elapsed() < Duration::from_millis(3) {
                std::hint::spin_loop();
            }
            assert!(clock.now() > before);
        }
    }

    #[test]
    fn instants_follow_the_server_s_clock_and_go_on_while_it_is_behind() {
        let ms = Duration::from_millis;
        let mut instants = Instants::start(5_000);
        let told = |at, ahead_ms, leapt_ms| Told { at, ahead_ms, leapt_ms };
        assert_eq!(instants.next_after(6_000, 4_000, ms(0)), told(6_000, 0, 0));
        assert_eq!(instants.next_after(6_200, 0, ms(200)), told(6_200, 0, 0));
        // It leaps ahead, and is set right.
        assert_eq!(instants.next_after(90_000, 0, ms(1_000)), told(90_000, 0, 82_800));
        assert_eq!(instants.next_after(7_400, 0, ms(200)), told(90_198, 82_798, 0));
        assert_eq!(instants.next_after(8_200, 0, ms(1_000)), told(90_990, 82_790, 0));
        // Another node is further.
        assert_eq!(instants.next_after(8_200, 91_500, ms(1_001)), told(91_500, 83_300, 0));
        assert_eq!(instants.next_after(8_300, 91_500, ms(100)), told(91_599, 83_299, 0));
        // It has caught up.
        assert_eq!(instants.next_after(91_600, 91_500, ms(101)), told(91_600, 0, 0));
        // A clock that is behind from the start.
        let mut instants = Instants::start(5_000);
        assert_eq!(instants.next_after(1_000, 0, ms(0)), told(5_000, 4_000, 0));
        assert_eq!(instants.next_after(1_100, 0, ms(100)), told(5_099, 3_999, 0));
    }

    #[test]
    fn a_thousand_short_steps_are_a_long_one() {
        let mut instants = Instants::start(0);
        instants.next_after(10_000, 0, Duration::ZERO);
        for step in 1..=1_000 {
            // As long after the same instant: it is not reckoned anew from each.
            instants.next_after(0, 0, Duration::from_micros(300 * step));
        }
        assert_eq!(instants.told, 10_297);
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

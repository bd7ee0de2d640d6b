//! How long calls take, kept in histograms that lose nothing: 1 µs to 10 minutes, three digits.
//!
//! Two times a call. **Service** is from when the request left to its answer. **Response** is from
//! when the call was meant to begin. In an open loop that is on the schedule. In a closed loop nobody
//! meant to call while waiting, yet people would have: so a call that took longer than a rep's usual
//! round stands for the rounds that it kept from happening, as `HdrHistogram` corrects for coordinated
//! omission.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest time that is told apart.
const LONGEST_US: u64 = 600_000_000;

/// Times of calls.
#[derive(Clone, Debug)]
pub(super) struct Times(Histogram<u64>);

impl Times {
    /// None yet.
    pub(super) fn new() -> Self {
        // The bounds are said, as a histogram without them cuts off what it has no room for.
        let times = Histogram::new_with_bounds(1, LONGEST_US, 3);
        Self(times.expect("the bounds are in order and three digits are kept"))
    }

    /// A call took this long.
    pub(super) fn record(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(us.max(1));
    }

    /// How many calls there are.
    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time in microseconds that this part of the calls kept to: 0.99, say.
    pub(super) fn at(&self, part: f64) -> u64 {
        self.0.value_at_quantile(part)
    }

    /// The longest, in microseconds.
    pub(super) fn longest(&self) -> u64 {
        self.0.max()
    }

    /// These times with the calls that were not made while one took longer than `round`.
    pub(super) fn corrected(&self, round: Duration) -> Self {
        let us = u64::try_from(round.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.clone_correct(us.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn parts_of_the_calls_are_told_to_three_digits() {
        let mut times = Times::new();
        for us in 1..=10_000 {
            times.record(Duration::from_micros(us));
        }
        let close = |part, us: u64| times.at(part).abs_diff(us) <= us / 500;
        assert!(close(0.5, 5_000) && close(0.99, 9_900) && close(0.999, 9_990));
        assert_eq!(times.count(), 10_000);
    }

    #[test]
    fn nothing_is_cut_off_below_ten_minutes() {
        let mut times = Times::new();
        times.record(Duration::from_secs(59));
        times.record(Duration::from_secs(599));
        assert!(times.longest() >= 598_000_000, "{}", times.longest());
        times.record(Duration::from_secs(10_000));
        assert_eq!(times.count(), 3, "the longest of all is counted as well");
    }

    #[test]
    fn one_long_stop_stands_for_all_the_calls_that_it_kept_from_happening() {
        // A rep calls every 10 ms and is answered in 1 ms, but once in ten seconds it takes a second.
        let mut times = Times::new();
        for _ in 0..900 {
            times.record(ms(1));
        }
        times.record(ms(1_000));
        assert!(times.at(0.99) < 2_000, "the rep waited once, and a second of ten is not seen");
        let corrected = times.corrected(ms(10));
        assert_eq!(corrected.count(), 1_000, "99 calls of that second were never made");
        assert!(corrected.at(0.99) > 890_000, "{}", corrected.at(0.99));
        assert!(corrected.at(0.89) < 2_000);
    }
}

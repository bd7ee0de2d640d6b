//! The first-touch promise: until when a lead is to be touched for the first time.

use serde::{Deserialize, Serialize};

use super::window::WeeklyHours;

/// By which clock the promise runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PromiseClock {
    /// While the queue is open, so that a promise made on Friday evening does not break at night.
    #[default]
    OpenHours,
    /// Always.
    Wall,
}

/// Until when a lead handed over at `handed_over_at` is promised its first touch.
///
/// `hours` are the queue's own, read in the queue's own zone. A queue that never opens promises by
/// the wall's clock: a deadline that never comes would hide the lead from every report.
pub fn first_touch_due_at(
    handed_over_at: i64,
    within_ms: i64,
    clock: PromiseClock,
    hours: &WeeklyHours,
    zone_name: &str,
) -> i64 {
    let by_the_wall = handed_over_at.saturating_add(within_ms);
    match clock {
        PromiseClock::Wall => by_the_wall,
        PromiseClock::OpenHours => {
            hours.after_open_time(zone_name, handed_over_at, within_ms).unwrap_or(by_the_wall)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn deadlines_come_in_the_order_of_handovers() {
        let hours: WeeklyHours = "mon-fri 09:00-18:00".parse().expect("hours");
        let mut last = 0;
        for handed_over_at in (0..14 * 24).map(|hour| 1_700_000_000_000 + hour * HOUR_MS) {
            let zone = "Europe/Berlin";
            let due_at = first_touch_due_at(
                handed_over_at,
                4 * HOUR_MS,
                PromiseClock::OpenHours,
                &hours,
                zone,
            );
            assert!(due_at >= last && due_at >= handed_over_at + 4 * HOUR_MS);
            last = due_at;
        }
    }

    #[test]
    fn a_wall_clock_promise_does_not_wait_for_the_morning() {
        let hours: WeeklyHours = "mon 09:00-18:00".parse().expect("hours");
        assert_eq!(first_touch_due_at(5, 10, PromiseClock::Wall, &hours, "UTC"), 15);
        let never = WeeklyHours::default();
        assert_eq!(first_touch_due_at(5, 10, PromiseClock::OpenHours, &never, "UTC"), 15);
    }
}

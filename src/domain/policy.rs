//! What a disposition leads to. Decided from facts alone; every chain ends in a route.

use serde::{Deserialize, Serialize};

use super::disposition::Disposition;
use super::standing::{CloseReason, Route, WaitReason};

/// A part of the policy: what some dispositions lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterRule {
    /// The dispositions that it is for.
    pub dispositions: Vec<Disposition>,
    /// How long to wait after each attempt, in milliseconds; the last one repeats. Empty: close at once.
    pub retry_in_ms: Vec<i64>,
    /// After how many attempts the lead is given up; `None`: when the campaign ends.
    pub attempts_max: Option<i32>,
    /// What becomes of it then.
    pub then: AfterRoute,
}

/// Where a lead goes that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterRoute {
    /// Back to marketing, for this many milliseconds; `None`: until a new engagement or handover.
    Nurture(Option<i64>),
    /// Lost.
    Lost,
    /// Nobody can be reached there.
    Unreachable,
}

impl AfterRoute {
    /// The route, for a lead that takes it at `now`.
    pub fn at(self, now: i64) -> Route {
        match self {
            Self::Nurture(delay_ms) => {
                Route::Nurture { until: delay_ms.map(|delay_ms| now.saturating_add(delay_ms)) }
            }
            Self::Lost => Route::Lost,
            Self::Unreachable => Route::Unreachable,
        }
    }
}

/// What management decided about dispositions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its rules; a disposition stands in one at most. One that stands in none gets the last resort:
    /// growing delays, eight attempts, nurture.
    pub after: Vec<AfterRule>,
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// For a disposition that no rule names: delays that grow, eight attempts, and a quarter's rest.
///
/// Six attempts and more are what the lead-response studies advise (Oldroyd and Elkington, "The Best
/// Practices for Lead Response Management").
const LAST_RESORT_DELAYS_MS: &[i64] = &[HOUR_MS, 4 * HOUR_MS, DAY_MS, 2 * DAY_MS];
const LAST_RESORT_ATTEMPTS_MAX: i32 = 8;
const LAST_RESORT_NURTURE_MS: i64 = 90 * DAY_MS;

/// What a touch in time leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Wait for an instant.
    Wait {
        /// Until when.
        until: i64,
        /// For what.
        why: WaitReason,
    },
    /// Close.
    Close {
        /// Why.
        why: CloseReason,
        /// What becomes of it.
        route: Route,
    },
}

impl Policy {
    /// Decides what follows when an attempt on a lead ended with `disposition` at `now`.
    ///
    /// `attempts` counts this one. `numbers_left` says whether a number is left that was not
    /// stopped. A lead that said never is closed whatever the policy says.
    pub fn next_step(
        &self,
        disposition: Disposition,
        callback_at: Option<i64>,
        attempts: i32,
        numbers_left: bool,
        now: i64,
    ) -> NextStep {
        let close = |route| NextStep::Close { why: CloseReason::Disposition(disposition), route };
        let rule = self.after.iter().find(|rule| rule.dispositions.contains(&disposition));
        match disposition {
            Disposition::DoNotCall => return close(Route::Suppressed),
            Disposition::Qualified | Disposition::Appointment | Disposition::Sale => {
                return close(Route::Won);
            }
            Disposition::CallbackAny | Disposition::CallbackOwn => {
                let until = callback_at.unwrap_or(now).max(now);
                return NextStep::Wait { until, why: WaitReason::Callback };
            }
            _ if disposition.stops_number() && !numbers_left => return close(Route::Unreachable),
            Disposition::NotInterested | Disposition::NotQualified if rule.is_none() => {
                return close(Route::Lost);
            }
            _ => {}
        }
        match rule {
            Some(rule) => {
                let delays = rule.retry_in_ms.as_slice();
                retry(delays, rule.attempts_max, rule.then, disposition, attempts, now)
            }
            None => {
                let then = AfterRoute::Nurture(Some(LAST_RESORT_NURTURE_MS));
                let attempts_max = Some(LAST_RESORT_ATTEMPTS_MAX);
                retry(LAST_RESORT_DELAYS_MS, attempts_max, then, disposition, attempts, now)
            }
        }
    }
}

fn retry(
    delays_ms: &[i64],
    attempts_max: Option<i32>,
    then: AfterRoute,
    disposition: Disposition,
    attempts: i32,
    now: i64,
) -> NextStep {
    let route = then.at(now);
    if attempts_max.is_some_and(|attempts_max| attempts >= attempts_max) {
        return NextStep::Close { why: CloseReason::AttemptsExhausted, route };
    }
    let nth = usize::try_from(attempts - 1).unwrap_or(0).min(delays_ms.len().saturating_sub(1));
    match delays_ms.get(nth) {
        Some(delay_ms) => {
            NextStep::Wait { until: now.saturating_add(*delay_ms), why: WaitReason::Retry }
        }
        None => NextStep::Close { why: CloseReason::Disposition(disposition), route },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            after: vec![AfterRule {
                dispositions: vec![Disposition::NoAnswer, Disposition::Busy],
                retry_in_ms: vec![HOUR_MS, DAY_MS],
                attempts_max: Some(4),
                then: AfterRoute::Nurture(Some(DAY_MS)),
            }],
        }
    }

    #[test]
    fn the_last_delay_repeats_until_the_attempts_are_used_up() {
        let step = |attempts| policy().next_step(Disposition::NoAnswer, None, attempts, true, 0);
        let wait = |until| NextStep::Wait { until, why: WaitReason::Retry };
        assert_eq!(step(1), wait(HOUR_MS));
        assert_eq!(step(2), wait(DAY_MS));
        assert_eq!(step(3), wait(DAY_MS));
        let route = Route::Nurture { until: Some(DAY_MS) };
        assert_eq!(step(4), NextStep::Close { why: CloseReason::AttemptsExhausted, route });
    }

    #[test]
    fn every_disposition_leads_somewhere_without_any_rule() {
        let policy = Policy::default();
        for disposition in Disposition::ALL.iter().copied() {
            for attempts in [1, 2, 100] {
                let step = policy.next_step(disposition, Some(5), attempts, false, 10);
                if let NextStep::Wait { until, .. } = step {
                    assert!(until >= 10, "{disposition:?} waits for the past");
                    assert!(attempts < 8 || disposition.is_callback());
                }
            }
        }
    }

    #[test]
    fn never_means_never_whatever_the_policy_says() {
        let mut policy = policy();
        policy.after[0].dispositions.push(Disposition::DoNotCall);
        let step = policy.next_step(Disposition::DoNotCall, None, 1, true, 0);
        let why = CloseReason::Disposition(Disposition::DoNotCall);
        assert_eq!(step, NextStep::Close { why, route: Route::Suppressed });
    }

    #[test]
    fn a_wrong_number_closes_only_the_last_number() {
        let step = |left| policy().next_step(Disposition::WrongNumber, None, 1, left, 0);
        assert!(matches!(step(true), NextStep::Wait { .. }));
        assert!(matches!(step(false), NextStep::Close { route: Route::Unreachable, .. }));
    }
}

//! What follows a touch: the documents read as management means them, and the parts of a lead's day found
//! by going through it in half hours.

use nextlead::api::proto::Disposition;

use super::company::Queue;
use super::documents::{Delay, Then};
use super::leads::{Lead, Reason, Route, Stands, Why};
use super::places::Clock;
use super::walls::{ahead_by, midnight, wall};
use crate::support::{DAY_MS, MINUTE_MS};

/// Morning, noon, afternoon, evening: from this hour up to that.
const PARTS: [(u16, u16); 4] = [(8, 11), (11, 14), (14, 17), (17, 21)];
/// Parts of the day begin at whole hours, and clocks are whole half hours apart.
const STEP_MS: i64 = 30 * MINUTE_MS;
/// A lead has at most so many numbers, each of which is tried.
const NUMBERS_MAX: i32 = 8;
/// Two queues do not hand a lead to each other for ever.
const TRANSFERS_MAX: i32 = 5;

pub(super) fn stops_number(disposition: Disposition) -> bool {
    matches!(
        disposition,
        Disposition::WrongNumber
            | Disposition::Disconnected
            | Disposition::Fax
            | Disposition::ReassignedSuspect
    )
}

pub(super) fn is_callback(disposition: Disposition) -> bool {
    matches!(disposition, Disposition::CallbackAny | Disposition::CallbackOwn)
}

/// Where a lead goes whose touch under a lease ended so; the touch is counted on it already.
pub(super) fn follow(
    lead: &mut Lead,
    queue: &Queue,
    disposition: Disposition,
    callback_at: Option<i64>,
    now: i64,
) -> Stands {
    let by_disposition = Reason::Disposition(disposition);
    let close = |reason, route| Stands::Closed { reason, route };
    match disposition {
        Disposition::DoNotCall => return close(by_disposition, Route::Suppressed),
        Disposition::Qualified | Disposition::Appointment | Disposition::Sale => {
            return close(by_disposition, Route::Won);
        }
        Disposition::CallbackAny | Disposition::CallbackOwn => {
            let until = callback_at.unwrap().max(now);
            return Stands::Waiting { until, why: Why::Callback };
        }
        _ if stops_number(disposition) => {
            // The next number is tried at once; each of them at most as often as management allows.
            let most = queue.rules.after.iter().filter(|after| !after.stages.is_empty());
            let most = most.map(|after| after.attempts_max).max().unwrap_or(8) + NUMBERS_MAX;
            return match lead.callable().is_empty() {
                true => close(by_disposition, Route::Unreachable),
                false if lead.attempts >= most => close(Reason::Exhausted, Route::Unreachable),
                false => Stands::Waiting { until: now, why: Why::Retry },
            };
        }
        _ => {}
    }
    let after = queue.rules.after(disposition).unwrap();
    if after.stages.is_empty() {
        return give_up(lead, by_disposition, after.then, queue, now);
    }
    if lead.attempts >= after.attempts_max {
        return give_up(lead, Reason::Exhausted, after.then, queue, now);
    }
    let age_ms = now - lead.entered_at;
    let is_on = |stage: &super::documents::Stage| {
        stage.for_the_first_ms.is_none_or(|ms| age_ms < ms)
            && stage.attempts.is_none_or(|count| lead.attempts < count)
    };
    let Some(nth) = after
        .stages
        .iter()
        .position(is_on)
        .or_else(|| (lead.attempts < after.attempts_min).then_some(after.stages.len() - 1))
    else {
        return give_up(lead, Reason::Exhausted, after.then, queue, now);
    };
    if after.stages.len() > 1 && lead.stage != (nth, lead.stage.1) {
        lead.stage = (nth, lead.attempts - 1);
    }
    // The first stage counts from the first attempt, whatever came between.
    let before = if nth == 0 { 0 } else { lead.stage.1 };
    let delays = &after.stages[nth].retry_in;
    let place = usize::try_from(lead.attempts - before - 1).unwrap();
    let until = match delays[place.min(delays.len() - 1)] {
        Delay::For(ms) => now + ms,
        Delay::NextDaypart => next_daypart(lead, queue, now),
    };
    Stands::Waiting { until, why: Why::Retry }
}

/// The end of a rule: a route, or another queue that goes on from the first attempt.
fn give_up(lead: &mut Lead, reason: Reason, then: Then, queue: &Queue, now: i64) -> Stands {
    let route = match then {
        Then::NurtureFor(ms) => Route::Nurture(Some(now + ms)),
        Then::NurtureUntil(date) => {
            Route::Nurture(Some(midnight(date, queue.zone)).filter(|at| *at > now))
        }
        Then::NurtureUntilEngagement => Route::Nurture(None),
        Then::Lost => Route::Lost,
        Then::Unreachable => Route::Unreachable,
        Then::OtherQueue if lead.transfers < TRANSFERS_MAX => {
            lead.transfers += 1;
            lead.enter(1 - lead.queue, now);
            lead.ready_since = now;
            return Stands::Ready;
        }
        Then::OtherQueue => {
            return Stands::Closed {
                reason: Reason::TransfersExhausted,
                route: Route::Nurture(None),
            };
        }
    };
    Stands::Closed { reason, route }
}

/// The zones whose clocks show a lead's day; the queue's if nobody knows where it lives.
fn zones(lead: &Lead, queue: &Queue) -> Vec<&'static str> {
    let clocks: Vec<&Clock> = lead.clocks();
    let zones: Vec<&str> = clocks.iter().map(|clock| clock.zone).collect();
    if zones.is_empty() { vec![queue.zone] } else { zones }
}

/// The clock in the middle of several; of two the one behind.
fn middle(zones: &[&'static str], at: i64) -> &'static str {
    let mut zones = zones.to_vec();
    zones.sort_by_key(|zone| ahead_by(zone, at));
    zones[(zones.len() - 1) / 2]
}

fn part_in(zone: &str, at: i64) -> Option<usize> {
    let hour = wall(zone, at).minute / 60;
    PARTS.iter().position(|(from, to)| (*from..*to).contains(&hour))
}

/// Counts an attempt at an instant to the part of the lead's day.
pub(super) fn count_part(lead: &mut Lead, queue: &Queue, at: i64) {
    if let Some(part) = part_in(middle(&zones(lead, queue), at), at) {
        lead.tried[part] += 1;
    }
}

/// When to try next: a part of the day that was tried least often, the soonest of them, among those in
/// which the lead may be called at all.
fn next_daypart(lead: &Lead, queue: &Queue, now: i64) -> i64 {
    let zones = zones(lead, queue);
    let mut counts = lead.tried.to_vec();
    counts.sort_unstable();
    let may_call = |at| queue.may_offer(lead, at);
    for suits in [&may_call as &dyn Fn(i64) -> bool, &|_| true] {
        for count in &counts {
            let least = (0..PARTS.len()).filter(|part| lead.tried[*part] == *count);
            let begins = least.filter_map(|part| beginning(&zones, part, suits, now));
            if let Some(at) = begins.min() {
                return at;
            }
        }
    }
    now + DAY_MS
}

/// The first instant of a part that begins after `now` and suits: on all clocks, else on the middle one.
fn beginning(
    zones: &[&'static str],
    part: usize,
    suits: &dyn Fn(i64) -> bool,
    now: i64,
) -> Option<i64> {
    let on_all = |at| zones.iter().all(|zone| part_in(zone, at) == Some(part)) && suits(at);
    let zone = middle(zones, now);
    let found = |suits: &dyn Fn(i64) -> bool| first_in(zone, part, suits, now);
    found(&on_all).or_else(|| found(suits))
}

/// The half hours of a week to come, in those parts that begin after `now`.
fn first_in(zone: &str, part: usize, suits: &dyn Fn(i64) -> bool, now: i64) -> Option<i64> {
    let is_in = |at| part_in(zone, at) == Some(part);
    let today = wall(zone, now).date;
    let mut has_begun = false;
    let steps = (now.div_euclid(STEP_MS) + 1..).map(|step| step * STEP_MS);
    for at in steps.take(9 * 48) {
        has_begun |= is_in(at) && !is_in(at - STEP_MS);
        if (wall(zone, at).date - today).get_days() > 8 {
            break;
        }
        if has_begun && is_in(at) && suits(at) {
            return Some(at);
        }
    }
    None
}

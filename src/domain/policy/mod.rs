//! What a disposition leads to. Decided from facts alone; every chain ends in a route.
//!
//! A rule is for some dispositions. Its stages say after which wait the next attempt comes: a stage holds
//! for the first days since the handover or for the first attempts, whichever is over first. When the
//! attempts are used up, or the last stage is over and the attempts that are due were made, the lead takes
//! the rule's route. What no rule is for has one that is built in.

mod built_in;
#[cfg(test)]
mod properties;

use jiff::civil::Date;

use super::cadence::Cadence;
use super::daypart::{Daypart, LeadClock, may_call};
use super::disposition::Disposition;
use super::id::QueueId;
use super::lead::{Facts, NUMBER_COUNT_MAX};
use super::queue::Queue;
use super::standing::{CloseReason, Route, WaitReason};
use super::window::zone;

/// A part of the policy: what some dispositions lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AfterRule {
    /// The dispositions that it is for.
    pub dispositions: Vec<Disposition>,
    /// When the next attempt comes, stage by stage; of these all but the last end. None: close at once.
    pub stages: Vec<Stage>,
    /// Before how many attempts the end of the last stage does not give the lead up.
    pub attempts_min: i32,
    /// After how many attempts the lead is given up; `None`: when the campaign ends.
    pub attempts_max: Option<i32>,
    /// What becomes of it then.
    pub then: AfterRoute,
    /// Why, as management calls it; at most [`AfterRule::REASON_LENGTH_MAX`] letters, digits, `_` and `-`.
    pub reason: Option<String>,
}

impl AfterRule {
    /// The longest reason.
    pub const REASON_LENGTH_MAX: usize = 64;
}

/// A part of a rule: what holds for the first days, or for the first attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// For how long since the handover it holds; `None`: its time never ends.
    pub for_the_first_ms: Option<i64>,
    /// For how many attempts in all it holds; `None`: whatever their number.
    pub attempts: Option<i32>,
    /// What comes after each attempt of the stage; the last one repeats. At least one.
    pub retry_in: Vec<Delay>,
}

impl Stage {
    /// Whether it is over, this long after the handover and after this many attempts.
    pub fn is_over(&self, age_ms: i64, attempts: i32) -> bool {
        self.for_the_first_ms.is_some_and(|for_ms| age_ms >= for_ms)
            || self.attempts.is_some_and(|count| attempts >= count)
    }
}

/// How long to wait for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// This many milliseconds; 0: at once.
    For(i64),
    /// Until a part of the lead's day begins that was tried least often: see [`LeadClock::next_daypart`].
    NextDaypart,
}

/// Where a lead goes that is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterRoute {
    /// Back to marketing, for this many milliseconds; `None`: until a new engagement or handover.
    Nurture(Option<i64>),
    /// Back to marketing until a date begins in the queue's zone; once it has, until a new engagement or
    /// handover.
    NurtureUntil(Date),
    /// Lost.
    Lost,
    /// Nobody can be reached there.
    Unreachable,
    /// Another queue goes on with it, by its own policy and from its first attempt.
    Queue(QueueId),
}

impl AfterRoute {
    /// The route, for a lead of a queue in this zone that takes it at `now`; `None`: it goes on elsewhere.
    pub fn at(&self, now: i64, queue_zone: &str) -> Option<Route> {
        Some(match *self {
            Self::Nurture(delay_ms) => {
                Route::Nurture { until: delay_ms.map(|delay_ms| now.saturating_add(delay_ms)) }
            }
            // A date that has passed would bring the lead back at once, over and over.
            Self::NurtureUntil(date) => {
                Route::Nurture { until: begins_at(date, queue_zone).filter(|until| *until > now) }
            }
            Self::Lost => Route::Lost,
            Self::Unreachable => Route::Unreachable,
            Self::Queue(_) => return None,
        })
    }
}

/// When a date begins on the clocks of a zone.
fn begins_at(date: Date, zone_name: &str) -> Option<i64> {
    let begins = date.to_zoned(zone(zone_name)?).ok()?;
    Some(begins.timestamp().as_millisecond())
}

/// What management decided about dispositions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Its rules; a disposition stands in one at most. What stands in none goes by
    /// [`Policy::built_in`].
    pub after: Vec<AfterRule>,
}

/// A touch, and the lead that it moves.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// How the touch ended.
    pub disposition: Disposition,
    /// When the lead wants to be called again, if it said so.
    pub callback_at: Option<i64>,
    /// The attempts on the lead, this one included.
    pub attempts: i32,
    /// How they were spread, this one included.
    pub cadence: Cadence,
    /// What is known of the lead. A number that this touch stops is stopped in here.
    pub facts: &'a Facts,
    /// When its queue began with it: when it was handed over, or came there from another queue.
    pub handed_over_at: i64,
    /// How often policies have handed it to another queue.
    pub transfers: i32,
    /// Its queue.
    pub queue: &'a Queue,
    /// When the touch is recorded.
    pub now: i64,
}

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
    /// Go to another queue, which [`DecidedBy::queue`] names.
    Transfer,
}

/// What follows a touch, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What follows.
    pub step: NextStep,
    /// How the attempts were spread, with the stage that decided.
    pub cadence: Cadence,
    /// What decided; `None`: the disposition says it all.
    pub by: Option<DecidedBy>,
}

/// What in a policy decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecidedBy {
    /// The place of the rule among all of the policy, from 1; `None`: it is built in.
    pub rule: Option<usize>,
    /// The place of the stage in the rule, from 1; `None`: it has one at most, or the lead is given up.
    pub stage: Option<usize>,
    /// The place of the delay among those of the stage, from 1; `None`: the lead is given up.
    pub nth: Option<usize>,
    /// The part of the lead's day that it waits for.
    pub daypart: Option<Daypart>,
    /// Why the lead is given up, as management calls it.
    pub reason: Option<String>,
    /// The queue that goes on with it.
    pub queue: Option<QueueId>,
}

/// How often policies hand a lead to another queue, until it comes back from nurture: enough for a chain
/// of teams, and an end to a ring of them.
pub const TRANSFER_COUNT_MAX: i32 = 5;

const DAY_MS: i64 = 24 * 3_600_000;

impl Policy {
    /// The queues that it hands leads to.
    pub fn queues(&self) -> impl Iterator<Item = &QueueId> {
        self.after.iter().filter_map(|rule| match &rule.then {
            AfterRoute::Queue(queue) => Some(queue),
            _ => None,
        })
    }

    /// What follows a touch of a lead.
    ///
    /// A lead that said never is closed whatever the policy says, and one is called when it asked to be.
    /// A lead none of whose numbers may be dialled any more is unreachable, however few attempts there
    /// were.
    pub fn next_step(&self, occasion: &Occasion<'_>) -> Decision {
        let disposition = occasion.disposition;
        let settled = |step| Decision { step, cadence: occasion.cadence, by: None };
        let close =
            |route| settled(NextStep::Close { why: CloseReason::Disposition(disposition), route });
        match disposition {
            Disposition::DoNotCall => return close(Route::Suppressed),
            Disposition::Qualified | Disposition::Appointment | Disposition::Sale => {
                return close(Route::Won);
            }
            Disposition::CallbackAny | Disposition::CallbackOwn => {
                let until = occasion.callback_at.unwrap_or(occasion.now).max(occasion.now);
                return settled(NextStep::Wait { until, why: WaitReason::Callback });
            }
            _ => {}
        }
        let has_number = occasion.facts.callable_numbers().next().is_some();
        if disposition.stops_number() && !has_number {
            return close(Route::Unreachable);
        }
        let named = self.after.iter().position(|rule| rule.dispositions.contains(&disposition));
        match named {
            Some(nth) => self.after[nth].next_step(Some(nth + 1), occasion),
            None => self.built_in(disposition).next_step(None, occasion),
        }
    }

    /// The rule for a disposition that stands in none; of those whose outcome is fixed it closes as lost.
    pub fn built_in(&self, disposition: Disposition) -> AfterRule {
        let mut rule = built_in::rule(disposition);
        if disposition.stops_number() {
            // As many attempts more as a lead has numbers, lest the last of them is never dialled.
            let most = self.after.iter().filter_map(|rule| rule.attempts_max).max();
            let most = most.or(rule.attempts_max).unwrap_or(0);
            let number_count_max = i32::try_from(NUMBER_COUNT_MAX).unwrap_or(i32::MAX);
            rule.attempts_max = Some(most.saturating_add(number_count_max));
        }
        rule
    }
}

impl AfterRule {
    fn next_step(&self, rule: Option<usize>, occasion: &Occasion<'_>) -> Decision {
        let Occasion { attempts, now, mut cadence, .. } = *occasion;
        let age_ms = now.saturating_sub(occasion.handed_over_at);
        let is_used_up = self.attempts_max.is_some_and(|max| attempts >= max);
        let nth = self.stages.iter().position(|stage| !stage.is_over(age_ms, attempts));
        let stage = match (nth, self.stages.len().checked_sub(1)) {
            // The last stage goes on until the attempts were made that are due.
            (None, Some(last)) if attempts < self.attempts_min => Some(last),
            _ => nth,
        };
        let Some(stage) = stage.filter(|_| !is_used_up) else {
            return self.give_up(rule, occasion);
        };
        if self.stages.len() > 1 {
            cadence = entering(cadence, stage, attempts);
        }
        let delays = self.stages[stage].retry_in.as_slice();
        let since =
            if stage == 0 { attempts } else { attempts - i32::from(cadence.attempts_before) };
        let place = usize::try_from(since - 1).unwrap_or(0).min(delays.len().saturating_sub(1));
        let (daypart, until) = match delays.get(place).copied().unwrap_or(Delay::For(DAY_MS)) {
            Delay::For(delay_ms) => (None, now.saturating_add(delay_ms)),
            Delay::NextDaypart => next_daypart(occasion),
        };
        let by = DecidedBy {
            rule,
            stage: (self.stages.len() > 1).then_some(stage + 1),
            nth: Some(place + 1),
            daypart,
            ..DecidedBy::default()
        };
        let step = NextStep::Wait { until, why: WaitReason::Retry };
        Decision { step, cadence, by: Some(by) }
    }

    /// The end of the rule. Policies that hand a lead to each other must not do so for ever: after
    /// [`TRANSFER_COUNT_MAX`] times it goes back to marketing instead.
    fn give_up(&self, rule: Option<usize>, occasion: &Occasion<'_>) -> Decision {
        let mut by = DecidedBy { rule, reason: self.reason.clone(), ..DecidedBy::default() };
        let why = match self.stages.is_empty() {
            true => CloseReason::Disposition(occasion.disposition),
            false => CloseReason::AttemptsExhausted,
        };
        let step = match (&self.then, self.then.at(occasion.now, &occasion.queue.settings.zone)) {
            (_, Some(route)) => NextStep::Close { why, route },
            (AfterRoute::Queue(queue), None) if occasion.transfers < TRANSFER_COUNT_MAX => {
                by.queue = Some(queue.clone());
                NextStep::Transfer
            }
            _ => NextStep::NOWHERE_LEFT,
        };
        Decision { step, cadence: occasion.cadence, by: Some(by) }
    }
}

impl NextStep {
    /// What follows when no queue may be handed the lead any more: marketing gets it back.
    pub const NOWHERE_LEFT: Self =
        Self::Close { why: CloseReason::TransfersExhausted, route: Route::Nurture { until: None } };
}

/// The cadence of a lead that is in a stage: a stage that it comes into counts its attempts from here.
fn entering(cadence: Cadence, stage: usize, attempts: i32) -> Cadence {
    let stage = u8::try_from(stage).unwrap_or(u8::MAX);
    if stage == 0 {
        return Cadence { stage, attempts_before: 0, ..cadence };
    }
    if cadence.stage == stage {
        return cadence;
    }
    let attempts_before = u16::try_from(attempts.saturating_sub(1)).unwrap_or_default();
    Cadence { stage, attempts_before, ..cadence }
}

/// The part of the day for the next attempt, and when it begins for the lead.
fn next_daypart(occasion: &Occasion<'_>) -> (Option<Daypart>, i64) {
    let clock = LeadClock::of(occasion.facts, occasion.queue);
    let may_call = may_call(occasion.facts, occasion.queue);
    match clock.next_daypart(occasion.cadence.tried, may_call, occasion.now) {
        Some((daypart, at)) => (Some(daypart), at),
        None => (None, occasion.now.saturating_add(DAY_MS)),
    }
}

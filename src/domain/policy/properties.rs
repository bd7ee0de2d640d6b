//! What a policy decides, case by case and for any policy at all: every chain ends, and no wait is over
//! before it begins.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    CallingLaw, GRACE_MS_DEFAULT, LEASE_MS_DEFAULT, LEASE_TOTAL_MS_DEFAULT, LeadNumber, Number,
    QueueId, QueueKey, QueueSettings, WeeklyHours,
};

const HOUR_MS: i64 = 3_600_000;
/// Noon of a Monday in Berlin.
const MONDAY: i64 = 1_795_431_600_000;

fn queue(zone: &str) -> Queue {
    let settings = QueueSettings {
        zone: zone.to_owned(),
        hours: "mon-sun 08:00-20:00".parse::<WeeklyHours>().expect("hours"),
        law: CallingLaw::default(),
        lease_ms: LEASE_MS_DEFAULT,
        lease_total_ms: LEASE_TOTAL_MS_DEFAULT,
        caps: Vec::new(),
        grace_ms: GRACE_MS_DEFAULT,
        skips_per_hour_max: None,
        own: Default::default(),
        quality: Default::default(),
    };
    Queue { key: QueueKey(1), id: QueueId::new("q").expect("an id"), settings }
}

fn facts(is_callable: bool) -> Facts {
    let number = Number::from_e164("+4930123456").expect("a number");
    let stopped = (!is_callable).then_some(Disposition::WrongNumber);
    Facts {
        numbers: vec![LeadNumber { number, stopped }],
        zone: Some("Europe/Berlin".into()),
        ..Facts::default()
    }
}

fn retry(delays: &[Delay]) -> Stage {
    Stage { retry_in: delays.to_vec(), ..Stage::default() }
}

fn rule(dispositions: &[Disposition], stages: Vec<Stage>, attempts_max: i32) -> AfterRule {
    AfterRule {
        dispositions: dispositions.to_vec(),
        stages,
        attempts_min: 0,
        attempts_max: Some(attempts_max),
        then: AfterRoute::Nurture(Some(30 * DAY_MS)),
        reason: None,
    }
}

/// The decision about a lead that was handed over at [`MONDAY`].
fn decide(
    policy: &Policy,
    how: Disposition,
    attempts: i32,
    cadence: Cadence,
    now: i64,
) -> Decision {
    decide_with(policy, how, attempts, cadence, now, true)
}

fn decide_with(
    policy: &Policy,
    disposition: Disposition,
    attempts: i32,
    cadence: Cadence,
    now: i64,
    has_number: bool,
) -> Decision {
    policy.next_step(&Occasion {
        disposition,
        callback_at: None,
        attempts,
        cadence,
        facts: &facts(has_number),
        transfers: 0,
        handed_over_at: MONDAY,
        queue: &queue("America/New_York"),
        now,
    })
}

fn wait_ms(decision: &Decision, now: i64) -> Option<i64> {
    match decision.step {
        NextStep::Wait { until, why: WaitReason::Retry } => Some(until - now),
        _ => None,
    }
}

fn exhausted(route: Route) -> NextStep {
    NextStep::Close { why: CloseReason::AttemptsExhausted, route }
}

#[test]
fn the_last_delay_repeats_until_the_attempts_are_used_up() {
    let delays = [Delay::For(HOUR_MS), Delay::For(DAY_MS)];
    let after = vec![rule(&[Disposition::NoAnswer, Disposition::Busy], vec![retry(&delays)], 4)];
    let policy = Policy { after };
    let decide = |attempts| {
        super::properties::decide(&policy, Disposition::Busy, attempts, Cadence::default(), MONDAY)
    };
    let waits: Vec<_> = (1..4).map(|attempts| wait_ms(&decide(attempts), MONDAY)).collect();
    assert_eq!(waits, [Some(HOUR_MS), Some(DAY_MS), Some(DAY_MS)]);
    let route = Route::Nurture { until: Some(MONDAY + 30 * DAY_MS) };
    assert_eq!(decide(4).step, exhausted(route));
    let by = |nth| Some(DecidedBy { rule: Some(1), nth, ..DecidedBy::default() });
    assert_eq!((decide(3).by, decide(4).by), (by(Some(2)), by(None)));
}

/// Four attempts in the first three days, then every second day, whichever is over first.
fn staged() -> Policy {
    let first = Stage {
        for_the_first_ms: Some(3 * DAY_MS),
        attempts: Some(4),
        retry_in: vec![Delay::For(HOUR_MS), Delay::For(2 * HOUR_MS), Delay::For(3 * HOUR_MS)],
    };
    let then = retry(&[Delay::For(DAY_MS), Delay::For(2 * DAY_MS)]);
    Policy { after: vec![rule(&[Disposition::NoAnswer], vec![first, then], 9)] }
}

#[test]
fn a_stage_ends_with_its_days_or_its_attempts_whichever_is_first() {
    let mut cadence = Cadence::default();
    let mut waits = Vec::new();
    for attempts in 1..8 {
        let decision = decide(&staged(), Disposition::NoAnswer, attempts, cadence, MONDAY);
        waits.push(wait_ms(&decision, MONDAY).expect("a wait") / HOUR_MS);
        cadence = decision.cadence;
    }
    assert_eq!(waits, [1, 2, 3, 24, 48, 48, 48], "the stage's own delays, from its beginning");

    let late = MONDAY + 3 * DAY_MS;
    let decision = decide(&staged(), Disposition::NoAnswer, 2, Cadence::default(), late - 1);
    assert_eq!(wait_ms(&decision, late - 1), Some(2 * HOUR_MS), "a millisecond is left");
    let decision = decide(&staged(), Disposition::NoAnswer, 2, Cadence::default(), late);
    assert_eq!(wait_ms(&decision, late), Some(DAY_MS));
    assert_eq!((decision.cadence.stage, decision.cadence.attempts_before), (1, 1));
    let next = decide(&staged(), Disposition::NoAnswer, 3, decision.cadence, late + DAY_MS);
    assert_eq!(wait_ms(&next, late + DAY_MS), Some(2 * DAY_MS));
    let stage = next.by.and_then(|by| by.stage);
    assert_eq!(stage, Some(2));
}

#[test]
fn nobody_is_given_up_before_the_attempts_that_are_due() {
    let fortnight = Stage { for_the_first_ms: Some(14 * DAY_MS), ..retry(&[Delay::For(DAY_MS)]) };
    let mut policy = Policy { after: vec![rule(&[Disposition::NoAnswer], vec![fortnight], 9)] };
    policy.after[0].attempts_min = 6;
    let late = MONDAY + 20 * DAY_MS;
    let step =
        |attempts| decide(&policy, Disposition::NoAnswer, attempts, Cadence::default(), late);
    assert_eq!(wait_ms(&step(5), late), Some(DAY_MS));
    let route = Route::Nurture { until: Some(late + 30 * DAY_MS) };
    assert_eq!(step(6).step, exhausted(route));
}

#[test]
fn a_number_that_is_wrong_has_the_next_one_tried_at_once() {
    let policy = staged();
    let step = |attempts, has_number| {
        let cadence = Cadence::default();
        decide_with(&policy, Disposition::Disconnected, attempts, cadence, MONDAY, has_number).step
    };
    let at_once = NextStep::Wait { until: MONDAY, why: WaitReason::Retry };
    assert_eq!(step(1, true), at_once);
    assert_eq!(step(12, true), at_once, "the last number is tried beyond the attempts of a rule");
    assert_eq!(step(17, true), exhausted(Route::Unreachable));
    let why = CloseReason::Disposition(Disposition::Disconnected);
    assert_eq!(step(1, false), NextStep::Close { why, route: Route::Unreachable });
}

#[test]
fn a_rule_of_its_own_decides_when_the_next_number_is_tried() {
    let mut policy = staged();
    let tomorrow = retry(&[Delay::For(DAY_MS)]);
    policy.after.push(rule(&[Disposition::Fax], vec![tomorrow], 3));
    let decision = decide(&policy, Disposition::Fax, 1, Cadence::default(), MONDAY);
    assert_eq!(wait_ms(&decision, MONDAY), Some(DAY_MS));
    let none_left = decide_with(&policy, Disposition::Fax, 1, Cadence::default(), MONDAY, false);
    assert!(matches!(none_left.step, NextStep::Close { route: Route::Unreachable, .. }));
}

#[test]
fn another_part_of_the_day_is_waited_for_by_default_at_a_wrong_time() {
    let policy = Policy::default();
    let tried = Cadence::default().with_attempt(Some(Daypart::Noon));
    let decision = decide(&policy, Disposition::WrongTime, 1, tried, MONDAY);
    assert_eq!(wait_ms(&decision, MONDAY), Some(2 * HOUR_MS), "two o'clock in Berlin");
    let by = DecidedBy { nth: Some(1), daypart: Some(Daypart::Afternoon), ..DecidedBy::default() };
    assert_eq!(decision.by, Some(by));
}

#[test]
fn a_date_begins_in_the_queue_s_zone_and_one_that_passed_waits_for_an_engagement() {
    let until = AfterRoute::NurtureUntil("2027-01-15".parse().expect("a date"));
    let begins = "2027-01-15T05:00:00Z".parse::<Timestamp>().expect("an instant");
    let route = until.at(MONDAY, "America/New_York");
    assert_eq!(route, Some(Route::Nurture { until: Some(begins.as_millisecond()) }));
    let passed = until.at(begins.as_millisecond(), "America/New_York");
    assert_eq!(passed, Some(Route::Nurture { until: None }));
}

#[test]
fn never_means_never_whatever_the_policy_says() {
    let mut policy = staged();
    policy.after[0].dispositions.push(Disposition::DoNotCall);
    let step = decide(&policy, Disposition::DoNotCall, 1, Cadence::default(), MONDAY).step;
    let why = CloseReason::Disposition(Disposition::DoNotCall);
    assert_eq!(step, NextStep::Close { why, route: Route::Suppressed });
}

fn delay() -> impl Strategy<Value = Delay> {
    prop_oneof![(0..20 * DAY_MS).prop_map(Delay::For), Just(Delay::NextDaypart)]
}

fn stage() -> impl Strategy<Value = Stage> {
    let bounds = (option::of(1..30 * DAY_MS), option::of(1..12));
    (bounds, vec(delay(), 1..4)).prop_map(|((for_the_first_ms, attempts), retry_in)| Stage {
        for_the_first_ms,
        attempts,
        retry_in,
    })
}

fn any_rule() -> impl Strategy<Value = AfterRule> {
    (vec(stage(), 0..4), 0..12_i32, 0..12_i32).prop_map(|(stages, min, more)| {
        let max = (min + more).max(1);
        AfterRule { attempts_min: min, ..rule(&[], stages, max) }
    })
}

/// Any policy: each disposition has one of a few rules, or none.
fn any_policy() -> impl Strategy<Value = Policy> {
    let chosen = vec(0..6_usize, Disposition::ALL.len());
    (vec(any_rule(), 1..5), chosen).prop_map(|(mut after, chosen)| {
        for (disposition, nth) in Disposition::ALL.iter().zip(chosen) {
            if let Some(rule) = after.get_mut(nth) {
                rule.dispositions.push(*disposition);
            }
        }
        Policy { after }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_chain_ends_and_no_wait_is_over_before_it_begins(
        policy in any_policy(),
        calls in vec((0..Disposition::ALL.len(), 0..10 * DAY_MS), 40),
        attempts_before in 0..5,
        age_ms in 0..40 * DAY_MS,
        cadence: (u8, [u8; 4]),
    ) {
        let (stage, tried) = cadence;
        let mut cadence = Cadence { tried, stage: stage % 4, attempts_before: 1 };
        let most = policy.after.iter().filter_map(|rule| rule.attempts_max).max().unwrap_or(0);
        // A lead has eight numbers at most, and the built-in rules end after eight attempts.
        let attempts_max = most.max(8) + 8;
        let (mut attempts, mut now) = (attempts_before, MONDAY + age_ms);
        let is_asked_for = |nth: &usize| Disposition::ALL[*nth].is_callback();
        for (nth, later_ms) in calls.iter().filter(|(nth, _)| !is_asked_for(nth)) {
            attempts += 1;
            let decision = decide(&policy, Disposition::ALL[*nth], attempts, cadence, now);
            cadence = decision.cadence;
            let NextStep::Wait { until, .. } = decision.step else { return Ok(()) };
            prop_assert!(until >= now, "it waits for the past");
            prop_assert!(attempts < attempts_max, "{attempts} attempts and no end");
            if let Some(part) = decision.by.and_then(|by| by.daypart) {
                let clock = LeadClock::of(&facts(true), &queue("UTC"));
                prop_assert_eq!(clock.daypart_at(until), Some(part));
            }
            now = until + later_ms;
        }
        prop_assert!(attempts < attempts_max);
    }
}

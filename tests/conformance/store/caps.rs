//! Caps: how often a number is dialled, exactly, whoever asks for whichever lead at the same time; and
//! suppressions that end.

use std::sync::Arc;

use nextlead::domain::{
    Cap, CapInForce, CapRule, Channel, Direction, Disposition, Facts, LeadId, LeadNumber, Lease,
    Standing, WaitReason,
};
use nextlead::store::{
    Caps, Denied, Erase, HandedOver, LeaseOutcome, ReleaseCause, StoreError, Suppress,
    SuppressionOf, SuppressionPage, Turned,
};

use super::desk::{Desk, GRACE_MS, LEASE_MS, MINUTE_MS, START, granted, number};

const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Binds every lead alike.
fn caps(limits: &[(u32, i64)]) -> Option<Caps> {
    let cap = |(dial_count_max, window_ms): &(u32, i64)| CapInForce {
        cap: Cap { dial_count_max: *dial_count_max, window_ms: *window_ms },
        rule: CapRule::Queue,
    };
    let caps: Arc<[CapInForce]> = limits.iter().map(cap).collect();
    let window_ms_max = limits.iter().map(|limit| limit.1).max().expect("a limit");
    Some(Caps { window_ms_max, of: Arc::new(move |_, _| caps.clone()) })
}

fn facts(numbers: &[u64]) -> Facts {
    let one = |index: &u64| LeadNumber { number: number(*index), stopped: None };
    Facts { numbers: numbers.iter().map(one).collect(), source: "web".into(), ..Facts::default() }
}

/// Leads of people who share these numbers and are not the same.
async fn sharing(desk: &Desk, numbers: &[u64], count: usize) -> Vec<LeadId> {
    let named = |nth| {
        let email = Some(format!("{nth}@x.example"));
        desk.with(Facts { name: Some(format!("name{nth}")), email, ..facts(numbers) })
    };
    let opened = desk.hand_over((0..count).map(named).collect()).await;
    opened.iter().map(HandedOver::lead).collect()
}

async fn pull(
    desk: &Desk,
    rep: usize,
    leads: &[LeadId],
    caps: Option<Caps>,
    now: i64,
) -> LeaseOutcome {
    let mut grant = desk.grant(rep, leads, now);
    grant.caps = caps;
    desk.store.lease(grant).await.expect("a pull is answered")
}

async fn lease(desk: &Desk, lead: LeadId, caps: Option<Caps>, now: i64) -> Lease {
    granted(pull(desk, 0, &[lead], caps, now).await).lease
}

fn capped(outcome: &LeaseOutcome) -> Option<i64> {
    match outcome {
        LeaseOutcome::NoneHeld { turned } => match turned[..] {
            [(_, Turned::Capped { until })] => Some(until),
            _ => None,
        },
        _ => None,
    }
}

/// Calls a lead under a lease of its own; it is ready again at once.
async fn dial(desk: &Desk, lead: LeadId, caps: Option<Caps>, now: i64) {
    let lease = lease(desk, lead, caps, now).await;
    let touch = desk.call_under(&lease, Disposition::CallbackAny, now).await;
    let mut touch = touch;
    touch.touch.callback_at = Some(now);
    desk.record_touch(touch).await;
}

pub(super) async fn a_lead_at_its_cap_waits_to_the_instant_and_keeps_its_place(desk: &Desk) {
    let lead = desk.leads(1).await[0];
    let two = || caps(&[(2, HOUR_MS)]);
    dial(desk, lead, two(), START + 1).await;
    dial(desk, lead, two(), START + 10).await;
    let before = desk.record(lead).await.state;

    let outcome = pull(desk, 0, &[lead], two(), START + 20).await;

    let until = START + 1 + HOUR_MS;
    assert_eq!(capped(&outcome), Some(until), "{outcome:?}");
    let state = desk.record(lead).await.state;
    assert_eq!(state.standing, Standing::Waiting { until, why: WaitReason::Cap });
    assert_eq!((state.tier, state.ready_since), (before.tier, START + 10));
    let event = desk.store.ledger(lead, state.seq - 1, 1).await.expect("a read").remove(0);
    assert_eq!((event.kind.code(), event.actor.as_str()), ("capped", "nextlead"));
    let detail = |name: &str| event.detail[name].clone();
    assert_eq!((detail("rule"), detail("dial_count")), ("queue".into(), "2".into()));
    assert_eq!((detail("dial_count_max"), detail("window_ms")), ("2".into(), "3600000".into()));
    let early = pull(desk, 0, &[lead], two(), until - 1).await;
    assert_eq!(early, LeaseOutcome::NoneHeld { turned: vec![(lead, Turned::NotDue)] });
    let lease = lease(desk, lead, two(), until).await;
    assert_eq!(desk.record(lead).await.state.ready_since, START + 10);
    assert_eq!(lease.dialable.map(|numbers| numbers.len()), Some(1));
}

pub(super) async fn of_two_windows_the_stricter_one_holds(desk: &Desk) {
    let lead = desk.leads(1).await[0];
    let both = || caps(&[(1, HOUR_MS), (3, DAY_MS)]);
    for nth in 0..3 {
        dial(desk, lead, both(), START + nth * HOUR_MS).await;
        if nth < 2 {
            let soon = START + nth * HOUR_MS + 1;
            let outcome = pull(desk, 0, &[lead], both(), soon).await;
            assert_eq!(capped(&outcome), Some(START + (nth + 1) * HOUR_MS));
        }
    }
    let outcome = pull(desk, 0, &[lead], both(), START + 3 * HOUR_MS).await;
    assert_eq!(capped(&outcome), Some(START + DAY_MS), "three in a day");
}

pub(super) async fn many_at_once_never_exceed_a_cap_of_shared_numbers(desk: &Desk) {
    let leads = sharing(desk, &[1, 2], 8).await;
    let three = || caps(&[(3, DAY_MS)]);
    let desk = Arc::new(desk.twin());
    let mut dialled = [0, 0];
    for round in 0..8 {
        let mut calls = tokio::task::JoinSet::new();
        for rep in 0..32 {
            let (desk, mut leads) = (desk.clone(), leads.clone());
            leads.rotate_left(rep % 8);
            calls.spawn(async move {
                let now = START + round;
                match pull(&desk, rep, &leads, three(), now).await {
                    LeaseOutcome::Granted { granted, .. } => {
                        let lease = granted.lease;
                        let mut touch =
                            desk.call_under(&lease, Disposition::CallbackAny, now).await;
                        let numbers = lease.dialable.clone().expect("a cap counts");
                        let number = numbers[rep % numbers.len()].clone();
                        touch.touch.number = Some(number.clone());
                        touch.touch.callback_at = Some(now);
                        desk.record_touch(touch).await;
                        Some(number)
                    }
                    _ => None,
                }
            });
        }
        while let Some(done) = calls.join_next().await {
            let Some(called) = done.expect("a call") else { continue };
            dialled[usize::from(called == number(2))] += 1;
        }
    }
    assert_eq!(dialled, [3, 3], "each slot was used, and none twice");
    desk.audit().await;
}

pub(super) async fn a_touch_and_the_next_lead_in_one_call_count_the_dial(desk: &Desk) {
    let leads = sharing(desk, &[1], 2).await;
    let one = || caps(&[(1, HOUR_MS)]);
    let lease = lease(desk, leads[0], one(), START + 1).await;
    let mut touch = desk.call_under(&lease, Disposition::NoAnswer, START + 5).await;
    let mut grant = desk.grant(0, &leads[1..], START + 5);
    grant.caps = one();
    touch.then = Some(grant);
    let answer = desk.record_touch(touch.clone()).await;
    let next = answer.next.expect("an answer");
    assert_eq!(capped(&next), Some(START + 5 + HOUR_MS), "{next:?}");
    // The same again counts nothing twice.
    assert!(desk.record_touch(touch).await.is_replay);
    let later = pull(desk, 1, &leads[1..], one(), START + 5 + HOUR_MS).await;
    assert!(matches!(later, LeaseOutcome::Granted { .. }), "{later:?}");
}

pub(super) async fn a_release_gives_the_slot_back_and_an_expiry_does_not(desk: &Desk) {
    let leads = desk.leads(2).await;
    let one = || caps(&[(1, DAY_MS)]);
    let given = lease(desk, leads[0], one(), START).await;
    desk.store.release(desk.release(&given, START + 1)).await.expect("a release");
    let again = lease(desk, leads[0], one(), START + 2).await;
    let mut forbidden = desk.release(&again, START + 3);
    forbidden.cause = ReleaseCause::Forbidden;
    desk.store.release(forbidden).await.expect("a release");
    let outcome = pull(desk, 0, &leads[..1], one(), START + 4).await;
    assert_eq!(capped(&outcome), Some(START + 2 + DAY_MS), "the rep did not say they never called");

    let lost = lease(desk, leads[1], one(), START + 5).await;
    let over = START + 5 + LEASE_MS + GRACE_MS;
    let outcome = pull(desk, 0, &leads[1..], one(), over).await;
    assert_eq!(capped(&outcome), Some(START + 5 + DAY_MS));
    // A late touch tells that the call was made later than it was doubted to be.
    let late = desk.call_under(&lost, Disposition::NoAnswer, START + MINUTE_MS).await;
    let late = nextlead::store::RecordTouch { now: over + 1, ..late };
    assert!(desk.record_touch(late).await.late);
    let outcome = pull(desk, 0, &leads[1..], one(), START + 5 + DAY_MS).await;
    assert_eq!(capped(&outcome), Some(START + MINUTE_MS + DAY_MS));
}

pub(super) async fn a_late_touch_that_was_no_call_frees_the_slot(desk: &Desk) {
    let leads = desk.leads(2).await;
    let one = || caps(&[(1, DAY_MS)]);
    for (nth, is_swept) in [(0, false), (1, true)] {
        let lost = lease(desk, leads[nth], one(), START).await;
        let over = START + LEASE_MS + GRACE_MS;
        if is_swept {
            desk.store.sweep(over, 100, None).await.expect("a sweep");
        }
        let mut late = desk.call_under(&lost, Disposition::NoAnswer, over + 1).await;
        late.touch.channel = Channel::Email;
        late.touch.number = None;
        assert!(desk.record_touch(late).await.late);
        let again = pull(desk, 1 + nth, &leads[nth..=nth], one(), over + 2).await;
        assert!(matches!(again, LeaseOutcome::Granted { .. }), "{again:?}");
        desk.audit().await;
    }
}

pub(super) async fn what_counts_are_outbound_calls_under_a_lease_or_without(desk: &Desk) {
    let lead = desk.leads(1).await[0];
    let one = || caps(&[(1, HOUR_MS)]);
    let mut inbound = desk.call(lead, Disposition::NoAnswer, START).await;
    inbound.touch.direction = Direction::Inbound;
    desk.record_touch(inbound).await;
    let mut email = desk.call(lead, Disposition::NoAnswer, START).await;
    email.touch.channel = Channel::Email;
    desk.record_touch(email).await;
    let given = lease(desk, lead, one(), START + 1).await;
    desk.store.release(desk.release(&given, START + 2)).await.expect("a release");
    // Told of two minutes after it began; told twice it counts once.
    let mut call = desk.call(lead, Disposition::NoAnswer, START + 2 * MINUTE_MS).await;
    call.touch.started_at = START + 3;
    desk.record_touch(call.clone()).await;
    desk.record_touch(call).await;
    let now = START + 3 * MINUTE_MS;
    let outcome = pull(desk, 1, &[lead], caps(&[(2, HOUR_MS)]), now).await;
    let LeaseOutcome::Granted { granted, .. } = outcome else { panic!("{outcome:?}") };
    desk.store.release(desk.release(&granted.lease, now)).await.expect("a release");
    let outcome = pull(desk, 1, &[lead], one(), now).await;
    assert_eq!(capped(&outcome), Some(START + 3 + HOUR_MS));
    // Nothing counts for whom nothing caps.
    let other = desk.leads(1).await[0];
    desk.record_touch(desk.call(other, Disposition::NoAnswer, now).await).await;
    let free = desk.pull(2, &[other], now).await;
    let LeaseOutcome::Granted { granted, .. } = free else { panic!("{free:?}") };
    assert_eq!(granted.lease.dialable, None);
}

pub(super) async fn only_the_numbers_below_their_cap_may_be_dialled(desk: &Desk) {
    let one = || caps(&[(1, HOUR_MS)]);
    let lead = desk.one(desk.with(facts(&[1, 2]))).await.lead();
    let shy = desk.one(desk.of(&desk.elsewhere, facts(&[1]))).await.lead();
    desk.record_touch(desk.call(shy, Disposition::NoAnswer, START + 1).await).await;
    let given = lease(desk, lead, one(), START + 2).await;
    assert_eq!(given.dialable, Some(vec![number(2)]), "calls for another queue count");
    let again = desk.store.lease_of(given.rep).await.expect("a read").expect("a lease");
    assert_eq!(again, given);
    let offered = given.offered(&facts(&[1, 2, 3]));
    let numbers: Vec<_> = offered.callable_numbers().cloned().collect();
    assert_eq!(numbers, [number(2)], "what came later was not looked at");
    // Both are in this rep's hands all the same; only what was offered is in doubt when it ends.
    let over = START + 2 + LEASE_MS + GRACE_MS;
    desk.store.sweep(over, 100, None).await.expect("a sweep");
    let outcome = pull(desk, 0, &[lead], one(), over).await;
    assert_eq!(capped(&outcome), Some(START + 1 + HOUR_MS), "number 1, called before");
}

pub(super) async fn dials_outlive_an_erasure_and_are_forgotten_in_time(desk: &Desk) {
    let one = || caps(&[(1, 90 * DAY_MS)]);
    let lead = desk.one(desk.with(facts(&[1]))).await.lead();
    desk.record_touch(desk.call(lead, Disposition::NoAnswer, START + 1).await).await;
    let erase = Erase { lead, actor: "crm".into(), now: START + 2, request: None };
    desk.store.erase(erase).await.expect("an erasure");
    let back = desk.one(desk.with(facts(&[1]))).await.lead();
    let outcome = pull(desk, 0, &[back], one(), START + 3).await;
    assert_eq!(capped(&outcome), Some(START + 1 + 90 * DAY_MS), "it is known by its hash");
    let last = START + 1 + 90 * DAY_MS;
    // The first wakes the lead, so that something has happened by then.
    for _ in 0..2 {
        desk.store.sweep(last, 100, None).await.expect("a sweep");
    }
    let given = lease(desk, back, caps(&[(1, 91 * DAY_MS)]), last).await;
    assert_eq!(given.lead, back, "it was forgotten");
}

/// Nothing happens in a store at rest, so its audit looks as far back as before.
pub(super) async fn time_alone_lets_no_call_be_forgotten_that_the_audit_looks_for(desk: &Desk) {
    let lead = desk.leads(1).await[0];
    desk.record_touch(desk.call(lead, Disposition::NoAnswer, START + 1).await).await;
    desk.store.sweep(START + 200 * DAY_MS, 100, None).await.expect("a sweep");
    let audit = desk.store.audit().await.expect("an audit");
    assert_eq!(audit.imbalance, 0, "{:?}", audit.faults);
}

pub(super) async fn a_suppression_ends_and_stays_listed(desk: &Desk) {
    let end = START + HOUR_MS;
    let wish = |until, now| Suppress {
        what: SuppressionOf::Number(number(1)),
        source: "letter".into(),
        until,
        actor: "crm".into(),
        now,
        request: None,
    };
    let suppress = |wish| async { desk.store.suppress(wish).await.expect("a suppression") };
    let lead = desk.one(desk.with(facts(&[1]))).await.lead();
    let first = suppress(wish(Some(end), START)).await;
    assert_eq!((first.was_known, first.closed_count), (false, 1));
    assert!(suppress(wish(Some(end - 1), START + 1)).await.was_known, "it lasts longer already");
    let open = |at| async move {
        let mut row = desk.with(facts(&[1]));
        row.handed_over_at = START;
        let rows = vec![row];
        let change =
            nextlead::store::HandOver { rows, actor: "crm".into(), now: at, request: None };
        desk.store.hand_over(change).await.expect("handovers").remove(0)
    };
    let during = open(end - 1).await;
    assert!(matches!(during, HandedOver::Opened { is_suppressed: true, .. }), "{during:?}");
    let after = open(end).await;
    let HandedOver::Opened { lead: back, is_suppressed: false, .. } = after else {
        panic!("{after:?}")
    };
    assert!(!desk.standing(lead).await.is_open(), "what it closed stays closed");
    desk.lease(0, back, end).await;
    let page = || SuppressionPage { kind: None, after: None, limit: 10 };
    let listed = desk.store.suppressions(&page()).await.expect("a list");
    assert_eq!((listed.len(), listed[0].at, listed[0].until), (1, START, Some(end)));
    // Over, it is new again, and for good takes the rep's lead away.
    let again = suppress(wish(None, end + 1)).await;
    assert_eq!((again.was_known, again.closed_count), (false, 1));
    assert!(suppress(wish(Some(end + DAY_MS), end + 2)).await.was_known);
    let listed = desk.store.suppressions(&page()).await.expect("a list");
    assert_eq!((listed.len(), listed[0].at, listed[0].until), (1, end + 1, None));
}

pub(super) async fn a_person_is_suppressed_with_all_they_are_known_by(desk: &Desk) {
    let email = Some("ann@x.example".to_owned());
    let lead = desk.one(desk.with(Facts { email, ..facts(&[1, 2]) })).await.lead();
    let second = desk.one(desk.of(&desk.elsewhere, facts(&[2]))).await.lead();
    let stranger = desk.leads(1).await[0];
    let wish = |lead| Suppress {
        what: SuppressionOf::Person(lead),
        source: "letter".into(),
        until: None,
        actor: "crm".into(),
        now: START + 1,
        request: None,
    };
    desk.lease(0, lead, START).await;
    let answer = desk.store.suppress(wish(lead)).await.expect("a suppression");
    assert_eq!((answer.was_known, answer.closed_count), (false, 2));
    assert!(!desk.standing(lead).await.is_open() && !desk.standing(second).await.is_open());
    assert!(desk.standing(stranger).await.is_open());
    let page = SuppressionPage { kind: None, after: None, limit: 10 };
    assert_eq!(desk.store.suppressions(&page).await.expect("a list").len(), 3);
    let again = desk.store.suppress(wish(lead)).await.expect("a suppression");
    assert_eq!((again.was_known, again.closed_count), (true, 0));
    let unknown = desk.store.suppress(wish(LeadId(999))).await.expect_err("nobody");
    assert!(matches!(unknown, StoreError::Denied(Denied::UnknownLead(LeadId(999)))), "{unknown:?}");
}

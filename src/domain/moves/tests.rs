//! What each command makes of a lead, and which it refuses.

use super::*;
use crate::domain::{CampaignKey, Daypart, LeadId, QueueKey};

fn state() -> LeadState {
    LeadState {
        lead: LeadId(1),
        queue: QueueKey(1),
        campaign: CampaignKey(1),
        standing: Standing::Ready,
        tier: Tier::Ordinary,
        seq: 1,
        changed_at: 100,
        ready_since: 100,
        handed_over_at: 100,
        attempts: 0,
        cadence: Cadence::default(),
        last_disposition: None,
        first_touch_due_at: Some(1_000),
        first_touched_at: None,
        times_released: 0,
        callback: None,
        owner: None,
        entered_at: None,
        transfers: 0,
    }
}

fn moved(state: &LeadState, command: Command, now: i64) -> LeadState {
    let (next, event) = step(state, command, now).expect("a legal move");
    assert_eq!((event.seq, event.from, event.to), (next.seq, Some(state.standing), next.standing));
    assert_eq!(next.seq, state.seq + 1);
    next
}

fn retry_at(until: i64) -> Command {
    Command::Touch {
        disposition: Disposition::NoAnswer,
        started_at: 150,
        is_attempt: true,
        cadence: Cadence::default(),
        next: NextStep::Wait { until, why: WaitReason::Retry },
        promised_to: None,
    }
}

#[test]
fn a_lead_goes_round_and_keeps_its_first_touch() {
    let leased = moved(&state(), Command::Lease, 120);
    let waiting = moved(&leased, retry_at(500), 160);
    assert_eq!((waiting.attempts, waiting.first_touched_at), (1, Some(150)));
    assert_eq!(step(&waiting, Command::Wake, 499).unwrap_err(), Refusal::NotDue);
    let ready = moved(&waiting, Command::Wake, 700);
    assert_eq!((ready.standing, ready.ready_since), (Standing::Ready, 500));
    let again = moved(&moved(&ready, Command::Lease, 800), retry_at(900), 850);
    assert_eq!((again.attempts, again.first_touched_at), (2, Some(150)));
}

#[test]
fn a_wait_that_is_over_may_be_leased_before_anyone_woke_it() {
    let leased = moved(&state(), Command::Lease, 120);
    let waiting = moved(&leased, retry_at(500), 160);
    assert_eq!(step(&waiting, Command::Lease, 499).unwrap_err(), Refusal::NotDue);
    assert_eq!(moved(&waiting, Command::Lease, 500).ready_since, 500);
}

#[test]
fn a_release_keeps_the_place_and_is_no_attempt() {
    let leased = moved(&state(), Command::Lease, 120);
    let ready = moved(&leased, Command::EndLease { kind: EventKind::Released }, 130);
    assert_eq!((ready.ready_since, ready.attempts, ready.times_released), (100, 0, 1));
}

#[test]
fn a_leased_lead_is_neither_leased_again_nor_closed() {
    let leased = moved(&state(), Command::Lease, 120);
    let close = Command::Close { why: CloseReason::CampaignEnded, route: Route::Lost };
    assert_eq!(step(&leased, Command::Lease, 130).unwrap_err(), Refusal::Leased);
    assert_eq!(step(&leased, close, 130).unwrap_err(), Refusal::Leased);
}

#[test]
fn a_cap_makes_it_wait_and_leaves_it_its_place() {
    let leased = moved(&state(), Command::Lease, 120);
    let waiting = moved(&leased, retry_at(500), 160);
    assert_eq!(step(&waiting, Command::Cap { until: 900 }, 499).unwrap_err(), Refusal::NotDue);
    let capped = moved(&waiting, Command::Cap { until: 900 }, 600);
    assert_eq!(capped.standing, Standing::Waiting { until: 900, why: WaitReason::Cap });
    assert_eq!(step(&capped, Command::Wake, 899).unwrap_err(), Refusal::NotDue);
    assert_eq!(moved(&capped, Command::Wake, 950).ready_since, 500);
    assert_eq!(moved(&capped, Command::Lease, 950).ready_since, 500);
    assert_eq!(step(&leased, Command::Cap { until: 900 }, 600).unwrap_err(), Refusal::Leased);
}

#[test]
fn only_nurture_comes_back() {
    let nurture = Route::Nurture { until: Some(500) };
    let cadence = Cadence::default().with_attempt(Some(Daypart::Noon));
    let closed = moved(
        &LeadState { attempts: 3, cadence, ..state() },
        Command::Close { why: CloseReason::CampaignEnded, route: nurture },
        120,
    );
    assert_eq!(step(&closed, Command::Lease, 600).unwrap_err(), Refusal::Closed);
    let back = moved(&closed, Command::Wake, 600);
    assert_eq!((back.ready_since, back.attempts), (500, 0));
    assert_eq!((closed.cadence, back.cadence), (cadence, Cadence::default()));
    let lost = moved(
        &state(),
        Command::Close { why: CloseReason::CampaignEnded, route: Route::Lost },
        120,
    );
    assert_eq!(step(&lost, Command::Wake, 600).unwrap_err(), Refusal::Closed);
}

#[test]
fn a_chain_that_a_new_interest_begins_anew_counts_no_attempt_of_the_one_before() {
    let cadence = Cadence { tried: [2, 1, 0, 0], stage: 1, attempts_before: 3 };
    let retry = moved(&moved(&state(), Command::Lease, 120), retry_at(500), 160);
    let close = Command::Close {
        why: CloseReason::AttemptsExhausted,
        route: Route::Nurture { until: Some(9_000) },
    };
    let nurtured = LeadState { cadence, ..moved(&retry, close, 200) };
    for command in [Command::Engage { interest_at: Some(300) }, Command::Wake] {
        let woken = moved(&nurtured, command, 9_000);
        assert_eq!((woken.attempts, woken.cadence), (0, Cadence::default()));
    }
    let seen = moved(&nurtured, Command::Engage { interest_at: None }, 300);
    assert_eq!(seen.cadence, cadence, "it rests as before");
    let waiting = LeadState { cadence, ..retry };
    let woken = moved(&waiting, Command::Engage { interest_at: Some(170) }, 180);
    assert_eq!(woken.cadence, cadence, "its chain goes on");
}

#[test]
fn a_new_interest_wakes_nurture_and_a_retry_and_nothing_else() {
    let interest = |at| Command::Engage { interest_at: Some(at) };
    let leased = moved(&state(), Command::Lease, 120);
    let retry = moved(&leased, retry_at(500), 160);
    let woken = moved(&retry, interest(170), 180);
    assert_eq!((woken.standing, woken.ready_since), (Standing::Ready, 170));
    assert_eq!(moved(&retry, interest(110), 180).ready_since, 160, "it was called since");
    assert_eq!((woken.attempts, woken.first_touched_at), (1, Some(150)));

    let why = CloseReason::AttemptsExhausted;
    for until in [None, Some(9_000)] {
        let close = Command::Close { why, route: Route::Nurture { until } };
        let nurtured = moved(&retry, close, 200);
        let woken = moved(&nurtured, interest(900), 300);
        assert_eq!((woken.standing, woken.attempts), (Standing::Ready, 0));
        assert_eq!((woken.ready_since, woken.tier), (300, Tier::Ordinary), "not in the future");
        let told_late = moved(&nurtured, interest(5), 300);
        assert_eq!(told_late.ready_since, 200, "old news give no head start over who waits since");
        let seen = moved(&nurtured, Command::Engage { interest_at: None }, 300);
        assert_eq!(seen.standing, nurtured.standing);
    }
    let mut callback = retry.clone();
    callback.standing = Standing::Waiting { until: 500, why: WaitReason::Callback };
    let close = |route| Command::Close { why, route };
    let lost = moved(&retry, close(Route::Lost), 200);
    let never = moved(&retry, close(Route::Suppressed), 200);
    for before in [state(), leased, callback, lost, never] {
        let after = moved(&before, interest(300), 300);
        assert_eq!((after.standing, after.ready_since), (before.standing, before.ready_since));
    }
    let erased = moved(&retry, Command::Erase, 200);
    assert_eq!(step(&erased, interest(300), 300).unwrap_err(), Refusal::Erased);
}

#[test]
fn an_outcome_closes_what_is_open_and_in_nobody_s_hands() {
    let conclude = |route| Command::Conclude { route };
    let closed = |route| Standing::Closed { why: CloseReason::Outcome, route };
    let leased = moved(&state(), Command::Lease, 120);
    let waiting = moved(&leased, retry_at(500), 160);
    for open in [&state(), &waiting] {
        assert_eq!(moved(open, conclude(Route::Lost), 200).standing, closed(Route::Lost));
    }
    assert_eq!(moved(&leased, conclude(Route::Won), 200).standing, Standing::Leased);
    let rest = Route::Nurture { until: Some(900) };
    let rest = Command::Close { why: CloseReason::AttemptsExhausted, route: rest };
    let nurtured = moved(&waiting, rest, 200);
    assert_eq!(moved(&nurtured, conclude(Route::Lost), 300).standing, nurtured.standing);
    let won = moved(&nurtured, conclude(Route::Won), 300);
    assert_eq!(won.standing, closed(Route::Won));
    assert_eq!(moved(&won, conclude(Route::Lost), 400).standing, won.standing);
    let erased = moved(&won, Command::Erase, 500);
    assert_eq!(step(&erased, conclude(Route::Won), 600).unwrap_err(), Refusal::Erased);
}

#[test]
fn a_promise_lasts_until_the_next_touch_and_through_leases_without_one() {
    let leased = moved(&state(), Command::Lease, 120);
    let promise = Command::Touch {
        disposition: Disposition::CallbackOwn,
        started_at: 150,
        is_attempt: true,
        cadence: Cadence::default(),
        next: NextStep::Wait { until: 500, why: WaitReason::Callback },
        promised_to: Some(RepKey(7)),
    };
    let promised = moved(&leased, promise, 160);
    let callback = Some(Callback { at: 500, to: Some(RepKey(7)) });
    assert_eq!((promised.tier, promised.callback), (Tier::Callback, callback));
    let again = moved(&moved(&promised, Command::Wake, 500), Command::Lease, 510);
    let released = moved(&again, Command::EndLease { kind: EventKind::Released }, 520);
    assert_eq!((released.tier, released.callback), (Tier::Callback, callback));
    let kept = moved(&moved(&released, Command::Lease, 530), retry_at(900), 540);
    assert_eq!((kept.tier, kept.callback), (Tier::Ordinary, None));
}

#[test]
fn a_lead_belongs_to_whom_it_was_given_last_wherever_it_stands() {
    let given = moved(&state(), Command::Assign { owner: Some(RepKey(7)) }, 120);
    assert_eq!((given.owner, given.standing), (Some(RepKey(7)), Standing::Ready));
    let amend = |owner| Command::Amend { kind: EventKind::Updated, owner };
    assert_eq!(moved(&given, amend(None), 130).owner, Some(RepKey(7)));
    assert_eq!(moved(&given, amend(Some(RepKey(8))), 130).owner, Some(RepKey(8)));
    let leased = moved(&given, Command::Lease, 130);
    assert_eq!(moved(&leased, Command::Assign { owner: None }, 140).owner, None);
}

#[test]
fn an_erasure_comes_from_everywhere_and_ends_everything() {
    let ready = state();
    let leased = moved(&ready, Command::Lease, 120);
    let waiting = moved(&leased, retry_at(500), 160);
    let close = Command::Close { why: CloseReason::CampaignEnded, route: Route::Lost };
    let closed = moved(&ready, close, 120);
    for before in [ready, leased, waiting, closed] {
        let erased = moved(&before, Command::Erase, 200);
        assert_eq!((erased.standing, erased.tier), (Standing::Erased, Tier::Ordinary));
        assert_eq!(
            (erased.attempts, erased.first_touched_at),
            (before.attempts, before.first_touched_at)
        );
        for command in [Command::Erase, Command::Wake, Command::Lease, close] {
            assert_eq!(step(&erased, command, 900).unwrap_err(), Refusal::Erased);
        }
        assert_eq!(step(&erased, retry_at(900), 300).unwrap_err(), Refusal::NotLeased);
    }
}

#[test]
fn a_note_counts_and_does_not_move() {
    let note = Command::Note {
        disposition: Disposition::NoAnswer,
        started_at: 150,
        is_attempt: true,
        cadence: Cadence::default(),
        is_first_touch: false,
    };
    let noted = moved(&state(), note, 160);
    assert_eq!((noted.standing, noted.attempts), (Standing::Ready, 1));
    assert_eq!(noted.first_touched_at, None);
}

#[test]
fn a_lead_takes_everything_along_to_another_queue_but_its_chain_of_attempts() {
    let cadence = Cadence::default().with_attempt(Some(crate::domain::Daypart::Noon));
    let due = Some(Callback { at: 500, to: Some(RepKey(7)) });
    let waiting = LeadState {
        standing: Standing::Waiting { until: 500, why: WaitReason::Callback },
        tier: Tier::Callback,
        callback: due,
        attempts: 3,
        cadence,
        first_touch_due_at: Some(900),
        ..state()
    };
    let to = QueueKey(9);
    let gone = moved(&waiting, Command::Transfer { to, is_by_policy: false }, 300);
    let expected = LeadState {
        queue: to,
        entered_at: Some(300),
        attempts: 0,
        cadence: Cadence::default(),
        seq: waiting.seq + 1,
        changed_at: 300,
        ..waiting.clone()
    };
    assert_eq!(gone, expected);
    assert_eq!(gone.transfers, 0, "managers may say so as often as they like");
    assert_eq!(moved(&waiting, Command::Transfer { to, is_by_policy: true }, 300).transfers, 1);

    let leased = LeadState { standing: Standing::Leased, ..state() };
    let transfer = Command::Transfer { to, is_by_policy: false };
    assert_eq!(step(&leased, transfer, 300).err(), Some(Refusal::Leased));
    let closed = |route| LeadState {
        standing: Standing::Closed { why: CloseReason::CampaignEnded, route },
        ..state()
    };
    assert_eq!(step(&closed(Route::Lost), transfer, 300).err(), Some(Refusal::Closed));
    let rests = LeadState { transfers: 4, ..closed(Route::Nurture { until: Some(600) }) };
    let rests = moved(&rests, transfer, 300);
    assert_eq!((rests.queue, rests.standing.due_at()), (to, Some(600)));
    assert_eq!(moved(&rests, Command::Wake, 600).transfers, 0, "a rest begins all anew");
}

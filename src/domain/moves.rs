//! The only function that moves a lead.
//!
//! [`step`] maps (state, command, instant) to a new state and one ledger event, or to a refusal.
//! Nothing else changes a standing, so the books can be folded from the events alone.

use super::disposition::Disposition;
use super::id::RepKey;
use super::ledger::{Event, EventKind};
use super::policy::NextStep;
use super::standing::{Callback, CloseReason, LeadState, Route, Standing, Tier, WaitReason};

/// What can happen to a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Its wait or its nurture is over.
    Wake,
    /// A rep gets it.
    Lease,
    /// Its lease ends without a touch: a release, or the end of the grace.
    EndLease {
        /// The event that tells which.
        kind: EventKind,
    },
    /// A touch under its lease.
    Touch {
        /// How it ended.
        disposition: Disposition,
        /// When it began.
        started_at: i64,
        /// Whether it counts as an attempt.
        is_attempt: bool,
        /// What follows.
        next: NextStep,
        /// Who promised to call again in person.
        promised_to: Option<RepKey>,
    },
    /// A touch that does not move it: late, or without a lease.
    Note {
        /// How it ended.
        disposition: Disposition,
        /// When it began.
        started_at: i64,
        /// Whether it counts as an attempt.
        is_attempt: bool,
        /// Whether it keeps the first-touch promise.
        is_first_touch: bool,
    },
    /// Its facts changed: an update or a merge.
    Amend {
        /// The event that tells which.
        kind: EventKind,
        /// Whom it belongs to from here on; `None`: to whom it did.
        owner: Option<RepKey>,
    },
    /// It belongs to somebody else from here on, or to nobody.
    Assign {
        /// To whom.
        owner: Option<RepKey>,
    },
    /// It is closed for another reason than a touch.
    Close {
        /// Why.
        why: CloseReason,
        /// What becomes of it.
        route: Route,
    },
    /// Everything personal about it goes, wherever it stands. Nothing moves it afterwards.
    Erase,
}

/// Why a command does not go with a standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody holds it.
    #[error("the lead is leased")]
    Leased,
    /// Nobody holds it.
    #[error("the lead is not leased")]
    NotLeased,
    /// Its time has not come.
    #[error("the lead waits for a later instant")]
    NotDue,
    /// It is closed.
    #[error("the lead is closed")]
    Closed,
    /// It was erased.
    #[error("the lead was erased")]
    Erased,
}

/// Moves a lead, or says why not. The one place where a standing changes.
///
/// The event's actor, cause and detail are the caller's to fill in.
pub fn step(state: &LeadState, command: Command, now: i64) -> Result<(LeadState, Event), Refusal> {
    let mut next = state.clone();
    let at = now.max(state.changed_at);
    let kind = match command {
        Command::Wake => {
            let due_at = state.standing.due_at().filter(|due_at| *due_at <= at);
            wake(&mut next, due_at.ok_or(not_due(&state.standing))?);
            EventKind::Woken
        }
        Command::Lease => {
            lease(&mut next, at)?;
            EventKind::Leased
        }
        Command::EndLease { kind } => {
            require_leased(state)?;
            next.standing = Standing::Ready;
            next.times_released += i32::from(state.first_touched_at.is_none());
            kind
        }
        Command::Touch { disposition, started_at, is_attempt, next: follows, promised_to } => {
            require_leased(state)?;
            count_touch(&mut next, disposition, started_at, is_attempt, is_attempt);
            follow(&mut next, follows, promised_to);
            EventKind::Touched
        }
        Command::Note { disposition, started_at, is_attempt, is_first_touch } => {
            count_touch(&mut next, disposition, started_at, is_attempt, is_first_touch);
            EventKind::Noted
        }
        Command::Amend { kind, owner } => {
            next.owner = owner.or(next.owner);
            kind
        }
        Command::Assign { owner } => {
            assign(&mut next, owner)?;
            EventKind::Assigned
        }
        Command::Close { why, route } => {
            close(&mut next, why, route)?;
            EventKind::Closed
        }
        Command::Erase => {
            erase(&mut next)?;
            EventKind::Erased
        }
    };
    next.seq += 1;
    next.changed_at = at;
    let event = Event::new(kind, Some(state.standing), &next);
    Ok((next, event))
}

/// The first state of a lead that is handed over, and its first event.
pub fn open(state: LeadState) -> (LeadState, Event) {
    assert_eq!(state.seq, 1, "a lead's first event has number 1");
    let event = Event::new(EventKind::Opened, None, &state);
    (state, event)
}

fn not_due(standing: &Standing) -> Refusal {
    match standing {
        Standing::Leased => Refusal::Leased,
        Standing::Closed { .. } => Refusal::Closed,
        Standing::Erased => Refusal::Erased,
        Standing::Ready | Standing::Waiting { .. } => Refusal::NotDue,
    }
}

fn require_leased(state: &LeadState) -> Result<(), Refusal> {
    match state.standing {
        Standing::Leased => Ok(()),
        _ => Err(Refusal::NotLeased),
    }
}

fn wake(next: &mut LeadState, due_at: i64) {
    if !next.standing.is_open() {
        next.attempts = 0;
        end_callback(next);
    }
    next.standing = Standing::Ready;
    next.ready_since = due_at;
}

fn lease(next: &mut LeadState, at: i64) -> Result<(), Refusal> {
    match next.standing {
        Standing::Ready => {}
        Standing::Waiting { until, .. } if until <= at => next.ready_since = until,
        ref other => return Err(not_due(other)),
    }
    next.standing = Standing::Leased;
    Ok(())
}

fn count_touch(
    next: &mut LeadState,
    disposition: Disposition,
    started_at: i64,
    is_attempt: bool,
    is_first_touch: bool,
) {
    next.attempts = next.attempts.saturating_add(i32::from(is_attempt));
    next.last_disposition = Some(disposition);
    if is_first_touch && next.first_touched_at.is_none() {
        next.first_touched_at = Some(started_at.max(next.handed_over_at));
    }
}

fn follow(next: &mut LeadState, follows: NextStep, promised_to: Option<RepKey>) {
    end_callback(next);
    match follows {
        NextStep::Wait { until, why } => {
            next.standing = Standing::Waiting { until, why };
            if why == WaitReason::Callback {
                next.tier = Tier::Callback;
                next.callback = Some(Callback { at: until, to: promised_to });
            }
        }
        NextStep::Close { why, route } => next.standing = Standing::Closed { why, route },
    }
}

/// What was promised is kept, or can be kept no more.
fn end_callback(next: &mut LeadState) {
    next.tier = Tier::Ordinary;
    next.callback = None;
}

fn assign(next: &mut LeadState, owner: Option<RepKey>) -> Result<(), Refusal> {
    if next.standing == Standing::Erased {
        return Err(Refusal::Erased);
    }
    next.owner = owner;
    Ok(())
}

fn close(next: &mut LeadState, why: CloseReason, route: Route) -> Result<(), Refusal> {
    match next.standing {
        Standing::Leased => return Err(Refusal::Leased),
        // A lead in nurture can still be taken up again, or say never; nothing else reopens a close.
        Standing::Closed { route: Route::Nurture { .. }, .. }
            if matches!(route, Route::Superseded | Route::Suppressed) => {}
        Standing::Closed { .. } => return Err(Refusal::Closed),
        Standing::Erased => return Err(Refusal::Erased),
        Standing::Ready | Standing::Waiting { .. } => {}
    }
    next.standing = Standing::Closed { why, route };
    end_callback(next);
    Ok(())
}

fn erase(next: &mut LeadState) -> Result<(), Refusal> {
    if next.standing == Standing::Erased {
        return Err(Refusal::Erased);
    }
    next.standing = Standing::Erased;
    next.owner = None;
    end_callback(next);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CampaignKey, LeadId, QueueKey};

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
            last_disposition: None,
            first_touch_due_at: Some(1_000),
            first_touched_at: None,
            times_released: 0,
            callback: None,
            owner: None,
        }
    }

    fn moved(state: &LeadState, command: Command, now: i64) -> LeadState {
        let (next, event) = step(state, command, now).expect("a legal move");
        assert_eq!(
            (event.seq, event.from, event.to),
            (next.seq, Some(state.standing), next.standing)
        );
        assert_eq!(next.seq, state.seq + 1);
        next
    }

    fn retry_at(until: i64) -> Command {
        Command::Touch {
            disposition: Disposition::NoAnswer,
            started_at: 150,
            is_attempt: true,
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
    fn only_nurture_comes_back() {
        let nurture = Route::Nurture { until: Some(500) };
        let closed = moved(
            &state(),
            Command::Close { why: CloseReason::CampaignEnded, route: nurture },
            120,
        );
        assert_eq!(step(&closed, Command::Lease, 600).unwrap_err(), Refusal::Closed);
        let back = moved(&closed, Command::Wake, 600);
        assert_eq!((back.ready_since, back.attempts), (500, 0));
        let lost = moved(
            &state(),
            Command::Close { why: CloseReason::CampaignEnded, route: Route::Lost },
            120,
        );
        assert_eq!(step(&lost, Command::Wake, 600).unwrap_err(), Refusal::Closed);
    }

    #[test]
    fn a_promise_lasts_until_the_next_touch_and_through_leases_without_one() {
        let leased = moved(&state(), Command::Lease, 120);
        let promise = Command::Touch {
            disposition: Disposition::CallbackOwn,
            started_at: 150,
            is_attempt: true,
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
            is_first_touch: false,
        };
        let noted = moved(&state(), note, 160);
        assert_eq!((noted.standing, noted.attempts), (Standing::Ready, 1));
        assert_eq!(noted.first_touched_at, None);
    }
}

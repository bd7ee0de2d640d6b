//! The only function that moves a lead.
//!
//! [`step`] maps (state, command, instant) to a new state and one ledger event, or to a refusal.
//! Nothing else changes a standing, so the books can be folded from the events alone.

use super::cadence::Cadence;
use super::disposition::Disposition;
use super::id::{QueueKey, RepKey};
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
        /// How the attempts are spread, this one included.
        cadence: Cadence,
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
        /// How the attempts are spread, this one included.
        cadence: Cadence,
        /// Whether it keeps the first-touch promise.
        is_first_touch: bool,
    },
    /// It did something by itself. A new interest brings it back from nurture, or ends its wait for the
    /// next attempt; a promised callback, any other close and a rep's hands keep it where it is.
    Engage {
        /// When the new interest was shown; `None`: it is none.
        interest_at: Option<i64>,
    },
    /// What became of it in the CRM. It closes by that route if it is open and in nobody's hands; won, it
    /// leaves nurture too, as nobody is to call a customer as a stranger.
    Conclude {
        /// Won or lost.
        route: Route,
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
    /// Another queue works it from here on. Where it stands, what was promised and its place in line go with
    /// it; its chain of attempts begins anew, as that queue's policy knows nothing of another's.
    Transfer {
        /// The queue.
        to: QueueKey,
        /// The policy of the queue that it leaves says so.
        is_by_policy: bool,
    },
    /// Each of its numbers is at a cap: it waits, and keeps its place in line for then.
    Cap {
        /// When the first of them may be dialled again.
        until: i64,
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
            wake(&mut next, due_by(&state.standing, at)?);
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
        Command::Touch {
            disposition,
            started_at,
            is_attempt,
            cadence,
            next: then,
            promised_to,
        } => {
            require_leased(state)?;
            next.cadence = cadence;
            count_touch(&mut next, disposition, started_at, is_attempt, is_attempt);
            follow(&mut next, then, promised_to, at);
            EventKind::Touched
        }
        Command::Note { disposition, started_at, is_attempt, cadence, is_first_touch } => {
            next.cadence = cadence;
            count_touch(&mut next, disposition, started_at, is_attempt, is_first_touch);
            EventKind::Noted
        }
        Command::Engage { interest_at } => {
            engage(&mut next, interest_at.map(|interest_at| interest_at.min(at)))?;
            EventKind::Engaged
        }
        Command::Conclude { route } => {
            conclude(&mut next, route)?;
            EventKind::Outcome
        }
        Command::Amend { kind, owner } => {
            next.owner = owner.or(next.owner);
            kind
        }
        Command::Assign { owner } => {
            assign(&mut next, owner)?;
            EventKind::Assigned
        }
        Command::Transfer { to, is_by_policy } => transfer(&mut next, to, is_by_policy, at)?,
        Command::Cap { until } => cap(&mut next, until, at)?,
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

/// The instant at which a lead's time came, if it has by now.
fn due_by(standing: &Standing, at: i64) -> Result<i64, Refusal> {
    standing.due_at().filter(|due_at| *due_at <= at).ok_or(not_due(standing))
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
        come_back(next);
    }
    // A cap is no wait of the lead's own: it goes on from where it stood in line.
    if !matches!(next.standing, Standing::Waiting { why: WaitReason::Cap, .. }) {
        next.ready_since = due_at;
    }
    next.standing = Standing::Ready;
}

/// It comes back from nurture.
fn come_back(next: &mut LeadState) {
    begin_anew(next);
    next.transfers = 0;
    end_callback(next);
}

/// From a wait whose time has come: the sweep need not have noticed.
fn become_ready(next: &mut LeadState, at: i64) -> Result<(), Refusal> {
    match next.standing {
        Standing::Ready => Ok(()),
        Standing::Waiting { until, .. } if until <= at => {
            wake(next, until);
            Ok(())
        }
        ref other => Err(not_due(other)),
    }
}

fn cap(next: &mut LeadState, until: i64, at: i64) -> Result<EventKind, Refusal> {
    become_ready(next, at)?;
    next.standing = Standing::Waiting { until, why: WaitReason::Cap };
    Ok(EventKind::Capped)
}

fn engage(next: &mut LeadState, interest_at: Option<i64>) -> Result<(), Refusal> {
    if next.standing == Standing::Erased {
        return Err(Refusal::Erased);
    }
    let Some(interest_at) = interest_at else { return Ok(()) };
    match next.standing {
        // As after the date of a nurture.
        Standing::Closed { route: Route::Nurture { .. }, .. } => come_back(next),
        Standing::Waiting { why: WaitReason::Retry, .. } => {}
        _ => return Ok(()),
    }
    next.standing = Standing::Ready;
    end_callback(next);
    // One that is told late has not waited since: other things happened to the lead after it.
    next.ready_since = interest_at.max(next.changed_at);
    Ok(())
}

fn conclude(next: &mut LeadState, route: Route) -> Result<(), Refusal> {
    match next.standing {
        Standing::Erased => return Err(Refusal::Erased),
        Standing::Ready | Standing::Waiting { .. } => {}
        Standing::Closed { route: Route::Nurture { .. }, .. } if route == Route::Won => {}
        Standing::Leased | Standing::Closed { .. } => return Ok(()),
    }
    next.standing = Standing::Closed { why: CloseReason::Outcome, route };
    end_callback(next);
    Ok(())
}

fn lease(next: &mut LeadState, at: i64) -> Result<(), Refusal> {
    become_ready(next, at)?;
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

fn follow(next: &mut LeadState, follows: NextStep, promised_to: Option<RepKey>, at: i64) {
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
        NextStep::Transfer => {
            next.standing = Standing::Ready;
            next.ready_since = at;
        }
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

fn transfer(
    next: &mut LeadState,
    to: QueueKey,
    is_by_policy: bool,
    at: i64,
) -> Result<EventKind, Refusal> {
    match next.standing {
        Standing::Leased => return Err(Refusal::Leased),
        Standing::Erased => return Err(Refusal::Erased),
        Standing::Closed { route: Route::Nurture { .. }, .. } => {}
        Standing::Closed { .. } => return Err(Refusal::Closed),
        Standing::Ready | Standing::Waiting { .. } => {}
    }
    next.queue = to;
    next.entered_at = Some(at);
    next.transfers = next.transfers.saturating_add(i32::from(is_by_policy));
    begin_anew(next);
    Ok(EventKind::Transferred)
}

/// The chain of attempts begins anew: none of those before counts to a stage or a part of its day.
fn begin_anew(next: &mut LeadState) {
    next.attempts = 0;
    next.cadence = Cadence::default();
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
mod tests;

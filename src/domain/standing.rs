//! Where a lead stands, and the only function that moves it.
//!
//! [`step`] maps (state, command, instant) to a new state and one ledger event, or to a refusal.
//! Nothing else changes a standing, so the books can be folded from the events alone.

use serde::{Deserialize, Serialize};

use super::id::{CampaignKey, LeadId, QueueKey};
use super::ledger::{Event, EventKind};
use super::policy::NextStep;
use super::touch::{Disposition, codes};

codes! {
    /// What a waiting lead waits for.
    WaitReason {
        /// The next attempt.
        Retry = "retry",
        /// An instant that was promised to the lead.
        Callback = "callback",
    }
}

/// Where a lead is: exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standing {
    /// May be served.
    Ready,
    /// May be served from an instant on.
    Waiting {
        /// That instant.
        until: i64,
        /// For what.
        why: WaitReason,
    },
    /// In a rep's hands.
    Leased,
    /// Done with, for now or for good.
    Closed {
        /// Why.
        why: CloseReason,
        /// What becomes of it.
        route: Route,
    },
}

impl Standing {
    /// The word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting { .. } => "waiting",
            Self::Leased => "leased",
            Self::Closed { .. } => "closed",
        }
    }

    /// Whether anything is still to be done with the lead.
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Closed { .. })
    }

    /// The instant at which time alone moves it: the end of a wait, or of a nurture with a date.
    pub fn due_at(&self) -> Option<i64> {
        match *self {
            Self::Waiting { until, .. } => Some(until),
            Self::Closed { route: Route::Nurture { until }, .. } => until,
            _ => None,
        }
    }
}

/// What becomes of a lead that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum Route {
    /// On to sales.
    Won,
    /// Nothing will come of it.
    Lost,
    /// Back to marketing; ready again at the date, if there is one.
    Nurture {
        /// That date.
        until: Option<i64>,
    },
    /// Never to be contacted again.
    Suppressed,
    /// Nobody can be reached there.
    Unreachable,
    /// Taken up again as another lead.
    Superseded,
}

impl Route {
    /// Every word for a route, in the order in which reports show them.
    pub const CODES: &[&str] =
        &["won", "lost", "nurture", "suppressed", "unreachable", "superseded"];

    /// The word for it: one of [`Route::CODES`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Nurture { .. } => "nurture",
            Self::Suppressed => "suppressed",
            Self::Unreachable => "unreachable",
            Self::Superseded => "superseded",
        }
    }
}

/// Why a lead was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// A touch ended so.
    Disposition(Disposition),
    /// The policy's attempts were used up.
    AttemptsExhausted,
    /// Its campaign ended.
    CampaignEnded,
    /// Its number or its person said never.
    Suppressed,
    /// A new handover took it up again.
    Superseded,
}

impl CloseReason {
    /// The word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disposition(disposition) => disposition.code(),
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::CampaignEnded => "campaign_ended",
            Self::Suppressed => "suppressed",
            Self::Superseded => "superseded",
        }
    }
}

/// The few fixed tiers of every queue, served lowest first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Tier {
    /// A promised callback.
    Callback = 0,
    /// Everything else.
    #[default]
    Ordinary = 1,
}

/// Everything about a lead that moves while it is worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadState {
    /// The lead.
    pub lead: LeadId,
    /// Its queue.
    pub queue: QueueKey,
    /// Its campaign.
    pub campaign: CampaignKey,
    /// Where it stands.
    pub standing: Standing,
    /// The tier in which it is served, or will be when its wait ends.
    pub tier: Tier,
    /// How many ledger events it has: the number of the last one, and the version of this state.
    pub seq: i64,
    /// When it last changed.
    pub changed_at: i64,
    /// When it last became ready: by handover, by a wait falling due, by its return from nurture.
    pub ready_since: i64,
    /// When marketing handed it over.
    pub handed_over_at: i64,
    /// Outbound attempts since it was handed over or last came back from nurture.
    pub attempts: i32,
    /// How the last touch ended.
    pub last_disposition: Option<Disposition>,
    /// Until when the first touch was promised; `None`: nothing was promised.
    pub first_touch_due_at: Option<i64>,
    /// When the first touch was made.
    pub first_touched_at: Option<i64>,
    /// How often it went back into the queue out of a rep's hands, still untouched.
    pub times_released: i32,
}

impl LeadState {
    /// Whether it may be leased at `now`, as far as its standing goes.
    pub fn is_servable(&self, now: i64) -> bool {
        match self.standing {
            Standing::Ready => true,
            Standing::Waiting { until, .. } => until <= now,
            _ => false,
        }
    }
}

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
    },
    /// It is closed for another reason than a touch.
    Close {
        /// Why.
        why: CloseReason,
        /// What becomes of it.
        route: Route,
    },
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
        Command::Touch { disposition, started_at, is_attempt, next: follows } => {
            require_leased(state)?;
            count_touch(&mut next, disposition, started_at, is_attempt, is_attempt);
            follow(&mut next, follows);
            EventKind::Touched
        }
        Command::Note { disposition, started_at, is_attempt, is_first_touch } => {
            count_touch(&mut next, disposition, started_at, is_attempt, is_first_touch);
            EventKind::Noted
        }
        Command::Amend { kind } => kind,
        Command::Close { why, route } => {
            close(&mut next, why, route)?;
            EventKind::Closed
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
        next.tier = Tier::Ordinary;
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

fn follow(next: &mut LeadState, follows: NextStep) {
    match follows {
        NextStep::Wait { until, why } => {
            next.standing = Standing::Waiting { until, why };
            next.tier = match why {
                WaitReason::Callback => Tier::Callback,
                WaitReason::Retry => Tier::Ordinary,
            };
        }
        NextStep::Close { why, route } => {
            next.standing = Standing::Closed { why, route };
            next.tier = Tier::Ordinary;
        }
    }
}

fn close(next: &mut LeadState, why: CloseReason, route: Route) -> Result<(), Refusal> {
    match next.standing {
        Standing::Leased => return Err(Refusal::Leased),
        // A lead in nurture can still be taken up again, or say never; nothing else reopens a close.
        Standing::Closed { route: Route::Nurture { .. }, .. }
            if matches!(route, Route::Superseded | Route::Suppressed) => {}
        Standing::Closed { .. } => return Err(Refusal::Closed),
        Standing::Ready | Standing::Waiting { .. } => {}
    }
    next.standing = Standing::Closed { why, route };
    next.tier = Tier::Ordinary;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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

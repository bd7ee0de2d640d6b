//! What the store is asked to change, and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::feedback::QualityOfTouch;
use crate::domain::{
    CampaignKey, CapInForce, Facts, HandoverKey, Lead, LeadId, LeadState, Lease, LeaseToken,
    Number, Policy, Queue, QueueKey, ReleaseReason, RepId, RepKey, RequestId, ServeOrder,
    ServeTally, SkipReason, Touch, WorkTime,
};

/// Names a change, so that asking again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// Who asks: request ids of different callers have nothing to do with each other.
    pub caller: String,
    /// The caller's id of the request.
    pub id: RequestId,
    /// SHA-256 over the method's name and the request's body.
    pub body_hash: [u8; 32],
}

/// A lead with everything that is known of where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadRecord {
    /// What it is.
    pub lead: Arc<Lead>,
    /// Where it stands.
    pub state: LeadState,
    /// Its lease, if somebody holds it.
    pub lease: Option<Lease>,
}

/// A rep, as a manager sets them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRep {
    /// Their queue.
    pub queue: QueueKey,
    /// What they can do.
    pub skills: BTreeSet<String>,
    /// Whether they may pull.
    pub is_active: bool,
    /// When they work.
    pub work: WorkTime,
}

/// A rep to whom a lead belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The rep.
    pub key: RepKey,
    /// Their id, for the ledger.
    pub id: RepId,
}

/// Rules to accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRules {
    /// The queue.
    pub queue: QueueKey,
    /// The document.
    pub text: String,
    /// Who publishes it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When.
    pub now: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// Handovers to take in.
#[derive(Clone, Debug)]
pub struct HandOver {
    /// One a lead. A key that stands in two rows is taken in twice, in order.
    pub rows: Vec<Handover>,
    /// Who hands over.
    pub actor: String,
    /// When.
    pub now: i64,
    /// The request, for a single handover; a batch is known by its keys.
    pub request: Option<RequestKey>,
}

/// One record of marketing handing a lead over.
#[derive(Clone, Debug)]
pub struct Handover {
    /// What tells it from others.
    pub key: HandoverKey,
    /// Its campaign.
    pub campaign: CampaignKey,
    /// The campaign's queue.
    pub queue: QueueKey,
    /// When marketing handed over; not after `now`.
    pub handed_over_at: i64,
    /// Until when its first touch is promised.
    pub first_touch_due_at: Option<i64>,
    /// What marketing says about the lead.
    pub facts: Facts,
    /// To whom it belongs; `None`: to nobody, or to whom it did.
    pub owner: Option<Owner>,
}

/// What became of a handover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandedOver {
    /// It opened a lead.
    Opened {
        /// The lead.
        lead: LeadId,
        /// The closed lead that it takes up again.
        predecessor: Option<LeadId>,
        /// Leads of this queue that match it and each other's opposite: a person should look.
        conflicts: Vec<LeadId>,
        /// Its number or e-mail address is suppressed: the lead was closed at once.
        is_suppressed: bool,
    },
    /// It was sent before; the lead has its new facts.
    Updated {
        /// The lead.
        lead: LeadId,
    },
    /// It was sent before, just so.
    Unchanged {
        /// The lead.
        lead: LeadId,
    },
    /// It was merged into an open lead, and stays in its own campaign's books as merged.
    Merged {
        /// The lead.
        into: LeadId,
    },
    /// Its lead was erased, so it was turned away: nothing of it is stored, and no book counts it.
    Erased {
        /// The lead.
        lead: LeadId,
    },
}

impl HandedOver {
    /// The lead that the handover opened or belongs to.
    pub fn lead(&self) -> LeadId {
        match self {
            Self::Opened { lead, .. }
            | Self::Updated { lead }
            | Self::Unchanged { lead }
            | Self::Erased { lead } => *lead,
            Self::Merged { into } => *into,
        }
    }
}

/// A lead that may be leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The lead.
    pub lead: LeadId,
    /// By which order it was chosen.
    pub order: ServeOrder,
    /// What it is worth.
    pub points: i64,
    /// What the ledger shall tell about the choice: rank and points, say.
    pub detail: BTreeMap<String, String>,
}

/// What a candidate must be to go to this rep now, looked at in the transaction that leases it: an index
/// that other processes write may name any lead.
#[derive(Clone)]
pub struct Fit(pub Arc<FitCheck>);

/// Looks at a lead, where it stands, and the order by which it was chosen, at an instant: what the ledger
/// shall keep of why it may be in a rep's hands; `None`: it may not. Takes no time to speak of.
pub type FitCheck =
    dyn Fn(&Lead, &LeadState, ServeOrder, i64) -> Option<BTreeMap<String, String>> + Send + Sync;

impl std::fmt::Debug for Fit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fit")
    }
}

/// What caps the calls of a grant's leads, counted in the transaction that leases.
#[derive(Clone)]
pub struct Caps {
    /// How far back dials count at most.
    pub window_ms_max: i64,
    /// The caps that bind a lead at an instant.
    pub of: Arc<CapsOf>,
}

/// Looks at what is known of a lead. Takes no time to speak of.
pub type CapsOf = dyn Fn(&Facts, i64) -> Arc<[CapInForce]> + Send + Sync;

impl std::fmt::Debug for Caps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caps").field("window_ms_max", &self.window_ms_max).finish_non_exhaustive()
    }
}

/// Leases the first candidate that holds.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The rep.
    pub rep: RepKey,
    /// Who asks, for the ledger: the rep's id.
    pub actor: String,
    /// Candidates, best first.
    pub candidates: Vec<Candidate>,
    /// What else a candidate must be; `None`: nothing, as whoever chose it is to be trusted.
    pub fit: Option<Fit>,
    /// What caps their calls; `None`: nothing.
    pub caps: Option<Caps>,
    /// Whether the rep gets nothing as long as they owe feedback: [`LeaseOutcome::Owes`].
    pub holds_back: bool,
    /// The new lease's token.
    pub token: LeaseToken,
    /// How long it lasts.
    pub lease_ms: i64,
    /// How far renewals carry it.
    pub lease_total_ms: i64,
    /// How long after its end a touch is in time.
    pub grace_ms: i64,
    /// The rule version that chose; 0: none.
    pub rule_version: i64,
    /// When.
    pub now: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// A lease that was given, or stands already.
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// The lease.
    pub lease: Lease,
    /// The lead.
    pub record: LeadRecord,
}

/// Why a candidate was turned down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// There is no such lead.
    Unknown,
    /// Another rep holds it, or its grace runs.
    Leased,
    /// It waits for a later instant.
    NotDue,
    /// It is closed.
    Closed,
    /// One of its numbers is in another rep's hands.
    NumberHeld,
    /// None of its numbers may be dialled any more.
    NoNumber,
    /// It is not what the rep may have now: see [`Fit`].
    Unfit,
    /// Its campaign is paused.
    Paused,
    /// It was found to be suppressed, and was closed.
    Suppressed,
    /// Its campaign was found to have ended, and it was closed.
    CampaignEnded,
    /// Each number that may be dialled was found to be at a cap, and it waits.
    Capped {
        /// Until the first of them may be dialled again.
        until: i64,
    },
}

/// The answer to a [`Grant`].
#[derive(Clone, Debug, PartialEq)]
pub enum LeaseOutcome {
    /// This lease was given; the candidates before it were turned down.
    Granted {
        /// It.
        granted: Box<Granted>,
        /// What was turned down, and why.
        turned: Vec<(LeadId, Turned)>,
    },
    /// The rep has a lease that stands: that one, or the one that this request got before.
    Holds(Box<Granted>),
    /// The rep owes feedback first.
    Owes,
    /// None of the candidates holds.
    NoneHeld {
        /// What was turned down, and why.
        turned: Vec<(LeadId, Turned)>,
    },
}

/// Carries a lease on.
#[derive(Clone, Debug)]
pub struct Renew {
    /// The lead.
    pub lead: LeadId,
    /// The rep.
    pub rep: RepKey,
    /// Who asks, for the ledger: the rep's id.
    pub actor: String,
    /// The lease.
    pub token: LeaseToken,
    /// How long from now on, as far as renewals go.
    pub lease_ms: i64,
    /// What the lead must be to stay in the rep's hands, beside having a number that may be dialled;
    /// `None`: a call is under way, so it stays whatever it is by now.
    pub fit: Option<Fit>,
    /// When.
    pub now: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// The answer to a [`Renew`].
#[derive(Clone, Debug, PartialEq)]
pub enum RenewOutcome {
    /// The lease, carried on.
    Renewed(Lease),
    /// The lead may not be dialled any more: the lease is over.
    Forbidden {
        /// The end of the lease.
        ended: EndedLease,
        /// The lead as it stands now.
        record: Box<LeadRecord>,
    },
}

/// Ends a lease without a touch.
#[derive(Clone, Debug)]
pub struct Release {
    /// The lead.
    pub lead: LeadId,
    /// The rep.
    pub rep: RepKey,
    /// Who asks, for the ledger.
    pub actor: String,
    /// The lease.
    pub token: LeaseToken,
    /// Why.
    pub cause: ReleaseCause,
    /// When.
    pub now: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// Why a lease ends without a touch, with what decides whether it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseCause {
    /// The rep passes on the lead.
    Skip {
        /// Why.
        reason: SkipReason,
        /// How many skips the rep may have within an hour, this one included; `None`: any number. One
        /// too many is [`Denied::SkipLimit`](super::Denied::SkipLimit), and the lease stays.
        per_hour_max: Option<u32>,
    },
    /// The rep took it by mistake.
    RepError,
    /// The rep's program lost the lead.
    ClientLost,
    /// The lead may not be called any more.
    Forbidden,
}

impl ReleaseCause {
    /// The word for it.
    pub(super) fn reason(self) -> ReleaseReason {
        match self {
            Self::Skip { .. } => ReleaseReason::Skipped,
            Self::RepError => ReleaseReason::RepError,
            Self::ClientLost => ReleaseReason::ClientLost,
            Self::Forbidden => ReleaseReason::Forbidden,
        }
    }

    /// As what it is counted.
    pub(super) fn tally(self) -> ServeTally {
        match self {
            Self::Skip { reason, .. } => reason.into(),
            Self::RepError => ServeTally::RepError,
            Self::ClientLost => ServeTally::ClientLost,
            Self::Forbidden => ServeTally::Forbidden,
        }
    }
}

/// A lead that a rep is not to be offered for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The rep.
    pub rep: RepKey,
    /// The lead.
    pub lead: LeadId,
    /// Until when.
    pub until: i64,
}

/// A lease that ended without a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedLease {
    /// The rep is not offered this lead for a while.
    pub pass: Pass,
}

/// Records a touch.
#[derive(Clone, Debug)]
pub struct RecordTouch {
    /// The touch. Its id is the request id, within `caller`.
    pub touch: Touch,
    /// Who records it: touch ids of different callers have nothing to do with each other.
    pub caller: String,
    /// SHA-256 over the request's body.
    pub body_hash: [u8; 32],
    /// Who did it, for the ledger.
    pub actor: String,
    /// A system posted it: an outbound attempt without a lease keeps the first-touch promise.
    pub is_by_system: bool,
    /// Only leads of this queue, and the one that the touch's lease holds, are there for who records
    /// it: any other is [`Denied::UnknownLead`](super::Denied::UnknownLead).
    pub only_in: Option<QueueKey>,
    /// What the queue asks about the lead, and what the rep said.
    pub quality: QualityOfTouch,
    /// What dispositions lead to in the lead's queue.
    pub policy: Arc<Policy>,
    /// The rule version that says so; 0: none.
    pub rule_version: i64,
    /// The lead's queue.
    pub queue: Arc<Queue>,
    /// When.
    pub now: i64,
    /// Then leases one of these to the same rep; its `now` and rep are the touch's, its `request` is
    /// not looked at.
    pub then: Option<Grant>,
}

/// The answer to a [`RecordTouch`].
#[derive(Clone, Debug, PartialEq)]
pub struct TouchRecorded {
    /// The lease was over: the touch is stored and counted, and did not move the lead.
    pub late: bool,
    /// The lead as it stands now.
    pub record: LeadRecord,
    /// Leads that were closed as the person or number said never, this one aside.
    pub suppressed_count: usize,
    /// What came of `then`. `None` if nothing was asked, or if this is a replay and that lease is over.
    pub next: Option<LeaseOutcome>,
    /// It was recorded before.
    pub is_replay: bool,
    /// It is a replay, and the lease that came with it is over.
    pub is_next_lost: bool,
    /// The queue asks for feedback on it, and none was given with it.
    pub is_quality_owed: bool,
}

/// What is suppressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuppressionOf {
    /// A number.
    Number(Number),
    /// An e-mail address, folded.
    Email(String),
    /// All numbers of a lead, and its e-mail address. Only with [`Suppress`].
    Person(LeadId),
}

/// Suppresses a number, an e-mail address or a person, in every queue: each open lead that carries one of
/// their values is closed. [`Denied::UnknownLead`](super::Denied::UnknownLead) for a lead that is not
/// there or was erased.
#[derive(Clone, Debug)]
pub struct Suppress {
    /// What.
    pub what: SuppressionOf,
    /// Where the wish came from: `"web form"`, `"letter"`.
    pub source: String,
    /// When it ends: from then on it bars nobody. What lasts longer stands. `None`: never.
    pub until: Option<i64>,
    /// Who records it.
    pub actor: String,
    /// When.
    pub now: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// The answer to a [`Suppress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// It was suppressed before.
    pub was_known: bool,
    /// How many leads it closed.
    pub closed_count: usize,
}

/// Suppresses many at once. Closes at most [`CARRIER_COUNT_MAX`] leads in its commit: as long as the
/// answer says that it is unfinished, the same again closes the next ones.
#[derive(Clone, Debug)]
pub struct SuppressAll {
    /// What; at most 20,000.
    pub whats: Vec<SuppressionOf>,
    /// Where the wishes came from.
    pub source: String,
    /// When they end, as in [`Suppress`].
    pub until: Option<i64>,
    /// Who records them.
    pub actor: String,
    /// When.
    pub now: i64,
}

/// How many leads one commit of a [`SuppressAll`] closes at most.
pub const CARRIER_COUNT_MAX: usize = 5_000;

/// The answer to a [`SuppressAll`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SuppressedAll {
    /// How many were not suppressed before.
    pub new_count: usize,
    /// How many leads were closed.
    pub closed_count: usize,
    /// More open leads may carry one of them. None of them is served any more.
    pub is_unfinished: bool,
}

/// Erases everything personal about a lead, for good. Its events, its dispositions and its place in the
/// books stay; its suppressions and the keys of its handovers stay as keyed hashes.
#[derive(Clone, Debug)]
pub struct Erase {
    /// The lead.
    pub lead: LeadId,
    /// Who erases.
    pub actor: String,
    /// When.
    pub now: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// The answer to an [`Erase`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// It had been erased before.
    pub was_erased: bool,
    /// Other leads of any queue with one of its numbers or its e-mail address, as far as they were not
    /// erased: perhaps the same person. At most 100.
    pub others: Vec<LeadId>,
}

/// Gives a lead to a rep for good, or to nobody any more.
#[derive(Clone, Debug)]
pub struct Assign {
    /// The lead.
    pub lead: LeadId,
    /// To whom it belongs from here on.
    pub owner: Option<Owner>,
    /// Who says so.
    pub actor: String,
    /// When.
    pub now: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// The answer to an [`Assign`].
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    /// It belonged to just these before: nothing changed.
    pub was_so: bool,
    /// The lead as it stands now.
    pub record: LeadRecord,
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Leases that ended with their grace, as passes.
    pub expired: Vec<Pass>,
    /// How many reps became free.
    pub freed_count: usize,
    /// How many leads were woken.
    pub woken_count: usize,
    /// How many leads were closed with their campaign.
    pub ended_count: usize,
    /// Some kind had more than `limit`: another pass finds work.
    pub is_unfinished: bool,
}

//! What the store is asked to change, and what it answers.

mod lease;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::feedback::QualityOfTouch;
use crate::domain::{
    CampaignKey, Facts, HandoverKey, Lead, LeadId, LeadState, Lease, Number, Policy, Queue,
    QueueKey, RepId, RepKey, RequestId, Touch, WorkTime,
};

pub use lease::{
    Candidate, Caps, CapsOf, EndedLease, Fit, FitCheck, Grant, Granted, LeaseOutcome, Pass,
    Release, ReleaseCause, Renew, RenewOutcome, Turned,
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
    /// The queue that it left with the commit of which this tells; `None` wherever else it is read.
    pub left: Option<QueueKey>,
}

impl LeadRecord {
    /// Notes that a queue has to let it go, unless it is that one's still.
    pub fn leaves(&mut self, queue: QueueKey) {
        self.left = (self.state.queue != queue).then_some(queue);
    }
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
    /// The queues that the policy hands leads to.
    pub others: Vec<Arc<Queue>>,
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

//! What the store is asked about leases: to give one of several leads to a rep, to carry that on, and to
//! end it without a touch.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{LeadRecord, RequestKey};
use crate::domain::{
    CampaignKey, CapInForce, Facts, Lead, LeadId, LeadState, Lease, LeaseToken, ReleaseReason,
    RepKey, ServeOrder, ServeTally, SkipReason,
};

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
    /// This campaign, whose it is, is paused.
    Paused(CampaignKey),
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
        /// too many is [`Denied::SkipLimit`](super::super::Denied::SkipLimit), and the lease stays.
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
    pub(in crate::store) fn reason(self) -> ReleaseReason {
        match self {
            Self::Skip { .. } => ReleaseReason::Skipped,
            Self::RepError => ReleaseReason::RepError,
            Self::ClientLost => ReleaseReason::ClientLost,
            Self::Forbidden => ReleaseReason::Forbidden,
        }
    }

    /// As what it is counted.
    pub(in crate::store) fn tally(self) -> ServeTally {
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

//! What is kept of an answer, so that a retry gets the same: ids and counts, no personal data.

use serde::{Deserialize, Serialize};

use crate::domain::{LeadId, LeaseToken, QueueKey, RepKey};
use crate::store::changes::HandedOver;

/// An answer, as it is stored with its request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredAnswer {
    /// A pull got, or a renewal carried on, this lease.
    Lease { lead: LeadId, token: String },
    /// A lease ended; the rep is not offered the lead until then.
    Released { lead: LeadId, rep: RepKey, until: i64 },
    /// What became of each handover.
    HandedOver(Vec<StoredHandover>),
    /// Something was suppressed.
    Suppressed { was_known: bool, closed_count: usize },
    /// A lead was erased; others have its number or address.
    Erased { was_erased: bool, others: Vec<LeadId> },
    /// A lead was given to somebody, or had been.
    Assigned { lead: LeadId, was_so: bool },
    /// A lead was handed to another queue, or was there.
    Transferred { lead: LeadId, from: QueueKey, was_so: bool },
    /// A version of rules was accepted.
    Published { version: i64 },
    /// A token was made.
    TokenMade { id: String },
}

/// A [`HandedOver`] as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredHandover {
    Opened {
        lead: LeadId,
        predecessor: Option<LeadId>,
        conflicts: Vec<LeadId>,
        is_suppressed: bool,
    },
    Updated(LeadId),
    Unchanged(LeadId),
    Merged(LeadId),
    Erased(LeadId),
}

impl StoredAnswer {
    /// The answer of a pull or a renewal.
    pub(crate) fn lease(lead: LeadId, token: LeaseToken) -> Self {
        Self::Lease { lead, token: token.to_text() }
    }
}

impl From<&HandedOver> for StoredHandover {
    fn from(answer: &HandedOver) -> Self {
        match answer.clone() {
            HandedOver::Opened { lead, predecessor, conflicts, is_suppressed } => {
                Self::Opened { lead, predecessor, conflicts, is_suppressed }
            }
            HandedOver::Updated { lead } => Self::Updated(lead),
            HandedOver::Unchanged { lead } => Self::Unchanged(lead),
            HandedOver::Merged { into } => Self::Merged(into),
            HandedOver::Erased { lead } => Self::Erased(lead),
        }
    }
}

impl From<StoredHandover> for HandedOver {
    fn from(answer: StoredHandover) -> Self {
        match answer {
            StoredHandover::Opened { lead, predecessor, conflicts, is_suppressed } => {
                Self::Opened { lead, predecessor, conflicts, is_suppressed }
            }
            StoredHandover::Updated(lead) => Self::Updated { lead },
            StoredHandover::Unchanged(lead) => Self::Unchanged { lead },
            StoredHandover::Merged(into) => Self::Merged { into },
            StoredHandover::Erased(lead) => Self::Erased { lead },
        }
    }
}

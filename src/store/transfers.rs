//! Handing a lead to another queue, and what is answered.

use std::sync::Arc;

use super::changes::{LeadRecord, RequestKey};
use crate::domain::{LeadId, Queue, QueueKey};

/// Hands an open lead, or one in nurture, to another queue. Its campaign stays, and so do its history, the
/// promise of its first touch and its place in line.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The lead.
    pub lead: LeadId,
    /// The queue that works it from here on.
    pub to: Arc<Queue>,
    /// Every queue, for the names in the ledger.
    pub queues: Vec<Arc<Queue>>,
    /// Why: a word, nothing personal.
    pub reason: Option<String>,
    /// Who says so.
    pub actor: String,
    /// When.
    pub now: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// The answer to a [`Transfer`].
#[derive(Clone, Debug, PartialEq)]
pub struct Transferred {
    /// It was in that queue before: nothing changed.
    pub was_so: bool,
    /// The queue that it was in when this was asked first.
    pub from: QueueKey,
    /// The lead as it stands now.
    pub record: LeadRecord,
}

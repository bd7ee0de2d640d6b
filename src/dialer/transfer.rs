//! Leads that go to another queue: by a manager's word, or as a policy ends.

use std::sync::Arc;

use crate::domain::{LeadId, Policy, Queue, QueueId};
use crate::store::{self, Denied, RequestKey, StoreError, Transfer};

use super::{Dialer, DialerError};

/// A lead that went to another queue, or was there before.
#[derive(Clone, Debug)]
pub struct TransferredLead {
    /// The queue that it was in.
    pub from: QueueId,
    /// It was in the queue that was asked for: nothing changed.
    pub was_so: bool,
    /// The lead as it stands now.
    pub record: store::LeadRecord,
}

impl Dialer {
    /// Hands an open lead, or one in nurture, to another queue: that one ranks it by its rules, serves it
    /// to its reps at its hours and begins its policy anew. The lead's campaign, its history, the promise
    /// of its first touch, a promised callback and its place in line go with it. A lead in a rep's hands
    /// is refused: the rep's touch has its own policy.
    pub async fn transfer_lead(
        &self,
        lead: LeadId,
        queue: &QueueId,
        reason: Option<String>,
        actor: &str,
        request: Option<RequestKey>,
    ) -> Result<TransferredLead, DialerError> {
        let change = Transfer {
            lead,
            to: self.roster().queue(queue)?,
            queues: self.roster().queues(),
            reason,
            actor: actor.to_owned(),
            now: self.now(),
            request,
        };
        let dialer = self.clone();
        let done = Self::apart(async move { dialer.parts.store.transfer(change).await }).await;
        let done = done.map_err(|error| self.name_holder(error))?;
        let from = self.roster().queue_by_key(done.from);
        let from = from.map_or_else(|| queue.clone(), |from| from.id.clone());
        Ok(TransferredLead { from, was_so: done.was_so, record: done.record })
    }

    /// The same error with the id of the rep who holds the lead.
    fn name_holder(&self, error: StoreError) -> DialerError {
        let StoreError::Denied(Denied::LeadLeased { rep, until }) = error else {
            return error.into();
        };
        let rep = self.roster().rep_by_key(rep);
        let rep = rep.map_or_else(String::new, |entry| entry.rep.id.to_string());
        DialerError::LeadLeased { rep, until }
    }

    /// The queues to which a policy hands leads, as far as they are known here.
    pub(super) fn queues_of(&self, policy: &Policy) -> Vec<Arc<Queue>> {
        policy.queues().filter_map(|queue| self.roster().queue(queue).ok()).collect()
    }
}

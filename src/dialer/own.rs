//! What a rep who asks for themselves may know: the leads of their queue, and those that were once in
//! their hands. Of any other they hear that there is none, whether there is one or not.

use crate::domain::{EventKind, LeadId};

use super::roster::RosterRep;
use super::{Dialer, DialerError};

/// How many events of a lead's ledger are read at a time.
const EVENT_COUNT: usize = 500;

impl Dialer {
    /// What a rep is told of a lease that does not stand: that, if they may know of the lead.
    pub(super) async fn lease_lost(&self, rep: &RosterRep, lead: LeadId) -> DialerError {
        match self.may_know(rep, lead).await {
            Ok(true) => DialerError::LeaseLost,
            Ok(false) => DialerError::not_found("lead", lead),
            Err(error) => error,
        }
    }

    async fn may_know(&self, rep: &RosterRep, lead: LeadId) -> Result<bool, DialerError> {
        let record = self.parts.store.lead(lead).await?;
        let is_in_queue = record.is_some_and(|record| record.state.queue == rep.rep.queue);
        Ok(is_in_queue || self.was_held(rep, lead).await?)
    }

    /// Whether a lead was ever in a rep's hands: the ledger knows.
    pub(super) async fn was_held(
        &self,
        rep: &RosterRep,
        lead: LeadId,
    ) -> Result<bool, DialerError> {
        let mut after_seq = 0;
        loop {
            let events = self.parts.store.ledger(lead, after_seq, EVENT_COUNT).await?;
            let is_theirs =
                |kind, actor: &str| kind == EventKind::Leased && actor == rep.rep.id.as_str();
            if events.iter().any(|event| is_theirs(event.kind, &event.actor)) {
                return Ok(true);
            }
            match events.last() {
                Some(last) if events.len() == EVENT_COUNT => after_seq = last.seq,
                _ => return Ok(false),
            }
        }
    }

    /// Refuses a rep who may not pull.
    pub(super) fn check_active(&self, rep: &RosterRep) -> Result<(), DialerError> {
        match rep.rep.is_active_at(self.now()) {
            true => Ok(()),
            false => Err(DialerError::RepInactive(rep.rep.id.to_string())),
        }
    }
}

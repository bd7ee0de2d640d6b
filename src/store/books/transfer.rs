//! A lead goes to another queue: by a manager's word, or at the end of a policy. Both books move with it.

use std::sync::Arc;

use super::grant::{expire, replayed};
use super::matching::{enlist, strike};
use super::{Slate, StoredAnswer};
use crate::domain::moves::Command;
use crate::domain::{Event, Lead, LeadId, Queue, QueueKey, Refusal};
use crate::store::error::Denied;
use crate::store::transfers::{Transfer, Transferred};

/// A transfer to store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewTransfer {
    /// The event that tells of it.
    pub(crate) event_key: i64,
    pub(crate) lead: LeadId,
    pub(crate) from: QueueKey,
    pub(crate) to: QueueKey,
}

/// Decides a transfer by a manager. Said twice, it changes nothing the second time.
pub(super) fn transfer(slate: &mut Slate, change: &Transfer) -> Result<Transferred, Denied> {
    if let Some(answer) = replayed(slate, change.request.as_ref())? {
        let StoredAnswer::Transferred { lead, from, was_so } = answer else {
            return Err(Denied::RequestReused);
        };
        slate.row(lead).ok_or(Denied::UnknownLead(lead))?;
        return Ok(Transferred { was_so, from, record: slate.record(lead) });
    }
    let row = slate.row(change.lead).ok_or(Denied::UnknownLead(change.lead))?;
    let from = row.state.queue;
    let was_so = from == change.to.key;
    if !was_so {
        if let Some(lease) = &row.lease {
            if lease.holds_at(change.now) {
                return Err(Denied::LeadLeased { rep: lease.rep, until: lease.held_until });
            }
            expire(slate, change.lead, change.now);
        }
        let from_id = change.queues.iter().find(|queue| queue.key == from);
        let from_id = from_id.map_or_else(String::new, |queue| queue.id.to_string());
        let told = |event: Event| {
            let event = event.by(&change.actor).with("from", from_id);
            change.reason.iter().fold(event, |event, reason| event.with("reason", reason))
        };
        hand_on(slate, change.lead, (&change.to, false), change.now, told).map_err(|refusal| {
            match refusal {
                Refusal::Erased => Denied::LeadErased,
                _ => Denied::LeadClosed,
            }
        })?;
    }
    let answer = StoredAnswer::Transferred { lead: change.lead, from, was_so };
    slate.answer(change.request.as_ref(), answer, change.now);
    Ok(Transferred { was_so, from, record: slate.record(change.lead) })
}

/// Moves a lead that nobody holds to another queue and its book.
pub(super) fn hand_on(
    slate: &mut Slate,
    lead: LeadId,
    (to, is_by_policy): (&Queue, bool),
    now: i64,
    tell: impl FnOnce(Event) -> Event,
) -> Result<(), Refusal> {
    let row = slate.known(lead);
    let (from, is_parked, known) = (row.state.queue, row.is_parked, row.lead.clone());
    let left = row.book_key();
    let command = Command::Transfer { to: to.key, is_by_policy };
    slate.step(lead, command, now, |event| tell(event).with("to", &to.id))?;
    let event_key = slate.known(lead).last_event;
    strike(slate, from, lead, &known.facts);
    enlist(slate, to.key, lead, &known.facts);
    slate.set_lead(lead, Arc::new(Lead { queue: to.key, ..(*known).clone() }));
    if is_parked {
        slate.park(lead);
    }
    slate.book_deltas.entry(left).or_default().transferred_out += 1;
    slate.book_of(lead).transferred_in += 1;
    slate.new_transfers.push(NewTransfer { event_key, lead, from, to: to.key });
    Ok(())
}

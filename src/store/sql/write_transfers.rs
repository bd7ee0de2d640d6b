//! Leads that went to another queue: where they stand, what they are known by, and the transfers.

use std::collections::BTreeSet;

use super::super::books::{NewTransfer, Slate, Tracked};
use super::super::error::StoreError;
use super::connection::Connection;
use super::statements as sql;
use super::write::{Rows, run};
use crate::domain::{LeadState, Number};

/// Whether a change moves what only a transfer, or what ends a chain of them, moves.
pub(in crate::store) fn is_moved(tracked: &Tracked) -> bool {
    let of = |state: &LeadState| (state.queue, state.entered_at, state.transfers);
    tracked.before.as_ref().is_some_and(|before| of(&before.state) != of(&tracked.now.state))
}

/// Writes them all; after where the leads stand otherwise, and their numbers.
pub(in crate::store) async fn write(
    connection: &mut Connection,
    slate: &Slate,
    changed: &[&Tracked],
) -> Result<(), StoreError> {
    let moved: Vec<&Tracked> = changed.iter().copied().filter(|one| is_moved(one)).collect();
    if moved.is_empty() {
        return Ok(());
    }
    let standing = |one: &&Tracked| {
        let state = &one.now.state;
        (state.lead, state.seq, state.queue, state.entered_at, state.transfers)
    };
    let standings: Vec<_> = moved.iter().map(standing).collect();
    let is_elsewhere = |one: &&&Tracked| {
        one.before.as_ref().is_some_and(|before| before.lead.queue != one.now.lead.queue)
    };
    let leads: Vec<_> = moved.iter().filter(is_elsewhere).map(|one| &one.now.lead).collect();
    let numbers = leads.iter().flat_map(|lead| {
        let all: BTreeSet<&Number> = lead.facts.numbers.iter().map(|one| &one.number).collect();
        all.into_iter().map(|number| (number, lead.id, lead.queue))
    });
    let numbers: Vec<_> = numbers.collect();
    let leads: Vec<_> = leads.iter().map(|lead| (lead.id, lead.queue)).collect();
    let transfer = |new: &NewTransfer| (new.event_key, new.lead, new.from, new.to);
    let transfers: Vec<_> = slate.new_transfers.iter().map(transfer).collect();
    let statements = [
        Rows::of("standing", sql::MOVE_STANDINGS, &standings),
        Rows::of("lead", sql::MOVE_LEADS, &leads),
        Rows::of("lead_number", sql::MOVE_LEAD_NUMBERS, &numbers),
        Rows::of("transfer", sql::ADD_TRANSFERS, &transfers),
    ];
    run(connection, statements).await
}

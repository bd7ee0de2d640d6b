//! To whom a lead belongs: a manager's word, wherever the lead stands.

use super::grant::replayed;
use super::{Slate, StoredAnswer};
use crate::domain::Standing;
use crate::domain::moves::Command;
use crate::store::changes::{Assign, Assigned};
use crate::store::error::Denied;

/// Decides to whom a lead belongs. Said twice, it changes nothing the second time.
pub(super) fn assign(slate: &mut Slate, change: &Assign) -> Result<Assigned, Denied> {
    if let Some(answer) = replayed(slate, change.request.as_ref())? {
        let StoredAnswer::Assigned { lead, was_so } = answer else {
            return Err(Denied::RequestReused);
        };
        slate.row(lead).ok_or(Denied::UnknownLead(lead))?;
        return Ok(Assigned { was_so, record: slate.record(lead) });
    }
    let row = slate.row(change.lead).ok_or(Denied::UnknownLead(change.lead))?;
    if row.state.standing == Standing::Erased {
        return Err(Denied::UnknownLead(change.lead));
    }
    let owner = change.owner.as_ref().map(|owner| owner.key);
    let was_so = row.state.owner == owner;
    if !was_so {
        let told = slate.step(change.lead, Command::Assign { owner }, change.now, |event| {
            let event = event.by(&change.actor);
            event.with("owner", change.owner.as_ref().map_or("", |owner| owner.id.as_str()))
        });
        told.expect("whatever is not erased may belong to somebody");
    }
    let answer = StoredAnswer::Assigned { lead: change.lead, was_so };
    slate.answer(change.request.as_ref(), answer, change.now);
    Ok(Assigned { was_so, record: slate.record(change.lead) })
}

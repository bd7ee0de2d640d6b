//! Engagements: recorded once, counted, and a new interest brings the lead back.

use super::Slate;
use super::text::hex;
use crate::domain::moves::Command;
use crate::domain::{Engagement, Facts, LeadId, Standing};
use crate::store::engagements::{EngagementRecorded, RecordEngagement};
use crate::store::error::Denied;

/// An engagement that was recorded before, as far as its replay goes.
#[derive(Clone, Debug)]
pub(crate) struct EngagementRow {
    pub(crate) lead: LeadId,
    pub(crate) body_hash: String,
    pub(crate) woke: bool,
}

/// An engagement to store.
#[derive(Clone, Debug)]
pub(crate) struct NewEngagement {
    pub(crate) engagement: Engagement,
    pub(crate) recorded_at: i64,
    pub(crate) row: EngagementRow,
}

/// Decides an engagement.
pub(super) fn engage(
    slate: &mut Slate,
    change: &RecordEngagement,
) -> Result<EngagementRecorded, Denied> {
    let engagement = &change.engagement;
    let name = (engagement.source_system.clone(), engagement.id.as_str().to_owned());
    let body_hash = hex(&change.body_hash);
    if let Some(row) = slate.engagements.get(&name) {
        if row.body_hash != body_hash {
            return Err(Denied::RequestReused);
        }
        let state = slate.known(row.lead).state.clone();
        return Ok(EngagementRecorded { state, woke: row.woke, is_replay: true });
    }
    let lead = engagement.lead;
    let row = slate.row(lead).ok_or(Denied::UnknownLead(lead))?;
    if row.state.standing == Standing::Erased {
        return Err(Denied::LeadErased);
    }
    let woke = count(slate, change);
    let row = EngagementRow { lead, body_hash, woke };
    slate.engagements.insert(name, row.clone());
    slate.new_engagements.push(NewEngagement {
        engagement: engagement.clone(),
        recorded_at: change.now,
        row,
    });
    let state = slate.known(lead).state.clone();
    Ok(EngagementRecorded { state, woke, is_replay: false })
}

/// Counts it and moves the lead; says whether that brought it back.
fn count(slate: &mut Slate, change: &RecordEngagement) -> bool {
    let engagement = &change.engagement;
    let lead = engagement.lead;
    let row = slate.known(lead);
    let (was_ready, is_parked) = (row.state.standing == Standing::Ready, row.is_parked);
    // Nobody who said never is woken, nor a lead whose campaign is over.
    let may_wake = engagement.wakes
        && row.ended_route(change.now).is_none()
        && !slate.is_suppressed(&row.lead.facts, change.now);
    let before = &row.lead.facts;
    let recorded_engagements = before.recorded_engagements.saturating_add(1);
    let facts = Facts { recorded_engagements, ..before.clone() };
    slate.set_facts(lead, facts);
    let interest_at = may_wake.then_some(engagement.engaged_at);
    let told = slate.step(lead, Command::Engage { interest_at }, change.now, |event| {
        event.by(&change.actor).with("kind", &engagement.kind)
    });
    told.expect("an engagement goes with every standing but an erased one");
    let is_ready = slate.known(lead).state.standing == Standing::Ready;
    if is_parked && !is_ready {
        slate.park(lead);
    }
    is_ready && !was_ready
}

//! Handovers: each opens a lead, is merged into one, or updates the one that it opened before.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::grant::{close, replayed};
use super::matching::{enlist, matches, strike};
use super::suppress::{close_suppressed, forbid};
use super::text::hex;
use super::{BookKey, HandoverOnce, HandoverRow, LeadRow, Slate, StoredAnswer};
use crate::domain::moves::{self, Command};
use crate::domain::{
    Cadence, CloseReason, EventKind, Facts, Lead, LeadId, LeadNumber, LeadState, Route, Standing,
    Tier,
};
use crate::store::changes::{HandOver, HandedOver, Handover, Owner};
use crate::store::error::Denied;

/// Decides handovers, row by row: each sees what the rows before it did.
pub(super) fn hand_over(slate: &mut Slate, change: &HandOver) -> Result<Vec<HandedOver>, Denied> {
    if let Some(answer) = replayed(slate, change.request.as_ref())? {
        let StoredAnswer::HandedOver(rows) = answer else { return Err(Denied::RequestReused) };
        return Ok(rows.into_iter().map(HandedOver::from).collect());
    }
    let answers: Vec<HandedOver> =
        change.rows.iter().map(|row| take_in(slate, row, &change.actor, change.now)).collect();
    let stored = answers.iter().map(Into::into).collect();
    slate.answer(change.request.as_ref(), StoredAnswer::HandedOver(stored), change.now);
    Ok(answers)
}

/// Tells what one handover says from what another does: the first half of the SHA-256 of its facts'
/// JSON, and of its owner if it names one.
fn facts_hash(row: &Handover) -> String {
    let mut said = serde_json::to_vec(&row.facts).expect("facts are JSON");
    said.extend(row.owner.iter().flat_map(|owner| owner.key.0.to_le_bytes()));
    hex(&Sha256::digest(said)[..16])
}

fn take_in(slate: &mut Slate, row: &Handover, actor: &str, now: i64) -> HandedOver {
    let once = HandoverOnce {
        source_system: row.key.source_system.clone(),
        external_id: row.key.external_id.clone(),
        campaign: row.campaign,
    };
    if let Some(lead) = slate.refused.get(&once) {
        return HandedOver::Erased { lead: *lead };
    }
    if slate.handovers.contains_key(&once) {
        return take_in_again(slate, &once, row, actor, now);
    }
    let found = matches(slate, row.queue, &row.facts);
    let mut open = found.open.into_iter();
    let (answer, lead, is_merged) = match (open.next(), open.next()) {
        (Some(into), None) => {
            merge(slate, into, row, actor, now);
            (HandedOver::Merged { into }, into, true)
        }
        (first, second) => {
            let conflicts = first.into_iter().chain(second).chain(open).collect::<Vec<_>>();
            let predecessor = found.closed.filter(|_| conflicts.is_empty());
            let (lead, is_suppressed) = open_lead(slate, row, predecessor, actor, now);
            (HandedOver::Opened { lead, predecessor, conflicts, is_suppressed }, lead, false)
        }
    };
    count(slate, once, row, lead, is_merged);
    answer
}

/// Enters a new handover in the books of its own campaign and source.
fn count(slate: &mut Slate, once: HandoverOnce, row: &Handover, lead: LeadId, is_merged: bool) {
    let source: Arc<str> = row.facts.source.as_str().into();
    let key = BookKey { queue: row.queue, campaign: row.campaign, source: source.clone() };
    let book = slate.book_deltas.entry(key).or_default();
    book.handed_over += 1;
    book.merged += i64::from(is_merged);
    let handover = HandoverRow {
        queue: row.queue,
        source,
        lead,
        is_merged,
        facts_hash: facts_hash(row),
        handed_over_at: row.handed_over_at,
        is_new: true,
        is_changed: false,
    };
    slate.handovers.insert(once, handover);
}

/// A handover that was sent before: the lead gets its new facts. What was merged into a lead of
/// another handover may only fill in what is missing there. The books keep the source that a handover
/// was first sent with, and the first-touch clock its first instant.
fn take_in_again(
    slate: &mut Slate,
    once: &HandoverOnce,
    row: &Handover,
    actor: &str,
    now: i64,
) -> HandedOver {
    let hash = facts_hash(row);
    let handover = slate.handovers.get_mut(once).expect("the handover was looked up before");
    let lead = handover.lead;
    if handover.facts_hash == hash {
        return HandedOver::Unchanged { lead };
    }
    handover.facts_hash = hash;
    handover.is_changed = true;
    let is_merged = handover.is_merged;
    let known = slate.known(lead);
    let before = &known.lead.facts;
    let facts = if is_merged { filled(before, &row.facts) } else { renewed(before, &row.facts) };
    let is_new_owner = new_owner(known, row, is_merged).is_some();
    let has_new_facts = facts != *before;
    if !has_new_facts && !is_new_owner {
        return HandedOver::Unchanged { lead };
    }
    if has_new_facts {
        replace_facts(slate, lead, facts);
    }
    amend(slate, lead, (EventKind::Updated, is_merged), row, (actor, now));
    obey(slate, lead, actor, now);
    HandedOver::Updated { lead }
}

fn merge(slate: &mut Slate, into: LeadId, row: &Handover, actor: &str, now: i64) {
    let before = &slate.known(into).lead.facts;
    let facts = filled(before, &row.facts);
    if facts != *before {
        replace_facts(slate, into, facts);
    }
    amend(slate, into, (EventKind::Merged, true), row, (actor, now));
    obey(slate, into, actor, now);
}

/// What new facts forbid holds at once: a suppressed number or address closes the lead, and a lead in
/// a rep's hands holds its new numbers, or leaves those hands when somebody else has one of them.
fn obey(slate: &mut Slate, lead: LeadId, actor: &str, now: i64) {
    let row = slate.known(lead);
    let is_leased = row.lease.is_some();
    if slate.is_suppressed(&row.lead.facts, now) {
        close_suppressed(slate, lead, actor, now);
    } else if is_leased && !slate.join_numbers(lead) {
        forbid(slate, lead, actor, now);
    }
}

fn filled(before: &Facts, other: &Facts) -> Facts {
    let mut facts = before.clone();
    facts.fill_from(other);
    facts.is_merged |= facts != *before;
    facts
}

/// The new facts, but a number that was stopped stays so, and stays known when it is left out: it may
/// come back. What other handovers have filled in stays as well.
fn renewed(before: &Facts, other: &Facts) -> Facts {
    let recorded_engagements = before.recorded_engagements;
    let mut facts = Facts { recorded_engagements, ..other.clone() };
    for one in &mut facts.numbers {
        let known = before.numbers.iter().find(|known| known.number == one.number);
        one.stopped = one.stopped.or(known.and_then(|known| known.stopped));
    }
    let is_new = |one: &&LeadNumber| !other.numbers.iter().any(|new| new.number == one.number);
    let stopped = before.numbers.iter().filter(|one| one.stopped.is_some());
    facts.numbers.extend(stopped.filter(is_new).cloned());
    if before.is_merged {
        facts.fill_from(before);
        facts.is_merged = true;
    }
    facts
}

fn replace_facts(slate: &mut Slate, lead: LeadId, facts: Facts) {
    let before = slate.known(lead).lead.clone();
    strike(slate, before.queue, lead, &before.facts);
    enlist(slate, before.queue, lead, &facts);
    slate.set_facts(lead, facts);
}

/// To whom a lead belongs by a handover, if that is news: what was merged gives an owner only to a lead
/// that has none.
fn new_owner<'a>(known: &LeadRow, row: &'a Handover, is_merged: bool) -> Option<&'a Owner> {
    // Its owner is a rep of the campaign's queue, and another queue may work the lead by now.
    let is_taken = is_merged && known.state.owner.is_some() || known.state.queue != row.queue;
    row.owner.as_ref().filter(|owner| !is_taken && known.state.owner != Some(owner.key))
}

fn amend(
    slate: &mut Slate,
    lead: LeadId,
    (kind, is_merged): (EventKind, bool),
    row: &Handover,
    (actor, now): (&str, i64),
) {
    let owner = new_owner(slate.known(lead), row, is_merged);
    let command = Command::Amend { kind, owner: owner.map(|owner| owner.key) };
    // The external id may be an e-mail address, so the ledger does without it.
    let told = slate.step(lead, command, now, |event| {
        let event = event
            .by(actor)
            .with("campaign", &row.key.campaign)
            .with("source_system", &row.key.source_system);
        owner.iter().fold(event, |event, owner| event.with("owner", &owner.id))
    });
    told.expect("facts go with every standing");
}

/// Opens a lead; says whether it had to be closed at once.
fn open_lead(
    slate: &mut Slate,
    row: &Handover,
    predecessor: Option<LeadId>,
    actor: &str,
    now: i64,
) -> (LeadId, bool) {
    slate.last_lead += 1;
    let id = LeadId(slate.last_lead);
    let state = LeadState {
        lead: id,
        queue: row.queue,
        campaign: row.campaign,
        standing: Standing::Ready,
        tier: Tier::Ordinary,
        seq: 1,
        changed_at: now,
        ready_since: row.handed_over_at,
        handed_over_at: row.handed_over_at,
        attempts: 0,
        cadence: Cadence::default(),
        last_disposition: None,
        first_touch_due_at: row.first_touch_due_at,
        first_touched_at: None,
        times_released: 0,
        callback: None,
        owner: row.owner.as_ref().map(|owner| owner.key),
        entered_at: None,
        transfers: 0,
    };
    let (state, event) = moves::open(state);
    let mut event = event.by(actor).with("campaign", &row.key.campaign);
    if let Some(predecessor) = predecessor {
        event = event.with("predecessor", predecessor);
    }
    event = row.owner.iter().fold(event, |event, owner| event.with("owner", &owner.id));
    let lead = Lead {
        id,
        queue: row.queue,
        campaign: row.campaign,
        source_system: row.key.source_system.clone(),
        external_id: row.key.external_id.clone(),
        handed_over_at: row.handed_over_at,
        predecessor,
        facts: row.facts.clone(),
    };
    let opened = LeadRow {
        lead: Arc::new(lead),
        state,
        lease: None,
        source: row.facts.source.as_str().into(),
        campaign_end: None,
        is_paused: false,
        is_parked: false,
        last_event: 0,
    };
    slate.open(opened, event);
    enlist(slate, row.queue, id, &row.facts);
    if let Some(predecessor) = predecessor {
        supersede(slate, predecessor, id, actor, now);
    }
    let is_suppressed = slate.is_suppressed(&row.facts, now);
    if is_suppressed {
        close(slate, id, CloseReason::Suppressed, Route::Suppressed, now);
    }
    (id, is_suppressed)
}

/// A predecessor in nurture is not to come back beside its successor.
fn supersede(slate: &mut Slate, predecessor: LeadId, by: LeadId, actor: &str, now: i64) {
    let is_in_nurture = matches!(
        slate.known(predecessor).state.standing,
        Standing::Closed { route: Route::Nurture { .. }, .. }
    );
    if is_in_nurture {
        let close = Command::Close { why: CloseReason::Superseded, route: Route::Superseded };
        let told =
            slate.step(predecessor, close, now, |event| event.by(actor).with("successor", by));
        told.expect("a lead in nurture can be superseded");
    }
}

//! A pull: leases the first candidate that holds.

use std::collections::BTreeMap;

use super::hindrance::{self, Hindrance};
use super::{NEXTLEAD, Slate, StoredAnswer};
use crate::domain::moves::Command;
use crate::domain::{
    CloseReason, EventKind, LeadId, Lease, LeaseToken, Number, PASS_MS, RepKey, Route, ServeTally,
    Standing,
};
use crate::store::changes::{
    Candidate, Fit, Grant, Granted, LeaseOutcome, Pass, RequestKey, Turned,
};
use crate::store::error::Denied;

/// Decides a pull.
pub(super) fn lease(slate: &mut Slate, grant: &Grant) -> Result<LeaseOutcome, Denied> {
    if let Some(answer) = replayed(slate, grant.request.as_ref())? {
        let StoredAnswer::Lease { lead, token } = answer else { return Err(Denied::RequestReused) };
        let token = LeaseToken::from_text(&token);
        let stands = token.and_then(|token| standing_lease(slate, lead, token, grant.now));
        return stands.map(LeaseOutcome::Holds).ok_or(Denied::LeaseLost);
    }
    let outcome = give_first(slate, grant, grant.rep, grant.now);
    if let LeaseOutcome::Granted { granted, .. } | LeaseOutcome::Holds(granted) = &outcome {
        let answer = StoredAnswer::lease(granted.lease.lead, granted.lease.token);
        slate.answer(grant.request.as_ref(), answer, grant.now);
    }
    Ok(outcome)
}

/// What a request was answered with before, if it was.
pub(super) fn replayed(
    slate: &Slate,
    request: Option<&RequestKey>,
) -> Result<Option<StoredAnswer>, Denied> {
    let Some(key) = request else { return Ok(None) };
    let name = (key.caller.clone(), key.id.as_str().to_owned());
    match slate.requests.get(&name) {
        None => Ok(None),
        Some(row) if row.key.body_hash == key.body_hash => Ok(Some(row.answer.clone())),
        Some(_) => Err(Denied::RequestReused),
    }
}

/// A lease by its token, if the rep still has it.
pub(super) fn standing_lease(
    slate: &Slate,
    lead: LeadId,
    token: LeaseToken,
    now: i64,
) -> Option<Box<Granted>> {
    let lease = slate.row(lead)?.lease.clone()?;
    let stands = lease.token == token && lease.stands_at(now);
    stands.then(|| Box::new(Granted { lease, record: slate.record(lead) }))
}

/// Leases the first candidate that holds, unless the rep has a lease that stands.
pub(super) fn give_first(slate: &mut Slate, grant: &Grant, rep: RepKey, now: i64) -> LeaseOutcome {
    if let Some(lead) = slate.holders.get(&rep).copied() {
        let lease = slate.known(lead).lease.clone().expect("a holder has a lease");
        if lease.stands_at(now) {
            return LeaseOutcome::Holds(Box::new(Granted { lease, record: slate.record(lead) }));
        }
        slate.free_rep(lead);
    }
    if grant.holds_back && slate.owes(rep) {
        return LeaseOutcome::Owes;
    }
    let mut turned = Vec::new();
    for candidate in &grant.candidates {
        match offer(slate, candidate, grant, now) {
            Err(why) => turned.push((candidate.lead, why)),
            Ok(offered) => {
                let granted = Box::new(give(slate, grant, (candidate, offered), rep, now));
                return LeaseOutcome::Granted { granted, turned };
            }
        }
    }
    LeaseOutcome::NoneHeld { turned }
}

/// What is found of a lead that may be given out.
struct Offered {
    /// What the ledger keeps of why it may be.
    why_fit: BTreeMap<String, String>,
    /// Which of its numbers may be dialled, if a cap counts for it.
    dialable: Option<Vec<Number>>,
}

/// Whether a lead may be given out. What is found to be over on the way is closed, and what is at its
/// caps waits.
fn offer(
    slate: &mut Slate,
    candidate: &Candidate,
    grant: &Grant,
    now: i64,
) -> Result<Offered, Turned> {
    let lead = candidate.lead;
    let row = slate.row(lead).ok_or(Turned::Unknown)?;
    if row.lease.as_ref().is_some_and(|lease| !lease.holds_at(now)) {
        expire(slate, lead, now);
    }
    let row = slate.known(lead);
    let is_ended = row.ended_route(now).is_some();
    if matches!(row.state.standing, Standing::Closed { .. })
        && row.state.standing.due_at().is_some_and(|due_at| due_at <= now)
        && !is_ended
    {
        let told = slate.step(lead, Command::Wake, now, |event| event.by(NEXTLEAD));
        told.expect("a nurture whose date has come wakes");
    }
    if let Some(hindrance) = hindrance::first(slate, slate.known(lead), now) {
        return Err(turn_down(slate, lead, &hindrance, now));
    }
    let row = slate.known(lead);
    let why_fit = match &grant.fit {
        None => BTreeMap::new(),
        Some(Fit(fits)) => {
            fits(&row.lead, &row.state, candidate.order, now).ok_or(Turned::Unfit)?
        }
    };
    let dialable = match &grant.caps {
        None => None,
        Some(caps) => slate.dialable(lead, caps, now)?,
    };
    Ok(Offered { why_fit, dialable })
}

/// What becomes of a lead that may not be given out: one that is over is closed.
fn turn_down(slate: &mut Slate, lead: LeadId, hindrance: &Hindrance, now: i64) -> Turned {
    match hindrance {
        Hindrance::Waiting { .. } | Hindrance::Capped(_) => Turned::NotDue,
        Hindrance::Leased { .. } => Turned::Leased,
        Hindrance::Closed { .. } | Hindrance::Erased => Turned::Closed,
        Hindrance::Suppressed => {
            close(slate, lead, CloseReason::Suppressed, Route::Suppressed, now);
            Turned::Suppressed
        }
        Hindrance::CampaignEnded => {
            let route = slate.known(lead).ended_route(now);
            let route = route.expect("a campaign that ended has a route");
            close(slate, lead, CloseReason::CampaignEnded, route, now);
            Turned::CampaignEnded
        }
        Hindrance::Paused => Turned::Paused(slate.known(lead).state.campaign),
        Hindrance::NoNumber => Turned::NoNumber,
        Hindrance::NumberHeld { .. } => Turned::NumberHeld,
    }
}

/// Ends a lease whose grace is over: the rep is not offered the lead for a while.
pub(super) fn expire(slate: &mut Slate, lead: LeadId, now: i64) -> Pass {
    slate.doubt(lead);
    let lease = slate.take_back(lead);
    let end = Command::EndLease { kind: EventKind::Expired };
    let told = slate.step(lead, end, now, |event| event.by(NEXTLEAD).with("rep", lease.rep.0));
    told.expect("a lead with a lease is leased");
    slate.expired(&lease, now);
    // The pass counts from the end of the lease, not from the sweep that noticed it.
    let pass = Pass { rep: lease.rep, lead, until: lease.expires_at.saturating_add(PASS_MS) };
    slate.pass(pass);
    pass
}

/// Closes a lead that nobody holds.
pub(super) fn close(slate: &mut Slate, lead: LeadId, why: CloseReason, route: Route, now: i64) {
    let closed = slate.step(lead, Command::Close { why, route }, now, |event| event.by(NEXTLEAD));
    closed.expect("an open lead without a lease closes");
}

fn give(
    slate: &mut Slate,
    grant: &Grant,
    (candidate, offered): (&Candidate, Offered),
    rep: RepKey,
    now: i64,
) -> Granted {
    let expires_at = now.saturating_add(grant.lease_ms);
    let renewable_until = now.saturating_add(grant.lease_total_ms).max(expires_at);
    let lease = Lease {
        lead: candidate.lead,
        queue: slate.known(candidate.lead).state.queue,
        rep,
        is_rep_free: false,
        token: grant.token,
        order: candidate.order,
        rule_version: grant.rule_version,
        points: candidate.points,
        granted_at: now,
        expires_at,
        held_until: expires_at.saturating_add(grant.grace_ms),
        renewable_until,
        dialable: offered.dialable,
    };
    let told = slate.step(candidate.lead, Command::Lease, now, |mut event| {
        event.detail.clone_from(&candidate.detail);
        event.detail.extend(offered.why_fit);
        event.rule_version = Some(grant.rule_version);
        event.by(&grant.actor).with("order", candidate.order.code()).with("rep", rep.0)
    });
    told.expect("a lead that was found servable can be leased");
    slate.tally(&lease, ServeTally::Served);
    slate.give(lease.clone());
    Granted { lease, record: slate.record(candidate.lead) }
}

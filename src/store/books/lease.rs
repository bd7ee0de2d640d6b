//! Renewals and releases of a lease.

use super::grant::{replayed, standing_lease};
use super::suppress::{close_suppressed, forbid};
use super::{Slate, StoredAnswer};
use crate::domain::moves::Command;
use crate::domain::{EventKind, Lease, LeaseToken, PASS_MS};
use crate::store::changes::{EndedLease, Fit, Pass, Release, ReleaseCause, Renew, RenewOutcome};
use crate::store::error::Denied;

/// Decides a renewal: the lease must stand, its grace is not enough. If no call is under way, its lead is
/// looked at again, and the lease ends if it may not be dialled any more.
pub(super) fn renew(slate: &mut Slate, renew: &Renew) -> Result<RenewOutcome, Denied> {
    match replayed(slate, renew.request.as_ref())? {
        None => {}
        Some(StoredAnswer::Lease { lead, token }) => {
            let token = LeaseToken::from_text(&token).ok_or(Denied::LeaseLost)?;
            let granted = standing_lease(slate, lead, token, renew.now).ok_or(Denied::LeaseLost)?;
            return Ok(RenewOutcome::Renewed(granted.lease));
        }
        Some(StoredAnswer::Released { lead, rep, until }) if slate.row(lead).is_some() => {
            let ended = EndedLease { pass: Pass { rep, lead, until } };
            return Ok(RenewOutcome::Forbidden { ended, record: Box::new(slate.record(lead)) });
        }
        Some(_) => return Err(Denied::RequestReused),
    }
    let granted = standing_lease(slate, renew.lead, renew.token, renew.now);
    let granted = granted.filter(|granted| granted.lease.rep == renew.rep);
    let lease = granted.ok_or(Denied::LeaseLost)?.lease;
    if renew.fit.as_ref().is_some_and(|fit| !may_stay(slate, &lease, fit, renew.now)) {
        return Ok(forbidden(slate, renew));
    }
    let lease = lease.renewed(renew.now, renew.lease_ms);
    slate.renew(lease.clone());
    slate.answer(renew.request.as_ref(), StoredAnswer::lease(lease.lead, lease.token), renew.now);
    Ok(RenewOutcome::Renewed(lease))
}

/// Whether a leased lead may still be dialled.
fn may_stay(slate: &Slate, lease: &Lease, Fit(fits): &Fit, now: i64) -> bool {
    let row = slate.known(lease.lead);
    let facts = &row.lead.facts;
    facts.callable_numbers().next().is_some()
        && !slate.is_suppressed(facts, now)
        && fits(&row.lead, &row.state, lease.order, now).is_some()
}

/// Ends a lease whose lead may not be dialled any more.
fn forbidden(slate: &mut Slate, renew: &Renew) -> RenewOutcome {
    let lead = renew.lead;
    if slate.is_suppressed(&slate.known(lead).lead.facts, renew.now) {
        close_suppressed(slate, lead, &renew.actor, renew.now);
    } else {
        forbid(slate, lead, &renew.actor, renew.now);
    }
    let until = renew.now.saturating_add(PASS_MS);
    let pass = Pass { rep: renew.rep, lead, until };
    slate.pass(pass);
    let answer = StoredAnswer::Released { lead, rep: renew.rep, until };
    slate.answer(renew.request.as_ref(), answer, renew.now);
    RenewOutcome::Forbidden { ended: EndedLease { pass }, record: Box::new(slate.record(lead)) }
}

/// Decides a release: the lease must hold, so one within the grace still counts.
pub(super) fn release(slate: &mut Slate, release: &Release) -> Result<EndedLease, Denied> {
    if let Some(answer) = replayed(slate, release.request.as_ref())? {
        return match answer {
            StoredAnswer::Released { lead, rep, until } => {
                Ok(EndedLease { pass: Pass { rep, lead, until } })
            }
            _ => Err(Denied::RequestReused),
        };
    }
    let row = slate.row(release.lead).ok_or(Denied::LeaseLost)?;
    let holds = row.lease.as_ref().is_some_and(|lease| {
        lease.token == release.token && lease.rep == release.rep && lease.holds_at(release.now)
    });
    if !holds {
        return Err(Denied::LeaseLost);
    }
    if let ReleaseCause::Skip { per_hour_max: Some(count_max), .. } = release.cause {
        slate.check_skips(release.rep, count_max, release.now)?;
    }
    if release.cause == ReleaseCause::Forbidden {
        // The rep did not say that they did not call.
        slate.doubt(release.lead);
    }
    let lease = slate.take_back(release.lead);
    slate.tally(&lease, release.cause.tally());
    let end = Command::EndLease { kind: EventKind::Released };
    let told = slate.step(release.lead, end, release.now, |event| {
        let event = event.by(&release.actor).with("reason", release.cause.reason().code());
        let event = event.with("rep", release.rep.0);
        match release.cause {
            ReleaseCause::Skip { reason, .. } => event.with("skip_reason", reason.code()),
            _ => event,
        }
    });
    told.expect("a lead with a lease is leased");
    if matches!(release.cause, ReleaseCause::Skip { .. }) {
        slate.skip(&lease, release.now);
    }
    let until = release.now.saturating_add(PASS_MS);
    let pass = Pass { rep: release.rep, lead: release.lead, until };
    slate.pass(pass);
    let answer = StoredAnswer::Released { lead: release.lead, rep: release.rep, until };
    slate.answer(release.request.as_ref(), answer, release.now);
    Ok(EndedLease { pass })
}

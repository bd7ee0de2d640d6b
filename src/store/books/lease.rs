//! Renewals and releases of a lease.

use super::grant::{replayed, standing_lease};
use super::{Slate, StoredAnswer};
use crate::domain::moves::Command;
use crate::domain::{EventKind, Lease, LeaseToken, PASS_MS, ReleaseReason};
use crate::store::changes::{EndedLease, Pass, Release, Renew};
use crate::store::error::Denied;

/// Decides a renewal: the lease must stand, its grace is not enough.
pub(super) fn renew(slate: &mut Slate, renew: &Renew) -> Result<Lease, Denied> {
    if let Some(answer) = replayed(slate, renew.request.as_ref())? {
        let StoredAnswer::Lease { lead, token } = answer else { return Err(Denied::RequestReused) };
        let token = LeaseToken::from_text(&token).ok_or(Denied::LeaseLost)?;
        let granted = standing_lease(slate, lead, token, renew.now).ok_or(Denied::LeaseLost)?;
        return Ok(granted.lease);
    }
    let granted = standing_lease(slate, renew.lead, renew.token, renew.now);
    let granted = granted.filter(|granted| granted.lease.rep == renew.rep);
    let lease = granted.ok_or(Denied::LeaseLost)?.lease.renewed(renew.now, renew.lease_ms);
    slate.renew(lease.clone());
    slate.answer(renew.request.as_ref(), StoredAnswer::lease(lease.lead, lease.token), renew.now);
    Ok(lease)
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
    if release.reason == ReleaseReason::Forbidden {
        // The rep did not say that they did not call.
        slate.doubt(release.lead);
    }
    slate.take_back(release.lead);
    let end = Command::EndLease { kind: EventKind::Released };
    let told = slate.step(release.lead, end, release.now, |event| {
        event.by(&release.actor).with("reason", release.reason.code()).with("rep", release.rep.0)
    });
    told.expect("a lead with a lease is leased");
    let until = release.now.saturating_add(PASS_MS);
    let pass = Pass { rep: release.rep, lead: release.lead, until };
    slate.pass(pass);
    let answer = StoredAnswer::Released { lead: release.lead, rep: release.rep, until };
    slate.answer(release.request.as_ref(), answer, release.now);
    Ok(EndedLease { pass })
}

//! Renewals and releases of a lease.

use super::grant::{replayed, standing_lease};
use super::{Slate, StoredAnswer};
use crate::domain::moves::Command;
use crate::domain::{EventKind, Lease, LeaseToken, PASS_MS};
use crate::store::changes::{EndedLease, Pass, Release, ReleaseCause, Renew};
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
    if let ReleaseCause::Skip { per_hour_max: Some(count_max), .. } = release.cause {
        slate.check_skips(release.rep, count_max, release.now)?;
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

//! What time alone changes, one bounded pass at a time.

use std::collections::BTreeSet;

use super::grant::{close, expire};
use super::{NEXTLEAD, Slate};
use crate::domain::moves::Command;
use crate::domain::{CloseReason, LeadId, Standing};
use crate::store::changes::Swept;

/// What a sweep has found to do; the leads are on the slate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Leases whose grace is over.
    pub(crate) expired: Vec<LeadId>,
    /// Leases that expired, so their reps are free.
    pub(crate) freed: Vec<LeadId>,
    /// Waits and nurtures whose date has come.
    pub(crate) due: Vec<LeadId>,
    /// Open leads of campaigns that ended.
    pub(crate) ended: Vec<LeadId>,
    /// Some kind had more.
    pub(crate) is_unfinished: bool,
    /// At most so many old requests, passes and skips are forgotten.
    pub(crate) limit: usize,
}

/// Decides a sweep.
pub(super) fn sweep(slate: &mut Slate, now: i64) -> Swept {
    let found = std::mem::take(&mut slate.found);
    let mut swept = Swept { is_unfinished: found.is_unfinished, ..Swept::default() };
    for lead in &found.expired {
        let lease = slate.known(*lead).lease.as_ref().expect("an expired lease is there");
        swept.freed_count += usize::from(!lease.is_rep_free);
        swept.expired.push(expire(slate, *lead, now));
    }
    for lead in &found.freed {
        slate.free_rep(*lead);
        swept.freed_count += 1;
    }
    // A lead that is in the hands of nobody any more closes with its campaign at once.
    let ended: BTreeSet<LeadId> = found.ended.iter().chain(&found.expired).copied().collect();
    for lead in ended {
        let row = slate.known(lead);
        let is_free = row.state.standing.is_open() && row.state.standing != Standing::Leased;
        if let Some(route) = row.ended_route(now).filter(|_| is_free) {
            close(slate, lead, CloseReason::CampaignEnded, route, now);
            swept.ended_count += 1;
        }
    }
    for lead in found.due {
        let row = slate.known(lead);
        if row.state.standing.due_at().is_none_or(|due_at| due_at > now) {
            continue;
        }
        if !row.state.standing.is_open() && row.ended_route(now).is_some() {
            slate.park(lead);
            continue;
        }
        let woken = slate.step(lead, Command::Wake, now, |event| event.by(NEXTLEAD));
        woken.expect("what is due wakes");
        swept.woken_count += 1;
    }
    slate.forget = Some((now, found.limit));
    swept
}

//! For whom a lead is kept: the rep who promised to call again, or the one to whom it belongs. Everything
//! that keeps it ends at an instant or with a change of the rep, and then anyone gets it: no lead waits
//! for somebody who does not come.

use std::sync::Arc;

use super::id::RepKey;
use super::queue::{OwnLeads, Rep};
use super::standing::LeadState;

/// A lead is offered to one rep alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// To whom.
    pub rep: RepKey,
    /// Until when: from this instant on anyone gets it. `None`: until the lead or the rep changes.
    pub until: Option<i64>,
}

impl Kept {
    /// Whether it is kept from another rep at `now`.
    pub fn is_kept_from(&self, rep: RepKey, now: i64) -> bool {
        self.rep != rep && self.until.is_none_or(|until| now < until)
    }
}

/// For whom a lead is kept, from `now` on; `None`: anyone gets it.
///
/// A callback is kept for who promised it, else for the lead's owner, until `callback_grace_ms` after
/// its instant, if that rep is on duty at its instant. Any other lead is kept for its owner while they
/// are active, in the lead's queue and not gone, but not through an absence of more than
/// `owner_absence_ms_max`; and one that was never touched no longer than the owner is on duty before
/// its first-touch deadline.
pub fn kept_for(
    state: &LeadState,
    settings: &OwnLeads,
    rep: impl Fn(RepKey) -> Option<Arc<Rep>>,
    now: i64,
) -> Option<Kept> {
    let of_queue = |key: RepKey| rep(key).filter(|one| one.is_active && one.queue == state.queue);
    if let Some(callback) = state.callback {
        let rep = of_queue(callback.to.or(state.owner)?)?;
        let until = callback.at.saturating_add(settings.callback_grace_ms);
        let until = until.min(rep.work.ends_at.unwrap_or(until));
        return (rep.is_on_duty(callback.at) && now < until)
            .then_some(Kept { rep: rep.key, until: Some(until) });
    }
    let rep = of_queue(state.owner?)?;
    if rep.work.has_ended(now) {
        return None;
    }
    let absences = rep.work.absences.iter();
    let mut long = absences.filter(|one| one.to - one.from > settings.owner_absence_ms_max);
    let is_away = long.clone().any(|absence| absence.covers(now));
    let leaves_at = long.find(|absence| absence.from > now).map(|absence| absence.from);
    let deadline = state.first_touch_due_at.filter(|_| state.first_touched_at.is_none());
    let touch_by = match deadline {
        None => None,
        Some(due_at) => Some(rep.work.at_work_until(now, due_at)?),
    };
    let until = [leaves_at, rep.work.ends_at, touch_by].into_iter().flatten().min();
    (!is_away).then_some(Kept { rep: rep.key, until })
}

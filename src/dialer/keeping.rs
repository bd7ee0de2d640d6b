//! Leads that are kept for one rep: whom the index keeps a lead for, and putting those of a rep anew when
//! something about the rep has changed.
//!
//! The index is told until when a lead is kept, so most of what time does needs nobody. What it cannot
//! know is a change of the rep (or of the queue's settings), and that a long absence is over: then the
//! rep's own leads are put anew, in slices, at once by the node that changed the rep, and by every other
//! node when it learns of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{Facts, LeadId, LeadState, QueueKey, Rep, RepKey, kept_for};
use crate::queue::Keeper;
use crate::store::LeadRecord;

use super::follower::Follower;
use super::{Dialer, DialerError};

/// How many leads are put anew at a time.
const SLICE_COUNT: usize = 500;

/// How far the leads of a rep were put anew.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// What they promised to call is done; what they own is left.
    is_promised_done: bool,
    after: LeadId,
}

/// Reps as they were when their leads were put last, and those whose leads are to be put anew.
#[derive(Debug, Default)]
pub(super) struct Keeping(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seen: HashMap<RepKey, Arc<Rep>>,
    left: BTreeMap<RepKey, Place>,
    /// Their leads were put while another index of theirs was on its way, which may not have them so.
    again: BTreeSet<RepKey>,
    /// Up to when it was looked for absences and ends.
    looked_at: i64,
}

impl Keeping {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes reps whose leads are put as these are.
    pub(super) fn begin(&self, reps: impl Iterator<Item = Arc<Rep>>, now: i64) {
        let mut state = self.lock();
        state.looked_at = now;
        state.seen = reps.map(|rep| (rep.key, rep)).collect();
    }

    /// Notes that the leads of a rep are to be put anew.
    fn add(&self, rep: RepKey) {
        self.lock().left.insert(rep, Place::default());
    }

    /// Notes reps that differ from what was seen, or whose long absence or time here has ended since.
    /// Answers those who have come to their end.
    fn look(
        &self,
        reps: impl Iterator<Item = Arc<Rep>>,
        absence_ms_max: impl Fn(QueueKey) -> i64,
        now: i64,
    ) -> Vec<Arc<Rep>> {
        let mut state = self.lock();
        let since = std::mem::replace(&mut state.looked_at, now);
        let is_past = |at: i64| since < at && at <= now;
        let mut ended = Vec::new();
        for rep in reps {
            let seen = state.seen.get(&rep.key);
            let is_same =
                seen.is_some_and(|seen| Arc::ptr_eq(seen, &rep) || is_same_keeper(seen, &rep));
            let is_back = rep.work.absences.iter().any(|absence| {
                is_past(absence.to) && absence.to - absence.from > absence_ms_max(rep.queue)
            });
            if rep.work.ends_at.is_some_and(is_past) {
                ended.push(rep.clone());
            }
            if !is_same || is_back {
                state.left.insert(rep.key, Place::default());
            }
            state.seen.insert(rep.key, rep);
        }
        ended
    }
}

/// Whether leads are kept for a rep as they were before.
fn is_same_keeper(before: &Rep, after: &Rep) -> bool {
    let is_same_place = (before.queue, before.is_active) == (after.queue, after.is_active);
    is_same_place && before.work == after.work && before.skills == after.skills
}

impl Follower {
    /// For whom a lead is kept, from `now` on: not for who lacks a skill that it needs, as it would wait
    /// for them for ever.
    pub(super) fn keeper_of_lead(
        &self,
        state: &LeadState,
        facts: &Facts,
        now: i64,
    ) -> Option<Keeper> {
        let keeper = self.keeper_of(state, now)?;
        let skills = self.roster.rep_by_key(keeper.rep)?.skills;
        let campaign = self.roster.campaign_by_key(state.campaign);
        let is_able = facts.skills.iter().all(|skill| skills.contains(skill))
            && campaign.is_none_or(|campaign| campaign.skills.is_subset(&skills));
        is_able.then_some(keeper)
    }

    /// For whom a lead would be kept, from `now` on, whatever it needs.
    pub(super) fn keeper_of(&self, state: &LeadState, now: i64) -> Option<Keeper> {
        if state.callback.is_none() && state.owner.is_none() {
            return None;
        }
        let queue = self.roster.queue_by_key(state.queue)?;
        let rep = |key| self.roster.rep_by_key(key).map(|entry| entry.rep);
        let kept = kept_for(state, &queue.settings.own, rep, now)?;
        Some(Keeper { rep: kept.rep, until: kept.until })
    }

    /// The rep to whom a lead belongs.
    pub(super) fn owner_of(&self, record: &LeadRecord) -> Option<Arc<Rep>> {
        self.roster.rep_by_key(record.state.owner?).map(|entry| entry.rep)
    }
}

impl Dialer {
    /// Puts the leads of a rep who changed anew, all of them before it returns.
    pub(super) async fn put_own_leads_anew(&self, rep: &Arc<Rep>) -> Result<(), DialerError> {
        let keeping = &self.parts.keeping;
        let before = keeping.lock().seen.insert(rep.key, rep.clone());
        if before.is_some_and(|before| is_same_keeper(&before, rep)) {
            return Ok(());
        }
        keeping.add(rep.key);
        while self.put_slice_anew(rep.key).await? {}
        Ok(())
    }

    /// Has the own leads of a queue's reps put anew by the next sweeps.
    pub(super) fn keep_anew(&self, queue: QueueKey) {
        let reps = self.roster().reps();
        let of_queue = reps.iter().filter(|entry| entry.rep.queue == queue);
        of_queue.for_each(|entry| self.parts.keeping.add(entry.rep.key));
    }

    /// One bounded pass: looks for reps who changed, came back or left, and puts about `limit` of their
    /// leads anew. Returns whether there is more to put.
    pub(super) async fn tend_own_leads(&self, now: i64, limit: usize) -> Result<bool, DialerError> {
        let absence_ms_max = |queue| {
            let queue = self.roster().queue_by_key(queue);
            queue.map_or(i64::MAX, |queue| queue.settings.own.owner_absence_ms_max)
        };
        let reps = self.roster().reps_unsorted();
        let ended = self.parts.keeping.look(reps.into_iter(), absence_ms_max, now);
        for rep in ended {
            self.give_back(&rep).await?;
        }
        self.take_up_again().await;
        for _ in 0..limit.div_ceil(SLICE_COUNT) {
            let next = self.parts.keeping.lock().left.keys().next().copied();
            let Some(rep) = next else { return Ok(false) };
            self.put_slice_anew(rep).await?;
        }
        Ok(!self.parts.keeping.lock().left.is_empty())
    }

    /// Puts a slice of a rep's own leads anew. Returns whether there is more.
    async fn put_slice_anew(&self, rep: RepKey) -> Result<bool, DialerError> {
        let place = self.parts.keeping.lock().left.get(&rep).copied();
        let Some(place) = place else { return Ok(false) };
        let is_promised = !place.is_promised_done;
        let store = &self.parts.store;
        let leads = store.own_leads(rep, is_promised, place.after, SLICE_COUNT).await?;
        let last = leads.last().map(|(lead, ..)| *lead).filter(|_| leads.len() == SLICE_COUNT);
        let mut by_queue: BTreeMap<QueueKey, Vec<(LeadId, i64)>> = BTreeMap::new();
        for (lead, queue, seq) in leads {
            by_queue.entry(queue).or_default().push((lead, seq));
        }
        let mut is_staged = false;
        for (queue, leads) in by_queue {
            is_staged |= !matches!(self.queue_index().staged(queue).await, Ok(None));
            self.parts.follower.settle(queue, &leads).await?;
            self.parts.follower.ring(queue);
        }
        let mut state = self.parts.keeping.lock();
        if is_staged {
            state.again.insert(rep);
        }
        let next = match last {
            Some(after) => Some(Place { after, ..place }),
            None if is_promised => Some(Place { is_promised_done: true, after: LeadId(0) }),
            None => None,
        };
        match next {
            Some(next) => drop(state.left.insert(rep, next)),
            None => drop(state.left.remove(&rep)),
        }
        Ok(next.is_some())
    }

    /// Has those put once more whose leads were put while another index was on its way, which is in use or
    /// gone by now.
    async fn take_up_again(&self) {
        if self.parts.keeping.lock().again.is_empty() {
            return;
        }
        for queue in self.roster().queues() {
            if !matches!(self.queue_index().staged(queue.key).await, Ok(None)) {
                return;
            }
        }
        let mut state = self.parts.keeping.lock();
        for rep in std::mem::take(&mut state.again) {
            state.left.entry(rep).or_default();
        }
    }
}

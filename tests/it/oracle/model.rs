//! Who must be served, found by going through every lead, and what each thing that happens does to them.

use nextlead::api::proto;
use proto::{Disposition, ServeOrder};

use super::*;

impl Model {
    pub(super) fn has_ended(&self, lead: &Lead, now: i64) -> bool {
        lead.campaign == 1 && self.ended_at.is_some_and(|at| at <= now)
    }

    /// Who must be served to a rep, going through every lead.
    pub(super) fn predict(&self, rep: usize, now: i64) -> Option<(usize, ServeOrder)> {
        self.predict_among(rep, false, now).or_else(|| self.predict_among(rep, true, now))
    }

    pub(super) fn has_passed(&self, rep: usize, nth: usize, now: i64) -> bool {
        self.passes.get(&(rep, nth)).is_some_and(|until| now < *until)
    }

    /// For whom a lead is kept.
    fn kept_for(&self, lead: &Lead, now: i64) -> Option<usize> {
        let (rep, is_kept) = match lead.callback {
            Some((at, to)) => (to.or(lead.owner), now < at + CALLBACK_GRACE_MS),
            None => (lead.owner, lead.is_touched || now < lead.handed_over_at + WITHIN_MS),
        };
        // Nobody waits for who cannot take it.
        let is_able = |rep: &usize| !lead.is_dutch || REPS[*rep].1;
        rep.filter(|rep| is_kept && is_able(rep) && !self.inactive.contains(rep))
    }

    fn is_kept_from(&self, rep: usize, lead: &Lead, now: i64) -> bool {
        self.kept_for(lead, now).is_some_and(|keeper| keeper != rep)
    }

    /// Whether another rep could take a lead.
    pub(super) fn is_for_others(&self, rep: usize, nth: usize, now: i64) -> bool {
        let could = |other: usize| {
            let has_skills = !self.leads[nth].is_dutch || REPS[other].1;
            let is_there = other != rep && !self.inactive.contains(&other);
            let may = has_skills && !self.has_passed(other, nth, now);
            is_there && may && !self.is_kept_from(other, &self.leads[nth], now)
        };
        (0..REPS.len()).any(could)
    }

    /// The same, with what the rep passed and nobody else could take, or without.
    pub(super) fn predict_among(
        &self,
        rep: usize,
        with_passed: bool,
        now: i64,
    ) -> Option<(usize, ServeOrder)> {
        let may = |(nth, lead): &(usize, &Lead)| {
            let is_due = match lead.stands {
                Stands::Ready => true,
                Stands::Waiting(until) => until <= now,
                _ => false,
            };
            let is_passed = self.has_passed(rep, *nth, now)
                && (!with_passed || self.is_for_others(rep, *nth, now));
            let has_skills = !lead.is_dutch || REPS[rep].1;
            let is_over = self.has_ended(lead, now) || self.is_kept_from(rep, lead, now);
            is_due && has_skills && !is_passed && !is_over && is_open(lead.zone, now)
        };
        let best = |is_callback: bool| {
            let leads = self.leads.iter().enumerate().filter(may);
            let leads = leads.filter(move |(_, lead)| lead.callback.is_some() == is_callback);
            // One's own callbacks come before those of anyone.
            let is_others = |lead: &Lead| is_callback && self.kept_for(lead, now) != Some(rep);
            leads.min_by_key(|(_, lead)| {
                (is_others(lead), lead.virtual_since(self.rules, now), lead.id)
            })
        };
        if let Some((nth, _)) = best(true) {
            return Some((nth, ServeOrder::Callback));
        }
        if self.debt(rep) >= RESERVE_AFTER {
            let leads = self.leads.iter().enumerate().filter(may);
            let untouched = leads.filter(|(_, lead)| !lead.is_touched && lead.callback.is_none());
            let first = untouched.min_by_key(|(_, lead)| {
                (lead.times_released, lead.handed_over_at + WITHIN_MS, lead.id)
            });
            if let Some((nth, _)) = first {
                return Some((nth, ServeOrder::FirstTouch));
            }
        }
        best(false).map(|(nth, _)| (nth, ServeOrder::Ordinary))
    }

    pub(super) fn debt(&self, rep: usize) -> u32 {
        self.debts.get(&rep).copied().unwrap_or(RESERVE_AFTER)
    }

    /// A lead went to a rep.
    pub(super) fn serve(&mut self, rep: usize, nth: usize, served: proto::ServedLead, now: i64) {
        let debt = self.debt(rep);
        match served.why.as_ref().unwrap().order() {
            ServeOrder::FirstTouch => drop(self.debts.insert(rep, debt - RESERVE_AFTER)),
            ServeOrder::Ordinary => {
                self.debts.insert(rep, (debt + 1).min(2 * RESERVE_AFTER));
            }
            _ => {}
        }
        let lead = &mut self.leads[nth];
        if let Stands::Waiting(until) = lead.stands {
            lead.ready_since = until;
        }
        lead.stands = Stands::Leased;
        let expires_at = now + LEASE_MS;
        self.holds.push((rep, Hold { lead: nth, served, expires_at, is_rep_free: false }));
    }

    /// The lead in a rep's hands.
    pub(super) fn held(&self, rep: usize) -> Option<&Hold> {
        let mine = |(holder, hold): &&(usize, Hold)| *holder == rep && !hold.is_rep_free;
        self.holds.iter().find(mine).map(|(_, hold)| hold)
    }

    pub(super) fn take_hold(&mut self, rep: usize) -> Hold {
        let mine = |(holder, hold): &(usize, Hold)| *holder == rep && !hold.is_rep_free;
        let place = self.holds.iter().position(mine).unwrap();
        self.holds.swap_remove(place).1
    }

    /// A lead came back without a touch.
    pub(super) fn come_back(&mut self, rep: usize, nth: usize, passed_until: i64) {
        let lead = &mut self.leads[nth];
        lead.stands = Stands::Ready;
        lead.times_released += i32::from(!lead.is_touched);
        let until = self.passes.entry((rep, nth)).or_insert(passed_until);
        *until = passed_until.max(*until);
    }

    pub(super) fn touch(
        &mut self,
        (rep, nth): (usize, usize),
        disposition: Disposition,
        callback_at: i64,
        now: i64,
    ) {
        let lead = &mut self.leads[nth];
        lead.attempts += 1;
        lead.is_touched = true;
        lead.callback = match disposition {
            Disposition::CallbackAny => Some((callback_at, None)),
            Disposition::CallbackOwn => Some((callback_at, Some(rep))),
            _ => None,
        };
        lead.stands = match (disposition, lead.attempts) {
            (Disposition::CallbackAny | Disposition::CallbackOwn, _) => {
                Stands::Waiting(callback_at)
            }
            (Disposition::NoAnswer | Disposition::Busy, 1) => Stands::Waiting(now + 5 * MINUTE_MS),
            (Disposition::NoAnswer | Disposition::Busy, 2) => Stands::Waiting(now + 20 * MINUTE_MS),
            (Disposition::NoAnswer | Disposition::Busy, _) => Stands::Nurture(now + NURTURE_MS),
            _ => Stands::Closed,
        };
    }

    /// What time alone does.
    pub(super) fn pass_time(&mut self, now: i64) {
        let mut over = Vec::new();
        self.holds.retain_mut(|(rep, hold)| {
            hold.is_rep_free |= hold.expires_at <= now;
            let is_over = hold.expires_at + GRACE_MS <= now;
            if is_over {
                over.push((*rep, hold.lead, hold.expires_at + PASS_MS));
            }
            !is_over
        });
        for (rep, lead, until) in over {
            self.come_back(rep, lead, until);
        }
        for nth in 0..self.leads.len() {
            let has_ended = self.has_ended(&self.leads[nth], now);
            let lead = &mut self.leads[nth];
            match lead.stands {
                Stands::Leased | Stands::Closed => {}
                _ if has_ended => lead.stands = Stands::Closed,
                Stands::Nurture(until) if until <= now => {
                    (lead.attempts, lead.callback) = (0, None);
                    (lead.stands, lead.ready_since) = (Stands::Ready, until);
                }
                Stands::Waiting(until) if until <= now => {
                    (lead.stands, lead.ready_since) = (Stands::Ready, until);
                }
                Stands::Ready | Stands::Waiting(_) | Stands::Nurture(_) => {}
            }
        }
    }
}

//! Who must be served: found by going through every lead.

use nextlead::api::proto::ServeOrder;

use super::documents::FRESH_MS;
use super::leads::{Lead, Stands, Why};
use super::model::Model;
use crate::support::{HOUR_MS, MINUTE_MS};

impl Model {
    /// For whom a lead is kept.
    pub(super) fn kept_for(&self, lead: &Lead) -> Option<usize> {
        // Nobody waits for who cannot take it.
        self.keeper_of(lead).filter(|rep| self.has_skills(*rep, lead))
    }

    fn keeper_of(&self, lead: &Lead) -> Option<usize> {
        let (now, queue) = (self.now, &self.queues[lead.queue]);
        if let Some((at, promised_by)) = lead.callback {
            let nth = promised_by.or(lead.owner)?;
            let rep = &self.reps[nth];
            let works_there = rep.is_active && rep.queue == lead.queue;
            let is_there = works_there && rep.is_at_work(at) && !rep.has_ended(now);
            return (is_there && now < at + queue.callback_grace_ms).then_some(nth);
        }
        let nth = lead.owner?;
        let rep = &self.reps[nth];
        let is_gone = !rep.is_active || rep.queue != lead.queue || rep.has_ended(now);
        if is_gone || rep.is_long_away(queue.owner_absence_ms_max, now) {
            return None;
        }
        let is_in_time =
            lead.first_touched_at.is_some() || rep.works_between(now, lead.promised_at);
        is_in_time.then_some(nth)
    }

    fn is_kept_from(&self, rep: usize, lead: &Lead) -> bool {
        self.kept_for(lead).is_some_and(|keeper| keeper != rep)
    }

    fn has_skills(&self, rep: usize, lead: &Lead) -> bool {
        self.reps[rep].is_dutch || !self.needs_dutch(lead)
    }

    fn has_passed(&self, rep: usize, nth: usize) -> bool {
        self.passes.get(&(rep, nth)).is_some_and(|until| self.now < *until)
    }

    /// What a rep is not to be offered now.
    pub(super) fn passed_by(&self, rep: usize) -> Vec<usize> {
        (0..self.leads.len()).filter(|nth| self.has_passed(rep, *nth)).collect()
    }

    /// Whether another rep is there who could take a lead.
    fn is_for_others(&self, rep: usize, nth: usize) -> bool {
        let lead = &self.leads[nth];
        (0..self.reps.len()).any(|other| {
            let one = &self.reps[other];
            let is_there = one.queue == lead.queue && one.is_active && one.is_at_work(self.now);
            let may = self.has_skills(other, lead) && !self.is_kept_from(other, lead);
            other != rep && is_there && may && !self.has_passed(other, nth)
        })
    }

    /// Since when a lead has waited, head start included.
    fn virtual_since(&self, lead: &Lead) -> i64 {
        let rules = &self.queues[lead.queue].rules;
        let is_fresh = lead.is_web && self.now < lead.handed_over_at + FRESH_MS;
        let points = i64::from(lead.is_demo) * rules.demo
            + lead.score.unwrap_or(0) * rules.per_score
            + i64::from(lead.attempts) * rules.per_attempt
            + i64::from(is_fresh) * rules.fresh;
        let since = match lead.stands {
            Stands::Waiting { why: Why::Cap, .. } => lead.ready_since,
            Stands::Waiting { until, .. } => until,
            _ => lead.ready_since,
        };
        since - points * MINUTE_MS
    }

    /// Whether a lead stands in line for a rep now, numbers and caps aside.
    fn is_in_line(&self, rep: usize, nth: usize) -> bool {
        let lead = &self.leads[nth];
        lead.queue == self.reps[rep].queue
            && lead.stands.is_servable(self.now)
            && !lead.callable().is_empty()
            && self.has_skills(rep, lead)
            && !self.campaigns[lead.campaign].is_paused
            && !self.has_ended(lead)
            && !self.is_kept_from(rep, lead)
            && self.queues[lead.queue].may_offer(lead, self.now)
    }

    /// The first in line for a rep, of all but those.
    pub(super) fn first(&self, rep: usize, aside: &[usize]) -> Option<(usize, ServeOrder)> {
        let in_line: Vec<usize> = (0..self.leads.len())
            .filter(|nth| !aside.contains(nth) && self.is_in_line(rep, *nth))
            .collect();
        let rank = |nth: &usize| (self.virtual_since(&self.leads[*nth]), self.leads[*nth].id);
        let is_callback = |nth: &&usize| self.leads[**nth].callback.is_some();
        // One's own callbacks come before those of anyone.
        let callbacks = in_line.iter().filter(is_callback);
        let own_first = |nth: &&usize| (self.kept_for(&self.leads[**nth]) != Some(rep), rank(nth));
        if let Some(nth) = callbacks.min_by_key(own_first) {
            return Some((*nth, ServeOrder::Callback));
        }
        let queue = &self.queues[self.reps[rep].queue];
        let after = queue.rules.reserve_after;
        if self.debts.get(&rep).is_none_or(|debt| *debt >= after) {
            let untouched = in_line.iter().filter(|nth| self.is_untouched(**nth));
            let first = untouched.min_by_key(|nth| {
                let lead = &self.leads[**nth];
                (lead.times_released, lead.promised_at, lead.id)
            });
            if let Some(nth) = first {
                return Some((*nth, ServeOrder::FirstTouch));
            }
        }
        in_line.iter().min_by_key(|nth| rank(nth)).map(|nth| (*nth, ServeOrder::Ordinary))
    }

    fn is_untouched(&self, nth: usize) -> bool {
        self.leads[nth].first_touched_at.is_none() && self.leads[nth].callback.is_none()
    }

    /// Whether a number is in somebody's hands.
    fn is_held(&self, number: &str) -> bool {
        let leases = self.leads.iter().filter_map(|lead| lead.lease.as_ref());
        leases.flat_map(|lease| &lease.held).any(|held| held == number)
    }

    /// Whether one more dial of a number at an instant would be too many for this lead's call.
    fn is_at_cap(&self, lead: &Lead, number: &str, at: i64) -> bool {
        let queue = &self.queues[lead.queue];
        let by_law = queue.margin_minutes.is_some() && lead.is_capped_by_law();
        let caps = queue.caps.iter().copied().chain(by_law.then_some((3, 24 * HOUR_MS)));
        let of_number = || self.dials.iter().filter(|dial| dial.number == number);
        caps.into_iter().any(|(most, window_ms)| {
            of_number().filter(|dial| dial.at + window_ms > at).count() >= most
        })
    }

    /// The first instant from now on at which a number may be dialled again if it rests.
    fn free_at(&self, lead: &Lead, number: &str) -> i64 {
        let queue = &self.queues[lead.queue];
        let windows = queue.caps.iter().map(|(_, window_ms)| *window_ms).chain([24 * HOUR_MS]);
        let leave =
            windows.flat_map(|window_ms| self.dials.iter().map(move |dial| dial.at + window_ms));
        let mut instants: Vec<i64> = leave.filter(|at| *at > self.now).chain([self.now]).collect();
        instants.sort_unstable();
        instants.into_iter().find(|at| !self.is_at_cap(lead, number, *at)).unwrap()
    }

    /// Gives a lead to a rep if its numbers allow it. One whose numbers are all at a cap waits.
    pub(super) fn offer(&mut self, rep: usize, nth: usize, order: ServeOrder) -> bool {
        let lead = &self.leads[nth];
        let callable: Vec<String> = lead.callable().into_iter().map(str::to_owned).collect();
        if callable.iter().any(|number| self.is_held(number)) {
            return false;
        }
        let may_dial = |number: &&String| !self.is_at_cap(lead, number, self.now);
        let dialable: Vec<String> = callable.iter().filter(may_dial).cloned().collect();
        if dialable.is_empty() {
            let until = callable.iter().map(|number| self.free_at(lead, number)).min().unwrap();
            let lead = &mut self.leads[nth];
            if let Stands::Waiting { until, .. } = lead.stands {
                lead.wake(until);
            }
            lead.stands = Stands::Waiting { until, why: Why::Cap };
            return false;
        }
        self.grant(rep, nth, order, dialable);
        true
    }

    /// The bound: no rep gets more ordinary leads in a row than the reserve lets through while an
    /// untouched one is there for them.
    pub(super) fn check_reserve(&mut self, rep: usize, order: ServeOrder, aside: &[usize]) {
        let is_there = |nth| self.is_untouched(nth) && self.is_in_line(rep, nth);
        let is_left = |nth: &usize| !aside.contains(nth) && !self.has_passed(rep, *nth);
        let has_untouched = (0..self.leads.len()).filter(is_left).any(is_there);
        let most = self.queues[self.reps[rep].queue].rules.reserve_after;
        let in_a_row = self.in_a_row.entry(rep).or_default();
        match order {
            ServeOrder::FirstTouch => *in_a_row = 0,
            ServeOrder::Ordinary if has_untouched => *in_a_row += 1,
            _ => {}
        }
        assert!(*in_a_row <= most, "{in_a_row} ordinary leads in a row, beside an untouched one");
    }

    /// Serves a rep who holds nothing; those aside were tried already. Says whom.
    pub(super) fn serve(
        &mut self,
        rep: usize,
        mut aside: Vec<usize>,
    ) -> Option<(usize, ServeOrder)> {
        let passed = self.passed_by(rep);
        // What they passed is theirs again if there is nothing else, and nobody else for it.
        let of_others = |model: &Self| -> Vec<usize> {
            passed.iter().copied().filter(|nth| model.is_for_others(rep, *nth)).collect()
        };
        for is_last_resort in [false, true] {
            let left_out = if is_last_resort { of_others(self) } else { passed.clone() };
            loop {
                let all: Vec<usize> = aside.iter().chain(&left_out).copied().collect();
                let Some((nth, order)) = self.first(rep, &all) else { break };
                if self.offer(rep, nth, order) {
                    self.check_reserve(rep, order, &aside);
                    return Some((nth, order));
                }
                aside.push(nth);
            }
        }
        self.tried_in_vain = aside;
        None
    }

    /// Why a rep gets nothing, in numbers: their queue's leads that are open to them, closed, in need of a
    /// skill, without a place or a number, waiting, and kept for others. `None`: some are over and nobody
    /// has noticed yet, or some are paused, which takes effect at once and is counted a little later.
    pub(super) fn counts(&self, rep: usize) -> Option<[i64; 6]> {
        let mut counts = [0; 6];
        if self.campaigns.iter().any(|campaign| campaign.is_paused) {
            return None;
        }
        for (nth, lead) in self.leads.iter().enumerate() {
            let is_servable = lead.stands.is_servable(self.now);
            if lead.queue != self.reps[rep].queue {
                continue;
            }
            if is_servable && self.has_ended(lead) {
                return None;
            }
            let place = match lead.stands {
                Stands::Waiting { .. } if !is_servable => 4,
                _ if !is_servable || self.tried_in_vain.contains(&nth) => continue,
                _ if self.is_kept_from(rep, lead) => 5,
                _ if lead.clocks().is_empty() || lead.callable().is_empty() => 3,
                _ if !self.has_skills(rep, lead) => 2,
                _ if !self.queues[lead.queue].may_offer(lead, self.now) => 1,
                _ => 0,
            };
            counts[place] += 1;
        }
        Some(counts)
    }
}

//! The state of the whole company, and what each thing that happens does to it.

use std::collections::HashMap;

use nextlead::api::proto;
use proto::{Disposition, ServeOrder};

use super::company::{Campaign, GRACE_MS, Queue, Rep};
use super::follows::{count_part, follow, is_callback, stops_number};
use super::leads::{Lead, Lease, Reason, Route, Stands, Why};
use crate::support::{HOUR_MS, MINUTE_MS};

pub(super) const PASS_MS: i64 = 15 * MINUTE_MS;

/// A call that counts against caps; in doubt if a lease ended and nobody said whether there was one.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) number: String,
    pub(super) at: i64,
    pub(super) in_doubt_of: Option<String>,
}

/// A lease that is over, of which its rep may tell still.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub(super) rep: usize,
    pub(super) lead: usize,
    pub(super) lease: Lease,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) now: i64,
    pub(super) queues: Vec<Queue>,
    pub(super) campaigns: Vec<Campaign>,
    pub(super) reps: Vec<Rep>,
    pub(super) leads: Vec<Lead>,
    pub(super) dials: Vec<Dial>,
    /// How many ordinary pulls each rep has had beyond those that the reserve took off.
    pub(super) debts: HashMap<usize, u32>,
    /// How many ordinary leads each rep got in a row while an untouched one was there for them.
    pub(super) in_a_row: HashMap<usize, u32>,
    /// Until when a rep is not offered a lead.
    pub(super) passes: HashMap<(usize, usize), i64>,
    /// Who skipped, and when.
    pub(super) skips: Vec<(usize, i64)>,
    /// Numbers that said stop, and until when.
    pub(super) suppressed: HashMap<String, Option<i64>>,
    pub(super) lost: Vec<Lost>,
    /// Who was tried in vain for the last rep who asked.
    pub(super) tried_in_vain: Vec<usize>,
}

/// A touch, as far as it matters.
pub(super) struct Told {
    pub(super) disposition: Disposition,
    pub(super) number: String,
    pub(super) started_at: i64,
    pub(super) callback_at: Option<i64>,
}

impl Model {
    pub(super) fn has_ended(&self, lead: &Lead) -> bool {
        self.campaigns[lead.campaign].has_ended(self.now)
    }

    pub(super) fn needs_dutch(&self, lead: &Lead) -> bool {
        lead.is_dutch || self.campaigns[lead.campaign].is_dutch
    }

    pub(super) fn is_suppressed(&self, lead: &Lead) -> bool {
        let stands = |until: &Option<i64>| until.is_none_or(|until| self.now < until);
        lead.numbers.iter().any(|one| self.suppressed.get(&one.text).is_some_and(stands))
    }

    /// The lead in a rep's hands.
    pub(super) fn held_by(&self, rep: usize) -> Option<usize> {
        let is_theirs = |lease: &Lease| lease.rep == rep && !lease.is_rep_free;
        self.leads.iter().position(|lead| lead.lease.as_ref().is_some_and(is_theirs))
    }

    /// Why a rep may not pull, if so.
    pub(super) fn may_pull(&self, rep: usize) -> Result<(), &'static str> {
        let Rep { is_active, queue, .. } = &self.reps[rep];
        if !is_active || self.reps[rep].has_ended(self.now) {
            Err("REP_INACTIVE")
        } else if self.queues[*queue].is_strict && !self.reps[rep].is_at_work(self.now) {
            Err("REP_OFF_DUTY")
        } else {
            Ok(())
        }
    }

    /// A lead goes to a rep.
    pub(super) fn grant(
        &mut self,
        rep: usize,
        nth: usize,
        order: ServeOrder,
        dialable: Vec<String>,
    ) {
        let queue = &self.queues[self.reps[rep].queue];
        let after = queue.rules.reserve_after;
        let debt = self.debts.get(&rep).copied().unwrap_or(after);
        match order {
            ServeOrder::FirstTouch => drop(self.debts.insert(rep, debt.saturating_sub(after))),
            ServeOrder::Ordinary => drop(self.debts.insert(rep, (debt + 1).min(2 * after))),
            _ => {}
        }
        let (now, expires_at) = (self.now, self.now + queue.lease_ms);
        let renewable_until = now + queue.lease_total_ms;
        let by_law = queue.margin_minutes.is_some() && self.leads[nth].is_capped_by_law();
        let is_capped = by_law || !queue.caps.is_empty();
        let lead = &mut self.leads[nth];
        if let Stands::Waiting { until, .. } = lead.stands {
            lead.wake(until);
        }
        lead.stands = Stands::Leased;
        let held = lead.callable().into_iter().map(str::to_owned).collect();
        let (token, granted_at) = (String::new(), now);
        let is_rep_free = false;
        lead.lease = Some(Lease {
            rep,
            token,
            granted_at,
            expires_at,
            renewable_until,
            is_rep_free,
            held,
            dialable,
            is_capped,
        });
    }

    /// A lease ends without a touch.
    fn end_lease(&mut self, nth: usize, passed_until: Option<i64>, is_in_doubt: bool) {
        let lead = &mut self.leads[nth];
        let lease = lead.lease.take().unwrap();
        lead.stands = Stands::Ready;
        lead.times_released += i32::from(lead.first_touched_at.is_none());
        if let Some(passed_until) = passed_until {
            let until = self.passes.entry((lease.rep, nth)).or_insert(passed_until);
            *until = passed_until.max(*until);
        }
        if is_in_doubt {
            let in_doubt_of = Some(lease.token.clone());
            let doubt = |number: &String| Dial {
                number: number.clone(),
                at: lease.granted_at,
                in_doubt_of: in_doubt_of.clone(),
            };
            self.dials.extend(lease.dialable.iter().map(doubt));
            self.lost.push(Lost { rep: lease.rep, lead: nth, lease });
        }
    }

    /// It may not be called any more, so it leaves the hands of its rep, who did not say what they did.
    pub(super) fn forbid(&mut self, nth: usize) {
        self.end_lease(nth, Some(self.now + PASS_MS), true);
    }

    pub(super) fn may_skip(&self, rep: usize) -> bool {
        let queue = &self.queues[self.reps[rep].queue];
        let Some(most) = queue.skips_per_hour_max else { return true };
        let counted = self.skips.iter().filter(|(who, at)| *who == rep && at + HOUR_MS > self.now);
        counted.count() < usize::try_from(most).unwrap()
    }

    pub(super) fn skip(&mut self, rep: usize, nth: usize) {
        self.skips.push((rep, self.now));
        self.end_lease(nth, Some(self.now + PASS_MS), false);
    }

    /// What every touch does to a lead, whether or not it moves it.
    fn count_touch(&mut self, nth: usize, told: &Told) {
        let lead = &mut self.leads[nth];
        let stopped = lead.numbers.iter_mut().find(|one| one.text == told.number);
        if let Some(number) = stopped.filter(|_| stops_number(told.disposition)) {
            number.is_stopped = true;
        }
        let at = told.started_at.min(self.now);
        count_part(lead, &self.queues[lead.queue], at);
        lead.attempts += 1;
        lead.last_disposition = Some(told.disposition);
    }

    /// A touch in time.
    pub(super) fn touch(&mut self, nth: usize, told: &Told) {
        self.count_touch(nth, told);
        let lead = &mut self.leads[nth];
        let lease = lead.lease.take().unwrap();
        let at = told.started_at.max(lease.granted_at).min(self.now);
        self.dials.push(Dial { number: told.number.clone(), at, in_doubt_of: None });
        let started_at = told.started_at.max(lead.handed_over_at);
        lead.first_touched_at = lead.first_touched_at.or(Some(started_at));
        let queue = &self.queues[lead.queue];
        lead.callback = None;
        lead.stands = follow(lead, queue, told.disposition, told.callback_at, self.now);
        if let (true, Stands::Waiting { until, .. }) = (is_callback(told.disposition), lead.stands)
        {
            let is_own = told.disposition == Disposition::CallbackOwn;
            lead.callback = Some((until, is_own.then_some(lease.rep)));
        }
        self.heed(nth, told);
    }

    /// A touch whose lease is over: it counts, and moves nothing.
    pub(super) fn touch_late(&mut self, lost: &Lost, told: &Told) {
        let of_it = |dial: &Dial| dial.in_doubt_of.as_ref() == Some(&lost.lease.token);
        self.dials.retain(|dial| !of_it(dial));
        self.count_touch(lost.lead, told);
        let at = told.started_at.min(self.now);
        self.dials.push(Dial { number: told.number.clone(), at, in_doubt_of: None });
        self.heed(lost.lead, told);
    }

    /// A touch that nobody had a lease for: it counts if we called, and keeps no promise.
    pub(super) fn touch_unleased(&mut self, nth: usize, told: &Told, is_ours: bool) {
        let before = self.leads[nth].clone();
        self.count_touch(nth, told);
        let lead = &mut self.leads[nth];
        let at = told.started_at.min(self.now);
        if is_ours {
            self.dials.push(Dial { number: told.number.clone(), at, in_doubt_of: None });
        } else {
            (lead.attempts, lead.tried) = (before.attempts, before.tried);
        }
        self.heed(nth, told);
    }

    /// Whoever said never is never called again.
    fn heed(&mut self, nth: usize, told: &Told) {
        if told.disposition != Disposition::DoNotCall {
            return;
        }
        let numbers = self.leads[nth].numbers.iter().map(|one| one.text.clone());
        let numbers = numbers.chain([told.number.clone()]).collect();
        self.suppress(numbers, None);
    }

    pub(super) fn suppress(&mut self, numbers: Vec<String>, until: Option<i64>) {
        for number in &numbers {
            let known = self.suppressed.get(number).copied();
            // Of two wishes the longer one stands.
            let longest = match (known, until) {
                (None, until) => until,
                (Some(None), _) | (_, None) => None,
                (Some(Some(known)), Some(until)) => Some(known.max(until)),
            };
            self.suppressed.insert(number.clone(), longest);
        }
        for nth in 0..self.leads.len() {
            if numbers.iter().any(|number| self.leads[nth].carries(number)) {
                self.close_suppressed(nth);
            }
        }
    }

    pub(super) fn close_suppressed(&mut self, nth: usize) {
        if self.leads[nth].lease.is_some() {
            self.end_lease(nth, None, true);
        }
        let lead = &mut self.leads[nth];
        let is_in_nurture = matches!(lead.stands, Stands::Closed { route: Route::Nurture(_), .. });
        if lead.stands.is_open() || is_in_nurture {
            lead.close(Reason::Suppressed, Route::Suppressed);
        }
    }

    /// New numbers of a lead hold at once: what said stop closes it, and in a rep's hands they are nobody
    /// else's.
    pub(super) fn heed_numbers(&mut self, nth: usize) {
        let lead = &self.leads[nth];
        let callable: Vec<String> = lead.callable().into_iter().map(str::to_owned).collect();
        let others = self.leads.iter().enumerate().filter(|(other, _)| *other != nth);
        let mut held = others.filter_map(|(_, lead)| lead.lease.as_ref()).flat_map(|one| &one.held);
        let is_held = held.any(|number| callable.contains(number));
        if self.is_suppressed(&self.leads[nth]) {
            self.close_suppressed(nth);
        } else if is_held && self.leads[nth].lease.is_some() {
            self.end_lease(nth, None, true);
        } else if let Some(lease) = &mut self.leads[nth].lease {
            for number in callable
                .iter()
                .filter(|number| !lease.held.contains(number))
                .cloned()
                .collect::<Vec<_>>()
            {
                lease.held.push(number.clone());
                if !lease.is_capped {
                    lease.dialable.push(number);
                }
            }
        }
    }

    /// A new interest brings a lead back; says whether.
    pub(super) fn engage(&mut self, nth: usize, at: i64) -> bool {
        let may_wake = !self.has_ended(&self.leads[nth]) && !self.is_suppressed(&self.leads[nth]);
        let lead = &mut self.leads[nth];
        let wakes = match lead.stands {
            Stands::Closed { route: Route::Nurture(_), .. } if may_wake => {
                lead.begin_anew();
                true
            }
            Stands::Waiting { why: Why::Retry, .. } => may_wake,
            _ => false,
        };
        if wakes {
            lead.stands = Stands::Ready;
            lead.ready_since = at.max(lead.handed_over_at);
        }
        wakes
    }

    /// Another queue works a lead from here on, from its first attempt; says whether it may.
    pub(super) fn transfer(&mut self, nth: usize, to: usize) -> bool {
        let now = self.now;
        let lead = &mut self.leads[nth];
        let may = match lead.stands {
            Stands::Ready | Stands::Waiting { .. } => true,
            Stands::Closed { route, .. } => matches!(route, Route::Nurture(_)),
            Stands::Leased => false,
        };
        if may && lead.queue != to {
            lead.enter(to, now);
        }
        may
    }

    /// The CRM tells what became of a lead; says whether that closed it.
    pub(super) fn conclude(&mut self, nth: usize, is_won: bool) -> bool {
        let lead = &mut self.leads[nth];
        let is_closed = match lead.stands {
            Stands::Ready | Stands::Waiting { .. } => true,
            Stands::Closed { route: Route::Nurture(_), .. } => is_won,
            Stands::Leased | Stands::Closed { .. } => false,
        };
        if is_closed {
            let route = if is_won { Route::Won } else { Route::Lost };
            lead.close(Reason::Outcome, route);
        }
        is_closed
    }

    /// Whether something happens up to an instant that a pull alone does not see.
    pub(super) fn needs_sweep(&self, up_to: i64) -> bool {
        let comes = |at: i64| self.now < at && at <= up_to;
        let leases = self.leases_and_rests();
        let ends = self.campaigns.iter().filter_map(|campaign| campaign.ends_at);
        let lasts = self.reps.iter().filter_map(|rep| rep.ends_at);
        let backs = self.reps.iter().flat_map(|rep| &rep.absences).map(|(_, to)| *to);
        leases.into_iter().chain(ends).chain(lasts).chain(backs).any(comes)
    }

    /// When leases are gone, and when nurtures are over.
    fn leases_and_rests(&self) -> Vec<i64> {
        let mut instants = Vec::new();
        for lead in &self.leads {
            instants.extend(lead.lease.as_ref().map(|lease| lease.expires_at + GRACE_MS));
            if let Stands::Closed { route: Route::Nurture(Some(at)), .. } = lead.stands {
                instants.push(at);
            }
        }
        instants
    }

    /// What time alone does up to an instant.
    pub(super) fn pass_time(&mut self, now: i64) {
        let before = std::mem::replace(&mut self.now, now);
        for rep in 0..self.reps.len() {
            let has_left = self.reps[rep].ends_at.is_some_and(|at| before < at && at <= now);
            if has_left {
                self.give_back(rep);
            }
        }
        for nth in 0..self.leads.len() {
            let Some(lease) = &mut self.leads[nth].lease else { continue };
            lease.is_rep_free |= lease.expires_at <= now;
            let (rep, expires_at) = (lease.rep, lease.expires_at);
            if expires_at + GRACE_MS <= now {
                self.skips.push((rep, expires_at));
                self.end_lease(nth, Some(expires_at + PASS_MS), true);
            }
        }
        for nth in 0..self.leads.len() {
            let has_ended = self.has_ended(&self.leads[nth]);
            let lead = &mut self.leads[nth];
            match lead.stands {
                Stands::Waiting { .. } | Stands::Ready if has_ended => {
                    lead.close(Reason::CampaignEnded, Route::Nurture(None));
                }
                Stands::Closed { route: Route::Nurture(Some(at)), .. }
                    if at <= now && !has_ended =>
                {
                    lead.wake(at);
                }
                Stands::Waiting { until, .. } if until <= now => lead.wake(until),
                _ => {}
            }
        }
    }

    /// Who works here no more holds nothing.
    pub(super) fn give_back(&mut self, rep: usize) {
        if let Some(nth) = self.held_by(rep) {
            let stands = self.leads[nth].lease.as_ref().unwrap().expires_at > self.now;
            if stands {
                self.forbid(nth);
            }
        }
    }
}

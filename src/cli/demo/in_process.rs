//! The router without a server: the same queue code, the same policy and the same state machine, in
//! this process and without books. Without rules every lead is worth nothing: first in, first out.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::moves::{self, Command};
use crate::domain::{
    Cadence, CallingLaw, CampaignKey, CloseReason, FirstTouchRank, GRACE_MS_DEFAULT,
    LEASE_MS_DEFAULT, LEASE_TOTAL_MS_DEFAULT, LeadId, LeadState, Occasion, Policy, Queue, QueueId,
    QueueKey, QueueSettings, RepKey, Route, Standing, Tier, WeeklyHours, Worth,
};
use crate::queue::{Ask, Basis, Entry, Lane, LeadQueue, MemoryQueue, OpenHours, Update};
use crate::rules::{RuleSet, Subject};

use super::floor::{Answer, Attempt, RepCall, Router, Step};
use super::leads::Month;

const QUEUE: QueueKey = QueueKey(1);
const CAMPAIGN: CampaignKey = CampaignKey(1);

/// The month's leads in line in this process.
pub(super) struct InProcess<'m> {
    month: &'m Month,
    policy: &'m Policy,
    /// What gives points and promises; `None`: nothing does.
    rules: Option<&'m RuleSet>,
    queue: MemoryQueue,
    states: Vec<LeadState>,
    lane: Lane,
    hours: Arc<OpenHours>,
    /// The queue, open at every hour.
    settings: Queue,
}

impl<'m> InProcess<'m> {
    /// Hands a month's leads over at `now`.
    pub(super) async fn hand_over(
        month: &'m Month,
        policy: &'m Policy,
        rules: Option<&'m RuleSet>,
        now: i64,
    ) -> anyhow::Result<Self> {
        let always: Arc<str> = Arc::from("always");
        let hours = OpenHours { number: 1, open: BTreeSet::from([Arc::clone(&always)]) };
        let lane = Lane { skills: Arc::default(), hours: Some(always) };
        let states = (1..).take(month.leads.len()).map(|id| handed_over(LeadId(id), now, rules));
        let states: Vec<_> = states.collect();
        let queue = MemoryQueue::new();
        let (hours, settings) = (Arc::new(hours), open_queue());
        let router = Self { month, policy, rules, queue, states, lane, hours, settings };
        let entries = (0..router.states.len()).map(|lead| router.entry(lead, now)).collect();
        router.queue.begin(QUEUE, Basis::default()).await?;
        router.queue.apply(entries).await?;
        Ok(router)
    }

    /// The lead as the queue keeps it.
    fn entry(&self, lead: usize, now: i64) -> Update {
        let state = &self.states[lead];
        let due_at = state.standing.due_at();
        let untouched = state.first_touch_due_at.filter(|_| state.first_touched_at.is_none());
        Update::Put(Box::new(Entry {
            lead: state.lead,
            queue: QUEUE,
            version: state.seq,
            basis: Basis::default(),
            tier: state.tier,
            ready_since: due_at.unwrap_or(state.ready_since),
            due_at,
            worth: self.worth(lead, now),
            lane: self.lane.clone(),
            keeper: None,
            first_touch: untouched.map(|due_at| FirstTouchRank {
                times_released: state.times_released,
                due_at,
                lead: state.lead,
            }),
        }))
    }

    fn worth(&self, lead: usize, now: i64) -> Worth {
        let Some(rules) = self.rules else { return Worth::steady(0) };
        let state = &self.states[lead];
        let subject = Subject {
            facts: &self.month.leads[lead].facts,
            source_system: "demo",
            campaign: &self.month.name,
            attempts: state.attempts,
            last_disposition: state.last_disposition,
            handed_over_at: state.handed_over_at,
            owner: None,
        };
        rules.evaluate(&subject, now)
    }

    fn step(&mut self, lead: usize, command: Command, now: i64) -> anyhow::Result<()> {
        self.states[lead] = moves::step(&self.states[lead], command, now)?.0;
        Ok(())
    }

    async fn touch(&mut self, attempt: Attempt, now: i64) -> anyhow::Result<()> {
        let lead = attempt.lead;
        let attempts = self.states[lead].attempts + 1;
        let decided = self.policy.next_step(&Occasion {
            disposition: attempt.disposition,
            callback_at: None,
            attempts,
            cadence: self.states[lead].cadence,
            facts: &self.month.leads[lead].facts,
            handed_over_at: self.states[lead].handed_over_at,
            transfers: 0,
            queue: &self.settings,
            now,
        });
        let command = Command::Touch {
            disposition: attempt.disposition,
            started_at: attempt.started_at,
            is_attempt: true,
            cadence: decided.cadence,
            next: decided.step,
            promised_to: None,
        };
        self.step(lead, command, now)?;
        let is_open = self.states[lead].standing.is_open();
        let update = if is_open { self.entry(lead, now) } else { self.removal(lead) };
        self.queue.apply(vec![update]).await?;
        Ok(())
    }

    async fn pull(&mut self, rep: usize, now: i64) -> anyhow::Result<Answer> {
        let rep = RepKey(i64::try_from(rep)? + 1);
        let reserve_after = self.rules.map_or(1, |rules| rules.first_touch().reserve_after);
        let ask = Ask {
            queue: QUEUE,
            rep,
            skills: Arc::default(),
            hours: Arc::clone(&self.hours),
            reserve_after,
            passed: Vec::new(),
            count: 1,
            now,
        };
        loop {
            let proposal = self.queue.propose(&ask).await?;
            if let Some(candidate) = proposal.candidates.first() {
                let lead = usize::try_from(candidate.lead.0)? - 1;
                self.step(lead, Command::Lease, now)?;
                self.queue
                    .served(QUEUE, rep, candidate.lead, candidate.order, reserve_after)
                    .await?;
                self.queue.apply(vec![self.removal(lead)]).await?;
                return Ok(Answer::Lead { lead, lease_ms: i64::MAX });
            }
            if !proposal.is_unfinished {
                return Ok(Answer::Nothing { next_due_at: self.queue.next_due_at(QUEUE).await? });
            }
        }
    }

    fn removal(&self, lead: usize) -> Update {
        let state = &self.states[lead];
        Update::Remove { queue: QUEUE, lead: state.lead, version: state.seq }
    }
}

impl Router for InProcess<'_> {
    async fn round(&mut self, now: i64, calls: &[RepCall]) -> anyhow::Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            answers.push(match call.step {
                Step::Pull => self.pull(call.rep, now).await?,
                Step::Touch { attempt, then_next } => {
                    self.touch(attempt, now).await?;
                    if then_next { self.pull(call.rep, now).await? } else { Answer::Recorded }
                }
                Step::Renew => Answer::Renewed { lease_ms: i64::MAX },
            });
        }
        Ok(answers)
    }

    async fn end_campaign(&mut self, now: i64) -> anyhow::Result<()> {
        let route = Route::Nurture { until: None };
        for lead in 0..self.states.len() {
            if self.states[lead].standing.is_open() {
                let close = Command::Close { why: CloseReason::CampaignEnded, route };
                self.step(lead, close, now)?;
                self.queue.apply(vec![self.removal(lead)]).await?;
            }
        }
        Ok(())
    }
}

/// The demo's queue, as far as a policy looks at it.
fn open_queue() -> Queue {
    let settings = QueueSettings {
        zone: "UTC".to_owned(),
        hours: WeeklyHours::always(),
        law: CallingLaw::Exempt,
        lease_ms: LEASE_MS_DEFAULT,
        lease_total_ms: LEASE_TOTAL_MS_DEFAULT,
        caps: Vec::new(),
        grace_ms: GRACE_MS_DEFAULT,
        skips_per_hour_max: None,
        own: Default::default(),
        quality: Default::default(),
    };
    Queue { key: QUEUE, id: QueueId::new("demo").expect("an id"), settings }
}

fn handed_over(lead: LeadId, now: i64, rules: Option<&RuleSet>) -> LeadState {
    let state = LeadState {
        lead,
        queue: QUEUE,
        campaign: CAMPAIGN,
        standing: Standing::Ready,
        tier: Tier::Ordinary,
        seq: 1,
        changed_at: now,
        ready_since: now,
        handed_over_at: now,
        attempts: 0,
        cadence: Cadence::default(),
        last_disposition: None,
        first_touch_due_at: rules.map(|rules| now + rules.first_touch().within_ms),
        first_touched_at: None,
        times_released: 0,
        callback: None,
        owner: None,
        entered_at: None,
        transfers: 0,
    };
    moves::open(state).0
}

#[cfg(test)]
mod tests {
    use crate::clock::{Clock, ManualClock};

    use super::super::RULES;
    use super::super::floor::work_month;
    use super::super::leads::load_months;
    use super::super::tally::MonthTally;
    use super::*;

    async fn work(months: &[Month], rules: &RuleSet, by_rules: bool) -> Vec<MonthTally> {
        let clock = ManualClock::at(0);
        let mut tallies = Vec::new();
        for month in months {
            clock.set(clock.now().max(month.starts_at));
            let value = by_rules.then_some(rules);
            let router = InProcess::hand_over(month, rules.policy(), value, clock.now()).await;
            let tally = work_month(month, &mut router.unwrap(), &clock, |_| {}).await.unwrap();
            tallies.push(tally);
        }
        tallies
    }

    #[tokio::test]
    async fn the_rules_touch_every_lead_they_can_and_find_sales_sooner() {
        let months = load_months().unwrap();
        let rules = RuleSet::compile(RULES).unwrap();
        let by_value = work(&months, &rules, true).await;
        let by_arrival = work(&months, &rules, false).await;
        for tallies in [&by_value, &by_arrival] {
            for (month, tally) in months.iter().zip(tallies) {
                assert_eq!(tally.touch_count(), month.call_count_max(), "{}", month.name);
                assert_eq!(tally.never_contacted(), month.shortfall(), "{}", month.name);
            }
        }
        let at_20 = |tallies: &[MonthTally]| -> usize {
            tallies.iter().map(|tally| tally.conversions_at(20)).sum()
        };
        // More than a third more would be a leak: the attempts of a queue's leads interleave.
        let (by_value, by_arrival) = (at_20(&by_value), at_20(&by_arrival));
        assert!(by_value * 100 >= by_arrival * 115, "{by_value} to {by_arrival}");
        assert!(by_value * 100 <= by_arrival * 135, "{by_value} to {by_arrival}");
    }
}

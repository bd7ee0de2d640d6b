//! The sales floor: simulated reps who work one month's leads under a simulated clock.
//!
//! Time moves in rounds. Reps who are due within a round call the [`Router`] together, and the clock
//! waits for every answer. The floor alone knows each lead's fate: an attempt before the last reaches
//! nobody. It is the same floor whoever routes, so two orders differ in nothing but the order.

use crate::clock::{Clock, ManualClock};
use crate::domain::Disposition;

use super::leads::Month;
use super::tally::MonthTally;

/// How many reps work.
pub(super) const REP_COUNT: usize = 50;
/// How long a round is.
const ROUND_MS: i64 = 10_000;
/// How long an attempt takes that reaches nobody.
const NO_ANSWER_MS: i64 = 30_000;
/// How long a rep writes down what was said, after each call.
const WRAP_UP_MS: i64 = 30_000;
/// How long before the end of a lease a softphone renews it, should the call last longer.
const RENEW_BEFORE_MS: i64 = 60_000;

/// An attempt that a rep made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The lead, as its place in the month.
    pub(super) lead: usize,
    /// When it began.
    pub(super) started_at: i64,
    /// When the call ended.
    pub(super) ended_at: i64,
    /// How it ended.
    pub(super) disposition: Disposition,
}

/// What a rep wants of the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next lead.
    Pull,
    /// An attempt is to be recorded, and the next lead wanted with it, or not.
    Touch {
        /// The attempt.
        attempt: Attempt,
        /// Whether the next lead is wanted.
        then_next: bool,
    },
    /// The lease is to be carried on: the call lasts.
    Renew,
}

/// A rep's call of the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RepCall {
    /// Who calls: 0 to [`REP_COUNT`] - 1.
    pub(super) rep: usize,
    /// What for.
    pub(super) step: Step,
}

/// What a router answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The rep has this lead now.
    Lead {
        /// Its place in the month.
        lead: usize,
        /// How long the rep may keep it.
        lease_ms: i64,
    },
    /// No lead may be served now.
    Nothing {
        /// When the first waiting lead falls due.
        next_due_at: Option<i64>,
    },
    /// The attempt is recorded; nothing else was asked for.
    Recorded,
    /// The lease is carried on.
    Renewed {
        /// For how long.
        lease_ms: i64,
    },
}

/// Whoever decides which lead a rep gets next.
pub(super) trait Router {
    /// Answers the calls of one round, which come in the order of reps, one a rep; so do the answers.
    async fn round(&mut self, now: i64, calls: &[RepCall]) -> anyhow::Result<Vec<Answer>>;

    /// Ends the month's campaign: what is still open goes back to marketing.
    async fn end_campaign(&mut self, now: i64) -> anyhow::Result<()>;
}

/// Works a month from now on, until its calls are made or no lead is left, and ends its campaign.
///
/// `progress` is told how many attempts were recorded in each round.
pub(super) async fn work_month(
    month: &Month,
    router: &mut impl Router,
    clock: &ManualClock,
    mut progress: impl FnMut(usize),
) -> anyhow::Result<MonthTally> {
    let mut floor = Floor::open(month, clock.now());
    while let Some(now) = floor.next_round() {
        clock.set(now);
        let calls = floor.calls(now);
        let answers = router.round(now, &calls).await?;
        let made = floor.take_in(now, &calls, &answers);
        progress(made);
    }
    router.end_campaign(clock.now()).await?;
    Ok(floor.tally)
}

/// What a rep is doing.
#[derive(Clone, Copy, Debug)]
enum Doing {
    /// Waits for a lead, and asks again at this instant; `None`: when somebody has made an attempt.
    Idle { until: Option<i64> },
    /// Is on the phone, or writes down what was said.
    Calling { attempt: Attempt, free_at: i64, renew_at: i64 },
    /// Has gone home: the month's calls are made.
    Gone,
}

impl Doing {
    fn due_at(&self) -> Option<i64> {
        match *self {
            Self::Idle { until } => until,
            Self::Calling { free_at, renew_at, .. } => Some(free_at.min(renew_at)),
            Self::Gone => None,
        }
    }
}

struct Floor<'m> {
    month: &'m Month,
    call_count_max: usize,
    /// Calls that were begun: each lead that was served is called.
    begun_count: usize,
    reps: Vec<Doing>,
    /// Attempts made on each lead.
    attempts: Vec<i64>,
    started_at: i64,
    round_at: i64,
    tally: MonthTally,
}

impl<'m> Floor<'m> {
    fn open(month: &'m Month, now: i64) -> Self {
        Self {
            month,
            call_count_max: month.call_count_max(),
            begun_count: 0,
            reps: vec![Doing::Idle { until: Some(now) }; REP_COUNT],
            attempts: vec![0; month.leads.len()],
            started_at: now,
            round_at: now - ROUND_MS,
            tally: MonthTally::new(month),
        }
    }

    /// The end of the next round in which anybody is due; `None`: nobody ever is.
    fn next_round(&self) -> Option<i64> {
        let due_at = self.reps.iter().filter_map(Doing::due_at).min()?;
        let since_ms = (due_at - self.started_at).max(0);
        let rounds = (since_ms + ROUND_MS - 1) / ROUND_MS;
        Some((self.started_at + rounds * ROUND_MS).max(self.round_at + ROUND_MS))
    }

    /// The calls of the reps who are due. No more leads are asked for than calls are left.
    fn calls(&mut self, now: i64) -> Vec<RepCall> {
        self.round_at = now;
        let mut left = self.call_count_max - self.begun_count;
        let mut calls = Vec::new();
        for (rep, doing) in self.reps.iter_mut().enumerate() {
            if doing.due_at().is_none_or(|due_at| due_at > now) {
                continue;
            }
            let step = match *doing {
                Doing::Calling { attempt, free_at, .. } if free_at <= now => {
                    let then_next = left > 0;
                    left -= usize::from(then_next);
                    Step::Touch { attempt, then_next }
                }
                Doing::Calling { .. } => Step::Renew,
                Doing::Idle { .. } if left > 0 => {
                    left -= 1;
                    Step::Pull
                }
                Doing::Idle { .. } | Doing::Gone => {
                    *doing = without_lead(self.begun_count < self.call_count_max);
                    continue;
                }
            };
            calls.push(RepCall { rep, step });
        }
        calls
    }

    /// Takes in the answers of a round. Returns how many attempts were recorded in it.
    fn take_in(&mut self, now: i64, calls: &[RepCall], answers: &[Answer]) -> usize {
        assert_eq!(calls.len(), answers.len(), "each call has an answer");
        let mut recorded_count = 0;
        for call in calls {
            if let Step::Touch { attempt, .. } = call.step {
                self.attempts[attempt.lead] += 1;
                self.tally.record(&attempt);
                recorded_count += 1;
            }
        }
        for (call, answer) in calls.iter().zip(answers) {
            self.reps[call.rep] = match *answer {
                Answer::Lead { lead, lease_ms } => self.begin(lead, lease_ms, now),
                Answer::Nothing { next_due_at } => Doing::Idle { until: next_due_at },
                Answer::Recorded => without_lead(self.begun_count < self.call_count_max),
                Answer::Renewed { lease_ms } => renewed(self.reps[call.rep], lease_ms, now),
            };
        }
        if recorded_count > 0 {
            for doing in &mut self.reps {
                if matches!(doing, Doing::Idle { until: None }) {
                    *doing = Doing::Idle { until: Some(now + ROUND_MS) };
                }
            }
        }
        recorded_count
    }

    /// A rep calls a lead that was served.
    fn begin(&mut self, lead: usize, lease_ms: i64, now: i64) -> Doing {
        self.begun_count += 1;
        let fate = self.month.leads[lead].fate;
        let is_last = self.attempts[lead] + 1 == fate.attempts;
        let (lasts_ms, disposition) = match (is_last, fate.converts) {
            (false, _) => (NO_ANSWER_MS, Disposition::NoAnswer),
            (true, true) => (fate.last_call_ms, Disposition::Sale),
            (true, false) => (fate.last_call_ms, Disposition::NotInterested),
        };
        let attempt = Attempt { lead, started_at: now, ended_at: now + lasts_ms, disposition };
        let free_at = attempt.ended_at + WRAP_UP_MS;
        Doing::Calling { attempt, free_at, renew_at: renew_at(lease_ms, now) }
    }
}

/// A rep for whom no call is left, or none but those that others are asking for at this moment: what
/// they do not need is asked for when the next attempt was made.
fn without_lead(calls_are_left: bool) -> Doing {
    if calls_are_left { Doing::Idle { until: None } } else { Doing::Gone }
}

fn renewed(doing: Doing, lease_ms: i64, now: i64) -> Doing {
    match doing {
        Doing::Calling { attempt, free_at, .. } => {
            Doing::Calling { attempt, free_at, renew_at: renew_at(lease_ms, now) }
        }
        Doing::Idle { .. } | Doing::Gone => unreachable!("only a rep with a lead renews"),
    }
}

fn renew_at(lease_ms: i64, now: i64) -> i64 {
    now.saturating_add(lease_ms).saturating_sub(RENEW_BEFORE_MS)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use crate::domain::Facts;

    use super::super::leads::{DemoLead, Fate};
    use super::*;

    /// Serves leads in turn, and writes down who called when.
    struct Turns {
        leads: VecDeque<usize>,
        lease_ms: i64,
        seen: Vec<(i64, RepCall)>,
        ended_at: Option<i64>,
    }

    impl Router for Turns {
        async fn round(&mut self, now: i64, calls: &[RepCall]) -> anyhow::Result<Vec<Answer>> {
            let mut answers = Vec::new();
            for call in calls {
                self.seen.push((now, *call));
                if let Step::Touch { attempt, .. } = call.step
                    && attempt.disposition == Disposition::NoAnswer
                {
                    self.leads.push_back(attempt.lead);
                }
                answers.push(match call.step {
                    Step::Renew => Answer::Renewed { lease_ms: self.lease_ms },
                    Step::Touch { then_next: false, .. } => Answer::Recorded,
                    Step::Pull | Step::Touch { .. } => match self.leads.pop_front() {
                        Some(lead) => Answer::Lead { lead, lease_ms: self.lease_ms },
                        None => Answer::Nothing { next_due_at: None },
                    },
                });
            }
            Ok(answers)
        }

        async fn end_campaign(&mut self, now: i64) -> anyhow::Result<()> {
            self.ended_at = Some(now);
            Ok(())
        }
    }

    /// A month of leads, each with its attempts and the length of the last one, in seconds.
    async fn worked(fates: &[(i64, i64)]) -> (MonthTally, Turns) {
        let leads = (1..).zip(fates).map(|(row, &(attempts, last_call_s))| {
            let fate = Fate { attempts, last_call_ms: last_call_s * 1_000, converts: true };
            DemoLead { row, facts: Facts::default(), fate }
        });
        let month = Month { name: "2008-05".into(), starts_at: 0, leads: leads.collect() };
        let leads = (0..fates.len()).collect();
        let mut turns = Turns { leads, lease_ms: 600_000, seen: Vec::new(), ended_at: None };
        let clock = ManualClock::at(0);
        let tally = work_month(&month, &mut turns, &clock, |_| {}).await.unwrap();
        (tally, turns)
    }

    fn touches(turns: &Turns) -> Vec<(i64, Attempt)> {
        let touch = |&(at, call): &(i64, RepCall)| match call.step {
            Step::Touch { attempt, .. } => Some((at, attempt)),
            _ => None,
        };
        turns.seen.iter().filter_map(touch).collect()
    }

    #[tokio::test]
    async fn a_month_ends_when_six_tenths_of_its_attempts_are_made() {
        let (tally, turns) = worked(&[(2, 5); 100]).await;
        assert_eq!((tally.touch_count(), tally.conversion_count()), (120, 20));
        let pulls = turns.seen.iter().filter(|(_, call)| call.step == Step::Pull).count();
        let nexts = turns
            .seen
            .iter()
            .filter(|(_, call)| matches!(call.step, Step::Touch { then_next: true, .. }));
        assert_eq!(pulls + nexts.count(), 120, "no lead is asked for that could not be called");
        assert_eq!(turns.ended_at, turns.seen.last().map(|(at, _)| *at));
    }

    #[tokio::test]
    async fn only_the_last_attempt_reaches_anybody() {
        let (_, turns) = worked(&[(2, 44), (2, 44)]).await;
        let (at, first) = touches(&turns)[0];
        assert_eq!(first.disposition, Disposition::NoAnswer);
        assert_eq!((first.ended_at - first.started_at, at - first.ended_at), (30_000, 30_000));
        // 44 s and 30 s to write it down are over in the round of the 80th second.
        let (at, last) = *touches(&turns).last().unwrap();
        assert_eq!(last.disposition, Disposition::NoAnswer, "two of four calls are made");
        let (_, turns) = worked(&[(1, 44), (1, 44)]).await;
        let (sold_at, sold) = touches(&turns)[0];
        assert_eq!((sold.disposition, sold.ended_at, sold_at), (Disposition::Sale, 44_000, 80_000));
        assert!(at % ROUND_MS == 0, "calls come in rounds");
    }

    #[tokio::test]
    async fn a_long_call_renews_its_lease_before_it_ends() {
        let (_, turns) = worked(&[(1, 3_600), (1, 3_600)]).await;
        let renewed: Vec<i64> = turns
            .seen
            .iter()
            .filter(|(_, call)| call.step == Step::Renew)
            .map(|(at, _)| *at / 1_000)
            .collect();
        assert_eq!(renewed, [540, 1_080, 1_620, 2_160, 2_700, 3_240]);
    }

    #[tokio::test]
    async fn a_rep_without_a_lead_asks_again_when_somebody_made_an_attempt() {
        let (tally, turns) = worked(&[(5, 5)]).await;
        assert_eq!(tally.touch_count(), 3);
        let at: Vec<i64> = turns.seen.iter().map(|(at, _)| *at / 1_000).collect();
        assert_eq!(at, [0, 0, 0, 60, 70, 120, 180], "three ask, one gets the lead; another asks");
    }
}

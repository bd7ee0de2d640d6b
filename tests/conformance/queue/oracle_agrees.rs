//! Any sequence of calls gets the answers of the oracle, to the last lead and its rank.

use std::collections::BTreeSet;
use std::sync::Arc;

use nextlead::domain::{FirstTouchRank, LeadId, RepKey, Tier, Worth, WorthStep};
use nextlead::queue::{
    Applied, Ask, Basis, Candidate, Entry, Generation, Keeper, Lane, LeadQueue, OpenHours,
    QueueError, Swap, Update,
};
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use super::oracle::{Known, Oracle, keeper, summed};
use super::support::{QUEUE, RULES, by, puts, remove};

const SKILLS: [&str; 2] = ["french", "solar"];
const HOURS: [&str; 3] = ["Asia/Tokyo", "Europe/Berlin", "Europe/London"];
const REPS: std::ops::Range<i64> = 0..3;
const LEAD_COUNT: i64 = 24;
const OP_COUNT_MAX: usize = 400;

/// What may happen. An instant is relative to the one at which it happens, a version to the newest.
#[derive(Clone, Debug)]
enum Op {
    Put(Draft),
    Remove {
        lead: i64,
        age: i64,
    },
    Propose {
        rep: i64,
        skills: u8,
        hours: u8,
        passed: Vec<i64>,
        count: usize,
    },
    Served(usize),
    PutBack(usize),
    Wait(i64),
    Promote,
    Look {
        rep: i64,
        skills: u8,
        hours: u8,
        limit: usize,
    },
    Stage,
    PutStaged(Draft),
    RemoveStaged {
        lead: i64,
        age: i64,
    },
    /// With so many leads at most that may be carried over.
    Swap(usize),
    /// Everything is ranked again in a second line, which is put in use.
    Rerank(i64),
}

#[derive(Clone, Debug)]
struct Draft {
    lead: i64,
    age: i64,
    rule_age: i64,
    lane_age: i64,
    is_callback: bool,
    since: i64,
    due_in: Option<i64>,
    head_starts: [i64; 3],
    ends_in: Vec<i64>,
    skills: u8,
    hours: usize,
    released_and_due: Option<(i32, i64)>,
    /// For whom it is kept, and for how long.
    kept: Option<(i64, Option<i64>)>,
}

fn draft() -> impl Strategy<Value = Draft> {
    let optional = |range| proptest::option::weighted(0.3, range);
    let basis_age = || prop_oneof![4 => 0..1_i64, 1 => -2..3_i64];
    let ages = (basis_age(), basis_age());
    let who = (1..=LEAD_COUNT, age(), proptest::bool::weighted(0.15), ages);
    let when = (-50..0_i64, optional(-5..60_i64));
    let worth = ([0..40_i64, 0..40, 0..40], proptest::collection::vec(-10..60_i64, 0..3));
    let kept = (REPS, proptest::option::of(-10..60_i64));
    let place = (
        any_skills(),
        0..=HOURS.len(),
        proptest::option::of((0..3, -20..40_i64)),
        proptest::option::weighted(0.4, kept),
    );
    (who, when, worth, place).prop_map(|(who, when, worth, place)| Draft {
        lead: who.0,
        age: who.1,
        rule_age: who.3.0,
        lane_age: who.3.1,
        is_callback: who.2,
        since: when.0,
        due_in: when.1,
        head_starts: worth.0,
        ends_in: worth.1,
        skills: place.0,
        hours: place.1,
        released_and_due: place.2,
        kept: place.3,
    })
}

/// Mostly the newest of all versions, now and then one that may be known or outdated.
fn age() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0..1_i64, 1 => 0..40_i64]
}

fn any_skills() -> impl Strategy<Value = u8> {
    0..1_u8 << SKILLS.len()
}

fn any_hours() -> impl Strategy<Value = u8> {
    0..1_u8 << HOURS.len()
}

fn op() -> impl Strategy<Value = Op> {
    let passed = proptest::collection::vec(1..=LEAD_COUNT, 0..4);
    let pull = (REPS, any_skills(), any_hours(), passed, 1..6_usize);
    prop_oneof![
        12 => draft().prop_map(Op::Put),
        2 => (1..=LEAD_COUNT, age()).prop_map(|(lead, age)| Op::Remove { lead, age }),
        12 => pull.prop_map(|(rep, skills, hours, passed, count)| {
            Op::Propose { rep, skills, hours, passed, count }
        }),
        6 => any::<usize>().prop_map(Op::Served),
        6 => any::<usize>().prop_map(Op::PutBack),
        5 => prop_oneof![9 => 0..15_i64, 1 => 20_000..61_000_i64].prop_map(Op::Wait),
        1 => (0..1_i64).prop_map(|_| Op::Promote),
        3 => (REPS, any_skills(), any_hours(), 0..30_usize).prop_map(|(rep, skills, hours, limit)| {
            Op::Look { rep, skills, hours, limit }
        }),
        1 => (0..1_i64).prop_map(|_| Op::Stage),
        3 => draft().prop_map(Op::PutStaged),
        1 => (1..=LEAD_COUNT, age()).prop_map(|(lead, age)| Op::RemoveStaged { lead, age }),
        1 => (0..4_usize).prop_map(Op::Swap),
        1 => (1..1_000_i64).prop_map(Op::Rerank),
    ]
}

/// Runs that many sequences against engines that `open` makes.
pub(super) fn check<Q: LeadQueue>(case_count: u32, open: impl AsyncFn() -> Q) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { failure_persistence: None, cases: case_count, ..Config::default() };
    let ops = proptest::collection::vec(op(), 1..=OP_COUNT_MAX);
    let outcome = TestRunner::new(config).run(&ops, |ops| {
        runtime.block_on(async { Run::new(open().await).all(ops).await });
        Ok(())
    });
    outcome.unwrap();
}

/// One sequence: the engine and the oracle side by side.
struct Run<Q> {
    queue: Q,
    oracle: Oracle,
    now: i64,
    newest: i64,
    /// The line that was begun last.
    grows: Option<Generation>,
    flights: Vec<(Ask, Candidate)>,
}

impl<Q: LeadQueue> Run<Q> {
    fn new(queue: Q) -> Self {
        let oracle = Oracle::new(by(RULES));
        Self { queue, oracle, now: 0, newest: 0, grows: None, flights: Vec::new() }
    }

    async fn all(mut self, ops: Vec<Op>) {
        for op in ops {
            self.newest += 1;
            self.one(op).await;
        }
        for rep in REPS {
            let everything = self.ask(rep, u8::MAX, u8::MAX, &[], LEAD_COUNT as usize);
            self.propose(everything).await;
        }
    }

    async fn one(&mut self, op: Op) {
        match op {
            Op::Put(draft) => {
                let entry = self.entry(draft, self.oracle.basis);
                let applied = self.queue.apply(puts([entry.clone()])).await.unwrap();
                let is_older = entry.basis < self.oracle.basis;
                let is_change = self.oracle.put(entry);
                let overtaken = Vec::from_iter((is_change && is_older).then_some(QUEUE));
                assert_eq!(applied, Applied { changed_count: is_change.into(), overtaken });
            }
            Op::Remove { lead, age } => {
                let version = self.newest - age;
                let applied = self.queue.apply(vec![remove(lead, version)]).await.unwrap();
                let is_change = self.oracle.remove(LeadId(lead), version);
                assert_eq!(applied.changed_count, usize::from(is_change));
            }
            Op::Propose { rep, skills, hours, passed, count } => {
                self.propose(self.ask(rep, skills, hours, &passed, count)).await;
            }
            Op::Served(which) => self.served(which).await,
            Op::PutBack(which) => {
                if let Some((_, candidate)) = self.land(which) {
                    self.queue.put_back(QUEUE, &[candidate.lead]).await.unwrap();
                    self.oracle.put_back(candidate.lead);
                }
            }
            Op::Wait(ms) => self.now += ms,
            Op::Promote => {
                let mut call_count = 0;
                while self.queue.promote(self.now, 3).await.unwrap() == 3 {
                    call_count += 1;
                    assert!(call_count < 10 * LEAD_COUNT, "it never finishes");
                }
                self.oracle.promote(self.now);
            }
            Op::Look { rep, skills, hours, limit } => {
                self.look(self.ask(rep, skills, hours, &[], 1), limit).await;
            }
            Op::Stage
            | Op::PutStaged(_)
            | Op::RemoveStaged { .. }
            | Op::Swap(_)
            | Op::Rerank(_) => {
                self.staged(op).await;
            }
        }
    }

    async fn staged(&mut self, op: Op) {
        match op {
            Op::PutStaged(draft) => {
                let staged = self.oracle.staged.as_ref();
                let basis = staged.map_or(self.oracle.basis, |staged| staged.basis);
                let entry = self.entry(draft, basis);
                self.tell_staged(puts([entry.clone()])).await;
                self.oracle.put_staged(entry);
            }
            Op::RemoveStaged { lead, age } => {
                let version = self.newest - age;
                self.tell_staged(vec![remove(lead, version)]).await;
                self.oracle.remove_staged(LeadId(lead), version);
            }
            Op::Rerank(seed) => self.rerank(seed).await,
            Op::Swap(carried_max) => self.swap(carried_max).await,
            _ => self.stage().await,
        }
    }

    async fn stage(&mut self) {
        let mut basis = self.oracle.basis;
        match self.newest % 2 {
            0 => basis.rule_version += 1,
            _ => basis.lane_version += 1,
        }
        self.grows = Some(self.queue.stage(QUEUE, basis).await.unwrap());
        self.oracle.stage(basis);
    }

    /// Tells the staged line, if there is one: it is the one that was begun last.
    async fn tell_staged(&self, updates: Vec<Update>) {
        let Some(grows) = self.grows else { return };
        let told = self.queue.apply_staged(QUEUE, grows, updates).await;
        match self.oracle.staged {
            Some(_) => told.unwrap(),
            None => assert!(matches!(told, Err(QueueError::Overtaken(QUEUE)))),
        }
    }

    /// A swap, and what it takes if the staged line is behind.
    async fn swap(&mut self, carried_max: usize) {
        // What was never begun has no name.
        let Some(grows) = self.grows else { return };
        let missed = self.oracle.swap(carried_max);
        let mut leads = match self.queue.swap(QUEUE, grows, carried_max).await.unwrap() {
            Swap::Done => Vec::new(),
            Swap::Carried(leads) | Swap::Behind(leads) => leads,
        };
        leads.sort_unstable();
        assert_eq!(leads, missed);
        let staged = self.queue.staged(QUEUE).await.unwrap();
        assert_eq!(staged.is_some(), self.oracle.staged.is_some());
        if staged.is_none() {
            return;
        }
        for lead in missed {
            let known = self.oracle.leads.iter().find(|known| known.entry.lead == lead);
            // As a store has it, nothing that was missed is newer.
            let newest = |known: &Known| Entry { version: self.newest, ..known.entry.clone() };
            if let Some(entry) = known.map(newest) {
                self.tell_staged(puts([entry.clone()])).await;
                self.oracle.put_staged(entry);
            } else {
                self.tell_staged(vec![remove(lead.0, self.newest)]).await;
                self.oracle.remove_staged(lead, self.newest);
            }
        }
        assert_eq!(self.queue.swap(QUEUE, grows, 0).await.unwrap(), Swap::Done);
        assert_eq!(self.oracle.swap(0), []);
    }

    async fn propose(&mut self, ask: Ask) {
        let expected = self.oracle.propose(&ask);
        let mut candidates = Vec::new();
        for call in 0.. {
            assert!(call <= LEAD_COUNT, "it never finishes");
            let left = Ask { count: ask.count - candidates.len(), ..ask.clone() };
            let proposal = self.queue.propose(&left).await.unwrap();
            assert_eq!(proposal.basis, self.oracle.basis);
            candidates.extend(proposal.candidates);
            if !proposal.is_unfinished {
                break;
            }
        }
        assert_eq!(candidates, expected);
        self.flights.extend(candidates.into_iter().map(|candidate| (ask.clone(), candidate)));
    }

    async fn served(&mut self, which: usize) {
        let Some((ask, candidate)) = self.land(which) else { return };
        let Candidate { lead, order, .. } = candidate;
        self.queue.served(QUEUE, ask.rep, lead, order, ask.reserve_after).await.unwrap();
        self.oracle.served(ask.rep, lead, order, ask.reserve_after);
    }

    async fn look(&self, ask: Ask, limit: usize) {
        assert!(self.queue.is_built(QUEUE).await.unwrap().is_some(), "it misses nothing");
        let seen = self.queue.peek(QUEUE, self.now, limit).await.unwrap();
        let ready = self.oracle.ready(self.now);
        let mut ranks: Vec<_> =
            ready.map(|entry| (entry.rank(self.now), keeper(entry, self.now))).collect();
        ranks.sort_unstable();
        assert_eq!(seen.ready_count, ranks.len());
        let first = ranks.iter().copied().take(limit);
        assert_eq!(
            seen.places.iter().map(|place| (place.rank, place.keeper)).collect::<Vec<_>>(),
            first.collect::<Vec<_>>()
        );
        for lead in (1..=LEAD_COUNT).map(LeadId) {
            let place = self.queue.place_of(QUEUE, lead, self.now).await.unwrap();
            assert_eq!(place, self.oracle.place_of(lead, self.now), "{lead:?}");
        }
        assert_eq!(self.queue.counts(&ask).await.unwrap(), self.oracle.counts(&ask));
        // Counting put in line what fell due.
        let census = self.queue.census(QUEUE).await.unwrap();
        assert_eq!(summed(census), self.oracle.census(self.now));
        assert_eq!(
            self.queue.next_due_at(QUEUE).await.unwrap(),
            self.oracle.counts(&ask).next_due_at
        );
    }

    async fn rerank(&mut self, seed: i64) {
        self.stage().await;
        for mut entry in
            self.oracle.leads.iter().map(|known| known.entry.clone()).collect::<Vec<_>>()
        {
            entry.basis = self.oracle.staged.as_ref().unwrap().basis;
            entry.worth = Worth::steady(entry.lead.0 * seed % 37);
            self.tell_staged(puts([entry.clone()])).await;
            self.oracle.put_staged(entry);
        }
        self.swap(0).await;
    }

    fn land(&mut self, which: usize) -> Option<(Ask, Candidate)> {
        let which = which.checked_rem(self.flights.len())?;
        Some(self.flights.swap_remove(which))
    }

    fn entry(&self, draft: Draft, basis: Basis) -> Entry {
        let due_at = draft.due_in.map(|due_in| self.now + due_in);
        let lead = LeadId(draft.lead);
        let first_touch = draft.released_and_due.map(|(times_released, due_in)| FirstTouchRank {
            times_released,
            due_at: self.now + due_in,
            lead,
        });
        Entry {
            lead,
            queue: QUEUE,
            version: self.newest - draft.age,
            basis: Basis {
                rule_version: basis.rule_version - draft.rule_age,
                lane_version: basis.lane_version - draft.lane_age,
            },
            tier: if draft.is_callback { Tier::Callback } else { Tier::Ordinary },
            ready_since: due_at.unwrap_or(self.now + draft.since),
            due_at,
            worth: worth(draft.head_starts, draft.ends_in, self.now),
            lane: Lane {
                skills: Arc::new(skills(draft.skills)),
                hours: HOURS.get(draft.hours).map(|hours| (*hours).into()),
            },
            keeper: draft.kept.map(|(rep, kept_for)| Keeper {
                rep: RepKey(rep),
                until: kept_for.map(|kept_for| self.now + kept_for),
            }),
            first_touch,
        }
    }

    fn ask(&self, rep: i64, has: u8, hours: u8, passed: &[i64], count: usize) -> Ask {
        let open = HOURS.iter().enumerate().filter(|(bit, _)| hours >> bit & 1 == 1);
        let open = open.map(|(_, hours)| (*hours).into()).collect();
        Ask {
            queue: QUEUE,
            rep: RepKey(rep),
            skills: Arc::new(skills(has)),
            hours: Arc::new(OpenHours { number: hours.into(), open }),
            reserve_after: 2,
            passed: passed.iter().copied().map(LeadId).collect(),
            count,
            now: self.now,
        }
    }
}

/// A worth whose head starts fall, each ending after the one before it.
fn worth(mut head_starts: [i64; 3], mut ends_in: Vec<i64>, now: i64) -> Worth {
    head_starts.sort_unstable_by(|a, b| b.cmp(a));
    ends_in.sort_unstable();
    let mut steps = (0..=ends_in.len()).map(|step| WorthStep {
        head_start_ms: head_starts[step],
        until: ends_in.get(step).map(|ends_in| now + ends_in),
    });
    let first = steps.next().unwrap();
    Worth { head_start_ms: first.head_start_ms, until: first.until, later: steps.collect() }
}

fn skills(bits: u8) -> BTreeSet<String> {
    let has = SKILLS.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    has.map(|(_, skill)| (*skill).to_owned()).collect()
}

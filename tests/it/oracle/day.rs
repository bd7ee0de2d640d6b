//! One random day: a company, a node of its own, and steps that the dice choose. Whatever the node answers
//! is held against the model.

use std::collections::HashMap;
use std::fmt;

use jiff::civil::Date;
use nextlead::api::proto;
use nextlead::clock::ManualClock;
use proto::ServeOrder;
use tempfile::TempDir;

use super::company::{Campaign, QUEUES, Queue, Rep};
use super::dice::Dice;
use super::documents::Document;
use super::model::Model;
use super::walls::{midnight, wall};
use crate::ground::{Ground, is_index_shared};
use crate::support::{DAY_MS, HOUR_MS, TestNode};

/// The days before clocks change in the United States, in Europe and in Australia, to summer time and
/// back, and two on which none does: the week of Thanksgiving, and an election day.
const DATES: [&str; 8] = [
    "2026-10-31",
    "2026-10-24",
    "2026-10-03",
    "2027-03-13",
    "2027-03-27",
    "2027-04-03",
    "2026-11-25",
    "2026-11-02",
];
const CAMPAIGNS: [(&str, usize); 4] = [("spring", 0), ("autumn", 0), ("fair", 1), ("web", 1)];
const REPS: [(&str, usize); 7] =
    [("ann", 0), ("bob", 0), ("cid", 0), ("dan", 0), ("eve", 1), ("fay", 1), ("gus", 1)];

/// What happened on a day, in numbers.
#[derive(Clone, Default)]
pub(super) struct Tally {
    pub(super) days: u64,
    pub(super) pulls: u64,
    pub(super) touches: u64,
    pub(super) restarts: u64,
    pub(super) handovers: u64,
    pub(super) refusals: u64,
    pub(super) served: HashMap<ServeOrder, u64>,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.days += other.days;
        self.pulls += other.pulls;
        self.touches += other.touches;
        self.restarts += other.restarts;
        self.handovers += other.handovers;
        self.refusals += other.refusals;
        for (order, count) in &other.served {
            *self.served.entry(*order).or_default() += count;
        }
    }

    pub(super) fn served(&self, order: ServeOrder) -> u64 {
        self.served.get(&order).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { days, pulls, touches, restarts, handovers, refusals, .. } = self;
        let served = [ServeOrder::Callback, ServeOrder::FirstTouch, ServeOrder::Ordinary];
        let [callbacks, first_touches, ordinary] = served.map(|order| self.served(order));
        write!(
            formatter,
            "{days} days, {handovers} handovers, {pulls} pulls ({callbacks} callbacks, \
             {first_touches} first touches and {ordinary} others served), {touches} touches, \
             {refusals} refusals, {restarts} restarts"
        )
    }
}

pub(super) struct Day {
    seed: u64,
    step: usize,
    /// What was done, for whoever has to find out why it went wrong.
    story: Vec<String>,
    node: Option<TestNode>,
    pub(super) model: Model,
    pub(super) dice: Dice,
    pub(super) tally: Tally,
}

impl Drop for Day {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let begins = self.story.len().saturating_sub(40);
            let last = self.story[begins..].join("\n  ");
            let (seed, step) = (self.seed, self.step);
            eprintln!("the day of seed {seed} went wrong at step {step}, after:\n  {last}");
        }
    }
}

impl Day {
    pub(super) async fn start(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let date: Date = DATES[usize::try_from(seed).unwrap() % DATES.len()].parse().unwrap();
        let now = midnight(date, "UTC") + dice.minutes(0, 24 * 60);
        let mut model = Model { now, ..Model::default() };
        for id in QUEUES {
            let rules = Document::any(&mut dice, date);
            model.queues.push(Queue::any(&mut dice, id, rules));
        }
        for (id, queue) in CAMPAIGNS {
            let is_dutch = dice.one_in(4);
            model.campaigns.push(Campaign { id, queue, is_dutch, is_paused: false, ends_at: None });
        }
        model.reps = REPS.iter().map(|(id, queue)| Rep::any(&mut dice, id, *queue)).collect();
        let node = TestNode::start_bare(TempDir::new().unwrap(), ManualClock::at(now)).await;
        let (story, tally) = (Vec::new(), Tally { days: 1, ..Tally::default() });
        let mut day = Self { seed, step: 0, story, node: Some(node), model, dice, tally };
        day.set_up().await;
        day
    }

    /// Has the server know the company.
    async fn set_up(&mut self) {
        for nth in 0..QUEUES.len() {
            let queue = Some(self.model.queues[nth].message());
            let request = proto::UpsertQueueRequest { queue, ..Default::default() };
            self.node().queues.upsert_queue(request).await.unwrap();
        }
        for nth in 0..QUEUES.len() {
            self.publish_anew(nth).await;
        }
        for nth in 0..CAMPAIGNS.len() {
            self.put_campaign(nth).await;
        }
        for nth in 0..REPS.len() {
            self.put_rep(nth).await;
        }
        for _ in 0..12 {
            self.hand_over().await;
        }
    }

    pub(super) fn node(&mut self) -> &mut TestNode {
        self.node.as_mut().unwrap()
    }

    pub(super) fn tell(&mut self, what: String) {
        let since = self.model.now.div_euclid(1_000);
        let at = jiff::Timestamp::from_second(since).unwrap();
        self.story.push(format!("{} {at} {what}", self.step));
    }

    pub(super) fn today(&self) -> Date {
        wall("UTC", self.model.now).date
    }

    /// A lead that is not looked at for the first time, mostly one of the last.
    pub(super) fn some_lead(&mut self) -> Option<usize> {
        let count = self.model.leads.len();
        let recent = count.min(if self.dice.one_in(3) { count } else { 20 });
        (count > 0).then(|| count - 1 - self.dice.place(recent))
    }

    pub(super) async fn pass_time(&mut self, ms: i64) {
        self.node().pass_time(ms).await;
        let now = self.model.now + ms;
        self.model.pass_time(now);
    }

    /// How long until the next step: seconds mostly, sometimes hours, to the minute or not.
    async fn let_time_pass(&mut self) {
        let is_idle = self.model.leads.iter().all(|lead| lead.lease.is_none());
        let ms = match self.dice.below(if is_idle { 6 } else { 40 }) {
            0 => self.dice.below(8 * HOUR_MS),
            1..3 => self.dice.minutes(0, 120),
            _ => self.dice.below(240) * 1_000 + self.dice.below(2),
        };
        let now = self.model.now + ms;
        let is_swept = self.model.needs_sweep(now) || self.dice.one_in(2);
        self.tell(format!("{} s pass, and it is swept: {is_swept}", ms / 1_000));
        if is_swept {
            self.pass_time(ms).await;
        } else {
            self.node().clock.advance(ms);
            self.model.pass_time(now);
        }
    }

    /// The node stops and another starts on its store; sometimes all that Redis holds is gone.
    async fn restart(&mut self) {
        let is_wiped = self.dice.one_in(2);
        self.tell(format!("the node starts again, its index wiped: {is_wiped}"));
        let node = self.node.take().unwrap();
        let ground = Ground::of(node.folder.path());
        let (folder, clock) = node.end().await;
        if let Some(Ground { queue: Some(url), prefix, .. }) = ground.filter(|_| is_wiped) {
            wipe(&url, &prefix).await;
        }
        self.node = Some(TestNode::start_bare(folder, clock).await);
        self.tally.restarts += 1;
        // Debts live in the index; a missing one counts as full.
        self.model.debts.retain(|_, _| is_index_shared() && !is_wiped);
    }

    pub(super) async fn run(mut self, step_count: usize) -> Tally {
        let restarts = [step_count / 3, step_count * 2 / 3, step_count - 1];
        for step in 0..step_count {
            self.step = step;
            if restarts.contains(&step) {
                self.restart().await;
            }
            self.step().await;
        }
        self.pass_time(DAY_MS).await;
        self.check_all().await;
        self.tally.clone()
    }

    async fn step(&mut self) {
        let mut rep = self.dice.place(REPS.len());
        if self.model.may_pull(rep).is_err() && !self.dice.one_in(8) {
            rep = self.dice.place(REPS.len());
        }
        let is_holding = self.model.held_by(rep).is_some();
        match self.dice.below(40) {
            0..8 => self.let_time_pass().await,
            8 => self.hand_over().await,
            9..12 => self.desk().await,
            12 if is_holding => self.renew(rep).await,
            13 if is_holding => self.skip(rep).await,
            14 => self.touch_late().await,
            15..34 if is_holding => self.touch(rep).await,
            _ => self.pull(rep).await,
        }
    }
}

/// Drops all that a Redis holds for one node.
async fn wipe(url: &str, prefix: &str) {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut all = redis::cmd("KEYS");
    all.arg(format!("*{prefix}*"));
    let keys: Vec<String> = all.query_async(&mut connection).await.unwrap();
    assert!(!keys.is_empty(), "the index was there");
    redis::cmd("DEL").arg(keys).exec_async(&mut connection).await.unwrap();
}

//! The index in Redis, shared by all nodes: sorted sets, changed by scripts that are one step each.
//!
//! `line.lua` says which keys there are. A pull is one script that looks at the first leads of the few
//! groups of lanes that the rep's skills cover, of those whose hours are open; what it finds is what
//! the index in memory would find. Redis is told what to do and never believed: an answer that makes
//! no sense is an error, and one that makes sense is still only a hint.

mod batch;
mod bounded;
mod directory;
mod link;
mod measures;
mod record;
mod reply;
mod script;
mod views;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use redis::Value;

use crate::domain::{LeadId, QueueKey, Rank, RepKey, ServeOrder};
use crate::queue::{
    Applied, Ask, BEHIND_COUNT_MAX, Basis, Candidate, Census, Counts, FLIGHT_MS_MAX, Generation,
    KnownSlice, LeadQueue, Proposal, QueueError, Snapshot, Swap, Update,
};

use batch::Line;
use directory::{Directories, Directory};
use link::{Link, RedisProblem};
use record::{basis_numbers, generation_name, generation_of, lead_bytes, skills_text, tier_of};
use reply::Reply;

pub use measures::RedisMeasures;

/// How often a call that met lanes unknown to it learns them and tries again.
const LEARN_COUNT_MAX: usize = 16;
/// Which share of the time that an answer is waited for a commit waits at most.
const PATIENCE_SHARE: u32 = 6;
/// How many lanes of a dropped generation are cleared away at a time.
const DROPPED_LANES_A_STEP: usize = 256;

/// How an index in Redis is reached.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// What all keys begin with, so that several installations may share a server.
    pub prefix: String,
    /// How long an answer is waited for, and how long a connection.
    pub timeout: Duration,
}

impl RedisOptions {
    /// How long is waited unless told otherwise: a pull waits for no more than it notices.
    pub const TIMEOUT_DEFAULT: Duration = Duration::from_millis(300);
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self { prefix: "nextlead".to_owned(), timeout: Self::TIMEOUT_DEFAULT }
    }
}

/// An address that is none of a Redis server.
#[derive(Debug, thiserror::Error)]
#[error("the address of Redis makes no sense")]
pub struct RedisAddressProblem(#[source] Box<dyn std::error::Error + Send + Sync>);

/// The index of each queue, in Redis.
#[derive(Debug)]
pub struct RedisQueue {
    link: Arc<Link>,
    prefix: String,
    directories: Mutex<Directories>,
    /// How often an index was looked over.
    look_count: AtomicU64,
}

impl RedisQueue {
    /// The index in the server at `urls`, or in the cluster of which several addresses are given,
    /// parted by commas. A server that is out of reach is looked for in the background; calls fail
    /// until it is found. To be called where a tokio runtime runs.
    pub async fn open(urls: &str, options: RedisOptions) -> Result<Self, RedisAddressProblem> {
        let link = Link::open(urls, &options.prefix, options.timeout).await;
        let link = link.map_err(|problem| RedisAddressProblem(Box::new(problem)))?;
        Ok(Self {
            link,
            prefix: options.prefix,
            directories: Mutex::default(),
            look_count: AtomicU64::new(0),
        })
    }

    /// What it counts of itself.
    pub fn measures(&self) -> &RedisMeasures {
        &self.link.measures
    }

    /// The key of a queue, whose hash tag all its keys share.
    fn key(&self, queue: QueueKey) -> String {
        format!("{{{}:{}}}", self.prefix, queue.0)
    }

    async fn run(
        &self,
        queue: QueueKey,
        script: &script::Script,
        arguments: &[&[u8]],
    ) -> Result<Value, RedisProblem> {
        self.link.run(script, &self.key(queue), arguments).await
    }

    /// Counts an answer that makes no sense.
    fn sensible<T>(&self, answer: Result<T, RedisProblem>) -> Result<T, QueueError> {
        if let Err(RedisProblem::Nonsense(_)) = &answer {
            self.link.measures.nonsense.inc();
        }
        Ok(answer?)
    }

    /// Runs a script that answers 0 if there is no index.
    async fn run_plain(
        &self,
        queue: QueueKey,
        script: &script::Script,
        arguments: &[&[u8]],
    ) -> Result<(), QueueError> {
        match self.run(queue, script, arguments).await? {
            Value::Int(0) => Err(QueueError::NotBuilt(queue)),
            Value::Int(1) => Ok(()),
            _ => self.sensible(Err(RedisProblem::Nonsense("0 or 1"))),
        }
    }

    async fn propose_once(
        &self,
        ask: &Ask,
        directory: &Directory,
    ) -> Result<Option<Proposal>, QueueError> {
        let numbers = [
            ask.now,
            ask.rep.0,
            ask.reserve_after.into(),
            i64::try_from(ask.count).unwrap_or(i64::MAX),
            ask.now.saturating_add(FLIGHT_MS_MAX),
        ];
        let numbers = numbers.map(|number| number.to_string());
        let lane_count = directory.lanes.len().to_string();
        let covered = directory.covered(&ask.skills);
        let passed: Vec<u8> = ask.passed.iter().copied().flat_map(lead_bytes).collect();
        let mut arguments: Vec<&[u8]> = numbers.iter().map(String::as_bytes).collect();
        let (open, skills) = (directory.open_bits(&ask.hours), skills_text(&ask.skills));
        arguments.extend([&directory.generation[..], lane_count.as_bytes(), &open]);
        arguments.extend([&covered.callbacks[..], &covered.others, &passed, &skills]);
        let answer = self.run(ask.queue, &script::PROPOSE, &arguments).await?;
        let mut reply = self.sensible(Reply::new(answer))?;
        let is_known = self.sensible(self.is_known(directory, &mut reply))?;
        match is_known {
            None => {
                self.know(ask.queue, Arc::default());
                Err(QueueError::NotBuilt(ask.queue))
            }
            Some(true) => self.sensible(proposal(reply, ask.count)).map(Some),
            Some(false) => Ok(None),
        }
    }

    async fn promote_one(
        &self,
        queue: QueueKey,
        now: i64,
        limit: usize,
    ) -> Result<usize, QueueError> {
        let arguments = [now.to_string(), limit.to_string()];
        let arguments = arguments.each_ref().map(String::as_bytes);
        let answer = self.run(queue, &script::PROMOTE, &arguments).await?;
        let mut reply = self.sensible(Reply::new(answer))?;
        let promoted = self.sensible(reply.count())?;
        if promoted > limit {
            return self.sensible(Err(RedisProblem::Nonsense("fewer leads")));
        }
        if self.sensible(reply.number())? != 0 {
            self.drop_old(queue).await?;
        }
        Ok(promoted)
    }

    fn note_loss(&self, queue: QueueKey) {
        tracing::warn!(queue.key = queue.0, "Redis lost part of an index; it is built again");
        self.link.measures.losses.inc();
    }

    /// Clears away what is left of a line that went just now, if it can: promoting does so later.
    async fn clear_away(&self, queue: QueueKey) {
        if let Err(error) = self.drop_old(queue).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "an old line is still there");
        }
    }

    /// Clears away what is left of generations that are no longer used.
    async fn drop_old(&self, queue: QueueKey) -> Result<(), QueueError> {
        let lanes = DROPPED_LANES_A_STEP.to_string();
        // A generation has a bounded number of lanes, and few are dropped at a time.
        for _ in 0..1_000 {
            match self.run(queue, &script::DROP, &[lanes.as_bytes()]).await? {
                Value::Int(0) => break,
                Value::Int(1) => {}
                _ => return self.sensible(Err(RedisProblem::Nonsense("0 or 1"))),
            }
        }
        Ok(())
    }

    /// A generation that no other ever was: a queue that was wiped is never taken for the one that was
    /// known before.
    fn new_generation() -> Generation {
        let mut bits = [0; 8];
        getrandom::fill(&mut bits).expect("the operating system gives random bits");
        Generation(u64::from_be_bytes(bits))
    }
}

/// Reads what comes after the generation and the number of lanes.
fn proposal(mut reply: Reply, count: usize) -> Result<Proposal, RedisProblem> {
    let basis = reply.basis()?;
    let is_unfinished = reply.number()? != 0;
    let mut candidates = Vec::new();
    while !reply.is_empty() {
        if candidates.len() >= count {
            return Err(RedisProblem::Nonsense("fewer candidates"));
        }
        let lead = reply.lead()?;
        let version = reply.number()?;
        let order = match reply.number()? {
            0 => ServeOrder::Callback,
            1 => ServeOrder::FirstTouch,
            2 => ServeOrder::Ordinary,
            _ => return Err(RedisProblem::Nonsense("an order")),
        };
        let tier = tier_of(reply.number()?).ok_or(RedisProblem::Nonsense("a tier"))?;
        let virtual_since = reply.number()?;
        let head_start_ms = reply.number()?;
        let first_touch_due_at = reply.maybe_instant()?;
        let rank = Rank { tier, virtual_since, lead };
        candidates.push(Candidate {
            lead,
            version,
            order,
            rank,
            head_start_ms,
            first_touch_due_at,
        });
    }
    Ok(Proposal { basis, candidates, is_unfinished })
}

#[async_trait]
impl LeadQueue for RedisQueue {
    async fn begin(&self, queue: QueueKey, basis: Basis) -> Result<(), QueueError> {
        let [rules, lanes] = basis_numbers(basis);
        let arguments = [generation_name(Self::new_generation()), rules, lanes];
        self.run_plain(queue, &script::BEGIN, &arguments.each_ref().map(String::as_bytes)).await
    }

    async fn is_built(&self, queue: QueueKey) -> Result<Option<Basis>, QueueError> {
        let call_count = self.look_count.fetch_add(1, Ordering::Relaxed).to_string();
        let answer = self.run(queue, &script::DUE, &[call_count.as_bytes()]).await?;
        let mut reply = self.sensible(Reply::new(answer))?;
        let Some(rule_version) = self.sensible(reply.maybe_number())? else {
            if !reply.is_empty() {
                self.note_loss(queue);
            }
            return Ok(None);
        };
        let lane_version = self.sensible(reply.number())?;
        Ok(Some(Basis { rule_version, lane_version }))
    }

    async fn apply(&self, updates: Vec<Update>) -> Result<Applied, QueueError> {
        self.apply_to(Line::InUse, updates).await
    }

    async fn differing(
        &self,
        queue: QueueKey,
        updates: &[Update],
    ) -> Result<Vec<LeadId>, QueueError> {
        self.look_at(queue, updates).await
    }

    /// A commit is not held up for as long as a pull: what it tells the index late is a hint still.
    fn patience(&self) -> Option<Duration> {
        Some(self.link.timeout() / PATIENCE_SHARE)
    }

    fn reached_count(&self) -> u64 {
        self.link.number()
    }

    async fn propose(&self, ask: &Ask) -> Result<Proposal, QueueError> {
        let mut directory = self.directory(ask.queue);
        for _ in 0..LEARN_COUNT_MAX {
            if let Some(proposal) = self.propose_once(ask, &directory).await? {
                return Ok(proposal);
            }
            directory = self.learn(ask.queue).await?;
        }
        // Lanes join by the thousand at most, and each call learns all there are: what it still does not
        // know after so many, the index cannot tell, as part of it was taken away.
        Err(QueueError::NotBuilt(ask.queue))
    }

    async fn served(
        &self,
        queue: QueueKey,
        rep: RepKey,
        lead: LeadId,
        order: ServeOrder,
        reserve_after: u32,
    ) -> Result<(), QueueError> {
        let order = match order {
            ServeOrder::Callback => "0",
            ServeOrder::FirstTouch => "1",
            ServeOrder::Ordinary => "2",
        };
        let (rep, after) = (rep.0.to_string(), reserve_after.to_string());
        let lead = lead_bytes(lead);
        let arguments = [&lead[..], rep.as_bytes(), order.as_bytes(), after.as_bytes()];
        self.run_plain(queue, &script::SERVED, &arguments).await
    }

    async fn put_back(&self, queue: QueueKey, leads: &[LeadId]) -> Result<(), QueueError> {
        let leads: Vec<u8> = leads.iter().copied().flat_map(lead_bytes).collect();
        self.run_plain(queue, &script::PUT_BACK, &[&leads]).await
    }

    async fn promote(&self, now: i64, limit: usize) -> Result<usize, QueueError> {
        let queues = self.queues_asked_about();
        let (mut done, mut failed) = (0, None);
        for queue in queues {
            // One queue that is out of reach, or lost part of its index, holds up no other.
            match self.promote_one(queue, now, limit - done).await {
                Ok(promoted) => done += promoted,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(done), Err)
    }

    async fn next_due_at(&self, queue: QueueKey) -> Result<Option<i64>, QueueError> {
        let answer = self.run(queue, &script::DUE, &[]).await?;
        let mut reply = self.sensible(Reply::new(answer))?;
        match self.sensible(reply.maybe_number())? {
            None => Err(QueueError::NotBuilt(queue)),
            Some(_) => {
                self.sensible(reply.number())?;
                self.sensible(reply.maybe_number())
            }
        }
    }

    async fn counts(&self, ask: &Ask) -> Result<Counts, QueueError> {
        self.count_for(ask).await
    }

    async fn census(&self, queue: QueueKey) -> Result<Census, QueueError> {
        self.count_all(queue).await
    }

    async fn hours(&self, queue: QueueKey) -> Result<Vec<Arc<str>>, QueueError> {
        let known = self.directory(queue);
        if known.generation.is_empty() {
            return Ok(self.learn(queue).await?.hours());
        }
        Ok(known.hours())
    }

    async fn peek(&self, queue: QueueKey, now: i64, limit: usize) -> Result<Snapshot, QueueError> {
        self.snapshot(queue, now, limit).await
    }

    async fn place_of(
        &self,
        queue: QueueKey,
        lead: LeadId,
        now: i64,
    ) -> Result<Option<(usize, usize)>, QueueError> {
        self.place(queue, lead, now).await
    }

    async fn known(
        &self,
        queue: QueueKey,
        from: u64,
        limit: usize,
    ) -> Result<KnownSlice, QueueError> {
        self.slice(queue, from, limit).await
    }

    async fn stage(&self, queue: QueueKey, basis: Basis) -> Result<Generation, QueueError> {
        let [rules, lanes] = basis_numbers(basis);
        let generation = Self::new_generation();
        let arguments = [generation_name(generation), rules, lanes];
        self.run_plain(queue, &script::STAGE, &arguments.each_ref().map(String::as_bytes)).await?;
        self.clear_away(queue).await;
        Ok(generation)
    }

    async fn staged(&self, queue: QueueKey) -> Result<Option<Generation>, QueueError> {
        let generation = match self.run(queue, &script::STAGED, &[]).await? {
            Value::Nil => return Ok(None),
            Value::BulkString(name) => generation_of(&name),
            _ => None,
        };
        self.sensible(generation.map(Some).ok_or(RedisProblem::Nonsense("a generation")))
    }

    async fn apply_staged(
        &self,
        queue: QueueKey,
        generation: Generation,
        updates: Vec<Update>,
    ) -> Result<(), QueueError> {
        if updates.is_empty() {
            return self.apply_nothing(queue, Line::Staged(generation)).await;
        }
        // Each update says of which queue it is.
        self.apply_to(Line::Staged(generation), updates).await.map(drop)
    }

    async fn unstage(&self, queue: QueueKey, generation: Generation) -> Result<(), QueueError> {
        let name = generation_name(generation);
        self.run_plain(queue, &script::UNSTAGE, &[name.as_bytes()]).await?;
        self.clear_away(queue).await;
        Ok(())
    }

    async fn swap(
        &self,
        queue: QueueKey,
        generation: Generation,
        carried_max: usize,
    ) -> Result<Swap, QueueError> {
        let numbers = [BEHIND_COUNT_MAX, carried_max.min(BEHIND_COUNT_MAX)];
        let [behind, carried] = numbers.map(|number| number.to_string());
        let arguments = [behind, generation_name(generation), carried];
        let arguments = arguments.each_ref().map(String::as_bytes);
        let answer = self.run(queue, &script::SWAP, &arguments).await?;
        let mut reply = self.sensible(Reply::new(answer))?;
        let outcome = self.sensible(reply.number())?;
        let mut leads = Vec::new();
        while !reply.is_empty() && leads.len() < BEHIND_COUNT_MAX {
            leads.push(self.sensible(reply.lead())?);
        }
        match outcome {
            0 => return Err(QueueError::Overtaken(queue)),
            1 => {}
            _ => return Ok(Swap::Behind(leads)),
        }
        // It is in use, whatever becomes of the rest: the next pull learns its lanes, too.
        if let Err(error) = self.learn(queue).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "lanes are not learnt yet");
        }
        self.clear_away(queue).await;
        Ok(if leads.is_empty() { Swap::Done } else { Swap::Carried(leads) })
    }
}

//! The index of each queue: lanes of ready leads, in the order in which they are served.
//!
//! The store is the truth, and everything in here is a hint: it can be dropped and built again at
//! any time, and the store turns down what no longer holds. Every engine passes
//! `tests/conformance/queue.rs`.
//!
//! A *lane* holds the leads of one queue that the same reps may take at the same hours. A pull
//! compares the heads of the lanes that are open to the rep, and those of the rep's own list: the leads
//! that are *kept* for one rep, who owns them or promised to call. What was proposed is *in flight* until
//! its commit is known, so no way out forgets a lead: it is either served, put back, or put back by
//! [`LeadQueue::promote`] when its deadline has passed.

mod lane;
mod memory;
mod redis;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{FirstTouchRank, LeadId, QueueKey, Rank, RepKey, ServeOrder, Tier, Worth};

pub use lane::Lane;
pub use memory::MemoryQueue;
pub use redis::{RedisAddressProblem, RedisMeasures, RedisOptions, RedisQueue};

/// The most lanes of one queue; leads beyond it share a coarser lane and are checked at selection.
pub const LANE_COUNT_MAX: usize = 4_096;
/// The most leads that one [`Swap::Behind`] names.
pub const BEHIND_COUNT_MAX: usize = 10_000;
/// How long a proposed lead stays in flight before it is put back, should its pull have died.
pub const FLIGHT_MS_MAX: i64 = 60_000;

/// By what leads are ranked. Of two of a queue the greater one is the newer: whoever knows the newest
/// rules and the newest lanes has the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Basis {
    /// The version of the rules that worths follow from.
    pub rule_version: i64,
    /// The version of what lanes are made of: grows with every change of the skills that the queue's
    /// campaigns need.
    pub lane_version: i64,
}

impl Basis {
    /// Whether neither its rules nor its lanes are older than those of another.
    pub fn covers(&self, other: Self) -> bool {
        self.rule_version >= other.rule_version && self.lane_version >= other.lane_version
    }
}

/// For whom a lead is kept: nobody else is offered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// The rep.
    pub rep: RepKey,
    /// From this instant on it is anyone's, and where it stands does not change; `None`: it is kept
    /// until a newer entry says otherwise. An instant before the lead is due is as good as that one.
    pub until: Option<i64>,
}

impl Keeper {
    /// Whether it is still kept at `now`.
    pub fn holds_at(&self, now: i64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A lead in line, or on its way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The lead.
    pub lead: LeadId,
    /// Its queue.
    pub queue: QueueKey,
    /// The number of its last ledger event; an entry older than what is known is ignored.
    pub version: i64,
    /// What its worth and its lane follow from. Of two entries of one version, that of the newer basis
    /// is the newer one.
    pub basis: Basis,
    /// Its tier.
    pub tier: Tier,
    /// Since when it has been ready, or from when on it will be.
    pub ready_since: i64,
    /// `Some`: it waits, and is ready from this instant on (which is its `ready_since`).
    pub due_at: Option<i64>,
    /// What it is worth.
    pub worth: Worth,
    /// Its lane.
    pub lane: Lane,
    /// For whom it is kept; `None`: for nobody. Its lane counts all the same: a keeper who lacks a skill,
    /// or while its hours are closed, is not offered it.
    pub keeper: Option<Keeper>,
    /// Where it stands in the order of first touches; `None` once it was touched.
    pub first_touch: Option<FirstTouchRank>,
}

impl Entry {
    /// Its rank at `now`.
    pub fn rank(&self, now: i64) -> Rank {
        Rank::new(self.tier, self.ready_since, self.worth.at(now).head_start_ms, self.lead)
    }
}

/// A change of the index, in the order of the commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// The lead is in line, or waits.
    Put(Box<Entry>),
    /// The lead is not in line any more: leased or closed.
    Remove {
        /// Its queue.
        queue: QueueKey,
        /// The lead.
        lead: LeadId,
        /// The number of its last ledger event.
        version: i64,
    },
}

/// The hours that are open at an instant. Made once and shared by the pulls of that instant.
#[derive(Clone, Debug, Default)]
pub struct OpenHours {
    /// Tells one set from another, so that an engine may keep what it derived from it. Two different
    /// sets never have the same number.
    pub number: u64,
    /// The names of [`Lane::hours`] that are open.
    pub open: BTreeSet<Arc<str>>,
}

/// What a pull asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The queue.
    pub queue: QueueKey,
    /// The rep.
    pub rep: RepKey,
    /// What the rep can do.
    pub skills: Arc<BTreeSet<String>>,
    /// The hours that are open.
    pub hours: Arc<OpenHours>,
    /// After how many ordinary pulls of this rep one is kept for the untouched; at least 1.
    pub reserve_after: u32,
    /// Leads that this rep is not to be offered now; few.
    pub passed: Vec<LeadId>,
    /// How many candidates are wanted, best first; at least 1.
    pub count: usize,
    /// The instant.
    pub now: i64,
}

/// A lead that a pull may take. It is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The lead.
    pub lead: LeadId,
    /// The version that was in line.
    pub version: i64,
    /// By which order it was chosen.
    pub order: ServeOrder,
    /// Its rank at the instant of the pull.
    pub rank: Rank,
    /// Its head start at the instant of the pull, in milliseconds.
    pub head_start_ms: i64,
    /// When it is to be touched for the first time, if it was not.
    pub first_touch_due_at: Option<i64>,
}

/// The answer to an [`Ask`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// What the index in use was ranked by.
    pub basis: Basis,
    /// The candidates, best first: each is what would be chosen if those before it were not there.
    pub candidates: Vec<Candidate>,
    /// The bounded work of this call was not enough to be sure of the next candidate: so many leads
    /// fell due or lost value at once. Ask again.
    pub is_unfinished: bool,
}

impl Proposal {
    /// The leads that are in flight with it.
    pub fn leads(&self) -> Vec<LeadId> {
        self.candidates.iter().map(|candidate| candidate.lead).collect()
    }
}

/// What became of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many of them changed anything: the others were known, or outdated.
    pub changed_count: usize,
    /// The queues in which a lead was ranked by an older basis than that of the index in use. It was
    /// taken in as it is: who sent it learns the newer one, and sends it again.
    pub overtaken: Vec<QueueKey>,
}

/// How a [`LeadQueue::swap`] went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The second index is in use.
    Done,
    /// The second index is in use, though it was not told how these leads changed: each is as the index
    /// before had it, if there was one. They are to be sent again.
    Carried(Vec<LeadId>),
    /// Nothing is changed yet: these leads changed in the index in use since the second one was begun,
    /// and the second one was not told (another node did not know of it, say). At most
    /// [`BEHIND_COUNT_MAX`] of them; once they are given to [`LeadQueue::apply_staged`], try again.
    Behind(Vec<LeadId>),
}

/// What tells one second index of a queue from every other: see [`LeadQueue::stage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(pub u64);

/// A slice of what an index holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownSlice {
    /// Leads in line, waiting or in flight, each with its version; one may come twice.
    pub leads: Vec<(LeadId, i64)>,
    /// Where the next slice begins; `None`: this was the last.
    pub next: Option<u64>,
}

/// What stands in a queue, seen by a rep who got nothing.
///
/// What is kept for this rep is counted like what is kept for nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ready in lanes open to the rep.
    pub open: usize,
    /// Ready in lanes that the rep has the skills for, whose hours are closed.
    pub closed: usize,
    /// Ready in lanes that the rep lacks a skill for.
    pub unskilled: usize,
    /// Ready, and nobody can say when they may be called.
    pub unroutable: usize,
    /// Ready and kept for other reps, whatever their lanes.
    pub kept: usize,
    /// Waiting for an instant, for whomever.
    pub waiting: usize,
    /// As [`LeadQueue::next_due_at`].
    pub next_due_at: Option<i64>,
    /// In flight or leased is not known here: in flight.
    pub in_flight: usize,
}

/// What stands in a queue, whoever looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Each lane that has ready leads kept for nobody, and how many; in no order. A coarser lane shows no
    /// skills.
    pub lanes: Vec<(Lane, usize)>,
    /// The same of ready leads that are kept, by who they are kept for.
    pub kept: Vec<(RepKey, Lane, usize)>,
    /// Waiting for an instant.
    pub waiting: usize,
    /// In flight.
    pub in_flight: usize,
}

/// A place in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The lead.
    pub lead: LeadId,
    /// Its rank.
    pub rank: Rank,
    /// Its head start, in milliseconds.
    pub head_start_ms: i64,
    /// The promise of its first touch, if it was not touched.
    pub first_touch_due_at: Option<i64>,
    /// For whom it is kept: those of others are passed over by whoever pulls.
    pub keeper: Option<RepKey>,
}

/// The ready leads of a queue in the order of their rank, as they were at an instant: those that are
/// kept too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: i64,
    /// How many were ready.
    pub ready_count: usize,
    /// The first of them.
    pub places: Vec<Place>,
}

/// Why an index could not answer.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// It is out of reach for now.
    #[error("could not reach the index of the queue")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It has nothing of this queue, not even that it is empty: it was never begun, or the engine was
    /// wiped. It has to be built from the store.
    #[error("the index of queue {0:?} is not built")]
    NotBuilt(QueueKey),
    /// The second index that was meant is gone: a later one was begun, or the engine was wiped. Whoever
    /// fills it ends.
    #[error("the index on its way in queue {0:?} was overtaken")]
    Overtaken(QueueKey),
}

/// The index of each queue.
///
/// A queue has an index from [`LeadQueue::begin`] or a first [`LeadQueue::swap`] on; before that, what
/// needs one answers [`QueueError::NotBuilt`].
///
/// Bounded work: no call but [`LeadQueue::peek`], [`LeadQueue::place_of`] and [`LeadQueue::swap`] does
/// work in proportion to the number of leads; [`LeadQueue::counts`] goes through the leads that share
/// a coarser lane.
#[async_trait]
pub trait LeadQueue: Send + Sync {
    /// Gives a queue an index with nothing in it, which counts as ranked by `basis`; one that has an
    /// index keeps it as it is.
    async fn begin(&self, queue: QueueKey, basis: Basis) -> Result<(), QueueError>;

    /// What the index in use was ranked by; `None`: there is none.
    async fn is_built(&self, queue: QueueKey) -> Result<Option<Basis>, QueueError>;

    /// Takes in changes, in the order of their commits.
    ///
    /// What is newer is decided by the version and then by the basis. A [`Update::Put`] that
    /// is known, in line or in flight, changes nothing, and an older one is ignored. A newer one takes
    /// its place; with a newer version it is no longer in flight, and with a newer basis alone it stays
    /// so and is put back as that ranks it. A [`Update::Remove`] forgets the lead unless a newer version
    /// is known.
    ///
    /// [`QueueError::NotBuilt`]: the changes of other queues were taken in.
    async fn apply(&self, updates: Vec<Update>) -> Result<Applied, QueueError>;

    /// Those leads of a queue that [`LeadQueue::apply`] would change by these updates of it, each of
    /// another lead. Changes nothing.
    async fn differing(
        &self,
        queue: QueueKey,
        updates: &[Update],
    ) -> Result<Vec<LeadId>, QueueError>;

    /// How long a commit waits for its changes to be taken in before it is answered without; `None`: as
    /// long as it takes, which is no time.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Grows whenever the engine was reached anew, after it was out of reach: some of what it was told
    /// before may be gone, as when it is another one now, or one that was started again.
    fn reached_count(&self) -> u64 {
        0
    }

    /// Chooses what to serve, and takes it in flight.
    ///
    /// Only leads in lanes whose hours are open and whose skills the rep has, none that is kept for
    /// another, and none that the rep passed. In this order: the first callback that is due and kept for
    /// this rep; the first that is due and kept for nobody; the first untouched lead if the rep's
    /// debt has reached `reserve_after`; the smallest rank. What falls due by `now` is ready, what is
    /// kept until `now` is kept no more, and a worth that has ended by `now` does not count.
    async fn propose(&self, ask: &Ask) -> Result<Proposal, QueueError>;

    /// Notes that a candidate was leased: it is no longer in flight, and the rep's debt moves.
    ///
    /// An ordinary serve adds 1 up to twice `reserve_after`, a serve from the reserve takes
    /// `reserve_after` off, a callback changes nothing. A rep without a debt has `reserve_after`.
    async fn served(
        &self,
        queue: QueueKey,
        rep: RepKey,
        lead: LeadId,
        order: ServeOrder,
        reserve_after: u32,
    ) -> Result<(), QueueError>;

    /// Puts candidates that were not leased back in line, where they were, unless they changed since.
    async fn put_back(&self, queue: QueueKey, leads: &[LeadId]) -> Result<(), QueueError>;

    /// A bounded slice of what time alone changes: at most `limit` leads that fell due, were kept for
    /// long enough, lost value, or stayed in flight too long. Returns how many there were.
    async fn promote(&self, now: i64, limit: usize) -> Result<usize, QueueError>;

    /// The next instant at which time alone makes a lead of the queue ready, or anyone's.
    async fn next_due_at(&self, queue: QueueKey) -> Result<Option<i64>, QueueError>;

    /// Counts what stands in the queue, seen by the rep who asks.
    async fn counts(&self, ask: &Ask) -> Result<Counts, QueueError>;

    /// Counts what stands in the queue by lane, in time proportional to the lanes alone: the queue's, and
    /// those that each rep's own list has leads in. What fell due and was not promoted yet still waits, and
    /// what was kept for long enough is still kept.
    async fn census(&self, queue: QueueKey) -> Result<Census, QueueError>;

    /// The names of the hours that lanes of the queue have, so that the caller can say which are open.
    async fn hours(&self, queue: QueueKey) -> Result<Vec<Arc<str>>, QueueError>;

    /// The first `limit` ready leads by rank, out of a snapshot.
    async fn peek(&self, queue: QueueKey, now: i64, limit: usize) -> Result<Snapshot, QueueError>;

    /// How many ready leads go before this one, and how many are ready, of those that are kept for
    /// nobody. Of a lead that is kept, of those and the ones kept for the same rep: what that rep has
    /// before it, to whom own callbacks come before all others. `None`: it is not ready in line.
    async fn place_of(
        &self,
        queue: QueueKey,
        lead: LeadId,
        now: i64,
    ) -> Result<Option<(usize, usize)>, QueueError>;

    /// A slice of what the index in use holds, from where one before ended (0: from the beginning), so
    /// that leads which the store has in line no more can be taken out. About `limit` leads; each that
    /// stayed meanwhile comes at least once. An engine that only this process changes may answer
    /// nothing: it misses nothing.
    async fn known(
        &self,
        queue: QueueKey,
        from: u64,
        limit: usize,
    ) -> Result<KnownSlice, QueueError>;

    /// Begins a second index of a queue, empty, beside the one in use if there is one, to be ranked by
    /// `basis`; one that was begun before is dropped. [`LeadQueue::apply`] goes to the
    /// one in use alone. The answer names it to whoever fills it and puts it in use, so that nobody
    /// takes another's for their own.
    async fn stage(&self, queue: QueueKey, basis: Basis) -> Result<Generation, QueueError>;

    /// The second index of a queue, if one is on its way.
    async fn staged(&self, queue: QueueKey) -> Result<Option<Generation>, QueueError>;

    /// Takes changes of a queue into its second index, by the same rules as [`LeadQueue::apply`]; but a
    /// lead that left is remembered until the swap, as its page may have been read before and come
    /// after. [`QueueError::Overtaken`]: it is not this one that is on its way, even if there is no change
    /// to take in.
    async fn apply_staged(
        &self,
        queue: QueueKey,
        generation: Generation,
        updates: Vec<Update>,
    ) -> Result<(), QueueError>;

    /// Drops the second index of a queue, if it is this one: nobody fills it any more.
    async fn unstage(&self, queue: QueueKey, generation: Generation) -> Result<(), QueueError>;

    /// Puts the second index of a queue in use, from one instant, unless it is behind by more than
    /// `carried_max` leads. What is in flight stays so, and is put back as the new index ranks it; debts
    /// stay. Done again, it changes nothing. [`QueueError::Overtaken`]: it is not this one that is on its
    /// way.
    async fn swap(
        &self,
        queue: QueueKey,
        generation: Generation,
        carried_max: usize,
    ) -> Result<Swap, QueueError>;
}

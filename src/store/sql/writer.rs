//! Group commit: one thread owns the writing connection, drains its bounded inbox, commits once for
//! all that it found, tells the follower, and then answers everybody.
//!
//! A refused change is just an answer. A statement that fails before the commit takes the batch
//! back, and each change of it gets a transaction of its own, so that it fails nobody else. What an
//! error of the commit itself means is the database's own: see [`Writing`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::super::books::{Change, LeadRow, Seal, Slate, Tracked, decide};
use super::super::changes::{LeadRecord, Pass};
use super::super::error::StoreError;
use super::super::measures::{Moved, StoreMetrics, WriterState};
use super::super::{CommitSink, News};
use super::batch::{BATCH_COUNT_MAX, Job, Reply, Work, answer_one, batches, can_wait, commit_span};
use super::connection::Connection;
use super::failure::again;
use super::load::load;
use super::write::write;
use super::{erasure, roster};
use crate::clock::Stopwatch;
use crate::domain::{QueueKey, Standing};
use crate::failpoint;

/// How often a batch is tried again after an error that may pass.
const AGAIN_COUNT_MAX: usize = 3;

/// Who is told of every commit; set once, before the first change.
pub(in crate::store) type Follower = Arc<std::sync::OnceLock<Arc<dyn CommitSink>>>;

/// How one database is written to. One transaction is open at a time.
pub(in crate::store) trait Writing {
    /// Begins a transaction that nobody else's can overlap.
    async fn begin(&mut self) -> Result<Begun, StoreError>;
    /// The connection with the open transaction.
    fn connection(&mut self) -> &mut Connection;
    /// Commits. Whoever else writes there is told the news.
    async fn commit(&mut self, news: &CommitNews) -> Commit;
    /// Takes the transaction back.
    async fn roll_back(&mut self) -> Result<(), Lost>;
    /// Whether the same batch may go through if it is tried again at once. Nothing of it is stored.
    fn is_passing(&self, error: &StoreError) -> bool;
    /// Whether an error that took a batch of so many changes back is none of theirs: whatever else is
    /// tried now would fail as well, after the same wait.
    fn is_of_server(&self, error: &StoreError, change_count: usize) -> bool;
    /// Whether there is so little room that what can wait is refused.
    fn is_low(&mut self) -> bool;
    /// How many handovers go into one commit.
    fn row_count_max(&self) -> usize;
    /// How long it may be quiet before [`Writing::beat`] is called.
    fn beat_every(&self) -> Duration;
    /// Called while nothing is written.
    async fn beat(&mut self);
    /// Notes what was committed: the key of erased things, and whether something was erased.
    fn committed(&mut self, seal: Option<Arc<Seal>>, has_erased: bool);
    /// Called after each round, when everybody was answered.
    async fn tidy_up(&mut self);
    /// Whether it may write on after an outcome that is unknown: it finds out first what became of it.
    fn goes_on(&self) -> bool;
    /// Ends the connection.
    async fn finish(self);
}

/// A transaction that was begun.
#[derive(Debug, Default)]
pub(in crate::store) struct Begun {
    /// What time it is for all changes in it; `None`: each change says so itself.
    pub(in crate::store) now: Option<i64>,
    /// What erased things are recognised by; `None`: nothing was ever erased.
    pub(in crate::store) seal: Option<Arc<Seal>>,
    /// What became of the commit whose outcome was unknown: whether it was stored.
    pub(in crate::store) settled: Option<bool>,
    /// What this process knows may not be how things are: commits are gone that were answered, or
    /// another node wrote while this one took itself to be alone.
    pub(in crate::store) is_estranged: bool,
    /// How far `now` is ahead of the database's clock.
    pub(in crate::store) ahead_ms: i64,
}

/// What became of a commit.
#[derive(Debug)]
pub(in crate::store) enum Commit {
    Stored,
    /// Nothing is stored, and the transaction is over.
    Failed(StoreError),
    Unknown,
}

/// What a commit means for other nodes.
#[derive(Debug, Default)]
pub(in crate::store) struct CommitNews {
    /// A queue, campaign, rep, rules or token changed.
    pub(in crate::store) is_of_settings: bool,
    /// Queues in which a lead became ready, or ready for others than before.
    pub(in crate::store) ready: BTreeSet<QueueKey>,
    /// What reps are not to be offered from here on.
    pub(in crate::store) passes: Vec<Pass>,
    /// A lead was erased.
    pub(in crate::store) has_erased: bool,
}

impl CommitNews {
    fn of(slate: &Slate) -> Self {
        let became_ready = |tracked: &&Tracked| {
            let is_ready = |row: &LeadRow| row.state.standing == Standing::Ready;
            let (now, before) = (&tracked.now, tracked.before.as_ref());
            let was_so = before.is_some_and(|before| {
                let is_for_same = before.state.owner == now.state.owner;
                is_ready(before) && is_for_same && Arc::ptr_eq(&before.lead, &now.lead)
            });
            is_ready(now) && !was_so
        };
        let ready = slate.changed().filter(became_ready).map(|tracked| tracked.now.state.queue);
        let passes = slate.new_passes.iter();
        Self {
            is_of_settings: false,
            has_erased: !slate.erased_leads.is_empty(),
            ready: ready.collect(),
            passes: passes
                .map(|((rep, lead), until)| Pass { rep: *rep, lead: *lead, until: *until })
                .collect(),
        }
    }
}

/// Nobody knows where the connection stands.
#[derive(Debug)]
pub(in crate::store) struct Lost;

pub(in crate::store) struct Writer<W> {
    pub(in crate::store) writing: W,
    pub(in crate::store) inbox: mpsc::Receiver<Job>,
    pub(in crate::store) follower: Follower,
    pub(in crate::store) metrics: StoreMetrics,
    /// What the commit holds whose outcome is unknown.
    pub(in crate::store) doubt: Option<Doubt>,
}

/// What a commit holds whose outcome is unknown.
#[derive(Debug)]
pub(in crate::store) struct Doubt {
    records: Vec<LeadRecord>,
    moved: Moved,
    change_count: usize,
    news: CommitNews,
}

/// Says that the writer stopped when it does, by a panic too.
pub(in crate::store) struct Stopping(pub(in crate::store) StoreMetrics);

impl Drop for Stopping {
    fn drop(&mut self) {
        self.0.set_state(WriterState::Stopped);
    }
}

type Replies = Vec<Result<Reply, StoreError>>;

/// What a transaction holds before it is committed.
#[derive(Default)]
struct Filled {
    replies: Replies,
    records: Vec<LeadRecord>,
    /// What there is to commit; `None`: nothing.
    moved: Option<Moved>,
    seal: Option<Arc<Seal>>,
    news: CommitNews,
}

/// What became of a transaction.
enum Outcome {
    /// Everything is stored, or there was nothing to store.
    Done(Replies, Vec<LeadRecord>),
    /// It failed before it was committed; nothing is stored.
    Failed(StoreError),
    /// Nobody can say whether it was stored.
    Unknown,
}

impl<W: Writing> Writer<W> {
    /// Works until the inbox is closed and empty, or a commit's outcome is unknown for good.
    pub(in crate::store) async fn run(mut self) {
        let mut jobs = Vec::with_capacity(BATCH_COUNT_MAX);
        while self.receive(&mut jobs).await > 0 {
            for batch in batches(jobs.drain(..), self.writing.row_count_max()) {
                // Looked at with every sweep, too, so that it is said though nobody hands leads over.
                let is_low = self.writing.is_low();
                if is_low && batch.iter().all(can_wait) {
                    batch.into_iter().for_each(|job| answer_one(job, Err(StoreError::Low)));
                    continue;
                }
                if self.work(batch).await.is_err() {
                    tracing::error!("a commit's outcome is unknown: the store stops");
                    return;
                }
            }
            self.writing.tidy_up().await;
        }
        self.writing.finish().await;
    }

    /// Waits for work; says how many jobs it got, none if there are none to come.
    async fn receive(&mut self, jobs: &mut Vec<Job>) -> usize {
        loop {
            let received = self.inbox.recv_many(jobs, BATCH_COUNT_MAX);
            match tokio::time::timeout(self.writing.beat_every(), received).await {
                Ok(count) => return count,
                Err(_) => self.writing.beat().await,
            }
        }
    }

    async fn work(&mut self, mut jobs: Vec<Job>) -> Result<(), Lost> {
        jobs.retain(is_awaited);
        if jobs.is_empty() {
            return Ok(());
        }
        let span = commit_span(&jobs);
        match self.transact(&mut jobs).instrument(span).await {
            Outcome::Done(replies, records) => self.answer(jobs, replies, &records).await,
            Outcome::Failed(error)
                if jobs.len() == 1 || self.writing.is_of_server(&error, jobs.len()) =>
            {
                refuse(jobs, error);
            }
            Outcome::Failed(_) => return self.work_one_by_one(jobs).await,
            Outcome::Unknown => return self.lose(jobs),
        }
        Ok(())
    }

    /// Gives each change a transaction of its own, as one of them fails when they share one.
    async fn work_one_by_one(&mut self, jobs: Vec<Job>) -> Result<(), Lost> {
        // Those before may have taken long.
        let mut jobs = jobs.into_iter().filter(is_awaited);
        while let Some(mut job) = jobs.next() {
            let span = commit_span(std::slice::from_ref(&job));
            let one = std::slice::from_mut(&mut job);
            match self.transact(one).instrument(span).await {
                Outcome::Done(replies, records) => self.answer(vec![job], replies, &records).await,
                Outcome::Failed(error) if self.writing.is_of_server(&error, 1) => {
                    refuse(std::iter::once(job).chain(jobs), error);
                    return Ok(());
                }
                Outcome::Failed(error) => answer_one(job, Err(error)),
                Outcome::Unknown if self.writing.goes_on() => self.lose([job])?,
                Outcome::Unknown => return self.lose(std::iter::once(job).chain(jobs)),
            }
        }
        Ok(())
    }

    /// Answers that nobody knows.
    fn lose(&self, jobs: impl IntoIterator<Item = Job>) -> Result<(), Lost> {
        jobs.into_iter().for_each(|job| answer_one(job, Err(StoreError::Unknown)));
        if self.writing.goes_on() { Ok(()) } else { Err(Lost) }
    }

    async fn answer(&self, jobs: Vec<Job>, replies: Replies, records: &[LeadRecord]) {
        self.tell(records).await;
        failpoint::reach("store.before-answer");
        for (job, reply) in jobs.into_iter().zip(replies) {
            answer_one(job, reply);
        }
        failpoint::reach("store.after-answer");
    }

    async fn tell(&self, records: &[LeadRecord]) {
        if let Some(follower) = self.follower.get().filter(|_| !records.is_empty()) {
            follower.committed(records).await;
        }
    }

    /// Does the work in a transaction of its own, and counts it.
    async fn transact(&mut self, jobs: &mut [Job]) -> Outcome {
        let watch = Stopwatch::start();
        let mut outcome = self.transact_once(jobs).await;
        for _ in 0..AGAIN_COUNT_MAX {
            let Outcome::Failed(error) = &outcome else { break };
            if !self.writing.is_passing(error) {
                break;
            }
            tracing::debug!(error = error as &dyn std::error::Error, "tries a batch again");
            outcome = self.transact_once(jobs).await;
        }
        match &outcome {
            Outcome::Done(..) => self.metrics.transaction.observe(watch.elapsed()),
            Outcome::Failed(error) => self.metrics.failed(error),
            Outcome::Unknown => self.metrics.failed(&StoreError::Unknown),
        }
        outcome
    }

    async fn transact_once(&mut self, jobs: &mut [Job]) -> Outcome {
        let begun = match self.writing.begin().await {
            Ok(begun) => begun,
            Err(error) => return Outcome::Failed(error),
        };
        self.metrics.ahead.set(begun.ahead_ms / 1_000);
        self.settle(begun.settled).await;
        if begun.is_estranged {
            self.spread(true, News { is_incomplete: true, ..News::default() });
        }
        if let Some(now) = begun.now {
            jobs.iter_mut().for_each(|job| job.work.set_now(now));
        }
        failpoint::reach("store.before-load");
        let filled = match self.fill(jobs, begun.seal).await {
            Ok(filled) => filled,
            Err(error) => {
                return match self.writing.roll_back().await {
                    Ok(()) => Outcome::Failed(error),
                    Err(Lost) => Outcome::Unknown,
                };
            }
        };
        let Filled { replies, records, moved, seal, news } = filled;
        let Some(moved) = moved else {
            return match self.writing.roll_back().await {
                Ok(()) => Outcome::Done(replies, records),
                Err(Lost) => Outcome::Unknown,
            };
        };
        let watch = Stopwatch::start();
        failpoint::reach("store.before-commit");
        match self.writing.commit(&news).await {
            Commit::Stored => {
                failpoint::reach("store.after-commit");
                self.metrics.commit.observe(watch.elapsed());
                self.metrics.committed(&moved, jobs.len());
                self.writing.committed(seal, news.has_erased);
                Outcome::Done(replies, records)
            }
            Commit::Failed(error) => Outcome::Failed(error),
            Commit::Unknown => {
                self.doubt = Some(Doubt { records, moved, change_count: jobs.len(), news });
                Outcome::Unknown
            }
        }
    }

    /// Tells the follower of what was stored after all: also what whoever asked would have told it, had
    /// there been an answer.
    async fn settle(&mut self, settled: Option<bool>) {
        let Some(is_stored) = settled else { return };
        let Some(doubt) = self.doubt.take().filter(|_| is_stored) else { return };
        self.metrics.committed(&doubt.moved, doubt.change_count);
        self.tell(&doubt.records).await;
        let CommitNews { is_of_settings, ready, passes, .. } = doubt.news;
        let news = News { ready: ready.into_iter().collect(), passes, is_incomplete: false };
        self.spread(is_of_settings, news);
    }

    /// Tells the follower what it must read for itself. Not waited for: it may have something to write.
    fn spread(&self, is_of_settings: bool, news: News) {
        let Some(follower) = self.follower.get().cloned() else { return };
        tokio::spawn(async move {
            if is_of_settings {
                follower.settings_changed().await;
            }
            follower.others_committed(&news).await;
        });
    }

    /// Does the work within the open transaction; says what changed.
    async fn fill(&mut self, jobs: &[Job], seal: Option<Arc<Seal>>) -> Result<Filled, StoreError> {
        let connection = self.writing.connection();
        if let [Job { work: Work::Roster(change), .. }] = jobs {
            let answer = match roster::change(connection, change).await {
                Err(StoreError::Denied(denied)) => Err(denied.into()),
                answer => Ok(Reply::Roster(Box::new(answer?))),
            };
            let is_moved = matches!(&answer, Ok(Reply::Roster(answer)) if answer.is_moved());
            let moved = is_moved.then(Moved::default);
            let news = CommitNews { is_of_settings: change.is_of_settings(), ..Default::default() };
            return Ok(Filled { replies: vec![answer], moved, seal, news, ..Filled::default() });
        }
        let changes: Vec<&Change> = jobs
            .iter()
            .map(|job| match &job.work {
                Work::Change(change) => change,
                Work::Roster(_) => unreachable!("a roster change is a batch of its own"),
            })
            .collect();
        let seal = erasure::seal_for(connection, seal, &changes).await?;
        let mut slate = load(connection, &changes, seal.clone()).await?;
        let replies = changes
            .iter()
            .map(|change| decide(&mut slate, change).map(Reply::Change).map_err(Into::into))
            .collect();
        slate.close_books();
        let moved = slate.is_changed().then(|| Moved::of(&slate));
        if moved.is_some() {
            failpoint::reach("store.before-write");
            write(connection, &slate).await?;
        }
        let news = CommitNews::of(&slate);
        Ok(Filled { replies, records: slate.changed_records(), moved, seal, news })
    }
}

/// Whether somebody still waits for the answer: what nobody waits for is not begun.
fn is_awaited(job: &Job) -> bool {
    !job.reply.is_closed()
}

/// Answers all with the same error.
fn refuse(jobs: impl IntoIterator<Item = Job>, error: StoreError) {
    let mut jobs = jobs.into_iter();
    let first = jobs.next();
    jobs.for_each(|job| answer_one(job, Err(again(&error))));
    if let Some(job) = first {
        answer_one(job, Err(error));
    }
}

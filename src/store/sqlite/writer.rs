//! Group commit: one thread owns the writing connection, drains its bounded inbox, commits once for
//! all that it found, tells the follower, and then answers everybody.
//!
//! A refused change is just an answer. A statement that fails before the commit takes the batch
//! back, and each change of it gets a transaction of its own, so that it fails nobody else. After an
//! error from the commit itself nobody can say what was stored: the writer stops for good.

use std::sync::Arc;

use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument as _, Span};

use super::super::CommitSink;
use super::super::books::{Answer, Change, Seal, decide};
use super::super::changes::LeadRecord;
use super::super::error::StoreError;
use super::super::measures::{Moved, StoreMetrics, WriterState};
use super::checkpoint::Checkpointer;
use super::erasure;
use super::load::load;
use super::open::{end, failure};
use super::roster::{self, RosterAnswer, RosterChange};
use super::space::Space;
use super::write::write;
use crate::clock::Stopwatch;
use crate::failpoint;
use crate::metrics::Present;

/// How many changes may wait; the next one waits at the door.
pub(super) const INBOX_COUNT_MAX: usize = 4_096;
/// How many changes go into one commit, and how many handovers.
const BATCH_COUNT_MAX: usize = 512;
const BATCH_ROW_COUNT_MAX: usize = 20_000;

/// What is asked of the writer.
#[derive(Debug)]
pub(super) enum Work {
    Change(Change),
    Roster(RosterChange),
}

/// What it answers.
#[derive(Debug)]
pub(super) enum Reply {
    Change(Answer),
    Roster(RosterAnswer),
}

/// Work, and who waits for it.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Result<Reply, StoreError>>,
    /// The call that asks: the span of the commit follows from it.
    pub(super) span: Span,
    pub(super) _waiting: Present,
}

/// Who is told of every commit; set once, before the first change.
pub(super) type Follower = Arc<std::sync::OnceLock<Arc<dyn CommitSink>>>;

pub(super) struct Writer {
    pub(super) connection: SqliteConnection,
    /// What erased things are recognised by; `None` until the first erasure is committed.
    pub(super) seal: Option<Arc<Seal>>,
    pub(super) inbox: mpsc::Receiver<Job>,
    pub(super) follower: Follower,
    pub(super) checkpointer: Checkpointer,
    pub(super) metrics: StoreMetrics,
    pub(super) space: Space,
}

/// Says that the writer stopped when it does, by a panic too.
pub(super) struct Stopping(pub(super) StoreMetrics);

impl Drop for Stopping {
    fn drop(&mut self) {
        self.0.set_state(WriterState::Stopped);
    }
}

/// The commit's outcome is unknown.
struct Lost;

type Replies = Vec<Result<Reply, StoreError>>;

/// What a transaction holds before it is committed.
#[derive(Default)]
struct Filled {
    replies: Replies,
    records: Vec<LeadRecord>,
    /// What there is to commit; `None`: nothing.
    moved: Option<Moved>,
    has_erased: bool,
    seal: Option<Arc<Seal>>,
}

/// What became of a transaction.
enum Outcome {
    /// Everything is stored, or there was nothing to store.
    Done(Replies, Vec<LeadRecord>),
    /// It failed before it was committed; nothing is stored.
    Failed(StoreError),
}

impl Writer {
    /// Works until the inbox is closed and empty, or a commit's outcome is unknown.
    pub(super) async fn run(mut self) {
        let mut jobs = Vec::with_capacity(BATCH_COUNT_MAX);
        while self.inbox.recv_many(&mut jobs, BATCH_COUNT_MAX).await > 0 {
            for batch in batches(jobs.drain(..)) {
                // Looked at with every sweep, too, so that it is said though nobody hands leads over.
                let is_low = self.space.is_low();
                if is_low && batch.iter().all(can_wait) {
                    batch.into_iter().for_each(|job| answer_one(job, Err(StoreError::Low)));
                    continue;
                }
                if self.work(batch).await.is_err() {
                    tracing::error!("a commit's outcome is unknown: the store stops");
                    return;
                }
            }
            self.checkpointer.committed().await;
        }
        self.checkpointer.finish().await;
        end(self.connection).await;
    }

    async fn work(&mut self, jobs: Vec<Job>) -> Result<(), Lost> {
        let work: Vec<&Work> = jobs.iter().map(|job| &job.work).collect();
        let span = commit_span(&jobs);
        let outcome = match self.transact(&work).instrument(span).await {
            Ok(outcome) => outcome,
            Err(Lost) => return Err(lose(jobs)),
        };
        match outcome {
            Outcome::Done(replies, records) => {
                self.answer(jobs, replies, &records).await;
                Ok(())
            }
            Outcome::Failed(error) if jobs.len() == 1 => {
                let job = jobs.into_iter().next().expect("one job");
                answer_one(job, Err(error));
                Ok(())
            }
            Outcome::Failed(_) => self.work_one_by_one(jobs).await,
        }
    }

    /// Gives each change a transaction of its own, as one of them fails when they share one.
    async fn work_one_by_one(&mut self, jobs: Vec<Job>) -> Result<(), Lost> {
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            let span = commit_span(std::slice::from_ref(&job));
            match self.transact(&[&job.work]).instrument(span).await {
                Ok(Outcome::Done(replies, records)) => {
                    self.answer(vec![job], replies, &records).await;
                }
                Ok(Outcome::Failed(error)) => answer_one(job, Err(error)),
                Err(Lost) => return Err(lose(std::iter::once(job).chain(jobs))),
            }
        }
        Ok(())
    }

    async fn answer(&self, jobs: Vec<Job>, replies: Replies, records: &[LeadRecord]) {
        if let Some(follower) = self.follower.get().filter(|_| !records.is_empty()) {
            follower.committed(records).await;
        }
        failpoint::reach("store.before-answer");
        for (job, reply) in jobs.into_iter().zip(replies) {
            answer_one(job, reply);
        }
        failpoint::reach("store.after-answer");
    }

    /// Does the work in a transaction of its own, and counts it.
    async fn transact(&mut self, work: &[&Work]) -> Result<Outcome, Lost> {
        let watch = Stopwatch::start();
        let outcome = self.transact_once(work).await;
        match &outcome {
            Ok(Outcome::Done(..)) => self.metrics.transaction.observe(watch.elapsed()),
            Ok(Outcome::Failed(error)) => self.metrics.failed(error),
            Err(Lost) => self.metrics.failed(&StoreError::Unknown),
        }
        outcome
    }

    async fn transact_once(&mut self, work: &[&Work]) -> Result<Outcome, Lost> {
        if let Err(error) = self.execute("BEGIN IMMEDIATE").await {
            return Ok(Outcome::Failed(failure(error)));
        }
        failpoint::reach("store.before-load");
        let filled = match self.fill(work).await {
            Ok(filled) => filled,
            Err(error) => {
                self.roll_back().await?;
                return Ok(Outcome::Failed(error));
            }
        };
        let Filled { replies, records, moved, has_erased, seal } = filled;
        let Some(moved) = moved else {
            self.roll_back().await?;
            return Ok(Outcome::Done(replies, records));
        };
        let watch = Stopwatch::start();
        failpoint::reach("store.before-commit");
        match self.execute("COMMIT").await.map_err(failure) {
            Ok(()) => {
                failpoint::reach("store.after-commit");
                self.metrics.commit.observe(watch.elapsed());
                self.metrics.committed(&moved, work.len());
                self.seal = seal;
                if has_erased {
                    self.checkpointer.erased();
                }
                Ok(Outcome::Done(replies, records))
            }
            // A full disk refuses the commit's last page, so it is certain that it is not stored.
            Err(StoreError::Full) => {
                self.roll_back().await?;
                Ok(Outcome::Failed(StoreError::Full))
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "could not commit");
                Err(Lost)
            }
        }
    }

    /// Does the work within the open transaction; says what changed.
    async fn fill(&mut self, work: &[&Work]) -> Result<Filled, StoreError> {
        if let [Work::Roster(change)] = work {
            let answer = match roster::change(&mut self.connection, change).await {
                Err(StoreError::Denied(denied)) => Err(denied.into()),
                answer => Ok(Reply::Roster(answer?)),
            };
            let is_moved = matches!(&answer, Ok(Reply::Roster(answer)) if answer.is_moved());
            let moved = is_moved.then(Moved::default);
            let seal = self.seal.clone();
            return Ok(Filled { replies: vec![answer], moved, seal, ..Filled::default() });
        }
        let changes: Vec<&Change> = work
            .iter()
            .map(|work| match work {
                Work::Change(change) => change,
                Work::Roster(_) => unreachable!("a roster change is a batch of its own"),
            })
            .collect();
        let seal = erasure::seal_for(&mut self.connection, self.seal.as_ref(), &changes).await?;
        let mut slate = load(&mut self.connection, &changes, seal.clone()).await?;
        let replies = changes
            .iter()
            .map(|change| decide(&mut slate, change).map(Reply::Change).map_err(Into::into))
            .collect();
        slate.close_books();
        let moved = slate.is_changed().then(|| Moved::of(&slate));
        if moved.is_some() {
            failpoint::reach("store.before-write");
            write(&mut self.connection, &slate).await?;
        }
        let has_erased = !slate.erased_leads.is_empty();
        Ok(Filled { replies, records: slate.changed_records(), moved, has_erased, seal })
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(statement).execute(&mut self.connection).await.map(drop)
    }

    /// Takes the transaction back. If even that fails nobody knows where the connection stands.
    async fn roll_back(&mut self) -> Result<(), Lost> {
        match self.execute("ROLLBACK").await {
            Ok(()) => Ok(()),
            // Some errors, a full disk among them, make SQLite roll back by itself.
            Err(error) if error.to_string().contains("no transaction is active") => Ok(()),
            Err(_) => Err(Lost),
        }
    }
}

/// The span of a commit, that follows from the calls whose changes share it.
fn commit_span(jobs: &[Job]) -> Span {
    let span = tracing::debug_span!(parent: None, "commit", change_count = jobs.len());
    if !span.is_disabled() {
        for job in jobs {
            span.follows_from(&job.span);
        }
    }
    span
}

fn answer_one(job: Job, reply: Result<Reply, StoreError>) {
    // Whoever asked may have gone away; what was stored stays.
    let _ = job.reply.send(reply);
}

fn lose(jobs: impl IntoIterator<Item = Job>) -> Lost {
    for job in jobs {
        answer_one(job, Err(StoreError::Unknown));
    }
    Lost
}

/// Which changes may share a commit. Handovers and calls do not look at the same rows by key, so
/// each kind has its own; sweeps, suppressions, erasures and the roster are rare and go alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Call,
    Handover,
    Alone,
}

fn kind(work: &Work) -> Kind {
    match work {
        Work::Change(Change::HandOver(_)) => Kind::Handover,
        Work::Change(
            Change::Suppress(_) | Change::SuppressAll(_) | Change::Erase(_) | Change::Sweep { .. },
        )
        | Work::Roster(_) => Kind::Alone,
        Work::Change(_) => Kind::Call,
    }
}

/// What a disk that is nearly full has no room for: leads come again, as whoever hands them over is
/// told so. A wish never to be called, a touch or a lease given back does not. Neither does a whole list
/// of wishes, though it takes more room than one: while it waited, reps would call who is on it.
fn can_wait(job: &Job) -> bool {
    kind(&job.work) == Kind::Handover
}

/// Sorts what was in the inbox into commits; within one, the order stays.
fn batches(jobs: impl Iterator<Item = Job>) -> Vec<Vec<Job>> {
    let mut calls = Vec::new();
    let mut handovers: Vec<Vec<Job>> = Vec::new();
    let mut alone = Vec::new();
    let mut row_count = usize::MAX;
    for job in jobs {
        match kind(&job.work) {
            Kind::Call => calls.push(job),
            Kind::Alone => alone.push(vec![job]),
            Kind::Handover => {
                let Work::Change(Change::HandOver(change)) = &job.work else { continue };
                let rows = change.rows.len();
                if row_count.saturating_add(rows) > BATCH_ROW_COUNT_MAX {
                    handovers.push(Vec::new());
                    row_count = 0;
                }
                row_count += rows;
                handovers.last_mut().expect("one was pushed").push(job);
            }
        }
    }
    let calls = (!calls.is_empty()).then_some(calls);
    calls.into_iter().chain(handovers).chain(alone).collect()
}

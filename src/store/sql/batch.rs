//! What waits for the writer, and what of it shares a commit.

use tokio::sync::oneshot;
use tracing::Span;

use super::super::books::{Answer, Change};
use super::super::error::StoreError;
use super::roster::{RosterAnswer, RosterChange};
use crate::metrics::Present;

/// How many changes may wait; the next one waits at the door.
pub(in crate::store) const INBOX_COUNT_MAX: usize = 4_096;
/// How many changes go into one commit.
pub(in crate::store) const BATCH_COUNT_MAX: usize = 512;

/// What is asked of the writer.
#[derive(Debug)]
pub(in crate::store) enum Work {
    Change(Change),
    Roster(RosterChange),
}

impl Work {
    /// Moves a change to the instant of the transaction that it is in. Who gets in, and until when, is
    /// said in the caller's time.
    pub(in crate::store) fn set_now(&mut self, at: i64) {
        match self {
            Self::Change(change) => change.set_now(at),
            Self::Roster(RosterChange::Publish(rules)) => rules.now = at,
            Self::Roster(RosterChange::InForce { now, .. }) => *now = at,
            Self::Roster(RosterChange::TakeDuty(take)) => take.now = at,
            Self::Roster(_) => {}
        }
    }
}

/// What it answers.
#[derive(Debug)]
pub(in crate::store) enum Reply {
    Change(Answer),
    Roster(Box<RosterAnswer>),
}

/// Work, and who waits for it.
pub(in crate::store) struct Job {
    pub(in crate::store) work: Work,
    pub(in crate::store) reply: oneshot::Sender<Result<Reply, StoreError>>,
    /// The call that asks: the span of the commit follows from it.
    pub(in crate::store) span: Span,
    pub(in crate::store) _waiting: Present,
}

/// The span of a commit, that follows from the calls whose changes share it.
pub(in crate::store) fn commit_span(jobs: &[Job]) -> Span {
    let span = tracing::debug_span!(parent: None, "commit", change_count = jobs.len());
    if !span.is_disabled() {
        for job in jobs {
            span.follows_from(&job.span);
        }
    }
    span
}

pub(in crate::store) fn answer_one(job: Job, reply: Result<Reply, StoreError>) {
    // Whoever asked may have gone away; what was stored stays.
    let _ = job.reply.send(reply);
}

/// Which changes may share a commit. Handovers, calls and facts do not look at the same rows by
/// key, so each kind has its own; sweeps, suppressions, erasures and the roster are rare and go alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Call,
    /// What clients tell of leads: it is loaded by keys of its own.
    Fact,
    Handover,
    Alone,
}

fn kind(work: &Work) -> Kind {
    match work {
        Work::Change(Change::HandOver(_)) => Kind::Handover,
        Work::Change(
            Change::Suppress(_)
            | Change::SuppressAll(_)
            | Change::Erase(_)
            | Change::Assign(_)
            | Change::Transfer(_)
            | Change::Sweep { .. },
        )
        | Work::Roster(_) => Kind::Alone,
        Work::Change(Change::Engage(_) | Change::Conclude(_)) => Kind::Fact,
        Work::Change(_) => Kind::Call,
    }
}

/// What a disk that is nearly full has no room for: leads come again, as whoever hands them over is
/// told so. A wish never to be called, a touch or a lease given back does not. Neither does a whole list
/// of wishes, though it takes more room than one: while it waited, reps would call who is on it.
pub(in crate::store) fn can_wait(job: &Job) -> bool {
    kind(&job.work) == Kind::Handover
}

/// Sorts what was in the inbox into commits, of so many handovers at most unless one change has more;
/// within one, the order stays.
pub(in crate::store) fn batches(
    jobs: impl Iterator<Item = Job>,
    row_count_max: usize,
) -> Vec<Vec<Job>> {
    let mut calls = Vec::new();
    let mut facts = Vec::new();
    let mut handovers: Vec<Vec<Job>> = Vec::new();
    let mut alone = Vec::new();
    let mut row_count = usize::MAX;
    for job in jobs {
        match kind(&job.work) {
            Kind::Call => calls.push(job),
            Kind::Fact => facts.push(job),
            Kind::Alone => alone.push(vec![job]),
            Kind::Handover => {
                let Work::Change(Change::HandOver(change)) = &job.work else { continue };
                let rows = change.rows.len();
                if row_count.saturating_add(rows) > row_count_max {
                    handovers.push(Vec::new());
                    row_count = 0;
                }
                row_count += rows;
                handovers.last_mut().expect("one was pushed").push(job);
            }
        }
    }
    let first = [calls, facts].into_iter().filter(|batch| !batch.is_empty());
    first.chain(handovers).chain(alone).collect()
}

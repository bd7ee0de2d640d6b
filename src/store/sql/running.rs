//! The store as it runs: its writer on a thread of its own, and how that is asked and ended.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::super::books::{Answer, Change};
use super::super::error::StoreError;
use super::super::measures::StoreMetrics;
use super::access::{AccessAnswer, AccessChange};
use super::batch::{INBOX_COUNT_MAX, Job, Reply, Work};
use super::failure::unavailable;
use super::readers::Readers;
use super::roster::{RosterAnswer, RosterChange};
use super::writer::{Follower, Stopping, Writer, Writing};
use crate::metrics::Present;

/// How long a store that closes waits for reads.
const READS_END_WITHIN: Duration = Duration::from_secs(2);

/// The truth in a SQL database, written by one thread and read by others.
#[expect(private_bounds, reason = "which databases there are is decided here")]
pub struct SqlStore<R: Readers> {
    inbox: Mutex<Option<mpsc::Sender<Job>>>,
    ended: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
    pub(super) follower: Follower,
    metrics: StoreMetrics,
    /// How many handovers go into one commit.
    pub(super) row_count_max: usize,
    pub(in crate::store) readers: R,
}

#[expect(private_bounds, reason = "which databases there are is decided here")]
impl<R: Readers> SqlStore<R> {
    /// Starts the writer. `kept` is dropped when the writer has ended, just before that is told.
    pub(in crate::store) fn start<W: Writing + Send + 'static>(
        writing: W,
        readers: R,
        follower: Follower,
        kept: impl Send + 'static,
    ) -> Result<Self, StoreError> {
        let (inbox, jobs) = mpsc::channel(INBOX_COUNT_MAX);
        let (ending, ended) = oneshot::channel::<()>();
        let row_count_max = writing.row_count_max();
        let metrics = StoreMetrics::default();
        let writer = Writer {
            writing,
            inbox: jobs,
            follower: follower.clone(),
            metrics: metrics.clone(),
            doubt: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(unavailable)?;
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn({
                let metrics = metrics.clone();
                move || {
                    // These go at the very end, by a panic too.
                    let _ending = ending;
                    let _kept = kept;
                    let _stopping = Stopping(metrics);
                    runtime.block_on(writer.run());
                }
            })
            .map_err(unavailable)?;
        Ok(Self {
            inbox: Mutex::new(Some(inbox)),
            ended: tokio::sync::Mutex::new(Some(ended)),
            follower,
            metrics,
            row_count_max,
            readers,
        })
    }

    /// What it counts of itself.
    pub fn metrics(&self) -> StoreMetrics {
        self.metrics.clone()
    }

    async fn ask(&self, work: Work) -> Result<Reply, StoreError> {
        let inbox = self.inbox.lock().expect("nobody panics with the inbox").clone();
        let inbox = inbox.ok_or(StoreError::Stopped)?;
        let (reply, answer) = oneshot::channel();
        let job = Job {
            work,
            reply,
            span: tracing::Span::current(),
            _waiting: Present::in_gauge(&self.metrics.waiting),
        };
        inbox.send(job).await.map_err(|_| StoreError::Stopped)?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }

    pub(super) async fn change(&self, change: Change) -> Result<Answer, StoreError> {
        match self.ask(Work::Change(change)).await? {
            Reply::Change(answer) => Ok(answer),
            Reply::Roster(_) => unreachable!("a change is answered as such"),
        }
    }

    pub(super) async fn change_roster(
        &self,
        change: RosterChange,
    ) -> Result<RosterAnswer, StoreError> {
        match self.ask(Work::Roster(change)).await? {
            Reply::Roster(answer) => Ok(*answer),
            Reply::Change(_) => unreachable!("a roster change is answered as such"),
        }
    }

    pub(super) async fn change_access(
        &self,
        change: AccessChange,
    ) -> Result<AccessAnswer, StoreError> {
        match self.change_roster(RosterChange::Access(change)).await? {
            RosterAnswer::Access(answer) => Ok(answer),
            _ => unreachable!("a change of access is answered as such"),
        }
    }

    /// Lets nobody in any more, and waits for the reads and for the writer.
    pub(super) async fn end(&self) {
        self.inbox.lock().expect("nobody panics with the inbox").take();
        if tokio::time::timeout(READS_END_WITHIN, self.readers.close()).await.is_err() {
            tracing::warn!("closed the store though somebody still reads");
        }
        let mut ended = self.ended.lock().await;
        if let Some(ending) = ended.as_mut() {
            // Ends with an error as nothing is ever sent: the writer's end drops the sender.
            let _ = ending.await;
        }
        *ended = None;
    }
}

//! The store in one SQLite file, for one process: the way nextlead runs unless told otherwise.
//!
//! One thread writes ([`writer`]), a few connections read, and one carries the write-ahead log over.
//! What a change means is decided in `store::books`, which knows no SQL.

mod access;
mod audit;
mod backup;
mod checkpoint;
mod duty;
mod erasure;
mod export;
mod load;
mod open;
mod read;
mod report;
mod restore;
mod roster;
mod rows;
mod space;
mod sql;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod upgrade;
mod write;
mod write_books;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};

use super::backup::{Backup, Restore, RestoreError, Restored};
use super::books::{Answer, Change};
use super::changes::{
    EndedLease, Erase, Erased, Grant, HandOver, HandedOver, LeadRecord, LeaseOutcome, NewRep,
    NewRules, Pass, RecordTouch, Release, Renew, RequestKey, Suppress, SuppressAll, Suppressed,
    SuppressedAll, Swept, TouchRecorded,
};
use super::duty::{Duty, TakeDuty};
use super::error::StoreError;
use super::measures::StoreMetrics;
use super::reports::{
    AuditReport, Book, BookFilter, ExportFilter, Suppression, SuppressionPage, TouchOfLead,
    Uncontacted, UncontactedPage,
};
use super::tokens::{NewToken, TokenKept, TokenPage};
use super::{CommitSink, RosterRows, Store};
use crate::domain::{
    AccessToken, Campaign, CampaignId, CampaignSettings, Event, HandoverKey, LeadId, Lease,
    LeaseToken, Queue, QueueId, QueueKey, QueueSettings, RecordedTouch, Rep, RepId, RepKey,
    RuleVersion, TokenId,
};
use crate::metrics::Present;
use access::{AccessAnswer, AccessChange};
use backup::Copier;
use checkpoint::Checkpointer;
use roster::{RosterAnswer, RosterChange};
use space::Space;
use writer::{Follower, INBOX_COUNT_MAX, Job, Reply, Work, Writer};

/// How many reports read at a time: pulls need a connection, too.
const REPORT_COUNT_MAX: usize = 2;
const _: () = assert!(REPORT_COUNT_MAX < open::READER_COUNT as usize);
/// How long a store that closes waits for reads: an audit may take minutes, and loses nothing.
const READS_END_WITHIN: Duration = Duration::from_secs(2);

/// How much of the disk is kept for what cannot wait, unless another reserve is named.
pub const DISK_RESERVE_BYTES: u64 = 256 << 20;

/// The truth in one SQLite file.
pub struct SqliteStore {
    inbox: Mutex<Option<mpsc::Sender<Job>>>,
    /// Its sender is dropped when the writer has ended.
    ended: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
    follower: Follower,
    readers: SqlitePool,
    reports: Semaphore,
    metrics: StoreMetrics,
    copier: Copier,
}

impl SqliteStore {
    /// Opens the file, making it (readable by its owner alone) if it is missing, and brings its
    /// tables up to date.
    ///
    /// Fails with [`StoreError::InUse`] if another store has it open, in this process or another.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, DISK_RESERVE_BYTES).await
    }

    /// Opens the file with another reserve of its disk: while less than `disk_reserve_bytes` are free,
    /// leads are not taken in ([`StoreError::Low`]).
    pub async fn open_with(path: &Path, disk_reserve_bytes: u64) -> Result<Self, StoreError> {
        let opened = open::open(path).await?;
        Self::start(opened, path, disk_reserve_bytes)
    }

    /// Puts a backup in a store's place, while no node has either of them open.
    ///
    /// The backup is checked first: every page, every reference, and the books. Lease tokens are
    /// changed, and new leads get ids above all that were ever given out. A store that is replaced is
    /// kept beside, with `.replaced` added to its name. Whatever fails, the old store stays.
    pub async fn restore(order: &Restore) -> Result<Restored, RestoreError> {
        restore::restore(order).await
    }

    /// Starts the writer over an open file.
    fn start(opened: open::Opened, path: &Path, reserve_bytes: u64) -> Result<Self, StoreError> {
        let mut space = Space::of(path, reserve_bytes);
        if !space.is_low() {
            space::lay_ballast(path);
        }
        let (inbox, jobs) = mpsc::channel(INBOX_COUNT_MAX);
        let (ending, ended) = oneshot::channel::<()>();
        let follower: Follower = Arc::new(OnceLock::new());
        let metrics = StoreMetrics::default();
        let writer = Writer {
            connection: opened.writer,
            seal: opened.seal,
            inbox: jobs,
            follower: follower.clone(),
            metrics: metrics.clone(),
            checkpointer: Checkpointer::new(opened.checkpointer, opened.wal),
            space,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(open::unavailable)?;
        let lock = opened.lock;
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn({
                let metrics = metrics.clone();
                move || {
                    // These go at the very end, by a panic too: first the file is free, then that is told.
                    let _ending = ending;
                    let _lock = lock;
                    let _stopping = writer::Stopping(metrics);
                    runtime.block_on(writer.run());
                }
            })
            .map_err(open::unavailable)?;
        Ok(Self {
            inbox: Mutex::new(Some(inbox)),
            ended: tokio::sync::Mutex::new(Some(ended)),
            follower,
            readers: opened.readers,
            reports: Semaphore::new(REPORT_COUNT_MAX),
            metrics,
            copier: Copier::of(path, reserve_bytes),
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

    async fn change(&self, change: Change) -> Result<Answer, StoreError> {
        match self.ask(Work::Change(change)).await? {
            Reply::Change(answer) => Ok(answer),
            Reply::Roster(_) => unreachable!("a change is answered as such"),
        }
    }

    async fn change_roster(&self, change: RosterChange) -> Result<RosterAnswer, StoreError> {
        match self.ask(Work::Roster(change)).await? {
            Reply::Roster(answer) => Ok(answer),
            Reply::Change(_) => unreachable!("a roster change is answered as such"),
        }
    }

    async fn change_access(&self, change: AccessChange) -> Result<AccessAnswer, StoreError> {
        match self.change_roster(RosterChange::Access(change)).await? {
            RosterAnswer::Access(answer) => Ok(answer),
            _ => unreachable!("a change of access is answered as such"),
        }
    }

    /// Waits until a report may read: each can take long, and they have two connections between them.
    async fn report(&self) -> SemaphorePermit<'_> {
        self.reports.acquire().await.expect("it is never closed")
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        if self.readers.is_closed() {
            return Err(StoreError::Stopped);
        }
        self.readers.acquire().await.map_err(open::failure)
    }
}

/// Takes the answer that goes with the question.
macro_rules! answered {
    ($answer:expr, $pattern:pat => $value:expr) => {
        match $answer {
            $pattern => Ok($value),
            _ => unreachable!("each change is answered in kind"),
        }
    };
}

#[async_trait]
impl Store for SqliteStore {
    async fn roster(&self) -> Result<RosterRows, StoreError> {
        roster::roster(&mut *self.reader().await?).await
    }

    async fn latest_rules(&self, queue: QueueKey) -> Result<Option<RuleVersion>, StoreError> {
        read::latest_rules(&mut *self.reader().await?, queue).await
    }

    async fn rule_versions(
        &self,
        queue: QueueKey,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<RuleVersion>, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        roster::versions(&mut *self.reader().await?, queue, before, limit).await
    }

    async fn last_instant(&self) -> Result<i64, StoreError> {
        read::last_instant(&mut *self.reader().await?).await
    }

    async fn middle_lead(&self) -> Result<LeadId, StoreError> {
        read::middle_lead(&mut *self.reader().await?).await
    }

    async fn lead(&self, lead: LeadId) -> Result<Option<LeadRecord>, StoreError> {
        read::lead(&mut *self.reader().await?, lead).await
    }

    async fn lead_by_key(&self, key: &HandoverKey) -> Result<Option<LeadId>, StoreError> {
        read::lead_by_key(&mut *self.reader().await?, key).await
    }

    async fn lease_of(&self, rep: RepKey) -> Result<Option<Lease>, StoreError> {
        read::lease_of(&mut *self.reader().await?, rep).await
    }

    async fn pulled_before(
        &self,
        request: &RequestKey,
    ) -> Result<Option<(LeadId, LeaseToken)>, StoreError> {
        read::pulled_before(&mut *self.reader().await?, request).await
    }

    async fn touches(&self, lead: LeadId, limit: usize) -> Result<Vec<RecordedTouch>, StoreError> {
        read::touches(&mut *self.reader().await?, lead, limit).await
    }

    async fn ledger(
        &self,
        lead: LeadId,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        read::ledger(&mut *self.reader().await?, lead, after_seq, limit).await
    }

    async fn open_leads(
        &self,
        queue: QueueKey,
        after: LeadId,
        limit: usize,
    ) -> Result<Vec<LeadRecord>, StoreError> {
        read::open_leads(&mut *self.reader().await?, queue, after, limit).await
    }

    async fn passes(&self, now: i64) -> Result<Vec<Pass>, StoreError> {
        read::passes(&mut *self.reader().await?, now).await
    }

    async fn settings_number(&self) -> Result<i64, StoreError> {
        duty::settings_number(&mut *self.reader().await?).await
    }

    async fn tokens(&self, page: TokenPage) -> Result<Vec<AccessToken>, StoreError> {
        access::tokens(&mut *self.reader().await?, page).await
    }

    async fn books(&self, filter: &BookFilter, now: i64) -> Result<Vec<Book>, StoreError> {
        let _turn = self.report().await;
        report::books(&mut *self.reader().await?, filter, now).await
    }

    async fn uncontacted(&self, page: &UncontactedPage) -> Result<Vec<Uncontacted>, StoreError> {
        let _turn = self.report().await;
        report::uncontacted(&mut *self.reader().await?, page).await
    }

    async fn suppressions(&self, page: &SuppressionPage) -> Result<Vec<Suppression>, StoreError> {
        let _turn = self.report().await;
        report::suppressions(&mut *self.reader().await?, page).await
    }

    async fn leads_between(
        &self,
        filter: &ExportFilter,
        after: LeadId,
        through: LeadId,
    ) -> Result<Vec<LeadRecord>, StoreError> {
        let _turn = self.report().await;
        export::leads(&mut *self.reader().await?, filter, after, through).await
    }

    async fn last_lead(&self) -> Result<LeadId, StoreError> {
        export::last_lead(&mut *self.reader().await?).await
    }

    async fn lead_page_end(&self, after: LeadId, count: usize) -> Result<LeadId, StoreError> {
        export::lead_page_end(&mut *self.reader().await?, after, count).await
    }

    async fn last_touch(&self) -> Result<i64, StoreError> {
        export::last_touch(&mut *self.reader().await?).await
    }

    async fn touches_between(
        &self,
        filter: &ExportFilter,
        after: i64,
        through: i64,
    ) -> Result<Vec<TouchOfLead>, StoreError> {
        let _turn = self.report().await;
        export::touches(&mut *self.reader().await?, filter, after, through).await
    }

    async fn audit(&self) -> Result<AuditReport, StoreError> {
        let _turn = self.report().await;
        audit::audit(&mut *self.reader().await?).await
    }

    async fn recount(&self) -> Result<AuditReport, StoreError> {
        let _turn = self.report().await;
        audit::recount(&mut *self.reader().await?).await
    }

    async fn back_up(&self) -> Result<Backup, StoreError> {
        if self.readers.is_closed() {
            return Err(StoreError::Stopped);
        }
        self.copier.back_up().await
    }

    async fn put_queue(&self, id: &QueueId, settings: &QueueSettings) -> Result<Queue, StoreError> {
        let change = RosterChange::Queue(id.clone(), settings.clone());
        answered!(self.change_roster(change).await?, RosterAnswer::Queue(queue) => queue)
    }

    async fn put_campaign(
        &self,
        id: &CampaignId,
        queue: QueueKey,
        settings: &CampaignSettings,
    ) -> Result<Campaign, StoreError> {
        let change = RosterChange::Campaign(id.clone(), queue, settings.clone());
        answered!(self.change_roster(change).await?, RosterAnswer::Campaign(campaign) => campaign)
    }

    async fn put_rep(&self, id: &RepId, rep: &NewRep) -> Result<Rep, StoreError> {
        let change = RosterChange::Rep(id.clone(), rep.clone());
        answered!(self.change_roster(change).await?, RosterAnswer::Rep(rep) => rep)
    }

    async fn publish_rules(&self, rules: &NewRules) -> Result<RuleVersion, StoreError> {
        let change = RosterChange::Publish(rules.clone());
        answered!(self.change_roster(change).await?, RosterAnswer::Rules(version) => version)
    }

    async fn put_rules_in_force(
        &self,
        queue: QueueKey,
        version: i64,
        now: i64,
        duty: Option<&Duty>,
    ) -> Result<(), StoreError> {
        let change = RosterChange::InForce { queue, version, now, duty: duty.cloned() };
        answered!(self.change_roster(change).await?, RosterAnswer::Done => ())
    }

    async fn create_token(&self, new: NewToken) -> Result<TokenKept, StoreError> {
        let answer = self.change_access(AccessChange::Create(new)).await?;
        answered!(answer, AccessAnswer::Kept(kept) => *kept)
    }

    async fn revoke_token(
        &self,
        id: &TokenId,
        actor: &str,
        now: i64,
    ) -> Result<Option<AccessToken>, StoreError> {
        let change = AccessChange::Revoke { id: id.clone(), actor: actor.to_owned(), now };
        let answer = self.change_access(change).await?;
        answered!(answer, AccessAnswer::Revoked(token) => token)
    }

    async fn note_token_uses(&self, uses: Vec<(TokenId, i64)>) -> Result<(), StoreError> {
        let answer = self.change_access(AccessChange::NoteUses(uses)).await?;
        answered!(answer, AccessAnswer::Noted => ())
    }

    async fn hand_over(&self, change: HandOver) -> Result<Vec<HandedOver>, StoreError> {
        let answer = self.change(Change::HandOver(change)).await?;
        answered!(answer, Answer::HandOver(rows) => rows)
    }

    async fn lease(&self, grant: Grant) -> Result<LeaseOutcome, StoreError> {
        answered!(self.change(Change::Lease(grant)).await?, Answer::Lease(outcome) => outcome)
    }

    async fn renew(&self, renew: Renew) -> Result<Lease, StoreError> {
        answered!(self.change(Change::Renew(renew)).await?, Answer::Renew(lease) => lease)
    }

    async fn release(&self, release: Release) -> Result<EndedLease, StoreError> {
        answered!(self.change(Change::Release(release)).await?, Answer::Release(ended) => ended)
    }

    async fn record_touch(&self, change: RecordTouch) -> Result<TouchRecorded, StoreError> {
        let answer = self.change(Change::Touch(Box::new(change))).await?;
        answered!(answer, Answer::Touch(recorded) => *recorded)
    }

    async fn suppress(&self, suppress: Suppress) -> Result<Suppressed, StoreError> {
        let answer = self.change(Change::Suppress(suppress)).await?;
        answered!(answer, Answer::Suppress(suppressed) => suppressed)
    }

    async fn suppress_all(&self, all: SuppressAll) -> Result<SuppressedAll, StoreError> {
        let answer = self.change(Change::SuppressAll(all)).await?;
        answered!(answer, Answer::SuppressAll(suppressed) => suppressed)
    }

    async fn erase(&self, erase: Erase) -> Result<Erased, StoreError> {
        answered!(self.change(Change::Erase(erase)).await?, Answer::Erase(erased) => erased)
    }

    async fn sweep(
        &self,
        now: i64,
        limit: usize,
        duty: Option<&Duty>,
    ) -> Result<Swept, StoreError> {
        let change = Change::Sweep { now, limit, duty: duty.cloned() };
        answered!(self.change(change).await?, Answer::Sweep(swept) => swept)
    }

    async fn take_duty(&self, take: &TakeDuty) -> Result<Option<Duty>, StoreError> {
        let change = RosterChange::TakeDuty(take.clone());
        answered!(self.change_roster(change).await?, RosterAnswer::Duty(duty) => duty)
    }

    async fn give_duty_up(&self, duty: &Duty) -> Result<(), StoreError> {
        let change = RosterChange::GiveDutyUp(duty.clone());
        answered!(self.change_roster(change).await?, RosterAnswer::Done => ())
    }

    fn follow(&self, sink: Arc<dyn CommitSink>) {
        assert!(self.follower.set(sink).is_ok(), "one follower, named once");
    }

    async fn close(&self) {
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

//! The truth, in SQL: leads, their standings, leases, touches, the ledger and the books.
//!
//! Every change is one transaction with everything that belongs to it: the new state, its ledger
//! event, the books, and the answer to the request. It is answered after its commit, and the
//! follower ([`CommitSink`]) is told in the order of the commits, before the answers. Every
//! implementation passes `tests/conformance/store.rs`.

mod backup;
mod books;
mod changes;
mod duty;
mod engagements;
mod error;
mod feedback;
mod measures;
mod outcomes;
mod postgres;
mod reports;
mod sight;
mod sql;
mod sqlite;
mod tokens;
mod transfers;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{
    AccessToken, Campaign, CampaignId, CampaignKey, CampaignSettings, Event, HandoverKey, LeadId,
    Lease, Queue, QueueId, QueueKey, QueueSettings, RecordedEngagement, RecordedTouch, Rep, RepId,
    RepKey, RuleVersion, TokenId,
};

pub use backup::{Backup, OldTokens, Restore, RestoreError, Restored};
pub use books::{CapReached, Hindrance};
pub use changes::{
    Assign, Assigned, CARRIER_COUNT_MAX, Candidate, Caps, CapsOf, EndedLease, Erase, Erased, Fit,
    FitCheck, Grant, Granted, HandOver, HandedOver, Handover, LeadRecord, LeaseOutcome, NewRep,
    NewRules, Owner, Pass, RecordTouch, Release, ReleaseCause, Renew, RenewOutcome, RequestKey,
    Suppress, SuppressAll, Suppressed, SuppressedAll, SuppressionOf, Swept, TouchRecorded, Turned,
};
pub use duty::{Duty, TakeDuty};
pub use engagements::{EngagementRecorded, RecordEngagement};
pub use error::{Denied, StoreError};
pub use feedback::{QualityOfTouch, Rate};
pub use measures::{StoreMetrics, WriterState};
pub use outcomes::{OutcomeRecorded, OutcomeTotal, RecordOutcome};
pub use postgres::{Clocking, PostgresOptions, PostgresStore, Sharing};
pub use reports::{
    AuditFault, AuditReport, Book, BookFilter, CallbackPage, CallbacksOf, ExportFilter, Owed,
    OwedBy, QualityCount, QualityPeriod, RecentMark, ServeCount, ServePeriod, Suppression,
    SuppressionKind, SuppressionPage, TouchOfLead, Uncontacted, UncontactedPage,
};
pub use sight::{NumberSight, Sight, SuppressionOfLead};
pub use sqlite::{DISK_RESERVE_BYTES, SqliteStore};
pub use tokens::{NewToken, TokenKept, TokenPage};
pub use transfers::{Transfer, Transferred};

/// Everything about who works what; small, and kept in memory by the dialer.
#[derive(Clone, Debug, Default)]
pub struct RosterRows {
    /// The queues.
    pub queues: Vec<Queue>,
    /// The campaigns.
    pub campaigns: Vec<Campaign>,
    /// The reps.
    pub reps: Vec<Rep>,
    /// The campaigns whose leads came to a queue from another one, by queue.
    pub guests: Vec<(QueueKey, CampaignKey)>,
}

/// Is told of every change of a lead, in the order of the commits, before the change is answered.
#[async_trait]
pub trait CommitSink: Send + Sync {
    /// The leads of one commit as they stand now, each once.
    async fn committed(&self, records: &[LeadRecord]);

    /// Another node changed a queue, campaign, rep, rules or token, or may have: what is kept of them
    /// is read again. Told within milliseconds as a rule; who must know for sure reads
    /// [`Store::settings_number`].
    async fn settings_changed(&self) {}

    /// Another node committed changes of leads.
    async fn others_committed(&self, _news: &News) {}
}

/// What one commit of another node, or a few together, mean for this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Queues in which a lead became ready.
    pub ready: Vec<QueueKey>,
    /// What reps are not to be offered from here on.
    pub passes: Vec<Pass>,
    /// Some news may have been lost: all that others may have changed is to be looked at.
    pub is_incomplete: bool,
}

/// The truth.
///
/// A change whose [`RequestKey`] was seen before changes nothing and gives the same answer; with
/// another body it is [`Denied::RequestReused`]. One refused change never fails another.
#[async_trait]
pub trait Store: Send + Sync {
    // ---- What is there. Reads see every change that was answered.

    /// Who works what.
    async fn roster(&self) -> Result<RosterRows, StoreError>;
    /// The rule version that decides in a queue, or is the last accepted: the one to build an index by.
    async fn latest_rules(&self, queue: QueueKey) -> Result<Option<RuleVersion>, StoreError>;
    /// Every version of a queue's rules, newest first; at most `limit`, below version `before`.
    async fn rule_versions(
        &self,
        queue: QueueKey,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<RuleVersion>, StoreError>;
    /// The last instant that the ledger knows; 0 for an empty one.
    async fn last_instant(&self) -> Result<i64, StoreError>;
    /// An id with about half of the leads on each side, for whoever reads them all in two halves.
    async fn middle_lead(&self) -> Result<LeadId, StoreError>;
    /// A lead.
    async fn lead(&self, lead: LeadId) -> Result<Option<LeadRecord>, StoreError> {
        Ok(self.leads(&[lead]).await?.pop())
    }
    /// Those of these leads that there are, in no order.
    async fn leads(&self, leads: &[LeadId]) -> Result<Vec<LeadRecord>, StoreError>;
    /// A lead with all that a pull looks at, read without a transaction; `caps` are those of its queue.
    async fn sight(
        &self,
        lead: LeadId,
        caps: Option<Caps>,
        now: i64,
    ) -> Result<Option<Sight>, StoreError>;
    /// The lead that a handover opened or was merged into, even if it was erased since.
    async fn lead_by_key(&self, key: &HandoverKey) -> Result<Option<LeadId>, StoreError>;
    /// The lease that a rep has, whether or not it still stands.
    async fn lease_of(&self, rep: RepKey) -> Result<Option<Lease>, StoreError>;
    /// What a pull with this request id got before: the lease's lead and token.
    async fn pulled_before(
        &self,
        request: &RequestKey,
    ) -> Result<Option<(LeadId, crate::domain::LeaseToken)>, StoreError>;
    /// The touches of a lead, newest first.
    async fn touches(&self, lead: LeadId, limit: usize) -> Result<Vec<RecordedTouch>, StoreError>;
    /// The engagements of a lead, the last recorded first.
    async fn engagements(
        &self,
        lead: LeadId,
        limit: usize,
    ) -> Result<Vec<RecordedEngagement>, StoreError>;
    /// The ledger of a lead, in order, after event `after_seq`.
    async fn ledger(
        &self,
        lead: LeadId,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;
    /// A page of the open leads of a queue (and of those in nurture with a date), in the order of
    /// their ids, after `after`: for building and mending the index.
    async fn open_leads(
        &self,
        queue: QueueKey,
        after: LeadId,
        limit: usize,
    ) -> Result<Vec<LeadRecord>, StoreError>;
    /// Leads that were handed over, touched or given back after a mark, at most `limit` of each kind,
    /// and the mark to go on from: what an index was told last. Each lead comes once.
    async fn recent_leads(
        &self,
        after: &RecentMark,
        limit: usize,
    ) -> Result<(Vec<LeadId>, RecentMark), StoreError>;
    /// What reps are not to be offered: passes that last beyond `now`.
    async fn passes(&self, now: i64) -> Result<Vec<Pass>, StoreError>;

    /// A page of promised callbacks, in the order of their instants.
    async fn callbacks(&self, page: &CallbackPage) -> Result<Vec<LeadRecord>, StoreError>;
    /// How many callbacks a rep has promised in person, that of one lead aside; no more than `limit`
    /// are counted.
    async fn callback_count(
        &self,
        rep: RepKey,
        except: LeadId,
        limit: usize,
    ) -> Result<usize, StoreError>;
    /// Open leads that a rep owns or has promised to call, in the order of their ids, after `after`,
    /// each with its queue and version; `is_promised` tells which of the two kinds.
    async fn own_leads(
        &self,
        rep: RepKey,
        is_promised: bool,
        after: LeadId,
        limit: usize,
    ) -> Result<Vec<(LeadId, QueueKey, i64)>, StoreError>;

    /// Grows with every change of a queue, campaign, rep, rule version (accepted or in force) or token.
    async fn settings_number(&self) -> Result<i64, StoreError>;
    /// The nodes that use the store now, by what tells each from every other; one that comes back is
    /// another. Empty where there is never more than one.
    async fn nodes(&self) -> Result<BTreeSet<i64>, StoreError>;
    /// The tokens that were ever made, newest first.
    async fn tokens(&self, page: TokenPage) -> Result<Vec<AccessToken>, StoreError>;

    // ---- Reports.

    /// The books, by campaign and source.
    async fn books(&self, filter: &BookFilter, now: i64) -> Result<Vec<Book>, StoreError>;
    /// What was counted of a queue's serves, by rep and value band.
    async fn serve_counts(&self, period: &ServePeriod) -> Result<Vec<ServeCount>, StoreError>;
    /// Feedback that is owed, the oldest first; at most `limit`.
    async fn owed(&self, owed_by: OwedBy, limit: usize) -> Result<Vec<Owed>, StoreError>;
    /// What was asked for and given, by rep, campaign, source and what it says.
    async fn quality_counts(&self, period: &QualityPeriod)
    -> Result<Vec<QualityCount>, StoreError>;
    /// Leads without a first touch, in the order of their deadlines.
    async fn uncontacted(&self, page: &UncontactedPage) -> Result<Vec<Uncontacted>, StoreError>;
    /// What is suppressed, in the order of kind and value.
    async fn suppressions(&self, page: &SuppressionPage) -> Result<Vec<Suppression>, StoreError>;
    /// The leads with ids above `after` and up to `through` that pass the filter, in the order of
    /// their ids. Looks at no others, so a page is bounded by the caller whatever the filter.
    async fn leads_between(
        &self,
        filter: &ExportFilter,
        after: LeadId,
        through: LeadId,
    ) -> Result<Vec<LeadRecord>, StoreError>;
    /// The last lead; 0 if there is none.
    async fn last_lead(&self) -> Result<LeadId, StoreError>;
    /// Where a page of `count` leads after `after` ends, as ids have gaps: the id of its last one,
    /// `after` if there is none.
    async fn lead_page_end(&self, after: LeadId, count: usize) -> Result<LeadId, StoreError>;
    /// The number of the last touch; 0 if there is none. Touches are numbered from 1 in the order
    /// in which they were recorded.
    async fn last_touch(&self) -> Result<i64, StoreError>;
    /// The touches with numbers above `after` and up to `through` that pass the filter, in order.
    async fn touches_between(
        &self,
        filter: &ExportFilter,
        after: i64,
        through: i64,
    ) -> Result<Vec<TouchOfLead>, StoreError>;
    /// Folds the whole ledger and recounts every book.
    async fn audit(&self) -> Result<AuditReport, StoreError>;
    /// The part of an audit that is cheap enough to do now and then: recounts every book from
    /// handovers, standings and touches, and leaves the ledger alone.
    async fn recount(&self) -> Result<AuditReport, StoreError>;

    /// Copies everything as it stands at one instant that lies after the call; changes go on
    /// meanwhile. Holds every change that was answered before the call.
    ///
    /// [`Denied::BackupRunning`] while another copy is there, [`StoreError::NoRoom`] if this one
    /// would take what room is left.
    async fn back_up(&self) -> Result<Backup, StoreError>;

    // ---- Changes.

    /// Makes or changes a queue.
    async fn put_queue(&self, id: &QueueId, settings: &QueueSettings) -> Result<Queue, StoreError>;
    /// Makes or changes a campaign. Its queue cannot change: [`Denied::CampaignMoved`].
    async fn put_campaign(
        &self,
        id: &CampaignId,
        queue: QueueKey,
        settings: &CampaignSettings,
    ) -> Result<Campaign, StoreError>;
    /// Pauses a campaign, or resumes it: from the commit on no lead of a paused one is leased. Leases that
    /// stand go on. `None`: there is no such campaign.
    async fn pause_campaign(
        &self,
        id: &CampaignId,
        is_paused: bool,
    ) -> Result<Option<Campaign>, StoreError>;
    /// Makes or changes a rep.
    async fn put_rep(&self, id: &RepId, rep: &NewRep) -> Result<Rep, StoreError>;
    /// Accepts a version of a queue's rules.
    async fn publish_rules(&self, rules: &NewRules) -> Result<RuleVersion, StoreError>;
    /// Notes that a version decides from `now` on. [`Denied::DutyLost`] if another has the duty by now.
    async fn put_rules_in_force(
        &self,
        queue: QueueKey,
        version: i64,
        now: i64,
        duty: Option<&Duty>,
    ) -> Result<(), StoreError>;
    /// Keeps a token that an admin made. [`Denied::UnknownRep`] if it is a rep's whom nobody knows.
    async fn create_token(&self, new: NewToken) -> Result<TokenKept, StoreError>;
    /// Revokes a token; one that was revoked before stays as it is. `None`: there is none.
    async fn revoke_token(
        &self,
        id: &TokenId,
        actor: &str,
        now: i64,
    ) -> Result<Option<AccessToken>, StoreError>;
    /// Notes when tokens were last used. An instant never goes back.
    async fn note_token_uses(&self, uses: Vec<(TokenId, i64)>) -> Result<(), StoreError>;
    /// Takes handovers in: one answer a row, in order, all in one transaction. Many that come without a
    /// request id may be taken in by several, one after the other; if one fails after another was
    /// stored it is [`StoreError::Unknown`].
    async fn hand_over(&self, change: HandOver) -> Result<Vec<HandedOver>, StoreError>;
    /// Leases the first candidate that holds to a rep.
    async fn lease(&self, grant: Grant) -> Result<LeaseOutcome, StoreError>;
    /// Carries a lease on, or ends it if its lead may not be dialled any more. [`Denied::LeaseLost`]
    /// unless it stands.
    async fn renew(&self, renew: Renew) -> Result<RenewOutcome, StoreError>;
    /// Ends a lease without a touch. [`Denied::LeaseLost`] unless it holds, [`Denied::SkipLimit`] if it
    /// is one skip too many.
    async fn release(&self, release: Release) -> Result<EndedLease, StoreError>;
    /// Records a touch; under a lease that holds it moves the lead. With `then`, leases the first
    /// candidate that holds to the rep in the same transaction.
    async fn record_touch(&self, change: RecordTouch) -> Result<TouchRecorded, StoreError>;
    /// Records something that a lead did, counts it, and brings the lead back if it is a new interest
    /// and may. [`Denied::UnknownLead`], [`Denied::LeadErased`], and [`Denied::RequestReused`] for
    /// another body under a known id.
    async fn record_engagement(
        &self,
        change: RecordEngagement,
    ) -> Result<EngagementRecorded, StoreError>;
    /// Records what became of a lead, counts it in the lead's book, and closes the lead if it is open and
    /// in nobody's hands. Refuses as [`Store::record_engagement`] does.
    async fn record_outcome(&self, change: RecordOutcome) -> Result<OutcomeRecorded, StoreError>;
    /// Gives feedback on a touch. [`Denied::UnknownTouch`] if none by this rep was asked for it,
    /// [`Denied::AlreadyRated`] if the rep said something else before.
    async fn rate(&self, rate: Rate) -> Result<(), StoreError>;
    /// Suppresses a number or an e-mail address, in every queue.
    async fn suppress(&self, suppress: Suppress) -> Result<Suppressed, StoreError>;
    /// Suppresses many numbers and e-mail addresses, in every queue, with bounded work: see
    /// [`SuppressAll`].
    async fn suppress_all(&self, all: SuppressAll) -> Result<SuppressedAll, StoreError>;
    /// Erases everything personal about a lead, whatever its standing, and keeps the books. Nothing of
    /// it is left in what the store keeps on disk as soon as no read that began before runs any more.
    /// [`Denied::UnknownLead`] if there is no such lead.
    async fn erase(&self, erase: Erase) -> Result<Erased, StoreError>;
    /// Gives a lead to a rep for good, or to nobody any more, wherever it stands.
    /// [`Denied::UnknownLead`] if there is no such lead, or nothing is left of it.
    async fn assign(&self, assign: Assign) -> Result<Assigned, StoreError>;
    /// Hands a lead to another queue, both books in the same transaction. [`Denied::LeadLeased`] while a
    /// rep has it, [`Denied::LeadClosed`] if it is closed otherwise than in nurture.
    async fn transfer(&self, transfer: Transfer) -> Result<Transferred, StoreError>;
    /// One bounded pass over what time changes: frees reps whose lease expired, ends leases whose
    /// grace is over, wakes what is due, closes what is open in campaigns that ended, forgets old
    /// requests, passes and skips. At most `limit` leads of each kind. [`Denied::DutyLost`] if another has
    /// the duty by now.
    async fn sweep(&self, now: i64, limit: usize, duty: Option<&Duty>)
    -> Result<Swept, StoreError>;

    /// Takes a duty that is free, over, or the node's own already; `None`: another node has it.
    async fn take_duty(&self, take: &TakeDuty) -> Result<Option<Duty>, StoreError>;
    /// Gives a duty up, so that another need not wait until it is over. One that is lost stays lost.
    async fn give_duty_up(&self, duty: &Duty) -> Result<(), StoreError>;

    /// Names who is told of every change from here on. Called once, before the first change.
    fn follow(&self, sink: Arc<dyn CommitSink>);
    /// Waits for running changes, then stops. Later changes are [`StoreError::Stopped`].
    async fn close(&self);
}

//! The store over whichever database: changes go to the writer, reads to the readers.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::super::backup::Backup;
use super::super::books::{Answer, Change};
use super::super::changes::{
    Assign, Assigned, Caps, EndedLease, Erase, Erased, Grant, HandOver, HandedOver, LeadRecord,
    LeaseOutcome, NewRep, NewRules, Pass, RecordTouch, Release, Renew, RenewOutcome, RequestKey,
    Suppress, SuppressAll, Suppressed, SuppressedAll, Swept, TouchRecorded,
};
use super::super::duty::{Duty, TakeDuty};
use super::super::engagements::{EngagementRecorded, RecordEngagement};
use super::super::error::StoreError;
use super::super::feedback::Rate;
use super::super::outcomes::{OutcomeRecorded, RecordOutcome};
use super::super::reports::{
    AuditReport, Book, BookFilter, CallbackPage, ExportFilter, Owed, OwedBy, QualityCount,
    QualityPeriod, RecentMark, ServeCount, ServePeriod, Suppression, SuppressionPage, TouchOfLead,
    Uncontacted, UncontactedPage,
};
use super::super::sight::Sight;
use super::super::tokens::{NewToken, TokenKept, TokenPage};
use super::super::transfers::{Transfer, Transferred};
use super::super::{CommitSink, RosterRows, Store};
use super::access::{self, AccessAnswer, AccessChange};
use super::readers::{AGAIN_COUNT_MAX, Readers, Reading};
use super::roster::{self, RosterAnswer, RosterChange};
use super::running::SqlStore;
use super::{audit, duty, export, own_leads, quality, read, report, sight};
use crate::domain::{
    AccessToken, Campaign, CampaignId, CampaignSettings, Event, HandoverKey, LeadId, Lease,
    LeaseToken, Queue, QueueId, QueueKey, QueueSettings, RecordedEngagement, RecordedTouch, Rep,
    RepId, RepKey, RuleVersion, TokenId,
};

/// Reads by a connection of its own, and by another one if that one had died.
macro_rules! read {
    ($store:ident, $reading:ident, $by:ident => $read:expr) => {{
        let mut tries = 0;
        loop {
            let mut taken = $store.readers.take(Reading::$reading).await?;
            let $by = &mut taken.connection;
            match $read.await {
                Err(error) if tries < AGAIN_COUNT_MAX && $store.readers.is_passing(&error) => {
                    tries += 1;
                }
                Err(StoreError::Denied(denied)) => {
                    $store.readers.put_back(Reading::$reading, taken);
                    break Err(StoreError::Denied(denied));
                }
                Err(error) => break Err(error),
                Ok(answer) => {
                    $store.readers.put_back(Reading::$reading, taken);
                    break Ok(answer);
                }
            }
        }
    }};
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
impl<R: Readers> Store for SqlStore<R> {
    async fn roster(&self) -> Result<RosterRows, StoreError> {
        read!(self, Call, by => roster::roster(by))
    }

    async fn latest_rules(&self, queue: QueueKey) -> Result<Option<RuleVersion>, StoreError> {
        read!(self, Call, by => read::latest_rules(by, queue))
    }

    async fn rule_versions(
        &self,
        queue: QueueKey,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<RuleVersion>, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        read!(self, Call, by => roster::versions(by, queue, before, limit))
    }

    async fn last_instant(&self) -> Result<i64, StoreError> {
        read!(self, Call, by => read::last_instant(by))
    }

    async fn middle_lead(&self) -> Result<LeadId, StoreError> {
        read!(self, Call, by => read::middle_lead(by))
    }

    async fn leads(&self, leads: &[LeadId]) -> Result<Vec<LeadRecord>, StoreError> {
        read!(self, Call, by => read::leads(by, leads))
    }

    async fn sight(
        &self,
        lead: LeadId,
        caps: Option<Caps>,
        now: i64,
    ) -> Result<Option<Sight>, StoreError> {
        read!(self, Call, by => sight::sight(by, lead, caps.clone(), now))
    }

    async fn lead_by_key(&self, key: &HandoverKey) -> Result<Option<LeadId>, StoreError> {
        read!(self, Call, by => read::lead_by_key(by, key))
    }

    async fn lease_of(&self, rep: RepKey) -> Result<Option<Lease>, StoreError> {
        read!(self, Call, by => read::lease_of(by, rep))
    }

    async fn pulled_before(
        &self,
        request: &RequestKey,
    ) -> Result<Option<(LeadId, LeaseToken)>, StoreError> {
        read!(self, Call, by => read::pulled_before(by, request))
    }

    async fn touches(&self, lead: LeadId, limit: usize) -> Result<Vec<RecordedTouch>, StoreError> {
        read!(self, Call, by => read::touches(by, lead, limit))
    }

    async fn engagements(
        &self,
        lead: LeadId,
        limit: usize,
    ) -> Result<Vec<RecordedEngagement>, StoreError> {
        read!(self, Call, by => read::engagements(by, lead, limit))
    }

    async fn ledger(
        &self,
        lead: LeadId,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        read!(self, Call, by => read::ledger(by, lead, after_seq, limit))
    }

    async fn open_leads(
        &self,
        queue: QueueKey,
        after: LeadId,
        limit: usize,
    ) -> Result<Vec<LeadRecord>, StoreError> {
        read!(self, Call, by => read::open_leads(by, queue, after, limit))
    }

    async fn passes(&self, now: i64) -> Result<Vec<Pass>, StoreError> {
        read!(self, Call, by => read::passes(by, now))
    }

    async fn recent_leads(
        &self,
        after: &RecentMark,
        limit: usize,
    ) -> Result<(Vec<LeadId>, RecentMark), StoreError> {
        read!(self, Call, by => read::recent_leads(by, after, limit))
    }

    async fn nodes(&self) -> Result<BTreeSet<i64>, StoreError> {
        read!(self, Call, by => read::nodes(by))
    }

    async fn callbacks(&self, page: &CallbackPage) -> Result<Vec<LeadRecord>, StoreError> {
        read!(self, Report, by => own_leads::callbacks(by, page))
    }

    async fn callback_count(
        &self,
        rep: RepKey,
        except: LeadId,
        limit: usize,
    ) -> Result<usize, StoreError> {
        read!(self, Call, by => own_leads::callback_count(by, rep, except, limit))
    }

    async fn own_leads(
        &self,
        rep: RepKey,
        is_promised: bool,
        after: LeadId,
        limit: usize,
    ) -> Result<Vec<(LeadId, QueueKey, i64)>, StoreError> {
        read!(self, Call, by => own_leads::own_leads(by, rep, is_promised, after, limit))
    }

    async fn settings_number(&self) -> Result<i64, StoreError> {
        read!(self, Call, by => duty::settings_number(by))
    }

    async fn tokens(&self, page: TokenPage) -> Result<Vec<AccessToken>, StoreError> {
        read!(self, Call, by => access::tokens(by, page))
    }

    async fn books(&self, filter: &BookFilter, now: i64) -> Result<Vec<Book>, StoreError> {
        read!(self, Report, by => report::books(by, filter, now))
    }

    async fn serve_counts(&self, period: &ServePeriod) -> Result<Vec<ServeCount>, StoreError> {
        read!(self, Report, by => report::serve_counts(by, period))
    }

    async fn owed(&self, owed_by: OwedBy, limit: usize) -> Result<Vec<Owed>, StoreError> {
        read!(self, Call, by => quality::owed(by, owed_by, limit))
    }

    async fn quality_counts(&self, of: &QualityPeriod) -> Result<Vec<QualityCount>, StoreError> {
        read!(self, Report, by => quality::counts(by, of))
    }

    async fn uncontacted(&self, page: &UncontactedPage) -> Result<Vec<Uncontacted>, StoreError> {
        read!(self, Report, by => report::uncontacted(by, page))
    }

    async fn suppressions(&self, page: &SuppressionPage) -> Result<Vec<Suppression>, StoreError> {
        read!(self, Report, by => report::suppressions(by, page))
    }

    async fn leads_between(
        &self,
        filter: &ExportFilter,
        after: LeadId,
        through: LeadId,
    ) -> Result<Vec<LeadRecord>, StoreError> {
        read!(self, Report, by => export::leads(by, filter, after, through))
    }

    async fn last_lead(&self) -> Result<LeadId, StoreError> {
        read!(self, Call, by => export::last_lead(by))
    }

    async fn lead_page_end(&self, after: LeadId, count: usize) -> Result<LeadId, StoreError> {
        read!(self, Call, by => export::lead_page_end(by, after, count))
    }

    async fn last_touch(&self) -> Result<i64, StoreError> {
        read!(self, Call, by => export::last_touch(by))
    }

    async fn touches_between(
        &self,
        filter: &ExportFilter,
        after: i64,
        through: i64,
    ) -> Result<Vec<TouchOfLead>, StoreError> {
        read!(self, Report, by => export::touches(by, filter, after, through))
    }

    async fn audit(&self) -> Result<AuditReport, StoreError> {
        read!(self, Report, by => audit::audit(by))
    }

    async fn recount(&self) -> Result<AuditReport, StoreError> {
        read!(self, Report, by => audit::recount(by))
    }

    async fn back_up(&self) -> Result<Backup, StoreError> {
        self.readers.back_up().await
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

    async fn pause_campaign(
        &self,
        id: &CampaignId,
        is_paused: bool,
    ) -> Result<Option<Campaign>, StoreError> {
        let change = RosterChange::Pause(id.clone(), is_paused);
        answered!(self.change_roster(change).await?, RosterAnswer::Paused(campaign) => campaign)
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
        if change.request.is_none() && change.rows.len() > self.row_count_max {
            return self.hand_over_in_parts(change).await;
        }
        let answer = self.change(Change::HandOver(change)).await?;
        answered!(answer, Answer::HandOver(rows) => rows)
    }

    async fn lease(&self, grant: Grant) -> Result<LeaseOutcome, StoreError> {
        answered!(self.change(Change::Lease(grant)).await?, Answer::Lease(outcome) => outcome)
    }

    async fn renew(&self, renew: Renew) -> Result<RenewOutcome, StoreError> {
        answered!(self.change(Change::Renew(renew)).await?, Answer::Renew(outcome) => *outcome)
    }

    async fn release(&self, release: Release) -> Result<EndedLease, StoreError> {
        answered!(self.change(Change::Release(release)).await?, Answer::Release(ended) => ended)
    }

    async fn record_touch(&self, change: RecordTouch) -> Result<TouchRecorded, StoreError> {
        let answer = self.change(Change::Touch(Box::new(change))).await?;
        answered!(answer, Answer::Touch(recorded) => *recorded)
    }

    async fn record_engagement(
        &self,
        change: RecordEngagement,
    ) -> Result<EngagementRecorded, StoreError> {
        let answer = self.change(Change::Engage(Box::new(change))).await?;
        answered!(answer, Answer::Engage(recorded) => recorded)
    }

    async fn record_outcome(&self, change: RecordOutcome) -> Result<OutcomeRecorded, StoreError> {
        let answer = self.change(Change::Conclude(Box::new(change))).await?;
        answered!(answer, Answer::Conclude(recorded) => recorded)
    }

    async fn rate(&self, rate: Rate) -> Result<(), StoreError> {
        answered!(self.change(Change::Rate(rate)).await?, Answer::Rate => ())
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

    async fn assign(&self, assign: Assign) -> Result<Assigned, StoreError> {
        let answer = self.change(Change::Assign(assign)).await?;
        answered!(answer, Answer::Assign(assigned) => *assigned)
    }

    async fn transfer(&self, transfer: Transfer) -> Result<Transferred, StoreError> {
        let answer = self.change(Change::Transfer(Box::new(transfer))).await?;
        answered!(answer, Answer::Transfer(transferred) => *transferred)
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
        self.end().await;
    }
}

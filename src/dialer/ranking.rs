//! Rules on their way into force: checked, accepted, ranked by in the background, then in use from
//! one instant. Pulls go on entirely under the old version until then.

use std::sync::Arc;

use futures_util::future::try_join;

use crate::domain::{LeadId, QueueId, QueueKey, RuleVersion};
use crate::queue::Swap;
use crate::rules::RuleSet;
use crate::store::{LeadRecord, NewRules, StoreError};

use super::rulebook::Versioned;
use super::{CheckedRules, Dialer, DialerError, PublishRules, RuleVersionView};

/// How many leads are read and ranked at a time.
const PAGE_SIZE: usize = 5_000;

impl Dialer {
    /// Builds the index of every queue from the store, under the version accepted last.
    pub(super) async fn build_index(&self) -> Result<(), DialerError> {
        for queue in self.roster().queues() {
            let version = match self.parts.store.latest_rules(queue.key).await? {
                Some(version) => self.enforce_stored(&queue.id, version).await?,
                None => {
                    let rules = Arc::new(RuleSet::none(queue.id.as_str()));
                    Versioned::new(0, rules)
                }
            };
            self.queue_index().begin(queue.key, version.version).await?;
            self.parts.follower.rulebook.begin(queue.key, version);
            let dialer = self.clone();
            let key = queue.key;
            let lead_count =
                Self::in_back_room(async move { dialer.fill(key, None).await }).await?;
            let queue_id = &queue.id;
            tracing::info!(queue.id = %queue_id, lead_count, "built the index of queue {queue_id}");
        }
        Ok(())
    }

    async fn enforce_stored(
        &self,
        queue: &QueueId,
        stored: RuleVersion,
    ) -> Result<Versioned, DialerError> {
        let rules = Arc::new(RuleSet::compile(&stored.text).map_err(DialerError::RulesInvalid)?);
        if stored.in_force_at.is_none() {
            let now = self.now();
            let noted =
                self.parts.store.put_rules_in_force(stored.queue, stored.version, now, None).await;
            match noted {
                // A node starts on a full disk, too, to be read; they are noted at the next start.
                Err(StoreError::Full) => tracing::warn!("no room to note that rules are in force"),
                noted => noted?,
            }
        }
        tracing::info!(queue.id = %queue, version = stored.version, "rules of queue {queue}");
        Ok(Versioned::new(stored.version, rules))
    }

    /// Reads every open lead of a queue into the index in use, or into the one on its way while
    /// `staged` is still the run that is. Returns how many there were.
    ///
    /// The older half and the younger are read side by side: a node that starts has two cores and
    /// more to itself.
    async fn fill(
        &self,
        queue: QueueKey,
        staged: Option<&Versioned>,
    ) -> Result<usize, DialerError> {
        let middle = self.parts.store.middle_lead().await?;
        let older = self.fill_span(queue, LeadId(0), middle, staged);
        let younger = self.fill_span(queue, middle, LeadId(i64::MAX), staged);
        let (older, younger) = try_join(older, younger).await?;
        Ok(older + younger)
    }

    /// Does it for the leads after one lead, up to and with another. A page is read while the one
    /// before it is ranked.
    async fn fill_span(
        &self,
        queue: QueueKey,
        after: LeadId,
        last: LeadId,
        staged: Option<&Versioned>,
    ) -> Result<usize, DialerError> {
        let follower = &self.parts.follower;
        let mut lead_count = 0;
        let mut coming_page = Some(self.read_page(queue, after));
        while let Some(page) = coming_page.take() {
            let mut records = page.await?;
            let newest = records.last().map(|record| record.lead.id);
            let goes_on = newest.filter(|newest| *newest < last);
            coming_page = goes_on.map(|newest| self.read_page(queue, newest));
            records.truncate(records.partition_point(|record| record.lead.id <= last));
            lead_count += records.len();
            let now = self.now();
            match staged {
                None => {
                    let rules = follower.rulebook.in_force(queue);
                    let update = |record| follower.update_for(record, &rules, now);
                    follower.queue.apply(records.iter().map(update).collect()).await?;
                }
                Some(run) => {
                    if !follower.rulebook.is_staged(queue, run) {
                        return Ok(lead_count);
                    }
                    let update = |record| follower.update_for(record, run, now);
                    follower.queue.apply_staged(records.iter().map(update).collect()).await?;
                }
            }
        }
        Ok(lead_count)
    }

    /// Begins to read a page of open leads; it is there when the answer is awaited.
    fn read_page(
        &self,
        queue: QueueKey,
        after: LeadId,
    ) -> impl Future<Output = Result<Vec<LeadRecord>, DialerError>> + Send + use<> {
        let dialer = self.clone();
        let read = Self::in_back_room(async move {
            dialer.parts.store.open_leads(queue, after, PAGE_SIZE).await
        });
        let reading = tokio::spawn(read);
        async move {
            match reading.await {
                Ok(page) => Ok(page?),
                Err(failure) => std::panic::resume_unwind(failure.into_panic()),
            }
        }
    }

    /// Checks a document: every mistake at once, or what is worth knowing about it.
    pub async fn check_rules(&self, text: String) -> Result<CheckedRules, DialerError> {
        let rules = Self::in_back_room(async move { RuleSet::compile(&text) }).await;
        let rules = rules.map_err(DialerError::RulesInvalid)?;
        Ok(CheckedRules {
            warnings: rules.warnings(),
            largest_head_start_ms: rules.largest_head_start_ms(),
        })
    }

    /// Accepts a version of a queue's rules, and ranks its leads by it in the background.
    pub async fn publish_rules(
        &self,
        publish: PublishRules,
    ) -> Result<RuleVersionView, DialerError> {
        let queue = self.roster().queue(&publish.queue)?;
        let text = publish.text.clone();
        let rules = Self::in_back_room(async move { RuleSet::compile(&text) }).await;
        let rules = Arc::new(rules.map_err(DialerError::RulesInvalid)?);
        if rules.queue() != queue.id.as_str() {
            let problem =
                format!("names queue {:?}, expected {:?}", rules.queue(), queue.id.as_str());
            return Err(DialerError::invalid("text", problem));
        }
        let dialer = self.clone();
        Self::apart(async move {
            let change = NewRules {
                queue: queue.key,
                text: publish.text,
                author: publish.author,
                reason: publish.reason,
                now: dialer.now(),
                request: publish.request,
            };
            let accepted = dialer.parts.store.publish_rules(&change).await?;
            if accepted.version <= dialer.newest_version(queue.key) {
                // A retry of the request gives the version that it made.
                return dialer.view_stored(accepted).await;
            }
            let coming = Versioned::new(accepted.version, rules);
            let ranking = tokio::spawn(dialer.clone().rank_by(queue.key, Some(coming)));
            if publish.wait {
                match ranking.await {
                    Ok(ranked) => ranked?,
                    Err(failure) => std::panic::resume_unwind(failure.into_panic()),
                }
            }
            dialer.view_stored(accepted).await
        })
        .await
    }

    /// A version as it is by now: it may have come into force since it was accepted.
    async fn view_stored(&self, accepted: RuleVersion) -> Result<RuleVersionView, DialerError> {
        let before = Some(accepted.version + 1);
        let stored = self.parts.store.rule_versions(accepted.queue, before, 1).await?;
        Ok(self.view_version(stored.into_iter().next().unwrap_or(accepted)))
    }

    fn newest_version(&self, queue: QueueKey) -> i64 {
        let rulebook = &self.parts.follower.rulebook;
        let staged = rulebook.staged(queue).map_or(0, |staged| staged.version);
        staged.max(rulebook.in_force(queue).version)
    }

    /// Ranks a queue's leads again by the rules that it has, in the background: their lanes changed.
    pub(super) fn rank_again(&self, queue: QueueKey) {
        tokio::spawn(self.clone().rank_by(queue, None));
    }

    /// Ranks a queue's leads by a version and puts it in use; `None`: by the one that it has, or that
    /// is on its way. A version that fails is off its way again.
    async fn rank_by(self, queue: QueueKey, by: Option<Versioned>) -> Result<(), DialerError> {
        Self::in_back_room(async move {
            let Some(coming) = self.stage(queue, by).await? else { return Ok(()) };
            let ranked = self.rank_staged(queue, &coming).await;
            self.parts.metrics.ranked(queue, ranked.is_ok());
            if let Err(error) = &ranked {
                self.parts.follower.rulebook.unstage(queue, &coming);
                let error = error as &dyn std::error::Error;
                tracing::error!(error, "could not rank the leads of a queue");
            }
            ranked
        })
        .await
    }

    /// Begins a run; `None`: a newer version was faster.
    async fn stage(
        &self,
        queue: QueueKey,
        by: Option<Versioned>,
    ) -> Result<Option<Versioned>, DialerError> {
        let follower = &self.parts.follower;
        let _turn = follower.turn.lock().await;
        let coming = by.unwrap_or_else(|| {
            let rulebook = &follower.rulebook;
            let current = rulebook.staged(queue).unwrap_or_else(|| rulebook.in_force(queue));
            // A run of its own, so that one that is under way finds itself overtaken.
            Versioned::new(current.version, current.rules)
        });
        if !follower.rulebook.stage(queue, coming.clone()) {
            return Ok(None);
        }
        match follower.queue.stage(queue, coming.version).await {
            Ok(()) => Ok(Some(coming)),
            Err(error) => {
                follower.rulebook.unstage(queue, &coming);
                Err(error.into())
            }
        }
    }

    async fn rank_staged(&self, queue: QueueKey, coming: &Versioned) -> Result<(), DialerError> {
        let follower = &self.parts.follower;
        let lead_count = self.fill(queue, Some(coming)).await?;
        let before = {
            let _turn = follower.turn.lock().await;
            if !follower.rulebook.is_staged(queue, coming) {
                return Ok(());
            }
            let before = follower.rulebook.in_force(queue).version;
            self.swap(queue, coming).await?;
            follower.rulebook.enforce(queue);
            before
        };
        follower.ring(queue);
        let version = coming.version;
        tracing::info!(version, lead_count, "rules version {version} is in force");
        if version > before {
            let now = self.now();
            self.parts.store.put_rules_in_force(queue, version, now, None).await?;
        }
        Ok(())
    }

    /// Puts the second index in use, after the leads that it missed are read again.
    async fn swap(&self, queue: QueueKey, coming: &Versioned) -> Result<(), DialerError> {
        let follower = &self.parts.follower;
        while let Swap::Behind(leads) = follower.queue.swap(queue).await? {
            let mut updates = Vec::with_capacity(leads.len());
            for lead in leads {
                let record = self.parts.store.lead(lead).await?;
                let now = self.now();
                updates.extend(record.map(|record| follower.update_for(&record, coming, now)));
            }
            follower.queue.apply_staged(updates).await?;
        }
        Ok(())
    }

    /// The versions of a queue's rules, newest first, below `before`.
    pub async fn rule_versions(
        &self,
        queue: &QueueId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<RuleVersionView>, DialerError> {
        let queue = self.roster().queue(queue)?.key;
        let versions = self.parts.store.rule_versions(queue, before, limit).await?;
        Ok(versions.into_iter().map(|version| self.view_version(version)).collect())
    }

    fn view_version(&self, version: RuleVersion) -> RuleVersionView {
        let rulebook = &self.parts.follower.rulebook;
        let staged = rulebook.staged(version.queue).map(|staged| staged.version);
        let in_force = rulebook.in_force(version.queue).version;
        RuleVersionView {
            is_in_force: in_force == version.version,
            is_ranking: staged == Some(version.version) && in_force != version.version,
            version,
        }
    }
}

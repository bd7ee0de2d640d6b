//! What this node learns of others: rules that they put in force, queues, campaigns and reps that they
//! made or changed.

use std::sync::Arc;

use crate::domain::QueueKey;
use crate::queue::{Basis, QueueError};
use crate::rules::RuleSet;
use crate::store::{LeadRecord, StoreError};

use super::DialerError;
use super::follower::Follower;
use super::rulebook::Versioned;

impl Follower {
    /// Reads the roster again, as another node changed it.
    pub(super) async fn reload_roster(&self) -> Result<(), StoreError> {
        // One at a time, or older rows may replace newer ones.
        let _turn = self.reloading.lock().await;
        loop {
            let epoch = self.roster.epoch();
            let rows = self.store.roster().await?;
            for queue in &rows.queues {
                self.rulebook.begin_without_rules(queue.key, &queue.id);
            }
            if self.roster.replace(rows, epoch) {
                return Ok(());
            }
        }
    }

    /// Makes sure that the campaigns of these leads are in the roster, each with the queues that have leads
    /// of it: another node may have made one a moment ago, and any lead may have gone to another queue. Every record that is read passes by here before it is looked at by the rules.
    pub(super) async fn know(&self, records: &[LeadRecord]) -> Result<(), StoreError> {
        let is_known = |record: &LeadRecord| {
            self.roster.has_leads_in(record.state.campaign, record.state.queue)
        };
        match records.iter().all(is_known) {
            true => Ok(()),
            false => self.reload_roster().await,
        }
    }

    /// The rules of a version, whether or not they are in force.
    pub(super) async fn rules_of(
        &self,
        queue: QueueKey,
        version: i64,
    ) -> Result<Versioned, DialerError> {
        if let Some(known) = self.rulebook.known(queue, version) {
            return Ok(known);
        }
        let _turn = self.learning.lock().await;
        if let Some(known) = self.rulebook.known(queue, version) {
            return Ok(known);
        }
        let read = self.read_rules(queue, version).await?;
        self.rulebook.put_aside(queue, read.clone());
        Ok(read)
    }

    async fn read_rules(&self, queue: QueueKey, version: i64) -> Result<Versioned, DialerError> {
        if version == 0 {
            let queue = self.roster.queue_by_key(queue).ok_or(QueueError::NotBuilt(queue))?;
            return Ok(Versioned::none(&queue.id));
        }
        let before = version.checked_add(1);
        let stored = self.store.rule_versions(queue, before, 1).await?;
        // An index that names a version which nobody accepted has to be built again.
        let stored = stored.into_iter().find(|stored| stored.version == version);
        let stored = stored.ok_or(QueueError::NotBuilt(queue))?;
        let rules =
            tokio::task::spawn_blocking(move || RuleSet::compile_stored(&stored.text)).await;
        let rules = rules.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()));
        Ok(Versioned::new(version, Arc::new(rules.map_err(DialerError::RulesInvalid)?)))
    }

    /// Learns the rules by which the index in use is ranked. If they are newer than those in force here,
    /// they are in force from now on, and what else changed with them is read first; so it is if the
    /// lanes are newer than those that are known here.
    pub(super) async fn learn(
        &self,
        queue: QueueKey,
        basis: Basis,
    ) -> Result<Versioned, DialerError> {
        let version = basis.rule_version;
        let rules = self.rules_of(queue, version).await?;
        if basis.lane_version > self.roster.lane_version(queue) {
            self.reload_roster().await?;
            self.ring(queue);
        }
        if basis.lane_version > self.roster.lane_version(queue) {
            // Lanes of which the store knows nothing: it has to be built again.
            return Err(QueueError::NotBuilt(queue).into());
        }
        if version > self.rulebook.in_force(queue).version {
            self.reload_roster().await?;
            if self.rulebook.advance(queue, &rules) {
                tracing::info!(version, "rules version {version} is in force, by another node");
                self.ring(queue);
            }
        }
        Ok(rules)
    }

    /// The rules by which the index in use is ranked.
    pub(super) async fn learn_in_use(&self, queue: QueueKey) -> Result<Versioned, DialerError> {
        let in_use = self.queue.is_built(queue).await?;
        self.learn(queue, in_use.ok_or(QueueError::NotBuilt(queue))?).await
    }
}

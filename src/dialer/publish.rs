//! Rules on their way: checked, accepted, listed. Ranking the leads by them is another file's.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{QueueId, QueueKey, RuleVersion};
use crate::rules::RuleSet;
use crate::store::NewRules;

use super::rulebook::Versioned;
use super::{CheckedRules, Dialer, DialerError, PublishRules, RuleVersionView};

/// How often who waits for rules to come into force looks, while another node ranks by them.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Dialer {
    /// Checks a document: every mistake at once, or what is worth knowing about it.
    pub async fn check_rules(&self, text: String) -> Result<CheckedRules, DialerError> {
        let rules = self.compile(text).await?;
        Ok(CheckedRules {
            warnings: rules.warnings(),
            largest_head_start_ms: rules.largest_head_start_ms(),
            policy: rules.policy_lines(),
        })
    }

    /// Compiles a new document, among the queues that there are.
    async fn compile(&self, text: String) -> Result<RuleSet, DialerError> {
        let (now, queues) = (self.now(), self.roster().queues());
        let rules = Self::in_back_room(async move {
            let queues: Vec<&str> = queues.iter().map(|queue| queue.id.as_str()).collect();
            RuleSet::compile_at(&text, now, Some(&queues))
        });
        rules.await.map_err(DialerError::RulesInvalid)
    }

    /// Accepts a version of a queue's rules, and ranks its leads by it in the background.
    pub async fn publish_rules(
        &self,
        publish: PublishRules,
    ) -> Result<RuleVersionView, DialerError> {
        let queue = self.roster().queue(&publish.queue)?;
        let rules = Arc::new(self.compile(publish.text.clone()).await?);
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
            dialer.parts.follower.rulebook.accept(queue.key, accepted.version);
            if accepted.version <= dialer.newest_version(queue.key) {
                // A retry of the request gives the version that it made.
                if publish.wait && !dialer.parts.duties.is_alone() {
                    dialer.until_in_force(queue.key, accepted.version).await?;
                }
                return dialer.view_stored(accepted).await;
            }
            let coming = Versioned::new(accepted.version, rules);
            let ranking = tokio::spawn(dialer.clone().rank_by(queue.key, Some(coming), false));
            if publish.wait {
                match ranking.await {
                    Ok(ranked) => ranked?,
                    Err(failure) => std::panic::resume_unwind(failure.into_panic()),
                }
                if !dialer.parts.duties.is_alone() {
                    dialer.until_in_force(queue.key, accepted.version).await?;
                }
            }
            dialer.view_stored(accepted).await
        })
        .await
    }

    /// Waits until a version, or one that overtook it, is in force: another node may be ranking by it.
    async fn until_in_force(&self, queue: QueueKey, version: i64) -> Result<(), DialerError> {
        while self.parts.follower.learn_in_use(queue).await?.version < version {
            self.tend_index().await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
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

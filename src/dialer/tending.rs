//! Looks after a shared index and what else several nodes share: every node does so, before each of its
//! sweeps and whenever it hears of another's change. A node alone has nothing to look after, unless its
//! store tells it that it was not alone.

use crate::domain::{Queue, QueueKey};
use crate::queue::{Basis, QueueError};
use crate::rules::RuleSet;

use super::duties::{self, SWEEP};
use super::rulebook::Versioned;
use super::{Dialer, DialerError, IndexState};

impl Dialer {
    /// Goes by the rules that the shared index is ranked by, from the start.
    pub(super) async fn begin_rules(&self) -> Result<(), DialerError> {
        for queue in self.roster().queues() {
            let rules = self.rules_to_begin_with(&queue).await?;
            self.parts.follower.rulebook.begin(queue.key, rules);
            self.note_accepted(queue.key).await?;
        }
        Ok(())
    }

    /// Joins the nodes that share an index: builds what is not built, unless another node does. An
    /// index that is out of reach keeps no node from starting.
    pub(super) async fn join_index(&self) -> Result<(), DialerError> {
        self.parts.metrics.index_state(IndexState::Up);
        for queue in self.roster().queues() {
            let ranked = match self.queue_index().is_built(queue.key).await {
                Ok(Some(_)) => continue,
                Ok(None) => {
                    let newest = self.newest(queue.key).await?;
                    self.clone().rank_by(queue.key, newest, false).await
                }
                Err(error) => Err(error.into()),
            };
            if let Err(error) = ranked {
                self.note_trouble(queue.key, &error);
            }
        }
        Ok(())
    }

    /// The version that is in force in a queue: the shared index goes by it, or did.
    async fn rules_to_begin_with(&self, queue: &Queue) -> Result<Versioned, DialerError> {
        let in_use = self.queue_index().is_built(queue.key).await.unwrap_or(None);
        let mut before = None;
        loop {
            let versions = self.parts.store.rule_versions(queue.key, before, 16).await?;
            let Some(oldest) = versions.last().map(|version| version.version) else {
                return Ok(Versioned::none(&queue.id));
            };
            let is_it = |version: i64, is_noted: bool| match in_use {
                Some(in_use) => version == in_use.rule_version,
                None => is_noted,
            };
            let found =
                versions.into_iter().find(|one| is_it(one.version, one.in_force_at.is_some()));
            if let Some(found) = found {
                let rules =
                    RuleSet::compile_stored(&found.text).map_err(DialerError::RulesInvalid)?;
                return Ok(Versioned::new(found.version, rules.into()));
            }
            before = Some(oldest);
        }
    }

    /// Notes the version of a queue's rules that was accepted last.
    async fn note_accepted(&self, queue: QueueKey) -> Result<(), DialerError> {
        let latest = self.parts.store.latest_rules(queue).await?;
        let version = latest.map_or(0, |version| version.version);
        self.parts.follower.rulebook.accept(queue, version);
        Ok(())
    }

    /// The version that a queue's index is to be ranked by.
    async fn newest(&self, queue: QueueKey) -> Result<Option<Versioned>, DialerError> {
        let accepted = self.parts.follower.rulebook.accept(queue, 0);
        let rules = self.parts.follower.rules_of(queue, accepted).await?;
        // A run of its own.
        Ok(Some(Versioned::new(rules.version, rules.rules)))
    }

    /// Reads queues, campaigns, reps and versions again if another node, or this one, changed any.
    /// Returns whether so. Tokens are their owner's to read: see [`Dialer::settings_number`].
    pub(super) async fn read_settings(&self) -> Result<bool, DialerError> {
        let mut known = self.parts.settings_read.lock().await;
        let number = self.parts.store.settings_number().await?;
        if *known == number {
            return Ok(false);
        }
        self.parts.follower.reload_roster().await?;
        for queue in self.roster().queues() {
            self.note_accepted(queue.key).await?;
        }
        *known = number;
        self.parts.settings_number.send_replace(number);
        // Hours may be open now, reps may have other skills.
        self.ring_all();
        Ok(true)
    }

    /// Looks at the index of each queue: learns the rules that it goes by, builds what was wiped, ranks by
    /// newer rules and lanes that nobody ranks by, and sends again what it missed. Returns whether there
    /// is more to be sent at once.
    pub(super) async fn tend_index(&self) -> bool {
        let mut state = IndexState::Up;
        for queue in self.roster().queues() {
            if let Err(error) = self.tend_queue(queue.key).await {
                state = state.max(self.note_trouble(queue.key, &error));
            }
        }
        let has_more = state == IndexState::Up && self.resend_missed().await;
        self.parts.metrics.index_state(state);
        has_more
    }

    async fn tend_queue(&self, queue: QueueKey) -> Result<(), DialerError> {
        let follower = &self.parts.follower;
        let must_build = follower.missed.is_full(queue);
        let in_use = self.queue_index().is_built(queue).await?;
        self.note_lanes(queue, in_use);
        let accepted = follower.rulebook.accept(queue, 0);
        let learnt = match in_use {
            Some(basis) => follower.learn(queue, basis).await,
            None => Err(QueueError::NotBuilt(queue).into()),
        };
        let wanted = self.wanted(queue, accepted);
        let is_newest = learnt.is_ok() && in_use.is_some_and(|in_use| in_use.covers(wanted));
        if is_newest && !must_build {
            self.parts.metrics.ranked(queue, true);
            return self.note_swapped(queue, accepted).await;
        }
        if let Err(DialerError::Store(_)) = learnt {
            // Nothing is known of the index but that it answers.
            return learnt.map(drop);
        }
        if !self.is_under_way(queue, wanted) {
            match self.newest(queue).await {
                Ok(newest) => drop(tokio::spawn(self.clone().rank_by(queue, newest, must_build))),
                // What is wrong with the index comes first.
                Err(error) => return learnt.and(Err(error)),
            }
        }
        // An old version goes on to serve until the newer one is ranked by.
        learnt.map(drop)
    }

    /// A node alone reads everything again, and has its index built anew beside the one in use: another
    /// node wrote meanwhile, or the store has lost what it said it had.
    pub(super) async fn read_all_again(&self) -> Result<(), DialerError> {
        let read = self.read_passes_and_settings().await;
        match &read {
            Ok(()) => {
                let queues = self.roster().queues();
                queues.iter().for_each(|queue| self.parts.follower.missed.lose(queue.key));
            }
            Err(_) => self.parts.follower.missed.lose_track(),
        }
        read
    }

    async fn read_passes_and_settings(&self) -> Result<(), DialerError> {
        let passes = self.parts.store.passes(self.now()).await?;
        self.parts.follower.passes.note(&passes);
        // No number is this one, so they are read whatever theirs is.
        *self.parts.settings_read.lock().await = -1;
        self.read_settings().await.map(drop)
    }

    /// Whether this node ranks a queue by these rules and lanes, or newer ones, or is about to say by
    /// which it does.
    fn is_under_way(&self, queue: QueueKey, wanted: Basis) -> bool {
        match self.parts.follower.rulebook.staged(queue) {
            Some(staged) => staged.covers(wanted),
            None => self.parts.duties.has_run(&duties::ranking(queue)),
        }
    }

    /// Ranks again what a ranking left in the old lanes, as it failed, and what was missed: on a node
    /// alone. Among several nodes that is looked after with all else.
    pub(super) async fn tend_lanes(&self) {
        for queue in self.roster().queues() {
            let version = self.parts.follower.rulebook.in_force(queue.key).version;
            let wanted = self.wanted(queue.key, version);
            let in_use = self.queue_index().is_built(queue.key).await.unwrap_or(None);
            self.note_lanes(queue.key, in_use);
            let must_build = self.parts.follower.missed.is_full(queue.key);
            let is_behind = in_use.is_some_and(|in_use| !in_use.covers(wanted));
            if self.is_under_way(queue.key, wanted) {
                continue;
            }
            if must_build {
                let Ok(newest) = self.newest(queue.key).await else { continue };
                tokio::spawn(self.clone().rank_by(queue.key, newest, true));
            } else if is_behind {
                self.rank_again(queue.key);
            }
        }
    }

    fn note_lanes(&self, queue: QueueKey, in_use: Option<Basis>) {
        if let Some(in_use) = in_use {
            self.parts.follower.rulebook.saw_lanes(queue, in_use.lane_version);
        }
    }

    /// How many of the leads that differ in the index are drift: none while it is about to be ranked by
    /// newer lanes, as each that is not in its new one differs.
    pub(super) fn drift_of(&self, queue: QueueKey, differing_count: usize) -> usize {
        let seen = self.parts.follower.rulebook.seen_lanes(queue);
        let is_behind = seen.is_some_and(|seen| seen < self.roster().lane_version(queue));
        if is_behind { 0 } else { differing_count }
    }

    /// Drops what is on its way in a queue and nobody fills: its node died, and nobody had to rank since.
    pub(super) async fn drop_orphans(&self) -> Result<(), DialerError> {
        let (duties, store) = (&self.parts.duties, self.parts.store.as_ref());
        for queue in self.roster().queues() {
            let duty = duties::ranking(queue.key);
            // Who is out of reach, or ranks, has no orphan to drop.
            let Ok(Some(orphan)) = self.queue_index().staged(queue.key).await else { continue };
            if duties.has_run(&duty) || duties.begin_run(store, &duty, self.now()).await?.is_none()
            {
                continue;
            }
            // Whoever filled it lost the duty, and ends when it learns so. A run of this node that came
            // meanwhile fills another.
            if !self.parts.follower.rulebook.is_filling(queue.key, orphan) {
                tracing::info!(queue.key = queue.key.0, "dropped an index that nobody fills");
                if let Err(error) = self.queue_index().unstage(queue.key, orphan).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "an index that nobody fills is still there");
                }
            }
            duties.end_run(store, &duty).await;
        }
        Ok(())
    }

    /// Whoever swapped an index may have died before it noted so in the store.
    async fn note_swapped(&self, queue: QueueKey, version: i64) -> Result<(), DialerError> {
        if version == 0 || !self.is_sweeping() || !self.parts.follower.rulebook.note(queue, version)
        {
            return Ok(());
        }
        let stored = self.parts.store.latest_rules(queue).await?;
        if stored.is_some_and(|one| one.version == version && one.in_force_at.is_none()) {
            self.note_in_force(queue, version, SWEEP).await?;
        }
        Ok(())
    }

    /// Tells what is wrong with the index, once.
    fn note_trouble(&self, queue: QueueKey, error: &DialerError) -> IndexState {
        let state = match error {
            DialerError::Queue(QueueError::NotBuilt(_)) => IndexState::NotBuilt,
            DialerError::Queue(_) => IndexState::OutOfReach,
            // The store's troubles are on its own line, and rules' on theirs.
            _ => {
                let error = error as &dyn std::error::Error;
                tracing::debug!(error, queue.key = queue.0, "could not look after an index");
                return IndexState::Up;
            }
        };
        if self.parts.metrics.index_state(state) != state {
            let error = error as &dyn std::error::Error;
            tracing::warn!(error, queue.key = queue.0, "the index is not to be used for now");
        }
        state
    }

    /// The number of the settings that this node goes by: grows when it learns of another's change.
    pub fn settings_number(&self) -> tokio::sync::watch::Receiver<i64> {
        self.parts.settings_number.subscribe()
    }
}

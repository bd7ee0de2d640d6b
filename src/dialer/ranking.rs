//! Rules on their way into force: leads are ranked by them in the background, then they are in use
//! from one instant. Pulls go on entirely under the old version until then. Among several nodes the
//! one that has the queue's duty ranks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join;

use crate::domain::{LeadId, QueueId, QueueKey, RuleVersion};
use crate::queue::{Basis, QueueError, Swap, Update};
use crate::rules::RuleSet;
use crate::store::{Denied, LeadRecord, StoreError};

use super::duties::{self, Hold};
use super::rulebook::Versioned;
use super::{Dialer, DialerError};

/// How often the duty of ranking is carried on while it lasts.
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// How many leads are read and ranked at a time.
const PAGE_SIZE: usize = 5_000;
/// How often a new index catches up with what other nodes commit before it is put in use all the same,
/// and how many leads it may be behind by then; with each further round twice as many.
const CATCH_UP_ROUNDS: usize = 4;
const CARRIED_COUNT: usize = 250;

impl Dialer {
    /// Builds the index of every queue from the store, under the version accepted last: a node alone
    /// has it in its own memory.
    pub(super) async fn build_index(&self) -> Result<(), DialerError> {
        for queue in self.roster().queues() {
            let version = match self.parts.store.latest_rules(queue.key).await? {
                Some(version) => self.enforce_stored(&queue.id, version).await?,
                None => Versioned::none(&queue.id),
            };
            let lane_version = self.roster().lane_version(queue.key);
            let basis = Basis { rule_version: version.version, lane_version };
            self.queue_index().begin(queue.key, basis).await?;
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
        let rules =
            Arc::new(RuleSet::compile_stored(&stored.text).map_err(DialerError::RulesInvalid)?);
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
            follower.know(&records).await?;
            match staged {
                None => {
                    let rules = follower.rulebook.in_force(queue);
                    follower.queue.apply(follower.updates_for(&records, &rules)).await?;
                }
                Some(run) => {
                    if !follower.rulebook.is_staged(queue, run) {
                        return Ok(lead_count);
                    }
                    let generation = run.generation().ok_or(QueueError::Overtaken(queue))?;
                    let updates = follower.updates_for(&records, run);
                    follower.queue.apply_staged(queue, generation, updates).await?;
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
                // The runtime is going: whoever ranks in a thread of its own must not wait for it.
                Err(failure) if failure.is_cancelled() => Err(StoreError::Stopped.into()),
                Err(failure) => std::panic::resume_unwind(failure.into_panic()),
            }
        }
    }

    /// Ranks a queue's leads again by the rules that it has, in the background: their lanes changed.
    pub(super) fn rank_again(&self, queue: QueueKey) {
        tokio::spawn(self.clone().rank_by(queue, None, false));
    }

    /// Ranks a queue's leads by a version and puts it in use; `None`: by the one that it has, or that
    /// is on its way. A version that fails is off its way again. Nothing happens if another node ranks
    /// this queue, as it learns of every version itself; nor if the index in use, or on its way, is of
    /// that version and of the lanes as they are, unless it is to be built all the same.
    pub(super) async fn rank_by(
        self,
        queue: QueueKey,
        by: Option<Versioned>,
        must_build: bool,
    ) -> Result<(), DialerError> {
        Self::in_back_room(async move {
            let (duty, store) = (duties::ranking(queue), self.parts.store.clone());
            let hold = self.parts.duties.begin_run(store.as_ref(), &duty, self.now()).await?;
            let Some(hold) = hold else { return Ok(()) };
            let missed_number = self.parts.follower.missed.number();
            let ranked = match self.begin_ranking(queue, by, must_build).await {
                Ok(Some(coming)) => self.rank_held(queue, &coming, &hold, missed_number).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            self.parts.duties.end_run(store.as_ref(), &duty).await;
            ranked
        })
        .await
    }

    /// Begins a run if one is needed: whoever had the duty a moment ago may have done it.
    async fn begin_ranking(
        &self,
        queue: QueueKey,
        by: Option<Versioned>,
        must_build: bool,
    ) -> Result<Option<Versioned>, DialerError> {
        // Of two runs that begin at once the second sees what the first fills.
        let _beginning = self.parts.beginning.lock().await;
        if !must_build && self.is_ranked(queue, by.as_ref()).await {
            return Ok(None);
        }
        self.stage(queue, by).await
    }

    /// Whether the index in use, or the one that this node fills, is of a version, or of the one that the
    /// queue has, and of the lanes as they are. One that does not say so is not.
    async fn is_ranked(&self, queue: QueueKey, by: Option<&Versioned>) -> bool {
        let rulebook = &self.parts.follower.rulebook;
        let staged = rulebook.staged(queue);
        let current = || staged.clone().unwrap_or_else(|| rulebook.in_force(queue)).version;
        let wanted = self.wanted(queue, by.map_or_else(current, |by| by.version));
        if staged.is_some_and(|staged| staged.covers(wanted)) {
            return true;
        }
        let Ok(Some(in_use)) = self.queue_index().is_built(queue).await else { return false };
        // One of rules or lanes that nobody made is of none, however high they count.
        in_use.covers(wanted) && self.parts.follower.learn(queue, in_use).await.is_ok()
    }

    /// What an index is to be ranked by: these rules, and the lanes as they are.
    pub(super) fn wanted(&self, queue: QueueKey, rule_version: i64) -> Basis {
        Basis { rule_version, lane_version: self.roster().lane_version(queue) }
    }

    /// Carries the duty of a queue on; ends when another node has it.
    async fn until_lost(&self, queue: QueueKey, hold: &Hold) {
        let Hold::Held(_) = hold else { return std::future::pending().await };
        let (duty, store) = (duties::ranking(queue), self.parts.store.as_ref());
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            match self.parts.duties.take(store, &duty, self.now()).await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, duty, "could not carry a duty on");
                }
            }
        }
    }

    async fn rank_held(
        &self,
        queue: QueueKey,
        coming: &Versioned,
        hold: &Hold,
        missed_number: u64,
    ) -> Result<(), DialerError> {
        let ranked = tokio::select! {
            ranked = self.rank_staged(queue, coming) => ranked,
            () = self.until_lost(queue, hold) => Err(QueueError::Overtaken(queue).into()),
        };
        let Err(error) = ranked else {
            self.parts.metrics.ranked(queue, true);
            self.parts.follower.missed.built(queue, missed_number);
            return Ok(());
        };
        self.unstage(queue, coming).await;
        let told = &error as &dyn std::error::Error;
        if matches!(error, DialerError::Queue(QueueError::Overtaken(_))) {
            // Whoever has the duty by now ranks; if nobody does, whoever sweeps next.
            tracing::info!(error = told, "a ranking of a queue was overtaken");
            return Ok(());
        }
        self.parts.metrics.ranked(queue, false);
        tracing::error!(error = told, "could not rank the leads of a queue");
        Err(error)
    }

    /// Takes a run off its way, and the index that it filled.
    async fn unstage(&self, queue: QueueKey, run: &Versioned) {
        self.parts.follower.rulebook.unstage(queue, run);
        let Some(generation) = run.generation() else { return };
        if let Err(error) = self.queue_index().unstage(queue, generation).await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "an index on its way is still there");
        }
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
        let basis = self.wanted(queue, coming.version);
        coming.begins(basis.lane_version);
        if !follower.rulebook.stage(queue, coming.clone()) {
            return Ok(None);
        }
        match follower.queue.stage(queue, basis).await {
            Ok(generation) => {
                coming.fills(generation);
                Ok(Some(coming))
            }
            Err(error) => {
                let told = &error as &dyn std::error::Error;
                tracing::warn!(error = told, "could not begin to rank the leads of a queue");
                follower.rulebook.unstage(queue, &coming);
                Err(error.into())
            }
        }
    }

    async fn rank_staged(&self, queue: QueueKey, coming: &Versioned) -> Result<(), DialerError> {
        let follower = &self.parts.follower;
        let lead_count = self.fill(queue, Some(coming)).await?;
        let before = follower.rulebook.in_force(queue).version;
        if !self.put_in_use(queue, coming).await? {
            return Err(QueueError::Overtaken(queue).into());
        }
        follower.ring(queue);
        let version = coming.version;
        tracing::info!(version, lead_count, "rules version {version} is in force");
        if version > before {
            self.note_in_force(queue, version, &duties::ranking(queue)).await?;
        }
        Ok(())
    }

    /// Puts the second index in use, after the leads that it missed are read again: other nodes commit
    /// meanwhile. If they do so faster than it catches up, it carries the last of them over as they
    /// were, and they are sent again. Returns whether it is in use; not if a newer run has begun.
    async fn put_in_use(&self, queue: QueueKey, coming: &Versioned) -> Result<bool, DialerError> {
        let follower = &self.parts.follower;
        let generation = coming.generation().ok_or(QueueError::Overtaken(queue))?;
        let mut carried_max = 0;
        for round in 0_usize.. {
            let swapped = {
                // No commit of this node is ranked by the old rules once the new ones are in use.
                let _turn = follower.turn.lock().await;
                if !follower.rulebook.is_staged(queue, coming) {
                    return Ok(false);
                }
                let swapped = follower.queue.swap(queue, generation, carried_max).await?;
                if !matches!(swapped, Swap::Behind(_)) {
                    follower.rulebook.enforce(queue);
                }
                swapped
            };
            match swapped {
                Swap::Done => break,
                Swap::Carried(leads) => {
                    self.send_again(queue, &leads).await;
                    break;
                }
                Swap::Behind(leads) => self.tell_staged(queue, leads, coming).await?,
            }
            if round >= CATCH_UP_ROUNDS {
                carried_max = (carried_max * 2).max(CARRIED_COUNT);
            }
        }
        Ok(true)
    }

    /// Sends leads again as they are by now. What cannot be read is left to the mending.
    async fn send_again(&self, queue: QueueKey, leads: &[LeadId]) {
        let follower = &self.parts.follower;
        for some in leads.chunks(CARRIED_COUNT) {
            // Nothing of this node may commit in between: an old place would come back.
            let _turn = follower.turn.lock().await;
            match self.parts.store.leads(some).await {
                Ok(mut records) => {
                    records.iter_mut().for_each(|record| record.leaves(queue));
                    follower.take_in_turn(&records).await;
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "could not tell a new index of leads that it missed");
                }
            }
        }
    }

    /// Tells the index on its way how leads stand that it missed.
    async fn tell_staged(
        &self,
        queue: QueueKey,
        leads: Vec<LeadId>,
        coming: &Versioned,
    ) -> Result<(), DialerError> {
        let follower = &self.parts.follower;
        let records = self.parts.store.leads(&leads).await?;
        follower.know(&records).await?;
        let mut updates = follower.updates_in(queue, &records, coming);
        let found: BTreeSet<LeadId> = records.iter().map(|record| record.lead.id).collect();
        // What the store does not know is not in line, whatever the index in use was told.
        let unknown = leads.into_iter().filter(|lead| !found.contains(lead));
        updates.extend(unknown.map(|lead| Update::Remove { queue, lead, version: i64::MAX }));
        let generation = coming.generation().ok_or(QueueError::Overtaken(queue))?;
        Ok(follower.queue.apply_staged(queue, generation, updates).await?)
    }

    /// Notes in the store that a version is in force, for whoever reads the versions.
    pub(super) async fn note_in_force(
        &self,
        queue: QueueKey,
        version: i64,
        duty: &str,
    ) -> Result<(), DialerError> {
        let (store, now) = (self.parts.store.as_ref(), self.now());
        let Some(hold) = self.parts.duties.take(store, duty, now).await? else { return Ok(()) };
        match store.put_rules_in_force(queue, version, now, hold.duty()).await {
            // Whoever took the duty over notes it.
            Err(StoreError::Denied(Denied::DutyLost)) => self.parts.duties.lose(duty),
            noted => noted?,
        }
        Ok(())
    }
}

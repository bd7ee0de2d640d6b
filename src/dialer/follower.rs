//! Keeps the index in step with the truth: every commit passes by here, in order, before it is
//! answered, and becomes changes of the index.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::domain::{FirstTouchRank, LeadId, QueueKey, Standing};
use crate::failpoint;
use crate::metrics::Counter;
use crate::queue::{Entry, Lane, LeadQueue, Update};
use crate::rules::Subject;
use crate::store::{CommitSink, LeadRecord, Store, StoreError};

use super::roster::Roster;
use super::rulebook::{Rulebook, Versioned};

/// What turns records into places in line, and tells who waits.
pub(super) struct Follower {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) queue: Arc<dyn LeadQueue>,
    pub(super) roster: Roster,
    pub(super) rulebook: Rulebook,
    /// Held while a commit is taken in, and while a new index is put in use: a lead ranked by the
    /// old rules must not land in the new index.
    pub(super) turn: tokio::sync::Mutex<()>,
    zones: Mutex<HashMap<String, Arc<str>>>,
    bells: Mutex<HashMap<QueueKey, watch::Sender<u64>>>,
    /// Commits that the index missed.
    missed: Counter,
}

impl Follower {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        queue: Arc<dyn LeadQueue>,
        roster: Roster,
        missed: Counter,
    ) -> Self {
        Self {
            clock,
            queue,
            roster,
            rulebook: Rulebook::default(),
            turn: tokio::sync::Mutex::new(()),
            zones: Mutex::default(),
            bells: Mutex::default(),
            missed,
        }
    }

    /// Rings whenever a lead of the queue may have become servable.
    pub(super) fn listen(&self, queue: QueueKey) -> watch::Receiver<u64> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(queue).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// Tells everybody who waits for a lead of the queue to look again.
    pub(super) fn ring(&self, queue: QueueKey) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(&queue) {
            bell.send_modify(|count| *count += 1);
        }
    }

    /// The subject that rules look at.
    pub(super) fn subject<'a>(record: &'a LeadRecord, campaign: &'a str) -> Subject<'a> {
        Subject {
            facts: &record.lead.facts,
            source_system: &record.lead.source_system,
            campaign,
            attempts: record.state.attempts,
            last_disposition: record.state.last_disposition,
            handed_over_at: record.state.handed_over_at,
            owner: None,
        }
    }

    /// Where a lead belongs in the index under a rule set.
    pub(super) fn update_for(&self, record: &LeadRecord, rules: &Versioned, now: i64) -> Update {
        let state = &record.state;
        let due_at = match state.standing {
            Standing::Ready => None,
            Standing::Waiting { until, .. } => Some(until),
            Standing::Leased | Standing::Closed { .. } | Standing::Erased => {
                return Update::Remove { queue: state.queue, lead: state.lead, version: state.seq };
            }
        };
        let campaign = self.roster.campaign_by_key(state.campaign);
        let campaign = campaign.expect("a lead's campaign is in the roster before the lead");
        let subject = Self::subject(record, campaign.campaign.id.as_str());
        let first_touch = match (state.first_touched_at, state.first_touch_due_at) {
            (None, Some(due_at)) => Some(FirstTouchRank {
                times_released: state.times_released,
                due_at,
                lead: state.lead,
            }),
            _ => None,
        };
        Update::Put(Box::new(Entry {
            lead: state.lead,
            queue: state.queue,
            version: state.seq,
            rule_version: rules.version,
            tier: state.tier,
            ready_since: due_at.unwrap_or(state.ready_since),
            due_at,
            worth: rules.rules.evaluate(&subject, now),
            lane: self.lane(record, &campaign.skills),
            first_touch,
        }))
    }

    fn lane(&self, record: &LeadRecord, campaign_skills: &Arc<BTreeSet<String>>) -> Lane {
        let facts = &record.lead.facts;
        let skills = if facts.skills.is_empty() {
            campaign_skills.clone()
        } else {
            let all = campaign_skills.iter().chain(&facts.skills).cloned();
            Arc::new(all.collect::<BTreeSet<_>>())
        };
        // Without a number to dial nobody may take it, whatever the hour.
        let zone = facts.zone.as_deref().filter(|_| facts.callable_numbers().next().is_some());
        let hours = zone.map(|zone| self.shared_name(zone));
        Lane { skills, hours }
    }

    /// One shared text a zone: a million leads name a few hundred of them.
    fn shared_name(&self, zone: &str) -> Arc<str> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = zones.get(zone) {
            return known.clone();
        }
        let name: Arc<str> = zone.into();
        zones.insert(zone.to_owned(), name.clone());
        name
    }

    /// Takes records into the index in use, and into the one on its way.
    pub(super) async fn take_in(&self, records: &[LeadRecord]) {
        let _turn = self.turn.lock().await;
        self.take_in_turn(records).await;
    }

    /// Reads a lead and takes it in, should the index be behind. Nothing may commit in between: an
    /// old place would come back.
    pub(super) async fn refresh(&self, store: &dyn Store, lead: LeadId) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        if let Some(record) = store.lead(lead).await? {
            self.take_in_turn(&[record]).await;
        }
        Ok(())
    }

    async fn take_in_turn(&self, records: &[LeadRecord]) {
        let now = self.clock.now();
        let mut updates = Vec::with_capacity(records.len());
        let mut staged = Vec::new();
        let mut ready_queues = BTreeSet::new();
        for record in records {
            let queue = record.state.queue;
            let rules = self.rulebook.in_force(queue);
            updates.push(self.update_for(record, &rules, now));
            if let Some(coming) = self.rulebook.staged(queue) {
                staged.push(self.update_for(record, &coming, now));
            }
            if record.state.standing == Standing::Ready {
                ready_queues.insert(queue);
            }
        }
        failpoint::reach("index.before-apply");
        let applied = self.queue.apply(updates).await;
        let applied_staged = match staged.is_empty() {
            true => Ok(()),
            false => self.queue.apply_staged(staged).await,
        };
        failpoint::reach("index.after-apply");
        if let Err(error) = applied.map(drop).and(applied_staged) {
            self.missed.inc();
            // The index is a hint: the mending pass of the sweep puts right what it missed.
            tracing::warn!(error = &error as &dyn std::error::Error, "the index missed a commit");
        }
        ready_queues.into_iter().for_each(|queue| self.ring(queue));
    }
}

#[async_trait]
impl CommitSink for Follower {
    async fn committed(&self, records: &[LeadRecord]) {
        self.take_in(records).await;
    }
}

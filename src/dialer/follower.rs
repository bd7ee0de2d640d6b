//! Keeps the index in step with the truth: every commit passes by here, in order, before it is
//! answered, and becomes changes of the index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::{FirstTouchRank, LeadId, QueueKey, Rep, Standing, WaitReason};
use crate::failpoint;
use crate::queue::{Basis, Entry, Lane, LeadQueue, QueueError, Update};
use crate::rules::Subject;
use crate::store::{LeadRecord, Store, StoreError};

use super::DialerMetrics;
use super::late::Late;
use super::missed::Missed;
use super::passes::Passes;
use super::passing::Passing;
use super::places::Places;
use super::roster::{Roster, RosterCampaign};
use super::rulebook::{Rulebook, Versioned};
use super::seats::Seats;

/// The skill of the lanes in which leads of paused campaigns stand: no rep has it, as no skill that a
/// client names holds a control character. So they keep their ranks and are in nobody's way.
const SKILL_OF_NOBODY: &str = "\u{0}paused";

/// Takes a lead out of the index of a queue that has it no more.
fn removal(record: &LeadRecord, queue: QueueKey) -> Update {
    Update::Remove { queue, lead: record.lead.id, version: record.state.seq }
}

/// Whether the leads of a lane are those of paused campaigns.
pub(super) fn is_paused(lane: &Lane) -> bool {
    lane.skills.contains(SKILL_OF_NOBODY)
}

/// What turns records into places in line, and tells who waits.
pub(super) struct Follower {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<dyn Store>,
    pub(super) queue: Arc<dyn LeadQueue>,
    pub(super) roster: Roster,
    pub(super) rulebook: Rulebook,
    pub(super) passes: Passes,
    /// Held while a commit is taken in, and while a new index is put in use: a lead ranked by the
    /// old rules must not land in the new index.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Held while rules are read that another node put in force.
    pub(super) learning: tokio::sync::Mutex<()>,
    /// Held while the roster is read again.
    pub(super) reloading: tokio::sync::Mutex<()>,
    /// What the index was not told.
    pub(super) missed: Missed,
    /// What is read for the index while commits pass by.
    pub(super) passing: Passing,
    /// What the index is still being told.
    pub(super) late: Late,
    pub(super) metrics: DialerMetrics,
    /// The hours at which leads may be called.
    pub(super) places: Places,
    /// Who waits for a lead.
    pub(super) seats: Seats,
}

impl Follower {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        store: Arc<dyn Store>,
        queue: Arc<dyn LeadQueue>,
        roster: Roster,
        metrics: DialerMetrics,
    ) -> Self {
        Self {
            clock,
            store,
            queue,
            roster,
            rulebook: Rulebook::default(),
            passes: Passes::default(),
            turn: tokio::sync::Mutex::default(),
            learning: tokio::sync::Mutex::default(),
            reloading: tokio::sync::Mutex::default(),
            missed: Missed::default(),
            passing: Passing::default(),
            late: Late::default(),
            metrics,
            places: Places::default(),
            seats: Seats::default(),
        }
    }

    /// Tells everybody who waits for a lead of the queue to look again.
    pub(super) fn ring(&self, queue: QueueKey) {
        self.seats.ring(queue);
    }

    /// The subject that rules look at.
    pub(super) fn subject<'a>(
        record: &'a LeadRecord,
        campaign: &'a str,
        owner: Option<&'a Rep>,
    ) -> Subject<'a> {
        Subject {
            facts: &record.lead.facts,
            source_system: &record.lead.source_system,
            campaign,
            attempts: record.state.attempts,
            last_disposition: record.state.last_disposition,
            handed_over_at: record.state.handed_over_at,
            owner: owner.map(|owner| owner.id.as_str()),
        }
    }

    /// Where a lead belongs in the index under a rule set. The roster has to know its campaign: see
    /// [`Follower::know`].
    pub(super) fn update_for(&self, record: &LeadRecord, rules: &Versioned, now: i64) -> Update {
        let state = &record.state;
        let due_at = match state.standing {
            Standing::Ready => None,
            Standing::Waiting { until, .. } => Some(until),
            Standing::Leased | Standing::Closed { .. } | Standing::Erased => {
                return Update::Remove { queue: state.queue, lead: state.lead, version: state.seq };
            }
        };
        let is_capped = matches!(state.standing, Standing::Waiting { why: WaitReason::Cap, .. });
        let lanes = self.roster.lanes_by_key(state.campaign, state.queue);
        let (campaign, lane_version) =
            lanes.expect("a lead's campaign is in the roster before the lead");
        let owner = self.owner_of(record);
        let subject = Self::subject(record, campaign.campaign.id.as_str(), owner.as_deref());
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
            basis: Basis { rule_version: rules.version, lane_version },
            tier: state.tier,
            // A cap is no wait of its own: the lead goes on from where it stood.
            ready_since: due_at.filter(|_| !is_capped).unwrap_or(state.ready_since),
            due_at,
            worth: rules.rules.evaluate(&subject, now),
            lane: self.lane(record, &campaign),
            // A pause keeps it from everybody, and a change of the campaign ends the pause.
            keeper: self.keeper_of(state, now).filter(|_| !campaign.campaign.is_paused),
            first_touch,
        }))
    }

    /// Where leads belong under a rule set.
    pub(super) fn updates_for(&self, records: &[LeadRecord], rules: &Versioned) -> Vec<Update> {
        let now = self.clock.now();
        records.iter().map(|record| self.update_for(record, rules, now)).collect()
    }

    /// Where leads belong in the index of one queue under its rule set: out of it, if another has them by
    /// now.
    pub(super) fn updates_in(
        &self,
        queue: QueueKey,
        records: &[LeadRecord],
        rules: &Versioned,
    ) -> Vec<Update> {
        let now = self.clock.now();
        let update = |record: &LeadRecord| match record.state.queue == queue {
            true => self.update_for(record, rules, now),
            false => removal(record, queue),
        };
        records.iter().map(update).collect()
    }

    fn lane(&self, record: &LeadRecord, campaign: &RosterCampaign) -> Lane {
        let (campaign_skills, is_paused) = (&campaign.skills, campaign.campaign.is_paused);
        let facts = &record.lead.facts;
        if is_paused {
            let skills = Arc::new(BTreeSet::from([SKILL_OF_NOBODY.to_owned()]));
            return Lane { skills, hours: self.places.hours_of(facts) };
        }
        let skills = if facts.skills.is_empty() {
            campaign_skills.clone()
        } else {
            let all = campaign_skills.iter().chain(&facts.skills).cloned();
            Arc::new(all.collect::<BTreeSet<_>>())
        };
        Lane { skills, hours: self.places.hours_of(facts) }
    }

    /// Takes records into the index in use, and into the one on its way.
    pub(super) async fn take_in(&self, records: &[LeadRecord]) {
        let _turn = self.turn.lock().await;
        self.passing.note(records);
        self.take_in_turn(records).await;
    }

    /// Puts the index right about leads of a queue that it should not have proposed. Each comes with
    /// the version that it was proposed by. What a commit of this node told of meanwhile is left alone:
    /// an old place would come back.
    pub(super) async fn settle(
        &self,
        queue: QueueKey,
        proposed: &[(LeadId, i64)],
    ) -> Result<(), StoreError> {
        let reading = self.passing.begin();
        let leads: Vec<LeadId> = proposed.iter().map(|(lead, _)| *lead).collect();
        let mut records = self.store.leads(&leads).await?;
        let _turn = self.turn.lock().await;
        records.retain(|record| reading.is_last_of(record.lead.id));
        let proposed = proposed.iter().filter(|(lead, _)| reading.is_last_of(*lead));
        let seqs: BTreeMap<LeadId, i64> =
            records.iter().map(|record| (record.lead.id, record.state.seq)).collect();
        let removals = proposed.map(|(lead, version)| {
            let version = seqs.get(lead).map_or(*version, |seq| *version.max(seq));
            Update::Remove { queue, lead: *lead, version }
        });
        // An entry of the right version in the wrong place stays, unless it is taken out first.
        let removed = self.tell(removals.collect()).await;
        if let Err(error) = removed {
            self.missed_by_index(&records, &error);
        }
        self.take_in_turn(&records).await;
        Ok(())
    }

    /// The same, for whoever has the turn.
    pub(super) async fn take_in_turn(&self, records: &[LeadRecord]) {
        if let Err(error) = self.know_soon(records).await {
            // Their campaigns are another node's news, and cannot be read now.
            return self.missed_by_us(records, &error);
        }
        let now = self.clock.now();
        let mut updates = Vec::with_capacity(records.len());
        let mut staged: BTreeMap<QueueKey, (Versioned, Vec<Update>)> = BTreeMap::new();
        let mut ready_queues = BTreeSet::new();
        for record in records {
            let queue = record.state.queue;
            if let Some(left) = record.left {
                updates.push(removal(record, left));
                if let Some(coming) = self.rulebook.staged(left) {
                    let told = staged.entry(left).or_insert_with(|| (coming, Vec::new()));
                    told.1.push(removal(record, left));
                }
            }
            let rules = self.rulebook.in_force(queue);
            updates.push(self.update_for(record, &rules, now));
            if let Some(coming) = self.rulebook.staged(queue) {
                let update = self.update_for(record, &coming, now);
                staged.entry(queue).or_insert_with(|| (coming, Vec::new())).1.push(update);
            }
            if record.state.standing == Standing::Ready {
                ready_queues.insert(queue);
            }
        }
        failpoint::reach("index.before-apply");
        match self.tell(updates).await {
            Ok(applied) => self.catch_up(records, &applied.overtaken).await,
            Err(error) => self.missed_by_index(records, &error),
        }
        for (queue, (run, updates)) in staged {
            self.take_in_staged(queue, &run, updates).await;
        }
        failpoint::reach("index.after-apply");
        ready_queues.into_iter().for_each(|queue| self.ring(queue));
    }

    /// Tells the index on its way. A run that cannot be told ends: it would come into use without these
    /// leads.
    async fn take_in_staged(&self, queue: QueueKey, run: &Versioned, updates: Vec<Update>) {
        let Some(generation) = run.generation() else { return };
        if let Err(error) = self.tell_staged(queue, generation, updates).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "could not tell the index on its way");
            self.rulebook.unstage(queue, run);
        }
    }

    /// Sends leads again that were ranked by rules which another node has overtaken.
    async fn catch_up(&self, records: &[LeadRecord], overtaken: &[QueueKey]) {
        for queue in overtaken {
            let of_queue = records.iter().filter(|record| record.state.queue == *queue);
            let of_queue: Vec<LeadRecord> = of_queue.cloned().collect();
            let rules = match self.learn_soon(*queue).await {
                Ok(rules) => rules,
                Err(error) => {
                    self.missed_by_us(&of_queue, &error);
                    continue;
                }
            };
            match self.tell(self.updates_for(&of_queue, &rules)).await {
                // Newer rules again: the sweep sends them once more.
                Ok(applied) if !applied.overtaken.is_empty() => drop(self.missed.add(&of_queue)),
                Ok(_) => {}
                Err(error) => self.missed_by_index(&of_queue, &error),
            }
        }
    }

    fn missed_by_index(&self, records: &[LeadRecord], error: &QueueError) {
        self.missed_by_us(records, error);
    }

    /// The index is a hint: what it missed is sent again by the sweep.
    fn missed_by_us(&self, records: &[LeadRecord], error: &(dyn std::error::Error + 'static)) {
        self.metrics.index_misses.inc();
        if self.missed.add(records) {
            tracing::warn!(error, "the index misses commits; it is told of them later");
        }
    }
}

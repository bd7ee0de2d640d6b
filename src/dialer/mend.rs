//! Keeps the index right in slices: what the store has in line and the index does not is put in, what
//! the index holds and the store has in line no more is taken out.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::domain::{LeadId, QueueKey};
use crate::queue::Update;
use crate::store::LeadRecord;

use super::duties::{Hold, SWEEP};
use super::{Dialer, DialerError};

/// How many leads of each queue one sweep compares with the index, each way; and how many while it
/// finds some that differ.
const SLICE_COUNT: usize = 200;
const SLICE_COUNT_DRIFTING: usize = 2_000;
/// How many leads that the index missed are sent again at a time.
const RESENT_COUNT: usize = 2_000;

/// How far the comparing has come in a queue.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The last lead of the store that was compared.
    after: LeadId,
    /// Where the next slice of the index begins.
    from: u64,
    /// The last slice differed.
    is_drifting: bool,
}

/// How far the comparing has come.
#[derive(Debug, Default)]
pub(super) struct Mended(Mutex<HashMap<QueueKey, Place>>);

impl Mended {
    fn at(&self, queue: QueueKey) -> Place {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(&queue).copied().unwrap_or_default()
    }

    fn put(&self, queue: QueueKey, place: Place) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(queue, place);
    }
}

impl Dialer {
    /// Sends again what the index missed while it was out of reach. Returns whether there is more.
    pub(super) async fn resend_missed(&self) -> Result<bool, DialerError> {
        let follower = &self.parts.follower;
        let leads = follower.missed.take(RESENT_COUNT);
        if leads.is_empty() {
            return Ok(false);
        }
        // Nothing of this node may commit in between: an old place would come back.
        let _turn = follower.turn.lock().await;
        let records = self.parts.store.leads(&leads).await?;
        follower.take_in_turn(&records).await;
        Ok(leads.len() == RESENT_COUNT)
    }

    /// Compares a slice of each queue. What is known already changes nothing. Returns whether there is
    /// more to put right at once.
    pub(super) async fn mend(&self, hold: &Hold) -> Result<bool, DialerError> {
        let mut is_drifting = false;
        for queue in self.roster().queues() {
            let mut place = self.parts.mended.at(queue.key);
            let slice = if place.is_drifting { SLICE_COUNT_DRIFTING } else { SLICE_COUNT };
            let lost = self.put_in(queue.key, &mut place, slice).await;
            let stray = match hold {
                // Only this process changes it, and it misses nothing.
                Hold::Alone => Ok(0),
                Hold::Held(_) => self.take_out(queue.key, &mut place, slice).await,
            };
            let drift = match (lost, stray) {
                (Ok(lost), Ok(stray)) => self.drift_of(queue.key, lost + stray),
                (Err(DialerError::Queue(error)), _) | (_, Err(DialerError::Queue(error))) => {
                    // Said by who looks after the index.
                    tracing::debug!(error = &error as &dyn std::error::Error, "mended nothing");
                    continue;
                }
                (Err(error), _) | (_, Err(error)) => return Err(error),
            };
            self.parts.metrics.index_drift.inc_by(drift as u64);
            place.is_drifting = drift > 0;
            is_drifting |= drift > 0;
            self.parts.mended.put(queue.key, place);
        }
        Ok(is_drifting)
    }

    /// Puts leads in that the index should hold. Returns how many it did not, or otherwise.
    async fn put_in(
        &self,
        queue: QueueKey,
        place: &mut Place,
        slice: usize,
    ) -> Result<usize, DialerError> {
        let follower = &self.parts.follower;
        // Nothing may commit between the reading and the taking in: an old place would come back.
        let _turn = follower.turn.lock().await;
        let records = self.parts.store.open_leads(queue, place.after, slice).await?;
        follower.know(&records).await?;
        let rules = follower.rulebook.in_force(queue);
        let applied = follower.queue.apply(follower.updates_for(&records, &rules)).await?;
        place.after = match records.last() {
            Some(last) if records.len() == slice => last.lead.id,
            _ => LeadId(0),
        };
        let mut drift = applied.changed_count;
        if drift > 0 && !self.parts.duties.is_alone() {
            // Other nodes do commit in between, and their leads came back: they are sent as they are
            // by now.
            let moved = self.moved_since(&records).await?;
            drift = drift.saturating_sub(moved.len());
            follower.queue.apply(follower.updates_for(&moved, &rules)).await?;
        }
        Ok(drift)
    }

    /// Those of these leads that changed since they were read, as they are now.
    async fn moved_since(&self, records: &[LeadRecord]) -> Result<Vec<LeadRecord>, DialerError> {
        let seqs: BTreeMap<LeadId, i64> =
            records.iter().map(|record| (record.lead.id, record.state.seq)).collect();
        let leads: Vec<LeadId> = seqs.keys().copied().collect();
        let mut again = self.parts.store.leads(&leads).await?;
        again.retain(|record| seqs.get(&record.lead.id) != Some(&record.state.seq));
        Ok(again)
    }

    /// Takes leads out that the store has in line no more, or elsewhere. Returns how many.
    async fn take_out(
        &self,
        queue: QueueKey,
        place: &mut Place,
        slice: usize,
    ) -> Result<usize, DialerError> {
        let follower = &self.parts.follower;
        let known = follower.queue.known(queue, place.from, slice).await?;
        place.from = known.next.unwrap_or(0);
        if known.leads.is_empty() {
            return Ok(0);
        }
        let leads: Vec<LeadId> = known.leads.iter().map(|(lead, _)| *lead).collect();
        // Read after the index was: it may lag behind, and never be ahead.
        let records = self.parts.store.leads(&leads).await?;
        follower.know(&records).await?;
        let records: HashMap<LeadId, &LeadRecord> =
            records.iter().map(|record| (record.lead.id, record)).collect();
        let rules = follower.rulebook.in_force(queue);
        let now = self.now();
        let mut updates = Vec::new();
        for (lead, version) in known.leads {
            let record = records.get(&lead).filter(|record| record.state.queue == queue);
            let seq = record.map_or(version, |record| record.state.seq);
            let update = record.map(|record| follower.update_for(record, &rules, now));
            let is_right = seq == version && matches!(update, Some(Update::Put(_)));
            if is_right {
                continue;
            }
            if seq <= version || !matches!(update, Some(Update::Put(_))) {
                updates.push(Update::Remove { queue, lead, version: version.max(seq) });
            }
            updates.extend(update.filter(|update| matches!(update, Update::Put(_))));
        }
        if updates.is_empty() {
            return Ok(0);
        }
        Ok(follower.queue.apply(updates).await?.changed_count)
    }

    /// Gives up what this node alone does, so that another need not wait for it: called as it stops.
    pub async fn leave(&self) {
        self.parts.duties.give_all_up(self.parts.store.as_ref()).await;
    }

    /// Whether this node sweeps, as far as it knows.
    pub fn is_sweeping(&self) -> bool {
        self.parts.duties.is_held(SWEEP)
    }
}

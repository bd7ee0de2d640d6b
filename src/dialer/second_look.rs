//! What differs between store and index is looked at twice: a commit of another node that its index
//! was not told of yet is no loss. The store is read before anybody is held up, and what a commit of
//! this node told of meanwhile is left alone.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::domain::{LeadId, QueueKey};
use crate::queue::Update;
use crate::store::{LeadRecord, StoreError};

use super::rulebook::Versioned;
use super::{Dialer, DialerError};

/// How long a commit may take to come to the index.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How many leads are told of at a time: commits wait meanwhile.
const TOLD_COUNT: usize = 250;
/// How many leads that the index missed are sent again at a time.
const RESENT_COUNT: usize = 2_000;

/// A lead that the index has otherwise than the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub(super) lead: LeadId,
    /// The number of its last event; `None`: the store has no such lead.
    pub(super) seq: Option<i64>,
    /// The version that the index holds, if that is known.
    pub(super) held: Option<i64>,
}

impl Dialer {
    /// Sends again what the index missed while it was out of reach, or while the store could not say what
    /// it is about. Returns whether there is more.
    pub(super) async fn resend_missed(&self) -> bool {
        let missed = &self.parts.follower.missed;
        let leads = missed.take(RESENT_COUNT);
        if leads.is_empty() {
            return false;
        }
        let has_more = leads.len() == RESENT_COUNT;
        if let Err(error) = self.resend(&leads).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not tell the index");
            missed.put_back(leads);
            return false;
        }
        has_more
    }

    async fn resend(&self, missed: &[(LeadId, QueueKey)]) -> Result<(), StoreError> {
        let follower = &self.parts.follower;
        let reading = follower.passing.begin();
        let mut queues: BTreeMap<LeadId, Vec<QueueKey>> = BTreeMap::new();
        for (lead, queue) in missed {
            queues.entry(*lead).or_default().push(*queue);
        }
        let leads: Vec<LeadId> = queues.keys().copied().collect();
        let records = self.parts.store.leads(&leads).await?;
        for some in records.chunks(TOLD_COUNT) {
            let _turn = follower.turn.lock().await;
            let mut left: Vec<(&LeadRecord, &[QueueKey])> = some
                .iter()
                .filter(|record| reading.is_last_of(record.lead.id))
                .map(|record| (record, queues[&record.lead.id].as_slice()))
                .collect();
            // An index is told of a lead once at a time, and one that went far leaves several.
            while !left.is_empty() {
                let told = left.iter().map(|(record, queues)| {
                    let mut record = (*record).clone();
                    queues.first().into_iter().for_each(|queue| record.leaves(*queue));
                    record
                });
                follower.take_in_turn(&told.collect::<Vec<_>>()).await;
                left.iter_mut().for_each(|(_, queues)| *queues = queues.get(1..).unwrap_or(&[]));
                left.retain(|(_, queues)| !queues.is_empty());
            }
        }
        Ok(())
    }

    /// Looks at leads again that the index has otherwise, and puts right what still is so. Returns how
    /// many.
    pub(super) async fn look_again(
        &self,
        queue: QueueKey,
        mut suspects: Vec<Suspect>,
    ) -> Result<usize, DialerError> {
        if suspects.is_empty() {
            return Ok(0);
        }
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        let follower = &self.parts.follower;
        let reading = follower.passing.begin();
        let leads: Vec<LeadId> = suspects.iter().map(|suspect| suspect.lead).collect();
        let records = self.parts.store.leads(&leads).await?;
        follower.know(&records).await?;
        let records: HashMap<LeadId, &LeadRecord> =
            records.iter().map(|record| (record.lead.id, record)).collect();
        // Whoever changed it meanwhile tells the index.
        let seq_of = |lead| records.get(&lead).map(|record| record.state.seq);
        suspects.retain(|suspect| seq_of(suspect.lead) == suspect.seq);
        let mut told_count = 0;
        for some in suspects.chunks(TOLD_COUNT) {
            // The rules in force stay so while this is had.
            let _turn = follower.turn.lock().await;
            let rules = follower.rulebook.in_force(queue);
            let some = some.iter().filter(|suspect| reading.is_last_of(suspect.lead));
            let updates: Vec<Update> = some
                .flat_map(|one| self.put_right(queue, one, records.get(&one.lead), &rules))
                .collect();
            let count = updates.len();
            told_count += follower.tell(updates).await?.changed_count.min(count);
        }
        let drift = self.drift_of(queue, told_count);
        if told_count > 0 {
            tracing::info!(queue.key = queue.0, drift, "put the index of a queue right");
            self.parts.metrics.index_drift.inc_by(drift as u64);
            follower.ring(queue);
        }
        Ok(drift)
    }

    /// What the index is to be told of a lead.
    fn put_right(
        &self,
        queue: QueueKey,
        suspect: &Suspect,
        record: Option<&&LeadRecord>,
        rules: &Versioned,
    ) -> Vec<Update> {
        let record = record.filter(|record| record.state.queue == queue);
        let put = record.map(|record| self.parts.follower.update_for(record, rules, self.now()));
        let put = put.filter(|update| matches!(update, Update::Put(_)));
        let (seq, held) = (suspect.seq.unwrap_or(0), suspect.held.unwrap_or(0));
        // One that is ahead of the store goes first: what was lost is not to come back.
        let removal = (put.is_none() || held > seq).then_some(Update::Remove {
            queue,
            lead: suspect.lead,
            version: held.max(seq),
        });
        removal.into_iter().chain(put).collect()
    }
}

//! Leads whose last commits the index was not told of, as it was out of reach: they are sent again as
//! soon as it is back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{LeadId, QueueKey};
use crate::store::LeadRecord;

/// How many leads are remembered; beyond them, whole indexes are built again.
const COUNT_MAX: usize = 100_000;

/// Leads that the index was not told of.
#[derive(Debug, Default)]
pub(super) struct Missed(Mutex<Leads>);

#[derive(Debug, Default)]
struct Leads {
    /// Each with every queue whose index may have it otherwise: more than one if it went to another.
    leads: BTreeSet<(LeadId, QueueKey)>,
    /// Queues of which there were more than can be remembered, each with the number of its last miss.
    full: BTreeMap<QueueKey, u64>,
    /// How often something was missed.
    number: u64,
    /// What is known of any queue may be wrong.
    is_lost: bool,
}

impl Leads {
    fn add(&mut self, missed: impl Iterator<Item = (LeadId, QueueKey)>) {
        self.number += 1;
        for (lead, queue) in missed {
            match self.full.get_mut(&queue) {
                Some(last) => *last = self.number,
                None => drop(self.leads.insert((lead, queue))),
            }
        }
        if self.leads.len() > COUNT_MAX {
            let queues = std::mem::take(&mut self.leads).into_iter();
            self.full.extend(queues.map(|(_, queue)| (queue, self.number)));
        }
    }
}

/// The queues whose indexes a missed commit leaves wrong: that of the queue which the lead left has it
/// still, that of its new one not yet.
fn indexes(left: Option<QueueKey>, queue: QueueKey) -> impl Iterator<Item = QueueKey> {
    left.into_iter().chain([queue])
}

impl Missed {
    fn lock(&self) -> MutexGuard<'_, Leads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes leads. Answers whether they are the first.
    pub(super) fn add(&self, records: &[LeadRecord]) -> bool {
        let mut missed = self.lock();
        let was_empty = missed.leads.is_empty() && missed.full.is_empty();
        missed.add(records.iter().flat_map(|record| {
            indexes(record.left, record.state.queue).map(|queue| (record.lead.id, queue))
        }));
        was_empty
    }

    /// Takes some of them out, to be sent again.
    pub(super) fn take(&self, limit: usize) -> Vec<(LeadId, QueueKey)> {
        let mut missed = self.lock();
        let Some(last) = missed.leads.iter().nth(limit) else {
            return std::mem::take(&mut missed.leads).into_iter().collect();
        };
        let last = *last;
        let rest = missed.leads.split_off(&last);
        std::mem::replace(&mut missed.leads, rest).into_iter().collect()
    }

    /// Notes that whatever the index holds may be wrong, of queues too that are not known yet.
    pub(super) fn lose_track(&self) {
        self.lock().is_lost = true;
    }

    /// Whether that was noted. Asking forgets it: who asks reads everything again.
    pub(super) fn take_is_lost(&self) -> bool {
        std::mem::take(&mut self.lock().is_lost)
    }

    /// Notes that all of a queue was missed.
    pub(super) fn lose(&self, queue: QueueKey) {
        let mut missed = self.lock();
        missed.number += 1;
        let number = missed.number;
        missed.full.insert(queue, number);
    }

    /// Puts back what was taken out and could not be sent.
    pub(super) fn put_back(&self, taken: Vec<(LeadId, QueueKey)>) {
        self.lock().add(taken.into_iter());
    }

    /// Whether more of a queue was missed than can be remembered, and none was built since.
    pub(super) fn is_full(&self, queue: QueueKey) -> bool {
        self.lock().full.contains_key(&queue)
    }

    /// The number of the last miss, for [`Missed::built`]: to be asked for before the store is read.
    pub(super) fn number(&self) -> u64 {
        self.lock().number
    }

    /// Notes that a queue's index was built from what the store held after the miss of this number.
    pub(super) fn built(&self, queue: QueueKey, number: u64) {
        let mut missed = self.lock();
        if missed.full.get(&queue).is_some_and(|last| *last <= number) {
            missed.full.remove(&queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(queue: i64, ids: std::ops::Range<i64>) -> Vec<(LeadId, QueueKey)> {
        ids.map(|id| (LeadId(id), QueueKey(queue))).collect()
    }

    #[test]
    fn what_could_not_be_sent_comes_again() {
        let missed = Missed::default();
        missed.put_back(leads(1, 0..5));
        let first = missed.take(3);
        assert_eq!(first, leads(1, 0..3));
        missed.put_back(first);
        assert_eq!(missed.take(10), leads(1, 0..5));
        assert_eq!(missed.take(10), []);
    }

    #[test]
    fn a_lead_that_went_to_another_queue_is_missed_by_both_indexes() {
        let (left, queue) = (QueueKey(1), QueueKey(2));
        assert_eq!(indexes(Some(left), queue).collect::<Vec<_>>(), [left, queue]);
        assert_eq!(indexes(None, queue).collect::<Vec<_>>(), [queue]);
        // What is told of it later does not hide what was missed before.
        let missed = Missed::default();
        missed.put_back(leads(1, 5..6));
        missed.put_back(leads(2, 5..6));
        assert_eq!(missed.take(10), [(LeadId(5), left), (LeadId(5), queue)]);
        // Nor does an index that is built anew anyway.
        missed.lose(left);
        missed.put_back(vec![(LeadId(5), left), (LeadId(5), queue)]);
        assert_eq!(missed.take(10), leads(2, 5..6));
    }

    #[test]
    fn a_queue_of_which_too_much_was_missed_is_so_until_it_is_built_by_what_was_read_later() {
        let (missed, count) = (Missed::default(), i64::try_from(COUNT_MAX).unwrap());
        missed.put_back(leads(1, 0..count));
        assert!(!missed.is_full(QueueKey(1)));
        missed.put_back(leads(1, count..count + 1));
        assert!(missed.is_full(QueueKey(1)) && missed.take(1).is_empty());

        // A run that fails tells nothing, and one that began before the last miss may lack it.
        let begun = missed.number();
        missed.put_back(leads(1, 7..8));
        missed.built(QueueKey(1), begun);
        assert!(missed.is_full(QueueKey(1)));
        // Another queue's are remembered one by one meanwhile.
        missed.put_back(leads(2, 8..9));
        missed.built(QueueKey(1), missed.number());
        assert!(!missed.is_full(QueueKey(1)));
        assert_eq!(missed.take(10), leads(2, 8..9));
    }
}

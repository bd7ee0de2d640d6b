//! Keeps the index right: what the store has in line and the index does not is put in, what the index
//! holds and the store has in line no more is taken out.
//!
//! What changed of late is compared first, and everything goes by in slices. When something suggests
//! that the index lost what it was told, all of it is compared at full speed, until it is right.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{LeadId, QueueKey};
use crate::queue::Update;
use crate::store::{Duty, LeadRecord, RecentMark};

use super::duties::{Hold, SWEEP};
use super::second_look::Suspect;
use super::{Dialer, DialerError};

/// How many leads of each queue one sweep compares with the index, each way; and how many in a hurry.
const SLICE_COUNT: usize = 200;
const SLICE_COUNT_HURRIED: usize = 2_000;
/// How many recent changes of a kind one sweep looks at, and how many it goes back at first.
const RECENT_COUNT: usize = 2_000;
const RECENT_COUNT_BACK: i64 = 5_000;
/// How often everything is compared in a row, as long as something differs.
const CIRCLE_COUNT_MAX: u8 = 3;

/// How far the comparing has come in a queue.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The last lead of the store that was compared.
    after: LeadId,
    /// Where the next slice of the index begins.
    from: u64,
    /// What is left to be compared in a hurry.
    circle: Option<Circle>,
}

/// Everything of a queue once, both ways.
#[derive(Clone, Copy, Debug)]
struct Circle {
    is_put_in: bool,
    is_taken_out: bool,
    has_drift: bool,
    /// How many circles there may still be, this one among them.
    left: u8,
}

impl Circle {
    fn new(left: u8) -> Self {
        Self { is_put_in: false, is_taken_out: false, has_drift: false, left }
    }
}

impl Place {
    /// A queue all of which is to be compared at full speed.
    fn hurried() -> Self {
        Self { circle: Some(Circle::new(CIRCLE_COUNT_MAX)), ..Self::default() }
    }

    fn slice(&self) -> usize {
        if self.circle.is_some() { SLICE_COUNT_HURRIED } else { SLICE_COUNT }
    }

    /// Notes what a slice each way had; the others of its circle are still to come unless it ended.
    fn note(&mut self, drift: usize, is_put_in: bool, is_taken_out: bool) {
        let Some(circle) = &mut self.circle else {
            if drift > 0 {
                *self = Self::hurried();
            }
            return;
        };
        circle.has_drift |= drift > 0;
        circle.is_put_in |= is_put_in;
        circle.is_taken_out |= is_taken_out;
        if circle.is_put_in && circle.is_taken_out {
            let left = circle.left.saturating_sub(1);
            self.circle = (circle.has_drift && left > 0).then(|| Circle::new(left));
        }
    }
}

/// What the index may have lost something with when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signs {
    /// Whoever swept before may have died with what it had to tell.
    term: i64,
    nodes: BTreeSet<i64>,
    reached_count: u64,
}

/// How far the comparing has come.
#[derive(Debug, Default)]
pub(super) struct Mended(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    places: HashMap<QueueKey, Place>,
    recent: Option<RecentMark>,
    signs: Option<Signs>,
}

impl Mended {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the signs. Answers whether they suggest a loss.
    fn is_loss(&self, signs: Signs) -> bool {
        let before = self.lock().signs.replace(signs.clone());
        before.is_none_or(|before| {
            before.term != signs.term
                || before.reached_count != signs.reached_count
                || !before.nodes.is_subset(&signs.nodes)
        })
    }
}

impl Dialer {
    /// Compares what changed of late, and a slice of each queue. Returns whether there is more to be
    /// compared at once.
    pub(super) async fn mend(&self, hold: &Hold) -> Result<bool, DialerError> {
        // A node alone keeps its index in its own memory: no other changes it, and it loses nothing.
        let is_shared = match hold {
            Hold::Alone => false,
            Hold::Held(duty) => {
                self.look_for_losses(duty).await?;
                self.mend_recent().await?;
                true
            }
        };
        let mut is_hurried = false;
        for queue in self.roster().queues() {
            let place = self.parts.mended.lock().places.get(&queue.key).copied();
            match self.mend_queue(queue.key, place.unwrap_or_default(), is_shared).await {
                Ok(place) => {
                    is_hurried |= place.circle.is_some();
                    self.parts.mended.lock().places.insert(queue.key, place);
                }
                // Said by who looks after the index.
                Err(DialerError::Queue(error)) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "mended nothing");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(is_hurried)
    }

    /// Has everything compared at full speed if the index may have lost what it was told: this node
    /// begins to sweep, or reached Redis anew, or another node is gone, which may have died between a
    /// commit and its telling.
    async fn look_for_losses(&self, duty: &Duty) -> Result<(), DialerError> {
        // Counted before anything is compared: a loss during that is another one.
        let reached_count = self.queue_index().reached_count();
        let nodes = self.parts.store.nodes().await?;
        if self.parts.mended.is_loss(Signs { term: duty.term, nodes, reached_count }) {
            tracing::info!("the index may have lost something: all of it is compared");
            let places = self.roster().queues();
            let places = places.iter().map(|queue| (queue.key, Place::hurried()));
            let mut state = self.parts.mended.lock();
            state.places = places.collect();
            state.recent = None;
        }
        Ok(())
    }

    /// Compares leads that were handed over, touched or given back since the last look.
    async fn mend_recent(&self) -> Result<(), DialerError> {
        let store = self.parts.store.as_ref();
        let known = self.parts.mended.lock().recent.clone();
        let mark = match known {
            Some(mark) => mark,
            None => RecentMark {
                lead: LeadId(store.last_lead().await?.0.saturating_sub(RECENT_COUNT_BACK)),
                touch: store.last_touch().await?.saturating_sub(RECENT_COUNT_BACK),
                pass_until: self.now(),
            },
        };
        let (leads, next) = store.recent_leads(&mark, RECENT_COUNT).await?;
        if !leads.is_empty() {
            let mut of_queues: HashMap<QueueKey, Vec<LeadRecord>> = HashMap::new();
            for record in store.leads(&leads).await? {
                of_queues.entry(record.state.queue).or_default().push(record);
            }
            for (queue, records) in of_queues {
                match self.put_in(queue, &records).await {
                    // What it cannot be told now is compared when it was reached anew.
                    Ok(_) | Err(DialerError::Queue(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.parts.mended.lock().recent = Some(next);
        Ok(())
    }

    async fn mend_queue(
        &self,
        queue: QueueKey,
        mut place: Place,
        is_shared: bool,
    ) -> Result<Place, DialerError> {
        let (slice, mut drift) = (place.slice(), 0);
        let mut is_put_in = place.circle.is_some_and(|circle| circle.is_put_in);
        if !is_put_in {
            let records = self.parts.store.open_leads(queue, place.after, slice).await?;
            drift += self.put_in(queue, &records).await?;
            is_put_in = records.len() < slice;
            let last = records.last().filter(|_| !is_put_in);
            place.after = last.map_or(LeadId(0), |last| last.lead.id);
        }
        let mut is_taken_out = !is_shared || place.circle.is_some_and(|circle| circle.is_taken_out);
        if !is_taken_out {
            let known = self.queue_index().known(queue, place.from, slice).await?;
            drift += self.take_out(queue, &known.leads).await?;
            is_taken_out = known.next.is_none();
            place.from = known.next.unwrap_or(0);
        }
        place.note(drift, is_put_in, is_taken_out);
        Ok(place)
    }

    /// Puts leads in that the index should hold, and takes out those that it should not. Returns how
    /// many it had otherwise.
    async fn put_in(&self, queue: QueueKey, records: &[LeadRecord]) -> Result<usize, DialerError> {
        let follower = &self.parts.follower;
        follower.know(records).await?;
        let rules = follower.rulebook.in_force(queue);
        let updates = follower.updates_for(records, &rules);
        let differing: BTreeSet<LeadId> =
            follower.queue.differing(queue, &updates).await?.into_iter().collect();
        let suspects = records.iter().filter(|record| differing.contains(&record.lead.id));
        let suspects = suspects.map(|record| Suspect {
            lead: record.lead.id,
            seq: Some(record.state.seq),
            held: None,
        });
        self.look_again(queue, suspects.collect()).await
    }

    /// Takes leads out that the store has in line no more, or elsewhere. Returns how many.
    async fn take_out(
        &self,
        queue: QueueKey,
        known: &[(LeadId, i64)],
    ) -> Result<usize, DialerError> {
        let follower = &self.parts.follower;
        let leads: Vec<LeadId> = known.iter().map(|(lead, _)| *lead).collect();
        // Read after the index was: it may lag behind, and never be ahead.
        let records = match leads.is_empty() {
            true => return Ok(0),
            false => self.parts.store.leads(&leads).await?,
        };
        follower.know(&records).await?;
        let records: HashMap<LeadId, &LeadRecord> =
            records.iter().map(|record| (record.lead.id, record)).collect();
        let rules = follower.rulebook.in_force(queue);
        let now = self.now();
        let suspects = known.iter().filter_map(|(lead, version)| {
            let record = records.get(lead);
            let seq = record.map(|record| record.state.seq);
            let in_line = record.filter(|record| record.state.queue == queue);
            let update = in_line.map(|record| follower.update_for(record, &rules, now));
            let is_right = seq == Some(*version) && matches!(update, Some(Update::Put(_)));
            (!is_right).then_some(Suspect { lead: *lead, seq, held: Some(*version) })
        });
        self.look_again(queue, suspects.collect()).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_compared_again_until_nothing_differs_and_three_times_at_most() {
        let mut place = Place::default();
        place.note(0, true, true);
        assert!(place.circle.is_none());
        // A drift at the pace of every day has all compared.
        place.note(1, false, false);
        assert_eq!((place.slice(), place.after), (SLICE_COUNT_HURRIED, LeadId(0)));
        place.note(0, true, false);
        place.note(0, false, true);
        assert!(place.circle.is_none());

        let mut place = Place::hurried();
        for _ in 0..CIRCLE_COUNT_MAX {
            assert!(place.circle.is_some());
            place.note(1, true, true);
        }
        assert!(place.circle.is_none());
    }

    #[test]
    fn whatever_may_have_lost_something_is_a_sign_and_a_node_that_joins_is_none() {
        let mended = Mended::default();
        let signs = |term, nodes: &[i64], reached_count| Signs {
            term,
            nodes: nodes.iter().copied().collect(),
            reached_count,
        };
        assert!(mended.is_loss(signs(1, &[7], 0)), "a node begins to sweep");
        assert!(!mended.is_loss(signs(1, &[7, 8], 0)), "another one joins");
        assert!(mended.is_loss(signs(1, &[7], 0)), "it is gone");
        assert!(mended.is_loss(signs(1, &[7], 1)), "Redis was reached anew");
        assert!(mended.is_loss(signs(3, &[7], 1)), "another one swept in between");
        assert!(!mended.is_loss(signs(3, &[7], 1)));
    }
}

//! One queue: the line in use, the one that may be growing beside it, what is in flight, and debts.
//!
//! Everything here is plain and synchronous; the lock around it is the engine's. What is in flight
//! stands in no line, and goes back into the one that is in use by then.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::lanes::{Heap, OpenLanes};
use super::line::{Line, Saved};
use crate::domain::{LeadId, QueueKey, RepKey, ServeOrder};
use crate::queue::{Ask, Candidate, Census, Counts, FLIGHT_MS_MAX, Proposal, Update};

/// How many leads one pull ranks again because they fell due or lost value, before it says that it
/// is unfinished.
const STEPS_PER_PULL_MAX: usize = 1_000;
/// How many leads of coarse lanes one pull sets aside for want of a skill, before it leaves those
/// lanes out.
const UNSKILLED_PER_PULL_MAX: usize = 64;

/// The index of one queue.
#[derive(Debug, Default)]
pub(super) struct QueueIndex {
    pub(super) line: Line,
    staged: Option<Line>,
    /// What left while the staged line grew, by version: its page may be on its way.
    left: HashMap<LeadId, i64, RandomState>,
    flights: HashMap<LeadId, Saved, RandomState>,
    deadlines: Heap<(i64, LeadId)>,
    debts: HashMap<RepKey, u32, RandomState>,
}

impl QueueIndex {
    /// Takes a change into the line in use.
    pub(super) fn apply(&mut self, update: Update) {
        let (lead, version) = subject(&update);
        let in_flight = self.flights.get(&lead).map(|saved| saved.version);
        let known = in_flight.or_else(|| self.line.version_of(lead));
        match update {
            Update::Put(entry) if known.is_none_or(|known| known < version) => {
                self.land(lead);
                self.line.put(lead, Saved::new(*entry));
            }
            Update::Remove { .. } if known.is_some_and(|known| known <= version) => {
                self.land(lead);
                self.line.take(lead);
            }
            Update::Put(_) | Update::Remove { .. } => {}
        }
    }

    /// Begins a line beside the one in use. Answers the one begun before, to be dropped without the lock.
    pub(super) fn stage(&mut self) -> Option<Line> {
        self.left.clear();
        self.staged.replace(Line::default())
    }

    /// Takes a change into the line that grows beside the one in use, if there is one.
    pub(super) fn apply_staged(&mut self, update: Update) {
        let Some(staged) = &mut self.staged else { return };
        let (lead, version) = subject(&update);
        let known = staged.version_of(lead).max(self.left.get(&lead).copied());
        match update {
            Update::Put(entry) if known.is_none_or(|known| known < version) => {
                self.left.remove(&lead);
                staged.put(lead, Saved::new(*entry));
            }
            Update::Remove { .. } if known.is_none_or(|known| known <= version) => {
                staged.take(lead);
                self.left.insert(lead, version);
            }
            Update::Put(_) | Update::Remove { .. } => {}
        }
    }

    /// Puts the staged line in use. Answers the old one, to be dropped without the lock.
    pub(super) fn swap(&mut self) -> Option<Line> {
        let mut line = self.staged.take()?;
        self.left = HashMap::default();
        for (lead, saved) in &mut self.flights {
            // A version that the new line missed stays as the old one had it.
            if let Some(new) = line.take(*lead).filter(|new| new.version >= saved.version) {
                *saved = new;
            }
        }
        Some(std::mem::replace(&mut self.line, line))
    }

    /// Chooses what to serve, and takes it in flight.
    pub(super) fn propose(&mut self, ask: &Ask) -> Proposal {
        let mut proposal = Proposal::default();
        let mut steps = STEPS_PER_PULL_MAX;
        while self.line.next_due_at().is_some_and(|due_at| due_at <= ask.now) {
            if steps == 0 {
                proposal.is_unfinished = true;
                return proposal;
            }
            self.line.wake_next(ask.now);
            steps -= 1;
        }
        let mut selection = Selection {
            open: self.line.lanes.open_to(&ask.skills, &ask.hours),
            is_reserve_due: self.debt(ask.rep, ask.reserve_after) >= ask.reserve_after,
            steps,
            aside: Vec::new(),
            unskilled_count: 0,
        };
        while proposal.candidates.len() < ask.count {
            match selection.next(&mut self.line, ask) {
                Next::Lead(lead, order) => proposal.candidates.extend(self.fly(lead, order, ask)),
                Next::Nothing => break,
                Next::Unsure => {
                    proposal.is_unfinished = true;
                    break;
                }
            }
        }
        for (lead, saved) in selection.aside {
            self.line.put(lead, saved);
        }
        proposal
    }

    fn fly(&mut self, lead: LeadId, order: ServeOrder, ask: &Ask) -> Option<Candidate> {
        let saved = self.line.take(lead)?;
        let candidate = Candidate {
            lead,
            version: saved.version,
            order,
            rank: saved.rank(lead),
            head_start_ms: saved.head_start_ms,
            first_touch_due_at: saved.first_touch.map(|rank| rank.due_at),
        };
        self.flights.insert(lead, saved);
        self.deadlines.push(lead, Reverse((ask.now.saturating_add(FLIGHT_MS_MAX), lead)));
        Some(candidate)
    }

    /// Ends a flight. Answers what was in the air.
    fn land(&mut self, lead: LeadId) -> Option<Saved> {
        let saved = self.flights.remove(&lead)?;
        self.deadlines.remove(&lead);
        Some(saved)
    }

    /// Puts a lead back where it was, if it is still in flight.
    pub(super) fn put_back(&mut self, lead: LeadId) {
        if let Some(saved) = self.land(lead) {
            self.line.put(lead, saved);
        }
    }

    /// Notes that a lead was leased.
    pub(super) fn served(&mut self, rep: RepKey, lead: LeadId, order: ServeOrder, after: u32) {
        self.land(lead);
        let debt = self.debt(rep, after);
        match order {
            ServeOrder::Callback => return,
            ServeOrder::FirstTouch => self.debts.insert(rep, debt.saturating_sub(after)),
            ServeOrder::Ordinary => {
                let most = after.saturating_mul(2);
                self.debts.insert(rep, debt.saturating_add(1).min(most))
            }
        };
    }

    fn debt(&self, rep: RepKey, reserve_after: u32) -> u32 {
        self.debts.get(&rep).copied().unwrap_or(reserve_after)
    }

    /// At most `limit` steps of what time alone changes. Answers how many there were.
    pub(super) fn promote(&mut self, now: i64, limit: usize) -> usize {
        let mut done = 0;
        while done < limit
            && (self.line.wake_next(now) || self.line.end_next(now) || self.land_next(now))
        {
            done += 1;
        }
        done
    }

    fn land_next(&mut self, now: i64) -> bool {
        match self.deadlines.peek() {
            Some((&lead, Reverse((deadline, _)))) if *deadline <= now => {
                self.put_back(lead);
                true
            }
            _ => false,
        }
    }

    /// Counts what stands in the queue.
    pub(super) fn counts(&mut self, ask: &Ask) -> Counts {
        for _ in 0..STEPS_PER_PULL_MAX {
            if !self.line.wake_next(ask.now) {
                break;
            }
        }
        Counts { in_flight: self.flights.len(), ..self.line.counts(ask) }
    }

    /// Counts what stands in the queue by lane.
    pub(super) fn census(&self) -> Census {
        Census { in_flight: self.flights.len(), ..self.line.census() }
    }
}

/// One pull's way through the lanes that are open to it.
struct Selection {
    open: Arc<OpenLanes>,
    is_reserve_due: bool,
    /// How many leads may still be ranked again.
    steps: usize,
    /// What this rep is not to be offered, out of the way until the pull ends.
    aside: Vec<(LeadId, Saved)>,
    unskilled_count: usize,
}

enum Next {
    Lead(LeadId, ServeOrder),
    Nothing,
    Unsure,
}

impl Selection {
    fn next(&mut self, line: &mut Line, ask: &Ask) -> Next {
        loop {
            let Some((lead, order)) = self.first(line) else { return Next::Nothing };
            if ask.passed.contains(&lead) {
                self.set_aside(line, lead);
            } else if !line.has_needed(lead, &ask.skills) {
                self.set_aside(line, lead);
                self.unskilled_count += 1;
                if self.unskilled_count >= UNSKILLED_PER_PULL_MAX {
                    self.open = Arc::new(line.lanes.without_coarse(&self.open));
                }
            } else if line.end(lead, ask.now) {
                // The end of a head start only demotes: a first that has not ended is the first.
                if self.steps == 0 {
                    return Next::Unsure;
                }
                self.steps -= 1;
            } else {
                return Next::Lead(lead, order);
            }
        }
    }

    fn first(&self, line: &Line) -> Option<(LeadId, ServeOrder)> {
        let (callback, ordinary) = (&self.open.callback, &self.open.ordinary);
        if let Some(lead) = line.lanes.best(callback) {
            return Some((lead, ServeOrder::Callback));
        }
        if self.is_reserve_due
            && let Some(lead) = line.lanes.best_first_touch(ordinary)
        {
            return Some((lead, ServeOrder::FirstTouch));
        }
        line.lanes.best(ordinary).map(|lead| (lead, ServeOrder::Ordinary))
    }

    fn set_aside(&mut self, line: &mut Line, lead: LeadId) {
        self.aside.extend(line.take(lead).map(|saved| (lead, saved)));
    }
}

fn subject(update: &Update) -> (LeadId, i64) {
    match update {
        Update::Put(entry) => (entry.lead, entry.version),
        Update::Remove { lead, version, .. } => (*lead, *version),
    }
}

/// The queue that a change is about.
pub(super) fn queue_of(update: &Update) -> QueueKey {
    match update {
        Update::Put(entry) => entry.queue,
        Update::Remove { queue, .. } => *queue,
    }
}

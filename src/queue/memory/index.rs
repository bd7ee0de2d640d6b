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
use crate::queue::{
    Ask, BEHIND_COUNT_MAX, Basis, Candidate, Census, Counts, FLIGHT_MS_MAX, Generation, Proposal,
    Update,
};

/// How many leads one pull ranks again because they fell due or lost value, before it says that it
/// is unfinished.
const STEPS_PER_PULL_MAX: usize = 1_000;
/// For how many pairs of skills and hours a line keeps which of its lanes are open.
const OPEN_LANES_COUNT_MAX: usize = 1_024;
/// How many leads of coarse lanes one pull sets aside for want of a skill, before it leaves those
/// lanes out.
const UNSKILLED_PER_PULL_MAX: usize = 64;

/// The index of one queue.
#[derive(Debug, Default)]
pub(super) struct QueueIndex {
    /// The line in use; empty before there is one.
    pub(super) line: Line,
    pub(super) is_built: bool,
    /// The generation that was begun last; the one in use, if it was staged.
    last: u64,
    in_use: Option<Generation>,
    staged: Option<Staged>,
    flights: HashMap<LeadId, Saved, RandomState>,
    deadlines: Heap<(i64, LeadId)>,
    debts: HashMap<RepKey, u32, RandomState>,
}

/// A line that grows beside the one in use.
#[derive(Debug)]
pub(super) struct Staged {
    generation: Generation,
    line: Line,
    /// What left while it grew, by version: its page may be on its way.
    left: HashMap<LeadId, i64, RandomState>,
    /// What changed in the line in use meanwhile and did not come here yet, by version.
    missed: HashMap<LeadId, i64, RandomState>,
}

impl Staged {
    /// The newest that was said about a lead.
    fn version_of(&self, lead: LeadId) -> Option<i64> {
        let in_line = self.line.age_of(lead).map(|(version, _)| version);
        in_line.max(self.left.get(&lead).copied())
    }

    /// Notes that a lead changed in the line in use.
    fn miss(&mut self, lead: LeadId, version: i64) {
        if self.version_of(lead).is_none_or(|known| known < version) {
            let missed = self.missed.entry(lead).or_insert(version);
            *missed = version.max(*missed);
        }
    }

    fn apply(&mut self, update: Update) {
        let (lead, version) = subject(&update);
        let (in_line, left) = (self.line.age_of(lead), self.left.get(&lead).copied());
        match update {
            Update::Put(entry)
                if left.is_none_or(|left| left < version)
                    && in_line.is_none_or(|known| known < (version, entry.basis)) =>
            {
                self.left.remove(&lead);
                self.line.put(lead, Saved::new(*entry));
            }
            Update::Remove { .. } if self.version_of(lead).is_none_or(|known| known <= version) => {
                self.line.take(lead);
                self.left.insert(lead, version);
            }
            Update::Put(_) | Update::Remove { .. } => {}
        }
        if self.missed.get(&lead).is_some_and(|missed| *missed <= version) {
            self.missed.remove(&lead);
        }
    }
}

impl QueueIndex {
    /// Puts an empty line in use if there is none.
    pub(super) fn begin(&mut self, basis: Basis) {
        if !self.is_built {
            self.line = Line::new(basis);
            self.is_built = true;
        }
    }

    /// Whether a change would change anything of the line in use.
    pub(super) fn would_change(&self, update: &Update) -> bool {
        let (lead, version) = subject(update);
        let in_flight = self.flights.get(&lead).map(Saved::age);
        let known = in_flight.or_else(|| self.line.age_of(lead));
        match update {
            Update::Put(entry) => known.is_none_or(|known| known < (version, entry.basis)),
            Update::Remove { .. } => known.is_some_and(|(known, _)| known <= version),
        }
    }

    /// Takes a change into the line in use. Answers whether it changed anything.
    pub(super) fn apply(&mut self, update: Update) -> bool {
        let (lead, version) = subject(&update);
        let is_removal = matches!(update, Update::Remove { .. });
        let is_change = self.would_change(&update);
        match update {
            Update::Put(entry) if is_change => {
                let saved = Saved::new(*entry);
                match self.flights.get_mut(&lead).filter(|flight| flight.version == version) {
                    // The same lead by newer rules: whoever pulled it may still get it.
                    Some(flight) => *flight = saved,
                    None => {
                        self.land(lead);
                        self.line.put(lead, saved);
                    }
                }
            }
            Update::Remove { .. } if is_change => {
                self.land(lead);
                self.line.take(lead);
            }
            Update::Put(_) | Update::Remove { .. } => {}
        }
        // What left may be unknown here and known to the other line.
        if let Some(staged) = self.staged.as_mut().filter(|_| is_change || is_removal) {
            staged.miss(lead, version);
        }
        is_change
    }

    /// Notes a change that no line in use takes in, for the one that grows.
    pub(super) fn miss(&mut self, update: &Update) {
        if let Some(staged) = &mut self.staged {
            let (lead, version) = subject(update);
            staged.miss(lead, version);
        }
    }

    /// Begins a line beside the one in use. Answers the one begun before, to be dropped without the lock.
    pub(super) fn stage(&mut self, basis: Basis) -> (Generation, Option<Staged>) {
        self.last += 1;
        let generation = Generation(self.last);
        let (left, missed) = (HashMap::default(), HashMap::default());
        let staged = Staged { generation, line: Line::new(basis), left, missed };
        (generation, self.staged.replace(staged))
    }

    /// Ends a line that grows beside the one in use. Answers it, to be dropped without the lock.
    pub(super) fn unstage(&mut self, generation: Generation) -> Option<Staged> {
        self.staged.take_if(|staged| staged.generation == generation)
    }

    /// The line that grows beside the one in use.
    pub(super) fn staged(&self) -> Option<Generation> {
        self.staged.as_ref().map(|staged| staged.generation)
    }

    pub(super) fn is_staged(&self, generation: Generation) -> bool {
        self.staged() == Some(generation)
    }

    /// Whether a line that grew beside another was put in use, and still is.
    pub(super) fn is_in_use(&self, generation: Generation) -> bool {
        self.in_use == Some(generation)
    }

    /// Takes a change into the line that grows beside the one in use. Answers whether it is this one.
    pub(super) fn apply_staged(&mut self, generation: Generation, update: Update) -> bool {
        let staged = self.staged.as_mut().filter(|staged| staged.generation == generation);
        staged.map(|staged| staged.apply(update)).is_some()
    }

    /// Puts the staged line in use, if it missed no more than so many leads: those are as the old one had
    /// them. Answers the old one, to be dropped without the lock, and them; or what the staged one missed.
    pub(super) fn swap(
        &mut self,
        carried_max: usize,
    ) -> Result<(Option<Staged>, Vec<LeadId>), Vec<LeadId>> {
        let Some(mut staged) = self.staged.take() else { return Ok((None, Vec::new())) };
        let missed = staged.missed.keys().copied().take(BEHIND_COUNT_MAX).collect();
        if staged.missed.len() > carried_max.min(BEHIND_COUNT_MAX) {
            self.staged = Some(staged);
            return Err(missed);
        }
        for (lead, saved) in &mut self.flights {
            // A version that the new line missed stays as the old one had it.
            if let Some(new) = staged.line.take(*lead).filter(|new| new.version >= saved.version) {
                *saved = new;
            }
        }
        let carried: &[LeadId] = if self.is_built { &missed } else { &[] };
        for lead in carried {
            staged.line.take(*lead);
            if let Some(saved) = self.line.take(*lead) {
                staged.line.put(*lead, saved);
            }
        }
        self.is_built = true;
        self.in_use = Some(staged.generation);
        std::mem::swap(&mut self.line, &mut staged.line);
        Ok((Some(staged), missed))
    }

    /// Chooses what to serve, and takes it in flight.
    pub(super) fn propose(&mut self, ask: &Ask) -> Proposal {
        let mut proposal = Proposal { basis: self.line.basis, ..Proposal::default() };
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
            open: self.line.lanes.open_to(&ask.skills, &ask.hours, OPEN_LANES_COUNT_MAX),
            own: self.line.own.open_to(ask.rep, &ask.skills, &ask.hours),
            rep: ask.rep,
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
    /// Those of the rep's own list, which goes when nothing is left in it.
    own: Option<Arc<OpenLanes>>,
    rep: RepKey,
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
                    self.leave_coarse_out(line);
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
        let (lanes, open) = (&line.lanes, &self.open);
        let own = self.own.as_deref().and_then(|open| Some((line.own.of(self.rep)?, open)));
        // Own callbacks first, however long others wait.
        let callback = own.and_then(|(lanes, open)| lanes.best(&open.callback));
        if let Some(rank) = callback.or_else(|| lanes.best(&open.callback)) {
            return Some((rank.lead, ServeOrder::Callback));
        }
        if self.is_reserve_due {
            let own = own.and_then(|(lanes, open)| lanes.best_first_touch(&open.ordinary));
            let first = lanes.best_first_touch(&open.ordinary).into_iter().chain(own).min();
            if let Some(rank) = first {
                return Some((rank.lead, ServeOrder::FirstTouch));
            }
        }
        let own = own.and_then(|(lanes, open)| lanes.best(&open.ordinary));
        let first = lanes.best(&open.ordinary).into_iter().chain(own).min();
        first.map(|rank| (rank.lead, ServeOrder::Ordinary))
    }

    fn leave_coarse_out(&mut self, line: &Line) {
        self.open = Arc::new(line.lanes.without_coarse(&self.open));
        let own = self.own.take().zip(line.own.of(self.rep));
        self.own = own.map(|(open, lanes)| Arc::new(lanes.without_coarse(&open)));
    }

    fn set_aside(&mut self, line: &mut Line, lead: LeadId) {
        self.aside.extend(line.take(lead).map(|saved| (lead, saved)));
    }
}

pub(super) fn subject(update: &Update) -> (LeadId, i64) {
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

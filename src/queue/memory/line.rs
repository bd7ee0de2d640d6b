//! One generation of a queue's index: who is in line and who waits, kept small for ten million leads.
//!
//! What every lead has stands in a compact place; what only some have (a value that ends, skills to
//! be checked, a rep for whom it is kept) stands in maps of its own. A lead can be taken out whole, as a [`Saved`], and put in
//! again as it was, so that nothing on its way is described twice.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::lanes::{Heap, LaneIndex, LaneNumber, LaneRank, Lanes};
use super::own::OwnLists;
use crate::domain::{FirstTouchRank, LeadId, Rank, Tier, Worth, WorthStep};
use crate::queue::{Basis, Entry, Keeper, Lane};

/// What decides which of two entries of a lead is newer: its version, and what it was ranked by.
pub(super) type Age = (i64, Basis);

/// What is kept of every lead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) version: i64,
    pub(super) ready_since: i64,
    pub(super) head_start_ms: i64,
    pub(super) lane: LaneNumber,
    pub(super) is_waiting: bool,
    /// Its head start ends: most do not, and are spared a look into that map.
    pub(super) is_ending: bool,
    /// It is kept for a rep, in whose own list its lane is.
    pub(super) is_kept: bool,
}

/// A head start that ends, and what comes after it.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) until: i64,
    later: Vec<WorthStep>,
}

/// A lead out of its line, with all that is needed to put it in again.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub(super) version: i64,
    pub(super) basis: Basis,
    pub(super) ready_since: i64,
    pub(super) due_at: Option<i64>,
    pub(super) tier: Tier,
    pub(super) lane: Lane,
    pub(super) keeper: Option<Keeper>,
    pub(super) head_start_ms: i64,
    ending: Option<Ending>,
    pub(super) first_touch: Option<FirstTouchRank>,
}

impl Saved {
    pub(super) fn new(entry: Entry) -> Self {
        let Worth { head_start_ms, until, later } = entry.worth;
        let until = until.filter(|_| !later.is_empty());
        Self {
            version: entry.version,
            basis: entry.basis,
            ready_since: entry.ready_since,
            due_at: entry.due_at,
            tier: entry.tier,
            lane: entry.lane,
            keeper: entry.keeper,
            head_start_ms,
            ending: until.map(|until| Ending { until, later }),
            first_touch: entry.first_touch.map(|rank| FirstTouchRank { lead: entry.lead, ..rank }),
        }
    }

    /// What decides which of two is newer.
    pub(super) fn age(&self) -> Age {
        (self.version, self.basis)
    }

    /// Its rank, as it was worth when it was taken out.
    pub(super) fn rank(&self, lead: LeadId) -> Rank {
        Rank::new(self.tier, self.ready_since, self.head_start_ms, lead)
    }
}

impl Ending {
    /// What is left of a head start at `now`, with its next end.
    pub(super) fn at(&self, head_start_ms: i64, now: i64) -> (i64, Option<Self>) {
        let worth = Worth { head_start_ms, until: Some(self.until), later: self.later.clone() };
        let Worth { head_start_ms, until, later } = worth.at(now);
        let ending = until.filter(|_| !later.is_empty()).map(|until| Self { until, later });
        (head_start_ms, ending)
    }
}

/// The leads of one queue in line, and those that wait for an instant.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// What it is ranked by.
    pub(super) basis: Basis,
    /// The lanes of what is kept for nobody.
    pub(super) lanes: Lanes,
    /// What is kept for one rep each.
    pub(super) own: OwnLists,
    pub(super) places: HashMap<LeadId, Place, RandomState>,
    /// What few leads are ranked by: not the line's own.
    other_bases: HashMap<LeadId, Basis, RandomState>,
    /// Of the leads whose head start ends.
    pub(super) endings: HashMap<LeadId, Ending, RandomState>,
    /// The skills that the leads of coarse lanes need.
    pub(super) needs: HashMap<LeadId, Arc<BTreeSet<String>>, RandomState>,
    /// Of the untouched leads that wait.
    pub(super) waiting_untouched: HashMap<LeadId, FirstTouchRank, RandomState>,
    pub(super) waiting: Heap<(i64, LeadId)>,
    /// When head starts of ready leads end.
    pub(super) ends: Heap<(i64, LeadId)>,
}

impl Line {
    /// A line with nothing in it.
    pub(super) fn new(basis: Basis) -> Self {
        Self { basis, ..Self::default() }
    }

    pub(super) fn age_of(&self, lead: LeadId) -> Option<Age> {
        let version = self.places.get(&lead)?.version;
        Some((version, self.other_bases.get(&lead).copied().unwrap_or(self.basis)))
    }

    /// The next instant at which a lead falls due, or is kept no more.
    pub(super) fn next_due_at(&self) -> Option<i64> {
        let due_at = self.waiting.peek().map(|(_, Reverse((due_at, _)))| *due_at);
        let until = self.own.next_end();
        due_at.map_or(until, |due_at| Some(until.map_or(due_at, |until| until.min(due_at))))
    }

    /// The lanes among which the number of a place counts.
    pub(super) fn lanes_of(&self, lead: LeadId, place: &Place) -> &Lanes {
        if place.is_kept { self.own.lanes_of(lead) } else { &self.lanes }
    }

    /// Puts a lead in line, or to those that wait; it takes the place of what was there.
    pub(super) fn put(&mut self, lead: LeadId, saved: Saved) {
        if self.places.contains_key(&lead) {
            self.take(lead);
        }
        let is_waiting = saved.due_at.is_some();
        let lanes = match saved.keeper {
            None => &mut self.lanes,
            Some(keeper) => {
                saved.lane.hours.iter().for_each(|hours| self.lanes.know_hours(hours));
                self.own.keep(lead, keeper, is_waiting)
            }
        };
        let number = lanes.intern(saved.tier, &saved.lane);
        if lanes.get(number).is_coarse {
            self.needs.insert(lead, saved.lane.skills);
        }
        if saved.basis != self.basis {
            self.other_bases.insert(lead, saved.basis);
        }
        let place = Place {
            version: saved.version,
            ready_since: saved.ready_since,
            head_start_ms: saved.head_start_ms,
            lane: number,
            is_waiting,
            is_ending: saved.ending.is_some(),
            is_kept: saved.keeper.is_some(),
        };
        self.places.insert(lead, place);
        if let Some(due_at) = saved.due_at {
            self.waiting.push(lead, Reverse((due_at, lead)));
            self.waiting_untouched.extend(saved.first_touch.map(|rank| (lead, rank)));
        } else {
            self.ends.extend(saved.ending.as_ref().map(|end| (lead, Reverse((end.until, lead)))));
            lanes.push(number, lane_rank(lead, &place));
            if let Some(rank) = saved.first_touch {
                lanes.push_first_touch(number, rank);
            }
        }
        self.endings.extend(saved.ending.map(|ending| (lead, ending)));
    }

    /// Takes a lead out, with all that is needed to put it in again.
    pub(super) fn take(&mut self, lead: LeadId) -> Option<Saved> {
        let place = self.places.remove(&lead)?;
        let ending = if place.is_ending { self.endings.remove(&lead) } else { None };
        let lanes = if place.is_kept { self.own.lanes_of_mut(lead) } else { &mut self.lanes };
        let (first_touch, due_at) = if place.is_waiting {
            let due_at = self.waiting.remove(&lead).map(|(_, Reverse((due_at, _)))| due_at);
            (self.waiting_untouched.remove(&lead), due_at)
        } else {
            if ending.is_some() {
                self.ends.remove(&lead);
            }
            (lanes.remove(place.lane, lead), None)
        };
        let LaneIndex { tier, lane, is_coarse, .. } = lanes.get(place.lane);
        let (tier, mut lane) = (*tier, lane.clone());
        if *is_coarse && let Some(skills) = self.needs.remove(&lead) {
            lane.skills = skills;
        }
        let keeper = if place.is_kept { self.own.forget(lead, place.is_waiting) } else { None };
        let basis = self.other_bases.remove(&lead).unwrap_or(self.basis);
        Some(Saved {
            version: place.version,
            basis,
            ready_since: place.ready_since,
            due_at,
            tier,
            lane,
            keeper,
            head_start_ms: place.head_start_ms,
            ending,
            first_touch,
        })
    }

    /// Whether a rep with these skills may take this lead, as far as its lane left that open.
    pub(super) fn has_needed(&self, lead: LeadId, skills: &BTreeSet<String>) -> bool {
        self.needs.get(&lead).is_none_or(|needed| needed.is_subset(skills))
    }

    /// Puts the first lead that fell due by `now` in line, or one that was kept until then among those
    /// that are kept for nobody. Answers whether there was one. What its head start lost meanwhile is
    /// seen like any other end.
    pub(super) fn wake_next(&mut self, now: i64) -> bool {
        let is_due = |(lead, Reverse((at, _))): (&LeadId, &Reverse<(i64, LeadId)>)| {
            (*at <= now).then_some(*lead)
        };
        let due = self.waiting.peek().and_then(is_due);
        let Some(lead) = due.or_else(|| self.own.first_end().and_then(is_due)) else {
            return false;
        };
        if let Some(mut saved) = self.take(lead) {
            saved.due_at = None;
            saved.keeper = saved.keeper.filter(|keeper| keeper.holds_at(now));
            self.put(lead, saved);
        }
        true
    }

    /// Ranks the first lead again whose head start ended by `now`. Answers whether there was one.
    pub(super) fn end_next(&mut self, now: i64) -> bool {
        match self.ends.peek() {
            Some((&lead, Reverse((until, _)))) if *until <= now => self.end(lead, now),
            _ => false,
        }
    }

    /// Ranks a ready lead again if its head start ended by `now`. Answers whether it had.
    pub(super) fn end(&mut self, lead: LeadId, now: i64) -> bool {
        let Some(place) = self.places.get_mut(&lead).filter(|place| place.is_ending) else {
            return false;
        };
        let ending = self.endings.get_mut(&lead).expect("a place that says so has an ending");
        if ending.until > now {
            return false;
        }
        let (head_start_ms, next) = ending.at(place.head_start_ms, now);
        place.head_start_ms = head_start_ms;
        let lanes = if place.is_kept { self.own.lanes_of_mut(lead) } else { &mut self.lanes };
        lanes.push(place.lane, lane_rank(lead, place));
        if let Some(next) = next {
            self.ends.push(lead, Reverse((next.until, lead)));
            *ending = next;
        } else {
            place.is_ending = false;
            self.ends.remove(&lead);
            self.endings.remove(&lead);
        }
        true
    }
}

fn lane_rank(lead: LeadId, place: &Place) -> LaneRank {
    // The tier is the lane's, so the rank within it does not depend on which.
    let rank = Rank::new(Tier::Ordinary, place.ready_since, place.head_start_ms, lead);
    LaneRank { virtual_since: rank.virtual_since, lead }
}

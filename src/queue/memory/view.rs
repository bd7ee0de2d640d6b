//! What people read of a line: its order from the front, a lead's place, and counts.
//!
//! The heaps order only their tops, so the order is read by going through all ready leads once and
//! keeping the best. Nothing is moved for it: what fell due or ended by then is seen as it will be.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::line::Line;
use crate::domain::{LeadId, Rank};
use crate::queue::lane::{Openness, openness};
use crate::queue::{Ask, Census, Counts, Lane, Place, Snapshot};

impl Line {
    /// The first `limit` ready leads by rank.
    pub(super) fn peek(&self, now: i64, limit: usize) -> Snapshot {
        let mut first: BinaryHeap<Rank> = BinaryHeap::new();
        let mut ready_count = 0;
        self.for_each_ready(now, |rank| {
            ready_count += 1;
            if first.len() < limit {
                first.push(rank);
            } else if let Some(mut last) = first.peek_mut()
                && rank < *last
            {
                *last = rank;
            }
        });
        let ranks = first.into_sorted_vec();
        let places = ranks.into_iter().map(|rank| self.place(rank, now)).collect();
        Snapshot { taken_at: now, ready_count, places }
    }

    /// How many ready leads stand before this one, and how many there are.
    pub(super) fn place_of(&self, lead: LeadId, now: i64) -> Option<(usize, usize)> {
        if self.waiting.get_priority(&lead).is_some_and(|Reverse((due_at, _))| *due_at > now) {
            return None;
        }
        let own = self.rank_of(lead, now)?;
        let (mut before_count, mut ready_count) = (0, 0);
        self.for_each_ready(now, |rank| {
            ready_count += 1;
            before_count += usize::from(rank < own);
        });
        Some((before_count, ready_count))
    }

    /// Counts what is in line, by lane, and what waits.
    pub(super) fn counts(&self, ask: &Ask) -> Counts {
        let next_due_at = self.next_due_at();
        let mut counts = Counts { waiting: self.waiting.len(), next_due_at, ..Counts::default() };
        for index in self.lanes.iter() {
            if !index.is_coarse {
                let lane = openness(&index.lane, &ask.skills, &ask.hours);
                *counted(&mut counts, lane) += index.by_rank.len();
                continue;
            }
            for (lead, _) in index.by_rank.iter() {
                let skills = self.needs.get(lead).unwrap_or(&index.lane.skills);
                let lane = Lane { skills: skills.clone(), hours: index.lane.hours.clone() };
                *counted(&mut counts, openness(&lane, &ask.skills, &ask.hours)) += 1;
            }
        }
        counts
    }

    /// Counts what is in line by lane, and what waits.
    pub(super) fn census(&self) -> Census {
        let lanes = self.lanes.iter().filter(|index| !index.by_rank.is_empty());
        Census {
            lanes: lanes.map(|index| (index.lane.clone(), index.by_rank.len())).collect(),
            waiting: self.waiting.len(),
            in_flight: 0,
        }
    }

    /// The ranks at `now` of all that are ready then, in no order.
    fn for_each_ready(&self, now: i64, mut visit: impl FnMut(Rank)) {
        let has_ended = self.ends.peek().is_some_and(|(_, Reverse((until, _)))| *until <= now);
        for index in self.lanes.iter() {
            for (lead, Reverse(kept)) in index.by_rank.iter() {
                let kept =
                    Rank { tier: index.tier, virtual_since: kept.virtual_since, lead: *lead };
                // Only those whose worth ends can rank otherwise than their lane has them.
                let ended = if has_ended { self.ended_rank(*lead, now) } else { None };
                visit(ended.unwrap_or(kept));
            }
        }
        if self.next_due_at().is_some_and(|due_at| due_at <= now) {
            let due = self.waiting.iter().filter(|(_, Reverse((due_at, _)))| *due_at <= now);
            due.filter_map(|(lead, _)| self.rank_of(*lead, now)).for_each(visit);
        }
    }

    fn ended_rank(&self, lead: LeadId, now: i64) -> Option<Rank> {
        let ending = self.endings.get(&lead)?;
        if ending.until <= now { self.rank_of(lead, now) } else { None }
    }

    fn rank_of(&self, lead: LeadId, now: i64) -> Option<Rank> {
        let place = self.places.get(&lead)?;
        let tier = self.lanes.get(place.lane).tier;
        Some(Rank::new(tier, place.ready_since, self.head_start_ms(lead, now)?, lead))
    }

    /// What a lead's head start is at `now`.
    fn head_start_ms(&self, lead: LeadId, now: i64) -> Option<i64> {
        let head_start_ms = self.places.get(&lead)?.head_start_ms;
        let ending = self.endings.get(&lead);
        Some(ending.map_or(head_start_ms, |ending| ending.at(head_start_ms, now).0))
    }

    fn place(&self, rank: Rank, now: i64) -> Place {
        let lead = rank.lead;
        let head_start_ms = self.head_start_ms(lead, now).unwrap_or_default();
        let first_touch_due_at = self.first_touch_due_at(lead);
        Place { lead, rank, head_start_ms, first_touch_due_at }
    }

    fn first_touch_due_at(&self, lead: LeadId) -> Option<i64> {
        let place = self.places.get(&lead)?;
        if place.is_waiting {
            return self.waiting_untouched.get(&lead).map(|rank| rank.due_at);
        }
        let by_first_touch = &self.lanes.get(place.lane).by_first_touch;
        by_first_touch.get_priority(&lead).map(|Reverse(rank)| rank.due_at)
    }
}

fn counted(counts: &mut Counts, lane: Openness) -> &mut usize {
    match lane {
        Openness::Open => &mut counts.open,
        Openness::Closed => &mut counts.closed,
        Openness::Unskilled => &mut counts.unskilled,
        Openness::Unroutable => &mut counts.unroutable,
    }
}

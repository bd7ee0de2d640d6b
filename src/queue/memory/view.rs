//! What people read of a line: its order from the front, a lead's place, and counts.
//!
//! The heaps order only their tops, so the order is read by going through all ready leads once and
//! keeping the best. Nothing is moved for it: what fell due or ended by then is seen as it will be.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::lanes::{LaneIndex, Lanes};
use super::line::Line;
use crate::domain::{LeadId, Rank, RepKey, Tier};
use crate::queue::lane::{Openness, openness};
use crate::queue::{Ask, Census, Counts, Lane, Place, Snapshot};

impl Line {
    /// The first `limit` ready leads by rank.
    pub(super) fn peek(&self, now: i64, limit: usize) -> Snapshot {
        let mut first: BinaryHeap<Rank> = BinaryHeap::new();
        let mut ready_count = 0;
        self.for_each_ready(now, |rank, _| {
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

    /// How many ready leads stand before this one, and how many there are, of those that who may take
    /// it is offered at all.
    pub(super) fn place_of(&self, lead: LeadId, now: i64) -> Option<(usize, usize)> {
        if self.waiting.get_priority(&lead).is_some_and(|Reverse((due_at, _))| *due_at > now) {
            return None;
        }
        let own = self.rank_of(lead, now)?;
        let own_keeper = self.keeper_at(lead, now);
        let is_own_callback = own_keeper.is_some() && own.tier == Tier::Callback;
        let (mut before_count, mut ready_count) = (0, 0);
        self.for_each_ready(now, |rank, keeper| {
            if keeper.is_some() && keeper != own_keeper {
                return;
            }
            ready_count += 1;
            // Own callbacks come before all others.
            let is_after = is_own_callback && keeper.is_none();
            before_count += usize::from(!is_after && rank < own);
        });
        Some((before_count, ready_count))
    }

    /// Counts what is in line, by lane, and what waits.
    pub(super) fn counts(&self, ask: &Ask) -> Counts {
        let next_due_at = self.next_due_at();
        let mut counts = Counts { waiting: self.waiting.len(), next_due_at, ..Counts::default() };
        self.lanes.iter().for_each(|index| self.count_lane(index, ask, &mut counts));
        let own = self.own.of(ask.rep);
        own.into_iter().flat_map(Lanes::iter).for_each(|index| {
            self.count_lane(index, ask, &mut counts);
        });
        counts.kept = self.own.ready_count() - own.map_or(0, Lanes::ready_count);
        counts
    }

    fn count_lane(&self, index: &LaneIndex, ask: &Ask, counts: &mut Counts) {
        if !index.is_coarse {
            let lane = openness(&index.lane, &ask.skills, &ask.hours);
            *counted(counts, lane) += index.by_rank.len();
            return;
        }
        for (lead, _) in index.by_rank.iter() {
            let skills = self.needs.get(lead).unwrap_or(&index.lane.skills);
            let lane = Lane { skills: skills.clone(), hours: index.lane.hours.clone() };
            *counted(counts, openness(&lane, &ask.skills, &ask.hours)) += 1;
        }
    }

    /// Counts what is in line by lane, and what waits.
    pub(super) fn census(&self) -> Census {
        let kept = self
            .own
            .iter()
            .flat_map(|(rep, lanes)| sizes(lanes).map(move |(lane, size)| (rep, lane, size)));
        Census {
            lanes: sizes(&self.lanes).collect(),
            kept: kept.collect(),
            waiting: self.waiting.len(),
            in_flight: 0,
        }
    }

    /// The ranks at `now` of all that are ready then, and for whom they are kept, in no order.
    fn for_each_ready(&self, now: i64, mut visit: impl FnMut(Rank, Option<RepKey>)) {
        let has_ended = self.ends.peek().is_some_and(|(_, Reverse((until, _)))| *until <= now);
        let mut visit_lane = |index: &LaneIndex, keeper: Option<RepKey>| {
            let is_over = keeper.is_some() && self.own.next_end().is_some_and(|end| end <= now);
            for (lead, Reverse(kept)) in index.by_rank.iter() {
                let kept =
                    Rank { tier: index.tier, virtual_since: kept.virtual_since, lead: *lead };
                // Only those whose worth ends can rank otherwise than their lane has them.
                let ended = if has_ended { self.ended_rank(*lead, now) } else { None };
                let keeper = if is_over { self.keeper_at(*lead, now) } else { keeper };
                visit(ended.unwrap_or(kept), keeper);
            }
        };
        self.lanes.iter().for_each(|index| visit_lane(index, None));
        for (rep, lanes) in self.own.iter() {
            lanes.iter().for_each(|index| visit_lane(index, Some(rep)));
        }
        if self.next_due_at().is_some_and(|due_at| due_at <= now) {
            let due = self.waiting.iter().filter(|(_, Reverse((due_at, _)))| *due_at <= now);
            let due = due.filter_map(|(lead, _)| Some((*lead, self.rank_of(*lead, now)?)));
            due.for_each(|(lead, rank)| visit(rank, self.keeper_at(lead, now)));
        }
    }

    /// For whom a lead is kept at `now`.
    fn keeper_at(&self, lead: LeadId, now: i64) -> Option<RepKey> {
        let keeper = self.own.keeper_of(lead).filter(|keeper| keeper.holds_at(now));
        keeper.map(|keeper| keeper.rep)
    }

    fn ended_rank(&self, lead: LeadId, now: i64) -> Option<Rank> {
        let ending = self.endings.get(&lead)?;
        if ending.until <= now { self.rank_of(lead, now) } else { None }
    }

    fn rank_of(&self, lead: LeadId, now: i64) -> Option<Rank> {
        let place = self.places.get(&lead)?;
        let tier = self.lanes_of(lead, place).get(place.lane).tier;
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
        let keeper = self.keeper_at(lead, now);
        Place { lead, rank, head_start_ms, first_touch_due_at, keeper }
    }

    fn first_touch_due_at(&self, lead: LeadId) -> Option<i64> {
        let place = self.places.get(&lead)?;
        if place.is_waiting {
            return self.waiting_untouched.get(&lead).map(|rank| rank.due_at);
        }
        let by_first_touch = &self.lanes_of(lead, place).get(place.lane).by_first_touch;
        by_first_touch.get_priority(&lead).map(|Reverse(rank)| rank.due_at)
    }
}

/// The lanes that have ready leads, and how many.
fn sizes(lanes: &Lanes) -> impl Iterator<Item = (Lane, usize)> {
    let lanes = lanes.iter().filter(|index| !index.by_rank.is_empty());
    lanes.map(|index| (index.lane.clone(), index.by_rank.len()))
}

fn counted(counts: &mut Counts, lane: Openness) -> &mut usize {
    match lane {
        Openness::Open => &mut counts.open,
        Openness::Closed => &mut counts.closed,
        Openness::Unskilled => &mut counts.unskilled,
        Openness::Unroutable => &mut counts.unroutable,
    }
}

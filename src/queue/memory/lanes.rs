//! Lanes, of a line or of one rep's own list: each a heap by rank and a heap by first touch, and which
//! are open to whom.
//!
//! Heads stand beside the heaps, side by side, so that a pull that compares two hundred of them reads
//! a few kilobytes in a row instead of two hundred heaps. Which lanes are open to a set of skills at
//! a set of hours is kept, and a lane that comes later is tested once for each.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use priority_queue::PriorityQueue;

use crate::domain::{FirstTouchRank, LeadId, Tier};
use crate::queue::lane::{Openness, openness};
use crate::queue::{LANE_COUNT_MAX, Lane, OpenHours};

/// The number of a lane in its line.
pub(super) type LaneNumber = u32;
/// Leads with the smallest key first.
pub(super) type Heap<K> = PriorityQueue<LeadId, Reverse<K>, RandomState>;

/// A rank within a lane, where all have one tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneRank {
    pub(super) virtual_since: i64,
    pub(super) lead: LeadId,
}

/// The head of an empty lane: after all others. No lead has this id.
const NO_RANK: LaneRank = LaneRank { virtual_since: i64::MAX, lead: LeadId(i64::MAX) };
const NO_FIRST_TOUCH: FirstTouchRank =
    FirstTouchRank { times_released: i32::MAX, due_at: i64::MAX, lead: LeadId(i64::MAX) };

/// What a lane is, and its ready leads.
#[derive(Debug)]
pub(super) struct LaneIndex {
    pub(super) tier: Tier,
    pub(super) lane: Lane,
    /// Leads of any skills share it, and are checked when they are selected.
    pub(super) is_coarse: bool,
    pub(super) by_rank: Heap<LaneRank>,
    pub(super) by_first_touch: Heap<FirstTouchRank>,
}

/// The lanes that are open to a rep.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenLanes {
    pub(super) callback: Vec<LaneNumber>,
    pub(super) ordinary: Vec<LaneNumber>,
    /// How many lanes there were when it was made; those from here on are not tested yet.
    tested_count: usize,
}

impl OpenLanes {
    fn test(&mut self, lanes: &[LaneIndex], skills: &BTreeSet<String>, hours: &OpenHours) {
        for (number, lane) in lanes.iter().enumerate().skip(self.tested_count) {
            if openness(&lane.lane, skills, hours) == Openness::Open {
                match lane.tier {
                    Tier::Callback => self.callback.push(lane_number(number)),
                    Tier::Ordinary => self.ordinary.push(lane_number(number)),
                }
            }
        }
        self.tested_count = lanes.len();
    }
}

/// All lanes of one line, or of one rep's own list.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<LaneIndex>,
    ranks: Vec<LaneRank>,
    first_touches: Vec<FirstTouchRank>,
    exact: HashMap<Lane, [Option<LaneNumber>; 2], RandomState>,
    coarse: HashMap<Option<Arc<str>>, [Option<LaneNumber>; 2], RandomState>,
    hours: BTreeSet<Arc<str>>,
    open: HashMap<(Arc<BTreeSet<String>>, u64), Arc<OpenLanes>, RandomState>,
}

impl Lanes {
    /// The number of a lane, which is added if it is new; a coarser one when there are too many.
    pub(super) fn intern(&mut self, tier: Tier, lane: &Lane) -> LaneNumber {
        if let Some(number) = self.exact.get(lane).and_then(|numbers| numbers[tier as usize]) {
            return number;
        }
        if self.lanes.len() < LANE_COUNT_MAX {
            let number = self.add(tier, lane.clone(), false);
            self.exact.entry(lane.clone()).or_default()[tier as usize] = Some(number);
            return number;
        }
        let known = self.coarse.get(&lane.hours).and_then(|numbers| numbers[tier as usize]);
        known.unwrap_or_else(|| {
            let coarser = Lane { skills: Arc::default(), hours: lane.hours.clone() };
            let number = self.add(tier, coarser, true);
            self.coarse.entry(lane.hours.clone()).or_default()[tier as usize] = Some(number);
            number
        })
    }

    fn add(&mut self, tier: Tier, lane: Lane, is_coarse: bool) -> LaneNumber {
        let number = lane_number(self.lanes.len());
        self.hours.extend(lane.hours.clone());
        let (by_rank, by_first_touch) = (Heap::default(), Heap::default());
        self.lanes.push(LaneIndex { tier, lane, is_coarse, by_rank, by_first_touch });
        self.ranks.push(NO_RANK);
        self.first_touches.push(NO_FIRST_TOUCH);
        number
    }

    pub(super) fn get(&self, number: LaneNumber) -> &LaneIndex {
        &self.lanes[number as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &LaneIndex> {
        self.lanes.iter()
    }

    /// The names of the hours of all lanes.
    pub(super) fn hours(&self) -> &BTreeSet<Arc<str>> {
        &self.hours
    }

    /// Puts a lead in line, or moves it.
    pub(super) fn push(&mut self, number: LaneNumber, rank: LaneRank) {
        let lane = &mut self.lanes[number as usize];
        lane.by_rank.push(rank.lead, Reverse(rank));
        self.note_head(number);
    }

    /// Puts an untouched lead in the order of first touches.
    pub(super) fn push_first_touch(&mut self, number: LaneNumber, rank: FirstTouchRank) {
        let lane = &mut self.lanes[number as usize];
        lane.by_first_touch.push(rank.lead, Reverse(rank));
        self.note_first_touch_head(number);
    }

    /// Takes a lead out of a lane. Answers where it stood in the order of first touches.
    pub(super) fn remove(&mut self, number: LaneNumber, lead: LeadId) -> Option<FirstTouchRank> {
        let lane = &mut self.lanes[number as usize];
        lane.by_rank.remove(&lead);
        let first_touch = lane.by_first_touch.remove(&lead).map(|(_, Reverse(rank))| rank);
        self.note_head(number);
        if first_touch.is_some() {
            self.note_first_touch_head(number);
        }
        first_touch
    }

    fn note_head(&mut self, number: LaneNumber) {
        let head = self.lanes[number as usize].by_rank.peek();
        self.ranks[number as usize] = head.map_or(NO_RANK, |(_, Reverse(rank))| *rank);
    }

    fn note_first_touch_head(&mut self, number: LaneNumber) {
        let head = self.lanes[number as usize].by_first_touch.peek();
        self.first_touches[number as usize] =
            head.map_or(NO_FIRST_TOUCH, |(_, Reverse(rank))| *rank);
    }

    /// How many leads are ready in them.
    pub(super) fn ready_count(&self) -> usize {
        self.lanes.iter().map(|lane| lane.by_rank.len()).sum()
    }

    /// Names hours of lanes that others have.
    pub(super) fn know_hours(&mut self, hours: &Arc<str>) {
        if !self.hours.contains(hours) {
            self.hours.insert(Arc::clone(hours));
        }
    }

    /// The smallest rank in these lanes.
    pub(super) fn best(&self, among: &[LaneNumber]) -> Option<LaneRank> {
        let mut best = NO_RANK;
        for number in among {
            let head = self.ranks[*number as usize];
            // Spelled out: almost always the first comparison alone says no.
            if head.virtual_since <= best.virtual_since && head < best {
                best = head;
            }
        }
        (best != NO_RANK).then_some(best)
    }

    /// The smallest first-touch rank in these lanes.
    pub(super) fn best_first_touch(&self, among: &[LaneNumber]) -> Option<FirstTouchRank> {
        let best = among.iter().map(|number| self.first_touches[*number as usize]).min()?;
        (best != NO_FIRST_TOUCH).then_some(best)
    }

    /// The lanes that are open to who has these skills at these hours. That is kept for so many pairs
    /// of skills and hours; all are dropped beyond it.
    pub(super) fn open_to(
        &mut self,
        skills: &Arc<BTreeSet<String>>,
        hours: &OpenHours,
        kept_max: usize,
    ) -> Arc<OpenLanes> {
        if self.open.len() >= kept_max {
            self.open.clear();
        }
        let known = self.open.entry((Arc::clone(skills), hours.number)).or_default();
        if known.tested_count < self.lanes.len() {
            Arc::make_mut(known).test(&self.lanes, skills, hours);
        }
        Arc::clone(known)
    }

    /// Those of these lanes whose leads need not be checked.
    pub(super) fn without_coarse(&self, open: &OpenLanes) -> OpenLanes {
        let exact = |numbers: &[LaneNumber]| {
            numbers.iter().copied().filter(|number| !self.get(*number).is_coarse).collect()
        };
        let (callback, ordinary) = (exact(&open.callback), exact(&open.ordinary));
        OpenLanes { callback, ordinary, tested_count: open.tested_count }
    }
}

fn lane_number(index: usize) -> LaneNumber {
    LaneNumber::try_from(index)
        .expect("lanes are few: a bounded number, and one more for each zone")
}

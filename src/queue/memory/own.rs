//! The own list of each rep: leads that are kept for one rep, in lanes like those of all others.
//!
//! A list is made with its first lead, waiting or ready, and dropped with its last one: a rep who keeps
//! nothing takes no room, and leads that nobody keeps are not in here at all. Lanes, and not one heap a
//! rep: ten thousand own leads whose hours are closed are never gone through.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::lanes::{Heap, Lanes, OpenLanes};
use crate::domain::{LeadId, RepKey};
use crate::queue::{Keeper, OpenHours};

/// For how many sets of hours a list keeps which of its lanes are open: a rep's skills seldom change, and
/// the hours that are open are those of the instant.
const OPEN_LANES_COUNT_MAX: usize = 4;

/// What is kept for one rep.
#[derive(Debug, Default)]
struct OwnList {
    lanes: Lanes,
    /// Waiting or ready.
    lead_count: usize,
}

/// What is kept for each rep.
#[derive(Debug, Default)]
pub(super) struct OwnLists {
    of_reps: HashMap<RepKey, OwnList, RandomState>,
    keepers: HashMap<LeadId, Keeper, RandomState>,
    /// Until when ready leads are kept, those with no end left out.
    ends: Heap<(i64, LeadId)>,
    ready_count: usize,
}

impl OwnLists {
    /// Notes for whom a lead is kept. Answers the lanes that it goes into.
    pub(super) fn keep(&mut self, lead: LeadId, keeper: Keeper, is_waiting: bool) -> &mut Lanes {
        self.keepers.insert(lead, keeper);
        if !is_waiting {
            self.ready_count += 1;
            self.ends.extend(keeper.until.map(|until| (lead, Reverse((until, lead)))));
        }
        let list = self.of_reps.entry(keeper.rep).or_default();
        list.lead_count += 1;
        &mut list.lanes
    }

    /// Forgets a lead that was taken out of its lane. Answers for whom it was kept.
    pub(super) fn forget(&mut self, lead: LeadId, was_waiting: bool) -> Option<Keeper> {
        let keeper = self.keepers.remove(&lead)?;
        if !was_waiting {
            self.ready_count -= 1;
            if keeper.until.is_some() {
                self.ends.remove(&lead);
            }
        }
        if let Some(list) = self.of_reps.get_mut(&keeper.rep) {
            list.lead_count -= 1;
            if list.lead_count == 0 {
                self.of_reps.remove(&keeper.rep);
            }
        }
        Some(keeper)
    }

    /// For whom a lead is kept, at whatever instant.
    pub(super) fn keeper_of(&self, lead: LeadId) -> Option<Keeper> {
        self.keepers.get(&lead).copied()
    }

    /// The lanes of a lead that is kept.
    pub(super) fn lanes_of(&self, lead: LeadId) -> &Lanes {
        let list = self.keepers.get(&lead).and_then(|keeper| self.of_reps.get(&keeper.rep));
        &list.expect("who keeps a lead has a list").lanes
    }

    /// The lanes of a lead that is kept, to be changed.
    pub(super) fn lanes_of_mut(&mut self, lead: LeadId) -> &mut Lanes {
        let keeper = self.keepers.get(&lead);
        let list = keeper.and_then(|keeper| self.of_reps.get_mut(&keeper.rep));
        &mut list.expect("who keeps a lead has a list").lanes
    }

    /// The lanes of a rep's list, if anything is kept for the rep.
    pub(super) fn of(&self, rep: RepKey) -> Option<&Lanes> {
        self.of_reps.get(&rep).map(|list| &list.lanes)
    }

    /// Those lanes of a rep's list that are open now.
    pub(super) fn open_to(
        &mut self,
        rep: RepKey,
        skills: &Arc<BTreeSet<String>>,
        hours: &OpenHours,
    ) -> Option<Arc<OpenLanes>> {
        let list = self.of_reps.get_mut(&rep)?;
        Some(list.lanes.open_to(skills, hours, OPEN_LANES_COUNT_MAX))
    }

    /// The list of each rep; in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RepKey, &Lanes)> {
        self.of_reps.iter().map(|(rep, list)| (*rep, &list.lanes))
    }

    /// How many leads are ready in all lists.
    pub(super) fn ready_count(&self) -> usize {
        self.ready_count
    }

    /// The ready lead that is kept no more before all others, and from when on.
    pub(super) fn first_end(&self) -> Option<(&LeadId, &Reverse<(i64, LeadId)>)> {
        self.ends.peek()
    }

    /// The first instant at which a ready lead is kept no more.
    pub(super) fn next_end(&self) -> Option<i64> {
        self.first_end().map(|(_, Reverse((until, _)))| *until)
    }
}

//! The oracle: what a queue has to answer, found by going through every lead each time.
//!
//! Written to be read beside the contract, in plain vectors; it keeps what it was told, and works
//! out the rest when it is asked.

use std::collections::BTreeMap;

use nextlead::domain::{LeadId, RepKey, ServeOrder, Tier};
use nextlead::queue::{Ask, Basis, Candidate, Census, Counts, Entry, FLIGHT_MS_MAX, Keeper, Lane};

/// A lead that is in line, waits, or is in flight.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) entry: Entry,
    /// When its flight ends by itself, if it is in flight.
    pub(super) flies_until: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) basis: Basis,
    pub(super) leads: Vec<Known>,
    pub(super) staged: Option<Staged>,
    debts: BTreeMap<RepKey, u32>,
}

#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) basis: Basis,
    entries: Vec<Entry>,
    /// What left while it grew, by version.
    left: BTreeMap<LeadId, i64>,
    /// What changed in the line in use and was not said here, by version.
    missed: BTreeMap<LeadId, i64>,
}

impl Staged {
    fn version_of(&self, lead: LeadId) -> Option<i64> {
        let entry = self.entries.iter().find(|entry| entry.lead == lead);
        entry.map(|entry| entry.version).max(self.left.get(&lead).copied())
    }

    fn miss(&mut self, lead: LeadId, version: i64) {
        if self.version_of(lead) < Some(version) {
            let missed = self.missed.entry(lead).or_insert(version);
            *missed = version.max(*missed);
        }
    }

    fn hear(&mut self, lead: LeadId, version: i64) {
        self.missed.retain(|missed, of| *missed != lead || *of > version);
    }
}

fn age(entry: &Entry) -> (i64, Basis) {
    (entry.version, entry.basis)
}

impl Oracle {
    pub(super) fn new(basis: Basis) -> Self {
        Self { basis, ..Self::default() }
    }

    /// Takes an entry in. Answers whether it changed anything.
    pub(super) fn put(&mut self, entry: Entry) -> bool {
        let of_same_lead = |known: &&Known| known.entry.lead == entry.lead;
        let known = self.leads.iter().find(of_same_lead);
        if known.is_some_and(|known| age(&known.entry) >= age(&entry)) {
            return false;
        }
        let of_same_version = known.filter(|known| known.entry.version == entry.version);
        let flies_until = of_same_version.and_then(|known| known.flies_until);
        if let Some(staged) = &mut self.staged {
            staged.miss(entry.lead, entry.version);
        }
        self.leads.retain(|known| known.entry.lead != entry.lead);
        self.leads.push(Known { entry, flies_until });
        true
    }

    /// Forgets a lead. Answers whether it changed anything.
    pub(super) fn remove(&mut self, lead: LeadId, version: i64) -> bool {
        if let Some(staged) = &mut self.staged {
            staged.miss(lead, version);
        }
        let count = self.leads.len();
        self.leads.retain(|known| known.entry.lead != lead || known.entry.version > version);
        self.leads.len() < count
    }

    pub(super) fn stage(&mut self, basis: Basis) {
        self.staged = Some(Staged { basis, ..Staged::default() });
    }

    pub(super) fn put_staged(&mut self, entry: Entry) {
        let Some(staged) = &mut self.staged else { return };
        staged.hear(entry.lead, entry.version);
        let known = staged.entries.iter().find(|known| known.lead == entry.lead);
        if staged.left.get(&entry.lead).is_some_and(|left| *left >= entry.version) {
            return;
        }
        if known.is_none_or(|known| age(known) < age(&entry)) {
            staged.entries.retain(|known| known.lead != entry.lead);
            staged.entries.push(entry);
        }
    }

    pub(super) fn remove_staged(&mut self, lead: LeadId, version: i64) {
        let Some(staged) = &mut self.staged else { return };
        staged.hear(lead, version);
        staged.entries.retain(|known| known.lead != lead || known.version > version);
        let left = staged.left.entry(lead).or_insert(version);
        *left = version.max(*left);
    }

    /// Puts the second line in use if it missed no more than so many leads, which stay as they are. Answers
    /// those that it missed.
    pub(super) fn swap(&mut self, carried_max: usize) -> Vec<LeadId> {
        let Some(mut staged) = self.staged.take() else { return Vec::new() };
        let missed: Vec<LeadId> = staged.missed.keys().copied().collect();
        if missed.len() > carried_max {
            self.staged = Some(staged);
            return missed;
        }
        self.leads
            .retain(|known| known.flies_until.is_some() || missed.contains(&known.entry.lead));
        let in_flight = |lead: &LeadId| {
            self.leads.iter().any(|one| one.entry.lead == *lead && one.flies_until.is_some())
        };
        staged.entries.retain(|new| !missed.contains(&new.lead) || in_flight(&new.lead));
        for known in &mut self.leads {
            let newer =
                |new: &&Entry| new.lead == known.entry.lead && new.version >= known.entry.version;
            if let Some(new) = staged.entries.iter().find(newer) {
                known.entry = new.clone();
            }
            staged.entries.retain(|new| new.lead != known.entry.lead);
        }
        let entries = staged.entries.into_iter();
        self.leads.extend(entries.map(|entry| Known { entry, flies_until: None }));
        self.basis = staged.basis;
        missed
    }

    /// What stands in line at `now`.
    pub(super) fn ready(&self, now: i64) -> impl Iterator<Item = &Entry> {
        let in_line = self.leads.iter().filter(|known| known.flies_until.is_none());
        let entries = in_line.map(|known| &known.entry);
        entries.filter(move |entry| entry.due_at.is_none_or(|due_at| due_at <= now))
    }

    pub(super) fn propose(&mut self, ask: &Ask) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        while candidates.len() < ask.count {
            let Some((entry, order)) = self.next(ask) else { break };
            candidates.push(Candidate {
                lead: entry.lead,
                version: entry.version,
                order,
                rank: entry.rank(ask.now),
                head_start_ms: entry.worth.at(ask.now).head_start_ms,
                first_touch_due_at: entry.first_touch.map(|rank| rank.due_at),
            });
            let taken = self.leads.iter_mut().find(|known| known.entry.lead == entry.lead).unwrap();
            taken.flies_until = Some(ask.now + FLIGHT_MS_MAX);
        }
        candidates
    }

    fn next(&self, ask: &Ask) -> Option<(Entry, ServeOrder)> {
        let offered: Vec<&Entry> = self
            .ready(ask.now)
            .filter(|entry| keeper(entry, ask.now).is_none_or(|keeper| keeper == ask.rep))
            .filter(|entry| is_skilled(&entry.lane, ask) && is_open(&entry.lane, ask))
            .filter(|entry| !ask.passed.contains(&entry.lead))
            .collect();
        let callbacks = offered.iter().filter(|entry| entry.tier == Tier::Callback);
        let is_own = |entry: &Entry| keeper(entry, ask.now).is_some();
        if let Some(entry) = callbacks.min_by_key(|entry| (!is_own(entry), entry.rank(ask.now))) {
            return Some(((*entry).clone(), ServeOrder::Callback));
        }
        let untouched = offered.iter().filter(|entry| entry.first_touch.is_some());
        if self.debt(ask.rep, ask.reserve_after) >= ask.reserve_after
            && let Some(entry) = untouched.min_by_key(|entry| entry.first_touch)
        {
            return Some(((*entry).clone(), ServeOrder::FirstTouch));
        }
        let best = offered.iter().min_by_key(|entry| entry.rank(ask.now))?;
        Some(((*best).clone(), ServeOrder::Ordinary))
    }

    fn debt(&self, rep: RepKey, reserve_after: u32) -> u32 {
        self.debts.get(&rep).copied().unwrap_or(reserve_after)
    }

    pub(super) fn served(
        &mut self,
        rep: RepKey,
        lead: LeadId,
        order: ServeOrder,
        reserve_after: u32,
    ) {
        self.leads.retain(|known| known.entry.lead != lead || known.flies_until.is_none());
        let debt = self.debt(rep, reserve_after);
        match order {
            ServeOrder::Callback => {}
            ServeOrder::FirstTouch => {
                self.debts.insert(rep, debt.saturating_sub(reserve_after));
            }
            ServeOrder::Ordinary => {
                self.debts.insert(rep, (debt + 1).min(2 * reserve_after));
            }
        }
    }

    pub(super) fn put_back(&mut self, lead: LeadId) {
        for known in self.leads.iter_mut().filter(|known| known.entry.lead == lead) {
            known.flies_until = None;
        }
    }

    /// Ends the flights that lasted too long. What fell due or ended needs nothing here.
    pub(super) fn promote(&mut self, now: i64) {
        for known in &mut self.leads {
            known.flies_until = known.flies_until.filter(|until| *until > now);
        }
    }

    /// How many go before a ready lead, and among how many it stands.
    pub(super) fn place_of(&self, lead: LeadId, now: i64) -> Option<(usize, usize)> {
        let own = self.ready(now).find(|entry| entry.lead == lead)?;
        let own_keeper = keeper(own, now);
        // What its keeper is offered first: own callbacks, then those of nobody, then the rest by rank.
        let order = |entry: &Entry| {
            let is_callback = entry.tier == Tier::Callback;
            (!is_callback, is_callback && keeper(entry, now).is_none(), entry.rank(now))
        };
        let among = self
            .ready(now)
            .filter(|entry| keeper(entry, now).is_none_or(|rep| Some(rep) == own_keeper));
        let among: Vec<&Entry> = among.collect();
        let before_count = among.iter().filter(|entry| order(entry) < order(own)).count();
        Some((before_count, among.len()))
    }

    /// What is counted once everything that fell due is promoted; in order.
    pub(super) fn census(&self, now: i64) -> Census {
        let in_flight = self.leads.iter().filter(|known| known.flies_until.is_some()).count();
        let mut census = Census {
            waiting: self.leads.len() - in_flight - self.ready(now).count(),
            in_flight,
            ..Census::default()
        };
        for entry in self.ready(now) {
            match keeper(entry, now) {
                None => census.lanes.push((entry.lane.clone(), 1)),
                Some(rep) => census.kept.push((rep, entry.lane.clone(), 1)),
            }
        }
        summed(census)
    }

    pub(super) fn counts(&self, ask: &Ask) -> Counts {
        let is_mine = |entry: &&Entry| keeper(entry, ask.now).is_none_or(|rep| rep == ask.rep);
        let ready_count = |is_counted: &dyn Fn(&Lane) -> bool| {
            self.ready(ask.now).filter(is_mine).filter(|entry| is_counted(&entry.lane)).count()
        };
        let in_flight = self.leads.iter().filter(|known| known.flies_until.is_some()).count();
        let routable = |lane: &Lane| lane.hours.is_some();
        Counts {
            open: ready_count(&|lane| is_skilled(lane, ask) && is_open(lane, ask)),
            closed: ready_count(&|lane| {
                routable(lane) && is_skilled(lane, ask) && !is_open(lane, ask)
            }),
            unskilled: ready_count(&|lane| routable(lane) && !is_skilled(lane, ask)),
            unroutable: ready_count(&|lane| !routable(lane)),
            kept: self.ready(ask.now).filter(|entry| !is_mine(entry)).count(),
            waiting: self.leads.len() - in_flight - self.ready(ask.now).count(),
            next_due_at: self.next_due_at(ask.now),
            in_flight,
        }
    }

    fn next_due_at(&self, now: i64) -> Option<i64> {
        let in_line = self.leads.iter().filter(|known| known.flies_until.is_none());
        let due = in_line.filter_map(|known| known.entry.due_at).filter(|due_at| *due_at > now);
        let kept = self.ready(now).filter(|entry| keeper(entry, now).is_some());
        due.chain(kept.filter_map(|entry| entry.keeper?.until)).min()
    }
}

/// For whom an entry is kept at `now`.
pub(super) fn keeper(entry: &Entry, now: i64) -> Option<RepKey> {
    match entry.keeper? {
        Keeper { until: Some(until), .. } if until <= now => None,
        Keeper { rep, .. } => Some(rep),
    }
}

/// A census in order, each lane once, though its leads may be callbacks and others.
pub(super) fn summed(census: Census) -> Census {
    let mut lanes: BTreeMap<_, (Lane, usize)> = BTreeMap::new();
    for (lane, count) in census.lanes {
        let known = lanes.entry((lane.hours.clone(), lane.skills.clone())).or_insert((lane, 0));
        known.1 += count;
    }
    let mut kept: BTreeMap<_, (RepKey, Lane, usize)> = BTreeMap::new();
    for (rep, lane, count) in census.kept {
        let key = (rep, lane.hours.clone(), lane.skills.clone());
        kept.entry(key).or_insert((rep, lane, 0)).2 += count;
    }
    Census { lanes: lanes.into_values().collect(), kept: kept.into_values().collect(), ..census }
}

fn is_skilled(lane: &Lane, ask: &Ask) -> bool {
    lane.skills.iter().all(|skill| ask.skills.contains(skill))
}

fn is_open(lane: &Lane, ask: &Ask) -> bool {
    lane.hours.as_ref().is_some_and(|hours| ask.hours.open.contains(hours))
}

//! Leads that nobody can take, now or ever, as things stand: somebody has to do something about them. They
//! are listed with why, and counted apart from those that are only a matter of time.
//!
//! A pause is a decision, so the leads of a paused campaign are not among them; nor are they healthy.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::domain::{CampaignId, LeadId, Place, Queue, QueueId, QueueKey, Standing, Verdict};
use crate::store::LeadRecord;

use super::hours::offering;
use super::inquiry::no_rep;
use super::obstacle::{KeptFor, Obstacle};
use super::{Dialer, DialerError};

/// How many leads one call looks at at most.
const SCANNED_COUNT_MAX: usize = 20_000;
/// How many are read at a time.
const SLICE_COUNT: usize = 2_000;

/// Why nobody can take a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unroutable {
    /// No number of it may be dialled, or nobody can say where it lives.
    NoHours,
    /// The law and the queue's own hours do not meet within 40 days where it may be.
    NeverOpen,
    /// No active rep of the queue has the skills that it needs.
    NoRep,
    /// It is kept for a rep who lacks a skill that it needs.
    Kept,
}

impl Unroutable {
    /// All of them. Of several that are true of a lead the first one counts.
    pub const ALL: [Self; 4] = [Self::NoHours, Self::NeverOpen, Self::NoRep, Self::Kept];

    /// The word for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoHours => "no_hours",
            Self::NeverOpen => "never_open",
            Self::NoRep => "no_rep",
            Self::Kept => "kept",
        }
    }

    /// What an obstacle makes of a lead.
    fn of(obstacle: &Obstacle) -> Option<Self> {
        match obstacle {
            Obstacle::NoNumber | Obstacle::UnknownZone => Some(Self::NoHours),
            Obstacle::OutsideHours { until: None, .. } => Some(Self::NeverOpen),
            Obstacle::NoRepWithSkills { .. } => Some(Self::NoRep),
            Obstacle::Kept(kept) if !kept.missing.is_empty() => Some(Self::Kept),
            _ => None,
        }
    }
}

/// A lead that nobody can take.
#[derive(Clone, Debug)]
pub struct UnroutableLead {
    /// The lead.
    pub record: LeadRecord,
    /// Its queue.
    pub queue: QueueId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// As what it is counted.
    pub reason: Unroutable,
    /// Everything that makes it so.
    pub obstacles: Vec<Obstacle>,
}

/// A part of the list of them.
#[derive(Clone, Debug, Default)]
pub struct UnroutablePage {
    /// In the order of queues and ids; few or none of a long stretch of healthy leads.
    pub leads: Vec<UnroutableLead>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<(QueueKey, LeadId)>,
}

/// What leads of one queue are judged by, at one instant.
struct Bench {
    queue: Arc<Queue>,
    now: i64,
    /// The skills of its active reps, each set once.
    has: BTreeSet<Arc<BTreeSet<String>>>,
    /// Places whose hours never open, and what closes them.
    never: HashMap<Arc<str>, Option<Obstacle>>,
}

/// Whether a lead stands in line: only of such it is asked who takes it.
pub(super) fn is_in_line(record: &LeadRecord, now: i64) -> bool {
    match record.state.standing {
        Standing::Ready => true,
        Standing::Waiting { until, .. } => until <= now,
        Standing::Leased | Standing::Closed { .. } | Standing::Erased => false,
    }
}

/// Whether these obstacles make a lead that stands in line one that nobody can take.
pub(super) fn is_unroutable(record: &LeadRecord, obstacles: &[Obstacle], now: i64) -> bool {
    is_in_line(record, now)
        && !obstacles.contains(&Obstacle::Paused)
        && obstacles.iter().any(|one| Unroutable::of(one).is_some())
}

impl Dialer {
    /// A page of the ready leads that nobody can take, of one queue or all: at most `limit`, from after the
    /// place on where the page before ended.
    ///
    /// Reads the open leads of the store, at most 20,000 a call, so a page may be short or empty with more to
    /// come; it needs no index, and is as new as the store.
    pub async fn unroutable(
        &self,
        queue: Option<&QueueId>,
        after: Option<(QueueKey, LeadId)>,
        limit: usize,
    ) -> Result<UnroutablePage, DialerError> {
        let mut queues = match queue {
            Some(id) => vec![self.roster().queue(id)?],
            None => self.roster().queues(),
        };
        queues.sort_by_key(|queue| queue.key);
        let dialer = self.clone();
        Self::in_back_room(async move { dialer.scan(&queues, after, limit).await }).await
    }

    async fn scan(
        &self,
        queues: &[Arc<Queue>],
        after: Option<(QueueKey, LeadId)>,
        limit: usize,
    ) -> Result<UnroutablePage, DialerError> {
        let mut page = UnroutablePage::default();
        let mut scanned_count = 0;
        let (from_queue, mut from) = after.unwrap_or((QueueKey(i64::MIN), LeadId(0)));
        for queue in queues.iter().filter(|queue| queue.key >= from_queue) {
            if queue.key != from_queue {
                from = LeadId(0);
            }
            let mut bench = self.bench(queue);
            loop {
                let records = self.parts.store.open_leads(queue.key, from, SLICE_COUNT).await?;
                self.parts.follower.know(&records).await?;
                let is_last = records.len() < SLICE_COUNT;
                scanned_count += records.len();
                for record in records {
                    from = record.lead.id;
                    page.leads.extend(self.judge(&mut bench, record));
                    if page.leads.len() >= limit {
                        page.next = Some((queue.key, from));
                        return Ok(page);
                    }
                }
                if is_last {
                    break;
                }
                if scanned_count >= SCANNED_COUNT_MAX {
                    page.next = Some((queue.key, from));
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }

    fn bench(&self, queue: &Arc<Queue>) -> Bench {
        let now = self.now();
        let has = self.skills_in(queue.key, now);
        Bench { queue: queue.clone(), now, has, never: HashMap::new() }
    }

    /// The skills of a queue's active reps: many have the same few.
    pub(super) fn skills_in(&self, queue: QueueKey, now: i64) -> BTreeSet<Arc<BTreeSet<String>>> {
        let reps = self.roster().reps();
        let active = reps.iter().filter(|one| one.rep.queue == queue && one.rep.is_active_at(now));
        active.map(|one| one.skills.clone()).collect()
    }

    /// The lead, if nobody can take it.
    fn judge(&self, bench: &mut Bench, record: LeadRecord) -> Option<UnroutableLead> {
        let campaign = self.roster().campaign_by_key(record.state.campaign)?;
        if campaign.campaign.is_paused || !is_in_line(&record, bench.now) {
            return None;
        }
        let mut obstacles = Vec::new();
        let facts = &record.lead.facts;
        match self.parts.follower.places.hours_of(facts) {
            Some(name) => obstacles.extend(bench.never_opens(&name)),
            None if facts.callable_numbers().next().is_none() => obstacles.push(Obstacle::NoNumber),
            None => obstacles.push(Obstacle::UnknownZone),
        }
        let needed = self.skills_of(&record);
        let kept = self.kept_for(&record, &needed, bench.now);
        obstacles.extend(kept.filter(|kept| !kept.missing.is_empty()).map(Obstacle::Kept));
        let has: Vec<_> = bench.has.iter().collect();
        obstacles.extend(no_rep(&needed, &has));
        let reason = obstacles.iter().filter_map(Unroutable::of).min()?;
        let (queue, campaign) = (bench.queue.id.clone(), campaign.campaign.id.clone());
        Some(UnroutableLead { record, queue, campaign, reason, obstacles })
    }

    /// For whom a lead that needs these skills is kept at an instant.
    pub(super) fn kept_for(
        &self,
        record: &LeadRecord,
        needed: &BTreeSet<String>,
        now: i64,
    ) -> Option<KeptFor> {
        let keeper = self.parts.follower.keeper_of(&record.state, now);
        let keeper = keeper.filter(|keeper| keeper.holds_at(now))?;
        let entry = self.roster().rep_by_key(keeper.rep)?;
        let is_at_work = entry.rep.work.is_at_work(now);
        Some(KeptFor {
            rep: entry.rep.id.clone(),
            until: keeper.until,
            is_promised: record.state.callback.is_some(),
            is_at_work,
            back_at: entry.rep.work.back_at(now).filter(|_| !is_at_work),
            ends_at: entry.rep.work.ends_at,
            missing: needed.difference(&entry.skills).cloned().collect(),
        })
    }
}

impl Bench {
    fn never_opens(&mut self, name: &Arc<str>) -> Option<Obstacle> {
        if let Some(known) = self.never.get(name) {
            return known.clone();
        }
        let verdict = offering(&self.queue).verdict(&Place::from_name(name), self.now);
        let found = match verdict {
            Verdict::Never { bar } => Some(Obstacle::OutsideHours { until: None, bar }),
            Verdict::Allowed { .. } | Verdict::NotUntil { .. } => None,
        };
        self.never.insert(name.clone(), found.clone());
        found
    }
}

//! Who works what, in memory: every id at the door becomes a key here, and every key an id again.
//!
//! Small and rarely changed, so one lock around plain maps does; what a pull needs comes out as
//! shared values.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::domain::{
    Campaign, CampaignId, CampaignKey, Queue, QueueId, QueueKey, Rep, RepId, RepKey,
};
use crate::store::RosterRows;

use super::DialerError;

/// A rep, with skills that lanes can be compared with.
#[derive(Clone, Debug)]
pub(super) struct RosterRep {
    pub(super) rep: Arc<Rep>,
    pub(super) skills: Arc<BTreeSet<String>>,
}

/// A campaign, with the skills that its leads' lanes share.
#[derive(Clone, Debug)]
pub(super) struct RosterCampaign {
    pub(super) campaign: Arc<Campaign>,
    pub(super) skills: Arc<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct Tables {
    /// Grows with every change that is made here: what was read before one is not to undo it.
    epoch: u64,
    queues: HashMap<QueueKey, Arc<Queue>>,
    queue_keys: HashMap<QueueId, QueueKey>,
    campaigns: HashMap<CampaignKey, RosterCampaign>,
    campaign_keys: HashMap<CampaignId, CampaignKey>,
    /// By queue: the sum of those of all campaigns whose leads it has, as any of them moves its lanes. None
    /// ever goes.
    lane_versions: HashMap<QueueKey, i64>,
    /// The queues to which leads of a campaign were transferred.
    guests: HashMap<CampaignKey, HashSet<QueueKey>>,
    reps: HashMap<RepKey, RosterRep>,
    rep_keys: HashMap<RepId, RepKey>,
}

impl Tables {
    fn of(rows: RosterRows, epoch: u64) -> Self {
        let mut tables = Self { epoch, ..Self::default() };
        for (queue, campaign) in rows.guests {
            tables.guests.entry(campaign).or_default().insert(queue);
        }
        rows.queues.into_iter().for_each(|queue| tables.put_queue(queue));
        rows.campaigns.into_iter().for_each(|campaign| tables.put_campaign(campaign));
        rows.reps.into_iter().for_each(|rep| tables.put_rep(rep));
        tables
    }

    fn put_queue(&mut self, queue: Queue) {
        self.queue_keys.insert(queue.id.clone(), queue.key);
        self.queues.insert(queue.key, Arc::new(queue));
    }

    fn put_campaign(&mut self, campaign: Campaign) {
        self.campaign_keys.insert(campaign.id.clone(), campaign.key);
        let skills = Arc::new(campaign.settings.skills.clone());
        let key = campaign.key;
        let (queue, lane_version) = (campaign.queue, campaign.lane_version);
        let entry = RosterCampaign { campaign: Arc::new(campaign), skills };
        let before = self.campaigns.insert(key, entry);
        let before = before.map_or(0, |entry| entry.campaign.lane_version);
        let guests = self.guests.get(&key).into_iter().flatten().copied();
        for queue in guests.filter(|guest| *guest != queue).chain([queue]) {
            *self.lane_versions.entry(queue).or_default() += lane_version - before;
        }
    }

    fn put_rep(&mut self, rep: Rep) {
        self.rep_keys.insert(rep.id.clone(), rep.key);
        let skills = Arc::new(rep.skills.clone());
        self.reps.insert(rep.key, RosterRep { rep: Arc::new(rep), skills });
    }
}

/// Who works what.
#[derive(Debug, Default)]
pub(super) struct Roster(RwLock<Tables>);

impl Roster {
    pub(super) fn load(rows: RosterRows) -> Self {
        Self(RwLock::new(Tables::of(rows, 0)))
    }

    /// Which changes are in here: to be asked before rows are read that are to replace these.
    pub(super) fn epoch(&self) -> u64 {
        self.read().epoch
    }

    /// Takes rows over that were read since an epoch; not if something was changed here meanwhile.
    pub(super) fn replace(&self, rows: RosterRows, epoch: u64) -> bool {
        let mut tables = self.write();
        let is_newer = tables.epoch == epoch;
        if is_newer {
            *tables = Tables::of(rows, epoch);
        }
        is_newer
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Tables> {
        let mut tables = self.write();
        tables.epoch += 1;
        tables
    }

    pub(super) fn put_queue(&self, queue: Queue) {
        self.change().put_queue(queue);
    }

    pub(super) fn put_campaign(&self, campaign: Campaign) {
        self.change().put_campaign(campaign);
    }

    pub(super) fn put_rep(&self, rep: Rep) {
        self.change().put_rep(rep);
    }

    pub(super) fn queue(&self, id: &QueueId) -> Result<Arc<Queue>, DialerError> {
        let tables = self.read();
        let found = tables.queue_keys.get(id).and_then(|key| tables.queues.get(key));
        found.cloned().ok_or_else(|| DialerError::not_found("queue", id))
    }

    pub(super) fn campaign(&self, id: &CampaignId) -> Result<RosterCampaign, DialerError> {
        let tables = self.read();
        let found = tables.campaign_keys.get(id).and_then(|key| tables.campaigns.get(key));
        found.cloned().ok_or_else(|| DialerError::not_found("campaign", id))
    }

    pub(super) fn rep(&self, id: &RepId) -> Result<RosterRep, DialerError> {
        let tables = self.read();
        let found = tables.rep_keys.get(id).and_then(|key| tables.reps.get(key));
        found.cloned().ok_or_else(|| DialerError::not_found("rep", id))
    }

    pub(super) fn queue_by_key(&self, key: QueueKey) -> Option<Arc<Queue>> {
        self.read().queues.get(&key).cloned()
    }

    pub(super) fn campaign_by_key(&self, key: CampaignKey) -> Option<RosterCampaign> {
        self.read().campaigns.get(&key).cloned()
    }

    /// A campaign, and the version of the lanes of a queue that its skills are of.
    pub(super) fn lanes_by_key(
        &self,
        key: CampaignKey,
        queue: QueueKey,
    ) -> Option<(RosterCampaign, i64)> {
        let tables = self.read();
        let entry = tables.campaigns.get(&key)?;
        let lane_version = tables.lane_versions.get(&queue);
        Some((entry.clone(), lane_version.copied().unwrap_or(0)))
    }

    /// Whether a campaign is known, and known to have leads in a queue.
    pub(super) fn has_leads_in(&self, campaign: CampaignKey, queue: QueueKey) -> bool {
        let tables = self.read();
        let entry = tables.campaigns.get(&campaign);
        entry.is_some_and(|entry| {
            let guests = tables.guests.get(&campaign);
            entry.campaign.queue == queue || guests.is_some_and(|guests| guests.contains(&queue))
        })
    }

    /// The queues that have leads of a campaign: its own comes first.
    pub(super) fn queues_of(&self, campaign: &Campaign) -> Vec<QueueKey> {
        let tables = self.read();
        let guests = tables.guests.get(&campaign.key).into_iter().flatten().copied();
        let others = guests.filter(|guest| *guest != campaign.queue);
        std::iter::once(campaign.queue).chain(others).collect()
    }

    /// The version of what the lanes of a queue are made of.
    pub(super) fn lane_version(&self, queue: QueueKey) -> i64 {
        self.read().lane_versions.get(&queue).copied().unwrap_or(0)
    }

    pub(super) fn rep_by_key(&self, key: RepKey) -> Option<RosterRep> {
        self.read().reps.get(&key).cloned()
    }

    pub(super) fn queues(&self) -> Vec<Arc<Queue>> {
        let mut queues: Vec<_> = self.read().queues.values().cloned().collect();
        queues.sort_by(|one, other| one.id.cmp(&other.id));
        queues
    }

    pub(super) fn campaigns(&self) -> Vec<Arc<Campaign>> {
        let tables = self.read();
        let mut campaigns: Vec<_> =
            tables.campaigns.values().map(|entry| entry.campaign.clone()).collect();
        campaigns.sort_by(|one, other| one.id.cmp(&other.id));
        campaigns
    }

    pub(super) fn reps_unsorted(&self) -> Vec<Arc<Rep>> {
        self.read().reps.values().map(|entry| entry.rep.clone()).collect()
    }

    pub(super) fn reps(&self) -> Vec<RosterRep> {
        let mut reps: Vec<_> = self.read().reps.values().cloned().collect();
        reps.sort_by(|one, other| one.rep.id.cmp(&other.rep.id));
        reps
    }
}

//! What managers and marketing set: queues, campaigns, reps.

use crate::domain::{
    CampaignId, CampaignSettings, QueueId, QueueKey, QueueSettings, REP_ID_RESERVED, Rep, RepId,
};
use crate::queue::Basis;
use crate::store::{self, NewRep};

use super::{CampaignView, Dialer, DialerError, QueueView, RepSettings, RepView};

impl Dialer {
    /// Makes or changes a queue. New hours count from the next pull on.
    pub async fn put_queue(
        &self,
        id: QueueId,
        settings: QueueSettings,
    ) -> Result<QueueView, DialerError> {
        let dialer = self.clone();
        Self::apart(async move {
            let _turn = dialer.parts.settings_turn.lock().await;
            // Asked before it is stored: from then on a sweep may read it into the roster first.
            let is_new = dialer.roster().queue(&id).is_err();
            let queue = dialer.parts.store.put_queue(&id, &settings).await?;
            if is_new {
                dialer.begin_index(queue.key).await;
            }
            dialer.parts.follower.rulebook.begin_without_rules(queue.key, &queue.id);
            let before = dialer.roster().queue_by_key(queue.key);
            dialer.roster().put_queue(queue.clone());
            if before.is_some_and(|before| before.settings.own != queue.settings.own) {
                dialer.keep_anew(queue.key);
            }
            dialer.parts.follower.ring(queue.key);
            Ok(dialer.view_queue(&queue))
        })
        .await
    }

    /// Gives a new queue an empty index. One that is out of reach gets it from the sweep.
    async fn begin_index(&self, queue: QueueKey) {
        if let Err(error) = self.queue_index().begin(queue, Basis::default()).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, queue.key = queue.0, "the index does not have a queue yet");
        }
    }

    /// Every queue, by id.
    pub fn queues(&self) -> Vec<QueueView> {
        self.roster().queues().iter().map(|queue| self.view_queue(queue)).collect()
    }

    fn view_queue(&self, queue: &crate::domain::Queue) -> QueueView {
        let rulebook = &self.parts.follower.rulebook;
        QueueView {
            id: queue.id.clone(),
            settings: queue.settings.clone(),
            rule_version: rulebook.in_force(queue.key).version,
            ranking_version: rulebook.staged(queue.key).map(|staged| staged.version),
        }
    }

    /// Makes or changes a campaign. Its queue cannot change. Other skills move its leads to other
    /// lanes, in the background; if this node does not come to it, a later sweep does.
    pub async fn put_campaign(
        &self,
        id: CampaignId,
        queue: QueueId,
        settings: CampaignSettings,
    ) -> Result<CampaignView, DialerError> {
        let queue = self.roster().queue(&queue)?;
        let dialer = self.clone();
        Self::apart(async move {
            let _turn = dialer.parts.settings_turn.lock().await;
            let campaign = dialer.parts.store.put_campaign(&id, queue.key, &settings).await;
            let campaign = campaign.map_err(|error| match error.into() {
                DialerError::CampaignMoved(_) => DialerError::CampaignMoved(id.to_string()),
                other => other,
            })?;
            let lanes_before = dialer.roster().lane_version(queue.key);
            let is_paused = campaign.is_paused;
            dialer.roster().put_campaign(campaign.clone());
            if dialer.roster().lane_version(queue.key) > lanes_before {
                let queues = dialer.roster().queues_of(&campaign);
                queues.into_iter().for_each(|queue| dialer.rank_again(queue));
            }
            Ok(CampaignView { id, queue: queue.id.clone(), settings, is_paused })
        })
        .await
    }

    /// Pauses a campaign, or resumes it. From the answer on no lead of a paused one is served; leases that
    /// stand go on, and handovers are taken in. Its leads keep their places: when the answer says that it
    /// is resumed they are served again, unless another node ranks the queue just then.
    pub async fn pause_campaign(
        &self,
        id: CampaignId,
        is_paused: bool,
    ) -> Result<CampaignView, DialerError> {
        let dialer = self.clone();
        Self::apart(async move {
            let queues = {
                let _turn = dialer.parts.settings_turn.lock().await;
                let campaign = dialer.parts.store.pause_campaign(&id, is_paused).await?;
                let campaign = campaign.ok_or_else(|| DialerError::not_found("campaign", &id))?;
                let queues = dialer.roster().queues_of(&campaign);
                dialer.roster().put_campaign(campaign);
                queues
            };
            for queue in queues {
                if is_paused {
                    dialer.rank_again(queue);
                } else if let Err(error) = dialer.clone().rank_by(queue, None, false).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "a resumed campaign's leads are ranked by a later sweep");
                }
            }
            let known = dialer.roster().campaign(&id)?.campaign;
            let queue = dialer.roster().queue_by_key(known.queue);
            let queue = queue.expect("a campaign's queue is in the roster before it");
            let (settings, is_paused) = (known.settings.clone(), known.is_paused);
            Ok(CampaignView { id, queue: queue.id.clone(), settings, is_paused })
        })
        .await
    }

    /// Every campaign, by id; those of one queue.
    pub fn campaigns(&self, queue: Option<&QueueId>) -> Result<Vec<CampaignView>, DialerError> {
        let wanted = queue.map(|id| self.roster().queue(id)).transpose()?.map(|queue| queue.key);
        let campaigns = self.roster().campaigns();
        let campaigns = campaigns.iter().filter(|one| wanted.is_none_or(|key| key == one.queue));
        let view = |campaign: &crate::domain::Campaign| {
            let queue = self.roster().queue_by_key(campaign.queue)?;
            let (id, settings) = (campaign.id.clone(), campaign.settings.clone());
            let is_paused = campaign.is_paused;
            Some(CampaignView { id, queue: queue.id.clone(), settings, is_paused })
        };
        Ok(campaigns.filter_map(|campaign| view(campaign)).collect())
    }

    /// Makes or changes a rep. A rep who changes queue, or may no longer pull, gives back what they
    /// hold: another queue's policy must not decide about it. What is kept for them, or is no longer, is
    /// so for every pull from the answer on. A new rep is not called what another
    /// caller may be; one who was so before there was this rule stays, and can be changed.
    pub async fn put_rep(&self, id: RepId, settings: RepSettings) -> Result<RepView, DialerError> {
        if id.is_reserved() && self.roster().rep(&id).is_err() {
            return Err(DialerError::invalid("rep.rep_id", REP_ID_RESERVED));
        }
        let queue = self.roster().queue(&settings.queue)?;
        let dialer = self.clone();
        Self::apart(async move {
            let _turn = dialer.parts.settings_turn.lock().await;
            let before = dialer.roster().rep(&id).ok();
            let has_ended = settings.work.has_ended(dialer.now());
            let is_active = settings.is_active && !has_ended;
            let leaves = before.filter(|one| one.rep.queue != queue.key || !is_active);
            if let Some(before) = &leaves {
                dialer.give_back(&before.rep).await?;
            }
            let row = NewRep {
                queue: queue.key,
                skills: settings.skills.clone(),
                is_active: settings.is_active,
                work: settings.work.clone(),
            };
            let rep = dialer.parts.store.put_rep(&id, &row).await?;
            dialer.roster().put_rep(rep.clone());
            // A pull that was under way may have got another lead meanwhile.
            if let Some(before) = &leaves {
                dialer.give_back(&before.rep).await?;
            }
            if let Err(error) = dialer.put_own_leads_anew(&rep.into()).await {
                // The rep is changed; the sweep goes on where this ended.
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "a rep's own leads are put anew later");
            }
            Ok(RepView { id, settings })
        })
        .await
    }

    pub(super) async fn give_back(&self, rep: &Rep) -> Result<(), DialerError> {
        let now = self.now();
        let lease = self.parts.store.lease_of(rep.key).await?;
        let Some(lease) = lease.filter(|lease| lease.stands_at(now)) else { return Ok(()) };
        let change = store::Release {
            lead: lease.lead,
            rep: rep.key,
            actor: rep.id.to_string(),
            token: lease.token,
            cause: store::ReleaseCause::Forbidden,
            now,
            request: None,
        };
        match self.end_lease(change).await {
            Ok(()) | Err(DialerError::LeaseLost) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Every rep, by id; those of one queue.
    pub fn reps(&self, queue: Option<&QueueId>) -> Result<Vec<RepView>, DialerError> {
        let wanted = queue.map(|id| self.roster().queue(id)).transpose()?.map(|queue| queue.key);
        let reps = self.roster().reps();
        let reps = reps.iter().filter(|one| wanted.is_none_or(|key| key == one.rep.queue));
        let view = |rep: &Rep| {
            let queue = self.roster().queue_by_key(rep.queue)?.id.clone();
            let (skills, is_active) = (rep.skills.clone(), rep.is_active);
            let settings = RepSettings { queue, skills, is_active, work: rep.work.clone() };
            Some(RepView { id: rep.id.clone(), settings })
        };
        Ok(reps.filter_map(|entry| view(&entry.rep)).collect())
    }
}

//! Why a lead is where it is: peek, explain, trace.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{Event, HandoverKey, LeadId, Queue, QueueId, RepId, Whereabouts};
use crate::store::Sight;

use super::follower::Follower;
use super::inquiry::Inquiry;
use super::unroutable::is_unroutable;
use super::{Dialer, DialerError, LeadExplanation, Peek, Peeked};

impl Dialer {
    /// The ready leads of a queue in the order of their rank, whoever may take them.
    pub async fn peek(&self, queue: &QueueId, limit: usize) -> Result<Peek, DialerError> {
        let queue = self.roster().queue(queue)?;
        let dialer = self.clone();
        Self::in_back_room(async move {
            let now = dialer.now();
            let snapshot = dialer.queue_index().peek(queue.key, now, limit).await?;
            let mut places = Vec::with_capacity(snapshot.places.len());
            for place in snapshot.places {
                let record = dialer.parts.store.lead(place.lead).await?;
                let found = record.and_then(|record| {
                    let campaign = dialer.roster().campaign_by_key(record.state.campaign)?;
                    let owner = dialer.parts.follower.owner_of(&record);
                    let owner = owner.map(|owner| owner.id.clone());
                    Some(Peeked { record, campaign: campaign.campaign.id.clone(), owner })
                });
                let keeper = place.keeper.and_then(|rep| dialer.roster().rep_by_key(rep));
                let keeper = keeper.map(|entry| entry.rep.id.clone());
                places.push((place, keeper, found));
            }
            Ok(Peek {
                taken_at: snapshot.taken_at,
                ready_count: snapshot.ready_count,
                places,
                point_is_ms: dialer.parts.follower.rulebook.in_force(queue.key).rules.point_is_ms(),
            })
        })
        .await
    }

    /// Everything about why a lead is where it is: its standing, what keeps it from being served (to a
    /// rep, if one is named), in order, when it can next be, its points and its place in line. Only the
    /// place in line needs the index.
    pub async fn explain_lead(
        &self,
        lead: LeadId,
        rep: Option<RepId>,
    ) -> Result<LeadExplanation, DialerError> {
        let dialer = self.clone();
        Self::in_back_room(async move { dialer.explain(lead, rep).await }).await
    }

    async fn explain(
        &self,
        lead: LeadId,
        rep: Option<RepId>,
    ) -> Result<LeadExplanation, DialerError> {
        let (sight, queue, now) = self.sight(lead).await?;
        let record = sight.record();
        let asked = match &rep {
            Some(rep) => Some(self.asked_about(rep, &record, now).await?),
            None => None,
        };
        let whereabouts = Whereabouts::of(&record.lead.facts);
        let inquiry = Inquiry {
            dialer: self,
            sight: &sight,
            record: &record,
            queue: &queue,
            place: whereabouts.as_ref().map(|found| &found.place),
            needed: self.skills_of(&record),
            reps: match &asked {
                Some(asked) => vec![asked.rep.clone()],
                None => self.roster().reps(),
            },
            asked,
        };
        let obstacles = inquiry.obstacles(now);
        let next_servable_at = inquiry.next_servable_at(now);
        // All else is said without an index.
        let place = self.queue_index().place_of(queue.key, lead, now).await.unwrap_or(None);
        let campaign = self.roster().campaign_by_key(record.state.campaign);
        let campaign = campaign.expect("a lead's campaign is in the roster before the lead");
        let campaign = campaign.campaign.id.clone();
        let owner = self.parts.follower.owner_of(&record);
        let rules = self.parts.follower.rulebook.in_force(queue.key);
        let subject = Follower::subject(&record, campaign.as_str(), owner.as_deref());
        let kept = self.kept_for(&record, &BTreeSet::new(), now);
        let holder = record.lease.as_ref().filter(|lease| lease.stands_at(now));
        let held_by = holder.and_then(|lease| self.roster().rep_by_key(lease.rep));
        Ok(LeadExplanation {
            explanation: rules.rules.explain(&subject, now),
            campaign,
            queue: queue.id.clone(),
            held_by: held_by.map(|entry| entry.rep.id.clone()),
            owner: owner.map(|owner| owner.id.clone()),
            kept: kept.map(|kept| (kept.rep, kept.until)),
            rule_version: rules.version,
            next_servable_at,
            whereabouts,
            is_unroutable: is_unroutable(&record, &obstacles, now),
            obstacles,
            numbers: sight.numbers_at(now),
            place,
            engagements: self.engagements_of(&record).await?,
            read_at: now,
            record,
        })
    }

    /// A lead as a pull would find it, its queue, and when.
    async fn sight(&self, lead: LeadId) -> Result<(Sight, Arc<Queue>, i64), DialerError> {
        let record = self.parts.store.lead(lead).await?;
        let record = record.ok_or(DialerError::not_found("lead", lead))?;
        self.parts.follower.know(std::slice::from_ref(&record)).await?;
        let queue = self.roster().queue_by_key(record.state.queue);
        let queue = queue.expect("a lead's queue is in the roster before the lead");
        let now = self.now();
        let sight = self.parts.store.sight(lead, self.caps(&queue), now).await?;
        let sight = sight.ok_or(DialerError::not_found("lead", lead))?;
        Ok((sight, queue, now))
    }

    /// The ledger of a lead, in order, after event `after_seq`.
    pub async fn trace_lead(
        &self,
        lead: LeadId,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<Event>, DialerError> {
        let events = self.parts.store.ledger(lead, after_seq, limit).await?;
        if events.is_empty() && self.parts.store.lead(lead).await?.is_none() {
            return Err(DialerError::not_found("lead", lead));
        }
        Ok(events)
    }

    /// The lead that a handover opened or was merged into.
    pub async fn lead_by_key(&self, key: &HandoverKey) -> Result<LeadId, DialerError> {
        let lead = self.parts.store.lead_by_key(key).await?;
        lead.ok_or_else(|| {
            let HandoverKey { source_system, external_id, campaign } = key;
            DialerError::not_found("lead", format!("{source_system}/{external_id}/{campaign}"))
        })
    }
}

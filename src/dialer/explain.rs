//! Why a lead is where it is: peek, explain, trace.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{
    Event, HandoverKey, LeadId, Place, Queue, QueueId, Standing, Verdict, Whereabouts,
};
use crate::store::LeadRecord;

use super::follower::Follower;
use super::hours::offering;
use super::{Dialer, DialerError, LeadExplanation, Obstacle, Peek, Peeked};

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
                places.push((place, found));
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

    /// Everything about why a lead is where it is: its standing, what keeps it from being served, in
    /// order, when it can next be, its points and its place in line.
    pub async fn explain_lead(&self, lead: LeadId) -> Result<LeadExplanation, DialerError> {
        let dialer = self.clone();
        Self::in_back_room(async move { dialer.explain(lead).await }).await
    }

    async fn explain(&self, lead: LeadId) -> Result<LeadExplanation, DialerError> {
        let record = self.parts.store.lead(lead).await?;
        let record = record.ok_or(DialerError::not_found("lead", lead))?;
        self.parts.follower.know(std::slice::from_ref(&record)).await?;
        let now = self.now();
        let queue = self.roster().queue_by_key(record.state.queue);
        let queue = queue.expect("a lead's queue is in the roster before the lead");
        let campaign = self.roster().campaign_by_key(record.state.campaign);
        let campaign = campaign.expect("a lead's campaign is in the roster before the lead");
        let rules = self.parts.follower.rulebook.in_force(queue.key);
        let campaign_id = campaign.campaign.id.clone();
        let owner = self.parts.follower.owner_of(&record);
        let subject = Follower::subject(&record, campaign_id.as_str(), owner.as_deref());
        let explanation = rules.rules.explain(&subject, now);
        let owner = owner.map(|owner| owner.id.clone());
        let keeper = self.parts.follower.keeper_of_lead(&record.state, &record.lead.facts, now);
        let kept = keeper.and_then(|keeper| {
            let rep = self.roster().rep_by_key(keeper.rep)?.rep.id.clone();
            Some((rep, keeper.until))
        });
        let needed: BTreeSet<String> =
            campaign.skills.iter().chain(&record.lead.facts.skills).cloned().collect();
        let whereabouts = Whereabouts::of(&record.lead.facts);
        let place = whereabouts.as_ref().map(|found| &found.place);
        let obstacles = self.obstacles(&record, &queue, place, Arc::new(needed), now);
        let next_servable_at = next_servable_at(&record, &queue, place, &obstacles, now);
        // All else is said without an index.
        let place = self.queue_index().place_of(queue.key, lead, now).await.unwrap_or(None);
        let holder = record.lease.as_ref().filter(|lease| lease.stands_at(now));
        let held_by = holder.and_then(|lease| self.roster().rep_by_key(lease.rep));
        Ok(LeadExplanation {
            campaign: campaign_id,
            queue: queue.id.clone(),
            held_by: held_by.map(|entry| entry.rep.id.clone()),
            owner,
            kept,
            explanation,
            rule_version: rules.version,
            next_servable_at,
            whereabouts,
            obstacles,
            place,
            engagements: self.engagements_of(&record).await?,
            read_at: now,
            record,
        })
    }

    fn obstacles(
        &self,
        record: &LeadRecord,
        queue: &Queue,
        place: Option<&Place>,
        needed: Arc<BTreeSet<String>>,
        now: i64,
    ) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        match record.state.standing {
            Standing::Erased => return vec![Obstacle::Erased],
            Standing::Closed { route, .. } => obstacles.push(Obstacle::Closed { route }),
            Standing::Leased => {
                let until = record.lease.as_ref().map_or(now, |lease| lease.held_until);
                obstacles.push(Obstacle::Leased { until });
            }
            Standing::Waiting { until, .. } if now < until => {
                obstacles.push(Obstacle::Waiting { until });
            }
            Standing::Waiting { .. } | Standing::Ready => {}
        }
        let campaign = self.roster().campaign_by_key(record.state.campaign);
        if campaign.is_some_and(|one| one.campaign.is_paused) {
            obstacles.push(Obstacle::Paused);
        }
        let facts = &record.lead.facts;
        if facts.callable_numbers().next().is_none() {
            obstacles.push(Obstacle::NoNumber);
        }
        let has_skills = |entry: &super::roster::RosterRep| {
            entry.rep.queue == queue.key
                && entry.rep.is_active_at(now)
                && needed.is_subset(&entry.skills)
        };
        if !self.roster().reps().iter().any(has_skills) {
            obstacles.push(Obstacle::NoRepWithSkills { skills: needed });
        }
        obstacles.extend(match place.map(|place| offering(queue).verdict(place, now)) {
            None => Some(Obstacle::UnknownZone),
            Some(Verdict::Allowed { .. }) => None,
            Some(Verdict::NotUntil { at, bar }) => {
                Some(Obstacle::OutsideHours { until: Some(at), bar })
            }
            Some(Verdict::Never { bar }) => Some(Obstacle::OutsideHours { until: None, bar }),
        });
        obstacles
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

/// The first instant at which every obstacle that time removes is gone; `None` if one stays.
fn next_servable_at(
    record: &LeadRecord,
    queue: &Queue,
    place: Option<&Place>,
    obstacles: &[Obstacle],
    now: i64,
) -> Option<i64> {
    let mut at = now;
    for obstacle in obstacles {
        match obstacle {
            Obstacle::Waiting { until } | Obstacle::Leased { until } => at = at.max(*until),
            Obstacle::OutsideHours { .. } => {}
            Obstacle::Closed { .. } => at = at.max(record.state.standing.due_at()?),
            Obstacle::UnknownZone
            | Obstacle::NoRepWithSkills { .. }
            | Obstacle::NoNumber
            | Obstacle::Paused
            | Obstacle::Erased => {
                return None;
            }
        }
    }
    offering(queue).next_open(place?, at)
}

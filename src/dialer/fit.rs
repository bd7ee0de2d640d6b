//! What a candidate of a shared index must be. Other processes write to it, so it may name any lead, by
//! any order; the store looks in the transaction that leases.

use std::sync::Arc;

use crate::domain::{ServeOrder, Tier};
use crate::queue::Ask;
use crate::store::Fit;

use super::Dialer;

impl Dialer {
    /// What a candidate must be to go to the rep who asks: the index is shared, and may name anything.
    pub(super) fn fit(&self, ask: &Ask) -> Fit {
        let (queue, skills, hours) = (ask.queue, ask.skills.clone(), ask.hours.clone());
        let follower = self.parts.follower.clone();
        Fit(Arc::new(move |lead, state, order| {
            let facts = &lead.facts;
            let campaign = follower.roster.campaign_by_key(state.campaign);
            let is_of_order = match order {
                ServeOrder::Callback => state.tier == Tier::Callback,
                ServeOrder::FirstTouch => state.first_touched_at.is_none(),
                ServeOrder::Ordinary => true,
            };
            is_of_order
                && state.queue == queue
                && facts.zone.as_deref().is_some_and(|zone| hours.open.contains(zone))
                && facts.skills.iter().all(|skill| skills.contains(skill))
                && campaign.is_some_and(|campaign| campaign.skills.is_subset(&skills))
        }))
    }
}

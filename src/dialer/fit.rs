//! What a candidate must be, looked at in the transaction that leases it. An index of this process alone
//! may be behind by a commit, so where the lead may be and for whom it is kept is looked at again; to a shared one other
//! processes write, so it may name any lead, by any order.

use std::sync::Arc;

use crate::domain::{ServeOrder, Tier};
use crate::queue::Ask;
use crate::store::Fit;

use super::Dialer;

impl Dialer {
    /// What a candidate must be to go to the rep who asks.
    pub(super) fn fit(&self, ask: &Ask) -> Fit {
        let (queue, skills, hours) = (ask.queue, ask.skills.clone(), ask.hours.clone());
        let follower = self.parts.follower.clone();
        let (rep, now) = (ask.rep, ask.now);
        let is_alone = self.parts.duties.is_alone();
        Fit(Arc::new(move |lead, state, order| {
            let facts = &lead.facts;
            let name = follower.places.hours_of(facts);
            let is_legal = name.is_some_and(|name| hours.open.contains(&name));
            let keeper = follower.keeper_of(state, now);
            let is_kept = keeper.is_some_and(|one| one.rep != rep && one.holds_at(now));
            if is_alone || !is_legal || is_kept {
                return is_legal && !is_kept;
            }
            let campaign = follower.roster.campaign_by_key(state.campaign);
            let is_of_order = match order {
                ServeOrder::Callback => state.tier == Tier::Callback,
                ServeOrder::FirstTouch => state.first_touched_at.is_none(),
                ServeOrder::Ordinary => true,
            };
            is_of_order
                && state.queue == queue
                && facts.skills.iter().all(|skill| skills.contains(skill))
                && campaign.is_some_and(|campaign| campaign.skills.is_subset(&skills))
        }))
    }
}

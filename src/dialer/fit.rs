//! What a candidate must be, looked at in the transaction that leases it. An index of this process alone
//! may be behind by a commit, so where the lead may be and for whom it is kept is looked at again; to a
//! shared one other processes write, so it may name any lead, by any order.

use std::sync::Arc;

use crate::domain::{Queue, ServeOrder, Tier};
use crate::queue::Ask;
use crate::store::Fit;

use super::Dialer;

impl Dialer {
    /// What a candidate must be to go to the rep who asks; the ledger keeps why it may be called.
    pub(super) fn fit(&self, queue: &Arc<Queue>, ask: &Ask) -> Fit {
        let (queue, skills, hours) = (queue.clone(), ask.skills.clone(), ask.hours.clone());
        let (dialer, rep) = (self.clone(), ask.rep);
        let is_alone = self.parts.duties.is_alone();
        Fit(Arc::new(move |lead, state, order, now| {
            let follower = &dialer.parts.follower;
            let facts = &lead.facts;
            let found = follower.places.found(facts)?;
            let keeper = follower.keeper_of(state, now);
            let is_kept = keeper.is_some_and(|one| one.rep != rep && one.holds_at(now));
            // It may have gone to another queue since it was proposed.
            if !hours.open.contains(&found.0) || is_kept || state.queue != queue.key {
                return None;
            }
            let campaign = follower.roster.campaign_by_key(state.campaign);
            let is_of_order = match order {
                ServeOrder::Callback => state.tier == Tier::Callback,
                ServeOrder::FirstTouch => state.first_touched_at.is_none(),
                ServeOrder::Ordinary => true,
            };
            let is_of_ask = is_of_order
                && facts.skills.iter().all(|skill| skills.contains(skill))
                && campaign.is_some_and(|campaign| campaign.skills.is_subset(&skills));
            if !is_alone && !is_of_ask {
                return None;
            }
            dialer.parts.verdicts.allowed(&queue, &found, now)
        }))
    }

    /// What a lead must be to stay in a rep's hands who has not dialled it yet: to be callable, up to
    /// the law's own end.
    pub(super) fn fit_to_stay(&self) -> Fit {
        let dialer = self.clone();
        Fit(Arc::new(move |lead, state, _, now| {
            let follower = &dialer.parts.follower;
            let queue = follower.roster.queue_by_key(state.queue)?;
            let found = follower.places.found(&lead.facts)?;
            dialer.parts.verdicts.allowed(&queue, &found, now)
        }))
    }
}

//! A lead that a rep gave back or let expire is not offered to them for a while, so that somebody else
//! gets it. If there is nobody else who could, it is offered again once nothing else is left: a lead that
//! only one person can call is better called by who did not want it than by nobody.

use std::collections::BTreeSet;

use crate::domain::{LeadId, QueueKey, RepKey};
use crate::store::LeadRecord;

use super::pull::Turn;
use super::roster::RosterRep;
use super::{CANDIDATE_COUNT_MAX, Dialer, DialerError};

impl Dialer {
    /// Those of the leads that a rep passed which no other rep could take now: nobody else who is on duty
    /// in the queue has the skills, may be offered it, and has not passed it, too. Looks at few leads.
    pub(super) async fn only_theirs(
        &self,
        turn: &Turn,
        passed: &[LeadId],
    ) -> Result<Vec<LeadId>, DialerError> {
        let passed = &passed[..passed.len().min(CANDIDATE_COUNT_MAX)];
        let mut records = self.parts.store.leads(passed).await?;
        records.retain(|one| one.state.queue == turn.queue.key && one.state.standing.is_open());
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.parts.follower.know(&records).await?;
        let is_theirs = self.is_only_theirs(&turn.rep, turn.queue.key, turn.now);
        let theirs = records.iter().filter(|record| is_theirs(record));
        Ok(theirs.map(|record| record.lead.id).collect())
    }

    /// Tells of leads of a queue that a rep passed whether no other rep could take them now.
    pub(super) fn is_only_theirs(
        &self,
        rep: &RosterRep,
        queue: QueueKey,
        now: i64,
    ) -> impl Fn(&LeadRecord) -> bool {
        let others: Vec<(RosterRep, Vec<LeadId>)> = self
            .roster()
            .reps()
            .into_iter()
            .filter(|one| one.rep.queue == queue && one.rep.key != rep.rep.key)
            .filter(|one| one.rep.is_on_duty(now))
            .map(|one| {
                let passed = self.parts.follower.passes.by(one.rep.key, now);
                (one, passed)
            })
            .collect();
        move |record: &LeadRecord| {
            let needed = self.skills_of(record);
            let keeper = self.parts.follower.keeper_of(&record.state, now);
            let keeper = keeper.filter(|keeper| keeper.holds_at(now));
            let is_kept_from = |rep: RepKey| keeper.is_some_and(|keeper| keeper.rep != rep);
            !others.iter().any(|(other, passed)| {
                needed.is_subset(&other.skills)
                    && !is_kept_from(other.rep.key)
                    && !passed.contains(&record.lead.id)
            })
        }
    }

    /// The skills that a lead needs.
    pub(super) fn skills_of(&self, record: &LeadRecord) -> BTreeSet<String> {
        let campaign = self.roster().campaign_by_key(record.state.campaign);
        let of_campaign = campaign.map(|entry| (*entry.skills).clone()).unwrap_or_default();
        of_campaign.into_iter().chain(record.lead.facts.skills.iter().cloned()).collect()
    }
}

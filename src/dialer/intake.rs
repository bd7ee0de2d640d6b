//! Handovers and suppressions.

use std::collections::HashMap;

use crate::domain::{CampaignId, LeadId, QueueKey, RepId};
use crate::store::{
    self, Assign, HandOver, HandedOver, Handover, Owner, RequestKey, SuppressionOf,
};

use super::{Dialer, DialerError, FieldProblem, NewLead};

/// First-touch deadlines that were reckoned already: an import names few instants.
type Deadlines = HashMap<(QueueKey, i64), i64>;

/// The field that names a lead's owner.
pub const OWNER_FIELD: &str = "owner_rep_id";

/// What is wrong with a row that cannot be taken in.
fn row_problem(error: DialerError) -> FieldProblem {
    match error {
        DialerError::Invalid(mut problems) if problems.len() == 1 => problems.remove(0),
        error => FieldProblem::new("campaign_id", error.to_string()),
    }
}

impl Dialer {
    /// Takes one handover in. Sending it again updates and adds nothing. One whose lead was erased is
    /// turned away: [`DialerError::Erased`].
    pub async fn hand_over(
        &self,
        lead: NewLead,
        actor: &str,
        request: Option<RequestKey>,
    ) -> Result<HandedOver, DialerError> {
        let now = self.now();
        let row = self.handover_of(lead, now, &mut Deadlines::new())?;
        let change = HandOver { rows: vec![row], actor: actor.to_owned(), now, request };
        let dialer = self.clone();
        let answers = Self::apart(async move { dialer.parts.store.hand_over(change).await });
        match answers.await?.pop().expect("one answer a row") {
            HandedOver::Erased { .. } => Err(DialerError::Erased),
            answer => Ok(answer),
        }
    }

    /// Takes many handovers in, in one transaction, and answers each: what cannot be taken in is
    /// refused alone.
    pub async fn hand_over_all(
        &self,
        leads: Vec<NewLead>,
        actor: &str,
    ) -> Result<Vec<Result<HandedOver, FieldProblem>>, DialerError> {
        let now = self.now();
        let mut deadlines = Deadlines::new();
        let mut rows = Vec::with_capacity(leads.len());
        let mut refused = Vec::with_capacity(leads.len());
        for lead in leads {
            let problem = match self.handover_of(lead, now, &mut deadlines) {
                Ok(row) => {
                    rows.push(row);
                    None
                }
                Err(error) => Some(row_problem(error)),
            };
            refused.push(problem);
        }
        let change = HandOver { rows, actor: actor.to_owned(), now, request: None };
        let dialer = self.clone();
        let answers = Self::apart(async move { dialer.parts.store.hand_over(change).await });
        let mut answers = answers.await?.into_iter();
        let mut answer = || answers.next().expect("one answer a row");
        Ok(refused.into_iter().map(|problem| problem.map_or_else(|| Ok(answer()), Err)).collect())
    }

    /// Says what [`Dialer::hand_over_all`] would refuse, and changes nothing.
    pub fn check_handovers(&self, leads: &[NewLead]) -> Vec<Result<(), FieldProblem>> {
        let check = |lead: &NewLead| {
            let campaign = self.roster().campaign(&lead.key.campaign).map_err(row_problem)?;
            let owner = self.owner_by_id(lead.owner.as_ref(), campaign.campaign.queue);
            owner.map(drop).map_err(row_problem)
        };
        leads.iter().map(check).collect()
    }

    /// The country whose numbers a campaign's leads have unless they say otherwise.
    pub fn default_country(&self, campaign: &CampaignId) -> Option<String> {
        self.roster().campaign(campaign).ok()?.campaign.settings.default_country.clone()
    }

    fn handover_of(
        &self,
        lead: NewLead,
        now: i64,
        deadlines: &mut Deadlines,
    ) -> Result<Handover, DialerError> {
        let campaign = self.roster().campaign(&lead.key.campaign)?.campaign;
        let handed_over_at = lead.handed_over_at.map_or(now, |at| at.min(now));
        let due_at = *deadlines
            .entry((campaign.queue, handed_over_at))
            .or_insert_with(|| self.first_touch_due_at(campaign.queue, handed_over_at));
        Ok(Handover {
            key: lead.key,
            campaign: campaign.key,
            queue: campaign.queue,
            handed_over_at,
            first_touch_due_at: Some(due_at),
            facts: lead.facts,
            owner: self.owner_by_id(lead.owner.as_ref(), campaign.queue)?,
        })
    }

    /// The rep to whom a lead of a queue is to belong. Refuses one whom nobody knows, or who works
    /// another queue: their leads would wait for nobody.
    fn owner_by_id(
        &self,
        owner: Option<&RepId>,
        queue: QueueKey,
    ) -> Result<Option<Owner>, DialerError> {
        let Some(id) = owner else { return Ok(None) };
        let refused = |problem: String| DialerError::invalid(OWNER_FIELD, problem);
        let Ok(entry) = self.roster().rep(id) else {
            return Err(refused(format!("there is no rep {:?}", id.as_str())));
        };
        if entry.rep.queue != queue {
            return Err(refused(format!("rep {:?} works another queue", id.as_str())));
        }
        Ok(Some(Owner { key: entry.rep.key, id: id.clone() }))
    }

    /// Gives a lead to a rep of its queue for good, or to nobody any more.
    pub async fn assign_lead(
        &self,
        lead: LeadId,
        owner: Option<RepId>,
        actor: &str,
        request: Option<RequestKey>,
    ) -> Result<store::Assigned, DialerError> {
        let record = self.parts.store.lead(lead).await?;
        let record = record.ok_or(DialerError::not_found("lead", lead))?;
        let owner = self.owner_by_id(owner.as_ref(), record.state.queue)?;
        let change = Assign { lead, owner, actor: actor.to_owned(), now: self.now(), request };
        let dialer = self.clone();
        Ok(Self::apart(async move { dialer.parts.store.assign(change).await }).await?)
    }

    fn first_touch_due_at(&self, queue: QueueKey, handed_over_at: i64) -> i64 {
        let rules = self.parts.follower.rulebook.in_force(queue).rules;
        let promise = rules.first_touch();
        let queue = self.roster().queue_by_key(queue);
        let queue = queue.expect("a campaign's queue is in the roster before it");
        crate::domain::first_touch_due_at(
            handed_over_at,
            promise.within_ms,
            promise.clock,
            &queue.settings.hours,
            &queue.settings.zone,
        )
    }

    /// Suppresses many numbers and e-mail addresses, and closes every open lead that carries one, in
    /// commits of bounded size with everybody else's between them.
    pub async fn suppress_all(
        &self,
        whats: Vec<SuppressionOf>,
        (source, until): (String, Option<i64>),
        actor: &str,
    ) -> Result<store::SuppressedAll, DialerError> {
        let actor = actor.to_owned();
        let change = store::SuppressAll { whats, source, until, actor, now: self.now() };
        let dialer = self.clone();
        let all = Self::apart(async move {
            let mut sum = dialer.parts.store.suppress_all(change.clone()).await?;
            while sum.is_unfinished {
                let more = dialer.parts.store.suppress_all(change.clone()).await?;
                sum.closed_count += more.closed_count;
                sum.is_unfinished = more.is_unfinished;
            }
            Ok::<_, store::StoreError>(sum)
        });
        Ok(all.await?)
    }

    /// What is suppressed, in the order of kind and value.
    pub async fn suppressions(
        &self,
        page: &store::SuppressionPage,
    ) -> Result<Vec<store::Suppression>, DialerError> {
        Ok(self.parts.store.suppressions(page).await?)
    }

    /// Erases everything personal about a lead, whatever its standing. The books keep it.
    pub async fn erase_lead(
        &self,
        lead: LeadId,
        actor: &str,
        request: Option<RequestKey>,
    ) -> Result<store::Erased, DialerError> {
        let change = store::Erase { lead, actor: actor.to_owned(), now: self.now(), request };
        let dialer = self.clone();
        Ok(Self::apart(async move { dialer.parts.store.erase(change).await }).await?)
    }

    /// Suppresses a number, an e-mail address or a person at once, in every queue: each open lead that
    /// carries one of their values is closed, and so is each that is handed over until the wish ends.
    pub async fn suppress(
        &self,
        what: SuppressionOf,
        (source, until): (String, Option<i64>),
        actor: &str,
        request: Option<RequestKey>,
    ) -> Result<store::Suppressed, DialerError> {
        let actor = actor.to_owned();
        let change = store::Suppress { what, source, until, actor, now: self.now(), request };
        let dialer = self.clone();
        Ok(Self::apart(async move { dialer.parts.store.suppress(change).await }).await?)
    }
}

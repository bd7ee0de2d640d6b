//! Pulls and releases: how a lead comes into a rep's hands and out of them again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::domain::{Lead, LeadId, Lease, Queue, QueueKey, RepId, ServeOrder, Whereabouts};
use crate::failpoint;
use crate::queue::{Ask, Candidate, Proposal, QueueError};
use crate::store::{self, Grant, Granted, LeaseOutcome, RequestKey, Turned};

use super::follower::Follower;
use super::hours::dialling;
use super::roster::RosterRep;
use super::rulebook::Versioned;
use super::seats::Look;
use super::{
    CANDIDATE_COUNT_MAX, Dialer, DialerError, Nothing, Pulled, STORY_LENGTH_MAX, Served, Why,
};

/// How often a pull asks the index again that was not sure yet, before it asks the rep to pull again.
const UNFINISHED_COUNT_MAX: usize = 1_000;
/// How often a pull goes by other rules, as they change while it asks.
const OTHER_RULES_COUNT_MAX: usize = 8;

/// From when on a pull is told of as slow.
const PULL_SLOW: Duration = Duration::from_secs(1);

/// What a pull goes by: read once, at its instant.
#[derive(Clone)]
pub(super) struct Turn {
    pub(super) rep: RosterRep,
    pub(super) queue: Arc<Queue>,
    pub(super) rules: Versioned,
    pub(super) now: i64,
    /// Who gets nothing is told what stands in line.
    pub(super) is_counted: bool,
    /// The turn among those who wait, until it is known what the index proposes.
    pub(super) look: Option<Arc<Look>>,
    /// What the rep passed and is offered all the same, as nobody else could take it.
    pub(super) allowed: Vec<LeadId>,
}

impl Dialer {
    pub(super) fn queue_of(&self, rep: &RosterRep) -> Arc<Queue> {
        self.roster()
            .queue_by_key(rep.rep.queue)
            .expect("a rep's queue is in the roster before them")
    }

    /// What a pull of this rep goes by, now.
    pub(super) fn turn_of(&self, rep: &RepId) -> Result<Turn, DialerError> {
        let entry = self.roster().rep(rep)?;
        self.check_active(&entry)?;
        let queue = self.queue_of(&entry);
        let now = self.now();
        if queue.settings.own.is_strict_about_hours && !entry.rep.work.is_at_work(now) {
            let (rep, back_at) = (entry.rep.id.to_string(), entry.rep.work.back_at(now));
            return Err(DialerError::RepOffDuty { rep, back_at });
        }
        let rules = self.parts.follower.rulebook.in_force(queue.key);
        Ok(Turn {
            rep: entry,
            queue,
            rules,
            now,
            is_counted: true,
            look: None,
            allowed: Vec::new(),
        })
    }

    pub(super) async fn pull_once(
        &self,
        rep: &RepId,
        request: Option<&RequestKey>,
        is_counted: bool,
        look: Option<Look>,
    ) -> Result<Pulled, DialerError> {
        let watch = Stopwatch::start();
        let pulled = self.pull_untimed(rep, request, is_counted, look).await;
        let took = watch.elapsed();
        self.parts.metrics.pull.observe(took);
        if took >= PULL_SLOW {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(took_ms, "a pull took {took_ms} ms");
        }
        pulled
    }

    async fn pull_untimed(
        &self,
        rep: &RepId,
        request: Option<&RequestKey>,
        is_counted: bool,
        look: Option<Look>,
    ) -> Result<Pulled, DialerError> {
        let turn = Turn { is_counted, ..self.turn_of(rep)? };
        if let Some(look) = look.filter(|_| !is_counted) {
            // Who waits held nothing when they sat down; a lease that another call of theirs took since is
            // found where this one would be given.
            let turn = Turn { look: Some(Arc::new(look)), ..turn };
            return self.serve_next(turn, request).await;
        }
        let before = match request {
            Some(request) => self.parts.store.pulled_before(request).await?,
            None => None,
        };
        let lease = self.parts.store.lease_of(turn.rep.rep.key).await?;
        let held = lease.filter(|lease| lease.stands_at(turn.now));
        let is_same = |lease: &Lease| before.is_none_or(|(_, token)| lease.token == token);
        if let Some(lease) = held.filter(is_same)
            && let Some(served) = self.serve_again(&turn, lease).await?
        {
            return Ok(Pulled::Served(Box::new(served)));
        }
        match before {
            Some(_) => Err(DialerError::LeaseLost),
            None => self.serve_next(turn, request).await,
        }
    }

    /// A retry or a double click gets the same lead, unless it has become forbidden meanwhile: then
    /// its lease ends, and there is no answer yet.
    pub(super) async fn serve_again(
        &self,
        turn: &Turn,
        lease: Lease,
    ) -> Result<Option<Served>, DialerError> {
        let record = self.parts.store.lead(lease.lead).await?;
        let record = record.ok_or(DialerError::not_found("lead", lease.lead))?;
        let facts = &record.lead.facts;
        // It was offered in time, so it may be dialled up to the law's own end.
        let is_open = Whereabouts::of(facts)
            .is_some_and(|found| dialling(&turn.queue).is_open(&found.place, turn.now));
        let has_number = lease.offered(facts).callable_numbers().next().is_some();
        if lease.queue == turn.queue.key && is_open && has_number {
            return self.served(turn, Granted { lease, record }, true).await.map(Some);
        }
        let change = store::Release {
            lead: lease.lead,
            rep: lease.rep,
            actor: turn.rep.rep.id.to_string(),
            token: lease.token,
            cause: store::ReleaseCause::Forbidden,
            now: turn.now,
            request: None,
        };
        match self.end_lease(change).await {
            Ok(()) | Err(DialerError::LeaseLost) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What this rep asks the index for.
    pub(super) async fn ask(&self, turn: &Turn) -> Result<Ask, DialerError> {
        let names = self.queue_index().hours(turn.queue.key).await?;
        Ok(Ask {
            queue: turn.queue.key,
            rep: turn.rep.rep.key,
            skills: turn.rep.skills.clone(),
            hours: self.parts.hours.open(&turn.queue, names, turn.now),
            reserve_after: turn.rules.rules.first_touch().reserve_after,
            passed: self.passed(turn),
            // What is in flight with one pull is hidden from all others: to take more than one would
            // serve somebody else the second best.
            count: 1,
            now: turn.now,
        })
    }

    /// What this rep is not to be offered.
    fn passed(&self, turn: &Turn) -> Vec<LeadId> {
        let mut passed = self.parts.follower.passes.by(turn.rep.rep.key, turn.now);
        passed.retain(|lead| !turn.allowed.contains(lead));
        passed
    }

    /// Asks the index by the rules that it is ranked by. If those are not the turn's, another node has
    /// put them in force, or a swap has just come between: the turn is made again, by what it then
    /// knows, so that nothing of the old rules goes into the choice.
    pub(super) async fn propose(
        &self,
        mut turn: Turn,
    ) -> Result<(Turn, Ask, Proposal), DialerError> {
        for _ in 0..OTHER_RULES_COUNT_MAX {
            let ask = self.ask(&turn).await?;
            let proposal = self.propose_by(&ask).await?;
            let is_of_turn = proposal.basis.rule_version == turn.rules.version
                && proposal.basis.lane_version <= self.roster().lane_version(ask.queue);
            if is_of_turn && self.knew_all_hours(&turn, &ask).await? {
                return Ok((turn, ask, proposal));
            }
            self.put_back(ask.queue, &proposal.leads()).await;
            let rules = self.parts.follower.learn(ask.queue, proposal.basis).await?;
            let newer = self.turn_of(&turn.rep.rep.id)?;
            turn = Turn { rep: newer.rep, queue: newer.queue, now: newer.now, rules, ..turn };
        }
        Err(QueueError::NotBuilt(turn.queue.key).into())
    }

    /// Whether the index has no hours that the turn did not know of: another node may have put a lead
    /// in line whose zone is new.
    async fn knew_all_hours(&self, turn: &Turn, ask: &Ask) -> Result<bool, DialerError> {
        if self.parts.duties.is_alone() {
            return Ok(true);
        }
        let names = self.queue_index().hours(turn.queue.key).await?;
        let known = self.parts.hours.open(&turn.queue, names, turn.now);
        Ok(known.number == ask.hours.number)
    }

    /// Asks the index until it is sure: so many leads may have fallen due at once that one bounded
    /// slice is not enough.
    #[tracing::instrument(level = "debug", name = "selection", skip_all)]
    async fn propose_by(&self, ask: &Ask) -> Result<Proposal, DialerError> {
        let watch = Stopwatch::start();
        let proposal = self.propose_untimed(ask).await;
        self.parts.metrics.selection.observe(watch.elapsed());
        proposal
    }

    async fn propose_untimed(&self, ask: &Ask) -> Result<Proposal, DialerError> {
        let mut proposal = self.queue_index().propose(ask).await?;
        for _ in 0..UNFINISHED_COUNT_MAX {
            if !proposal.is_unfinished || !proposal.candidates.is_empty() {
                break;
            }
            tokio::task::yield_now().await;
            proposal = self.queue_index().propose(ask).await?;
        }
        Ok(proposal)
    }

    /// Puts back what was proposed and not leased. An index that does not hear it does so by itself
    /// when the flight's deadline has passed.
    pub(super) async fn put_back(&self, queue: QueueKey, leads: &[LeadId]) {
        if let Err(error) = self.queue_index().put_back(queue, leads).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "could not put leads back");
        }
    }

    /// The grant that leases a candidate to this rep.
    pub(super) fn grant(
        &self,
        turn: &Turn,
        ask: &Ask,
        candidates: &[Candidate],
        request: Option<&RequestKey>,
    ) -> Grant {
        let settings = &turn.queue.settings;
        let candidates = candidates.iter().map(|candidate| store::Candidate {
            lead: candidate.lead,
            order: candidate.order,
            points: candidate.head_start_ms / turn.rules.rules.point_is_ms().max(1),
            detail: BTreeMap::from([
                ("virtual_since".to_owned(), candidate.rank.virtual_since.to_string()),
                ("head_start_ms".to_owned(), candidate.head_start_ms.to_string()),
            ]),
        });
        Grant {
            rep: turn.rep.rep.key,
            actor: turn.rep.rep.id.to_string(),
            candidates: candidates.collect(),
            fit: Some(self.fit(&turn.queue, ask)),
            caps: self.caps(&turn.queue),
            holds_back: Self::holds_back(turn),
            token: (self.parts.tokens)(),
            lease_ms: settings.lease_ms,
            lease_total_ms: settings.lease_total_ms,
            grace_ms: settings.grace_ms,
            rule_version: turn.rules.version,
            now: turn.now,
            request: request.cloned(),
        }
    }

    /// Proposes and leases until one holds, or nothing is left, or the limit is reached.
    pub(super) async fn serve_next(
        &self,
        turn: Turn,
        request: Option<&RequestKey>,
    ) -> Result<Pulled, DialerError> {
        if let Some(owing) = self.owing(&turn).await? {
            return Ok(owing);
        }
        let queue = turn.queue.key;
        let mut set_aside = Vec::new();
        let answer = self.serve_from(turn, request, &mut set_aside).await;
        failpoint::reach("pull.before-put-back");
        self.put_back(queue, &set_aside).await;
        answer
    }

    async fn serve_from(
        &self,
        mut turn: Turn,
        request: Option<&RequestKey>,
        set_aside: &mut Vec<LeadId>,
    ) -> Result<Pulled, DialerError> {
        let (mut turned_count, mut capped_count) = (0, 0);
        loop {
            let (by, ask, proposal) = self.propose(turn).await?;
            turn = by;
            turn.look = None;
            let Some(candidate) = proposal.candidates.first().copied() else {
                if !proposal.is_unfinished && !ask.passed.is_empty() && turn.allowed.is_empty() {
                    turn.allowed = self.only_theirs(&turn, &ask.passed).await?;
                    if !turn.allowed.is_empty() {
                        continue;
                    }
                }
                let should_retry = proposal.is_unfinished;
                let counts = (turned_count, capped_count);
                return self.nothing(&turn, &ask, should_retry, counts).await;
            };
            set_aside.extend(proposal.leads());
            let grant = self.grant(&turn, &ask, &proposal.candidates, request);
            failpoint::reach("pull.before-lease");
            let outcome = self.parts.store.lease(grant).await?;
            failpoint::reach("pull.after-lease");
            match outcome {
                LeaseOutcome::Granted { granted, turned } => {
                    self.settle_turned(&proposal, ask.queue, &turned).await?;
                    self.note_served(&turn, candidate.order, &granted).await;
                    let served = self.served(&turn, *granted, false).await?;
                    return Ok(Pulled::Served(Box::new(served)));
                }
                // Another call of this rep was faster.
                LeaseOutcome::Holds(granted) => {
                    match self.serve_again(&turn, granted.lease).await? {
                        Some(served) => return Ok(Pulled::Served(Box::new(served))),
                        None => turned_count += 1,
                    }
                }
                // Another call of this rep recorded a touch meanwhile.
                LeaseOutcome::Owes => match self.owing(&turn).await? {
                    Some(owing) => return Ok(owing),
                    None => turned_count += 1,
                },
                LeaseOutcome::NoneHeld { turned } => {
                    turned_count += turned.len().max(1);
                    let is_capped = |why: &Turned| matches!(why, Turned::Capped { .. });
                    capped_count += turned.iter().filter(|(_, why)| is_capped(why)).count();
                    self.settle_turned(&proposal, ask.queue, &turned).await?;
                }
            }
            if turned_count >= CANDIDATE_COUNT_MAX {
                return self.nothing(&turn, &ask, true, (turned_count, capped_count)).await;
            }
        }
    }

    /// Puts the index right about candidates that the store turned down: it was told something old.
    pub(super) async fn settle_turned(
        &self,
        proposal: &Proposal,
        queue: QueueKey,
        turned: &[(LeadId, Turned)],
    ) -> Result<(), DialerError> {
        self.parts.metrics.turned.inc_by(turned.len() as u64);
        let mut stale = Vec::new();
        for (lead, why) in turned {
            // A number in somebody's hands is no fault of the index; a close just passed the follower.
            let is_stale = match why {
                Turned::Unknown
                | Turned::Leased
                | Turned::NotDue
                | Turned::Closed
                | Turned::NoNumber
                | Turned::Paused(_)
                | Turned::Unfit => true,
                Turned::NumberHeld
                | Turned::Suppressed
                | Turned::CampaignEnded
                | Turned::Capped { .. } => false,
            };
            if is_stale {
                tracing::debug!(lead.id = %lead, "the index was behind on lead {lead}");
                let proposed = proposal.candidates.iter().find(|one| one.lead == *lead);
                stale.push((*lead, proposed.map_or(0, |one| one.version)));
            }
        }
        if stale.is_empty() {
            return Ok(());
        }
        if turned.iter().any(|(_, why)| self.is_news(why)) {
            // Another node has paused the campaign: known here, its leads leave their lane.
            self.parts.follower.reload_roster().await?;
        }
        Ok(self.parts.follower.settle(queue, &stale).await?)
    }

    /// Whether a campaign is paused of which this node does not know so. Until a queue is ranked again, a
    /// pull comes by many leads of one whose pause is known.
    fn is_news(&self, why: &Turned) -> bool {
        let Turned::Paused(campaign) = why else { return false };
        let known = self.roster().campaign_by_key(*campaign);
        known.is_none_or(|known| !known.campaign.is_paused)
    }

    /// Tells the index that a candidate was served, by the order that chose it. The lease stands
    /// whether or not it hears so: a debt that it misses only serves sooner.
    pub(super) async fn note_served(&self, turn: &Turn, order: ServeOrder, granted: &Granted) {
        let reserve_after = turn.rules.rules.first_touch().reserve_after;
        let (queue, rep, lead) = (turn.queue.key, turn.rep.rep.key, granted.lease.lead);
        tracing::debug!(lead.id = %lead, rep.key = rep.0, "leased lead {lead}");
        self.parts.follower.seats.served(rep);
        let served = self.queue_index().served(queue, rep, lead, order, reserve_after).await;
        if let Err(error) = served {
            tracing::debug!(error = &error as &dyn std::error::Error, "the index missed a serve");
        }
    }

    /// The lead as the rep sees it.
    pub(super) async fn served(
        &self,
        turn: &Turn,
        granted: Granted,
        was_held: bool,
    ) -> Result<Served, DialerError> {
        let watch = Stopwatch::start();
        let Granted { lease, mut record } = granted;
        self.parts.follower.know(std::slice::from_ref(&record)).await?;
        let campaign = self.roster().campaign_by_key(record.state.campaign);
        let campaign = campaign.expect("a lead's campaign is in the roster before the lead");
        let campaign = campaign.campaign.id.clone();
        let story = match record.state.last_disposition {
            Some(_) => self.parts.store.touches(record.lead.id, STORY_LENGTH_MAX).await?,
            None => Vec::new(),
        };
        let engagements = self.engagements_of(&record).await?;
        let rep_id = |key| self.roster().rep_by_key(key).map(|entry| entry.rep.id.clone());
        let story_reps = story.iter().map(|one| one.touch.rep.and_then(rep_id)).collect();
        let owner = self.parts.follower.owner_of(&record);
        let subject = Follower::subject(&record, campaign.as_str(), owner.as_deref());
        let why = Why {
            order: lease.order,
            rule_version: lease.rule_version,
            explanation: turn.rules.rules.explain(&subject, turn.now),
        };
        if lease.dialable.is_some() {
            let facts = lease.offered(&record.lead.facts);
            record.lead = Arc::new(Lead { facts, ..record.lead.as_ref().clone() });
        }
        // The store may go by a clock that is a little ahead of this node's.
        let lasts_ms = lease.expires_at - lease.granted_at;
        let remaining_ms = lease.remaining_ms(turn.now).min(lasts_ms);
        self.parts.metrics.answer.observe(watch.elapsed());
        let quality = turn.queue.settings.quality.as_ref().clone();
        let owner = owner.map(|owner| owner.id.clone());
        Ok(Served {
            record,
            campaign,
            owner,
            lease,
            remaining_ms,
            story,
            story_reps,
            engagements,
            why,
            was_held,
            quality,
        })
    }

    async fn nothing(
        &self,
        turn: &Turn,
        ask: &Ask,
        should_retry: bool,
        (turned_count, capped_count): (usize, usize),
    ) -> Result<Pulled, DialerError> {
        if !turn.is_counted && !should_retry {
            return Ok(Pulled::Nothing(Nothing {
                turned_count,
                capped_count,
                ..Nothing::default()
            }));
        }
        let counts = self.queue_index().counts(ask).await?;
        let next_opening = match counts.closed {
            0 => None,
            _ => {
                let names = self.queue_index().hours(turn.queue.key).await?;
                self.parts.hours.next_opening(&turn.queue, &names, turn.now)
            }
        };
        Ok(Pulled::Nothing(Nothing {
            counts,
            next_opening,
            should_retry,
            turned_count,
            capped_count,
            owed: Vec::new(),
        }))
    }
}

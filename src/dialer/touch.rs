//! Touches: how a call went, and the next lead in the same commit.

use std::error::Error;

use crate::domain::{QueueKey, RepId, RepKey, RequestId, Touch};
use crate::queue::Proposal;
use crate::store::{self, LeaseOutcome, RequestKey, TouchRecorded};

use super::pull::Turn;
use super::roster::RosterRep;
use super::{Dialer, DialerError, NewTouch, Nothing, Pulled, Recorded};

impl Dialer {
    /// Records a touch; under a lease that holds it moves the lead as the policy says.
    ///
    /// A touch is always recorded: with a lost lease it is `late` and moves nothing, without a lease
    /// it is noted. With `then_next` the rep gets the next lead in the same commit; it never waits.
    /// Who records their own is told of no lead outside their queue but those that they once held.
    pub async fn record_touch(&self, new: NewTouch) -> Result<Recorded, DialerError> {
        let dialer = self.clone();
        Self::apart(async move {
            match new.rep.clone().filter(|_| new.is_own) {
                Some(rep) => dialer.record_own(new, rep).await,
                None => dialer.record(new, None).await,
            }
        })
        .await
    }

    async fn record_own(&self, new: NewTouch, rep: RepId) -> Result<Recorded, DialerError> {
        let rep = self.roster().rep(&rep)?;
        let (lead, has_lease) = (new.lead, new.token.is_some());
        if !rep.rep.is_active_at(self.now()) {
            let is_theirs = has_lease && self.was_held(&rep, lead).await?;
            if !is_theirs {
                self.check_active(&rep)?;
            }
        }
        // Mostly the lease holds or the lead is in their queue; the ledger is asked if neither is so.
        let again = has_lease.then(|| new.clone());
        match (self.record(new, Some(rep.rep.queue)).await, again) {
            (Err(DialerError::NotFound { what: "lead", .. }), Some(new))
                if self.was_held(&rep, lead).await? =>
            {
                self.record(new, None).await
            }
            (Err(DialerError::OtherQueue { .. }), _) => Err(DialerError::not_found("lead", lead)),
            (recorded, _) => recorded,
        }
    }

    async fn record(
        &self,
        new: NewTouch,
        only_in: Option<QueueKey>,
    ) -> Result<Recorded, DialerError> {
        let rep = new.rep.as_ref().map(|rep| self.roster().rep(rep)).transpose()?;
        let queue = self.queue_of_touch(&new, rep.as_ref()).await?;
        let in_force = self.parts.follower.rulebook.in_force(queue);
        let settings = self.roster().queue_by_key(queue);
        let turn = match (&new.rep, new.then_next) {
            // Who may not pull gets nothing, but what they did is recorded all the same.
            (Some(rep), true) => match self.turn_of(rep) {
                Err(DialerError::RepInactive(_) | DialerError::RepOffDuty { .. }) => None,
                turn => Some(turn?),
            },
            (None, true) => {
                return Err(DialerError::invalid(
                    "then_next",
                    "goes with a rep, who gets the lead",
                ));
            }
            (_, false) => None,
        };
        let nothing = new.then_next.then(|| Pulled::Nothing(Nothing::default()));
        let now = turn.as_ref().map_or_else(|| self.now(), |turn| turn.now);
        let callback_at = self.callback_at(&new, rep.as_ref(), now).await?;
        let quality = self.quality_of(queue, &new);
        let actor = new.rep.as_ref().map_or_else(|| new.caller.clone(), ToString::to_string);
        let change = store::RecordTouch {
            caller: new.caller.clone(),
            body_hash: new.body_hash,
            actor,
            is_by_system: rep.is_none(),
            only_in,
            quality,
            policy: in_force.rules.policy().clone(),
            rule_version: in_force.version,
            others: self.queues_of(in_force.rules.policy()),
            queue: settings.expect("a lead's queue is in the roster before the lead"),
            now,
            then: None,
            touch: touch_of(new, callback_at, rep.map(|rep| rep.rep.key)),
        };
        let recorded = match turn {
            None => {
                let stored = self.parts.store.record_touch(change).await;
                stored.map(|stored| recorded(stored, nothing)).map_err(DialerError::from)
            }
            Some(turn) => self.record_and_next(change, turn).await,
        };
        recorded.map_err(|error| self.name_reasons(queue, error))
    }

    /// The queue whose policy decides. A touch without a lease stays within its rep's queue.
    async fn queue_of_touch(
        &self,
        new: &NewTouch,
        rep: Option<&RosterRep>,
    ) -> Result<QueueKey, DialerError> {
        if let (Some(rep), Some(_)) = (rep, new.token) {
            return Ok(rep.rep.queue);
        }
        let record = self.parts.store.lead(new.lead).await?;
        let record = record.ok_or(DialerError::not_found("lead", new.lead))?;
        match rep {
            Some(rep) if rep.rep.queue != record.state.queue => {
                let rep = rep.rep.id.to_string();
                Err(DialerError::OtherQueue { lead: new.lead, rep })
            }
            _ => Ok(record.state.queue),
        }
    }

    /// Proposes a lead before the touch is stored, and leases it in the touch's own commit. If it
    /// does not hold, the touch stands and an ordinary pull follows.
    async fn record_and_next(
        &self,
        mut change: store::RecordTouch,
        turn: Turn,
    ) -> Result<Recorded, DialerError> {
        let follow_up = follow_up(&change);
        let (turn, proposal) = match self.propose_soon(turn.clone()).await {
            Ok((turn, ask, proposal)) => {
                if !proposal.candidates.is_empty() {
                    change.then = Some(self.grant(&turn, &ask, &proposal.candidates, None));
                }
                (turn, proposal)
            }
            // The touch is stored, whether or not the index answers.
            Err(error) => {
                tracing::debug!(error = &error as &dyn Error, "no lead is proposed with a touch");
                (turn, Proposal::default())
            }
        };
        let stored = self.parts.store.record_touch(change).await;
        let next = match &stored {
            Ok(stored) => self.next_of(&turn, &proposal, stored).await,
            Err(_) => Ok(None),
        };
        // What was leased is no longer in flight; what was not goes back, whatever happened.
        self.put_back(turn.queue.key, &proposal.leads()).await;
        let mut stored = stored?;
        let next = match self.or_pull(next, &turn, &stored, &follow_up).await {
            Ok(next) => next,
            Err(DialerError::LeaseLost) => {
                stored.is_next_lost = true;
                None
            }
            // The touch is stored, so the call must not fail: the rep pulls again.
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "no next lead after a touch");
                let nothing = Nothing { should_retry: true, ..Nothing::default() };
                Some(Pulled::Nothing(nothing))
            }
        };
        if let Some(pulled) = &next {
            self.parts.metrics.pulled(pulled);
        }
        Ok(recorded(stored, next))
    }

    /// Pulls in a commit of its own if the touch's commit leased nothing.
    async fn or_pull(
        &self,
        next: Result<Option<Pulled>, DialerError>,
        turn: &Turn,
        stored: &TouchRecorded,
        follow_up: &RequestKey,
    ) -> Result<Option<Pulled>, DialerError> {
        if let Some(next) = next? {
            return Ok(Some(next));
        }
        // A replay whose next lead has become forbidden has lost it.
        if stored.is_next_lost || stored.is_replay && stored.next.is_some() {
            return Err(DialerError::LeaseLost);
        }
        let turn = self.turn_of(&turn.rep.rep.id)?;
        self.serve_next(turn, Some(follow_up)).await.map(Some)
    }

    async fn next_of(
        &self,
        turn: &Turn,
        proposal: &Proposal,
        stored: &TouchRecorded,
    ) -> Result<Option<Pulled>, DialerError> {
        let served = match &stored.next {
            Some(LeaseOutcome::Granted { granted, turned }) => {
                debug_assert_eq!(turn.rep.rep.key, granted.lease.rep, "it goes to who asked");
                self.settle_turned(proposal, turn.queue.key, turned).await?;
                self.note_served(turn, granted.lease.order, granted).await;
                Some(self.served(turn, granted.as_ref().clone(), false).await?)
            }
            Some(LeaseOutcome::Holds(granted)) => {
                self.serve_again(turn, granted.lease.clone()).await?
            }
            Some(LeaseOutcome::NoneHeld { turned }) => {
                self.settle_turned(proposal, turn.queue.key, turned).await?;
                None
            }
            Some(LeaseOutcome::Owes) | None => None,
        };
        Ok(served.map(|served| Pulled::Served(Box::new(served))))
    }
}

/// Names the pull that follows a touch in a commit of its own, so that the touch sent again takes no
/// second lead. No client's request has a caller with a line break.
fn follow_up(change: &store::RecordTouch) -> RequestKey {
    RequestKey {
        caller: format!("{}\nthen_next", change.caller),
        id: RequestId::new(change.touch.id.as_str()).expect("a touch's id is an id like any other"),
        body_hash: change.body_hash,
    }
}

fn touch_of(new: NewTouch, callback_at: Option<i64>, rep: Option<RepKey>) -> Touch {
    Touch {
        id: new.id,
        lead: new.lead,
        rep,
        lease: new.token,
        channel: new.channel,
        direction: new.direction,
        number: new.number,
        started_at: new.started_at,
        ended_at: new.ended_at,
        disposition: new.disposition,
        callback_at,
        notes: new.notes,
    }
}

fn recorded(stored: TouchRecorded, next: Option<Pulled>) -> Recorded {
    Recorded {
        late: stored.late,
        is_replay: stored.is_replay,
        state: stored.record.state,
        suppressed_count: stored.suppressed_count,
        next,
        is_next_lost: stored.is_next_lost,
        is_quality_owed: stored.is_quality_owed,
    }
}

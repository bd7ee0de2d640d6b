//! Why a lead is not served, and when it next can be: what a pull would look at, asked at one instant after
//! the other. The store's part is the pull's own list of checks; hours and keeper come from where the pull
//! has them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{Place, Queue, Rep, RepId, Verdict};
use crate::store::{Hindrance, LeadRecord, OwedBy, Sight};

use super::hours::offering;
use super::obstacle::{KeptFor, Obstacle, RepObstacle};
use super::roster::RosterRep;
use super::{Dialer, DialerError};

/// Over how many changes it is looked ahead: a rep's hours and a lead's that never meet change about four
/// times a day, and nothing is looked for beyond some months.
const CHANGE_COUNT_MAX: usize = 400;

/// One lead, and who could take it.
pub(super) struct Inquiry<'a> {
    pub(super) dialer: &'a Dialer,
    pub(super) sight: &'a Sight,
    pub(super) record: &'a LeadRecord,
    pub(super) queue: &'a Queue,
    /// Where it may be.
    pub(super) place: Option<&'a Place>,
    pub(super) needed: BTreeSet<String>,
    /// The queue's reps, or the one who was asked about.
    pub(super) reps: Vec<RosterRep>,
    /// Who was asked about.
    pub(super) asked: Option<Asked>,
}

/// What is known of the rep who was asked about.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) rep: RosterRep,
    /// Until when they are not offered the lead, and whether they are all the same in the end.
    passed: Option<(i64, bool)>,
    /// What they hold beside it, and until when.
    holds: Option<(crate::domain::LeadId, i64)>,
    owes: bool,
}

/// Whether something may go on at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// Not before this instant.
    Until(i64),
    /// Time alone does not open it.
    Shut,
}

impl Gate {
    fn until(at: Option<i64>) -> Self {
        at.map_or(Self::Shut, Self::Until)
    }

    /// Both have to be open.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Shut, _) | (_, Self::Shut) => Self::Shut,
            (Self::Until(one), Self::Until(other)) => Self::Until(one.max(other)),
            (Self::Until(at), Self::Open) | (Self::Open, Self::Until(at)) => Self::Until(at),
            (Self::Open, Self::Open) => Self::Open,
        }
    }

    /// One of them is enough.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Open, _) | (_, Self::Open) => Self::Open,
            (Self::Until(one), Self::Until(other)) => Self::Until(one.min(other)),
            (Self::Until(at), Self::Shut) | (Self::Shut, Self::Until(at)) => Self::Until(at),
            (Self::Shut, Self::Shut) => Self::Shut,
        }
    }
}

impl Dialer {
    /// What is to be known of a rep who is asked about.
    pub(super) async fn asked_about(
        &self,
        rep: &RepId,
        record: &LeadRecord,
        now: i64,
    ) -> Result<Asked, DialerError> {
        let rep = self.roster().rep(rep)?;
        let key = rep.rep.key;
        let passed = match self.parts.follower.passes.until(key, record.lead.id, now) {
            Some(until) => {
                let is_last = self.is_only_theirs(&rep, record.state.queue, now);
                Some((until, is_last(record)))
            }
            None => None,
        };
        let lease = self.parts.store.lease_of(key).await?;
        let other = lease.filter(|lease| lease.stands_at(now) && lease.lead != record.lead.id);
        let owes = self.roster().queue_by_key(rep.rep.queue).is_some_and(|one| one.holds_back())
            && !self.parts.store.owed(OwedBy::Rep(key), 1).await?.is_empty();
        let holds = other.map(|lease| (lease.lead, lease.expires_at));
        Ok(Asked { rep, passed, holds, owes })
    }
}

impl Inquiry<'_> {
    /// The first instant from `from` on at which the lead can be served if nobody does anything until then.
    pub(super) fn next_servable_at(&self, from: i64) -> Option<i64> {
        let mut at = from;
        for _ in 0..CHANGE_COUNT_MAX {
            match self.gate(at) {
                Gate::Open => return Some(at),
                Gate::Until(next) if next > at => at = next,
                Gate::Until(_) | Gate::Shut => return None,
            }
        }
        None
    }

    fn gate(&self, at: i64) -> Gate {
        let hindrances = self.sight.hindrances_at(at);
        let gate = hindrances.iter().fold(Gate::Open, |gate, one| gate.and(of_hindrance(one)));
        if gate == Gate::Shut {
            return Gate::Shut;
        }
        let gate = gate.and(self.hours_gate(at)).and(self.takers_gate(at));
        // Whoever pulls one that is suppressed closes it: it comes back only if nobody could.
        match gate {
            Gate::Open if hindrances.contains(&Hindrance::Suppressed) => Gate::Shut,
            gate => gate,
        }
    }

    fn hours_gate(&self, at: i64) -> Gate {
        match self.place.map(|place| offering(self.queue).verdict(place, at)) {
            Some(Verdict::Allowed { .. }) => Gate::Open,
            Some(Verdict::NotUntil { at, .. }) => Gate::Until(at),
            None | Some(Verdict::Never { .. }) => Gate::Shut,
        }
    }

    /// Whether any rep could take it.
    fn takers_gate(&self, at: i64) -> Gate {
        let keeper = self.dialer.parts.follower.keeper_of(&self.record.state, at);
        let keeper = keeper.filter(|keeper| keeper.holds_at(at));
        let able = self.reps.iter().filter(|one| self.is_able(one, at));
        let mine = able.filter(|one| keeper.is_none_or(|keeper| keeper.rep == one.rep.key));
        let gate = mine.fold(Gate::Shut, |gate, one| gate.or(self.duty_gate(&one.rep, at)));
        let freed = keeper.and_then(|keeper| keeper.until);
        gate.or(Gate::until(freed)).and(self.asked_gate(at))
    }

    /// Whether a rep may ever take it as they are.
    fn is_able(&self, one: &RosterRep, at: i64) -> bool {
        one.rep.queue == self.queue.key
            && one.rep.is_active_at(at)
            && self.needed.is_subset(&one.skills)
    }

    fn duty_gate(&self, rep: &Rep, at: i64) -> Gate {
        if !self.queue.settings.own.is_strict_about_hours || rep.work.is_at_work(at) {
            return Gate::Open;
        }
        Gate::until(rep.work.back_at(at))
    }

    fn asked_gate(&self, at: i64) -> Gate {
        let Some(asked) = &self.asked else { return Gate::Open };
        let passed = asked.passed.filter(|(until, is_last)| at < *until && !is_last);
        let passed = passed.map_or(Gate::Open, |(until, _)| Gate::Until(until));
        let held = asked.holds.filter(|(_, until)| at < *until);
        let held = held.map_or(Gate::Open, |(_, until)| Gate::Until(until));
        let owes = if asked.owes { Gate::Shut } else { Gate::Open };
        passed.and(held).and(owes)
    }

    /// Everything that keeps it from being served at an instant, in the order of [`Obstacle`].
    pub(super) fn obstacles(&self, now: i64) -> Vec<Obstacle> {
        let hindrances = self.sight.hindrances_at(now);
        let found = hindrances.into_iter().map(|one| self.obstacle(one, now));
        let mut found: Vec<Obstacle> = found.collect();
        if found.contains(&Obstacle::Erased) {
            return found;
        }
        if found.iter().any(|one| matches!(one, Obstacle::Closed { until: None, .. })) {
            let tells = |one: &Obstacle| {
                matches!(one, Obstacle::Closed { .. } | Obstacle::Suppressed { .. })
            };
            found.retain(tells);
            return found;
        }
        // The caps come last of what the store knows, and after the hours here.
        let capped = found.pop_if(|one| matches!(one, Obstacle::Capped(_)));
        if !found.contains(&Obstacle::NoNumber) {
            found.extend(self.hours_obstacle(now));
        }
        found.extend(capped);
        found.extend(self.kept_for(now).map(Obstacle::Kept));
        found.extend(self.skill_obstacle(now));
        found.extend(self.rep_obstacles(now).into_iter().map(Obstacle::Rep));
        found
    }

    fn obstacle(&self, hindrance: Hindrance, now: i64) -> Obstacle {
        let rep_id = |key| self.dialer.roster().rep_by_key(key).map(|entry| entry.rep.id.clone());
        match hindrance {
            Hindrance::Erased => Obstacle::Erased,
            Hindrance::Closed { why, route, until } => Obstacle::Closed { why, route, until },
            Hindrance::Leased { rep, until } => Obstacle::Leased { rep: rep_id(rep), until },
            Hindrance::Waiting { why, until } => {
                let promised = self.record.state.callback.and_then(|callback| callback.to);
                Obstacle::Waiting { why, rep: promised.and_then(rep_id), until }
            }
            Hindrance::Suppressed => {
                let what = self.sight.suppressions_at(now).cloned().collect();
                Obstacle::Suppressed { what }
            }
            Hindrance::CampaignEnded => Obstacle::CampaignEnded,
            Hindrance::Paused => Obstacle::Paused,
            Hindrance::NoNumber => Obstacle::NoNumber,
            Hindrance::NumberHeld { by, until } => Obstacle::NumberInUse { by, until },
            Hindrance::Capped(full) => Obstacle::Capped(full),
        }
    }

    fn hours_obstacle(&self, now: i64) -> Option<Obstacle> {
        match self.place.map(|place| offering(self.queue).verdict(place, now)) {
            None => Some(Obstacle::UnknownZone),
            Some(Verdict::Allowed { .. }) => None,
            Some(Verdict::NotUntil { at, bar }) => {
                Some(Obstacle::OutsideHours { until: Some(at), bar })
            }
            Some(Verdict::Never { bar }) => Some(Obstacle::OutsideHours { until: None, bar }),
        }
    }

    fn kept_for(&self, now: i64) -> Option<KeptFor> {
        self.dialer.kept_for(self.record, &self.needed, now)
    }

    fn skill_obstacle(&self, now: i64) -> Option<Obstacle> {
        let reps = self.dialer.roster().reps();
        let active =
            reps.iter().filter(|one| one.rep.queue == self.queue.key && one.rep.is_active_at(now));
        let has: Vec<&Arc<BTreeSet<String>>> = active.map(|one| &one.skills).collect();
        no_rep(&self.needed, &has)
    }

    fn rep_obstacles(&self, now: i64) -> Vec<RepObstacle> {
        let Some(asked) = &self.asked else { return Vec::new() };
        let (rep, mut found) = (&asked.rep.rep, Vec::new());
        if rep.queue != self.queue.key {
            let queue = self.dialer.roster().queue_by_key(rep.queue);
            found.extend(queue.map(|queue| RepObstacle::OtherQueue(queue.id.clone())));
        }
        if !rep.is_active_at(now) {
            found.push(RepObstacle::Inactive);
        } else if self.duty_gate(rep, now) != Gate::Open {
            found.push(RepObstacle::OffDuty { until: rep.work.back_at(now) });
        }
        let missing: BTreeSet<String> =
            self.needed.difference(&asked.rep.skills).cloned().collect();
        if !missing.is_empty() {
            found.push(RepObstacle::Unskilled(missing));
        }
        if let Some((until, is_last_resort)) = asked.passed {
            found.push(RepObstacle::Passed { until, is_last_resort });
        }
        if let Some((lead, until)) = asked.holds {
            found.push(RepObstacle::HoldsOther { lead, until });
        }
        if asked.owes {
            found.push(RepObstacle::OwesFeedback);
        }
        found
    }
}

fn of_hindrance(hindrance: &Hindrance) -> Gate {
    match hindrance {
        Hindrance::Leased { until, .. } | Hindrance::Waiting { until, .. } => Gate::Until(*until),
        Hindrance::Closed { until, .. } | Hindrance::NumberHeld { until, .. } => {
            Gate::until(*until)
        }
        Hindrance::Capped(full) => Gate::Until(full.until),
        // It is looked at when nothing else keeps it.
        Hindrance::Suppressed => Gate::Open,
        Hindrance::Erased | Hindrance::CampaignEnded | Hindrance::Paused | Hindrance::NoNumber => {
            Gate::Shut
        }
    }
}

/// Says so if none of these sets of skills is enough.
pub(super) fn no_rep(
    needed: &BTreeSet<String>,
    has: &[&Arc<BTreeSet<String>>],
) -> Option<Obstacle> {
    if has.iter().any(|skills| needed.is_subset(skills)) {
        return None;
    }
    let nobody_has = |skill: &&String| !has.iter().any(|skills| skills.contains(*skill));
    let missing = needed.iter().filter(nobody_has).cloned().collect();
    Some(Obstacle::NoRepWithSkills { skills: needed.clone(), missing })
}

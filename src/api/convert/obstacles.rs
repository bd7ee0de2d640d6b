//! What keeps leads from being served, and those that nobody can take.

use crate::dialer::{KeptFor, Obstacle, QueueCensus, RepObstacle, Unroutable, UnroutableLead};
use crate::domain::{CapRule, LeadId, QueueKey, RepId};
use crate::store::{CapReached, NumberSight, SuppressionOfLead};

use super::super::proto;
use super::super::status::Problems;
use super::page::token_problem;
use super::{Page, count, masked_if_number, queues, states, time};

/// Something that keeps a lead from being served; `asked` is the rep who was asked about.
pub(super) fn obstacle(obstacle: &Obstacle, asked: Option<&RepId>) -> proto::Obstacle {
    use proto::ObstacleKind as Kind;
    let of = |kind: Kind, until: Option<i64>| proto::Obstacle {
        kind: kind.into(),
        until_time: until.map(time),
        ..Default::default()
    };
    let name = |rep: Option<&RepId>| rep.map(ToString::to_string).unwrap_or_default();
    match obstacle {
        Obstacle::Erased => of(Kind::Erased, None),
        Obstacle::Closed { why, route, until } => proto::Obstacle {
            route: proto::Route::from(*route).into(),
            close_reason: proto::CloseReason::from(*why).into(),
            ..of(Kind::Closed, *until)
        },
        Obstacle::Leased { rep, until } => {
            proto::Obstacle { rep_id: name(rep.as_ref()), ..of(Kind::Leased, Some(*until)) }
        }
        Obstacle::Waiting { why, rep, until } => proto::Obstacle {
            wait_reason: proto::WaitReason::from(*why).into(),
            rep_id: name(rep.as_ref()),
            ..of(Kind::Waiting, Some(*until))
        },
        Obstacle::Suppressed { what } => {
            let ends = what.iter().map(|one| one.until);
            let until = ends.reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other)));
            let suppressed = what.iter().map(suppressed_contact).collect();
            proto::Obstacle { suppressed, ..of(Kind::Suppressed, until.flatten()) }
        }
        Obstacle::CampaignEnded => of(Kind::CampaignEnded, None),
        Obstacle::Paused => of(Kind::Paused, None),
        Obstacle::NoNumber => of(Kind::NoNumber, None),
        Obstacle::NumberInUse { by, until } => {
            proto::Obstacle { other_lead_id: by.to_string(), ..of(Kind::NumberInUse, *until) }
        }
        Obstacle::UnknownZone => of(Kind::UnknownZone, None),
        Obstacle::OutsideHours { until, bar } => {
            proto::Obstacle { bar: Some(states::bar(bar)), ..of(Kind::OutsideHours, *until) }
        }
        Obstacle::Capped(full) => {
            proto::Obstacle { cap: Some(reached_cap(full)), ..of(Kind::Capped, Some(full.until)) }
        }
        Obstacle::Kept(kept) => proto::Obstacle {
            rep_id: kept.rep.to_string(),
            missing_skills: kept.missing.iter().cloned().collect(),
            keeper: Some(keeper(kept)),
            ..of(Kind::Kept, kept.until)
        },
        Obstacle::NoRepWithSkills { skills, missing } => proto::Obstacle {
            skills: skills.iter().cloned().collect(),
            missing_skills: missing.iter().cloned().collect(),
            ..of(Kind::NoRepWithSkills, None)
        },
        Obstacle::Rep(obstacle) => {
            proto::Obstacle { rep_id: name(asked), ..rep_obstacle(obstacle) }
        }
    }
}

fn rep_obstacle(obstacle: &RepObstacle) -> proto::Obstacle {
    use proto::ObstacleKind as Kind;
    let of = |kind: Kind, until: Option<i64>| proto::Obstacle {
        kind: kind.into(),
        until_time: until.map(time),
        ..Default::default()
    };
    match obstacle {
        RepObstacle::OtherQueue(queue) => {
            proto::Obstacle { rep_queue_id: queue.to_string(), ..of(Kind::RepOtherQueue, None) }
        }
        RepObstacle::Inactive => of(Kind::RepInactive, None),
        RepObstacle::OffDuty { until } => of(Kind::RepOffDuty, *until),
        RepObstacle::Unskilled(missing) => proto::Obstacle {
            missing_skills: missing.iter().cloned().collect(),
            ..of(Kind::RepLacksSkills, None)
        },
        RepObstacle::Passed { until, is_last_resort } => {
            proto::Obstacle { last_resort: *is_last_resort, ..of(Kind::RepPassed, Some(*until)) }
        }
        RepObstacle::HoldsOther { lead, until } => proto::Obstacle {
            other_lead_id: lead.to_string(),
            ..of(Kind::RepHoldsLead, Some(*until))
        },
        RepObstacle::OwesFeedback => of(Kind::RepOwesFeedback, None),
    }
}

/// Numbers are counted from 1 at the door.
fn position(place: usize) -> i32 {
    i32::try_from(place + 1).unwrap_or(i32::MAX)
}

fn suppressed_contact(one: &SuppressionOfLead) -> proto::SuppressedContact {
    proto::SuppressedContact {
        number_position: one.number.map_or(0, position),
        source: one.source.clone(),
        suppressed_time: Some(time(one.at)),
        until_time: one.until.map(time),
    }
}

fn reached_cap(full: &CapReached) -> proto::ReachedCap {
    let (jurisdiction, citation) = match &full.by.rule {
        CapRule::Queue => Default::default(),
        CapRule::Law { jurisdiction, citation } => (jurisdiction.clone(), citation.clone()),
    };
    proto::ReachedCap {
        cap: Some(queues::cap(&full.by.cap)),
        dial_count: count(full.dial_count),
        jurisdiction,
        citation,
        until_time: Some(time(full.until)),
    }
}

fn keeper(kept: &KeptFor) -> proto::KeeperState {
    proto::KeeperState {
        promised: kept.is_promised,
        at_work: kept.is_at_work,
        back_time: kept.back_at.map(time),
        end_time: kept.ends_at.map(time),
    }
}

/// What is known of each number of a lead.
pub(super) fn numbers(numbers: &[NumberSight]) -> Vec<proto::NumberVerdict> {
    let verdict = |(place, one): (usize, &NumberSight)| proto::NumberVerdict {
        position: position(place),
        callable: one.is_callable(),
        stopped_by: one.stopped.map_or(0, |one| proto::Disposition::from(one).into()),
        suppressed: one.is_suppressed,
        in_use_by_lead_id: one.held_by.map(|lead| lead.to_string()).unwrap_or_default(),
        cap: one.capped.as_ref().map(reached_cap),
    };
    numbers.iter().enumerate().map(verdict).collect()
}

fn reason(why: Unroutable) -> proto::UnroutableReason {
    match why {
        Unroutable::NoHours => proto::UnroutableReason::NoHours,
        Unroutable::NeverOpen => proto::UnroutableReason::NeverOpen,
        Unroutable::NoRep => proto::UnroutableReason::NoRep,
        Unroutable::Kept => proto::UnroutableReason::Kept,
    }
}

/// What the ready leads of a queue are.
pub(super) fn in_line(census: &QueueCensus) -> proto::QueueInLine {
    let counts = Unroutable::ALL.into_iter().zip(census.unroutable);
    let counts = counts.filter(|(_, count)| *count > 0);
    proto::QueueInLine {
        queue_id: census.queue.to_string(),
        servable_count: count(census.servable),
        unroutable: counts
            .map(|(why, lead_count)| proto::UnroutableCount {
                reason: reason(why).into(),
                lead_count: count(lead_count),
            })
            .collect(),
        paused_count: count(census.paused),
    }
}

/// A lead that nobody can take. Marketing may not see phone numbers, which some systems use as ids, and has
/// nothing to do with reps.
pub(in crate::api) fn unroutable(lead: &UnroutableLead, is_masked: bool) -> proto::UnroutableLead {
    let facts = &lead.record.lead;
    let external_id = match is_masked {
        true => masked_if_number(&facts.external_id),
        false => facts.external_id.clone(),
    };
    let mut obstacles: Vec<_> = lead.obstacles.iter().map(|one| obstacle(one, None)).collect();
    if is_masked {
        for one in &mut obstacles {
            (one.rep_id, one.keeper) = (String::new(), None);
        }
    }
    proto::UnroutableLead {
        lead_id: facts.id.to_string(),
        handover_key: Some(proto::HandoverKey {
            source_system: facts.source_system.clone(),
            external_id,
            campaign_id: lead.campaign.to_string(),
        }),
        queue_id: lead.queue.to_string(),
        state: Some(states::state(&lead.record.state)),
        reason: reason(lead.reason).into(),
        obstacles,
    }
}

/// The token of the page that begins after this place.
pub(in crate::api) fn unroutable_token((queue, lead): (QueueKey, LeadId)) -> String {
    format!("{}.{lead}", queue.0)
}

/// Reads such a token.
pub(in crate::api) fn unroutable_after(
    page: &Page,
) -> Result<Option<(QueueKey, LeadId)>, Problems> {
    let Some(token) = page.after.as_deref() else { return Ok(None) };
    let read = || {
        let (queue, lead) = token.split_once('.')?;
        Some((QueueKey(queue.parse().ok()?), lead.parse().ok()?))
    };
    read().ok_or_else(token_problem).map(Some)
}

//! Leads, where they stand and what happened to them, as messages.

use crate::domain::{
    Bar, BarredBy, CampaignId, Lead, LeadState, RecordedTouch, RepId, Route, Standing, Value,
};
use crate::rules::Explanation;

use super::super::proto;
use super::{codes, time};

pub(super) fn handover_key(lead: &Lead, campaign: &CampaignId) -> proto::HandoverKey {
    proto::HandoverKey {
        source_system: lead.source_system.clone(),
        external_id: lead.external_id.clone(),
        campaign_id: campaign.to_string(),
    }
}

pub(super) fn lead(lead: &Lead, campaign: &CampaignId, owner: Option<&RepId>) -> proto::Lead {
    let facts = &lead.facts;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let numbers = facts.numbers.iter().map(|entry| proto::LeadNumber {
        number: entry.number.as_str().to_owned(),
        stopped_by: disposition(entry.stopped),
    });
    let attributes = facts.attributes.iter().map(|(name, value)| (name.clone(), attribute(value)));
    proto::Lead {
        lead_id: lead.id.to_string(),
        handover_key: Some(handover_key(lead, campaign)),
        handed_over_time: Some(time(lead.handed_over_at)),
        predecessor_lead_id: lead.predecessor.map(|id| id.to_string()).unwrap_or_default(),
        name: text(&facts.name),
        company: text(&facts.company),
        email: text(&facts.email),
        numbers: numbers.collect(),
        time_zone: text(&facts.zone),
        source: facts.source.clone(),
        channel: text(&facts.channel),
        trigger: text(&facts.trigger),
        stage: text(&facts.stage),
        score: facts.score,
        country: text(&facts.country),
        region: text(&facts.region),
        language: text(&facts.language),
        skills: facts.skills.clone(),
        engagements: facts.engagements,
        attributes: attributes.collect(),
        recorded_engagements: facts.recorded_engagements,
        owner_rep_id: owner.map(ToString::to_string).unwrap_or_default(),
    }
}

pub(super) fn bar(bar: &Bar) -> proto::CallingBar {
    let (jurisdiction, citation) = match &bar.by {
        BarredBy::Law { jurisdiction, citation } => (jurisdiction.clone(), citation.clone()),
        BarredBy::QueueHours | BarredBy::UnknownZone => Default::default(),
    };
    proto::CallingBar { time_zone: bar.zone.clone(), jurisdiction, citation }
}

fn attribute(value: &Value) -> proto::AttributeValue {
    use proto::attribute_value::Value as Theirs;
    let value = match value {
        Value::Bool(value) => Theirs::BoolValue(*value),
        Value::Int(value) => Theirs::IntValue(*value),
        Value::Double(value) => Theirs::DoubleValue(*value),
        Value::Text(value) => Theirs::StringValue(value.clone()),
    };
    proto::AttributeValue { value: Some(value) }
}

fn disposition(disposition: Option<crate::domain::Disposition>) -> i32 {
    disposition.map_or(proto::Disposition::Unspecified, Into::into).into()
}

pub(in crate::api) fn state(state: &LeadState) -> proto::LeadState {
    proto::LeadState {
        standing: Some(standing(state.standing)),
        tier: proto::Tier::from(state.tier).into(),
        event_count: state.seq,
        changed_time: Some(time(state.changed_at)),
        ready_since_time: Some(time(state.ready_since)),
        attempt_count: state.attempts,
        last_disposition: disposition(state.last_disposition),
        first_touch_due_time: state.first_touch_due_at.map(time),
        first_touched_time: state.first_touched_at.map(time),
        released_count: state.times_released,
    }
}

pub(super) fn standing(standing: Standing) -> proto::Standing {
    use proto::standing::Standing as Theirs;
    let standing = match standing {
        Standing::Ready => Theirs::Ready(proto::ReadyStanding {}),
        Standing::Waiting { until, why } => Theirs::Waiting(proto::WaitingStanding {
            until_time: Some(time(until)),
            reason: proto::WaitReason::from(why).into(),
        }),
        Standing::Leased => Theirs::Leased(proto::LeasedStanding {}),
        Standing::Erased => Theirs::Erased(proto::ErasedStanding {}),
        Standing::Closed { why, route } => Theirs::Closed(proto::ClosedStanding {
            reason: proto::CloseReason::from(why).into(),
            disposition: match why {
                crate::domain::CloseReason::Disposition(how) => disposition(Some(how)),
                _ => disposition(None),
            },
            route: proto::Route::from(route).into(),
            nurture_until_time: match route {
                Route::Nurture { until } => until.map(time),
                _ => None,
            },
        }),
    };
    proto::Standing { standing: Some(standing) }
}

pub(super) fn touch(recorded: &RecordedTouch, rep: Option<&RepId>) -> proto::Touch {
    let touch = &recorded.touch;
    proto::Touch {
        touch_id: touch.id.to_string(),
        lead_id: touch.lead.to_string(),
        rep_id: rep.map(ToString::to_string).unwrap_or_default(),
        channel: proto::Channel::from(touch.channel).into(),
        direction: proto::Direction::from(touch.direction).into(),
        number: touch.number.as_ref().map(|one| one.as_str().to_owned()).unwrap_or_default(),
        start_time: Some(time(touch.started_at)),
        end_time: Some(time(touch.ended_at)),
        disposition: proto::Disposition::from(touch.disposition).into(),
        callback_time: touch.callback_at.map(time),
        notes: touch.notes.clone(),
        late: recorded.late,
        recorded_time: Some(time(recorded.recorded_at)),
    }
}

pub(super) fn explanation(explanation: Explanation) -> proto::PointExplanation {
    let lines = explanation.lines.into_iter().map(|line| proto::PointLine {
        name: line.name,
        points: line.points,
        note: codes::note(line.note),
        until_time: line.until.map(time),
    });
    proto::PointExplanation {
        points: explanation.points,
        until_time: explanation.until.map(time),
        lines: lines.collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{CloseReason, Disposition, WaitReason};

    use super::*;

    #[test]
    fn each_standing_keeps_what_it_knows() {
        use proto::standing::Standing as Theirs;
        let of = |ours| standing(ours).standing.unwrap();
        assert!(matches!(of(Standing::Ready), Theirs::Ready(_)));
        assert!(matches!(of(Standing::Leased), Theirs::Leased(_)));
        assert!(matches!(of(Standing::Erased), Theirs::Erased(_)));
        let Theirs::Waiting(waiting) =
            of(Standing::Waiting { until: 1_500, why: WaitReason::Callback })
        else {
            panic!("not waiting")
        };
        assert_eq!(waiting.until_time, Some(time(1_500)));
        assert_eq!(waiting.reason(), proto::WaitReason::Callback);
        let why = CloseReason::Disposition(Disposition::Busy);
        let route = Route::Nurture { until: Some(7) };
        let Theirs::Closed(closed) = of(Standing::Closed { why, route }) else {
            panic!("not closed")
        };
        assert_eq!(closed.disposition(), proto::Disposition::Busy);
        assert_eq!(closed.route(), proto::Route::Nurture);
        assert_eq!(closed.nurture_until_time, Some(time(7)));
    }
}

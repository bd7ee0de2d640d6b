//! A lead on the command line and on the screen: how it is named, where it stands, what it is worth.

use clap::Args;

use super::color::Tone;
use super::output::{count, facts, table, toned_facts};
use super::words::{instant_text, word};
use crate::api::proto::lead_ref::Name;
use crate::api::proto::standing::Standing as Stands;
use crate::api::proto::{
    CallingBar, CloseReason, Disposition, HandoverKey, Lead, LeadRef, LeadState, PointExplanation,
    Route, Standing, Tier, WaitReason,
};

/// Names a lead: by its id, or by the three parts of a handover's key.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct LeadArgs {
    /// The lead's id, as the node gave it
    #[arg(value_name = "LEAD", conflicts_with_all = ["source_system", "external_id", "campaign"])]
    lead: Option<String>,

    /// Name the lead by its handover instead: the system that handed it over
    #[arg(long, value_name = "S", requires_all = ["external_id", "campaign"])]
    source_system: Option<String>,

    /// That system's own id of the lead
    #[arg(long, value_name = "ID", requires_all = ["source_system", "campaign"])]
    external_id: Option<String>,

    /// The campaign of the handover
    #[arg(long, value_name = "C", requires_all = ["source_system", "external_id"])]
    campaign: Option<String>,
}

impl LeadArgs {
    pub(super) fn into_ref(self) -> LeadRef {
        let name = match self.lead {
            Some(lead_id) => Name::LeadId(lead_id),
            None => Name::HandoverKey(HandoverKey {
                source_system: self.source_system.unwrap_or_default(),
                external_id: self.external_id.unwrap_or_default(),
                campaign_id: self.campaign.unwrap_or_default(),
            }),
        };
        LeadRef { name: Some(name) }
    }
}

/// Where a lead stands, in a line.
pub(super) fn standing_text(standing: Option<&Standing>) -> String {
    match standing.and_then(|one| one.standing.as_ref()) {
        None => String::new(),
        Some(Stands::Ready(_)) => "ready".to_owned(),
        Some(Stands::Leased(_)) => "leased".to_owned(),
        Some(Stands::Erased(_)) => "erased".to_owned(),
        Some(Stands::Waiting(waiting)) => {
            let reason = word::<WaitReason>(waiting.reason);
            format!("waiting ({reason}) until {}", instant_text(waiting.until_time.as_ref()))
        }
        Some(Stands::Closed(closed)) => {
            let route = word::<Route>(closed.route);
            let why = match word::<Disposition>(closed.disposition) {
                disposition if disposition.is_empty() => word::<CloseReason>(closed.reason),
                disposition => disposition,
            };
            match closed.nurture_until_time.as_ref() {
                Some(until) => {
                    format!("closed ({why}): {route} until {}", instant_text(Some(until)))
                }
                None => format!("closed ({why}): {route}"),
            }
        }
    }
}

/// What keeps a lead from being called: `America/New_York: US-FL, Fla. Stat. 501.616(6)`.
pub(super) fn bar_text(bar: &CallingBar) -> String {
    match bar.jurisdiction.as_str() {
        "" => format!("{}: the queue's hours", bar.time_zone),
        whose => format!("{}: {whose}, {}", bar.time_zone, bar.citation),
    }
}

/// Who a lead is, a fact a line.
pub(super) fn lead_text(lead: &Lead) -> String {
    let key = lead.handover_key.as_ref();
    let key = key.map_or(String::new(), |key| match key.external_id.as_str() {
        "" => key.campaign_id.clone(),
        id => format!("{} / {id} / {}", key.source_system, key.campaign_id),
    });
    let mut text = facts([
        ("lead", lead.lead_id.clone()),
        ("name", lead.name.clone()),
        ("company", lead.company.clone()),
        ("numbers", numbers_text(lead)),
        ("email", lead.email.clone()),
        ("time zone", lead.time_zone.clone()),
        ("country", [lead.country.as_str(), lead.region.as_str()].join(" ").trim().to_owned()),
        ("language", lead.language.clone()),
        ("handover", key),
        ("handed over", instant_text(lead.handed_over_time.as_ref())),
        ("takes up", lead.predecessor_lead_id.clone()),
        ("source", lead.source.clone()),
        ("channel", lead.channel.clone()),
        ("trigger", lead.trigger.clone()),
        ("stage", lead.stage.clone()),
        ("score", lead.score.map_or(String::new(), |score| score.to_string())),
        ("skills", lead.skills.join(", ")),
    ]);
    let attributes = lead
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), attribute_text(value.value.as_ref())));
    let attributes = facts(attributes);
    if !attributes.is_empty() {
        text.push('\n');
        text.push_str(&attributes);
    }
    text
}

fn numbers_text(lead: &Lead) -> String {
    let numbers = lead.numbers.iter().map(|one| match word::<Disposition>(one.stopped_by) {
        stopped if stopped.is_empty() => one.number.clone(),
        stopped => format!("{} (stopped: {stopped})", one.number),
    });
    numbers.collect::<Vec<_>>().join(", ")
}

fn attribute_text(value: Option<&crate::api::proto::attribute_value::Value>) -> String {
    use crate::api::proto::attribute_value::Value;
    match value {
        None => String::new(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(Value::StringValue(value)) => value.clone(),
    }
}

/// Everything about a lead that moves, a fact a line.
pub(super) fn state_text(state: &LeadState) -> String {
    let facts = [
        ("standing", standing_text(state.standing.as_ref())),
        ("tier", word::<Tier>(state.tier)),
        ("ready since", instant_text(state.ready_since_time.as_ref())),
        ("attempts", state.attempt_count.to_string()),
        ("last ended", word::<Disposition>(state.last_disposition)),
        ("first due", instant_text(state.first_touch_due_time.as_ref())),
        ("first touch", instant_text(state.first_touched_time.as_ref())),
        ("given back", non_zero(state.released_count)),
    ];
    toned_facts(facts, |name, value| match name {
        "standing" => Tone::of_standing(value),
        _ => Tone::Plain,
    })
}

fn non_zero(number: i32) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

/// What a lead is worth, value by value, and the sum.
pub(super) fn points_text(rule_version: i64, explanation: Option<&PointExplanation>) -> String {
    let Some(explanation) = explanation else { return String::new() };
    let rules = match rule_version {
        0 => "no rules yet".to_owned(),
        version => format!("rule version {version}"),
    };
    if explanation.lines.is_empty() {
        return format!("{} points ({rules})\n", count(explanation.points));
    }
    let lines = explanation.lines.iter().map(|line| {
        let until = instant_text(line.until_time.as_ref());
        let note = match (line.note.as_str(), until.as_str()) {
            ("", "") => String::new(),
            ("", until) => format!("until {until}"),
            (note, "") => note.to_owned(),
            (note, until) => format!("{note}, until {until}"),
        };
        [line.name.clone(), count(line.points), note]
    });
    let sum = ["= all".to_owned(), count(explanation.points), rules];
    table(["value", "points", ""], &[1], lines.chain([sum]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::{ClosedStanding, PointLine, ReadyStanding};

    #[test]
    fn a_standing_reads_as_a_sentence() {
        let text = |stands| standing_text(Some(&Standing { standing: Some(stands) }));
        assert_eq!(text(Stands::Ready(ReadyStanding {})), "ready");
        let closed = ClosedStanding {
            reason: CloseReason::Disposition as i32,
            disposition: Disposition::NotInterested as i32,
            route: Route::Nurture as i32,
            nurture_until_time: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
        };
        assert_eq!(
            text(Stands::Closed(closed)),
            "closed (not_interested): nurture until 1970-01-01T00:00:00Z"
        );
        assert_eq!(standing_text(None), "");
    }

    #[test]
    fn points_end_with_their_sum() {
        let line = |name: &str, points| PointLine {
            name: name.to_owned(),
            points,
            ..PointLine::default()
        };
        let explanation = PointExplanation {
            points: 1450,
            lines: vec![line("asked for a demo", 1440), line("size", 10)],
            until_time: None,
        };
        let text = points_text(3, Some(&explanation));
        let last = text.lines().last().unwrap();
        assert!(last.contains("1,450") && last.contains("rule version 3"), "{text}");
        assert_eq!(text.lines().count(), 4);
    }
}

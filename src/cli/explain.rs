//! `explain` says why a lead stands where it stands, and what keeps it from being served.

use std::process::ExitCode;

use clap::Args;

use super::lead::{LeadArgs, lead_text, points_text, state_text};
use super::lead_story::engagements_text;
use super::obstacle::{cap_text, obstacle_row};
use super::output::{Output, count, facts, table};
use super::words::{instant_text, word};
use crate::api::client::Client;
use crate::api::proto::{
    Disposition, ExplainLeadRequest, ExplainLeadResponse, NumberVerdict, ObstacleKind, Whereabouts,
    ZoneEvidence,
};

/// Say why a lead is where it is, what keeps it from being served, and when it next can be
#[derive(Debug, Args)]
#[command(override_usage = "nextlead explain [OPTIONS] LEAD
       nextlead explain [OPTIONS] --source-system S --external-id ID --campaign C")]
#[command(after_help = "Examples:
  nextlead explain 17
  nextlead explain 17 --rep ann
  nextlead explain --source-system crm --external-id A-9 --campaign spring")]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    lead: LeadArgs,
    /// Say why this rep does not get it, and when they can
    #[arg(long, value_name = "REP")]
    rep: Option<String>,
}

pub(super) async fn run(
    args: ExplainArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let rep_id = args.rep.unwrap_or_default();
    let request = ExplainLeadRequest { lead: Some(args.lead.into_ref()), rep_id };
    let answer = node.queues().explain_lead(request).await?.into_inner();
    output.answer(&answer, explain_text)?;
    Ok(ExitCode::SUCCESS)
}

fn explain_text(answer: &ExplainLeadResponse) -> String {
    let mut text = answer.lead.as_ref().map_or(String::new(), lead_text);
    text.push('\n');
    text.push_str(&facts([
        ("queue", answer.queue_id.clone()),
        ("held by", answer.held_by_rep_id.clone()),
        ("may be in", answer.whereabouts.as_ref().map_or(String::new(), place_of)),
        ("law of", answer.whereabouts.as_ref().map_or(String::new(), law_of)),
    ]));
    text.push_str(&answer.state.as_ref().map_or(String::new(), state_text));
    text.push_str("\nWorth\n");
    text.push_str(&points_text(answer.rule_version, answer.explanation.as_ref()));
    text.push('\n');
    if !answer.engagements.is_empty() {
        text.push_str("What it did, the last first\n");
        text.push_str(&engagements_text(&answer.engagements));
        text.push('\n');
    }
    if answer.obstacles.is_empty() {
        text.push_str("Nothing keeps it from being served.\n");
    } else {
        text.push_str("What keeps it from being served\n");
        let rows = answer.obstacles.iter().map(obstacle_row);
        text.push_str(&table(["what", "until"], &[], rows));
    }
    if answer.numbers.iter().any(|one| !one.callable) {
        text.push_str("Its numbers\n");
        text.push_str(&table(["#", "may be dialled"], &[0], answer.numbers.iter().map(number_row)));
    }
    if answer.unroutable {
        text.push_str("NOBODY CAN TAKE IT AS THINGS STAND: it is among the unroutable.\n");
    }
    text.push_str(&facts([
        ("next servable", next_text(answer)),
        ("kept for", kept_text(answer)),
        ("in line", place_text(answer)),
        ("read at", instant_text(answer.read_time.as_ref())),
    ]));
    text
}

fn place_of(found: &Whereabouts) -> String {
    format!("{} ({})", found.time_zones.join(", "), word::<ZoneEvidence>(found.evidence))
}

fn law_of(found: &Whereabouts) -> String {
    match found.jurisdictions.as_slice() {
        [] => "none known: the queue's hours alone".to_owned(),
        known => known.join(", "),
    }
}

fn next_text(answer: &ExplainLeadResponse) -> String {
    match instant_text(answer.next_servable_time.as_ref()) {
        _ if answer.next_servable_time.is_some()
            && answer.next_servable_time == answer.read_time =>
        {
            "now".to_owned()
        }
        at if !at.is_empty() => at,
        _ if answer.obstacles.iter().any(|one| one.kind() == ObstacleKind::Erased) => {
            "never".to_owned()
        }
        _ => "not by time alone: somebody must act".to_owned(),
    }
}

fn kept_text(answer: &ExplainLeadResponse) -> String {
    let rep = &answer.kept_for_rep_id;
    match instant_text(answer.kept_until_time.as_ref()) {
        until if until.is_empty() => rep.clone(),
        until => format!("{rep}, until {until}"),
    }
}

fn place_text(answer: &ExplainLeadResponse) -> String {
    answer.place.as_ref().map_or(String::new(), |place| {
        format!(
            "{} of {} ready leads rank before it",
            count(place.ahead_count),
            count(place.ready_count)
        )
    })
}

fn number_row(verdict: &NumberVerdict) -> [String; 2] {
    let mut why = Vec::new();
    if verdict.stopped_by != 0 {
        why.push(format!("stopped: {}", word::<Disposition>(verdict.stopped_by)));
    }
    if verdict.suppressed {
        why.push("suppressed".to_owned());
    }
    if !verdict.in_use_by_lead_id.is_empty() {
        why.push(format!("in a rep's hands with lead {}", verdict.in_use_by_lead_id));
    }
    if let Some(cap) = &verdict.cap {
        why.push(format!("at a cap: {}", cap_text(cap)));
    }
    if verdict.callable {
        why.push("callable".to_owned());
    }
    [verdict.position.to_string(), why.join("; ")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::Obstacle;

    #[test]
    fn where_a_lead_may_be_is_told_with_its_evidence() {
        let whereabouts = Some(Whereabouts {
            time_zones: vec!["Asia/Tokyo".into()],
            evidence: ZoneEvidence::Number as i32,
            jurisdictions: Vec::new(),
        });
        let text = explain_text(&ExplainLeadResponse { whereabouts, ..Default::default() });
        assert!(text.contains("Asia/Tokyo (number)"), "{text}");
        assert!(text.contains("none known: the queue's hours alone"), "{text}");
    }

    #[test]
    fn a_lead_that_time_alone_does_not_free_says_so() {
        let obstacle = Obstacle { kind: ObstacleKind::NoNumber as i32, ..Default::default() };
        let mut answer = ExplainLeadResponse { obstacles: vec![obstacle], ..Default::default() };
        assert!(explain_text(&answer).contains("somebody must act"));
        answer.obstacles.clear();
        assert!(explain_text(&answer).contains("Nothing keeps it"));
        let now = Some(prost_types::Timestamp { seconds: 60, nanos: 0 });
        (answer.read_time, answer.next_servable_time) = (now, now);
        assert_eq!(next_text(&answer), "now");
    }
}

//! `next` pulls the next lead for a rep, and shows what they need for the call and for recording it.

use std::process::ExitCode;

use clap::Args;

use super::lead::{bar_text, lead_text, points_text, state_text};
use super::lead_story::engagements_text;
use super::output::{Output, count, facts, table};
use super::words::{duration_of, instant_text, proto_duration_text, read_duration_ms, word};
use crate::api::client::Client;
use crate::api::proto::next_lead_response::Answer;
use crate::api::proto::{
    Channel, Direction, Disposition, NextLeadRequest, NothingToServe, ServeOrder, ServedLead, Touch,
};

/// Pull the next-best lead for a rep. A rep who holds one already gets the same again
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead next --rep ann --wait 30s

An empty queue is no failure: the answer says why in numbers, and the exit code is 0.")]
pub(super) struct NextArgs {
    /// Who pulls; a rep's own token says so itself
    #[arg(long, value_name = "REP")]
    rep: Option<String>,
    /// How long to wait for a lead to appear, at most 60s
    #[arg(long, value_name = "DURATION", value_parser = read_duration_ms)]
    wait: Option<i64>,
    /// Names this request, so that sending it again gets the same lead
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

pub(super) async fn run(args: NextArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let rep = args.rep.unwrap_or_default();
    let request = NextLeadRequest {
        rep_id: rep.clone(),
        wait_duration: args.wait.map(duration_of),
        request_id: args.request_id.unwrap_or_default(),
    };
    let answer = node.reps().next_lead(request).await?.into_inner();
    output.answer(&answer, |answer| match &answer.answer {
        Some(Answer::Served(served)) => served_text(&rep, served),
        Some(Answer::Nothing(nothing)) => nothing_text(nothing),
        None => "the node answered in a way that is newer than this program\n".to_owned(),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A lead in a rep's hands: who, why, what happened so far, and how to say how it went.
pub(super) fn served_text(rep: &str, served: &ServedLead) -> String {
    let mut text = String::new();
    if served.held_before {
        text.push_str("You hold this lead already.\n\n");
    }
    if let Some(lead) = &served.lead {
        text.push_str(&lead_text(lead));
    }
    if let Some(state) = &served.state {
        text.push('\n');
        text.push_str(&state_text(state));
    }
    if let Some(why) = &served.why {
        text.push_str(&format!("\nWhy this one: {}\n", order_text(why.order)));
        text.push_str(&points_text(why.rule_version, why.explanation.as_ref()));
    }
    if !served.story.is_empty() {
        text.push_str("\nTouches so far, newest first\n");
        text.push_str(&story_text(&served.story));
    }
    if !served.engagements.is_empty() {
        text.push_str("\nWhat it did, the last first\n");
        text.push_str(&engagements_text(&served.engagements));
    }
    let dispositions = served.dispositions.iter().map(|one| word::<Disposition>(*one));
    text.push('\n');
    text.push_str(&facts([
        ("lease", proto_duration_text(served.remaining_duration.as_ref())),
        ("renewable", proto_duration_text(served.renewable_duration.as_ref())),
        ("token", served.lease_token.clone()),
        ("may end", dispositions.collect::<Vec<_>>().join(", ")),
    ]));
    text.push_str(&format!("\nRecord how it went:\n  {}\n", touch_line(rep, served)));
    text
}

pub(super) fn order_text(order: i32) -> &'static str {
    match ServeOrder::try_from(order) {
        Ok(ServeOrder::Callback) => "a callback that was promised is due",
        Ok(ServeOrder::FirstTouch) => "its first touch is the next one due",
        Ok(ServeOrder::Ordinary) => "it ranks first by points and waiting time",
        _ => "for a reason that is newer than this program",
    }
}

/// The command that records the touch, ready to be pasted.
fn touch_line(rep: &str, served: &ServedLead) -> String {
    let lead = served.lead.as_ref();
    let number = served.callable_numbers.first();
    let number = number.map_or(String::new(), |one| format!(" --number {}", quoted(one)));
    format!(
        "nextlead touch{} --lead {} --token {}{number} --disposition no_answer",
        rep_words(rep),
        lead.map_or("", |lead| lead.lead_id.as_str()),
        served.lease_token,
    )
}

/// The option that names a rep, unless the token does.
pub(super) fn rep_words(rep: &str) -> String {
    if rep.is_empty() { String::new() } else { format!(" --rep {}", quoted(rep)) }
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "-_./+@:".contains(one);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

pub(super) fn story_text(story: &[Touch]) -> String {
    let rows = story.iter().map(|touch| {
        let by = match (word::<Direction>(touch.direction), word::<Channel>(touch.channel)) {
            (direction, channel) if direction == "inbound" => format!("{channel} from the lead"),
            (_, channel) => channel,
        };
        let late = if touch.late { " (late)" } else { "" };
        [
            instant_text(touch.start_time.as_ref()),
            by,
            touch.rep_id.clone(),
            format!("{}{late}", word::<Disposition>(touch.disposition)),
            touch.notes.clone(),
        ]
    });
    table(["when", "by", "rep", "ended", "notes"], &[], rows)
}

/// Why nothing was served, in numbers.
pub(super) fn nothing_text(nothing: &NothingToServe) -> String {
    let due = instant_text(nothing.next_due_time.as_ref());
    let opening = match nothing.next_opening_bar.as_ref() {
        Some(bar) => {
            let at = instant_text(nothing.next_opening_time.as_ref());
            format!("{at} ({})", bar_text(bar))
        }
        None => instant_text(nothing.next_opening_time.as_ref()),
    };
    let rows = [
        ("turned down or passed on just now", nothing.open_count, ""),
        ("outside calling hours", nothing.closed_count, opening.as_str()),
        ("need a skill that the rep lacks", nothing.unskilled_count, ""),
        ("in no known time zone", nothing.unroutable_count, ""),
        ("kept for other reps", nothing.kept_count, ""),
        ("waiting for a retry or a callback", nothing.waiting_count, due.as_str()),
        ("being handed to other reps", nothing.in_flight_count, ""),
    ];
    let rows = rows.map(|(what, number, next)| [what.to_owned(), count(number), next.to_owned()]);
    let again =
        if nothing.should_retry { " The search ended at its limit: pull again." } else { "" };
    format!(
        "No lead may be served now.{again}\n\n{}",
        table(["leads", "count", "next at"], &[1], rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::{Lead, LeadNumber};

    #[test]
    fn the_line_to_paste_names_a_number_that_may_be_dialled() {
        let number = |number: &str, stopped_by| LeadNumber { number: number.into(), stopped_by };
        let lead = Lead {
            lead_id: "17".into(),
            numbers: vec![number("+4930111", Disposition::Fax as i32), number("+4930222", 0)],
            ..Lead::default()
        };
        let served = ServedLead {
            lead: Some(lead),
            lease_token: "00ff".into(),
            callable_numbers: vec!["+4930222".into()],
            ..ServedLead::default()
        };
        assert_eq!(
            touch_line("ann's phone", &served),
            "nextlead touch --rep 'ann'\\''s phone' --lead 17 --token 00ff --number +4930222 \
             --disposition no_answer"
        );
        let own = touch_line("", &served);
        assert!(own.starts_with("nextlead touch --lead 17 "), "the token says who it is: {own}");
    }

    #[test]
    fn an_empty_queue_says_why_in_numbers() {
        let nothing =
            NothingToServe { closed_count: 1_200, should_retry: true, ..Default::default() };
        let text = nothing_text(&nothing);
        assert!(text.contains("1,200") && text.contains("pull again"), "{text}");
    }
}

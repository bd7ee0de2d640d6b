//! What a rep sees of the desk, as lines: the lead and why it comes, the state of the lease, the keys.

use std::fmt::Display;

use super::desk::{Busy, Desk, Prompt};
use super::keys::{NOTES, QUIT, SKIP, TALKING, key_of, local_time};
use super::lead::Held;
use crate::api::proto::{Disposition, NothingToServe};
use crate::cli::color::Tone;
use crate::cli::lead_story::engagements_text;
use crate::cli::next::{order_text, story_text};
use crate::cli::output::{count, printable};
use crate::cli::words::{duration_text, millis, word};

/// The whole screen.
pub(super) fn frame(desk: &Desk, now: i64, width: usize, height: usize) -> Vec<String> {
    let head = head(desk, width);
    let foot = foot(desk, now, width);
    let body = match &desk.lead {
        Some(held) => card(held, now),
        None => waiting(desk, now),
    };
    let room = height.saturating_sub(head.len() + foot.len());
    let mut lines = head;
    lines.extend(body.into_iter().take(room));
    lines.extend(foot);
    lines
}

fn head(desk: &Desk, width: usize) -> Vec<String> {
    // Whose desk it is without a name, the token knows.
    let left = format!("nextlead  {}", printable(&desk.rep)).trim_end().to_owned();
    let right = match desk.touch_count {
        1 => "1 touch".to_owned(),
        touches => format!("{touches} touches"),
    };
    let gap = width.saturating_sub(left.chars().count() + right.chars().count()).max(2);
    vec![Tone::Faint.paint(format!("{left}{}{right}", " ".repeat(gap))), String::new()]
}

/// Who the lead is, why it comes now, and what happened so far.
pub(super) fn card(held: &Held, now: i64) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(lead) = &held.served.lead else { return lines };
    let name = if lead.name.is_empty() { "(no name)" } else { &lead.name };
    lines.push(Tone::Strong.paint(printable(name)));
    let place = [lead.region.as_str(), lead.country.as_str(), lead.language.as_str()];
    let place: Vec<&str> = place.into_iter().filter(|one| !one.is_empty()).collect();
    let clock = match local_time(held.zone(), now) {
        clock if clock.is_empty() => "(unknown)".to_owned(),
        clock => format!("{clock}  {}", held.zone()),
    };
    for (what, value) in [
        ("company", lead.company.clone()),
        ("e-mail", lead.email.clone()),
        ("place", place.join(", ")),
        ("time there", clock),
        ("source", [lead.source.as_str(), lead.trigger.as_str()].join(" ").trim().to_owned()),
    ] {
        if !value.is_empty() {
            lines.push(format!(
                "{}  {}",
                Tone::Faint.paint(format!("{what:>10}")),
                printable(&value)
            ));
        }
    }
    lines.extend(numbers(held));
    lines.push(String::new());
    lines.extend(why(held));
    if !held.served.story.is_empty() {
        lines.push(String::new());
        lines.push(Tone::Strong.paint("So far, newest first"));
        lines.extend(story_text(&held.served.story).lines().map(str::to_owned));
    }
    if !held.served.engagements.is_empty() {
        lines.push(String::new());
        lines.push(Tone::Strong.paint("What it did, the last first"));
        lines.extend(engagements_text(&held.served.engagements).lines().map(str::to_owned));
    }
    lines
}

fn numbers(held: &Held) -> Vec<String> {
    let is_choice = held.dialable().nth(1).is_some();
    let dialable = held.dialable().enumerate().map(|(nth, one)| {
        let number = printable(&one.number);
        match (is_choice, nth == held.chosen) {
            (false, _) => Tone::Strong.paint(number),
            (true, true) => {
                format!("{}  <- dialled", Tone::Strong.paint(format!("{}  {number}", nth + 1)))
            }
            (true, false) => format!("{}  {number}", nth + 1),
        }
    });
    let stopped = held.stopped().map(|one| {
        let why = word::<Disposition>(one.stopped_by);
        Tone::Faint.paint(format!("{} (stopped: {why})", printable(&one.number)))
    });
    let mut what = Some("number");
    let lines = dialable.chain(stopped);
    let line = |number| {
        format!(
            "{}  {number}",
            Tone::Faint.paint(format!("{:>10}", what.take().unwrap_or_default()))
        )
    };
    lines.map(line).collect()
}

fn why(held: &Held) -> Vec<String> {
    let Some(why) = &held.served.why else { return Vec::new() };
    let mut lines =
        vec![format!("{} {}", Tone::Strong.paint("Why this one:"), order_text(why.order))];
    if let Some(explanation) = &why.explanation {
        let parts = explanation.lines.iter().filter(|line| line.points != 0);
        let parts: Vec<String> =
            parts.map(|line| format!("{} {}", printable(&line.name), count(line.points))).collect();
        let mut sum = format!("{} points", count(explanation.points));
        if !parts.is_empty() {
            sum = format!("{sum}: {}", parts.join(" + "));
        }
        if why.rule_version > 0 {
            sum = format!("{sum}  {}", faint(&format!("(rule version {})", why.rule_version)));
        }
        lines.push(format!("{:>10}  {sum}", ""));
    }
    lines
}

fn waiting(desk: &Desk, now: i64) -> Vec<String> {
    let Some(nothing) = &desk.nothing else { return vec!["Pulling the next lead…".to_owned()] };
    let waited = duration_text((now - desk.idle_since).max(0) / 1_000 * 1_000);
    let waited = if waited == "0ms" { String::new() } else { format!(" for {waited}") };
    let mut lines = vec![Tone::Strong.paint(format!("Waiting for a lead{waited}")), String::new()];
    lines.extend(reasons(nothing, now));
    lines
}

/// Why there is no lead, in numbers; only those that are not 0.
pub(super) fn reasons(nothing: &NothingToServe, now: i64) -> Vec<String> {
    let until = |at: Option<&prost_types::Timestamp>| match at {
        Some(at) => {
            let left = (at.seconds.saturating_mul(1_000) - now).max(0) / 1_000 * 1_000;
            format!(", the first in {}", duration_text(left.max(1_000)))
        }
        None => String::new(),
    };
    let due = until(nothing.next_due_time.as_ref());
    let opening = until(nothing.next_opening_time.as_ref());
    let all = [
        (nothing.waiting_count, "wait for a retry or a callback", due),
        (nothing.closed_count, "are outside calling hours", opening),
        (nothing.open_count, "were turned down or passed on just now", String::new()),
        (nothing.unskilled_count, "need a skill that you lack", String::new()),
        (nothing.unroutable_count, "are in no known time zone", String::new()),
        (nothing.kept_count, "are kept for other reps", String::new()),
        (nothing.in_flight_count, "are being handed to others", String::new()),
    ];
    let told: Vec<String> = all
        .into_iter()
        .filter(|(leads, ..)| *leads > 0)
        .map(|(leads, what, when)| format!("{:>10}  {what}{when}", count(leads)))
        .collect();
    if told.is_empty() { vec!["The queue is empty.".to_owned()] } else { told }
}

fn foot(desk: &Desk, now: i64, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    if let Some(problem) = &desk.line_down {
        let problem = printable(problem).replace('\n', " ");
        lines.push(Tone::Bad.paint(format!("No connection, trying again: {problem}")));
    } else if let Some(flash) = &desk.flash {
        let tone = if flash.is_bad { Tone::Bad } else { Tone::Good };
        lines.push(tone.paint(printable(&flash.text).replace('\n', " ")));
    }
    if let Some(held) = &desk.lead {
        lines.push(lease_text(held, now));
        if !held.notes.is_empty() && !matches!(desk.prompt, Prompt::Notes(_)) {
            lines.push(format!("notes  {}", printable(&held.notes)));
        }
    }
    lines.extend(prompt(desk, width));
    lines
}

fn lease_text(held: &Held, now: i64) -> String {
    let left_ms = (held.ends_at - now) / 1_000 * 1_000;
    if held.is_lost || left_ms <= 0 {
        return Tone::Bad.paint("The lease is over: a touch is still recorded, and may come late.");
    }
    let left = duration_text(left_ms);
    let more_ms = held.renewable_until - now;
    if more_ms - left_ms < 1_000 {
        return Tone::Waiting.paint(format!("lease  {left} left, cannot be renewed any more"));
    }
    let why = if held.is_talking { "you talk" } else { "the lead is here" };
    Tone::Faint.paint(format!("lease  {left} left, renewed while {why}"))
}

fn prompt(desk: &Desk, width: usize) -> Vec<String> {
    let line = |question: &str, text: &str| {
        // The end of a long text is where the rep types.
        let room = width.saturating_sub(question.chars().count() + 4);
        let skipped = text.chars().count().saturating_sub(room);
        let text: String = printable(text).chars().skip(skipped).collect();
        format!("{} {text}█", Tone::Strong.paint(question))
    };
    match &desk.prompt {
        Prompt::Notes(text) => vec![line("notes>", text), faint("Enter keeps them, Esc does not")],
        Prompt::When(_, text) => vec![
            line("call back>", text),
            faint("+2h, 14:30 or 2026-03-02 14:30 where the lead lives; Esc goes back"),
        ],
        Prompt::Skip => vec![keys_line(&[
            ('1', "not my area"),
            ('2', "bad data"),
            ('3', "knows me"),
            ('4', "too hard"),
            ('5', "no time"),
            ('6', "other"),
            ('e', "taken by mistake"),
            ('c', "the call was lost"),
        ])],
        Prompt::Quit => {
            vec![
                Tone::Strong.paint("Give the lead back?"),
                keys_line(&[('y', "give it back and quit"), ('k', "keep it and quit")]),
            ]
        }
        Prompt::QuitUnsent => {
            vec![
                Tone::Bad.paint("A touch is not recorded yet."),
                keys_line(&[('y', "quit nevertheless")]),
            ]
        }
        Prompt::Keys => match (&desk.busy, &desk.lead) {
            (Some(Busy::Recording(_)), _) => vec![faint("Recording…")],
            (Some(Busy::Releasing), _) => vec![faint("Giving it back…")],
            (None, Some(held)) => legend(held, width),
            _ => vec![keys_line(&[(QUIT, "quit")])],
        },
    }
}

fn faint(text: &str) -> String {
    Tone::Faint.paint(text)
}

fn keys_line(keys: &[(impl Display, &str)]) -> String {
    let key = |(key, what): &(_, &str)| format!("{} {what}", Tone::Strong.paint(key));
    keys.iter().map(key).collect::<Vec<_>>().join("   ")
}

/// The keys that mean something for this lead, in columns.
pub(super) fn legend(held: &Held, width: usize) -> Vec<String> {
    let endings =
        held.served.dispositions.iter().filter_map(|&disposition| {
            Some((key_of(disposition)?, word::<Disposition>(disposition)))
        });
    let mut keys: Vec<(char, String)> = endings.collect();
    let own = [(NOTES, "notes"), (TALKING, "talking"), (SKIP, "skip"), (QUIT, "quit")];
    let mut own: Vec<_> = own.into_iter().map(|(key, what)| (key.to_string(), what)).collect();
    if held.dialable().nth(1).is_some() {
        own.insert(0, (format!("1-{}", held.dialable().count().min(9)), "number"));
    }
    let column = keys.iter().map(|(_, what)| what.len() + 5).max().unwrap_or(1);
    let columns = (width / column).max(1);
    // Read downwards, as the order of the dispositions goes from nobody there to sold.
    let rows = keys.len().div_ceil(columns).max(1);
    let mut lines = vec![String::new(); rows];
    for (nth, (key, what)) in keys.drain(..).enumerate() {
        let gap = " ".repeat(column - what.len() - 2);
        lines[nth % rows].push_str(&format!("{} {what}{gap}", Tone::Strong.paint(key)));
    }
    lines.push(keys_line(&own));
    lines
}

/// How long a lease lasts, for who sees no clock run.
pub(super) fn lasts_text(held: &Held) -> String {
    let lasts = held.served.remaining_duration.as_ref().map_or(0, millis);
    format!("lease  {}, renewed while the lead is here", duration_text(lasts))
}

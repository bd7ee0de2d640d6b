//! The desk for those without a screen: everything is told once, in lines for people or as one JSON
//! document a line for programs.

use serde_json::{Value, json};

use super::desk::Told;
use super::lead::Held;
use super::view::{card, lasts_text, legend, reasons};
use crate::cli::error::Failure;
use crate::cli::json;
use crate::cli::lead::standing_text;
use crate::cli::output::Output;

/// How wide the legend is where nobody says how wide the page is.
const WIDTH: usize = 80;

/// Tells what happened.
pub(super) fn tell(told: &Told, output: Output, url: &str, now: i64) -> anyhow::Result<()> {
    if output.is_json {
        return match document(told, url)? {
            Some(document) => output.line(&document),
            None => Ok(()),
        };
    }
    output.text(&text(told, url, now))
}

fn text(told: &Told, url: &str, now: i64) -> String {
    match told {
        Told::Served(served) => {
            let held = Held::new((**served).clone(), now);
            let mut lines = vec![String::new()];
            lines.extend(card(&held, now));
            lines.push(String::new());
            lines.push(lasts_text(&held));
            lines.extend(legend(&held, WIDTH).iter().map(|line| line.trim_end().to_owned()));
            lines.join("\n")
        }
        Told::Nothing(nothing) => {
            format!("\nWaiting for a lead\n{}", reasons(nothing, now).join("\n"))
        }
        Told::Recorded(touch_id, answer) => {
            let standing = answer.state.as_ref().and_then(|state| state.standing.as_ref());
            let late = if answer.late { " late, which moved nothing" } else { "" };
            format!("Touch {touch_id} is recorded{late}; the lead is {}.", standing_text(standing))
        }
        Told::Released => "The lead is back in line.".to_owned(),
        Told::Refused(status) => Failure::of_status(status, url).text(),
        Told::LineDown(status) => {
            format!("No connection, trying again: {}", Failure::of_status(status, url).message)
        }
        Told::LineUp => "Connected again.".to_owned(),
        Told::Note(note) => format!("> {note}"),
    }
}

fn document(told: &Told, url: &str) -> anyhow::Result<Option<Value>> {
    Ok(Some(match told {
        Told::Served(served) => json!({"event": "served", "served": json::of(&**served)?}),
        Told::Nothing(nothing) => json!({"event": "nothing", "nothing": json::of(nothing)?}),
        Told::Recorded(touch_id, answer) => {
            // What comes next is an event of its own.
            let mut answer = (**answer).clone();
            answer.next = None;
            json!({"event": "recorded", "touch_id": touch_id, "touch": json::of(&answer)?})
        }
        Told::Released => json!({"event": "released"}),
        Told::Refused(status) => {
            json!({"event": "refused", "problem": Failure::of_status(status, url).document()})
        }
        Told::LineDown(status) => {
            json!({"event": "line_down", "problem": Failure::of_status(status, url).document()})
        }
        Told::LineUp => json!({"event": "line_up"}),
        Told::Note(note) => json!({"event": "note", "note": note}),
    }))
}

//! What went wrong: for whoever typed the command one line, then the fields to blame; for programs
//! (`--json`) one JSON object on one line. Both on standard error.

use std::fmt::{Display, Write as _};
use std::io::Write as _;

use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::{FieldViolation, StatusExt as _};

use super::color::Tone;
use super::connect::Unreachable;
use super::exit::Exit;
use super::output::printable;
use super::trouble;
use super::words::{duration_text, enum_code};

/// What went wrong, told in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// A sentence; what follows in other lines are details for people.
    pub(super) message: String,
    /// What the node calls it, or empty.
    pub(super) code: String,
    /// Its stable name in capitals, or empty.
    pub(super) reason: String,
    /// The fields to blame, each with its problem.
    pub(super) fields: Vec<(String, String)>,
    /// What to do about it.
    pub(super) notes: Vec<String>,
    /// How long to wait before trying again, if the node said so.
    pub(super) retry_after_ms: Option<i64>,
}

/// A refusal that a command has more to say about.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub(super) struct Noted {
    pub(super) note: String,
    #[source]
    pub(super) source: Status,
}

impl Failure {
    /// A problem with its causes.
    pub(super) fn new(exit: Exit, problem: &(dyn std::error::Error + 'static)) -> Self {
        let mut text = problem.to_string();
        let mut source = problem.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        Self::of_text(exit, text)
    }

    /// A problem that is told in a text.
    pub(super) fn of_text(exit: Exit, text: impl Display) -> Self {
        Self {
            exit,
            message: text.to_string(),
            code: exit.word().to_owned(),
            reason: String::new(),
            fields: Vec::new(),
            notes: Vec::new(),
            retry_after_ms: None,
        }
    }

    /// Why a command failed; `url` is the node that was called.
    pub(super) fn of(problem: &anyhow::Error, url: &str) -> Self {
        let note = problem.downcast_ref::<Noted>().map(|noted| noted.note.clone());
        let mut failure = match problem.chain().find_map(|cause| cause.downcast_ref::<Status>()) {
            Some(status) => {
                let mut failure = Self::of_status(status, url);
                // What the command was at, if it said so, goes before what the node said.
                let at = problem.to_string();
                if at != status.to_string() {
                    failure.message = format!("{at}: {}", failure.message);
                }
                failure
            }
            None if problem.downcast_ref::<Unreachable>().is_some() => {
                Self::of_text(Exit::Unavailable, problem)
            }
            None => Self::of_text(Exit::Failed, format!("{problem:#}")),
        };
        failure.notes.extend(note);
        failure
    }

    /// What a node said, or that it said nothing.
    pub(super) fn of_status(status: &Status, url: &str) -> Self {
        let exit = Exit::of_code(status.code());
        // A status with a cause was made on this side: no node said it.
        if let Some(cause) = std::error::Error::source(status) {
            return Self::of_text(Exit::Unavailable, trouble::text(url, cause));
        }
        let mut failure = Self::of_text(exit, printable(said(status)));
        failure.code = enum_code(&format!("{:?}", status.code()));
        let details = status.get_error_details();
        failure.reason = details.error_info().map_or(String::new(), |info| info.reason.clone());
        let violations = details.bad_request().map_or(&[][..], |one| &one.field_violations);
        let field = |one: &FieldViolation| (one.field.clone(), printable(&one.description));
        failure.fields = violations.iter().map(field).collect();
        let delay = details.retry_info().and_then(|info| info.retry_delay);
        failure.retry_after_ms = delay.and_then(|delay| i64::try_from(delay.as_millis()).ok());
        if status.code() == Code::Unauthenticated {
            failure.notes.push("the token comes from NEXTLEAD_TOKEN or --token-file".to_owned());
        }
        failure
    }

    /// For people: `error: …`, and what belongs to it indented below.
    pub(super) fn text(&self) -> String {
        let reason =
            if self.reason.is_empty() { String::new() } else { format!(" ({})", self.reason) };
        // A message of many lines shows its places itself.
        let (first, rest) = self.message.split_once('\n').unwrap_or((&self.message, ""));
        let mut text = format!("error: {first}{reason}\n");
        if !rest.is_empty() {
            let _ = writeln!(text, "{rest}");
        }
        // One alone is in the sentence already.
        let is_said = |problem: &String| self.message.contains(problem);
        let is_told =
            |problem: &String| rest.is_empty() && self.fields.len() > 1 || !is_said(problem);
        for (field, problem) in self.fields.iter().filter(|(_, problem)| is_told(problem)) {
            let _ = writeln!(text, "  {field}: {problem}");
        }
        if let Some(delay_ms) = self.retry_after_ms {
            let _ = writeln!(text, "  try again in {}", duration_text(delay_ms));
        }
        for note in &self.notes {
            let _ = writeln!(text, "  {note}");
        }
        text
    }

    /// For programs.
    pub(super) fn document(&self) -> Value {
        let field =
            |(field, problem): &(String, String)| json!({"field": field, "problem": problem});
        json!({
            "error": self.message,
            "code": self.code,
            "reason": self.reason,
            "fields": self.fields.iter().map(field).collect::<Vec<_>>(),
            "notes": self.notes,
            "retry_after_ms": self.retry_after_ms,
            "exit_code": self.exit.number(),
        })
    }

    /// Prints it to standard error.
    pub(super) fn print(&self, is_json: bool) {
        let text = if is_json {
            format!("{}\n", self.document())
        } else {
            let text = self.text();
            let rest = text.strip_prefix("error:").unwrap_or(&text);
            format!("{}{rest}", Tone::Bad.paint("error:"))
        };
        // There is nobody left to tell.
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
    }
}

fn said(status: &Status) -> &str {
    match status.message() {
        "" => status.code().description(),
        message => message,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use tonic_types::ErrorDetails;

    use super::*;

    fn render(problem: &anyhow::Error, url: &str) -> String {
        Failure::of(problem, url).text()
    }

    const URL: &str = "http://127.0.0.1:7400";

    fn invalid() -> Status {
        let mut details = ErrorDetails::new();
        details.set_error_info("FIELD_INVALID", "nextlead", std::collections::HashMap::new());
        details.set_bad_request(vec![
            FieldViolation::new("queue.hours", "must name days"),
            FieldViolation::new("queue.time_zone", "must be an IANA name"),
        ]);
        Status::with_error_details(Code::InvalidArgument, "the queue makes no sense", details)
    }

    #[test]
    fn every_field_to_blame_has_its_own_line() {
        let problem = anyhow::Error::from(invalid());
        assert_eq!(
            render(&problem, URL),
            "error: the queue makes no sense (FIELD_INVALID)\n  queue.hours: must name days\n  \
             queue.time_zone: must be an IANA name\n"
        );
    }

    #[test]
    fn what_the_command_was_at_goes_first() {
        let problem = Err::<(), _>(Status::not_found("no such queue"))
            .context("cannot publish rules.toml")
            .unwrap_err();
        assert_eq!(render(&problem, URL), "error: cannot publish rules.toml: no such queue\n");
    }

    #[test]
    fn a_node_that_is_not_there_is_said_to_be_not_there() {
        let mut gone = Status::unavailable("tcp connect error");
        gone.set_source(std::sync::Arc::new(std::io::Error::other("refused")));
        let text = render(&anyhow::Error::from(gone), URL);
        assert!(text.contains("cannot reach a node at http://127.0.0.1:7400; is `nextlead serve`"));
        // A node that says itself that it cannot answer is there.
        let busy = Status::unavailable("the disk is full");
        assert_eq!(render(&anyhow::Error::from(busy), URL), "error: the disk is full\n");
    }

    #[test]
    fn other_problems_show_their_causes() {
        let cause = std::io::Error::other("no such file");
        let problem = anyhow::Error::from(cause).context("cannot read leads.csv");
        assert_eq!(render(&problem, URL), "error: cannot read leads.csv: no such file\n");
    }

    #[test]
    fn programs_get_code_reason_fields_and_exit_code() {
        let document = Failure::of(&anyhow::Error::from(invalid()), URL).document();
        assert_eq!(document["error"], "the queue makes no sense");
        assert_eq!(document["code"], "invalid_argument");
        assert_eq!(document["reason"], "FIELD_INVALID");
        assert_eq!(document["fields"][1]["field"], "queue.time_zone");
        assert_eq!(document["exit_code"], 4);
    }

    #[test]
    fn when_to_come_back_is_told() {
        let mut details = ErrorDetails::new();
        details.set_retry_info(Some(std::time::Duration::from_secs(2)));
        let busy = Status::with_error_details(Code::ResourceExhausted, "too many pulls", details);
        let failure = Failure::of(&anyhow::Error::from(busy), URL);
        assert_eq!(failure.text(), "error: too many pulls\n  try again in 2s\n");
        assert_eq!((failure.retry_after_ms, failure.exit), (Some(2_000), Exit::Unavailable));
    }

    #[test]
    fn what_a_command_adds_stands_below() {
        let source = Status::unknown("cut off");
        let problem = anyhow::Error::from(Noted { note: "send it again".into(), source });
        assert_eq!(render(&problem, URL), "error: cut off\n  send it again\n");
    }
}

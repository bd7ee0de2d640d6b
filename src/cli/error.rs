//! What went wrong, in words for whoever typed the command: one line, then the fields to blame.

use std::fmt::Write as _;

use tonic::{Code, Status};
use tonic_types::{FieldViolation, StatusExt as _};

use super::connect::unreachable_text;
use super::output::printable;

/// The message for standard error; `url` is the node that was called.
pub(super) fn render(problem: &anyhow::Error, url: &str) -> String {
    match problem.chain().find_map(|cause| cause.downcast_ref::<Status>()) {
        Some(status) => {
            // What the command was at, if it said so, goes before what the node said.
            let at = problem.to_string();
            let own = problem.downcast_ref::<Status>().is_none() || at != status.to_string();
            let context = if own { format!("{at}: ") } else { String::new() };
            format!("error: {context}{}", of_status(status, url))
        }
        None => format!("error: {problem:#}\n"),
    }
}

fn of_status(status: &Status, url: &str) -> String {
    if status.code() == Code::Unavailable && std::error::Error::source(status).is_some() {
        return format!("{}\n", unreachable_text(url));
    }
    let details = status.get_error_details();
    let reason = details.error_info().map_or(String::new(), |info| format!(" ({})", info.reason));
    let mut text = format!("{}{reason}\n", printable(said(status)));
    let violations = details.bad_request().map_or(&[][..], |request| &request.field_violations);
    // One alone is in the sentence already.
    let is_said = |one: &FieldViolation| said(status).contains(&one.description);
    for violation in violations.iter().filter(|one| violations.len() > 1 || !is_said(one)) {
        let _ = writeln!(text, "  {}: {}", violation.field, printable(&violation.description));
    }
    if status.code() == Code::Unauthenticated {
        text.push_str("  the token comes from NEXTLEAD_TOKEN or --token-file\n");
    }
    text
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
}

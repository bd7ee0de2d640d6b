//! The one table from errors to gRPC status: a code, a stable reason, and what the client can do.
//!
//! No match has a `_` arm, so a new error does not compile until somebody thinks about its code.
//! What an operator must see is noted on the call's span here and nowhere below; `calls` tells of it.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::auth::{AccessError, AuthError};
use crate::coverage::CoverageError;
use crate::dialer::{DialerError, FieldProblem, Forbidden};
use crate::domain::{Bar, BarredBy, instant_text};
use crate::queue::QueueError;
use crate::rules::Mistakes;
use crate::store::{Denied, StoreError};

use super::front::Refusal;

/// The domain of every reason.
pub const DOMAIN: &str = "nextlead";
/// Details travel in a header, and clients refuse headers of more than 16 KiB.
const VIOLATION_LENGTH_SUM_MAX: usize = 4_096;

/// All that is wrong with a request's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problems(pub(super) Vec<FieldProblem>);

impl From<Problems> for Status {
    fn from(problems: Problems) -> Self {
        DialerError::Invalid(problems.0).into()
    }
}

impl From<AuthError> for Status {
    fn from(error: AuthError) -> Self {
        let (code, reason) = match error {
            AuthError::Unauthenticated => (Code::Unauthenticated, "TOKEN_INVALID"),
            AuthError::Denied => (Code::PermissionDenied, "ROLE_DENIED"),
            AuthError::OtherRep => (Code::PermissionDenied, "OTHER_REP"),
        };
        let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        Status::with_error_details(code, error.to_string(), details)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let (code, reason) = match refusal {
            Refusal::Overloaded => (Code::ResourceExhausted, "OVERLOADED"),
            Refusal::TokenBusy => (Code::ResourceExhausted, "TOKEN_BUSY"),
            Refusal::WaitsFull => (Code::ResourceExhausted, "WAITS_FULL"),
            Refusal::TokenWaitsFull => (Code::ResourceExhausted, "TOKEN_WAITS_FULL"),
            Refusal::RequestLate => (Code::DeadlineExceeded, "REQUEST_LATE"),
            Refusal::RequestSize { .. } => (Code::OutOfRange, "REQUEST_TOO_LONG"),
            Refusal::CallLate => (Code::DeadlineExceeded, "CALL_LATE"),
            Refusal::Panicked => (Code::Internal, "INTERNAL"),
        };
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        match refusal {
            Refusal::Overloaded | Refusal::TokenBusy => {
                details.set_retry_info(Some(Duration::from_secs(1)));
            }
            Refusal::WaitsFull | Refusal::TokenWaitsFull => {
                details.set_retry_info(Some(Duration::from_secs(5)));
            }
            _ => {}
        }
        Status::with_error_details(code, refusal.to_string(), details)
    }
}

impl From<AccessError> for Status {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::UnknownToken(id) => DialerError::not_found("token", id).into(),
            AccessError::Store(error) => DialerError::from(error).into(),
        }
    }
}

impl From<CoverageError> for Status {
    fn from(error: CoverageError) -> Self {
        match error {
            CoverageError::NotFound { what, id } => DialerError::NotFound { what, id }.into(),
            CoverageError::Store(error) => DialerError::from(error).into(),
        }
    }
}

impl From<DialerError> for Status {
    fn from(error: DialerError) -> Self {
        let (code, reason) = code_and_reason(&error);
        let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        match &error {
            DialerError::Invalid(problems) => {
                add_violations(&mut details, problems.iter().cloned());
            }
            DialerError::RulesInvalid(mistakes) => {
                add_violations(&mut details, violations_of(mistakes));
            }
            DialerError::RepOffDuty { back_at: Some(at), .. } => {
                let facts = HashMap::from([("back_time".to_owned(), instant_text(*at))]);
                details = ErrorDetails::with_error_info(reason, DOMAIN, facts);
            }
            DialerError::CallbackIllegal { next_at, bar } => {
                let facts = calling_facts(*next_at, bar.as_ref());
                details = ErrorDetails::with_error_info(reason, DOMAIN, facts);
                let problem = FieldProblem::new("callback_time", error.to_string());
                add_violations(&mut details, [problem].into_iter());
            }
            DialerError::LeadForbidden(why) => {
                let facts = forbidden_facts(why);
                details = ErrorDetails::with_error_info(reason, DOMAIN, facts);
            }
            DialerError::SkipLimit { next_at: Some(at) } => {
                let facts = HashMap::from([("next_skip_time".to_owned(), instant_text(*at))]);
                details = ErrorDetails::with_error_info(reason, DOMAIN, facts);
            }
            DialerError::LeadLeased { rep, until } => {
                let facts = HashMap::from([
                    ("rep_id".to_owned(), rep.clone()),
                    ("held_until_time".to_owned(), instant_text(*until)),
                ]);
                details = ErrorDetails::with_error_info(reason, DOMAIN, facts);
            }
            _ => {}
        }
        match code {
            Code::Unavailable => details.set_retry_info(Some(Duration::from_secs(1))),
            Code::ResourceExhausted => details.set_retry_info(Some(Duration::from_secs(30))),
            _ => &mut details,
        };
        // The store has said that its disk is full, once; a log a call would only fill it further.
        let is_told = matches!(error, DialerError::Store(StoreError::Full | StoreError::Low));
        if matches!(code, Code::Internal | Code::Unavailable | Code::ResourceExhausted) && !is_told
        {
            // The line about the call's end shows it.
            tracing::Span::current().record("cause", chain(&error));
        }
        Status::with_error_details(code, message(&error), details)
    }
}

/// What went wrong, with all that led to it. None of it says what a request said.
fn chain(error: &DialerError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// Why a lead went out of a rep's hands, for a softphone.
fn forbidden_facts(why: &Forbidden) -> HashMap<String, String> {
    let (cause, mut facts) = match why {
        Forbidden::Suppressed => ("suppressed", HashMap::new()),
        Forbidden::NoNumber => ("no_number", HashMap::new()),
        Forbidden::OutsideHours { next_at, bar } => {
            ("outside_hours", calling_facts(*next_at, bar.as_ref()))
        }
    };
    facts.insert("cause".to_owned(), cause.to_owned());
    facts
}

/// What a softphone needs to offer the next time in place of the one that was refused.
fn calling_facts(next_at: Option<i64>, bar: Option<&Bar>) -> HashMap<String, String> {
    let mut facts = HashMap::new();
    let mut add = |name: &str, text: String| drop(facts.insert(name.to_owned(), text));
    if let Some(at) = next_at {
        add("next_legal_time", instant_text(at));
    }
    if let Some(bar) = bar {
        add("time_zone", bar.zone.clone());
        if let BarredBy::Law { jurisdiction, citation } = &bar.by {
            add("jurisdiction", jurisdiction.clone());
            add("citation", citation.clone());
        }
    }
    facts
}

fn code_and_reason(error: &DialerError) -> (Code, &'static str) {
    match error {
        DialerError::NotFound { what, .. } => (Code::NotFound, not_found(what)),
        DialerError::Invalid(_) => (Code::InvalidArgument, "FIELD_INVALID"),
        DialerError::RulesInvalid(_) => (Code::InvalidArgument, "RULES_INVALID"),
        DialerError::RepInactive(_) => (Code::FailedPrecondition, "REP_INACTIVE"),
        DialerError::RepOffDuty { .. } => (Code::FailedPrecondition, "REP_OFF_DUTY"),
        DialerError::OtherQueue { .. } => (Code::PermissionDenied, "OTHER_QUEUE"),
        DialerError::Erased => (Code::FailedPrecondition, "ERASED"),
        DialerError::CallbackIllegal { .. } => (Code::InvalidArgument, "CALLBACK_ILLEGAL"),
        DialerError::LeadForbidden(_) => (Code::FailedPrecondition, "LEAD_FORBIDDEN"),
        DialerError::SkipLimit { .. } => (Code::FailedPrecondition, "SKIP_LIMIT"),
        DialerError::CallbacksFull(_) => (Code::FailedPrecondition, "CALLBACKS_FULL"),
        DialerError::LeadLeased { .. } => (Code::FailedPrecondition, "LEAD_LEASED"),
        DialerError::LeadClosed => denied(&Denied::LeadClosed),
        DialerError::RequestReused => denied(&Denied::RequestReused),
        DialerError::LeaseLost => denied(&Denied::LeaseLost),
        DialerError::CampaignMoved(_) => denied(&Denied::CampaignMoved),
        DialerError::Queue(error) => match error {
            QueueError::Unavailable(_) => (Code::Unavailable, "INDEX_UNAVAILABLE"),
            QueueError::NotBuilt(_) | QueueError::Overtaken(_) => {
                (Code::Unavailable, "INDEX_NOT_BUILT")
            }
        },
        DialerError::Store(error) => match error {
            StoreError::Denied(why) => denied(why),
            StoreError::Unavailable(_) => (Code::Unavailable, "STORE_UNAVAILABLE"),
            StoreError::Full => (Code::ResourceExhausted, "STORE_FULL"),
            StoreError::Low => (Code::ResourceExhausted, "STORE_LOW"),
            StoreError::NoRoom { .. } => (Code::ResourceExhausted, "STORE_NO_ROOM"),
            StoreError::Unknown => (Code::Unavailable, "COMMIT_UNKNOWN"),
            StoreError::Stopped => (Code::Unavailable, "STORE_STOPPED"),
            StoreError::InUse { .. } => (Code::Unavailable, "STORE_IN_USE"),
            StoreError::Unfit { .. } => (Code::Unavailable, "STORE_UNFIT"),
            StoreError::Newer { .. } => (Code::Unavailable, "STORE_NEWER"),
            StoreError::Corrupt { .. } => (Code::Internal, "STORE_CORRUPT"),
        },
    }
}

fn denied(why: &Denied) -> (Code, &'static str) {
    match why {
        Denied::RequestReused => (Code::InvalidArgument, "REQUEST_REUSED"),
        Denied::LeaseLost => (Code::FailedPrecondition, "LEASE_LOST"),
        Denied::UnknownTouch => (Code::NotFound, not_found("touch")),
        Denied::AlreadyRated => (Code::FailedPrecondition, "ALREADY_RATED"),
        Denied::UnknownReason => (Code::InvalidArgument, "FIELD_INVALID"),
        Denied::SkipLimit { .. } => (Code::FailedPrecondition, "SKIP_LIMIT"),
        Denied::UnknownLead(_) => (Code::NotFound, not_found("lead")),
        Denied::BackupRunning => (Code::FailedPrecondition, "BACKUP_RUNNING"),
        Denied::BackupElsewhere => (Code::FailedPrecondition, "BACKUP_ELSEWHERE"),
        Denied::UnknownRep(_) => (Code::NotFound, not_found("rep")),
        Denied::LeadErased => (Code::FailedPrecondition, "ERASED"),
        Denied::DutyLost => (Code::Aborted, "DUTY_LOST"),
        Denied::CampaignMoved => (Code::FailedPrecondition, "CAMPAIGN_MOVED"),
        Denied::LeadLeased { .. } => (Code::FailedPrecondition, "LEAD_LEASED"),
        Denied::LeadClosed => (Code::FailedPrecondition, "LEAD_CLOSED"),
    }
}

fn not_found(what: &str) -> &'static str {
    match what {
        "queue" => "QUEUE_NOT_FOUND",
        "campaign" => "CAMPAIGN_NOT_FOUND",
        "rep" => "REP_NOT_FOUND",
        "lead" => "LEAD_NOT_FOUND",
        "token" => "TOKEN_NOT_FOUND",
        "touch" => "TOUCH_NOT_FOUND",
        _ => "NOT_FOUND",
    }
}

/// What a person reads. A lead is never named: its external id may be an e-mail address.
fn message(error: &DialerError) -> String {
    match error {
        DialerError::NotFound { what: "touch", .. } => Denied::UnknownTouch.to_string(),
        DialerError::Store(StoreError::Denied(why @ Denied::AlreadyRated)) => why.to_string(),
        DialerError::NotFound { what: "lead", .. } => "there is no such lead".to_owned(),
        DialerError::RulesInvalid(Mistakes(mistakes)) => match mistakes.as_slice() {
            [one] => format!("the rules have a mistake in line {}", one.line),
            more => format!("the rules have {} mistakes", more.len()),
        },
        DialerError::Invalid(problems) => match problems.as_slice() {
            [] => "a field does not make sense".to_owned(),
            [one] => format!("{}: {}", one.field, one.problem),
            [one, more @ ..] => format!("{}: {}; {} more", one.field, one.problem, more.len()),
        },
        DialerError::Store(
            StoreError::Full
            | StoreError::Low
            | StoreError::NoRoom { .. }
            | StoreError::Unknown
            | StoreError::Stopped,
        ) => error.source().map_or_else(|| error.to_string(), ToString::to_string),
        other => other.to_string(),
    }
}

fn violations_of(mistakes: &Mistakes) -> impl Iterator<Item = FieldProblem> {
    mistakes.0.iter().map(|one| {
        let place = format!("line {}, column {}: {}", one.line, one.column, one.message);
        FieldProblem::new("text", place)
    })
}

fn add_violations(details: &mut ErrorDetails, problems: impl Iterator<Item = FieldProblem>) {
    let mut length_sum = 0;
    let mut left_out_count = 0;
    for one in problems {
        length_sum += one.field.len() + one.problem.len();
        if length_sum > VIOLATION_LENGTH_SUM_MAX {
            left_out_count += 1;
        } else {
            details.add_bad_request_violation(one.field, one.problem);
        }
    }
    if left_out_count > 0 {
        details.add_bad_request_violation("", format!("{left_out_count} more"));
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use crate::domain::LeadId;

    use super::*;

    fn check(error: impl Into<Status>, code: Code, reason: &str) -> Status {
        let status = error.into();
        assert_eq!(status.code(), code);
        assert_eq!(status.get_details_error_info().unwrap().reason, reason);
        status
    }

    #[test]
    fn every_error_has_a_code_and_a_reason() {
        let store = |error: StoreError| DialerError::from(error);
        for (error, code, reason) in [
            (DialerError::not_found("queue", "x"), Code::NotFound, "QUEUE_NOT_FOUND"),
            (DialerError::not_found("lead", 1), Code::NotFound, "LEAD_NOT_FOUND"),
            (DialerError::RepInactive("ann".into()), Code::FailedPrecondition, "REP_INACTIVE"),
            (
                DialerError::CallbackIllegal { next_at: None, bar: None },
                Code::InvalidArgument,
                "CALLBACK_ILLEGAL",
            ),
            (
                DialerError::LeadForbidden(Forbidden::NoNumber),
                Code::FailedPrecondition,
                "LEAD_FORBIDDEN",
            ),
            (DialerError::SkipLimit { next_at: None }, Code::FailedPrecondition, "SKIP_LIMIT"),
            (DialerError::RequestReused, Code::InvalidArgument, "REQUEST_REUSED"),
            (DialerError::LeaseLost, Code::FailedPrecondition, "LEASE_LOST"),
            (
                DialerError::OtherQueue { lead: LeadId(1), rep: "ann".into() },
                Code::PermissionDenied,
                "OTHER_QUEUE",
            ),
            (DialerError::CampaignMoved("x".into()), Code::FailedPrecondition, "CAMPAIGN_MOVED"),
            (
                store(StoreError::Denied(Denied::UnknownLead(LeadId(1)))),
                Code::NotFound,
                "LEAD_NOT_FOUND",
            ),
            (store(StoreError::Full), Code::ResourceExhausted, "STORE_FULL"),
            (store(StoreError::Low), Code::ResourceExhausted, "STORE_LOW"),
            (store(StoreError::Unknown), Code::Unavailable, "COMMIT_UNKNOWN"),
            (store(StoreError::Stopped), Code::Unavailable, "STORE_STOPPED"),
        ] {
            check(error, code, reason);
        }
        check(AuthError::Unauthenticated, Code::Unauthenticated, "TOKEN_INVALID");
    }

    #[test]
    fn who_may_ask_again_is_told_when() {
        let status =
            check(DialerError::from(StoreError::Full), Code::ResourceExhausted, "STORE_FULL");
        assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
        let status = check(Refusal::Overloaded, Code::ResourceExhausted, "OVERLOADED");
        assert_eq!(
            status.get_details_retry_info().unwrap().retry_delay,
            Some(Duration::from_secs(1))
        );
        assert!(Status::from(DialerError::LeaseLost).get_details_retry_info().is_none());
    }

    #[test]
    fn a_lead_that_is_not_there_is_not_named() {
        let status = Status::from(DialerError::not_found("lead", "ann@example.org"));
        assert!(!status.message().contains("ann"));
    }

    #[test]
    fn a_thousand_problems_still_fit_into_a_header() {
        let problem = |nth| FieldProblem::new(format!("rows[{nth}].lead.name"), "x".repeat(100));
        let status = Status::from(Problems((0..1_000).map(problem).collect()));
        assert!(status.details().len() < 8_192, "{} bytes", status.details().len());
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "rows[0].lead.name");
        assert!(violations.last().unwrap().description.ends_with(" more"));
        assert!(tonic_types::pb::Status::decode(status.details()).is_ok());
    }
}

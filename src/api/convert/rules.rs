//! Rule documents, their mistakes and their versions.

use crate::auth::Caller;
use crate::dialer::{CheckedRules, PublishRules, RuleVersionView};
use crate::domain::QueueId;
use crate::rules::{DOCUMENT_LENGTH_MAX, Mistake, Mistakes, PolicyLine};

use super::super::proto;
use super::super::status::Problems;
use super::{Fields, duration, time};

/// Reads a publication.
pub(in crate::api) fn publish(
    caller: &Caller,
    message: &proto::PublishRulesRequest,
) -> Result<PublishRules, Problems> {
    let mut fields = Fields::default();
    let queue = fields.id("queue_id", &message.queue_id, QueueId::new);
    if message.text.len() > DOCUMENT_LENGTH_MAX {
        fields.problem("text", format!("must have at most {DOCUMENT_LENGTH_MAX} bytes"));
    }
    let reason = fields.lines("reason", message.reason.clone());
    if message.reason.trim().is_empty() {
        fields.problem("reason", "must say why, for whoever reads the versions later");
    }
    let id = &message.request_id;
    let request = fields.request("PublishRules", &caller.name, id, message);
    let read = || {
        Some(PublishRules {
            queue: queue?,
            text: message.text.clone(),
            author: caller.name.clone(),
            reason: reason?,
            wait: message.wait,
            request: request?,
        })
    };
    fields.finish(read())
}

/// A document without mistakes.
pub(in crate::api) fn checked(checked: CheckedRules) -> proto::CheckRulesResponse {
    proto::CheckRulesResponse {
        mistakes: Vec::new(),
        warnings: checked.warnings,
        largest_head_start_duration: checked.largest_head_start_ms.map(duration),
        policy: checked.policy.into_iter().map(policy_line).collect(),
    }
}

fn policy_line(line: PolicyLine) -> proto::PolicyLine {
    let dispositions = line.dispositions.into_iter();
    proto::PolicyLine {
        dispositions: dispositions.map(|one| proto::Disposition::from(one).into()).collect(),
        outcome: line.outcome,
        built_in: line.is_built_in,
    }
}

/// A document with mistakes.
pub(in crate::api) fn mistakes(mistakes: Mistakes) -> proto::CheckRulesResponse {
    let place = |at: u32| i32::try_from(at).unwrap_or(i32::MAX);
    let mistake = |one: Mistake| proto::RuleMistake {
        line: place(one.line),
        column: place(one.column),
        length: place(one.length),
        message: one.message,
        source_line: one.source_line,
    };
    let mistakes = mistakes.0.into_iter().map(mistake).collect();
    proto::CheckRulesResponse { mistakes, ..Default::default() }
}

/// A version.
pub(in crate::api) fn version(queue: &QueueId, view: RuleVersionView) -> proto::RuleVersion {
    use proto::RuleVersionState as State;
    let state = match (view.is_in_force, view.is_ranking) {
        (true, _) => State::InForce,
        (false, true) => State::Ranking,
        (false, false) => State::Replaced,
    };
    let version = view.version;
    proto::RuleVersion {
        queue_id: queue.to_string(),
        version: version.version,
        text: version.text,
        author: version.author,
        reason: version.reason,
        publish_time: Some(time(version.published_at)),
        in_force_time: version.in_force_at.map(time),
        state: state.into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::auth::Role;

    use super::*;

    #[test]
    fn a_publication_names_its_author_by_the_token_and_needs_a_reason() {
        let caller = Caller { name: "admin".into(), role: Role::Admin, rep: None };
        let message = proto::PublishRulesRequest {
            queue_id: "inside".into(),
            text: "queue = \"inside\"".into(),
            reason: "more demos".into(),
            ..Default::default()
        };
        assert_eq!(publish(&caller, &message).unwrap().author, "admin");
        let silent = proto::PublishRulesRequest { reason: " ".into(), ..message };
        assert_eq!(publish(&caller, &silent).unwrap_err().0[0].field, "reason");
    }
}

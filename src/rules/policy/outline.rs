//! A policy in words, disposition by disposition: what `rules check` prints.

use super::super::duration::show;
use super::fixed_outcome;
use crate::domain::{AfterRoute, AfterRule, Delay, Disposition, Policy, Stage};

const DAY_MS: i64 = 24 * 3_600_000;

/// What follows some dispositions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLine {
    /// The dispositions.
    pub dispositions: Vec<Disposition>,
    /// What follows, in words.
    pub outcome: String,
    /// No rule of the document says so.
    pub is_built_in: bool,
}

/// What follows each disposition, in the order of the document, then what is built in.
pub(in crate::rules) fn outline(policy: &Policy) -> Vec<PolicyLine> {
    let of_rule = |rule: &AfterRule| PolicyLine {
        dispositions: rule.dispositions.clone(),
        outcome: outcome(rule),
        is_built_in: false,
    };
    let mut lines: Vec<PolicyLine> = policy.after.iter().map(of_rule).collect();
    let is_named =
        |one: &Disposition| policy.after.iter().any(|rule| rule.dispositions.contains(one));
    let first_built_in = lines.len();
    for disposition in Disposition::ALL.iter().copied().filter(|one| !is_named(one)) {
        let outcome = match fixed_outcome(disposition) {
            Some(fixed) => fixed.to_owned(),
            None if disposition.stops_number() => {
                let rule = outcome(&policy.built_in(disposition));
                format!("the number is stopped, the next is tried: {rule}")
            }
            None => outcome(&policy.built_in(disposition)),
        };
        match lines[first_built_in..].iter_mut().find(|line| line.outcome == outcome) {
            Some(line) => line.dispositions.push(disposition),
            None => {
                let dispositions = vec![disposition];
                lines.push(PolicyLine { dispositions, outcome, is_built_in: true });
            }
        }
    }
    lines
}

fn outcome(rule: &AfterRule) -> String {
    let end = route(rule);
    let Some(last) = rule.stages.last() else { return end };
    let stages: Vec<String> = rule.stages.iter().map(stage).collect();
    let mut text = stages.join("; then ");
    let by_time = last.for_the_first_ms.is_some() || last.attempts.is_some();
    let ends = match rule.attempts_max {
        Some(count) if by_time => format!("; then, or after {count} attempts, "),
        Some(count) => format!("; after {count} attempts "),
        None => "; when the campaign ends ".to_owned(),
    };
    text.push_str(&ends);
    if rule.attempts_min > 0 {
        text.push_str(&format!("but not before {} ", rule.attempts_min));
    }
    text + &end
}

fn stage(stage: &Stage) -> String {
    let delays: Vec<String> = stage.retry_in.iter().copied().map(delay).collect();
    let repeats = if delays.len() > 1 { " and so on" } else { " each time" };
    let delays = delays.join(", ") + repeats;
    let attempts = stage.attempts.map(|count| format!("{count} attempts"));
    let ends: Vec<String> = stage.for_the_first_ms.map(shown).into_iter().chain(attempts).collect();
    match ends.is_empty() {
        true => delays,
        false => format!("for the first {}: {delays}", ends.join(" or ")),
    }
}

fn delay(delay: Delay) -> String {
    match delay {
        Delay::For(0) => "at once".to_owned(),
        Delay::For(delay_ms) => shown(delay_ms),
        Delay::NextDaypart => "next_daypart".to_owned(),
    }
}

/// A duration as managers write such: in days if it is whole days.
fn shown(duration_ms: i64) -> String {
    match duration_ms % DAY_MS {
        0 => format!("{}d", duration_ms / DAY_MS),
        _ => show(duration_ms),
    }
}

fn route(rule: &AfterRule) -> String {
    let reason = rule.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    match &rule.then {
        AfterRoute::Nurture(Some(delay_ms)) => format!("nurture for {}", shown(*delay_ms)),
        AfterRoute::Nurture(None) => "nurture until an engagement".to_owned(),
        AfterRoute::NurtureUntil(date) => format!("nurture until {date}"),
        AfterRoute::Lost => format!("lost{reason}"),
        AfterRoute::Unreachable => format!("unreachable{reason}"),
        AfterRoute::Queue(queue) => {
            format!("handed to queue {queue}, where its attempts begin anew")
        }
    }
}

/// A rule of one stage as it is written, in one line.
pub(super) fn toml_line(rule: &AfterRule) -> String {
    let quoted = |texts: Vec<String>| format!("[\"{}\"]", texts.join("\", \""));
    let codes = rule.dispositions.iter().map(|one| one.code().to_owned()).collect();
    let mut keys = vec![format!("dispositions = {}", quoted(codes))];
    if let Some(stage) = rule.stages.first() {
        let delays = stage.retry_in.iter().copied().map(delay).collect();
        keys.push(format!("retry_in = {}", quoted(delays)));
    }
    keys.extend(rule.attempts_max.map(|count| format!("attempts_max = {count}")));
    keys.push(match rule.then {
        AfterRoute::Nurture(Some(delay_ms)) => {
            format!("then = {{ nurture = \"{}\" }}", shown(delay_ms))
        }
        _ => "then = \"lost\"".to_owned(),
    });
    keys.join(", ")
}

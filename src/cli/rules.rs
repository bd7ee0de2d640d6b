//! `rules` checks, publishes and lists what managers write. Checking is the node's: what `check`
//! accepts, `publish` accepts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tonic::Status;

use super::output::{Output, printable, table};
use super::words::{instant_text, proto_duration_text, word};
use crate::api::client::Client;
use crate::api::proto::{
    CheckRulesRequest, CheckRulesResponse, Disposition, ListRuleVersionsRequest,
    ListRuleVersionsResponse, PolicyLine, PublishRulesRequest, RuleMistake, RuleVersion,
    RuleVersionState,
};

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    Check(CheckArgs),
    Publish(PublishArgs),
    Versions(VersionsArgs),
}

/// Check a rule document: all mistakes at once, each with its place. Changes nothing
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 without mistakes, 1 with any.

Example:
  nextlead rules check rules.toml")]
pub(super) struct CheckArgs {
    /// The document, in TOML; - is standard input
    file: PathBuf,
}

/// Publish a rule document as the new version of its queue
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead rules publish rules.toml --reason \"demo requests first\" --wait

To roll back, publish the text of an older version.")]
pub(super) struct PublishArgs {
    /// The document, in TOML; - is standard input
    file: PathBuf,
    /// Why, for whoever reads the versions later
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The queue [default: the one that the document names]
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Wait until the version decides, or was overtaken by a later one
    #[arg(long)]
    wait: bool,
}

/// List the versions of a queue's rules, newest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead rules versions inside-sales
  nextlead rules versions inside-sales --text 3 > rules.toml")]
pub(super) struct VersionsArgs {
    /// The queue
    queue: String,
    /// At most so many, up to 100
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=100))]
    limit: i32,
    /// Print the text of this version, as it was published
    #[arg(long, value_name = "VERSION")]
    text: Option<i64>,
}

pub(super) async fn run(
    command: RulesCommand,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    match command {
        RulesCommand::Check(args) => check(args, node, output).await,
        RulesCommand::Publish(args) => publish(args, node, output).await,
        RulesCommand::Versions(args) => versions(args, node, output).await,
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    text.with_context(|| format!("cannot read {}", file.display()))
}

async fn check(args: CheckArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let name = args.file.display().to_string();
    let request = CheckRulesRequest { text: read(&args.file)? };
    let answer = node.rules().check_rules(request).await?.into_inner();
    output.answer(&answer, |answer| check_text(&name, answer))?;
    Ok(if answer.mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check_text(name: &str, answer: &CheckRulesResponse) -> String {
    let mut text = String::new();
    for mistake in &answer.mistakes {
        text.push_str(&mistake_text(name, mistake));
    }
    for warning in &answer.warnings {
        text.push_str(&format!("warning: {}\n", printable(warning)));
    }
    match answer.mistakes.len() {
        0 => {
            text.push_str(&format!("{name} can be published.\n"));
            if answer.largest_head_start_duration.is_some() {
                let head_start = proto_duration_text(answer.largest_head_start_duration.as_ref());
                text.push_str(&format!("Largest head start over another lead: {head_start}.\n"));
            }
            text.push_str(&policy_text(&answer.policy));
        }
        1 => text.push_str("1 mistake\n"),
        mistakes => text.push_str(&format!("{mistakes} mistakes\n")),
    }
    text
}

/// What follows each disposition, one a row.
fn policy_text(policy: &[PolicyLine]) -> String {
    if policy.is_empty() {
        return String::new();
    }
    let rows = policy.iter().flat_map(|line| {
        let by = if line.built_in { "nextlead" } else { "the document" };
        line.dispositions
            .iter()
            .map(move |one| [word::<Disposition>(*one), printable(&line.outcome), by.to_owned()])
    });
    format!("\nWhat follows a touch\n{}", table(["disposition", "what follows", "by"], &[], rows))
}

/// A mistake with its place, its line, and a caret under what it covers.
fn mistake_text(name: &str, mistake: &RuleMistake) -> String {
    let line = mistake.source_line.trim_end();
    let number = mistake.line.to_string();
    let gutter = " ".repeat(number.len());
    let before = usize::try_from(mistake.column - 1).unwrap_or(0);
    // A tab stays a tab above the caret too, or they would stand apart.
    let space: String =
        line.chars().take(before).map(|one| if one == '\t' { one } else { ' ' }).collect();
    let rest = line.chars().count().saturating_sub(before).max(1);
    let carets = "^".repeat(usize::try_from(mistake.length).unwrap_or(1).clamp(1, rest));
    format!(
        "{name}:{number}:{}: {}\n{gutter} |\n{number} | {}\n{gutter} | {space}{carets}\n\n",
        mistake.column,
        printable(&mistake.message),
        line.replace('\u{1b}', " "),
    )
}

async fn publish(args: PublishArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let text = read(&args.file)?;
    let queue_id = match args.queue {
        Some(queue) => queue,
        None => named_queue(&text).with_context(|| {
            format!("{} names no queue; name it with --queue", args.file.display())
        })?,
    };
    let request = PublishRulesRequest {
        queue_id,
        text,
        reason: args.reason,
        wait: args.wait,
        request_id: String::new(),
    };
    let answer = node.rules().publish_rules(request).await;
    let answer = answer.with_context(|| format!("cannot publish {}", args.file.display()))?;
    let answer = answer.into_inner();
    output.answer(&answer, |answer| versions_text(answer.rule_version.as_slice()))?;
    Ok(ExitCode::SUCCESS)
}

/// The queue that a document names. Whether the rest of it makes sense is for the node to say.
fn named_queue(text: &str) -> Option<String> {
    let document: toml::Table = text.parse().ok()?;
    Some(document.get("queue")?.as_str()?.to_owned())
}

async fn versions(args: VersionsArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let wanted = args.text;
    let mut all = ListRuleVersionsResponse::default();
    let mut request = ListRuleVersionsRequest {
        queue_id: args.queue,
        page_size: if wanted.is_some() { 100 } else { args.limit },
        page_token: String::new(),
    };
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    loop {
        let page = node.rules().list_rule_versions(request.clone()).await?.into_inner();
        all.rule_versions.extend(page.rule_versions);
        let found = |one: &RuleVersion| Some(one.version) == wanted;
        let is_enough = match wanted {
            Some(_) => all.rule_versions.iter().any(found),
            None => all.rule_versions.len() >= limit,
        };
        if is_enough || page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    match wanted {
        Some(version) => {
            all.rule_versions.retain(|one| one.version == version);
            let one = all.rule_versions.first();
            // As the node would say it, had it been asked for this one alone.
            let missing = || Status::not_found(format!("there is no version {version}"));
            let one = one.ok_or_else(missing)?;
            output.answer(one, |one| one.text.clone())?;
        }
        None => {
            all.rule_versions.truncate(limit);
            output.answer(&all, |all| versions_text(&all.rule_versions))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn versions_text(versions: &[RuleVersion]) -> String {
    let rows = versions.iter().map(|one| {
        [
            one.version.to_string(),
            word::<RuleVersionState>(one.state),
            instant_text(one.publish_time.as_ref()),
            instant_text(one.in_force_time.as_ref()),
            one.author.clone(),
            one.reason.clone(),
        ]
    });
    table(["version", "state", "published", "in force", "author", "reason"], &[0], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_what_is_wrong() {
        let mistake = RuleMistake {
            line: 12,
            column: 9,
            length: 7,
            message: "no field 'lead.sorce'; is it 'lead.source'?".into(),
            source_line: "when = 'lead.sorce == 1'".into(),
        };
        assert_eq!(
            mistake_text("rules.toml", &mistake),
            "rules.toml:12:9: no field 'lead.sorce'; is it 'lead.source'?\n   |\n\
             12 | when = 'lead.sorce == 1'\n   |         ^^^^^^^\n\n"
        );
    }

    #[test]
    fn a_caret_never_runs_past_its_line() {
        let mistake = RuleMistake {
            line: 1,
            column: 3,
            length: 90,
            source_line: "\tab".into(),
            message: "?".into(),
        };
        assert!(mistake_text("r", &mistake).ends_with("| \t ^\n\n"));
        let empty = RuleMistake { line: 1, column: 0, length: 0, ..mistake };
        assert!(mistake_text("r", &empty).ends_with("| ^\n\n"));
    }

    #[test]
    fn a_document_names_its_queue() {
        assert_eq!(named_queue("queue = \"web\"\n"), Some("web".into()));
        assert_eq!(named_queue("point_is = \"1m\"\n"), None);
        assert_eq!(named_queue("queue = "), None);
    }
}

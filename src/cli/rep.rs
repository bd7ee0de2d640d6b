//! `rep` sets up who calls.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::{Output, table};
use crate::api::client::Client;
use crate::api::proto::{ListRepsRequest, ListRepsResponse, Rep, UpsertRepRequest};

const PAGE_SIZE: i32 = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum RepCommand {
    Set(SetArgs),
    List(ListArgs),
}

/// Make a rep, or change their settings. What is not named gets its default
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead rep set ann --queue inside-sales --skills de,en")]
pub(super) struct SetArgs {
    /// The rep's id: your own text
    id: String,
    /// The queue that they work
    #[arg(long, value_name = "QUEUE")]
    queue: String,
    /// What they can do: they are only offered leads whose skills they all have
    #[arg(long, value_name = "SKILL", value_delimiter = ',')]
    skills: Vec<String>,
    /// They may not pull any more; what they hold stays theirs
    #[arg(long)]
    inactive: bool,
}

/// List the reps
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead rep list --queue inside-sales")]
pub(super) struct ListArgs {
    /// Only those who work this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
}

pub(super) async fn run(
    command: RepCommand,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    match command {
        RepCommand::Set(args) => set(args, node, output).await,
        RepCommand::List(args) => list(args, node, output).await,
    }
}

async fn set(args: SetArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let rep = Rep {
        rep_id: args.id,
        queue_id: args.queue,
        skills: args.skills,
        active: Some(!args.inactive),
    };
    let request = UpsertRepRequest { rep: Some(rep), ..UpsertRepRequest::default() };
    let answer = node.queues().upsert_rep(request).await?.into_inner();
    output.answer(&answer, |answer| reps_text(answer.rep.as_slice()))?;
    Ok(ExitCode::SUCCESS)
}

async fn list(args: ListArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let mut all = ListRepsResponse::default();
    let mut request = ListRepsRequest {
        queue_id: args.queue.unwrap_or_default(),
        page_size: PAGE_SIZE,
        page_token: String::new(),
    };
    loop {
        let page = node.queues().list_reps(request.clone()).await?.into_inner();
        all.reps.extend(page.reps);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    output.answer(&all, |all| reps_text(&all.reps))?;
    Ok(ExitCode::SUCCESS)
}

fn reps_text(reps: &[Rep]) -> String {
    let rows = reps.iter().map(|rep| {
        let may_pull = if rep.active.unwrap_or(true) { "yes" } else { "no" };
        [rep.rep_id.clone(), rep.queue_id.clone(), rep.skills.join(", "), may_pull.to_owned()]
    });
    table(["rep", "queue", "skills", "may pull"], &[], rows)
}

//! `rep` sets up who calls.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::{Output, table};
use super::words::{Instant, instant_text, read_instant};
use crate::api::client::Client;
use crate::api::proto::{Absence, ListRepsRequest, ListRepsResponse, Rep, UpsertRepRequest};
use crate::clock::{Clock as _, SystemClock};

const PAGE_SIZE: i32 = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum RepCommand {
    Set(SetArgs),
    List(ListArgs),
}

/// Make a rep, or change their settings. What is not named gets its default
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead rep set ann --queue inside-sales --skills de,en
  nextlead rep set ann --queue inside-sales --hours \"mon-fri 09:00-17:00\" --zone Europe/Berlin \\
      --absence 2026-08-03T00:00:00+02:00..2026-08-17T00:00:00+02:00
  nextlead rep set bob --queue inside-sales --ends 2026-09-01T00:00:00+02:00")]
pub(super) struct SetArgs {
    /// The rep's id: your own text
    id: String,
    /// The queue that they work
    #[arg(long, value_name = "QUEUE")]
    queue: String,
    /// What they can do: they are only offered leads whose skills they all have
    #[arg(long, value_name = "SKILL", value_delimiter = ',')]
    skills: Vec<String>,
    /// They may not pull any more, and what is kept for them is anyone's
    #[arg(long)]
    inactive: bool,
    /// When they work: "mon-fri 09:00-17:00" [default: always]
    #[arg(long, value_name = "HOURS", requires = "zone")]
    hours: Option<String>,
    /// Time zone of their hours: an IANA name
    #[arg(long, value_name = "ZONE", requires = "hours")]
    zone: Option<String>,
    /// When they are away, from one instant to another; may be given up to 100 times
    #[arg(long = "absence", value_name = "FROM..TO", value_parser = read_absence)]
    absences: Vec<(Instant, Instant)>,
    /// From when on they work here no more [default: no end is known]
    #[arg(long, value_name = "INSTANT", value_parser = read_instant)]
    ends: Option<Instant>,
}

/// Reads an absence: two instants with two dots between.
fn read_absence(text: &str) -> Result<(Instant, Instant), String> {
    let (from, to) = text.split_once("..").ok_or("two instants with .. between: FROM..TO")?;
    Ok((read_instant(from)?, read_instant(to)?))
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
    let now = SystemClock::start(0).now();
    let absence = |(from, to): (Instant, Instant)| Absence {
        start_time: Some(from.timestamp(now)),
        end_time: Some(to.timestamp(now)),
    };
    let rep = Rep {
        rep_id: args.id,
        queue_id: args.queue,
        skills: args.skills,
        active: Some(!args.inactive),
        hours: args.hours.unwrap_or_default(),
        time_zone: args.zone.unwrap_or_default(),
        absences: args.absences.into_iter().map(absence).collect(),
        end_time: args.ends.map(|ends| ends.timestamp(now)),
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
        let hours = match rep.hours.as_str() {
            "" => "always".to_owned(),
            hours => format!("{hours} ({})", rep.time_zone),
        };
        let next = rep.absences.first().map(|absence| {
            let (from, to) = (absence.start_time.as_ref(), absence.end_time.as_ref());
            format!("{}..{}", instant_text(from), instant_text(to))
        });
        [
            rep.rep_id.clone(),
            rep.queue_id.clone(),
            rep.skills.join(", "),
            may_pull.to_owned(),
            hours,
            next.unwrap_or_default(),
            instant_text(rep.end_time.as_ref()),
        ]
    });
    table(["rep", "queue", "skills", "may pull", "hours", "next absence", "ends"], &[], rows)
}

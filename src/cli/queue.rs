//! `queue` sets up what leads are routed by; `peek` shows who is first in line.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::output::{Output, count, table};
use super::words::{
    duration_of, instant_text, proto_duration_text, read_duration_ms, read_word, word,
};
use crate::api::client::Client;
use crate::api::proto::{
    CallingLaw, Cap, Disposition, ListQueuesRequest, ListQueuesResponse, PeekQueueRequest,
    PeekQueueResponse, QualityMode, Queue, QueuePlace, Tier, UpsertQueueRequest,
};

const PAGE_SIZE: i32 = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum QueueCommand {
    Set(Box<SetArgs>),
    /// List the queues
    #[command(after_help = "Example:
  nextlead queue list --json")]
    List,
}

/// Make a queue, or change its settings. What is not named gets its default
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead queue set inside-sales --zone Europe/Berlin --hours \"mon-fri 09:00-18:00\"
  nextlead queue set us --zone America/New_York --hours always --cap 3/24h --cap 10/30d
  nextlead queue set inside-sales --zone Europe/Berlin --hours always --skips-per-hour 6
  nextlead queue set inside-sales --zone UTC --hours always --quality required \\
      --quality-after not_interested,qualified,sale --quality-reasons good_fit,no_need,other")]
pub(super) struct SetArgs {
    /// The queue's id: your own text
    id: String,
    /// Time zone in which the queue's hours count for the first-touch promise: an IANA name
    #[arg(long, value_name = "ZONE")]
    zone: String,
    /// When leads may be called, by the clock on their own wall and on top of the law: "mon-fri
    /// 09:00-18:00, sat 10:00-14:00", or "always"
    #[arg(long, value_name = "HOURS")]
    hours: String,
    /// How long a lease lasts [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = read_duration_ms)]
    lease: Option<i64>,
    /// How far renewals carry a lease, from its beginning [default: 2h]
    #[arg(long, value_name = "DURATION", value_parser = read_duration_ms)]
    lease_total: Option<i64>,
    /// How long after the end of its lease a touch is still in time [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = read_duration_ms)]
    grace: Option<i64>,
    /// Whether the law of calling hours covers the queue's calls; "exempt" only if the company has
    /// established that it does not
    #[arg(long, value_name = "LAW", value_enum, default_value_t = LawArg::Applies)]
    law: LawArg,
    /// How long before the law's closing a lead is no longer offered [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = read_duration_ms)]
    closing_margin: Option<i64>,
    /// How often a number may be dialled within a window that rolls along, on top of the law: "3/24h".
    /// Calls of all queues count, the lowest limit wins. Give it again for another window, at most 8
    #[arg(long = "cap", value_name = "COUNT/WINDOW", value_parser = read_cap)]
    caps: Vec<Cap>,
    /// How many leads a rep may skip within any hour, those included that they let run out; 0: none
    /// [default: no limit]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(0..=1_000))]
    skips_per_hour: Option<i32>,
    /// How long a due callback waits for the rep who promised it in person [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = read_duration_ms)]
    callback_grace: Option<i64>,
    /// How many callbacks a rep may have promised in person at a time [default: 50]
    #[arg(long, value_name = "COUNT")]
    callbacks_max: Option<i32>,
    /// A longer absence of a lead's owner gives the lead to anyone meanwhile [default: 2d]
    #[arg(long, value_name = "DURATION", value_parser = read_duration_ms)]
    owner_absence_max: Option<i64>,
    /// A rep who pulls outside of their hours or in an absence gets no lead
    #[arg(long)]
    strict_rep_hours: bool,
    /// Whether reps are asked what they think of their leads; "required": who owes it gets no lead
    #[arg(long, value_name = "MODE", value_enum, default_value_t = QualityArg::Off)]
    quality: QualityArg,
    /// After which dispositions they are asked [default: whenever the lead itself was reached]
    #[arg(long, value_name = "CODES", value_delimiter = ',', value_parser = read_word::<Disposition>)]
    quality_after: Vec<Disposition>,
    /// The reasons that they may give [default: good_fit, no_need, no_budget, no_authority,
    /// bad_timing, wrong_person, bad_data, other]
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    quality_reasons: Vec<String>,
}

/// Reads `3/24h`.
fn read_cap(text: &str) -> Result<Cap, String> {
    let (count, window) = text.split_once('/').ok_or("must be a count and a window: 3/24h")?;
    let dial_count_max = count.trim().parse().map_err(|_| "must begin with a count: 3/24h")?;
    let window_ms = read_duration_ms(window.trim())?;
    Ok(Cap { dial_count_max, window_duration: Some(duration_of(window_ms)) })
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum QualityArg {
    Off,
    Asked,
    Required,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LawArg {
    Applies,
    Exempt,
}

/// Show the first ready leads of a queue, best first
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead peek inside-sales --limit 50")]
pub(super) struct PeekArgs {
    /// The queue
    queue: String,
    /// How many to show, at most 200
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=200))]
    limit: i32,
}

pub(super) async fn run(
    command: QueueCommand,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    match command {
        QueueCommand::Set(args) => set(*args, node, output).await,
        QueueCommand::List => list(node, output).await,
    }
}

async fn set(args: SetArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let queue = Queue {
        queue_id: args.id,
        time_zone: args.zone,
        hours: args.hours,
        lease_duration: args.lease.map(duration_of),
        lease_total_duration: args.lease_total.map(duration_of),
        grace_duration: args.grace.map(duration_of),
        calling_law: match args.law {
            LawArg::Applies => CallingLaw::Applies.into(),
            LawArg::Exempt => CallingLaw::Exempt.into(),
        },
        closing_margin_duration: args.closing_margin.map(duration_of),
        caps: args.caps,
        skips_per_hour_max: args.skips_per_hour,
        callback_grace_duration: args.callback_grace.map(duration_of),
        callback_count_max: args.callbacks_max,
        owner_absence_max_duration: args.owner_absence_max.map(duration_of),
        strict_rep_hours: args.strict_rep_hours,
        quality_mode: match args.quality {
            QualityArg::Off => QualityMode::Off.into(),
            QualityArg::Asked => QualityMode::Asked.into(),
            QualityArg::Required => QualityMode::Required.into(),
        },
        quality_dispositions: args.quality_after.into_iter().map(i32::from).collect(),
        quality_reasons: args.quality_reasons,
        ..Queue::default()
    };
    let request = UpsertQueueRequest { queue: Some(queue), ..UpsertQueueRequest::default() };
    let answer = node.queues().upsert_queue(request).await?.into_inner();
    output.answer(&answer, |answer| queues_text(answer.queue.as_slice()))?;
    Ok(ExitCode::SUCCESS)
}

async fn list(node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let mut all = ListQueuesResponse::default();
    let mut request = ListQueuesRequest { page_size: PAGE_SIZE, page_token: String::new() };
    loop {
        let page = node.queues().list_queues(request.clone()).await?.into_inner();
        all.queues.extend(page.queues);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    output.answer(&all, |all| queues_text(&all.queues))?;
    Ok(ExitCode::SUCCESS)
}

fn queues_text(queues: &[Queue]) -> String {
    let rows = queues.iter().map(|queue| {
        let rules = match (queue.rule_version, queue.ranking_version) {
            (0, 0) => "none".to_owned(),
            (version, 0) => version.to_string(),
            (version, next) => format!("{version} ({next} is ranking)"),
        };
        [
            queue.queue_id.clone(),
            queue.time_zone.clone(),
            queue.hours.clone(),
            proto_duration_text(queue.lease_duration.as_ref()),
            proto_duration_text(queue.lease_total_duration.as_ref()),
            proto_duration_text(queue.grace_duration.as_ref()),
            law_text(queue),
            caps_text(queue),
            rules,
        ]
    });
    table(["queue", "zone", "hours", "lease", "in all", "grace", "law", "caps", "rules"], &[], rows)
}

/// Its own caps; those of the law are the law's.
fn caps_text(queue: &Queue) -> String {
    let text = |cap: &Cap| {
        format!("{}/{}", cap.dial_count_max, proto_duration_text(cap.window_duration.as_ref()))
    };
    queue.caps.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Whether the law covers its calls, and how long before the law's closing it stops.
fn law_text(queue: &Queue) -> String {
    match queue.closing_margin_duration.as_ref() {
        Some(margin) if queue.calling_law() == CallingLaw::Applies => {
            format!("applies, -{}", proto_duration_text(Some(margin)))
        }
        _ => word::<CallingLaw>(queue.calling_law),
    }
}

pub(super) async fn peek(args: PeekArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let request = PeekQueueRequest { queue_id: args.queue, place_count: args.limit };
    let answer = node.queues().peek_queue(request).await?.into_inner();
    output.answer(&answer, peek_text)?;
    Ok(ExitCode::SUCCESS)
}

fn peek_text(answer: &PeekQueueResponse) -> String {
    let rows = answer.places.iter().map(place_row);
    let header =
        ["#", "lead", "name", "points", "tier", "ready since", "first due", "source", "kept for"];
    format!(
        "{}{} of {} ready leads at {}; a point is {}\n",
        table(header, &[0, 3], rows),
        count(i64::try_from(answer.places.len()).unwrap_or(i64::MAX)),
        count(answer.ready_count),
        instant_text(answer.taken_time.as_ref()),
        proto_duration_text(answer.point_duration.as_ref()),
    )
}

fn place_row(place: &QueuePlace) -> [String; 9] {
    let (name, source) = match &place.lead {
        Some(lead) => (lead.name.clone(), lead.source.clone()),
        None => ("(gone since)".to_owned(), String::new()),
    };
    let ready_since = place.state.as_ref().and_then(|state| state.ready_since_time.as_ref());
    [
        place.position.to_string(),
        place.lead_id.clone(),
        name,
        count(place.points),
        word::<Tier>(place.tier),
        instant_text(ready_since),
        instant_text(place.first_touch_due_time.as_ref()),
        source,
        place.kept_for_rep_id.clone(),
    ]
}

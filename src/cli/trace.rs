//! `trace` tells everything that ever happened to a lead.

use std::process::ExitCode;

use clap::Args;

use super::color::Tone;
use super::lead::{LeadArgs, standing_text};
use super::output::{Output, toned_table};
use super::words::{instant_text, word};
use crate::api::client::Client;
use crate::api::proto::{LeadEvent, LeadEventKind, TraceLeadRequest, TraceLeadResponse};

const PAGE_SIZE: i32 = 1_000;

/// Tell everything that ever happened to a lead, oldest first
#[derive(Debug, Args)]
#[command(override_usage = "nextlead trace [OPTIONS] LEAD
       nextlead trace [OPTIONS] --source-system S --external-id ID --campaign C")]
#[command(after_help = "Examples:
  nextlead trace 17
  nextlead trace --source-system crm --external-id A-9 --campaign spring --json")]
pub(super) struct TraceArgs {
    #[command(flatten)]
    lead: LeadArgs,
}

pub(super) async fn run(args: TraceArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let mut all = TraceLeadResponse::default();
    let mut request = TraceLeadRequest {
        lead: Some(args.lead.into_ref()),
        page_size: PAGE_SIZE,
        page_token: String::new(),
    };
    loop {
        let page = node.queues().trace_lead(request.clone()).await?.into_inner();
        all.lead_id = page.lead_id;
        all.events.extend(page.events);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    output.answer(&all, |all| {
        let rows = all.events.iter().map(event_row);
        let tone = |column, text: &str| match column {
            4 => Tone::of_standing(text),
            _ => Tone::Plain,
        };
        let header = ["#", "when", "what", "who", "stands", "details"];
        format!("Lead {}\n{}", all.lead_id, toned_table(header, &[0], rows, tone))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn event_row(event: &LeadEvent) -> [String; 6] {
    let mut details: Vec<_> =
        event.details.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if event.rule_version > 0 {
        details.push(format!("rules={}", event.rule_version));
    }
    [
        event.number.to_string(),
        instant_text(event.event_time.as_ref()),
        word::<LeadEventKind>(event.kind),
        event.actor.clone(),
        standing_text(event.to_standing.as_ref()),
        details.join(" "),
    ]
}

//! `campaign` sets up where leads come from.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::{Output, table};
use super::words::{Instant, instant_text, read_instant, read_word, word};
use crate::api::client::Client;
use crate::api::proto::{
    Campaign, ListCampaignsRequest, ListCampaignsResponse, PauseCampaignRequest, Route,
    UpsertCampaignRequest,
};
use crate::clock::{Clock as _, SystemClock};

const PAGE_SIZE: i32 = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum CampaignCommand {
    Set(SetArgs),
    List(ListArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
}

/// Make a campaign, or change its settings. What is not named gets its default
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead campaign set spring --queue inside-sales
  nextlead campaign set fair --queue inside-sales --skills de,solar \\
      --ends-at 2026-06-30T18:00:00+02:00 --route-at-end nurture")]
pub(super) struct SetArgs {
    /// The campaign's id: your own text
    id: String,
    /// The queue that it feeds; cannot change later
    #[arg(long, value_name = "QUEUE")]
    queue: String,
    /// Skills that a rep needs for each of its leads
    #[arg(long, value_name = "SKILL", value_delimiter = ',')]
    skills: Vec<String>,
    /// When it ends: an instant with its offset, or +30d from now [default: never]
    #[arg(long, value_name = "INSTANT", value_parser = read_instant)]
    ends_at: Option<Instant>,
    /// What becomes of leads that are open then: nurture, lost or unreachable [default: nurture]
    #[arg(long, value_name = "ROUTE", value_parser = read_word::<Route>)]
    route_at_end: Option<Route>,
    /// The country of numbers in national form, where a lead names none: DE, US
    #[arg(long, value_name = "COUNTRY")]
    default_country: Option<String>,
}

/// Serve none of a campaign's leads until it is resumed; they keep their places
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead campaign pause spring")]
pub(super) struct PauseArgs {
    /// The campaign's id
    id: String,
}

/// Serve a paused campaign's leads again, from where they stood
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead campaign resume spring")]
pub(super) struct ResumeArgs {
    /// The campaign's id
    id: String,
}

/// List the campaigns
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead campaign list --queue inside-sales")]
pub(super) struct ListArgs {
    /// Only those that feed this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
}

pub(super) async fn run(
    command: CampaignCommand,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    match command {
        CampaignCommand::Set(args) => set(args, node, output).await,
        CampaignCommand::List(args) => list(args, node, output).await,
        CampaignCommand::Pause(args) => pause(args.id, false, node, output).await,
        CampaignCommand::Resume(args) => pause(args.id, true, node, output).await,
    }
}

async fn set(args: SetArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let now = SystemClock::start(0).now();
    let campaign = Campaign {
        campaign_id: args.id,
        queue_id: args.queue,
        skills: args.skills,
        end_time: args.ends_at.map(|instant| instant.timestamp(now)),
        end_route: args.route_at_end.unwrap_or_default() as i32,
        default_country: args.default_country.unwrap_or_default(),
        paused: false,
    };
    let request =
        UpsertCampaignRequest { campaign: Some(campaign), ..UpsertCampaignRequest::default() };
    let answer = node.intake().upsert_campaign(request).await?.into_inner();
    output.answer(&answer, |answer| campaigns_text(answer.campaign.as_slice()))?;
    Ok(ExitCode::SUCCESS)
}

async fn pause(
    campaign_id: String,
    resume: bool,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let request = PauseCampaignRequest { campaign_id, resume };
    let answer = node.intake().pause_campaign(request).await?.into_inner();
    output.answer(&answer, |answer| campaigns_text(answer.campaign.as_slice()))?;
    Ok(ExitCode::SUCCESS)
}

async fn list(args: ListArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let mut all = ListCampaignsResponse::default();
    let mut request = ListCampaignsRequest {
        queue_id: args.queue.unwrap_or_default(),
        page_size: PAGE_SIZE,
        page_token: String::new(),
    };
    loop {
        let page = node.intake().list_campaigns(request.clone()).await?.into_inner();
        all.campaigns.extend(page.campaigns);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    output.answer(&all, |all| campaigns_text(&all.campaigns))?;
    Ok(ExitCode::SUCCESS)
}

fn campaigns_text(campaigns: &[Campaign]) -> String {
    let rows = campaigns.iter().map(|campaign| {
        let ends_at = instant_text(campaign.end_time.as_ref());
        let ends_at = if ends_at.is_empty() { "never".to_owned() } else { ends_at };
        [
            campaign.campaign_id.clone(),
            campaign.queue_id.clone(),
            campaign.skills.join(", "),
            ends_at,
            word::<Route>(campaign.end_route),
            campaign.default_country.clone(),
            if campaign.paused { "paused".to_owned() } else { String::new() },
        ]
    });
    table(["campaign", "queue", "skills", "ends", "then", "country", ""], &[], rows)
}

//! `lead` tells the node what became of a lead elsewhere, to whom it belongs, and which queue works it.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::assign::{self, OwnerCommand};
use super::lead::{LeadArgs, standing_text};
use super::output::{Output, table};
use super::transfer::{self, TransferArgs};
use super::words::{Instant, instant_text, read_instant, read_word};
use crate::api::client::Client;
use crate::api::proto::{
    Engagement, OutcomeResult, RecordEngagementRequest, RecordEngagementResponse,
    RecordOutcomeRequest,
};
use crate::clock::{Clock as _, SystemClock};

#[derive(Debug, Subcommand)]
pub(super) enum LeadCommand {
    Engage(EngageArgs),
    Outcome(OutcomeArgs),
    Transfer(TransferArgs),
    #[command(flatten)]
    Owner(OwnerCommand),
}

/// Record something that a lead did: it visited, downloaded, answered
#[derive(Debug, Args)]
#[command(override_usage = "nextlead lead engage [OPTIONS] LEAD
       nextlead lead engage [OPTIONS] --source-system S --external-id ID --campaign C")]
#[command(after_help = "\
It counts in what rules read as lead.engagements. With --wakes it is a new interest: a lead in nurture
or waiting for its next attempt is ready at once; a callback, a rep's hands and any other close keep it.

Examples:
  nextlead lead engage 17 --kind visited --seen-by web --id v-1
  nextlead lead engage 17 --kind asked_for_offer --seen-by web --id v-2 --wakes")]
pub(super) struct EngageArgs {
    #[command(flatten)]
    lead: LeadArgs,
    /// What it did: visited, downloaded, answered. Nothing personal
    #[arg(long, value_name = "WORD")]
    kind: String,
    /// The system that saw it
    #[arg(long, value_name = "SYSTEM")]
    seen_by: String,
    /// That system's id of it: recording it again changes nothing
    #[arg(long, value_name = "ID")]
    id: String,
    /// When: an instant with its offset [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = read_instant)]
    at: Option<Instant>,
    /// It is a new interest, that may bring the lead back
    #[arg(long)]
    wakes: bool,
}

/// Record what became of a lead in the CRM: a deal that was won or lost
#[derive(Debug, Args)]
#[command(override_usage = "nextlead lead outcome [OPTIONS] LEAD
       nextlead lead outcome [OPTIONS] --source-system S --external-id ID --campaign C")]
#[command(after_help = "\
It counts for the lead's campaign: see `nextlead coverage`. An open lead in nobody's hands closes.

Examples:
  nextlead lead outcome 17 --result won --amount-minor 120000 --currency EUR --told-by crm --id D-9
  nextlead lead outcome 17 --result lost --told-by crm --id D-9")]
pub(super) struct OutcomeArgs {
    #[command(flatten)]
    lead: LeadArgs,
    /// How the deal ended: won or lost
    #[arg(long, value_name = "WORD", value_parser = read_word::<OutcomeResult>)]
    result: OutcomeResult,
    /// What it was worth, in minor units of the currency: cents, say
    #[arg(long, value_name = "NUMBER", requires = "currency", default_value_t = 0)]
    amount_minor: i64,
    /// The ISO 4217 code of the currency: EUR
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    currency: String,
    /// The system that knows of the deal
    #[arg(long, value_name = "SYSTEM")]
    told_by: String,
    /// That system's id of the outcome: recording it again changes nothing
    #[arg(long, value_name = "ID")]
    id: String,
    /// When it was decided: an instant with its offset [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = read_instant)]
    at: Option<Instant>,
}

pub(super) async fn run(
    command: LeadCommand,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    match command {
        LeadCommand::Engage(args) => engage(args, node, output).await,
        LeadCommand::Outcome(args) => outcome(args, node, output).await,
        LeadCommand::Transfer(args) => transfer::run(args, node, output).await,
        LeadCommand::Owner(command) => assign::run(command, node, output).await,
    }
}

async fn engage(args: EngageArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let now = SystemClock::start(0).now();
    let request = RecordEngagementRequest {
        lead: Some(args.lead.into_ref()),
        source_system: args.seen_by,
        engagement_id: args.id,
        kind: args.kind,
        engaged_time: args.at.map(|instant| instant.timestamp(now)),
        wakes: args.wakes,
    };
    let answer = node.intake().record_engagement(request).await?.into_inner();
    output.answer(&answer, engaged_text)?;
    Ok(ExitCode::SUCCESS)
}

async fn outcome(args: OutcomeArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let now = SystemClock::start(0).now();
    let request = RecordOutcomeRequest {
        lead: Some(args.lead.into_ref()),
        source_system: args.told_by,
        outcome_id: args.id,
        result: args.result as i32,
        amount_minor: args.amount_minor,
        currency: args.currency,
        decided_time: args.at.map(|instant| instant.timestamp(now)),
    };
    let answer = node.intake().record_outcome(request).await?.into_inner();
    output.answer(&answer, |answer| {
        let before = if answer.recorded_before { "It had been recorded before. " } else { "" };
        let standing = answer.state.as_ref().and_then(|state| state.standing.as_ref());
        format!("{before}Lead {} is {}.\n", answer.lead_id, standing_text(standing))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn engaged_text(answer: &RecordEngagementResponse) -> String {
    let before = if answer.recorded_before { "It had been recorded before. " } else { "" };
    let woken = if answer.woken { "It came back: it" } else { "It" };
    let standing = answer.state.as_ref().map_or(String::new(), |state| {
        format!("{woken} is {}.\n", standing_text(state.standing.as_ref()))
    });
    format!("{before}Lead {} engaged. {standing}", answer.lead_id)
}

/// What a lead did by itself, one a line.
pub(super) fn engagements_text(engagements: &[Engagement]) -> String {
    let rows = engagements.iter().map(|one| {
        let what = match (one.wakes, one.woken) {
            (_, true) => "a new interest: it came back",
            (true, false) => "a new interest",
            (false, false) => "",
        };
        let at = instant_text(one.engaged_time.as_ref());
        [at, one.kind.clone(), one.source_system.clone(), what.to_owned()]
    });
    table(["when", "did", "seen by", ""], &[], rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::standing::Standing as Stands;
    use crate::api::proto::{LeadState, ReadyStanding, Standing};

    #[test]
    fn an_engagement_says_what_it_did_to_the_lead() {
        let standing = Standing { standing: Some(Stands::Ready(ReadyStanding {})) };
        let state = LeadState { standing: Some(standing), ..LeadState::default() };
        let mut answer = RecordEngagementResponse {
            lead_id: "17".into(),
            state: Some(state),
            woken: true,
            recorded_before: false,
        };
        assert_eq!(engaged_text(&answer), "Lead 17 engaged. It came back: it is ready.\n");
        (answer.woken, answer.recorded_before) = (false, true);
        let again = "It had been recorded before. Lead 17 engaged. It is ready.\n";
        assert_eq!(engaged_text(&answer), again);
    }
}

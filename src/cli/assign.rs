//! `lead assign` gives a lead to a rep, `lead unassign` takes it back.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::lead::{LeadArgs, standing_text};
use super::output::Output;
use crate::api::client::Client;
use crate::api::proto::{AssignLeadRequest, AssignLeadResponse};

#[derive(Debug, Subcommand)]
pub(super) enum OwnerCommand {
    Assign(AssignArgs),
    Unassign(UnassignArgs),
}

/// Give a lead to a rep of its queue: it is kept for them
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead lead assign 17 --to ann
  nextlead lead assign --source-system crm --external-id 4711 --campaign spring --to ann")]
pub(super) struct AssignArgs {
    #[command(flatten)]
    lead: LeadArgs,
    /// The rep to whom it belongs from here on
    #[arg(long, value_name = "REP")]
    to: String,
}

/// Take a lead from the rep to whom it belongs: it is anyone's
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead lead unassign 17")]
pub(super) struct UnassignArgs {
    #[command(flatten)]
    lead: LeadArgs,
}

pub(super) async fn run(
    command: OwnerCommand,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let (lead, owner) = match command {
        OwnerCommand::Assign(args) => (args.lead, args.to),
        OwnerCommand::Unassign(args) => (args.lead, String::new()),
    };
    let request = AssignLeadRequest {
        lead: Some(lead.into_ref()),
        owner_rep_id: owner.clone(),
        request_id: String::new(),
    };
    let answer = node.queues().assign_lead(request).await?.into_inner();
    output.answer(&answer, |answer| assigned_text(&owner, answer))?;
    Ok(ExitCode::SUCCESS)
}

fn assigned_text(owner: &str, answer: &AssignLeadResponse) -> String {
    let before = if answer.assigned_before { " already" } else { "" };
    let standing = answer.state.as_ref().and_then(|state| state.standing.as_ref());
    let owner = if owner.is_empty() { "nobody" } else { owner };
    let (lead, standing) = (&answer.lead_id, standing_text(standing));
    format!("Lead {lead} belongs to {owner}{before}; it is {standing}.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_to_whom_a_lead_belongs_and_whether_that_is_news() {
        let answer = AssignLeadResponse { lead_id: "17".into(), ..Default::default() };
        assert!(assigned_text("ann", &answer).starts_with("Lead 17 belongs to ann; it is"));
        let again = AssignLeadResponse { assigned_before: true, ..answer };
        assert!(assigned_text("", &again).starts_with("Lead 17 belongs to nobody already;"));
    }
}

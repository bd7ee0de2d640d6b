//! `erase` takes everything personal about a lead out of the store, for good.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use super::connect::ServerArgs;
use super::lead::LeadArgs;
use super::output::Output;
use crate::api::proto::{EraseLeadRequest, EraseLeadResponse};

/// Erase everything personal about a lead, for good; the books keep it as erased
#[derive(Debug, Args)]
#[command(override_usage = "nextlead erase [OPTIONS] LEAD
       nextlead erase [OPTIONS] --source-system S --external-id ID --campaign C")]
#[command(after_help = "\
It cannot be undone. What was suppressed stays suppressed, and the same handover is turned away if it
is sent again; the same person under another key opens a new lead. So suppress first whoever shall
never be called again.

It erases one lead: several people may share a number. Other leads with the same number or address
are listed, to be looked at with `nextlead explain` and erased one by one. Whom you know only by a
number or an address, look up in the system that handed them over, and name the lead by its key.

Examples:
  nextlead suppress --number +493012345 --source letter
  nextlead erase 17
  nextlead erase --source-system crm --external-id A-9 --campaign spring --yes")]
pub(super) struct EraseArgs {
    #[command(flatten)]
    lead: LeadArgs,

    /// Do not ask: needed where nobody is there to answer
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(
    args: EraseArgs,
    server: ServerArgs,
    output: Output,
) -> anyhow::Result<ExitCode> {
    if !args.yes && !is_meant()? {
        eprintln!("Nothing was erased.");
        return Ok(ExitCode::FAILURE);
    }
    let lead = Some(args.lead.into_ref());
    let request = EraseLeadRequest { lead, request_id: String::new() };
    let answer = server.open().await?.intake().erase_lead(request).await?.into_inner();
    output.answer(&answer, erased_text)?;
    Ok(ExitCode::SUCCESS)
}

/// Asks whoever sits at the terminal.
fn is_meant() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nobody is there to ask: say --yes to erase without being asked");
    }
    let mut out = io::stderr().lock();
    write!(out, "Everything personal about this lead goes, for good. Erase it? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("could not read the answer")?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn erased_text(answer: &EraseLeadResponse) -> String {
    let mut text = match answer.erased_before {
        true => format!("Lead {} had been erased before.\n", answer.lead_id),
        false => format!("Lead {} is erased.\n", answer.lead_id),
    };
    if !answer.other_lead_ids.is_empty() {
        let others = answer.other_lead_ids.join(", ");
        text.push_str(&format!("Other leads have its number or address: {others}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_leads_of_the_same_number_are_named() {
        let mut answer = EraseLeadResponse { lead_id: "5".into(), ..Default::default() };
        assert_eq!(erased_text(&answer), "Lead 5 is erased.\n");
        answer.other_lead_ids = vec!["7".into(), "9".into()];
        assert!(erased_text(&answer).ends_with("address: 7, 9\n"));
        answer.erased_before = true;
        assert!(erased_text(&answer).starts_with("Lead 5 had been erased before"));
    }
}

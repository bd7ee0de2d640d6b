//! `suppress` takes wishes never to be contacted again: one, or a whole list; and shows them.

mod import;
mod list;
mod rows;

use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};

use super::output::{Output, count};
use super::words::{Instant, read_instant};
use crate::api::client::Client;
use crate::api::proto::lead_ref::Name;
use crate::api::proto::suppress_contact_request::Contact;
use crate::api::proto::{LeadRef, SuppressContactRequest};
use crate::clock::{Clock as _, SystemClock};

/// Do not contact a number, an e-mail address or a person any more, in any queue. Cannot be undone
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("contact").required(true).args(["number", "email", "lead"]))]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  nextlead suppress --number +493012345 --source \"web form\"
  nextlead suppress --number \"030 12345\" --country DE --source letter
  nextlead suppress --lead 17 --source letter --until 2027-03-31T22:00:00Z")]
pub(super) struct SuppressArgs {
    /// The phone number: with + and its country's code, or as its country writes it
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// The e-mail address
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
    /// A person: all numbers and the address of this lead, by its id
    #[arg(long, value_name = "LEAD")]
    lead: Option<String>,
    /// The country of a number without +: DE, US
    #[arg(long, value_name = "COUNTRY", requires = "number")]
    country: Option<String>,
    /// Where the wish came from: web form, letter. Nothing personal
    #[arg(long, value_name = "TEXT", required = true)]
    source: Option<String>,
    /// When the wish ends; from then on it bars nobody [default: never]
    #[arg(long, value_name = "INSTANT", value_parser = read_instant)]
    until: Option<Instant>,
    #[command(subcommand)]
    command: Option<SuppressCommand>,
}

#[derive(Debug, Subcommand)]
enum SuppressCommand {
    Import(import::ImportArgs),
    List(list::ListArgs),
}

pub(super) async fn run(
    args: SuppressArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(SuppressCommand::Import(args)) => return import::run(args, node, output).await,
        Some(SuppressCommand::List(args)) => return list::run(args, node, output).await,
        None => {}
    }
    let lead = |id| Contact::Lead(LeadRef { name: Some(Name::LeadId(id)) });
    let contact = args.number.map(Contact::Number).or(args.email.map(Contact::Email));
    let contact = contact.or(args.lead.map(lead));
    let now = SystemClock::start(0).now();
    let request = SuppressContactRequest {
        contact,
        source: args.source.unwrap_or_default(),
        country: args.country.unwrap_or_default(),
        request_id: String::new(),
        until_time: args.until.map(|until| until.timestamp(now)),
    };
    let answer = node.intake().suppress_contact(request).await?.into_inner();
    output.answer(&answer, |answer| {
        let before =
            if answer.known_before { "It had been suppressed before." } else { "Suppressed." };
        let closed = match answer.closed_count {
            1 => "1 open lead was closed".to_owned(),
            leads => format!("{} open leads were closed", count(leads)),
        };
        format!("{before} {closed}.\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

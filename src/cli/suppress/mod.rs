//! `suppress` takes wishes never to be contacted again: one, or a whole list; and shows them.

mod import;
mod list;
mod rows;

use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};

use super::output::{Output, count};
use crate::api::client::Client;
use crate::api::proto::SuppressContactRequest;
use crate::api::proto::suppress_contact_request::Contact;

/// Never contact a number or an e-mail address again, in any queue. Cannot be undone
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("contact").required(true).args(["number", "email"]))]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  nextlead suppress --number +493012345 --source \"web form\"
  nextlead suppress --number \"030 12345\" --country DE --source letter")]
pub(super) struct SuppressArgs {
    /// The phone number: with + and its country's code, or as its country writes it
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// The e-mail address
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
    /// The country of a number without +: DE, US
    #[arg(long, value_name = "COUNTRY", requires = "number")]
    country: Option<String>,
    /// Where the wish came from: web form, letter. Nothing personal
    #[arg(long, value_name = "TEXT", required = true)]
    source: Option<String>,
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
    let contact = args.number.map(Contact::Number).or(args.email.map(Contact::Email));
    let request = SuppressContactRequest {
        contact,
        source: args.source.unwrap_or_default(),
        country: args.country.unwrap_or_default(),
        request_id: String::new(),
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

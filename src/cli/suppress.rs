//! `suppress` takes a wish never to be contacted again.

use std::process::ExitCode;

use clap::{ArgGroup, Args};

use super::output::{Output, count};
use crate::api::client::Client;
use crate::api::proto::SuppressContactRequest;
use crate::api::proto::suppress_contact_request::Contact;

/// Never contact a number or an e-mail address again, in any queue. Cannot be undone
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("contact").required(true).args(["number", "email"]))]
#[command(after_help = "Example:
  nextlead suppress --number +493012345 --source \"web form\"")]
pub(super) struct SuppressArgs {
    /// The phone number, in E.164
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// The e-mail address
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
    /// Where the wish came from: web form, letter. Nothing personal
    #[arg(long, value_name = "TEXT")]
    source: String,
}

pub(super) async fn run(
    args: SuppressArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let contact = args.number.map(Contact::Number).or(args.email.map(Contact::Email));
    let request = SuppressContactRequest { contact, source: args.source, ..Default::default() };
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

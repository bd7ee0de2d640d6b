//! `lead transfer` hands a lead to another queue.

use std::process::ExitCode;

use clap::Args;

use super::lead::{LeadArgs, standing_text};
use super::output::Output;
use crate::api::client::Client;
use crate::api::proto::{TransferLeadRequest, TransferLeadResponse};

/// Hand a lead to another queue: that one works it from here on
#[derive(Debug, Args)]
#[command(override_usage = "nextlead lead transfer [OPTIONS] --queue QUEUE LEAD
       nextlead lead transfer [OPTIONS] --queue QUEUE --source-system S --external-id ID --campaign C")]
#[command(after_help = "\
The other queue ranks it by its own rules and begins its own policy with it. The campaign, the history, the
promise of the first touch, a promised callback and the place in line go with the lead. A lead in a rep's
hands is refused, and so is one that is closed, unless it is in nurture.

Examples:
  nextlead lead transfer 17 --queue key-accounts
  nextlead lead transfer 17 --queue key-accounts --reason too_large")]
pub(super) struct TransferArgs {
    #[command(flatten)]
    lead: LeadArgs,
    /// The queue that works it from here on
    #[arg(long, value_name = "QUEUE")]
    queue: String,
    /// Why, for whoever reads its history: a word of letters, digits, _ and -
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    reason: String,
}

pub(super) async fn run(
    args: TransferArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let request = TransferLeadRequest {
        lead: Some(args.lead.into_ref()),
        queue_id: args.queue.clone(),
        reason: args.reason,
        request_id: String::new(),
    };
    let answer = node.queues().transfer_lead(request).await?.into_inner();
    output.answer(&answer, |answer| transferred_text(&args.queue, answer))?;
    Ok(ExitCode::SUCCESS)
}

fn transferred_text(queue: &str, answer: &TransferLeadResponse) -> String {
    let standing = answer.state.as_ref().and_then(|state| state.standing.as_ref());
    let (lead, standing) = (&answer.lead_id, standing_text(standing));
    match answer.transferred_before {
        true => format!("Lead {lead} is in queue {queue} already; it is {standing}.\n"),
        false => {
            let from = &answer.from_queue_id;
            format!("Lead {lead} went from queue {from} to {queue}; it is {standing}.\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_where_a_lead_went_and_whether_that_is_news() {
        let answer = TransferLeadResponse {
            lead_id: "17".into(),
            from_queue_id: "inside".into(),
            ..Default::default()
        };
        let text = transferred_text("closers", &answer);
        assert!(text.starts_with("Lead 17 went from queue inside to closers; it is"), "{text}");
        let again = TransferLeadResponse { transferred_before: true, ..answer };
        let text = transferred_text("closers", &again);
        assert!(text.starts_with("Lead 17 is in queue closers already;"), "{text}");
    }
}

//! `unroutable` lists the leads that nobody can take as things stand, and says why.

use std::process::ExitCode;

use clap::Args;

use super::obstacle::obstacle_text;
use super::output::{Output, count, table};
use super::words::{instant_text, word};
use crate::api::client::Client;
use crate::api::proto::{
    ListUnroutableRequest, ListUnroutableResponse, QueueInLine, UnroutableLead, UnroutableReason,
};

/// List the ready leads that nobody can take as things stand, and why
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead unroutable --queue inside-sales
  nextlead coverage unroutable --limit 1000")]
pub(super) struct UnroutableArgs {
    /// Only this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

pub(super) async fn run(
    args: UnroutableArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let mut all = ListUnroutableResponse::default();
    let mut request = ListUnroutableRequest {
        queue_id: args.queue.unwrap_or_default(),
        page_size: i32::try_from(limit.min(1_000)).expect("at most a thousand"),
        page_token: String::new(),
    };
    while all.leads.len() < limit {
        let page = node.coverage().list_unroutable(request.clone()).await?.into_inner();
        all.leads.extend(page.leads);
        // Kept in the answer, so that a reader sees whether there are more.
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
        request.page_token.clone_from(&all.next_page_token);
    }
    all.leads.truncate(limit);
    output.answer(&all, unroutable_text)?;
    Ok(ExitCode::SUCCESS)
}

fn unroutable_text(answer: &ListUnroutableResponse) -> String {
    if answer.leads.is_empty() {
        return "Somebody can take every ready lead.\n".to_owned();
    }
    let header = ["lead", "queue", "campaign", "external id", "ready since", "why"];
    let mut text = table(header, &[0], answer.leads.iter().map(row));
    if !answer.next_page_token.is_empty() {
        text.push_str("There may be more: see --limit.\n");
    }
    text
}

fn row(lead: &UnroutableLead) -> [String; 6] {
    let (campaign, external_id) = match &lead.handover_key {
        Some(key) => (key.campaign_id.clone(), key.external_id.clone()),
        None => (String::new(), String::new()),
    };
    let ready_since = lead.state.as_ref().and_then(|state| state.ready_since_time.as_ref());
    let why: Vec<_> = lead.obstacles.iter().map(obstacle_text).collect();
    [
        lead.lead_id.clone(),
        lead.queue_id.clone(),
        campaign,
        external_id,
        instant_text(ready_since),
        why.join("; "),
    ]
}

/// What stands behind the ready of the books; empty if all of them can be served.
pub(super) fn in_line_text(queues: &[QueueInLine]) -> String {
    let mut text = String::new();
    for queue in queues {
        let reason = |one: &crate::api::proto::UnroutableCount| {
            format!("{} {}", word::<UnroutableReason>(one.reason), count(one.lead_count))
        };
        let unroutable: i64 = queue.unroutable.iter().map(|one| one.lead_count).sum();
        if unroutable == 0 && queue.paused_count == 0 {
            continue;
        }
        let ready = queue.servable_count + unroutable + queue.paused_count;
        text.push_str(&format!("Of {} ready in {}:", count(ready), queue.queue_id));
        text.push_str(&format!(" {} can be served", count(queue.servable_count)));
        if queue.paused_count > 0 {
            text.push_str(&format!(", {} are paused", count(queue.paused_count)));
        }
        if unroutable > 0 {
            let why: Vec<_> = queue.unroutable.iter().map(reason).collect();
            text.push_str(&format!(
                ", {} NOBODY CAN TAKE ({}): see nextlead unroutable",
                count(unroutable),
                why.join(", ")
            ));
        }
        text.push_str(".\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::UnroutableCount;

    #[test]
    fn ready_leads_that_nobody_can_take_are_told_apart() {
        let healthy = QueueInLine { queue_id: "a".into(), servable_count: 5, ..Default::default() };
        assert_eq!(in_line_text(std::slice::from_ref(&healthy)), "");
        let no_rep = UnroutableReason::NoRep.into();
        let unroutable = vec![UnroutableCount { reason: no_rep, lead_count: 2 }];
        let sick = QueueInLine { paused_count: 1, unroutable, ..healthy };
        assert_eq!(
            in_line_text(&[sick]),
            "Of 8 ready in a: 5 can be served, 1 are paused, 2 NOBODY CAN TAKE (no_rep 2): see \
             nextlead unroutable.\n"
        );
    }
}

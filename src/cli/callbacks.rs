//! `callbacks` shows what was promised: what is due, by how much it is overdue, and what is to come.

use std::process::ExitCode;

use clap::Args;

use super::output::{Output, table};
use super::words::{duration_text, instant_text, millis};
use crate::api::client::Client;
use crate::api::proto::{ListCallbacksRequest, ListCallbacksResponse, PromisedCallback};

const PAGE_SIZE: i32 = 1_000;

/// List promised callbacks that nobody is on, the earliest first
#[derive(Debug, Args)]
#[command(after_help = "A rep's own token lists what that rep promised in person.

Examples:
  nextlead callbacks --queue inside-sales --due
  nextlead callbacks --rep ann --limit 1000")]
pub(super) struct CallbacksArgs {
    /// All of this queue
    #[arg(long, value_name = "QUEUE", conflicts_with = "rep")]
    queue: Option<String>,
    /// Those that this rep promised in person
    #[arg(long, value_name = "REP")]
    rep: Option<String>,
    /// Only those that are due
    #[arg(long)]
    due: bool,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

pub(super) async fn run(
    args: CallbacksArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut all = ListCallbacksResponse::default();
    let mut request = ListCallbacksRequest {
        rep_id: args.rep.unwrap_or_default(),
        queue_id: args.queue.unwrap_or_default(),
        page_size: i32::try_from(args.limit).unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE),
        page_token: String::new(),
    };
    loop {
        let page = node.reps().list_callbacks(request.clone()).await?.into_inner();
        all.read_time = page.read_time;
        let count = page.callbacks.len();
        let wanted = page.callbacks.into_iter().filter(|one| !args.due || is_due(one));
        let before = all.callbacks.len();
        all.callbacks.extend(wanted);
        // They come by their instants: after the first that is to come, nothing is due.
        let is_over = args.due && all.callbacks.len() - before < count;
        if is_over || page.next_page_token.is_empty() || all.callbacks.len() >= limit {
            break;
        }
        request.page_token = page.next_page_token;
    }
    all.callbacks.truncate(limit);
    output.answer(&all, callbacks_text)?;
    Ok(ExitCode::SUCCESS)
}

fn is_due(callback: &PromisedCallback) -> bool {
    callback.overdue_duration.is_some()
}

fn callbacks_text(answer: &ListCallbacksResponse) -> String {
    let rows = answer.callbacks.iter().map(|one| {
        let overdue = one.overdue_duration.as_ref();
        let to = match one.promised_to_rep_id.as_str() {
            "" => "anyone",
            rep => rep,
        };
        [
            one.lead_id.clone(),
            one.name.clone(),
            instant_text(one.callback_time.as_ref()),
            overdue.map_or(String::new(), |one| duration_text(millis(one))),
            to.to_owned(),
            one.queue_id.clone(),
            one.time_zone.clone(),
        ]
    });
    let due_count = answer.callbacks.iter().filter(|one| is_due(one)).count();
    format!(
        "{}{due_count} of {} are due at {}\n",
        table(["lead", "name", "promised for", "overdue", "to", "queue", "zone"], &[], rows),
        answer.callbacks.len(),
        instant_text(answer.read_time.as_ref()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::words::{duration_of, timestamp_of};

    #[test]
    fn what_is_due_says_by_how_much_and_to_whom_it_was_promised() {
        let due = PromisedCallback {
            lead_id: "17".into(),
            callback_time: Some(timestamp_of(1_795_435_200_000)),
            overdue_duration: Some(duration_of(90_000)),
            promised_to_rep_id: "ann".into(),
            ..PromisedCallback::default()
        };
        let later = PromisedCallback { lead_id: "18".into(), ..PromisedCallback::default() };
        let answer = ListCallbacksResponse { callbacks: vec![due, later], ..Default::default() };
        let text = callbacks_text(&answer);
        let rows: Vec<&str> =
            text.lines().filter(|line| line.trim_start().starts_with('1')).collect();
        assert!(rows[0].contains("1m 30s") && rows[0].contains("ann"), "{text}");
        assert!(rows[1].contains("anyone"), "{text}");
        assert!(rows[2].starts_with("1 of 2 are due"), "{text}");
    }
}

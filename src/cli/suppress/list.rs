//! `suppress list` shows what is suppressed.

use std::process::ExitCode;

use clap::Args;

use crate::api::client::Client;
use crate::api::proto::{
    ListSuppressionsRequest, ListSuppressionsResponse, Suppression, SuppressionKind,
};
use crate::cli::output::{Output, table};
use crate::cli::words::{instant_text, read_word, word};

/// List what is suppressed, by kind and value
#[derive(Debug, Args)]
#[command(after_help = "\
What belongs to somebody who was erased is listed without its value: it still counts, and nobody knows
it any more.

Examples:
  nextlead suppress list --kind number --limit 20
  nextlead suppress list --limit 1000000 --json")]
pub(super) struct ListArgs {
    /// Only this kind: number or email
    #[arg(long, value_name = "KIND", value_parser = read_word::<SuppressionKind>)]
    kind: Option<SuppressionKind>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

pub(super) async fn run(args: ListArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let limit = args.limit as usize;
    let mut all = ListSuppressionsResponse::default();
    let mut request = ListSuppressionsRequest {
        kind: args.kind.unwrap_or_default() as i32,
        page_size: i32::try_from(limit.min(1_000)).expect("at most a thousand"),
        page_token: String::new(),
    };
    while all.suppressions.len() < limit {
        let page = node.intake().list_suppressions(request.clone()).await?.into_inner();
        all.suppressions.extend(page.suppressions);
        // Kept in the answer, so that a reader sees whether there are more.
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
        request.page_token.clone_from(&all.next_page_token);
    }
    all.suppressions.truncate(limit);
    output.answer(&all, list_text)?;
    Ok(ExitCode::SUCCESS)
}

fn list_text(answer: &ListSuppressionsResponse) -> String {
    if answer.suppressions.is_empty() {
        return "Nothing is suppressed.\n".to_owned();
    }
    let row = |one: &Suppression| {
        [
            word::<SuppressionKind>(one.kind),
            if one.erased { "(erased)".to_owned() } else { one.value.clone() },
            one.source.clone(),
            one.actor.clone(),
            instant_text(one.suppressed_time.as_ref()),
            instant_text(one.until_time.as_ref()),
        ]
    };
    let header = ["kind", "value", "source", "recorded by", "since", "until"];
    let mut text = table(header, &[], answer.suppressions.iter().map(row));
    if !answer.next_page_token.is_empty() {
        text.push_str("There are more: see --limit.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_erased_is_listed_without_its_value() {
        let erased = Suppression { erased: true, source: "letter".into(), ..Default::default() };
        let mut answer =
            ListSuppressionsResponse { suppressions: vec![erased], ..Default::default() };
        assert!(list_text(&answer).contains("(erased)"));
        answer.suppressions.clear();
        assert_eq!(list_text(&answer), "Nothing is suppressed.\n");
    }
}

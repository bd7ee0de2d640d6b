//! `skips` shows who was served leads of which worth, and passed on them.

use std::process::ExitCode;

use clap::Args;

use super::output::{Output, count, percent, table};
use super::words::{Instant, instant_text, read_since, word};
use crate::api::client::Client;
use crate::api::proto::{GetSkipsRequest, GetSkipsResponse, ServeCounts, SkipReason};
use crate::clock::{Clock as _, SystemClock};

/// Show by rep and value band how many leads were served, and how many of them skipped or let run out
///
/// A band begins at 0 (and less), 1, 10, 100, 1,000 or 10,000 points, counted when the lead was served.
/// Serves are counted by the hour.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead skips inside-sales
  nextlead skips inside-sales --since 24h --json
  nextlead skips inside-sales --since 2026-03-01T00:00:00Z --until 2026-04-01T00:00:00Z")]
pub(super) struct SkipsArgs {
    /// The queue
    queue: String,
    /// Serves since: an instant with its offset, or how long ago (24h) [default: 7d]
    #[arg(long, value_name = "INSTANT", value_parser = read_since)]
    since: Option<Instant>,
    /// Serves before: an instant with its offset, or how long ago (24h) [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = read_since)]
    until: Option<Instant>,
}

pub(super) async fn run(args: SkipsArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let now = SystemClock::start(0).now();
    let request = GetSkipsRequest {
        queue_id: args.queue,
        from_time: args.since.map(|since| since.timestamp(now)),
        until_time: args.until.map(|until| until.timestamp(now)),
    };
    let answer = node.coverage().get_skips(request).await?.into_inner();
    output.answer(&answer, text)?;
    Ok(ExitCode::SUCCESS)
}

fn text(answer: &GetSkipsResponse) -> String {
    let period = format!(
        "Serves from {} until {}.\n",
        instant_text(answer.from_time.as_ref()),
        instant_text(answer.until_time.as_ref())
    );
    if answer.rows.is_empty() {
        return format!("Nothing was served. {period}");
    }
    let header = [
        "rep",
        "points",
        "served",
        "skipped",
        "expired",
        "share",
        "mistake",
        "lost",
        "forbidden",
        "reasons",
    ];
    let rows = answer.rows.iter().map(row);
    format!("{}\n{period}", table(header, &[1, 2, 3, 4, 5, 6, 7, 8], rows))
}

fn row(row: &ServeCounts) -> [String; 10] {
    let points = match row.points_min {
        0 => "to 0".to_owned(),
        least => format!("{}+", count(least)),
    };
    let reasons = row.skips.iter();
    let reasons = reasons.map(|one| format!("{} {}", word::<SkipReason>(one.reason), one.count));
    let rep = if row.rep_id.is_empty() { "= all" } else { &row.rep_id };
    [
        rep.to_owned(),
        points,
        count(row.served_count),
        count(row.skipped_count),
        count(row.expired_count),
        percent(row.skipped_count + row.expired_count, row.served_count),
        count(row.rep_error_count),
        count(row.client_lost_count),
        count(row.forbidden_count),
        reasons.collect::<Vec<_>>().join(", "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto::SkipCount;

    #[test]
    fn what_ran_out_is_part_of_the_share_and_mistakes_are_not() {
        let counts = ServeCounts {
            rep_id: "ann".to_owned(),
            points_min: 1_000,
            served_count: 20,
            skipped_count: 3,
            skips: vec![SkipCount { reason: SkipReason::TooHard.into(), count: 3 }],
            expired_count: 2,
            rep_error_count: 4,
            ..ServeCounts::default()
        };
        let row = row(&counts);
        assert_eq!((row[1].as_str(), row[5].as_str()), ("1,000+", "25.0 %"));
        assert_eq!(row[9], "too_hard 3");
    }
}

//! `quality` shows what reps think of the leads of each campaign and source, and who owes it; `rate` says
//! it after the touch.

use std::process::ExitCode;

use clap::Args;

use super::output::{Output, count, percent, table};
use super::words::{Instant, instant_text, read_since};
use crate::api::client::Client;
use crate::api::proto::{
    GetQualityRequest, GetQualityResponse, Quality, QualitySums, RateLeadRequest,
};
use crate::clock::{Clock as _, SystemClock};

/// Show what reps think of leads: by campaign and source, by rep, and what is owed
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nextlead quality inside-sales
  nextlead quality inside-sales --since 30d --json")]
pub(super) struct QualityArgs {
    /// The queue
    queue: String,
    /// Touches since: an instant with its offset, or how long ago (24h) [default: 7d]
    #[arg(long, value_name = "INSTANT", value_parser = read_since)]
    since: Option<Instant>,
    /// Touches before: an instant with its offset, or how long ago (24h) [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = read_since)]
    until: Option<Instant>,
}

/// Say what a rep thinks of a lead that they touched
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead rate --rep ann --touch-id TOUCH --rating 2 --why no_need")]
pub(super) struct RateArgs {
    /// Who made the touch; a rep's own token says so itself
    #[arg(long, value_name = "REP")]
    rep: Option<String>,
    /// The touch, by the id that it was recorded under
    #[arg(long, value_name = "ID")]
    touch_id: String,
    /// 1, worthless, to 5, could not be better
    #[arg(long, value_name = "1-5", value_parser = clap::value_parser!(i32).range(1..=5))]
    rating: i32,
    /// Why: one of the queue's reasons, good_fit or no_need, say
    #[arg(long, value_name = "CODE")]
    why: String,
}

pub(super) async fn rate(args: RateArgs, node: Client, output: Output) -> anyhow::Result<ExitCode> {
    let request = RateLeadRequest {
        rep_id: args.rep.unwrap_or_default(),
        touch_id: args.touch_id,
        quality: Some(Quality { rating: args.rating, reason: args.why }),
    };
    let answer = node.reps().rate_lead(request).await?.into_inner();
    output.answer(&answer, |_| "Noted.\n".to_owned())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn run(
    args: QualityArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let now = SystemClock::start(0).now();
    let request = GetQualityRequest {
        queue_id: args.queue,
        from_time: args.since.map(|since| since.timestamp(now)),
        until_time: args.until.map(|until| until.timestamp(now)),
    };
    let answer = node.coverage().get_quality(request).await?.into_inner();
    output.answer(&answer, text)?;
    Ok(ExitCode::SUCCESS)
}

fn text(answer: &GetQualityResponse) -> String {
    let mut text = format!(
        "Touches from {} until {}.\n\n",
        instant_text(answer.from_time.as_ref()),
        instant_text(answer.until_time.as_ref())
    );
    let rows = answer.sources.iter().map(|row| {
        let [asked, given, share, mean, reasons] = sums(row.sums.as_ref());
        [row.campaign_id.clone(), row.source.clone(), asked, given, share, mean, reasons]
    });
    let header = ["campaign", "source", "asked", "given", "share", "rating", "reasons"];
    text.push_str(&table(header, &[2, 3, 4, 5], rows));
    if !answer.reps.is_empty() {
        let rows = answer.reps.iter().map(|row| {
            let [asked, given, share, mean, _] = sums(row.sums.as_ref());
            [row.rep_id.clone(), asked, given, share, mean]
        });
        text.push('\n');
        text.push_str(&table(["rep", "asked", "given", "share", "rating"], &[1, 2, 3, 4], rows));
    }
    if !answer.owed.is_empty() {
        let rows = answer.owed.iter().map(|one| {
            let holds = if one.required { "yes" } else { "" };
            let since = instant_text(one.since_time.as_ref());
            [one.rep_id.clone(), one.lead_id.clone(), since, holds.into(), one.touch_id.clone()]
        });
        text.push_str("\nOwed:\n");
        text.push_str(&table(["rep", "lead", "since", "holds back", "touch"], &[1], rows));
    }
    text
}

fn sums(sums: Option<&QualitySums>) -> [String; 5] {
    let Some(sums) = sums else { return Default::default() };
    let reasons = sums.reasons.iter().map(|(reason, count)| format!("{reason} {count}"));
    [
        count(sums.asked_count),
        count(sums.answered_count),
        percent(sums.answered_count, sums.asked_count),
        mean(sums.rating_sum, sums.rating_count),
        reasons.collect::<Vec<_>>().join(", "),
    ]
}

/// The mean of ratings to one digit, rounded down: a 4.96 is no 5.
fn mean(sum: i64, count: i64) -> String {
    match (10 * sum).checked_div(count) {
        Some(tenths) => format!("{}.{}", tenths / 10, tenths % 10),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_told_to_a_digit_and_never_better_than_it_is() {
        assert_eq!(mean(0, 0), "");
        assert_eq!(mean(9, 2), "4.5");
        assert_eq!(mean(499, 100), "4.9");
        assert_eq!(mean(5, 1), "5.0");
    }
}

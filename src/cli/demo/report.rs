//! The demo's report: tables for people, or one line of JSON for programs.

use serde_json::json;

use crate::api::proto::Route;
use crate::cli::output::{Output, table};

use super::outcome::{MonthOutcome, Outcome};
use super::tally::{MonthTally, percentile};
use super::time::millis;

/// At which shares of a month's attempts the sales found so far are compared, in percent.
const CUTS: [usize; 3] = [10, 20, 50];

/// Prints it on standard output.
pub(super) fn print(outcome: &Outcome, output: Output) -> anyhow::Result<()> {
    output.text(&if output.is_json { json_line(outcome).to_string() } else { tables(outcome) })
}

fn json_line(outcome: &Outcome) -> serde_json::Value {
    let pull_us = |quantile| outcome.pulls_us.value_at_quantile(quantile);
    let mut line = json!({
        "months": outcome.months.len(),
        "leads": outcome.by_rules(MonthTally::lead_count),
        "touches": outcome.by_rules(MonthTally::touch_count),
        "conversions": outcome.by_rules(MonthTally::conversion_count),
        "conversions_fifo": outcome.fifo(MonthTally::conversion_count),
        "never_contacted": outcome.by_rules(MonthTally::never_contacted),
        "held_twice": outcome.held_twice,
        "ledger_imbalance": outcome.audit.imbalance,
        "ledger_events": outcome.audit.event_count,
        "pull_p50_us": pull_us(0.5),
        "pull_p99_us": pull_us(0.99),
        "pull_p999_us": pull_us(0.999),
        "cycles_per_s": outcome.cycles_per_s().round(),
        "wall_s": (outcome.wall.as_secs_f64() * 10.0).round() / 10.0,
    });
    for cut in CUTS {
        line[format!("conversions_at_{cut}pct_rules")] =
            outcome.by_rules(|tally| tally.conversions_at(cut)).into();
        line[format!("conversions_at_{cut}pct_fifo")] =
            outcome.fifo(|tally| tally.conversions_at(cut)).into();
    }
    line
}

fn tables(outcome: &Outcome) -> String {
    let mut text = String::from("Coverage by month, as it stood when the month's campaign ended\n");
    text += &coverage(outcome);
    text += "\n";
    text += &left_out(outcome);
    text += "\nSales found early, in the first share of each month's attempts\n";
    text += &sales(outcome);
    text += "\nThe node at work\n";
    text += &figures(outcome);
    text += "\nThe calls are real (S. Moro, R. Laureano and P. Cortez, 2011; UCI Machine Learning \
             Repository, CC BY 4.0),\nthe phone numbers made up, the clock and the reps simulated, \
             the calls made around the clock.\n";
    text
}

fn coverage(outcome: &Outcome) -> String {
    let header = [
        "month",
        "leads",
        "calls",
        "touched",
        "in time",
        "never",
        "won",
        "lost",
        "nurture",
        "first touch: mean",
        "median",
        "90%",
        "last",
        "never, fifo",
    ];
    let rows = outcome.months.iter().map(|month| {
        let (book, waits_ms) = (&month.book, waits_ms(month));
        let wait = |percent| duration(percentile(&waits_ms, percent));
        [
            month.name.clone(),
            book.handed_over_count.to_string(),
            book.touch_count.to_string(),
            book.touched_count.to_string(),
            book.touched_in_time_count.to_string(),
            (book.handed_over_count - book.touched_count).to_string(),
            month.closed_count(Route::Won).to_string(),
            month.closed_count(Route::Lost).to_string(),
            month.closed_count(Route::Nurture).to_string(),
            duration(book.first_touch_mean_duration.as_ref().map(millis)),
            wait(50),
            wait(90),
            wait(100),
            month.fifo.never_contacted().to_string(),
        ]
    });
    let right: Vec<usize> = (1..header.len()).collect();
    table(header, &right, rows)
}

fn waits_ms(month: &MonthOutcome) -> Vec<i64> {
    month.by_rules.first_touch_waits_ms(month.handed_over_at)
}

/// Names the months whose calls do not suffice for one a lead.
fn left_out(outcome: &Outcome) -> String {
    let short = outcome.months.iter().filter(|month| month.shortfall > 0);
    let names: Vec<_> = short
        .map(|month| {
            let (calls, leads) = (month.by_rules.touch_count(), month.by_rules.lead_count());
            format!("{} ({calls} calls for {leads} leads: {} short)", month.name, month.shortfall)
        })
        .collect();
    let never = outcome.by_rules(MonthTally::never_contacted);
    if names.is_empty() {
        return format!("Never contacted: {never}. Each month has a call a lead at least.\n");
    }
    let months = names.join(", ");
    format!("Never contacted: {never}. The calls fall short of one a lead in {months}.\n")
}

fn sales(outcome: &Outcome) -> String {
    let mut rows: Vec<_> = CUTS
        .iter()
        .map(|cut| {
            let rules = outcome.by_rules(|tally| tally.conversions_at(*cut));
            let fifo = outcome.fifo(|tally| tally.conversions_at(*cut));
            sales_row(format!("{cut}%"), rules, fifo)
        })
        .collect();
    let rules = outcome.by_rules(MonthTally::conversion_count);
    rows.push(sales_row(
        "all calls made".into(),
        rules,
        outcome.fifo(MonthTally::conversion_count),
    ));
    table(["share", "by the rules", "first in, first out", "ratio"], &[1, 2, 3], rows)
}

fn sales_row(share: String, rules: usize, fifo: usize) -> [String; 4] {
    let count = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let ratio = if fifo == 0 { "-".into() } else { format!("{:.2}", count(rules) / count(fifo)) };
    [share, rules.to_string(), fifo.to_string(), ratio]
}

fn figures(outcome: &Outcome) -> String {
    let pull = |quantile| format!("{} µs", outcome.pulls_us.value_at_quantile(quantile));
    let audit = &outcome.audit;
    let rows = [
        ["pull, median".into(), pull(0.5)],
        ["pull, 99%".into(), pull(0.99)],
        ["pull, 99.9%".into(), pull(0.999)],
        ["cycles a second (touch and next lead)".into(), format!("{:.0}", outcome.cycles_per_s())],
        ["leads, handovers".into(), format!("{}, {}", audit.lead_count, audit.handover_count)],
        ["touches, ledger events".into(), format!("{}, {}", audit.touch_count, audit.event_count)],
        ["books counted again".into(), audit.book_count.to_string()],
        ["out of balance by".into(), audit.imbalance.to_string()],
        ["leads or numbers in two hands".into(), outcome.held_twice.to_string()],
        ["the demo took".into(), format!("{:.1} s", outcome.wall.as_secs_f64())],
    ];
    table(["what", "how much"], &[1], rows)
}

/// A duration of simulated time, `1h 02m`, or `2m 30s`.
fn duration(ms: Option<i64>) -> String {
    let Some(ms) = ms else { return "-".into() };
    let s = ms / 1_000;
    match s / 3_600 {
        0 => format!("{}m {:02}s", s / 60, s % 60),
        hours => format!("{hours}h {:02}m", s / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_in_its_two_largest_units() {
        assert_eq!(duration(Some(0)), "0m 00s");
        assert_eq!(duration(Some(150_999)), "2m 30s");
        assert_eq!(duration(Some(3_720_000)), "1h 02m");
        assert_eq!(duration(None), "-");
    }

    #[test]
    fn a_month_without_a_sale_has_no_ratio() {
        assert_eq!(sales_row("20%".into(), 3, 2)[3], "1.50");
        assert_eq!(sales_row("20%".into(), 3, 0)[3], "-");
    }
}

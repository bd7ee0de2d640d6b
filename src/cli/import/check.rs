//! `--dry-run`: the node checks every row and stores nothing; what would happen is printed.
//!
//! Rows that would be rejected are, by the same code as in an import. Whether the others would open,
//! update or be merged depends on what is there when they are stored, and is not guessed.

use std::process::ExitCode;

use serde_json::json;

use super::Progress;
use super::rows::{Original, Rows};
use super::sending::send;
use super::shown::Shown;
use super::tally::Tally;
use crate::api::client::Client;
use crate::cli::json;
use crate::cli::output::{Output, count, facts, table};

/// How many leads are shown as they would be sent.
const LEAD_COUNT: usize = 3;
/// How many kinds of problems are shown; more are one.
const PROBLEM_COUNT_MAX: usize = 20;

/// Rows that would be rejected for one reason.
struct Problem {
    reason: String,
    count: i64,
    /// The first such row, and its line.
    row: i64,
    line: u64,
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, original: &Original, reason: &str) {
        let mut reason = without_places(reason);
        let is_known = |reason: &str| self.0.iter().any(|one| one.reason == reason);
        if !is_known(&reason) && self.0.len() >= PROBLEM_COUNT_MAX {
            reason = "other reasons".to_owned();
        }
        match self.0.iter_mut().find(|one| one.reason == reason) {
            Some(problem) => problem.count += 1,
            None => {
                let (row, line) = (original.number, original.line);
                self.0.push(Problem { reason, count: 1, row, line });
            }
        }
    }
}

/// A reason without the places in lists, so that equal problems count as one:
/// `lead.numbers[3].number` is `lead.numbers[].number`.
fn without_places(reason: &str) -> String {
    let mut text = String::with_capacity(reason.len());
    let mut is_inside = false;
    for one in reason.chars() {
        is_inside = (is_inside && one.is_ascii_digit()) || one == '[';
        if !(is_inside && one.is_ascii_digit()) {
            text.push(one);
        }
    }
    text
}

/// Checks all rows, and says what would happen.
pub(super) async fn run(
    mut rows: Rows,
    node: &Client,
    shown: &Shown,
    progress: &Progress,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let leads = rows.first_leads(LEAD_COUNT);
    let leads = leads.iter().map(json::of).collect::<anyhow::Result<Vec<_>>>()?;
    let mut tally = Tally::default();
    let mut problems = Problems::default();
    let row_count = send(rows, node, true, |pending, answer| {
        for (original, why) in tally.add(pending, answer)? {
            problems.add(original, &why);
        }
        progress.show(&tally);
        Ok(())
    })
    .await?;
    progress.finish();
    problems.0.sort_by_key(|problem| std::cmp::Reverse(problem.count));
    let is_all_rejected = tally.accepted == 0 && tally.rejected > 0;
    let code = if is_all_rejected { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    if output.is_json {
        let problems = problems.0.iter().map(|one| {
            json!({"reason": one.reason, "count": one.count, "first_row": one.row,
                "first_line": one.line})
        });
        output.document(&json!({
            "columns": shown.json(),
            "looked_at_count": shown.row_count,
            "note": shown.note,
            "row_count": row_count,
            "accepted_count": tally.accepted,
            "rejected_count": tally.rejected,
            "kept_as_text_count": tally.kept_as_text,
            "problems": problems.collect::<Vec<_>>(),
            "leads": leads,
        }))?;
        return Ok(code);
    }
    let mut text = shown.text();
    text.push('\n');
    let kept = if tally.kept_as_text == 0 { String::new() } else { count(tally.kept_as_text) };
    text.push_str(&facts([
        ("rows", count(row_count)),
        ("would be taken in", count(tally.accepted)),
        ("would be rejected", count(tally.rejected)),
        ("with a value that stays a text", kept),
    ]));
    if !problems.0.is_empty() {
        let rows = problems.0.iter().map(|one| {
            [one.reason.clone(), count(one.count), count(one.row), one.line.to_string()]
        });
        text.push('\n');
        text.push_str(&table(["rejected for", "rows", "first row", "line"], &[1, 2, 3], rows));
    }
    for lead in leads {
        text.push_str(&format!("\nAs it would be sent: {lead:#}\n"));
    }
    text.push_str("\nNothing was stored.\n");
    output.text(&text)?;
    Ok(code)
}

#[cfg(test)]
mod tests {
    use csv::ByteRecord;

    use super::*;

    #[test]
    fn equal_problems_count_as_one_and_keep_their_first_row() {
        let mut problems = Problems::default();
        let row = |number: i64| Original { number, line: 1, cells: ByteRecord::new() };
        problems.add(&row(4), "FIELD_INVALID: lead.numbers[0].number: bad");
        problems.add(&row(5), "has 12 cells, the header has 3");
        problems.add(&row(6), "FIELD_INVALID: lead.numbers[12].number: bad");
        let told: Vec<_> =
            problems.0.iter().map(|one| (one.reason.as_str(), one.count, one.row)).collect();
        assert_eq!(
            told,
            [
                ("FIELD_INVALID: lead.numbers[].number: bad", 2, 4),
                ("has 12 cells, the header has 3", 1, 5),
            ]
        );
        (0..100).for_each(|nth| problems.add(&row(7 + nth), &format!("problem {nth}")));
        assert_eq!(problems.0.len(), PROBLEM_COUNT_MAX + 1);
        assert_eq!(problems.0.iter().map(|one| one.count).sum::<i64>(), 103);
    }
}

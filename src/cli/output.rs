//! How answers are printed: tables for people, one JSON document for programs.
//!
//! Everything goes through one locked writer, and a reader that goes away early (`| head`) is no
//! error: the rest is simply not wanted.

use std::io::{self, Write as _};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use prost::Message;

use super::json;

/// How a command shall print.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// Whether a program reads it.
    pub(super) is_json: bool,
}

impl Output {
    /// Prints a message of the API as JSON, or else what `people` makes of it.
    pub(super) fn answer<M: Message>(
        self,
        message: &M,
        people: impl FnOnce(&M) -> String,
    ) -> anyhow::Result<()> {
        if self.is_json { self.document(&json::of(message)?) } else { print(&people(message)) }
    }

    /// Prints a JSON document.
    pub(super) fn document(self, document: &serde_json::Value) -> anyhow::Result<()> {
        print(&format!("{document:#}"))
    }

    /// Prints a text for people.
    pub(super) fn text(self, text: &str) -> anyhow::Result<()> {
        print(text)
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A table with a header and rows; `right` are the columns of numbers, aligned to the right.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    right: &[usize],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.map(str::to_uppercase));
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    for &column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    trimmed(&table.to_string())
}

/// Facts with their names, one a line; those without a value are left out.
pub(super) fn facts<'name>(facts: impl IntoIterator<Item = (&'name str, String)>) -> String {
    let facts: Vec<_> = facts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts.iter().map(|(name, value)| format!("{name:width$}  {}\n", printable(value))).collect()
}

/// What others wrote, without what would move a terminal's cursor or colour it.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|one| if one.is_control() && one != '\n' { ' ' } else { one }).collect()
}

/// Space at the ends of lines is only in the way of who copies them.
fn trimmed(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A whole number with its thousands apart: `1,234,567`.
pub(super) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (nth, digit) in digits.char_indices() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent with one decimal, never rounded up to a hundred; empty if there is no whole.
pub(super) fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return String::new();
    }
    let permille = i128::from(part) * 1000 / i128::from(whole);
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")]
        {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn a_share_that_is_not_all_never_shows_as_all() {
        assert_eq!(percent(99_999, 100_000), "99.9 %");
        assert_eq!(percent(3, 3), "100.0 %");
        assert_eq!(percent(0, 0), "");
    }

    #[test]
    fn what_others_wrote_cannot_steer_the_terminal() {
        let text = table(["name"], &[], [["\u{1b}[31mAnn\r".to_owned()]]);
        assert!(text.contains("[31mAnn") && !text.contains('\u{1b}') && !text.contains('\r'));
        assert!(!facts([("name", "a\u{7}b".to_owned())]).contains('\u{7}'));
    }

    #[test]
    fn facts_without_a_value_are_left_out() {
        let text = facts([("name", "Ann".to_owned()), ("company", String::new())]);
        assert_eq!(text, "name  Ann\n");
    }
}

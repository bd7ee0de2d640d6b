//! How answers are printed: tables for people, one JSON document for programs.
//!
//! Everything goes through one locked writer, and a reader that goes away early (`| head`) is no
//! error: the rest is simply not wanted.

use std::io::{self, Write as _};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use indicatif::ProgressDrawTarget;
use prost::Message;

use super::color::Tone;
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

    /// Prints one of many JSON documents, each on a line of its own.
    pub(super) fn line(self, document: &serde_json::Value) -> anyhow::Result<()> {
        print(&document.to_string())
    }

    /// Where progress is drawn: programs read errors from standard error, and nothing else.
    pub(super) fn progress_target(self) -> ProgressDrawTarget {
        if self.is_json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
    }

    /// Prints a text for people.
    pub(super) fn text(self, text: &str) -> anyhow::Result<()> {
        print(text)
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
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
    toned_table(header, right, rows, |_, _| Tone::Plain)
}

/// A table whose cells have a tone, by column and text.
pub(super) fn toned_table<const N: usize>(
    header: [&str; N],
    right: &[usize],
    rows: impl IntoIterator<Item = [String; N]>,
    tone: impl Fn(usize, &str) -> Tone,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    // Where there are no colours, the stream drops them again.
    table.enforce_styling();
    table.style_text_only();
    table.set_header(header.map(|name| cell(&name.to_uppercase(), Tone::Strong)));
    for row in rows {
        let mut column = 0..;
        table.add_row(row.map(|text| {
            let tone = column.next().map_or(Tone::Plain, |column| tone(column, &text));
            cell(&printable(&text), tone)
        }));
    }
    for &column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    trimmed(&table.to_string())
}

fn cell(text: &str, tone: Tone) -> Cell {
    let cell = Cell::new(text);
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::DarkGreen),
        Tone::Waiting => cell.fg(Color::DarkYellow),
        Tone::Bad => cell.fg(Color::DarkRed).add_attribute(Attribute::Bold),
        Tone::Faint => cell.add_attribute(Attribute::Dim),
        Tone::Strong => cell.add_attribute(Attribute::Bold),
    }
}

/// Facts with their names, one a line; those without a value are left out.
pub(super) fn facts<'name>(facts: impl IntoIterator<Item = (&'name str, String)>) -> String {
    toned_facts(facts, |_, _| Tone::Plain)
}

/// Facts whose values have a tone, by name and value.
pub(super) fn toned_facts<'name>(
    facts: impl IntoIterator<Item = (&'name str, String)>,
    tone: impl Fn(&str, &str) -> Tone,
) -> String {
    let facts: Vec<_> = facts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| {
        format!("{name:width$}  {}\n", tone(name, value).paint(printable(value)))
    };
    facts.iter().map(line).collect()
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
        assert!(text.contains(" [31mAnn") && !text.contains('\r'), "{text:?}");
        assert!(!facts([("name", "a\u{7}b".to_owned())]).contains('\u{7}'));
    }

    #[test]
    fn facts_without_a_value_are_left_out() {
        let text = facts([("name", "Ann".to_owned()), ("company", String::new())]);
        assert_eq!(text, "name  Ann\n");
    }
}

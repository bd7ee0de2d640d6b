//! What is wrong in a rule document, and where.
//!
//! A manager mends a document in one go only if it is told everything at once, so mistakes are
//! collected, never thrown. Each keeps its own source line, as it is shown when the text is gone.

use std::fmt;
use std::ops::Range;

/// The most mistakes that are told of one document; a reader mends these first.
const MISTAKE_COUNT_MAX: usize = 100;
/// How much of a source line a mistake keeps, in characters.
const SOURCE_LINE_LENGTH_MAX: usize = 400;

/// One mistake in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: u32,
    /// The first character of it that is wrong, from 1.
    pub column: u32,
    /// How many characters are wrong, at least 1; never beyond the line.
    pub length: u32,
    /// What is wrong, in lower case and without a final stop.
    pub message: String,
    /// The line itself, cut after 400 characters; control characters are replaced.
    pub source_line: String,
}

impl fmt::Display for Mistake {
    /// Writes place and message, the source line, and a line of carets under what is wrong.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "line {}, column {}: {}", self.line, self.column, self.message)?;
        let number = self.line.to_string();
        writeln!(formatter, "  {number} | {}", self.source_line)?;
        let before = self.column.saturating_sub(1) as usize;
        let indent = self.source_line.chars().chain(std::iter::repeat(' ')).take(before);
        let indent: String = indent.map(|one| if one == '\t' { '\t' } else { ' ' }).collect();
        let carets = "^".repeat(self.length as usize);
        write!(formatter, "  {:width$} | {indent}{carets}", "", width = number.len())
    }
}

/// All mistakes of a document, in the order of their places, the first hundred of them; never empty
/// as an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, mistake) in self.0.iter().enumerate() {
            let gap = if nth == 0 { "" } else { "\n\n" };
            write!(formatter, "{gap}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Collects the mistakes of one document while it is read.
#[derive(Debug)]
pub(crate) struct Report<'d> {
    document: &'d str,
    found: Vec<(Range<usize>, String)>,
    /// Other queues that are named, each with its place.
    queues: Vec<(Range<usize>, String)>,
}

impl<'d> Report<'d> {
    pub(crate) fn new(document: &'d str) -> Self {
        Self { document, found: Vec::new(), queues: Vec::new() }
    }

    /// The document that is read.
    pub(crate) fn document(&self) -> &'d str {
        self.document
    }

    /// Adds a mistake at a range of bytes; whatever the range, a place within the document is told.
    pub(crate) fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.found.push((span, message.into()));
    }

    /// Notes that a queue is named: whether there is one is looked up when all was read.
    pub(crate) fn name_queue(&mut self, span: Range<usize>, queue: &str) {
        self.queues.push((span, queue.to_owned()));
    }

    /// Reports each named queue that is the document's own, or that is not there: no lead may be handed to
    /// it. `None`: nobody knows which queues there are.
    pub(crate) fn check_queues(&mut self, own: Option<&str>, known: Option<&[&str]>) {
        for (span, queue) in std::mem::take(&mut self.queues) {
            if Some(queue.as_str()) == own {
                let problem = format!("a lead of queue `{queue}` cannot be handed to `{queue}`");
                self.add(span, problem);
            } else if let Some(known) = known.filter(|known| !known.contains(&queue.as_str())) {
                let others = known.iter().copied().filter(|one| Some(*one) != own);
                let problem = format!("there is no queue `{queue}`{}", hint(&queue, others));
                self.add(span, problem);
            }
        }
    }

    /// The line of a byte, from 1.
    pub(crate) fn line_of(&self, at: usize) -> u32 {
        count_lines(&self.document[..boundary(self.document, at)])
    }

    /// The mistakes, by place; `Ok` if there are none.
    pub(crate) fn finish(mut self) -> Result<(), Mistakes> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|(span, _)| span.start);
        self.found.truncate(MISTAKE_COUNT_MAX);
        let place = |(span, message)| place(self.document, span, message);
        Err(Mistakes(self.found.into_iter().map(place).collect()))
    }
}

fn place(document: &str, span: Range<usize>, message: String) -> Mistake {
    let start = boundary(document, span.start);
    let line_start = document[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = document[start..].find('\n').map_or(document.len(), |newline| start + newline);
    let line_end = line_start + document[line_start..line_end].trim_end_matches('\r').len();
    // A mistake at a `\r` stands behind its line.
    let start = start.min(line_end);
    let end = boundary(document, span.end).clamp(start, line_end);
    let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX - 1);
    let shown = |one: char| if one.is_control() && one != '\t' { '\u{fffd}' } else { one };
    Mistake {
        line: count_lines(&document[..line_start]),
        column: count(&document[line_start..start]) + 1,
        length: count(&document[start..end]).max(1),
        message,
        source_line: document[line_start..line_end]
            .chars()
            .take(SOURCE_LINE_LENGTH_MAX)
            .map(shown)
            .collect(),
    }
}

fn count_lines(before: &str) -> u32 {
    u32::try_from(before.matches('\n').count()).unwrap_or(u32::MAX - 1) + 1
}

/// The nearest place for a character at or before a byte.
fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A hint at the name that was probably meant: `"; did you mean …?"`, or nothing.
pub(crate) fn hint<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    match nearest(wrong, names) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

/// The name that differs least, by two letters at most and by no more than half of the name.
fn nearest<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if wrong.len() > 100 {
        return None;
    }
    let scored = names.into_iter().map(|name| (distance(wrong, name), name));
    let near = scored.filter(|(distance, name)| *distance <= 2 && distance * 2 <= name.len());
    near.min().map(|(_, name)| name)
}

/// How many letters are added, left out, replaced or swapped with their neighbour; case is ignored.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.to_lowercase().chars().collect();
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (nth, letter) in one.iter().enumerate() {
        let above = &rows[nth];
        let mut row = vec![nth + 1];
        for (column, theirs) in other.iter().enumerate() {
            let replaced = above[column] + usize::from(letter != theirs);
            let mut best = replaced.min(above[column + 1] + 1).min(row[column] + 1);
            let can_swap = nth > 0 && column > 0;
            if can_swap && one[nth - 1] == *theirs && *letter == other[column - 1] {
                best = best.min(rows[nth - 1][column - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(document: &str, span: Range<usize>) -> String {
        let mut report = Report::new(document);
        report.add(span, "wrong");
        report.finish().expect_err("a mistake").to_string()
    }

    #[test]
    fn carets_stand_under_characters_and_not_under_bytes() {
        assert_eq!(
            shown("a = 1\nünï = 22\n", 15..17),
            "line 2, column 8: wrong\n  2 | ünï = 22\n    |        ^"
        );
        assert_eq!(
            shown("a = 1\n\tünï = 22\n", 14..16),
            "line 2, column 7: wrong\n  2 | \tünï = 22\n    | \t     ^^"
        );
    }

    #[test]
    fn every_range_has_a_place() {
        let document = "ä\r\nb\r\n\n";
        for start in 0..12 {
            for end in 0..12 {
                let mut report = Report::new(document);
                report.add(Range { start, end }, "wrong");
                let mistake = report.finish().expect_err("a mistake").0.remove(0);
                assert!(mistake.length >= 1 && mistake.column >= 1 && mistake.line <= 4);
            }
        }
    }

    #[test]
    fn mistakes_come_in_the_order_of_their_places() {
        let mut report = Report::new("one\ntwo\nthree");
        report.add(8..9, "late");
        report.add(0..1, "early");
        let Mistakes(mistakes) = report.finish().expect_err("two mistakes");
        assert_eq!(mistakes.iter().map(|one| one.line).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["employees", "industry", "stage", "id"];
        for (wrong, meant) in [
            ("emploees", Some("employees")),
            ("Industy", Some("industry")),
            ("stgae", Some("stage")),
            ("di", Some("id")),
            ("revenue", None),
            ("xx", None),
        ] {
            assert_eq!(nearest(wrong, names), meant, "{wrong}");
        }
    }

    #[test]
    fn a_line_is_shown_without_what_would_steer_a_terminal() {
        assert!(!shown("a\u{1b}[2Jb", 0..1).contains('\u{1b}'));
    }
}

//! Reads typed values out of a TOML table and reports what does not fit, with its place.
//!
//! Works on spans and not on serde: a deserializer stops at the first mistake.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration;
use super::mistake::{Report, hint};

/// A value of a document, with its place.
pub(crate) type Entry<'d> = Spanned<DeValue<'d>>;

/// A table of a document.
pub(crate) struct Table<'t, 'd> {
    entries: &'t DeTable<'d>,
    /// What it is called in messages: "a value", say.
    what: &'static str,
    /// Where what is missing is reported.
    span: Range<usize>,
}

/// A text of a document, with the place of its quotes.
#[derive(Clone, Debug)]
pub(crate) struct Quoted<'t> {
    pub(crate) text: &'t str,
    pub(crate) span: Range<usize>,
}

impl<'t, 'd> Table<'t, 'd> {
    /// Wraps a table, and reports all its keys that are not among `keys`.
    pub(crate) fn new(
        entries: &'t DeTable<'d>,
        what: &'static str,
        span: Range<usize>,
        keys: &[&'static str],
        report: &mut Report<'_>,
    ) -> Self {
        for key in entries.keys() {
            let name = key.get_ref().as_ref();
            if !keys.contains(&name) {
                let names = keys.join("`, `");
                let hint = hint(name, keys.iter().copied());
                let message = if hint.is_empty() {
                    format!("{what} has no `{name}`; it has `{names}`")
                } else {
                    format!("{what} has no `{name}`{hint}")
                };
                report.add(key.span(), message);
            }
        }
        Self { entries, what, span }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'t Entry<'d>> {
        self.entries.get(key)
    }

    /// The value of a key that must be there.
    pub(crate) fn require(&self, key: &str, report: &mut Report<'_>) -> Option<&'t Entry<'d>> {
        let entry = self.get(key);
        if entry.is_none() {
            report.add(self.span.clone(), format!("{} needs `{key}`", self.what));
        }
        entry
    }

    /// The duration of a key, in milliseconds.
    pub(crate) fn duration_ms(&self, key: &str, report: &mut Report<'_>) -> Option<i64> {
        duration_ms(self.get(key)?, report)
    }

    /// The whole number of a key, which must be within a range.
    pub(crate) fn int_within(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
        report: &mut Report<'_>,
    ) -> Option<i64> {
        let entry = self.get(key)?;
        let int = int(entry).filter(|int| range.contains(int));
        if int.is_none() {
            let message =
                format!("`{key}` is a whole number from {} to {}", range.start(), range.end());
            report.add(entry.span(), message);
        }
        int
    }

    /// The tables of a key that stands in double brackets: `[[value]]`.
    pub(crate) fn tables(
        &self,
        key: &str,
        report: &mut Report<'_>,
    ) -> Vec<(&'t DeTable<'d>, Range<usize>)> {
        let Some(entry) = self.get(key) else { return Vec::new() };
        let mut tables = Vec::new();
        let elements = entry.get_ref().as_array().map_or([].as_slice(), |array| array);
        for element in elements {
            match element.get_ref() {
                DeValue::Table(table) => tables.push((table, element.span())),
                other => report.add(element.span(), expected("a table", other)),
            }
        }
        if entry.get_ref().as_array().is_none() {
            report.add(entry.span(), format!("`{key}` is written in double brackets: [[{key}]]"));
        }
        tables
    }
}

/// The text of a value, or a mistake.
pub(crate) fn text<'t>(entry: &'t Entry<'_>, report: &mut Report<'_>) -> Option<Quoted<'t>> {
    match entry.get_ref() {
        DeValue::String(text) => Some(Quoted { text, span: entry.span() }),
        other => {
            report.add(entry.span(), expected("text in quotes", other));
            None
        }
    }
}

/// The duration of a value in milliseconds, or a mistake.
pub(crate) fn duration_ms(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<i64> {
    let quoted = text(entry, report)?;
    match duration::parse(quoted.text) {
        Ok(duration_ms) => Some(duration_ms),
        Err(problem) => {
            report.add(quoted.span, problem);
            None
        }
    }
}

/// The table of a value, or a mistake.
pub(crate) fn table<'t, 'd>(
    entry: &'t Entry<'d>,
    report: &mut Report<'_>,
) -> Option<&'t DeTable<'d>> {
    match entry.get_ref() {
        DeValue::Table(table) => Some(table),
        other => {
            report.add(entry.span(), expected("a table", other));
            None
        }
    }
}

/// The elements of a list, or a mistake.
pub(crate) fn list<'t, 'd>(entry: &'t Entry<'d>, report: &mut Report<'_>) -> &'t [Entry<'d>] {
    match entry.get_ref() {
        DeValue::Array(array) => array,
        other => {
            report.add(entry.span(), expected("a list in square brackets", other));
            &[]
        }
    }
}

/// The whole number of a value, if it is one that fits.
pub(crate) fn int(entry: &Entry<'_>) -> Option<i64> {
    let int = entry.get_ref().as_integer()?;
    i64::from_str_radix(int.as_str(), int.radix()).ok()
}

/// "Expected this, found that".
pub(crate) fn expected(what: &str, found: &DeValue<'_>) -> String {
    let found = match found {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("expected {what}, found {found}")
}

impl Quoted<'_> {
    /// Where in the document a range of the text stands.
    pub(crate) fn place(&self, range: Range<usize>, document: &str) -> Range<usize> {
        let raw = document.get(self.span.clone()).unwrap_or_default();
        let place = |at| self.span.start + raw_offset(raw, at);
        place(range.start)..place(range.end.max(range.start))
    }
}

/// The byte of a quoted text, quotes included, at which a byte of what it means is written.
fn raw_offset(raw: &str, wanted: usize) -> usize {
    let is_basic = raw.starts_with('"');
    let is_multiline = raw.starts_with("\"\"\"") || raw.starts_with("'''");
    let mut at = if is_multiline { 3 } else { 1 };
    if is_multiline {
        // A line break behind the quotes is not part of the text.
        let rest = &raw[at.min(raw.len())..];
        at += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let mut meant = 0;
    while meant < wanted {
        let Some(letter) = raw.get(at..).and_then(|rest| rest.chars().next()) else { break };
        let (written, means) = match letter {
            '\\' if is_basic => escape(&raw[at..]),
            _ => (letter.len_utf8(), letter.len_utf8()),
        };
        at += written;
        meant += means;
    }
    at.min(raw.len())
}

/// How many bytes an escape takes, and how many the character that it means.
fn escape(rest: &str) -> (usize, usize) {
    let hex = |digits: usize| {
        let code = rest.get(2..2 + digits).and_then(|text| u32::from_str_radix(text, 16).ok());
        (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
    };
    match rest[1..].chars().next() {
        Some('x') => hex(2),
        Some('u') => hex(4),
        Some('U') => hex(8),
        // A backslash at the end of a line swallows all space up to the next text.
        Some(' ' | '\t' | '\r' | '\n') => {
            (1 + rest.len() - 1 - rest[1..].trim_start_matches([' ', '\t', '\r', '\n']).len(), 0)
        }
        _ => (2, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_text_is_found_whatever_its_quotes() {
        for document in [
            "a = 'one MARK two'",
            "a = \"one MARK two\"",
            "a = \"\\t\\\"ä\\u00e4\\U0001F600\\x41 MARK\"",
            "a = '''\none\n'' MARK'''",
            "a = '''\r\none\r\nMARK'''",
            "a = \"\"\"\none \\\n\n   two\\n MARK \"\"\"",
            "a = \"\"\"one\r\n\"\" MARK\"\"\"",
        ] {
            let table = DeTable::parse(document).expect(document);
            let mut report = Report::new(document);
            let quoted = text(&table.get_ref()["a"], &mut report).expect("text");
            let start = quoted.text.find("MARK").expect("the mark");
            let place = quoted.place(start..start + 4, document);
            assert_eq!(&document[place], "MARK", "{document}");
        }
    }
}

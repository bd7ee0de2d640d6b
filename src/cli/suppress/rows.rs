//! Reads a list of what is suppressed: one value a line, CSV with a header, or NDJSON.

use std::io::BufRead as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::api::proto::suppression_row::Contact;
use crate::cli::import::{Format, Source, Stated, open};

/// The columns that hold what is suppressed, in small letters.
const NAMES: &[&str] =
    &["number", "phone", "phone_number", "telephone", "mobile", "email", "e-mail", "email_address"];

/// Which columns count: the named one, or all that are known by their names.
pub(super) struct Columns(pub(super) Option<String>);

impl Columns {
    fn includes(&self, name: &str) -> bool {
        let name = name.trim();
        match &self.0 {
            Some(column) => name == column,
            None => NAMES.contains(&name.to_ascii_lowercase().as_str()),
        }
    }
}

/// An address has an `@`, a number has none.
pub(super) fn contact_of(value: String) -> Contact {
    if value.contains('@') { Contact::Email(value) } else { Contact::Number(value) }
}

/// Hands on each value of a file with the number of its row, until nobody takes them any more. `-` is
/// standard input. Empty cells and lines hold none.
pub(super) fn read_values(
    path: &Path,
    columns: &Columns,
    take: impl FnMut(i64, String) -> bool,
) -> anyhow::Result<()> {
    let source = open(path, Stated::default())?;
    match source.format {
        Format::Csv => read_csv(source, columns, take),
        Format::Ndjson => read_json(source, columns, take),
    }
}

fn read_csv(
    source: Source,
    columns: &Columns,
    mut take: impl FnMut(i64, String) -> bool,
) -> anyhow::Result<()> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(source.delimiter)
        .from_reader(source.text);
    let mut record = csv::StringRecord::new();
    let mut places: Option<Vec<usize>> = None;
    for number in 1_i64.. {
        let is_there = reader.read_record(&mut record);
        if !is_there.with_context(|| format!("cannot read row {number}"))? {
            break;
        }
        let Some(known) = &places else {
            // A first line that names columns is a header; any other is a row, with its value first.
            let named = record.iter().enumerate().filter(|(_, name)| columns.includes(name));
            let named: Vec<usize> = named.map(|(place, _)| place).collect();
            ensure!(columns.0.is_none() || !named.is_empty(), "the file has no such column");
            let is_header = !named.is_empty();
            let known = places.insert(if is_header { named } else { vec![0] });
            if is_header || take_cells(&record, known, number, &mut take) {
                continue;
            }
            break;
        };
        if !take_cells(&record, known, number, &mut take) {
            break;
        }
    }
    Ok(())
}

fn take_cells(
    record: &csv::StringRecord,
    places: &[usize],
    number: i64,
    take: &mut impl FnMut(i64, String) -> bool,
) -> bool {
    let cells = places.iter().filter_map(|place| record.get(*place)).map(str::trim);
    cells.filter(|cell| !cell.is_empty()).all(|cell| take(number, cell.to_owned()))
}

fn read_json(
    source: Source,
    columns: &Columns,
    mut take: impl FnMut(i64, String) -> bool,
) -> anyhow::Result<()> {
    for (line, number) in source.text.lines().zip(1_i64..) {
        let line = line.with_context(|| format!("cannot read line {number}"))?;
        if line.trim().is_empty() {
            continue;
        }
        // What stood there is not repeated: it is personal.
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line)
            .ok()
            .with_context(|| format!("line {number} is no JSON object"))?;
        for (_, value) in row.into_iter().filter(|(name, _)| columns.includes(name)) {
            let value = match value {
                serde_json::Value::Null => continue,
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            if !value.trim().is_empty() && !take(number, value) {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, column: Option<&str>) -> anyhow::Result<Vec<(i64, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, text).unwrap();
        let mut values = Vec::new();
        let columns = Columns(column.map(str::to_owned));
        read_values(&path, &columns, |number, value| {
            values.push((number, value));
            true
        })?;
        Ok(values)
    }

    fn check(text: &str, column: Option<&str>, values: &[(i64, &str)]) {
        let read = read(text, column).unwrap();
        let read: Vec<_> = read.iter().map(|(row, value)| (*row, value.as_str())).collect();
        assert_eq!(read, values, "{text:?}");
    }

    #[test]
    fn a_list_is_read_however_it_is_written() {
        check("+4930123\n\n a@x.example \n", None, &[(1, "+4930123"), (2, "a@x.example")]);
        check("name;Phone;email\nAnn;+4930123;\nBob;;b@x\n", None, &[(2, "+4930123"), (3, "b@x")]);
        check("id,tel\n1,+4930123\n", Some("tel"), &[(2, "+4930123")]);
        check(
            "{\"phone\": 4930123, \"email\": \"a@x\"}\n{\"id\": 7}\n",
            None,
            &[(1, "a@x"), (1, "4930123")],
        );
        assert!(read("id,tel\n1,+4930123\n", Some("phone")).is_err());
        assert!(!format!("{:?}", read("{\"a\"\n{secret", None)).contains("secret"));
    }

    #[test]
    fn reading_ends_when_nobody_takes_values_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, "1\n2\n3\n").unwrap();
        let mut count = 0;
        let take = |_, _| {
            count += 1;
            count < 2
        };
        read_values(&path, &Columns(None), take).unwrap();
        assert_eq!(count, 2);
    }
}

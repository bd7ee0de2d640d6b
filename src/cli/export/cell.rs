//! Rows as CSV that a spreadsheet opens without running what stands in it.
//!
//! A text that begins with `= + - @`, one of their full-width forms, a tab, a line break or NUL can
//! be taken for a formula (ASVS 1.2.10), so it gets an apostrophe before it, which spreadsheets take
//! as "this is text". One that begins with an apostrophe gets another: whoever takes one off every
//! text has the original back. Numbers, `true` and `false` are ours and stay as they are. Every cell
//! is quoted: a spreadsheet that splits at `;` as well would find cells inside of a bare one.

use anyhow::Context as _;
use serde_json::Value;

/// Texts that begin so get an apostrophe.
const MARKED: [char; 14] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '\'', '＝', '＋', '－', '＠', '\u{feff}'];
/// Between the texts of a list.
const LIST_SEPARATOR: &str = ";";
/// What stands before an attribute's name in the name of its column.
const ATTRIBUTE_PREFIX: &str = "attributes.";

/// The columns of an export, as paths into its rows: `name`, `nextlead.standing`, `attributes.size`.
pub(super) struct Sheet {
    columns: Vec<String>,
}

impl Sheet {
    pub(super) fn new(columns: Vec<String>) -> Self {
        Self { columns }
    }

    /// Writes the header line.
    pub(super) fn header(&self, line: &mut Vec<u8>) -> anyhow::Result<()> {
        record(self.columns.iter().map(|name| guarded(name)), line)
    }

    /// Writes a row.
    pub(super) fn row(&self, row: &Value, line: &mut Vec<u8>) -> anyhow::Result<()> {
        record(self.columns.iter().map(|column| self.cell(row, column)), line)
    }

    fn cell(&self, row: &Value, column: &str) -> String {
        if let Some(name) = column.strip_prefix(ATTRIBUTE_PREFIX) {
            return cell_of(&row["attributes"][name]);
        }
        if column == "attributes" {
            return self.other_attributes(row);
        }
        match column.split_once('.') {
            Some((group, name)) => cell_of(&row[group][name]),
            None => cell_of(&row[column]),
        }
    }

    /// The attributes without a column of their own; empty if there are none.
    fn other_attributes(&self, row: &Value) -> String {
        let Some(all) = row["attributes"].as_object() else { return String::new() };
        let has_column = |name: &str| {
            let own = self.columns.iter().filter_map(|one| one.strip_prefix(ATTRIBUTE_PREFIX));
            own.into_iter().any(|own| own == name)
        };
        let mut others = all.clone();
        others.retain(|name, _| !has_column(name));
        if others.is_empty() { String::new() } else { Value::Object(others).to_string() }
    }
}

fn record(cells: impl Iterator<Item = String>, line: &mut Vec<u8>) -> anyhow::Result<()> {
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(std::mem::take(line));
    let mut record = csv::StringRecord::new();
    cells.for_each(|cell| record.push_field(&cell));
    writer.write_record(&record).context("cannot write a row")?;
    *line = writer.into_inner().context("cannot write a row")?;
    Ok(())
}

fn cell_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => guarded(text),
        Value::Array(list) => {
            let texts: Vec<_> = list.iter().map(|one| one.as_str().unwrap_or_default()).collect();
            guarded(&texts.join(LIST_SEPARATOR))
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// A text with an apostrophe before it if a spreadsheet could run it.
fn guarded(text: &str) -> String {
    if text.starts_with(MARKED) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_back(text: &[u8]) -> Vec<csv::StringRecord> {
        let reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text).into_records();
        reader.map(Result::unwrap).collect()
    }

    #[test]
    fn a_hostile_text_comes_back_without_its_apostrophe_and_starts_harmlessly() {
        let sheet = Sheet::new(vec!["name".into()]);
        for text in [
            "=1+1",
            "+49301",
            "-1",
            "@SUM(A1)",
            "\tx",
            "\r\nx",
            "\nx",
            "\0x",
            "'=1",
            "''",
            "＝1+1",
            "＋1",
            "－1",
            "＠x",
            "\u{feff}=1",
            "a\"b",
            "\"=1\"",
            "a;=1",
            "a,=1\n=2",
            "plain",
            "",
        ] {
            let mut line = Vec::new();
            sheet.row(&json!({ "name": text }), &mut line).unwrap();
            let records = read_back(&line);
            assert_eq!(records.len(), 1, "{text:?}");
            let cell = records[0].get(0).unwrap();
            assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), text, "{text:?}");
            let first = cell.chars().next().unwrap_or('a');
            assert!(first == '\'' || !MARKED.contains(&first), "{text:?}");
            assert!(line.starts_with(b"\""), "{text:?} is not quoted");
        }
    }

    #[test]
    fn numbers_are_no_texts_and_lists_are_one_cell() {
        let sheet = Sheet::new(["a", "b", "c", "g.d", "x"].map(String::from).to_vec());
        let mut line = Vec::new();
        let row = json!({"a": -5, "b": true, "c": ["+1", "=2"], "g": {"d": -0.5}});
        sheet.row(&row, &mut line).unwrap();
        assert_eq!(read_back(&line)[0], vec!["-5", "true", "'+1;=2", "-0.5", ""]);
    }

    #[test]
    fn an_attribute_has_its_own_column_or_stands_among_the_others() {
        let columns = ["attributes.size", "attributes.a.b", "attributes"].map(String::from);
        let sheet = Sheet::new(columns.to_vec());
        let check = |attributes: Value, expected: [&str; 3]| {
            let mut line = Vec::new();
            sheet.row(&json!({ "attributes": attributes }), &mut line).unwrap();
            assert_eq!(read_back(&line)[0], expected.to_vec());
        };
        check(json!({"size": 5, "a.b": "=x", "z": "=y"}), ["5", "'=x", "{\"z\":\"=y\"}"]);
        check(json!({"size": 5}), ["5", "", ""]);
    }
}

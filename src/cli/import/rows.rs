//! Turns a source into leads, row by row. A row that cannot be read is one row's problem: it keeps
//! its number, its line and its text, and the next row goes on.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::Arc;

use anyhow::Context as _;
use csv::ByteRecord;

use super::cell::Fit;
use super::ndjson::{self, Keys};
use super::plan::Plan;
use super::reading::Reading;
use super::source::{Format, Source};
use super::types::{DeclaredKinds, Profile, settle};
use crate::api::proto::Lead;

/// The longest row that is taken; a quote that is never closed makes one out of a whole file.
pub(super) const ROW_BYTES_MAX: usize = 1024 * 1024;

/// A column, and how its cells are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) reading: Reading,
    /// A flag or the mapping names it.
    pub(super) is_named: bool,
}

/// How rows are read, settled: the same file read again by the same layout gives the same leads.
#[derive(Clone)]
pub(super) struct Layout {
    pub(super) plan: Arc<Plan>,
    /// What every row starts from.
    template: Lead,
    /// Those of a header; without one, those of the first rows, to be shown.
    pub(super) columns: Vec<Column>,
    /// What the queue's rules declare, for keys that come later.
    declared: Arc<DeclaredKinds>,
}

/// A row as it stood in the file.
pub(super) struct Original {
    /// From 1, the header not counted.
    pub(super) number: i64,
    /// Its first line in the file, from 1.
    pub(super) line: u64,
    /// Its cells; one with the whole line for NDJSON.
    pub(super) cells: ByteRecord,
}

/// A row: what it was, and the lead or what is wrong with it.
pub(super) struct Row {
    pub(super) original: Original,
    pub(super) lead: Result<(Lead, Fit), String>,
}

/// The rows of a source, in order.
pub(super) struct Rows {
    layout: Layout,
    reader: Reader,
    /// Rows that were read to look at them, and are still to be given.
    ahead: VecDeque<Original>,
    read_count: i64,
    count: i64,
}

enum Reader {
    Csv { reader: csv::Reader<Box<dyn BufRead + Send>>, record: ByteRecord },
    Ndjson { text: Box<dyn BufRead + Send>, keys: Keys, line: u64, buffer: Vec<u8> },
}

impl Rows {
    /// Reads the header, if there is one, and holds it against the plan.
    pub(super) fn new(source: Source, plan: Plan) -> anyhow::Result<Self> {
        let template = plan.template()?;
        let (reader, names) = Reader::open(source)?;
        let columns = names.map_or(Ok(Vec::new()), |names| plan.columns(&names))?;
        let (plan, declared) = (Arc::new(plan), Arc::default());
        let layout = Layout { plan, template, columns, declared };
        Ok(Self { layout, reader, ahead: VecDeque::new(), read_count: 0, count: 0 })
    }

    /// Reads the same file again by a layout that is settled, from behind its first `done` rows on.
    pub(super) fn again(source: Source, layout: Layout, done: i64) -> anyhow::Result<Self> {
        let (reader, _) = Reader::open(source)?;
        let mut rows = Self { layout, reader, ahead: VecDeque::new(), read_count: 0, count: 0 };
        while rows.count < done {
            let original = rows.next_original()?;
            original.with_context(|| format!("the file has fewer than {done} rows"))?;
            rows.count += 1;
        }
        Ok(rows)
    }

    /// Looks at up to `count` rows, settles the types of attributes, and says what the columns are:
    /// one profile a column, and how many rows were looked at.
    pub(super) fn settle(
        &mut self,
        count: usize,
        declared: DeclaredKinds,
    ) -> anyhow::Result<(Vec<Profile>, usize)> {
        while self.ahead.len() < count {
            // What breaks off among the first rows is told when they are taken.
            match self.reader.read(self.read_count) {
                Ok(Some(original)) => {
                    self.read_count += 1;
                    self.ahead.push_back(original);
                }
                Ok(None) | Err(_) => break,
            }
        }
        self.layout.declared = Arc::new(declared);
        let rows: Vec<&ByteRecord> = self.ahead.iter().map(|original| &original.cells).collect();
        let profiles = match self.reader {
            Reader::Csv { .. } => settle(&mut self.layout.columns, &rows, &self.layout.declared),
            Reader::Ndjson { .. } => {
                let (columns, profiles) = ndjson::columns(&rows, &self.layout.plan);
                self.layout.columns = columns;
                profiles
            }
        };
        Ok((profiles, rows.len()))
    }

    /// How rows are read.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The first leads as they would be sent, of the rows that were looked at.
    pub(super) fn first_leads(&mut self, count: usize) -> Vec<Lead> {
        let Self { layout, reader, ahead, .. } = self;
        let leads = ahead.iter().filter_map(|original| reader.lead(layout, original).ok());
        leads.map(|(lead, _)| lead).take(count).collect()
    }

    /// The names of an original's cells.
    pub(super) fn header(&self) -> Vec<String> {
        match &self.reader {
            Reader::Csv { .. } => {
                self.layout.columns.iter().map(|column| column.name.clone()).collect()
            }
            Reader::Ndjson { .. } => vec!["rejected_original".to_owned()],
        }
    }

    /// How many rows were given.
    pub(super) fn count(&self) -> i64 {
        self.count
    }

    /// The next row; `None` at the end. Fails only if the file itself cannot be read further.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Row>> {
        let Some(original) = self.next_original()? else { return Ok(None) };
        self.count += 1;
        let lead = self.reader.lead(&self.layout, &original);
        Ok(Some(Row { original, lead }))
    }

    fn next_original(&mut self) -> anyhow::Result<Option<Original>> {
        if let Some(original) = self.ahead.pop_front() {
            return Ok(Some(original));
        }
        let original = self.reader.read(self.read_count)?;
        self.read_count += i64::from(original.is_some());
        Ok(original)
    }
}

impl Reader {
    /// Opens a source; gives the names of a header if it has one.
    fn open(source: Source) -> anyhow::Result<(Self, Option<Vec<String>>)> {
        if source.format == Format::Ndjson {
            let (text, keys) = (source.text, Keys::default());
            return Ok((Self::Ndjson { text, keys, line: 0, buffer: Vec::new() }, None));
        }
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(source.delimiter)
            .flexible(true)
            .from_reader(source.text);
        let header = reader.byte_headers().context("cannot read the header line")?;
        let names = header.iter().map(|cell| {
            let name = str::from_utf8(cell).context("the header line is not UTF-8; see --encoding");
            Ok(name?.trim().to_owned())
        });
        let names = names.collect::<anyhow::Result<_>>()?;
        Ok((Self::Csv { reader, record: ByteRecord::new() }, Some(names)))
    }

    /// Reads the row behind the first `read_count`.
    fn read(&mut self, read_count: i64) -> anyhow::Result<Option<Original>> {
        let number = read_count + 1;
        match self {
            Self::Csv { reader, record } => {
                if !reader.read_byte_record(record).context("cannot read on")? {
                    return Ok(None);
                }
                let line = record.position().map_or(0, csv::Position::line);
                Ok(Some(Original { number, line, cells: record.clone() }))
            }
            Self::Ndjson { text, line, buffer, .. } => {
                loop {
                    buffer.clear();
                    if text.read_until(b'\n', buffer).context("cannot read on")? == 0 {
                        return Ok(None);
                    }
                    *line += 1;
                    if !buffer.trim_ascii().is_empty() {
                        break;
                    }
                }
                let cells = ByteRecord::from(vec![buffer.trim_ascii()]);
                Ok(Some(Original { number, line: *line, cells }))
            }
        }
    }

    /// The lead that a row is.
    fn lead(&mut self, layout: &Layout, original: &Original) -> Result<(Lead, Fit), String> {
        let mut lead = layout.template.clone();
        let fit = match self {
            Self::Csv { .. } => fill_from_cells(&mut lead, &layout.columns, &original.cells)?,
            Self::Ndjson { keys, .. } => {
                let text = original.cells.get(0).unwrap_or_default();
                let by = ndjson::By { plan: &layout.plan, declared: &layout.declared };
                ndjson::fill(&mut lead, keys, by, text)?
            }
        };
        let key = lead.handover_key.get_or_insert_default();
        if layout.plan.is_id_row_number {
            key.external_id = original.number.to_string();
        }
        if key.external_id.is_empty() {
            return Err("external_id: must not be empty".to_owned());
        }
        Ok((lead, fit))
    }
}

fn fill_from_cells(
    lead: &mut Lead,
    columns: &[Column],
    record: &ByteRecord,
) -> Result<Fit, String> {
    if record.as_slice().len() > ROW_BYTES_MAX {
        return Err(format!("has more than {ROW_BYTES_MAX} bytes; is a quote not closed?"));
    }
    if record.len() != columns.len() {
        return Err(format!("has {} cells, the header has {}", record.len(), columns.len()));
    }
    // One check for the row is a fraction of one for every cell.
    let is_text = str::from_utf8(record.as_slice()).is_ok();
    let mut fit = Fit::Fits;
    for (Column { name, reading, .. }, cell) in columns.iter().zip(record) {
        let cell = match str::from_utf8(cell) {
            Ok(cell) if is_text => cell,
            Ok(_) => continue,
            Err(_) => return Err(format!("column '{name}': is not UTF-8; see --encoding")),
        };
        let put = reading.put(lead, cell).map_err(|problem| format!("column '{name}': {problem}"));
        if put? == Fit::KeptAsText {
            fit = Fit::KeptAsText;
        }
    }
    Ok(fit)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::cli::import::cell::shown;
    use crate::cli::import::field::Field;
    use crate::cli::import::mapping::Mapped;

    fn rows(text: &str, format: Format, maps: &[(&str, Field)]) -> anyhow::Result<Vec<Row>> {
        let source = Source {
            text: Box::new(Cursor::new(text.to_owned())),
            format,
            delimiter: b';',
            encoding: encoding_rs::UTF_8,
            read_bytes: Arc::default(),
            length: None,
        };
        let mapped = |(name, field): &(&str, Field)| Mapped {
            name: (*name).to_owned(),
            reading: Reading::of(field.clone()),
            line: None,
        };
        let plan = Plan {
            campaign_id: "spring".into(),
            source_system: "crm".into(),
            columns: maps.iter().map(mapped).collect(),
            constants: vec![(Field::Source, "fair".into())],
            ..Plan::default()
        };
        let mut rows = Rows::new(source, plan)?;
        rows.settle(2, DeclaredKinds::new())?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(row);
        }
        assert_eq!(rows.count(), all.len() as i64);
        Ok(all)
    }

    fn lead(row: &Row) -> &Lead {
        &row.lead.as_ref().unwrap().0
    }

    #[test]
    fn rows_become_leads_with_their_attributes() {
        let text = "id;name;phone;plz;size\nA1;\"Ann; B\";+49301;01067;12\n";
        let rows = rows(text, Format::Csv, &[("id", Field::ExternalId)]).unwrap();
        let lead = lead(&rows[0]);
        let key = lead.handover_key.as_ref().unwrap();
        assert_eq!((key.external_id.as_str(), key.campaign_id.as_str()), ("A1", "spring"));
        assert_eq!((lead.name.as_str(), lead.source.as_str()), ("Ann; B", "fair"));
        let value = |name: &str| shown(lead.attributes[name].value.as_ref().unwrap());
        assert_eq!(value("plz"), "string 01067");
        assert_eq!(value("size"), "int 12");
        assert_eq!(lead.attributes.len(), 2);
    }

    #[test]
    fn a_bad_row_keeps_its_place_and_stops_no_other() {
        let text = "external_id;score;source\nA;x;web\nB;1\n\"C\nD\";2;\n;3;web\nE;5;web\n";
        let rows = rows(text, Format::Csv, &[]).unwrap();
        let problems: Vec<_> = rows
            .iter()
            .map(|row| {
                let said = row.lead.as_ref().err().map_or("", String::as_str);
                (row.original.number, row.original.line, said)
            })
            .collect();
        assert_eq!(
            problems,
            [
                (1, 2, "column 'score': score: must be a number"),
                (2, 3, "has 2 cells, the header has 3"),
                (3, 4, ""),
                (4, 6, "external_id: must not be empty"),
                (5, 7, ""),
            ]
        );
        // An empty cell was not given: what is set for all rows stays.
        assert_eq!(lead(&rows[2]).source, "fair");
        assert_eq!(lead(&rows[4]).source, "web");
    }

    #[test]
    fn slips_of_the_command_line_are_said_before_anything_is_sent() {
        let check = |maps: &[(&str, Field)], expected: &str| {
            let problem = rows("a;b\n1;2\n", Format::Csv, maps).err().unwrap().to_string();
            assert!(problem.contains(expected), "{problem}");
        };
        check(&[("c", Field::ExternalId)], "no column 'c'; there are: a, b");
        check(&[], "--id-column");
        check(&[("a", Field::ExternalId), ("b", Field::ExternalId)], "several columns");
    }

    #[test]
    fn json_keeps_its_types_and_nested_attributes() {
        let text = "{\"external_id\": 7, \"numbers\": [\"+49301\", {\"number\": \"+49302\"}], \
                    \"vip\": true, \"attributes\": {\"plz\": \"01067\", \"size\": 1.0, \"tags\": [1]}}\n\
                    \n[1]\n{\"external_id\": \"8\", \"name\": null}\n";
        let rows = rows(text, Format::Ndjson, &[]).unwrap();
        let lead = lead(&rows[0]);
        assert_eq!(lead.handover_key.as_ref().unwrap().external_id, "7");
        assert_eq!(lead.numbers.len(), 2);
        let value = |name: &str| shown(lead.attributes[name].value.as_ref().unwrap());
        assert_eq!(value("vip"), "bool true");
        assert_eq!(value("plz"), "string 01067");
        assert_eq!(value("size"), "double 1");
        assert_eq!(value("tags"), "string [1]");
        assert_eq!((rows[1].original.number, rows[1].original.line), (2, 3));
        assert!(rows[1].lead.as_ref().unwrap_err().contains("no JSON object"));
        assert!(rows[2].lead.is_ok());
    }
}

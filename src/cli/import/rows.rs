//! Turns a source into leads, row by row. A row that cannot be read is one row's problem: it keeps
//! its number, its line and its text, and the next row goes on.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use anyhow::{Context as _, bail};
use csv::ByteRecord;
use serde_json::{Map, Value as Json};

use super::mapping::{Field, Kind, number, put};
use super::source::{Format, Source};
use crate::api::proto::attribute_value::Value;
use crate::api::proto::{AttributeValue, HandoverKey, Lead};

/// The longest row that is taken; a quote that is never closed makes one out of a whole file.
const ROW_BYTES_MAX: usize = 1024 * 1024;

/// What the command line says about all rows.
pub(super) struct Plan {
    pub(super) campaign_id: String,
    pub(super) source_system: String,
    pub(super) maps: Vec<(String, Field)>,
    pub(super) sets: Vec<(Field, String)>,
    /// The row's number is its external id.
    pub(super) is_id_row_number: bool,
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
    pub(super) lead: Result<Lead, String>,
}

/// The rows of a source, in order.
pub(super) struct Rows {
    template: Lead,
    is_id_row_number: bool,
    count: i64,
    reader: Reader,
}

enum Reader {
    Csv {
        reader: csv::Reader<Box<dyn BufRead + Send>>,
        columns: Vec<(String, Field)>,
        record: ByteRecord,
    },
    Ndjson {
        text: Box<dyn BufRead + Send>,
        fields: HashMap<String, Field>,
        line: u64,
        buffer: Vec<u8>,
    },
}

impl Rows {
    /// Reads the header, if there is one, and holds it against the plan.
    pub(super) fn new(source: Source, plan: Plan) -> anyhow::Result<Self> {
        let template = template(&plan)?;
        let is_id_row_number = plan.is_id_row_number;
        let reader = match source.format {
            Format::Csv => {
                let mut reader = csv::ReaderBuilder::new()
                    .delimiter(source.delimiter)
                    .flexible(true)
                    .from_reader(source.text);
                let header = reader.byte_headers().context("cannot read the header line")?;
                let columns = columns(header, &plan)?;
                Reader::Csv { reader, columns, record: ByteRecord::new() }
            }
            Format::Ndjson => {
                let fields = plan.maps.into_iter().collect();
                Reader::Ndjson { text: source.text, fields, line: 0, buffer: Vec::new() }
            }
        };
        Ok(Self { template, is_id_row_number, count: 0, reader })
    }

    /// The names of an original's cells.
    pub(super) fn header(&self) -> Vec<String> {
        match &self.reader {
            Reader::Csv { columns, .. } => columns.iter().map(|(name, _)| name.clone()).collect(),
            Reader::Ndjson { .. } => vec!["rejected_original".to_owned()],
        }
    }

    /// How many rows were read.
    pub(super) fn count(&self) -> i64 {
        self.count
    }

    /// The next row; `None` at the end. Fails only if the file itself cannot be read further.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Row>> {
        let mut lead = self.template.clone();
        let (line, cells, read) = match &mut self.reader {
            Reader::Csv { reader, columns, record } => {
                if !reader.read_byte_record(record).context("cannot read on")? {
                    return Ok(None);
                }
                let line = record.position().map_or(0, csv::Position::line);
                let read = fill_from_cells(&mut lead, columns, record);
                (line, record.clone(), read)
            }
            Reader::Ndjson { text, fields, line, buffer } => {
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
                let text = buffer.trim_ascii();
                let read = fill_from_object(&mut lead, fields, text);
                (*line, ByteRecord::from(vec![text]), read)
            }
        };
        self.count += 1;
        let key = lead.handover_key.get_or_insert_default();
        if self.is_id_row_number {
            key.external_id = self.count.to_string();
        }
        let has_id = !key.external_id.is_empty();
        let lead = match read {
            Ok(()) if has_id => Ok(lead),
            Ok(()) => Err("external_id: must not be empty".to_owned()),
            Err(problem) => Err(problem),
        };
        Ok(Some(Row { original: Original { number: self.count, line, cells }, lead }))
    }
}

/// What every row starts from.
fn template(plan: &Plan) -> anyhow::Result<Lead> {
    let mut lead = Lead::default();
    for (field, value) in &plan.sets {
        if let Err(problem) = put(&mut lead, field, value) {
            bail!("--set: {problem}");
        }
    }
    lead.handover_key = Some(HandoverKey {
        source_system: plan.source_system.clone(),
        external_id: String::new(),
        campaign_id: plan.campaign_id.clone(),
    });
    Ok(lead)
}

/// What each column becomes. A `--map` of a column that is not there is a slip, and so is a file
/// whose rows have no ids: both are said before anything is sent.
fn columns(header: &ByteRecord, plan: &Plan) -> anyhow::Result<Vec<(String, Field)>> {
    let mut columns = Vec::with_capacity(header.len());
    for cell in header {
        let name = str::from_utf8(cell).context("the header line is not UTF-8")?.trim();
        let mapped = plan.maps.iter().find(|(column, _)| column.trim() == name);
        let field = mapped.map_or_else(|| Field::of_column(name), |(_, field)| field.clone());
        columns.push((name.to_owned(), field));
    }
    let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
    for (column, _) in &plan.maps {
        if !names.contains(&column.trim()) {
            bail!("there is no column '{column}'; there are: {}", names.join(", "));
        }
    }
    let mut attributes = HashSet::new();
    for (name, field) in &columns {
        if let Field::Attribute(attribute, _) = field
            && (attribute.is_empty() || !attributes.insert(attribute))
        {
            bail!("the column '{name}' has no name of its own; is the first line a header?");
        }
    }
    if !plan.is_id_row_number && !columns.iter().any(|(_, field)| *field == Field::ExternalId) {
        bail!(
            "no column is the external id, which tells the rows apart when they are sent again; \
             name one with --id-column, or take the rows' numbers with --id-column '#'; \
             there are: {}",
            names.join(", ")
        );
    }
    Ok(columns)
}

fn fill_from_cells(
    lead: &mut Lead,
    columns: &[(String, Field)],
    record: &ByteRecord,
) -> Result<(), String> {
    if record.as_slice().len() > ROW_BYTES_MAX {
        return Err(format!("has more than {ROW_BYTES_MAX} bytes; is a quote not closed?"));
    }
    if record.len() != columns.len() {
        return Err(format!("has {} cells, the header has {}", record.len(), columns.len()));
    }
    // One check for the row is a fraction of one for every cell.
    let is_text = str::from_utf8(record.as_slice()).is_ok();
    for ((name, field), cell) in columns.iter().zip(record) {
        let cell = match str::from_utf8(cell) {
            Ok(cell) if is_text => cell,
            Ok(_) => continue,
            Err(_) => return Err(format!("column '{name}': is not UTF-8")),
        };
        put(lead, field, cell).map_err(|problem| format!("column '{name}': {problem}"))?;
    }
    Ok(())
}

fn fill_from_object(
    lead: &mut Lead,
    fields: &mut HashMap<String, Field>,
    text: &[u8],
) -> Result<(), String> {
    if text.len() > ROW_BYTES_MAX {
        return Err(format!("has more than {ROW_BYTES_MAX} bytes"));
    }
    // The reader's own message would repeat parts of the text.
    let object: Map<String, Json> = serde_json::from_slice(text).map_err(|error| {
        format!("is no JSON object (column {}: {:?})", error.column(), error.classify())
    })?;
    for (key, value) in object {
        let field = fields.entry(key).or_insert_with_key(|key| Field::of_column(key));
        put_json(lead, field, value)?;
    }
    Ok(())
}

fn put_json(lead: &mut Lead, field: &Field, value: Json) -> Result<(), String> {
    match (field, value) {
        (_, Json::Null) | (Field::Ignored, _) => Ok(()),
        (Field::Attributes, Json::Object(nested)) => {
            for (name, value) in nested {
                put_json(lead, &Field::Attribute(name, Kind::Inferred), value)?;
            }
            Ok(())
        }
        (Field::Attributes, _) => Err("attributes: must be an object".to_owned()),
        (Field::Attribute(name, Kind::Inferred), value) => {
            let value = AttributeValue { value: Some(attribute(value)) };
            lead.attributes.insert(name.clone(), value);
            Ok(())
        }
        (Field::Numbers, Json::Array(numbers)) => {
            for one in numbers {
                let text = one.as_str().or_else(|| one.get("number")?.as_str());
                let text = text.ok_or("numbers: must be a list of texts")?;
                lead.numbers.push(number(text));
            }
            Ok(())
        }
        (Field::Skills, Json::Array(skills)) => {
            for one in skills {
                let skill = one.as_str().ok_or("skills: must be a list of texts")?;
                lead.skills.push(skill.to_owned());
            }
            Ok(())
        }
        (field, Json::String(text)) => put(lead, field, &text).map_err(str::to_owned),
        (field, value @ (Json::Bool(_) | Json::Number(_))) => {
            put(lead, field, &value.to_string()).map_err(str::to_owned)
        }
        (_, Json::Array(_) | Json::Object(_)) => Err("a field is a list or an object".to_owned()),
    }
}

/// JSON says its types itself. What nests deeper is kept as its JSON text.
fn attribute(value: Json) -> Value {
    match value {
        Json::Bool(value) => Value::BoolValue(value),
        Json::String(text) => Value::StringValue(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::IntValue(whole),
            (None, Some(double)) if !number.is_u64() => Value::DoubleValue(double),
            _ => Value::StringValue(number.to_string()),
        },
        nested => Value::StringValue(nested.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::Arc;

    use super::*;
    use crate::cli::import::mapping::shown;

    fn rows(text: &str, format: Format, maps: &[(&str, Field)]) -> anyhow::Result<Vec<Row>> {
        let source = Source {
            text: Box::new(Cursor::new(text.to_owned())),
            format,
            delimiter: b';',
            read_bytes: Arc::default(),
            length: None,
        };
        let plan = Plan {
            campaign_id: "spring".into(),
            source_system: "crm".into(),
            maps: maps.iter().map(|(name, field)| ((*name).to_owned(), field.clone())).collect(),
            sets: vec![(Field::Source, "fair".into())],
            is_id_row_number: false,
        };
        let mut rows = Rows::new(source, plan)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(row);
        }
        assert_eq!(rows.count(), all.len() as i64);
        Ok(all)
    }

    #[test]
    fn rows_become_leads_with_their_attributes() {
        let text = "id;name;phone;plz;size\nA1;\"Ann; B\";+49301;01067;12\n";
        let rows = rows(text, Format::Csv, &[("id", Field::ExternalId)]).unwrap();
        let lead = rows[0].lead.as_ref().unwrap();
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
        assert_eq!(rows[2].lead.as_ref().unwrap().source, "fair");
        assert_eq!(rows[4].lead.as_ref().unwrap().source, "web");
    }

    #[test]
    fn slips_of_the_command_line_are_said_before_anything_is_sent() {
        let check = |maps: &[(&str, Field)], expected: &str| {
            let problem = rows("a;b\n1;2\n", Format::Csv, maps).err().unwrap().to_string();
            assert!(problem.contains(expected), "{problem}");
        };
        check(&[("c", Field::ExternalId)], "no column 'c'; there are: a, b");
        check(&[], "--id-column");
    }

    #[test]
    fn json_keeps_its_types_and_nested_attributes() {
        let text = "{\"external_id\": 7, \"numbers\": [\"+49301\", {\"number\": \"+49302\"}], \
                    \"vip\": true, \"attributes\": {\"plz\": \"01067\", \"size\": 1.0, \"tags\": [1]}}\n\
                    \n[1]\n{\"external_id\": \"8\", \"name\": null}\n";
        let rows = rows(text, Format::Ndjson, &[]).unwrap();
        let lead = rows[0].lead.as_ref().unwrap();
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

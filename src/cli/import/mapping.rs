//! A mapping file: which column becomes what, in TOML. All mistakes are told at once, each with its
//! place and the nearest valid name.

use std::ops::Range;

use encoding_rs::Encoding;
use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};

use super::cell::{Times, put};
use super::encoding::read_encoding;
use super::field::Field;
use super::reading::Reading;
use super::source::{Format, read_delimiter};
use crate::api::proto::Lead;
use crate::rules::{Entry, Mistakes, Report, Table, expected, hint, int, list, table, text};

/// The longest mapping, in bytes.
const MAPPING_LENGTH_MAX: usize = 256 * 1_024;

const KEYS: [&str; 9] = [
    "campaign",
    "source_system",
    "id_column",
    "format",
    "delimiter",
    "encoding",
    "others",
    "columns",
    "constants",
];
const COLUMN_KEYS: [&str; 7] = ["field", "into", "split", "values", "default", "format", "zone"];

/// What becomes of columns that are neither named nor a field by their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Others {
    /// An attribute under its own name.
    #[default]
    Attribute,
    /// Nothing.
    Ignore,
    /// A file that has one is refused.
    Refuse,
}

pub(super) const OTHERS: [(&str, Others); 3] =
    [("attribute", Others::Attribute), ("ignore", Others::Ignore), ("refuse", Others::Refuse)];

/// A column that a mapping or a flag names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mapped {
    pub(super) name: String,
    pub(super) reading: Reading,
    /// Its line in the mapping file; `None`: a flag.
    pub(super) line: Option<u32>,
}

/// A mapping file, read.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    pub(super) campaign_id: Option<String>,
    pub(super) source_system: Option<String>,
    pub(super) id_column: Option<String>,
    pub(super) format: Option<Format>,
    pub(super) delimiter: Option<u8>,
    pub(super) encoding: Option<&'static Encoding>,
    pub(super) others: Others,
    pub(super) columns: Vec<Mapped>,
    pub(super) constants: Vec<(Field, String)>,
}

/// Reads a mapping.
pub(super) fn read(document: &str) -> Result<Mapping, Mistakes> {
    let mut report = Report::new(document);
    let mut mapping = Mapping::default();
    if document.len() > MAPPING_LENGTH_MAX {
        report.add(0..0, format!("a mapping has at most {MAPPING_LENGTH_MAX} bytes"));
    } else {
        let (root, errors) = DeTable::parse_recoverable(document);
        for error in &errors {
            report.add(error.span().unwrap_or(0..0), error.message());
        }
        // What is missing from a broken document may stand in the broken part.
        if errors.is_empty() {
            mapping = mapping_of(root.get_ref(), &mut report);
        }
    }
    report.finish().map(|()| mapping)
}

fn mapping_of(root: &DeTable<'_>, report: &mut Report<'_>) -> Mapping {
    let document = Table::new(root, "a mapping", 0..0, &KEYS, report);
    let columns = document.get("columns").and_then(|entry| table(entry, report));
    let columns = columns.into_iter().flatten().map(|(name, entry)| Mapped {
        name: name.get_ref().to_string(),
        line: Some(report.line_of(name.span().start)),
        reading: column(entry, report).unwrap_or_else(|| Reading::of(Field::Ignored)),
    });
    let columns = columns.collect();
    let constants = document.get("constants").and_then(|entry| table(entry, report));
    let constants = constants.into_iter().flatten();
    let constants = constants
        .filter_map(|(name, entry)| constant(name.get_ref(), &name.span(), entry, report))
        .collect();
    let mut word = |key| {
        document.get(key).and_then(|entry| text(entry, report)).map(|one| one.text.to_owned())
    };
    Mapping {
        campaign_id: word("campaign"),
        source_system: word("source_system"),
        id_column: word("id_column"),
        format: one_of(document.get("format"), &FORMATS, report),
        delimiter: read_with(document.get("delimiter"), read_delimiter, report),
        encoding: read_with(document.get("encoding"), read_encoding, report),
        others: one_of(document.get("others"), &OTHERS, report).unwrap_or_default(),
        columns,
        constants,
    }
}

const FORMATS: [(&str, Format); 2] = [("csv", Format::Csv), ("ndjson", Format::Ndjson)];

fn one_of<T: Copy, const N: usize>(
    entry: Option<&Entry<'_>>,
    words: &[(&'static str, T); N],
    report: &mut Report<'_>,
) -> Option<T> {
    let quoted = text(entry?, report)?;
    let known = words.iter().find(|(word, _)| *word == quoted.text);
    if known.is_none() {
        let names = words.map(|(word, _)| word);
        let hint = hint(quoted.text, names);
        report.add(quoted.span, format!("must be one of `{}`{hint}", names.join("`, `")));
    }
    known.map(|(_, value)| *value)
}

fn read_with<T>(
    entry: Option<&Entry<'_>>,
    read: impl Fn(&str) -> Result<T, String>,
    report: &mut Report<'_>,
) -> Option<T> {
    let quoted = text(entry?, report)?;
    read(quoted.text).map_err(|problem| report.add(quoted.span, problem)).ok()
}

/// A text, a number or a truth, as the text that a cell would hold.
fn scalar(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<String> {
    match entry.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Integer(_) => int(entry).map(|int| int.to_string()),
        DeValue::Float(value) => Some(value.as_str().to_owned()),
        other => {
            report.add(entry.span(), expected("a text, a number, true or false", other));
            None
        }
    }
}

fn constant(
    name: &str,
    span: &Range<usize>,
    entry: &Entry<'_>,
    report: &mut Report<'_>,
) -> Option<(Field, String)> {
    let value = scalar(entry, report)?;
    let field = Field::read(name).map_err(|problem| report.add(span.clone(), problem)).ok()?;
    match check_constant(&field, &value) {
        Ok(()) => Some((field, value)),
        Err(problem) => {
            report.add(entry.span(), problem);
            None
        }
    }
}

/// Checks that a value can stand in a field of every row.
pub(super) fn check_constant(field: &Field, value: &str) -> Result<(), String> {
    match field {
        Field::Ignored | Field::ExternalId => {
            Err("this cannot be the same for all rows".to_owned())
        }
        field => match put(&mut Lead::default(), field, value, &Times::default()) {
            Ok(_) => Ok(()),
            Err(problem) => Err(problem.to_owned()),
        },
    }
}

fn column(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<Reading> {
    if let DeValue::String(_) = entry.get_ref() {
        return field_of(entry, report).map(Reading::of);
    }
    let DeValue::Table(entries) = entry.get_ref() else {
        report.add(entry.span(), expected("a field, or a table", entry.get_ref()));
        return None;
    };
    let keys = Table::new(entries, "a column", entry.span(), &COLUMN_KEYS, report);
    let mut reading = Reading::of(Field::Ignored);
    reading.fields = match (keys.get("field"), keys.get("into")) {
        (Some(field), None) => vec![field_of(field, report)?],
        (None, Some(into)) => {
            let fields = list(into, report).iter();
            fields.filter_map(|field| field_of(field, report)).collect()
        }
        _ => {
            report.add(entry.span(), "a column needs either `field` or `into`");
            return None;
        }
    };
    reading.split = keys.get("split").and_then(|split| text(split, report)).map(|one| {
        if one.text.is_empty() {
            report.add(one.span.clone(), "cells cannot be split at nothing");
        }
        one.text.to_owned()
    });
    let values = keys.get("values").and_then(|values| table(values, report));
    for (from, to) in values.into_iter().flatten() {
        let to = scalar(to, report);
        reading.values.extend(to.map(|to| (from.get_ref().trim().to_owned(), to)));
    }
    reading.default = keys.get("default").and_then(|default| scalar(default, report));
    reading.times = times(&keys, report);
    check(&reading, &keys, entry.span(), report);
    Some(reading)
}

fn field_of(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<Field> {
    let quoted = text(entry, report)?;
    Field::read(quoted.text).map_err(|problem| report.add(quoted.span, problem)).ok()
}

fn times(keys: &Table<'_, '_>, report: &mut Report<'_>) -> Times {
    let mut times = Times::default();
    if let Some(format) = keys.get("format") {
        let formats = match format.get_ref() {
            DeValue::Array(formats) => formats.iter().collect(),
            _ => vec![format],
        };
        for entry in formats {
            let Some(quoted) = text(entry, report) else { continue };
            let example = jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
            if let Err(problem) = jiff::fmt::strtime::format(quoted.text, &example) {
                report.add(quoted.span, format!("this is no pattern for instants: {problem}"));
            }
            times.formats.push(quoted.text.to_owned());
        }
    }
    if let Some(zone) = keys.get("zone").and_then(|zone| text(zone, report)) {
        match TimeZone::get(zone.text) {
            Ok(known) => times.zone = known,
            Err(_) => {
                report.add(zone.span, "must be a time zone by its IANA name: Europe/Berlin");
            }
        }
    }
    times
}

/// What each key needs beside it.
fn check(reading: &Reading, keys: &Table<'_, '_>, span: Range<usize>, report: &mut Report<'_>) {
    let place = |key: &str| keys.get(key).map_or(span.clone(), |entry| entry.span());
    let is_list = reading.fields.iter().all(Field::is_list);
    if keys.get("into").is_some() && reading.split.is_none() {
        report.add(span.clone(), "`into` needs `split`: what stands between the parts");
    }
    if keys.get("field").is_some() && reading.split.is_some() && !is_list {
        report.add(place("split"), "only numbers and skills are lists; name the parts with `into`");
    }
    if reading.gives(&Field::Attributes) && !reading.is_plain() {
        report.add(span.clone(), "all attributes at once can only be read as they stand");
    }
    if !reading.gives(&Field::HandedOverTime) {
        for key in ["format", "zone"] {
            if keys.get(key).is_some() {
                report.add(place(key), format!("`{key}` is for `handed_over_time` alone"));
            }
        }
    }
    if reading.gives(&Field::ExternalId) && reading.default.is_some() {
        report.add(place("default"), "the external id cannot be the same for several rows");
    }
    if let [field] = reading.fields.as_slice() {
        let given = reading.values.iter().map(|(_, to)| (to, "values"));
        for (value, key) in given.chain(reading.default.iter().map(|one| (one, "default"))) {
            if let Err(problem) = put(&mut Lead::default(), field, value, &reading.times) {
                report.add(place(key), format!("`{value}`: {problem}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::{Kind, Typing};
    use super::*;

    #[test]
    fn a_mapping_says_all_that_a_column_needs() {
        let mapping = read(
            "campaign = \"spring\"\nid_column = \"nr\"\ndelimiter = \"tab\"\nothers = \"ignore\"\n\
             encoding = \"latin1\"\n[columns]\n\"e mail\" = \"email\"\nplz = \"attributes.plz:string\"\n\
             old = \"-\"\nplace = { split = \"/\", into = [\"region\", \"country\"] }\n\
             [columns.optin]\nfield = \"attributes.optin:bool\"\nvalues = { Ja = true, Nein = 0 }\n\
             default = false\n[columns.created]\nfield = \"handed_over_time\"\n\
             format = [\"%d.%m.%Y\", \"%s\"]\nzone = \"Europe/Berlin\"\n\
             [constants]\nchannel = \"fair\"\n\"attributes.year\" = 2026\n",
        )
        .unwrap();
        assert_eq!(mapping.campaign_id.as_deref(), Some("spring"));
        assert_eq!((mapping.delimiter, mapping.others), (Some(b'\t'), Others::Ignore));
        assert_eq!(mapping.encoding.map(Encoding::name), Some("windows-1252"));
        let column = |name: &str| {
            let one = mapping.columns.iter().find(|one| one.name == name).unwrap();
            (one.reading.clone(), one.line.unwrap())
        };
        assert_eq!(column("e mail"), (Reading::of(Field::Email), 7));
        let plz = Field::Attribute("plz".into(), Typing::Declared(Kind::Text));
        assert_eq!(column("plz"), (Reading::of(plz), 8));
        assert_eq!(column("place").0.fields, [Field::Region, Field::Country]);
        let optin = column("optin").0;
        assert_eq!(optin.values.len(), 2);
        assert_eq!(optin.default.as_deref(), Some("false"));
        assert_eq!(column("created").0.times.formats, ["%d.%m.%Y", "%s"]);
        assert_eq!(mapping.constants.len(), 2);
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_lines_and_the_nearest_names() {
        let document = "campain = \"spring\"\nothers = \"ignor\"\n[columns]\na = \"nmae\"\nb = 5\n\
                        c = { field = \"name\", splt = \",\" }\nd = { split = \",\" }\n\
                        e = { field = \"name\", split = \",\" }\n\
                        f = { field = \"score\", default = \"high\" }\n\
                        g = { field = \"name\", zone = \"Europe/Berlin\" }\n\
                        h = { field = \"handed_over_time\", zone = \"Mars\", format = \"%Q!%é\" }\n\
                        [constants]\nexternal_id = \"1\"\nsorce = \"web\"\n";
        let mistakes = read(document).unwrap_err();
        let told: Vec<_> = mistakes.0.iter().map(|one| (one.line, one.message.as_str())).collect();
        let expected = [
            (1, "did you mean `campaign`?"),
            (2, "did you mean `ignore`?"),
            (4, "did you mean `name`?"),
            (5, "expected a field, or a table, found a whole number"),
            (6, "did you mean `split`?"),
            (7, "either `field` or `into`"),
            (8, "only numbers and skills are lists"),
            (9, "`high`: score: must be a number"),
            (10, "`zone` is for `handed_over_time` alone"),
            (11, "IANA name"),
            (11, "no pattern for instants"),
            (13, "cannot be the same for all rows"),
            (14, "did you mean `source`?"),
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for ((line, message), (at, part)) in told.iter().zip(expected) {
            assert!(*line == at && message.contains(part), "{line}: {message}, not {at}: {part}");
        }
    }
}

//! A mapping written out: all that an import was going by, inferred types included, so that the next
//! import of such a file is exact. Reading it back gives the same plan.

use std::fmt::Write as _;

use encoding_rs::Encoding;

use super::cell::Times;
use super::mapping::OTHERS;
use super::plan::ROW_NUMBER;
use super::reading::Reading;
use super::rows::Layout;
use super::source::Format;

/// How the file is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) format: Format,
    pub(super) delimiter: u8,
    pub(super) encoding: &'static Encoding,
}

/// The mapping that a layout is.
pub(super) fn mapping(layout: &Layout, shape: Shape) -> String {
    let plan = &layout.plan;
    let mut text = String::from("# Which column becomes what: for nextlead import --mapping.\n");
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key} = {}", quoted(value));
    };
    if !plan.campaign_id.is_empty() {
        line("campaign", &plan.campaign_id);
    }
    if !plan.source_system.is_empty() {
        line("source_system", &plan.source_system);
    }
    if plan.is_id_row_number {
        line("id_column", ROW_NUMBER);
    }
    match shape.format {
        Format::Csv => {
            line("format", "csv");
            line("delimiter", &char::from(shape.delimiter).to_string().replace('\t', "tab"));
        }
        Format::Ndjson => line("format", "ndjson"),
    }
    line("encoding", &shape.encoding.name().to_ascii_lowercase());
    let others = OTHERS.iter().find(|(_, others)| *others == plan.others);
    line("others", others.map_or("attribute", |(name, _)| name));
    text.push_str("\n[columns]\n");
    for column in &layout.columns {
        let _ = writeln!(text, "{} = {}", quoted(&column.name), reading(&column.reading));
    }
    // Keys that the first rows of NDJSON do not have.
    let is_shown = |name: &str| layout.columns.iter().any(|column| column.name == name.trim());
    for column in plan.columns.iter().filter(|column| !is_shown(&column.name)) {
        let _ = writeln!(text, "{} = {}", quoted(&column.name), reading(&column.reading));
    }
    if !plan.constants.is_empty() {
        text.push_str("\n[constants]\n");
        for (field, value) in &plan.constants {
            let _ = writeln!(text, "{} = {}", quoted(&field.name()), quoted(value));
        }
    }
    text
}

fn reading(reading: &Reading) -> String {
    let names: Vec<_> = reading.fields.iter().map(|field| quoted(&field.name())).collect();
    if reading.is_plain() && reading.times == Times::default() {
        return names.concat();
    }
    let mut keys = vec![match names.as_slice() {
        [field] => format!("field = {field}"),
        fields => format!("into = [{}]", fields.join(", ")),
    }];
    keys.extend(reading.split.as_ref().map(|split| format!("split = {}", quoted(split))));
    if !reading.values.is_empty() {
        let values = reading.values.iter();
        let values: Vec<_> =
            values.map(|(from, to)| format!("{} = {}", quoted(from), quoted(to))).collect();
        keys.push(format!("values = {{ {} }}", values.join(", ")));
    }
    keys.extend(reading.default.as_ref().map(|value| format!("default = {}", quoted(value))));
    if !reading.times.formats.is_empty() {
        let formats: Vec<_> = reading.times.formats.iter().map(|one| quoted(one)).collect();
        keys.push(format!("format = [{}]", formats.join(", ")));
    }
    if let Some(zone) = reading.times.zone.iana_name().filter(|zone| *zone != "UTC") {
        keys.push(format!("zone = {}", quoted(zone)));
    }
    format!("{{ {} }}", keys.join(", "))
}

/// A text as TOML writes it: a JSON text is one, but for the one control character that JSON leaves.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON").replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::Arc;

    use super::super::mapping::read;
    use super::super::plan::{Flags, Plan};
    use super::super::rows::Rows;
    use super::super::source::Source;
    use super::super::types::DeclaredKinds;
    use super::*;

    const SHAPE: Shape =
        Shape { format: Format::Csv, delimiter: b'\t', encoding: encoding_rs::WINDOWS_1252 };

    fn layout(plan: Plan) -> Layout {
        let text = "nr\tplz\tsize\topt \"in\"\tplace\tat\n1\t01067\t5\tJa\ta/DE\t01.02.2026\n";
        let source = Source {
            text: Box::new(Cursor::new(text)),
            format: SHAPE.format,
            delimiter: SHAPE.delimiter,
            encoding: SHAPE.encoding,
            read_bytes: Arc::default(),
            length: None,
        };
        let mut rows = Rows::new(source, plan).unwrap();
        rows.settle(10, DeclaredKinds::new()).unwrap();
        rows.layout().clone()
    }

    #[test]
    fn a_mapping_that_is_written_reads_back_as_what_it_was() {
        let document = "campaign = \"spring\"\nsource_system = \"crm\"\nothers = \"ignore\"\n\
                        [columns]\nnr = \"external_id\"\nplz = \"attributes.plz\"\n\
                        size = \"attributes.size\"\n\
                        'opt \"in\"' = { field = \"attributes.ok:bool\", values = { Ja = true }, default = 0 }\n\
                        place = { split = \"/\", into = [\"region\", \"country\"] }\n\
                        at = { field = \"handed_over_time\", format = \"%d.%m.%Y\", zone = \"Europe/Berlin\" }\n\
                        [constants]\n\"attributes.year\" = 2026\n";
        let plan =
            |document: &str| Plan::of(Flags::default(), read(document).unwrap(), "map.toml".into());
        let first = layout(plan(document));
        let written = mapping(&first, SHAPE);
        assert!(written.contains("\"plz\" = \"attributes.plz:string\""), "{written}");
        assert!(written.contains("\"size\" = \"attributes.size:int\""), "{written}");
        assert!(written.contains("delimiter = \"tab\"\nencoding = \"windows-1252\""), "{written}");
        let again = layout(plan(&written));
        assert_eq!(mapping(&again, SHAPE), written);
        assert_eq!(again.plan.template().unwrap(), first.plan.template().unwrap());
        let shape = read(&written).unwrap();
        assert_eq!((shape.delimiter, shape.format), (Some(b'\t'), Some(Format::Csv)));
    }
}

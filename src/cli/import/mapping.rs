//! What a column or a key becomes: a field of the lead, or an attribute.
//!
//! A name that equals a field's is that field; `--map` says otherwise; everything else becomes an
//! attribute under its own name, so that nothing a file carries is dropped in silence. A cell's
//! type is inferred only where writing it out again gives the same text: `007` stays a text.

use prost_types::Timestamp;

use crate::api::proto::attribute_value::Value;
use crate::api::proto::{AttributeValue, Lead, LeadNumber};
use crate::cli::words::timestamp_of;

/// What stands before a column's name to make it ignored when a rejects file is imported again.
pub(super) const REJECTED_PREFIX: &str = "rejected_";

/// Digits that a double holds exactly, whatever they are.
const DOUBLE_DIGIT_COUNT_MAX: usize = 15;

/// What a column becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ExternalId,
    HandedOverTime,
    Name,
    Company,
    Email,
    Numbers,
    TimeZone,
    Source,
    Channel,
    Trigger,
    Stage,
    Score,
    Country,
    Region,
    Language,
    Skills,
    Engagements,
    /// All attributes at once, as NDJSON can nest them.
    Attributes,
    Attribute(String, Kind),
    Ignored,
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whatever the cell looks like.
    Inferred,
    Bool,
    Int,
    Double,
    Text,
}

const FIELDS: [(&str, Field); 21] = [
    ("external_id", Field::ExternalId),
    ("handed_over_time", Field::HandedOverTime),
    ("handed_over_at", Field::HandedOverTime),
    ("name", Field::Name),
    ("company", Field::Company),
    ("email", Field::Email),
    ("number", Field::Numbers),
    ("numbers", Field::Numbers),
    ("phone", Field::Numbers),
    ("phone_number", Field::Numbers),
    ("time_zone", Field::TimeZone),
    ("source", Field::Source),
    ("channel", Field::Channel),
    ("trigger", Field::Trigger),
    ("stage", Field::Stage),
    ("score", Field::Score),
    ("country", Field::Country),
    ("region", Field::Region),
    ("language", Field::Language),
    ("skills", Field::Skills),
    ("engagements", Field::Engagements),
];

impl Field {
    /// What a column becomes by its name alone: `Time Zone` is `time_zone`.
    pub(super) fn of_column(column: &str) -> Self {
        let name = column.trim();
        let folded = name.to_ascii_lowercase().replace([' ', '-'], "_");
        if folded == "attributes" {
            return Self::Attributes;
        }
        if folded.starts_with(REJECTED_PREFIX) {
            return Self::Ignored;
        }
        match FIELDS.iter().find(|(field, _)| *field == folded) {
            Some((_, field)) => field.clone(),
            None => Self::Attribute(name.to_owned(), Kind::Inferred),
        }
    }

    /// Reads the right side of `--map column=field`.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Ignored);
        }
        if let Some(attribute) = text.strip_prefix("attributes.") {
            let (name, kind) = match attribute.rsplit_once(':') {
                None => (attribute, Kind::Inferred),
                Some((name, "bool")) => (name, Kind::Bool),
                Some((name, "int")) => (name, Kind::Int),
                Some((name, "double")) => (name, Kind::Double),
                Some((name, "string")) => (name, Kind::Text),
                Some((_, kind)) => {
                    return Err(format!("'{kind}' is none of bool, int, double, string"));
                }
            };
            return Ok(Self::Attribute(name.to_owned(), kind));
        }
        FIELDS.iter().find(|(field, _)| *field == text).map(|(_, field)| field.clone()).ok_or_else(
            || {
                let fields: Vec<_> = FIELDS.iter().map(|(field, _)| *field).collect();
                format!("'{text}' is none of: {}, attributes.NAME, -", fields.join(", "))
            },
        )
    }
}

/// Reads one `--map column=field`.
pub(super) fn read_map(text: &str) -> Result<(String, Field), String> {
    // The last `=`, as a column's name may have one and a field's does not.
    let (column, field) = text.rsplit_once('=').ok_or("column=field is needed")?;
    Ok((column.to_owned(), Field::read(field)?))
}

/// Reads one `--set field=value`.
pub(super) fn read_set(text: &str) -> Result<(Field, String), String> {
    let (field, value) = text.split_once('=').ok_or("field=value is needed")?;
    let field = Field::read(field)?;
    match field {
        Field::Ignored | Field::ExternalId => {
            Err("this cannot be the same for all rows".to_owned())
        }
        field => {
            put(&mut Lead::default(), &field, value).map_err(str::to_owned)?;
            Ok((field, value.to_owned()))
        }
    }
}

/// Puts a cell into a lead. An empty cell was not given. What does not fit is refused with what was
/// expected; the text itself is personal, so it is not said again.
pub(super) fn put(lead: &mut Lead, field: &Field, cell: &str) -> Result<(), &'static str> {
    let text = cell.trim();
    if text.is_empty() {
        return Ok(());
    }
    match field {
        Field::ExternalId => {
            lead.handover_key.get_or_insert_default().external_id = text.to_owned();
        }
        Field::HandedOverTime => lead.handed_over_time = Some(instant(text)?),
        Field::Name => lead.name = text.to_owned(),
        Field::Company => lead.company = text.to_owned(),
        Field::Email => lead.email = text.to_owned(),
        Field::Numbers => lead.numbers.extend(parts(text).map(number)),
        Field::TimeZone => lead.time_zone = text.to_owned(),
        Field::Source => lead.source = text.to_owned(),
        Field::Channel => lead.channel = text.to_owned(),
        Field::Trigger => lead.trigger = text.to_owned(),
        Field::Stage => lead.stage = text.to_owned(),
        Field::Score => lead.score = Some(double(text).ok_or("score: must be a number")?),
        Field::Country => lead.country = text.to_owned(),
        Field::Region => lead.region = text.to_owned(),
        Field::Language => lead.language = text.to_owned(),
        Field::Skills => lead.skills.extend(parts(text).map(str::to_owned)),
        Field::Engagements => {
            lead.engagements = text.parse().map_err(|_| "engagements: must be a whole number")?;
        }
        Field::Attributes => return Err("attributes: only NDJSON can nest them"),
        // Attributes come back untouched, spaces at their ends included.
        Field::Attribute(name, kind) => {
            let value = AttributeValue { value: Some(typed(cell, *kind)?) };
            lead.attributes.insert(name.clone(), value);
        }
        Field::Ignored => {}
    }
    Ok(())
}

pub(super) fn number(text: &str) -> LeadNumber {
    LeadNumber { number: text.to_owned(), stopped_by: 0 }
}

/// The parts of a cell that holds several.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', '|']).map(str::trim).filter(|part| !part.is_empty())
}

/// An instant with its offset, or a date and time that is taken as UTC.
fn instant(text: &str) -> Result<Timestamp, &'static str> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(timestamp_of(at.as_millisecond()));
    }
    let civil = text.parse::<jiff::civil::DateTime>().ok();
    let zoned = civil.and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC).ok());
    match zoned {
        Some(zoned) => Ok(timestamp_of(zoned.timestamp().as_millisecond())),
        None => Err("handed_over_time: must be an instant, such as 2026-03-01T09:30:00+01:00"),
    }
}

fn double(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn typed(cell: &str, kind: Kind) -> Result<Value, &'static str> {
    let text = cell.trim();
    match kind {
        Kind::Inferred => Ok(inferred(cell)),
        Kind::Text => Ok(Value::StringValue(cell.to_owned())),
        Kind::Int => text.parse().map(Value::IntValue).map_err(|_| "must be a whole number"),
        Kind::Double => double(text).map(Value::DoubleValue).ok_or("must be a number"),
        Kind::Bool => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Value::BoolValue(true)),
            "false" | "no" | "0" => Ok(Value::BoolValue(false)),
            _ => Err("must be true or false"),
        },
    }
}

/// The narrowest type that gives the cell's text back: whole number, decimal, `true` and `false`,
/// text.
fn inferred(cell: &str) -> Value {
    match cell {
        "true" => return Value::BoolValue(true),
        "false" => return Value::BoolValue(false),
        _ => {}
    }
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
    let is_plain = all_digits(whole) && (whole == "0" || !whole.starts_with('0'));
    match fraction {
        None if is_plain && cell != "-0" => {
            cell.parse().map_or_else(|_| Value::StringValue(cell.to_owned()), Value::IntValue)
        }
        Some(fraction)
            if is_plain
                && all_digits(fraction)
                && whole.len() + fraction.len() <= DOUBLE_DIGIT_COUNT_MAX =>
        {
            Value::DoubleValue(cell.parse().expect("digits and a point are a number"))
        }
        _ => Value::StringValue(cell.to_owned()),
    }
}

/// A value with its type, for tests: the API hides values from `Debug`, as they are personal.
#[cfg(test)]
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::BoolValue(value) => format!("bool {value}"),
        Value::IntValue(value) => format!("int {value}"),
        Value::DoubleValue(value) => format!("double {value}"),
        Value::StringValue(value) => format!("string {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_inferred_only_where_the_text_comes_back() {
        for (cell, value) in [
            ("42", "int 42"),
            ("-7", "int -7"),
            ("0", "int 0"),
            ("007", "string 007"),
            ("-0", "string -0"),
            ("+49", "string +49"),
            ("99999999999999999999", "string 99999999999999999999"),
            ("1.5", "double 1.5"),
            ("00.5", "string 00.5"),
            ("1.", "string 1."),
            (".5", "string .5"),
            ("1e3", "string 1e3"),
            ("NaN", "string NaN"),
            ("0.12345678901234567", "string 0.12345678901234567"),
            ("true", "bool true"),
            ("yes", "string yes"),
            (" 42", "string  42"),
        ] {
            assert_eq!(shown(&inferred(cell)), value, "{cell:?}");
        }
    }

    #[test]
    fn a_forced_type_is_kept_or_the_cell_refused() {
        let Ok(Field::Attribute(name, kind)) = Field::read("attributes.plz:string") else {
            panic!()
        };
        assert_eq!((name.as_str(), kind), ("plz", Kind::Text));
        assert_eq!(typed("01067", Kind::Text).as_ref().map(shown), Ok("string 01067".to_owned()));
        assert_eq!(typed("17", Kind::Double).as_ref().map(shown), Ok("double 17".to_owned()));
        assert_eq!(typed("yes", Kind::Bool).as_ref().map(shown), Ok("bool true".to_owned()));
        for kind in [Kind::Int, Kind::Double, Kind::Bool] {
            assert!(typed("x", kind).is_err(), "{kind:?}");
        }
        assert!(Field::read("attributes.plz:text").is_err());
    }

    #[test]
    fn columns_are_fields_by_their_names_and_attributes_else() {
        for (column, field) in [
            ("Time Zone", Field::TimeZone),
            ("E-Mail", Field::Attribute("E-Mail".into(), Kind::Inferred)),
            ("email", Field::Email),
            ("phone", Field::Numbers),
            (" Employees ", Field::Attribute("Employees".into(), Kind::Inferred)),
            ("rejected_reason", Field::Ignored),
        ] {
            assert_eq!(Field::of_column(column), field, "{column}");
        }
    }

    #[test]
    fn maps_and_sets_are_read_or_refused_with_the_choices() {
        assert_eq!(read_map("a=b=phone"), Ok(("a=b".into(), Field::Numbers)));
        assert_eq!(read_map("x=-"), Ok(("x".into(), Field::Ignored)));
        assert!(read_map("x").is_err());
        assert!(read_map("x=fone").unwrap_err().contains("phone"));
        assert_eq!(read_set("source=fair=1"), Ok((Field::Source, "fair=1".into())));
        assert!(read_set("external_id=1").is_err());
        assert!(read_set("score=high").is_err());
    }

    #[test]
    fn cells_land_in_their_fields() {
        let mut lead = Lead::default();
        for (field, cell) in [
            ("numbers", "+49 30 1; +49 30 2"),
            ("phone", "+49303"),
            ("skills", "de, solar"),
            ("score", "0.5"),
            ("engagements", "3"),
            ("handed_over_time", "2026-03-01 09:30:00"),
            ("external_id", " A-1 "),
            ("name", "  "),
        ] {
            put(&mut lead, &Field::read(field).unwrap(), cell).unwrap();
        }
        let numbers: Vec<_> = lead.numbers.iter().map(|one| one.number.as_str()).collect();
        assert_eq!(numbers, ["+49 30 1", "+49 30 2", "+49303"]);
        assert_eq!(lead.skills, ["de", "solar"]);
        assert_eq!((lead.score, lead.engagements), (Some(0.5), 3));
        assert_eq!(lead.handed_over_time.unwrap().seconds, 1_772_357_400);
        assert_eq!(lead.handover_key.unwrap().external_id, "A-1");
        assert_eq!(lead.name, "");
        assert!(put(&mut Lead::default(), &Field::Engagements, "many").is_err());
    }
}

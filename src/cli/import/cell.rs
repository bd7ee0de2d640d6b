//! Puts a cell into a lead: text in, a typed value or the reason why not.
//!
//! A cell's type is inferred only where writing it out again gives the same text: `007` stays a text.

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use prost_types::Timestamp;

use super::field::{Field, Kind, Typing};
use super::ndjson::put_attributes;
use crate::api::proto::attribute_value::Value;
use crate::api::proto::{AttributeValue, HandoverKey, Lead, LeadNumber};
use crate::cli::words::timestamp_of;

/// Digits that a double holds exactly, whatever they are.
pub(super) const DOUBLE_DIGIT_COUNT_MAX: usize = 15;

/// How instants are written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Times {
    /// Patterns as of `strptime`, tried in order; none: RFC 3339 and its like.
    pub(super) formats: Vec<String>,
    /// Where an instant without an offset was.
    pub(super) zone: TimeZone,
}

impl Default for Times {
    fn default() -> Self {
        Self { formats: Vec::new(), zone: TimeZone::UTC }
    }
}

/// How a cell went into its lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// As what its field is.
    Fits,
    /// As a text, since it does not look like its attribute's type.
    KeptAsText,
}

/// Puts a cell into a lead. An empty cell was not given. What does not fit is refused with what was
/// expected; the text itself is personal, so it is not said again.
pub(super) fn put(
    lead: &mut Lead,
    field: &Field,
    cell: &str,
    times: &Times,
) -> Result<Fit, &'static str> {
    let text = cell.trim();
    if text.is_empty() {
        return Ok(Fit::Fits);
    }
    match field {
        Field::SourceSystem => key(lead).source_system = text.to_owned(),
        Field::ExternalId => key(lead).external_id = text.to_owned(),
        Field::CampaignId => key(lead).campaign_id = text.to_owned(),
        Field::HandedOverTime => lead.handed_over_time = Some(instant(text, times)?),
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
        Field::OwnerRepId => lead.owner_rep_id = text.to_owned(),
        Field::Engagements => {
            lead.engagements = text.parse().map_err(|_| "engagements: must be a whole number")?;
        }
        Field::Attributes => put_attributes(lead, text)?,
        // Attributes come back untouched, spaces at their ends included.
        Field::Attribute(name, typing) => {
            let (value, fit) = attribute(cell, *typing)?;
            lead.attributes.insert(name.clone(), AttributeValue { value: Some(value) });
            return Ok(fit);
        }
        Field::Ignored => {}
    }
    Ok(Fit::Fits)
}

fn key(lead: &mut Lead) -> &mut HandoverKey {
    lead.handover_key.get_or_insert_default()
}

pub(super) fn number(text: &str) -> LeadNumber {
    LeadNumber { number: text.to_owned(), stopped_by: 0 }
}

/// The parts of a cell that holds several.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', '|']).map(str::trim).filter(|part| !part.is_empty())
}

/// An instant with its offset, or a date and time in the zone of `times`.
fn instant(text: &str, times: &Times) -> Result<Timestamp, &'static str> {
    if times.formats.is_empty() {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(timestamp_of(at.as_millisecond()));
        }
        let at = text.parse().ok().and_then(|civil| in_zone(civil, times));
        return at.ok_or("handed_over_time: must be an instant, such as 2026-03-01T09:30:00+01:00");
    }
    let read = |format: &String| {
        let read = BrokenDownTime::parse(format, text).ok()?;
        if let Ok(at) = read.to_timestamp() {
            return Some(timestamp_of(at.as_millisecond()));
        }
        let midnight = || read.to_date().ok().map(|date| date.to_datetime(Default::default()));
        in_zone(read.to_datetime().ok().or_else(midnight)?, times)
    };
    let at = times.formats.iter().find_map(read);
    at.ok_or("handed_over_time: is not written as the mapping's `format` says")
}

fn in_zone(civil: DateTime, times: &Times) -> Option<Timestamp> {
    let zoned = civil.to_zoned(times.zone.clone()).ok()?;
    Some(timestamp_of(zoned.timestamp().as_millisecond()))
}

fn double(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn attribute(cell: &str, typing: Typing) -> Result<(Value, Fit), &'static str> {
    let kept = || (Value::StringValue(cell.to_owned()), Fit::KeptAsText);
    Ok(match typing {
        Typing::Open => (inferred(cell), Fit::Fits),
        Typing::Declared(kind) => (typed(cell, kind)?, Fit::Fits),
        Typing::ByRules(kind) => typed(cell, kind).map_or_else(|_| kept(), |one| (one, Fit::Fits)),
        Typing::Guessed(kind) => match (kind, inferred(cell)) {
            (Kind::Text, _) => (Value::StringValue(cell.to_owned()), Fit::Fits),
            (Kind::Bool, value @ Value::BoolValue(_))
            | (Kind::Int, value @ Value::IntValue(_))
            | (Kind::Double, value @ Value::DoubleValue(_)) => (value, Fit::Fits),
            (Kind::Double, Value::IntValue(_)) if cell.len() <= DOUBLE_DIGIT_COUNT_MAX => {
                (typed(cell, kind)?, Fit::Fits)
            }
            _ => kept(),
        },
    })
}

/// Reads a cell as of a type, or says what was expected.
pub(super) fn typed(cell: &str, kind: Kind) -> Result<Value, &'static str> {
    let text = cell.trim();
    match kind {
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
pub(super) fn inferred(cell: &str) -> Value {
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
        assert_eq!(typed("01067", Kind::Text).as_ref().map(shown), Ok("string 01067".to_owned()));
        assert_eq!(typed("17", Kind::Double).as_ref().map(shown), Ok("double 17".to_owned()));
        assert_eq!(typed("yes", Kind::Bool).as_ref().map(shown), Ok("bool true".to_owned()));
        for kind in [Kind::Int, Kind::Double, Kind::Bool] {
            assert!(typed("x", kind).is_err(), "{kind:?}");
        }
    }

    #[test]
    fn a_cell_that_does_not_fit_stays_a_text_unless_the_mapping_says_its_type() {
        let check = |cell: &str, typing, value: &str, fit| {
            let read = attribute(cell, typing).map(|(value, fit)| (shown(&value), fit));
            assert_eq!(read, Ok((value.to_owned(), fit)), "{cell} {typing:?}");
        };
        check("12", Typing::Guessed(Kind::Int), "int 12", Fit::Fits);
        check("012", Typing::Guessed(Kind::Int), "string 012", Fit::KeptAsText);
        check("n/a", Typing::Guessed(Kind::Int), "string n/a", Fit::KeptAsText);
        check("3", Typing::Guessed(Kind::Double), "double 3", Fit::Fits);
        check(
            "1234567890123456",
            Typing::Guessed(Kind::Double),
            "string 1234567890123456",
            Fit::KeptAsText,
        );
        check("12", Typing::Guessed(Kind::Text), "string 12", Fit::Fits);
        check("012", Typing::ByRules(Kind::Int), "int 12", Fit::Fits);
        check("yes", Typing::ByRules(Kind::Bool), "bool true", Fit::Fits);
        check("n/a", Typing::ByRules(Kind::Int), "string n/a", Fit::KeptAsText);
        assert!(attribute("n/a", Typing::Declared(Kind::Int)).is_err());
    }

    #[test]
    fn instants_are_read_as_the_mapping_says_in_the_zone_that_it_names() {
        let check = |text: &str, formats: &[&str], zone: &str, expected: Option<&str>| {
            let zone = TimeZone::get(zone).unwrap();
            let times = Times { formats: formats.iter().map(ToString::to_string).collect(), zone };
            let expected = expected.map(|at| at.parse::<jiff::Timestamp>().unwrap().as_second());
            assert_eq!(instant(text, &times).ok().map(|at| at.seconds), expected, "{text}");
        };
        let german = ["%d.%m.%Y %H:%M", "%d.%m.%Y"];
        check("01.07.2026 09:30", &german, "Europe/Berlin", Some("2026-07-01T07:30:00Z"));
        check("01.07.2026", &german, "Europe/Berlin", Some("2026-06-30T22:00:00Z"));
        check("31.02.2026", &german, "Europe/Berlin", None);
        check("2026-07-01", &german, "Europe/Berlin", None);
        check("1772357400", &["%s"], "UTC", Some("2026-03-01T09:30:00Z"));
        check("2026-07-01 09:30:00", &[], "America/New_York", Some("2026-07-01T13:30:00Z"));
        check("2026-07-01T09:30:00+01:00", &[], "America/New_York", Some("2026-07-01T08:30:00Z"));
        check(
            "07/01/2026 09:30 +0200",
            &["%m/%d/%Y %H:%M %z"],
            "UTC",
            Some("2026-07-01T07:30:00Z"),
        );
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
            ("campaign_id", "spring"),
            ("name", "  "),
        ] {
            put(&mut lead, &Field::read(field).unwrap(), cell, &Times::default()).unwrap();
        }
        let numbers: Vec<_> = lead.numbers.iter().map(|one| one.number.as_str()).collect();
        assert_eq!(numbers, ["+49 30 1", "+49 30 2", "+49303"]);
        assert_eq!(lead.skills, ["de", "solar"]);
        assert_eq!((lead.score, lead.engagements), (Some(0.5), 3));
        assert_eq!(lead.handed_over_time.unwrap().seconds, 1_772_357_400);
        let key = lead.handover_key.unwrap();
        assert_eq!((key.external_id.as_str(), key.campaign_id.as_str()), ("A-1", "spring"));
        assert_eq!(lead.name, "");
        let many = put(&mut Lead::default(), &Field::Engagements, "many", &Times::default());
        assert!(many.is_err());
    }
}

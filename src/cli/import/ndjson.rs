//! A JSON object a line, as a lead. JSON says its types itself; a queue's rules may say otherwise.

use std::collections::HashMap;

use csv::ByteRecord;
use serde_json::{Map, Value as Json};

use super::cell::{Fit, number, typed};
use super::field::{Field, Kind, Typing};
use super::plan::Plan;
use super::reading::Reading;
use super::rows::{Column, ROW_BYTES_MAX};
use super::types::{DeclaredKinds, Profile};
use crate::api::proto::attribute_value::Value;
use crate::api::proto::{AttributeValue, Lead};

/// How each key is read, once it was met.
pub(super) type Keys = HashMap<String, Result<Reading, String>>;

/// By what keys are read.
#[derive(Clone, Copy)]
pub(super) struct By<'a> {
    pub(super) plan: &'a Plan,
    pub(super) declared: &'a DeclaredKinds,
}

impl By<'_> {
    fn reading(self, key: &str) -> Result<Reading, String> {
        let mut reading = self.plan.column(key.trim())?.reading;
        for field in &mut reading.fields {
            if let Field::Attribute(name, typing @ Typing::Open) = field {
                *typing = self.typing(name);
            }
        }
        Ok(reading)
    }

    fn typing(self, attribute: &str) -> Typing {
        self.declared.get(attribute).map_or(Typing::Open, |kind| Typing::ByRules(*kind))
    }
}

/// Fills a lead from a line.
pub(super) fn fill(
    lead: &mut Lead,
    keys: &mut Keys,
    by: By<'_>,
    text: &[u8],
) -> Result<Fit, String> {
    if text.len() > ROW_BYTES_MAX {
        return Err(format!("has more than {ROW_BYTES_MAX} bytes"));
    }
    // The reader's own message would repeat parts of the text.
    let object: Map<String, Json> = serde_json::from_slice(text).map_err(|error| {
        format!("is no JSON object (column {}: {:?})", error.column(), error.classify())
    })?;
    let mut fit = Fit::Fits;
    for (key, value) in object {
        let reading = keys.entry(key).or_insert_with_key(|key| by.reading(key));
        if put_json(lead, reading.as_ref().map_err(String::clone)?, by, value)? == Fit::KeptAsText {
            fit = Fit::KeptAsText;
        }
    }
    Ok(fit)
}

fn put_json(lead: &mut Lead, reading: &Reading, by: By<'_>, value: Json) -> Result<Fit, String> {
    if !reading.is_plain() {
        return match value {
            Json::Null => reading.put(lead, ""),
            Json::String(text) => reading.put(lead, &text),
            Json::Bool(_) | Json::Number(_) => reading.put(lead, &value.to_string()),
            _ => Err("what the mapping splits or translates is a list or an object".to_owned()),
        };
    }
    let field = reading.fields.first().expect("a reading has a field");
    match (field, value) {
        (_, Json::Null) | (Field::Ignored, _) => Ok(Fit::Fits),
        (Field::Attributes, Json::Object(nested)) => {
            let mut fit = Fit::Fits;
            for (name, value) in nested {
                let typing = by.typing(&name);
                if put_attribute(lead, &name, typing, value)? == Fit::KeptAsText {
                    fit = Fit::KeptAsText;
                }
            }
            Ok(fit)
        }
        (Field::Attributes, _) => Err("attributes: must be an object".to_owned()),
        (Field::Attribute(name, typing), value) => put_attribute(lead, name, *typing, value),
        (Field::Numbers, Json::Array(numbers)) => {
            for one in numbers {
                let text = one.as_str().or_else(|| one.get("number")?.as_str());
                let text = text.ok_or("numbers: must be a list of texts")?;
                lead.numbers.push(number(text));
            }
            Ok(Fit::Fits)
        }
        (Field::Skills, Json::Array(skills)) => {
            for one in skills {
                let skill = one.as_str().ok_or("skills: must be a list of texts")?;
                lead.skills.push(skill.to_owned());
            }
            Ok(Fit::Fits)
        }
        (_, Json::String(text)) => reading.put(lead, &text),
        (_, value @ (Json::Bool(_) | Json::Number(_))) => reading.put(lead, &value.to_string()),
        (_, Json::Array(_) | Json::Object(_)) => Err("a field is a list or an object".to_owned()),
    }
}

fn put_attribute(lead: &mut Lead, name: &str, typing: Typing, value: Json) -> Result<Fit, String> {
    let value = match (typing, value) {
        (_, Json::Null) => return Ok(Fit::Fits),
        (Typing::Open | Typing::Guessed(_), value) => attribute(value),
        (Typing::ByRules(kind), value) => match of_kind(value, kind) {
            Ok(value) => value,
            Err((value, _)) => {
                insert(lead, name, value);
                return Ok(Fit::KeptAsText);
            }
        },
        (Typing::Declared(kind), value) => of_kind(value, kind).map_err(|(_, problem)| problem)?,
    };
    insert(lead, name, value);
    Ok(Fit::Fits)
}

fn insert(lead: &mut Lead, name: &str, value: Value) {
    lead.attributes.insert(name.to_owned(), AttributeValue { value: Some(value) });
}

/// A value as of a type; else the value as it is, and what was expected.
fn of_kind(value: Json, kind: Kind) -> Result<Value, (Value, &'static str)> {
    let value = attribute(value);
    let text = match (&value, kind) {
        (Value::BoolValue(_), Kind::Bool)
        | (Value::IntValue(_), Kind::Int)
        | (Value::DoubleValue(_), Kind::Double)
        | (Value::StringValue(_), Kind::Text) => return Ok(value),
        (Value::BoolValue(value), _) => value.to_string(),
        (Value::IntValue(value), _) => value.to_string(),
        (Value::DoubleValue(value), _) => value.to_string(),
        (Value::StringValue(text), _) => text.clone(),
    };
    typed(&text, kind).map_err(|problem| (value, problem))
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

/// Puts the attributes that a cell of CSV holds as a JSON object into a lead.
pub(super) fn put_attributes(lead: &mut Lead, cell: &str) -> Result<(), &'static str> {
    let object: Map<String, Json> =
        serde_json::from_str(cell).map_err(|_| "attributes: must be a JSON object")?;
    for (name, value) in object.into_iter().filter(|(_, value)| !value.is_null()) {
        insert(lead, &name, attribute(value));
    }
    Ok(())
}

/// The keys of the first rows, in the order in which they come, and what they hold.
pub(super) fn columns(rows: &[&ByteRecord], plan: &Plan) -> (Vec<Column>, Vec<Profile>) {
    let mut columns: Vec<Column> = Vec::new();
    let mut profiles: Vec<Profile> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let text = row.get(0).unwrap_or_default();
        let Ok(object) = serde_json::from_slice::<Map<String, Json>>(text) else { continue };
        for (key, value) in object {
            // What cannot be read is told row by row.
            let Ok(column) = plan.column(key.trim()) else { continue };
            let place = *places.entry(key).or_insert_with(|| {
                columns.push(column);
                profiles.push(Profile::default());
                columns.len() - 1
            });
            match &value {
                Json::Null => {}
                Json::String(text) => profiles[place].add(text),
                other => profiles[place].add(&other.to_string()),
            }
        }
    }
    (columns, profiles)
}

#[cfg(test)]
mod tests {
    use super::super::cell::shown;
    use super::*;

    fn read(text: &str, declared: &DeclaredKinds) -> (Lead, Fit) {
        let mut lead = Lead::default();
        let by = By { plan: &Plan::default(), declared };
        let fit = fill(&mut lead, &mut Keys::new(), by, text.as_bytes()).unwrap();
        (lead, fit)
    }

    #[test]
    fn what_the_rules_declare_decides_where_the_value_can_be_read_so() {
        let declared: DeclaredKinds =
            [("size", Kind::Int), ("plz", Kind::Text), ("vip", Kind::Bool)]
                .map(|(name, kind)| (name.to_owned(), kind))
                .into();
        let text = r#"{"size": "12", "attributes": {"plz": 10115, "vip": "yes", "more": 1.0}}"#;
        let (lead, fit) = read(text, &declared);
        let value = |lead: &Lead, name: &str| shown(lead.attributes[name].value.as_ref().unwrap());
        assert_eq!(
            ["size", "plz", "vip", "more"].map(|name| value(&lead, name)),
            ["int 12", "string 10115", "bool true", "double 1"]
        );
        assert_eq!(fit, Fit::Fits);
        let (lead, fit) = read(r#"{"size": "many"}"#, &declared);
        assert_eq!((value(&lead, "size").as_str(), fit), ("string many", Fit::KeptAsText));
    }
}

//! A lead: whom to contact, as marketing handed it over.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

use super::disposition::Disposition;
use super::id::{CampaignId, CampaignKey, LeadId, QueueKey};
use super::number::Number;

/// The most numbers that one lead carries.
pub const NUMBER_COUNT_MAX: usize = 8;
/// The most attributes that one lead carries beside the built-in fields.
pub const ATTRIBUTE_COUNT_MAX: usize = 200;
/// The longest text of any field of a lead, in bytes.
pub const TEXT_LENGTH_MAX: usize = 4_096;

/// A number of one lead, with what stopped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadNumber {
    /// The number.
    #[serde(rename = "n")]
    pub number: Number,
    /// The disposition that stopped this number for this lead (wrong number, say); `None`: callable.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Disposition>,
}

/// A value of an attribute: what rules compare and what clients get back untouched.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number; never NaN or infinite, checked at the door.
    Double(f64),
    /// Text.
    Text(String),
}

// By hand, as serde tries one kind after the other and puts every miss into words: a twelfth of the
// time that a node takes to start.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = Value;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("true, false, a number or a text")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Int(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
                Ok(i64::try_from(value).map_or(Value::Double(value as f64), Value::Int))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Double(value))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value.to_owned()))
            }

            fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
                Ok(Value::Text(value))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// What marketing says about a lead. Everything in here may be updated by a later handover with the
/// same key; rules read it.
///
/// Text that was not given is `None`, except `source`, which is part of the books and then is
/// `"unknown"`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The person's or company's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The company that the person works for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// E-mail address; compared without regard to case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone numbers in the order in which they are tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<LeadNumber>,
    /// IANA name of the time zone that the lead lives in, as stated by marketing. `None`: what else is
    /// known decides, see [`super::Whereabouts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Where marketing got the lead: `"demo-request"`, `"webinar"`. The books are kept by it.
    pub source: String,
    /// `"web"`, `"phone"`, `"fair"`…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What made marketing hand over now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// Marketing's own stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Marketing's own score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// ISO 3166 code of the country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Region or state within the country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// BCP 47 code of the lead's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Skills that this lead needs beside its campaign's; sorted, without repeats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
    /// How often the lead engaged, as far as marketing told with its handover.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub engagements: i64,
    /// How often it engaged since, each recorded here; no handover changes it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recorded_engagements: i64,
    /// Another handover of the same person has filled something in: an update of the first one must
    /// not take that away again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_merged: bool,
    /// Everything else, untouched by us; a queue's rules may declare and use some of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Value>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(count: &i64) -> bool {
    *count == 0
}

impl fmt::Debug for Facts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Facts(hidden)")
    }
}

impl Facts {
    /// How often the lead engaged, in all.
    pub fn engagement_count(&self) -> i64 {
        self.engagements.saturating_add(self.recorded_engagements)
    }

    /// The numbers that may still be dialled, as far as the lead itself goes.
    pub fn callable_numbers(&self) -> impl Iterator<Item = &Number> {
        self.numbers.iter().filter(|entry| entry.stopped.is_none()).map(|entry| &entry.number)
    }

    /// The e-mail address as it is compared.
    pub fn email_folded(&self) -> Option<String> {
        self.email.as_deref().map(fold_email)
    }

    /// Takes over what a second handover of the same person adds: fields that were empty, numbers
    /// and attributes that were not there. Nothing that is known is overwritten, since nothing says
    /// which of two systems is right.
    pub fn fill_from(&mut self, other: &Facts) {
        let texts = [
            (&mut self.name, &other.name),
            (&mut self.company, &other.company),
            (&mut self.email, &other.email),
            (&mut self.zone, &other.zone),
            (&mut self.channel, &other.channel),
            (&mut self.trigger, &other.trigger),
            (&mut self.stage, &other.stage),
            (&mut self.country, &other.country),
            (&mut self.region, &other.region),
            (&mut self.language, &other.language),
        ];
        for (mine, theirs) in texts {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        }
        self.score = self.score.or(other.score);
        self.engagements = self.engagements.max(other.engagements);
        for entry in &other.numbers {
            let known = self.numbers.iter().any(|mine| mine.number == entry.number);
            if !known && self.numbers.len() < NUMBER_COUNT_MAX {
                self.numbers.push(entry.clone());
            }
        }
        for (name, value) in &other.attributes {
            if self.attributes.len() < ATTRIBUTE_COUNT_MAX || self.attributes.contains_key(name) {
                self.attributes.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
}

/// An e-mail address as it is compared: trimmed, in lower case.
pub fn fold_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Whether two names may belong to one person: one is missing, or one's words are all in the other.
///
/// Order, case and punctuation do not count: `"Smith, Ann"` and `"ann smith"` agree, and so do
/// `"Ann Smith"` and `"Ann B. Smith"`.
pub fn names_agree(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return true };
    let (one, other) = (words(one), words(other));
    one.iter().all(|word| other.contains(word)) || other.iter().all(|word| one.contains(word))
}

fn words(name: &str) -> Vec<String> {
    name.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// What tells one handover from another: sending it again adds nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandoverKey {
    /// The system that hands over, `"crm"`, say.
    pub source_system: String,
    /// That system's id of the lead.
    pub external_id: String,
    /// The campaign.
    pub campaign: CampaignId,
}

/// A lead: its facts, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Lead {
    /// Its id, ours.
    pub id: LeadId,
    /// The queue that works it.
    pub queue: QueueKey,
    /// The campaign whose handover opened it.
    pub campaign: CampaignKey,
    /// The system that handed it over.
    pub source_system: String,
    /// That system's id of it.
    pub external_id: String,
    /// When it was handed over; the first-touch clock starts here.
    pub handed_over_at: i64,
    /// The closed lead that it takes up again, if any.
    pub predecessor: Option<LeadId>,
    /// What marketing says about it.
    pub facts: Facts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_number_nor_facts_show_in_debug() {
        let number = Number::from_e164("+12025550100").expect("a number");
        let facts = Facts { name: Some("Ann".into()), ..Facts::default() };
        assert_eq!(format!("{number:?} {facts:?}"), "Number(hidden) Facts(hidden)");
    }

    #[test]
    fn a_value_is_read_as_what_it_was_written_as() {
        for (text, value) in [
            ("true", Value::Bool(true)),
            ("-5", Value::Int(-5)),
            ("9223372036854775807", Value::Int(i64::MAX)),
            ("5.0", Value::Double(5.0)),
            (r#""a \"b\"""#, Value::Text(r#"a "b""#.into())),
        ] {
            let read: Value = serde_json::from_str(text).expect("a value");
            assert_eq!(read, value);
            assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
        }
        let above: Value = serde_json::from_str("9223372036854775808").expect("a number");
        assert_eq!(above, Value::Double(9_223_372_036_854_775_808.0));
        let error = serde_json::from_str::<Value>("[1]").expect_err("a list is no value");
        assert!(error.to_string().contains("true, false, a number or a text"), "{error}");
    }

    #[test]
    fn names_agree_unless_both_have_a_word_of_their_own() {
        assert!(names_agree(Some("Smith, Ann"), Some("ann smith")));
        assert!(names_agree(Some("Ann B. Smith"), Some("Ann Smith")));
        assert!(names_agree(None, Some("Ann Smith")));
        assert!(!names_agree(Some("Bob Smith"), Some("Ann Smith")));
    }

    #[test]
    fn filling_adds_and_never_overwrites() {
        let number =
            |text| LeadNumber { number: Number::from_e164(text).expect("a number"), stopped: None };
        let mut mine = Facts { name: Some("Ann".into()), ..Facts::default() };
        mine.numbers.push(number("+12025550100"));
        let mut theirs =
            Facts { name: Some("Bob".into()), stage: Some("hot".into()), ..Facts::default() };
        theirs.numbers = vec![number("+12025550100"), number("+12025550101")];
        theirs.attributes.insert("employees".into(), Value::Int(5));

        mine.fill_from(&theirs);

        assert_eq!(mine.name.as_deref(), Some("Ann"));
        assert_eq!(mine.stage.as_deref(), Some("hot"));
        assert_eq!(mine.numbers.len(), 2);
        assert_eq!(mine.attributes["employees"], Value::Int(5));
    }
}

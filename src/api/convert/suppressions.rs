//! What must not be contacted again, as messages and as values.

use prost_types::Timestamp;

use crate::domain::fold_email;
use crate::store::{Suppression, SuppressionKind, SuppressionOf};

use super::super::proto;
use super::super::proto::suppress_contact_request::Contact;
use super::super::proto::suppression_row::Contact as RowContact;
use super::super::status::Problems;
use super::page::token_problem;
use super::{Fields, LeadName, Page, lead_name, time};

/// What is to be suppressed; a person's lead is yet to be looked up.
#[derive(Clone, Debug)]
pub(in crate::api) enum Unwanted {
    /// A number or an address.
    Value(SuppressionOf),
    /// Everything that a lead is known by.
    Person(LeadName),
}

/// A wish as it was read: what it is of, where it came from, and when it ends.
pub(in crate::api) type Wish = (Unwanted, String, Option<i64>);

/// Reads what is to be suppressed, where the wish came from, and when it ends.
pub(in crate::api) fn suppression(
    fields: &mut Fields,
    message: &proto::SuppressContactRequest,
    now: i64,
) -> Option<Wish> {
    let country = fields.number_country("country", &message.country);
    let contact = match message.contact.clone() {
        Some(Contact::Lead(name)) => {
            let source = fields.word("source", &message.source);
            let until = suppressed_until(fields, message.until_time.as_ref(), now);
            let name = lead_name(fields, Some(&name));
            return Some((Unwanted::Person(name?), source?, until));
        }
        Some(Contact::Number(number)) => Some(RowContact::Number(number)),
        Some(Contact::Email(email)) => Some(RowContact::Email(email)),
        None => None,
    };
    let what = suppressed(fields, contact.as_ref(), country.as_deref());
    let source = fields.word("source", &message.source);
    let until = suppressed_until(fields, message.until_time.as_ref(), now);
    Some((Unwanted::Value(what?), source?, until))
}

/// Reads when a suppression ends: in the future, as one that is over would bar nobody.
pub(in crate::api) fn suppressed_until(
    fields: &mut Fields,
    until: Option<&Timestamp>,
    now: i64,
) -> Option<i64> {
    let until = fields.instant("until_time", until)?;
    if until <= now {
        fields.problem("until_time", "must be in the future");
    }
    Some(until)
}

/// Reads what is to be suppressed: a number in national form is one of that country.
pub(in crate::api) fn suppressed(
    fields: &mut Fields,
    contact: Option<&RowContact>,
    country: Option<&str>,
) -> Option<SuppressionOf> {
    match contact {
        Some(RowContact::Number(number)) => {
            fields.known_number("number", number, country).map(SuppressionOf::Number)
        }
        Some(RowContact::Email(email)) if email.trim().is_empty() => {
            fields.problem("email", "must be an e-mail address");
            None
        }
        Some(RowContact::Email(email)) => {
            fields.email("email", email).map(|email| SuppressionOf::Email(fold_email(&email)))
        }
        None => {
            fields.problem("contact", "must be a number or an e-mail address");
            None
        }
    }
}

/// Reads which kind is asked for: `Some(None)` for all.
pub(in crate::api) fn suppression_kind(
    fields: &mut Fields,
    kind: i32,
) -> Option<Option<SuppressionKind>> {
    match proto::SuppressionKind::try_from(kind) {
        Ok(proto::SuppressionKind::Unspecified) => Some(None),
        Ok(proto::SuppressionKind::Number) => Some(Some(SuppressionKind::Number)),
        Ok(proto::SuppressionKind::Email) => Some(Some(SuppressionKind::Email)),
        Err(_) => {
            fields.problem("kind", "must be one of the values of its list");
            None
        }
    }
}

/// Reads a page token: the kind and the value that the last page ended with.
pub(in crate::api) fn suppressions_after(
    page: &Page,
) -> Result<Option<(SuppressionKind, String)>, Problems> {
    let Some(token) = page.after.as_deref() else { return Ok(None) };
    let (kind, value) = token.split_once(':').ok_or_else(token_problem)?;
    let kind = SuppressionKind::from_code(kind).ok_or_else(token_problem)?;
    Ok(Some((kind, value.to_owned())))
}

/// A suppression. A hash tells nobody anything, so it stays inside.
pub(in crate::api) fn suppression_of(one: Suppression) -> proto::Suppression {
    let kind = match one.kind {
        SuppressionKind::Email => proto::SuppressionKind::Email,
        SuppressionKind::Number => proto::SuppressionKind::Number,
    };
    proto::Suppression {
        kind: kind.into(),
        value: if one.is_hashed { String::new() } else { one.value },
        erased: one.is_hashed,
        source: one.source,
        actor: one.actor,
        suppressed_time: Some(time(one.at)),
        until_time: one.until.map(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_reads_back_and_others_are_refused() {
        let after = |token: &str| {
            let page = Page { size: 1, after: Some(token.to_owned()) };
            suppressions_after(&page)
        };
        let email = (SuppressionKind::Email, "a:b@x".to_owned());
        assert_eq!(after("email:a:b@x"), Ok(Some(email)));
        assert!(after("fax:1").is_err() && after("number").is_err());
    }

    #[test]
    fn a_hash_is_not_shown() {
        let one = Suppression {
            kind: SuppressionKind::Number,
            value: "beef".into(),
            is_hashed: true,
            source: "touch".into(),
            actor: "ann".into(),
            at: 5,
            until: None,
        };
        let shown = suppression_of(one);
        assert_eq!((shown.value.as_str(), shown.erased), ("", true));
        assert_eq!(shown.kind(), proto::SuppressionKind::Number);
    }
}

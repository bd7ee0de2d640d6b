//! What must not be contacted again, as messages and as values.

use crate::domain::fold_email;
use crate::store::{Suppression, SuppressionKind, SuppressionOf};

use super::super::proto;
use super::super::proto::suppress_contact_request::Contact;
use super::super::proto::suppression_row::Contact as RowContact;
use super::super::status::Problems;
use super::page::token_problem;
use super::{Fields, Page, time};

/// Reads what is to be suppressed, and where the wish came from.
pub(in crate::api) fn suppression(
    fields: &mut Fields,
    message: &proto::SuppressContactRequest,
) -> Option<(SuppressionOf, String)> {
    let country = fields.number_country("country", &message.country);
    let contact = message.contact.clone().map(|contact| match contact {
        Contact::Number(number) => RowContact::Number(number),
        Contact::Email(email) => RowContact::Email(email),
    });
    let what = suppressed(fields, contact.as_ref(), country.as_deref());
    let source = fields.word("source", &message.source);
    Some((what?, source?))
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
        };
        let shown = suppression_of(one);
        assert_eq!((shown.value.as_str(), shown.erased), ("", true));
        assert_eq!(shown.kind(), proto::SuppressionKind::Number);
    }
}

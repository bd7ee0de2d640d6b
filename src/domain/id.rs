//! Ids. Inside, everything is a 64-bit key; queue, campaign and rep ids are the client's own text
//! and become keys at the door, by the roster. Lead ids are ours.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest text id, in characters.
pub const ID_LENGTH_MAX: usize = 128;

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub i64);
    )+};
}

keys! {
    /// A queue, inside.
    QueueKey
    /// A campaign, inside.
    CampaignKey
    /// A rep, inside.
    RepKey
    /// A lead: given out in order of arrival, from 1. The last tie-break of every order.
    LeadId
}

impl fmt::Display for LeadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for LeadId {
    type Err = IdProblem;

    fn from_str(text: &str) -> Result<Self, IdProblem> {
        match text.parse() {
            Ok(id) if id > 0 => Ok(Self(id)),
            _ => Err(IdProblem::NotALead),
        }
    }
}

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdProblem {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`ID_LENGTH_MAX`].
    #[error("must have at most {ID_LENGTH_MAX} characters")]
    TooLong,
    /// A control character, one that shows nothing but turns the text around it, or a space at an end.
    #[error("must have no control characters or invisible marks, and no space at its ends")]
    Unprintable,
    /// Lead ids are numbers that the server gave out.
    #[error("must be a lead's id as the server gave it: a whole number from 1")]
    NotALead,
}

/// Checks a text that a client chose as an id.
pub fn check_id(text: &str) -> Result<(), IdProblem> {
    if text.is_empty() {
        return Err(IdProblem::Empty);
    }
    if text.chars().count() > ID_LENGTH_MAX {
        return Err(IdProblem::TooLong);
    }
    if text.chars().any(|one| one.is_control() || is_invisible_mark(one)) || text.trim() != text {
        return Err(IdProblem::Unprintable);
    }
    Ok(())
}

/// Whether a character shows nothing but changes how others show: it sets the direction of writing or
/// breaks the line, so that one id could pass for another in a table or a log. The two joiners that
/// some languages write with are let through.
fn is_invisible_mark(one: char) -> bool {
    matches!(
        one,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a client's text: 1 to 128 characters, printable.
            pub fn new(text: &str) -> Result<Self, IdProblem> {
                check_id(text)?;
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )+};
}

text_ids! {
    /// A queue's id, chosen by the client.
    QueueId
    /// A campaign's id, chosen by the client.
    CampaignId
    /// A rep's id, chosen by the client.
    RepId
    /// A touch's id, chosen by the client (a UUID, say). It is the touch's request id, and kept for ever.
    TouchId
    /// An engagement's id, chosen by the system that saw it; kept for ever.
    EngagementId
    /// An outcome's id, chosen by the system that knows of it; kept for ever.
    OutcomeId
    /// An access token's id, made by the node. Not the token: it is no secret.
    TokenId
    /// A request's id, chosen by the client, so that a retry changes nothing twice.
    RequestId
}

/// The secret half of a lease: 128 random bits. Whoever names it may renew, release or close.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseToken(pub [u8; 16]);

impl LeaseToken {
    /// The text that clients carry: 32 hexadecimal digits.
    pub fn to_text(self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// Reads a text as [`LeaseToken::to_text`] writes it.
    pub fn from_text(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u128::from_str_radix(text, 16).ok())??;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Debug for LeaseToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LeaseToken(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_printable_and_bounded() {
        for text in ["inside-sales/größe", "می\u{200c}خواهم", "מכירות"] {
            assert!(QueueId::new(text).is_ok(), "{text}");
        }
        for (text, problem) in [
            ("", IdProblem::Empty),
            ("a\nb", IdProblem::Unprintable),
            (" a", IdProblem::Unprintable),
            ("a\u{202e}b", IdProblem::Unprintable),
            ("a\u{2066}", IdProblem::Unprintable),
            ("\u{feff}a", IdProblem::Unprintable),
            (&"x".repeat(129), IdProblem::TooLong),
        ] {
            assert_eq!(QueueId::new(text), Err(problem), "{text:?}");
        }
    }

    #[test]
    fn a_lead_id_reads_back_and_nothing_else_does() {
        assert_eq!("17".parse(), Ok(LeadId(17)));
        for text in ["", "0", "-1", "x", "1.0", "99999999999999999999"] {
            assert_eq!(text.parse::<LeadId>(), Err(IdProblem::NotALead), "{text:?}");
        }
    }

    #[test]
    fn a_token_reads_back_and_hides_in_debug() {
        let token = LeaseToken([7; 16]);
        assert_eq!(LeaseToken::from_text(&token.to_text()), Some(token));
        assert_eq!(LeaseToken::from_text("+7"), None);
        assert!(!format!("{token:?}").contains('7'));
    }
}

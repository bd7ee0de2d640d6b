//! Engagements: something that a lead did by itself. Its story, and what may bring it back.

use super::id::{EngagementId, LeadId};

/// Something that a lead did: it visited, downloaded, answered. A fact, stored once.
#[derive(Clone, PartialEq, Eq)]
pub struct Engagement {
    /// The system that saw it, `"web"`, say.
    pub source_system: String,
    /// That system's id of it; with the system it names the engagement for ever.
    pub id: EngagementId,
    /// Who did it.
    pub lead: LeadId,
    /// What: a token such as `"visited"`, nothing personal. See [`is_engagement_kind`].
    pub kind: String,
    /// When.
    pub engaged_at: i64,
    /// It is a new interest, by which the lead may come back.
    pub wakes: bool,
}

impl std::fmt::Debug for Engagement {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Engagement({} of lead {})", self.kind, self.lead)
    }
}

/// An engagement as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEngagement {
    /// The fact.
    pub engagement: Engagement,
    /// It brought the lead back.
    pub woke: bool,
    /// When it was recorded.
    pub recorded_at: i64,
}

/// The longest kind of engagement, in characters.
const KIND_LENGTH_MAX: usize = 128;

/// Whether a text is a kind of engagement: letters and digits of ASCII, `_`, `-` and `.`, up to 128. It
/// stays in the ledger for ever, so it must be a word of the systems and not of a person.
pub fn is_engagement_kind(text: &str) -> bool {
    let is_plain = |one: u8| one.is_ascii_alphanumeric() || b"_-.".contains(&one);
    (1..=KIND_LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_a_token_that_can_name_nobody() {
        for kind in ["visited", "webinar.joined-2", "A_1"] {
            assert!(is_engagement_kind(kind), "{kind}");
        }
        for kind in ["", "a@x.example", "+12025550100", "Ann Smith", "größe", &"x".repeat(129)] {
            assert!(!is_engagement_kind(kind), "{kind}");
        }
    }
}

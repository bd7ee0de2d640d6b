//! What the store is asked about engagements, and what it answers.

use crate::domain::{Engagement, LeadState};

/// Records an engagement. Its source system and id name it for ever: recorded again it changes nothing.
#[derive(Clone, Debug)]
pub struct RecordEngagement {
    /// The fact; not after `now`.
    pub engagement: Engagement,
    /// SHA-256 over the request's body.
    pub body_hash: [u8; 32],
    /// Who records it, for the ledger.
    pub actor: String,
    /// When.
    pub now: i64,
}

/// The answer to a [`RecordEngagement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngagementRecorded {
    /// The lead as it stands now.
    pub state: LeadState,
    /// It brought the lead back.
    pub woke: bool,
    /// It was recorded before.
    pub is_replay: bool,
}

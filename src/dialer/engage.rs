//! Engagements: what leads do by themselves, and what it brings back.

use crate::domain::{Engagement, EngagementId, LeadId, RecordedEngagement};
use crate::store::{EngagementRecorded, LeadRecord, RecordEngagement};

use super::{Dialer, DialerError, STORY_LENGTH_MAX};

/// Something that a lead did, as a system tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEngagement {
    /// The system that saw it.
    pub source_system: String,
    /// That system's id of it.
    pub id: EngagementId,
    /// What it was: see [`crate::domain::is_engagement_kind`].
    pub kind: String,
    /// When, not in the future; `None`: now.
    pub engaged_at: Option<i64>,
    /// It is a new interest.
    pub wakes: bool,
    /// SHA-256 over the request's body.
    pub body_hash: [u8; 32],
}

impl Dialer {
    /// Records something that a lead did. A new interest brings the lead back, ranked afresh; a rep who
    /// waits for a lead gets it at once. Of an erased lead nothing is recorded: it is
    /// [`DialerError::Erased`].
    pub async fn record_engagement(
        &self,
        lead: LeadId,
        new: NewEngagement,
        actor: &str,
    ) -> Result<EngagementRecorded, DialerError> {
        let now = self.now();
        let change = RecordEngagement {
            engagement: Engagement {
                source_system: new.source_system,
                id: new.id,
                lead,
                kind: new.kind,
                engaged_at: new.engaged_at.map_or(now, |at| at.min(now)),
                wakes: new.wakes,
            },
            body_hash: new.body_hash,
            actor: actor.to_owned(),
            now,
        };
        let dialer = self.clone();
        Ok(Self::apart(async move { dialer.parts.store.record_engagement(change).await }).await?)
    }

    /// What a lead did by itself, the last recorded first.
    pub(super) async fn engagements_of(
        &self,
        record: &LeadRecord,
    ) -> Result<Vec<RecordedEngagement>, DialerError> {
        match record.lead.facts.recorded_engagements {
            0 => Ok(Vec::new()),
            _ => Ok(self.parts.store.engagements(record.lead.id, STORY_LENGTH_MAX).await?),
        }
    }
}

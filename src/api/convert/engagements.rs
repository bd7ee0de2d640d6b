//! What leads did by themselves, as messages and as values.

use crate::dialer::NewEngagement;
use crate::domain::{EngagementId, RecordedEngagement, is_engagement_kind};
use crate::store::EngagementRecorded;

use super::super::proto;
use super::fields::body_hash;
use super::leads::SKEW_MS_MAX;
use super::{Fields, states, time};

/// Reads an engagement but for whose it is.
pub(in crate::api) fn new_engagement(
    fields: &mut Fields,
    message: &proto::RecordEngagementRequest,
    now: i64,
) -> Option<NewEngagement> {
    let source_system = fields.word("source_system", &message.source_system);
    let id = fields.id("engagement_id", &message.engagement_id, EngagementId::new);
    if !is_engagement_kind(&message.kind) {
        fields.problem("kind", "must have 1 to 128 letters and digits of ASCII, _, - and .");
    }
    let field = "engaged_time";
    let engaged_at = fields.instant(field, message.engaged_time.as_ref());
    let engaged_at = engaged_at.and_then(|at| fields.past(field, at, now, SKEW_MS_MAX));
    Some(NewEngagement {
        source_system: source_system?,
        id: id?,
        kind: message.kind.clone(),
        engaged_at,
        wakes: message.wakes,
        body_hash: body_hash("RecordEngagement", message),
    })
}

/// The answer to an engagement.
pub(in crate::api) fn engaged(recorded: &EngagementRecorded) -> proto::RecordEngagementResponse {
    proto::RecordEngagementResponse {
        lead_id: recorded.state.lead.to_string(),
        state: Some(states::state(&recorded.state)),
        woken: recorded.woke,
        recorded_before: recorded.is_replay,
    }
}

/// What a lead did, as it was recorded.
pub(super) fn engagements(recorded: Vec<RecordedEngagement>) -> Vec<proto::Engagement> {
    let message = |one: RecordedEngagement| proto::Engagement {
        source_system: one.engagement.source_system,
        engagement_id: one.engagement.id.to_string(),
        kind: one.engagement.kind,
        engaged_time: Some(time(one.engagement.engaged_at)),
        wakes: one.engagement.wakes,
        woken: one.woke,
        recorded_time: Some(time(one.recorded_at)),
    };
    recorded.into_iter().map(message).collect()
}

//! Queues, campaigns and reps: who works what.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::calling::CallingLaw;
use super::cap::Cap;
use super::id::{CampaignId, CampaignKey, QueueId, QueueKey, RepId, RepKey};
use super::quality::{QualityMode, QualitySettings};
use super::standing::Route;
use super::window::WeeklyHours;
use super::work_time::WorkTime;

/// How long a lease lasts unless the queue says otherwise.
pub const LEASE_MS_DEFAULT: i64 = 10 * 60_000;
/// How far renewals carry a lease unless the queue says otherwise.
pub const LEASE_TOTAL_MS_DEFAULT: i64 = 2 * 3_600_000;
/// How long after its end a touch is still in time unless the queue says otherwise.
pub const GRACE_MS_DEFAULT: i64 = 30_000;
/// How long a rep is not offered a lead that they released or let expire.
pub const PASS_MS: i64 = 15 * 60_000;

/// The unit of routing: one rule set, one policy, its reps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its key, inside.
    pub key: QueueKey,
    /// Its id.
    pub id: QueueId,
    /// Its settings.
    pub settings: QueueSettings,
}

impl Queue {
    /// Whether its reps get no lead as long as they owe feedback.
    pub fn holds_back(&self) -> bool {
        self.settings.quality.mode == QualityMode::Required
    }
}

/// What a manager sets about a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSettings {
    /// IANA name of the zone in which the queue's own hours are read for the first-touch promise.
    pub zone: String,
    /// When leads are offered, as the company wants it: read in every zone that a lead may be in, on top
    /// of the law.
    pub hours: WeeklyHours,
    /// Whether the law of calling hours covers its calls.
    #[serde(default)]
    pub law: CallingLaw,
    /// How often a number may be dialled, on top of the law: calls of every queue count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Cap>,
    /// How long a lease lasts.
    pub lease_ms: i64,
    /// How far renewals carry a lease, from its beginning.
    pub lease_total_ms: i64,
    /// How long after its end a touch is still in time.
    pub grace_ms: i64,
    /// How many leads a rep may skip within an hour, those included that they let run out; `None`: as
    /// many as they like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skips_per_hour_max: Option<u32>,
    /// How leads are kept for one rep.
    #[serde(default)]
    pub own: OwnLeads,
    /// What it asks its reps about the quality of their leads.
    #[serde(default, skip_serializing_if = "QualitySettings::is_off")]
    pub quality: Box<QualitySettings>,
}

/// How a queue keeps leads for the rep who promised to call again, or to whom they belong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnLeads {
    /// How long a callback that is due waits for the rep who promised it before anyone gets it.
    pub callback_grace_ms: i64,
    /// How many callbacks a rep may have promised in person at a time.
    pub callback_count_max: i64,
    /// An absence of a lead's owner that lasts longer than this gives the lead to anyone meanwhile.
    pub owner_absence_ms_max: i64,
    /// A rep who is off duty gets no lead.
    pub is_strict_about_hours: bool,
}

impl Default for OwnLeads {
    fn default() -> Self {
        Self {
            callback_grace_ms: 15 * 60_000,
            callback_count_max: 50,
            owner_absence_ms_max: 2 * 24 * 3_600_000,
            is_strict_about_hours: false,
        }
    }
}

/// The unit of marketing: where leads come from. It feeds exactly one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its key, inside.
    pub key: CampaignKey,
    /// Its id.
    pub id: CampaignId,
    /// The queue that it feeds.
    pub queue: QueueKey,
    /// Its settings.
    pub settings: CampaignSettings,
    /// How often the skills that its leads need were changed, or it was paused or resumed: an index that was ranked before the last
    /// of these changes has its leads in the wrong lanes.
    pub lane_version: i64,
    /// Its leads are not served until it is resumed; they keep their places.
    pub is_paused: bool,
}

/// What marketing sets about a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignSettings {
    /// Skills that each of its leads needs.
    pub skills: BTreeSet<String>,
    /// When it ends: what is still open then is closed; `None`: never.
    pub ends_at: Option<i64>,
    /// The route of what is closed then.
    pub route_at_end: Route,
    /// ISO 3166 code of the country in which a number in national form is read, for leads that name
    /// none. `None`: such a number is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_country: Option<String>,
}

impl CampaignSettings {
    /// Whether it is over at `now`.
    pub fn has_ended(&self, now: i64) -> bool {
        self.ends_at.is_some_and(|ends_at| ends_at <= now)
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rep {
    /// Their key, inside.
    pub key: RepKey,
    /// Their id.
    pub id: RepId,
    /// The queue that they work.
    pub queue: QueueKey,
    /// What they can do: a lead is only offered to a rep who has all skills it needs.
    pub skills: BTreeSet<String>,
    /// Whether they may pull.
    pub is_active: bool,
    /// When they work.
    pub work: WorkTime,
}

impl Rep {
    /// Whether they may pull at `now`, as far as it is up to them: active, and not at their end.
    pub fn is_active_at(&self, now: i64) -> bool {
        self.is_active && !self.work.has_ended(now)
    }

    /// Whether they are there to take a lead at `now`.
    pub fn is_on_duty(&self, now: i64) -> bool {
        self.is_active && self.work.is_at_work(now)
    }
}

/// A version of a queue's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleVersion {
    /// The queue.
    pub queue: QueueKey,
    /// Its number within the queue, from 1.
    pub version: i64,
    /// The document, as it was published.
    pub text: String,
    /// Who published it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it was accepted.
    pub published_at: i64,
    /// Since when it decides; `None`: not yet, or never as a later one overtook it.
    pub in_force_at: Option<i64>,
}

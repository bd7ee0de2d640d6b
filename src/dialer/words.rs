//! What the use cases are asked, and what they answer. Values only: the door has parsed them.

use std::collections::BTreeSet;

use crate::domain::{
    Bar, CampaignId, CampaignSettings, Channel, Direction, Disposition, Facts, HandoverKey, LeadId,
    LeadState, Lease, LeaseToken, LocalTime, Number, Quality, QualitySettings, QueueId,
    QueueSettings, RecordedEngagement, RecordedTouch, RepId, RuleVersion, ServeOrder, SkipReason,
    TouchId, WorkTime,
};
use crate::queue::{Counts, Place};
use crate::rules::{Explanation, PolicyLine};
use crate::store::{LeadRecord, ReleaseCause, RequestKey};

use super::OwedQuality;

/// A pull.
#[derive(Clone, Debug)]
pub struct Pull {
    /// Who pulls.
    pub rep: RepId,
    /// How long to wait for a lead to appear, in milliseconds; cut to [`super::WAIT_MS_MAX`].
    pub wait_ms: i64,
    /// The request.
    pub request: Option<RequestKey>,
}

/// The answer to a pull.
#[derive(Clone, Debug)]
pub enum Pulled {
    /// This lead.
    Served(Box<Served>),
    /// None may be served to this rep now.
    Nothing(Nothing),
}

/// A lead in a rep's hands.
#[derive(Clone, Debug)]
pub struct Served {
    /// The lead and where it stands.
    pub record: LeadRecord,
    /// Its campaign.
    pub campaign: CampaignId,
    /// To whom it belongs.
    pub owner: Option<RepId>,
    /// The lease.
    pub lease: Lease,
    /// How long the lease still lasts, counted from the answer.
    pub remaining_ms: i64,
    /// Its touches so far, newest first; the last [`super::STORY_LENGTH_MAX`].
    pub story: Vec<RecordedTouch>,
    /// The reps of those touches, in the same order.
    pub story_reps: Vec<Option<RepId>>,
    /// What it did by itself, the last recorded first; at most [`super::STORY_LENGTH_MAX`].
    pub engagements: Vec<RecordedEngagement>,
    /// Why this one.
    pub why: Why,
    /// The rep held it already: nothing new was taken.
    pub was_held: bool,
    /// What the queue asks about it.
    pub quality: QualitySettings,
}

impl Served {
    /// Its numbers that may be dialled, the one to dial first: of those in the story the least often
    /// called comes first, of several the one whose last call is the longest ago.
    pub fn callable_numbers(&self) -> Vec<&Number> {
        let calls_of = |number: &Number| {
            let of_it = |one: &&RecordedTouch| {
                one.touch.direction == Direction::Outbound
                    && one.touch.number.as_ref() == Some(number)
            };
            let calls = self.story.iter().filter(of_it);
            let last_at = calls.clone().map(|one| one.touch.started_at).max();
            (calls.count(), last_at)
        };
        let mut numbers: Vec<&Number> = self.record.lead.facts.callable_numbers().collect();
        numbers.sort_by_cached_key(|number| calls_of(number));
        numbers
    }
}

/// Why a lead was chosen.
#[derive(Clone, Debug)]
pub struct Why {
    /// By which order.
    pub order: ServeOrder,
    /// The rule version; 0: a queue without rules.
    pub rule_version: i64,
    /// The points, value by value, as they are now.
    pub explanation: Explanation,
}

/// Why a rep got nothing.
#[derive(Clone, Debug, Default)]
pub struct Nothing {
    /// What stands in the queue.
    pub counts: Counts,
    /// When the next closed hours open, if some lead waits for that.
    pub next_opening: Option<Opening>,
    /// Candidates were looked at and turned down until the limit: pull again.
    pub should_retry: bool,
    /// How many candidates were turned down.
    pub turned_count: usize,
    /// How many of them wait now, as their numbers are at a cap.
    pub capped_count: usize,
    /// Feedback that the rep owes, the oldest first: as long as it is missing they get nothing, and
    /// nothing else here is counted.
    pub owed: Vec<OwedQuality>,
}

/// When closed hours open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The instant.
    pub at: i64,
    /// What keeps them closed until then.
    pub bar: Bar,
}

/// Carries a lease on.
#[derive(Clone, Debug)]
pub struct RenewLease {
    /// The rep.
    pub rep: RepId,
    /// They ask themselves, by their own token: of leads that they have nothing to do with they learn
    /// nothing.
    pub is_own: bool,
    /// The lead.
    pub lead: LeadId,
    /// The lease.
    pub token: LeaseToken,
    /// How long from now on; `None`: the queue's lease duration.
    pub wish_ms: Option<i64>,
    /// A call that began in time is under way: the lead is not judged again.
    pub is_in_call: bool,
    /// The request.
    pub request: Option<RequestKey>,
}

/// A lease that was carried on.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// How long it still lasts.
    pub remaining_ms: i64,
    /// How long renewals can carry it on from now.
    pub renewable_ms: i64,
}

/// Ends a lease without a touch.
#[derive(Clone, Debug)]
pub struct ReleaseLease {
    /// The rep.
    pub rep: RepId,
    /// They ask themselves, by their own token: of leads that they have nothing to do with they learn
    /// nothing.
    pub is_own: bool,
    /// The lead.
    pub lead: LeadId,
    /// The lease.
    pub token: LeaseToken,
    /// Why.
    pub reason: Released,
    /// The request.
    pub request: Option<RequestKey>,
}

/// Why a rep gives a lead back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// They pass on it.
    Skipped(SkipReason),
    /// They took it by mistake.
    RepError,
    /// Their program lost it.
    ClientLost,
}

impl ReleaseLease {
    /// What the store is told, where skips are limited to so many an hour.
    pub(super) fn cause(&self, per_hour_max: Option<u32>) -> ReleaseCause {
        match self.reason {
            Released::Skipped(reason) => ReleaseCause::Skip { reason, per_hour_max },
            Released::RepError => ReleaseCause::RepError,
            Released::ClientLost => ReleaseCause::ClientLost,
        }
    }
}

/// A touch to record.
#[derive(Clone)]
pub struct NewTouch {
    /// The client's id of it, kept for ever; also its request id.
    pub id: TouchId,
    /// Who records it: the scope of the id.
    pub caller: String,
    /// SHA-256 over the request's body.
    pub body_hash: [u8; 32],
    /// The lead.
    pub lead: LeadId,
    /// The rep; `None` when a system posts it.
    pub rep: Option<RepId>,
    /// They ask themselves, by their own token: of leads that they have nothing to do with they learn
    /// nothing.
    pub is_own: bool,
    /// The lease, if there is one.
    pub token: Option<LeaseToken>,
    /// By what.
    pub channel: Channel,
    /// Who began.
    pub direction: Direction,
    /// The number that was dialled.
    pub number: Option<Number>,
    /// When it began.
    pub started_at: i64,
    /// When it ended.
    pub ended_at: i64,
    /// How it ended.
    pub disposition: Disposition,
    /// When the lead wants to be called again.
    pub callback: Option<CallbackTime>,
    /// What the rep wrote down.
    pub notes: String,
    /// What the rep thinks of the lead.
    pub quality: Option<Quality>,
    /// Then pull the next lead in the same commit.
    pub then_next: bool,
}

/// When a lead wants to be called again, as it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackTime {
    /// At this instant.
    At(i64),
    /// When a clock on a wall shows this.
    Local {
        /// What the clock shows.
        time: LocalTime,
        /// The IANA name of the clock's zone; `None`: the zone that the lead lives in.
        zone: Option<String>,
    },
}

/// Which promised callbacks to list.
#[derive(Clone, Debug)]
pub enum CallbacksFor {
    /// All of a queue.
    Queue(QueueId),
    /// Those that a rep promised in person.
    Rep(RepId),
}

/// A promise to call a lead again.
#[derive(Clone, Debug)]
pub struct PromisedCallback {
    /// The lead.
    pub record: LeadRecord,
    /// Its queue.
    pub queue: QueueId,
    /// The instant that was promised.
    pub at: i64,
    /// Who promised to call in person; `None`: anyone calls.
    pub to: Option<RepId>,
}

/// A touch that was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its lease was over: it is stored and counted, and did not move the lead.
    pub late: bool,
    /// It was recorded before.
    pub is_replay: bool,
    /// Where the lead stands now.
    pub state: LeadState,
    /// How many other leads were closed as this one said never.
    pub suppressed_count: usize,
    /// The next lead, if it was asked for.
    pub next: Option<Pulled>,
    /// This is a replay, and the lease that came with it is over.
    pub is_next_lost: bool,
    /// The queue asks what the rep thinks of the lead, and does not know.
    pub is_quality_owed: bool,
}

/// A handover.
#[derive(Clone, Debug)]
pub struct NewLead {
    /// What tells it from others.
    pub key: HandoverKey,
    /// When marketing handed over; `None`: now.
    pub handed_over_at: Option<i64>,
    /// What marketing says.
    pub facts: Facts,
    /// To whom it belongs, if that is said.
    pub owner: Option<RepId>,
}

/// A rep, as a manager sets them.
#[derive(Clone, Debug)]
pub struct RepSettings {
    /// Their queue.
    pub queue: QueueId,
    /// What they can do.
    pub skills: BTreeSet<String>,
    /// Whether they may pull.
    pub is_active: bool,
    /// When they work.
    pub work: WorkTime,
}

/// A queue and how it stands.
#[derive(Clone, Debug)]
pub struct QueueView {
    /// Its id.
    pub id: QueueId,
    /// Its settings.
    pub settings: QueueSettings,
    /// The rule version in force; 0: none.
    pub rule_version: i64,
    /// The version that is being ranked, if one is.
    pub ranking_version: Option<i64>,
}

/// A campaign.
#[derive(Clone, Debug)]
pub struct CampaignView {
    /// Its id.
    pub id: CampaignId,
    /// Its queue.
    pub queue: QueueId,
    /// Its settings.
    pub settings: CampaignSettings,
    /// Its leads are not served until it is resumed.
    pub is_paused: bool,
}

/// A rep.
#[derive(Clone, Debug)]
pub struct RepView {
    /// Their id.
    pub id: RepId,
    /// Their queue, skills, and whether they may pull.
    pub settings: RepSettings,
}

/// A document that was checked.
#[derive(Clone, Debug)]
pub struct CheckedRules {
    /// What a manager should know: the largest head start, for example.
    pub warnings: Vec<String>,
    /// The largest head start that the rules can give, in milliseconds; `None`: a formula has no bound.
    pub largest_head_start_ms: Option<i64>,
    /// What follows each disposition.
    pub policy: Vec<PolicyLine>,
}

/// Rules to publish.
#[derive(Clone, Debug)]
pub struct PublishRules {
    /// The queue.
    pub queue: QueueId,
    /// The document.
    pub text: String,
    /// Who publishes.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Answer only when the version decides, or was overtaken.
    pub wait: bool,
    /// The request.
    pub request: Option<RequestKey>,
}

/// A version and where it is on its way.
#[derive(Clone, Debug)]
pub struct RuleVersionView {
    /// The version.
    pub version: RuleVersion,
    /// It decides now.
    pub is_in_force: bool,
    /// It is accepted, and leads are being ranked by it.
    pub is_ranking: bool,
}

/// The leads of a queue, in serve order, as they were at an instant.
#[derive(Clone, Debug)]
pub struct Peek {
    /// When.
    pub taken_at: i64,
    /// How many are ready.
    pub ready_count: usize,
    /// The first of them, with the rep for whom it is kept, and with the lead if it still stands there.
    pub places: Vec<(Place, Option<RepId>, Option<Peeked>)>,
    /// What a point is, in milliseconds of waiting.
    pub point_is_ms: i64,
}

/// A lead that is shown in line.
#[derive(Clone, Debug)]
pub struct Peeked {
    /// The lead.
    pub record: LeadRecord,
    /// Its campaign.
    pub campaign: CampaignId,
    /// To whom it belongs.
    pub owner: Option<RepId>,
}

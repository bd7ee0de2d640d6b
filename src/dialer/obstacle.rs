//! What keeps a lead from being served, as values: the answer to why nobody gets it.

use std::collections::BTreeSet;

use crate::domain::{
    Bar, CampaignId, CloseReason, LeadId, QueueId, RecordedEngagement, RepId, Route, WaitReason,
    Whereabouts,
};
use crate::rules::Explanation;
use crate::store::{CapReached, LeadRecord, NumberSight, SuppressionOfLead};

/// An obstacle that keeps a lead from being served. They are told in the order in which they stand here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It was erased: nothing else counts.
    Erased,
    /// It is closed.
    Closed {
        /// Why.
        why: CloseReason,
        /// With this route.
        route: Route,
        /// When it comes back by itself; `None`: it does not, and beside it only suppressions are told.
        until: Option<i64>,
    },
    /// A rep holds it.
    Leased {
        /// Who.
        rep: Option<RepId>,
        /// Until when, unless it is renewed; the grace for a late touch is in it.
        until: i64,
    },
    /// It waits for an instant.
    Waiting {
        /// For what.
        why: WaitReason,
        /// Who promised to call then, in person.
        rep: Option<RepId>,
        /// That instant.
        until: i64,
    },
    /// Somebody said never, or not before an instant. An open lead is closed by whoever would pull it.
    Suppressed {
        /// What, by whom, until when.
        what: Vec<SuppressionOfLead>,
    },
    /// Its campaign is over: it is about to be closed.
    CampaignEnded,
    /// Its campaign is paused.
    Paused,
    /// None of its numbers may be dialled.
    NoNumber,
    /// A number of it is in another lead's lease.
    NumberInUse {
        /// That lead.
        by: LeadId,
        /// Until when, unless it is renewed.
        until: Option<i64>,
    },
    /// Nothing tells the time zone it lives in: it may never be called.
    UnknownZone,
    /// It is outside calling hours in a place where it may be.
    OutsideHours {
        /// When they open everywhere; `None`: not within 40 days.
        until: Option<i64>,
        /// What closes them.
        bar: Bar,
    },
    /// Each of its numbers that may be dialled is at a cap; this is the first that may be again.
    Capped(CapReached),
    /// It is kept for one rep.
    Kept(KeptFor),
    /// No active rep of the queue has the skills that it needs.
    NoRepWithSkills {
        /// Those skills.
        skills: BTreeSet<String>,
        /// Those of them that no active rep of the queue has.
        missing: BTreeSet<String>,
    },
    /// The rep who was asked about cannot get it.
    Rep(RepObstacle),
}

/// For whom a lead is kept: nobody else is offered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFor {
    /// The rep.
    pub rep: RepId,
    /// Until when; `None`: until the lead or that rep changes.
    pub until: Option<i64>,
    /// They promised to call, or are to call as the lead's owner at an instant that was promised. Else they
    /// own it.
    pub is_promised: bool,
    /// They are at work now.
    pub is_at_work: bool,
    /// When they are at work next; `None`: they are, or nobody knows.
    pub back_at: Option<i64>,
    /// Their last day.
    pub ends_at: Option<i64>,
    /// The skills that they lack: as long as it is kept for them nobody can take it.
    pub missing: BTreeSet<String>,
}

/// What keeps a lead from one rep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepObstacle {
    /// They work another queue.
    OtherQueue(QueueId),
    /// They may not pull, or not any more.
    Inactive,
    /// They are off duty, and the queue is strict about it.
    OffDuty {
        /// When they are at work next; `None`: nobody knows.
        until: Option<i64>,
    },
    /// They lack these skills.
    Unskilled(BTreeSet<String>),
    /// They passed it: it is offered to others for a while.
    Passed {
        /// Until when.
        until: i64,
        /// Nobody else on duty could take it: they are offered it once nothing else is left.
        is_last_resort: bool,
    },
    /// They hold another lead, and get that one again.
    HoldsOther {
        /// That lead.
        lead: LeadId,
        /// Until when, unless it is renewed.
        until: i64,
    },
    /// They owe feedback on quality first.
    OwesFeedback,
}

/// Everything about why a lead is where it is.
#[derive(Clone, Debug)]
pub struct LeadExplanation {
    /// The lead.
    pub record: LeadRecord,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Its queue.
    pub queue: QueueId,
    /// Who holds it.
    pub held_by: Option<RepId>,
    /// To whom it belongs.
    pub owner: Option<RepId>,
    /// For whom it is kept, and until when: `None`: until the lead or that rep changes.
    pub kept: Option<(RepId, Option<i64>)>,
    /// Its points, value by value.
    pub explanation: Explanation,
    /// The rule version that gave them.
    pub rule_version: i64,
    /// Where it may be, and how that is known; `None`: nobody can say.
    pub whereabouts: Option<Whereabouts>,
    /// What keeps it from being served now, in the order of [`Obstacle`]; empty: nothing.
    pub obstacles: Vec<Obstacle>,
    /// It is ready and nobody can take it as things stand: it is among the unroutable.
    pub is_unroutable: bool,
    /// What is known of each of its numbers, in their order.
    pub numbers: Vec<NumberSight>,
    /// When it can next be served if nobody does anything until then (to the rep who was asked about, if one
    /// was); `None`: time alone does not do it.
    pub next_servable_at: Option<i64>,
    /// How many ready leads of its queue stand before it, and how many are ready.
    pub place: Option<(usize, usize)>,
    /// What it did by itself, the last recorded first; at most [`super::STORY_LENGTH_MAX`].
    pub engagements: Vec<RecordedEngagement>,
    /// When this was read.
    pub read_at: i64,
}

//! A touch: one attempt to reach a lead, and how it ended.

use super::codes::codes;
use super::disposition::Disposition;
use super::id::{LeadId, LeaseToken, RepKey, TouchId};
use super::number::Number;

codes! {
    /// By what a lead was reached.
    Channel {
        /// A phone call.
        Call = "call",
        /// An e-mail.
        Email = "email",
        /// A text message.
        Message = "message",
        /// In person.
        Meeting = "meeting",
    }
}

codes! {
    /// Who began.
    Direction {
        /// We did.
        Outbound = "outbound",
        /// The lead did.
        Inbound = "inbound",
    }
}

/// One attempt to reach a lead. A fact: stored once, never changed, never dropped.
#[derive(Clone, PartialEq)]
pub struct Touch {
    /// The client's id of it.
    pub id: TouchId,
    /// The lead.
    pub lead: LeadId,
    /// The rep who made it; `None` when a system posted it.
    pub rep: Option<RepKey>,
    /// The lease that it was made under, if any.
    pub lease: Option<LeaseToken>,
    /// By what.
    pub channel: Channel,
    /// Who began.
    pub direction: Direction,
    /// The number that was dialled; a call has one.
    pub number: Option<Number>,
    /// When it began.
    pub started_at: i64,
    /// When it ended.
    pub ended_at: i64,
    /// How it ended.
    pub disposition: Disposition,
    /// When the lead wants to be called again; goes with the dispositions of
    /// [`Disposition::is_callback`].
    pub callback_at: Option<i64>,
    /// What the rep wrote down. Personal data: never logged.
    pub notes: String,
}

impl std::fmt::Debug for Touch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Touch({} on lead {}: {})", self.id, self.lead, self.disposition.code())
    }
}

/// A touch as the books keep it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedTouch {
    /// The fact.
    pub touch: Touch,
    /// Its lease was over, so it did not move the lead.
    pub late: bool,
    /// When it was recorded.
    pub recorded_at: i64,
}

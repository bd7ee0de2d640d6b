//! What one can ask the store about all leads.

use super::outcomes::OutcomeTotal;
use crate::domain::{
    CampaignKey, LeadId, LeadState, Quality, QueueKey, RecordedTouch, RepKey, Route, ServeTally,
    TouchId, ValueBand,
};

/// Which books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookFilter {
    /// Those of one queue.
    pub queue: Option<QueueKey>,
    /// Those of one campaign.
    pub campaign: Option<CampaignKey>,
}

/// Who owes feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwedBy {
    /// A rep: what they owe before they get another lead.
    Rep(RepKey),
    /// All reps, for touches of this queue's leads: all that it asked for.
    Queue(QueueKey),
}

/// Feedback that was asked for and not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// Who owes it.
    pub rep: RepKey,
    /// The lead.
    pub lead: LeadId,
    /// The touch, by the id that its client gave it.
    pub touch: TouchId,
    /// Since when.
    pub touched_at: i64,
    /// The rep gets no lead in a queue that requires it.
    pub is_required: bool,
}

/// On which touches feedback is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QualityPeriod {
    /// Of leads of this queue.
    pub queue: QueueKey,
    /// Recorded from here on.
    pub from: i64,
    /// Recorded before this.
    pub until: i64,
}

/// Feedback that has all of this in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualityCount {
    /// Who touched the leads.
    pub rep: RepKey,
    /// The leads' campaign.
    pub campaign: CampaignKey,
    /// The source in whose books they stand.
    pub source: String,
    /// It was asked for.
    pub is_asked: bool,
    /// What was said; `None`: nothing yet.
    pub given: Option<Quality>,
    /// How many touches.
    pub count: i64,
}

/// Whose serves, and of which hours: they are counted by the full hour in which they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServePeriod {
    /// The queue.
    pub queue: QueueKey,
    /// The first hour, in hours since 1970 UTC.
    pub from_hour: i64,
    /// The first hour that is no longer asked for.
    pub until_hour: i64,
}

/// How many serves of a rep's had something in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServeCount {
    /// The rep.
    pub rep: RepKey,
    /// What the leads were worth when they were served.
    pub band: ValueBand,
    /// What is counted.
    pub tally: ServeTally,
    /// How many.
    pub count: i64,
}

/// The books of one queue, campaign and source. Counts are of handovers: each stands where the lead that it
/// opened stands, in the book of that lead's queue, or under `merged`. A transfer moves it from the book of
/// one queue to that of another; touches stay in the book of the queue that made them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// The queue.
    pub queue: QueueKey,
    /// The campaign.
    pub campaign: CampaignKey,
    /// The source.
    pub source: String,
    /// Handed over.
    pub handed_over: i64,
    /// Ready.
    pub ready: i64,
    /// Waiting for an instant.
    pub waiting: i64,
    /// In a rep's hands.
    pub leased: i64,
    /// Closed, by route, in the order of [`Route::CODES`].
    pub closed: [i64; Route::CODES.len()],
    /// Merged into other leads.
    pub merged: i64,
    /// Erased: counted, and nothing else is known of them.
    pub erased: i64,
    /// How often a lead came from another queue's book.
    pub transferred_in: i64,
    /// How often a lead went to another queue's book.
    pub transferred_out: i64,
    /// Leads that had a first touch.
    pub touched: i64,
    /// Of those, within the promise.
    pub touched_in_time: i64,
    /// The sum of the times from handover to first touch, in milliseconds.
    pub first_touch_ms_sum: i64,
    /// Touches of any kind.
    pub touches: i64,
    /// Open leads without a first touch whose deadline has passed.
    pub overdue: i64,
    /// What its leads became in the CRM, by result and currency, those that were won first.
    pub outcomes: Vec<OutcomeTotal>,
}

impl Book {
    /// Handed over and transferred in, less where they all are: 0, or something is lost.
    pub fn imbalance(&self) -> i64 {
        let accounted = self.ready + self.waiting + self.leased + self.merged + self.erased;
        let came = self.handed_over + self.transferred_in - self.transferred_out;
        came - accounted - self.closed.iter().sum::<i64>()
    }
}

/// Which uncontacted leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UncontactedPage {
    /// Of one queue.
    pub queue: Option<QueueKey>,
    /// Of one campaign.
    pub campaign: Option<CampaignKey>,
    /// Also those that were closed without ever being touched.
    pub with_closed: bool,
    /// After this one: the deadline and the lead that the last page ended with.
    pub after: Option<(i64, LeadId)>,
    /// At most this many.
    pub limit: usize,
}

/// A lead that nobody has touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncontacted {
    /// Where it stands. Its `first_touch_due_at` is the order of the list; without a promise, its
    /// handover is.
    pub state: LeadState,
    /// The system that handed it over.
    pub source_system: String,
    /// That system's id of it.
    pub external_id: String,
}

/// What can be suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SuppressionKind {
    /// An e-mail address.
    Email,
    /// A phone number.
    Number,
}

impl SuppressionKind {
    /// The word for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Number => "number",
        }
    }

    /// Reads a word.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Email, Self::Number].into_iter().find(|kind| kind.code() == code)
    }
}

/// Which suppressions: in the order of kind and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuppressionPage {
    /// Of one kind.
    pub kind: Option<SuppressionKind>,
    /// After this one.
    pub after: Option<(SuppressionKind, String)>,
    /// At most this many.
    pub limit: usize,
}

/// A suppression.
#[derive(Clone, PartialEq, Eq)]
pub struct Suppression {
    /// What it is of.
    pub kind: SuppressionKind,
    /// The number, the folded address, or a keyed hash of one.
    pub value: String,
    /// The value is a hash, as whoever it belongs to was erased.
    pub is_hashed: bool,
    /// Where the wish came from.
    pub source: String,
    /// Who recorded it.
    pub actor: String,
    /// When.
    pub at: i64,
    /// When it ends, or ended: from then on it bars nobody. `None`: never.
    pub until: Option<i64>,
}

impl std::fmt::Debug for Suppression {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Suppression({}, hidden, of {})", self.kind.code(), self.source)
    }
}

/// Which leads or touches are exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportFilter {
    /// Of leads of one queue.
    pub queue: Option<QueueKey>,
    /// Of leads of one campaign.
    pub campaign: Option<CampaignKey>,
    /// Leads that changed, or touches that were recorded, at this instant or later.
    pub since: Option<i64>,
}

/// A touch, with whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct TouchOfLead {
    /// The fact.
    pub recorded: RecordedTouch,
    /// The lead's queue.
    pub queue: QueueKey,
    /// The lead's campaign.
    pub campaign: CampaignKey,
    /// The system that handed the lead over.
    pub source_system: String,
    /// That system's id of the lead.
    pub external_id: String,
}

/// A lead or a book that does not add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFault {
    /// Which: `"lead 17"`, `"book web/march"`.
    pub what: String,
    /// How.
    pub problem: String,
}

/// The result of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Leads that were folded.
    pub leads: i64,
    /// Handovers that were counted.
    pub handovers: i64,
    /// Ledger events that were read.
    pub events: i64,
    /// Touches that were counted.
    pub touches: i64,
    /// Books that were counted again.
    pub books: i64,
    /// The sum of what does not add up, over all books, and the leads whose events do not fold to
    /// their standing. 0, or something is wrong.
    pub imbalance: i64,
    /// The first of what does not add up; at most 100.
    pub faults: Vec<AuditFault>,
}

/// How far somebody came who reads what changed of late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentMark {
    /// The last lead that was handed over.
    pub lead: LeadId,
    /// The number of the last touch.
    pub touch: i64,
    /// The end of the last pass.
    pub pass_until: i64,
}

/// Which promised callbacks to list: of a queue or of a rep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbacksOf {
    /// All of a queue.
    Queue(QueueKey),
    /// Those that a rep promised in person.
    Rep(RepKey),
}

/// A page of callbacks that nobody is on at the moment, in the order of their instants.
#[derive(Clone, Debug)]
pub struct CallbackPage {
    /// Whose.
    pub of: CallbacksOf,
    /// After this instant and lead; `None`: from the first one on.
    pub after: Option<(i64, LeadId)>,
    /// At most so many.
    pub limit: usize,
}

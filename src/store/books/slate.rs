//! What a batch of changes knows and changes: rows as they were loaded, and as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::book::{BookDelta, BookKey};
use super::dials::{Dial, NewDial};
use super::engage::{EngagementRow, NewEngagement};
use super::erase::Erasable;
use super::outcome::{NewOutcome, OutcomeRow, OutcomeSum};
use super::quality::{FeedbackKey, FeedbackName, FeedbackRows, LateFeedback, NewFeedback};
use super::seal::Seal;
use super::skip::{NewSkip, ServeKey, SkipRow};
use super::sweep::Found;
use super::transfer::NewTransfer;
use super::{RequestKey, StoredAnswer};
use crate::domain::moves::{self, Command};
use crate::domain::{
    CampaignKey, Event, Facts, Lead, LeadId, LeadNumber, LeadState, Lease, LeaseToken, Number,
    QueueKey, Refusal, RepKey, Route, Touch,
};
use crate::store::changes::{LeadRecord, Pass};

/// A lead with all that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct LeadRow {
    pub(crate) lead: Arc<Lead>,
    pub(crate) state: LeadState,
    pub(crate) lease: Option<Lease>,
    /// The source in whose books it stands.
    pub(crate) source: Arc<str>,
    /// When its campaign ends, and the route of what is open then.
    pub(crate) campaign_end: Option<(i64, Route)>,
    /// Its campaign is paused: it is not served.
    pub(crate) is_paused: bool,
    /// In a nurture that nothing wakes, as its campaign ended.
    pub(crate) is_parked: bool,
    /// The key of its last event; 0 before it has one.
    pub(crate) last_event: i64,
}

impl LeadRow {
    /// Whether its campaign is over; with the route of what is open then.
    pub(crate) fn ended_route(&self, now: i64) -> Option<Route> {
        self.campaign_end.filter(|(ends_at, _)| *ends_at <= now).map(|(_, route)| route)
    }

    /// The books in which it stands.
    pub(crate) fn book_key(&self) -> BookKey {
        BookKey {
            queue: self.state.queue,
            campaign: self.state.campaign,
            source: self.source.clone(),
        }
    }
}

/// A lead as it was loaded and as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    /// `None`: this batch opened it.
    pub(crate) before: Option<LeadRow>,
    pub(crate) now: LeadRow,
    pub(crate) is_changed: bool,
}

/// An event to store.
#[derive(Clone, Debug)]
pub(crate) struct NewEvent {
    /// Its number in the ledger, in the order of writing.
    pub(crate) key: i64,
    /// The key of the lead's event before it; `None` for the first.
    pub(crate) previous: Option<i64>,
    pub(crate) event: Event,
}

/// A request that was answered.
#[derive(Clone, Debug)]
pub(crate) struct RequestRow {
    pub(crate) key: RequestKey,
    pub(crate) answer: StoredAnswer,
    pub(crate) at: i64,
}

/// A touch that was recorded before, as far as its replay goes.
#[derive(Clone, Debug)]
pub(crate) struct TouchRow {
    pub(crate) lead: LeadId,
    pub(crate) body_hash: String,
    pub(crate) late: bool,
    pub(crate) suppressed_count: usize,
    pub(crate) next: Option<(LeadId, LeaseToken)>,
    /// Feedback was asked for and is not given yet.
    pub(crate) is_quality_owed: bool,
}

/// A touch to store.
#[derive(Clone, Debug)]
pub(crate) struct NewTouch {
    pub(crate) caller: String,
    pub(crate) touch: Touch,
    pub(crate) recorded_at: i64,
    /// The queue that had the lead, if it came there from another.
    pub(crate) elsewhere: Option<QueueKey>,
    pub(crate) row: TouchRow,
}

/// What tells a handover from others, inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HandoverOnce {
    pub(crate) source_system: String,
    pub(crate) external_id: String,
    pub(crate) campaign: CampaignKey,
}

/// A handover.
#[derive(Clone, Debug)]
pub(crate) struct HandoverRow {
    pub(crate) queue: QueueKey,
    pub(crate) source: Arc<str>,
    pub(crate) lead: LeadId,
    pub(crate) is_merged: bool,
    pub(crate) facts_hash: String,
    pub(crate) handed_over_at: i64,
    /// Not stored yet, or stored with other facts.
    pub(crate) is_new: bool,
    pub(crate) is_changed: bool,
}

/// A number or an e-mail address to suppress.
#[derive(Clone, Debug)]
pub(crate) struct SuppressionRow {
    pub(crate) kind: &'static str,
    pub(crate) value: String,
    /// The value is a hash, as whoever said never was erased.
    pub(crate) is_hashed: bool,
    pub(crate) source: String,
    pub(crate) actor: String,
    pub(crate) at: i64,
    /// When it ends.
    pub(crate) until: Option<i64>,
}

/// A suppression that becomes a hash.
#[derive(Clone, Debug)]
pub(crate) struct SealedSuppression {
    pub(crate) kind: &'static str,
    pub(crate) value: String,
    pub(crate) hash: String,
}

/// What a batch has loaded, and what it changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slate {
    pub(crate) leads: HashMap<LeadId, Tracked>,
    /// Which lead each rep has, as far as they are not free.
    pub(crate) holders: HashMap<RepKey, LeadId>,
    /// Which lead each number is held for, and the other way round.
    pub(crate) held: HashMap<Number, LeadId>,
    pub(crate) held_by: HashMap<LeadId, Vec<Number>>,
    /// What said never, and until when; some may be over.
    pub(crate) suppressed_numbers: HashMap<Number, Option<i64>>,
    pub(crate) suppressed_emails: HashMap<String, Option<i64>>,
    /// When numbers that a cap counts for were dialled, within its window.
    pub(crate) dials: HashMap<Number, Vec<Dial>>,
    /// More leads carry what is suppressed than were loaded.
    pub(crate) has_more_carriers: bool,
    pub(crate) requests: HashMap<(String, String), RequestRow>,
    pub(crate) touches: HashMap<(String, String), TouchRow>,
    /// By source system and id.
    pub(crate) engagements: HashMap<(String, String), EngagementRow>,
    pub(crate) outcomes: HashMap<(String, String), OutcomeRow>,
    pub(crate) handovers: HashMap<HandoverOnce, HandoverRow>,
    /// Who carries a number in a queue: at most one more than may share it.
    pub(crate) by_number: HashMap<(QueueKey, Number), Vec<LeadId>>,
    pub(crate) by_email: HashMap<(QueueKey, String), Vec<LeadId>>,
    /// Numbers that joined leases which stand.
    pub(crate) joined: Vec<(Number, LeadId)>,
    /// What erased things are recognised by; `None`: nothing was ever erased.
    pub(crate) seal: Option<Arc<Seal>>,
    /// Handovers of this batch whose lead was erased.
    pub(crate) refused: HashMap<HandoverOnce, LeadId>,
    /// What is known of leads that are to be erased.
    pub(crate) erasable: HashMap<LeadId, Erasable>,
    /// What counts against the reps who skip, by lease.
    pub(crate) skips: HashMap<RepKey, BTreeMap<LeaseToken, SkipRow>>,
    /// What reps owe who get no lead for it.
    pub(crate) owed: HashMap<RepKey, BTreeSet<FeedbackName>>,
    /// Feedback on touches that are about to be rated.
    pub(crate) feedback: HashMap<FeedbackKey, FeedbackRows>,
    /// Another node has the duty that the sweep names.
    pub(crate) is_duty_lost: bool,
    /// What a sweep found.
    pub(crate) found: Found,
    /// The last lead id that was given out.
    pub(crate) last_lead: i64,
    /// The key of the last event in the ledger, those to be written included.
    pub(crate) last_event: i64,

    // What is to be written, beside the leads that changed.
    pub(crate) events: Vec<NewEvent>,
    pub(crate) new_touches: Vec<NewTouch>,
    pub(crate) new_engagements: Vec<NewEngagement>,
    pub(crate) new_outcomes: Vec<NewOutcome>,
    /// By how much counts and amounts move.
    pub(crate) outcome_sums: BTreeMap<OutcomeSum, (i64, i64)>,
    pub(crate) new_transfers: Vec<NewTransfer>,
    pub(crate) new_requests: Vec<RequestRow>,
    pub(crate) new_dials: Vec<NewDial>,
    /// Leases that ended in doubt and of which a touch has told.
    pub(crate) told_leases: Vec<LeaseToken>,
    pub(crate) new_passes: BTreeMap<(RepKey, LeadId), i64>,
    pub(crate) new_suppressions: Vec<SuppressionRow>,
    pub(crate) sealed_suppressions: Vec<SealedSuppression>,
    /// Numbers whose dials are kept under a hash, and the hash.
    pub(crate) sealed_dials: Vec<(String, String)>,
    pub(crate) erased_leads: Vec<LeadId>,
    pub(crate) erased_handovers: Vec<HandoverOnce>,
    pub(crate) new_skips: Vec<NewSkip>,
    pub(crate) new_feedback: Vec<NewFeedback>,
    pub(crate) late_feedback: Vec<LateFeedback>,
    pub(crate) serve_deltas: BTreeMap<ServeKey, i64>,
    pub(crate) book_deltas: BTreeMap<BookKey, BookDelta>,
    /// Requests, passes and skips that are over by then are forgotten, at most so many.
    pub(crate) forget: Option<(i64, usize)>,
}

impl Slate {
    /// A lead, as it is now.
    pub(crate) fn row(&self, lead: LeadId) -> Option<&LeadRow> {
        self.leads.get(&lead).map(|tracked| &tracked.now)
    }

    /// A lead that is known to be there.
    pub(crate) fn known(&self, lead: LeadId) -> &LeadRow {
        self.row(lead).expect("the lead was looked up before")
    }

    fn change(&mut self, lead: LeadId) -> &mut LeadRow {
        let tracked = self.leads.get_mut(&lead).expect("the lead was looked up before");
        tracked.is_changed = true;
        &mut tracked.now
    }

    /// Puts a lead on the slate as it was loaded.
    pub(crate) fn load(&mut self, row: LeadRow) {
        let id = row.lead.id;
        if let Some(lease) = row.lease.as_ref().filter(|lease| !lease.is_rep_free) {
            self.holders.insert(lease.rep, id);
        }
        let tracked = Tracked { before: Some(row.clone()), now: row, is_changed: false };
        self.leads.insert(id, tracked);
    }

    /// Puts a lead on the slate that this batch opens.
    pub(crate) fn open(&mut self, row: LeadRow, event: Event) {
        let lead = event.lead;
        let tracked = Tracked { before: None, now: row, is_changed: true };
        self.leads.insert(lead, tracked);
        self.note(lead, event);
    }

    /// Puts an event at the end of the ledger, behind the last one of its lead.
    fn note(&mut self, lead: LeadId, event: Event) {
        self.last_event += 1;
        let key = self.last_event;
        let before = std::mem::replace(&mut self.change(lead).last_event, key);
        let previous = (event.seq > 1).then_some(before);
        self.events.push(NewEvent { key, previous, event });
    }

    /// Moves a lead: the only way that its standing changes here.
    pub(crate) fn step(
        &mut self,
        lead: LeadId,
        command: Command,
        now: i64,
        tell: impl FnOnce(Event) -> Event,
    ) -> Result<(), Refusal> {
        let (state, event) = moves::step(&self.known(lead).state, command, now)?;
        let row = self.change(lead);
        row.state = state;
        row.is_parked = false;
        self.note(lead, tell(event));
        Ok(())
    }

    /// Gives a lease with the lead's callable numbers.
    pub(crate) fn give(&mut self, lease: Lease) {
        let id = lease.lead;
        self.holders.insert(lease.rep, id);
        let row = self.change(id);
        row.lease = Some(lease);
        let lead = row.lead.clone();
        for number in lead.facts.callable_numbers() {
            // A lead may carry a number twice.
            if self.held.get(number) != Some(&id) {
                self.hold(number.clone(), id);
            }
        }
    }

    /// Holds a number for a lead.
    pub(crate) fn hold(&mut self, number: Number, lead: LeadId) {
        self.held_by.entry(lead).or_default().push(number.clone());
        let before = self.held.insert(number, lead);
        assert!(before.is_none(), "a held number is not given out again");
    }

    /// Holds the callable numbers that a leased lead got since it was leased. Says whether all could
    /// be had; if not, none is held.
    pub(crate) fn join_numbers(&mut self, lead: LeadId) -> bool {
        let known = self.known(lead).lead.clone();
        let holder = |slate: &Self, number| slate.held.get(number).copied();
        let numbers = || known.facts.callable_numbers();
        if numbers().any(|number| holder(self, number).is_some_and(|holder| holder != lead)) {
            return false;
        }
        for number in numbers() {
            if holder(self, number).is_none() {
                self.hold(number.clone(), lead);
                self.joined.push((number.clone(), lead));
            }
        }
        true
    }

    /// Carries a lease on.
    pub(crate) fn renew(&mut self, lease: Lease) {
        let row = self.change(lease.lead);
        row.lease = Some(lease);
    }

    /// Frees the rep of a lease that expired; lead and numbers stay held.
    pub(crate) fn free_rep(&mut self, lead: LeadId) {
        let lease = self.change(lead).lease.as_mut().expect("a lease that expired is there");
        lease.is_rep_free = true;
        let rep = lease.rep;
        self.holders.remove(&rep);
    }

    /// Takes a lease and its numbers away.
    pub(crate) fn take_back(&mut self, lead: LeadId) -> Lease {
        let lease = self.change(lead).lease.take().expect("a lease that ends is there");
        if !lease.is_rep_free {
            self.holders.remove(&lease.rep);
        }
        for number in self.held_by.remove(&lead).unwrap_or_default() {
            self.held.remove(&number);
        }
        lease
    }

    /// Replaces a lead's facts.
    pub(crate) fn set_facts(&mut self, lead: LeadId, facts: Facts) {
        let changed = Lead { facts, ..(*self.known(lead).lead).clone() };
        self.set_lead(lead, Arc::new(changed));
    }

    /// Replaces what a lead is.
    pub(crate) fn set_lead(&mut self, id: LeadId, lead: Arc<Lead>) {
        self.change(id).lead = lead;
    }

    /// Notes that nothing wakes a nurture any more.
    pub(crate) fn park(&mut self, lead: LeadId) {
        self.change(lead).is_parked = true;
    }

    /// Keeps a lead from a rep for a while.
    pub(crate) fn pass(&mut self, pass: Pass) {
        self.new_passes.insert((pass.rep, pass.lead), pass.until);
    }

    /// A lead as it is answered.
    pub(crate) fn record(&self, lead: LeadId) -> LeadRecord {
        let row = self.known(lead);
        LeadRecord {
            lead: row.lead.clone(),
            state: row.state.clone(),
            lease: row.lease.clone(),
            left: None,
        }
    }

    /// Whether one of a lead's numbers or its e-mail address is suppressed at an instant.
    pub(crate) fn is_suppressed(&self, facts: &Facts, now: i64) -> bool {
        let stands = |until: &Option<i64>| until.is_none_or(|until| now < until);
        let is_number =
            |one: &LeadNumber| self.suppressed_numbers.get(&one.number).is_some_and(stands);
        let is_email = |email: String| self.suppressed_emails.get(&email).is_some_and(stands);
        facts.numbers.iter().any(is_number) || facts.email_folded().is_some_and(is_email)
    }

    /// The books in which a lead stands.
    pub(crate) fn book_of(&mut self, lead: LeadId) -> &mut BookDelta {
        let key = self.known(lead).book_key();
        self.book_deltas.entry(key).or_default()
    }

    /// Keeps the answer to a request.
    pub(crate) fn answer(&mut self, request: Option<&RequestKey>, answer: StoredAnswer, at: i64) {
        let Some(key) = request else { return };
        let row = RequestRow { key: key.clone(), answer, at };
        let name = (key.caller.clone(), key.id.as_str().to_owned());
        self.requests.insert(name, row.clone());
        self.new_requests.push(row);
    }

    /// Adds what every changed lead does to the books. Called once, when all is decided.
    pub(crate) fn close_books(&mut self) {
        for tracked in self.leads.values().filter(|tracked| tracked.is_changed) {
            if let Some(before) = &tracked.before {
                self.book_deltas.entry(before.book_key()).or_default().leave(before);
            }
            self.book_deltas.entry(tracked.now.book_key()).or_default().enter(&tracked.now);
        }
    }

    /// The leads that changed, in no order.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &Tracked> {
        self.leads.values().filter(|tracked| tracked.is_changed)
    }

    /// Whether there is anything to write.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed().next().is_some()
            || self.handovers.values().any(|row| row.is_new || row.is_changed)
            || !self.new_touches.is_empty()
            || !self.late_feedback.is_empty()
            || !self.new_requests.is_empty()
            || !self.new_suppressions.is_empty()
            || self.forget.is_some()
    }

    /// The leads that changed as they stand now, in the order of their ids.
    pub(crate) fn changed_records(&self) -> Vec<LeadRecord> {
        let left = |tracked: &Tracked| {
            let queue = tracked.before.as_ref()?.state.queue;
            (queue != tracked.now.state.queue).then_some(queue)
        };
        let record = |tracked: &Tracked| LeadRecord {
            left: left(tracked),
            ..self.record(tracked.now.lead.id)
        };
        let mut records: Vec<LeadRecord> = self.changed().map(record).collect();
        records.sort_unstable_by_key(|record| record.lead.id);
        records
    }
}

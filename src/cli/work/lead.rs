//! The lead on a rep's desk: its lease as this machine's clock sees it, the number to dial, the notes.

use super::keys::GiveBack;
use crate::api::proto::lead_ref::Name;
use crate::api::proto::{
    Channel, Direction, Disposition, LeadNumber, LeadRef, RecordTouchRequest, ReleaseLeaseRequest,
    RenewLeaseRequest, RenewLeaseResponse, ServedLead,
};
use crate::cli::words::{millis, timestamp_of};

/// A lead that a rep holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) served: ServedLead,
    /// Since when it lies on the desk.
    pub(super) shown_at: i64,
    /// When its lease ends, unless it is renewed.
    pub(super) ends_at: i64,
    /// Until when it can be renewed.
    pub(super) renewable_until: i64,
    lease_ms: i64,
    /// Which of its numbers is dialled, counted among those that may be.
    pub(super) chosen: usize,
    pub(super) notes: String,
    pub(super) is_renewing: bool,
    /// The rep speaks with it: a call that began in time may go on.
    pub(super) is_talking: bool,
    /// The node says that the lease no longer stands.
    pub(super) is_lost: bool,
}

impl Held {
    pub(super) fn new(served: ServedLead, now: i64) -> Self {
        let lease_ms = served.remaining_duration.as_ref().map_or(0, millis);
        let renewable_ms = served.renewable_duration.as_ref().map_or(0, millis);
        let numbers = served.lead.as_ref().map_or(&[][..], |lead| lead.numbers.as_slice());
        let mut dialable = numbers.iter().filter(|one| one.stopped_by == 0);
        let first = served.callable_numbers.first();
        let chosen = first.and_then(|first| dialable.position(|one| one.number == *first));
        Self {
            served,
            shown_at: now,
            ends_at: now.saturating_add(lease_ms),
            renewable_until: now.saturating_add(renewable_ms),
            lease_ms,
            chosen: chosen.unwrap_or(0),
            notes: String::new(),
            is_renewing: false,
            is_talking: false,
            is_lost: false,
        }
    }

    /// The time zone that it lives in, or nothing.
    pub(super) fn zone(&self) -> &str {
        self.served.lead.as_ref().map_or("", |lead| lead.time_zone.as_str())
    }

    fn numbers(&self) -> &[LeadNumber] {
        self.served.lead.as_ref().map_or(&[], |lead| lead.numbers.as_slice())
    }

    /// The numbers that may be dialled.
    pub(super) fn dialable(&self) -> impl Iterator<Item = &LeadNumber> {
        self.numbers().iter().filter(|one| one.stopped_by == 0)
    }

    /// The numbers that may not.
    pub(super) fn stopped(&self) -> impl Iterator<Item = &LeadNumber> {
        self.numbers().iter().filter(|one| one.stopped_by != 0)
    }

    /// Chooses a number by its key; false if there is none.
    pub(super) fn choose(&mut self, key: char) -> bool {
        let nth = key.to_digit(10).and_then(|digit| usize::try_from(digit).ok()?.checked_sub(1));
        match nth.filter(|&nth| nth < self.dialable().count()) {
            Some(nth) => {
                self.chosen = nth;
                true
            }
            None => false,
        }
    }

    /// Whether the last third of the lease has begun and a renewal would carry it on.
    pub(super) fn wants_renewal(&self, now: i64) -> bool {
        let is_near = now >= self.ends_at - (self.lease_ms / 3).max(1_000);
        let is_useful = self.renewable_until > self.ends_at;
        is_near && is_useful && now < self.ends_at && !self.is_renewing && !self.is_lost
    }

    pub(super) fn renewed(&mut self, answer: &RenewLeaseResponse, now: i64) {
        let remaining_ms = answer.remaining_duration.as_ref().map_or(0, millis);
        let renewable_ms = answer.renewable_duration.as_ref().map_or(0, millis);
        self.ends_at = now.saturating_add(remaining_ms);
        self.renewable_until = now.saturating_add(renewable_ms);
        self.lease_ms = self.lease_ms.max(remaining_ms);
        self.is_renewing = false;
    }

    fn reference(&self) -> Option<LeadRef> {
        let lead_id = self.served.lead.as_ref().map_or(String::new(), |lead| lead.lead_id.clone());
        Some(LeadRef { name: Some(Name::LeadId(lead_id)) })
    }

    pub(super) fn renewal(&self, rep: &str) -> RenewLeaseRequest {
        RenewLeaseRequest {
            rep_id: rep.to_owned(),
            lead: self.reference(),
            lease_token: self.served.lease_token.clone(),
            in_call: self.is_talking,
            ..RenewLeaseRequest::default()
        }
    }

    pub(super) fn release(&self, rep: &str, (reason, skip): GiveBack) -> ReleaseLeaseRequest {
        ReleaseLeaseRequest {
            rep_id: rep.to_owned(),
            lead: self.reference(),
            lease_token: self.served.lease_token.clone(),
            reason: reason as i32,
            skip_reason: skip as i32,
            ..ReleaseLeaseRequest::default()
        }
    }

    /// An outbound call of the chosen number, from when the lead was shown until now.
    pub(super) fn touch(
        &self,
        rep: &str,
        touch_id: String,
        disposition: Disposition,
        now: i64,
    ) -> RecordTouchRequest {
        let number = self.dialable().nth(self.chosen);
        RecordTouchRequest {
            rep_id: rep.to_owned(),
            lead: self.reference(),
            touch_id,
            lease_token: self.served.lease_token.clone(),
            channel: Channel::Call as i32,
            direction: Direction::Outbound as i32,
            number: number.map_or(String::new(), |one| one.number.clone()),
            start_time: Some(timestamp_of(self.shown_at)),
            end_time: Some(timestamp_of(now)),
            disposition: disposition as i32,
            notes: self.notes.clone(),
            ..RecordTouchRequest::default()
        }
    }
}

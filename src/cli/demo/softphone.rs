//! A simulated rep's softphone: one connection to the node, one lead at a time.
//!
//! It calls what any softphone would: `NextLead`, `RenewLease` while the call lasts, `RecordTouch`
//! with the next lead in the same call.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;

use crate::api::client::{Calls, Client};
use crate::api::proto::rep_service_client::RepServiceClient;
use crate::api::proto::{
    Channel, Direction, LeadRef, NextLeadRequest, NothingToServe, RecordTouchRequest,
    RecordTouchResponse, RenewLeaseRequest, ServedLead, lead_ref, next_lead_response,
    record_touch_response,
};
use crate::domain::Disposition;

use super::floor::{Answer, Attempt, Step};
use super::time::{instant, millis, timestamp};
use super::watch::Watch;

/// What all softphones write into as their answers arrive.
pub(super) struct Notes {
    /// Who has which lead.
    pub(super) watch: Watch,
    /// How long each pull took that brought a lead, in microseconds.
    pub(super) pulls_us: Histogram<u64>,
}

impl Notes {
    pub(super) fn new() -> Self {
        let pulls_us = Histogram::new(3).expect("three digits are kept");
        Self { watch: Watch::default(), pulls_us }
    }
}

/// The lead that a rep has.
struct Held {
    lead_id: String,
    number: String,
    lease_token: String,
}

/// One rep's softphone.
pub(super) struct Softphone {
    rep: usize,
    rep_id: String,
    client: RepServiceClient<Calls>,
    held: Option<Held>,
    /// How many requests it made, so that each has an id of its own.
    request_count: u64,
}

impl Softphone {
    /// The softphone of the `rep`-th rep.
    pub(super) fn new(rep: usize, client: &Client) -> Self {
        Self { rep, rep_id: rep_id(rep), client: client.reps(), held: None, request_count: 0 }
    }

    /// Makes one call and notes what came of it. `first_row` is the row of the month's first lead.
    pub(super) async fn make(
        &mut self,
        step: Step,
        first_row: usize,
        notes: &RefCell<Notes>,
    ) -> anyhow::Result<Answer> {
        match step {
            Step::Pull => self.pull(first_row, notes).await,
            Step::Touch { attempt, then_next } => {
                self.touch(attempt, then_next, first_row, notes).await
            }
            Step::Renew => self.renew().await,
        }
    }

    async fn pull(&mut self, first_row: usize, notes: &RefCell<Notes>) -> anyhow::Result<Answer> {
        let request = NextLeadRequest {
            rep_id: self.rep_id.clone(),
            wait_duration: None,
            request_id: self.request_id(),
        };
        let watch = StopWatch::start();
        let response = self.client.next_lead(request).await.context("a pull failed")?;
        let took = watch.elapsed();
        match response.into_inner().answer.context("a pull had no answer")? {
            next_lead_response::Answer::Served(served) => self.take(served, took, first_row, notes),
            next_lead_response::Answer::Nothing(nothing) => Ok(nothing_to_serve(&nothing)),
        }
    }

    async fn touch(
        &mut self,
        attempt: Attempt,
        then_next: bool,
        first_row: usize,
        notes: &RefCell<Notes>,
    ) -> anyhow::Result<Answer> {
        let held = self.held.take().context("a touch needs a lead")?;
        let request = self.touch_request(&held, attempt, then_next);
        let watch = StopWatch::start();
        let response = self.client.record_touch(request).await.context("a touch failed")?;
        let took = watch.elapsed();
        notes.borrow_mut().watch.given_back(self.rep, &held.lead_id, &held.number);
        let RecordTouchResponse { late, replayed, next, .. } = response.into_inner();
        ensure!(!late && !replayed, "a touch in time was taken for late, or for a repetition");
        match next {
            None if !then_next => Ok(Answer::Recorded),
            Some(record_touch_response::Next::NextServed(served)) if then_next => {
                self.take(served, took, first_row, notes)
            }
            Some(record_touch_response::Next::NextNothing(nothing)) if then_next => {
                Ok(nothing_to_serve(&nothing))
            }
            _ => bail!("a touch had another answer than was asked for"),
        }
    }

    fn touch_request(
        &mut self,
        held: &Held,
        attempt: Attempt,
        then_next: bool,
    ) -> RecordTouchRequest {
        RecordTouchRequest {
            rep_id: self.rep_id.clone(),
            lead: Some(lead_ref(&held.lead_id)),
            touch_id: self.request_id(),
            lease_token: held.lease_token.clone(),
            channel: Channel::Call.into(),
            direction: Direction::Outbound.into(),
            number: held.number.clone(),
            start_time: Some(timestamp(attempt.started_at)),
            end_time: Some(timestamp(attempt.ended_at)),
            disposition: disposition(attempt.disposition).into(),
            callback_time: None,
            notes: String::new(),
            then_next,
            ..RecordTouchRequest::default()
        }
    }

    async fn renew(&mut self) -> anyhow::Result<Answer> {
        let request_id = self.request_id();
        let held = self.held.as_ref().context("a renewal needs a lead")?;
        let request = RenewLeaseRequest {
            rep_id: self.rep_id.clone(),
            lead: Some(lead_ref(&held.lead_id)),
            lease_token: held.lease_token.clone(),
            renewal_duration: None,
            request_id,
        };
        let response = self.client.renew_lease(request).await.context("a renewal failed")?;
        let remaining = response.into_inner().remaining_duration.context("no lease is left")?;
        Ok(Answer::Renewed { lease_ms: millis(&remaining) })
    }

    /// The rep has a lead now.
    fn take(
        &mut self,
        served: ServedLead,
        took: Duration,
        first_row: usize,
        notes: &RefCell<Notes>,
    ) -> anyhow::Result<Answer> {
        ensure!(!served.held_before, "a rep without a lead was taken for one who has it");
        let lead = served.lead.context("a served lead is missing")?;
        let number = lead.numbers.first().context("a served lead has no number")?.number.clone();
        let row = lead.handover_key.as_ref().and_then(|key| key.external_id.parse::<usize>().ok());
        let nth = row.and_then(|row| row.checked_sub(first_row));
        let remaining = served.remaining_duration.context("a lease has no duration")?;
        let mut notes = notes.borrow_mut();
        notes.watch.taken(self.rep, &lead.lead_id, &number);
        notes.pulls_us.record(u64::try_from(took.as_micros())?)?;
        self.held = Some(Held { lead_id: lead.lead_id, number, lease_token: served.lease_token });
        Ok(Answer::Lead {
            lead: nth.context("a served lead is not of this month")?,
            lease_ms: millis(&remaining),
        })
    }

    fn request_id(&mut self) -> String {
        self.request_count += 1;
        format!("{}/{}", self.rep_id, self.request_count)
    }
}

/// The id of the `rep`-th rep.
pub(super) fn rep_id(rep: usize) -> String {
    format!("rep-{:02}", rep + 1)
}

fn lead_ref(lead_id: &str) -> LeadRef {
    LeadRef { name: Some(lead_ref::Name::LeadId(lead_id.to_owned())) }
}

fn nothing_to_serve(nothing: &NothingToServe) -> Answer {
    let next_due_at = nothing.next_due_time.as_ref().map(instant);
    Answer::Nothing { next_due_at }
}

/// The three ways in which a simulated call ends.
fn disposition(disposition: Disposition) -> crate::api::proto::Disposition {
    match disposition {
        Disposition::NoAnswer => crate::api::proto::Disposition::NoAnswer,
        Disposition::Sale => crate::api::proto::Disposition::Sale,
        Disposition::NotInterested => crate::api::proto::Disposition::NotInterested,
        other => unreachable!("no simulated call ends as {}", other.code()),
    }
}

/// Measures how long an answer takes on the wall, where the demo's own clock stands still.
pub(super) struct StopWatch(Instant);

impl StopWatch {
    #[expect(clippy::disallowed_methods, reason = "measures, and decides nothing")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

//! One rep with a softphone: gets a lead, records the touch and gets the next lead in the same call.
//!
//! A call without an answer is made again with the same ids until it is answered, as a softphone does:
//! so every touch that was sent is known to be in the books, or the run has failed.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tonic::{Code, Status};

use super::company::rep_id;
use super::floor::{Floor, one_more};
use super::random::Random;
use crate::api::client::{Calls, Client};
use crate::api::proto::rep_service_client::RepServiceClient;
use crate::api::proto::{
    Channel, Direction, Disposition, LeadRef, NextLeadRequest, RecordTouchRequest,
    RecordTouchResponse, ReleaseLeaseRequest, ReleaseReason, ServedLead, lead_ref,
    next_lead_response, record_touch_response,
};
use crate::cli::words::{duration_of, timestamp_of};
use crate::clock::{Clock as _, Stopwatch};

/// How long a call is made again before the run has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long before each time.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the call took that a touch tells of.
const TALK_MS: i64 = 45_000;

/// The lead that a rep has.
struct Held {
    lead_id: String,
    number: String,
    lease_token: String,
}

/// One rep.
pub(super) struct Rep {
    nth: usize,
    id: String,
    client: RepServiceClient<Calls>,
    held: Option<Held>,
    touch_count: u64,
    random: Random,
}

impl Rep {
    /// The `nth` rep, on this connection.
    pub(super) fn new(nth: usize, seed: u64, client: &Client) -> Self {
        let random = Random::new(seed.rotate_left(32), u64::try_from(nth).unwrap_or(u64::MAX));
        let client = client.reps();
        Self { nth, id: rep_id(nth), client, held: None, touch_count: 0, random }
    }

    /// Gets a lead, if one comes within `wait_ms`. A rep who has one keeps it.
    pub(super) async fn pull(&mut self, floor: &Floor, wait_ms: i64) -> anyhow::Result<()> {
        if self.held.is_some() {
            return Ok(());
        }
        let request = NextLeadRequest {
            rep_id: self.id.clone(),
            wait_duration: (wait_ms > 0).then(|| duration_of(wait_ms)),
            request_id: String::new(),
        };
        let tries = Tries::start();
        let answer = loop {
            match self.client.next_lead(request.clone()).await {
                Ok(response) => break response.into_inner().answer,
                Err(status) => tries.again(floor, status).await.context("a pull failed")?,
            }
        };
        match answer.context("a pull had no answer")? {
            next_lead_response::Answer::Served(served) => self.take(served, floor),
            next_lead_response::Answer::Nothing(_) => {
                one_more(&floor.counts.empty);
                Ok(())
            }
        }
    }

    /// One cycle, which was meant to begin at `meant_at`: records how the call went, and gets the next
    /// lead. A rep without a lead asks for one instead.
    pub(super) async fn cycle(
        &mut self,
        floor: &Floor,
        meant_at: Duration,
        wait_ms: i64,
    ) -> anyhow::Result<()> {
        let Some(held) = self.held.take() else {
            return self.pull(floor, wait_ms).await;
        };
        self.touch_count += 1;
        let request = self.touch(floor, &held);
        floor.history.borrow_mut().touching(self.nth, self.touch_count, &held.number);
        let sent_at = floor.elapsed();
        let response = self.record(floor, request).await?;
        floor.done(meant_at, sent_at);
        self.touched(floor, &held, &response);
        match response.next {
            Some(record_touch_response::Next::NextServed(served)) => self.take(served, floor),
            Some(record_touch_response::Next::NextNothing(_)) => {
                one_more(&floor.counts.empty);
                Ok(())
            }
            // The answer to a call that was made again: the lease may have gone another way.
            Some(record_touch_response::Next::NextLost(_)) | None => {
                ensure!(response.replayed, "a touch had another answer than was asked for");
                Ok(())
            }
        }
    }

    /// Gives back what the rep still has.
    pub(super) async fn hang_up(&mut self, floor: &Floor) -> anyhow::Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let request = ReleaseLeaseRequest {
            rep_id: self.id.clone(),
            lead: Some(lead_ref(&held.lead_id)),
            lease_token: held.lease_token,
            reason: ReleaseReason::ClientLost.into(),
            request_id: format!("load/{}/{}/end", floor.run, self.nth),
            ..ReleaseLeaseRequest::default()
        };
        let tries = Tries::start();
        while let Err(status) = self.client.release_lease(request.clone()).await {
            tries.again(floor, status).await.context("a release failed")?;
        }
        floor.history.borrow_mut().given_back(self.nth, &held.lead_id, &held.number);
        Ok(())
    }

    fn touch(&mut self, floor: &Floor, held: &Held) -> RecordTouchRequest {
        let now = floor.clock.now();
        RecordTouchRequest {
            rep_id: self.id.clone(),
            lead: Some(lead_ref(&held.lead_id)),
            touch_id: touch_id(&floor.run, self.nth, self.touch_count),
            lease_token: held.lease_token.clone(),
            channel: Channel::Call.into(),
            direction: Direction::Outbound.into(),
            number: held.number.clone(),
            start_time: Some(timestamp_of(now - TALK_MS)),
            end_time: Some(timestamp_of(now)),
            disposition: disposition(&mut self.random).into(),
            callback_time: None,
            notes: String::new(),
            then_next: true,
            ..RecordTouchRequest::default()
        }
    }

    async fn record(
        &mut self,
        floor: &Floor,
        request: RecordTouchRequest,
    ) -> anyhow::Result<RecordTouchResponse> {
        let tries = Tries::start();
        loop {
            match self.client.record_touch(request.clone()).await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => tries.again(floor, status).await.context("a touch failed")?,
            }
        }
    }

    fn touched(&self, floor: &Floor, held: &Held, response: &RecordTouchResponse) {
        let mut history = floor.history.borrow_mut();
        history.touched(self.nth, self.touch_count, &held.lead_id);
        if response.late {
            one_more(&floor.counts.late);
        }
    }

    fn take(&mut self, served: ServedLead, floor: &Floor) -> anyhow::Result<()> {
        let lead = served.lead.context("a served lead is missing")?;
        let number = lead.numbers.into_iter().next().context("a served lead has no number")?;
        let (lead_id, number) = (lead.lead_id, number.number);
        floor.history.borrow_mut().taken(self.nth, &lead_id, &number);
        self.held = Some(Held { lead_id, number, lease_token: served.lease_token });
        Ok(())
    }
}

/// The id of a touch: of which run, of which rep, and which of theirs.
pub(super) fn touch_id(run: &str, rep: usize, touch: u64) -> String {
    format!("load/{run}/{rep}/{touch}")
}

/// Which touch of this run has this id; `None`: it is of another run, or of somebody else.
pub(super) fn touch_of(run: &str, id: &str) -> Option<(usize, u64)> {
    let own = id.strip_prefix("load/")?.strip_prefix(run)?.strip_prefix('/')?;
    let (rep, touch) = own.split_once('/')?;
    Some((rep.parse().ok()?, touch.parse().ok()?))
}

/// How calls end: most reach nobody, few sell.
fn disposition(random: &mut Random) -> Disposition {
    match random.below(100) {
        0..45 => Disposition::NoAnswer,
        45..55 => Disposition::Busy,
        55..70 => Disposition::Voicemail,
        70..92 => Disposition::NotInterested,
        _ => Disposition::Sale,
    }
}

fn lead_ref(lead_id: &str) -> LeadRef {
    LeadRef { name: Some(lead_ref::Name::LeadId(lead_id.to_owned())) }
}

/// A call that is made until it is answered, for a while.
struct Tries(Stopwatch);

impl Tries {
    fn start() -> Self {
        Self(Stopwatch::start())
    }

    /// Waits a little if it is worth another try.
    async fn again(&self, floor: &Floor, status: Status) -> Result<(), Status> {
        one_more(&floor.counts.errors);
        if !may_pass(&status) || self.0.elapsed() > PATIENCE {
            return Err(status);
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// Whether the same call may be answered a moment later.
fn may_pass(status: &Status) -> bool {
    // A status that has a source was made on this side, out of what the network did.
    let is_of_the_network = std::error::Error::source(status).is_some();
    let passing = [
        Code::Unavailable,
        Code::ResourceExhausted,
        Code::Aborted,
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Unknown,
    ];
    is_of_the_network || passing.contains(&status.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_touch_tells_whose_it_is() {
        assert_eq!(touch_of("r1", &touch_id("r1", 63, 1_000)), Some((63, 1_000)));
        for other in ["load/r10/63/1", "load/r2/63/1", "touch-1", "load/r1/63", "load/r1/x/1"] {
            assert_eq!(touch_of("r1", other), None, "{other}");
        }
    }

    #[test]
    fn a_refusal_is_not_tried_again() {
        assert!(may_pass(&Status::unavailable("the index is being built")));
        assert!(may_pass(&Status::resource_exhausted("too many calls")));
        assert!(!may_pass(&Status::not_found("no such rep")));
        assert!(!may_pass(&Status::internal("a mistake")));
    }
}

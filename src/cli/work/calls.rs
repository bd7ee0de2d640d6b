//! The calls that a desk makes. One that did not reach the node, or came back without an answer, is
//! made again with the same ids until it is answered: a touch that was typed is never lost and never
//! recorded twice.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

use super::desk::{Effect, Event};
use crate::api::client::Client;
use crate::api::proto::{
    NextLeadRequest, RecordTouchRequest, ReleaseLeaseRequest, RenewLeaseRequest,
};
use crate::cli::exit::Exit;
use crate::cli::words::duration_of;

/// How long a pull waits for a lead to appear before its numbers are refreshed.
const PATIENCE_MS: i64 = 15_000;
/// The first and the longest wait before a call is made again.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Makes calls beside the desk; the answers come as events. Dropped, it ends them.
pub(super) struct Calls {
    node: Client,
    rep: String,
    events: UnboundedSender<Event>,
    tasks: JoinSet<()>,
}

impl Calls {
    pub(super) fn new(node: Client, rep: String, events: UnboundedSender<Event>) -> Self {
        Self { node, rep, events, tasks: JoinSet::new() }
    }

    /// Makes the call of an effect; others are none.
    pub(super) fn make(&mut self, effect: Effect) {
        // Those that ended before.
        while self.tasks.try_join_next().is_some() {}
        match effect {
            Effect::Pull { is_patient } => self.pull(is_patient),
            Effect::Renew(request) => self.renew(request),
            Effect::Record(request) => self.record(request),
            Effect::Release(request) => self.release(request),
            Effect::Tell(_) | Effect::Quit | Effect::Fail(_) => {}
        }
    }

    fn pull(&mut self, is_patient: bool) {
        let request = NextLeadRequest {
            rep_id: self.rep.clone(),
            wait_duration: is_patient.then(|| duration_of(PATIENCE_MS)),
            ..NextLeadRequest::default()
        };
        let call = move |node: Client| {
            let request = request.clone();
            async move { node.reps().next_lead(request).await }
        };
        self.again_until_answered(call, Event::Pulled);
    }

    fn renew(&mut self, request: RenewLeaseRequest) {
        let call = move |node: Client| {
            let request = request.clone();
            async move { node.reps().renew_lease(request).await }
        };
        self.again_until_answered(call, Event::Renewed);
    }

    fn record(&mut self, request: RecordTouchRequest) {
        let call = move |node: Client| {
            let request = request.clone();
            async move { node.reps().record_touch(request).await }
        };
        self.again_until_answered(call, Event::Recorded);
    }

    fn release(&mut self, request: ReleaseLeaseRequest) {
        let call = move |node: Client| {
            let request = request.clone();
            async move { node.reps().release_lease(request).await }
        };
        self.again_until_answered(call, |answer| Event::Released(answer.map(drop)));
    }

    fn again_until_answered<T, Answered>(
        &mut self,
        call: impl Fn(Client) -> Answered + Send + 'static,
        event: fn(Result<T, Status>) -> Event,
    ) where
        T: Send + 'static,
        Answered: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let (node, events) = (self.node.clone(), self.events.clone());
        self.tasks.spawn(async move {
            let mut pause = PAUSE_MIN;
            let mut was_down = false;
            let answer = loop {
                match call(node.clone()).await {
                    Err(status) if is_passing(&status) => {
                        let wanted = status.get_error_details().retry_info().cloned();
                        let wanted = wanted.and_then(|one| one.retry_delay).unwrap_or(pause);
                        // A desk that is gone wants nothing more.
                        let _ = events.send(Event::LineDown(status));
                        was_down = true;
                        tokio::time::sleep(wanted.max(pause)).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                    answer => break answer.map(Response::into_inner),
                }
            };
            if was_down {
                let _ = events.send(Event::LineUp);
            }
            let _ = events.send(event(answer));
        });
    }
}

/// Whether the same call may be answered later: the connection failed, or the node is not able now.
fn is_passing(status: &Status) -> bool {
    Exit::of_code(status.code()) == Exit::Unavailable || std::error::Error::source(status).is_some()
}

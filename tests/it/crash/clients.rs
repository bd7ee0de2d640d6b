//! The clients: reps, marketing and those who want to be left alone. Each has a connection of its
//! own; when it breaks the client waits for the node to be back and sends the same request again, or
//! gives up, as a program does that dies as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nextlead::api::client::{Client, connect};
use nextlead::api::proto;
use nextlead::clock::{Clock as _, SystemClock};
use proto::next_lead_response::Answer;
use proto::record_touch_response::Next;
use proto::suppress_contact_request::Contact;
use tokio::sync::watch;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

use super::families::{FAMILY_COUNT_MAX, FAMILY_SIZE, family_of, member, number};
use super::history::{
    HandoverSent, History, Hold, Order, PutOff, Span, SuppressionSent, TouchSent,
};
use crate::support::{by_id, reason, time};

/// How long a client waits that is told to come again.
const PUT_OFF_BY: Duration = Duration::from_millis(20);
/// How long a client waits for an answer before it asks anew: far longer than a node may take.
const CALL_WITHIN: Duration = Duration::from_secs(40);
/// What a node says that does not know whether it changed something. Every other reason for which a
/// call is put off says that nothing was changed.
const UNKNOWN: [&str; 2] = ["COMMIT_UNKNOWN", "STORE_STOPPED"];

/// The node that runs, or that ran last.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// How often it was started.
    pub(super) start: u64,
    pub(super) address: String,
    pub(super) token: String,
}

/// What all clients share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) nodes: watch::Receiver<Vec<Running>>,
    pub(super) order: Order,
    /// Nothing new is begun once it is set.
    pub(super) is_over: Arc<AtomicBool>,
    /// How many families each intake client has handed over.
    pub(super) family_counts: Arc<[AtomicU64]>,
    /// How often something was in the way of the clients, and has gone.
    pub(super) fault_count: Arc<AtomicU64>,
    /// The last of them after which a change was asked for and acknowledged.
    pub(super) survived_count: Arc<watch::Sender<u64>>,
    /// How many leads reps were given.
    pub(super) served_count: Arc<watch::Sender<u64>>,
}

impl Shared {
    /// Waits until two more leads have been served: the first may have been on its way.
    pub(super) async fn await_serve(&self) {
        let mut served = self.served_count.subscribe();
        let before = *served.borrow_and_update();
        let served = served.wait_for(|count| *count >= before + 2).await;
        served.expect("the clients are there");
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

/// Random numbers that a seed gives again: splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

enum Outcome<T> {
    Answered(T),
    /// The node said no, for this reason.
    Refused(String),
    /// The client does not ask again. `is_failed`: each answer was that nothing was changed.
    GivenUp {
        is_failed: bool,
    },
}

/// One client's connection, and what it writes down.
pub(super) struct Line {
    shared: Shared,
    connection: Option<Client>,
    random: Random,
    history: History,
    /// How many faults there had been when the last call was sent.
    asked_after: u64,
}

impl Line {
    pub(super) fn new(shared: Shared, seed: u64) -> Self {
        let history = History::default();
        Self { shared, connection: None, random: Random(seed), history, asked_after: 0 }
    }

    /// Calls until there is an answer; `what` names the call. Of a hundred broken calls, `given_up` are not sent again.
    async fn call<T, Answering>(
        &mut self,
        what: &'static str,
        given_up: u64,
        call: impl Fn(Client) -> Answering,
    ) -> Outcome<T>
    where
        Answering: Future<Output = Result<Response<T>, Status>>,
    {
        let mut is_failed = true;
        loop {
            let client = self.connected().await;
            self.asked_after = self.shared.fault_count.load(Ordering::SeqCst);
            match tokio::time::timeout(CALL_WITHIN, call(client)).await {
                Ok(Ok(answer)) => return Outcome::Answered(answer.into_inner()),
                Ok(Err(status)) if !reason(&status).is_empty() => {
                    let reason = reason(&status);
                    // The disk has no room, or a server is out of reach: later, then, and the same again.
                    let is_put_off =
                        matches!(status.code(), Code::ResourceExhausted | Code::Unavailable);
                    if !is_put_off {
                        return Outcome::Refused(reason);
                    }
                    is_failed &= !UNKNOWN.contains(&reason.as_str());
                    let come_again = status.get_error_details().retry_info().is_some();
                    self.history.put_off.push(PutOff { what, reason, come_again });
                    tokio::time::sleep(PUT_OFF_BY).await;
                }
                Ok(Err(_)) | Err(_) => {
                    is_failed = false;
                    self.connection = None;
                }
            }
            if self.random.below(100) < given_up {
                return Outcome::GivenUp { is_failed };
            }
        }
    }

    /// Waits for a node that answers, any of them. One that did not is not tried again until it was
    /// started anew.
    async fn connected(&mut self) -> Client {
        let mut tried = vec![0; self.shared.nodes.borrow().len()];
        loop {
            if let Some(client) = &self.connection {
                return client.clone();
            }
            let fresh = |nodes: &Vec<Running>| -> Vec<usize> {
                (0..tried.len()).filter(|nth| nodes[*nth].start > tried[*nth]).collect()
            };
            let ready = self.shared.nodes.wait_for(|nodes| !fresh(nodes).is_empty()).await;
            let nodes = ready.expect("the supervisor outlives its clients").clone();
            let fresh = fresh(&nodes);
            let nth = fresh[usize::try_from(self.random.below(fresh.len() as u64)).unwrap()];
            tried[nth] = nodes[nth].start;
            let url = format!("http://{}", nodes[nth].address);
            self.connection = connect(&url, &nodes[nth].token).await.ok();
        }
    }

    /// Goes to another node, or to the same one by another connection, if there is more than one.
    fn move_on(&mut self) {
        if self.shared.nodes.borrow().len() > 1 {
            self.connection = None;
        }
    }

    fn begun(&self) -> Span {
        Span { sent: self.shared.order.next(), answered: None }
    }

    fn answered(&self, span: Span) -> Span {
        let asked_after = self.asked_after;
        self.shared.survived_count.send_if_modified(|survived| {
            let is_news = *survived < asked_after;
            *survived = asked_after.max(*survived);
            is_news
        });
        Span { answered: Some(self.shared.order.next()), ..span }
    }
}

/// A lead in hand.
struct Held {
    hold: usize,
    token: String,
}

/// A rep's program: pulls, touches, and sometimes gives back.
pub(super) async fn rep(id: String, mut line: Line) -> History {
    let mut held = None;
    for nth in 0_u64.. {
        if line.shared.is_over() {
            break;
        }
        if line.random.below(100) < 2 {
            line.move_on();
        }
        held = match held {
            None => pull(&id, nth, &mut line).await,
            Some(held) if line.random.below(100) < 8 => release(&id, nth, held, &mut line).await,
            Some(held) => touch(&id, nth, held, &mut line).await,
        };
    }
    line.history
}

async fn pull(rep: &str, nth: u64, line: &mut Line) -> Option<Held> {
    let request = proto::NextLeadRequest {
        rep_id: rep.to_owned(),
        wait_duration: Some(prost_types::Duration { seconds: 0, nanos: 100_000_000 }),
        request_id: format!("{rep}-pull-{nth}"),
    };
    let span = line.begun();
    let call = |client: Client| {
        let request = request.clone();
        async move { client.reps().next_lead(request).await }
    };
    match line.call("pull", 20, call).await {
        Outcome::Answered(proto::NextLeadResponse { answer: Some(Answer::Served(served)) }) => {
            Some(take(rep, &served, span, line))
        }
        Outcome::Answered(_) | Outcome::GivenUp { .. } => None,
        // What the lost answer had given was suppressed meanwhile.
        Outcome::Refused(reason) if reason == "LEASE_LOST" => None,
        Outcome::Refused(reason) => {
            line.history.refusals.push(format!("pull of {rep}: {reason}"));
            None
        }
    }
}

fn take(rep: &str, served: &proto::ServedLead, span: Span, line: &mut Line) -> Held {
    let lead = served.lead.as_ref().unwrap();
    let callable = lead.numbers.iter().filter(|one| one.stopped_by == 0);
    line.shared.served_count.send_modify(|count| *count += 1);
    line.history.holds.push(Hold {
        rep: rep.to_owned(),
        lead: lead.lead_id.clone(),
        family: family_of(lead),
        numbers: callable.map(|one| one.number.clone()).collect(),
        asked: span.sent,
        since: line.shared.order.next(),
        until: None,
    });
    Held { hold: line.history.holds.len() - 1, token: served.lease_token.clone() }
}

async fn release(rep: &str, nth: u64, held: Held, line: &mut Line) -> Option<Held> {
    let request = proto::ReleaseLeaseRequest {
        rep_id: rep.to_owned(),
        lead: Some(by_id(&line.history.holds[held.hold].lead)),
        lease_token: held.token,
        reason: proto::ReleaseReason::Skipped.into(),
        request_id: format!("{rep}-release-{nth}"),
    };
    line.history.holds[held.hold].until = Some(line.shared.order.next());
    let call = |client: Client| {
        let request = request.clone();
        async move { client.reps().release_lease(request).await }
    };
    match line.call("release", 20, call).await {
        Outcome::Refused(reason) if reason != "LEASE_LOST" => {
            line.history.refusals.push(format!("release of {rep}: {reason}"));
        }
        _ => {}
    }
    None
}

async fn touch(rep: &str, nth: u64, held: Held, line: &mut Line) -> Option<Held> {
    let hold = line.history.holds[held.hold].clone();
    let disposition = match line.random.below(100) {
        0..50 => proto::Disposition::NoAnswer,
        50..85 => proto::Disposition::NotInterested,
        85..97 => proto::Disposition::Sale,
        _ => proto::Disposition::DoNotCall,
    };
    let ended_at = time(SystemClock::start(0).now() - 10);
    let request = proto::RecordTouchRequest {
        rep_id: rep.to_owned(),
        lead: Some(by_id(&hold.lead)),
        touch_id: format!("{rep}-touch-{nth}"),
        lease_token: held.token,
        channel: proto::Channel::Call.into(),
        direction: proto::Direction::Outbound.into(),
        number: hold.numbers.first().cloned().unwrap_or_default(),
        start_time: Some(ended_at),
        end_time: Some(ended_at),
        disposition: disposition.into(),
        then_next: line.random.below(100) < 70,
        ..Default::default()
    };
    let mut span = line.begun();
    line.history.holds[held.hold].until = Some(span.sent);
    let call = |client: Client| {
        let request = request.clone();
        async move { client.reps().record_touch(request).await }
    };
    let (mut is_late, mut next, mut failed) = (false, None, false);
    match line.call("touch", 20, call).await {
        Outcome::Answered(answer) => {
            span = line.answered(span);
            is_late = answer.late;
            next = answer.next;
        }
        Outcome::Refused(reason) => {
            line.history.refusals.push(format!("touch of {rep}: {reason}"));
        }
        Outcome::GivenUp { is_failed } => failed = is_failed,
    }
    let (id, lead, family) = (request.touch_id, hold.lead, hold.family);
    let touch = TouchSent { id, lead, family, span, is_late, is_failed: failed };
    line.history.touches.push(touch);
    if disposition == proto::Disposition::DoNotCall {
        let numbers = hold.numbers;
        line.history.suppressions.push(SuppressionSent { family, numbers, span });
    }
    match next {
        Some(Next::NextServed(served)) => Some(take(rep, &served, span, line)),
        _ => None,
    }
}

/// Marketing: hands leads over all the time, and one in ten once more.
pub(super) async fn intake(client_nth: u64, mut line: Line) -> History {
    let mut handed_over = 0;
    for nth in 0_u64.. {
        if line.shared.is_over() {
            break;
        }
        let is_again = handed_over > 0 && line.random.below(100) < 10;
        let which = if is_again { line.random.below(handed_over) } else { handed_over };
        handed_over += u64::from(!is_again);
        let family = client_nth * FAMILY_COUNT_MAX + which / FAMILY_SIZE;
        let lead = member(family, which % FAMILY_SIZE);
        let request = proto::UpsertLeadRequest {
            lead: Some(lead.clone()),
            request_id: format!("intake-{client_nth}-{nth}"),
        };
        let mut span = line.begun();
        let call = |client: Client| {
            let request = request.clone();
            async move { client.intake().upsert_lead(request).await }
        };
        let (mut lead_id, mut failed) = (None, false);
        match line.call("handover", 30, call).await {
            Outcome::Answered(answer) => {
                span = line.answered(span);
                lead_id = Some(answer.result.unwrap().lead_id);
            }
            Outcome::Refused(reason) => line.history.refusals.push(format!("handover: {reason}")),
            Outcome::GivenUp { is_failed } => failed = is_failed,
        }
        let handover = HandoverSent { is_failed: failed, ..sent(lead, span, lead_id) };
        line.history.handovers.push(handover);
        let family_count = &line.shared.family_counts[usize::try_from(client_nth).unwrap()];
        family_count.store(handed_over / FAMILY_SIZE, Ordering::SeqCst);
    }
    line.history
}

pub(super) fn sent(lead: proto::Lead, span: Span, lead_id: Option<String>) -> HandoverSent {
    HandoverSent {
        external_id: lead.handover_key.unwrap().external_id,
        numbers: lead.numbers.into_iter().map(|one| one.number).collect(),
        span,
        lead: lead_id,
        is_failed: false,
    }
}

/// Rows of a batch.
const BATCH_LENGTH: usize = 5_000;

/// Imports so many families at once, in whole batches, before anything is killed: work enough for
/// all reps from the beginning.
pub(super) async fn stock(client_nth: u64, family_count: u64, mut line: Line) -> History {
    let first = client_nth * FAMILY_COUNT_MAX;
    let families = first..first + family_count;
    let leads = families.flat_map(|family| (0..FAMILY_SIZE).map(move |nth| member(family, nth)));
    let leads: Vec<_> = leads.collect();
    let batches = leads.chunks(BATCH_LENGTH).zip(1..).map(|(leads, batch_number)| {
        let rows = leads.iter().cloned().zip(1..);
        let rows = rows.map(|(lead, row_number)| proto::ImportRow { row_number, lead: Some(lead) });
        proto::ImportLeadsRequest { batch_number, rows: rows.collect(), ..Default::default() }
    });
    let batches: Vec<_> = batches.collect();
    let client = line.connected().await;
    let span = line.begun();
    let answers = client.intake().import_leads(tokio_stream::iter(batches)).await;
    let mut answers = answers.unwrap().into_inner();
    let mut lead_ids = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        lead_ids.extend(answer.rows.into_iter().map(|row| match row.result.unwrap() {
            proto::import_row_result::Result::Taken(taken) => taken.lead_id,
            other => panic!("{other:?}"),
        }));
    }
    let span = line.answered(span);
    assert_eq!(lead_ids.len(), leads.len());
    let rows = leads.into_iter().zip(lead_ids);
    line.history.handovers = rows.map(|(lead, id)| sent(lead, span, Some(id))).collect();
    line.shared.family_counts[usize::try_from(client_nth).unwrap()]
        .store(family_count, Ordering::SeqCst);
    line.history
}

/// Suppresses, many times a second, a number of one of the families that came last.
pub(super) async fn suppressor(mut line: Line) -> History {
    let mut turns = tokio::time::interval(Duration::from_millis(25));
    for nth in 0_u64.. {
        turns.tick().await;
        if line.shared.is_over() {
            break;
        }
        let client_nth = line.random.below(line.shared.family_counts.len() as u64);
        let family_counts = &line.shared.family_counts;
        let count = family_counts[usize::try_from(client_nth).unwrap()].load(Ordering::SeqCst);
        let family = client_nth * FAMILY_COUNT_MAX + count.saturating_sub(line.random.below(50));
        let number = number(family, line.random.below(3));
        let request = proto::SuppressContactRequest {
            contact: Some(Contact::Number(number.clone())),
            source: "letter".into(),
            request_id: format!("suppress-{nth}"),
            ..Default::default()
        };
        let mut span = line.begun();
        let call = |client: Client| {
            let request = request.clone();
            async move { client.intake().suppress_contact(request).await }
        };
        match line.call("suppression", 0, call).await {
            Outcome::Answered(_) => span = line.answered(span),
            Outcome::Refused(reason) => line.history.refusals.push(format!("stop: {reason}")),
            Outcome::GivenUp { .. } => {}
        }
        let numbers = vec![number];
        line.history.suppressions.push(SuppressionSent { family, numbers, span });
    }
    line.history
}

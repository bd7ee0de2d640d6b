//! A client's line to the nodes: a connection of its own; when it breaks the client waits for a node to
//! be back and sends the same request again, or gives up, as a program does that dies as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nextlead::api::client::{Client, connect};
use tokio::sync::watch;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

use super::history::{History, Order, PutOff, Span};
use crate::support::reason;

/// How long a client waits that is told to come again.
const PUT_OFF_BY: Duration = Duration::from_millis(20);
/// How long a client waits for an answer before it asks anew, another node maybe: one that stands still
/// answers nobody.
const CALL_WITHIN: Duration = Duration::from_secs(3);
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
        self.await_serves(2).await;
    }

    /// Waits until so many more leads have been served.
    pub(super) async fn await_serves(&self, more: u64) {
        let mut served = self.served_count.subscribe();
        let before = *served.borrow_and_update();
        let served = served.wait_for(|count| *count >= before + more).await;
        served.expect("the clients are there");
    }

    pub(super) fn is_over(&self) -> bool {
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

pub(super) enum Outcome<T> {
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
    pub(super) shared: Shared,
    connection: Option<Client>,
    pub(super) random: Random,
    pub(super) history: History,
    /// How many faults there had been when the last call was sent.
    asked_after: u64,
}

impl Line {
    pub(super) fn new(shared: Shared, seed: u64) -> Self {
        let history = History::default();
        Self { shared, connection: None, random: Random(seed), history, asked_after: 0 }
    }

    /// Calls until there is an answer; `what` names the call. Of a hundred broken calls, `given_up` are not sent again.
    pub(super) async fn call<T, Answering>(
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
    pub(super) async fn connected(&mut self) -> Client {
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
    pub(super) fn move_on(&mut self) {
        if self.shared.nodes.borrow().len() > 1 {
            self.connection = None;
        }
    }

    pub(super) fn begun(&self) -> Span {
        Span { sent: self.shared.order.next(), answered: None }
    }

    pub(super) fn answered(&self, span: Span) -> Span {
        let asked_after = self.asked_after;
        self.shared.survived_count.send_if_modified(|survived| {
            let is_news = *survived < asked_after;
            *survived = asked_after.max(*survived);
            is_news
        });
        Span { answered: Some(self.shared.order.next()), ..span }
    }
}

//! Does the time that a refusal takes tell anything about the token, or about what was asked for? And
//! what does it cost to ask who calls?
//!
//! Each kind of call is made once a round, in an order that changes with every round, so that whatever
//! the machine does meanwhile, and whatever call went before, hits all alike; told are medians, and how far they are from a wrong token's. Another wrong token shows
//! how much of that is noise.
//!
//! `cargo bench --bench access`; less of all with `--quick`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use nextlead::api::front::Limits;
use nextlead::api::proto;
use nextlead::auth::{Caller, MakeToken};
use nextlead::clock::ManualClock;
use nextlead::domain::{RepId, Role};
use nextlead::node::{Node, Options, Sweeping};
use proto::intake_service_client::IntakeServiceClient;
use proto::queue_service_client::QueueServiceClient;
use proto::rep_service_client::RepServiceClient;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

const NOW: i64 = 1_795_435_200_000;
const DAY_MS: i64 = 86_400_000;
const EXPLAIN: &str = "/nextlead.v1.QueueService/ExplainLead";
/// How many bytes of its hash a wrong token shares with one that is live.
const SHARED_COUNT: usize = 3;

/// How much is measured.
struct Scale {
    token_count: usize,
    /// In the process: rounds, and calls a round.
    rounds: usize,
    round_calls: usize,
    /// Over the network: calls of each kind.
    calls: usize,
}

#[derive(Clone)]
struct Kind {
    name: &'static str,
    header: Option<String>,
    asks: Asks,
}

#[derive(Clone, Copy, PartialEq)]
enum Asks {
    /// A manager's method, about a lead that is there.
    There,
    /// The same, about one that is not.
    NotThere,
    /// A rep's method, about a lead of another queue.
    TheirsByRep,
    /// The same, about one that is not.
    NobodysByRep,
}

fn admin() -> Caller {
    Caller { name: "admin".into(), role: Role::Admin, rep: None }
}

async fn make(node: &Node, role: Role, lifetime_ms: i64) -> (nextlead::domain::TokenId, String) {
    let make = MakeToken {
        name: "bench".into(),
        role,
        rep: (role == Role::Rep).then(|| RepId::new("ann").expect("an id")),
        expires_at: NOW + lifetime_ms,
        now: NOW,
        request: None,
    };
    let made = node.access().make_token(&admin(), make).await.expect("a token");
    let text = made.text.expect("a new token has a text").reveal().to_owned();
    (made.token.id, text)
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A text that is no token, but whose hash begins like a live one's.
fn near_miss(live: &[[u8; 32]]) -> String {
    let begin = |hash: &[u8; 32]| hash[..SHARED_COUNT].to_vec();
    let begins: std::collections::HashSet<_> = live.iter().map(begin).collect();
    let texts = (0_u64..).map(|nth| format!("nl_{nth:064x}"));
    let mut near = texts.filter(|text| begins.contains(&begin(&hash(text))));
    near.next().expect("one of so many")
}

async fn kinds(node: &Node, clock: &ManualClock, scale: &Scale) -> Vec<Kind> {
    let mut live = Vec::new();
    for _ in 0..scale.token_count {
        live.push(hash(&make(node, Role::Intake, DAY_MS).await.1));
    }
    let (_, manager) = make(node, Role::Manager, DAY_MS).await;
    let (_, rep) = make(node, Role::Rep, DAY_MS).await;
    let (revoked_id, revoked) = make(node, Role::Admin, DAY_MS).await;
    node.access().revoke_token(&admin(), revoked_id, NOW).await.expect("revoked");
    // Nobody sweeps, so it is still in the table.
    let (_, expired) = make(node, Role::Admin, 1).await;
    clock.advance(1);
    let near = near_miss(&live);
    let mut last_digit = manager.clone();
    let last = if last_digit.pop() == Some('0') { '1' } else { '0' };
    last_digit.push(last);
    let kind = |name, text: &str, asks| Kind { name, header: Some(format!("Bearer {text}")), asks };
    let wrong = |digit: &str| format!("nl_{}", digit.repeat(64));
    vec![
        kind("wrong token", &wrong("7"), Asks::There),
        kind("another wrong token", &wrong("8"), Asks::There),
        Kind { name: "no token", header: None, asks: Asks::There },
        kind("wrong token, no such lead", &wrong("7"), Asks::NotThere),
        kind("all but its last digit right", &last_digit, Asks::There),
        kind("its hash begins like a live one's", &near, Asks::There),
        kind("revoked", &revoked, Asks::There),
        kind("expired, not yet swept", &expired, Asks::There),
        kind("wrong role, the lead is there", &rep, Asks::There),
        kind("wrong role, no such lead", &rep, Asks::NotThere),
        kind("a rep asks for another queue's lead", &rep, Asks::TheirsByRep),
        kind("a rep asks for no lead", &rep, Asks::NobodysByRep),
        kind("the right token", &manager, Asks::There),
    ]
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn clock() -> Instant {
    Instant::now()
}

/// The numbers below `count`, in an order of each round's own.
fn shuffled(count: usize, round: usize) -> Vec<usize> {
    let place = |nth: usize| {
        let digest = Sha256::digest((round * count + nth).to_le_bytes());
        digest.iter().take(8).copied().collect::<Vec<u8>>()
    };
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_cached_key(|nth| place(*nth));
    order
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Medians, and how far they are from the first kind's: over blocks of the samples, so that the spread
/// between blocks tells how sure that is.
fn print(title: &str, unit: &str, kinds: &[&Kind], samples: &[Vec<f64>]) {
    const BLOCK_COUNT: usize = 20;
    println!("\n{title}");
    println!("{:38} {:>12} {:>24}", "", format!("median {unit}"), "from a wrong token");
    let block = samples[0].len() / BLOCK_COUNT;
    for (kind, of_kind) in kinds.iter().zip(samples) {
        let differences: Vec<f64> = (0..BLOCK_COUNT)
            .map(|nth| {
                let part = nth * block..(nth + 1) * block;
                median(&mut of_kind[part.clone()].to_vec()) - median(&mut samples[0][part].to_vec())
            })
            .collect();
        let mean = differences.iter().sum::<f64>() / BLOCK_COUNT as f64;
        let squares = differences.iter().map(|one| (one - mean).powi(2)).sum::<f64>();
        let error = (squares / (BLOCK_COUNT - 1) as f64 / BLOCK_COUNT as f64).sqrt();
        let whole = median(&mut of_kind.clone());
        println!("{:38} {whole:12.1} {mean:+15.1} ± {:.1}", kind.name, 2.0 * error);
    }
}

/// The question alone, in this process.
fn in_process(node: &Node, kinds: &[Kind], scale: &Scale) {
    let asked: Vec<&Kind> = kinds.iter().filter(|kind| matches!(kind.asks, Asks::There)).collect();
    let mut samples = vec![Vec::with_capacity(scale.rounds); asked.len()];
    for round in 0..scale.rounds {
        for nth in shuffled(asked.len(), round) {
            let header = asked[nth].header.as_deref().map(str::as_bytes);
            let started = clock();
            for _ in 0..scale.round_calls {
                let _ = black_box(node.access().authorize(black_box(header), EXPLAIN, NOW + 1));
            }
            let ns = started.elapsed().as_nanos() as f64;
            samples[nth].push(ns / scale.round_calls as f64);
        }
    }
    let title = format!("who calls, in the process, {} tokens", scale.token_count);
    print(&title, "ns", &asked, &samples);
}

fn signed<T>(message: T, kind: &Kind) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(header) = &kind.header {
        let value = header.parse().expect("a header");
        request.metadata_mut().insert("authorization", value);
    }
    request
}

fn lead_ref(id: &str) -> Option<proto::LeadRef> {
    Some(proto::LeadRef { name: Some(proto::lead_ref::Name::LeadId(id.into())) })
}

async fn ask(channel: &Channel, kind: &Kind, lead: &str) {
    let id = match kind.asks {
        Asks::There | Asks::TheirsByRep => lead,
        Asks::NotThere | Asks::NobodysByRep => "9",
    };
    match kind.asks {
        Asks::There | Asks::NotThere => {
            let message = proto::ExplainLeadRequest { lead: lead_ref(id), ..Default::default() };
            let mut queues = QueueServiceClient::new(channel.clone());
            let _ = black_box(queues.explain_lead(signed(message, kind)).await);
        }
        Asks::TheirsByRep | Asks::NobodysByRep => {
            let message = proto::ReleaseLeaseRequest {
                lead: lead_ref(id),
                lease_token: "00112233445566778899aabbccddeeff".into(),
                reason: proto::ReleaseReason::Skipped.into(),
                skip_reason: proto::SkipReason::NoTime.into(),
                ..Default::default()
            };
            let mut reps = RepServiceClient::new(channel.clone());
            let _ = black_box(reps.release_lease(signed(message, kind)).await);
        }
    }
}

/// Whole calls, as somebody outside would time them.
async fn over_the_network(channel: &Channel, lead: &str, kinds: &[Kind], scale: &Scale) {
    let mut samples = vec![Vec::with_capacity(scale.calls); kinds.len()];
    for round in 0..scale.calls + 100 {
        for nth in shuffled(kinds.len(), round) {
            let started = clock();
            ask(channel, &kinds[nth], lead).await;
            // The first calls are slower whatever they ask for.
            if round >= 100 {
                samples[nth].push(started.elapsed().as_nanos() as f64 / 1_000.0);
            }
        }
    }
    let title = format!("calls over the network, {} of each kind", scale.calls);
    print(&title, "µs", &kinds.iter().collect::<Vec<_>>(), &samples);
}

/// Queues `sales` and `service`, rep `ann` in the first, and a lead in the second.
async fn set_up(node: &Node, channel: &Channel) -> String {
    let text = std::fs::read_to_string(&node.token_file).expect("a token");
    let header = Some(format!("Bearer {}", text.trim()));
    let by_admin = Kind { name: "admin", header, asks: Asks::There };
    let mut queues = QueueServiceClient::new(channel.clone());
    for id in ["sales", "service"] {
        let queue = proto::Queue {
            queue_id: id.into(),
            time_zone: "UTC".into(),
            hours: "always".into(),
            calling_law: proto::CallingLaw::Exempt.into(),
            ..Default::default()
        };
        let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
        queues.upsert_queue(signed(request, &by_admin)).await.expect("a queue");
    }
    let rep = proto::Rep { rep_id: "ann".into(), queue_id: "sales".into(), ..Default::default() };
    let request = proto::UpsertRepRequest { rep: Some(rep), ..Default::default() };
    queues.upsert_rep(signed(request, &by_admin)).await.expect("a rep");
    let (campaign_id, queue_id) = ("help".to_owned(), "service".to_owned());
    let campaign = proto::Campaign { campaign_id, queue_id, ..Default::default() };
    let request = proto::UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
    let mut intake = IntakeServiceClient::new(channel.clone());
    intake.upsert_campaign(signed(request, &by_admin)).await.expect("a campaign");
    let key = proto::HandoverKey {
        source_system: "crm".into(),
        external_id: "1".into(),
        campaign_id: "help".into(),
    };
    let number = proto::LeadNumber { number: "+12025550101".into(), ..Default::default() };
    let lead = proto::Lead { handover_key: Some(key), numbers: vec![number], ..Default::default() };
    let request = proto::UpsertLeadRequest { lead: Some(lead), ..Default::default() };
    let answer = intake.upsert_lead(signed(request, &by_admin)).await.expect("a lead");
    answer.into_inner().result.expect("a result").lead_id
}

async fn run(folder: &Path, scale: &Scale) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let clock = ManualClock::at(NOW);
    let options = Options {
        clock: Some(Arc::new(clock.clone())),
        sweeping: Sweeping::ByHand,
        // The front holds back who guesses; what is asked here is what the gate alone tells.
        limits: Limits { guess_count_max: u32::MAX, guess_row_max: u32::MAX, ..Limits::default() },
        ..Options::new(folder.join("nextlead.db"), listener)
    };
    let node = Node::start(options).await.expect("a node");
    let endpoint = Endpoint::from_shared(format!("http://{}", node.address)).expect("a URL");
    let channel = endpoint.tcp_nodelay(true).connect().await.expect("a connection");
    let lead = set_up(&node, &channel).await;
    let kinds = kinds(&node, &clock, scale).await;
    in_process(&node, &kinds, scale);
    over_the_network(&channel, &lead, &kinds, scale).await;
    drop(channel);
    node.stop().await.expect("it stops");
}

fn main() {
    let is_quick = std::env::args().any(|one| one == "--quick" || one == "--test");
    let scale = match is_quick {
        true => Scale { token_count: 50, rounds: 40, round_calls: 100, calls: 40 },
        false => Scale { token_count: 1_000, rounds: 1_000, round_calls: 100, calls: 2_000 },
    };
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run(folder.path(), &scale));
}

//! What does the door cost: TLS, a token a rep and the limits, against plain text without limits?
//!
//! Two nodes, each on a thread and a runtime of its own as `serve` has it, with the same leads; the
//! clients run here and turn from one node to the other and back, so that both see the same machine.
//! One connection: how long a pull takes (with its commit), and one that gets the same lead again and
//! commits nothing. Sixteen:
//! cycles (a touch and the next lead in one call) a second.
//!
//! `cargo bench --bench front -- 10` for ten rounds; three without a number, one with `--quick`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use hdrhistogram::Histogram;
use nextlead::api::client::{Client, ClientTls, connect_with};
use nextlead::api::front::{Deadlines, FrameLimits, Limits, TlsFiles, Transport};
use nextlead::api::proto::{
    CallingLaw, Campaign, Channel, CreateTokenRequest, Direction, Disposition, HandoverKey,
    ImportLeadsRequest, ImportRow, Lead, LeadNumber, LeadRef, NextLeadRequest, Queue,
    RecordTouchRequest, ReleaseLeaseRequest, ReleaseReason, Rep, Role, ServedLead, SkipReason,
    UpsertCampaignRequest, UpsertQueueRequest, UpsertRepRequest, create_token_request, lead_ref,
    next_lead_response, record_touch_response,
};
use nextlead::node::{Node, Options};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const REP_COUNT: usize = 16;
const BATCH_ROW_COUNT: usize = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.iter().find_map(|argument| argument.parse().ok());
    let is_quick = arguments.iter().any(|argument| argument == "--quick" || argument == "--test");
    let round_count: usize = wanted.unwrap_or(if is_quick { 1 } else { 3 });
    let (window, lead_count) = match is_quick {
        true => (Duration::from_millis(300), 20_000),
        false => (Duration::from_secs(2), round_count * 20_000 + 20_000),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(measure(round_count, window, lead_count));
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn clock() -> Instant {
    Instant::now()
}

async fn measure(round_count: usize, window: Duration, lead_count: usize) {
    let mut plain = Side::open(false, lead_count).await;
    let mut guarded = Side::open(true, lead_count).await;
    for _ in 0..round_count {
        for side in [&mut plain, &mut guarded] {
            side.alone(window).await;
            side.together(window).await;
        }
    }
    println!("                       plain, no limits    TLS, tokens, limits    ratio");
    let row = |what: &str, one: f64, other: f64, unit: &str| {
        println!("{what:<22} {one:>12.0} {unit:<6} {other:>12.0} {unit:<6} {:>10.2}", other / one);
    };
    for (what, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        let of = |side: &Side| side.pulls.value_at_quantile(quantile) as f64;
        row(&format!("pull, {what}"), of(&plain), of(&guarded), "µs");
        let of = |side: &Side| side.looks.value_at_quantile(quantile) as f64;
        row(&format!("pull again, no commit, {what}"), of(&plain), of(&guarded), "µs");
    }
    row("cycles", plain.cycles_a_second(), guarded.cycles_a_second(), "a s");
    for side in [plain, guarded] {
        side.close().await;
    }
}

/// One node, its reps, and what was measured of them.
struct Side {
    reps: Vec<RepClient>,
    pulls: Histogram<u64>,
    looks: Histogram<u64>,
    cycle_count: u64,
    seconds: f64,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

struct RepClient {
    id: String,
    client: Client,
    held: Option<ServedLead>,
    touch_count: u64,
}

/// As little as can be switched off.
fn none() -> Limits {
    let for_ever = Duration::from_secs(1_000_000);
    Limits {
        stream_count_max: 10_000,
        address_connection_count_max: 20_000,
        call_count_max: 1_000_000,
        call_count_reserved: 0,
        token_call_count_max: 1_000_000,
        deadlines: Deadlines {
            keepalive_every: for_ever,
            idle_within: for_ever,
            ..Default::default()
        },
        frames: FrameLimits {
            idle_burst: u32::MAX,
            reset_burst: u32::MAX,
            settings_burst: u32::MAX,
            ..Default::default()
        },
        ..Limits::default()
    }
}

fn serve(
    store: PathBuf,
    tls: Transport,
    limits: Limits,
    ready: oneshot::Sender<(String, String)>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let options = Options { tls, limits, ..Options::new(store, listener) };
        let node = Node::start(options).await.expect("a node");
        let token = std::fs::read_to_string(&node.token_file).expect("a token");
        ready.send((node.address.to_string(), token.trim().to_owned())).expect("a bench");
        let shutdown = async { drop(stopped.await) };
        node.run_until(shutdown).await.expect("the node stops in order");
    });
}

impl Side {
    async fn open(is_guarded: bool, lead_count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a pair");
        let certificate = folder.path().join("node.crt");
        let key = folder.path().join("node.key");
        std::fs::write(&certificate, made.cert.pem()).expect("a file");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
        let files = TlsFiles { certificate, key, client_issuers: None };
        let (scheme, transport, limits) = match is_guarded {
            true => ("https", Transport::Tls(files), Limits::default()),
            false => ("http", Transport::Loopback, none()),
        };
        let trust = ClientTls { issuers: Some(made.cert.pem().into_bytes()), identity: None };
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let store = folder.path().join("nextlead.db");
        let thread = std::thread::spawn(move || serve(store, transport, limits, ready, stopped));
        let (address, admin_token) = is_ready.await.expect("a node");
        let url = format!("{scheme}://{address}");
        let admin = connect_with(&url, &admin_token, &trust).await.expect("a connection");
        set_up(&admin, lead_count).await;
        let mut reps = Vec::new();
        for nth in 0..REP_COUNT {
            let id = format!("rep-{nth}");
            let token = rep_token(&admin, &id).await;
            let token = if is_guarded { &token } else { &admin_token };
            let client = connect_with(&url, token, &trust).await.expect("a connection");
            reps.push(RepClient { id, client, held: None, touch_count: 0 });
        }
        let histogram =
            || Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are fixed");
        let (pulls, looks) = (histogram(), histogram());
        Self { reps, pulls, looks, cycle_count: 0, seconds: 0.0, stop, thread, _folder: folder }
    }

    /// One rep alone: pulls, and calls that commit nothing.
    async fn alone(&mut self, window: Duration) {
        let begun = clock();
        let rep = &mut self.reps[0];
        while begun.elapsed() < window {
            let asked = clock();
            rep.pull().await;
            self.pulls.saturating_record(micros(asked));
            // The rep holds it already: the same again, and nothing to commit.
            let asked = clock();
            rep.pull().await;
            self.looks.saturating_record(micros(asked));
            rep.release().await;
        }
    }

    /// All reps at once: cycles.
    async fn together(&mut self, window: Duration) {
        join_all(self.reps.iter_mut().map(RepClient::pull)).await;
        let begun = clock();
        let cycles = self.reps.iter_mut().map(|rep| async move {
            let mut count = 0;
            while begun.elapsed() < window {
                rep.cycle().await;
                count += 1;
            }
            count
        });
        self.cycle_count += join_all(cycles).await.into_iter().sum::<u64>();
        self.seconds += begun.elapsed().as_secs_f64();
        join_all(self.reps.iter_mut().map(RepClient::release)).await;
    }

    fn cycles_a_second(&self) -> f64 {
        self.cycle_count as f64 / self.seconds
    }

    async fn close(self) {
        drop(self.reps);
        self.stop.send(()).expect("the node runs");
        let ended = tokio::task::spawn_blocking(|| self.thread.join());
        ended.await.expect("a thread").expect("the node stops");
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl RepClient {
    async fn pull(&mut self) {
        let request = NextLeadRequest { rep_id: self.id.clone(), ..Default::default() };
        let answer = self.client.reps().next_lead(request).await.expect("an answer").into_inner();
        let Some(next_lead_response::Answer::Served(served)) = answer.answer else {
            panic!("the leads are used up: make more for so many rounds")
        };
        self.held = Some(served);
    }

    async fn release(&mut self) {
        let served = self.held.take().expect("a lead");
        let request = ReleaseLeaseRequest {
            rep_id: self.id.clone(),
            lead: Some(by_id(&served)),
            lease_token: served.lease_token,
            reason: ReleaseReason::Skipped.into(),
            skip_reason: SkipReason::NoTime.into(),
            ..Default::default()
        };
        self.client.reps().release_lease(request).await.expect("an answer");
    }

    async fn cycle(&mut self) {
        let served = self.held.take().expect("a lead");
        self.touch_count += 1;
        let request = RecordTouchRequest {
            rep_id: self.id.clone(),
            touch_id: format!("{}-{}", self.id, self.touch_count),
            lead: Some(by_id(&served)),
            channel: Channel::Call.into(),
            direction: Direction::Outbound.into(),
            number: served.lead.expect("a lead").numbers[0].number.clone(),
            lease_token: served.lease_token,
            start_time: Some(now()),
            end_time: Some(now()),
            disposition: Disposition::Sale.into(),
            then_next: true,
            ..Default::default()
        };
        let answer = self.client.reps().record_touch(request).await.expect("an answer");
        let Some(record_touch_response::Next::NextServed(next)) = answer.into_inner().next else {
            panic!("the leads are used up: make more for so many rounds")
        };
        self.held = Some(next);
    }
}

fn by_id(served: &ServedLead) -> LeadRef {
    let lead_id = served.lead.as_ref().expect("a lead").lead_id.clone();
    LeadRef { name: Some(lead_ref::Name::LeadId(lead_id)) }
}

#[expect(clippy::disallowed_methods, reason = "a client tells the time by its own clock")]
fn now() -> prost_types::Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let seconds = i64::try_from(since.as_secs()).expect("it is before the sun goes out");
    // A touch that ends ahead of the node's clock is set right; one a second ago needs nothing.
    prost_types::Timestamp { seconds: seconds - 1, nanos: 0 }
}

async fn rep_token(admin: &Client, rep_id: &str) -> String {
    let lifetime = prost_types::Duration { seconds: 3_600, nanos: 0 };
    let request = CreateTokenRequest {
        name: rep_id.to_owned(),
        role: Role::Rep.into(),
        rep_id: rep_id.to_owned(),
        validity: Some(create_token_request::Validity::LifetimeDuration(lifetime)),
        ..Default::default()
    };
    admin.admin().create_token(request).await.expect("a token").into_inner().token_text
}

async fn set_up(admin: &Client, lead_count: usize) {
    let queue = Queue {
        queue_id: "sales".to_owned(),
        time_zone: "UTC".to_owned(),
        hours: "always".to_owned(),
        calling_law: CallingLaw::Exempt.into(),
        ..Default::default()
    };
    let request = UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    admin.queues().upsert_queue(request).await.expect("a queue");
    let campaign = Campaign {
        campaign_id: "spring".to_owned(),
        queue_id: "sales".to_owned(),
        ..Default::default()
    };
    let request = UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
    admin.intake().upsert_campaign(request).await.expect("a campaign");
    for nth in 0..REP_COUNT {
        let (rep_id, queue_id) = (format!("rep-{nth}"), "sales".to_owned());
        let rep = Some(Rep { rep_id, queue_id, ..Default::default() });
        let request = UpsertRepRequest { rep, ..Default::default() };
        admin.queues().upsert_rep(request).await.expect("a rep");
    }
    let firsts: Vec<usize> = (0..lead_count).step_by(BATCH_ROW_COUNT).collect();
    let batches = firsts.into_iter().map(move |first| {
        let rows = first..(first + BATCH_ROW_COUNT).min(lead_count);
        let rows = rows.map(|nth| ImportRow { row_number: nth as i64, lead: Some(lead(nth)) });
        ImportLeadsRequest {
            batch_number: first as i64,
            rows: rows.collect(),
            validate_only: false,
        }
    });
    let answers = admin.intake().import_leads(tokio_stream::iter(batches)).await;
    let mut answers = answers.expect("an import").into_inner();
    while answers.message().await.expect("an answer").is_some() {}
}

fn lead(nth: usize) -> Lead {
    let key = HandoverKey {
        source_system: "crm".to_owned(),
        external_id: nth.to_string(),
        campaign_id: "spring".to_owned(),
    };
    let number = format!("+1{}", 2_125_000_000 + nth);
    Lead {
        handover_key: Some(key),
        name: format!("Lead {nth}"),
        numbers: vec![LeadNumber { number, ..Default::default() }],
        time_zone: "America/New_York".to_owned(),
        source: "web".to_owned(),
        ..Default::default()
    }
}

//! How long after its handover has a rep who waits the lead in hand, beside a million leads in line that
//! are not for them?
//!
//! Through gRPC, over SQLite, with a node on a thread of its own. The rep waits in `NextLead`; marketing
//! hands one lead over. Measured are the handover's own call (it ends with its commit), the time from its
//! answer to the rep's, and, in the same run, a pull that finds its lead in line: it commits as much and
//! waits for nothing. The budget for the wait is one commit and two milliseconds.
//!
//! `cargo bench --bench handover -- 1000000`; 100,000 leads without a number, 10,000 with `--quick`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use nextlead::api::client::{Client, connect_with};
use nextlead::api::proto::{
    CallingLaw, Campaign, Channel, Direction, Disposition, HandoverKey, ImportLeadsRequest,
    ImportRow, Lead, LeadNumber, LeadRef, NextLeadRequest, NextLeadResponse, Queue,
    RecordTouchRequest, Rep, ServedLead, UpsertCampaignRequest, UpsertLeadRequest,
    UpsertQueueRequest, UpsertRepRequest, lead_ref, next_lead_response,
};
use nextlead::node::{Node, Options};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const BATCH_ROW_COUNT: usize = 10_000;
const REP: &str = "ann";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.iter().find_map(|argument| argument.parse().ok());
    let is_quick = arguments.iter().any(|argument| argument == "--quick" || argument == "--test");
    let lead_count = wanted.unwrap_or(if is_quick { 10_000 } else { 100_000 });
    let handover_count = if is_quick { 50 } else { 1_000 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(measure(lead_count, handover_count));
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn clock() -> Instant {
    Instant::now()
}

/// A node on a thread of its own, and whoever calls it.
struct Bench {
    admin: Client,
    rep: Client,
    touch_count: usize,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

fn serve(store: PathBuf, ready: oneshot::Sender<(String, String)>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let node = Node::start(Options::new(store, listener)).await.expect("a node");
        let token = std::fs::read_to_string(&node.token_file).expect("a token");
        ready.send((node.address.to_string(), token.trim().to_owned())).expect("a bench");
        let shutdown = async { drop(stopped.await) };
        node.run_until(shutdown).await.expect("the node stops in order");
    });
}

async fn measure(lead_count: usize, handover_count: usize) {
    let mut bench = Bench::open(lead_count).await;
    let mut times = [(); 3].map(|()| Histogram::<u64>::new(3).expect("fixed bounds"));
    for nth in 0..handover_count {
        for (times, micros) in times.iter_mut().zip(bench.one(lead_count + nth).await) {
            times.record(micros).expect("a time");
        }
    }
    println!("{lead_count} leads in line, {handover_count} handovers      p50       p99");
    let names = ["handover, to its answer", "from there to the rep", "a pull that does not wait"];
    for (name, times) in names.iter().zip(&times) {
        let [p50, p99] = [0.5, 0.99].map(|at| times.value_at_quantile(at));
        println!("{name:<34} {p50:>9} µs {p99:>6} µs");
    }
    let [_, wait, pull] = times.map(|times| times.value_at_quantile(0.5) as f64);
    println!(
        "the wait is a pull (with its commit) and {:.2} ms, at the median",
        (wait - pull) / 1e3
    );
    bench.close().await;
}

impl Bench {
    async fn open(lead_count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let store = folder.path().join("nextlead.db");
        let thread = std::thread::spawn(move || serve(store, ready, stopped));
        let (address, token) = is_ready.await.expect("a node");
        let url = format!("http://{address}");
        let connect = || async {
            connect_with(&url, &token, &Default::default()).await.expect("a connection")
        };
        let (admin, rep) = (connect().await, connect().await);
        set_up(&admin, lead_count).await;
        Self { admin, rep, touch_count: 0, stop, thread, _folder: folder }
    }

    /// One handover to a rep who waits: how long its call took, how long from its answer to the rep's, and
    /// how long a pull takes that finds the lead there; in microseconds.
    async fn one(&mut self, nth: usize) -> [u64; 3] {
        let waiting = tokio::spawn(pull(self.rep.clone(), Some(30)));
        // Long enough for the pull to be there, to look in vain and to wait.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let begun = clock();
        self.hand_over(2 * nth).await;
        let handed_over = clock();
        let (served, served_at) = waiting.await.expect("a task");
        // The rep may have the lead before marketing has its answer.
        let wait = served_at.saturating_duration_since(handed_over);
        self.touch(served.expect("the lead")).await;
        self.hand_over(2 * nth + 1).await;
        let asked = clock();
        let (served, pulled_at) = pull(self.rep.clone(), None).await;
        self.touch(served.expect("the other lead")).await;
        [handed_over - begun, wait, pulled_at - asked].map(micros)
    }

    async fn hand_over(&self, nth: usize) {
        let lead = Some(lead(nth, "hot"));
        let request = UpsertLeadRequest { lead, ..Default::default() };
        self.admin.intake().upsert_lead(request).await.expect("a handover");
    }

    async fn touch(&mut self, served: ServedLead) {
        self.touch_count += 1;
        let request = RecordTouchRequest {
            rep_id: REP.to_owned(),
            touch_id: format!("touch-{}", self.touch_count),
            lead: Some(by_id(&served)),
            channel: Channel::Call.into(),
            direction: Direction::Outbound.into(),
            number: served.lead.expect("a lead").numbers[0].number.clone(),
            lease_token: served.lease_token,
            start_time: Some(now()),
            end_time: Some(now()),
            disposition: Disposition::Sale.into(),
            ..Default::default()
        };
        self.rep.reps().record_touch(request).await.expect("an answer");
    }

    async fn close(self) {
        drop((self.admin, self.rep));
        self.stop.send(()).expect("the node runs");
        let ended = tokio::task::spawn_blocking(|| self.thread.join());
        ended.await.expect("a thread").expect("the node stops");
    }
}

/// The lead that a pull gets, and when.
async fn pull(client: Client, wait_s: Option<i64>) -> (Option<ServedLead>, Instant) {
    let request = NextLeadRequest {
        rep_id: REP.to_owned(),
        wait_duration: wait_s.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        ..Default::default()
    };
    let answer = client.reps().next_lead(request).await.expect("an answer");
    let at = clock();
    let NextLeadResponse { answer, .. } = answer.into_inner();
    match answer {
        Some(next_lead_response::Answer::Served(served)) => (Some(served), at),
        _ => (None, at),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
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

/// One queue; the leads in line need a skill that the rep does not have, as other teams work them.
async fn set_up(admin: &Client, lead_count: usize) {
    let queue = Queue {
        queue_id: "sales".to_owned(),
        time_zone: "UTC".to_owned(),
        // The run may take place at any time of the day.
        hours: "always".to_owned(),
        calling_law: CallingLaw::Exempt.into(),
        ..Default::default()
    };
    let request = UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    admin.queues().upsert_queue(request).await.expect("a queue");
    for (campaign, skills) in [("hot", vec![]), ("cold", vec!["patience".to_owned()])] {
        let campaign = Campaign {
            campaign_id: campaign.to_owned(),
            queue_id: "sales".to_owned(),
            skills,
            ..Default::default()
        };
        let request = UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
        admin.intake().upsert_campaign(request).await.expect("a campaign");
    }
    let rep = Rep { rep_id: REP.to_owned(), queue_id: "sales".to_owned(), ..Default::default() };
    let request = UpsertRepRequest { rep: Some(rep), ..Default::default() };
    admin.queues().upsert_rep(request).await.expect("a rep");
    let batches = (0..lead_count).step_by(BATCH_ROW_COUNT).map(move |first| {
        let rows = first..(first + BATCH_ROW_COUNT).min(lead_count);
        let row = |nth| ImportRow { row_number: nth as i64 + 1, lead: Some(lead(nth, "cold")) };
        ImportLeadsRequest {
            batch_number: first as i64 + 1,
            rows: rows.map(row).collect(),
            ..Default::default()
        }
    });
    let firsts = tokio_stream::iter(batches.collect::<Vec<_>>());
    let answers = admin.intake().import_leads(firsts).await;
    let mut answers = answers.expect("an import").into_inner();
    while answers.message().await.expect("an answer").is_some() {}
}

fn lead(nth: usize, campaign: &str) -> Lead {
    let key = HandoverKey {
        source_system: "crm".to_owned(),
        external_id: nth.to_string(),
        campaign_id: campaign.to_owned(),
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

//! How many leads a second come from a CSV file through gRPC into SQLite, durable? A node runs in
//! here, on a thread of its own; `nextlead import` is a process of its own beside it, as in life.
//!
//! `cargo bench --bench import -- 1000000`; 100,000 rows without a number, 10,000 with `--quick`.
//! Prints wall time of the import and the CPU time of both sides, which a busy machine leaves alone.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nextlead::domain::{CampaignId, CampaignSettings, QueueId, QueueSettings, Route};
use nextlead::node::{Node, Options};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const ZONES: [&str; 4] =
    ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"];
const SOURCES: [&str; 5] = ["demo-request", "webinar", "fair", "download", "list"];
const INDUSTRIES: [&str; 6] =
    ["software", "retail", "logistics", "health care", "banking", "machinery"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.iter().find_map(|argument| argument.parse().ok());
    let is_quick = arguments.iter().any(|argument| argument == "--quick" || argument == "--test");
    let row_count = wanted.unwrap_or(if is_quick { 10_000 } else { 100_000 });
    measure(row_count);
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn clock() -> Instant {
    Instant::now()
}

fn measure(row_count: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("leads.csv");
    write_csv(&file, row_count).expect("a file");
    let (ready, address) = std::sync::mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let store = folder.path().join("nextlead.db");
    let node = std::thread::spawn({
        let store = store.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(serve(&store, ready, stopped));
        }
    });
    let (url, token_file) = address.recv().expect("a node");
    let (mine, begun) = (cpu_seconds().0, clock());
    let import = Command::new(env!("CARGO_BIN_EXE_nextlead"))
        .arg("import")
        .arg(&file)
        .args(["--campaign", "spring", "--source-system", "crm", "--json"])
        .args(["--server", &url, "--token-file", &token_file])
        .output()
        .expect("the command runs");
    let seconds = begun.elapsed().as_secs_f64();
    let (node_seconds, import_seconds) = cpu_seconds();
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    let report: serde_json::Value = serde_json::from_slice(&import.stdout).expect("JSON");
    assert_eq!(report["opened_count"].as_u64(), Some(row_count), "every row opens a lead");
    println!(
        "{row_count} rows in {seconds:.2} s: {:.0} a second; CPU: node {:.2} s, import {:.2} s, \
         {:.1} µs a row",
        row_count as f64 / seconds,
        node_seconds - mine,
        import_seconds,
        (node_seconds - mine + import_seconds) * 1e6 / row_count as f64,
    );
    stop.send(()).expect("the node runs");
    node.join().expect("the node stops");
}

/// Runs a node with a queue and a campaign; says where it listens and which file holds its token.
async fn serve(
    store: &Path,
    ready: std::sync::mpsc::Sender<(String, String)>,
    stopped: oneshot::Receiver<()>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let store = store.to_owned();
    let options = Options::new(store, listener);
    let node = Node::start(options).await.expect("a node");
    let queue = QueueId::new("sales").expect("an id");
    let settings = QueueSettings {
        zone: "America/New_York".to_owned(),
        hours: "mon-sat 09:00-20:00".parse().expect("hours"),
        law: Default::default(),
        caps: Vec::new(),
        lease_ms: 600_000,
        lease_total_ms: 7_200_000,
        grace_ms: 30_000,
        skips_per_hour_max: None,
        own: Default::default(),
        quality: Default::default(),
    };
    node.dialer().put_queue(queue.clone(), settings).await.expect("a queue");
    let settings = CampaignSettings {
        skills: Default::default(),
        ends_at: None,
        route_at_end: Route::Nurture { until: None },
        default_country: None,
    };
    let campaign = CampaignId::new("spring").expect("an id");
    node.dialer().put_campaign(campaign, queue, settings).await.expect("a campaign");
    let token_file = node.token_file.display().to_string();
    ready.send((format!("http://{}", node.address), token_file)).expect("the bench listens");
    let shutdown = async move {
        let _ = stopped.await;
    };
    node.run_until(shutdown).await.expect("the node stops in order");
}

/// Rows as a marketing system exports them: a week of handovers, numbers and names in no order.
fn write_csv(path: &Path, row_count: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(
        file,
        "external_id,name,company,email,phone,time_zone,source,channel,score,country,employees,\
         industry,handed_over_time"
    )?;
    for row in 0..row_count {
        // Multiplied by an odd number the rows change places, and none comes twice.
        let person = row.wrapping_mul(2_654_435_761) % (1 << 32);
        let (minute, second) = (row / 60 % 60, row % 60);
        writeln!(
            file,
            "00Q{row:09},Person {person:x} Example,\"Company {}, Inc.\",\
             p{person:x}@company{}.example,+1{:010},{},{},web,{},US,{},{},\
             2025-03-{:02}T{:02}:{minute:02}:{second:02}Z",
            person % 9_973,
            person % 9_973,
            2_000_000_000 + person,
            ZONES[person as usize % ZONES.len()],
            SOURCES[person as usize % SOURCES.len()],
            person % 100,
            person % 5_000,
            INDUSTRIES[person as usize % INDUSTRIES.len()],
            3 + row / 86_400 % 7,
            row / 3_600 % 24,
        )?;
    }
    file.flush()
}

/// CPU seconds of this process, and of the children that it has waited for; zeros elsewhere than on
/// Linux.
fn cpu_seconds() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let Some((_, fields)) = text.rsplit_once(") ") else { return (0.0, 0.0) };
    // From utime, the 14th field of all, on: user and system of this process, then of children, in
    // hundredths of a second.
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .skip(11)
        .take(4)
        .map(|ticks| ticks.parse().unwrap_or_default())
        .collect();
    let [user, system, child_user, child_system] = ticks[..] else { return (0.0, 0.0) };
    ((user + system) / 100.0, (child_user + child_system) / 100.0)
}

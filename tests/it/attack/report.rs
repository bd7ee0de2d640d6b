//! What each attack costs a real node and its honest clients: memory and answer times, before and
//! during. Only measured and printed, never asserted, as times depend on the machine:
//!
//! `NEXTLEAD_ATTACK_REPORT=1 cargo test --test it attack::report -- --nocapture`
//!
//! `NEXTLEAD_ATTACK_BINARY` names the binary to attack; without it that of this build.
#![expect(clippy::print_stdout, reason = "a report is printed")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hdrhistogram::Histogram;
use nextlead::api::client::{Client, connect};
use nextlead::api::proto;
use tempfile::TempDir;
use tokio::time::Instant;

use super::target::set_up;
use super::wire::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, Raw,
    SETTINGS, WINDOW_UPDATE, call, frame, header, message,
};
use crate::process::{BINARY, Process};

/// How long each attack lasts.
const ATTACK: Duration = Duration::from_secs(5);
/// How many attack at a time.
const ATTACKER_COUNT: usize = 4;

const UPSERT: &str = "/nextlead.v1.IntakeService/UpsertLead";
const IMPORT: &str = "/nextlead.v1.IntakeService/ImportLeads";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// What one attacker does, again and again.
#[derive(Clone)]
enum Attack {
    /// Opens so many connections, says this on each, and waits.
    Hold(usize, Vec<u8>),
    /// Says this once, then that until it is cut.
    Flood(Vec<u8>, Vec<u8>),
    /// Opens stream after stream with these headers, and goes on with each like this.
    Streams(Vec<u8>, fn(u32) -> Vec<u8>),
}

fn opened() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

fn attacks(token: &str) -> Vec<(&'static str, Attack)> {
    use Attack::{Flood, Hold, Streams};
    let signed = |path| call(path, Some(token));
    let one = |kind, payload: &[u8]| Flood(opened(), frame(kind, 0, 0, payload));
    let import = [opened(), frame(HEADERS, END_HEADERS, 1, &signed(IMPORT))].concat();
    let open = [opened(), frame(HEADERS, 0, 1, &call(UPSERT, None))].concat();
    let long = [signed(UPSERT), header("x-long", &"x".repeat(15_000))].concat();
    let no_window = [PREFACE, &frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])].concat();
    let unread: Vec<u8> = (1..200).step_by(2).flat_map(unread_call).collect();
    vec![
        ("silent sockets", Hold(400, Vec::new())),
        ("half a preface", Hold(400, PREFACE[..12].to_vec())),
        ("preface, then nothing", Hold(400, opened())),
        ("HTTP/1.1 requests", Hold(50, b"GET / HTTP/1.1\r\nHost: node\r\n\r\n".to_vec())),
        ("connection flood", Hold(3_000, Vec::new())),
        ("answers never read", Hold(20, [no_window, unread].concat())),
        ("PING flood", one(PING, &[7; 8])),
        ("SETTINGS flood", one(SETTINGS, &[0, 4, 0, 0, 255, 255])),
        ("PRIORITY flood", Flood(opened(), frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9]))),
        ("WINDOW_UPDATE flood", one(WINDOW_UPDATE, &[0, 0, 0, 1])),
        ("CONTINUATION flood", Flood(open, frame(CONTINUATION, 0, 1, &header("a", "b")))),
        ("empty DATA flood", Flood(import.clone(), frame(DATA, 0, 1, &[]))),
        (
            "5 MiB in one message",
            Flood(big_message(&signed(UPSERT)), frame(DATA, 0, 1, &[0; 16_384])),
        ),
        ("calls taken back", Streams(signed(UPSERT), |id| frame(RST_STREAM, 0, id, &[0, 0, 0, 8]))),
        ("calls without a body", Streams(signed(UPSERT), |_| Vec::new())),
        ("18 KiB of headers", Streams(long, |_| Vec::new())),
        (
            "4 GiB by its length",
            Streams(signed(UPSERT), |id| frame(DATA, 0, id, &message(0, u32::MAX, &[]))),
        ),
        (
            "guessed tokens",
            Streams(call(UPSERT, Some("0000")), |id| frame(DATA, END_STREAM, id, &[])),
        ),
    ]
}

fn big_message(headers: &[u8]) -> Vec<u8> {
    let prefix = frame(DATA, 0, 1, &message(0, 5 * 1_024 * 1_024, &[]));
    [opened(), frame(HEADERS, END_HEADERS, 1, headers), prefix].concat()
}

fn unread_call(stream: u32) -> Vec<u8> {
    let headers = frame(HEADERS, END_HEADERS, stream, &call(HEALTH, None));
    [headers, frame(DATA, END_STREAM, stream, &message(0, 0, &[]))].concat()
}

/// One attacker's turn. What the node does to it is no concern of its own.
async fn turn(address: SocketAddr, attack: &Attack) {
    match attack {
        Attack::Hold(count, first) => {
            let mut raws = Vec::new();
            for _ in 0..*count {
                let Ok(mut raw) = Raw::connect(address).await else { break };
                let _ = raw.send(first).await;
                raws.push(raw);
            }
            let all = raws.iter_mut().map(Raw::wait_for_end);
            let _ = tokio::time::timeout(ATTACK, futures_util::future::join_all(all)).await;
        }
        Attack::Flood(first, then) => {
            let Ok(mut raw) = Raw::connect(address).await else { return };
            if raw.send(first).await.is_ok() {
                raw.flood(then.repeat(100), usize::MAX).await;
            }
        }
        Attack::Streams(headers, then) => {
            let Ok(mut raw) = Raw::opened(address, &[]).await else { return };
            for stream in (1..10_000).step_by(2) {
                let open = frame(HEADERS, END_HEADERS, stream, headers);
                if raw.send(&[open, then(stream)].concat()).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Attacks from a thread and a runtime of its own, until told to stop; gives the number of turns.
fn attack(address: SocketAddr, attack: &Attack, is_over: &Arc<AtomicBool>) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let turn_count = Arc::new(AtomicU64::new(0));
    runtime.block_on(async {
        for _ in 0..ATTACKER_COUNT {
            let (attack, is_over) = (attack.clone(), is_over.clone());
            let turn_count = turn_count.clone();
            tokio::spawn(async move {
                while !is_over.load(Relaxed) {
                    turn(address, &attack).await;
                    turn_count.fetch_add(1, Relaxed);
                }
            });
        }
        while !is_over.load(Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    turn_count.load(Relaxed)
}

/// What an honest client sees for a while: answer times in microseconds, failures, and the node's
/// memory at most, in KiB.
async fn watch(client: &Client, process: &Process, length: Duration) -> (Histogram<u64>, u64, u64) {
    let (mut times, mut failed_count, mut memory) =
        (Histogram::new_with_bounds(1, 60_000_000, 3).unwrap(), 0, 0);
    let begun = Instant::now();
    while begun.elapsed() < length {
        let asked = Instant::now();
        let pull = proto::NextLeadRequest { rep_id: "ann".into(), ..Default::default() };
        failed_count += u64::from(client.reps().next_lead(pull).await.is_err());
        times.saturating_record(u64::try_from(asked.elapsed().as_micros()).unwrap());
        memory = memory.max(memory_kib(process.id()));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (times, failed_count, memory)
}

fn memory_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}

#[tokio::test]
async fn what_each_attack_costs() {
    if std::env::var_os("NEXTLEAD_ATTACK_REPORT").is_none() {
        return;
    }
    let binary = std::env::var_os("NEXTLEAD_ATTACK_BINARY").map_or(BINARY.into(), PathBuf::from);
    println!(
        "| attack | turns | pull p50 before, during, ms | p99 before, during, ms | failed | MiB before, at most |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let names: Vec<_> = attacks("").into_iter().map(|(name, _)| name).collect();
    for (nth, name) in names.into_iter().enumerate() {
        let folder = TempDir::new().unwrap();
        let process = Process::start_as(&binary, folder.path(), &["--listen", "127.0.0.1:0"]);
        report(name, nth, &process).await;
        assert!(process.terminate());
    }
}

async fn report(name: &str, nth: usize, process: &Process) {
    let address: SocketAddr = process.address().parse().unwrap();
    let client = connect(&format!("http://{address}"), &process.token()).await.unwrap();
    set_up(&client).await;
    let lead = Some(crate::support::lead(1));
    let request = proto::UpsertLeadRequest { lead, ..Default::default() };
    client.intake().upsert_lead(request).await.unwrap();
    let (before, _, memory_before) = watch(&client, process, ATTACK / 5).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let attacking = std::thread::spawn({
        let (is_over, (_, what)) = (is_over.clone(), attacks(&process.token()).swap_remove(nth));
        move || attack(address, &what, &is_over)
    });
    let (during, failed_count, memory) = watch(&client, process, ATTACK).await;
    is_over.store(true, Relaxed);
    let turn_count = attacking.join().unwrap();
    let ms = |times: &Histogram<u64>, quantile| times.value_at_quantile(quantile) as f64 / 1e3;
    println!(
        "| {name} | {turn_count} | {:.2}, {:.2} | {:.2}, {:.2} | {failed_count} | {:.0}, {:.0} |",
        ms(&before, 0.5),
        ms(&during, 0.5),
        ms(&before, 0.99),
        ms(&during, 0.99),
        memory_before as f64 / 1_024.0,
        memory as f64 / 1_024.0,
    );
}

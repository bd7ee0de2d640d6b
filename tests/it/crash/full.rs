//! A disk that runs full and is freed again under load, over and over: leads are refused first, then
//! everything that changes something; reads go on, the node lives on, and changes go through again
//! within five seconds of there being room.
//!
//! `NEXTLEAD_FULL_CYCLES` says how often. Where no small disk can be mounted the test says so;
//! `store::sqlite::tests::full` runs everywhere.

use std::time::Duration;

use nextlead::api::client::{Client, connect};
use nextlead::api::proto;
use tempfile::TempDir;

use super::check::violations;
use super::clients::sent;
use super::families::member;
use super::ground::{Ground, On};
use super::history::{History, Span};
use super::line::{Line, Random};
use super::nodes::Nodes;
use super::{client_of, from_environment, set_to_work, share, summary, truth};
use crate::process::{Process, clock};
use crate::small_disk::SmallDisk;
use crate::support::reason;
use crate::synced::Trace;

const DISK_MIB: u64 = 128;
const RESERVE_MIB: u64 = 16;
/// Changes must go through again this soon after there is room.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// How long the disk stays as it is, in milliseconds.
const PHASE_MS: std::ops::Range<u64> = 50..300;
const FAMILY_COUNT: u64 = 400;
/// No family of the other clients'.
const PROBE_FAMILY: u64 = 9_000_000;

fn mounted(what: &str) -> Option<SmallDisk> {
    match SmallDisk::mount(DISK_MIB) {
        Ok(disk) => {
            eprintln!("{what}: on a tmpfs of {DISK_MIB} MiB");
            Some(disk)
        }
        Err(tried) => {
            eprintln!(
                "{what}: NOT RUN, no disk can be mounted here ({tried}); \
                store::sqlite::tests::full limits the file's pages instead"
            );
            None
        }
    }
}

/// Hands one lead over, and gives its id; says why not.
async fn probe(client: &Client, nth: u64) -> Result<String, String> {
    let lead = Some(member(PROBE_FAMILY + nth, 0));
    let request = proto::UpsertLeadRequest { lead, request_id: String::new() };
    let answer = client.intake().upsert_lead(request).await;
    answer
        .map(|answer| answer.into_inner().result.unwrap().lead_id)
        .map_err(|status| reason(&status))
}

/// Everything that reads, while nothing can be written.
async fn read(client: &Client) {
    client.coverage().get_coverage(proto::GetCoverageRequest::default()).await.unwrap();
    let peek = proto::PeekQueueRequest { queue_id: "sales".into(), ..Default::default() };
    client.queues().peek_queue(peek).await.unwrap();
    client.queues().list_reps(proto::ListRepsRequest::default()).await.unwrap();
}

async fn pause(random: &mut Random) {
    let ms = PHASE_MS.start + random.below(PHASE_MS.end - PHASE_MS.start);
    // No wait for something: how long the disk stays full is what is varied here.
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Fills and frees the disk once; gives how long it took until a lead was taken in again, and that.
async fn cycle(
    disk: &SmallDisk,
    client: &Client,
    nth: u64,
    random: &mut Random,
) -> (Duration, String) {
    disk.fill((RESERVE_MIB << 20) / 2);
    pause(random).await;
    // The log may have been cut meanwhile, which makes room again.
    if let Err(refused) = probe(client, nth).await {
        assert!(refused == "STORE_LOW" || refused == "STORE_FULL", "{refused}");
    }
    disk.fill(0);
    pause(random).await;
    read(client).await;
    disk.fill(0);
    disk.clear();
    let begun = clock();
    let mut turns = tokio::time::interval(Duration::from_millis(10));
    loop {
        turns.tick().await;
        match probe(client, nth).await {
            Ok(lead) => return (begun.elapsed(), lead),
            Err(why) => {
                assert!(why == "STORE_LOW" || why == "STORE_FULL", "{why}");
                assert!(begun.elapsed() < RECOVERY_MAX, "{why} though there is room");
            }
        }
    }
}

#[tokio::test]
async fn a_disk_that_runs_full_loses_nothing_and_recovers_by_itself() {
    let Some(disk) = mounted("full disk") else { return };
    let cycle_count = from_environment("NEXTLEAD_FULL_CYCLES", 10);
    let seed = from_environment("NEXTLEAD_CRASH_SEED", 3);
    let mut nodes = begin_on(&disk).await;
    let shared = share(&nodes);
    let line = Line::new(shared.clone(), seed);
    let mut history = super::clients::stock(super::INTAKE_COUNT, FAMILY_COUNT, line).await;
    let crew = set_to_work(&shared, seed);
    let client = client_of(&nodes).await;
    let mut random = Random(seed);
    let mut slowest = Duration::ZERO;
    for nth in 0..cycle_count {
        pause(&mut random).await;
        let (took, lead) = cycle(&disk, &client, nth, &mut random).await;
        slowest = slowest.max(took);
        let span = Span { sent: shared.order.next(), answered: Some(shared.order.next()) };
        history.handovers.push(sent(member(PROBE_FAMILY + nth, 0), span, Some(lead)));
        let node = nodes.node(0);
        assert!(node.is_alive(), "the node ended:\n{}", node.logged());
    }
    super::finish(&shared, crew, &mut history).await;
    nodes.leave_one().await;
    let truth = truth::read(&client_of(&nodes).await, &history).await;
    let found = violations(&history, &truth);
    let (low, full) = (put_off(&history, "STORE_LOW"), put_off(&history, "STORE_FULL"));
    eprintln!(
        "{}; {low} calls were put off as the disk was low, {full} as it was full; changes went \
         through again within {slowest:?}",
        summary("fillings", cycle_count, seed, &history, &truth, found.len())
    );
    assert_eq!(found, Vec::<String>::new());
    assert!(low > 0 && full > 0, "the disk was never felt");
}

async fn begin_on(disk: &SmallDisk) -> Nodes {
    let folder = disk.folder().to_owned();
    let reserve = format!("{RESERVE_MIB}MiB");
    let inside = disk.inside();
    let begin = move || {
        let ground = Ground::new(On::Sqlite);
        let arguments = ["--disk-reserve", &reserve];
        Nodes::begin_in(TempDir::new().unwrap(), folder, inside, &arguments, ground)
    };
    tokio::task::spawn_blocking(begin).await.unwrap()
}

fn put_off(history: &History, reason: &str) -> usize {
    history.put_off.iter().filter(|one| one.reason == reason).count()
}

#[tokio::test]
async fn a_node_starts_on_a_full_disk_and_is_read() {
    let Some(disk) = mounted("start on a full disk") else { return };
    let mut nodes = begin_on(&disk).await;
    for nth in 0..4 {
        probe(&client_of(&nodes).await, nth).await.unwrap();
        disk.fill(0);
        // With its log as it was left, and without one.
        match nth % 2 {
            0 => nodes.kill(0).await,
            _ => {
                nodes.stop(0).await;
                disk.fill(0);
            }
        }
        nodes.start(0).await;
        let client = client_of(&nodes).await;
        read(&client).await;
        disk.fill(0);
        let refused = probe(&client, 100 + nth).await.unwrap_err();
        assert!(refused == "STORE_LOW" || refused == "STORE_FULL", "{refused}");
        disk.clear();
        probe(&client, 100 + nth).await.unwrap();
        let audit = client.coverage().audit_ledger(proto::AuditLedgerRequest {}).await.unwrap();
        assert_eq!(audit.into_inner().imbalance, 0);
    }
}

/// How many leads an empty store takes in, one a commit, before its log has outgrown the first part of
/// its index (4,062 pages), many times over.
const HANDOVER_COUNT_MAX: u64 = 4_000;

async fn client_at(node: &Process) -> Client {
    connect(&format!("http://{}", node.address()), &node.token()).await.unwrap()
}

/// A commit whose pages found room, while the next part of the log's index did not: SQLite says that
/// it failed, and would find it when it reads the log after a crash.
#[tokio::test]
async fn a_disk_without_room_for_the_index_of_the_log_is_full_and_nobody_ends() {
    if crate::ground::is_without_file("a disk without room for the index of the log") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let mut node = Process::start(folder.path());
    node.set_up();
    let client = client_at(&node).await;
    let index = folder.path().join("nextlead.db-shm");
    let no_room = ["-P", index.to_str().unwrap(), "-e", "inject=pwrite64:error=ENOSPC"];
    let trace = Trace::attach(&[node.id()], folder.path().join("trace"), &no_room);
    let Some(trace) = trace else { return };
    let mut taken_in = 0;
    let refused = loop {
        match probe(&client, taken_in).await {
            Ok(_) => taken_in += 1,
            Err(refused) => break refused,
        }
        assert!(taken_in < HANDOVER_COUNT_MAX, "the index was never felt");
    };
    assert_eq!(refused, "STORE_FULL", "{}", node.logged());
    assert!(node.is_alive(), "the node ended:\n{}", node.logged());
    read(&client).await;
    node.kill();
    assert!(trace.end().contains("ENOSPC"), "it failed of something else");

    let node = Process::start(folder.path());
    let client = client_at(&node).await;
    let request = proto::GetCoverageRequest::default();
    let books = client.coverage().get_coverage(request).await.unwrap().into_inner();
    let stored: i64 = books.books.iter().map(|book| book.handed_over_count).sum();
    assert_eq!(stored, i64::try_from(taken_in).unwrap(), "what was refused is there");
    probe(&client, taken_in).await.unwrap();
    assert_eq!(node.audit()["imbalance"], 0);
}

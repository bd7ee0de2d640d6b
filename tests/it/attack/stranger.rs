//! Clients that do not belong here: who guesses tokens, who speaks something else, and who takes every
//! file that the process may open.

use std::time::Duration;

use nextlead::api::client::connect;
use nextlead::api::front::Limit;
use nextlead::api::proto;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tempfile::TempDir;
use tokio::time::Instant;

use super::target::{Target, set_up, short};
use super::wire::{END_HEADERS, END_STREAM, HEADERS, Raw, call, frame};
use crate::process::Process;

const UPSERT: &str = "/nextlead.v1.IntakeService/UpsertLead";

#[tokio::test]
async fn who_guesses_tokens_waits_for_each_answer_and_is_cut() {
    let target = Target::start(short()).await;
    let started_at = Instant::now();
    let attack = async {
        let mut raw = Raw::opened(target.address, &[]).await.unwrap();
        for guess in 0..100_u32 {
            let headers = call(UPSERT, Some(&format!("{guess:064x}")));
            let open = frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * guess, &headers);
            raw.send(&open).await.unwrap();
        }
        let came = raw.read_to_end().await;
        let answered = came.iter().filter(|came| came.kind == HEADERS).count();
        assert!((20..=100).contains(&answered), "{answered}");
    };
    target.meets(Limit::GuessCut, attack).await;
    assert_eq!(target.tally.met_count(Limit::GuessDelayed), 80);
    assert!(started_at.elapsed() >= Duration::from_millis(100));
    target.end().await;
}

#[tokio::test]
async fn who_speaks_something_else_is_cut_at_once() {
    let target = Target::start(short()).await;
    let attack = async {
        for hello in [&b"GET / HTTP/1.1\r\nHost: node\r\n\r\n"[..], &[0x16, 3, 1, 2, 0, 1, 0, 1]] {
            let mut raw = Raw::connect(target.address).await.unwrap();
            raw.send(hello).await.unwrap();
            raw.wait_for_end().await;
        }
    };
    target.meets(Limit::Protocol, attack).await;
    assert_eq!(target.tally.met_count(Limit::Protocol), 2);
    assert_eq!(target.tally.met_count(Limit::FirstCallLate), 0);
    target.end().await;
}

#[tokio::test]
async fn a_node_that_runs_out_of_files_serves_those_it_has_and_recovers() {
    let folder = TempDir::new().unwrap();
    let process = Process::start(folder.path());
    let url = format!("http://{}", process.address());
    let client = connect(&url, &process.token()).await.unwrap();
    set_up(&client).await;
    let pid = Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap();
    let before = prlimit(Some(pid), Resource::Nofile, few(64)).unwrap();

    let mut raws = Vec::new();
    for _ in 0..200 {
        raws.push(Raw::connect(process.address().parse().unwrap()).await.unwrap());
    }
    for _ in 0..100 {
        let queues =
            client.queues().list_queues(proto::ListQueuesRequest::default()).await.unwrap();
        assert_eq!(queues.into_inner().queues.len(), 1);
    }
    drop(raws);
    let late = connect(&url, &process.token()).await.unwrap();
    let mut queues = late.queues();
    let waited = queues.list_queues(proto::ListQueuesRequest::default());
    let waited = tokio::time::timeout(Duration::from_secs(20), waited).await;
    waited.expect("it takes connections again").unwrap();

    prlimit(Some(pid), Resource::Nofile, before).unwrap();
    drop((client, late, queues));
    assert!(process.terminate());
}

/// Few files now, and as many as before again later.
fn few(count: u64) -> Rlimit {
    Rlimit { current: Some(count), ..getrlimit(Resource::Nofile) }
}

//! `nextlead load`, through its command: small runs against the real node, and one against a node that
//! breaks its promises.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nextlead::api::proto;
use proto::queue_service_server::{QueueService, QueueServiceServer};
use proto::rep_service_server::{RepService, RepServiceServer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::ground::Ground;
use crate::process::{BINARY, Process, command};

/// What a run says in its last line.
fn last_line(output: &Output) -> Value {
    let printed = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    let line = printed.lines().last().unwrap_or_else(|| panic!("nothing was printed: {told}"));
    serde_json::from_str(line).unwrap_or_else(|problem| panic!("{problem}: {line}"))
}

fn load(folder: &Path, words: &[&str]) -> Command {
    let mut command = command(Path::new(BINARY), folder);
    command.args(["load", "--json", "--warmup", "0"]).args(words);
    command
}

fn assert_clean(line: &Value) {
    for name in ["held_twice", "served_again", "lost_touches", "false_touches", "ledger_imbalance"]
    {
        assert_eq!(line[name], 0, "{name}: {line}");
    }
    assert_eq!(line["errors"], 0, "{line}");
    assert!(line["cycles"].as_u64().unwrap() > 0 && line["cycles_per_s"].as_f64().unwrap() > 0.0);
    let us = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("no {name}: {line}"));
    assert!(us("p50_us") > 0 && us("p50_us") <= us("p99_us") && us("p99_us") <= us("p999_us"));
}

#[test]
fn a_closed_loop_measures_a_node_of_its_own_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--reps", "8", "--leads", "3000", "--seconds", "1", "--restart"];
    let mut command = load(folder.path(), &words);
    if let Some(ground) = Ground::of(folder.path()) {
        command.args(["--store", &ground.store]);
        command.args(ground.queue.iter().flat_map(|queue| ["--queue", queue]));
    }
    let output = command.env("TMPDIR", folder.path()).output().unwrap();
    let line = last_line(&output);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_clean(&line);
    assert_eq!(line["loop"], "closed");
    assert!(line["touches"].as_u64() >= line["cycles"].as_u64(), "{line}");
    assert_eq!(line["ledger_touches"], line["touches"], "{line}");
    // Every lead and every serve and touch of it is an event.
    assert!(line["ledger_events"].as_u64().unwrap() > 3_000, "{line}");
    assert!(line["node"]["start_ms"].as_u64().unwrap() > 0, "{line}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "its folder is gone");
}

#[test]
fn an_open_loop_keeps_its_rate_on_a_node_that_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::start(folder.path());
    let words = ["--reps", "40", "--connections", "4", "--rate", "60", "--seconds", "1"];
    let run = |more: &[&str]| {
        let mut command = load(folder.path(), &[&words[..], more].concat());
        command.env("NEXTLEAD_SERVER", node.address()).output().unwrap()
    };
    let unfilled = run(&[]);
    let told = String::from_utf8_lossy(&unfilled.stderr);
    assert!(!unfilled.status.success() && told.contains("no queue `load`"), "{told}");

    for more in [&["--fill", "--leads", "2000"][..], &[]] {
        let output = run(more);
        let line = last_line(&output);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_clean(&line);
        assert_eq!((&line["loop"], &line["connections"]), (&"open".into(), &4.into()));
        let cycles = line["cycles"].as_u64().unwrap();
        assert!((30..100).contains(&cycles), "60 calls were meant to begin: {line}");
        assert!(line["node"].is_null(), "nothing is said of a process that is not its own");
    }
    node.audit();
}

/// A node that serves one and the same lead to everybody.
struct Careless {
    leases: AtomicU64,
}

impl Careless {
    fn serve(&self) -> proto::ServedLead {
        let lease = self.leases.fetch_add(1, Ordering::Relaxed);
        proto::ServedLead {
            lead: Some(proto::Lead {
                lead_id: "lead-1".into(),
                numbers: vec![proto::LeadNumber {
                    number: "+12015550100".into(),
                    ..Default::default()
                }],
                ..Default::default()
            }),
            lease_token: format!("lease-{lease}"),
            ..Default::default()
        }
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RepService for Careless {
    async fn next_lead(
        &self,
        _: Request<proto::NextLeadRequest>,
    ) -> Answer<proto::NextLeadResponse> {
        let answer = Some(proto::next_lead_response::Answer::Served(self.serve()));
        Ok(Response::new(proto::NextLeadResponse { answer }))
    }

    async fn record_touch(
        &self,
        _: Request<proto::RecordTouchRequest>,
    ) -> Answer<proto::RecordTouchResponse> {
        let next = Some(proto::record_touch_response::Next::NextServed(self.serve()));
        Ok(Response::new(proto::RecordTouchResponse { next, ..Default::default() }))
    }

    async fn list_callbacks(
        &self,
        _: Request<proto::ListCallbacksRequest>,
    ) -> Answer<proto::ListCallbacksResponse> {
        Ok(Response::new(proto::ListCallbacksResponse::default()))
    }

    async fn rate_lead(
        &self,
        _: Request<proto::RateLeadRequest>,
    ) -> Answer<proto::RateLeadResponse> {
        Err(Status::unimplemented("nobody rates"))
    }

    async fn release_lease(
        &self,
        _: Request<proto::ReleaseLeaseRequest>,
    ) -> Answer<proto::ReleaseLeaseResponse> {
        Ok(Response::new(proto::ReleaseLeaseResponse {}))
    }

    async fn renew_lease(
        &self,
        _: Request<proto::RenewLeaseRequest>,
    ) -> Answer<proto::RenewLeaseResponse> {
        Err(Status::unimplemented("nobody renews"))
    }
}

/// Knows every rep.
struct Anybody;

#[tonic::async_trait]
impl QueueService for Anybody {
    async fn assign_lead(
        &self,
        _: Request<proto::AssignLeadRequest>,
    ) -> Answer<proto::AssignLeadResponse> {
        Ok(Response::new(proto::AssignLeadResponse::default()))
    }

    async fn transfer_lead(
        &self,
        _: Request<proto::TransferLeadRequest>,
    ) -> Answer<proto::TransferLeadResponse> {
        Err(Status::unimplemented("nobody transfers"))
    }

    async fn upsert_rep(
        &self,
        _: Request<proto::UpsertRepRequest>,
    ) -> Answer<proto::UpsertRepResponse> {
        Ok(Response::new(proto::UpsertRepResponse::default()))
    }

    async fn upsert_queue(
        &self,
        _: Request<proto::UpsertQueueRequest>,
    ) -> Answer<proto::UpsertQueueResponse> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn list_queues(
        &self,
        _: Request<proto::ListQueuesRequest>,
    ) -> Answer<proto::ListQueuesResponse> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn list_reps(
        &self,
        _: Request<proto::ListRepsRequest>,
    ) -> Answer<proto::ListRepsResponse> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn peek_queue(
        &self,
        _: Request<proto::PeekQueueRequest>,
    ) -> Answer<proto::PeekQueueResponse> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn explain_lead(
        &self,
        _: Request<proto::ExplainLeadRequest>,
    ) -> Answer<proto::ExplainLeadResponse> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn trace_lead(
        &self,
        _: Request<proto::TraceLeadRequest>,
    ) -> Answer<proto::TraceLeadResponse> {
        Err(Status::unimplemented("not asked for"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hands_one_lead_to_two_reps_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let careless = Arc::new(Careless { leases: AtomicU64::new(0) });
    let serving = tonic::transport::Server::builder()
        .add_service(RepServiceServer::from_arc(careless))
        .add_service(QueueServiceServer::new(Anybody))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let serving = tokio::spawn(serving);
    let mut command = load(folder.path(), &["--reps", "2", "--seconds", "1", "--no-audit"]);
    command.env("NEXTLEAD_SERVER", address).env("NEXTLEAD_TOKEN", "any");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    serving.abort();

    let line = last_line(&output);
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert!(line["held_twice"].as_u64().unwrap() > 0, "{line}");
    assert!(line["served_again"].as_u64().unwrap() > 0, "{line}");
    assert!(line["ledger_imbalance"].is_null(), "the books were not read: {line}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("did not keep what it promised"), "{told}");
}

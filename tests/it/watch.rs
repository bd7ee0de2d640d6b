//! The door for those who watch over a node, and what it says when something is down.

use nextlead::node::{Node, Options};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::exposition::{ask, get};
use crate::ground::On;
use crate::process::{BINARY, Process, command};
use crate::support::TestNode;

fn watched(node: &TestNode) -> String {
    node.node.metrics_address.unwrap().to_string()
}

#[tokio::test]
async fn a_node_that_is_well_is_live_and_ready_and_names_its_parts() {
    let node = TestNode::start().await;
    let address = watched(&node);

    assert_eq!(get(&address, "/live").await.status, 200);
    let ready = get(&address, "/ready").await;

    assert_eq!(ready.status, 200, "{}", ready.body);
    let said: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!(said["ready"], true);
    let parts = said["parts"].as_array().unwrap();
    let names: Vec<_> = parts.iter().map(|part| part["part"].as_str().unwrap()).collect();
    let last: &[&str] = match On::from_environment() {
        On::Sqlite => &["disk"],
        On::Postgres => &[],
        On::PostgresAndRedis => &["redis"],
    };
    let mut wanted = vec!["store", "index", "rules", "sweep"];
    wanted.extend(last);
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(sorted(names), sorted(wanted));
    assert!(parts.iter().all(|part| part["up"] == true && part["since"].is_string()));
}

#[tokio::test]
async fn the_services_and_parts_of_a_node_are_healthy_by_their_names() {
    let node = TestNode::start().await;
    let url = format!("http://{}", node.node.address);
    let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    for service in ["", "store", "sweep", "nextlead.v1.RepService", "nextlead.v1.CoverageService"] {
        let request = HealthCheckRequest { service: service.into() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    let unknown = HealthCheckRequest { service: "coffee".into() };
    assert_eq!(health.check(unknown).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_disk_below_its_reserve_is_told_by_the_node_and_by_what_takes_leads_in() {
    if crate::ground::is_without_file(
        "a_disk_below_its_reserve_is_told_by_the_node_and_by_what_takes_leads_in",
    ) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let node = Process::start_with(
        folder.path(),
        &["--metrics-listen", "127.0.0.1:0", "--disk-reserve", "1000000GiB"],
    );
    node.set_up();
    let ready = get(node.said["metrics_address"].as_str().unwrap(), "/ready").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    let said: Value = serde_json::from_str(&ready.body).unwrap();
    let parts = said["parts"].as_array().unwrap();
    let down: Vec<_> = parts.iter().filter(|part| part["up"] == false).collect();
    assert_eq!(down.len(), 1, "{said:#}");
    assert_eq!(down[0]["part"], "disk");
    assert!(down[0]["problem"].as_str().unwrap().contains("disk reserve"), "{said:#}");

    let url = format!("http://{}", node.address());
    let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    for (service, status) in [
        ("", ServingStatus::NotServing),
        ("disk", ServingStatus::NotServing),
        ("nextlead.v1.IntakeService", ServingStatus::NotServing),
        ("store", ServingStatus::Serving),
        ("nextlead.v1.RepService", ServingStatus::Serving),
        ("nextlead.v1.CoverageService", ServingStatus::Serving),
    ] {
        let request = HealthCheckRequest { service: service.into() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), status, "{service:?}");
    }
}

#[tokio::test]
async fn the_door_answers_questions_and_nothing_else() {
    let node = TestNode::start().await;
    let address = watched(&node);
    assert_eq!(get(&address, "/").await.status, 404);
    let post = format!("POST /metrics HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(ask(&address, &post).await.status, 405);
    let long = format!("GET /live HTTP/1.1\r\nx-long: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(ask(&address, &long).await.status, 431);
    let many = format!("GET /live HTTP/1.1\r\n{}\r\n", "x-many: 1\r\n".repeat(100));
    assert_eq!(ask(&address, &many).await.status, 431);
    assert_eq!(ask(&address, "hello\r\n\r\n").await.status, 400);
    let head = ask(&address, "HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    // One request a connection: whoever asks twice is answered once.
    let twice = "GET /live HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2);
    assert_eq!(ask(&address, &twice).await.body, "live\n");
}

#[tokio::test]
async fn whoever_holds_every_connection_of_the_door_open_is_cut_off() {
    let node = TestNode::start().await;
    let address = watched(&node);
    let mut held = Vec::new();
    loop {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /live HTTP/1.1\r\n").await.unwrap();
        let mut read = [0; 1];
        // The others wait for the end of their headers; the first one too many is closed at once.
        let first = async { matches!(stream.read(&mut read).await, Ok(0) | Err(_)) };
        let is_closed = tokio::select! {
            is_closed = first => is_closed,
            _ = get_past(&node) => false,
        };
        if is_closed {
            break;
        }
        held.push(stream);
        assert!(held.len() <= 16, "{} connections are held", held.len());
    }
    assert_eq!(held.len(), 16);
    // Those who hold them are cut off in a few seconds, and everybody else is answered again.
    for mut stream in held {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
    assert_eq!(get(&address, "/live").await.status, 200);
}

/// A call by another door: by when it is answered, the node has had its turn at this one.
async fn get_past(node: &TestNode) {
    let mut queues = node.queues.clone();
    for _ in 0..3 {
        queues.list_queues(nextlead::api::proto::ListQueuesRequest::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_cannot_start_was_never_ready() {
    if crate::ground::is_without_file("a_node_that_cannot_start_was_never_ready") {
        return;
    }
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("nextlead.db"), "this is no database".repeat(500)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = metrics.local_addr().unwrap().to_string();
    let options = Options::new(folder.path().join("nextlead.db"), listener);
    let options = Options { metrics_listener: Some(metrics), ..options };
    // Asked before the start had its turn, answered while it runs, or not at all.
    let asked = tokio::spawn(async move { get(&address, "/ready").await.status });
    assert!(Node::start(options).await.is_err());
    assert_ne!(asked.await.unwrap(), 200);
}

#[test]
fn metrics_are_shown_to_other_machines_only_if_told_so() {
    let folder = TempDir::new().unwrap();
    let serve = |options: &[&str]| {
        let mut serve = command(BINARY.as_ref(), folder.path());
        serve.args(["serve", "--listen", "127.0.0.1:0"]).args(options).output().unwrap()
    };
    let refused = serve(&["--metrics-listen", "0.0.0.0:0"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("--metrics-public"), "{said}");
    let node = Process::start_with(
        folder.path(),
        &["--metrics-listen", "0.0.0.0:0", "--metrics-public", "--log-format", "json"],
    );
    assert!(node.said["metrics_address"].as_str().unwrap().starts_with("0.0.0.0:"));
    assert!(node.terminate());
    let log = std::fs::read_to_string(folder.path().join("serve.log")).unwrap();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
    for word in ["starting", "serving on", "stopping", "stopped"] {
        assert!(log.contains(word), "{word} is not in the log");
    }
}

#[test]
fn a_log_filter_that_makes_no_sense_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut serve = command(BINARY.as_ref(), folder.path());
    let output = serve.args(["serve", "--log", "store=loud"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("log filter"), "{said}");
}

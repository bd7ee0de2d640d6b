//! Traces: a pull arrives at the collector as the client's trace carried on, with its selection and the
//! commit that followed; and a collector that is away disturbs nobody.

use nextlead::api::client::{Client, connect};
use nextlead::api::proto;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tempfile::TempDir;
use tonic::Request;

use crate::collector::Collector;
use crate::exposition::Exposition;
use crate::process::Process;
use crate::support::lead;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

async fn set_up(node: &Process) -> Client {
    node.set_up();
    let client = connect(&format!("http://{}", node.address()), &node.token()).await.unwrap();
    let request = proto::UpsertLeadRequest { lead: Some(lead(1)), ..Default::default() };
    client.intake().upsert_lead(request).await.unwrap();
    client
}

/// Pulls as part of a trace that the client began.
async fn pull(client: &Client) {
    let request = proto::NextLeadRequest { rep_id: "ann".into(), ..Default::default() };
    let mut request = Request::new(request);
    let traceparent = format!("00-{TRACE}-{PARENT}-01").parse().unwrap();
    request.metadata_mut().insert("traceparent", traceparent);
    let answer = client.reps().next_lead(request).await.unwrap().into_inner().answer;
    assert!(matches!(answer, Some(proto::next_lead_response::Answer::Served(_))));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text_of(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|one| one.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        other => Some(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_is_traced_as_a_part_of_the_client_s_own_trace() {
    let folder = TempDir::new().unwrap();
    let (collector, url) = Collector::start().await;
    let node = Process::start_with(folder.path(), &["--otlp-endpoint", &url]);
    let client = set_up(&node).await;
    pull(&client).await;
    drop(client);
    // What was not sent yet is sent before the process ends.
    assert!(node.terminate());

    let spans = collector.spans();
    let of_trace = |span: &&Span| hex(&span.trace_id) == TRACE;
    let call = spans.iter().filter(of_trace).find(|span| hex(&span.parent_span_id) == PARENT);
    let call = call.expect("the call carries the client's trace on");
    assert_eq!((call.name.as_str(), call.kind()), ("RepService/NextLead", SpanKind::Server));
    assert_eq!(text_of(call, "code").as_deref(), Some("OK"));
    assert_eq!(text_of(call, "role").as_deref(), Some("Admin"));
    let selection = spans.iter().filter(of_trace).find(|span| span.name == "selection");
    let selection = selection.expect("the selection is a part of the call");
    assert_eq!(selection.parent_span_id, call.span_id);
    let follows = |span: &&Span| {
        span.links.iter().any(|link| hex(&link.trace_id) == TRACE && link.span_id == call.span_id)
    };
    let commit = spans.iter().filter(|span| span.name == "commit").find(follows);
    let commit = commit.expect("the commit follows from the call");
    assert!(text_of(commit, "change_count").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_spans_and_disturbs_nobody() {
    let folder = TempDir::new().unwrap();
    let options = ["--otlp-endpoint", "http://127.0.0.1:9", "--metrics-listen", "127.0.0.1:0"];
    let node = Process::start_with(folder.path(), &options);
    let client = set_up(&node).await;
    for _ in 0..20 {
        pull(&client).await;
    }
    drop(client);
    let address = node.said["metrics_address"].as_str().unwrap().to_owned();
    let dropped = [("outcome", "dropped")];
    // The exporter tries on its own time; whoever asks often enough sees it give up.
    while Exposition::of(&address).await.sum("nextlead_trace_spans_total", &dropped) < 20.0 {}
    assert!(node.terminate(), "it stops in time");
    let log = std::fs::read_to_string(folder.path().join("serve.log")).unwrap();
    assert_eq!(log.matches("does not take traces").count(), 1, "{log}");
}

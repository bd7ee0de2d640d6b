//! Nothing about a person in logs, metrics or traces: everything personal that goes in carries a mark,
//! every method is called with sense and with nonsense, everything is logged, and the mark is looked
//! for.

use nextlead::api::client::{Client, connect};
use nextlead::api::proto;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    MethodDescriptor, Value,
};
use tempfile::TempDir;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Bytes, http};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::collector::Collector;
use crate::exposition::{Exposition, get};
use crate::process::Process;
use crate::support::{by_id, time};

/// What everything personal carries.
const MARK: &str = "c4n4ry";
/// The digits of every number that is sent.
const DIGITS: [&str; 3] = ["2025550143", "2025550177", "2025550199"];
/// A queue's id: a word of the company, which is shown. The looking is tried with it.
const CONTROL: &str = "c0ntr0l";

fn marked(what: &str) -> String {
    format!("{MARK} {what}")
}

fn person() -> proto::Lead {
    let key = proto::HandoverKey {
        source_system: "crm".into(),
        external_id: format!("{MARK}.person@mail.example"),
        campaign_id: "spring".into(),
    };
    let number = |digits| proto::LeadNumber { number: format!("+1{digits}"), ..Default::default() };
    let text = |text: String| proto::AttributeValue {
        value: Some(proto::attribute_value::Value::StringValue(text)),
    };
    proto::Lead {
        handover_key: Some(key),
        name: marked("Smith"),
        company: marked("Limited"),
        email: format!("{MARK}@mail.example"),
        numbers: vec![number(DIGITS[0]), number(DIGITS[1])],
        time_zone: "UTC".into(),
        source: "web".into(),
        attributes: [("remark".to_owned(), text(marked("remark")))].into(),
        ..Default::default()
    }
}

/// Works with one marked person from the handover to the erasing suppression. Gives the tokens of the
/// leases.
async fn work(client: &Client) -> Vec<String> {
    let queue = proto::Queue {
        queue_id: CONTROL.into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        calling_law: proto::CallingLaw::Exempt.into(),
        ..Default::default()
    };
    let queue = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    client.queues().upsert_queue(queue).await.unwrap();
    let campaign = proto::Campaign {
        campaign_id: "spring".into(),
        queue_id: CONTROL.into(),
        ..Default::default()
    };
    let request = proto::UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
    client.intake().upsert_campaign(request).await.unwrap();
    let rep_id = format!("{MARK}.rep@mail.example");
    let (queue_id, active) = (CONTROL.into(), Some(true));
    let rep = proto::Rep { rep_id: rep_id.clone(), queue_id, active, ..Default::default() };
    let request = proto::UpsertRepRequest { rep: Some(rep), ..Default::default() };
    client.queues().upsert_rep(request).await.unwrap();
    let request_id = format!("{MARK}-request");
    let request = proto::UpsertLeadRequest { lead: Some(person()), request_id };
    client.intake().upsert_lead(request).await.unwrap();
    let mut tokens = Vec::new();
    for nth in 0..3 {
        let pull = proto::NextLeadRequest { rep_id: rep_id.clone(), ..Default::default() };
        let pulled = client.reps().next_lead(pull).await.unwrap().into_inner();
        let Some(proto::next_lead_response::Answer::Served(served)) = pulled.answer else {
            break;
        };
        tokens.push(served.lease_token.clone());
        client.reps().record_touch(touch(&rep_id, nth, &served)).await.unwrap();
    }
    assert!(!tokens.is_empty());
    use proto::suppress_contact_request::Contact;
    for contact in [
        Contact::Number(format!("+1{}", DIGITS[2])),
        Contact::Email(format!("{MARK}@never.example")),
    ] {
        let (contact, source) = (Some(contact), marked("letter"));
        let request = proto::SuppressContactRequest { contact, source, ..Default::default() };
        client.intake().suppress_contact(request).await.unwrap();
    }
    tokens
}

fn touch(rep_id: &str, nth: u32, served: &proto::ServedLead) -> proto::RecordTouchRequest {
    let lead = served.lead.as_ref().unwrap();
    proto::RecordTouchRequest {
        rep_id: rep_id.into(),
        lead: Some(by_id(&lead.lead_id)),
        touch_id: format!("{MARK}-touch-{nth}"),
        lease_token: served.lease_token.clone(),
        channel: proto::Channel::Call.into(),
        direction: proto::Direction::Outbound.into(),
        number: lead.numbers[0].number.clone(),
        start_time: Some(time(1_700_000_000_000)),
        end_time: Some(time(1_700_000_000_000)),
        disposition: proto::Disposition::NoAnswer.into(),
        notes: marked("left a word"),
        then_next: true,
        ..Default::default()
    }
}

/// A message with the mark in every text that it can hold.
fn nonsense(message: &MessageDescriptor, depth: u32) -> DynamicMessage {
    let mut made = DynamicMessage::new(message.clone());
    for field in message.fields() {
        let Some(value) = value_of(&field, depth) else { continue };
        let value = if field.is_map() {
            Value::Map([(MapKey::String(marked("key")), value)].into())
        } else if field.is_list() {
            Value::List(vec![value])
        } else {
            value
        };
        made.set_field(&field, value);
    }
    made
}

fn value_of(field: &FieldDescriptor, depth: u32) -> Option<Value> {
    let kind = match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let key = entry.map_entry_key_field();
            assert!(matches!(key.kind(), Kind::String), "a map by something else");
            entry.map_entry_value_field().kind()
        }
        kind => kind,
    };
    match kind {
        // Queues and campaigns are words of the company.
        Kind::String if matches!(field.name(), "queue_id" | "campaign_id") => {
            Some(Value::String("nowhere".into()))
        }
        Kind::String => Some(Value::String(marked(field.name()))),
        Kind::Bytes => Some(Value::Bytes(Bytes::from(marked(field.name())))),
        Kind::Message(message) if depth > 0 => Some(Value::Message(nonsense(&message, depth - 1))),
        Kind::Enum(_) => Some(Value::EnumNumber(1)),
        Kind::Int32 => Some(Value::I32(7)),
        _ => None,
    }
}

/// Sends and takes bytes as they are.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, bytes: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put_slice(buffer, &bytes);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        let length = prost::bytes::Buf::remaining(buffer);
        prost::bytes::Buf::advance(buffer, length);
        Ok(Some(()))
    }
}

/// Calls a method with these bytes and this token. What is answered does not matter here.
async fn call(channel: &Channel, method: &MethodDescriptor, body: Vec<u8>, token: &str) {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let mut request = Request::new(tokio_stream::iter([body]));
    let headers = request.metadata_mut();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers.insert("x-remark", marked("header").parse().unwrap());
    headers.insert("traceparent", format!("00-{MARK}-01").parse().unwrap());
    headers.insert("tracestate", format!("vendor={MARK}").parse().unwrap());
    headers.insert("baggage", format!("user={MARK}").parse().unwrap());
    let path: http::uri::PathAndQuery = path.parse().unwrap();
    let streaming = grpc.streaming(request, path, Raw).await;
    if let Ok(mut answers) = streaming.map(tonic::Response::into_inner) {
        // A stream that never ends is not waited for.
        while matches!(answers.message().await, Ok(Some(()))) && !method.is_server_streaming() {}
    }
}

/// Calls every method with nonsense of several kinds. Gives the names of the methods.
async fn call_everything(channel: &Channel, token: &str) -> Vec<String> {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
    let mut called = Vec::new();
    for service in pool.services().filter(|one| one.package_name() == "nextlead.v1") {
        for method in service.methods() {
            let good = nonsense(&method.input(), 4).encode_to_vec();
            call(channel, &method, good.clone(), token).await;
            call(channel, &method, nonsense(&method.input(), 0).encode_to_vec(), token).await;
            call(channel, &method, good, &format!("{MARK}-token")).await;
            call(channel, &method, Vec::new(), token).await;
            call(channel, &method, marked("no protocol buffer").into_bytes(), token).await;
            called.push(format!("{}/{}", service.name(), method.name()));
        }
    }
    called
}

/// Looks for something in what was told; gives the lines that have it.
fn found<'t>(text: &'t str, what: &str) -> Vec<&'t str> {
    text.lines().filter(|line| line.contains(what)).collect()
}

async fn check(format: &str) {
    let folder = TempDir::new().unwrap();
    let (collector, url) = Collector::start().await;
    let options = [
        ["--log", "trace,h2=trace,hyper=trace,tonic=trace,sqlx=trace"],
        ["--log-format", format],
        ["--metrics-listen", "127.0.0.1:0"],
        ["--otlp-endpoint", &url],
    ];
    let node = Process::start_with(folder.path(), options.as_flattened());
    let (url, token) = (format!("http://{}", node.address()), node.token());
    let client = connect(&url, &token).await.unwrap();
    let mut secrets = work(&client).await;
    let channel = Endpoint::from_shared(url).unwrap().user_agent(marked("agent")).unwrap();
    let called = call_everything(&channel.connect().await.unwrap(), &token).await;
    let metrics_address = node.said["metrics_address"].as_str().unwrap().to_owned();
    let metrics = get(&metrics_address, "/metrics").await.body;
    Exposition::parse(&metrics).unwrap();
    let ready = get(&metrics_address, "/ready").await.body;
    drop(client);
    assert!(node.terminate());

    let log = std::fs::read_to_string(folder.path().join("serve.log")).unwrap();
    let traces = collector.text();
    secrets.extend([MARK, DIGITS[0], DIGITS[1], DIGITS[2], &token].map(ToOwned::to_owned));
    for (what, text) in
        [("log", &log), ("metrics", &metrics), ("health", &ready), ("traces", &traces)]
    {
        for secret in &secrets {
            let lines = found(text, secret);
            assert!(lines.is_empty(), "{secret:?} is in the {what} ({format}): {lines:#?}");
        }
    }
    // What is shown is found: the same looking, with a word that may be shown.
    assert!(!found(&log, CONTROL).is_empty() || !found(&metrics, CONTROL).is_empty());
    assert!(!found(&metrics, CONTROL).is_empty());
    for method in called {
        assert!(!found(&log, &method).is_empty(), "{method} is not in the log");
        assert!(!found(&metrics, &method).is_empty(), "{method} is not in the metrics");
        assert!(!found(&traces, &method).is_empty(), "{method} is not in the traces");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_about_a_person_is_told_in_text() {
    check("text").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_about_a_person_is_told_in_json() {
    check("json").await;
}

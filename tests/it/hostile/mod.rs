//! Malformed and hostile requests, at every method.
//!
//! They are made from the proto's descriptors: a good request of which a rule is broken that stands in
//! a field's comment, or bytes that are no message. Each must be answered at once, with a code that
//! blames the request and the name of the field, and must change nothing: the file is not even written
//! to. `NEXTLEAD_HOSTILE_COUNT` says how many a method gets, `NEXTLEAD_HOSTILE_SEED` which ones.

mod good;
mod random;
mod rules;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream;
use nextlead::api::proto;
use prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, MessageDescriptor, MethodDescriptor, ReflectMessage as _,
    Value,
};
use proto::import_row_result::Result as RowResult;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use tonic::codegen::{Bytes, http::uri::PathAndQuery};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::support::{TestNode, fields, reason};

use random::Random;
use rules::{CANARY, Expects, broken, rule_of};

/// How many requests a method gets unless told otherwise.
const COUNT_DEFAULT: usize = 60;
/// What every method takes, in bytes; some take more.
const SHORTEST_LENGTH_MAX: usize = 64 * 1_024;
/// No answer may take longer. Most take a millisecond.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// One request that must be refused.
struct Hostile {
    bytes: Vec<u8>,
    /// How it was made, for whoever reads a failure.
    made: String,
    wanted: Wanted,
}

enum Wanted {
    /// Bytes that are no message.
    Unreadable,
    /// One of these fields was broken.
    Fields(BTreeSet<String>),
    /// It names something that is not there.
    Absent,
    /// Its id was another request's.
    Reused,
}

/// What came back: an error, or an import's rows, all rejected.
#[derive(Debug)]
enum Answer {
    Refused(Status),
    Rejected(Vec<String>),
    Taken,
}

#[tokio::test]
async fn no_hostile_request_passes_at_any_method() {
    if crate::ground::is_without_file("no_hostile_request_passes_at_any_method") {
        return;
    }
    let seed = setting("NEXTLEAD_HOSTILE_SEED", 20_261_123);
    let count = setting("NEXTLEAD_HOSTILE_COUNT", COUNT_DEFAULT as u64);
    eprintln!("seed {seed}, {count} requests a method");
    let mut node = TestNode::start().await;
    let good = good::requests(&mut node).await;
    let door = Door::open(&node).await;
    let mut file = File::open(&node).await;
    let mut random = Random(seed);
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures: Vec<String> = Vec::new();
    let pool = wire::pool();
    let services = pool.services().filter(|one| one.full_name().starts_with("nextlead.v1."));
    let methods: Vec<_> = services.flat_map(|one| one.methods().collect::<Vec<_>>()).collect();
    for method in &methods {
        let good = good.get(method.name()).map(Vec::as_slice);
        for nth in 0..count {
            let hostile = make(method, good, &mut random);
            let (Some(hostile), true) = (hostile, good.is_some() || nth < count) else { break };
            let answer = tokio::time::timeout(ANSWER_WITHIN, door.ask(method, &hostile.bytes));
            let answer = answer.await.unwrap_or_else(|_| panic!("{} hangs", method.name()));
            let place = format!("seed {seed}, {} {nth}: {}", method.name(), hostile.made);
            match judge(&hostile, answer) {
                Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
                Err(wrong) => failures.push(format!("{place}: {wrong}")),
            }
            if !file.is_untouched().await {
                failures.push(format!("{place}: something was written"));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    file.is_the_same().await;
    node.audit().await;
    // Nothing but what was broken was wrong: as they were, the requests are taken, and write.
    for method in methods.iter().filter(|method| good.contains_key(method.name())) {
        let answer = door.ask(method, &good[method.name()]).await;
        assert!(matches!(answer, Answer::Taken), "{}: {answer:?}", method.name());
    }
    assert!(!file.is_untouched().await, "a change would have been seen");
    node.audit().await;
    let sum: usize = outcomes.values().sum();
    eprintln!("{} methods, {sum} requests: {outcomes:?}", methods.len());
    assert_eq!(sum, methods.len() * usize::try_from(count).unwrap());
}

/// A request that must be refused.
fn make(method: &MethodDescriptor, good: Option<&[u8]>, random: &mut Random) -> Option<Hostile> {
    let input = method.input();
    let plain = good.unwrap_or_default();
    let sites = sites(&DynamicMessage::decode(input.clone(), plain).unwrap(), "");
    let unruled = |site: &Site| site.rule.is_none_or(|rule| rule == rules::Rule::Free);
    let has_rules = good.is_some() && !sites.iter().all(unruled);
    if !has_rules || random.below(5) == 0 {
        let (made, bytes) = wire::spoilt(&input, plain, random);
        return Some(Hostile { bytes, made: made.to_owned(), wanted: Wanted::Unreadable });
    }
    if random.below(20) == 0 && good::REUSED.contains(&method.name()) {
        let mut message = DynamicMessage::decode(input, plain).unwrap();
        message.set_field_by_name("request_id", Value::String(good::USED.to_owned()));
        let bytes = message.encode_to_vec();
        return Some(Hostile { bytes, made: "a used request id".into(), wanted: Wanted::Reused });
    }
    let mut bytes = None;
    while bytes.is_none() {
        bytes = break_some(DynamicMessage::decode(input.clone(), plain).unwrap(), &sites, random);
    }
    bytes
}

/// Breaks one to three fields of a good request, none of which undoes what another broke.
fn break_some(mut message: DynamicMessage, sites: &[Site], random: &mut Random) -> Option<Hostile> {
    let mut chosen: Vec<(&Site, Expects)> = Vec::new();
    let mut made = Vec::new();
    for _ in 0..1 + random.below(3) {
        let site = random.pick(sites);
        if chosen.iter().any(|(other, _)| site.clashes_with(other)) {
            continue;
        }
        let Some((value, expects)) = site.rule.and_then(|rule| broken(rule, &site.field, random))
        else {
            continue;
        };
        let shown: String = format!("{value:?}").chars().take(60).collect();
        assert!(set(&mut message, &site.path, value), "{} is there", site.name);
        chosen.push((site, expects));
        made.push(format!("{} as {shown}", site.name));
    }
    let is_absent = chosen.iter().any(|(_, expects)| *expects == Expects::Absent);
    let mut bytes = message.encode_to_vec();
    if random.below(4) == 0 {
        // Nobody knows this field, and nobody minds it.
        bytes.extend([0xfa, 0x3e, 2, 0xff, 0]);
    }
    let names = chosen.iter().map(|(site, _)| site.name.clone()).collect();
    let wanted = if is_absent { Wanted::Absent } else { Wanted::Fields(names) };
    (!chosen.is_empty()).then(|| Hostile { bytes, made: made.join(", "), wanted })
}

/// A field of a request, wherever it stands.
struct Site {
    path: Vec<Step>,
    field: FieldDescriptor,
    name: String,
    rule: Option<rules::Rule>,
}

impl Site {
    /// Whether one of the two stands in the other, or takes its place.
    fn clashes_with(&self, other: &Self) -> bool {
        let (one, two) = (self.field.containing_oneof(), other.field.containing_oneof());
        let is_choice = one.is_some() && one == two;
        is_choice || self.name.starts_with(&other.name) || other.name.starts_with(&self.name)
    }
}

#[derive(Clone)]
enum Step {
    Field(FieldDescriptor),
    Element(usize),
}

/// All fields of a message, and of the messages that stand in it.
fn sites(message: &DynamicMessage, prefix: &str) -> Vec<Site> {
    let mut sites = Vec::new();
    for field in message.descriptor().fields() {
        let name = format!("{prefix}{}", field.name());
        let step = Step::Field(field.clone());
        sites.push(Site {
            path: vec![step.clone()],
            rule: rule_of(&field),
            name: name.clone(),
            field: field.clone(),
        });
        if !message.has_field(&field) {
            continue;
        }
        let mut within = |inner: &DynamicMessage, prefix: &str, steps: &[Step]| {
            for mut site in self::sites(inner, prefix) {
                site.path = [steps, &site.path].concat();
                sites.push(site);
            }
        };
        match message.get_field(&field).as_ref() {
            Value::Message(inner) if is_ours(&inner.descriptor()) => {
                within(inner, &format!("{name}."), &[step]);
            }
            Value::List(elements) => {
                for (nth, element) in elements.iter().enumerate() {
                    if let Value::Message(inner) = element {
                        let steps = [step.clone(), Step::Element(nth)];
                        within(inner, &format!("{name}[{nth}]."), &steps);
                    }
                }
            }
            _ => {}
        }
    }
    sites
}

fn is_ours(message: &MessageDescriptor) -> bool {
    message.full_name().starts_with("nextlead.v1.") && !message.is_map_entry()
}

/// Puts a value at a place, or takes the field away. `false` if the place is gone.
fn set(message: &mut DynamicMessage, path: &[Step], value: Option<Value>) -> bool {
    let (Step::Field(field), rest) =
        path.split_first().map(|(one, rest)| (one.clone(), rest)).unwrap()
    else {
        panic!("a path begins with a field")
    };
    if rest.is_empty() {
        match value {
            Some(value) => message.set_field(&field, value),
            None => message.clear_field(&field),
        }
        return true;
    }
    if !message.has_field(&field) {
        return false;
    }
    match (message.get_field_mut(&field), rest) {
        (Value::Message(inner), rest) => set(inner, rest, value),
        (Value::List(elements), [Step::Element(nth), rest @ ..]) => match elements.get_mut(*nth) {
            Some(Value::Message(inner)) => set(inner, rest, value),
            _ => false,
        },
        _ => false,
    }
}

/// The answer in a word, or what is wrong with it.
fn judge(hostile: &Hostile, answer: Answer) -> Result<String, String> {
    let status = match answer {
        Answer::Taken => return Err("was taken".to_owned()),
        Answer::Rejected(named) => {
            return if hostile.is_named(&named) {
                Ok("row rejected".to_owned())
            } else {
                Err(format!("a row is rejected for {named:?}"))
            };
        }
        Answer::Refused(status) => status,
    };
    let (code, why) = (status.code(), reason(&status));
    let details = String::from_utf8_lossy(status.details()).into_owned();
    let is_fine = match &hostile.wanted {
        Wanted::Unreadable => code == Code::InvalidArgument && why == "MESSAGE_INVALID",
        Wanted::Reused => code == Code::InvalidArgument && why == "REQUEST_REUSED",
        // Longer than this method takes.
        _ if code == Code::OutOfRange => hostile.bytes.len() > SHORTEST_LENGTH_MAX,
        Wanted::Fields(_) => code == Code::InvalidArgument && hostile.is_named(&fields(&status)),
        Wanted::Absent => match code {
            Code::InvalidArgument => !fields(&status).is_empty(),
            Code::NotFound | Code::FailedPrecondition | Code::PermissionDenied => !why.is_empty(),
            _ => false,
        },
    };
    if !is_fine || status.message().contains(CANARY) || details.contains(CANARY) {
        let named = fields(&status);
        return Err(format!("{code:?} {why}: {:.300}; names {named:?}", status.message()));
    }
    Ok(format!("{code:?} {why}"))
}

impl Hostile {
    /// Whether one of the broken fields is named, or what it stands in.
    fn is_named(&self, named: &[String]) -> bool {
        let Wanted::Fields(broken) = &self.wanted else { return true };
        broken.iter().any(|one| {
            let one = one.strip_prefix("rows[0].").unwrap_or(one);
            named.iter().any(|named| one.starts_with(named.as_str()) || named.starts_with(one))
        })
    }
}

/// The door of a node, for bytes.
struct Door {
    channel: Channel,
    token: MetadataValue<tonic::metadata::Ascii>,
}

impl Door {
    async fn open(node: &TestNode) -> Self {
        let token = std::fs::read_to_string(&node.node.token_file).unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{}", node.node.address)).unwrap();
        let channel = endpoint.tcp_nodelay(true).connect().await.unwrap();
        Self { channel, token: format!("Bearer {}", token.trim()).parse().unwrap() }
    }

    async fn ask(&self, method: &MethodDescriptor, bytes: &[u8]) -> Answer {
        let service = method.parent_service().full_name().to_owned();
        let path: PathAndQuery = format!("/{service}/{}", method.name()).parse().unwrap();
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        let bytes = Bytes::copy_from_slice(bytes);
        let answer = if method.is_client_streaming() || method.is_server_streaming() {
            let request = self.signed(stream::iter([bytes]));
            match client.streaming(request, path, wire::Raw).await {
                Ok(answers) => answers.into_inner().message().await.map(Option::unwrap_or_default),
                Err(status) => Err(status),
            }
        } else {
            client
                .unary(self.signed(bytes), path, wire::Raw)
                .await
                .map(|answer| answer.into_inner())
        };
        match answer {
            Err(status) => Answer::Refused(status),
            Ok(bytes) if method.name() == "ImportLeads" => rejected(&bytes),
            Ok(bytes) if method.name() == "ImportSuppressions" => rejected_wishes(&bytes),
            Ok(_) => Answer::Taken,
        }
    }

    fn signed<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request
    }
}

/// The fields that the rejections of a batch name, if no row was taken.
fn rejected(bytes: &Bytes) -> Answer {
    let answer = proto::ImportLeadsResponse::decode(bytes.clone()).unwrap();
    let mut named = Vec::new();
    for row in answer.rows {
        let Some(RowResult::Rejection(rejection)) = row.result else { return Answer::Taken };
        named.extend(named_by(rejection));
    }
    Answer::Rejected(named)
}

/// The same of a batch of suppressions, which names the rejected rows alone.
fn rejected_wishes(bytes: &Bytes) -> Answer {
    let answer = proto::ImportSuppressionsResponse::decode(bytes.clone()).unwrap();
    if answer.rejected_count == 0 || answer.suppressed_count + answer.known_count > 0 {
        return Answer::Taken;
    }
    let rejections = answer.rejections.into_iter();
    Answer::Rejected(rejections.flat_map(|row| named_by(row.rejection.unwrap())).collect())
}

fn named_by(rejection: proto::RowRejection) -> Vec<String> {
    let told = format!("{rejection:?}");
    assert!(!told.contains(CANARY), "a rejection repeats a value: {}", rejection.reason);
    rejection.problems.into_iter().map(|problem| problem.field).collect()
}

/// The node's file, seen from outside.
struct File {
    reader: SqliteConnection,
    version: i64,
    before: BTreeMap<String, Vec<String>>,
}

impl File {
    async fn open(node: &TestNode) -> Self {
        let path = node.folder.path().join("nextlead.db");
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let mut reader = options.connect().await.unwrap();
        let before = Self::rows(&mut reader).await;
        let version = Self::version(&mut reader).await;
        Self { reader, version, before }
    }

    /// Changes whenever another connection commits anything.
    async fn version(reader: &mut SqliteConnection) -> i64 {
        sqlx::query_scalar("PRAGMA data_version").fetch_one(reader).await.unwrap()
    }

    /// All rows of all tables, as text.
    async fn rows(reader: &mut SqliteConnection) -> BTreeMap<String, Vec<String>> {
        let mut all = BTreeMap::new();
        let tables =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let mut reading = reader.begin().await.unwrap();
        let tables: Vec<String> =
            sqlx::query_scalar(tables).fetch_all(&mut *reading).await.unwrap();
        for table in tables {
            let columns = format!("SELECT name FROM pragma_table_info('{table}')");
            let columns: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(columns))
                .fetch_all(&mut *reading)
                .await
                .unwrap();
            let columns: Vec<String> = columns.iter().map(|one| format!("quote({one})")).collect();
            let rows = format!("SELECT {} FROM {table}", columns.join(" || ',' || "));
            let rows =
                sqlx::query(sqlx::AssertSqlSafe(rows)).fetch_all(&mut *reading).await.unwrap();
            let mut rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            rows.sort();
            all.insert(table, rows);
        }
        all
    }

    /// Whether nothing was committed since this was last asked.
    async fn is_untouched(&mut self) -> bool {
        let version = Self::version(&mut self.reader).await;
        std::mem::replace(&mut self.version, version) == version
    }

    async fn is_the_same(&mut self) {
        let after = Self::rows(&mut self.reader).await;
        for (table, rows) in &self.before {
            let is_new = |row: &&String| !rows.contains(row);
            let new: Vec<_> = after[table].iter().filter(is_new).collect();
            assert!(new.is_empty() && after[table].len() == rows.len(), "{table}: {new:?}");
        }
    }
}

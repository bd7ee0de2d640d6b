//! Every method of every service, by every kind of caller, on things that are there and that are not.
//!
//! The table below is written by hand, apart from the one in the source that it checks. The methods
//! come from the descriptors, so that one without a row fails.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nextlead::api::proto;
use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};
use proto::Role;
use tonic::Code;

use super::calls::{Answer, call};
use super::valid_for;
use crate::support::{TestNode, lead};

/// Who may call what, as people agreed on it. Each method with the roles that it is open to, besides
/// the admin, to whom all are; `*` is everybody, with no token at all.
const AGREED: &[(&str, &str)] = &[
    ("nextlead.v1.RepService/NextLead", "rep"),
    ("nextlead.v1.RepService/RenewLease", "rep"),
    ("nextlead.v1.RepService/ReleaseLease", "rep"),
    ("nextlead.v1.RepService/RateLead", "rep"),
    ("nextlead.v1.RepService/RecordTouch", "rep"),
    ("nextlead.v1.RepService/ListCallbacks", "rep manager"),
    ("nextlead.v1.IntakeService/UpsertCampaign", "intake"),
    ("nextlead.v1.IntakeService/PauseCampaign", "intake manager"),
    ("nextlead.v1.IntakeService/ListCampaigns", "intake manager marketing"),
    ("nextlead.v1.IntakeService/UpsertLead", "intake"),
    ("nextlead.v1.IntakeService/ImportLeads", "intake"),
    ("nextlead.v1.IntakeService/RecordEngagement", "intake"),
    ("nextlead.v1.IntakeService/RecordOutcome", "intake"),
    ("nextlead.v1.IntakeService/SuppressContact", "intake manager"),
    ("nextlead.v1.IntakeService/ImportSuppressions", "intake manager"),
    ("nextlead.v1.IntakeService/ListSuppressions", "intake manager"),
    ("nextlead.v1.IntakeService/EraseLead", "intake"),
    ("nextlead.v1.RulesService/CheckRules", "manager"),
    ("nextlead.v1.RulesService/PublishRules", "manager"),
    ("nextlead.v1.RulesService/ListRuleVersions", "manager"),
    ("nextlead.v1.QueueService/UpsertQueue", "manager"),
    ("nextlead.v1.QueueService/ListQueues", "manager marketing"),
    ("nextlead.v1.QueueService/UpsertRep", "manager"),
    ("nextlead.v1.QueueService/ListReps", "manager"),
    ("nextlead.v1.QueueService/AssignLead", "manager"),
    ("nextlead.v1.QueueService/TransferLead", "manager"),
    ("nextlead.v1.QueueService/PeekQueue", "manager"),
    ("nextlead.v1.QueueService/ExplainLead", "manager"),
    ("nextlead.v1.QueueService/TraceLead", "manager"),
    ("nextlead.v1.CoverageService/GetCoverage", "marketing manager"),
    ("nextlead.v1.CoverageService/GetQuality", "marketing manager"),
    ("nextlead.v1.CoverageService/GetSkips", "marketing manager"),
    ("nextlead.v1.CoverageService/ListUncontacted", "marketing manager"),
    ("nextlead.v1.CoverageService/ListUnroutable", "marketing manager"),
    ("nextlead.v1.CoverageService/ExportLeads", "marketing manager"),
    ("nextlead.v1.CoverageService/ExportTouches", "marketing manager"),
    ("nextlead.v1.CoverageService/AuditLedger", "marketing manager"),
    ("nextlead.v1.AdminService/CreateToken", ""),
    ("nextlead.v1.AdminService/RevokeToken", ""),
    ("nextlead.v1.AdminService/ListTokens", ""),
    ("nextlead.v1.AdminService/Backup", ""),
    ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "rep manager marketing intake"),
    ("grpc.health.v1.Health/Check", "*"),
    ("grpc.health.v1.Health/Watch", "*"),
];

/// What a cell is expected to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    /// The gate lets the call pass; what then becomes of it is another matter.
    Passes,
    /// Nobody knows the token.
    Unknown,
    /// The role does not open the method.
    Denied,
    /// A rep names another rep.
    OtherRep,
}

/// Who calls: a name, the role that counts (none, if nobody should know the token), and the header.
struct Column {
    name: &'static str,
    role: Option<&'static str>,
    header: Option<String>,
}

/// What the messages name.
struct Names {
    rep: String,
    queue: String,
    campaign: String,
    lead: String,
    token: String,
}

#[tokio::test]
async fn every_role_on_every_method_is_as_agreed() {
    let mut node = TestNode::start().await;
    node.put_queue("service", "always").await;
    node.put_rep("bob", "service", &[]).await;
    let there = names_of_what_is_there(&mut node).await;
    let not_there = Names {
        rep: "nobody".into(),
        queue: "nowhere".into(),
        campaign: "never".into(),
        lead: "999999".into(),
        token: "0123456789abcdef".into(),
    };
    let columns = columns(&mut node).await;
    let pool = pool();
    let agreed: BTreeMap<&str, &str> = AGREED.iter().copied().collect();
    let methods: Vec<_> =
        pool.services().flat_map(|one| one.methods().collect::<Vec<_>>()).collect();
    let names: BTreeSet<String> = methods.iter().map(|one| path_of(one.full_name())).collect();
    let rows: BTreeSet<String> = agreed.keys().map(|path| (*path).to_owned()).collect();
    assert_eq!(names, rows, "each method has its row, and each row its method");

    let mut seen: BTreeMap<Cell, Vec<Answer>> = BTreeMap::new();
    let mut cell_count = 0;
    for method in &methods {
        let path = path_of(method.full_name());
        for column in &columns {
            for object in [&there, &not_there] {
                let expected = expected(agreed[path.as_str()], column, method.input(), object);
                let message = message(&method.input(), object, 0).encode_to_vec();
                let header: Vec<&str> = column.header.iter().map(String::as_str).collect();
                let answer = call(&node.channel, &format!("/{path}"), &header, message).await;
                check(&path, column, expected, &answer);
                seen.entry(expected).or_default().push(answer);
                cell_count += 1;
            }
        }
    }
    let counts: Vec<_> = seen.iter().map(|(cell, answers)| (*cell, answers.len())).collect();
    // Of a refusal there is one kind, whatever was asked for and by whatever token.
    for (cell, answers) in seen.iter().filter(|(cell, _)| **cell != Cell::Passes) {
        let differing = answers.iter().find(|answer| **answer != answers[0]);
        assert_eq!(differing, None, "{cell:?} differs from {:?}", answers[0]);
    }
    eprintln!(
        "{} methods x {} callers x 2 objects = {cell_count} cells: {counts:?}",
        methods.len(),
        columns.len()
    );
    assert_eq!(cell_count, methods.len() * columns.len() * 2);
    node.audit().await;
}

#[tokio::test]
async fn a_method_that_nobody_knows_is_the_admin_s_alone() {
    let mut node = TestNode::start().await;
    for column in columns(&mut node).await {
        for path in ["/nextlead.v1.RepService/Unheard", "/other.Service/Method"] {
            let header: Vec<&str> = column.header.iter().map(String::as_str).collect();
            let answer = call(&node.channel, path, &header, Vec::new()).await;
            let code = match column.role {
                None => Code::Unauthenticated,
                Some("admin") => Code::Unimplemented,
                Some(_) => Code::PermissionDenied,
            };
            assert_eq!(answer.code, code, "{path} by {}", column.name);
        }
    }
}

fn check(path: &str, column: &Column, expected: Cell, answer: &Answer) {
    let reason = answer.reason.as_str();
    let is_as_expected = match expected {
        Cell::Unknown => (answer.code, reason) == (Code::Unauthenticated, "TOKEN_INVALID"),
        Cell::Denied => (answer.code, reason) == (Code::PermissionDenied, "ROLE_DENIED"),
        Cell::OtherRep => (answer.code, reason) == (Code::PermissionDenied, "OTHER_REP"),
        Cell::Passes => {
            answer.code != Code::Unauthenticated
                && answer.code != Code::Unimplemented
                && !["TOKEN_INVALID", "ROLE_DENIED", "OTHER_REP"].contains(&reason)
        }
    };
    assert!(is_as_expected, "{path} by {}: expected {expected:?}, got {answer:?}", column.name);
}

fn expected(roles: &str, column: &Column, input: MessageDescriptor, object: &Names) -> Cell {
    let is_open = |role| role == "admin" || roles.split(' ').any(|one| one == role);
    match column.role {
        _ if roles == "*" => Cell::Passes,
        None => Cell::Unknown,
        Some(role) if !is_open(role) => Cell::Denied,
        // Who is a rep may name themselves, and nobody else.
        Some("rep") if input.get_field_by_name("rep_id").is_some() => {
            match column.name == "the rep" && object.rep == "ann" {
                true => Cell::Passes,
                false => Cell::OtherRep,
            }
        }
        Some(_) => Cell::Passes,
    }
}

/// Everything that is served, with its descriptors.
fn pool() -> DescriptorPool {
    let mut pool = DescriptorPool::new();
    for set in [
        proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    ] {
        pool.decode_file_descriptor_set(set).unwrap();
    }
    pool
}

/// `package.Service.Method` as it stands in a path.
fn path_of(name: &str) -> String {
    let (service, method) = name.rsplit_once('.').unwrap();
    format!("{service}/{method}")
}

/// A message that names an object in every field that names one.
fn message(of: &MessageDescriptor, names: &Names, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for field in of.fields().filter(|field| !field.is_list() && !field.is_map()) {
        if let Some(value) = value(&field, names, depth) {
            message.set_field(&field, value);
        }
    }
    message
}

fn value(field: &FieldDescriptor, names: &Names, depth: usize) -> Option<Value> {
    let named = match (field.name(), field.kind()) {
        ("rep_id", Kind::String) => &names.rep,
        ("queue_id", Kind::String) => &names.queue,
        ("campaign_id", Kind::String) => &names.campaign,
        ("lead_id", Kind::String) => &names.lead,
        ("token_id", Kind::String) => &names.token,
        (_, Kind::Message(inner)) if inner.package_name() == "nextlead.v1" && depth < 3 => {
            // Of the two ways to name a lead, the id.
            let is_key = inner.name() == "HandoverKey" && field.containing_oneof().is_some();
            let inner = message(&inner, names, depth + 1);
            return (!is_key).then_some(Value::Message(inner));
        }
        _ => return None,
    };
    Some(Value::String(named.clone()))
}

async fn names_of_what_is_there(node: &mut TestNode) -> Names {
    let lead = node.hand_over(lead(1)).await;
    let (token, _) = node.make_token(Role::Intake, "").await;
    let [rep, queue, campaign] = ["ann", "sales", "spring"].map(String::from);
    Names { rep, queue, campaign, lead, token }
}

/// One of each kind of caller. Those whom nobody should know had every right before.
async fn columns(node: &mut TestNode) -> Vec<Column> {
    node.put_queue("elsewhere", "always").await;
    node.put_rep("eve", "elsewhere", &[]).await;
    let mut columns = Vec::new();
    let mut add = |name, role, text: Option<String>| {
        let header = text.map(|text| format!("Bearer {text}"));
        columns.push(Column { name, role, header });
    };
    add("nobody", None, None);
    add("a wrong token", None, Some(format!("nl_{}", "0".repeat(64))));
    let (_, text) = node.make_token(Role::Admin, "").await;
    add("half a token", None, Some(text[..text.len() / 2].to_owned()));
    add("an admin", Some("admin"), Some(text));
    let (id, text) = node.make_token(Role::Admin, "").await;
    node.revoke(&id).await;
    add("a revoked admin", None, Some(text));
    add("an expired admin", None, Some(expired(node).await));
    let admin_file = std::fs::read_to_string(&node.node.token_file).unwrap().trim().to_owned();
    add("the admin's file", Some("admin"), Some(admin_file));
    for (name, role, word, rep) in [
        ("the rep", Role::Rep, "rep", "ann"),
        ("a rep of another queue", Role::Rep, "rep", "eve"),
        ("a manager", Role::Manager, "manager", ""),
        ("marketing", Role::Marketing, "marketing", ""),
        ("intake", Role::Intake, "intake", ""),
    ] {
        let (_, text) = node.make_token(role, rep).await;
        add(name, Some(word), Some(text));
    }
    columns
}

async fn expired(node: &mut TestNode) -> String {
    let request = proto::CreateTokenRequest {
        name: "short".into(),
        role: Role::Admin.into(),
        validity: Some(valid_for(Duration::from_millis(1))),
        ..Default::default()
    };
    let made = node.admin.create_token(request).await.unwrap().into_inner();
    node.clock.advance(1);
    made.token_text
}

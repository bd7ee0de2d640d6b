//! The door as a client finds it: a server on a free port over a real store, with a clock moved by
//! hand. What each use case does is tested elsewhere; here each method is called once.

use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::auth::AdminToken;
use crate::clock::ManualClock;
use crate::dialer::{Among, random_tokens};
use crate::queue::MemoryQueue;
use crate::store::{SqliteStore, Store};

use super::client::{Client, connect};
use super::proto::*;
use super::*;

const NOW: i64 = 1_700_000_000_000;
const RULES: &str = "queue = \"inside\"\n[[value]]\nname = \"all\"\npoints = 5\n";

struct Door {
    url: String,
    token: String,
    _folder: TempDir,
    _stop: oneshot::Sender<()>,
}

impl Door {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nextlead.db");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&file).await.unwrap());
        let clock = Arc::new(ManualClock::at(NOW));
        let queue = Arc::new(MemoryQueue::new());
        let dialer =
            Dialer::start(store.clone(), queue, clock.clone(), random_tokens(), Among::Alone)
                .await
                .unwrap();
        let token = AdminToken::in_file(file.with_extension("admin-token")).unwrap();
        let text = std::fs::read_to_string(token.file()).unwrap();
        let access = Arc::new(Access::start(token, store.clone(), NOW).await.unwrap());
        let coverage = Coverage::new(store, clock);
        let (health, metrics) = (Health::default(), CallMetrics::default());
        health.set("store", None, NOW);
        let services = Services { dialer, coverage, access, health, metrics };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(serve(listener, services, FrontOptions::default(), async {
            stopped.await.ok();
        }));
        Self { url, token: text, _folder: folder, _stop: stop }
    }

    async fn client(&self) -> Client {
        connect(&self.url, &self.token).await.unwrap()
    }
}

fn lead(nth: i64) -> Lead {
    let key = HandoverKey {
        source_system: "crm".into(),
        external_id: nth.to_string(),
        campaign_id: "fair".into(),
    };
    Lead {
        handover_key: Some(key),
        name: format!("Lead {nth}"),
        numbers: vec![LeadNumber { number: format!("+1202555{nth:04}"), stopped_by: 0 }],
        time_zone: "Europe/Berlin".into(),
        ..Default::default()
    }
}

async fn set_up(client: &Client) {
    let queue = Some(Queue {
        queue_id: "inside".into(),
        time_zone: "Europe/Berlin".into(),
        hours: "always".into(),
        // The clock shows eleven at night where these made-up leads live.
        calling_law: crate::api::proto::CallingLaw::Exempt.into(),
        ..Default::default()
    });
    let mut queues = client.queues();
    queues.upsert_queue(UpsertQueueRequest { queue, ..Default::default() }).await.unwrap();
    let (rep_id, queue_id) = ("ann".to_owned(), "inside".to_owned());
    let rep = Some(Rep { rep_id, queue_id, ..Default::default() });
    queues.upsert_rep(UpsertRepRequest { rep, ..Default::default() }).await.unwrap();
    let (campaign_id, queue_id) = ("fair".to_owned(), "inside".to_owned());
    let campaign = Some(Campaign { campaign_id, queue_id, ..Default::default() });
    let request = UpsertCampaignRequest { campaign, ..Default::default() };
    client.intake().upsert_campaign(request).await.unwrap();
}

async fn import(client: &Client, leads: Vec<Lead>) -> ImportLeadsResponse {
    let rows = (1..).zip(leads);
    let rows = rows.map(|(row_number, lead)| ImportRow { row_number, lead: Some(lead) }).collect();
    let batches =
        tokio_stream::once(ImportLeadsRequest { batch_number: 1, rows, ..Default::default() });
    let mut answers = client.intake().import_leads(batches).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    assert!(answers.message().await.unwrap().is_none());
    answer
}

fn check(status: Status, code: Code, reason: &str) {
    assert_eq!(status.code(), code);
    assert_eq!(status.get_details_error_info().unwrap().reason, reason);
}

#[tokio::test]
async fn without_the_token_only_health_answers() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    let door = Door::open().await;
    let stranger = connect(&door.url, "guess").await.unwrap();
    let status = stranger.queues().list_queues(ListQueuesRequest::default()).await.unwrap_err();
    check(status, Code::Unauthenticated, "TOKEN_INVALID");
    let status = import_as_stranger(&stranger).await;
    check(status, Code::Unauthenticated, "TOKEN_INVALID");
    let channel = tonic::transport::Channel::from_shared(door.url.clone()).unwrap();
    let mut health = HealthClient::new(channel.connect().await.unwrap());
    let health = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(health.status(), tonic_health::pb::health_check_response::ServingStatus::Serving);
}

async fn import_as_stranger(stranger: &Client) -> Status {
    let batches = tokio_stream::once(ImportLeadsRequest::default());
    stranger.intake().import_leads(batches).await.map(|_| ()).unwrap_err()
}

#[tokio::test]
async fn a_lead_goes_from_its_handover_to_its_touch() {
    let door = Door::open().await;
    let client = door.client().await;
    set_up(&client).await;
    let answer = import(&client, vec![lead(1), lead(2), Lead::default()]).await;
    assert_eq!((answer.opened_count, answer.rejected_count), (2, 1));

    let rep_id = "ann".to_owned();
    let pull = NextLeadRequest { rep_id: rep_id.clone(), ..Default::default() };
    let pulled = client.reps().next_lead(pull).await.unwrap().into_inner();
    let Some(next_lead_response::Answer::Served(served)) = pulled.answer else {
        panic!("nothing was served")
    };
    assert!(served.remaining_duration.unwrap().seconds > 0);
    let held = served.lead.unwrap();
    let touch = RecordTouchRequest {
        rep_id,
        lead: Some(LeadRef { name: Some(lead_ref::Name::HandoverKey(held.handover_key.unwrap())) }),
        touch_id: "t1".into(),
        lease_token: served.lease_token,
        channel: Channel::Call.into(),
        direction: Direction::Outbound.into(),
        number: held.numbers[0].number.clone(),
        start_time: Some(convert::time(NOW)),
        end_time: Some(convert::time(NOW)),
        disposition: Disposition::Sale.into(),
        then_next: true,
        ..Default::default()
    };
    let recorded = client.reps().record_touch(touch.clone()).await.unwrap().into_inner();
    assert!(!recorded.late && !recorded.replayed);
    let Some(record_touch_response::Next::NextServed(next)) = recorded.next else {
        panic!("no next lead")
    };
    assert_ne!(next.lead.unwrap().lead_id, held.lead_id);
    let again = client.reps().record_touch(touch.clone()).await.unwrap().into_inner();
    assert!(again.replayed);
    let other = RecordTouchRequest { notes: "other".into(), ..touch };
    let status = client.reps().record_touch(other).await.unwrap_err();
    check(status, Code::InvalidArgument, "REQUEST_REUSED");

    let books = client.coverage().get_coverage(GetCoverageRequest::default()).await.unwrap();
    let book = &books.get_ref().books[0];
    assert_eq!((book.handed_over_count, book.leased_count, book.touched_count), (2, 1, 1));
    let audit = client.coverage().audit_ledger(AuditLedgerRequest {}).await.unwrap();
    assert_eq!(audit.get_ref().imbalance, 0);
}

#[tokio::test]
async fn a_manager_sees_the_queue_and_why() {
    let door = Door::open().await;
    let client = door.client().await;
    set_up(&client).await;
    import(&client, (1..=3).map(lead).collect()).await;
    let mut queues = client.queues();
    let peek = PeekQueueRequest { queue_id: "inside".into(), place_count: 2 };
    let peek = queues.peek_queue(peek).await.unwrap().into_inner();
    assert_eq!((peek.ready_count, peek.places.len()), (3, 2));
    let first = peek.places[0].lead.clone().unwrap();
    assert_eq!(first.handover_key.unwrap().campaign_id, "fair");

    let name = Some(LeadRef { name: Some(lead_ref::Name::LeadId(first.lead_id)) });
    let explain = ExplainLeadRequest { lead: name.clone(), ..Default::default() };
    let explanation = queues.explain_lead(explain).await.unwrap().into_inner();
    assert_eq!(explanation.place.unwrap().ready_count, 3);
    let trace = TraceLeadRequest { lead: name, ..Default::default() };
    let trace = queues.trace_lead(trace).await.unwrap().into_inner();
    assert_eq!(trace.events[0].kind(), LeadEventKind::Opened);

    let page = ListUncontactedRequest { page_size: 2, ..Default::default() };
    let first = client.coverage().list_uncontacted(page.clone()).await.unwrap().into_inner();
    let page = ListUncontactedRequest { page_token: first.next_page_token, ..page };
    let second = client.coverage().list_uncontacted(page).await.unwrap().into_inner();
    assert_eq!((first.leads.len(), second.leads.len()), (2, 1));
    assert_eq!(second.next_page_token, "");
}

#[tokio::test]
async fn rules_are_checked_published_and_listed() {
    let door = Door::open().await;
    let client = door.client().await;
    set_up(&client).await;
    let mut rules = client.rules();
    let text = RULES.replace("points = 5", "points = 'nothing'");
    let checked = rules.check_rules(CheckRulesRequest { text: text.clone() }).await.unwrap();
    assert_eq!(checked.get_ref().mistakes[0].line, 4);
    let publication = PublishRulesRequest {
        queue_id: "inside".into(),
        text,
        reason: "a try".into(),
        wait: true,
        request_id: String::new(),
    };
    let status = rules.publish_rules(publication.clone()).await.unwrap_err();
    check(status, Code::InvalidArgument, "RULES_INVALID");
    let publication = PublishRulesRequest { text: RULES.into(), ..publication };
    for _ in 0..2 {
        rules.publish_rules(publication.clone()).await.unwrap();
    }
    let list =
        ListRuleVersionsRequest { queue_id: "inside".into(), page_size: 1, ..Default::default() };
    let first = rules.list_rule_versions(list.clone()).await.unwrap().into_inner();
    let next = ListRuleVersionsRequest { page_token: first.next_page_token, ..list };
    let second = rules.list_rule_versions(next).await.unwrap().into_inner();
    assert_eq!(first.rule_versions[0].state(), RuleVersionState::InForce);
    assert_eq!((second.rule_versions[0].version, second.next_page_token.as_str()), (1, ""));
}

#[tokio::test]
async fn many_bad_fields_reach_the_client_in_one_answer() {
    let door = Door::open().await;
    let client = door.client().await;
    set_up(&client).await;
    let bad = Lead { skills: vec![String::new(); 32], country: "?".repeat(4_000), ..lead(1) };
    let request = UpsertLeadRequest { lead: Some(bad), ..Default::default() };
    let status = client.intake().upsert_lead(request).await.unwrap_err();
    assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 33);
    check(status, Code::InvalidArgument, "FIELD_INVALID");
    let contact = Some(suppress_contact_request::Contact::Number("+12025550001".into()));
    let source = "letter".to_owned();
    let request = SuppressContactRequest { contact, source, ..Default::default() };
    let suppressed = client.intake().suppress_contact(request).await.unwrap().into_inner();
    assert!(!suppressed.known_before);
}

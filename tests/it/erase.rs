//! Erasure through the API: nothing of a person is left in the files, and the books stay as they are.

use std::path::Path;
use std::time::Duration;

use nextlead::api::proto;
use tokio_stream::StreamExt as _;

use crate::support::{MINUTE_MS, TestNode, by_id, lead, reason};
use crate::two_nodes::within;

const PERSON_COUNT: u32 = 1_000;
/// In every personal text, and at the head of every personal number.
const CANARY: &str = "qzCanary";
const NUMBER_CANARY: &str = "+1888777";

fn person(nth: u32) -> proto::Lead {
    let text = |field: &str| format!("{CANARY}-{field}-{nth}");
    let value = proto::attribute_value::Value::StringValue(text("attribute"));
    let attribute = proto::AttributeValue { value: Some(value) };
    let number = proto::LeadNumber { number: format!("{NUMBER_CANARY}{nth:04}"), stopped_by: 0 };
    let mut person = lead(nth);
    person.handover_key.as_mut().unwrap().external_id = text("id");
    person.name = text("name");
    person.company = text("company");
    person.email = format!("{}@x.example", text("email"));
    person.region = text("region");
    person.stage = text("stage");
    person.trigger = text("trigger");
    person.numbers = vec![number];
    person.attributes.insert(text("key"), attribute);
    person
}

async fn import(node: &mut TestNode, leads: Vec<proto::Lead>) -> proto::ImportLeadsResponse {
    let rows = leads.into_iter().zip(0..);
    let rows = rows.map(|(lead, row_number)| proto::ImportRow { row_number, lead: Some(lead) });
    let batch = proto::ImportLeadsRequest { rows: rows.collect(), ..Default::default() };
    let answers = node.intake.import_leads(tokio_stream::once(batch)).await.unwrap();
    answers.into_inner().next().await.unwrap().unwrap()
}

fn lead_ids(answer: &proto::ImportLeadsResponse) -> Vec<String> {
    let taken = answer.rows.iter().filter_map(|row| match row.result.as_ref().unwrap() {
        proto::import_row_result::Result::Taken(taken) => Some(taken.lead_id.clone()),
        _ => None,
    });
    taken.collect()
}

async fn erase(node: &mut TestNode, lead: proto::LeadRef) -> proto::EraseLeadResponse {
    let request = proto::EraseLeadRequest { lead: Some(lead), request_id: String::new() };
    node.intake.erase_lead(request).await.unwrap().into_inner()
}

async fn coverage(node: &mut TestNode) -> proto::Book {
    let request = proto::GetCoverageRequest::default();
    let answer = node.coverage.get_coverage(request).await.unwrap().into_inner();
    let [book] = answer.books.as_slice() else { panic!("{answer:?}") };
    book.clone()
}

/// The files of a folder in which one of the canaries stands.
fn files_with_canaries(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let has = |canary: &str| bytes.windows(canary.len()).any(|part| part == canary.as_bytes());
        if has(CANARY) || has(&CANARY.to_lowercase()) || has(NUMBER_CANARY) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

/// Fills a node with persons who were merged, changed, called and suppressed; gives their leads.
async fn fill(node: &mut TestNode) -> Vec<String> {
    let persons: Vec<_> = (0..PERSON_COUNT).map(person).collect();
    let leads = lead_ids(&import(node, persons.clone()).await);
    assert_eq!(leads.len(), PERSON_COUNT as usize);
    // Some are handed over again from elsewhere, and merged; some come with new facts.
    let again = persons.iter().step_by(10).cloned().map(|mut person| {
        person.handover_key.as_mut().unwrap().external_id.push_str("-again");
        person.language = "de".into();
        person
    });
    let changed = persons.iter().skip(5).step_by(10).cloned().map(|mut person| {
        person.name.push_str(" changed to something much longer than it was before");
        person
    });
    let answer = import(node, again.chain(changed).collect()).await;
    assert_eq!((answer.merged_count, answer.updated_count), (100, 100));
    for nth in 0..20 {
        let served = node.pull_lead("ann").await;
        let how = match nth % 4 {
            0 => proto::Disposition::DoNotCall,
            1 => proto::Disposition::WrongNumber,
            _ => proto::Disposition::NoAnswer,
        };
        let mut touch = node.touch_of("ann", &served, how);
        touch.notes = format!("{CANARY} said that she is ill");
        node.reps.record_touch(touch).await.unwrap();
    }
    let email = proto::suppress_contact_request::Contact::Email(persons[500].email.clone());
    let request = proto::SuppressContactRequest {
        contact: Some(email),
        source: "letter".into(),
        ..Default::default()
    };
    assert_eq!(node.intake.suppress_contact(request).await.unwrap().into_inner().closed_count, 1);
    leads
}

#[tokio::test]
async fn nothing_of_a_thousand_erased_persons_is_left_in_the_files() {
    if crate::ground::is_without_file("nothing_of_a_thousand_erased_persons_is_left_in_the_files") {
        return;
    }
    let mut node = TestNode::start().await;
    let leads = fill(&mut node).await;
    let stranger = node.hand_over(lead(7)).await;
    assert!(!files_with_canaries(node.folder.path()).is_empty(), "the canaries were there");
    let before = coverage(&mut node).await;

    for lead in &leads {
        assert!(!erase(&mut node, by_id(lead)).await.erased_before);
    }
    // The log is emptied beside the commits: each sweep's commit looks whether that is done.
    let log = node.folder.path().join("nextlead.db-wal");
    within(Duration::from_secs(60), async || {
        node.node.dialer().sweep(10).await.unwrap();
        std::fs::metadata(&log).unwrap().len() == 0
    })
    .await;

    assert_eq!(files_with_canaries(node.folder.path()), [""; 0]);
    let after = coverage(&mut node).await;
    assert_eq!((after.erased_count, after.ready_count), (i64::from(PERSON_COUNT), 1));
    assert_eq!(after.handed_over_count, before.handed_over_count);
    assert_eq!(
        (after.merged_count, after.touched_count),
        (before.merged_count, before.touched_count)
    );
    assert_eq!(after.imbalance, 0);
    assert_eq!(node.standing(&stranger).await, "ready");
    node.audit().await;
    // A nightly synchronisation brings nobody back, and whoever said never is still known.
    let again = import(&mut node, vec![person(1), person(2), lead(8)]).await;
    assert_eq!((again.rejected_count, again.opened_count), (2, 1));
    let mut elsewhere = person(500);
    elsewhere.handover_key.as_mut().unwrap().external_id = "new".into();
    elsewhere.numbers[0].number = "+12025550199".into();
    let again = import(&mut node, vec![elsewhere]).await;
    let Some(proto::import_row_result::Result::Taken(taken)) = &again.rows[0].result else {
        panic!("{again:?}")
    };
    assert!(taken.suppressed);
    node.audit().await;
}

#[tokio::test]
async fn an_erased_lead_tells_that_it_is_erased_and_nothing_else() {
    let mut node = TestNode::start().await;
    let id = node.hand_over(person(1)).await;
    let key = person(1).handover_key.unwrap();
    let served = node.pull_lead("ann").await;
    let by_key = proto::LeadRef { name: Some(proto::lead_ref::Name::HandoverKey(key)) };

    let erased = erase(&mut node, by_key.clone()).await;

    assert_eq!((erased.lead_id.as_str(), erased.erased_before), (id.as_str(), false));
    assert_eq!(node.standing(&id).await, "erased");
    let explained = node.explain(&id).await;
    let kinds: Vec<_> = explained.obstacles.iter().map(proto::Obstacle::kind).collect();
    assert_eq!(kinds, [proto::ObstacleKind::Erased]);
    assert_eq!(explained.next_servable_time, None);
    assert!(!format!("{explained:?}").contains(CANARY));
    // The rep's hands are empty, and what they did still counts.
    let mut touch = node.touch_of("ann", &served, proto::Disposition::NoAnswer);
    touch.notes = format!("{CANARY} moved away");
    assert!(node.reps.record_touch(touch).await.unwrap().into_inner().late);
    node.pull_nothing("ann").await;
    let request = proto::TraceLeadRequest { lead: Some(by_key.clone()), ..Default::default() };
    let trace = node.queues.trace_lead(request).await.unwrap().into_inner();
    let kinds: Vec<_> = trace.events.iter().map(proto::LeadEvent::kind).collect();
    use proto::LeadEventKind as Kind;
    assert_eq!(kinds, [Kind::Opened, Kind::Leased, Kind::Erased, Kind::Noted]);
    assert!(!format!("{trace:?}").contains(CANARY));
    assert!(erase(&mut node, by_key).await.erased_before, "its key still names it");

    let request = proto::UpsertLeadRequest { lead: Some(person(1)), ..Default::default() };
    let refused = node.intake.upsert_lead(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (tonic::Code::FailedPrecondition, "ERASED")
    );
    let request = proto::EraseLeadRequest { lead: Some(by_id("4711")), ..Default::default() };
    let unknown = node.intake.erase_lead(request).await.unwrap_err();
    assert_eq!(reason(&unknown), "LEAD_NOT_FOUND");
    node.pass_time(30 * MINUTE_MS).await;
    let mut node = node.restart().await;
    assert_eq!(node.standing(&id).await, "erased");
    node.pull_nothing("ann").await;
    node.audit().await;
}

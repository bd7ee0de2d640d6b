//! The life of a token: made, used, expired, revoked, in the middle of whatever its carrier does.

use std::path::Path;
use std::time::Duration;

use nextlead::api::proto;
use proto::coverage_service_client::CoverageServiceClient;
use proto::intake_service_client::IntakeServiceClient;
use proto::rep_service_client::RepServiceClient;
use proto::{Disposition, Role};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::calls::{Answer, call};
use super::valid_for;
use crate::support::{NOON, Signed, TestNode, fields, lead, reason, time};

const LIST_QUEUES: &str = "/nextlead.v1.QueueService/ListQueues";

fn is_unknown(status: &Status) -> bool {
    (status.code(), reason(status).as_str()) == (Code::Unauthenticated, "TOKEN_INVALID")
}

async fn list(node: &mut TestNode) -> Vec<proto::Token> {
    let request = proto::ListTokensRequest::default();
    node.admin.list_tokens(request).await.unwrap().into_inner().tokens
}

async fn report(by: &mut CoverageServiceClient<Signed>) -> Result<(), Status> {
    by.get_coverage(proto::GetCoverageRequest::default()).await.map(drop)
}

#[tokio::test]
async fn a_token_ends_to_the_millisecond() {
    let mut node = TestNode::start().await;
    let request = proto::CreateTokenRequest {
        name: "reports".into(),
        role: Role::Marketing.into(),
        validity: Some(valid_for(Duration::from_secs(60))),
        ..Default::default()
    };
    let made = node.admin.create_token(request).await.unwrap().into_inner();
    let mut marketing = CoverageServiceClient::new(node.signed_by(&made.token_text));
    node.clock.advance(59_999);
    report(&mut marketing).await.unwrap();
    node.clock.advance(1);
    assert!(is_unknown(&report(&mut marketing).await.unwrap_err()));
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_from_the_next_call_on() {
    let mut node = TestNode::start().await;
    let (id, text) = node.make_token(Role::Marketing, "").await;
    let mut marketing = CoverageServiceClient::new(node.signed_by(&text));
    report(&mut marketing).await.unwrap();

    node.revoke(&id).await;
    // The connection is the same; the token is not what it was.
    assert!(is_unknown(&report(&mut marketing).await.unwrap_err()));
    node.revoke(&id).await;

    let token = list(&mut node).await.remove(0);
    assert_eq!((token.token_id, token.revoked_by), (id, "admin".to_owned()));
    let unknown = proto::RevokeTokenRequest { token_id: "0".into(), ..Default::default() };
    let status = node.admin.revoke_token(unknown).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::NotFound, "TOKEN_NOT_FOUND".into()));
}

#[tokio::test]
async fn a_pull_that_waits_ends_with_its_token() {
    let mut node = TestNode::start().await;
    let (id, text) = node.make_token(Role::Rep, "ann").await;
    let mut ann = RepServiceClient::new(node.signed_by(&text));
    let wait_duration = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let request = proto::NextLeadRequest { wait_duration, ..Default::default() };
    let waiting = tokio::spawn(async move { ann.next_lead(request).await });
    // The pull is there as soon as its token has been used.
    while list(&mut node).await[0].last_used_time.is_none() {
        tokio::task::yield_now().await;
    }

    node.revoke(&id).await;

    let status = waiting.await.unwrap().unwrap_err();
    assert!(is_unknown(&status), "{status:?}");
    // What was not taken is still there.
    node.hand_over(lead(1)).await;
    node.pull_lead("ann").await;
}

#[tokio::test]
async fn a_pull_that_waits_ends_when_its_token_expires() {
    let mut node = TestNode::start().await;
    let (_, text) = node.make_token(Role::Rep, "ann").await;
    let mut ann = RepServiceClient::new(node.signed_by(&text));
    let wait_duration = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let request = proto::NextLeadRequest { wait_duration, ..Default::default() };
    let waiting = tokio::spawn(async move { ann.next_lead(request).await });
    while list(&mut node).await[0].last_used_time.is_none() {
        tokio::task::yield_now().await;
    }

    node.clock.advance(3_600_000);
    node.node.access().sweep(nextlead::clock::Clock::now(&node.clock)).await.unwrap();

    assert!(is_unknown(&waiting.await.unwrap().unwrap_err()));
}

#[tokio::test]
async fn an_import_ends_with_its_token_and_what_was_answered_stays() {
    let mut node = TestNode::start().await;
    let (id, text) = node.make_token(Role::Intake, "").await;
    let mut crm = IntakeServiceClient::new(node.signed_by(&text));
    let (batches, sent) = tokio::sync::mpsc::channel(1);
    let batch = |nth: u32| proto::ImportLeadsRequest {
        batch_number: nth.into(),
        rows: vec![proto::ImportRow { row_number: 1, lead: Some(lead(nth)) }],
        ..Default::default()
    };
    batches.send(batch(1)).await.unwrap();
    let mut answers = crm.import_leads(ReceiverStream::new(sent)).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().opened_count, 1);

    node.revoke(&id).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), answers.message());
    let status = ended.await.expect("the stream ends by itself").unwrap_err();
    // The stream may be gone already, and then the batch goes nowhere.
    let _ = batches.send(batch(2)).await;

    assert!(is_unknown(&status), "{status:?}");
    assert!(answers.message().await.unwrap().is_none());
    assert_eq!(node.audit().await.handover_count, 1);
}

#[tokio::test]
async fn a_token_and_its_last_use_survive_a_restart() {
    let mut node = TestNode::start().await;
    let (live, text) = node.make_token(Role::Marketing, "").await;
    let (revoked, dead) = node.make_token(Role::Marketing, "").await;
    node.revoke(&revoked).await;
    node.clock.advance(5);
    report(&mut CoverageServiceClient::new(node.signed_by(&text))).await.unwrap();
    let used_at = nextlead::clock::Clock::now(&node.clock);

    let mut node = node.restart().await;

    node.clock.advance(1_000);
    let tokens = list(&mut node).await;
    let ids: Vec<_> = tokens.iter().map(|token| token.token_id.as_str()).collect();
    assert_eq!(ids, [revoked.as_str(), live.as_str()], "newest first");
    assert_eq!(tokens[1].last_used_time, Some(time(used_at)));
    assert_eq!(tokens[0].last_used_time, None);
    report(&mut CoverageServiceClient::new(node.signed_by(&text))).await.unwrap();
    let mut dead = CoverageServiceClient::new(node.signed_by(&dead));
    assert!(is_unknown(&report(&mut dead).await.unwrap_err()));
}

#[tokio::test]
async fn a_rep_who_would_pass_for_another_caller_is_not_taken_and_one_of_old_stays() {
    if crate::ground::is_without_file(
        "a_rep_who_would_pass_for_another_caller_is_not_taken_and_one_of_old_stays",
    ) {
        return;
    }
    let mut node = TestNode::start().await;
    let rep = |id: &str, active| proto::Rep {
        rep_id: id.into(),
        queue_id: "sales".into(),
        active: Some(active),
        ..Default::default()
    };
    let put = |id: &str, active| proto::UpsertRepRequest {
        rep: Some(rep(id, active)),
        ..Default::default()
    };
    for id in ["admin", "intake:crm", "jwt:eve"] {
        let status = node.queues.upsert_rep(put(id, true)).await.unwrap_err();
        assert_eq!(
            (status.code(), fields(&status)),
            (Code::InvalidArgument, vec!["rep.rep_id".into()])
        );
    }
    let (_, text) = node.make_token(Role::Rep, "ann").await;
    rename_rep(&node.folder.path().join("nextlead.db"), "ann", "admin").await;

    let mut node = node.restart().await;

    node.hand_over(lead(1)).await;
    let pull = proto::NextLeadRequest { rep_id: "admin".into(), ..Default::default() };
    let mut softphone = RepServiceClient::new(node.signed_by(&text));
    let answer = softphone.next_lead(pull).await.unwrap().into_inner().answer;
    assert!(matches!(answer, Some(proto::next_lead_response::Answer::Served(_))), "{answer:?}");
    let left = node.queues.upsert_rep(put("admin", false)).await.unwrap().into_inner();
    assert_eq!(left.rep, Some(rep("admin", false)));
}

/// Gives a rep an id that is refused today.
async fn rename_rep(file: &Path, from: &str, to: &str) {
    let mut file = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let rename = sqlx::query("UPDATE rep SET rep_id = ?1 WHERE rep_id = ?2").bind(to).bind(from);
    assert_eq!(rename.execute(&mut file).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn a_use_is_written_down_once_a_minute_and_shown_at_once() {
    if crate::ground::is_without_file("a_use_is_written_down_once_a_minute_and_shown_at_once") {
        return;
    }
    let mut node = TestNode::start().await;
    let (_, text) = node.make_token(Role::Marketing, "").await;
    let mut marketing = CoverageServiceClient::new(node.signed_by(&text));
    let mut written = Vec::new();
    for _ in 0..4 {
        node.clock.advance(20_000);
        report(&mut marketing).await.unwrap();
        let now = nextlead::clock::Clock::now(&node.clock);
        assert_eq!(list(&mut node).await[0].last_used_time, Some(time(now)));
        node.node.access().sweep(now).await.unwrap();
        written.push(last_use_in(&node.folder.path().join("nextlead.db")).await);
    }
    assert_eq!(written, [None, None, Some(NOON + 60_000), Some(NOON + 60_000)]);
}

/// What stands in the file itself.
async fn last_use_in(file: &Path) -> Option<i64> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut file = options.connect().await.unwrap();
    sqlx::query_scalar("SELECT last_used_ms FROM token").fetch_one(&mut file).await.unwrap()
}

#[tokio::test]
async fn a_making_that_is_sent_again_makes_nothing_and_shows_nothing() {
    let mut node = TestNode::start().await;
    let request = proto::CreateTokenRequest {
        name: "crm".into(),
        role: Role::Intake.into(),
        request_id: "r-1".into(),
        ..Default::default()
    };
    let first = node.admin.create_token(request.clone()).await.unwrap().into_inner();
    let again = node.admin.create_token(request.clone()).await.unwrap().into_inner();

    assert!(!first.replayed && again.replayed);
    assert_eq!((first.token, again.token_text.as_str()), (again.token, ""));
    assert_eq!(list(&mut node).await.len(), 1);
    let other = proto::CreateTokenRequest { name: "other".into(), ..request };
    let status = node.admin.create_token(other).await.unwrap_err();
    assert_eq!(reason(&status), "REQUEST_REUSED");
    let lost = proto::CreateTokenRequest {
        name: "x".into(),
        role: Role::Rep.into(),
        rep_id: "nobody".into(),
        ..Default::default()
    };
    let status = node.admin.create_token(lost).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::NotFound, "REP_NOT_FOUND".into()));
    let status = node.admin.create_token(proto::CreateTokenRequest::default()).await.unwrap_err();
    assert_eq!(fields(&status), ["name", "role"]);
}

#[tokio::test]
async fn tokens_are_listed_in_pages_and_live_ones_alone() {
    let mut node = TestNode::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, node.make_token(Role::Intake, "").await.0);
    }
    node.revoke(&ids.remove(2)).await;
    let mut seen = Vec::new();
    let mut request =
        proto::ListTokensRequest { live_only: true, page_size: 3, ..Default::default() };
    loop {
        let page = node.admin.list_tokens(request.clone()).await.unwrap().into_inner();
        seen.extend(page.tokens.into_iter().map(|token| token.token_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn an_admin_may_end_their_own_token_and_is_answered() {
    let mut node = TestNode::start().await;
    let (id, text) = node.make_token(Role::Admin, "").await;
    let mut own = proto::admin_service_client::AdminServiceClient::new(node.signed_by(&text));
    let request = proto::RevokeTokenRequest { token_id: id, ..Default::default() };
    let revoked = own.revoke_token(request.clone()).await.unwrap().into_inner().token.unwrap();
    assert_eq!(revoked.revoked_by, "admin:a Admin");
    assert!(is_unknown(&own.revoke_token(request).await.unwrap_err()));
}

#[tokio::test]
async fn a_header_that_is_no_token_is_as_none_and_two_are_none() {
    let mut node = TestNode::start().await;
    let (_, text) = node.make_token(Role::Manager, "").await;
    let bearer = format!("Bearer {text}");
    let passes = call(&node.channel, LIST_QUEUES, &[&bearer], Vec::new()).await;
    assert_eq!(passes.code, Code::Ok);
    let none = call(&node.channel, LIST_QUEUES, &[], Vec::new()).await;
    assert_eq!(none.code, Code::Unauthenticated);

    let long = format!("Bearer {}", "x".repeat(6_000));
    let (longer, upper) = (format!("{bearer}0"), bearer.to_ascii_uppercase());
    let bad: [&[&str]; 10] = [
        &[&bearer, &bearer],
        &[&bearer, "Bearer x"],
        &["Basic x", &bearer],
        &[&text],
        &[""],
        &["Bearer"],
        &["Bearer "],
        &[&longer],
        &[&upper],
        &[&long],
    ];
    for headers in bad {
        let answer = call(&node.channel, LIST_QUEUES, headers, Vec::new()).await;
        assert_eq!(answer, none, "{headers:?}");
    }
}

#[tokio::test]
async fn marketing_sees_an_id_that_is_a_number_masked() {
    let mut node = TestNode::start().await;
    let mut numbered = lead(1);
    numbered.handover_key.as_mut().unwrap().external_id = "+12025550117".into();
    node.hand_over(numbered).await;
    let served = node.pull_lead("ann").await;
    node.touch("ann", &served, Disposition::NoAnswer).await;
    let mut other = lead(2);
    other.handover_key.as_mut().unwrap().external_id = "+12025550118".into();
    node.hand_over(other).await;

    let mut ids = Vec::new();
    for role in [Role::Marketing, Role::Manager] {
        let (_, text) = node.make_token(role, "").await;
        let mut coverage = CoverageServiceClient::new(node.signed_by(&text));
        let request = proto::ListUncontactedRequest::default();
        let leads = coverage.list_uncontacted(request).await.unwrap().into_inner().leads;
        ids.extend(leads.into_iter().map(|lead| lead.handover_key.unwrap().external_id));
    }
    assert_eq!(ids, ["+1********18", "+12025550118"]);
}

#[tokio::test]
async fn every_refusal_of_a_token_reads_the_same() {
    let mut node = TestNode::start().await;
    let (id, text) = node.make_token(Role::Manager, "").await;
    node.revoke(&id).await;
    let mut answers = Vec::new();
    for header in [format!("Bearer {text}"), "Bearer nl_0".to_owned(), "Bearer a.b.c".to_owned()] {
        answers.push(call(&node.channel, LIST_QUEUES, &[&header], Vec::new()).await);
    }
    let mut client = CoverageServiceClient::new(node.signed_by(&text));
    let status = report(&mut client).await.unwrap_err();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(Answer::of(&status), answers[0]);
}

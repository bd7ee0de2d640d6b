//! Metrics: what is shown is what happened, to the last touch.

use std::time::Duration;

use nextlead::api::proto;
use proto::Disposition;
use tonic::Request;

use crate::exposition::Exposition;
use crate::ground::On;
use crate::support::{DAY_MS, HOUR_MS, MINUTE_MS, TestNode, lead, lead_of};

/// Scrapes a test's node.
pub(crate) async fn scrape(node: &TestNode) -> Exposition {
    Exposition::of(&node.node.metrics_address.unwrap().to_string()).await
}

/// A row that no table holds, of a campaign that nobody knows.
fn rows(from: u32, to: u32) -> Vec<proto::ImportRow> {
    let row = |nth| proto::ImportRow { row_number: i64::from(nth), lead: Some(lead(nth)) };
    let mut rows: Vec<_> = (from..to).map(row).collect();
    rows.push(proto::ImportRow { row_number: 0, lead: Some(lead_of("nowhere", to)) });
    rows
}

/// A day with a little of everything.
async fn work_a_day(node: &mut TestNode) {
    node.put_rep("bob", "sales", &[]).await;
    node.publish("[first_touch]\nwithin = \"1h\"\nreserve_after = 2\n").await;
    let batch =
        proto::ImportLeadsRequest { batch_number: 1, rows: rows(1, 41), validate_only: false };
    let mut answers =
        node.intake.import_leads(tokio_stream::iter([batch])).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().opened_count, 40);
    assert!(answers.message().await.unwrap().is_none());
    node.hand_over(lead(1)).await;
    let dispositions = [Disposition::NoAnswer, Disposition::Sale, Disposition::DoNotCall];
    for round in 0..8 {
        for rep in ["ann", "bob"] {
            let served = node.pull_lead(rep).await;
            if round == 5 {
                release(node, rep, &served).await;
            } else {
                node.pass_time(MINUTE_MS).await;
                node.touch(rep, &served, dispositions[round % 3]).await;
            }
        }
    }
    // Two leases run out; a rep pulls again and again; one call makes no sense.
    node.pull_lead("ann").await;
    node.pull_lead("ann").await;
    node.pull_lead("bob").await;
    node.pass_time(3 * HOUR_MS).await;
    let unknown = proto::NextLeadRequest { rep_id: "nobody".into(), ..Default::default() };
    node.reps.next_lead(unknown).await.unwrap_err();
}

async fn release(node: &mut TestNode, rep: &str, served: &proto::ServedLead) {
    let request = proto::ReleaseLeaseRequest {
        rep_id: rep.into(),
        lead: Some(crate::support::by_id(&served.lead.as_ref().unwrap().lead_id)),
        lease_token: served.lease_token.clone(),
        reason: proto::ReleaseReason::Skipped.into(),
        skip_reason: proto::SkipReason::NoTime.into(),
        ..Default::default()
    };
    node.reps.release_lease(request).await.unwrap();
}

async fn books(node: &mut TestNode) -> proto::GetCoverageResponse {
    node.coverage.get_coverage(proto::GetCoverageRequest::default()).await.unwrap().into_inner()
}

#[tokio::test]
async fn the_counts_of_a_day_are_those_of_the_store() {
    let mut node = TestNode::start().await;
    work_a_day(&mut node).await;
    let audit = node.audit().await;
    let books = books(&mut node).await;

    let shown = scrape(&node).await;

    let total = |name: &str| shown.sum(name, &[]);
    assert_eq!(total("nextlead_ledger_events_total"), audit.event_count as f64);
    assert_eq!(total("nextlead_touches_total"), audit.touch_count as f64);
    let taken_in = ["opened", "merged"]
        .map(|outcome| shown.sum("nextlead_handovers_total", &[("outcome", outcome)]));
    assert_eq!(taken_in.iter().sum::<f64>(), audit.handover_count as f64);
    let kinds = |kind| shown.sum("nextlead_ledger_events_total", &[("kind", kind)]);
    assert_eq!((kinds("released"), kinds("expired"), kinds("leased")), (2.0, 2.0, 18.0));
    let touches = |one| shown.sum("nextlead_touches_total", &[("disposition", one)]);
    assert_eq!((touches("no_answer"), touches("sale"), touches("do_not_call")), (6.0, 6.0, 2.0));
    let rows = |outcome| shown.sum("nextlead_import_rows_total", &[("outcome", outcome)]);
    assert_eq!((rows("opened"), rows("rejected")), (40.0, 1.0));
    check_standings(&shown, &books);
}

fn check_standings(shown: &Exposition, answer: &proto::GetCoverageResponse) {
    let sum = |count: fn(&proto::Book) -> i64| answer.books.iter().map(count).sum::<i64>() as f64;
    let standing = |one| shown.sum("nextlead_standings", &[("queue", "sales"), ("standing", one)]);
    assert_eq!(standing("ready"), sum(|book| book.ready_count));
    assert_eq!(standing("waiting"), sum(|book| book.waiting_count));
    assert_eq!(standing("leased"), sum(|book| book.leased_count));
    assert_eq!(standing("merged"), sum(|book| book.merged_count));
    let handed_over = sum(|book| book.handed_over_count);
    assert_eq!(shown.sum("nextlead_handed_over", &[]), handed_over);
    assert_eq!(shown.sum("nextlead_standings", &[]), handed_over, "each stands in one place");
    assert_eq!(shown.sum("nextlead_overdue_leads", &[]), sum(|book| book.overdue_count));
    assert!(sum(|book| book.overdue_count) > 0.0 && standing("closed") >= 8.0);
    assert_eq!(shown.sum("nextlead_books_imbalance", &[]), 0.0);
    let indexed = |state| shown.sum("nextlead_index_leads", &[("state", state)]);
    assert_eq!((indexed("ready"), indexed("in_flight")), (standing("ready"), 0.0));
}

#[tokio::test]
async fn every_metric_moves_when_its_thing_happens() {
    let mut node = TestNode::start().await;
    let before = scrape(&node).await;
    work_a_day(&mut node).await;
    node.audit().await;
    let after = scrape(&node).await;

    let ok = [("method", "RepService/NextLead"), ("code", "OK")];
    let refused = [("method", "RepService/NextLead"), ("code", "NOT_FOUND")];
    assert_eq!(after.sum("nextlead_calls_total", &ok), 19.0);
    assert_eq!(after.sum("nextlead_calls_total", &refused), 1.0);
    let pulls = |outcome| after.sum("nextlead_pulls_total", &[("outcome", outcome)]);
    assert_eq!(pulls("ordinary") + pulls("first_touch") + pulls("callback"), 18.0);
    assert_eq!(pulls("again"), 1.0);
    for name in [
        "nextlead_pull_duration_seconds_count",
        "nextlead_selection_duration_seconds_count",
        "nextlead_answer_duration_seconds_count",
        "nextlead_commit_duration_seconds_count",
        "nextlead_transaction_duration_seconds_count",
        "nextlead_commit_changes_count",
        "nextlead_commit_leads_sum",
        "nextlead_call_duration_seconds_count",
        "nextlead_oldest_untouched_age_seconds",
        "nextlead_ledger_check_timestamp_seconds",
        "nextlead_books_read_timestamp_seconds",
        "nextlead_uptime_seconds",
    ] {
        assert!(after.sum(name, &[]) > before.sum(name, &[]), "{name} did not move");
    }
    let on_file = ["nextlead_store_bytes", "nextlead_disk_free_bytes"];
    let on_file = on_file.into_iter().filter(|_| On::from_environment() == On::Sqlite);
    for name in on_file.chain([
        "nextlead_process_resident_memory_bytes",
        "nextlead_process_open_fds",
        "nextlead_build_info",
        "nextlead_ready",
    ]) {
        assert!(after.sum(name, &[]) > 0.0, "{name} is not shown");
    }
    assert!(after.has("nextlead_ledger_imbalance") && !before.has("nextlead_ledger_imbalance"));
    for name in ["nextlead_writer_queue_changes", "nextlead_calls_running"] {
        assert_eq!(after.sum(name, &[]), 0.0, "{name}: nothing is under way");
    }
}

#[tokio::test]
async fn a_limit_of_the_front_that_is_met_moves_its_counter() {
    let mut node = TestNode::start().await;
    let met =
        |shown: &Exposition, limit| shown.sum("nextlead_limits_met_total", &[("limit", limit)]);
    let before = scrape(&node).await;
    assert!(before.has("nextlead_limits_met_total"), "every limit is there from the start");
    assert_eq!(before.sum("nextlead_limits_met_total", &[]), 0.0);

    let long = proto::NextLeadRequest { rep_id: "a".repeat(100_000), ..Default::default() };
    for _ in 0..2 {
        node.reps.next_lead(long.clone()).await.unwrap_err();
    }

    let after = scrape(&node).await;
    assert_eq!((met(&after, "request_size"), met(&after, "calls")), (2.0, 0.0));
    assert_eq!(after.sum("nextlead_limits_met_total", &[]), 2.0);
    assert_eq!(after.sum("nextlead_connections", &[]), 1.0);
    assert!(after.has("nextlead_calls_admitted"));
    assert_eq!(after.sum("nextlead_calls_admitted", &[]), 0.0, "nothing is under way");
}

#[tokio::test]
async fn leads_that_nobody_may_take_are_counted_by_why() {
    let mut node = TestNode::start().await;
    let no_zone = proto::Lead { time_zone: String::new(), ..lead(1) };
    node.hand_over(no_zone).await;
    let skilled = |nth| proto::Lead { skills: vec!["welsh".into()], ..lead(nth) };
    node.hand_over(skilled(2)).await;
    node.hand_over(skilled(3)).await;
    node.hand_over(lead(4)).await;
    let why = |shown: &Exposition| {
        ["no_hours", "no_rep"].map(|why| shown.sum("nextlead_unroutable_leads", &[("why", why)]))
    };

    assert_eq!(why(&scrape(&node).await), [1.0, 2.0]);
    node.put_rep("gwen", "sales", &["welsh"]).await;
    assert_eq!(why(&scrape(&node).await), [1.0, 0.0]);
}

#[tokio::test]
async fn a_pull_that_waits_is_counted_while_it_does() {
    let mut node = TestNode::start().await;
    let mut reps = node.reps.clone();
    let request = proto::NextLeadRequest {
        rep_id: "ann".into(),
        wait_duration: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..Default::default()
    };
    let mut request = Request::new(request);
    request.set_timeout(Duration::from_secs(60));
    let waiting = tokio::spawn(async move { reps.next_lead(request).await });
    // Whoever asks often enough sees it wait.
    while scrape(&node).await.sum("nextlead_waiting_pulls", &[]) < 1.0 {}

    node.hand_over(lead(1)).await;
    waiting.await.unwrap().unwrap();

    assert_eq!(scrape(&node).await.sum("nextlead_waiting_pulls", &[]), 0.0);
    node.pass_time(DAY_MS).await;
}

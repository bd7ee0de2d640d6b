//! Callbacks through the door: promised in person or by anyone, in the lead's own time, served on time,
//! and never lost.

use nextlead::api::proto;
use nextlead::clock::ManualClock;
use proto::{Disposition, ServeOrder};
use tempfile::TempDir;
use tonic::Code;

use super::support::{
    DAY_MS, HOUR_MS, MINUTE_MS, NOON, Signed, TestNode, fields, lead, reason, time,
};

const GRACE_MS: i64 = 15 * MINUTE_MS;

/// A node with two reps who can do the same.
async fn start() -> TestNode {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    node
}

async fn put_queue(node: &mut TestNode, queue: proto::Queue) {
    let queue = proto::Queue {
        queue_id: "sales".into(),
        time_zone: "UTC".into(),
        hours: if queue.hours.is_empty() { "always".into() } else { queue.hours.clone() },
        calling_law: proto::CallingLaw::Exempt.into(),
        ..queue
    };
    let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    node.queues.upsert_queue(request).await.unwrap();
}

async fn put_rep(node: &mut TestNode, rep: proto::Rep) {
    let queue_id = if rep.queue_id.is_empty() { "sales".to_owned() } else { rep.queue_id.clone() };
    let rep = Some(proto::Rep { queue_id, ..rep });
    let request = proto::UpsertRepRequest { rep, ..Default::default() };
    node.queues.upsert_rep(request).await.unwrap();
}

/// Ann promises to call the lead in her hands again.
async fn promise(node: &mut TestNode, served: &proto::ServedLead, how: Disposition, at: i64) {
    let touch = node.touch_of("ann", served, how);
    let touch = proto::RecordTouchRequest { callback_time: Some(time(at)), ..touch };
    node.reps.record_touch(touch).await.unwrap();
}

/// A lead that Ann has promised to call again.
async fn promised(node: &mut TestNode, nth: u32, at: i64) -> String {
    let id = node.hand_over(lead(nth)).await;
    let served = node.pull_lead("ann").await;
    assert_eq!(served.lead.as_ref().unwrap().lead_id, id);
    promise(node, &served, Disposition::CallbackOwn, at).await;
    id
}

async fn list(
    node: &mut TestNode,
    request: proto::ListCallbacksRequest,
) -> proto::ListCallbacksResponse {
    node.reps.list_callbacks(request).await.unwrap().into_inner()
}

fn of_rep(rep: &str) -> proto::ListCallbacksRequest {
    proto::ListCallbacksRequest { rep_id: rep.into(), ..Default::default() }
}

fn of_sales() -> proto::ListCallbacksRequest {
    proto::ListCallbacksRequest { queue_id: "sales".into(), ..Default::default() }
}

/// Asserts that a rep is served this lead as a callback.
async fn assert_called_back(node: &mut TestNode, rep: &str, id: &str) {
    let served = node.pull_lead(rep).await;
    assert_eq!(served.lead.unwrap().lead_id, id);
    assert_eq!(served.why.unwrap().order(), ServeOrder::Callback);
}

#[tokio::test]
async fn a_callback_in_person_is_its_rep_s_alone_from_its_instant_until_a_grace_is_over() {
    let mut node = start().await;
    let id = promised(&mut node, 1, NOON + HOUR_MS).await;
    node.pass_time(HOUR_MS - 1).await;
    node.pull_nothing("ann").await;
    node.pull_nothing("bob").await;

    node.pass_time(1).await;
    let nothing = node.pull_nothing("bob").await;
    assert_eq!((nothing.kept_count, nothing.open_count), (1, 0));
    let explained = node.explain(&id).await;
    assert_eq!(explained.kept_for_rep_id, "ann");
    assert_eq!(explained.kept_until_time, Some(time(NOON + HOUR_MS + GRACE_MS)));
    assert_called_back(&mut node, "ann", &id).await;
    node.audit().await;
}

#[tokio::test]
async fn a_callback_that_its_rep_does_not_take_is_anyone_s_after_the_grace_and_comes_first() {
    let mut node = start().await;
    let id = promised(&mut node, 1, NOON + HOUR_MS).await;
    node.pass_time(HOUR_MS + GRACE_MS - 1).await;
    node.pull_nothing("bob").await;
    node.hand_over(lead(2)).await;
    node.pass_time(1).await;
    assert_called_back(&mut node, "bob", &id).await;
}

#[tokio::test]
async fn own_callbacks_come_before_those_of_anyone() {
    let mut node = start().await;
    node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    promise(&mut node, &served, Disposition::CallbackAny, NOON + HOUR_MS).await;
    let own = promised(&mut node, 2, NOON + HOUR_MS + MINUTE_MS).await;
    node.pass_time(HOUR_MS + MINUTE_MS).await;
    assert_called_back(&mut node, "ann", &own).await;
    let any = served.lead.unwrap().lead_id;
    assert_called_back(&mut node, "bob", &any).await;
}

#[tokio::test]
async fn a_callback_waits_for_nobody_who_is_not_there() {
    let hours = |hours: &str| proto::Rep {
        rep_id: "ann".into(),
        hours: hours.into(),
        time_zone: "UTC".into(),
        ..Default::default()
    };
    let absence = proto::Absence {
        start_time: Some(time(NOON + 50 * MINUTE_MS)),
        end_time: Some(time(NOON + 70 * MINUTE_MS)),
    };
    let ann = || proto::Rep { rep_id: "ann".into(), ..Default::default() };
    let leavers = [
        hours("mon-fri 08:00-13:00"),
        proto::Rep { absences: vec![absence], ..ann() },
        proto::Rep { active: Some(false), ..ann() },
        proto::Rep { queue_id: "service".into(), ..ann() },
        proto::Rep { end_time: Some(time(NOON + HOUR_MS)), ..ann() },
    ];
    for rep in leavers {
        let mut node = start().await;
        node.put_queue("service", "always").await;
        let id = promised(&mut node, 1, NOON + HOUR_MS).await;
        put_rep(&mut node, rep.clone()).await;
        node.pass_time(HOUR_MS - 1).await;
        node.pull_nothing("bob").await;
        node.pass_time(1).await;
        assert_called_back(&mut node, "bob", &id).await;
        assert_eq!(node.explain(&id).await.kept_for_rep_id, "", "{rep:?}");
    }
    // Who is at work at the instant has the grace.
    let mut node = start().await;
    promised(&mut node, 1, NOON + HOUR_MS).await;
    put_rep(&mut node, hours("mon-fri 08:00-13:01")).await;
    node.pass_time(HOUR_MS).await;
    node.pull_nothing("bob").await;
}

#[tokio::test]
async fn a_promise_outlives_a_restart_and_a_rep_who_is_gone_meanwhile() {
    let mut node = start().await;
    let id = promised(&mut node, 1, NOON + HOUR_MS).await;
    let mut node = node.restart().await;
    node.pass_time(HOUR_MS).await;
    assert_eq!(node.pull_nothing("bob").await.kept_count, 1);
    let gone = proto::Rep { rep_id: "ann".into(), active: Some(false), ..Default::default() };
    put_rep(&mut node, gone).await;
    assert_called_back(&mut node, "bob", &id).await;
    let mut node = node.restart().await;
    assert_called_back(&mut node, "bob", &id).await;
    node.audit().await;
}

#[tokio::test]
async fn a_callback_that_is_due_while_lanes_are_closed_is_served_when_they_open() {
    let mut node = start().await;
    let id = promised(&mut node, 1, NOON + HOUR_MS).await;
    put_queue(
        &mut node,
        proto::Queue { hours: "mon-fri 15:00-18:00".into(), ..Default::default() },
    )
    .await;
    node.pass_time(HOUR_MS).await;
    assert_eq!(node.pull_nothing("ann").await.closed_count, 1);
    node.pass_time(2 * HOUR_MS - 1).await;
    node.pull_nothing("bob").await;
    node.pass_time(1).await;
    assert_called_back(&mut node, "bob", &id).await;
}

/// What becomes of a promise by a clock on a wall.
async fn promise_local(
    node: &mut TestNode,
    served: &proto::ServedLead,
    local: &str,
    zone: &str,
) -> Result<(), tonic::Status> {
    let touch = proto::RecordTouchRequest {
        callback_local_time: local.into(),
        callback_time_zone: zone.into(),
        ..node.touch_of("ann", served, Disposition::CallbackAny)
    };
    node.reps.record_touch(touch).await.map(drop)
}

#[tokio::test]
async fn a_callback_is_promised_in_the_lead_s_own_time() {
    let mut node = start().await;
    // Noon in UTC is seven in the morning there, and half past nine is two and a half hours to come.
    let there = proto::Lead { time_zone: "America/New_York".into(), ..lead(1) };
    node.hand_over(there).await;
    let served = node.pull_lead("ann").await;
    promise_local(&mut node, &served, "2026-11-23T09:30", "").await.unwrap();
    let id = served.lead.unwrap().lead_id;
    let promised = list(&mut node, of_sales()).await.callbacks.remove(0);
    assert_eq!(promised.callback_time, Some(time(NOON + 150 * MINUTE_MS)));
    assert_eq!(
        (promised.time_zone.as_str(), promised.overdue_duration),
        ("America/New_York", None)
    );
    node.pass_time(150 * MINUTE_MS - 1).await;
    node.pull_nothing("ann").await;
    node.pass_time(1).await;
    assert_called_back(&mut node, "ann", &id).await;
}

#[tokio::test]
async fn a_time_that_clocks_skip_is_refused_and_of_one_that_comes_twice_the_first_is_meant() {
    // The Saturday before clocks go forward in Berlin.
    let clock = ManualClock::at(NOON + 124 * DAY_MS);
    let mut node = TestNode::start_bare(TempDir::new().unwrap(), clock).await;
    node.put_queue("sales", "always").await;
    node.put_campaign("spring", "sales", None).await;
    node.put_rep("ann", "sales", &[]).await;
    let there = proto::Lead { time_zone: "Europe/Berlin".into(), ..lead(1) };
    node.hand_over(there).await;
    let served = node.pull_lead("ann").await;

    let skipped = promise_local(&mut node, &served, "2027-03-28T02:30", "").await.unwrap_err();
    assert_eq!(fields(&skipped), ["callback_local_time"]);
    assert!(skipped.message().contains("skipped in Europe/Berlin"), "{}", skipped.message());
    assert_eq!(list(&mut node, of_sales()).await.callbacks, []);
    let unknown = promise_local(&mut node, &served, "2027-03-28T02:30", "Here").await.unwrap_err();
    assert_eq!(fields(&unknown), ["callback_time_zone"]);

    promise_local(&mut node, &served, "2027-10-31T02:30", "Europe/Berlin").await.unwrap();
    let promised = list(&mut node, of_sales()).await.callbacks.remove(0);
    let first: jiff::Timestamp = "2027-10-31T00:30:00Z".parse().unwrap();
    assert_eq!(promised.callback_time, Some(time(first.as_millisecond())));
}

#[tokio::test]
async fn a_lead_that_may_live_in_several_zones_needs_the_zone_to_be_named() {
    let mut node = start().await;
    let number = proto::LeadNumber { number: "+14235550101".into(), ..Default::default() };
    let lead = proto::Lead { numbers: vec![number], time_zone: String::new(), ..lead(1) };
    node.hand_over(lead).await;
    let served = node.pull_lead("ann").await;
    let refused = promise_local(&mut node, &served, "2026-11-23T15:00", "").await.unwrap_err();
    assert_eq!(fields(&refused), ["callback_time_zone"]);
    promise_local(&mut node, &served, "2026-11-23T15:00", "America/Chicago").await.unwrap();
    // What moves nothing promises nothing: a late touch is recorded, whatever it says.
    node.hand_over(super::support::lead(2)).await;
    let served = node.pull_lead("ann").await;
    node.pass_time(HOUR_MS).await;
    let late = proto::RecordTouchRequest {
        callback_local_time: "2027-03-28T02:30".into(),
        callback_time_zone: "Europe/Berlin".into(),
        ..node.touch_of("ann", &served, Disposition::CallbackOwn)
    };
    assert!(node.reps.record_touch(late).await.unwrap().into_inner().late);
}

#[tokio::test]
async fn a_rep_promises_no_more_in_person_than_the_queue_allows() {
    let mut node = start().await;
    put_queue(&mut node, proto::Queue { callback_count_max: Some(1), ..Default::default() }).await;
    let first = promised(&mut node, 1, NOON + HOUR_MS).await;
    node.hand_over(lead(2)).await;
    let served = node.pull_lead("ann").await;
    let touch = node.touch_of("ann", &served, Disposition::CallbackOwn);
    let touch = proto::RecordTouchRequest { callback_time: Some(time(NOON + HOUR_MS)), ..touch };
    let full = node.reps.record_touch(touch.clone()).await.unwrap_err();
    assert_eq!((full.code(), reason(&full)), (Code::FailedPrecondition, "CALLBACKS_FULL".into()));
    let any = proto::RecordTouchRequest { disposition: Disposition::CallbackAny.into(), ..touch };
    node.reps.record_touch(any).await.unwrap();

    // The same lead may be promised again: it is one promise.
    node.pass_time(HOUR_MS).await;
    let served = node.pull_lead("ann").await;
    assert_eq!(served.lead.as_ref().unwrap().lead_id, first);
    promise(&mut node, &served, Disposition::CallbackOwn, NOON + 3 * HOUR_MS).await;
}

#[tokio::test]
async fn what_was_promised_is_listed_by_its_instant_to_whom_it_concerns() {
    let mut node = start().await;
    let own = promised(&mut node, 1, NOON + HOUR_MS).await;
    node.hand_over(lead(2)).await;
    let served = node.pull_lead("ann").await;
    promise(&mut node, &served, Disposition::CallbackAny, NOON + 2 * HOUR_MS).await;
    let any = served.lead.unwrap().lead_id;
    node.pass_time(HOUR_MS + MINUTE_MS).await;

    let all = list(&mut node, of_sales()).await;
    assert_eq!(all.read_time, Some(time(NOON + HOUR_MS + MINUTE_MS)));
    let told: Vec<_> = all
        .callbacks
        .iter()
        .map(|one| (one.lead_id.as_str(), one.promised_to_rep_id.as_str()))
        .collect();
    assert_eq!(told, [(own.as_str(), "ann"), (any.as_str(), "")]);
    let overdue = all.callbacks[0].overdue_duration.unwrap();
    assert_eq!((overdue.seconds, all.callbacks[0].name.as_str()), (60, "Lead 1"));
    let first = list(&mut node, proto::ListCallbacksRequest { page_size: 1, ..of_sales() }).await;
    assert_eq!(first.callbacks[..], all.callbacks[..1]);
    let page_token = first.next_page_token;
    let rest = list(&mut node, proto::ListCallbacksRequest { page_token, ..of_sales() }).await;
    assert_eq!((&rest.callbacks[..], rest.next_page_token.as_str()), (&all.callbacks[1..], ""));
    assert_eq!(list(&mut node, of_rep("bob")).await.callbacks, []);

    // A rep's own token lists their own, and nothing else.
    let token = proto::CreateTokenRequest {
        name: "phone".into(),
        role: proto::Role::Rep.into(),
        rep_id: "ann".into(),
        ..Default::default()
    };
    let made = node.admin.create_token(token).await.unwrap().into_inner();
    type Reps = proto::rep_service_client::RepServiceClient<Signed>;
    let mut ann = Reps::new(node.signed_by(&made.token_text));
    let own_ones = ann.list_callbacks(proto::ListCallbacksRequest::default()).await.unwrap();
    assert_eq!(own_ones.into_inner().callbacks, all.callbacks[..1]);
    assert!(ann.list_callbacks(of_sales()).await.is_err());
    assert_eq!(reason(&ann.list_callbacks(of_rep("bob")).await.unwrap_err()), "OTHER_REP");
}

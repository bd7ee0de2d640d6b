//! Calling hours through the door: where a lead may be, whose law counts, and what is said to whoever has
//! to wait for it.

use std::sync::Arc;

use nextlead::api::proto;
use nextlead::clock::ManualClock;
use nextlead::dialer::{Among, Dialer, NewLead, Pull, Pulled, RepSettings, random_tokens};
use nextlead::domain::{
    CampaignId, CampaignSettings, Facts, HandoverKey, LeadId, LeadNumber, Number, QueueId,
    QueueSettings, RepId, Route, Tier, Worth,
};
use nextlead::queue::{Basis, Entry, Lane, LeadQueue as _, MemoryQueue, Update};
use nextlead::store::SqliteStore;
use proto::{Disposition, ObstacleKind, ZoneEvidence};
use tempfile::TempDir;
use tonic::Code;
use tonic_types::StatusExt;

use super::support::{HOUR_MS, MINUTE_MS, NOON, TestNode, by_id, fields, lead, reason, time};

const NEW_YORK: &str = "+12125550101";
const MIAMI: &str = "+13055550101";
const TENNESSEE: &str = "+14235550101";
const TOLL_FREE: &str = "+18005550101";

/// A node whose queue is under the law; its clock shows a Monday's noon in UTC, seven in New York.
async fn start() -> TestNode {
    start_with(proto::Queue::default()).await
}

async fn start_with(queue: proto::Queue) -> TestNode {
    let mut node = TestNode::start_bare(TempDir::new().unwrap(), ManualClock::at(NOON)).await;
    put_queue(&mut node, queue).await;
    node.put_campaign("spring", "sales", None).await;
    node.put_rep("ann", "sales", &[]).await;
    node
}

async fn put_queue(node: &mut TestNode, queue: proto::Queue) {
    let queue = proto::Queue {
        queue_id: "sales".into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        ..queue
    };
    let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    node.queues.upsert_queue(request).await.unwrap();
}

/// Nothing but a number tells where it is.
fn lead_at(number: &str) -> proto::Lead {
    let number = proto::LeadNumber { number: number.into(), ..Default::default() };
    proto::Lead { numbers: vec![number], time_zone: String::new(), ..lead(1) }
}

async fn callback_at(
    node: &mut TestNode,
    served: &proto::ServedLead,
    at: i64,
) -> (proto::RecordTouchRequest, Result<proto::RecordTouchResponse, tonic::Status>) {
    let touch = node.touch_of("ann", served, Disposition::CallbackAny);
    let touch = proto::RecordTouchRequest { callback_time: Some(time(at)), ..touch };
    let answer = node.reps.record_touch(touch.clone()).await;
    (touch, answer.map(tonic::Response::into_inner))
}

#[tokio::test]
async fn a_lead_without_a_zone_is_called_by_the_law_of_where_its_number_is_from() {
    let mut node = start().await;
    let lead_id = node.hand_over(lead_at(MIAMI)).await;

    let nothing = node.pull_nothing("ann").await;
    let explained = node.explain(&lead_id).await;

    let opens = Some(time(NOON + HOUR_MS));
    assert_eq!((nothing.closed_count, nothing.next_opening_time), (1, opens));
    let bar = nothing.next_opening_bar.unwrap();
    assert_eq!((bar.time_zone.as_str(), bar.jurisdiction.as_str()), ("America/New_York", "US-FL"));
    assert_eq!(bar.citation, "Fla. Stat. 501.616(6)");
    let found = explained.whereabouts.unwrap();
    assert_eq!(found.evidence(), ZoneEvidence::Number);
    assert_eq!(found.time_zones, ["America/New_York"]);
    assert_eq!(found.jurisdictions, ["US-FL"]);
    let obstacle = &explained.obstacles[0];
    assert_eq!(obstacle.kind(), ObstacleKind::OutsideHours);
    assert_eq!((obstacle.until_time, obstacle.bar.clone()), (opens, Some(bar)));
    assert_eq!(explained.next_servable_time, opens);

    node.pass_time(HOUR_MS - 1).await;
    node.pull_nothing("ann").await;
    node.pass_time(1).await;
    assert_eq!(node.pull_lead("ann").await.lead.unwrap().lead_id, lead_id);
    node.audit().await;
}

#[tokio::test]
async fn a_lead_in_one_of_two_zones_is_called_when_it_is_legal_in_both() {
    let mut node = start().await;
    node.hand_over(lead_at(TENNESSEE)).await;

    node.pass_time(HOUR_MS + 59 * MINUTE_MS).await;
    let bar = node.pull_nothing("ann").await.next_opening_bar.unwrap();
    assert_eq!(bar.time_zone, "America/Chicago", "nine in New York is eight in Chicago");
    node.pass_time(12 * HOUR_MS - 4 * MINUTE_MS).await;
    let nothing = node.pull_nothing("ann").await;
    let bar = nothing.next_opening_bar.unwrap();
    assert_eq!(bar.time_zone, "America/New_York", "five to nine, and five to eight in Chicago");
    assert_eq!(nothing.next_opening_time, Some(time(NOON + 26 * HOUR_MS)));
    node.pass_time(12 * HOUR_MS + 5 * MINUTE_MS).await;
    node.pull_lead("ann").await;
}

#[tokio::test]
async fn offering_ends_before_the_law_does_and_who_has_the_lead_keeps_it_till_then() {
    let lease_duration = Some(prost_types::Duration { seconds: 3_600, nanos: 0 });
    let mut node = start_with(proto::Queue { lease_duration, ..Default::default() }).await;
    node.put_rep("bob", "sales", &[]).await;
    let held = node.hand_over(lead_at(MIAMI)).await;
    // Florida closes at eight in the evening: at one in the morning in UTC.
    node.pass_time(13 * HOUR_MS - 6 * MINUTE_MS).await;
    node.pull_lead("ann").await;
    let next = proto::Lead { handover_key: lead(2).handover_key, ..lead_at("+13055550102") };
    let next = node.hand_over(proto::Lead { name: "Another".into(), ..next }).await;

    node.pass_time(MINUTE_MS).await;
    let nothing = node.pull_nothing("bob").await;
    assert_eq!(nothing.next_opening_bar.unwrap().jurisdiction, "US-FL");
    assert_eq!(nothing.next_opening_time, Some(time(NOON + 25 * HOUR_MS)));
    assert!(node.pull_lead("ann").await.held_before, "it was offered in time");
    node.pass_time(5 * MINUTE_MS).await;
    node.pull_nothing("ann").await;

    assert_eq!(node.standing(&held).await, "ready", "out of the rep's hands");
    assert_eq!(node.standing(&next).await, "ready");
    node.audit().await;
}

#[tokio::test]
async fn a_margin_is_the_queue_s_own_and_counts_from_the_next_pull_on() {
    let mut node = start().await;
    node.hand_over(lead_at(MIAMI)).await;
    node.pass_time(13 * HOUR_MS - 20 * MINUTE_MS).await;
    let closing_margin_duration = Some(prost_types::Duration { seconds: 1_200, nanos: 0 });
    put_queue(&mut node, proto::Queue { closing_margin_duration, ..Default::default() }).await;
    node.pull_nothing("ann").await;

    let request = proto::ListQueuesRequest::default();
    let queues = node.queues.list_queues(request).await.unwrap().into_inner().queues;
    assert_eq!(queues[0].closing_margin_duration, closing_margin_duration);
    assert_eq!(queues[0].calling_law(), proto::CallingLaw::Applies);
    put_queue(&mut node, proto::Queue::default()).await;
    node.pull_lead("ann").await;
}

#[tokio::test]
async fn an_exempt_queue_has_its_own_hours_alone_also_after_a_restart() {
    let mut node = start().await;
    let lead_id = node.hand_over(lead_at(MIAMI)).await;
    node.pull_nothing("ann").await;
    let calling_law = proto::CallingLaw::Exempt.into();
    put_queue(&mut node, proto::Queue { calling_law, ..Default::default() }).await;

    let mut node = node.restart().await;

    assert!(node.explain(&lead_id).await.obstacles.is_empty());
    node.pull_lead("ann").await;
}

#[tokio::test]
async fn who_cannot_be_placed_is_called_when_it_is_legal_in_all_of_the_country_or_never() {
    let mut node = start().await;
    let nowhere = node.hand_over(lead_at(TOLL_FREE)).await;
    let explained = node.explain(&nowhere).await;
    assert_eq!(explained.obstacles[0].kind(), ObstacleKind::UnknownZone);
    assert_eq!((explained.whereabouts, explained.next_servable_time), (None, None));
    assert_eq!(node.pull_nothing("ann").await.unroutable_count, 1);

    node.hand_over(proto::Lead { country: "US".into(), ..lead_at(TOLL_FREE) }).await;

    let explained = node.explain(&nowhere).await;
    assert_eq!(explained.whereabouts.unwrap().evidence(), ZoneEvidence::Country);
    // From eight in Guam up to six in Rhode Island.
    assert_eq!(explained.next_servable_time, Some(time(NOON + 10 * HOUR_MS)));
    node.pass_time(10 * HOUR_MS - 1).await;
    node.pull_nothing("ann").await;
    node.pass_time(1).await;
    node.pull_lead("ann").await;
}

#[tokio::test]
async fn facts_that_change_move_a_lead_to_the_hours_of_its_new_place() {
    let mut node = start().await;
    let only = node.hand_over(lead_at(NEW_YORK)).await;
    node.pull_nothing("ann").await;

    let moved = proto::Lead { time_zone: "Europe/London".into(), ..lead_at(NEW_YORK) };
    assert_eq!(node.hand_over(moved).await, only);

    let found = node.explain(&only).await.whereabouts.unwrap();
    assert_eq!((found.evidence(), found.jurisdictions), (ZoneEvidence::Stated, vec!["US".into()]));
    assert_eq!(node.pull_lead("ann").await.lead.unwrap().lead_id, only, "it is noon in London");
}

#[tokio::test]
async fn an_illegal_callback_is_refused_with_the_next_legal_time_and_nothing_is_recorded() {
    let mut node = start().await;
    let only = node.hand_over(lead_at(MIAMI)).await;
    node.pass_time(2 * HOUR_MS).await;
    let served = node.pull_lead("ann").await;
    // Ten in the evening in Miami, and four minutes before its closing.
    for (at, next) in [
        (NOON + 15 * HOUR_MS, "2026-11-24T13:00:00Z"),
        (NOON + 13 * HOUR_MS - 4 * MINUTE_MS, "2026-11-24T13:00:00Z"),
    ] {
        let (_, refused) = callback_at(&mut node, &served, at).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(reason(&refused), "CALLBACK_ILLEGAL");
        assert_eq!(fields(&refused), ["callback_time"]);
        let told = refused.get_details_error_info().unwrap().metadata;
        assert_eq!(told["next_legal_time"], next);
        assert_eq!(
            (told["time_zone"].as_str(), told["jurisdiction"].as_str()),
            ("America/New_York", "US-FL")
        );
        assert!(refused.message().contains(next), "{}", refused.message());
    }
    assert_eq!(node.standing(&only).await, "leased");

    let tomorrow = NOON + 25 * HOUR_MS;
    let (touch, taken) = callback_at(&mut node, &served, tomorrow).await;
    taken.unwrap();
    assert!(node.reps.record_touch(touch).await.unwrap().into_inner().replayed);
    assert_eq!(node.standing(&only).await, "waiting");
    node.pass_time(tomorrow - (NOON + 2 * HOUR_MS)).await;
    assert_eq!(node.pull_lead("ann").await.lead.unwrap().lead_id, only);
    node.audit().await;
}

#[tokio::test]
async fn what_a_lead_said_without_a_lease_is_recorded_whatever_time_it_named() {
    let mut node = start().await;
    let only = node.hand_over(lead_at(MIAMI)).await;
    let now = NOON;
    let touch = proto::RecordTouchRequest {
        rep_id: "ann".into(),
        lead: Some(by_id(&only)),
        touch_id: "inbound".into(),
        channel: proto::Channel::Call.into(),
        direction: proto::Direction::Inbound.into(),
        number: MIAMI.into(),
        start_time: Some(time(now)),
        end_time: Some(time(now)),
        disposition: Disposition::CallbackAny.into(),
        callback_time: Some(time(now + 15 * HOUR_MS)),
        ..Default::default()
    };
    node.reps.record_touch(touch).await.unwrap();
    assert_eq!(node.standing(&only).await, "ready", "it promises nothing");
}

#[tokio::test]
async fn a_country_without_a_known_law_has_the_queue_s_hours_alone() {
    let mut node = start().await;
    let only = node.hand_over(lead_at("+81312345678")).await;
    let explained = node.explain(&only).await;
    let found = explained.whereabouts.unwrap();
    assert_eq!((found.time_zones, found.jurisdictions), (vec!["Asia/Tokyo".into()], vec![]));
    node.pull_lead("ann").await;
}

/// A node alone whose index is behind: it still has the lead where it was called at any hour.
#[tokio::test]
async fn a_lead_that_the_index_has_in_the_wrong_place_is_looked_at_again_before_it_is_leased() {
    let folder = TempDir::new().unwrap();
    let store = SqliteStore::open(&folder.path().join("nextlead.db")).await.unwrap();
    let (index, clock) = (Arc::new(MemoryQueue::default()), Arc::new(ManualClock::at(NOON)));
    let dialer =
        Dialer::start(Arc::new(store), index.clone(), clock, random_tokens(), Among::Alone);
    let dialer = dialer.await.unwrap();
    let lead = put_lead_of_new_york(&dialer).await;
    let entry = Entry {
        lead,
        queue: dialer.queue_keys()[0].1,
        version: 2,
        basis: Basis::default(),
        tier: Tier::Ordinary,
        ready_since: NOON,
        due_at: None,
        worth: Worth::steady(0),
        lane: Lane { skills: Arc::default(), hours: Some("UTC".into()) },
        keeper: None,
        first_touch: None,
    };
    index.apply(vec![Update::Put(Box::new(entry))]).await.unwrap();

    let pull = Pull { rep: RepId::new("ann").unwrap(), wait_ms: 0, request: None };
    for turned_count in [1, 0] {
        let Pulled::Nothing(nothing) = dialer.next_lead(pull.clone()).await.unwrap() else {
            panic!("it is seven in the morning in New York")
        };
        assert_eq!((nothing.turned_count, nothing.counts.closed), (turned_count, 1));
    }
}

async fn put_lead_of_new_york(dialer: &Dialer) -> LeadId {
    let sales = QueueId::new("sales").unwrap();
    let spring = CampaignId::new("spring").unwrap();
    let settings = QueueSettings {
        zone: "UTC".into(),
        hours: "always".parse().unwrap(),
        law: Default::default(),
        caps: Vec::new(),
        lease_ms: 600_000,
        lease_total_ms: 600_000,
        grace_ms: 30_000,
        skips_per_hour_max: None,
        own: Default::default(),
        quality: Default::default(),
    };
    dialer.put_queue(sales.clone(), settings).await.unwrap();
    let settings = CampaignSettings {
        skills: Default::default(),
        ends_at: None,
        route_at_end: Route::Lost,
        default_country: None,
    };
    dialer.put_campaign(spring.clone(), sales.clone(), settings).await.unwrap();
    let rep = RepSettings {
        queue: sales,
        skills: Default::default(),
        is_active: true,
        work: Default::default(),
    };
    dialer.put_rep(RepId::new("ann").unwrap(), rep).await.unwrap();
    let (source_system, external_id) = ("crm".to_owned(), "1".to_owned());
    let key = HandoverKey { source_system, external_id, campaign: spring };
    let number = Number::from_e164(NEW_YORK).unwrap();
    let facts = Facts {
        numbers: vec![LeadNumber { number, stopped: None }],
        source: "web".into(),
        ..Facts::default()
    };
    dialer
        .hand_over(
            NewLead { key: key.clone(), handed_over_at: None, facts, owner: None },
            "crm",
            None,
        )
        .await
        .unwrap();
    dialer.lead_by_key(&key).await.unwrap()
}

//! Calling hours through the door: where a lead may be, whose law counts, and what is said to whoever has
//! to wait for it.

use nextlead::api::proto;
use nextlead::clock::ManualClock;
use proto::{ObstacleKind, ZoneEvidence};
use tempfile::TempDir;

use super::support::{HOUR_MS, MINUTE_MS, NOON, TestNode, lead, time};

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
    node.pass_time(MINUTE_MS).await;
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
async fn a_country_without_a_known_law_has_the_queue_s_hours_alone() {
    let mut node = start().await;
    let only = node.hand_over(lead_at("+81312345678")).await;
    let explained = node.explain(&only).await;
    let found = explained.whereabouts.unwrap();
    assert_eq!((found.time_zones, found.jurisdictions), (vec!["Asia/Tokyo".into()], vec![]));
    node.pull_lead("ann").await;
}

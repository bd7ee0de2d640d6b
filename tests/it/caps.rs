//! Caps through the door: a lead at its cap is not served, and is at the exact instant; and who is not to
//! be contacted for a while.

use nextlead::api::proto;
use prost_types::Duration;
use proto::suppress_contact_request::Contact;
use proto::{Disposition, LeadEventKind, WaitReason};
use tonic::Code;

use super::support::{DAY_MS, HOUR_MS, MINUTE_MS, TestNode, by_id, fields, lead, time};

const MIAMI: &str = "+13055550101";
const ORLANDO: &str = "+14075550101";

async fn put_queue(node: &mut TestNode, queue: proto::Queue) -> proto::Queue {
    let queue = proto::Queue {
        queue_id: "sales".into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        ..queue
    };
    let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    node.queues.upsert_queue(request).await.unwrap().into_inner().queue.unwrap()
}

fn cap(dial_count_max: i64, window_ms: i64) -> proto::Cap {
    let window_duration = Some(Duration { seconds: window_ms / 1_000, nanos: 0 });
    proto::Cap { dial_count_max, window_duration }
}

fn exempt(caps: Vec<proto::Cap>) -> proto::Queue {
    let calling_law = proto::CallingLaw::Exempt.into();
    proto::Queue { calling_law, caps, ..Default::default() }
}

fn lead_with(nth: u32, numbers: &[&str]) -> proto::Lead {
    let number = |one: &&str| proto::LeadNumber { number: (*one).into(), ..Default::default() };
    let numbers = numbers.iter().map(number).collect();
    proto::Lead { numbers, time_zone: String::new(), ..lead(nth) }
}

/// Serves the lead and has it call back at once.
async fn call(node: &mut TestNode, number: &str) -> proto::RecordTouchResponse {
    let served = node.pull_lead("ann").await;
    let now = node.node.dialer().now();
    let touch = node.touch_of("ann", &served, Disposition::CallbackAny);
    let touch = proto::RecordTouchRequest {
        number: number.into(),
        callback_time: Some(time(now)),
        ..touch
    };
    node.reps.record_touch(touch).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_lead_at_its_cap_is_not_served_and_then_is_at_the_exact_instant() {
    let mut node = TestNode::start().await;
    let queue = put_queue(&mut node, exempt(vec![cap(2, HOUR_MS), cap(10, 30 * DAY_MS)])).await;
    assert_eq!(queue.caps, [cap(2, HOUR_MS), cap(10, 30 * DAY_MS)]);
    let first = node.hand_over(lead_with(1, &[MIAMI])).await;
    let start = node.node.dialer().now();
    call(&mut node, MIAMI).await;
    node.pass_time(10 * MINUTE_MS).await;
    call(&mut node, MIAMI).await;

    let nothing = node.pull_nothing("ann").await;

    assert_eq!((nothing.capped_count, nothing.waiting_count), (1, 1));
    assert_eq!(nothing.next_due_time, Some(time(start + HOUR_MS)));
    let explained = node.explain(&first).await;
    assert_eq!(explained.next_servable_time, Some(time(start + HOUR_MS)));
    let standing = explained.state.unwrap().standing.unwrap().standing.unwrap();
    let proto::standing::Standing::Waiting(waiting) = standing else { panic!("{standing:?}") };
    assert_eq!(waiting.reason(), WaitReason::Cap);
    let request = proto::TraceLeadRequest { lead: Some(by_id(&first)), ..Default::default() };
    let events = node.queues.trace_lead(request).await.unwrap().into_inner().events;
    let told = events.last().unwrap();
    assert_eq!(told.kind(), LeadEventKind::Capped);
    assert_eq!(
        (told.details["rule"].as_str(), told.details["dial_count"].as_str()),
        ("queue", "2")
    );
    assert!(!told.details.values().any(|text| text.contains("5550101")));

    // It is told once, and not looked at again until then.
    assert_eq!(node.pull_nothing("ann").await.turned_count, 0);
    node.pass_time(50 * MINUTE_MS - 1).await;
    assert_eq!(node.pull_nothing("ann").await.capped_count, 0);
    node.pass_time(1).await;
    assert_eq!(node.pull_lead("ann").await.lead.unwrap().lead_id, first);
    node.audit().await;
}

#[tokio::test]
async fn the_law_caps_calls_to_florida_and_only_numbers_below_it_are_offered() {
    let mut node = TestNode::start().await;
    put_queue(&mut node, proto::Queue::default()).await;
    node.pass_time(3 * HOUR_MS).await;
    let first = node.hand_over(lead_with(1, &[MIAMI, ORLANDO])).await;
    for _ in 0..3 {
        call(&mut node, MIAMI).await;
        node.pass_time(MINUTE_MS).await;
    }

    let served = node.pull_lead("ann").await;

    let lead = served.lead.clone().unwrap();
    let numbers: Vec<_> = lead.numbers.iter().map(|one| one.number.as_str()).collect();
    assert_eq!((lead.lead_id.as_str(), numbers), (first.as_str(), vec![ORLANDO]));
    // The same lead again is offered the same numbers.
    assert_eq!(node.pull_lead("ann").await.lead.unwrap().numbers, lead.numbers);
    let mut touch = node.touch_of("ann", &served, Disposition::CallbackAny);
    touch.number = ORLANDO.into();
    touch.callback_time = Some(time(node.node.dialer().now()));
    node.reps.record_touch(touch).await.unwrap();
    for _ in 0..2 {
        call(&mut node, ORLANDO).await;
    }
    let nothing = node.pull_nothing("ann").await;
    assert_eq!(nothing.capped_count, 1);
    let request = proto::TraceLeadRequest { lead: Some(by_id(&first)), ..Default::default() };
    let events = node.queues.trace_lead(request).await.unwrap().into_inner().events;
    let rule = &events.last().unwrap().details["rule"];
    assert_eq!(rule, "US-FL, Fla. Stat. 501.616(6)(b)");
    node.audit().await;
}

#[tokio::test]
async fn caps_that_make_no_sense_are_refused() {
    let mut node = TestNode::start().await;
    for (caps, field) in [
        (vec![cap(0, HOUR_MS)], "queue.caps[0].dial_count_max"),
        (vec![cap(1, HOUR_MS), cap(1, 59_000)], "queue.caps[1].window_duration"),
        (vec![cap(1, 91 * DAY_MS)], "queue.caps[0].window_duration"),
        (vec![cap(1, HOUR_MS); 9], "queue.caps"),
    ] {
        let queue = proto::Queue {
            queue_id: "sales".into(),
            time_zone: "UTC".into(),
            hours: "always".into(),
            ..exempt(caps)
        };
        let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
        let refused = node.queues.upsert_queue(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(fields(&refused).contains(&field.to_owned()), "{:?}", fields(&refused));
    }
}

#[tokio::test]
async fn a_person_is_left_alone_until_their_wish_ends() {
    let mut node = TestNode::start().await;
    let first = node.hand_over(lead(1)).await;
    let now = node.node.dialer().now();
    let wish = |until: i64| proto::SuppressContactRequest {
        contact: Some(Contact::Lead(by_id(&first))),
        source: "letter".into(),
        until_time: Some(time(until)),
        ..Default::default()
    };
    let refused = node.intake.suppress_contact(wish(now)).await.unwrap_err();
    assert_eq!(fields(&refused), ["until_time"]);

    let answer = node.intake.suppress_contact(wish(now + DAY_MS)).await.unwrap().into_inner();

    assert_eq!((answer.known_before, answer.closed_count), (false, 1));
    node.pull_nothing("ann").await;
    let request = proto::ListSuppressionsRequest::default();
    let listed = node.intake.list_suppressions(request.clone()).await.unwrap().into_inner();
    assert!(listed.suppressions.iter().all(|one| one.until_time == Some(time(now + DAY_MS))));
    assert!(!listed.suppressions.is_empty());
    node.pass_time(DAY_MS).await;
    let same = proto::Lead { numbers: lead(1).numbers, email: lead(1).email, ..lead(2) };
    let back = node.hand_over(same).await;
    assert_eq!(node.pull_lead("ann").await.lead.unwrap().lead_id, back);
    let still = node.intake.list_suppressions(request).await.unwrap().into_inner();
    assert_eq!(still, listed, "what has ended is listed still");
    node.audit().await;
}

//! Leads that go to another queue: where they are served from then on, and whose books have them.

use nextlead::api::proto;
use nextlead::clock::Clock as _;
use proto::Disposition;
use tonic::{Code, Status};

use crate::support::{HOUR_MS, MINUTE_MS, TestNode, by_id, fields, lead, reason};

/// Beside `sales` with Ann there is `closers` with Zoe.
async fn start() -> TestNode {
    let mut node = TestNode::start().await;
    node.put_queue("closers", "always").await;
    node.put_rep("zoe", "closers", &[]).await;
    node
}

async fn transfer(
    node: &mut TestNode,
    lead_id: &str,
    queue: &str,
) -> Result<proto::TransferLeadResponse, Status> {
    let request = proto::TransferLeadRequest {
        lead: Some(by_id(lead_id)),
        queue_id: queue.into(),
        reason: "too_large".into(),
        ..Default::default()
    };
    node.queues.transfer_lead(request).await.map(tonic::Response::into_inner)
}

async fn publish(node: &mut TestNode, queue: &str, rules: &str) -> Result<(), Status> {
    let request = proto::PublishRulesRequest {
        queue_id: queue.into(),
        text: format!("queue = \"{queue}\"\n{rules}"),
        reason: "a test".into(),
        wait: true,
        ..Default::default()
    };
    node.rules.publish_rules(request).await.map(drop)
}

/// What follows an unanswered call; whatever else happens, the lead is lost.
fn after(no_answer: &str) -> String {
    let rest = "[[after]]\ndispositions = ['busy', 'voicemail', 'congestion', 'dead_air', \
                'dropped_before_rep', 'gatekeeper', 'wrong_time', 'language', 'needs_specialist', \
                'not_interested', 'not_qualified']\nthen = 'lost'\n";
    format!("[[after]]\ndispositions = ['no_answer']\n{no_answer}\n{rest}")
}

/// Of a queue's books: handed over, open, transferred in, transferred out, touches.
async fn books(node: &mut TestNode, queue: &str) -> [i64; 5] {
    let request = proto::GetCoverageRequest { queue_id: queue.into(), ..Default::default() };
    let books = node.coverage.get_coverage(request).await.unwrap().into_inner().books;
    let mut sums = [0; 5];
    for book in books {
        assert_eq!((book.imbalance, book.campaign_id.as_str()), (0, "spring"));
        let counts = [
            book.handed_over_count,
            book.ready_count + book.waiting_count + book.leased_count,
            book.transferred_in_count,
            book.transferred_out_count,
            book.touch_count,
        ];
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    sums
}

async fn assert_served(node: &mut TestNode, rep: &str, lead_id: &str) -> proto::ServedLead {
    let served = node.pull_lead(rep).await;
    assert_eq!(served.lead.as_ref().unwrap().lead_id, lead_id);
    served
}

#[tokio::test]
async fn a_transferred_lead_is_served_in_its_new_queue_alone() {
    let mut node = start().await;
    let [first, second] = [node.hand_over(lead(1)).await, node.hand_over(lead(2)).await];
    let due = node.explain(&first).await.state.unwrap().first_touch_due_time;
    node.pull_nothing("zoe").await;
    node.pass_time(HOUR_MS).await;

    let done = transfer(&mut node, &first, "closers").await.unwrap();
    assert!(!done.transferred_before);
    assert_eq!(done.from_queue_id, "sales");
    let again = transfer(&mut node, &first, "closers").await.unwrap();
    assert!(again.transferred_before);
    let explained = node.explain(&first).await;
    let state = explained.state.unwrap();
    assert_eq!(state.first_touch_due_time, due, "no transfer resets the promise");
    assert_eq!(books(&mut node, "sales").await, [2, 1, 0, 1, 0]);
    assert_eq!(books(&mut node, "closers").await, [0, 1, 1, 0, 0]);

    let held = assert_served(&mut node, "ann", &second).await;
    node.touch("ann", &held, Disposition::NotInterested).await;
    node.pull_nothing("ann").await;
    let mut node = node.restart().await;
    node.pull_nothing("ann").await;
    let served = assert_served(&mut node, "zoe", &first).await;
    node.touch("zoe", &served, Disposition::NoAnswer).await;
    assert_eq!(books(&mut node, "sales").await, [2, 0, 0, 1, 1]);
    assert_eq!(books(&mut node, "closers").await, [0, 1, 1, 0, 1]);

    // A wait goes along; and it is another queue's when it is over.
    transfer(&mut node, &first, "sales").await.unwrap();
    assert_eq!(node.standing(&first).await, "waiting");
    node.pass_time(HOUR_MS).await;
    node.pull_nothing("zoe").await;
    assert_served(&mut node, "ann", &first).await;
    node.audit().await;
}

#[tokio::test]
async fn the_new_queue_ranks_by_its_own_rules() {
    let mut node = start().await;
    let by_name = |name: &str| {
        format!("[[value]]\nname = 'mine'\nwhen = 'lead.source == \"{name}\"'\npoints = 600\n")
    };
    node.publish(&by_name("web")).await;
    publish(&mut node, "closers", &by_name("fair")).await.unwrap();
    let from = |nth, source: &str| proto::Lead { source: source.into(), ..lead(nth) };
    let mut ids = Vec::new();
    for (nth, source) in [(1, "web"), (2, "fair"), (3, "web")] {
        ids.push(node.hand_over(from(nth, source)).await);
        node.pass_time(MINUTE_MS).await;
    }
    for id in &ids {
        transfer(&mut node, id, "closers").await.unwrap();
    }
    let peek = proto::PeekQueueRequest { queue_id: "closers".into(), place_count: 5 };
    let peek = node.queues.peek_queue(peek).await.unwrap().into_inner();
    let places: Vec<_> = peek.places.iter().map(|place| &place.lead_id).collect();
    assert_eq!(places, [&ids[1], &ids[0], &ids[2]]);
    node.audit().await;
}

#[tokio::test]
async fn what_cannot_be_transferred_says_why() {
    let mut node = start().await;
    let id = node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    let held = transfer(&mut node, &id, "closers").await.unwrap_err();
    assert_eq!((held.code(), reason(&held).as_str()), (Code::FailedPrecondition, "LEAD_LEASED"));
    assert!(held.message().contains("\"ann\""), "{}", held.message());
    node.touch("ann", &served, Disposition::NotInterested).await;
    let closed = transfer(&mut node, &id, "closers").await.unwrap_err();
    assert_eq!(
        (closed.code(), reason(&closed).as_str()),
        (Code::FailedPrecondition, "LEAD_CLOSED")
    );
    let nowhere = transfer(&mut node, &id, "closer").await.unwrap_err();
    assert_eq!((nowhere.code(), reason(&nowhere).as_str()), (Code::NotFound, "QUEUE_NOT_FOUND"));
    let personal = proto::TransferLeadRequest {
        lead: Some(by_id(&id)),
        queue_id: "closers".into(),
        reason: "asked for by Ann Smith".into(),
        ..Default::default()
    };
    let personal = node.queues.transfer_lead(personal).await.unwrap_err();
    assert_eq!(
        (personal.code(), fields(&personal)),
        (Code::InvalidArgument, vec!["reason".into()])
    );
    node.audit().await;
}

#[tokio::test]
async fn a_policy_hands_a_lead_to_the_next_queue() {
    let mut node = start().await;
    let unknown = after("then = { queue = 'closer' }");
    let unknown = publish(&mut node, "sales", &unknown).await.unwrap_err();
    assert_eq!(reason(&unknown), "RULES_INVALID");
    let check = |text: String| proto::CheckRulesRequest { text };
    let text = format!("queue = 'sales'\n{}", after("then = { queue = 'closer' }"));
    let checked = node.rules.check_rules(check(text)).await.unwrap().into_inner();
    let message = &checked.mistakes[0].message;
    assert_eq!(message, "there is no queue `closer`; did you mean `closers`?");

    let handed_on = after("retry_in = ['1h']\nattempts_max = 2\nthen = { queue = 'closers' }");
    publish(&mut node, "sales", &handed_on).await.unwrap();
    let there = after("retry_in = ['1h']\nattempts_max = 2\nthen = 'unreachable'");
    publish(&mut node, "closers", &there).await.unwrap();
    let id = node.hand_over(lead(1)).await;
    for rep in ["ann", "ann", "zoe", "zoe"] {
        let served = assert_served(&mut node, rep, &id).await;
        node.touch(rep, &served, Disposition::NoAnswer).await;
        let other = if rep == "ann" { "zoe" } else { "ann" };
        if node.standing(&id).await == "waiting" {
            node.pull_nothing(other).await;
        }
        node.pass_time(HOUR_MS).await;
    }
    assert_eq!(node.standing(&id).await, "closed");
    assert_eq!(books(&mut node, "sales").await, [1, 0, 0, 1, 2]);
    assert_eq!(books(&mut node, "closers").await, [0, 0, 1, 0, 2]);
    let trace = proto::TraceLeadRequest { lead: Some(by_id(&id)), ..Default::default() };
    let events = node.queues.trace_lead(trace).await.unwrap().into_inner().events;
    let moves: Vec<_> = events
        .iter()
        .filter(|event| event.kind() == proto::LeadEventKind::Transferred)
        .map(|event| [&event.actor, &event.details["from"], &event.details["to"]])
        .collect();
    assert_eq!(moves, [["nextlead", "sales", "closers"]]);
    node.audit().await;
}

#[tokio::test]
async fn a_lead_in_another_queue_obeys_its_campaign_still() {
    let mut node = start().await;
    let id = node.hand_over(lead(1)).await;
    transfer(&mut node, &id, "closers").await.unwrap();
    let pause = |resume| proto::PauseCampaignRequest { campaign_id: "spring".into(), resume };
    node.intake.pause_campaign(pause(false)).await.unwrap();
    node.pull_nothing("zoe").await;
    node.intake.pause_campaign(pause(true)).await.unwrap();
    let served = assert_served(&mut node, "zoe", &id).await;
    node.touch("zoe", &served, Disposition::NoAnswer).await;
    node.put_campaign("spring", "sales", Some(node.clock.now() + MINUTE_MS)).await;
    node.pass_time(MINUTE_MS).await;
    assert_eq!(node.standing(&id).await, "closed");
    assert_eq!(books(&mut node, "closers").await, [0, 0, 1, 0, 1]);
    node.audit().await;
}

#[tokio::test]
async fn an_owner_keeps_a_transferred_lead_only_in_their_own_queue() {
    let mut node = start().await;
    node.put_rep("bob", "sales", &[]).await;
    let id = node.hand_over(proto::Lead { owner_rep_id: "bob".into(), ..lead(1) }).await;
    node.pull_nothing("ann").await;
    transfer(&mut node, &id, "closers").await.unwrap();
    let served = assert_served(&mut node, "zoe", &id).await;
    node.touch("zoe", &served, Disposition::NoAnswer).await;
    node.pass_time(HOUR_MS).await;
    node.pull_nothing("bob").await;

    // He goes over himself, and it is his again.
    node.put_rep("bob", "closers", &[]).await;
    node.pull_nothing("zoe").await;
    assert_served(&mut node, "bob", &id).await;
    node.audit().await;
}

#[tokio::test]
async fn a_waiting_rep_gets_a_lead_that_comes_from_another_queue() {
    let mut node = start().await;
    let id = node.hand_over(lead(1)).await;
    let mut reps = node.reps.clone();
    let request = proto::NextLeadRequest {
        rep_id: "zoe".into(),
        wait_duration: Some(prost_types::Duration { seconds: 50, nanos: 0 }),
        ..Default::default()
    };
    let waiting = tokio::spawn(async move { reps.next_lead(request).await });
    while node.node.dialer().metrics().waiting_count() == 0 {
        tokio::task::yield_now().await;
    }
    transfer(&mut node, &id, "closers").await.unwrap();
    let answer = waiting.await.unwrap().unwrap().into_inner().answer.unwrap();
    let proto::next_lead_response::Answer::Served(served) = answer else { panic!("{answer:?}") };
    assert_eq!(served.lead.unwrap().lead_id, id);
    node.audit().await;
}

//! A policy at work: what two weeks of calls make of one lead, on the lead's own clock.

use std::path::Path;
use std::time::Duration;

use nextlead::api::proto;
use nextlead::clock::Clock as _;
use nextlead::store::NewRules;
use proto::Disposition;

use crate::lanes::open_store;
use crate::process::{BINARY, command};
use crate::support::{HOUR_MS, NOON, TestNode, by_id, fields, lead, reason, time};
use crate::two_nodes::within;

/// What a real team decided: press while the lead is fresh, then patiently, and nobody is given up early.
const POLICY: &str = r#"
[[after]]
dispositions = ["no_answer", "busy", "voicemail", "congestion"]
attempts_min = 6
attempts_max = 14
then         = { nurture = "90d" }

[[after.stage]]
for_the_first = "3d"
attempts      = 5
retry_in      = ["1h", "next_daypart"]

[[after.stage]]
for_the_first = "14d"
retry_in      = ["2d", "next_daypart", "3d", "next_daypart", "4d"]

[[after]]
dispositions = ["gatekeeper", "wrong_time", "language", "needs_specialist"]
retry_in     = ["next_daypart"]
attempts_max = 14
then         = { nurture = "90d" }

[[after]]
dispositions = ["dead_air", "dropped_before_rep"]
retry_in     = ["3d"]
attempts_max = 14
then         = { nurture = "90d" }

[[after]]
dispositions = ["not_interested"]
then         = { nurture = "until_engagement" }

[[after]]
dispositions = ["not_qualified"]
then         = { lost = "not_qualified" }
"#;

/// A queue whose reps call from nine to six on the lead's clock, under the law.
async fn start() -> TestNode {
    let mut node = TestNode::start().await;
    let queue = proto::Queue {
        queue_id: "sales".into(),
        time_zone: "Europe/Berlin".into(),
        hours: "mon-fri 09:00-18:00".into(),
        ..Default::default()
    };
    let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    node.queues.upsert_queue(request).await.unwrap();
    node.publish(POLICY).await;
    node
}

/// A lead in New York with two numbers.
fn new_yorker() -> proto::Lead {
    let number = |number: &str| proto::LeadNumber { number: number.into(), ..Default::default() };
    proto::Lead {
        time_zone: "America/New_York".into(),
        country: "US".into(),
        numbers: vec![number("+12125550100"), number("+12125550101")],
        ..lead(1)
    }
}

/// Calls a lead as soon as it may be called, on the number that is to be dialled first.
async fn call_next(node: &mut TestNode, lead_id: &str, how: Disposition) -> String {
    let next = node.explain(lead_id).await.next_servable_time;
    let next = next.map_or(0, |at| at.seconds * 1_000 + i64::from(at.nanos) / 1_000_000);
    let wait_ms = (next - node.clock.now()).max(0);
    if wait_ms > 0 {
        node.pass_time(wait_ms - 1).await;
        node.pull_nothing("ann").await;
        node.pass_time(1).await;
    }
    let served = node.pull_lead("ann").await;
    let dialled = served.callable_numbers[0].clone();
    let mut touch = node.touch_of("ann", &served, how);
    touch.number = dialled.clone();
    node.pass_time(60_000).await;
    touch.end_time = Some(time(node.clock.now()));
    node.reps.record_touch(touch).await.unwrap();
    dialled
}

/// What the ledger says about each touch: when, and what decided.
async fn touched(node: &mut TestNode, lead_id: &str) -> Vec<String> {
    let request = proto::TraceLeadRequest {
        lead: Some(by_id(lead_id)),
        page_size: 1_000,
        ..Default::default()
    };
    let events = node.queues.trace_lead(request).await.unwrap().into_inner().events;
    let touched = events.iter().filter(|one| one.kind() == proto::LeadEventKind::Touched);
    let told = touched.map(|event| {
        let minutes = (event.event_time.unwrap().seconds - NOON / 1_000) / 60;
        let names = ["disposition", "after", "stage", "retry", "daypart"];
        let details: Vec<&str> =
            names.iter().filter_map(|name| event.details.get(*name)).map(String::as_str).collect();
        let (days, hour, minute) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
        format!("day {days} {:02}:{minute:02} {}", hour + 7, details.join(" "))
    });
    told.collect()
}

#[tokio::test]
async fn two_weeks_of_a_lead_go_as_the_policy_says() {
    let mut node = start().await;
    let only = node.hand_over(new_yorker()).await;

    let mut dialled = Vec::new();
    for how in [
        Disposition::NoAnswer,
        Disposition::WrongNumber,
        Disposition::NoAnswer,
        Disposition::Voicemail,
        Disposition::Gatekeeper,
        Disposition::NoAnswer,
        Disposition::Busy,
        Disposition::NoAnswer,
        Disposition::Voicemail,
        Disposition::NoAnswer,
        Disposition::Busy,
    ] {
        dialled.push(call_next(&mut node, &only, how).await);
        assert_eq!(node.standing(&only).await, "waiting", "after {how:?}");
    }
    dialled.push(call_next(&mut node, &only, Disposition::NoAnswer).await);

    let expected = [
        "day 0 09:01 no_answer 1 1 1",
        "day 0 10:02 wrong_number built-in 1",
        "day 0 10:03 no_answer 1 1 2 noon",
        "day 0 11:01 voicemail 1 1 2 afternoon",
        "day 0 14:01 gatekeeper 2 1 evening",
        "day 0 17:01 no_answer 1 2 1",
        "day 2 17:02 busy 1 2 2 noon",
        "day 3 11:01 no_answer 1 2 3",
        // Three days later is a Sunday.
        "day 7 09:01 voicemail 1 2 4 afternoon",
        "day 7 14:01 no_answer 1 2 5",
        "day 11 14:02 busy 1 2 5",
        // A fortnight is over.
        "day 15 14:03 no_answer 1",
    ];
    assert_eq!(touched(&mut node, &only).await, expected);
    let (first, second) = ("+12125550100", "+12125550101");
    assert_eq!(dialled[..3], [first, second, first], "the next number at once, and never again");
    assert!(dialled[3..].iter().all(|number| number == first));
    assert_eq!(node.standing(&only).await, "closed");
    node.audit().await;

    let told = trace(&node, &only).await;
    for part in [
        "after=1 daypart=noon disposition=no_answer retry=2 stage=1",
        "after=built-in disposition=wrong_number retry=1",
        "closed (attempts_exhausted): nurture until 2027-03-08T19:03:00Z",
    ] {
        assert!(told.contains(part), "no {part:?} in\n{told}");
    }
}

/// What `nextlead trace` prints.
async fn trace(node: &TestNode, lead_id: &str) -> String {
    let mut command = command(Path::new(BINARY), node.folder.path());
    command.env("NEXTLEAD_SERVER", format!("http://{}", node.node.address));
    command.env("NEXTLEAD_TOKEN_FILE", &node.node.token_file).args(["trace", lead_id]);
    let ran = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// A version that is no longer accepted, but was, keeps no node from starting and means what it meant.
#[tokio::test]
async fn rules_that_an_earlier_release_stored_stay_in_force() {
    let mut node = TestNode::start().await;
    let only = node.hand_over(lead(1)).await;
    let TestNode { node: running, folder, clock, .. } = node;
    running.stop().await.unwrap();
    let store = open_store(folder.path()).await;
    let rules = NewRules {
        queue: store.roster().await.unwrap().queues[0].key,
        text: "queue = \"sales\"\n[[after]]\ndispositions = [\"no_answer\"]\nretry_in = [\"2h\"]\n\
               then = \"lost\"\n"
            .into(),
        author: "admin".into(),
        reason: "as it was".into(),
        now: NOON,
        request: None,
    };
    store.publish_rules(&rules).await.unwrap();
    store.close().await;

    let mut node = TestNode::start_bare(folder, clock).await;

    // A lead pulled before would be held by what was in force then.
    within(Duration::from_secs(60), async || {
        node.node.dialer().sweep(100).await.unwrap();
        node.explain(&only).await.rule_version == 1
    })
    .await;
    let served = node.pull_lead("ann").await;
    assert_eq!(served.why.as_ref().unwrap().rule_version, 1);
    node.touch("ann", &served, Disposition::Gatekeeper).await;
    node.pass_time(HOUR_MS).await;
    assert_eq!(node.standing(&only).await, "ready", "an hour, as for all that it left out");
    let served = node.pull_lead("ann").await;
    node.touch("ann", &served, Disposition::NoAnswer).await;
    node.pass_time(2 * HOUR_MS).await;
    assert_eq!(node.standing(&only).await, "ready");
}

#[tokio::test]
async fn a_policy_that_says_too_little_is_refused_with_all_that_is_missing() {
    let mut node = TestNode::start().await;
    let text = "queue = \"sales\"\n[[after]]\ndispositions = [\"no_answer\"]\nretry_in = [\"1h\"]\n\
                then = \"lost\"\n";
    let check = proto::CheckRulesRequest { text: text.into() };
    let answer = node.rules.check_rules(check).await.unwrap().into_inner();
    let about = |what: &str| answer.mistakes.iter().any(|one| one.message.contains(what));
    assert!(about("`attempts_max`") && about("`gatekeeper`, `wrong_time`"), "{answer:?}");
    assert!(about("`not_interested`, `not_qualified`") && about("`dead_air`"), "{answer:?}");
    let publish = proto::PublishRulesRequest {
        queue_id: "sales".into(),
        text: text.into(),
        reason: "a test".into(),
        ..Default::default()
    };
    let refused = node.rules.publish_rules(publish).await.unwrap_err();
    assert_eq!(reason(&refused), "RULES_INVALID");
    assert_eq!(fields(&refused).len(), answer.mistakes.len());

    let check = proto::CheckRulesRequest { text: "queue = \"sales\"".into() };
    let policy = node.rules.check_rules(check).await.unwrap().into_inner().policy;
    let told: usize = policy.iter().map(|line| line.dispositions.len()).sum();
    assert!(told == 22 && policy.iter().all(|line| line.built_in), "what is built in is told");
}

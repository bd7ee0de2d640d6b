//! Why is this lead not being served? Each obstacle through the door, with what it takes to end it, and the
//! next instant: the lead is served at it and not a millisecond before.

mod random;
mod unroutable;

use nextlead::api::proto;
use prost_types::Duration;
use proto::suppress_contact_request::Contact;
use proto::{Disposition, Obstacle, ObstacleKind, WaitReason};
use tonic::Code;

use super::support::{DAY_MS, HOUR_MS, MINUTE_MS, NOON, TestNode, by_id, lead, lead_of, time};

const MIAMI: &str = "+13055550101";
const ORLANDO: &str = "+14075550101";

/// What a queue of these tests has unless they say otherwise: no law, all day long.
fn queue() -> proto::Queue {
    proto::Queue {
        queue_id: "sales".into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        calling_law: proto::CallingLaw::Exempt.into(),
        ..Default::default()
    }
}

fn rep(id: &str) -> proto::Rep {
    proto::Rep { rep_id: id.into(), queue_id: "sales".into(), ..Default::default() }
}

fn cap(dial_count_max: i64, window_ms: i64) -> proto::Cap {
    let window_duration = Some(Duration { seconds: window_ms / 1_000, nanos: 0 });
    proto::Cap { dial_count_max, window_duration }
}

fn numbers(numbers: &[&str]) -> Vec<proto::LeadNumber> {
    let number = |one: &&str| proto::LeadNumber { number: (*one).into(), ..Default::default() };
    numbers.iter().map(number).collect()
}

fn kinds(explained: &proto::ExplainLeadResponse) -> Vec<ObstacleKind> {
    explained.obstacles.iter().map(Obstacle::kind).collect()
}

impl TestNode {
    fn now(&self) -> i64 {
        self.node.dialer().now()
    }

    async fn set_queue(&mut self, queue: proto::Queue) {
        let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
        self.queues.upsert_queue(request).await.unwrap();
    }

    async fn set_rep(&mut self, rep: proto::Rep) {
        let request = proto::UpsertRepRequest { rep: Some(rep), ..Default::default() };
        self.queues.upsert_rep(request).await.unwrap();
    }

    async fn set_campaign(&mut self, campaign: proto::Campaign) {
        let campaign = Some(proto::Campaign { queue_id: "sales".into(), ..campaign });
        let request = proto::UpsertCampaignRequest { campaign, ..Default::default() };
        self.intake.upsert_campaign(request).await.unwrap();
    }

    async fn set_paused(&mut self, is_paused: bool) {
        let campaign_id = "spring".to_owned();
        let request = proto::PauseCampaignRequest { campaign_id, resume: !is_paused };
        self.intake.pause_campaign(request).await.unwrap();
    }

    async fn suppress(&mut self, contact: Contact, until: Option<i64>) {
        let request = proto::SuppressContactRequest {
            contact: Some(contact),
            source: "a letter".into(),
            until_time: until.map(time),
            ..Default::default()
        };
        self.intake.suppress_contact(request).await.unwrap();
    }

    async fn explain_to(&mut self, lead_id: &str, rep: &str) -> proto::ExplainLeadResponse {
        let request = proto::ExplainLeadRequest { lead: Some(by_id(lead_id)), rep_id: rep.into() };
        self.queues.explain_lead(request).await.unwrap().into_inner()
    }

    /// A call without a lease: it moves nothing, and counts for the caps.
    async fn dial(&mut self, lead_id: &str, number: &str) {
        let now = self.now();
        let touch = proto::RecordTouchRequest {
            rep_id: "ann".into(),
            lead: Some(by_id(lead_id)),
            touch_id: format!("dial-{lead_id}-{number}-{now}"),
            channel: proto::Channel::Call.into(),
            direction: proto::Direction::Outbound.into(),
            number: number.into(),
            start_time: Some(time(now)),
            end_time: Some(time(now)),
            disposition: Disposition::NoAnswer.into(),
            ..Default::default()
        };
        self.reps.record_touch(touch).await.unwrap();
    }

    /// Who of these reps gets the lead now, if it is the only one in line.
    async fn taker(&mut self, reps: &[&str]) -> Option<String> {
        for rep in reps {
            let request = proto::NextLeadRequest { rep_id: (*rep).into(), ..Default::default() };
            // One who is off duty is refused.
            let Ok(answer) = self.reps.next_lead(request).await else { continue };
            if let Some(proto::next_lead_response::Answer::Served(served)) =
                answer.into_inner().answer
            {
                return served.lead.map(|lead| lead.lead_id);
            }
        }
        None
    }

    /// The next instant that is told; nobody of these reps is served before, and one is at that instant.
    async fn served_when_told(&mut self, lead_id: &str, reps: &[&str]) -> i64 {
        let told = self.explain(lead_id).await.next_servable_time.unwrap();
        let at = told.seconds * 1_000 + i64::from(told.nanos) / 1_000_000;
        assert!(at > self.now(), "{at} is not to come");
        self.pass_time(at - 1 - self.now()).await;
        assert_eq!(self.taker(reps).await, None, "a millisecond before");
        assert_eq!(self.explain(lead_id).await.next_servable_time, Some(told));
        self.pass_time(1).await;
        assert_eq!(self.taker(reps).await.as_deref(), Some(lead_id), "at the instant");
        at
    }
}

#[tokio::test]
async fn a_lead_that_nothing_is_in_the_way_of_can_be_served_now() {
    let mut node = TestNode::start().await;
    let id = node.hand_over(lead(1)).await;
    let explained = node.explain(&id).await;
    assert_eq!((kinds(&explained), explained.unroutable), (vec![], false));
    assert_eq!(explained.next_servable_time, Some(time(NOON)));
    assert!(explained.numbers[0].callable && explained.numbers[0].position == 1);
    assert_eq!(node.taker(&["ann"]).await, Some(id));
}

#[tokio::test]
async fn a_leased_lead_comes_back_when_its_lease_and_its_grace_are_over() {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    let id = node.hand_over(lead(1)).await;
    node.pull_lead("ann").await;
    let leased = node.explain(&id).await.obstacles;
    assert_eq!((leased[0].kind(), leased[0].rep_id.as_str()), (ObstacleKind::Leased, "ann"));
    assert_eq!(leased.len(), 1, "its own lease is in nobody's way: {leased:?}");
    assert_eq!(leased[0].until_time, Some(time(NOON + 10 * MINUTE_MS + 30_000)));
    node.served_when_told(&id, &["bob"]).await;
    node.audit().await;
}

#[tokio::test]
async fn a_wait_tells_for_what_and_hours_come_on_top_of_it() {
    let mut node = TestNode::start().await;
    node.set_queue(proto::Queue { hours: "mon-fri 09:00-12:30".into(), ..queue() }).await;
    let id = node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    node.touch("ann", &served, Disposition::NoAnswer).await;
    let explained = node.explain(&id).await;
    assert_eq!(kinds(&explained), [ObstacleKind::Waiting]);
    assert_eq!(explained.obstacles[0].wait_reason(), WaitReason::Retry);
    // The wait ends when the day is over, so it is the morning after.
    assert_eq!(node.served_when_told(&id, &["ann"]).await, NOON + 21 * HOUR_MS);
}

#[tokio::test]
async fn a_cap_tells_its_rule_its_number_and_its_window_and_one_free_number_is_enough() {
    let mut node = TestNode::start().await;
    let caps = vec![cap(1, HOUR_MS), cap(2, 5 * HOUR_MS)];
    node.set_queue(proto::Queue { caps, ..queue() }).await;
    let two = proto::Lead { numbers: numbers(&[MIAMI, ORLANDO]), ..lead(1) };
    let id = node.hand_over(two).await;
    node.dial(&id, MIAMI).await;
    let explained = node.explain(&id).await;
    assert_eq!(kinds(&explained), [], "the second number is free");
    assert!(!explained.numbers[0].callable && explained.numbers[1].callable);
    let reached = explained.numbers[0].cap.clone().unwrap();
    assert_eq!((reached.dial_count, reached.cap), (1, Some(cap(1, HOUR_MS))));
    assert_eq!(reached.until_time, Some(time(NOON + HOUR_MS)));

    node.pass_time(10 * MINUTE_MS).await;
    node.dial(&id, ORLANDO).await;
    let explained = node.explain(&id).await;
    assert_eq!(kinds(&explained), [ObstacleKind::Capped]);
    assert_eq!(explained.obstacles[0].cap, Some(reached), "the first that comes free");
    assert_eq!(explained.obstacles[0].until_time, Some(time(NOON + HOUR_MS)));
    assert_eq!(node.served_when_told(&id, &["ann"]).await, NOON + HOUR_MS);
}

#[tokio::test]
async fn a_call_that_may_have_been_made_under_a_lease_counts_when_that_ends() {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    node.set_queue(proto::Queue { caps: vec![cap(1, 3 * HOUR_MS)], ..queue() }).await;
    let id = node.hand_over(lead(1)).await;
    node.pull_lead("ann").await;
    // Nobody has dialled yet, and nobody will say so.
    assert_eq!(kinds(&node.explain(&id).await), [ObstacleKind::Leased]);
    assert_eq!(node.served_when_told(&id, &["bob"]).await, NOON + 3 * HOUR_MS);
}

#[tokio::test]
async fn the_law_of_a_state_is_named_with_its_citation() {
    let mut node = TestNode::start().await;
    node.set_queue(proto::Queue { calling_law: 0, ..queue() }).await;
    node.pass_time(2 * HOUR_MS).await;
    let miami = proto::Lead { numbers: numbers(&[MIAMI]), time_zone: String::new(), ..lead(1) };
    let id = node.hand_over(miami).await;
    for _ in 0..3 {
        node.dial(&id, MIAMI).await;
        node.pass_time(MINUTE_MS).await;
    }
    let explained = node.explain(&id).await;
    let reached = explained.obstacles[0].cap.clone().unwrap();
    assert_eq!((reached.jurisdiction.as_str(), reached.dial_count), ("US-FL", 3));
    assert!(reached.citation.contains("501.616"));
    assert!(!format!("{:?}", explained.obstacles).contains("5550101"), "no number is told");

    node.pass_time(12 * HOUR_MS).await;
    let explained = node.explain(&id).await;
    assert_eq!(kinds(&explained), [ObstacleKind::OutsideHours, ObstacleKind::Capped]);
    let bar = explained.obstacles[0].bar.clone().unwrap();
    assert_eq!((bar.time_zone.as_str(), bar.jurisdiction.as_str()), ("America/New_York", "US-FL"));
    // A day after the first of the three.
    assert_eq!(node.served_when_told(&id, &["ann"]).await, NOON + 26 * HOUR_MS);
}

#[tokio::test]
async fn a_closed_lead_tells_who_said_never_and_no_number() {
    let mut node = TestNode::start().await;
    let mail = proto::Lead {
        email: "lead@example.com".into(),
        numbers: numbers(&[MIAMI, ORLANDO]),
        ..lead(1)
    };
    let id = node.hand_over(mail).await;
    node.suppress(Contact::Number(ORLANDO.into()), None).await;
    node.pass_time(MINUTE_MS).await;
    node.suppress(Contact::Email("Lead@Example.com".into()), Some(NOON + DAY_MS)).await;
    let explained = node.explain(&id).await;
    assert_eq!(kinds(&explained), [ObstacleKind::Closed, ObstacleKind::Suppressed]);
    assert_eq!(explained.obstacles[0].close_reason(), proto::CloseReason::Suppressed);
    let told = &explained.obstacles[1].suppressed;
    let told: Vec<_> =
        told.iter().map(|one| (one.number_position, one.suppressed_time, one.until_time)).collect();
    let mail = (0, Some(time(NOON + MINUTE_MS)), Some(time(NOON + DAY_MS)));
    assert_eq!(told, [(2, Some(time(NOON)), None), mail]);
    assert_eq!(explained.obstacles[1].suppressed[0].source, "a letter");
    assert_eq!(explained.obstacles[1].until_time, None, "one of them never ends");
    assert!(!explained.numbers[1].callable && explained.numbers[1].suppressed);
    assert_eq!((explained.next_servable_time, explained.unroutable), (None, false));
    let told = format!("{:?}", explained.obstacles);
    assert!(!told.contains("555") && !told.to_lowercase().contains("example.com"), "{told}");
}

#[tokio::test]
async fn a_number_in_another_lead_s_lease_is_in_the_way() {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    let other_of = |nth| proto::Lead { numbers: numbers(&[MIAMI]), ..lead(nth) };
    let first = node.hand_over(proto::Lead { name: "Ann".into(), ..other_of(1) }).await;
    let second = node.hand_over(proto::Lead { name: "Bob".into(), ..other_of(2) }).await;
    assert_eq!(node.taker(&["ann"]).await.as_ref(), Some(&first));
    let explained = node.explain(&second).await;
    assert_eq!(kinds(&explained), [ObstacleKind::NumberInUse]);
    assert_eq!(explained.obstacles[0].other_lead_id, first);
    assert_eq!(explained.numbers[0].in_use_by_lead_id, first);
    let over = time(NOON + 10 * MINUTE_MS + 30_000);
    assert_eq!(explained.obstacles[0].until_time, Some(over));
    assert_eq!(explained.next_servable_time, Some(over));
    node.pass_time(10 * MINUTE_MS + 29_999).await;
    assert_eq!(node.taker(&["bob"]).await, None);
}

#[tokio::test]
async fn a_kept_lead_tells_for_whom_and_whether_they_are_there() {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    node.publish("[first_touch]\nwithin = \"4h\"\n").await;
    let id = node.hand_over(proto::Lead { owner_rep_id: "ann".into(), ..lead(1) }).await;
    let explained = node.explain(&id).await;
    assert_eq!(kinds(&explained), [ObstacleKind::Kept]);
    let keeper = explained.obstacles[0].keeper.unwrap();
    assert!(keeper.at_work && !keeper.promised);
    assert_eq!(explained.next_servable_time, Some(time(NOON)), "to ann");
    assert_eq!(explained.obstacles[0].until_time, Some(time(NOON + 4 * HOUR_MS)));
    let to_bob = node.explain_to(&id, "bob").await;
    assert_eq!(to_bob.next_servable_time, Some(time(NOON + 4 * HOUR_MS)));

    // She is at lunch, the queue is strict, and the lead waits for her.
    let lunch =
        proto::Absence { start_time: Some(time(NOON)), end_time: Some(time(NOON + HOUR_MS)) };
    let away =
        proto::Rep { absences: vec![lunch], end_time: Some(time(NOON + DAY_MS)), ..rep("ann") };
    node.set_rep(away).await;
    node.set_queue(proto::Queue { strict_rep_hours: true, ..queue() }).await;
    let keeper = node.explain(&id).await.obstacles[0].keeper.unwrap();
    assert_eq!((keeper.at_work, keeper.back_time), (false, Some(time(NOON + HOUR_MS))));
    assert_eq!(keeper.end_time, Some(time(NOON + DAY_MS)));
    let peek = proto::PeekQueueRequest { queue_id: "sales".into(), place_count: 5 };
    let places = node.queues.peek_queue(peek).await.unwrap().into_inner().places;
    assert_eq!(places[0].kept_for_rep_id, "ann");
    assert_eq!(node.served_when_told(&id, &["bob", "ann"]).await, NOON + HOUR_MS);
}

#[tokio::test]
async fn a_callback_goes_to_who_promised_it_and_then_to_anyone() {
    let mut node = TestNode::start().await;
    node.put_rep("bob", "sales", &[]).await;
    let id = node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    let touch = node.touch_of("ann", &served, Disposition::CallbackOwn);
    let callback_time = Some(time(NOON + HOUR_MS));
    let touch = proto::RecordTouchRequest { callback_time, ..touch };
    node.reps.record_touch(touch).await.unwrap();
    let explained = node.explain(&id).await;
    assert_eq!(kinds(&explained), [ObstacleKind::Waiting, ObstacleKind::Kept]);
    let waiting = &explained.obstacles[0];
    assert_eq!((waiting.wait_reason(), waiting.rep_id.as_str()), (WaitReason::Callback, "ann"));
    assert!(explained.obstacles[1].keeper.unwrap().promised);
    let grace = NOON + HOUR_MS + 15 * MINUTE_MS;
    assert_eq!(node.explain_to(&id, "bob").await.next_servable_time, Some(time(grace)));
    assert_eq!(node.served_when_told(&id, &["bob", "ann"]).await, NOON + HOUR_MS);
}

#[tokio::test]
async fn a_nurtured_lead_comes_back_on_its_date_unless_its_campaign_is_over() {
    let mut node = TestNode::start().await;
    let others = "no_answer busy voicemail congestion language needs_specialist dead_air \
                  dropped_before_rep gatekeeper wrong_time";
    let others: Vec<_> = others.split_whitespace().map(|one| format!("{one:?}")).collect();
    let rules = format!(
        "[[after]]\ndispositions = [\"not_interested\", \"not_qualified\"]\nthen = {{ nurture = \"30d\" }}\n\
         [[after]]\ndispositions = [{}]\nretry_in = [\"1h\"]\nattempts_max = 8\nthen = \"lost\"\n",
        others.join(", ")
    );
    node.publish(&rules).await;
    let id = node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    node.touch("ann", &served, Disposition::NotInterested).await;
    let explained = node.explain(&id).await;
    assert_eq!(kinds(&explained), [ObstacleKind::Closed]);
    let back = Some(time(NOON + 30 * DAY_MS));
    assert_eq!(explained.obstacles[0].until_time, back);
    assert_eq!(explained.next_servable_time, back);
    let ends = proto::Campaign { campaign_id: "spring".into(), ..Default::default() };
    let ends = proto::Campaign { end_time: Some(time(NOON + 29 * DAY_MS)), ..ends };
    node.set_campaign(ends.clone()).await;
    assert_eq!(node.explain(&id).await.next_servable_time, None, "it sleeps on");
    node.set_campaign(proto::Campaign { end_time: None, ..ends }).await;
    assert_eq!(node.served_when_told(&id, &["ann"]).await, NOON + 30 * DAY_MS);
}

#[tokio::test]
async fn everything_at_once_is_told_in_the_one_order() {
    let mut node = TestNode::start().await;
    node.set_queue(proto::Queue {
        hours: "mon-fri 13:00-14:00".into(),
        caps: vec![cap(1, DAY_MS)],
        ..queue()
    })
    .await;
    let id = node
        .hand_over(proto::Lead {
            skills: vec!["welsh".into(), "law".into()],
            owner_rep_id: "ann".into(),
            ..lead(1)
        })
        .await;
    let number = lead(1).numbers[0].number.clone();
    node.dial(&id, &number).await;
    node.set_paused(true).await;
    node.put_rep("bob", "sales", &["law"]).await;
    let explained = node.explain_to(&id, "ann").await;
    use ObstacleKind as Kind;
    let all = [
        Kind::Paused,
        Kind::OutsideHours,
        Kind::Capped,
        Kind::NoRepWithSkills,
        Kind::RepLacksSkills,
    ];
    assert_eq!(kinds(&explained), all, "and who lacks a skill keeps no lead");
    assert_eq!(explained.obstacles[3].skills, ["law", "welsh"]);
    assert_eq!(explained.obstacles[3].missing_skills, ["welsh"]);
    assert_eq!(explained.obstacles[4].missing_skills, ["law", "welsh"]);
    assert!(!explained.unroutable, "a pause is a decision");
    node.set_paused(false).await;
    assert!(node.explain(&id).await.unroutable);
}

#[tokio::test]
async fn why_a_rep_does_not_get_a_lead_is_told_about_that_rep() {
    let mut node = TestNode::start().await;
    node.put_queue("service", "always").await;
    node.put_rep("bob", "sales", &[]).await;
    node.put_rep("cat", "service", &[]).await;
    let first = node.hand_over(lead(1)).await;
    let second = node.hand_over(lead_of("spring", 2)).await;
    let served = node.pull_lead("ann").await;
    let holds = node.explain_to(&second, "ann").await;
    assert_eq!(kinds(&holds), [ObstacleKind::RepHoldsLead]);
    assert_eq!(holds.obstacles[0].other_lead_id, first);
    let release = proto::ReleaseLeaseRequest {
        rep_id: "ann".into(),
        lead: Some(by_id(&first)),
        lease_token: served.lease_token,
        reason: proto::ReleaseReason::Skipped.into(),
        skip_reason: proto::SkipReason::Other.into(),
        ..Default::default()
    };
    node.reps.release_lease(release).await.unwrap();
    let passed = node.explain_to(&first, "ann").await;
    assert_eq!(kinds(&passed), [ObstacleKind::RepPassed]);
    assert!(!passed.obstacles[0].last_resort);
    assert_eq!(passed.next_servable_time, Some(time(NOON + 15 * MINUTE_MS)));
    assert_eq!(node.explain_to(&first, "bob").await.next_servable_time, Some(time(NOON)));
    node.set_rep(proto::Rep { active: Some(false), ..rep("bob") }).await;
    let alone = node.explain_to(&first, "ann").await;
    assert!(alone.obstacles[0].last_resort, "there is nobody else");
    assert_eq!(alone.next_servable_time, Some(time(NOON)));
    assert_eq!(kinds(&node.explain_to(&first, "bob").await), [ObstacleKind::RepInactive]);
    let other = node.explain_to(&first, "cat").await;
    assert_eq!(other.obstacles[0].kind(), ObstacleKind::RepOtherQueue);
    assert_eq!(
        (other.obstacles[0].rep_queue_id.as_str(), other.next_servable_time),
        ("service", None)
    );
    let lead = Some(by_id(&first));
    let unknown = proto::ExplainLeadRequest { lead, rep_id: "nobody".into() };
    assert_eq!(node.queues.explain_lead(unknown).await.unwrap_err().code(), Code::NotFound);
}

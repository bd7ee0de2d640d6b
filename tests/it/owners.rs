//! Leads that belong to a rep: kept for their owner while the owner is there to call them, and anyone's
//! as soon as they are not.

use nextlead::api::proto;
use proto::{Disposition, LeadEventKind, ServeOrder};
use tonic::Code;

use super::support::{
    DAY_MS, HOUR_MS, MINUTE_MS, NOON, TestNode, by_id, fields, lead, reason, time,
};

/// A node with three reps, two of whom work `sales`.
async fn start() -> TestNode {
    let mut node = TestNode::start().await;
    node.put_queue("service", "always").await;
    node.put_rep("bob", "sales", &[]).await;
    node.put_rep("cat", "service", &[]).await;
    node
}

async fn put_rep(node: &mut TestNode, rep: proto::Rep) {
    let queue_id = if rep.queue_id.is_empty() { "sales".to_owned() } else { rep.queue_id.clone() };
    let rep = Some(proto::Rep { queue_id, ..rep });
    let request = proto::UpsertRepRequest { rep, ..Default::default() };
    node.queues.upsert_rep(request).await.unwrap();
}

fn ann() -> proto::Rep {
    proto::Rep { rep_id: "ann".into(), ..Default::default() }
}

fn absent(from: i64, to: i64) -> proto::Rep {
    let absence = proto::Absence { start_time: Some(time(from)), end_time: Some(time(to)) };
    proto::Rep { absences: vec![absence], ..ann() }
}

fn nine_to_five() -> proto::Rep {
    proto::Rep { hours: "mon-fri 09:00-17:00".into(), time_zone: "UTC".into(), ..ann() }
}

fn owned(nth: u32) -> proto::Lead {
    proto::Lead { owner_rep_id: "ann".into(), ..lead(nth) }
}

/// A lead of Ann's that was touched, so that no deadline hurries: it is due in an hour.
async fn touched(node: &mut TestNode, nth: u32) -> String {
    let id = node.hand_over(owned(nth)).await;
    let served = node.pull_lead("ann").await;
    assert_eq!(served.lead.as_ref().unwrap().lead_id, id);
    node.touch("ann", &served, Disposition::NoAnswer).await;
    id
}

async fn assign(
    node: &mut TestNode,
    lead_id: &str,
    owner: &str,
) -> Result<proto::AssignLeadResponse, tonic::Status> {
    let request = proto::AssignLeadRequest {
        lead: Some(by_id(lead_id)),
        owner_rep_id: owner.into(),
        ..Default::default()
    };
    node.queues.assign_lead(request).await.map(tonic::Response::into_inner)
}

async fn assert_served(node: &mut TestNode, rep: &str, lead_id: &str) {
    assert_eq!(node.pull_lead(rep).await.lead.unwrap().lead_id, lead_id);
}

#[tokio::test]
async fn a_lead_that_belongs_to_a_rep_is_served_to_nobody_else() {
    let mut node = start().await;
    let id = node.hand_over(owned(1)).await;
    let nothing = node.pull_nothing("bob").await;
    assert_eq!((nothing.kept_count, nothing.open_count), (1, 0));
    let explained = node.explain(&id).await;
    assert_eq!(explained.kept_for_rep_id, "ann");
    assert_eq!(explained.lead.unwrap().owner_rep_id, "ann");
    let served = node.pull_lead("ann").await;
    assert_eq!(served.lead.as_ref().unwrap().owner_rep_id, "ann");
    assert_eq!(served.why.unwrap().order(), ServeOrder::FirstTouch);
    node.audit().await;
}

#[tokio::test]
async fn a_manager_gives_a_lead_and_takes_it_back_and_the_ledger_tells() {
    let mut node = start().await;
    let id = node.hand_over(lead(1)).await;
    assert!(!assign(&mut node, &id, "bob").await.unwrap().assigned_before);
    assert!(assign(&mut node, &id, "bob").await.unwrap().assigned_before);
    node.pull_nothing("ann").await;
    assign(&mut node, &id, "").await.unwrap();
    assert_served(&mut node, "ann", &id).await;
    // In somebody's hands it may be given away, too: it comes back as the other's.
    assign(&mut node, &id, "bob").await.unwrap();
    let served = node.pull_lead("ann").await;
    node.touch("ann", &served, Disposition::NoAnswer).await;
    node.pass_time(HOUR_MS).await;
    node.pull_nothing("ann").await;
    assert_served(&mut node, "bob", &id).await;

    let trace = proto::TraceLeadRequest { lead: Some(by_id(&id)), ..Default::default() };
    let events = node.queues.trace_lead(trace).await.unwrap().into_inner().events;
    let given: Vec<_> = events
        .iter()
        .filter(|event| event.kind() == LeadEventKind::Assigned)
        .map(|event| event.details["owner"].as_str())
        .collect();
    assert_eq!(given, ["bob", "", "bob"]);

    for (owner, text) in [("nobody", "no rep"), ("cat", "another queue")] {
        let refused = assign(&mut node, &id, owner).await.unwrap_err();
        assert_eq!(fields(&refused), ["owner_rep_id"]);
        assert!(refused.message().contains(text), "{}", refused.message());
    }
    node.audit().await;
}

#[tokio::test]
async fn a_handover_names_an_owner_who_works_the_queue_or_is_refused_by_row() {
    let mut node = start().await;
    let of = |nth, owner: &str| {
        let lead = proto::Lead { owner_rep_id: owner.into(), ..lead(nth) };
        proto::ImportRow { row_number: i64::from(nth), lead: Some(lead) }
    };
    for validate_only in [true, false] {
        let rows = vec![of(1, "ann"), of(2, "nobody"), of(3, "cat"), of(4, "")];
        let batch = proto::ImportLeadsRequest { rows, validate_only, ..Default::default() };
        let answers = node.intake.import_leads(tokio_stream::once(batch)).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        assert_eq!(answer.rejected_count, 2);
        for row in &answer.rows[1..3] {
            let Some(proto::import_row_result::Result::Rejection(why)) = &row.result else {
                panic!("{row:?}")
            };
            assert_eq!(
                (why.reason.as_str(), why.problems[0].field.as_str()),
                ("FIELD_INVALID", "lead.owner_rep_id")
            );
        }
    }
    let lead = proto::Lead { owner_rep_id: "nobody".into(), ..lead(5) };
    let request = proto::UpsertLeadRequest { lead: Some(lead), ..Default::default() };
    let refused = node.intake.upsert_lead(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), fields(&refused)),
        (Code::InvalidArgument, vec!["owner_rep_id".to_owned()])
    );
}

#[tokio::test]
async fn the_leads_of_an_owner_who_left_are_anyone_s_from_the_answer_on() {
    let leavers = [
        proto::Rep { active: Some(false), ..ann() },
        proto::Rep { queue_id: "service".into(), ..ann() },
        proto::Rep { end_time: Some(time(NOON)), ..ann() },
    ];
    for leaver in leavers {
        let mut node = start().await;
        let leads = [node.hand_over(owned(1)).await, node.hand_over(owned(2)).await];
        node.pull_nothing("bob").await;
        put_rep(&mut node, leaver.clone()).await;
        for id in &leads {
            let served = node.pull_lead("bob").await;
            assert_eq!(&served.lead.as_ref().unwrap().lead_id, id, "{leaver:?}");
            assert_eq!(node.explain(id).await.kept_for_rep_id, "");
            node.touch("bob", &served, Disposition::Sale).await;
        }
        // Who comes back is kept for again.
        let third = proto::Lead { owner_rep_id: String::new(), ..owned(3) };
        let third = node.hand_over(third).await;
        put_rep(&mut node, ann()).await;
        assign(&mut node, &third, "ann").await.unwrap();
        node.pull_nothing("bob").await;
        node.audit().await;
    }
}

#[tokio::test]
async fn a_last_day_needs_nobody_to_press_a_button() {
    let mut node = start().await;
    put_rep(&mut node, proto::Rep { end_time: Some(time(NOON + 2 * HOUR_MS)), ..ann() }).await;
    let kept = touched(&mut node, 1).await;
    let held = node.hand_over(owned(2)).await;
    node.pass_time(2 * HOUR_MS - MINUTE_MS).await;
    node.pull_nothing("bob").await;
    let served = node.pull_lead("ann").await;

    node.pass_time(MINUTE_MS).await;
    // What they held ends, and what they did is recorded all the same.
    assert_eq!(node.standing(&served.lead.as_ref().unwrap().lead_id).await, "ready");
    let request = proto::NextLeadRequest { rep_id: "ann".into(), ..Default::default() };
    assert_eq!(reason(&node.reps.next_lead(request).await.unwrap_err()), "REP_INACTIVE");
    assert!(node.touch("ann", &served, Disposition::NoAnswer).await.late);
    let mut leads = Vec::new();
    for _ in 0..2 {
        let served = node.pull_lead("bob").await;
        leads.push(served.lead.as_ref().unwrap().lead_id.clone());
        node.touch("bob", &served, Disposition::Sale).await;
    }
    leads.sort();
    assert_eq!(leads, [kept, held]);
    node.audit().await;
}

#[tokio::test]
async fn a_lead_waits_through_a_short_absence_of_its_owner_and_not_through_a_long_one() {
    let mut node = start().await;
    let id = touched(&mut node, 1).await;
    put_rep(&mut node, absent(NOON, NOON + 2 * DAY_MS)).await;
    node.pass_time(HOUR_MS).await;
    assert_eq!(node.pull_nothing("bob").await.kept_count, 1);

    // One that is to come counts from its beginning, without anybody's doing.
    let from = NOON + 2 * HOUR_MS;
    put_rep(&mut node, absent(from, from + 2 * DAY_MS + 1)).await;
    node.pull_nothing("bob").await;
    node.pass_time(HOUR_MS - 1).await;
    node.pull_nothing("bob").await;
    node.pass_time(1).await;
    let served = node.pull_lead("bob").await;
    assert_eq!(served.lead.as_ref().unwrap().lead_id, id);
    node.touch("bob", &served, Disposition::NoAnswer).await;

    // It still belongs to its owner, who has it again when they are back.
    node.pass_time(2 * DAY_MS).await;
    assert_eq!(node.explain(&id).await.kept_for_rep_id, "");
    node.pass_time(1).await;
    assert_eq!(node.explain(&id).await.kept_for_rep_id, "ann");
    node.pass_time(3 * HOUR_MS).await;
    assert_eq!(node.pull_nothing("bob").await.kept_count, 1);
    assert_served(&mut node, "ann", &id).await;
}

#[tokio::test]
async fn a_lead_is_not_kept_for_an_owner_without_the_skills_that_it_needs() {
    let mut node = start().await;
    node.put_rep("bob", "sales", &["dutch"]).await;
    node.put_rep("ann", "sales", &["dutch"]).await;
    let needs = |nth| proto::Lead { skills: vec!["dutch".into()], ..owned(nth) };
    let kept = node.hand_over(needs(1)).await;
    let promised = node.pull_lead("ann").await;
    let promised_at = NOON + HOUR_MS;
    let touch = proto::RecordTouchRequest {
        callback_time: Some(time(promised_at)),
        ..node.touch_of("ann", &promised, Disposition::CallbackOwn)
    };
    node.reps.record_touch(touch).await.unwrap();
    let owned = node.hand_over(needs(2)).await;
    node.pull_nothing("bob").await;

    // Ann speaks no Dutch any more: to wait for her would be to wait for ever.
    node.put_rep("ann", "sales", &[]).await;
    assert_eq!(node.explain(&owned).await.kept_for_rep_id, "");
    let served = node.pull_lead("bob").await;
    assert_eq!(served.lead.as_ref().unwrap().lead_id, owned);
    node.touch("bob", &served, Disposition::Sale).await;
    node.pass_time(HOUR_MS).await;
    node.pull_nothing("ann").await;
    assert_served(&mut node, "bob", &kept).await;

    // What is handed over since is never kept for her, and is again when she has learnt it.
    let third = node.hand_over(needs(3)).await;
    assert_eq!(node.explain(&third).await.kept_for_rep_id, "");
    node.put_rep("ann", "sales", &["dutch"]).await;
    assert_eq!(node.explain(&third).await.kept_for_rep_id, "ann");
    assert_served(&mut node, "ann", &third).await;
    node.audit().await;
}

#[tokio::test]
async fn an_untouched_lead_is_kept_no_longer_than_its_owner_can_keep_the_promise() {
    let mut node = start().await;
    node.publish("[first_touch]\nwithin = \"4h\"\n").await;
    // Four hours are promised: the owner goes home after three, and is not back before.
    put_rep(&mut node, proto::Rep { hours: "mon-fri 09:00-15:00".into(), ..nine_to_five() }).await;
    let id = node.hand_over(owned(1)).await;
    let until = node.explain(&id).await.kept_until_time;
    assert_eq!(until, Some(time(NOON + 3 * HOUR_MS)));
    node.pass_time(3 * HOUR_MS - 1).await;
    node.pull_nothing("bob").await;
    node.pass_time(1).await;
    assert_served(&mut node, "bob", &id).await;

    // Who works on keeps it until the deadline itself.
    let mut node = start().await;
    node.publish("[first_touch]\nwithin = \"4h\"\n").await;
    let id = node.hand_over(owned(1)).await;
    node.pass_time(4 * HOUR_MS - 1).await;
    node.pull_nothing("bob").await;
    node.pass_time(1).await;
    assert_served(&mut node, "bob", &id).await;
}

#[tokio::test]
async fn rules_know_to_whom_a_lead_belongs() {
    let mut node = start().await;
    node.publish(
        "point_is = \"1m\"\n[[value]]\nname = \"own\"\nwhen = 'lead.owner == \"ann\"'\npoints = 30\n",
    )
    .await;
    let id = node.hand_over(owned(1)).await;
    assert_eq!(node.explain(&id).await.explanation.unwrap().points, 30);
    assign(&mut node, &id, "bob").await.unwrap();
    assert_eq!(node.explain(&id).await.explanation.unwrap().points, 0);
}

#[tokio::test]
async fn a_strict_queue_serves_nobody_who_is_off_duty_and_others_do() {
    let mut node = start().await;
    put_rep(&mut node, proto::Rep { hours: "mon-fri 13:00-17:00".into(), ..nine_to_five() }).await;
    let first = node.hand_over(lead(1)).await;
    let served = node.pull_lead("ann").await;
    assert_eq!(served.lead.as_ref().unwrap().lead_id, first, "they are at work evidently");

    let queue = proto::Queue {
        queue_id: "sales".into(),
        time_zone: "UTC".into(),
        hours: "always".into(),
        calling_law: proto::CallingLaw::Exempt.into(),
        strict_rep_hours: true,
        ..Default::default()
    };
    let request = proto::UpsertQueueRequest { queue: Some(queue), ..Default::default() };
    node.queues.upsert_queue(request).await.unwrap();
    // A touch is recorded, and brings nothing.
    let touch = node.touch_of("ann", &served, Disposition::NoAnswer);
    let touch = proto::RecordTouchRequest { then_next: true, ..touch };
    assert!(!node.reps.record_touch(touch).await.unwrap().into_inner().late);
    let request = proto::NextLeadRequest { rep_id: "ann".into(), ..Default::default() };
    let refused = node.reps.next_lead(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused)),
        (Code::FailedPrecondition, "REP_OFF_DUTY".to_owned())
    );
    assert!(refused.message().contains("2026-11-23T13:00:00Z"), "{}", refused.message());
    node.hand_over(lead(2)).await;
    node.pull_lead("bob").await;
    node.hand_over(lead(3)).await;
    node.pass_time(HOUR_MS).await;
    node.pull_lead("ann").await;
}

#[tokio::test]
async fn owned_leads_and_promises_are_as_they_were_after_a_restart() {
    let mut node = start().await;
    put_rep(&mut node, nine_to_five()).await;
    let id = node.hand_over(owned(1)).await;
    let mut node = node.restart().await;
    assert_eq!(node.pull_nothing("bob").await.kept_count, 1);
    let request = proto::ListRepsRequest { queue_id: "sales".into(), ..Default::default() };
    let reps = node.queues.list_reps(request).await.unwrap().into_inner().reps;
    assert_eq!(
        (reps[0].hours.as_str(), reps[0].time_zone.as_str()),
        ("mon-fri 09:00-17:00", "UTC")
    );
    assert_served(&mut node, "ann", &id).await;
    node.audit().await;
}

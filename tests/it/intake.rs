//! Handovers, imports, suppressions: nothing is lost, nothing is taken in twice.

use nextlead::api::proto;
use tokio_stream::StreamExt;
use tonic::Code;

use crate::support::{TestNode, fields, lead, lead_of};

#[tokio::test]
async fn a_handover_that_is_sent_again_updates_and_adds_nothing() {
    let mut node = TestNode::start().await;
    let first = node.hand_over(lead(1)).await;
    let again = node.hand_over(lead(1)).await;
    let changed = node.hand_over(proto::Lead { stage: "hot".into(), ..lead(1) }).await;

    assert_eq!((&again, &changed), (&first, &first));
    assert_eq!(node.explain(&first).await.lead.unwrap().stage, "hot");
    let report = node.audit().await;
    assert_eq!((report.lead_count, report.handover_count), (1, 1));
}

#[tokio::test]
async fn the_same_person_from_another_campaign_is_merged_and_counted_once() {
    let mut node = TestNode::start().await;
    node.put_campaign("autumn", "sales", None).await;
    let with_email = |lead: proto::Lead| proto::Lead { email: "Ann@Example.com".into(), ..lead };
    let first = node.hand_over(with_email(lead(1))).await;
    let mut second = with_email(lead_of("autumn", 2));
    second.email = "ann@example.COM".into();
    let merged = node.hand_over(second).await;

    assert_eq!(merged, first);
    let lead = node.explain(&first).await.lead.unwrap();
    assert_eq!(lead.numbers.len(), 2, "what the second one adds is kept");
    let report = node.audit().await;
    assert_eq!((report.lead_count, report.handover_count), (1, 2));
}

#[tokio::test]
async fn an_update_keeps_what_other_handovers_of_the_person_brought() {
    let mut node = TestNode::start().await;
    node.put_campaign("autumn", "sales", None).await;
    let known = || proto::Lead { email: "ann@example.com".into(), ..lead(1) };
    let first = node.hand_over(known()).await;
    let second = proto::Lead { email: "ann@example.com".into(), ..lead_of("autumn", 2) };
    node.hand_over(second.clone()).await;
    let updated = node.hand_over(proto::Lead { stage: "hot".into(), ..known() }).await;

    assert_eq!(updated, first);
    let lead = node.explain(&first).await.lead.unwrap();
    assert_eq!(lead.stage, "hot");
    let numbers: Vec<_> = lead.numbers.into_iter().map(|one| one.number).collect();
    assert_eq!(numbers, [&known().numbers[0].number, &second.numbers[0].number].map(Clone::clone));
    node.audit().await;
}

#[tokio::test]
async fn attributes_that_nobody_declared_come_back_untouched() {
    use proto::attribute_value::Value;
    let mut node = TestNode::start().await;
    let values = [
        ("employees", Value::IntValue(250)),
        ("share", Value::DoubleValue(0.5)),
        ("is_partner", Value::BoolValue(true)),
        ("note", Value::StringValue("größer; \"quoted\"".into())),
    ];
    let values =
        values.map(|(name, value)| (name.to_owned(), proto::AttributeValue { value: Some(value) }));
    let sent = proto::Lead { attributes: values.into(), ..lead(1) };
    node.hand_over(sent.clone()).await;
    node = node.restart().await;
    let served = node.pull_lead("ann").await;
    assert_eq!(served.lead.unwrap().attributes, sent.attributes);
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let mut node = TestNode::start().await;
    let mut bad = lead(1);
    bad.time_zone = "Mars/Olympus".into();
    bad.numbers[0].number = "12345".into();
    bad.handover_key.as_mut().unwrap().external_id = String::new();
    bad.score = Some(f64::NAN);
    let request = proto::UpsertLeadRequest { lead: Some(bad), ..Default::default() };

    let refused = node.intake.upsert_lead(request).await.unwrap_err();

    assert_eq!(refused.code(), Code::InvalidArgument);
    let mut named = fields(&refused);
    named.sort();
    let expected =
        ["lead.handover_key.external_id", "lead.numbers[0].number", "lead.score", "lead.time_zone"];
    assert_eq!(named, expected);
    assert_eq!(node.audit().await.handover_count, 0);
}

fn batch(number: i64, leads: Vec<proto::Lead>) -> proto::ImportLeadsRequest {
    let rows = leads
        .into_iter()
        .zip(1..)
        .map(|(lead, row_number)| proto::ImportRow { row_number, lead: Some(lead) });
    proto::ImportLeadsRequest { batch_number: number, rows: rows.collect(), ..Default::default() }
}

#[tokio::test]
async fn an_import_answers_each_row_and_the_counts_add_up() {
    let mut node = TestNode::start().await;
    let mut bad = lead(3);
    bad.numbers.clear();
    let unknown = lead_of("nowhere", 4);
    let rows = vec![lead(1), lead(2), bad, unknown, lead(1)];
    let request = tokio_stream::iter([batch(1, rows.clone()), batch(2, rows)]);

    let mut answers = node.intake.import_leads(request).await.unwrap().into_inner();
    let first = answers.next().await.unwrap().unwrap();
    let second = answers.next().await.unwrap().unwrap();
    assert!(answers.next().await.is_none());

    assert_eq!((first.batch_number, second.batch_number), (1, 2));
    let counts = |answer: &proto::ImportLeadsResponse| {
        (answer.opened_count, answer.unchanged_count, answer.rejected_count)
    };
    assert_eq!(counts(&first), (2, 1, 2));
    assert_eq!(counts(&second), (0, 3, 2));
    let rejected: Vec<i64> = first
        .rows
        .iter()
        .filter(|row| matches!(row.result, Some(proto::import_row_result::Result::Rejection(_))))
        .map(|row| row.row_number)
        .collect();
    assert_eq!(rejected, [3, 4]);
    assert_eq!(node.audit().await.handover_count, 2);
}

#[tokio::test]
async fn a_suppressed_number_closes_every_lead_that_carries_it() {
    let mut node = TestNode::start().await;
    let open = node.hand_over(lead(1)).await;
    let number = lead(1).numbers[0].number.clone();
    let request = proto::SuppressContactRequest {
        contact: Some(proto::suppress_contact_request::Contact::Number(number)),
        source: "letter".into(),
        request_id: "s-1".into(),
        ..Default::default()
    };
    let first = node.intake.suppress_contact(request.clone()).await.unwrap().into_inner();
    let again = node.intake.suppress_contact(request).await.unwrap().into_inner();

    assert_eq!((first.closed_count, first.known_before), (1, false));
    assert_eq!(again, first, "a retry gets the same answer");
    assert_eq!(node.standing(&open).await, "closed");
    node.audit().await;
}

async fn suppress(node: &mut TestNode, number: &str) {
    let request = proto::SuppressContactRequest {
        contact: Some(proto::suppress_contact_request::Contact::Number(number.into())),
        source: "letter".into(),
        ..Default::default()
    };
    node.intake.suppress_contact(request).await.unwrap();
}

#[tokio::test]
async fn a_suppressed_number_that_a_handover_brings_along_closes_its_lead() {
    let mut node = TestNode::start().await;
    let bad = lead(9).numbers;
    suppress(&mut node, &bad[0].number).await;
    let with_email = |lead: proto::Lead, email: &str| proto::Lead { email: email.into(), ..lead };
    let merged = node.hand_over(with_email(lead(1), "ann@example.org")).await;
    let updated = node.hand_over(lead(2)).await;
    let held = node.hand_over(with_email(lead(3), "cyd@example.org")).await;
    let served = loop {
        let served = node.pull_lead("ann").await;
        if served.lead.as_ref().unwrap().lead_id == held {
            break served;
        }
        node.touch("ann", &served, proto::Disposition::NoAnswer).await;
    };

    let again = proto::Lead { numbers: bad.clone(), ..lead(2) };
    assert_eq!(node.hand_over(again).await, updated);
    for (nth, email, into) in [(4, "ann@example.org", &merged), (5, "cyd@example.org", &held)] {
        let other = proto::Lead { numbers: bad.clone(), ..with_email(lead(nth), email) };
        assert_eq!(&node.hand_over(other).await, into);
    }

    for lead_id in [&merged, &updated, &held] {
        assert_eq!(node.standing(lead_id).await, "closed");
    }
    node.pull_nothing("ann").await;
    assert!(node.touch("ann", &served, proto::Disposition::NoAnswer).await.late);
    let report = node.audit().await;
    assert_eq!((report.lead_count, report.handover_count), (3, 5));
}

#[tokio::test]
async fn rows_that_are_only_checked_are_answered_and_not_stored() {
    let mut node = TestNode::start().await;
    let mut bad = lead(2);
    bad.time_zone = "Mars".into();
    let mut nowhere = lead(3);
    nowhere.handover_key.as_mut().unwrap().campaign_id = "sprnig".into();
    let rows = [lead(1), bad, nowhere].into_iter().zip(1..);
    let rows = rows.map(|(lead, row_number)| proto::ImportRow { row_number, lead: Some(lead) });
    let batch = proto::ImportLeadsRequest {
        rows: rows.collect(),
        validate_only: true,
        ..Default::default()
    };
    let answers = node.intake.import_leads(tokio_stream::once(batch)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    assert_eq!((answer.accepted_count, answer.rejected_count, answer.opened_count), (1, 2, 0));
    let reason = |nth: usize| match answer.rows[nth].result.as_ref().unwrap() {
        proto::import_row_result::Result::Taken(_) => "taken",
        proto::import_row_result::Result::Accepted(_) => "accepted",
        proto::import_row_result::Result::Rejection(rejection) => rejection.reason.as_str(),
    };
    assert_eq!(
        [reason(0), reason(1), reason(2)],
        ["accepted", "FIELD_INVALID", "CAMPAIGN_NOT_FOUND"]
    );
    assert_eq!(node.audit().await.lead_count, 0);
}

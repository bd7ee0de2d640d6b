//! Suppressions in bulk, through the API and the command line, and numbers as they come in.

use nextlead::api::proto;
use proto::suppression_row::Contact;
use tempfile::TempDir;
use tokio_stream::StreamExt as _;

use crate::process::Process;
use crate::support::{TestNode, fields, lead};

fn batch(batch_number: i64, contacts: Vec<Contact>) -> proto::ImportSuppressionsRequest {
    let rows = contacts
        .into_iter()
        .zip(1..)
        .map(|(contact, row_number)| proto::SuppressionRow { row_number, contact: Some(contact) });
    proto::ImportSuppressionsRequest {
        batch_number,
        rows: rows.collect(),
        source: "register".into(),
        country: "GB".into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_list_is_answered_batch_by_batch_and_bad_rows_alone_are_rejected() {
    let mut node = TestNode::start().await;
    let number = lead(1).numbers[0].number.clone();
    let called = node.hand_over(lead(1)).await;
    let stranger = node.hand_over(lead(2)).await;
    let first = batch(
        7,
        vec![
            Contact::Number(number.clone()),
            Contact::Number("12".into()),
            Contact::Email("nobody".into()),
            Contact::Number("020 7946 0958".into()),
            Contact::Number("+44 20 7946 0958".into()),
        ],
    );
    let second = batch(8, vec![Contact::Number(number), Contact::Email("Ann@x.example".into())]);

    let requests = tokio_stream::iter([first, second]);
    let answers = node.intake.import_suppressions(requests).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(Result::unwrap).collect().await;

    let counts = |nth: usize| {
        let one: &proto::ImportSuppressionsResponse = &answers[nth];
        let counts = [one.suppressed_count, one.known_count, one.rejected_count, one.closed_count];
        (one.batch_number, counts)
    };
    assert_eq!(counts(0), (7, [2, 1, 2, 1]));
    assert_eq!(counts(1), (8, [1, 1, 0, 0]));
    let rejected: Vec<_> = answers[0]
        .rejections
        .iter()
        .map(|one| {
            let rejection = one.rejection.as_ref().unwrap();
            (one.row_number, rejection.reason.as_str(), rejection.problems[0].field.as_str())
        })
        .collect();
    assert_eq!(rejected, [(2, "FIELD_INVALID", "number"), (3, "FIELD_INVALID", "email")]);
    assert_eq!(node.standing(&called).await, "closed");
    assert_eq!(node.standing(&stranger).await, "ready");
    let request = proto::ListSuppressionsRequest { page_size: 2, ..Default::default() };
    let page = node.intake.list_suppressions(request).await.unwrap().into_inner();
    let values: Vec<_> = page.suppressions.iter().map(|one| one.value.as_str()).collect();
    assert_eq!(values, ["ann@x.example", lead(1).numbers[0].number.as_str()]);
    let request =
        proto::ListSuppressionsRequest { page_token: page.next_page_token, ..Default::default() };
    let page = node.intake.list_suppressions(request).await.unwrap().into_inner();
    assert_eq!(page.suppressions.len(), 1);
    assert_eq!(page.suppressions[0].value, "+442079460958");
    assert_eq!(page.next_page_token, "");
    node.audit().await;
}

#[tokio::test]
async fn a_bad_source_or_country_fails_the_stream() {
    let mut node = TestNode::start().await;
    let good = batch(1, vec![Contact::Number("+12025550100".into())]);
    let no_source = proto::ImportSuppressionsRequest { source: String::new(), ..good.clone() };
    let no_country = proto::ImportSuppressionsRequest { country: "XX".into(), ..good };
    for (request, field) in [(no_source, "source"), (no_country, "country")] {
        let answers = node.intake.import_suppressions(tokio_stream::once(request)).await.unwrap();
        let refused = answers.into_inner().next().await.unwrap().unwrap_err();
        assert_eq!(fields(&refused), [field]);
    }
}

#[tokio::test]
async fn a_national_number_is_read_by_the_campaign_s_country_and_a_bad_one_refused_with_its_reason()
{
    let mut node = TestNode::start().await;
    let campaign = proto::Campaign {
        campaign_id: "fair".into(),
        queue_id: "sales".into(),
        default_country: "de".into(),
        ..Default::default()
    };
    let request = proto::UpsertCampaignRequest { campaign: Some(campaign), ..Default::default() };
    let stored = node.intake.upsert_campaign(request).await.unwrap().into_inner();
    assert_eq!(stored.campaign.unwrap().default_country, "DE");
    let mut hand_over = async |campaign: &str, country: &str, number: &str| {
        let mut lead = crate::support::lead_of(campaign, 1);
        lead.country = country.into();
        lead.numbers[0].number = number.into();
        let request = proto::UpsertLeadRequest { lead: Some(lead), ..Default::default() };
        node.intake.upsert_lead(request).await
    };
    hand_over("fair", "", "030 123456").await.unwrap();
    hand_over("fair", "GB", "020 7946 0958").await.unwrap();
    for (campaign, number, reason) in [
        ("spring", "030 123456", "no country is known for it"),
        ("spring", "+1 202 555 01", "too short"),
        ("spring", "+999 1234567", "the code of a country"),
        ("fair", "030 123456 ext. 7", "no extension"),
        ("fair", "call Ann", "no letters"),
    ] {
        let refused = hand_over(campaign, "", number).await.unwrap_err();
        assert_eq!(fields(&refused), ["lead.numbers[0].number"]);
        assert!(refused.message().contains(reason), "{}", refused.message());
        assert!(!refused.message().contains("123456"));
    }
    let again = node.restart().await;
    assert_eq!(again.node.dialer().default_country(&id("fair")).as_deref(), Some("DE"));
}

fn id(campaign: &str) -> nextlead::domain::CampaignId {
    nextlead::domain::CampaignId::new(campaign).unwrap()
}

#[test]
fn a_list_is_imported_and_listed_and_a_lead_erased_from_the_command_line() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let list = "phone;note\n+49 30 123456;x\n030 123456;same\nnobody;bad\n";
    std::fs::write(folder.path().join("list.csv"), list).unwrap();

    let args = ["suppress", "import", "list.csv", "--source", "old crm", "--country", "DE"];
    let ran = node.run(&args);

    assert_eq!(ran.code, 1, "a value was rejected: {ran:?}");
    assert!(ran.out.contains("suppressed") && ran.out.contains("list.csv.rejected.csv"), "{ran:?}");
    let rejected = std::fs::read_to_string(folder.path().join("list.csv.rejected.csv")).unwrap();
    assert!(rejected.contains("4,FIELD_INVALID: number: must be"), "{rejected}");
    assert!(!rejected.contains("nobody"), "what stood there is in the list alone");
    let ran = node.run(&["suppress", "list"]);
    assert!(ran.out.contains("+4930123456") && ran.out.contains("old crm"), "{ran:?}");
    let ran = node.run(&["erase", "17"]);
    assert!(ran.code != 0 && ran.err.contains("--yes"), "nobody is there to ask: {ran:?}");
    let ran = node.run(&["erase", "17", "--yes"]);
    assert!(ran.code != 0 && ran.err.contains("LEAD_NOT_FOUND"), "{ran:?}");
}

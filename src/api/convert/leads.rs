//! Handovers and suppressions, as messages and as values.

use std::collections::BTreeMap;

use crate::dialer::{FieldProblem, NewLead};
use crate::domain::{
    ATTRIBUTE_COUNT_MAX, CampaignId, Facts, HandoverKey, LeadId, LeadNumber, NUMBER_COUNT_MAX,
    Number, RepId, Value, is_zone,
};
use crate::store::HandedOver;

use super::super::proto;
use super::Fields;

/// How far the clock of who hands over may run ahead of ours.
pub(super) const SKEW_MS_MAX: i64 = 5_000;
/// How many problems of a row are told: a batch has thousands of rows.
const ROW_PROBLEM_COUNT_MAX: usize = 4;

/// How a request names a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) enum LeadName {
    /// By our id.
    Id(LeadId),
    /// By a handover.
    Key(HandoverKey),
}

/// Reads how a request names its lead.
pub(in crate::api) fn lead_name(
    fields: &mut Fields,
    name: Option<&proto::LeadRef>,
) -> Option<LeadName> {
    use proto::lead_ref::Name;
    match name.and_then(|name| name.name.as_ref()) {
        Some(Name::LeadId(id)) => {
            fields.id("lead.lead_id", id, |text| text.parse::<LeadId>()).map(LeadName::Id)
        }
        Some(Name::HandoverKey(key)) => {
            handover_key(fields, "lead.handover_key", Some(key)).map(LeadName::Key)
        }
        None => {
            fields.problem("lead", "must have a lead_id or a handover_key");
            None
        }
    }
}

fn handover_key(
    fields: &mut Fields,
    field: &str,
    key: Option<&proto::HandoverKey>,
) -> Option<HandoverKey> {
    let Some(key) = key else {
        fields.problem(field, "must be given");
        return None;
    };
    let source_system = fields.word(&format!("{field}.source_system"), &key.source_system);
    let external_id = fields.word(&format!("{field}.external_id"), &key.external_id);
    let campaign = fields.id(&format!("{field}.campaign_id"), &key.campaign_id, CampaignId::new);
    Some(HandoverKey {
        source_system: source_system?,
        external_id: external_id?,
        campaign: campaign?,
    })
}

/// Reads a handover. What the server sets is not looked at. A number in national form is one of the
/// lead's country, or else of its campaign's default country, which is asked for only then.
pub(in crate::api) fn new_lead(
    fields: &mut Fields,
    lead: Option<&proto::Lead>,
    default_country: impl FnOnce(&CampaignId) -> Option<String>,
    now: i64,
) -> Option<NewLead> {
    let Some(lead) = lead else {
        fields.problem("lead", "must be given");
        return None;
    };
    let key = handover_key(fields, "lead.handover_key", lead.handover_key.as_ref());
    let field = "lead.handed_over_time";
    let handed_over_at = fields
        .instant(field, lead.handed_over_time.as_ref())
        .and_then(|at| fields.past(field, at, now, SKEW_MS_MAX));
    let of_campaign = || key.as_ref().and_then(|key| default_country(&key.campaign));
    let facts = facts(fields, lead, of_campaign);
    let owner = fields.id_if_given("lead.owner_rep_id", &lead.owner_rep_id, RepId::new);
    Some(NewLead { key: key?, handed_over_at, facts, owner: owner? })
}

fn facts(
    fields: &mut Fields,
    lead: &proto::Lead,
    default_country: impl FnOnce() -> Option<String>,
) -> Facts {
    let source = match lead.source.trim() {
        "" => Some("unknown".to_owned()),
        source => fields.word("lead.source", source),
    };
    if lead.score.is_some_and(|score| !score.is_finite()) {
        fields.problem("lead.score", "must be a finite number");
    }
    if lead.engagements < 0 {
        fields.problem("lead.engagements", "must not be negative");
    }
    let email = &lead.email;
    let country = fields.country("lead.country", &lead.country);
    let is_national = lead.numbers.iter().any(|one| !one.number.trim_start().starts_with('+'));
    let number_country = match &country {
        None if is_national => default_country(),
        country => country.clone(),
    };
    Facts {
        is_merged: false,
        name: fields.text("lead.name", &lead.name),
        company: fields.text("lead.company", &lead.company),
        email: if email.is_empty() { None } else { fields.email("lead.email", email) },
        numbers: numbers(fields, &lead.numbers, number_country.as_deref()),
        zone: zone(fields, &lead.time_zone),
        source: source.unwrap_or_default(),
        channel: fields.text("lead.channel", &lead.channel),
        trigger: fields.text("lead.trigger", &lead.trigger),
        stage: fields.text("lead.stage", &lead.stage),
        score: lead.score,
        country,
        region: fields.text("lead.region", &lead.region),
        language: language(fields, &lead.language),
        skills: fields.skills("lead.skills", &lead.skills).into_iter().flatten().collect(),
        engagements: lead.engagements,
        recorded_engagements: 0,
        attributes: attributes(fields, &lead.attributes),
    }
}

fn numbers(
    fields: &mut Fields,
    numbers: &[proto::LeadNumber],
    country: Option<&str>,
) -> Vec<LeadNumber> {
    if !(1..=NUMBER_COUNT_MAX).contains(&numbers.len()) {
        fields.problem("lead.numbers", format!("must be 1 to {NUMBER_COUNT_MAX} phone numbers"));
        return Vec::new();
    }
    let mut read: Vec<LeadNumber> = Vec::with_capacity(numbers.len());
    for (nth, entry) in numbers.iter().enumerate() {
        let number = fields.number(&format!("lead.numbers[{nth}].number"), &entry.number, country);
        let is_known = |number: &Number| read.iter().any(|one| one.number == *number);
        if let Some(number) = number.filter(|number| !is_known(number)) {
            read.push(LeadNumber { number, stopped: None });
        }
    }
    read
}

fn zone(fields: &mut Fields, zone: &str) -> Option<String> {
    if zone.is_empty() {
        return None;
    }
    if !is_zone(zone) {
        fields.problem("lead.time_zone", "must be a time zone by its IANA name: Europe/Berlin");
        return None;
    }
    Some(zone.to_owned())
}

fn language(fields: &mut Fields, language: &str) -> Option<String> {
    if language.is_empty() {
        return None;
    }
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let begins = language.starts_with(|one: char| one.is_ascii_alphabetic());
    if !begins || language.len() > 35 || !language.split('-').all(is_part) {
        fields.problem("lead.language", "must be a language's BCP 47 code: de, pt-BR");
        return None;
    }
    Some(language.to_owned())
}

fn attributes(
    fields: &mut Fields,
    attributes: &BTreeMap<String, proto::AttributeValue>,
) -> BTreeMap<String, Value> {
    if attributes.len() > ATTRIBUTE_COUNT_MAX {
        fields.problem("lead.attributes", format!("must be at most {ATTRIBUTE_COUNT_MAX}"));
        return BTreeMap::new();
    }
    let mut read = BTreeMap::new();
    for (nth, (name, value)) in attributes.iter().enumerate() {
        // The name is the client's own word, but nobody promises that it holds nothing personal.
        let field = format!("lead.attributes[{nth}]");
        let name = fields.word(&format!("{field}.key"), name);
        let value = attribute(fields, &field, value);
        if let (Some(name), Some(value)) = (name, value) {
            read.insert(name, value);
        }
    }
    read
}

fn attribute(fields: &mut Fields, field: &str, value: &proto::AttributeValue) -> Option<Value> {
    use proto::attribute_value::Value as Theirs;
    match value.value.as_ref() {
        Some(Theirs::BoolValue(value)) => Some(Value::Bool(*value)),
        Some(Theirs::IntValue(value)) => Some(Value::Int(*value)),
        Some(Theirs::DoubleValue(value)) if value.is_finite() => Some(Value::Double(*value)),
        Some(Theirs::DoubleValue(_)) => {
            fields.problem(field, "must be a finite number");
            None
        }
        Some(Theirs::StringValue(value)) => fields.lines(field, value.clone()).map(Value::Text),
        None => {
            fields.problem(field, "must have a value");
            None
        }
    }
}

/// What became of a handover.
pub(in crate::api) fn handed_over(result: HandedOver) -> proto::HandoverResult {
    use proto::HandoverOutcome as Outcome;
    let lead_id = result.lead().to_string();
    let of = |outcome: Outcome| proto::HandoverResult {
        outcome: outcome.into(),
        lead_id,
        ..Default::default()
    };
    match result {
        HandedOver::Opened { predecessor, conflicts, is_suppressed, .. } => proto::HandoverResult {
            predecessor_lead_id: predecessor.map(|id| id.to_string()).unwrap_or_default(),
            conflicting_lead_ids: conflicts.iter().map(ToString::to_string).collect(),
            suppressed: is_suppressed,
            ..of(Outcome::Opened)
        },
        HandedOver::Updated { .. } => of(Outcome::Updated),
        HandedOver::Unchanged { .. } => of(Outcome::Unchanged),
        HandedOver::Merged { .. } => of(Outcome::Merged),
        // Never answered so: it is turned away.
        HandedOver::Erased { .. } => of(Outcome::Unspecified),
    }
}

/// What became of a row: the handover, or a reason and what is wrong.
pub(in crate::api) fn row_result(
    row_number: i64,
    result: Result<HandedOver, (&str, Vec<FieldProblem>)>,
) -> proto::ImportRowResult {
    use proto::import_row_result::Result as Theirs;
    let result = match result {
        Ok(result) => Theirs::Taken(handed_over(result)),
        Err((reason, problems)) => Theirs::Rejection(rejection(reason, problems)),
    };
    proto::ImportRowResult { row_number, result: Some(result) }
}

/// A row that was only checked, and would be taken in.
pub(in crate::api) fn row_accepted(row_number: i64) -> proto::ImportRowResult {
    let accepted = proto::import_row_result::Result::Accepted(proto::RowAcceptance {});
    proto::ImportRowResult { row_number, result: Some(accepted) }
}

/// Why a row was rejected.
pub(in crate::api) fn rejection(reason: &str, problems: Vec<FieldProblem>) -> proto::RowRejection {
    let problems = problems.into_iter().take(ROW_PROBLEM_COUNT_MAX);
    let problem =
        |one: FieldProblem| proto::FieldProblem { field: one.field, description: one.problem };
    proto::RowRejection { reason: reason.to_owned(), problems: problems.map(problem).collect() }
}

#[cfg(test)]
mod tests {
    use crate::api::status::Problems;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn message() -> proto::Lead {
        let key = proto::HandoverKey {
            source_system: "crm".into(),
            external_id: "17".into(),
            campaign_id: "fair".into(),
        };
        let number = |text: &str| proto::LeadNumber { number: text.into(), stopped_by: 10 };
        proto::Lead {
            handover_key: Some(key),
            numbers: vec![number("+1 202 555 0100"), number("+12025550100")],
            ..Default::default()
        }
    }

    fn read(message: &proto::Lead) -> Result<NewLead, Vec<String>> {
        let mut fields = Fields::default();
        let lead = new_lead(&mut fields, Some(message), |_| Some("GB".into()), NOW);
        fields.finish(lead).map_err(|Problems(all)| all.into_iter().map(|one| one.field).collect())
    }

    fn check(change: impl Fn(&mut proto::Lead), field: &str) {
        let mut message = message();
        change(&mut message);
        assert_eq!(read(&message).unwrap_err(), [field]);
    }

    #[test]
    fn a_lead_needs_a_key_and_a_number_and_nothing_else() {
        let lead = read(&message()).unwrap();
        assert_eq!(lead.key.external_id, "17");
        assert_eq!(lead.facts.source, "unknown");
        assert_eq!(lead.facts.numbers.len(), 1, "a number that stands twice is one");
        assert_eq!(lead.facts.numbers[0].stopped, None, "only the server stops a number");
        assert_eq!(lead.handed_over_at, None);
        check(|lead| lead.handover_key = None, "lead.handover_key");
        check(|lead| lead.numbers.clear(), "lead.numbers");
    }

    #[test]
    fn every_bad_field_is_named_by_its_path() {
        check(|lead| lead.numbers[1].number = "555".into(), "lead.numbers[1].number");
        check(|lead| lead.time_zone = "Mars/Olympus".into(), "lead.time_zone");
        check(|lead| lead.country = "Germany".into(), "lead.country");
        check(|lead| lead.language = "not a language".into(), "lead.language");
        check(|lead| lead.score = Some(f64::NAN), "lead.score");
        check(|lead| lead.score = Some(f64::INFINITY), "lead.score");
        check(|lead| lead.engagements = -1, "lead.engagements");
        check(|lead| lead.name = "a\nb".into(), "lead.name");
        check(|lead| lead.company = "x".repeat(4_097), "lead.company");
        check(|lead| lead.email = "nobody".into(), "lead.email");
        check(|lead| lead.skills = vec!["ok".into(), String::new()], "lead.skills[1]");
        check(
            |lead| lead.handover_key.as_mut().unwrap().campaign_id.clear(),
            "lead.handover_key.campaign_id",
        );
        let nine = |lead: &mut proto::Lead| {
            lead.numbers = (0..9)
                .map(|nth| proto::LeadNumber { number: format!("+1202555010{nth}"), stopped_by: 0 })
                .collect();
        };
        check(nine, "lead.numbers");
        let future = prost_types::Timestamp { seconds: NOW / 1_000 + 6, nanos: 0 };
        check(|lead| lead.handed_over_time = Some(future), "lead.handed_over_time");
    }

    #[test]
    fn a_national_number_is_one_of_the_lead_s_country_or_else_of_its_campaign_s() {
        let of = |country: &str, number: &str| {
            let mut message = message();
            message.country = country.into();
            message.numbers = vec![proto::LeadNumber { number: number.into(), stopped_by: 0 }];
            read(&message).map(|lead| lead.facts.numbers[0].number.as_str().to_owned())
        };
        assert_eq!(of("de", "030 123456"), Ok("+4930123456".into()));
        assert_eq!(of("", "020 7946 0958"), Ok("+442079460958".into()));
        assert_eq!(of("DE", "+44 20 7946 0958"), Ok("+442079460958".into()));
        assert_eq!(of("DE", "12"), Err(vec!["lead.numbers[0].number".to_owned()]));
    }

    #[test]
    fn attributes_are_typed_finite_and_limited() {
        use proto::attribute_value::Value as Theirs;
        let with = |value| {
            let mut message = message();
            let value = proto::AttributeValue { value };
            message.attributes.insert("employees".into(), value);
            message
        };
        let lead = read(&with(Some(Theirs::IntValue(5)))).unwrap();
        assert_eq!(lead.facts.attributes["employees"], Value::Int(5));
        let infinite = with(Some(Theirs::DoubleValue(f64::INFINITY)));
        assert_eq!(read(&infinite).unwrap_err(), ["lead.attributes[0]"]);
        assert_eq!(read(&with(None)).unwrap_err(), ["lead.attributes[0]"]);
        let mut many = message();
        for nth in 0..=ATTRIBUTE_COUNT_MAX {
            let value = proto::AttributeValue { value: Some(Theirs::BoolValue(true)) };
            many.attributes.insert(nth.to_string(), value);
        }
        assert_eq!(read(&many).unwrap_err(), ["lead.attributes"]);
    }

    #[test]
    fn a_lead_that_is_read_and_sent_again_says_the_same() {
        let mut message = message();
        message.name = "Ann Smith".into();
        message.country = "de".into();
        message.time_zone = "Europe/Berlin".into();
        message.score = Some(0.5);
        let first = read(&message).unwrap();
        let stored = crate::domain::Lead {
            id: LeadId(4),
            queue: crate::domain::QueueKey(1),
            campaign: crate::domain::CampaignKey(1),
            source_system: first.key.source_system.clone(),
            external_id: first.key.external_id.clone(),
            handed_over_at: NOW,
            predecessor: None,
            facts: first.facts.clone(),
        };
        let again =
            read(&super::super::states::lead(&stored, &first.key.campaign, first.owner.as_ref()))
                .unwrap();
        assert!(again.facts == first.facts && again.key == first.key);
        assert_eq!(again.handed_over_at, Some(NOW));
    }

    #[test]
    fn a_rejected_row_tells_a_few_problems_and_a_taken_one_its_lead() {
        let problems = (0..9).map(|nth| FieldProblem::new(nth.to_string(), "bad")).collect();
        let row = row_result(7, Err(("FIELD_INVALID", problems)));
        let Some(proto::import_row_result::Result::Rejection(rejection)) = row.result else {
            panic!("not rejected")
        };
        assert_eq!((row.row_number, rejection.problems.len()), (7, ROW_PROBLEM_COUNT_MAX));
        let merged = handed_over(HandedOver::Merged { into: LeadId(3) });
        assert_eq!(merged.outcome(), proto::HandoverOutcome::Merged);
        assert_eq!(merged.lead_id, "3");
    }

    #[test]
    fn a_lead_is_named_by_one_of_two_ways() {
        use proto::lead_ref::Name;
        let read = |name| {
            let mut fields = Fields::default();
            let name = lead_name(&mut fields, Some(&proto::LeadRef { name }));
            fields.finish(name)
        };
        assert_eq!(read(Some(Name::LeadId("5".into()))), Ok(LeadName::Id(LeadId(5))));
        let key = message().handover_key.unwrap();
        assert!(matches!(read(Some(Name::HandoverKey(key))), Ok(LeadName::Key(_))));
        assert!(read(Some(Name::LeadId("-5".into()))).is_err());
        assert!(read(None).is_err());
    }
}

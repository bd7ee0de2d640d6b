//! Leads made up for a run, the same for the same seed, and their handover.
//!
//! 1,000 lanes: 5 teams with a campaign each, 20 products, 10 time zones. A rep has the skills of one
//! team and all products, so 200 lanes are open to them. Every hundredth lead has the number of the
//! one before it, as people of one household do.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use futures_util::stream;

use super::company::{PRODUCT_COUNT, TEAMS, campaign_id, product};
use super::random::Random;
use crate::api::client::Client;
use crate::api::proto::attribute_value::Value as Kind;
use crate::api::proto::{
    AttributeValue, HandoverKey, ImportLeadsRequest, ImportRow, Lead, LeadNumber,
};
use crate::cli::words::timestamp_of;

/// How many leads a batch of the handover has.
const BATCH_ROW_COUNT: u64 = 10_000;
/// The system that the leads come from.
const SOURCE_SYSTEM: &str = "load";
const ZONES: [&str; 10] = [
    "America/Los_Angeles",
    "America/Denver",
    "America/Chicago",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Asia/Singapore",
    "Australia/Sydney",
];
const FIRST_NAMES: [&str; 10] =
    ["Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "June"];
const LAST_NAMES: [&str; 7] = ["Abbot", "Baker", "Carver", "Dyer", "Fowler", "Glover", "Harper"];
const SOURCES: [&str; 6] = ["demo-request", "quote", "webinar", "fair", "list", "newsletter"];
const CHANNELS: [&str; 3] = ["web", "phone", "mail"];
const STAGES: [&str; 3] = ["interest", "comparison", "decision"];
const INDUSTRIES: [&str; 8] =
    ["software", "logistics", "insurance", "retail", "health", "energy", "farming", "mining"];
const LANGUAGES: [&str; 5] = ["en", "de", "fr", "es", "pt-BR"];
/// How long ago the oldest lead was handed over.
const OLDEST_MS: u64 = 8 * 3_600_000;

/// Makes leads up.
#[derive(Clone, Debug)]
pub(super) struct LeadMaker {
    /// What makes the same leads again.
    pub(super) seed: u64,
    /// Names this run: its leads are none of another run's.
    pub(super) run: String,
    /// The first phone number, without its `+`.
    pub(super) first_number: u64,
    /// When the newest of them is handed over, in milliseconds UTC.
    pub(super) now: i64,
}

impl LeadMaker {
    /// The `nth` lead, from 0.
    pub(super) fn lead(&self, nth: u64) -> Lead {
        let random = &mut Random::new(self.seed, nth);
        let team = random.below(count(TEAMS.len()));
        let product = product(random.below(PRODUCT_COUNT));
        // Two neighbours never share a first name, so nobody takes them for one person.
        let first = FIRST_NAMES[index(nth, FIRST_NAMES.len())];
        let age_ms = i64::try_from(random.below(OLDEST_MS)).expect("a few hours");
        Lead {
            handover_key: Some(HandoverKey {
                source_system: SOURCE_SYSTEM.to_owned(),
                external_id: format!("{}-{nth}", self.run),
                campaign_id: campaign_id(index(team, TEAMS.len())),
            }),
            handed_over_time: Some(timestamp_of(self.now - age_ms)),
            name: format!("{first} {}", pick(random, &LAST_NAMES)),
            company: format!("Company {}", random.below(100_000)),
            email: format!("lead-{nth}@{}.example.com", self.run),
            numbers: vec![LeadNumber { number: self.number(nth), ..LeadNumber::default() }],
            time_zone: pick(random, &ZONES).to_owned(),
            source: pick(random, &SOURCES).to_owned(),
            channel: pick(random, &CHANNELS).to_owned(),
            stage: pick(random, &STAGES).to_owned(),
            score: i32::try_from(random.below(101)).ok().map(f64::from),
            language: pick(random, &LANGUAGES).to_owned(),
            skills: vec![product],
            attributes: attributes(random),
            ..Lead::default()
        }
    }

    fn number(&self, nth: u64) -> String {
        let own = if nth % 100 == 99 { nth - 1 } else { nth };
        format!("+1{}", self.first_number + own)
    }

    fn batch(&self, batch: u64, lead_count: u64) -> ImportLeadsRequest {
        let first = batch * BATCH_ROW_COUNT;
        let rows = first..(first + BATCH_ROW_COUNT).min(lead_count);
        let row = |nth: u64| ImportRow {
            row_number: i64::try_from(nth + 1).expect("a file has fewer rows"),
            lead: Some(self.lead(nth)),
        };
        ImportLeadsRequest {
            batch_number: i64::try_from(batch + 1).expect("fewer than rows"),
            rows: rows.map(row).collect(),
            ..ImportLeadsRequest::default()
        }
    }
}

/// Hands so many leads over. `taken` is told how many more the node has, batch by batch.
pub(super) async fn hand_over(
    maker: LeadMaker,
    lead_count: u64,
    client: &Client,
    mut taken: impl FnMut(u64),
) -> anyhow::Result<()> {
    let batches = 0..lead_count.div_ceil(BATCH_ROW_COUNT);
    // Each is made when the one before it has gone: a million leads are never in memory at once.
    let batches = stream::iter(batches.map(move |batch| maker.batch(batch, lead_count)));
    let mut intake = client.intake();
    let answers = intake.import_leads(batches).await.context("could not hand leads over")?;
    let mut answers = answers.into_inner();
    let mut opened_count = 0;
    while let Some(answer) = answers.message().await.context("could not hand leads over")? {
        let opened = u64::try_from(answer.opened_count)?;
        taken(opened);
        opened_count += opened;
    }
    ensure!(
        opened_count == lead_count,
        "{lead_count} leads were handed over, and the node opened {opened_count}"
    );
    Ok(())
}

fn attributes(random: &mut Random) -> BTreeMap<String, AttributeValue> {
    // Most companies are small.
    let size = 10_u64.pow(u32::try_from(random.below(5)).expect("below 5"));
    let employees = 1 + random.below(9 * size);
    let known = [
        ("employees", Kind::IntValue(i64::try_from(employees).expect("a company is small"))),
        ("industry", Kind::StringValue(pick(random, &INDUSTRIES).to_owned())),
        ("visits", Kind::IntValue(i64::try_from(random.below(20)).expect("below 20"))),
        ("customer", Kind::BoolValue(random.below(10) == 0)),
    ];
    let named =
        |(name, value): (&str, Kind)| (name.to_owned(), AttributeValue { value: Some(value) });
    known.map(named).into_iter().collect()
}

fn pick<'t>(random: &mut Random, from: &[&'t str]) -> &'t str {
    from[index(random.below(count(from.len())), from.len())]
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("a short list")
}

fn index(number: u64, length: usize) -> usize {
    usize::try_from(number % count(length)).expect("within a list")
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::domain::{Number, names_agree};

    fn maker() -> LeadMaker {
        LeadMaker { seed: 1, run: "r1".to_owned(), first_number: 2_000_000_000, now: 0 }
    }

    #[test]
    fn leads_lie_in_a_thousand_lanes_of_which_a_rep_has_two_hundred() {
        let mut lanes: HashMap<String, HashSet<(String, String)>> = HashMap::new();
        for lead in (0..50_000).map(|nth| maker().lead(nth)) {
            let campaign = lead.handover_key.unwrap().campaign_id;
            lanes.entry(campaign).or_default().insert((lead.skills[0].clone(), lead.time_zone));
        }
        assert_eq!(lanes.len(), 5);
        assert!(lanes.values().all(|lanes| lanes.len() == 200));
    }

    #[test]
    fn the_same_seed_makes_the_same_leads() {
        assert_eq!(maker().lead(7), maker().lead(7));
        let other = LeadMaker { seed: 2, ..maker() };
        assert_ne!(maker().lead(7).company, other.lead(7).company);
    }

    #[test]
    fn leads_that_share_a_number_are_two_people() {
        let (one, other) = (maker().lead(98), maker().lead(99));
        assert_eq!(one.numbers, other.numbers);
        assert!(Number::from_e164(&one.numbers[0].number).is_some());
        assert!(!names_agree(Some(&one.name), Some(&other.name)));
        let numbers: HashSet<_> =
            (0..1_000).map(|nth| maker().lead(nth).numbers[0].number.clone()).collect();
        assert_eq!(numbers.len(), 990);
    }

    #[test]
    fn the_last_batch_has_what_is_left() {
        assert_eq!(maker().batch(0, 10_001).rows.len(), 10_000);
        let last = maker().batch(1, 10_001);
        assert_eq!((last.rows.len(), last.rows[0].row_number), (1, 10_001));
    }
}

//! What do 20 rules on one lead cost?
//!
//! Publishing rules ranks every lead of the queue again, ten million of them, while reps go on
//! pulling; a handover waits for one evaluation. So the budget is a microsecond for 20 rules.
//! Beside it: a lead for which none matches, one whose values end, and what an explanation and a
//! compilation cost, which people wait for.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use nextlead::domain::{Disposition, Facts, Value};
use nextlead::rules::{RuleSet, Subject};

/// What managers write: mostly comparisons, some texts, a few formulas, two for the first minutes.
const DOCUMENT: &str = r#"
queue = "inside-sales"
[fields]
employees = "int"
revenue = "double"
industry = "string"
title = "string"
is_customer = "bool"
"#;

const VALUES: [(&str, &str); 20] = [
    ("lead.source == 'demo-request'", "1440"),
    ("lead.source == 'webinar'", "240"),
    ("lead.channel == 'web'", "60"),
    ("lead.country in ['DE', 'AT', 'CH']", "30"),
    ("lead.language == 'de' && lead.country != 'DE'", "-10"),
    ("lead.employees > 500", "120"),
    ("lead.employees <= 10", "-30"),
    ("has(lead.revenue)", "'min(lead.revenue / 100000, 300)'"),
    ("lead.industry in ['saas', 'fintech', 'health', 'retail']", "45"),
    ("lead.title.startsWith('Head of')", "90"),
    ("lead.title.contains('Chief')", "150"),
    ("lead.is_customer", "20"),
    ("lead.stage == 'sales-ready' && lead.score >= 50", "200"),
    ("true", "'min(lead.employees / 10, 300)'"),
    ("true", "'lead.score * 2'"),
    ("lead.attempts > 0", "'-5 * lead.attempts'"),
    ("lead.last_disposition == 'voicemail'", "10"),
    ("lead.engagements >= 3 || lead.trigger == 'pricing-page'", "80"),
    ("lead.owner == null", "5"),
    ("lead.region == 'Bayern' ? lead.employees > 50 : lead.employees > 100", "15"),
];

fn document(for_the_first: &str) -> String {
    VALUES.iter().enumerate().fold(DOCUMENT.to_owned(), |all, (nth, (when, points))| {
        let is_positive_literal = points.parse::<i64>().is_ok_and(|points| points > 0);
        let timed = if is_positive_literal && nth < 3 { for_the_first } else { "" };
        format!(
            "{all}[[value]]\nname = 'value {nth}'\nwhen = \"{when}\"\npoints = {points}\n{timed}\n"
        )
    })
}

fn facts() -> Facts {
    let text = |text: &str| Some(text.to_owned());
    let attributes = [
        ("employees", Value::Int(700)),
        ("revenue", Value::Double(12_500_000.0)),
        ("industry", Value::Text("health".to_owned())),
        ("title", Value::Text("Head of Sales Operations".to_owned())),
        ("is_customer", Value::Bool(false)),
    ];
    Facts {
        source: "demo-request".to_owned(),
        channel: text("web"),
        stage: text("sales-ready"),
        country: text("DE"),
        region: text("Bayern"),
        language: text("de"),
        score: Some(61.0),
        engagements: 4,
        attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Facts::default()
    }
}

fn subject(facts: &Facts) -> Subject<'_> {
    Subject {
        facts,
        source_system: "crm",
        campaign: "fair-2026",
        attempts: 2,
        last_disposition: Some(Disposition::Voicemail),
        handed_over_at: 0,
        owner: None,
    }
}

fn rules(criterion: &mut Criterion) {
    let steady = RuleSet::compile(&document("")).expect("the document compiles");
    let timed = document("for_the_first = '5m'");
    let ending = RuleSet::compile(&timed).expect("the document compiles");
    let (rich, poor) = (facts(), Facts { source: "list".to_owned(), ..Facts::default() });
    let (rich, poor) = (subject(&rich), subject(&poor));

    let mut group = criterion.benchmark_group("20 rules");
    group.bench_function("a lead with all fields", |bencher| {
        bencher.iter(|| steady.evaluate(black_box(&rich), black_box(1_000)));
    });
    group.bench_function("a lead with none", |bencher| {
        bencher.iter(|| steady.evaluate(black_box(&poor), black_box(1_000)));
    });
    group.bench_function("a lead with values that end", |bencher| {
        bencher.iter(|| ending.evaluate(black_box(&rich), black_box(1_000)));
    });
    group.bench_function("explain", |bencher| {
        bencher.iter(|| steady.explain(black_box(&rich), black_box(1_000)));
    });
    group.bench_function("compile", |bencher| {
        bencher.iter(|| RuleSet::compile(black_box(&timed)).expect("the document compiles"));
    });
    group.finish();
}

criterion_group!(benches, rules);
criterion_main!(benches);

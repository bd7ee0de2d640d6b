//! Properties of rules that hold for all expressions, leads and instants, tried on random ones.
//!
//! The oracle is the interpreter of the `cel` crate. It is asked where it means the same as we do:
//! every part has one type, doubles stay finite and are divided by literals, nothing is compared
//! with null. The rest, listed in the header of `rules`, stands in the tables of `meaning`.

use std::collections::HashMap;

use cel::objects::Key;
use cel::parser::PrattParser;
use cel::{Context, Value as CelValue};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::compile::{Compiler, Typed};
use super::expression::Expression;
use super::field::{Fault, Row, Schema, Type};
use super::mistake::Report;
use super::toml_reader::Quoted;
use super::{RuleSet, Subject};
use crate::domain::{Disposition, Facts, Value, head_start_ms};

/// Expressions of each type, as text.
#[derive(Clone, Debug)]
struct Texts {
    int: BoxedStrategy<String>,
    double: BoxedStrategy<String>,
    flag: BoxedStrategy<String>,
    text: BoxedStrategy<String>,
}

fn one_of(leaves: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(leaves).prop_map(str::to_owned).boxed()
}

fn binary(
    one: &BoxedStrategy<String>,
    signs: &'static [&'static str],
    other: &BoxedStrategy<String>,
) -> BoxedStrategy<String> {
    (one.clone(), prop::sample::select(signs), other.clone())
        .prop_map(|(one, sign, other)| format!("({one} {sign} {other})"))
        .boxed()
}

/// Expressions without an operator.
fn leaves() -> Texts {
    let ints: &'static [&'static str] =
        &["0", "1", "-3", "7", "9223372036854775807", "lead.attempts", "lead.employees"];
    let texts: &'static [&'static str] =
        &["\"\"", "\"a\"", "\"äb\"", "lead.source", "lead.stage", "lead.industry"];
    Texts {
        int: one_of(ints),
        double: one_of(&["0.0", "0.5", "-3.25", "1e6", "lead.score", "lead.revenue"]),
        flag: one_of(&["true", "false", "lead.vip", "has(lead.stage)", "has(lead.employees)"]),
        text: one_of(texts),
    }
}

/// Expressions with up to `depth` operators above each other.
fn texts(depth: u32) -> Texts {
    if depth == 0 {
        return leaves();
    }
    let Texts { int, double, flag, text } = texts(depth - 1);
    let call = |name: &'static str, one: &BoxedStrategy<String>| {
        one.clone().prop_map(move |one| format!("{name}({one})")).boxed()
    };
    let choice = |one: &BoxedStrategy<String>| {
        (flag.clone(), one.clone(), one.clone())
            .prop_map(|(flag, yes, no)| format!("({flag} ? {yes} : {no})"))
            .boxed()
    };
    let extreme = |one: &BoxedStrategy<String>| {
        (prop::sample::select(&["min", "max"]), vec(one.clone(), 2..4))
            .prop_map(|(name, parts)| format!("{name}({})", parts.join(", ")))
            .boxed()
    };
    let test =
        (text.clone(), prop::sample::select(&["startsWith", "endsWith", "contains"]), text.clone())
            .prop_map(|(text, name, part)| format!("{text}.{name}({part})"));
    Texts {
        int: prop_oneof![
            2 => int.clone(),
            3 => binary(&int, &["+", "-", "*", "/", "%"], &int),
            1 => call("-", &int),
            1 => call("size", &text),
            1 => call("int", &double),
            1 => choice(&int),
            1 => extreme(&int),
        ]
        .boxed(),
        double: prop_oneof![
            2 => double.clone(),
            3 => binary(&double, &["+", "-", "*"], &double),
            1 => binary(&double, &["/"], &one_of(&["4.0", "-0.1"])),
            1 => call("-", &double),
            1 => call("double", &int),
            1 => choice(&double),
            1 => extreme(&double),
        ]
        .boxed(),
        flag: prop_oneof![
            1 => flag.clone(),
            3 => binary(&flag, &["&&", "||", "==", "!="], &flag),
            1 => call("!", &flag),
            2 => binary(&int, &["==", "!=", "<", "<=", ">", ">="], &int),
            2 => binary(&double, &["==", "!=", "<", "<=", ">", ">="], &double),
            2 => binary(&text, &["==", "!=", "<", "<=", ">", ">="], &text),
            1 => test,
            1 => binary(&int, &["in"], &one_of(&["[]", "[1, -3, 7]", "[0]"])),
            1 => binary(&double, &["in"], &one_of(&["[0.5, -3.25]"])),
            1 => binary(&text, &["in"], &one_of(&["[\"a\", \"demo\"]"])),
            1 => choice(&flag),
        ]
        .boxed(),
        text: prop_oneof![3 => text.clone(), 1 => choice(&text)].boxed(),
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let Texts { int, double, flag, text } = texts(4);
    prop_oneof![int, double, flag, text]
}

/// What a subject borrows from.
#[derive(Clone, Debug)]
struct LeadLike {
    facts: Facts,
    attempts: i32,
    last_disposition: Option<Disposition>,
    handed_over_at: i64,
}

impl LeadLike {
    fn subject(&self) -> Subject<'_> {
        Subject {
            facts: &self.facts,
            source_system: "crm",
            campaign: "fair",
            attempts: self.attempts,
            last_disposition: self.last_disposition,
            handed_over_at: self.handed_over_at,
            owner: None,
        }
    }
}

fn leads() -> impl Strategy<Value = LeadLike> {
    let text = || prop::sample::select(&["", "a", "äb", "demo", "web"]).prop_map(str::to_owned);
    let int = prop_oneof![-5..500_i64, Just(i64::MAX), Just(i64::MIN)];
    let double = || prop_oneof![-5.0..500.0_f64, Just(0.5), Just(-0.0)];
    let attributes =
        (option::of(int), option::of(double()), option::of(any::<bool>()), option::of(text()));
    let built_in = (text(), option::of(text()), option::of(double()), 0..4_i64);
    (attributes, built_in, 0..5_i32, 0..1_000_i64).prop_map(
        |(
            (employees, revenue, vip, industry),
            (source, stage, score, engagements),
            attempts,
            at,
        )| {
            let attributes = [
                ("employees", employees.map(Value::Int)),
                ("revenue", revenue.map(Value::Double)),
                ("vip", vip.map(Value::Bool)),
                ("industry", industry.map(Value::Text)),
            ];
            let attributes = attributes.into_iter();
            let attributes =
                attributes.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
            let facts = Facts { source, stage, score, engagements, attributes, ..Facts::default() };
            let last_disposition = (attempts > 0).then_some(Disposition::NoAnswer);
            LeadLike { facts, attempts, last_disposition, handed_over_at: at }
        },
    )
}

fn schema() -> Schema {
    let mut schema = Schema::default();
    for (name, kind) in [
        ("employees", Type::Int),
        ("revenue", Type::Double),
        ("vip", Type::Bool),
        ("industry", Type::Text),
    ] {
        schema.declare(name, Some(kind));
    }
    schema
}

/// The oracle's answer: a missing field is a missing key.
fn ask_cel(text: &str, lead: &LeadLike) -> Option<CelValue> {
    let mut fields: HashMap<Key, CelValue> = HashMap::new();
    let facts = &lead.facts;
    let mut add = |name: &str, value: CelValue| {
        fields.insert(Key::from(name), value);
    };
    add("source", facts.source.as_str().into());
    add("attempts", CelValue::Int(i64::from(lead.attempts)));
    if let Some(stage) = &facts.stage {
        add("stage", stage.as_str().into());
    }
    if let Some(score) = facts.score {
        add("score", CelValue::Float(score));
    }
    for (name, value) in &facts.attributes {
        let value = match value {
            Value::Int(int) => CelValue::Int(*int),
            Value::Double(double) => CelValue::Float(*double),
            Value::Bool(flag) => CelValue::Bool(*flag),
            Value::Text(text) => text.as_str().into(),
        };
        add(name, value);
    }
    let mut context = Context::default();
    context.add_variable_from_value("lead", fields);
    context.add_function("min", cel::functions::min).unwrap();
    context.add_function("max", cel::functions::max).unwrap();
    let expression = PrattParser::new().parse(text).unwrap();
    context.resolve(&expression).ok()
}

fn ask_ours(text: &str, lead: &LeadLike) -> Option<CelValue> {
    let schema = schema();
    let mut report = Report::new(text);
    let quoted = Quoted { text, span: 0..text.len() };
    let expression = Expression::parse(quoted, &mut report).expect(text);
    let mut compiler = Compiler { expression: &expression, schema: &schema, report: &mut report };
    let typed = compiler.typed(&expression.root).expect(text);
    let subject = lead.subject();
    let row = Row { subject: &subject, schema: &schema };
    let answer: Result<CelValue, Fault> = match &typed {
        Typed::Int(int) => int.evaluate(row).map(CelValue::Int),
        Typed::Double(double) => double.evaluate(row).map(CelValue::Float),
        Typed::Flag(flag) => flag.evaluate(row).map(CelValue::Bool),
        Typed::Text(text) => text.evaluate(row).map(CelValue::from),
    };
    answer.ok()
}

/// Documents with random values, some of them for a limited time.
fn documents() -> impl Strategy<Value = String> {
    let Texts { int, double, flag, .. } = texts(2);
    let formula = prop_oneof![int, double].prop_map(|formula| format!("'''{formula}'''"));
    let literal = prop_oneof![1..500_i64, Just(i64::MAX)].prop_map(|points| points.to_string());
    let negative = (-500..1_i64).prop_map(|points| points.to_string());
    let timed =
        (prop_oneof![literal.clone(), formula.clone()], prop::sample::select(&["1s", "2s", "3s"]))
            .prop_map(|(points, time)| format!("points = {points}\nfor_the_first = '{time}'\n"));
    let lasting = prop_oneof![literal, negative, formula];
    let lasting = lasting.prop_map(|points| format!("points = {points}\n"));
    let value = (option::of(flag), prop_oneof![timed, lasting]).prop_map(|(when, points)| {
        when.map_or(points.clone(), |when| format!("{points}when = '''{when}'''\n"))
    });
    (vec(value, 0..8), prop::sample::select(&["1s", "1m", "3650d"])).prop_map(
        |(values, point_is)| {
            let head = format!(
                "queue = 'q'\npoint_is = '{point_is}'\n[fields]\nemployees = 'int'\nrevenue = \
             'double'\nvip = 'bool'\nindustry = 'string'\n"
            );
            let values = values.iter().enumerate();
            values
                .fold(head, |all, (nth, value)| format!("{all}[[value]]\nname = 'v{nth}'\n{value}"))
        },
    )
}

/// Pieces of documents and expressions, in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces: &[&str] = &[
        "lead",
        ".",
        "source",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "'",
        "\"",
        "'''",
        "\\",
        "\\u00e4",
        "ä",
        "😀",
        " ",
        "\n",
        "\r\n",
        "=",
        "==",
        "<",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "%",
        "?",
        ":",
        ",",
        "1",
        "0x",
        "1e9",
        "1u",
        "b\"",
        "r\"",
        "in",
        "null",
        "true",
        "has",
        "map",
        "exists",
        "min",
        "//",
        "#",
        "[[value]]",
        "[[after]]",
        "[fields]",
        "when",
        "points",
        "for_the_first",
        "then",
        "`",
        "\u{0}",
        "9223372036854775808",
        "point_is",
        "retry_in",
        "dispositions",
        "x",
    ];
    vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_compiled_expression_means_what_cel_says(
        text in any_text(), leads in vec(leads(), 1..5),
    ) {
        for lead in &leads {
            prop_assert_eq!(ask_ours(&text, lead), ask_cel(&text, lead), "{}", text);
        }
    }

    #[test]
    fn explain_adds_up_to_evaluate(document in documents(), lead in leads(), now in 0..5_000_i64) {
        let rules = RuleSet::compile(&document).unwrap();
        let worth = rules.evaluate(&lead.subject(), now);
        let explanation = rules.explain(&lead.subject(), now);
        let sum: i128 = explanation.lines.iter().map(|line| i128::from(line.points)).sum();
        let points_max = i128::from(rules.points_max());
        prop_assert_eq!(i128::from(explanation.points), sum.clamp(-points_max, points_max));
        prop_assert_eq!(explanation.head_start_ms, worth.head_start_ms);
        prop_assert_eq!(explanation.until, worth.until);
        let head_start = head_start_ms(explanation.points, rules.point_is_ms());
        prop_assert_eq!(head_start, worth.head_start_ms);
    }

    #[test]
    fn what_a_lead_will_be_worth_is_what_it_is_worth_then(
        document in documents(), lead in leads(), now in 0..5_000_i64, later in 0..5_000_i64,
    ) {
        let rules = RuleSet::compile(&document).unwrap();
        let later = now + later;
        let worth = rules.evaluate(&lead.subject(), now);
        prop_assert_eq!(worth.at(later), rules.evaluate(&lead.subject(), later));
        let mut before = (worth.head_start_ms, worth.until);
        prop_assert!(before.1.is_none_or(|until| until > now));
        for step in &worth.later {
            prop_assert!(step.head_start_ms < before.0);
            prop_assert!(before.1.is_some_and(|end| step.until.is_none_or(|until| until > end)));
            before = (step.head_start_ms, step.until);
        }
        prop_assert_eq!(before.1, None);
    }

    #[test]
    fn no_two_leads_differ_by_more_than_the_largest_head_start(
        document in documents(), leads in vec((leads(), 0..5_000_i64), 2),
    ) {
        let rules = RuleSet::compile(&document).unwrap();
        let worth = |(lead, now): &(LeadLike, i64)| {
            i128::from(rules.evaluate(&lead.subject(), *now).head_start_ms)
        };
        if let Some(largest_ms) = rules.largest_head_start_ms() {
            prop_assert!((worth(&leads[0]) - worth(&leads[1])).abs() <= i128::from(largest_ms));
        }
    }

    #[test]
    fn no_text_makes_compile_panic(
        bytes in vec(any::<u8>(), 0..200), letters in ".{0,80}", soup in soup(),
        document in documents(), at in any::<prop::sample::Index>(), cut in 0..8_usize,
    ) {
        let quoted = |text: &str| {
            format!("queue='q'\n[[value]]\nname='a'\nwhen='''{text}'''\npoints='''{text}'''")
        };
        let mut letters_of: Vec<char> = document.chars().collect();
        let at = at.index(letters_of.len());
        let end = (at + cut).min(letters_of.len());
        letters_of.splice(at..end, soup.chars());
        let mutated: String = letters_of.into_iter().collect();
        let random = String::from_utf8_lossy(&bytes).into_owned();
        for text in [&random, &letters, &soup, &quoted(&soup), &quoted(&letters), &mutated] {
            if let Err(mistakes) = RuleSet::compile(text) {
                prop_assert!(!mistakes.0.is_empty() && !mistakes.to_string().is_empty());
            }
        }
    }
}

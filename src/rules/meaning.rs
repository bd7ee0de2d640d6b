//! What expressions mean, in tables: a result, a failure or a mistake for each.

use super::{LineNote, Mistakes, RuleSet, Subject};
use crate::domain::{Disposition, Facts, Value};

const FIELDS: &str = "[fields]\nemployees = 'int'\nrevenue = 'double'\nvip = 'bool'\n\
                      industry = 'string'\nmissing = 'int'\nabsent = 'string'\nwrong = 'int'\n";

fn document(key: &str, expression: &str) -> String {
    let points = if key == "points" { "" } else { "points = 1\n" };
    format!("queue = 'q'\n{FIELDS}[[value]]\nname = 'v'\n{points}{key} = '''{expression}'''\n")
}

/// A lead with a value in each field but `missing`, `absent`, `region` and `owner`.
fn facts() -> Facts {
    let text = |text: &str| Some(text.to_owned());
    let mut facts = Facts {
        source: "demo-request".to_owned(),
        channel: text("web"),
        country: text("DE"),
        score: Some(7.5),
        engagements: 3,
        ..Facts::default()
    };
    let attributes = [
        ("employees", Value::Int(120)),
        ("revenue", Value::Double(2.5)),
        ("vip", Value::Bool(true)),
        ("industry", Value::Text("größe".to_owned())),
        ("wrong", Value::Text("many".to_owned())),
    ];
    facts.attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into();
    facts
}

/// The points and the note of the only value.
fn explained(key: &str, expression: &str) -> (i64, LineNote) {
    let rules = RuleSet::compile(&document(key, expression))
        .unwrap_or_else(|mistakes| panic!("{expression}\n{mistakes}"));
    let facts = facts();
    let subject = Subject {
        facts: &facts,
        source_system: "crm",
        campaign: "fair-2026",
        attempts: 2,
        last_disposition: Some(Disposition::NoAnswer),
        handed_over_at: 0,
        owner: None,
    };
    let line = rules.explain(&subject, 0).lines.remove(0);
    (line.points, line.note)
}

fn holds(condition: &str) -> Result<bool, String> {
    match explained("when", condition).1 {
        LineNote::Matched => Ok(true),
        LineNote::NotMatched => Ok(false),
        LineNote::Failed(reason) => Err(reason),
        LineNote::Ended => unreachable!("no value here ends"),
    }
}

fn points(formula: &str) -> Result<i64, String> {
    match explained("points", formula) {
        (points, LineNote::Matched) => Ok(points),
        (points, LineNote::Failed(reason)) => {
            assert_eq!(points, 0, "{formula}");
            Err(reason)
        }
        (_, other) => panic!("{formula}: {other:?}"),
    }
}

fn mistake(key: &str, expression: &str) -> String {
    let Err(Mistakes(mistakes)) = RuleSet::compile(&document(key, expression)) else {
        panic!("{expression} compiles");
    };
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    // The expression stands behind `when = '''`.
    let indent = key.len() + 6;
    let Some(column) = (mistakes[0].column as usize).checked_sub(indent) else {
        panic!("{} is in front of the expression", mistakes[0]);
    };
    let place: String =
        expression.chars().skip(column - 1).take(mistakes[0].length as usize).collect();
    format!("{place} | {}", mistakes[0].message)
}

#[test]
fn conditions_hold_or_not() {
    for condition in [
        "true",
        "lead.source == 'demo-request' && lead.source_system == 'crm'",
        "lead.campaign.startsWith('fair') && lead.campaign.endsWith('26')",
        "lead.campaign.contains('-20')",
        "lead.attempts == 2 && lead.engagements >= 3",
        "lead.last_disposition == 'no_answer'",
        "lead.country in ['AT', 'DE']",
        "lead.employees in [1, 120] && lead.employees in [120.0] && lead.score in [7.5, 8]",
        "!(lead.country in [])",
        "lead.vip && lead.vip == true && lead.vip != false",
        "lead.revenue < lead.employees && lead.employees > 119.5 && 2 == 2.0",
        "has(lead.employees) && !has(lead.missing) && !has(lead.owner) && has(lead.attempts)",
        "lead.missing == null && lead.owner == null && null != lead.employees",
        "has(lead.wrong)",
        "size(lead.industry) == 5 && lead.industry.size() == 5",
        "'a' < 'b' && lead.country <= 'DE'",
        "(lead.vip ? 'x' : lead.absent) == 'x'",
        // One side decides, whatever the other.
        "lead.missing > 1 || true",
        "true || lead.missing > 1",
        "!(lead.missing > 1 && false)",
        "!(false && lead.missing > 1)",
    ] {
        assert_eq!(holds(condition), Ok(true), "{condition}");
        assert_eq!(holds(&format!("!({condition})")), Ok(false), "{condition}");
    }
}

#[test]
fn a_condition_without_a_result_says_why() {
    for (condition, reason) in [
        ("lead.missing > 1", "the lead has no `missing`"),
        ("lead.absent != 'x'", "the lead has no `absent`"),
        ("lead.region in ['x']", "the lead has no `region`"),
        ("lead.missing > 1 && true", "the lead has no `missing`"),
        ("false || lead.owner == 'ann'", "the lead has no `owner`"),
        ("lead.wrong == 1", "the lead's `wrong` is not of the declared type"),
        ("lead.employees / (lead.attempts - 2) > 1", "division by zero"),
        ("lead.revenue / 0.0 > 1.0", "division by zero"),
        ("1 % (lead.attempts - 2) == 0", "division by zero"),
        ("9223372036854775807 + lead.attempts > 0", "a number is too large"),
        ("-(-9223372036854775807 - 1) > lead.attempts", "a number is too large"),
        ("1e308 * lead.revenue > 0.0", "a number is too large"),
        ("int(1e300) == lead.attempts", "a number is too large"),
    ] {
        assert_eq!(holds(condition), Err(reason.to_owned()), "{condition}");
    }
}

#[test]
fn formulas_give_whole_points() {
    for (formula, expected) in [
        ("lead.employees / 7", 17),
        ("-lead.employees % 7", -1),
        ("lead.revenue", 2),
        ("lead.revenue + 1", 4),
        ("-lead.revenue", -2),
        ("lead.score", 8),
        ("min(lead.employees, 300, 40)", 40),
        ("max(lead.employees, lead.revenue)", 120),
        ("min(lead.employees / 10, 300) * 2 - 1", 23),
        ("int(lead.score) + 0", 7),
        ("double(lead.attempts) / 4.0 * 10.0", 5),
        ("lead.vip ? 5 : lead.missing", 5),
        ("lead.vip ? 1 : 2.5", 1),
        ("has(lead.missing) ? lead.missing : 9", 9),
        ("size(lead.industry)", 5),
        // Saturates at 2^52 ms ÷ one minute.
        ("9223372036854775807", 75_059_993_789),
        ("-1e300", -75_059_993_789),
    ] {
        assert_eq!(points(formula), Ok(expected), "{formula}");
    }
    assert_eq!(points("lead.missing + 1"), Err("the lead has no `missing`".to_owned()));
}

#[test]
fn what_does_not_exist_is_told_with_what_does() {
    for (condition, expected) in [
        ("lead.emploees > 5", "emploees | no field `emploees`; did you mean `employees`?"),
        ("has(lead.a)", "a | no field `a`; declare it in [fields]"),
        ("lead.turnover > 5", "turnover | no field `turnover`; declare it in [fields]"),
        ("employees > 5", "employees | no name `employees`; did you mean `lead.employees`?"),
        (
            "leed.employees > 5",
            "leed | no name `leed`; fields are written `lead.field`; did you mean `lead`?",
        ),
        ("lead.last_disposition == 'busi'", "== | no disposition `busi`; did you mean `busy`?"),
        ("lead.last_disposition in ['busy', 'nope']", "in | no disposition `nope`"),
        ("lead == 5", "lead | which field of the lead? write `lead.field`"),
        ("lead.industry.name == 'x'", "lead.industry.name | a string has no field `name`"),
        (
            "lead.industry.matches('a.*')",
            "matches | `matches` is refused: there are no regular expressions; use `startsWith`, \
             `endsWith`, `contains` or `in`",
        ),
        (
            "lead.industry.startWith('a')",
            "startWith | no function `.startWith()`; did you mean `startsWith`?",
        ),
        ("mn(1, 2) > 1", "mn | no function `mn`; did you mean `min`?"),
        (
            "timestamp('x') > 1",
            "timestamp | no function `timestamp`; there are `min`, `max`, `int`, `double`, `size`",
        ),
    ] {
        assert_eq!(mistake("when", condition), expected, "{condition}");
    }
}

#[test]
fn what_does_not_fit_is_told_at_its_place() {
    for (condition, expected) in [
        ("lead.industry > 5", "> | `>` cannot compare string with int"),
        ("lead.vip > false", "> | `>` does not order bools"),
        ("lead.vip == 1", "== | `==` cannot compare bool with int"),
        ("lead.employees && true", "&& | `&&` needs bools, not an int"),
        ("!lead.employees", "! | `!` needs bools, not an int"),
        ("lead.employees", "lead.employees | a condition is a bool, this is an int"),
        (
            "lead.industry in ['a', 1]",
            "in | `in` needs a list of the same type as its left side, a string",
        ),
        (
            "lead.industry in lead.absent",
            "lead.absent | `in` needs a list of literals: `lead.stage in [\"a\", \"b\"]`",
        ),
        (
            "lead.industry in [lead.absent]",
            "lead.absent | a list behind `in` holds numbers or texts as they are",
        ),
        ("[1] == 1", "[ | a list stands only behind `in`"),
        (
            "[1].exists(x, x == 1)",
            "exists( | `all`, `exists`, `exists_one`, `map` and `filter` are refused: there are no \
             lists to go through",
        ),
        ("lead.industry.startsWith(1)", "startsWith | `startsWith` needs strings, not an int"),
        ("lead.industry.startsWith()", "startsWith | `startsWith` takes one text in its brackets"),
        ("min(1) > 1", "min | `min` takes two numbers or more"),
        ("max(1, 'a') > 1", "max | `max` needs numbers, not a string"),
        ("int('5') > 1", "int | `int` needs numbers, not a string"),
        ("size(lead.employees) > 1", "size | `size` needs a string, not an int"),
        ("lead.industry + 'x' == 'ax'", "+ | `+` needs numbers, not string and string"),
        ("lead.revenue % 2 == 1", "% | `%` needs whole numbers"),
        ("(lead.vip ? 1 : 'a') == 1", "? | both sides of `:` need one type, not int and string"),
        ("null == 1", "null | null stands only in `lead.field == null` and `lead.field != null`"),
        ("1u == 1", "1u | write whole numbers without `u`"),
        ("b'a' == 'a'", "b'a' | write text without `b`"),
        ("{'a': 1}.a == 1", "{ | there are no maps and messages"),
        ("lead[0] == 1", "[ | nothing here is read by index"),
        ("lead.vip = true", "= | `=` is not an operator; `==` compares"),
        ("lead.vip and true", "and | cannot read this expression: `and` is written `&&`"),
    ] {
        assert_eq!(mistake("when", condition), expected, "{condition}");
    }
}

#[test]
fn the_deepest_expressions_have_a_result() {
    assert_eq!(points(&format!("1{}", " + 1".repeat(249))), Ok(250));
    assert_eq!(points(&format!("{}1{}", "(1 + ".repeat(49), ")".repeat(49))), Ok(50));
    assert_eq!(holds(&format!("{}lead.vip", "!".repeat(498))), Ok(true));
    assert_eq!(holds(&format!("true{}", " && lead.vip".repeat(166))), Ok(true));
}

#[test]
fn two_sides_are_checked_although_one_is_wrong() {
    let text = document("when", "lead.a == 1 || (lead.b > 2 && min(lead.c, lead.d) > 0)");
    let Mistakes(mistakes) = RuleSet::compile(&text).expect_err("four unknown fields");
    assert_eq!(mistakes.len(), 4);
}

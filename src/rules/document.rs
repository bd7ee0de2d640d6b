//! Reads a rule document: TOML in, a compiled rule set or all its mistakes out.
//!
//! A part that is wrong is reported and left out, so that what stands behind it is checked as well;
//! the rule set is only built when nothing at all was reported.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use toml::de::{DeTable, DeValue};

use super::compile::{self, Typed};
use super::duration;
use super::evaluate::{Points, ValueRule};
use super::expression::Expression;
use super::field::{Schema, Type, is_built_in};
use super::mistake::{Mistakes, Report, hint};
use super::toml_reader::{Entry, Table, expected, int, table, text};
use super::{
    DOCUMENT_LENGTH_MAX, FIELD_COUNT_MAX, FirstTouch, POINT_IS_MS_DEFAULT, Reading, RuleSet,
    VALUE_COUNT_MAX, bounds, policy,
};
use crate::domain::{PromiseClock, check_id};

const KEYS: [&str; 6] = ["queue", "point_is", "first_touch", "fields", "value", "after"];
const FIRST_TOUCH_KEYS: [&str; 3] = ["within", "reserve_after", "clock"];
const VALUE_KEYS: [&str; 4] = ["name", "when", "points", "for_the_first"];
const CLOCKS: [(&str, PromiseClock); 2] =
    [("open_hours", PromiseClock::OpenHours), ("wall", PromiseClock::Wall)];
/// The longest name of a value or a field, in characters.
const NAME_LENGTH_MAX: usize = 128;
/// Names that are words of the expression language.
const WORDS: [&str; 4] = ["true", "false", "null", "in"];

/// Reads a document. `queues` are those that there are, if anybody knows.
pub(super) fn read(
    document: &str,
    reading: Reading,
    queues: Option<&[&str]>,
) -> Result<RuleSet, Mistakes> {
    let mut report = Report::new(document);
    if document.len() > DOCUMENT_LENGTH_MAX {
        report.add(0..0, format!("a document has at most {DOCUMENT_LENGTH_MAX} bytes"));
    } else {
        let (root, errors) = DeTable::parse_recoverable(document);
        for error in &errors {
            report.add(error.span().unwrap_or(0..0), error.message());
        }
        // What is missing from a broken document may stand in the broken part.
        if errors.is_empty() {
            let rules = rules(root.get_ref(), reading, &mut report);
            if reading.is_new() {
                report.check_queues(Some(rules.queue()), queues);
            }
            report.finish()?;
            return Ok(with_warnings(rules));
        }
    }
    report.finish().map(|()| RuleSet::none(""))
}

fn rules(root: &DeTable<'_>, reading: Reading, report: &mut Report<'_>) -> RuleSet {
    let document = Table::new(root, "a document", 0..0, &KEYS, report);
    let queue = document.require("queue", report).and_then(|entry| text(entry, report));
    if let Some(queue) = &queue
        && let Err(problem) = check_id(queue.text)
    {
        report.add(queue.span.clone(), format!("a queue's id {problem}"));
    }
    let point_is_ms = document.duration_ms("point_is", report).unwrap_or(POINT_IS_MS_DEFAULT);
    let first_touch = document.get("first_touch").map(|entry| first_touch(entry, report));
    let schema = document.get("fields").map(|entry| fields(entry, report)).unwrap_or_default();
    let values = values(&document, &schema, report);
    RuleSet {
        queue: queue.map_or_else(String::new, |queue| queue.text.to_owned()),
        point_is_ms,
        first_touch: first_touch.unwrap_or_default(),
        schema,
        values,
        policy: Arc::new(policy::read(&document, reading, report)),
        warnings: Vec::new(),
        failure_count: AtomicU64::new(0),
    }
}

fn first_touch(entry: &Entry<'_>, report: &mut Report<'_>) -> FirstTouch {
    let mut first_touch = FirstTouch::default();
    let Some(entries) = table(entry, report) else { return first_touch };
    let table = Table::new(entries, "[first_touch]", entry.span(), &FIRST_TOUCH_KEYS, report);
    if let Some(within_ms) = table.duration_ms("within", report) {
        first_touch.within_ms = within_ms;
    }
    let reserve_after = table.int_within("reserve_after", 1..=1_000, report);
    if let Some(reserve_after) = reserve_after.and_then(|count| u32::try_from(count).ok()) {
        first_touch.reserve_after = reserve_after;
    }
    if let Some(name) = table.get("clock").and_then(|entry| text(entry, report)) {
        match CLOCKS.iter().find(|(known, _)| *known == name.text) {
            Some((_, clock)) => first_touch.clock = *clock,
            None => {
                let hint = hint(name.text, CLOCKS.map(|(known, _)| known));
                let problem = format!("`clock` is \"open_hours\" or \"wall\"{hint}");
                report.add(name.span, problem);
            }
        }
    }
    first_touch
}

fn fields(entry: &Entry<'_>, report: &mut Report<'_>) -> Schema {
    let mut schema = Schema::default();
    let Some(entries) = table(entry, report) else { return schema };
    if entries.len() > FIELD_COUNT_MAX {
        report.add(entry.span(), format!("a document declares at most {FIELD_COUNT_MAX} fields"));
        return schema;
    }
    for (key, entry) in entries {
        let name = key.get_ref().as_ref();
        if let Some(problem) = field_name_problem(name) {
            report.add(key.span(), problem);
        }
        let kind = text(entry, report).and_then(|kind| {
            let known = Type::from_name(kind.text);
            if known.is_none() {
                let hint = hint(kind.text, Type::NAMES);
                let problem = format!("a field is `{}`{hint}", Type::NAMES.join("`, `"));
                report.add(kind.span, problem);
            }
            known
        });
        // A field of unknown type is declared all the same, lest its uses be called unknown.
        schema.declare(name, kind);
    }
    schema
}

fn field_name_problem(name: &str) -> Option<String> {
    let is_word = |one: char| one == '_' || one.is_ascii_alphanumeric();
    let starts_well = name.starts_with(|one: char| one == '_' || one.is_ascii_alphabetic());
    if !starts_well || !name.chars().all(is_word) || name.len() > NAME_LENGTH_MAX {
        let problem = "a field's name is made of letters a to z, digits and `_`";
        return Some(format!(
            "{problem}, does not begin with a digit and has at most {NAME_LENGTH_MAX}"
        ));
    }
    if WORDS.contains(&name) {
        return Some(format!("`{name}` is a word of the expression language"));
    }
    is_built_in(name).then(|| format!("`{name}` is a built-in field; choose another name"))
}

fn values(document: &Table<'_, '_>, schema: &Schema, report: &mut Report<'_>) -> Vec<ValueRule> {
    let tables = document.tables("value", report);
    if let Some((_, span)) = tables.get(VALUE_COUNT_MAX) {
        report.add(span.clone(), format!("a document has at most {VALUE_COUNT_MAX} values"));
        return Vec::new();
    }
    let mut names = BTreeMap::new();
    let values = tables.into_iter();
    values.filter_map(|(table, span)| value(table, span, schema, &mut names, report)).collect()
}

/// Reads one value; `None` after a mistake in it.
fn value<'t>(
    entries: &'t DeTable<'_>,
    span: Range<usize>,
    schema: &Schema,
    names: &mut BTreeMap<&'t str, u32>,
    report: &mut Report<'_>,
) -> Option<ValueRule> {
    let table = Table::new(entries, "a value", span, &VALUE_KEYS, report);
    let name = name(&table, names, report);
    let when = table.get("when").map(|entry| {
        let expression = Expression::parse(text(entry, report)?, report)?;
        compile::condition(&expression, schema, report)
    });
    let for_the_first = table.get("for_the_first");
    let for_the_first_ms = table.duration_ms("for_the_first", report);
    let entry = table.require("points", report)?;
    let points = points(entry, schema, report);
    if let Some(Points::Literal(..=0)) = points
        && for_the_first.is_some()
    {
        let problem = "points for a limited time must be positive: when it ends, a lead only loses";
        report.add(entry.span(), problem);
    }
    let when = match when {
        Some(when) => Some(when?),
        None => None,
    };
    Some(ValueRule { name: name?, when, points: points?, for_the_first_ms })
}

fn name<'t>(
    table: &Table<'t, '_>,
    names: &mut BTreeMap<&'t str, u32>,
    report: &mut Report<'_>,
) -> Option<String> {
    let name = text(table.require("name", report)?, report)?;
    let is_printable = !name.text.chars().any(char::is_control) && !name.text.trim().is_empty();
    if !is_printable || name.text.chars().count() > NAME_LENGTH_MAX {
        let problem = format!("a value's name has 1 to {NAME_LENGTH_MAX} printable characters");
        report.add(name.span, problem);
        return None;
    }
    let line = report.line_of(name.span.start);
    match names.get(name.text) {
        Some(first_line) => {
            let problem = format!("another value has this name, in line {first_line}");
            report.add(name.span, problem);
        }
        None => {
            names.insert(name.text, line);
        }
    }
    Some(name.text.to_owned())
}

fn points(entry: &Entry<'_>, schema: &Schema, report: &mut Report<'_>) -> Option<Points> {
    match entry.get_ref() {
        DeValue::Integer(_) => {
            let points = int(entry);
            if points.is_none() {
                report.add(entry.span(), "this number is too large");
            }
            points.map(Points::Literal)
        }
        DeValue::String(_) => {
            let expression = Expression::parse(text(entry, report)?, report)?;
            match compile::formula(&expression, schema, report)? {
                Typed::Int(int) => Some(Points::Int(int)),
                Typed::Double(double) => Some(Points::Double(double)),
                Typed::Flag(_) | Typed::Text(_) => None,
            }
        }
        other => {
            report.add(entry.span(), expected("a whole number, or a formula in quotes", other));
            None
        }
    }
}

/// Adds what the manager should know although nothing is wrong.
fn with_warnings(mut rules: RuleSet) -> RuleSet {
    let unbounded = rules.values.iter().filter(|value| bounds::is_unbounded(value));
    let mut warnings: Vec<String> = unbounded
        .map(|value| {
            let name = &value.name;
            format!(
                "the points of `{name}` have no bound, and so have head starts; `min` and `max` \
                 give one: max(0, min(…, 300))"
            )
        })
        .collect();
    let within_ms = rules.first_touch.within_ms;
    if let Some(largest_ms) = rules.largest_head_start_ms().filter(|ms| *ms > within_ms) {
        let (largest, within) = (duration::show(largest_ms), duration::show(within_ms));
        warnings.push(format!(
            "the largest head start is {largest}, longer than the {within} within which a first \
             touch is promised: a lead of the least value may be passed over for that long"
        ));
    }
    rules.warnings = warnings;
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AfterRoute, Delay, Disposition};

    fn problems(document: &str) -> Vec<String> {
        let Err(Mistakes(mistakes)) = RuleSet::compile(document) else { return Vec::new() };
        let shown = mistakes.iter();
        shown
            .map(|one| format!("{}:{}+{} {}", one.line, one.column, one.length, one.message))
            .collect()
    }

    #[test]
    fn the_document_of_the_readme_compiles() {
        let rules = RuleSet::compile(&format!("{EXAMPLE}{THE_REST}")).unwrap();
        assert_eq!(rules.queue(), "inside-sales");
        assert_eq!(rules.point_is_ms(), 60_000);
        assert_eq!(
            *rules.first_touch(),
            FirstTouch {
                within_ms: 4 * 3_600_000,
                reserve_after: 4,
                clock: PromiseClock::OpenHours
            }
        );
        let after = &rules.policy().after[0];
        assert_eq!(
            after.dispositions,
            [Disposition::NoAnswer, Disposition::Busy, Disposition::Voicemail]
        );
        let [hour, hours, day, days] = [1, 4, 24, 48].map(|hours| Delay::For(hours * 3_600_000));
        let [stage] = after.stages.as_slice() else { panic!("one stage") };
        assert_eq!(stage.retry_in, [hour, hours, Delay::NextDaypart, day, days]);
        assert_eq!(after.attempts_max, Some(8));
        assert_eq!(after.then, AfterRoute::Nurture(Some(90 * 86_400_000)));
    }

    #[test]
    fn an_example_that_says_too_little_runs_if_it_was_published_and_is_no_longer() {
        let Err(Mistakes(mistakes)) = RuleSet::compile(EXAMPLE) else {
            panic!("it says too little")
        };
        assert!(mistakes.iter().all(|one| one.message.contains("nothing says")));
        let rules = RuleSet::compile_stored(EXAMPLE).unwrap();
        assert_eq!(rules.policy().after[0].attempts_max, Some(8));
    }

    /// What the example leaves out.
    const THE_REST: &str = r#"
[[after]]
dispositions = ["congestion", "dead_air", "dropped_before_rep", "gatekeeper", "wrong_time"]
retry_in     = ["next_daypart"]
attempts_max = 8
then         = { nurture = "90d" }

[[after]]
dispositions = ["not_interested", "not_qualified", "language", "needs_specialist"]
then         = "lost"
"#;

    const EXAMPLE: &str = r#"
queue    = "inside-sales"
point_is = "1m"

[first_touch]
within        = "4h"
reserve_after = 4                 # after four ordinary pulls, one for the untouched

[fields]                          # what the leads of this queue carry besides the built-in fields
employees = "int"
industry  = "string"

[[value]]
name   = "asked for a demo"
when   = 'lead.source == "demo-request"'
points = 1440

[[value]]
name   = "company size"
points = 'min(lead.employees / 10, 300)'

[[value]]
name          = "fresh web lead"
when          = 'lead.channel == "web"'
for_the_first = "5m"
points        = 10000

[[after]]                         # policy: what a disposition leads to; the last resort always exists
dispositions = ["no_answer", "busy", "voicemail"]
retry_in     = ["1h", "4h", "next_daypart", "1d", "2d"]   # the last one repeats
attempts_max = 8
then         = { nurture = "90d" }
"#;

    #[test]
    fn defaults_stand_in_for_what_is_not_written() {
        let rules = RuleSet::compile("queue = 'q'").unwrap();
        assert_eq!(rules.point_is_ms(), 60_000);
        assert_eq!(*rules.first_touch(), FirstTouch::default());
        assert_eq!((rules.values.len(), rules.policy().after.len()), (0, 0));
        assert_eq!(rules.largest_head_start_ms(), Some(0));
        assert_eq!(rules.warnings(), Vec::<String>::new());
    }

    #[test]
    fn all_mistakes_are_told_at_once_each_at_its_place() {
        let document = r#"queu = "q"
point_is = "0s"
[first_touch]
within = 4
reserve_after = 0
clock = "wal"
[fields]
stage = "string"
employees = "integer"
2nd = "int"
[[value]]
when = 'lead.emploees > 5 && lead.source > 3'
points = 1.5
[[value]]
name = "b"
points = 'lead.source'
for_the_first = "5m"
[[value]]
name = "b"
points = 0
for_the_first = "5m"
"#;
        let expected = [
            "1:1+4 a document has no `queu`; did you mean `queue`?",
            "1:1+1 a document needs `queue`",
            "2:12+4 a duration must be longer than nothing",
            "4:10+1 expected text in quotes, found a whole number",
            "5:17+1 `reserve_after` is a whole number from 1 to 1000",
            "6:9+5 `clock` is \"open_hours\" or \"wall\"; did you mean `wall`?",
            "8:1+5 `stage` is a built-in field; choose another name",
            "9:13+9 a field is `int`, `double`, `bool`, `string`",
            "10:1+3 a field's name is made of letters a to z, digits and `_`, does not begin with \
             a digit and has at most 128",
            "11:1+9 a value needs `name`",
            "12:14+8 no field `emploees`; did you mean `employees`?",
            "12:42+1 `>` cannot compare string with int",
            "13:10+3 expected a whole number, or a formula in quotes, found a number with a \
             fraction",
            "16:11+11 points are a number, this is a string",
            "19:8+3 another value has this name, in line 15",
            "20:10+1 points for a limited time must be positive: when it ends, a lead only loses",
        ];
        assert_eq!(problems(document), expected);
    }

    #[test]
    fn a_text_that_is_no_toml_is_told_so() {
        assert_eq!(problems("queue = 'q"), ["1:11+1 invalid literal string, expected `'`"]);
        assert!(problems(&" ".repeat(DOCUMENT_LENGTH_MAX + 1))[0].contains("at most 65536 bytes"));
    }

    #[test]
    fn a_document_as_deep_as_it_is_long_is_refused() {
        for (open, close) in [("[", "]"), ("{a=", "}")] {
            let deep = format!("queue = {}1{}", open.repeat(15_000), close.repeat(15_000));
            assert!(!problems(&deep).is_empty());
            assert!(!problems(&format!("queue = {}", open.repeat(15_000))).is_empty());
        }
    }

    #[test]
    fn there_are_at_most_two_hundred_values() {
        let values = |count| {
            let one = |nth| format!("[[value]]\nname='{nth}'\npoints=1\n");
            (0..count).map(one).fold("queue='q'\n".to_owned(), |all, one| all + &one)
        };
        assert_eq!(problems(&values(200)), Vec::<String>::new());
        assert_eq!(problems(&values(201)), ["602:1+9 a document has at most 200 values"]);
    }

    #[test]
    fn a_head_start_beyond_the_promise_is_warned_of() {
        let value = |points: &str| {
            let promise = "queue='q'\n[first_touch]\nwithin='1h'\n";
            RuleSet::compile(&format!(
                "{promise}[[value]]\nname='a'\nwhen='lead.attempts > 1'\npoints={points}"
            ))
        };
        assert_eq!(value("60").unwrap().warnings().len(), 0);
        assert!(value("61").unwrap().warnings()[0].contains("the largest head start is 1h1m"));
        assert!(value("-61").unwrap().warnings()[0].contains("the largest head start is 1h1m"));
        let unbounded = value("'lead.engagements * 5'").unwrap();
        assert!(unbounded.warnings()[0].contains("`a` have no bound"));
        assert_eq!(unbounded.largest_head_start_ms(), None);
        let bounded = value("'max(0, min(lead.engagements * 5, 50))'").unwrap();
        assert_eq!(bounded.largest_head_start_ms(), Some(50 * 60_000));
    }
}

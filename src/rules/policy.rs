//! The part of a document that says what a disposition leads to: `[[after]]`.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::mistake::{Report, hint};
use super::toml_reader::{Entry, Quoted, Table, duration_ms, expected, list, text};
use crate::domain::{AfterRoute, AfterRule, Disposition, Policy};

const KEYS: [&str; 4] = ["dispositions", "retry_in", "attempts_max", "then"];
const ROUTES: [&str; 2] = ["lost", "unreachable"];
const THEN: &str = "`then` is \"lost\", \"unreachable\", { nurture = \"90d\" } or { nurture = \
                    \"until_engagement\" }: every chain ends in a route";
const UNTIL_ENGAGEMENT: &str = "until_engagement";
/// The most delays in one list.
const RETRY_COUNT_MAX: usize = 100;

/// Reads all `[[after]]` of a document.
pub(super) fn read(document: &Table<'_, '_>, report: &mut Report<'_>) -> Policy {
    // Where each disposition stood first.
    let mut named = BTreeMap::new();
    let tables = document.tables("after", report).into_iter();
    let after = tables.filter_map(|(table, span)| after_rule(table, span, &mut named, report));
    Policy { after: after.collect() }
}

/// Reads one; `None` after a mistake in it.
fn after_rule(
    entries: &DeTable<'_>,
    span: Range<usize>,
    named: &mut BTreeMap<Disposition, u32>,
    report: &mut Report<'_>,
) -> Option<AfterRule> {
    let table = Table::new(entries, "[[after]]", span, &KEYS, report);
    let dispositions = dispositions(table.require("dispositions", report), named, report);
    let retry_in_ms = table.get("retry_in").map_or_else(Vec::new, |entry| delays(entry, report));
    let attempts_max = table.int_within("attempts_max", 1..=1_000, report);
    let then = table.require("then", report).and_then(|entry| route(entry, report))?;
    let attempts_max = attempts_max.and_then(|count| i32::try_from(count).ok());
    Some(AfterRule { dispositions, retry_in_ms, attempts_max, then })
}

fn dispositions(
    entry: Option<&Entry<'_>>,
    named: &mut BTreeMap<Disposition, u32>,
    report: &mut Report<'_>,
) -> Vec<Disposition> {
    let Some(entry) = entry else { return Vec::new() };
    let elements = list(entry, report);
    if elements.is_empty() && entry.get_ref().is_array() {
        report.add(entry.span(), "[[after]] needs a disposition at least");
    }
    let codes: Vec<_> = elements.iter().filter_map(|element| text(element, report)).collect();
    codes.into_iter().filter_map(|code| disposition(&code, named, report)).collect()
}

fn disposition(
    code: &Quoted<'_>,
    named: &mut BTreeMap<Disposition, u32>,
    report: &mut Report<'_>,
) -> Option<Disposition> {
    let Some(disposition) = Disposition::from_code(code.text) else {
        let codes = Disposition::ALL.iter().map(|one| one.code());
        let hint = hint(code.text, codes);
        report.add(code.span.clone(), format!("no disposition `{}`{hint}", code.text));
        return None;
    };
    if let Some(outcome) = fixed_outcome(disposition) {
        let problem = format!("what follows `{}` is fixed: {outcome}", code.text);
        report.add(code.span.clone(), problem);
        return None;
    }
    let line = report.line_of(code.span.start);
    if let Some(first_line) = named.insert(disposition, line) {
        named.insert(disposition, first_line);
        let problem = format!("`{}` stands in line {first_line} already", code.text);
        report.add(code.span.clone(), problem);
        return None;
    }
    Some(disposition)
}

/// What follows a disposition whatever a document says.
fn fixed_outcome(disposition: Disposition) -> Option<&'static str> {
    match disposition {
        Disposition::DoNotCall => Some("the lead and its number are suppressed at once"),
        Disposition::CallbackAny | Disposition::CallbackOwn => {
            Some("the lead is called at the time that was agreed")
        }
        Disposition::Qualified | Disposition::Appointment | Disposition::Sale => {
            Some("the lead is won")
        }
        _ => None,
    }
}

fn delays(entry: &Entry<'_>, report: &mut Report<'_>) -> Vec<i64> {
    let elements = list(entry, report);
    if elements.len() > RETRY_COUNT_MAX {
        let problem = format!("`retry_in` has at most {RETRY_COUNT_MAX} delays");
        report.add(entry.span(), problem);
    }
    elements.iter().filter_map(|element| delay(element, report)).collect()
}

fn delay(element: &Entry<'_>, report: &mut Report<'_>) -> Option<i64> {
    match element.get_ref().as_str() {
        Some(name) if name.contains("daypart") => {
            let problem = "delays to a part of the day do not exist; write a duration like \
                           \"90s\", \"5m\", \"1h30m\", \"1d\" or \"2w\"";
            report.add(element.span(), problem);
            None
        }
        _ => duration_ms(element, report),
    }
}

fn route(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<AfterRoute> {
    match entry.get_ref() {
        DeValue::String(name) => match &**name {
            "lost" => Some(AfterRoute::Lost),
            "unreachable" => Some(AfterRoute::Unreachable),
            other => {
                let hint = hint(other, ROUTES);
                let problem = if hint.is_empty() {
                    THEN.to_owned()
                } else {
                    format!("no route `{other}`{hint}")
                };
                report.add(entry.span(), problem);
                None
            }
        },
        DeValue::Table(entries) => {
            let table = Table::new(entries, "`then`", entry.span(), &["nurture"], report);
            nurture(table.require("nurture", report)?, report)
        }
        other => {
            report.add(entry.span(), format!("{}; {THEN}", expected("a route", other)));
            None
        }
    }
}

fn nurture(entry: &Entry<'_>, report: &mut Report<'_>) -> Option<AfterRoute> {
    match entry.get_ref().as_str() {
        Some(UNTIL_ENGAGEMENT) => Some(AfterRoute::Nurture(None)),
        Some(other) if !hint(other, [UNTIL_ENGAGEMENT]).is_empty() => {
            let problem = format!("no `{other}`{}", hint(other, [UNTIL_ENGAGEMENT]));
            report.add(entry.span(), problem);
            None
        }
        _ => duration_ms(entry, report).map(|delay_ms| AfterRoute::Nurture(Some(delay_ms))),
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{AfterRoute, Policy};
    use crate::rules::{Mistakes, RuleSet};

    fn read(after: &str) -> Result<Policy, Vec<String>> {
        match RuleSet::compile(&format!("queue = 'q'\n{after}")) {
            Ok(rules) => Ok((**rules.policy()).clone()),
            Err(Mistakes(mistakes)) => {
                let shown = |one: &crate::rules::Mistake| {
                    format!("{}:{} {}", one.line, one.column, one.message)
                };
                Err(mistakes.iter().map(shown).collect())
            }
        }
    }

    #[test]
    fn every_route_can_be_written() {
        for (then, route) in [
            ("{ nurture = '90d' }", AfterRoute::Nurture(Some(90 * 86_400_000))),
            ("{ nurture = 'until_engagement' }", AfterRoute::Nurture(None)),
            ("'lost'", AfterRoute::Lost),
            ("'unreachable'", AfterRoute::Unreachable),
        ] {
            let policy = read(&format!("[[after]]\ndispositions = ['busy']\nthen = {then}"));
            let rule = &policy.expect(then).after[0];
            assert_eq!((rule.then, rule.attempts_max), (route, None));
            assert_eq!(rule.retry_in_ms, Vec::<i64>::new(), "closes at once");
        }
    }

    #[test]
    fn what_policy_may_not_say_is_refused_at_its_place() {
        let document = "[[after]]
dispositions = ['busy', 'no_anser', 'do_not_call', 'sale', 'callback_any']
retry_in = ['1h', 'next_daypart']
attempts_max = 1001
[[after]]
dispositions = ['busy']
then = 'lots'
[[after]]
dispositions = []
then = { nurture = 'until_engagment', for = '1d' }
then_what = 1
";
        let expected = [
            "2:1 [[after]] needs `then`",
            "3:25 no disposition `no_anser`; did you mean `no_answer`?",
            "3:37 what follows `do_not_call` is fixed: the lead and its number are suppressed at \
             once",
            "3:52 what follows `sale` is fixed: the lead is won",
            "3:60 what follows `callback_any` is fixed: the lead is called at the time that was \
             agreed",
            "4:19 delays to a part of the day do not exist; write a duration like \"90s\", \"5m\", \
             \"1h30m\", \"1d\" or \"2w\"",
            "5:16 `attempts_max` is a whole number from 1 to 1000",
            "7:17 `busy` stands in line 3 already",
            "8:8 no route `lots`; did you mean `lost`?",
            "10:16 [[after]] needs a disposition at least",
            "11:20 no `until_engagment`; did you mean `until_engagement`?",
            "11:39 `then` has no `for`; it has `nurture`",
            "12:1 [[after]] has no `then_what`; it has `dispositions`, `retry_in`, `attempts_max`, \
             `then`",
        ];
        assert_eq!(read(document), Err(expected.map(str::to_owned).to_vec()));
    }
}

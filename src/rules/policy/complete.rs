//! Whether a document says what every disposition leads to.
//!
//! Five have a fixed outcome, and a number that is wrong has the next one tried: the rest is management's
//! to decide. Documents that an older release stored may leave some out; what they meant by that is kept.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::mistake::Report;
use super::fixed_outcome;
use super::outline::toml_line;
use crate::domain::{AfterRoute, AfterRule, Delay, Disposition, Policy, Stage};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Whether a document with any rule has to have one for this disposition.
fn needs_rule(disposition: Disposition) -> bool {
    fixed_outcome(disposition).is_none() && !disposition.stops_number()
}

fn missing(named: &BTreeMap<Disposition, u32>) -> impl Iterator<Item = Disposition> {
    let all = Disposition::ALL.iter().copied();
    all.filter(|one| needs_rule(*one) && !named.contains_key(one))
}

/// Reports the dispositions without a rule: those that one rule would do for in one mistake each, with the
/// rule that is built in as the proposal.
pub(super) fn report_missing(
    named: &BTreeMap<Disposition, u32>,
    place: Range<usize>,
    report: &mut Report<'_>,
) {
    let built_in = Policy::default();
    let mut groups: Vec<AfterRule> = Vec::new();
    for disposition in missing(named) {
        let rule = built_in.built_in(disposition);
        let alike = |one: &&mut AfterRule| one.stages == rule.stages && one.then == rule.then;
        match groups.iter_mut().find(alike) {
            Some(group) => group.dispositions.push(disposition),
            None => groups.push(rule),
        }
    }
    for group in groups {
        let codes: Vec<_> = group.dispositions.iter().map(|one| one.code()).collect();
        let problem = format!(
            "nothing says what follows `{}`; name it in an [[after]], or add one: {}",
            codes.join("`, `"),
            toml_line(&group)
        );
        report.add(place.clone(), problem);
    }
}

/// Adds what a document meant by leaving dispositions out when it was stored: growing delays, eight
/// attempts and a rest of a quarter; who does not want it or does not fit is lost.
pub(super) fn fill_in(named: &BTreeMap<Disposition, u32>, policy: &mut Policy) {
    let ends =
        |one: &Disposition| matches!(one, Disposition::NotInterested | Disposition::NotQualified);
    let (ended, retried): (Vec<_>, Vec<_>) = missing(named).partition(ends);
    let delays = [HOUR_MS, 4 * HOUR_MS, DAY_MS, 2 * DAY_MS].map(Delay::For).to_vec();
    let retries = vec![Stage { retry_in: delays, ..Stage::default() }];
    let rest = AfterRoute::Nurture(Some(90 * DAY_MS));
    let filled = [(retried, retries, Some(8), rest), (ended, Vec::new(), None, AfterRoute::Lost)];
    for (dispositions, stages, attempts_max, then) in filled {
        if !dispositions.is_empty() {
            let reason = None;
            let rule =
                AfterRule { dispositions, stages, attempts_min: 0, attempts_max, then, reason };
            policy.after.push(rule);
        }
    }
}

//! What a batch changes of leases and held numbers. What is taken away goes first: a rep who goes on to
//! the next lead has one at a time, and so has a number.

use super::super::books::{Slate, Tracked};
use super::load::json;
use super::statements as sql;
use super::write::Rows;
use crate::domain::{LeadId, Lease, LeaseToken};

/// The statements, in the order in which they run.
pub(in crate::store) struct LeaseStatements {
    /// Of these some may not count: not every lead holds a number.
    pub(in crate::store) freed: Option<Rows>,
    pub(in crate::store) ended: Option<Rows>,
    pub(in crate::store) carried: Option<Rows>,
    pub(in crate::store) given: Option<Rows>,
    pub(in crate::store) held: Option<Rows>,
}

fn token_of(lease: Option<&Lease>) -> Option<LeaseToken> {
    lease.map(|lease| lease.token)
}

pub(in crate::store) fn statements(slate: &Slate, changed: &[&Tracked]) -> LeaseStatements {
    let mut ended: Vec<(LeadId, String)> = Vec::new();
    let mut carried = Vec::new();
    let mut given = Vec::new();
    let mut numbers = Vec::new();
    for tracked in changed {
        let before = tracked.before.as_ref().and_then(|row| row.lease.as_ref());
        let now = tracked.now.lease.as_ref();
        if before == now {
            continue;
        }
        if token_of(before) == token_of(now) {
            carried.extend(now.map(|lease| {
                let holder = (!lease.is_rep_free).then_some(lease.rep);
                let token = lease.token.to_text();
                let dialable = lease.dialable.as_ref().map(json);
                (lease.lead, token, holder, lease.expires_at, lease.held_until, dialable)
            }));
            continue;
        }
        ended.extend(before.map(|lease| (lease.lead, lease.token.to_text())));
        if let Some(lease) = now {
            given.push((
                lease.lead,
                lease.queue,
                lease.rep,
                (!lease.is_rep_free).then_some(lease.rep),
                lease.token.to_text(),
                lease.order.code(),
                lease.rule_version,
                lease.granted_at,
                lease.expires_at,
                lease.held_until,
                lease.renewable_until,
                lease.dialable.as_ref().map(json),
                lease.points,
            ));
            let mine = slate.held_by.get(&lease.lead).into_iter().flatten();
            numbers.extend(mine.map(|number| (number, lease.lead)));
        }
    }
    numbers.extend(slate.joined.iter().filter_map(|(number, lead)| {
        let tracked = &slate.leads[lead];
        let before = tracked.before.as_ref().and_then(|row| row.lease.as_ref());
        let is_same = token_of(before) == token_of(tracked.now.lease.as_ref());
        (is_same && slate.held.get(number) == Some(lead)).then_some((number, *lead))
    }));
    let without: Vec<LeadId> = ended.iter().map(|(lead, _)| *lead).collect();
    numbers.sort_unstable();
    LeaseStatements {
        freed: Rows::of("held_number", sql::DROP_HELD_NUMBERS, &without),
        ended: Rows::of("lease", sql::DROP_LEASES, &ended),
        carried: Rows::of("lease", sql::CHANGE_LEASES, &carried),
        given: Rows::of("lease", sql::ADD_LEASES, &given),
        held: Rows::of("held_number", sql::ADD_HELD_NUMBERS, &numbers),
    }
}

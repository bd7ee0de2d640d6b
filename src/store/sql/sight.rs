//! Reads one lead as a pull would find it, by the very statements that a pull's transaction begins with.

use std::collections::BTreeSet;

use super::super::books::{Change, Seal};
use super::super::changes::{Candidate, Caps, Grant};
use super::super::error::StoreError;
use super::super::sight::{Sight, SuppressionOfLead};
use super::connection::Connection;
use super::load::{self, json};
use super::rows::packed_leads;
use super::{erasure, statements as sql};
use crate::domain::{LeadId, LeaseToken, RepKey, ServeOrder};

pub(in crate::store) async fn sight(
    connection: &mut Connection,
    lead: LeadId,
    caps: Option<Caps>,
    now: i64,
) -> Result<Option<Sight>, StoreError> {
    let seal = erasure::seal(connection).await?;
    let grant = grant(lead, caps.clone(), now);
    let slate = load::load(connection, &[&Change::Lease(grant)], seal).await?;
    if slate.row(lead).is_none() {
        return Ok(None);
    }
    let mut sight = Sight { slate, lead, caps, suppressions: Vec::new() };
    load_holders(connection, &mut sight).await?;
    load_suppressions(connection, &mut sight).await?;
    Ok(Some(sight))
}

/// A pull of this lead by nobody.
fn grant(lead: LeadId, caps: Option<Caps>, now: i64) -> Grant {
    let candidate =
        Candidate { lead, order: ServeOrder::Ordinary, points: 0, detail: Default::default() };
    Grant {
        rep: RepKey(0),
        actor: String::new(),
        candidates: vec![candidate],
        fit: None,
        caps,
        holds_back: false,
        token: LeaseToken([0; 16]),
        lease_ms: 0,
        lease_total_ms: 0,
        grace_ms: 0,
        rule_version: 0,
        now,
        request: None,
    }
}

/// Loads the leads whose leases hold its numbers.
async fn load_holders(connection: &mut Connection, sight: &mut Sight) -> Result<(), StoreError> {
    let facts = &sight.slate.known(sight.lead).lead.facts;
    let holders = facts.numbers.iter().filter_map(|one| sight.slate.held.get(&one.number));
    let holders: BTreeSet<LeadId> = holders.filter(|by| **by != sight.lead).copied().collect();
    if holders.is_empty() {
        return Ok(());
    }
    let query = sql::LEADS_BY_ID.bind(json(&holders)).bind("[]");
    for row in packed_leads(connection, query).await? {
        sight.slate.load(row);
    }
    Ok(())
}

/// Loads where the wishes came from that bar it.
async fn load_suppressions(
    connection: &mut Connection,
    sight: &mut Sight,
) -> Result<(), StoreError> {
    let facts = sight.slate.known(sight.lead).lead.facts.clone();
    let seal = sight.slate.seal.clone();
    for (place, one) in facts.numbers.iter().enumerate() {
        if sight.slate.suppressed_numbers.contains_key(&one.number) {
            let hash = seal.as_deref().map(|seal| Seal::number(seal, &one.number));
            let values = [Some(one.number.as_str().to_owned()), hash];
            load_values(connection, sight, "number", Some(place), values).await?;
        }
    }
    let email = facts.email_folded();
    if let Some(email) = email.filter(|email| sight.slate.suppressed_emails.contains_key(email)) {
        let hash = seal.as_deref().map(|seal| Seal::email(seal, &email));
        load_values(connection, sight, "email", None, [Some(email), hash]).await?;
    }
    Ok(())
}

async fn load_values(
    connection: &mut Connection,
    sight: &mut Sight,
    kind: &str,
    number: Option<usize>,
    values: [Option<String>; 2],
) -> Result<(), StoreError> {
    for value in values.iter().flatten() {
        let query = sql::SUPPRESSION.bind(kind).bind(value.as_str());
        let Some(row) = query.maybe(connection).await? else { continue };
        let (source, at, until) = (row.string(0)?, row.integer(1)?, row.maybe_integer(2)?);
        sight.suppressions.push(SuppressionOfLead { number, source, at, until });
    }
    Ok(())
}

//! Packed rows and domain values: what comes out of the file is parsed, not trusted.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::books::{LeadRow, route_from_text, standing_from_text};
use super::super::error::StoreError;
use super::connection::{Connection, Query};
use crate::domain::{
    Cadence, Callback, CampaignKey, Disposition, Facts, Lead, LeadId, LeadState, Lease, LeaseToken,
    QueueKey, RepKey, ServeOrder, Tier,
};

/// A lead as `leads_packed.sql` gives it but for its facts, in the order of its columns.
#[derive(Deserialize)]
struct PackedLead {
    lead_id: LeadId,
    queue_key: QueueKey,
    campaign_key: CampaignKey,
    source_system: String,
    external_id: String,
    handed_over_at_ms: i64,
    first_touch_due_ms: Option<i64>,
    predecessor: Option<LeadId>,
    source: String,
    standing: String,
    tier: i64,
    seq: i64,
    changed_at_ms: i64,
    ready_since_ms: i64,
    attempts: i32,
    last_disposition: Option<String>,
    first_touched_ms: Option<i64>,
    times_released: i32,
    due_ms: Option<i64>,
    last_event: i64,
    cadence: i64,
    owner_key: Option<RepKey>,
    callback_ms: Option<i64>,
    promised_key: Option<RepKey>,
    entered_ms: Option<i64>,
    transfers: i32,
    ends_at_ms: Option<i64>,
    route_at_end: String,
    is_paused: i64,
    rep_key: Option<RepKey>,
    holder_key: Option<RepKey>,
    token: Option<String>,
    serve_order: Option<String>,
    rule_version: Option<i64>,
    granted_at_ms: Option<i64>,
    expires_at_ms: Option<i64>,
    held_until_ms: Option<i64>,
    renewable_until_ms: Option<i64>,
    dialable: Option<String>,
    points: Option<i64>,
}

/// A value that makes no sense.
pub(in crate::store) fn corrupt(
    table: &'static str,
    column: &'static str,
    value: &str,
) -> StoreError {
    StoreError::Corrupt { table, column, value: value.to_owned() }
}

/// Runs a statement that answers with one JSON text, and reads it.
pub(in crate::store) async fn packed<T: DeserializeOwned>(
    connection: &mut Connection,
    table: &'static str,
    query: Query<'_>,
) -> Result<T, StoreError> {
    let row = query.one(connection).await?;
    read(table, row.text(0)?)
}

/// Reads a JSON text.
pub(in crate::store) fn read<T: DeserializeOwned>(
    table: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|problem| unreadable(table, &problem))
}

/// The problem in words would repeat a value that may be personal.
fn unreadable(table: &'static str, problem: &serde_json::Error) -> StoreError {
    let place = format!("{:?} at {}", problem.classify(), problem.column());
    corrupt(table, "(row)", &place)
}

/// Runs a statement of `leads_packed.sql`, and reads its leads.
pub(in crate::store) async fn packed_leads(
    connection: &mut Connection,
    query: Query<'_>,
) -> Result<Vec<LeadRow>, StoreError> {
    let row = query.one(connection).await?;
    read_leads(row.text(0)?, row.text(1)?)
}

/// Reads leads, and their facts in the same order.
pub(in crate::store) fn read_leads(leads: &str, facts: &str) -> Result<Vec<LeadRow>, StoreError> {
    let leads: Vec<PackedLead> = read("lead", leads)?;
    let facts: Vec<Facts> = read("lead", facts)?;
    if leads.len() != facts.len() {
        return Err(corrupt("lead", "facts", "not one a lead"));
    }
    leads.into_iter().zip(facts).map(|(lead, facts)| lead.row(facts)).collect()
}

pub(in crate::store) fn tier_number(tier: Tier) -> i64 {
    match tier {
        Tier::Callback => 0,
        Tier::Ordinary => 1,
    }
}

fn tier(number: i64) -> Result<Tier, StoreError> {
    match number {
        0 => Ok(Tier::Callback),
        1 => Ok(Tier::Ordinary),
        other => Err(corrupt("standing", "tier", &other.to_string())),
    }
}

/// A disposition by its code.
pub(in crate::store) fn disposition(
    table: &'static str,
    column: &'static str,
    code: &str,
) -> Result<Disposition, StoreError> {
    Disposition::from_code(code).ok_or_else(|| corrupt(table, column, code))
}

/// A token as it is written.
pub(in crate::store) fn token(table: &'static str, text: &str) -> Result<LeaseToken, StoreError> {
    LeaseToken::from_text(text).ok_or_else(|| corrupt(table, "token", "(hidden)"))
}

/// The columns of a lease row; `None` if there is none.
pub(in crate::store) struct LeaseColumns {
    pub(in crate::store) lead: LeadId,
    pub(in crate::store) queue: QueueKey,
    pub(in crate::store) rep: RepKey,
    pub(in crate::store) holder: Option<RepKey>,
    pub(in crate::store) token: String,
    pub(in crate::store) order: String,
    pub(in crate::store) rule_version: i64,
    pub(in crate::store) points: i64,
    /// Granted, expires, held until, renewable until.
    pub(in crate::store) times: [i64; 4],
    pub(in crate::store) dialable: Option<String>,
}

impl LeaseColumns {
    pub(in crate::store) fn parse(self) -> Result<Lease, StoreError> {
        let order = ServeOrder::from_code(&self.order)
            .ok_or_else(|| corrupt("lease", "serve_order", &self.order))?;
        let [granted_at, expires_at, held_until, renewable_until] = self.times;
        Ok(Lease {
            lead: self.lead,
            queue: self.queue,
            rep: self.rep,
            is_rep_free: self.holder.is_none(),
            token: token("lease", &self.token)?,
            order,
            rule_version: self.rule_version,
            points: self.points,
            granted_at,
            expires_at,
            held_until,
            renewable_until,
            dialable: self.dialable.map(|text| read("lease", &text)).transpose()?,
        })
    }
}

impl PackedLead {
    fn lease(&mut self) -> Result<Option<Lease>, StoreError> {
        let (Some(rep), Some(token)) = (self.rep_key, self.token.take()) else { return Ok(None) };
        let times =
            [self.granted_at_ms, self.expires_at_ms, self.held_until_ms, self.renewable_until_ms];
        let columns = LeaseColumns {
            lead: self.lead_id,
            queue: self.queue_key,
            rep,
            holder: self.holder_key,
            token,
            order: self.serve_order.take().unwrap_or_default(),
            rule_version: self.rule_version.unwrap_or_default(),
            points: self.points.unwrap_or_default(),
            times: times.map(Option::unwrap_or_default),
            dialable: self.dialable.take(),
        };
        columns.parse().map(Some)
    }

    /// The row as a batch works with it.
    fn row(mut self, facts: Facts) -> Result<LeadRow, StoreError> {
        let lease = self.lease()?;
        let standing = standing_from_text(&self.standing)
            .ok_or_else(|| corrupt("standing", "standing", &self.standing))?;
        let last_disposition = self.last_disposition.as_deref();
        let last_disposition = last_disposition
            .map(|code| disposition("standing", "last_disposition", code))
            .transpose()?;
        let route_at_end = route_from_text(&self.route_at_end)
            .ok_or_else(|| corrupt("campaign", "route_at_end", &self.route_at_end))?;
        let state = LeadState {
            lead: self.lead_id,
            queue: self.queue_key,
            campaign: self.campaign_key,
            standing,
            tier: tier(self.tier)?,
            seq: self.seq,
            changed_at: self.changed_at_ms,
            ready_since: self.ready_since_ms,
            handed_over_at: self.handed_over_at_ms,
            attempts: self.attempts,
            cadence: Cadence::unpack(self.cadence)
                .ok_or_else(|| corrupt("standing", "cadence", &self.cadence.to_string()))?,
            last_disposition,
            first_touch_due_at: self.first_touch_due_ms,
            first_touched_at: self.first_touched_ms,
            times_released: self.times_released,
            callback: self.callback_ms.map(|at| Callback { at, to: self.promised_key }),
            owner: self.owner_key,
            entered_at: self.entered_ms,
            transfers: self.transfers,
        };
        let lead = Lead {
            id: self.lead_id,
            queue: self.queue_key,
            campaign: self.campaign_key,
            source_system: self.source_system,
            external_id: self.external_id,
            handed_over_at: self.handed_over_at_ms,
            predecessor: self.predecessor,
            facts,
        };
        Ok(LeadRow {
            lead: Arc::new(lead),
            is_parked: standing.due_at().is_some() && self.due_ms.is_none(),
            state,
            lease,
            last_event: self.last_event,
            source: self.source.into(),
            is_paused: self.is_paused == 1,
            campaign_end: self.ends_at_ms.map(|ends_at| (ends_at, route_at_end)),
        })
    }
}

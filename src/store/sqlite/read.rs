//! Reads, on connections of their own. Each sees every commit that was answered.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use super::super::books::{LeadRow, StoredAnswer, hex, standing_from_text};
use super::super::changes::{LeadRecord, Pass, RequestKey};
use super::super::error::{Denied, StoreError};
use super::load::{json, limit_of};
use super::open::failure;
use super::rows::{LeaseColumns, corrupt, disposition, packed_leads, token};
use super::{erasure, roster, sql};
use crate::domain::{
    Channel, Direction, Event, EventKind, HandoverKey, LeadId, Lease, LeaseToken, Number, QueueKey,
    RecordedTouch, RepKey, RuleVersion, Standing, Touch, TouchId,
};

/// A lead as it is answered.
pub(super) fn record(row: LeadRow) -> LeadRecord {
    LeadRecord { lead: row.lead, state: row.state, lease: row.lease }
}

pub(super) async fn leads(
    connection: &mut SqliteConnection,
    leads: &[LeadId],
) -> Result<Vec<LeadRecord>, StoreError> {
    let query = sqlx::query(sql::LEADS_BY_ID).bind(json(&leads)).bind("[]");
    Ok(packed_leads(connection, query).await?.into_iter().map(record).collect())
}

pub(super) async fn open_leads(
    connection: &mut SqliteConnection,
    queue: QueueKey,
    after: LeadId,
    limit: usize,
) -> Result<Vec<LeadRecord>, StoreError> {
    let query = sqlx::query(sql::LEADS_OPEN);
    let query = query.bind(queue.0).bind(after.0).bind(limit_of(limit));
    let rows = packed_leads(connection, query).await?;
    let mut records: Vec<LeadRecord> = rows.into_iter().map(record).collect();
    records.sort_unstable_by_key(|record| record.lead.id);
    Ok(records)
}

pub(super) async fn lead_by_key(
    connection: &mut SqliteConnection,
    key: &HandoverKey,
) -> Result<Option<LeadId>, StoreError> {
    let query = sqlx::query_scalar(sql::LEAD_BY_KEY)
        .bind(&key.source_system)
        .bind(&key.external_id)
        .bind(key.campaign.as_str());
    let lead: Option<i64> = query.fetch_optional(&mut *connection).await.map_err(failure)?;
    if let Some(lead) = lead {
        return Ok(Some(LeadId(lead)));
    }
    let Some(seal) = erasure::seal(connection).await? else { return Ok(None) };
    let query = sqlx::query_scalar(sql::LEAD_BY_SEALED_KEY)
        .bind(seal.handover(&key.source_system, &key.external_id))
        .bind(key.campaign.as_str());
    let lead: Option<i64> = query.fetch_optional(connection).await.map_err(failure)?;
    Ok(lead.map(LeadId))
}

pub(super) async fn last_instant(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar(sql::LAST_INSTANT).fetch_one(connection).await.map_err(failure)
}

pub(super) async fn middle_lead(connection: &mut SqliteConnection) -> Result<LeadId, StoreError> {
    let lead = sqlx::query_scalar(sql::MIDDLE_LEAD).fetch_one(connection).await;
    lead.map(LeadId).map_err(failure)
}

pub(super) async fn lease_of(
    connection: &mut SqliteConnection,
    rep: RepKey,
) -> Result<Option<Lease>, StoreError> {
    let query = sqlx::query(sql::LEASE_OF).bind(rep.0);
    let Some(row) = query.fetch_optional(connection).await.map_err(failure)? else {
        return Ok(None);
    };
    let columns = || -> Result<LeaseColumns, sqlx::Error> {
        Ok(LeaseColumns {
            lead: LeadId(row.try_get(0)?),
            queue: QueueKey(row.try_get(1)?),
            rep: RepKey(row.try_get(2)?),
            holder: row.try_get::<Option<i64>, _>(3)?.map(RepKey),
            token: row.try_get(4)?,
            order: row.try_get(5)?,
            rule_version: row.try_get(6)?,
            times: [row.try_get(7)?, row.try_get(8)?, row.try_get(9)?, row.try_get(10)?],
        })
    };
    columns().map_err(failure)?.parse().map(Some)
}

pub(super) async fn pulled_before(
    connection: &mut SqliteConnection,
    request: &RequestKey,
) -> Result<Option<(LeadId, LeaseToken)>, StoreError> {
    let query = sqlx::query_as(sql::REQUEST).bind(&request.caller).bind(request.id.as_str());
    let row: Option<(String, String)> = query.fetch_optional(connection).await.map_err(failure)?;
    let Some((hash, answer)) = row else { return Ok(None) };
    match serde_json::from_str(&answer) {
        Ok(StoredAnswer::Lease { lead, token: text }) if hash == hex(&request.body_hash) => {
            Ok(Some((lead, token("request", &text)?)))
        }
        Ok(_) => Err(Denied::RequestReused.into()),
        Err(_) => Err(corrupt("request", "answer", &answer)),
    }
}

pub(super) async fn touches(
    connection: &mut SqliteConnection,
    lead: LeadId,
    limit: usize,
) -> Result<Vec<RecordedTouch>, StoreError> {
    let query = sqlx::query(sql::TOUCHES).bind(lead.0).bind(limit_of(limit));
    let rows = query.fetch_all(connection).await.map_err(failure)?;
    rows.iter().map(touch).collect()
}

/// The first columns of `touches.sql` and `touches_between.sql`.
pub(super) fn touch(row: &sqlx::sqlite::SqliteRow) -> Result<RecordedTouch, StoreError> {
    let text = |place: usize| row.try_get::<String, _>(place).map_err(failure);
    let maybe = |place: usize| row.try_get::<Option<String>, _>(place).map_err(failure);
    let number = |place: usize| row.try_get::<i64, _>(place).map_err(failure);
    let perhaps = |place: usize| row.try_get::<Option<i64>, _>(place).map_err(failure);
    let bad = |column: &'static str, value: &str| corrupt("touch", column, value);
    let (id, channel, direction) = (text(0)?, text(4)?, text(5)?);
    let dialled = match maybe(6)? {
        Some(text) => Some(Number::from_e164(&text).ok_or_else(|| bad("number", "(hidden)"))?),
        None => None,
    };
    let touch = Touch {
        id: TouchId::new(&id).map_err(|_| bad("touch_id", &id))?,
        lead: LeadId(number(1)?),
        rep: perhaps(2)?.map(RepKey),
        lease: maybe(3)?.map(|text| token("touch", &text)).transpose()?,
        channel: Channel::from_code(&channel).ok_or_else(|| bad("channel", &channel))?,
        direction: Direction::from_code(&direction).ok_or_else(|| bad("direction", &direction))?,
        number: dialled,
        started_at: number(7)?,
        ended_at: number(8)?,
        disposition: disposition("touch", "disposition", &text(9)?)?,
        callback_at: perhaps(10)?,
        notes: text(11)?,
    };
    Ok(RecordedTouch { touch, late: number(12)? == 1, recorded_at: number(13)? })
}

pub(super) async fn ledger(
    connection: &mut SqliteConnection,
    lead: LeadId,
    after_seq: i64,
    limit: usize,
) -> Result<Vec<Event>, StoreError> {
    type Row = (i64, i64, String, String, Option<String>, String, Option<i64>, Option<String>);
    let query = sqlx::query_as(sql::LEDGER).bind(lead.0).bind(after_seq).bind(limit_of(limit));
    let rows: Vec<Row> = query.fetch_all(connection).await.map_err(failure)?;
    let parse = |(seq, at, kind, actor, from, to, rule_version, detail): Row| {
        let detail: Option<BTreeMap<String, String>> = detail
            .map(|text| serde_json::from_str(&text).map_err(|_| corrupt("ledger", "detail", &text)))
            .transpose()?;
        Ok(Event {
            lead,
            seq,
            at,
            kind: EventKind::from_code(&kind).ok_or_else(|| corrupt("ledger", "kind", &kind))?,
            actor,
            from: from.as_deref().map(standing).transpose()?,
            to: standing(&to)?,
            rule_version,
            detail: detail.unwrap_or_default(),
        })
    };
    rows.into_iter().map(parse).collect()
}

/// A standing of the ledger.
pub(super) fn standing(text: &str) -> Result<Standing, StoreError> {
    standing_from_text(text).ok_or_else(|| corrupt("ledger", "standing", text))
}

pub(super) async fn passes(
    connection: &mut SqliteConnection,
    now: i64,
) -> Result<Vec<Pass>, StoreError> {
    let query = sqlx::query_as(sql::PASSES).bind(now);
    let rows: Vec<(i64, i64, i64)> = query.fetch_all(connection).await.map_err(failure)?;
    let pass = |(rep, lead, until)| Pass { rep: RepKey(rep), lead: LeadId(lead), until };
    Ok(rows.into_iter().map(pass).collect())
}

/// The last version that was accepted: the one that decides, or will as soon as it is ranked.
pub(super) async fn latest_rules(
    connection: &mut SqliteConnection,
    queue: QueueKey,
) -> Result<Option<RuleVersion>, StoreError> {
    Ok(roster::versions(connection, queue, i64::MAX, 1).await?.into_iter().next())
}

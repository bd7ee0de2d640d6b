//! Reads, on connections of their own. Each sees every commit that was answered.

use std::collections::{BTreeMap, BTreeSet};

use super::super::books::{LeadRow, StoredAnswer, hex, standing_from_text};
use super::super::changes::{LeadRecord, Pass, RequestKey};
use super::super::error::{Denied, StoreError};
use super::super::reports::RecentMark;
use super::connection::{Connection, Row};
use super::load::{json, limit_of};
use super::rows::{LeaseColumns, corrupt, disposition, packed_leads, token};
use super::statements as sql;
use super::{erasure, roster};
use crate::domain::{
    Channel, Direction, Engagement, EngagementId, Event, EventKind, HandoverKey, LeadId, Lease,
    LeaseToken, Number, QueueKey, RecordedEngagement, RecordedTouch, RepKey, RuleVersion, Standing,
    Touch, TouchId,
};

/// A lead as it is answered.
pub(in crate::store) fn record(row: LeadRow) -> LeadRecord {
    LeadRecord { lead: row.lead, state: row.state, lease: row.lease, left: None }
}

pub(in crate::store) async fn leads(
    connection: &mut Connection,
    leads: &[LeadId],
) -> Result<Vec<LeadRecord>, StoreError> {
    let query = sql::LEADS_BY_ID.bind(json(&leads)).bind("[]");
    Ok(packed_leads(connection, query).await?.into_iter().map(record).collect())
}

pub(in crate::store) async fn open_leads(
    connection: &mut Connection,
    queue: QueueKey,
    after: LeadId,
    limit: usize,
) -> Result<Vec<LeadRecord>, StoreError> {
    let query = sql::LEADS_OPEN.query();
    let query = query.bind(queue.0).bind(after.0).bind(limit_of(limit));
    let rows = packed_leads(connection, query).await?;
    let mut records: Vec<LeadRecord> = rows.into_iter().map(record).collect();
    records.sort_unstable_by_key(|record| record.lead.id);
    Ok(records)
}

pub(in crate::store) async fn lead_by_key(
    connection: &mut Connection,
    key: &HandoverKey,
) -> Result<Option<LeadId>, StoreError> {
    let query = sql::LEAD_BY_KEY
        .bind(&key.source_system)
        .bind(&key.external_id)
        .bind(key.campaign.as_str());
    if let Some(row) = query.maybe(connection).await? {
        return row.integer(0).map(LeadId).map(Some);
    }
    let Some(seal) = erasure::seal(connection).await? else { return Ok(None) };
    let query = sql::LEAD_BY_SEALED_KEY
        .bind(seal.handover(&key.source_system, &key.external_id))
        .bind(key.campaign.as_str());
    let row = query.maybe(connection).await?;
    row.map(|row| row.integer(0).map(LeadId)).transpose()
}

pub(in crate::store) async fn last_instant(connection: &mut Connection) -> Result<i64, StoreError> {
    sql::LAST_INSTANT.query().one(connection).await?.integer(0)
}

pub(in crate::store) async fn middle_lead(
    connection: &mut Connection,
) -> Result<LeadId, StoreError> {
    sql::MIDDLE_LEAD.query().one(connection).await?.integer(0).map(LeadId)
}

pub(in crate::store) async fn lease_of(
    connection: &mut Connection,
    rep: RepKey,
) -> Result<Option<Lease>, StoreError> {
    let query = sql::LEASE_OF.bind(rep.0);
    let Some(row) = query.maybe(connection).await? else {
        return Ok(None);
    };
    let columns = LeaseColumns {
        lead: LeadId(row.integer(0)?),
        queue: QueueKey(row.integer(1)?),
        rep: RepKey(row.integer(2)?),
        holder: row.maybe_integer(3)?.map(RepKey),
        token: row.string(4)?,
        order: row.string(5)?,
        rule_version: row.integer(6)?,
        times: [row.integer(7)?, row.integer(8)?, row.integer(9)?, row.integer(10)?],
        dialable: row.maybe_string(11)?,
        points: row.integer(12)?,
    };
    columns.parse().map(Some)
}

pub(in crate::store) async fn pulled_before(
    connection: &mut Connection,
    request: &RequestKey,
) -> Result<Option<(LeadId, LeaseToken)>, StoreError> {
    let query = sql::REQUEST.bind(&request.caller).bind(request.id.as_str());
    let Some(row) = query.maybe(connection).await? else { return Ok(None) };
    let (hash, answer) = (row.text(0)?, row.text(1)?);
    match serde_json::from_str(answer) {
        Ok(StoredAnswer::Lease { lead, token: text }) if hash == hex(&request.body_hash) => {
            Ok(Some((lead, token("request", &text)?)))
        }
        Ok(_) => Err(Denied::RequestReused.into()),
        Err(_) => Err(corrupt("request", "answer", answer)),
    }
}

pub(in crate::store) async fn touches(
    connection: &mut Connection,
    lead: LeadId,
    limit: usize,
) -> Result<Vec<RecordedTouch>, StoreError> {
    let query = sql::TOUCHES.bind(lead.0).bind(limit_of(limit));
    let rows = query.all(connection).await?;
    rows.iter().map(touch).collect()
}

/// The first columns of `touches.sql` and `touches_between.sql`.
pub(in crate::store) fn touch(row: &Row) -> Result<RecordedTouch, StoreError> {
    let text = |place: usize| row.string(place);
    let maybe = |place: usize| row.maybe_string(place);
    let number = |place: usize| row.integer(place);
    let perhaps = |place: usize| row.maybe_integer(place);
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

pub(in crate::store) async fn engagements(
    connection: &mut Connection,
    lead: LeadId,
    limit: usize,
) -> Result<Vec<RecordedEngagement>, StoreError> {
    let query = sql::ENGAGEMENTS.bind(lead.0).bind(limit_of(limit));
    let parse = |row: &Row| {
        let bad = |_| corrupt("engagement", "engagement_id", "(hidden)");
        let engagement = Engagement {
            source_system: row.string(0)?,
            id: EngagementId::new(row.text(1)?).map_err(bad)?,
            lead: LeadId(row.integer(2)?),
            kind: row.string(3)?,
            engaged_at: row.integer(4)?,
            wakes: row.integer(5)? == 1,
        };
        let (woke, recorded_at) = (row.integer(6)? == 1, row.integer(7)?);
        Ok(RecordedEngagement { engagement, woke, recorded_at })
    };
    query.all(connection).await?.iter().map(parse).collect()
}

pub(in crate::store) async fn ledger(
    connection: &mut Connection,
    lead: LeadId,
    after_seq: i64,
    limit: usize,
) -> Result<Vec<Event>, StoreError> {
    let query = sql::LEDGER.bind(lead.0).bind(after_seq).bind(limit_of(limit));
    let parse = |row: &Row| {
        let (kind, from) = (row.text(2)?, row.maybe_string(4)?);
        let detail: Option<BTreeMap<String, String>> = row
            .maybe_string(7)?
            .map(|text| serde_json::from_str(&text).map_err(|_| corrupt("ledger", "detail", &text)))
            .transpose()?;
        Ok(Event {
            lead,
            seq: row.integer(0)?,
            at: row.integer(1)?,
            kind: EventKind::from_code(kind).ok_or_else(|| corrupt("ledger", "kind", kind))?,
            actor: row.string(3)?,
            from: from.as_deref().map(standing).transpose()?,
            to: standing(row.text(5)?)?,
            rule_version: row.maybe_integer(6)?,
            detail: detail.unwrap_or_default(),
        })
    };
    query.all(connection).await?.iter().map(parse).collect()
}

/// A standing of the ledger.
pub(in crate::store) fn standing(text: &str) -> Result<Standing, StoreError> {
    standing_from_text(text).ok_or_else(|| corrupt("ledger", "standing", text))
}

pub(in crate::store) async fn passes(
    connection: &mut Connection,
    now: i64,
) -> Result<Vec<Pass>, StoreError> {
    let query = sql::PASSES.bind(now);
    let pass = |row: &Row| {
        let (rep, lead) = (RepKey(row.integer(0)?), LeadId(row.integer(1)?));
        Ok(Pass { rep, lead, until: row.integer(2)? })
    };
    query.all(connection).await?.iter().map(pass).collect()
}

/// The leads that changed of late, each once, and how far they go.
pub(in crate::store) async fn recent_leads(
    connection: &mut Connection,
    after: &RecentMark,
    limit: usize,
) -> Result<(Vec<LeadId>, RecentMark), StoreError> {
    let query = sql::RECENT_LEADS.bind(after.lead.0).bind(after.touch).bind(after.pass_until);
    let (mut leads, mut mark) = (BTreeSet::new(), after.clone());
    for row in query.bind(limit_of(limit)).all(connection).await? {
        let (kind, place) = (row.integer(0)?, row.integer(1)?);
        match kind {
            0 => mark.lead = mark.lead.max(LeadId(place)),
            1 => mark.touch = mark.touch.max(place),
            _ => mark.pass_until = mark.pass_until.max(place),
        }
        leads.insert(LeadId(row.integer(2)?));
    }
    Ok((leads.into_iter().collect(), mark))
}

/// The nodes that use the database now.
pub(in crate::store) async fn nodes(
    connection: &mut Connection,
) -> Result<BTreeSet<i64>, StoreError> {
    if !connection.is_remote() {
        return Ok(BTreeSet::new());
    }
    let rows = sql::NODES.query().all(connection).await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// The last version that was accepted: the one that decides, or will as soon as it is ranked.
pub(in crate::store) async fn latest_rules(
    connection: &mut Connection,
    queue: QueueKey,
) -> Result<Option<RuleVersion>, StoreError> {
    Ok(roster::versions(connection, queue, i64::MAX, 1).await?.into_iter().next())
}

//! Exports, a page at a time: what lies between two keys and passes a filter. A page holds a
//! connection only while it is read, so an export that nobody reads on costs nothing.

use sqlx::{Row, SqliteConnection};

use super::super::changes::LeadRecord;
use super::super::error::StoreError;
use super::super::reports::{ExportFilter, TouchOfLead};
use super::load::limit_of;
use super::open::failure;
use super::read::{record, touch};
use super::rows::packed_leads;
use super::sql;
use crate::domain::{CampaignKey, LeadId, QueueKey};

pub(super) async fn leads(
    connection: &mut SqliteConnection,
    filter: &ExportFilter,
    after: LeadId,
    through: LeadId,
) -> Result<Vec<LeadRecord>, StoreError> {
    let query = sqlx::query(sql::LEADS_BETWEEN)
        .bind(after.0)
        .bind(through.0)
        .bind(filter.queue.map(|queue| queue.0))
        .bind(filter.campaign.map(|campaign| campaign.0))
        .bind(filter.since);
    let rows = packed_leads(connection, query).await?;
    let mut records: Vec<LeadRecord> = rows.into_iter().map(record).collect();
    records.sort_unstable_by_key(|record| record.lead.id);
    Ok(records)
}

pub(super) async fn last_lead(connection: &mut SqliteConnection) -> Result<LeadId, StoreError> {
    let lead = sqlx::query_scalar(sql::LAST_LEAD).fetch_one(connection).await;
    lead.map(LeadId).map_err(failure)
}

pub(super) async fn lead_page_end(
    connection: &mut SqliteConnection,
    after: LeadId,
    count: usize,
) -> Result<LeadId, StoreError> {
    let query = sqlx::query_scalar(sql::LEAD_PAGE_END).bind(after.0).bind(limit_of(count));
    query.fetch_one(connection).await.map(LeadId).map_err(failure)
}

pub(super) async fn last_touch(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar(sql::LAST_TOUCH).fetch_one(connection).await.map_err(failure)
}

pub(super) async fn touches(
    connection: &mut SqliteConnection,
    filter: &ExportFilter,
    after: i64,
    through: i64,
) -> Result<Vec<TouchOfLead>, StoreError> {
    let query = sqlx::query(sql::TOUCHES_BETWEEN)
        .bind(after)
        .bind(through)
        .bind(filter.queue.map(|queue| queue.0))
        .bind(filter.campaign.map(|campaign| campaign.0))
        .bind(filter.since);
    let rows = query.fetch_all(connection).await.map_err(failure)?;
    let of_lead = |row: &sqlx::sqlite::SqliteRow| {
        Ok(TouchOfLead {
            recorded: touch(row)?,
            queue: QueueKey(row.try_get(14).map_err(failure)?),
            campaign: CampaignKey(row.try_get(15).map_err(failure)?),
            source_system: row.try_get(16).map_err(failure)?,
            external_id: row.try_get(17).map_err(failure)?,
        })
    };
    rows.iter().map(of_lead).collect()
}

//! Exports, a page at a time: what lies between two keys and passes a filter. A page holds a
//! connection only while it is read, so an export that nobody reads on costs nothing.

use super::super::changes::LeadRecord;
use super::super::error::StoreError;
use super::super::reports::{ExportFilter, TouchOfLead};
use super::connection::{Connection, Row};
use super::load::limit_of;
use super::read::{record, touch};
use super::rows::packed_leads;
use super::statements as sql;
use crate::domain::{CampaignKey, LeadId, QueueKey};

pub(in crate::store) async fn leads(
    connection: &mut Connection,
    filter: &ExportFilter,
    after: LeadId,
    through: LeadId,
) -> Result<Vec<LeadRecord>, StoreError> {
    let query = sql::LEADS_BETWEEN
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

pub(in crate::store) async fn last_lead(connection: &mut Connection) -> Result<LeadId, StoreError> {
    sql::LAST_LEAD.query().one(connection).await?.integer(0).map(LeadId)
}

pub(in crate::store) async fn lead_page_end(
    connection: &mut Connection,
    after: LeadId,
    count: usize,
) -> Result<LeadId, StoreError> {
    let query = sql::LEAD_PAGE_END.bind(after.0).bind(limit_of(count));
    query.one(connection).await?.integer(0).map(LeadId)
}

pub(in crate::store) async fn last_touch(connection: &mut Connection) -> Result<i64, StoreError> {
    sql::LAST_TOUCH.query().one(connection).await?.integer(0)
}

pub(in crate::store) async fn touches(
    connection: &mut Connection,
    filter: &ExportFilter,
    after: i64,
    through: i64,
) -> Result<Vec<TouchOfLead>, StoreError> {
    let query = sql::TOUCHES_BETWEEN
        .bind(after)
        .bind(through)
        .bind(filter.queue.map(|queue| queue.0))
        .bind(filter.campaign.map(|campaign| campaign.0))
        .bind(filter.since);
    let rows = query.all(connection).await?;
    let of_lead = |row: &Row| {
        Ok(TouchOfLead {
            recorded: touch(row)?,
            queue: QueueKey(row.integer(14)?),
            campaign: CampaignKey(row.integer(15)?),
            source_system: row.string(16)?,
            external_id: row.string(17)?,
        })
    };
    rows.iter().map(of_lead).collect()
}

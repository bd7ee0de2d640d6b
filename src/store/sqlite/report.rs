//! Reports: the books, and who was never contacted.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::super::error::StoreError;
use super::super::reports::{
    Book, BookFilter, Suppression, SuppressionKind, SuppressionPage, Uncontacted, UncontactedPage,
};
use super::load::{json, limit_of};
use super::open::failure;
use super::rows::packed_leads;
use super::sql;
use crate::domain::{CampaignKey, LeadId, QueueKey};

pub(super) async fn books(
    connection: &mut SqliteConnection,
    filter: &BookFilter,
    now: i64,
) -> Result<Vec<Book>, StoreError> {
    let queue = filter.queue.map(|queue| queue.0);
    let campaign = filter.campaign.map(|campaign| campaign.0);
    let query = sqlx::query(sql::BOOKS).bind(queue).bind(campaign);
    let rows = query.fetch_all(&mut *connection).await.map_err(failure)?;
    let books: Result<Vec<Book>, sqlx::Error> = rows.iter().map(book).collect();
    let mut books = books.map_err(failure)?;
    let query = sqlx::query_as(sql::OVERDUE).bind(now).bind(queue).bind(campaign);
    let rows: Vec<(i64, i64, String, i64)> = query.fetch_all(connection).await.map_err(failure)?;
    let overdue: HashMap<(i64, i64, String), i64> = rows
        .into_iter()
        .map(|(queue, campaign, source, count)| ((queue, campaign, source), count))
        .collect();
    for book in &mut books {
        let key = (book.queue.0, book.campaign.0, book.source.clone());
        book.overdue = overdue.get(&key).copied().unwrap_or(0);
    }
    Ok(books)
}

/// A row of `books.sql`.
pub(super) fn book(row: &sqlx::sqlite::SqliteRow) -> Result<Book, sqlx::Error> {
    Ok(Book {
        queue: QueueKey(row.try_get(0)?),
        campaign: CampaignKey(row.try_get(1)?),
        source: row.try_get(2)?,
        handed_over: row.try_get(3)?,
        ready: row.try_get(4)?,
        waiting: row.try_get(5)?,
        leased: row.try_get(6)?,
        closed: [
            row.try_get(7)?,
            row.try_get(8)?,
            row.try_get(9)?,
            row.try_get(10)?,
            row.try_get(11)?,
            row.try_get(12)?,
        ],
        merged: row.try_get(13)?,
        touched: row.try_get(14)?,
        touched_in_time: row.try_get(15)?,
        first_touch_ms_sum: row.try_get(16)?,
        touches: row.try_get(17)?,
        erased: row.try_get(18)?,
        overdue: 0,
    })
}

pub(super) async fn uncontacted(
    connection: &mut SqliteConnection,
    page: &UncontactedPage,
) -> Result<Vec<Uncontacted>, StoreError> {
    let (after_ms, after_lead) = page.after.unwrap_or((i64::MIN, LeadId(0)));
    let mut places: Vec<(i64, LeadId)> = Vec::new();
    let closed_too = page.with_closed.then_some(sql::NEVER_CONTACTED);
    for statement in std::iter::once(sql::UNCONTACTED).chain(closed_too) {
        let query = sqlx::query_as(statement)
            .bind(page.queue.map(|queue| queue.0))
            .bind(page.campaign.map(|campaign| campaign.0))
            .bind(after_ms)
            .bind(after_lead.0)
            .bind(limit_of(page.limit));
        let rows: Vec<(i64, i64)> = query.fetch_all(&mut *connection).await.map_err(failure)?;
        places.extend(rows.into_iter().map(|(at, lead)| (at, LeadId(lead))));
    }
    places.sort_unstable();
    places.truncate(page.limit);
    let leads: Vec<LeadId> = places.iter().map(|(_, lead)| *lead).collect();
    let query = sqlx::query(sql::LEADS_BY_ID).bind(json(&leads)).bind("[]");
    let rows = packed_leads(connection, query).await?;
    let mut found: HashMap<_, _> = rows.into_iter().map(|row| (row.lead.id, row)).collect();
    let rows = leads.iter().filter_map(|lead| found.remove(lead)).map(|row| Uncontacted {
        state: row.state,
        source_system: row.lead.source_system.clone(),
        external_id: row.lead.external_id.clone(),
    });
    Ok(rows.collect())
}

pub(super) async fn suppressions(
    connection: &mut SqliteConnection,
    page: &SuppressionPage,
) -> Result<Vec<Suppression>, StoreError> {
    let mut found = Vec::new();
    for kind in [SuppressionKind::Email, SuppressionKind::Number] {
        let after = page.after.as_ref().filter(|(after, _)| *after == kind);
        let is_over = page.after.as_ref().is_some_and(|(after, _)| *after > kind);
        if is_over || page.kind.is_some_and(|wanted| wanted != kind) || found.len() >= page.limit {
            continue;
        }
        let query = sqlx::query_as(sql::SUPPRESSIONS)
            .bind(kind.code())
            .bind(after.map_or("", |(_, value)| value.as_str()))
            .bind(limit_of(page.limit - found.len()));
        let rows: Vec<(String, bool, String, String, i64)> =
            query.fetch_all(&mut *connection).await.map_err(failure)?;
        found.extend(rows.into_iter().map(|(value, is_hashed, source, actor, at)| Suppression {
            kind,
            value,
            is_hashed,
            source,
            actor,
            at,
        }));
    }
    Ok(found)
}

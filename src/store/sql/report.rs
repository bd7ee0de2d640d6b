//! Reports: the books, and who was never contacted.

use std::collections::HashMap;

use super::super::error::StoreError;
use super::super::outcomes::OutcomeTotal;
use super::super::reports::{
    Book, BookFilter, ServeCount, ServePeriod, Suppression, SuppressionKind, SuppressionPage,
    Uncontacted, UncontactedPage,
};
use super::connection::{Connection, Query, Row};
use super::load::{json, limit_of};
use super::rows::{corrupt, packed_leads};
use super::statements as sql;
use crate::domain::{CampaignKey, LeadId, OutcomeResult, QueueKey, RepKey, ServeTally, ValueBand};

pub(in crate::store) async fn books(
    connection: &mut Connection,
    filter: &BookFilter,
    now: i64,
) -> Result<Vec<Book>, StoreError> {
    let queue = filter.queue.map(|queue| queue.0);
    let campaign = filter.campaign.map(|campaign| campaign.0);
    let query = sql::BOOKS.bind(queue).bind(campaign);
    let rows = query.all(connection).await?;
    let mut books = rows.iter().map(book).collect::<Result<Vec<Book>, StoreError>>()?;
    let query = sql::OVERDUE.bind(now).bind(queue).bind(campaign);
    let mut overdue: HashMap<(i64, i64, String), i64> = HashMap::new();
    for row in query.all(connection).await? {
        let key = (row.integer(0)?, row.integer(1)?, row.string(2)?);
        overdue.insert(key, row.integer(3)?);
    }
    let query = sql::BOOK_OUTCOMES.bind(queue).bind(campaign);
    let mut outcomes = outcomes(connection, query).await?;
    for book in &mut books {
        let key = (book.queue.0, book.campaign.0, book.source.clone());
        book.overdue = overdue.get(&key).copied().unwrap_or(0);
        book.outcomes = outcomes.remove(&key).unwrap_or_default();
    }
    Ok(books)
}

/// What became of leads, by queue, campaign and source.
pub(in crate::store) type OutcomesByBook = HashMap<(i64, i64, String), Vec<OutcomeTotal>>;

/// Reads rows of `book_outcomes.sql`.
pub(in crate::store) async fn outcomes(
    connection: &mut Connection,
    query: Query<'_>,
) -> Result<OutcomesByBook, StoreError> {
    let mut outcomes = OutcomesByBook::new();
    for row in query.all(connection).await? {
        let key = (row.integer(0)?, row.integer(1)?, row.string(2)?);
        let result = row.text(3)?;
        let total = OutcomeTotal {
            result: OutcomeResult::from_code(result)
                .ok_or_else(|| corrupt("book_outcome", "result", result))?,
            currency: row.string(4)?,
            count: row.integer(5)?,
            amount_minor: row.integer(6)?,
        };
        outcomes.entry(key).or_default().push(total);
    }
    Ok(outcomes)
}

/// A row of `books.sql`.
pub(in crate::store) fn book(row: &Row) -> Result<Book, StoreError> {
    Ok(Book {
        queue: QueueKey(row.integer(0)?),
        campaign: CampaignKey(row.integer(1)?),
        source: row.string(2)?,
        handed_over: row.integer(3)?,
        ready: row.integer(4)?,
        waiting: row.integer(5)?,
        leased: row.integer(6)?,
        closed: [
            row.integer(7)?,
            row.integer(8)?,
            row.integer(9)?,
            row.integer(10)?,
            row.integer(11)?,
            row.integer(12)?,
        ],
        merged: row.integer(13)?,
        touched: row.integer(14)?,
        touched_in_time: row.integer(15)?,
        first_touch_ms_sum: row.integer(16)?,
        touches: row.integer(17)?,
        erased: row.integer(18)?,
        transferred_in: row.integer(19)?,
        transferred_out: row.integer(20)?,
        overdue: 0,
        outcomes: Vec::new(),
    })
}

pub(in crate::store) async fn serve_counts(
    connection: &mut Connection,
    period: &ServePeriod,
) -> Result<Vec<ServeCount>, StoreError> {
    let query =
        sql::SERVE_COUNTS.bind(period.queue.0).bind(period.from_hour).bind(period.until_hour);
    query.all(connection).await?.iter().map(serve_count).collect()
}

fn serve_count(row: &Row) -> Result<ServeCount, StoreError> {
    let bad = |column, value: &str| corrupt("serve_count", column, value);
    let (band, tally) = (row.integer(1)?.to_string(), row.text(2)?);
    Ok(ServeCount {
        rep: RepKey(row.integer(0)?),
        band: ValueBand::from_code(&band).ok_or_else(|| bad("band", &band))?,
        tally: ServeTally::from_code(tally).ok_or_else(|| bad("tally", tally))?,
        count: row.integer(3)?,
    })
}

pub(in crate::store) async fn uncontacted(
    connection: &mut Connection,
    page: &UncontactedPage,
) -> Result<Vec<Uncontacted>, StoreError> {
    let (after_ms, after_lead) = page.after.unwrap_or((i64::MIN, LeadId(0)));
    let mut places: Vec<(i64, LeadId)> = Vec::new();
    let closed_too = page.with_closed.then_some(sql::NEVER_CONTACTED);
    for statement in std::iter::once(sql::UNCONTACTED).chain(closed_too) {
        let query = statement
            .bind(page.queue.map(|queue| queue.0))
            .bind(page.campaign.map(|campaign| campaign.0))
            .bind(after_ms)
            .bind(after_lead.0)
            .bind(limit_of(page.limit));
        for row in query.all(connection).await? {
            places.push((row.integer(0)?, LeadId(row.integer(1)?)));
        }
    }
    places.sort_unstable();
    places.truncate(page.limit);
    let leads: Vec<LeadId> = places.iter().map(|(_, lead)| *lead).collect();
    let query = sql::LEADS_BY_ID.bind(json(&leads)).bind("[]");
    let rows = packed_leads(connection, query).await?;
    let mut found: HashMap<_, _> = rows.into_iter().map(|row| (row.lead.id, row)).collect();
    let rows = leads.iter().filter_map(|lead| found.remove(lead)).map(|row| Uncontacted {
        state: row.state,
        source_system: row.lead.source_system.clone(),
        external_id: row.lead.external_id.clone(),
    });
    Ok(rows.collect())
}

pub(in crate::store) async fn suppressions(
    connection: &mut Connection,
    page: &SuppressionPage,
) -> Result<Vec<Suppression>, StoreError> {
    let mut found = Vec::new();
    for kind in [SuppressionKind::Email, SuppressionKind::Number] {
        let after = page.after.as_ref().filter(|(after, _)| *after == kind);
        let is_over = page.after.as_ref().is_some_and(|(after, _)| *after > kind);
        if is_over || page.kind.is_some_and(|wanted| wanted != kind) || found.len() >= page.limit {
            continue;
        }
        let query = sql::SUPPRESSIONS
            .bind(kind.code())
            .bind(after.map_or("", |(_, value)| value.as_str()))
            .bind(limit_of(page.limit - found.len()));
        for row in query.all(connection).await? {
            found.push(Suppression {
                kind,
                value: row.string(0)?,
                is_hashed: row.integer(1)? == 1,
                source: row.string(2)?,
                actor: row.string(3)?,
                at: row.integer(4)?,
                until: row.maybe_integer(5)?,
            });
        }
    }
    Ok(found)
}

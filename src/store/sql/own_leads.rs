//! What was promised, and what belongs to whom.

use std::collections::HashMap;

use super::super::changes::LeadRecord;
use super::super::error::StoreError;
use super::super::reports::{CallbackPage, CallbacksOf};
use super::connection::{Connection, Row};
use super::load::limit_of;
use super::{read, statements as sql};
use crate::domain::{LeadId, QueueKey, RepKey};

pub(in crate::store) async fn callbacks(
    connection: &mut Connection,
    page: &CallbackPage,
) -> Result<Vec<LeadRecord>, StoreError> {
    let (after_ms, after_lead) = page.after.unwrap_or((i64::MIN, LeadId(0)));
    let (statement, key) = match page.of {
        CallbacksOf::Queue(queue) => (sql::CALLBACKS_OF_QUEUE, queue.0),
        CallbacksOf::Rep(rep) => (sql::CALLBACKS_OF_REP, rep.0),
    };
    let query = statement.bind(key).bind(after_ms).bind(after_lead.0).bind(limit_of(page.limit));
    let rows = query.all(connection).await?;
    let leads: Vec<LeadId> =
        rows.iter().map(|row| row.integer(1).map(LeadId)).collect::<Result<_, _>>()?;
    let records = read::leads(connection, &leads).await?;
    let mut found: HashMap<_, _> = records.into_iter().map(|one| (one.lead.id, one)).collect();
    Ok(leads.iter().filter_map(|lead| found.remove(lead)).collect())
}

pub(in crate::store) async fn callback_count(
    connection: &mut Connection,
    rep: RepKey,
    except: LeadId,
    limit: usize,
) -> Result<usize, StoreError> {
    let query = sql::CALLBACK_COUNT.bind(rep.0).bind(except.0);
    let count = query.one(connection).await?.integer(0)?;
    Ok(usize::try_from(count).unwrap_or(0).min(limit))
}

pub(in crate::store) async fn own_leads(
    connection: &mut Connection,
    rep: RepKey,
    is_promised: bool,
    after: LeadId,
    limit: usize,
) -> Result<Vec<(LeadId, QueueKey, i64)>, StoreError> {
    let statement = if is_promised { sql::PROMISED_LEADS } else { sql::OWNED_LEADS };
    let query = statement.bind(rep.0).bind(after.0).bind(limit_of(limit));
    let place =
        |row: &Row| Ok((LeadId(row.integer(0)?), QueueKey(row.integer(1)?), row.integer(2)?));
    query.all(connection).await?.iter().map(place).collect()
}

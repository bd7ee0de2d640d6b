//! Duties and what is counted of settings: single rows, written in transactions of their own.

use super::super::duty::{Duty, TakeDuty};
use super::super::error::{Denied, StoreError};
use super::connection::Connection;
use super::statements as sql;

/// Takes a duty that is free, over, or the node's own already.
pub(in crate::store) async fn take(
    connection: &mut Connection,
    take: &TakeDuty,
) -> Result<Option<Duty>, StoreError> {
    let query = sql::TAKE_DUTY
        .bind(&take.name)
        .bind(&take.node)
        .bind(take.now)
        .bind(take.now.saturating_add(take.for_ms));
    let Some(row) = query.maybe(connection).await? else { return Ok(None) };
    Ok(Some(Duty { name: take.name.clone(), term: row.integer(0)? }))
}

/// Gives a duty up, unless it is another's by now.
pub(in crate::store) async fn give_up(
    connection: &mut Connection,
    duty: &Duty,
) -> Result<(), StoreError> {
    let query = sql::GIVE_DUTY_UP.bind(&duty.name).bind(duty.term);
    query.execute(connection).await.map(drop)
}

/// Refuses whoever acts on a duty that is another's by now.
pub(in crate::store) async fn check(
    connection: &mut Connection,
    duty: Option<&Duty>,
) -> Result<(), StoreError> {
    let Some(duty) = duty else { return Ok(()) };
    let query = sql::DUTY_TERM.bind(&duty.name);
    let row = query.maybe(connection).await?;
    let term = row.map(|row| row.integer(0)).transpose()?;
    if term == Some(duty.term) { Ok(()) } else { Err(Denied::DutyLost.into()) }
}

/// Counts a change of settings.
pub(in crate::store) async fn count_change(connection: &mut Connection) -> Result<(), StoreError> {
    sql::COUNT_CHANGE.query().execute(connection).await.map(drop)
}

/// How many changes of settings there were.
pub(in crate::store) async fn settings_number(
    connection: &mut Connection,
) -> Result<i64, StoreError> {
    let row = sql::SETTINGS_NUMBER.query().maybe(connection).await?;
    row.map_or(Ok(0), |row| row.integer(0))
}

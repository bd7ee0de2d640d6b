//! Duties and what is counted of settings: single rows, written in transactions of their own.

use sqlx::SqliteConnection;

use super::super::duty::{Duty, TakeDuty};
use super::super::error::{Denied, StoreError};
use super::open::failure;
use super::sql;

/// Takes a duty that is free, over, or the node's own already.
pub(super) async fn take(
    connection: &mut SqliteConnection,
    take: &TakeDuty,
) -> Result<Option<Duty>, StoreError> {
    let query = sqlx::query_scalar(sql::TAKE_DUTY)
        .bind(&take.name)
        .bind(&take.node)
        .bind(take.now)
        .bind(take.now.saturating_add(take.for_ms));
    let term: Option<i64> = query.fetch_optional(connection).await.map_err(failure)?;
    Ok(term.map(|term| Duty { name: take.name.clone(), term }))
}

/// Gives a duty up, unless it is another's by now.
pub(super) async fn give_up(
    connection: &mut SqliteConnection,
    duty: &Duty,
) -> Result<(), StoreError> {
    let query = sqlx::query(sql::GIVE_DUTY_UP).bind(&duty.name).bind(duty.term);
    query.execute(connection).await.map(drop).map_err(failure)
}

/// Refuses whoever acts on a duty that is another's by now.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    duty: Option<&Duty>,
) -> Result<(), StoreError> {
    let Some(duty) = duty else { return Ok(()) };
    let query = sqlx::query_scalar(sql::DUTY_TERM).bind(&duty.name);
    let term: Option<i64> = query.fetch_optional(connection).await.map_err(failure)?;
    if term == Some(duty.term) { Ok(()) } else { Err(Denied::DutyLost.into()) }
}

/// Counts a change of settings.
pub(super) async fn count_change(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query(sql::COUNT_CHANGE).execute(connection).await.map(drop).map_err(failure)
}

/// How many changes of settings there were.
pub(super) async fn settings_number(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let number = sqlx::query_scalar(sql::SETTINGS_NUMBER).fetch_optional(connection).await;
    Ok(number.map_err(failure)?.unwrap_or(0))
}

//! Forgets what is over: of each kind a bounded number in a sweep.

use super::super::books::{DIAL_KEPT_MS, REQUEST_KEPT_MS, Slate};
use super::super::error::StoreError;
use super::connection::Connection;
use super::load::limit_of;
use super::read::last_instant;
use super::statements as sql;
use crate::domain::SKIP_WINDOW_MS;

/// Forgets what the sweep in this batch is to forget, if there is one.
///
/// Dials count back from the last thing that happened: the audit, which knows of no other instant, holds
/// the calls before it against them, and a store that rests for months must not look as if it lost some.
pub(super) async fn forget(connection: &mut Connection, slate: &Slate) -> Result<(), StoreError> {
    let Some((now, limit)) = slate.forget else { return Ok(()) };
    let told = slate.events.iter().map(|event| event.event.at).max().unwrap_or(i64::MIN);
    let last = now.min(last_instant(connection).await?.max(told));
    let old = [
        (sql::FORGET_REQUESTS, now.saturating_sub(REQUEST_KEPT_MS)),
        (sql::FORGET_PASSES, now),
        (sql::FORGET_DIALS, last.saturating_sub(DIAL_KEPT_MS)),
        (sql::FORGET_SKIPS, now.saturating_sub(SKIP_WINDOW_MS)),
    ];
    for (statement, until) in old {
        let query = statement.bind(until).bind(limit_of(limit));
        query.execute(connection).await?;
    }
    Ok(())
}

//! Forgets what is over: of each kind a bounded number in a sweep.

use super::super::books::{DIAL_KEPT_MS, REQUEST_KEPT_MS, Slate};
use super::super::error::StoreError;
use super::connection::Connection;
use super::load::limit_of;
use super::statements as sql;
use crate::domain::SKIP_WINDOW_MS;

/// Forgets what the sweep in this batch is to forget, if there is one.
pub(super) async fn forget(connection: &mut Connection, slate: &Slate) -> Result<(), StoreError> {
    let Some((now, limit)) = slate.forget else { return Ok(()) };
    let old = [
        (sql::FORGET_REQUESTS, now.saturating_sub(REQUEST_KEPT_MS)),
        (sql::FORGET_PASSES, now),
        (sql::FORGET_DIALS, now.saturating_sub(DIAL_KEPT_MS)),
        (sql::FORGET_SKIPS, now.saturating_sub(SKIP_WINDOW_MS)),
    ];
    for (statement, until) in old {
        let query = statement.bind(until).bind(limit_of(limit));
        query.execute(connection).await?;
    }
    Ok(())
}

//! What a failed statement means for the one who asked.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use super::super::error::StoreError;

/// What a failed statement means for the one who asked.
pub(in crate::store) fn failure(error: sqlx::Error) -> StoreError {
    if error.as_database_error().is_some_and(is_full) {
        return StoreError::Full;
    }
    unavailable(error)
}

pub(in crate::store) fn unavailable(
    error: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

fn is_full(error: &(dyn DatabaseError + 'static)) -> bool {
    let Some(code) = error.code() else { return false };
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        // disk_full.
        return code == "53100";
    }
    // The low byte of SQLite's code is the kind, the rest says more about it. 13: SQLITE_FULL.
    code.parse::<i64>().is_ok_and(|code| code & 0xff == 13)
}

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

/// The same error once more, for whoever shares it. Its causes are told in words.
pub(in crate::store) fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Denied(denied) => StoreError::Denied(denied.clone()),
        StoreError::Full => StoreError::Full,
        StoreError::Low => StoreError::Low,
        StoreError::NoRoom { needed_bytes, free_bytes } => {
            StoreError::NoRoom { needed_bytes: *needed_bytes, free_bytes: *free_bytes }
        }
        StoreError::Unknown => StoreError::Unknown,
        StoreError::Stopped => StoreError::Stopped,
        StoreError::InUse { path } => StoreError::InUse { path: path.clone() },
        StoreError::Unfit { problem } => StoreError::Unfit { problem: problem.clone() },
        StoreError::Newer { migration } => StoreError::Newer { migration: *migration },
        StoreError::Corrupt { table, column, value } => {
            StoreError::Corrupt { table, column, value: value.clone() }
        }
        StoreError::Unavailable(cause) => {
            let mut words = cause.to_string();
            let mut next = cause.source();
            while let Some(deeper) = next {
                words = format!("{words}: {deeper}");
                next = deeper.source();
            }
            unavailable(std::io::Error::other(words))
        }
    }
}

/// The code of a server's refusal.
pub(in crate::store) fn refusal_code(error: &StoreError) -> Option<String> {
    let StoreError::Unavailable(cause) = error else { return None };
    let error = cause.downcast_ref::<sqlx::Error>()?.as_database_error()?;
    error.code().map(|code| code.into_owned())
}

/// Whether a connection was lost under a statement. Says nothing about what became of it.
pub(in crate::store) fn is_connection_lost(error: &StoreError) -> bool {
    let StoreError::Unavailable(cause) = error else { return false };
    match cause.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Io(problem)) => problem.kind() != std::io::ErrorKind::TimedOut,
        Some(sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed) => true,
        // The server ends the session, or all of them; or this transaction took too long, which ends its
        // session, too.
        Some(sqlx::Error::Database(refusal)) => {
            let is_said = |code: &str| {
                ["57P", "08", "25P03", "25P04"].iter().any(|one| code.starts_with(one))
            };
            refusal.code().is_some_and(|code| is_said(&code))
        }
        _ => false,
    }
}

//! A session on a PostgreSQL server, every statement of which ends in time: what neither answers nor
//! fails is given up, and the session with it.

use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgDatabaseError, PgSeverity};
use sqlx::{Connection as _, Error};

/// A session on a server.
#[derive(Debug)]
pub(in crate::store) struct Session {
    connection: PgConnection,
    limit: Duration,
    timeline: u32,
    is_over: bool,
}

impl Session {
    /// A session on a server that writes this timeline.
    pub(in crate::store) fn new(connection: PgConnection, limit: Duration, timeline: u32) -> Self {
        Self { connection, limit, timeline, is_over: false }
    }

    /// The timeline of its server as it was opened; 0 if the server does not tell.
    pub(in crate::store) fn timeline(&self) -> u32 {
        self.timeline
    }

    /// Whether it is of no more use: its connection is lost, or a statement on it was given up.
    pub(in crate::store) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The connection itself, for what runs as long as it takes.
    pub(in crate::store) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Runs one statement. The session is over meanwhile, so that one whose statement was dropped half
    /// way is never used again.
    pub(in crate::store) async fn run<'a, T, F>(
        &'a mut self,
        statement: impl FnOnce(&'a mut PgConnection) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + 'a,
    {
        let Self { connection, limit, is_over, .. } = self;
        *is_over = true;
        let done = tokio::time::timeout(*limit, statement(connection)).await;
        let done = done.unwrap_or_else(|_| Err(Error::Io(io::ErrorKind::TimedOut.into())));
        *is_over = done.as_ref().is_err_and(is_end);
        done
    }

    /// Ends it, and tells the server.
    pub(in crate::store) async fn end(self) -> Result<(), Error> {
        match self.is_over {
            true => Ok(()),
            false => self.connection.close().await,
        }
    }
}

/// Whether an error ends the session that it came from.
fn is_end(error: &Error) -> bool {
    match error {
        Error::Database(refusal) => {
            let severity = refusal.try_downcast_ref::<PgDatabaseError>().map(|own| own.severity());
            severity.is_some_and(|one| matches!(one, PgSeverity::Fatal | PgSeverity::Panic))
        }
        Error::RowNotFound | Error::ColumnNotFound(_) | Error::ColumnIndexOutOfBounds { .. } => {
            false
        }
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::Encode(_) => false,
        _ => true,
    }
}

//! How the file is written to. Nobody else writes, so a transaction begins at once; an error from the
//! commit itself leaves nobody who could say what was stored: the writer stops for good.

use std::sync::Arc;

use sqlx::SqliteConnection;

use super::super::books::Seal;
use super::super::error::StoreError;
use super::super::sql::{Begun, Commit, CommitNews, Connection, Lost, Writing};
use super::checkpoint::Checkpointer;
use super::space::Space;

pub(super) struct SqliteWriting {
    connection: Connection,
    /// What erased things are recognised by; `None` until the first erasure is committed.
    seal: Option<Arc<Seal>>,
    checkpointer: Checkpointer,
    space: Space,
}

impl SqliteWriting {
    pub(super) fn new(
        connection: SqliteConnection,
        seal: Option<Arc<Seal>>,
        checkpointer: Checkpointer,
        space: Space,
    ) -> Self {
        Self { connection: Connection::Sqlite(connection), seal, checkpointer, space }
    }
}

impl Writing for SqliteWriting {
    async fn begin(&mut self) -> Result<Begun, StoreError> {
        self.connection.command("BEGIN IMMEDIATE").await?;
        Ok(Begun { seal: self.seal.clone(), ..Begun::default() })
    }

    fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    async fn commit(&mut self, _news: &CommitNews) -> Commit {
        match self.connection.command("COMMIT").await {
            Ok(()) => Commit::Stored,
            // A full disk refuses the commit's last page, so it is certain that it is not stored.
            Err(StoreError::Full) => match self.roll_back().await {
                Ok(()) => Commit::Failed(StoreError::Full),
                Err(Lost) => Commit::Unknown,
            },
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "could not commit");
                Commit::Unknown
            }
        }
    }

    /// If even that fails nobody knows where the connection stands.
    async fn roll_back(&mut self) -> Result<(), Lost> {
        match self.connection.command("ROLLBACK").await {
            Ok(()) => Ok(()),
            // Some errors, a full disk among them, make SQLite roll back by itself.
            Err(StoreError::Unavailable(error))
                if error.to_string().contains("no transaction is active") =>
            {
                Ok(())
            }
            Err(_) => Err(Lost),
        }
    }

    fn is_passing(&self, _error: &StoreError) -> bool {
        false
    }

    fn is_of_server(&self, _error: &StoreError, _change_count: usize) -> bool {
        false
    }

    fn is_low(&mut self) -> bool {
        self.space.is_low()
    }

    fn committed(&mut self, seal: Option<Arc<Seal>>, has_erased: bool) {
        self.seal = seal;
        if has_erased {
            self.checkpointer.erased();
        }
    }

    async fn tidy_up(&mut self) {
        self.checkpointer.committed(self.space.was_low()).await;
    }

    fn goes_on(&self) -> bool {
        false
    }

    async fn finish(self) {
        self.checkpointer.finish().await;
        self.connection.end().await;
    }
}

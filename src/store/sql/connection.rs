//! A connection to either database, as thin as can be: statements take texts and integers, mostly
//! rows as one JSON text, and answer texts and integers. So what the books mean is written once, and
//! only the statements that differ stand twice.

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query as SqlxQuery;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Connection as _, Postgres, Row as _, Sqlite, SqliteConnection};

use super::super::error::StoreError;
use super::failure::failure;
use super::session::Session;

/// A statement in the words of each database.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Statement {
    pub(in crate::store) sqlite: &'static str,
    pub(in crate::store) postgres: &'static str,
}

impl Statement {
    /// The statement with its first parameter.
    pub(in crate::store) fn bind<'a>(self, value: impl Into<Value<'a>>) -> Query<'a> {
        self.query().bind(value)
    }

    /// The statement without parameters, so far.
    pub(in crate::store) fn query<'a>(self) -> Query<'a> {
        Query { statement: self, values: Vec::new() }
    }
}

/// A parameter.
#[derive(Debug)]
pub(in crate::store) enum Value<'a> {
    Text(&'a str),
    Owned(String),
    Integer(i64),
    MaybeInteger(Option<i64>),
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(is_so: bool) -> Self {
        Self::Integer(i64::from(is_so))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::MaybeInteger(number)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// A statement with its parameters.
#[derive(Debug)]
pub(in crate::store) struct Query<'a> {
    statement: Statement,
    values: Vec<Value<'a>>,
}

impl<'a> Query<'a> {
    /// Adds the next parameter.
    pub(in crate::store) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Every row.
    pub(in crate::store) async fn all(
        self,
        connection: &mut Connection,
    ) -> Result<Vec<Row>, StoreError> {
        match connection.link() {
            Link::Sqlite(connection) => {
                let rows = self.sqlite().fetch_all(connection).await.map_err(failure)?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Link::Postgres(connection) => {
                let rows =
                    connection.run(|to| self.postgres().fetch_all(to)).await.map_err(failure)?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The row, if there is one.
    pub(in crate::store) async fn maybe(
        self,
        connection: &mut Connection,
    ) -> Result<Option<Row>, StoreError> {
        match connection.link() {
            Link::Sqlite(connection) => {
                let row = self.sqlite().fetch_optional(connection).await.map_err(failure)?;
                Ok(row.map(Row::Sqlite))
            }
            Link::Postgres(connection) => {
                let row = connection
                    .run(|to| self.postgres().fetch_optional(to))
                    .await
                    .map_err(failure)?;
                Ok(row.map(Row::Postgres))
            }
        }
    }

    /// The one row that there is.
    pub(in crate::store) async fn one(
        self,
        connection: &mut Connection,
    ) -> Result<Row, StoreError> {
        match connection.link() {
            Link::Sqlite(connection) => {
                self.sqlite().fetch_one(connection).await.map(Row::Sqlite).map_err(failure)
            }
            Link::Postgres(connection) => connection
                .run(|to| self.postgres().fetch_one(to))
                .await
                .map(Row::Postgres)
                .map_err(failure),
        }
    }

    /// Runs it; says how many rows it changed.
    pub(in crate::store) async fn execute(
        self,
        connection: &mut Connection,
    ) -> Result<u64, StoreError> {
        match connection.link() {
            Link::Sqlite(connection) => {
                let done = self.sqlite().execute(connection).await.map_err(failure)?;
                Ok(done.rows_affected())
            }
            Link::Postgres(connection) => {
                let done =
                    connection.run(|to| self.postgres().execute(to)).await.map_err(failure)?;
                Ok(done.rows_affected())
            }
        }
    }

    fn sqlite(self) -> SqlxQuery<'a, Sqlite, SqliteArguments> {
        let query = sqlx::query(self.statement.sqlite);
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text.to_owned()),
            Value::Owned(text) => query.bind(text),
            Value::Integer(number) => query.bind(number),
            Value::MaybeInteger(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes.to_vec()),
        })
    }

    fn postgres(self) -> SqlxQuery<'a, Postgres, PgArguments> {
        let query = sqlx::query(self.statement.postgres);
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Owned(text) => query.bind(text),
            Value::Integer(number) => query.bind(number),
            Value::MaybeInteger(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes),
        })
    }
}

/// A connection to one of the databases.
#[derive(Debug)]
pub(in crate::store) enum Connection {
    Sqlite(SqliteConnection),
    /// Goes back to its pool when it is dropped.
    SqlitePooled(PoolConnection<Sqlite>),
    Postgres(Session),
}

enum Link<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut Session),
}

impl Connection {
    fn link(&mut self) -> Link<'_> {
        match self {
            Self::Sqlite(connection) => Link::Sqlite(connection),
            Self::SqlitePooled(connection) => Link::Sqlite(connection),
            Self::Postgres(connection) => Link::Postgres(connection),
        }
    }

    /// Whether each statement is a round trip to another machine.
    pub(in crate::store) fn is_remote(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Runs a command that is a whole text.
    pub(in crate::store) async fn command(
        &mut self,
        command: &'static str,
    ) -> Result<(), StoreError> {
        let done = match self.link() {
            Link::Sqlite(connection) => sqlx::query(command).execute(connection).await.map(drop),
            Link::Postgres(connection) => {
                connection.run(|to| sqlx::raw_sql(command).execute(to)).await.map(drop)
            }
        };
        done.map_err(failure)
    }

    /// Begins to read one snapshot. Taken back, never committed: a connection that is dropped
    /// meanwhile is closed, and with it the transaction.
    pub(in crate::store) async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        let command = match self {
            Self::Sqlite(_) => "BEGIN",
            Self::SqlitePooled(connection) => {
                connection.close_on_drop();
                "BEGIN"
            }
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        self.command(command).await
    }

    /// SQLite's own connection, where no other can be.
    pub(in crate::store) fn into_sqlite(self) -> SqliteConnection {
        match self {
            Self::Sqlite(connection) => connection,
            other => unreachable!("opened as SQLite's own: {other:?}"),
        }
    }

    /// The session of a server, where nothing else can be.
    pub(in crate::store) fn session(&mut self) -> &mut Session {
        match self {
            Self::Postgres(session) => session,
            other => unreachable!("opened on a server: {other:?}"),
        }
    }

    /// Ends the connection, and lets the database tidy up.
    pub(in crate::store) async fn end(self) {
        let ended = match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::SqlitePooled(connection) => connection.close().await,
            Self::Postgres(session) => session.end().await,
        };
        if let Err(error) = ended {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not close the store");
        }
    }
}

/// A row. Columns are asked for by their places.
#[derive(Debug)]
pub(in crate::store) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! column {
    ($row:expr, $place:expr) => {
        match $row {
            Row::Sqlite(row) => row.try_get($place).map_err(failure),
            Row::Postgres(row) => row.try_get($place).map_err(failure),
        }
    };
}

impl Row {
    /// A text, as it lies there.
    pub(in crate::store) fn text(&self, place: usize) -> Result<&str, StoreError> {
        column!(self, place)
    }

    /// A text of one's own.
    pub(in crate::store) fn string(&self, place: usize) -> Result<String, StoreError> {
        self.text(place).map(str::to_owned)
    }

    pub(in crate::store) fn maybe_string(
        &self,
        place: usize,
    ) -> Result<Option<String>, StoreError> {
        column!(self, place)
    }

    pub(in crate::store) fn integer(&self, place: usize) -> Result<i64, StoreError> {
        column!(self, place)
    }

    pub(in crate::store) fn maybe_integer(&self, place: usize) -> Result<Option<i64>, StoreError> {
        column!(self, place)
    }

    pub(in crate::store) fn bytes(&self, place: usize) -> Result<&[u8], StoreError> {
        column!(self, place)
    }
}

//! What the nodes of a run keep things in: `NEXTLEAD_TEST_ON` says which of the three combinations.

use super::super::servers::{Postgres, Redis};

/// A combination of a store and an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Sqlite,
    Postgres,
    PostgresAndRedis,
}

impl On {
    pub(crate) fn from_environment() -> Self {
        match std::env::var("NEXTLEAD_TEST_ON").as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok("postgres+redis") => Self::PostgresAndRedis,
            Ok(other) => panic!("NEXTLEAD_TEST_ON={other:?}: sqlite, postgres or postgres+redis"),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite + memory",
            Self::Postgres => "PostgreSQL + memory",
            Self::PostgresAndRedis => "PostgreSQL + Redis",
        }
    }

    /// Whether nodes of this combination have a failpoint.
    pub(super) fn has_point(self, name: &str) -> bool {
        match name.split('.').next() {
            Some("sqlite") => self == Self::Sqlite,
            Some("postgres") => self != Self::Sqlite,
            Some("redis") => self == Self::PostgresAndRedis,
            _ => true,
        }
    }
}

/// The servers below the nodes of one test, and what the nodes are told of them.
pub(super) struct Ground {
    pub(super) on: On,
    /// The servers, if they are this test's own.
    pub(super) postgres: Option<Postgres>,
    pub(super) redis: Option<Redis>,
    store: Option<String>,
    queue: Option<String>,
}

impl Ground {
    /// An empty store, and an empty Redis of its own if there is to be one. PostgreSQL is shared: it
    /// loses nothing when a node dies, whether it syncs or not.
    pub(super) fn new(on: On) -> Self {
        let store = (on != On::Sqlite).then(|| Postgres::shared().database());
        Self::over(on, None, store)
    }

    /// A PostgreSQL of its own, which may be killed.
    pub(super) fn with_own_postgres(on: On) -> Self {
        assert_ne!(on, On::Sqlite, "SQLite is no server");
        let postgres = Postgres::start();
        let store = postgres.database();
        Self::over(on, Some(postgres), Some(store))
    }

    fn over(on: On, postgres: Option<Postgres>, store: Option<String>) -> Self {
        let redis = (on == On::PostgresAndRedis).then(Redis::start);
        let queue = redis.as_ref().map(Redis::url);
        Self { on, postgres, redis, store, queue }
    }

    /// Where the PostgreSQL of this test's own is, whatever stands before it.
    pub(super) fn own_store(&self) -> String {
        let port = self.postgres.as_ref().expect("it is this test's own").port();
        at_port(self.store.as_ref().expect("there is a server"), port)
    }

    /// Puts something between the nodes and the store.
    pub(super) fn reach_store_at(&mut self, port: u16) {
        let store = self.store.as_mut().expect("there is a server");
        *store = at_port(store, port);
    }

    /// Puts something between the nodes and Redis.
    pub(super) fn reach_queue_at(&mut self, port: u16) {
        let queue = self.queue.as_mut().expect("there is a server");
        *queue = at_port(queue, port);
    }

    /// What every node is told.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let store = self.store.iter().map(|url| ("NEXTLEAD_STORE", url.clone()));
        let queue = self.queue.iter().map(|url| ("NEXTLEAD_QUEUE", url.clone()));
        // Beside the log, whatever the store is: the tests call the nodes.
        let token = self
            .store
            .iter()
            .map(|_| ("NEXTLEAD_ADMIN_TOKEN_FILE", crate::process::TOKEN_FILE.to_owned()));
        store.chain(queue).chain(token).collect()
    }
}

/// The same address, at another port.
pub(super) fn at_port(url: &str, port: u16) -> String {
    let (before, after) = url.rsplit_once(':').expect("it names a port");
    let path = after.find('/').map_or("", |at| &after[at..]);
    format!("{before}:{port}{path}")
}

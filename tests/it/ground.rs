//! What the nodes of a test keep things in: `NEXTLEAD_TEST_ON` says which of the three combinations. A
//! folder names one store and one index, so a node that starts again in its folder finds its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use nextlead::node::{Options, StoreClock};

pub(crate) use super::crash::On;
use super::servers::{Postgres, Redis};

/// Where the nodes of one folder keep things, if not in the folder.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) store: String,
    pub(crate) queue: Option<String>,
    pub(crate) prefix: String,
}

impl Ground {
    /// A new, empty database, and keys of its own in the Redis that all tests share.
    pub(crate) fn new(on: On) -> Self {
        static REDIS: OnceLock<Redis> = OnceLock::new();
        let store = Postgres::shared().database();
        let prefix = store.rsplit('/').next().unwrap().to_owned();
        let queue = (on == On::PostgresAndRedis).then(|| REDIS.get_or_init(Redis::start).url());
        Self { store, queue, prefix }
    }

    /// The ground of a folder; `None`: the folder itself, on SQLite.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        static GROUNDS: Mutex<BTreeMap<PathBuf, Ground>> = Mutex::new(BTreeMap::new());
        let on = On::from_environment();
        if on == On::Sqlite {
            return None;
        }
        let mut grounds = GROUNDS.lock().unwrap();
        Some(grounds.entry(folder.to_owned()).or_insert_with(|| Self::new(on)).clone())
    }

    /// The options of a node of a folder. If the test moves its clock, that clock decides.
    pub(crate) fn put_into(folder: &Path, options: &mut Options) {
        options.admin_token_file = Some(folder.join("nextlead.db.admin-token"));
        if options.clock.is_some() {
            options.store_clock = StoreClock::Node;
        }
        let Some(ground) = Self::of(folder) else { return };
        options.store = ground.store.parse().unwrap();
        options.queue_prefix = ground.prefix;
        if let Some(queue) = ground.queue {
            options.queue = queue.parse().unwrap();
            // Whoever sweeps by hand never looks for what a Redis was too slow to take in.
            options.queue_timeout = Duration::from_secs(5);
        }
    }

    /// What the processes of a folder's nodes are told.
    pub(crate) fn variables(folder: &Path) -> Vec<(&'static str, String)> {
        let Some(ground) = Self::of(folder) else { return Vec::new() };
        let mut variables = vec![
            ("NEXTLEAD_STORE", ground.store),
            ("NEXTLEAD_QUEUE_PREFIX", ground.prefix),
            ("NEXTLEAD_ADMIN_TOKEN_FILE", "nextlead.db.admin-token".to_owned()),
        ];
        variables.extend(ground.queue.map(|queue| ("NEXTLEAD_QUEUE", queue)));
        variables
    }
}

/// Whether the index outlives its nodes.
pub(crate) fn is_index_shared() -> bool {
    On::from_environment() == On::PostgresAndRedis
}

/// Says that a test is about the file of SQLite, and whether it is to end: there is none here.
pub(crate) fn is_without_file(test: &str) -> bool {
    let on = On::from_environment();
    if on != On::Sqlite {
        eprintln!("skipped on {on:?}, as it is about the file of SQLite: {test}");
    }
    on != On::Sqlite
}

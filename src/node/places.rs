//! Opens where a node keeps things: the store and its clock, the index, the admin token.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::auth::AdminToken;
use crate::clock::{Clock, ServerClock, SystemClock};
use crate::config::{
    ADMIN_TOKEN_FILE_DEFAULT, QueuePlace, ServerUrl, StorePlace, admin_token_file,
};
use crate::dialer::Among;
use crate::queue::{LeadQueue, MemoryQueue, RedisMeasures, RedisOptions, RedisQueue};
use crate::store::{
    Clocking, PostgresOptions, PostgresStore, Sharing, SqliteStore, Store, StoreMetrics,
};

use super::Options;

/// How often a node reads the database's clock.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What was opened.
pub(super) struct Opened {
    pub(super) store: Arc<dyn Store>,
    pub(super) store_metrics: StoreMetrics,
    /// The store's file, if it is one.
    pub(super) file: Option<PathBuf>,
    pub(super) queue: Arc<dyn LeadQueue>,
    pub(super) redis: Option<RedisMeasures>,
    pub(super) among: Among,
    pub(super) clock: Arc<dyn Clock>,
}

/// Opens store and index.
pub(super) async fn open(options: &Options) -> anyhow::Result<Opened> {
    let (queue, redis, among) = open_queue(options).await?;
    match &options.store {
        StorePlace::File(file) => {
            let store = SqliteStore::open_with(file, options.disk_reserve_bytes).await;
            let store =
                store.with_context(|| format!("could not open the store {}", file.display()))?;
            let clock = match &options.clock {
                Some(clock) => clock.clone(),
                None => Arc::new(SystemClock::start(store.last_instant().await?)),
            };
            let (store_metrics, file) = (store.metrics(), Some(file.clone()));
            Ok(Opened { store: Arc::new(store), store_metrics, file, queue, redis, among, clock })
        }
        StorePlace::Postgres(url) => {
            let store = open_postgres(url, options, &among).await?;
            let store_metrics = store.metrics();
            let clock = match &options.clock {
                Some(clock) => clock.clone(),
                None => Arc::new(follow_clock(&store).await?),
            };
            Ok(Opened { store, store_metrics, file: None, queue, redis, among, clock })
        }
    }
}

async fn open_postgres(
    url: &ServerUrl,
    options: &Options,
    among: &Among,
) -> anyhow::Result<Arc<PostgresStore>> {
    let opening = PostgresOptions {
        password: options.store_password.clone(),
        sharing: match among {
            Among::Alone => Sharing::Alone,
            Among::Nodes { .. } => Sharing::Shared,
        },
        clocking: match options.store_clock {
            StoreClock::Database => Clocking::Database,
            StoreClock::Node => Clocking::Caller,
        },
        ..PostgresOptions::new(url.reveal())
    };
    let store = PostgresStore::open(&opening).await;
    Ok(Arc::new(store.with_context(|| format!("could not open the store {url}"))?))
}

/// Whose clock says when a change happens, where the store is a database on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreClock {
    /// The database's: nodes whose machines differ agree on it.
    Database,
    /// The node's: for tests, which move it by hand.
    Node,
}

/// A clock that goes by the database's, for as long as the store is there.
async fn follow_clock(store: &Arc<PostgresStore>) -> anyhow::Result<ServerClock> {
    let (now, asked) = store.database_now().await.context("could not read the database's clock")?;
    let clock = ServerClock::start(now.max(store.last_instant().await?), asked);
    let (following, store) = (clock.clone(), Arc::downgrade(store));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(SYNC_EVERY).await;
            let Some(store) = store.upgrade() else { return };
            // A database that does not answer is told of by whoever needs it.
            if let Ok((now, asked)) = store.database_now().await {
                following.sync(now, asked);
            }
        }
    });
    Ok(clock)
}

type OpenQueue = (Arc<dyn LeadQueue>, Option<RedisMeasures>, Among);

async fn open_queue(options: &Options) -> anyhow::Result<OpenQueue> {
    let QueuePlace::Redis(url) = &options.queue else {
        return Ok((Arc::new(MemoryQueue::new()), None, Among::Alone));
    };
    if let StorePlace::File(_) = &options.store {
        bail!(
            "an index in Redis is for nodes that share a store: name one with \
             --store postgres://…, or leave --queue away, which keeps the index in this process"
        );
    }
    let url = match &options.queue_password {
        Some(password) => url.with_password(password),
        None => url.clone(),
    };
    let prefix = options.queue_prefix.clone();
    let opening = RedisOptions { prefix, timeout: options.queue_timeout };
    let queue = RedisQueue::open(url.reveal(), opening).await;
    let queue = queue.with_context(|| format!("could not use the index {url}"))?;
    let measures = queue.measures().clone();
    Ok((Arc::new(queue), Some(measures), Among::nodes()))
}

/// The admin token, where it lies or is to lie.
pub(super) fn open_token(options: &Options) -> anyhow::Result<AdminToken> {
    let file = match (&options.admin_token_file, &options.store) {
        (Some(file), _) => file.clone(),
        (None, StorePlace::File(store)) => admin_token_file(store),
        (None, StorePlace::Postgres(_)) => Path::new(ADMIN_TOKEN_FILE_DEFAULT).to_owned(),
    };
    let shown = file.display().to_string();
    AdminToken::in_file(file).with_context(|| format!("no admin token in {shown}"))
}

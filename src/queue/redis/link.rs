//! The way to Redis: one connection that all calls share, and a breaker.
//!
//! A connection that fails is given up at once, with whatever else was on its way; until probes in
//! the background have found the server again, every call fails without waiting. A pull is then
//! refused in microseconds, and nothing else waits for an index that is out of reach. A master of a
//! cluster that fails takes its own queues away alone: each queue has a breaker of its own there.
//!
//! A server that answers but takes no writes, as one that was a master until another took over, is
//! given up like one that does not answer; the address may lead to the new master by then.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, RedisError, RedisResult, ServerErrorKind, Value,
};
use tokio::net::TcpStream;

use super::bounded::Bounded;
use super::measures::RedisMeasures;
use super::script::Script;
use crate::failpoint;
use crate::queue::QueueError;

/// How long a probe waits before the next, at first and at most.
const PROBE_AFTER: Duration = Duration::from_millis(20);
const PROBE_AFTER_MAX: Duration = Duration::from_millis(500);
/// How many writes in a row a server that was lost has to take before it is found again: one that
/// answers now and then would otherwise hold a call up for a whole timeout each time.
const PROBE_WRITES: usize = 3;

/// How the address of one node of a cluster begins.
const CLUSTER_SCHEME: &str = "redis-cluster://";

/// Why Redis could not be asked, or what was wrong with its answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RedisProblem {
    /// It did not answer when it was asked last, and nobody has found it since.
    #[error("Redis is out of reach")]
    OutOfReach,
    /// It did not answer in time.
    #[error("Redis did not answer in time")]
    TooSlow,
    /// It said no, or the connection failed.
    #[error("Redis did not do what it was asked")]
    Failed(#[from] RedisError),
    /// The answer makes no sense.
    #[error("Redis answered nonsense: expected {0}")]
    Nonsense(&'static str),
}

impl From<RedisProblem> for QueueError {
    fn from(problem: RedisProblem) -> Self {
        Self::Unavailable(Box::new(problem))
    }
}

/// Where Redis is.
enum Target {
    Single(Box<Client>),
    Cluster(Box<ClusterClient>),
}

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection, Arc<Driver>),
    Cluster(ClusterConnection),
}

/// The task that reads and writes; it ends with the connection.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The connection, if there is one; `number` tells it from the one before.
#[derive(Default)]
struct State {
    connection: Option<Connection>,
    number: u64,
    /// What is out of reach, and looked for: queues of a cluster, or all, which has no name.
    lost: BTreeSet<String>,
}

/// The way to one Redis server or cluster.
pub(super) struct Link {
    target: Target,
    timeout: Duration,
    state: Mutex<State>,
    pub(super) measures: RedisMeasures,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // An address may hold a password.
        formatter.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    /// A way to the server at an address, or to the cluster of which several addresses are given. Tries
    /// once to connect; afterwards that goes on in the background.
    pub(super) async fn open(
        urls: &str,
        prefix: &str,
        timeout: Duration,
    ) -> RedisResult<Arc<Self>> {
        // A cluster of which one address is given says so in its scheme, which the crate does not know.
        let is_cluster = urls.contains(',') || urls.contains(CLUSTER_SCHEME);
        let nodes: Vec<ConnectionInfo> = urls
            .split(',')
            .map(|url| {
                let url = url.trim().replacen(CLUSTER_SCHEME, "redis://", 1);
                let info = url.into_connection_info()?;
                Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
            })
            .collect::<RedisResult<_>>()?;
        let target = match nodes.first() {
            Some(node) if !is_cluster => Target::Single(Box::new(Client::open(node.clone())?)),
            _ => {
                let cluster = ClusterClient::builder(nodes)
                    .tcp_settings(TcpSettings::default().set_nodelay(true))
                    .connection_timeout(timeout)
                    .response_timeout(timeout)
                    .overall_response_timeout(Some(timeout))
                    .retries(2)
                    .build()?;
                Target::Cluster(Box::new(cluster))
            }
        };
        let (state, measures) = (Mutex::default(), RedisMeasures::default());
        let link = Arc::new(Self { target, timeout, state, measures });
        // Any key will do as long as no queue has failed.
        let key = format!("{{{prefix}}}");
        match link.connect(&key).await {
            Ok(connection) => link.state().connection = Some(connection),
            Err(problem) => link.give_up(0, &key, &problem),
        }
        Ok(link)
    }

    /// How long an answer is waited for.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The number of the connection: grows with each that is found again.
    pub(super) fn number(&self) -> u64 {
        self.state().number
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a script on a queue's keys.
    pub(super) async fn run(
        self: &Arc<Self>,
        script: &Script,
        key: &str,
        arguments: &[&[u8]],
    ) -> Result<Value, RedisProblem> {
        let command = |verb: &str, what: &str| {
            let mut command = redis::cmd(verb);
            command.arg(what).arg(1).arg(key).arg(arguments);
            command
        };
        failpoint::reach("redis.before-script");
        let watch = self.measures.watch(script.name);
        let answer = match self.ask(key, command("EVALSHA", &script.digest)).await {
            Err(RedisProblem::Failed(error))
                if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) =>
            {
                self.ask(key, command("EVAL", &script.text)).await
            }
            answer => answer,
        };
        watch.end(answer.is_ok());
        failpoint::reach("redis.after-script");
        answer
    }

    /// What is lost if a call about a key fails: that key's queue, or all that there is.
    fn part<'k>(&self, key: &'k str) -> &'k str {
        match self.target {
            Target::Single(_) => "",
            Target::Cluster(_) => key,
        }
    }

    /// Sends a command about a key; a connection that fails is given up.
    async fn ask(self: &Arc<Self>, key: &str, command: Cmd) -> Result<Value, RedisProblem> {
        let (connection, number) = {
            let state = self.state();
            let connection = state.connection.clone().ok_or(RedisProblem::OutOfReach)?;
            if state.lost.contains(self.part(key)) {
                return Err(RedisProblem::OutOfReach);
            }
            (connection, state.number)
        };
        let answer = send(connection, command, self.timeout).await;
        if let Err(problem) = &answer
            && is_lost(problem)
        {
            self.give_up(number, key, problem);
        }
        answer
    }

    /// Gives up what failed over the connection of this number, and looks for it until it is found or
    /// nobody needs it any more.
    fn give_up(self: &Arc<Self>, number: u64, key: &str, problem: &RedisProblem) {
        {
            let mut state = self.state();
            if state.number != number || !state.lost.insert(self.part(key).to_owned()) {
                return;
            }
            if matches!(self.target, Target::Single(_)) {
                state.connection = None;
            }
        }
        let error = problem as &dyn std::error::Error;
        tracing::warn!(error, "lost Redis; looking for it");
        self.measures.is_open.set(1);
        let (link, key) = (Arc::downgrade(self), key.to_owned());
        tokio::spawn(async move {
            let mut pause = PROBE_AFTER;
            while let Some(false) = probe(&link, &key).await {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PROBE_AFTER_MAX);
            }
        });
    }

    /// Connects, and makes sure that writes are taken where a key is.
    async fn connect(&self, key: &str) -> Result<Connection, RedisProblem> {
        let connecting = async {
            match &self.target {
                Target::Single(client) => self.connect_single(client).await,
                Target::Cluster(client) => {
                    Ok(Connection::Cluster(client.get_async_connection().await?))
                }
            }
        };
        // A cluster asks several masters for their part of it.
        let connected = tokio::time::timeout(self.timeout * 2, connecting).await;
        let connection = connected.map_err(|_| RedisProblem::TooSlow)??;
        send(connection.clone(), probing_write(key), self.timeout).await?;
        let policy = check_policy(connection.clone(), self.timeout, self.measures.clone());
        tokio::spawn(policy);
        Ok(connection)
    }

    async fn connect_single(&self, client: &Client) -> Result<Connection, RedisProblem> {
        let info = client.get_connection_info();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            let nothing = tokio::spawn(std::future::ready(()));
            return Ok(Connection::Single(connection, Arc::new(Driver(nothing))));
        };
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(RedisError::from)?;
        stream.set_nodelay(true).map_err(RedisError::from)?;
        let made = MultiplexedConnection::new_with_config(
            info.redis_settings(),
            Bounded::new(stream),
            config,
        );
        let (connection, driver) = made.await?;
        Ok(Connection::Single(connection, Arc::new(Driver(tokio::spawn(driver)))))
    }
}

/// Sends one command. No answer is waited for longer than `timeout`.
async fn send(
    connection: Connection,
    command: Cmd,
    timeout: Duration,
) -> Result<Value, RedisProblem> {
    let answering = async {
        match connection {
            Connection::Single(mut connection, _driver) => {
                connection.req_packed_command(&command).await
            }
            Connection::Cluster(mut connection) => connection.req_packed_command(&command).await,
        }
    };
    match tokio::time::timeout(timeout, answering).await {
        Ok(answer) => match answer?.extract_error() {
            Ok(value) => Ok(value),
            Err(error) => Err(error.into()),
        },
        Err(_) => Err(RedisProblem::TooSlow),
    }
}

/// Whether a server that answers so is not to be asked again before it was found anew.
fn is_lost(problem: &RedisProblem) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly};
    match problem {
        RedisProblem::TooSlow => true,
        RedisProblem::OutOfReach | RedisProblem::Nonsense(_) => false,
        RedisProblem::Failed(error) => match error.kind() {
            ErrorKind::Server(ReadOnly | MasterDown | ClusterDown | BusyLoading) => true,
            // A cluster's connection follows these by itself; what is left has led nowhere.
            ErrorKind::Server(Moved | Ask) => true,
            // Redis before 7 tells what stopped a script within the text.
            ErrorKind::Server(_) => error.detail().is_some_and(|text| text.contains("-READONLY")),
            ErrorKind::Extension => false,
            _ => true,
        },
    }
}

/// A write that changes nothing, on the master of this key: there never is such a key.
fn probing_write(key: &str) -> Cmd {
    let mut write = redis::cmd("DEL");
    write.arg(format!("{key}:probe"));
    write
}

/// Tries to connect. `None`: there is nothing left to do.
async fn probe(link: &Weak<Link>, key: &str) -> Option<bool> {
    let link = link.upgrade()?;
    let mut found = link.connect(key).await;
    for _ in 1..PROBE_WRITES {
        let Ok(connection) = found else { return Some(false) };
        tokio::time::sleep(PROBE_AFTER).await;
        let written = send(connection.clone(), probing_write(key), link.timeout).await;
        found = written.map(|_| connection);
    }
    let Ok(connection) = found else { return Some(false) };
    let mut state = link.state();
    state.connection = Some(connection);
    state.number += 1;
    state.lost.remove(link.part(key));
    link.measures.is_open.set(i64::from(!state.lost.is_empty()));
    drop(state);
    tracing::info!("found Redis");
    None
}

/// Warns of a server that takes keys away when its memory is full: it notices later that they are gone,
/// and builds the index again, over and over.
async fn check_policy(connection: Connection, timeout: Duration, measures: RedisMeasures) {
    let mut info = redis::cmd("INFO");
    info.arg("memory");
    // Who may not ask, or is not answered, does not know.
    let Ok(answer) = send(connection, info, timeout).await else { return };
    let may_evict = policies(&answer).iter().any(|policy| policy != "noeviction");
    if may_evict && !measures.may_evict() {
        tracing::warn!("Redis may evict keys of the index: set its maxmemory-policy to noeviction");
    }
    measures.evicts.set(i64::from(may_evict));
}

/// What servers do when their memory is full; a cluster's answer holds that of each.
fn policies(answer: &Value) -> Vec<String> {
    let text = match answer {
        Value::Map(answers) => return answers.iter().flat_map(|(_, one)| policies(one)).collect(),
        Value::BulkString(text) => String::from_utf8_lossy(text).into_owned(),
        Value::VerbatimString { text, .. } => text.clone(),
        _ => return Vec::new(),
    };
    let policies = text.lines().filter_map(|line| line.strip_prefix("maxmemory_policy:"));
    policies.map(|policy| policy.trim().to_owned()).collect()
}

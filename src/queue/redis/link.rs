//! The way to Redis: one connection that all calls share, and a breaker.
//!
//! A connection that fails is given up at once, with whatever else was on its way; until a probe in
//! the background has found the server again, every call fails without waiting. A pull is then
//! refused in microseconds, and nothing else waits for an index that is out of reach.

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
    is_probing: bool,
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
    pub(super) async fn open(urls: &str, timeout: Duration) -> RedisResult<Arc<Self>> {
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
        let opened = link.connect().await;
        link.state().connection = opened.as_ref().ok().cloned();
        if let Err(problem) = opened {
            let problem = &problem as &dyn std::error::Error;
            tracing::warn!(error = problem, "could not reach Redis; looking for it");
            link.look_for_it();
        }
        Ok(link)
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
        let answer = match self.ask(command("EVALSHA", &script.digest)).await {
            Err(RedisProblem::Failed(error))
                if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) =>
            {
                self.ask(command("EVAL", &script.text)).await
            }
            answer => answer,
        };
        watch.end(answer.is_ok());
        failpoint::reach("redis.after-script");
        answer
    }

    /// Sends a command; a connection that fails is given up.
    async fn ask(self: &Arc<Self>, command: Cmd) -> Result<Value, RedisProblem> {
        let (connection, number) = {
            let state = self.state();
            let connection = state.connection.clone().ok_or(RedisProblem::OutOfReach)?;
            (connection, state.number)
        };
        let answer = send(connection, command, self.timeout).await;
        let is_broken = match &answer {
            Err(RedisProblem::Failed(error)) => {
                !matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
            }
            Err(RedisProblem::TooSlow) => true,
            _ => false,
        };
        if is_broken {
            self.give_up(number);
        }
        answer
    }

    /// Gives the connection of this number up, and looks for the server.
    fn give_up(self: &Arc<Self>, number: u64) {
        {
            let mut state = self.state();
            if state.number != number || state.connection.take().is_none() {
                return;
            }
        }
        tracing::warn!("lost Redis; looking for it");
        self.measures.is_open.set(1);
        self.look_for_it();
    }

    /// Connects in the background, until it succeeds or nobody needs it any more.
    fn look_for_it(self: &Arc<Self>) {
        if std::mem::replace(&mut self.state().is_probing, true) {
            return;
        }
        self.measures.is_open.set(1);
        let link = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut pause = PROBE_AFTER;
            while let Some(false) = probe(&link).await {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PROBE_AFTER_MAX);
            }
        });
    }

    async fn connect(&self) -> Result<Connection, RedisProblem> {
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
        send(connection.clone(), redis::cmd("PING"), self.timeout).await?;
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

/// Tries to connect. `None`: there is nothing left to do.
async fn probe(link: &Weak<Link>) -> Option<bool> {
    let link = link.upgrade()?;
    let connection = link.connect().await.ok();
    let mut state = link.state();
    let Some(connection) = connection else { return Some(false) };
    state.connection = Some(connection);
    state.number += 1;
    state.is_probing = false;
    drop(state);
    link.measures.is_open.set(0);
    tracing::info!("found Redis");
    None
}

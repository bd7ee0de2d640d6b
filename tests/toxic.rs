//! A toxic proxy for tests: stands between a node and one of its servers, and is late, silent, cuts
//! connections or lies. In front of PostgreSQL it understands where a transaction commits, so that a
//! connection can be cut in that very moment. A part of several binaries.
#![allow(dead_code, clippy::unwrap_used, reason = "each binary uses a part, and tests unwrap")]

#[path = "toxic/messages.rs"]
mod messages;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use messages::Messages;

/// What the proxy forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// PostgreSQL's: a trap waits for a commit.
    Postgres,
    /// Any other that answers what it is asked: a trap waits for a request.
    Opaque,
}

/// How the proxy treats what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Forwards everything.
    Fair,
    /// Forwards everything this much later.
    Late(Duration),
    /// Takes everything and forwards nothing, for good: what was sent into the silence stays lost, and
    /// the client is told of nothing. The server is, after the time in which it notices by itself that
    /// nobody answers.
    Silent,
    /// Closes new connections at once.
    Refusing,
    /// Has the server take back what it is to commit, and says that it was committed.
    Lying,
}

/// After what time a server ends a session from whose machine nothing comes any more. The proxy lives,
/// so the server's own probes would be answered for ever.
const NOTICED_AFTER: Duration = Duration::from_secs(8);

/// Where the next commit, or the next request, is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never hears of it.
    BeforeForwarding,
    /// The server hears of it, and the connection is closed at once.
    AfterForwarding,
    /// The server has done it, and its answer does not come through.
    BeforeReply,
}

/// What all connections share.
struct Shared {
    protocol: Protocol,
    upstream_port: u16,
    mood: Mutex<Mood>,
    trap: Mutex<Option<Cut>>,
    sprung_count: watch::Sender<u64>,
    cut_count: watch::Sender<u64>,
}

impl Shared {
    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_trap(&self) -> Option<Cut> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn spring(&self) {
        self.sprung_count.send_modify(|count| *count += 1);
    }
}

/// A proxy on a free port, with a thread of its own. Cuts everything when it is dropped.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Stands before the server at a port of this machine.
    pub(crate) fn start(protocol: Protocol, upstream_port: u16) -> Self {
        let shared = Arc::new(Shared {
            protocol,
            upstream_port,
            mood: Mutex::new(Mood::Fair),
            trap: Mutex::new(None),
            sprung_count: watch::Sender::new(0),
            cut_count: watch::Sender::new(0),
        });
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = watch::Sender::new(false);
        let (serving, mut stopping) = (shared.clone(), stop.subscribe());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                tokio::select! {
                    () = serve(serving, listener) => {}
                    _ = stopping.wait_for(|is_stopped| *is_stopped) => {}
                }
            });
        });
        Self { shared, port, stop, thread: Some(thread) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on, for the connections that there are as well.
    pub(crate) fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Cuts every connection that there is.
    pub(crate) fn cut_all(&self) {
        self.shared.cut_count.send_modify(|count| *count += 1);
    }

    /// Sets a trap for the next commit or request, whichever connection it comes by. It is set as soon as
    /// this is called; the answer waits until it has cut that connection.
    pub(crate) fn cut(&self, cut: Cut) -> impl Future<Output = ()> + use<> {
        let mut sprung = self.shared.sprung_count.subscribe();
        let before = *sprung.borrow_and_update();
        *self.shared.trap.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
        async move { drop(sprung.wait_for(|count| *count > before).await.unwrap()) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It panics only if the machine has no socket left; the test has failed by then.
            let _ = thread.join();
        }
    }
}

async fn serve(shared: Arc<Shared>, listener: std::net::TcpListener) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let shared = shared.clone();
        tokio::spawn(async move {
            if shared.mood() == Mood::Refusing {
                return;
            }
            let mut cuts = shared.cut_count.subscribe();
            cuts.mark_unchanged();
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.upstream_port)).await
            else {
                return;
            };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let connection = Connection {
                shared,
                client,
                server,
                messages: Messages::default(),
                awaits_reply: false,
            };
            tokio::select! {
                // However it ends, both sides are closed.
                _ = connection.forward() => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

/// A connection of a node's, and the one to the server that belongs to it.
struct Connection {
    shared: Arc<Shared>,
    client: TcpStream,
    server: TcpStream,
    messages: Messages,
    /// The trap was sprung, and the server is to answer.
    awaits_reply: bool,
}

/// Both sides are to be closed.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Connection {
    async fn forward(mut self) -> Result<(), Over> {
        let (mut from_client, mut from_server) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            tokio::select! {
                length = self.client.read(&mut from_client) => {
                    let length = length?;
                    self.pass().await;
                    match length {
                        0 => return Err(Over),
                        _ => self.ask(&from_client[..length]).await?,
                    }
                }
                length = self.server.read(&mut from_server) => {
                    let length = length?;
                    self.pass().await;
                    match length {
                        0 => return Err(Over),
                        _ => self.answer(&from_server[..length]).await?,
                    }
                }
            }
        }
    }

    /// Waits as the mood says; for ever, maybe.
    async fn pass(&mut self) {
        match self.shared.mood() {
            Mood::Fair | Mood::Refusing | Mood::Lying => {}
            Mood::Late(by) => tokio::time::sleep(by).await,
            Mood::Silent => {
                tokio::time::sleep(NOTICED_AFTER).await;
                let _ = self.server.shutdown().await;
                std::future::pending().await
            }
        }
    }

    async fn ask(&mut self, bytes: &[u8]) -> Result<(), Over> {
        if self.shared.protocol == Protocol::Opaque {
            let trap = self.shared.take_trap();
            return self.ask_one(bytes, trap, true).await;
        }
        self.messages.feed(bytes);
        while let Some(mut message) = self.messages.next() {
            if self.shared.mood() == Mood::Lying {
                message.turn_into_abort();
            }
            let trap = message.commits.then(|| self.shared.take_trap()).flatten();
            self.ask_one(&message.bytes, trap, message.ends_request).await?;
        }
        Ok(())
    }

    /// Forwards a message, up to where the trap cuts.
    async fn ask_one(
        &mut self,
        bytes: &[u8],
        trap: Option<Cut>,
        ends_request: bool,
    ) -> Result<(), Over> {
        match trap {
            Some(Cut::BeforeForwarding) => {
                self.shared.spring();
                return Err(Over);
            }
            Some(Cut::AfterForwarding) => {
                self.server.write_all(bytes).await?;
                if !ends_request {
                    // What is left of the request, in PostgreSQL's extended protocol.
                    self.server.write_all(messages::EXECUTE_AND_SYNC).await?;
                }
                self.shared.spring();
                return Err(Over);
            }
            Some(Cut::BeforeReply) => self.awaits_reply = true,
            None => {}
        }
        Ok(self.server.write_all(bytes).await?)
    }

    async fn answer(&mut self, bytes: &[u8]) -> Result<(), Over> {
        if self.awaits_reply {
            self.shared.spring();
            return Err(Over);
        }
        match self.shared.mood() {
            Mood::Lying => self.client.write_all(&messages::say_committed(bytes)).await?,
            _ => self.client.write_all(bytes).await?,
        }
        Ok(())
    }
}

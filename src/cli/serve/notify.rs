//! Tells the service manager how the node is, by systemd's protocol: a datagram with a line of text
//! to the socket that it named in `NOTIFY_SOCKET`. Without that variable nothing is told.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use tokio::sync::watch;

pub(super) struct ServiceManager {
    socket: Option<UnixDatagram>,
    /// How long it waits for a sign of life.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that started this process, if any did.
    pub(super) fn of_environment() -> Self {
        let path = std::env::var("NOTIFY_SOCKET").unwrap_or_default();
        let socket = match path.as_str() {
            "" => None,
            path => match connect(path) {
                Ok(socket) => Some(socket),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "cannot reach the service manager");
                    None
                }
            },
        };
        let is_for_us =
            std::env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
        let watchdog = std::env::var("WATCHDOG_USEC").ok().filter(|_| is_for_us);
        let watchdog = watchdog.and_then(|text| text.parse().ok()).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// The node serves.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The node has begun to stop.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Gives a sign of life three times as often as it is asked for, each after a pulse of the node:
    /// a node whose disk or whose network thread hangs gives none, and is started again.
    pub(super) async fn keep_alive(self, mut pulse: watch::Receiver<u64>) {
        let Some(watchdog) = self.watchdog.filter(|_| self.socket.is_some()) else { return };
        let mut timer = tokio::time::interval(watchdog / 3);
        loop {
            timer.tick().await;
            if pulse.changed().await.is_err() {
                return;
            }
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, line: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(line.as_bytes()) {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not tell {line}");
        }
    }
}

fn connect(path: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // It must never wait for a manager that does not read.
    socket.set_nonblocking(true)?;
    match path.strip_prefix('@') {
        None => socket.connect(path)?,
        Some(name) => connect_abstract(&socket, name)?,
    }
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn connect_abstract(socket: &UnixDatagram, name: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;

    socket.connect_addr(&SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(target_os = "linux"))]
fn connect_abstract(_: &UnixDatagram, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

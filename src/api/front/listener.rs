//! Takes connections as they come, as long as there is a place for them, until the node stops.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::codegen::{Service, http};

use super::address::{Address, Connections};
use super::connection::{self, Taken};
use super::tally::Limit;
use super::tls::Tls;
use super::{Front, FrontOptions, TlsError, files};

/// How long nothing is taken when the process has no file left. Connections wait in the kernel
/// meanwhile; to ask at once again would only keep the processor busy.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` ends, then lets running calls finish, as long as they may.
pub(in crate::api) async fn serve<S>(
    listener: TcpListener,
    service: S,
    options: FrontOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), TlsError>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let front = Arc::new(Front::new(options)?);
    let count_max = connection_count_max(&front);
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    {
        let addresses = Arc::new(Connections::default());
        let mut shutdown = pin!(shutdown);
        let mut refreshing = pin!(refresh(&front));
        let mut pause = pin!(tokio::time::sleep(Duration::ZERO));
        let mut is_paused = false;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                () = &mut refreshing => {}
                () = &mut pause, if is_paused => is_paused = false,
                accepted = listener.accept(), if !is_paused => match accepted {
                    Ok((stream, peer)) => {
                        if connections.len() >= count_max {
                            front.tally.note(Limit::Connections);
                            continue;
                        }
                        let Ok(place) = place(&front, &addresses, peer.ip().into()) else {
                            front.tally.note(Limit::AddressConnections);
                            continue;
                        };
                        let taken = Taken { stream, peer, place };
                        let (front, service) = (front.clone(), service.clone());
                        connections.spawn(connection::run(front, taken, service, stopping.clone()));
                    }
                    // The client was gone before it was taken.
                    Err(error) if is_clients(&error) => {}
                    Err(error) => {
                        front.tally.note(Limit::Files);
                        tracing::debug!(error = &error as &dyn std::error::Error, "cannot accept");
                        is_paused = true;
                        pause.as_mut().reset(Instant::now() + PAUSE);
                    }
                },
            }
        }
    }
    // New clients are told at once that nobody listens, and try elsewhere.
    drop(listener);
    stop.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(front.limits.deadlines.stop_within, ended).await.is_err() {
        tracing::warn!("stopped though some calls were still open");
    }
    Ok(())
}

/// A place among the connections of an address; behind a proxy all have the proxy's.
fn place(
    front: &Front,
    addresses: &Arc<Connections>,
    address: Address,
) -> Result<Option<super::address::Place>, ()> {
    if front.is_behind_proxy {
        return Ok(None);
    }
    let count_max = front.limits.address_connection_count_max;
    addresses.enter(address, count_max).map(Some).ok_or(())
}

fn connection_count_max(front: &Front) -> usize {
    let file_count_max = files::allow(front.limits.file_count());
    let count_max = front.limits.connection_count_max;
    let allowed = front.limits.connections_within(file_count_max);
    // A few less are not worth a word.
    if allowed < count_max / 4 * 3 {
        tracing::warn!(
            "this process may hold {} files, so it takes {allowed} connections at a time instead of \
             {count_max}: raise its limit of open files (LimitNOFILE in systemd, ulimit -n in a shell)",
            file_count_max.unwrap_or_default()
        );
    }
    allowed
}

fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Looks for a new certificate for ever.
async fn refresh(front: &Front) {
    let Some(tls) = front.tls.clone() else { return std::future::pending().await };
    let mut timer = tokio::time::interval(front.limits.deadlines.certificate_every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let tls: Arc<Tls> = tls.clone();
        // The files may be on a slow disk.
        let _ = tokio::task::spawn_blocking(move || tls.refresh()).await;
    }
}

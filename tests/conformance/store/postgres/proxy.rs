//! A proxy before the server that cuts connections where it hurts: on either side of a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the proxy does to the next commit, and to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cut {
    Nothing,
    /// The commit never reaches the server.
    BeforeCommit,
    /// The commit is done, and nobody hears of it.
    AfterCommit,
    /// The same, and nobody gets through from then on.
    AfterCommitForGood,
    /// Nobody gets through.
    Everything,
    /// Connections stay, and nothing passes by them any more.
    Silence,
}

pub(super) struct Proxy {
    port: u16,
    server: Arc<AtomicU16>,
    cut: Arc<AtomicU8>,
    asked: Arc<AtomicUsize>,
}

impl Proxy {
    pub(super) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicU8::new(Cut::Nothing as u8));
        let (told, asked) = (cut.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = asked.clone();
        let server = Arc::new(AtomicU16::new(server));
        let there = server.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if told.load(Ordering::SeqCst) != Cut::Everything as u8 {
                    let server = there.load(Ordering::SeqCst);
                    tokio::spawn(carry(client, server, told.clone(), counted.clone()));
                }
            }
        });
        Self { port, server, cut, asked }
    }

    /// The address of a database behind the proxy.
    pub(super) fn url(&self, url: &str) -> String {
        let database = url.rsplit('/').next().unwrap();
        format!("postgres://nextlead@127.0.0.1:{}/{database}", self.port)
    }

    /// Who connects from now on comes to another server.
    pub(super) fn turn_to(&self, server: u16) {
        self.server.store(server, Ordering::SeqCst);
    }

    pub(super) fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// How often the server was asked for something so far.
    pub(super) fn round_trip_count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn is_done(&self) -> bool {
        let cut = self.cut.load(Ordering::SeqCst);
        cut == Cut::Nothing as u8 || cut == Cut::Everything as u8
    }
}

/// Carries bytes both ways until one side ends, or the cut comes.
async fn carry(mut client: TcpStream, server: u16, cut: Arc<AtomicU8>, count: Arc<AtomicUsize>) {
    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let Ok(length @ 1..) = length else { return };
                count.fetch_add(1, Ordering::SeqCst);
                let is_commit = asked[..length].ends_with(b"COMMIT\0");
                let wish = cut.load(Ordering::SeqCst);
                if wish == Cut::Silence as u8 {
                    return std::future::pending().await;
                }
                if is_commit && wish == Cut::BeforeCommit as u8 {
                    cut.store(Cut::Nothing as u8, Ordering::SeqCst);
                    return;
                }
                server.write_all(&asked[..length]).await.unwrap();
                if is_commit && wish >= Cut::AfterCommit as u8 && wish != Cut::Everything as u8 {
                    let length = server.read(&mut answered).await.unwrap();
                    assert!(length > 0, "the server answered");
                    let next = match wish == Cut::AfterCommit as u8 {
                        true => Cut::Nothing,
                        false => Cut::Everything,
                    };
                    cut.store(next as u8, Ordering::SeqCst);
                    return;
                }
            }
            length = server.read(&mut answered) => {
                let Ok(length @ 1..) = length else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

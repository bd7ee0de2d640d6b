//! HTTP/2 by hand: frames as bytes, over plain TCP or TLS, sent by somebody who keeps no rule.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GO_AWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// The longest that an attack waits for the node to act.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header without compression, never to be kept.
pub(super) fn header(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0x10];
    for text in [name, value] {
        length(&mut bytes, text.len());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// An integer with a prefix of seven bits, as HPACK writes lengths.
fn length(bytes: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        return bytes.push(u8::try_from(length).unwrap());
    };
    bytes.push(127);
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
}

/// The headers of a call.
pub(super) fn call(path: &str, token: Option<&str>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "node"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ] {
        block.extend(header(name, value));
    }
    if let Some(token) = token {
        block.extend(header("authorization", &format!("Bearer {token}")));
    }
    block
}

/// A gRPC message with its prefix.
pub(super) fn message(flag: u8, length: u32, body: &[u8]) -> Vec<u8> {
    [&[flag][..], &length.to_be_bytes(), body].concat()
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One end of a connection, that keeps no rule.
pub(super) struct Raw(Box<dyn Io>);

/// A frame that came.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Raw {
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(Box::new(stream)))
    }

    pub(super) fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(stream))
    }

    /// A connection that has said what HTTP/2 clients say first, with these settings.
    pub(super) async fn opened(address: SocketAddr, settings: &[u8]) -> io::Result<Self> {
        let mut raw = Self::connect(address).await?;
        raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await?;
        Ok(raw)
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }

    /// The next frame; `None`: the node has ended the connection.
    pub(super) async fn receive(&mut self) -> Option<Came> {
        let came = async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await?;
            io::Result::Ok(Came { kind, flags, stream: u32::from_be_bytes(stream) })
        };
        let came = tokio::time::timeout(PATIENCE, came).await;
        came.expect("the node acts in time").ok()
    }

    /// Reads until the node ends the connection, and answers nothing. Gives what came.
    pub(super) async fn read_to_end(&mut self) -> Vec<Came> {
        let mut all = Vec::new();
        while let Some(came) = self.receive().await {
            all.push(came);
        }
        all
    }

    /// Reads until the node ends the connection, whatever bytes come.
    pub(super) async fn wait_for_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await;
        // It may end by a reset.
        let _ = read.expect("the node ends the connection in time");
        bytes
    }

    /// Sends these bytes again and again until the node ends the connection, and gives how often.
    pub(super) async fn flood(self, bytes: Vec<u8>, count_max: usize) -> (usize, Vec<u8>) {
        let (mut reader, mut writer) = tokio::io::split(self.0);
        let reading = tokio::spawn(async move {
            let mut bytes = Vec::new();
            let _ = reader.read_to_end(&mut bytes).await;
            bytes
        });
        let mut count = 0;
        let flooding = async {
            while count < count_max && writer.write_all(&bytes).await.is_ok() {
                count += 1;
            }
        };
        tokio::time::timeout(PATIENCE, flooding).await.expect("a flood ends in time");
        let read = tokio::time::timeout(PATIENCE, reading).await;
        (count, read.expect("the node ends the connection in time").unwrap())
    }
}

/// The code of the last GOAWAY among these bytes, if they are frames.
pub(super) fn goaway_code(mut bytes: &[u8]) -> Option<u32> {
    let mut code = None;
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(length) else { return code };
        if head[3] == GO_AWAY {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        bytes = rest;
    }
    code
}

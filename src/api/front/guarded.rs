//! The bytes of one connection, plain or through TLS, with a meter on what comes and a deadline on what
//! goes. A limit that is met ends the connection here, below the HTTP/2 library, which would answer
//! pings for ever and wait for ever for a client that reads nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::limits::Limits;
use super::meter::Meter;
use super::tally::{Limit, Tally};

/// How often a connection is read before all others have their turn: whoever sends without end must not
/// be served without end.
const READS_PER_TURN: u32 = 2;

/// The network under a connection. One type for both, so that HTTP/2 is compiled once.
pub(super) enum Wire {
    /// As it comes.
    Plain(TcpStream),
    /// Through TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// A connection that is watched.
pub(super) struct Guarded<T> {
    wire: T,
    meter: Meter,
    tally: Arc<Tally>,
    started_at: Instant,
    write_within: Duration,
    /// When the client must have taken something; made at the first write that it does not take.
    write_until: Option<Pin<Box<Sleep>>>,
    is_stuck: bool,
    /// How often it was read since it last waited.
    reads: u32,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Guarded<T> {
    pub(super) fn new(wire: T, limits: &Limits, tally: Arc<Tally>) -> Self {
        Self {
            wire,
            meter: Meter::new(&limits.frames),
            tally,
            started_at: Instant::now(),
            write_within: limits.deadlines.answer_piece_within,
            write_until: None,
            is_stuck: false,
            reads: 0,
        }
    }

    /// Ends the connection; says why, if there is room to say it.
    fn cut(&mut self, context: &mut Context<'_>, limit: Limit) -> io::Error {
        self.tally.note(limit);
        if let Some(frame) = self.meter.go_away(limit) {
            let _ = Pin::new(&mut self.wire).poll_write(context, &frame);
            let _ = Pin::new(&mut self.wire).poll_flush(context);
        }
        io::Error::new(io::ErrorKind::ConnectionAborted, limit.name())
    }

    /// A write that the network did not take: the client has only so long to take something.
    fn poll_stuck(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let within = self.write_within;
        let timer = self.write_until.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        if !self.is_stuck {
            self.is_stuck = true;
            timer.as_mut().reset(Instant::now() + within);
        }
        ready!(timer.as_mut().poll(context));
        self.tally.note(Limit::WriteLate);
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    fn watch<R>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if outcome.is_pending() {
            return self.poll_stuck(context).map(Err);
        }
        self.is_stuck = false;
        outcome
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.reads == READS_PER_TURN {
            this.reads = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.wire).poll_read(context, buffer);
        this.reads = if read.is_pending() { 0 } else { this.reads + 1 };
        ready!(read)?;
        let now_ms = u64::try_from(this.started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        match this.meter.read(&buffer.filled()[before..], now_ms) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(limit) => Poll::Ready(Err(this.cut(context, limit))),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.wire).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = written {
            this.meter.written(&bytes[..count]);
        }
        this.watch(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.wire).poll_write_vectored(context, pieces);
        if let Poll::Ready(Ok(mut left)) = written {
            for piece in pieces {
                let count = piece.len().min(left);
                this.meter.written(&piece[..count]);
                left -= count;
            }
        }
        this.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.wire).poll_flush(context);
        this.watch(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.wire).poll_shutdown(context);
        this.watch(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::limits::Deadlines;
    use super::super::meter::PREFACE;
    use super::*;

    fn guarded(
        size: usize,
        within: Duration,
    ) -> (Guarded<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(size);
        let deadlines = Deadlines { answer_piece_within: within, ..Default::default() };
        let limits = Limits { deadlines, ..Limits::default() };
        (Guarded::new(ours, &limits, Arc::default()), theirs)
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up_at_its_deadline() {
        let within = Duration::from_millis(50);
        let (mut ours, _theirs) = guarded(10, within);
        let started_at = Instant::now();
        let error = ours.write_all(&[0; 11]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started_at.elapsed() >= within);
        assert_eq!(ours.tally.met_count(Limit::WriteLate), 1);
    }

    #[tokio::test]
    async fn a_client_that_takes_a_little_now_and_then_is_waited_for() {
        let within = Duration::from_secs(2);
        let (mut ours, mut theirs) = guarded(10, within);
        let started_at = Instant::now();
        let reading = tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(within / 4).await;
                theirs.read_exact(&mut [0; 10]).await.unwrap();
            }
            theirs
        });
        ours.write_all(&[0; 60]).await.unwrap();
        assert!(started_at.elapsed() > within, "together they took longer than one may");
        drop(reading.await.unwrap());
    }

    #[tokio::test]
    async fn who_sends_without_end_is_read_in_turns() {
        let (mut ours, mut theirs) = guarded(100_000, Duration::from_secs(30));
        theirs.write_all(PREFACE).await.unwrap();
        let mut long_frame = vec![0; 50_000];
        long_frame[1..3].copy_from_slice(&49_991_u16.to_be_bytes());
        theirs.write_all(&long_frame).await.unwrap();
        let mut read_counts = Vec::new();
        for _ in 0..3 {
            let mut read_count = 0;
            std::future::poll_fn(|context| {
                let mut piece = [0; 24];
                while Pin::new(&mut ours)
                    .poll_read(context, &mut ReadBuf::new(&mut piece))
                    .is_ready()
                {
                    read_count += 1;
                }
                Poll::Ready(())
            })
            .await;
            read_counts.push(read_count);
        }
        assert_eq!(read_counts, [READS_PER_TURN; 3]);
        // It is woken again, so nothing is left unread.
        let mut rest = vec![0; 50_000 + PREFACE.len() - 6 * 24];
        ours.read_exact(&mut rest).await.unwrap();
    }

    #[tokio::test]
    async fn who_floods_is_told_why_and_cut() {
        let (mut ours, mut theirs) = guarded(100_000, Duration::from_secs(30));
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        theirs.write_all(PREFACE).await.unwrap();
        theirs.write_all(&ping.repeat(2_001)).await.unwrap();
        let error = tokio::io::copy(&mut ours, &mut tokio::io::sink()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        drop(ours);
        let mut told = Vec::new();
        theirs.read_to_end(&mut told).await.unwrap();
        assert!(told.ends_with(b"idle_frames") && told[3] == 7, "{told:?}");
    }
}

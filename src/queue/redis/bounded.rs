//! A stream that takes in only so much between two writes: a server that sends without end is cut off
//! before it fills this process's memory.
//!
//! A script's answer is a few kilobytes, a listing a megabyte at most. What comes in is counted from
//! the last time that something was asked.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes may come between two writes.
const BYTES_MAX: usize = 64 << 20;

/// A stream, and how much came since the last write.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    stream: S,
    taken: usize,
    max: usize,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, taken: 0, max: BYTES_MAX }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.taken > self.max {
            return Poll::Ready(Err(io::Error::other("an answer without end")));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.taken += buffer.filled().len() - before;
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.taken = 0;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn an_answer_without_end_is_cut_off_and_many_small_ones_are_not() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut bounded = Bounded { stream: near, taken: 0, max: 100 };
        let mut buffer = [0; 10];
        for _ in 0..100 {
            far.write_all(&[7; 10]).await.unwrap();
            bounded.write_all(b"?").await.unwrap();
            bounded.read_exact(&mut buffer).await.unwrap();
            far.read_exact(&mut [0]).await.unwrap();
        }
        let mut taken = 0;
        let cut = loop {
            far.write_all(&[7; 10]).await.unwrap();
            match bounded.read(&mut buffer).await {
                Ok(length) => taken += length,
                Err(error) => break error,
            }
        };
        assert_eq!(cut.to_string(), "an answer without end");
        assert!((100..=110).contains(&taken), "{taken}");
    }
}

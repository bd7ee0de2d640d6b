//! A backup on its way to a client: read, hashed and sent piece by piece, away from the network's
//! thread and no faster than the client takes it.

use std::io::Read as _;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::store::Backup;

use super::convert;
use super::proto::backup_response::Part;
use super::proto::{BackupBegin, BackupEnd, BackupResponse};

/// What travels at a time.
const CHUNK_LENGTH: usize = 256 << 10;
/// How many pieces are read ahead.
const CHUNK_COUNT_AHEAD: usize = 4;
/// How long a client may take nothing: the copy takes room on the node's disk as long as it is read.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);

/// The parts of an answer.
pub(super) type Parts = ReceiverStream<Result<BackupResponse, Status>>;

/// Why nothing more is sent.
enum Ended {
    /// The client went away, or takes nothing.
    Client,
    /// The copy could not be read.
    Copy(std::io::Error),
}

/// Sends a backup. It is gone when the stream is.
pub(super) fn send(backup: Backup) -> Parts {
    let (parts, stream) = mpsc::channel(CHUNK_COUNT_AHEAD);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let sender = Sender { parts, runtime };
        match sender.send_all(backup) {
            Ok(()) => {}
            Err(Ended::Client) => tracing::warn!("a backup was not taken to its end"),
            Err(Ended::Copy(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot read a backup");
                let _ = sender.send_part(Err(Status::internal("the copy could not be read")));
            }
        }
    });
    ReceiverStream::new(stream)
}

struct Sender {
    parts: mpsc::Sender<Result<BackupResponse, Status>>,
    runtime: Handle,
}

impl Sender {
    fn send_all(&self, mut backup: Backup) -> Result<(), Ended> {
        let length = i64::try_from(backup.bytes).unwrap_or(i64::MAX);
        let last_event_time =
            (backup.last_instant != 0).then(|| convert::time(backup.last_instant));
        self.send(Part::Begin(BackupBegin { length, last_event_time }))?;
        let mut hash = Sha256::new();
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_LENGTH);
            let piece = backup.file.by_ref().take(CHUNK_LENGTH as u64).read_to_end(&mut chunk);
            if piece.map_err(Ended::Copy)? == 0 {
                break;
            }
            hash.update(&chunk);
            self.send(Part::Chunk(chunk))?;
        }
        self.send(Part::End(BackupEnd { sha256: hash.finalize().to_vec() }))
    }

    fn send(&self, part: Part) -> Result<(), Ended> {
        self.send_part(Ok(BackupResponse { part: Some(part) }))
    }

    fn send_part(&self, part: Result<BackupResponse, Status>) -> Result<(), Ended> {
        let sent = self.runtime.block_on(tokio::time::timeout(TAKEN_WITHIN, self.parts.send(part)));
        matches!(sent, Ok(Ok(()))).then_some(()).ok_or(Ended::Client)
    }
}

//! Gathers rows into batches and hands them to the stream, on a thread of its own: reading and
//! parsing never hold up the connection, and a window keeps what is in memory bounded.

use std::sync::Arc;

use prost::Message as _;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::cell::Fit;
use super::rows::{Original, Rows};
use crate::api::proto::{ImportLeadsRequest, ImportRow};

/// Rows of a batch; a node takes 20,000.
const BATCH_ROW_COUNT_MAX: usize = 10_000;
/// Bytes at which a batch is full; a node takes 16 MiB.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Batches that were read and are not answered yet.
pub(super) const BATCH_COUNT_MAX: usize = 6;

/// A batch that was read: kept until it is answered, as a row that the node rejects goes into the
/// rejects file as it stood.
pub(super) struct Pending {
    pub(super) number: i64,
    /// The rows that were sent, in their order.
    pub(super) sent: Vec<Original>,
    /// The rows that could not be, and why.
    pub(super) unreadable: Vec<(Original, String)>,
    /// How many rows have an attribute that does not look like its type, and stayed a text.
    pub(super) kept_as_text: i64,
    /// Gives its place in the window back when the batch is done with.
    pub(super) _place: OwnedSemaphorePermit,
}

/// Where batches go.
pub(super) struct Pipe {
    /// To be answered, in the order in which they are sent.
    pub(super) pending: mpsc::UnboundedSender<Pending>,
    /// To the node.
    pub(super) requests: mpsc::Sender<ImportLeadsRequest>,
    pub(super) window: Arc<Semaphore>,
    pub(super) runtime: Handle,
    /// The node shall check the rows and store nothing.
    pub(super) is_check: bool,
}

/// Reads to the end and says how many rows there were. Stops early, without a mistake, when nobody
/// takes batches any more: whoever stopped knows why.
pub(super) fn read_all(mut rows: Rows, pipe: &Pipe) -> anyhow::Result<i64> {
    for number in 1.. {
        let place = pipe.runtime.block_on(Arc::clone(&pipe.window).acquire_owned());
        let Ok(place) = place else { break };
        let (sent, unreadable) = (Vec::new(), Vec::new());
        let mut pending = Pending { number, sent, unreadable, kept_as_text: 0, _place: place };
        let mut request = gather(&mut rows, &mut pending)?;
        request.validate_only = pipe.is_check;
        if pending.sent.is_empty() && pending.unreadable.is_empty() {
            break;
        }
        // First what waits for the answer, then what is answered.
        if pipe.pending.send(pending).is_err() {
            break;
        }
        if !request.rows.is_empty() && pipe.requests.blocking_send(request).is_err() {
            break;
        }
    }
    Ok(rows.count())
}

fn gather(rows: &mut Rows, pending: &mut Pending) -> anyhow::Result<ImportLeadsRequest> {
    let mut request =
        ImportLeadsRequest { batch_number: pending.number, ..ImportLeadsRequest::default() };
    let mut bytes = 0;
    let is_full = |pending: &Pending| {
        pending.sent.len() >= BATCH_ROW_COUNT_MAX || pending.unreadable.len() >= BATCH_ROW_COUNT_MAX
    };
    while bytes < BATCH_BYTES_MAX && !is_full(pending) {
        let Some(row) = rows.next()? else { break };
        match row.lead {
            Ok((lead, fit)) => {
                pending.kept_as_text += i64::from(fit == Fit::KeptAsText);
                bytes += lead.encoded_len();
                let row_number = row.original.number;
                request.rows.push(ImportRow { row_number, lead: Some(lead) });
                pending.sent.push(row.original);
            }
            Err(problem) => pending.unreadable.push((row.original, problem)),
        }
    }
    Ok(request)
}

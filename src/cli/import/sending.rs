//! Sends rows and takes their answers, over one stream; says which ends of it are worth another try.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::batch::{BATCH_COUNT_MAX, Pending, Pipe, read_all};
use super::rows::Rows;
use crate::api::client::Client;
use crate::api::proto::{ImportLeadsRequest, ImportLeadsResponse};

/// The longest wait before another try, whatever the node asks for.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How often, and after how long, a lost connection is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Tries in a row without a batch answered.
    pub(super) try_count_max: u32,
    /// Before the first of them; each wait after it is twice as long.
    pub(super) first_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { try_count_max: 6, first_wait: Duration::from_millis(500) }
    }
}

impl Patience {
    /// How long to wait before try number `nth`, from 1, after this end of a stream; `None`: it is
    /// not worth one.
    pub(super) fn wait(self, problem: &anyhow::Error, nth: u32) -> Option<Duration> {
        if nth > self.try_count_max {
            return None;
        }
        let asked_for = match end_of(problem)? {
            End::Lost => Duration::ZERO,
            End::NotNow(wait) => wait,
        };
        let doubled = 2_u32.saturating_pow(nth - 1);
        Some(self.first_wait.saturating_mul(doubled).max(asked_for).min(WAIT_MAX))
    }
}

/// An end of a stream that is nobody's mistake.
enum End {
    /// The connection broke off.
    Lost,
    /// The node cannot take more right now.
    NotNow(Duration),
}

/// The node ended a stream of which not all was answered.
#[derive(Debug, thiserror::Error)]
#[error("the node ended the stream before its last answer")]
struct Unanswered;

/// Why a stream ended, for people.
pub(super) fn why(problem: &anyhow::Error) -> String {
    let status = problem.chain().find_map(|cause| cause.downcast_ref::<Status>());
    match status.filter(|status| std::error::Error::source(status).is_none()) {
        Some(status) if !status.message().is_empty() => {
            format!("the node says: {}", status.message())
        }
        _ => "the connection to the node was lost".to_owned(),
    }
}

fn end_of(problem: &anyhow::Error) -> Option<End> {
    if problem.chain().any(|cause| cause.is::<Unanswered>()) {
        return Some(End::Lost);
    }
    let status = problem.chain().find_map(|cause| cause.downcast_ref::<Status>())?;
    let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match (status.code(), retry_after) {
        (Code::Unavailable | Code::ResourceExhausted, Some(wait)) => Some(End::NotNow(wait)),
        (Code::Unavailable, None) => Some(End::Lost),
        // A status that has a source was made on this side, out of what the network did.
        _ => std::error::Error::source(status).map(|_| End::Lost),
    }
}

/// Sends all rows and takes all answers, each batch to `done` in the order of the file; says how many
/// rows the file has.
pub(super) async fn send(
    rows: Rows,
    node: &Client,
    is_check: bool,
    mut done: impl FnMut(&Pending, Option<&ImportLeadsResponse>) -> anyhow::Result<()>,
) -> anyhow::Result<i64> {
    let window = Arc::new(Semaphore::new(BATCH_COUNT_MAX));
    let (pending_sender, mut pending) = mpsc::unbounded_channel();
    let (request_sender, requests) = mpsc::channel(1);
    let pipe = Pipe {
        pending: pending_sender,
        requests: request_sender,
        window: Arc::clone(&window),
        runtime: tokio::runtime::Handle::current(),
        is_check,
    };
    let reading = tokio::task::spawn_blocking(move || read_all(rows, &pipe));
    let answered = answers(&mut pending, requests, node, &mut done).await;
    // Whatever ended the answers ends the reading too; it would wait for a place for ever.
    window.close();
    drop(pending);
    let read = reading.await.context("the reading ended badly")?;
    answered?;
    read
}

async fn answers(
    pending: &mut mpsc::UnboundedReceiver<Pending>,
    requests: mpsc::Receiver<ImportLeadsRequest>,
    node: &Client,
    done: &mut impl FnMut(&Pending, Option<&ImportLeadsResponse>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut intake = node.intake();
    let mut answers = intake.import_leads(ReceiverStream::new(requests)).await?.into_inner();
    while let Some(batch) = pending.recv().await {
        let answer = match batch.sent.is_empty() {
            true => None,
            false => Some(answers.message().await?.ok_or_else(|| anyhow!(Unanswered))?),
        };
        done(&batch, answer.as_ref())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    const PATIENCE: Patience = Patience { try_count_max: 3, first_wait: Duration::from_secs(1) };

    fn waits(problem: &anyhow::Error) -> Vec<Option<u64>> {
        (1..=4).map(|nth| PATIENCE.wait(problem, nth).map(|wait| wait.as_secs())).collect()
    }

    #[test]
    fn a_lost_connection_is_tried_again_a_few_times_ever_later() {
        let mut broken = Status::unknown("transport error");
        broken.set_source(Arc::new(std::io::Error::other("reset")));
        for problem in [Status::unavailable("stopping").into(), broken.into(), anyhow!(Unanswered)]
        {
            assert_eq!(waits(&problem), [Some(1), Some(2), Some(4), None], "{problem}");
        }
    }

    #[test]
    fn a_node_that_asks_for_time_gets_it() {
        let mut details = ErrorDetails::new();
        details.set_retry_info(Some(Duration::from_secs(3)));
        let full = Status::with_error_details(Code::ResourceExhausted, "full", details);
        assert_eq!(waits(&full.into()), [Some(3), Some(3), Some(4), None]);
    }

    #[test]
    fn a_refusal_is_not_tried_again() {
        for status in [
            Status::invalid_argument("too many rows"),
            Status::permission_denied("no"),
            Status::resource_exhausted("too large"),
        ] {
            assert_eq!(waits(&status.into()), [None; 4]);
        }
        assert_eq!(waits(&anyhow!("disk full")), [None; 4]);
    }
}

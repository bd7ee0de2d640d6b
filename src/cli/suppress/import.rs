//! `suppress import` suppresses a whole list: streamed, in batches that are durable when they are
//! answered. At the end the counts must add up to the values that were read, or the command fails.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::rows::{Columns, contact_of, read_values};
use crate::api::client::Client;
use crate::api::proto::{
    ImportSuppressionsRequest, ImportSuppressionsResponse, SuppressionRejection, SuppressionRow,
};
use crate::cli::output::{Output, count, facts};
use crate::cli::words::{Instant, duration_text, read_instant};
use crate::clock::{Clock as _, SystemClock};

/// Values of a batch; a node takes 20,000.
const BATCH_ROW_COUNT_MAX: usize = 10_000;
/// Batches that were sent and are not answered yet.
const BATCH_COUNT_MAX: usize = 3;

/// Suppress a list of numbers and e-mail addresses. Cannot be undone
#[derive(Debug, Args)]
#[command(after_help = "\
The file has one value a line, or is CSV whose header names columns (number, phone, mobile, email…),
or NDJSON; plain or gzip. What has an @ is an e-mail address. Open leads that carry one of the values
are closed at once. Importing a file again is safe: what is known stays as it is.

Values that are rejected go to FILE.rejected.csv with their rows and reasons, and make the exit code 1:
somebody may be called who said never.

Examples:
  nextlead suppress import do-not-call.txt --source \"national register\"
  nextlead suppress import optouts.csv.gz --source \"old crm\" --column tel --country DE")]
pub(super) struct ImportArgs {
    /// The file; - is standard input
    file: PathBuf,
    /// Where the wishes came from. Nothing personal
    #[arg(long, value_name = "TEXT")]
    source: String,
    /// The only column to read [default: all that hold numbers or addresses by their names]
    #[arg(long, value_name = "COLUMN")]
    column: Option<String>,
    /// The country of numbers without +: DE, US
    #[arg(long, value_name = "COUNTRY")]
    country: Option<String>,
    /// When the wishes end; from then on they bar nobody [default: never]
    #[arg(long, value_name = "INSTANT", value_parser = read_instant)]
    until: Option<Instant>,
    /// Where rejected values go [default: FILE.rejected.csv]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

/// The sums of all answers.
#[derive(Default)]
struct Sums {
    read: i64,
    suppressed: i64,
    known: i64,
    rejected: i64,
    closed: i64,
}

impl Sums {
    fn add(&mut self, sent: usize, answer: &ImportSuppressionsResponse) -> anyhow::Result<()> {
        let sent = i64::try_from(sent).unwrap_or(i64::MAX);
        let counted = answer.suppressed_count + answer.known_count + answer.rejected_count;
        ensure!(counted == sent, "the node counted {counted} of {sent} values of a batch");
        self.read += sent;
        self.suppressed += answer.suppressed_count;
        self.known += answer.known_count;
        self.rejected += answer.rejected_count;
        self.closed += answer.closed_count;
        Ok(())
    }
}

pub(super) async fn run(
    args: ImportArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let clock = SystemClock::start(0);
    let began_at = clock.now();
    let rejects = args.rejects.clone().unwrap_or_else(|| {
        let mut name = args.file.clone().into_os_string();
        name.push(".rejected.csv");
        name.into()
    });
    let (batches, mut read) = mpsc::channel(BATCH_COUNT_MAX);
    let reading = tokio::task::spawn_blocking(move || read_all(&args, &batches));
    let sums = stream(&mut read, &node, &rejects).await;
    // Whatever ended the stream ends the reading too.
    drop(read);
    let done = reading.await.context("the reading ended badly")?;
    let sums = sums?;
    done?;
    report(output, &sums, &rejects, clock.now() - began_at)?;
    Ok(if sums.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the file into batches.
fn read_all(args: &ImportArgs, to: &mpsc::Sender<ImportSuppressionsRequest>) -> anyhow::Result<()> {
    let now = SystemClock::start(0).now();
    let new_batch = |batch_number| ImportSuppressionsRequest {
        batch_number,
        rows: Vec::with_capacity(BATCH_ROW_COUNT_MAX),
        source: args.source.clone(),
        country: args.country.clone().unwrap_or_default(),
        until_time: args.until.map(|until| until.timestamp(now)),
    };
    let mut batch = new_batch(1);
    read_values(&args.file, &Columns(args.column.clone()), |row_number, value| {
        batch.rows.push(SuppressionRow { row_number, contact: Some(contact_of(value)) });
        if batch.rows.len() < BATCH_ROW_COUNT_MAX {
            return true;
        }
        let next = new_batch(batch.batch_number + 1);
        to.blocking_send(std::mem::replace(&mut batch, next)).is_ok()
    })?;
    if !batch.rows.is_empty() {
        // Nobody takes it any more: whoever stopped knows why.
        let _ = to.blocking_send(batch);
    }
    Ok(())
}

/// Sends all batches and takes all answers, a few batches apart.
async fn stream(
    read: &mut mpsc::Receiver<ImportSuppressionsRequest>,
    node: &Client,
    rejects: &Path,
) -> anyhow::Result<Sums> {
    let (requests, to_send) = mpsc::channel(BATCH_COUNT_MAX);
    let mut requests = Some(requests);
    let mut intake = node.intake();
    let answers = intake.import_suppressions(ReceiverStream::new(to_send)).await?;
    let mut answers = answers.into_inner();
    let mut pending: VecDeque<Vec<SuppressionRow>> = VecDeque::new();
    let mut sums = Sums::default();
    let mut writer = None;
    loop {
        while pending.len() < BATCH_COUNT_MAX
            && let Some(to) = &requests
        {
            let Some(batch) = read.recv().await else {
                requests = None;
                break;
            };
            pending.push_back(batch.rows.clone());
            if to.send(batch).await.is_err() {
                // The next answer says why.
                requests = None;
            }
        }
        let Some(sent) = pending.pop_front() else { break };
        let answer = answers.message().await?;
        let answer = answer.context("the node ended the stream before its last answer")?;
        sums.add(sent.len(), &answer)?;
        for rejection in &answer.rejections {
            write_reject(&mut writer, rejects, rejection)?;
        }
    }
    if let Some(writer) = &mut writer {
        writer.flush().with_context(|| format!("cannot write {}", rejects.display()))?;
    }
    Ok(sums)
}

fn write_reject(
    writer: &mut Option<csv::Writer<std::fs::File>>,
    path: &Path,
    one: &SuppressionRejection,
) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let writer = match writer {
        Some(writer) => writer,
        None => {
            let mut new = csv::Writer::from_path(path).with_context(cannot)?;
            new.write_record(["rejected_row", "rejected_reason"]).with_context(cannot)?;
            writer.insert(new)
        }
    };
    let rejection = one.rejection.clone().unwrap_or_default();
    let problems = rejection.problems.iter();
    let problems = problems.map(|one| format!("{}: {}", one.field, one.description));
    let reason = format!("{}: {}", rejection.reason, problems.collect::<Vec<_>>().join("; "));
    writer.write_record([one.row_number.to_string(), reason]).with_context(cannot)
}

fn report(output: Output, sums: &Sums, rejects: &Path, duration_ms: i64) -> anyhow::Result<()> {
    let has_rejects = sums.rejected > 0;
    if output.is_json {
        return output.document(&json!({
            "value_count": sums.read,
            "suppressed_count": sums.suppressed,
            "known_count": sums.known,
            "rejected_count": sums.rejected,
            "closed_count": sums.closed,
            "rejects_file": has_rejects.then(|| rejects.display().to_string()),
            "duration_ms": duration_ms,
        }));
    }
    let per_second = sums.read.saturating_mul(1_000) / duration_ms.max(1);
    let rejected = match has_rejects {
        true => format!("{}  see {}", count(sums.rejected), rejects.display()),
        false => count(sums.rejected),
    };
    output.text(&facts([
        ("values read", count(sums.read)),
        ("suppressed", count(sums.suppressed)),
        ("known before", count(sums.known)),
        ("rejected", rejected),
        ("leads closed", count(sums.closed)),
        ("took", format!("{} ({}/s)", duration_text(duration_ms), count(per_second))),
    ]))
}

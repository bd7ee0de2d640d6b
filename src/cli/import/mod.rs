//! `import` hands a file of leads over: streamed, in batches that are durable when they are answered.
//!
//! A thread reads and parses ([`batch`]), this one talks to the node and counts ([`tally`]). At the
//! end the counts must add up to the rows that were read, or the command fails: a lead that nobody
//! can account for is what nextlead exists to prevent.

mod batch;
mod mapping;
mod rejects;
mod rows;
mod source;
mod tally;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use batch::{BATCH_COUNT_MAX, Pending, Pipe, read_all};
use mapping::{Field, read_map, read_set};
use rejects::Rejects;
use rows::{Plan, Rows};
use source::{Format, read_delimiter};
use tally::Tally;

use super::output::{Output, count, facts};
use super::words::duration_text;
use crate::api::client::Client;
use crate::api::proto::ImportLeadsRequest;
use crate::clock::{Clock as _, SystemClock};

/// The value of `--id-column` that takes the rows' numbers.
const ROW_NUMBER: &str = "#";

/// Hand a file of leads over: CSV or NDJSON, plain or gzip
#[derive(Debug, Args)]
#[command(after_help = "\
Columns become the fields of their names: external_id, name, company, email, phone (or number,
numbers), time_zone, source, channel, trigger, stage, score, country, region, language, skills,
engagements, handed_over_time. Every other column becomes an attribute under its own name. A cell
may hold several numbers or skills, apart by , ; or |. An empty cell was not given. An instant
without an offset is taken as UTC.

The type of an attribute is inferred cell by cell: a whole number, a decimal, true or false where
the text would come back the same, else text. Where a whole column must have one type, name it:
--map 'postcode=attributes.postcode:string'.

Rows that are rejected, here or by the node, go to FILE.rejected.csv with their row, line and
reason; corrected, that file can be imported as it is. They are no failure, the exit code is 0,
unless every row was rejected. Importing a file again is safe: rows that had arrived are unchanged.

Examples:
  nextlead import leads.csv.gz --campaign spring --source-system crm --id-column lead_id \\
      --map mobile=phone --set time_zone=Europe/Berlin
  nextlead import leads.ndjson --campaign spring --source-system crm")]
pub(super) struct ImportArgs {
    /// The file; - is standard input
    file: PathBuf,
    /// The campaign that the leads belong to; it must exist
    #[arg(long, value_name = "CAMPAIGN")]
    campaign: String,
    /// The system that hands them over: with the external id and the campaign, it tells leads apart
    #[arg(long, value_name = "SYSTEM")]
    source_system: String,
    /// The column with the external id; # takes the rows' numbers [default: external_id]
    #[arg(long, value_name = "COLUMN")]
    id_column: Option<String>,
    /// What a column becomes: a field, attributes.NAME[:bool|int|double|string], or - for nothing
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = read_map)]
    map: Vec<(String, Field)>,
    /// A value for every row whose own cell is empty or absent
    #[arg(long, value_name = "FIELD=VALUE", value_parser = read_set)]
    set: Vec<(Field, String)>,
    /// What is between the cells [default: the one of , ; and tab that the header uses]
    #[arg(long, value_name = "CHARACTER", value_parser = read_delimiter)]
    delimiter: Option<u8>,
    /// How the rows are written [default: told by the first line]
    #[arg(long)]
    format: Option<Format>,
    /// Where rejected rows go [default: FILE.rejected.csv]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

impl ImportArgs {
    fn plan(&self) -> Plan {
        let is_id_row_number = self.id_column.as_deref() == Some(ROW_NUMBER);
        let id_column = self.id_column.clone().filter(|_| !is_id_row_number);
        let id_column = id_column.map(|column| (column, Field::ExternalId));
        Plan {
            campaign_id: self.campaign.clone(),
            source_system: self.source_system.clone(),
            maps: id_column.into_iter().chain(self.map.iter().cloned()).collect(),
            sets: self.set.clone(),
            is_id_row_number,
        }
    }

    fn rejects_path(&self) -> PathBuf {
        self.rejects.clone().unwrap_or_else(|| {
            let is_input = self.file == Path::new("-");
            let mut name = if is_input { "import".into() } else { OsString::from(&self.file) };
            name.push(".rejected.csv");
            name.into()
        })
    }
}

pub(super) async fn run(
    args: ImportArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let clock = SystemClock::start(0);
    let began_at = clock.now();
    let source = source::open(&args.file, args.format, args.delimiter)?;
    let progress = Progress::new(source.length, Arc::clone(&source.read_bytes), output);
    let rows = Rows::new(source, args.plan())
        .with_context(|| format!("cannot import {}", args.file.display()))?;
    let rejects_path = args.rejects_path();
    ensure!(
        rejects_path != args.file,
        "the rejected rows would overwrite the file that they come from; see --rejects"
    );
    let mut import = Import {
        tally: Tally::default(),
        rejects: Rejects::new(rejects_path, rows.header()),
        progress,
    };

    let outcome = import.stream(rows, &node).await;
    import.progress.bar.finish_and_clear();
    import.rejects.flush()?;
    let tally = import.tally;
    let row_count = outcome.with_context(|| {
        format!(
            "{} ended early: {} rows are durable, {} were rejected; import it again, rows that had \
             arrived will be unchanged",
            args.file.display(),
            count(tally.taken()),
            count(tally.rejected),
        )
    })?;
    ensure!(
        tally.total() == row_count,
        "{row_count} rows were read, and {} are accounted for: {tally:?}",
        tally.total()
    );
    let duration_ms = clock.now() - began_at;
    // Some bad rows are business as usual; a file of nothing else is a mistake in the call.
    let is_all_rejected = tally.taken() == 0 && tally.rejected > 0;
    report(output, row_count, tally, import.rejects.path(), duration_ms)?;
    Ok(if is_all_rejected { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

struct Import {
    tally: Tally,
    rejects: Rejects,
    progress: Progress,
}

impl Import {
    /// Sends all rows and takes all answers; says how many rows there were.
    async fn stream(&mut self, rows: Rows, node: &Client) -> anyhow::Result<i64> {
        let window = Arc::new(Semaphore::new(BATCH_COUNT_MAX));
        let (pending_sender, mut pending) = mpsc::unbounded_channel();
        let (request_sender, requests) = mpsc::channel(1);
        let pipe = Pipe {
            pending: pending_sender,
            requests: request_sender,
            window: Arc::clone(&window),
            runtime: tokio::runtime::Handle::current(),
        };
        let reading = tokio::task::spawn_blocking(move || read_all(rows, &pipe));
        let answered = self.answers(&mut pending, requests, node).await;
        // Whatever ended the answers ends the reading too; it would wait for a place for ever.
        window.close();
        drop(pending);
        let read = reading.await.context("the reading ended badly")?;
        answered?;
        read
    }

    async fn answers(
        &mut self,
        pending: &mut mpsc::UnboundedReceiver<Pending>,
        requests: mpsc::Receiver<ImportLeadsRequest>,
        node: &Client,
    ) -> anyhow::Result<()> {
        let mut intake = node.intake();
        let mut answers = intake.import_leads(ReceiverStream::new(requests)).await?.into_inner();
        while let Some(batch) = pending.recv().await {
            let answer = match batch.sent.is_empty() {
                true => None,
                false => {
                    let answer = answers.message().await?;
                    Some(answer.context("the node ended the stream before its last answer")?)
                }
            };
            self.tally.add(&batch, answer.as_ref(), &mut self.rejects)?;
            self.progress.show(&self.tally);
        }
        Ok(())
    }
}

/// A bar by the bytes of the file, on a terminal; nothing elsewhere.
struct Progress {
    bar: ProgressBar,
    read_bytes: Arc<AtomicU64>,
}

impl Progress {
    fn new(length: Option<u64>, read_bytes: Arc<AtomicU64>, output: Output) -> Self {
        let bar = ProgressBar::with_draw_target(length, output.progress_target());
        let template = match length {
            Some(_) => "{bar:30} {percent:>3} %  {msg}  {eta} left",
            None => "{spinner} {msg}",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the template is well-formed"));
        Self { bar, read_bytes }
    }

    fn show(&self, tally: &Tally) {
        let elapsed_ms = self.bar.elapsed().as_millis().max(1);
        let per_second = i128::from(tally.total()) * 1_000 / elapsed_ms.cast_signed();
        let per_second = count(i64::try_from(per_second).unwrap_or(i64::MAX));
        let rejected = match tally.rejected {
            0 => String::new(),
            rejected => format!(", {} rejected", count(rejected)),
        };
        let rows = count(tally.total());
        self.bar.set_message(format!("{rows} rows, {per_second}/s{rejected}"));
        self.bar.set_position(self.read_bytes.load(Ordering::Relaxed));
    }
}

fn report(
    output: Output,
    row_count: i64,
    tally: Tally,
    rejects: Option<&Path>,
    duration_ms: i64,
) -> anyhow::Result<()> {
    let Tally { opened, updated, unchanged, merged, rejected } = tally;
    if output.is_json {
        return output.document(&json!({
            "row_count": row_count,
            "opened_count": opened,
            "updated_count": updated,
            "unchanged_count": unchanged,
            "merged_count": merged,
            "rejected_count": rejected,
            "rejects_file": rejects.map(|path| path.display().to_string()),
            "duration_ms": duration_ms,
        }));
    }
    let per_second = row_count.saturating_mul(1_000) / duration_ms.max(1);
    let took = format!("{} ({} rows/s)", duration_text(duration_ms), count(per_second));
    let rejected = match rejects {
        Some(path) => format!("{}  see {}", count(rejected), path.display()),
        None => count(rejected),
    };
    output.text(&facts([
        ("rows read", count(row_count)),
        ("opened", count(opened)),
        ("updated", count(updated)),
        ("unchanged", count(unchanged)),
        ("merged", count(merged)),
        ("rejected", rejected),
        ("took", took),
    ]))
}

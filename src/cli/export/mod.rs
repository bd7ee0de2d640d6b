//! `export` writes leads, touches or books into a file that other programs read: CSV for people and
//! their spreadsheets, NDJSON for programs.
//!
//! Rows are written as they come and never gathered, so an export of millions takes no more memory
//! than one of ten.

mod cell;
mod file;
mod rows;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use cell::Sheet;
use file::OutFile;

use super::output::{Output, count, facts};
use super::words::{Instant, read_since};
use crate::api::client::Client;
use crate::api::proto::{ExportLeadsRequest, ExportTouchesRequest, GetCoverageRequest};
use crate::clock::{Clock as _, SystemClock};

#[derive(Debug, Subcommand)]
pub(super) enum ExportCommand {
    Leads(LeadsArgs),
    Touches(TouchesArgs),
    Coverage(CoverageRowsArgs),
}

/// Export leads, open and closed, with where they stand
#[derive(Debug, Args)]
#[command(after_help = "\
The columns of an import keep their names; what nextlead adds begins with 'nextlead.', which an
import leaves out. Attributes are one column of JSON; --attribute gives one a column of its own.
NDJSON is exact and can be imported again, without --campaign and --source-system even.

In CSV every cell is quoted, and a text that a spreadsheet could take for a formula begins with
an apostrophe: one that begins with = + - @ ' a tab, a line break or NUL, or with a full-width
= + - @. So do phone numbers, as they begin with +. NDJSON has no such marks: use it for programs.

Examples:
  nextlead export leads --campaign spring --out spring.csv
  nextlead export leads --since 24h --format ndjson --out changed.ndjson.gz")]
pub(super) struct LeadsArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Only what changed since: an instant with its offset, or how long ago (24h)
    #[arg(long, value_name = "INSTANT", value_parser = read_since)]
    since: Option<Instant>,
    /// An attribute that gets a column of its own in CSV; may be given often
    #[arg(long = "attribute", value_name = "NAME")]
    attributes: Vec<String>,
    #[command(flatten)]
    out: OutArgs,
}

/// Export touches, in the order in which they were recorded
#[derive(Debug, Args)]
#[command(after_help = "\
Notes are only for managers; marketing gets them empty, and numbers masked. For how CSV keeps
spreadsheets from taking a text for a formula see 'nextlead export leads --help'.

Example:
  nextlead export touches --queue inside-sales --since 7d --out touches.csv.gz")]
pub(super) struct TouchesArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Only what was recorded since: an instant with its offset, or how long ago (24h)
    #[arg(long, value_name = "INSTANT", value_parser = read_since)]
    since: Option<Instant>,
    #[command(flatten)]
    out: OutArgs,
}

/// Export the books: where every handover stands, by campaign and source
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nextlead export coverage --out coverage.csv")]
pub(super) struct CoverageRowsArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    out: OutArgs,
}

/// Of whose leads.
#[derive(Debug, Args)]
struct ScopeArgs {
    /// Only leads of this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Only leads of this campaign
    #[arg(long, value_name = "CAMPAIGN")]
    campaign: Option<String>,
}

/// Where to, and how.
#[derive(Debug, Args)]
struct OutArgs {
    /// How rows are written [default: told by the file's name, else csv, or ndjson with --json]
    #[arg(long)]
    format: Option<RowFormat>,
    /// The file, packed if its name ends in .gz; it appears whole or not at all [default: standard
    /// output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RowFormat {
    /// A header line, then a row a line, every cell in quotes
    Csv,
    /// A JSON object a line
    Ndjson,
}

impl OutArgs {
    fn format(&self, output: Output) -> RowFormat {
        let name = self.out.as_ref().map(|path| path.to_string_lossy().to_ascii_lowercase());
        let name = name.as_deref().map(|name| name.strip_suffix(".gz").unwrap_or(name));
        let is_ndjson = match name {
            Some(name) => name.ends_with(".ndjson") || name.ends_with(".jsonl"),
            None => output.is_json,
        };
        self.format.unwrap_or(if is_ndjson { RowFormat::Ndjson } else { RowFormat::Csv })
    }
}

pub(super) async fn run(
    command: ExportCommand,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let now = SystemClock::start(0).now();
    match command {
        ExportCommand::Leads(args) => leads(args, node, output, now).await,
        ExportCommand::Touches(args) => touches(args, node, output, now).await,
        ExportCommand::Coverage(args) => coverage(args, node, output).await,
    }
}

async fn leads(
    args: LeadsArgs,
    node: Client,
    output: Output,
    now: i64,
) -> anyhow::Result<ExitCode> {
    let mut writing = Writing::begin(&args.out, output, rows::lead_columns(&args.attributes))?;
    let request = ExportLeadsRequest {
        queue_id: args.scope.queue.unwrap_or_default(),
        campaign_id: args.scope.campaign.unwrap_or_default(),
        changed_since_time: args.since.map(|since| since.timestamp(now)),
    };
    let mut answers = node.coverage().export_leads(request).await?.into_inner();
    while let Some(answer) = answers.message().await.context("the export broke off")? {
        for lead in &answer.leads {
            if !writing.row(&rows::lead(lead)?)? {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    writing.end(output)
}

async fn touches(
    args: TouchesArgs,
    node: Client,
    output: Output,
    now: i64,
) -> anyhow::Result<ExitCode> {
    let mut writing = Writing::begin(&args.out, output, rows::touch_columns())?;
    let request = ExportTouchesRequest {
        queue_id: args.scope.queue.unwrap_or_default(),
        campaign_id: args.scope.campaign.unwrap_or_default(),
        recorded_since_time: args.since.map(|since| since.timestamp(now)),
    };
    let mut answers = node.coverage().export_touches(request).await?.into_inner();
    while let Some(answer) = answers.message().await.context("the export broke off")? {
        for touch in &answer.touches {
            if !writing.row(&rows::touch(touch)?)? {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    writing.end(output)
}

async fn coverage(
    args: CoverageRowsArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let mut writing = Writing::begin(&args.out, output, rows::book_columns())?;
    let request = GetCoverageRequest {
        queue_id: args.scope.queue.unwrap_or_default(),
        campaign_id: args.scope.campaign.unwrap_or_default(),
    };
    let answer = node.coverage().get_coverage(request).await?.into_inner();
    for book in &answer.books {
        if !writing.row(&rows::book(book, answer.read_time.as_ref())?)? {
            return Ok(ExitCode::SUCCESS);
        }
    }
    writing.end(output)
}

/// An export on its way into its file.
struct Writing {
    file: OutFile,
    sheet: Option<Sheet>,
    line: Vec<u8>,
    row_count: i64,
    bar: ProgressBar,
}

impl Writing {
    fn begin(args: &OutArgs, output: Output, columns: Vec<String>) -> anyhow::Result<Self> {
        let mut file = OutFile::create(args.out.as_deref())?;
        let sheet = (args.format(output) == RowFormat::Csv).then(|| Sheet::new(columns));
        let mut line = Vec::new();
        if let Some(sheet) = &sheet {
            sheet.header(&mut line)?;
            file.write_all(&line).with_context(|| file.problem())?;
        }
        let target = match args.out {
            Some(_) => output.progress_target(),
            None => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{spinner} {msg}");
        bar.set_style(style.expect("the template is well-formed"));
        Ok(Self { file, sheet, line, row_count: 0, bar })
    }

    /// Writes a row; false if nobody reads on (`| head`).
    fn row(&mut self, row: &Value) -> anyhow::Result<bool> {
        self.line.clear();
        match &self.sheet {
            Some(sheet) => sheet.row(row, &mut self.line)?,
            None => {
                serde_json::to_writer(&mut self.line, row)?;
                self.line.push(b'\n');
            }
        }
        match self.file.write_all(&self.line) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            written => written.with_context(|| self.file.problem())?,
        }
        self.row_count += 1;
        if self.row_count % 1_000 == 0 {
            self.bar.set_message(format!("{} rows", count(self.row_count)));
            self.bar.tick();
        }
        Ok(true)
    }

    /// Puts the file in its place, and says so.
    fn end(self, output: Output) -> anyhow::Result<ExitCode> {
        self.bar.finish_and_clear();
        let problem = self.file.problem();
        if let Some(path) = self.file.finish().context(problem)? {
            let path = path.display().to_string();
            match output.is_json {
                true => output.document(&json!({"row_count": self.row_count, "file": path}))?,
                false => {
                    output.text(&facts([("rows", count(self.row_count)), ("file", path)]))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_told_by_the_name_unless_it_is_named() {
        let format = |out: Option<&str>, format, is_json| {
            OutArgs { format, out: out.map(Into::into) }.format(Output { is_json })
        };
        assert_eq!(format(None, None, false), RowFormat::Csv);
        assert_eq!(format(None, None, true), RowFormat::Ndjson);
        assert_eq!(format(Some("a.csv"), None, true), RowFormat::Csv);
        assert_eq!(format(Some("A.NDJSON.GZ"), None, false), RowFormat::Ndjson);
        assert_eq!(format(Some("a.ndjson"), Some(RowFormat::Csv), false), RowFormat::Csv);
    }

    #[test]
    fn since_is_an_instant_or_how_long_ago() {
        assert_eq!(read_since("24h"), Ok(Instant::In(-86_400_000)));
        assert_eq!(read_since("1970-01-01T01:00:00+01:00"), Ok(Instant::At(0)));
        assert!(read_since("+2h").is_err() && read_since("yesterday").is_err());
    }
}

//! `import` hands a file of leads over: streamed, in batches that are durable when they are answered.
//!
//! A thread reads and parses ([`batch`]), this one talks to the node ([`sending`]) and counts
//! ([`tally`]). At the end the counts must add up to the rows that were read, or the command fails: a
//! lead that nobody can account for is what nextlead exists to prevent. What ends an import early
//! leaves a mark ([`resume`]) from which it goes on.

mod args;
mod batch;
mod cell;
mod check;
mod declared;
mod encoding;
mod field;
mod mapping;
mod ndjson;
mod plan;
mod reading;
mod rejects;
mod resume;
mod rows;
mod sending;
mod shown;
mod source;
mod tally;
#[cfg(test)]
mod tests;
mod types;
mod written;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use rejects::Rejects;
use resume::Bookmark;
use rows::{Layout, Rows};
use sending::{Patience, send, why};
use shown::{Shown, is_meant};
pub(super) use source::{Format, Source, Stated, open};
use tally::Tally;
use written::Shape;

use super::output::{Output, count, facts, printable};
use super::words::duration_text;
use crate::api::client::Client;
use crate::clock::{Clock as _, SystemClock};

pub(super) use args::ImportArgs;

/// How many rows are looked at to infer types.
const SAMPLE_ROW_COUNT: usize = 10_000;

pub(super) async fn run(
    args: ImportArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    run_with(args, node, output, Patience::default()).await
}

async fn run_with(
    args: ImportArgs,
    node: Client,
    output: Output,
    patience: Patience,
) -> anyhow::Result<ExitCode> {
    let clock = SystemClock::start(0);
    let began_at = clock.now();
    let mapping = args.mapping()?;
    let stated = args.stated(&mapping);
    let rejects_path = args.rejects_path();
    ensure!(
        rejects_path != args.file,
        "the rejected rows would overwrite the file that they come from; see --rejects"
    );
    let source = source::open(&args.file, stated)?;
    let shape =
        Shape { format: source.format, delimiter: source.delimiter, encoding: source.encoding };
    let progress = Progress::new(source.length, Arc::clone(&source.read_bytes), output);
    let mut rows = Rows::new(source, args.plan(mapping))
        .with_context(|| format!("cannot import {}", args.file.display()))?;
    let shown = look(&mut rows, &node).await?;
    let mapping = written::mapping(rows.layout(), shape);
    if let Some(path) = &args.write_mapping {
        std::fs::write(path, &mapping)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.dry_run {
        return check::run(rows, &node, &shown, &progress, output).await;
    }
    let is_answered = args.yes || args.has_mapping() || output.is_json || args.is_stream();
    let is_question = shown.has_guesses() && !is_answered;
    ensure!(!is_question || is_meant(&shown)?, "nothing was imported");
    // What the header and the first rows told of how the file is written holds when it is read again.
    let stated = Stated {
        format: Some(shape.format),
        delimiter: Some(shape.delimiter),
        encoding: stated.encoding,
    };
    let mut import = Import::begin(&args, &mapping, rows.header(), progress)?;
    let done = import.tally.total();
    if done > 0 {
        rows = import.open(&args.file, stated, rows.layout().clone())?;
    }
    let outcome = import.send_all(&args.file, stated, rows, &node, patience).await;
    import.progress.finish();
    import.rejects.flush()?;
    let tally = import.tally;
    let row_count = outcome.with_context(|| import.ended_early(&args.file))?;
    ensure!(
        tally.total() == row_count,
        "{row_count} rows were read, and {} are accounted for: {tally:?}",
        tally.total()
    );
    if let Some(bookmark) = &import.bookmark {
        bookmark.remove()?;
    }
    let duration_ms = clock.now() - began_at;
    // Some bad rows are business as usual; a file of nothing else is a mistake in the call.
    let is_all_rejected = tally.taken() == 0 && tally.rejected > 0;
    report(output, row_count, tally, import.rejects.path(), duration_ms)?;
    Ok(if is_all_rejected { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Looks at the first rows and at the queue's rules, and settles what every column becomes.
async fn look(rows: &mut Rows, node: &Client) -> anyhow::Result<Shown> {
    let campaign = rows.layout().plan.campaign_id.clone();
    let (declared, note) = match declared::declared_kinds(node, &campaign).await {
        Ok(declared) => (declared, None),
        Err(note) => (types::DeclaredKinds::new(), Some(note)),
    };
    let (profiles, row_count) = rows.settle(SAMPLE_ROW_COUNT, declared)?;
    let columns = rows.layout().columns.clone();
    Ok(Shown { columns, profiles, row_count, is_all: row_count < SAMPLE_ROW_COUNT, note })
}

struct Import {
    tally: Tally,
    rejects: Rejects,
    /// Where to note how far it came; `None`: the input cannot be read twice.
    bookmark: Option<Bookmark>,
    /// Whether the note can be written.
    is_noted: bool,
    progress: Progress,
}

impl Import {
    /// Begins an import, or goes on with the one that the bookmark tells of.
    fn begin(
        args: &ImportArgs,
        mapping: &str,
        header: Vec<String>,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        let path = args.rejects_path();
        let mut import = Self {
            tally: Tally::default(),
            rejects: Rejects::none(),
            bookmark: None,
            is_noted: false,
            progress,
        };
        if args.is_stream() {
            ensure!(!args.resume, "only a file can be gone on with: what was read before is gone");
            import.rejects = Rejects::new(path, header);
            return Ok(import);
        }
        let bookmark = Bookmark::new(args.bookmark_path(), &args.file, mapping, &path)?;
        let mark = if args.resume { bookmark.read()? } else { None };
        if !args.resume && bookmark.is_there() {
            let path = bookmark.path().display();
            import.progress.note(&format!(
                "{path} tells of an earlier import; --resume would have gone on with it"
            ));
        }
        import.rejects = match &mark {
            Some(mark) => Rejects::again(path, header, mark.rejects_length)?,
            None => Rejects::new(path, header),
        };
        import.tally = mark.map(|mark| mark.tally).unwrap_or_default();
        import.bookmark = Some(bookmark);
        import.is_noted = true;
        Ok(import)
    }

    /// Opens the file again, behind the rows that are done with.
    fn open(&mut self, file: &Path, stated: Stated, layout: Layout) -> anyhow::Result<Rows> {
        let source = source::open(file, stated)?;
        self.progress.follow(Arc::clone(&source.read_bytes));
        Rows::again(source, layout, self.tally.total())
    }

    /// Sends all rows, over as many connections as it takes; says how many rows the file has.
    async fn send_all(
        &mut self,
        file: &Path,
        stated: Stated,
        mut rows: Rows,
        node: &Client,
        patience: Patience,
    ) -> anyhow::Result<i64> {
        let layout = rows.layout().clone();
        let mut try_count = 0;
        loop {
            let before = self.tally.total();
            let sent = send(rows, node, false, |pending, answer| self.done(pending, answer)).await;
            let problem = match sent {
                Ok(row_count) => return Ok(row_count),
                Err(problem) => problem,
            };
            try_count = if self.tally.total() > before { 1 } else { try_count + 1 };
            // Rows that cannot be read again cannot be sent again.
            let can_reopen = self.bookmark.is_some();
            let wait = patience.wait(&problem, try_count).filter(|_| can_reopen);
            let Some(wait) = wait else { return Err(problem) };
            let wait_text = duration_text(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            self.progress.note(&format!("{}; trying again in {wait_text}", why(&problem)));
            tokio::time::sleep(wait).await;
            if let Some(bookmark) = &self.bookmark {
                bookmark.check_input()?;
            }
            rows = self.open(file, stated, layout.clone())?;
        }
    }

    /// Takes a batch that is answered: counts it, keeps what was rejected, notes how far it came.
    fn done(
        &mut self,
        pending: &batch::Pending,
        answer: Option<&crate::api::proto::ImportLeadsResponse>,
    ) -> anyhow::Result<()> {
        // What a batch rejected is in the file before the note says that the batch is done with.
        let mut tally = self.tally;
        for (original, why) in tally.add(pending, answer)? {
            self.rejects.add(original, &why)?;
        }
        self.tally = tally;
        let rejects_length = self.rejects.flush()?;
        if let Some(bookmark) = self.bookmark.as_ref().filter(|_| self.is_noted)
            && let Err(problem) = bookmark.save(&self.tally, rejects_length)
        {
            self.progress
                .note(&format!("{problem:#}; this import cannot be gone on with if it ends early"));
            self.is_noted = false;
        }
        self.progress.show(&self.tally);
        Ok(())
    }

    fn ended_early(&self, file: &Path) -> String {
        // Whoever was refused at the door has nothing to go on with.
        let how = if self.is_noted && self.tally.total() > 0 {
            "go on with --resume, or import it again"
        } else {
            "import it again"
        };
        format!(
            "{} ended early: {} rows are durable, {} were rejected; {how}: rows that had arrived \
             will be unchanged",
            file.display(),
            count(self.tally.taken()),
            count(self.tally.rejected),
        )
    }
}

/// A bar by the bytes of the file, on a terminal; nothing elsewhere.
struct Progress {
    bar: ProgressBar,
    read_bytes: Arc<AtomicU64>,
    /// A program reads standard error: errors, and nothing else.
    is_silent: bool,
}

impl Progress {
    fn new(length: Option<u64>, read_bytes: Arc<AtomicU64>, output: Output) -> Self {
        let bar = ProgressBar::with_draw_target(length, output.progress_target());
        let template = match length {
            Some(_) => "{bar:30} {percent:>3} %  {msg}  {eta} left",
            None => "{spinner} {msg}",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the template is well-formed"));
        Self { bar, read_bytes, is_silent: output.is_json }
    }

    /// Goes on with a file that is read again.
    fn follow(&mut self, read_bytes: Arc<AtomicU64>) {
        self.read_bytes = read_bytes;
    }

    /// Tells people what they may want to know meanwhile.
    fn note(&self, text: &str) {
        if !self.is_silent {
            self.bar.suspend(|| eprintln!("note: {}", printable(text)));
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
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
    let Tally { opened, updated, unchanged, merged, rejected, accepted: _, kept_as_text } = tally;
    if output.is_json {
        return output.document(&json!({
            "row_count": row_count,
            "opened_count": opened,
            "updated_count": updated,
            "unchanged_count": unchanged,
            "merged_count": merged,
            "rejected_count": rejected,
            "kept_as_text_count": kept_as_text,
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
    let kept = if kept_as_text == 0 { String::new() } else { count(kept_as_text) };
    output.text(&facts([
        ("rows read", count(row_count)),
        ("opened", count(opened)),
        ("updated", count(updated)),
        ("unchanged", count(unchanged)),
        ("merged", count(merged)),
        ("rejected", rejected),
        ("with a value that stayed a text", kept),
        ("took", took),
    ]))
}

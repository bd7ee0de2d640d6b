//! `backup` fetches a copy of a running node's store. The file appears whole and checked under its
//! name, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use prost_types::Timestamp;
use sha2::{Digest as _, Sha256};
use tonic::Streaming;

use super::output::{Output, count, facts};
use super::serve::Signals;
use super::words::instant_text;
use crate::api::client::Client;
use crate::api::proto::backup_response::Part;
use crate::api::proto::{BackupRequest, BackupResponse};

const TEMPLATE: &str = "{msg:20} {wide_bar} {binary_bytes}/{binary_total_bytes} {elapsed}";

/// Copy the store of a running node into a file
#[derive(Debug, Args)]
#[command(after_help = "\
The copy holds all that was acknowledged before the command began. It is checked against the node's
checksum, readable by you alone, and holds personal data: keep it as you keep the store. On its disk
the node needs room for another copy while this runs.

Examples:
  nextlead backup --out nextlead-monday.backup
  nextlead restore nextlead-monday.backup --store sqlite://nextlead.db --keep-tokens")]
pub(super) struct BackupArgs {
    /// Where the copy goes; a file that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Overwrite the file, once the copy is complete
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(
    args: BackupArgs,
    node: Client,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let BackupArgs { out, force } = args;
    ensure!(force || !out.exists(), "{} is there already; --force overwrites it", out.display());
    let mut signals = Signals::catch().context("could not catch signals")?;
    let partial = Partial::beside(&out)?;
    let fetched = tokio::select! {
        fetched = fetch(node, &partial) => fetched?,
        () = signals.next() => bail!("interrupted; there is no backup"),
    };
    partial.keep(&out, force)?;
    let Fetched { length, sha256, last_event_time } = fetched;
    let time = instant_text(last_event_time.as_ref());
    if output.is_json {
        output.document(&serde_json::json!({
            "file": out,
            "length": length,
            "sha256": sha256,
            "last_event_time": last_event_time.map(|_| &time),
        }))?;
    } else {
        output.text(&facts([
            ("backup", out.display().to_string()),
            ("bytes", count(length)),
            ("holds all up to", time),
            ("sha256", sha256),
        ]))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What was fetched.
struct Fetched {
    length: i64,
    sha256: String,
    last_event_time: Option<Timestamp>,
}

async fn fetch(node: Client, partial: &Partial) -> anyhow::Result<Fetched> {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(TEMPLATE).expect("the template is constant"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.set_message("the node copies");
    let mut parts = node.admin().backup(BackupRequest {}).await?.into_inner();
    let Some(Part::Begin(begin)) = next(&mut parts).await? else {
        bail!("the node's answer makes no sense: it has no beginning");
    };
    bar.set_length(begin.length.unsigned_abs());
    bar.set_message("fetching");
    let mut hash = Sha256::new();
    let mut length = 0_i64;
    let mut file = &partial.file;
    loop {
        match next(&mut parts).await? {
            Some(Part::Chunk(chunk)) => {
                file.write_all(&chunk).context("could not write the backup")?;
                hash.update(&chunk);
                length += i64::try_from(chunk.len()).expect("a message is small");
                bar.inc(chunk.len() as u64);
            }
            Some(Part::End(end)) => {
                let sha256 = hash.finalize();
                ensure!(
                    length == begin.length && end.sha256 == sha256.as_slice(),
                    "the backup was damaged on its way: its length or checksum is wrong"
                );
                bar.finish_and_clear();
                let sha256 = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
                return Ok(Fetched { length, sha256, last_event_time: begin.last_event_time });
            }
            _ => bail!("the node's answer ended before the backup was complete"),
        }
    }
}

async fn next(parts: &mut Streaming<BackupResponse>) -> anyhow::Result<Option<Part>> {
    Ok(parts.message().await?.and_then(|answer| answer.part))
}

/// The file while it is not complete; gone with this unless it is kept.
struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    fn beside(out: &Path) -> anyhow::Result<Self> {
        let Some(name) = out.file_name() else { bail!("{} names no file", out.display()) };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.partial", std::process::id()));
        let path = out.with_file_name(hidden);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(&path);
        let file = file.with_context(|| format!("could not make {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Gives it its name, once it is on the disk.
    fn keep(self, out: &Path, overwrites: bool) -> anyhow::Result<()> {
        let kept = self.file.sync_all().and_then(|()| match overwrites {
            true => fs::rename(&self.path, out),
            // A link fails if the name is taken by now, as a renaming would not.
            false => fs::hard_link(&self.path, out).or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Err(error),
                // Some file systems have no links.
                _ if out.exists() => Err(io::ErrorKind::AlreadyExists.into()),
                _ => fs::rename(&self.path, out),
            }),
        });
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let kept = kept.and_then(|()| File::open(folder)?.sync_all());
        kept.with_context(|| format!("could not write {}", out.display()))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

//! The node that is loaded unless another one is named: the real one, in a process of its own, with a
//! store in a folder that is thrown away.
//!
//! A process, so that its memory and its CPU time are its own, and the calls of this command take
//! nothing of its one network thread. It stops when its standard input ends, which happens also if this
//! command is killed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::cli::connect::ServerArgs;
use crate::cli::scratch::Scratch;
use crate::clock::Stopwatch;

/// How much of its log is shown if it does not start.
const LOG_LINE_COUNT: usize = 20;

/// The variables that name files with passwords, which the node is given too.
pub(super) const PASSWORD_FILES: [&str; 2] =
    ["NEXTLEAD_STORE_PASSWORD_FILE", "NEXTLEAD_QUEUE_PASSWORD_FILE"];

/// Where the node keeps what; `None`: as it does by default.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// The store's URL; `None`: a file in the folder that is thrown away.
    pub(super) store: Option<String>,
    /// The queue index's URL; `None`: in the node's own process.
    pub(super) queue: Option<String>,
}

/// A node in a process of its own.
#[derive(Debug)]
pub(super) struct OwnNode {
    child: Child,
    /// How to call it.
    pub(super) server: ServerArgs,
    /// How long it took until it was ready.
    pub(super) start: Duration,
    scratch: Scratch,
    places: Places,
}

impl OwnNode {
    /// Starts a node, and waits until it is ready.
    pub(super) async fn start(places: Places) -> anyhow::Result<Self> {
        Self::start_in(Scratch::make("load")?, places).await
    }

    async fn start_in(scratch: Scratch, places: Places) -> anyhow::Result<Self> {
        let watch = Stopwatch::start();
        let mut child = command(&scratch, &places)?.spawn().context("could not start a node")?;
        let stdout = child.stdout.take().context("a node has an output")?;
        let said = tokio::task::spawn_blocking(move || first_document(stdout)).await?;
        let start = watch.elapsed();
        let Some(said) = said else {
            let _ = (child.kill(), child.wait());
            bail!("the node did not start:\n{}", log_end(&scratch));
        };
        let address = said["address"].as_str().context("the node does not say where it listens")?;
        let token = said["token_file"].as_str().context("the node does not say its token")?;
        let server = ServerArgs::of(address, scratch.path().join(token));
        Ok(Self { child, server, start, scratch, places })
    }

    /// Stops it and starts it again over the same store.
    pub(super) async fn restart(self) -> anyhow::Result<Self> {
        let (scratch, places) = self.end().await?;
        Self::start_in(scratch, places).await
    }

    /// Stops it, and throws its store away.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.end().await.map(drop)
    }

    async fn end(mut self) -> anyhow::Result<(Scratch, Places)> {
        // It ends when its input does, and its connections' other ends are gone.
        drop(self.child.stdin.take());
        let (scratch, places) = (self.scratch, self.places);
        let mut child = self.child;
        let ended = tokio::task::spawn_blocking(move || child.wait()).await??;
        ensure!(ended.success(), "the node did not end well:\n{}", log_end(&scratch));
        Ok((scratch, places))
    }

    /// What the machine tells about its process.
    pub(super) fn usage(&self) -> Usage {
        Usage::of(self.child.id())
    }
}

fn command(scratch: &Scratch, places: &Places) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let log = File::create(scratch.path().join("node.log")).context("could not make a log")?;
    let mut command = Command::new(program);
    // Untouched by the settings of whoever runs this, but for what opens the servers that they named.
    for (name, file) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if PASSWORD_FILES.contains(&&*text) {
            // It runs in another folder.
            command.env(&name, std::path::absolute(&file).context("a file has no path")?);
        } else if text.starts_with("NEXTLEAD_") {
            command.env_remove(&name);
        }
    }
    command
        .current_dir(scratch.path())
        .env("NEXTLEAD_CONFIG", "")
        .env("NEXTLEAD_STORE", places.store.as_deref().unwrap_or("sqlite://load.db"))
        // All reps call from one address and by one token.
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--until-input-ends"])
        .args(["--address-connections-max", "20000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log);
    if let Some(queue) = &places.queue {
        // Nothing of another installation's index is touched.
        command.env("NEXTLEAD_QUEUE", queue).env("NEXTLEAD_QUEUE_PREFIX", "nextlead-load");
    }
    Ok(command)
}

/// What a node says of itself when it is ready; `None`: it ended instead.
fn first_document(mut stdout: ChildStdout) -> Option<serde_json::Value> {
    let said = serde_json::Deserializer::from_reader(&mut stdout).into_iter().next()?.ok();
    // Whatever else it may say is not to fill the pipe.
    std::thread::spawn(move || {
        let mut rest = [0; 1_024];
        while stdout.read(&mut rest).is_ok_and(|count| count > 0) {}
    });
    said
}

fn log_end(scratch: &Scratch) -> String {
    let log = std::fs::read_to_string(scratch.path().join("node.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINE_COUNT)..].join("\n")
}

/// What a process has used, as far as the machine tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    /// Its memory, in bytes.
    pub(super) memory_bytes: Option<u64>,
    /// The most it ever had.
    pub(super) memory_peak_bytes: Option<u64>,
    /// CPU time by the name of the thread.
    threads: BTreeMap<String, Duration>,
}

impl Usage {
    /// Of the process with this id. Empty but on Linux.
    fn of(id: u32) -> Self {
        let folder = PathBuf::from(format!("/proc/{id}"));
        let status = std::fs::read_to_string(folder.join("status")).unwrap_or_default();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
        };
        let mut usage = Self {
            memory_bytes: bytes("VmRSS:"),
            memory_peak_bytes: bytes("VmHWM:"),
            threads: BTreeMap::new(),
        };
        for task in std::fs::read_dir(folder.join("task")).into_iter().flatten().flatten() {
            let read = |name: &str| std::fs::read_to_string(task.path().join(name)).ok();
            let Some((name, times)) = read("comm").zip(read("schedstat")) else { continue };
            let first = times.split(' ').next().and_then(|ns| ns.parse().ok());
            let name = if task.file_name() == *id.to_string() { "network" } else { name.trim() };
            *usage.threads.entry(name.to_owned()).or_default() +=
                Duration::from_nanos(first.unwrap_or(0));
        }
        usage
    }

    /// The CPU time that each thread took since an earlier look; those with the same name together,
    /// those that took none left out.
    pub(super) fn since(&self, earlier: &Self) -> BTreeMap<String, Duration> {
        let took = |(name, time): (&String, &Duration)| {
            let before = earlier.threads.get(name).copied().unwrap_or_default();
            (name.clone(), time.saturating_sub(before))
        };
        self.threads.iter().map(took).filter(|(_, time)| !time.is_zero()).collect()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_threads_that_take_time() {
        let before = Usage::of(std::process::id());
        let mut sum = 0_u64;
        for number in 0..20_000_000_u64 {
            sum = sum.wrapping_mul(31).wrapping_add(std::hint::black_box(number));
        }
        std::hint::black_box(sum);
        let after = Usage::of(std::process::id());
        assert!(after.memory_bytes.unwrap() > 1_000_000);
        assert!(after.memory_peak_bytes >= after.memory_bytes);
        assert!(after.since(&before).values().sum::<Duration>() > Duration::from_millis(1));
        assert!(after.since(&after).is_empty());
    }
}

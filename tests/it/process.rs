//! The real binary, as its users run it: a node in a process of its own, with its store in a folder
//! that the test owns, and commands that talk to it.
//!
//! A node that a test forgets is killed with the test; none outlives it.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::ground::Ground;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_nextlead");
/// The admin token of a node with the default store.
pub(crate) const TOKEN_FILE: &str = "nextlead.db.admin-token";

/// What a test measures by.
#[expect(clippy::disallowed_methods, reason = "a test measures")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

/// A binary in a folder, untouched by the variables of whoever runs the tests.
pub(crate) fn command(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(folder).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NEXTLEAD_") {
            command.env_remove(name);
        }
    }
    // Nor by their configuration file, nor the machine's.
    command.env("NEXTLEAD_CONFIG", "");
    command
}

/// A node in a process of its own.
pub(crate) struct Process {
    child: Child,
    folder: PathBuf,
    log: PathBuf,
    /// What it said about itself when it was ready.
    pub(crate) said: Value,
}

impl Process {
    /// Starts a node on a free port, with its store in `folder`; it is ready when this returns.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_at(Path::new(BINARY), folder, "127.0.0.1:0")
    }

    /// Starts a node on a free port, with more options.
    pub(crate) fn start_with(folder: &Path, options: &[&str]) -> Self {
        let options = [&["--listen", "127.0.0.1:0"], options].concat();
        Self::start_as(Path::new(BINARY), folder, &options)
    }

    /// Starts a node of this binary at this address.
    pub(crate) fn start_at(binary: &Path, folder: &Path, listen: &str) -> Self {
        Self::start_as(binary, folder, &["--listen", listen])
    }

    /// Starts a node of this binary, with these options.
    pub(crate) fn start_as(binary: &Path, folder: &Path, options: &[&str]) -> Self {
        let mut command = command(binary, folder);
        command.args(["serve", "--json"]).args(options);
        if !options.contains(&"--store") {
            command.envs(Ground::variables(folder));
        }
        Self::begin(command, folder, folder.join("serve.log"))
    }

    /// Starts the node of a command, over the store in `folder`.
    pub(crate) fn begin(command: Command, folder: &Path, log: PathBuf) -> Self {
        let (node, is_ready) = Self::try_begin(command, folder, log);
        assert!(is_ready, "the node did not start:\n{}", node.logged());
        node
    }

    /// Starts the node of a command; says whether it came as far as to be ready.
    pub(crate) fn try_begin(mut command: Command, folder: &Path, log: PathBuf) -> (Self, bool) {
        let log_file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log_file).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut documents = serde_json::Deserializer::from_reader(stdout).into_iter::<Value>();
        // Made before the answer is looked at, so that a failure here leaves no process behind.
        let mut node = Self { child, folder: folder.to_owned(), log, said: Value::Null };
        let Some(Ok(said)) = documents.next() else { return (node, false) };
        node.said = said;
        (node, true)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.said["address"].as_str().unwrap().to_owned()
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What opens it.
    pub(crate) fn token(&self) -> String {
        let file = self.said["token_file"].as_str().unwrap_or(TOKEN_FILE);
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap();
        text.trim().to_owned()
    }

    /// Kills it as a power cut would: no handler runs, nothing is tidied up.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop, as a service manager does; true if it ended well.
    pub(crate) fn terminate(self) -> bool {
        self.signal("-TERM");
        self.wait() == Some(0)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits until it has ended; its exit code, unless a signal killed it.
    pub(crate) fn wait(self) -> Option<i32> {
        self.wait_status().code()
    }

    /// Waits until it has ended, and says how.
    pub(crate) fn wait_status(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it has logged this.
    pub(crate) fn await_log(&self, text: &str) {
        while !self.logged().contains(text) {
            std::thread::yield_now();
        }
    }

    /// All that it has logged.
    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// A command that calls this node, run in its folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(Path::new(BINARY), &self.folder);
        command.env("NEXTLEAD_SERVER", self.address()).args(args);
        command
    }

    /// Runs a command that calls this node.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(args, self.command(args).output().unwrap())
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{}: {}{}", ran.line, ran.out, ran.err);
        assert_eq!(ran.err, "", "{}", ran.line);
        ran.out
    }

    /// Runs a command that must succeed, and reads its JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let out = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|problem| panic!("{args:?}: {problem}:\n{out}"))
    }

    /// Sets up queue `sales` (always open, in UTC), campaign `spring` and rep `ann`.
    pub(crate) fn set_up(&self) {
        self.ok(&[
            "queue", "set", "sales", "--zone", "UTC", "--hours", "always", "--law", "exempt",
        ]);
        self.ok(&["campaign", "set", "spring", "--queue", "sales"]);
        self.ok(&["rep", "set", "ann", "--queue", "sales"]);
    }

    /// Counts everything again; nothing may be off.
    pub(crate) fn audit(&self) -> Value {
        let report = self.json(&["audit"]);
        assert_eq!(report["imbalance"], 0, "{report:#}");
        report
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) line: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(args: &[&str], output: Output) -> Self {
        Self {
            line: args.join(" "),
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

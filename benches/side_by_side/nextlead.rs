//! nextlead's own three: a node in a process of its own, and `nextlead load` in another.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

use super::servers::{Postgres, Redis};
use super::{Figures, Settings};

const BINARY: &str = env!("CARGO_BIN_EXE_nextlead");

/// What a node keeps its leads in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Postgres,
    PostgresRedis,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Embedded, Self::Postgres, Self::PostgresRedis];

    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Postgres => "postgres",
            Self::PostgresRedis => "postgres+redis",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Embedded => "nextlead embedded",
            Self::Postgres => "nextlead, PostgreSQL + memory",
            Self::PostgresRedis => "nextlead, PostgreSQL + Redis",
        }
    }
}

pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    address: String,
    token_file: PathBuf,
    /// How many touches were acknowledged in all rounds.
    touch_count: u64,
    server: Child,
    _input: ChildStdin,
    _redis: Option<Redis>,
    _folder: tempfile::TempDir,
}

impl Contestant {
    /// Starts a node, and hands leads over to it.
    pub(crate) fn start(kind: Kind, settings: &Settings, postgres: &Postgres) -> Self {
        let redis = (kind == Kind::PostgresRedis).then(Redis::start);
        let folder = tempfile::tempdir().expect("a folder");
        let store = match kind {
            Kind::Embedded => "sqlite://nextlead.db".to_owned(),
            Kind::Postgres | Kind::PostgresRedis => postgres.database(),
        };
        let mut command = own(folder.path());
        command.args(["serve", "--json", "--listen", "127.0.0.1:0", "--until-input-ends"]);
        command.env("NEXTLEAD_STORE", store).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(redis) = &redis {
            command.env("NEXTLEAD_QUEUE", redis.url());
        }
        let log = std::fs::File::create(folder.path().join("node.log")).expect("a log");
        let mut server = command.stderr(log).spawn().expect("a node");
        let stdout = server.stdout.take().expect("its output");
        let said = serde_json::Deserializer::from_reader(stdout).into_iter::<Value>().next();
        let Some(Ok(said)) = said else {
            let log = std::fs::read_to_string(folder.path().join("node.log")).unwrap_or_default();
            panic!("{} did not start:\n{log}", kind.name())
        };
        let text = |name: &str| said[name].as_str().expect("it says where it is").to_owned();
        let mut contestant = Self {
            name: kind.name(),
            address: text("address"),
            token_file: folder.path().join(text("token_file")),
            touch_count: 0,
            _input: server.stdin.take().expect("its input"),
            server,
            _redis: redis,
            _folder: folder,
        };
        let leads = settings.lead_count.to_string();
        let words = ["--fill", "--leads", &leads, "--reps", "1", "--seconds", "1", "--no-audit"];
        let line = contestant.load(&words);
        eprintln!("{} has {leads} leads after {} s", contestant.name, line["fill_s"]);
        contestant
    }

    pub(crate) fn run(&mut self, reps: usize, settings: &Settings) -> Figures {
        let (reps, seconds) = (reps.to_string(), settings.seconds.to_string());
        let words = ["--reps", &reps, "--connections", &reps, "--seconds", &seconds];
        let line = self.load(&[&words[..], &["--warmup", "1", "--no-audit"]].concat());
        // What the others measure too: from the request to the answer.
        Figures::read(&line, "service_")
    }

    /// The books after all rounds, in a sentence.
    pub(crate) fn check(mut self) -> String {
        let line = self.load(&["--reps", "1", "--seconds", "1", "--warmup", "0"]);
        let booked = line["ledger_touches"].as_i64().expect("a count");
        let lost = i64::try_from(self.touch_count).expect("a count") - booked;
        format!(
            "{}: {} touches acknowledged over all rounds, {booked} in the books ({lost} lost), books \
             out of balance by {}, nothing held twice in any round (or its run had failed)",
            self.name, self.touch_count, line["ledger_imbalance"]
        )
    }

    fn command(&self) -> Command {
        let mut command = own(self._folder.path());
        command.env("NEXTLEAD_SERVER", format!("http://{}", self.address));
        command.env("NEXTLEAD_TOKEN_FILE", &self.token_file);
        command
    }

    /// Runs `nextlead load` against the node. A run that finds a broken promise ends the bench.
    fn load(&mut self, words: &[&str]) -> Value {
        let output = self.command().args(["load", "--json"]).args(words).output();
        let output = output.expect("nextlead load");
        if !output.status.success() {
            let _ = std::io::stderr().write_all(&output.stderr);
            let _ = std::io::stderr().write_all(&output.stdout);
            panic!("{}: a run of nextlead load failed", self.name);
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        let line = printed.lines().last().expect("a line");
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        self.touch_count += line["touches"].as_u64().expect("a count");
        line
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        // Its store is thrown away: there is nothing to end in order.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The binary, untouched by the settings of whoever runs the bench.
fn own(folder: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NEXTLEAD_") {
            command.env_remove(name);
        }
    }
    command.env("NEXTLEAD_CONFIG", "");
    command
}

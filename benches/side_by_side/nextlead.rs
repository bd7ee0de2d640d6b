//! nextlead's own three: a node in a process of its own, and `nextlead load` in another.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

use super::servers::{Postgres, Redis};
use super::{Figures, Settings, clock};

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
    input: Option<ChildStdin>,
    _redis: Option<Redis>,
    folder: tempfile::TempDir,
}

/// Starts a node of each of these kinds, with its leads.
///
/// PostgreSQL is filled once: the second node there gets a copy of the first one's database.
pub(crate) fn line_up(kinds: &[Kind], settings: &Settings, postgres: &Postgres) -> Vec<Contestant> {
    let mut filled: Option<(String, u64)> = None;
    let mut sources = Vec::with_capacity(kinds.len());
    for kind in kinds {
        sources.push(match (kind, &filled) {
            (Kind::Embedded, _) => ("sqlite://nextlead.db".to_owned(), 0),
            (_, Some((url, touch_count))) => (postgres.copy_of(url), *touch_count),
            (_, None) => {
                let url = postgres.database();
                let mut filler = Contestant::start(Kind::Postgres, url.clone(), 0);
                filler.fill(settings);
                filled = Some((url.clone(), filler.stop()));
                super::peer_postgres::settle(&url);
                filled.clone().expect("it was just put there")
            }
        });
    }
    let mut contestants = Vec::with_capacity(kinds.len());
    for (&kind, (store, touch_count)) in kinds.iter().zip(sources) {
        let mut contestant = Contestant::start(kind, store, touch_count);
        if kind == Kind::Embedded {
            contestant.fill(settings);
        }
        contestants.push(contestant);
    }
    contestants
}

impl Contestant {
    /// Starts a node. So many touches are in its store already.
    fn start(kind: Kind, store: String, touch_count: u64) -> Self {
        let redis = (kind == Kind::PostgresRedis).then(Redis::start);
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = own(folder.path());
        command.args(["serve", "--json", "--listen", "127.0.0.1:0", "--until-input-ends"]);
        command.env("NEXTLEAD_STORE", store).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(redis) = &redis {
            command.env("NEXTLEAD_QUEUE", redis.url());
        }
        let log = std::fs::File::create(folder.path().join("node.log")).expect("a log");
        let begun = clock();
        let mut server = command.stderr(log).spawn().expect("a node");
        let stdout = server.stdout.take().expect("its output");
        let said = serde_json::Deserializer::from_reader(stdout).into_iter::<Value>().next();
        let Some(Ok(said)) = said else {
            let log = std::fs::read_to_string(folder.path().join("node.log")).unwrap_or_default();
            panic!("{} did not start:\n{log}", kind.name())
        };
        eprintln!("{} is up after {:.1} s", kind.name(), begun.elapsed().as_secs_f64());
        let text = |name: &str| said[name].as_str().expect("it says where it is").to_owned();
        Self {
            name: kind.name(),
            address: text("address"),
            token_file: folder.path().join(text("token_file")),
            touch_count,
            input: server.stdin.take(),
            server,
            _redis: redis,
            folder,
        }
    }

    fn fill(&mut self, settings: &Settings) {
        let leads = settings.lead_count.to_string();
        let words = ["--fill", "--leads", &leads, "--reps", "1", "--seconds", "1", "--no-audit"];
        let line = self.load(&words);
        eprintln!("{} has {leads} leads after {} s", self.name, line["fill_s"]);
    }

    /// Stops it in order. Answers how many touches it has.
    fn stop(mut self) -> u64 {
        drop(self.input.take());
        assert!(self.server.wait().expect("it ends").success(), "{} did not end well", self.name);
        self.touch_count
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
        // A rep of each team: the first one's leads may be all used up.
        let line = self.load(&["--reps", "5", "--seconds", "1", "--warmup", "0"]);
        let booked = line["ledger_touches"].as_i64().expect("a count");
        let lost = i64::try_from(self.touch_count).expect("a count") - booked;
        format!(
            "{}: {} touches acknowledged over all rounds, {booked} in the books ({lost} lost), books \
             out of balance by {}, nothing held twice in any round (or its run had failed)",
            self.name, self.touch_count, line["ledger_imbalance"]
        )
    }

    fn command(&self) -> Command {
        let mut command = own(self.folder.path());
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

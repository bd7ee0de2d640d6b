//! nextlead beside what else one would take, on one machine in one run: cycles a second and how long a
//! cycle takes, at 1, 16, 64 and 256 reps.
//!
//! A cycle is: the work on one item is recorded, and the next item is got, durably. The contestants:
//! nextlead embedded; nextlead on PostgreSQL, with its index in memory and on Redis; a tonic server
//! that answers 300 bytes and does nothing (what the network costs); a queue written by hand on
//! PostgreSQL with `SKIP LOCKED`, whose workers ask for 200 of 1,000 lanes as the reps do; and BullMQ
//! on a Redis that syncs every write. All servers are processes of their own on this machine, each
//! worker has a connection of its own (BullMQ's share one), all loops are closed. Rounds go from one
//! contestant to the next and back, so that all see the same machine; medians of the rounds are shown.
//!
//! `cargo bench --bench side_by_side -- 1 16 64 256` for these numbers of reps; `--rounds 3`,
//! `--seconds 3`, `--leads 1000000`, `--only echo,embedded`; `--quick` for a look at whether it runs.
//! Needs PostgreSQL and Redis, and for BullMQ Node with the package (`tests/run` puts it in place; or
//! `NEXTLEAD_TEST_NODE` names a `node_modules`). What is missing is left out and said.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::print_stderr, reason = "and on the way how far it is")]

mod bullmq;
mod echo;
mod nextlead;
mod peer_postgres;
#[path = "../../tests/servers.rs"]
mod servers;
mod table;

use std::time::Instant;

use table::Table;

/// What one run of a contestant found: cycles a second, and times of a cycle in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) cycles_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
}

impl Figures {
    /// Reads a line of JSON that has them.
    pub(crate) fn read(line: &serde_json::Value, prefix: &str) -> Self {
        let number =
            |name: &str| line[name].as_f64().unwrap_or_else(|| panic!("no {name}: {line}"));
        Self {
            cycles_per_s: number("cycles_per_s"),
            p50_us: number(&format!("{prefix}p50_us")),
            p99_us: number(&format!("{prefix}p99_us")),
            p999_us: number(&format!("{prefix}p999_us")),
        }
    }
}

/// What the bench was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    reps: Vec<usize>,
    round_count: usize,
    pub(crate) seconds: u64,
    pub(crate) lead_count: u64,
    only: Vec<String>,
}

impl Settings {
    fn read(arguments: &[String]) -> Self {
        let is_quick = arguments.iter().any(|one| one == "--quick" || one == "--test");
        let mut settings = match is_quick {
            true => Self {
                reps: vec![1, 8],
                round_count: 1,
                seconds: 1,
                // A fifth of them is all that the first rep can be served, in every round.
                lead_count: 100_000,
                only: Vec::new(),
            },
            false => Self {
                reps: Vec::new(),
                round_count: 3,
                seconds: 3,
                lead_count: 1_000_000,
                only: Vec::new(),
            },
        };
        let mut words = arguments.iter();
        let mut reps = Vec::new();
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--rounds" => settings.round_count = value().parse().expect("a number of rounds"),
                "--seconds" => settings.seconds = value().parse().expect("a number of seconds"),
                "--leads" => settings.lead_count = value().parse().expect("a number of leads"),
                "--only" => settings.only = value().split(',').map(str::to_owned).collect(),
                // What cargo and criterion's users pass along.
                "--bench" | "--quick" | "--test" => {}
                number => reps.push(number.parse().unwrap_or_else(|_| panic!("what is {word}?"))),
            }
        }
        if !reps.is_empty() {
            settings.reps = reps;
        } else if settings.reps.is_empty() {
            settings.reps = vec![1, 16, 64, 256];
        }
        settings
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one == name)
    }
}

/// Whoever takes part. Each is ready, with its items in it, before the first round.
enum Contestant {
    Nextlead(nextlead::Contestant),
    Echo(echo::Contestant),
    SkipLocked(peer_postgres::Contestant),
    BullMq(bullmq::Contestant),
}

impl Contestant {
    fn name(&self) -> String {
        match self {
            Self::Nextlead(one) => one.name.to_owned(),
            Self::Echo(_) => "bare tonic echo, 300 bytes".to_owned(),
            Self::SkipLocked(_) => "PostgreSQL, SKIP LOCKED by hand".to_owned(),
            Self::BullMq(one) => one.name(),
        }
    }

    fn run(&mut self, reps: usize, settings: &Settings) -> Figures {
        match self {
            Self::Nextlead(one) => one.run(reps, settings),
            Self::Echo(one) => one.run(reps, settings),
            Self::SkipLocked(one) => one.run(reps, settings),
            Self::BullMq(one) => one.run(reps, settings),
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|one| one == echo::SERVE) {
        return echo::serve();
    }
    let settings = Settings::read(&arguments);
    let begun = clock();
    let postgres_settings = ["shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min"];
    let postgres = servers::Postgres::start_with(&postgres_settings);
    let mut contestants = line_up(&settings, &postgres);
    eprintln!("all are ready after {:.0} s", begun.elapsed().as_secs_f64());
    let mut table = Table::new(contestants.iter().map(Contestant::name).collect());
    for &reps in &settings.reps {
        for round in 0..settings.round_count {
            for nth in 0..contestants.len() {
                // Each round begins with another one, so that nobody always follows the same.
                let nth = (nth + round) % contestants.len();
                let figures = contestants[nth].run(reps, &settings);
                eprintln!(
                    "{reps} reps, round {}, {}: {:.0} a second, p99 {:.0} µs",
                    round + 1,
                    contestants[nth].name(),
                    figures.cycles_per_s,
                    figures.p99_us
                );
                table.add(nth, reps, figures);
            }
        }
    }
    println!("{}", table.markdown(&settings.reps));
    println!("{}", method(&settings));
    for contestant in contestants {
        if let Contestant::Nextlead(node) = contestant {
            println!("- {}", node.check());
        }
    }
    println!("- the whole took {:.0} s", begun.elapsed().as_secs_f64());
}

/// Starts and fills everybody who takes part.
fn line_up(settings: &Settings, postgres: &servers::Postgres) -> Vec<Contestant> {
    let mut contestants = Vec::new();
    let kinds = nextlead::Kind::ALL.into_iter().filter(|kind| settings.wants(kind.key()));
    let nodes = nextlead::line_up(&kinds.collect::<Vec<_>>(), settings, postgres);
    contestants.extend(nodes.into_iter().map(Contestant::Nextlead));
    if settings.wants("echo") {
        contestants.push(Contestant::Echo(echo::Contestant::start()));
    }
    if settings.wants("skip-locked") {
        let peer = peer_postgres::Contestant::start(settings, postgres.database());
        contestants.push(Contestant::SkipLocked(peer));
    }
    if settings.wants("bullmq") {
        match bullmq::Contestant::start(settings) {
            Ok(peer) => contestants.push(Contestant::BullMq(peer)),
            Err(why) => eprintln!("BullMQ does not take part: {why}"),
        }
    }
    contestants
}

fn method(settings: &Settings) -> String {
    let Settings { round_count, seconds, lead_count, .. } = settings;
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    format!(
        "Medians of {round_count} interleaved rounds of {seconds} s each, after a warm-up, on {cores} \
         cores that servers and clients share; {lead_count} leads or items (BullMQ: {}); closed loops \
         without thinking; every cycle durable (`synchronous = FULL`, `synchronous_commit = on`, \
         `appendfsync always`), but the echo's. The last column is cycles a second as a part of the \
         first row's.\n",
        bullmq::item_count(settings)
    )
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

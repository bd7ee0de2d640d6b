//! `nextlead load`: how much a node can do and how long reps wait for it, with what it promised checked
//! on the way.
//!
//! Many reps with connections of their own pull leads, record touches and get the next lead in the same
//! call. Each keeps a history of what it was answered; a lead in two hands is seen at once, and in the
//! end every touch that was acknowledged must be in the books, and the books must add up. A run that
//! finds anything ends with exit code 1.

mod books;
mod company;
mod floor;
mod history;
mod latency;
mod leads;
mod loops;
mod own_node;
mod progress;
mod random;
mod rep;
mod report;
mod schedule;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::connect::ServerArgs;
use super::output::Output;
use super::serve::Signals;
use super::words::read_duration_ms;
use crate::api::client::Client;
use crate::clock::{Clock as _, Stopwatch, SystemClock};

use books::Books;
use floor::{Floor, Window};
use history::History;
use leads::LeadMaker;
use own_node::{OwnNode, Places, Usage};
use progress::Progress;
use random::Random;
use rep::Rep;
use report::Report;
use schedule::Schedule;

/// The most connections unless told otherwise: a node takes 2,000 from one address.
const CONNECTION_COUNT_USUAL: usize = 1_000;

/// Measure a node under the calls of many reps, and check what it promised
#[derive(Debug, Args)]
#[command(after_help = "\
Without --server a node is started for the run, in a process of its own, with its store in a
temporary folder. Leads are made up; the same --seed makes the same ones. Latencies are those of a
cycle (a touch and the next lead, in one call), corrected for calls that a slow node kept from being
made: with --rate and --calls-per-hour by intended start times, else as HdrHistogram corrects.

Examples:
  nextlead load --reps 64 --leads 1000000 --seconds 20 --json
  nextlead load --reps 10000 --calls-per-hour 32 --connections 1000 --leads 1000000
  nextlead load --store postgres://localhost/load --queue redis://localhost --leads 100000
  nextlead load --server http://127.0.0.1:7400 --fill --leads 50000")]
pub(super) struct LoadArgs {
    /// How many reps call
    #[arg(long, value_name = "COUNT", default_value_t = 64,
          value_parser = clap::value_parser!(u64).range(1..=100_000))]
    reps: u64,
    /// How many leads are made up and handed over first
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    leads: u64,
    /// How long is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(1..=36_000))]
    seconds: u64,
    /// How long the load runs before that
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    warmup: u64,
    /// How long a rep thinks between an answer and the next call, half more or less
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = read_duration_ms,
          conflicts_with_all = ["rate", "calls_per_hour"])]
    think: i64,
    /// Cycles a second of all reps together, whether the node keeps up or not
    #[arg(long, value_name = "CYCLES", value_parser = read_rate)]
    rate: Option<f64>,
    /// The same, said as calls an hour of one rep
    #[arg(long, value_name = "CALLS", value_parser = read_rate, conflicts_with = "rate")]
    calls_per_hour: Option<f64>,
    /// How many connections the reps share [default: one a rep, up to 1000]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=20_000))]
    connections: Option<u64>,
    /// What leads, calls and schedule are made of
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// The store of the node that is started, for this run alone: a PostgreSQL database keeps what is
    /// put there [default: a file that is thrown away]
    #[arg(long, value_name = "URL", value_parser = read_url, conflicts_with = "server")]
    store: Option<String>,
    /// The queue index of the node that is started [default: in its own process]
    #[arg(long, value_name = "URL", value_parser = read_url, conflicts_with = "server")]
    queue: Option<String>,
    /// Make queue `load` with its rules and leads on the node of --server. Without it the leads of an
    /// earlier run are worked on
    #[arg(long, requires = "server")]
    fill: bool,
    /// Stop the node that was filled and start it again before the run, to see what its start takes
    #[arg(long, conflicts_with = "server")]
    restart: bool,
    /// Do not read the books in the end: only what the reps saw is checked
    #[arg(long)]
    no_audit: bool,
}

/// Reads a rate: above 0.
fn read_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= 1e6);
    rate.ok_or_else(|| "a number above 0, at most a million".to_owned())
}

/// Reads a URL without a password, which every process list would show.
fn read_url(text: &str) -> Result<String, String> {
    let place = text.split_once("://").map_or("", |(_, rest)| rest);
    let place = place.split('/').next().unwrap_or_default();
    match place.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => {
            let files = own_node::PASSWORD_FILES.join(" or ");
            Err(format!("a password does not belong in an argument: name its file in {files}"))
        }
        _ => Ok(text.to_owned()),
    }
}

impl LoadArgs {
    fn reps(&self) -> usize {
        usize::try_from(self.reps).expect("at most 100,000")
    }

    fn connections(&self) -> usize {
        let wanted = self.connections.map(|count| usize::try_from(count).expect("at most 20,000"));
        wanted.unwrap_or(CONNECTION_COUNT_USUAL).min(self.reps())
    }

    /// How many cycles a second are meant to begin; `None`: reps call when they are free.
    fn rate(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "at most 100,000")]
        let reps = self.reps as f64;
        self.rate.or(self.calls_per_hour.map(|calls| reps * calls / 3_600.0))
    }

    fn window(&self) -> Window {
        let from = Duration::from_secs(self.warmup);
        Window { from, to: from + Duration::from_secs(self.seconds) }
    }
}

pub(super) async fn run(
    args: LoadArgs,
    server: ServerArgs,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::catch().context("could not catch signals")?;
    // A node that was started, and its folder, go when what holds them does.
    tokio::select! {
        ended = run_whole(args, server, output) => ended,
        () = signals.next() => bail!("stopped before the end"),
    }
}

async fn run_whole(args: LoadArgs, server: ServerArgs, output: Output) -> anyhow::Result<ExitCode> {
    let progress = Progress::new(output);
    let (mut server, mut own) = (server, None);
    if !server.is_named() {
        progress.begin("starting a node");
        let places = Places { store: args.store.clone(), queue: args.queue.clone() };
        let node = OwnNode::start(places).await?;
        server = node.server.clone();
        own = Some(node);
    }
    let filled = match args.fill || own.is_some() {
        true => Some(fill(&args, &server, &progress).await?),
        false => None,
    };
    if let Some(node) = own.take() {
        own = Some(if args.restart { node.restart().await? } else { node });
    }
    if let Some(node) = &own {
        server = node.server.clone();
    }
    let report = measure(&args, &server, own.as_ref(), filled, &progress).await?;
    if let Some(node) = own {
        node.stop().await?;
    }
    progress.finish();
    report.print(output)?;
    let problems = report.problems();
    ensure!(problems.is_empty(), "the node did not keep what it promised: {}", problems.join("; "));
    Ok(ExitCode::SUCCESS)
}

/// Makes the queue and its leads. Says how long the leads took.
async fn fill(
    args: &LoadArgs,
    server: &ServerArgs,
    progress: &Progress,
) -> anyhow::Result<Duration> {
    let client = server.open().await?;
    company::set_up(&client).await?;
    let run = random_bits()?;
    let maker = LeadMaker {
        seed: args.seed,
        run: format!("{run:016x}"),
        // Ten digits, far from those of other runs most of the time; names differ if they meet.
        first_number: 2_000_000_000 + Random::new(run, 0).below(7_000) * 1_000_000,
        now: SystemClock::start(0).now() - 60_000,
    };
    progress.begin_count("handing leads over", args.leads);
    let watch = Stopwatch::start();
    leads::hand_over(maker, args.leads, &client, |count| progress.more(count)).await?;
    Ok(watch.elapsed())
}

/// Makes the load, and looks at what came of it.
async fn measure(
    args: &LoadArgs,
    server: &ServerArgs,
    own: Option<&OwnNode>,
    filled: Option<Duration>,
    progress: &Progress,
) -> anyhow::Result<Report> {
    let client = server.open().await?;
    progress.begin("setting up reps");
    company::set_up_reps(&client, args.reps()).await?;
    let reps = connect(args, server).await?;
    let idle = own.map(OwnNode::usage);
    let run = format!("{:016x}", random_bits()?);
    let begun_at = SystemClock::start(0).now();
    let (floor, used) = make_load(args, reps, own, run, progress).await?;
    progress.begin("reading the books");
    let books = match args.no_audit {
        true => None,
        false => Some(Books::read(&client, &floor.run, begun_at).await?),
    };
    Ok(Report::of(args, own, filled, idle, used, &floor, books.as_ref()))
}

async fn connect(args: &LoadArgs, server: &ServerArgs) -> anyhow::Result<Vec<Rep>> {
    let mut connections: Vec<Client> = Vec::with_capacity(args.connections());
    for _ in 0..args.connections() {
        connections.push(server.open().await?);
    }
    let connections = connections.iter().cycle().enumerate().take(args.reps());
    Ok(connections.map(|(nth, client)| Rep::new(nth, args.seed, client)).collect())
}

/// The CPU time that a node took for a run.
struct Used {
    before: Usage,
    after: Usage,
    elapsed: Duration,
}

async fn make_load(
    args: &LoadArgs,
    mut reps: Vec<Rep>,
    own: Option<&OwnNode>,
    run: String,
    progress: &Progress,
) -> anyhow::Result<(Floor, Option<Used>)> {
    progress.begin("reps log in");
    let nothing = Window { from: Duration::ZERO, to: Duration::ZERO };
    let before = Floor::open(run.clone(), nothing, History::default());
    loops::log_in(&mut reps, &before).await?;
    progress.begin("measuring");
    let floor = Floor::open(run, args.window(), before.history.into_inner());
    let usage = own.map(OwnNode::usage);
    let reps = match args.rate() {
        Some(rate) => {
            let schedule = Schedule::new(args.seed, rate, reps.len());
            loops::open(reps, &floor, schedule).await?
        }
        None => {
            let think = Duration::from_millis(u64::try_from(args.think).unwrap_or(0));
            loops::closed(&mut reps, &floor, think, args.seed).await?;
            reps
        }
    };
    let elapsed = floor.elapsed();
    let used = usage.zip(own).map(|(before, own)| Used { before, after: own.usage(), elapsed });
    let mut reps = reps;
    loops::log_out(&mut reps, &floor).await?;
    Ok((floor, used))
}

fn random_bits() -> anyhow::Result<u64> {
    let mut bits = [0; 8];
    getrandom::fill(&mut bits).context("the operating system gives no random bits")?;
    Ok(u64::from_be_bytes(bits))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[arg(long)]
        server: Option<String>,
        #[command(flatten)]
        load: LoadArgs,
    }

    fn read(words: &[&str]) -> Result<LoadArgs, clap::Error> {
        Line::try_parse_from([&["load"], words].concat()).map(|line| line.load)
    }

    #[test]
    fn calls_an_hour_make_a_rate() {
        let args = read(&["--reps", "10000", "--calls-per-hour", "32"]).unwrap();
        assert!((args.rate().unwrap() - 88.888).abs() < 0.01);
        assert_eq!(args.connections(), 1_000);
        assert_eq!(read(&[]).unwrap().rate(), None);
        assert_eq!(read(&["--reps", "16"]).unwrap().connections(), 16);
        assert!(read(&["--rate", "0"]).is_err());
        assert!(read(&["--rate", "5", "--think", "1s"]).is_err());
    }

    #[test]
    fn a_node_that_was_named_is_not_filled_unless_told_to() {
        assert!(read(&["--fill"]).is_err());
        assert!(read(&["--fill", "--server", "http://127.0.0.1:7400"]).is_ok());
        assert!(read(&["--store", "sqlite://x", "--server", "http://127.0.0.1:7400"]).is_err());
    }

    #[test]
    fn a_password_in_an_argument_is_refused() {
        assert!(read(&["--store", "postgres://ann:secret@db/leads"]).is_err());
        assert!(read(&["--store", "postgres://ann@db:5432/leads"]).is_ok());
        assert!(read(&["--queue", "redis://:secret@db"]).is_err());
        assert!(read(&["--queue", "redis://db:6379"]).is_ok());
    }
}

//! `nextlead demo`: two and a half years of a bank's sales calls, worked again in two minutes.
//!
//! 41,159 real leads go through the real server, over gRPC, into the hands of 50 simulated reps under
//! a simulated clock, a month at a time; the same months then go first in, first out, through the same
//! queue code in process. What is counted is what the softphones saw. The demo ends with exit code 1
//! if a lead was in two hands, the books do not add up, or a lead was left out that could be called.

mod floor;
mod in_process;
mod leads;
mod node_thread;
mod numbers;
mod outcome;
mod progress;
mod report;
mod server;
mod softphone;
mod tally;
mod time;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::cli::output::Output;
use crate::clock::{Clock as _, ManualClock};
use crate::domain::Policy;
use crate::rules::RuleSet;

use floor::work_month;
use in_process::InProcess;
use leads::Month;
use node_thread::NodeThread;
use outcome::{MonthOutcome, Outcome};
use progress::Progress;
use server::Server;
use softphone::StopWatch;
use tally::MonthTally;

/// What the leads of the demo are worth.
const RULES: &str = include_str!("rules.toml");

/// Work 41,159 real sales calls through a node with 50 simulated reps
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  nextlead demo")]
pub(super) struct DemoArgs {
    /// Only these months, `2010-11`, say; for tests
    #[arg(long = "month", value_name = "YYYY-MM", hide = true)]
    months: Vec<String>,
}

/// Runs the demo: tables for people, or one line of JSON for programs.
pub(super) async fn run(args: DemoArgs, output: Output) -> anyhow::Result<ExitCode> {
    let watch = StopWatch::start();
    let months = chosen(leads::load_months()?, &args.months)?;
    let rules = RuleSet::compile(RULES).context("the demo's rules have mistakes")?;
    let call_count: usize = months.iter().map(Month::call_count_max).sum();
    let progress = Progress::start(2 * call_count, output);
    let fifo = work_in_process(&months, rules.policy(), &progress).await?;
    let mut outcome = work_on_server(&months, fifo, &progress).await?;
    progress.finish();
    outcome.wall = watch.elapsed();
    report::print(&outcome, output)?;
    let problems = outcome.problems();
    ensure!(problems.is_empty(), "the demo failed: {}", problems.join("; "));
    Ok(ExitCode::SUCCESS)
}

fn chosen(months: Vec<Month>, names: &[String]) -> anyhow::Result<Vec<Month>> {
    for name in names {
        ensure!(months.iter().any(|month| month.name == *name), "no calls were made in `{name}`");
    }
    let is_chosen = |month: &Month| names.is_empty() || names.contains(&month.name);
    Ok(months.into_iter().filter(is_chosen).collect())
}

/// A month begins at its first instant, or when the one before it was over.
fn begin(month: &Month, clock: &ManualClock) -> i64 {
    clock.set(clock.now().max(month.starts_at));
    clock.now()
}

/// The clock of one side, before its first month.
fn clock_before(months: &[Month]) -> ManualClock {
    ManualClock::at(months.first().map_or(0, |month| month.starts_at))
}

/// First in, first out, with the same policy and through the same queue code.
async fn work_in_process(
    months: &[Month],
    policy: &Policy,
    progress: &Progress,
) -> anyhow::Result<Vec<MonthTally>> {
    let clock = clock_before(months);
    let mut tallies = Vec::with_capacity(months.len());
    for month in months {
        let now = begin(month, &clock);
        let mut router = InProcess::hand_over(month, policy, None, now).await?;
        progress.begin(&month.name, "first in, first out");
        tallies.push(work_month(month, &mut router, &clock, |made| progress.made(made)).await?);
    }
    Ok(tallies)
}

async fn work_on_server(
    months: &[Month],
    fifo: Vec<MonthTally>,
    progress: &Progress,
) -> anyhow::Result<Outcome> {
    let clock = clock_before(months);
    let mut server = Server::open(NodeThread::start(clock.clone()).await?).await?;
    let mut outcomes = Vec::with_capacity(months.len());
    let mut worked = Duration::ZERO;
    for (month, fifo) in months.iter().zip(fifo) {
        let handed_over_at = begin(month, &clock);
        progress.begin(&month.name, "by the rules, over gRPC");
        server.hand_over(month, handed_over_at).await?;
        let watch = StopWatch::start();
        let by_rules = work_month(month, &mut server, &clock, |made| progress.made(made)).await?;
        worked += watch.elapsed();
        outcomes.push(MonthOutcome {
            name: month.name.clone(),
            shortfall: month.shortfall(),
            handed_over_at,
            by_rules,
            fifo,
            book: server.take_book()?,
        });
    }
    let audit = server.audit().await?;
    let notes = server.close().await?;
    Ok(Outcome {
        months: outcomes,
        audit,
        held_twice: notes.watch.held_twice(),
        pulls_us: notes.pulls_us,
        worked,
        wall: Duration::ZERO,
    })
}

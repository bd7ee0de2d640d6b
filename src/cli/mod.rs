//! The commands. All but `serve`, `demo` and `load` are gRPC clients of a running node: they can do
//! nothing that another client could not, and need a token as any other does. `load` is one too, and
//! starts a node of its own unless it is given one.
//!
//! People get tables, programs get one JSON document with `--json`; both on standard output. What
//! goes wrong is said on standard error, with an exit code that is not 0.

mod arguments;
mod assign;
mod backup;
mod callbacks;
mod campaign;
mod color;
mod config;
mod connect;
mod coverage;
mod demo;
mod erase;
mod error;
#[cfg(test)]
mod examples;
mod exit;
mod explain;
mod export;
mod health;
mod import;
mod json;
mod lead;
mod lead_story;
mod load;
mod manual;
mod next;
mod obstacle;
mod output;
mod quality;
mod queue;
mod rep;
mod restore;
mod rules;
mod scratch;
mod serve;
mod settings;
mod skips;
mod suppress;
mod token;
mod touch;
mod trace;
mod transfer;
mod trouble;
mod unroutable;
mod words;
mod work;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use arguments::parse;

use color::ColorWhen;
use connect::ServerArgs;
use error::Failure;
use exit::EXIT_CODES_HELP;
use output::Output;

/// A backend for inside sales: reps pull the next-best lead, every touch is recorded, no lead is
/// forgotten.
#[derive(Debug, Parser)]
#[command(name = "nextlead", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = format!("{EXIT_CODES_HELP}\n\n{EXAMPLES}"))]
pub struct Cli {
    /// Print one JSON document instead of tables: times as RFC 3339, durations in milliseconds.
    /// Errors come as one on standard error
    #[arg(long, global = true)]
    json: bool,

    /// When to colour what is printed
    #[arg(
        long,
        global = true,
        env = "NEXTLEAD_COLOR",
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        help = "When to colour what is printed: auto, always or never"
    )]
    color: ColorWhen,

    /// The configuration file, whose values go before the defaults of the flags; '' for none. Without it
    /// the first of these that is there: ./nextlead.toml, $XDG_CONFIG_HOME/nextlead/nextlead.toml,
    /// /etc/nextlead/nextlead.toml
    #[arg(long, global = true, env = "NEXTLEAD_CONFIG", value_name = "FILE",
          value_parser = clap::value_parser!(OsString))]
    config: Option<OsString>,

    #[command(flatten)]
    server: ServerArgs,

    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  nextlead serve
  nextlead import leads.csv --campaign spring --source-system crm
  nextlead work --rep ann
  nextlead coverage --campaign spring --json";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::ServeArgs>),
    Demo(demo::DemoArgs),
    Load(load::LoadArgs),
    Import(import::ImportArgs),
    /// Export leads, touches or the books as CSV or NDJSON
    #[command(subcommand)]
    Export(export::ExportCommand),
    Work(work::WorkArgs),
    Next(next::NextArgs),
    Touch(touch::TouchArgs),
    Callbacks(callbacks::CallbacksArgs),
    Renew(touch::RenewArgs),
    Release(touch::ReleaseArgs),
    /// Check value rules, publish them, and list their versions
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Set up queues: what leads are routed by
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    /// Set up campaigns: where leads come from
    #[command(subcommand)]
    Campaign(campaign::CampaignCommand),
    /// Tell what a lead did, what became of it, and to whom it belongs
    #[command(subcommand)]
    Lead(lead_story::LeadCommand),
    /// Set up reps: who calls
    #[command(subcommand)]
    Rep(rep::RepCommand),
    /// Make, list and revoke the tokens by which people and programs get in
    #[command(subcommand)]
    Token(token::TokenCommand),
    Peek(queue::PeekArgs),
    Explain(explain::ExplainArgs),
    Trace(trace::TraceArgs),
    Coverage(coverage::CoverageArgs),
    Uncontacted(coverage::UncontactedArgs),
    Unroutable(unroutable::UnroutableArgs),
    Audit(coverage::AuditArgs),
    Quality(quality::QualityArgs),
    Rate(quality::RateArgs),
    Skips(skips::SkipsArgs),
    Suppress(suppress::SuppressArgs),
    Health(health::HealthArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    Erase(erase::EraseArgs),
    /// Show the settings that hold, and check configuration files
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

impl Command {
    /// Whether it helps with a broken configuration file, or needs none.
    fn mends_settings(&self) -> bool {
        matches!(
            self,
            Self::Config(config::ConfigCommand::Check(_)) | Self::Completions(_) | Self::Man(_)
        )
    }
}

/// Runs one command, and says on standard error what went wrong, if anything did.
pub async fn run(cli: Cli) -> ExitCode {
    let (server, is_json) = (cli.server.clone(), cli.json);
    match dispatch(cli).await {
        Ok(code) => code,
        Err(problem) => {
            let failure = Failure::of(&problem, &server.url());
            failure.print(is_json);
            failure.exit.into()
        }
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let output = Output { is_json: cli.json };
    let server = cli.server;
    match cli.command {
        Command::Serve(args) => serve::run(*args, output).await,
        Command::Demo(args) => demo::run(args, output).await,
        Command::Load(args) => load::run(args, server, output).await,
        Command::Import(args) => import::run(args, server.open().await?, output).await,
        Command::Export(command) => export::run(command, server.open().await?, output).await,
        Command::Work(args) => work::run(args, server.open().await?, server.url(), output).await,
        Command::Next(args) => next::run(args, server.open().await?, output).await,
        Command::Touch(args) => touch::run(args, server.open().await?, output).await,
        Command::Callbacks(args) => callbacks::run(args, server.open().await?, output).await,
        Command::Renew(args) => touch::renew(args, server.open().await?, output).await,
        Command::Release(args) => touch::release(args, server.open().await?, output).await,
        Command::Rules(command) => rules::run(command, server.open().await?, output).await,
        Command::Queue(command) => queue::run(command, server.open().await?, output).await,
        Command::Campaign(command) => campaign::run(command, server.open().await?, output).await,
        Command::Lead(command) => lead_story::run(command, server.open().await?, output).await,
        Command::Rep(command) => rep::run(command, server.open().await?, output).await,
        Command::Token(command) => token::run(command, server.open().await?, output).await,
        Command::Peek(args) => queue::peek(args, server.open().await?, output).await,
        Command::Explain(args) => explain::run(args, server.open().await?, output).await,
        Command::Trace(args) => trace::run(args, server.open().await?, output).await,
        Command::Coverage(args) => coverage::run(args, server.open().await?, output).await,
        Command::Uncontacted(args) => {
            coverage::uncontacted(args, server.open().await?, output).await
        }
        Command::Unroutable(args) => unroutable::run(args, server.open().await?, output).await,
        Command::Audit(args) => coverage::audit(args, server.open().await?, output).await,
        Command::Quality(args) => quality::run(args, server.open().await?, output).await,
        Command::Rate(args) => quality::rate(args, server.open().await?, output).await,
        Command::Skips(args) => skips::run(args, server.open().await?, output).await,
        Command::Suppress(args) => suppress::run(args, server.open().await?, output).await,
        Command::Health(args) => {
            health::run(args, server.open_without_token().await?, output).await
        }
        Command::Backup(args) => backup::run(args, server.open().await?, output).await,
        Command::Restore(args) => restore::run(args, output).await,
        Command::Erase(args) => erase::run(args, server, output).await,
        Command::Config(command) => config::run(command, cli.config, output),
        Command::Completions(args) => manual::completions(&args, output),
        Command::Man(args) => manual::man(args, output),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_flag_takes_the_access_token_itself() {
        let refused = Cli::try_parse_from(["nextlead", "--access-token", "x", "audit"]);
        assert!(refused.is_err());
        let flags: Vec<_> = Cli::command()
            .get_arguments()
            .filter_map(|one| one.get_long().map(str::to_owned))
            .collect();
        assert!(flags.contains(&"token-file".to_owned()), "{flags:?}");
        assert!(!flags.contains(&"token".to_owned()), "{flags:?}");
    }
}

//! `config` shows what holds and where it comes from, and checks a configuration file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, CommandFactory as _, Subcommand};
use serde_json::{Value, json};

use super::Cli;
use super::arguments::config_failure;
use super::exit::Exit;
use super::output::{Output, table};
use super::settings::{Problem, Setting, Settings};
use crate::config::without_passwords;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    Show(ShowArgs),
    Check(CheckArgs),
}

/// Show every setting that `serve` would run with, and where it comes from
#[derive(Debug, Args)]
#[command(after_help = "\
A flag goes before an environment variable, that before the configuration file, that before the
default. Of files, only the first that is there holds: the one named by --config or NEXTLEAD_CONFIG,
./nextlead.toml, $XDG_CONFIG_HOME/nextlead/nextlead.toml, /etc/nextlead/nextlead.toml.

Examples:
  nextlead config show
  nextlead config show --json
  nextlead --config /etc/nextlead/nextlead.toml config show -- --listen 127.0.0.1:7500")]
pub(super) struct ShowArgs {
    /// Flags as `serve` would get them
    #[arg(value_name = "FLAG", trailing_var_arg = true, allow_hyphen_values = true)]
    flags: Vec<OsString>,
}

/// Check a configuration file: all mistakes at once, each with its line
#[derive(Debug, Args)]
#[command(after_help = "\
The keys of the file are the long flags of the commands, without their hyphens in front. Flags of all
commands stand at its top, those of a command in a table of its name:

  server = \"https://leads.example.com:7400\"
  token-file = \"/home/ann/.nextlead-token\"

  [serve]
  listen = \"127.0.0.1:7400\"

  [rules.publish]
  wait = true

Exit codes: 0 without mistakes, 1 with any.

Examples:
  nextlead config check nextlead.toml
  nextlead config check /etc/nextlead/nextlead.toml --json")]
pub(super) struct CheckArgs {
    /// The file
    file: PathBuf,
}

/// A setting that holds.
struct Effective {
    flag: String,
    value: Option<String>,
    from: From,
}

/// The configuration file, and what of it holds.
struct File<'s> {
    path: Option<&'s Path>,
    held: Vec<&'s Setting>,
}

enum From {
    Flag,
    Variable(String),
    File { path: PathBuf, line: u32 },
    Default,
    Unset,
}

pub(super) fn run(
    command: ConfigCommand,
    named: Option<OsString>,
    output: Output,
) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Show(args) => show(args, named, output),
        ConfigCommand::Check(args) => check(args, output),
    }
}

fn show(args: ShowArgs, named: Option<OsString>, output: Output) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(named.as_ref(), &Cli::command())?;
    let plain = Cli::command();
    let line = ["nextlead".into(), "serve".into()].into_iter().chain(args.flags);
    let (line, held) = settings.add_to(&plain, line.collect());
    let file = File { path: settings.path.as_deref(), held };
    let mut command = settings.prepare(plain);
    let matches = match command.try_get_matches_from_mut(line) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return Ok(Exit::Usage.into());
        }
    };
    let all = effective(&command, &matches, &file);
    let file = file.path.map(|path| path.display().to_string());
    if output.is_json {
        let all: Vec<Value> = all.iter().map(Effective::document).collect();
        output.document(&json!({"file": file, "settings": all}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = all.iter().map(|one| {
        let value = one.value.clone().unwrap_or_else(|| "(not set)".to_owned());
        [one.flag.clone(), value, one.from.text()]
    });
    let file = file.map_or("No configuration file.".to_owned(), |file| format!("File: {file}"));
    output.text(&format!("{}\n{file}\n", table(["setting", "value", "from"], &[], rows)))?;
    Ok(ExitCode::SUCCESS)
}

/// What `serve` would run with: its own flags, then those of all commands.
fn effective(command: &Command, matches: &ArgMatches, file: &File<'_>) -> Vec<Effective> {
    let Some(("serve", inner)) = matches.subcommand() else { return Vec::new() };
    let Some(serve) = command.find_subcommand("serve") else { return Vec::new() };
    let is_own = |argument: &&Arg| !argument.is_global_set();
    let own = serve.get_arguments().filter(is_own);
    let own = own.filter_map(|one| setting(one, inner, file, &["serve"]));
    let global = command.get_arguments();
    let global = global.filter_map(|one| setting(one, inner, file, &[]));
    own.chain(global).collect()
}

fn setting(
    argument: &Arg,
    matches: &ArgMatches,
    file: &File<'_>,
    command: &[&str],
) -> Option<Effective> {
    let flag = argument.get_long()?.to_owned();
    let id = argument.get_id().as_str();
    if ["help", "version", "config", "json"].contains(&id) {
        return None;
    }
    let values = matches.get_raw(id).map(|values| {
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        without_passwords(&values.join(", "))
    });
    let held = file.held.iter().find(|one| one.command == command && one.id == id);
    let from = match (matches.value_source(id), held, file.path) {
        (_, Some(one), Some(path)) => From::File { path: path.to_owned(), line: one.line },
        (Some(ValueSource::CommandLine), ..) => From::Flag,
        (Some(ValueSource::EnvVariable), ..) => {
            let name = argument.get_env().unwrap_or_default();
            From::Variable(name.to_string_lossy().into_owned())
        }
        (Some(_), ..) => From::Default,
        (None, ..) => From::Unset,
    };
    Some(Effective { flag, value: values, from })
}

impl Effective {
    fn document(&self) -> Value {
        let (from, place, line) = match &self.from {
            From::Flag => ("flag", None, None),
            From::Variable(name) => ("environment", Some(name.clone()), None),
            From::File { path, line } => ("file", Some(path.display().to_string()), Some(*line)),
            From::Default => ("default", None, None),
            From::Unset => ("unset", None, None),
        };
        json!({"setting": self.flag, "value": self.value, "from": from, "place": place, "line": line})
    }
}

impl From {
    fn text(&self) -> String {
        match self {
            Self::Flag => "flag".to_owned(),
            Self::Variable(name) => name.clone(),
            Self::File { path, line } => format!("{}:{line}", path.display()),
            Self::Default => "default".to_owned(),
            Self::Unset => String::new(),
        }
    }
}

fn check(args: CheckArgs, output: Output) -> anyhow::Result<ExitCode> {
    let name = args.file.display().to_string();
    let (count, problem) = match Settings::read(&args.file, &Cli::command()) {
        Ok(settings) => (settings.all.len(), None),
        Err(problem @ Problem::Mistaken { .. }) => (0, Some(problem)),
        Err(problem) => return Err(problem.into()),
    };
    if output.is_json {
        let fields = problem.as_ref().map_or(Vec::new(), |one| config_failure(one).fields);
        let mistake = |(place, problem)| json!({"place": place, "problem": problem});
        let mistakes: Vec<Value> = fields.into_iter().map(mistake).collect();
        output.document(&json!({"file": name, "setting_count": count, "mistakes": mistakes}))?;
    } else {
        output.text(&match &problem {
            Some(Problem::Mistaken { mistakes, .. }) => format!("{name}\n{mistakes}\n"),
            _ => format!("{name} can be used; it has {count} settings.\n"),
        })?;
    }
    Ok(if problem.is_none() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

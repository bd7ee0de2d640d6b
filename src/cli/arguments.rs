//! Reads the arguments, and the configuration file before them.
//!
//! A broken file stops every command but those that help to mend it.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, FromArgMatches as _, ValueEnum as _};

use super::Cli;
use super::color::ColorWhen;
use super::error::Failure;
use super::exit::Exit;
use super::settings::{CONFIG_VARIABLE, Problem, Settings};
use crate::config::{refuse_passwords, without_passwords};

/// What must be known of the arguments before they can be read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Early {
    is_json: bool,
    color: ColorWhen,
    config: Option<OsString>,
}

impl Early {
    /// Looks through the arguments, the program's name first. None of our flags takes a value that
    /// begins with two hyphens, so one of these names is never another's value.
    fn of(args: &[OsString]) -> Self {
        let mut early = Self::default();
        let mut args = args.iter().skip(1).take_while(|one| *one != "--");
        while let Some(arg) = args.next() {
            let text = arg.to_string_lossy();
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(OsString::from(value))),
                None => (&*text, None),
            };
            match name {
                "--json" => early.is_json = true,
                "--config" => early.config = value.or_else(|| args.next().cloned()),
                "--color" => {
                    let value = value.or_else(|| args.next().cloned()).unwrap_or_default();
                    let when = ColorWhen::from_str(&value.to_string_lossy(), false);
                    early.color = when.unwrap_or_default();
                }
                _ => {}
            }
        }
        early
    }
}

/// Reads the arguments of the process. If they make no sense, or only ask for help, that is printed
/// and the exit code returned.
pub fn parse() -> Result<Cli, ExitCode> {
    let args: Vec<OsString> = std::env::args_os().collect();
    let early = Early::of(&args);
    early.color.hold();
    if let Err(problem) = refuse_passwords(&args) {
        let mut failure = Failure::new(Exit::Usage, &problem);
        failure.reason = "PASSWORD_IN_ARGUMENTS".to_owned();
        failure.print(early.is_json);
        return Err(Exit::Usage.into());
    }
    let named = early.config.clone().or_else(|| std::env::var_os(CONFIG_VARIABLE));
    let loaded = Settings::load(named.as_ref(), &Cli::command());
    match (read(args, &loaded, early.color), loaded) {
        (Ok(cli), Ok(_)) => Ok(accepted(cli)),
        (Ok(cli), Err(_)) if cli.command.mends_settings() => Ok(accepted(cli)),
        (Err(error), _) if !error.use_stderr() => {
            // A reader that goes away early is no failure.
            let _ = error.print();
            Err(ExitCode::SUCCESS)
        }
        (_, Err(problem)) => {
            config_failure(&problem).print(early.is_json);
            Err(Exit::Usage.into())
        }
        (Err(error), Ok(_)) if early.is_json => {
            usage_failure(&error).print(true);
            Err(Exit::Usage.into())
        }
        (Err(error), Ok(_)) => {
            let _ = error.print();
            Err(Exit::Usage.into())
        }
    }
}

fn accepted(cli: Cli) -> Cli {
    cli.color.hold();
    cli
}

fn read(
    args: Vec<OsString>,
    loaded: &Result<Settings, Problem>,
    color: ColorWhen,
) -> Result<Cli, clap::Error> {
    let plain = Cli::command().color(color.of_parser());
    let (mut command, args) = match loaded {
        Ok(settings) => {
            let (args, _) = settings.add_to(&plain, args);
            (settings.prepare(plain), args)
        }
        Err(_) => (plain, args),
    };
    let mut matches = command.try_get_matches_from_mut(args).map_err(keep_passwords)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// The parser's words, without the passwords of an address that makes no sense.
fn keep_passwords(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        let shown = without_passwords(value);
        error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    }
    error
}

/// What is wrong with a configuration file, for programs a field a mistake.
pub(super) fn config_failure(problem: &Problem) -> Failure {
    let mut failure = Failure::new(Exit::Usage, problem);
    failure.reason = "CONFIG_INVALID".to_owned();
    if let Problem::Mistaken { path, mistakes } = problem {
        let place = |line: u32, column: u32| format!("{}:{line}:{column}", path.display());
        let field =
            |one: &crate::rules::Mistake| (place(one.line, one.column), one.message.clone());
        failure.fields = mistakes.0.iter().map(field).collect();
    }
    failure
}

/// What the argument parser says, without the help that it adds for people.
fn usage_failure(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let said = text.split("\n\n").next().unwrap_or_default();
    let mut failure = Failure::of_text(Exit::Usage, said.trim().trim_start_matches("error: "));
    failure.reason = "ARGUMENTS_INVALID".to_owned();
    let problem = failure.message.clone();
    let flags = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => vec![flag.clone()],
        Some(ContextValue::Strings(flags)) => flags.clone(),
        _ => Vec::new(),
    };
    failure.fields = flags.into_iter().map(|flag| (flag, problem.clone())).collect();
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn early(line: &str) -> Early {
        Early::of(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_file_and_the_colours_are_known_before_the_arguments_are_read() {
        let both = early("nextlead audit --config a.toml --color=never --json");
        assert_eq!(
            both,
            Early { is_json: true, color: ColorWhen::Never, config: Some("a.toml".into()) }
        );
        assert_eq!(early("nextlead --config= audit").config, Some("".into()));
        assert_eq!(early("nextlead config show -- --config b --json"), Early::default());
        assert_eq!(early("nextlead --color loud").color, ColorWhen::Auto);
    }

    #[test]
    fn an_address_that_makes_no_sense_is_told_without_its_password() {
        let settings = Settings::load(Some(&"".into()), &Cli::command());
        for value in ["--queue=valkey://:s3cret@h", "--store=postgres://h?x=1&password=s3cret"] {
            let args = ["nextlead", "serve", value].map(OsString::from).to_vec();
            let error = read(args, &settings, ColorWhen::Never).unwrap_err();
            let shown = format!("{}{}", error.render(), usage_failure(&error).message);
            assert!(shown.contains("***") && !shown.contains("s3cret"), "{shown}");
        }
    }
}

//! Settings from a configuration file: file < environment < flags.
//!
//! The file is read before the arguments, and its values become the defaults of the commands' own
//! arguments. So every flag of every command can be set in it without a line of code, and precedence,
//! types and messages are those of the flags.

mod locate;
mod read;
#[cfg(test)]
mod tests;
mod variables;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::OsStr;
use clap::{Arg, ArgAction, Command};

use crate::rules::Mistakes;

pub(super) use read::Setting;
pub(super) use variables::misspelt_variables;

/// The variable that names the configuration file.
pub(super) const CONFIG_VARIABLE: &str = "NEXTLEAD_CONFIG";

/// What keeps a configuration file from being used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "the configuration file {} can be written by others; name it with --config if it is \
         meant, or use none with --config ''", path.display()
    )]
    Foreign { path: PathBuf },
    #[error("{}", mistakes_text(path, mistakes))]
    Mistaken { path: PathBuf, mistakes: Mistakes },
}

fn mistakes_text(path: &Path, mistakes: &Mistakes) -> String {
    let count = match mistakes.0.len() {
        1 => "a mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    format!("the configuration file {} has {count}\n{mistakes}", path.display())
}

/// What a configuration file says.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// The file, if there is one.
    pub(super) path: Option<PathBuf>,
    /// What it sets.
    pub(super) all: Vec<Setting>,
}

impl Settings {
    /// Finds the file that holds and reads it. `named` is what `--config` says, or else its variable.
    pub(super) fn load(named: Option<&OsString>, command: &Command) -> Result<Self, Problem> {
        match locate::locate(named)? {
            Some(path) => Self::read(&path, command),
            None => Ok(Self::default()),
        }
    }

    /// Reads a file.
    pub(super) fn read(path: &Path, command: &Command) -> Result<Self, Problem> {
        let path = path.to_owned();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(Problem::Unreadable { path, source }),
        };
        match read::read(&text, command) {
            Ok(all) => Ok(Self { path: Some(path), all }),
            Err(mistakes) => Err(Problem::Mistaken { path, mistakes }),
        }
    }

    /// The commands, with the settings as their defaults.
    pub(super) fn apply(&self, command: Command) -> Command {
        self.all.iter().fold(command, |command, setting| {
            let path: Vec<&str> = setting.command.iter().map(String::as_str).collect();
            change(command, &path, &|command| {
                command.mut_arg(&setting.id, |argument| with_default(argument, &setting.values))
            })
        })
    }

    /// What the file says of an argument.
    pub(super) fn of(&self, command: &[&str], id: &str) -> Option<&Setting> {
        self.all.iter().find(|one| one.command == command && one.id == id)
    }
}

fn change(command: Command, path: &[&str], what: &dyn Fn(Command) -> Command) -> Command {
    match path {
        [] => what(command),
        [first, rest @ ..] => {
            command.mut_subcommand(*first, |subcommand| change(subcommand, rest, what))
        }
    }
}

fn with_default(argument: Arg, values: &[String]) -> Arg {
    let argument = argument.required(false);
    if !read::is_flag(&argument) {
        return argument.default_values(values.iter().map(|one| OsStr::from(one.clone())));
    }
    if values != ["true"] {
        return argument;
    }
    // What the file switches on can be switched off again: `--wait=false`.
    let argument = argument.action(ArgAction::Set).num_args(0..=1).require_equals(true);
    argument.default_missing_value("true").default_value("true").hide_possible_values(true)
}

/// Whether a configuration file may set an argument: it has a long flag, and is neither one that ends
/// the program nor the one that names the file.
fn is_settable(argument: &Arg) -> bool {
    argument.get_long().is_some()
        && !["help", "version", "config"].contains(&argument.get_id().as_str())
}

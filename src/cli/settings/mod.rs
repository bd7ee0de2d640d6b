//! Settings from a configuration file: file < environment < flags.
//!
//! The file is read before the arguments, against the commands themselves, and what it says is put
//! among the arguments. So every flag of every command can be set in it without a line of code, and
//! types, messages and what goes with what are those of the flags.

mod inject;
mod locate;
mod read;
#[cfg(test)]
mod tests;
mod variables;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

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

    /// The commands, so that what the file switches on can be switched off again: `--wait=false`.
    pub(super) fn prepare(&self, command: Command) -> Command {
        let switched_on = self.all.iter().filter(|one| one.values == ["true"]);
        switched_on.fold(command, |command, setting| {
            let path: Vec<&str> = setting.command.iter().map(String::as_str).collect();
            change(command, &path, &|command| command.mut_arg(&setting.id, with_value))
        })
    }

    /// The arguments, with those settings of the file that hold; and which these are.
    pub(super) fn add_to(
        &self,
        command: &Command,
        args: Vec<OsString>,
    ) -> (Vec<OsString>, Vec<&Setting>) {
        inject::inject(&self.all, command, args, &|name| std::env::var_os(name).is_some())
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

/// A flag that may be given `=false`.
fn with_value(argument: Arg) -> Arg {
    if !read::is_flag(&argument) {
        return argument;
    }
    let argument = argument.action(ArgAction::Set).num_args(0..=1).require_equals(true);
    argument.default_missing_value("true").default_value("false").hide_possible_values(true)
}

/// Whether a configuration file may set an argument: it has a long flag, and is neither one that ends
/// the program nor the one that names the file.
fn is_settable(argument: &Arg) -> bool {
    argument.get_long().is_some()
        && !["help", "version", "config"].contains(&argument.get_id().as_str())
}

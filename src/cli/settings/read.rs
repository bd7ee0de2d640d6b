//! Reads a configuration file against the commands: its keys are the long flags of the commands, its
//! tables their names. All that is wrong is told at once, each with its line.
//!
//! A value is tried on the flag's own parser here, so that one that makes no sense is blamed on its
//! line of the file and not on a flag that nobody typed.

use std::error::Error as _;
use std::ops::Range;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::is_settable;
use crate::config::without_passwords;
use crate::rules::{Mistakes, Report, expected, hint};

/// The longest configuration file, in bytes.
const FILE_LENGTH_MAX: usize = 256 * 1_024;

/// What a configuration file says of one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The names of the command, outermost first; none for the flags of all commands.
    pub(crate) command: Vec<String>,
    /// The argument's id in its command.
    pub(crate) id: String,
    /// Its values, as the flag would take them; a flag without a value has `true` or `false`.
    pub(crate) values: Vec<String>,
    /// Its line in the file, from 1.
    pub(crate) line: u32,
}

/// Reads a file's text. Fails with everything that is wrong in it.
pub(super) fn read(text: &str, command: &Command) -> Result<Vec<Setting>, Mistakes> {
    let mut report = Report::new(text);
    let mut settings = Vec::new();
    if text.len() > FILE_LENGTH_MAX {
        report.add(0..0, format!("a configuration file has at most {FILE_LENGTH_MAX} bytes"));
        return report.finish().map(|()| settings);
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report.add(error.span().unwrap_or(0..0), error.message());
    }
    if errors.is_empty() {
        let reader = Reader { root: command, report: &mut report, settings: &mut settings };
        reader.table(root.get_ref(), command, &[]);
    }
    report.finish()?;
    Ok(settings)
}

struct Reader<'r, 'd> {
    root: &'r Command,
    report: &'r mut Report<'d>,
    settings: &'r mut Vec<Setting>,
}

impl<'r, 'd> Reader<'r, 'd> {
    /// Reads the table of a command, and those of its subcommands.
    fn table(mut self, entries: &DeTable<'_>, command: &Command, path: &[&str]) {
        for (key, value) in entries {
            let name = key.get_ref().replace('_', "-");
            let is_table = matches!(value.get_ref(), DeValue::Table(_));
            let argument = argument(command, &name);
            let subcommand = command.get_subcommands().find(|one| one.get_name() == name);
            match (value.get_ref(), argument, subcommand) {
                (DeValue::Table(table), _, Some(subcommand)) => {
                    let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
                    self.reborrow().table(table, subcommand, &path);
                }
                (_, Some(argument), _) => self.setting(argument, key.span(), value, path),
                _ => {
                    let message = self.unknown(&name, is_table, command, path);
                    self.report.add(key.span(), message);
                }
            }
        }
    }

    fn reborrow(&mut self) -> Reader<'_, 'd> {
        Reader { root: self.root, report: self.report, settings: self.settings }
    }

    fn setting(
        &mut self,
        argument: &Arg,
        key: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        path: &[&str],
    ) {
        let line = self.report.line_of(key.start);
        let id = argument.get_id().as_str();
        let is_here = |one: &&Setting| one.command == path && one.id == id;
        if let Some(first) = self.settings.iter().find(is_here) {
            let message = format!("is set twice, in line {} too", first.line);
            self.report.add(key, message);
            return;
        }
        let Some(values) = self.values(argument, value) else { return };
        if let Some(problem) = refusal(argument, &values) {
            self.report.add(value.span(), problem);
            return;
        }
        let command = path.iter().map(|&one| one.to_owned()).collect();
        self.settings.push(Setting { command, id: id.to_owned(), values, line });
    }

    fn values(&mut self, argument: &Arg, value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
        let is_flag = is_flag(argument);
        match value.get_ref() {
            DeValue::Boolean(is_on) if is_flag => Some(vec![is_on.to_string()]),
            other if is_flag => {
                self.report.add(value.span(), expected("true or false", other));
                None
            }
            DeValue::Array(array) if takes_many(argument) => {
                array.iter().map(|one| self.scalar(one)).collect()
            }
            DeValue::Array(_) => {
                self.report.add(value.span(), "expected one value, found a list");
                None
            }
            _ => Some(vec![self.scalar(value)?]),
        }
    }

    fn scalar(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => {
                let int = i64::from_str_radix(number.as_str(), number.radix());
                Some(int.map_or_else(|_| number.to_string(), |int| int.to_string()))
            }
            DeValue::Float(number) => Some(number.to_string()),
            DeValue::Boolean(is_on) => Some(is_on.to_string()),
            DeValue::Datetime(instant) => Some(instant.to_string()),
            other @ (DeValue::Array(_) | DeValue::Table(_)) => {
                self.report.add(value.span(), expected("a value", other));
                None
            }
        }
    }

    fn unknown(&self, name: &str, is_table: bool, command: &Command, path: &[&str]) -> String {
        if is_table {
            let names = command.get_subcommands().map(Command::get_name);
            return format!("there is no command `{name}` here{}", hint(name, names));
        }
        let is_secret = ["token", "access-token", "password", "secret"].contains(&name);
        if is_secret && path.is_empty() {
            return "a secret does not belong here: name its file with `token-file`".to_owned();
        }
        if !path.is_empty() && argument(self.root, name).is_some() {
            return format!("`{name}` is for all commands: it goes before the first table");
        }
        let whose = match path {
            [] => "no flag of all commands".to_owned(),
            path => format!("no flag of `nextlead {}`", path.join(" ")),
        };
        let flags = command.get_arguments().filter(|one| is_settable(one) && !one.is_hide_set());
        let flags = flags.filter_map(Arg::get_long);
        format!("`{name}` is {whose}{}", hint(name, flags))
    }
}

/// The argument of a command with this long flag, if a file may set it.
fn argument<'c>(command: &'c Command, flag: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|one| is_settable(one) && one.get_long() == Some(flag))
}

/// Whether a flag takes no value.
pub(super) fn is_flag(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue | ArgAction::SetFalse)
}

fn takes_many(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
        || argument.get_num_args().is_some_and(|range| range.max_values() > 1)
}

/// Why the flag's own parser takes one of the values for nonsense, if it does.
fn refusal(argument: &Arg, values: &[String]) -> Option<String> {
    if is_flag(argument) {
        return None;
    }
    values.iter().find_map(|value| {
        let mut alone = Arg::new("value").long("value").action(ArgAction::Append);
        alone = alone.value_parser(argument.get_value_parser().clone());
        if let Some(delimiter) = argument.get_value_delimiter() {
            alone = alone.value_delimiter(delimiter);
        }
        let probe = Command::new("probe").no_binary_name(true).disable_help_flag(true).arg(alone);
        let error = probe.try_get_matches_from([format!("--value={value}")]).err()?;
        Some(format!("{:?} {}", without_passwords(value), reason(&error)))
    })
}

fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return format!("is refused: {source}");
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(valid)) if !valid.is_empty() => {
            format!("must be one of: {}", valid.join(", "))
        }
        _ => "is refused".to_owned(),
    }
}

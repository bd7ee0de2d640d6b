//! Puts what a configuration file says among the arguments, as if it had been typed first.
//!
//! So the parser treats it as it treats any argument: what is required is there, and a certificate
//! without its key is refused. A flag that was typed, or whose variable is set, goes before the file,
//! and before whatever in the file excludes it.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use super::read::{Setting, is_flag};

/// A command that was named among the arguments.
struct Level<'c> {
    command: &'c Command,
    /// Where its name stands.
    at: usize,
    /// Its flags that were typed.
    typed: Vec<&'c Arg>,
}

/// The arguments, the program's name first, with the settings that hold; and which these are.
pub(super) fn inject<'s>(
    settings: &'s [Setting],
    command: &Command,
    mut args: Vec<OsString>,
    has_variable: &dyn Fn(&OsStr) -> bool,
) -> (Vec<OsString>, Vec<&'s Setting>) {
    let levels = levels(command, &args);
    let mut held = Vec::new();
    let mut added = Vec::new();
    for setting in settings {
        let depth = setting.command.len();
        let names = levels.iter().skip(1).map(|level| level.command.get_name());
        let is_named = levels.len() > depth && names.take(depth).eq(setting.command.iter());
        let Some(level) = levels.get(depth).filter(|_| is_named) else { continue };
        let is_over = levels.len() > depth + 1;
        let argument = level.command.get_arguments().find(|one| *one.get_id() == setting.id);
        let Some(argument) = argument.filter(|one| holds(one, level, is_over, has_variable)) else {
            continue;
        };
        held.push(setting);
        added.extend(words(argument, &setting.values).into_iter().map(|word| (level.at, word)));
    }
    // From the end, so that what stands before keeps its place.
    added.sort_by_key(|(at, _)| *at);
    for (at, word) in added.into_iter().rev() {
        args.insert((at + 1).min(args.len()), word);
    }
    (args, held)
}

/// The commands that are named, outermost first, and what was typed of each.
fn levels<'c>(command: &'c Command, args: &[OsString]) -> Vec<Level<'c>> {
    let mut levels = vec![Level { command, at: 0, typed: Vec::new() }];
    let mut args = args.iter().enumerate().skip(1).take_while(|(_, one)| *one != "--");
    while let Some((at, arg)) = args.next() {
        let text = arg.to_string_lossy();
        let innermost = levels.len() - 1;
        let Some(flag) = text.strip_prefix("--") else {
            if let Some(command) = levels[innermost].command.find_subcommand(&*text) {
                levels.push(Level { command, at, typed: Vec::new() });
            }
            continue;
        };
        let (flag, has_value) = match flag.split_once('=') {
            Some((flag, _)) => (flag, true),
            None => (flag, false),
        };
        let found = levels.iter().enumerate().rev().find_map(|(depth, level)| {
            let is_meant = |one: &&Arg| {
                let is_named = one.get_long() == Some(flag)
                    || one.get_all_aliases().is_some_and(|all| all.contains(&flag));
                is_named && (depth == innermost || one.is_global_set())
            };
            Some((depth, level.command.get_arguments().find(is_meant)?))
        });
        if let Some((depth, argument)) = found {
            levels[depth].typed.push(argument);
            if takes_next(argument) && !has_value {
                args.next();
            }
        }
    }
    levels
}

/// Whether the value of a flag is the next argument.
fn takes_next(argument: &Arg) -> bool {
    let needs_value = argument.get_num_args().is_none_or(|range| range.min_values() > 0);
    argument.get_action().takes_values() && needs_value
}

/// Whether the file is what decides about a flag.
fn holds(
    argument: &Arg,
    level: &Level<'_>,
    is_over: bool,
    has_variable: &dyn Fn(&OsStr) -> bool,
) -> bool {
    let command = level.command;
    let is_given = |one: &Arg| {
        level.typed.iter().any(|typed| typed.get_id() == one.get_id())
            || one.get_env().is_some_and(has_variable)
    };
    if is_given(argument) || (is_over && command.is_args_conflicts_with_subcommands_set()) {
        return false;
    }
    let excludes = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|id| id.get_id() == other.get_id())
            || command.get_groups().any(|group| {
                let members: Vec<_> = group.get_args().collect();
                let is_choice = !group.clone().is_multiple();
                is_choice && members.contains(&one.get_id()) && members.contains(&other.get_id())
            })
    };
    let mut given = command.get_arguments().filter(|one| is_given(one));
    !given.any(|one| excludes(argument, one) || excludes(one, argument))
}

/// What would have to be typed.
fn words(argument: &Arg, values: &[String]) -> Vec<OsString> {
    let flag = argument.get_long().unwrap_or_default();
    if is_flag(argument) {
        let is_on = values == ["true"];
        return is_on.then(|| format!("--{flag}").into()).into_iter().collect();
    }
    values.iter().map(|value| format!("--{flag}={value}").into()).collect()
}

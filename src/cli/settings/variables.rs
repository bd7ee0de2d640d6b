//! Environment variables that look like ours and are none: a misspelt one would change nothing, and
//! nobody would notice.

use std::collections::BTreeSet;

use clap::Command;

use crate::config::OTHER_VARIABLES;
use crate::rules::hint;

/// What all our variables begin with.
const PREFIX: &str = "NEXTLEAD_";

/// What to say of each variable with our prefix that nothing reads.
pub(in crate::cli) fn misspelt_variables(
    command: &Command,
    names: impl IntoIterator<Item = String>,
) -> Vec<String> {
    let mut known: BTreeSet<String> = OTHER_VARIABLES.iter().map(|&one| one.to_owned()).collect();
    collect(command, &mut known);
    let ours = names.into_iter().filter(|name| name.starts_with(PREFIX));
    let unknown: BTreeSet<String> = ours.filter(|name| !known.contains(name)).collect();
    let message = |name: &String| {
        // What all names share must not make them near.
        let wrong = name.strip_prefix(PREFIX).unwrap_or(name);
        let known = known.iter().filter_map(|one| one.strip_prefix(PREFIX));
        let hint = hint(wrong, known).replace('`', "").replace("mean ", "mean NEXTLEAD_");
        format!("the environment variable {name} has no meaning{hint}")
    };
    unknown.iter().map(message).collect()
}

fn collect(command: &Command, known: &mut BTreeSet<String>) {
    let names = command.get_arguments().filter_map(clap::Arg::get_env);
    known.extend(names.filter_map(|name| name.to_str()).map(str::to_owned));
    for subcommand in command.get_subcommands() {
        collect(subcommand, known);
    }
}

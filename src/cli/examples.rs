//! Every command shows in its help how it is called, and what it shows works: each example is read by
//! the commands themselves.

use clap::{Command, CommandFactory as _};

use super::Cli;

/// The commands that can be run, each with its path.
fn leaves(command: &Command, path: &str, found: &mut Vec<(String, String)>) {
    let is_hidden = command.is_hide_set() || command.get_name() == "help";
    if is_hidden {
        return;
    }
    let is_runnable = !command.is_subcommand_required_set();
    if is_runnable || path == "nextlead" {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        found.push((path.to_owned(), help));
    }
    for subcommand in command.get_subcommands() {
        leaves(subcommand, &format!("{path} {}", subcommand.get_name()), found);
    }
}

/// The command lines of a help text, continued lines joined, without what a shell does with the
/// output.
fn examples(help: &str) -> Vec<String> {
    let joined = help.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| line.starts_with("nextlead "));
    lines.map(|line| line.split(['>', '<', '|', '&']).next().unwrap_or(line).to_owned()).collect()
}

/// The words of a line, as a shell takes them apart.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for one in line.chars() {
        match (quote, one) {
            (Some(open), _) if open == one => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(one),
            (None, '"' | '\'') => {
                quote = Some(one);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(one),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_has_an_example_and_every_example_is_read() {
    let mut found = Vec::new();
    leaves(&Cli::command(), "nextlead", &mut found);
    assert!(found.len() > 20, "{}", found.len());
    let mut wrong = Vec::new();
    for (path, help) in found {
        let examples = examples(&help);
        let own = examples.iter().filter(|one| one.starts_with(&path)).count();
        if own == 0 {
            wrong.push(format!("`{path}` has no example in its after_help"));
        }
        for example in examples {
            if let Err(error) = Cli::command().try_get_matches_from(words(&example)) {
                wrong.push(format!("`{path}` shows `{example}`:\n{error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_are_taken_apart_as_a_shell_does() {
    assert_eq!(words("a  'b c' d\"e f\" ''"), ["a", "b c", "de f", ""]);
    assert_eq!(
        examples("Example:\n  nextlead man \\\n      --out x > y\nnot this"),
        ["nextlead man        --out x "]
    );
}

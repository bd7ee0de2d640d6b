//! Configuration files against the real commands.

use std::ffi::{OsStr, OsString};

use clap::{CommandFactory as _, FromArgMatches as _};

use super::inject::inject;
use super::read::{Setting, read};
use super::{Settings, misspelt_variables};
use crate::cli::Cli;

fn mistakes(text: &str) -> Vec<(u32, String)> {
    let mistakes = read(text, &Cli::command()).unwrap_err();
    mistakes.0.into_iter().map(|one| (one.line, one.message)).collect()
}

fn settings(text: &str) -> Settings {
    let all = read(text, &Cli::command()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    Settings { path: Some("n.toml".into()), all }
}

fn shown_with(text: &str, line: &str, variables: &[&str]) -> Result<String, clap::Error> {
    let settings = settings(text);
    let args = line.split(' ').map(OsString::from).collect();
    let has_variable = |name: &OsStr| variables.iter().any(|one| name == *one);
    let (args, _) = inject(&settings.all, &Cli::command(), args, &has_variable);
    let mut matches = settings.prepare(Cli::command()).try_get_matches_from(args)?;
    Cli::from_arg_matches_mut(&mut matches).map(|cli| format!("{cli:?}"))
}

fn shown(text: &str, line: &str) -> Result<String, clap::Error> {
    shown_with(text, line, &[])
}

#[test]
fn keys_are_the_long_flags_with_either_hyphen() {
    let settings = settings(
        "token_file = 't'\n[serve]\nlisten = '127.0.0.1:1'\n[rules.publish]\nwait = true\n\
         [coverage]\ncampaign = 'spring'\n[coverage.uncontacted]\nlimit = 7\n",
    );
    let setting = |command: &[&str], id: &str, value: &str, line| Setting {
        command: command.iter().map(|&one| one.to_owned()).collect(),
        id: id.to_owned(),
        values: vec![value.to_owned()],
        line,
    };
    for expected in [
        setting(&[], "token_file", "t", 1),
        setting(&["serve"], "listen", "127.0.0.1:1", 3),
        setting(&["rules", "publish"], "wait", "true", 5),
        setting(&["coverage"], "campaign", "spring", 7),
        setting(&["coverage", "uncontacted"], "limit", "7", 9),
    ] {
        assert!(settings.all.contains(&expected), "{expected:?} in {settings:?}");
    }
    assert_eq!(settings.all.len(), 5);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_line() {
    let found = mistakes(
        "sevrer = 'x'\n\
         token = 'secret'\n\
         json = 'yes'\n\
         [serve]\n\
         listen = 'here'\n\
         store = ['a', 'b']\n\
         server = 'x'\n\
         [import]\n\
         format = 'xls'\n\
         map = [{}]\n\
         [ruels.publish]\n\
         wait = true\n\
         [queue.set]\n\
         lease = 5\n\
         lease-total = '1h'\n\
         lease_total = '2h'\n",
    );
    let expected = [
        (1, "`sevrer` is no flag of all commands; did you mean `server`?"),
        (2, "a secret does not belong here: name its file with `token-file`"),
        (3, "expected true or false, found text"),
        (5, "\"here\" is refused: invalid socket address"),
        (6, "expected one value, found a list"),
        (7, "`server` is for all commands: it goes before the first table"),
        (9, "\"xls\" must be one of: "),
        (10, "expected a value, found a table"),
        (11, "there is no command `ruels` here; did you mean `rules`?"),
        (14, "\"5\" is refused: a duration, such as 30s"),
        (16, "is set twice, in line 15 too"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((line, message), (expected_line, beginning)) in found.iter().zip(expected) {
        assert_eq!(*line, expected_line, "{message}");
        assert!(message.starts_with(beginning), "{message:?} begins with {beginning:?}");
    }
    assert_eq!(mistakes("server = \n[serve]\nx = 1\n")[0].0, 1, "what is no TOML has a line too");
}

#[test]
fn flags_go_before_the_file_and_the_file_before_defaults() {
    let file = "server = 'http://file'\n[next]\nrep = 'ann'\nwait = '30s'\n";
    let from_file = shown(file, "nextlead next").unwrap();
    for part in ["http://file", "rep: Some(\"ann\")", "wait: Some(30000)"] {
        assert!(from_file.contains(part), "{part} in {from_file}");
    }
    let from_flags = shown(file, "nextlead --server http://flag next --rep bob").unwrap();
    for part in ["http://flag", "rep: Some(\"bob\")", "wait: Some(30000)"] {
        assert!(from_flags.contains(part), "{part} in {from_flags}");
    }
    assert!(shown("", "nextlead renew").is_err(), "a required flag stays one without the file");
}

#[test]
fn a_flag_that_the_file_switches_on_can_be_switched_off() {
    let file = "[rules.publish]\nwait = true\nreason = 'x'\n";
    for (line, expected) in [
        ("nextlead rules publish f", "wait: true"),
        ("nextlead rules publish f --wait", "wait: true"),
        ("nextlead rules publish f --wait=false", "wait: false"),
        ("nextlead rules publish --wait f", "wait: true"),
    ] {
        let shown = shown(file, line).unwrap();
        assert!(shown.contains(expected), "{line}: {shown}");
    }
    let off =
        shown("[rules.publish]\nwait = false\n", "nextlead rules publish f --reason x --wait");
    assert!(off.unwrap().contains("wait: true"));
}

#[test]
fn lists_fill_flags_that_repeat_and_are_replaced_as_a_whole() {
    let file = "[import]\nmap = ['a=name', 'b=phone']\ncampaign = 'c'\nsource-system = 's'\n\
                [rep.set]\nskills = ['de', 'en']\nqueue = 'q'\n";
    let of_file = shown(file, "nextlead import f").unwrap();
    assert!(of_file.contains("\"a\"") && of_file.contains("\"b\""), "{of_file}");
    let of_flag = shown(file, "nextlead import f --map c=email").unwrap();
    assert!(of_flag.contains("\"c\"") && !of_flag.contains("\"a\""), "{of_flag}");
    let skills = shown(file, "nextlead rep set ann").unwrap();
    assert!(skills.contains("skills: [\"de\", \"en\"]"), "{skills}");
}

#[test]
fn a_file_satisfies_what_the_flags_demand_of_each_other() {
    let file = "[suppress]\nemail = 'a@b.example'\nsource = 'letter'\n";
    assert!(shown(file, "nextlead suppress").unwrap().contains("a@b.example"));
    let typed = shown(file, "nextlead suppress --number +4930111").unwrap();
    assert!(typed.contains("+4930111") && !typed.contains("a@b.example"), "{typed}");
    let half = "[explain]\nsource-system = 'crm'\n";
    assert!(shown(half, "nextlead explain").is_err(), "a part of a key is none in a file either");
    assert!(shown(half, "nextlead explain --external-id 1 --campaign c").is_ok());
    let outer = "[coverage]\ncampaign = 'spring'\n";
    let inner = shown(outer, "nextlead coverage uncontacted").unwrap();
    assert!(!inner.contains("spring"), "{inner}");
}

#[test]
fn what_is_typed_is_told_from_what_is_a_value() {
    let file = "server = 'http://file'\n[rules.publish]\nreason = 'r'\n[next]\nrep = 'file'\n";
    for (line, part) in [
        ("nextlead --token-file next audit", "http://file"),
        ("nextlead rules --json publish f", "reason: \"r\""),
        ("nextlead rules publish --queue publish f", "reason: \"r\""),
        ("nextlead next --rep next", "rep: Some(\"next\")"),
        ("nextlead next --rep=typed", "rep: Some(\"typed\")"),
        ("nextlead next --server http://typed", "http://typed"),
    ] {
        let shown = shown(file, line).unwrap();
        assert!(shown.contains(part), "{line}: {part} in {shown}");
    }
    let of_variable = shown_with(file, "nextlead next", &["NEXTLEAD_SERVER"]).unwrap();
    assert!(!of_variable.contains("http://file"), "a variable goes before the file: {of_variable}");
}

/// Every flag of every command, whoever adds one, can stand in the file without breaking the commands.
#[test]
fn every_flag_of_every_command_can_stand_in_the_file() {
    fn walk(command: &clap::Command, path: &[String], all: &mut Vec<Setting>) {
        for argument in command.get_arguments().filter(|one| super::is_settable(one)) {
            all.push(Setting {
                command: path.to_vec(),
                id: argument.get_id().to_string(),
                values: vec!["true".into()],
                line: 1,
            });
        }
        for subcommand in command.get_subcommands() {
            let mut path = path.to_vec();
            path.push(subcommand.get_name().to_owned());
            walk(subcommand, &path, all);
        }
    }
    let mut all = Vec::new();
    walk(&Cli::command(), &[], &mut all);
    assert!(all.len() > 40, "{}", all.len());
    for setting in &all {
        let line = ["nextlead".to_owned()].into_iter().chain(setting.command.clone());
        let line = line.map(OsString::from).collect();
        let one = std::slice::from_ref(setting);
        let (args, held) = inject(one, &Cli::command(), line, &|_| false);
        assert_eq!((held.len(), args.len()), (1, setting.command.len() + 2), "{setting:?}");
    }
    Settings { path: None, all }.prepare(Cli::command()).debug_assert();
}

#[test]
fn a_variable_that_nothing_reads_is_told_with_the_nearest_name() {
    let names = ["NEXTLEAD_LISTN", "NEXTLEAD_LISTEN", "NEXTLEAD_TOKEN", "NEXTLEAD_FOO", "HOME"];
    let told = misspelt_variables(&Cli::command(), names.map(str::to_owned));
    assert_eq!(
        told,
        [
            "the environment variable NEXTLEAD_FOO has no meaning",
            "the environment variable NEXTLEAD_LISTN has no meaning; did you mean \
             NEXTLEAD_LISTEN?"
        ]
    );
}

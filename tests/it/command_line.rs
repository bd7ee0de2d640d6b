//! What people and scripts expect of any command line: settings, exit codes, JSON, colours, help.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{BINARY, Process, Ran, command};
use crate::pty::Pty;

/// A command without a node, in a folder whose configuration file holds.
fn run_in(folder: &TempDir, args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = command(Path::new(BINARY), folder.path());
    command.args(args).env_remove("NEXTLEAD_CONFIG").env("XDG_CONFIG_HOME", folder.path());
    let output = command.envs(variables.iter().copied()).output().unwrap();
    Ran::of(args, output)
}

fn write(folder: &TempDir, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).unwrap();
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|problem| panic!("{problem}: {text:?}"))
}

/// The one JSON object on standard error.
fn error_of(ran: &Ran) -> Value {
    assert_eq!(ran.out, "", "{ran:?}");
    let error = document(&ran.err);
    assert_eq!(error["exit_code"], ran.code, "{ran:?}");
    error
}

#[test]
fn the_file_goes_before_defaults_the_environment_before_it_and_flags_before_all() {
    let folder = TempDir::new().unwrap();
    write(
        &folder,
        "nextlead.toml",
        "server = 'http://file:1'\n\n[serve]\nlisten = '127.0.0.1:1'\nstore = 'sqlite://file.db'\n",
    );
    let shown = |args: &[&str], variables: &[(&str, &str)]| {
        let ran = run_in(&folder, &[&["config", "show", "--json"], args].concat(), variables);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        let shown = document(&ran.out);
        let of = |name: &str| {
            let all = shown["settings"].as_array().unwrap();
            let one = all.iter().find(|one| one["setting"] == name).unwrap();
            (one["value"].as_str().map(str::to_owned), one["from"].clone(), one["line"].clone())
        };
        [of("listen"), of("server"), of("color")]
    };
    let some = |text: &str| Some(text.to_owned());
    let from_file = shown(&[], &[]);
    assert_eq!(from_file[0], (some("127.0.0.1:1"), json!("file"), json!(4)));
    assert_eq!(from_file[1], (some("http://file:1"), json!("file"), json!(1)));
    assert_eq!(from_file[2], (some("auto"), json!("default"), Value::Null));
    let variables = [("NEXTLEAD_LISTEN", "127.0.0.1:2"), ("NEXTLEAD_COLOR", "never")];
    let from_variables = shown(&[], &variables);
    assert_eq!(from_variables[0].0, some("127.0.0.1:2"));
    assert_eq!(
        (&from_variables[0].1, &from_variables[2].1),
        (&json!("environment"), &json!("environment"))
    );
    let from_flags = shown(&["--", "--listen", "127.0.0.1:3"], &variables);
    assert_eq!(from_flags[0], (some("127.0.0.1:3"), json!("flag"), Value::Null));

    let table = run_in(&folder, &["config", "show"], &[]).out;
    assert!(table.contains("nextlead.toml:4") && table.contains("File: nextlead.toml"), "{table}");
    let none = run_in(&folder, &["config", "show", "--config", ""], &[]).out;
    assert!(none.contains("No configuration file.") && none.contains("127.0.0.1:7400"), "{none}");
}

#[test]
fn a_node_and_its_commands_run_from_files_alone() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    let address = node.address();
    write(&folder, "mine.toml", &format!("server = 'http://{address}'\njson = true\n"));
    let named = run_in(&folder, &["--config", "mine.toml", "queue", "list"], &[]);
    assert_eq!(document(&named.out)["queues"], json!([]), "{named:?}");
    let named = run_in(&folder, &["queue", "list"], &[("NEXTLEAD_CONFIG", "mine.toml")]);
    assert_eq!(named.code, 0, "{named:?}");
    std::fs::create_dir(folder.path().join("nextlead")).unwrap();
    std::fs::rename(folder.path().join("mine.toml"), folder.path().join("nextlead/nextlead.toml"))
        .unwrap();
    let of_user = run_in(&folder, &["queue", "list"], &[]);
    assert_eq!(document(&of_user.out)["queues"], json!([]), "{of_user:?}");
}

#[test]
fn a_broken_file_stops_all_but_what_mends_it() {
    let folder = TempDir::new().unwrap();
    write(&folder, "nextlead.toml", "sevrer = 'x'\n[serve]\nlisten = 'here'\n");
    let broken = run_in(&folder, &["audit"], &[]);
    assert_eq!((broken.code, broken.out.as_str()), (2, ""), "{broken:?}");
    for part in [
        "error: the configuration file nextlead.toml has 2 mistakes",
        "line 1, column 1: `sevrer` is no flag of all commands; did you mean `server`?",
        "1 | sevrer = 'x'\n    | ^^^^^^",
        "line 3, column 10: \"here\" is refused: invalid socket address",
    ] {
        assert!(broken.err.contains(part), "{part}: {}", broken.err);
    }
    assert!(!broken.err.contains("--listen"), "nobody typed a flag: {}", broken.err);
    let error = error_of(&run_in(&folder, &["audit", "--json"], &[]));
    assert_eq!((&error["reason"], &error["code"]), (&json!("CONFIG_INVALID"), &json!("usage")));
    assert_eq!(error["fields"][1]["field"], "nextlead.toml:3:10");

    let check = run_in(&folder, &["config", "check", "nextlead.toml"], &[]);
    assert_eq!((check.code, check.err.as_str()), (1, ""));
    let check = run_in(&folder, &["config", "check", "nextlead.toml", "--json"], &[]);
    assert_eq!(document(&check.out)["mistakes"].as_array().unwrap().len(), 2);
    assert_eq!(run_in(&folder, &["--help"], &[]).code, 0);
    assert_eq!(run_in(&folder, &["completions", "bash"], &[]).code, 0);
    assert_eq!(run_in(&folder, &["config", "show", "--config", ""], &[]).code, 0);
    let none = run_in(&folder, &["audit", "--config", "none.toml"], &[]);
    assert!(none.code == 2 && none.err.contains("cannot read the configuration file none.toml"));

    write(&folder, "nextlead.toml", "server = 'http://elsewhere'\n");
    let writable = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(folder.path().join("nextlead.toml"), writable).unwrap();
    let foreign = run_in(&folder, &["audit"], &[]);
    assert!(foreign.code == 2 && foreign.err.contains("can be written by others"), "{foreign:?}");
    write(&folder, "good.toml", "[serve]\nlisten = '127.0.0.1:1'\n");
    let good = run_in(&folder, &["config", "check", "good.toml"], &[]);
    assert_eq!(good.out, "good.toml can be used; it has 1 settings.\n");
}

#[test]
fn a_misspelt_variable_is_told_when_a_node_starts() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    let elsewhere = TempDir::new().unwrap();
    let taken = ["serve", "--listen", &node.address()];
    let ran = run_in(&elsewhere, &taken, &[("NEXTLEAD_STROE", "sqlite://x.db")]);
    assert!(
        ran.code == 1
            && ran.err.contains("NEXTLEAD_STROE has no meaning; did you mean NEXTLEAD_STORE?"),
        "{ran:?}"
    );
    assert!(!ran.err.contains("x.db"), "its value may be a secret");
}

#[test]
fn each_exit_code_tells_a_script_what_to_do() {
    let folder = TempDir::new().unwrap();
    let mut node = Process::start(folder.path());
    node.set_up();
    write(&folder, "bad.toml", "queue = \"sales\"\npoint_is = \"1x\"\n");
    let mut codes = Vec::new();
    let mut check = |node: &Process, args: &[&str], code: i32, word: &str| {
        let people = node.run(args);
        assert_eq!(people.code, code, "{people:?}");
        let programs = node.run(&[args, &["--json"]].concat());
        assert_eq!(programs.code, code, "{programs:?}");
        if !word.is_empty() {
            assert_eq!(error_of(&programs)["code"], word, "{programs:?}");
        }
        codes.push(code);
    };
    check(&node, &["audit"], 0, "");
    check(&node, &["rules", "check", "bad.toml"], 1, "");
    check(&node, &["rules", "check", "none.toml"], 1, "failed");
    check(&node, &["queue", "set"], 2, "usage");
    check(&node, &["trace", "99"], 3, "not_found");
    check(
        &node,
        &["queue", "set", "x", "--zone", "Mars", "--hours", "never"],
        4,
        "invalid_argument",
    );
    node.kill();
    check(&node, &["audit"], 5, "unavailable");
    let help = node.run(&["--help"]).out;
    for code in codes {
        assert!(help.contains(&format!("\n  {code}  ")), "{code}: {help}");
    }
}

#[test]
fn an_error_for_programs_names_code_reason_and_fields() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    let args = ["queue", "set", "x", "--zone", "Mars", "--hours", "never", "--json"];
    let error = error_of(&node.run(&args));
    assert_eq!((&error["reason"], &error["exit_code"]), (&json!("FIELD_INVALID"), &json!(4)));
    let fields: Vec<_> =
        error["fields"].as_array().unwrap().iter().map(|one| &one["field"]).collect();
    assert_eq!(fields, ["queue.time_zone", "queue.hours"]);
    let error = error_of(&node.run(&["queue", "set", "x", "--json"]));
    let fields: Vec<_> =
        error["fields"].as_array().unwrap().iter().map(|one| &one["field"]).collect();
    assert_eq!(fields, ["--zone <ZONE>", "--hours <HOURS>"], "{error:#}");
}

/// Every command that there is, as its manual pages name them.
fn commands(folder: &TempDir) -> Vec<Vec<String>> {
    let ran = run_in(folder, &["man", "--out", "man", "--json"], &[]);
    let pages = document(&ran.out)["files"].clone();
    let pages = pages.as_array().unwrap().iter().map(|page| page.as_str().unwrap().to_owned());
    let names = pages
        .filter_map(|page| Some(page.strip_prefix("nextlead-")?.strip_suffix(".1")?.to_owned()));
    names.map(|name| name.split('-').map(str::to_owned).collect()).collect()
}

#[test]
fn every_command_answers_programs_with_one_document_when_it_fails() {
    let folder = TempDir::new().unwrap();
    let commands = commands(&folder);
    assert!(commands.len() > 25, "{}", commands.len());
    for command in commands {
        if ["serve", "demo"].contains(&command[0].as_str()) {
            continue;
        }
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        // Nobody listens there.
        args.extend(["--json", "--server", "http://127.0.0.1:1"]);
        let ran = run_in(&folder, &args, &[("NEXTLEAD_TOKEN", "none")]);
        match ran.code {
            0 => drop(document(&ran.out)),
            2 | 5 => drop(error_of(&ran)),
            code => panic!("{code}: {ran:?}"),
        }
    }
    let taken = ["serve", "--listen", "203.0.113.1:1", "--json"];
    let ran = run_in(&folder, &taken, &[]);
    assert_eq!(document(ran.err.lines().last().unwrap())["exit_code"], 1, "{ran:?}");
    let ran = run_in(&folder, &["demo", "--month", "1999-01", "--json"], &[]);
    assert_eq!(error_of(&ran)["code"], "failed");
}

#[test]
fn every_command_answers_programs_with_one_document_when_it_works() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    write(
        &folder,
        "leads.csv",
        "external_id,name,phone,time_zone\n1,Ann,+49301234501,UTC\n2,Bob,+49301234502,UTC\n",
    );
    write(&folder, "rules.toml", "queue = \"sales\"\npoint_is = \"1m\"\n");
    let lines = [
        "import leads.csv --campaign spring --source-system crm",
        "rules check rules.toml",
        "rules publish rules.toml --reason first --wait",
        "rules versions sales",
        "rules versions sales --text 1",
        "queue list",
        "campaign list",
        "rep list",
        "peek sales",
        "explain 1",
        "trace 1",
        "coverage",
        "coverage uncontacted",
        "uncontacted",
        "skips sales",
        "quality sales",
        "next --rep ann",
        "suppress --number +49301234502 --source letter",
        "audit",
        "config show",
        "completions zsh",
        "man",
    ];
    for line in lines {
        let args: Vec<&str> = line.split(' ').collect();
        assert!(node.json(&args).is_object(), "{line}");
    }
    let lease = node.json(&["next", "--rep", "ann"])["served"]["lease_token"].clone();
    let lease = ["--rep", "ann", "--lead", "1", "--token", lease.as_str().unwrap()];
    assert!(node.json(&[&["renew"], &lease[..]].concat())["remaining_duration_ms"].is_i64());
    assert!(node.json(&[&["release", "--why", "no_time"], &lease[..]].concat()).is_object());
}

#[test]
fn colours_are_for_terminals_and_for_who_asks_for_them() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let is_colored = |args: &[&str], variables: &[(&str, &str)]| {
        let output = node.command(args).envs(variables.iter().copied()).output().unwrap();
        let ran = Ran::of(args, output);
        ran.out.contains('\u{1b}') || ran.err.contains('\u{1b}')
    };
    assert!(!is_colored(&["coverage"], &[]) && !is_colored(&["trace", "9"], &[]));
    assert!(is_colored(&["coverage", "--color", "always"], &[]));
    assert!(is_colored(&["coverage"], &[("NEXTLEAD_COLOR", "always")]));
    assert!(is_colored(&["trace", "9", "--color", "always"], &[]));
    assert!(!is_colored(&["coverage", "--json", "--color", "always"], &[]));

    let on_terminal = |args: &[&str], variables: &[&str]| {
        let mut command = Command::new("/usr/bin/env");
        command.current_dir(folder.path()).args(variables).arg(BINARY).args(args);
        command.env("NEXTLEAD_SERVER", node.address()).env("NEXTLEAD_CONFIG", "");
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        let mut terminal = Pty::start(command);
        terminal.end();
        terminal.seen.contains('\u{1b}')
    };
    assert!(on_terminal(&["coverage"], &[]) && on_terminal(&["trace", "9"], &[]));
    assert!(!on_terminal(&["coverage"], &["NO_COLOR=1"]));
    assert!(!on_terminal(&["coverage"], &["TERM=dumb"]));
    assert!(!on_terminal(&["coverage"], &["TERM=dumb", "CI=true"]));
    assert!(!on_terminal(&["help"], &["TERM=dumb", "CI=true"]));
    assert!(on_terminal(&["coverage"], &["TERM=dumb", "CLICOLOR_FORCE=1"]));
    assert!(!on_terminal(&["coverage", "--color", "never"], &[]));
    assert!(!on_terminal(&["trace", "9", "--color=never"], &[]));
    assert!(!on_terminal(&["coverage", "--json"], &[]));
    assert!(on_terminal(&["coverage", "--color", "always"], &["NO_COLOR=1"]));
}

#[test]
fn shells_and_readers_get_what_they_need() {
    let folder = TempDir::new().unwrap();
    for (shell, sign) in [
        ("bash", "complete -F _nextlead"),
        ("zsh", "#compdef nextlead"),
        ("fish", "complete -c nextlead"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[nextlead]"),
    ] {
        let script = run_in(&folder, &["completions", shell], &[]);
        assert!(script.code == 0 && script.out.contains(sign), "{shell}: {}", script.out);
        assert!(script.out.contains("uncontacted"), "{shell}");
    }
    assert_eq!(run_in(&folder, &["completions", "tcsh"], &[]).code, 2);
    let page = run_in(&folder, &["man"], &[]).out;
    assert!(page.contains(".TH nextlead 1") && page.contains("Exit codes"), "{page}");
    let told = run_in(&folder, &["man", "--out", "pages"], &[]);
    assert!(told.out.starts_with("Wrote "), "{told:?}");
    let page =
        std::fs::read_to_string(folder.path().join("pages/nextlead-rules-publish.1")).unwrap();
    assert!(page.contains("\\-\\-reason"), "{page}");
}

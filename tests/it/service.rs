//! A node as a service: what it tells the service manager, and that what is packaged with it says
//! nothing that the binary does not know.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{BINARY, Process, Ran, command};

/// The next line that is told to the service manager.
fn told(manager: &UnixDatagram) -> String {
    let mut line = [0; 256];
    let length = manager.recv(&mut line).expect("a node tells something within the timeout");
    String::from_utf8(line[..length].to_vec()).unwrap()
}

#[test]
fn a_service_manager_is_told_when_a_node_serves_lives_and_stops() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut serve = command(Path::new(BINARY), folder.path());
    serve.args(["serve", "--json", "--listen", "127.0.0.1:0"]);
    serve.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "600000");
    let node = Process::begin(serve, folder.path(), folder.path().join("serve.log"));
    assert_eq!(told(&manager), "READY=1");
    for _ in 0..3 {
        assert_eq!(told(&manager), "WATCHDOG=1");
    }
    assert!(node.terminate());
    loop {
        match told(&manager).as_str() {
            "WATCHDOG=1" => {}
            line => break assert_eq!(line, "STOPPING=1"),
        }
    }
}

#[test]
fn a_node_says_how_it_is_without_a_token() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    fs::remove_file(folder.path().join(crate::process::TOKEN_FILE)).unwrap();
    assert_eq!(node.ok(&["health"]), "serving\n");
    assert_eq!(node.json(&["health"])["status"], "SERVING");
    let address = node.address();
    assert!(node.terminate());
    let mut asked = command(Path::new(BINARY), folder.path());
    let asked = asked.args(["health", "--server", &address]).output().unwrap();
    let ran = Ran::of(&["health"], asked);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("cannot reach a node"), "{}", ran.err);
}

fn packaged(name: &str) -> String {
    fs::read_to_string(Path::new(".packaging").join(name)).unwrap()
}

fn help_of(words: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    let output = command(Path::new(BINARY), folder.path()).args(words).arg("--help").output();
    let ran = Ran::of(words, output.unwrap());
    assert_eq!(ran.code, 0, "{}: {}", ran.line, ran.err);
    ran.out
}

/// The calls of the binary in a text: the words after its name, up to the end of the line.
fn calls(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ").replace(['[', ']', '"', ','], " ");
    let mut found = Vec::new();
    for line in joined.lines() {
        let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "#").collect();
        let is_name = |word: &&str| matches!(*word, "nextlead" | "ExecStart=/usr/bin/nextlead");
        let commands = ["serve", "backup", "restore", "health", "config"];
        for (nth, _) in words.iter().enumerate().filter(|(_, word)| is_name(word)) {
            if words.get(nth + 1).is_some_and(|word| commands.contains(word)) {
                found.push(words[nth + 1..].iter().map(ToString::to_string).collect());
            }
        }
    }
    found
}

#[test]
fn what_is_packaged_calls_only_commands_and_flags_that_there_are() {
    let mut call_count = 0;
    for name in ["nextlead.service", "Containerfile"] {
        for call in calls(&packaged(name)) {
            let help = help_of(&[&call[0]]);
            for flag in call.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(flag.as_str()), "{name}: {call:?}: there is no {flag}");
            }
            call_count += 1;
        }
    }
    assert!(call_count >= 3, "{call_count} calls were found");
    let help = help_of(&["serve"]) + &help_of(&["health"]);
    for name in ["nextlead.service", "Containerfile", "nextlead.toml"] {
        let text = packaged(name);
        let variables = text.split(|one: char| !one.is_ascii_uppercase() && one != '_');
        for variable in variables.filter(|word| word.starts_with("NEXTLEAD_")) {
            assert!(help.contains(variable), "{name}: there is no {variable}");
        }
    }
    let file = fs::canonicalize(".packaging/nextlead.toml").unwrap();
    let folder = TempDir::new().unwrap();
    let mut check = command(Path::new(BINARY), folder.path());
    let checked = check.args(["config", "check"]).arg(file).output().unwrap();
    let ran = Ran::of(&["config", "check"], checked);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

/// Every instruction of the container file is one that there is, and what it copies from here is here.
#[test]
fn the_container_file_is_made_of_what_there_is() {
    let text = packaged("Containerfile").replace("\\\n", " ");
    let mut stages = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words[0], &words[1..]) {
            ("FROM", [_, "AS", name]) => stages.push(*name),
            ("COPY", [from, sources @ .., _]) if !from.starts_with("--") => {
                for source in std::iter::once(from).chain(sources) {
                    assert!(Path::new(source).exists(), "{source}");
                }
            }
            ("COPY", [from, ..]) => {
                assert!(stages.contains(&from.trim_start_matches("--from=")), "{from}");
            }
            (
                "FROM" | "RUN" | "WORKDIR" | "USER" | "VOLUME" | "ENV" | "EXPOSE" | "STOPSIGNAL"
                | "HEALTHCHECK" | "ENTRYPOINT" | "CMD",
                [_, ..],
            ) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(text.contains("USER 10001"), "it runs as nobody's root");
}

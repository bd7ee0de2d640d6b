//! `nextlead work` as reps use it: with keys in a pipe, and in front of a terminal.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{BINARY, Process, Ran, command};
use crate::pty::Pty;

/// A node with four leads; the lease lasts as long as this says.
fn start(lease: &str) -> (TempDir, Process) {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let hours = ["--zone", "UTC", "--hours", "always", "--law", "exempt", "--lease", lease];
    node.ok(&[&["queue", "set", "sales"], &hours[..]].concat());
    import(&folder, &node, 1..=4);
    (folder, node)
}

fn import(folder: &TempDir, node: &Process, leads: std::ops::RangeInclusive<u32>) {
    let mut rows = "external_id,name,phone,time_zone\n".to_owned();
    for lead in leads {
        rows += &format!("{lead},Lead {lead},+4930123450{lead},Europe/Berlin\n");
    }
    std::fs::write(folder.path().join("leads.csv"), rows).unwrap();
    node.ok(&["import", "leads.csv", "--campaign", "spring", "--source-system", "crm"]);
}

fn ran(mut work: Command, keys: &str) -> Ran {
    let mut child =
        work.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
    Ran::of(&["work"], child.wait_with_output().unwrap())
}

fn events(node: &Process, keys: &str) -> Vec<Value> {
    let ran = ran(node.command(&["work", "--rep", "ann", "--json"]), keys);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

fn standing(node: &Process, lead: &str) -> Value {
    node.json(&["explain", lead])["state"]["standing"].clone()
}

#[test]
fn a_lead_is_touched_and_the_next_comes_until_the_rep_quits() {
    let (_folder, node) = start("10m");
    // Somebody else could take what is skipped.
    node.ok(&["rep", "set", "bob", "--queue", "sales"]);

    // Notes and no answer, a callback, a skip, a sale by its code; then quit and give it back.
    let events = events(&node, "n\ngate code 7\na\nc\n+2h\ns\n5\nsale\n");

    let served: Vec<&str> =
        events.iter().filter_map(|event| event["served"]["lead"]["lead_id"].as_str()).collect();
    assert_eq!(served, ["1", "2", "3", "4"]);
    let recorded: Vec<_> = events.iter().filter(|event| event["event"] == "recorded").collect();
    assert_eq!(recorded.len(), 3);
    let waiting = |event: &Value| event["touch"]["state"]["standing"]["waiting"]["reason"].clone();
    assert_eq!((waiting(recorded[0]), waiting(recorded[1])), ("retry".into(), "callback".into()));
    assert_eq!(recorded[2]["touch"]["state"]["standing"]["closed"]["route"], "won");
    assert_eq!(events.iter().filter(|event| event["event"] == "released").count(), 1);
    assert_eq!(events.last().unwrap()["event"], "nothing", "all but the skipped lead are done");

    let trace = node.ok(&["trace", "1"]);
    assert!(trace.contains("touched"), "{trace}");
    assert!(standing(&node, "3")["ready"].is_object(), "the skipped lead is back in line");
    let audit = node.audit();
    assert_eq!(audit["touch_count"], 3);
}

#[test]
fn quitting_gives_the_lead_back_and_so_does_the_end_of_the_keys() {
    let (_folder, node) = start("10m");
    let told = events(&node, "q\ny\n");
    assert_eq!(names(&told), ["served", "note", "released"]);
    assert!(standing(&node, "1")["ready"].is_object());
    let told = events(&node, "");
    assert_eq!(names(&told), ["served", "released"]);
    assert!(standing(&node, "2")["ready"].is_object());
    let told = events(&node, "q\nk\n");
    assert_eq!(names(&told), ["served", "note"]);
    assert!(standing(&node, "3")["leased"].is_object(), "who keeps it has it");
    let told = events(&node, "w\nq\ny\n");
    assert_eq!(told[0]["served"]["held_before"], true);
    assert_eq!(node.audit()["imbalance"], 0);
}

#[test]
fn people_read_who_it_is_why_and_what_the_keys_mean() {
    let (_folder, node) = start("10m");
    let told = ran(node.command(&["work", "--rep", "ann"]), "z\na\nq\ny\n");
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{told:?}");
    for part in [
        "Lead 1",
        "number  +49301234501",
        "Europe/Berlin",
        "Why this one: its first touch is the next one due",
        "lease  10m",
        "a no_answer",
        "s skip",
        "> the key z means nothing here",
        "is recorded; the lead is waiting (retry) until",
        "Lead 2",
        "The lead is back in line.",
    ] {
        assert!(told.out.contains(part), "{part}:\n{}", told.out);
    }
    assert!(!told.out.contains('\u{1b}'), "no colours in a pipe");
    let nobody = ran(node.command(&["work", "--rep", "eve"]), "");
    assert_eq!(nobody.code, 3, "{nobody:?}");
    assert!(nobody.err.contains("no rep \"eve\" (REP_NOT_FOUND)"), "{nobody:?}");
}

#[test]
fn a_rep_works_by_their_own_token_without_naming_themselves() {
    let (_folder, node) = start("10m");
    node.ok(&["token", "create", "Ann", "--role", "rep", "--rep", "ann", "--out", "ann.token"]);
    let work = ["work", "--token-file", "ann.token"];
    let told = ran(node.command(&work), "a\nq\ny\n");
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{told:?}");
    for part in ["Lead 1", "is recorded; the lead is waiting", "Lead 2", "back in line"] {
        assert!(told.out.contains(part), "{part}:\n{}", told.out);
    }
    let trace = node.ok(&["trace", "1"]);
    assert!(trace.contains("ann"), "{trace}");

    let mut rep = Pty::start(node.command(&work));
    rep.wait_for("Lead 3");
    assert!(rep.seen.contains("nextlead"), "{:?}", rep.seen);
    // The screen settles before a key may end the lead.
    rep.wait_for("9m 58s left");
    rep.press("a");
    rep.wait_for("Recorded; the lead is waiting");
    rep.press("q");
    rep.wait_for("Give the lead back?");
    rep.press("y");
    assert!(rep.end().success());
    assert_eq!(node.audit()["touch_count"], 2);
}

#[test]
fn a_touch_that_was_typed_while_the_node_was_away_is_recorded_once() {
    let (folder, mut node) = start("10m");
    let address = node.address();
    let mut work = node.command(&["work", "--rep", "ann"]);
    work.env("NEXTLEAD_SERVER", &address);
    let mut rep = Pty::start(work);
    rep.wait_for("Lead 1");
    node.kill();
    // The screen settles before a key may end the lead.
    rep.wait_for("9m 58s left");
    rep.press("a");
    rep.wait_for("No connection, trying again");
    rep.press("q");
    rep.wait_for("A touch is not recorded yet.");
    rep.press("n");
    let node = Process::start_at(Path::new(BINARY), folder.path(), &address);
    rep.wait_for("Recorded; the lead is waiting");
    rep.wait_for("Lead 2");
    rep.press("\u{3}");
    rep.wait_for("Give the lead back?");
    rep.press("y");
    assert!(rep.end().success());
    assert!(!rep.is_raw());
    assert_eq!(node.audit()["touch_count"], 1);
    assert!(standing(&node, "2")["ready"].is_object());
}

#[test]
fn a_lease_is_carried_on_while_the_lead_is_on_the_screen() {
    let (_folder, node) = start("3s");
    let mut rep = Pty::start(node.command(&["work", "--rep", "ann"]));
    // 3 seconds were granted; a second renewal shows that the first held.
    for _ in 0..3 {
        rep.wait_for("1s left");
        rep.wait_for("2s left");
    }
    assert!(standing(&node, "1")["leased"].is_object());
    rep.press("sal");
    rep.wait_for("not my area");
    rep.press("\u{1b}");
    rep.wait_for("no_answer");
    rep.press("q");
    rep.wait_for("Give the lead back?");
    rep.press("k");
    assert!(rep.end().success());
    let trace = node.ok(&["trace", "1"]);
    assert!(!trace.contains("expired"), "{trace}");
}

#[test]
fn a_lead_that_is_handed_over_comes_to_a_rep_who_waits() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let mut rep = Pty::start(node.command(&["work", "--rep", "ann"]));
    rep.wait_for("Waiting for a lead");
    rep.wait_for("The queue is empty.");
    assert!(rep.is_raw());
    import(&folder, &node, 1..=1);
    rep.wait_for("Lead 1");
    let kill = ["-TERM".to_owned(), rep.id().to_string()];
    assert!(Command::new("kill").args(kill).status().unwrap().success());
    assert_eq!(rep.end().code(), Some(1));
    assert!(!rep.is_raw(), "a signal gives the terminal back too");
    assert!(rep.seen.contains("\u{1b}[?1049l"), "{:?}", rep.seen);
    assert!(rep.seen.contains("stays yours until its lease is over"), "{}", rep.seen);
    assert!(standing(&node, "1")["leased"].is_object());
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let (_folder, node) = start("10m");
    let mut work = command(Path::new("/usr/bin/env"), Path::new("/"));
    work.args(["TERM=dumb", "CI=true", BINARY, "work", "--rep", "ann"]);
    work.env("NEXTLEAD_SERVER", node.address()).env("NEXTLEAD_TOKEN", node.token());
    let mut rep = Pty::start(work);
    rep.wait_for("q quit");
    assert!(!rep.is_raw());
    rep.press("q\ny\n");
    assert!(rep.end().success());
    assert!(!rep.seen.contains('\u{1b}'), "{:?}", rep.seen);
}

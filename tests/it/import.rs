//! Imports that go wrong on the way: sent twice, or cut off by a node that dies. Sending the file
//! again is all that it takes; nothing is lost and nothing is there twice.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::mpsc;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, Ran};

const HEADER: &str = "external_id,name,phone,time_zone,source\n";
const IMPORT: [&str; 5] = ["--campaign", "spring", "--source-system", "crm", "--json"];

/// Row `nth` of a file. Every 50th is the row before it once more, every 70th shares its number
/// with the row before it and names the same person, so that it is merged.
fn row(nth: u32) -> (u32, String) {
    let id = if nth.is_multiple_of(50) { nth - 1 } else { nth };
    let person = if id.is_multiple_of(70) { id - 1 } else { id };
    (id, format!("{id},Lead {person},+4930{person:07},UTC,web\n"))
}

fn count(report: &Value, name: &str) -> i64 {
    report[name].as_i64().unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[test]
fn an_import_that_is_sent_twice_changes_nothing_the_second_time() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let rows: Vec<_> = (1..=700).map(row).collect();
    let distinct = rows.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len() as i64;
    let text = rows.into_iter().map(|(_, text)| text).collect::<String>();
    std::fs::write(folder.path().join("leads.csv"), format!("{HEADER}{text}")).unwrap();
    let import = || node.json(&[&["import", "leads.csv"], &IMPORT[..4]].concat());

    let first = import();
    let books = node.json(&["coverage"])["books"].clone();
    let second = import();

    assert_eq!(count(&first, "opened_count") + count(&first, "merged_count"), distinct);
    assert!(count(&first, "merged_count") > 0, "{first:#}");
    assert_eq!(count(&first, "unchanged_count"), 700 - distinct);
    assert_eq!(count(&second, "unchanged_count"), 700);
    assert_eq!(node.json(&["coverage"])["books"], books);
    assert_eq!(count(&node.audit(), "handover_count"), distinct);
}

/// Rows of the file that is cut: several batches, more than may be on their way at once.
const ROW_COUNT: u32 = 40_000;

/// Imports from standard input and kills the node once it holds some of the rows. The end of the
/// input is held back until then, so that no import can be done before the node dies.
fn import_and_kill(mut node: Process) -> Ran {
    let mut command = node.command(&[&["import", "-"], &IMPORT[..]].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut import = command.spawn().unwrap();
    let mut input = import.stdin.take().unwrap();
    let (killed, is_killed) = mpsc::channel::<()>();
    let writing = std::thread::spawn(move || {
        let text = (1..ROW_COUNT).map(|nth| row(nth).1).collect::<String>();
        // The import ends early, and reads no more: that is not what is tested here.
        let _ = input.write_all(HEADER.as_bytes()).and_then(|()| input.write_all(text.as_bytes()));
        let _ = is_killed.recv();
        let _ = input.write_all(row(ROW_COUNT).1.as_bytes());
    });
    while node.json(&["coverage"])["books"].as_array().unwrap().is_empty() {}
    node.kill();
    drop(killed);
    let output = import.wait_with_output().unwrap();
    writing.join().unwrap();
    Ran::of(&["import", "-"], output)
}

#[test]
fn an_import_that_is_cut_by_a_kill_is_whole_once_it_is_sent_again() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();

    let cut = import_and_kill(node);
    let node = Process::start(folder.path());
    let after_kill = count(&node.audit(), "handover_count");
    let rows: Vec<_> = (1..=ROW_COUNT).map(row).collect();
    let distinct = rows.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len() as i64;
    let text = rows.into_iter().map(|(_, text)| text).collect::<String>();
    std::fs::write(folder.path().join("leads.csv"), format!("{HEADER}{text}")).unwrap();
    let again = node.json(&[&["import", "leads.csv"], &IMPORT[..4]].concat());

    assert_eq!(cut.code, 5, "{cut:?}");
    let (_, rest) = cut.err.split_once("ended early: ").unwrap();
    let durable: u32 =
        rest.split_once(" rows are durable").unwrap().0.replace(',', "").parse().unwrap();
    // Rows are taken in their order, so what was answered is the beginning of the file.
    let answered = (1..=durable).map(|nth| row(nth).0).collect::<BTreeSet<_>>().len() as i64;
    assert!(after_kill > 0 && after_kill < distinct, "{after_kill} of {distinct}");
    assert!(answered <= after_kill, "{answered} were answered, {after_kill} are there");
    assert_eq!(count(&again, "row_count"), i64::from(ROW_COUNT));
    assert_eq!(
        count(&again, "opened_count") + count(&again, "merged_count"),
        distinct - after_kill,
        "{again:#}"
    );
    assert_eq!(count(&again, "rejected_count") + count(&again, "updated_count"), 0);
    assert_eq!(count(&node.audit(), "handover_count"), distinct);
}

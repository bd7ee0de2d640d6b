//! Imports that go wrong on the way: sent twice, or cut off by a node or an importer that dies. Sending
//! the file again is all that it takes, or going on with it; nothing is lost and nothing is there
//! twice. And imports that say beforehand what they would do.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::mpsc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{BINARY, Process, Ran};

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

/// A file of `count` rows of people who have nothing to do with each other; every 1,000th has no
/// number, and is rejected.
fn file_of(count: u32) -> String {
    let row = |nth: u32| match nth % 1_000 {
        0 => format!("{nth},Lead {nth},,UTC,web\n"),
        _ => format!("{nth},Lead {nth},+4930{nth:07},UTC,web\n"),
    };
    format!("{HEADER}{}", (1..=count).map(row).collect::<String>())
}

/// The rows that a rejects file names.
fn rejected_rows(folder: &TempDir) -> Vec<u32> {
    let text = std::fs::read_to_string(folder.path().join("leads.csv.rejected.csv")).unwrap();
    text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn an_importer_that_is_killed_goes_on_behind_the_last_answered_row() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    std::fs::write(folder.path().join("leads.csv"), file_of(50_000)).unwrap();
    let import = [&["import", "leads.csv"], &IMPORT[..]].concat();
    let mut importer = node.command(&import);
    let mut importer = importer.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let progress = folder.path().join("leads.csv.import-progress");
    while !progress.exists() {
        assert!(importer.try_wait().unwrap().is_none(), "it ended without a note of its progress");
    }
    importer.kill().unwrap();
    importer.wait().unwrap();
    let noted: Value = serde_json::from_slice(&std::fs::read(&progress).unwrap()).unwrap();
    let answered = noted["answered_rows"].as_i64().unwrap();
    assert!(answered > 0 && answered < 50_000, "{noted:#}");

    let done = node.json(&[&import[..6], &["--resume"]].concat());

    assert_eq!(count(&done, "row_count"), 50_000);
    let counts = ["opened", "unchanged", "updated", "merged", "rejected"];
    let sum: i64 = counts.iter().map(|name| count(&done, &format!("{name}_count"))).sum();
    assert_eq!(sum, 50_000, "{done:#}");
    assert_eq!(rejected_rows(&folder), (1..=50).map(|nth| nth * 1_000).collect::<Vec<_>>());
    assert_eq!(count(&node.audit(), "handover_count"), 50_000 - 50);
    assert!(!progress.exists());
}

#[test]
fn a_node_that_is_killed_and_comes_back_is_found_again() {
    let folder = TempDir::new().unwrap();
    let mut node = Process::start(folder.path());
    node.set_up();
    std::fs::write(folder.path().join("leads.csv"), file_of(40_000)).unwrap();
    let import = [&["import", "leads.csv"], &IMPORT[..]].concat();
    let mut importer = node.command(&import);
    let importer = importer.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !folder.path().join("leads.csv.import-progress").exists() {}
    let address = node.address();
    node.kill();
    let node = Process::start_at(BINARY.as_ref(), folder.path(), &address);
    let ended = Ran::of(&import, importer.wait_with_output().unwrap());

    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    let done: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(count(&done, "row_count"), 40_000);
    assert_eq!(count(&done, "rejected_count"), 40);
    assert_eq!(rejected_rows(&folder), (1..=40).map(|nth| nth * 1_000).collect::<Vec<_>>());
    assert_eq!(count(&node.audit(), "handover_count"), 40_000 - 40);
}

#[test]
fn a_dry_run_tells_what_would_happen_and_stores_nothing() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let rules = "queue = \"sales\"\n[fields]\nsize = \"int\"\n";
    std::fs::write(folder.path().join("rules.toml"), rules).unwrap();
    node.ok(&["rules", "publish", "rules.toml", "--reason", "sizes", "--wait"]);
    let rows = "nr;Name;mobil;plz;size;opt in\n1;M\u{fc}ller;+49301234567;01067;12;Ja\n\
                2;Ann;030 12;10115;n/a;Nein\n3;Bob;+49301234568;10117;7;Ja\n4;Cyd\n";
    let latin: Vec<u8> = rows.chars().map(|one| one as u8).collect();
    std::fs::write(folder.path().join("leads.csv"), latin).unwrap();
    let mapping = "campaign = \"spring\"\nsource_system = \"crm\"\nid_column = \"nr\"\n[columns]\n\
                   mobil = \"numbers\"\n'opt in' = { field = \"attributes.optin:bool\", \
                   values = { Ja = true, Nein = false } }\n[constants]\ntime_zone = \"UTC\"\n";
    std::fs::write(folder.path().join("crm.toml"), mapping).unwrap();
    let import = ["import", "leads.csv", "--mapping", "crm.toml"];

    let dry = [&import[..], &["--dry-run", "--write-mapping", "exact.toml"]].concat();
    let told = node.json(&dry);

    assert_eq!(
        ["row_count", "accepted_count", "rejected_count"].map(|name| count(&told, name)),
        [4, 2, 2]
    );
    let column = |nth: usize| {
        let column = &told["columns"][nth];
        [&column["becomes"], &column["type"], &column["by"]]
            .map(|one| one.as_str().unwrap().to_owned())
    };
    assert_eq!(column(3), ["attributes.plz", "string", "guess"]);
    assert_eq!(column(4), ["attributes.size", "int", "rules"]);
    assert_eq!(column(5), ["attributes.optin", "bool", "mapping"]);
    assert_eq!(told["leads"][0]["name"], "M\u{fc}ller");
    assert_eq!(told["leads"][0]["attributes"], json!({"plz": "01067", "size": 12, "optin": true}));
    let reasons: Vec<_> =
        told["problems"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
    assert!(reasons[0].as_str().unwrap().contains("lead.numbers[].number"), "{reasons:?}");
    assert_eq!(count(&node.audit(), "handover_count"), 0);
    let text = node.ok(&[&import[..], &["--dry-run"]].concat());
    assert!(text.contains("would be taken in") && text.contains("Nothing was stored."), "{text}");
    assert!(!folder.path().join("leads.csv.rejected.csv").exists());

    // What was written down imports the same, and says the same.
    let exact = node.json(&["import", "leads.csv", "--mapping", "exact.toml"]);
    assert_eq!(["opened_count", "rejected_count"].map(|name| count(&exact, name)), [2, 2]);
    let lead = &node.json(&["explain", "1"])["lead"];
    assert_eq!(lead["attributes"], json!({"plz": "01067", "size": 12, "optin": true}));
    assert_eq!(lead["name"], "M\u{fc}ller");
}

#[test]
fn a_mapping_that_makes_no_sense_is_told_whole_before_anything_is_sent() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    std::fs::write(folder.path().join("leads.csv"), "nr,name\n1,Ann\n").unwrap();
    let mapping = "campain = \"spring\"\n[columns]\nnr = \"external_idd\"\n";
    std::fs::write(folder.path().join("crm.toml"), mapping).unwrap();
    let ran = node.run(&["import", "leads.csv", "--mapping", "crm.toml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for part in ["line 1", "did you mean `campaign`?", "line 3", "did you mean `external_id`?"] {
        assert!(ran.err.contains(part), "{part} is not in {}", ran.err);
    }
}

//! The command line as people and programs use it: what is printed, where, and the exit code.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{BINARY, Process, Ran, TOKEN_FILE, command};

const RULES: &str = r#"queue    = "sales"
point_is = "1m"

[first_touch]
within = "4h"

[[value]]
name   = "asked for a demo"
when   = 'lead.source == "demo-request"'
points = 1440
"#;

fn start() -> (TempDir, Process) {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    (folder, node)
}

fn write(folder: &TempDir, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).unwrap();
}

fn read(folder: &TempDir, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

/// Every part stands in the text, in this order.
fn assert_says(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("{part:?} is not there, or not in its place:\n{text}")
        };
        rest = after;
    }
}

fn assert_fails(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{ran:?}");
    assert_says(&ran.err, parts);
}

#[test]
fn a_node_says_where_it_is_and_keeps_its_token_from_others() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    assert!(node.address().starts_with("127.0.0.1:"));
    assert_eq!(
        (&node.said["token_file"], &node.said["is_token_new"]),
        (&json!(TOKEN_FILE), &json!(true))
    );
    let token = folder.path().join(TOKEN_FILE);
    assert_eq!(std::fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let first = node.token();

    assert!(node.terminate(), "a stop is no failure");
    let again = Process::start(folder.path());
    assert_eq!(again.said["is_token_new"], false);
    assert_eq!(again.token(), first);
    let log = read(&folder, "serve.log");
    assert!(log.contains("serving on 127.0.0.1:") && !log.contains('\u{1b}'), "{log:?}");
}

#[test]
fn a_second_node_on_the_same_store_or_address_refuses_to_start() {
    if crate::ground::is_without_file("a_second_node_on_the_same_store_or_address_refuses_to_start")
    {
        return;
    }
    let (folder, node) = start();
    let serve = |folder: &Path, listen: &str| {
        let args = ["serve", "--listen", listen];
        Ran::of(&args, command(Path::new(BINARY), folder).args(args).output().unwrap())
    };
    let second = serve(folder.path(), "127.0.0.1:0");
    assert_fails(&second, 1, &["error: ", "nextlead.db is in use by another process"]);

    let elsewhere = TempDir::new().unwrap();
    let second = serve(elsewhere.path(), &node.address());
    assert_fails(&second, 1, &["error: could not listen at", "another node"]);
    let open = serve(elsewhere.path(), "0.0.0.0:0");
    assert_fails(&open, 1, &["not a loopback address"]);
    node.audit();
}

#[test]
fn who_has_no_token_or_no_node_is_told_what_to_do() {
    let (folder, mut node) = start();
    let elsewhere = TempDir::new().unwrap();
    let run = |name: &str, value: &str| {
        let mut command = node.command(&["audit"]);
        let output = command.current_dir(elsewhere.path()).env(name, value).output().unwrap();
        Ran::of(&["audit"], output)
    };
    assert_fails(
        &run("NEXTLEAD_TOKEN", ""),
        1,
        &["error: no token: set NEXTLEAD_TOKEN", "--token-file"],
    );
    assert_fails(&run("NEXTLEAD_TOKEN", "wrong"), 4, &["TOKEN_INVALID", "NEXTLEAD_TOKEN"]);
    let token_file = folder.path().join(TOKEN_FILE);
    assert_eq!(run("NEXTLEAD_TOKEN_FILE", token_file.to_str().unwrap()).code, 0);
    assert_eq!(run("NEXTLEAD_TOKEN", &node.token()).code, 0);

    node.kill();
    let expected = format!("cannot reach a node at http://{}; is `nextlead serve`", node.address());
    assert_fails(&node.run(&["audit"]), 5, &[&expected]);
}

#[test]
fn what_is_set_up_is_shown_and_what_makes_no_sense_is_named() {
    let (_folder, node) = start();
    let hours = "mon-fri 09:00-18:00";
    let args = ["queue", "set", "berlin", "--zone", "Europe/Berlin", "--hours", hours];
    let shown = ["QUEUE", "berlin", "Europe/Berlin", hours, "10m", "2h", "applies, -5m", "none"];
    assert_says(&node.ok(&args), &shown);
    let exempt = node.ok(&[&args[..], &["--law", "exempt"]].concat());
    assert_says(&exempt, &["LAW", "exempt"]);
    let hasty = [&args[..], &["--closing-margin", "2h"]].concat();
    assert_fails(&node.run(&hasty), 4, &["queue.closing_margin_duration: "]);
    let ends = ["campaign", "set", "fair", "--queue", "berlin", "--ends-at", "+30d"];
    assert_says(&node.ok(&ends), &["CAMPAIGN", "fair", "berlin", "nurture"]);
    let rep = ["rep", "set", "bob", "--queue", "berlin", "--skills", "de,en"];
    assert_says(&node.ok(&rep), &["REP", "bob", "berlin", "de, en", "yes"]);

    let queues = node.json(&["queue", "list"]);
    assert_eq!(queues["queues"].as_array().unwrap().len(), 2, "{queues:#}");
    let reps = node.json(&["rep", "list", "--queue", "berlin"]);
    assert_eq!(reps["reps"][0]["skills"], json!(["de", "en"]));
    let campaigns = node.json(&["campaign", "list"]);
    assert_eq!(campaigns["campaigns"].as_array().unwrap().len(), 2, "{campaigns:#}");

    let args = ["queue", "set", "x", "--zone", "UTC", "--hours", "mon-fri 9-18"];
    let bad = node.run(&args);
    assert_fails(&bad, 4, &["error: queue.hours: ", "mon-fri 09:00-18:00", "(FIELD_INVALID)"]);
    assert_eq!(bad.err.matches("queue.hours").count(), 1, "said once: {}", bad.err);
    let args = ["queue", "set", "x", "--zone", "Mars", "--hours", "never"];
    assert_fails(&node.run(&args), 4, &["queue.time_zone: ", "queue.hours: "]);
    let args = ["campaign", "set", "x", "--queue", "nowhere"];
    assert_fails(&node.run(&args), 3, &["no queue \"nowhere\" (QUEUE_NOT_FOUND)"]);
    assert_fails(&node.run(&["queue", "set", "x"]), 2, &["--zone <ZONE>", "--hours <HOURS>"]);
    assert_fails(&node.run(&["sell"]), 2, &["unrecognized subcommand 'sell'"]);
}

#[test]
fn rules_are_checked_in_place_and_published_until_they_decide() {
    let (folder, node) = start();
    write(&folder, "rules.toml", RULES);
    write(&folder, "bad.toml", &RULES.replace("lead.source", "lead.sorce").replace("1m", "1x"));

    let good = node.ok(&["rules", "check", "rules.toml"]);
    assert_says(&good, &["rules.toml can be published", "Largest head start", "1d"]);
    let bad = node.run(&["rules", "check", "bad.toml"]);
    assert_eq!((bad.code, bad.err.as_str()), (1, ""));
    let line = "9 | when   = 'lead.sorce == \"demo-request\"'\n";
    assert_says(&bad.out, &["bad.toml:2:", "2 | point_is = \"1x\"\n", "^", "2 mistakes"]);
    let caret = format!(
        "bad.toml:9:16: no field `sorce`; did you mean `source`?\n  |\n{line}  |                ^^^^^\n"
    );
    assert_says(&bad.out, &[&caret]);
    let bad = node.run(&["rules", "check", "bad.toml", "--json"]);
    let said: Value = serde_json::from_str(&bad.out).unwrap();
    assert_eq!((bad.code, said["mistakes"].as_array().unwrap().len()), (1, 2));

    let refused = node.run(&["rules", "publish", "bad.toml", "--queue", "sales", "--reason", "x"]);
    assert_fails(&refused, 4, &["cannot publish bad.toml", "(RULES_INVALID)", "line 2", "line 9"]);
    let publish = ["rules", "publish", "rules.toml", "--reason", "demos first", "--wait"];
    let version = &node.json(&publish)["rule_version"];
    assert_eq!((&version["version"], &version["state"]), (&json!(1), &json!("in_force")));
    assert!(version["in_force_time"].is_string(), "{version:#}");
    assert_says(&node.ok(&publish), &["STATE", "2  in_force", "admin", "demos first"]);
    let versions = node.ok(&["rules", "versions", "sales"]);
    assert_says(&versions, &["2  in_force", "1  replaced"]);
    assert_eq!(node.ok(&["rules", "versions", "sales", "--text", "1"]), RULES);
    let missing = node.run(&["rules", "versions", "sales", "--text", "9"]);
    assert_fails(&missing, 3, &["there is no version 9"]);
}

#[test]
fn a_file_is_imported_and_what_is_rejected_is_kept_with_its_reason() {
    let (folder, node) = start();
    let rows = [
        "lead_id;full name;mobile;time_zone;plz",
        "A1;Ada Byron;+49 30 1234501;Europe/Berlin;01067",
        "A2;Bob Jones;030 123;UTC;",
        "A3;Cyd Doe;;UTC;",
        ";Dan Poe;+49301234504;UTC;",
        "A5;\"Eve; Müller\";+49301234505;UTC;10115",
        "A6;one;cell;too;many;here",
        "A1;Ada Byron;+49 30 1234501;Europe/Berlin;01067",
    ];
    write(&folder, "leads.csv", &rows.join("\n"));
    let args = ["import", "leads.csv", "--campaign", "spring", "--source-system", "crm"];
    let maps = ["--id-column", "lead_id", "--map", "full name=name", "--map", "mobile=phone"];

    let told = node.json(&[&args[..], &maps[..]].concat());

    let counts = ["row", "opened", "unchanged", "updated", "merged", "rejected"];
    let counts = counts.map(|name| told[format!("{name}_count")].as_i64().unwrap());
    assert_eq!(counts, [7, 2, 1, 0, 0, 4], "{told:#}");
    assert_eq!(told["rejects_file"], "leads.csv.rejected.csv");
    let rejects = read(&folder, "leads.csv.rejected.csv");
    assert_eq!(rejects.lines().count(), 5, "{rejects}");
    assert_says(
        &rejects,
        &[
            "rejected_row,rejected_line,rejected_reason,lead_id,full name,mobile,time_zone,plz",
            "\n2,3,FIELD_INVALID: lead.numbers[0].number: must be",
            ",A2,Bob Jones,030 123,UTC,\n3,4,FIELD_INVALID: lead.numbers: must be",
            "4,5,external_id: must not be empty,,Dan Poe,",
            "\n6,7,\"has 6 cells, the header has 5\",A6,one,cell,too,many,here\n",
        ],
    );
    let lead = &node.json(&["explain", "1"])["lead"];
    assert_eq!(lead["numbers"][0]["number"], "+49301234501");
    assert_eq!(lead["attributes"], json!({"plz": "01067"}), "a postcode keeps its zero");
    assert_eq!(node.json(&["explain", "2"])["lead"]["name"], "Eve; Müller");
    assert_eq!(node.audit()["handover_count"], 2);

    // Corrected, the rejects can be imported as they are.
    let corrected = rejects.replace(",030 123,", ",+49301234502,");
    write(&folder, "again.csv", &corrected);
    let args = [&["import", "again.csv"], &args[2..], &maps[..]].concat();
    let text = node.ok(&args);
    assert_says(
        &text,
        &["rows read  4", "opened     1", "rejected   3  see again.csv.rejected.csv"],
    );
}

#[test]
fn a_file_of_which_nothing_was_taken_in_is_a_failure() {
    let (folder, node) = start();
    write(&folder, "leads.csv", "external_id,phone\n1,+12025550100\n2,+12025550101\n");
    let import = |campaign| {
        node.run(&["import", "leads.csv", "--campaign", campaign, "--source-system", "crm"])
    };

    let nowhere = import("sprnig");

    assert_eq!(
        nowhere.code, 1,
        "a misspelt campaign in a nightly job must not pass: {}",
        nowhere.out
    );
    assert_says(&nowhere.out, &["rows read  2", "rejected   2"]);
    assert_eq!(import("spring").code, 0);
}

#[test]
fn packed_files_and_ndjson_are_known_by_what_they_hold() {
    let (folder, node) = start();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"external_id,name,phone,time_zone\nB1,Fay,+49301234506,UTC\n").unwrap();
    std::fs::write(folder.path().join("leads.csv.gz"), packed.finish().unwrap()).unwrap();
    let gus = json!({"external_id": "C1", "name": "Gus", "time_zone": "UTC", "score": 12.5,
        "numbers": ["+49301234507", "+49301234508"], "attributes": {"vip": true}});
    write(&folder, "leads.ndjson", &format!("{gus}\nnot json\n"));
    let import =
        |file: &str| node.json(&["import", file, "--campaign", "spring", "--source-system", "crm"]);
    let told = import("leads.csv.gz");
    assert_eq!((&told["opened_count"], &told["rejects_file"]), (&json!(1), &Value::Null));
    let told = import("leads.ndjson");
    assert_eq!((&told["opened_count"], &told["rejected_count"]), (&json!(1), &json!(1)));
    assert_says(
        &read(&folder, "leads.ndjson.rejected.csv"),
        &["\n2,2,is no JSON object", "not json\n"],
    );
    let args = ["explain", "--source-system", "crm", "--external-id", "C1", "--campaign", "spring"];
    let lead = &node.json(&args)["lead"];
    assert_eq!((&lead["attributes"], &lead["score"]), (&json!({"vip": true}), &json!(12.5)));
    assert_eq!(lead["numbers"].as_array().unwrap().len(), 2);

    let none = ["import", "none.csv", "--campaign", "spring", "--source-system", "crm"];
    assert_fails(&node.run(&none), 1, &["cannot open none.csv"]);
    assert_eq!(node.audit()["handover_count"], 2);
}

fn import_two(folder: &TempDir, node: &Process) {
    write(folder, "rules.toml", RULES);
    node.ok(&["rules", "publish", "rules.toml", "--reason", "demos first", "--wait"]);
    let rows = "external_id,name,phone,time_zone,source\n\
                1,Ada Byron,+49301234501,UTC,web\n2,Bob Jones,+49301234502,UTC,demo-request\n";
    write(folder, "leads.csv", rows);
    node.ok(&["import", "leads.csv", "--campaign", "spring", "--source-system", "crm"]);
}

#[test]
fn a_rep_can_work_from_the_command_line() {
    let (folder, node) = start();
    import_two(&folder, &node);
    let peek = node.ok(&["peek", "sales"]);
    assert_says(&peek, &["Bob Jones", "1,440", "demo-request", "Ada Byron", "2 of 2 ready leads"]);
    assert_says(
        &node.ok(&["explain", "2"]),
        &["Bob Jones", "ready", "asked for a demo", "Nothing keeps it"],
    );

    let first = node.ok(&["next", "--rep", "ann"]);
    assert_says(
        &first,
        &["Ada Byron", "leased", "Why this one: its first touch", "rule version 1"],
    );
    let again = node.ok(&["next", "--rep", "ann"]);
    assert_says(&again, &["You hold this lead already", "Ada Byron"]);
    assert_says(&node.ok(&["explain", "1"]), &["held by", "ann", "ann holds it"]);
    // The line that is offered works as it stands.
    let line = first.lines().last().unwrap().trim().strip_prefix("nextlead ").unwrap();
    let args: Vec<&str> = line.split(' ').chain(["--next"]).collect();
    let touched = node.ok(&args);
    assert_says(
        &touched,
        &["is recorded; the lead is waiting (retry) until", "Bob Jones", "1,440"],
    );

    let line = touched.lines().last().unwrap().trim().strip_prefix("nextlead ").unwrap();
    let line = line.replace("no_answer", "sale");
    let args: Vec<&str> = line.split(' ').chain(["--next", "--touch-id", "mine"]).collect();
    let told = node.json(&args);
    assert_eq!(told["state"]["standing"]["closed"]["route"], "won", "{told:#}");
    assert!(told["next_nothing"].is_object() && told["late"] == false, "{told:#}");
    let nothing = node.ok(&["next", "--rep", "ann"]);
    assert_says(
        &nothing,
        &["No lead may be served now.", "waiting for a retry or a callback", "1"],
    );

    let trace = node.ok(&["trace", "2"]);
    assert_says(&trace, &["opened", "leased", "touched", "closed (sale): won", "touch=mine"]);
    let coverage = node.ok(&["coverage", "--campaign", "spring"]);
    assert_says(&coverage, &["demo-request", "web", "= all", "100.0 %", "the books add up"]);
    assert_eq!(node.ok(&["uncontacted"]), "Every lead was touched.\n");
    assert_says(&node.ok(&["audit"]), &["handovers  2", "touches    2", "imbalance  0"]);
}

#[test]
fn a_reps_own_token_says_who_works() {
    let (folder, node) = start();
    import_two(&folder, &node);
    node.ok(&["token", "create", "Ann", "--role", "rep", "--rep", "ann", "--out", "ann.token"]);
    let ann = ["--token-file", "ann.token"];
    let as_ann = |args: &[&str]| node.ok(&[&ann[..], args].concat());

    let served = as_ann(&["next"]);
    assert_says(&served, &["Ada Byron", "leased"]);
    // The line that is offered names no rep either, and works as it stands.
    let line = served.lines().last().unwrap().trim().strip_prefix("nextlead ").unwrap();
    assert!(!line.contains("--rep"), "{line}");
    let touched = as_ann(&line.split(' ').chain(["--next"]).collect::<Vec<_>>());
    assert_says(&touched, &["is recorded; the lead is waiting (retry) until", "Bob Jones"]);
    assert_says(&node.ok(&["explain", "2"]), &["held by", "ann"]);
    let line = touched.lines().last().unwrap().trim();
    let token = line.split(' ').skip_while(|word| *word != "--token").nth(1).unwrap();
    let lease = ["--lead", "2", "--token", token];
    assert_says(&as_ann(&[&["renew"], &lease[..]].concat()), &["The lease lasts 10m"]);
    assert_eq!(
        as_ann(&[&["release", "--why", "no_time"], &lease[..]].concat()),
        "Lead 2 is back in line.\n"
    );

    // The admin's token is nobody's, so the node asks who it is.
    assert_fails(&node.run(&["next"]), 4, &["rep_id"]);
    assert_fails(&node.run(&["work"]), 4, &["rep_id"]);
    let renewed = node.run(&[&["renew"], &lease[..]].concat());
    assert_fails(&renewed, 4, &["rep_id"]);
    assert_eq!(node.audit()["touch_count"], 1);
}

#[test]
fn what_a_rep_gets_wrong_is_refused_with_the_choices() {
    let (folder, node) = start();
    import_two(&folder, &node);
    let token =
        node.json(&["next", "--rep", "ann"])["served"]["lease_token"].as_str().unwrap().to_owned();
    let touch = ["touch", "--rep", "ann", "--lead", "1", "--number", "+49301234501", "--token"];
    let bad = node.run(&[&touch[..], &[&token, "--disposition", "bored"]].concat());
    assert_fails(&bad, 2, &["'bored'", "no_answer, busy, voicemail"]);
    let bad = node.run(&[&touch[..], &["zz", "--disposition", "busy"]].concat());
    assert_fails(&bad, 4, &["error: lease_token: must be a lease token"]);
    assert_fails(&node.run(&["next", "--rep", "eve"]), 3, &["no rep \"eve\" (REP_NOT_FOUND)"]);
    assert_fails(&node.run(&["trace", "99"]), 3, &["no such lead (LEAD_NOT_FOUND)"]);

    let lease = ["--rep", "ann", "--lead", "1", "--token", &token];
    assert_says(&node.ok(&[&["renew"], &lease[..]].concat()), &["The lease lasts 10m", "in all"]);
    assert_eq!(
        node.ok(&[&["release", "--why", "no_time"], &lease[..]].concat()),
        "Lead 1 is back in line.\n"
    );
    let lost = node.run(&[&["renew"], &lease[..]].concat());
    assert_fails(&lost, 4, &["no longer stands (LEASE_LOST)"]);
    let suppress = ["suppress", "--number", "+49301234501", "--source", "letter"];
    assert_eq!(node.ok(&suppress), "Suppressed. 1 open lead was closed.\n");
    let late = node.ok(&[&touch[..], &[&token, "--disposition", "busy"]].concat());
    assert_says(&late, &["is recorded. Its lease was over", "closed (suppressed): suppressed"]);
    let left = node.json(&["uncontacted"]);
    assert_eq!(left["leads"].as_array().unwrap().len(), 1, "{left:#}");
    node.audit();
}

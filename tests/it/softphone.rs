//! Reps' programs in other languages, against a real node: what `proto/` promises holds for whoever
//! generates code from it, and the README shows the very programs that run here.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::process::Process;

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// The Python that `tests/run` equips with gRPC, and a softphone in it.
fn python() -> Command {
    let python = std::env::var("NEXTLEAD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_grpc = Command::new(&python).args(["-c", "import grpc, grpc_tools"]).output();
    assert!(
        has_grpc.is_ok_and(|output| output.status.success()),
        "{python} has no grpcio and grpcio-tools: tests/run installs them"
    );
    let mut command = Command::new(python);
    command.arg("tests/softphone.py");
    command
}

/// The packages of Node that `tests/run` installs, and a softphone that uses them.
fn typescript() -> Command {
    let modules = std::env::var_os("NEXTLEAD_TEST_NODE")
        .map_or_else(|| Path::new(PROJECT).join("target/node/node_modules"), PathBuf::from);
    let tsx = modules.join(".bin/tsx");
    assert!(tsx.exists(), "{} is not there: tests/run installs it", tsx.display());
    let mut command = Command::new(tsx);
    command.env("NODE_PATH", modules).arg("tests/softphone.ts");
    command
}

/// A node with rep ann, two leads for her, and the file that holds her token.
fn floor(folder: &Path) -> (Process, PathBuf) {
    let node = Process::start(folder);
    node.set_up();
    let leads = "external_id,name,phone,time_zone\n7,Ada Byron,+493012345,UTC\n\
                 8,Alan Turing,+442079460123,UTC\n";
    std::fs::write(folder.join("leads.csv"), leads).unwrap();
    node.ok(&["import", "leads.csv", "--campaign", "spring", "--source-system", "crm"]);
    let token = folder.join("ann.token");
    let file = token.to_str().unwrap();
    node.ok(&["token", "create", "ann's phone", "--role", "rep", "--rep", "ann", "--out", file]);
    (node, token)
}

/// Runs a softphone at which a rep types `said`, one disposition a line.
fn work(mut softphone: Command, node: &Process, token: &Path, said: &str) -> Output {
    let mut child = softphone
        .current_dir(PROJECT)
        .arg(node.address())
        .arg(token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn a_softphone_works_its_leads(softphone: fn() -> Command) {
    let folder = TempDir::new().unwrap();
    let (node, token) = floor(folder.path());

    let day = work(softphone(), &node, &token, "no_answer\nsale\n");

    let said = String::from_utf8(day.stdout).unwrap();
    assert!(day.status.success(), "{said}{}", String::from_utf8_lossy(&day.stderr));
    let words: Vec<_> = said.split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "call Ada Byron on +493012345: now waiting \
         call Alan Turing on +442079460123: now closed nothing to call"
    );
    let lead = ["--source-system", "crm", "--external-id", "7", "--campaign", "spring"];
    let state = &node.json(&[&["explain"], &lead[..]].concat())["state"];
    assert_eq!(state["standing"]["waiting"]["reason"], "retry", "{state:#}");
    assert_eq!(
        (&state["attempt_count"], &state["last_disposition"]),
        (&1.into(), &"no_answer".into())
    );
    let events = &node.json(&[&["trace"], &lead[..]].concat())["events"];
    let events = events.as_array().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["opened", "leased", "touched"]);
    assert_eq!(events[2]["actor"], "ann", "{:#}", events[2]);
    let report = node.audit();
    assert_eq!((&report["touch_count"], &report["handover_count"]), (&2.into(), &2.into()));
}

#[test]
fn a_softphone_in_python_pulls_leads_and_records_how_the_calls_went() {
    a_softphone_works_its_leads(python);
}

#[test]
fn a_softphone_in_typescript_pulls_leads_and_records_how_the_calls_went() {
    a_softphone_works_its_leads(typescript);
}

#[test]
fn the_readme_shows_the_softphones_that_were_tested() {
    let readme = std::fs::read_to_string(Path::new(PROJECT).join("README.md")).unwrap();
    for (language, file) in [("python", "softphone.py"), ("ts", "softphone.ts")] {
        let text = std::fs::read_to_string(Path::new(PROJECT).join("tests").join(file)).unwrap();
        assert!(text.lines().count() <= 40, "{file} has more than forty lines");
        assert!(readme.contains(&format!("```{language}\n{text}```")), "README.md: {file}");
    }
}

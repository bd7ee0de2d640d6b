//! A rep's program in another language, against a real node: what `proto/` promises holds for
//! whoever generates code from it.

use std::process::Command;

use tempfile::TempDir;

use crate::process::{Process, TOKEN_FILE};

/// The Python that `tests/run` equips with gRPC.
const PYTHON_VARIABLE: &str = "NEXTLEAD_TEST_PYTHON";
const SOFTPHONE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/softphone.py");

fn python() -> String {
    let python = std::env::var(PYTHON_VARIABLE).unwrap_or_else(|_| "python3".to_owned());
    let has_grpc = Command::new(&python).args(["-c", "import grpc, grpc_tools"]).output();
    assert!(
        has_grpc.is_ok_and(|output| output.status.success()),
        "{python} has no grpcio and grpcio-tools: tests/run installs them, and names the Python \
         that has them in {PYTHON_VARIABLE}"
    );
    python
}

#[test]
fn a_softphone_in_python_pulls_a_lead_and_records_how_the_call_went() {
    let python = python();
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let leads = folder.path().join("leads.csv");
    std::fs::write(&leads, "external_id,name,phone,time_zone\n7,Ada Byron,+493012345,UTC\n")
        .unwrap();
    node.ok(&["import", "leads.csv", "--campaign", "spring", "--source-system", "crm"]);

    let call = || {
        let token_file = folder.path().join(TOKEN_FILE);
        let mut command = Command::new(&python);
        command.args([SOFTPHONE, &node.address()]).arg(token_file).arg("ann").output().unwrap()
    };
    let first = call();

    let said = String::from_utf8(first.stdout).unwrap();
    assert!(first.status.success(), "{said}{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(said, "call Ada Byron on +493012345\nrecorded, late=False, now waiting\n");
    let lead = ["--source-system", "crm", "--external-id", "7", "--campaign", "spring"];
    let state = &node.json(&[&["explain"], &lead[..]].concat())["state"];
    assert_eq!(state["standing"]["waiting"]["reason"], "retry", "{state:#}");
    assert_eq!(
        (&state["attempt_count"], &state["last_disposition"]),
        (&1.into(), &"no_answer".into())
    );
    let events = &node.json(&[&["trace"], &lead[..]].concat())["events"];
    let kinds: Vec<_> = events.as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["opened", "leased", "touched"]);
    let report = node.audit();
    assert_eq!((&report["touch_count"], &report["handover_count"]), (&1.into(), &1.into()));

    let second = call();
    assert!(!second.status.success(), "the only lead waits for its retry");
    assert!(String::from_utf8_lossy(&second.stderr).contains("nothing to call"));
}

//! The demo, through its command: one short month of the real calls.

use std::process::Command;

/// The shortest month in which rules and order both matter: 75 leads, 73 calls.
#[test]
fn a_month_of_real_calls_leaves_out_nobody_who_could_be_called() {
    let output = Command::new(env!("CARGO_BIN_EXE_nextlead"))
        .args(["demo", "--json", "--month", "2010-11"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let told: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let progress = serde_json::json!({"progress": "2010-11 by the rules, over gRPC"});
    assert!(told.contains(&progress), "it shows how far it is: {told:?}");

    let printed = String::from_utf8(output.stdout).unwrap();
    let line: serde_json::Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let count = |name: &str| line[name].as_f64().unwrap_or_else(|| panic!("no {name}: {line}"));
    for (name, expected) in [
        ("leads", 75.0),
        ("touches", 73.0),
        ("never_contacted", 2.0),
        ("held_twice", 0.0),
        ("ledger_imbalance", 0.0),
    ] {
        assert_eq!(count(name), expected, "{name}");
    }
    assert!(count("conversions") > 0.0 && count("conversions") <= 36.0, "36 of the leads buy");
    for name in ["conversions_at_20pct_rules", "conversions_at_20pct_fifo"] {
        assert!(count(name) <= count("conversions"), "{name}");
    }
    assert!(count("pull_p50_us") > 0.0 && count("pull_p50_us") <= count("pull_p99_us"));
    assert!(count("wall_s") > 0.0);
}

#[test]
fn a_month_without_calls_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_nextlead"))
        .args(["demo", "--month", "2008-09"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("2008-09"));
}

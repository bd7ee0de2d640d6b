//! Upgrades: a store of an earlier release is brought up to date by the first start, and a start
//! that is killed in the middle of it leaves a store that the next one opens.
//!
//! `NEXTLEAD_UPGRADE_KILLS` says how often a start is killed.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use flate2::read::GzDecoder;
use tempfile::TempDir;

use crate::process::{BINARY, Process, command};

/// The store of release 0.1.0; `tests/data/stores/README.md` says what is in it.
fn put_first_release(folder: &Path) {
    let packed = fs::File::open("tests/data/stores/0.1.0.db.gz").unwrap();
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    for name in ["nextlead.db-wal", "nextlead.db-shm"] {
        let _ = fs::remove_file(folder.join(name));
    }
    fs::write(folder.join("nextlead.db"), bytes).unwrap();
}

#[test]
fn a_start_that_is_killed_while_it_upgrades_leaves_a_store_that_opens() {
    if crate::ground::is_without_file(
        "a_start_that_is_killed_while_it_upgrades_leaves_a_store_that_opens",
    ) {
        return;
    }
    let count: u32 =
        std::env::var("NEXTLEAD_UPGRADE_KILLS").map_or(10, |text| text.parse().unwrap());
    let folder = TempDir::new().unwrap();
    let mut was_cut_short = 0;
    for nth in 0..count {
        put_first_release(folder.path());
        let mut child = command(Path::new(BINARY), folder.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // No wait for something: how far the start comes is what is varied here.
        std::thread::sleep(Duration::from_millis(u64::from(nth * 7 % 120)));
        child.kill().unwrap();
        child.wait().unwrap();
        let log = fs::metadata(folder.path().join("nextlead.db-wal")).map_or(0, |log| log.len());
        was_cut_short += u32::from(log > 0);
        let node = Process::start(folder.path());
        let audit = node.audit();
        assert_eq!((&audit["lead_count"], &audit["touch_count"]), (&120.into(), &18.into()));
        assert!(node.terminate());
        fs::remove_file(folder.path().join("serve.log")).unwrap();
    }
    eprintln!("upgrades: {count} starts killed, {was_cut_short} of them while they wrote");
}

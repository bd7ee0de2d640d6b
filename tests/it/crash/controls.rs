//! Proof that these tests see: each plants a fault below a real node, under the same load, and has to
//! find violations.

use std::path::Path;

use super::ground::{Ground, On};
use super::{FAMILY_COUNT_MIN, Rig};

const FILES: [&str; 3] = ["nextlead.db", "nextlead.db-wal", "nextlead.db-shm"];

fn copy(from: &Path, to: &Path) {
    for name in FILES {
        let _ = std::fs::remove_file(to.join(name));
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// What a node does that answers before its commit has reached the disk, and dies: what the disk
/// holds is older than what was answered.
#[tokio::test]
async fn a_disk_that_forgets_what_was_answered_is_found_out() {
    let mut rig = Rig::begin(|| Ground::new(On::Sqlite), 1, FAMILY_COUNT_MIN, 5).await;
    rig.let_run(200..300).await;
    rig.nodes.kill(0).await;
    let (folder, kept) = (rig.nodes.folder.clone(), tempfile::tempdir().unwrap());
    copy(&folder, kept.path());
    rig.nodes.start(0).await;
    rig.let_run(800..900).await;
    rig.nodes.kill(0).await;
    copy(kept.path(), &folder);
    rig.nodes.start(0).await;
    let found = rig.compare("disk that forgets", 1).await;
    let names = |what: &str| found.iter().any(|one| one.contains(what));
    assert!(names("TouchSent") && names("HandoverSent"), "{found:?}");
}

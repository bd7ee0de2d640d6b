//! Two nodes as two processes: one of them is killed.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::ground;
use crate::process::{BINARY, Process, clock, command};

/// Starts a node of a folder of its own, on shared ground.
fn start(folder: &Path, store: &str, queue: &str, prefix: &str) -> Process {
    let mut serve = command(Path::new(BINARY), folder);
    serve.args(["serve", "--json", "--listen", "127.0.0.1:0"]);
    serve.args(["--admin-token-file", "nextlead.db.admin-token"]);
    serve.envs([("NEXTLEAD_STORE", store), ("NEXTLEAD_QUEUE", queue)]);
    serve.env("NEXTLEAD_QUEUE_PREFIX", prefix);
    Process::begin(serve, folder, folder.join("serve.log"))
}

#[test]
fn the_duty_of_a_killed_node_is_taken_over_within_seconds() {
    let Some(ground) = ground("a killed node") else { return };
    let (folder, another) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let queue = ground.queue.unwrap();
    let begin = |folder: &Path| start(folder, &ground.store, &queue, &ground.prefix);
    let mut one = begin(folder.path());
    one.await_log("a duty changed hands duty=\"sweep\" is_held=true");
    let other = begin(another.path());
    other.set_up();
    // What is set on one is known on the other: its token file is another, its roster the same.
    let known = clock();
    while !one.ok(&["rep", "list"]).contains("ann") {
        assert!(known.elapsed() < Duration::from_secs(5));
    }

    one.kill();
    let killed = clock();
    other.await_log("a duty changed hands duty=\"sweep\" is_held=true");
    let took = killed.elapsed();

    eprintln!("the duty of a killed node was taken over after {took:?}");
    assert!(took < Duration::from_secs(12), "{took:?}");
    other.audit();
    // It comes back, and finds all there.
    let again = begin(folder.path());
    assert!(again.ok(&["rep", "list"]).contains("ann"));
    assert!(again.terminate() && other.terminate());
}

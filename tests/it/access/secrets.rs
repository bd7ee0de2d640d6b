//! A token's text is where it was shown, and nowhere else: not in the store, its log, nor the node's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::process::{Process, Ran};

/// The exit code of a command that the node refuses.
const REFUSED: i32 = 4;

/// The files of a folder in which a text stands.
fn files_with(folder: &Path, text: impl AsRef<[u8]>) -> Vec<PathBuf> {
    let text = text.as_ref();
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(text.len()).any(|part| part == text)
    };
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files.filter(|path| path.is_file()).filter(holds).collect();
    found.sort();
    found
}

fn bytes_of(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn run_as(node: &Process, token: &str, args: &[&str]) -> Ran {
    let output = node.command(args).env("NEXTLEAD_TOKEN", token).output().unwrap();
    Ran::of(args, output)
}

#[test]
fn a_token_s_text_is_in_no_file_but_the_one_it_was_put_into() {
    if crate::ground::is_without_file("a_token_s_text_is_in_no_file_but_the_one_it_was_put_into") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let mut node = Process::start(folder.path());
    node.set_up();
    let create = ["token", "create", "crm", "--role", "intake", "--out", "crm.token"];
    let made = node.ok(&create);
    let path = folder.path().join("crm.token");
    let text = fs::read_to_string(&path).unwrap().trim().to_owned();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(text.starts_with("nl_") && !made.contains(&text), "{made}");

    // It is used well and badly, listed, and revoked; the node is killed and starts again.
    assert_eq!(run_as(&node, &text, &["campaign", "list"]).code, 0);
    assert_eq!(run_as(&node, &text, &["audit"]).code, REFUSED);
    assert_eq!(run_as(&node, &format!("{text}0"), &["audit"]).code, REFUSED);
    let listed = node.json(&["token", "list"]);
    let id = listed["tokens"][0]["token_id"].as_str().unwrap().to_owned();
    assert!(!listed.to_string().contains(&text));
    let own = [path.clone()];
    let digits = &text[3..];
    // While the write-ahead log is there, and the node's own log.
    assert_eq!(files_with(folder.path(), digits), own);
    assert_eq!(files_with(folder.path(), &digits[..32]), own);
    assert!(files_with(folder.path(), digits.to_uppercase()).is_empty());
    assert!(files_with(folder.path(), bytes_of(digits)).is_empty(), "the bits themselves");
    let hash: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!files_with(folder.path(), hash).is_empty(), "the search finds what is there");
    node.kill();
    let node = Process::start(folder.path());
    assert_eq!(run_as(&node, &text, &["campaign", "list"]).code, 0, "it survived");
    node.ok(&["token", "revoke", &id]);
    let ran = run_as(&node, &text, &["campaign", "list"]);
    assert!(ran.code == REFUSED && ran.err.contains("TOKEN_INVALID"), "{ran:?}");
    assert_eq!(files_with(folder.path(), digits), own);
    let log = folder.path().join("serve.log");
    assert_eq!(files_with(folder.path(), "revoked token"), [log]);
    assert!(node.terminate());
    assert_eq!(files_with(folder.path(), digits), own);
}

#[test]
fn a_secret_goes_to_standard_output_alone_and_what_is_said_of_it_elsewhere() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let ran = node.run(&["token", "create", "Ann", "--role", "rep", "--rep", "ann", "--for", "1d"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = ran.out.trim();
    assert!(text.starts_with("nl_") && text.len() == 67, "{ran:?}");
    assert!(ran.err.contains("rep ann, Ann") && !ran.err.contains(text), "{ran:?}");
    assert_eq!(run_as(&node, text, &["queue", "list"]).code, REFUSED, "a rep sets up nothing");

    let json = node.json(&["token", "create", "boss", "--role", "manager", "--until", "+30d"]);
    assert!(json["token_text"].as_str().unwrap().starts_with("nl_"));
    assert_eq!(json["token"]["role"], "manager");
    let table = node.ok(&["token", "list", "--live"]);
    assert!(table.contains("boss") && table.contains("never") && !table.contains("nl_"), "{table}");

    let taken = folder.path().join("taken");
    fs::write(&taken, "mine").unwrap();
    let ran = node.run(&["token", "create", "x", "--role", "intake", "--out", "taken"]);
    assert_eq!((ran.code, fs::read_to_string(&taken).unwrap().as_str()), (1, "mine"));
    let ran = node.run(&["token", "create", "x", "--role", "rep", "--out", "new"]);
    assert!(ran.code == REFUSED && ran.err.contains("rep_id"), "{ran:?}");
    assert!(!folder.path().join("new").exists(), "no file without its secret");
    let count = node.json(&["token", "list"])["tokens"].as_array().unwrap().len();
    assert_eq!(count, 2);
}

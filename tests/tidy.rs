//! The source checked against the house: layers, file and function lengths, the top level, and
//! migrations that do not change once merged.
#![expect(clippy::unwrap_used, reason = "a test may stop at what it cannot read")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nextlead::failpoint;
use sha2::{Digest, Sha256};

/// Lowest first. A module imports only from rows above its own in this list.
const LAYERS: &[&[&str]] = &[
    &["clock", "domain", "failpoint", "health", "metrics"],
    &["rules"],
    &["queue", "store"],
    &["dialer", "coverage", "auth"],
    &["api", "console"],
    &["config", "telemetry"],
    &["node"],
    &["cli"],
];

/// What a file holds at most, its tests included.
const LINE_COUNT_MAX: usize = 500;
/// What a function holds at most.
const FUNCTION_LINE_COUNT_MAX: usize = 70;

/// The top level; dotfiles aside.
const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "build.rs",
    "migrations",
    "proto",
    "src",
    "tests",
];

/// SHA-256 of each migration that was merged: it ran on somebody's data, so it stays as it is.
const MIGRATIONS: &[(&str, &str)] = &[
    ("postgres/0001_store.sql", "bc002081d151051de47f2533d1f91bb3f01ba0c34c22fe2df3972b7d6bc86b2f"),
    (
        "postgres/0002_access.sql",
        "76e3cd02a76873534265e7869b5260fdfba1d8270a95e2a40704ddf627de893e",
    ),
    (
        "postgres/0003_erasure.sql",
        "d6857a23415ccf8c84765d0a67bc9fcf11c6d420259d11fdba1aba74dcfefb08",
    ),
    (
        "postgres/0004_restore.sql",
        "1310ed42de5111cf8191bdc424d62e8d18d7c3432ec5202218cb30fdf4d93a39",
    ),
    ("postgres/0005_nodes.sql", "8ec60153845fe841c1172ffb582798919e7f5b3561442c0f758ac63f1c0cf2af"),
    ("postgres/0006_lanes.sql", "eccc1a5bd0ca2863109f7ab31765a887d19c36f97dfdcbc1fc158608451e28a5"),
    (
        "postgres/0007_standing_indexes.sql",
        "b7db5973c16dff1879a15f305896363a7d431e3580944a1524562ca0b75e6f91",
    ),
    (
        "postgres/0008_ledger_in_order.sql",
        "61efa76257f36d628b450c70264d435f0dd97122ecb6e59beae62dbf1865d04e",
    ),
    ("postgres/0009_caps.sql", "6768cf1a318f2f4ab0a297a383c2b9d10b62d47895a48cba3c7bf24394fdb413"),
    (
        "postgres/0010_cadence.sql",
        "b96b696139427ef50b9ddab3ddad63c530f9410d6fe095295222e939675103b3",
    ),
    (
        "postgres/0011_engagements.sql",
        "f74a3d2161dba62d46f5ddd8460361b5eb7c2f9ac4def3c9ecec9544d2bdd960",
    ),
    (
        "postgres/0012_owners.sql",
        "467dc41b204cae73145909f2d444443ccdc244262f3db901fce5bc9a020ba91c",
    ),
    ("postgres/0013_skips.sql", "68525830c185ac39deeb6300ec5ab690d00ae9724987ddbac55ab25edeeb4c0c"),
    (
        "postgres/0014_feedback.sql",
        "2519263e89a64da7910abae23c6a716e07aad1101e33d901d27cba0a12a0631a",
    ),
    (
        "postgres/0015_transfers.sql",
        "ecf854690d3a8cc8da6c53373906808dcaeffe3441c8495d3c343bca2faa488e",
    ),
    ("sqlite/0001_store.sql", "fe66403516a792c187e8dfaa388c7b081c27077c24c0fe8af5f0b0501b42edd9"),
    ("sqlite/0002_access.sql", "f61af39934aebca5437a64ba9989a25da70e333974a9635f1981f18ee4d7eb95"),
    ("sqlite/0003_erasure.sql", "1dab97312c6ed71486f14657271910acc756fbd12283d0437814ec780ce1f33e"),
    ("sqlite/0004_restore.sql", "674c8bdb4311c9320809d85491a3e3e27899754b5b9b2e01083730b8bafce9ae"),
    ("sqlite/0005_nodes.sql", "b3c68fcbf8f96e4b9a85edd9a8ff6655ab983a1a669e7d0ec324a9514f94d132"),
    ("sqlite/0006_lanes.sql", "a7211d1546b80adab103b94a77b87f0131ea219b7eaae70aa08a4d58ef6fed80"),
    (
        "sqlite/0007_standing_indexes.sql",
        "b7db5973c16dff1879a15f305896363a7d431e3580944a1524562ca0b75e6f91",
    ),
    (
        "sqlite/0008_ledger_in_order.sql",
        "26a3e02f84ddd4d2fe5c544cf5ff49200a077204c489bc37f43e94c1a41e9107",
    ),
    ("sqlite/0009_caps.sql", "95e0853514cc876b9b3bce427cdbbe8eb6f181827966075813072a959413ba3d"),
    ("sqlite/0010_cadence.sql", "3912b37a823a484438cd4e82cb6311ddd522c901b35e8301f41328ee14ec8d7c"),
    (
        "sqlite/0011_engagements.sql",
        "813f3a6b550988ea1ff0dc024e5f4e5f2e847f1154a77a0d6e1663e5dfdc7e55",
    ),
    ("sqlite/0012_owners.sql", "ebbfe580361faa9510a357070ba02b4fef1b37de972f95ef73b50eb0e75a30d9"),
    ("sqlite/0013_skips.sql", "eee15e13bed2476ae58c311c12eb8f6623f57575789651636f3a0dfb5ab52e96"),
    (
        "sqlite/0014_feedback.sql",
        "a19a38c223535b615f571b3819d22386c3548a3086aa6a966f8ec8c489456d50",
    ),
    (
        "sqlite/0015_transfers.sql",
        "af020f0bbf7cee6c790f37211734f3b2ae71f1060425705473dafae03feddaf0",
    ),
];

fn sources(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path, extensions));
        } else if path.extension().is_some_and(|one| extensions.iter().any(|want| one == *want)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix("src").unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for path in sources(Path::new("src"), &["rs"]) {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let own = layer_of(&module).unwrap_or_else(|| panic!("{module} belongs to no layer"));
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for used in line.split("crate::").skip(1) {
                let end = used.find(|one: char| !one.is_alphanumeric() && one != '_');
                let used = &used[..end.unwrap_or(used.len())];
                let is_allowed = used == module || layer_of(used).is_none_or(|row| row < own);
                if !is_allowed {
                    let place = format!("{}:{}", path.display(), number + 1);
                    wrong.push(format!("{place}: {module} imports {used}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let mut files = vec![PathBuf::from("build.rs")];
    for folder in ["src", "tests", "benches", "proto", "migrations"] {
        files.extend(sources(Path::new(folder), &["rs", "sql", "proto", "py"]));
    }
    for path in files {
        let count = fs::read_to_string(&path).unwrap().lines().count();
        assert!(count <= LINE_COUNT_MAX, "{} has {count} lines", path.display());
    }
}

#[test]
fn no_function_is_too_long() {
    for folder in ["src", "tests", "benches"] {
        for path in sources(Path::new(folder), &["rs"]) {
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            for (start, line) in lines.iter().enumerate() {
                let indent = line.len() - line.trim_start().len();
                let is_function =
                    ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(super) fn "]
                        .iter()
                        .any(|head| line.trim_start().starts_with(head));
                if !is_function || line.trim_end().ends_with('}') || line.trim_end().ends_with(';')
                {
                    continue;
                }
                let close = format!("{}}}", " ".repeat(indent));
                let length = lines[start..].iter().position(|line| **line == close).unwrap_or(0);
                let place = format!("{}:{}", path.display(), start + 1);
                assert!(length <= FUNCTION_LINE_COUNT_MAX, "{place} begins {length} lines");
            }
        }
    }
}

#[test]
fn the_top_level_holds_what_it_should_and_nothing_else() {
    let listed = Command::new("git").args(["ls-files"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let top: BTreeSet<&str> = listed
        .lines()
        .map(|path| path.split('/').next().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    assert_eq!(top.into_iter().collect::<Vec<_>>(), TOP_LEVEL);
}

#[test]
fn only_the_clock_reads_the_clock() {
    for path in sources(Path::new("src"), &["rs"]) {
        if path == Path::new("src/clock.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for word in ["SystemTime::now", "Timestamp::now", "Zoned::now", "Utc::now"] {
            assert!(!text.contains(word), "{} reads the clock: {word}", path.display());
        }
    }
}

#[test]
fn every_failpoint_is_listed_once_and_reached() {
    let mut reached = BTreeSet::new();
    for path in sources(Path::new("src"), &["rs"]) {
        let text = fs::read_to_string(&path).unwrap();
        for call in text.split("failpoint::reach(").skip(1) {
            let name = call.strip_prefix('"').and_then(|rest| rest.split_once('"'));
            let name = name.unwrap_or_else(|| panic!("{} reaches no literal", path.display()));
            reached.insert(name.0.to_owned());
        }
    }
    assert_eq!(reached.iter().collect::<Vec<_>>(), failpoint::NAMES);
}

#[test]
fn a_merged_migration_stays_as_it_is() {
    let mut names = BTreeSet::new();
    for path in sources(Path::new("migrations"), &["sql"]) {
        let name = path.strip_prefix("migrations").unwrap().to_str().unwrap().to_owned();
        let digest = Sha256::digest(fs::read(&path).unwrap());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let known = MIGRATIONS.iter().find(|(known, _)| *known == name).map(|(_, known)| *known);
        assert_eq!(known, Some(digest.as_str()), "{name}");
        names.insert(name);
    }
    assert_eq!(names.len(), MIGRATIONS.len(), "a migration is gone");
}

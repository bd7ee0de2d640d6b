//! Where an import has come to, in a file beside its input, so that it can go on after whatever
//! ended it. It names the input and the mapping by their digests: another file, or another way to
//! read it, is never gone on with.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::tally::Tally;

/// What the file is, for later versions of this program.
const VERSION: u32 = 1;
const READ_BYTES: usize = 256 * 1024;

/// How far an import has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    version: u32,
    input_sha256: String,
    mapping_sha256: String,
    /// The rows that are done with: the first ones of the file.
    answered_rows: i64,
    pub(super) tally: Tally,
    rejects_file: String,
    /// How much of the rejects file belongs to them, in bytes.
    pub(super) rejects_length: u64,
}

/// The file that says how far an import has come.
pub(super) struct Bookmark {
    path: PathBuf,
    input: PathBuf,
    input_sha256: String,
    mapping_sha256: String,
    rejects_file: String,
}

impl Bookmark {
    /// The file beside an input: `leads.csv` has `leads.csv.import-progress`.
    pub(super) fn beside(input: &Path) -> PathBuf {
        let mut name = OsString::from(input);
        name.push(".import-progress");
        name.into()
    }

    /// A bookmark for an input that is read by a mapping. Reads the input once.
    pub(super) fn new(
        path: PathBuf,
        input: &Path,
        mapping: &str,
        rejects: &Path,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            path,
            input: input.to_owned(),
            input_sha256: digest_of(input)?,
            mapping_sha256: hex(&Sha256::digest(mapping)),
            rejects_file: rejects.display().to_string(),
        })
    }

    /// Its file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether an earlier import left one.
    pub(super) fn is_there(&self) -> bool {
        self.path.exists()
    }

    /// How far an earlier import came; `None` if there was none. Fails if it was one of another input
    /// or another mapping.
    pub(super) fn read(&self) -> anyhow::Result<Option<Mark>> {
        let path = self.path.display();
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
        };
        let mark: Mark = serde_json::from_str(&text)
            .with_context(|| format!("{path} is no import's progress; delete it to begin anew"))?;
        ensure!(mark.version == VERSION, "{path} is of another version of nextlead");
        let input = self.input.display();
        if mark.input_sha256 != self.input_sha256 {
            bail!(
                "{input} has changed since its import was begun; delete {path} and import it from \
                 the start: rows that had arrived are unchanged"
            );
        }
        if mark.mapping_sha256 != self.mapping_sha256 {
            bail!(
                "the import of {input} was begun with another mapping, other flags or other rules; \
                 delete {path} and import it from the start: rows that had arrived are unchanged"
            );
        }
        let is_whole = mark.answered_rows == mark.tally.total();
        ensure!(is_whole, "{path} does not add up; delete it to begin anew");
        ensure!(
            mark.rejects_length == 0 || mark.rejects_file == self.rejects_file,
            "the rejected rows of this import are in {}; name it with --rejects",
            mark.rejects_file
        );
        Ok(Some(mark))
    }

    /// Checks that the input is still the one that it was.
    pub(super) fn check_input(&self) -> anyhow::Result<()> {
        let is_same = digest_of(&self.input)? == self.input_sha256;
        ensure!(is_same, "{} has changed while it was imported", self.input.display());
        Ok(())
    }

    /// Notes how far the import has come. The file is replaced as a whole, so a kill leaves the old
    /// one or the new one.
    pub(super) fn save(&self, tally: &Tally, rejects_length: u64) -> anyhow::Result<()> {
        let mark = Mark {
            version: VERSION,
            input_sha256: self.input_sha256.clone(),
            mapping_sha256: self.mapping_sha256.clone(),
            answered_rows: tally.total(),
            tally: *tally,
            rejects_file: self.rejects_file.clone(),
            rejects_length,
        };
        let mut draft = self.path.as_os_str().to_owned();
        draft.push(".new");
        let text = serde_json::to_string_pretty(&mark).expect("counts and texts are JSON");
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &self.path))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Forgets it: the import is done.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}

fn digest_of(input: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read {}", input.display());
    let mut file = File::open(input).with_context(cannot)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer).with_context(cannot)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(&buffer[..length]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_for_the_same_input_and_mapping_alone() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("leads.csv");
        fs::write(&input, "a\n1\n").unwrap();
        let rejects = folder.path().join("rejects.csv");
        let bookmark = |mapping: &str| {
            Bookmark::new(Bookmark::beside(&input), &input, mapping, &rejects).unwrap()
        };
        let first = bookmark("one");
        assert_eq!(first.read().unwrap(), None);
        let tally = Tally { opened: 3, rejected: 2, ..Tally::default() };
        first.save(&tally, 17).unwrap();
        let mark = bookmark("one").read().unwrap().unwrap();
        assert_eq!((mark.tally, mark.rejects_length, mark.answered_rows), (tally, 17, 5));
        let problem = bookmark("two").read().unwrap_err().to_string();
        assert!(problem.contains("another mapping"), "{problem}");
        let elsewhere = folder.path().join("other.csv");
        let other = Bookmark::new(Bookmark::beside(&input), &input, "one", &elsewhere).unwrap();
        assert!(other.read().unwrap_err().to_string().contains("--rejects"));

        fs::write(&input, "a\n2\n").unwrap();
        let problem = bookmark("one").read().unwrap_err().to_string();
        assert!(problem.contains("has changed since"), "{problem}");
        assert!(first.check_input().is_err());
        first.remove().unwrap();
        first.remove().unwrap();
        assert!(!first.is_there());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_damaged_mark_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("leads.csv");
        fs::write(&input, "a\n").unwrap();
        let path = Bookmark::beside(&input);
        let bookmark = Bookmark::new(path.clone(), &input, "", Path::new("r")).unwrap();
        bookmark.save(&Tally { opened: 3, ..Tally::default() }, 0).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert!(bookmark.read().is_err());
        fs::write(&path, text.replace("\"answered_rows\": 3", "\"answered_rows\": 4")).unwrap();
        assert!(bookmark.read().unwrap_err().to_string().contains("does not add up"));
    }
}

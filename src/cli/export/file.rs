//! Where an export goes: standard output, or a file that appears whole or not at all. Leads are
//! personal data, so the file is readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Stdout, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;

/// What an export is written to.
pub(super) struct OutFile {
    to: Option<To>,
    draft: Option<Draft>,
}

enum To {
    Stdout(BufWriter<Stdout>),
    Plain(BufWriter<File>),
    Packed(GzEncoder<BufWriter<File>>),
}

/// A file that is being written beside its place; gone unless it is finished.
struct Draft {
    path: PathBuf,
    place: PathBuf,
    is_finished: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_finished {
            // What made the export fail is said; that a draft could not be removed helps nobody.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl OutFile {
    /// Begins; `None` is standard output.
    pub(super) fn create(place: Option<&Path>) -> anyhow::Result<Self> {
        let Some(place) = place else {
            return Ok(Self { to: Some(To::Stdout(BufWriter::new(io::stdout()))), draft: None });
        };
        let mut name = place.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let problem = || format!("cannot write {}", path.display());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(problem);
            }
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = BufWriter::new(file.with_context(problem)?);
        let is_packed = place.extension().is_some_and(|one| one.eq_ignore_ascii_case("gz"));
        let to = match is_packed {
            true => To::Packed(GzEncoder::new(file, Compression::default())),
            false => To::Plain(file),
        };
        let draft = Draft { path, place: place.to_owned(), is_finished: false };
        Ok(Self { to: Some(to), draft: Some(draft) })
    }

    /// What to say when it cannot be written.
    pub(super) fn problem(&self) -> String {
        match &self.draft {
            Some(draft) => format!("cannot write {}", draft.place.display()),
            None => "cannot write to standard output".to_owned(),
        }
    }

    /// Ends: the file is on the disk and in its place. `None` for standard output.
    pub(super) fn finish(mut self) -> anyhow::Result<Option<PathBuf>> {
        let file = match self.to.take().expect("it is taken once") {
            To::Stdout(mut stdout) => {
                return match stdout.flush() {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
                    _ => Ok(None),
                };
            }
            To::Plain(file) => file,
            To::Packed(packed) => packed.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        let mut draft = self.draft.take().expect("a file has a draft");
        fs::rename(&draft.path, &draft.place)?;
        draft.is_finished = true;
        Ok(Some(draft.place.clone()))
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.to.as_mut().expect("it is written before it is finished") {
            To::Stdout(to) => to.write(bytes),
            To::Plain(to) => to.write(bytes),
            To::Packed(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.to.as_mut().expect("it is flushed before it is finished") {
            To::Stdout(to) => to.flush(),
            To::Plain(to) => to.flush(),
            To::Packed(to) => to.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("leads.csv");
        fs::write(&place, "old").unwrap();
        let mut file = OutFile::create(Some(&place)).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&place).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        let mut file = OutFile::create(Some(&place)).unwrap();
        file.write_all(b"whole").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "old");
        assert_eq!(file.finish().unwrap().as_deref(), Some(place.as_path()));
        assert_eq!(fs::read_to_string(&place).unwrap(), "whole");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_name_that_ends_in_gz_is_packed() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("leads.csv.gz");
        let mut file = OutFile::create(Some(&place)).unwrap();
        file.write_all(b"rows").unwrap();
        file.finish().unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(&place).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "rows");
    }
}

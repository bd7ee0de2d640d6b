//! The file of what was not taken: row, line, reason, then the row as it stood. Corrected, it can be
//! imported as it is: the columns that it adds are known by their names and ignored.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Seek as _, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::rows::Original;
use crate::api::proto::RowRejection;

/// What the file adds before a row's own cells.
const ADDED: [&str; 3] = ["rejected_row", "rejected_line", "rejected_reason"];

/// Where rejected rows go. The file is made with the first of them: none, no file.
pub(super) struct Rejects {
    path: PathBuf,
    header: Vec<String>,
    writer: Option<csv::Writer<File>>,
}

/// A new file for its owner's eyes alone, in place of whatever was there: it holds whole leads.
fn private(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

impl Rejects {
    pub(super) fn new(path: PathBuf, header: Vec<String>) -> Self {
        Self { path, header, writer: None }
    }

    /// None yet.
    pub(super) fn none() -> Self {
        Self::new(PathBuf::new(), Vec::new())
    }

    /// Goes on behind the first `length` bytes of a file that an import left, and drops what stands
    /// behind them: those rows come again.
    pub(super) fn again(path: PathBuf, header: Vec<String>, length: u64) -> anyhow::Result<Self> {
        let mut rejects = Self::new(path, header);
        if length > 0 {
            let cannot = || format!("cannot go on writing {}", rejects.path.display());
            let file = OpenOptions::new().write(true).open(&rejects.path).with_context(cannot)?;
            let there = file.metadata().with_context(cannot)?.len();
            ensure!(
                there >= length,
                "{} was cut; import again from the start",
                rejects.path.display()
            );
            file.set_len(length).with_context(cannot)?;
            rejects.writer = Some(Self::writer(file, SeekFrom::End(0)).with_context(cannot)?);
        }
        Ok(rejects)
    }

    fn writer(mut file: File, from: SeekFrom) -> std::io::Result<csv::Writer<File>> {
        file.seek(from)?;
        Ok(csv::WriterBuilder::new().flexible(true).from_writer(file))
    }

    /// The file, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        self.writer.as_ref().map(|_| self.path.as_path())
    }

    /// Adds a row.
    pub(super) fn add(&mut self, original: &Original, reason: &str) -> anyhow::Result<()> {
        self.write(original, reason)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn write(&mut self, original: &Original, reason: &str) -> csv::Result<()> {
        let is_own =
            |nth: usize| self.header.get(nth).is_none_or(|name| !ADDED.contains(&name.as_str()));
        if self.writer.is_none() {
            let mut writer = Self::writer(private(&self.path)?, SeekFrom::Start(0))?;
            let own = self.header.iter().enumerate().filter(|(nth, _)| is_own(*nth));
            writer.write_record(ADDED.into_iter().chain(own.map(|(_, name)| name.as_str())))?;
            self.writer = Some(writer);
        }
        let (row, line) = (original.number.to_string(), original.line.to_string());
        let added = [row.as_bytes(), line.as_bytes(), reason.as_bytes()];
        let own = original.cells.iter().enumerate().filter(|(nth, _)| is_own(*nth));
        let record: Vec<&[u8]> = added.into_iter().chain(own.map(|(_, cell)| cell)).collect();
        let writer = self.writer.as_mut().expect("it was made above");
        writer.write_record(record)
    }

    /// Writes out what is still in memory; gives the length of the file, 0 if there is none.
    pub(super) fn flush(&mut self) -> anyhow::Result<u64> {
        let Some(writer) = &mut self.writer else { return Ok(0) };
        let flushed = writer.flush().and_then(|()| Ok(writer.get_ref().metadata()?.len()));
        flushed.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Why the node rejected a row, in a line.
pub(super) fn reason_text(rejection: &RowRejection) -> String {
    let problems = rejection.problems.iter();
    let problems: Vec<_> =
        problems.map(|one| format!("{}: {}", one.field, one.description)).collect();
    match problems.is_empty() {
        true => rejection.reason.clone(),
        false => format!("{}: {}", rejection.reason, problems.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use csv::ByteRecord;

    use super::*;
    use crate::api::proto::FieldProblem;

    #[test]
    fn rejected_rows_keep_their_text_and_say_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leads.csv.rejected.csv");
        let header = ["rejected_reason", "name", "phone"].map(str::to_owned).to_vec();
        let mut rejects = Rejects::new(path.clone(), header);
        assert!(rejects.path().is_none());
        let cells = ByteRecord::from(vec!["was bad", "Ann, B", "\"x\""]);
        let original = Original { number: 7, line: 9, cells };
        rejects.add(&original, "FIELD_INVALID: lead.numbers[0].number: must be E.164").unwrap();
        rejects.flush().unwrap();
        assert_eq!(rejects.path(), Some(path.as_path()));
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "rejected_row,rejected_line,rejected_reason,name,phone\n\
             7,9,FIELD_INVALID: lead.numbers[0].number: must be E.164,\"Ann, B\",\"\"\"x\"\"\"\n"
        );
    }

    #[test]
    fn a_file_that_is_gone_on_with_drops_what_was_not_accounted_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejected.csv");
        let header = vec!["name".to_owned()];
        let row = |number: i64| Original { number, line: 1, cells: ByteRecord::from(vec!["x"]) };
        let mut rejects = Rejects::new(path.clone(), header.clone());
        rejects.add(&row(1), "bad").unwrap();
        let length = rejects.flush().unwrap();
        rejects.add(&row(2), "bad").unwrap();
        assert!(rejects.flush().unwrap() > length);

        let mut rejects = Rejects::again(path.clone(), header.clone(), length).unwrap();
        rejects.add(&row(3), "bad").unwrap();
        let longer = rejects.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let rows: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(rows, ["1,1,bad,x", "3,1,bad,x"]);
        assert!(Rejects::again(path, header, longer + 1).is_err());
    }

    #[test]
    fn a_rejection_names_its_fields() {
        let problem = |field: &str| FieldProblem { field: field.into(), description: "bad".into() };
        let rejection = RowRejection {
            reason: "FIELD_INVALID".into(),
            problems: vec![problem("lead.name"), problem("lead.score")],
        };
        assert_eq!(reason_text(&rejection), "FIELD_INVALID: lead.name: bad; lead.score: bad");
        let rejection = RowRejection { reason: "CAMPAIGN_NOT_FOUND".into(), problems: Vec::new() };
        assert_eq!(reason_text(&rejection), "CAMPAIGN_NOT_FOUND");
    }
}

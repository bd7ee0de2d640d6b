//! The flags of `import`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use encoding_rs::Encoding;

use super::encoding::read_encoding;
use super::field::Field;
use super::mapping::{self, Mapping};
use super::plan::{Flags, Plan, read_map, read_set};
use super::resume::Bookmark;
use super::source::{Format, Stated, read_delimiter};

/// Hand a file of leads over: CSV or NDJSON, plain or gzip
#[derive(Debug, Args)]
#[command(after_help = "\
Columns become the fields of their names: external_id, name, company, email, phone (or number,
numbers), time_zone, source, channel, trigger, stage, score, country, region, language, skills,
engagements, owner_rep_id, handed_over_time; campaign_id and source_system where no flag says them. Every other
column becomes an attribute under its own name. A cell may hold several numbers or skills, apart
by , ; or |. An empty cell was not given. An instant without an offset is taken as UTC.

The type of an attribute is what the queue's rules declare, if the token may read them; else what
all cells of the first 10,000 rows look like: bool, int or double where the text would come back
the same, else string, so leading zeros and long numbers stay. A later cell that does not fit
stays a text and is counted. On a terminal the types are shown and confirmed (--yes: not asked).
--dry-run shows them, has the node check every row, and stores nothing. --write-mapping writes
down all that an import goes by; with --mapping the next one goes by exactly that:

  campaign = \"spring\"
  [columns]
  lead_id = \"external_id\"
  mobile  = \"numbers\"
  plz     = \"attributes.postcode:string\"
  notes   = \"-\"
  place   = { split = \"/\", into = [\"region\", \"country\"] }
  optin   = { field = \"attributes.optin:bool\", values = { Ja = true, Nein = false } }
  created = { field = \"handed_over_time\", format = \"%d.%m.%Y %H:%M\", zone = \"Europe/Berlin\" }
  [constants]
  channel = \"fair\"

Rows that are rejected, here or by the node, go to FILE.rejected.csv with their row, line and
reason; corrected, that file can be imported as it is. They are no failure, the exit code is 0,
unless every row was rejected. A lost connection is tried again for half a minute. How far an
import has come stands in FILE.import-progress until it is done: --resume goes on from there.
Importing a file again from the start is safe, too: rows that had arrived are unchanged.

Examples:
  nextlead import leads.csv.gz --campaign spring --source-system crm --id-column lead_id \\
      --map mobile=phone --set time_zone=Europe/Berlin --dry-run
  nextlead import leads.csv --mapping crm.toml
  nextlead import leads.ndjson --campaign spring --source-system crm --resume")]
pub(in crate::cli) struct ImportArgs {
    /// The file; - is standard input
    pub(super) file: PathBuf,
    /// The campaign that the leads belong to; it must exist [default: a mapping's, or a column's]
    #[arg(long, value_name = "CAMPAIGN")]
    campaign: Option<String>,
    /// The system that hands them over: with the external id and the campaign, it tells leads apart
    /// [default: a mapping's, or a column's]
    #[arg(long, value_name = "SYSTEM")]
    source_system: Option<String>,
    /// A file that says which column becomes what; flags go before it
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// The column with the external id; # takes the rows' numbers [default: external_id]
    #[arg(long, value_name = "COLUMN")]
    id_column: Option<String>,
    /// What a column becomes: a field, attributes.NAME[:bool|int|double|string], or - for nothing
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = read_map)]
    map: Vec<(String, Field)>,
    /// A value for every row whose own cell is empty or absent
    #[arg(long, value_name = "FIELD=VALUE", value_parser = read_set)]
    set: Vec<(Field, String)>,
    /// What is between the cells [default: the one of , ; and tab that the header uses]
    #[arg(long, value_name = "CHARACTER", value_parser = read_delimiter)]
    delimiter: Option<u8>,
    /// How text is encoded: utf-8, windows-1252, latin1, utf-16le… [default: told by the file]
    #[arg(long, value_name = "ENCODING", value_parser = read_encoding)]
    encoding: Option<&'static Encoding>,
    /// How the rows are written [default: told by the first line]
    #[arg(long)]
    format: Option<Format>,
    /// Where rejected rows go [default: FILE.rejected.csv]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Show what would happen; the node checks every row and stores nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write down what the import goes by, inferred types included, as a mapping
    #[arg(long, value_name = "FILE")]
    pub(super) write_mapping: Option<PathBuf>,
    /// Do not ask whether inferred types are right
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Go on behind the last row that an earlier import of this file had answered
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) resume: bool,
    /// Where to keep how far the import has come [default: FILE.import-progress]
    #[arg(long, value_name = "FILE")]
    resume_file: Option<PathBuf>,
}

impl ImportArgs {
    /// The mapping file, read; an empty mapping if none is named.
    pub(super) fn mapping(&self) -> anyhow::Result<Mapping> {
        let Some(path) = &self.mapping else { return Ok(Mapping::default()) };
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        mapping::read(&text).map_err(|mistakes| anyhow::anyhow!("{name} has mistakes\n{mistakes}"))
    }

    /// Whether a mapping says what columns become.
    pub(super) fn has_mapping(&self) -> bool {
        self.mapping.is_some()
    }

    /// What flags and mapping say about how the file is written.
    pub(super) fn stated(&self, mapping: &Mapping) -> Stated {
        Stated {
            format: self.format.or(mapping.format),
            delimiter: self.delimiter.or(mapping.delimiter),
            encoding: self.encoding.or(mapping.encoding),
        }
    }

    /// What flags and mapping say together.
    pub(super) fn plan(&self, mapping: Mapping) -> Plan {
        let flags = Flags {
            campaign_id: self.campaign.clone(),
            source_system: self.source_system.clone(),
            id_column: self.id_column.clone(),
            maps: self.map.clone(),
            sets: self.set.clone(),
        };
        let file = self.mapping.as_ref().map(|path| path.display().to_string());
        Plan::of(flags, mapping, file.unwrap_or_default())
    }

    /// Whether the rows come from standard input, or from what cannot be read twice.
    pub(super) fn is_stream(&self) -> bool {
        self.file == Path::new("-") || !std::fs::metadata(&self.file).is_ok_and(|it| it.is_file())
    }

    pub(super) fn rejects_path(&self) -> PathBuf {
        self.rejects.clone().unwrap_or_else(|| {
            let is_input = self.file == Path::new("-");
            let mut name = if is_input { "import".into() } else { OsString::from(&self.file) };
            name.push(".rejected.csv");
            name.into()
        })
    }

    pub(super) fn bookmark_path(&self) -> PathBuf {
        self.resume_file.clone().unwrap_or_else(|| Bookmark::beside(&self.file))
    }
}

//! Opens what is imported: plain or gzip by its first bytes, in the encoding that they tell, CSV or
//! NDJSON, with the delimiter that its header line uses.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use encoding_rs::Encoding;
use flate2::bufread::MultiGzDecoder;

use super::encoding::{decoded, detect};

const BUFFER_BYTES: usize = 256 * 1024;
/// How much of a header line is looked at.
const HEADER_BYTES_MAX: u64 = 1024 * 1024;
/// How much of a text is looked at to tell its encoding.
const ENCODING_BYTES: u64 = 256 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How the rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    /// A header line, then a row a line
    Csv,
    /// A JSON object a line
    Ndjson,
}

/// What is imported, decompressed.
pub(in crate::cli) struct Source {
    pub(in crate::cli) text: Box<dyn BufRead + Send>,
    pub(in crate::cli) format: Format,
    pub(in crate::cli) delimiter: u8,
    pub(in crate::cli) encoding: &'static Encoding,
    /// Bytes of the file that were read so far.
    pub(in crate::cli) read_bytes: Arc<AtomicU64>,
    /// The length of the file; `None` for standard input.
    pub(in crate::cli) length: Option<u64>,
}

/// What is stated about how a source is written.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Stated {
    pub(in crate::cli) format: Option<Format>,
    pub(in crate::cli) delimiter: Option<u8>,
    pub(in crate::cli) encoding: Option<&'static Encoding>,
}

/// Opens a file; `-` is standard input. What is not stated is found out from how it begins.
pub(in crate::cli) fn open(path: &Path, stated: Stated) -> anyhow::Result<Source> {
    let read_bytes = Arc::new(AtomicU64::new(0));
    let (raw, length): (Box<dyn Read + Send>, _) = if path == Path::new("-") {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let length = file.metadata().map(|metadata| metadata.len()).ok();
        (Box::new(file), length)
    };
    let counted = Counted { inner: raw, read_bytes: Arc::clone(&read_bytes) };
    let cannot_read = || format!("cannot read {}", path.display());
    let mut packed = BufReader::with_capacity(BUFFER_BYTES, counted);
    let is_gzip = packed.fill_buf().with_context(cannot_read)?.starts_with(&GZIP_MAGIC);
    let mut bytes: Box<dyn BufRead + Send> = if is_gzip {
        Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(packed)))
    } else {
        Box::new(packed)
    };

    let mut begin = Vec::new();
    let looked_at = (&mut bytes).take(ENCODING_BYTES).read_to_end(&mut begin);
    // What breaks off further on is told when it is read; its begin may still be rows.
    looked_at
        .or_else(|error| if begin.is_empty() { Err(error) } else { Ok(0) })
        .with_context(cannot_read)?;
    let (detected, mark_length) = detect(&begin);
    begin.drain(..mark_length);
    let encoding = stated.encoding.unwrap_or(detected);
    let mut text = decoded(Box::new(Cursor::new(begin).chain(bytes)), encoding);

    let mut first = Vec::new();
    (&mut text).take(HEADER_BYTES_MAX).read_until(b'\n', &mut first).with_context(cannot_read)?;
    Ok(Source {
        format: stated.format.unwrap_or_else(|| format_of(&first)),
        delimiter: stated.delimiter.unwrap_or_else(|| delimiter_of(&first)),
        encoding,
        text: Box::new(Cursor::new(first).chain(text)),
        read_bytes,
        length,
    })
}

fn format_of(first_line: &[u8]) -> Format {
    let begins_object = first_line.trim_ascii_start().starts_with(b"{");
    if begins_object { Format::Ndjson } else { Format::Csv }
}

/// The delimiter that stands most often in a header line outside quotes; a comma if none does.
fn delimiter_of(header: &[u8]) -> u8 {
    let mut counts = [(b',', 0_u32), (b';', 0), (b'\t', 0)];
    let mut is_quoted = false;
    for &byte in header {
        if byte == b'"' {
            is_quoted = !is_quoted;
        } else if !is_quoted && let Some((_, count)) = counts.iter_mut().find(|it| it.0 == byte) {
            *count += 1;
        }
    }
    // The first of the most frequent: a comma before the others.
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    counts.iter().find(|(_, count)| *count == most).map_or(b',', |(delimiter, _)| *delimiter)
}

/// Reads `--delimiter`.
pub(super) fn read_delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" | b"tab" => Ok(b'\t'),
        [one] if one.is_ascii() && !b"\"\r\n".contains(one) => Ok(*one),
        _ => Err("one character, such as , or ; (or tab)".to_owned()),
    }
}

struct Counted {
    inner: Box<dyn Read + Send>,
    read_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read_bytes.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_the_header_uses() {
        for (header, delimiter) in [
            ("name,phone,source", b','),
            ("\"name\";\"phone\"", b';'),
            ("\"last, first\";phone", b';'),
            ("name\tphone, mobile\tsource", b'\t'),
            ("name", b','),
            ("", b','),
        ] {
            assert_eq!(delimiter_of(header.as_bytes()), delimiter, "{header}");
        }
    }

    #[test]
    fn a_delimiter_is_one_character() {
        assert_eq!(read_delimiter(";"), Ok(b';'));
        assert_eq!(read_delimiter("tab"), Ok(b'\t'));
        for text in ["", ";;", "\"", "ä"] {
            assert!(read_delimiter(text).is_err(), "{text}");
        }
    }

    #[test]
    fn packed_or_not_and_csv_or_json_are_told_by_the_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, bytes: &[u8], format, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let mut source = open(&path, Stated::default()).unwrap();
            let mut read = String::new();
            source.text.read_to_string(&mut read).unwrap();
            assert_eq!((read.as_str(), source.format), (text, format), "{name}");
            assert_eq!(source.read_bytes.load(Ordering::Relaxed), bytes.len() as u64);
        };
        check("plain.csv", b"\xef\xbb\xbfa;b\n1;2\n", Format::Csv, "a;b\n1;2\n");
        check(
            "latin.csv",
            b"name;ort\nM\xfcller;K\xf6ln\n",
            Format::Csv,
            "name;ort\nMüller;Köln\n",
        );
        check("lines", b" {\"a\": 1}\n", Format::Ndjson, " {\"a\": 1}\n");
        // Two members in one file are one text: so do `cat a.gz b.gz` and some writers make them.
        let mut packed = Vec::new();
        for part in ["a,b\n", "1,2\n"] {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(part.as_bytes()).unwrap();
            packed.extend(encoder.finish().unwrap());
        }
        check("packed", &packed, Format::Csv, "a,b\n1,2\n");
    }
}

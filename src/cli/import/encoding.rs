//! Other encodings than UTF-8, made UTF-8 on the way. What is no text in its encoding becomes a byte
//! that is none in UTF-8 either, so that its row is rejected and no other: nothing is replaced in
//! silence.

use std::io::{self, BufRead, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How many bytes are decoded at a time.
const DECODED_BYTES: usize = 64 * 1_024;
/// A byte that stands nowhere in UTF-8.
const NO_TEXT: u8 = 0xff;

/// Reads `--encoding`: a name of the WHATWG's list, as browsers know them.
pub(super) fn read_encoding(label: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        "must be an encoding, such as utf-8, windows-1252, latin1, utf-16le or iso-8859-15"
            .to_owned()
    })
}

/// The encoding that a file begins in, and how many bytes say so. Without a mark: UTF-16 if half of
/// the bytes are zeros, UTF-8 if it is valid, else Windows-1252, which every text is valid in.
pub(super) fn detect(begin: &[u8]) -> (&'static Encoding, usize) {
    if let Some(marked) = Encoding::for_bom(begin) {
        return marked;
    }
    let zeros = |from: usize| begin.iter().skip(from).step_by(2).filter(|one| **one == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let many = begin.len() / 4;
    if even.max(odd) > many {
        return (if odd > even { UTF_16LE } else { UTF_16BE }, 0);
    }
    let is_utf_8 = match str::from_utf8(begin) {
        Ok(_) => true,
        // A character may be cut at the end of what is looked at.
        Err(error) => error.error_len().is_none(),
    };
    (if is_utf_8 { UTF_8 } else { WINDOWS_1252 }, 0)
}

/// A text in another encoding, as UTF-8.
pub(super) fn decoded(
    text: Box<dyn BufRead + Send>,
    encoding: &'static Encoding,
) -> Box<dyn BufRead + Send> {
    if encoding == UTF_8 {
        return text;
    }
    let decoder = encoding.new_decoder_without_bom_handling();
    let decoding = Decoding { text, decoder, ready: Vec::new(), taken: 0, is_ended: false };
    Box::new(decoding)
}

struct Decoding {
    text: Box<dyn BufRead + Send>,
    decoder: Decoder,
    ready: Vec<u8>,
    /// How much of what is ready was read.
    taken: usize,
    is_ended: bool,
}

impl Decoding {
    /// Decodes what the source has at hand.
    fn decode(&mut self) -> io::Result<()> {
        // A place more than the decoder is given, for what is no text.
        self.ready.resize(DECODED_BYTES + 1, 0);
        self.taken = 0;
        let mut filled = 0;
        while filled == 0 && !self.is_ended {
            let bytes = self.text.fill_buf()?;
            let is_last = bytes.is_empty();
            let room = &mut self.ready[..DECODED_BYTES];
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(bytes, room, is_last);
            self.text.consume(read);
            filled = written;
            match result {
                DecoderResult::Malformed(..) => {
                    self.ready[filled] = NO_TEXT;
                    filled += 1;
                }
                DecoderResult::InputEmpty => self.is_ended = is_last,
                DecoderResult::OutputFull => {}
            }
        }
        self.ready.truncate(filled);
        Ok(())
    }
}

impl Read for Decoding {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ready = self.fill_buf()?;
        let length = ready.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Decoding {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.ready.len() {
            self.decode()?;
        }
        Ok(&self.ready[self.taken..])
    }

    fn consume(&mut self, length: usize) {
        self.taken = (self.taken + length).min(self.ready.len());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const TEXT: &str = "name;ort\nMüller;Köln €\n";

    fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn windows_1252(text: &str) -> Vec<u8> {
        WINDOWS_1252.encode(text).0.into_owned()
    }

    #[test]
    fn an_encoding_is_told_by_its_mark_or_by_what_it_holds() {
        let marked = |text: &str| format!("\u{feff}{text}");
        for (bytes, encoding, mark_length) in [
            (TEXT.as_bytes().to_vec(), UTF_8, 0),
            (marked(TEXT).into_bytes(), UTF_8, 3),
            (windows_1252(TEXT), WINDOWS_1252, 0),
            (utf_16(&marked(TEXT), u16::to_le_bytes), UTF_16LE, 2),
            (utf_16(&marked(TEXT), u16::to_be_bytes), UTF_16BE, 2),
            (utf_16(TEXT, u16::to_le_bytes), UTF_16LE, 0),
            (utf_16(TEXT, u16::to_be_bytes), UTF_16BE, 0),
            ("Mü".as_bytes()[..2].to_vec(), UTF_8, 0),
            (Vec::new(), UTF_8, 0),
        ] {
            assert_eq!(detect(&bytes), (encoding, mark_length), "{}", encoding.name());
            let text: Box<dyn BufRead + Send> =
                Box::new(Cursor::new(bytes[mark_length..].to_vec()));
            let mut read = Vec::new();
            decoded(text, encoding).read_to_end(&mut read).unwrap();
            if bytes.len() > 4 {
                assert_eq!(str::from_utf8(&read), Ok(TEXT), "{}", encoding.name());
            }
        }
    }

    #[test]
    fn what_is_no_text_is_not_replaced_but_left_to_be_refused() {
        let mut bytes = utf_16("a\n", u16::to_le_bytes);
        bytes.extend(0xd800_u16.to_le_bytes());
        bytes.extend(utf_16("b\nc", u16::to_le_bytes));
        let mut read = Vec::new();
        decoded(Box::new(Cursor::new(bytes)), UTF_16LE).read_to_end(&mut read).unwrap();
        assert_eq!(read, b"a\n\xffb\nc");
    }

    #[test]
    fn long_texts_pass_in_parts() {
        let text = TEXT.repeat(20_000);
        let mut read = String::new();
        let bytes = io::BufReader::with_capacity(7, Cursor::new(windows_1252(&text)));
        decoded(Box::new(bytes), WINDOWS_1252).read_to_string(&mut read).unwrap();
        assert_eq!(read, text);
    }

    #[test]
    fn encodings_have_the_names_that_browsers_know() {
        assert_eq!(read_encoding("Latin1").map(Encoding::name), Ok("windows-1252"));
        assert_eq!(read_encoding("utf-16").map(Encoding::name), Ok("UTF-16LE"));
        assert!(read_encoding("utf-9").is_err());
    }
}

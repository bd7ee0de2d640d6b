//! The base64 of tokens: the alphabet for URLs, without padding, and only as an encoder writes it.
//!
//! A lenient reader takes several texts for the same bytes, so that a token could be changed and still
//! pass. Twenty lines, against a dependency of the name that would do the same.

/// Reads a text; `None` if it holds anything else than what an encoder writes.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits: u32 = 0;
        for digit in group {
            bits = bits << 6 | u32::from(value(*digit)?);
        }
        let byte_count = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        // What is left of the last digit must be empty.
        let spare = group.len() * 6 - byte_count * 8;
        if bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        let bits = bits >> spare;
        bytes.extend((0..byte_count).rev().map(|nth| (bits >> (8 * nth)) as u8));
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

/// Writes bytes.
#[cfg(test)]
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.as_ref().chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        let digit = |nth: usize| char::from(DIGITS[(bits >> (18 - 6 * nth) & 63) as usize]);
        text.extend((0..=group.len()).map(digit));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_encoder_writes_is_read_and_nothing_else() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg", b"f"),
            ("Zm8", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg", b"foob"),
            ("-_-_", &[0xfb, 0xff, 0xbf]),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes), "{text}");
            assert_eq!(encode(bytes), text);
        }
        for text in ["Z", "Zm9vY", "Zg==", "Zh", "Zm9", "+/+/", "Zm 8", "Zm8\n", "Zmö"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}

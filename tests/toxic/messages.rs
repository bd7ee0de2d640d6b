//! As much of PostgreSQL's protocol as it takes to see a commit: where messages begin and end, and
//! which statements are prepared under which name.

use std::collections::HashSet;

/// The rest of a request that was bound: run it, and say that it is whole.
pub(super) const EXECUTE_AND_SYNC: &[u8] = b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04";
/// What a client asks before anything else: may it speak TLS or GSSAPI?
const NEGOTIATIONS: [u32; 2] = [80_877_103, 80_877_104];

/// A message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// It has a transaction committed.
    pub(super) commits: bool,
    /// The server answers once it has got it.
    pub(super) ends_request: bool,
}

impl Message {
    /// Has the transaction taken back that it would commit.
    pub(super) fn turn_into_abort(&mut self) {
        let is_text = matches!(self.bytes.first(), Some(b'Q' | b'P'));
        if let Some(at) = is_text.then(|| find(&self.bytes, b"COMMIT\0")).flatten() {
            self.bytes[at..at + 6].copy_from_slice(b"ABORT ");
        }
    }
}

/// Takes bytes as they come, and gives messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    has_begun: bool,
    /// The prepared statements that commit.
    commits: HashSet<Vec<u8>>,
}

impl Messages {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, if it is there as a whole.
    pub(super) fn next(&mut self) -> Option<Message> {
        // The first ones have no letter before their length.
        let head = usize::from(self.has_begun);
        let number =
            |at: usize| Some(u32::from_be_bytes(self.bytes.get(at..at + 4)?.try_into().ok()?));
        let length = head + usize::try_from(number(head)?).expect("a length fits");
        if self.bytes.len() < length {
            return None;
        }
        if !self.has_begun {
            self.has_begun = number(4).is_none_or(|code| !NEGOTIATIONS.contains(&code));
            let bytes = self.bytes.drain(..length).collect();
            return Some(Message { bytes, commits: false, ends_request: true });
        }
        let bytes: Vec<u8> = self.bytes.drain(..length).collect();
        let mut texts = bytes[5..].split(|byte| *byte == 0);
        let mut text = || texts.next().unwrap_or_default();
        let commits = match bytes[0] {
            b'Q' => commits(text()),
            b'P' => {
                let (name, statement) = (text().to_vec(), text());
                match commits(statement) {
                    true => self.commits.insert(name),
                    false => self.commits.remove(&name),
                };
                false
            }
            // The portal, then the statement.
            b'B' => (text(), self.commits.contains(text())).1,
            _ => false,
        };
        Some(Message { commits, ends_request: matches!(bytes[0], b'Q' | b'S'), bytes })
    }
}

/// Whether a text of SQL ends with a commit.
fn commits(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    let text = text.strip_suffix(b";").unwrap_or(text);
    let last = text.rsplit(|byte| byte.is_ascii_whitespace() || *byte == b';').next();
    last.is_some_and(|last| last.eq_ignore_ascii_case(b"COMMIT"))
}

/// The answer of a server that took back what it was to commit, made to say the opposite.
pub(super) fn say_committed(bytes: &[u8]) -> Vec<u8> {
    const TOOK_BACK: &[u8] = b"C\0\0\0\x0dROLLBACK\0";
    let Some(at) = find(bytes, TOOK_BACK) else { return bytes.to_vec() };
    [&bytes[..at], b"C\0\0\0\x0bCOMMIT\0", &bytes[at + TOOK_BACK.len()..]].concat()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(letter: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[letter], &length[..], body].concat()
    }

    fn begun() -> Messages {
        Messages { has_begun: true, ..Messages::default() }
    }

    #[test]
    fn a_connection_begins_with_messages_that_have_no_letter() {
        let mut messages = Messages::default();
        let ask_for_tls = [&8_u32.to_be_bytes()[..], &NEGOTIATIONS[0].to_be_bytes()].concat();
        let start = [&9_u32.to_be_bytes()[..], &196_608_u32.to_be_bytes(), b"\0"].concat();
        messages.feed(&ask_for_tls);
        assert_eq!(messages.next().unwrap().bytes, ask_for_tls);
        messages.feed(&start[..5]);
        assert_eq!(messages.next(), None);
        messages.feed(&[&start[5..], &message(b'Q', b"COMMIT\0")].concat());
        assert_eq!(messages.next().unwrap().bytes, start);
        assert!(messages.next().unwrap().commits);
    }

    #[test]
    fn a_commit_is_seen_as_a_text_and_as_a_prepared_statement() {
        let cases: [(&[u8], bool); 6] = [
            (b"COMMIT", true),
            (b" commit; ", true),
            (b"UPDATE a SET b = 1; COMMIT", true),
            (b"UPDATE node SET last_commit = 1 RETURNING last_commit", false),
            (b"BEGIN", false),
            (b"", false),
        ];
        for (text, expected) in cases {
            let mut messages = begun();
            messages.feed(&message(b'Q', &[text, b"\0"].concat()));
            assert_eq!(messages.next().unwrap().commits, expected, "{text:?}");
            let parse = [b"s1\0", text, b"\0\0\0"].concat();
            messages.feed(&message(b'P', &parse));
            messages.feed(&message(b'B', b"\0s1\0\0\0"));
            messages.feed(&message(b'S', b""));
            let seen: Vec<_> = std::iter::from_fn(|| messages.next()).collect();
            let seen: Vec<_> = seen.iter().map(|one| (one.commits, one.ends_request)).collect();
            assert_eq!(seen, [(false, false), (expected, false), (false, true)]);
        }
    }

    #[test]
    fn a_lie_has_the_length_of_the_truth() {
        let mut messages = begun();
        messages.feed(&message(b'Q', b"COMMIT\0"));
        let mut commit = messages.next().unwrap();
        commit.turn_into_abort();
        assert_eq!(commit.bytes, message(b'Q', b"ABORT \0"));
        let answer = [message(b'C', b"ROLLBACK\0"), message(b'Z', b"I")].concat();
        let expected = [message(b'C', b"COMMIT\0"), message(b'Z', b"I")].concat();
        assert_eq!(say_committed(&answer), expected);
    }
}

//! Reads what `strace -f -xx -yy` writes: what was received and sent on connections, and what was
//! written to a log of a database and synced there, each with its place in the one order of all.

use std::collections::HashMap;

/// What a call did, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Deed {
    Received,
    Sent,
    Written,
    Synced,
}

/// A system call that succeeded. Begin and end are lines of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) begun: usize,
    pub(super) ended: usize,
    pub(super) deed: Deed,
    /// The file, or the connection with both ends.
    pub(super) target: String,
    pub(super) bytes: Vec<u8>,
}

/// The calls of a trace, in the order in which they began.
pub(super) fn calls(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    // What each thread is at.
    let mut unfinished = HashMap::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, said)) = line.split_once(' ') else { continue };
        let said = said.trim_start();
        if let Some(begin) = said.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, (at, begin));
        } else if said.starts_with("<... ") {
            let Some((begun, begin)) = unfinished.remove(thread) else { continue };
            let end = said.split_once(" resumed>").map_or("", |(_, end)| end);
            calls.extend(call(begun, at, &format!("{begin}{end}")));
        } else {
            calls.extend(call(at, at, said));
        }
    }
    calls.sort_by_key(|call| call.begun);
    calls
}

fn call(begun: usize, ended: usize, said: &str) -> Option<Call> {
    let (name, arguments) = said.split_once('(')?;
    let (arguments, result) = arguments.rsplit_once(" = ")?;
    // What strace answered itself was never done.
    let result = result.trim();
    if result.ends_with("(INJECTED)") {
        return None;
    }
    let result: usize = result.split(' ').next()?.parse().ok()?;
    let target = target(arguments)?;
    let is_log = target.ends_with(".db-wal") || target.contains("/pg_wal/");
    let is_connection = target.starts_with("TCP:");
    let deed = match name {
        "read" | "recvfrom" | "readv" | "recvmsg" if is_connection => Deed::Received,
        "write" | "writev" | "sendto" | "sendmsg" if is_connection => Deed::Sent,
        "write" | "writev" | "pwrite64" | "pwritev" if is_log => Deed::Written,
        "fdatasync" | "fsync" if is_log => Deed::Synced,
        _ => return None,
    };
    let mut bytes = strings(arguments);
    // More was offered than taken, or there was more room than came.
    bytes.truncate(if deed == Deed::Synced { 0 } else { result });
    Some(Call { begun, ended, deed, target, bytes })
}

/// What the first argument stands for: `12<TCP:[…]>`, or `7<\x2f…>`.
fn target(arguments: &str) -> Option<String> {
    let (_, target) = arguments.split_once('<')?;
    if target.starts_with("TCP:[") {
        return Some(target.split_once("]>")?.0.to_owned());
    }
    let path = unescape(target.split_once('>')?.0);
    String::from_utf8(path).ok()
}

/// All strings of the arguments, one after the other.
fn strings(arguments: &str) -> Vec<u8> {
    arguments.split('"').skip(1).step_by(2).flat_map(unescape).collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.wrapping_sub(b'a').wrapping_add(10),
    };
    // Each byte is `\xNN`; whatever else there is, a truncation, is no byte.
    text.as_bytes().chunks_exact(4).map(|hex| digit(hex[2]) << 4 | digit(hex[3])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_whole_or_in_two_halves_and_failures_are_left_out() {
        let trace = r#"7 pwrite64(9<\x2f\x61\x2e\x64\x62\x2d\x77\x61\x6c>, "\x68\x69", 2, 0) = 2
8 recvfrom(5<TCP:[127.0.0.1:1->127.0.0.1:2]>,  <unfinished ...>
7 fdatasync(9<\x2f\x61\x2e\x64\x62\x2d\x77\x61\x6c> <unfinished ...>
8 <... recvfrom resumed>"\x61\x62\x63", 8192, 0, NULL, NULL) = 3
7 <... fdatasync resumed>) = 0
7 fdatasync(9<\x2f\x61\x2e\x64\x62\x2d\x77\x61\x6c>) = 0 (INJECTED)
7 fdatasync(9<\x2f\x61\x2e\x64\x62\x2d\x77\x61\x6c>) = -1 EIO (Input/output error)
7 fdatasync(9<\x2f\x61\x2e\x64\x62>) = 0
8 writev(5<TCP:[127.0.0.1:1->127.0.0.1:2]>, [{iov_base="\x61", iov_len=1}, {iov_base="\x62\x63", iov_len=2}], 2) = 2
8 recvfrom(5<TCP:[127.0.0.1:1->127.0.0.1:2]>, 0x1, 8192, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
7 +++ exited with 0 +++
"#;
        let connection = "TCP:[127.0.0.1:1->127.0.0.1:2";
        let expected = [
            (0, 0, Deed::Written, "/a.db-wal", &b"hi"[..]),
            (1, 3, Deed::Received, connection, b"abc"),
            (2, 4, Deed::Synced, "/a.db-wal", b""),
            (8, 8, Deed::Sent, connection, b"ab"),
        ];
        let expected = expected.map(|(begun, ended, deed, target, bytes)| Call {
            begun,
            ended,
            deed,
            target: target.to_owned(),
            bytes: bytes.to_vec(),
        });
        assert_eq!(calls(trace), expected);
    }
}

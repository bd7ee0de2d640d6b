//! Finds each request and its answer among the system calls of a node, by the frames of HTTP/2, and
//! says which answers no sync stands before.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::strace::{Call, Deed};

/// What a connection of HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// The frames of one direction of a connection, as they come.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    /// Where the call began that brought the first of the bytes.
    since: usize,
    has_begun: bool,
}

/// Where a frame began to be sent, its kind, its stream, and what it holds.
type Frame = (usize, u8, u32, Vec<u8>);

impl Frames {
    fn feed(&mut self, call: &Call) -> Vec<Frame> {
        if self.bytes.is_empty() {
            self.since = call.begun;
        }
        self.bytes.extend_from_slice(&call.bytes);
        if !self.has_begun && self.bytes.starts_with(PREFACE) {
            self.bytes.drain(..PREFACE.len());
        }
        let mut frames = Vec::new();
        while let Some(head) = self.bytes.first_chunk::<9>() {
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let (kind, stream) =
                (head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
            if self.bytes.len() < 9 + length {
                break;
            }
            self.has_begun = true;
            frames.push((self.since, kind, stream, self.bytes[9..9 + length].to_vec()));
            self.bytes.drain(..9 + length);
            self.since = call.begun;
        }
        frames
    }
}

/// When a request had been received, and when its answer began to be sent.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    received: usize,
    answered: usize,
}

/// The requests that hold one of the ids, and their answers.
fn exchanges(calls: &[Call], ids: &[String]) -> BTreeMap<String, Exchange> {
    let mut frames: HashMap<(&str, Deed), Frames> = HashMap::new();
    let mut asked: HashMap<(&str, u32), (Vec<u8>, usize)> = HashMap::new();
    let mut answered = HashMap::new();
    for call in calls.iter().filter(|call| matches!(call.deed, Deed::Received | Deed::Sent)) {
        let target = call.target.as_str();
        for (begun, kind, stream, held) in frames.entry((target, call.deed)).or_default().feed(call)
        {
            match (call.deed, kind) {
                (Deed::Received, DATA) => {
                    let (bytes, received) = asked.entry((target, stream)).or_default();
                    bytes.extend(held);
                    *received = call.ended;
                }
                // An answer that has no body ends with its first headers.
                (Deed::Sent, HEADERS) => {
                    answered.entry((target, stream)).or_insert(begun);
                }
                _ => {}
            }
        }
    }
    let mut exchanges = BTreeMap::new();
    for (key, (bytes, received)) in asked {
        let Some(answered) = answered.get(&key).copied() else { continue };
        for id in ids.iter().filter(|id| holds(&bytes, id)) {
            exchanges.insert(id.clone(), Exchange { received, answered });
        }
    }
    exchanges
}

/// What is wrong with the requests of these ids. Each id is to be written to a log after the request
/// was received, and that log synced after that, before the first byte of the answer is sent.
pub(super) fn unsynced(calls: &[Call], ids: &[String]) -> Vec<String> {
    let exchanges = exchanges(calls, ids);
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (id, Exchange { received, answered }) in &exchanges {
        seen.insert(id);
        let written = calls.iter().find(|call| {
            call.deed == Deed::Written && call.begun > *received && holds(&call.bytes, id)
        });
        let Some(written) = written.filter(|written| written.ended < *answered) else {
            found.push(format!("{id} was answered before it was written"));
            continue;
        };
        let is_synced = calls.iter().any(|call| {
            call.deed == Deed::Synced
                && call.target == written.target
                && call.begun > written.ended
                && call.ended < *answered
        });
        if !is_synced {
            found.push(format!("{id} was answered before it was synced"));
        }
    }
    found.extend(ids.iter().filter(|id| !seen.contains(id)).map(|id| format!("{id} is not there")));
    found
}

/// Whether the id is among the bytes, and not the beginning of a longer one.
fn holds(bytes: &[u8], id: &str) -> bool {
    let id = id.as_bytes();
    let mut at = 0;
    while let Some(first) = bytes[at..].iter().position(|byte| *byte == id[0]) {
        at += first;
        let rest = &bytes[at..];
        if rest.starts_with(id) && rest.get(id.len()).is_none_or(|next| !next.is_ascii_digit()) {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTION: &str = "TCP:[127.0.0.1:1->127.0.0.1:2";
    const LOG: &str = "/a.db-wal";

    fn frame(kind: u8, held: &[u8]) -> Vec<u8> {
        let length = u8::try_from(held.len()).unwrap();
        [&[0, 0, length, kind, 0, 0, 0, 0, 1], held].concat()
    }

    fn sound() -> Vec<Call> {
        let request = [PREFACE, &frame(HEADERS, b"h"), &frame(DATA, b"..id-1")].concat();
        let (first, second) = request.split_at(40);
        let calls = [
            (Deed::Received, CONNECTION, first.to_vec()),
            (Deed::Received, CONNECTION, second.to_vec()),
            (Deed::Sent, CONNECTION, frame(8, b"more")),
            (Deed::Written, LOG, b"..id-10..".to_vec()),
            (Deed::Written, LOG, b"..id-1..".to_vec()),
            (Deed::Synced, LOG, Vec::new()),
            (Deed::Sent, CONNECTION, frame(HEADERS, b"ok")),
        ];
        let calls = calls.into_iter().enumerate();
        calls
            .map(|(at, (deed, target, bytes))| Call {
                begun: at,
                ended: at,
                deed,
                target: target.to_owned(),
                bytes,
            })
            .collect()
    }

    /// Plants one fault in a sound trace, and sees that it is found and named.
    fn check(plant: impl FnOnce(&mut Vec<Call>), expected: &[&str]) {
        let mut calls = sound();
        plant(&mut calls);
        assert_eq!(unsynced(&calls, &["id-1".to_owned()]), expected);
    }

    #[test]
    fn an_answer_needs_a_write_and_a_sync_of_the_same_log_before_it() {
        check(|_| {}, &[]);
        check(|calls| drop(calls.remove(5)), &["id-1 was answered before it was synced"]);
        check(|calls| calls[5].ended = 7, &["id-1 was answered before it was synced"]);
        // It began before all was written.
        check(|calls| calls[5].begun = 3, &["id-1 was answered before it was synced"]);
        check(|calls| calls[5].target = "b".into(), &["id-1 was answered before it was synced"]);
        check(|calls| drop(calls.remove(4)), &["id-1 was answered before it was written"]);
        check(|calls| calls[4].ended = 8, &["id-1 was answered before it was written"]);
        check(|calls| drop(calls.pop()), &["id-1 is not there"]);
        check(|calls| calls[0].bytes.clear(), &["id-1 is not there"]);
    }
}

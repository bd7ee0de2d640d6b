//! Counts the frames of a connection as they pass, and says when too many of them carry nothing.
//!
//! HTTP/2 lets a client send pings, settings, priorities and window updates for ever, and each costs
//! the server an answer or a search. What a client may send of them is a store that fills by time and
//! by work: a call brings some, an answer brings some (a client confirms what it reads, and many
//! measure the network with a ping at each answer). So a busy client never empties it, and one that
//! only floods does at once. Pure: it is given the bytes and the time, and keeps nothing but counts.

use super::limits::FrameLimits;
use super::tally::Limit;

/// What an HTTP/2 client says first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER_LENGTH: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const FLAG_END_STREAM: u8 = 1;
const FLAG_ACK: u8 = 1;

/// Data of fewer bytes than this is as good as none.
const DATA_LENGTH_MIN: u32 = 16;
/// How many frames that carry nothing a call brings.
const EARNED_BY_CALL: u32 = 16;
/// How many an answer's frame brings.
const EARNED_BY_FRAME: u32 = 4;
/// A thousand bytes of an answer bring one as well: who reads a long answer confirms it piece by piece.
const BYTES_PER_EARNED: u32 = 1_024;

/// One frame, seen by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    length: u32,
    kind: u8,
    flags: u8,
    stream: u32,
}

/// Finds the frames in one direction of a connection. Payloads are passed over unread.
#[derive(Debug, Default)]
struct Scanner {
    header: [u8; FRAME_HEADER_LENGTH],
    header_length: usize,
    payload_left: usize,
}

impl Scanner {
    fn scan(&mut self, mut bytes: &[u8], mut found: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let passed = self.payload_left.min(bytes.len());
                self.payload_left -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let taken = (FRAME_HEADER_LENGTH - self.header_length).min(bytes.len());
            self.header[self.header_length..][..taken].copy_from_slice(&bytes[..taken]);
            self.header_length += taken;
            bytes = &bytes[taken..];
            if self.header_length == FRAME_HEADER_LENGTH {
                self.header_length = 0;
                let [a, b, c, kind, flags, stream @ ..] = self.header;
                let length = u32::from_be_bytes([0, a, b, c]);
                self.payload_left = length as usize;
                let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
                found(Frame { length, kind, flags, stream });
            }
        }
    }

    fn is_between_frames(&self) -> bool {
        self.header_length == 0 && self.payload_left == 0
    }
}

/// A store that fills with time, and never above its burst. In thousandths, so that slow ones fill too.
#[derive(Debug)]
pub(super) struct Store {
    level: u64,
    burst: u64,
    per_second: u64,
    filled_at_ms: u64,
}

impl Store {
    pub(super) fn full(burst: u32, per_second: u32) -> Self {
        let burst = u64::from(burst) * 1_000;
        Self { level: burst, burst, per_second: u64::from(per_second), filled_at_ms: 0 }
    }

    /// A thousandth of what comes in a second comes in a millisecond.
    fn fill(&mut self, now_ms: u64) {
        let passed_ms = now_ms.saturating_sub(self.filled_at_ms);
        self.filled_at_ms = self.filled_at_ms.max(now_ms);
        self.level = (self.level + passed_ms.saturating_mul(self.per_second)).min(self.burst);
    }

    fn earn(&mut self, count: u32) {
        self.level = (self.level + u64::from(count) * 1_000).min(self.burst);
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        let is_there = self.level >= 1_000;
        if is_there {
            self.level -= 1_000;
        }
        is_there
    }

    pub(super) fn is_full(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        self.level == self.burst
    }
}

/// The frames of one connection, both ways.
#[derive(Debug)]
pub(super) struct Meter {
    preface_length: usize,
    read: Scanner,
    written: Scanner,
    idle: Store,
    resets: Store,
    settings: Store,
    stream_last: u32,
}

impl Meter {
    pub(super) fn new(limits: &FrameLimits) -> Self {
        Self {
            preface_length: 0,
            read: Scanner::default(),
            written: Scanner::default(),
            idle: Store::full(limits.idle_burst, limits.idle_per_second),
            resets: Store::full(limits.reset_burst, limits.reset_per_second),
            settings: Store::full(limits.settings_burst, limits.settings_per_second),
            stream_last: 0,
        }
    }

    /// Looks at what the client sent. The limit that it met, if any, ends the connection.
    pub(super) fn read(&mut self, bytes: &[u8], now_ms: u64) -> Result<(), Limit> {
        let preface = &PREFACE[self.preface_length..];
        let (start, bytes) = bytes.split_at(preface.len().min(bytes.len()));
        if !preface.starts_with(start) {
            return Err(Limit::Protocol);
        }
        self.preface_length += start.len();
        let mut outcome = Ok(());
        let Self { read, idle, resets, settings, stream_last, .. } = self;
        read.scan(bytes, |frame| {
            let (store, limit) = match frame.kind {
                HEADERS => {
                    *stream_last = frame.stream.max(*stream_last);
                    idle.earn(EARNED_BY_CALL);
                    return;
                }
                DATA if frame.length >= DATA_LENGTH_MIN => return,
                DATA if frame.flags & FLAG_END_STREAM != 0 => return,
                RST_STREAM => (&mut *resets, Limit::Resets),
                SETTINGS if frame.flags & FLAG_ACK == 0 => (&mut *settings, Limit::Settings),
                _ => (&mut *idle, Limit::IdleFrames),
            };
            if !store.take(now_ms) {
                outcome = Err(limit);
            }
        });
        outcome
    }

    /// Looks at what was sent to the client.
    pub(super) fn written(&mut self, bytes: &[u8]) {
        let idle = &mut self.idle;
        self.written.scan(bytes, |frame| {
            if frame.kind == DATA || frame.kind == HEADERS {
                idle.earn(EARNED_BY_FRAME + frame.length / BYTES_PER_EARNED);
            }
        });
    }

    /// The frame that tells a client to calm down, and which of its calls were seen; `None` in the
    /// middle of a frame, where nothing else may be said.
    pub(super) fn go_away(&self, why: Limit) -> Option<Vec<u8>> {
        const GO_AWAY: u8 = 7;
        const ENHANCE_YOUR_CALM: u32 = 11;
        if self.preface_length < PREFACE.len() || !self.written.is_between_frames() {
            return None;
        }
        let text = why.name().as_bytes();
        let length = u32::try_from(8 + text.len()).expect("a name is short").to_be_bytes();
        let mut frame = Vec::with_capacity(FRAME_HEADER_LENGTH + 8 + text.len());
        frame.extend_from_slice(&length[1..]);
        frame.extend_from_slice(&[GO_AWAY, 0, 0, 0, 0, 0]);
        frame.extend_from_slice(&self.stream_last.to_be_bytes());
        frame.extend_from_slice(&ENHANCE_YOUR_CALM.to_be_bytes());
        frame.extend_from_slice(text);
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;
    const CONTINUATION: u8 = 9;

    fn frame(kind: u8, flags: u8, length: u32) -> Vec<u8> {
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags, 0, 0, 0, 1]);
        bytes.resize(FRAME_HEADER_LENGTH + length as usize, 0xaa);
        bytes
    }

    fn opened() -> Meter {
        let mut meter = Meter::new(&FrameLimits::default());
        meter.read(PREFACE, 0).unwrap();
        meter.read(&frame(SETTINGS, 0, 0), 0).unwrap();
        meter
    }

    /// How many of these frames a connection takes at once.
    fn taken(frame: &[u8], limit: Limit) -> usize {
        let mut meter = opened();
        let count = (0..).find(|_| meter.read(frame, 0).is_err()).unwrap();
        assert_eq!(meter.read(frame, 0), Err(limit));
        count
    }

    #[test]
    fn a_flood_of_frames_that_carry_nothing_ends_at_its_burst() {
        let limits = FrameLimits::default();
        let idle = usize::try_from(limits.idle_burst).unwrap();
        for (kind, length) in [(PING, 8), (2, 5), (WINDOW_UPDATE, 4), (CONTINUATION, 1), (99, 0)] {
            assert_eq!(taken(&frame(kind, 0, length), Limit::IdleFrames), idle, "{kind}");
        }
        assert_eq!(taken(&frame(DATA, 0, 0), Limit::IdleFrames), idle);
        assert_eq!(taken(&frame(SETTINGS, FLAG_ACK, 0), Limit::IdleFrames), idle);
        assert_eq!(taken(&frame(RST_STREAM, 0, 4), Limit::Resets), 200);
        // One of them was the client's first word.
        assert_eq!(taken(&frame(SETTINGS, 0, 6), Limit::Settings), 99);
    }

    #[test]
    fn data_and_the_ends_of_calls_cost_nothing() {
        let mut meter = opened();
        for _ in 0..100_000 {
            meter.read(&frame(DATA, 0, DATA_LENGTH_MIN), 0).unwrap();
            meter.read(&frame(DATA, FLAG_END_STREAM, 0), 0).unwrap();
        }
    }

    #[test]
    fn a_client_that_calls_may_ping_at_each_answer_and_confirm_each_piece() {
        let mut meter = opened();
        for _ in 0..100_000 {
            meter.read(&frame(HEADERS, 4, 40), 0).unwrap();
            meter.written(&frame(HEADERS, 4, 20));
            meter.written(&frame(DATA, 0, 16_384));
            for _ in 0..16 {
                meter.read(&frame(WINDOW_UPDATE, 0, 4), 0).unwrap();
                meter.read(&frame(PING, 0, 8), 0).unwrap();
            }
        }
    }

    #[test]
    fn answers_to_pings_bring_nothing() {
        let mut meter = opened();
        let ping = frame(PING, 0, 8);
        let answered = |meter: &mut Meter| {
            meter.written(&frame(PING, FLAG_ACK, 8));
            meter.read(&ping, 0)
        };
        assert_eq!((0..).find(|_| answered(&mut meter).is_err()), Some(2_000));
    }

    #[test]
    fn who_flooded_a_second_ago_may_send_what_a_second_brings() {
        let mut meter = opened();
        let ping = frame(PING, 0, 8);
        while meter.read(&ping, 0).is_ok() {}
        for _ in 0..200 {
            meter.read(&ping, 1_000).unwrap();
        }
        assert!(meter.read(&ping, 1_000).is_err());
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut whole = PREFACE.to_vec();
        for frame in [frame(SETTINGS, 0, 12), frame(HEADERS, 4, 300), frame(PING, 0, 8)] {
            whole.extend(frame);
        }
        for size in [1, 2, 3, 7, 9, 10, 64, whole.len()] {
            let limits = FrameLimits { idle_burst: 20, idle_per_second: 0, ..Default::default() };
            let mut meter = Meter::new(&limits);
            for piece in whole.chunks(size) {
                meter.read(piece, 0).unwrap();
            }
            assert!(meter.read.is_between_frames(), "cut by {size}");
            assert_eq!((meter.idle.level, meter.stream_last), (19_000, 1), "cut by {size}");
        }
    }

    #[test]
    fn what_is_no_preface_is_told_at_its_first_wrong_byte() {
        let limits = FrameLimits::default();
        for first in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"PRI * HTTP/1"] {
            assert_eq!(Meter::new(&limits).read(first, 0), Err(Limit::Protocol));
        }
        assert_eq!(Meter::new(&limits).read(b"PRI", 0), Ok(()));
    }

    #[test]
    fn a_client_is_told_to_calm_down_only_between_two_frames() {
        let mut meter = opened();
        meter.read(&frame(HEADERS, 4, 1), 0).unwrap();
        meter.written(&frame(DATA, 0, 10)[..12]);
        assert_eq!(meter.go_away(Limit::Resets), None);
        meter.written(&frame(DATA, 0, 10)[12..]);
        let told = meter.go_away(Limit::Resets).unwrap();
        assert_eq!(told[..9], [0, 0, 14, 7, 0, 0, 0, 0, 0]);
        assert_eq!(told[9..17], [0, 0, 0, 1, 0, 0, 0, 11]);
        assert_eq!(&told[17..], b"resets");
    }
}

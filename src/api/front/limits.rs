//! What the front allows, and for how long.
//!
//! Everything is in one value that the caller brings, so a test can make a limit small and a deadline
//! short, and an operator can see all of them at once. The defaults are those of a company with ten
//! thousand reps behind one node; nobody who behaves meets one of them.

use std::time::Duration;

/// Room for files that are not connections: the store, its log, the libraries' own. Of very few files
/// it is half.
const FILE_COUNT_RESERVED: u64 = 128;

/// How much the front allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all. A softphone holds one all day.
    pub connection_count_max: usize,
    /// Connections of one address (of one /64 in IPv6); an office often has one address for all. Not
    /// asked behind a proxy, whose address they all have.
    pub address_connection_count_max: usize,
    /// Calls that one connection has open at a time; more wait their turn at the client.
    pub stream_count_max: u32,
    /// The headers of one call, in bytes.
    pub header_length_max: u32,
    /// A request of one message, in bytes. Messages of a stream may have
    /// [`crate::api::MESSAGE_LENGTH_MAX`].
    pub message_length_max: usize,
    /// A request that carries a lead or rules, in bytes: a lead may have 200 attributes of 4,096 bytes.
    pub document_length_max: usize,
    /// Calls that are worked on at a time, in all. A pull that waits for a lead is none of them.
    pub call_count_max: usize,
    /// How many of these are kept for touches, releases and renewals.
    pub call_count_reserved: usize,
    /// Pulls that wait for a lead to appear, in all.
    pub wait_count_max: usize,
    /// Calls of one rep's token at a time.
    pub rep_call_count_max: usize,
    /// Waiting pulls of one rep's token.
    pub rep_wait_count_max: usize,
    /// Calls of any other token at a time, which may speak for many reps.
    pub token_call_count_max: usize,
    /// Waiting pulls of any other token.
    pub token_wait_count_max: usize,
    /// Calls without a valid token that one address may make before their answers are held back.
    pub guess_count_max: u32,
    /// How many of a connection's calls may lack a valid token, with no other between them, before it
    /// is cut.
    pub guess_row_max: u32,
    /// Until when what must have happened.
    pub deadlines: Deadlines,
    /// How many frames that carry nothing a connection may send.
    pub frames: FrameLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connection_count_max: 20_000,
            address_connection_count_max: 2_000,
            stream_count_max: 100,
            header_length_max: 8 * 1_024,
            message_length_max: 64 * 1_024,
            document_length_max: 1_024 * 1_024,
            call_count_max: 4_096,
            call_count_reserved: 1_024,
            wait_count_max: 20_000,
            rep_call_count_max: 8,
            rep_wait_count_max: 2,
            token_call_count_max: 1_024,
            token_wait_count_max: 20_000,
            guess_count_max: 20,
            guess_row_max: 100,
            deadlines: Deadlines::default(),
            frames: FrameLimits::default(),
        }
    }
}

impl Limits {
    /// The connections that may stand at a time, if the process may hold this many files. At least one.
    pub(super) fn connections_within(&self, file_count_max: Option<u64>) -> usize {
        let room = file_count_max.map_or(u64::MAX, |max| max - FILE_COUNT_RESERVED.min(max / 2));
        self.connection_count_max.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1)
    }

    /// How many files the process should be allowed for these limits.
    pub(super) fn file_count(&self) -> u64 {
        u64::try_from(self.connection_count_max).unwrap_or(u64::MAX) + FILE_COUNT_RESERVED
    }
}

/// How long the front waits for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For the end of the TLS handshake.
    pub handshake_within: Duration,
    /// For the first call of a connection.
    pub first_call_within: Duration,
    /// For the next piece of a request of one message.
    pub body_piece_within: Duration,
    /// For the whole of such a request.
    pub body_within: Duration,
    /// For the next piece of a stream of requests: a client may have to fetch its next batch.
    pub stream_piece_within: Duration,
    /// For the answer to a call of one message, at most; a client may wish for less.
    pub call_within: Duration,
    /// For a client to read the next piece of an answer.
    pub answer_piece_within: Duration,
    /// The same for a stream of answers, which a person may be reading page by page.
    pub stream_answer_piece_within: Duration,
    /// How long a connection may stand without a call.
    pub idle_within: Duration,
    /// How old a connection may become; `None`: as old as it likes. A limit spreads clients over nodes.
    pub age_max: Option<Duration>,
    /// How often a client is asked whether it still lives.
    pub keepalive_every: Duration,
    /// For it to say so.
    pub keepalive_within: Duration,
    /// For running calls to end when the node stops. A stream that its client keeps open never ends.
    pub stop_within: Duration,
    /// How often the files of TLS are looked at for a change.
    pub certificate_every: Duration,
    /// How long an answer to a call without a valid token is held back from an address that had too
    /// many.
    pub guess_delay: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            handshake_within: seconds(5),
            first_call_within: seconds(10),
            body_piece_within: seconds(10),
            body_within: seconds(30),
            stream_piece_within: seconds(300),
            call_within: seconds(300),
            answer_piece_within: seconds(30),
            stream_answer_piece_within: seconds(300),
            idle_within: seconds(300),
            age_max: None,
            keepalive_every: seconds(20),
            keepalive_within: seconds(10),
            stop_within: seconds(5),
            certificate_every: seconds(5),
            guess_delay: seconds(1),
        }
    }
}

/// How many frames of HTTP/2 that carry nothing a connection may send: a store of them that fills
/// again, and that calls and answers fill as well. A client that works never empties it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// Pings, priorities, window updates, empty data and the like: how many at once.
    pub idle_burst: u32,
    /// How many of them every second.
    pub idle_per_second: u32,
    /// Calls taken back: how many at once.
    pub reset_burst: u32,
    /// How many of them every second.
    pub reset_per_second: u32,
    /// Changes of settings: how many at once.
    pub settings_burst: u32,
    /// How many of them every second.
    pub settings_per_second: u32,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            idle_burst: 2_000,
            idle_per_second: 200,
            reset_burst: 200,
            reset_per_second: 50,
            settings_burst: 100,
            settings_per_second: 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        let limits = Limits { connection_count_max: 1_000, ..Limits::default() };
        assert_eq!(limits.connections_within(None), 1_000);
        assert_eq!(limits.connections_within(Some(limits.file_count())), 1_000);
        assert_eq!(limits.connections_within(Some(1_024)), 896);
        assert_eq!(limits.connections_within(Some(64)), 32);
        assert_eq!(limits.connections_within(Some(0)), 1, "a node that is to serve, serves");
    }
}

//! Times of messages, as the demo counts them: milliseconds.

/// An instant, as messages carry it.
pub(super) fn timestamp(at: i64) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.rem_euclid(1_000) * 1_000_000).expect("less than a second");
    prost_types::Timestamp { seconds: at.div_euclid(1_000), nanos }
}

/// An instant out of a message, in milliseconds; a part of a millisecond counts as one.
pub(super) fn instant(time: &prost_types::Timestamp) -> i64 {
    time.seconds * 1_000 + i64::from(time.nanos + 999_999) / 1_000_000
}

/// A duration out of a message, in milliseconds.
pub(super) fn millis(duration: &prost_types::Duration) -> i64 {
    duration.seconds * 1_000 + i64::from(duration.nanos) / 1_000_000
}

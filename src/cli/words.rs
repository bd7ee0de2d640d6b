//! Words, durations and instants as people write and read them.
//!
//! Codes are those of the API without their prefix, in small letters: `DISPOSITION_NO_ANSWER` is
//! `no_answer`. Instants are RFC 3339 in UTC whatever the machine's zone: what is copied out of a
//! table can be pasted into a command anywhere.

use prost_types::{Duration, Timestamp};

use crate::api::proto;

/// An enum of the API whose values have codes.
pub(super) trait Word: Sized {
    /// What stands before each of its values' names.
    fn prefix() -> String;
    /// The value of a number.
    fn of(number: i32) -> Option<Self>;
    /// The whole name, with its prefix.
    fn full_name(&self) -> &'static str;
}

macro_rules! words {
    ($($name:ident)+) => {$(
        impl Word for proto::$name {
            fn prefix() -> String {
                enum_prefix(stringify!($name))
            }
            fn of(number: i32) -> Option<Self> {
                Self::try_from(number).ok()
            }
            fn full_name(&self) -> &'static str {
                self.as_str_name()
            }
        }
    )+};
}

words! {
    CallingLaw Channel CloseReason Direction Disposition LeadEventKind ObstacleKind OutcomeResult QualityMode
    ReleaseReason Role Route RuleVersionState ServeOrder SkipReason SuppressionKind Tier UnroutableReason WaitReason
    ZoneEvidence
}

/// What stands before the values of an enum: `CLOSE_REASON_` before those of `CloseReason`.
pub(super) fn enum_prefix(enum_name: &str) -> String {
    let mut prefix = String::with_capacity(enum_name.len() + 4);
    for (nth, letter) in enum_name.char_indices() {
        if nth > 0 && letter.is_ascii_uppercase() {
            prefix.push('_');
        }
        prefix.push(letter.to_ascii_uppercase());
    }
    prefix + "_"
}

/// A value's name in Rust as a code: `InvalidArgument` is `invalid_argument`.
pub(super) fn enum_code(name: &str) -> String {
    enum_prefix(name).trim_end_matches('_').to_ascii_lowercase()
}

/// The code of a value; empty for an unspecified one, its number for one newer than this program.
pub(super) fn word<W: Word>(number: i32) -> String {
    match W::of(number) {
        Some(_) if number == 0 => String::new(),
        Some(value) => code(&value),
        None => number.to_string(),
    }
}

fn code<W: Word>(value: &W) -> String {
    let name = value.full_name();
    name.strip_prefix(&W::prefix()).unwrap_or(name).to_ascii_lowercase()
}

/// Reads a code. A hyphen is as good as an underscore.
pub(super) fn read_word<W: Word>(text: &str) -> Result<W, String> {
    let wanted = text.trim().to_ascii_lowercase().replace('-', "_");
    let mut codes = Vec::new();
    // The numbers of an enum have no gaps; 0 is "not given".
    for value in (1..).map_while(W::of) {
        let code = code(&value);
        if code == wanted {
            return Ok(value);
        }
        codes.push(code);
    }
    Err(format!("one of: {}", codes.join(", ")))
}

/// Reads a duration: `30s`, `10m`, `2h`, `1d`, `1h30m`, `500ms`. In milliseconds.
pub(super) fn read_duration_ms(text: &str) -> Result<i64, String> {
    let problem = || "a duration, such as 30s, 10m, 2h, 1d or 1h30m".to_owned();
    let mut rest = text.trim();
    let mut total_ms: i64 = 0;
    if rest.is_empty() {
        return Err(problem());
    }
    while !rest.is_empty() {
        let digits = rest.find(|one: char| !one.is_ascii_digit()).ok_or_else(problem)?;
        let number: i64 = rest[..digits].parse().map_err(|_| problem())?;
        let unit = &rest[digits..];
        let length = unit.find(|one: char| !one.is_ascii_alphabetic()).unwrap_or(unit.len());
        let unit_ms = match &unit[..length] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(problem()),
        };
        let part_ms = number.checked_mul(unit_ms).ok_or_else(problem)?;
        total_ms = total_ms.checked_add(part_ms).ok_or_else(problem)?;
        rest = unit[length..].trim_start();
    }
    Ok(total_ms)
}

/// A duration for people: the two largest units that it has, of the nearest second. What two machines'
/// clocks make of ten minutes is not nine minutes and 59 seconds.
pub(super) fn duration_text(ms: i64) -> String {
    if ms < 0 {
        return format!("-{}", duration_text(ms.saturating_neg()));
    }
    if ms < 1_000 {
        return format!("{ms}ms");
    }
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let mut rest_ms = if ms < 10_000 { ms } else { ms.saturating_add(500) };
    let mut parts = Vec::new();
    for (unit, unit_ms) in units {
        if rest_ms >= unit_ms {
            parts.push(format!("{}{unit}", rest_ms / unit_ms));
            rest_ms %= unit_ms;
        } else if !parts.is_empty() {
            break;
        }
    }
    parts.truncate(2);
    parts.join(" ")
}

/// An instant that was named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instant {
    /// This one, in milliseconds UTC.
    At(i64),
    /// So many milliseconds from now.
    In(i64),
}

impl Instant {
    /// The instant as the API takes it.
    pub(super) fn timestamp(self, now: i64) -> Timestamp {
        timestamp_of(match self {
            Self::At(at) => at,
            Self::In(ms) => now.saturating_add(ms),
        })
    }
}

/// Reads an instant: RFC 3339 with its offset, or `+2h` from now.
pub(super) fn read_instant(text: &str) -> Result<Instant, String> {
    if let Some(duration) = text.strip_prefix('+') {
        return read_duration_ms(duration).map(Instant::In);
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Ok(Instant::At(at.as_millisecond())),
        Err(_) => Err("an instant with its offset, such as 2026-03-01T09:30:00+01:00 or \
                       2026-03-01T08:30:00Z, or +2h from now"
            .to_owned()),
    }
}

/// Reads `--since`: an instant, or how long ago.
pub(super) fn read_since(text: &str) -> Result<Instant, String> {
    match read_duration_ms(text) {
        Ok(ms) => Ok(Instant::In(-ms)),
        Err(_) => match read_instant(text) {
            Ok(Instant::At(at)) => Ok(Instant::At(at)),
            _ => Err("an instant with its offset, such as 2026-03-01T09:30:00+01:00, or how long \
                      ago, such as 24h or 7d"
                .to_owned()),
        },
    }
}

/// An instant for people, to the second, in UTC; empty if there is none.
pub(super) fn instant_text(instant: Option<&Timestamp>) -> String {
    let Some(instant) = instant else { return String::new() };
    match jiff::Timestamp::from_second(instant.seconds) {
        Ok(at) => at.to_string(),
        Err(_) => format!("{} s", instant.seconds),
    }
}

/// A duration of the API for people; empty if there is none.
pub(super) fn proto_duration_text(duration: Option<&Duration>) -> String {
    duration.map_or(String::new(), |one| duration_text(millis(one)))
}

/// A duration of the API in milliseconds.
pub(super) fn millis(duration: &Duration) -> i64 {
    let millis = duration.seconds.saturating_mul(1_000);
    millis.saturating_add(i64::from(duration.nanos / 1_000_000))
}

/// Milliseconds as a duration of the API.
pub(super) fn duration_of(ms: i64) -> Duration {
    Duration { seconds: ms.div_euclid(1_000), nanos: nanos(ms) }
}

/// Milliseconds UTC as an instant of the API.
pub(super) fn timestamp_of(at: i64) -> Timestamp {
    Timestamp { seconds: at.div_euclid(1_000), nanos: nanos(at) }
}

fn nanos(ms: i64) -> i32 {
    i32::try_from(ms.rem_euclid(1_000)).expect("less than a thousand") * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, ms, shown) in [
            ("30s", 30_000, "30s"),
            ("10m", 600_000, "10m"),
            ("2h", 7_200_000, "2h"),
            ("1d", 86_400_000, "1d"),
            ("1h30m", 5_400_000, "1h 30m"),
            ("250ms", 250, "250ms"),
            ("1d 1s", 86_401_000, "1d"),
            ("0s", 0, "0ms"),
        ] {
            assert_eq!(read_duration_ms(text), Ok(ms), "{text}");
            assert_eq!(duration_text(ms), shown, "{text}");
        }
        for (ms, shown) in [(599_998, "10m"), (599_499, "9m 59s"), (1_999, "1s"), (-60_001, "-1m")]
        {
            assert_eq!(duration_text(ms), shown, "{ms}");
        }
        for text in ["", "10", "m", "-5s", "1w", "1.5h", "99999999999999999d", "10m5"] {
            assert!(read_duration_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instants_are_read_with_their_offset_and_shown_in_utc() {
        let Ok(Instant::At(at)) = read_instant("2026-03-01T09:30:00+01:00") else { panic!() };
        assert_eq!(instant_text(Some(&timestamp_of(at))), "2026-03-01T08:30:00Z");
        assert_eq!(read_instant("+2h"), Ok(Instant::In(7_200_000)));
        assert_eq!(Instant::In(5).timestamp(10), timestamp_of(15));
        assert!(read_instant("2026-03-01T09:30:00").is_err());
        assert!(read_instant("tomorrow").is_err());
        assert_eq!(instant_text(None), "");
    }

    #[test]
    fn codes_are_read_and_written_without_their_prefix() {
        let no_answer = proto::Disposition::NoAnswer;
        assert_eq!(word::<proto::Disposition>(no_answer as i32), "no_answer");
        assert_eq!(read_word::<proto::Disposition>("No-Answer"), Ok(no_answer));
        assert_eq!(word::<proto::Disposition>(0), "");
        assert_eq!(word::<proto::Disposition>(9_999), "9999");
        let problem = read_word::<proto::Disposition>("unspecified").unwrap_err();
        assert!(problem.contains("needs_specialist"), "{problem}");
    }

    #[test]
    fn every_enum_knows_its_prefix() {
        fn check<W: Word>() {
            let name = W::of(1).unwrap().full_name();
            assert!(name.starts_with(&W::prefix()), "{name}");
        }
        check::<proto::CloseReason>();
        check::<proto::LeadEventKind>();
        check::<proto::RuleVersionState>();
        check::<proto::Tier>();
    }

    #[test]
    fn instants_before_1970_keep_their_milliseconds() {
        assert_eq!(timestamp_of(-1), Timestamp { seconds: -1, nanos: 999_000_000 });
        assert_eq!(millis(&duration_of(90_500)), 90_500);
    }
}

//! Durations as managers write them: `"90s"`, `"5m"`, `"1h30m"`, `"2w"`.

const UNITS: [(char, i64); 5] = [
    ('w', 7 * 24 * 3_600_000),
    ('d', 24 * 3_600_000),
    ('h', 3_600_000),
    ('m', 60_000),
    ('s', 1_000),
];
/// The longest duration in a rule document: ten years. What is longer is a slip of the keyboard.
const DURATION_MS_MAX: i64 = 3_650 * 24 * 3_600_000;

/// Reads a positive duration into milliseconds; the error says what is expected.
pub(super) fn parse(text: &str) -> Result<i64, &'static str> {
    const EXPECTED: &str =
        "expected a duration like \"90s\", \"5m\", \"1h30m\", \"1d\" or \"2w\", units falling";
    let mut total_ms: i64 = 0;
    let mut rest = text;
    let mut units = UNITS.as_slice();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = rest[..digits].parse().map_err(|_| EXPECTED)?;
        let unit = rest[digits..].chars().next().ok_or(EXPECTED)?;
        let nth = units.iter().position(|(letter, _)| *letter == unit).ok_or(EXPECTED)?;
        let part_ms = count.checked_mul(units[nth].1).ok_or("a duration is at most 3650d")?;
        total_ms = total_ms.saturating_add(part_ms);
        units = &units[nth + 1..];
        rest = &rest[digits + unit.len_utf8()..];
    }
    match total_ms {
        ..=0 if text.is_empty() => Err(EXPECTED),
        ..=0 => Err("a duration must be longer than nothing"),
        1..=DURATION_MS_MAX => Ok(total_ms),
        _ => Err("a duration is at most 3650d"),
    }
}

/// Writes milliseconds as [`parse`] reads them; what is less than a second is cut off.
pub(super) fn show(duration_ms: i64) -> String {
    let mut rest_ms = duration_ms.max(0);
    let mut text = String::new();
    for (letter, unit_ms) in UNITS {
        let count = rest_ms / unit_ms;
        rest_ms %= unit_ms;
        if count > 0 {
            text.push_str(&format!("{count}{letter}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_are_written() {
        for (text, expected_ms) in [
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("2w", 1_209_600_000),
            ("1w2d3h4m5s", 788_645_000),
        ] {
            assert_eq!(parse(text), Ok(expected_ms), "{text}");
        }
        assert_eq!(show(5_400_000), "1h30m");
        assert_eq!(show(0), "0s");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        let long = ["3651d", "99999999999999999w", "9223372036854775807s"];
        for text in ["", "5", "m", "5 m", "-5m", "5x", "5m1h", "1m1m", "0s", "1.5h", "5ms", "५m"]
            .iter()
            .chain(&long)
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("3650d"), Ok(DURATION_MS_MAX));
    }
}

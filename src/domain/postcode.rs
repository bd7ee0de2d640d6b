//! The states and provinces that a postcode of the United States or Canada is in: `data/postcodes`.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::lead::{Facts, Value};

const PREFIXES: &str = include_str!("data/postcodes/prefixes.csv");
/// The attribute of a lead in which its postcode stands.
const ATTRIBUTE: &str = "postcode";
/// How long the prefixes of the table are at most.
const PREFIX_LENGTH_MAX: usize = 5;

/// By country and prefix.
type Prefixes = HashMap<&'static str, HashMap<&'static str, Vec<&'static str>>>;

static SHIPPED: LazyLock<Prefixes> = LazyLock::new(|| {
    let mut prefixes = Prefixes::new();
    for line in PREFIXES.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        // A test counts the rows.
        let [country, prefix, regions] = columns[..] else { continue };
        let of_country = prefixes.entry(country).or_default();
        of_country.insert(prefix, regions.split('&').collect());
    }
    prefixes
});

/// The regions of a country that a lead's postcode is in, by the longest prefix that is known; none: it
/// has no postcode that looks like one of that country and tells anything.
pub(super) fn regions_of_postcode(facts: &Facts, country: &str) -> &'static [&'static str] {
    let text = match facts.attributes.get(ATTRIBUTE) {
        Some(Value::Text(text)) => text.trim().to_ascii_uppercase(),
        // As a whole number it has lost its leading zeros.
        Some(Value::Int(number)) if country == "US" => format!("{number:05}"),
        _ => return &[],
    };
    let known = SHIPPED.get(country).filter(|_| is_postcode_of(country, text.as_bytes()));
    let Some(known) = known else { return &[] };
    let mut prefixes = (1..=PREFIX_LENGTH_MAX).rev().filter_map(|length| text.get(..length));
    prefixes.find_map(|prefix| known.get(prefix)).map_or(&[], Vec::as_slice)
}

/// `02139`, `02139-4307` or `021394307`; `M5V 3L9`, or its first three characters.
fn is_postcode_of(country: &str, text: &[u8]) -> bool {
    let is_digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    match (country, text.len()) {
        ("US", 5 | 9) => is_digits(text),
        ("US", 10) => is_digits(&text[..5]) && text[5] == b'-' && is_digits(&text[6..]),
        ("CA", 3 | 6 | 7) => {
            text[0].is_ascii_alphabetic()
                && text[1].is_ascii_digit()
                && text[2].is_ascii_alphabetic()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::atlas::Atlas;

    fn regions_of(country: &str, postcode: Value) -> &'static [&'static str] {
        let attributes = [(ATTRIBUTE.to_owned(), postcode)].into();
        regions_of_postcode(&Facts { attributes, ..Facts::default() }, country)
    }

    fn text(postcode: &str) -> Value {
        Value::Text(postcode.to_owned())
    }

    #[test]
    fn the_table_names_every_region_and_no_other() {
        let row_count = SHIPPED.values().map(HashMap::len).sum::<usize>();
        assert_eq!(row_count, PREFIXES.lines().count() - 1, "no row is broken or repeated");
        let rows = SHIPPED.values().flatten();
        let named: BTreeSet<&str> =
            rows.clone().flat_map(|(_, regions)| regions).copied().collect();
        let countries = ["US", "CA"].into_iter();
        let known: BTreeSet<&str> =
            countries.flat_map(|country| Atlas::shipped().regions_of(country)).collect();
        assert_eq!(named, known);
        assert!(rows.into_iter().all(|(prefix, _)| prefix.len() <= PREFIX_LENGTH_MAX));
    }

    #[test]
    fn a_postcode_is_in_the_region_of_its_longest_prefix() {
        for (country, postcode, expected) in [
            ("US", "33101", "US-FL"),
            ("US", " 33101-1234 ", "US-FL"),
            ("US", "021394307", "US-MA"),
            ("US", "83401", "US-ID"),
            ("US", "83414", "US-WY"),
            ("US", "06390", "US-NY"),
            ("US", "96799", "US-AS"),
            ("CA", "m5v 3l9", "CA-ON"),
            ("CA", "V6B", "CA-BC"),
            ("CA", "X0A0H0", "CA-NU"),
        ] {
            assert_eq!(regions_of(country, text(postcode)), [expected], "{postcode}");
        }
        assert_eq!(regions_of("CA", text("K1A 0B1")), ["CA-ON", "CA-QC"]);
        assert_eq!(regions_of("US", Value::Int(2139)), ["US-MA"], "its zero was lost");
    }

    #[test]
    fn what_is_no_postcode_of_the_country_tells_nothing() {
        for postcode in
            ["", "3310", "3310A", "33101-12", "33101 1234", "M5V 3L9", "00000", "09001", "äöü"]
        {
            assert!(regions_of("US", text(postcode)).is_empty(), "{postcode}");
        }
        assert!(regions_of("CA", text("33101")).is_empty());
        assert!(regions_of("CA", text("A½é")).is_empty());
        assert!(regions_of("DE", text("33101")).is_empty());
        for other in
            [Value::Bool(true), Value::Double(33101.0), Value::Int(-7), Value::Int(1 << 60)]
        {
            assert!(regions_of("US", other).is_empty());
        }
    }
}

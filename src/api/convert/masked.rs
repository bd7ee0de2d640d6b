//! Phone numbers for who may not see them whole: marketing, and what it exports.
//!
//! What stays says which country it is and lets two people talk about the same lead: "the one that
//! ends in 17". What a person could dial does not stay.

/// What stands for a digit.
const HIDDEN: char = '*';
/// How many digits at the end stay.
const SHOWN_COUNT: usize = 2;

/// The country codes of two digits; `1` and `7` have one, all others three (ITU-T E.164, list of
/// assigned codes).
const TWO_DIGITS: &[&str] = &[
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65",
    "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

/// A phone number with its country code and its last two digits, the others hidden:
/// `+49********17`. One that is not in E.164 shows its last two digits at most; one so short that too
/// little would be hidden shows nothing.
pub(in crate::api) fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let is_international = number.trim_start().starts_with('+');
    let country = if is_international { country_length(&digits) } else { 0 };
    let last = digits.len().saturating_sub(SHOWN_COUNT);
    // Half of what is not the country's: else three digits would be left to guess.
    let has_enough = last.saturating_sub(country) >= SHOWN_COUNT;
    let shown = |nth: usize| has_enough && (nth < country || nth >= last);
    let sign = if is_international { "+" } else { "" };
    let digits = digits.iter().enumerate();
    let digits = digits.map(|(nth, digit)| if shown(nth) { *digit } else { HIDDEN });
    sign.chars().chain(digits).collect()
}

/// A text that is not meant to hold a phone number, but is one: masked. Any other: as it is.
pub(in crate::api) fn masked_if_number(text: &str) -> String {
    let is_ornament = |one: char| " -./()+".contains(one);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let is_number = text.trim_start().starts_with('+')
        && digits >= 7
        && text.chars().all(|one| one.is_ascii_digit() || is_ornament(one));
    if is_number { masked(text) } else { text.to_owned() }
}

fn country_length(digits: &[char]) -> usize {
    let begin: String = digits.iter().take(2).collect();
    match begin.as_str() {
        one if one.starts_with(['1', '7']) => 1,
        two if TWO_DIGITS.contains(&two) => 2,
        _ => 3.min(digits.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_country_and_the_last_two_digits_stay() {
        for (number, shown) in [
            ("+12025550117", "+1********17"),
            ("+4930123456", "+49******56"),
            ("+353 1 234 5678", "+353******78"),
            ("+79161234567", "+7********67"),
            ("+2901234", "+290**34"),
            ("2025550117", "********17"),
        ] {
            assert_eq!(masked(number), shown, "{number}");
        }
    }

    #[test]
    fn of_a_short_number_nothing_stays() {
        for number in ["", "+", "+4", "+491", "+4912", "+49123", "123"] {
            assert!(!masked(number).contains(|one: char| one.is_ascii_digit()), "{number}");
        }
        assert_eq!(masked("+491234"), "+49**34");
    }

    #[test]
    fn an_id_that_is_a_number_is_masked_and_any_other_is_not() {
        assert_eq!(masked_if_number("+1 (202) 555-0117"), "+1********17");
        for id in ["17", "lead-12025550117", "2025550117", "ann@example.org", "+12", ""] {
            assert_eq!(masked_if_number(id), id);
        }
    }
}

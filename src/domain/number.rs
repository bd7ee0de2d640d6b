//! Phone numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A phone number in E.164: `+` and 8 to 15 digits. Hidden in `Debug`, as every log must do without.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(String);

impl Number {
    /// Reads an E.164 number; spaces, dots, hyphens and brackets between the digits are dropped.
    ///
    /// The shortest number in the E.164 plan that can be called from abroad has 7 digits behind the
    /// `+`, the longest 15 (ITU-T E.164 §6).
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix('+')?;
        let mut number = String::with_capacity(16);
        number.push('+');
        for character in digits.chars() {
            match character {
                '0'..='9' => number.push(character),
                ' ' | '-' | '.' | '(' | ')' | '/' => {}
                _ => return None,
            }
        }
        let fits = (8..=16).contains(&number.len()) && !number.starts_with("+0");
        fits.then_some(Self(number))
    }

    /// The number as `+` and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Number(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_e164_and_loses_its_ornaments() {
        for (text, number) in [
            ("+1 (202) 555-0100", Some("+12025550100")),
            (" +49 30/123456 ", Some("+4930123456")),
            ("202 555 0100", None),
            ("+0 123 456 789", None),
            ("+1234", None),
            ("+1234567890123456", None),
            ("+1202555010x", None),
        ] {
            assert_eq!(Number::parse(text).as_ref().map(Number::as_str), number, "{text}");
        }
    }
}

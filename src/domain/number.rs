//! Phone numbers: what is one, and in which one form it is kept.
//!
//! Every comparison in nextlead (who holds a number, who said never, who is the same person) is of
//! numbers in E.164, so each number is brought into that form at the door. What the countries' numbering
//! plans say about lengths, prefixes and trunk digits comes from the metadata of `rlibphonenumber`, a
//! port of Google's libphonenumber; nothing outside of this file knows it.

use std::fmt;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumberFormat, Region, ValidationError,
};
use serde::{Deserialize, Serialize};

/// The longest text that is looked at: no number comes near it, with all its ornaments.
const TEXT_LENGTH_MAX: usize = 64;

/// A phone number in E.164: `+` and 7 to 15 digits. Hidden in `Debug`, as every log must do without.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(String);

/// Why a text is no phone number that can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberProblem {
    /// There are letters in it, or no digits.
    #[error("must be a phone number: digits and no letters")]
    NotANumber,
    /// It has no country code, and nobody said which country it belongs to.
    #[error("must begin with + and a country's code (no country is known for it)")]
    NoCountry,
    /// No country has this code.
    #[error("must begin with the code of a country")]
    UnknownCountryCode,
    /// Its country has no numbers that short.
    #[error("must be a whole number (it is too short for its country)")]
    TooShort,
    /// Its country has no numbers that long.
    #[error("must be one number (it is too long for its country)")]
    TooLong,
    /// Its country has shorter and longer numbers, and none of this length.
    #[error("must have as many digits as a number of its country has")]
    WrongLength,
    /// It can be called from next door alone.
    #[error("must have its area code")]
    NoAreaCode,
    /// It leads on to an extension, which cannot be dialled with it.
    #[error("must have no extension (hand that over as an attribute)")]
    HasExtension,
}

impl Number {
    /// Reads a number as people and systems write it, into E.164.
    ///
    /// In national form (`030 123456`, `(202) 555-0100`) it needs the ISO 3166 code of its country;
    /// with `+`, or with the country's own prefix for calls abroad, it does not. Refused is what cannot
    /// exist: an unknown country code, or a length that the country does not have. Whether a number is
    /// *assigned* is not asked: new ranges are in use before any metadata knows them, test numbers never
    /// are, and a lead that is turned away wrongly is lost for good, while one wrong number costs one
    /// call, whose disposition then stops it.
    pub fn parse(text: &str, country: Option<&str>) -> Result<Self, NumberProblem> {
        let text = text.trim();
        // The library passes over whatever stands before the first digit, bytes of zero included.
        if text.len() > TEXT_LENGTH_MAX || text.chars().any(char::is_control) {
            return Err(NumberProblem::NotANumber);
        }
        let region = country.and_then(region);
        let number = PHONE_NUMBER_UTIL.parse(text, region).map_err(|error| match error {
            ParseError::InvalidCountryCode if region.is_none() && !text.starts_with('+') => {
                NumberProblem::NoCountry
            }
            ParseError::InvalidCountryCode => NumberProblem::UnknownCountryCode,
            ParseError::NotANumber(_) => NumberProblem::NotANumber,
            ParseError::TooShortAfterIdd | ParseError::TooShortNsn => NumberProblem::TooShort,
            ParseError::TooLongNsn => NumberProblem::TooLong,
        })?;
        if number.extension.as_deref().is_some_and(|extension| !extension.is_empty()) {
            return Err(NumberProblem::HasExtension);
        }
        // The library reads letters as the keys of a telephone, and finds numbers within prose.
        if text.chars().any(char::is_alphabetic) {
            return Err(NumberProblem::NotANumber);
        }
        match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) {
            Ok(NumberLengthType::IsPossible) => {}
            Ok(NumberLengthType::IsPossibleLocalOnly) => return Err(NumberProblem::NoAreaCode),
            Err(ValidationError::InvalidCountryCode) => {
                return Err(NumberProblem::UnknownCountryCode);
            }
            Err(ValidationError::TooShort) => return Err(NumberProblem::TooShort),
            Err(ValidationError::TooLong) => return Err(NumberProblem::TooLong),
            Err(ValidationError::InvalidLength) => return Err(NumberProblem::WrongLength),
        }
        let e164 = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164);
        Self::from_e164(&e164).ok_or(NumberProblem::WrongLength)
    }

    /// Takes a number that is in E.164 already, whatever the numbering plans of today say about it: one
    /// that was taken in before, or must be recognised.
    ///
    /// The shortest number in the plan that can be called from abroad has 7 digits behind the `+`, the
    /// longest 15 (ITU-T E.164 §6).
    pub fn from_e164(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let fits = (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Self(text.to_owned()))
    }

    /// The number as `+` and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is the ISO 3166 code of a country with a numbering plan of its own.
pub fn is_number_country(code: &str) -> bool {
    region(code).is_some()
}

/// The calling code of a number that says nothing about a place within its country: a mobile one, say.
/// `None`: its prefix does.
pub(super) fn code_of_anywhere(number: &Number) -> Option<u32> {
    let parsed = PHONE_NUMBER_UTIL.parse(number.as_str(), None).ok()?;
    let is_anywhere = !PHONE_NUMBER_UTIL.is_number_geographical(&parsed);
    is_anywhere.then(|| u32::try_from(parsed.country_code).ok()).flatten()
}

/// The digits behind the `+` of a country's numbers; `None`: it has no numbering plan.
pub(super) fn calling_code(country: &str) -> Option<u32> {
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(Region::try_from(country).ok()?)?;
    u32::try_from(code).ok()
}

/// The country of an ISO 3166 code, if it has a numbering plan.
fn region(code: &str) -> Option<Region> {
    let region = Region::try_from(code).ok()?;
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| region)
}

impl fmt::Debug for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Number(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, country: Option<&str>, expected: Result<&str, NumberProblem>) {
        let read = Number::parse(text, country);
        let read = read.as_ref().map(Number::as_str).map_err(|problem| *problem);
        assert_eq!(read, expected, "{text} of {country:?}");
    }

    #[test]
    fn a_number_is_brought_into_the_one_form() {
        for (text, country, number) in [
            ("+1 (202) 555-0100", None, "+12025550100"),
            (" +49 30/123456 ", None, "+4930123456"),
            ("+49 (0)30 123456", None, "+4930123456"),
            ("030 123456", Some("DE"), "+4930123456"),
            ("(202) 555-0100", Some("US"), "+12025550100"),
            ("0049 30 123456", Some("DE"), "+4930123456"),
            ("011 49 30 123456", Some("US"), "+4930123456"),
            ("+44 20 7946 0958", Some("DE"), "+442079460958"),
            // Both are mangled by a library that others use.
            ("+55 11 91234-5678", None, "+5511912345678"),
            ("+353 1 234 5678", None, "+35312345678"),
            // The leading zero of an Italian landline belongs to it.
            ("06 6982 1234", Some("IT"), "+390669821234"),
            ("+٤٩ ٣٠ ١٢٣٤٥٦", None, "+4930123456"),
        ] {
            check(text, country, Ok(number));
        }
    }

    #[test]
    fn what_cannot_be_called_is_refused_with_its_reason() {
        use NumberProblem as Problem;
        for (text, country, problem) in [
            ("", None, Problem::NotANumber),
            ("unknown", None, Problem::NotANumber),
            ("\0+12025550100", None, Problem::NotANumber),
            ("+12025550100 or later", None, Problem::NotANumber),
            ("1-800-FLOWERS", Some("US"), Problem::NotANumber),
            (
                "+1 202 555 0100 +1 202 555 0100 +1 202 555 0100 +1 202 555 0100",
                None,
                Problem::NotANumber,
            ),
            ("202 555 0100", None, Problem::NoCountry),
            ("0049 30 123456", None, Problem::NoCountry),
            ("202 555 0100", Some("XX"), Problem::NoCountry),
            ("+999 123 4567", None, Problem::UnknownCountryCode),
            ("+0 123 456 789", None, Problem::UnknownCountryCode),
            ("+1234", None, Problem::TooShort),
            ("+1 202 555 01", None, Problem::TooShort),
            ("+1 202 555 0100 9", None, Problem::TooLong),
            ("+1234567890123456", None, Problem::TooLong),
            ("555 0100", Some("US"), Problem::NoAreaCode),
            ("+1 202 555 0100 ext. 5", None, Problem::HasExtension),
            ("+1 202 555 0100 x5", None, Problem::HasExtension),
        ] {
            check(text, country, Err(problem));
        }
    }

    #[test]
    fn what_may_be_assigned_tomorrow_is_taken() {
        // Fiction's own range, and one that no plan has given out.
        check("+12025550100", None, Ok("+12025550100"));
        check("+19995550100", None, Ok("+19995550100"));
    }

    #[test]
    fn a_stored_number_is_taken_as_it_is() {
        for (text, is_fine) in [
            ("+12025550100", true),
            ("+49030123456", true),
            ("+1234567", true),
            ("+123456", false),
            ("+1234567890123456", false),
            ("+0123456789", false),
            ("12025550100", false),
            ("+1 2025550100", false),
        ] {
            assert_eq!(Number::from_e164(text).is_some(), is_fine, "{text}");
        }
    }

    #[test]
    fn a_country_has_a_numbering_plan() {
        assert!(is_number_country("DE") && is_number_country("US"));
        assert!(!is_number_country("XX") && !is_number_country("de ") && !is_number_country(""));
    }
}

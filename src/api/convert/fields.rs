//! Reads the fields of one request and collects what is wrong with them.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::{Duration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::dialer::FieldProblem;
use crate::domain::{
    AfterRule, ID_LENGTH_MAX, IdProblem, LeaseToken, Number, RequestId, TEXT_LENGTH_MAX, check_id,
    is_number_country,
};
use crate::store::RequestKey;

use super::super::status::Problems;
use super::codes::Known;

/// The longest duration that anything may last.
pub(super) const DAY_MS: i64 = 24 * 3_600_000;
/// How many skills a lead, a campaign or a rep names.
const SKILL_COUNT_MAX: usize = 32;
/// The first millisecond of the year 10000.
const INSTANT_END: i64 = 253_402_300_800_000;

/// What is wrong with a request so far.
///
/// Each reader answers `None` for a field that is wrong or not there, and notes what is wrong.
#[derive(Debug, Default)]
pub(in crate::api) struct Fields {
    problems: Vec<FieldProblem>,
}

impl Fields {
    /// Ends the reading: the value, or all problems. Without a problem there is a value.
    pub(in crate::api) fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        if !self.problems.is_empty() {
            return Err(Problems(self.problems));
        }
        Ok(value.expect("a field without a problem has a value"))
    }

    /// Notes a problem.
    pub(in crate::api) fn problem(&mut self, field: &str, problem: impl Into<String>) {
        self.problems.push(FieldProblem::new(field, problem));
    }

    /// An id that the client chose, or got from us.
    pub(in crate::api) fn id<T>(
        &mut self,
        field: &str,
        text: &str,
        read: impl Fn(&str) -> Result<T, IdProblem>,
    ) -> Option<T> {
        match read(text) {
            Ok(id) => Some(id),
            Err(problem) => {
                self.problem(field, problem.to_string());
                None
            }
        }
    }

    /// An id that need not be there: `Some(None)` if it is not.
    pub(in crate::api) fn id_if_given<T>(
        &mut self,
        field: &str,
        text: &str,
        read: impl Fn(&str) -> Result<T, IdProblem>,
    ) -> Option<Option<T>> {
        if text.is_empty() { Some(None) } else { self.id(field, text, read).map(Some) }
    }

    /// A short text that has to be there: printable, 1 to 128 characters.
    pub(super) fn word(&mut self, field: &str, text: &str) -> Option<String> {
        self.id(field, text, |text| check_id(text).map(|()| text.to_owned()))
    }

    /// A text of one line; blank means that it was not given.
    pub(super) fn text(&mut self, field: &str, text: &str) -> Option<String> {
        let is_fine = self.check_text(field, text, |one| one.is_control());
        (is_fine && !text.trim().is_empty()).then(|| text.to_owned())
    }

    /// A text of many lines.
    pub(super) fn lines(&mut self, field: &str, text: String) -> Option<String> {
        let is_odd = |one: char| one.is_control() && !matches!(one, '\n' | '\r' | '\t');
        self.check_text(field, &text, is_odd).then_some(text)
    }

    fn check_text(&mut self, field: &str, text: &str, is_odd: impl Fn(char) -> bool) -> bool {
        if text.len() > TEXT_LENGTH_MAX {
            self.problem(field, format!("must have at most {TEXT_LENGTH_MAX} bytes"));
            return false;
        }
        if text.chars().any(is_odd) {
            self.problem(field, "must have no control characters");
            return false;
        }
        true
    }

    /// A value of a closed list, which has to be there.
    pub(super) fn code<T: Known>(&mut self, field: &str, code: i32) -> Option<T::Ours> {
        let value = T::try_from(code).ok().and_then(Known::known);
        if value.is_none() {
            self.problem(field, "must be one of the values of its list, and not unspecified");
        }
        value
    }

    /// A phone number: in national form it is one of that country.
    pub(super) fn number(
        &mut self,
        field: &str,
        text: &str,
        country: Option<&str>,
    ) -> Option<Number> {
        match Number::parse(text, country) {
            Ok(number) => Some(number),
            Err(problem) => {
                self.problem(field, problem.to_string());
                None
            }
        }
    }

    /// A phone number that we may know already: one in E.164 is taken though its country has no such
    /// numbers, as what was called, or said never, has to be told.
    pub(super) fn known_number(
        &mut self,
        field: &str,
        text: &str,
        country: Option<&str>,
    ) -> Option<Number> {
        match Number::parse(text, country) {
            Ok(number) => Some(number),
            Err(_) if Number::from_e164(text).is_some() => Number::from_e164(text),
            Err(_) => self.number(field, text, country),
        }
    }

    /// A country's ISO 3166 code; `None` also if it was not given.
    pub(super) fn country(&mut self, field: &str, code: &str) -> Option<String> {
        if code.is_empty() {
            return None;
        }
        if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            self.problem(field, "must be a country's ISO 3166 code of two letters: DE");
            return None;
        }
        Some(code.to_ascii_uppercase())
    }

    /// A country by whose plan numbers are read; `None` also if it was not given.
    pub(in crate::api) fn number_country(&mut self, field: &str, code: &str) -> Option<String> {
        let country = self.country(field, code)?;
        if !is_number_country(&country) {
            self.problem(field, "must be a country with phone numbers of its own: DE, GB");
            return None;
        }
        Some(country)
    }

    /// An e-mail address. Only what no address lacks is asked for: the rest is the mail server's.
    pub(super) fn email(&mut self, field: &str, text: &str) -> Option<String> {
        let text = self.text(field, text)?;
        let text = text.trim();
        let parts = text.rsplit_once('@');
        let has_parts = parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if !has_parts || text.contains(char::is_whitespace) || text.len() > 320 {
            self.problem(field, "must be an e-mail address");
            return None;
        }
        Some(text.to_owned())
    }

    /// A lease token, which has to be there.
    pub(super) fn token(&mut self, field: &str, text: &str) -> Option<LeaseToken> {
        let token = LeaseToken::from_text(text);
        if token.is_none() {
            self.problem(field, "must be a lease token as it was served");
        }
        token
    }

    /// Skills: sorted, without repeats.
    pub(super) fn skills(&mut self, field: &str, skills: &[String]) -> Option<BTreeSet<String>> {
        if skills.len() > SKILL_COUNT_MAX {
            self.problem(field, format!("must be at most {SKILL_COUNT_MAX}"));
            return None;
        }
        let read = |(nth, skill): (usize, &String)| self.word(&format!("{field}[{nth}]"), skill);
        // Each is read before any is missed, so that every bad one is told.
        let read: Vec<_> = skills.iter().enumerate().map(read).collect();
        read.into_iter().collect()
    }

    /// An instant; `None` also if it was not given.
    pub(super) fn instant(&mut self, field: &str, time: Option<&Timestamp>) -> Option<i64> {
        let time = time?;
        let ms = time.seconds.checked_mul(1_000);
        let ms = ms.and_then(|ms| ms.checked_add(i64::from(time.nanos / 1_000_000)));
        let ms = ms.filter(|ms| (0..INSTANT_END).contains(ms));
        if ms.is_none() || !(0..1_000_000_000).contains(&time.nanos) {
            self.problem(field, "must be an instant from 1970 to 9999");
            return None;
        }
        ms
    }

    /// An instant that has to be there.
    pub(super) fn instant_given(&mut self, field: &str, time: Option<&Timestamp>) -> Option<i64> {
        if time.is_none() {
            self.problem(field, "must be given");
        }
        self.instant(field, time)
    }

    /// An instant that is not in the future. A clock that runs ahead by up to `skew_ms_max` is
    /// forgiven: such an instant is cut to now.
    pub(super) fn past(&mut self, field: &str, at: i64, now: i64, skew_ms_max: i64) -> Option<i64> {
        if at > now.saturating_add(skew_ms_max) {
            self.problem(field, "must not be in the future");
            return None;
        }
        Some(at.min(now))
    }

    /// A duration from 0 to `ms_max`; `None` also if it was not given.
    pub(super) fn duration(
        &mut self,
        field: &str,
        duration: Option<&Duration>,
        ms_max: i64,
    ) -> Option<i64> {
        let duration = duration?;
        let ms = duration.seconds.checked_mul(1_000);
        let ms = ms.and_then(|ms| ms.checked_add(i64::from(duration.nanos / 1_000_000)));
        let ms = ms.filter(|ms| (0..=ms_max).contains(ms) && duration.nanos >= 0);
        if ms.is_none() {
            let seconds = ms_max / 1_000;
            self.problem(field, format!("must be a duration from 0 to {seconds} seconds"));
        }
        ms
    }

    /// How many are asked for; 0 asks for the default.
    pub(in crate::api) fn size(
        &mut self,
        field: &str,
        size: i32,
        default: usize,
        max: usize,
    ) -> Option<usize> {
        match usize::try_from(size) {
            Ok(0) => Some(default),
            Ok(size) => Some(size.min(max)),
            Err(_) => {
                self.problem(field, "must not be negative");
                None
            }
        }
    }

    /// A reason that may stand in a lead's history, which outlives an erasure: a word, or none.
    pub(in crate::api) fn reason(&mut self, field: &str, text: &str) -> Option<Option<String>> {
        let is_word = |one: char| one.is_ascii_alphanumeric() || one == '_' || one == '-';
        let length_max = AfterRule::REASON_LENGTH_MAX;
        if text.len() > length_max || !text.chars().all(is_word) {
            let problem =
                format!("must be a word of at most {length_max} letters, digits, `_` and `-`");
            self.problem(field, problem);
            return None;
        }
        Some((!text.is_empty()).then(|| text.to_owned()))
    }

    /// Names the request within its caller, bound to its method and body, if the client did:
    /// `Some(None)` if not.
    pub(in crate::api) fn request(
        &mut self,
        method: &str,
        scope: &str,
        id: &str,
        message: &impl Message,
    ) -> Option<Option<RequestKey>> {
        let id = self.id_if_given("request_id", id, RequestId::new)?;
        let caller = || scope.to_owned();
        let key = |id| RequestKey { caller: caller(), id, body_hash: body_hash(method, message) };
        Some(id.map(key))
    }
}

/// SHA-256 over the method's name and the message. Maps are kept in order, so equal messages have
/// equal bytes.
pub(super) fn body_hash(method: &str, message: &impl Message) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(method.as_bytes());
    hash.update([0]);
    hash.update(message.encode_to_vec());
    hash.finalize().into()
}

const _: () = assert!(ID_LENGTH_MAX == 128, "the proto files promise 128 characters");
const _: () = assert!(TEXT_LENGTH_MAX == 4_096, "the proto files promise 4,096 bytes");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::proto;
    use crate::domain::QueueId;

    fn time(seconds: i64, nanos: i32) -> Timestamp {
        Timestamp { seconds, nanos }
    }

    #[test]
    fn all_problems_are_told_at_once_with_their_fields() {
        let mut fields = Fields::default();
        assert_eq!(fields.id("queue_id", "", QueueId::new), None);
        assert_eq!(fields.number("number", "555 0100", None), None);
        assert_eq!(fields.text("name", "a\u{7}"), None);
        let Problems(problems) = fields.finish(None::<()>).unwrap_err();
        let names: Vec<_> = problems.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(names, ["queue_id", "number", "name"]);
        assert!(problems.iter().all(|one| !one.problem.contains("0100")));
    }

    #[test]
    fn an_instant_lies_between_1970_and_9999() {
        for (given, read) in [
            (time(0, 0), Some(0)),
            (time(1, 999_999_999), Some(1_999)),
            (time(253_402_300_799, 0), Some(253_402_300_799_000)),
            (time(253_402_300_800, 0), None),
            (time(-1, 0), None),
            (time(1, -1), None),
            (time(1, 1_000_000_000), None),
            (time(i64::MAX, 0), None),
        ] {
            let mut fields = Fields::default();
            assert_eq!(fields.instant("at", Some(&given)), read, "{given:?}");
            assert_eq!(fields.problems.is_empty(), read.is_some());
        }
    }

    #[test]
    fn a_duration_has_a_limit_and_no_sign() {
        for (seconds, nanos, read) in [
            (60, 500_000_000, Some(60_500)),
            (86_400, 0, Some(DAY_MS)),
            (86_400, 1_000_000, None),
            (0, -1, None),
            (i64::MAX, 0, None),
        ] {
            let mut fields = Fields::default();
            let given = Duration { seconds, nanos };
            assert_eq!(fields.duration("wait", Some(&given), DAY_MS), read, "{given:?}");
        }
    }

    #[test]
    fn a_clock_that_runs_a_little_ahead_is_forgiven() {
        let mut fields = Fields::default();
        assert_eq!(fields.past("at", 105, 100, 5), Some(100));
        assert_eq!(fields.past("at", 106, 100, 5), None);
        assert_eq!(fields.past("at", 50, 100, 5), Some(50));
    }

    #[test]
    fn an_address_has_a_name_and_a_host() {
        for (text, is_fine) in
            [("a@b", true), ("a b@c", false), ("@b", false), ("a@", false), ("ab", false)]
        {
            assert_eq!(Fields::default().email("email", text).is_some(), is_fine, "{text}");
        }
    }

    #[test]
    fn a_request_is_bound_to_method_caller_and_body() {
        let message =
            |rep: &str| proto::NextLeadRequest { rep_id: rep.into(), ..Default::default() };
        assert_eq!(body_hash("a", &message("x")), body_hash("a", &message("x")));
        assert_ne!(body_hash("a", &message("x")), body_hash("b", &message("x")));
        assert_ne!(body_hash("a", &message("x")), body_hash("a", &message("y")));
    }
}

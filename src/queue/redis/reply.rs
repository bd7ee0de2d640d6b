//! What a script answered, read value by value. Nothing in it is taken on trust: a Redis that was told
//! nonsense, or tells it, gives an error and no panic.

use redis::Value;

use super::link::RedisProblem;
use super::record::{lead_of, number_of};
use crate::domain::{LeadId, RepKey};
use crate::queue::Basis;

/// The values of an answer, in their order.
pub(super) struct Reply(std::vec::IntoIter<Value>);

impl Reply {
    /// The values of a list.
    pub(super) fn new(value: Value) -> Result<Self, RedisProblem> {
        match value {
            Value::Array(values) => Ok(Self(values.into_iter())),
            _ => Err(RedisProblem::Nonsense("a list")),
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    fn next(&mut self) -> Result<Value, RedisProblem> {
        self.0.next().ok_or(RedisProblem::Nonsense("one value more"))
    }

    /// A whole number, written as one or as text; `None`: nothing.
    pub(super) fn maybe_number(&mut self) -> Result<Option<i64>, RedisProblem> {
        const EXPECTED: RedisProblem = RedisProblem::Nonsense("a number");
        let text = match self.next()? {
            Value::Int(number) => return Ok(Some(number)),
            Value::Nil => return Ok(None),
            Value::BulkString(text) => text,
            _ => return Err(EXPECTED),
        };
        let text = std::str::from_utf8(&text).map_err(|_| EXPECTED)?;
        if let Ok(number) = text.parse() {
            return Ok(Some(number));
        }
        // Redis writes a large score as a double: 1.7e+12.
        let number: f64 = text.parse().map_err(|_| EXPECTED)?;
        let is_whole = number.fract() == 0.0 && number.abs() < 1e18;
        if is_whole { Ok(Some(number as i64)) } else { Err(EXPECTED) }
    }

    /// A whole number.
    pub(super) fn number(&mut self) -> Result<i64, RedisProblem> {
        self.maybe_number()?.ok_or(RedisProblem::Nonsense("a number"))
    }

    /// What leads are ranked by.
    pub(super) fn basis(&mut self) -> Result<Basis, RedisProblem> {
        Ok(Basis { rule_version: self.number()?, lane_version: self.number()? })
    }

    /// A number of things.
    pub(super) fn count(&mut self) -> Result<usize, RedisProblem> {
        usize::try_from(self.number()?).map_err(|_| RedisProblem::Nonsense("a count"))
    }

    /// Where a scan goes on; 0: it is over.
    pub(super) fn cursor(&mut self) -> Result<u64, RedisProblem> {
        let text = String::from_utf8(self.bytes()?).unwrap_or_default();
        text.parse().map_err(|_| RedisProblem::Nonsense("a cursor"))
    }

    /// Bytes.
    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, RedisProblem> {
        match self.next()? {
            Value::BulkString(bytes) => Ok(bytes),
            _ => Err(RedisProblem::Nonsense("bytes")),
        }
    }

    /// A lead.
    pub(super) fn lead(&mut self) -> Result<LeadId, RedisProblem> {
        lead_of(&self.bytes()?).ok_or(RedisProblem::Nonsense("a lead"))
    }

    /// A rep, or none: no text.
    pub(super) fn maybe_rep(&mut self) -> Result<Option<RepKey>, RedisProblem> {
        let text = self.bytes()?;
        if text.is_empty() {
            return Ok(None);
        }
        let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        number.map(|number| Some(RepKey(number))).ok_or(RedisProblem::Nonsense("a rep"))
    }

    /// An instant in bytes that sort, or none.
    pub(super) fn maybe_instant(&mut self) -> Result<Option<i64>, RedisProblem> {
        let bytes = self.bytes()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        number_of(&bytes).map(Some).ok_or(RedisProblem::Nonsense("an instant"))
    }
}

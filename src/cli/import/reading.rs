//! How the cells of one column are read: split, translated, filled in, and put where they belong.

use std::borrow::Cow;

use super::cell::{Fit, Times, put};
use super::field::Field;
use crate::api::proto::Lead;

/// How the cells of one column are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// What the column becomes; several: the parts of a cell that is split, in their order.
    pub(super) fields: Vec<Field>,
    /// What stands between the parts of a cell.
    pub(super) split: Option<String>,
    /// What stands for what, compared without regard to case.
    pub(super) values: Vec<(String, String)>,
    /// What an empty cell means.
    pub(super) default: Option<String>,
    /// How instants are written.
    pub(super) times: Times,
}

impl Reading {
    /// Cells are put into a field as they stand.
    pub(super) fn of(field: Field) -> Self {
        Self {
            fields: vec![field],
            split: None,
            values: Vec::new(),
            default: None,
            times: Times::default(),
        }
    }

    /// Whether a field is among those that the column becomes.
    pub(super) fn gives(&self, field: &Field) -> bool {
        self.fields.contains(field)
    }

    /// Whether a cell goes into its one field as it stands.
    pub(super) fn is_plain(&self) -> bool {
        self.split.is_none() && self.values.is_empty() && self.default.is_none()
    }

    /// Puts a cell into a lead.
    pub(super) fn put(&self, lead: &mut Lead, cell: &str) -> Result<Fit, String> {
        if self.is_plain() {
            let field = self.fields.first().expect("a reading has a field");
            return put(lead, field, cell, &self.times).map_err(str::to_owned);
        }
        let mut fit = Fit::Fits;
        for (field, part) in self.pieces(cell)? {
            if put(lead, &self.fields[field], &part, &self.times)? == Fit::KeptAsText {
                fit = Fit::KeptAsText;
            }
        }
        Ok(fit)
    }

    /// What a cell says, each with the place of its field.
    pub(super) fn pieces<'cell>(
        &'cell self,
        cell: &'cell str,
    ) -> Result<Vec<(usize, Cow<'cell, str>)>, String> {
        let Some(separator) = &self.split else { return Ok(vec![(0, self.meant(cell))]) };
        let parts: Vec<_> = match cell.trim() {
            "" => Vec::new(),
            text => text.split(separator.as_str()).map(str::trim).collect(),
        };
        let count = self.fields.len();
        if count == 1 {
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            return Ok(parts.map(|part| (0, self.meant(part))).collect());
        }
        if parts.len() > count {
            return Err(format!("has {} parts, the mapping has fields for {count}", parts.len()));
        }
        let parts = parts.into_iter().chain(std::iter::repeat(""));
        Ok((0..count).zip(parts).map(|(field, part)| (field, self.meant(part))).collect())
    }

    /// What stands in a cell, or in a part of one, translated.
    fn meant<'cell>(&'cell self, cell: &'cell str) -> Cow<'cell, str> {
        let text = cell.trim();
        let known = self.values.iter().find(|(from, _)| is_same(from, text));
        let meant = known.map_or(cell, |(_, to)| to.as_str());
        match &self.default {
            Some(default) if meant.trim().is_empty() => Cow::Borrowed(default.as_str()),
            _ => Cow::Borrowed(meant),
        }
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::cell::shown;
    use super::super::field::{Kind, Typing};
    use super::*;

    fn reading(fields: &[&str]) -> Reading {
        let fields = fields.iter().map(|name| Field::read(name).unwrap()).collect();
        Reading { fields, ..Reading::of(Field::Ignored) }
    }

    #[test]
    fn a_cell_is_split_into_fields_and_missing_parts_were_not_given() {
        let mut place = reading(&["region", "-", "country"]);
        place.split = Some("/".into());
        let mut lead = Lead::default();
        place.put(&mut lead, "Bavaria / 80331 / DE").unwrap();
        assert_eq!((lead.region.as_str(), lead.country.as_str()), ("Bavaria", "DE"));
        let mut lead = Lead::default();
        place.put(&mut lead, "Bavaria").unwrap();
        assert_eq!((lead.region.as_str(), lead.country.as_str()), ("Bavaria", ""));
        let problem = place.put(&mut lead, "a/b/c/d").unwrap_err();
        assert!(problem.contains("has 4 parts"), "{problem}");
    }

    #[test]
    fn a_list_is_split_where_the_mapping_says() {
        let mut numbers = reading(&["numbers"]);
        numbers.split = Some("/".into());
        let mut lead = Lead::default();
        numbers.put(&mut lead, "+49301 / +49302 /").unwrap();
        let numbers: Vec<_> = lead.numbers.iter().map(|one| one.number.as_str()).collect();
        assert_eq!(numbers, ["+49301", "+49302"]);
    }

    #[test]
    fn values_are_translated_and_empty_cells_filled_in() {
        let mut consent = Reading::of(Field::Attribute("ok".into(), Typing::Declared(Kind::Bool)));
        consent.values = vec![("Ja".into(), "true".into()), ("keine Angabe".into(), "".into())];
        consent.default = Some("false".into());
        let put = |cell: &str| {
            let mut lead = Lead::default();
            consent
                .put(&mut lead, cell)
                .map(|_| shown(lead.attributes["ok"].value.as_ref().unwrap()))
        };
        assert_eq!(put(" JA "), Ok("bool true".to_owned()));
        assert_eq!(put("keine angabe"), Ok("bool false".to_owned()));
        assert_eq!(put(""), Ok("bool false".to_owned()));
        assert_eq!(put("no"), Ok("bool false".to_owned()));
        assert!(put("vielleicht").is_err());
    }
}

//! The fields of a lead that rules may read: the built-in ones, and what a queue declares.
//!
//! A name becomes a [`Column`] when rules are compiled, so that no built-in field is looked up by
//! name while a lead is evaluated.

use super::Subject;
use crate::domain::Value;

/// The type of a field or an expression, as a document names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Double,
    Bool,
    Text,
}

impl Type {
    pub(super) const NAMES: [&'static str; 4] = ["int", "double", "bool", "string"];

    pub(super) fn from_name(name: &str) -> Option<Self> {
        let nth = Self::NAMES.iter().position(|known| *known == name)?;
        [Self::Int, Self::Double, Self::Bool, Self::Text].get(nth).copied()
    }

    pub(super) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The name with its article.
    pub(super) fn one(self) -> &'static str {
        ["an int", "a double", "a bool", "a string"][self as usize]
    }
}

/// Where a value of a lead is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Source,
    SourceSystem,
    Campaign,
    Channel,
    Trigger,
    Stage,
    Score,
    Country,
    Region,
    Language,
    Attempts,
    LastDisposition,
    Engagements,
    Owner,
    /// A declared field: its place among those.
    Declared(u16),
}

const BUILT_IN: [(&str, Column, Type); 14] = [
    ("source", Column::Source, Type::Text),
    ("source_system", Column::SourceSystem, Type::Text),
    ("campaign", Column::Campaign, Type::Text),
    ("channel", Column::Channel, Type::Text),
    ("trigger", Column::Trigger, Type::Text),
    ("stage", Column::Stage, Type::Text),
    ("score", Column::Score, Type::Double),
    ("country", Column::Country, Type::Text),
    ("region", Column::Region, Type::Text),
    ("language", Column::Language, Type::Text),
    ("attempts", Column::Attempts, Type::Int),
    ("last_disposition", Column::LastDisposition, Type::Text),
    ("engagements", Column::Engagements, Type::Int),
    ("owner", Column::Owner, Type::Text),
];

/// Whether a name is that of a built-in field.
pub(super) fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|(known, ..)| *known == name)
}

/// The declared fields of a rule set.
#[derive(Clone, Debug, Default)]
pub(super) struct Schema {
    /// In the order of their columns.
    declared: Vec<(Box<str>, Option<Type>)>,
}

impl Schema {
    /// Declares a field, of an unknown type if that was a mistake. The caller checks its name and
    /// that there are not too many.
    pub(super) fn declare(&mut self, name: &str, kind: Option<Type>) {
        self.declared.push((name.into(), kind));
    }

    /// The field of a name, and its type as far as known.
    pub(super) fn find(&self, name: &str) -> Option<(Column, Option<Type>)> {
        let built_in = BUILT_IN.iter().find(|(known, ..)| *known == name);
        if let Some((_, column, kind)) = built_in {
            return Some((*column, Some(*kind)));
        }
        let nth = self.declared.iter().position(|(known, _)| **known == *name)?;
        Some((Column::Declared(u16::try_from(nth).ok()?), self.declared[nth].1))
    }

    /// All names that rules may use.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let built_in = BUILT_IN.iter().map(|(name, ..)| *name);
        built_in.chain(self.declared.iter().map(|(name, _)| &**name))
    }

    /// The name of a column.
    pub(super) fn name(&self, column: Column) -> &str {
        match column {
            Column::Declared(nth) => &self.declared[usize::from(nth)].0,
            _ => BUILT_IN.iter().find(|one| one.1 == column).map_or("", |(name, ..)| name),
        }
    }
}

/// Why an expression has no value for a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The lead has no value there.
    Missing(Column),
    /// The lead has a value of another type there.
    WrongType(Column),
    /// The result does not fit its type.
    Overflow,
    /// Divided by zero.
    DivisionByZero,
}

impl Fault {
    /// What `explain` says.
    pub(super) fn reason(self, schema: &Schema) -> String {
        match self {
            Self::Missing(column) => format!("the lead has no `{}`", schema.name(column)),
            Self::WrongType(column) => {
                format!("the lead's `{}` is not of the declared type", schema.name(column))
            }
            Self::Overflow => "a number is too large".to_owned(),
            Self::DivisionByZero => "division by zero".to_owned(),
        }
    }
}

/// A lead, as the columns of a rule set.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) schema: &'a Schema,
}

/// 2^53: up to here every whole number is exact in a double.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl<'a> Row<'a> {
    /// Whether there is a value.
    pub(super) fn has(self, column: Column) -> bool {
        match column {
            Column::Attempts | Column::Engagements => true,
            Column::Score => self.subject.facts.score.is_some(),
            Column::Declared(nth) => self.attribute(nth).is_some(),
            _ => self.built_in_text(column).is_some(),
        }
    }

    pub(super) fn int(self, column: Column) -> Result<i64, Fault> {
        match column {
            Column::Attempts => Ok(i64::from(self.subject.attempts)),
            Column::Engagements => Ok(self.subject.facts.engagement_count()),
            Column::Declared(nth) => match self.attribute(nth) {
                Some(Value::Int(int)) => Ok(*int),
                // JSON and protobuf know one type of numbers: a whole one is a whole one.
                Some(Value::Double(double))
                    if double.fract() == 0.0 && double.abs() <= EXACT_MAX =>
                {
                    Ok(*double as i64)
                }
                Some(_) => Err(Fault::WrongType(column)),
                None => Err(Fault::Missing(column)),
            },
            _ => Err(Fault::WrongType(column)),
        }
    }

    /// A number that is finite, whatever the door let in.
    pub(super) fn double(self, column: Column) -> Result<f64, Fault> {
        let double = match column {
            Column::Score => self.subject.facts.score.ok_or(Fault::Missing(column))?,
            Column::Declared(nth) => match self.attribute(nth) {
                Some(Value::Int(int)) => *int as f64,
                Some(Value::Double(double)) => *double,
                Some(_) => return Err(Fault::WrongType(column)),
                None => return Err(Fault::Missing(column)),
            },
            _ => return Err(Fault::WrongType(column)),
        };
        if double.is_finite() { Ok(double) } else { Err(Fault::WrongType(column)) }
    }

    pub(super) fn flag(self, column: Column) -> Result<bool, Fault> {
        let Column::Declared(nth) = column else { return Err(Fault::WrongType(column)) };
        match self.attribute(nth) {
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Fault::WrongType(column)),
            None => Err(Fault::Missing(column)),
        }
    }

    pub(super) fn text(self, column: Column) -> Result<&'a str, Fault> {
        if let Column::Declared(nth) = column {
            return match self.attribute(nth) {
                Some(Value::Text(text)) => Ok(text),
                Some(_) => Err(Fault::WrongType(column)),
                None => Err(Fault::Missing(column)),
            };
        }
        self.built_in_text(column).ok_or(Fault::Missing(column))
    }

    fn attribute(self, nth: u16) -> Option<&'a Value> {
        let (name, _) = &self.schema.declared[usize::from(nth)];
        self.subject.facts.attributes.get(&**name)
    }

    fn built_in_text(self, column: Column) -> Option<&'a str> {
        let (subject, facts) = (self.subject, self.subject.facts);
        match column {
            Column::Source => Some(&facts.source),
            Column::SourceSystem => Some(subject.source_system),
            Column::Campaign => Some(subject.campaign),
            Column::Channel => facts.channel.as_deref(),
            Column::Trigger => facts.trigger.as_deref(),
            Column::Stage => facts.stage.as_deref(),
            Column::Country => facts.country.as_deref(),
            Column::Region => facts.region.as_deref(),
            Column::Language => facts.language.as_deref(),
            Column::LastDisposition => subject.last_disposition.map(|one| one.code()),
            Column::Owner => subject.owner,
            Column::Score | Column::Attempts | Column::Engagements | Column::Declared(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Facts;

    #[test]
    fn a_number_is_read_as_declared_if_nothing_is_lost() {
        let mut schema = Schema::default();
        schema.declare("number", Some(Type::Int));
        let column = Column::Declared(0);
        let read = |value: Value| {
            let attributes = [("number".to_owned(), value)].into();
            let facts = Facts { attributes, ..Facts::default() };
            let subject = Subject {
                facts: &facts,
                source_system: "crm",
                campaign: "fair",
                attempts: 0,
                last_disposition: None,
                handed_over_at: 0,
                owner: None,
            };
            let row = Row { subject: &subject, schema: &schema };
            (row.int(column), row.double(column))
        };
        let wrong = Fault::WrongType(column);
        assert_eq!(read(Value::Int(16_777_217)), (Ok(16_777_217), Ok(16_777_217.0)));
        assert_eq!(read(Value::Double(5.0)), (Ok(5), Ok(5.0)));
        assert_eq!(read(Value::Double(5.5)), (Err(wrong), Ok(5.5)));
        assert_eq!(read(Value::Double(1e17)), (Err(wrong), Ok(1e17)));
        assert_eq!(read(Value::Double(f64::NAN)), (Err(wrong), Err(wrong)));
        assert_eq!(read(Value::Bool(true)), (Err(wrong), Err(wrong)));
    }

    #[test]
    fn every_column_has_the_name_that_finds_it() {
        let mut schema = Schema::default();
        schema.declare("first", Some(Type::Int));
        schema.declare("second", Some(Type::Bool));
        assert_eq!(schema.names().count(), 16);
        for name in schema.names() {
            let (column, _) = schema.find(name).expect(name);
            assert_eq!(schema.name(column), name);
        }
    }
}

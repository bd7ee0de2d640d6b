//! What a column or a key becomes: a field of the lead, a part of its handover's key, or an attribute.
//!
//! A name that equals a field's is that field; a mapping says otherwise; everything else becomes an
//! attribute under its own name, so that nothing a file carries is dropped in silence.

use crate::rules::hint;

/// What stands before the names of columns that are ignored: what a rejects file and an export add.
const ADDED_PREFIXES: [&str; 2] = ["rejected_", "nextlead."];
/// What stands before an attribute's name where a field is named.
const ATTRIBUTE_PREFIX: &str = "attributes.";

/// What a column becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    SourceSystem,
    ExternalId,
    CampaignId,
    HandedOverTime,
    Name,
    Company,
    Email,
    Numbers,
    TimeZone,
    Source,
    Channel,
    Trigger,
    Stage,
    Score,
    Country,
    Region,
    Language,
    Skills,
    Engagements,
    OwnerRepId,
    /// All attributes at once: an object in NDJSON, its text in CSV.
    Attributes,
    Attribute(String, Typing),
    Ignored,
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Double,
    Text,
}

/// How the type of an attribute came about, and so what becomes of a cell that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typing {
    /// Each cell is what it looks like; in JSON, what it is.
    Open,
    /// So the first rows look. A cell that would not come back the same stays a text.
    Guessed(Kind),
    /// So the queue's rules declare it. A cell that cannot be read so stays a text.
    ByRules(Kind),
    /// So the mapping says. A cell that cannot be read so is refused with its row.
    Declared(Kind),
}

/// Fields by their names, the name that is written first.
const FIELDS: [(&str, Field); 24] = [
    ("source_system", Field::SourceSystem),
    ("external_id", Field::ExternalId),
    ("campaign_id", Field::CampaignId),
    ("handed_over_time", Field::HandedOverTime),
    ("handed_over_at", Field::HandedOverTime),
    ("name", Field::Name),
    ("company", Field::Company),
    ("email", Field::Email),
    ("numbers", Field::Numbers),
    ("number", Field::Numbers),
    ("phone", Field::Numbers),
    ("phone_number", Field::Numbers),
    ("time_zone", Field::TimeZone),
    ("source", Field::Source),
    ("channel", Field::Channel),
    ("trigger", Field::Trigger),
    ("stage", Field::Stage),
    ("score", Field::Score),
    ("country", Field::Country),
    ("region", Field::Region),
    ("language", Field::Language),
    ("skills", Field::Skills),
    ("engagements", Field::Engagements),
    ("owner_rep_id", Field::OwnerRepId),
];

const KINDS: [(&str, Kind); 4] =
    [("bool", Kind::Bool), ("int", Kind::Int), ("double", Kind::Double), ("string", Kind::Text)];

impl Kind {
    /// The word for it, as mappings and rules write it.
    pub(super) fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Reads the word for it.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }
}

impl Field {
    /// What a column becomes by its name alone: `Time Zone` is `time_zone`.
    pub(super) fn of_column(column: &str) -> Self {
        let name = column.trim();
        let folded = name.to_ascii_lowercase().replace([' ', '-'], "_");
        if folded == "attributes" {
            return Self::Attributes;
        }
        if folded == "nextlead" || ADDED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix)) {
            return Self::Ignored;
        }
        if let Some(attribute) = name.strip_prefix(ATTRIBUTE_PREFIX).filter(|one| !one.is_empty()) {
            return Self::Attribute(attribute.to_owned(), Typing::Open);
        }
        match FIELDS.iter().find(|(field, _)| *field == folded) {
            Some((_, field)) => field.clone(),
            None => Self::Attribute(name.to_owned(), Typing::Open),
        }
    }

    /// Reads a field as mappings and flags name it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Ignored);
        }
        if text == "attributes" {
            return Ok(Self::Attributes);
        }
        if let Some(attribute) = text.strip_prefix(ATTRIBUTE_PREFIX) {
            return Self::read_attribute(attribute);
        }
        let known = FIELDS.iter().find(|(field, _)| *field == text);
        known.map(|(_, field)| field.clone()).ok_or_else(|| {
            let hint = hint(text, FIELDS.iter().map(|(field, _)| *field));
            let fields: Vec<_> = FIELDS.iter().map(|(field, _)| *field).collect();
            match hint.is_empty() {
                false => format!("`{text}` is no field{hint}"),
                true => {
                    let fields = fields.join(", ");
                    format!("`{text}` is none of: {fields}, attributes.NAME, -")
                }
            }
        })
    }

    fn read_attribute(text: &str) -> Result<Self, String> {
        let (name, typing) = match text.rsplit_once(':') {
            None => (text, Typing::Open),
            Some((name, kind)) => match Kind::from_name(kind) {
                Some(kind) => (name, Typing::Declared(kind)),
                None => {
                    let hint = hint(kind, KINDS.iter().map(|(name, _)| *name));
                    return Err(format!("`{kind}` is none of bool, int, double, string{hint}"));
                }
            },
        };
        match name {
            "" => Err("an attribute needs a name: attributes.NAME".to_owned()),
            name => Ok(Self::Attribute(name.to_owned(), typing)),
        }
    }

    /// The field as mappings name it: what [`Field::read`] reads.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Ignored => "-".to_owned(),
            Self::Attributes => "attributes".to_owned(),
            Self::Attribute(name, Typing::Open) => format!("{ATTRIBUTE_PREFIX}{name}"),
            Self::Attribute(
                name,
                Typing::Guessed(kind) | Typing::ByRules(kind) | Typing::Declared(kind),
            ) => format!("{ATTRIBUTE_PREFIX}{name}:{}", kind.name()),
            field => {
                let known = FIELDS.iter().find(|(_, known)| known == field);
                known.map_or("", |(name, _)| name).to_owned()
            }
        }
    }

    /// Whether it takes several values, so that several columns may fill it.
    pub(super) fn is_list(&self) -> bool {
        matches!(self, Self::Numbers | Self::Skills)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_fields_by_their_names_and_attributes_else() {
        let open = |name: &str| Field::Attribute(name.into(), Typing::Open);
        for (column, field) in [
            ("Time Zone", Field::TimeZone),
            ("E-Mail", open("E-Mail")),
            ("email", Field::Email),
            ("phone", Field::Numbers),
            ("campaign_id", Field::CampaignId),
            (" Employees ", open("Employees")),
            ("attributes.size", open("size")),
            ("rejected_reason", Field::Ignored),
            ("nextlead.standing", Field::Ignored),
        ] {
            assert_eq!(Field::of_column(column), field, "{column}");
        }
    }

    #[test]
    fn every_name_that_is_written_reads_back() {
        for (_, field) in FIELDS {
            assert_eq!(Field::read(&field.name()), Ok(field));
        }
        for name in ["-", "attributes", "attributes.a:b:int", "attributes.x", "attributes.y:bool"] {
            assert_eq!(Field::read(name).map(|field| field.name()).as_deref(), Ok(name));
        }
    }

    #[test]
    fn what_is_no_field_is_refused_with_the_nearest_one() {
        let check = |text: &str, expected: &str| {
            let problem = Field::read(text).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        };
        check("fone", "`fone` is no field; did you mean `phone`?");
        check("telephone", "`telephone` is none of: source_system");
        check("compny", "did you mean `company`?");
        check("attributes.plz:text", "none of bool, int, double, string");
        check("attributes.plz:boole", "did you mean `bool`?");
        check("attributes.", "needs a name");
    }
}

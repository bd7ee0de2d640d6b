//! What flags and a mapping file say together, held against the columns that a file has. Flags go
//! before the mapping; whatever does not fit is told at once, before anything is sent.

use std::collections::HashSet;

use anyhow::bail;

use super::cell::{Times, put};
use super::field::Field;
use super::mapping::{Mapped, Mapping, Others};
use super::reading::Reading;
use super::rows::Column;
use crate::api::proto::{HandoverKey, Lead};
use crate::rules::hint;

/// The id column that takes the rows' numbers.
pub(super) const ROW_NUMBER: &str = "#";

/// What flags say.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    pub(super) campaign_id: Option<String>,
    pub(super) source_system: Option<String>,
    pub(super) id_column: Option<String>,
    pub(super) maps: Vec<(String, Field)>,
    pub(super) sets: Vec<(Field, String)>,
}

/// What is said about all rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Empty: a column says it.
    pub(super) campaign_id: String,
    /// Empty: a column says it.
    pub(super) source_system: String,
    /// The row's number is its external id.
    pub(super) is_id_row_number: bool,
    pub(super) columns: Vec<Mapped>,
    pub(super) constants: Vec<(Field, String)>,
    pub(super) others: Others,
    /// The mapping file, as mistakes name it.
    pub(super) mapping_file: String,
}

impl Plan {
    /// Puts flags before a mapping file.
    pub(super) fn of(flags: Flags, mapping: Mapping, mapping_file: String) -> Self {
        let mut columns: Vec<Mapped> = Vec::new();
        let is_row_number = |column: &Option<String>| column.as_deref() == Some(ROW_NUMBER);
        let names_id =
            |maps: &[(String, Field)]| maps.iter().any(|(_, one)| *one == Field::ExternalId);
        let has_own_id = flags.id_column.is_some() || names_id(&flags.maps);
        let id_column = if has_own_id { flags.id_column } else { mapping.id_column };
        let is_id_row_number = is_row_number(&id_column);
        let id_map = id_column.filter(|_| !is_id_row_number).map(|name| (name, Field::ExternalId));
        let is_flag = |line: Option<u32>| line.is_none();
        for (name, field) in id_map.into_iter().chain(flags.maps) {
            columns.push(Mapped { name, reading: Reading::of(field), line: None });
        }
        for mut column in mapping.columns {
            let is_taken =
                |one: &Mapped| is_flag(one.line) && one.name.trim() == column.name.trim();
            let gives = |field: &Field| column.reading.gives(field);
            if columns.iter().any(is_taken) || (has_own_id && gives(&Field::ExternalId)) {
                continue;
            }
            let is_said = (flags.campaign_id.is_some() && gives(&Field::CampaignId))
                || (flags.source_system.is_some() && gives(&Field::SourceSystem));
            if is_said {
                column.reading = Reading::of(Field::Ignored);
            }
            columns.push(column);
        }
        let is_set = |field: &Field| flags.sets.iter().any(|(set, _)| set == field);
        let constants = mapping.constants.into_iter().filter(|(field, _)| !is_set(field));
        Self {
            campaign_id: flags.campaign_id.or(mapping.campaign_id).unwrap_or_default(),
            source_system: flags.source_system.or(mapping.source_system).unwrap_or_default(),
            is_id_row_number,
            columns,
            constants: constants.chain(flags.sets.iter().cloned()).collect(),
            others: mapping.others,
            mapping_file,
        }
    }

    /// What every row starts from.
    pub(super) fn template(&self) -> anyhow::Result<Lead> {
        let key = HandoverKey {
            source_system: self.source_system.clone(),
            external_id: String::new(),
            campaign_id: self.campaign_id.clone(),
        };
        let mut lead = Lead { handover_key: Some(key), ..Lead::default() };
        for (field, value) in &self.constants {
            if let Err(problem) = put(&mut lead, field, value, &Times::default()) {
                bail!("what is set for all rows: {problem}");
            }
        }
        Ok(lead)
    }

    /// What a column becomes that nobody names, or why it cannot be.
    pub(super) fn unnamed(&self, name: &str) -> Result<Field, String> {
        let field = match Field::of_column(name) {
            Field::CampaignId if !self.campaign_id.is_empty() => attribute(name),
            Field::SourceSystem if !self.source_system.is_empty() => attribute(name),
            field => field,
        };
        match (&field, self.others) {
            (Field::Attribute(..), Others::Ignore) => Ok(Field::Ignored),
            (Field::Attribute(..), Others::Refuse) => {
                Err(format!("the column '{name}' is neither in the mapping nor a field"))
            }
            _ => Ok(field),
        }
    }

    /// How a column is read, by its name.
    pub(super) fn column(&self, name: &str) -> Result<Column, String> {
        let named = self.columns.iter().find(|column| column.name.trim() == name);
        let reading = match named {
            Some(column) => column.reading.clone(),
            None => Reading::of(self.unnamed(name)?),
        };
        Ok(Column { name: name.to_owned(), reading, is_named: named.is_some() })
    }

    /// What each column of a header becomes. Tells all that does not fit.
    pub(super) fn columns(&self, names: &[String]) -> anyhow::Result<Vec<Column>> {
        let mut columns = Vec::with_capacity(names.len());
        let mut wrong = Vec::new();
        for name in names {
            match self.column(name) {
                Ok(column) => columns.push(column),
                Err(problem) => wrong.push(problem),
            }
        }
        let is_there = |column: &&Mapped| names.iter().any(|name| name == column.name.trim());
        for column in self.columns.iter().filter(|column| !is_there(column)) {
            wrong.push(self.missing(column, names));
        }
        wrong.extend(twice(&columns));
        self.check_key(&columns, names, &mut wrong);
        match wrong.as_slice() {
            [] => Ok(columns),
            [one] => bail!("{one}"),
            many => bail!("{} mistakes:\n  {}", many.len(), many.join("\n  ")),
        }
    }

    fn missing(&self, column: &Mapped, names: &[String]) -> String {
        let place = match column.line {
            Some(line) => format!("{}:{line}: ", self.mapping_file),
            None => String::new(),
        };
        let hint = hint(column.name.trim(), names.iter().map(String::as_str));
        let names = names.join(", ");
        format!("{place}there is no column '{}'; there are: {names}{hint}", column.name)
    }

    fn check_key(&self, columns: &[Column], names: &[String], wrong: &mut Vec<String>) {
        let count = |field: &Field| columns.iter().filter(|one| one.reading.gives(field)).count();
        let names = names.join(", ");
        match count(&Field::ExternalId) {
            0 if !self.is_id_row_number => wrong.push(format!(
                "no column is the external id, which tells the rows apart when they are sent \
                 again; name one with --id-column, or take the rows' numbers with \
                 --id-column '#'; there are: {names}"
            )),
            0 | 1 => {}
            _ => wrong.push(
                "several columns are the external id; leave one out with --map COLUMN=-".to_owned(),
            ),
        }
        let is_set = |field: &Field| self.constants.iter().any(|(set, _)| set == field);
        for (value, field, flag) in [
            (&self.campaign_id, Field::CampaignId, "--campaign"),
            (&self.source_system, Field::SourceSystem, "--source-system"),
        ] {
            if value.is_empty() && count(&field) == 0 && !is_set(&field) {
                let name = field.name();
                wrong.push(format!("nothing says the {name}: name it with {flag}, in the mapping, or in a column '{name}'"));
            }
        }
    }
}

fn attribute(name: &str) -> Field {
    Field::Attribute(name.trim().to_owned(), super::field::Typing::Open)
}

/// Columns without a name of their own, and attributes that two columns would fill.
fn twice(columns: &[Column]) -> Vec<String> {
    let mut attributes = HashSet::new();
    let mut wrong = Vec::new();
    for column in columns {
        for field in &column.reading.fields {
            if let Field::Attribute(attribute, _) = field
                && (attribute.is_empty() || !attributes.insert(attribute))
            {
                wrong.push(format!(
                    "the column '{0}' has no name of its own; is the first line a header? \
                     To leave the column out: --map '{0}=-'",
                    column.name
                ));
            }
        }
    }
    wrong
}

/// Reads one `--map column=field`.
pub(super) fn read_map(text: &str) -> Result<(String, Field), String> {
    // The last `=`, as a column's name may have one and a field's does not.
    let (column, field) = text.rsplit_once('=').ok_or("column=field is needed")?;
    Ok((column.to_owned(), Field::read(field)?))
}

/// Reads one `--set field=value`.
pub(super) fn read_set(text: &str) -> Result<(Field, String), String> {
    let (field, value) = text.split_once('=').ok_or("field=value is needed")?;
    let field = Field::read(field)?;
    super::mapping::check_constant(&field, value)?;
    Ok((field, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::field::{Kind, Typing};
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn flags() -> Flags {
        let campaign_id = Some("spring".into());
        Flags { campaign_id, source_system: Some("crm".into()), ..Flags::default() }
    }

    fn plan(flags: Flags, document: &str) -> Plan {
        Plan::of(flags, super::super::mapping::read(document).unwrap(), "map.toml".into())
    }

    fn fields(plan: &Plan, header: &str) -> Vec<String> {
        let columns = plan.columns(&names(header)).unwrap();
        columns.iter().map(|column| column.reading.fields[0].name()).collect()
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        let file = "campaign = \"fall\"\nid_column = \"nr\"\n[columns]\na = \"name\"\n\
                    camp = \"campaign_id\"\n[constants]\nsource = \"fair\"\nchannel = \"web\"\n";
        let mut said = flags();
        said.id_column = Some("lead".into());
        said.maps = vec![("a".into(), Field::Company)];
        said.sets = vec![(Field::Source, "list".into())];
        let plan = plan(said, file);
        assert_eq!(plan.campaign_id, "spring");
        assert_eq!(
            fields(&plan, "nr,lead,a,camp"),
            ["attributes.nr", "external_id", "company", "-"]
        );
        let template = plan.template().unwrap();
        assert_eq!((template.source.as_str(), template.channel.as_str()), ("list", "web"));
    }

    #[test]
    fn the_key_may_stand_in_columns() {
        let plan = plan(Flags::default(), "");
        let header = "source_system,external_id,campaign_id";
        assert_eq!(fields(&plan, header), ["source_system", "external_id", "campaign_id"]);
        let said = Plan::of(flags(), Mapping::default(), String::new());
        assert_eq!(
            fields(&said, header),
            ["attributes.source_system", "external_id", "attributes.campaign_id"]
        );
    }

    #[test]
    fn other_columns_are_attributes_or_nothing_or_refused() {
        let header = names("external_id,name,more");
        let columns = |others: &str| plan(flags(), others).columns(&header);
        let more = |others: &str| columns(others).unwrap()[2].reading.fields[0].clone();
        assert_eq!(more(""), Field::Attribute("more".into(), Typing::Open));
        assert_eq!(more("others = \"ignore\""), Field::Ignored);
        let problem = columns("others = \"refuse\"").unwrap_err().to_string();
        assert!(problem.contains("'more' is neither in the mapping nor a field"), "{problem}");
    }

    #[test]
    fn what_does_not_fit_the_header_is_told_at_once_with_its_line() {
        let file = "[columns]\nnmae = \"name\"\nmobil = \"phone\"\n";
        let problem = plan(Flags::default(), file).columns(&names("name,mobile")).unwrap_err();
        let problem = problem.to_string();
        for part in [
            "5 mistakes",
            "map.toml:2: there is no column 'nmae'",
            "did you mean `name`?",
            "map.toml:3: there is no column 'mobil'",
            "no column is the external id",
            "nothing says the campaign_id",
            "nothing says the source_system",
        ] {
            assert!(problem.contains(part), "{part} is not in {problem}");
        }
    }

    #[test]
    fn maps_and_sets_are_read_or_refused_with_the_choices() {
        assert_eq!(read_map("a=b=phone"), Ok(("a=b".into(), Field::Numbers)));
        assert_eq!(read_map("x=-"), Ok(("x".into(), Field::Ignored)));
        let plz = Field::Attribute("plz".into(), Typing::Declared(Kind::Text));
        assert_eq!(read_map("x=attributes.plz:string"), Ok(("x".into(), plz)));
        assert!(read_map("x").is_err());
        assert!(read_map("x=fone").unwrap_err().contains("phone"));
        assert_eq!(read_set("source=fair=1"), Ok((Field::Source, "fair=1".into())));
        assert!(read_set("external_id=1").is_err());
        assert!(read_set("score=high").is_err());
    }
}

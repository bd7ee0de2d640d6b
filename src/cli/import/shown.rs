//! What an import would do, shown before it does it: columns, types and examples; and the question
//! whether that is meant.

use std::io::{self, BufRead, IsTerminal as _, Write};

use serde_json::{Value, json};

use super::field::{Field, Typing};
use super::rows::Column;
use super::types::Profile;
use crate::cli::output::{count, printable, table};

/// What the columns are, after the first rows were looked at.
pub(super) struct Shown {
    pub(super) columns: Vec<Column>,
    pub(super) profiles: Vec<Profile>,
    /// How many rows were looked at.
    pub(super) row_count: usize,
    /// Whether they were all.
    pub(super) is_all: bool,
    /// Why the rules' types are not known, if they are not.
    pub(super) note: Option<String>,
}

impl Shown {
    /// Whether a type is a guess.
    pub(super) fn has_guesses(&self) -> bool {
        let fields = self.columns.iter().flat_map(|column| &column.reading.fields);
        fields.into_iter().any(|field| matches!(field, Field::Attribute(_, Typing::Guessed(_))))
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let rows = self.rows().map(|(column, field, profile)| {
            [
                column.name.clone(),
                becomes(field),
                type_of(field),
                from(column, field).to_owned(),
                count(i64::try_from(profile.filled).unwrap_or(i64::MAX)),
                printable(&profile.example),
            ]
        });
        let header = ["column", "becomes", "type", "by", "filled", "example"];
        let mut text = table(header, &[4], rows);
        let row_count = count(i64::try_from(self.row_count).unwrap_or(i64::MAX));
        text.push_str(&match (self.row_count, self.is_all) {
            (0, _) => "There are no rows.\n".to_owned(),
            (1, true) => "As its one row looks.\n".to_owned(),
            (_, true) => format!("As all {row_count} rows look.\n"),
            (_, false) => format!(
                "As the first {row_count} rows look. A later cell that does not look like its \
                 guessed type stays a text.\n"
            ),
        });
        if let Some(note) = &self.note {
            text.push_str(note);
            text.push('\n');
        }
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let columns = self.rows().map(|(column, field, profile)| {
            json!({
                "column": column.name,
                "becomes": becomes(field),
                "type": type_of(field),
                "by": from(column, field),
                "filled_count": profile.filled,
                "example": profile.example,
            })
        });
        columns.collect()
    }

    /// Each column, once for every field that it becomes.
    fn rows(&self) -> impl Iterator<Item = (&Column, &Field, &Profile)> {
        let columns = self.columns.iter().zip(&self.profiles);
        columns.flat_map(|(column, profile)| {
            column.reading.fields.iter().map(move |field| (column, field, profile))
        })
    }
}

fn becomes(field: &Field) -> String {
    match field {
        Field::Attribute(name, _) => format!("attributes.{name}"),
        Field::Ignored => "nothing".to_owned(),
        field => field.name(),
    }
}

fn type_of(field: &Field) -> String {
    match field {
        Field::Attribute(_, Typing::Open) => "as written".to_owned(),
        Field::Attribute(
            _,
            Typing::Guessed(kind) | Typing::ByRules(kind) | Typing::Declared(kind),
        ) => kind.name().to_owned(),
        _ => String::new(),
    }
}

/// Who says so.
fn from(column: &Column, field: &Field) -> &'static str {
    match field {
        Field::Attribute(_, Typing::Guessed(_)) => "guess",
        Field::Attribute(_, Typing::ByRules(_)) => "rules",
        _ if column.is_named => "mapping",
        _ => "name",
    }
}

/// Asks on a terminal whether that is meant; elsewhere nobody could answer, so nobody is asked.
pub(super) fn is_meant(shown: &Shown) -> io::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(true);
    }
    ask(shown, &mut io::stdin().lock(), &mut io::stderr().lock())
}

fn ask(shown: &Shown, input: &mut impl BufRead, output: &mut impl Write) -> io::Result<bool> {
    write!(output, "{}Import with these types? [y/N] ", shown.text())?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::super::field::Kind;
    use super::super::reading::Reading;
    use super::*;

    fn shown() -> Shown {
        let column = |name: &str, field, is_named| Column {
            name: name.into(),
            reading: Reading::of(field),
            is_named,
        };
        let attribute = |name: &str, typing| Field::Attribute(name.into(), typing);
        Shown {
            columns: vec![
                column("mobile", Field::Numbers, true),
                column("plz", attribute("plz", Typing::Guessed(Kind::Text)), false),
                column("size", attribute("size", Typing::ByRules(Kind::Int)), false),
                column("old", Field::Ignored, true),
            ],
            profiles: vec![Profile { filled: 2, example: "01067".into() }; 4],
            row_count: 10_000,
            is_all: false,
            note: Some("A note.".into()),
        }
    }

    #[test]
    fn each_column_is_shown_with_its_type_and_who_says_so() {
        let text = shown().text();
        for part in [
            "mobile  numbers           ",
            "attributes.plz   string  guess",
            "attributes.size  int     rules",
            "old     nothing                  mapping",
            "As the first 10,000 rows look.",
            "A note.",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert_eq!(shown().json()[2]["by"], "rules");
        assert!(shown().has_guesses());
    }

    #[test]
    fn only_a_yes_is_one() {
        let answer = |text: &str| ask(&shown(), &mut text.as_bytes(), &mut Vec::new()).unwrap();
        assert!(answer("y\n") && answer("YES\n"));
        assert!(!answer("\n") && !answer("") && !answer("nay\n"));
    }
}

//! What the first rows tell about each column: how many cells are filled, an example, and for an
//! attribute the type that all of them have.

use std::collections::HashMap;

use csv::ByteRecord;

use super::cell::{DOUBLE_DIGIT_COUNT_MAX, inferred};
use super::field::{Field, Kind, Typing};
use super::rows::Column;
use crate::api::proto::attribute_value::Value;

/// The types of attributes that a queue's rules declare.
pub(super) type DeclaredKinds = HashMap<String, Kind>;

/// How much of an example is shown, in characters.
const EXAMPLE_LENGTH_MAX: usize = 24;

/// What the first rows tell about a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    /// How many cells hold something.
    pub(super) filled: usize,
    /// The first cell that does, shortened.
    pub(super) example: String,
}

/// The type that all cells so far have.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    kind: Option<Kind>,
    /// Whether a whole number was too long for a double to hold.
    has_long_int: bool,
}

impl Seen {
    fn add(&mut self, cell: &str) {
        if cell.trim().is_empty() {
            return;
        }
        let kind = match inferred(cell) {
            Value::BoolValue(_) => Kind::Bool,
            Value::IntValue(_) => Kind::Int,
            Value::DoubleValue(_) => Kind::Double,
            Value::StringValue(_) => Kind::Text,
        };
        self.has_long_int |= kind == Kind::Int && cell.len() > DOUBLE_DIGIT_COUNT_MAX;
        self.kind = Some(match (self.kind, kind) {
            (None, kind) => kind,
            (Some(so_far), kind) if so_far == kind => kind,
            (Some(Kind::Int), Kind::Double) | (Some(Kind::Double), Kind::Int) => Kind::Double,
            _ => Kind::Text,
        });
        if self.kind == Some(Kind::Double) && self.has_long_int {
            self.kind = Some(Kind::Text);
        }
    }
}

/// Looks at the first rows and settles the type of every attribute that nobody declared: as the
/// queue's rules say, else as all cells look; a column without a value is text.
pub(super) fn settle(
    columns: &mut [Column],
    rows: &[&ByteRecord],
    declared: &DeclaredKinds,
) -> Vec<Profile> {
    let profile = |(place, column): (usize, &mut Column)| {
        let mut profile = Profile::default();
        let mut seen = vec![Seen::default(); column.reading.fields.len()];
        for cell in rows.iter().filter_map(|row| str::from_utf8(row.get(place)?).ok()) {
            profile.add(cell);
            let pieces = column.reading.pieces(cell).unwrap_or_default();
            pieces.iter().for_each(|(field, piece)| seen[*field].add(piece));
        }
        for (field, seen) in column.reading.fields.iter_mut().zip(seen) {
            if let Field::Attribute(name, typing @ Typing::Open) = field {
                *typing = match declared.get(name) {
                    Some(kind) => Typing::ByRules(*kind),
                    None => Typing::Guessed(seen.kind.unwrap_or(Kind::Text)),
                };
            }
        }
        profile
    };
    columns.iter_mut().enumerate().map(profile).collect()
}

impl Profile {
    /// Takes another cell in.
    pub(super) fn add(&mut self, cell: &str) {
        let text = cell.trim();
        if text.is_empty() {
            return;
        }
        self.filled += 1;
        if self.example.is_empty() {
            self.example = shortened(text);
        }
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= EXAMPLE_LENGTH_MAX {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(EXAMPLE_LENGTH_MAX - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::super::reading::Reading;
    use super::*;

    fn typing_of(cells: &[&str], declared: &DeclaredKinds) -> (Typing, Profile) {
        let rows: Vec<ByteRecord> =
            cells.iter().map(|cell| ByteRecord::from(vec![*cell])).collect();
        let reading = Reading::of(Field::Attribute("a".into(), Typing::Open));
        let mut columns = [Column { name: "a".into(), reading, is_named: false }];
        let profiles = settle(&mut columns, &rows.iter().collect::<Vec<_>>(), declared);
        match &columns[0].reading.fields[0] {
            Field::Attribute(_, typing) => (*typing, profiles[0].clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_type_of_a_column_is_what_all_its_cells_are() {
        let check = |cells: &[&str], kind| {
            let (typing, _) = typing_of(cells, &DeclaredKinds::new());
            assert_eq!(typing, Typing::Guessed(kind), "{cells:?}");
        };
        check(&["1", "", "25"], Kind::Int);
        check(&["1", "2.5"], Kind::Double);
        check(&["2.5", "1"], Kind::Double);
        check(&["true", "false"], Kind::Bool);
        check(&["true", "1"], Kind::Text);
        check(&["01067", "10115"], Kind::Text);
        check(&["10115", "01067"], Kind::Text);
        check(&["12345678901234567890"], Kind::Text);
        check(&["1234567890123456"], Kind::Int);
        check(&["1234567890123456", "0.5"], Kind::Text);
        check(&["+49301"], Kind::Text);
        check(&["", " "], Kind::Text);
    }

    #[test]
    fn what_the_rules_declare_goes_before_what_the_cells_look_like() {
        let declared = DeclaredKinds::from([("a".to_owned(), Kind::Double)]);
        let (typing, profile) = typing_of(&["7", "x", ""], &declared);
        assert_eq!(typing, Typing::ByRules(Kind::Double));
        assert_eq!(profile, Profile { filled: 2, example: "7".into() });
    }

    #[test]
    fn an_example_is_short() {
        assert_eq!(shortened("Ann"), "Ann");
        assert_eq!(shortened(&"ä".repeat(30)).chars().count(), EXAMPLE_LENGTH_MAX);
    }
}

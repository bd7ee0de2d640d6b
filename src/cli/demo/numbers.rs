//! Phone numbers for leads that have none: out of the range that is kept for fiction.
//!
//! 555-0100 to 555-0199 are reserved in each area code, so nobody is ever called by a demo. 414 area
//! codes of the United States and Canada give 41,400 numbers, one for each lead and few to spare.

use anyhow::Context;

/// The area codes with a time zone each; source and licence stand in the README beside the file.
const AREA_CODES: &str = include_str!("../../../tests/data/phone-timezones/area_codes.csv");
/// How many numbers are kept for fiction in an area code.
const LINE_COUNT: usize = 100;

/// The numbers that may be made up.
pub(super) struct NumberPlan {
    areas: Vec<(&'static str, &'static str)>,
}

impl NumberPlan {
    /// Reads the area codes.
    pub(super) fn load() -> anyhow::Result<Self> {
        let rows = AREA_CODES.lines().skip(1);
        let areas = rows.map(|row| row.split_once(',').context("could not read an area code"));
        Ok(Self { areas: areas.collect::<anyhow::Result<_>>()? })
    }

    /// The `index`-th number, in E.164, and the time zone that goes with it; `None`: there are not so
    /// many. Neighbours lie in different area codes, so that each month has leads of every zone.
    pub(super) fn nth(&self, index: usize) -> Option<(String, &'static str)> {
        let (area, zone) = self.areas[index % self.areas.len()];
        let line = index / self.areas.len();
        (line < LINE_COUNT).then(|| (format!("+1{area}55501{line:02}"), zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_ends_with_the_last_number_kept_for_fiction() {
        let plan = NumberPlan::load().unwrap();
        assert_eq!(plan.areas.len(), 414);
        assert_eq!(plan.nth(0).unwrap().0, "+12015550100");
        assert_eq!(plan.nth(41_399).unwrap().0[5..], *"5550199");
        assert_eq!(plan.nth(41_400), None);
    }
}

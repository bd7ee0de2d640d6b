//! Where leads live, and whose law counts there: written off the statutes by hand, beside the server's
//! own tables. A test asks the server whether it sees them there, too.

use super::walls::{Hours, Wall, wall};
use crate::support::MINUTE_MS;

/// When calls are lawful, as one statute has it.
pub(super) struct Law {
    pub(super) whose: &'static str,
    /// Hours, on weekdays, on Saturdays and on Sundays.
    windows: [Option<(u16, u16)>; 3],
    holidays: &'static [&'static str],
}

const fn hours(from: u16, to: u16) -> Option<(u16, u16)> {
    Some((from * 60, to * 60))
}

const fn law(
    whose: &'static str,
    windows: [Option<(u16, u16)>; 3],
    holidays: &'static [&'static str],
) -> Law {
    Law { whose, windows, holidays }
}

/// The holidays of the months in which the days lie.
const ALABAMA: &[&str] = &["2026-10-12", "2026-11-11", "2026-11-26"];
const PENNSYLVANIA: &[&str] =
    &["2026-10-12", "2026-11-03", "2026-11-11", "2026-11-26", "2026-11-27", "2027-03-26"];

const US: Law = law("US", [hours(8, 21), hours(8, 21), hours(8, 21)], &[]);
const FL: Law = law("US-FL", [hours(8, 20), hours(8, 20), hours(8, 20)], &[]);
const WA: Law = law("US-WA", [hours(8, 20), hours(8, 20), hours(8, 20)], &[]);
const TX: Law = law("US-TX", [hours(9, 21), hours(9, 21), hours(12, 21)], &[]);
const AL: Law = law("US-AL", [hours(8, 20), hours(8, 20), None], ALABAMA);
const PA: Law = law("US-PA", [hours(8, 21), hours(8, 21), None], PENNSYLVANIA);
const CA: Law = law("CA", [Some((540, 1_290)), hours(10, 18), hours(10, 18)], &[]);

impl Law {
    fn allows(&self, wall: &Wall) -> bool {
        let window = match wall.weekday {
            5 => self.windows[1],
            6 => self.windows[2],
            _ => self.windows[0],
        };
        let is_holiday = self.holidays.contains(&wall.date.to_string().as_str());
        let is_in = window.is_some_and(|(opens, closes)| (opens..closes).contains(&wall.minute));
        is_in && !is_holiday
    }
}

/// A zone in which a lead may be, and the laws that count there.
pub(super) struct Clock {
    pub(super) zone: &'static str,
    pub(super) laws: &'static [Law],
}

/// Numbers of one place: the beginning, how many digits follow, and what they tell of where it is.
pub(super) struct Prefix {
    pub(super) begins: &'static str,
    digits: usize,
    clocks: &'static [Clock],
    /// Three dials in a day are the law there.
    is_capped: bool,
}

impl Prefix {
    pub(super) fn number(&self, nth: usize) -> String {
        let first = if self.digits == 7 { 5_550_000 } else { 55_500_000 };
        format!("{}{}", self.begins, first + nth)
    }
}

/// What is told of a lead, and where it lives by that.
pub(super) struct Place {
    pub(super) zone: &'static str,
    pub(super) country: &'static str,
    pub(super) region: &'static str,
    pub(super) postcode: &'static str,
    pub(super) prefixes: &'static [Prefix],
    /// Where it is whatever its numbers tell.
    stated: Option<&'static [Clock]>,
    is_capped: bool,
}

const NOTHING_STATED: Place = Place {
    zone: "",
    country: "",
    region: "",
    postcode: "",
    prefixes: &[],
    stated: None,
    is_capped: false,
};

const fn number(begins: &'static str, digits: usize, clocks: &'static [Clock]) -> Prefix {
    Prefix { begins, digits, clocks, is_capped: false }
}

const BERLIN: Prefix = number("+4930", 8, &[Clock { zone: "Europe/Berlin", laws: &[] }]);
const LONDON: Prefix = number("+4420", 8, &[Clock { zone: "Europe/London", laws: &[] }]);
const SYDNEY: Prefix = number("+612", 8, &[Clock { zone: "Australia/Sydney", laws: &[] }]);
const SEATTLE: Prefix =
    number("+1206", 7, &[Clock { zone: "America/Los_Angeles", laws: &[US, WA] }]);
const VANCOUVER: Prefix = number("+1604", 7, &[Clock { zone: "America/Vancouver", laws: &[CA] }]);
const MIAMI: Prefix = Prefix {
    begins: "+1305",
    digits: 7,
    clocks: &[Clock { zone: "America/New_York", laws: &[US, FL] }],
    is_capped: true,
};
const MANHATTAN: Prefix = number("+1212", 7, &[Clock { zone: "America/New_York", laws: &[US] }]);
const TOLL_FREE: Prefix = number("+1800", 7, &[]);

/// A state whose leads say so, without a zone.
const fn state(region: &'static str, clocks: &'static [Clock]) -> Place {
    let stated = Some(clocks);
    Place { country: "US", region, prefixes: &[MANHATTAN], stated, ..NOTHING_STATED }
}

/// A lead that says in which zone it lives.
const fn zone(zone: &'static str, prefixes: &'static [Prefix], clocks: &'static [Clock]) -> Place {
    Place { zone, prefixes, stated: Some(clocks), ..NOTHING_STATED }
}

const fn by_number(prefixes: &'static [Prefix]) -> Place {
    Place { prefixes, ..NOTHING_STATED }
}

pub(super) const PLACES: &[Place] = &[
    by_number(&[BERLIN]),
    zone("Europe/London", &[LONDON, LONDON], LONDON.clocks),
    by_number(&[MIAMI]),
    by_number(&[MIAMI, SEATTLE]),
    by_number(&[VANCOUVER]),
    by_number(&[BERLIN, SYDNEY]),
    by_number(&[TOLL_FREE]),
    zone("Australia/Sydney", &[SYDNEY, SYDNEY], &[Clock { zone: "Australia/Sydney", laws: &[] }]),
    zone("Australia/Lord_Howe", &[SYDNEY], &[Clock { zone: "Australia/Lord_Howe", laws: &[] }]),
    zone("Asia/Tokyo", &[BERLIN], &[Clock { zone: "Asia/Tokyo", laws: &[] }]),
    Place {
        country: "US",
        region: "NY",
        ..zone(
            "America/New_York",
            &[MANHATTAN, MANHATTAN],
            &[Clock { zone: "America/New_York", laws: &[US] }],
        )
    },
    Place {
        is_capped: true,
        ..state(
            "FL",
            &[
                Clock { zone: "America/Chicago", laws: &[US, FL] },
                Clock { zone: "America/New_York", laws: &[US, FL] },
            ],
        )
    },
    state(
        "TX",
        &[
            Clock { zone: "America/Chicago", laws: &[US, TX] },
            Clock { zone: "America/Denver", laws: &[US, TX] },
        ],
    ),
    state("AL", &[Clock { zone: "America/Chicago", laws: &[US, AL] }]),
    state("PA", &[Clock { zone: "America/New_York", laws: &[US, PA] }]),
    state(
        "AZ",
        &[
            Clock { zone: "America/Denver", laws: &[US] },
            Clock { zone: "America/Phoenix", laws: &[US] },
        ],
    ),
    Place {
        postcode: "R3C 4T3",
        prefixes: &[VANCOUVER],
        stated: Some(&[Clock { zone: "America/Winnipeg", laws: &[CA] }]),
        ..NOTHING_STATED
    },
];

impl Place {
    /// The clocks that a lead may live by, as the numbers tell that may still be dialled; in the order of
    /// their names.
    pub(super) fn clocks(&self, numbers: &[&str]) -> Vec<&'static Clock> {
        if let Some(stated) = self.stated {
            return stated.iter().collect();
        }
        let of_numbers = self.prefixes.iter().filter(|prefix| prefix.is_of(numbers));
        let mut clocks: Vec<&Clock> = of_numbers.flat_map(|prefix| prefix.clocks).collect();
        clocks.sort_by_key(|clock| clock.zone);
        clocks.dedup_by_key(|clock| clock.zone);
        clocks
    }

    /// Whether three dials in a day are the law.
    pub(super) fn is_capped(&self, numbers: &[&str]) -> bool {
        let told = || self.prefixes.iter().any(|one| one.is_capped && one.is_of(numbers));
        self.is_capped || self.stated.is_none() && told()
    }
}

impl Prefix {
    fn is_of(&self, numbers: &[&str]) -> bool {
        numbers.iter().any(|number| number.starts_with(self.begins))
    }
}

/// Whether a call is right on all of these clocks: by the queue's own hours, and where the law counts by
/// each law, now and a margin later.
pub(super) fn is_open(
    clocks: &[&Clock],
    own: &Hours,
    law_margin_minutes: Option<i64>,
    at: i64,
) -> bool {
    let is_right = |clock: &&Clock| {
        let now = wall(clock.zone, at);
        let is_lawful = law_margin_minutes.is_none_or(|margin| {
            let later = wall(clock.zone, at + margin * MINUTE_MS);
            clock.laws.iter().all(|law| law.allows(&now) && law.allows(&later))
        });
        own.contains(&now) && is_lawful
    };
    !clocks.is_empty() && clocks.iter().all(is_right)
}

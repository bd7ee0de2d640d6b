//! Calling hours beside an oracle that goes minute by minute and knows a few laws by heart.

use proptest::prelude::*;

use super::*;
use crate::domain::{Facts, LeadNumber, Number, Whereabouts};

const MINUTE_MS: i64 = 60_000;

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("an instant").as_millisecond()
}

/// What one of the oracle's laws says about a weekday (0: Monday) and a date: from, to, in minutes.
fn window(jurisdiction: &str, weekday: i8, date: &str) -> (i32, i32) {
    let hours = |from: i32, to: i32| (from * 60, to * 60);
    const CLOSED: (i32, i32) = (0, 0);
    match (jurisdiction, weekday) {
        ("US", _) => hours(8, 21),
        ("US-FL", _) => hours(8, 20),
        ("US-KY", _) => hours(10, 21),
        ("US-TX", 6) => hours(12, 21),
        ("US-TX", _) => hours(9, 21),
        ("US-UT", 6) => CLOSED,
        ("US-UT", _) if UTAH.contains(&date) => CLOSED,
        ("US-UT", _) => hours(9, 20),
        ("US-OR", _) if date < "2026-01-01" => hours(0, 24),
        ("US-OR", _) => hours(8, 20),
        ("CA", 5 | 6) => hours(10, 18),
        ("CA", _) => (9 * 60, 21 * 60 + 30),
        other => panic!("{other:?}"),
    }
}

/// Utah's holidays from the end of 2025 to the end of 2026.
const UTAH: [&str; 15] = [
    "2025-12-25",
    "2026-01-01",
    "2026-01-19",
    "2026-02-16",
    "2026-05-25",
    "2026-06-19",
    "2026-07-03",
    "2026-07-04",
    "2026-07-24",
    "2026-09-07",
    "2026-10-12",
    "2026-11-11",
    "2026-11-26",
    "2026-12-25",
    "2025-11-27",
];

const ZONES: [&str; 8] = [
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "Pacific/Honolulu",
    "America/St_Johns",
    "Europe/London",
];
const LAWS: [&str; 7] = ["US", "US-FL", "US-KY", "US-TX", "US-UT", "US-OR", "CA"];
/// The queue's own hours, and what they are on each day of the week: from, to, in hours.
const OWN: [(&str, [(i32, i32); 7]); 4] = [
    ("always", [(0, 24); 7]),
    ("mon-fri 09:00-18:00", [(9, 18), (9, 18), (9, 18), (9, 18), (9, 18), (0, 0), (0, 0)]),
    ("sat-sun 00:00-24:00", [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 24), (0, 24)]),
    ("mon-sun 01:00-12:00", [(1, 12); 7]),
];

#[derive(Clone, Debug)]
struct Case {
    zones: Vec<&'static str>,
    laws: Vec<&'static str>,
    own: usize,
    margin_minutes: i64,
}

impl Case {
    /// The laws that may count where a zone is kept: all, if none of them is of there.
    fn laws_in(&self, zone: &str) -> Vec<&'static str> {
        let keeps = |law: &&&str| match **law {
            "US" | "CA" => true,
            "US-FL" | "US-KY" => ["America/New_York", "America/Chicago"].contains(&zone),
            "US-TX" => ["America/Chicago", "America/Denver"].contains(&zone),
            "US-UT" => zone == "America/Denver",
            "US-OR" => ["America/Denver", "America/Los_Angeles"].contains(&zone),
            other => panic!("{other}"),
        };
        let here: Vec<_> = self.laws.iter().filter(keeps).copied().collect();
        if here.is_empty() || zone == "Europe/London" { self.laws.clone() } else { here }
    }

    fn is_legal(&self, minute: i64) -> bool {
        self.zones.iter().all(|zone| {
            let now = Timestamp::from_second(minute * 60).expect("an instant");
            let wall = now.in_tz(zone).expect("a zone");
            let weekday = wall.weekday().to_monday_zero_offset();
            let shown = i32::from(wall.hour()) * 60 + i32::from(wall.minute());
            let date = wall.strftime("%Y-%m-%d").to_string();
            let laws = self.laws_in(zone);
            let laws = laws.iter().flat_map(|law| [*law, law.split('-').next().unwrap()]);
            laws.into_iter().all(|law| {
                let (from, to) = window(law, weekday, &date);
                from <= shown && shown < to
            })
        })
    }

    fn is_open(&self, minute: i64) -> bool {
        let is_own = self.zones.iter().all(|zone| {
            let now = Timestamp::from_second(minute * 60).expect("an instant");
            let wall = now.in_tz(zone).expect("a zone");
            let day = wall.weekday().to_monday_zero_offset().unsigned_abs();
            let (from, to) = OWN[self.own].1[usize::from(day)];
            from <= i32::from(wall.hour()) && i32::from(wall.hour()) < to
        });
        is_own && (minute..=minute + self.margin_minutes).all(|minute| self.is_legal(minute))
    }

    fn place(&self) -> Place {
        Place::from_name(&format!("{} {}", self.zones.join("&"), self.laws.join("&")))
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let zones = proptest::sample::subsequence(ZONES.to_vec(), 1..=3);
    let laws = proptest::sample::subsequence(LAWS.to_vec(), 0..=2);
    let margin = prop_oneof![Just(0), Just(5), Just(60), 1..60_i64];
    (zones, laws, 0..OWN.len(), margin).prop_map(|(zones, laws, own, margin_minutes)| Case {
        zones,
        laws,
        own,
        margin_minutes,
    })
}

/// Days around both changes of the clock on both sides of the ocean, holidays, a law's first day, and
/// any other.
fn instants() -> impl Strategy<Value = i64> {
    let days = [
        "2025-12-31T12:00:00Z",
        "2026-03-07T12:00:00Z",
        "2026-03-28T12:00:00Z",
        "2026-10-24T12:00:00Z",
        "2026-10-31T12:00:00Z",
        "2026-07-02T12:00:00Z",
        "2026-11-25T12:00:00Z",
    ];
    let near = (0..days.len(), 0..3 * 24 * 60_i64)
        .prop_map(move |(day, minutes)| at(days[day]) / MINUTE_MS + minutes);
    let any = at("2025-11-20T00:00:00Z") / MINUTE_MS..at("2026-12-15T00:00:00Z") / MINUTE_MS;
    prop_oneof![3 => near, 1 => any]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn hours_are_those_of_an_oracle_that_looks_at_every_minute(
        case in cases(), from in instants(), within_ms in 0..MINUTE_MS,
    ) {
        let own = OWN[case.own].0.parse().expect("hours");
        let law = CallingLaw::Applies { margin_ms: case.margin_minutes * MINUTE_MS };
        let hours = CallingHours::offering(&own, law);
        let place = case.place();
        let now = from * MINUTE_MS + within_ms;

        let is_open = case.is_open(from);
        prop_assert_eq!(hours.is_open(&place, now), is_open);
        let change = (from + 1..from + 12 * 24 * 60).find(|minute| case.is_open(*minute) != is_open);
        let told = match hours.verdict(&place, now) {
            Verdict::Allowed { until } => { prop_assert!(is_open); until }
            Verdict::NotUntil { at, .. } => { prop_assert!(!is_open); Some(at) }
            Verdict::Never { .. } => { prop_assert!(!is_open); None }
        };
        match change {
            Some(minute) => prop_assert_eq!(told, Some(minute * MINUTE_MS)),
            None => prop_assert!(told.is_none_or(|at| at >= (from + 12 * 24 * 60) * MINUTE_MS)),
        }
    }
}

fn always() -> WeeklyHours {
    WeeklyHours::always()
}

fn exact() -> CallingLaw {
    CallingLaw::Applies { margin_ms: 0 }
}

#[test]
fn a_window_that_is_open_in_one_of_two_zones_only_is_closed() {
    let own = always();
    let hours = CallingHours::offering(&own, exact());
    let both = Place::from_name("America/Chicago&America/New_York US");
    // Eight in New York is seven in Chicago.
    assert!(!hours.is_open(&both, at("2026-11-23T13:30:00Z")));
    assert!(hours.is_open(&Place::from_name("America/New_York US"), at("2026-11-23T13:30:00Z")));
    assert_eq!(
        hours.next_open(&both, at("2026-11-23T13:30:00Z")),
        Some(at("2026-11-23T14:00:00Z"))
    );
    // Nine in the evening in New York is eight in Chicago.
    assert!(!hours.is_open(&both, at("2026-11-24T02:00:00Z")));
}

#[test]
fn both_changes_of_the_clock_keep_the_law_s_hours() {
    let own = always();
    let hours = CallingHours::offering(&own, exact());
    for (zone, before, opens, closes) in [
        (
            "America/New_York",
            "2026-03-08T05:00:00Z",
            "2026-03-08T12:00:00Z",
            "2026-03-09T01:00:00Z",
        ),
        (
            "America/New_York",
            "2026-11-01T04:30:00Z",
            "2026-11-01T13:00:00Z",
            "2026-11-02T02:00:00Z",
        ),
        (
            "America/Los_Angeles",
            "2026-03-08T09:00:00Z",
            "2026-03-08T15:00:00Z",
            "2026-03-09T04:00:00Z",
        ),
        (
            "America/St_Johns",
            "2026-11-01T03:30:00Z",
            "2026-11-01T11:30:00Z",
            "2026-11-02T00:30:00Z",
        ),
        ("America/Phoenix", "2026-03-08T09:00:00Z", "2026-03-08T15:00:00Z", "2026-03-09T04:00:00Z"),
    ] {
        let place = Place::from_name(&format!("{zone} US"));
        assert_eq!(hours.next_open(&place, at(before)), Some(at(opens)), "{zone}");
        let until = Some(at(closes));
        assert_eq!(hours.verdict(&place, at(opens)), Verdict::Allowed { until }, "{zone}");
    }
}

#[test]
fn a_gap_of_the_clock_skips_no_day_and_a_repeated_hour_opens_twice() {
    let own: WeeklyHours = "mon-sun 02:10-02:50".parse().expect("hours");
    let hours = CallingHours::offering(&own, CallingLaw::Exempt);
    let place = Place::from_name("America/New_York");
    let next = hours.next_open(&place, at("2026-03-08T05:00:00Z"));
    assert_eq!(next, Some(at("2026-03-09T06:10:00Z")), "there is no such hour that night");
    let own: WeeklyHours = "sun 00:00-01:30".parse().expect("hours");
    let hours = CallingHours::offering(&own, CallingLaw::Exempt);
    let spans = ["2026-11-01T04:00:00Z", "2026-11-01T06:00:00Z"].map(|from| {
        assert!(hours.is_open(&place, at(from)));
        match hours.verdict(&place, at(from)) {
            Verdict::Allowed { until } => until,
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(spans, [Some(at("2026-11-01T05:30:00Z")), Some(at("2026-11-01T06:30:00Z"))]);
}

#[test]
fn offering_ends_a_margin_before_the_law_does_and_dialling_with_it() {
    let own = always();
    let place = Place::from_name("America/New_York US-FL");
    let (soon, late) = (at("2026-11-24T00:55:00Z"), at("2026-11-24T01:00:00Z"));
    let offering = CallingHours::offering(&own, CallingLaw::default());
    let dialling = CallingHours::dialling(&own, CallingLaw::default());
    assert!(offering.is_open(&place, soon - 1) && !offering.is_open(&place, soon));
    assert!(dialling.is_open(&place, late - 1) && !dialling.is_open(&place, late));
    let verdict = offering.verdict(&place, soon);
    let by =
        BarredBy::Law { jurisdiction: "US-FL".into(), citation: "Fla. Stat. 501.616(6)".into() };
    let bar = Bar { zone: "America/New_York".into(), by };
    assert_eq!(verdict, Verdict::NotUntil { at: at("2026-11-24T13:00:00Z"), bar });
}

#[test]
fn the_queue_s_hours_come_on_top_and_an_exempt_queue_has_them_alone() {
    let own: WeeklyHours = "mon-fri 06:00-22:00".parse().expect("hours");
    let place = Place::from_name("America/New_York US");
    let six = at("2026-11-23T11:00:00Z");
    let exempt = CallingHours::offering(&own, CallingLaw::Exempt);
    assert!(exempt.is_open(&place, six));
    let hours = CallingHours::offering(&own, exact());
    assert_eq!(hours.next_open(&place, six), Some(at("2026-11-23T13:00:00Z")));
    let saturday = at("2026-11-21T17:00:00Z");
    let Verdict::NotUntil { at: monday, bar } = hours.verdict(&place, saturday) else {
        panic!("open on a Saturday")
    };
    assert_eq!((monday, bar.by), (at("2026-11-23T13:00:00Z"), BarredBy::QueueHours));
    // A place whose law nobody knows has the queue's hours alone.
    assert!(hours.is_open(&Place::from_name("America/New_York"), six));
}

#[test]
fn what_can_never_be_legal_says_so() {
    let own: WeeklyHours = "mon-sun 22:00-23:00".parse().expect("hours");
    let hours = CallingHours::offering(&own, exact());
    let place = Place::from_name("America/New_York US");
    assert!(matches!(hours.verdict(&place, 0), Verdict::Never { .. }));
    let nowhere = Place::from_name("Mars/Olympus");
    let never = hours.verdict(&nowhere, 0);
    assert!(matches!(never, Verdict::Never { bar: Bar { by: BarredBy::UnknownZone, .. } }));
}

#[test]
fn who_may_be_anywhere_in_a_country_is_called_when_it_is_legal_everywhere_in_it() {
    let own = always();
    let hours = CallingHours::offering(&own, exact());
    let number = Number::from_e164("+18005550100").expect("a number");
    let facts = Facts {
        country: Some("US".into()),
        numbers: vec![LeadNumber { number, stopped: None }],
        ..Facts::default()
    };
    let place = Whereabouts::of(&facts).expect("a place").place;
    // In winter it is eight in the morning in Guam when it is five in the afternoon in Rhode Island,
    // which closes at six; in summer that is closed already.
    let opens = at("2026-11-23T22:00:00Z");
    assert_eq!(hours.next_open(&place, at("2026-11-23T12:00:00Z")), Some(opens));
    let until = Some(at("2026-11-23T23:00:00Z"));
    assert_eq!(hours.verdict(&place, opens), Verdict::Allowed { until });
    assert!(matches!(hours.verdict(&place, at("2026-07-06T12:00:00Z")), Verdict::Never { .. }));
}

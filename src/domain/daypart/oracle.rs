//! The parts of the day against an oracle that looks at every quarter of an hour, around every change of
//! the clocks of many zones.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    CallingLaw, GRACE_MS_DEFAULT, LEASE_MS_DEFAULT, LEASE_TOTAL_MS_DEFAULT, QueueId, QueueKey,
    QueueSettings, WeeklyHours,
};

/// Zones that change their clocks in every way there is: by half an hour, at midnight, by two hours, in
/// the middle of Ramadan, or not at all.
const ZONES: [&str; 22] = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Asuncion",
    "America/Chicago",
    "America/Havana",
    "America/New_York",
    "America/Nuuk",
    "America/Phoenix",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/London",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
];
const QUARTER_MS: i64 = 15 * 60_000;
const HOUR_MS: i64 = 4 * QUARTER_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("an instant").as_millisecond()
}

fn clock(names: &[&str]) -> LeadClock {
    LeadClock { zones: names.iter().map(|name| zone(name).expect("a zone")).collect() }
}

/// The part by the wall's hour alone.
fn part_at(zone: &TimeZone, at: i64) -> Option<Daypart> {
    let local = zone.to_datetime(Timestamp::from_millisecond(at).expect("an instant"));
    match local.hour() {
        8..11 => Some(Daypart::Morning),
        11..14 => Some(Daypart::Noon),
        14..17 => Some(Daypart::Afternoon),
        17..21 => Some(Daypart::Evening),
        _ => None,
    }
}

/// Every part of the day that begins after `now` within a week, at its first callable half hour.
fn beginnings(name: &str, may_call: &dyn Fn(i64) -> bool, now: i64) -> Vec<(i64, Daypart)> {
    let zone = zone(name).expect("a zone");
    let mut found = Vec::new();
    // Offsets are whole quarters of an hour, and so is every edge.
    let mut quarter = now.div_euclid(QUARTER_MS) * QUARTER_MS;
    let mut before = part_at(&zone, quarter);
    while quarter < now + 7 * DAY_MS {
        quarter += QUARTER_MS;
        let part = part_at(&zone, quarter);
        if let (Some(begins), true) = (part, part != before) {
            let steps = (0..).map(|step| quarter + step * 2 * QUARTER_MS);
            let mut steps = steps.take_while(|at| part_at(&zone, *at) == part);
            found.extend(steps.find(|at| may_call(*at)).map(|at| (at, begins)));
        }
        before = part;
    }
    found
}

fn expected(
    name: &str,
    tried: [u8; 4],
    may_call: &dyn Fn(i64) -> bool,
    now: i64,
) -> Option<(Daypart, i64)> {
    let found = beginnings(name, may_call, now);
    let count = |part: Daypart| tried[part as usize];
    let best = found.into_iter().min_by_key(|(at, part)| (count(*part), *at))?;
    Some((best.1, best.0))
}

fn check(name: &str, tried: [u8; 4], may_call: &dyn Fn(i64) -> bool, now: i64) {
    let found = clock(&[name]).next_daypart(tried, may_call, now);
    let expected = expected(name, tried, may_call, now)
        .or_else(|| self::expected(name, tried, &|_| true, now));
    let found = found.expect("a part of the day");
    assert_eq!(Some(found), expected, "{name} after {now}, tried {tried:?}");
    assert!(found.1 > now);
    let zone = zone(name).expect("a zone");
    assert_eq!(part_at(&zone, found.1), Some(found.0), "{name} after {now}");
}

/// Every change of a zone's clocks from 2024 to 2030.
fn jumps(name: &str) -> Vec<i64> {
    let zone = zone(name).expect("a zone");
    let from = "2024-01-01T00:00:00Z".parse::<Timestamp>().expect("an instant");
    let jumps = zone.following(from).map(|jump| jump.timestamp().as_millisecond());
    jumps.take_while(|jump| *jump < at("2031-01-01T00:00:00Z")).collect()
}

#[test]
fn around_every_change_of_the_clocks_a_part_begins_when_the_wall_says_so() {
    let mut jump_count = 0;
    for name in ZONES {
        for jump in jumps(name) {
            jump_count += 1;
            for (nth, hours) in [-30, -20, -12, -9, -1, 0, 4, 10].into_iter().enumerate() {
                let mut tried = [1; 4];
                tried[nth % 4] = 0;
                check(name, tried, &|_| true, jump + hours * HOUR_MS);
                check(name, [0; 4], &|_| true, jump + hours * HOUR_MS + 1);
            }
        }
    }
    assert!(jump_count > 150, "the data of {jump_count} changes are there");
}

#[test]
fn a_date_that_a_zone_skips_is_skipped_and_no_other() {
    // Samoa went from 29 to 31 December 2011.
    let thursday_at_four = at("2011-12-30T02:00:00Z");
    let next = |tried| clock(&["Pacific/Apia"]).next_daypart(tried, |_| true, thursday_at_four);
    let saturday_at_eight = at("2011-12-30T18:00:00Z");
    assert_eq!(next([0, 1, 1, 1]), Some((Daypart::Morning, saturday_at_eight)));
    assert_eq!(next([1, 0, 1, 1]), Some((Daypart::Noon, saturday_at_eight + 3 * HOUR_MS)));
    assert_eq!(next([0; 4]), Some((Daypart::Evening, thursday_at_four + HOUR_MS)));
    check("Pacific/Apia", [1, 1, 0, 1], &|_| true, thursday_at_four);
}

#[test]
fn the_hour_that_the_clock_skips_costs_no_day() {
    // Beirut's 31 March 2024 begins at one o'clock, and its morning at eight all the same.
    let saturday_night = at("2024-03-30T21:59:00Z");
    let next = clock(&["Asia/Beirut"]).next_daypart([0, 1, 1, 1], |_| true, saturday_night);
    assert_eq!(next, Some((Daypart::Morning, at("2024-03-31T05:00:00Z"))));
    let autumn =
        clock(&["Asia/Beirut"]).next_daypart([0, 1, 1, 1], |_| true, at("2024-10-26T20:30:00Z"));
    assert_eq!(autumn, Some((Daypart::Morning, at("2024-10-27T06:00:00Z"))));
}

#[test]
fn a_part_is_left_out_that_lies_outside_the_hours() {
    let hours: WeeklyHours = "mon-fri 09:30-17:00".parse().expect("hours");
    let berlin = |at| hours.is_open("Europe/Berlin", at);
    let friday_at_three = at("2026-11-20T14:00:00Z");
    let next = |tried| clock(&["Europe/Berlin"]).next_daypart(tried, berlin, friday_at_three);
    let monday_half_past_nine = at("2026-11-23T08:30:00Z");
    assert_eq!(next([0, 0, 1, 0]), Some((Daypart::Morning, monday_half_past_nine)));
    assert_eq!(next([1, 1, 1, 0]), Some((Daypart::Morning, monday_half_past_nine)));
    let never = clock(&["Europe/Berlin"]).next_daypart([1, 0, 0, 0], |_| false, friday_at_three);
    assert_eq!(never, Some((Daypart::Evening, at("2026-11-20T16:00:00Z"))));
}

#[test]
fn a_part_lies_on_all_clocks_of_a_lead_or_on_the_one_in_the_middle() {
    let noon_in_new_york = at("2026-11-18T17:00:00Z");
    let florida = clock(&["America/Chicago", "America/New_York"]);
    let next = florida.next_daypart([0, 1, 1, 1], |_| true, noon_in_new_york);
    assert_eq!(next, Some((Daypart::Morning, at("2026-11-19T14:00:00Z"))), "8 in Chicago");
    let wide = clock(&["America/New_York", "Pacific/Guam", "Pacific/Honolulu"]);
    let next = wide.next_daypart([0, 1, 1, 1], |_| true, noon_in_new_york);
    assert_eq!(next, Some((Daypart::Morning, at("2026-11-19T13:00:00Z"))), "8 in New York");
}

#[test]
fn a_lead_of_an_unknown_zone_lives_by_the_queue_s_clock() {
    let settings = QueueSettings {
        zone: "Asia/Tokyo".into(),
        hours: WeeklyHours::always(),
        law: CallingLaw::Exempt,
        lease_ms: LEASE_MS_DEFAULT,
        lease_total_ms: LEASE_TOTAL_MS_DEFAULT,
        caps: Vec::new(),
        grace_ms: GRACE_MS_DEFAULT,
        skips_per_hour_max: None,
        own: Default::default(),
        quality: Default::default(),
    };
    let queue = Queue { key: QueueKey(1), id: QueueId::new("q").expect("an id"), settings };
    let nine_in_tokyo = at("2026-11-18T00:00:00Z");
    let unknown = Facts::default();
    assert_eq!(LeadClock::of(&unknown, &queue).daypart_at(nine_in_tokyo), Some(Daypart::Morning));
    let berlin = Facts { zone: Some("Europe/Berlin".into()), ..Facts::default() };
    assert_eq!(LeadClock::of(&berlin, &queue).daypart_at(nine_in_tokyo), None);
    assert!(!may_call(&unknown, &queue)(nine_in_tokyo));
    assert!(may_call(&berlin, &queue)(nine_in_tokyo));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_part_is_what_the_oracle_finds(
        zone in 0..ZONES.len(),
        now in at("2024-01-01T00:00:00Z")..at("2030-12-20T00:00:00Z"),
        tried in prop::array::uniform4(0_u8..3),
        opens in 0_u16..24,
        length in 1_u16..24,
        days in prop::sample::select(vec!["mon-sun", "mon-fri", "sat", "tue-thu"]),
    ) {
        let closes = (opens + length).min(24);
        let hours: WeeklyHours = format!("{days} {opens}:00-{closes}:00").parse().expect("hours");
        check(ZONES[zone], tried, &|at| hours.is_open(ZONES[zone], at), now);
        check(ZONES[zone], tried, &|_| true, now);
    }
}

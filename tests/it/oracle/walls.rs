//! Clocks on walls: what they show, and weekly hours that are read off them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// What a clock on a wall shows.
pub(super) struct Wall {
    pub(super) date: Date,
    /// 0: Monday.
    pub(super) weekday: i8,
    /// Minutes since midnight.
    pub(super) minute: u16,
}

/// What the clocks of a zone show.
pub(super) fn wall(zone: &str, at: i64) -> Wall {
    let at = Timestamp::from_millisecond(at).unwrap();
    let local = TimeZone::get(zone).unwrap().to_datetime(at);
    let minute = u16::try_from(local.hour()).unwrap() * 60 + u16::try_from(local.minute()).unwrap();
    Wall { date: local.date(), weekday: local.weekday().to_monday_zero_offset(), minute }
}

/// By how many seconds the clocks of a zone are ahead of UTC.
pub(super) fn ahead_by(zone: &str, at: i64) -> i32 {
    let at = Timestamp::from_millisecond(at).unwrap();
    TimeZone::get(zone).unwrap().to_offset(at).seconds()
}

/// When a date begins on the clocks of a zone.
pub(super) fn midnight(date: Date, zone: &str) -> i64 {
    date.in_tz(zone).unwrap().timestamp().as_millisecond()
}

/// Weekly hours: how they are written, and from when to when they last on which days.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hours {
    pub(super) text: &'static str,
    /// First and last day, and the minutes.
    parts: &'static [(i8, i8, u16, u16)],
}

const fn at(hour: u16) -> u16 {
    hour * 60
}

pub(super) const ALWAYS: Hours = Hours { text: "always", parts: &[(0, 6, 0, at(24))] };
pub(super) const OF_QUEUES: [Hours; 3] = [
    ALWAYS,
    Hours { text: "mon-sun 07:00-22:00", parts: &[(0, 6, at(7), at(22))] },
    Hours {
        text: "mon-fri 08:00-12:30, mon-fri 13:00-20:00, sat-sun 10:00-18:00",
        parts: &[(0, 4, at(8), at(12) + 30), (0, 4, at(13), at(20)), (5, 6, at(10), at(18))],
    },
];
pub(super) const OF_REPS: [Hours; 2] = [
    Hours { text: "mon-sun 06:00-18:00", parts: &[(0, 6, at(6), at(18))] },
    Hours {
        text: "mon-fri 12:00-22:00, sat-sun 09:00-15:30",
        parts: &[(0, 4, at(12), at(22)), (5, 6, at(9), at(15) + 30)],
    },
];

impl Hours {
    pub(super) fn contains(&self, wall: &Wall) -> bool {
        self.parts.iter().any(|(first, last, opens, closes)| {
            (*first..=*last).contains(&wall.weekday) && (*opens..*closes).contains(&wall.minute)
        })
    }
}

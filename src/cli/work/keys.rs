//! What a rep types: one key a disposition, always the same, and instants as people say them.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;

use crate::api::proto::{Disposition, ReleaseReason, SkipReason};
use crate::cli::words::{Instant, read_instant, timestamp_of};

/// A key that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    Backspace,
    Escape,
    /// Ctrl-C.
    Interrupt,
}

pub(super) const NOTES: char = 'n';
pub(super) const SKIP: char = 's';
pub(super) const TALKING: char = 't';
pub(super) const QUIT: char = 'q';

/// Why a rep gives a lead back.
pub(super) type GiveBack = (ReleaseReason, SkipReason);

/// Taken by mistake, or not called before the end of the day.
pub(super) const MISTAKE: GiveBack = (ReleaseReason::RepError, SkipReason::Unspecified);

pub(super) const GIVE_BACK_KEYS: &str = "1 not my area, 2 bad data, 3 knows me, 4 too hard, 5 no time, \
                                         6 other; e taken by mistake, c the call was lost";

/// Why a lead is given back, by the key. Digits, as whoever types a code, `sale` say, opens this with its
/// first letter.
pub(super) fn give_back_of(key: char) -> Option<GiveBack> {
    let skip = |reason| Some((ReleaseReason::Skipped, reason));
    match key {
        '1' => skip(SkipReason::NotMyArea),
        '2' => skip(SkipReason::BadData),
        '3' => skip(SkipReason::KnowsMe),
        '4' => skip(SkipReason::TooHard),
        '5' => skip(SkipReason::NoTime),
        '6' => skip(SkipReason::Other),
        'e' => Some(MISTAKE),
        'c' => Some((ReleaseReason::ClientLost, SkipReason::Unspecified)),
        _ => None,
    }
}

/// Small letters for what happens often, capitals for what stops a number, signs for what a slip of a
/// finger must not do.
const DISPOSITIONS: [(char, Disposition); 22] = [
    ('a', Disposition::NoAnswer),
    ('b', Disposition::Busy),
    ('v', Disposition::Voicemail),
    ('o', Disposition::Congestion),
    ('d', Disposition::DeadAir),
    ('x', Disposition::DroppedBeforeRep),
    ('c', Disposition::CallbackAny),
    ('C', Disposition::CallbackOwn),
    ('g', Disposition::Gatekeeper),
    ('w', Disposition::WrongTime),
    ('W', Disposition::WrongNumber),
    ('D', Disposition::Disconnected),
    ('F', Disposition::Fax),
    ('R', Disposition::ReassignedSuspect),
    ('i', Disposition::NotInterested),
    ('u', Disposition::NotQualified),
    ('!', Disposition::DoNotCall),
    ('y', Disposition::Qualified),
    ('m', Disposition::Appointment),
    ('$', Disposition::Sale),
    ('l', Disposition::Language),
    ('p', Disposition::NeedsSpecialist),
];

/// The key of a disposition; none for one that is newer than this program.
pub(super) fn key_of(disposition: i32) -> Option<char> {
    let found = DISPOSITIONS.iter().find(|(_, one)| *one as i32 == disposition);
    found.map(|(key, _)| *key)
}

/// The disposition of a key.
pub(super) fn disposition_of(key: char) -> Option<Disposition> {
    DISPOSITIONS.iter().find(|(one, _)| *one == key).map(|(_, disposition)| *disposition)
}

/// Whether a disposition needs the instant of the next call.
pub(super) fn needs_instant(disposition: Disposition) -> bool {
    matches!(disposition, Disposition::CallbackAny | Disposition::CallbackOwn)
}

/// Reads when a lead wants to be called: `+2h`, `14:30` (the next one where the lead lives), a date
/// and time there, or an instant with its offset.
pub(super) fn read_when(
    text: &str,
    zone: &str,
    now: i64,
) -> Result<prost_types::Timestamp, String> {
    let text = text.trim();
    if let Ok(instant) = read_instant(text) {
        return Ok(match instant {
            Instant::At(at) => timestamp_of(at),
            Instant::In(ms) => timestamp_of(now.saturating_add(ms)),
        });
    }
    let problem = || "not a time: +2h, 14:30, or 2026-03-02 14:30, where the lead lives".to_owned();
    let zone =
        TimeZone::get(zone).map_err(|_| "+2h: the lead's time zone is unknown".to_owned())?;
    let there =
        jiff::Timestamp::from_millisecond(now).map_err(|_| problem())?.to_zoned(zone.clone());
    let at = match text.parse::<Time>() {
        Ok(time) => {
            let today = there.date().to_datetime(time);
            let is_over = today <= there.datetime();
            if is_over { today.tomorrow().map_err(|_| problem())? } else { today }
        }
        Err(_) => text.parse::<DateTime>().map_err(|_| problem())?,
    };
    let at = at.to_zoned(zone).map_err(|_| problem())?;
    Ok(timestamp_of(at.timestamp().as_millisecond()))
}

/// The clock on the wall of a zone: `Tue 14:32`; empty if nobody knows the zone.
pub(super) fn local_time(zone: &str, now: i64) -> String {
    let there = TimeZone::get(zone).ok().and_then(|zone| {
        let at = jiff::Timestamp::from_millisecond(now).ok()?;
        Some(at.to_zoned(zone))
    });
    there.map_or(String::new(), |there| there.strftime("%a %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// 2026-03-02 is a Monday; noon in UTC is 13:00 in Berlin.
    const NOON: i64 = 1_772_452_800_000;

    #[test]
    fn every_disposition_has_a_key_of_its_own() {
        let mut keys: BTreeSet<char> = [NOTES, SKIP, QUIT].into();
        keys.extend('1'..='9');
        let before = keys.len();
        for number in 1.. {
            let Ok(disposition) = Disposition::try_from(number) else { break };
            let key = key_of(number).unwrap_or_else(|| panic!("{disposition:?} has no key"));
            assert_eq!(disposition_of(key), Some(disposition));
            assert!(keys.insert(key), "{key} stands twice");
        }
        assert_eq!(keys.len(), before + DISPOSITIONS.len());
    }

    #[test]
    fn a_time_is_read_where_the_lead_lives() {
        let read =
            |text| read_when(text, "Europe/Berlin", NOON).map(|at| at.seconds * 1_000 - NOON);
        let hour = 3_600_000;
        assert_eq!(read("+2h"), Ok(2 * hour));
        assert_eq!(read("14:30"), Ok(hour + hour / 2));
        assert_eq!(read("13:00"), Ok(24 * hour), "it is one o'clock now, so tomorrow is meant");
        assert_eq!(read("2026-03-03 13:00"), Ok(24 * hour));
        assert_eq!(read("2026-03-02T13:00:00Z"), Ok(hour));
        assert!(read("later").is_err() && read("").is_err());
        assert!(read_when("14:30", "", NOON).unwrap_err().contains("time zone"));
        assert_eq!(local_time("Europe/Berlin", NOON), "Mon 13:00");
        assert_eq!(local_time("", NOON), "");
    }
}

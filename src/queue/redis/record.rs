//! A lead as Redis keeps it: packed, so that a million of them stay small, and in bytes whose order is
//! the order of the numbers, so that ties end where they should.
//!
//! `line.lua` reads what is written here. Numbers that scripts reckon with are doubles: instants and
//! head starts are far within what a double holds exactly.

use crate::domain::{FirstTouchRank, LeadId, Tier};
use crate::queue::{Basis, Entry, Generation, Keeper, Lane};

const WAITS: u8 = 1;
const UNTOUCHED: u8 = 2;
const ENDS: u8 = 4;
const KEPT: u8 = 8;
/// The length that stands for no hours at all.
const NO_HOURS: u16 = u16::MAX;
/// What stands for the skills of a coarse lane; a list in JSON begins otherwise.
const COARSE_SKILLS: &[u8] = b"*";

/// A lead's id: eight bytes in the order of the ids.
pub(super) fn lead_bytes(lead: LeadId) -> [u8; 8] {
    ordered_bytes(lead.0)
}

/// Reads what [`lead_bytes`] wrote.
pub(super) fn lead_of(bytes: &[u8]) -> Option<LeadId> {
    number_of(bytes).map(LeadId)
}

/// A number in bytes that sort as the numbers do.
fn ordered_bytes(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

/// Reads what [`ordered_bytes`] wrote.
pub(super) fn number_of(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?) ^ i64::MIN)
}

/// A generation's name.
pub(super) fn generation_name(generation: Generation) -> String {
    format!("{:016x}", generation.0)
}

/// Reads what [`generation_name`] wrote.
pub(super) fn generation_of(name: &[u8]) -> Option<Generation> {
    let name = std::str::from_utf8(name).ok()?;
    u64::from_str_radix(name, 16).ok().map(Generation)
}

/// What leads are ranked by, as scripts are told: the version of the rules, and that of the lanes.
pub(super) fn basis_numbers(basis: Basis) -> [String; 2] {
    [basis.rule_version, basis.lane_version].map(|version| version_number(version).to_string())
}

/// Versions count events of one lead, rule sets and changes of lanes of one queue: 32 bits hold them, and what is
/// beyond ends there.
pub(super) fn version_number(version: i64) -> i32 {
    version.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// A lane's text: what tells it from the others.
pub(super) fn lane_text(tier: Tier, lane: &Lane) -> Vec<u8> {
    let mut text = vec![tier as u8];
    let hours = lane.hours.as_deref().unwrap_or_default();
    // A name that is too long is no time zone's, so such a lane is never open.
    let length = u16::try_from(hours.len()).ok().filter(|length| *length != NO_HOURS);
    match length.filter(|_| lane.hours.is_some()) {
        Some(length) => {
            text.extend(length.to_be_bytes());
            text.extend(hours.as_bytes());
        }
        None => text.extend(NO_HOURS.to_be_bytes()),
    }
    text.extend(skills_text(&lane.skills));
    text
}

/// Skills as scripts read them.
pub(super) fn skills_text(skills: &std::collections::BTreeSet<String>) -> Vec<u8> {
    serde_json::to_vec(skills).expect("a list of texts is JSON")
}

/// Reads what [`lane_text`] wrote: tier, lane, and whether it is a coarse one. `None`: it makes no sense.
pub(super) fn lane_of(text: &[u8]) -> Option<(Tier, Lane, bool)> {
    let (tier, rest) = text.split_first()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = u16::from_be_bytes(*length);
    let (hours, skills) = match length {
        NO_HOURS => (None, rest),
        length => {
            let (hours, skills) = rest.split_at_checked(length.into())?;
            (Some(std::str::from_utf8(hours).ok()?.into()), skills)
        }
    };
    let is_coarse = skills == COARSE_SKILLS;
    let skills =
        if is_coarse { Some(Default::default()) } else { serde_json::from_slice(skills).ok() };
    Some((
        tier_of((*tier).into())?,
        Lane { skills: std::sync::Arc::new(skills?), hours },
        is_coarse,
    ))
}

/// The tier of this number.
pub(super) fn tier_of(number: i64) -> Option<Tier> {
    [Tier::Callback, Tier::Ordinary].into_iter().find(|tier| *tier as i64 == number)
}

/// All of an entry but its lead and its lane.
pub(super) fn record(entry: &Entry) -> Vec<u8> {
    let first_touch = entry.first_touch;
    // An end that nothing follows is none.
    let ends_at = entry.worth.until.filter(|_| !entry.worth.later.is_empty());
    let flags = if entry.due_at.is_some() { WAITS } else { 0 }
        | if first_touch.is_some() { UNTOUCHED } else { 0 }
        | if ends_at.is_some() { ENDS } else { 0 }
        | if entry.keeper.is_some() { KEPT } else { 0 };
    let mut bytes = vec![flags];
    bytes.extend(version_number(entry.version).to_be_bytes());
    bytes.extend(version_number(entry.basis.rule_version).to_be_bytes());
    bytes.extend(version_number(entry.basis.lane_version).to_be_bytes());
    bytes.extend(double(entry.ready_since));
    bytes.extend(double(entry.worth.head_start_ms));
    bytes.extend(entry.due_at.into_iter().flat_map(double));
    if let Some(FirstTouchRank { times_released, due_at, .. }) = first_touch {
        bytes.extend(times_released.to_be_bytes());
        bytes.extend(ordered_bytes(due_at));
    }
    if let Some(Keeper { rep, until }) = entry.keeper {
        bytes.extend(until.map_or(f64::INFINITY.to_be_bytes(), double));
        let rep = rep.0.to_string();
        bytes.push(u8::try_from(rep.len()).expect("a number has few digits"));
        bytes.extend(rep.as_bytes());
    }
    if let Some(ends_at) = ends_at {
        bytes.extend(double(ends_at));
        for step in &entry.worth.later {
            bytes.extend(double(step.head_start_ms));
            bytes.extend(step.until.map_or(f64::INFINITY.to_be_bytes(), double));
        }
    }
    bytes
}

fn double(number: i64) -> [u8; 8] {
    (number as f64).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_reads_back_and_its_bytes_sort_as_the_ids_do() {
        let leads = [i64::MIN, -1, 0, 1, 255, 256, i64::MAX].map(LeadId);
        assert!(leads.map(lead_bytes).is_sorted());
        for lead in leads {
            assert_eq!(lead_of(&lead_bytes(lead)), Some(lead));
        }
        assert_eq!(lead_of(b"short"), None);
        assert_eq!(lead_of(b"nine bytes"), None);
    }

    #[test]
    fn a_lane_reads_back_whatever_its_names_are() {
        for hours in [None, Some("Europe/Berlin".into()), Some("\u{0}\"*".into())] {
            for skills in [&[][..], &["*"], &["größe", "[\"x\",]"]] {
                let skills = skills.iter().map(|skill| (*skill).to_owned()).collect();
                let lane = Lane { skills: std::sync::Arc::new(skills), hours: hours.clone() };
                let text = lane_text(Tier::Callback, &lane);
                assert_eq!(lane_of(&text), Some((Tier::Callback, lane, false)));
            }
        }
    }

    #[test]
    fn what_is_no_lane_is_refused() {
        let coarse = [&[1, 0, 1, b'x'][..], b"*"].concat();
        assert!(lane_of(&coarse).is_some_and(|(_, _, is_coarse)| is_coarse));
        let tier = [&[9, 255, 255][..], b"[]"].concat();
        for text in [&b""[..], b"\x01", b"\x01\x00\x09short", b"\x01\xff\xff{}", &tier] {
            assert_eq!(lane_of(text), None, "{text:?}");
        }
    }
}

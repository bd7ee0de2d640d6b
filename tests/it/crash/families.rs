//! The leads that are handed over: families of four handovers that share numbers and people, so that
//! merging, and numbers that two leads carry, are under load as well.

use nextlead::api::proto;

/// Families of one intake client; the next client's begin after them.
pub(super) const FAMILY_COUNT_MAX: u64 = 1_000_000;
pub(super) const FAMILY_SIZE: u64 = 4;

pub(super) fn family_of(lead: &proto::Lead) -> u64 {
    let external_id = &lead.handover_key.as_ref().unwrap().external_id;
    external_id.split_once('-').unwrap().0.parse().unwrap()
}

pub(super) fn number(family: u64, nth: u64) -> String {
    format!("+493{family:07}{nth}")
}

/// A family: two people on one number, the first of them once more by another number, and somebody
/// on their own.
pub(super) fn member(family: u64, nth: u64) -> proto::Lead {
    let (name, number_nth, email) = match nth {
        0 => ("Ann", 0, format!("ann{family}@example.org")),
        1 => ("Bob", 0, String::new()),
        2 => ("Ann", 1, format!("ann{family}@example.org")),
        _ => ("Cyd", 2, String::new()),
    };
    let key = proto::HandoverKey {
        source_system: "crm".into(),
        external_id: format!("{family}-{nth}"),
        campaign_id: "spring".into(),
    };
    proto::Lead {
        handover_key: Some(key),
        name: format!("{name} {family}"),
        email,
        numbers: vec![proto::LeadNumber { number: number(family, number_nth), stopped_by: 0 }],
        time_zone: "UTC".into(),
        source: "web".into(),
        ..Default::default()
    }
}

//! The rules that are built in: what a queue goes by as long as nobody has published a policy for it.
//!
//! Six attempts and more are what the lead-response studies advise (Oldroyd and Elkington, "The Best
//! Practices for Lead Response Management").

use crate::domain::disposition::Disposition;

use super::{AfterRoute, AfterRule, DAY_MS, Delay, Stage};

const HOUR_MS: i64 = 3_600_000;
/// Delays that grow, for a line that is not answered now and may be soon.
const GROWING: [Delay; 4] =
    [Delay::For(HOUR_MS), Delay::For(4 * HOUR_MS), Delay::For(DAY_MS), Delay::For(2 * DAY_MS)];
/// Who picked up and heard nobody is left alone for this long.
const COOL_OFF: [Delay; 1] = [Delay::For(3 * DAY_MS)];
const ATTEMPTS_MAX: i32 = 8;
const NURTURE_MS: i64 = 90 * DAY_MS;

/// The rule for a disposition.
pub(super) fn rule(disposition: Disposition) -> AfterRule {
    match disposition {
        Disposition::NoAnswer
        | Disposition::Busy
        | Disposition::Voicemail
        | Disposition::Congestion
        | Disposition::Language
        | Disposition::NeedsSpecialist => retry(disposition, &GROWING),
        Disposition::DeadAir | Disposition::DroppedBeforeRep => retry(disposition, &COOL_OFF),
        Disposition::Gatekeeper | Disposition::WrongTime => {
            retry(disposition, &[Delay::NextDaypart])
        }
        Disposition::WrongNumber
        | Disposition::Disconnected
        | Disposition::Fax
        | Disposition::ReassignedSuspect => {
            AfterRule { then: AfterRoute::Unreachable, ..retry(disposition, &[Delay::For(0)]) }
        }
        Disposition::NotInterested
        | Disposition::NotQualified
        | Disposition::DoNotCall
        | Disposition::CallbackAny
        | Disposition::CallbackOwn
        | Disposition::Qualified
        | Disposition::Appointment
        | Disposition::Sale => AfterRule {
            stages: Vec::new(),
            attempts_max: None,
            then: AfterRoute::Lost,
            ..retry(disposition, &[])
        },
    }
}

fn retry(disposition: Disposition, delays: &[Delay]) -> AfterRule {
    AfterRule {
        dispositions: vec![disposition],
        stages: vec![Stage { retry_in: delays.to_vec(), ..Stage::default() }],
        attempts_min: 0,
        attempts_max: Some(ATTEMPTS_MAX),
        then: AfterRoute::Nurture(Some(NURTURE_MS)),
        reason: None,
    }
}

//! Callbacks: when a lead wants to be called again, and what was promised.

use crate::dialer::{CallbackTime, CallbacksFor, PromisedCallback};
use crate::domain::{Disposition, LeadId, LocalTime, QueueId, RepId, Whereabouts, is_zone};

use super::super::proto;
use super::super::status::Problems;
use super::fields::DAY_MS;
use super::page::token_problem;
use super::{Fields, Page, duration, time};

/// How far ahead a callback can be promised.
const CALLBACK_MS_MAX: i64 = 366 * DAY_MS;

/// A callback whose instant has passed is due at once. It is refused only if it lies far ahead of both
/// clocks; a touch that is sent again much later then reads as it did at first.
pub(super) fn callback(
    fields: &mut Fields,
    message: &proto::RecordTouchRequest,
    disposition: Option<Disposition>,
    now: i64,
) -> Option<CallbackTime> {
    let is_wanted = disposition.is_some_and(Disposition::is_callback);
    let given = message.callback_time.as_ref();
    let local = Some(message.callback_local_time.as_str()).filter(|local| !local.is_empty());
    if !message.callback_time_zone.is_empty() && local.is_none() {
        fields.problem("callback_time_zone", "goes with callback_local_time alone");
    }
    let is_given = given.is_some() || local.is_some();
    let field = if given.is_none() && is_given { "callback_local_time" } else { "callback_time" };
    if is_wanted != is_given && disposition.is_some() {
        let problem = if is_wanted {
            "must be given, as the lead asked to be called again"
        } else {
            "goes with DISPOSITION_CALLBACK_ANY and DISPOSITION_CALLBACK_OWN alone"
        };
        fields.problem(field, problem);
        return None;
    }
    let callback = match (given, local) {
        (Some(_), Some(_)) => {
            fields.problem("callback_local_time", "goes in place of callback_time");
            return None;
        }
        (None, Some(local)) => local_time(fields, local, &message.callback_time_zone)?,
        (given, None) => CallbackTime::At(fields.instant(field, given)?),
    };
    let about = match &callback {
        CallbackTime::At(at) => *at,
        // A day is more than any two clocks on earth differ.
        CallbackTime::Local { time, .. } => time.instant_in("UTC").ok()?.saturating_sub(DAY_MS),
    };
    let ended_at = Fields::default().instant("end_time", message.end_time.as_ref())?;
    if about > ended_at.max(now).saturating_add(CALLBACK_MS_MAX) {
        fields.problem(field, "must be within 366 days of the touch");
    }
    Some(callback)
}

fn local_time(fields: &mut Fields, local: &str, zone: &str) -> Option<CallbackTime> {
    if !zone.is_empty() && !is_zone(zone) {
        let problem = "must be a time zone by its IANA name: Europe/Berlin";
        fields.problem("callback_time_zone", problem);
    }
    let Ok(time) = local.parse::<LocalTime>() else {
        let problem = "must be a date and time without an offset: 2026-03-02T14:30";
        fields.problem("callback_local_time", problem);
        return None;
    };
    let zone = (!zone.is_empty()).then(|| zone.to_owned());
    Some(CallbackTime::Local { time, zone })
}

/// Which callbacks are to be listed.
#[derive(Debug)]
pub(in crate::api) struct CallbackList {
    /// Whose.
    pub(in crate::api) of: CallbacksFor,
    /// After this place.
    pub(in crate::api) after: Option<(i64, LeadId)>,
    /// At most so many.
    pub(in crate::api) size: usize,
}

/// Reads which callbacks are to be listed.
pub(in crate::api) fn callbacks_of(
    rep_id: &str,
    message: &proto::ListCallbacksRequest,
) -> Result<CallbackList, Problems> {
    let mut fields = Fields::default();
    let rep = fields.id_if_given("rep_id", rep_id, RepId::new);
    let queue = fields.id_if_given("queue_id", &message.queue_id, QueueId::new);
    let of = match (rep.flatten(), queue.flatten()) {
        (Some(rep), None) => Some(CallbacksFor::Rep(rep)),
        (None, Some(queue)) => Some(CallbacksFor::Queue(queue)),
        (Some(_), Some(_)) => {
            fields.problem("queue_id", "does not go with a rep");
            None
        }
        (None, None) => {
            fields.problem("rep_id", "must be given, or queue_id");
            None
        }
    };
    let page = Page::of(&mut fields, (message.page_size, &message.page_token), 100, 1_000);
    let (of, page) = fields.finish(of.zip(page))?;
    let place = |token: &str| {
        let (at, lead) = token.split_once('/')?;
        Some((at.parse().ok()?, LeadId(lead.parse().ok()?)))
    };
    let after = page.after.as_deref();
    let after = after.map(|token| place(token).ok_or_else(token_problem)).transpose()?;
    Ok(CallbackList { of, after, size: page.size })
}

/// A page of promised callbacks, of which one more was read than it has room for.
pub(in crate::api) fn callbacks(
    mut callbacks: Vec<PromisedCallback>,
    size: usize,
    now: i64,
) -> proto::ListCallbacksResponse {
    let has_more = callbacks.len() > size;
    callbacks.truncate(size);
    let last = callbacks.last().filter(|_| has_more);
    let token = last.map(|one| format!("{}/{}", one.at, one.record.lead.id));
    let message = |one: PromisedCallback| {
        let facts = &one.record.lead.facts;
        let zone = Whereabouts::of(facts).and_then(|found| match found.place.zones() {
            [zone] => Some(zone.to_string()),
            _ => None,
        });
        proto::PromisedCallback {
            lead_id: one.record.lead.id.to_string(),
            name: facts.name.clone().unwrap_or_default(),
            callback_time: Some(time(one.at)),
            overdue_duration: (one.at <= now).then(|| duration(now - one.at)),
            promised_to_rep_id: one.to.map(|rep| rep.to_string()).unwrap_or_default(),
            queue_id: one.queue.to_string(),
            time_zone: zone.unwrap_or_default(),
        }
    };
    proto::ListCallbacksResponse {
        callbacks: callbacks.into_iter().map(message).collect(),
        next_page_token: token.unwrap_or_default(),
        read_time: Some(time(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn read(
        change: impl Fn(&mut proto::RecordTouchRequest),
    ) -> Result<Option<CallbackTime>, Vec<String>> {
        let mut message = proto::RecordTouchRequest {
            end_time: Some(time(NOW)),
            disposition: proto::Disposition::CallbackAny.into(),
            ..Default::default()
        };
        change(&mut message);
        let mut fields = Fields::default();
        let disposition = fields.code::<proto::Disposition>("disposition", message.disposition);
        let read = callback(&mut fields, &message, disposition, NOW);
        let read = fields.finish(Some(read));
        read.map_err(|Problems(all)| all.into_iter().map(|one| one.field).collect())
    }

    fn check(change: impl Fn(&mut proto::RecordTouchRequest), field: &str) {
        assert_eq!(read(change).unwrap_err(), [field]);
    }

    #[test]
    fn a_callback_goes_with_its_dispositions_and_not_too_far_ahead() {
        check(|_| {}, "callback_time");
        let busy = i32::from(proto::Disposition::Busy);
        let at = |ms: i64| Some(time(NOW + ms));
        check(|touch| (touch.disposition, touch.callback_time) = (busy, at(1)), "callback_time");
        check(|touch| touch.callback_time = at(CALLBACK_MS_MAX + 1), "callback_time");
        let own = i32::from(proto::Disposition::CallbackOwn);
        for disposition in [own, i32::from(proto::Disposition::CallbackAny)] {
            let given = |touch: &mut proto::RecordTouchRequest| {
                (touch.disposition, touch.callback_time) = (disposition, at(1));
            };
            assert_eq!(read(given), Ok(Some(CallbackTime::At(NOW + 1))));
        }
    }

    #[test]
    fn a_time_on_a_wall_goes_in_place_of_an_instant() {
        let local = |text: &str, zone: &str| {
            read(|touch| {
                touch.callback_local_time = text.into();
                touch.callback_time_zone = zone.into();
            })
        };
        let time = "2023-11-20T14:30".parse().unwrap();
        let zone = Some("Europe/Berlin".to_owned());
        assert_eq!(
            local("2023-11-20T14:30", "Europe/Berlin"),
            Ok(Some(CallbackTime::Local { time, zone }))
        );
        assert_eq!(
            local("2023-11-20T14:30", ""),
            Ok(Some(CallbackTime::Local { time, zone: None }))
        );
        let refused = |text, zone| local(text, zone).unwrap_err().concat();
        assert_eq!(refused("2023-11-20T14:30Z", ""), "callback_local_time");
        assert_eq!(refused("2023-11-20T14:30", "Here"), "callback_time_zone");
        assert_eq!(refused("2029-11-20T14:30", ""), "callback_local_time");
        check(
            |touch| {
                touch.callback_time = Some(super::time(NOW + 1));
                touch.callback_local_time = "2023-11-20T14:30".into();
            },
            "callback_local_time",
        );
        let alone = |touch: &mut proto::RecordTouchRequest| {
            touch.callback_time = Some(super::time(NOW + 1));
            touch.callback_time_zone = "UTC".into();
        };
        check(alone, "callback_time_zone");
    }

    #[test]
    fn callbacks_are_those_of_a_rep_or_of_a_queue() {
        let read = |rep: &str, queue: &str, token: &str| {
            let message = proto::ListCallbacksRequest {
                queue_id: queue.into(),
                page_token: token.into(),
                ..Default::default()
            };
            callbacks_of(rep, &message)
        };
        assert!(matches!(read("ann", "", "").unwrap().of, CallbacksFor::Rep(_)));
        let CallbackList { of, after, size } = read("", "sales", "17/5").unwrap();
        assert!(matches!(of, CallbacksFor::Queue(_)));
        assert_eq!((after, size), (Some((17, LeadId(5))), 100));
        assert!(read("", "", "").is_err() && read("ann", "sales", "").is_err());
        assert!(read("ann", "", "17").is_err());
    }
}

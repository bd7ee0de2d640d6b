//! What reps ask for and get: pulls, leases, touches.

use crate::auth::Caller;
use crate::dialer::{
    NewTouch, Nothing, Pull, Pulled, Recorded, ReleaseLease, Released, RenewLease, Renewed, Served,
    WAIT_MS_MAX,
};
use crate::domain::{
    Channel, Direction, Disposition, LeadId, ReleaseReason, RepId, SkipReason, TouchId,
};

use super::super::proto;
use super::super::status::Problems;
use super::callbacks::callback;
use super::codes::Known as _;
use super::fields::{DAY_MS, body_hash};
use super::{Fields, LeadName, count, duration, engagements, lead_name, quality, states, time};

/// Request ids count within a caller and rep: many softphones may share a caller.
pub(super) fn scope(caller: &Caller, rep_id: &str) -> String {
    format!("{}/{rep_id}", caller.name)
}

/// Reads a pull.
pub(in crate::api) fn pull(
    caller: &Caller,
    rep_id: &str,
    message: &proto::NextLeadRequest,
) -> Result<Pull, Problems> {
    let mut fields = Fields::default();
    let rep = fields.id("rep_id", rep_id, RepId::new);
    let wait_ms = fields.duration("wait_duration", message.wait_duration.as_ref(), i64::MAX);
    let scope = scope(caller, rep_id);
    let request = fields.request("NextLead", &scope, &message.request_id, message);
    let wait_ms = wait_ms.unwrap_or(0).min(WAIT_MS_MAX);
    let read = || Some(Pull { rep: rep?, wait_ms, request: request? });
    fields.finish(read())
}

/// Reads a renewal.
pub(in crate::api) fn renewal(
    caller: &Caller,
    rep_id: &str,
    message: &proto::RenewLeaseRequest,
) -> Result<(LeadName, impl FnOnce(LeadId) -> RenewLease + use<>), Problems> {
    let mut fields = Fields::default();
    let rep = fields.id("rep_id", rep_id, RepId::new);
    let name = lead_name(&mut fields, message.lead.as_ref());
    let token = fields.token("lease_token", &message.lease_token);
    let wish = message.renewal_duration.as_ref();
    let wish_ms = fields.duration("renewal_duration", wish, DAY_MS);
    if wish_ms == Some(0) {
        fields.problem("renewal_duration", "must be more than nothing");
    }
    let scope = scope(caller, rep_id);
    let request = fields.request("RenewLease", &scope, &message.request_id, message);
    let is_own = caller.rep.is_some();
    let read = || {
        let (rep, token, request) = (rep?, token?, request?);
        let is_in_call = message.in_call;
        let renewal =
            move |lead| RenewLease { rep, is_own, lead, token, wish_ms, is_in_call, request };
        Some((name?, renewal))
    };
    fields.finish(read())
}

/// Reads a release.
pub(in crate::api) fn release(
    caller: &Caller,
    rep_id: &str,
    message: &proto::ReleaseLeaseRequest,
) -> Result<(LeadName, impl FnOnce(LeadId) -> ReleaseLease + use<>), Problems> {
    let mut fields = Fields::default();
    let rep = fields.id("rep_id", rep_id, RepId::new);
    let name = lead_name(&mut fields, message.lead.as_ref());
    let token = fields.token("lease_token", &message.lease_token);
    let reason = fields.code::<proto::ReleaseReason>("reason", message.reason);
    let reason = released(&mut fields, reason, message.skip_reason);
    let scope = scope(caller, rep_id);
    let request = fields.request("ReleaseLease", &scope, &message.request_id, message);
    let is_own = caller.rep.is_some();
    let read = || {
        let (rep, token, reason, request) = (rep?, token?, reason?, request?);
        Some((name?, move |lead| ReleaseLease { rep, is_own, lead, token, reason, request }))
    };
    fields.finish(read())
}

/// A skip says why, from the closed list; what is none does not.
fn released(
    fields: &mut Fields,
    reason: Option<ReleaseReason>,
    skip_reason: i32,
) -> Option<Released> {
    let is_given = skip_reason != i32::from(proto::SkipReason::Unspecified);
    match reason? {
        ReleaseReason::Skipped => {
            let known =
                proto::SkipReason::try_from(skip_reason).ok().and_then(proto::SkipReason::known);
            if known.is_none() {
                let codes = SkipReason::ALL.iter().map(|one| proto::SkipReason::from(*one));
                let codes: Vec<_> = codes.map(|one| one.as_str_name()).collect();
                let problem = format!("must be one of {}, as it is a skip", codes.join(", "));
                fields.problem("skip_reason", problem);
            }
            return known.map(Released::Skipped);
        }
        _ if is_given => fields.problem("skip_reason", "goes with RELEASE_REASON_SKIPPED alone"),
        ReleaseReason::RepError => return Some(Released::RepError),
        ReleaseReason::ClientLost => return Some(Released::ClientLost),
        ReleaseReason::Forbidden => fields.problem("reason", "is the server's own"),
    }
    None
}

/// Reads a touch.
pub(in crate::api) fn new_touch(
    caller: &Caller,
    rep_id: &str,
    message: &proto::RecordTouchRequest,
    now: i64,
) -> Result<(LeadName, impl FnOnce(LeadId) -> NewTouch + use<>), Problems> {
    let mut fields = Fields::default();
    let rep = fields.id("rep_id", rep_id, RepId::new);
    let name = lead_name(&mut fields, message.lead.as_ref());
    let id = fields.id("touch_id", &message.touch_id, TouchId::new);
    let token = match message.lease_token.as_str() {
        "" => None,
        text => fields.token("lease_token", text),
    };
    let channel = fields.code::<proto::Channel>("channel", message.channel);
    let direction = fields.code::<proto::Direction>("direction", message.direction);
    let disposition = fields.code::<proto::Disposition>("disposition", message.disposition);
    let number = match message.number.as_str() {
        "" => None,
        text => fields.known_number("number", text, None),
    };
    let is_dialled = channel == Some(Channel::Call) && direction == Some(Direction::Outbound);
    if is_dialled && message.number.is_empty() {
        fields.problem("number", "must be the number that was dialled");
    }
    let times = times(&mut fields, message, now);
    let callback = callback(&mut fields, message, disposition, now);
    let quality = quality::quality(&mut fields, message.quality.as_ref());
    let notes = fields.lines("notes", message.notes.clone());
    let is_own = caller.rep.is_some();
    let caller = scope(caller, rep_id);
    let body_hash = body_hash("RecordTouch", message);
    let then_next = message.then_next;
    let read = || {
        let (id, rep, channel, direction) = (id?, Some(rep?), channel?, direction?);
        let ((started_at, ended_at), disposition, notes) = (times?, disposition?, notes?);
        let quality = quality?;
        let touch = move |lead| NewTouch {
            id,
            caller,
            body_hash,
            lead,
            rep,
            is_own,
            token,
            channel,
            direction,
            number,
            started_at,
            ended_at,
            disposition,
            callback,
            notes,
            quality,
            then_next,
        };
        Some((name?, touch))
    };
    fields.finish(read())
}

/// A touch is recorded however wrong the softphone's clock is: what would end in the future ended
/// now, and lasted as long.
fn times(fields: &mut Fields, message: &proto::RecordTouchRequest, now: i64) -> Option<(i64, i64)> {
    let started_at = fields.instant_given("start_time", message.start_time.as_ref());
    let ended_at = fields.instant_given("end_time", message.end_time.as_ref());
    let (started_at, ended_at) = (started_at?, ended_at?);
    if ended_at < started_at {
        fields.problem("end_time", "must not be before start_time");
        return None;
    }
    let ahead_ms = (ended_at - now).max(0);
    Some(((started_at - ahead_ms).max(0), ended_at - ahead_ms))
}

/// The answer to a renewal.
pub(in crate::api) fn renewed(renewed: &Renewed) -> proto::RenewLeaseResponse {
    proto::RenewLeaseResponse {
        remaining_duration: Some(duration(renewed.remaining_ms)),
        renewable_duration: Some(duration(renewed.renewable_ms)),
    }
}

/// The answer to a pull.
pub(in crate::api) fn pulled(pulled: Pulled) -> proto::NextLeadResponse {
    use proto::next_lead_response::Answer;
    let answer = match pulled {
        Pulled::Served(lead) => Answer::Served(served(*lead)),
        Pulled::Nothing(why) => Answer::Nothing(nothing(&why)),
    };
    proto::NextLeadResponse { answer: Some(answer) }
}

fn served(served: Served) -> proto::ServedLead {
    let callable = served.callable_numbers();
    let callable_numbers = callable.iter().map(|one| one.as_str().to_owned()).collect();
    let Served { record, campaign, owner, lease, remaining_ms, story, story_reps, .. } = served;
    let (why, was_held, engagements) = (served.why, served.was_held, served.engagements);
    let renewable_ms = remaining_ms + (lease.renewable_until - lease.expires_at).max(0);
    let story = story.iter().zip(&story_reps);
    let all = Disposition::ALL.iter().map(|one| proto::Disposition::from(*one).into());
    proto::ServedLead {
        lead: Some(states::lead(&record.lead, &campaign, owner.as_ref())),
        state: Some(states::state(&record.state)),
        lease_token: lease.token.to_text(),
        remaining_duration: Some(duration(remaining_ms)),
        renewable_duration: Some(duration(renewable_ms)),
        held_before: was_held,
        why: Some(proto::ServeReason {
            order: proto::ServeOrder::from(why.order).into(),
            rule_version: why.rule_version,
            explanation: Some(states::explanation(why.explanation)),
        }),
        story: story.map(|(touch, rep)| states::touch(touch, rep.as_ref())).collect(),
        dispositions: all.collect(),
        callable_numbers,
        engagements: engagements::engagements(engagements),
        quality_ask: quality::ask(&served.quality),
    }
}

fn nothing(nothing: &Nothing) -> proto::NothingToServe {
    let counts = &nothing.counts;
    proto::NothingToServe {
        open_count: count(counts.open),
        closed_count: count(counts.closed),
        unskilled_count: count(counts.unskilled),
        unroutable_count: count(counts.unroutable),
        waiting_count: count(counts.waiting),
        in_flight_count: count(counts.in_flight),
        next_due_time: counts.next_due_at.map(time),
        next_opening_time: nothing.next_opening.as_ref().map(|opening| time(opening.at)),
        turned_count: count(nothing.turned_count),
        should_retry: nothing.should_retry,
        capped_count: count(nothing.capped_count),
        kept_count: count(counts.kept),
        quality_owed: quality::owed(&nothing.owed),
        next_opening_bar: nothing.next_opening.as_ref().map(|opening| states::bar(&opening.bar)),
    }
}

/// The answer to a touch.
pub(in crate::api) fn recorded(recorded: Recorded) -> proto::RecordTouchResponse {
    use proto::record_touch_response::Next;
    let next = match recorded.next {
        Some(Pulled::Served(lead)) => Some(Next::NextServed(served(*lead))),
        Some(Pulled::Nothing(why)) => Some(Next::NextNothing(nothing(&why))),
        None => recorded.is_next_lost.then_some(Next::NextLost(proto::NextLeaseLost {})),
    };
    proto::RecordTouchResponse {
        late: recorded.late,
        replayed: recorded.is_replay,
        state: Some(states::state(&recorded.state)),
        suppressed_count: count(recorded.suppressed_count),
        quality_owed: recorded.is_quality_owed,
        next,
    }
}

#[cfg(test)]
mod tests {
    use crate::auth::Role;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn caller() -> Caller {
        Caller { name: "admin".into(), role: Role::Admin, rep: None }
    }

    fn message() -> proto::RecordTouchRequest {
        let name = Some(proto::lead_ref::Name::LeadId("5".into()));
        proto::RecordTouchRequest {
            rep_id: "ann".into(),
            lead: Some(proto::LeadRef { name }),
            touch_id: "t1".into(),
            channel: proto::Channel::Call.into(),
            direction: proto::Direction::Outbound.into(),
            number: "+12025550100".into(),
            start_time: Some(time(NOW - 60_000)),
            end_time: Some(time(NOW)),
            disposition: proto::Disposition::Busy.into(),
            ..Default::default()
        }
    }

    fn read(message: &proto::RecordTouchRequest) -> Result<NewTouch, Vec<String>> {
        let read = new_touch(&caller(), &message.rep_id, message, NOW);
        let (name, touch) =
            read.map_err(|Problems(all)| all.into_iter().map(|one| one.field).collect::<Vec<_>>())?;
        assert_eq!(name, LeadName::Id(LeadId(5)));
        Ok(touch(LeadId(5)))
    }

    fn check(change: impl Fn(&mut proto::RecordTouchRequest), fields: &[&str]) {
        let mut message = message();
        change(&mut message);
        assert_eq!(read(&message).map(|_| ()).unwrap_err(), fields);
    }

    #[test]
    fn a_touch_reads_as_it_was_sent() {
        let touch = read(&message()).unwrap();
        assert_eq!((touch.started_at, touch.ended_at), (NOW - 60_000, NOW));
        assert_eq!(touch.disposition, Disposition::Busy);
        assert_eq!(touch.caller, "admin/ann");
        assert_eq!(touch.token, None);
    }

    #[test]
    fn an_empty_request_is_told_everything_it_lacks() {
        let empty = proto::RecordTouchRequest::default();
        let problems = new_touch(&caller(), "", &empty, NOW).map(|_| ()).unwrap_err();
        let fields: Vec<_> = problems.0.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "rep_id",
                "lead",
                "touch_id",
                "channel",
                "direction",
                "disposition",
                "start_time",
                "end_time"
            ]
        );
    }

    #[test]
    fn a_call_names_its_number_and_an_email_does_not() {
        check(|touch| touch.number.clear(), &["number"]);
        let mut message = message();
        message.number.clear();
        message.channel = proto::Channel::Email.into();
        assert!(read(&message).is_ok());
        message.channel = proto::Channel::Call.into();
        message.direction = proto::Direction::Inbound.into();
        assert!(read(&message).is_ok());
    }

    #[test]
    fn a_touch_ends_after_it_began_and_a_clock_ahead_is_set_right() {
        check(|touch| touch.end_time = Some(time(NOW - 60_001)), &["end_time"]);
        let mut message = message();
        message.start_time = Some(time(NOW + 3_540_000));
        message.end_time = Some(time(NOW + 3_600_000));
        let touch = read(&message).unwrap();
        assert_eq!((touch.started_at, touch.ended_at), (NOW - 60_000, NOW));
        message.start_time = Some(time(0));
        assert_eq!(read(&message).unwrap().started_at, 0);
    }

    #[test]
    fn a_pull_waits_a_minute_at_most_and_is_known_by_rep_and_body() {
        let message = proto::NextLeadRequest {
            rep_id: "ann".into(),
            wait_duration: Some(duration(10 * WAIT_MS_MAX)),
            request_id: "r1".into(),
        };
        let read = pull(&caller(), "ann", &message).unwrap();
        assert_eq!(read.wait_ms, WAIT_MS_MAX);
        let key = read.request.unwrap();
        assert_eq!(key.caller, "admin/ann");
        let shorter = proto::NextLeadRequest { wait_duration: None, ..message };
        assert_ne!(
            pull(&caller(), "ann", &shorter).unwrap().request.unwrap().body_hash,
            key.body_hash
        );
    }
}

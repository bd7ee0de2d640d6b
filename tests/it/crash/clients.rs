//! The clients: reps, marketing and those who want to be left alone. Each writes down what it sent and
//! what it was answered, and now and then sends once more what was answered already.

use std::sync::atomic::Ordering;
use std::time::Duration;

use nextlead::api::client::Client;
use nextlead::api::proto;
use nextlead::clock::{Clock as _, SystemClock};
use proto::next_lead_response::Answer;
use proto::record_touch_response::Next;
use proto::suppress_contact_request::Contact;

use super::families::{FAMILY_COUNT_MAX, FAMILY_SIZE, family_of, member, number};
use super::history::{HandoverSent, History, Hold, LooseEnd, Span, SuppressionSent, TouchSent};
use super::line::{Line, Outcome};
use crate::support::{by_id, time};

/// Of a hundred calls that were answered, so many are sent once more.
const REPLAYED: u64 = 5;

/// A lead in hand.
struct Held {
    hold: usize,
    token: String,
}

/// A rep's program: pulls, touches, and sometimes gives back.
pub(super) async fn rep(id: String, mut line: Line) -> History {
    let mut held = None;
    for nth in 0_u64.. {
        if line.shared.is_over() {
            break;
        }
        if line.random.below(100) < 2 {
            line.move_on();
        }
        held = match held {
            None => pull(&id, nth, &mut line).await,
            Some(held) if line.random.below(100) < 8 => release(&id, nth, held, &mut line).await,
            Some(held) => touch(&id, nth, held, &mut line).await,
        };
    }
    line.history
}

async fn pull(rep: &str, nth: u64, line: &mut Line) -> Option<Held> {
    let request = proto::NextLeadRequest {
        rep_id: rep.to_owned(),
        wait_duration: Some(prost_types::Duration { seconds: 0, nanos: 100_000_000 }),
        request_id: format!("{rep}-pull-{nth}"),
    };
    let span = line.begun();
    let call = |client: Client| {
        let request = request.clone();
        async move { client.reps().next_lead(request).await }
    };
    match line.call("pull", 20, call).await {
        Outcome::Answered(proto::NextLeadResponse { answer: Some(Answer::Served(served)) }) => {
            Some(take(rep, &served, span, line))
        }
        Outcome::Answered(_) | Outcome::GivenUp { .. } => None,
        // What the lost answer had given was suppressed meanwhile.
        Outcome::Refused(reason) if reason == "LEASE_LOST" => None,
        Outcome::Refused(reason) => {
            line.history.refusals.push(format!("pull of {rep}: {reason}"));
            None
        }
    }
}

fn take(rep: &str, served: &proto::ServedLead, span: Span, line: &mut Line) -> Held {
    let lead = served.lead.as_ref().unwrap();
    let callable = lead.numbers.iter().filter(|one| one.stopped_by == 0);
    line.shared.served_count.send_modify(|count| *count += 1);
    line.history.holds.push(Hold {
        rep: rep.to_owned(),
        lead: lead.lead_id.clone(),
        family: family_of(lead),
        numbers: callable.map(|one| one.number.clone()).collect(),
        asked: span.sent,
        since: line.shared.order.next(),
        until: None,
    });
    Held { hold: line.history.holds.len() - 1, token: served.lease_token.clone() }
}

async fn release(rep: &str, nth: u64, held: Held, line: &mut Line) -> Option<Held> {
    let request = proto::ReleaseLeaseRequest {
        rep_id: rep.to_owned(),
        lead: Some(by_id(&line.history.holds[held.hold].lead)),
        lease_token: held.token,
        reason: proto::ReleaseReason::Skipped.into(),
        skip_reason: proto::SkipReason::NoTime.into(),
        request_id: format!("{rep}-release-{nth}"),
    };
    let sent = line.shared.order.next();
    let hold = &mut line.history.holds[held.hold];
    hold.until = Some(sent);
    let lead = hold.lead.clone();
    let call = |client: Client| {
        let request = request.clone();
        async move { client.reps().release_lease(request).await }
    };
    match line.call("release", 20, call).await {
        Outcome::Refused(reason) if reason != "LEASE_LOST" => {
            line.history.refusals.push(format!("release of {rep}: {reason}"));
        }
        Outcome::GivenUp { .. } => line.history.loose_ends.push(LooseEnd { lead, sent }),
        _ => {}
    }
    None
}

async fn touch(rep: &str, nth: u64, held: Held, line: &mut Line) -> Option<Held> {
    let hold = line.history.holds[held.hold].clone();
    let disposition = match line.random.below(100) {
        0..50 => proto::Disposition::NoAnswer,
        50..85 => proto::Disposition::NotInterested,
        85..97 => proto::Disposition::Sale,
        _ => proto::Disposition::DoNotCall,
    };
    let ended_at = time(SystemClock::start(0).now() - 10);
    let request = proto::RecordTouchRequest {
        rep_id: rep.to_owned(),
        lead: Some(by_id(&hold.lead)),
        touch_id: format!("{rep}-touch-{nth}"),
        lease_token: held.token,
        channel: proto::Channel::Call.into(),
        direction: proto::Direction::Outbound.into(),
        number: hold.numbers.first().cloned().unwrap_or_default(),
        start_time: Some(ended_at),
        end_time: Some(ended_at),
        disposition: disposition.into(),
        then_next: line.random.below(100) < 70,
        ..Default::default()
    };
    let mut span = line.begun();
    line.history.holds[held.hold].until = Some(span.sent);
    let call = |client: Client| {
        let request = request.clone();
        async move { client.reps().record_touch(request).await }
    };
    let (mut is_late, mut next, mut failed) = (false, None, false);
    match line.call("touch", 20, call).await {
        Outcome::Answered(answer) => {
            span = line.answered(span);
            let is_empty = request.then_next && !matches!(answer.next, Some(Next::NextServed(_)));
            // Who got nothing may get something when they ask again.
            if !is_empty
                && line.random.below(100) < REPLAYED
                && let Outcome::Answered(again) = line.call("touch", 20, call).await
                && let Some(problem) = other_touch(&answer, &again)
            {
                line.history.refusals.push(format!("{}: {problem}", request.touch_id));
            }
            is_late = answer.late;
            next = answer.next;
        }
        Outcome::Refused(reason) => {
            line.history.refusals.push(format!("touch of {rep}: {reason}"));
        }
        Outcome::GivenUp { is_failed } => {
            failed = is_failed;
            let lead = hold.lead.clone();
            line.history.loose_ends.push(LooseEnd { lead, sent: span.sent });
        }
    }
    let (id, lead, family) = (request.touch_id, hold.lead, hold.family);
    let touch = TouchSent { id, lead, family, span, is_late, is_failed: failed };
    line.history.touches.push(touch);
    if disposition == proto::Disposition::DoNotCall {
        let numbers = hold.numbers;
        line.history.suppressions.push(SuppressionSent { family, numbers, span });
    }
    match next {
        Some(Next::NextServed(served)) => Some(take(rep, &served, span, line)),
        _ => None,
    }
}

/// What is wrong with the answer to a touch that was sent once more.
fn other_touch(
    first: &proto::RecordTouchResponse,
    again: &proto::RecordTouchResponse,
) -> Option<&'static str> {
    let is_same_next = match (&first.next, &again.next) {
        (Some(Next::NextServed(first)), Some(Next::NextServed(again))) => {
            let lead =
                |served: &proto::ServedLead| served.lead.as_ref().map(|lead| lead.lead_id.clone());
            first.lease_token == again.lease_token && lead(first) == lead(again)
        }
        // A suppression has taken it away, or the store had to be asked and could not.
        (Some(Next::NextServed(_)), Some(_)) | (None, None) => true,
        _ => false,
    };
    match (again.replayed, first.late == again.late, is_same_next) {
        (false, _, _) => Some("it was recorded once more"),
        (_, false, _) => Some("it was late once, and once it was not"),
        (_, _, false) => Some("it brought another lead"),
        _ => None,
    }
}

/// Marketing: hands leads over all the time, and one in ten once more.
pub(super) async fn intake(client_nth: u64, mut line: Line) -> History {
    let mut handed_over = 0;
    for nth in 0_u64.. {
        if line.shared.is_over() {
            break;
        }
        let is_again = handed_over > 0 && line.random.below(100) < 10;
        let which = if is_again { line.random.below(handed_over) } else { handed_over };
        handed_over += u64::from(!is_again);
        let family = client_nth * FAMILY_COUNT_MAX + which / FAMILY_SIZE;
        let lead = member(family, which % FAMILY_SIZE);
        let request = proto::UpsertLeadRequest {
            lead: Some(lead.clone()),
            request_id: format!("intake-{client_nth}-{nth}"),
        };
        let mut span = line.begun();
        let call = |client: Client| {
            let request = request.clone();
            async move { client.intake().upsert_lead(request).await }
        };
        let (mut lead_id, mut failed) = (None, false);
        match line.call("handover", 30, call).await {
            Outcome::Answered(answer) => {
                span = line.answered(span);
                lead_id = Some(answer.result.unwrap().lead_id);
                if line.random.below(100) < REPLAYED
                    && let Outcome::Answered(again) = line.call("handover", 30, call).await
                    && Some(again.result.unwrap().lead_id) != lead_id
                {
                    let id = &request.request_id;
                    line.history.refusals.push(format!("{id} was answered with another lead"));
                }
            }
            Outcome::Refused(reason) => line.history.refusals.push(format!("handover: {reason}")),
            Outcome::GivenUp { is_failed } => failed = is_failed,
        }
        let handover = HandoverSent { is_failed: failed, ..sent(lead, span, lead_id) };
        line.history.handovers.push(handover);
        let family_count = &line.shared.family_counts[usize::try_from(client_nth).unwrap()];
        family_count.store(handed_over / FAMILY_SIZE, Ordering::SeqCst);
    }
    line.history
}

pub(super) fn sent(lead: proto::Lead, span: Span, lead_id: Option<String>) -> HandoverSent {
    HandoverSent {
        external_id: lead.handover_key.unwrap().external_id,
        numbers: lead.numbers.into_iter().map(|one| one.number).collect(),
        span,
        lead: lead_id,
        is_failed: false,
    }
}

/// Rows of a batch.
const BATCH_LENGTH: usize = 5_000;

/// Imports so many families at once, in whole batches, before anything is killed: work enough for
/// all reps from the beginning.
pub(super) async fn stock(client_nth: u64, family_count: u64, mut line: Line) -> History {
    let first = client_nth * FAMILY_COUNT_MAX;
    let families = first..first + family_count;
    let leads = families.flat_map(|family| (0..FAMILY_SIZE).map(move |nth| member(family, nth)));
    let leads: Vec<_> = leads.collect();
    let batches = leads.chunks(BATCH_LENGTH).zip(1..).map(|(leads, batch_number)| {
        let rows = leads.iter().cloned().zip(1..);
        let rows = rows.map(|(lead, row_number)| proto::ImportRow { row_number, lead: Some(lead) });
        proto::ImportLeadsRequest { batch_number, rows: rows.collect(), ..Default::default() }
    });
    let batches: Vec<_> = batches.collect();
    let client = line.connected().await;
    let span = line.begun();
    let answers = client.intake().import_leads(tokio_stream::iter(batches)).await;
    let mut answers = answers.unwrap().into_inner();
    let mut lead_ids = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        lead_ids.extend(answer.rows.into_iter().map(|row| match row.result.unwrap() {
            proto::import_row_result::Result::Taken(taken) => taken.lead_id,
            other => panic!("{other:?}"),
        }));
    }
    let span = line.answered(span);
    assert_eq!(lead_ids.len(), leads.len());
    let rows = leads.into_iter().zip(lead_ids);
    line.history.handovers = rows.map(|(lead, id)| sent(lead, span, Some(id))).collect();
    line.shared.family_counts[usize::try_from(client_nth).unwrap()]
        .store(family_count, Ordering::SeqCst);
    line.history
}

/// Suppresses, many times a second, a number of one of the families that came last.
pub(super) async fn suppressor(mut line: Line) -> History {
    let mut turns = tokio::time::interval(Duration::from_millis(25));
    for nth in 0_u64.. {
        turns.tick().await;
        if line.shared.is_over() {
            break;
        }
        let client_nth = line.random.below(line.shared.family_counts.len() as u64);
        let family_counts = &line.shared.family_counts;
        let count = family_counts[usize::try_from(client_nth).unwrap()].load(Ordering::SeqCst);
        let family = client_nth * FAMILY_COUNT_MAX + count.saturating_sub(line.random.below(50));
        let number = number(family, line.random.below(3));
        let request = proto::SuppressContactRequest {
            contact: Some(Contact::Number(number.clone())),
            source: "letter".into(),
            request_id: format!("suppress-{nth}"),
            ..Default::default()
        };
        let mut span = line.begun();
        let call = |client: Client| {
            let request = request.clone();
            async move { client.intake().suppress_contact(request).await }
        };
        match line.call("suppression", 0, call).await {
            Outcome::Answered(_) => span = line.answered(span),
            Outcome::Refused(reason) => line.history.refusals.push(format!("stop: {reason}")),
            Outcome::GivenUp { .. } => {}
        }
        let numbers = vec![number];
        line.history.suppressions.push(SuppressionSent { family, numbers, span });
    }
    line.history
}

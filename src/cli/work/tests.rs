//! The desk without a node: every answer is given by hand.

use tonic::Status;

use super::desk::{Busy, Desk, Effect, Event, Prompt, Told};
use super::keys::Key;
use super::view::frame;
use crate::api::proto::next_lead_response::Answer;
use crate::api::proto::record_touch_response::Next;
use crate::api::proto::{
    Disposition, Lead, LeadNumber, NextLeadResponse, NothingToServe, RecordTouchRequest,
    RecordTouchResponse, ReleaseReason, RenewLeaseResponse, ServedLead, SkipReason,
};
use crate::cli::words::duration_of;

/// A lead that may end in three ways, leased for 90 seconds, renewable for an hour.
fn served(id: &str) -> ServedLead {
    let number = |number: &str, stopped_by: i32| LeadNumber { number: number.into(), stopped_by };
    let lead = Lead {
        lead_id: id.to_owned(),
        name: format!("Lead {id}"),
        numbers: vec![
            number("+4930111", Disposition::Fax as i32),
            number("+4930222", 0),
            number("+4930333", 0),
        ],
        time_zone: "Europe/Berlin".to_owned(),
        ..Lead::default()
    };
    let endings = [Disposition::NoAnswer, Disposition::CallbackAny, Disposition::Sale];
    ServedLead {
        lead: Some(lead),
        lease_token: format!("token-{id}"),
        remaining_duration: Some(duration_of(90_000)),
        renewable_duration: Some(duration_of(3_600_000)),
        dispositions: endings.map(|one| one as i32).to_vec(),
        ..ServedLead::default()
    }
}

fn nothing(waiting_count: i64) -> NothingToServe {
    NothingToServe { waiting_count, ..NothingToServe::default() }
}

fn pulled(answer: Answer) -> Event {
    Event::Pulled(Ok(NextLeadResponse { answer: Some(answer) }))
}

fn recorded(next: Option<Next>) -> Event {
    Event::Recorded(Ok(RecordTouchResponse { next, ..RecordTouchResponse::default() }))
}

/// A desk on which lead 1 lies since instant 0.
fn desk(is_screen: bool) -> Desk {
    let mut number = 0;
    let new_id = move || {
        number += 1;
        format!("touch-{number}")
    };
    let (mut desk, effects) = Desk::open("ann".into(), is_screen, 0, Box::new(new_id));
    assert!(matches!(effects[..], [Effect::Pull { is_patient: false }]));
    let effects = desk.on(pulled(Answer::Served(served("1"))), 0);
    assert!(matches!(&effects[..], [Effect::Tell(Told::Served(_))]));
    desk
}

fn press(desk: &mut Desk, keys: &str, now: i64) -> Vec<Effect> {
    let mut effects = Vec::new();
    for key in keys.chars() {
        let key = match key {
            '\n' => Key::Enter,
            '\u{8}' => Key::Backspace,
            '\u{1b}' => Key::Escape,
            '\u{3}' => Key::Interrupt,
            key => Key::Char(key),
        };
        effects = desk.on(Event::Key(key), now);
    }
    effects.retain(|effect| !matches!(effect, Effect::Tell(_)));
    effects
}

fn record(effects: &[Effect]) -> &RecordTouchRequest {
    match effects {
        [Effect::Record(request)] => request,
        other => panic!("no touch: {other:?}"),
    }
}

#[test]
fn a_key_records_a_touch_of_the_chosen_number_and_the_next_lead_comes_with_it() {
    let mut desk = desk(false);
    press(&mut desk, "2", 1_000);
    press(&mut desk, "nwants mroe\u{8}\u{8}\u{8}ore\n", 2_000);
    let effects = press(&mut desk, "a", 5_000);
    let touch = record(&effects);
    assert_eq!(touch.disposition, Disposition::NoAnswer as i32);
    assert_eq!((touch.number.as_str(), touch.notes.as_str()), ("+4930333", "wants more"));
    assert_eq!(touch.end_time.map(|at| at.seconds), Some(5));
    assert_eq!((touch.lease_token.as_str(), touch.then_next), ("token-1", true));
    assert!(press(&mut desk, "a", 5_100).is_empty(), "a second key touches nothing twice");

    desk.on(recorded(Some(Next::NextServed(served("2")))), 6_000);
    let lead = desk.lead.as_ref().unwrap();
    assert_eq!((lead.notes.as_str(), lead.chosen, desk.touch_count), ("", 0, 1));
    assert_eq!(record(&press(&mut desk, "a", 9_000)).touch_id, "touch-2");
}

#[test]
fn only_what_the_answer_allows_ends_a_lead() {
    let mut desk = desk(false);
    assert!(press(&mut desk, "b", 1_000).is_empty(), "busy is not offered");
    assert!(press(&mut desk, "z", 1_000).is_empty());
    assert!(desk.flash.as_ref().unwrap().is_bad);
    assert!(press(&mut desk, "3", 1_000).is_empty(), "there are two numbers to dial");
    assert!(desk.busy.is_none() && desk.lead.is_some());
}

#[test]
fn a_callback_asks_when_until_it_understands() {
    let mut desk = desk(false);
    assert!(press(&mut desk, "csoon\n", 1_000).is_empty());
    assert_eq!(desk.prompt, Prompt::When(Disposition::CallbackAny, "soon".into()));
    let effects = press(&mut desk, "\u{8}\u{8}\u{8}\u{8}+2h\n", 1_000);
    assert_eq!(record(&effects).callback_time.map(|at| at.seconds), Some(7_201));
    desk.on(Event::Recorded(Err(Status::invalid_argument("callback_time: is too far"))), 2_000);
    assert!(desk.lead.is_some() && desk.busy.is_none(), "what is refused stays on the desk");
    assert!(press(&mut desk, "c\u{1b}", 2_000).is_empty());
    assert_eq!(desk.prompt, Prompt::Keys);
}

#[test]
fn a_key_that_was_pressed_twice_does_not_end_the_lead_that_just_came() {
    let mut desk = desk(true);
    assert!(press(&mut desk, "a", 699).is_empty());
    assert_eq!(record(&press(&mut desk, "a", 700)).touch_id, "touch-1");
}

#[test]
fn a_lease_is_renewed_in_its_last_third_while_the_lead_is_here() {
    let mut desk = desk(false);
    assert!(desk.on(Event::Tick, 59_000).is_empty());
    assert!(matches!(desk.on(Event::Tick, 60_000)[..], [Effect::Renew(_)]));
    assert!(desk.on(Event::Tick, 60_250).is_empty(), "once is enough");
    let renewed = RenewLeaseResponse {
        remaining_duration: Some(duration_of(90_000)),
        renewable_duration: Some(duration_of(90_000)),
    };
    desk.on(Event::Renewed(Ok(renewed)), 61_000);
    assert!(desk.on(Event::Tick, 150_000).is_empty(), "no renewal carries it further");

    desk.on(Event::Renewed(Err(Status::failed_precondition("lost"))), 150_500);
    let screen = frame(&desk, 150_500, 80, 24).join("\n");
    assert!(screen.contains("The lease is over"), "{screen}");
    assert_eq!(record(&press(&mut desk, "a", 151_000)).lease_token, "token-1", "a fact is a fact");
}

#[test]
fn a_renewal_says_whether_the_rep_talks_and_what_the_node_forbids_is_shown() {
    let renewal = |desk: &mut Desk| match &desk.on(Event::Tick, 60_000)[..] {
        [Effect::Renew(request)] => request.in_call,
        other => panic!("{other:?}"),
    };
    let mut silent = desk(true);
    assert!(!renewal(&mut silent));
    let forbidden = Status::failed_precondition("the lead may not be dialled any more");
    let told = silent.on(Event::Renewed(Err(forbidden)), 61_000);
    assert!(matches!(told[..], [Effect::Tell(Told::Refused(_))]));
    let screen = frame(&silent, 61_000, 80, 24).join("\n");
    assert!(screen.contains("may not be dialled any more"), "{screen}");

    let mut talking = desk(true);
    press(&mut talking, "t", 1_000);
    assert!(frame(&talking, 1_000, 80, 24).join("\n").contains("renewed while you talk"));
    assert!(renewal(&mut talking));
    let mut over = desk(true);
    press(&mut over, "tt", 1_000);
    assert!(!renewal(&mut over), "the key is taken back by itself");
}

#[test]
fn skipping_needs_a_reason_and_pulls_again() {
    let mut desk = desk(false);
    assert!(press(&mut desk, "salz", 1_000).is_empty());
    let effects = press(&mut desk, "2", 1_000);
    let [Effect::Release(release)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(release.reason, ReleaseReason::Skipped as i32);
    assert_eq!(release.skip_reason, SkipReason::BadData as i32);
    let effects = desk.on(Event::Released(Ok(())), 2_000);
    assert!(matches!(effects[..], [Effect::Tell(Told::Released), Effect::Pull { .. }]));
}

#[test]
fn an_empty_queue_says_why_waits_and_takes_the_lead_that_appears() {
    let mut desk = desk(false);
    press(&mut desk, "a", 1_000);
    assert!(!desk.takes_lines());
    let effects = desk.on(recorded(Some(Next::NextNothing(nothing(7)))), 2_000);
    assert!(matches!(
        effects[1..],
        [Effect::Tell(Told::Nothing(_)), Effect::Pull { is_patient: true }]
    ));
    assert!(desk.takes_lines(), "who waits may quit");
    let screen = frame(&desk, 65_000, 80, 24).join("\n");
    assert!(screen.contains("for 1m 3s") && screen.contains("7  wait for a retry"), "{screen}");
    let effects = desk.on(pulled(Answer::Nothing(nothing(7))), 70_000);
    assert!(matches!(effects[..], [Effect::Pull { .. }]), "the same numbers are told once");
    desk.on(pulled(Answer::Served(served("2"))), 71_000);
    assert!(desk.lead.is_some() && desk.nothing.is_none());
}

#[test]
fn quitting_asks_and_gives_the_lead_back_or_keeps_it() {
    let mut desk = desk(false);
    assert!(press(&mut desk, "qn", 1_000).is_empty());
    assert!(desk.lead.is_some() && desk.prompt == Prompt::Keys);
    assert!(matches!(press(&mut desk, "qy", 1_000)[..], [Effect::Release(_)]));
    let effects = desk.on(Event::Released(Ok(())), 1_000);
    assert!(matches!(effects[..], [Effect::Tell(Told::Released), Effect::Quit]));
    assert!(matches!(press(&mut self::desk(false), "qk", 1_000)[..], [Effect::Quit]));
    assert!(matches!(press(&mut self::desk(false), "\u{3}\u{3}", 1_000)[..], [Effect::Quit]));
}

#[test]
fn a_lost_connection_keeps_the_touch_and_quitting_over_it_asks_twice() {
    let mut desk = desk(false);
    let touch = record(&press(&mut desk, "a", 1_000)).clone();
    let down = || Event::LineDown(Status::unavailable("refused"));
    assert!(matches!(desk.on(down(), 2_000)[..], [Effect::Tell(Told::LineDown(_))]));
    assert!(desk.on(down(), 3_000).is_empty(), "said once");
    assert!(frame(&desk, 3_000, 80, 24).join("\n").contains("No connection"));
    assert!(press(&mut desk, "q", 4_000).is_empty());
    assert_eq!(desk.prompt, Prompt::QuitUnsent);
    assert_eq!(desk.unsent(), Some(&touch));
    press(&mut desk, "x", 4_000);
    desk.on(Event::LineUp, 5_000);
    desk.on(recorded(Some(Next::NextServed(served("2")))), 5_000);
    assert!(desk.unsent().is_none() && desk.line_down.is_none());
}

#[test]
fn the_end_of_the_input_gives_the_lead_back_once_what_was_typed_is_done() {
    let mut desk = desk(false);
    press(&mut desk, "a", 1_000);
    assert!(desk.on(Event::End, 1_000).is_empty(), "the touch goes first");
    let effects = desk.on(recorded(Some(Next::NextServed(served("2")))), 2_000);
    assert!(matches!(effects.last(), Some(Effect::Release(_))), "{effects:?}");
    assert_eq!(desk.busy, Some(Busy::Releasing));
    assert!(matches!(desk.on(Event::Released(Ok(())), 3_000).last(), Some(Effect::Quit)));
}

#[test]
fn a_rep_who_may_not_pull_is_told_why() {
    let (mut desk, _) = Desk::open("eve".into(), false, 0, Box::new(String::new));
    let effects = desk.on(Event::Pulled(Err(Status::not_found("no rep \"eve\""))), 0);
    assert!(matches!(&effects[..], [Effect::Fail(status)] if status.message().contains("eve")));
}

#[test]
fn a_small_screen_keeps_the_keys() {
    let desk = desk(true);
    for height in [8, 12, 24, 60] {
        let lines = frame(&desk, 0, 40, height);
        assert!(lines.len() <= height, "{height}: {lines:#?}");
        assert!(lines.last().unwrap().contains("quit"), "{height}: {lines:#?}");
    }
    let screen = frame(&desk, 0, 80, 24).join("\n");
    for part in ["Lead 1", "+4930222", "stopped: fax", "no_answer", "sale", "1m 30s left"] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    assert!(!screen.contains("voicemail"), "{screen}");
}

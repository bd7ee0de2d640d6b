//! Clients that take their time: nothing comes, or only a little, or nothing is read.

use std::time::Duration;

use nextlead::api::front::Limit;
use tokio::time::Instant;

use super::target::{Target, short};
use super::wire::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, RST_STREAM, Raw, call, frame, message,
};

const UPSERT: &str = "/nextlead.v1.IntakeService/UpsertLead";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// What a client says before it says nothing more.
async fn is_cut_after(first: &[u8]) {
    let target = Target::start(short()).await;
    let started_at = Instant::now();
    let attack = async {
        let mut raws = Vec::new();
        for _ in 0..50 {
            let mut raw = Raw::connect(target.address).await.unwrap();
            raw.send(first).await.unwrap();
            raws.push(raw);
        }
        for raw in &mut raws {
            raw.wait_for_end().await;
        }
    };
    target.meets(Limit::FirstCallLate, attack).await;
    assert!(started_at.elapsed() >= Duration::from_millis(500), "it was given its time");
    assert_eq!(target.tally.met_count(Limit::FirstCallLate), 50);
    target.end().await;
}

#[tokio::test]
async fn a_silent_connection_is_cut() {
    is_cut_after(b"").await;
}

#[tokio::test]
async fn half_a_preface_is_cut() {
    is_cut_after(&PREFACE[..12]).await;
}

#[tokio::test]
async fn a_connection_that_opens_and_never_calls_is_cut() {
    is_cut_after(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await;
}

#[tokio::test]
async fn a_call_whose_body_never_comes_is_answered_and_over() {
    let target = Target::start(short()).await;
    let attack = async {
        let mut raw = Raw::opened(target.address, &[]).await.unwrap();
        let headers = call(UPSERT, Some(&target.token));
        for stream in (1..80).step_by(2) {
            raw.send(&frame(HEADERS, END_HEADERS, stream, &headers)).await.unwrap();
        }
        let mut answered_count = 0;
        while answered_count < 40 {
            let came = raw.receive().await.unwrap();
            answered_count += u32::from(came.kind == HEADERS && came.flags & END_STREAM != 0);
        }
    };
    target.meets(Limit::RequestLate, attack).await;
    target.end().await;
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_has_one_deadline_for_all() {
    let target = Target::start(short()).await;
    let attack = async {
        let mut raw = Raw::opened(target.address, &[]).await.unwrap();
        let headers = call(UPSERT, Some(&target.token));
        raw.send(&frame(HEADERS, END_HEADERS, 1, &headers)).await.unwrap();
        let body = message(0, 1_000, &[0; 1_000]);
        let mut sent_count = 0;
        while target.tally.met_count(Limit::RequestLate) == 0 {
            raw.send(&frame(DATA, 0, 1, &body[sent_count..=sent_count])).await.unwrap();
            sent_count += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // A piece may take 400 ms, so only the deadline of the whole can have ended it.
        assert!(sent_count > 2, "{sent_count} bytes were taken");
    };
    target.meets(Limit::RequestLate, attack).await;
    target.end().await;
}

#[tokio::test]
async fn a_client_that_gives_no_room_for_answers_loses_its_calls() {
    let target = Target::start(short()).await;
    let attack = async {
        // A window of nothing for every answer.
        let mut raw = Raw::opened(target.address, &[0, 4, 0, 0, 0, 0]).await.unwrap();
        for stream in (1..80).step_by(2) {
            let headers = frame(HEADERS, END_HEADERS, stream, &call(HEALTH, None));
            let body = frame(DATA, END_STREAM, stream, &message(0, 0, &[]));
            raw.send(&[headers, body].concat()).await.unwrap();
        }
        let mut reset_count = 0;
        while reset_count < 40 {
            let came = raw.receive().await.unwrap();
            reset_count += u32::from(came.kind == RST_STREAM);
        }
    };
    target.meets(Limit::AnswerLate, attack).await;
    assert_eq!(target.tally.met_count(Limit::AnswerLate), 40);
    target.end().await;
}

//! Requests that are larger than they may be, or say that they are.

use nextlead::api::front::Limit;
use nextlead::api::proto;
use tonic::Code;

use super::target::{Target, short};
use super::wire::{DATA, END_HEADERS, END_STREAM, HEADERS, Raw, call, frame, header, message};

const UPSERT: &str = "/nextlead.v1.IntakeService/UpsertLead";

/// Sends a call with a body, and waits for its answer.
async fn answer(raw: &mut Raw, headers: &[u8], body: &[u8]) {
    let headers = frame(HEADERS, END_HEADERS, 1, headers);
    let body = frame(DATA, 0, 1, body);
    raw.send(&[headers, body].concat()).await.unwrap();
    while let Some(came) = raw.receive().await {
        if came.stream == 1 && came.kind == HEADERS && came.flags & END_STREAM != 0 {
            return;
        }
    }
    panic!("the call was not answered");
}

#[tokio::test]
async fn a_message_that_says_it_has_four_gigabytes_is_refused_at_once() {
    let target = Target::start(short()).await;
    let attack = async {
        let mut raw = Raw::opened(target.address, &[]).await.unwrap();
        let headers = call(UPSERT, Some(&target.token));
        answer(&mut raw, &headers, &message(0, u32::MAX, &[])).await;
    };
    target.meets(Limit::RequestSize, attack).await;
    target.end().await;
}

#[tokio::test]
async fn a_message_of_five_megabytes_is_refused_by_its_reason() {
    let target = Target::start(short()).await;
    let mut lead = crate::support::lead(70_000);
    lead.name = "x".repeat(5 * 1_024 * 1_024);
    let request = proto::UpsertLeadRequest { lead: Some(lead), ..Default::default() };
    let mut intake = target.client.intake();
    let attack = async { intake.upsert_lead(request).await.unwrap_err() };
    let status = target.meets(Limit::RequestSize, attack).await;
    assert_eq!(status.code(), Code::OutOfRange);
    assert_eq!(crate::support::reason(&status), "REQUEST_TOO_LONG");
    let pull = proto::NextLeadRequest { rep_id: "x".repeat(70_000), ..Default::default() };
    let status = target.client.reps().next_lead(pull).await.unwrap_err();
    assert_eq!(crate::support::reason(&status), "REQUEST_TOO_LONG");
    target.end().await;
}

#[tokio::test]
async fn a_message_that_is_compressed_is_refused_unread() {
    let target = Target::start(short()).await;
    let attack = async {
        for encoding in [None, Some("gzip")] {
            let mut raw = Raw::opened(target.address, &[]).await.unwrap();
            let mut headers = call(UPSERT, Some(&target.token));
            headers.extend(
                encoding.map(|encoding| header("grpc-encoding", encoding)).unwrap_or_default(),
            );
            answer(&mut raw, &headers, &message(1, 10, &[0x1f; 10])).await;
        }
    };
    target.under(attack).await;
    target.end().await;
}

#[tokio::test]
async fn headers_that_are_too_long_are_refused() {
    let target = Target::start(short()).await;
    let one_long = header("x-long", &"x".repeat(18 * 1_024));
    let many_short: Vec<u8> = (0..1_000).flat_map(|nth| header(&format!("x-{nth}"), "")).collect();
    for more in [one_long, many_short] {
        let attack = async {
            let mut raw = Raw::opened(target.address, &[]).await.unwrap();
            let block = [call(UPSERT, Some(&target.token)), more.clone()].concat();
            let mut pieces = block.chunks(16_000).enumerate().peekable();
            while let Some((nth, piece)) = pieces.next() {
                let kind = if nth == 0 { HEADERS } else { 9 };
                let flags = if pieces.peek().is_none() { END_HEADERS } else { 0 };
                raw.send(&frame(kind, flags, 1, piece)).await.unwrap();
            }
            // Refused by an answer, by a reset, or with the connection: but never asked for its body.
            while let Some(came) = raw.receive().await {
                if came.stream == 1 || came.kind == super::wire::GO_AWAY {
                    break;
                }
            }
        };
        target.under(attack).await;
        assert_eq!(target.tally.met_count(Limit::RequestLate), 0);
    }
    target.end().await;
}

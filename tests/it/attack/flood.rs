//! Clients that send more than anybody needs to: frames that carry nothing, calls taken back, streams
//! and connections without end.

use nextlead::api::client::connect;
use nextlead::api::front::{Limit, Limits};
use nextlead::api::proto;

use super::target::{Target, short};
use super::wire::{
    CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PRIORITY, RST_STREAM, Raw, SETTINGS,
    WINDOW_UPDATE, call, frame, goaway_code,
};

const IMPORT: &str = "/nextlead.v1.IntakeService/ImportLeads";
const UPSERT: &str = "/nextlead.v1.IntakeService/UpsertLead";
const ENHANCE_YOUR_CALM: u32 = 11;
/// Much more than any limit allows; to send it all would be a flood that nobody stopped.
const FRAME_COUNT: usize = 2_000_000;
const BATCH: usize = 100;

/// Sends a frame until it is cut, which must be soon, and gives the node's last word.
async fn flood(target: &Target, first: &[u8], flood: &[u8]) -> Option<u32> {
    let mut raw = Raw::opened(target.address, &[]).await.unwrap();
    raw.send(first).await.unwrap();
    let (count, said) = raw.flood(flood.repeat(BATCH), FRAME_COUNT / BATCH).await;
    assert!(count < FRAME_COUNT / BATCH, "all were taken");
    // It may be lost: what the node has not read resets the connection.
    goaway_code(&said)
}

/// Sends a frame until it is cut by this limit.
async fn is_cut(target: &Target, limit: Limit, frame: &[u8]) {
    let code = target.meets(limit, flood(target, &[], frame)).await;
    assert!(code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "{code:?}");
}

#[tokio::test]
async fn frames_that_carry_nothing_are_cut() {
    let target = Target::start(short()).await;
    for flood in [
        frame(PING, 0, 0, &[7; 8]),
        frame(PING, 1, 0, &[7; 8]),
        frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9]),
        frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
        frame(0x42, 0, 0, &[1]),
    ] {
        is_cut(&target, Limit::IdleFrames, &flood).await;
    }
    target.end().await;
}

#[tokio::test]
async fn settings_that_change_and_change_are_cut() {
    let target = Target::start(short()).await;
    is_cut(&target, Limit::Settings, &frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255])).await;
    // Nobody asked for a second confirmation of the node's own.
    target.under(flood(&target, &[], &frame(SETTINGS, 1, 0, &[]))).await;
    target.end().await;
}

#[tokio::test]
async fn empty_data_is_cut() {
    let target = Target::start(short()).await;
    let open = frame(HEADERS, END_HEADERS, 1, &call(IMPORT, Some(&target.token)));
    target.under(flood(&target, &open, &frame(DATA, 0, 1, &[]))).await;
    target.end().await;
}

#[tokio::test]
async fn calls_that_are_taken_back_at_once_are_cut() {
    let target = Target::start(short()).await;
    let headers = call(UPSERT, Some(&target.token));
    let attack = async {
        let mut raw = Raw::opened(target.address, &[]).await.unwrap();
        let mut sent_count = 0;
        for stream in (1..1_000_000).step_by(2) {
            let open = frame(HEADERS, END_HEADERS, stream, &headers);
            let back = frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
            if raw.send(&[open, back].concat()).await.is_err() {
                break;
            }
            sent_count += 1;
        }
        let _ = raw.wait_for_end().await;
        assert!(sent_count < 500_000, "{sent_count}");
    };
    target.under(attack).await;
    target.end().await;
}

#[tokio::test]
async fn headers_that_go_on_and_on_are_cut() {
    let target = Target::start(short()).await;
    let attack = async {
        let mut raw = Raw::opened(target.address, &[]).await.unwrap();
        raw.send(&frame(HEADERS, 0, 1, &call(UPSERT, None))).await.unwrap();
        let more = frame(CONTINUATION, 0, 1, &super::wire::header("a", "b"));
        let (count, _) = raw.flood(more.repeat(BATCH), FRAME_COUNT / BATCH).await;
        assert!(count < FRAME_COUNT / BATCH);
    };
    target.under(attack).await;
    target.end().await;
}

#[tokio::test]
async fn of_thousands_of_unfinished_calls_a_hundred_are_taken() {
    let target = Target::start(short()).await;
    let headers = call(UPSERT, Some(&target.token));
    let attack = async {
        let mut raw = Raw::opened(target.address, &[]).await.unwrap();
        for stream in (1..10_000).step_by(2) {
            let open = frame(HEADERS, END_HEADERS, stream, &headers);
            if raw.send(&open).await.is_err() {
                break;
            }
            // The honest client has one.
            assert!(target.tally.call_count() <= 101, "{} calls", target.tally.call_count());
        }
    };
    target.under(attack).await;
    target.end().await;
}

#[tokio::test]
async fn an_address_that_has_enough_connections_gets_no_more_and_keeps_those_it_has() {
    let limits = Limits { address_connection_count_max: 50, ..short() };
    let target = Target::start(limits).await;
    let attack = async {
        let mut raws = Vec::new();
        for _ in 0..200 {
            raws.push(Raw::connect(target.address).await.unwrap());
        }
        for raw in &mut raws {
            raw.wait_for_end().await;
        }
    };
    target.meets(Limit::AddressConnections, attack).await;
    assert_eq!(target.tally.met_count(Limit::AddressConnections), 151);
    let late = connect(&format!("http://{}", target.address), &target.token).await.unwrap();
    let queues = late.queues().list_queues(proto::ListQueuesRequest::default()).await.unwrap();
    assert_eq!(queues.into_inner().queues.len(), 1);
    drop(late);
    target.end().await;
}

#[tokio::test]
async fn an_import_of_a_hundred_thousand_rows_meets_no_limit() {
    const BATCH_COUNT: i64 = 10;
    const ROW_COUNT: i64 = 10_000;
    let target = Target::start(Limits::default()).await;
    let batches = (0..BATCH_COUNT).map(|batch_number| {
        let rows = (0..ROW_COUNT).map(|row| {
            let nth = batch_number * ROW_COUNT + row;
            let mut lead = crate::support::lead(1);
            lead.handover_key.as_mut().unwrap().external_id = format!("import-{nth}");
            lead.numbers[0].number = format!("+1{}", 2_125_000_000 + nth);
            proto::ImportRow { row_number: nth, lead: Some(lead) }
        });
        proto::ImportLeadsRequest { batch_number, rows: rows.collect(), validate_only: false }
    });
    let mut intake = target.client.intake();
    let answers = intake.import_leads(tokio_stream::iter(batches)).await.unwrap();
    let mut answers = answers.into_inner();
    let mut opened_count = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        opened_count += answer.opened_count;
    }
    assert_eq!(opened_count, BATCH_COUNT * ROW_COUNT);
    for (limit, count) in target.tally.limits_met() {
        assert_eq!(count, 0, "{}", limit.name());
    }
    target.end().await;
}

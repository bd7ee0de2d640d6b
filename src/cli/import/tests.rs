//! Whole imports over a real connection, against a node that is only as much of one as they need.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

use super::{ImportArgs, run};
use crate::api::client::connect;
use crate::api::proto;
use crate::api::proto::import_row_result::Result as RowResult;
use crate::api::proto::intake_service_server::{IntakeService, IntakeServiceServer};
use crate::cli::output::Output;

/// Takes every row but those named `bad`, and may hang up after some batches.
#[derive(Clone, Default)]
struct Intake {
    taken: Arc<Mutex<BTreeMap<i64, proto::Lead>>>,
    batch_count_max: Option<usize>,
}

type Answer<T> = Result<Response<T>, Status>;

impl Intake {
    fn answer(&self, batch: proto::ImportLeadsRequest) -> proto::ImportLeadsResponse {
        let mut answer = proto::ImportLeadsResponse {
            batch_number: batch.batch_number,
            ..proto::ImportLeadsResponse::default()
        };
        for row in batch.rows {
            let lead = row.lead.unwrap();
            let result = if lead.name == "bad" {
                answer.rejected_count += 1;
                RowResult::Rejection(proto::RowRejection {
                    reason: "FIELD_INVALID".into(),
                    problems: Vec::new(),
                })
            } else {
                answer.opened_count += 1;
                self.taken.lock().unwrap().insert(row.row_number, lead);
                RowResult::Taken(proto::HandoverResult::default())
            };
            let row_number = row.row_number;
            answer.rows.push(proto::ImportRowResult { row_number, result: Some(result) });
        }
        answer
    }
}

#[tonic::async_trait]
impl IntakeService for Intake {
    type ImportLeadsStream = ReceiverStream<Result<proto::ImportLeadsResponse, Status>>;

    async fn import_leads(
        &self,
        request: Request<Streaming<proto::ImportLeadsRequest>>,
    ) -> Answer<Self::ImportLeadsStream> {
        assert_eq!(request.metadata().get("authorization").unwrap(), "Bearer test");
        let (answers, receiver) = mpsc::channel(1);
        let mut batches = request.into_inner();
        let intake = self.clone();
        tokio::spawn(async move {
            let mut count = 0;
            while let Ok(Some(batch)) = batches.message().await {
                if intake.batch_count_max == Some(count) {
                    let _ = answers.send(Err(Status::unavailable("shutting down"))).await;
                    return;
                }
                count += 1;
                if answers.send(Ok(intake.answer(batch))).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn upsert_campaign(
        &self,
        _: Request<proto::UpsertCampaignRequest>,
    ) -> Answer<proto::UpsertCampaignResponse> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn list_campaigns(
        &self,
        _: Request<proto::ListCampaignsRequest>,
    ) -> Answer<proto::ListCampaignsResponse> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn upsert_lead(
        &self,
        _: Request<proto::UpsertLeadRequest>,
    ) -> Answer<proto::UpsertLeadResponse> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn suppress_contact(
        &self,
        _: Request<proto::SuppressContactRequest>,
    ) -> Answer<proto::SuppressContactResponse> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn erase_lead(
        &self,
        _: Request<proto::EraseLeadRequest>,
    ) -> Answer<proto::EraseLeadResponse> {
        Err(Status::unimplemented("not in this test"))
    }
}

async fn serve(intake: Intake) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = IntakeServiceServer::new(intake).max_decoding_message_size(16 << 20);
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: ImportArgs,
}

async fn import(intake: &Intake, file: &std::path::Path) -> anyhow::Result<()> {
    let address = serve(intake.clone()).await;
    let file = file.to_str().unwrap();
    let line = ["import", file, "--campaign", "spring", "--source-system", "crm"];
    let args = Line::try_parse_from(line)?.args;
    run(args, connect(&format!("http://{address}"), "test").await?, Output { is_json: true })
        .await?;
    Ok(())
}

/// Rows 1 to `count`; every 1,000th has a cell too many, every 1,500th is `bad`.
fn file_of(count: i64) -> String {
    let mut text = "external_id;name;phone\n".to_owned();
    for row in 1..=count {
        let name = if row % 1_500 == 0 { "bad" } else { "Ann" };
        let more = if row % 1_000 == 0 { ";?" } else { "" };
        text.push_str(&format!("A{row};{name};+49301{row:06}{more}\n"));
    }
    text
}

#[tokio::test]
async fn every_row_of_many_batches_is_taken_or_rejected_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leads.csv");
    // More batches than may be on their way at once.
    std::fs::write(&path, file_of(36_000)).unwrap();
    let intake = Intake::default();
    import(&intake, &path).await.unwrap();

    let taken = intake.taken.lock().unwrap();
    // 36 rows with a cell too many, 24 that are bad, 12 of them both.
    assert_eq!(taken.len(), 36_000 - 36 - 24 + 12);
    let lead = &taken[&35_999];
    assert_eq!(lead.handover_key.as_ref().unwrap().external_id, "A35999");
    assert_eq!(lead.numbers[0].number, "+49301035999");

    let rejects = std::fs::read_to_string(folder.path().join("leads.csv.rejected.csv")).unwrap();
    let rows: Vec<i64> = rejects
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(rows.len(), 48);
    assert!(rows.is_sorted() && rows[0] == 1_000 && rows[1] == 1_500);
    assert!(rejects.contains("\n1500,1501,FIELD_INVALID,A1500,bad,+49301001500\n"), "{rejects}");
}

#[tokio::test]
async fn a_connection_that_is_cut_says_how_many_rows_are_durable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leads.csv");
    std::fs::write(&path, file_of(60_000)).unwrap();
    let intake = Intake { batch_count_max: Some(2), ..Intake::default() };
    let problem = import(&intake, &path).await.unwrap_err().to_string();
    let taken = intake.taken.lock().unwrap().len();
    assert!(
        problem.contains(&format!("{} rows are durable", super::count(taken as i64))),
        "{problem}"
    );
    assert!(problem.contains("import it again"), "{problem}");
}

#[tokio::test]
async fn a_file_that_breaks_off_keeps_what_came_before() {
    use std::io::Write as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leads.csv.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(file_of(30_000).as_bytes()).unwrap();
    let mut packed = encoder.finish().unwrap();
    packed.truncate(packed.len() / 2);
    std::fs::write(&path, packed).unwrap();
    let intake = Intake::default();
    let problem = import(&intake, &path).await.unwrap_err();
    let taken = intake.taken.lock().unwrap().len();
    assert!(taken > 0 && taken < 30_000, "{taken}");
    let durable = format!("{} rows are durable", super::count(taken as i64));
    assert!(problem.to_string().contains(&durable), "{problem:#}");
}

#[tokio::test]
async fn a_file_without_rows_or_with_bad_ones_alone_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let intake = Intake::default();
    for text in ["external_id,name\n", "external_id,name\n,Ann\n,Bob\n"] {
        let path = folder.path().join("leads.csv");
        std::fs::write(&path, text).unwrap();
        import(&intake, &path).await.unwrap();
    }
    assert!(intake.taken.lock().unwrap().is_empty());
    let rejects = std::fs::read_to_string(folder.path().join("leads.csv.rejected.csv")).unwrap();
    assert_eq!(rejects.lines().count(), 3);
}

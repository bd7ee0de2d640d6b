//! Whole imports over a real connection, against a node that is only as much of one as they need.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

use super::sending::Patience;
use super::{ImportArgs, run_with};
use crate::api::client::connect;
use crate::api::proto;
use crate::api::proto::import_row_result::Result as RowResult;
use crate::api::proto::intake_service_server::{IntakeService, IntakeServiceServer};
use crate::cli::output::Output;

/// Takes every row but those named `bad`, and may hang up after some batches.
#[derive(Clone, Default)]
struct Intake {
    taken: Arc<Mutex<BTreeMap<i64, proto::Lead>>>,
    /// Of one stream.
    batch_count_max: Option<usize>,
    /// After so many streams no more is taken.
    stream_count_max: Option<usize>,
    stream_count: Arc<AtomicUsize>,
}

/// One more try, at once.
const PATIENCE: Patience = Patience { try_count_max: 1, first_wait: std::time::Duration::ZERO };

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
        let stream_count = self.stream_count.fetch_add(1, Ordering::SeqCst);
        if self.stream_count_max.is_some_and(|max| stream_count >= max) {
            return Err(Status::unavailable("shutting down"));
        }
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

    async fn pause_campaign(
        &self,
        _: Request<proto::PauseCampaignRequest>,
    ) -> Answer<proto::PauseCampaignResponse> {
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

    async fn record_engagement(
        &self,
        _: Request<proto::RecordEngagementRequest>,
    ) -> Answer<proto::RecordEngagementResponse> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn record_outcome(
        &self,
        _: Request<proto::RecordOutcomeRequest>,
    ) -> Answer<proto::RecordOutcomeResponse> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn suppress_contact(
        &self,
        _: Request<proto::SuppressContactRequest>,
    ) -> Answer<proto::SuppressContactResponse> {
        Err(Status::unimplemented("not in this test"))
    }

    type ImportSuppressionsStream =
        ReceiverStream<Result<proto::ImportSuppressionsResponse, Status>>;

    async fn import_suppressions(
        &self,
        _: Request<Streaming<proto::ImportSuppressionsRequest>>,
    ) -> Answer<Self::ImportSuppressionsStream> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn list_suppressions(
        &self,
        _: Request<proto::ListSuppressionsRequest>,
    ) -> Answer<proto::ListSuppressionsResponse> {
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

async fn import(intake: &Intake, file: &Path) -> anyhow::Result<()> {
    import_with(intake, file, &[]).await
}

async fn import_with(intake: &Intake, file: &Path, more: &[&str]) -> anyhow::Result<()> {
    let address = serve(intake.clone()).await;
    let file = file.to_str().unwrap();
    let line = ["import", file, "--campaign", "spring", "--source-system", "crm"];
    let line = line.iter().chain(more);
    let args = Line::try_parse_from(line)?.args;
    run_with(
        args,
        connect(&format!("http://{address}"), "test").await?,
        Output { is_json: true },
        PATIENCE,
    )
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

/// The rows of the rejects file of an input.
fn rejected_rows(file: &Path) -> Vec<i64> {
    let rejects = std::fs::read_to_string(format!("{}.rejected.csv", file.display())).unwrap();
    rejects.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
}

/// Of a file of 60,000 rows, those that are rejected: every 1,000th and every 1,500th.
fn rejected_of_60_000() -> Vec<i64> {
    (1..=60_000).filter(|row| row % 1_000 == 0 || row % 1_500 == 0).collect()
}

#[tokio::test]
async fn a_connection_that_is_cut_is_made_again_and_no_row_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leads.csv");
    std::fs::write(&path, file_of(60_000)).unwrap();
    let intake = Intake { batch_count_max: Some(2), ..Intake::default() };
    import(&intake, &path).await.unwrap();
    assert!(intake.stream_count.load(Ordering::SeqCst) >= 3);
    assert_eq!(rejected_rows(&path), rejected_of_60_000());
    assert_eq!(intake.taken.lock().unwrap().len(), 60_000 - rejected_of_60_000().len());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the progress is forgotten");
}

#[tokio::test]
async fn an_import_that_was_given_up_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leads.csv");
    std::fs::write(&path, file_of(60_000)).unwrap();
    let intake =
        Intake { batch_count_max: Some(2), stream_count_max: Some(1), ..Intake::default() };
    let problem = import(&intake, &path).await.unwrap_err().to_string();
    let taken = intake.taken.lock().unwrap().len();
    assert!(taken > 0 && taken < 60_000, "{taken}");
    let durable = format!("{} rows are durable", super::count(taken as i64));
    assert!(problem.contains(&durable), "{problem}");
    assert!(problem.contains("go on with --resume, or import it again"), "{problem}");
    // What came behind the last answered batch, as a kill between two writes leaves it.
    let mut rejects = std::fs::read(folder.path().join("leads.csv.rejected.csv")).unwrap();
    rejects.extend(b"59999,1,half a ro");
    std::fs::write(folder.path().join("leads.csv.rejected.csv"), rejects).unwrap();

    let other = import_with(&intake, &path, &["--resume", "--map", "name=company"]).await;
    assert!(format!("{:#}", other.unwrap_err()).contains("another mapping"));
    let again = Intake { taken: Arc::clone(&intake.taken), ..Intake::default() };
    import_with(&again, &path, &["--resume"]).await.unwrap();
    assert_eq!(rejected_rows(&path), rejected_of_60_000());
    assert_eq!(again.taken.lock().unwrap().len(), 60_000 - rejected_of_60_000().len());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the progress is forgotten");
}

#[tokio::test]
async fn an_import_of_which_nothing_came_through_has_nothing_to_go_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leads.csv");
    std::fs::write(&path, file_of(10)).unwrap();
    let intake =
        Intake { batch_count_max: Some(0), stream_count_max: Some(1), ..Intake::default() };
    let problem = import(&intake, &path).await.unwrap_err().to_string();
    assert!(problem.contains("0 rows are durable"), "{problem}");
    assert!(!problem.contains("--resume"), "{problem}");
}

#[tokio::test]
async fn a_file_that_changed_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leads.csv");
    std::fs::write(&path, file_of(60_000)).unwrap();
    let intake =
        Intake { batch_count_max: Some(1), stream_count_max: Some(1), ..Intake::default() };
    import(&intake, &path).await.unwrap_err();
    std::fs::write(&path, file_of(60_001)).unwrap();
    let problem = import_with(&Intake::default(), &path, &["--resume"]).await.unwrap_err();
    assert!(problem.to_string().contains("has changed since"), "{problem}");
    // From the start it goes, and forgets the old progress.
    import(&Intake::default(), &path).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
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

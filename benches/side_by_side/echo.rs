//! What the network alone costs: the same request, the same connections, and an answer of 300 bytes
//! from a tonic server that does nothing. No token, no limits, no TLS.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use hdrhistogram::Histogram;
use nextlead::api::proto;
use prost::Message as _;
use proto::rep_service_client::RepServiceClient;
use proto::rep_service_server::{RepService, RepServiceServer};
use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use super::{Figures, Settings, clock};

/// The argument by which this program becomes the server.
pub(crate) const SERVE: &str = "echo-server";
/// How long an answer is.
const ANSWER_BYTE_COUNT: usize = 300;

pub(crate) struct Contestant {
    server: Child,
    address: String,
    runtime: tokio::runtime::Runtime,
}

impl Contestant {
    pub(crate) fn start() -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut server = Command::new(program)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a server");
        let mut address = String::new();
        let mut stdout = BufReader::new(server.stdout.take().expect("its output"));
        stdout.read_line(&mut address).expect("its address");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        Self { server, address: address.trim().to_owned(), runtime }
    }

    pub(crate) fn run(&mut self, reps: usize, settings: &Settings) -> Figures {
        let seconds = Duration::from_secs(settings.seconds);
        self.runtime.block_on(measure(&self.address, reps, seconds))
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

async fn measure(address: &str, reps: usize, seconds: Duration) -> Figures {
    let mut clients = Vec::with_capacity(reps);
    for _ in 0..reps {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let channel = endpoint.tcp_nodelay(true).connect().await.expect("a connection");
        clients.push(RepServiceClient::new(channel));
    }
    let warm_up = Duration::from_millis(500);
    let begun = clock();
    let working = clients.into_iter().map(|client| work(client, begun, warm_up, seconds));
    let mut all = histogram();
    for times in join_all(working).await {
        all.add(times).expect("the same bounds");
    }
    figures(&all, seconds)
}

async fn work(
    mut client: RepServiceClient<Channel>,
    begun: std::time::Instant,
    warm_up: Duration,
    seconds: Duration,
) -> Histogram<u64> {
    let mut times = histogram();
    loop {
        let sent = begun.elapsed();
        if sent >= warm_up + seconds {
            return times;
        }
        client.record_touch(request()).await.expect("an answer");
        if sent >= warm_up {
            record(&mut times, begun.elapsed() - sent);
        }
    }
}

pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are fixed")
}

pub(crate) fn record(times: &mut Histogram<u64>, took: Duration) {
    times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
}

pub(crate) fn figures(times: &Histogram<u64>, seconds: Duration) -> Figures {
    let at = |part| times.value_at_quantile(part) as f64;
    Figures {
        cycles_per_s: times.len() as f64 / seconds.as_secs_f64(),
        p50_us: at(0.5),
        p99_us: at(0.99),
        p999_us: at(0.999),
    }
}

/// A touch as a softphone sends it.
fn request() -> proto::RecordTouchRequest {
    let time = prost_types::Timestamp { seconds: 1_795_435_200, nanos: 5_000_000 };
    proto::RecordTouchRequest {
        rep_id: "load-rep-00001".to_owned(),
        lead: Some(proto::LeadRef {
            name: Some(proto::lead_ref::Name::LeadId("0123456789abc".to_owned())),
        }),
        touch_id: "load/0123456789abcdef/1/1000".to_owned(),
        lease_token: "0123456789abcdef0123456789abcdef".to_owned(),
        channel: proto::Channel::Call.into(),
        direction: proto::Direction::Outbound.into(),
        number: "+12125550100".to_owned(),
        start_time: Some(time),
        end_time: Some(time),
        disposition: proto::Disposition::NoAnswer.into(),
        then_next: true,
        ..Default::default()
    }
}

/// An answer of as many bytes as are wanted.
fn answer() -> proto::RecordTouchResponse {
    let of = |name: String| {
        let lead = proto::Lead { name, ..Default::default() };
        let served = proto::ServedLead { lead: Some(lead), ..Default::default() };
        let next = Some(proto::record_touch_response::Next::NextServed(served));
        proto::RecordTouchResponse { next, ..Default::default() }
    };
    let lengths = 0..ANSWER_BYTE_COUNT;
    let mut answers = lengths.map(|length| of("x".repeat(length)));
    answers.rfind(|one| one.encoded_len() <= ANSWER_BYTE_COUNT).expect("an empty one is short")
}

struct Echo(proto::RecordTouchResponse);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RepService for Echo {
    async fn record_touch(
        &self,
        _: Request<proto::RecordTouchRequest>,
    ) -> Answer<proto::RecordTouchResponse> {
        Ok(Response::new(self.0.clone()))
    }

    async fn next_lead(
        &self,
        _: Request<proto::NextLeadRequest>,
    ) -> Answer<proto::NextLeadResponse> {
        Err(Status::unimplemented("not measured"))
    }

    async fn list_callbacks(
        &self,
        _: Request<proto::ListCallbacksRequest>,
    ) -> Answer<proto::ListCallbacksResponse> {
        Err(Status::unimplemented("not measured"))
    }

    async fn rate_lead(
        &self,
        _: Request<proto::RateLeadRequest>,
    ) -> Answer<proto::RateLeadResponse> {
        Err(Status::unimplemented("not measured"))
    }

    async fn release_lease(
        &self,
        _: Request<proto::ReleaseLeaseRequest>,
    ) -> Answer<proto::ReleaseLeaseResponse> {
        Err(Status::unimplemented("not measured"))
    }

    async fn renew_lease(
        &self,
        _: Request<proto::RenewLeaseRequest>,
    ) -> Answer<proto::RenewLeaseResponse> {
        Err(Status::unimplemented("not measured"))
    }
}

/// Serves until its input ends, on one thread as a node does.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        let incoming = TcpListenerStream::new(listener).map(|connection| {
            let connection = connection?;
            connection.set_nodelay(true)?;
            std::io::Result::Ok(connection)
        });
        let service = RepServiceServer::new(Echo(answer()));
        let serving = Server::builder().add_service(service).serve_with_incoming(incoming);
        let input_ends = tokio::task::spawn_blocking(|| {
            let mut rest = Vec::new();
            let _ = std::io::stdin().read_to_end(&mut rest);
        });
        tokio::select! {
            served = serving => served.expect("it serves"),
            _ = input_ends => {}
        }
    });
}

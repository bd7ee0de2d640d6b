//! Commit, then answer, down to the system calls: a trace of a node, and of the PostgreSQL below it,
//! shows for every change that was answered that its data was written to the log, that the log was
//! synced after that, and that the answer was sent after that. A kill never tests it, as the system
//! keeps what was written.

mod proof;
mod strace;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nextlead::api::client::{Client, connect};
use nextlead::api::proto;
use proto::next_lead_response::Answer;
use proto::suppress_contact_request::Contact;
use sqlx::{Connection as _, PgConnection};
use tokio::task::{JoinSet, spawn_blocking};

use crate::crash::On;
use crate::process::{BINARY, Process};
use crate::servers::Postgres;
use crate::support::{by_id, lead, time};
use proof::unsynced;

/// How many clients work at once, each with a connection.
const CLIENT_COUNT: u32 = 4;
/// How often each of them does all there is to do.
const CYCLE_COUNT: u32 = 5;
/// What each of them does each time.
const CHANGE_COUNT: u32 = 5;
/// The calls that receive, send, write and sync.
const CALLS: &str = "trace=read,recvfrom,readv,recvmsg,write,writev,sendto,sendmsg,pwrite64,\
                     pwritev,fdatasync,fsync";

/// A trace that is being taken.
pub(crate) struct Trace {
    strace: Child,
    file: PathBuf,
}

impl Trace {
    /// Traces processes that run, and what they start. `None`: this machine lets nobody trace.
    pub(crate) fn attach(ids: &[u32], file: PathBuf, more: &[&str]) -> Option<Self> {
        let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            eprintln!("NOT RUN: strace is missing (apt-get install strace), or may not trace here");
            return None;
        }
        let mut command = Command::new("strace");
        command.args(["-f", "-xx", "-yy", "-s", "1000000", "-e", CALLS]).args(more).arg("-o");
        command.arg(&file).args(ids.iter().flat_map(|id| ["-p".to_owned(), id.to_string()]));
        let mut strace = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(strace.stderr.take().unwrap()).lines();
        for _ in ids {
            // One line for each, once all of its threads are traced.
            let line = lines.next().expect("strace says what it does").unwrap();
            assert!(line.contains("attached"), "{line}");
        }
        // Each process that starts later is told of, and a full pipe would stop it all.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { strace, file })
    }

    /// Ends it, and gives what was traced.
    pub(crate) fn end(mut self) -> String {
        let id = self.strace.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.strace.wait().unwrap();
        String::from_utf8(std::fs::read(self.file).unwrap()).unwrap()
    }
}

/// Whether the tests run on this combination; the index makes no difference here.
fn is_on(on: On) -> bool {
    let tested = On::from_environment();
    if tested != on {
        eprintln!("the trace of {on:?} is not taken on {tested:?}: NEXTLEAD_TEST_ON says where");
    }
    tested == on
}

fn start(folder: &Path, store: Option<&str>) -> Process {
    let mut command = crate::process::command(Path::new(BINARY), folder);
    if let Some(store) = store {
        command.env("NEXTLEAD_STORE", store);
        command.env("NEXTLEAD_ADMIN_TOKEN_FILE", crate::process::TOKEN_FILE);
    }
    command.args(["serve", "--json", "--listen", "127.0.0.1:0"]);
    let node = Process::begin(command, folder, folder.join("serve.log"));
    node.set_up();
    for nth in 0..CLIENT_COUNT {
        node.ok(&["rep", "set", &format!("rep{nth}"), "--queue", "sales"]);
    }
    node
}

/// Every kind of change that a rep or marketing makes, each answered before the next is sent; gives
/// the ids of the requests.
async fn work(client: Client, client_nth: u32) -> Vec<String> {
    let rep = format!("rep{client_nth}");
    let mut ids = Vec::new();
    for cycle in 0..CYCLE_COUNT {
        let nth = client_nth * 100 + cycle;
        let mut id = |what: &str| {
            ids.push(format!("proof-{what}-{client_nth}-{cycle}"));
            ids.last().expect("one was pushed").clone()
        };
        for more in [0, 50] {
            let request = proto::UpsertLeadRequest {
                lead: Some(lead(nth + more)),
                request_id: if more == 0 { id("handover") } else { String::new() },
            };
            client.intake().upsert_lead(request).await.unwrap();
        }
        let first = pull(&client, &rep, id("pull")).await;
        let now = time(nextlead::clock::Clock::now(&nextlead::clock::SystemClock::start(0)) - 10);
        let touch = proto::RecordTouchRequest {
            rep_id: rep.clone(),
            lead: Some(by_id(&first.lead.as_ref().unwrap().lead_id)),
            touch_id: id("touch"),
            lease_token: first.lease_token,
            channel: proto::Channel::Email.into(),
            direction: proto::Direction::Outbound.into(),
            start_time: Some(now),
            end_time: Some(now),
            disposition: proto::Disposition::NotInterested.into(),
            ..Default::default()
        };
        client.reps().record_touch(touch).await.unwrap();
        let second = pull(&client, &rep, String::new()).await;
        let release = proto::ReleaseLeaseRequest {
            rep_id: rep.clone(),
            lead: Some(by_id(&second.lead.as_ref().unwrap().lead_id)),
            lease_token: second.lease_token,
            reason: proto::ReleaseReason::RepError.into(),
            request_id: id("release"),
            // What follows an id on the wire may read as one digit more of it.
            skip_reason: 0,
        };
        client.reps().release_lease(release).await.unwrap();
        let suppress = proto::SuppressContactRequest {
            contact: Some(Contact::Number(format!("+49308{nth:06}"))),
            source: "letter".into(),
            request_id: id("suppress"),
            ..Default::default()
        };
        client.intake().suppress_contact(suppress).await.unwrap();
    }
    ids
}

async fn pull(client: &Client, rep: &str, request_id: String) -> proto::ServedLead {
    let request =
        proto::NextLeadRequest { rep_id: rep.to_owned(), request_id, ..Default::default() };
    match client.reps().next_lead(request).await.unwrap().into_inner().answer {
        Some(Answer::Served(served)) => served,
        other => panic!("{other:?}"),
    }
}

/// Works on a node that is traced; gives the ids of the requests, and the trace.
async fn traced(
    store: Option<String>,
    more: &'static [&'static str],
) -> Option<(Vec<String>, String)> {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().to_owned(), folder.path().join("trace"));
    let url = store.clone();
    let node = spawn_blocking(move || start(&path, store.as_deref())).await.unwrap();
    let mut ids = vec![node.id()];
    if let Some(url) = url {
        ids.extend(processes_of(&url).await);
    }
    let trace = spawn_blocking(move || Trace::attach(&ids, file, more)).await.unwrap()?;
    let mut crew = JoinSet::new();
    for nth in 0..CLIENT_COUNT {
        let client = connect(&format!("http://{}", node.address()), &node.token()).await.unwrap();
        crew.spawn(work(client, nth));
    }
    let ids = crew.join_all().await.concat();
    assert_eq!(ids.len(), (CLIENT_COUNT * CYCLE_COUNT * CHANGE_COUNT) as usize);
    let trace = spawn_blocking(move || trace.end()).await.unwrap();
    Some((ids, trace))
}

#[tokio::test]
async fn every_answer_follows_a_sync_of_the_log_that_holds_its_change() {
    if !is_on(On::Sqlite) {
        return;
    }
    let Some((ids, trace)) = traced(None, &[]).await else { return };
    let calls = strace::calls(&trace);
    assert_eq!(unsynced(&calls, &ids), Vec::<String>::new());
    eprintln!("{} changes, each synced before it was answered", ids.len());
    // The controls: the same without its syncs, and with answers that are sent before them.
    let synced = |call: &strace::Call| call.deed == strace::Deed::Synced;
    let without: Vec<_> = calls.iter().filter(|call| !synced(call)).cloned().collect();
    assert_eq!(unsynced(&without, &ids).len(), ids.len());
    let mut late = calls;
    late.iter_mut().filter(|call| synced(call)).for_each(|call| call.ended = usize::MAX);
    assert_eq!(unsynced(&late, &ids).len(), ids.len());
}

/// The control with a real node: the system says that it has synced, and has not.
#[tokio::test]
async fn a_disk_that_is_never_synced_is_found_out() {
    if !is_on(On::Sqlite) {
        return;
    }
    let lie = &["-e", "inject=fdatasync,fsync:retval=0"];
    let Some((ids, trace)) = traced(None, lie).await else { return };
    assert_eq!(unsynced(&strace::calls(&trace), &ids).len(), ids.len());
}

/// The processes of a PostgreSQL: those that work for the node, those that write and sync for all, and
/// the first one, which starts the others.
async fn processes_of(url: &str) -> Vec<u32> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let ids = "SELECT pid FROM pg_stat_activity WHERE application_name = 'nextlead' \
               OR backend_type IN ('walwriter', 'checkpointer', 'background writer') \
               UNION ALL SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int";
    let ids: Vec<i32> = sqlx::query_scalar(ids).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    ids.into_iter().map(|id| u32::try_from(id).unwrap()).collect()
}

async fn traced_on_postgres(settings: &'static [&'static str]) -> Option<(Vec<String>, String)> {
    let postgres = spawn_blocking(|| Postgres::start_with(settings)).await.unwrap();
    let traced = traced(Some(postgres.database()), &[]).await;
    drop(postgres);
    traced
}

#[tokio::test]
async fn every_answer_follows_a_sync_of_the_log_of_postgres() {
    if !is_on(On::Postgres) {
        return;
    }
    let Some((ids, trace)) = traced_on_postgres(&[]).await else { return };
    let found = unsynced(&strace::calls(&trace), &ids);
    assert_eq!(found, Vec::<String>::new());
    eprintln!("{} changes, each synced by PostgreSQL before it was answered", ids.len());
}

/// The control: a server that is told not to sync.
#[tokio::test]
async fn a_postgres_that_does_not_sync_is_found_out() {
    if !is_on(On::Postgres) {
        return;
    }
    let Some((ids, trace)) = traced_on_postgres(&["fsync=off"]).await else { return };
    assert_eq!(unsynced(&strace::calls(&trace), &ids).len(), ids.len());
}

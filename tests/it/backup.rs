//! Backups of a running node, and restores, as an operator does them: by the command line.
//!
//! `NEXTLEAD_RESTORES` says how often a node is restored under clients that hold leases.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nextlead::api::client::{Client, connect};
use nextlead::api::proto;
use proto::next_lead_response::Answer;
use tempfile::TempDir;

use crate::process::{BINARY, Process, Ran, command};
use crate::support::{by_id, lead, reason, time};

/// Runs a command in a folder, with no node.
fn offline(folder: &Path, args: &[&str]) -> Ran {
    Ran::of(args, command(Path::new(BINARY), folder).args(args).output().unwrap())
}

async fn client_of(node: &Process) -> Client {
    connect(&format!("http://{}", node.address()), &node.token()).await.unwrap()
}

async fn hand_over(client: &Client, nths: std::ops::Range<u32>) -> Vec<String> {
    let mut ids = Vec::new();
    for nth in nths {
        let request = proto::UpsertLeadRequest { lead: Some(lead(nth)), ..Default::default() };
        let answer = client.intake().upsert_lead(request).await.unwrap().into_inner();
        ids.push(answer.result.unwrap().lead_id);
    }
    ids
}

async fn pull(client: &Client, rep: &str, request_id: &str) -> Result<proto::ServedLead, String> {
    let request = proto::NextLeadRequest {
        rep_id: rep.into(),
        request_id: request_id.into(),
        ..Default::default()
    };
    let answer = client.reps().next_lead(request).await.map_err(|status| reason(&status))?;
    match answer.into_inner().answer.unwrap() {
        Answer::Served(served) => Ok(served),
        Answer::Nothing(nothing) => panic!("{nothing:?}"),
    }
}

fn release_of(rep: &str, served: &proto::ServedLead) -> proto::ReleaseLeaseRequest {
    proto::ReleaseLeaseRequest {
        rep_id: rep.into(),
        lead: Some(by_id(&served.lead.as_ref().unwrap().lead_id)),
        lease_token: served.lease_token.clone(),
        reason: proto::ReleaseReason::Skipped.into(),
        skip_reason: proto::SkipReason::NoTime.into(),
        request_id: String::new(),
    }
}

fn touch_of(rep: &str, served: &proto::ServedLead, id: &str) -> proto::RecordTouchRequest {
    let lead = served.lead.as_ref().unwrap();
    proto::RecordTouchRequest {
        rep_id: rep.into(),
        lead: Some(by_id(&lead.lead_id)),
        touch_id: id.into(),
        lease_token: served.lease_token.clone(),
        channel: proto::Channel::Call.into(),
        direction: proto::Direction::Outbound.into(),
        number: lead.numbers[0].number.clone(),
        start_time: Some(time(1_000)),
        end_time: Some(time(1_000)),
        disposition: proto::Disposition::Sale.into(),
        ..Default::default()
    }
}

#[test]
fn a_backup_is_whole_private_and_overwrites_only_when_told() {
    if crate::ground::is_without_file("a_backup_is_whole_private_and_overwrites_only_when_told") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let said = node.json(&["backup", "--out", "one"]);
    let metadata = fs::metadata(folder.path().join("one")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(said["length"], metadata.len());
    assert_eq!(said["sha256"].as_str().unwrap().len(), 64);

    let again = node.run(&["backup", "--out", "one"]);
    assert_ne!(again.code, 0);
    assert!(again.err.contains("--force overwrites it"), "{}", again.err);
    node.ok(&["backup", "--out", "one", "--force"]);
    let nowhere = node.run(&["backup", "--out", "no/such/folder/one"]);
    assert!(nowhere.err.contains("could not make"), "{}", nowhere.err);
    let names = fs::read_dir(folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let left: Vec<_> =
        names.filter(|name| name.contains("partial") || name.ends_with(".backup")).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_restore_asks_what_becomes_of_tokens_and_refuses_a_store_in_use() {
    if crate::ground::is_without_file(
        "a_restore_asks_what_becomes_of_tokens_and_refuses_a_store_in_use",
    ) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let made = node.run(&["token", "create", "--role", "intake", "crm"]);
    assert_eq!(made.code, 0, "{}", made.err);
    node.ok(&["backup", "--out", "saved"]);
    let restore = ["restore", "saved", "--store", "sqlite://nextlead.db"];
    let unsaid = offline(folder.path(), &restore);
    assert_eq!(unsaid.code, 2);
    assert!(unsaid.err.contains("--keep-tokens"), "{}", unsaid.err);
    let forced = [&restore[..], &["--revoke-tokens", "--force"]].concat();
    let in_use = offline(folder.path(), &forced);
    assert!(in_use.err.contains("in use by another process"), "{}", in_use.err);
    assert!(node.terminate());
    let there = offline(folder.path(), &[&restore[..], &["--revoke-tokens"]].concat());
    assert!(there.err.contains("a store already"), "{}", there.err);

    let done = offline(folder.path(), &[&forced[..], &["--json"]].concat());
    assert_eq!(done.code, 0, "{}", done.err);
    let said: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(said["revoked_token_count"], 1);
    assert_eq!(said["kept"], "nextlead.db.replaced");
    let node = Process::start(folder.path());
    let tokens = node.json(&["token", "list"]);
    assert!(tokens.to_string().contains("restore"), "{tokens}");
    let told = offline(folder.path(), &["restore", "saved", "--store", "other", "--keep-tokens"]);
    assert!(told.out.contains("wishes never to be called"), "{}{}", told.out, told.err);
}

/// What a client holds of the time after the backup.
struct Held {
    served: proto::ServedLead,
    /// A lead that was opened then.
    lead: String,
}

/// Backs the node up while ann holds a lead; then bob pulls one, and more leads come.
async fn work_on(node: &Process, nth: u32) -> [Held; 2] {
    let client = client_of(node).await;
    hand_over(&client, 10 * nth..10 * nth + 3).await;
    let anns = pull(&client, "ann", &format!("ann-{nth}")).await.unwrap();
    let saved = format!("saved-{nth}");
    let command = node.command(&["backup", "--out", &saved]).output().unwrap();
    assert!(command.status.success(), "{command:?}");
    let bobs = pull(&client, "bob", &format!("bob-{nth}")).await.unwrap();
    let mut late = hand_over(&client, 10 * nth + 3..10 * nth + 5).await.into_iter();
    [anns, bobs].map(|served| Held { served, lead: late.next().unwrap() })
}

async fn check_restored(node: &Process, nth: u32, held: &[Held; 2]) {
    let client = client_of(node).await;
    // No token of before fits, whether it was given before the backup or after it.
    for (rep, held) in ["ann", "bob"].into_iter().zip(held) {
        let released = client.reps().release_lease(release_of(rep, &held.served)).await;
        assert_eq!(reason(&released.unwrap_err()), "LEASE_LOST");
        let request =
            proto::TraceLeadRequest { lead: Some(by_id(&held.lead)), ..Default::default() };
        let gone = client.queues().trace_lead(request).await;
        assert_eq!(reason(&gone.unwrap_err()), "LEAD_NOT_FOUND");
    }
    // The same pull again has lost its lease; a new one gets the lead with a new token.
    let replayed = pull(&client, "ann", &format!("ann-{nth}")).await;
    assert_eq!(replayed.unwrap_err(), "LEASE_LOST");
    let anns = &held[0].served;
    let again = pull(&client, "ann", "").await.unwrap();
    assert_eq!(again.lead.as_ref().unwrap().lead_id, anns.lead.as_ref().unwrap().lead_id);
    assert_ne!(again.lease_token, anns.lease_token);
    // What was done meanwhile is kept, and moves nothing.
    let touch = touch_of("ann", anns, &format!("touch-{nth}"));
    assert!(client.reps().record_touch(touch).await.unwrap().into_inner().late);
    // Leads that are new now are nobody who was lost.
    let new = hand_over(&client, 10 * nth + 5..10 * nth + 7).await;
    assert!(held.iter().all(|held| !new.contains(&held.lead)));
    let audit = client.coverage().audit_ledger(proto::AuditLedgerRequest {}).await.unwrap();
    assert_eq!(audit.into_inner().imbalance, 0);
    // Ann is free for the next round.
    let done = touch_of("ann", &again, &format!("done-{nth}"));
    client.reps().record_touch(done).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_lease_and_no_id_of_before_means_anything_after_a_restore() {
    if crate::ground::is_without_file("no_lease_and_no_id_of_before_means_anything_after_a_restore")
    {
        return;
    }
    let count = std::env::var("NEXTLEAD_RESTORES").map_or(3, |text| text.parse().unwrap());
    let folder = TempDir::new().unwrap();
    let mut node = Process::start(folder.path());
    node.set_up();
    node.ok(&["rep", "set", "bob", "--queue", "sales"]);
    for nth in 0..count {
        let held = work_on(&node, nth).await;
        assert!(node.terminate());
        let saved = format!("saved-{nth}");
        let told = offline(folder.path(), &["restore", &saved, "--keep-tokens", "--force"]);
        assert_eq!(told.code, 0, "{}", told.err);
        node = Process::start(folder.path());
        check_restored(&node, nth, &held).await;
        for name in ["nextlead.db.replaced", &saved] {
            fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
    eprintln!("restores: {count}; tokens of before accepted: 0; ids given twice: 0");
}

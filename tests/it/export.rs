//! Exports: everything comes out as it went in, whatever stands in it; nothing in it runs in a
//! spreadsheet; and a reader who stops reading is in nobody's way.

use std::io::Read as _;
use std::path::Path;

use nextlead::api::proto;
use nextlead::api::proto::coverage_service_client::CoverageServiceClient;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::Request;
use tonic::transport::Endpoint;

use crate::process::Process;
use crate::support::{HOUR_MS, TestNode, lead, time};

/// What a spreadsheet could run, or take for the end of a cell.
const HOSTILE: [&str; 10] = [
    "=HYPERLINK(\"http://x\")",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "＝1+1",
    "＋1",
    "－1",
    "＠A1",
    "'=1",
    "a\";=1,\"b",
];
/// Those that only texts of several lines may hold.
const HOSTILE_LINES: [&str; 4] = ["\t=1", "\r\n=1", "\n=1", "a\n=1"];

fn records(path: &Path) -> (csv::StringRecord, Vec<csv::StringRecord>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    (header, reader.into_records().map(Result::unwrap).collect())
}

/// A cell as it was before the apostrophe that the help tells of.
fn original(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

fn assert_harmless(path: &Path) {
    let (header, records) = records(path);
    for record in &records {
        for (name, cell) in header.iter().zip(record) {
            let is_number = cell.parse::<f64>().is_ok() && !cell.starts_with('+');
            let begins =
                cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
            assert!(is_number || !begins, "{name}: {cell:?}");
        }
    }
}

#[test]
fn hostile_cells_come_back_exact_and_start_nothing() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    let texts = ["name", "company", "source", "channel", "trigger", "stage", "region"];
    let mut sent = Vec::new();
    for (nth, text) in HOSTILE.into_iter().enumerate() {
        let mut row = json!({"external_id": format!("{text}{nth}"), "source_system": text,
            "campaign_id": "spring", "numbers": [format!("+493012345{nth:02}")], "time_zone": "UTC",
            "email": format!("{}@example.com", text.replace(['@', '＠'], "").replace(' ', "")),
            "score": -1.5, "skills": [text], "attributes": {"note": HOSTILE_LINES[nth % 4], "size": -3}});
        for name in texts {
            row[name] = json!(text);
        }
        row["attributes"][text] = json!(text);
        sent.push(row);
    }
    let lines: String = sent.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(folder.path().join("leads.ndjson"), lines).unwrap();
    let told = node.json(&["import", "leads.ndjson"]);
    assert_eq!(told["opened_count"], sent.len(), "{told:#}");
    let mut touched = Vec::new();
    for (nth, text) in HOSTILE.into_iter().chain(HOSTILE_LINES).enumerate() {
        let lead = (nth % sent.len() + 1).to_string();
        std::fs::write(folder.path().join("notes"), text).unwrap();
        let touch = ["touch", "--rep", "ann", "--lead", &lead, "--channel", "email"];
        let how = ["--disposition", "no_answer", "--notes-file", "notes"];
        node.ok(&[&touch[..], &how].concat());
        touched.push(text);
    }

    let export = |args: &[&str]| node.ok(&[&["export"], args].concat());
    export(&["leads", "--out", "out.csv", "--attribute", "note"]);
    export(&["touches", "--out", "touches.csv"]);
    export(&["coverage", "--out", "coverage.csv"]);

    let path = |name: &str| folder.path().join(name);
    ["out.csv", "touches.csv", "coverage.csv"]
        .map(path)
        .iter()
        .for_each(|path| assert_harmless(path));
    let (header, rows) = records(&path("out.csv"));
    assert_eq!(rows.len(), sent.len());
    for (row, sent) in rows.iter().zip(&sent) {
        let cell = |name: &str| {
            let place = header.iter().position(|one| one == name).unwrap();
            original(row.get(place).unwrap())
        };
        for name in texts.into_iter().chain(["external_id", "source_system", "email"]) {
            assert_eq!(cell(name), sent[name], "{name}");
        }
        assert_eq!(cell("skills"), sent["skills"][0]);
        assert_eq!(cell("numbers"), sent["numbers"][0]);
        assert_eq!(cell("score"), "-1.5");
        assert_eq!(cell("attributes.note"), sent["attributes"]["note"]);
        let mut others: Value = serde_json::from_str(cell("attributes")).unwrap();
        others["note"] = sent["attributes"]["note"].clone();
        assert_eq!(others, sent["attributes"]);
    }
    let (header, rows) = records(&path("touches.csv"));
    let notes = header.iter().position(|one| one == "notes").unwrap();
    let notes: Vec<_> = rows.iter().map(|row| original(row.get(notes).unwrap())).collect();
    assert_eq!(notes, touched);
    let (_, books) = records(&path("coverage.csv"));
    assert_eq!(books.len(), HOSTILE.len(), "a book a source");
}

/// Rows of NDJSON, without what the node adds.
fn own(text: &str) -> Vec<Value> {
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        assert!(row.as_object_mut().unwrap().remove("nextlead").is_some());
        row
    };
    text.lines().map(row).collect()
}

#[test]
fn what_is_exported_as_ndjson_imports_into_another_node_as_it_was() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let node = Process::start(folder.path());
    node.set_up();
    let rows = [
        json!({"external_id": "1", "name": "Ann", "numbers": ["+49301234501", "+49301234502"],
            "time_zone": "Europe/Berlin", "handed_over_time": "2026-03-01T09:30:00.123Z",
            "score": 0.1, "country": "DE", "language": "de", "skills": ["de", "solar"],
            "engagements": 4, "source": "web", "email": "ann@example.com",
            "attributes": {"plz": "01067", "size": 12, "ratio": 2.0, "vip": true, "": ""}}),
        json!({"external_id": "2", "numbers": ["+49301234503"], "note": "line\nline"}),
    ];
    let attributes = rows[0]["attributes"].clone();
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(
        folder.path().join("leads.ndjson"),
        lines.replace(",\"\":\"\"", "").replace("\"\":\"\",", ""),
    )
    .unwrap();
    let told =
        node.json(&["import", "leads.ndjson", "--campaign", "spring", "--source-system", "crm"]);
    assert_eq!(told["opened_count"], 2, "{told:#}");
    let exported = node.ok(&["export", "leads", "--format", "ndjson"]);

    let other = Process::start(elsewhere.path());
    other.set_up();
    std::fs::write(elsewhere.path().join("again.ndjson"), &exported).unwrap();
    let told = other.json(&["import", "again.ndjson"]);

    assert_eq!(told["opened_count"], 2, "{told:#}");
    let again = other.ok(&["export", "leads", "--format", "ndjson"]);
    assert_eq!(own(&again), own(&exported));
    let first = &own(&exported)[0];
    assert_eq!(first["attributes"]["ratio"], attributes["ratio"]);
    assert_eq!(first["handed_over_time"], "2026-03-01T09:30:00.123Z");
}

#[test]
fn an_export_is_a_whole_file_of_what_was_asked_for() {
    let folder = TempDir::new().unwrap();
    let node = Process::start(folder.path());
    node.set_up();
    node.ok(&["campaign", "set", "fall", "--queue", "sales"]);
    std::fs::write(
        folder.path().join("a.csv"),
        "external_id,phone\n1,+49301234501\n2,+49301234502\n",
    )
    .unwrap();
    for campaign in ["spring", "fall"] {
        node.ok(&["import", "a.csv", "--campaign", campaign, "--source-system", campaign]);
    }
    let told = node.json(&["export", "leads", "--campaign", "fall", "--out", "fall.csv.gz"]);
    let merged = node.json(&["coverage"])["books"][0]["merged_count"].as_i64().unwrap();
    assert_eq!(told["file"], "fall.csv.gz");
    assert_eq!(told["row_count"], 2 - merged);
    let mut text = String::new();
    let file = std::fs::File::open(folder.path().join("fall.csv.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    assert!(text.starts_with("\"source_system\",\"external_id\",\"campaign_id\""), "{text}");
    let all = node.ok(&["export", "leads", "--format", "ndjson", "--since", "1h"]);
    assert_eq!(all.lines().count() as i64, 4 - merged);
    let none = node.ok(&["export", "leads", "--format", "ndjson", "--since", "0s"]);
    assert_eq!(none, "");

    let missing = node.run(&["export", "leads", "--queue", "salse", "--out", "none.csv"]);
    assert_ne!(missing.code, 0);
    assert!(
        !folder.path().join("none.csv").exists() && !folder.path().join("none.csv.part").exists()
    );
}

const LEAD_COUNT: u32 = 3_000;

async fn node_with_leads() -> TestNode {
    let mut node = TestNode::start().await;
    let row = |nth: u32| {
        let mut lead = lead(nth);
        lead.numbers[0].number = format!("+1202{nth:07}");
        lead.name = String::new();
        proto::ImportRow { row_number: nth.into(), lead: Some(lead) }
    };
    let batch = proto::ImportLeadsRequest {
        rows: (1..=LEAD_COUNT).map(row).collect(),
        ..Default::default()
    };
    let answers = node.intake.import_leads(tokio_stream::once(batch)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    assert_eq!(answer.opened_count, i64::from(LEAD_COUNT));
    node
}

#[tokio::test]
async fn readers_who_stop_reading_are_in_nobody_s_way() {
    let mut node = node_with_leads().await;
    // On a connection of their own: what is not read of a stream fills its connection's window.
    let endpoint = Endpoint::from_shared(format!("http://{}", node.node.address)).unwrap();
    let mut others = CoverageServiceClient::new(endpoint.connect().await.unwrap());
    let token = std::fs::read_to_string(&node.node.token_file).unwrap();
    let mut stopped = Vec::new();
    for _ in 0..20 {
        let mut request = Request::new(proto::ExportLeadsRequest::default());
        let bearer = format!("Bearer {}", token.trim()).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        stopped.push(others.export_leads(request).await.unwrap().into_inner());
    }
    assert!(!stopped[0].message().await.unwrap().unwrap().leads.is_empty());
    let mut ids = Vec::new();
    let mut leads = node.coverage.export_leads(proto::ExportLeadsRequest::default()).await;
    let leads = leads.as_mut().unwrap().get_mut();
    while let Some(part) = leads.message().await.unwrap() {
        ids.extend(
            part.leads.into_iter().map(|one| one.lead.unwrap().lead_id.parse::<u32>().unwrap()),
        );
    }
    assert_eq!(ids, (1..=LEAD_COUNT).collect::<Vec<_>>());
    node.audit().await;
    drop(stopped);
}

#[tokio::test]
async fn what_changed_since_an_instant_is_exported_and_nothing_else() {
    let mut node = node_with_leads().await;
    node.pass_time(HOUR_MS).await;
    let since = nextlead::clock::Clock::now(&node.clock);
    let served = node.pull_lead("ann").await;
    node.touch("ann", &served, proto::Disposition::NoAnswer).await;
    let request = proto::ExportLeadsRequest {
        queue_id: "sales".into(),
        campaign_id: "spring".into(),
        changed_since_time: Some(time(since)),
    };
    let mut leads = node.coverage.export_leads(request).await.unwrap().into_inner();
    let part = leads.message().await.unwrap().unwrap();
    assert_eq!(part.leads.len(), 1);
    assert_eq!(part.leads[0].lead.as_ref().unwrap().lead_id, served.lead.unwrap().lead_id);
    assert!(leads.message().await.unwrap().is_none());
    let request = proto::ExportTouchesRequest {
        recorded_since_time: Some(time(since + 1)),
        ..Default::default()
    };
    let mut touches = node.coverage.export_touches(request).await.unwrap().into_inner();
    assert!(touches.message().await.unwrap().is_none());
}

#[tokio::test]
async fn marketing_gets_masked_numbers_and_no_notes() {
    let mut node = TestNode::start().await;
    let mut person = lead(1);
    person.numbers[0].number = "+12025550117".into();
    node.hand_over(person).await;
    let served = node.pull_lead("ann").await;
    let mut touch = node.touch_of("ann", &served, proto::Disposition::NoAnswer);
    touch.notes = "said hello".into();
    node.reps.record_touch(touch).await.unwrap();

    let mut seen = Vec::new();
    for role in [proto::Role::Marketing, proto::Role::Manager] {
        let (_, text) = node.make_token(role, "").await;
        let mut coverage = CoverageServiceClient::new(node.signed_by(&text));
        let leads = coverage.export_leads(proto::ExportLeadsRequest::default()).await;
        let mut leads = leads.unwrap().into_inner();
        let part = leads.message().await.unwrap().unwrap();
        seen.push(part.leads[0].lead.as_ref().unwrap().numbers[0].number.clone());
        let touches = coverage.export_touches(proto::ExportTouchesRequest::default()).await;
        let mut touches = touches.unwrap().into_inner();
        let part = touches.message().await.unwrap().unwrap();
        let touch = part.touches[0].touch.clone().unwrap();
        assert_eq!(touch.rep_id, "ann");
        seen.extend([touch.number, touch.notes]);
    }
    let masked = "+1********17";
    assert_eq!(seen, [masked, masked, "", "+12025550117", "+12025550117", "said hello"]);
}

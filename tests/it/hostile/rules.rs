//! What each field of a request is promised to be, and values that break the promise.
//!
//! Every value here breaks at least one rule that stands in the field's comment in `proto/`, so no
//! request made of them may change anything.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, Value};

use super::random::Random;

/// Stands in every text, so that an answer that repeats it is found.
pub(super) const CANARY: &str = "Zanzibar";

/// What a field is promised to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rule {
    /// An id or a word: 1 to 128 printable characters.
    Word,
    /// The same, or nothing.
    WordIfGiven,
    /// An id of something that is there.
    Known,
    /// The same, or nothing.
    KnownIfGiven,
    /// A lead's id.
    Lead,
    /// One line of text; or nothing.
    Text,
    /// Lines of text; or nothing.
    Lines,
    /// Lines of text, and not none.
    Reason,
    Rules,
    Number,
    Email,
    Zone,
    ZoneIfGiven,
    Country,
    Language,
    Hours,
    Token,
    TokenIfGiven,
    /// A value of a closed list, below this.
    Code(i32),
    /// The same, or the first of the list, which stands for all.
    CodeIfGiven(i32),
    /// One of a few routes.
    EndRoute,
    Instant,
    InstantGiven,
    /// Not after now.
    Past,
    /// Refused with the rest of the request.
    Refused,
    /// In the future, and not too far.
    Future,
    /// From 0 to so many seconds.
    Seconds(i64),
    NotNegative,
    Finite,
    Skills,
    Numbers,
    Attributes,
    Rows,
    Cursor,
    /// A message that has to be there.
    Given,
    /// A handover's key that has to be whole.
    Key,
    /// Anything goes.
    Free,
}

/// What the answer to a broken field must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    /// `INVALID_ARGUMENT` that names the field.
    Field,
    /// Not there, or not now, or not for this caller.
    Absent,
}

/// The rule of a field. `None`: nobody has thought about it yet.
pub(super) fn rule_of(field: &FieldDescriptor) -> Option<Rule> {
    let message = field.parent_message().name().to_owned();
    of_skips_and_quality(&message, field.name()).or_else(|| of_others(&message, field))
}

fn of_skips_and_quality(message: &str, field: &str) -> Option<Rule> {
    use Rule::*;
    Some(match (message, field) {
        (_, "skip_reason") => Code(7),
        ("Quality", "rating") => NotNegative,
        ("Quality", "reason") => Word,
        ("RateLeadRequest", "quality") => Given,
        (_, "quality_mode") => CodeIfGiven(4),
        (_, "quality" | "quality_dispositions" | "quality_reasons") => Free,
        _ => return None,
    })
}

fn of_others(message: &str, field: &FieldDescriptor) -> Option<Rule> {
    use Rule::*;
    Some(match (message, field.name()) {
        ("Queue", "queue_id") | ("Campaign", "campaign_id") | ("Rep", "rep_id") => Word,
        ("ListCampaignsRequest" | "ListRepsRequest" | "ListUnroutableRequest", "queue_id")
        | ("ExplainLeadRequest", "rep_id") => KnownIfGiven,
        (
            "GetCoverageRequest"
            | "ListUncontactedRequest"
            | "ExportLeadsRequest"
            | "ExportTouchesRequest",
            "queue_id" | "campaign_id",
        ) => KnownIfGiven,
        (_, "changed_since_time" | "recorded_since_time" | "from_time" | "until_time") => Instant,
        ("ListSuppressionsRequest", "kind") => CodeIfGiven(3),
        (_, "queue_id" | "campaign_id" | "rep_id" | "token_id") => Known,
        (_, "request_id") => WordIfGiven,
        (_, "page_size" | "place_count" | "engagements" | "skips_per_hour_max") => NotNegative,
        (_, "page_token") => Cursor,
        (_, "skills") => Skills,
        ("LeadRef", "lead_id") => Lead,
        (_, "handover_key") => Key,
        // One of three that name what is suppressed: without it the others are there.
        ("SuppressContactRequest", "lead") => Key,
        (_, "lead" | "queue" | "campaign" | "rep") => Given,
        ("HandoverKey", _) | (_, "touch_id") | ("CreateTokenRequest", "name") => Word,
        ("SuppressContactRequest" | "ImportSuppressionsRequest", "source") => Word,
        ("SuppressContactRequest" | "SuppressionRow", "email") => Email,
        ("SuppressContactRequest" | "ImportSuppressionsRequest" | "Lead", "country") => Country,
        ("Campaign", "default_country") => Country,
        (_, "number") => Number,
        ("Lead", "lead_id" | "predecessor_lead_id") | ("LeadNumber", "stopped_by") => Free,
        ("Lead", "handed_over_time") => Past,
        ("Lead", "email") => Email,
        ("Lead", "numbers") => Numbers,
        ("Lead", "time_zone") => ZoneIfGiven,
        ("Lead", "source") => Text,
        ("Lead", "score") => Finite,
        ("Lead", "language") => Language,
        ("Lead", "attributes") => Attributes,
        ("Lead", "name" | "company" | "channel" | "trigger" | "stage" | "region") => Text,
        ("Queue", "time_zone") => Zone,
        ("Queue", "hours") => Hours,
        ("Queue", "grace_duration" | "closing_margin_duration") => Seconds(3_600),
        ("Queue", "calling_law") => CodeIfGiven(3),
        (_, "lease_duration" | "lease_total_duration" | "renewal_duration") => Seconds(86_400),
        (_, "wait_duration") => Seconds(i64::MAX / 1_000),
        (_, "lifetime_duration") => Seconds(366 * 86_400),
        (_, "expire_time") => Future,
        ("RecordTouchRequest", "lease_token") => TokenIfGiven,
        (_, "lease_token") => Token,
        ("TransferLeadRequest", "reason") => WordIfGiven,
        (_, "reason") if field.kind() == Kind::String => Reason,
        (_, "reason") => Code(4),
        ("RecordTouchRequest", "channel") => Code(5),
        ("RecordTouchRequest", "direction") => Code(3),
        ("RecordTouchRequest", "disposition") => Code(22),
        ("RecordTouchRequest", "start_time" | "end_time") => InstantGiven,
        ("RecordTouchRequest", "callback_time") => Refused,
        ("RecordTouchRequest", "notes") => Lines,
        ("CreateTokenRequest", "role") => Code(6),
        ("Campaign", "end_time") => Instant,
        ("Campaign", "end_route") => EndRoute,
        ("PublishRulesRequest", "text") => Rules,
        ("ImportLeadsRequest" | "ImportSuppressionsRequest", "rows") => Rows,
        ("CheckRulesRequest", "text") | (_, "batch_number" | "row_number") => Free,
        (_, "rule_version" | "ranking_version") => Free,
        _ if field.kind() == Kind::Bool => Free,
        _ => return None,
    })
}

/// A value that breaks a rule; `None`: the field is taken away. Nothing at all if the rule cannot be
/// broken.
pub(super) fn broken(
    rule: Rule,
    field: &FieldDescriptor,
    random: &mut Random,
) -> Option<(Option<Value>, Expects)> {
    use Rule::*;
    let text = |text: String| (Some(Value::String(text)), Expects::Field);
    Some(match rule {
        Free => return None,
        Given => (None, Expects::Field),
        Key => (Some(empty(field)), Expects::Field),
        Word => text(odd_word(random, true)),
        WordIfGiven => text(odd_word(random, false)),
        Known | KnownIfGiven => match random.below(2) {
            0 => text(odd_word(random, rule == Known)),
            _ => (Some(Value::String((*random.pick(&UNHEARD)).to_owned())), Expects::Absent),
        },
        Lead => match random.below(4) {
            0 => (Some(Value::String(format!("{}", 1_000_000 + random.below(9)))), Expects::Absent),
            _ => text((*random.pick(&NO_LEADS)).to_owned()),
        },
        Text => text(odd_text(random, true)),
        Lines => text(odd_text(random, false)),
        Reason => {
            text([String::new(), " \n".into(), odd_text(random, false)][random.below(3)].clone())
        }
        Rules => text((*random.pick(&NO_RULES)).to_owned()),
        Number => text(odd_number(random)),
        Email => text((*random.pick(&NO_EMAILS)).to_owned()),
        Zone => text(random.pick(&["", "Mars/Zanzibar", "../UTC", "utc\0", "+01:00"]).to_string()),
        ZoneIfGiven => {
            text(random.pick(&["Mars/Zanzibar", "/etc/UTC", "UTC\0", " UTC"]).to_string())
        }
        Country => text(random.pick(&["Zanzibar", "D", "D1", "ДЕ", "D\0", "🇩🇪"]).to_string()),
        Language => {
            text(random.pick(&["Zanzibaristan", "-", "d_e", "1", "de--DE", "д"]).to_string())
        }
        Hours => text(random.pick(&NO_HOURS).to_string()),
        Token => text(odd_token(random, true)),
        TokenIfGiven => text(odd_token(random, false)),
        Code(end) => {
            let odd = [0, end, end + 90, -1, i32::MIN, i32::MAX];
            (Some(Value::EnumNumber(*random.pick(&odd))), Expects::Field)
        }
        CodeIfGiven(end) => {
            let odd = [end, end + 90, -1, i32::MIN, i32::MAX];
            (Some(Value::EnumNumber(*random.pick(&odd))), Expects::Field)
        }
        EndRoute => {
            (Some(Value::EnumNumber(*random.pick(&[1, 4, 6, 7, -1, i32::MAX]))), Expects::Field)
        }
        InstantGiven if random.below(6) == 0 => (None, Expects::Field),
        Instant | InstantGiven | Past | Refused | Future | Seconds(_) => {
            (Some(pair(field, odd_time(rule, random))), Expects::Field)
        }
        NotNegative => (Some(negative(field, random)), Expects::Field),
        Finite => {
            let odd = [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
            (Some(Value::F64(*random.pick(&odd))), Expects::Field)
        }
        Skills => (Some(Value::List(odd_skills(random))), Expects::Field),
        Numbers => (Some(odd_numbers(field, random)), Expects::Field),
        Attributes => (Some(odd_attributes(field, random)), Expects::Field),
        Rows => (Some(Value::List(vec![empty(field); 20_001])), Expects::Field),
        Cursor => text(odd_word(random, false)),
    })
}

/// Seconds and nanoseconds that make no sense there.
fn odd_time(rule: Rule, random: &mut Random) -> (i64, i32) {
    let odd = *random.pick(&NO_INSTANTS);
    match rule {
        Rule::Past if random.below(2) == 0 => (253_402_300_799, 999_999_999),
        Rule::Refused => (1_795_500_000, 0),
        Rule::Future => *random.pick(&[(0, 0), (1_700_000_000, 0), (253_402_300_799, 0), odd]),
        Rule::Seconds(most) => {
            let past = (most.saturating_add(1), 0);
            let odd = [past, (-1, 0), (0, -1), (i64::MIN, 0), (i64::MAX, i32::MAX), (-1, -999)];
            *random.pick(&odd)
        }
        _ => odd,
    }
}

/// Well-formed ids that nothing has.
const UNHEARD: [&str; 8] = [
    "nobody-has-this-id",
    "' OR '1'='1",
    "\"; DROP TABLE lead; --",
    "../../../../etc/passwd",
    "%00",
    "${jndi:ldap://127.0.0.1/a}",
    "<script>alert(1)</script>",
    "сales",
];
const NO_LEADS: [&str; 12] = [
    "",
    "0",
    "-1",
    "1.0",
    "1e3",
    "0x1",
    "1 OR 1=1",
    "../1",
    "Zanzibar",
    "9223372036854775808",
    "١",
    "1\0",
];
const NO_EMAILS: [&str; 6] =
    ["Zanzibar", "@", "Zanzibar@", "@Zanzibar", "Zanzi bar@example.org", "Zanzibar@example.org\0"];
const NO_HOURS: [&str; 8] = [
    "",
    "sometimes",
    "mon-fri",
    "mon 25:00-26:00",
    "mon 09:00-09:00\0",
    "mon-fri 18:00",
    "*",
    "mon 9-9-9",
];
const NO_RULES: [&str; 7] = [
    "",
    "\0",
    "= = =",
    "queue = \"another\"",
    "queue = \"sales\"\npoint_is = \"-1m\"",
    "queue = \"sales\"\n[[value]]\nname = \"x\"\npoints = 1\nwhen = \"lead.nothing == 1\"",
    "queue = \"sales\"\n[[value]]\nname = \"x\"\npoints = \"((((((1\"",
];
const NO_INSTANTS: [(i64, i32); 9] = [
    (-1, 0),
    (-62_135_596_800, 0),
    (253_402_300_800, 0),
    (i64::MAX, 0),
    (i64::MIN, 0),
    (1_795_435_200, -1),
    (1_795_435_200, 1_000_000_000),
    (1_795_435_200, i32::MAX),
    (i64::MAX, i32::MIN),
];

fn odd_word(random: &mut Random, may_be_empty: bool) -> String {
    let long = if random.below(40) == 0 { 4_000_000 } else { 129 };
    let words = [
        format!("{CANARY}{}", "x".repeat(long)),
        format!("{CANARY}\0"),
        format!("{CANARY}\n{CANARY}"),
        format!("\u{1b}[2J{CANARY}"),
        format!(" {CANARY}"),
        format!("{CANARY}\t"),
        format!("\u{202e}{CANARY}"),
        format!("{CANARY}\u{2066}"),
        format!("\u{feff}{CANARY}"),
        format!("{CANARY}\u{85}"),
        "ß".repeat(129),
    ];
    if may_be_empty && random.below(8) == 0 { String::new() } else { random.pick(&words).clone() }
}

fn odd_text(random: &mut Random, is_one_line: bool) -> String {
    let long = if random.below(40) == 0 { 4_000_000 } else { 4_097 };
    match random.below(if is_one_line { 5 } else { 4 }) {
        0 => format!("{CANARY}{}", "x".repeat(long)),
        1 => format!("{CANARY}\0"),
        2 => format!("{CANARY}\u{1b}]0;{CANARY}\u{7}"),
        3 => "ü".repeat(2_049),
        _ => format!("{CANARY}\r\n{CANARY}"),
    }
}

fn odd_number(random: &mut Random) -> String {
    let odd = [
        "",
        "Zanzibar",
        "5550100",
        "+",
        "+1",
        "+12025550100\u{7f}",
        "+1202555010012345678",
        "\0+12025550100",
        "+1202;DROP TABLE lead",
        "NaN",
        "+1202555\n0100",
        "+1 202 555 0100 ext 5",
        "tel:+12025550100",
    ];
    (*random.pick(&odd)).to_owned()
}

fn odd_token(random: &mut Random, may_be_empty: bool) -> String {
    let odd = [
        "x",
        "0",
        "g".repeat(32).leak(),
        "0".repeat(31).leak(),
        "0".repeat(33).leak(),
        "Zanzibar",
        "\0",
    ];
    if may_be_empty && random.below(8) == 0 {
        String::new()
    } else {
        (*random.pick(&odd)).to_owned()
    }
}

/// A Timestamp or a Duration.
fn pair(field: &FieldDescriptor, (seconds, nanos): (i64, i32)) -> Value {
    let mut message = message(field);
    message.set_field_by_name("seconds", Value::I64(seconds));
    message.set_field_by_name("nanos", Value::I32(nanos));
    Value::Message(message)
}

fn negative(field: &FieldDescriptor, random: &mut Random) -> Value {
    let small = *random.pick(&[-1, i32::MIN, -1_000]);
    match field.kind() {
        Kind::Int64 => Value::I64(i64::from(small)),
        _ => Value::I32(small),
    }
}

fn odd_skills(random: &mut Random) -> Vec<Value> {
    let skill = |text: String| Value::String(text);
    match random.below(3) {
        0 => (0..33).map(|nth| skill(nth.to_string())).collect(),
        1 => (0..20_000).map(|nth| skill(nth.to_string())).collect(),
        _ => vec![skill("good".into()), skill(odd_word(random, true))],
    }
}

fn odd_numbers(field: &FieldDescriptor, random: &mut Random) -> Value {
    let number = |text: String| {
        let mut one = message(field);
        one.set_field_by_name("number", Value::String(text));
        Value::Message(one)
    };
    let count = *random.pick(&[0, 1, 9, 5_000]);
    Value::List(match count {
        1 => vec![number("+12025550199".into()), number(odd_number(random))],
        count => (0..count).map(|nth| number(format!("+1202{:07}", 5_550_000 + nth))).collect(),
    })
}

fn odd_attributes(field: &FieldDescriptor, random: &mut Random) -> Value {
    let Kind::Message(entry) = field.kind() else { panic!("a map") };
    let Kind::Message(kind) = entry.map_entry_value_field().kind() else { panic!("of messages") };
    let value = |name: &str, value: Value| {
        let mut one = DynamicMessage::new(kind.clone());
        one.set_field_by_name(name, value);
        Value::Message(one)
    };
    let fine = || value("bool_value", Value::Bool(true));
    let one = |name: &str, value: Value| vec![(MapKey::String(name.to_owned()), value)];
    let entries = match random.below(6) {
        0 => (0..201).map(|nth| (MapKey::String(nth.to_string()), fine())).collect(),
        1 => (0..10_000).map(|nth| (MapKey::String(nth.to_string()), fine())).collect(),
        2 => one(&odd_word(random, true), fine()),
        3 => one("ratio", value("double_value", Value::F64(f64::NAN))),
        4 => one("note", value("string_value", Value::String(odd_text(random, false)))),
        _ => one("nothing", Value::Message(DynamicMessage::new(kind.clone()))),
    };
    Value::Map(entries.into_iter().collect())
}

fn message(field: &FieldDescriptor) -> DynamicMessage {
    let Kind::Message(kind) = field.kind() else { panic!("{} is no message", field.name()) };
    DynamicMessage::new(kind)
}

fn empty(field: &FieldDescriptor) -> Value {
    Value::Message(message(field))
}

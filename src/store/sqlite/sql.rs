//! The statements, one file each. Those over many rows take one JSON parameter for all of them,
//! which is SQLite's own way: PostgreSQL needs other texts under the same names. Where the parameter
//! is rows of columns it is `jsonb_each`, which hands on a row as it was parsed; `json_each` writes
//! each row as text again, for every column to be parsed out of.

macro_rules! statements {
    ($($name:ident = $file:literal;)+) => {
        $(pub(super) const $name: &str = include_str!(concat!("../sql/", $file, ".sql"));)+
    };
}

statements! {
    ADD_BOOKS = "sqlite/add_books";
    ADD_EVENTS = "sqlite/add_events";
    ADD_HANDOVERS = "sqlite/add_handovers";
    ADD_HELD_NUMBERS = "sqlite/add_held_numbers";
    ADD_LEAD_NUMBERS = "sqlite/add_lead_numbers";
    ADD_LEADS = "sqlite/add_leads";
    ADD_LEASES = "sqlite/add_leases";
    ADD_REQUESTS = "sqlite/add_requests";
    ADD_STANDINGS = "sqlite/add_standings";
    ADD_SUPPRESSIONS = "sqlite/add_suppressions";
    ADD_TOUCHES = "sqlite/add_touches";
    AUDIT_BOOKS = "sqlite/audit_books";
    AUDIT_EVENTS = "sqlite/audit_events";
    AUDIT_NEXT_LEAD = "sqlite/audit_next_lead";
    AUDIT_STANDINGS = "sqlite/audit_standings";
    AUDIT_STRAYS = "sqlite/audit_strays";
    CHANGE_FACTS = "sqlite/change_facts";
    CHANGE_HANDOVERS = "sqlite/change_handovers";
    CHANGE_LEASES = "sqlite/change_leases";
    CHANGE_STANDINGS = "sqlite/change_standings";
    CHANGE_LEASE_TOKENS = "sqlite/change_lease_tokens";
    DROP_HELD_NUMBERS = "sqlite/drop_held_numbers";
    DROP_LEAD_NUMBERS = "sqlite/drop_lead_numbers";
    DROP_LEASES = "sqlite/drop_leases";
    DROP_PASSES = "sqlite/drop_passes";
    ERASE_HANDOVERS = "sqlite/erase_handovers";
    ERASE_LEADS = "sqlite/erase_leads";
    ERASE_TOUCHES = "sqlite/erase_touches";
    FORGET_PASSES = "sqlite/forget_passes";
    FORGET_REQUESTS = "sqlite/forget_requests";
    LOAD_CARRIERS = "sqlite/load_carriers";
    LOAD_DUE = "sqlite/load_due";
    LOAD_ERASABLE = "sqlite/load_erasable";
    LOAD_HANDOVERS = "sqlite/load_handovers";
    LOAD_MATCHES = "sqlite/load_matches";
    LOAD_NUMBERS = "sqlite/load_numbers";
    LOAD_OTHERS = "sqlite/load_others";
    LOAD_REFUSED = "sqlite/load_refused";
    LOAD_REQUESTS = "sqlite/load_requests";
    LOAD_TOUCHES = "sqlite/load_touches";
    MOVE_BOOKS = "sqlite/move_books";
    NOTE_TOKEN_USES = "sqlite/note_token_uses";
    PUT_PASSES = "sqlite/put_passes";
    SEAL_SUPPRESSIONS = "sqlite/seal_suppressions";
    UNPARK_CAMPAIGN = "sqlite/unpark_campaign";
}

// Over single rows, in SQL that every database speaks.
statements! {
    COUNT_CHANGE = "count_change";
    DUTY_TERM = "duty_term";
    GIVE_DUTY_UP = "give_duty_up";
    SETTINGS_NUMBER = "settings_number";
    TAKE_DUTY = "take_duty";
    ADD_REQUEST = "add_request";
    ADD_RESTORE = "add_restore";
    ADD_SECRET = "add_secret";
    ADD_RULE_VERSION = "add_rule_version";
    ADD_TOKEN = "add_token";
    BOOKS = "books";
    CAMPAIGNS = "campaigns";
    LAST_INSTANT = "last_instant";
    LAST_LEAD = "last_lead";
    LAST_TOUCH = "last_touch";
    LEAD_PAGE_END = "lead_page_end";
    LEAD_BY_KEY = "lead_by_key";
    LEAD_BY_SEALED_KEY = "lead_by_sealed_key";
    LEASE_OF = "lease_of";
    LEDGER = "ledger";
    OVERDUE = "overdue";
    MIDDLE_LEAD = "middle_lead";
    PASSES = "passes";
    PUT_CAMPAIGN = "put_campaign";
    PUT_QUEUE = "put_queue";
    PUT_REP = "put_rep";
    PUT_RULES_IN_FORCE = "put_rules_in_force";
    QUEUES = "queues";
    REP_KEY = "rep_key";
    REPS = "reps";
    REQUEST = "request";
    REVOKE_TOKEN = "revoke_token";
    REVOKE_ALL_TOKENS = "revoke_all_tokens";
    RULE_VERSIONS = "rule_versions";
    SECRET = "secret";
    SUPPRESSIONS = "suppressions";
    TOUCHES = "touches";
    TOUCHES_BETWEEN = "touches_between";
    NEVER_CONTACTED = "never_contacted";
    UNCONTACTED = "uncontacted";
}

pub(super) const LEADS_BY_ID: &str = concat!(
    include_str!("../sql/sqlite/leads_packed.sql"),
    include_str!("../sql/sqlite/leads_by_id.sql"),
);
pub(super) const LEADS_BETWEEN: &str = concat!(
    include_str!("../sql/sqlite/leads_packed.sql"),
    include_str!("../sql/sqlite/leads_between.sql"),
);
pub(super) const LEADS_OPEN: &str = concat!(
    include_str!("../sql/sqlite/leads_packed.sql"),
    include_str!("../sql/sqlite/leads_open.sql"),
);

pub(super) const TOKENS: &str =
    concat!(include_str!("../sql/token_columns.sql"), include_str!("../sql/tokens.sql"));
pub(super) const TOKEN_BY_ID: &str =
    concat!(include_str!("../sql/token_columns.sql"), include_str!("../sql/token_by_id.sql"));

/// What runs all the time, for the test that no table is read whole.
#[cfg(test)]
pub(super) const HOT: &[(&str, &str)] = &[
    ("leads_by_id", LEADS_BY_ID),
    ("leads_open", LEADS_OPEN),
    ("leads_between", LEADS_BETWEEN),
    ("load_numbers", LOAD_NUMBERS),
    ("load_requests", LOAD_REQUESTS),
    ("load_touches", LOAD_TOUCHES),
    ("load_handovers", LOAD_HANDOVERS),
    ("load_matches", LOAD_MATCHES),
    ("load_carriers", LOAD_CARRIERS),
    ("load_due", LOAD_DUE),
    ("change_facts", CHANGE_FACTS),
    ("change_standings", CHANGE_STANDINGS),
    ("change_leases", CHANGE_LEASES),
    ("change_handovers", CHANGE_HANDOVERS),
    ("drop_leases", DROP_LEASES),
    ("drop_held_numbers", DROP_HELD_NUMBERS),
    ("drop_lead_numbers", DROP_LEAD_NUMBERS),
    ("forget_requests", FORGET_REQUESTS),
    ("forget_passes", FORGET_PASSES),
    ("move_books", MOVE_BOOKS),
    ("uncontacted", UNCONTACTED),
    ("never_contacted", NEVER_CONTACTED),
    ("touches", TOUCHES),
    ("touches_between", TOUCHES_BETWEEN),
    ("lead_by_key", LEAD_BY_KEY),
    ("lead_by_sealed_key", LEAD_BY_SEALED_KEY),
    ("load_erasable", LOAD_ERASABLE),
    ("load_others", LOAD_OTHERS),
    ("load_refused", LOAD_REFUSED),
    ("erase_leads", ERASE_LEADS),
    ("erase_touches", ERASE_TOUCHES),
    ("erase_handovers", ERASE_HANDOVERS),
    ("seal_suppressions", SEAL_SUPPRESSIONS),
    ("suppressions", SUPPRESSIONS),
    ("lease_of", LEASE_OF),
    ("token_by_id", TOKEN_BY_ID),
    ("note_token_uses", NOTE_TOKEN_USES),
];

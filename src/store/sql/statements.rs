//! The statements, one file each. Those over many rows take one JSON parameter for all of them, and
//! stand twice: SQLite and PostgreSQL have other words for taking it apart. Where the parameter is
//! rows of columns it is parsed once (`jsonb_each`, `jsonb_array_elements`), or each column would
//! parse its row again.
//!
//! SQLite's hot ones say `OR FAIL`: one that fails ends its transaction, so it need not be able to take
//! back its own first rows, for which SQLite would keep a copy of each page.

use super::connection::Statement;

macro_rules! pairs {
    ($($name:ident = $file:literal;)+) => {
        #[cfg(test)]
        const PAIRS: &[(&str, Statement)] = &[$(($file, $name),)+];
        $(pub(in crate::store) const $name: Statement = Statement {
            sqlite: include_str!(concat!("sqlite/", $file, ".sql")),
            postgres: include_str!(concat!("postgres/", $file, ".sql")),
        };)+
    };
}

macro_rules! shared {
    ($($name:ident = $file:literal;)+) => {
        #[cfg(test)]
        const SHARED: &[(&str, Statement)] = &[$(($file, $name),)+];
        $(pub(in crate::store) const $name: Statement = same(include_str!(concat!($file, ".sql")));)+
    };
}

/// A statement that both databases understand.
const fn same(text: &'static str) -> Statement {
    Statement { sqlite: text, postgres: text }
}

/// A statement over leads with all that belongs to them: the list of ids closes it.
macro_rules! packed {
    ($($name:ident = $file:literal;)+) => {
        #[cfg(test)]
        const PACKED: &[(&str, Statement)] = &[$(($file, $name),)+];
        $(pub(in crate::store) const $name: Statement = Statement {
            sqlite: concat!(
                include_str!("sqlite/leads_packed.sql"),
                include_str!(concat!("sqlite/", $file, ".sql")),
            ),
            postgres: concat!(
                include_str!("postgres/leads_packed.sql"),
                include_str!(concat!("postgres/", $file, ".sql")),
            ),
        };)+
    };
}

pairs! {
    ADD_BOOKS = "add_books";
    ADD_DIALS = "add_dials";
    ADD_ENGAGEMENTS = "add_engagements";
    ADD_EVENTS = "add_events";
    ADD_FEEDBACK = "add_feedback";
    ADD_HANDOVERS = "add_handovers";
    ADD_HELD_NUMBERS = "add_held_numbers";
    ADD_LEAD_NUMBERS = "add_lead_numbers";
    ADD_LEADS = "add_leads";
    ADD_LEASES = "add_leases";
    ADD_REQUESTS = "add_requests";
    ADD_OUTCOMES = "add_outcomes";
    ADD_SKIPS = "add_skips";
    ADD_STANDINGS = "add_standings";
    ADD_SUPPRESSIONS = "add_suppressions";
    ADD_TOUCHES = "add_touches";
    ADD_TRANSFERS = "add_transfers";
    AUDIT_BOOKS = "audit_books";
    AUDIT_EVENTS = "audit_events";
    AUDIT_STANDINGS = "audit_standings";
    AUDIT_STRAYS = "audit_strays";
    CHANGE_FACTS = "change_facts";
    CHANGE_HANDOVERS = "change_handovers";
    CHANGE_LEASES = "change_leases";
    CHANGE_STANDINGS = "change_standings";
    CHANGE_LEASE_TOKENS = "change_lease_tokens";
    COUNT_SERVES = "count_serves";
    DROP_DOUBTS = "drop_doubts";
    DROP_HELD_NUMBERS = "drop_held_numbers";
    DROP_LEAD_NUMBERS = "drop_lead_numbers";
    DROP_LEASES = "drop_leases";
    DROP_PASSES = "drop_passes";
    ERASE_ENGAGEMENTS = "erase_engagements";
    ERASE_HANDOVERS = "erase_handovers";
    ERASE_LEADS = "erase_leads";
    ERASE_OUTCOMES = "erase_outcomes";
    ERASE_TOUCHES = "erase_touches";
    FORGET_PASSES = "forget_passes";
    FORGET_REQUESTS = "forget_requests";
    FORGET_SKIPS = "forget_skips";
    GIVE_FEEDBACK = "give_feedback";
    LOAD_CARRIERS = "load_carriers";
    LOAD_DUE = "load_due";
    LOAD_ENGAGEMENTS = "load_engagements";
    LOAD_ERASABLE = "load_erasable";
    LOAD_FEEDBACK = "load_feedback";
    LOAD_HANDOVERS = "load_handovers";
    LOAD_MATCHES = "load_matches";
    LOAD_NUMBERS = "load_numbers";
    LOAD_OTHERS = "load_others";
    LOAD_OUTCOMES = "load_outcomes";
    LOAD_OWED = "load_owed";
    LOAD_REFUSED = "load_refused";
    LOAD_REQUESTS = "load_requests";
    LOAD_SKIPS = "load_skips";
    LOAD_TOUCHES = "load_touches";
    MOVE_BOOKS = "move_books";
    MOVE_BOOK_OUTCOMES = "move_book_outcomes";
    MOVE_LEADS = "move_leads";
    MOVE_LEAD_NUMBERS = "move_lead_numbers";
    MOVE_STANDINGS = "move_standings";
    NOTE_TOKEN_USES = "note_token_uses";
    PUT_PASSES = "put_passes";
    SEAL_DIALS = "seal_dials";
    SEAL_SUPPRESSIONS = "seal_suppressions";
    UNPARK_CAMPAIGN = "unpark_campaign";
}

// Over single rows, in SQL that both databases speak.
shared! {
    COUNT_CHANGE = "count_change";
    DUTY_TERM = "duty_term";
    FORGET_DIALS = "forget_dials";
    GIVE_DUTY_UP = "give_duty_up";
    SETTINGS_NUMBER = "settings_number";
    TAKE_DUTY = "take_duty";
    ADD_REQUEST = "add_request";
    ADD_RESTORE = "add_restore";
    ADD_SECRET = "add_secret";
    ADD_RULE_VERSION = "add_rule_version";
    ADD_TOKEN = "add_token";
    AUDIT_DIALS = "audit_dials";
    AUDIT_HOMELESS = "audit_homeless";
    AUDIT_MOVES = "audit_moves";
    AUDIT_NEXT_LEAD = "audit_next_lead";
    AUDIT_OUTCOMES = "audit_outcomes";
    AUDIT_TRANSFERS = "audit_transfers";
    BOOKS = "books";
    BOOK_OUTCOMES = "book_outcomes";
    CALLBACKS_OF_QUEUE = "callbacks_of_queue";
    CALLBACKS_OF_REP = "callbacks_of_rep";
    CALLBACK_COUNT = "callback_count";
    CAMPAIGNS = "campaigns";
    CAMPAIGN_SETTINGS = "campaign_settings";
    ENGAGEMENTS = "engagements";
    GUESTS = "guests";
    LAST_INSTANT = "last_instant";
    LAST_ID = "last_id";
    LAST_LEAD = "last_lead";
    LAST_TOUCH = "last_touch";
    LEAD_PAGE_END = "lead_page_end";
    LEAD_BY_KEY = "lead_by_key";
    LEAD_BY_SEALED_KEY = "lead_by_sealed_key";
    LEASE_OF = "lease_of";
    LEASED_LEADS = "leased_leads";
    LEDGER = "ledger";
    OVERDUE = "overdue";
    OWNED_LEADS = "owned_leads";
    MIDDLE_LEAD = "middle_lead";
    OWED_BY_REP = "owed_by_rep";
    OWED_IN_QUEUE = "owed_in_queue";
    PASSES = "passes";
    PAUSE_CAMPAIGN = "pause_campaign";
    PROMISED_LEADS = "promised_leads";
    PUT_CAMPAIGN = "put_campaign";
    PUT_QUEUE = "put_queue";
    PUT_REP = "put_rep";
    PUT_RULES_IN_FORCE = "put_rules_in_force";
    QUALITY_COUNTS = "quality_counts";
    QUEUES = "queues";
    RECENT_LEADS = "recent_leads";
    REP_KEY = "rep_key";
    REPS = "reps";
    REQUEST = "request";
    REVOKE_TOKEN = "revoke_token";
    REVOKE_ALL_TOKENS = "revoke_all_tokens";
    RULE_VERSIONS = "rule_versions";
    SECRET = "secret";
    SERVE_COUNTS = "serve_counts";
    SUPPRESSION = "suppression";
    SUPPRESSIONS = "suppressions";
    TOUCHES = "touches";
    TOUCHES_BETWEEN = "touches_between";
    NEVER_CONTACTED = "never_contacted";
    UNCONTACTED = "uncontacted";
}

/// Statements that spare SQLite work that a server does not do.
macro_rules! of_files {
    ($($name:ident = $file:literal;)+) => {
        #[cfg(test)]
        const OF_FILES: &[(&str, Statement)] = &[$(($file, $name),)+];
        $(pub(in crate::store) const $name: Statement = Statement {
            sqlite: include_str!(concat!("sqlite/", $file, ".sql")),
            postgres: "",
        };)+
    };
}

of_files! {
    SERVE_STANDINGS = "serve_standings";
    TOUCH_STANDINGS = "touch_standings";
}

/// Statements that spare round trips to a server; SQLite has none to spare.
macro_rules! of_servers {
    ($($name:ident = $file:literal;)+) => {
        #[cfg(test)]
        const OF_SERVERS: &[(&str, Statement)] = &[$(($file, $name),)+];
        $(pub(in crate::store) const $name: Statement = Statement {
            sqlite: "",
            postgres: include_str!(concat!("postgres/", $file, ".sql")),
        };)+
    };
}

of_servers! {
    DATABASE_NOW = "database_now";
    LOAD_CALLS = "load_calls";
    NODES = "nodes";
    WRITE_CALLS = "write_calls";
}

packed! {
    LEADS_BY_ID = "leads_by_id";
    LEADS_BETWEEN = "leads_between";
    LEADS_OPEN = "leads_open";
}

pub(in crate::store) const TOKENS: Statement =
    same(concat!(include_str!("token_columns.sql"), include_str!("tokens.sql")));
pub(in crate::store) const TOKEN_BY_ID: Statement =
    same(concat!(include_str!("token_columns.sql"), include_str!("token_by_id.sql")));

/// Every statement, for the tests that prepare them.
#[cfg(test)]
pub(in crate::store) fn all() -> impl Iterator<Item = (&'static str, Statement)> {
    const TOKENS_OF: &[(&str, Statement)] = &[("tokens", TOKENS), ("token_by_id", TOKEN_BY_ID)];
    [PAIRS, SHARED, OF_FILES, OF_SERVERS, PACKED, TOKENS_OF].into_iter().flatten().copied()
}

/// What runs all the time, for the test that no table is read whole.
#[cfg(test)]
pub(in crate::store) const HOT: &[(&str, Statement)] = &[
    ("load_calls", LOAD_CALLS),
    ("write_calls", WRITE_CALLS),
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
    ("serve_standings", SERVE_STANDINGS),
    ("touch_standings", TOUCH_STANDINGS),
    ("change_leases", CHANGE_LEASES),
    ("change_handovers", CHANGE_HANDOVERS),
    ("drop_leases", DROP_LEASES),
    ("drop_held_numbers", DROP_HELD_NUMBERS),
    ("drop_lead_numbers", DROP_LEAD_NUMBERS),
    ("forget_requests", FORGET_REQUESTS),
    ("forget_passes", FORGET_PASSES),
    ("forget_dials", FORGET_DIALS),
    ("drop_doubts", DROP_DOUBTS),
    ("seal_dials", SEAL_DIALS),
    ("forget_skips", FORGET_SKIPS),
    ("load_skips", LOAD_SKIPS),
    ("load_owed", LOAD_OWED),
    ("load_feedback", LOAD_FEEDBACK),
    ("owed_by_rep", OWED_BY_REP),
    ("owed_in_queue", OWED_IN_QUEUE),
    ("quality_counts", QUALITY_COUNTS),
    ("give_feedback", GIVE_FEEDBACK),
    ("serve_counts", SERVE_COUNTS),
    ("move_books", MOVE_BOOKS),
    ("move_leads", MOVE_LEADS),
    ("move_lead_numbers", MOVE_LEAD_NUMBERS),
    ("move_standings", MOVE_STANDINGS),
    ("ledger", LEDGER),
    ("recent_leads", RECENT_LEADS),
    ("uncontacted", UNCONTACTED),
    ("callbacks_of_queue", CALLBACKS_OF_QUEUE),
    ("callbacks_of_rep", CALLBACKS_OF_REP),
    ("callback_count", CALLBACK_COUNT),
    ("owned_leads", OWNED_LEADS),
    ("promised_leads", PROMISED_LEADS),
    ("never_contacted", NEVER_CONTACTED),
    ("touches", TOUCHES),
    ("touches_between", TOUCHES_BETWEEN),
    ("lead_by_key", LEAD_BY_KEY),
    ("lead_by_sealed_key", LEAD_BY_SEALED_KEY),
    ("load_engagements", LOAD_ENGAGEMENTS),
    ("engagements", ENGAGEMENTS),
    ("load_outcomes", LOAD_OUTCOMES),
    ("erase_outcomes", ERASE_OUTCOMES),
    ("erase_engagements", ERASE_ENGAGEMENTS),
    ("load_erasable", LOAD_ERASABLE),
    ("load_others", LOAD_OTHERS),
    ("load_refused", LOAD_REFUSED),
    ("erase_leads", ERASE_LEADS),
    ("erase_touches", ERASE_TOUCHES),
    ("erase_handovers", ERASE_HANDOVERS),
    ("seal_suppressions", SEAL_SUPPRESSIONS),
    ("suppression", SUPPRESSION),
    ("suppressions", SUPPRESSIONS),
    ("lease_of", LEASE_OF),
    ("token_by_id", TOKEN_BY_ID),
    ("note_token_uses", NOTE_TOKEN_USES),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A statement without its comments, in one line, with each of these texts replaced by the other.
    fn plain(statement: Statement, replaced: &[(&str, &str)]) -> String {
        let lines = statement.postgres.lines().filter(|line| !line.trim_start().starts_with("--"));
        let mut text = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
        for place in (1..=20).rev() {
            text = text.replace(&format!("${place}::"), "$::");
        }
        for (from, to) in replaced {
            text = text.replace(from, to);
        }
        text
    }

    #[test]
    fn what_a_batch_of_calls_writes_is_written_as_by_the_single_statements() {
        // In what order the parts are done is all that is added.
        let order = [
            (" WHERE (SELECT count(*) FROM ended) + (SELECT count(*) FROM carried) >= 0", ""),
            (" WHERE (SELECT count(*) FROM freed) >= 0", ""),
        ];
        let all = plain(WRITE_CALLS, &order);
        let parts = [
            CHANGE_STANDINGS,
            ADD_EVENTS,
            DROP_HELD_NUMBERS,
            DROP_LEASES,
            CHANGE_LEASES,
            ADD_LEASES,
            ADD_HELD_NUMBERS,
            ADD_TOUCHES,
            ADD_REQUESTS,
            PUT_PASSES,
            MOVE_BOOKS,
            DROP_DOUBTS,
            ADD_DIALS,
            ADD_SKIPS,
            COUNT_SERVES,
        ];
        for part in parts {
            let part = format!(" AS ( {} RETURNING 1 )", plain(part, &[]));
            assert!(all.contains(&part), "not in write_calls.sql:\n{part}");
        }
        assert_eq!(all.matches("RETURNING 1").count(), parts.len());
    }

    #[test]
    fn what_calls_load_is_loaded_as_by_the_single_statements() {
        // Whose numbers and addresses are looked up comes from the leads themselves.
        let keys = [
            ("SELECT value FROM jsonb_array_elements_text($::jsonb)", "KEYS"),
            ("SELECT number FROM numbers", "KEYS"),
            ("SELECT email_folded FROM facts", "KEYS"),
            ("ANY (ARRAY( KEYS))", "ANY (ARRAY(KEYS))"),
        ];
        let all = plain(LOAD_CALLS, &keys);
        for part in [LOAD_REQUESTS, LOAD_TOUCHES] {
            let part = plain(part, &[]);
            assert!(all.contains(&part), "not in load_calls.sql:\n{part}");
        }
        let between = |text: &str, from: &str, to: &str| {
            let start = text.find(from).unwrap_or_else(|| panic!("no {from} in {text}"));
            let length = text[start..].find(to).unwrap_or_else(|| panic!("no {to} after {from}"));
            text[start..start + length].to_owned()
        };
        let columns = |text: &str| between(text, "json_build_array( s.lead_id", " ))");
        assert_eq!(columns(&all), columns(&plain(LEADS_BY_ID, &[])));
        // The hashes, which stand behind, are another statement's to look for.
        let sealed = ", (SELECT coalesce(json_agg(json_build_array(value, until_ms)), '[]') FROM \
                      suppression WHERE kind = 'number' AND value = ANY (ARRAY(KEYS))), (SELECT \
                      coalesce(json_agg(json_build_array(value, until_ms)), '[]') FROM suppression \
                      WHERE kind = 'email' AND value = ANY (ARRAY(KEYS))), ";
        let numbers = plain(LOAD_NUMBERS, &keys);
        let dials = numbers.find("(SELECT coalesce(json_agg(json_build_array(number, at_ms");
        let (in_clear, dials) = numbers.split_at(dials.expect("the dials come last"));
        let in_clear = in_clear.strip_prefix("SELECT ").and_then(|text| text.strip_suffix(sealed));
        let in_clear = in_clear.unwrap_or_else(|| panic!("another load_numbers.sql: {numbers}"));
        assert!(all.contains(in_clear), "not in load_calls.sql:\n{in_clear}\n{all}");
        // Since when is another parameter there.
        let dials = dials.strip_suffix(" )::text").expect("the dials close it").replace("$6", "$5");
        assert!(all.contains(&dials), "not in load_calls.sql:\n{dials}\n{all}");
    }
}

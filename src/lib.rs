//! nextlead: a backend for inside sales. Reps pull the next-best lead, managers say in rules what a
//! lead is worth, every touch is recorded, and marketing can see where every lead stands.
//!
//! # The house
//!
//! ```text
//!   clients over gRPC                cli
//!          |                          |
//!        +-v---+                   +--v---+
//!        | api |  says things      | node |  wires the parts, serves, sweeps, stops
//!        +-+---+                   +------+
//!   +------v-----+-------+
//!   |   dialer   | cover- |      does things: the use cases; auth asks who calls
//!   |            |  age   |
//!   +--+------+--+---+----+
//!      |      |      |
//!   +--v--+ +-v------v--+
//!   |queue| |   store   |        keeps things: an index in memory, the truth in SQLite
//!   +-----+ +-----------+
//!   domain    rules    clock     knows things: pure
//!   metrics   health             counts things, and says what is down: every part keeps its own
//! ```
//!
//! One call: `NextLead` → `api` reads the message → `dialer` reads the clock once, asks the `queue`
//! for the best lead and lets the `store` lease it → `api` writes the answer. The queue proposes,
//! the store decides. A module imports only from those below it; `tests/tidy.rs` holds that.
//!
//! # What always holds
//!
//! 1. **The store is the truth.** The index of a queue can be dropped and built again at any time.
//! 2. **At most one lease a lead, a rep, a number**, by the keys of the tables, never by the index.
//! 3. **Commit, then answer.** What was answered is on the disk; what failed changed nothing.
//! 4. **No lead is forgotten.** Proposed leads are in flight until their commit is known, and what the
//!    index lost is put back by the mending pass of the sweep.
//! 5. **The books add up.** Each change is one ledger event in the same transaction; folding the
//!    events gives the standing, counting the handovers gives the books.
//! 6. **No call outside the window, none to whom said never.** Checked at selection and again in the
//!    commit.
//! 7. **A touch is a fact.** It is stored whatever became of its lease; only a lease moves the lead.
//! 8. **A request id changes nothing twice**, pulls included.
//! 9. **`explain` adds up to `evaluate`**: one walk.
//! 10. **Every engine gives the same order**: ranks are integers with a total order.
//! 11. **`domain` and `rules` are pure**: absent on purpose are `async`, `tracing`, `sqlx`, `tonic`.
//! 12. **Everything has a limit**: batches, pages, leases, rule texts, candidates of a pull.

pub mod api;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod coverage;
pub mod dialer;
pub mod domain;
pub mod failpoint;
pub mod health;
pub mod metrics;
pub mod node;
pub mod queue;
pub mod rules;
pub mod store;
pub mod telemetry;

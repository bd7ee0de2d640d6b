//! What nextlead does, through its door: one module a capability.
#![expect(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

mod access;
mod attack;
mod backup;
mod callbacks;
mod caps;
mod cli;
mod collector;
mod command_line;
mod crash;
mod demo;
mod engage;
mod erase;
mod explain;
mod export;
mod exposition;
mod gate;
mod ground;
mod hostile;
mod hours;
mod import;
mod intake;
mod jwt;
mod lanes;
#[path = "../liar.rs"]
mod liar;
mod load;
mod lying_redis;
mod metrics;
mod oracle;
mod owners;
mod pause;
mod policy;
mod privacy;
mod process;
mod pty;
mod pull;
mod quality;
mod safety;
#[path = "../servers.rs"]
mod servers;
mod service;
mod skips;
mod small_disk;
mod softphone;
mod stale_worker;
mod stop;
mod support;
mod suppress;
mod synced;
mod takeover;
mod touch;
#[path = "../toxic.rs"]
mod toxic;
mod traces;
mod transfer;
mod two_nodes;
mod upgrade;
mod verdict;
mod watch;
mod work;

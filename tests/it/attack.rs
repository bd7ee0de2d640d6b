//! Attacks with frames by hand. Each is cut or refused within its deadline, and while it runs, somebody
//! honest calls on as if there were none.

mod admission;
mod flood;
mod report;
mod size;
mod slow;
mod stranger;
mod target;
mod tls;
mod wire;

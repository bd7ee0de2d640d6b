//! gRPC health: the same truth as `/ready`, by the name of a service or of a part of the node.
//!
//! The empty name is the node as a whole, and so is each service: none of them works without every
//! part. A part is asked for by its own name: `store`, `index`, `rules`, `sweep`, `disk`.

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::auth::METHODS;
use crate::health::Health;

/// Tells the reporter whatever changes, for as long as it is polled.
pub(super) async fn follow(reporter: HealthReporter, health: Health) {
    let mut changes = health.watch();
    loop {
        changes.mark_unchanged();
        tell(&reporter, &health).await;
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn tell(reporter: &HealthReporter, health: &Health) {
    for part in health.parts() {
        reporter.set_service_status(part.name, status(part.problem.is_none())).await;
    }
    let whole = status(health.is_ready());
    for name in whole_names() {
        reporter.set_service_status(name, whole).await;
    }
}

/// Tells the reporter that nothing is served any more.
pub(super) async fn end(reporter: &HealthReporter, health: &Health) {
    for part in health.parts() {
        reporter.set_service_status(part.name, ServingStatus::NotServing).await;
    }
    for name in whole_names() {
        reporter.set_service_status(name, ServingStatus::NotServing).await;
    }
}

/// The names under which the node is asked for as a whole.
fn whole_names() -> Vec<&'static str> {
    let services = METHODS.iter().filter_map(|(path, _)| path.split('/').nth(1));
    let mut names: Vec<_> = services.filter(|name| name.starts_with("nextlead.")).collect();
    names.push("");
    names.sort_unstable();
    names.dedup();
    names
}

fn status(is_up: bool) -> ServingStatus {
    if is_up { ServingStatus::Serving } else { ServingStatus::NotServing }
}

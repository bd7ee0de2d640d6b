//! gRPC health: the same truth as `/ready`, by the name of a service or of a part of the node.
//!
//! The empty name is the node as a whole. A part is asked for by its own name: `store`, `index`, `rules`,
//! `sweep`, `disk`, `redis`. A service is up while the parts that it needs are: without room on the disk the one
//! that takes leads in is down, and reps go on, whose touches have the reserve.

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::auth::METHODS;
use crate::health::Health;

/// The part that only intake cannot do without.
const DISK: &str = "disk";
/// What takes leads in.
const INTAKE: &str = "nextlead.v1.IntakeService";

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
    let whole = health.is_ready();
    let but_for_disk = health.is_ready_but_for(DISK);
    for name in service_names() {
        let is_up = if name.is_empty() || name == INTAKE { whole } else { but_for_disk };
        reporter.set_service_status(name, status(is_up)).await;
    }
}

/// Tells the reporter that nothing is served any more.
pub(super) async fn end(reporter: &HealthReporter, health: &Health) {
    for part in health.parts() {
        reporter.set_service_status(part.name, ServingStatus::NotServing).await;
    }
    for name in service_names() {
        reporter.set_service_status(name, ServingStatus::NotServing).await;
    }
}

/// The names of the services, and the empty one.
fn service_names() -> Vec<&'static str> {
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

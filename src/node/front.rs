//! What the front counts, in the words of Prometheus. It is read when somebody asks: the front's own
//! counters are the only ones, so that what is shown is what its log says, and never goes back.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::api::front::Tally;

/// Shows what a front counts.
#[derive(Debug)]
pub(super) struct FrontMetrics(pub(super) Arc<Tally>);

impl Collector for FrontMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Self(tally) = self;
        let help = "How often the front met each of its limits";
        let kind = ConstCounter::new(0_u64).metric_type();
        let mut limits = encoder.encode_descriptor("limits_met", help, None, kind)?;
        for (limit, count) in tally.limits_met() {
            let labels = [("limit", limit.name())];
            ConstCounter::new(count).encode(limits.encode_family(&labels)?)?;
        }
        let states = [
            ("connections", "Connections that stand", tally.connection_count()),
            (
                "calls_admitted",
                "Calls that are worked on; health, and pulls that wait, are not among them",
                tally.call_count(),
            ),
        ];
        for (name, help, count) in states {
            let gauge = ConstGauge::new(count);
            let shown = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(shown)?;
        }
        Ok(())
    }
}

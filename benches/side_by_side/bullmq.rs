//! BullMQ, through a small script for Node: see benches/peers/bullmq.cjs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::servers::Redis;
use super::{Figures, Settings};

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");
/// It adds some ten thousand jobs a second, and how many there are matters little to it.
const ITEM_COUNT_MAX: u64 = 600_000;

/// How many jobs it gets.
pub(crate) fn item_count(settings: &Settings) -> u64 {
    settings.lead_count.min(ITEM_COUNT_MAX)
}

pub(crate) struct Contestant {
    redis: Redis,
    modules: PathBuf,
    version: String,
}

impl Contestant {
    pub(crate) fn start(settings: &Settings) -> Result<Self, String> {
        let modules = std::env::var_os("NEXTLEAD_TEST_NODE")
            .map_or_else(|| Path::new(PROJECT).join("target/node/node_modules"), PathBuf::from);
        let package = modules.join("bullmq/package.json");
        let package = std::fs::read_to_string(&package)
            .map_err(|_| format!("{} is not there; tests/run installs it", package.display()))?;
        let package: Value = serde_json::from_str(&package).map_err(|error| error.to_string())?;
        let version = package["version"].as_str().unwrap_or_default().to_owned();
        let redis = Redis::start_with(&["--save", "", "--appendonly", "yes"]);
        let contestant = Self { redis, modules, version };
        contestant.call(&["fill", &item_count(settings).to_string()])?;
        Ok(contestant)
    }

    pub(crate) fn name(&self) -> String {
        format!("BullMQ {}, AOF always", self.version)
    }

    pub(crate) fn run(&mut self, reps: usize, settings: &Settings) -> Figures {
        let line = self.call(&["run", &reps.to_string(), &settings.seconds.to_string()]);
        Figures::read(&line.unwrap_or_else(|told| panic!("BullMQ: {told}")), "")
    }

    /// Runs the script; the server's port comes after its first word.
    fn call(&self, words: &[&str]) -> Result<Value, String> {
        let port = self.redis.port().to_string();
        let output = Command::new("node")
            .env("NODE_PATH", &self.modules)
            .current_dir(PROJECT)
            .arg("benches/peers/bullmq.cjs")
            .args([words[0], &port])
            .args(&words[1..])
            .output()
            .map_err(|error| format!("node does not run: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
    }
}

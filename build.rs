//! Turns `proto/` into Rust, with no tool but cargo: `protox` reads the files, so nobody needs protoc.
//!
//! The descriptor set keeps its comments: reflection shows them, and a test reads them.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

const SERVICES: [&str; 6] = [
    "nextlead/v1/rep_service.proto",
    "nextlead/v1/intake_service.proto",
    "nextlead/v1/rules_service.proto",
    "nextlead/v1/queue_service.proto",
    "nextlead/v1/coverage_service.proto",
    "nextlead/v1/admin_service.proto",
];

/// Messages with something personal or secret in them: their `Debug` is written by hand, and hides it.
const HIDDEN: [&str; 11] = [
    ".nextlead.v1.Lead",
    ".nextlead.v1.LeadNumber",
    ".nextlead.v1.AttributeValue",
    ".nextlead.v1.Touch",
    ".nextlead.v1.RecordTouchRequest",
    ".nextlead.v1.RenewLeaseRequest",
    ".nextlead.v1.ReleaseLeaseRequest",
    ".nextlead.v1.SuppressContactRequest",
    ".nextlead.v1.ServedLead",
    ".nextlead.v1.CreateTokenResponse",
    ".nextlead.v1.BackupResponse",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    // The store embeds its migrations, and a new file among them changes no Rust.
    println!("cargo:rerun-if-changed=migrations");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(SERVICES)?;

    let descriptors = PathBuf::from(env::var("OUT_DIR")?).join("nextlead_descriptors.bin");
    fs::write(descriptors, compiler.encode_file_descriptor_set())?;

    tonic_prost_build::configure()
        .btree_map(".")
        .skip_debug(HIDDEN)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

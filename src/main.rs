//! The command line of nextlead: reads the arguments, runs one command, and turns what went wrong
//! into one message on standard error and an exit code, which `nextlead --help` lists.

use std::process::ExitCode;
use std::time::Duration;

use mimalloc::MiMalloc;
use nextlead::cli;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    // One thread is the fastest way to talk to the network here; a second only adds hand-overs.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(cli::run(cli));
    // A long report that nobody waits for any more must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

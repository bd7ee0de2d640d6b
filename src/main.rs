//! The command line of nextlead: reads the arguments, runs one command, and turns what went wrong
//! into one message on standard error and an exit code. 1: it failed; 2: it was called wrongly.

use std::process::ExitCode;

use nextlead::cli;

fn main() -> ExitCode {
    let cli = cli::parse();
    // One thread is the fastest way to talk to the network here; a second only adds hand-overs.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(cli::run(cli))
}

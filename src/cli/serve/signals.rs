//! The signals that tell a node to stop: an interrupt from a terminal, a termination from a service
//! manager. The first asks, the second insists.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

pub(in crate::cli) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// The end of the standard input, if it is one.
    input_ends: Option<oneshot::Receiver<()>>,
}

impl Signals {
    /// Catches the signals from here on.
    pub(in crate::cli) fn catch() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())?, input_ends: None })
    }

    /// Takes the end of the standard input for a signal, once.
    pub(in crate::cli) fn take_end_of_input(&mut self) -> io::Result<()> {
        let (ended, ends) = oneshot::channel();
        // A thread that nobody waits for: the input may stay open longer than this process lasts.
        std::thread::Builder::new().name("input".to_owned()).spawn(move || {
            // An input that cannot be read has ended too.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            let _ = ended.send(());
        })?;
        self.input_ends = Some(ends);
        Ok(())
    }

    /// Ends with the next signal.
    pub(in crate::cli) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = input_ended(&mut self.input_ends) => {}
        }
    }
}

async fn input_ended(input_ends: &mut Option<oneshot::Receiver<()>>) {
    let Some(ends) = input_ends else { return std::future::pending().await };
    let _ = ends.await;
    *input_ends = None;
}

//! A command on a pseudo terminal, so that it does what it does in front of a person.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// How long a picture may take to appear.
const WITHIN: Duration = Duration::from_secs(20);

/// A command, and the person in front of it.
pub(crate) struct Pty {
    child: Child,
    terminal: File,
    /// Kept open, so that the terminal outlives the command.
    inner: File,
    written: Receiver<Vec<u8>>,
    /// All that was written so far, escapes included.
    pub(crate) seen: String,
    /// Where what was waited for last ends.
    read_until: usize,
}

impl Pty {
    /// Starts a command with its three streams on a terminal of 100 columns and 30 lines.
    pub(crate) fn start(mut command: Command) -> Self {
        let outer: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&outer).unwrap();
        unlockpt(&outer).unwrap();
        let size = Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&outer, size).unwrap();
        let name = ptsname(&outer, Vec::new()).unwrap().into_string().unwrap();
        let inner = OpenOptions::new().read(true).write(true).open(Path::new(&name)).unwrap();
        let terminal = File::from(outer);
        let stream = || inner.try_clone().unwrap();
        command.stdin(stream()).stdout(stream()).stderr(stream()).env("TERM", "xterm-256color");
        let child = command.spawn().unwrap();
        let (sender, written) = channel();
        let mut reader = terminal.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, terminal, inner, written, seen: String::new(), read_until: 0 }
    }

    /// Waits until this is written, after what was waited for before.
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            if let Some(at) = self.seen[self.read_until..].find(text) {
                self.read_until += at + text.len();
                return;
            }
            match self.written.recv_timeout(WITHIN) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{text:?} never came:\n{}", self.seen)
                }
            }
        }
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// Whether keys are handed over one by one and not shown: raw mode.
    pub(crate) fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.inner).unwrap().local_modes;
        !modes.contains(LocalModes::ICANON) && !modes.contains(LocalModes::ECHO)
    }

    /// The command's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, and reads what it still wrote.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        // The terminal is still open, so what it wrote is told to have ended by a mark of ours.
        self.inner.write_all(b"\x04end\x04").unwrap();
        self.wait_for("\u{4}end\u{4}");
        status
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

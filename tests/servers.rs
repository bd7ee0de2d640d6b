//! Real servers for the tests and benches: PostgreSQL and Redis, on free ports, in folders of their own.
//!
//! Each runs under a shell that waits for its standard input to close, then stops the server and
//! removes the folder: that happens even if the process that started it is killed. A part of several
//! binaries, each of which uses what it needs.
#![allow(dead_code, clippy::unwrap_used, reason = "each binary uses a part, and tests unwrap")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Starts a server, waits until nobody holds its standard input, and cleans up.
const KEEPER: &str = r#"
folder=$1; shift
{ sh -c 'echo $$ >"$0/server.id"; echo "server $$"; exec "$@"' "$folder" "$@" 2>&1; echo "server ended"; } &
cat >/dev/null
kill -INT "$(cat "$folder/server.id")" 2>/dev/null; wait; rm -rf "$folder"
"#;

/// The user and the group that run PostgreSQL where the tests run as root, which it refuses.
const NOBODY: u32 = 65_534;

/// A running server. Stops, and leaves nothing behind, when it is dropped.
#[derive(Debug)]
struct Server {
    keeper: Child,
    /// The process id of the server itself.
    id: u32,
}

impl Server {
    /// Starts a command that runs in its folder, and waits until it says that it is ready.
    fn start(folder: &Path, command: &[String], ready: &str) -> Self {
        Self::try_start(folder, command, ready).unwrap_or_else(|said| panic!("{said}"))
    }

    /// Answers what it said if it ended instead.
    fn try_start(folder: &Path, command: &[String], ready: &str) -> Result<Self, String> {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(folder)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(keeper.stdout.take().unwrap());
        let (mut id, mut said) = (0, String::new());
        loop {
            let mut line = String::new();
            let length = lines.read_line(&mut line).unwrap();
            if length == 0 || line == "server ended\n" {
                // Its folder stays: it may be there from before.
                let _ = (keeper.kill(), keeper.wait());
                return Err(format!("{command:?} ended:\n{said}"));
            }
            if let Some(text) = line.strip_prefix("server ") {
                id = text.trim().parse().unwrap();
            }
            if line.contains(ready) {
                break;
            }
            said.push_str(&line);
        }
        // Nobody reads on, and a full pipe would stop the server.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Ok(Self { keeper, id })
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.id.to_string()).status();
        assert!(done.unwrap().success(), "the server has gone");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Nothing is to be done about one that has gone already.
        let _ = self.keeper.wait();
    }
}

fn own_folder(kind: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("nextlead-{kind}-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A port that was free a moment ago, low enough for a Redis Cluster's second port, 10,000 above it.
pub(crate) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        if port < 55_000 {
            return port;
        }
    }
}

fn text(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

/// The folder of PostgreSQL's programs: the newest that Debian put there, else wherever `PATH` says.
fn postgres_program(name: &str) -> String {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin").join(name)))
        })
        .collect();
    versions.sort();
    versions.pop().map_or(name.to_owned(), |(_, path)| path.display().to_string())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command line that does not run as root.
fn not_as_root(program: &str) -> Vec<String> {
    match is_root() {
        false => text(&[program]),
        true => text(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program]),
    }
}

/// A PostgreSQL server.
#[derive(Debug)]
pub(crate) struct Postgres {
    server: Option<Server>,
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
}

impl Postgres {
    /// A server that syncs what it commits, as in production.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The server that all tests of this binary share, each with a database of its own. It syncs
    /// nothing: what a crash does is not its business.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_with(&["fsync=off", "full_page_writes=off"]))
    }

    /// A server with these settings beside its own.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let folder = own_folder("postgres");
        if is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = folder.join("data").display().to_string();
        let mut command = not_as_root(&postgres_program("initdb"));
        command.extend(text(&["-D", &data, "-U", "nextlead", "-A", "trust", "-E", "UTF8"]));
        command.extend(text(&["--locale=C", "--no-sync"]));
        let made = Command::new(&command[0]).args(&command[1..]).current_dir(&folder).output();
        let made = made.expect("PostgreSQL's initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut postgres = Self { server: None, folder, port: free_port(), settings };
        postgres.start_again();
        postgres
    }

    /// A server that follows this one, and decides nothing.
    pub(crate) fn standby(&self) -> Self {
        let folder = own_folder("standby");
        if is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let (data, port) = (folder.join("data").display().to_string(), self.port.to_string());
        let mut command = not_as_root(&postgres_program("pg_basebackup"));
        command.extend(text(&["-h", "127.0.0.1", "-p", &port, "-U", "nextlead", "-D", &data]));
        command.extend(text(&["-R", "--no-sync", "-c", "fast"]));
        let made = Command::new(&command[0]).args(&command[1..]).current_dir(&folder).output();
        let made = made.expect("PostgreSQL's pg_basebackup runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let settings = self.settings.clone();
        let mut standby = Self { server: None, folder, port: free_port(), settings };
        standby.start_again();
        standby
    }

    /// Starts it again where it was, after it was killed or stopped.
    pub(crate) fn start_again(&mut self) {
        let (data, port) = (self.folder.join("data"), self.port.to_string());
        let mut command = not_as_root(&postgres_program("postgres"));
        command.extend(text(&["-D", &data.display().to_string(), "-p", &port]));
        command.extend(text(&["-k", &self.folder.display().to_string(), "-h", "127.0.0.1"]));
        let own = ["max_connections=300", "log_min_messages=log", "lc_messages=C"];
        for setting in own.map(str::to_owned).iter().chain(&self.settings) {
            command.extend(text(&["-c", setting]));
        }
        if let Some(killed) = &mut self.server {
            // Its shell would take the folder with it.
            let _ = killed.keeper.kill();
            killed.keeper.wait().unwrap();
        }
        // A standby accepts only connections that read.
        const READY: &str = "ready to accept";
        // What the server that was killed began is in the way until it has noticed.
        let started = (0..200).find_map(|_| Server::try_start(&self.folder, &command, READY).ok());
        self.server = Some(started.expect("PostgreSQL starts"));
    }

    /// Sends the server a signal: `QUIT` ends it at once, as a crash would, `KILL` without its doing.
    pub(crate) fn signal(&self, name: &str) {
        self.server.as_ref().expect("it was started").signal(name);
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database of this server.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://nextlead@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a new, empty database. Answers its address.
    pub(crate) fn database(&self) -> String {
        self.database_like("template0", "wal_log")
    }

    /// Makes a copy of a database, to which nobody may be connected. Answers its address.
    pub(crate) fn copy_of(&self, url: &str) -> String {
        // A large one would go through the log whole.
        self.database_like(url.rsplit('/').next().unwrap(), "file_copy")
    }

    fn database_like(&self, template: &str, strategy: &str) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("leads{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let port = self.port.to_string();
        let made = Command::new(postgres_program("createdb"))
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "nextlead", "-T", template])
            .args(["--strategy", strategy, &name])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.url(&name)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.server.take());
        // Its shell has done so, unless the server was killed.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A Redis server.
#[derive(Debug)]
pub(crate) struct Redis {
    server: Option<Server>,
    port: u16,
    settings: Vec<String>,
}

impl Redis {
    /// A server that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "no"])
    }

    /// A server with these settings.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let mut redis = Self { server: None, port: free_port(), settings: text(settings) };
        redis.start_again();
        redis
    }

    /// Starts it again on its port, with nothing in it.
    pub(crate) fn start_again(&mut self) {
        drop(self.server.take());
        let folder = own_folder("redis");
        let port = self.port.to_string();
        let mut command = text(&["redis-server", "--port", &port, "--bind", "127.0.0.1", "--dir"]);
        command.push(folder.display().to_string());
        command.extend(self.settings.iter().cloned());
        self.server = Some(Server::start(&folder, &command, "Ready to accept connections"));
    }

    /// Kills it. [`Redis::start_again`] brings it back empty.
    pub(crate) fn kill(&mut self) {
        let server = self.server.take().expect("it runs");
        server.signal("KILL");
    }

    /// Sends the server a signal.
    pub(crate) fn signal(&self, name: &str) {
        self.server.as_ref().expect("it runs").signal(name);
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// A Redis Cluster of three masters.
#[derive(Debug)]
pub(crate) struct RedisCluster {
    masters: Vec<Redis>,
}

impl RedisCluster {
    /// Starts three masters and makes them one cluster.
    pub(crate) fn start() -> Self {
        let settings = ["--save", "", "--appendonly", "no", "--cluster-enabled", "yes"];
        let masters: Vec<Redis> = (0..3).map(|_| Redis::start_with(&settings)).collect();
        let hosts = masters.iter().map(|master| format!("127.0.0.1:{}", master.port));
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(hosts).arg("--cluster-yes");
        let made = create.output().expect("redis-cli runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let cluster = Self { masters };
        while !cluster.masters.iter().all(Self::is_whole) {
            // Each asks another process, which takes its time: the masters tell each other by gossip.
            std::thread::yield_now();
        }
        cluster
    }

    fn is_whole(master: &Redis) -> bool {
        let port = master.port.to_string();
        let mut asking = Command::new("redis-cli");
        let asking = asking.args(["-p", &port, "cluster", "info"]).stdout(Stdio::piped()).spawn();
        let mut said = String::new();
        asking.unwrap().stdout.unwrap().read_to_string(&mut said).unwrap();
        said.contains("cluster_state:ok")
    }

    /// The addresses of its masters, parted by commas.
    pub(crate) fn urls(&self) -> String {
        let urls: Vec<String> = self.masters.iter().map(Redis::url).collect();
        urls.join(",")
    }

    /// The masters.
    pub(crate) fn masters(&mut self) -> &mut [Redis] {
        &mut self.masters
    }
}

//! A Redis that lies. It stands before a real one, hands most calls on, and answers some with what is
//! stale, somebody else's, unknown, broken, endless, or nothing at all.
//!
//! Its lies follow from a seed and from the calls in their order. A part of several binaries.
#![allow(dead_code, clippy::unwrap_used, reason = "each binary uses a part, and tests unwrap")]

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{Parser, Value};

/// How an answer is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lie {
    /// What the same script answered before; the call is not made.
    Stale,
    /// What another script, or another queue's, answered before; the call is not made.
    Foreign,
    /// The call is made, and its leads are others.
    OtherLeads,
    /// The call is made, and its numbers are others.
    OtherNumbers,
    /// The call is made twice.
    Repeated,
    /// The call is not made, and the answer says that there is nothing.
    Nothing,
    /// The call is made, and the answer is cut short, or goes on with more of the same.
    OtherLength,
    /// An answer of another type.
    OtherType,
    /// An error.
    Refused,
    /// No answer; the call is made.
    Silence,
    /// The connection is closed, before the call or after it.
    Closed,
    /// Bytes that are no answer, or a length that no answer has.
    Noise,
    /// Megabytes.
    Huge,
}

/// Each with how often it is told among 400.
const LIES: [(Lie, u64); 13] = [
    (Lie::Stale, 70),
    (Lie::Foreign, 45),
    (Lie::OtherLeads, 100),
    (Lie::OtherNumbers, 45),
    (Lie::Repeated, 45),
    (Lie::Nothing, 20),
    (Lie::OtherLength, 24),
    (Lie::OtherType, 18),
    (Lie::Refused, 18),
    (Lie::Silence, 2),
    (Lie::Closed, 6),
    (Lie::Noise, 6),
    (Lie::Huge, 1),
];

/// How many bytes the longest answer has: more than any client should take in.
const HUGE: usize = 80 << 20;

/// What the liar shares with whoever watches it.
#[derive(Debug)]
struct Shared {
    upstream: String,
    per_mille: AtomicU64,
    random: AtomicU64,
    is_stopped: AtomicBool,
    told: Mutex<BTreeMap<Lie, u64>>,
    /// Answers given before, by script.
    answers: Mutex<BTreeMap<Vec<u8>, Vec<Value>>>,
}

/// A Redis that lies. Stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Liar {
    port: u16,
    shared: Arc<Shared>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Liar {
    /// One that stands before the Redis at an address, and tells the truth until it is told otherwise.
    pub(crate) fn start(upstream: &str, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            per_mille: AtomicU64::new(0),
            random: AtomicU64::new(seed),
            is_stopped: AtomicBool::new(false),
            told: Mutex::default(),
            answers: Mutex::default(),
        });
        let of_server = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_server.is_stopped.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&of_server);
                // A client that hangs up ends its thread, and is no failure.
                std::thread::spawn(move || stream.and_then(|stream| shared.serve(stream)));
            }
        });
        Self { port, shared }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Lies in so many calls of a thousand from here on.
    pub(crate) fn lie(&self, per_mille: u64) {
        self.shared.per_mille.store(per_mille, Ordering::Relaxed);
    }

    /// How many lies of which kind it has told.
    pub(crate) fn told(&self) -> BTreeMap<Lie, u64> {
        lock(&self.shared.told).clone()
    }

    /// How many lies it has told.
    pub(crate) fn lie_count(&self) -> u64 {
        lock(&self.shared.told).values().sum()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for somebody to come.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    /// The next random number below a limit.
    fn below(&self, limit: u64) -> u64 {
        let number = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut writer = stream;
        let client = redis::Client::open(self.upstream.as_str()).map_err(io::Error::other)?;
        let mut upstream = client.get_connection().map_err(io::Error::other)?;
        let mut parser = Parser::new();
        loop {
            let called = parser.parse_value(&mut reader).map_err(io::Error::other)?;
            let Value::Array(words) = called else { return Ok(()) };
            let mut command = redis::Cmd::new();
            for word in &words {
                let Value::BulkString(word) = word else { return Ok(()) };
                command.arg(word);
            }
            let mut call = || match redis::ConnectionLike::req_command(&mut upstream, &command) {
                Ok(value) => value,
                Err(error) => Value::SimpleString(format!("!ERR {error}")),
            };
            let is_script =
                matches!(&words[0], Value::BulkString(verb) if verb.starts_with(b"EVAL"));
            let should_lie =
                is_script && self.below(1_000) < self.per_mille.load(Ordering::Relaxed);
            let mut bytes = Vec::new();
            if !should_lie {
                let answer = call();
                if is_script {
                    self.remember(&words, &answer);
                }
                encode(&answer, &mut bytes);
            } else {
                let lie = self.choose();
                *lock(&self.told).entry(lie).or_default() += 1;
                match self.answer(lie, &words, &mut call) {
                    Some(told) => bytes = told,
                    None if lie == Lie::Silence => continue,
                    None => return Ok(()),
                }
            }
            writer.write_all(&bytes)?;
        }
    }

    fn choose(&self) -> Lie {
        let mut number = self.below(LIES.iter().map(|(_, weight)| weight).sum());
        for (lie, weight) in LIES {
            if number < weight {
                return lie;
            }
            number -= weight;
        }
        unreachable!("the weights add up")
    }

    /// The bytes of a lie; `None`: there are none.
    fn answer(
        &self,
        lie: Lie,
        words: &[Value],
        call: &mut impl FnMut() -> Value,
    ) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let told = match lie {
            Lie::Stale => {
                self.before(|script| script == script_of(words)).unwrap_or_else(&mut *call)
            }
            Lie::Foreign => self.before(|script| script != script_of(words)).unwrap_or(Value::Nil),
            Lie::OtherLeads => self.other_leads(call()),
            Lie::OtherNumbers => self.other_numbers(call()),
            Lie::Repeated => {
                call();
                call()
            }
            Lie::Nothing => [Value::Nil, Value::Array(Vec::new()), Value::Int(0), Value::Int(1)]
                [self.below(4) as usize]
                .clone(),
            Lie::OtherLength => self.other_length(call()),
            Lie::OtherType => {
                let odd = Value::Array(vec![Value::Array(vec![Value::Nil; 3]); 3]);
                [Value::Okay, Value::BulkString(b"\xff\x00".to_vec()), odd][self.below(3) as usize]
                    .clone()
            }
            Lie::Refused => {
                let errors =
                    ["!ERR no", "!NOSCRIPT none", "!MOVED 1 127.0.0.1:1", "!OOM", "!LOADING"];
                Value::SimpleString(errors[self.below(5) as usize].to_owned())
            }
            Lie::Silence => {
                call();
                return None;
            }
            Lie::Closed => {
                if self.below(2) == 0 {
                    call();
                }
                return None;
            }
            Lie::Noise => {
                let noise =
                    ["HTTP/1.1 200 OK\r\n\r\n", "$-7\r\n", "*2000000000\r\n:1\r\n", ":x\r\n"];
                return Some(noise[self.below(4) as usize].as_bytes().to_vec());
            }
            Lie::Huge => {
                let mut huge = format!("${}\r\n", 500 << 20).into_bytes();
                huge.resize(HUGE, b'x');
                return Some(huge);
            }
        };
        encode(&told, &mut bytes);
        Some(bytes)
    }

    fn remember(&self, words: &[Value], answer: &Value) {
        let mut answers = lock(&self.answers);
        let of_script = answers.entry(script_of(words)).or_default();
        if of_script.len() < 64 {
            of_script.push(answer.clone());
        } else {
            of_script[self.below(64) as usize] = answer.clone();
        }
    }

    /// An answer that was given before, to a script of this kind.
    fn before(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Value> {
        let answers = lock(&self.answers);
        let wanted: Vec<&Value> = answers
            .iter()
            .filter(|(script, _)| is_wanted(script))
            .flat_map(|(_, all)| all)
            .collect();
        let which = wanted.len().checked_sub(1)?;
        Some(wanted[self.below(which as u64 + 1) as usize].clone())
    }

    /// What looks like a lead becomes another: one that there is, or one that there is not.
    fn other_leads(&self, answer: Value) -> Value {
        each(answer, &mut |value| match value {
            Value::BulkString(bytes) if bytes.len() == 8 => {
                let lead = match self.below(4) {
                    0 => self.below(1 << 62) as i64,
                    1 => -(self.below(9) as i64),
                    _ => self.below(60) as i64,
                };
                Value::BulkString((lead ^ i64::MIN).to_be_bytes().to_vec())
            }
            other => other,
        })
    }

    fn other_numbers(&self, answer: Value) -> Value {
        each(answer, &mut |value| match value {
            Value::Int(number) => Value::Int(match self.below(6) {
                0 => i64::MAX,
                1 => i64::MIN,
                2 => -number,
                3 => number.wrapping_add(1),
                4 => self.below(4) as i64,
                _ => number,
            }),
            other => other,
        })
    }

    fn other_length(&self, answer: Value) -> Value {
        match answer {
            Value::Array(mut values) if !values.is_empty() => {
                if self.below(2) == 0 {
                    values.truncate(self.below(values.len() as u64) as usize);
                } else {
                    let more = values.clone();
                    (0..self.below(50)).for_each(|_| values.extend(more.iter().cloned()));
                }
                Value::Array(values)
            }
            other => other,
        }
    }
}

/// Which script is called: by its digest, or by its text.
fn script_of(words: &[Value]) -> Vec<u8> {
    match words.get(1) {
        Some(Value::BulkString(script)) => script.iter().take(40).copied().collect(),
        _ => Vec::new(),
    }
}

fn each(value: Value, change: &mut impl FnMut(Value) -> Value) -> Value {
    match value {
        Value::Array(values) => {
            Value::Array(values.into_iter().map(|value| each(value, change)).collect())
        }
        other => change(other),
    }
}

/// Writes a value as Redis does; a text that begins with `!` is an error.
fn encode(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Int(number) => bytes.extend(format!(":{number}\r\n").bytes()),
        Value::BulkString(text) => {
            bytes.extend(format!("${}\r\n", text.len()).bytes());
            bytes.extend(text);
            bytes.extend(b"\r\n");
        }
        Value::Array(values) => {
            bytes.extend(format!("*{}\r\n", values.len()).bytes());
            values.iter().for_each(|value| encode(value, bytes));
        }
        Value::SimpleString(text) => {
            let (sign, text) =
                text.strip_prefix('!').map_or(('+', text.as_str()), |text| ('-', text));
            let text = text.replace(['\r', '\n'], " ");
            bytes.extend(format!("{sign}{text}\r\n").bytes());
        }
        Value::ServerError(error) => {
            let said = format!("!{} {}", error.code(), error.details().unwrap_or_default());
            encode(&Value::SimpleString(said), bytes);
        }
        Value::Okay => bytes.extend(b"+OK\r\n"),
        _ => bytes.extend(b"$-1\r\n"),
    }
}

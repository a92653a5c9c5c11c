//! The memory bill: every pool of this process, how many there are of it, and the sum that load never passes.
//!
//! In: the capacities in force ([`Limits`]), and what the shell takes for a connection and for itself ([`Fixed`]). Out: [`Bill`], a line for
//! each [`Post`]. What is there from the start on is [`Bill::fixed`]; what the engine holds for definitions is added as they run
//! ([`rule_bytes`], [`queue_bytes`]), and a rule that would take the sum above `limits.memoryBudget` does not start. Buffers are counted
//! whole although the kernel gives a page only once it is touched; allowances for what cannot be counted byte by byte say so in
//! their name. Not in it: what a management command needs for its time beyond the post of that name, and memory of the kernel.

use core::fmt::{self, Write as _};

use crate::gate::admit::Admission;
use crate::gate::body::Index;
use crate::gate::guess::Guesses;
use crate::gate::inflate::Inflater;
use crate::gate::replay::Replays;
use crate::limits::{CONN_BYTES, HEAD_BYTES, Limits};
use crate::ring::Ring;
use crate::rule::memory;
use crate::rule::run::RuleUnit;
use crate::sink::{Kind, SinkScratch, SinkUnit};
use crate::source::file::PIECE_BYTES;
use crate::table::Lookup;
use crate::wire::conn::SLACK_BYTES;
use crate::wire::turn::OUT_BYTES;

/// A running rule beside its buffers: plan, expressions, names, templates, status. An allowance: they are on the heap.
const RULE_BYTES: usize = 48 << 10;
/// An open stream beside its queue: definition, columns, answers. An allowance.
const STREAM_BYTES: usize = 8 << 10;
/// A credential with its key, names and answers. An allowance.
pub const CREDENTIAL_BYTES: usize = 1 << 10;
/// A rest sink's connection: buffers of an exchange, a token's, and TLS where it speaks it. An allowance.
const REST_BYTES: usize = 160 << 10;
/// An mqtt sink's connection: a packet, and TLS where it speaks it. An allowance.
const MQTT_BYTES: usize = 160 << 10;
/// A redis sink's connection: the commands of a payload, and what they are made in. An allowance.
const REDIS_BYTES: usize = 512 << 10;
/// What the thread that reads a file touches of its stack. An allowance.
const READER_STACK_BYTES: usize = 64 << 10;
/// What is kept of definitions that do not run, of metrics and of an answer while it is written. An allowance.
const DEFINITION_BYTES: usize = 1 << 20;
/// What a management command takes beside its body, as a multiple of the largest body: its JSON as a tree, its answer. An allowance.
const COMMAND_BODIES: usize = 2;

/// What only the shell knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fixed {
    /// The program's file and its libraries, as they are mapped.
    pub code_bytes: u64,
    /// Runtime, threads, log, writer thread.
    pub runtime_bytes: u64,
    /// A connection of the data port beside its buffer.
    pub conn_bytes: usize,
    /// What TLS takes of each connection of the data port at most; 0: the port speaks plain HTTP.
    pub tls_conn_bytes: usize,
    /// The same on the management port.
    pub tls_manage_bytes: usize,
    /// Certificates and authorities of both ports.
    pub tls_bytes: u64,
    /// Connections of the port for metrics.
    pub scrape_count: usize,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// What it is.
    pub what: &'static str,
    /// How many there are.
    pub count: u64,
    /// Bytes of one.
    pub each: u64,
    /// Keys that change it; empty: none does.
    pub keys: &'static str,
}

impl Post {
    /// All of them.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.count.saturating_mul(self.each)
    }
}

/// See the module text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bill {
    /// Its lines.
    pub posts: Vec<Post>,
}

impl Bill {
    /// What is taken whatever is defined.
    #[must_use]
    pub fn fixed(limits: &Limits, shell: &Fixed) -> Self {
        let large = HEAD_BYTES + limits.body_bytes + SLACK_BYTES;
        let tls_count = if shell.tls_conn_bytes > 0 { limits.tls_conn_count.min(limits.conn_count) } else { 0 };
        let manage = HEAD_BYTES + SLACK_BYTES + 2 * limits.manage_body_bytes + shell.tls_manage_bytes;
        let scrape = 2 * (HEAD_BYTES + SLACK_BYTES) + shell.tls_manage_bytes;
        let scratch = limits.scratch_bytes + limits.payload_bytes + 2 * HEAD_BYTES + 4096 + size_of::<Index>() + OUT_BYTES;
        let posts = [
            ("program and libraries, as far as they are ever read", 1, shell.code_bytes, ""),
            ("runtime, threads and log (allowance)", 1, shell.runtime_bytes, ""),
            ("connections", limits.conn_count, wide(CONN_BYTES + shell.conn_bytes), "limits.connCount"),
            ("TLS of a connection", tls_count, wide(shell.tls_conn_bytes), "limits.tlsConnCount"),
            ("certificates and authorities (allowance)", usize::from(shell.tls_bytes > 0), shell.tls_bytes, ""),
            ("large buffers", limits.loan_count, wide(large), "limits.loanCount, limits.bodyBytes"),
            ("inflater", 1, wide(Inflater::bytes(limits.body_bytes)), "limits.bodyBytes"),
            ("scratch of rules", 1, wide(scratch), "limits.scratchBytes, limits.payloadBytes"),
            ("scratch of sinks", 1, wide(SinkScratch::bytes(limits)), "limits.payloadBytes, limits.scratchBytes"),
            (
                "table of senders",
                1,
                wide(Admission::bytes(limits.sender_count, limits.conn_count, limits.stream_count) + Guesses::BYTES),
                "limits.senderCount",
            ),
            ("signed requests that are remembered", 1, wide(Replays::bytes(limits.replay_count)), "limits.replayCount"),
            ("management connections", limits.manage_conn_count, wide(manage), "limits.manageConnCount, limits.manageBodyBytes"),
            ("connections for metrics", shell.scrape_count, wide(scrape), ""),
            (
                "one management command at work (allowance)",
                1,
                wide(COMMAND_BODIES * limits.manage_body_bytes + DEFINITION_BYTES),
                "limits.manageBodyBytes",
            ),
        ];
        let post = |(what, count, each, keys)| Post { what, count: wide(count), each, keys };
        Self { posts: posts.into_iter().map(post).filter(|post| post.bytes() > 0).collect() }
    }

    /// The sum.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.posts.iter().fold(0, |sum, post| sum.saturating_add(post.bytes()))
    }

    /// Why this is too much for a budget: the sum, and the largest posts with the keys that make them smaller. `None`: it fits.
    #[must_use]
    pub fn above(&self, budget: Option<u64>) -> Option<String> {
        let budget = budget.filter(|budget| self.total() > *budget)?;
        let mut largest: Vec<&Post> = self.posts.iter().filter(|post| !post.keys.is_empty()).collect();
        largest.sort_by_key(|post| core::cmp::Reverse(post.bytes()));
        let mut text = format!("limits.memoryBudget: {budget} bytes are allowed, {} bytes are needed: raise it, or lower", self.total());
        for (i, post) in largest.into_iter().take(3).enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let _ = write!(text, "{comma} {} ({}: {} bytes)", post.keys, post.what, post.bytes());
        }
        Some(text)
    }

    /// A line for each post, and the sum.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let sum = format!("{:>14}  in all", grouped(self.total()));
        self.posts.iter().map(Post::to_string).chain([sum])
    }
}

impl fmt::Display for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>14}  {}", grouped(self.bytes()), self.what)?;
        if self.count > 1 {
            write!(f, ": {} x {}", grouped(self.count), grouped(self.each))?;
        }
        if self.keys.is_empty() { Ok(()) } else { write!(f, " ({})", self.keys) }
    }
}

/// Bytes of a stream's queue, with what is kept of the stream.
#[must_use]
pub const fn queue_bytes(limits: &Limits) -> u64 {
    wide(limits.queue_bytes + Ring::<()>::readers_bytes(limits.rule_count + 1) + STREAM_BYTES)
}

/// Bytes of a rule's state, and of its sinks.
#[must_use]
pub fn rule_bytes(unit: &RuleUnit, limits: &Limits) -> (u64, u64) {
    let state: usize = memory::parts(unit, limits).iter().filter(|part| !part.shared && !part.sink).map(|part| part.bytes).sum();
    let sinks = unit.sinks.iter().map(sink_bytes).sum();
    (wide(RULE_BYTES + state), sinks)
}

/// What a lookup table takes.
#[must_use]
pub const fn lookup_bytes(limits: &Limits) -> u64 {
    wide(Lookup::bytes_of(limits.state_bytes) + Ring::<()>::readers_bytes(limits.rule_count + 1) + STREAM_BYTES)
}

/// Bytes of who reads a file: a thread, its buffer, a batch of records and what it leaves behind, a row.
#[must_use]
pub const fn file_bytes(limits: &Limits) -> u64 {
    wide(READER_STACK_BYTES + 4 * (limits.body_bytes + 2 * PIECE_BYTES))
}

fn sink_bytes(sink: &SinkUnit) -> u64 {
    let carrier = match sink.kind() {
        Kind::Rest => REST_BYTES,
        Kind::Mqtt => MQTT_BYTES,
        Kind::Redis | Kind::RedisPub => REDIS_BYTES,
        Kind::File | Kind::Log | Kind::Memory | Kind::Nop | Kind::Trial => 0,
    };
    wide(sink.bytes() + carrier)
}

const fn wide(n: usize) -> u64 {
    n as u64
}

/// Digits in groups of three.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELL: Fixed = Fixed {
        code_bytes: 4_000_000,
        runtime_bytes: 3_000_000,
        conn_bytes: 700,
        tls_conn_bytes: 0,
        tls_manage_bytes: 0,
        tls_bytes: 0,
        scrape_count: 0,
    };

    #[test]
    fn every_capacity_in_bytes_is_in_it() {
        let limits = Limits::default();
        let plain = Bill::fixed(&limits, &SHELL).total();
        for (name, value) in limits.values() {
            let mut more = limits.clone();
            more.set(name, value as u64 * 2).expect("below the ceiling");
            let is_of_definitions =
                matches!(name, "QUEUE_BYTES" | "STATE_BYTES" | "OUTBOX_BYTES" | "RULE_COUNT" | "GROUP_COUNT" | "TLS_CONN_COUNT");
            assert_eq!(Bill::fixed(&more, &SHELL).total() > plain, !is_of_definitions, "{name}");
        }
        let tls = Fixed { tls_conn_bytes: 1000, tls_bytes: 7, ..SHELL };
        assert_eq!(Bill::fixed(&limits, &tls).total(), plain + 512 * 1000 + 7);
    }

    #[test]
    fn at_the_budget_and_one_byte_past_it() {
        let bill = Bill::fixed(&Limits::default(), &SHELL);
        assert_eq!((bill.above(None), bill.above(Some(bill.total()))), (None, None));
        let why = bill.above(Some(bill.total() - 1)).expect("too much");
        let total = bill.total();
        assert!(
            why.starts_with(&format!("limits.memoryBudget: {} bytes are allowed, {total} bytes are needed: raise it, or lower", total - 1))
        );
        assert!(why.contains(" limits.manageConnCount, limits.manageBodyBytes (management connections: "), "{why}");
    }

    #[test]
    fn lines_add_up() {
        let bill = Bill::fixed(&Limits::default(), &SHELL);
        let lines: Vec<String> = bill.lines().collect();
        let numbers: Vec<u64> =
            lines.iter().map(|l| l.split_whitespace().next().expect("a number").replace(',', "").parse().expect("digits")).collect();
        let (sum, posts) = numbers.split_last().expect("lines");
        assert_eq!((posts.iter().sum::<u64>(), *sum), (bill.total(), bill.total()));
        assert!(lines.iter().any(|l| l.trim() == "2,813,952  connections: 1,024 x 2,748 (limits.connCount)"), "{lines:#?}");
    }
}

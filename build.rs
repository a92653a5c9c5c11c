//! Reads `PUSHGATE_<NAME>` from the environment and writes the capacity constants that `src/limits.rs` includes.
//!
//! Each row is: name, default, ceiling of its run-time key as a multiple of the default (0: fixed at build time), meaning.

use std::{env, fmt::Write as _, fs, path::Path, process::Command};

const TABLE: &[(&str, u64, u64, &str)] = &[
    ("CONN_COUNT", 1024, 4, "Connections of the data port."),
    ("TLS_CONN_COUNT", 512, 8, "Connections of the data port while it speaks TLS."),
    ("CONN_BYTES", 2048, 0, "Receive buffer of one connection, in bytes; what is larger takes a loan."),
    ("LOAN_COUNT", 16, 4, "Large buffers (one head and one body each) that connections may borrow."),
    ("HEAD_BYTES", 8192, 0, "Request head, in bytes."),
    ("FIELD_COUNT", 64, 0, "Header fields of one request."),
    ("TARGET_BYTES", 2048, 0, "Request target, in bytes."),
    ("BODY_BYTES", 65536, 16, "Request body on the data port, in bytes."),
    ("STREAM_COUNT", 32, 4, "Stream queues."),
    ("QUEUE_BYTES", 262_144, 16, "One stream queue, in bytes."),
    ("RULE_COUNT", 128, 4, "Rules, and readers of one stream queue."),
    ("SCRATCH_BYTES", 262_144, 16, "Scratch memory of one row's evaluation, in bytes."),
    ("STATE_BYTES", 262_144, 16, "State region of one rule, in bytes."),
    ("GROUP_COUNT", 1024, 16, "Groups of one rule's window."),
    ("OUTBOX_BYTES", 262_144, 16, "Outbox of one sink, in bytes."),
    ("PAYLOAD_BYTES", 131_072, 16, "One payload of a sink, in bytes."),
    ("PIPELINE_COUNT", 16, 0, "Answers waiting on one connection."),
    ("SENDER_COUNT", 1024, 16, "Credentials and addresses whose rates and connections are told apart."),
    ("REPLAY_COUNT", 8192, 64, "Signed requests that are remembered, so that none is taken twice."),
    ("JSON_DEPTH", 300, 0, "Nesting of JSON."),
    ("EXPR_DEPTH", 64, 0, "Nesting of SQL expressions."),
    ("SQL_BYTES", 16384, 0, "One SQL statement, in bytes."),
    ("SLOT_COUNT", 128, 0, "Columns, analytic and aggregate results of one rule."),
    ("ARG_COUNT", 64, 0, "Arguments of one function call."),
    ("MANAGE_CONN_COUNT", 8, 4, "Connections of the management port."),
    ("MANAGE_BODY_BYTES", 1_048_576, 8, "Request body on the management port, in bytes."),
];

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let mut text = String::new();
    let mut table = String::from(
        "/// Every capacity: name, default of this build, ceiling of its run-time key (0: fixed at build time).\npub const TABLE: &[(&str, u64, u64)] = &[\n",
    );
    for (name, default, times, doc) in TABLE {
        let key = format!("PUSHGATE_{name}");
        println!("cargo:rerun-if-env-changed={key}");
        let value = match env::var(&key) {
            Ok(text) => text.parse::<u64>().unwrap_or_else(|_| panic!("{key}={text}: expected a whole number")),
            Err(_) => *default,
        };
        let _ = writeln!(text, "/// {doc}\npub const {name}: usize = {value};");
        let _ = writeln!(table, "    (\"{name}\", {value}, {}),", value.max(*default) * times);
    }
    table.push_str("];\n");
    fs::write(Path::new(&out).join("limits.rs"), text + &table).expect("OUT_DIR is writable");

    // A path that does not exist would run this script, and compile the crate, each time: a work tree has no .git/HEAD.
    if let Some(head) = git(&["rev-parse", "--git-path", "HEAD"]).filter(|head| Path::new(head).exists()) {
        println!("cargo:rerun-if-changed={head}");
    }
    println!("cargo:rustc-env=PUSHGATE_COMMIT={}", git(&["rev-parse", "--short=9", "HEAD"]).unwrap_or_default());
    println!("cargo:rustc-env=PUSHGATE_TARGET={}", env::var("TARGET").unwrap_or_default());
}

/// What git prints, or `None` without git or outside a repository.
fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

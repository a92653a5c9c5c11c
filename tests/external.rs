//! The real binary with other people's programs: curl, openssl, Python, mosquitto, redis.
//!
//! Behind the feature `external`, because `cargo test` needs nothing but Rust. `.ci/run external` installs what it takes.
//! Run with `--test-threads=1`: the recorded cases depend on timing.

use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_pushgate");

/// Streams and rules by curl, HTTP and HTTPS, a restart, SIGTERM; the same script that runs on ARM builds.
#[test]
fn one_reading_by_curl() {
    succeed(Command::new("cross/smoke.sh").arg(BINARY));
}

#[test]
fn recorded_sql() {
    recorded("sql");
}

#[test]
fn recorded_rest() {
    recorded("rest");
}

#[test]
fn recorded_cli() {
    recorded("cli");
}

#[test]
fn recorded_sinks() {
    recorded("sinks");
}

/// `tests/data/cases/README.md` says what passes and what the list `not-yet.txt` is.
fn recorded(suite: &str) {
    succeed(Command::new("python3").args(["tests/data/cases/run.py", BINARY, "--suite", suite]));
}

fn succeed(command: &mut Command) {
    let ran = command.current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = ran.unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    println!("{said}");
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
}

//! The real binary with other people's programs: curl, openssl, Python, mosquitto, redis.
//!
//! Behind the feature `external`, because `cargo test` needs nothing but Rust. `.ci/run external` installs what it takes.
//! Run with `--test-threads=1`: the recorded cases depend on timing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

const BINARY: &str = env!("CARGO_BIN_EXE_pushgate");

/// Streams and rules by curl, HTTP and HTTPS, a restart, SIGTERM; the same script that runs on ARM builds.
#[test]
fn one_reading_by_curl() {
    succeed(Command::new("cross/smoke.sh").arg(BINARY));
}

/// The unit's SystemCallFilter lets through every call that the same session makes, as strace sees it.
#[test]
fn the_unit_allows_what_the_gate_calls() {
    let trace = std::env::temp_dir().join(format!("pushgate-strace-{}", std::process::id()));
    succeed(Command::new("cross/smoke.sh").arg(BINARY).env("SMOKE_UNDER", format!("strace -D -f -qq -A -o {}", trace.display())));
    let text = fs::read_to_string(&trace).expect("strace wrote");
    fs::remove_file(&trace).expect("it is ours");
    // `1234 openat(AT_FDCWD, …` and `1234 <... read resumed>…`, which repeats a call.
    let called: BTreeSet<&str> =
        text.lines().filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('(').map(|(name, _)| name)).collect();
    let called = called.into_iter().filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    let (allowed, seen) = (allowed_calls(), called.collect::<Vec<_>>());
    assert!(seen.contains(&"accept4") && seen.contains(&"execve"), "{seen:?}");
    let refused: Vec<_> = seen.iter().filter(|name| !allowed.contains(**name)).collect();
    assert!(refused.is_empty(), "systemd/pushgate.service refuses {refused:?}");
}

/// What the unit's filter lines leave of systemd's groups.
fn allowed_calls() -> BTreeSet<String> {
    let listed = Command::new("systemd-analyze").arg("syscall-filter").output().expect("systemd-analyze").stdout;
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut group = String::new();
    for line in String::from_utf8_lossy(&listed).lines().map(|line| line.split('#').next().unwrap_or_default()) {
        if line.starts_with('@') {
            group = line.trim().to_owned();
        } else if !line.trim().is_empty() {
            groups.entry(group.clone()).or_default().push(line.trim().to_owned());
        }
    }
    let mut allowed = BTreeSet::new();
    for line in fs::read_to_string("systemd/pushgate.service").expect("the unit").lines() {
        let Some(words) = line.strip_prefix("SystemCallFilter=") else { continue };
        let (add, words) = words.strip_prefix('~').map_or((true, words), |words| (false, words));
        let mut left: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        while let Some(name) = left.pop() {
            match groups.get(&name) {
                Some(members) => left.extend(members.iter().cloned()),
                None if add => _ = allowed.insert(name),
                None => _ = allowed.remove(&name),
            }
        }
    }
    allowed
}

/// curl, openssl s_client, Python's http.client and ssl against the data port; floods, resets, dribblers and mutated requests.
#[test]
fn the_wire_with_other_peoples_clients() {
    succeed(Command::new("python3").args(["tests/data/wire_suite.py", BINARY]));
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

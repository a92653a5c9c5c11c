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

/// Frames of the reference at every level are read, and it reads ours.
#[test]
fn zstd_and_the_reference() {
    let folder = std::env::temp_dir().join(format!("pushgate-zstd-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let (plain, packed) = (folder.join("plain"), folder.join("packed"));
    let mut x = 1_u32;
    let mut random = move |below: u32| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 8) % below
    };
    let rows: String = (0..6000)
        .map(|n| {
            format!("{{\"device\":\"press-{}\",\"t\":{}.{},\"state\":\"{}\"}}\n", random(9), random(80), n % 10, ["läuft", "steht"][n % 2])
        })
        .collect();
    let noise: Vec<u8> = (0..200_000).map(|_| u8::try_from(random(256)).expect("a byte")).collect();
    let skewed: Vec<u8> = (0..150_000).map(|_| u8::try_from(random(16) * random(16)).expect("a byte")).collect();
    let source = fs::read("src/zstd/encode.rs").expect("this crate");
    for content in [&b""[..], b"a", b"hello", rows.as_bytes(), &noise, &skewed, &source, &vec![b'x'; 500_000], &rows.as_bytes()[..700]] {
        fs::write(&plain, content).expect("written");
        for level in ["--fast=5", "-1", "-3", "-6", "-9", "-13", "-16", "-19"] {
            for how in ["--no-check", "--check"] {
                succeed(Command::new("zstd").args(["-q", "-f", level, how]).arg(&plain).arg("-o").arg(&packed));
                let frame = fs::read(&packed).expect("packed");
                let mut out = vec![0; content.len()];
                assert_eq!(pushgate::zstd::Decoder::new().decode(&frame, &mut out), Ok(content.len()), "{level} {}", content.len());
                assert!(out == content, "{level} {}", content.len());
            }
        }
        let mut frame = vec![0; pushgate::zstd::bound(content.len())];
        let len = pushgate::zstd::Encoder::new().encode(content, &mut frame).expect("room");
        fs::write(&packed, &frame[..len]).expect("written");
        let out = Command::new("zstd").args(["-q", "-d", "-c"]).arg(&packed).output().expect("zstd");
        assert!(out.status.success() && out.stdout == content, "{} of {}: {}", len, content.len(), String::from_utf8_lossy(&out.stderr));
        println!("zstd: {} bytes became {len}", content.len());
    }
    fs::remove_dir_all(&folder).expect("gone");
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

//! The real engine behind the real wire, without a socket: however the bytes of a connection are cut, the client receives the same,
//! compressed bodies included, and the rule sees the same readings. And the kept seeds of the fuzz targets, run once each.

mod common;

use std::{fs, path::Path};

use common::Bench;
use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use proptest::prelude::*;
use pushgate::{
    limits::Limits,
    wire::{
        Peer,
        body::Chunks,
        conn::Deadlines,
        head::{HeadInfo, Scan},
        turn::Port,
    },
};

/// What the client receives, and the counters of the gate afterwards.
fn converse(pieces: &[&[u8]]) -> (String, String) {
    let mut bench = Bench::new(7);
    bench.stream(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush")"#);
    let extra = r#"EXTRA="{\"method\":\"PUT\",\"decompression\":\"gzip\",\"origins\":[\"https://p\"]}""#;
    bench.stream(&format!(r#"CREATE STREAM zipped () WITH (DATASOURCE="/z", FORMAT="json", TYPE="httppush", {extra})"#));
    for (id, stream) in [("r1", "demo"), ("r2", "zipped")] {
        let rule = serde_json::json!({"id": id, "sql": format!("SELECT * FROM {stream}"), "actions": [{"nop": {}}]});
        bench.try_rule(&rule.to_string()).unwrap_or_else(|fault| panic!("{fault:?}"));
    }
    let now = bench.now;
    let settings = pushgate::shell::listen::settings(&Limits::default(), Deadlines::default());
    let mut port = Port::new(bench.engine, settings);
    let sent = port.converse(pieces.iter().copied(), &Peer::new([127, 0, 0, 1].into(), false), now);
    (String::from_utf8_lossy(&sent).into_owned(), port.gate.counters().to_string())
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap_or(0);
    [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], &compress_to_vec(body, 6), &crc32fast::hash(body).to_le_bytes(), &size.to_le_bytes()]
        .concat()
}

fn with_length(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("{head} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn coded(head: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    [format!("{head} HTTP/1.1\r\nHost: x\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body]
        .concat()
}

fn chunked(head: &str, coding: &str, body: &[u8], size: usize) -> Vec<u8> {
    let mut out = format!("{head} HTTP/1.1\r\nHost: x\r\nContent-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(size) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// One message of many kinds: good, refused, compressed, broken.
fn message(kind: usize) -> Vec<u8> {
    let long = format!("{{\"a\":1{}}}", " ".repeat(4000)).into_bytes();
    match kind {
        0 => with_length("POST /a", b"{\"a\":1}"),
        1 => coded("POST /a", "gzip", &gzip(b"{\"a\":2}")),
        2 => coded("POST /a", "deflate", &compress_to_vec_zlib(b"{\"a\":3}", 6)),
        3 => coded("POST /a", "deflate", &compress_to_vec(b"{\"a\":4}", 6)),
        4 => chunked("POST /a", "gzip", &gzip(&long), 7),
        5 => with_length("PUT /z", &gzip(b"[{\"a\":5},{\"a\":6}]")),
        6 => with_length("PUT /z", b"{\"a\":1}"),
        7 => coded("POST /a", "gzip", &gzip(&vec![b' '; 70_000])),
        8 => coded("POST /a", "br", b"{\"a\":1}"),
        9 => coded("POST /a", "gzip", b"no gzip"),
        10 => with_length("POST /none", b"{}"),
        11 => b"OPTIONS /z HTTP/1.1\r\nHost: x\r\nOrigin: https://p\r\nAccess-Control-Request-Method: PUT\r\n\r\n".to_vec(),
        12 => b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        13 => b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}".to_vec(),
        14 => with_length("POST /a", &long),
        15 => b"PROPFIND /a HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        _ => chunked("POST /a", "identity", b"{\"a\":}", 2),
    }
}
const KINDS: usize = 17;

#[test]
fn every_kind_of_message_cut_at_every_byte() {
    for kind in 0..KINDS {
        let raw = [message(kind), message(0)].concat();
        let whole = converse(&[&raw]);
        assert!(whole.0.starts_with("HTTP/1.1 "), "{kind}");
        assert_eq!(converse(&raw.chunks(1).collect::<Vec<_>>()), whole, "{kind}");
        let cuts = (1..raw.len()).step_by(1 + raw.len() / 150);
        for at in cuts {
            assert_eq!(converse(&[&raw[..at], &raw[at..]]), whole, "{kind} cut at {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    /// Several messages, some of their octets changed, in any pieces.
    #[test]
    fn splitting_never_changes_the_outcome(
        kinds in proptest::collection::vec(0..KINDS, 1..5),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut raw: Vec<u8> = kinds.into_iter().flat_map(message).collect();
        for (at, b) in mutations {
            let at = at.index(raw.len());
            raw[at] = b;
        }
        let whole = converse(&[&raw]);
        let mut cuts: Vec<_> = cuts.into_iter().map(|at| at.index(raw.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&raw[from..cut]);
            from = cut;
        }
        pieces.push(&raw[from..]);
        prop_assert_eq!(&converse(&pieces), &whole);
        prop_assert_eq!(converse(&raw.chunks(1).collect::<Vec<_>>()), whole);
    }
}

/// `fuzz/seeds/TARGET`: what the fuzz targets start from holds here too, without a fuzzer.
#[test]
fn the_seeds_of_the_fuzz_targets() {
    let mut count = 0;
    for seed in seeds("conn") {
        let pieces: Vec<&[u8]> = seed.chunks(1).collect();
        assert_eq!(converse(&pieces), converse(&[&seed]), "{}", seed.escape_ascii());
        count += 1;
    }
    for seed in seeds("head") {
        let mut info = HeadInfo::default();
        let whole = info.read(&seed).map(|head| head.map(|head| format!("{head:?}")));
        let mut scan = Scan::default();
        let found = (0..=seed.len()).map(|end| scan.advance(&seed[..end])).find(|step| !matches!(step, Ok(None)));
        let mut again = HeadInfo::default();
        let bytewise = match found.unwrap_or(Ok(None)) {
            Ok(Some(len)) => again.parse(&seed[..len]).map(|()| Some(format!("{:?}", again.view(&seed)))),
            other => other.map(|_| None),
        };
        assert_eq!(whole, bytewise, "{}", seed.escape_ascii());
        count += 1;
    }
    for seed in seeds("chunked") {
        let mut buf = seed.clone();
        let whole = Chunks::default().decode(&mut buf, 0, 4096).map(|p| (buf[..p.written].to_vec(), p.done));
        let (mut chunks, mut body, mut bytewise) = (Chunks::default(), Vec::new(), Ok(false));
        for &b in &seed {
            let at = body.len();
            body.push(b);
            bytewise = chunks.decode(&mut body, at, 4096).map(|p| {
                body.truncate(p.written);
                p.done
            });
            if bytewise != Ok(false) {
                break;
            }
        }
        assert_eq!(whole, bytewise.map(|done| (body, done)), "{}", seed.escape_ascii());
        count += 1;
    }
    assert!(count >= 100, "{count} seeds");
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    files.map(|file| fs::read(file.expect("an entry").path()).expect("a file")).collect()
}

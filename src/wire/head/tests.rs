//! A table for each section of RFC 9112 and 9110 that a head is judged by.

use super::{scan::find_line_end, *};

/// The error, or a short description of the head; the same for the whole input and for every split of it.
fn read(bytes: &[u8]) -> Result<Option<String>, HeadError> {
    let mut info = HeadInfo::default();
    let whole = info.read(bytes).map(|head| head.map(|head| describe(&head)));
    let mut scan = Scan::default();
    let mut bytewise = Ok(None);
    for end in 1..=bytes.len() {
        match scan.advance(&bytes[..end]) {
            Ok(None) => continue,
            Ok(Some(len)) => bytewise = info.parse(&bytes[..len]).map(|()| Some(describe(&info.view(bytes)))),
            Err(error) => bytewise = Err(error),
        }
        break;
    }
    assert_eq!(whole, bytewise, "{}", bytes.escape_ascii());
    whole
}

fn describe(head: &Head<'_>) -> String {
    format!("{} {} {:?} {:?} keep={}", head.method_text(), head.raw_path(), head.query(), head.framing(), head.keep_alive())
}

fn refused(bytes: &[u8], want: HeadError) {
    assert_eq!(read(bytes), Err(want), "{}", bytes.escape_ascii());
}

fn taken(bytes: &[u8]) -> String {
    match read(bytes) {
        Ok(Some(text)) => text,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

#[test]
fn plain() {
    assert_eq!(taken(b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"), "POST /a Some(\"b=c\") Length(3) keep=true");
    assert_eq!(taken(b"GET / HTTP/1.0\r\n\r\n"), "GET / None Empty keep=false");
    assert_eq!(taken(b"GET /? HTTP/1.1\r\nhost:\r\n\r\n"), "GET / Some(\"\") Empty keep=true");
    assert_eq!(read(b"GET / HTTP/1.1\r\nHost: x\r\n"), Ok(None));
    assert_eq!(read(b""), Ok(None));
}

#[test]
fn rfc9112_2_2_lines() {
    refused(b"GET / HTTP/1.1\nHost: x\n\n", HeadError::BareLf);
    refused(b"GET / HTTP/1.1\r\nHost: x\n\r\n", HeadError::BareLf);
    refused(b"GET / HTTP/1.1\r\nHost: x\r\n\n", HeadError::BareLf);
    refused(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", HeadError::BareLf);
    refused(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\r\n\r\n", HeadError::BareLf);
    refused(b"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", HeadError::BareLf);
    refused(b"GET / HTTP/1.1\rHost: x\r\r", HeadError::BareLf);
}

#[test]
fn rfc9112_3_request_line() {
    for line in ["GET", "GET /", "GET / ", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/ HTTP/1.1", " GET / HTTP/1.1"] {
        refused(format!("{line}\r\nHost: x\r\n\r\n").as_bytes(), HeadError::BadRequestLine);
    }
    for line in ["GET / http/1.1", "GET / HTTP1.1", "GET / HTTP/", "GET / HTTPS/1.1", "GET / /a b HTTP/1.1"] {
        refused(format!("{line}\r\nHost: x\r\n\r\n").as_bytes(), HeadError::BadRequestLine);
    }
    refused(b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", HeadError::BadRequestLine);
    // HTTP/0.9 sends nothing more, so it is told at once.
    refused(b"GET /\r\n", HeadError::BadRequestLine);
    refused(b"\x16\x03\x01\x02\x00\x01", HeadError::BadRequestLine);
    refused(b"G(T / HTTP/1.1\r\n", HeadError::BadRequestLine);
    refused(&[b'A'; 32], HeadError::UnsupportedMethod);
    assert_eq!(read(&[b'A'; 31]), Ok(None));
}

#[test]
fn rfc9112_2_3_versions() {
    for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/2", "HTTP/3.0", "HTTP/2.1"] {
        refused(format!("GET / {version}\r\nHost: x\r\n\r\n").as_bytes(), HeadError::UnsupportedVersion);
        refused(format!("GET / {version}\r\n").as_bytes(), HeadError::UnsupportedVersion);
    }
    for version in ["HTTP/11.1", "HTTP/1", "HTTP/1.", "HTTP/1.10", "HTTP/01.1", "HTTP/1.1.1", "HTTP/1.a", "HTTP/-1.1"] {
        refused(format!("GET / {version}\r\nHost: x\r\n\r\n").as_bytes(), HeadError::BadRequestLine);
    }
    // RFC 9110 §2.5: a later minor version means what ours does.
    assert_eq!(taken(b"PUT /a%62?c HTTP/1.9\r\nHost: x\r\nContent-Length: 3\r\n\r\n"), "PUT /a%62 Some(\"c\") Length(3) keep=true");
    refused(b"GET / HTTP/1.2\r\n\r\n", HeadError::MissingHost);
    refused(b"GET / HTTP/1.2\r\nHost : x\r\n\r\n", HeadError::BadField);
    refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HeadError::UnsupportedVersion);
    assert_eq!(HeadError::UnsupportedVersion.status(), 505);
}

#[test]
fn rfc9112_5_fields() {
    for field in
        ["A : b", "A\t: b", ": b", "A", "A b: c", " A: b", "\tA: b", "A: b\0c", "A: b\x01", "A: b\x7f", "A\0: b", "A: \x0b", "\u{e4}: b"]
    {
        refused(format!("GET / HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n").as_bytes(), HeadError::BadField);
    }
    refused(b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", HeadError::BadField);
    refused(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", HeadError::BadField);
    refused(b"GET / HTTP/1.1\r\nHost: x\r\nA:\r\n\tc\r\n\r\n", HeadError::BadField);
    taken("GET / HTTP/1.1\r\nHost: x\r\nA: \t b\tc \u{e4} \t\r\nB:\r\n\r\n".as_bytes());
    let bytes = b"GET / HTTP/1.1\r\nHost:  x \r\nA: \t b\tc \t\r\na: 2\r\n\r\n";
    let mut info = HeadInfo::default();
    let head = info.read(bytes).ok().flatten().map(|h| (h.host(), h.field("a"), h.field_count("A"), h.field("zz"), h.fields().count()));
    assert_eq!(head, Some(("x", Some(&b"b\tc"[..]), 2, None, 3)));
}

#[test]
fn rfc9112_3_2_host() {
    refused(b"GET / HTTP/1.1\r\n\r\n", HeadError::MissingHost);
    refused(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HeadError::RepeatedHost);
    refused(b"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", HeadError::RepeatedHost);
    refused(b"GET http://a/ HTTP/1.1\r\n\r\n", HeadError::MissingHost);
    for host in ["", "a", "a:80", "a:", "a:65535", "a%41", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]", "1.2.3.4:10081", "a_b-c.d"] {
        taken(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    }
    for host in [
        "a b",
        "a,b",
        "a/b",
        "u@a",
        "a:b",
        "a:80:80",
        "[::1",
        "[]",
        "[::1]x",
        "a:123456",
        "a:65536",
        "[:::1]",
        "[::zz]",
        "[1.2.3.4]",
        "a%zz",
        "a#",
        "a?b",
        "\u{e4}",
        "a\\b",
        "<a>",
    ] {
        refused(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(), HeadError::BadHost);
    }
}

#[test]
fn rfc9112_3_2_target_forms() {
    let with = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(taken(with("GET http://h:81/p/q?r").as_bytes()), "GET /p/q Some(\"r\") Empty keep=true");
    assert_eq!(taken(with("GET HTTPS://h").as_bytes()), "GET / None Empty keep=true");
    assert_eq!(taken(with("GET http://h?r").as_bytes()), "GET / Some(\"r\") Empty keep=true");
    assert_eq!(taken(with("OPTIONS *").as_bytes()), "OPTIONS * None Empty keep=true");
    for target in [
        "*",
        "a",
        "a/b",
        "h:80",
        "http:/a",
        "http://",
        "http:///a",
        "ftp://h/",
        "http://u@h/",
        "?a",
        "/a#b",
        "/a?b#c",
        "/a\\b",
        "/a\"b",
        "/<a>",
        "/a|b",
        "/{a}",
        "/a^b",
        "/`",
    ] {
        refused(with(&format!("GET {target}")).as_bytes(), HeadError::BadTarget);
    }
    refused(with("POST *").as_bytes(), HeadError::BadTarget);
    refused(with("GET /\u{e4}").as_bytes(), HeadError::BadTarget);
    refused(with("GET /a?\u{e4}").as_bytes(), HeadError::BadTarget);
    refused(with("GET /a\0b").as_bytes(), HeadError::BadRequestLine);
    refused(with("GET /a\x7fb").as_bytes(), HeadError::BadRequestLine);
    refused(with("CONNECT h:80").as_bytes(), HeadError::UnsupportedMethod);
    taken(with("GET /a?b={\"c\":[1|2]}").as_bytes());
    let bytes = b"GET http://H:81/ HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(HeadInfo::default().read(bytes).ok().flatten().map(|head| head.host().to_owned()), Some("H:81".to_owned()));
}

#[test]
fn rfc3986_2_1_percent_encoding() {
    let path = |raw: &str| {
        let bytes = format!("GET {raw} HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut info = HeadInfo::default();
        info.read(bytes.as_bytes()).map(|head| head.map(|head| (head.path(&mut [0; TARGET_BYTES]).to_owned(), head.has_dot_segments())))
    };
    for (raw, want, dotted) in [
        ("/%61", "/a", false),
        ("/%41", "/A", false),
        ("/a%2Fb", "/a/b", false),
        ("/a%2fb", "/a/b", false),
        ("/%25", "/%", false),
        ("/%2525", "/%25", false),
        ("/a+b", "/a+b", false),
        ("/%C3%A4", "/\u{e4}", false),
        ("/a/", "/a/", false),
        ("/", "/", false),
        ("/a.b/..c/.d", "/a.b/..c/.d", false),
        ("/./a", "/./a", true),
        ("/a/..", "/a/..", true),
        ("/a/../b", "/a/../b", true),
        ("//a", "//a", true),
        ("/a//b", "/a//b", true),
        ("//", "//", true),
        ("/%2e%2E/a", "/../a", true),
        ("/a/%2e", "/a/.", true),
        ("/a%2F%2Fb", "/a//b", true),
        ("/a%2f..%2fb", "/a/../b", true),
    ] {
        assert_eq!(path(raw), Ok(Some((want.to_owned(), dotted))), "{raw}");
    }
    for raw in ["/%", "/%4", "/%4g", "/%g4", "/a%", "/%%41", "/%00", "/a%00b", "/%ff", "/%c3", "/%ed%a0%80"] {
        assert_eq!(path(raw), Err(HeadError::BadPercent), "{raw}");
    }
}

#[test]
fn limits_at_and_one_past() {
    let target = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(n - 1));
    taken(target(TARGET_BYTES).as_bytes());
    refused(target(TARGET_BYTES + 1).as_bytes(), HeadError::TargetTooLong);
    refused(target(TARGET_BYTES + 200).as_bytes(), HeadError::TargetTooLong);
    refused(&target(TARGET_BYTES + 200).as_bytes()[..TARGET_BYTES + LINE_SLACK + 1], HeadError::TargetTooLong);

    let fields = |n: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(n - 1));
    taken(fields(FIELD_COUNT).as_bytes());
    refused(fields(FIELD_COUNT + 1).as_bytes(), HeadError::TooManyFields);

    let head = |n: usize| {
        let bare = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "b".repeat(n - bare))
    };
    taken(head(HEAD_BYTES).as_bytes());
    refused(head(HEAD_BYTES + 1).as_bytes(), HeadError::TooLong);
    refused(head(HEAD_BYTES + 100).as_bytes(), HeadError::TooLong);
    for (error, status) in
        [(HeadError::TargetTooLong, 414), (HeadError::TooManyFields, 431), (HeadError::TooLong, 431), (HeadError::BareLf, 400)]
    {
        assert_eq!(error.status(), status);
    }
}

#[test]
fn rfc9112_9_3_persistence() {
    let with = |version: &str, connection: &str| {
        taken(format!("GET / HTTP/{version}\r\nHost: x\r\n{connection}\r\n").as_bytes()).ends_with("keep=true")
    };
    assert!(with("1.1", ""));
    assert!(!with("1.1", "Connection: close\r\n"));
    assert!(!with("1.1", "Connection: upgrade, CLOSE\r\n"));
    assert!(!with("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
    assert!(with("1.1", "Connection: closed\r\n"));
    assert!(!with("1.0", ""));
    assert!(with("1.0", "Connection: Keep-Alive\r\n"));
    assert!(!with("1.0", "Connection: keep-alive, close\r\n"));
}

#[test]
fn rfc9110_10_1_1_expect() {
    let expect = |text: &str| HeadInfo::default().read(text.as_bytes()).map(|head| head.is_some_and(|head| head.expect_continue()));
    assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n"), Ok(true));
    assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"), Ok(true));
    assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"), Ok(false));
    assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n"), Ok(false));
    assert_eq!(expect("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"), Ok(false));
    assert_eq!(expect("PUT / HTTP/1.0\r\nExpect: x\r\nContent-Length: 1\r\n\r\n"), Ok(false));
    assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\n\r\n"), Err(HeadError::UnknownExpectation));
    assert_eq!(expect("PUT / HTTP/1.1\r\nHost: x\r\nExpect:\r\n\r\n"), Err(HeadError::UnknownExpectation));
    assert_eq!(HeadError::UnknownExpectation.status(), 417);
}

#[test]
fn the_view_survives_a_move_of_the_bytes() {
    let bytes = b"PUT /x%20y?q HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n\r\n".to_vec();
    let mut info = HeadInfo::default();
    assert!(matches!(info.read(&bytes), Ok(Some(_))));
    let moved = [bytes.as_slice(), b"more"].concat();
    drop(bytes);
    let head = info.view(&moved);
    assert_eq!((head.path(&mut [0; 9]), head.query(), head.field("x-a")), ("/x y", Some("q"), Some(&b"1"[..])));
}

#[test]
fn line_ends_are_found_at_every_place() {
    for len in 0..40 {
        for at in 0..len {
            let mut bytes = vec![0x8a; len];
            for b in [b'\n', b'\r'] {
                bytes[at] = b;
                assert_eq!(find_line_end(&bytes), Some(at));
            }
        }
        assert_eq!(find_line_end(&vec![0x0b; len]), None);
        assert_eq!(find_line_end(&vec![0x0e; len]), None);
    }
}

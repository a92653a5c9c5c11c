//! HTTP on the data port, byte by byte over real sockets, and TLS on both ports.

use serde_json::json;

use crate::gate::{Gate, Scratch, to_file, until};
use crate::http::{Client, Target, dead_address, request};

/// A gate whose stream `demo` is read by a rule into `rows.txt`.
fn ready(scratch: &Scratch) -> Gate {
    let gate = Gate::start(scratch);
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("rows.txt")));
    gate
}

fn rows(scratch: &Scratch, count: i32) {
    let want: Vec<String> = (1..=count).map(|i| format!(r#"{{"a":{i}}}"#)).collect();
    until("the rows", || scratch.lines("rows.txt") == want);
}

#[test]
fn one_connection_many_requests() {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    let mut client = Client::connect(gate.data());
    for i in 1..=3 {
        let reply = client.ask("POST", "/api/data", &json!({ "a": i }).to_string());
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
    }
    // All at once, cut within a head: the answers come in order.
    let two = request("POST", "/api/data", "", r#"{"a":4}"#) + &request("POST", "/none", "", "{}");
    let third = request("POST", "/api/data", "Connection: close\r\n", r#"{"a":5}"#);
    client.send((two + &third[..30]).as_bytes());
    assert_eq!((client.reply().status, client.reply().status), (200, 404));
    client.send(&third.as_bytes()[30..]);
    assert_eq!(client.reply().status, 200);
    assert!(client.is_closed());
    rows(&scratch, 5);
}

#[test]
fn a_chunked_body() {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    let mut client = Client::connect(gate.data());
    let head = "POST /api/data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for part in [head, "3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\nTrailer: t\r\n", "\r\n"] {
        client.send(part.as_bytes());
    }
    assert_eq!(client.reply().status, 200);
    client.send((head.to_owned() + "zz\r\n").as_bytes());
    assert_eq!(client.reply().status, 400);
    assert!(client.is_closed(), "nobody knows where the next request begins");
    rows(&scratch, 1);
}

#[test]
fn expect_continue_is_answered_after_the_head_was_judged() {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    let mut client = Client::connect(gate.data());
    let head =
        |path: &str, length: usize| format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n");
    client.send(head("/api/data", 7).as_bytes());
    assert_eq!(client.reply().status, 100);
    client.send(br#"{"a":1}"#);
    assert_eq!(client.reply().status, 200);
    for (path, length, status) in [("/none", 7, 404), ("/api/data", 70_000, 413)] {
        let mut client = Client::connect(gate.data());
        client.send(head(path, length).as_bytes());
        assert_eq!(client.reply().status, status, "no 100 before a refusal");
    }
    rows(&scratch, 1);
}

#[test]
fn too_large_is_said_before_the_body_and_can_be_read() {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    let head = "POST /api/data HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n";
    let mut silent = Client::connect(gate.data());
    silent.send(head.as_bytes());
    let reply = silent.reply();
    assert_eq!(reply.status, 413);
    assert!(reply.body.contains("limits.bodyBytes"), "{reply:?}");
    // A client that sends it all before it reads must not find a reset in place of the answer.
    let mut hasty = Client::connect(gate.data());
    hasty.send((head.to_owned() + &" ".repeat(65_537)).as_bytes());
    assert_eq!(hasty.reply().status, 413);
    assert_eq!(gate.counters()["port"]["refused_too_large_total"], 2);
    // Exactly at the limit.
    let fits = format!("{{\"a\":1}}{}", " ".repeat(65_536 - 7));
    assert_eq!(gate.push("/api/data", &fits).status, 200);
    rows(&scratch, 1);
}

#[test]
fn what_cannot_be_taken_leaves_the_connection_usable() {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    let mut client = Client::connect(gate.data());
    let reply = client.ask("POST", "/api/data", r#"{"a":}"#);
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("byte 5"), "{reply:?}");
    client.send(request("POST", "/api/data", "Content-Encoding: br\r\n", "{}").as_bytes());
    assert_eq!(client.reply().status, 415);
    assert_eq!(client.ask("GET", "/api/data", "").status, 405);
    assert_eq!(client.ask("POST", "/nowhere", "{}").status, 404);
    assert_eq!(client.ask("POST", "/api/data", r#"{"a":1}"#).status, 200);
    rows(&scratch, 1);
    let port = &gate.counters()["port"];
    for name in ["refused_malformed_total", "refused_coding_total", "refused_method_total", "refused_no_route_total", "accepted_total"] {
        assert_eq!(port[name], 1, "{name}: {port}");
    }
}

#[test]
fn content_types_where_they_count() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    let extra = r#"{\"contentType\":\"strict\"}"#;
    gate.sql(&format!(r#"CREATE STREAM demo () WITH (DATASOURCE="/api/data", FORMAT="json", TYPE="httppush", EXTRA="{extra}")"#));
    gate.rule("r1", "SELECT a FROM demo", &json!({"nop": {}}));
    let mut client = Client::connect(gate.data());
    for (fields, status) in [
        ("Content-Type: application/json\r\n", 200),
        ("Content-Type: Application/JSON; charset=utf-8\r\n", 200),
        ("Content-Type: application/senml+json\r\n", 200),
        ("", 415),
        ("Content-Type:\r\n", 415),
        ("Content-Type: text/plain\r\n", 415),
        ("Content-Type: application/jsonp\r\n", 415),
        ("Content-Type: application/json, text/plain\r\n", 415),
        ("Content-Type: application/json\r\nContent-Type: text/plain\r\n", 415),
        ("Content-Type: text/plain\r\nContent-Type: application/json\r\n", 415),
        ("Content-Type: application/json\r\n", 200),
    ] {
        client.send(format!("POST /api/data HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: 2\r\n\r\n{{}}").as_bytes());
        assert_eq!(client.reply().status, status, "{fields}");
    }
}

/// Whatever comes after a head that was taken, a request is counted under one reason: once for the port, once for its stream.
#[test]
fn a_refusal_is_counted_once() {
    let scratch = Scratch::new();
    let gate = Gate::start_with(&scratch, "source: {bodyTimeout: 300ms, minBodyRate: 0}\n");
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT * FROM demo", &json!({"nop": {}}));
    let post = |fields: &str, rest: &str| {
        let mut client = Client::connect(gate.data());
        client.send(format!("POST /api/data HTTP/1.1\r\nHost: x\r\n{fields}\r\n{rest}").as_bytes());
        client
    };
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    let refused = || {
        let counters = gate.counters();
        let all = |at: &serde_json::Value| {
            let counts = at.as_object().expect("counters").iter().filter(|(name, _)| name.starts_with("refused_"));
            let counts = counts.filter(|(name, n)| *name != "refused_total" && **n != 0);
            counts.map(|(name, n)| (name.clone(), n.as_u64().expect("a count"))).collect::<Vec<_>>()
        };
        (all(&counters["port"]), all(&counters["streams"]["demo"]))
    };
    let (mut port, mut stream) = (Vec::new(), Vec::new());
    let mut count = |port_reason: &str, stream_reason: &str| {
        for (counted, name) in [(&mut port, port_reason), (&mut stream, stream_reason)] {
            match counted.iter_mut().find(|(known, _): &&mut (String, u64)| known == name) {
                Some((_, n)) => *n += 1,
                None => counted.push((name.to_owned(), 1)),
            }
            counted.sort();
        }
        (port.clone(), stream.clone())
    };
    for (fields, rest, status, port_reason, stream_reason) in [
        ("Content-Length: 65537\r\n", "", 413, "refused_too_large_total", "refused_too_large_total"),
        (CHUNKED, "10001\r\n", 413, "refused_too_large_total", "refused_too_large_total"),
        (CHUNKED, "x\r\n", 400, "refused_bad_request_total", "refused_unfinished_total"),
        ("", "", 411, "refused_length_required_total", "refused_unfinished_total"),
        ("Content-Length: 9\r\n", "{", 408, "refused_timeout_total", "refused_unfinished_total"),
        ("Content-Length: 1\r\n", "{", 400, "refused_malformed_total", "refused_malformed_total"),
    ] {
        let reply = post(fields, rest).reply();
        assert_eq!(reply.status, status, "{fields}{rest}: {reply:?}");
        assert_eq!(refused(), count(port_reason, stream_reason), "{fields}{rest}");
    }
    let mut cut = post("Content-Length: 9\r\n", "{");
    cut.finish();
    assert_eq!(cut.reply().status, 400);
    assert_eq!(refused(), count("refused_bad_request_total", "refused_unfinished_total"));
    // Nobody there to answer.
    let gone = post("Content-Length: 9\r\n", "{");
    until("its head was taken", || gate.counters()["port"]["requests_total"] == 8);
    gone.reset();
    let want = count("refused_unfinished_total", "refused_unfinished_total");
    until("it is counted", || refused() == want);
}

/// gzip of `body`, as the Python and curl of this world make it.
fn gzip(body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).expect("short");
    let deflated = miniz_oxide::deflate::compress_to_vec(body, 6);
    [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &deflated, &crc32fast::hash(body).to_le_bytes(), &size.to_le_bytes()].concat()
}

fn coded(path: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    let coding = if coding.is_empty() { String::new() } else { format!("Content-Encoding: {coding}\r\n") };
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{coding}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn compressed_bodies() {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    let mut client = Client::connect(gate.data());
    let mut ask = |bytes: &[u8]| {
        client.send(bytes);
        client.reply()
    };
    assert_eq!(ask(&coded("/api/data", "gzip", &gzip(br#"{"a":1}"#))).status, 200);
    let zlib = miniz_oxide::deflate::compress_to_vec_zlib(br#"{"a":2}"#, 6);
    assert_eq!(ask(&coded("/api/data", "deflate", &zlib)).status, 200);
    let raw = miniz_oxide::deflate::compress_to_vec(br#"{"a":3}"#, 6);
    assert_eq!(ask(&coded("/api/data", "Deflate", &raw)).status, 200);
    // In chunks of one byte.
    let zipped = gzip(br#"{"a":4}"#);
    let chunks: Vec<u8> = zipped.iter().flat_map(|b| [b"1\r\n", &[*b][..], b"\r\n"].concat()).collect();
    let head = b"POST /api/data HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(ask(&[head, &chunks[..], b"0\r\n\r\n"].concat()).status, 200);
    // At the limit inflated, and one past it; a bomb; cut, changed, longer: each leaves the connection in order.
    let padded = |n: usize| format!("{{\"a\":5}}{}", " ".repeat(n - 7)).into_bytes();
    assert_eq!(ask(&coded("/api/data", "gzip", &gzip(&padded(65_536)))).status, 200);
    for (body, status, text) in [
        (gzip(&padded(65_537)), 413, "limits.bodyBytes"),
        (gzip(&vec![b' '; 50_000_000]), 413, "limits.bodyBytes"),
        (zipped[..zipped.len() - 1].to_vec(), 400, "ends too early"),
        ([&zipped[..], b"x"].concat(), 400, "followed by other bytes"),
        (b"{\"a\":9}".to_vec(), 400, "is corrupt"),
        (gzip(b"{\"a\":}"), 400, "byte 5"),
    ] {
        let reply = ask(&coded("/api/data", "gzip", &body));
        assert_eq!(reply.status, status, "{reply:?}");
        assert!(reply.body.contains(text), "{reply:?}");
    }
    let reply = ask(&coded("/api/data", "br", b"{}"));
    assert_eq!((reply.status, reply.field("accept-encoding")), (415, Some("gzip, deflate")));
    rows(&scratch, 5);
    let port = &gate.counters()["port"];
    assert_eq!((&port["refused_corrupt_total"], &port["refused_too_large_total"]), (&json!(3), &json!(2)), "{port}");
}

#[test]
fn decompression_asks_for_every_body() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.sql(
        r#"CREATE STREAM demo () WITH (DATASOURCE="/api/data", FORMAT="json", TYPE="httppush", EXTRA="{\"decompression\":\"gzip\"}")"#,
    );
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("rows.txt")));
    let mut client = Client::connect(gate.data());
    let mut ask = |bytes: &[u8]| {
        client.send(bytes);
        client.reply().status
    };
    assert_eq!(ask(&coded("/api/data", "", &gzip(br#"{"a":1}"#))), 200);
    assert_eq!(ask(&coded("/api/data", "gzip", &gzip(br#"{"a":2}"#))), 200);
    assert_eq!(ask(&coded("/api/data", "", br#"{"a":9}"#)), 400);
    assert_eq!(ask(&coded("/api/data", "deflate", &gzip(br#"{"a":9}"#))), 415);
    rows(&scratch, 2);
    let stream = |name: &str, extra: &str| {
        format!(r#"CREATE STREAM {name} () WITH (DATASOURCE="/{name}", FORMAT="json", TYPE="httppush", EXTRA="{{{extra}}}")"#)
    };
    for (name, extra, want) in [
        ("z", r#"\"decompression\":\"lz4\""#, "expected gzip, zlib, flate or zstd, found lz4"),
        ("o", r#"\"origins\":[\"panel\"]"#, "property origins: expected https://host"),
    ] {
        gate.sql(&stream(name, extra));
        let rule = crate::gate::rule("r2", &format!("SELECT * FROM {name}"), &json!({"nop": {}}));
        let reply = gate.ask("POST", "/rules", &rule);
        assert_eq!(reply.status, 400);
        assert!(reply.body.contains(want), "{reply:?}");
    }
}

#[test]
fn zstd_where_the_endpoint_takes_it() {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    gate.sql(
        r#"CREATE STREAM packed () WITH (DATASOURCE="/packed", FORMAT="json", TYPE="httppush", EXTRA="{\"decompression\":\"zstd\"}")"#,
    );
    gate.rule("r2", "SELECT a FROM packed", &to_file(&scratch.path("packed.txt")));
    let mut client = Client::connect(gate.data());
    let mut ask = |bytes: &[u8]| {
        client.send(bytes);
        client.reply()
    };
    let zstd = |body: &[u8]| {
        let mut frame = vec![0; pushgate::zstd::bound(body.len())];
        let len = pushgate::zstd::Encoder::new().encode(body, &mut frame).expect("room");
        frame.truncate(len);
        frame
    };
    let of = |len: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(len - 8)).into_bytes();
    for (coding, body, want) in [
        ("", zstd(br#"{"a":1}"#), 200),
        ("zstd", zstd(br#"{"a":2}"#), 200),
        ("", zstd(&of(65_536)), 200),
        // A bomb of a few hundred bytes.
        ("", zstd(&of(65_537)), 413),
        ("", zstd(&of(10_000_000)), 413),
        ("", zstd(b"{"), 400),
        ("", br#"{"a":9}"#.to_vec(), 400),
        ("gzip", gzip(br#"{"a":9}"#), 415),
        ("", zstd(br#"{"a":3}"#), 200),
    ] {
        let reply = ask(&coded("/packed", coding, &body));
        assert_eq!(reply.status, want, "{coding} {reply:?}");
    }
    until("all arrive", || scratch.lines("packed.txt").len() == 4);
    assert_eq!(scratch.lines("packed.txt")[3], r#"{"a":3}"#);
}

#[test]
fn cross_origin_requests() {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    let extra = r#"{\"origins\":[\"https://panel.example\"],\"method\":\"PUT\"}"#;
    gate.sql(&format!(r#"CREATE STREAM web () WITH (DATASOURCE="/web", FORMAT="json", TYPE="httppush", EXTRA="{extra}")"#));
    gate.rule("r2", "SELECT * FROM web", &json!({"nop": {}}));
    let mut client = Client::connect(gate.data());
    let mut ask = |method: &str, path: &str, fields: &str| {
        client.send(request(method, path, fields, "{}").as_bytes());
        client.reply()
    };
    const LISTED: &str = "Origin: https://panel.example\r\n";
    const OTHER: &str = "Origin: https://evil.example\r\n";
    let preflight = "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: content-type\r\n";
    let reply = ask("OPTIONS", "/web", &[LISTED, preflight].concat());
    assert_eq!(reply.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://panel.example"),
        ("access-control-allow-methods", "PUT"),
        ("access-control-allow-headers", "*, Authorization"),
        ("vary", "Origin"),
    ] {
        assert_eq!(reply.field(name), Some(value), "{reply:?}");
    }
    for (method, path, fields, status, allowed) in [
        ("PUT", "/web", LISTED, 200, true),
        ("GET", "/web", LISTED, 405, true),
        ("OPTIONS", "/web", LISTED, 204, true),
        ("PUT", "/web", OTHER, 200, false),
        ("PUT", "/web", "", 200, false),
        ("PUT", "/web", "Origin: null\r\n", 200, false),
        ("OPTIONS", "/web", &[OTHER, preflight].concat(), 204, false),
        ("POST", "/api/data", LISTED, 200, false),
        ("OPTIONS", "/api/data", LISTED, 204, false),
        ("OPTIONS", "/none", LISTED, 404, false),
    ] {
        let reply = ask(method, path, fields);
        assert_eq!(reply.status, status, "{method} {path} {fields}");
        let got = reply.field("access-control-allow-origin");
        assert_eq!(got, allowed.then_some("https://panel.example"), "{method} {path} {fields}");
    }
}

#[test]
fn a_full_queue_says_so_and_loses_nothing() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    let addr = dead_address();
    gate.stream("demo", "/api/data");
    let sink = json!({"rest": {"url": format!("http://{addr}/in"), "method": "post", "sendSingle": true, "resendInterval": "20ms"}});
    let rule = json!({"id": "r1", "sql": "SELECT a, pad FROM demo", "actions": [sink], "options": {"qos": 1}});
    gate.tell("POST", "/rules", &rule.to_string());
    let mut client = Client::connect(gate.data());
    let reading = |i: usize| json!({ "a": i, "pad": "x".repeat(30_000) }).to_string();
    let mut accepted = 0;
    let full = loop {
        let reply = client.ask("POST", "/api/data", &reading(accepted));
        if reply.status != 200 {
            break reply;
        }
        accepted += 1;
        assert!(accepted < 200, "the queue has a bound");
    };
    assert_eq!(full.status, 503, "{full:?}");
    assert!(full.field("retry-after").is_some_and(|s| s.parse::<u32>().is_ok_and(|s| s >= 1)), "{full:?}");
    assert!(full.body.contains("stream demo: queue full, held by rule r1"), "{full:?}");
    let target = Target::listen(addr);
    for i in 0..accepted {
        assert_eq!(target.body(), reading(i), "in order, each one that was answered 200");
    }
    assert_eq!(client.ask("POST", "/api/data", &reading(accepted)).status, 200);
    assert_eq!(target.body(), reading(accepted), "and not the one that was refused");
}

/// What would be served in clear text by mistake is not served at all.
#[cfg(not(feature = "tls"))]
#[test]
fn a_build_without_tls_refuses_to_start_when_tls_is_configured() {
    let scratch = Scratch::new();
    for (section, key) in [("basic", "restTls"), ("source", "httpServerTls")] {
        let config = scratch.write("p.yaml", &format!("{section}:\n  {key}:\n    certfile: a\n    keyfile: b\n"));
        let mut command = crate::gate::program();
        let (code, _, err) = crate::gate::finish(command.arg("run").arg("--state").arg(scratch.path("state")).arg("--config").arg(config));
        assert_eq!(code, 78, "{err}");
        assert!(err.contains("built without TLS"), "{err}");
    }
}

#[cfg(feature = "tls")]
mod tls {
    use std::{net::SocketAddr, net::TcpStream, sync::Arc};

    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring, pki_types::CertificateDer};

    use super::*;
    use crate::gate::{finish, program, rule};
    use crate::http::connect;

    /// A certificate for `localhost` in `NAME.crt` and its key in `NAME.key`.
    fn certificate(scratch: &Scratch, name: &str) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        scratch.write(&format!("{name}.crt"), &made.cert.pem());
        scratch.write(&format!("{name}.key"), &made.signing_key.serialize_pem());
        made.cert.der().clone()
    }

    fn secure(addr: SocketAddr, trusted: &CertificateDer<'static>) -> Client<StreamOwned<ClientConnection, TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let session = ClientConnection::new(Arc::new(config), "localhost".try_into().expect("a name")).expect("a session");
        Client::over(StreamOwned::new(session, connect(addr)))
    }

    fn yaml(scratch: &Scratch, section: &str, key: &str, cert: &str, private: &str) -> String {
        format!("{section}:\n  {key}:\n    certfile: {}\n    keyfile: {}\n", scratch.text(cert), scratch.text(private))
    }

    #[test]
    fn the_data_port_speaks_https() {
        let scratch = Scratch::new();
        let trusted = certificate(&scratch, "gate");
        let gate = Gate::start_with(&scratch, &yaml(&scratch, "source", "httpServerTls", "gate.crt", "gate.key"));
        gate.stream("demo", "/api/data");
        gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("rows.txt")));
        let mut client = secure(gate.data(), &trusted);
        for i in 1..=2 {
            assert_eq!(client.ask("POST", "/api/data", &json!({ "a": i }).to_string()).status, 200);
        }
        // Plain HTTP there is no request, and harms nobody.
        let mut plain = Client::connect(gate.data());
        plain.send(request("POST", "/api/data", "", r#"{"a":0}"#).as_bytes());
        assert_eq!(client.ask("POST", "/api/data", r#"{"a":3}"#).status, 200);
        rows(&scratch, 3);
    }

    #[test]
    fn management_speaks_https() {
        let scratch = Scratch::new();
        let trusted = certificate(&scratch, "gate");
        let gate = Gate::start_with(&scratch, &yaml(&scratch, "basic", "restTls", "gate.crt", "gate.key"));
        let mut client = secure(gate.management, &trusted);
        assert_eq!(client.ask("GET", "/ping", "").status, 200);
        // One answer to a connection, as plain HTTP there.
        let mut client = secure(gate.management, &trusted);
        assert_eq!(client.ask("GET", "/streams", "").body, "[]");
    }

    #[test]
    fn a_certificate_that_cannot_serve() {
        let scratch = Scratch::new();
        certificate(&scratch, "one");
        certificate(&scratch, "two");
        for (cert, key, want) in
            [("none.crt", "one.key", "none.crt: no such file"), ("one.crt", "two.key", "one.crt: does not match the key")]
        {
            // Management: the program does not start.
            let config = scratch.write("management.yaml", &yaml(&scratch, "basic", "restTls", cert, key));
            let (code, _, err) = finish(program().arg("run").arg("--state").arg(scratch.path("state")).arg("--config").arg(config));
            assert_eq!(code, 78, "{err}");
            assert!(err.contains(want), "{err}");
            // Data: the rule that would open the port is refused, nothing is stored.
            let gate = Gate::start_with(&scratch, &yaml(&scratch, "source", "httpServerTls", cert, key));
            gate.sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/api/data", TYPE="httppush")"#);
            let reply = gate.ask("POST", "/rules", &rule("r1", "SELECT * FROM demo", &json!({"nop": {}})));
            assert_eq!(reply.status, 400, "{reply:?}");
            assert!(reply.body.contains(want), "{reply:?}");
            assert_eq!(gate.tell("GET", "/rules", ""), "[]");
            assert!(!gate.opened());
            gate.sql("DROP STREAM demo");
        }
    }
}

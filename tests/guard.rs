//! Credentials and limits on the real engine with a clock that only moves when told to: shares, rates, and not one allocation.

mod common;
#[path = "common/counting.rs"]
mod counting;

use common::Bench;
use pushgate::wire::Peer;

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

const KEYS: &str = "\
k:
  credentials:
    - {name: free, type: bearer, secret: f}
    - {name: share, type: bearer, secret: s, limits: {queueShare: 25}}
    - {name: rate, type: header, header: X-T, secret: r, limits: {requestsPerSecond: 10, requestBurst: 5, bytesPerSecond: 1MB}}
    - {name: hook, type: hmac, keyId: k1, secret: h, limits: {requestsPerSecond: 1000000}}
a:
  addressLimits: {requestsPerSecond: 2, requestBurst: 3, queueShare: 50, connections: 2}
";

fn bench() -> Bench {
    let mut bench = Bench::with_conf_keys(7, KEYS);
    bench.stream(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#);
    bench.stream(r#"CREATE STREAM open () WITH (DATASOURCE="/o", FORMAT="json", TYPE="httppush", CONF_KEY="a")"#);
    bench.try_rule(r#"{"id":"r1","sql":"SELECT a, meta(credential) AS c FROM demo WHERE a > 0","actions":[{"nop":{}}]}"#).expect("a rule");
    bench.try_rule(r#"{"id":"r2","sql":"SELECT a FROM open","actions":[{"nop":{}}]}"#).expect("a rule");
    bench
}

fn head(target: &str, fields: &str, length: usize) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{fields}\r\n")
}

fn peer(last: u8, connection: u64) -> Peer {
    Peer { connection, ..Peer::new([10, 0, 0, last].into(), false) }
}

fn signed(body: &str) -> String {
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"h"), body.as_bytes());
    let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("X-Key-Id: k1\r\nX-Signature: {hex}\r\n")
}

#[test]
fn a_share_of_the_queue_is_kept_and_given_back() {
    let mut bench = bench();
    let body = format!(r#"{{"a":1,"pad":"{}"}}"#, "x".repeat(10_000));
    let own = head("/a", "Authorization: Bearer s\r\n", body.len());
    let other = head("/a", "Authorization: Bearer f\r\n", body.len());
    let mut taken = 0;
    let refused = loop {
        let reply = bench.answer_to(&peer(1, 1), &own, body.as_bytes());
        if reply.status != 200 {
            break reply;
        }
        taken += 1;
        assert!(taken < 20, "a quarter of 256 KiB holds six of these");
    };
    assert_eq!(refused.status, 429);
    assert!((1..=36).contains(&refused.retry_after_s), "{refused:?}");
    assert!((4..=6).contains(&taken), "{taken}");
    assert_eq!(bench.answer_to(&peer(1, 2), &other, body.as_bytes()).status, 200, "the rest of the queue is for others");
    bench.settle();
    assert_eq!(bench.answer_to(&peer(1, 1), &own, body.as_bytes()).status, 200);
    let counters = bench.engine.counters();
    assert_eq!(counters["streams"]["demo"]["refused_share_total"], 1);
    // Chunked, so that nobody knows before how long it is: judged when it is in.
    let chunked = "POST /a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s\r\nTransfer-Encoding: chunked\r\n\r\n";
    let statuses: Vec<u16> = (0..8).map(|_| bench.answer_to(&peer(1, 1), chunked, body.as_bytes()).status).collect();
    assert!(statuses.starts_with(&[200, 200, 200]) && statuses.ends_with(&[429, 429]), "{statuses:?}");
}

#[test]
fn addresses_have_their_own_rates_and_connections() {
    let mut bench = bench();
    let ask = head("/o", "", 2);
    let statuses = |bench: &mut Bench, last, connection, n: usize| -> Vec<u16> {
        (0..n).map(|_| bench.answer_to(&peer(last, connection), &ask, b"{}").status).collect()
    };
    assert_eq!(statuses(&mut bench, 1, 1, 4), [200, 200, 200, 429]);
    assert_eq!(statuses(&mut bench, 2, 2, 1), [200], "another address");
    bench.pass(1_000);
    assert_eq!(statuses(&mut bench, 1, 1, 3), [200, 200, 429]);
    bench.pass(10_000);
    assert_eq!(statuses(&mut bench, 1, 3, 1), [200], "a second connection");
    let third = bench.answer_to(&peer(1, 4), &ask, b"{}");
    assert!(third.status == 429 && third.close, "{third:?}");
    pushgate::wire::Gate::closed(&mut bench.engine, &peer(1, 1));
    assert_eq!(statuses(&mut bench, 1, 4, 1), [200]);
}

#[test]
fn somebody_who_knows_only_the_key_id_uses_nothing_up() {
    let keys = KEYS.replace("requestsPerSecond: 1000000", "requestsPerSecond: 1, requestBurst: 2");
    let mut bench = Bench::with_conf_keys(7, &keys);
    bench.stream(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#);
    bench.rule("SELECT a FROM demo");
    let forged = head("/a", "X-Key-Id: k1\r\nX-Signature: 00\r\n", 2);
    let honest = head("/a", &signed("{}"), 2);
    for i in 0..200 {
        let status = bench.answer_to(&peer(66, 1), &forged, b"{}").status;
        assert_eq!(status, if i < 100 { 401 } else { 429 }, "{i}: the address pays for it");
    }
    let statuses: Vec<u16> = (0..3).map(|_| bench.answer_to(&peer(1, 2), &honest, b"{}").status).collect();
    assert_eq!(statuses, [200, 200, 429], "the key's own burst, untouched");
}

#[test]
fn neither_credentials_nor_limits_nor_refusals_allocate() {
    let mut bench = bench();
    let body = r#"{"a":1}"#;
    let n = body.len();
    let heads: Vec<(String, u64)> = [
        head("/a", "Authorization: Bearer f\r\n", n),
        head("/a", "Authorization: Bearer s\r\n", n),
        head("/a", "X-T: r\r\n", n),
        head("/a", &signed(body), n),
        head("/a", "X-Key-Id: k1\r\nX-Signature: sha256=00\r\n", n),
        head("/a", "Authorization: Bearer wrong\r\n", n),
        head("/a", "Authorization: Bearer f\r\nAuthorization: Bearer f\r\n", n),
        head("/a", "", n),
        head("/o", "", n),
        head("/none", "", n),
    ]
    .into_iter()
    .zip(1..)
    .collect();
    let sinks: Vec<_> = bench.engine.sinks().map(|(id, _)| id).collect();
    let mut seen = std::collections::BTreeMap::from_iter([200, 401, 404, 429].map(|status| (status, 0_u32)));
    let mut go = |bench: &mut Bench, rounds: u32| {
        for round in 0..rounds {
            for (head, connection) in &heads {
                let last = u8::try_from(round % 200).unwrap_or(0);
                let status = bench.answer_to(&peer(last, *connection), head, body.as_bytes()).status;
                *seen.get_mut(&status).unwrap_or_else(|| panic!("{head}: {status}")) += 1;
            }
            bench.settle();
            for id in &sinks {
                let now = bench.now;
                while bench.engine.next_out(*id, now).is_some() {
                    bench.engine.done(*id, pushgate::sink::Outcome::Delivered, now);
                }
            }
            if round % 16 == 0 {
                bench.pass(10);
            }
        }
    };
    go(&mut bench, 500);
    let allocations = counting::counted(|| go(&mut bench, 2_000));
    assert_eq!(allocations, 0);
    assert!(seen.values().all(|n| *n > 500), "{seen:?}");
}

/// The answer to one reading of an endpoint with that conf key, as it is sent; else why the rule does not start.
fn success(conf: &str) -> Result<String, String> {
    let mut bench = Bench::with_conf_keys(7, &format!("s: {{{conf}}}\n"));
    bench.stream(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="s")"#);
    bench.try_rule(r#"{"id":"r1","sql":"SELECT a FROM demo","actions":[{"nop":{}}]}"#).map_err(|fault| format!("{fault:?}"))?;
    let reply = bench.answer_to(&peer(1, 1), &head("/a", "", 2), b"{}");
    let mut out = Vec::new();
    reply.emit(&mut out, &pushgate::wire::reply::Style::default()).expect("a Vec is never full");
    Ok(String::from_utf8(out).expect("text").replace("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", ""))
}

#[test]
fn answers_to_what_was_taken() {
    let text = "Content-Type: text/plain; charset=utf-8\r\n";
    for (conf, want) in [
        (String::new(), format!("HTTP/1.1 200 OK\r\n{text}Content-Length: 2\r\n\r\nok")),
        ("successCode: 201".into(), format!("HTTP/1.1 201 Created\r\n{text}Content-Length: 2\r\n\r\nok")),
        ("successBody: ''".into(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into()),
        ("successCode: 204".into(), "HTTP/1.1 204 No Content\r\n\r\n".into()),
        (
            "successCode: 202, successBody: '[1]', responseHeaders: {X-A: b, X-N: 5}".into(),
            "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 3\r\nX-A: b\r\nX-N: 5\r\n\r\n[1]".into(),
        ),
        (
            "successBody: <a/>, responseHeaders: {content-type: text/xml}".into(),
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<a/>".into(),
        ),
        (format!("successBody: {}", "x".repeat(727)), format!("HTTP/1.1 200 OK\r\n{text}Content-Length: 727\r\n\r\n{}", "x".repeat(727))),
    ] {
        assert_eq!(success(&conf), Ok(want), "{conf}");
    }
    for (conf, want) in [
        ("successCode: 203".to_owned(), "successCode: expected 200, 201, 202 or 204, found 203"),
        ("successCode: 500".into(), "successCode: expected 200, 201, 202 or 204, found 500"),
        ("successCode: 204, successBody: x".into(), "an answer with successCode 204 has no body"),
        (format!("successBody: {}", "x".repeat(769)), "successBody and responseHeaders: longer than 768 bytes"),
        ("responseHeaders: {Content-Length: 5}".into(), "no field name that may be set"),
        ("responseHeaders: {Transfer-Encoding: chunked}".into(), "no field name that may be set"),
        ("responseHeaders: {'a b': c}".into(), "no field name that may be set"),
        (r#"responseHeaders: {a: "b\r\nc: d"}"#.into(), "control octets in a field value"),
        ("responseHeaders: {a: [b]}".into(), "responseHeaders: a: expected a text"),
    ] {
        assert!(success(&conf).as_ref().is_err_and(|e| e.contains(want)), "{conf}: {:?}", success(&conf));
    }
}

//! `pushgate explain` beside the running server: the same bytes in, the same bytes out.

use std::io::{Read as _, Write as _};

use pushgate::cli::Place;
use pushgate::shell::explain::of_bytes;
use pushgate::wire::Peer;
use serde_json::json;

use crate::{
    gate::{Gate, Scratch, finish, program},
    http::{connect, request},
};

const PUSH: &str = "\
guarded:
  credentials:
    - {name: a, type: bearer, secret: token-a}
    - {name: b, type: basic, secret: pw-b}
    - {name: c, type: header, header: X-Token, secret: token-c}
    - {name: d, type: hmac, keyId: k1, secret: key-d}
strict: {contentType: strict, successCode: 202, successBody: '{\"ok\":1}', responseHeaders: {X-G: h}}
put: {method: PUT, origins: ['https://panel.example'], successCode: 204}
packed: {decompression: gzip}
";

/// SplitMix64: the same requests each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let n = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((n ^ n >> 31) % sides as u64).expect("small")
    }

    fn pick<'p>(&mut self, from: &[&'p str]) -> &'p str {
        from[self.roll(from.len())]
    }
}

/// A request, mostly sensible, sometimes broken.
fn random(dice: &mut Dice) -> Vec<u8> {
    if dice.roll(3) == 0 {
        let good = [
            ("POST", "/open", ""),
            ("POST", "/dev/7?x", "Connection: close\r\n"),
            ("POST", "/guarded", "Authorization: Bearer token-a\r\n"),
            ("POST", "/guarded", "X-Token: token-c\r\n"),
            ("POST", "/strict", ""),
            ("PUT", "/put", "Origin: https://panel.example\r\n"),
        ];
        let (method, target, fields) = good[dice.roll(good.len())];
        return request(method, target, fields, dice.pick(&["{\"a\":7}", "[{\"a\":9},{}]", "{}"])).into_bytes();
    }
    let method = dice.pick(&["POST", "POST", "POST", "POST", "PUT", "GET", "OPTIONS", "HEAD", "DELETE", "FOO"]);
    let target = dice.pick(&[
        "/open",
        "/guarded",
        "/guarded",
        "/strict",
        "/put",
        "/packed",
        "/dev/7",
        "/dev/",
        "/none",
        "/%6fpen",
        "/open?x=1",
        "/a/../open",
        "*",
    ]);
    let version = dice.pick(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.9"]);
    let body = dice.pick(&[
        "{}",
        "{\"a\":7}",
        "{\"a\":1}",
        "[{\"a\":9},{\"a\":0}]",
        "[]",
        "{\"a\":",
        "\"x\"",
        "",
        "{\"a\":01}",
        "{\"a\":\"\u{e9}\"}",
    ]);
    let mut fields = String::new();
    if dice.roll(15) > 0 {
        fields += "Host: gate\r\n";
    }
    for _ in 0..dice.roll(3) {
        fields += dice.pick(&[
            "Authorization: Bearer token-a\r\n",
            "Authorization: Bearer token-x\r\n",
            "Authorization: Basic YjpwdzE=\r\n",
            "Authorization: Basic Yjpwdy1i\r\n",
            "X-Token: token-c\r\n",
            "X-Token: no\r\n",
            "X-Key-Id: k1\r\nX-Signature: sha256=00\r\n",
            "Content-Type: application/json\r\n",
            "Content-Type: text/plain\r\n",
            "Content-Encoding: gzip\r\n",
            "Content-Encoding: br\r\n",
            "Origin: https://panel.example\r\n",
            "Connection: close\r\n",
            "Connection: keep-alive\r\n",
            "Expect: 100-continue\r\n",
            "Expect: tea\r\n",
            "X-Bad : 1\r\n",
            "A: b\nC: d\r\n",
        ]);
    }
    let mut sum = String::new();
    if dice.roll(8) == 0 {
        let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"key-d"), body.as_bytes());
        let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        sum = format!("X-Key-Id: k1\r\nX-Signature: {hex}\r\n");
    }
    let framed = match dice.roll(8) {
        0 => format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
        1 => format!("Transfer-Encoding: chunked\r\n\r\n{body}"),
        2 => format!("Content-Length: {}\r\n\r\n{body}", body.len() + dice.roll(3)),
        3 => format!("\r\n{body}"),
        _ => format!("Content-Length: {}\r\n\r\n{body}", body.len()),
    };
    let mut raw = format!("{method} {target} {version}\r\n{fields}{sum}{framed}").into_bytes();
    if dice.roll(10) == 0 && !raw.is_empty() {
        let at = dice.roll(raw.len());
        raw[at] = u8::try_from(dice.roll(256)).expect("an octet");
    }
    raw
}

fn without_dates(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
}

#[test]
fn the_same_verdict_as_the_running_server() {
    let scratch = Scratch::new();
    scratch.write("sources/httppush.yaml", PUSH);
    let gate = Gate::start_with(&scratch, "basic: {}\n");
    for (name, path, key) in [
        ("open", "/open", ""),
        ("guarded", "/guarded", "guarded"),
        ("strict", "/strict", "strict"),
        ("put", "/put", "put"),
        ("packed", "/packed", "packed"),
        ("dev", "/dev/{id}", ""),
    ] {
        gate.sql(&format!(r#"CREATE STREAM {name} () WITH (DATASOURCE="{path}", FORMAT="json", TYPE="httppush", CONF_KEY="{key}")"#));
        gate.rule(&format!("r_{name}"), &format!("SELECT * FROM {name} WHERE a > 5"), &json!({"nop": {}}));
    }
    let place = Place { config: Some(scratch.path("pushgate.yaml")), state: Some(scratch.path("state")) };
    let number = |name: &str, default| std::env::var(name).map_or(default, |n| n.parse().expect("a number"));
    let mut dice = Dice(number("EXPLAIN_SEED", 7));
    let (mut good, mut statuses) = (0, std::collections::BTreeSet::new());
    for round in 0..number("EXPLAIN_ROUNDS", 500) {
        let mut raw = random(&mut dice);
        for _ in 0..dice.roll(2) {
            raw.extend(random(&mut dice));
        }
        let mut stream = connect(gate.data());
        // The server may have closed before it was told everything.
        let _ = stream.write_all(&raw).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
        let mut answered = Vec::new();
        // A reset after the answer is an end as well.
        let _ = stream.read_to_end(&mut answered);
        let peer = |tls| Peer::new([127, 0, 0, 1].into(), tls);
        let explained = of_bytes(&place, raw.clone(), peer).unwrap_or_else(|(_, why)| panic!("{why}"));
        assert_eq!(without_dates(&explained.sent), without_dates(&answered), "round {round}: {}\n{}", raw.escape_ascii(), explained.text);
        good += usize::from(explained.taken);
        statuses.extend(String::from_utf8_lossy(&answered).split("HTTP/1.1 ").skip(1).map(|s| s[..3].to_owned()));
    }
    assert!(good > 60, "only {good} of the requests would be taken");
    for status in ["100", "200", "202", "204", "400", "401", "404", "405", "411", "415", "417", "501", "505"] {
        assert!(statuses.contains(status), "no request got {status}: {statuses:?}");
    }
}

#[test]
fn the_command_prints_and_its_exit_code_tells() {
    let scratch = Scratch::new();
    let gate = Gate::start(&scratch);
    gate.stream("demo", "/a");
    gate.rule("hot", "SELECT a FROM demo WHERE a > 5", &json!({"log": {}}));
    let explain = |raw: &str| {
        let file = scratch.write("request.http", raw);
        finish(program().arg("explain").arg(file).arg("--state").arg(scratch.path("state")))
    };
    let (code, out, err) = explain(&request("POST", "/a", "", r#"{"a":7}"#));
    assert!(code == 0 && out.contains("rule hot: matches, 1 for its sinks"), "{out}{err}");
    let (code, out, _) = explain(&request("POST", "/b", "", "{}"));
    assert!(code == 1 && out.contains("  route       refused: 404"), "{out}");
    assert_eq!(gate.counters()["port"]["accepted_total"], 0, "nothing was sent anywhere");
    let (code, _, err) = finish(program().args(["explain", "/nowhere/request.http"]));
    assert!(code == 66 && err.contains("/nowhere/request.http"), "{err}");
    assert_eq!(finish(program().arg("explain")).0, 2);
}

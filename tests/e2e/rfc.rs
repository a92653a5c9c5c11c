//! RFC 9110 and RFC 9112 section by section: raw bytes to the real program, and what must come back.
//!
//! In the tables `~` stands for CR LF, and a leading `@` for a POST to the endpoint with its Host line. What is expected: the status of
//! each answer in order, with `!` behind the last when the connection ends there. Without `!` the connection must take another request.

use crate::gate::{Gate, Scratch, to_file};
use crate::http::Client;
use serde_json::json;

/// Bytes on the wire and the answers to them.
type Case = (&'static [u8], &'static str);

/// A gate with `POST /api/data`, `PUT /put` and `POST /dev/{id}`; all feed rules.
fn ready(scratch: &Scratch) -> Gate {
    let gate = Gate::start(scratch);
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT * FROM demo", &to_file(&scratch.path("rows.txt")));
    gate.sql(r#"CREATE STREAM dev () WITH (DATASOURCE="/dev/{id}", FORMAT="json", TYPE="httppush")"#);
    gate.rule("r2", "SELECT * FROM dev", &json!({"nop": {}}));
    gate.sql(r#"CREATE STREAM put () WITH (DATASOURCE="/put", FORMAT="json", TYPE="httppush", EXTRA="{\"method\":\"PUT\"}")"#);
    gate.rule("r3", "SELECT * FROM put", &json!({"nop": {}}));
    gate
}

/// The bytes that a table's line stands for.
fn bytes(line: &[u8]) -> Vec<u8> {
    let line = match line.strip_prefix(b"@") {
        Some(rest) => [&b"POST /api/data HTTP/1.1~Host: x~"[..], rest].concat(),
        None => line.to_vec(),
    };
    line.into_iter().flat_map(|b| if b == b'~' { b"\r\n".to_vec() } else { vec![b] }).collect()
}

fn check(cases: &[Case]) {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    let mut wrong = Vec::new();
    for (line, want) in cases {
        let raw = bytes(line);
        let mut client = Client::connect(gate.data());
        client.send(&raw);
        let mut got = Vec::new();
        while got.len() < want.split(' ').count() {
            let Some(reply) = client.try_reply() else { break };
            got.push(reply.status.to_string());
            if reply.status >= 400 && !raw.starts_with(b"HEAD") {
                let body: serde_json::Value = serde_json::from_str(&reply.body).expect("a refusal is JSON");
                assert_eq!(body["error"], reply.status, "{}", line.escape_ascii());
                assert!(body["message"].as_str().is_some_and(|m| !m.is_empty()), "{}", line.escape_ascii());
            }
            if reply.field("connection") == Some("close") {
                break;
            }
        }
        let mut got = got.join(" ");
        let ends = if want.ends_with('!') {
            client.is_closed()
        } else {
            client.send(b"GET /probe HTTP/1.1\r\nHost: x\r\n\r\n");
            client.try_reply().is_none_or(|reply| reply.status != 404)
        };
        if ends {
            got.push('!');
        }
        if got != *want {
            wrong.push(format!("{}: {got}, not {want}", line.escape_ascii()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn rfc9112_2_2_message_parsing() {
    check(&[
        (b"@Content-Length: 2~~{}", "200"),
        (b"~@Content-Length: 2~~{}", "400!"), // `@` stands for a request only in front
        (b"~POST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"~~POST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"~~~~~~~~POST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"\nPOST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}", "400!"),
        (b"POST /api/data HTTP/1.1\nHost: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: x\nContent-Length: 2~~{}", "400!"),
        (b"@Content-Length: 2\n~{}", "400!"),
        (b"@Content-Length: 2~\n{}", "400!"),
        (b"@X: a\rb~Content-Length: 2~~{}", "400!"),
        (b"@X: a\r~Content-Length: 2~~{}", "400!"),
        (b"@\rX: a~Content-Length: 2~~{}", "400!"),
        (b"@X\r: a~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1\r~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1\rHost: x\rContent-Length: 2\r\r{}", "400!"),
        (b"POST /api/data HTTP/1.1~ Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~\tHost: x~Content-Length: 2~~{}", "400!"),
        (b" POST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"\x00POST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"\xef\xbb\xbfPOST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400!"),
        (b"SSH-2.0-OpenSSH_9.6~", "400!"),
        (b"{\"a\":1}", "400!"),
    ]);
}

#[test]
fn rfc9112_2_3_http_version() {
    check(&[
        (b"POST /api/data HTTP/1.0~Content-Length: 2~~{}", "200!"),
        (b"POST /api/data HTTP/1.0~Host: x~Content-Length: 2~~{}", "200!"),
        (b"POST /api/data HTTP/1.0~Connection: keep-alive~Content-Length: 2~~{}", "200"),
        (b"POST /api/data HTTP/1.2~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST /api/data HTTP/1.9~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST /api/data HTTP/2.0~Host: x~Content-Length: 2~~{}", "505!"),
        (b"POST /api/data HTTP/3.0~Host: x~Content-Length: 2~~{}", "505!"),
        (b"POST /api/data HTTP/2~Host: x~Content-Length: 2~~{}", "505!"),
        (b"POST /api/data HTTP/0.9~Host: x~Content-Length: 2~~{}", "505!"),
        (b"GET /api/data HTTP/2.0~", "505!"),
        (b"GET /api/data~", "400!"),
        (b"GET /api/data~~", "400!"),
        (b"GET /api/data \r\n\r\n", "400!"),
        (b"POST /api/data http/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data Http/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.10~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/01.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1,1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP 1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTPS/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data ICY/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"PRI * HTTP/2.0~~SM~~\x00\x00\x12\x04\x00\x00\x00\x00\x00", "505!"),
    ]);
}

#[test]
fn rfc9112_3_request_line() {
    check(&[
        (b"POST  /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data  HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1 ~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST\t/api/data\tHTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data\tHTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST\x0b/api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b" /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST~ /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"PO\x00ST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"PO(ST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"P\xc3\x96ST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"\"POST\" /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
    ]);
}

#[test]
fn rfc9112_3_1_method() {
    check(&[
        (b"GET /api/data HTTP/1.1~Host: x~~", "405"),
        (b"DELETE /api/data HTTP/1.1~Host: x~~", "405"),
        (b"PATCH /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "405"),
        (b"PUT /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "405"),
        (b"POST /put HTTP/1.1~Host: x~Content-Length: 2~~{}", "405"),
        (b"PUT /put HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"TRACE /api/data HTTP/1.1~Host: x~~", "405"),
        (b"post /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "501"),
        (b"Post /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "501"),
        (b"POSTS /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "501"),
        (b"PROPFIND /api/data HTTP/1.1~Host: x~~", "501"),
        (b"BREW /nowhere HTTP/1.1~Host: x~~", "501"),
        (b"M-SEARCH * HTTP/1.1~Host: x~~", "400!"),
        (b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "501!"),
        (b"CONNECT gw:443 HTTP/1.1~Host: gw:443~~", "501!"),
        (b"CONNECT /api/data HTTP/1.1~Host: x~~", "501!"),
        (b"GET /nowhere HTTP/1.1~Host: x~~", "404"),
        (b"POST /nowhere HTTP/1.1~Host: x~Content-Length: 2~~{}", "404"),
    ]);
}

#[test]
fn rfc9112_3_2_request_target() {
    check(&[
        (b"POST /api/data?a=b HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST /api/data? HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST /api/data?a=%zz HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST http://x/api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST HTTP://x/api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST http://other:99/api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST http://[::1]:80/api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST http://x/api/data HTTP/1.1~Content-Length: 2~~{}", "400!"),
        (b"POST http://x/api/data HTTP/1.1~Host: a b~Content-Length: 2~~{}", "400!"),
        (b"POST http://u@x/api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST http:///api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST http:/api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST ftp://x/api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST ://x/api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST //x/api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST x:80 HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST * HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"GET * HTTP/1.1~Host: x~~", "400!"),
        (b"OPTIONS * HTTP/1.1~Host: x~~", "204"),
        (b"OPTIONS ** HTTP/1.1~Host: x~~", "400!"),
        (b"POST /api/data#f HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data?a#f HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data%23f HTTP/1.1~Host: x~Content-Length: 2~~{}", "404"),
        (b"POST /api/d%61ta HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST /%61%70%69/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST /api%2Fdata HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST /api/data%00 HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data%zz HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data% HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data%4 HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data%ff HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data%c0%ae HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/./data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/x/../data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /../api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/x/%2e%2E/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api//data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data/ HTTP/1.1~Host: x~Content-Length: 2~~{}", "404"),
        (b"POST /API/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "404"),
        (b"POST /dev/7 HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST /dev/a%20b HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST /dev/ HTTP/1.1~Host: x~Content-Length: 2~~{}", "404"),
        (b"POST /dev/... HTTP/1.1~Host: x~Content-Length: 2~~{}", "200"),
        (b"POST /api\\data HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data\x00 HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data\x7f HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/d\xc3\xa4ta HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/<data> HTTP/1.1~Host: x~Content-Length: 2~~{}", "400!"),
    ]);
}

#[test]
fn rfc9112_3_2_host() {
    check(&[
        (b"POST /api/data HTTP/1.1~Content-Length: 2~~{}", "400!"),
        (b"GET / HTTP/1.1~~", "400!"),
        (b"@Host: x~Content-Length: 2~~{}", "400!"),
        (b"@host: y~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.0~Host: a~Host: b~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host:~Content-Length: 2~~{}", "200"),
        (b"POST /api/data HTTP/1.1~hOsT:x~Content-Length: 2~~{}", "200"),
        (b"POST /api/data HTTP/1.1~Host: \t x:80 \t~Content-Length: 2~~{}", "200"),
        (b"POST /api/data HTTP/1.1~Host: [::1]:10081~Content-Length: 2~~{}", "200"),
        (b"POST /api/data HTTP/1.1~Host: x:~Content-Length: 2~~{}", "200"),
        (b"POST /api/data HTTP/1.1~Host: x:65536~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: x:port~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: x:-1~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: x y~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: x,y~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: x/y~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: u@x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: http://x~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: [::1~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: [::zz]~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: [:::1]~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: x%zz~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: x?y~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: x#y~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host: x\x00y~Content-Length: 2~~{}", "400!"),
        (b"POST /api/data HTTP/1.1~Host : x~Content-Length: 2~~{}", "400!"),
    ]);
}

#[test]
fn rfc9112_5_field_syntax() {
    check(&[
        (b"@X-Empty:~Content-Length: 2~~{}", "200"),
        (b"@X: \t a \t b \t~Content-Length: 2~~{}", "200"),
        (b"@X: \xe4\xff~Content-Length: 2~~{}", "200"),
        (b"@!#$%&'*+-.^_`|: a~Content-Length: 2~~{}", "200"),
        (b"@X : a~Content-Length: 2~~{}", "400!"),
        (b"@X\t: a~Content-Length: 2~~{}", "400!"),
        (b"@Content-Length : 2~~{}", "400!"),
        (b"@Transfer-Encoding : chunked~~0~~", "400!"),
        (b"@: a~Content-Length: 2~~{}", "400!"),
        (b"@X~Content-Length: 2~~{}", "400!"),
        (b"@X Y: a~Content-Length: 2~~{}", "400!"),
        (b"@X(: a~Content-Length: 2~~{}", "400!"),
        (b"@\"X\": a~Content-Length: 2~~{}", "400!"),
        (b"@X@Y: a~Content-Length: 2~~{}", "400!"),
        (b"@\xc3\xa4: a~Content-Length: 2~~{}", "400!"),
        (b"@X\x00: a~Content-Length: 2~~{}", "400!"),
        (b"@X: a\x00b~Content-Length: 2~~{}", "400!"),
        (b"@X: a\x01b~Content-Length: 2~~{}", "400!"),
        (b"@X: a\x0bb~Content-Length: 2~~{}", "400!"),
        (b"@X: a\x1b[0m~Content-Length: 2~~{}", "400!"),
        (b"@X: a\x7fb~Content-Length: 2~~{}", "400!"),
        (b"@X: a~ b~Content-Length: 2~~{}", "400!"),
        (b"@X: a~\tb~Content-Length: 2~~{}", "400!"),
        (b"@X:~ a~Content-Length: 2~~{}", "400!"),
        (b"@Content-Length:~ 2~~{}", "400!"),
        (b"@Transfer-Encoding:~ chunked~~0~~", "400!"),
        (b"@ Content-Length: 2~~{}", "400!"),
        (b"@ ~Content-Length: 2~~{}", "400!"),
    ]);
}

#[test]
fn rfc9112_6_1_transfer_encoding() {
    check(&[
        (b"@Transfer-Encoding: chunked~~2~{}~0~~", "200"),
        (b"@transfer-encoding:CHUNKED~~2~{}~0~~", "200"),
        (b"@Transfer-Encoding: \tchunked \t~~2~{}~0~~", "200"),
        (b"@Transfer-Encoding: chunked~Content-Length: 2~~2~{}~0~~", "400!"),
        (b"@Content-Length: 12~Transfer-Encoding: chunked~~2~{}~0~~", "400!"),
        (b"@Content-Length: 2~Transfer-Encoding: identity~~{}", "400!"),
        (b"@Content-Length: 2~Transfer-Encoding:~~{}", "400!"),
        (b"POST /api/data HTTP/1.0~Transfer-Encoding: chunked~~2~{}~0~~", "400!"),
        (b"POST /api/data HTTP/1.0~Connection: keep-alive~Transfer-Encoding: chunked~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked, chunked~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~Transfer-Encoding: chunked~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~Transfer-Encoding: identity~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: identity~Transfer-Encoding: chunked~~2~{}~0~~", "501!"),
        (b"@Transfer-Encoding: gzip, chunked~~2~{}~0~~", "501!"),
        (b"@Transfer-Encoding: gzip~~{}", "501!"),
        (b"@Transfer-Encoding: chunked, gzip~~{}", "400!"),
        (b"@Transfer-Encoding: identity~~{}", "501!"),
        (b"@Transfer-Encoding: identity, chunked~~2~{}~0~~", "501!"),
        (b"@Transfer-Encoding: xchunked~~2~{}~0~~", "501!"),
        (b"@Transfer-Encoding: chunkedx~~2~{}~0~~", "501!"),
        (b"@Transfer-Encoding: chunked;q=1~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: \"chunked\"~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chun ked~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: ,chunked~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked,~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding:~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: \x0bchunked~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked\x00~~2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked\xa0~~2~{}~0~~", "400!"),
        (b"@Transfer_Encoding: chunked~Content-Length: 2~~{}", "200"),
        (b"GET /api/data HTTP/1.1~Host: x~Transfer-Encoding: chunked~Content-Length: 5~~0~~", "400!"),
    ]);
}

#[test]
fn rfc9112_6_2_content_length() {
    check(&[
        (b"@Content-Length: 0002~~{}", "200"),
        (b"@Content-Length: \t2 \t~~{}", "200"),
        (b"@content-length:2~~{}", "200"),
        (b"@~", "411!"),
        (b"@X: y~~{}", "411!"),
        (b"@Content-Length: 0~~", "400"),
        (b"@Content-Length: 2~Content-Length: 2~~{}", "400!"),
        (b"@Content-Length: 2~Content-Length: 3~~{}", "400!"),
        (b"@Content-Length: 2~content-length: 0~~{}", "400!"),
        (b"@Content-Length: 2, 2~~{}", "400!"),
        (b"@Content-Length: 2,3~~{}", "400!"),
        (b"@Content-Length: 2,~~{}", "400!"),
        (b"@Content-Length: ,2~~{}", "400!"),
        (b"@Content-Length: +2~~{}", "400!"),
        (b"@Content-Length: -2~~{}", "400!"),
        (b"@Content-Length: -0~~{}", "400!"),
        (b"@Content-Length: 0x2~~{}", "400!"),
        (b"@Content-Length: 2.0~~{}", "400!"),
        (b"@Content-Length: 2e0~~{}", "400!"),
        (b"@Content-Length: 2 2~~{}", "400!"),
        (b"@Content-Length: 2;~~{}", "400!"),
        (b"@Content-Length: \"2\"~~{}", "400!"),
        (b"@Content-Length: two~~{}", "400!"),
        (b"@Content-Length: 2_0~~{}", "400!"),
        (b"@Content-Length:~~{}", "400!"),
        (b"@Content-Length: \t~~{}", "400!"),
        (b"@Content-Length: \xd9\xa2~~{}", "400!"),
        (b"@Content-Length: 65537~~", "413!"),
        (b"@Content-Length: 4294967298~~{}", "413!"),
        (b"@Content-Length: 18446744073709551618~~{}", "413!"),
        (b"@Content-Length: 9999999999999999999999999999999999999999~~{}", "413!"),
        (b"GET /api/data HTTP/1.1~Host: x~Content-Length: 3~~abc", "405"),
        (b"GET /api/data HTTP/1.1~Host: x~Content-Length: x~~", "400!"),
        (b"HEAD /api/data HTTP/1.1~Host: x~Content-Length: 2~Content-Length: 3~~", "400!"),
    ]);
}

#[test]
fn rfc9112_7_1_chunked() {
    check(&[
        (b"@Transfer-Encoding: chunked~~1~{~1~}~0~~", "200"),
        (b"@Transfer-Encoding: chunked~~02~{}~00~~", "200"),
        (b"@Transfer-Encoding: chunked~~0000000000000000000000002~{}~0~~", "200"),
        (b"@Transfer-Encoding: chunked~~A~{\"abc\":12}~0~~", "200"),
        (b"@Transfer-Encoding: chunked~~a~{\"abc\":12}~0~~", "200"),
        (b"@Transfer-Encoding: chunked~~0~~", "400"),
        (b"@Transfer-Encoding: chunked~~~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~-2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~+2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~0x2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2h~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~ 2~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2 ~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~g~", "400!"),
        (b"@Transfer-Encoding: chunked~~2\n{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}\n0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}x~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~1~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}~0\n\n", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~\n", "400!"),
        (b"@Transfer-Encoding: chunked~~2\r{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~10001~", "413!"),
        (b"@Transfer-Encoding: chunked~~100000002~{}~0~~", "413!"),
        (b"@Transfer-Encoding: chunked~~10000000000000002~{}~0~~", "413!"),
        (b"@Transfer-Encoding: chunked~~ffffffffffffffff~{}~0~~", "413!"),
        (b"@Transfer-Encoding: chunked~~7fffffffffffffff~{}~0~~", "413!"),
        (b"@Transfer-Encoding: chunked~~2~{}~fffffffe~{}~0~~", "413!"),
    ]);
}

#[test]
fn rfc9112_7_1_1_chunk_extensions() {
    check(&[
        (b"@Transfer-Encoding: chunked~~2;a~{}~0~~", "200"),
        (b"@Transfer-Encoding: chunked~~2;a=b~{}~0;c=d~~", "200"),
        (b"@Transfer-Encoding: chunked~~2 ; a = b ; c~{}~0~~", "200"),
        (b"@Transfer-Encoding: chunked~~2;a=\"b;c, d\"~{}~0~~", "200"),
        (b"@Transfer-Encoding: chunked~~2;a=\"b\\\"c\\\\\"~{}~0~~", "200"),
        (b"@Transfer-Encoding: chunked~~2;~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2;=b~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2;a=~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2;a=\"b~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2;a=\"b~c\"~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2;a\nb~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2;a\rb~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2;a\x00~{}~0~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2,a~{}~0~~", "400!"),
    ]);
}

#[test]
fn rfc9112_7_1_2_trailers() {
    check(&[
        (b"@Transfer-Encoding: chunked~~2~{}~0~A: b~C:~~", "200"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~Content-Length: 99~~", "200"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~Transfer-Encoding: chunked~Host: y~~", "200"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~A : b~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~ A: b~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~A: b~ c~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~A~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~: b~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~A: b\n~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~A: \x00~~", "400!"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~GET /x HTTP/1.1~~", "400!"),
    ]);
}

#[test]
fn rfc9112_9_3_persistence() {
    check(&[
        (b"@Connection: close~Content-Length: 2~~{}", "200!"),
        (b"@Connection: Close~Content-Length: 2~~{}", "200!"),
        (b"@Connection: keep-alive~Content-Length: 2~~{}", "200"),
        (b"@Connection: foo, close~Content-Length: 2~~{}", "200!"),
        (b"@Connection: keep-alive~Connection: close~Content-Length: 2~~{}", "200!"),
        (b"@Connection: closed~Content-Length: 2~~{}", "200"),
        (b"@Connection:~Content-Length: 2~~{}", "200"),
        (b"@Connection: upgrade~Upgrade: websocket~Content-Length: 2~~{}", "200"),
        (b"@Connection: Upgrade, HTTP2-Settings~Upgrade: h2c~HTTP2-Settings: AAMAAABk~Content-Length: 2~~{}", "200"),
        (b"POST /api/data HTTP/1.0~Connection: close~Content-Length: 2~~{}", "200!"),
        (b"POST /api/data HTTP/1.0~Connection: Keep-Alive~Content-Length: 2~~{}", "200"),
        (b"GET /nowhere HTTP/1.1~Host: x~Connection: close~~", "404!"),
        (b"@Content-Length: 2~~{}POST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "200 200"),
        (b"@Content-Length: 2~~{}GET /nowhere HTTP/1.1~Host: x~~PUT /put HTTP/1.1~Host: x~Content-Length: 2~~{}", "200 404 200"),
        (b"@Transfer-Encoding: chunked~~2~{}~0~~POST /api/data HTTP/1.1~Host: x~Content-Length: 2~~[]", "200 200"),
        (b"@Content-Length: 2~~{}~~POST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "200 200"),
        (b"@Content-Length: 2~~{}garbage~~", "200 400!"),
        (b"@Connection: close~Content-Length: 2~~{}POST /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "200!"),
        (b"@Content-Length: 1~~{}", "400 400!"),
        (b"@Content-Length: 2~~{x", "400"),
        (b"@Content-Length: 2~Content-Type: text/csv~~{}", "200"),
        (b"@Content-Length: 2~Content-Type: a/b~Content-Type: c/d~~{}", "200"),
    ]);
}

#[test]
fn rfc9110_9_3_2_head_and_9_3_7_options() {
    check(&[
        (b"HEAD /api/data HTTP/1.1~Host: x~~", "405"),
        (b"HEAD /nowhere HTTP/1.1~Host: x~~", "404"),
        (b"HEAD /nowhere HTTP/1.1~Host: x~~HEAD /api/data HTTP/1.1~Host: x~~", "404 405"),
        (b"OPTIONS /api/data HTTP/1.1~Host: x~~", "204"),
        (b"OPTIONS /dev/7 HTTP/1.1~Host: x~~", "204"),
        (b"OPTIONS /nowhere HTTP/1.1~Host: x~~", "404"),
        (b"OPTIONS /api/data HTTP/1.1~Host: x~Content-Length: 2~~{}", "204"),
        (b"OPTIONS * HTTP/1.1~Host: x~Connection: close~~", "204!"),
        (b"OPTIONS http://x/api/data HTTP/1.1~Host: x~~", "204"),
        (b"OPTIONS /api/data HTTP/1.0~~", "204!"),
        (b"OPTIONS http://x HTTP/1.1~Host: x~~", "204"),
        (b"OPTIONS http://x/ HTTP/1.1~Host: x~~", "404"),
        (b"OPTIONS http://x?q HTTP/1.1~Host: x~~", "404"),
        (b"GET http://x HTTP/1.1~Host: x~~", "404"),
        (b"OPTIONS *?q HTTP/1.1~Host: x~~", "400!"),
        (b"HEAD * HTTP/1.1~Host: x~~", "400!"),
    ]);
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    let mut client = Client::connect(gate.data());
    for (request, allow) in [
        ("OPTIONS /api/data", "POST, OPTIONS"),
        ("OPTIONS /put", "PUT, OPTIONS"),
        ("OPTIONS *", "POST, PUT, OPTIONS"),
        ("GET /api/data", "POST, OPTIONS"),
        ("DELETE /put", "PUT, OPTIONS"),
    ] {
        client.send(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        let reply = client.reply();
        assert_eq!(reply.field("allow"), Some(allow), "{request}: {reply:?}");
        assert_eq!(reply.field("content-length").is_some(), reply.status != 204, "{request}");
    }
    // The answer to a HEAD has the length that the answer to a GET has, and nothing behind its head.
    client.send(b"HEAD /api/data HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let text = client.rest();
    assert!(text.starts_with("HTTP/1.1 405 ") && text.ends_with("\r\n\r\n") && text.contains("\r\nContent-Length: "), "{text}");
}

#[test]
fn rfc9110_10_1_1_expect() {
    check(&[
        (b"@Expect: 100-continue~Content-Length: 2~~{}", "100 200"),
        (b"@Expect: 100-Continue~Content-Length: 2~~{}", "100 200"),
        (b"@Expect: 100-continue~Transfer-Encoding: chunked~~2~{}~0~~", "100 200"),
        (b"@Expect: 100-continue~Content-Length: 0~~", "400"),
        (b"@Expect: 200-ok~Content-Length: 2~~{}", "417!"),
        (b"@Expect:~Content-Length: 2~~{}", "417!"),
        (b"@Expect: 100-continue, x=y~Content-Length: 2~~{}", "417!"),
        (b"@Expect: 100-continue, 100-Continue~Content-Length: 2~~{}", "100 200"),
        (b"@Expect: 100-continue~Expect: 100-continue~Content-Length: 2~~{}", "100 200"),
        (b"@Expect: 100-continue~Expect: x~Content-Length: 2~~{}", "417!"),
        (b"@Expect: 100-continue,~Content-Length: 2~~{}", "417!"),
        (b"POST /api/data HTTP/1.0~Expect: 100-continue~Content-Length: 2~~{}", "200!"),
        (b"POST /nowhere HTTP/1.1~Host: x~Expect: 100-continue~Content-Length: 2~~", "404!"),
        (b"GET /api/data HTTP/1.1~Host: x~Expect: 100-continue~Content-Length: 2~~", "405!"),
        (b"@Expect: 100-continue~Content-Length: 65537~~", "413!"),
        (b"@Expect: 100-continue~~", "411!"),
    ]);
}

#[test]
fn rfc9110_14_5_partial_put() {
    check(&[
        (b"PUT /put HTTP/1.1~Host: x~Content-Range: bytes 0-1/9~Content-Length: 2~~{}", "400"),
        (b"@Content-Range: bytes 0-1/9~Content-Length: 2~~{}", "200"),
        (b"PUT /put HTTP/1.1~Host: x~Range: bytes=0-1~Content-Length: 2~~{}", "200"),
    ]);
}

#[test]
fn rfc9110_8_4_content_encoding() {
    check(&[
        (b"@Content-Encoding: identity~Content-Length: 2~~{}", "200"),
        (b"@Content-Encoding: br~Content-Length: 2~~{}", "415"),
        (b"@Content-Encoding: zstd~Content-Length: 2~~{}", "415"),
        (b"@Content-Encoding: compress~Content-Length: 2~~{}", "415"),
    ]);
}

#[test]
fn rfc6585_5_and_rfc9110_15_5_15_sizes() {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    let target = |n: usize| format!("POST /{} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}", "a".repeat(n - 1));
    let query = |n: usize| format!("POST /api/data?{} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}", "a".repeat(n - 10));
    let fields = |n: usize| format!("POST /api/data HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n{}\r\n{{}}", "A: b\r\n".repeat(n - 2));
    let head = |n: usize| {
        let bare = "POST /api/data HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nA: \r\n\r\n".len();
        format!("POST /api/data HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nA: {}\r\n\r\n{{}}", "b".repeat(n - bare))
    };
    let extension = |n: usize| {
        format!("POST /api/data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(n - 1))
    };
    let trailer = |n: usize| {
        format!("POST /api/data HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nA:{}\r\n\r\n", "a".repeat(n - 2))
    };
    for (raw, status, closed) in [
        (target(2048), 404, false),
        (target(2049), 414, true),
        (target(8000), 414, true),
        (target(70_000), 414, true),
        (query(2048), 200, false),
        (query(2049), 414, true),
        (fields(64), 200, false),
        (fields(65), 431, true),
        (fields(500), 431, true),
        (head(8192), 200, false),
        (head(8193), 431, true),
        (head(100_000), 431, true),
        (extension(1024), 200, false),
        (extension(1025), 400, true),
        (trailer(1024), 200, false),
        (trailer(1025), 431, true),
    ] {
        let mut client = Client::connect(gate.data());
        client.send(raw.as_bytes());
        let reply = client.reply();
        let what = &raw[..raw.len().min(60)];
        assert_eq!(reply.status, status, "{what} ({}): {reply:?}", raw.len());
        assert_eq!(reply.field("connection") == Some("close"), closed, "{what}");
        if closed {
            assert!(client.is_closed(), "{what}");
        } else {
            assert_eq!(client.ask("POST", "/api/data", "{}").status, 200, "{what}");
        }
    }
}

#[test]
fn rfc9112_8_incomplete_messages() {
    let scratch = Scratch::new();
    let gate = ready(&scratch);
    for (line, want) in [
        (&b"POST /api/data HTT"[..], Some(400)),
        (b"POST /api/data HTTP/1.1~Host: x", Some(400)),
        (b"@Content-Length: 5~~{}", Some(400)),
        (b"@Transfer-Encoding: chunked~~2~{}~", Some(400)),
        (b"@Transfer-Encoding: chunked~~2~{}~0~", Some(400)),
        (b"@Transfer-Encoding: chunked~~9~{}", Some(400)),
        (b"", None),
        (b"~", None),
    ] {
        let mut client = Client::connect(gate.data());
        client.send(&bytes(line));
        client.finish();
        assert_eq!(client.try_reply().map(|reply| reply.status), want, "{}", line.escape_ascii());
        assert!(client.is_closed(), "{}", line.escape_ascii());
    }
    assert_eq!(gate.push("/api/data", "{}").status, 200);
    assert_eq!(gate.counters()["streams"]["demo"]["accepted_total"], 1, "half a body is no reading");
}

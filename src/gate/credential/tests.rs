//! Credentials against real heads.

use std::net::IpAddr;

use proptest::prelude::*;
use ring::pbkdf2;
use serde_json::{Value, json};

use super::*;
use crate::config::Origin;
use crate::config::credentials::credentials;
use crate::time::{Instant, Timestamp};
use crate::wire::{Certificate, HeadInfo};

const NOW: Now = Now { mono: Instant(1_000_000_000), wall: Timestamp(1_700_000_000_000) };

fn conf(list: &Value) -> Vec<CredentialConf> {
    credentials(list, &Origin::Rest).unwrap_or_else(|e| panic!("{list}: {e}"))
}

fn access(list: Value) -> Access {
    let mut load = |from: &SecretFrom| match from {
        SecretFrom::File(path) => Ok(path.trim_start_matches('/').to_owned()),
        other => Err(format!("{other:?}")),
    };
    Access::new(conf(&list), LimitsConf::default(), &mut load).unwrap_or_else(|e| panic!("{list}: {e}"))
}

fn table() -> Admission {
    Admission::new(64, 8, 1, 7)
}

struct Asked<'a> {
    access: &'a Access,
    table: Admission,
    guesses: Guesses,
    peer: Peer,
}

impl Asked<'_> {
    fn judge(&mut self, fields: &str) -> Result<Found, Fault> {
        self.with(fields, NOW, None)
    }

    fn with(&mut self, fields: &str, now: Now, body: Option<&[u8]>) -> Result<Found, Fault> {
        let raw = format!("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{fields}\r\n");
        let mut info = HeadInfo::default();
        info.parse(raw.as_bytes()).unwrap_or_else(|e| panic!("{raw}: {e}"));
        let head = info.view(raw.as_bytes());
        let found = loop {
            match self.access.judge(&head, &self.peer, &mut self.table, &mut self.guesses, now) {
                Err(Fault::Waiting) => self.guesses.advance(now.mono, &mut self.table),
                found => break found?,
            }
        };
        if let (Found::Signed(index), Some(body)) = (found, body) {
            self.access.verify(index, &head, body, now)?;
        }
        Ok(found)
    }
}

fn ask(access: &Access) -> Asked<'_> {
    Asked { access, table: table(), guesses: Guesses::default(), peer: Peer::new(IpAddr::from([10, 0, 0, 1]), false) }
}

fn basic(text: &str) -> String {
    format!("Authorization: Basic {}\r\n", data_encoding::BASE64.encode_display(text.as_bytes()))
}

#[test]
fn no_credentials_no_questions() {
    let open = Access::open();
    assert_eq!(ask(&open).judge(""), Ok(Found::Anyone));
    assert_eq!(ask(&open).judge("Authorization: Bearer x\r\nAuthorization: Bearer y\r\n"), Ok(Found::Anyone));
}

#[test]
fn bearer_tokens() {
    let hash = data_encoding::HEXLOWER.encode_display(&sha256(b"two")).to_string();
    let access = access(json!([
        {"name": "a", "type": "bearer", "secret": "one"},
        {"name": "b", "type": "bearer", "sha256": hash},
        {"name": "c", "type": "bearer", "secretFile": "/three"},
    ]));
    for (fields, want) in [
        ("Authorization: Bearer one\r\n", Ok(Found::Known(0))),
        ("authorization: bearer   two\r\n", Ok(Found::Known(1))),
        ("Authorization: BEARER three\r\n", Ok(Found::Known(2))),
        ("", Err(Fault::Missing)),
        ("Authorization: Bearer four\r\n", Err(Fault::Wrong)),
        ("Authorization: Bearer\r\n", Err(Fault::Wrong)),
        ("Authorization: Bearer one two\r\n", Err(Fault::Wrong)),
        ("Authorization: one\r\n", Err(Fault::Wrong)),
        ("Authorization: Basic b25l\r\n", Err(Fault::Wrong)),
        ("Authorization: Bearer one\r\nAuthorization: Bearer one\r\n", Err(Fault::Twice)),
        ("X-Token: one\r\n", Err(Fault::Missing)),
    ] {
        assert_eq!(ask(&access).judge(fields), want, "{fields}");
    }
}

#[test]
fn tokens_in_fields_of_their_own() {
    let access = access(json!([
        {"name": "a", "type": "header", "header": "X-Token", "secret": "one"},
        {"name": "b", "type": "header", "header": "X-Other", "secret": "one"},
        {"name": "c", "type": "bearer", "secret": "one"},
    ]));
    for (fields, want) in [
        ("x-token: one\r\n", Ok(Found::Known(0))),
        ("X-Other: one\r\n", Ok(Found::Known(1))),
        ("X-Token: none\r\nX-Other: one\r\n", Ok(Found::Known(1))),
        ("Authorization: Bearer none\r\nX-Token: one\r\n", Ok(Found::Known(0))),
        ("X-Token: two\r\n", Err(Fault::Wrong)),
        ("X-Token: one\r\nX-Token: one\r\n", Err(Fault::Twice)),
        ("X-Token:\r\n", Err(Fault::Wrong)),
    ] {
        assert_eq!(ask(&access).judge(fields), want, "{fields}");
    }
}

#[test]
fn passwords_hashed_once() {
    let mut hash = [0; 32];
    let salt = [3; 16];
    let rounds = core::num::NonZeroU32::new(1000).expect("not zero");
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, b"pw:1", &mut hash);
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode_display(bytes).to_string();
    let slow = format!("1000:{}:{}", base64(&salt), base64(&hash));
    let access = access(json!([
        {"name": "bob", "type": "basic", "pbkdf2": slow},
        {"name": "eve", "type": "basic", "user": "E v e", "secret": "pw2"},
    ]));
    let mut asked = ask(&access);
    assert_eq!(asked.judge(&basic("E v e:pw2")), Ok(Found::Known(1)));
    for wrong in ["bob:pw", "bob:", "eve:pw2", "E v e:pw", "nobody:pw:1"] {
        assert_eq!(asked.judge(&basic(wrong)), Err(Fault::Wrong), "{wrong}");
    }
    assert_eq!(asked.judge("Authorization: Basic !!\r\n"), Err(Fault::Wrong));
    assert_eq!(asked.judge(&basic(&"x".repeat(2000))), Err(Fault::Wrong));
    assert_eq!(asked.judge(&basic("bob:pw:1")), Ok(Found::Known(0)));
    // Now it is known, a wrong one is told without hashing: nothing is used up however many there are.
    for _ in 0..100 {
        assert_eq!(asked.judge(&basic("bob:nope")), Err(Fault::Wrong));
    }
    assert_eq!(asked.judge(&basic("bob:pw:1")), Ok(Found::Known(0)));
}

#[test]
fn guessing_passwords_is_slowed_down_by_address() {
    let slow = format!("1000:{}:{}", data_encoding::BASE64.encode_display(&[1; 16]), data_encoding::BASE64.encode_display(&[2; 32]));
    let access = access(json!([{"name": "bob", "type": "basic", "pbkdf2": slow}]));
    let mut asked = ask(&access);
    let results: Vec<_> = (0..6).map(|i| asked.judge(&basic(&format!("bob:{i}")))).collect();
    assert_eq!(results[..4], [Err(Fault::Wrong); 4]);
    assert_eq!(results[4..], [Err(Fault::Busy(5)); 2]);
    asked.peer.addr = [10, 0, 0, 2].into();
    assert_eq!(asked.judge(&basic("bob:x")), Err(Fault::Wrong));
}

fn mac(key: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
    parts.iter().for_each(|part| context.update(part));
    context.sign().as_ref().to_vec()
}

#[test]
fn signatures_in_all_their_forms() {
    let access = access(json!([
        {"name": "a", "type": "hmac", "keyId": "k1", "secret": "s1"},
        {"name": "b", "type": "hmac", "keyId": "k2", "secretFile": "/s2"},
        {"name": "c", "type": "hmac", "header": "X-Hub-Signature-256", "secret": "s3"},
    ]));
    let body = b"{\"a\":1}";
    let sum = mac("s1", &[body]);
    let hex = data_encoding::HEXLOWER.encode_display(&sum).to_string();
    let base64 = data_encoding::BASE64.encode_display(&sum).to_string();
    let mut asked = ask(&access);
    for form in
        [hex.clone(), hex.to_uppercase(), format!("sha256={hex}"), base64.clone(), format!("sha256={base64}"), base64.replace('=', "")]
    {
        let fields = format!("X-Key-Id: k1\r\nX-Signature: {form}\r\n");
        assert_eq!(asked.with(&fields, NOW, Some(body)), Ok(Found::Signed(0)), "{form}");
        assert_eq!(asked.with(&fields, NOW, Some(b"{\"a\":2}")), Err(Fault::Signature), "{form}");
        assert_eq!(asked.with(&fields.replace("k1", "k2"), NOW, Some(body)), Err(Fault::Signature), "the key of another");
    }
    for (fields, want) in [
        (format!("X-Key-Id: k9\r\nX-Signature: {hex}\r\n"), Err(Fault::Wrong)),
        (format!("X-Signature: {hex}\r\n"), Err(Fault::Wrong)),
        ("X-Key-Id: k1\r\n".to_owned(), Err(Fault::Missing)),
        ("X-Key-Id: k1\r\nX-Signature: \r\n".to_owned(), Err(Fault::Signature)),
        (format!("X-Key-Id: k1\r\nX-Signature: {}\r\n", &hex[1..]), Err(Fault::Signature)),
        (format!("X-Key-Id: k1\r\nX-Signature: {}z\r\n", &hex[1..]), Err(Fault::Signature)),
        (format!("X-Key-Id: k1\r\nX-Signature: {hex}\r\nX-Signature: {hex}\r\n"), Err(Fault::Twice)),
        (format!("X-Key-Id: k1\r\nX-Key-Id: k2\r\nX-Signature: {hex}\r\n"), Err(Fault::Twice)),
    ] {
        assert_eq!(asked.with(&fields, NOW, Some(body)), want, "{fields}");
    }
    let github = format!("X-Hub-Signature-256: sha256={}\r\n", data_encoding::HEXLOWER.encode_display(&mac("s3", &[body])));
    assert_eq!(asked.with(&github, NOW, Some(body)), Ok(Found::Signed(2)));
}

#[test]
fn signed_times_at_the_skew_and_one_past_it() {
    let access = access(json!([{"name": "a", "type": "hmac", "secret": "s", "timestampHeader": "X-Time", "maxSkew": "1m"}]));
    let mut asked = ask(&access);
    let mut at = |time: &str, signed: &str| {
        let sum = data_encoding::HEXLOWER.encode_display(&mac("s", &[signed.as_bytes(), b".", b"{}"])).to_string();
        let field = if time.is_empty() { String::new() } else { format!("X-Time: {time}\r\n") };
        asked.with(&format!("X-Signature: {sum}\r\n{field}"), NOW, Some(b"{}"))
    };
    let good = Ok(Found::Signed(0));
    for (time, want) in [
        ("1700000000", good),
        ("1699999940", good),
        ("1699999939", Err(Fault::Stale)),
        ("1700000060", good),
        ("1700000061", Err(Fault::Stale)),
        ("1700000060000", good),
        ("1700000060001", Err(Fault::Stale)),
        ("", Err(Fault::Stale)),
        ("soon", Err(Fault::Stale)),
        ("-5", Err(Fault::Stale)),
        ("9999999999999999", Err(Fault::Stale)),
    ] {
        assert_eq!(at(time, time), want, "{time}");
    }
    assert_eq!(at("1700000001", "1700000000"), Err(Fault::Signature), "the time is signed too");
}

#[test]
fn what_is_remembered_of_a_signed_request() {
    let access = access(json!([
        {"name": "a", "type": "hmac", "secret": "s", "keyId": "k1", "timestampHeader": "X-Time", "maxSkew": "1m"},
        {"name": "b", "type": "hmac", "secret": "t", "keyId": "k2"},
    ]));
    let verified = |key: &str, id: &str, time: &str, body: &[u8]| {
        let text = if id == "k1" { format!("{time}.") } else { String::new() };
        let sum = data_encoding::HEXLOWER.encode_display(&mac(key, &[text.as_bytes(), body])).to_string();
        let raw =
            format!("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nX-Key-Id: {id}\r\nX-Time: {time}\r\nX-Signature: {sum}\r\n\r\n");
        let mut info = HeadInfo::default();
        info.parse(raw.as_bytes()).expect("a head");
        access.verify(u16::from(id == "k2"), &info.view(raw.as_bytes()), body, NOW).expect("a good signature")
    };
    let one = verified("s", "k1", "1700000000", b"{}").expect("it holds a time");
    assert_eq!((one.time, one.skew_ms), (Timestamp(1_700_000_000_000), 60_000));
    assert_eq!(verified("s", "k1", "1700000000", b"{}"), Some(one), "the same again");
    for (time, body) in [("1700000001", &b"{}"[..]), ("1700000000000", b"{}"), ("1700000000", b"{} ")] {
        let other = verified("s", "k1", time, body).expect("it holds a time");
        assert!(other.mark != one.mark && other.key == one.key);
    }
    assert_eq!(verified("t", "k2", "1700000000", b"{}"), None, "nothing tells it from another");
    assert!(access.signs_times());
}

#[test]
fn a_password_is_only_worked_at_when_nothing_else_lets_in() {
    let slow = format!("1000:{}:{}", data_encoding::BASE64.encode_display(&[1; 16]), data_encoding::BASE64.encode_display(&[2; 32]));
    let access = access(json!([
        {"name": "bob", "type": "basic", "pbkdf2": slow},
        {"name": "t", "type": "header", "header": "X-Token", "secret": "one"},
    ]));
    let mut asked = ask(&access);
    let both = format!("{}X-Token: one\r\n", basic("bob:x"));
    assert_eq!(asked.judge(&both), Ok(Found::Known(1)));
    assert!(!asked.guesses.is_at_work());
    assert_eq!(asked.judge(&format!("{}X-Token: two\r\n", basic("bob:x"))), Err(Fault::Wrong));
    let closed = Access::closed();
    assert_eq!((ask(&closed).judge(&both), closed.is_open(), closed.refusal(Fault::Unguarded).status), (Err(Fault::Unguarded), false, 503));
    assert!(closed != Access::open());
}

#[test]
fn many_wrong_signatures_stop_an_address_for_a_while() {
    let access = access(json!([{"name": "a", "type": "hmac", "secret": "s"}]));
    let mut asked = ask(&access);
    let good = format!("X-Signature: {}\r\n", data_encoding::HEXLOWER.encode_display(&mac("s", &[b"{}"])));
    for _ in 0..100 {
        assert_eq!(asked.judge(&good), Ok(Found::Signed(0)));
        asked.table.failed(asked.peer.addr, NOW.mono);
    }
    assert_eq!(asked.judge(&good), Err(Fault::Busy(1)));
    let later = Now { mono: Instant(NOW.mono.0 + 100_000_000), ..NOW };
    assert_eq!(asked.with(&good, later, Some(b"{}")), Ok(Found::Signed(0)));
}

#[test]
fn certificates_by_subject_and_name() {
    let access = access(json!([
        {"name": "a", "type": "certificate", "subject": "CN=a,O=Acme"},
        {"name": "b", "type": "cert", "san": ["B.example", "URI:urn:dev:7"]},
        {"name": "c", "type": "cert", "subject": ["CN=c", "CN=d"], "san": "IP:10.0.0.7"},
    ]));
    let mut asked = ask(&access);
    assert_eq!(asked.judge(""), Err(Fault::Missing));
    let mut shows = |subject: &str, names: &[&str]| {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        asked.peer.certificate = Some(Arc::new(Certificate { subject: subject.into(), names, ..Certificate::default() }));
        asked.judge("")
    };
    for (subject, names, want) in [
        ("CN=a,O=Acme", &["DNS:x"][..], Ok(Found::Known(0))),
        ("CN=a", &[], Err(Fault::NotListed)),
        ("CN=x", &["DNS:b.EXAMPLE"], Ok(Found::Known(1))),
        ("CN=x", &["URI:urn:dev:7"], Ok(Found::Known(1))),
        ("CN=x", &["email:b.example"], Err(Fault::NotListed)),
        ("CN=x", &["URI:B.example"], Ok(Found::Known(1))),
        ("CN=d", &["IP:10.0.0.7"], Ok(Found::Known(2))),
        ("CN=d", &["IP:10.0.0.8"], Err(Fault::NotListed)),
        ("CN=x", &["IP:10.0.0.7"], Err(Fault::NotListed)),
    ] {
        assert_eq!(shows(subject, names), want, "{subject} {names:?}");
    }
    assert_eq!(access.refusal(Fault::NotListed).status, 403);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the fields, there is an answer, and only what is ours lets in.
    #[test]
    fn no_field_breaks_it(
        fields in proptest::collection::vec(
            (0_usize..6, "[ -~]{0,80}|(Basic|Bearer) [A-Za-z0-9+/=]{0,80}|sha256=[0-9a-f]{0,70}|[0-9]{0,18}"),
            0..5,
        ),
        body in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let access = access(json!([
            {"name": "a", "type": "bearer", "secret": "ours-a"},
            {"name": "b", "type": "basic", "secret": "ours-b"},
            {"name": "c", "type": "header", "header": "X-Token", "secret": "ours-c"},
            {"name": "d", "type": "hmac", "keyId": "k1", "secret": "ours-d", "timestampHeader": "X-Time"},
        ]));
        let names = ["Authorization", "X-Token", "X-Key-Id", "X-Signature", "X-Time", "Other"];
        let text: String = fields.iter().map(|(name, value)| format!("{}: {value}\r\n", names[*name])).collect();
        let found = ask(&access).with(&text, NOW, Some(&body));
        prop_assert!(found.is_err(), "{text}");
        let status = access.refusal(found.expect_err("just seen")).status;
        prop_assert!(status == 401 || status == 429);
    }
}

#[test]
fn refusals_challenge() {
    let mixed = access(json!([
        {"name": "a", "type": "bearer", "secret": "one"},
        {"name": "b", "type": "basic", "secret": "two"},
        {"name": "c", "type": "hmac", "secret": "three"},
    ]));
    let mut out = Vec::new();
    mixed.refusal(Fault::Missing).emit(&mut out, &crate::wire::reply::Style::default()).expect("room");
    let text = String::from_utf8_lossy(&out);
    for want in [
        "HTTP/1.1 401 Unauthorized\r\n",
        "WWW-Authenticate: Bearer realm=\"pushgate\"\r\n",
        "WWW-Authenticate: Basic realm=\"pushgate\", charset=\"UTF-8\"\r\n",
        "WWW-Authenticate: HMAC-SHA256 realm=\"pushgate\", field=\"x-signature\"\r\n",
        "\r\n\r\n{\"error\":401,\"message\":\"this endpoint asks for a credential\"}",
    ] {
        assert!(text.contains(want), "{text}");
    }
    // More fields than an answer holds: as many as fit.
    let many: Vec<_> = (0..100)
        .map(|i| json!({"name": format!("n{i}"), "type": "header", "header": format!("x-{i}-{}", "h".repeat(40)), "secret": "s"}))
        .collect();
    let reply = access(json!(many)).refusal(Fault::Wrong);
    let mut out = Vec::new();
    reply.emit(&mut out, &crate::wire::reply::Style::default()).expect("room");
    assert!(out.len() < 1500 && reply.status == 401);
    assert_eq!(mixed.refusal(Fault::Busy(7)).retry_after_s, 7);
}

#[test]
fn what_cannot_be_loaded_is_named_without_its_secret() {
    let broken = |list: Value, file: &str| {
        let file = file.to_owned();
        Access::new(conf(&list), LimitsConf::default(), &mut |_| Ok(file.clone())).expect_err("refused")
    };
    let one = |kind: &str| json!([{"name": "a", "type": kind, "secretFile": "/f"}]);
    assert_eq!(broken(one("bearer"), ""), "credential a: the first line of the file has 0 bytes, expected 1 to 512");
    assert_eq!(broken(one("bearer"), "sha256:zz"), "credential a: the file holds a broken sha256 line");
    assert_eq!(broken(one("basic"), "pbkdf2:zz"), "credential a: the file holds a broken pbkdf2 line");
    assert!(broken(one("hmac"), &format!("sha256:{}", "a".repeat(64))).contains("needs the key itself"));
    let twice = json!([{"name": "a", "type": "bearer", "secret": "same"}, {"name": "b", "type": "bearer", "secret": "same"}]);
    let why = broken(twice, "");
    assert!(why.contains("have the same secret") && !why.contains("same secret\""), "{why}");
    let hashed = format!("sha256:{}\n", data_encoding::HEXLOWER.encode_display(&sha256(b"one")));
    let access = Access::new(conf(&one("bearer")), LimitsConf::default(), &mut |_| Ok(hashed.clone())).expect("a hash will do");
    assert_eq!(ask(&access).judge("Authorization: Bearer one\r\n"), Ok(Found::Known(0)));
    assert_eq!(format!("{access:?}"), "[Credential(a)]");
}

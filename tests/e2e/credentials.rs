//! Who may post: every type of credential through the real program, revoked while connections stay, and no secret in sight.

use serde_json::{Value, json};

use crate::{
    gate::{Gate, Scratch, finish, program, to_file, until},
    http::{Client, request},
};

const PUT: &str = "/metadata/sources/httppush/confKeys/k";

/// A gate with a stream `demo` on `/a` that takes its credentials from the conf key `k`.
fn guarded(scratch: &Scratch, conf: &Value, sql: &str) -> Gate {
    let gate = Gate::start(scratch);
    gate.tell("PUT", PUT, &conf.to_string());
    gate.sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#);
    gate.rule("r1", sql, &to_file(&scratch.path("out")));
    gate
}

fn post(client: &mut Client, fields: &str, body: &str) -> u16 {
    client.send(request("POST", "/a", fields, body).as_bytes());
    client.reply().status
}

fn hmac_hex(key: &str, text: &str) -> String {
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes()), text.as_bytes());
    tag.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn a_new_token_lets_in_and_is_named() {
    let scratch = Scratch::new();
    let (code, text, _) = finish(program().args(["credential", "new", "--name", "press-7"]));
    assert_eq!(code, 0);
    let token = text.lines().nth(1).expect("a token").to_owned();
    let hash = text.split("sha256: \"").nth(1).and_then(|t| t.split('"').next()).expect("a hash");
    let conf = json!({"credentials": [{"name": "press-7", "type": "bearer", "sha256": hash}]});
    let gate = guarded(&scratch, &conf, r#"SELECT a, meta("credential") AS who FROM demo"#);
    let mut client = Client::connect(gate.data());
    // Refused from the head: the body is never sent.
    client.send(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    let reply = client.reply();
    assert_eq!(reply.status, 401);
    assert_eq!(reply.field("WWW-Authenticate"), Some("Bearer realm=\"pushgate\""));
    assert_eq!(reply.field("Content-Type"), Some("application/json"));
    assert!(reply.body.contains("\"error\":401"), "{reply:?}");
    let mut client = Client::connect(gate.data());
    assert_eq!(post(&mut client, "Authorization: Bearer wrong\r\n", r#"{"a":1}"#), 401);
    assert_eq!(post(&mut client, &format!("Authorization: Bearer {token}\r\n"), r#"{"a":2}"#), 200);
    until("the reading arrives", || !scratch.lines("out").is_empty());
    assert_eq!(scratch.lines("out"), [r#"{"a":2,"who":"press-7"}"#]);
    let counters = gate.counters();
    assert_eq!(counters["port"]["refused_credential_total"], 2);
    assert_eq!(counters["streams"]["demo"]["refused_credential_total"], 2);
    assert_eq!(gate.status("r1")["source_demo_0_refused_credential_total"], 2);
}

#[test]
fn revoking_over_rest_touches_no_connection() {
    let scratch = Scratch::new();
    let conf = |names: &[&str]| {
        let list: Vec<_> =
            names.iter().map(|n| json!({"name": n, "type": "header", "header": "X-Token", "secret": format!("{n}-secret")})).collect();
        json!({ "credentials": list })
    };
    let gate = guarded(&scratch, &conf(&["one", "two"]), "SELECT a FROM demo");
    let (mut one, mut two) = (Client::connect(gate.data()), Client::connect(gate.data()));
    assert_eq!(post(&mut one, "X-Token: one-secret\r\n", r#"{"a":1}"#), 200);
    assert_eq!(post(&mut two, "X-Token: two-secret\r\n", r#"{"a":2}"#), 200);
    // A request whose head was taken and whose credential goes before its body is in.
    one.send(b"POST /a HTTP/1.1\r\nHost: x\r\nX-Token: one-secret\r\nContent-Length: 7\r\n\r\n{");
    until("the head is taken", || gate.counters()["port"]["accepted_total"] == 2);
    gate.tell("PUT", PUT, &conf(&["two"]).to_string());
    one.send(br#""a":1}"#);
    assert_eq!(one.reply().status, 401);
    assert_eq!(post(&mut one, "X-Token: one-secret\r\n", r#"{"a":3}"#), 401);
    assert_eq!(post(&mut two, "X-Token: two-secret\r\n", r#"{"a":4}"#), 200, "the other connection stands");
    let shown = gate.tell("GET", "/metadata/sources/yaml/httppush", "");
    assert!(shown.contains("******") && !shown.contains("two-secret"), "{shown}");
    assert_eq!(gate.ask("DELETE", PUT, "").status, 400);
    let bad = gate.ask("PUT", PUT, r#"{"credentials":[{"name":"x","type":"bearer"}]}"#);
    assert!(bad.status == 400 && bad.body.contains("credentials[0].secret"), "{bad:?}");
    assert_eq!(post(&mut two, "X-Token: two-secret\r\n", r#"{"a":5}"#), 200);
}

#[test]
fn files_are_read_again_at_sighup() {
    let scratch = Scratch::new();
    let secret = scratch.write("token", "first\n");
    let conf = format!("k:\n  credentials:\n    - {{name: a, type: bearer, secretFile: {}}}\n", secret.display());
    scratch.write("sources/httppush.yaml", &conf);
    let gate = Gate::start_with(&scratch, "basic: {}\n");
    gate.sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#);
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("out")));
    let mut client = Client::connect(gate.data());
    assert_eq!(post(&mut client, "Authorization: Bearer first\r\n", "{}"), 200);
    scratch.write("token", "second\n");
    gate.reload("reload: credentials of 1 open streams");
    assert_eq!(post(&mut client, "Authorization: Bearer first\r\n", "{}"), 401);
    assert_eq!(post(&mut client, "Authorization: Bearer second\r\n", "{}"), 200);
    // A file that is broken now, and one that no longer names the conf key: who may post stays as it was.
    scratch.write("sources/httppush.yaml", "k:\n  credentials:\n    - {name: a, type: bearer}\n");
    gate.reload("stream demo keeps its credentials");
    assert!(gate.logged().iter().any(|l| l.contains("httppush.yaml:3: credentials[0].secret: expected")), "{:?}", gate.logged());
    scratch.write("sources/httppush.yaml", "other: {}\n");
    gate.reload("there is no conf key k");
    assert_eq!(post(&mut client, "", "{}"), 401);
    assert_eq!(post(&mut client, "Authorization: Bearer second\r\n", "{}"), 200);
}

#[test]
fn every_kind_is_read_again_while_connections_stand() {
    let scratch = Scratch::new();
    let hashed = |password: &str| {
        let (salt, mut hash) = ([6; 16], [0; 32]);
        let rounds = core::num::NonZeroU32::new(1000).expect("not zero");
        ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut hash);
        let b64 = |bytes: &[u8]| data_encoding::BASE64.encode_display(bytes).to_string();
        format!("pbkdf2:1000:{}:{}\n", b64(&salt), b64(&hash))
    };
    let write = |which: &str| {
        scratch.write("bearer", &format!("bearer-{which}\n"));
        scratch.write("basic", &hashed(&format!("basic-{which}")));
        scratch.write("hmac", &format!("hmac-{which}\n"));
        let file = |name: &str| scratch.text(name);
        let conf = json!({"k": {"credentials": [
            {"name": "a", "type": "bearer", "secretFile": file("bearer")},
            {"name": "bob", "type": "basic", "secretFile": file("basic")},
            {"name": "c", "type": "header", "header": "X-Token", "secret": format!("header-{which}")},
            {"name": "d", "type": "hmac", "secretFile": file("hmac")},
        ]}});
        scratch.write("sources/httppush.yaml", &conf.to_string());
    };
    let fields = |which: &str| {
        [
            format!("Authorization: Bearer bearer-{which}\r\n"),
            basic(&format!("basic-{which}")),
            format!("X-Token: header-{which}\r\n"),
            format!("X-Signature: {}\r\n", hmac_hex(&format!("hmac-{which}"), "{}")),
        ]
    };
    write("old");
    let gate = Gate::start_with(&scratch, "basic: {}\n");
    gate.sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#);
    gate.rule("r1", "SELECT a FROM demo", &json!({"nop": {}}));
    let mut clients: Vec<Client> = fields("old").iter().map(|_| Client::connect(gate.data())).collect();
    for (client, own) in clients.iter_mut().zip(fields("old")) {
        assert_eq!(post(client, &own, "{}"), 200, "{own}");
    }
    write("new");
    gate.reload("reload: credentials of 1 open streams");
    for ((client, old), new) in clients.iter_mut().zip(fields("old")).zip(fields("new")) {
        assert_eq!(post(client, &old, "{}"), 401, "{old}");
        assert_eq!(post(client, &new, "{}"), 200, "{new}");
    }
    assert_eq!(gate.counters()["port"]["connections_accepted_total"], 4, "no connection was lost");
}

#[test]
fn what_systemd_passes() {
    let scratch = Scratch::new();
    scratch.write("passed/line3", "from-systemd\n");
    scratch.write(
        "sources/httppush.yaml",
        "k:\n  credentials: [{name: a, type: bearer, systemdCredential: line3}]\nnone:\n  credentials: [{name: a, type: bearer, systemdCredential: line4}]\n",
    );
    let config = scratch.write("pushgate.yaml", "basic: {}\n");
    let mut command = program();
    command.arg("run").arg("--state").arg(scratch.path("state")).arg("--config").arg(config);
    let gate = Gate::spawn(command.env("CREDENTIALS_DIRECTORY", scratch.path("passed")));
    gate.sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#);
    gate.rule("r1", "SELECT a FROM demo", &json!({"nop": {}}));
    let mut client = Client::connect(gate.data());
    assert_eq!(post(&mut client, "Authorization: Bearer from-systemd\r\n", "{}"), 200);
    assert_eq!(post(&mut client, "Authorization: Bearer other\r\n", "{}"), 401);
    gate.sql(r#"CREATE STREAM lost () WITH (DATASOURCE="/l", FORMAT="json", TYPE="httppush", CONF_KEY="none")"#);
    let reply = gate.ask("POST", "/rules", &crate::gate::rule("r2", "SELECT a FROM lost", &json!({"nop": {}})));
    assert!(reply.status == 400 && reply.body.contains("credential a: ") && reply.body.contains("line4: "), "{reply:?}");
}

#[test]
fn signatures_and_passwords() {
    let scratch = Scratch::new();
    let hashed = |mut command: std::process::Command| {
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        std::io::Write::write_all(&mut child.stdin.take().expect("piped"), b"human pw\n").expect("typed");
        String::from_utf8(child.wait_with_output().expect("it ended").stdout).expect("text")
    };
    let mut command = program();
    command.args(["credential", "new", "--name", "bob", "--password", "--rounds", "2000"]);
    let line = hashed(command);
    let pbkdf2 = line.split('"').nth(1).expect("a hash");
    let conf = json!({"credentials": [
        {"name": "hook", "type": "hmac", "keyId": "k1", "secret": "hook-secret", "timestampHeader": "X-Time"},
        {"name": "bob", "type": "basic", "pbkdf2": pbkdf2},
    ]});
    let gate = guarded(&scratch, &conf, r#"SELECT a, meta("credential") AS who FROM demo"#);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let mut client = Client::connect(gate.data());
    let mut signed = |time: u64, body: &str, sent: &str| {
        let sum = hmac_hex("hook-secret", &format!("{time}.{body}"));
        post(&mut client, &format!("X-Key-Id: k1\r\nX-Time: {time}\r\nX-Signature: sha256={sum}\r\n"), sent)
    };
    assert_eq!(signed(now, r#"{"a":1}"#, r#"{"a":1}"#), 200);
    assert_eq!(signed(now, r#"{"a":1}"#, r#"{"a":9}"#), 401);
    // The same once more is one that somebody else has seen; what was not taken may come again.
    assert_eq!(signed(now, r#"{"a":1}"#, r#"{"a":1}"#), 401);
    assert_eq!(signed(now, "{", "{"), 400);
    assert_eq!(signed(now, "{", "{"), 400);
    assert_eq!(signed(now - 400, r#"{"a":1}"#, r#"{"a":1}"#), 401);
    assert_eq!(post(&mut client, "Authorization: Basic Ym9iOm51cmFuZG9t\r\n", "{}"), 401);
    assert_eq!(post(&mut client, "Authorization: Basic Ym9iOmh1bWFuIHB3\r\n", r#"{"a":2}"#), 200);
    until("both arrive", || scratch.lines("out").len() == 2);
    assert_eq!(scratch.lines("out"), [r#"{"a":1,"who":"hook"}"#, r#"{"a":2,"who":"bob"}"#]);
    let streams = &gate.counters()["streams"]["demo"];
    assert_eq!(
        (&streams["refused_signature_total"], &streams["refused_stale_total"], &streams["refused_credential_total"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!((&streams["refused_replayed_total"], &streams["refused_malformed_total"]), (&json!(1), &json!(2)));
}

/// A password that takes a million rounds, and somebody with a token.
fn slow_and_quick() -> Value {
    let b64 = |bytes: &[u8]| data_encoding::BASE64.encode_display(bytes).to_string();
    let mut hash = [0; 32];
    let rounds = core::num::NonZeroU32::new(1_000_000).expect("not zero");
    ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, rounds, &[5; 16], b"right", &mut hash);
    json!({"credentials": [
        {"name": "bob", "type": "basic", "pbkdf2": format!("1000000:{}:{}", b64(&[5; 16]), b64(&hash))},
        {"name": "sensor", "type": "bearer", "secret": "token"},
    ]})
}

fn basic(password: &str) -> String {
    format!("Authorization: Basic {}\r\n", data_encoding::BASE64.encode_display(format!("bob:{password}").as_bytes()))
}

#[test]
fn guesses_wait_and_readings_do_not() {
    let scratch = Scratch::new();
    let gate = guarded(&scratch, &slow_and_quick(), r#"SELECT a, meta("credential") AS who FROM demo"#);
    let mut honest = Client::connect(gate.data());
    // Guesses of one address, each on a connection of its own: four are worked at, one after the other, the fifth is too many.
    let mut guessers: Vec<Client> = (0..5).map(|_| Client::connect(gate.data())).collect();
    for (i, guesser) in guessers.iter_mut().enumerate() {
        guesser.send(request("POST", "/a", &basic(&format!("guess {i}")), "{}").as_bytes());
    }
    let last = guessers[4].reply();
    assert_eq!((last.status, last.field("Retry-After")), (429, Some("5")));
    for i in 0..50 {
        assert_eq!(post(&mut honest, "Authorization: Bearer token\r\n", &format!("{{\"a\":{i}}}")), 200);
    }
    for guesser in &mut guessers[..4] {
        assert_eq!(guesser.reply().status, 401);
    }
    // The connection goes on; what is known to be wrong costs nothing any more, and nothing is charged for it.
    for _ in 0..5 {
        assert_eq!(post(&mut guessers[0], &basic("guess 0"), "{}"), 401);
    }
    assert_eq!(post(&mut guessers[0], "Authorization: Bearer token\r\n", r#"{"a":50}"#), 200);
    until("all arrive", || scratch.lines("out").len() == 51);
    let streams = &gate.counters()["streams"]["demo"];
    assert_eq!((&streams["refused_credential_total"], &streams["refused_rate_total"]), (&json!(9), &json!(1)));
}

#[test]
fn a_right_password_is_worked_at_once_and_survives_a_reload() {
    let scratch = Scratch::new();
    let conf = slow_and_quick();
    scratch.write("sources/httppush.yaml", &format!("k: {conf}\n"));
    let gate = Gate::start_with(&scratch, "source: {headTimeout: 10s}\n");
    gate.sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#);
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("out")));
    // Two that show the same wait for one guess; a request sent behind one that waits waits with it.
    let (mut one, mut two) = (Client::connect(gate.data()), Client::connect(gate.data()));
    one.send(request("POST", "/a", &basic("right"), r#"{"a":1}"#).as_bytes());
    one.send(request("POST", "/a", &basic("right"), r#"{"a":2}"#).as_bytes());
    two.send(request("POST", "/a", &basic("right"), r#"{"a":3}"#).as_bytes());
    assert_eq!([one.reply().status, one.reply().status, two.reply().status], [200; 3]);
    assert_eq!(gate.counters()["port"]["requests_total"], 3, "a request that waited is counted once");
    gate.reload("reload: credentials of 1 open streams");
    assert_eq!(post(&mut one, &basic("right"), r#"{"a":4}"#), 200);
    assert_eq!(post(&mut one, &basic("wrong"), "{}"), 401);
}

#[test]
fn a_guess_that_takes_too_long_is_given_up() {
    let scratch = Scratch::new();
    scratch.write("sources/httppush.yaml", &format!("k: {}\n", slow_and_quick()));
    let gate = Gate::start_with(&scratch, "source: {headTimeout: 10ms}\n");
    gate.sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#);
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("out")));
    let mut client = Client::connect(gate.data());
    client.send(request("POST", "/a", &basic("right"), r#"{"a":1}"#).as_bytes());
    let reply = client.reply();
    assert_eq!((reply.status, reply.field("Retry-After")), (503, Some("1")), "{reply:?}");
    assert!(reply.body.contains("the credential could not be checked within source.headTimeout (10ms)"), "{reply:?}");
    // The work goes on, and who comes again is let in.
    until("the password is known", || post(&mut Client::connect(gate.data()), &basic("right"), r#"{"a":2}"#) == 200);
}

#[test]
fn a_conf_key_that_is_gone_at_a_start_opens_nothing() {
    let scratch = Scratch::new();
    let keyed = "k:\n  credentials: [{name: a, type: bearer, secret: first}]\n";
    scratch.write("sources/httppush.yaml", keyed);
    let gate = Gate::start_with(&scratch, "basic: {}\n");
    gate.sql(r#"CREATE STREAM demo () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush", CONF_KEY="k")"#);
    gate.sql(r#"CREATE STREAM free () WITH (DATASOURCE="/f", FORMAT="json", TYPE="httppush", CONF_KEY="never")"#);
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("out")));
    gate.rule("r2", "SELECT a FROM free", &json!({"nop": {}}));
    drop(gate);
    scratch.write("sources/httppush.yaml", "other: {}\n");
    let gate = Gate::start_with(&scratch, "basic: {}\n");
    for fields in ["", "Authorization: Bearer first\r\n"] {
        let mut client = Client::connect(gate.data());
        client.send(request("POST", "/a", fields, "{}").as_bytes());
        let reply = client.reply();
        assert_eq!((reply.status, reply.field("Retry-After")), (503, Some("60")), "{reply:?}");
        assert!(reply.body.contains("the conf key that guarded this stream is gone"), "{reply:?}");
    }
    let status = gate.status("r1");
    assert_eq!(status["message"], "stream demo: conf key k said who may post and is gone: nobody else is let in until it is back");
    assert_eq!((&status["status"], &status["source_demo_0_refused_conf_key_total"]), (&json!("running"), &json!(2)));
    assert_eq!(gate.push("/f", "{}").status, 200, "what was never guarded is served by the default section, as in eKuiper");
    scratch.write("sources/httppush.yaml", keyed);
    gate.reload("reload: credentials of 1 open streams");
    let mut client = Client::connect(gate.data());
    assert_eq!(post(&mut client, "", "{}"), 401);
    assert_eq!(post(&mut client, "Authorization: Bearer first\r\n", "{}"), 200);
    assert_eq!(gate.status("r1")["message"], "");
}

#[test]
fn rates_connections_and_answers() {
    let scratch = Scratch::new();
    let conf = json!({
        "credentials": [
            {"name": "slow", "type": "bearer", "secret": "s", "limits": {"requestsPerSecond": 0.01, "requestBurst": 2}},
            {"name": "few", "type": "bearer", "secret": "f", "limits": {"connections": 1}},
        ],
        "successCode": 202, "successBody": "{\"taken\":true}", "responseHeaders": {"X-Gate": "line3"},
    });
    let gate = guarded(&scratch, &conf, "SELECT a FROM demo");
    let mut client = Client::connect(gate.data());
    client.send(request("POST", "/a", "Authorization: Bearer s\r\n", "{}").as_bytes());
    let reply = client.reply();
    assert_eq!((reply.status, reply.body.as_str()), (202, r#"{"taken":true}"#));
    assert_eq!((reply.field("X-Gate"), reply.field("Content-Type")), (Some("line3"), Some("application/json")));
    assert_eq!(post(&mut client, "Authorization: Bearer s\r\n", "{}"), 202);
    client.send(request("POST", "/a", "Authorization: Bearer s\r\n", "{}").as_bytes());
    let reply = client.reply();
    assert_eq!(reply.status, 429);
    let wait: u32 = reply.field("Retry-After").and_then(|t| t.parse().ok()).expect("seconds");
    assert!((90..=100).contains(&wait) && reply.body.contains("credential slow"), "{reply:?}");
    assert_eq!(post(&mut client, "Authorization: Bearer f\r\n", "{}"), 202);
    let mut second = Client::connect(gate.data());
    assert_eq!(post(&mut second, "Authorization: Bearer f\r\n", "{}"), 429);
    drop(client);
    until("the first connection's end is seen", || {
        let mut again = Client::connect(gate.data());
        post(&mut again, "Authorization: Bearer f\r\n", "{}") == 202
    });
    let streams = &gate.counters()["streams"]["demo"];
    assert_eq!(streams["refused_rate_total"], 1);
    assert!(streams["refused_connections_total"].as_u64().is_some_and(|n| n >= 1));
}

#[test]
fn streams_of_one_endpoint_must_agree() {
    let scratch = Scratch::new();
    let gate = guarded(&scratch, &json!({"credentials": [{"name": "a", "type": "bearer", "secret": "s"}]}), "SELECT a FROM demo");
    let second = |name: &str, key: &str| {
        gate.sql(&format!(r#"CREATE STREAM {name} () WITH (DATASOURCE="/a", FORMAT="json", TYPE="httppush"{key})"#));
        gate.ask("POST", "/rules", &crate::gate::rule(&format!("r_{name}"), &format!("SELECT a FROM {name}"), &json!({"nop": {}})))
    };
    let reply = second("open", "");
    assert!(
        reply.status == 400 && reply.body.contains("streams demo and open share the endpoint POST /a but differ in credentials"),
        "{reply:?}"
    );
    assert_eq!(second("same", r#", CONF_KEY="k""#).status, 201);
    // One of the two alone may not change.
    gate.tell("PUT", "/metadata/sources/httppush/confKeys/j", r#"{"credentials":[{"name":"a","type":"bearer","secret":"s"}]}"#);
    assert_eq!(second("other", r#", CONF_KEY="j""#).status, 201);
    let reply = gate.ask("PUT", PUT, "{}");
    assert!(reply.status == 400 && reply.body.contains("differ in credentials"), "{reply:?}");
    let mut client = Client::connect(gate.data());
    assert_eq!(post(&mut client, "", "{}"), 401);
    assert_eq!(post(&mut client, "Authorization: Bearer s\r\n", "{}"), 200);
}

#[test]
fn no_secret_is_in_debug() {
    use pushgate::config::{Config, File, Input};
    let push = "k: {credentials: [{name: a, type: bearer, secret: s3cret}]}\nj: {credentials: s3cret}\n";
    let sources = [("httppush", File { name: "h.yaml", text: push })];
    let mut config = Config::load(&Input { main: None, sources: &sources, env: &[] }).expect("it loads");
    let made = json!({"Credentials": [{"name": "b", "type": "basic", "secret": "s3cret"}]});
    config.set_conf_key("httppush", "m", made.as_object().expect("an object").clone());
    let text = format!("{config:?} {config:#?} {:?} {:?}", config.conf_key("httppush", "k"), config.conf_key("httppush", "m"));
    assert!(text.contains("credentials") && text.contains("******") && !text.contains("s3cret"), "{text}");
}

#[test]
fn no_secret_is_ever_shown() {
    const SECRETS: [&str; 5] = ["bearer-s3cret", "basic-s3cret", "header-s3cret", "hmac-s3cret", "file-s3cret"];
    let scratch = Scratch::new();
    let file = scratch.write("token", "file-s3cret\n");
    let yaml = format!(
        "k:\n  credentials:\n    - {{name: a, type: bearer, secret: bearer-s3cret}}\n    - {{name: b, type: basic, secret: basic-s3cret}}\n    \
         - {{name: c, type: header, header: X-T, secret: header-s3cret}}\n    - {{name: d, type: hmac, secret: hmac-s3cret}}\n    \
         - {{name: e, type: bearer, secretFile: {}}}\nbroken:\n  credentials: [{{name: a, type: bearer, sha256: bearer-s3cret}}]\n\
         broken2:\n  credentials: bearer-s3cret\n",
        file.display()
    );
    scratch.write("sources/httppush.yaml", &yaml);
    let gate = Gate::start_with(&scratch, "basic: {debug: true, enableRestAuditLog: true}\n");
    gate.tell("PUT", "/metadata/sources/httppush/confKeys/m", r#"{"credentials":[{"name":"a","type":"bearer","secret":"bearer-s3cret"}]}"#);
    for (name, key) in [("demo", "k"), ("made", "m")] {
        gate.sql(&format!(r#"CREATE STREAM {name} () WITH (DATASOURCE="/{name}", FORMAT="json", TYPE="httppush", CONF_KEY="{key}")"#));
        gate.rule(&format!("r_{name}"), &format!("SELECT *, meta(header) AS h, meta(credential) AS c FROM {name}"), &json!({"log": {}}));
    }
    let mut client = Client::connect(gate.data());
    let mut answers = String::new();
    for path in ["/demo", "/made"] {
        for fields in [
            "Authorization: Bearer bearer-s3cret\r\n",
            "Authorization: Bearer file-s3cret\r\n",
            "Authorization: Basic YjpiYXNpYy1zM2NyZXQ=\r\n",
            "X-T: header-s3cret\r\n",
            "X-Signature: hmac-s3cret\r\n",
            "Authorization: Bearer bearer-s3cret \r\nAuthorization: Basic basic-s3cret\r\n",
        ] {
            client.send(request("POST", path, fields, "{}").as_bytes());
            answers += &format!("{:?}\n", client.reply());
        }
    }
    assert_eq!(answers.matches("status: 200").count(), 5, "{answers}");
    for target in
        ["/metadata/sources/yaml/httppush", "/data/export", "/v2/data/export", "/streams/demo", "/rules/r_demo/status", "/counters"]
    {
        answers += &gate.tell("GET", target, "");
    }
    gate.reload("reload: credentials of 2 open streams");
    answers += &format!("{:?}", gate.ask("PUT", "/metadata/sources/httppush/confKeys/m", r#"{"credentials":["bearer-s3cret"]}"#));
    let (_, out, err) = finish(
        program().args(["check", "--show", "--config"]).arg(scratch.path("pushgate.yaml")).arg("--state").arg(scratch.path("state")),
    );
    assert!(out.contains("credentials"), "{out}");
    let log = gate.logged().join("\n");
    for secret in SECRETS {
        for (place, text) in [("an answer", &answers), ("check --show", &out), ("check's errors", &err)] {
            assert!(!text.contains(secret), "{secret} in {place}: {text}");
        }
        // The field that a token stands in is shown to SQL: meta(header) leaves out only what HTTP itself calls a credential.
        let shown = log.lines().filter(|line| line.contains(secret)).collect::<Vec<_>>();
        assert!(shown.is_empty(), "{secret} in the log: {shown:?}");
    }
}

//! TLS on the data port: client certificates and their revocation, versions, certificates that change while it runs, plain HTTP.

use std::{net::SocketAddr, net::TcpStream, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use serde_json::json;

use crate::gate::{Gate, Scratch, finish, program, to_file, until};
use crate::http::{Client, connect, request};

/// An authority and what it has certified.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "plant authority");
        let key = KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        Self { der: made.der().clone(), pem: made.pem(), issuer: Issuer::new(params, key) }
    }

    /// `NAME.crt` and `NAME.key` for `name`, with that serial number.
    fn certify(&self, scratch: &Scratch, name: &str, serial: u64) -> Pair {
        self.certify_until(scratch, name, serial, 2150)
    }

    fn certify_until(&self, scratch: &Scratch, name: &str, serial: u64, year: i32) -> Pair {
        let mut params = CertificateParams::new(vec![name.to_owned(), "localhost".to_owned()]).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let made = params.signed_by(&key, &self.issuer).expect("a certificate");
        scratch.write(&format!("{name}.crt"), &made.pem());
        scratch.write(&format!("{name}.key"), &key.serialize_pem());
        Pair { cert: made.der().clone(), key: key.serialize_pem() }
    }

    /// A list that revokes those serial numbers.
    fn revoke(&self, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2150, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).expect("a list").pem().expect("PEM")
    }
}

struct Pair {
    cert: CertificateDer<'static>,
    key: String,
}

type Secure = Client<StreamOwned<ClientConnection, TcpStream>>;

/// A connection that trusts `authority` and shows `own`; an error when there is none in the end.
fn secure(
    addr: SocketAddr,
    authority: &Authority,
    own: Option<&Pair>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Secure, String> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der.clone()).expect("a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("the provider has them")
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key");
            builder.with_client_auth_cert(vec![pair.cert.clone()], key).expect("a pair")
        }
    };
    let mut session = ClientConnection::new(Arc::new(config), "localhost".try_into().expect("a name")).expect("a session");
    let mut socket = connect(addr);
    while session.is_handshaking() {
        session.complete_io(&mut socket).map_err(|error| error.to_string())?;
    }
    Ok(Client::over(StreamOwned::new(session, socket)))
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// A gate whose data port speaks TLS as `server`, with further lines below `httpServerTls`; `demo` is read into `rows.txt`.
fn gate(scratch: &Scratch, more: &[(&str, &str)]) -> Gate {
    let mut yaml =
        format!("source:\n  httpServerTls:\n    certfile: {}\n    keyfile: {}\n", scratch.text("server.crt"), scratch.text("server.key"));
    for (key, value) in more {
        yaml += &format!("    {key}: {value}\n");
    }
    let gate = Gate::start_with(scratch, &yaml);
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT a FROM demo", &to_file(&scratch.path("rows.txt")));
    gate
}

/// True if one reading gets through.
fn serves(client: Result<Secure, String>) -> bool {
    let Ok(mut client) = client else { return false };
    // With TLS 1.3 the server's refusal of a certificate comes after the client's handshake is done.
    client.try_ask("POST", "/api/data", r#"{"a":1}"#).is_some_and(|reply| reply.status == 200)
}

#[test]
fn client_certificates_required_revoked_and_foreign() {
    let scratch = Scratch::new();
    let (authority, foreign) = (Authority::new(), Authority::new());
    authority.certify(&scratch, "server", 1);
    let (good, revoked) = (authority.certify(&scratch, "good", 2), authority.certify(&scratch, "revoked", 3));
    let other = foreign.certify(&scratch, "other", 4);
    scratch.write("ca.crt", &authority.pem);
    scratch.write("ca.crl", &authority.revoke(&[3]));
    let gate = gate(&scratch, &[("clientCa", &scratch.text("ca.crt")), ("clientCrl", &scratch.text("ca.crl"))]);
    for versions in [&[&TLS13][..], &[&TLS12]] {
        let ask = |own| serves(secure(gate.data(), &authority, own, versions));
        assert!(ask(Some(&good)));
        assert!(!ask(None), "no certificate");
        assert!(!ask(Some(&revoked)), "revoked");
        assert!(!ask(Some(&other)), "of another authority");
        assert!(ask(Some(&good)));
    }
    let port = &gate.counters()["port"];
    assert_eq!(
        (&port["tls_handshakes_total"], &port["tls_failed_total"], &port["accepted_total"]),
        (&json!(4), &json!(6), &json!(4)),
        "{port}"
    );
    // A new list takes effect without a restart, and connections that stand go on.
    let mut standing = secure(gate.data(), &authority, Some(&good), BOTH).expect("still good");
    assert_eq!(standing.ask("POST", "/api/data", r#"{"a":1}"#).status, 200);
    scratch.write("ca.crl", &authority.revoke(&[2, 3]));
    until("the new list is in force", || !serves(secure(gate.data(), &authority, Some(&good), BOTH)));
    assert_eq!(standing.ask("POST", "/api/data", r#"{"a":1}"#).status, 200);
}

#[test]
fn client_certificates_that_may_be_left_out() {
    let scratch = Scratch::new();
    let (authority, foreign) = (Authority::new(), Authority::new());
    authority.certify(&scratch, "server", 1);
    let (good, other) = (authority.certify(&scratch, "good", 2), foreign.certify(&scratch, "other", 3));
    scratch.write("ca.crt", &authority.pem);
    let gate = gate(&scratch, &[("clientCa", &scratch.text("ca.crt")), ("clientAuth", "optional")]);
    let ask = |own| serves(secure(gate.data(), &authority, own, BOTH));
    assert!(ask(None) && ask(Some(&good)));
    assert!(!ask(Some(&other)), "one that is shown must be good");
}

#[test]
fn a_certificate_is_a_credential() {
    let scratch = Scratch::new();
    let authority = Authority::new();
    authority.certify(&scratch, "server", 1);
    let (press, panel, stray) =
        (authority.certify(&scratch, "press-7", 2), authority.certify(&scratch, "panel", 3), authority.certify(&scratch, "stray", 4));
    scratch.write("ca.crt", &authority.pem);
    let listed = json!({"credentials": [
        {"name": "by-san", "type": "certificate", "san": "DNS:PRESS-7"},
        {"name": "by-subject", "type": "certificate", "subject": "CN=panel"},
        {"name": "by-token", "type": "bearer", "secret": "t"},
    ]});
    scratch.write("sources/httppush.yaml", &format!("default: {listed}\n"));
    let gate = gate(&scratch, &[("clientCa", &scratch.text("ca.crt")), ("clientAuth", "optional")]);
    gate.rule("r2", "SELECT a, meta(credential) AS who FROM demo", &to_file(&scratch.path("who.txt")));
    let ask = |own, fields: &str, a: u32| {
        let mut client = secure(gate.data(), &authority, own, BOTH).expect("the authority vouches for it");
        client.send(request("POST", "/api/data", fields, &format!("{{\"a\":{a}}}")).as_bytes());
        client.reply().status
    };
    assert_eq!(ask(Some(&press), "", 1), 200);
    assert_eq!(ask(Some(&panel), "", 2), 200);
    assert_eq!(ask(Some(&stray), "", 3), 403);
    assert_eq!(ask(None, "", 4), 401);
    assert_eq!(ask(Some(&stray), "Authorization: Bearer t\r\n", 5), 200, "another credential will do");
    until("three rows", || scratch.lines("who.txt").len() == 3);
    let want = [r#"{"a":1,"who":"by-san"}"#, r#"{"a":2,"who":"by-subject"}"#, r#"{"a":5,"who":"by-token"}"#];
    assert_eq!(scratch.lines("who.txt"), want);
    let streams = &gate.counters()["streams"]["demo"];
    assert_eq!((&streams["refused_forbidden_total"], &streams["refused_credential_total"]), (&json!(1), &json!(1)));
    // The same offline.
    scratch.write("request.http", &request("POST", "/api/data", "", "{\"a\":1}"));
    for (file, code, words) in [("press-7.crt", 0, "credential  by-san"), ("stray.crt", 1, "credential  refused: 403")] {
        let mut command = program();
        command.arg("explain").arg(scratch.path("request.http")).arg("--certificate").arg(scratch.path(file));
        let (seen, out, err) = finish(command.arg("--config").arg(scratch.path("pushgate.yaml")).arg("--state").arg(scratch.path("state")));
        assert!(seen == code && out.contains(words), "{out}{err}");
    }
}

#[test]
fn versions() {
    for (key, value, twelve, thirteen) in [("minVersion", "1.3", false, true), ("maxVersion", "1.2", true, false)] {
        let scratch = Scratch::new();
        let authority = Authority::new();
        authority.certify(&scratch, "server", 1);
        let gate = gate(&scratch, &[(key, value)]);
        assert_eq!(serves(secure(gate.data(), &authority, None, &[&TLS12])), twelve, "{key} {value}");
        assert_eq!(serves(secure(gate.data(), &authority, None, &[&TLS13])), thirteen, "{key} {value}");
    }
}

#[test]
fn a_certificate_changes_while_connections_stand() {
    let scratch = Scratch::new();
    let (first, second) = (Authority::new(), Authority::new());
    first.certify(&scratch, "server", 1);
    let gate = gate(&scratch, &[]);
    let mut standing = secure(gate.data(), &first, None, BOTH).expect("trusted");
    assert_eq!(standing.ask("POST", "/api/data", r#"{"a":1}"#).status, 200);
    // By the file alone.
    second.certify(&scratch, "server", 1);
    until("the new certificate is in use", || serves(secure(gate.data(), &second, None, BOTH)));
    gate.wait_log("data port: certificate read again, it holds until Thu, 01 Jan 2150 00:00:00 GMT");
    assert!(!serves(secure(gate.data(), &first, None, BOTH)));
    assert_eq!(standing.ask("POST", "/api/data", r#"{"a":2}"#).status, 200, "a connection that stands goes on");
    // A bad one on SIGHUP: the old one stays, and it is said.
    let good = scratch.read("server.crt");
    scratch.write("server.crt", "no certificate\n");
    gate.hup();
    gate.wait_log("data port: the old certificate stays in use: certificate ");
    assert!(serves(secure(gate.data(), &second, None, BOTH)));
    // Back again by SIGHUP, at once.
    scratch.write("server.crt", &good);
    gate.hup();
    until("it was read", || gate.counters()["port"]["tls_reloads_total"].as_i64() >= Some(2));
    assert!(serves(secure(gate.data(), &second, None, BOTH)));
    let port = &gate.counters()["port"];
    assert!(port["tls_reloads_failed_total"].as_i64() >= Some(1), "{port}");
    assert!(port["data_certificate_expires_in_s"].as_i64() > Some(1_000_000_000), "{port}");
}

#[test]
fn management_takes_a_new_certificate_and_asks_for_one() {
    let scratch = Scratch::new();
    let (first, second) = (Authority::new(), Authority::new());
    first.certify(&scratch, "server", 1);
    let client = first.certify(&scratch, "operator", 2);
    scratch.write("ca.crt", &first.pem);
    let yaml = format!(
        "basic:\n  restTls:\n    certfile: {}\n    keyfile: {}\n    clientCa: {}\n",
        scratch.text("server.crt"),
        scratch.text("server.key"),
        scratch.text("ca.crt")
    );
    let gate = Gate::start_with(&scratch, &yaml);
    let ping = |authority, own| {
        secure(gate.management, authority, own, BOTH).ok().and_then(|mut c| c.try_ask("GET", "/ping", "")).map(|r| r.status)
    };
    assert_eq!((ping(&first, Some(&client)), ping(&first, None)), (Some(200), None));
    // It has not asked yet: the port ends a connection after its answer.
    let mut standing = secure(gate.management, &first, Some(&client), BOTH).expect("trusted");
    second.certify(&scratch, "server", 1);
    gate.hup();
    gate.wait_log("management port: certificate read again");
    assert_eq!((ping(&second, Some(&client)), ping(&first, Some(&client))), (Some(200), None));
    assert_eq!(standing.ask("GET", "/ping", "").status, 200);
    let mut plain = Client::connect(gate.management);
    plain.send(request("GET", "/ping", "", "").as_bytes());
    let reply = plain.reply();
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("this port speaks HTTPS") && plain.is_closed(), "{reply:?}");
}

#[test]
fn check_reads_the_certificates() {
    let scratch = Scratch::new();
    let authority = Authority::new();
    authority.certify_until(&scratch, "server", 1, 2020);
    let check = |cert: &str| {
        let yaml =
            format!("source:\n  httpServerTls:\n    certfile: {}\n    keyfile: {}\n", scratch.text(cert), scratch.text("server.key"));
        let config = scratch.write("p.yaml", &yaml);
        finish(program().arg("check").arg("--state").arg(scratch.path("state")).arg("--config").arg(config))
    };
    let (code, out, _) = check("server.crt");
    assert!(code == 0 && out.contains("warning: source.httpServerTls: the certificate expired on Wed, 01 Jan 2020"), "{out}");
    let (code, out, _) = check("none.crt");
    assert!(code == 65 && out.contains("source.httpServerTls: error: certificate ") && out.contains("none.crt: no such file"), "{out}");
}

#[test]
fn the_end_of_a_certificate_is_warned_of() {
    let scratch = Scratch::new();
    let authority = Authority::new();
    authority.certify_until(&scratch, "server", 1, 2020);
    let gate = gate(&scratch, &[]);
    gate.wait_log("data port: the certificate expired on Wed, 01 Jan 2020 00:00:00 GMT");
    assert!(gate.counters()["port"]["data_certificate_expires_in_s"].as_i64() < Some(0));
    let about = |gate: &Gate| serde_json::from_str::<serde_json::Value>(&gate.ask("GET", "/", "").body).expect("JSON");
    assert_eq!(about(&gate)["warnings"], json!(["data port: the certificate expired on Wed, 01 Jan 2020 00:00:00 GMT"]));
    assert!(gate.status("r1")["source_demo_0_certificate_expires_in_s"].as_i64() < Some(0));
    // One that holds takes all of it away.
    authority.certify(&scratch, "server", 1);
    gate.hup();
    until("the new certificate is in use", || about(&gate).get("warnings").is_none());
    assert!(gate.status("r1").get("source_demo_0_certificate_expires_in_s").is_none());
}

#[test]
fn plain_http_is_told_so() {
    let scratch = Scratch::new();
    let authority = Authority::new();
    authority.certify(&scratch, "server", 1);
    let gate = gate(&scratch, &[]);
    for body in ["{}", &" ".repeat(300_000)] {
        let mut plain = Client::connect(gate.data());
        plain.send(request("POST", "/api/data", "", body).as_bytes());
        let reply = plain.reply();
        assert_eq!((reply.status, reply.field("connection")), (400, Some("close")));
        assert!(reply.body.contains("this port speaks HTTPS"), "{reply:?}");
        assert!(plain.is_closed());
    }
    // What is neither ends without an answer in clear text.
    let mut noise = Client::connect(gate.data());
    noise.send(b"\x16\x03\x01\xff\xff\0\0\0\0\0\0");
    assert!(!noise.rest().contains("HTTP"));
    assert!(serves(secure(gate.data(), &authority, None, BOTH)));
    let port = &gate.counters()["port"];
    assert_eq!((&port["tls_plain_total"], &port["refused_bad_request_total"]), (&json!(2), &json!(2)), "{port}");
}

#[test]
fn the_handshake_has_its_own_deadline() {
    let scratch = Scratch::new();
    let authority = Authority::new();
    authority.certify(&scratch, "server", 1);
    let yaml = format!(
        "source:\n  handshakeTimeout: 200ms\n  firstByteTimeout: 1h\n  httpServerTls:\n    certfile: {}\n    keyfile: {}\n",
        scratch.text("server.crt"),
        scratch.text("server.key")
    );
    let gate = Gate::start_with(&scratch, &yaml);
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT a FROM demo", &json!({"nop": {}}));
    let mut silent = Client::connect(gate.data());
    let mut slow = Client::connect(gate.data());
    slow.send(b"\x16\x03\x01");
    // An alert may come, nothing else.
    assert!(silent.rest().len() < 32 && slow.rest().len() < 32);
    assert_eq!(gate.counters()["port"]["tls_timeout_total"], 2);
    assert!(serves(secure(gate.data(), &authority, None, BOTH)));
}

#[test]
fn tls_connections_have_a_ceiling_of_their_own() {
    let scratch = Scratch::new();
    let authority = Authority::new();
    authority.certify(&scratch, "server", 1);
    let yaml = format!(
        "limits: {{tlsConnCount: 2}}\nsource:\n  httpServerTls:\n    certfile: {}\n    keyfile: {}\n",
        scratch.text("server.crt"),
        scratch.text("server.key")
    );
    let gate = Gate::start_with(&scratch, &yaml);
    gate.stream("demo", "/api/data");
    gate.rule("r1", "SELECT a FROM demo", &json!({"nop": {}}));
    let mut all: Vec<_> = (0..3).map(|_| secure(gate.data(), &authority, None, BOTH).expect("trusted")).collect();
    assert!(all[0].rest().is_empty(), "the oldest idle one yielded");
    assert_eq!(all[1].ask("POST", "/api/data", "{}").status, 200);
    assert_eq!(all[2].ask("POST", "/api/data", "{}").status, 200);
    assert_eq!(gate.counters()["port"]["connections"], 2);
}

#[test]
fn what_is_wrong_with_the_configuration() {
    let scratch = Scratch::new();
    for (lines, want) in [
        (
            "certfile: a\n    keyfile: b\n    clientAuth: required\n",
            "source.httpServerTls: expected a clientCa whose certificates are taken",
        ),
        ("certfile: a\n    keyfile: b\n    clientCrl: c\n", "source.httpServerTls: expected a clientCa beside it"),
        ("certfile: a\n    keyfile: b\n    minVersion: 1.3\n    maxVersion: 1.2\n", "source.httpServerTls: expected at most maxVersion"),
        ("certfile: a\n    keyfile: b\n    minVersion: 1.1\n", "source.httpServerTls.minVersion: expected 1.2 or 1.3"),
        ("clientCa: c\n", "source.httpServerTls: expected certfile and keyfile"),
    ] {
        let config = scratch.write("p.yaml", &format!("source:\n  httpServerTls:\n    {lines}"));
        let (code, _, err) = finish(program().arg("run").arg("--state").arg(scratch.path("state")).arg("--config").arg(config));
        assert_eq!(code, 78, "{lines}: {err}");
        assert!(err.contains(want), "{lines}: {err}");
    }
}

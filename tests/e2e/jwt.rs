//! JSON web tokens on the management port.

use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

use crate::{
    gate::{Gate, Scratch, finish, program},
    http::{Client, Reply, request},
};

const PRIVATE: &[u8] = include_bytes!("../data/jwt/key.pk8");
const PUBLIC: &str = include_str!("../data/jwt/key.pub.pem");

fn token(claims: &str) -> String {
    let b64 = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode_display(bytes).to_string();
    let signed = format!("{}.{}", b64(br#"{"alg":"RS256","typ":"JWT"}"#), b64(claims.as_bytes()));
    let pair = RsaKeyPair::from_pkcs8(PRIVATE).expect("a key");
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &ring::rand::SystemRandom::new(), signed.as_bytes(), &mut signature).expect("signed");
    format!("{signed}.{}", b64(&signature))
}

fn ask(gate: &Gate, method: &str, target: &str, authorization: &str) -> Reply {
    let mut client = Client::connect(gate.management);
    let field = if authorization.is_empty() { String::new() } else { format!("Authorization: {authorization}\r\n") };
    client.send(request(method, target, &field, "").as_bytes());
    client.reply()
}

#[test]
fn a_token_opens_the_port_and_a_removed_key_closes_it() {
    let scratch = Scratch::new();
    let key = scratch.write("mgmt/Ops", PUBLIC);
    let gate = Gate::start_with(&scratch, "basic: {authentication: true}\n");
    for (method, target, status) in
        [("GET", "/ping", 200), ("GET", "/", 200), ("GET", "/nowhere", 404), ("DELETE", "/streams", 405), ("GET", "//streams", 301)]
    {
        assert_eq!(ask(&gate, method, target, "").status, status, "{method} {target}");
    }
    let reply = ask(&gate, "GET", "/streams", "");
    assert_eq!((reply.status, reply.body.as_str()), (401, "missing_token\n"));
    // Refused before the body comes.
    let mut client = Client::connect(gate.management);
    client.send(b"POST /streams HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
    assert_eq!(client.reply().status, 401);
    let good = token(r#"{"iss":"ops","aud":"eKuiper"}"#);
    for authorization in [good.clone(), format!("Bearer {good}")] {
        let reply = ask(&gate, "GET", "/streams", &authorization);
        assert_eq!((reply.status, reply.body.as_str()), (200, "[]"), "{reply:?}");
    }
    for (authorization, want) in [
        (token(r#"{"iss":"ops","aud":"other"}"#), "audience field should contain eKuiper, but got [other]\n"),
        (token(r#"{"iss":"ops","aud":"eKuiper","exp":1}"#), "validate token error: token has invalid claims: token is expired\n"),
        ("rubbish".to_owned(), "validate token error: token is malformed: token contains an invalid number of segments\n"),
    ] {
        let reply = ask(&gate, "GET", "/streams", &authorization);
        assert_eq!((reply.status, reply.body.as_str()), (401, want));
    }
    let show = |token: &str| {
        let url = format!("http://{}", gate.management);
        finish(program().args(["show", "streams"]).env("PUSHGATE_URL", url).env("PUSHGATE_TOKEN", token))
    };
    assert_eq!(show(&good).0, 0);
    let (code, out, err) = show("");
    assert!(code != 0 && (out + &err).contains("missing_token"));
    std::fs::remove_file(key).expect("removed");
    let reply = ask(&gate, "GET", "/streams", &good);
    assert!(reply.status == 401 && reply.body.contains("not found target key file ops in /etc/mgmt"), "{reply:?}");
    assert!(!gate.logged().iter().any(|line| line.contains(&good)), "a token in the log");
}

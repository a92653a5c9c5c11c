//! Lists of credentials as they are written: what is taken, each refusal at its limit and one past it, and what is masked.

use serde_json::json;

use super::*;

fn read(value: Value) -> Result<Vec<CredentialConf>, String> {
    credentials(&value, &Origin::Rest).map_err(|e| e.to_string())
}

#[test]
fn all_kinds() {
    let hash = "a".repeat(64);
    let list = read(json!([
        {"name": "a", "type": "bearer", "sha256": hash, "limits": {"requestsPerSecond": 0.5, "bytesPerSecond": "1KiB", "queueShare": 25}},
        {"name": "b", "type": "Basic".to_lowercase(), "secret": "pw", "user": "bob"},
        {"name": "c", "type": "header", "Header": "X-Token", "secretFile": "/etc/t"},
        {"name": "d", "type": "hmac", "keyId": "k1", "systemdCredential": "d", "timestampHeader": "X-Time", "maxSkew": "1m"},
        {"name": "e", "type": "cert", "san": ["DNS:a"]},
        {"name": "f", "type": "certificate", "subject": "CN=f", "limits": {"connections": 2, "requestsPerSecond": 10}},
    ]))
    .expect("good");
    assert_eq!(list.len(), 6);
    assert_eq!(list[0].limits.request_every, Some(Duration::from_secs(2)));
    assert_eq!((list[0].limits.request_burst, list[0].limits.byte_burst, list[0].limits.queue_share), (1, 1024, Some(25)));
    assert_eq!((list[5].limits.request_burst, list[5].limits.connections), (10, Some(2)));
    assert!(matches!(&list[2].kind, KindConf::Header { field, .. } if field == "x-token"));
    assert!(matches!(&list[3].kind, KindConf::Hmac(h) if h.max_skew == Duration::from_secs(60) && h.signature_field == "x-signature"));
    assert!(!format!("{list:?}").contains("pw") && !format!("{list:?}").contains(&hash));
}

#[test]
fn faults_name_the_key_and_no_secret() {
    let long = "s".repeat(SECRET_BYTES + 1);
    for (item, want) in [
        (json!("topsecret"), "credentials[0]: expected a map"),
        (json!({"name": "a"}), "credentials[0].type: expected a text, found nothing"),
        (json!({"name": "a", "type": "token"}), "credentials[0].type: expected bearer"),
        (json!({"type": "bearer", "secret": "topsecret"}), "credentials[0].name: expected a text"),
        (json!({"name": "a b", "type": "bearer", "secret": "topsecret"}), "credentials[0].name: expected at most 64 letters"),
        (json!({"name": "a", "type": "bearer"}), "credentials[0].secret: expected secret, secretFile"),
        (json!({"name": "a", "type": "bearer", "secret": ""}), "credentials[0].secret: expected a text that is not empty"),
        (json!({"name": "a", "type": "bearer", "secret": MASK}), "credentials[0].secret: expected a secret, found the mask"),
        (json!({"name": "a", "type": "bearer", "secret": long}), "credentials[0].secret: expected at most 512 bytes"),
        (json!({"name": "a", "type": "bearer", "secret": "topsecret", "secretFile": "f"}), "credentials[0].secretFile: expected one of"),
        (json!({"name": "a", "type": "bearer", "sha256": "topsecret"}), "credentials[0].sha256: expected 64 hexadecimal digits"),
        (json!({"name": "a", "type": "bearer", "pbkdf2": "topsecret"}), "credentials[0].pbkdf2: expected a key of type bearer"),
        (json!({"name": "a", "type": "basic", "pbkdf2": "topsecret"}), "credentials[0].pbkdf2: expected what"),
        (json!({"name": "a", "type": "basic", "user": "a:b", "secret": "topsecret"}), "credentials[0].user: expected at most"),
        (json!({"name": "a", "type": "header", "secret": "topsecret"}), "credentials[0].header: expected a field's name"),
        (json!({"name": "a", "type": "header", "header": "a b", "secret": "topsecret"}), "credentials[0].header: expected the name"),
        (json!({"name": "a", "type": "header", "header": "Host", "secret": "topsecret"}), "credentials[0].header: expected the name"),
        (json!({"name": "a", "type": "hmac", "sha256": "b".repeat(64)}), "credentials[0].sha256: expected the key itself"),
        (json!({"name": "a", "type": "hmac", "secret": "topsecret", "maxSkew": "1m"}), "credentials[0].maxSkew: expected only"),
        (
            json!({"name": "a", "type": "hmac", "secret": "topsecret", "timestampHeader": "t", "maxSkew": "25h"}),
            "credentials[0].maxSkew: expected a duration",
        ),
        (json!({"name": "a", "type": "hmac", "systemdCredential": "../x"}), "credentials[0].systemdCredential: expected a name"),
        (
            json!({"name": "a", "type": "cert", "secret": "topsecret", "san": "x"}),
            "credentials[0].secret: expected a key of type certificate",
        ),
        (json!({"name": "a", "type": "cert"}), "credentials[0].san: expected subject or san"),
        (json!({"name": "a", "type": "bearer", "secret": "topsecret", "limit": {}}), "credentials[0].limit: expected a key of type"),
        (json!({"name": "a", "type": "bearer", "secret": "topsecret", "limits": {"rps": 1}}), "credentials[0].limits.rps: expected one of"),
        (
            json!({"name": "a", "type": "bearer", "secret": "topsecret", "limits": {"requestsPerSecond": 0}}),
            "credentials[0].limits.requestsPerSecond: expected a number from 0.001",
        ),
        (
            json!({"name": "a", "type": "bearer", "secret": "topsecret", "limits": {"queueShare": 101}}),
            "credentials[0].limits.queueShare: expected a whole number from 1 to 100",
        ),
        (
            json!({"name": "a", "type": "bearer", "secret": "topsecret", "limits": {"byteBurst": 1}}),
            "credentials[0].limits.byteBurst: expected only",
        ),
    ] {
        let error = read(json!([item])).expect_err(want);
        assert!(error.starts_with(want), "{error}\n{want}");
        assert!(!error.contains("topsecret"), "{error}");
    }
    assert!(read(json!("topsecret")).is_err_and(|e| e == "credentials: expected a list"));
    let twice = |a: Value, b: Value| read(json!([a, b])).expect_err("twice");
    let one = json!({"name": "a", "type": "bearer", "secret": "x"});
    assert!(twice(one.clone(), one).starts_with("credentials[1].name: expected one of its own"));
    let hmac = |name: &str, id: Value| json!({"name": name, "type": "hmac", "secret": "x", "keyId": id});
    assert!(twice(hmac("a", json!("k")), hmac("b", json!("k"))).starts_with("credentials[1].keyId"));
    assert!(twice(hmac("a", json!("k")), hmac("b", Value::Null)).starts_with("credentials[1].keyId"));
    let many: Vec<Value> = (0..=COUNT_MAX).map(|i| json!({"name": format!("n{i}"), "type": "bearer", "secret": "x"})).collect();
    assert_eq!(read(json!(many[..COUNT_MAX])).map(|l| l.len()), Ok(COUNT_MAX));
    assert!(read(json!(many)).is_err_and(|e| e.contains("at most 1024")));
}

#[test]
fn masks_and_back() {
    let Value::Object(old) =
        json!({"method": "PUT", "Credentials": [{"name": "a", "type": "bearer", "Secret": "s1"}, {"name": "b", "sha256": "h"}]})
    else {
        return;
    };
    let mut shown = old.clone();
    mask(&mut shown);
    assert!(!Value::Object(shown.clone()).to_string().contains("s1"));
    assert!(holds_secret(&shown) && !holds_secret(&Map::new()));
    unmask(&mut shown, &old);
    assert_eq!(shown, old);
    let mut odd = Map::from_iter([("credentials".to_owned(), json!("s1"))]);
    mask(&mut odd);
    assert_eq!(odd["credentials"], json!(MASK));
}

fn b64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode_display(bytes).to_string()
}

#[test]
fn hashes_of_passwords() {
    let good = format!("1000:{}:{}", b64(&[1; 16]), b64(&[2; 32]));
    assert!(pbkdf2(&good).is_some());
    for bad in ["", "1000:a:b", &good.replace("1000:", "999:"), &good.replace("1000:", "1000001:"), &format!("{good}:")] {
        assert!(pbkdf2(bad).is_none(), "{bad}");
    }
}

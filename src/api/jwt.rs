//! JSON web tokens on the management port, as eKuiper takes them (facts §5): RS or PS with 256, 384 or 512 (RFC 7518 §3.3, §3.5), the issuer names a
//! public key below `mgmt/` beside the configuration file, the audience holds `eKuiper`.
//!
//! In: the field `Authorization` as sent, the time, and a way to read keys; out: 401 with eKuiper's sentence, or nothing. `Bearer` before
//! the token is taken too. Every path needs a token but `/` and `/ping`; what is no path, or takes another method, says so without.

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
};
use serde_json::Value;

use super::routes::{self, Find};
use super::{Response, TEXT, path};
use crate::json::words::kind;

/// Longest token, in bytes: a head has no room for more.
const TOKEN_BYTES: usize = 8192;

/// Whether a request needs a token. `target`: path and query as sent.
#[must_use]
pub fn is_needed(method: &str, target: &str) -> bool {
    let raw = target.split_once('?').map_or(target, |(path, _)| path);
    let Some(decoded) = path::decode(raw) else { return false };
    // What is redirected is asked for again.
    if decoded == "/" || decoded == "/ping" || path::clean(&decoded) != decoded {
        return false;
    }
    matches!(routes::find(method, &decoded), Find::Route(..))
}

/// The refusal of a request with this `Authorization`; `None` when its token is good. `now_s`: seconds since 1970. `key` reads the
/// PEM text of an issuer's public key.
pub fn judge(authorization: Option<&str>, now_s: i64, key: impl FnOnce(&str) -> Result<String, String>) -> Option<Response> {
    let token = match authorization.map(str::trim) {
        None | Some("") => return Some(refuse("missing_token")),
        Some(text) => {
            text.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer ")).map_or(text, |(_, rest)| rest.trim())
        }
    };
    match verify(token, now_s, key) {
        Err(why) => Some(refuse(&format!("validate token error: {why}"))),
        Ok(audience) if audience.iter().any(|a| a == "eKuiper") => None,
        Ok(audience) => Some(refuse(&format!("audience field should contain eKuiper, but got [{}]", audience.join(" ")))),
    }
}

fn refuse(text: &str) -> Response {
    let bearer = "Bearer realm=\"pushgate\"";
    Response::new(401, TEXT, format!("{text}\n")).with("X-Content-Type-Options", "nosniff").with("WWW-Authenticate", bearer)
}

/// Checks signature and times; gives the audience.
fn verify(token: &str, now_s: i64, key: impl FnOnce(&str) -> Result<String, String>) -> Result<Vec<String>, String> {
    let malformed = |what: &str| format!("token is malformed: {what}");
    let unverifiable = |what: &str| format!("token is unverifiable: {what}");
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return Err(malformed("token contains an invalid number of segments"));
    };
    if token.len() > TOKEN_BYTES {
        return Err(malformed("token is too long"));
    }
    let object = |part: &str, what: &str, raw: &str| -> Result<Value, String> {
        let bytes = base64url(part).map_err(|at| malformed(&format!("could not base64 decode {raw}: {ILLEGAL} {at}")))?;
        let not = |why: String| malformed(&format!("could not JSON decode {what}: {why}"));
        if bytes.is_empty() {
            return Err(not("unexpected end of JSON input".into()));
        }
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| not(e.to_string()))?;
        if value.is_object() {
            Ok(value)
        } else {
            Err(not(format!("json: cannot unmarshal {} into Go value of type jwt.Token", kind(&value))))
        }
    };
    let header = object(header, "header", "header")?;
    let claims = object(claims, "claim", "claim")?;
    for name in ["iss", "sub", "jti"] {
        let wrong = claims.get(name).filter(|v| !v.is_string() && !v.is_null());
        if let Some(value) = wrong {
            let what = format!("json: cannot unmarshal {} into Go struct field Token.RegisteredClaims.{name} of type string", kind(value));
            return Err(malformed(&format!("could not JSON decode claim: {what}")));
        }
    }
    let texts = |v: &Value| v.as_array().is_none_or(|all| all.iter().all(Value::is_string));
    if claims.get("aud").is_some_and(|v| !(v.is_string() || v.is_null() || v.is_array() && texts(v))) {
        return Err(malformed("could not JSON decode claim: invalid type for claim"));
    }
    let algorithm: Result<&'static RsaParameters, &str> = match header.get("alg").and_then(Value::as_str) {
        None => return Err(unverifiable("signing method (alg) is unspecified")),
        Some("RS256") => Ok(&RSA_PKCS1_2048_8192_SHA256),
        Some("RS384") => Ok(&RSA_PKCS1_2048_8192_SHA384),
        Some("RS512") => Ok(&RSA_PKCS1_2048_8192_SHA512),
        Some("PS256") => Ok(&RSA_PSS_2048_8192_SHA256),
        Some("PS384") => Ok(&RSA_PSS_2048_8192_SHA384),
        Some("PS512") => Ok(&RSA_PSS_2048_8192_SHA512),
        Some("ES256" | "ES384" | "ES512") => {
            Err("token signature is invalid: key is of invalid type: ECDSA verify expects *ecdsa.PublicKey")
        }
        Some("HS256" | "HS384" | "HS512") => Err("token signature is invalid: key is of invalid type: HMAC verify expects []byte"),
        Some("none") => Err("token signature is invalid: token is unverifiable: 'none' signature type is not allowed"),
        Some(_) => return Err(unverifiable("signing method (alg) is unavailable")),
    };
    let keyfunc = |what: &str| unverifiable(&format!("error while executing keyfunc: {what}"));
    let issuer = claims.get("iss").and_then(Value::as_str).filter(|iss| !iss.is_empty());
    let issuer = issuer.ok_or_else(|| keyfunc("issuer field not exist in jwt payload"))?;
    let pem = key(issuer).map_err(|why| keyfunc(&why))?;
    let key = rsa_key(&pem).map_err(keyfunc)?;
    let algorithm = algorithm.map_err(str::to_owned)?;
    let signature = base64url(signature).map_err(|at| malformed(&format!("could not base64 decode signature: {ILLEGAL} {at}")))?;
    let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
    UnparsedPublicKey::new(algorithm, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| "token signature is invalid: crypto/rsa: verification error".to_owned())?;
    let mut wrong = Vec::new();
    for (name, is_wrong, text) in
        [("exp", (|now, at| now >= at) as fn(f64, f64) -> bool, "token is expired"), ("nbf", |now, at| now < at, "token is not valid yet")]
    {
        #[expect(clippy::cast_precision_loss, reason = "seconds of this era are exact")]
        let now = now_s as f64;
        match claims.get(name) {
            None | Some(Value::Null) => {}
            Some(value) => match value.as_f64() {
                Some(at) if !is_wrong(now, at) => {}
                Some(_) => wrong.push(text),
                None => {
                    let what =
                        "could not JSON decode claim: could not parse NumericData: json: invalid number literal, trying to unmarshal";
                    return Err(malformed(&format!("{what} {} into Number", crate::catalog::text::go_quote(&value.to_string()))));
                }
            },
        }
    }
    if !wrong.is_empty() {
        return Err(format!("token has invalid claims: {}", wrong.join(", ")));
    }
    Ok(match claims.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all.iter().filter_map(|a| a.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    })
}

const ILLEGAL: &str = "illegal base64 data at input byte";

/// The octets, or where the text stops being base64.
fn base64url(text: &str) -> Result<Vec<u8>, usize> {
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    decode(&data_encoding::BASE64URL_NOPAD, text.as_bytes())
        .ok_or_else(|| text.bytes().position(|b| !alphabet(b)).unwrap_or(text.len() / 4 * 4))
}

fn decode(how: &data_encoding::Encoding, text: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0; how.decode_len(text.len()).ok()?];
    let len = how.decode_mut(text, &mut out).ok()?;
    out.truncate(len);
    Some(out)
}

/// The RSA key in a PEM text (`PUBLIC KEY`, `RSA PUBLIC KEY` or `CERTIFICATE`) as the PKCS #1 DER that verification takes.
///
/// # Errors
/// What the text is instead, in the words of Go's library.
fn rsa_key(pem: &str) -> Result<Vec<u8>, &'static str> {
    const NOT_PEM: &str = "invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key";
    const NOT_RSA: &str = "key is not a valid RSA public key";
    let (_, rest) = pem.split_once("-----BEGIN ").ok_or(NOT_PEM)?;
    let (label, rest) = rest.split_once("-----").ok_or(NOT_PEM)?;
    let (body, _) = rest.split_once("-----END ").ok_or(NOT_PEM)?;
    let body: Vec<u8> = body.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let der = decode(&data_encoding::BASE64, &body).ok_or(NOT_PEM)?;
    match label {
        "RSA PUBLIC KEY" => Ok(der),
        "PUBLIC KEY" => spki(&der).ok_or(NOT_RSA),
        "CERTIFICATE" => of_certificate(&der).ok_or(NOT_RSA),
        _ => Err(NOT_PEM),
    }
}

const SEQUENCE: u8 = 0x30;
const BITS: u8 = 0x03;
/// `rsaEncryption` (RFC 8017 appendix A.1), with its tag and length.
const RSA: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// What a `SubjectPublicKeyInfo` of RSA holds (RFC 5280 §4.1).
fn spki(der: &[u8]) -> Option<Vec<u8>> {
    let (SEQUENCE, info, _) = tlv(der)? else { return None };
    let (SEQUENCE, algorithm, rest) = tlv(info)? else { return None };
    let (BITS, bits, _) = tlv(rest)? else { return None };
    // The first octet counts unused bits: none.
    match bits.split_first()? {
        (0, key) if algorithm.starts_with(&RSA) => Some(key.to_vec()),
        _ => None,
    }
}

/// The key of a certificate: the seventh part of what is signed, after an optional version.
fn of_certificate(der: &[u8]) -> Option<Vec<u8>> {
    let (SEQUENCE, certificate, _) = tlv(der)? else { return None };
    let (SEQUENCE, signed, _) = tlv(certificate)? else { return None };
    let mut rest = signed;
    let skip = if signed.first() == Some(&0xa0) { 6 } else { 5 };
    for _ in 0..skip {
        rest = tlv(rest)?.2;
    }
    spki(rest)
}

/// One DER element: tag, content, what follows.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], mut rest) = bytes.split_first_chunk::<2>()?;
    let mut len = usize::from(first);
    if first & 0x80 != 0 {
        let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f).clamp(1, 4))?;
        len = digits.iter().try_fold(0_usize, |len, b| len.checked_mul(256)?.checked_add(usize::from(*b)))?;
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with openssl genrsa 2048 for these tests alone.
    const PRIVATE: &[u8] = include_bytes!("../../tests/data/jwt/key.pk8");
    const PUBLIC: &str = include_str!("../../tests/data/jwt/key.pub.pem");
    const PKCS1: &str = include_str!("../../tests/data/jwt/key.rsa.pem");
    const CERTIFICATE: &str = include_str!("../../tests/data/jwt/key.crt.pem");
    const NOW: i64 = 1_700_000_000;

    fn b64(text: &[u8]) -> String {
        data_encoding::BASE64URL_NOPAD.encode_display(text).to_string()
    }

    fn token(alg: &str, claims: &str) -> String {
        use ring::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaKeyPair};
        let signed = format!("{}.{}", b64(format!("{{\"alg\":\"{alg}\",\"typ\":\"JWT\"}}").as_bytes()), b64(claims.as_bytes()));
        let pair = RsaKeyPair::from_pkcs8(PRIVATE).expect("a key");
        let mut signature = vec![0; pair.public().modulus_len()];
        let how: &dyn ring::signature::RsaEncoding = match alg {
            "RS384" => &RSA_PKCS1_SHA384,
            "RS512" => &RSA_PKCS1_SHA512,
            _ => &RSA_PKCS1_SHA256,
        };
        pair.sign(how, &ring::rand::SystemRandom::new(), signed.as_bytes(), &mut signature).expect("signed");
        format!("{signed}.{}", b64(&signature))
    }

    fn ask(authorization: Option<&str>) -> Result<(), String> {
        let key = |issuer: &str| match issuer {
            "ops.pub" => Ok(PUBLIC.to_owned()),
            "rsa.pub" => Ok(PKCS1.to_owned()),
            "ops.crt" => Ok(CERTIFICATE.to_owned()),
            "text" => Ok("hello".to_owned()),
            _ => Err(format!("not found target key file {issuer} in /etc/mgmt")),
        };
        match judge(authorization, NOW, key) {
            None => Ok(()),
            Some(response) => {
                assert_eq!((response.status, response.content_type), (401, TEXT));
                Err(response.body_text().trim_end().to_owned())
            }
        }
    }

    #[test]
    fn good_tokens() {
        for (alg, claims) in [
            ("RS256", r#"{"iss":"ops.pub","aud":"eKuiper"}"#),
            ("RS384", r#"{"iss":"ops.pub","aud":["x","eKuiper"],"exp":1700000001,"nbf":1700000000}"#),
            ("RS512", r#"{"iss":"rsa.pub","aud":"eKuiper","exp":1700000000.5}"#),
            ("RS256", r#"{"iss":"ops.crt","aud":"eKuiper"}"#),
        ] {
            let token = token(alg, claims);
            assert_eq!(ask(Some(&token)), Ok(()), "{claims}");
            assert_eq!(ask(Some(&format!("Bearer {token}"))), Ok(()));
            assert_eq!(ask(Some(&format!("bearer  {token} "))), Ok(()));
        }
    }

    #[test]
    fn refusals_in_their_words() {
        let good = token("RS256", r#"{"iss":"ops.pub","aud":"eKuiper"}"#);
        let of = |claims: &str| token("RS256", claims);
        let (signed, _) = good.rsplit_once('.').expect("three parts");
        let plain = |alg: &str| format!("{}.{}.AA", b64(format!("{{\"alg\":\"{alg}\"}}").as_bytes()), b64(br#"{"iss":"ops.pub"}"#));
        let error = |what: &str| Err(format!("validate token error: {what}"));
        for (given, want) in [
            (String::new(), Err("missing_token".to_owned())),
            ("x".into(), error("token is malformed: token contains an invalid number of segments")),
            ("Bearer".into(), error("token is malformed: token contains an invalid number of segments")),
            (format!("{good}.x"), error("token is malformed: token contains an invalid number of segments")),
            (format!("{signed}.{}", b64(&[0; 256])), error("token signature is invalid: crypto/rsa: verification error")),
            (
                good.replacen('.', "A.", 1),
                error("token is malformed: could not base64 decode header: illegal base64 data at input byte 36"),
            ),
            (plain("none"), error("token signature is invalid: token is unverifiable: 'none' signature type is not allowed")),
            (plain("HS256"), error("token signature is invalid: key is of invalid type: HMAC verify expects []byte")),
            (plain("PS256"), error("token signature is invalid: crypto/rsa: verification error")),
            (plain("ES256"), error("token signature is invalid: key is of invalid type: ECDSA verify expects *ecdsa.PublicKey")),
            (
                of("[]"),
                error("token is malformed: could not JSON decode claim: json: cannot unmarshal array into Go value of type jwt.Token"),
            ),
            (of(r#"{"iss":"ops.pub","aud":5}"#), error("token is malformed: could not JSON decode claim: invalid type for claim")),
            (plain("PS999"), error("token is unverifiable: signing method (alg) is unavailable")),
            (
                of(r#"{"aud":"eKuiper"}"#),
                error("token is unverifiable: error while executing keyfunc: issuer field not exist in jwt payload"),
            ),
            (
                of(r#"{"iss":"../x","aud":"eKuiper"}"#),
                error("token is unverifiable: error while executing keyfunc: not found target key file ../x in /etc/mgmt"),
            ),
            (
                of(r#"{"iss":"text","aud":"eKuiper"}"#),
                error("token is unverifiable: error while executing keyfunc: invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key"),
            ),
            (of(r#"{"iss":"ops.pub","aud":"eKuiper","exp":1700000000}"#), error("token has invalid claims: token is expired")),
            (of(r#"{"iss":"ops.pub","aud":"eKuiper","nbf":1700000001}"#), error("token has invalid claims: token is not valid yet")),
            (of(r#"{"iss":"ops.pub","aud":"ekuiper"}"#), Err("audience field should contain eKuiper, but got [ekuiper]".into())),
            (of(r#"{"iss":"ops.pub","aud":["a","b"]}"#), Err("audience field should contain eKuiper, but got [a b]".into())),
            (of(r#"{"iss":"ops.pub"}"#), Err("audience field should contain eKuiper, but got []".into())),
        ] {
            assert_eq!(ask(Some(&given)), want, "{given}");
        }
        assert_eq!(ask(None), Err("missing_token".into()));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

        /// Whatever is shown, and whatever lies in the key's file, there is an answer: never a way in.
        #[test]
        fn rubbish_is_refused(
            token in "(Bearer )?[A-Za-z0-9_-]{0,40}[.]?[A-Za-z0-9_-]{0,40}[.]?[A-Za-z0-9_-]{0,40}",
            pem in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        ) {
            let good = token_of(r#"{"iss":"k","aud":"eKuiper"}"#);
            let body = data_encoding::BASE64.encode_display(&pem).to_string();
            for label in ["PUBLIC KEY", "CERTIFICATE", "RSA PUBLIC KEY"] {
                let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
                for shown in [&token, &good] {
                    proptest::prop_assert!(judge(Some(shown), NOW, |_| Ok(text.clone())).is_some());
                }
            }
        }
    }

    /// Signing takes long enough to be done once.
    fn token_of(claims: &str) -> String {
        static MADE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        MADE.get_or_init(|| token("RS256", claims)).clone()
    }

    #[test]
    fn which_paths_need_one() {
        for (method, target, needed) in [
            ("GET", "/", false),
            ("GET", "/ping", false),
            ("GET", "/ping?x", false),
            ("POST", "/", false),
            ("GET", "/streams", true),
            ("GET", "/%73treams", true),
            ("GET", "/streams?x=1", true),
            ("GET", "/counters", true),
            ("POST", "/stop", true),
            ("GET", "/nowhere", false),
            ("DELETE", "/streams", false),
            ("GET", "//streams", false),
            ("GET", "/ping/../streams", false),
        ] {
            assert_eq!(is_needed(method, target), needed, "{method} {target}");
        }
    }

    #[test]
    fn broken_keys_are_refused_not_followed() {
        let at_end = [&[0x30, 0x82][..], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30], &[]];
        for der in at_end {
            assert!(spki(der).is_none() && of_certificate(der).is_none());
        }
        assert!(rsa_key("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----").is_err());
        assert!(rsa_key(&CERTIFICATE[..CERTIFICATE.len() / 2]).is_err());
    }
}

//! Who may post to an endpoint, and how much: the properties `credentials` and `addressLimits` of a conf key, read and checked.
//!
//! In goes the list as it was written, out come [`CredentialConf`]s that say where each secret lies; who loads files turns them into
//! what the gate compares. A fault names its place, `FILE:LINE: credentials[2].keyId: expected …`, and never shows a secret; no
//! `Debug` of these types does either. At most [`COUNT_MAX`] credentials an endpoint, names of at most [`NAME_BYTES`] bytes.

use core::{fmt, time::Duration};

use serde_json::{Map, Value};

use super::{
    read,
    tree::{Entry, Node, Origin, Tree},
};

/// Credentials of one endpoint.
pub const COUNT_MAX: usize = 1024;
/// Bytes of a credential's name.
pub const NAME_BYTES: usize = 64;
/// Bytes of a secret.
pub const SECRET_BYTES: usize = 512;
/// What a secret is shown as. It is no secret itself.
pub const MASK: &str = "******";
/// Rounds of PBKDF2 that a password may ask for: fewer are too weak, more would hold up everybody else.
pub const ROUNDS: core::ops::RangeInclusive<u32> = 1_000..=1_000_000;

/// Where a secret comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretFrom {
    /// Written into the configuration.
    Inline(String),
    /// The first line of a file.
    File(String),
    /// The first line of a credential that systemd passes: a file name below `$CREDENTIALS_DIRECTORY`.
    Systemd(String),
    /// Only the SHA-256 of the secret is known.
    Sha256([u8; 32]),
    /// Only PBKDF2-HMAC-SHA256 of the password is known.
    Pbkdf2(Pbkdf2),
}

/// A hashed password.
#[derive(Clone, PartialEq, Eq)]
pub struct Pbkdf2 {
    /// Rounds.
    pub rounds: u32,
    /// Salt.
    pub salt: Vec<u8>,
    /// What comes out.
    pub hash: [u8; 32],
}

impl fmt::Debug for SecretFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(******)"),
            Self::File(path) => write!(f, "File({path:?})"),
            Self::Systemd(name) => write!(f, "Systemd({name:?})"),
            Self::Sha256(_) => f.write_str("Sha256(******)"),
            Self::Pbkdf2(hash) => hash.fmt(f),
        }
    }
}

impl fmt::Debug for Pbkdf2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pbkdf2({} rounds)", self.rounds)
    }
}

/// One credential as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialConf {
    /// What `meta("credential")` and the counters call it.
    pub name: String,
    /// How a sender shows that it has it.
    pub kind: KindConf,
    /// How much it may send.
    pub limits: LimitsConf,
}

/// The kinds of credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KindConf {
    /// `Authorization: Bearer TOKEN` (RFC 6750).
    Bearer(SecretFrom),
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: SecretFrom,
    },
    /// A token in a field of its own.
    Header {
        /// The field, in lower case.
        field: String,
        /// The token.
        token: SecretFrom,
    },
    /// HMAC-SHA256 of the body.
    Hmac(HmacConf),
    /// A client certificate.
    Certificate {
        /// Subjects that are meant, any of them; empty: not looked at.
        subjects: Vec<String>,
        /// Other names that are meant, any of them; empty: not looked at.
        names: Vec<String>,
    },
}

/// How bodies are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HmacConf {
    /// The key's name in the request; `None`: the only key of its signature field.
    pub key_id: Option<String>,
    /// The field with the key's name, in lower case.
    pub key_id_field: String,
    /// The field with the signature, in lower case.
    pub signature_field: String,
    /// The field with the time that is signed before the body, in lower case.
    pub timestamp_field: Option<String>,
    /// How far that time may be from ours.
    pub max_skew: Duration,
    /// The key.
    pub key: SecretFrom,
}

/// How much one sender may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitsConf {
    /// Time between requests in the long run; `None`: no bound.
    pub request_every: Option<Duration>,
    /// Requests at once.
    pub request_burst: u32,
    /// Bytes of bodies a second; `None`: no bound.
    pub bytes_per_second: Option<u64>,
    /// Bytes at once.
    pub byte_burst: u64,
    /// Connections at once.
    pub connections: Option<u32>,
    /// Percent of a stream's queue.
    pub queue_share: Option<u8>,
}

impl LimitsConf {
    /// Whether it bounds nothing.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.request_every.is_none() && self.bytes_per_second.is_none() && self.connections.is_none() && self.queue_share.is_none()
    }
}

/// A fault: where, which key, and what was expected. The words of what was found hold no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFault {
    /// Where the value stands.
    pub at: Origin,
    /// `credentials[2].keyId`.
    pub key: String,
    /// `expected …, found …`.
    pub what: String,
}

impl fmt::Display for CredentialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Origin::File { .. } | Origin::Env(_) => write!(f, "{}: {}: {}", self.at, self.key, self.what),
            _ => write!(f, "{}: {}", self.key, self.what),
        }
    }
}

/// Reads the property `credentials`.
///
/// # Errors
/// The first fault.
pub fn credentials(value: &Value, at: &Origin) -> Result<Vec<CredentialConf>, CredentialFault> {
    list(&Node::from_json(value, at))
}

/// Reads the property `addressLimits`.
///
/// # Errors
/// The first fault.
pub fn address_limits(value: &Value, at: &Origin) -> Result<LimitsConf, CredentialFault> {
    limits(&Node::from_json(value, at), "addressLimits")
}

/// Reads the list of credentials.
pub(super) fn list(node: &Node) -> Result<Vec<CredentialConf>, CredentialFault> {
    let Tree::List(items) = &node.tree else {
        return match node.tree {
            Tree::Null => Ok(Vec::new()),
            _ => Err(fault(node, "credentials", "expected a list")),
        };
    };
    if items.len() > COUNT_MAX {
        return Err(fault(node, "credentials", &format!("expected at most {COUNT_MAX} credentials, found {}", items.len())));
    }
    let mut out: Vec<CredentialConf> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let one = credential(item, &format!("credentials[{index}]"))?;
        let clash = |what: &str| Err(fault(item, &format!("credentials[{index}].{what}"), "expected one of its own, found it twice"));
        if out.iter().any(|o| o.name == one.name) {
            return clash("name");
        }
        if let KindConf::Hmac(own) = &one.kind {
            let other = |o: &CredentialConf| matches!(&o.kind, KindConf::Hmac(o) if o.signature_field == own.signature_field && (o.key_id == own.key_id && o.key_id_field == own.key_id_field || o.key_id.is_none() || own.key_id.is_none()));
            if out.iter().any(other) {
                return clash("keyId");
            }
        }
        out.push(one);
    }
    Ok(out)
}

/// What each kind is described by, besides `name`, `type` and `limits`.
const KEYS: &[(&str, &[&str])] = &[
    ("bearer", &[]),
    ("basic", &["user", "pbkdf2"]),
    ("header", &["header"]),
    ("hmac", &["header", "keyId", "keyIdHeader", "timestampHeader", "maxSkew"]),
    ("certificate", &["subject", "san"]),
];
const SECRET_KEYS: [&str; 4] = ["secret", "secretFile", "systemdCredential", "sha256"];

fn credential(node: &Node, path: &str) -> Result<CredentialConf, CredentialFault> {
    let Tree::Map(entries) = &node.tree else { return Err(fault(node, path, "expected a map such as {name: press-7, type: bearer}")) };
    let key = |name: &str| format!("{path}.{name}");
    let word = required(node, path, "type")?;
    let word = if word == "cert" { "certificate".to_owned() } else { word };
    let Some((_, own)) = KEYS.iter().find(|(kind, _)| *kind == word) else {
        return Err(fault(node, &key("type"), "expected bearer, basic, header, hmac or certificate"));
    };
    let certificate = word == "certificate";
    for entry in entries {
        let fits = |k: &str| k.eq_ignore_ascii_case(&entry.key);
        let common = ["name", "type", "limits"].iter().any(|k| fits(k));
        if !common && !own.iter().any(|k| fits(k)) && (certificate || !SECRET_KEYS.iter().any(|k| fits(k))) {
            return Err(fault_at(&entry.at, &key(&entry.key), &format!("expected a key of type {word}, found another")));
        }
    }
    let name = required(node, path, "name")?;
    if name.len() > NAME_BYTES || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@')) {
        return Err(fault(node, &key("name"), &format!("expected at most {NAME_BYTES} letters, digits and - _ . @")));
    }
    let field = |name: &str, default: Option<&str>| -> Result<Option<String>, CredentialFault> {
        let Some(text) = text(node, path, name)? else { return Ok(default.map(str::to_owned)) };
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let text = text.to_ascii_lowercase();
        if text.len() > NAME_BYTES || !text.bytes().all(token) || FRAMING.contains(&text.as_str()) {
            return Err(fault(node, &key(name), "expected the name of a header field, not one that HTTP itself uses"));
        }
        Ok(Some(text))
    };
    let kind = match word.as_str() {
        "bearer" => KindConf::Bearer(secret(node, path, true)?),
        "basic" => {
            let user = text(node, path, "user")?.unwrap_or_else(|| name.clone());
            if user.contains(':') || user.len() > NAME_BYTES {
                return Err(fault(node, &key("user"), &format!("expected at most {NAME_BYTES} bytes without a colon (RFC 7617)")));
            }
            KindConf::Basic { user, password: secret(node, path, true)? }
        }
        "header" => {
            let Some(field) = field("header", None)? else {
                return Err(fault(node, &key("header"), "expected a field's name, found nothing"));
            };
            if field == "authorization" {
                return Err(fault(node, &key("header"), "expected a field of its own: Authorization is for bearer and basic"));
            }
            KindConf::Header { field, token: secret(node, path, true)? }
        }
        "hmac" => {
            let timestamp_field = field("timestampHeader", None)?;
            let max_skew = match node.entry("maxSkew") {
                None => Duration::from_secs(300),
                Some(_) if timestamp_field.is_none() => {
                    return Err(fault(node, &key("maxSkew"), "expected only with timestampHeader"));
                }
                Some(entry) => read::duration(&entry.node)
                    .ok()
                    .filter(|d| !d.is_zero() && *d <= Duration::from_secs(86_400))
                    .ok_or_else(|| fault(&entry.node, &key("maxSkew"), "expected a duration from 1ms to 24h"))?,
            };
            let key_id = text(node, path, "keyId")?;
            if key_id.as_ref().is_some_and(|id| id.len() > NAME_BYTES) {
                return Err(fault(node, &key("keyId"), &format!("expected at most {NAME_BYTES} bytes")));
            }
            KindConf::Hmac(HmacConf {
                key_id,
                key_id_field: field("keyIdHeader", Some("x-key-id"))?.unwrap_or_default(),
                signature_field: field("header", Some("x-signature"))?.unwrap_or_default(),
                timestamp_field,
                max_skew,
                key: secret(node, path, false)?,
            })
        }
        _ => {
            let texts = |name: &str| match node.entry(name) {
                None => Ok(Vec::new()),
                Some(e) => read::texts(&e.node).map_err(|expected| fault(&e.node, &key(name), &format!("expected {expected}"))),
            };
            let (subjects, names) = (texts("subject")?, texts("san")?);
            if subjects.iter().chain(&names).any(|t| t.is_empty()) || subjects.is_empty() && names.is_empty() {
                return Err(fault(node, &key("san"), "expected subject or san, with at least one name"));
            }
            KindConf::Certificate { subjects, names }
        }
    };
    let limits = node.entry("limits").map_or_else(|| Ok(LimitsConf::default()), |e| limits(&e.node, &key("limits")))?;
    Ok(CredentialConf { name, kind, limits })
}

/// Fields that say where a message ends or whose it is: no secret belongs there.
const FRAMING: [&str; 9] =
    ["host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer", "content-encoding"];

/// The one secret of a credential. `hashed`: whether a hash of it will do.
fn secret(node: &Node, path: &str, hashed: bool) -> Result<SecretFrom, CredentialFault> {
    let mut found = None;
    for name in SECRET_KEYS.into_iter().chain(["pbkdf2"]) {
        let Some(value) = text(node, path, name)? else { continue };
        let key = format!("{path}.{name}");
        if found.is_some() {
            return Err(fault(node, &key, "expected one of secret, secretFile, systemdCredential, sha256, pbkdf2, found two"));
        }
        let wrong = |what: &str| Err(fault(node, &key, what));
        found = Some(match name {
            "secret" if value == MASK => return wrong("expected a secret, found the mask that stands for one"),
            "secret" if value.len() > SECRET_BYTES => return wrong(&format!("expected at most {SECRET_BYTES} bytes")),
            "secret" => SecretFrom::Inline(value),
            "secretFile" => SecretFrom::File(value),
            "systemdCredential" if value.contains('/') || value.starts_with('.') => return wrong("expected a name without slashes"),
            "systemdCredential" => SecretFrom::Systemd(value),
            _ if !hashed => return wrong("expected the key itself: an HMAC cannot be checked with a hash of it"),
            "sha256" => match sha256(&value) {
                Some(hash) => SecretFrom::Sha256(hash),
                None => return wrong("expected 64 hexadecimal digits"),
            },
            _ => match pbkdf2(&value) {
                Some(hash) => SecretFrom::Pbkdf2(hash),
                None => return wrong("expected what `pushgate credential new --password` prints"),
            },
        });
    }
    found.ok_or_else(|| fault(node, &format!("{path}.secret"), "expected secret, secretFile, systemdCredential or a hash, found nothing"))
}

/// 64 hexadecimal digits.
#[must_use]
pub fn sha256(text: &str) -> Option<[u8; 32]> {
    decode(&data_encoding::HEXLOWER_PERMISSIVE, text)?.try_into().ok()
}

fn decode(how: &data_encoding::Encoding, text: &str) -> Option<Vec<u8>> {
    let mut out = vec![0; how.decode_len(text.len()).ok()?];
    let len = how.decode_mut(text.as_bytes(), &mut out).ok()?;
    out.truncate(len);
    Some(out)
}

/// `ROUNDS:SALT:HASH`, salt and hash in base64.
#[must_use]
pub fn pbkdf2(text: &str) -> Option<Pbkdf2> {
    let mut parts = text.split(':');
    let (rounds, salt, hash) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    let base64 = |text: &str| decode(&data_encoding::BASE64, text);
    let (salt, hash) = (base64(salt)?, base64(hash)?.try_into().ok()?);
    (parts.next().is_none() && ROUNDS.contains(&rounds) && (8..=64).contains(&salt.len())).then_some(Pbkdf2 { rounds, salt, hash })
}

/// Reads `limits` or `addressLimits`.
pub(super) fn limits(node: &Node, path: &str) -> Result<LimitsConf, CredentialFault> {
    let Tree::Map(entries) = &node.tree else {
        return match node.tree {
            Tree::Null => Ok(LimitsConf::default()),
            _ => Err(fault(node, path, "expected a map such as {requestsPerSecond: 10}")),
        };
    };
    let mut out = LimitsConf::default();
    let (mut request_burst, mut byte_burst) = (None, None);
    for Entry { key, node, .. } in entries {
        let path = format!("{path}.{key}");
        let whole = |range: core::ops::RangeInclusive<u64>| {
            let found = read::count(node).ok().filter(|n| range.contains(n));
            found.ok_or_else(|| fault(node, &path, &format!("expected a whole number from {} to {}", range.start(), range.end())))
        };
        let bytes = || {
            let found = read::bytes(node).ok().filter(|n| (1..=1 << 40).contains(n));
            found.ok_or_else(|| fault(node, &path, "expected a number of bytes from 1 to 1 TiB, such as \"64KiB\""))
        };
        match key.to_ascii_lowercase().as_str() {
            "requestspersecond" => {
                let rate = match &node.tree {
                    Tree::Int(i) => f64::from(u32::try_from(*i).unwrap_or(0)),
                    Tree::Float(x) => *x,
                    _ => 0.0,
                };
                if !(0.001..=1_000_000.0).contains(&rate) {
                    return Err(fault(node, &path, "expected a number from 0.001 to 1000000"));
                }
                out.request_every = Some(Duration::from_secs_f64(1.0 / rate));
            }
            "requestburst" => request_burst = Some(u32::try_from(whole(1..=1_000_000)?).unwrap_or(u32::MAX)),
            "bytespersecond" => out.bytes_per_second = Some(bytes()?),
            "byteburst" => byte_burst = Some(bytes()?),
            "connections" => out.connections = Some(u32::try_from(whole(1..=65_535)?).unwrap_or(u32::MAX)),
            "queueshare" => out.queue_share = Some(u8::try_from(whole(1..=100)?).unwrap_or(100)),
            _ => {
                let known = "requestsPerSecond, requestBurst, bytesPerSecond, byteBurst, connections, queueShare";
                return Err(fault(node, &path, &format!("expected one of {known}")));
            }
        }
    }
    if request_burst.is_some() && out.request_every.is_none() {
        return Err(fault(node, &format!("{path}.requestBurst"), "expected only with requestsPerSecond"));
    }
    if byte_burst.is_some() && out.bytes_per_second.is_none() {
        return Err(fault(node, &format!("{path}.byteBurst"), "expected only with bytesPerSecond"));
    }
    // One second's worth, and at least one request.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 1,000,000")]
    let second = |every: Duration| (1.0 / every.as_secs_f64()).ceil().clamp(1.0, 1_000_000.0) as u32;
    out.request_burst = request_burst.unwrap_or_else(|| out.request_every.map_or(0, second));
    out.byte_burst = byte_burst.or(out.bytes_per_second).unwrap_or(0);
    Ok(out)
}

/// Hides the secrets of a conf key's properties: what REST answers and `check --show` print.
pub fn mask(props: &mut Map<String, Value>) {
    each_secret(props, |value| *value = Value::String(MASK.into()));
}

/// Whether any property holds a secret in clear.
#[must_use]
pub fn holds_secret(props: &Map<String, Value>) -> bool {
    let mut found = false;
    each_secret(&mut props.clone(), |_| found = true);
    found
}

/// Puts the secrets of `old` in the place of masks, credential by credential: what a client got masked and sends back.
pub fn unmask(props: &mut Map<String, Value>, old: &Map<String, Value>) {
    let named = |item: &Value, name: &Value| item.as_object().and_then(|m| member(m, "name")) == Some(name);
    let old: Vec<Value> = old.iter().find(|(k, _)| is_list(k)).and_then(|(_, v)| v.as_array()).cloned().unwrap_or_default();
    for item in props.iter_mut().filter(|(k, _)| is_list(k)).filter_map(|(_, v)| v.as_array_mut()).flatten() {
        let Some(name) = item.as_object().and_then(|m| member(m, "name")).cloned() else { continue };
        let Some(before) = old.iter().find(|o| named(o, &name)).and_then(Value::as_object) else { continue };
        for (key, value) in item.as_object_mut().into_iter().flatten() {
            if is_secret(key)
                && value.as_str() == Some(MASK)
                && let Some(was) = member(before, key)
            {
                *value = was.clone();
            }
        }
    }
}

fn each_secret(props: &mut Map<String, Value>, mut f: impl FnMut(&mut Value)) {
    for (_, list) in props.iter_mut().filter(|(k, _)| is_list(k)) {
        match list {
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::Object(map) => map.iter_mut().filter(|(k, v)| is_secret(k) && !v.is_null()).for_each(|(_, v)| f(v)),
                        Value::Null => {}
                        other => f(other),
                    }
                }
            }
            Value::Null => {}
            // Not what belongs there, but perhaps a secret.
            other => f(other),
        }
    }
}

fn is_list(key: &str) -> bool {
    key.eq_ignore_ascii_case("credentials")
}

fn is_secret(key: &str) -> bool {
    ["secret", "sha256", "pbkdf2", "password", "token", "key"].iter().any(|k| k.eq_ignore_ascii_case(key))
}

fn member<'m>(map: &'m Map<String, Value>, key: &str) -> Option<&'m Value> {
    map.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v)
}

fn required(node: &Node, path: &str, name: &str) -> Result<String, CredentialFault> {
    text(node, path, name)?.ok_or_else(|| fault(node, &format!("{path}.{name}"), "expected a text, found nothing"))
}

fn text(node: &Node, path: &str, name: &str) -> Result<Option<String>, CredentialFault> {
    let Some(entry) = node.entry(name).filter(|e| e.node.tree != Tree::Null) else { return Ok(None) };
    match read::text(&entry.node) {
        Ok(text) if !text.is_empty() => Ok(Some(text)),
        _ => Err(fault(&entry.node, &format!("{path}.{name}"), "expected a text that is not empty")),
    }
}

fn fault(node: &Node, key: &str, what: &str) -> CredentialFault {
    fault_at(&node.at, key, what)
}

fn fault_at(at: &Origin, key: &str, what: &str) -> CredentialFault {
    CredentialFault { at: at.clone(), key: key.to_owned(), what: what.to_owned() }
}

#[cfg(test)]
mod tests;

//! Who a request comes from: the credentials of one endpoint, compared in constant time, from the head alone but for signatures.
//!
//! In: the list of a conf key with its secrets loaded ([`Access::new`], control plane), then heads. Out: [`Found`], or the refusal.
//! Tokens are kept as a keyed hash of their SHA-256, so that neither memory nor timing tells them; looking one up costs the same
//! whether there is one or a thousand. Passwords hashed with PBKDF2 are computed once, then remembered the same way. Nothing is
//! allocated per request. RFC 6750 (bearer), RFC 7617 (basic), RFC 9110 §11 (challenges), RFC 2104 (HMAC).

mod sign;

use core::fmt;
use core::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use ring::{digest, hmac, pbkdf2, rand};

use self::sign::{Shown, signature};
use super::admit::{Admission, Pace};
use super::reason::Reason;
use crate::config::credentials::{CredentialConf, HmacConf, KindConf, LimitsConf, Pbkdf2, SecretFrom};
use crate::time::Now;
use crate::wire::reply::Canned;
use crate::wire::{Head, Peer, Reply};

/// Longest `user:password` of a Basic credential, in bytes.
const BASIC_BYTES: usize = 640;
/// Bytes of a keyed hash that are kept.
type Tag = [u8; 32];

/// What a request shows about its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The endpoint asks for nothing.
    Anyone,
    /// The credential of that index.
    Known(u16),
    /// The credential of that index, if the body's signature holds ([`Access::verify`]).
    Signed(u16),
}

/// Why a request has no credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It shows none.
    Missing,
    /// What it shows is none of ours.
    Wrong,
    /// A field with a credential stands there twice.
    Twice,
    /// The certificate is good, but not listed.
    NotListed,
    /// The signature does not fit the body.
    Signature,
    /// The signed time is missing, or further from ours than `maxSkew`.
    Stale,
    /// Too many failures came from this address, or too many passwords are being checked: try again after that many seconds.
    Busy(u16),
}

impl Fault {
    /// How it is counted.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Missing | Self::Wrong | Self::Twice => Reason::Credential,
            Self::NotListed => Reason::Forbidden,
            Self::Signature => Reason::Signature,
            Self::Stale => Reason::Stale,
            Self::Busy(_) => Reason::Rate,
        }
    }
}

/// One credential, ready to be compared.
pub struct Credential {
    /// Its name.
    pub name: Box<str>,
    /// What it may send.
    pub pace: Pace,
    kind: Kind,
}

enum Kind {
    /// Found through [`Access::tags`].
    Token,
    Password {
        user: Box<str>,
        hash: Pbkdf2,
        good: OnceLock<Tag>,
    },
    Signature {
        conf: Box<HmacConf>,
        key: Box<hmac::Key>,
    },
    Certificate {
        subjects: Vec<String>,
        names: Vec<String>,
    },
}

/// The credentials of one endpoint.
pub struct Access {
    list: Box<[Credential]>,
    /// Keyed hash of how and what → index; sorted.
    tags: Box<[(Tag, u16)]>,
    /// Fields that tokens stand in.
    fields: Box<[Box<str>]>,
    has_bearer: bool,
    has_basic: bool,
    key: hmac::Key,
    challenge: Challenge,
    /// `addressLimits`.
    pub address: Option<Pace>,
    /// What it was made from, for [`PartialEq`]; no secret of a file is in it.
    conf: Vec<CredentialConf>,
    address_conf: LimitsConf,
}

/// The refusals, made once.
struct Challenge {
    missing: Reply,
    wrong: Reply,
    twice: Reply,
    signature: Reply,
    stale: Reply,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.name)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

impl PartialEq for Access {
    /// Whether both ask the same of requests.
    fn eq(&self, other: &Self) -> bool {
        self.conf == other.conf && self.address_conf == other.address_conf
    }
}

/// Who may post to a stream. All are equal: who may post can change while a queue stays, so it is no part of what makes two specs
/// of a stream the same. [`Access`] itself compares.
#[derive(Debug, Clone)]
pub struct Guard(pub Arc<Access>);

impl PartialEq for Guard {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Guard {}

impl Access {
    /// Somebody is asked who they are, or has a limit.
    #[must_use]
    pub const fn remembers_senders(&self) -> bool {
        !self.is_open() || self.address.is_some()
    }

    /// An endpoint that takes requests from anyone.
    ///
    /// # Panics
    /// Never: without credentials nothing is loaded.
    #[must_use]
    pub fn open() -> Self {
        Self::new(Vec::new(), LimitsConf::default(), &mut |_| Err(String::new())).unwrap_or_else(|e| unreachable!("{e}"))
    }

    /// The credentials of one endpoint. `load` gives a secret that lies in a file.
    ///
    /// # Errors
    /// A sentence that names the credential, never a secret.
    pub fn new(
        conf: Vec<CredentialConf>,
        address: LimitsConf,
        load: &mut dyn FnMut(&SecretFrom) -> Result<String, String>,
    ) -> Result<Self, String> {
        // Without entropy the hashes are as good, only not keyed: lookups would tell a little about the SHA-256 of a token.
        let random = rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).unwrap_or_else(|_| hmac::Key::new(hmac::HMAC_SHA256, &[]));
        let mut tags = Vec::new();
        let mut fields: Vec<Box<str>> = Vec::new();
        let mut list = Vec::with_capacity(conf.len());
        let (mut has_bearer, mut has_basic) = (false, false);
        for (index, one) in conf.iter().enumerate() {
            let index = u16::try_from(index).map_err(|_| "too many credentials".to_owned())?;
            let mut secret = |from: &SecretFrom| secret(from, load).map_err(|e| format!("credential {}: {e}", one.name));
            let kind = match &one.kind {
                KindConf::Bearer(from) => {
                    has_bearer = true;
                    tags.push((tag(&key, Means::Bearer, &secret(from)?.digest()?), index));
                    Kind::Token
                }
                KindConf::Header { field, token } => {
                    let at = fields.iter().position(|f| **f == **field).unwrap_or_else(|| {
                        fields.push(field.as_str().into());
                        fields.len() - 1
                    });
                    tags.push((tag(&key, Means::Field(at), &secret(token)?.digest()?), index));
                    Kind::Token
                }
                KindConf::Basic { user, password } => {
                    has_basic = true;
                    match secret(password)? {
                        Secret::Slow(hash) => Kind::Password { user: user.as_str().into(), hash, good: OnceLock::new() },
                        fast => {
                            tags.push((tag(&key, Means::User(user.as_bytes()), &fast.digest()?), index));
                            Kind::Token
                        }
                    }
                }
                KindConf::Hmac(conf) => match secret(&conf.key)? {
                    Secret::Clear(text) => {
                        Kind::Signature { conf: Box::new(conf.clone()), key: Box::new(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())) }
                    }
                    _ => return Err(format!("credential {}: the file holds a hash, an HMAC needs the key itself", one.name)),
                },
                KindConf::Certificate { subjects, names } => Kind::Certificate { subjects: subjects.clone(), names: names.clone() },
            };
            list.push(Credential { name: one.name.as_str().into(), pace: Pace::of(&one.limits), kind });
        }
        tags.sort_unstable();
        if let Some(pair) = tags.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let (a, b) = (&list[usize::from(pair[0].1)].name, &list[usize::from(pair[1].1)].name);
            return Err(format!("credentials {a} and {b} have the same secret: which of them a request means cannot be told"));
        }
        let challenge = Challenge::new(&conf)?;
        let address_pace = (!address.is_none()).then(|| Pace::of(&address));
        Ok(Self {
            list: list.into(),
            tags: tags.into(),
            fields: fields.into(),
            has_bearer,
            has_basic,
            key,
            challenge,
            address: address_pace,
            conf,
            address_conf: address,
        })
    }

    /// Whether anyone may post.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.list.is_empty()
    }

    /// A credential.
    #[must_use]
    pub fn get(&self, index: u16) -> Option<&Credential> {
        self.list.get(usize::from(index))
    }

    /// The credential that `found` means, if any.
    #[must_use]
    pub fn of(&self, found: Found) -> Option<&Credential> {
        match found {
            Found::Anyone => None,
            Found::Known(index) | Found::Signed(index) => self.get(index),
        }
    }

    /// Names of the credentials that could be read off the wire by anybody between sender and gate.
    pub fn naked(&self) -> impl Iterator<Item = &str> {
        let naked = |c: &&CredentialConf| matches!(c.kind, KindConf::Bearer(_) | KindConf::Basic { .. } | KindConf::Header { .. });
        self.conf.iter().filter(naked).map(|c| c.name.as_str())
    }

    /// Header fields that tokens stand in, in lower case.
    #[must_use]
    pub fn token_fields(&self) -> &[Box<str>] {
        &self.fields
    }

    /// Whether a client certificate is among the credentials.
    #[must_use]
    pub fn wants_certificate(&self) -> bool {
        self.list.iter().any(|c| matches!(c.kind, Kind::Certificate { .. }))
    }

    /// Who sends this head.
    ///
    /// # Errors
    /// [`Fault`]; [`Access::refusal`] is its answer.
    pub fn judge(&self, head: &Head<'_>, peer: &Peer, admission: &mut Admission, now: Now) -> Result<Found, Fault> {
        if self.list.is_empty() {
            return Ok(Found::Anyone);
        }
        let mut fault = Fault::Missing;
        if self.has_bearer || self.has_basic {
            match self.authorization(head, peer, admission, now) {
                Ok(found) => return Ok(found),
                Err(Fault::Missing) => {}
                Err(found) => fault = found,
            }
        }
        for (at, field) in self.fields.iter().enumerate() {
            match single(head, field) {
                Ok(Some(token)) => match self.find(&tag(&self.key, Means::Field(at), &sha256(token))) {
                    Some(index) => return Ok(Found::Known(index)),
                    None => fault = Fault::Wrong,
                },
                Ok(None) => {}
                Err(twice) => fault = twice,
            }
        }
        let mut shown = Shown::default();
        for (index, one) in (0_u16..).zip(&self.list) {
            match &one.kind {
                Kind::Signature { conf, .. } => match shown.signed(conf, head, now.wall) {
                    Ok(true) => return admission.failures(peer.addr, now.mono).map_or(Ok(Found::Signed(index)), |s| Err(Fault::Busy(s))),
                    Ok(false) => {}
                    Err(found) => fault = found,
                },
                Kind::Certificate { subjects, names } => {
                    let Some(certificate) = &peer.certificate else { continue };
                    let subject = subjects.is_empty() || subjects.contains(&certificate.subject);
                    if subject && (names.is_empty() || certificate.names.iter().any(|n| names.iter().any(|want| same_name(want, n)))) {
                        return Ok(Found::Known(index));
                    }
                    if fault == Fault::Missing {
                        fault = Fault::NotListed;
                    }
                }
                _ => {}
            }
        }
        // A key id that is none of ours is a wrong credential, not a missing one.
        let keyed = |c: &Credential| matches!(&c.kind, Kind::Signature { conf, .. } if head.field(&conf.signature_field).is_some());
        if fault == Fault::Missing && self.list.iter().any(keyed) {
            fault = Fault::Wrong;
        }
        Err(fault)
    }

    /// Whether the signature of a head that was found [`Found::Signed`] fits its body.
    ///
    /// # Errors
    /// [`Fault::Signature`], or [`Fault::Stale`] when the body took so long that its time has run out.
    pub fn verify(&self, index: u16, head: &Head<'_>, body: &[u8], now: Now) -> Result<(), Fault> {
        let Some(Credential { kind: Kind::Signature { conf, key }, .. }) = self.get(index) else { return Err(Fault::Wrong) };
        if !Shown::default().signed(conf, head, now.wall)? {
            return Err(Fault::Wrong);
        }
        let signature = single(head, &conf.signature_field)?.and_then(signature).ok_or(Fault::Signature)?;
        let mut context = hmac::Context::with_key(key);
        if let Some(field) = &conf.timestamp_field {
            context.update(single(head, field)?.ok_or(Fault::Stale)?);
            context.update(b".");
        }
        context.update(body);
        // Both sides under our own key: comparing them tells nothing about where they differ.
        let ours = hmac::sign(&self.key, context.sign().as_ref());
        hmac::verify(&self.key, &signature, ours.as_ref()).map_err(|_| Fault::Signature)
    }

    /// The answer to a fault.
    #[must_use]
    pub fn refusal(&self, fault: Fault) -> Reply {
        match fault {
            Fault::Missing => self.challenge.missing.clone(),
            Fault::Wrong => self.challenge.wrong.clone(),
            Fault::Twice => self.challenge.twice.clone(),
            Fault::Signature => self.challenge.signature.clone(),
            Fault::Stale => self.challenge.stale.clone(),
            Fault::NotListed => Reply::error(403, "the client certificate is not one that may post here"),
            Fault::Busy(seconds) => {
                Reply::error(429, "too many failed credentials from this address, or too many passwords at once").retry_after(seconds)
            }
        }
    }

    fn find(&self, tag: &Tag) -> Option<u16> {
        let at = self.tags.binary_search_by(|(known, _)| known.cmp(tag)).ok()?;
        self.tags.get(at).map(|(_, index)| *index)
    }

    /// `Authorization`, if it holds a scheme that is asked for.
    fn authorization(&self, head: &Head<'_>, peer: &Peer, admission: &mut Admission, now: Now) -> Result<Found, Fault> {
        let Some(value) = single(head, "authorization")? else { return Err(Fault::Missing) };
        let (scheme, rest) = value.split_at(value.iter().position(|b| *b == b' ').unwrap_or(value.len()));
        let rest = rest.trim_ascii();
        if self.has_bearer && scheme.eq_ignore_ascii_case(b"bearer") {
            return self.find(&tag(&self.key, Means::Bearer, &sha256(rest))).map(Found::Known).ok_or(Fault::Wrong);
        }
        if !self.has_basic || !scheme.eq_ignore_ascii_case(b"basic") {
            return Err(Fault::Wrong);
        }
        let mut space = [0; BASIC_BYTES];
        let text = match data_encoding::BASE64.decode_len(rest.len()) {
            Ok(len) if len <= BASIC_BYTES => data_encoding::BASE64.decode_mut(rest, &mut space[..len]).map(|n| &space[..n]),
            _ => return Err(Fault::Wrong),
        };
        let Ok(text) = text else { return Err(Fault::Wrong) };
        let Some(colon) = text.iter().position(|b| *b == b':') else { return Err(Fault::Wrong) };
        let (user, password) = (&text[..colon], &text[colon + 1..]);
        let own = tag(&self.key, Means::User(user), &sha256(password));
        if let Some(index) = self.find(&own) {
            return Ok(Found::Known(index));
        }
        for (index, one) in (0_u16..).zip(&self.list) {
            let Kind::Password { user: theirs, hash, good } = &one.kind else { continue };
            if theirs.as_bytes() != user {
                continue;
            }
            if let Some(good) = good.get() {
                // Under our own key, so comparing tells nothing.
                if *good == own {
                    return Ok(Found::Known(index));
                }
                continue;
            }
            if let Some(seconds) = admission.password(peer.addr, now.mono) {
                return Err(Fault::Busy(seconds));
            }
            let rounds = NonZeroU32::new(hash.rounds).unwrap_or(NonZeroU32::MIN);
            if pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &hash.salt, password, &hash.hash).is_ok() {
                admission.password_was_good(peer.addr);
                let _ = good.set(own);
                return Ok(Found::Known(index));
            }
        }
        Err(Fault::Wrong)
    }
}

impl Challenge {
    fn new(conf: &[CredentialConf]) -> Result<Self, String> {
        let mut schemes: Vec<String> = Vec::new();
        for one in conf {
            let scheme = match &one.kind {
                KindConf::Bearer(_) => "Bearer realm=\"pushgate\"".to_owned(),
                KindConf::Basic { .. } => "Basic realm=\"pushgate\", charset=\"UTF-8\"".to_owned(),
                KindConf::Header { field, .. } => format!("Header realm=\"pushgate\", field=\"{field}\""),
                KindConf::Hmac(hmac) => format!("HMAC-SHA256 realm=\"pushgate\", field=\"{}\"", hmac.signature_field),
                KindConf::Certificate { .. } => "Certificate realm=\"pushgate\"".to_owned(),
            };
            // As many as an answer holds; the first of them will do.
            let used: usize = schemes.iter().map(|s| s.len() + 24).sum();
            if !schemes.contains(&scheme) && used + scheme.len() < 500 {
                schemes.push(scheme);
            }
        }
        let reply = |message: &str| {
            let body = format!("{{\"error\":401,\"message\":\"{message}\"}}");
            let fields = schemes.iter().map(|scheme| ("WWW-Authenticate", scheme.as_str()));
            let canned = Canned::new("application/json", fields, body.as_bytes()).map_err(|e| format!("the challenge: {e}"))?;
            Ok::<_, String>(Reply::canned(401, Arc::new(canned)))
        };
        Ok(Self {
            missing: reply("this endpoint asks for a credential")?,
            wrong: reply("the credential is not known here")?,
            twice: reply("a field with a credential stands there more than once")?,
            signature: reply("the signature does not fit the body")?,
            stale: reply("the signed time is missing, or too far from this machine's time")?,
        })
    }
}

/// A secret as far as it is known.
enum Secret {
    Clear(String),
    Sha256([u8; 32]),
    Slow(Pbkdf2),
}

impl Secret {
    fn digest(&self) -> Result<[u8; 32], String> {
        match self {
            Self::Clear(text) => Ok(sha256(text.as_bytes())),
            Self::Sha256(hash) => Ok(*hash),
            Self::Slow(_) => Err("PBKDF2 is for passwords of type basic".into()),
        }
    }
}

/// Loads a secret. A file may hold the secret itself, or `sha256:…` or `pbkdf2:…` as `pushgate credential new` prints them.
fn secret(from: &SecretFrom, load: &mut dyn FnMut(&SecretFrom) -> Result<String, String>) -> Result<Secret, String> {
    use crate::config::credentials::{SECRET_BYTES, pbkdf2, sha256};
    match from {
        SecretFrom::Inline(text) => Ok(Secret::Clear(text.clone())),
        SecretFrom::Sha256(hash) => Ok(Secret::Sha256(*hash)),
        SecretFrom::Pbkdf2(hash) => Ok(Secret::Slow(hash.clone())),
        SecretFrom::File(_) | SecretFrom::Systemd(_) => {
            let text = load(from)?;
            if let Some(hash) = text.strip_prefix("sha256:") {
                return sha256(hash.trim()).map(Secret::Sha256).ok_or_else(|| "the file holds a broken sha256 line".into());
            }
            if let Some(hash) = text.strip_prefix("pbkdf2:") {
                return pbkdf2(hash.trim()).map(Secret::Slow).ok_or_else(|| "the file holds a broken pbkdf2 line".into());
            }
            if text.is_empty() || text.len() > SECRET_BYTES {
                return Err(format!("the first line of the file has {} bytes, expected 1 to {SECRET_BYTES}", text.len()));
            }
            Ok(Secret::Clear(text))
        }
    }
}

/// How a token is shown: one secret under two of them is two secrets.
enum Means<'m> {
    Bearer,
    Field(usize),
    User(&'m [u8]),
}

/// The keyed hash that a token is found by.
fn tag(key: &hmac::Key, means: Means<'_>, digest: &[u8; 32]) -> Tag {
    let mut context = hmac::Context::with_key(key);
    match means {
        Means::Bearer => context.update(&[0]),
        Means::Field(at) => {
            context.update(&[1]);
            context.update(&(at as u64).to_le_bytes());
        }
        Means::User(user) => {
            context.update(&[2]);
            context.update(&sha256(user));
        }
    }
    context.update(digest);
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// The value of a field that may stand there once.
fn single<'b>(head: &Head<'b>, name: &str) -> Result<Option<&'b [u8]>, Fault> {
    match head.field(name) {
        None => Ok(None),
        Some(_) if head.field_count(name) > 1 => Err(Fault::Twice),
        value => Ok(value),
    }
}

/// Whether a configured name is that of a certificate: `DNS:a.example` in full, or without the kind before it. DNS names are the
/// same in any letter case.
fn same_name(want: &str, have: &str) -> bool {
    let (kind, bare) = have.split_once(':').unwrap_or(("", have));
    let dns = kind.eq_ignore_ascii_case("DNS");
    let same = |a: &str, b: &str| if dns { a.eq_ignore_ascii_case(b) } else { a == b };
    same(want, have) || same(want, bare)
}

#[cfg(test)]
mod tests;

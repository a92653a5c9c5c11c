//! Who a request comes from: the credentials of one endpoint, compared in constant time, from the head alone but for signatures.
//!
//! In: the list of a conf key with its secrets loaded ([`Access::new`], control plane), then heads. Out: [`Found`], or the refusal.
//! Tokens are kept as a keyed hash of their SHA-256, so that neither memory nor timing tells them; looking one up costs the same
//! whether there is one or a thousand. Passwords hashed with PBKDF2 are worked at elsewhere ([`Guesses`]), then remembered the same
//! way. Nothing is allocated per request. RFC 6750 (bearer), RFC 7617 (basic), RFC 9110 §11 (challenges), RFC 2104 (HMAC).

mod challenge;
mod secret;
mod sign;

use core::fmt;
use std::sync::{Arc, OnceLock};

use ring::{digest, hmac, rand};

use self::challenge::Challenge;
use self::secret::{Secret, secret};
use self::sign::{Shown, signature};
use super::admit::{Admission, Pace};
use super::guess::{Guesses, Known, Password, Tag};
use super::reason::Reason;
use super::replay::Signed;
use crate::config::credentials::{CredentialConf, HmacConf, KindConf, LimitsConf, SecretFrom};
use crate::time::{Now, Timestamp};
use crate::wire::{Head, Peer, Reply};

/// Longest `user:password` of a Basic credential, in bytes.
const BASIC_BYTES: usize = 640;

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
    /// A signed request that was taken before.
    Replayed,
    /// A signed request that may have been: more came since than is remembered.
    Forgotten,
    /// Too many failures came from this address, or too many passwords are being checked: try again after that many seconds.
    Busy(u16),
    /// As many passwords wait to be checked as may: try again after that many seconds.
    Full(u16),
    /// Nothing is known yet, its password is being checked: judge it again once something was found out.
    Waiting,
    /// The conf key that guarded the stream is gone.
    Unguarded,
}

impl Fault {
    /// How it is counted.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Missing | Self::Wrong | Self::Twice => Reason::Credential,
            Self::NotListed => Reason::Forbidden,
            Self::Signature => Reason::Signature,
            Self::Stale | Self::Forgotten => Reason::Stale,
            Self::Replayed => Reason::Replayed,
            Self::Busy(_) => Reason::Rate,
            Self::Full(_) | Self::Waiting => Reason::Guesses,
            Self::Unguarded => Reason::ConfKey,
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
    Password(Arc<Password>),
    Signature {
        conf: Box<HmacConf>,
        key: Box<hmac::Key>,
        /// What tells the key from others, for [`Signed::key`].
        id: u64,
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
    /// Nobody may post, whatever they show: what asked for credentials is gone.
    closed: bool,
    key: &'static hmac::Key,
    challenge: Challenge,
    /// `addressLimits`.
    pub address: Option<Pace>,
    /// What it was made from, for [`PartialEq`]; no secret of a file is in it.
    conf: Vec<CredentialConf>,
    address_conf: LimitsConf,
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
        self.conf == other.conf && self.address_conf == other.address_conf && self.closed == other.closed
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
        let key = own_key();
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
                    tags.push((tag(key, Means::Bearer, &secret(from)?.digest()?), index));
                    Kind::Token
                }
                KindConf::Header { field, token } => {
                    let at = fields.iter().position(|f| **f == **field).unwrap_or_else(|| {
                        fields.push(field.as_str().into());
                        fields.len() - 1
                    });
                    tags.push((tag(key, Means::Field(at), &secret(token)?.digest()?), index));
                    Kind::Token
                }
                KindConf::Basic { user, password } => {
                    has_basic = true;
                    match secret(password)? {
                        Secret::Slow(hash) => Kind::Password(Arc::new(Password::new(user, hash))),
                        fast => {
                            tags.push((tag(key, Means::User(user.as_bytes()), &fast.digest()?), index));
                            Kind::Token
                        }
                    }
                }
                KindConf::Hmac(conf) => match secret(&conf.key)? {
                    Secret::Clear(text) => Kind::Signature {
                        conf: Box::new(conf.clone()),
                        key: Box::new(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())),
                        id: short(&hmac::sign(key, text.as_bytes())),
                    },
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
            closed: false,
            key,
            challenge,
            address: address_pace,
            conf,
            address_conf: address,
        })
    }

    /// Nobody may post: what asked for credentials is gone, and without it everybody could.
    #[must_use]
    pub fn closed() -> Self {
        Self { closed: true, ..Self::open() }
    }

    /// Whether anyone may post.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.list.is_empty() && !self.closed
    }

    /// How many credentials there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.list.len()
    }

    /// Whether some credential signs a time: what was taken has to be remembered.
    #[must_use]
    pub fn signs_times(&self) -> bool {
        self.list.iter().any(|c| matches!(&c.kind, Kind::Signature { conf, .. } if conf.timestamp_field.is_some()))
    }

    /// Takes over which passwords were found to be right, from before a reload.
    pub fn inherit(&self, older: &Self) {
        for one in &self.list {
            let Kind::Password(own) = &one.kind else { continue };
            for other in &older.list {
                if let Kind::Password(theirs) = &other.kind {
                    own.inherit(theirs);
                }
            }
        }
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

    /// Who sends this head. A password that nothing is known of is begun to be checked only when nothing else lets the request in.
    ///
    /// # Errors
    /// [`Fault`]; [`Access::refusal`] is its answer.
    pub fn judge(&self, head: &Head<'_>, peer: &Peer, admission: &mut Admission, guesses: &mut Guesses, now: Now) -> Result<Found, Fault> {
        if self.closed {
            return Err(Fault::Unguarded);
        }
        if self.list.is_empty() {
            return Ok(Found::Anyone);
        }
        let mut space = [0; BASIC_BYTES];
        let mut shown = Login::None;
        let mut fault = Fault::Missing;
        if self.has_bearer || self.has_basic {
            match self.authorization(head, &mut space) {
                Ok(Login::Found(index)) => return Ok(Found::Known(index)),
                Ok(login) => shown = login,
                Err(found) => fault = found,
            }
        }
        match self.others(head, peer, admission, now) {
            Ok(found) => Ok(found),
            Err(other) => match shown {
                Login::Unknown { user, password, own } => self.guess(user, password, &own, peer, admission, guesses, now),
                _ if other == Fault::Missing || other == Fault::NotListed && fault != Fault::Missing => Err(fault),
                _ => Err(other),
            },
        }
    }

    /// What a head shows outside `Authorization`.
    fn others(&self, head: &Head<'_>, peer: &Peer, admission: &mut Admission, now: Now) -> Result<Found, Fault> {
        let mut fault = Fault::Missing;
        for (at, field) in self.fields.iter().enumerate() {
            match single(head, field) {
                Ok(Some(token)) => match self.find(&tag(self.key, Means::Field(at), &sha256(token))) {
                    Some(index) => return Ok(Found::Known(index)),
                    None => fault = Fault::Wrong,
                },
                Ok(None) => {}
                Err(twice) => fault = twice,
            }
        }
        let mut signs = Shown::default();
        for (index, one) in (0_u16..).zip(&self.list) {
            match &one.kind {
                Kind::Signature { conf, .. } => match signs.signed(conf, head, now.wall) {
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

    /// Whether the signature of a head that was found [`Found::Signed`] fits its body; gives what to remember of it if it holds a time.
    ///
    /// # Errors
    /// [`Fault::Signature`], or [`Fault::Stale`] when the body took so long that its time has run out.
    pub fn verify(&self, index: u16, head: &Head<'_>, body: &[u8], now: Now) -> Result<Option<Signed>, Fault> {
        let Some(Credential { kind: Kind::Signature { conf, key, id }, .. }) = self.get(index) else { return Err(Fault::Wrong) };
        if !Shown::default().signed(conf, head, now.wall)? {
            return Err(Fault::Wrong);
        }
        let signature = single(head, &conf.signature_field)?.and_then(signature).ok_or(Fault::Signature)?;
        let mut context = hmac::Context::with_key(key);
        let mut time = None;
        if let Some(field) = &conf.timestamp_field {
            let text = single(head, field)?.ok_or(Fault::Stale)?;
            time = sign::timestamp(text).map(Timestamp);
            context.update(text);
            context.update(b".");
        }
        context.update(body);
        // Both sides under our own key: comparing them tells nothing about where they differ.
        let ours = hmac::sign(self.key, context.sign().as_ref());
        hmac::verify(self.key, &signature, ours.as_ref()).map_err(|_| Fault::Signature)?;
        let skew_ms = u32::try_from(conf.max_skew.as_millis()).unwrap_or(u32::MAX);
        Ok(time.map(|time| Signed { key: *id, mark: short(&ours), time, skew_ms }))
    }

    /// The answer to a fault.
    #[must_use]
    pub fn refusal(&self, fault: Fault) -> Reply {
        self.challenge.answer(fault)
    }

    fn find(&self, tag: &Tag) -> Option<u16> {
        let at = self.tags.binary_search_by(|(known, _)| known.cmp(tag)).ok()?;
        self.tags.get(at).map(|(_, index)| *index)
    }

    /// `Authorization`, if it holds a scheme that is asked for. `space` takes what is decoded.
    fn authorization<'s>(&self, head: &Head<'_>, space: &'s mut [u8; BASIC_BYTES]) -> Result<Login<'s>, Fault> {
        let Some(value) = single(head, "authorization")? else { return Ok(Login::None) };
        let (scheme, rest) = value.split_at(value.iter().position(|b| *b == b' ').unwrap_or(value.len()));
        let rest = rest.trim_ascii();
        if self.has_bearer && scheme.eq_ignore_ascii_case(b"bearer") {
            return self.find(&tag(self.key, Means::Bearer, &sha256(rest))).map(Login::Found).ok_or(Fault::Wrong);
        }
        if !self.has_basic || !scheme.eq_ignore_ascii_case(b"basic") {
            return Err(Fault::Wrong);
        }
        let text = match data_encoding::BASE64.decode_len(rest.len()) {
            Ok(len) if len <= BASIC_BYTES => data_encoding::BASE64.decode_mut(rest, &mut space[..len]).map(|n| &space[..n]),
            _ => return Err(Fault::Wrong),
        };
        let Ok(text) = text else { return Err(Fault::Wrong) };
        let Some(colon) = text.iter().position(|b| *b == b':') else { return Err(Fault::Wrong) };
        let (user, password) = (&text[..colon], &text[colon + 1..]);
        let own = tag(self.key, Means::User(user), &sha256(password));
        if let Some(index) = self.find(&own) {
            return Ok(Login::Found(index));
        }
        let mut unknown = false;
        for (index, theirs) in self.passwords(user) {
            match theirs.fits(&own) {
                Some(true) => return Ok(Login::Found(index)),
                Some(false) => {}
                None => unknown = true,
            }
        }
        if unknown { Ok(Login::Unknown { user, password, own }) } else { Err(Fault::Wrong) }
    }

    /// Hashed passwords of a user.
    fn passwords(&self, user: &[u8]) -> impl Iterator<Item = (u16, &Arc<Password>)> {
        (0_u16..).zip(&self.list).filter_map(move |(index, one)| match &one.kind {
            Kind::Password(password) if password.user.as_bytes() == user => Some((index, password)),
            _ => None,
        })
    }

    /// What becomes of a password of which nothing is known yet.
    #[expect(clippy::too_many_arguments, reason = "a password, who shows it, and the two tables that bound it")]
    fn guess(
        &self,
        user: &[u8],
        password: &[u8],
        own: &Tag,
        peer: &Peer,
        admission: &mut Admission,
        guesses: &mut Guesses,
        now: Now,
    ) -> Result<Found, Fault> {
        for (_, theirs) in self.passwords(user).filter(|(_, theirs)| theirs.fits(own).is_none()) {
            match guesses.ask(theirs, own, password, peer.addr, admission, now.mono) {
                // The same user may have another.
                Known::Wrong => {}
                Known::Waiting => return Err(Fault::Waiting),
                Known::Busy(seconds) => return Err(Fault::Busy(seconds)),
                Known::Full(seconds) => return Err(Fault::Full(seconds)),
            }
        }
        Err(Fault::Wrong)
    }
}

/// What `Authorization` says.
enum Login<'s> {
    /// Nothing.
    None,
    /// The credential of that index.
    Found(u16),
    /// A password that may be that of a user, and its keyed hash.
    Unknown { user: &'s [u8], password: &'s [u8], own: Tag },
}

/// The key of this process's hashes: what is kept of a secret is good for nothing elsewhere.
fn own_key() -> &'static hmac::Key {
    static KEY: OnceLock<hmac::Key> = OnceLock::new();
    // Without entropy the hashes are as good, only not keyed: lookups would tell a little about the SHA-256 of a token.
    KEY.get_or_init(|| {
        hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).unwrap_or_else(|_| hmac::Key::new(hmac::HMAC_SHA256, &[]))
    })
}

/// The first bytes of a keyed hash.
fn short(tag: &hmac::Tag) -> u64 {
    tag.as_ref().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
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

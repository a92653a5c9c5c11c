//! What an X.509 certificate says about its holder, as text: subject, other names, fingerprint, and until when it holds (RFC 5280).
//!
//! DER goes in, already verified by the TLS library where that matters; nothing here judges trust. The subject is written as RFC
//! 4514 has it (`CN=sensor-7,O=Acme`, what `openssl x509 -subject -nameopt RFC2253` prints), other names with their kind before them
//! (`DNS:`, `IP:`, `URI:`, `email:`, as `openssl x509 -ext subjectAltName` does). At most [`NAME_COUNT`] other names are kept and [`TEXT_BYTES`] of
//! each text: a name that was cut would be another one, so what is longer is left out whole.

use core::fmt::Write as _;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::reply::http_date;
use crate::time::Timestamp;

/// Other names of one certificate that are kept.
pub const NAME_COUNT: usize = 32;
/// Longest subject or other name that is kept, in bytes.
pub const TEXT_BYTES: usize = 1024;

/// A certificate in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Certificate {
    /// The subject, RFC 4514; empty when the certificate has none.
    pub subject: String,
    /// Subject alternative names, such as `DNS:sensor-7.plant`, `IP:10.0.0.7`, `URI:urn:dev:7`, `email:a@b`.
    pub names: Vec<String>,
    /// SHA-256 of the whole certificate, 64 lower-case hex digits.
    pub fingerprint: String,
    /// It holds from here ...
    pub not_before: Timestamp,
    /// ... until here.
    pub not_after: Timestamp,
}

impl Certificate {
    /// Reads a certificate; `None` when `der` is none.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let (SEQUENCE, certificate, []) = tlv(der)? else { return None };
        let (SEQUENCE, mut tbs, _) = tlv(certificate)? else { return None };
        let mut next = || {
            let (tag, content, rest) = tlv(tbs)?;
            tbs = rest;
            Some((tag, content))
        };
        let mut part = next()?;
        if part.0 == VERSION {
            part = next()?;
        }
        if part.0 != INTEGER {
            return None;
        }
        let (_signature, _issuer) = (next()?, next()?);
        let (SEQUENCE, validity) = next()? else { return None };
        let (not_before, validity) = time(validity)?;
        let (not_after, _) = time(validity)?;
        let (SEQUENCE, subject) = next()? else { return None };
        let _key = next()?;
        let mut names = Vec::new();
        while let Some((tag, content)) = next() {
            if tag == EXTENSIONS {
                alternative_names(content, &mut names)?;
            }
        }
        let subject = distinguished_name(subject).filter(|text| text.len() <= TEXT_BYTES).unwrap_or_default();
        let digest = ring::digest::digest(&ring::digest::SHA256, der);
        let mut hex = [0; 64];
        data_encoding::HEXLOWER.encode_mut(digest.as_ref(), &mut hex);
        let fingerprint = String::from_utf8_lossy(&hex).into_owned();
        Some(Self { subject, names, fingerprint, not_before, not_after })
    }
}

/// A certificate is warned of when fewer seconds are left: 30 days.
pub const SOON_S: i64 = 30 * DAY_S;
const DAY_S: i64 = 86_400;

/// What is to be said at `now` of the certificate of `what`, which holds until `end`: nothing while that is far.
#[must_use]
pub fn ending(what: &str, end: Timestamp, now: Timestamp) -> Option<String> {
    let date = || String::from_utf8_lossy(&http_date(end)).into_owned();
    match end.0.saturating_sub(now.0).div_euclid(1000) {
        ..0 => Some(format!("{what}: the certificate expired on {}", date())),
        left @ 0..SOON_S => Some(format!("{what}: the certificate expires in {} days, on {}", left / DAY_S, date())),
        SOON_S.. => None,
    }
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const T61: u8 = 0x14;
const IA5: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP: u8 = 0x1e;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// One DER element: tag, content, what follows. Lengths are definite and below 2^24.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    // Tags above 30 take more than one byte; no certificate has one where we look.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, mut rest) = rest.split_first()?;
    let mut len = usize::from(first);
    if first & 0x80 != 0 {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 3 {
            return None;
        }
        let (digits, after) = rest.split_at_checked(count)?;
        len = digits.iter().fold(0, |len, b| len << 8 | usize::from(*b));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

/// `UTCTime` or `GeneralizedTime`, both to the second and in UTC (RFC 5280 §4.1.2.5).
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, text, rest) = tlv(bytes)?;
    let (years, text) = match tag {
        UTC_TIME => {
            let (year, text) = text.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text)
        }
        GENERALIZED_TIME => {
            let (year, text) = text.split_at_checked(4)?;
            (number(year)?, text)
        }
        _ => return None,
    };
    let [month @ .., b'Z'] = text else { return None };
    let (pairs, []) = month.as_chunks::<2>() else { return None };
    let [month, day, hour, minute, second] = pairs else { return None };
    let (month, day) = (number(month)?, number(day)?);
    if !(1..=12).contains(&month) {
        return None;
    }
    // Days from 1970-01-01, in years that begin in March.
    let (y, m) = if month > 2 { (years, month - 3) } else { (years - 1, month + 9) };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + number(hour)? * 3600 + number(minute)? * 60 + number(second)?;
    Some((Timestamp(seconds * 1000), rest))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

/// RFC 4514 §2: the last relative name first, `+` between the parts of one.
fn distinguished_name(mut rdns: &[u8]) -> Option<String> {
    let mut texts = Vec::new();
    while !rdns.is_empty() {
        let (SET, mut parts, rest) = tlv(rdns)? else { return None };
        rdns = rest;
        let mut text = String::new();
        while !parts.is_empty() {
            let (SEQUENCE, pair, rest) = tlv(parts)? else { return None };
            parts = rest;
            let (OID, oid, value) = tlv(pair)? else { return None };
            let (tag, value, _) = tlv(value)?;
            if !text.is_empty() {
                text.push('+');
            }
            match attribute(oid) {
                Some(name) => text.push_str(name),
                None => push_oid(oid, &mut text)?,
            }
            text.push('=');
            push_value(&directory_string(tag, value)?, &mut text);
        }
        texts.push(text);
    }
    texts.reverse();
    Some(texts.join(","))
}

fn attribute(oid: &[u8]) -> Option<&'static str> {
    Some(match oid {
        [0x55, 0x04, 3] => "CN",
        [0x55, 0x04, 4] => "SN",
        [0x55, 0x04, 5] => "serialNumber",
        [0x55, 0x04, 6] => "C",
        [0x55, 0x04, 7] => "L",
        [0x55, 0x04, 8] => "ST",
        [0x55, 0x04, 9] => "street",
        [0x55, 0x04, 10] => "O",
        [0x55, 0x04, 11] => "OU",
        [0x55, 0x04, 12] => "title",
        [0x55, 0x04, 42] => "GN",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01] => "UID",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01] => "emailAddress",
        _ => return None,
    })
}

/// An object identifier in dots.
fn push_oid(oid: &[u8], out: &mut String) -> Option<()> {
    let mut first = true;
    let mut arc = 0u64;
    for b in oid {
        arc = arc.checked_mul(128)?.checked_add(u64::from(b & 0x7f))?;
        if b & 0x80 != 0 {
            continue;
        }
        if first {
            let top = (arc / 40).min(2);
            write!(out, "{top}.{}", arc - top * 40).ok()?;
            first = false;
        } else {
            write!(out, ".{arc}").ok()?;
        }
        arc = 0;
    }
    Some(())
}

fn directory_string(tag: u8, bytes: &[u8]) -> Option<String> {
    match tag {
        UTF8 | PRINTABLE | IA5 => core::str::from_utf8(bytes).ok().map(str::to_owned),
        // Latin-1 is what everybody reads T61 as.
        T61 => Some(bytes.iter().map(|b| char::from(*b)).collect()),
        BMP => {
            let (units, []) = bytes.as_chunks::<2>() else { return None };
            char::decode_utf16(units.iter().map(|u| u16::from_be_bytes(*u))).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

/// RFC 4514 §2.4: what could be taken for structure is escaped.
fn push_value(value: &str, out: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (i, c) in value.chars().enumerate() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => out.extend(['\\', c]),
            ' ' if i == 0 || i == last => out.push_str("\\ "),
            '#' if i == 0 => out.push_str("\\#"),
            c if c.is_ascii_control() => _ = write!(out, "\\{:02x}", u32::from(c)),
            c => out.push(c),
        }
    }
}

/// The alternative names among the extensions.
fn alternative_names(extensions: &[u8], out: &mut Vec<String>) -> Option<()> {
    let (SEQUENCE, mut extensions, _) = tlv(extensions)? else { return None };
    while !extensions.is_empty() {
        let (SEQUENCE, extension, rest) = tlv(extensions)? else { return None };
        extensions = rest;
        let (OID, oid, value) = tlv(extension)? else { return None };
        if oid != SUBJECT_ALT_NAME {
            continue;
        }
        let (tag, mut value, rest) = tlv(value)?;
        if tag == BOOLEAN {
            (_, value, _) = tlv(rest)?;
        } else if tag != OCTETS {
            return None;
        }
        let (SEQUENCE, mut names, _) = tlv(value)? else { return None };
        while !names.is_empty() {
            let (tag, name, rest) = tlv(names)?;
            names = rest;
            if let Some(text) = general_name(tag, name).filter(|text| text.len() <= TEXT_BYTES)
                && out.len() < NAME_COUNT
            {
                out.push(text);
            }
        }
    }
    Some(())
}

/// One `GeneralName` of the kinds that are plain text or an address; a control octet in one makes it no name of ours.
fn general_name(tag: u8, name: &[u8]) -> Option<String> {
    let text = |kind: &str| {
        let text = core::str::from_utf8(name).ok().filter(|t| t.bytes().all(|b| b.is_ascii_graphic() || b == b' '))?;
        Some(format!("{kind}:{text}"))
    };
    match tag {
        0x81 => text("email"),
        0x82 => text("DNS"),
        0x86 => text("URI"),
        0x87 => match <[u8; 4]>::try_from(name) {
            Ok(v4) => Some(format!("IP:{}", Ipv4Addr::from(v4))),
            Err(_) => <[u8; 16]>::try_from(name).ok().map(|v6| format!("IP:{}", Ipv6Addr::from(v6))),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn an_end_is_told_of_in_time() {
        let end = Timestamp(1_577_836_800_000);
        for (left, want) in [
            (SOON_S, None),
            (SOON_S - 1, Some("p: the certificate expires in 29 days, on Wed, 01 Jan 2020 00:00:00 GMT")),
            (0, Some("p: the certificate expires in 0 days, on Wed, 01 Jan 2020 00:00:00 GMT")),
            (-1, Some("p: the certificate expired on Wed, 01 Jan 2020 00:00:00 GMT")),
        ] {
            assert_eq!(ending("p", end, Timestamp(end.0 - left * 1000)).as_deref(), want);
        }
        assert_eq!(ending("p", Timestamp(i64::MAX), Timestamp(0)), None);
    }

    fn made(params: CertificateParams) -> Vec<u8> {
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn subject_names_and_dates() {
        let mut params = CertificateParams::new(vec!["sensor-7.plant".to_owned(), "10.0.0.7".to_owned()]).expect("names");
        params.subject_alt_names.push(SanType::URI("urn:dev:7".try_into().expect("ascii")));
        params.subject_alt_names.push(SanType::Rfc822Name("a@b.example".try_into().expect("ascii")));
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Acme, Inc. + \"Söhne\"");
        params.distinguished_name.push(DnType::CommonName, " sensor-7");
        params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 97]), "#x");
        params.not_before = rcgen::date_time_ymd(2024, 2, 29);
        params.not_after = rcgen::date_time_ymd(2151, 12, 31);
        let der = made(params);
        let read = Certificate::read(&der).expect("a certificate");
        assert_eq!(read.subject, "2.5.4.97=\\#x,CN=\\ sensor-7,O=Acme\\, Inc. \\+ \\\"Söhne\\\"");
        assert_eq!(read.names, ["DNS:sensor-7.plant", "IP:10.0.0.7", "URI:urn:dev:7", "email:a@b.example"]);
        assert_eq!(read.not_before, Timestamp(1_709_164_800_000));
        assert_eq!(read.not_after, Timestamp(5_743_267_200_000));
        assert_eq!(read.fingerprint.len(), 64);
        // Cut anywhere, it is no certificate; and nothing panics.
        for len in 0..der.len() {
            assert_eq!(Certificate::read(&der[..len]), None, "{len}");
        }
    }

    #[test]
    fn any_octet_changed_is_read_or_refused() {
        let der = made(CertificateParams::new(vec!["a".to_owned()]).expect("a name"));
        for at in 0..der.len() {
            for b in [0, 0x7f, 0x80, 0xff, der[at].wrapping_add(1)] {
                let mut other = der.clone();
                other[at] = b;
                let _ = Certificate::read(&other); // either is fine, a panic is not
            }
        }
    }

    #[test]
    fn more_names_than_are_kept() {
        let names = |n: usize| (0..n).map(|i| format!("h{i}")).collect::<Vec<_>>();
        let count = |n| Certificate::read(&made(CertificateParams::new(names(n)).expect("names"))).expect("one").names.len();
        assert_eq!((count(NAME_COUNT), count(NAME_COUNT + 1)), (NAME_COUNT, NAME_COUNT));
    }

    #[test]
    fn times() {
        let read = |tag: u8, text: &str| {
            let der = [&[tag, u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
            time(&der).map(|(at, _)| at.0)
        };
        assert_eq!(read(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(read(UTC_TIME, "491231235959Z"), Some(2_524_607_999_000));
        assert_eq!(read(UTC_TIME, "500101000000Z"), Some(-631_152_000_000));
        assert_eq!(read(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799_000));
        for bad in ["7001010000Z", "700101000000", "70010100000xZ", "701301000000Z", "700101000000+0000"] {
            assert_eq!(read(UTC_TIME, bad), None, "{bad}");
        }
    }
}

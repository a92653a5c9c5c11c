//! What a signed head says: whose key, when, and the signature in each of its spellings.

use super::{Fault, single};
use crate::config::credentials::HmacConf;
use crate::time::Timestamp;
use crate::wire::Head;

/// A field, and what was found in it.
type Known<'a, T> = Option<(&'a str, Result<T, Fault>)>;

/// What the fields of signatures say, looked up once for all keys that share them.
#[derive(Default)]
pub(super) struct Shown<'a> {
    signature: Known<'a, bool>,
    key_id: Known<'a, Option<&'a [u8]>>,
}

impl<'a> Shown<'a> {
    /// Whether a head claims to be signed with that key, in time.
    pub(super) fn signed(&mut self, conf: &'a HmacConf, head: &Head<'a>, now: Timestamp) -> Result<bool, Fault> {
        let signature = match self.signature {
            Some((field, known)) if field == conf.signature_field => known,
            _ => {
                let found = single(head, &conf.signature_field).map(|value| value.is_some());
                self.signature = Some((&conf.signature_field, found));
                found
            }
        };
        if !signature? {
            return Ok(false);
        }
        if let Some(id) = &conf.key_id {
            let shown = match self.key_id {
                Some((field, known)) if field == conf.key_id_field => known,
                _ => {
                    let found = single(head, &conf.key_id_field);
                    self.key_id = Some((&conf.key_id_field, found));
                    found
                }
            };
            if shown? != Some(id.as_bytes()) {
                return Ok(false);
            }
        }
        let Some(field) = &conf.timestamp_field else { return Ok(true) };
        let time = single(head, field)?.and_then(timestamp).ok_or(Fault::Stale)?;
        let skew = now.0.saturating_sub(time).unsigned_abs();
        if u128::from(skew) > conf.max_skew.as_millis() { Err(Fault::Stale) } else { Ok(true) }
    }
}

/// Seconds since the epoch, or milliseconds when there are more digits than seconds will have before the year 5138.
pub(super) fn timestamp(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 15 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n = text.iter().fold(0_i64, |n, digit| n * 10 + i64::from(digit - b'0'));
    Some(if n < 100_000_000_000 { n * 1000 } else { n })
}

/// A signature as it is written: 64 hexadecimal digits or base64, with or without `sha256=` before them.
pub(super) fn signature(text: &[u8]) -> Option<[u8; 32]> {
    let text = text.strip_prefix(b"sha256=").unwrap_or(text);
    let how = match text.len() {
        64 => &data_encoding::HEXLOWER_PERMISSIVE,
        44 => &data_encoding::BASE64,
        43 => &data_encoding::BASE64_NOPAD,
        _ => return None,
    };
    let mut out = [0; 33];
    let len = how.decode_len(text.len()).ok().filter(|len| *len <= out.len())?;
    let got = how.decode_mut(text, out.get_mut(..len)?).ok()?;
    if got == 32 { out.get(..32)?.try_into().ok() } else { None }
}

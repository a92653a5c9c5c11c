//! One pass over a body: is it well-formed for the stream's format, and where do its top-level members stand.
//!
//! JSON must be an object or an array of objects (RFC 8259, strictly); the other formats take any text or octets that they can read.
//! The index is 16 bytes a member, in order: key offset, key length (bit 31: it holds an escape), value offset, value length; each u32
//! little-endian. An object with more than [`INDEX_MAX`] members, and every array, goes without.

use crate::encode::Format;
use crate::json::scan::{self, JsonError, Top};

/// Members that are indexed.
pub const INDEX_MAX: usize = 128;
/// Bytes of one index entry.
pub const ENTRY_BYTES: usize = 16;

/// Record flag: the body is one JSON object, and the index (if any) lists its members.
pub const FLAG_OBJECT: u16 = 1;
/// Record flag: the body is a packed list of rows (memory topics).
pub const FLAG_ROWS: u16 = 2;
/// Record flag: the index is complete.
pub const FLAG_INDEXED: u16 = 4;

/// Record flag: the index is complete, no key stands there twice, and none holds an escape: the first that fits is the one.
pub const FLAG_DISTINCT: u16 = 8;

/// Why a body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// No JSON.
    Json(JsonError),
    /// JSON, but no object and no array of objects.
    Shape,
    /// No UTF-8, at this byte.
    Utf8(usize),
}

impl core::fmt::Display for BodyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Json(e) => write!(f, "body is no JSON: {e}"),
            Self::Shape => f.write_str("the body must be a JSON object or an array of objects"),
            Self::Utf8(at) => write!(f, "the body is no UTF-8 text at byte {at}"),
        }
    }
}

impl core::error::Error for BodyError {}

/// A body that was found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Record flags.
    pub flags: u16,
    /// Bytes of the index.
    pub index_len: usize,
}

/// The index of one body, written in one pass.
#[derive(Debug)]
pub struct Index {
    bytes: [u8; INDEX_MAX * ENTRY_BYTES],
    /// Places of keys by their hash, plus 1; 0 is free.
    seen: [u8; SEEN],
}

/// Twice the members, so that a search is short.
const SEEN: usize = 2 * INDEX_MAX;
const _: () = assert!(SEEN == 256 && INDEX_MAX < 256, "a hash is one octet");

impl Index {
    /// Room for one index.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; INDEX_MAX * ENTRY_BYTES], seen: [0; SEEN] }
    }

    /// The index that [`Index::check`] wrote.
    #[must_use]
    pub fn bytes(&self, checked: Checked) -> &[u8] {
        self.bytes.get(..checked.index_len).unwrap_or(&[])
    }

    /// Checks `body` for `format`.
    ///
    /// # Errors
    /// [`BodyError`], with the byte where it stops being what the format takes.
    pub fn check(&mut self, format: Format, body: &[u8]) -> Result<Checked, BodyError> {
        if format == Format::Binary {
            return Ok(Checked { flags: 0, index_len: 0 });
        }
        let text = core::str::from_utf8(body).map_err(|e| BodyError::Utf8(e.valid_up_to()))?;
        if format != Format::Json {
            return Ok(Checked { flags: 0, index_len: 0 });
        }
        let (mut count, mut distinct) = (0, true);
        let Self { bytes, seen } = self;
        seen.fill(0);
        let top = scan::check(text, |member| {
            if let Some(entry) = bytes.as_chunks_mut::<ENTRY_BYTES>().0.get_mut(count) {
                let escaped = if member.escaped { 1 << 31 } else { 0 };
                let words = [member.key_at, member.key_len, member.value_at, member.value_len].map(word);
                entry[0..4].copy_from_slice(&words[0]);
                entry[4..8].copy_from_slice(&(u32::from_le_bytes(words[1]) | escaped).to_le_bytes());
                entry[8..12].copy_from_slice(&words[2]);
                entry[12..16].copy_from_slice(&words[3]);
                distinct &= !member.escaped && is_new(seen, bytes, body, count);
            }
            count += 1;
        })
        .map_err(BodyError::Json)?;
        match top {
            Top::Object if count <= INDEX_MAX => {
                let distinct = if distinct { FLAG_DISTINCT } else { 0 };
                Ok(Checked { flags: FLAG_OBJECT | FLAG_INDEXED | distinct, index_len: count * ENTRY_BYTES })
            }
            Top::Object => Ok(Checked { flags: FLAG_OBJECT, index_len: 0 }),
            Top::ObjectArray => Ok(Checked { flags: 0, index_len: 0 }),
            Top::Array | Top::Scalar => Err(BodyError::Shape),
        }
    }
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

/// A body is below 2 GiB: `limits.bodyBytes` has a ceiling of megabytes.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
const fn word(n: usize) -> [u8; 4] {
    (n as u32).to_le_bytes()
}

/// Notes the key of entry `count`; false if an entry before it has the same one.
fn is_new(seen: &mut [u8; SEEN], bytes: &[u8; INDEX_MAX * ENTRY_BYTES], body: &[u8], count: usize) -> bool {
    let entries = bytes.as_chunks::<ENTRY_BYTES>().0;
    let key_of = |at: usize| entries.get(at).and_then(|e| key(e, body)).unwrap_or(&[]);
    let own = key_of(count);
    let mut slot = hash(own);
    loop {
        match seen.get_mut(usize::from(slot)) {
            Some(0) | None => break,
            Some(other) if key_of(usize::from(*other) - 1) == own => return false,
            Some(_) => slot = slot.wrapping_add(1),
        }
    }
    if let (Some(place), Ok(count)) = (seen.get_mut(usize::from(slot)), u8::try_from(count + 1)) {
        *place = count;
    }
    true
}

/// Of a key's length, its first and its last octets: keys of one reading mostly differ there.
fn hash(key: &[u8]) -> u8 {
    let word = |part: Option<&[u8; 8]>| part.map(|b| u64::from_le_bytes(*b));
    let (first, last) = match (word(key.first_chunk()), word(key.last_chunk())) {
        (Some(first), Some(last)) => (first, last),
        _ => (key.iter().fold(0, |h, b| h << 8 | u64::from(*b)), 0),
    };
    let mixed = (first ^ (key.len() as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ last.wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[7]
}

/// The key of an entry as written; `None` in an index that is not of this body.
fn key<'r>(entry: &[u8; ENTRY_BYTES], body: &'r [u8]) -> Option<&'r [u8]> {
    let [a, b, c, d, e, f, g, h, ..] = *entry;
    let (at, len) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) & 0x7fff_ffff);
    body.get(at..at + len as usize)
}

fn value<'r>(entry: &[u8; ENTRY_BYTES], body: &'r [u8]) -> Option<&'r [u8]> {
    let [.., a, b, c, d, e, f, g, h] = *entry;
    let (at, len) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize);
    body.get(at..at + len)
}

/// The members that an index lists: key and value as written, and whether the key holds an escape.
pub fn members<'r>(index: &'r [u8], body: &'r [u8]) -> impl Iterator<Item = (&'r [u8], &'r [u8], bool)> {
    index.as_chunks::<ENTRY_BYTES>().0.iter().filter_map(move |entry| Some((key(entry, body)?, value(entry, body)?, entry[7] >> 7 == 1)))
}

/// The value of a key without escapes, where [`FLAG_DISTINCT`] stands. `hint`: the place where the key stood in the reading
/// before; readings of one sensor mostly look alike.
pub fn find<'r>(index: &[u8], body: &'r [u8], name: &[u8], hint: &mut u16) -> Option<&'r [u8]> {
    let entries = index.as_chunks::<ENTRY_BYTES>().0;
    let fits = |entry: &&[u8; ENTRY_BYTES]| key(entry, body) == Some(name);
    if let Some(entry) = entries.get(usize::from(*hint)).filter(fits) {
        return value(entry, body);
    }
    let (at, entry) = entries.iter().enumerate().find(|(_, entry)| fits(entry))?;
    *hint = u16::try_from(at).unwrap_or(0);
    value(entry, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_judged_and_indexed() {
        let mut index = Index::new();
        let body = r#"{"a":1,"b\n":[2]}"#;
        let checked = index.check(Format::Json, body.as_bytes()).expect("good");
        assert_eq!(checked.flags, FLAG_OBJECT | FLAG_INDEXED, "an escape may hide a key that is there already");
        let seen: Vec<_> = members(index.bytes(checked), body.as_bytes()).collect();
        assert_eq!(seen, [(&b"a"[..], &b"1"[..], false), (&br"b\n"[..], &b"[2]"[..], true)]);
        assert_eq!(index.check(Format::Json, b"[{},{}]").map(|c| c.flags), Ok(0));
    }

    #[test]
    fn refusals_say_where() {
        let mut index = Index::new();
        assert_eq!(index.check(Format::Json, b"[1]"), Err(BodyError::Shape));
        assert_eq!(index.check(Format::Json, b"\"a\""), Err(BodyError::Shape));
        assert!(matches!(index.check(Format::Json, b"{\"a\":}"), Err(BodyError::Json(e)) if e.at == 5));
        assert!(matches!(index.check(Format::Json, b""), Err(BodyError::Json(e)) if e.at == 0));
        assert_eq!(index.check(Format::Json, b"{\"a\":\"\xff\"}"), Err(BodyError::Utf8(6)));
        assert!(index.check(Format::Binary, b"\xff").is_ok());
    }

    #[test]
    fn more_members_than_the_index_holds_go_without() {
        let mut index = Index::new();
        let body = |n: usize| format!("{{{}}}", (0..n).map(|i| format!("\"k{i}\":{i}")).collect::<Vec<_>>().join(","));
        let full = index.check(Format::Json, body(INDEX_MAX).as_bytes());
        assert_eq!(full.map(|c| (c.index_len, c.flags & FLAG_DISTINCT)), Ok((INDEX_MAX * ENTRY_BYTES, FLAG_DISTINCT)));
        assert_eq!(index.check(Format::Json, body(INDEX_MAX + 1).as_bytes()), Ok(Checked { flags: FLAG_OBJECT, index_len: 0 }));
    }

    #[test]
    fn keys_are_found_where_they_stood_or_elsewhere() {
        let mut index = Index::new();
        let mut hint = 0;
        for (body, name, want, at) in [
            (r#"{"a":1,"bb":2,"c":3}"#, "bb", Some("2"), 1),
            (r#"{"x":0,"bb":4}"#, "bb", Some("4"), 1),
            (r#"{"bb":5}"#, "bb", Some("5"), 0),
            (r#"{"b":5}"#, "bb", None, 0),
            ("{}", "bb", None, 0),
            (r#"{"temperature_inside":1,"temperature_outside":2}"#, "temperature_outside", Some("2"), 1),
        ] {
            let checked = index.check(Format::Json, body.as_bytes()).expect("good");
            assert_ne!(checked.flags & FLAG_DISTINCT, 0, "{body}");
            let found = find(index.bytes(checked), body.as_bytes(), name.as_bytes(), &mut hint);
            assert_eq!(found.map(|v| core::str::from_utf8(v).expect("text")), want, "{body}");
            assert_eq!(hint, at, "{body}");
        }
    }

    #[test]
    fn repeated_keys_are_noticed() {
        let mut index = Index::new();
        let long = |key: &str| format!(r#"{{"a":1,"{key}":1,"c":[{{"a":1}}],"{key}":2}}"#);
        for body in [r#"{"":1,"":2}"#.to_owned(), long("b"), long("1234567"), long("12345678"), long(&"k".repeat(300))] {
            let checked = index.check(Format::Json, body.as_bytes()).expect("good");
            assert_eq!(checked.flags & FLAG_DISTINCT, 0, "{body}");
        }
        let last = format!("{{{},\"k0\":1}}", (0..INDEX_MAX - 1).map(|i| format!("\"k{i}\":1")).collect::<Vec<_>>().join(","));
        assert_eq!(index.check(Format::Json, last.as_bytes()).map(|c| c.flags), Ok(FLAG_OBJECT | FLAG_INDEXED));
    }
}

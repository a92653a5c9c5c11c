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
}

impl Index {
    /// Room for one index.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; INDEX_MAX * ENTRY_BYTES] }
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
        let mut count = 0;
        let top = scan::check(text, |member| {
            if let Some(entry) = self.bytes.get_mut(count * ENTRY_BYTES..(count + 1) * ENTRY_BYTES) {
                let escaped = if member.escaped { 1 << 31 } else { 0 };
                entry[0..4].copy_from_slice(&word(member.key_at));
                entry[4..8].copy_from_slice(&(u32::from_le_bytes(word(member.key_len)) | escaped).to_le_bytes());
                entry[8..12].copy_from_slice(&word(member.value_at));
                entry[12..16].copy_from_slice(&word(member.value_len));
            }
            count += 1;
        })
        .map_err(BodyError::Json)?;
        match top {
            Top::Object if count <= INDEX_MAX => Ok(Checked { flags: FLAG_OBJECT | FLAG_INDEXED, index_len: count * ENTRY_BYTES }),
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

/// The members that an index lists: key and value as written, and whether the key holds an escape.
pub fn members<'r>(index: &'r [u8], body: &'r str) -> impl Iterator<Item = (&'r str, &'r str, bool)> {
    index.as_chunks::<ENTRY_BYTES>().0.iter().filter_map(move |entry| {
        let at = |i: usize| entry.get(i..i + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        let (key_at, key_len, value_at, value_len) = (at(0) as usize, at(4), at(8) as usize, at(12) as usize);
        let escaped = key_len >> 31 == 1;
        let key_len = (key_len & 0x7fff_ffff) as usize;
        Some((body.get(key_at..key_at + key_len)?, body.get(value_at..value_at + value_len)?, escaped))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_judged_and_indexed() {
        let mut index = Index::new();
        let body = r#"{"a":1,"b\n":[2]}"#;
        let checked = index.check(Format::Json, body.as_bytes()).expect("good");
        assert_eq!(checked.flags, FLAG_OBJECT | FLAG_INDEXED);
        let seen: Vec<_> = members(index.bytes(checked), body).collect();
        assert_eq!(seen, [("a", "1", false), (r"b\n", "[2]", true)]);
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
        assert_eq!(index.check(Format::Json, body(INDEX_MAX).as_bytes()).map(|c| c.index_len), Ok(INDEX_MAX * ENTRY_BYTES));
        assert_eq!(index.check(Format::Json, body(INDEX_MAX + 1).as_bytes()), Ok(Checked { flags: FLAG_OBJECT, index_len: 0 }));
    }
}

//! One pass over a body: is it well-formed for the stream's format, and where do its top-level members stand.
//!
//! JSON must be an object or an array of objects (RFC 8259, strictly); the other formats take any text or octets that they can read.
//! The index is 16 bytes a member, in order: key offset, key length (bit 31: it holds an escape), value offset, value length; each u32
//! little-endian. An object with more than [`INDEX_MAX`] members, and every array, goes without.

use super::shape::Shape;
use crate::encode::Format;
use crate::json::name::Name;
use crate::json::scan::{self, JsonError, Member, Top};

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
    /// What readings looked like, a place for some of the endpoints.
    shapes: [Shape; SHAPES],
}

/// Twice the members, so that a search is short.
const SEEN: usize = 2 * INDEX_MAX;
const _: () = assert!(SEEN == 256 && INDEX_MAX < 256, "a hash is one octet");
/// Endpoints whose readings are remembered apart.
const SHAPES: usize = 4;

impl Index {
    /// Room for one index.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; INDEX_MAX * ENTRY_BYTES], seen: [0; SEEN], shapes: [const { Shape::new() }; SHAPES] }
    }

    /// The index that [`Index::check`] wrote.
    #[must_use]
    pub fn bytes(&self, checked: Checked) -> &[u8] {
        self.bytes.get(..checked.index_len).unwrap_or(&[])
    }

    /// Checks `body` for `format`. `place`: any number that is the same for readings that may look alike.
    ///
    /// # Errors
    /// [`BodyError`], with the byte where it stops being what the format takes.
    pub fn check(&mut self, format: Format, body: &[u8], place: usize) -> Result<Checked, BodyError> {
        if format == Format::Binary {
            return Ok(Checked { flags: 0, index_len: 0 });
        }
        let text = core::str::from_utf8(body).map_err(|e| BodyError::Utf8(e.valid_up_to()))?;
        if format != Format::Json {
            return Ok(Checked { flags: 0, index_len: 0 });
        }
        let Self { bytes, seen, shapes } = self;
        let shape = &mut shapes[place % SHAPES];
        let mut list = List { entries: bytes.as_chunks_mut().0, seen, body, count: 0, distinct: true, noting: false };
        let (known, at) = shape.walk(text, |member| list.put(member)).map_err(BodyError::Json)?;
        let top = if known == 0 {
            scan::check(text, |member| list.add(member)).map_err(BodyError::Json)?
        } else {
            scan::check_rest(text, at, |member| list.add(member)).map_err(BodyError::Json)?;
            Top::Object
        };
        let List { count, distinct, .. } = list;
        match top {
            Top::Object if count <= INDEX_MAX => {
                let index_len = count * ENTRY_BYTES;
                if distinct {
                    let entries = bytes.as_chunks().0.iter().take(count);
                    shape.hear(known == count, body, entries.map(member_of));
                }
                let distinct = if distinct { FLAG_DISTINCT } else { 0 };
                Ok(Checked { flags: FLAG_OBJECT | FLAG_INDEXED | distinct, index_len })
            }
            Top::Object => Ok(Checked { flags: FLAG_OBJECT, index_len: 0 }),
            Top::ObjectArray => Ok(Checked { flags: 0, index_len: 0 }),
            Top::Array | Top::Scalar => Err(BodyError::Shape),
        }
    }
}

/// The members of one body as they come.
struct List<'i, 'b> {
    entries: &'i mut [[u8; ENTRY_BYTES]],
    seen: &'i mut [u8; SEEN],
    body: &'b [u8],
    count: usize,
    distinct: bool,
    /// Keys are being noted in `seen`.
    noting: bool,
}

impl List<'_, '_> {
    /// One whose key is known to be a new one.
    #[inline]
    fn put(&mut self, member: Member) {
        if let Some(entry) = self.entries.get_mut(self.count) {
            *entry = entry_of(member);
        }
        self.count += 1;
    }

    /// One whose key may have been there.
    fn add(&mut self, member: Member) {
        if !self.noting {
            self.noting = true;
            self.seen.fill(0);
            for known in 0..self.count {
                is_new(self.seen, self.entries, self.body, known);
            }
        }
        let own = self.count;
        self.put(member);
        self.distinct &= own >= INDEX_MAX || !member.escaped && is_new(self.seen, self.entries, self.body, own);
    }
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

/// How a member stands in the index. A body is below 2 GiB: `limits.bodyBytes` has a ceiling of megabytes.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
#[inline]
const fn entry_of(member: Member) -> [u8; ENTRY_BYTES] {
    let escaped = if member.escaped { 1 << 31 } else { 0 };
    let key = member.key_at as u32 as u64 | ((member.key_len as u32 | escaped) as u64) << 32;
    let value = member.value_at as u32 as u64 | (member.value_len as u32 as u64) << 32;
    (key as u128 | (value as u128) << 64).to_le_bytes()
}

/// The member of an index entry; it may lie outside of a body that is another one's.
#[expect(clippy::cast_possible_truncation, reason = "halves of words")]
#[must_use]
#[inline]
pub const fn member_of(entry: &[u8; ENTRY_BYTES]) -> Member {
    let words = u128::from_le_bytes(*entry);
    let (key, value) = (words as u64, (words >> 64) as u64);
    Member {
        key_at: key as u32 as usize,
        key_len: (key >> 32) as u32 as usize & 0x7fff_ffff,
        escaped: key >> 63 == 1,
        value_at: value as u32 as usize,
        value_len: (value >> 32) as u32 as usize,
    }
}

/// Notes the key of entry `count`; false if an entry before it has the same one.
fn is_new(seen: &mut [u8; SEEN], entries: &[[u8; ENTRY_BYTES]], body: &[u8], count: usize) -> bool {
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
#[inline]
fn key<'r>(entry: &[u8; ENTRY_BYTES], body: &'r [u8]) -> Option<&'r [u8]> {
    let Member { key_at, key_len, .. } = member_of(entry);
    body.get(key_at..key_at + key_len)
}

#[inline]
fn value<'r>(entry: &[u8; ENTRY_BYTES], body: &'r [u8]) -> Option<&'r [u8]> {
    let Member { value_at, value_len, .. } = member_of(entry);
    body.get(value_at..value_at + value_len)
}

/// The members that an index lists: key and value as written, and whether the key holds an escape.
pub fn members<'r>(index: &'r [u8], body: &'r [u8]) -> impl Iterator<Item = (&'r [u8], &'r [u8], bool)> {
    index.as_chunks::<ENTRY_BYTES>().0.iter().filter_map(move |entry| Some((key(entry, body)?, value(entry, body)?, entry[7] >> 7 == 1)))
}

/// Where the member of a key without escapes stands, if [`FLAG_DISTINCT`] does. `hint`: the place where it stood in the reading
/// before; readings of one sensor mostly look alike.
#[inline]
pub fn place(index: &[u8], body: &[u8], name: &Name, hint: &mut u16) -> Option<Member> {
    let entries = index.as_chunks::<ENTRY_BYTES>().0;
    if let Some(entry) = entries.get(usize::from(*hint)) {
        let member = member_of(entry);
        if name.is(body, member.key_at, member.key_len) {
            return Some(member);
        }
    }
    let fits = |member: &Member| name.is(body, member.key_at, member.key_len);
    let (at, member) = entries.iter().map(member_of).enumerate().find(|(_, member)| fits(member))?;
    *hint = u16::try_from(at).unwrap_or(0);
    Some(member)
}

/// The value of a key, found as by [`place`].
#[inline]
pub fn find<'r>(index: &[u8], body: &'r [u8], name: &Name, hint: &mut u16) -> Option<&'r [u8]> {
    let Member { value_at, value_len, .. } = place(index, body, name, hint)?;
    body.get(value_at..value_at + value_len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_judged_and_indexed() {
        let mut index = Index::new();
        let body = r#"{"a":1,"b\n":[2]}"#;
        let checked = index.check(Format::Json, body.as_bytes(), 0).expect("good");
        assert_eq!(checked.flags, FLAG_OBJECT | FLAG_INDEXED, "an escape may hide a key that is there already");
        let seen: Vec<_> = members(index.bytes(checked), body.as_bytes()).collect();
        assert_eq!(seen, [(&b"a"[..], &b"1"[..], false), (&br"b\n"[..], &b"[2]"[..], true)]);
        assert_eq!(index.check(Format::Json, b"[{},{}]", 0).map(|c| c.flags), Ok(0));
    }

    #[test]
    fn refusals_say_where() {
        let mut index = Index::new();
        assert_eq!(index.check(Format::Json, b"[1]", 0), Err(BodyError::Shape));
        assert_eq!(index.check(Format::Json, b"\"a\"", 0), Err(BodyError::Shape));
        assert!(matches!(index.check(Format::Json, b"{\"a\":}", 0), Err(BodyError::Json(e)) if e.at == 5));
        assert!(matches!(index.check(Format::Json, b"", 0), Err(BodyError::Json(e)) if e.at == 0));
        assert_eq!(index.check(Format::Json, b"{\"a\":\"\xff\"}", 0), Err(BodyError::Utf8(6)));
        assert!(index.check(Format::Binary, b"\xff", 0).is_ok());
    }

    #[test]
    fn more_members_than_the_index_holds_go_without() {
        let mut index = Index::new();
        let body = |n: usize| format!("{{{}}}", (0..n).map(|i| format!("\"k{i}\":{i}")).collect::<Vec<_>>().join(","));
        let full = index.check(Format::Json, body(INDEX_MAX).as_bytes(), 0);
        assert_eq!(full.map(|c| (c.index_len, c.flags & FLAG_DISTINCT)), Ok((INDEX_MAX * ENTRY_BYTES, FLAG_DISTINCT)));
        assert_eq!(index.check(Format::Json, body(INDEX_MAX + 1).as_bytes(), 0), Ok(Checked { flags: FLAG_OBJECT, index_len: 0 }));
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
            let checked = index.check(Format::Json, body.as_bytes(), 0).expect("good");
            assert_ne!(checked.flags & FLAG_DISTINCT, 0, "{body}");
            let found = find(index.bytes(checked), body.as_bytes(), &Name::new(name), &mut hint);
            assert_eq!(found.map(|v| core::str::from_utf8(v).expect("text")), want, "{body}");
            assert_eq!(hint, at, "{body}");
        }
    }

    #[test]
    fn repeated_keys_are_noticed() {
        let mut index = Index::new();
        let long = |key: &str| format!(r#"{{"a":1,"{key}":1,"c":[{{"a":1}}],"{key}":2}}"#);
        for body in [r#"{"":1,"":2}"#.to_owned(), long("b"), long("1234567"), long("12345678"), long(&"k".repeat(300))] {
            let checked = index.check(Format::Json, body.as_bytes(), 0).expect("good");
            assert_eq!(checked.flags & FLAG_DISTINCT, 0, "{body}");
        }
        let last = format!("{{{},\"k0\":1}}", (0..INDEX_MAX - 1).map(|i| format!("\"k{i}\":1")).collect::<Vec<_>>().join(","));
        assert_eq!(index.check(Format::Json, last.as_bytes(), 0).map(|c| c.flags), Ok(FLAG_OBJECT | FLAG_INDEXED));
    }

    /// What is known of a reading before changes nothing but the time it takes.
    fn same_whatever_was_before(before: &[&[u8]], body: &[u8]) {
        let (mut fresh, mut warm) = (Index::new(), Index::new());
        for _ in 0..3 {
            for body in before {
                let _ = warm.check(Format::Json, body, 0);
            }
        }
        let want = fresh.check(Format::Json, body, 0);
        let got = warm.check(Format::Json, body, 0);
        assert_eq!(got, want, "{} behind {}", String::from_utf8_lossy(body), String::from_utf8_lossy(before[0]));
        if let (Ok(want), Ok(got)) = (want, got) {
            assert_eq!(warm.bytes(got), fresh.bytes(want), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_reading_that_differs_from_the_one_before_is_judged_alike() {
        let before = r#"{"device":"m-1", "t" : 20.5,"a_key_that_is_longer_than_sixteen":[1,{"b":2}],"ok":true}"#.as_bytes();
        for body in [
            r#"{"device":"m-2", "t" : -1e3,"a_key_that_is_longer_than_sixteen":null,"ok":false}"#,
            r#"{"device": "m-2", "t" :  7,"a_key_that_is_longer_than_sixteen": "x" , "ok":false } "#,
            r#"{"device":"m-2"}"#,
            r#"{"device":"m-2", "t" : 1} x"#,
            r#"{"device":"m-2", "t" : 01}"#,
            r#"{"device":"m-2", "t" : 1,}"#,
            r#"{"device":"m-2", "t" : }"#,
            r#"{"device":"m-2", "t" : 1,"device":2}"#,
            r#"{"device":"m-2", "t" : 1,"t":2,"x":{"t":3}}"#,
            r#"{"device":"m-2", "t" : 1,"t":2}"#,
            r#"{"device":"m-2", "t" : 1,"a_key_that_is_longer_than_sixteem":2,"ok":3,"more":4}"#,
            r#"{"device":"m-2" "t" : 1}"#,
            r#"{"device":"m-2", "t" :"#,
            r#"[{"device":"m-2"}]"#,
            "",
        ] {
            same_whatever_was_before(&[before], body.as_bytes());
        }
        let deep = |n: usize| format!(r#"{{"device":{}{}}}"#, "[".repeat(n), "]".repeat(n));
        same_whatever_was_before(&[before], deep(crate::limits::JSON_DEPTH - 1).as_bytes());
        same_whatever_was_before(&[before], deep(crate::limits::JSON_DEPTH).as_bytes());
    }

    proptest::proptest! {
        #[test]
        fn changed_readings_are_judged_as_if_nothing_was_known(
            keys in proptest::collection::vec("[a-d]{1,2}|[a-z]{14,40}", 0..8),
            at in 0_usize..200,
            with in "[\\[\\]{}\",:0-9a-z.\\-\\\\ \u{e9}]{0,3}",
            cut in 0_usize..4,
        ) {
            let values = ["1", "-2.5e1", "\"x\"", "[1, \"y\"]", "{\"z\":null}", "true", " 7 ", "1234567890123"];
            let members: Vec<String> = keys.iter().zip(values).map(|(key, value)| format!("\"{key}\":{value}")).collect();
            let before = format!("{{{}}}", members.join(","));
            let at = at.min(before.len());
            let mut after = before.clone();
            after.replace_range(at..(at + cut).min(before.len()), &with);
            same_whatever_was_before(&[before.as_bytes()], after.as_bytes());
            same_whatever_was_before(&[after.as_bytes(), before.as_bytes()], before.as_bytes());
        }
    }
}

//! The one tagged encoding of values that are not copied from input, little-endian.
//!
//! | tag | then |
//! |---|---|
//! | 0 null, 1 false, 2 true | |
//! | 3 int, 4 float | 8 bytes |
//! | 5 time | secs i64, nanos u32, offset i32 |
//! | 6 text, 7 octets | length u32, the bytes |
//! | 8 JSON | number rule u8, length u32, the text |
//! | 9 list | bytes u32, count u32, elements |
//! | 10 object | bytes u32, count u32, entries (key length u32, key, value), then a u32 per entry: its place, sorted by key |
//!
//! An object's count and table leave out repeats of a key: the last one wins.

use core::cell::Cell;

use super::{Fault, Moment, Numbers, Value};
use crate::json::scan;
use crate::limits::JSON_DEPTH;

const LIST: u8 = 9;
const OBJECT: u8 = 10;
/// Tag, bytes, count: the first element of a list stands behind them.
pub const LIST_HEADER: usize = 9;
const HEADER: usize = LIST_HEADER;

/// A packed list or object: a whole encoding, beginning with its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed<'a>(&'a [u8]);

impl Packed<'static> {
    /// `[]`.
    pub const EMPTY_LIST: Self = Packed(&[LIST, 0, 0, 0, 0, 0, 0, 0, 0]);
    /// `{}`.
    pub const EMPTY_OBJECT: Self = Packed(&[OBJECT, 0, 0, 0, 0, 0, 0, 0, 0]);
}

impl<'a> Packed<'a> {
    /// Takes bytes that a [`PackWriter`] made: the first whole value in them. `None` if that is no list or object.
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        match read(bytes)? {
            (Value::Packed(p), _) => Some(p),
            _ => None,
        }
    }

    /// Bytes in front of a list's elements.
    pub const LIST_HEADER_BYTES: usize = HEADER;

    /// The header of a list whose `count` elements, encoded one behind the other, take `bytes`: for a list that grows in place.
    #[must_use]
    pub fn list_header(bytes: usize, count: usize) -> [u8; HEADER] {
        let (mut header, field) = ([LIST; HEADER], |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
        header[1..5].copy_from_slice(&field(bytes));
        header[5..].copy_from_slice(&field(count));
        header
    }

    /// The encoding.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// True for a list, false for an object.
    #[must_use]
    pub fn is_list(self) -> bool {
        self.0.first() == Some(&LIST)
    }

    /// Elements, or entries without repeats.
    #[must_use]
    pub fn count(self) -> usize {
        u32_at(self.0, 5) as usize
    }

    /// True without elements or entries.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.count() == 0
    }

    /// The elements of a list; nothing for an object.
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        if self.is_list() { Elements { bytes: self.0.get(HEADER..).unwrap_or(&[]) } } else { Elements { bytes: &[] } }
    }

    /// This as an object; `None` for a list.
    #[must_use]
    pub fn object(self) -> Option<Object<'a>> {
        (self.0.first() == Some(&OBJECT)).then_some(Object(self.0))
    }
}

/// A packed object: keys sorted bytewise, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a>(&'a [u8]);

impl<'a> Object<'a> {
    /// As a value.
    #[must_use]
    pub const fn value(self) -> Value<'a> {
        Value::Packed(Packed(self.0))
    }

    /// Entries.
    #[must_use]
    pub fn count(self) -> usize {
        u32_at(self.0, 5) as usize
    }

    /// Entry `index` in key order.
    #[must_use]
    pub fn entry(self, index: usize) -> Option<(&'a str, Value<'a>)> {
        let count = self.count();
        if index >= count {
            return None;
        }
        let table = self.0.len().checked_sub(count.checked_mul(4)?)?;
        entry_at(self.0, u32_at(self.0, table + 4 * index) as usize)
    }

    /// The entries, sorted by key.
    pub fn entries(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        (0..self.count()).filter_map(move |i| self.entry(i))
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let mid = usize::midpoint(low, high);
            let (k, value) = self.entry(mid)?;
            match k.cmp(key) {
                core::cmp::Ordering::Equal => return Some(value),
                core::cmp::Ordering::Less => low = mid + 1,
                core::cmp::Ordering::Greater => high = mid,
            }
        }
        None
    }
}

/// Elements of a packed list.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let (value, len) = read(self.bytes)?;
        self.bytes = self.bytes.get(len..)?;
        Some(value)
    }
}

/// Reads one encoded value from the front of `bytes`: the value and its length. `None` if the bytes are no encoding.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<(Value<'_>, usize)> {
    let tag = *bytes.first()?;
    Some(match tag {
        0 => (Value::Null, 1),
        1 => (Value::Bool(false), 1),
        2 => (Value::Bool(true), 1),
        3 => (Value::Int(i64::from_le_bytes(bytes.get(1..9)?.try_into().ok()?)), 9),
        4 => (Value::Float(f64::from_le_bytes(bytes.get(1..9)?.try_into().ok()?)), 9),
        5 => (
            Value::Time(Moment {
                secs: i64::from_le_bytes(bytes.get(1..9)?.try_into().ok()?),
                nanos: u32::from_le_bytes(bytes.get(9..13)?.try_into().ok()?),
                offset_s: i32::from_le_bytes(bytes.get(13..17)?.try_into().ok()?),
            }),
            17,
        ),
        6 | 7 => {
            let len = u32_at(bytes, 1) as usize;
            let body = bytes.get(5..)?.get(..len)?;
            (if tag == 6 { Value::Str(core::str::from_utf8(body).ok()?) } else { Value::Bytes(body) }, 5 + len)
        }
        8 => {
            let numbers = if *bytes.get(1)? == 0 { Numbers::Float } else { Numbers::Whole };
            let len = u32_at(bytes, 2) as usize;
            (Value::Json(numbers, core::str::from_utf8(bytes.get(6..)?.get(..len)?).ok()?), 6 + len)
        }
        LIST | OBJECT => {
            let len = HEADER.checked_add(u32_at(bytes, 1) as usize)?;
            (Value::Packed(Packed(bytes.get(..len)?)), len)
        }
        _ => return None,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.get(..4)?.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn entry_at(bytes: &[u8], at: usize) -> Option<(&str, Value<'_>)> {
    let key_len = u32_at(bytes, at) as usize;
    let (key, rest) = bytes.get(at..)?.get(4..)?.split_at_checked(key_len)?;
    let key = core::str::from_utf8(key).ok()?;
    let (value, _) = read(rest)?;
    Some((key, value))
}

/// Bytes that [`Encoder::value`] takes for a value.
#[must_use]
pub const fn len(value: Value<'_>) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 9,
        Value::Time(_) => 17,
        Value::Str(text) => 5 + text.len(),
        Value::Bytes(bytes) => 5 + bytes.len(),
        Value::Json(_, raw) => 6 + raw.len(),
        Value::Packed(p) => p.0.len(),
    }
}

/// Corrects the header of a packed list behind which one more element was written.
pub fn grown(list: &mut [u8]) {
    let (bytes, count) = (list.len().saturating_sub(HEADER), u32_at(list, 5) + 1);
    #[expect(clippy::cast_possible_truncation, reason = "lengths of packed values are below 4 GiB")]
    let bytes = bytes as u32;
    if let Some(header) = list.get_mut(1..HEADER) {
        header[..4].copy_from_slice(&bytes.to_le_bytes());
        header[4..].copy_from_slice(&count.to_le_bytes());
    }
}

/// Encodes values into a borrowed buffer; [`PackWriter`] is the same over a scratch.
///
/// Lists and objects are opened, filled and ended; an object takes a key before each value. Nesting is bounded by
/// [`JSON_DEPTH`].
#[derive(Debug)]
pub struct Encoder<'b> {
    buf: &'b mut [u8],
    len: usize,
    /// Offset of the innermost open list or object; each header's count field holds the one around it while it is open.
    open: Option<usize>,
    depth: usize,
}

/// A place in what an [`Encoder`] writes.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    len: usize,
    open: Option<usize>,
    depth: usize,
}

impl<'b> Encoder<'b> {
    /// Encodes into `buf` from its front.
    #[must_use]
    pub const fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0, open: None, depth: 0 }
    }

    /// Bytes written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True before the first write.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the encoder stands, to come back to by [`Encoder::rewind`].
    #[must_use]
    pub const fn mark(&self) -> Mark {
        Mark { len: self.len, open: self.open, depth: self.depth }
    }

    /// Forgets all that was written.
    pub const fn restart(&mut self) {
        self.rewind(Mark { len: 0, open: None, depth: 0 });
    }

    /// Forgets what was written since `mark`, while what was open then still is.
    pub const fn rewind(&mut self, mark: Mark) {
        self.len = mark.len;
        self.open = mark.open;
        self.depth = mark.depth;
    }

    /// What was written.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or(&[])
    }

    fn put<'f>(&mut self, bytes: &[u8]) -> Result<(), Fault<'f>> {
        let end = self.len + bytes.len();
        self.buf.get_mut(self.len..end).ok_or(Fault::FULL)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    fn put_len<'f>(&mut self, len: usize) -> Result<(), Fault<'f>> {
        self.put(&u32::try_from(len).map_err(|_| Fault::FULL)?.to_le_bytes())
    }

    /// One value, whole.
    ///
    /// # Errors
    /// [`Fault::FULL`] when it does not fit.
    pub fn value<'f>(&mut self, value: Value<'_>) -> Result<(), Fault<'f>> {
        match value {
            Value::Null => self.put(&[0]),
            Value::Bool(b) => self.put(&[1 + u8::from(b)]),
            Value::Int(i) => {
                self.put(&[3])?;
                self.put(&i.to_le_bytes())
            }
            Value::Float(x) => {
                self.put(&[4])?;
                self.put(&x.to_le_bytes())
            }
            Value::Time(t) => {
                self.put(&[5])?;
                self.put(&t.secs.to_le_bytes())?;
                self.put(&t.nanos.to_le_bytes())?;
                self.put(&t.offset_s.to_le_bytes())
            }
            Value::Str(text) => {
                self.put(&[6])?;
                self.put_len(text.len())?;
                self.put(text.as_bytes())
            }
            Value::Bytes(bytes) => {
                self.put(&[7])?;
                self.put_len(bytes.len())?;
                self.put(bytes)
            }
            Value::Json(numbers, raw) => {
                self.put(&[8, u8::from(numbers == Numbers::Whole)])?;
                self.put_len(raw.len())?;
                self.put(raw.as_bytes())
            }
            Value::Packed(p) => self.put(p.as_bytes()),
        }
    }

    /// A JSON value as written: objects and arrays are kept raw.
    ///
    /// # Errors
    /// [`Fault::FULL`], or a number that [`Numbers::Whole`] cannot read.
    pub fn json<'f>(&mut self, raw: &str, numbers: Numbers) -> Result<(), Fault<'f>> {
        match raw.as_bytes().first() {
            Some(b'"') => {
                self.put(&[6])?;
                self.json_text(raw.get(1..raw.len() - 1).unwrap_or(""))
            }
            Some(b'{' | b'[') => self.value(Value::Json(numbers, raw)),
            Some(b't') => self.put(&[2]),
            Some(b'f') => self.put(&[1]),
            Some(b'n') | None => self.put(&[0]),
            _ if numbers == Numbers::Whole && !raw.contains('.') => {
                let i = raw.parse().map_err(|_| Fault::new("unparsed tail left after parsing int64 form"))?;
                self.value(Value::Int(i))
            }
            _ => {
                let number = super::short_float(raw.as_bytes()).unwrap_or_else(|| raw.parse().unwrap_or(f64::NAN));
                self.value(Value::Float(number))
            }
        }
    }

    /// Length and unescaped octets of a JSON string's inside.
    fn json_text<'f>(&mut self, raw: &str) -> Result<(), Fault<'f>> {
        if !raw.as_bytes().contains(&b'\\') {
            self.put_len(raw.len())?;
            return self.put(raw.as_bytes());
        }
        let at = self.len;
        self.put_len(0)?;
        let n = scan::unescape(raw, self.buf.get_mut(self.len..).unwrap_or(&mut [])).ok_or(Fault::FULL)?;
        self.len += n;
        self.patch(at, n);
        Ok(())
    }

    fn patch(&mut self, at: usize, value: usize) {
        #[expect(clippy::cast_possible_truncation, reason = "lengths were checked by put_len or are below the buffer's length")]
        if let Some(place) = self.buf.get_mut(at..at + 4) {
            place.copy_from_slice(&(value as u32).to_le_bytes());
        }
    }

    fn begin<'f>(&mut self, tag: u8) -> Result<(), Fault<'f>> {
        if self.depth >= JSON_DEPTH {
            return Err(Fault::new("the value is nested too deep: the limit is JSON_DEPTH"));
        }
        let at = self.len;
        self.put(&[tag])?;
        self.put_len(0)?;
        self.put_len(self.open.map_or(0, |o| o + 1))?;
        self.open = Some(at);
        self.depth += 1;
        Ok(())
    }

    /// Opens a list.
    ///
    /// # Errors
    /// [`Fault::FULL`], or nesting beyond [`JSON_DEPTH`].
    pub fn begin_list<'f>(&mut self) -> Result<(), Fault<'f>> {
        self.begin(LIST)
    }

    /// Opens an object.
    ///
    /// # Errors
    /// [`Fault::FULL`], or nesting beyond [`JSON_DEPTH`].
    pub fn begin_object<'f>(&mut self) -> Result<(), Fault<'f>> {
        self.begin(OBJECT)
    }

    /// The key of the next value of an object.
    ///
    /// # Errors
    /// [`Fault::FULL`].
    pub fn key<'f>(&mut self, key: &str) -> Result<(), Fault<'f>> {
        self.put_len(key.len())?;
        self.put(key.as_bytes())
    }

    /// A key as written in JSON, without its quotes.
    ///
    /// # Errors
    /// [`Fault::FULL`].
    pub fn json_key<'f>(&mut self, raw: &str) -> Result<(), Fault<'f>> {
        self.json_text(raw)
    }

    /// A key and its value.
    ///
    /// # Errors
    /// [`Fault::FULL`].
    pub fn entry<'f>(&mut self, key: &str, value: Value<'_>) -> Result<(), Fault<'f>> {
        self.key(key)?;
        self.value(value)
    }

    /// Ends the innermost list or object: counts it and sorts an object's keys.
    ///
    /// # Errors
    /// [`Fault::FULL`] when the table of an object does not fit.
    ///
    /// # Panics
    /// When nothing is open: our own mistake.
    pub fn end<'f>(&mut self) -> Result<(), Fault<'f>> {
        let at = self.open.expect("end() follows a begin");
        let around = u32_at(self.buf, at + 5) as usize;
        let first = at + HEADER;
        let is_object = self.buf[at] == OBJECT;
        let mut count = 0;
        let mut place = first;
        let entries_end = self.len;
        let mut sorted = true;
        let mut last_key: Option<(usize, usize)> = None;
        while place < entries_end {
            let value_at = if is_object {
                let key = (place + 4, place + 4 + u32_at(self.buf, place) as usize);
                if let Some(last) = last_key {
                    sorted &= self.buf[last.0..last.1] < self.buf[key.0..key.1];
                }
                last_key = Some(key);
                self.put_len(place - at)?;
                key.1
            } else {
                place
            };
            let len = read_len(&self.buf[value_at..entries_end]);
            assert!(len > 0, "an encoder wrote this value");
            place = value_at + len;
            count += 1;
        }
        if is_object && !sorted {
            let (entries, table) = self.buf[at..self.len].split_at_mut(entries_end - at);
            let (table, _) = table.as_chunks_mut::<4>();
            let entries: &[u8] = entries;
            let key = |place: &[u8; 4]| {
                let place = u32::from_le_bytes(*place) as usize;
                &entries[place + 4..place + 4 + u32_at(entries, place) as usize]
            };
            table.sort_unstable_by(|a, b| key(a).cmp(key(b)).then(u32::from_le_bytes(*a).cmp(&u32::from_le_bytes(*b))));
            // Of equal keys the last written stays.
            let mut kept = 0;
            for i in 0..table.len() {
                if i + 1 < table.len() && key(&table[i]) == key(&table[i + 1]) {
                    continue;
                }
                table[kept] = table[i];
                kept += 1;
            }
            self.len -= 4 * (count - kept);
            count = kept;
        }
        self.patch(at + 1, self.len - first);
        self.patch(at + 5, count);
        self.open = around.checked_sub(1);
        self.depth -= 1;
        Ok(())
    }
}

/// Bytes of the encoded value at the front; 0 if there is none.
fn read_len(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(0..=2) => 1,
        Some(3 | 4) => 9,
        Some(5) => 17,
        Some(6 | 7) => 5 + u32_at(bytes, 1) as usize,
        Some(8) => 6 + u32_at(bytes, 2) as usize,
        Some(&(LIST | OBJECT)) => HEADER + u32_at(bytes, 1) as usize,
        _ => 0,
    }
}

/// Writes one packed value into a scratch, see [`super::Scratch::pack`]. It derefs to an [`Encoder`]. Dropped before
/// [`PackWriter::finish`], it gives its memory back.
pub struct PackWriter<'s, 'a> {
    home: &'s Cell<&'a mut [u8]>,
    encoder: Encoder<'a>,
}

impl<'s, 'a> PackWriter<'s, 'a> {
    pub(super) fn new(home: &'s Cell<&'a mut [u8]>) -> Self {
        Self { home, encoder: Encoder::new(home.take()) }
    }

    /// The finished list or object.
    ///
    /// # Errors
    /// A fault if what was written is no single list or object.
    pub fn finish(mut self) -> Result<Packed<'a>, Fault<'a>> {
        let bytes = self.finish_bytes();
        Packed::from_bytes(bytes).ok_or(Fault::new("no list or object was written"))
    }

    /// All that was written, whatever it is.
    pub fn finish_bytes(&mut self) -> &'a [u8] {
        let buf = core::mem::take(&mut self.encoder.buf);
        let len = core::mem::take(&mut self.encoder.len);
        let (lent, rest) = buf.split_at_mut(len);
        self.home.set(rest);
        lent
    }
}

impl core::fmt::Debug for PackWriter<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PackWriter").field("len", &self.encoder.len).finish_non_exhaustive()
    }
}

impl Drop for PackWriter<'_, '_> {
    fn drop(&mut self) {
        let buf = core::mem::take(&mut self.encoder.buf);
        if !buf.is_empty() {
            self.home.set(buf);
        }
    }
}

impl<'a> core::ops::Deref for PackWriter<'_, 'a> {
    type Target = Encoder<'a>;

    fn deref(&self) -> &Encoder<'a> {
        &self.encoder
    }
}

impl<'a> core::ops::DerefMut for PackWriter<'_, 'a> {
    fn deref_mut(&mut self) -> &mut Encoder<'a> {
        &mut self.encoder
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scratch;
    use super::*;

    #[test]
    fn round_trip_nested() {
        let mut buf = vec![0; 2048];
        let s = Scratch::new(&mut buf);
        let mut w = s.pack();
        w.begin_object().expect("room");
        w.entry("z", Value::Int(-1)).expect("room");
        w.key("list").expect("room");
        w.begin_list().expect("room");
        w.value(Value::Str("x")).expect("room");
        w.value(Value::Float(1.5)).expect("room");
        w.value(Value::Time(Moment::from_ms(-1))).expect("room");
        w.end().expect("room");
        w.entry("a", Value::Bool(true)).expect("room");
        w.entry("z", Value::Int(7)).expect("room");
        w.end().expect("room");
        let o = w.finish().expect("an object").object().expect("an object");
        assert_eq!(o.count(), 3);
        let keys: Vec<_> = o.entries().map(|(k, _)| k).collect();
        assert_eq!(keys, ["a", "list", "z"]);
        assert!(matches!(o.get("z"), Some(Value::Int(7))));
        assert!(o.get("y").is_none());
        let Some(Value::Packed(list)) = o.get("list") else { panic!("a list") };
        assert_eq!(list.count(), 3);
        assert!(matches!(list.elements().last(), Some(Value::Time(t)) if t.ms() == -1));
    }

    #[test]
    fn full_gives_the_memory_back() {
        let mut buf = vec![0; 64];
        let s = Scratch::new(&mut buf);
        {
            let mut w = s.pack();
            w.begin_list().expect("room");
            assert_eq!(w.value(Value::Str(&"x".repeat(40))), Err(Fault::FULL));
        }
        let mut w = s.pack();
        w.begin_list().expect("room");
        w.end().expect("room");
        assert!(w.finish().expect("a list").is_empty());
    }

    #[test]
    fn reads_no_garbage() {
        for bytes in [&[][..], &[3, 1], &[6, 9, 0, 0, 0, 1], &[9, 255, 255, 255, 255], &[11], &[6, 1, 0, 0, 0, 0xff]] {
            assert!(read(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let mut buf = vec![0; 8192];
        let mut e = Encoder::new(&mut buf);
        for _ in 0..JSON_DEPTH {
            e.begin_list().expect("room");
        }
        assert!(e.begin_list().is_err());
    }
}

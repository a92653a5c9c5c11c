//! Strict JSON (RFC 8259): one pass checks a text and reports the members of a top-level object; walks over checked text.
//!
//! In: UTF-8 text. Out: its [`Top`] shape and each top-level [`Member`], or a [`JsonError`] with the byte offset and what
//! was expected there. Nesting is bounded by [`JSON_DEPTH`]; the state is a bit per level; nothing is allocated.
//!
//! ```
//! use pushgate::json::scan::{check, Top};
//! let mut keys = 0;
//! assert_eq!(check(r#"{"a":1,"b":[2]}"#, |_| keys += 1), Ok(Top::Object));
//! assert_eq!(keys, 2);
//! ```

use crate::limits::JSON_DEPTH;

/// What stands at the top level of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Top {
    /// An object.
    Object,
    /// An array whose elements are all objects (an empty one too).
    ObjectArray,
    /// An array with an element that is no object.
    Array,
    /// A string, number, true, false or null.
    Scalar,
}

/// Where one member of the top-level object stands: byte offsets into the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// First byte of the key, behind its quote.
    pub key_at: usize,
    /// Bytes of the key as written.
    pub key_len: usize,
    /// True if the key holds an escape.
    pub escaped: bool,
    /// First byte of the value.
    pub value_at: usize,
    /// Bytes of the value.
    pub value_len: usize,
}

/// Why a text is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// Byte offset of the first octet that does not fit.
    pub at: usize,
    /// What could have stood there.
    pub expected: &'static str,
}

impl core::fmt::Display for JsonError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "expected {} at byte {}", self.expected, self.at)
    }
}

impl core::error::Error for JsonError {}

/// Checks that `text` is one JSON value with nothing but white space around it.
///
/// # Errors
/// [`JsonError`] with the first octet that RFC 8259 does not allow, or where nesting passes [`JSON_DEPTH`].
pub fn check(text: &str, member: impl FnMut(Member)) -> Result<Top, JsonError> {
    let s = Scan { b: text.as_bytes() };
    let i = s.space(0);
    let (top, end) = match s.at(i) {
        b'{' => {
            let first = s.space(i + 1);
            (Top::Object, if s.at(first) == b'}' { first + 1 } else { s.members(first, member)? })
        }
        b'[' => s.elements(i)?,
        _ => (Top::Scalar, s.value(i, 0)?),
    };
    s.ends(end).map(|()| top)
}

/// Goes on behind a value of a top-level object, all of which was checked up to there.
///
/// # Errors
/// As [`check`].
pub fn check_rest(text: &str, at: usize, member: impl FnMut(Member)) -> Result<(), JsonError> {
    let s = Scan { b: text.as_bytes() };
    let end = match s.next_key(at)? {
        Some(key) => s.members(key, member)?,
        None => s.space(at) + 1,
    };
    s.ends(end)
}

/// Where the value of a top-level member begins, `at` standing behind its colon, and where it ends.
///
/// # Errors
/// As [`check`].
#[inline]
pub fn check_value(text: &str, at: usize) -> Result<(usize, usize), JsonError> {
    let s = Scan { b: text.as_bytes() };
    if let Some(end) = s.quick(at) {
        return Ok((at, end));
    }
    let at = s.space(at);
    s.slow(at, 1).map(|end| (at, end))
}

/// The members of a checked object, in the order written (a repeated key comes again).
#[must_use]
pub const fn members(object: &str) -> Members<'_> {
    Members { text: object, at: 0 }
}

/// Iterator of [`members`]: key as written (escapes and all), value as written.
#[derive(Debug, Clone, Copy)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let s = Scan { b: self.text.as_bytes() };
        let mut i = s.space(self.at);
        i = match s.at(i) {
            b'{' if self.at == 0 => s.space(i + 1),
            b',' => s.space(i + 1),
            _ => return None,
        };
        if s.at(i) != b'"' {
            return None;
        }
        let (key_end, _) = s.string(i + 1).ok()?;
        let key = self.text.get(i + 1..key_end - 1)?;
        i = s.space(key_end);
        i = s.space(i + 1);
        let end = s.skip(i);
        self.at = end;
        Some((key, self.text.get(i..end)?))
    }
}

/// The elements of a checked array, as written.
#[must_use]
pub const fn elements(array: &str) -> Elements<'_> {
    Elements { text: array, at: 0 }
}

/// Iterator of [`elements`]; [`Elements::at`] and [`Elements::resume`] let a reader go on later.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Elements<'a> {
    /// Goes on at a place that [`Elements::at`] gave.
    #[must_use]
    pub const fn resume(array: &'a str, at: usize) -> Self {
        Self { text: array, at }
    }

    /// Where the next element is looked for.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let s = Scan { b: self.text.as_bytes() };
        let mut i = s.space(self.at);
        i = match s.at(i) {
            b'[' if self.at == 0 => s.space(i + 1),
            b',' => s.space(i + 1),
            _ => return None,
        };
        if s.at(i) == b']' || i >= s.b.len() {
            return None;
        }
        let end = s.skip(i);
        self.at = end;
        self.text.get(i..end)
    }
}

/// Writes the text that a checked string (without its quotes) stands for into `out`; gives the bytes written.
/// `None` if `out` is too short. A lone surrogate becomes U+FFFD.
#[must_use]
pub fn unescape(raw: &str, out: &mut [u8]) -> Option<usize> {
    let b = raw.as_bytes();
    let (mut i, mut n) = (0, 0);
    while i < b.len() {
        if b[i] != b'\\' {
            *out.get_mut(n)? = b[i];
            n += 1;
            i += 1;
            continue;
        }
        let c = match b.get(i + 1)? {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let high = hex4(b.get(i + 2..i + 6)?)?;
                i += 4;
                if (0xd800..0xdc00).contains(&high)
                    && b.get(i + 2..i + 4) == Some(b"\\u")
                    && let Some(low) = b.get(i + 4..i + 8).and_then(hex4)
                    && (0xdc00..0xe000).contains(&low)
                {
                    i += 6;
                    char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).unwrap_or('\u{fffd}')
                } else {
                    char::from_u32(high).unwrap_or('\u{fffd}')
                }
            }
            other => char::from(*other),
        };
        i += 2;
        let mut utf8 = [0; 4];
        let utf8 = c.encode_utf8(&mut utf8).as_bytes();
        out.get_mut(n..n + utf8.len())?.copy_from_slice(utf8);
        n += utf8.len();
    }
    Some(n)
}

fn hex4(digits: &[u8]) -> Option<u32> {
    let mut v = 0;
    for d in digits {
        v = v * 16 + char::from(*d).to_digit(16)?;
    }
    (digits.len() == 4).then_some(v)
}

struct Scan<'a> {
    b: &'a [u8],
}

impl Scan<'_> {
    /// The octet at `i`; 0, which fits nowhere, behind the end.
    fn at(&self, i: usize) -> u8 {
        self.b.get(i).copied().unwrap_or(0)
    }

    fn space(&self, mut i: usize) -> usize {
        while matches!(self.at(i), b' ' | b'\n' | b'\r' | b'\t') && i < self.b.len() {
            i += 1;
        }
        i
    }

    /// Nothing but white space from `i` on.
    fn ends(&self, i: usize) -> Result<(), JsonError> {
        let i = self.space(i);
        if i < self.b.len() { Err(JsonError { at: i, expected: "the end of the text" }) } else { Ok(()) }
    }

    /// The members of a top-level object from a key on; behind its brace.
    fn members(&self, mut i: usize, mut member: impl FnMut(Member)) -> Result<usize, JsonError> {
        loop {
            let key_at = i + 1;
            let (key_end, escaped, value_at) = self.key(i)?;
            let end = self.value(value_at, 1)?;
            member(Member { key_at, key_len: key_end - key_at, escaped, value_at, value_len: end - value_at });
            match self.next_key(end)? {
                Some(key) => i = key,
                None => return Ok(self.space(end) + 1),
            }
        }
    }

    /// Where the next key of an object should stand behind a value; `None` at the object's end.
    fn next_key(&self, i: usize) -> Result<Option<usize>, JsonError> {
        let i = self.space(i);
        match self.at(i) {
            b',' => Ok(Some(self.space(i + 1))),
            b'}' => Ok(None),
            _ => Err(JsonError { at: i, expected: "`,` or `}`" }),
        }
    }

    /// A top-level array: what is in it, and behind its bracket.
    fn elements(&self, i: usize) -> Result<(Top, usize), JsonError> {
        let mut top = Top::ObjectArray;
        let mut i = self.space(i + 1);
        if self.at(i) == b']' {
            return Ok((top, i + 1));
        }
        loop {
            if self.at(i) != b'{' {
                top = Top::Array;
            }
            i = self.space(self.value(i, 1)?);
            match self.at(i) {
                b',' => i = self.space(i + 1),
                b']' => return Ok((top, i + 1)),
                _ => return Err(JsonError { at: i, expected: "`,` or `]`" }),
            }
        }
    }

    /// Behind the value at `i`, around which so many lists and objects are open.
    #[inline]
    fn value(&self, i: usize, depth: usize) -> Result<usize, JsonError> {
        if let Some(end) = self.quick(i) { Ok(end) } else { self.slow(i, depth) }
    }

    /// [`Scan::value`] of strings without escapes, of short numbers and of words; else, or where it cannot be told, `None`.
    #[inline]
    fn quick(&self, i: usize) -> Option<usize> {
        let first = self.at(i);
        if first == b'"' {
            return self.plain(i + 1);
        }
        if first.is_ascii_digit() || first == b'-' {
            return self.short(i + usize::from(first == b'-'));
        }
        let word = self.eight(i)?;
        match u32::try_from(word & 0xffff_ffff) {
            Ok(TRUE | NULL) => Some(i + 4),
            Ok(FALS) if word >> 32 & 0xff == b'e' as u64 => Some(i + 5),
            _ => None,
        }
    }

    /// Behind a string without escapes whose text begins at `i`; `None` if it is no such string.
    #[inline]
    fn plain(&self, mut i: usize) -> Option<usize> {
        while let Some(word) = self.eight(i) {
            let hit = special(word);
            if hit != 0 {
                let bit = hit.trailing_zeros() & !7;
                return ((word >> bit).to_le_bytes()[0] == b'"').then_some(i + (bit / 8) as usize + 1);
            }
            i += 8;
        }
        loop {
            match self.at(i) {
                b'"' => return Some(i + 1),
                b'\\' | 0..=0x1f => return None,
                _ => i += 1,
            }
        }
    }

    /// Behind a number, less its sign, that is a decimal of at most seven octets or whole and below sixteen; else `None`.
    #[inline]
    fn short(&self, i: usize) -> Option<usize> {
        let word = self.eight(i)?;
        let octet = |word: u64, bit: u32| (word >> (bit & 56)).to_le_bytes()[0];
        let mut other = no_digits(word);
        if other == 0 {
            let word = self.eight(i + 8).filter(|_| octet(word, 0) != b'0')?;
            other = no_digits(word);
            let bit = other.trailing_zeros();
            return (other != 0 && !matches!(octet(word, bit), b'.' | b'e' | b'E')).then_some(i + 8 + (bit / 8) as usize);
        }
        let mut bit = other.trailing_zeros();
        // The mark of an octet is its highest bit.
        if bit == 7 || bit > 15 && octet(word, 0) == b'0' {
            return None;
        }
        if octet(word, bit) == b'.' {
            other &= other - 1;
            let point = bit;
            bit = other.trailing_zeros();
            if other == 0 || bit == point + 8 {
                return None;
            }
        }
        (octet(word, bit) | 0x20 != b'e').then_some(i + (bit / 8) as usize)
    }

    /// [`Scan::value`] of whatever there is.
    #[inline(never)]
    fn slow(&self, i: usize, depth: usize) -> Result<usize, JsonError> {
        match self.at(i) {
            b'"' => Ok(self.string(i + 1)?.0),
            b'-' | b'0'..=b'9' => self.number(i),
            b'{' | b'[' => self.nested(i, depth),
            b't' => self.word(i, b"true", "true"),
            b'f' => self.word(i, b"false", "false"),
            b'n' => self.word(i, b"null", "null"),
            _ => Err(JsonError { at: i, expected: "a value" }),
        }
    }

    /// Behind the list or object that begins at `i`.
    #[inline(never)]
    fn nested(&self, mut i: usize, around: usize) -> Result<usize, JsonError> {
        let mut stack = Stack::within(around);
        loop {
            // At the first octet of a value.
            i = match self.at(i) {
                open @ (b'{' | b'[') => {
                    let object = open == b'{';
                    stack.push(object).ok_or(JsonError { at: i, expected: "less nesting" })?;
                    i = self.space(i + 1);
                    if self.at(i) == if object { b'}' } else { b']' } {
                        stack.pop();
                        i + 1
                    } else {
                        if object {
                            i = self.key(i)?.2;
                        }
                        continue;
                    }
                }
                _ => self.value(i, stack.depth)?,
            };
            // Behind a value: close whatever ends here.
            loop {
                if stack.depth == around {
                    return Ok(i);
                }
                i = self.space(i);
                match (stack.in_object(), self.at(i)) {
                    (true, b',') => {
                        i = self.key(self.space(i + 1))?.2;
                        break;
                    }
                    (false, b',') => {
                        i = self.space(i + 1);
                        break;
                    }
                    (true, b'}') | (false, b']') => {
                        stack.pop();
                        i += 1;
                    }
                    (true, _) => return Err(JsonError { at: i, expected: "`,` or `}`" }),
                    (false, _) => return Err(JsonError { at: i, expected: "`,` or `]`" }),
                }
            }
        }
    }

    /// From a key's quote: where its text ends, whether it holds an escape, and where its value begins.
    #[inline]
    fn key(&self, i: usize) -> Result<(usize, bool, usize), JsonError> {
        if self.at(i) == b'"'
            && let Some(end) = self.plain(i + 1)
            && self.at(end) == b':'
        {
            return Ok((end - 1, false, self.space(end + 1)));
        }
        self.slow_key(i)
    }

    #[inline(never)]
    fn slow_key(&self, i: usize) -> Result<(usize, bool, usize), JsonError> {
        if self.at(i) != b'"' {
            return Err(JsonError { at: i, expected: "a key in double quotes" });
        }
        let (end, escaped) = self.string(i + 1)?;
        let colon = self.space(end);
        if self.at(colon) != b':' {
            return Err(JsonError { at: colon, expected: "`:`" });
        }
        Ok((end - 1, escaped, self.space(colon + 1)))
    }

    /// Eight octets from `i` on, where there are so many.
    #[inline]
    fn eight(&self, i: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.b.get(i..)?.first_chunk()?))
    }

    /// From behind an opening quote to behind the closing one; whether an escape was met.
    fn string(&self, mut i: usize) -> Result<(usize, bool), JsonError> {
        let mut escaped = false;
        loop {
            // Eight octets at a time while none of them is a quote, a backslash or a control.
            while let Some(word) = self.eight(i) {
                let hit = special(word);
                if hit != 0 {
                    i += (hit.trailing_zeros() / 8) as usize;
                    break;
                }
                i += 8;
            }
            match self.at(i) {
                b'"' => return Ok((i + 1, escaped)),
                b'\\' => {
                    escaped = true;
                    match self.at(i + 1) {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => i += 2,
                        b'u' if self.b.get(i + 2..i + 6).is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit)) => i += 6,
                        b'u' => return Err(JsonError { at: i, expected: "four hex digits behind `\\u`" }),
                        _ => return Err(JsonError { at: i, expected: "an escape that JSON has" }),
                    }
                }
                _ if i >= self.b.len() => return Err(JsonError { at: i, expected: "the closing quote" }),
                0..=0x1f => return Err(JsonError { at: i, expected: "an escape in place of a control character" }),
                _ => i += 1,
            }
        }
    }

    fn word(&self, i: usize, word: &[u8], expected: &'static str) -> Result<usize, JsonError> {
        if self.b.get(i..i + word.len()) == Some(word) { Ok(i + word.len()) } else { Err(JsonError { at: i, expected }) }
    }

    fn digits(&self, mut i: usize) -> usize {
        while self.at(i).is_ascii_digit() {
            i += 1;
        }
        i
    }

    fn number(&self, mut i: usize) -> Result<usize, JsonError> {
        if self.at(i) == b'-' {
            i += 1;
        }
        i = match self.at(i) {
            b'0' => i + 1,
            b'1'..=b'9' => self.digits(i),
            _ => return Err(JsonError { at: i, expected: "a digit" }),
        };
        if self.at(i) == b'.' {
            let end = self.digits(i + 1);
            if end == i + 1 {
                return Err(JsonError { at: end, expected: "a digit" });
            }
            i = end;
        }
        if matches!(self.at(i), b'e' | b'E') {
            i += 1;
            if matches!(self.at(i), b'+' | b'-') {
                i += 1;
            }
            let end = self.digits(i);
            if end == i {
                return Err(JsonError { at: end, expected: "a digit" });
            }
            i = end;
        }
        Ok(i)
    }

    /// Behind the value that begins at `i`; the text was checked before.
    fn skip(&self, mut i: usize) -> usize {
        match self.at(i) {
            b'"' => self.string(i + 1).map_or(self.b.len(), |(end, _)| end),
            b'{' | b'[' => {
                let mut depth = 0_usize;
                while i < self.b.len() {
                    match self.b[i] {
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => {
                            depth -= 1;
                            if depth == 0 {
                                return i + 1;
                            }
                        }
                        b'"' => {
                            i = self.string(i + 1).map_or(self.b.len(), |(end, _)| end);
                            continue;
                        }
                        _ => {}
                    }
                    i += 1;
                }
                i
            }
            _ => {
                while i < self.b.len() && !matches!(self.b[i], b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') {
                    i += 1;
                }
                i
            }
        }
    }
}

/// High bit set in each octet of `word` that is `"`, `\` or below 0x20 (the lowest such octet is exact).
const fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let quote = quote.wrapping_sub(ONES) & !quote;
    let slash = slash.wrapping_sub(ONES) & !slash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | slash | control) & HIGH
}

const TRUE: u32 = u32::from_le_bytes(*b"true");
const NULL: u32 = u32::from_le_bytes(*b"null");
const FALS: u32 = u32::from_le_bytes(*b"fals");

/// High bit set in each octet of `word` that is no decimal digit.
pub(crate) const fn no_digits(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let digit = word ^ (ONES * b'0' as u64);
    // Nothing carries into the next octet: 0x7f + 0x76 is below 0x100.
    (((digit & !HIGH) + ONES * 0x76) | digit) & HIGH
}

/// Which levels are objects, a bit each.
struct Stack {
    bits: [u64; JSON_DEPTH.div_ceil(64)],
    depth: usize,
}

impl Stack {
    /// Inside of `depth` levels that are somebody else's.
    const fn within(depth: usize) -> Self {
        Self { bits: [0; JSON_DEPTH.div_ceil(64)], depth }
    }

    fn push(&mut self, object: bool) -> Option<()> {
        if self.depth >= JSON_DEPTH {
            return None;
        }
        let (word, bit) = (self.depth / 64, self.depth % 64);
        self.bits[word] = self.bits[word] & !(1 << bit) | u64::from(object) << bit;
        self.depth += 1;
        Some(())
    }

    const fn pop(&mut self) {
        self.depth -= 1;
    }

    const fn in_object(&self) -> bool {
        let top = self.depth - 1;
        self.bits[top / 64] >> (top % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(text: &str) -> Result<Top, (usize, &'static str)> {
        check(text, |_| {}).map_err(|e| (e.at, e.expected))
    }

    #[test]
    fn accepts() {
        for (text, want) in [
            ("{}", Top::Object),
            (" [ ] ", Top::ObjectArray),
            (r#"[{"a":1},{}]"#, Top::ObjectArray),
            (r#"[{"a":1},2]"#, Top::Array),
            ("[[{}]]", Top::Array),
            ("1", Top::Scalar),
            (r#""a\u00e9\n""#, Top::Scalar),
            (r#"{"a":{"b":[1,2.5,-0,1e9,1E-2,true,false,null,"x"]}}"#, Top::Object),
        ] {
            assert_eq!(top(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_offset() {
        for (text, at) in [
            ("", 0),
            ("{", 1),
            ("{\"a\":1,}", 7),
            ("[1,]", 3),
            ("01", 1),
            (".5", 0),
            ("5.", 2),
            ("+1", 0),
            ("NaN", 0),
            ("tru", 0),
            ("1 2", 2),
            ("\"a\u{1}\"", 2),
            ("\"abcdefghij\u{1f}\"", 11),
            (r#""\x41""#, 1),
            (r#""\u12g4""#, 1),
            ("\"abc", 4),
            ("{\"a\" 1}", 5),
            ("{a:1}", 1),
            ("[1}", 2),
            ("\u{feff}{}", 0),
            ("1e", 2),
            ("-", 1),
        ] {
            assert_eq!(top(text).map_err(|e| e.0), Err(at), "{text:?}");
        }
    }

    #[test]
    fn depth_at_the_limit_and_one_past() {
        let nest = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(top(&nest(JSON_DEPTH)).is_ok());
        assert_eq!(top(&nest(JSON_DEPTH + 1)), Err((JSON_DEPTH, "less nesting")));
    }

    #[test]
    fn reports_top_members_only() {
        let text = r#" {"a" : {"x":1} , "b\n":"q\"]" ,"c":[{}] } "#;
        let mut seen = Vec::new();
        assert_eq!(
            check(text, |m| seen.push((&text[m.key_at..m.key_at + m.key_len], m.escaped, &text[m.value_at..m.value_at + m.value_len]))),
            Ok(Top::Object)
        );
        assert_eq!(seen, [("a", false, r#"{"x":1}"#), (r"b\n", true, r#""q\"]""#), ("c", false, "[{}]")]);
        let walked: Vec<_> = members(text).collect();
        assert_eq!(walked, [("a", r#"{"x":1}"#), (r"b\n", r#""q\"]""#), ("c", "[{}]")]);
    }

    #[test]
    fn walks_and_resumes_arrays() {
        let text = r#"[ 1 ,"a,]", {"b":[2]},[ ] ,null]"#;
        let all: Vec<_> = elements(text).collect();
        assert_eq!(all, ["1", "\"a,]\"", "{\"b\":[2]}", "[ ]", "null"]);
        let mut first = elements(text);
        first.next();
        first.next();
        assert_eq!(Elements::resume(text, first.at()).next(), Some("{\"b\":[2]}"));
        assert_eq!(elements("[]").next(), None);
    }

    #[test]
    fn unescapes() {
        let mut out = [0; 32];
        for (raw, want) in [
            (r#"a\n\t\"\\\/"#, "a\n\t\"\\/"),
            (r"\u00e9", "é"),
            (r"\ud83d\ude00", "😀"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ude00", "\u{fffd}"),
        ] {
            let n = unescape(raw, &mut out).expect("fits");
            assert_eq!(core::str::from_utf8(&out[..n]), Ok(want), "{raw}");
        }
        assert_eq!(unescape("abc", &mut out[..2]), None);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_serde_json(text in "[\\[\\]{}\",:0-9a-z.\\-+eE\\\\ u\n]{0,24}") {
            let ours = check(&text, |_| {}).is_ok();
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            // serde_json refuses numbers beyond f64 and lone surrogates, which RFC 8259 leaves open.
            let open = theirs.as_ref().is_err_and(|e| { let e = e.to_string(); e.contains("out of range") || e.contains("surrogate") || e.contains("hex escape") });
            proptest::prop_assert!(open || ours == theirs.is_ok(), "{:?}: ours {} theirs {:?}", text, ours, theirs);
        }
    }
}

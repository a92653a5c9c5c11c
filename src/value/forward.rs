//! JSON from text to text: what Go writes for a checked value, copied where it stands there already.
//!
//! In: a value of a checked body, its numbers being floats. Out: octet for octet what [`text::json`] writes for it. Strings without
//! escapes and numbers of at most 15 digits are mostly spelled as Go spells them; the others are read and written anew.

use super::{Numbers, Scratch, Value, text};
use crate::json::scan::{self, no_digits};
use crate::json::write::{Out, front, is_bare};

/// Writes into a borrowed buffer, a few octets more than it says: what lies behind its end is nobody's.
#[derive(Debug)]
pub struct Pen<'o> {
    out: &'o mut [u8],
    len: usize,
}

impl<'o> Pen<'o> {
    /// Writes from the front of `out`.
    #[must_use]
    pub const fn new(out: &'o mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Bytes written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True before the first.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One octet. `None`: it does not fit.
    #[inline]
    pub fn byte(&mut self, byte: u8) -> Option<()> {
        *self.out.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    /// The first `len` octets of `from`: best if more follow, for few are copied in one go then. `None`: they do not fit.
    #[inline]
    pub fn copy(&mut self, from: &[u8], len: usize) -> Option<()> {
        let to = self.out.get_mut(self.len..)?;
        match (to.first_chunk_mut::<16>(), from.first_chunk::<16>()) {
            (Some(to), Some(from)) if len <= 16 => *to = *from,
            _ => to.get_mut(..len)?.copy_from_slice(from.get(..len)?),
        }
        self.len += len;
        Some(())
    }

    /// The value that is the first `len` octets of `from`. `None`: it does not fit, needs more scratch, or Go has no text for it.
    #[inline]
    pub fn value(&mut self, from: &[u8], len: usize, scratch: &mut [u8]) -> Option<()> {
        let raw = from.get(..len)?;
        let stands = match raw.first()? {
            b'"' => is_bare(from, len),
            b'-' | b'0'..=b'9' => is_short(from, len) || is_shortest(raw),
            b'[' => return self.list(raw, scratch),
            b'{' => false,
            _ => true,
        };
        if stands { self.copy(from, len) } else { self.anew(raw, scratch) }
    }

    #[inline(never)]
    fn list(&mut self, raw: &[u8], scratch: &mut [u8]) -> Option<()> {
        self.byte(b'[')?;
        for (i, element) in scan::elements(core::str::from_utf8(raw).ok()?).enumerate() {
            if i > 0 {
                self.byte(b',')?;
            }
            self.value(element.as_bytes(), element.len(), scratch)?;
        }
        self.byte(b']')
    }

    #[inline(never)]
    fn anew(&mut self, raw: &[u8], scratch: &mut [u8]) -> Option<()> {
        let scratch = Scratch::new(scratch);
        let mut out = Out::new(self.out.get_mut(self.len..)?);
        let value = Value::from_json(core::str::from_utf8(raw).ok()?, Numbers::Float, &scratch).ok()?;
        text::json(&mut out, value, &scratch).ok()?;
        self.len += out.len();
        Some(())
    }
}

/// [`is_shortest`] of at most eight octets, where so many can be read at once; false too where it cannot be told that way.
#[inline]
fn is_short(from: &[u8], len: usize) -> bool {
    let Some(octets) = from.first_chunk().filter(|_| (1..=8).contains(&len)) else { return false };
    let word = u64::from_le_bytes(*octets);
    let octet = |at: usize| octets.get(at).copied().unwrap_or(0);
    let mut marks = front(no_digits(word), len);
    if octet(0) == b'-' {
        marks &= marks - 1;
    }
    if marks == 0 {
        return true;
    }
    let point = (marks.trailing_zeros() / 8) as usize;
    marks & (marks - 1) == 0 && octet(point) == b'.' && octet(len - 1) != b'0' && len - point <= 7
}

/// Whether a JSON number is spelled as the float it stands for: at most 15 digits, so that no other decimal of that length reads back
/// the same; no exponent, no zero at the end of a fraction, and not so small that Go writes an exponent.
fn is_shortest(raw: &[u8]) -> bool {
    let digits = if let [b'-', digits @ ..] = raw { digits } else { raw };
    if digits.len() > 16 {
        return false;
    }
    let mut point = digits.len();
    for (i, byte) in digits.iter().enumerate() {
        if *byte == b'.' {
            point = i;
        } else if *byte > b'9' {
            return false;
        }
    }
    let places = digits.len().saturating_sub(point + 1);
    if point == digits.len() { point <= 15 } else { places <= 6 && digits.last() != Some(&b'0') }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What both ways make of a value: the one that keeps text, and the one that knows values only.
    fn both(raw: &str) -> (Option<String>, Option<String>) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let (mut out, mut scratch) = (vec![0; 1000], vec![0; 4000]);
        let mut pen = Pen::new(&mut out);
        let padded = format!("{raw},\"more\":\"that follows\"");
        let done = pen.value(padded.as_bytes(), raw.len(), &mut scratch);
        let len = pen.len();
        let forwarded = done.map(|()| text(&out[..len]));
        let (mut out, mut scratch) = (vec![0; 1000], vec![0; 4000]);
        let scratch = Scratch::new(&mut scratch);
        let mut out = Out::new(&mut out);
        let done = Value::from_json(raw, Numbers::Float, &scratch).and_then(|value| text::json(&mut out, value, &scratch));
        (forwarded, done.is_ok().then(|| text(out.written())))
    }

    #[test]
    fn values_are_spelled_as_the_long_way_spells_them() {
        for raw in [
            "0",
            "-0",
            "-0.0",
            "0.0",
            "1.50",
            "1.5",
            "-12.25",
            "1e3",
            "1E-2",
            "100000000000000",
            "999999999999999",
            "1000000000000000",
            "9007199254740993",
            "123456789012345678",
            "0.000001",
            "0.0000001",
            "0.1234567",
            "123456789.123456",
            "1234567890.123456",
            "0.30000000000000004",
            "1e999",
            "-1e999",
            "1e21",
            "100000000000000000000000",
            "\"\"",
            "\"a<b\"",
            "\"a&b\"",
            "\"a>b\"",
            "\"^~|\"",
            "\"\\u0061\\n\"",
            "\"\u{2028}\"",
            "\"\u{20ac}\"",
            "\"é\"",
            "\"\\ud800\"",
            "true",
            "false",
            "null",
            "[]",
            "[ ]",
            "{}",
            "[1.0, 2,\"<\" ,[3.5,{\"b\":1,\"a\":2.0}],null]",
            "{\"b\":{\"d\":1,\"c\":2},\"a\":[1.0]}",
            "[1e999]",
            "[\"\\u003c\",2.50]",
        ] {
            let (forwarded, made) = both(raw);
            assert_eq!(forwarded, made, "{raw}");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let mut out = [0; 5];
        let mut pen = Pen::new(&mut out);
        assert_eq!(pen.value(b"123456, and more to copy", 6, &mut []), None);
        assert_eq!(pen.value(b"12345, and more to copy", 5, &mut []), Some(()));
        assert_eq!((pen.byte(b'x'), pen.len()), (None, 5));
    }

    proptest::proptest! {
        #[test]
        fn numbers_are_spelled_as_the_long_way_spells_them(raw in "-?(0|[1-9][0-9]{0,16})(\\.[0-9]{1,9})?([eE][-+]?[0-9]{1,2})?") {
            let (forwarded, made) = both(&raw);
            proptest::prop_assert_eq!(forwarded, made, "{}", raw);
        }

        #[test]
        fn texts_are_spelled_as_the_long_way_spells_them(text in "[ -!#-\\[\\]-~\u{80}-\u{ff}\u{2020}-\u{2030}]{0,20}", escape in "|\\\\n|\\\\\"|\\\\u00e9") {
            let raw = format!("\"{text}{escape}\"");
            let (forwarded, made) = both(&raw);
            proptest::prop_assert_eq!(forwarded, made, "{}", raw);
        }
    }
}

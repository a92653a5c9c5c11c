//! Values of SQL rows: [`Value`] is `Copy`, borrows from the reading, the plan or the row's [`Scratch`].
//!
//! * [`scratch`]: the bump memory that functions write into, reset per row.
//! * [`packed`]: the one tagged encoding for what is not copied from input (lists, objects, state, window rows, memory topics).
//! * [`forward`]: JSON from text to text, without values in between.
//! * [`text`]: Go's spelling of values (`%v`), of their types, and of times.
//!
//! Equality, order and key text are defined on values, never on how the input spelled them.

pub mod forward;
pub mod key;
pub mod packed;
pub mod scratch;
pub mod text;

pub use packed::{Object, PackWriter, Packed};
pub use scratch::{Fault, Scratch};

use crate::json::scan::{self, Elements};

/// How JSON numbers of a stream are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbers {
    /// Every number is a float (eKuiper's rule for schemaless streams).
    #[default]
    Float,
    /// A number without `.` is an int64 (`useInt64ForWholeNumber`); `1e3` and what int64 cannot hold are errors.
    Whole,
}

/// A date and time: seconds and nanoseconds since the Unix epoch, and the offset it is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Whole seconds since the epoch.
    pub secs: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
    /// Offset from UTC in seconds, east positive.
    pub offset_s: i32,
}

impl Moment {
    /// The moment `ms` milliseconds after the epoch, in UTC.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "rem_euclid keeps it in 0..1000")]
        let nanos = (ms.rem_euclid(1000) * 1_000_000) as u32;
        Self { secs: ms.div_euclid(1000), nanos, offset_s: 0 }
    }

    /// Milliseconds since the epoch, rounded down.
    #[must_use]
    pub fn ms(self) -> i64 {
        self.secs.saturating_mul(1000).saturating_add(i64::from(self.nanos / 1_000_000))
    }

    /// The instant alone, for order and equality.
    #[must_use]
    pub const fn instant(self) -> (i64, u32) {
        (self.secs, self.nanos)
    }
}

/// One SQL value. At most 24 bytes.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// Nothing: SQL's null, JSON's null, a missing column.
    Null,
    /// true or false.
    Bool(bool),
    /// int64.
    Int(i64),
    /// float64.
    Float(f64),
    /// A date and time.
    Time(Moment),
    /// Text.
    Str(&'a str),
    /// Octets.
    Bytes(&'a [u8]),
    /// A JSON object or array as it stands in the input: checked, begins with `{` or `[`.
    Json(Numbers, &'a str),
    /// A list or object that was made here.
    Packed(Packed<'a>),
}

const _: () = assert!(size_of::<Value<'_>>() <= 24, "values are passed by copy");

/// What evaluation gives.
pub type Eval<'a> = Result<Value<'a>, Fault<'a>>;

impl<'a> Value<'a> {
    /// A checked JSON value as written. Objects and arrays stay raw, strings are unescaped (into `scratch` if they must be).
    ///
    /// # Errors
    /// A number that [`Numbers::Whole`] cannot read, or a full scratch.
    pub fn from_json(raw: &'a str, numbers: Numbers, scratch: &Scratch<'a>) -> Eval<'a> {
        Ok(match raw.as_bytes().first() {
            Some(b'{' | b'[') => Self::Json(numbers, raw),
            Some(b'"') => Self::Str(json_string(raw, scratch)?),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') | None => Self::Null,
            _ => json_number(raw, numbers, scratch)?,
        })
    }

    /// True for [`Value::Null`].
    #[must_use]
    pub const fn is_null(self) -> bool {
        matches!(self, Self::Null)
    }

    /// True for null and for an empty list or object: what eKuiper's "any nil argument gives nil" looks at.
    #[must_use]
    pub fn is_nil_or_empty(self) -> bool {
        match self {
            Self::Null => true,
            Self::Json(_, raw) => raw.as_bytes()[1..].iter().find(|c| !c.is_ascii_whitespace()).is_none_or(|c| matches!(c, b'}' | b']')),
            Self::Packed(p) => p.is_empty(),
            _ => false,
        }
    }

    /// True for a list.
    #[must_use]
    pub fn is_list(self) -> bool {
        match self {
            Self::Json(_, raw) => raw.starts_with('['),
            Self::Packed(p) => p.is_list(),
            _ => false,
        }
    }

    /// True for an object (a map).
    #[must_use]
    pub fn is_object(self) -> bool {
        match self {
            Self::Json(_, raw) => raw.starts_with('{'),
            Self::Packed(p) => !p.is_list(),
            _ => false,
        }
    }

    /// The elements of a list; `None` if this is no list. Each step may write an unescaped string into `scratch`.
    #[must_use]
    pub fn elements<'s>(self, scratch: &'s Scratch<'a>) -> Option<List<'s, 'a>> {
        match self {
            Self::Json(numbers, raw) if raw.starts_with('[') => Some(List::Json(numbers, scan::elements(raw), scratch)),
            Self::Packed(p) if p.is_list() => Some(List::Packed(p.elements())),
            _ => None,
        }
    }

    /// How many elements a list has, or members an object (a repeated key counts once); `None` for anything else.
    ///
    /// # Errors
    /// A full scratch.
    pub fn count(self, scratch: &Scratch<'a>) -> Result<Option<usize>, Fault<'a>> {
        Ok(match self {
            Self::Json(_, raw) if raw.starts_with('[') => Some(scan::elements(raw).count()),
            Self::Packed(p) => Some(p.count()),
            Self::Json(..) => self.object(scratch)?.map(|o| o.count()),
            _ => None,
        })
    }

    /// This object with sorted keys and no repeats (the last one wins); `None` if this is no object.
    /// A JSON object is packed into `scratch` for it.
    ///
    /// # Errors
    /// A full scratch, or a number that [`Numbers::Whole`] cannot read.
    pub fn object(self, scratch: &Scratch<'a>) -> Result<Option<Object<'a>>, Fault<'a>> {
        match self {
            Self::Packed(p) => Ok(p.object()),
            Self::Json(numbers, raw) if raw.starts_with('{') => {
                let mut writer = scratch.pack();
                writer.begin_object()?;
                for (key, value) in scan::members(raw) {
                    writer.json_key(key)?;
                    writer.json(value, numbers)?;
                }
                writer.end()?;
                Ok(writer.finish()?.object())
            }
            _ => Ok(None),
        }
    }

    /// This list packed (a JSON array is packed into `scratch` for it); `None` if this is no list.
    ///
    /// # Errors
    /// A full scratch, or a number that [`Numbers::Whole`] cannot read.
    pub fn list(self, scratch: &Scratch<'a>) -> Result<Option<Packed<'a>>, Fault<'a>> {
        match self {
            Self::Packed(p) => Ok(p.is_list().then_some(p)),
            Self::Json(numbers, raw) if raw.starts_with('[') => {
                let mut writer = scratch.pack();
                writer.begin_list()?;
                for element in scan::elements(raw) {
                    writer.json(element, numbers)?;
                }
                writer.end()?;
                Ok(Some(writer.finish()?))
            }
            _ => Ok(None),
        }
    }

    /// The member `key` of an object: `None` if there is none, or this is no object.
    ///
    /// # Errors
    /// A full scratch, or a number that [`Numbers::Whole`] cannot read.
    pub fn member(self, key: &str, scratch: &Scratch<'a>) -> Result<Option<Self>, Fault<'a>> {
        match self {
            Self::Packed(p) => Ok(p.object().and_then(|o| o.get(key))),
            Self::Json(numbers, raw) if raw.starts_with('{') => {
                // The last of a repeated key wins.
                let found = scan::members(raw).filter(|(k, _)| key_is(k, key)).last();
                found.map(|(_, value)| Self::from_json(value, numbers, scratch)).transpose()
            }
            _ => Ok(None),
        }
    }
}

/// True if a key as written in JSON stands for `key`.
#[must_use]
pub fn key_is(written: &str, key: &str) -> bool {
    if !written.contains('\\') {
        return written == key;
    }
    // An escaped spelling is never shorter than the text it stands for.
    let mut rest = key;
    let mut at = 0;
    let b = written.as_bytes();
    while at < b.len() {
        let len = match b[at] {
            b'\\' if b.get(at + 1) == Some(&b'u') => {
                let high = written.get(at + 2..at + 4).unwrap_or("");
                if matches!(high.as_bytes().first(), Some(b'd' | b'D')) && written.get(at + 6..at + 8) == Some("\\u") { 12 } else { 6 }
            }
            b'\\' => 2,
            c => char_len(c),
        };
        let Some(piece) = written.get(at..at + len) else { return false };
        let mut buf = [0; 8];
        let Some(n) = scan::unescape(piece, &mut buf) else { return false };
        let Some(left) = core::str::from_utf8(&buf[..n]).ok().and_then(|t| rest.strip_prefix(t)) else { return false };
        rest = left;
        at += len;
    }
    rest.is_empty()
}

const fn char_len(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

fn json_string<'a>(quoted: &'a str, scratch: &Scratch<'a>) -> Result<&'a str, Fault<'a>> {
    let raw = quoted.get(1..quoted.len() - 1).unwrap_or("");
    if !raw.as_bytes().contains(&b'\\') {
        return Ok(raw);
    }
    scratch.write_text(raw.len(), |buf| scan::unescape(raw, buf).unwrap_or(0))
}

fn json_number<'a>(raw: &'a str, numbers: Numbers, scratch: &Scratch<'a>) -> Eval<'a> {
    if numbers == Numbers::Whole && !raw.contains('.') {
        return whole_number(raw, scratch);
    }
    Ok(Value::Float(short_float(raw.as_bytes()).unwrap_or_else(|| raw.parse().unwrap_or(f64::NAN))))
}

/// A number that must be an int64, as eKuiper's JSON parser reads it.
///
/// # Errors
/// A fraction, an exponent, or more than int64 holds.
pub(crate) fn whole_number<'a>(raw: &str, scratch: &Scratch<'a>) -> Eval<'a> {
    if let Ok(i) = raw.parse() {
        return Ok(Value::Int(i));
    }
    let digits = raw.bytes().skip(usize::from(raw.starts_with('-'))).take_while(u8::is_ascii_digit).count();
    let at = digits + usize::from(raw.starts_with('-'));
    Err(if digits > 18 {
        let why = if at == raw.len() { "value out of range" } else { "invalid syntax" };
        scratch.fault(format_args!("strconv.ParseInt: parsing {raw:?}: {why}"))
    } else {
        scratch.fault(format_args!("unparsed tail left after parsing int64 form {raw:?}: {:?}", &raw[at..]))
    })
}

/// Checks that every number of a checked JSON text without a point is an int64, however deep it stands.
///
/// # Errors
/// As [`whole_number`], for the first that is none.
pub(crate) fn whole_numbers<'a>(text: &str, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let from = at;
        match byte {
            b'"' => {
                at += 1;
                while let Some(inner) = bytes.get(at).filter(|c| **c != b'"') {
                    at += if *inner == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                at += bytes.iter().skip(at).take_while(|c| matches!(c, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).count();
                let number = text.get(from..at).unwrap_or("");
                if !number.contains('.') {
                    whole_number(number, scratch)?;
                }
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// A decimal of at most 15 digits without an exponent: digits and power of ten are exact, so one division rounds right (Clinger).
#[inline]
pub(crate) fn short_float(raw: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (negative, digits) = match raw {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // Fifteen digits and a point at most.
    if digits.len() > 16 {
        return None;
    }
    let (mut number, mut places, mut point) = (0_u64, 0_usize, 0_usize);
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            number = number * 10 + u64::from(digit);
            places += point;
        } else if *byte == b'.' && point == 0 {
            point = 1;
        } else {
            return None;
        }
    }
    if digits.len() == point || digits.len() - point > 15 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "below 10^15, which a float holds exactly")]
    let value = number as f64 / POWERS.get(places)?;
    Some(if negative { -value } else { value })
}

/// Elements of a list, see [`Value::elements`].
#[derive(Debug)]
pub enum List<'s, 'a> {
    /// Of a JSON array.
    Json(Numbers, Elements<'a>, &'s Scratch<'a>),
    /// Of a packed list.
    Packed(packed::Elements<'a>),
    /// One value.
    One(Option<Value<'a>>),
}

impl<'a> Iterator for List<'_, 'a> {
    type Item = Eval<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Json(numbers, elements, scratch) => elements.next().map(|raw| Value::from_json(raw, *numbers, scratch)),
            Self::Packed(elements) => elements.next().map(Ok),
            Self::One(value) => value.take().map(Ok),
        }
    }
}

/// Deep equality of values: `1` and `1.0` differ, as Go's interface equality has it; JSON and packed forms compare by content.
///
/// # Errors
/// A full scratch while an object is sorted.
pub fn same<'a>(a: Value<'a>, b: Value<'a>, scratch: &Scratch<'a>) -> Result<bool, Fault<'a>> {
    Ok(match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a.instant() == b.instant(),
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        _ => {
            if let (Some(mut x), Some(mut y)) = (a.elements(scratch), b.elements(scratch)) {
                loop {
                    match (x.next(), y.next()) {
                        (None, None) => return Ok(true),
                        (Some(x), Some(y)) => {
                            if !same(x?, y?, scratch)? {
                                return Ok(false);
                            }
                        }
                        _ => return Ok(false),
                    }
                }
            }
            if let (Some(x), Some(y)) = (a.object(scratch)?, b.object(scratch)?) {
                if x.count() != y.count() {
                    return Ok(false);
                }
                for ((ka, va), (kb, vb)) in x.entries().zip(y.entries()) {
                    if ka != kb || !same(va, vb, scratch)? {
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(f: impl FnOnce(&Scratch<'_>) -> T) -> T {
        let mut buf = vec![0; 4096];
        f(&Scratch::new(&mut buf))
    }

    #[test]
    fn scalars_from_json() {
        let mut buf = vec![0; 4096];
        let s = Scratch::new(&mut buf);
        assert!(matches!(Value::from_json("12", Numbers::Float, &s), Ok(Value::Float(x)) if x == 12.0));
        assert!(matches!(Value::from_json("12", Numbers::Whole, &s), Ok(Value::Int(12))));
        assert!(matches!(Value::from_json("1.0", Numbers::Whole, &s), Ok(Value::Float(x)) if x == 1.0));
        assert!(Value::from_json("1e3", Numbers::Whole, &s).is_err());
        assert!(Value::from_json("9223372036854775808", Numbers::Whole, &s).is_err());
        assert!(matches!(Value::from_json(r#""a\u0062""#, Numbers::Float, &s), Ok(Value::Str("ab"))));
        assert!(matches!(Value::from_json("null", Numbers::Float, &s), Ok(Value::Null)));
    }

    #[test]
    fn keys_compare_by_content() {
        assert!(key_is("ab", "ab"));
        assert!(key_is(r"a\u0062", "ab"));
        assert!(key_is(r"\ud83d\ude00é", "😀é"));
        assert!(!key_is(r"a\u0062c", "ab"));
        assert!(!key_is(r"a\n", "a"));
    }

    #[test]
    fn members_and_objects() {
        let mut buf = vec![0; 4096];
        let s = Scratch::new(&mut buf);
        let v = Value::Json(Numbers::Float, r#"{"b":1,"a":{"x":[1,2]},"b":"last","\u0063":null}"#);
        assert!(matches!(v.member("b", &s), Ok(Some(Value::Str("last")))));
        assert!(matches!(v.member("c", &s), Ok(Some(Value::Null))));
        assert!(matches!(v.member("d", &s), Ok(None)));
        let o = v.object(&s).expect("room").expect("object");
        let keys: Vec<_> = o.entries().map(|(k, _)| k).collect();
        assert_eq!(keys, ["a", "b", "c"]);
        assert!(matches!(o.get("b"), Some(Value::Str("last"))));
    }

    #[test]
    fn equality_is_by_content() {
        with(|s| {
            let a = Value::Json(Numbers::Float, r#"{"a":[1,"\u0062"],"c":2}"#);
            let b = Value::Json(Numbers::Float, r#"{ "c":2.0, "a":[1e0,"b"] }"#);
            assert_eq!(same(a, b, s), Ok(true));
            assert_eq!(same(Value::Int(1), Value::Float(1.0), s), Ok(false));
            assert_eq!(same(a, Value::Json(Numbers::Float, "[]"), s), Ok(false));
        });
    }

    #[test]
    fn emptiness() {
        assert!(Value::Json(Numbers::Float, "[ ]").is_nil_or_empty());
        assert!(!Value::Json(Numbers::Float, "[0]").is_nil_or_empty());
        assert!(Value::Null.is_nil_or_empty());
        assert!(!Value::Str("").is_nil_or_empty());
    }

    #[test]
    fn short_decimals_are_read_as_the_library_reads_them() {
        let mut seed = 7_u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut texts: Vec<String> = ["0", "-0", "0.1", "-0.5", "999999999999999", "9007199254740993", "123456789.0123456", "1e5", "1.5E3"]
            .map(str::to_owned)
            .to_vec();
        for _ in 0..20_000 {
            let (digits, places) = (next() % 17 + 1, next() % 16);
            let whole = next() % 10_u64.pow(u32::try_from(digits).expect("small"));
            let sign = if next() % 2 == 0 { "-" } else { "" };
            let text = format!("{whole:0width$}", width = usize::try_from(places).expect("small") + 1);
            let (a, b) = text.split_at(text.len() - usize::try_from(places).expect("small"));
            texts.push(if b.is_empty() { format!("{sign}{a}") } else { format!("{sign}{a}.{b}") });
        }
        let mut short = 0;
        for text in &texts {
            let want: f64 = text.parse().expect("a number");
            if let Some(got) = short_float(text.as_bytes()) {
                short += 1;
                assert_eq!(got.to_bits(), want.to_bits(), "{text}");
            }
        }
        assert!(short > texts.len() / 2, "{short} of {}", texts.len());
    }
}

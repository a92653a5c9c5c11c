//! JSON and number text as Go writes them, into fixed buffers (facts §7.3).
//!
//! * [`Out`] is a cursor over a borrowed buffer; every write says whether it fitted.
//! * Strings: `<`, `>`, `&`, U+2028 and U+2029 are escaped, `\b` and `\f` are short, other non-ASCII text stays.
//! * Floats: the shortest digits that read back the same; `30.0` is `30`; an exponent only below 1e-6 and from 1e21.

/// A buffer was too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Writes into a borrowed buffer from its front.
#[derive(Debug)]
pub struct Out<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> Out<'b> {
    /// Starts at the front of `buf`.
    #[must_use]
    pub const fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// What was written so far.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or(&[])
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets what was written behind the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// What was written and what is left of the buffer.
    #[must_use]
    pub fn split(self) -> (&'b mut [u8], &'b mut [u8]) {
        let len = self.len.min(self.buf.len());
        self.buf.split_at_mut(len)
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`Full`] when they do not fit; nothing is written then.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.len.checked_add(bytes.len()).ok_or(Full)?;
        self.buf.get_mut(self.len..end).ok_or(Full)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Appends text.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn text(&mut self, text: &str) -> Result<(), Full> {
        self.bytes(text.as_bytes())
    }

    /// Appends one octet.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn byte(&mut self, byte: u8) -> Result<(), Full> {
        self.bytes(&[byte])
    }

    /// Overwrites bytes written before (a length filled in later).
    pub fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.buf.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// The bytes written so far, to be changed in place.
    pub fn written_mut(&mut self) -> &mut [u8] {
        let len = self.len.min(self.buf.len());
        self.buf.split_at_mut(len).0
    }
}

impl core::fmt::Write for Out<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.text(text).map_err(|Full| core::fmt::Error)
    }
}

/// Writes `text` as a JSON string, quotes included, escaped as Go's `json.Marshal` does.
///
/// # Errors
/// [`Full`] when it does not fit.
pub fn string(out: &mut Out<'_>, text: &str) -> Result<(), Full> {
    out.byte(b'"')?;
    let b = text.as_bytes();
    let mut from = 0;
    let mut i = 0;
    while let Some(at) = next_special(b, i) {
        i = at;
        let c = b[i];
        let (len, escape): (usize, &str) = match c {
            b'"' => (1, "\\\""),
            b'\\' => (1, "\\\\"),
            b'\n' => (1, "\\n"),
            b'\r' => (1, "\\r"),
            b'\t' => (1, "\\t"),
            8 => (1, "\\b"),
            12 => (1, "\\f"),
            0xe2 if b.get(i + 1..i + 3) == Some(&[0x80, 0xa8]) => (3, "\\u2028"),
            0xe2 if b.get(i + 1..i + 3) == Some(&[0x80, 0xa9]) => (3, "\\u2029"),
            0xe2 => {
                i += 1;
                continue;
            }
            _ => {
                out.bytes(&b[from..i])?;
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.bytes(&[b'\\', b'u', b'0', b'0', HEX[usize::from(c >> 4)], HEX[usize::from(c & 15)]])?;
                i += 1;
                from = i;
                continue;
            }
        };
        out.bytes(&b[from..i])?;
        out.text(escape)?;
        i += len;
        from = i;
    }
    out.bytes(&b[from..])?;
    out.byte(b'"')
}

/// Where the next octet that [`string`] may not write as it is stands, from `i` on.
fn next_special(b: &[u8], mut i: usize) -> Option<usize> {
    let special = |c: &u8| SPECIAL[usize::from(*c)];
    loop {
        let rest = b.get(i..)?;
        let Some(octets) = rest.first_chunk::<8>() else { return rest.iter().position(special).map(|at| i + at) };
        let word = u64::from_le_bytes(*octets);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        if (control | zeros(word ^ (ONES * b'"' as u64)) | markup(word)) & HIGH != 0
            && let Some(at) = octets.iter().position(special)
        {
            return Some(i + at);
        }
        i += 8;
    }
}

/// Whether the first `len` octets of `from`, a checked JSON string with or without its quotes, are as [`string`] spells them; false too
/// for a few that are. Best if more octets follow.
#[must_use]
#[inline]
pub(crate) fn is_bare(from: &[u8], len: usize) -> bool {
    let mut at = 0;
    while at < len {
        let Some(octets) = from.get(at..).and_then(|rest| rest.first_chunk()) else {
            return from.get(at..len).is_some_and(|rest| rest.iter().all(|c| *c == b'"' || !SPECIAL[usize::from(*c)]));
        };
        if markup(front(u64::from_le_bytes(*octets), len - at)) & HIGH != 0 {
            return false;
        }
        at += 8;
    }
    true
}

/// The first `len` octets of a word, at least one; zeros for the others.
#[inline]
pub(crate) const fn front(word: u64, len: usize) -> u64 {
    if len < 8 { word & (u64::MAX >> (64 - 8 * len)) } else { word }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The lowest octet that is zero has its high bit set, and no octet below it.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

/// [`zeros`] of what is `&`, 0xe2, or one of `<`, `>` and the backslash; with the last three come `^`, `|`, `~` and some controls.
const fn markup(word: u64) -> u64 {
    zeros(word & (ONES * 0x9d) ^ (ONES * 0x1c)) | zeros(word ^ (ONES * b'&' as u64)) | zeros(word ^ (ONES * 0xe2))
}

/// Octets that a string cannot hold as they are, or that begin what it cannot.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut c = 0;
    while c < 256 {
        special[c] = c < 0x20 || matches!(c, 0x22 | 0x5c | 0x3c | 0x3e | 0x26 | 0xe2);
        c += 1;
    }
    special
};

/// How a float is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatStyle {
    /// `encoding/json`: exponent below 1e-6 and from 1e21, written `1e-7`, `1e+21`.
    Json,
    /// `%v`: exponent below 1e-4 and from 1e6, of two digits at least, written `1e+06`, `1e-05`.
    GoV,
    /// Never an exponent (`strconv.FormatFloat(x, 'f', -1, 64)`).
    Plain,
}

/// Writes a float with the shortest digits that read back the same.
///
/// NaN and infinities come as Go spells them (`NaN`, `+Inf`, `-Inf`); a JSON writer refuses them before.
///
/// # Errors
/// [`Full`] when it does not fit.
pub fn float(out: &mut Out<'_>, x: f64, style: FloatStyle) -> Result<(), Full> {
    if x.is_nan() {
        return out.text("NaN");
    }
    if x.is_infinite() {
        return out.text(if x > 0.0 { "+Inf" } else { "-Inf" });
    }
    if x.is_sign_negative() {
        out.byte(b'-')?;
    }
    if x == 0.0 {
        return out.byte(b'0');
    }
    if (style != FloatStyle::GoV || x.abs() < 1e6)
        && let Some((whole, places)) = short(x.abs())
    {
        return decimal(out, whole, places);
    }
    let digits = Digits::of(x.abs());
    let d = digits.as_bytes();
    let exponent = digits.point - 1; // scientific
    let scientific = match style {
        FloatStyle::Json => !(1e-6..1e21).contains(&x.abs()),
        FloatStyle::GoV => !(-4..6).contains(&exponent),
        FloatStyle::Plain => false,
    };
    if scientific {
        out.byte(d[0])?;
        if d.len() > 1 {
            out.byte(b'.')?;
            out.bytes(&d[1..])?;
        }
        out.text(if exponent < 0 { "e-" } else { "e+" })?;
        let e = exponent.unsigned_abs();
        if style == FloatStyle::GoV && e < 10 {
            out.byte(b'0')?;
        }
        return integer(out, i64::from(e));
    }
    if digits.point <= 0 {
        out.text("0.")?;
        for _ in digits.point..0 {
            out.byte(b'0')?;
        }
        return out.bytes(d);
    }
    let point = usize::try_from(digits.point).unwrap_or(usize::MAX);
    if point >= d.len() {
        out.bytes(d)?;
        for _ in d.len()..point {
            out.byte(b'0')?;
        }
        return Ok(());
    }
    out.bytes(&d[..point])?;
    out.byte(b'.')?;
    out.bytes(&d[point..])
}

/// A positive float as a number of at most 15 digits over a power of ten up to 1000, the smallest that reads back the same: no
/// shorter text does, and no other of that length (a float tells apart all decimals of 15 digits).
fn short(x: f64) -> Option<(u64, usize)> {
    for (places, power) in [1.0, 10.0, 100.0, 1000.0].into_iter().enumerate() {
        let scaled = x * power;
        if scaled >= 1e15 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and below 10^15")]
        let whole = (scaled + 0.5) as u64;
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let back = whole as f64 / power;
        if back == x && whole > 0 {
            return Some((whole, places));
        }
    }
    None
}

/// Writes a whole number with its last `places` digits behind a point.
fn decimal(out: &mut Out<'_>, whole: u64, places: usize) -> Result<(), Full> {
    const POWERS: [u64; 4] = [1, 10, 100, 1000];
    let power = POWERS.get(places).copied().unwrap_or(1);
    out.text(itoa::Buffer::new().format(whole / power))?;
    if places == 0 {
        return Ok(());
    }
    let digit = |n: u64| b'0' + (n % 10).to_le_bytes()[0];
    let rest = whole % power;
    let digits = [b'.', digit(rest / 100), digit(rest / 10), digit(rest)];
    let digits = [&[digits[0]], &digits[4 - places..]];
    out.bytes(digits[0])?;
    out.bytes(digits[1])
}

/// Writes a whole number.
///
/// # Errors
/// [`Full`] when it does not fit.
pub fn integer(out: &mut Out<'_>, x: i64) -> Result<(), Full> {
    out.text(itoa::Buffer::new().format(x))
}

/// Shortest decimal digits of a positive float: `0.d1d2d3… × 10^point`.
struct Digits {
    buf: [u8; 24],
    len: usize,
    point: i32,
}

impl Digits {
    fn of(x: f64) -> Self {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(x);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let mut digits = Self { buf: [0; 24], len: 0, point: 0 };
        let mut before_point = 0;
        let mut seen_point = false;
        for c in mantissa.bytes() {
            match c {
                b'.' => seen_point = true,
                c => {
                    if !seen_point {
                        before_point += 1;
                    }
                    if digits.len == 0 && c == b'0' {
                        before_point -= 1; // a leading zero carries no digit
                        continue;
                    }
                    if let Some(place) = digits.buf.get_mut(digits.len) {
                        *place = c;
                        digits.len += 1;
                    }
                }
            }
        }
        while digits.len > 1 && digits.buf[digits.len - 1] == b'0' {
            digits.len -= 1;
        }
        digits.point = before_point + exponent;
        digits
    }

    fn as_bytes(&self) -> &[u8] {
        &self.buf[..self.len.max(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(x: f64, style: FloatStyle) -> String {
        let mut buf = [0; 400];
        let mut out = Out::new(&mut buf);
        float(&mut out, x, style).expect("fits");
        String::from_utf8(out.written().to_vec()).expect("ascii")
    }

    #[test]
    fn floats_as_json() {
        for (x, want) in [
            (30.0, "30"),
            (-0.0, "-0"),
            (0.0, "0"),
            (21.5, "21.5"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (0.000001, "0.000001"),
            (0.0000001, "1e-7"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (9.223372036854776e18, "9223372036854776000"),
            (123.456, "123.456"),
            (1.5e-9, "1.5e-9"),
            (0.1, "0.1"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(spell(x, FloatStyle::Json), want);
        }
    }

    #[test]
    fn floats_as_go_prints() {
        for (x, want) in [
            (1_700_000_000_000.0, "1.7e+12"),
            (999_999.0, "999999"),
            (1_000_000.0, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (0.00001, "1e-05"),
            (0.0001, "0.0001"),
            (21.5, "21.5"),
            (1e100, "1e+100"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(spell(x, FloatStyle::GoV), want);
        }
        assert_eq!(spell(1e6, FloatStyle::Plain), "1000000");
        assert_eq!(spell(1e-7, FloatStyle::Plain), "0.0000001");
        assert_eq!(spell(1e21, FloatStyle::Plain), "1000000000000000000000");
    }

    #[test]
    fn strings_as_go_escapes() {
        let mut buf = [0; 100];
        let mut out = Out::new(&mut buf);
        string(&mut out, "a<b>&\"\\\n\r\t\u{8}\u{c}\u{1}é\u{2028}\u{2029}→").expect("fits");
        assert_eq!(core::str::from_utf8(out.written()), Ok("\"a\\u003cb\\u003e\\u0026\\\"\\\\\\n\\r\\t\\b\\f\\u0001é\\u2028\\u2029→\""));
        let mut small = [0; 3];
        assert_eq!(string(&mut Out::new(&mut small), "ab"), Err(Full));
        assert_eq!(string(&mut Out::new(&mut small), "a"), Ok(()));
    }

    proptest::proptest! {
        #[test]
        fn floats_read_back(bits: u64) {
            let x = f64::from_bits(bits);
            proptest::prop_assume!(x.is_finite());
            for style in [FloatStyle::Json, FloatStyle::GoV, FloatStyle::Plain] {
                proptest::prop_assert_eq!(spell(x, style).parse::<f64>().ok(), Some(x));
            }
        }
    }

    #[test]
    fn short_decimals_are_written_as_the_long_way_has_them() {
        let mut seed = 11_u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut numbers = vec![1.0, 0.001, 0.1, 999_999.0, 1e6, 999_999_999_999_999.0, 1e15, 0.3, 2.675, 0.000_5, 123.456, 1e-3, 5e-324];
        for _ in 0..30_000 {
            let digits = u32::try_from(next() % 17 + 1).expect("small");
            let whole = next() % 10_u64.pow(digits);
            #[expect(clippy::cast_precision_loss, reason = "any float will do")]
            numbers.push(whole as f64 / [1.0, 10.0, 100.0, 1000.0, 1e4, 3.0][usize::try_from(next() % 6).expect("small")]);
        }
        let mut seen = 0;
        for x in numbers {
            let Some((whole, places)) = short(x) else { continue };
            seen += 1;
            let (mut buf, mut long) = ([0; 64], String::new());
            let mut out = Out::new(&mut buf);
            decimal(&mut out, whole, places).expect("room");
            let text = core::str::from_utf8(out.written()).expect("text");
            let digits = Digits::of(x);
            let d = core::str::from_utf8(digits.as_bytes()).expect("text");
            let point = usize::try_from(digits.point.max(0)).expect("positive");
            if digits.point <= 0 {
                long = format!("0.{}{d}", "0".repeat(digits.point.unsigned_abs() as usize));
            } else if point >= d.len() {
                long = format!("{d}{}", "0".repeat(point - d.len()));
            } else {
                long.push_str(&format!("{}.{}", &d[..point], &d[point..]));
            }
            assert_eq!(text, long, "{x:e}");
        }
        assert!(seen > 10_000, "{seen}");
    }
}

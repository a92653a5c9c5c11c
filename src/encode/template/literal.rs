//! Literals of templates, and the texts that Go's `strconv` reads as numbers.

use super::ast::Number;

/// What a quoted or raw string literal stands for; `None` if it is none.
pub(super) fn unquote(text: &str) -> Option<String> {
    if let Some(raw) = text.strip_prefix('`') {
        return Some(raw.strip_suffix('`')?.replace('\r', ""));
    }
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while !rest.is_empty() {
        let (unit, tail) = unit(rest, '"')?;
        match unit {
            Unit::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Unit::Byte(b) => bytes.push(b),
        }
        rest = tail;
    }
    Some(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// The character of `'c'`.
pub(super) fn character(text: &str) -> Option<char> {
    let inside = text.strip_prefix('\'')?.strip_suffix('\'')?;
    match unit(inside, '\'')? {
        (Unit::Char(c), "") => Some(c),
        (Unit::Byte(b), "") => Some(char::from(b)),
        _ => None,
    }
}

enum Unit {
    Char(char),
    Byte(u8),
}

/// One character or escape, and what follows it.
fn unit(text: &str, quote: char) -> Option<(Unit, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first != '\\' {
        return (first != quote).then_some((Unit::Char(first), chars.as_str()));
    }
    let code = chars.next()?;
    let rest = chars.as_str();
    let simple = match code {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' => '\\',
        '\'' | '"' if code == quote => quote,
        'x' => {
            let byte = u8::from_str_radix(rest.get(..2)?, 16).ok()?;
            return Some((Unit::Byte(byte), rest.get(2..)?));
        }
        'u' | 'U' => {
            let len = if code == 'u' { 4 } else { 8 };
            let c = char::from_u32(u32::from_str_radix(rest.get(..len)?, 16).ok()?)?;
            return Some((Unit::Char(c), rest.get(len..)?));
        }
        '0'..='7' => {
            let octal = text.get(1..4)?;
            return Some((Unit::Byte(u8::from_str_radix(octal, 8).ok()?), text.get(4..)?));
        }
        _ => return None,
    };
    Some((Unit::Char(simple), rest))
}

/// A number literal.
pub(super) fn number(text: &str) -> Result<Number, String> {
    let looks_float = text.contains(['.', 'e', 'E', 'p', 'P']);
    let hex = text.starts_with("0x") || text.starts_with("0X");
    if let Some(int) = int_base_0(text) {
        #[expect(clippy::cast_precision_loss, reason = "Go's conversion: the nearest float")]
        let float = int as f64;
        return Ok(Number { int: Some(int), float: Some(float), is_float: looks_float && !hex });
    }
    if uint_base_0(text).is_some() {
        return Err(format!("{text} overflows int"));
    }
    let Some(float) = float(text) else { return Err(format!("illegal number syntax: {text:?}")) };
    if !looks_float {
        return Err(format!("integer overflow: {text:?}"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "compared after the round trip")]
    let int = (float as i64 as f64 == float && float.abs() < 9.3e18).then_some(float as i64);
    Ok(Number { int, float: Some(float), is_float: true })
}

/// Go's `strconv.ParseFloat`, but for hexadecimal floats.
pub(super) fn float(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Go's `strconv.ParseInt(text, 0, 64)`: `0x`, `0o`, `0b`, a leading `0` for octal, `_` between digits.
pub(super) fn int_base_0(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = i128::from(uint_base_0(digits)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

fn uint_base_0(text: &str) -> Option<u64> {
    let (radix, digits) = match *text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..]),
        [b'0', b'o' | b'O', ..] => (8, &text[2..]),
        [b'0', b'b' | b'B', ..] => (2, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    // An underscore stands behind the prefix or a digit, and before a digit.
    let prefixed = radix != 10;
    let mut before = prefixed;
    let mut value = Some(0_u64);
    for c in digits.bytes() {
        if c == b'_' {
            if !before {
                return None;
            }
            before = false;
            continue;
        }
        let digit = char::from(c).to_digit(radix)?;
        value = value?.checked_mul(u64::from(radix))?.checked_add(u64::from(digit));
        before = true;
    }
    if digits.is_empty() || digits.ends_with('_') { None } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        for (text, want) in [
            (r#""a\n\t\"\\""#, Some("a\n\t\"\\")),
            (r#""\x41\u00e9\U0001F600\101""#, Some("Aé😀A")),
            (r#""\'""#, None),
            (r#""\q""#, None),
            ("`a\\n`", Some("a\\n")),
        ] {
            assert_eq!(unquote(text).as_deref(), want, "{text}");
        }
        assert_eq!(character(r"'\n'"), Some('\n'));
        assert_eq!(character(r"'\''"), Some('\''));
        assert_eq!(character("'é'"), Some('é'));
        assert_eq!(character("'ab'"), None);
    }

    #[test]
    fn numbers() {
        for (text, int, float, is_float) in [
            ("1", Some(1), 1.0, false),
            ("-0x1F", Some(-31), -31.0, false),
            ("0x1e", Some(30), 30.0, false),
            ("0b11", Some(3), 3.0, false),
            ("017", Some(15), 15.0, false),
            ("1_000", Some(1000), 1000.0, false),
            ("1.5", None, 1.5, true),
            ("1e3", Some(1000), 1000.0, true),
            ("2.0", Some(2), 2.0, true),
            (".5", None, 0.5, true),
        ] {
            assert_eq!(number(text), Ok(Number { int, float: Some(float), is_float }), "{text}");
        }
        assert!(number("99999999999999999999").is_err_and(|e| e.contains("integer overflow")));
        assert!(number("18446744073709551615").is_err_and(|e| e.contains("overflows int")));
        assert!(number("1__0").is_err_and(|e| e.contains("illegal number syntax")));
        assert!(number("08").is_err_and(|e| e.contains("integer overflow")));
    }
}

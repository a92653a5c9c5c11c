//! What Go's decoder says of a text that is no JSON: scripts look for these words in answers.
//!
//! In: a text that a strict check has refused. Out: the first complaint of Go's `encoding/json` about it, `None` if Go would take it.

use serde_json::Value;

/// What kind of JSON a value is, as Go names it.
#[must_use]
pub const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    /// A value or the end of the array.
    FirstElement,
    /// A key or the end of the object.
    FirstKey,
    Key,
    Colon,
    /// A comma or an end.
    More,
    Top,
}

/// Go's words for the first thing in `text` that is no JSON. `stream`: as a stream decoder has them, which stops behind the first
/// value and tells an early end apart.
///
/// ```
/// use pushgate::json::words::complaint;
/// assert_eq!(complaint("{x", false).as_deref(), Some("invalid character 'x' looking for beginning of object key string"));
/// assert_eq!(complaint("[1,2]", false), None);
/// ```
#[must_use]
pub fn complaint(text: &str, stream: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let end = || {
        let words = match (stream, text.trim_ascii().is_empty()) {
            (false, _) => "unexpected end of JSON input",
            (true, true) => "EOF",
            (true, false) => "unexpected EOF",
        };
        Some(words.to_owned())
    };
    let mut open: Vec<u8> = Vec::new();
    let mut state = State::Value;
    let mut at = 0;
    loop {
        while bytes.get(at).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
            at += 1;
        }
        if state == State::Top && (stream || at == bytes.len()) {
            return None;
        }
        let Some(&byte) = bytes.get(at) else { return end() };
        match (state, byte) {
            (State::FirstElement, b']') | (State::FirstKey, b'}') => {
                open.pop();
                at += 1;
                state = if open.is_empty() { State::Top } else { State::More };
            }
            (State::Value | State::FirstElement, b'{' | b'[') => {
                open.push(byte);
                at += 1;
                state = if byte == b'{' { State::FirstKey } else { State::FirstElement };
            }
            (State::Value | State::FirstElement, _) => {
                match scalar(bytes, at) {
                    Ok(next) => at = next,
                    Err(Some(words)) => return Some(words),
                    Err(None) => return end(),
                }
                state = if open.is_empty() { State::Top } else { State::More };
            }
            (State::FirstKey | State::Key, b'"') => {
                match string(bytes, at) {
                    Ok(next) => at = next,
                    Err(Some(words)) => return Some(words),
                    Err(None) => return end(),
                }
                state = State::Colon;
            }
            (State::FirstKey | State::Key, _) => return Some(invalid(byte, "looking for beginning of object key string")),
            (State::Colon, b':') => {
                at += 1;
                state = State::Value;
            }
            (State::Colon, _) => return Some(invalid(byte, "after object key")),
            (State::More, b',') => {
                at += 1;
                state = if open.last() == Some(&b'{') { State::Key } else { State::Value };
            }
            (State::More, b'}' | b']') if open.last().is_some_and(|o| (*o == b'{') == (byte == b'}')) => {
                open.pop();
                at += 1;
                state = if open.is_empty() { State::Top } else { State::More };
            }
            (State::More, _) if open.last() == Some(&b'{') => return Some(invalid(byte, "after object key:value pair")),
            (State::More, _) => return Some(invalid(byte, "after array element")),
            (State::Top, _) => return Some(invalid(byte, "after top-level value")),
        }
    }
}

/// Where a scalar ends; `Err(None)`: the text ends within.
fn scalar(bytes: &[u8], at: usize) -> Result<usize, Option<String>> {
    match bytes[at] {
        b'"' => string(bytes, at),
        b't' => literal(bytes, at, "true"),
        b'f' => literal(bytes, at, "false"),
        b'n' => literal(bytes, at, "null"),
        b'-' | b'0'..=b'9' => number(bytes, at),
        byte => Err(Some(invalid(byte, "looking for beginning of value"))),
    }
}

fn literal(bytes: &[u8], at: usize, word: &str) -> Result<usize, Option<String>> {
    for (i, wanted) in word.bytes().enumerate().skip(1) {
        let byte = *bytes.get(at + i).ok_or(None)?;
        if byte != wanted {
            return Err(Some(invalid(byte, &format!("in literal {word} (expecting '{}')", char::from(wanted)))));
        }
    }
    Ok(at + word.len())
}

fn number(bytes: &[u8], mut at: usize) -> Result<usize, Option<String>> {
    let digits = |at: &mut usize, context: &str| {
        let first = *bytes.get(*at).ok_or(None)?;
        if !first.is_ascii_digit() {
            return Err(Some(invalid(first, context)));
        }
        while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
        Ok(())
    };
    at += usize::from(bytes[at] == b'-');
    if bytes.get(at) == Some(&b'0') {
        at += 1;
    } else {
        digits(&mut at, "in numeric literal")?;
    }
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        digits(&mut at, "after decimal point in numeric literal")?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        digits(&mut at, "in exponent of numeric literal")?;
    }
    Ok(at)
}

fn string(bytes: &[u8], mut at: usize) -> Result<usize, Option<String>> {
    at += 1;
    loop {
        match *bytes.get(at).ok_or(None)? {
            b'"' => return Ok(at + 1),
            b'\\' => match *bytes.get(at + 1).ok_or(None)? {
                b'u' => {
                    for i in 2..6 {
                        let byte = *bytes.get(at + i).ok_or(None)?;
                        if !byte.is_ascii_hexdigit() {
                            return Err(Some(invalid(byte, "in \\u hexadecimal character escape")));
                        }
                    }
                    at += 6;
                }
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                byte => return Err(Some(invalid(byte, "in string escape code"))),
            },
            byte if byte < 0x20 => return Err(Some(invalid(byte, "in string literal"))),
            _ => at += 1,
        }
    }
}

fn invalid(byte: u8, context: &str) -> String {
    let shown = match byte {
        b'\'' => "\\'".to_owned(),
        b'"' => "\"".to_owned(),
        b'\\' => "\\\\".to_owned(),
        b'\n' => "\\n".to_owned(),
        b'\r' => "\\r".to_owned(),
        b'\t' => "\\t".to_owned(),
        0..0x20 | 0x7f => format!("\\x{byte:02x}"),
        0x80..0xa0 => format!("\\u00{byte:02x}"),
        byte => char::from(byte).to_string(),
    };
    format!("invalid character '{shown}' {context}")
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn complaints() {
        for (text, words) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("{\"a\"", "unexpected end of JSON input"),
            ("\"a", "unexpected end of JSON input"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{not json", "invalid character 'n' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1}", "invalid character '}' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("01", "invalid character '1' after top-level value"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("trux", "invalid character 'x' in literal true (expecting 'e')"),
            ("\"\\q\"", "invalid character 'q' in string escape code"),
            ("\"\\u12x4\"", "invalid character 'x' in \\u hexadecimal character escape"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("'a'", "invalid character '\\'' looking for beginning of value"),
        ] {
            assert_eq!(complaint(text, false).as_deref(), Some(words), "{text}");
        }
        for text in ["{}", " [1,-0.5e+3,\"\\u00e9\",null,{\"a\":[]}] ", "5", "\"\\ud800\""] {
            assert_eq!(complaint(text, false), None, "{text}");
        }
        assert_eq!(complaint(" ", true).as_deref(), Some("EOF"));
        assert_eq!(complaint("{", true).as_deref(), Some("unexpected EOF"));
        assert_eq!(complaint("{} x", true), None);
    }
}

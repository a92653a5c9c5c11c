//! `urlencoded`: names sorted, a list repeats its name, spaces as `+`, everything but `A-Z a-z 0-9 - _ . ~` as `%XX` (Go's `url.Values.Encode`).

use super::plain;
use crate::json::write::{Full, Out};
use crate::value::{Fault, Scratch, Value};

pub(super) fn encode<'a>(message: Value<'a>, out: &mut Out<'_>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
    let Some(row) = message.object(scratch)? else { return Err(super::no_map(message, scratch)) };
    let mut first = true;
    let mut pair = |name: &str, value: Value<'a>, out: &mut Out<'_>| -> Result<(), Fault<'a>> {
        if !first {
            out.byte(b'&')?;
        }
        first = false;
        query(out, name.as_bytes())?;
        out.byte(b'=')?;
        let text = match value {
            Value::Str(text) => text.as_bytes(),
            _ => scratch.write_bytes(|out| plain(out, value, scratch))?,
        };
        Ok(query(out, text)?)
    };
    for (name, value) in row.entries() {
        match value.list(scratch)? {
            Some(list) => {
                for element in list.elements() {
                    pair(name, element, out)?;
                }
            }
            None => pair(name, value, out)?,
        }
    }
    Ok(())
}

/// Appends text escaped for a query, as Go's `url.QueryEscape` does.
///
/// # Errors
/// [`Full`].
pub(super) fn query(out: &mut Out<'_>, text: &[u8]) -> Result<(), Full> {
    for c in text {
        match c {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.byte(*c)?,
            b' ' => out.byte(b'+')?,
            _ => percent(out, *c)?,
        }
    }
    Ok(())
}

/// Appends `%XX`.
///
/// # Errors
/// [`Full`].
pub(super) fn percent(out: &mut Out<'_>, c: u8) -> Result<(), Full> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.bytes(&[b'%', HEX[usize::from(c >> 4)], HEX[usize::from(c & 15)]])
}

#[cfg(test)]
mod tests {
    use super::super::tests::encoded;
    use super::super::{Encoding, Format};

    #[test]
    fn as_go_encodes_values() {
        let mut encoding = Encoding::new(Format::Urlencoded, "", false, &[]);
        let messages = [r#"{"b":"x y&é","a":[1,true,null],"c":1e6,"d":{"k":1},"e":[]}"#, "{}", r#"[{"a":1}]"#];
        let want = ["a=1&a=true&a=&b=x+y%26%C3%A9&c=1000000&d=map%5Bk%3A1%5D", "", "unsupported type [map[a:1]], must be a map"];
        assert_eq!(encoded(&mut encoding, &messages), want);
    }
}

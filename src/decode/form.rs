//! `application/x-www-form-urlencoded` bodies, as Go's `url.ParseQuery` takes them apart: `;` and a bad `%` are errors, `+` is a space.

use crate::value::packed::Encoder;
use crate::value::text::lossy;
use crate::value::{Fault, Scratch, Value};

/// Writes the row of `body`: text per name, a list where a name is repeated (in the order written).
pub(super) fn pack<'f>(body: &'f str, into: &mut Encoder<'_>, scratch: &Scratch<'f>) -> Result<(), Fault<'f>> {
    let pairs = body.split('&').filter(|p| !p.is_empty());
    if body.contains(';') || !pairs.clone().all(|p| escapes_hold(p.as_bytes())) {
        let shown: usize = body.char_indices().map(|(i, c)| i + c.len_utf8()).take_while(|end| *end <= 200).last().unwrap_or(0);
        return Err(scratch.fault(format_args!("fail to parse url encoded value {}", &body[..shown])));
    }
    // Places of the pairs, sorted by name, then by place: repeats stand together, in order.
    let (table, _) = scratch.alloc(4 * pairs.clone().count())?.as_chunks_mut::<4>();
    for (entry, pair) in table.iter_mut().zip(pairs) {
        let at = pair.as_ptr() as usize - body.as_ptr() as usize;
        *entry = u32::try_from(at).map_err(|_| Fault::FULL)?.to_le_bytes();
    }
    let pair_at = |entry: &[u8; 4]| {
        let pair = body.get(u32::from_le_bytes(*entry) as usize..).unwrap_or("");
        let pair = pair.split('&').next().unwrap_or("");
        pair.split_once('=').unwrap_or((pair, ""))
    };
    table.sort_unstable_by(|a, b| {
        decoded(pair_at(a).0).cmp(decoded(pair_at(b).0)).then(u32::from_le_bytes(*a).cmp(&u32::from_le_bytes(*b)))
    });
    into.begin_object()?;
    for group in table.chunk_by(|a, b| decoded(pair_at(a).0).eq(decoded(pair_at(b).0))) {
        let Some(first) = group.first() else { continue };
        into.key(unescape(pair_at(first).0, scratch)?)?;
        if let [one] = group {
            into.value(Value::Str(unescape(pair_at(one).1, scratch)?))?;
            continue;
        }
        into.begin_list()?;
        for entry in group {
            into.value(Value::Str(unescape(pair_at(entry).1, scratch)?))?;
        }
        into.end()?;
    }
    into.end()
}

fn escapes_hold(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(i, c)| *c != b'%' || text.get(i + 1..i + 3).is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit)))
}

/// The octets that a piece stands for.
fn decoded(piece: &str) -> impl Iterator<Item = u8> {
    let mut rest = piece.as_bytes();
    core::iter::from_fn(move || match *rest {
        [b'%', high, low, ref tail @ ..] => {
            rest = tail;
            Some(hex(high) << 4 | hex(low))
        }
        [c, ref tail @ ..] => {
            rest = tail;
            Some(if c == b'+' { b' ' } else { c })
        }
        [] => None,
    })
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10) & 15,
    }
}

/// The text that a piece stands for; octets that are no UTF-8 become U+FFFD, as Go's JSON encoder would write them.
fn unescape<'f>(piece: &'f str, scratch: &Scratch<'f>) -> Result<&'f str, Fault<'f>> {
    if !piece.bytes().any(|c| matches!(c, b'%' | b'+')) {
        return Ok(piece);
    }
    let raw = scratch.alloc(decoded(piece).count())?;
    for (place, c) in raw.iter_mut().zip(decoded(piece)) {
        *place = c;
    }
    lossy(raw, scratch)
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::super::{Format, Shape};

    #[test]
    fn forms_as_go_parses_them() {
        let shape = Shape::new(Format::Urlencoded, "", Vec::new(), None);
        for (body, want) in [
            ("a=1&b=x+y%21", r#"{"a":"1","b":"x y!"}"#),
            ("a=1&b=2&a=3&%61=4", r#"{"a":["1","3","4"],"b":"2"}"#),
            ("", "{}"),
            ("&&a&=x&", r#"{"":"x","a":""}"#),
            ("a=b=c", r#"{"a":"b=c"}"#),
            ("a=%ff", "{\"a\":\"\u{fffd}\"}"),
            ("a=%C3%A9", r#"{"a":"é"}"#),
            ("a=1;b=2", "fail to parse url encoded value a=1;b=2"),
            ("a=%4", "fail to parse url encoded value a=%4"),
            ("a=%zz&b=1", "fail to parse url encoded value a=%zz&b=1"),
        ] {
            assert_eq!(row(&shape, body.as_bytes()), want, "{body}");
        }
    }

    #[test]
    fn many_repeats_are_sorted_not_searched() {
        let shape = Shape::new(Format::Urlencoded, "", Vec::new(), None);
        let body = "a&".repeat(1000);
        assert_eq!(row(&shape, body.as_bytes()).matches("\"\"").count(), 1000);
    }
}

//! How values are printed: what an action prints, `print`, `println`, and their text in errors.

use super::val::{Cx, Tag, Val};
use super::{date, semver};
use crate::json::write::Out;
use crate::value::{Fault, Value, text};

/// What `{{value}}` prints.
pub(super) fn value<'a>(out: &mut Out<'_>, value: Val<'a>, cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    if value.tag == Tag::Missing { Ok(out.text("<no value>")?) } else { go_v(out, value, cx) }
}

/// `%v`
pub(super) fn go_v<'a>(out: &mut Out<'_>, value: Val<'a>, cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    match (value.tag, value.v) {
        (Tag::Missing, _) => out.text("<nil>")?,
        (Tag::Version, Value::Str(text)) => semver::normal(out, text)?,
        (Tag::Duration, Value::Int(nanos)) => date::duration(out, nanos)?,
        _ => {
            let v = cx.deep(value.v)?;
            text::go_v(out, v, cx.scratch)?;
        }
    }
    Ok(())
}

/// `%v` text in the scratch.
pub(super) fn shown<'a>(value: Val<'a>, cx: &Cx<'_, 'a>) -> Result<&'a str, Fault<'a>> {
    match value.text() {
        Some(text) => Ok(text),
        None => cx.string(|out| go_v(out, value, cx)),
    }
}

/// Go's `fmt.Sprint`: a space between two operands when neither is a string.
pub(super) fn sprint<'a>(out: &mut Out<'_>, values: impl Iterator<Item = Val<'a>>, cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    let mut before: Option<bool> = None;
    for value in values {
        let is_text = value.text().is_some();
        if before.is_some_and(|was_text| !was_text && !is_text) {
            out.byte(b' ')?;
        }
        go_v(out, value, cx)?;
        before = Some(is_text);
    }
    Ok(())
}

/// Go's `fmt.Sprintln`: spaces between all operands, and a line end.
pub(super) fn sprintln<'a>(out: &mut Out<'_>, values: impl Iterator<Item = Val<'a>>, cx: &Cx<'_, 'a>) -> Result<(), Fault<'a>> {
    for (i, value) in values.enumerate() {
        if i > 0 {
            out.byte(b' ')?;
        }
        go_v(out, value, cx)?;
    }
    Ok(out.byte(b'\n')?)
}

/// What sprig's `strval` makes: octets as text, everything else as `%v`.
pub(super) fn strval<'a>(value: Val<'a>, cx: &Cx<'_, 'a>) -> Result<&'a str, Fault<'a>> {
    match value.v {
        Value::Bytes(bytes) => cx.utf8(bytes),
        _ => shown(value, cx),
    }
}

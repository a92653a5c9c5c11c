//! Values of readings are data: what a template prints into a path, URL, header or topic cannot change its structure.
//!
//! | place | refused | changed |
//! |---|---|---|
//! | path | `/` and NUL in a value; then, behind the literal directory, a segment that is empty, `.` or `..` | |
//! | URL | | percent-encoded, unless the action ends in `urlquery` |
//! | header | CR, LF, NUL | |
//! | topic | `+`, `#`, NUL | |

use super::super::urlencoded;
use crate::json::write::Out;
use crate::value::{Fault, Scratch};

/// Where a rendered text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A file's path.
    Path,
    /// A URL.
    Url,
    /// The value of a header field.
    Header,
    /// A topic.
    Topic,
    /// A field of a form: any text will do.
    Form,
}

/// Holds what one action printed (everything in `out` from `from` on) to the rules of its place.
pub(super) fn value<'a>(place: Place, escaped: bool, from: usize, out: &mut Out<'_>, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
    let printed = out.written().get(from..).unwrap_or(&[]);
    let bad = |set: &[u8]| printed.iter().copied().find(|c| set.contains(c));
    let (what, found) = match place {
        Place::Path => ("a file's path", bad(b"/\0")),
        Place::Header => ("a header", bad(b"\r\n\0")),
        Place::Topic => ("a topic", bad(b"+#\0")),
        Place::Form => return Ok(()),
        Place::Url if escaped || printed.iter().all(|c| is_plain(*c)) => return Ok(()),
        Place::Url => {
            let raw = scratch.copy(printed)?;
            out.truncate(from);
            for c in raw {
                if is_plain(*c) { out.byte(*c)? } else { urlencoded::percent(out, *c)? }
            }
            return Ok(());
        }
    };
    match found {
        None => Ok(()),
        Some(c) => Err(scratch.fault(format_args!("a value in {what} holds {:?}, which it must not", char::from(c)))),
    }
}

/// Holds a whole path to the rules; `directory` bytes of it are literal, up to a `/`.
pub(crate) fn path<'a>(path: &[u8], directory: usize, scratch: &Scratch<'a>) -> Result<(), Fault<'a>> {
    let rest = path.get(directory..).unwrap_or(&[]);
    for segment in rest.split(|c| *c == b'/') {
        if matches!(segment, b"" | b"." | b"..") {
            let shown = core::str::from_utf8(segment).unwrap_or("");
            return Err(scratch.fault(format_args!("a value makes {shown:?} of a segment of a file's path")));
        }
    }
    Ok(())
}

const fn is_plain(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'~')
}

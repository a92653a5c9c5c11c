//! Where a head ends, in bytes that come piece by piece (RFC 9112 §2.2, §3): lines that end in CR LF, the first of them of a request
//! line's shape, within [`HEAD_BYTES`], [`TARGET_BYTES`] and [`FIELD_COUNT`]. What the lines say is judged once all are there.

use super::{HeadError, is_tchar};
use crate::limits::{FIELD_COUNT, HEAD_BYTES, TARGET_BYTES};

/// Finds the end of a head in bytes that arrive piece by piece. Each byte is looked at once, so a client that sends one byte
/// at a time costs no more than any other. Where it stops does not depend on the pieces.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scan {
    /// Bytes looked at so far.
    at: u16,
    /// Where the current line begins.
    line: u16,
    /// Complete lines so far.
    lines: u16,
}

impl Scan {
    /// Looks at the rest of `bytes`, which start with the head's first byte; gives the head's length once it is complete.
    ///
    /// # Errors
    /// [`HeadError`] at the first line that is too long, too many, or ends in a bare LF.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        if self.lines == 0 {
            check_method(bytes)?;
        }
        loop {
            let at = usize::from(self.at);
            // A CR or LF here, or at the earliest where bytes are still missing: the line ends behind it, or further on.
            let cr = find_line_end(bytes.get(at..).unwrap_or_default()).map_or(bytes.len(), |found| at + found);
            let end = cr + 2;
            if self.lines == 0 && end > TARGET_BYTES + LINE_SLACK {
                return Err(HeadError::TargetTooLong);
            }
            if end > HEAD_BYTES {
                return Err(HeadError::TooLong);
            }
            match bytes.get(cr..) {
                None | Some([] | [b'\r']) => {
                    self.at = u16::try_from(cr).map_err(|_| HeadError::TooLong)?;
                    return Ok(None);
                }
                Some([b'\r', b'\n', ..]) => {}
                Some(_) => return Err(HeadError::BareLf),
            }
            if cr == usize::from(self.line) {
                return Ok(Some(end));
            }
            // Told at once: who speaks HTTP/0.9 or HTTP/2 sends no more lines to wait for.
            if self.lines == 0 {
                request_line(bytes.get(..cr).unwrap_or_default())?;
            }
            self.lines += 1;
            if usize::from(self.lines) > FIELD_COUNT + 1 {
                return Err(HeadError::TooManyFields);
            }
            self.at = u16::try_from(end).map_err(|_| HeadError::TooLong)?;
            self.line = self.at;
        }
    }
}

/// The longest method that is looked at, and what else stands on a request line beside the target.
const METHOD_BYTES: usize = 32;
pub(super) const LINE_SLACK: usize = 64;

/// The request line must begin with a token and a space: what is no HTTP at all (a TLS hello, say) is told at once.
fn check_method(bytes: &[u8]) -> Result<(), HeadError> {
    for (i, &b) in bytes.iter().take(METHOD_BYTES).enumerate() {
        if b == b' ' && i > 0 {
            return Ok(());
        }
        if !is_tchar(b) {
            return Err(HeadError::BadRequestLine);
        }
    }
    // Longer than any method there is (RFC 9112 §3).
    if bytes.len() < METHOD_BYTES { Ok(()) } else { Err(HeadError::UnsupportedMethod) }
}

/// Position of the first CR or LF, a word at a time.
pub(super) fn find_line_end(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    let (words, _) = bytes.as_chunks::<8>();
    for word in words {
        let (lf, cr) = (u64::from_le_bytes(*word) ^ (ONES * b'\n' as u64), u64::from_le_bytes(*word) ^ (ONES * b'\r' as u64));
        // Exact for the lowest byte that is zero, which is the one that counts.
        let hit = ((lf.wrapping_sub(ONES) & !lf) | (cr.wrapping_sub(ONES) & !cr)) & HIGHS;
        if hit != 0 {
            return Some(at + hit.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    bytes.get(at..)?.iter().position(|&b| b == b'\n' || b == b'\r').map(|i| at + i)
}

/// `method SP request-target SP HTTP-version` without its CR LF, judged by shape alone; gives the digit of the minor version.
/// A major version that is not ours is told from what is no version at all.
pub(super) fn request_line(line: &[u8]) -> Result<u8, HeadError> {
    let mut parts = line.split(|&b| b == b' ');
    let (Some([_, ..]), Some([_, ..]), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(HeadError::BadRequestLine);
    };
    match version.strip_prefix(b"HTTP/") {
        Some([b'1', b'.', minor @ b'0'..=b'9']) => Ok(*minor),
        Some([b'0' | b'2'..=b'9', b'.', b'0'..=b'9'] | [b'2'..=b'9']) => Err(HeadError::UnsupportedVersion),
        _ => Err(HeadError::BadRequestLine),
    }
}

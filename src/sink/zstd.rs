//! Zstandard frames (RFC 8878) whose blocks are stored: any decoder reads them, and they are a few bytes longer than their content.
//!
//! For receivers that insist on the format. Whoever wants fewer bytes takes gzip; the rule's log says so.

/// RFC 8878 §3.1.1: magic, a descriptor that says "one segment, content size in four bytes", that size.
const HEAD_BYTES: usize = 9;
/// RFC 8878 §3.1.1.2: the largest block.
const BLOCK_BYTES: usize = 128 << 10;

/// Writes `body` as one frame into `out`: the bytes used, or `None` when they do not suffice.
pub(crate) fn frame(body: &[u8], out: &mut [u8]) -> Option<usize> {
    let size = u32::try_from(body.len()).ok()?;
    let mut len = HEAD_BYTES;
    let head = out.get_mut(..len)?;
    head[..5].copy_from_slice(&[0x28, 0xB5, 0x2F, 0xFD, 0b1010_0000]);
    head[5..].copy_from_slice(&size.to_le_bytes());
    let mut rest = body;
    loop {
        let (block, behind) = rest.split_at(rest.len().min(BLOCK_BYTES));
        let last = behind.is_empty();
        // Last or not, type 0 (stored), size.
        let mark = (u32::try_from(block.len()).ok()? << 3 | u32::from(last)).to_le_bytes();
        out.get_mut(len..len + 3)?.copy_from_slice(&mark[..3]);
        len += 3;
        out.get_mut(len..len + block.len())?.copy_from_slice(block);
        len += block.len();
        if last {
            return Some(len);
        }
        rest = behind;
    }
}

/// Bytes that a frame of `bytes` takes.
pub(crate) const fn frame_bytes(bytes: usize) -> usize {
    let blocks = if bytes == 0 { 1 } else { bytes.div_ceil(BLOCK_BYTES) };
    HEAD_BYTES + 3 * blocks + bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of a frame as written here, by the words of the RFC.
    fn content(frame: &[u8]) -> Vec<u8> {
        assert_eq!(frame[..4], 0xFD2F_B528_u32.to_le_bytes());
        assert_eq!(frame[4], 0xA0);
        let size = u32::from_le_bytes(frame[5..9].try_into().expect("four"));
        let (mut at, mut out) = (9, Vec::new());
        loop {
            let mark = u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], 0]);
            assert_eq!(mark >> 1 & 3, 0, "stored");
            let len = (mark >> 3) as usize;
            out.extend_from_slice(&frame[at + 3..at + 3 + len]);
            at += 3 + len;
            if mark & 1 == 1 {
                assert_eq!((at, out.len()), (frame.len(), size as usize));
                return out;
            }
        }
    }

    #[test]
    fn frames_of_any_size() {
        for len in [0, 1, 5, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES] {
            let body: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).expect("a byte")).collect();
            let mut out = vec![0; frame_bytes(len)];
            assert_eq!(frame(&body, &mut out), Some(out.len()), "{len}");
            assert_eq!(content(&out), body, "{len}");
            let short = out.len() - 1;
            assert_eq!(frame(&body, &mut out[..short]), None, "{len}");
        }
    }

    #[test]
    fn a_frame_byte_for_byte() {
        let known = [0x28, 0xB5, 0x2F, 0xFD, 0xA0, 5, 0, 0, 0, 0x29, 0, 0, b'h', b'e', b'l', b'l', b'o'];
        let mut out = [0; 17];
        assert_eq!(frame(b"hello", &mut out), Some(17));
        assert_eq!(out, known);
    }
}

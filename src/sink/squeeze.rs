//! Compressed payloads: gzip, zlib, bare deflate or zstd, each payload a whole stream of its own.

use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params};

use super::common::Compression;
use crate::zstd::Encoder;

/// RFC 1952 §2.3: magic, deflate, no flags, no time, unknown system.
pub(crate) const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// zlib's level 6.
const LEVEL: i32 = 6;

/// Memory of one compressor, about.
pub(super) const STATE_BYTES: usize = size_of::<CompressorOxide>() + 320 * 1024;

/// The one compressor of a sink.
pub(super) struct Squeeze {
    kind: Compression,
    state: State,
}

enum State {
    Deflate(Box<CompressorOxide>),
    Zstd(Box<Encoder>),
}

impl core::fmt::Debug for Squeeze {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Squeeze").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Squeeze {
    pub(super) fn new(kind: Compression) -> Self {
        let state = match kind {
            Compression::Zstd => State::Zstd(Box::default()),
            _ => State::Deflate(compressor(kind == Compression::Zlib)),
        };
        Self { kind, state }
    }

    /// Compresses `body` into `out`: the bytes used, or `None` when they do not suffice.
    pub(super) fn squeeze(&mut self, body: &[u8], out: &mut [u8]) -> Option<usize> {
        let state = match &mut self.state {
            State::Zstd(encoder) => return encoder.encode(body, out),
            State::Deflate(state) => state,
        };
        state.reset();
        let framed = self.kind == Compression::Gzip;
        let head = if framed { GZIP_HEAD.len() } else { 0 };
        out.get_mut(..head)?.copy_from_slice(&GZIP_HEAD[..head]);
        let (status, read, written) = compress(state, body, out.get_mut(head..)?, TDEFLFlush::Finish);
        if status != TDEFLStatus::Done || read != body.len() {
            return None;
        }
        let mut len = head + written;
        if framed {
            let tail = gzip_tail(crc32fast::hash(body), body.len());
            out.get_mut(len..len + tail.len())?.copy_from_slice(&tail);
            len += tail.len();
        }
        Some(len)
    }
}

/// A compressor, about 300 KiB, for bare deflate or zlib.
pub(crate) fn compressor(zlib: bool) -> Box<CompressorOxide> {
    Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(LEVEL, if zlib { 15 } else { -15 }, 0)))
}

/// RFC 1952 §2.3.1: checksum and length of what was compressed.
#[expect(clippy::cast_possible_truncation, reason = "the length counts modulo 2^32")]
pub(crate) const fn gzip_tail(crc: u32, len: usize) -> [u8; 8] {
    let (c, n) = (crc.to_le_bytes(), (len as u32).to_le_bytes());
    [c[0], c[1], c[2], c[3], n[0], n[1], n[2], n[3]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::inflate::{decompress_to_vec, decompress_to_vec_zlib};

    #[test]
    fn each_payload_stands_alone() {
        let bodies = [b"[{\"a\":1}]".to_vec(), b"x".repeat(10_000), Vec::new()];
        for kind in [Compression::Gzip, Compression::Zlib, Compression::Flate, Compression::Zstd] {
            let mut squeeze = Squeeze::new(kind);
            for body in &bodies {
                let mut out = vec![0; 4096];
                let n = squeeze.squeeze(body, &mut out).expect("room");
                if kind == Compression::Zstd {
                    let mut back = vec![0; body.len()];
                    assert_eq!(crate::zstd::Decoder::new().decode(&out[..n], &mut back), Ok(body.len()));
                    assert_eq!(back, *body);
                    continue;
                }
                let back = match kind {
                    Compression::Gzip => {
                        assert_eq!(out[n - 8..n], gzip_tail(crc32fast::hash(body), body.len()));
                        decompress_to_vec(&out[10..n - 8])
                    }
                    Compression::Zlib => decompress_to_vec_zlib(&out[..n]),
                    Compression::Flate => decompress_to_vec(&out[..n]),
                    Compression::Zstd => continue,
                };
                assert_eq!(back.expect("sound"), *body);
            }
        }
    }

    #[test]
    fn too_little_room_is_told() {
        let mut squeeze = Squeeze::new(Compression::Gzip);
        assert_eq!(squeeze.squeeze(b"hello hello", &mut [0; 12]), None);
        assert_eq!(squeeze.squeeze(b"hello hello", &mut [0; 4]), None);
        assert!(squeeze.squeeze(b"hello hello", &mut [0; 64]).is_some());
    }
}

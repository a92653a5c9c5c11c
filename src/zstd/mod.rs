//! Zstandard (RFC 8878): frames read into a slice ([`Decoder`]) and written from one ([`Encoder`]), without a heap.
//!
//! A decoder has its tables (10 KiB) and no window: what a sequence refers to is what already stands in the output, so the output's length
//! bounds everything, and a bomb ends where it does. Several frames, skippable ones, checksums and every kind of block are read;
//! dictionaries are not. The encoder looks one match back through a small hash table, codes sequences with the predefined tables
//! and literals with a Huffman code where that pays: about what the reference's level 1 does on JSON. Its frames name their size
//! from 256 bytes on and carry a checksum. Written here because the crates for it take a window and tables from the heap for each frame, or need a
//! C compiler.

mod bits;
mod decode;
mod encode;
mod fse;
mod huffman;
mod sequence;

pub use decode::{DecodeError, Decoder};
pub use encode::{Encoder, bound};

/// RFC 8878 §3.1.1.
const MAGIC: u32 = 0xFD2F_B528;
/// RFC 8878 §3.1.1.2.4: content of one block at most.
const BLOCK_MAX: usize = 128 << 10;

/// XXH64 with seed 0 (RFC 8878 §3.1.1 takes its low four bytes).
fn xxh64(bytes: &[u8]) -> u64 {
    const P: [u64; 5] = [0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63, 0x27D4_EB2F_1656_67C5];
    let round = |acc: u64, lane: u64| acc.wrapping_add(lane.wrapping_mul(P[1])).rotate_left(31).wrapping_mul(P[0]);
    let (stripes, mut rest) = bytes.as_chunks::<32>();
    let mut hash = if stripes.is_empty() {
        P[4]
    } else {
        let mut acc = [P[0].wrapping_add(P[1]), P[1], 0, 0_u64.wrapping_sub(P[0])];
        for stripe in stripes {
            for (acc, lane) in acc.iter_mut().zip(stripe.as_chunks::<8>().0) {
                *acc = round(*acc, u64::from_le_bytes(*lane));
            }
        }
        let [a, b, c, d] = acc;
        let mut hash = a.rotate_left(1).wrapping_add(b.rotate_left(7)).wrapping_add(c.rotate_left(12)).wrapping_add(d.rotate_left(18));
        for acc in acc {
            hash = (hash ^ round(0, acc)).wrapping_mul(P[0]).wrapping_add(P[3]);
        }
        hash
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    while let Some((lane, behind)) = rest.split_first_chunk::<8>() {
        hash = (hash ^ round(0, u64::from_le_bytes(*lane))).rotate_left(27).wrapping_mul(P[0]).wrapping_add(P[3]);
        rest = behind;
    }
    if let Some((lane, behind)) = rest.split_first_chunk::<4>() {
        hash = (hash ^ u64::from(u32::from_le_bytes(*lane)).wrapping_mul(P[0])).rotate_left(23).wrapping_mul(P[1]).wrapping_add(P[2]);
        rest = behind;
    }
    for b in rest {
        hash = (hash ^ u64::from(*b).wrapping_mul(P[4])).rotate_left(11).wrapping_mul(P[0]);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(P[1]);
    hash = (hash ^ hash >> 29).wrapping_mul(P[2]);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        for (text, want) in [
            (&b""[..], 0xEF46_DB37_51D8_E999),
            (b"a", 0xD24E_C4F1_A98C_6E5B),
            (b"abc", 0x44BC_2CF5_AD77_0999),
            (b"Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
        ] {
            assert_eq!(xxh64(text), want, "{}", text.escape_ascii());
        }
    }
}

//! What sequences are made of: codes of lengths and offsets, their extra bits, and how often they come when nobody says otherwise
//! (RFC 8878 §3.1.1.3.2.1 and §3.1.1.3.2.2).

use super::fse::Distribution;

/// Base and extra bits of a code.
type Code = (u32, u8);

pub(super) const LITERALS: [Code; 36] = lengths(
    0,
    16,
    &[
        (16, 1),
        (18, 1),
        (20, 1),
        (22, 1),
        (24, 2),
        (28, 2),
        (32, 3),
        (40, 3),
        (48, 4),
        (64, 6),
        (128, 7),
        (256, 8),
        (512, 9),
        (1024, 10),
        (2048, 11),
        (4096, 12),
        (8192, 13),
        (16384, 14),
        (32768, 15),
        (65536, 16),
    ],
);
pub(super) const MATCHES: [Code; 53] = lengths(
    3,
    32,
    &[
        (35, 1),
        (37, 1),
        (39, 1),
        (41, 1),
        (43, 2),
        (47, 2),
        (51, 3),
        (59, 3),
        (67, 4),
        (83, 4),
        (99, 5),
        (131, 7),
        (259, 8),
        (515, 9),
        (1027, 10),
        (2051, 11),
        (4099, 12),
        (8195, 13),
        (16387, 14),
        (32771, 15),
        (65539, 16),
    ],
);
/// Codes of offsets are their number of bits.
pub(super) const OFFSET_CODES: usize = 32;

pub(super) const LITERALS_USUAL: Distribution = Distribution::predefined(
    6,
    &[4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1],
);
pub(super) const MATCHES_USUAL: Distribution = Distribution::predefined(
    6,
    &[
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
);
pub(super) const OFFSETS_USUAL: Distribution =
    Distribution::predefined(5, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1]);

/// `plain` codes that stand for themselves, from `base` on, then those with extra bits.
const fn lengths<const N: usize>(base: u32, plain: usize, extra: &[Code]) -> [Code; N] {
    let mut codes = [(0, 0); N];
    let mut i = 0;
    let mut next = base;
    while i < N {
        codes[i] = if i < plain { (next, 0) } else { extra[i - plain] };
        next += 1;
        i += 1;
    }
    codes
}

/// The code of a length, its extra bits and their number.
pub(super) fn code_of(codes: &[Code], length: u32) -> (u8, u32, u32) {
    let at = codes.partition_point(|(base, _)| *base <= length).saturating_sub(1);
    let (base, bits) = codes.get(at).copied().unwrap_or_default();
    (u8::try_from(at).unwrap_or(0), length - base, u32::from(bits))
}

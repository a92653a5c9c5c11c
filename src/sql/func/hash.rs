//! Digests of Go's text of a value, in lower-case hexadecimal (eKuiper: hashing functions).

use super::{Arg, Args, Func};

const ONE: Args = Args::exact(&[Arg::String]);

/// The table of this family.
pub(super) static FUNCS: &[Func] = &[
    Func::scalar("md5", ONE, "string", "MD5.", "md5(\"hello\")", "\"5d41402abc4b2a76b9719d911017c592\""),
    Func::scalar("sha1", ONE, "string", "SHA-1.", "sha1(\"hello\")", "\"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d\""),
    Func::scalar(
        "sha256",
        ONE,
        "string",
        "SHA-256.",
        "sha256(\"abc\")",
        "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
    ),
    Func::scalar(
        "sha384",
        ONE,
        "string",
        "SHA-384.",
        "sha384(\"abc\")",
        "\"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7\"",
    ),
    Func::scalar(
        "sha512",
        ONE,
        "string",
        "SHA-512.",
        "sha512(\"abc\")",
        "\"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f\"",
    ),
    Func::scalar("crc32", ONE, "string", "CRC-32 (IEEE), without leading zeros.", "crc32(\"hello\")", "\"3610a686\""),
];

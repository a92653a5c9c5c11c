//! Digests: MD5 from `md-5`, the SHA family from ring (linked for TLS anyway), CRC-32 from `crc32fast`.

use md5::{Digest as _, Md5};
use ring::digest::{self, Algorithm};

use super::{Table, arg};
use crate::eval::Call;
use crate::value::{Eval, Fault, Value};

/// The functions of this family.
pub(super) static TABLE: Table = &[
    ("md5", |c| hex(c, &Md5::digest(text(c)?.as_bytes()))),
    ("sha1", |c| sha(c, &digest::SHA1_FOR_LEGACY_USE_ONLY)),
    ("sha256", |c| sha(c, &digest::SHA256)),
    ("sha384", |c| sha(c, &digest::SHA384)),
    ("sha512", |c| sha(c, &digest::SHA512)),
    ("crc32", |c| {
        let sum = crc32fast::hash(text(c)?.as_bytes());
        Ok(Value::Str(c.ctx.scratch.format(format_args!("{sum:x}"))?))
    }),
];

fn text<'a>(c: &Call<'_, 'a>) -> Result<&'a str, Fault<'a>> {
    let text = arg::text(c.arg(0), c.ctx.scratch)?;
    c.work(4 * text.len())?;
    Ok(text)
}

fn sha<'a>(c: &Call<'_, 'a>, algorithm: &'static Algorithm) -> Eval<'a> {
    hex(c, digest::digest(algorithm, text(c)?.as_bytes()).as_ref())
}

fn hex<'a>(c: &Call<'_, 'a>, bytes: &[u8]) -> Eval<'a> {
    let lent = c.ctx.scratch.alloc(2 * bytes.len())?;
    data_encoding::HEXLOWER.encode_mut(bytes, lent);
    Ok(Value::Str(core::str::from_utf8(lent).unwrap_or("")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Arg::*, check};

    #[test]
    fn known_answers() {
        check(&[
            ("md5", &[F(5.0)], "\"e4da3b7fbbce2345d7772b0674a318d5\""),
            ("md5", &[S("")], "\"d41d8cd98f00b204e9800998ecf8427e\""),
            ("md5", &[B(true)], "\"b326b5062b2f0e69046810717534cb09\""),
            ("md5", &[J("[1,2]")], "\"f33133cbd41c441dbcc737086bedfcdb\""),
            ("md5", &[J("{\"k\":1}")], "\"b23dc4d4e059ca8c965d2622b2b8147b\""),
            ("md5", &[S("é😀")], "\"62b3afe3b01f6f80152b567d9b216cde\""),
            ("md5", &[J("[]")], "null"),
            ("sha1", &[S("")], "\"da39a3ee5e6b4b0d3255bfef95601890afd80709\""),
            ("sha256", &[S("")], "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""),
            ("crc32", &[S("")], "\"0\""),
            ("crc32", &[S("mystring")], "\"7840ecf1\""),
        ]);
    }
}

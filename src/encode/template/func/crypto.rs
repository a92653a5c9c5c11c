//! Checksums and random identifiers.

use core::fmt::Write as _;

use ring::digest;

use super::super::val::{Cx, Res, Val};
use super::{Args, Func, Param, int, text};
use crate::value::Fault;

const STR: &[Param] = &[Param::Str];

pub(super) const FUNCS: &[Func] = &[
    Func::new("sha1sum", STR, None, |cx, args| sum(cx, args, &digest::SHA1_FOR_LEGACY_USE_ONLY)),
    Func::new("sha256sum", STR, None, |cx, args| sum(cx, args, &digest::SHA256)),
    Func::new("sha512sum", STR, None, |cx, args| sum(cx, args, &digest::SHA512)),
    Func::new("adler32sum", STR, None, |cx, args| {
        let (mut a, mut b) = (1_u32, 0_u32);
        for byte in text(args, 0).bytes() {
            a = (a + u32::from(byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        cx.scratch.format(format_args!("{}", b << 16 | a)).map(Val::str)
    }),
    Func::new("uuidv4", &[], None, |cx, _| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&cx.env.random().to_le_bytes());
        bytes[8..].copy_from_slice(&cx.env.random().to_le_bytes());
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        cx.scratch.format(format_args!("{}", id.hyphenated())).map(Val::str)
    }),
    Func::new("randBytes", &[Param::Int], None, |cx, args| {
        let Ok(count) = usize::try_from(int(args, 0)) else { return Err(Fault::new("runtime error: makeslice: len out of range")) };
        cx.spend(count / 64)?;
        let bytes = cx.scratch.alloc(count)?;
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&cx.env.random().to_le_bytes()[..chunk.len()]);
        }
        let place = cx.scratch.alloc(data_encoding::BASE64.encode_len(count))?;
        data_encoding::BASE64.encode_mut(bytes, place);
        cx.utf8(place).map(Val::str)
    }),
];

fn sum<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>, algorithm: &'static digest::Algorithm) -> Res<'a> {
    cx.spend(text(args, 0).len() / 16)?;
    let digest = digest::digest(algorithm, text(args, 0).as_bytes());
    cx.text(|out| digest.as_ref().iter().try_for_each(|b| write!(out, "{b:02x}")).map_err(|_| Fault::FULL))
}

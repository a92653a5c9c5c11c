//! Slash paths, URLs and versions.

use core::fmt::Write as _;

use super::super::semver;
use super::super::val::{Cx, Res, Tag, Val};
use super::{Args, Func, Param, arg, text};
use crate::json::write::Out;
use crate::value::{Fault, Value};

const STR: &[Param] = &[Param::Str];

pub(super) const FUNCS: &[Func] = &[
    Func::new("base", STR, None, |_, args| Ok(Val::str(base(text(args, 0))))),
    Func::new("osBase", STR, None, |_, args| Ok(Val::str(base(text(args, 0))))),
    Func::new("dir", STR, None, dir),
    Func::new("osDir", STR, None, dir),
    Func::new("clean", STR, None, |cx, args| clean(text(args, 0), cx).map(Val::str)),
    Func::new("osClean", STR, None, |cx, args| clean(text(args, 0), cx).map(Val::str)),
    Func::new("ext", STR, None, |_, args| Ok(Val::str(ext(text(args, 0))))),
    Func::new("osExt", STR, None, |_, args| Ok(Val::str(ext(text(args, 0))))),
    Func::new("isAbs", STR, None, |_, args| Ok(Val::bool(text(args, 0).starts_with('/')))),
    Func::new("osIsAbs", STR, None, |_, args| Ok(Val::bool(text(args, 0).starts_with('/')))),
    Func::new("semver", STR, None, |_, args| match semver::parse(text(args, 0)) {
        Some(_) => Ok(Val::tagged(Value::Str(text(args, 0)), Tag::Version)),
        None => Err(Fault::new(semver::INVALID)),
    }),
    Func::new("semverCompare", &[Param::Str, Param::Str], None, |cx, args| {
        let version = semver::parse(text(args, 1)).ok_or(Fault::new(semver::INVALID))?;
        match semver::meets(text(args, 0), &version) {
            Some(meets) => Ok(Val::bool(meets)),
            None => Err(cx.fault(format_args!("improper constraint: {}", text(args, 0)))),
        }
    }),
    Func::new("urlParse", STR, None, url_parse),
    Func::new("urlJoin", &[Param::Map], None, url_join),
];

fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let path = path.trim_end_matches('/');
    if path.is_empty() { "/" } else { path.rsplit('/').next().unwrap_or(path) }
}

fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |at| &name[at..])
}

fn dir<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let path: &'a str = text(args, 0);
    clean(&path[..path.rfind('/').map_or(0, |at| at + 1)], cx).map(Val::str)
}

/// Go's `path.Clean`.
fn clean<'a>(path: &'a str, cx: &Cx<'_, 'a>) -> Result<&'a str, Fault<'a>> {
    if path.is_empty() {
        return Ok(".");
    }
    let rooted = path.starts_with('/');
    cx.string(|out| {
        if rooted {
            out.byte(b'/')?;
        }
        let start = out.len();
        // Where `..` can no longer go up: behind leading `..` of a relative path.
        let mut floor = start;
        for segment in path.split('/') {
            match segment {
                "" | "." => {}
                ".." if out.len() > floor => {
                    let cut = out.written()[floor..].iter().rposition(|c| *c == b'/').map_or(floor, |at| floor + at);
                    out.truncate(cut);
                }
                ".." if rooted => {}
                _ => {
                    if out.len() > start {
                        out.byte(b'/')?;
                    }
                    out.text(segment)?;
                    if segment == ".." {
                        floor = out.len();
                    }
                }
            }
        }
        if out.is_empty() {
            out.byte(b'.')?;
        }
        Ok(())
    })
}

/// The parts of a URL, still escaped.
struct Url<'t> {
    scheme: &'t str,
    opaque: &'t str,
    userinfo: &'t str,
    host: &'t str,
    path: &'t str,
    query: &'t str,
    fragment: &'t str,
}

fn parts(url: &str) -> Option<Url<'_>> {
    if url.bytes().any(|c| c < 0x20 || c == 0x7f) {
        return None;
    }
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let scheme_end = rest.bytes().position(|c| !(c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.')));
    let (scheme, rest) = match scheme_end {
        Some(0) if rest.starts_with(':') => return None,
        Some(at) if rest.as_bytes().get(at) == Some(&b':') && rest.as_bytes()[0].is_ascii_alphabetic() => (&rest[..at], &rest[at + 1..]),
        _ => ("", rest),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !scheme.is_empty() && !rest.starts_with('/') {
        return Some(Url { scheme, opaque: rest, userinfo: "", host: "", path: "", query, fragment });
    }
    let (authority, path) = match rest.strip_prefix("//").filter(|r| !r.starts_with('/') || !scheme.is_empty()) {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (userinfo, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    Some(Url { scheme, opaque: "", userinfo, host, path, query, fragment })
}

fn unescaped<'a>(piece: &'a str, cx: &Cx<'_, 'a>) -> Result<&'a str, Fault<'a>> {
    if !piece.contains('%') {
        return Ok(piece);
    }
    let raw = cx.scratch.alloc(piece.len())?;
    let (b, mut at, mut len) = (piece.as_bytes(), 0, 0);
    while at < b.len() {
        let c = match (b[at], b.get(at + 1..at + 3).and_then(|h| core::str::from_utf8(h).ok())) {
            (b'%', Some(hex)) => {
                at += 2;
                u8::from_str_radix(hex, 16).map_err(|_| cx.fault(format_args!("unable to parse url: invalid URL escape \"%{hex}\"")))?
            }
            (b'%', None) => return Err(Fault::new("unable to parse url: invalid URL escape")),
            (c, _) => c,
        };
        raw[len] = c;
        at += 1;
        len += 1;
    }
    cx.utf8(&raw[..len])
}

fn url_parse<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let Some(url) = parts(text(args, 0)) else {
        return Err(cx.fault(format_args!("unable to parse url: parse {:?}: invalid URL", text(args, 0))));
    };
    let scheme = cx.string(|out| url.scheme.bytes().try_for_each(|c| Ok(out.byte(c.to_ascii_lowercase())?)))?;
    let hostname = if let Some(inside) = url.host.strip_prefix('[') {
        inside.split(']').next().unwrap_or("")
    } else {
        url.host.rsplit_once(':').map_or(url.host, |(host, _)| host)
    };
    let path = unescaped(url.path, cx)?;
    let fragment = unescaped(url.fragment, cx)?;
    let entries = [
        ("scheme", scheme),
        ("host", url.host),
        ("hostname", hostname),
        ("path", path),
        ("query", url.query),
        ("opaque", url.opaque),
        ("fragment", fragment),
        ("userinfo", url.userinfo),
    ];
    cx.make_object(entries.into_iter().map(|(key, text)| (key, Value::Str(text)))).map(Val::data)
}

fn url_join<'a>(cx: &Cx<'_, 'a>, args: Args<'_, 'a>) -> Res<'a> {
    let dict = cx.settle(arg(args, 0).v);
    let part = |key: &str| -> Result<&'a str, Fault<'a>> {
        match dict.member(key, cx.scratch)? {
            None => Ok(""),
            Some(Value::Str(text)) => Ok(text),
            Some(other) => {
                let kind = Val::data(other).kind_name();
                Err(cx.fault(format_args!("unable to parse {key} key, must be of type string, but {kind} found")))
            }
        }
    };
    let (scheme, host, path, query) = (part("scheme")?, part("host")?, part("path")?, part("query")?);
    let (opaque, fragment, userinfo) = (part("opaque")?, part("fragment")?, part("userinfo")?);
    cx.text(|out| {
        if !scheme.is_empty() {
            out.text(scheme)?;
            out.byte(b':')?;
        }
        if opaque.is_empty() {
            if !scheme.is_empty() || !host.is_empty() || !userinfo.is_empty() {
                if !host.is_empty() || !path.is_empty() || !userinfo.is_empty() {
                    out.text("//")?;
                }
                if !userinfo.is_empty() {
                    out.text(userinfo)?;
                    out.byte(b'@')?;
                }
                out.text(host)?;
            }
            if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
                out.byte(b'/')?;
            }
            escaped(out, path, b"$&+,/:;=@!'()*")?;
        } else {
            out.text(opaque)?;
        }
        if !query.is_empty() {
            out.byte(b'?')?;
            out.text(query)?;
        }
        if !fragment.is_empty() {
            out.byte(b'#')?;
            escaped(out, fragment, b"$&+,/:;=?@!'()*")?;
        }
        Ok(())
    })
}

fn escaped<'a>(out: &mut Out<'_>, text: &str, also: &[u8]) -> Result<(), Fault<'a>> {
    for c in text.bytes() {
        if c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'~') || also.contains(&c) {
            out.byte(c)?;
        } else {
            write!(out, "%{c:02X}").map_err(|_| Fault::FULL)?;
        }
    }
    Ok(())
}

//! Semantic versions and their constraints, as Masterminds/semver reads them.

use core::cmp::Ordering;

use crate::json::write::{self, Out};
use crate::value::Fault;

/// A version, its parts borrowed from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version<'t> {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) patch: u64,
    pub(super) pre: &'t str,
    pub(super) metadata: &'t str,
}

/// Why a text is no version.
pub(super) const INVALID: &str = "Invalid Semantic Version";

/// Reads `v1.2.3-pre+meta`; minor and patch may be missing.
pub(super) fn parse(text: &str) -> Option<Version<'_>> {
    let parts = parts(text.strip_prefix('v').unwrap_or(text), false)?;
    let number = |t: Option<&str>| t.map_or(Some(0), |t| t.parse().ok());
    let version = Version {
        major: number(Some(parts.major))?,
        minor: number(parts.minor)?,
        patch: number(parts.patch)?,
        pre: parts.pre,
        metadata: parts.metadata,
    };
    // Numbers of a pre-release have no leading zero.
    let zero_led = |t: &str| t.len() > 1 && t.starts_with('0') && t.bytes().all(|c| c.is_ascii_digit());
    if version.pre.split('.').any(zero_led) { None } else { Some(version) }
}

struct Parts<'t> {
    major: &'t str,
    minor: Option<&'t str>,
    patch: Option<&'t str>,
    pre: &'t str,
    metadata: &'t str,
}

/// Takes a version apart; with `wild`, `x`, `X` and `*` may stand for numbers.
fn parts(text: &str, wild: bool) -> Option<Parts<'_>> {
    let (text, metadata) = text.split_once('+').map_or((text, None), |(t, m)| (t, Some(m)));
    let (numbers, pre) = text.split_once('-').map_or((text, None), |(t, p)| (t, Some(p)));
    let words = |t: &str| t.split('.').all(|w| !w.is_empty() && w.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-'));
    if !metadata.is_none_or(words) || !pre.is_none_or(words) {
        return None;
    }
    let digit = |c: char| c.is_ascii_digit() || wild && matches!(c, 'x' | 'X' | '*');
    let number = |t: &str| !t.is_empty() && t.chars().all(digit);
    let mut pieces = numbers.split('.');
    let parts = Parts {
        major: pieces.next()?,
        minor: pieces.next(),
        patch: pieces.next(),
        pre: pre.unwrap_or(""),
        metadata: metadata.unwrap_or(""),
    };
    let fits = number(parts.major) && parts.minor.is_none_or(number) && parts.patch.is_none_or(number) && pieces.next().is_none();
    fits.then_some(parts)
}

impl Version<'_> {
    /// Order of precedence; metadata does not count.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let numbers = |v: &Self| (v.major, v.minor, v.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| match (self.pre, other.pre) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (a, b) => order_pre(a, b),
        })
    }
}

fn order_pre(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => match (x.parse::<u64>(), y.parse::<u64>()) {
                (Ok(x), Ok(y)) => x.cmp(&y),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => x.cmp(y),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Writes a version in full: three numbers, without `v`.
pub(super) fn normal<'a>(out: &mut Out<'_>, text: &str) -> Result<(), Fault<'a>> {
    let Some(v) = parse(text) else { return Ok(out.text(text)?) };
    for (i, n) in [v.major, v.minor, v.patch].into_iter().enumerate() {
        if i > 0 {
            out.byte(b'.')?;
        }
        out.text(itoa::Buffer::new().format(n))?;
    }
    for (mark, part) in [(b'-', v.pre), (b'+', v.metadata)] {
        if !part.is_empty() {
            out.byte(mark)?;
            out.text(part)?;
        }
    }
    Ok::<(), write::Full>(()).map_err(Fault::from)
}

/// Whether `version` meets a constraint like `>=1.2, <2 || ~3.1`; `None` if the constraint is malformed.
pub(super) fn meets(constraint: &str, version: &Version<'_>) -> Option<bool> {
    let mut any = false;
    for group in constraint.split("||") {
        any |= group_meets(group, version)?;
    }
    Some(any)
}

const OPS: [&str; 11] = [">=", "=>", "<=", "=<", "!=", "~>", "=", ">", "<", "~", "^"];

fn group_meets(group: &str, version: &Version<'_>) -> Option<bool> {
    let mut all = true;
    let mut rest = group.trim();
    let mut first = true;
    while first || !rest.is_empty() {
        first = false;
        let op = OPS.into_iter().find(|op| rest.starts_with(op)).unwrap_or("");
        rest = rest[op.len()..].trim_start();
        let end = rest.find([' ', '\t', ',']).unwrap_or(rest.len());
        let (bound, tail) = rest.split_at(end);
        let tail = tail.trim_start();
        // `1.2 - 1.4` is a range with both ends in it.
        if let Some(upper) = tail.strip_prefix("- ").filter(|_| op.is_empty()) {
            let upper = upper.trim_start();
            let end = upper.find([' ', '\t', ',']).unwrap_or(upper.len());
            all &= one_meets(">=", bound, version)? && one_meets("<=", &upper[..end], version)?;
            rest = upper[end..].trim_start();
        } else {
            all &= one_meets(op, bound, version)?;
            rest = tail;
        }
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(all)
}

fn one_meets(op: &str, bound: &str, v: &Version<'_>) -> Option<bool> {
    let parts = parts(bound.strip_prefix('v').unwrap_or(bound), true)?;
    let wild = |t: Option<&str>| t.is_none_or(|t| matches!(t, "x" | "X" | "*"));
    let number = |t: Option<&str>| t.map_or(Some(0), |t| t.parse::<u64>().ok());
    let any = wild(Some(parts.major));
    let minor_open = !any && wild(parts.minor);
    let patch_open = !any && !minor_open && wild(parts.patch);
    let c = Version {
        major: if any { 0 } else { number(Some(parts.major))? },
        minor: if any || minor_open { 0 } else { number(parts.minor)? },
        patch: if any || minor_open || patch_open { 0 } else { number(parts.patch)? },
        pre: parts.pre,
        metadata: parts.metadata,
    };
    let open = any || minor_open || patch_open;
    // A constraint without a pre-release takes none.
    let pre_release = !v.pre.is_empty() && c.pre.is_empty();
    let order = v.order(&c);
    let tilde = || {
        if order == Ordering::Less {
            return false;
        }
        if (c.major, c.minor, c.patch) == (0, 0, 0) && !minor_open && !patch_open {
            return true;
        }
        v.major == c.major && (v.minor == c.minor || minor_open)
    };
    Some(match op {
        "!=" if open => {
            !pre_release
                && (v.major != c.major
                    || !minor_open && v.minor != c.minor
                    || !minor_open && !patch_open && v.patch != c.patch
                    || patch_open && (!v.pre.is_empty() || !c.pre.is_empty()) && v.pre != c.pre)
        }
        "!=" => order != Ordering::Equal,
        _ if pre_release => false,
        ">" if !open => order == Ordering::Greater,
        ">" => {
            v.major > c.major
                || v.major == c.major && !minor_open && if patch_open { v.minor > c.minor } else { order == Ordering::Greater }
        }
        "<" => order == Ordering::Less,
        ">=" | "=>" => order != Ordering::Less,
        "<=" | "=<" if !open => order != Ordering::Greater,
        "<=" | "=<" => !(v.major > c.major || v.major == c.major && v.minor > c.minor && !minor_open),
        "~" | "~>" => tilde(),
        "^" => {
            if order == Ordering::Less {
                false
            } else if c.major > 0 || minor_open {
                v.major == c.major
            } else if v.major > 0 {
                false
            } else if c.minor > 0 || patch_open {
                v.minor == c.minor
            } else {
                v.minor == 0 && v.patch == c.patch
            }
        }
        _ if open => tilde(),
        _ => order == Ordering::Equal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse("v1.2").map(|v| (v.major, v.minor, v.patch)), Some((1, 2, 0)));
        assert_eq!(parse("1.2.3-rc.1+b5").map(|v| (v.pre, v.metadata)), Some(("rc.1", "b5")));
        for bad in ["", "x", "1.2.3.4", "1..2", "1.2.3-", "1.2.3-01", "v", "1.2.3+"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        let order = |a, b| parse(a).zip(parse(b)).map(|(a, b)| a.order(&b));
        assert_eq!(order("1.0.0-alpha.2", "1.0.0-alpha.10"), Some(Ordering::Less));
        assert_eq!(order("1.0.0", "1.0.0-rc"), Some(Ordering::Greater));
        assert_eq!(order("1.0.0+a", "1.0.0+b"), Some(Ordering::Equal));
    }

    #[test]
    fn constraints() {
        for (constraint, version, want) in [
            ("1.2.3", "1.2.3", Some(true)),
            (">=1.2, <2", "1.9.9", Some(true)),
            (">=1.2 <2", "2.0.0", Some(false)),
            ("^1.2.0", "1.9.0", Some(true)),
            ("^0.2", "0.3.0", Some(false)),
            ("~1.2", "1.2.9", Some(true)),
            ("~1", "1.9.0", Some(true)),
            ("1.x", "1.5.2", Some(true)),
            ("*", "3.0.0", Some(true)),
            ("1.2 - 1.4", "1.4.0", Some(true)),
            ("<1 || >3", "4.0.0", Some(true)),
            (">1", "1.5.0", Some(false)),
            ("!=1.2.3", "1.2.4", Some(true)),
            (">=1.0.0", "1.1.0-rc", Some(false)),
            ("nonsense", "1.0.0", None),
        ] {
            assert_eq!(parse(version).and_then(|v| meets(constraint, &v)), want, "{constraint} {version}");
        }
    }
}

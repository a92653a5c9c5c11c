//! Targets and authorities octet by octet (RFC 3986 §2.1, §3; RFC 9110 §7.2; RFC 9112 §3.2).

/// What follows `http://` or `https://`.
pub(super) fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    let at = target.iter().position(|&b| b == b':')?;
    let (scheme, rest) = target.split_at(at);
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return None;
    }
    rest.strip_prefix(b"://")
}

/// `uri-host [":" port]` (RFC 9110 §7.2); empty is allowed, user information is not.
pub(super) fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|&b| b == b']') else { return false };
            let (address, after) = rest.split_at(end);
            if !str::from_utf8(address).is_ok_and(|text| text.parse::<core::net::Ipv6Addr>().is_ok()) {
                return false;
            }
            (&[][..], after.get(1..).unwrap_or_default())
        }
        _ => host.split_at(host.iter().position(|&b| b == b':').unwrap_or(host.len())),
    };
    let name_ok = |b: &u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(b);
    let port_ok = match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => {
            digits.iter().all(u8::is_ascii_digit) && str::from_utf8(digits).is_ok_and(|text| text.parse::<u16>().is_ok())
        }
        _ => false,
    };
    name.iter().all(name_ok) && percent_decode(name, &mut []).is_some() && port_ok
}

/// Which octets stand in a path.
pub(super) const PATH_OCTETS: [bool; 256] = {
    let mut octets = [false; 256];
    let mut b = 0_u8;
    while b < 0x80 {
        octets[b as usize] = is_path_octet(b);
        b += 1;
    }
    octets
};

/// `pchar` and the slash (RFC 3986 §3.3).
const fn is_path_octet(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'/' | b'-'
                | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

/// Resolves percent-encoding into `out`; the length, or `None` at a `%` without two hex digits. What does not fit is cut.
pub(super) fn percent_decode(raw: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut len = 0;
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        let (b, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => (hex(*high)? << 4 | hex(*low)?, tail),
            (b'%', _) => return None,
            _ => (*first, tail),
        };
        if let Some(place) = out.get_mut(len) {
            *place = b;
            len += 1;
        }
        rest = tail;
    }
    Some(len)
}

/// The value of a hex digit.
pub(crate) const fn hex(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// `.`, `..` or an empty segment; the last segment may be empty.
pub(super) fn has_dot_segments(path: &[u8]) -> bool {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let mut start = 0;
    loop {
        let rest = path.get(start..).unwrap_or_default();
        let end = rest.iter().position(|&b| b == b'/');
        let segment = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        match (segment, end) {
            (b"." | b"..", _) | (b"", Some(_)) => return true,
            (_, Some(end)) => start += end + 1,
            (_, None) => return false,
        }
    }
}

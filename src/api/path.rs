//! Paths and queries of the management port: percent-decoding, cleaning, parameters.

/// The path with its `%XX` escapes decoded; `None` for a bad escape. Octets that are no UTF-8 become U+FFFD.
#[must_use]
pub fn decode(raw: &str) -> Option<String> {
    unescape(raw, false)
}

/// The path without empty, `.` and `..` segments; a closing slash stays, as in Go's router.
#[must_use]
pub fn clean(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut out = format!("/{}", kept.join("/"));
    if path.ends_with('/') && out != "/" {
        out.push('/');
    }
    out
}

/// The path with what may not stand in a request target escaped again.
#[must_use]
pub fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for b in path.bytes() {
        match b {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'-'
            | b'_'
            | b'.'
            | b'~'
            | b'$'
            | b'&'
            | b'+'
            | b','
            | b':'
            | b';'
            | b'='
            | b'@' => {
                out.push(char::from(b));
            }
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// The first value of the query parameter `name`, decoded; `""` without one.
#[must_use]
pub fn query(query: &str, name: &str) -> String {
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if unescape(key, true).as_deref() == Some(name) {
            return unescape(value, true).unwrap_or_default();
        }
    }
    String::new()
}

/// What Go's ParseBool takes for true.
#[must_use]
pub fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

fn unescape(raw: &str, plus: bool) -> Option<String> {
    if !(raw.contains('%') || plus && raw.contains('+')) {
        return Some(raw.to_owned());
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if plus => b' ',
            b => b,
        });
    }
    Some(match String::from_utf8(out) {
        Ok(text) => text,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding() {
        for (raw, want) in [
            ("/%70ing", Some("/ping")),
            ("/a+b", Some("/a+b")),
            ("/a%2Fb", Some("/a/b")),
            ("/%", None),
            ("/%4", None),
            ("/%zz", None),
            ("/%ff", Some("/\u{fffd}")),
        ] {
            assert_eq!(decode(raw).as_deref(), want, "{raw}");
        }
    }

    #[test]
    fn cleaning() {
        for (path, want) in [
            ("/", "/"),
            ("//", "/"),
            ("/a//b", "/a/b"),
            ("/a/./b/", "/a/b/"),
            ("/a/../b", "/b"),
            ("/../a", "/a"),
            ("", "/"),
            ("a", "/a"),
            ("/a/..", "/"),
            ("/a/b/../", "/a/"),
        ] {
            assert_eq!(clean(path), want, "{path}");
        }
    }

    #[test]
    fn queries() {
        assert_eq!(query("force=true&x", "force"), "true");
        assert_eq!(query("a=1&a=2", "a"), "1");
        assert_eq!(query("a=x%20y+z", "a"), "x y z");
        assert_eq!(query("", "a"), "");
        assert_eq!(encode("/a b/%"), "/a%20b/%25");
    }
}

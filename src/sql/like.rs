//! LIKE patterns as regular expressions, the way eKuiper makes them: `%` is `.*`, `_` is `.`, every backslash is doubled, other
//! marks of regular expressions keep their meaning, and the whole text must match.

use regex_lite::Regex;

/// Longest regular expression from a pattern, compiled, in bytes.
const COMPILED_BYTES: usize = 256 * 1024;

/// The regular expression of a LIKE pattern, piece by piece.
///
/// # Errors
/// What `put` gives.
pub fn pieces<E>(pattern: &str, mut put: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    put("^")?;
    let mut from = 0;
    let mut chars = pattern.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let (piece, mut end) = match c {
            '%' => (".*", at + 1),
            '_' => (".", at + 1),
            '\\' => ("\\\\", at + 1),
            _ => continue,
        };
        put(pattern.get(from..at).unwrap_or(""))?;
        put(piece)?;
        // `\%` and `\_` stay as they are, apart from the doubled backslash.
        if c == '\\'
            && let Some((kept, _)) = chars.next_if(|(_, c)| matches!(c, '%' | '_'))
        {
            put(pattern.get(kept..=kept).unwrap_or(""))?;
            end = kept + 1;
        }
        from = end;
    }
    put(pattern.get(from..).unwrap_or(""))?;
    put("$")
}

/// The regular expression of a LIKE pattern.
#[must_use]
pub fn regex_text(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() * 2 + 2);
    let _: Result<(), core::convert::Infallible> = pieces(pattern, |piece| {
        out.push_str(piece);
        Ok(())
    });
    out
}

/// Compiles a LIKE pattern.
///
/// # Errors
/// Why the regular expression behind it is none.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let text = regex_text(pattern);
    regex_lite::RegexBuilder::new(&text).size_limit(COMPILED_BYTES).build().map_err(|e| format!("error parsing regexp: {e}: `{text}`"))
}

/// Whether a pattern compiles.
///
/// # Errors
/// As [`compile`].
pub fn check(pattern: &str) -> Result<(), String> {
    compile(pattern).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("a%", "^a.*$"),
            ("a_b", "^a.b$"),
            (r"a\%", r"^a\\%$"),
            (r"a\_", r"^a\\_$"),
            (r"a\d", r"^a\\d$"),
            ("a.b", "^a.b$"),
            ("", "^$"),
            (r"\\%", r"^\\\\%$"),
            ("é%ü", "^é.*ü$"),
        ] {
            assert_eq!(regex_text(pattern), text);
        }
        assert!(check("a(c").is_err_and(|e| e.contains("error parsing regexp")));
        assert!(compile("a%c").is_ok_and(|r| r.is_match("abc") && !r.is_match("xabc")));
    }
}

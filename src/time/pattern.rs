//! eKuiper's time patterns (`yyyy-MM-dd HH:mm:ssSSS`): letters as in Java, turned into one of Go's layouts.
//!
//! | letters | meaning |
//! |---|---|
//! | `yyyy` `YYYY` `yy` `YY` | year |
//! | `M` `MM` `MMM` `MMMM` | month: 1, 01, Jan, January |
//! | `d` `dd` | day of the month |
//! | `EEE` `EEEE` | weekday: Mon, Monday |
//! | `HH` `h` `hh` `m` `mm` `s` `ss` | time of day, 24 or 12 hours |
//! | `a` `G` | AM or PM; AD |
//! | `S`, `SS`, … | fraction of the second, with its point |
//! | `z` `Z` `X` `XX` `XXX` | zone name, -0700, -07, -0700, -07:00 |
//! | `\x` `'text'` `''` | the letter, the text, a quote |
//!
//! Anything else stands for itself. As in eKuiper, what stands for itself is read by Go once more: a bare `1` is a month.

use core::fmt;

/// Longest layout, in octets.
const LAYOUT_BYTES: usize = 256;

/// A pattern, ready to write and read by (see [`super::layout`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(heapless::String<LAYOUT_BYTES>);

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// A run of letters that means nothing, a lone `\` at the end, or more than 256 octets of layout.
    pub fn parse(text: &str) -> Result<Self, PatternError<'_>> {
        let bad = |letter| PatternError { text, letter };
        let mut out = heapless::String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let run = |max: usize| rest.chars().take(max).take_while(|c| *c == first).count();
            let behind = &rest[first.len_utf8()..];
            // How many letters are used up, and what they mean. A run that is too long by one means nothing and is skipped.
            let (used, layout): (usize, &str) = match first {
                'y' | 'Y' => match run(5) {
                    4 => (4, "2006"),
                    2 => (2, "06"),
                    _ => return Err(bad(Some(first))),
                },
                'M' => match run(5) {
                    1 => (1, "1"),
                    2 => (2, "01"),
                    3 => (3, "Jan"),
                    4 => (4, "January"),
                    n => (n, ""),
                },
                'E' => match run(5) {
                    3 => (3, "Mon"),
                    4 => (4, "Monday"),
                    _ => return Err(bad(Some(first))),
                },
                'H' => match run(3) {
                    2 => (2, "15"),
                    _ => return Err(bad(Some(first))),
                },
                'd' => two(run(3), "2", "02"),
                'h' => two(run(3), "3", "03"),
                'm' => two(run(3), "4", "04"),
                's' => two(run(3), "5", "05"),
                'X' => match run(4) {
                    1 => (1, "-07"),
                    2 => (2, "-0700"),
                    3 => (3, "-07:00"),
                    n => (n, ""),
                },
                'S' => {
                    let digits = run(usize::MAX);
                    put(&mut out, ".").ok_or_else(|| bad(None))?;
                    for _ in 0..digits {
                        put(&mut out, "0").ok_or_else(|| bad(None))?;
                    }
                    (digits, "")
                }
                'G' => (1, "AD"),
                'a' => (1, "PM"),
                'z' => (1, "MST"),
                'Z' => (1, "-0700"),
                '\\' => {
                    let Some(next) = behind.chars().next() else { return Err(bad(Some('\\'))) };
                    put(&mut out, &behind[..next.len_utf8()]).ok_or_else(|| bad(None))?;
                    rest = &behind[next.len_utf8()..];
                    continue;
                }
                '\'' => {
                    if let Some(behind) = behind.strip_prefix('\'') {
                        put(&mut out, "'").ok_or_else(|| bad(None))?;
                        rest = behind;
                    } else {
                        let (quoted, behind) = behind.split_once('\'').unwrap_or((behind, ""));
                        put(&mut out, quoted).ok_or_else(|| bad(None))?;
                        rest = behind;
                    }
                    continue;
                }
                _ => {
                    put(&mut out, &rest[..first.len_utf8()]).ok_or_else(|| bad(None))?;
                    rest = behind;
                    continue;
                }
            };
            put(&mut out, layout).ok_or_else(|| bad(None))?;
            rest = rest.get(used * first.len_utf8()..).unwrap_or("");
        }
        Ok(Self(out))
    }

    /// The layout.
    #[must_use]
    pub fn layout(&self) -> &str {
        &self.0
    }
}

fn put(out: &mut heapless::String<LAYOUT_BYTES>, text: &str) -> Option<()> {
    out.push_str(text).ok()
}

const fn two(run: usize, one: &'static str, both: &'static str) -> (usize, &'static str) {
    match run {
        1 => (1, one),
        2 => (2, both),
        n => (n, ""),
    }
}

/// A pattern that means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatternError<'t> {
    text: &'t str,
    /// The letter whose run does not fit; `None`: the pattern is too long.
    letter: Option<char>,
}

impl fmt::Display for PatternError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text;
        match self.letter {
            Some('y' | 'Y') => write!(f, "invalid time format {text} for Y/y"),
            Some('E') => write!(f, "invalid time format {text} for E"),
            Some('H') => write!(f, "invalid time format {text} of H, only HH is supported"),
            Some(_) => write!(f, "{text} is invalid"),
            None => write!(f, "invalid time format: it is too long"),
        }
    }
}

impl core::error::Error for PatternError<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        for (pattern, want) in [
            ("yyyy-MM-ddTHH:mm:ssSS\\ZXX", "2006-01-02T15:04:05.00Z-0700"),
            ("yyyy-MM-dd HH:mm:ssSSSSSSSXX", "2006-01-02 15:04:05.0000000-0700"),
            ("YY/M/d h:m:s a G", "06/1/2 3:4:5 PM AD"),
            ("MMM MMMM EEE EEEE z Z X XXX", "Jan January Mon Monday MST -0700 -07 -07:00"),
            ("MMMMM ddd XXXX", "  "),
            ("'at' HH 'o''clock'", "at 15 oclock"),
            ("''yy'", "'06"),
            ("é\\é", "éé"),
            ("", ""),
        ] {
            assert_eq!(Pattern::parse(pattern).as_ref().map(Pattern::layout), Ok(want), "{pattern}");
        }
    }

    #[test]
    fn refusals() {
        for (pattern, want) in [
            ("YYY", "invalid time format YYY for Y/y"),
            ("yyyyy", "invalid time format yyyyy for Y/y"),
            ("YYYy", "invalid time format YYYy for Y/y"),
            ("E", "invalid time format E for E"),
            ("H", "invalid time format H of H, only HH is supported"),
            ("HHH", "invalid time format HHH of H, only HH is supported"),
            ("\\", "\\ is invalid"),
        ] {
            assert_eq!(Pattern::parse(pattern).map_err(|e| e.to_string()), Err(want.to_owned()), "{pattern}");
        }
        assert!(Pattern::parse(&"S".repeat(255)).is_ok());
        assert!(Pattern::parse(&"S".repeat(256)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_pattern(text in "\\PC{0,40}", letters in "[yMdEHhmsaSGzZX'\\\\-]{0,20}") {
            let _ = Pattern::parse(&text);
            let _ = Pattern::parse(&letters);
        }
    }
}
